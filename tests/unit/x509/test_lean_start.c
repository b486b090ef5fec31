/* SPDX-License-Identifier: Apache-2.0
 *
 * A process that starts lean has nothing else in its default context either: whatever is asked of
 * the library before its provider is there would load all of the default one.
 */
#include "unit.h"

#include "x509/x509.h"

#include <openssl/evp.h>
#include <openssl/provider.h>

static void a_process_that_starts_lean_has_no_other_algorithms(void **state)
{
    struct mutual_error err = {0};
    (void)state;
    assert_ok(mu_ossl_start_lean(&err), &err);
    EVP_CIPHER *old = EVP_CIPHER_fetch(NULL, "AES-128-CBC", NULL);
    assert_null(old);
    mu_ossl_clear();
    EVP_CIPHER *kept = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
    assert_non_null(kept);
    assert_string_equal(OSSL_PROVIDER_get0_name(EVP_CIPHER_get0_provider(kept)), "lean");
    EVP_CIPHER_free(kept);
    assert_int_equal(OSSL_PROVIDER_available(NULL, "default"), 0);
    /* nor do their names make the table long that is walked for every key; but a signature's digest
     * is known by its name */
    assert_null(EVP_get_cipherbyname("AES-128-CBC"));
    assert_null(EVP_get_digestbyname("MD5"));
    assert_non_null(EVP_get_digestbyname("SHA512"));
    assert_non_null(EVP_get_digestbyname("RSA-SHA384"));
}

UNIT_MAIN(UNIT_CASE(a_process_that_starts_lean_has_no_other_algorithms))
