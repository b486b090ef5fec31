/* SPDX-License-Identifier: Apache-2.0
 *
 * What a stapled OCSP response says about the server's certificate, in a sentence. Whether it may
 * be believed the session has decided, where the server was judged at all.
 */
#include <stdio.h>

#include "probe/probe_internal.h"
#include "session/session.h"
#include "x509/x509.h"

static void say_answer(const struct mu_ocsp_answer *answer, char text[PROBE_NOTE_BYTES])
{
    char when[MU_TIME_TEXT];
    if (answer->status == MU_OCSP_REVOKED) {
        (void)snprintf(text, PROBE_NOTE_BYTES, "revoked at %s (%s)",
                       mu_time_format(answer->revoked_at_s, when), mu_reason_word(answer->reason));
    } else if (answer->next_update_s == MU_TIME_NEVER_S) {
        (void)snprintf(text, PROBE_NOTE_BYTES, "%s, without an end",
                       mu_ocsp_status_word(answer->status));
    } else {
        (void)snprintf(text, PROBE_NOTE_BYTES, "%s until %s", mu_ocsp_status_word(answer->status),
                       mu_time_format(answer->next_update_s, when));
    }
}

/* The answer about that serial number, or NULL. */
static const struct mu_ocsp_answer *answer_about(const struct mu_ocsp_facts *facts,
                                                 struct mu_slice serial)
{
    for (size_t i = 0; i < facts->count; i++) {
        if (mu_slice_equal(facts->answers[i].id.serial, serial)) {
            return &facts->answers[i];
        }
    }
    return NULL;
}

bool probe_staple_note(const struct mu_observed *seen, bool checked, char note[PROBE_NOTE_BYTES])
{
    MU_AUTO(ocsp) struct mu_ocsp *ocsp = NULL;
    MU_AUTO(cert) struct mu_cert *leaf = NULL;
    char says[PROBE_NOTE_BYTES] = "something that is no OCSP response";
    if (seen->cert_count == 0 ||
        !mu_cert_from_der(mu_slice_of(seen->certs[0].data, seen->certs[0].len), &leaf, NULL)) {
        return false;
    }
    const struct mu_cert_facts *facts = mu_cert_facts(leaf);
    if (seen->staple.len == 0) {
        (void)snprintf(note, PROBE_NOTE_BYTES, "%s",
                       "The server stapled no OCSP response, which its certificate demands "
                       "(must-staple).");
        return facts->must_staple;
    }
    if (mu_ocsp_from_der(seen->staple, &ocsp, NULL)) {
        const struct mu_ocsp_facts *response = mu_ocsp_facts(ocsp);
        const struct mu_ocsp_answer *answer = answer_about(response, facts->serial);
        if (answer != NULL) {
            say_answer(answer, says);
        } else {
            (void)snprintf(says, sizeof says, "%s",
                           response->failure != NULL ? response->failure
                                                     : "nothing about this certificate");
        }
    }
    (void)snprintf(note, PROBE_NOTE_BYTES, "The server stapled an OCSP response: %.120s%s.", says,
                   checked ? "" : "; it was not checked");
    return true;
}
