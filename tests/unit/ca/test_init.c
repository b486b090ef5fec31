/* SPDX-License-Identifier: Apache-2.0
 *
 * Making an authority: what is made, what is refused, and what an unfinished one leaves.
 */
#include "support.h"

#include <fcntl.h>
#include <sys/file.h>

static bool refuse_to_tell(void *context, const struct ca_init_result *result,
                           struct mutual_error *err)
{
    unsigned *told = context;
    (*told)++;
    assert_int_equal(strlen(result->passphrase), 23);
    assert_non_null(result->root);
    return mu_fail(err, MUTUAL_E_FILE_UNWRITABLE, "nobody listens");
}

static void clear(void)
{
    remove_tree(home.dir);
    assert_int_equal(mkdir(home.dir, 0700), 0);
}

static void init_fails(const struct ca_init_options *options, enum mutual_code code)
{
    struct mutual_error err = {0};
    struct ca_init_result result = {0};
    assert_fails(ca_init(options, tell_nobody, NULL, &result, &err), &err, code);
}

static void an_untold_passphrase_leaves_nothing(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct ca_init_result result = {0};
    struct ca_init_options options = home_options();
    unsigned told = 0;
    assert_fails(ca_init(&options, refuse_to_tell, &told, &result, &err), &err,
                 MUTUAL_E_FILE_UNWRITABLE);
    assert_int_equal(told, 1);
    assert_false(exists(at_home("authority")) || exists(at_home("mutual.yaml")));
    assert_int_equal(rmdir(home.dir), 0); /* it is empty */
    clear();
}

static void leftovers_are_cleared_and_a_second_init_is_refused(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct ca_init_options options = home_options();
    struct ca_init_result result = {0};
    assert_int_equal(mkdir(at_home(".authority.0123.new"), 0700), 0);
    assert_int_equal(mkdir(at_home(".authority.0123.new/root"), 0700), 0);
    assert_int_equal(mkdir(at_home(".other"), 0700), 0);
    assert_ok(ca_init(&options, tell_nobody, NULL, &result, &err), &err);
    assert_true(result.leftovers && !result.config_kept);
    assert_false(exists(at_home(".authority.0123.new")));
    assert_true(exists(at_home(".other")) && exists(at_home("mutual.yaml")));
    ca_init_result_done(&result);
    init_fails(&options, MUTUAL_E_ALREADY_EXISTS);
    assert_int_equal(unlink(at_home("mutual.yaml")), 0);
    init_fails(&options, MUTUAL_E_ALREADY_EXISTS);
    assert_true(exists(at_home("mutual.yaml"))); /* what a killed init did not get to */
    clear();
}

static void the_issuer_is_bounded_and_the_root_only_vouches(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct ca_init_options options = home_options();
    options.constrain_subject = true;
    options.passphrase = "a good long passphrase";
    options.name = "acme";
    struct ca_init_result result = {0};
    assert_ok(ca_init(&options, tell_nobody, NULL, &result, &err), &err);
    assert_string_equal(result.domain, "acme.internal");
    assert_string_equal(result.passphrase, "");
    const struct mu_cert_facts *issuer = mu_cert_facts(result.issuer);
    assert_true(issuer->ca && issuer->path_length == 0 && issuer->has_nc && issuer->nc_critical);
    assert_int_equal(issuer->permitted_count, 4);
    assert_int_equal(issuer->excluded_count, 2); /* IPv4 and IPv6, whole */
    assert_int_equal(issuer->eku, MU_EKU_SERVER | MU_EKU_CLIENT);
    assert_int_equal(issuer->flaws, 0);
    const struct mu_cert_facts *root = mu_cert_facts(result.root);
    assert_true(root->ca && root->path_length == 1 && root->self_issued);
    assert_int_equal(root->flaws, 0);
    assert_ok(mu_cert_signed_by(result.issuer, result.root, &err), &err);
    ca_init_result_done(&result);

    MU_AUTO(buf) struct mu_buf pem = {0};
    struct mu_key *key = NULL;
    assert_ok(mu_file_read(at_home("authority/root/root.key"), 65536, &pem, &err), &err);
    assert_fails(mu_key_from_pem(mu_buf_slice(&pem), "root.key", "wrong", &key, &err), &err,
                 MUTUAL_E_KEY_PASSPHRASE);
    clear();
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    static const char *const bad_range[] = {"10.0.0.0/33"};
    static const char *const bad_host[] = {"*.example.org"};
    struct ca_init_options options = home_options();
    options.ip = bad_range;
    options.ip_count = 1;
    init_fails(&options, MUTUAL_E_OPTION_VALUE);
    options = home_options();
    options.dns = bad_host;
    options.dns_count = 1;
    init_fails(&options, MUTUAL_E_NAME_MALFORMED);
    options = home_options();
    options.passphrase = "short";
    init_fails(&options, MUTUAL_E_OPTION_VALUE);
    options = home_options();
    options.root_life_s = options.issuer_life_s - 1;
    init_fails(&options, MUTUAL_E_OPTION_VALUE);
    options = home_options();
    options.name = "not a name";
    init_fails(&options, MUTUAL_E_NAME_MALFORMED);
    assert_false(exists(at_home("authority")));
}

static void two_at_once_do_not_meet(void **state)
{
    (void)state;
    int fd = open(home.dir, O_RDONLY | O_DIRECTORY);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    struct ca_init_options options = home_options();
    init_fails(&options, MUTUAL_E_STORE_BUSY);
    (void)close(fd);
}

CA_UNIT_MAIN(home_make, UNIT_CASE(an_untold_passphrase_leaves_nothing),
             UNIT_CASE(leftovers_are_cleared_and_a_second_init_is_refused),
             UNIT_CASE(the_issuer_is_bounded_and_the_root_only_vouches),
             UNIT_CASE(what_cannot_be_is_refused), UNIT_CASE(two_at_once_do_not_meet))
