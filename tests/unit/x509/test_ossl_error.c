/* SPDX-License-Identifier: Apache-2.0
 *
 * OpenSSL's queue becomes one error: the first entry, and nothing stays behind.
 */
#include "unit.h"
#include "x509/x509.h"

#include <openssl/err.h>
#include <openssl/pem.h>

static bool fails(struct mutual_error *err)
{
    return mu_fail_ossl(err, MUTUAL_E_LIBRARY, "could not do \"%s\"", "it");
}

static void the_first_entry_is_the_cause(void **state)
{
    (void)state;
    struct mutual_error err;
    mu_ossl_clear();
    ERR_raise_data(ERR_LIB_PEM, PEM_R_NO_START_LINE, "looked for %s", "a start");
    unsigned long first = ERR_peek_error();
    ERR_raise(ERR_LIB_PEM, PEM_R_BAD_DECRYPT);
    assert_fails(fails(&err), &err, MUTUAL_E_LIBRARY);
    assert_string_equal(err.reason, "could not do \"it\": no start line (looked for a start)");
    assert_int_equal(err.ossl, first);
    assert_int_equal(ERR_peek_error(), 0);
}

static void an_empty_queue_adds_nothing(void **state)
{
    (void)state;
    struct mutual_error err;
    mu_ossl_clear();
    assert_fails(fails(&err), &err, MUTUAL_E_LIBRARY);
    assert_string_equal(err.reason, "could not do \"it\"");
    assert_int_equal(err.ossl, 0);
    ERR_raise(ERR_LIB_PEM, PEM_R_NO_START_LINE);
    assert_false(fails(NULL));
    assert_int_equal(ERR_peek_error(), 0);
}

/* A key in another process says in our own code why it did not sign. */
static void our_own_entries_keep_their_code(void **state)
{
    (void)state;
    struct mutual_error err;
    mu_ossl_clear();
    ERR_raise_data(ERR_LIB_USER, MUTUAL_E_KEY_REFUSED, "not a handshake");
    assert_fails(fails(&err), &err, MUTUAL_E_KEY_REFUSED);
    assert_string_equal(err.reason, "could not do \"it\" (not a handshake)");
}

static void digest(void **state)
{
    (void)state;
    uint8_t out[32];
    struct mutual_error err;
    assert_ok(mu_sha256(MU_SLICE_LIT("abc"), out, &err), &err);
    assert_memory_equal(out, "\xba\x78\x16\xbf\x8f\x01\xcf\xea", 8);
    assert_ok(mu_sha256(mu_slice_of(NULL, 0), out, &err), &err);
    assert_memory_equal(out, "\xe3\xb0\xc4\x42", 4);
}

static void starting_twice_is_fine(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    assert_ok(mu_ossl_start(&err), &err);
    assert_ok(mu_ossl_start(&err), &err);
}

UNIT_MAIN(UNIT_CASE(the_first_entry_is_the_cause), UNIT_CASE(an_empty_queue_adds_nothing),
          UNIT_CASE(our_own_entries_keep_their_code), UNIT_CASE(digest),
          UNIT_CASE(starting_twice_is_fine))
