/* SPDX-License-Identifier: Apache-2.0
 *
 * From the raw general names of a certificate to typed, checked names in one block.
 */
#include <string.h>

#include "identity/identity_internal.h"
#include "x509/x509.h"

struct mu_names {
    size_t count;
    struct mutual_name *list;
    char *texts; /* NUL-terminated, one behind the other */
};

/* Names on their way into the block: texts may still move, so the list holds no pointers yet. */
struct draft {
    struct mutual_name list[MU_LIMIT_CERT_NAMES + 1];
    size_t count;
    struct mu_buf texts;
};

#define DRAFT_TEXT_MAX (MU_LIMIT_CERT_BYTES * 2u)

static void draft_init(struct draft *draft)
{
    draft->count = 0;
    mu_buf_init(&draft->texts, DRAFT_TEXT_MAX);
}

static bool draft_add(struct draft *draft, enum mutual_name_type type, enum name_source source,
                      struct mu_slice text, struct mutual_error *err)
{
    if (draft->count == MU_COUNT(draft->list)) {
        return mu_fail(err, MUTUAL_E_LIMIT, "there are more than %u names in one certificate",
                       MU_LIMIT_CERT_NAMES);
    }
    size_t before = draft->texts.len;
    if (!mu_name_normalise(type, source, text, &draft->texts, err)) {
        return false;
    }
    draft->list[draft->count++] =
        (struct mutual_name){.type = type, .len = draft->texts.len - before};
    return mu_buf_byte(&draft->texts, '\0') || mu_fail_memory(err);
}

static bool draft_finish(struct draft *draft, struct mu_names **ret_names, struct mutual_error *err)
{
    MU_AUTO(names) struct mu_names *names = mu_alloc(1, sizeof *names);
    if (names == NULL) {
        return mu_fail_memory(err);
    }
    size_t count = draft->count;
    names->list = mu_alloc(count + 1, sizeof *names->list);
    names->texts = mu_alloc(draft->texts.len + 1, 1);
    if (names->list == NULL || names->texts == NULL) {
        return mu_fail_memory(err);
    }
    const char *at = names->texts;
    if (draft->texts.len > 0) {
        memcpy(names->texts, draft->texts.data, draft->texts.len);
    }
    for (size_t i = 0; i < count; i++) {
        names->list[i] = draft->list[i];
        names->list[i].text = at;
        at += draft->list[i].len + 1;
    }
    names->count = count;
    *ret_names = MU_TAKE(names);
    return true;
}

/* The type under which a general name is read; false for those that we do not understand. */
static bool type_of(const struct mu_gname *raw, enum mutual_name_type *ret_type)
{
    switch (raw->type) {
    case MU_GNAME_DNS:
        *ret_type = MUTUAL_NAME_DNS;
        return true;
    case MU_GNAME_EMAIL:
        *ret_type = MUTUAL_NAME_EMAIL;
        return true;
    case MU_GNAME_URI:
        *ret_type = mu_name_claims_spiffe(raw->bytes) ? MUTUAL_NAME_SPIFFE : MUTUAL_NAME_URI;
        return true;
    case MU_GNAME_IP:
        *ret_type = MUTUAL_NAME_IP;
        return true;
    case MU_GNAME_OTHER:
    case MU_GNAME_DIRNAME:
        break;
    }
    return false;
}

static bool add_general(struct draft *draft, const struct mu_gname *raw, struct mutual_error *err)
{
    enum mutual_name_type type;
    if (!type_of(raw, &type)) {
        return true;
    }
    if (type != MUTUAL_NAME_IP) {
        return draft_add(draft, type, NAME_FROM_CERT, raw->bytes, err);
    }
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, NAME_IP_TEXT);
    if (!mu_ip_format(raw->bytes, &text)) {
        return mu_fail(err, MUTUAL_E_NAME_MALFORMED,
                       "an IP name of %zu bytes is not an address: 4 or 16 are needed",
                       raw->bytes.len);
    }
    return draft_add(draft, type, NAME_FROM_CERT, mu_buf_slice(&text), err);
}

/* X509-SVID section 2: "An X.509 SVID MUST contain exactly one URI SAN". A certificate that claims
 * to be two workloads, or a workload and something else, is neither. */
static bool check_single_uri(const struct mu_gname *names, size_t count, struct mutual_error *err)
{
    size_t uris = 0;
    size_t ids = 0;
    for (size_t i = 0; i < count; i++) {
        bool uri = names[i].type == MU_GNAME_URI;
        uris += uri ? 1 : 0;
        ids += uri && mu_name_claims_spiffe(names[i].bytes) ? 1 : 0;
    }
    return ids == 0 || uris == 1 ||
           mu_fail(err, MUTUAL_E_SPIFFE_MALFORMED,
                   ids > 1 ? "the certificate holds more than one SPIFFE ID"
                           : "the certificate holds a SPIFFE ID and another URI");
}

static bool is_plain(struct mu_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < 0x20 || text.data[i] > 0x7e) {
            return false;
        }
    }
    return text.len > 0 && text.len <= NAME_CN_MAX;
}

static bool add_all(struct draft *draft, const struct mu_gname *names, size_t count,
                    struct mutual_error *err)
{
    if (!check_single_uri(names, count, err)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!add_general(draft, &names[i], err)) {
            return false;
        }
    }
    return true;
}

bool mu_names_check(const struct mu_gname *names, size_t count, struct mutual_error *err)
{
    struct draft draft;
    draft_init(&draft);
    bool ok = add_all(&draft, names, count, err);
    mu_buf_done(&draft.texts);
    return ok;
}

bool mu_names_from_cert(const struct mu_cert *cert, struct mu_names **ret_names,
                        struct mutual_error *err)
{
    const struct mu_cert_facts *facts = mu_cert_facts(cert);
    struct draft draft;
    draft_init(&draft);
    bool ok = add_all(&draft, facts->names, facts->name_count, err);
    /* People's names are rarely ASCII: such a common name is no malformed one, only unusable. */
    if (ok && facts->common_name_count == 1 && is_plain(facts->common_names[0])) {
        ok = draft_add(&draft, MUTUAL_NAME_CN, NAME_FROM_CERT, facts->common_names[0], err);
    }
    ok = ok && draft_finish(&draft, ret_names, err);
    mu_buf_done(&draft.texts);
    return ok || mu_error_context(err, "the names of certificate \"%s\"", facts->display);
}

bool mu_names_new(const struct mutual_name *names, size_t count, struct mu_names **ret_names,
                  struct mutual_error *err)
{
    struct draft draft;
    draft_init(&draft);
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        ok = draft_add(&draft, names[i].type, NAME_FROM_CERT,
                       mu_slice_of(names[i].text, names[i].len), err);
    }
    ok = ok && draft_finish(&draft, ret_names, err);
    mu_buf_done(&draft.texts);
    return ok;
}

void mu_names_free(struct mu_names *names)
{
    if (names != NULL) {
        mu_free(names->list);
        mu_free(names->texts);
        mu_free(names);
    }
}

void mu_names_auto(struct mu_names **names)
{
    mu_names_free(*names);
}

const struct mutual_name *mu_names_list(const struct mu_names *names, size_t *ret_count)
{
    *ret_count = names == NULL ? 0 : names->count;
    return names == NULL ? NULL : names->list;
}
