/* SPDX-License-Identifier: Apache-2.0
 *
 * Places where a handshake can give way: who is asked there, and what a no does.
 */
#include "lean.h"

#include "x509/turn.h"

#include <openssl/evp.h>

static unsigned asked;
static bool allowed;

static bool ask(void *owner)
{
    assert_ptr_equal(owner, &asked);
    asked++;
    return allowed;
}

static void without_anybody_to_ask_it_goes_on(void **state)
{
    (void)state;
    assert_true(mu_turn());
}

/* Before the pair, and before the exchange that follows it. */
static void a_pair_has_its_places(void **state)
{
    (void)state;
    asked = 0;
    allowed = true;
    mu_turn_ask(ask, &asked);
    EVP_PKEY *key = EVP_PKEY_Q_keygen(lean, NULL, "X25519");
    mu_turn_ask(NULL, NULL);
    assert_non_null(key);
    assert_int_equal(asked, 2);
    EVP_PKEY_free(key);
}

static void whoever_is_going_gets_no_pair(void **state)
{
    (void)state;
    allowed = false;
    mu_turn_ask(ask, &asked);
    EVP_PKEY *none = EVP_PKEY_Q_keygen(lean, NULL, "X25519");
    mu_turn_ask(NULL, NULL);
    assert_null(none);
    mu_ossl_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {UNIT_CASE(without_anybody_to_ask_it_goes_on),
                                       UNIT_CASE(a_pair_has_its_places),
                                       UNIT_CASE(whoever_is_going_gets_no_pair)};
    return cmocka_run_group_tests(tests, lean_begin, lean_end);
}
