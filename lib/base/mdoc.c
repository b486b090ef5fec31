/* SPDX-License-Identifier: Apache-2.0
 *
 * Running text for manual pages that are made from tables: mdoc's own characters escaped, lines
 * kept short, every sentence on a line of its own.
 */
#include "base/base.h"

#include <string.h>

#define LINE_MAX_LEN 78u

static void put_word(struct mu_buf *out, const char *word, size_t len)
{
    if (len > 0 && (word[0] == '.' || word[0] == '\'')) {
        mu_buf_text(out, "\\&"); /* else it would be a macro at the start of a line */
    }
    for (size_t i = 0; i < len; i++) {
        if (word[i] == '\\') {
            mu_buf_text(out, "\\e");
        } else if (word[i] == '-') {
            mu_buf_text(out, "\\-");
        } else {
            mu_buf_byte(out, (uint8_t)word[i]);
        }
    }
}

void mu_mdoc_text(struct mu_buf *out, const char *text)
{
    size_t line = 0;
    bool sentence = false; /* the last word ended one */
    while (*text != '\0') {
        size_t len = strcspn(text, " \n");
        if (line > 0 && (sentence || line + 1 + len > LINE_MAX_LEN)) {
            mu_buf_byte(out, '\n');
            line = 0;
        } else if (line > 0) {
            mu_buf_byte(out, ' ');
            line++;
        }
        size_t before = out->len;
        put_word(out, text, len);
        line += out->len - before;
        sentence =
            len > 1 && (text[len - 1] == '.' || text[len - 1] == '?' || text[len - 1] == '!');
        text += len;
        text += strspn(text, " \n");
    }
    mu_buf_byte(out, '\n');
}
