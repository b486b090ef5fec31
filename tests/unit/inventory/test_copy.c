/* SPDX-License-Identifier: Apache-2.0
 *
 * Copies: everything arrives, nothing is mixed, numbers go on.
 */
#include "support.h"

/* One row of each table of ACME, referring to each other and to the certificate of that number. */
static void add_acme(int64_t certificate_id)
{
    struct mutual_error err = {0};
    char sql[1024];
    (void)snprintf(
        sql, sizeof sql,
        "INSERT INTO acme_binding (kid, secret, name, owner, profile, made_s, ends_s, account_id)"
        " SELECT 'kid', der, 'n', 'o', 'server', 1, 2, 1 FROM certificate WHERE id = %lld;"
        "INSERT INTO acme_binding_name VALUES (1, 0, 'dns', '*.example.org');"
        "INSERT INTO acme_account (thumbprint, key, status, contact, binding_id, made_s)"
        " SELECT der, der, 'valid', '[]', 1, 3 FROM certificate WHERE id = %lld;"
        "INSERT INTO acme_order (account_id, status, profile, expires_s, made_s, certificate_id)"
        " VALUES (1, 'valid', 'server', 5, 4, %lld);"
        "INSERT INTO acme_authz (account_id, order_id, type, value, wildcard, status, expires_s)"
        " VALUES (1, 1, 'dns', 'a.example', 1, 'valid', 6);"
        "INSERT INTO acme_challenge (authz_id, type, token, status, tries)"
        " VALUES (1, 'dns-01', 'token', 'valid', 7)",
        (long long)certificate_id, (long long)certificate_id, (long long)certificate_id);
    assert_ok(store_exec(inventory_store(place.inventory), sql, &err), &err);
}

static void assert_acme(struct inventory *inventory, int64_t certificate_id)
{
    struct mutual_error err = {0};
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    bool row = false;
    assert_ok(store_prepare(inventory_store(inventory),
                            "SELECT o.certificate_id, z.wildcard, c.tries, n.value, b.kid"
                            " FROM acme_order o JOIN acme_account a ON a.id = o.account_id"
                            " JOIN acme_binding b ON b.id = a.binding_id AND b.account_id = a.id"
                            " JOIN acme_binding_name n ON n.binding_id = b.id"
                            " JOIN acme_authz z ON z.order_id = o.id"
                            " JOIN acme_challenge c ON c.authz_id = z.id",
                            &read, &err),
              &err);
    assert_ok(store_step(read, &row, &err), &err);
    assert_true(row);
    assert_int_equal(store_int(read, 0), certificate_id);
    assert_int_equal(store_int(read, 1), 1);
    assert_int_equal(store_int(read, 2), 7);
    assert_string_equal(store_text(read, 3), "*.example.org");
    assert_string_equal(store_text(read, 4), "kid");
}

static void everything_arrives_and_numbers_go_on(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    char path[160];
    struct inventory_copied copied;
    struct inventory_copied there;
    MU_AUTO(inventory) struct inventory *to = NULL;
    const struct mutual_name names[] = {{MUTUAL_NAME_DNS, "a.example", 9},
                                        {MUTUAL_NAME_IP, "::1", 3}};
    struct inventory_record first = record_named("first");
    first.names = names;
    first.name_count = 2;
    first.machine = "here";
    int64_t old = add(&first);
    struct inventory_record second = record_named("second");
    second.replaces_id = old;
    (void)add(&second);
    assert_ok(inventory_revoke(place.inventory, old, MU_REASON_SUPERSEDED, NOW + 5, &err), &err);
    assert_ok(inventory_event(place.inventory, NOW, "me (1)", "issue", old, "it's", &err), &err);
    add_acme(old);
    (void)snprintf(path, sizeof path, "%s/copy.db", place.directory);
    assert_ok(inventory_open(path, STORE_CREATE, 50, &to, &err), &err);
    assert_ok(inventory_copy(place.inventory, to, &copied, &err), &err);
    assert_ok(inventory_rows(to, &there, &err), &err);
    assert_memory_equal(&copied, &there, sizeof there);
    assert_int_equal(copied.issuers, 1);
    assert_int_equal(copied.certificates, 2);
    assert_int_equal(copied.names, 2);
    assert_int_equal(copied.events, 1);

    assert_acme(to, old);
    struct inventory_records records = {0};
    const struct inventory_filter filter = {.id = old};
    assert_ok(inventory_records_get(to, &filter, 9, &records, &err), &err);
    assert_string_equal(records.items[0].machine, "here");
    assert_true(records.items[0].revoked && records.items[0].revoked_s == NOW + 5);
    assert_int_equal(records.items[0].names[1].type, MUTUAL_NAME_IP);
    assert_true(records.items[0].replaced_by_id != 0);
    inventory_records_done(&records);

    assert_fails(inventory_copy(place.inventory, to, &copied, &err), &err, MUTUAL_E_ALREADY_EXISTS);
    struct inventory *mine = place.inventory;
    place.inventory = to;
    struct inventory_record third = record_named("third");
    assert_true(add(&third) > old);
    place.inventory = mine;
    inventory_close(MU_TAKE(to));
    static const char *const tails[] = {"", "-wal", "-shm", ".lock"};
    for (size_t i = 0; i < MU_COUNT(tails); i++) {
        char file[200];
        (void)snprintf(file, sizeof file, "%s%s", path, tails[i]);
        (void)unlink(file);
    }
}

INVENTORY_UNIT_MAIN(UNIT_CASE(everything_arrives_and_numbers_go_on))
