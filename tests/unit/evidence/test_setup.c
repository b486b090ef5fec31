/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/evidence.h"

#include "unit.h"

static void a_setup_goes_and_comes(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    char directory[] = "/var/lib/mutual";
    char url[] = "https://ca.example.org";
    char pattern[] = "spiffe://example.org/user/*";
    const struct evidence_setup setup = {.directory = directory,
                                         .url = url,
                                         .grace_s = 60,
                                         .acme = true,
                                         .acme_terms = url,
                                         .admins = {{3, 0, pattern}, {1, 2, url}},
                                         .admin_count = 2};
    struct evidence_setup got;
    MU_AUTO(buf) struct mu_buf bytes;
    mu_buf_init(&bytes, 8192);
    evidence_setup_write(&setup, &bytes);
    assert_ok(evidence_setup_read(mu_buf_slice(&bytes), &got, &err), &err);
    assert_string_equal(got.directory, directory);
    assert_string_equal(got.url, url);
    assert_null(got.publish);
    assert_int_equal(got.grace_s, 60);
    assert_true(got.acme && !got.acme_open);
    assert_string_equal(got.acme_terms, url);
    assert_int_equal(got.admin_count, 2);
    assert_int_equal(got.admins[0].role, 3);
    assert_string_equal(got.admins[0].pattern, pattern);
    assert_int_equal(got.admins[1].type, 2);
    evidence_setup_done(&got);
    for (size_t len = 0; len < bytes.len; len++) {
        assert_fails(evidence_setup_read(mu_slice_of(bytes.data, len), &got, &err), &err,
                     MUTUAL_E_MESSAGE_MALFORMED);
    }
}

static void more_administrators_than_there_may_be_are_none(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    char directory[] = "/d";
    const struct evidence_setup setup = {.directory = directory};
    struct evidence_setup got;
    MU_AUTO(buf) struct mu_buf bytes;
    mu_buf_init(&bytes, 8192);
    evidence_setup_write(&setup, &bytes);
    bytes.data[bytes.len - 1] = EVIDENCE_ADMINS + 1;
    assert_fails(evidence_setup_read(mu_buf_slice(&bytes), &got, &err), &err,
                 MUTUAL_E_MESSAGE_MALFORMED);
}

static void without_a_directory_there_is_none(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    const struct evidence_setup setup = {.grace_s = 60};
    struct evidence_setup got;
    MU_AUTO(buf) struct mu_buf bytes;
    mu_buf_init(&bytes, 8192);
    evidence_setup_write(&setup, &bytes);
    assert_fails(evidence_setup_read(mu_buf_slice(&bytes), &got, &err), &err,
                 MUTUAL_E_MESSAGE_MALFORMED);
}

UNIT_MAIN(UNIT_CASE(a_setup_goes_and_comes), UNIT_CASE(without_a_directory_there_is_none),
          UNIT_CASE(more_administrators_than_there_may_be_are_none))
