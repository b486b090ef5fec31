/* SPDX-License-Identifier: Apache-2.0
 *
 * Records are read in order, other lines are passed over, a half-written line waits.
 */
#include "demo/demo.h"
#include "unit.h"

#include <stdlib.h>
#include <unistd.h>

static void records_are_read_in_order(void **state)
{
    (void)state;
    char path[] = "/tmp/mutual-record-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd != -1);
    static const char text[] = "not json\n{\"event\":\"ready\"}\n"
                               "{\"event\":\"connection_end\",\"reason\":\"revoked\",\"detail\":"
                               "\"x\",\"tls.resumed\":true}\n"
                               "{\"event\":\"connection_end\",\"rule\":\"demo\",\"reason\":null,"
                               "\"peer.id\":\"spiffe://a/b\"}\n"
                               "{\"event\":\"connection_";
    assert_true(mu_fd_write(fd, text, sizeof text - 1));
    struct mutual_error err = {0};
    struct demo_record record = {0};
    size_t offset = 0;
    assert_ok(demo_record_next(path, &offset, &record, &err), &err);
    assert_string_equal(record.reason, "revoked");
    assert_true(record.resumed);
    assert_ok(demo_record_next(path, &offset, &record, &err), &err);
    assert_string_equal(record.rule, "demo");
    assert_string_equal(record.reason, "");
    assert_string_equal(record.peer, "spiffe://a/b");
    assert_true(mu_fd_write(fd, "end\",\"reason\":\"late\"}\n", 22));
    assert_ok(demo_record_next(path, &offset, &record, &err), &err);
    assert_string_equal(record.reason, "late");
    assert_int_equal(unlink(path), 0);
    assert_fails(demo_record_next(path, &offset, &record, &err), &err, MUTUAL_E_FILE_MISSING);
    (void)close(fd);
}

UNIT_MAIN(UNIT_CASE(records_are_read_in_order))
