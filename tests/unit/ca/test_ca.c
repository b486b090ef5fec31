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

static void where_there_is_none_it_says_so(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct ca *ca = NULL;
    assert_fails(ca_open("/nonexistent", CA_LOOK, "t", NOW, NULL, &ca, &err), &err,
                 MUTUAL_E_FILE_MISSING);
    assert_non_null(strstr(err.hint, "mutual init"));
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
             UNIT_CASE(where_there_is_none_it_says_so), UNIT_CASE(an_empty_store_is_no_authority))
