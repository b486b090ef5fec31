/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/identity.h"
#include "probe/probe_internal.h"
#include "unit.h"
#include "x509/x509.h"

#define NOW INT64_C(1800000000)

/* A certificate of its own issuer, of the given purpose and time, as our identity. */
static struct mutual_identity *identity_of(unsigned eku, int64_t from_s, int64_t to_s)
{
    struct mutual_error err = {0};
    MU_AUTO(key) struct mu_key *key = NULL;
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    struct mutual_identity *identity = NULL;
    const struct mu_rdn subject = {MU_ATTR_CN, "alice"};
    const struct mu_gname name = {MU_GNAME_DNS, mu_slice_text("alice.e.org")};
    const struct mu_cert_template template = {.subject = &subject,
                                              .subject_count = 1,
                                              .not_before_s = from_s,
                                              .not_after_s = to_s,
                                              .names = &name,
                                              .name_count = 1,
                                              .eku = eku};
    assert_ok(mu_key_generate(MU_SPEC_EC_P256, &key, &err), &err);
    assert_ok(mu_cert_sign(&template, key, &cert, &err), &err);
    assert_ok(mu_identity_new(&cert, 1, key, &identity, &err), &err);
    return identity;
}

/* What the server showed: it asks for certificates of "Another CA". */
struct scene {
    struct mu_observed seen;
    struct mu_buf name;
    struct mu_slice names[1];
};

static void open_scene(struct scene *scene, const char *authority, bool sent)
{
    struct mutual_error err = {0};
    const struct mu_rdn rdn = {MU_ATTR_CN, authority};
    *scene = (struct scene){.seen = {.cert_requested = true, .cert_sent = sent}};
    mu_buf_init(&scene->name, 256);
    assert_ok(mu_name_build(&rdn, 1, &scene->name, &err), &err);
    scene->names[0] = mu_buf_slice(&scene->name);
    scene->seen.ca_names = scene->names;
    scene->seen.ca_name_count = 1;
}

static void causes_on_our_side_are_found(void **state)
{
    (void)state;
    static const struct {
        unsigned eku;
        int64_t from_s, to_s;
        const char *authority;
        const char *words; /* NULL: nothing to add */
    } rows[] = {
        {MU_EKU_CLIENT, NOW - 9, NOW - 1, "alice", "ended at 2027-01-15T07:59:59Z"},
        {MU_EKU_CLIENT, NOW + 1, NOW + 9, "alice", "is valid only from 2027-01-15T08:00:01Z on"},
        {MU_EKU_SERVER, NOW - 9, NOW + 9, "alice", "lacks the extended key usage clientAuth"},
        {MU_EKU_CLIENT, NOW - 9, NOW + 9, "Another CA",
         "the server accepts only \"CN=Another CA\""},
        {MU_EKU_CLIENT, NOW - 9, NOW + 9, "alice", NULL},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        struct mutual_identity *identity = identity_of(rows[i].eku, rows[i].from_s, rows[i].to_s);
        struct scene scene;
        struct mutual_error err = {0};
        open_scene(&scene, rows[i].authority, true);
        (void)mu_fail(&err, MUTUAL_E_PEER_REFUSED_US, "refused");
        probe_advise(&scene.seen, identity, NOW, &err);
        assert_int_equal(err.code, MUTUAL_E_PEER_REFUSED_US);
        assert_int_equal(err.step, MUTUAL_STEP_CLIENT_CHECK);
        assert_non_null(strstr(err.reason, rows[i].words == NULL ? "refused" : rows[i].words));
        mu_buf_done(&scene.name);
        mutual_identity_unref(identity);
    }
}

static void whoever_has_no_certificate_hears_whose_is_wanted(void **state)
{
    (void)state;
    struct scene scene;
    struct mutual_error err = {0};
    open_scene(&scene, "Another CA", false);
    (void)mu_fail(&err, MUTUAL_E_PEER_WANTS_CERT, "wanted");
    probe_advise(&scene.seen, NULL, NOW, &err);
    assert_string_equal(err.hint,
                        "Give --cert and --key of a certificate issued by \"CN=Another CA\".");
    mu_buf_done(&scene.name);
}

static void other_failures_are_left_alone(void **state)
{
    (void)state;
    struct scene scene;
    struct mutual_error err = {0};
    open_scene(&scene, "Another CA", false);
    (void)mu_fail(&err, MUTUAL_E_NOT_TLS, "other");
    struct mutual_error before = err;
    probe_advise(&scene.seen, NULL, NOW, &err);
    assert_memory_equal(&before, &err, sizeof err);
    probe_advise(NULL, NULL, NOW, &err);
    mu_buf_done(&scene.name);
}

UNIT_MAIN(UNIT_CASE(causes_on_our_side_are_found),
          UNIT_CASE(whoever_has_no_certificate_hears_whose_is_wanted),
          UNIT_CASE(other_failures_are_left_alone))
