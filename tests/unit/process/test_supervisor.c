/* SPDX-License-Identifier: Apache-2.0
 *
 * Supervision: links, replacement, forbidden calls told as such, hostile children, orderly ends.
 */
#include <signal.h>

#include "roles.h"

static struct mutual_error err;
static struct reactor *reactor;
static struct supervisor *supervisor;
static const char *behaviour[2]; /* of the worker, of keys */
static unsigned readies, deaths, warnings, pongs, stops;
static uint64_t last_pong;
static struct process_death last_death;
static struct mutual_error last_warning;
static char last_words_order[8];

static bool on_start(void *owner, const struct supervised *child, struct mu_buf *setup, int *fds,
                     size_t *fd_count, struct mutual_error *ret_err)
{
    (void)owner;
    (void)fds;
    (void)ret_err;
    *fd_count = 0;
    return mu_buf_text(setup, behaviour[child->role->party == IPC_KEYS ? 1 : 0]);
}

static void on_ready(void *owner, const struct supervised *child)
{
    (void)owner;
    assert_true(child->ready && child->pid > 0);
    readies++;
}

static bool on_message(void *owner, const struct supervised *child, struct ipc_message *message,
                       struct mutual_error *ret_err)
{
    (void)owner;
    (void)child;
    if (message->type != IPC_MSG_PONG) {
        return mu_fail(ret_err, MUTUAL_E_MESSAGE_MALFORMED, "not expected");
    }
    last_pong = mu_get_be64(message->payload.data);
    pongs++;
    return true;
}

static void on_died(void *owner, const struct supervised *child, const struct process_death *death)
{
    (void)owner;
    size_t len = strlen(last_words_order);
    if (len + 1 < sizeof last_words_order) {
        last_words_order[len] = child->role->name[0];
    }
    last_death = *death;
    deaths++;
}

static void on_warning(void *owner, const struct supervised *child, const struct mutual_error *what)
{
    (void)owner;
    (void)child;
    last_warning = *what;
    warnings++;
}

static void on_stopped(void *owner)
{
    (void)owner;
    stops++;
}

static const struct supervisor_hooks hooks = {.start = on_start,
                                              .ready = on_ready,
                                              .message = on_message,
                                              .died = on_died,
                                              .warning = on_warning,
                                              .stopped = on_stopped};

static int setup(void **state)
{
    (void)state;
    readies = deaths = warnings = pongs = stops = 0;
    memset(last_words_order, 0, sizeof last_words_order);
    behaviour[0] = behaviour[1] = "serve";
    const struct supervisor_options *made =
        &(const struct supervisor_options){.program = "mutual", .hooks = &hooks};
    struct supervisor_options options = *made;
    if (!reactor_new(&reactor, &err)) {
        return -1;
    }
    options.reactor = reactor;
    return supervisor_new(&options, &supervisor, &err) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    supervisor_free(supervisor);
    reactor_free(reactor);
    return 0;
}

/* Turns until *counter reaches `wanted`, at most ten seconds. */
static void turn_until(const unsigned *counter, unsigned wanted)
{
    int64_t end = mu_clock_mono_ns() + 10 * MU_NS_PER_S;
    while (*counter < wanted) {
        assert_ok(reactor_turn(reactor, 100 * MU_NS_PER_MS, &err), &err);
        if (mu_clock_mono_ns() > end) {
            fail_msg("still %u, %u was expected; last warning: %s", *counter, wanted,
                     last_warning.reason);
        }
    }
}

static void ping(enum ipc_party party)
{
    const struct supervised *child = supervisor_find(supervisor, party, 0);
    assert_non_null(child);
    assert_ok(
        supervisor_send(supervisor, child, IPC_MSG_PING, MU_SLICE_LIT("12345678"), NULL, 0, &err),
        &err);
}

static void add_both(void)
{
    assert_ok(supervisor_add(supervisor, &keys_test_role, 0, &err), &err);
    assert_ok(supervisor_add(supervisor, &worker_role, 0, &err), &err);
    assert_false(supervisor_is_ready(supervisor, IPC_WORKER));
    assert_true(supervisor_is_ready(supervisor, IPC_FETCH)); /* there is none */
    turn_until(&readies, 2);
    assert_true(supervisor_is_ready(supervisor, IPC_CHILDREN));
    assert_int_equal(supervisor_count(supervisor), 2);
    assert_ptr_equal(supervisor_get(supervisor, 1), supervisor_find(supervisor, IPC_WORKER, 0));
    assert_null(supervisor_get(supervisor, 2));
}

static void the_dead_are_replaced_and_linked_again(void **state)
{
    (void)state;
    add_both();
    ping(IPC_WORKER);
    turn_until(&pongs, 1);
    assert_int_equal(last_pong, 1); /* one link: to keys */
    const struct supervised *keys = supervisor_find(supervisor, IPC_KEYS, 0);
    pid_t before = keys->pid;
    assert_int_equal(kill(before, SIGKILL), 0);
    turn_until(&deaths, 1);
    assert_false(last_death.expected);
    turn_until(&readies, 3);
    assert_int_not_equal(keys->pid, before);
    ping(IPC_WORKER);
    turn_until(&pongs, 2);
    assert_int_equal(last_pong, 2); /* and one to its replacement */
    ping(IPC_KEYS);
    turn_until(&pongs, 3);
    assert_int_equal(last_pong, 1);
}

