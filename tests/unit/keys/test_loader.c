/* SPDX-License-Identifier: Apache-2.0
 *
 * The parent's list of keys through reloads, failures and the loss of the key process.
 */
#include <signal.h>

#include "fixture.h"

static struct mutual_error err;
static struct reactor *reactor;
static struct supervisor *supervisor;
static struct keys_loader *loader;
static struct mu_key *keys[3];
static unsigned answers;

static bool on_start(void *owner, const struct supervised *child, struct mu_buf *setup, int *fds,
                     size_t *fd_count, struct mutual_error *ret_err)
{
    (void)owner;
    (void)child;
    (void)setup;
    (void)fds;
    (void)ret_err;
    *fd_count = 0;
    return true;
}

static void on_ready(void *owner, const struct supervised *child)
{
    (void)owner;
    (void)child;
    assert_ok(keys_loader_send(loader, supervisor, &err), &err);
}

static bool on_message(void *owner, const struct supervised *child, struct ipc_message *message,
                       struct mutual_error *ret_err)
{
    (void)owner;
    (void)child;
    answers += message->type == IPC_MSG_KEY_LOADED ? 1 : 0;
    return message->type != IPC_MSG_KEY_LOADED || keys_loader_read(loader, message, ret_err);
}

static void on_died(void *owner, const struct supervised *child, const struct process_death *death)
{
    (void)owner;
    (void)child;
    (void)death;
    keys_loader_lost(loader);
}

static const struct supervisor_hooks hooks = {
    .start = on_start, .ready = on_ready, .message = on_message, .died = on_died};

static int setup(void **state)
{
    (void)state;
    answers = 0;
    for (size_t i = 0; i < 3; i++) {
        keys[i] = new_key(MU_SPEC_ED25519);
    }
    if (!reactor_new(&reactor, &err) || !keys_loader_new(&loader, &err)) {
        return -1;
    }
    const struct supervisor_options options = {
        .reactor = reactor, .hooks = &hooks, .program = "mutual"};
    return supervisor_new(&options, &supervisor, &err) &&
                   supervisor_add(supervisor, &keys_role, 0, &err)
               ? 0
               : -1;
}

static int teardown(void **state)
{
    (void)state;
    supervisor_free(supervisor);
    keys_loader_free(loader);
    reactor_free(reactor);
    for (size_t i = 0; i < 3; i++) {
        mu_key_unref(keys[i]);
    }
    return 0;
}

static void put_file(size_t i, int fd, uint32_t purposes)
{
    const struct keys_rules rules = {.purposes = purposes};
    assert_ok(keys_loader_put(loader, "web", fd, -1, mu_key_spki(keys[i]), &rules, &err), &err);
}

static void put(size_t i, const struct mu_key *of_file, uint32_t purposes)
{
    put_file(i, key_fd(of_file, NULL), purposes);
}

static enum keys_loading settle(struct mutual_error *why)
{
    enum keys_loading state = KEYS_LOADING;
    assert_ok(keys_loader_send(loader, supervisor, &err), &err);
    for (int i = 0; i < 500 && state == KEYS_LOADING; i++) {
        assert_ok(reactor_turn(reactor, 20 * MU_NS_PER_MS, &err), &err);
        state = keys_loader_state(loader, why);
    }
    return state;
}

static void keys_are_loaded_and_loaded_again(void **state)
{
    (void)state;
    keys_loader_begin(loader);
    put(0, keys[0], KEYS_TLS_SERVER);
    put(1, keys[1], KEYS_TLS_CLIENT);
    assert_int_equal(keys_loader_state(loader, NULL), KEYS_LOADING);
    assert_int_equal(settle(NULL), KEYS_LOADED);
    keys_loader_commit(loader, supervisor);
    assert_int_equal(keys_loader_state(loader, NULL), KEYS_LOADED);
    unsigned before = answers;
    assert_int_equal(kill(supervisor_get(supervisor, 0)->pid, SIGKILL), 0);
    while (answers < before + 2) {
        assert_ok(reactor_turn(reactor, 20 * MU_NS_PER_MS, &err), &err);
    }
    assert_int_equal(keys_loader_state(loader, NULL), KEYS_LOADED);
}

static void what_stays_is_not_loaded_twice(void **state)
{
    (void)state;
    keys_loader_begin(loader);
    int kept = key_fd(keys[1], NULL);
    put(0, keys[0], KEYS_TLS_SERVER);
    put_file(1, dup(kept), KEYS_TLS_SERVER);
    assert_int_equal(settle(NULL), KEYS_LOADED);
    keys_loader_commit(loader, supervisor);
    unsigned before = answers;
    keys_loader_begin(loader); /* the second stays as it is, the first goes, the third comes */
    put_file(1, dup(kept), KEYS_TLS_SERVER);
    (void)close(kept);
    put(2, keys[2], KEYS_TLS_SERVER);
    assert_int_equal(settle(NULL), KEYS_LOADED);
    assert_int_equal(answers, before + 1);
    keys_loader_commit(loader, supervisor);
    assert_int_equal(settle(NULL), KEYS_LOADED);
    assert_int_equal(answers, before + 1);
}

