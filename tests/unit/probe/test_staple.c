/* SPDX-License-Identifier: Apache-2.0
 *
 * The sentence about a stapled response.
 */
#include "pki.h"
#include "probe/probe_internal.h"
#include "session/session.h"
#include "unit.h"

static void says(const struct pki *leaf, struct mu_slice staple, bool checked, const char *part)
{
    char note[PROBE_NOTE_BYTES] = "";
    struct mu_slice der = pki_der(leaf);
    struct mu_observed seen = {.certs = {{der.data, der.len}}, .cert_count = 1, .staple = staple};
    assert_int_equal(probe_staple_note(&seen, checked, note), part != NULL);
    if (part != NULL && strstr(note, part) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", part, note);
    }
}

static void every_sentence(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    struct mu_cert_template t = {.must_staple = true};
    struct pki *leaf = pki_issue(root, (struct pki_leaf){.cn = "leaf"});
    struct pki *must = pki_issue(root, (struct pki_leaf){.cn = "must", .t = &t});
    struct mu_slice none = {NULL, 0};
    struct pki_answer revoked = {.status = MU_OCSP_REVOKED};
    struct pki_answer endless = {.next_s = MU_TIME_NEVER_S};
    MU_AUTO(buf) struct mu_buf later;
    mu_buf_init(&later, 64);
    assert_true(mu_ocsp_build_failure(MU_OCSP_TRY_LATER, &later));
    says(leaf, none, true, NULL);
    says(must, none, true, "which its certificate demands");
    says(leaf, pki_ocsp(leaf, (struct pki_answer){0}), true, ": good until 2027-01-22T08:00:00Z.");
    says(leaf, pki_ocsp(leaf, (struct pki_answer){0}), false, "; it was not checked.");
    says(leaf, pki_ocsp(leaf, revoked), true, "revoked at 2027-01-13T08:00:00Z (keyCompromise)");
    says(leaf, pki_ocsp(leaf, endless), true, "good, without an end");
    says(leaf, pki_ocsp(must, (struct pki_answer){0}), true, "nothing about this certificate");
    says(leaf, mu_buf_slice(&later), true, "tryLater");
    says(leaf, mu_slice_of("x", 1), true, "no OCSP response");
    struct mu_observed empty = {.cert_count = 0};
    char note[PROBE_NOTE_BYTES];
    assert_false(probe_staple_note(&empty, true, note));
}

UNIT_MAIN(cmocka_unit_test(every_sentence))
