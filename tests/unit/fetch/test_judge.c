/* SPDX-License-Identifier: Apache-2.0
 *
 * Which lists may follow which.
 */
#include <string.h>

#include "fetch/fetch_internal.h"
#include "pki.h"
#include "unit.h"

enum { DAY_S = 86400 };

static struct mutual_error err;
static struct pki *root, *other, *stranger;
static struct fetch_material material;

static int setup(void **state)
{
    static char both[8192];
    (void)state;
    root = pki_root("Root");
    other = pki_root("Other");
    stranger = pki_root("Stranger");
    (void)snprintf(both, sizeof both, "%s%s", pki_pem(root), pki_pem(other));
    material = (struct fetch_material){.anchors = mu_slice_text(both)};
    return 0;
}

static bool judge_at(struct mu_slice last, struct mu_slice list, int64_t now_s)
{
    int64_t this_s = 0;
    int64_t next_s = 0;
    memset(&err, 0, sizeof err);
    bool good = fetch_judge_crl(&material, last, list, now_s, &this_s, &next_s, &err);
    assert_true(!good || (this_s > 0 && next_s > now_s));
    return good;
}

static struct mu_slice list_of(struct pki *issuer, uint64_t number)
{
    return pki_crl_at(issuer, PKI_NOW_S - DAY_S, PKI_NOW_S + DAY_S, number, NULL, 0);
}

#define NOTHING mu_slice_of(NULL, 0)

static void a_good_list_is_taken(void **state)
{
    (void)state;
    assert_true(judge_at(NOTHING, list_of(root, 5), PKI_NOW_S));
    assert_true(judge_at(list_of(root, 5), list_of(root, 6), PKI_NOW_S));
    assert_true(judge_at(list_of(root, 5), list_of(root, 5), PKI_NOW_S));
    assert_true(judge_at(list_of(root, 255), list_of(root, 256), PKI_NOW_S));
}

static void an_older_list_is_refused(void **state)
{
    (void)state;
    assert_false(judge_at(list_of(root, 6), list_of(root, 5), PKI_NOW_S));
    assert_int_equal(err.code, MUTUAL_E_CRL_ROLLBACK);
    assert_false(judge_at(list_of(root, 256), list_of(root, 255), PKI_NOW_S));
    assert_int_equal(err.code, MUTUAL_E_CRL_ROLLBACK);
    struct mu_slice earlier =
        pki_crl_at(root, PKI_NOW_S - 2 * DAY_S, PKI_NOW_S + DAY_S, 6, NULL, 0);
    assert_false(judge_at(list_of(root, 6), earlier, PKI_NOW_S));
    assert_int_equal(err.code, MUTUAL_E_CRL_ROLLBACK);
}

static void another_issuers_list_is_refused(void **state)
{
    (void)state;
    assert_true(judge_at(NOTHING, list_of(other, 9), PKI_NOW_S));
    assert_false(judge_at(list_of(root, 5), list_of(other, 9), PKI_NOW_S));
    assert_int_equal(err.code, MUTUAL_E_CRL_FOREIGN);
    assert_false(judge_at(NOTHING, list_of(stranger, 9), PKI_NOW_S));
    assert_int_equal(err.code, MUTUAL_E_CRL_SIGNATURE);
}

static void a_list_that_has_run_out_is_refused(void **state)
{
    (void)state;
    assert_false(judge_at(NOTHING, list_of(root, 5), PKI_NOW_S + DAY_S));
    assert_int_equal(err.code, MUTUAL_E_CRL_STALE);
}

/* What was kept and is no good any more, for the bundle is another, holds up nothing. */
static void a_last_list_that_is_no_good_does_not_count(void **state)
{
    (void)state;
    assert_true(judge_at(list_of(stranger, 9), list_of(root, 5), PKI_NOW_S));
    assert_true(judge_at(MU_SLICE_LIT("rubbish"), list_of(root, 5), PKI_NOW_S));
}

static void what_is_no_list_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "<html>404</html>", "0", "-----BEGIN X509 CRL-----"};
    for (size_t i = 0; i < MU_COUNT(texts); i++) {
        assert_false(judge_at(NOTHING, mu_slice_text(texts[i]), PKI_NOW_S));
        assert_true(err.code == MUTUAL_E_CRL_MALFORMED || err.code == MUTUAL_E_PEM_MALFORMED);
    }
    assert_false(judge_at(NOTHING, mu_slice_text(pki_pem(root)), PKI_NOW_S));
    struct mu_slice list = list_of(root, 5);
    for (list.len -= 1; list.len > 0; list.len /= 2) {
        assert_false(judge_at(NOTHING, list, PKI_NOW_S));
    }
}

static enum mutual_code judge_response(struct pki *about, struct pki *issuer,
                                       struct mu_slice response, struct fetch_outcome *outcome)
{
    const struct fetch_about whom = {pki_der(about), pki_der(issuer)};
    memset(&err, 0, sizeof err);
    memset(outcome, 0, sizeof *outcome);
    return fetch_judge_staple(&whom, response, PKI_NOW_S, outcome, &err) ? MUTUAL_OK : err.code;
}

static void a_response_is_about_one_certificate_and_of_now(void **state)
{
    (void)state;
    struct pki *leaf = pki_issue(root, (struct pki_leaf){.dns = "web.example"});
    struct pki *neighbour = pki_issue(root, (struct pki_leaf){.dns = "other.example"});
    struct fetch_outcome outcome;
    struct mu_slice good = pki_ocsp(leaf, (struct pki_answer){.produced_s = PKI_NOW_S - 7});
    assert_int_equal(judge_response(leaf, root, good, &outcome), MUTUAL_OK);
    assert_int_equal(outcome.this_update_s, PKI_NOW_S - DAY_S);
    assert_int_equal(outcome.next_update_s, PKI_NOW_S + 7 * DAY_S);
    assert_int_equal(outcome.produced_s, PKI_NOW_S - 7);
    assert_int_equal(judge_response(neighbour, root, good, &outcome), MUTUAL_E_OCSP_OTHER_CERT);
    assert_int_equal(judge_response(leaf, other, good, &outcome), MUTUAL_E_OCSP_OTHER_CERT);
    assert_int_equal(judge_response(leaf, root, mu_slice_of("junk", 4), &outcome),
                     MUTUAL_E_OCSP_MALFORMED);
    const struct {
        struct pki_answer answer;
        enum mutual_code code;
    } rows[] = {
        {{.next_s = PKI_NOW_S - 1}, MUTUAL_E_OCSP_STALE},
        {{.status = MU_OCSP_REVOKED}, MUTUAL_E_CERT_REVOKED},
        {{.status = MU_OCSP_UNKNOWN}, MUTUAL_E_OCSP_UNKNOWN},
        {{.responder = neighbour}, MUTUAL_E_OCSP_SIGNER},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        assert_int_equal(judge_response(leaf, root, pki_ocsp(leaf, rows[i].answer), &outcome),
                         rows[i].code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_list_is_taken),
        cmocka_unit_test(an_older_list_is_refused),
        cmocka_unit_test(another_issuers_list_is_refused),
        cmocka_unit_test(a_list_that_has_run_out_is_refused),
        cmocka_unit_test(a_last_list_that_is_no_good_does_not_count),
        cmocka_unit_test(what_is_no_list_is_refused),
        cmocka_unit_test(a_response_is_about_one_certificate_and_of_now),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
