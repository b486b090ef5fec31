/* SPDX-License-Identifier: Apache-2.0
 *
 * Suites in JSON: results as x509-limbo wants them, and text that is no suite.
 */
#include "pki.h"
#include "unit.h"
#include "verify/verify.h"

#include <jansson.h>
#include <string.h>

static json_t *one_case(const char *id, const struct pki *root, const struct pki *leaf)
{
    return json_pack("{s:s, s:s, s:[s], s:[], s:s, s:s, s:{s:s, s:s}, s:[]}", "id", id,
                     "validation_kind", "SERVER", "trusted_certs", pki_pem(root),
                     "untrusted_intermediates", "peer_certificate", pki_pem(leaf),
                     "validation_time", "2027-01-15T08:00:00+00:00", "expected_peer_name", "kind",
                     "DNS", "value", "a.example.org", "expected_peer_names");
}

static bool run(json_t *suite, struct mu_buf *out, struct mutual_error *err)
{
    char *text = json_dumps(suite, 0);
    mu_buf_init(out, 1u << 20);
    bool ok = verify_limbo(mu_slice_text(text), PKI_NOW_S, out, err);
    (free)(text); /* made by jansson */
    json_decref(suite);
    return ok;
}

static void case_results(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    struct pki *good = pki_issue(root, (struct pki_leaf){.dns = "a.example.org"});
    struct pki *other = pki_issue(root, (struct pki_leaf){.dns = "b.example.org"});
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf out;
    json_t *broken = one_case("x::broken", root, good);
    json_object_set_new(broken, "peer_certificate", json_string("no PEM"));
    json_t *late = one_case("x::late", root, good);
    json_object_set_new(late, "validation_time", json_string("2030-01-15T08:00:00Z"));
    json_t *listed = one_case("x::pkits", root, good);
    json_object_set_new(listed, "explicit_policy", json_true());
    assert_ok(run(json_pack("{s:i, s:[o,o,o,o,o]}", "version", 1, "testcases",
                            one_case("x::good", root, good), one_case("x::other", root, other),
                            broken, late, listed),
                  &out, &err),
              &err);
    json_t *results = json_loadb((const char *)out.data, out.len, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(results, "version")), 1);
    const char *harness = json_string_value(json_object_get(results, "harness"));
    assert_true(harness != NULL && mu_text_starts(harness, "mutual "));
    static const struct {
        const char *id, *result, *context;
    } rows[] = {
        {"x::good", "SUCCESS", NULL},
        {"x::other", "FAILURE", "NAME_MISMATCH: "},
        {"x::broken", "FAILURE", "CERT_MALFORMED: "},
        {"x::late", "FAILURE", "CERT_EXPIRED: "},
        {"x::pkits", "FAILURE", "CRL_MISSING: "},
    };
    const json_t *list = json_object_get(results, "results");
    assert_int_equal(json_array_size(list), MU_COUNT(rows));
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        const json_t *item = json_array_get(list, i);
        const char *context = json_string_value(json_object_get(item, "context"));
        assert_string_equal(json_string_value(json_object_get(item, "id")), rows[i].id);
        assert_string_equal(json_string_value(json_object_get(item, "actual_result")),
                            rows[i].result);
        assert_true(rows[i].context == NULL ? context == NULL
                                            : mu_text_starts(context, rows[i].context));
    }
    json_decref(results);
}

static void case_malformed(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "[]",
        "{\"testcases\":3}",
        "{\"testcases\":[3]}",
        "{\"testcases\":[{\"id\":\"a\\u0000b\"}]}",
        "{\"testcases\":[{\"id\":\"a\"}]}",
        "{\"testcases\":[{\"id\":\"a\",\"validation_kind\":\"SERVER\"}]}",
        "{\"testcases\":[{\"id\":\"a\",\"validation_kind\":\"SERVER\",\"max_chain_depth\":-1}]}",
        "{\"testcases\":[{\"id\":\"a\",\"validation_kind\":\"SERVER\",\"validation_time\":\"x\"}]}",
        "{\"testcases\":[{\"id\":\"a\",\"validation_kind\":\"SERVER\",\"trusted_certs\":[1]}]}",
        "{\"testcases\":[{\"id\":\"a\",\"validation_kind\":\"SERVER\",\"peer_certificate\":\"x\","
        "\"untrusted_intermediates\":[1]}]}",
        "{\"testcases\":[{\"id\":\"a\",\"validation_kind\":\"SERVER\",\"peer_certificate\":\"x\","
        "\"expected_peer_names\":[{\"kind\":\"X\",\"value\":\"y\"}]}]}",
    };
    for (size_t i = 0; i < MU_COUNT(texts); i++) {
        struct mutual_error err = {0};
        MU_AUTO(buf) struct mu_buf out;
        mu_buf_init(&out, 1u << 20);
        assert_fails(verify_limbo(mu_slice_text(texts[i]), PKI_NOW_S, &out, &err), &err,
                     MUTUAL_E_ENCODING_MALFORMED);
    }
}

UNIT_MAIN(UNIT_CASE(case_results), UNIT_CASE(case_malformed))
