/* SPDX-License-Identifier: Apache-2.0
 *
 * The message table: every row makes sense, and a message outside its row is refused.
 */
#include "ipc/ipc_internal.h"
#include "unit.h"

static struct mutual_error err;

static void every_row_makes_sense(void **state)
{
    (void)state;
    for (uint16_t type = 1; type < IPC_MSG_COUNT_; type++) {
        const struct ipc_row *row = ipc_row_find(type);
        assert_non_null(row);
        assert_true(row->from != 0 && row->to != 0);
        assert_true(row->least <= row->most);
        assert_true(row->most <= IPC_LARGE);
        assert_true(row->fds <= MU_LIMIT_MESSAGE_FDS);
        /* Whoever may not make memory files sends no large messages; and a child never passes
         * descriptors, but the helper whose answers are memory files. */
        if ((row->from & (IPC_WORKER | IPC_KEYS)) != 0) {
            assert_true(row->most <= IPC_INLINE_MAX);
        }
        if (row->from != IPC_PARENT) {
            assert_int_equal(row->fds, type == IPC_MSG_LIST ? 1 : 0);
        }
        assert_string_equal(ipc_type_name((enum ipc_type)type), row->name);
    }
    assert_null(ipc_row_find(IPC_MSG_NONE));
    assert_null(ipc_row_find(IPC_MSG_COUNT_));
    assert_string_equal(ipc_type_name(IPC_MSG_NONE), "NONE");
}

static void only_the_parent_speaks_with_keys_about_keys(void **state)
{
    (void)state;
    const enum ipc_party children[] = {IPC_WORKER, IPC_AUTHORITY, IPC_FETCH};
    for (size_t i = 0; i < MU_COUNT(children); i++) {
        assert_fails(ipc_row_check(IPC_MSG_KEY_LOAD, children[i], IPC_KEYS, 100, 1, &err), &err,
                     MUTUAL_E_MESSAGE_MALFORMED);
        assert_fails(ipc_row_check(IPC_MSG_KEY_FORGET, children[i], IPC_KEYS, 32, 0, &err), &err,
                     MUTUAL_E_MESSAGE_MALFORMED);
    }
    assert_ok(ipc_row_check(IPC_MSG_KEY_LOAD, IPC_PARENT, IPC_KEYS, 100, 1, &err), &err);
    assert_ok(ipc_row_check(IPC_MSG_KEY_SIGN, IPC_WORKER, IPC_KEYS, 100, 0, &err), &err);
    assert_fails(ipc_row_check(IPC_MSG_KEY_SIGN, IPC_FETCH, IPC_KEYS, 100, 0, &err), &err,
                 MUTUAL_E_MESSAGE_MALFORMED);
}

static void size_descriptors_and_type_are_checked(void **state)
{
    (void)state;
    assert_ok(ipc_row_check(IPC_MSG_PING, IPC_PARENT, IPC_KEYS, 8, 0, &err), &err);
    assert_fails(ipc_row_check(IPC_MSG_PING, IPC_PARENT, IPC_KEYS, 7, 0, &err), &err,
                 MUTUAL_E_MESSAGE_MALFORMED);
    assert_fails(ipc_row_check(IPC_MSG_PING, IPC_PARENT, IPC_KEYS, 9, 0, &err), &err,
                 MUTUAL_E_MESSAGE_MALFORMED);
    assert_fails(ipc_row_check(IPC_MSG_PING, IPC_PARENT, IPC_KEYS, 8, 1, &err), &err,
                 MUTUAL_E_MESSAGE_MALFORMED);
    assert_fails(ipc_row_check(999, IPC_PARENT, IPC_KEYS, 8, 0, &err), &err,
                 MUTUAL_E_MESSAGE_MALFORMED);
}

static void parties_have_names(void **state)
{
    (void)state;
    assert_string_equal(ipc_party_name(IPC_PARENT), "parent");
    assert_string_equal(ipc_party_name(IPC_FETCH), "fetch");
    assert_string_equal(ipc_party_name(IPC_CHILDREN), "process");
}

UNIT_MAIN(UNIT_CASE(every_row_makes_sense), UNIT_CASE(only_the_parent_speaks_with_keys_about_keys),
          UNIT_CASE(size_descriptors_and_type_are_checked), UNIT_CASE(parties_have_names))
