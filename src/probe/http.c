/* SPDX-License-Identifier: Apache-2.0
 *
 * Some HTTP servers, nginx among them, take any certificate in the handshake and refuse it only in
 * their answer. So one who says by ALPN that it speaks HTTP is asked for "/", and its answer read.
 */
#include "probe/probe_internal.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *phrase;
    enum mutual_code code;
} phrases[] = {
    {"No required SSL certificate was sent", MUTUAL_E_PEER_WANTS_CERT},
    {"The SSL certificate error", MUTUAL_E_PEER_REFUSED_US},
};

void probe_http_request(const char *host, struct mu_buf *out)
{
    mu_buf_printf(out,
                  "GET / HTTP/1.1\r\nHost: %s\r\nUser-Agent: mutual-explain\r\nAccept: */*\r\n"
                  "Connection: close\r\n\r\n",
                  host);
}

static bool contains(struct mu_slice text, const char *phrase)
{
    return text.len > 0 && memmem(text.data, text.len, phrase, strlen(phrase)) != NULL;
}

bool probe_http_read(struct mu_slice answer, char note[PROBE_NOTE_BYTES], struct mutual_error *err)
{
    note[0] = '\0';
    if (answer.len < 5 || memcmp(answer.data, "HTTP/", 5) != 0) {
        return true;
    }
    const uint8_t *end = memchr(answer.data, '\r', answer.len);
    size_t len = end == NULL ? answer.len : (size_t)(end - answer.data);
    MU_AUTO(buf) struct mu_buf line;
    mu_buf_init(&line, 4 * 80);
    mu_escape(&line, mu_slice_of(answer.data, len < 80 ? len : 80));
    for (size_t i = 0; i < MU_COUNT(phrases); i++) {
        if (contains(answer, phrases[i].phrase)) {
            return mu_fail(err, phrases[i].code,
                           "the server finished the handshake and then answered: %s",
                           phrases[i].phrase);
        }
    }
    snprintf(note, PROBE_NOTE_BYTES, "Asked for / by HTTP, the server answered: %s",
             mu_buf_str(&line));
    return true;
}