static void a_forbidden_call_is_told(void **state)
{
    (void)state;
    behaviour[0] = "files";
    assert_ok(supervisor_add(supervisor, &worker_role, 0, &err), &err);
    turn_until(&readies, 1);
    ping(IPC_WORKER);
    turn_until(&deaths, 1);
    assert_true(last_death.signalled);
    assert_int_equal(last_death.status, SIGSYS);
    assert_non_null(strstr(last_death.words, "its sandbox forbids"));
    turn_until(&readies, 2);
}

static void a_hostile_child_is_ended_and_replaced(void **state)
{
    (void)state;
    behaviour[0] = "garbage";
    assert_ok(supervisor_add(supervisor, &worker_role, 0, &err), &err);
    turn_until(&deaths, 1);
    assert_int_equal(last_warning.code, MUTUAL_E_MESSAGE_MALFORMED);
    behaviour[0] = "serve"; /* from the third on: the second was made in the same turn */
    turn_until(&deaths, 2);
    unsigned before = readies;
    turn_until(&readies, before + 1);
    ping(IPC_WORKER);
    turn_until(&pongs, 1);
}

static void the_accused_is_replaced_not_the_accuser(void **state)
{
    (void)state;
    behaviour[1] = "accuse";
    assert_ok(supervisor_add(supervisor, &keys_test_role, 0, &err), &err);
    turn_until(&readies, 1);
    pid_t keys = supervisor_find(supervisor, IPC_KEYS, 0)->pid;
    assert_ok(supervisor_add(supervisor, &worker_role, 0, &err), &err);
    turn_until(&deaths, 1);
    assert_int_equal(last_words_order[0], 'w');
    assert_non_null(strstr(last_warning.reason, "it said nonsense"));
    assert_int_equal(supervisor_find(supervisor, IPC_KEYS, 0)->pid, keys);
}

static void who_cannot_serve_is_tried_ever_more_slowly(void **state)
{
    (void)state;
    behaviour[0] = "leave";
    assert_ok(supervisor_add(supervisor, &worker_role, 0, &err), &err);
    int64_t begun = mu_clock_mono_ns();
    turn_until(&deaths, 4); /* at once, after 100 ms, after 200 ms */
    assert_true(mu_clock_mono_ns() - begun >= 300 * MU_NS_PER_MS);
    assert_int_equal(last_death.status, 5);
    assert_false(last_death.signalled);
    const struct supervised *child = supervisor_find(supervisor, IPC_WORKER, 0);
    assert_int_equal(child->deaths, 4);
    assert_int_equal(child->pid, 0);
    assert_fails(
        supervisor_send(supervisor, child, IPC_MSG_PING, MU_SLICE_LIT("12345678"), NULL, 0, &err),
        &err, MUTUAL_E_PROCESS_DIED);
}

static void all_end_in_order_keys_last(void **state)
{
    (void)state;
    add_both();
    supervisor_stop(supervisor, 5 * MU_NS_PER_S);
    turn_until(&stops, 1);
    assert_string_equal(last_words_order, "wk");
    assert_true(last_death.expected);
    assert_false(last_death.signalled);
    assert_int_equal(supervisor_count(supervisor), 0);
}

static void who_does_not_drain_is_ended(void **state)
{
    (void)state;
    behaviour[0] = "deaf";
    add_both();
    supervisor_stop(supervisor, 3600 * MU_NS_PER_S);
    supervisor_stop(supervisor, 0);
    turn_until(&stops, 1);
    assert_int_equal(deaths, 2);
    assert_string_equal(last_words_order, "wk");
}

static void one_can_be_removed(void **state)
{
    (void)state;
    add_both();
    supervisor_remove(supervisor, IPC_WORKER, 0, MU_NS_PER_S);
    supervisor_remove(supervisor, IPC_WORKER, 9, MU_NS_PER_S);
    turn_until(&deaths, 1);
    assert_null(supervisor_find(supervisor, IPC_WORKER, 0));
    assert_int_equal(supervisor_count(supervisor), 1);
    assert_int_equal(stops, 0);
}

static void an_unknown_user_is_refused(void **state)
{
    (void)state;
    struct supervisor *none = NULL;
    const struct supervisor_options options = {
        .reactor = reactor, .program = "mutual", .hooks = &hooks, .user = "no-such-user"};
    if (geteuid() == 0) {
        assert_fails(supervisor_new(&options, &none, &err), &err, MUTUAL_E_NOT_FOUND);
    }
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)
ROLES_MAIN(CASE(the_dead_are_replaced_and_linked_again), CASE(a_forbidden_call_is_told),
           CASE(a_hostile_child_is_ended_and_replaced),
           CASE(the_accused_is_replaced_not_the_accuser),
           CASE(who_cannot_serve_is_tried_ever_more_slowly), CASE(all_end_in_order_keys_last),
           CASE(who_does_not_drain_is_ended), CASE(one_can_be_removed),
           CASE(an_unknown_user_is_refused))
