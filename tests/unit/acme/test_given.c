/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys that were given out, listed and taken back, before and after they have bound an account.
 */
#include "client.h"

static const char *const names[] = {"web.example.org", "10.0.0.0/8"};

struct looked {
    const char *kid;
    size_t count, names;
    int64_t account_id;
    bool account_valid;
};

static bool look(void *context, const struct acme_key *key)
{
    struct looked *looked = context;
    if (strcmp(key->kid, looked->kid) == 0) {
        looked->count++;
        looked->names = key->name_count;
        looked->account_id = key->account_id;
        looked->account_valid = key->account_valid;
        assert_string_equal(key->owner, "web team");
        assert_string_equal(key->names[0], "web.example.org");
        assert_int_equal(key->ends_s, key->made_s + 3600);
    }
    return true;
}

static struct looked listed(const struct given *given)
{
    struct mutual_error err = {0};
    struct looked looked = {.kid = given->kid};
    assert_ok(acme_keys(home.ca, 0, look, &looked, &err), &err);
    return looked;
}

static void a_key_that_was_taken_back_binds_nobody(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    static struct client client;
    struct given given;
    int64_t account = -1;
    client_new(&client);
    acme_words.open = false;
    key_give(&given, "server", names, MU_COUNT(names));
    struct looked before = listed(&given);
    assert_true(before.count == 1 && before.names == 2 && before.account_id == 0);
    assert_ok(acme_key_withdraw(home.ca, given.kid, "tester", home.now_s, &account, &err), &err);
    assert_int_equal(account, 0);
    assert_int_equal(listed(&given).count, 0);
    client_bind_by(&client, &given);
    assert_problem(&client, 403, "unauthorized");
    assert_fails(acme_key_withdraw(home.ca, given.kid, "tester", home.now_s, &account, &err), &err,
                 MUTUAL_E_NOT_FOUND);
    mu_buf_done(&given.secret);
    client_done(&client);
}

static void its_account_ends_with_it(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    static struct client client;
    static struct client other;
    struct given given;
    struct given kept;
    int64_t account = 0;
    client_new(&client);
    client_new(&other);
    acme_words.open = false;
    key_give(&given, "server", names, MU_COUNT(names));
    key_give(&kept, "server", names, MU_COUNT(names));
    client_bind_by(&client, &given);
    assert_status(&client, 201);
    client_is(&client);
    client_bind_by(&other, &kept);
    assert_status(&other, 201);
    client_is(&other);
    client_post(&client, "/acme/new-order",
                "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"web.example.org\"}]}");
    assert_status(&client, 201);
    struct looked before = listed(&given);
    assert_true(before.account_id != 0 && before.account_valid);
    assert_ok(acme_key_withdraw(home.ca, given.kid, "tester", home.now_s, &account, &err), &err);
    assert_int_equal(account, before.account_id);
    assert_false(listed(&given).account_valid);
    client_post(&client, "/acme/new-order",
                "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"web.example.org\"}]}");
    assert_problem(&client, 401, "unauthorized");
    client_bind_by(&client, &given);
    assert_problem(&client, 401, "unauthorized");
    client_post(&other, "/acme/new-order",
                "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"web.example.org\"}]}");
    assert_status(&other, 201); /* somebody else's key is not concerned */
    assert_fails(acme_key_withdraw(home.ca, given.kid, "tester", home.now_s, &account, &err), &err,
                 MUTUAL_E_NOT_FOUND);
    assert_fails(acme_key_withdraw(home.ca, "x' OR '1'='1", "tester", home.now_s, &account, &err),
                 &err, MUTUAL_E_NOT_FOUND);
    mu_buf_done(&given.secret);
    mu_buf_done(&kept.secret);
    client_done(&client);
    client_done(&other);
}

static bool note(void *context, const struct acme_key *key)
{
    int64_t *last = context;
    assert_true(key->id > *last);
    *last = key->id;
    assert_string_equal(key->profile, "server");
    assert_true(key->name_count == 2);
    assert_string_equal(key->names[1], "10.0.0.0/8");
    assert_string_equal(acme_key_state(key, home.now_s), "open");
    assert_string_equal(acme_key_state(key, key->ends_s), "expired");
    return strcmp(key->name, "second") != 0;
}

static void keys_are_told_in_their_order_until_enough(void **state)
{
    (void)state;
    static const char *const for_whom[] = {"first", "second", "third"};
    struct mutual_error err = {0};
    int64_t last = 0;
    for (size_t i = 0; i < MU_COUNT(for_whom); i++) {
        char kid[ACME_KID_TEXT];
        char secret[ACME_SECRET_TEXT];
        const struct acme_key_request request = {.name = for_whom[i],
                                                 .owner = "tests",
                                                 .profile = "server",
                                                 .names = names,
                                                 .name_count = 2,
                                                 .life_s = 60,
                                                 .who = "tester (1000)",
                                                 .now_s = home.now_s};
        assert_ok(acme_key_new(home.ca, &request, kid, secret, &err), &err);
    }
    assert_ok(acme_keys(home.ca, 0, note, &last, &err), &err);
    assert_int_equal(last, 2);
    assert_ok(acme_keys(home.ca, 2, note, &last, &err), &err);
    assert_int_equal(last, 3);
}

ACME_UNIT_MAIN(UNIT_CASE(keys_are_told_in_their_order_until_enough),
               UNIT_CASE(a_key_that_was_taken_back_binds_nobody),
               UNIT_CASE(its_account_ends_with_it))
