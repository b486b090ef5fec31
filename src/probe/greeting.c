/* SPDX-License-Identifier: Apache-2.0
 *
 * Servers that answer a TLS hello with something else, told by their first bytes.
 */
#include "probe/probe_internal.h"

#include <string.h>

#define STARTTLS_ADVICE \
    "TLS begins there only after a command of that protocol; probe its TLS port instead."

static const struct {
    size_t at;
    const char *bytes;
    size_t len;
    struct probe_greeting greeting;
} rows[] = {
    {0,
     "HTTP/",
     5,
     {"a plain HTTP server", "This port speaks HTTP without TLS; probe its HTTPS port."}},
    {0,
     "<html",
     5,
     {"a plain HTTP server", "This port speaks HTTP without TLS; probe its HTTPS port."}},
    {0, "SSH-", 4, {"an SSH server", "SSH has its own encryption; there is no TLS on this port."}},
    {0, "220", 3, {"a mail or FTP server", STARTTLS_ADVICE}},
    {0, "* OK", 4, {"an IMAP server", STARTTLS_ADVICE}},
    {0, "+OK", 3, {"a POP3 server", STARTTLS_ADVICE}},
    {0, "-ERR", 4, {"a Redis server", "This port speaks Redis without TLS; probe its tls-port."}},
    {4, "\x0a", 1, {"a MySQL or MariaDB server", STARTTLS_ADVICE}},
    {0, "E\0\0\0", 4, {"a PostgreSQL server", STARTTLS_ADVICE}},
    {0, "RFB ", 4, {"a VNC server", "This port speaks VNC without TLS."}},
};

const struct probe_greeting *probe_greeting_find(struct mu_slice head)
{
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        if (head.len >= rows[i].at + rows[i].len &&
            memcmp(head.data + rows[i].at, rows[i].bytes, rows[i].len) == 0) {
            return &rows[i].greeting;
        }
    }
    return NULL;
}
