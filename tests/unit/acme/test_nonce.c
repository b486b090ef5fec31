/* SPDX-License-Identifier: Apache-2.0
 *
 * Nonces: each counts once, for a while, for every authority on the store.
 */
#include "client.h"

static void a_nonce_counts_once(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    char nonce[ACME_NONCE_TEXT];
    char other[ACME_NONCE_TEXT];
    assert_ok(acme_nonce_new(home_store(), home.now_s, nonce, &err), &err);
    assert_ok(acme_nonce_new(home_store(), home.now_s, other, &err), &err);
    assert_string_not_equal(nonce, other);
    assert_ok(acme_nonce_use(home_store(), nonce, home.now_s, &err), &err);
    assert_fails(acme_nonce_use(home_store(), nonce, home.now_s, &err), &err, MUTUAL_E_ACME_NONCE);
    assert_ok(acme_nonce_use(home_store(), other, home.now_s, &err), &err);
}

/* Another authority on the same store knows our nonces, and which were used. */
static void two_authorities_on_one_store_agree(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct ca *second = NULL;
    char nonce[ACME_NONCE_TEXT];
    assert_ok(ca_open(home.dir, CA_SERVE, "second", home.now_s, NULL, &second, &err), &err);
    struct store *theirs = inventory_store(ca_inventory(second));
    assert_ok(acme_nonce_new(home_store(), home.now_s, nonce, &err), &err);
    assert_ok(acme_nonce_use(theirs, nonce, home.now_s, &err), &err);
    assert_fails(acme_nonce_use(home_store(), nonce, home.now_s, &err), &err, MUTUAL_E_ACME_NONCE);
    assert_ok(acme_nonce_new(theirs, home.now_s, nonce, &err), &err);
    assert_ok(acme_nonce_use(home_store(), nonce, home.now_s, &err), &err);
    ca_close(second);
}

static void a_nonce_ends(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    char nonce[ACME_NONCE_TEXT];
    assert_ok(acme_nonce_new(home_store(), home.now_s, nonce, &err), &err);
    assert_fails(acme_nonce_use(home_store(), nonce, home.now_s + ACME_NONCE_LIFE_S, &err), &err,
                 MUTUAL_E_ACME_NONCE);
    assert_fails(acme_nonce_use(home_store(), nonce, home.now_s - 7200, &err), &err,
                 MUTUAL_E_ACME_NONCE); /* the clock jumped back */
    assert_ok(acme_nonce_use(home_store(), nonce, home.now_s + ACME_NONCE_LIFE_S - 1, &err), &err);
}

static void what_is_none_of_ours_is_refused(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    char nonce[ACME_NONCE_TEXT];
    static const char *const rows[] = {
        "",
        "x",
        "AAAA",
        "AAAA=",
        "../../etc",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "__________________________________________________________________"};
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        assert_fails(acme_nonce_use(home_store(), rows[i], home.now_s, &err), &err,
                     MUTUAL_E_ACME_NONCE);
    }
    assert_ok(acme_nonce_new(home_store(), home.now_s, nonce, &err), &err);
    for (size_t i = 0; nonce[i] != '\0'; i++) { /* every character counts */
        char changed[ACME_NONCE_TEXT];
        memcpy(changed, nonce, sizeof changed);
        changed[i] = changed[i] == 'A' ? 'E' : 'A';
        assert_fails(acme_nonce_use(home_store(), changed, home.now_s, &err), &err,
                     MUTUAL_E_ACME_NONCE);
    }
    assert_ok(acme_nonce_use(home_store(), nonce, home.now_s, &err), &err);
}

static int64_t count(const char *sql)
{
    struct mutual_error err = {0};
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    bool row = false;
    assert_ok(store_prepare(home_store(), sql, &read, &err), &err);
    assert_ok(store_step(read, &row, &err), &err);
    return store_int(read, 0);
}

static void secrets_change_and_old_ones_go(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    char nonce[ACME_NONCE_TEXT];
    int64_t then_s = home.now_s + INT64_C(10) * ACME_SECRET_LIFE_S;
    int64_t before = count("SELECT count(*) FROM acme_secret");
    assert_ok(acme_nonce_new(home_store(), then_s, nonce, &err), &err);
    assert_int_equal(count("SELECT count(*) FROM acme_secret"), before + 1);
    assert_ok(acme_nonce_use(home_store(), nonce, then_s, &err), &err);
    assert_ok(acme_nonce_clean(home_store(), then_s, &err), &err);
    assert_int_equal(count("SELECT count(*) FROM acme_secret"), 1);
    assert_int_equal(count("SELECT count(*) FROM acme_nonce"), 1); /* the one just used */
    assert_fails(acme_nonce_use(home_store(), nonce, then_s, &err), &err, MUTUAL_E_ACME_NONCE);
}

/* Asking for nonces writes nothing: nobody fills a disk by it. */
static void asking_for_nonces_writes_nothing(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    char nonce[ACME_NONCE_TEXT];
    assert_ok(acme_nonce_new(home_store(), home.now_s, nonce, &err), &err);
    int64_t secrets = count("SELECT count(*) FROM acme_secret");
    int64_t nonces = count("SELECT count(*) FROM acme_nonce");
    for (unsigned i = 0; i < 100; i++) {
        assert_ok(acme_nonce_new(home_store(), home.now_s, nonce, &err), &err);
    }
    assert_int_equal(count("SELECT count(*) FROM acme_secret"), secrets);
    assert_int_equal(count("SELECT count(*) FROM acme_nonce"), nonces);
}

ACME_UNIT_MAIN(UNIT_CASE(a_nonce_counts_once), UNIT_CASE(two_authorities_on_one_store_agree),
               UNIT_CASE(a_nonce_ends), UNIT_CASE(what_is_none_of_ours_is_refused),
               UNIT_CASE(secrets_change_and_old_ones_go),
               UNIT_CASE(asking_for_nonces_writes_nothing))
