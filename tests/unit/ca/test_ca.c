/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening an authority.
 */
#include "support.h"

static void it_knows_its_parts(void **state)
{
    (void)state;
    MU_AUTO(ca) struct ca *ca = home_open(CA_LOOK);
    assert_string_equal(ca_domain(ca), "example.org");
    assert_string_equal(ca_dir(ca), home.dir);
    assert_string_equal(ca_crl_path(ca), at_home("authority/issuer.crl"));
    assert_string_equal(ca_issuer_key_path(ca), at_home("authority/issuer/issuer.key"));
    assert_true(mu_cert_facts(ca_root(ca))->self_issued);
    assert_true(mu_cert_may_issue(ca_root(ca), ca_issuer(ca)));
    struct mutual_error err = {0};
    struct inventory_counts counts;
    assert_ok(inventory_count(ca_inventory(ca), NOW, &counts, &err), &err);
    assert_int_equal(counts.total, 2); /* they are certificates too, and expire */
}

static void one_changes_while_others_look(void **state)
{
    (void)state;
    MU_AUTO(ca) struct ca *changing = home_open(CA_CHANGE);
    MU_AUTO(ca) struct ca *looking = home_open(CA_LOOK);
    assert_non_null(changing);
    assert_non_null(looking);
}

static void who_serves_lets_others_change_in_between(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *serving = home_open(CA_SERVE);
    {
        MU_AUTO(ca) struct ca *changing = home_open(CA_CHANGE);
        assert_non_null(changing);
    }
    assert_ok(ca_lock(serving, NOW, NULL, &err), &err);
    assert_ok(ca_lock(serving, NOW, NULL, &err), &err); /* nests */
    ca_unlock(serving);
    struct store *other = NULL;
    assert_ok(store_open(ca_store_name(serving), STORE_WRITE, 20, &other, &err), &err);
    assert_fails(store_lock(other, &err), &err, MUTUAL_E_STORE_BUSY);
    ca_unlock(serving);
    assert_ok(store_lock(other, &err), &err);
    store_unlock(other);
    store_close(other);
}

static void who_serves_hears_what_others_changed(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct ca_signer signer = local_signer();
    MU_AUTO(ca) struct ca *serving = home_open(CA_SERVE);
    {
        MU_AUTO(ca) struct ca *changing = home_open(CA_CHANGE);
        assert_ok(ca_crl_publish(changing, &signer, CA_CRL_LIFE_S, NOW + 10 * DAY, &err), &err);
    }
    assert_ok(ca_lock(serving, NOW + 10 * DAY, NULL, &err), &err);
    assert_int_equal(serving->at->crl_this_update_s, NOW + 10 * DAY);
    ca_unlock(serving);
}

static bool refuse_also(void *context, struct ca *ca, int64_t id, struct mutual_error *err)
{
    (void)ca;
    *(int64_t *)context = id;
    return mu_fail(err, MUTUAL_E_PROFILE_DENIED, "the test refuses");
}

/* Issuers whose rows can be read until one comes that cannot: those before are known by then. */
static void the_issuer_that_is_meant_stays_when_others_cannot_be_read(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = home_open(CA_SERVE);
    const int64_t meant = ca->at->id;
    int64_t id = 0;
    for (int i = 0; i < 40; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "more %d", i);
        const struct inventory_issuer more = {.name = name,
                                              .word = name,
                                              .parent_id = ca->root_id,
                                              .certificate = mu_cert_facts(ca->at->cert)->der,
                                              .key_place = "issuer/issuer.key",
                                              .made_s = NOW};
        assert_ok(inventory_issuer_add(ca->inventory, &more, &id, &err), &err);
    }
    const struct inventory_issuer odd = {.name = "odd",
                                         .word = "odd",
                                         .parent_id = ca->root_id,
                                         .certificate = MU_SLICE_LIT("odd"),
                                         .key_place = "k"};
    assert_ok(inventory_issuer_add(ca->inventory, &odd, &id, &err), &err);
    const size_t before = ca->issuer_count;
    assert_fails(ca_lock(ca, NOW, NULL, &err), &err, MUTUAL_E_CERT_MALFORMED);
    assert_true(ca->issuer_count > before);
    assert_ptr_equal(ca->at, &ca->issuers[0]);
    assert_true(ca->at->id == meant);
    assert_ok(store_exec(inventory_store(ca->inventory),
                         "DELETE FROM issuer WHERE name = 'odd' OR name LIKE 'more %'", &err),
              &err);
}

