/* SPDX-License-Identifier: Apache-2.0
 *
 * The store of private keys: loading again and again from the same descriptor, and what is no key.
 */
#include "fixture.h"

static struct mutual_error err;
static struct keys_store store;
static struct mu_key *key;

static int setup(void **state)
{
    (void)state;
    key = new_key(MU_SPEC_ED25519);
    return keys_store_init(&store, &err) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    keys_store_done(&store);
    mu_key_unref(key);
    return 0;
}

static struct keys_load load_of(uint32_t purposes)
{
    struct keys_load load = {.expected = true, .name = "web", .rules = {.purposes = purposes}};
    memcpy(load.id, mu_key_hash(key), KEYS_ID_SIZE);
    return load;
}

static void a_key_is_found_by_its_public_half(void **state)
{
    (void)state;
    int fd = key_fd(key, NULL);
    struct keys_held *held = NULL;
    struct keys_load load = load_of(KEYS_TLS_SERVER);
    assert_null(keys_store_find(&store, load.id));
    assert_ok(keys_store_load(&store, &load, fd, -1, &held, &err), &err);
    assert_ptr_equal(keys_store_find(&store, load.id), held);
    assert_string_equal(held->name, "web");
    /* Once more, from the same descriptor, for something else. */
    load = load_of(KEYS_CERTIFICATES);
    load.rules.ca.issuer = MU_SLICE_LIT("name");
    assert_ok(keys_store_load(&store, &load, fd, -1, &held, &err), &err);
    assert_int_equal(held->rules.purposes, KEYS_CERTIFICATES);
    assert_true(mu_slice_equal_text(held->rules.ca.issuer, "name"));
    assert_true(held->rules.ca.issuer.data != load.rules.ca.issuer.data);
    keys_store_forget(&store, load.id);
    assert_null(keys_store_find(&store, load.id));
    keys_store_forget(&store, load.id);
    (void)close(fd);
}

static void a_passphrase_opens_it(void **state)
{
    (void)state;
    int fd = key_fd(key, "right");
    int right = text_fd("right\n", 6);
    int wrong = text_fd("wrong\n", 6);
    struct keys_held *held = NULL;
    struct keys_load load = load_of(KEYS_TLS_SERVER);
    assert_fails(keys_store_load(&store, &load, fd, wrong, &held, &err), &err,
                 MUTUAL_E_KEY_PASSPHRASE);
    assert_fails(keys_store_load(&store, &load, fd, -1, &held, &err), &err,
                 MUTUAL_E_KEY_PASSPHRASE);
    assert_ok(keys_store_load(&store, &load, fd, right, &held, &err), &err);
    (void)close(fd);
    (void)close(right);
    (void)close(wrong);
}

static void what_is_no_key_is_refused(void **state)
{
    (void)state;
    struct keys_held *held = NULL;
    struct keys_load load = load_of(KEYS_TLS_SERVER);
    assert_fails(keys_store_load(&store, &load, -1, -1, &held, &err), &err,
                 MUTUAL_E_FILE_UNREADABLE);
    static char large[MU_LIMIT_KEY_BYTES + 1];
    memset(large, 'x', sizeof large);
    int fd = text_fd(large, sizeof large);
    assert_fails(keys_store_load(&store, &load, fd, -1, &held, &err), &err,
                 MUTUAL_E_FILE_TOO_LARGE);
    (void)close(fd);
    MU_AUTO(key) struct mu_key *other = new_key(MU_SPEC_ED25519);
    fd = key_fd(other, NULL);
    assert_fails(keys_store_load(&store, &load, fd, -1, &held, &err), &err, MUTUAL_E_KEY_MISMATCH);
    assert_null(keys_store_find(&store, mu_key_hash(other)));
    (void)close(fd);
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)
UNIT_MAIN(CASE(a_key_is_found_by_its_public_half), CASE(a_passphrase_opens_it),
          CASE(what_is_no_key_is_refused))
