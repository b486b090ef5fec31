/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/probe_internal.h"
#include "unit.h"

static void strangers_are_known_by_their_first_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        const char *what; /* NULL: nobody we know */
    } rows[] = {
        {"HTTP/1.1 400 Bad Request", 24, "a plain HTTP server"},
        {"SSH-2.0-OpenSSH_9.2", 19, "an SSH server"},
        {"220 mail.example.org ESMTP", 26, "a mail or FTP server"},
        {"J\0\0\0\x0a"
         "8.0.31",
         11, "a MySQL or MariaDB server"},
        {"E\0\0\0\x8fSFATAL", 11, "a PostgreSQL server"},
        {"-ERR unknown command", 20, "a Redis server"},
        {"hello", 5, NULL},
        {"SS", 2, NULL},
        {"", 0, NULL},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        const struct probe_greeting *greeting =
            probe_greeting_find(mu_slice_of(rows[i].bytes, rows[i].len));
        if (rows[i].what == NULL) {
            assert_null(greeting);
        } else {
            assert_non_null(greeting);
            assert_string_equal(greeting->what, rows[i].what);
            assert_true(greeting->advice[0] != '\0');
        }
    }
}

UNIT_MAIN(UNIT_CASE(strangers_are_known_by_their_first_bytes))
