/* SPDX-License-Identifier: Apache-2.0
 *
 * A server's alert says little. What we presented and what it asked for often say the rest.
 */
#include "probe/probe_internal.h"

#include "identity/identity.h"
#include "x509/x509.h"

#include <string.h>

static bool is_refusal(const struct mutual_error *err)
{
    return err->code == MUTUAL_E_PEER_REFUSED_US || err->code == MUTUAL_E_PEER_WANTS_CERT ||
           err->code == MUTUAL_E_PEER_ALERT;
}

/* Does the chain that we present come from one of the authorities that the server names? */
static bool is_asked_for(const struct mu_observed *seen, struct mu_cert *const *chain, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < seen->ca_name_count; k++) {
            if (mu_name_equal(mu_cert_facts(chain[i])->issuer, seen->ca_names[k])) {
                return true;
            }
        }
    }
    return false;
}

static void list_authorities(const struct mu_observed *seen, struct mu_buf *out)
{
    mu_buf_byte(out, '"');
    mu_name_text(out, seen->ca_names[0]);
    mu_buf_byte(out, '"');
    if (seen->ca_name_count > 1) {
        mu_buf_printf(out, " and %zu more", seen->ca_name_count - 1);
    }
}

/* Keeps code and step; the reason becomes ours, what the server said is in the alert's line. */
static void replace_reason(struct mutual_error *err, const char *reason)
{
    enum mutual_code code = err->code == MUTUAL_E_PEER_ALERT ? MUTUAL_E_PEER_REFUSED_US : err->code;
    enum mutual_step step = err->step;
    (void)mu_fail(err, code, "%s", reason);
    err->step = step;
}

static void advise_on_chain(const struct mu_observed *seen, struct mu_cert *const *chain,
                            size_t count, int64_t now_s, struct mutual_error *err)
{
    const struct mu_cert_facts *leaf = mu_cert_facts(chain[0]);
    char when[MU_TIME_TEXT];
    MU_AUTO(buf) struct mu_buf reason;
    mu_buf_init(&reason, 4096);
    mu_buf_printf(&reason, "our certificate \"%s\" ", leaf->display);
    if (now_s > leaf->not_after_s) {
        mu_buf_printf(&reason, "ended at %s", mu_time_format(leaf->not_after_s, when));
        replace_reason(err, mu_buf_str(&reason));
        (void)mu_error_hint(err, "Renew it: mutual renew NAME.");
    } else if (now_s < leaf->not_before_s) {
        mu_buf_printf(&reason, "is valid only from %s on",
                      mu_time_format(leaf->not_before_s, when));
        replace_reason(err, mu_buf_str(&reason));
        (void)mu_error_hint(err, "Check this machine's clock, or wait.");
    } else if (leaf->has_eku && (leaf->eku & (MU_EKU_CLIENT | MU_EKU_ANY)) == 0) {
        mu_buf_text(&reason, "is not made for clients: it lacks the extended key usage clientAuth");
        replace_reason(err, mu_buf_str(&reason));
        (void)mu_error_hint(err, "Issue a client certificate: mutual issue NAME --profile client.");
    } else if (seen->ca_name_count > 0 && !is_asked_for(seen, chain, count)) {
        mu_buf_printf(&reason, "comes from \"%s\"; the server accepts only ", leaf->issuer_text);
        list_authorities(seen, &reason);
        replace_reason(err, mu_buf_str(&reason));
        (void)mu_error_hint(err, "Present a certificate of an authority that the server names, or "
                                 "have it add yours.");
    }
}

void probe_advise(const struct mu_observed *seen, const struct mutual_identity *identity,
                  int64_t now_s, struct mutual_error *err)
{
    if (seen == NULL || !is_refusal(err)) {
        return;
    }
    if (identity != NULL && seen->cert_sent) {
        size_t count = 0;
        struct mu_cert *const *chain = mu_identity_chain(identity, &count);
        advise_on_chain(seen, chain, count, now_s, err);
    } else if (seen->cert_requested && seen->ca_name_count > 0) {
        MU_AUTO(buf) struct mu_buf hint;
        mu_buf_init(&hint, 4096);
        list_authorities(seen, &hint);
        (void)mu_error_hint(err, "Give --cert and --key of a certificate issued by %s.",
                            mu_buf_str(&hint));
    }
}
