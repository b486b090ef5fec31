/* SPDX-License-Identifier: Apache-2.0
 *
 * Tokens: kept, found, used once, given back, decided on.
 */
#include "support.h"

static uint8_t secret_hash[32] = {7};

static int64_t add_token(struct inventory *inventory, uint8_t first, bool approval)
{
    struct mutual_error err = {0};
    int64_t id = 0;
    secret_hash[0] = first;
    const struct inventory_token token = {.hash = mu_slice_of(secret_hash, 32),
                                          .name = "web",
                                          .profile = "server",
                                          .names = "dns web.example.org\n",
                                          .owner = "o",
                                          .place = "p",
                                          .purpose = "q",
                                          .approval = approval,
                                          .made_s = 100,
                                          .made_by = "joe",
                                          .expires_s = 200};
    assert_ok(inventory_token_add(inventory, &token, &id, &err), &err);
    return id;
}

static struct inventory_token only(struct inventory *inventory, int64_t id,
                                   struct inventory_tokens *tokens)
{
    struct mutual_error err = {0};
    const struct inventory_token_filter filter = {.id = id};
    assert_ok(inventory_tokens_get(inventory, &filter, tokens, &err), &err);
    assert_int_equal(tokens->count, 1);
    return tokens->items[0];
}

static bool take(struct inventory *inventory, int64_t id, int64_t certificate, int64_t now_s)
{
    struct mutual_error err = {0};
    bool taken = false;
    static const uint8_t key[32] = {1};
    assert_ok(
        inventory_token_take(inventory, id, certificate, mu_slice_of(key, 32), now_s, &taken, &err),
        &err);
    return taken;
}

static void a_token_is_used_once_and_in_time(void **state)
{
    struct inventory *inventory = place.inventory;
    (void)state;
    struct mutual_error err = {0};
    struct inventory_record record = record_named("certified");
    int64_t certificate = add(&record);
    int64_t id = add_token(inventory, 1, false);
    assert_false(take(inventory, id, certificate, 200));
    assert_true(take(inventory, id, certificate, 199));
    assert_false(take(inventory, id, certificate, 150));
    MU_AUTO(inventory_tokens) struct inventory_tokens tokens = {0};
    struct inventory_token token = only(inventory, id, &tokens);
    assert_int_equal(token.used_s, 199);
    assert_int_equal(token.certificate_id, certificate);
    assert_string_equal(token.names, "dns web.example.org\n");
    bool withdrawn = true;
    assert_ok(inventory_token_withdraw(inventory, id, &withdrawn, &err), &err);
    assert_false(withdrawn);
    assert_ok(inventory_token_return(inventory, certificate, &err), &err);
    assert_true(take(inventory, id, certificate, 150));
}

static void one_with_approval_waits_for_it_and_for_its_key(void **state)
{
    struct inventory *inventory = place.inventory;
    (void)state;
    struct mutual_error err = {0};
    static const uint8_t key[32] = {1};
    static const uint8_t other[32] = {2};
    struct inventory_record record = record_named("certified");
    int64_t certificate = add(&record);
    int64_t id = add_token(inventory, 2, true);
    bool done = false;
    assert_false(take(inventory, id, certificate, 150));
    assert_ok(inventory_token_decide(inventory, id, true, 150, &done, &err), &err);
    assert_false(done); /* nobody asked */
    assert_ok(inventory_token_ask(inventory, id, MU_SLICE_LIT("csr"), mu_slice_of(key, 32), "who",
                                  150, &done, &err),
              &err);
    assert_true(done);
    assert_ok(inventory_token_ask(inventory, id, MU_SLICE_LIT("csr2"), mu_slice_of(other, 32),
                                  "who", 151, &done, &err),
              &err);
    assert_false(done);
    assert_false(take(inventory, id, certificate, 160));
    MU_AUTO(inventory_tokens) struct inventory_tokens pending = {0};
    const struct inventory_token_filter waits = {.pending = true};
    assert_ok(inventory_tokens_get(inventory, &waits, &pending, &err), &err);
    assert_int_equal(pending.count, 1);
    const struct inventory_token_filter nobodys = {.name = "nobody", .pending = true};
    MU_AUTO(inventory_tokens) struct inventory_tokens both = {0};
    assert_ok(inventory_tokens_get(inventory, &nobodys, &both, &err), &err);
    assert_int_equal(both.count, 0);
    assert_ok(inventory_token_decide(inventory, id, true, 300, &done, &err), &err);
    assert_true(done);
    assert_ok(
        inventory_token_take(inventory, id, certificate, mu_slice_of(other, 32), 400, &done, &err),
        &err);
    assert_false(done);
    assert_true(take(inventory, id, certificate, 400)); /* it was asked in time */
}

static void what_is_withdrawn_is_gone(void **state)
{
    struct inventory *inventory = place.inventory;
    (void)state;
    struct mutual_error err = {0};
    int64_t id = add_token(inventory, 3, false);
    bool done = false;
    assert_ok(inventory_token_withdraw(inventory, id, &done, &err), &err);
    assert_true(done);
    MU_AUTO(inventory_tokens) struct inventory_tokens tokens = {0};
    secret_hash[0] = 3;
    const struct inventory_token_filter filter = {.hash = mu_slice_of(secret_hash, 32)};
    assert_ok(inventory_tokens_get(inventory, &filter, &tokens, &err), &err);
    assert_int_equal(tokens.count, 0);
}

INVENTORY_UNIT_MAIN(UNIT_CASE(a_token_is_used_once_and_in_time),
                    UNIT_CASE(one_with_approval_waits_for_it_and_for_its_key),
                    UNIT_CASE(what_is_withdrawn_is_gone))
