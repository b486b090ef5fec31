/* SPDX-License-Identifier: Apache-2.0
 *
 * Issuers, and the numbers and contents of their lists.
 */
#include "support.h"

static void issuers_come_back_whole(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(inventory_issuers) struct inventory_issuers issuers = {0};
    const struct inventory_issuer second = {.name = "second",
                                            .word = "two",
                                            .shards = 7,
                                            .parent_id = place.issuer_id,
                                            .certificate = MU_SLICE_LIT("\0\1\2"),
                                            .key_place = "k",
                                            .made_s = NOW + 1};
    int64_t id = 0;
    assert_ok(inventory_issuer_add(place.inventory, &second, &id, &err), &err);
    assert_ok(inventory_issuers_get(place.inventory, &issuers, &err), &err);
    assert_int_equal(issuers.count, 2);
    assert_int_equal(issuers.items[1].id, id);
    assert_int_equal(issuers.items[1].parent_id, place.issuer_id);
    assert_true(mu_slice_equal(issuers.items[1].certificate, MU_SLICE_LIT("\0\1\2")));
    assert_string_equal(issuers.items[0].key_place, "issuer/issuer.key");
    assert_string_equal(issuers.items[0].word, "issuer");
    assert_string_equal(issuers.items[1].word, "two");
    assert_int_equal(issuers.items[1].shards, 7);
    assert_fails(inventory_issuer_add(place.inventory, &second, &id, &err), &err,
                 MUTUAL_E_STORE_FAILED); /* one of a name */
}

static struct inventory_issuer first_issuer(struct inventory_issuers *issuers)
{
    struct mutual_error err = {0};
    assert_ok(inventory_issuers_get(place.inventory, issuers, &err), &err);
    return issuers->items[0];
}

static bool begin_list(int64_t issuer_id, uint64_t *ret_number,
                       struct inventory_revoked *ret_revoked, struct mutual_error *err)
{
    const struct inventory_scope scope = {.issuer_id = issuer_id};
    struct inventory_list list = {.number = 0};
    bool good = inventory_list_begin(place.inventory, &scope, NOW, &list, ret_revoked, err);
    *ret_number = list.number;
    return good;
}

static void put_list(uint64_t number, int64_t this_update_s)
{
    struct mutual_error err = {0};
    const struct inventory_scope scope = {.issuer_id = place.issuer_id};
    const struct inventory_list list = {
        .number = number, .this_update_s = this_update_s, .next_update_s = NOW + DAY};
    assert_ok(inventory_list_put(place.inventory, &scope, &list, MU_SLICE_LIT("der"), &err), &err);
}

static void numbers_only_grow_and_a_revocation_is_due_until_published(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct inventory_record record = record_named("listed");
    int64_t id = add(&record);
    uint64_t before = 0;
    uint64_t number = 0;
    for (int i = 0; i < 3; i++) {
        MU_AUTO(inventory_revoked) struct inventory_revoked revoked = {0};
        assert_ok(begin_list(place.issuer_id, &number, &revoked, &err), &err);
        assert_true(number > before);
        assert_int_equal(revoked.count, 0);
        before = number;
    }
    assert_ok(inventory_revoke(place.inventory, id, MU_REASON_AFFILIATION, NOW + 7, &err), &err);
    MU_AUTO(inventory_issuers) struct inventory_issuers due = {0};
    assert_true(first_issuer(&due).crl_due);
    put_list(number - 1, NOW); /* begun before */
    MU_AUTO(inventory_issuers) struct inventory_issuers still = {0};
    assert_true(first_issuer(&still).crl_due);
    MU_AUTO(inventory_revoked) struct inventory_revoked revoked = {0};
    assert_ok(begin_list(place.issuer_id, &number, &revoked, &err), &err);
    assert_int_equal(revoked.count, 1);
    assert_int_equal(revoked.items[0].time_s, NOW + 7);
    assert_int_equal(revoked.items[0].reason, MU_REASON_AFFILIATION);
    assert_int_equal(revoked.items[0].serial.len, 20);
    put_list(number, NOW + 8);
    MU_AUTO(inventory_issuers) struct inventory_issuers settled = {0};
    struct inventory_issuer issuer = first_issuer(&settled);
    assert_false(issuer.crl_due);
    assert_int_equal(issuer.crl_this_update_s, NOW + 8);
    assert_int_equal(issuer.crl_number, number);
    struct inventory_revoked none = {0};
    assert_fails(begin_list(999, &number, &none, &err), &err, MUTUAL_E_NOT_FOUND);
}

INVENTORY_UNIT_MAIN(UNIT_CASE(issuers_come_back_whole),
                    UNIT_CASE(numbers_only_grow_and_a_revocation_is_due_until_published))