static void what_is_refused_with_the_serial_is_not_issued(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    int64_t id = 0;
    struct ca_signer signer = local_signer();
    MU_AUTO(ca) struct ca *ca = home_open(CA_SERVE);
    struct ca_request request = home_request("client", "refused");
    struct inventory_counts before;
    struct inventory_counts after;
    struct ca_issued issued = {0};
    request.also = refuse_also;
    request.also_context = &id;
    request.now_s = NOW + 1;
    assert_ok(inventory_count(ca_inventory(ca), NOW, &before, &err), &err);
    assert_fails(ca_issue(ca, &request, &signer, &issued, &err), &err, MUTUAL_E_PROFILE_DENIED);
    assert_true(id != 0);
    assert_ok(inventory_count(ca_inventory(ca), NOW, &after, &err), &err);
    assert_int_equal(after.total, before.total);
    assert_int_equal(after.interrupted, 0);
    assert_false(exists(at_home("tls/refused")));
}

static void the_audit_tells_who_acts(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = home_open(CA_SERVE);
    assert_ok(ca_speak_for(ca, "joe (enroll 192.0.2.1)", &err), &err);
    assert_string_equal(ca->who, "joe (enroll 192.0.2.1)");
}

static void where_there_is_none_it_says_so(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct ca *ca = NULL;
    assert_fails(ca_open("/nonexistent", CA_LOOK, "t", NOW, NULL, &ca, &err), &err,
                 MUTUAL_E_FILE_MISSING);
    assert_non_null(strstr(err.hint, "mutual init"));
}

/* ... but nobody is told to make a new one beside the keys of one whose store is gone. */
static void a_lost_store_is_told_from_no_authority(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct ca *ca = NULL;
    assert_int_equal(mkdir(at_home("lost"), 0700), 0);
    assert_int_equal(mkdir(at_home("lost/authority"), 0700), 0);
    FILE *root = fopen(at_home("lost/authority/ca.crt"), "we");
    assert_non_null(root);
    assert_int_equal(fclose(root), 0);
    assert_fails(ca_open(at_home("lost"), CA_LOOK, "t", NOW, NULL, &ca, &err), &err,
                 MUTUAL_E_FILE_MISSING);
    assert_non_null(strstr(err.reason, "has lost its store"));
    assert_non_null(strstr(err.hint, "backup"));
    assert_null(strstr(err.hint, "mutual init"));
}

static void an_empty_store_is_no_authority(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct ca *ca = NULL;
    struct inventory *inventory = NULL;
    assert_int_equal(mkdir(at_home("empty"), 0700), 0);
    assert_int_equal(mkdir(at_home("empty/authority"), 0700), 0);
    assert_ok(inventory_open(at_home("empty/authority/ca.db"), STORE_CREATE, 50, &inventory, &err),
              &err);
    inventory_close(inventory);
    assert_fails(ca_open(at_home("empty"), CA_LOOK, "t", NOW, NULL, &ca, &err), &err,
                 MUTUAL_E_STORE_CORRUPT);
}

CA_UNIT_MAIN(home_init, UNIT_CASE(it_knows_its_parts), UNIT_CASE(one_changes_while_others_look),
             UNIT_CASE(who_serves_lets_others_change_in_between),
             UNIT_CASE(who_serves_hears_what_others_changed),
             UNIT_CASE(the_issuer_that_is_meant_stays_when_others_cannot_be_read),
             UNIT_CASE(what_is_refused_with_the_serial_is_not_issued),
             UNIT_CASE(the_audit_tells_who_acts), UNIT_CASE(where_there_is_none_it_says_so),
             UNIT_CASE(a_lost_store_is_told_from_no_authority),
             UNIT_CASE(an_empty_store_is_no_authority))
