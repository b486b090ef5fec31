/* SPDX-License-Identifier: Apache-2.0
 *
 * A text as a QR code for a terminal, two modules a character. The library is loaded when somebody
 * asks for one: nothing else needs it.
 */
#include "cli/qr_internal.h"

#include <dlfcn.h>
#include <string.h>

/* Of qrencode.h, version 4: the symbol, and how much of it may be damaged. */
struct qr_code {
    int version, width;
    unsigned char *data; /* the lowest bit of each is the module */
};
typedef struct qr_code *encode_fn(const char *text, int version, int level, int hint,
                                  int case_sensitive);
typedef void free_fn(struct qr_code *code);
enum { LEVEL_LOW = 0, MODE_8 = 2, QUIET = 2 };

static bool is_dark(const struct qr_code *code, int x, int y)
{
    bool inside = x >= 0 && y >= 0 && x < code->width && y < code->width;
    return inside && (code->data[y * code->width + x] & 1) != 0;
}

/* Light modules are drawn, so that it reads on a dark terminal; on a light one it is inverted,
 * which readers bear. */
static void draw(const struct qr_code *code, struct mu_buf *out)
{
    static const char *const blocks[] = {"\u2588", "\u2580", "\u2584", " "};
    for (int y = -QUIET; y < code->width + QUIET; y += 2) {
        for (int x = -QUIET; x < code->width + QUIET; x++) {
            unsigned upper = is_dark(code, x, y) ? 2 : 0;
            unsigned lower = is_dark(code, x, y + 1) ? 1 : 0;
            (void)mu_buf_text(out, blocks[upper + lower]);
        }
        (void)mu_buf_byte(out, '\n');
    }
}

static void find(void *library, const char *name, void *ret_function)
{
    void *found = dlsym(library, name);
    memcpy(ret_function, &found, sizeof found); /* C has no cast from an object to a function */
}

bool qr_draw(const char *text, struct mu_buf *out, struct mutual_error *err)
{
    encode_fn *encode = NULL;
    free_fn *release = NULL;
    void *library = dlopen("libqrencode.so.4", RTLD_NOW | RTLD_LOCAL);
    if (library != NULL) {
        find(library, "QRcode_encodeString", &encode);
        find(library, "QRcode_free", &release);
    }
    if (encode == NULL || release == NULL) {
        return mu_fail(err, MUTUAL_E_FILE_MISSING, "could not load libqrencode.so.4") ||
               mu_error_hint(err, "Install it: apt install libqrencode4; or leave out --qr.");
    }
    struct qr_code *code = encode(text, 0, LEVEL_LOW, MODE_8, 1);
    if (code == NULL) {
        return mu_fail(err, MUTUAL_E_LIMIT, "the text does not fit into a QR code");
    }
    draw(code, out);
    release(code);
    return !out->failed || mu_fail_memory(err);
}