static void one_key_may_serve_two_ends(void **state)
{
    (void)state;
    keys_loader_begin(loader);
    put(0, keys[0], KEYS_TLS_SERVER);
    put(0, keys[0], KEYS_TLS_CLIENT);
    assert_int_equal(settle(NULL), KEYS_LOADED);
    keys_loader_commit(loader, supervisor);
    unsigned before = answers;
    keys_loader_begin(loader); /* only one end is left: told again, with less */
    put(0, keys[0], KEYS_TLS_CLIENT);
    assert_int_equal(settle(NULL), KEYS_LOADED);
    keys_loader_commit(loader, supervisor);
    assert_int_equal(settle(NULL), KEYS_LOADED);
    assert_true(answers > before);
}

static void a_bad_key_fails_its_generation_only(void **state)
{
    (void)state;
    struct mutual_error why = {0};
    keys_loader_begin(loader);
    put(0, keys[0], KEYS_TLS_SERVER);
    assert_int_equal(settle(&why), KEYS_LOADED);
    keys_loader_commit(loader, supervisor);
    keys_loader_begin(loader);
    put(0, keys[0], KEYS_TLS_SERVER | KEYS_TLS_CLIENT);
    put(1, keys[2], KEYS_TLS_SERVER); /* the file holds another key than the certificate */
    assert_int_equal(settle(&why), KEYS_FAILED);
    assert_int_equal(why.code, MUTUAL_E_KEY_MISMATCH);
    keys_loader_abandon(loader, supervisor);
    assert_int_equal(settle(&why), KEYS_LOADED);
    keys_loader_begin(loader); /* and the file is mended */
    put(0, keys[0], KEYS_TLS_SERVER);
    put(1, keys[1], KEYS_TLS_SERVER);
    assert_int_equal(settle(&why), KEYS_LOADED);
}

static void another_file_for_a_loaded_key_is_judged(void **state)
{
    (void)state;
    struct mutual_error why = {0};
    keys_loader_begin(loader);
    put(0, keys[0], KEYS_TLS_SERVER);
    assert_int_equal(settle(&why), KEYS_LOADED);
    keys_loader_commit(loader, supervisor);
    keys_loader_begin(loader); /* the certificate is the same, its key file is another now */
    put(0, keys[2], KEYS_TLS_SERVER);
    assert_int_equal(settle(&why), KEYS_FAILED);
    assert_int_equal(why.code, MUTUAL_E_KEY_MISMATCH);
    keys_loader_abandon(loader, supervisor);
    assert_int_equal(settle(&why), KEYS_LOADED); /* the old one is still there */
    keys_loader_begin(loader);                   /* a copy of the right one will do */
    put(0, keys[0], KEYS_TLS_SERVER);
    assert_int_equal(settle(&why), KEYS_LOADED);
    keys_loader_commit(loader, supervisor);
    assert_int_equal(settle(&why), KEYS_LOADED);
}

/* Our descriptor of it shows the new content as well, so only its time can tell. */
static void a_file_that_is_written_over_is_judged(void **state)
{
    (void)state;
    struct mutual_error why = {0};
    MU_AUTO(buf) struct mu_buf pem;
    mu_buf_init(&pem, MU_LIMIT_KEY_BYTES);
    assert_ok(mu_key_to_pem(keys[2], NULL, &pem, &err), &err);
    int file = key_fd(keys[0], NULL);
    keys_loader_begin(loader);
    put_file(0, dup(file), KEYS_TLS_SERVER);
    assert_int_equal(settle(&why), KEYS_LOADED);
    keys_loader_commit(loader, supervisor);
    (void)usleep(20000); /* more than the grain of a file's time */
    assert_int_equal(pwrite(file, pem.data, pem.len, 0), (ssize_t)pem.len);
    keys_loader_begin(loader);
    put_file(0, dup(file), KEYS_TLS_SERVER);
    assert_int_equal(settle(&why), KEYS_FAILED);
    assert_int_equal(why.code, MUTUAL_E_KEY_MISMATCH);
    keys_loader_abandon(loader, supervisor);
    assert_int_equal(settle(&why), KEYS_LOADED);
    (void)close(file);
}

static void a_passphrase_is_kept_for_later(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "word\n", 5), 5);
    (void)close(ends[1]);
    const struct keys_rules rules = {.purposes = KEYS_TLS_SERVER};
    keys_loader_begin(loader);
    assert_ok(keys_loader_put(loader, "web", key_fd(keys[0], "word"), ends[0], mu_key_spki(keys[0]),
                              &rules, &err),
              &err);
    assert_int_equal(settle(NULL), KEYS_LOADED);
    unsigned before = answers;
    assert_int_equal(kill(supervisor_get(supervisor, 0)->pid, SIGKILL), 0);
    while (answers == before) {
        assert_ok(reactor_turn(reactor, 20 * MU_NS_PER_MS, &err), &err);
    }
    assert_int_equal(keys_loader_state(loader, NULL), KEYS_LOADED);
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)
KEYS_MAIN(CASE(keys_are_loaded_and_loaded_again), CASE(what_stays_is_not_loaded_twice),
          CASE(one_key_may_serve_two_ends), CASE(a_bad_key_fails_its_generation_only),
          CASE(another_file_for_a_loaded_key_is_judged),
          CASE(a_file_that_is_written_over_is_judged), CASE(a_passphrase_is_kept_for_later))
