/* SPDX-License-Identifier: Apache-2.0
 *
 * Files of revocation lists: read, verified by the bundle's certificates, and either put on its
 * shelf or made into a table that others put on theirs without doing it again:
 *
 *   "MULIST01", SHA-256 of the file, u32 count, then for each list
 *   SHA-256 of the certificate that verified it, u64 length, its table (x509/crl_table.c)
 */
#include <string.h>

#include "trust/trust_internal.h"

#define MAGIC     "MULIST01"
#define MAGIC_LEN 8u
#define HEAD_LEN  44u /* of the whole */
#define ITEM_LEN  40u /* of each list */

/* ---- verifying ---------------------------------------------------------------------------------
 */

/* The certificate of the bundle that signed the list. Of several of that name the error of the
 * first is told. */
static bool find_signer(const struct mutual_trust *trust, const struct mu_crl *crl,
                        const struct trust_node **ret_signer, struct mutual_error *err)
{
    const struct mu_crl_facts *facts = mu_crl_facts(crl);
    const struct trust_node *node = mu_trust_find(trust, facts->issuer_canon);
    if (node == NULL) {
        return mu_fail(err, MUTUAL_E_CRL_SIGNATURE,
                       "the revocation list of \"%s\" cannot be verified: bundle \"%s\" holds no "
                       "certificate of that name",
                       facts->issuer_text, trust->name);
    }
    struct mutual_error *told = err;
    for (; node != NULL; node = node->next) {
        /* RFC 5280 section 6.3.3 (f): "If a key usage extension is present in the CRL issuer's
         * certificate, verify that the cRLSign bit is set." */
        if (node->facts->has_ku && (node->facts->key_usage & MU_KU_CRL_SIGN) == 0) {
            (void)mu_fail(told, MUTUAL_E_CRL_SIGNATURE,
                          "authority \"%s\" may not sign revocation lists: its key usage lacks "
                          "cRLSign",
                          node->facts->display);
        } else if (mu_crl_signed_by(crl, node->cert, told)) {
            *ret_signer = node;
            return true;
        }
        told = NULL;
    }
    return false;
}

/* What becomes of a list that is verified. */
typedef bool take_fn(void *taker, struct mu_crl *crl, const struct trust_node *signer,
                     struct mutual_error *err);

static bool verify(const struct mutual_trust *trust, struct mu_crl *crl, take_fn *take, void *taker,
                   struct mutual_error *err)
{
    const struct trust_node *signer = NULL;
    struct mutual_error why = {0};
    if (!find_signer(trust, crl, &signer, &why)) {
        if (err != NULL) {
            *err = why;
        }
        return mu_error_context(err, "bundle \"%s\"", trust->name);
    }
    mu_crl_forget_der(crl);
    return take(taker, crl, signer, err) || mu_error_context(err, "bundle \"%s\"", trust->name);
}

static bool each_list(const struct mutual_trust *trust, struct mu_slice file, take_fn *take,
                      void *taker, struct mutual_error *err)
{
    mu_assert(!trust->frozen);
    /* A DER SEQUENCE with a long length, which no list can do without; text has no such byte. */
    if (file.len > 1 && file.data[0] == 0x30 && (file.data[1] & 0x80) != 0) {
        MU_AUTO(crl) struct mu_crl *crl = NULL;
        return mu_crl_from_der(file, &crl, err) && verify(trust, crl, take, taker, err);
    }
    struct mu_pem_reader reader;
    mu_pem_open(&reader, file, "the revocation list");
    for (size_t count = 0;; count++) {
        MU_AUTO(crl) struct mu_crl *crl = NULL;
        if (!mu_crl_from_pem(&reader, &crl, err)) {
            return false;
        }
        if (crl == NULL) {
            return count > 0 ||
                   mu_fail(err, MUTUAL_E_PEM_MALFORMED,
                           "what is given to bundle \"%s\" holds no revocation list", trust->name);
        }
        if (!verify(trust, crl, take, taker, err)) {
            return false;
        }
    }
}

static bool put_on_shelf(void *taker, struct mu_crl *crl, const struct trust_node *signer,
                         struct mutual_error *err)
{
    struct mutual_trust *trust = taker;
    return mu_crl_shelf_add(trust->crls, crl, signer, err);
}

