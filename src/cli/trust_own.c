/* SPDX-License-Identifier: Apache-2.0
 *
 * Of an authority of our own: which of its certificates still chain to a root.
 */
#include "cli/trust_internal.h"

#include <string.h>

#include "cli/authority_internal.h"

/* The certificate that the issuer's parents end in. */
static const struct inventory_issuer *root_of(const struct inventory_issuers *issuers,
                                              const struct inventory_issuer *issuer)
{
    for (size_t steps = 0; steps < issuers->count; steps++) {
        const struct inventory_issuer *parent = NULL;
        for (size_t i = 0; i < issuers->count; i++) {
            parent = issuers->items[i].id == issuer->parent_id ? &issuers->items[i] : parent;
        }
        if (parent == NULL) {
            return issuer;
        }
        issuer = parent;
    }
    return issuer;
}

static bool add_of(struct ca *ca, const struct inventory_issuer *issuer, int64_t now_s,
                   struct trust_own *own, struct mutual_error *err)
{
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    const struct inventory_filter filter = {
        .issuer = issuer->name, .valid_at_s = now_s, .limit = TRUST_OWN_MAX + 1};
    if (!inventory_records_get(ca_inventory(ca), &filter, TRUST_OWN_MAX + 1, &records, err)) {
        return false;
    }
    for (size_t i = 0; i < records.count; i++) {
        const struct inventory_record *record = &records.items[i];
        bool authority = mu_text_starts(record->profile, "authority-");
        if (authority || record->replaced_by_id != 0) {
            continue;
        }
        if (own->count < TRUST_OWN_SHOWN) {
            struct trust_own_record *shown = &own->shown[own->count];
            MU_AUTO(buf) struct mu_buf serial;
            mu_buf_init(&serial, 128);
            mu_hex(&serial, record->serial);
            (void)snprintf(shown->name, sizeof shown->name, "%s", record->name);
            (void)snprintf(shown->serial, sizeof shown->serial, "%s", mu_buf_str(&serial));
            shown->not_after_s = record->not_after_s;
        }
        own->count++;
    }
    return true;
}

bool trust_own_read(const struct cli *cli, const char *dir, const struct mu_cert *anchor,
                    int64_t now_s, struct trust_own *ret_own)
{
    MU_AUTO(ca) struct ca *ca = NULL;
    MU_AUTO(inventory_issuers) struct inventory_issuers issuers = {0};
    struct mutual_error err = {0};
    struct mu_slice der = mu_cert_facts(anchor)->der;
    bool mine = false;
    *ret_own = (struct trust_own){.count = 0};
    if (!authority_open(cli, dir, CA_LOOK, &ca, &err) ||
        !inventory_issuers_get(ca_inventory(ca), &issuers, &err)) {
        return false;
    }
    for (size_t i = 0; i < issuers.count; i++) {
        const struct inventory_issuer *issuer = &issuers.items[i];
        if (!mu_slice_equal(root_of(&issuers, issuer)->certificate, der)) {
            continue;
        }
        mine = true;
        if (!add_of(ca, issuer, now_s, ret_own, &err)) {
            return false;
        }
    }
    return mine;
}
