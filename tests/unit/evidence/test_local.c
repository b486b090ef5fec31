/* SPDX-License-Identifier: Apache-2.0
 *
 * Who came by the authority's socket.
 */
#include "evidence/evidence.h"

#include "unit.h"

static void read(uint32_t uid, const char *name, const char *who)
{
    struct mutual_error err = {0};
    struct evidence_local local;
    MU_AUTO(buf) struct mu_buf bytes;
    mu_buf_init(&bytes, 256);
    evidence_local_write(uid, name, &bytes);
    assert_ok(evidence_local_read(mu_buf_slice(&bytes), &local, &err), &err);
    assert_int_equal(local.uid, uid);
    assert_string_equal(local.who, who);
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    read(0, "root", "root (0)");
    read(1000, "alice", "alice (1000)");
    read(4294967294u, "", "uid (4294967294)");
    read(7, "a\nb\"", "a\\x0ab\\\" (7)");
}

static void what_is_cut_is_refused(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct evidence_local local;
    MU_AUTO(buf) struct mu_buf bytes;
    mu_buf_init(&bytes, 256);
    evidence_local_write(1000, "alice", &bytes);
    for (size_t len = 0; len < bytes.len; len++) {
        assert_fails(evidence_local_read(mu_slice_of(bytes.data, len), &local, &err), &err,
                     MUTUAL_E_MESSAGE_MALFORMED);
    }
    mu_buf_byte(&bytes, 0);
    assert_fails(evidence_local_read(mu_buf_slice(&bytes), &local, &err), &err,
                 MUTUAL_E_MESSAGE_MALFORMED);
}

UNIT_MAIN(UNIT_CASE(what_is_written_is_read), UNIT_CASE(what_is_cut_is_refused))
