/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists published: what follows from a revocation, and what is kept fresh.
 */
#include "support.h"

static struct ca_issued issue(struct ca *ca, const char *name)
{
    struct mutual_error err = {0};
    struct ca_signer signer = local_signer();
    struct ca_issued issued = {0};
    struct ca_request request = home_request("client", name);
    assert_ok(ca_issue(ca, &request, &signer, &issued, &err), &err);
    return issued;
}

static void revoke_it(struct ca *ca, const char *name)
{
    struct mutual_error err = {0};
    struct ca_signer signer = local_signer();
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    assert_ok(ca_find(ca, name, &records, &err), &err);
    assert_ok(ca_revoke(ca, &records.items[0], MU_REASON_KEY_COMPROMISE, &signer, NOW, &err), &err);
}

/* The list of the first issuer; NULL: there is none. */
static struct mu_crl *list(struct ca *ca, unsigned shard, bool delta)
{
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf der;
    struct inventory_list facts;
    struct mu_crl *crl = NULL;
    bool found = false;
    mu_buf_init(&der, MU_LIMIT_CRL_BYTES);
    assert_ok(ca_select(ca, NULL, &err), &err);
    assert_ok(ca_list_get(ca, shard, delta, &facts, &der, &found, &err), &err);
    if (!found) {
        return NULL;
    }
    assert_ok(mu_crl_from_der(mu_buf_slice(&der), &crl, &err), &err);
    assert_ok(mu_crl_signed_by(crl, ca_issuer(ca), &err), &err);
    assert_int_equal(mu_crl_facts(crl)->count, facts.entries);
    return crl;
}

static void refresh(struct ca *ca, int64_t now_s)
{
    struct mutual_error err = {0};
    struct ca_signer signer = local_signer();
    assert_ok(ca_crl_refresh(ca, &signer, now_s, &err), &err);
}

static void without_an_address_there_is_only_the_complete_list(void **state)
{
    (void)state;
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    struct ca_issued issued = issue(ca, "a");
    revoke_it(ca, "a");
    refresh(ca, NOW);
    MU_AUTO(crl) struct mu_crl *complete = list(ca, 0, false);
    assert_true(mu_crl_find(complete, mu_cert_facts(issued.cert)->serial, NULL));
    assert_null(mu_crl_facts(complete)->idp);
    assert_null(list(ca, 0, true));
    assert_false(exists(at_home("authority/issuer.delta.crl")));
    ca_issued_done(&issued);
}

static void a_part_holds_its_own_and_names_its_place(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    assert_ok(ca_set_url(ca, "http://ca.example.org", &err), &err);
    struct ca_issued issued = issue(ca, "b");
    const struct mu_cert_facts *facts = mu_cert_facts(issued.cert);
    unsigned shard = 1 + mu_get_be32(facts->serial.data + facts->serial.len - 4) % CA_SHARDS;
    refresh(ca, NOW);
    MU_AUTO(crl) struct mu_crl *empty = list(ca, shard, false);
    assert_non_null(empty);
    assert_int_equal(mu_crl_facts(empty)->count, 0);
    revoke_it(ca, "b");
    MU_AUTO(crl) struct mu_crl *part = list(ca, shard, false);
    assert_true(mu_crl_find(part, facts->serial, NULL));
    assert_int_equal(mu_crl_facts(part)->count, 1); /* and not "a" */
    const struct mu_crl_idp *idp = mu_crl_facts(part)->idp;
    assert_true(idp != NULL && idp->has_point && idp->only_user && !idp->only_ca);
    MU_AUTO(crl) struct mu_crl *complete = list(ca, 0, false);
    assert_int_equal(mu_crl_facts(complete)->count, 2);
    MU_AUTO(crl) struct mu_crl *delta = list(ca, 0, true);
    assert_true(mu_slice_equal(mu_crl_facts(delta)->number, mu_crl_facts(complete)->number));
    assert_true(mu_slice_equal(mu_crl_facts(delta)->delta_base, mu_crl_facts(complete)->number));
    assert_int_equal(mu_crl_facts(delta)->count, 0);
    assert_true(exists(at_home("authority/issuer.delta.crl")));
    ca_issued_done(&issued);
}

/* As if the list were large: then a revocation shows in the delta at once, and a process that
 * serves makes the complete list later. */
