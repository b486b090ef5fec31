/* SPDX-License-Identifier: Apache-2.0
 *
 * The TLS library runs out of memory somewhere in a handshake. Whatever it makes of that, nobody is
 * let in who would not be let in otherwise, and whoever is let in is who they are.
 */
#include "session/session_internal.h"
#include "tls_pair.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "trust/trust.h"

/* Every STEP-th of some thousand allocations is made to fail; each in turn takes a minute. */
#define STEP 53u

static unsigned long countdown; /* 0: off */
static unsigned long used;

static bool must_fail(void)
{
    used++;
    return countdown != 0 && --countdown == 0;
}

static void *failing_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return must_fail() ? NULL : malloc(size);
}

static void *failing_realloc(void *old, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return must_fail() ? NULL : realloc(old, size);
}

static void library_free(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    free(p);
}

static bool is_let_in(struct tls_pair *pair)
{
    const struct mutual_verdict *verdict = mutual_session_admit(pair->server.session, pair->now_s);
    return verdict->allowed && verdict->pass != NULL;
}

static void shake_again(struct tls_pair *pair, unsigned long fail_at)
{
    tls_pair_hang_up(pair);
    struct mutual_error err = {0};
    pair->client.session = mutual_session_new(pair->client.context, &err);
    used = 0;
    countdown = fail_at;
    pair->server.session = mutual_session_new(pair->server.context, &err);
    if (pair->server.session == NULL) {
        countdown = 0;
        return;
    }
    tls_pair_shake(pair);
    countdown = 0;
}

/* Whom the client shows: the pair's own leaf (let in), another's, or nobody. */
enum showing { SHOWS_OWN, SHOWS_OTHER, SHOWS_NOBODY };

static void run_out(enum showing showing, const struct pki *other, bool tls12)
{
    struct tls_pair pair;
    tls_pair_init(&pair);
    pair.client.tls12 = tls12;
    if (showing == SHOWS_OTHER) {
        tls_end_show(&pair.client, other);
    } else if (showing == SHOWS_NOBODY) {
        mutual_identity_unref(pair.client.identities[0]);
        pair.client.identity_count = 0;
    }
    tls_pair_start(&pair);
    shake_again(&pair, 0); /* what the library makes once is made here */
    shake_again(&pair, 0);
    assert_int_equal(is_let_in(&pair), showing == SHOWS_OWN);
    unsigned long all = used;
    for (unsigned long n = 1; n <= all; n += STEP) {
        shake_again(&pair, n);
        if (pair.server.session != NULL && is_let_in(&pair)) {
            const struct mutual_chain *chain = mutual_session_evidence(pair.server.session)->chain;
            assert_true(showing == SHOWS_OWN && chain != NULL);
            assert_string_equal(mutual_chain_subject(chain), "CN=alice");
        }
    }
    tls_pair_done(&pair);
}

static void the_library_may_run_out_of_memory(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root"); /* of the same name as the one that is trusted */
    struct pki *false_alice =
        pki_issue(root, (struct pki_leaf){.uri = "spiffe://example.org/alice"});
    for (int tls12 = 0; tls12 < 2; tls12++) {
        run_out(SHOWS_OWN, NULL, tls12 != 0);
        run_out(SHOWS_NOBODY, NULL, tls12 != 0);
        run_out(SHOWS_OTHER, false_alice, tls12 != 0);
        run_out(SHOWS_OTHER, pki_stranger("alice"), tls12 != 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {UNIT_CASE(the_library_may_run_out_of_memory)};
    if (CRYPTO_set_mem_functions(failing_malloc, failing_realloc, library_free) != 1) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
