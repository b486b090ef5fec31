/* SPDX-License-Identifier: Apache-2.0
 *
 * Directories: made, built aside, put in place, cleared away, and nobody else's touched.
 */
#include "support.h"

static void put(const char *path, const char *text)
{
    struct mutual_error err = {0};
    assert_ok(mu_file_write(path, mu_slice_text(text), 0600, &err), &err);
}

static void put_in(const char *directory, const char *text)
{
    MU_AUTO(free) char *path = ca_text("%s/tls.crt", directory);
    put(path, text);
}

static void directories_are_made_with_what_is_above_them(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    assert_ok(ca_make_directories(at_home("a/b/c"), 0700, &err), &err);
    assert_ok(ca_make_directories(at_home("a/b/c"), 0700, &err), &err);
    put(at_home("a/file"), "x");
    assert_fails(ca_make_directories(at_home("a/file"), 0700, &err), &err,
                 MUTUAL_E_FILE_UNWRITABLE);
    assert_fails(ca_make_directories(at_home("a/file/d"), 0700, &err), &err,
                 MUTUAL_E_FILE_UNWRITABLE);
    assert_fails(ca_make_directory(at_home("a/b"), 0700, &err), &err, MUTUAL_E_FILE_EXISTS);
    assert_fails(ca_sync_directory(at_home("nowhere"), &err), &err, MUTUAL_E_FILE_UNWRITABLE);
}

static void what_is_built_aside_takes_its_place_at_once(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(free) char *path = mu_strdup(at_home("place"));
    MU_AUTO(free) char *first = ca_aside_name(path, &err);
    MU_AUTO(free) char *second = ca_aside_name(path, &err);
    assert_string_not_equal(first, second);
    assert_ok(ca_make_directory(first, 0700, &err), &err);
    put_in(first, "one");
    assert_ok(ca_put_in_place(first, path, false, &err), &err);
    assert_false(exists(first));
    assert_ok(ca_make_directory(second, 0700, &err), &err);
    put_in(second, "two");
    assert_fails(ca_put_in_place(second, path, false, &err), &err, MUTUAL_E_FILE_EXISTS);
    assert_ok(ca_put_in_place(second, path, true, &err), &err);
    MU_AUTO(buf) struct mu_buf text = {0};
    assert_ok(mu_file_read(at_home("place/tls.crt"), 10, &text, &err), &err);
    assert_string_equal(mu_buf_str(&text), "two");
    assert_true(exists(second)); /* what was there before */
    ca_remove_aside(second);
    assert_false(exists(second));
}

static void what_somebody_else_put_there_is_not_replaced(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(free) char *aside = ca_aside_name(at_home("place"), &err);
    assert_ok(ca_make_directory(aside, 0700, &err), &err);
    put(at_home("place/theirs.pem"), "x");
    assert_fails(ca_put_in_place(aside, at_home("place"), true, &err), &err, MUTUAL_E_FILE_EXISTS);
    assert_true(exists(at_home("place/theirs.pem")));
    ca_remove_aside(aside);
}

static void only_what_was_built_aside_is_removed(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    assert_ok(ca_make_directories(at_home("kept/.x.new"), 0700, &err), &err);
    put(at_home("kept/.x.new/tls.key"), "x");
    put(at_home("kept/.x.new/tls.crt.12345678.new"), "x");
    ca_remove_aside(at_home("kept"));
    ca_remove_aside("");
    ca_remove_aside(at_home("kept/."));
    assert_true(exists(at_home("kept/.x.new/tls.key")));
    ca_clear_strays(at_home("kept/.x.new"));
    assert_true(exists(at_home("kept/.x.new/tls.key")));
    assert_false(exists(at_home("kept/.x.new/tls.crt.12345678.new")));
    ca_remove_aside(at_home("kept/.x.new"));
    assert_false(exists(at_home("kept/.x.new")));
    assert_true(exists(at_home("kept")));
}

static void certificates_are_read_from_pem_and_der(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(key) struct mu_key *key = NULL;
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    MU_AUTO(cert) struct mu_cert *read = NULL;
    MU_AUTO(cert) struct mu_cert *again = NULL;
    const struct mu_rdn subject = {MU_ATTR_CN, "x"};
    const struct mu_cert_template template = {
        .subject = &subject, .subject_count = 1, .not_before_s = NOW, .not_after_s = NOW + 9};
    assert_ok(mu_key_generate(MU_SPEC_EC_P256, &key, &err), &err);
    assert_ok(mu_cert_sign(&template, key, &cert, &err), &err);
    const struct mu_cert_facts *facts = mu_cert_facts(cert);
    assert_ok(mu_file_write(at_home("place/ca.crt"), facts->der, 0600, &err), &err);
    assert_ok(ca_read_certificate(at_home("place/ca.crt"), &read, &err), &err);
    MU_AUTO(buf) struct mu_buf pem;
    mu_buf_init(&pem, 65536);
    mu_cert_to_pem(cert, &pem);
    put(at_home("place/tls.crt"), mu_buf_str(&pem));
    assert_ok(ca_read_certificate(at_home("place/tls.crt"), &again, &err), &err);
    uint8_t fingerprint[32];
    assert_true(ca_delivered_fingerprint(at_home("place"), fingerprint));
    assert_memory_equal(fingerprint, facts->fingerprint, 32);
    assert_false(ca_delivered_fingerprint(at_home("a"), fingerprint));
    struct mu_cert *none = NULL;
    assert_fails(ca_read_certificate(at_home("place/theirs.pem"), &none, &err), &err,
                 MUTUAL_E_PEM_MALFORMED);
}

CA_UNIT_MAIN(home_make, UNIT_CASE(directories_are_made_with_what_is_above_them),
             UNIT_CASE(what_is_built_aside_takes_its_place_at_once),
             UNIT_CASE(what_somebody_else_put_there_is_not_replaced),
             UNIT_CASE(only_what_was_built_aside_is_removed),
             UNIT_CASE(certificates_are_read_from_pem_and_der))