static void a_large_list_is_not_made_for_one_revocation(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = home_open(CA_SERVE);
    struct ca_issued issued = issue(ca, "c");
    const struct inventory_scope scope = {.issuer_id = ca->at->id};
    struct inventory_list before;
    MU_AUTO(buf) struct mu_buf der;
    bool found = false;
    mu_buf_init(&der, MU_LIMIT_CRL_BYTES);
    refresh(ca, NOW);
    assert_ok(inventory_list_get(ca->inventory, &scope, &before, &der, &found, &err), &err);
    assert_ok(store_exec(inventory_store(ca->inventory),
                         "UPDATE list SET entries = 1000000 WHERE shard = 0 AND delta = 0", &err),
              &err);
    revoke_it(ca, "c");
    const struct mu_slice serial = mu_cert_facts(issued.cert)->serial;
    struct inventory_list after;
    assert_ok(inventory_list_get(ca->inventory, &scope, &after, NULL, &found, &err), &err);
    assert_int_equal(after.number, before.number);
    MU_AUTO(crl) struct mu_crl *delta = list(ca, 0, true);
    assert_true(mu_crl_find(delta, serial, NULL));
    refresh(ca, NOW + 60); /* too soon */
    assert_ok(inventory_list_get(ca->inventory, &scope, &after, NULL, &found, &err), &err);
    assert_int_equal(after.number, before.number);
    refresh(ca, NOW + 3600);
    MU_AUTO(crl) struct mu_crl *complete = list(ca, 0, false);
    assert_true(mu_crl_find(complete, serial, NULL));
    ca_issued_done(&issued);
}

static void read_list(struct mu_buf *text)
{
    struct mutual_error err = {0};
    mu_buf_done(text);
    *text = (struct mu_buf){0};
    assert_ok(mu_file_read(at_home("authority/issuer.crl"), MU_LIMIT_CRL_BYTES, text, &err), &err);
}

/* Another machine on the same store has a file of its own; as if this directory were that one's. */
static void what_another_one_published_is_in_our_file_too(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct ca_signer signer = local_signer();
    MU_AUTO(ca) struct ca *ca = home_open(CA_SERVE);
    MU_AUTO(buf) struct mu_buf before = {0};
    MU_AUTO(buf) struct mu_buf after = {0};
    MU_AUTO(buf) struct mu_buf now = {0};
    refresh(ca, NOW);
    read_list(&before);
    {
        MU_AUTO(ca) struct ca *other = home_open(CA_CHANGE);
        assert_ok(ca_crl_publish(other, &signer, CA_CRL_LIFE_S, NOW, &err), &err);
    }
    read_list(&after);
    assert_false(mu_slice_equal(mu_buf_slice(&before), mu_buf_slice(&after)));
    assert_ok(mu_file_write(at_home("authority/issuer.crl"), mu_buf_slice(&before), 0644, &err),
              &err);
    refresh(ca, NOW);
    read_list(&now);
    assert_true(mu_slice_equal(mu_buf_slice(&after), mu_buf_slice(&now)));
}

/* As after a kill between the file and the store. */
static void a_file_that_is_ahead_of_the_store_is_overtaken(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(crl) struct mu_crl *ahead = NULL;
    {
        MU_AUTO(ca) struct ca *ca = home_open(CA_SERVE);
        refresh(ca, NOW);
        ahead = list(ca, 0, false);
        assert_ok(store_exec(inventory_store(ca->inventory),
                             "UPDATE list SET number = number - 1 WHERE shard = 0 AND delta = 0",
                             &err),
                  &err);
    }
    MU_AUTO(ca) struct ca *ca = home_open(CA_SERVE);
    MU_AUTO(buf) struct mu_buf text = {0};
    refresh(ca, NOW);
    read_list(&text);
    MU_AUTO(crl) struct mu_crl *kept = list(ca, 0, false);
    MU_AUTO(crl) struct mu_crl *file = NULL;
    struct mu_pem_reader reader;
    mu_pem_open(&reader, mu_buf_slice(&text), "the list");
    assert_ok(mu_crl_from_pem(&reader, &file, &err), &err);
    assert_true(mu_slice_equal(mu_crl_facts(kept)->number, mu_crl_facts(file)->number));
    assert_false(mu_slice_equal(mu_crl_facts(kept)->number, mu_crl_facts(ahead)->number));
}

