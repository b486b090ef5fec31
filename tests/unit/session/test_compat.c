/* SPDX-License-Identifier: Apache-2.0
 *
 * The library we run on has the groups we need, and says which was chosen.
 */
#include "session/compat_internal.h"
#include "session/session_internal.h"
#include "tls_pair.h"

static void some_list_of_groups_is_taken(void **state)
{
    (void)state;
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    assert_non_null(ctx);
    assert_true(mu_compat_groups(ctx));
    (void)SSL_CTX_set_options(ctx, mu_compat_options());
    SSL_CTX_free(ctx);
}

static void the_group_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *offered;
        uint16_t group;
    } rows[] = {{"P-256", 0x0017}, {"P-384", 0x0018}, {"X25519", 0x001d}};
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        struct tls_pair pair;
        struct tls_raw raw;
        tls_pair_init(&pair);
        tls_raw_init(&raw, false);
        tls_raw_show(&raw, pair.client_leaf);
        tls_raw_offer(&raw, rows[i].offered, NULL);
        tls_raw_shake(&raw, &pair, &pair.server);
        assert_int_equal(pair.server.io, MUTUAL_IO_DONE);
        assert_int_equal(mu_compat_group(pair.server.session->ssl), rows[i].group);
        tls_raw_done(&raw);
        tls_pair_done(&pair);
    }
}

UNIT_MAIN(UNIT_CASE(some_list_of_groups_is_taken), UNIT_CASE(the_group_is_named))