bool mutual_trust_add_crl(struct mutual_trust *trust, const char *pem_or_der, size_t len,
                          struct mutual_error *err)
{
    return each_list(trust, mu_slice_of(pem_or_der, len), put_on_shelf, trust, err);
}

/* ---- tables ------------------------------------------------------------------------------------
 */

static bool put_in_table(void *taker, struct mu_crl *crl, const struct trust_node *signer,
                         struct mutual_error *err)
{
    struct mu_buf *out = taker;
    uint8_t len[8];
    struct mu_slice table = mu_crl_table(crl);
    if (!mu_crl_shelf_check(mu_crl_facts(crl), err)) {
        return false;
    }
    mu_put_be64(len, table.len);
    mu_buf_append(out, signer->facts->fingerprint, 32);
    mu_buf_append(out, len, sizeof len);
    mu_buf_append(out, table.data, table.len);
    return !out->failed || mu_fail_memory(err);
}

static uint32_t count_items(struct mu_slice rest)
{
    uint32_t count = 0;
    while (rest.len >= ITEM_LEN) {
        size_t len = ITEM_LEN + (size_t)mu_get_be64(rest.data + 32);
        rest = mu_slice_of(rest.data + len, rest.len - len);
        count++;
    }
    return count;
}

bool mu_trust_table_make(const struct mutual_trust *trust, struct mu_slice file, struct mu_buf *out,
                         struct mutual_error *err)
{
    size_t at = out->len;
    uint8_t head[HEAD_LEN] = MAGIC;
    if (!mu_sha256(file, head + MAGIC_LEN, err)) {
        return false;
    }
    mu_buf_append(out, head, sizeof head);
    if (!each_list(trust, file, put_in_table, out, err)) {
        return false;
    }
    size_t items = at + HEAD_LEN;
    mu_put_be32(out->data + items - 4,
                count_items(mu_slice_of(out->data + items, out->len - items)));
    return true;
}

bool mu_trust_table_digest(struct mu_slice table, uint8_t ret_digest[32])
{
    if (table.len < HEAD_LEN || memcmp(table.data, MAGIC, MAGIC_LEN) != 0) {
        return false;
    }
    memcpy(ret_digest, table.data + MAGIC_LEN, 32);
    return true;
}

static bool fail_table(const struct mutual_trust *trust, const char *what, struct mutual_error *err)
{
    return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED,
                   "a table of revocation lists for bundle \"%s\" %s", trust->name, what);
}

static bool add_item(struct mutual_trust *trust, struct mu_shared *owner, struct mu_slice *rest,
                     struct mutual_error *err)
{
    if (rest->len < ITEM_LEN || mu_get_be64(rest->data + 32) > rest->len - ITEM_LEN) {
        return fail_table(trust, "is cut short", err);
    }
    const uint8_t *fingerprint = rest->data;
    struct mu_slice table =
        mu_slice_of(rest->data + ITEM_LEN, (size_t)mu_get_be64(rest->data + 32));
    *rest = mu_slice_of(table.data + table.len, rest->len - ITEM_LEN - table.len);
    MU_AUTO(crl) struct mu_crl *crl = NULL;
    if (!mu_crl_from_table(owner, table, &crl, err)) {
        return false;
    }
    const struct trust_node *signer =
        mu_trust_find_exact(trust, mu_crl_facts(crl)->issuer_canon, fingerprint);
    return signer != NULL ? mu_crl_shelf_add(trust->crls, crl, signer, err)
                          : fail_table(trust, "was made for another bundle", err);
}

bool mu_trust_table_add(struct mutual_trust *trust, struct mu_shared *table,
                        struct mutual_error *err)
{
    mu_assert(!trust->frozen);
    struct mu_slice rest = mu_shared_bytes(table);
    uint8_t digest[32];
    if (!mu_trust_table_digest(rest, digest)) {
        return fail_table(trust, "has no head", err);
    }
    uint32_t count = mu_get_be32(rest.data + HEAD_LEN - 4);
    rest = mu_slice_of(rest.data + HEAD_LEN, rest.len - HEAD_LEN);
    for (uint32_t i = 0; i < count; i++) {
        if (!add_item(trust, table, &rest, err)) {
            return false;
        }
    }
    return (rest.len == 0 && count > 0) || fail_table(trust, "does not end where it should", err);
}