static void lists_are_renewed_at_half_their_life(void **state)
{
    (void)state;
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    refresh(ca, NOW + 2 * 3600);
    MU_AUTO(crl) struct mu_crl *first = list(ca, 0, true);
    refresh(ca, NOW + 3 * 3600);
    MU_AUTO(crl) struct mu_crl *same = list(ca, 0, true);
    assert_true(mu_slice_equal(mu_crl_facts(first)->number, mu_crl_facts(same)->number));
    refresh(ca, NOW + 4 * DAY);
    MU_AUTO(crl) struct mu_crl *next = list(ca, 0, true);
    assert_true(mu_crl_facts(next)->this_update_s == NOW + 4 * DAY);
    refresh(ca, NOW + 20 * DAY);
    MU_AUTO(crl) struct mu_crl *complete = list(ca, 0, false);
    assert_true(mu_crl_facts(complete)->this_update_s == NOW + 20 * DAY);
}

/* ---- the next list, made of the one before -----------------------------------------------------
 */

static void run_sql(struct ca *ca, const char *format, ...) MUTUAL_PRINTF(2, 3);
static void run_sql(struct ca *ca, const char *format, ...)
{
    struct mutual_error err = {0};
    char sql[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(sql, sizeof sql, format, args);
    va_end(args);
    assert_ok(store_exec(inventory_store(ca->inventory), sql, &err), &err);
}

static uint32_t dice(void)
{
    static uint32_t state = 11;
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

/* Rows as issuing leaves them, with ends over the weeks to come. */
static void add_rows(struct ca *ca, int from, int to)
{
    for (int i = from; i < to; i++) {
        run_sql(ca,
                "INSERT INTO certificate (issuer_id, serial, state, form, profile, name, owner,"
                " place, purpose, path, aside, key_text, key_hash, requested_s, not_before_s,"
                " not_after_s, der, fingerprint) VALUES (%lld, x'%02x%06x%02x', 'delivered',"
                " 'directory', 'client', 'row %d', 'o', 'p', 'x', '/p', '', 'EC P-256', x'00', 0,"
                " 0, %lld, x'00', x'%06x')",
                (long long)ca->at->id, 1 + dice() % 127, i, dice() % 256, i,
                (long long)(NOW + (int64_t)(dice() % 3000) * 900), i);
    }
}

static void revoke_some(struct ca *ca, int64_t now_s)
{
    struct mutual_error err = {0};
    for (uint32_t i = dice() % 12; i > 0; i--) {
        char name[32];
        (void)snprintf(name, sizeof name, "row %u", dice() % 400);
        MU_AUTO(inventory_records) struct inventory_records records = {0};
        const struct inventory_filter filter = {.who = name};
        assert_ok(inventory_records_get(ca->inventory, &filter, 2, &records, &err), &err);
        if (records.count == 1 && !records.items[0].revoked) {
            assert_ok(inventory_revoke(ca->inventory, records.items[0].id,
                                       (enum mu_reason)(dice() % 6), now_s, &err),
                      &err);
        }
    }
}

static struct inventory_list force(struct ca *ca, int64_t now_s, struct mu_buf *der)
{
    struct mutual_error err = {0};
    struct ca_signer signer = local_signer();
    struct inventory_list found_list = {0};
    bool found = false;
    mu_buf_init(der, MU_LIMIT_CRL_BYTES);
    assert_ok(ca_crl_publish(ca, &signer, CA_CRL_LIFE_S, now_s, &err), &err);
    assert_ok(ca_list_get(ca, 0, false, &found_list, der, &found, &err), &err);
    assert_true(found);
    return found_list;
}

/* What the store says the list must be: written whole, here. */
static void from_store(struct ca *ca, const struct inventory_list *list, int64_t bound_s,
                       struct mu_buf *tbs)
{
    struct mutual_error err = {0};
    static uint8_t serials[1000][20];
    static struct mu_revoked rows[1000];
    size_t count = 0;
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    assert_ok(store_prepare(inventory_store(ca->inventory),
                            "SELECT serial, revoked_s, reason FROM certificate"
                            " WHERE revoked_s IS NOT NULL AND not_after_s >= $1 AND issuer_id = $2",
                            &read, &err),
              &err);
    store_bind_int(read, 1, bound_s);
    store_bind_int(read, 2, ca->at->id);
    for (bool row = true;; count++) {
        assert_ok(store_step(read, &row, &err), &err);
        if (!row) {
            break;
        }
        struct mu_slice serial = store_bytes(read, 0);
        memcpy(serials[count], serial.data, serial.len);
        rows[count] = (struct mu_revoked){.serial = mu_slice_of(serials[count], serial.len),
                                          .time_s = store_int(read, 1),
                                          .reason = (enum mu_reason)store_int(read, 2)};
    }
    MU_AUTO(free) char *fresh = ca_list_url(ca, ca->at->word, 0, true);
    const char *const places[] = {fresh, NULL};
    const struct mu_crl_template t = {.issuer = ca->at->cert,
                                      .this_update_s = list->this_update_s,
                                      .next_update_s = list->next_update_s,
                                      .number = list->number,
                                      .entries = rows,
                                      .count = count,
                                      .freshest_uris = fresh != NULL ? places : NULL};
    mu_buf_init(tbs, MU_LIMIT_CRL_BYTES);
    assert_ok(mu_crl_build_tbs(&t, MU_SCHEME_ECDSA_P256_SHA256, tbs, &err), &err);
}

static void assert_as_store_says(struct ca *ca, const struct inventory_list *list,
                                 const struct mu_buf *der, int64_t bound_s)
{
    struct mutual_error err = {0};
    MU_AUTO(crl_outline) struct mu_crl_outline outline = {.arena = NULL};
    MU_AUTO(buf) struct mu_buf tbs;
    assert_ok(mu_crl_outline_of(mu_buf_slice(der), &outline, &err), &err);
    assert_ok(mu_crl_outline_signed_by(&outline, ca->at->cert, &err), &err);
    from_store(ca, list, bound_s, &tbs);
    assert_true(mu_slice_equal(outline.facts.tbs, mu_buf_slice(&tbs)));
}

/* Revoking, ending, deltas in between, a clock that goes back, a list that is lost. */
static void lists_over_a_life_are_as_if_each_was_made_of_the_store(void **state)
{
    (void)state;
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    int64_t now_s = NOW + 40 * DAY;
    add_rows(ca, 0, 400);
    run_sql(ca, "UPDATE certificate SET not_after_s = not_after_s + %lld WHERE name LIKE 'row %%'",
            (long long)(40 * DAY));
    MU_AUTO(buf) struct mu_buf first;
    struct inventory_list before = force(ca, now_s, &first);
    for (int round = 0; round < 60; round++) {
        MU_AUTO(buf) struct mu_buf der;
        revoke_some(ca, now_s);
        if (dice() % 8 == 0) {
            refresh(ca, now_s + 4 * DAY); /* a delta: numbers have gaps then */
        }
        now_s += round == 30 ? -2 * 3600 : (int64_t)(dice() % 20) * 3600;
        if (dice() % 16 == 0) {
            run_sql(ca, "DELETE FROM list WHERE shard = 0 AND delta = 0");
            before.this_update_s = 0;
            (void)force(ca, now_s, &der);
            mu_buf_done(&der);
            before.this_update_s = now_s;
        }
        struct inventory_list list = force(ca, now_s, &der);
        int64_t bound_s = before.this_update_s < now_s ? before.this_update_s : now_s;
        assert_as_store_says(ca, &list, &der, bound_s);
        before = list;
    }
}

/* The kept list is copied as long as it is ours, and made of the store when a bit is another: seen
 * by a reason that was changed behind its back. */
static void an_altered_list_is_not_made_use_of(void **state)
{
    (void)state;
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    MU_AUTO(buf) struct mu_buf first;
    MU_AUTO(buf) struct mu_buf second;
    int64_t now_s = NOW + 60 * DAY;
    run_sql(ca,
            "UPDATE certificate SET not_after_s = %lld, revoked_s = %lld, reason = 1"
            " WHERE name LIKE 'row %%'",
            (long long)(NOW + 400 * DAY), (long long)NOW);
    run_sql(ca, "DELETE FROM list WHERE shard = 0 AND delta = 0");
    struct inventory_list list = force(ca, now_s, &first);
    assert_as_store_says(ca, &list, &first, now_s);
    run_sql(ca, "UPDATE certificate SET reason = 5 WHERE name = 'row 7'");
    list = force(ca, now_s + 1, &second);
    MU_AUTO(buf) struct mu_buf whole;
    from_store(ca, &list, now_s, &whole);
    MU_AUTO(crl_outline) struct mu_crl_outline outline = {.arena = NULL};
    assert_true(mu_crl_outline_of(mu_buf_slice(&second), &outline, NULL));
    assert_false(mu_slice_equal(outline.facts.tbs, mu_buf_slice(&whole))); /* it was copied */
    static const char *const harms[] = {
        /* another time in one entry, the list before last, a number that is not its own */
        ("UPDATE list SET der ="
         " CAST(substr(der, 1, 400) || x'fefdfcfb' || substr(der, 405) AS BLOB)"),
        "UPDATE list SET number = number - 1 WHERE shard = 0 AND delta = 0",
        "UPDATE list SET entries = entries - 1 WHERE shard = 0 AND delta = 0",
        "UPDATE list SET der = x'' WHERE shard = 0 AND delta = 0",
    };
    for (size_t i = 0; i < MU_COUNT(harms); i++) {
        MU_AUTO(buf) struct mu_buf copied;
        MU_AUTO(buf) struct mu_buf made;
        now_s += 10;
        (void)force(ca, now_s, &copied);
        run_sql(ca, "UPDATE certificate SET reason = %d WHERE name = 'row 9'", i % 2 == 0 ? 3 : 4);
        run_sql(ca, "%s", harms[i]);
        list = force(ca, now_s + 1, &made);
        assert_as_store_says(ca, &list, &made, now_s);
    }
}

/* While a large list is made others work: here one who leaves an issuer that nobody can read. */
static bool start_and_spoil(struct ca_signer *signer, const struct ca *ca,
                            const struct mu_key **ret_key, struct mutual_error *err)
{
    assert_ok(
        store_exec(inventory_store(ca->inventory),
                   "INSERT INTO issuer (name, root, parent_id, certificate, key_place, made_s,"
                   " word) VALUES ('odd', 0, 1, x'00', 'k', 0, 'odd')",
                   err),
        err);
    return local_start(signer, ca, ret_key, err);
}

static uint64_t last_number(struct ca *ca)
{
    struct mutual_error err = {0};
    MU_AUTO(inventory_issuers) struct inventory_issuers issuers = {0};
    assert_ok(inventory_issuers_get(ca->inventory, &issuers, &err), &err);
    for (size_t i = 0; i < issuers.count; i++) {
        if (issuers.items[i].id == ca->at->id) {
            return issuers.items[i].crl_number;
        }
    }
    return 0;
}

/* The sum does not come out, which alone would mean to make the list whole; but the lock is not
 * ours to go on with. */
static void what_stops_us_from_going_on_ends_it(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    MU_AUTO(buf) struct mu_buf der;
    const int64_t now_s = NOW + 200 * DAY;
    (void)force(ca, now_s, &der);
    run_sql(
        ca,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %u)"
        " INSERT INTO certificate (issuer_id, serial, state, form, profile, name, owner, place,"
        " purpose, path, aside, key_text, key_hash, requested_s, not_before_s, not_after_s, der,"
        " fingerprint, revoked_s, reason) SELECT %lld, CAST(printf('%%08d', i) AS BLOB),"
        " 'delivered', 'directory', 'client', 'many', 'o', 'p', 'x', '/p', '', 'EC P-256',"
        " x'00', 0, 0, %lld, x'00', CAST(printf('%%d', i) AS BLOB), 1, 1 FROM n",
        CA_CRL_EAGER + 1, (long long)ca->at->id, (long long)(now_s + 100 * DAY));
    const uint64_t before = last_number(ca);
    struct ca_signer signer = {.start = start_and_spoil, .stop = local_stop};
    bool good = ca_crl_publish(ca, &signer, CA_CRL_LIFE_S, now_s + 1, &err);
    run_sql(ca, "DELETE FROM issuer WHERE name = 'odd'");
    assert_false(good);
    assert_int_equal(err.code, MUTUAL_E_CERT_MALFORMED);
    assert_int_equal(last_number(ca), before + 1); /* and no other list was begun */
    mu_buf_done(&der);
    (void)force(ca, now_s + 2, &der);
    MU_AUTO(crl) struct mu_crl *complete = list(ca, 0, false);
    assert_true(mu_crl_facts(complete)->count > CA_CRL_EAGER);
}

CA_UNIT_MAIN(home_init, cmocka_unit_test(without_an_address_there_is_only_the_complete_list),
             cmocka_unit_test(a_part_holds_its_own_and_names_its_place),
             cmocka_unit_test(a_large_list_is_not_made_for_one_revocation),
             cmocka_unit_test(what_another_one_published_is_in_our_file_too),
             cmocka_unit_test(a_file_that_is_ahead_of_the_store_is_overtaken),
             cmocka_unit_test(lists_are_renewed_at_half_their_life),
             cmocka_unit_test(lists_over_a_life_are_as_if_each_was_made_of_the_store),
             cmocka_unit_test(an_altered_list_is_not_made_use_of),
             cmocka_unit_test(what_stops_us_from_going_on_ends_it))
