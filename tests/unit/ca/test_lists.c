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

CA_UNIT_MAIN(home_init, cmocka_unit_test(without_an_address_there_is_only_the_complete_list),
             cmocka_unit_test(a_part_holds_its_own_and_names_its_place),
             cmocka_unit_test(a_large_list_is_not_made_for_one_revocation),
             cmocka_unit_test(what_another_one_published_is_in_our_file_too),
             cmocka_unit_test(a_file_that_is_ahead_of_the_store_is_overtaken),
             cmocka_unit_test(lists_are_renewed_at_half_their_life))
