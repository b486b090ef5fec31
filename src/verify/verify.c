/* SPDX-License-Identifier: Apache-2.0
 *
 * One case: a bundle made of what was given, a chain validated against it, names compared.
 */
#include "verify/verify.h"

#include <string.h>

#include "identity/identity.h"
#include "trust/trust.h"
#include "x509/x509.h"

typedef bool (*adder)(struct mutual_trust *trust, const char *bytes, size_t len,
                      struct mutual_error *err);

static bool add_all(struct mutual_trust *trust, const struct verify_texts *texts, adder add,
                    struct mutual_error *err)
{
    for (size_t i = 0; i < texts->count; i++) {
        const struct verify_text *text = &texts->items[i];
        if (!add(trust, (const char *)text->bytes.data, text->bytes.len, err)) {
            return mu_error_context(err, "in \"%s\"", text->name);
        }
    }
    return true;
}

static bool add_usable_list(struct mutual_trust *trust, const char *bytes, size_t len,
                            struct mutual_error *err)
{
    struct mutual_error why = {0};
    if (!mutual_trust_add_crl(trust, bytes, len, &why) && why.code == MUTUAL_E_NO_MEMORY) {
        return mu_fail_memory(err);
    }
    return true;
}

/* Lists are verified when they are loaded, so the bundle must know their signers by then: what came
 * with the certificate serves as well. Whatever is unreadable signs nothing. */
static bool add_sent(struct mutual_trust *trust, const struct verify_case *given,
                     struct mutual_error *err)
{
    for (size_t i = 1; given->lists.count > 0 && i < given->sent_count; i++) {
        MU_AUTO(cert) struct mu_cert *cert = NULL;
        MU_AUTO(buf) struct mu_buf pem;
        mu_buf_init(&pem, MU_LIMIT_PEM_BYTES);
        if (!mu_cert_from_der(mu_slice_of(given->sent[i].data, given->sent[i].len), &cert, NULL)) {
            continue;
        }
        mu_cert_to_pem(cert, &pem);
        if (!mutual_trust_add_intermediates_pem(trust, mu_buf_str(&pem), pem.len, err)) {
            return false;
        }
    }
    return true;
}

static bool make_trust(const struct verify_case *given, struct mutual_trust **ret_trust,
                       struct mutual_error *err)
{
    MU_AUTO(trust) struct mutual_trust *trust = mutual_trust_new("given");
    if (trust == NULL) {
        return mu_fail_memory(err);
    }
    if (given->allow_intermediate_anchors) {
        mutual_trust_allow_intermediates(trust);
    }
    if (given->depth_limited) {
        mutual_trust_set_depth(trust, given->depth);
    }
    mutual_trust_set_revocation(trust, given->lists_required, false, MUTUAL_CRL_STALE_REFUSE, 0);
    adder add_list = given->lists_required ? add_usable_list : mutual_trust_add_crl;
    if (!add_all(trust, &given->anchors, mutual_trust_add_pem, err) ||
        !add_all(trust, &given->pool, mutual_trust_add_intermediates_pem, err) ||
        !add_sent(trust, given, err) || !add_all(trust, &given->lists, add_list, err) ||
        !mutual_trust_freeze(trust, err)) {
        return false;
    }
    *ret_trust = MU_TAKE(trust);
    return true;
}

static bool has_name(const struct mutual_chain *chain, const struct verify_name *wanted,
                     bool *ret_has, struct mutual_error *err)
{
    size_t count = 0;
    const struct mutual_name *names = mutual_chain_names(chain, &count);
    if (wanted->type == MUTUAL_NAME_DNS || wanted->type == MUTUAL_NAME_IP) {
        *ret_has = mu_names_match_host(names, count, wanted->text);
        return true;
    }
    struct mutual_pattern *pattern = NULL;
    if (!mutual_pattern_parse(wanted->type, wanted->text, &pattern, err)) {
        return false;
    }
    *ret_has = mu_names_match_pattern(names, count, pattern) != NULL;
    mutual_pattern_free(pattern);
    return true;
}

static bool match_names(const struct verify_case *given, const struct mutual_chain *chain,
                        struct mutual_error *err)
{
    for (size_t i = 0; i < given->name_count; i++) {
        const struct verify_name *wanted = &given->names[i];
        bool has = false;
        if (!has_name(chain, wanted, &has, err)) {
            return false;
        }
        if (!has) {
            return mu_fail(
                err, MUTUAL_E_NAME_MISMATCH, "the certificate of \"%s\" is not for %s \"%s\"",
                mutual_chain_subject(chain), mutual_name_type_word(wanted->type), wanted->text);
        }
    }
    return true;
}

bool verify_judge(const struct verify_case *given, struct mutual_chain **ret_chain,
                  struct mutual_error *err)
{
    MU_AUTO(trust) struct mutual_trust *trust = NULL;
    MU_AUTO(chain) struct mutual_chain *chain = NULL;
    if (!make_trust(given, &trust, err) ||
        !mutual_trust_validate(trust, given->sent, given->sent_count, given->purpose, given->now_s,
                               &chain, err) ||
        !match_names(given, chain, err)) {
        return false;
    }
    *ret_chain = MU_TAKE(chain);
    return true;
}
