/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parent tells the authority at its beginning.
 */
#include <limits.h>
#include <string.h>

#include "evidence/evidence.h"
#include "ipc/ipc.h"

enum { URL_MAX = 2048, DIRECTORY_MAX = 4096, PATTERN_MAX = 2048 };

void evidence_setup_done(struct evidence_setup *setup)
{
    mu_free(setup->directory);
    mu_free(setup->url);
    mu_free(setup->publish);
    mu_free(setup->acme_terms);
    for (size_t i = 0; i < setup->admin_count; i++) {
        mu_free(setup->admins[i].pattern);
    }
    *setup = (struct evidence_setup){0};
}

void evidence_setup_write(const struct evidence_setup *setup, struct mu_buf *out)
{
    ipc_put_text(out, setup->directory);
    ipc_put_text(out, setup->url);
    ipc_put_text(out, setup->publish);
    ipc_put_u64(out, (uint64_t)setup->grace_s);
    ipc_put_u8(out, setup->acme ? 1 : 0);
    ipc_put_u8(out, setup->acme_open ? 1 : 0);
    ipc_put_text(out, setup->acme_terms);
    ipc_put_u8(out, setup->keygen ? 1 : 0);
    ipc_put_u8(out, (uint8_t)setup->admin_count);
    for (size_t i = 0; i < setup->admin_count; i++) {
        ipc_put_u8(out, setup->admins[i].role);
        ipc_put_u8(out, setup->admins[i].type);
        ipc_put_text(out, setup->admins[i].pattern);
    }
}

/* "" stands for none. */
static bool get_text(struct ipc_reader *reader, size_t max, char **ret_text)
{
    struct mu_slice text = ipc_get_bytes(reader, max);
    if (text.len == 0) {
        *ret_text = NULL;
        return true;
    }
    if (memchr(text.data, '\0', text.len) != NULL) {
        reader->failed = true;
        return true;
    }
    *ret_text = mu_slice_dup(text);
    return *ret_text != NULL;
}

static bool get_admins(struct ipc_reader *reader, struct evidence_setup *setup)
{
    size_t count = ipc_get_u8(reader);
    if (count > EVIDENCE_ADMINS) {
        reader->failed = true;
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        struct evidence_admin *admin = &setup->admins[i];
        admin->role = ipc_get_u8(reader);
        admin->type = ipc_get_u8(reader);
        if (!get_text(reader, PATTERN_MAX, &admin->pattern)) {
            return false;
        }
        setup->admin_count++;
        reader->failed = reader->failed || admin->pattern == NULL;
    }
    return true;
}

bool evidence_setup_read(struct mu_slice bytes, struct evidence_setup *ret_setup,
                         struct mutual_error *err)
{
    struct evidence_setup setup = {0};
    struct ipc_reader reader = ipc_reader_of(bytes);
    bool good =
        (get_text(&reader, DIRECTORY_MAX, &setup.directory) &&
         get_text(&reader, URL_MAX, &setup.url) && get_text(&reader, URL_MAX, &setup.publish)) ||
        mu_fail_memory(err);
    setup.grace_s = (int64_t)ipc_get_u64(&reader);
    setup.acme = ipc_get_u8(&reader) != 0;
    setup.acme_open = ipc_get_u8(&reader) != 0;
    good = good && (get_text(&reader, URL_MAX, &setup.acme_terms) || mu_fail_memory(err));
    setup.keygen = ipc_get_u8(&reader) != 0;
    good = good && (get_admins(&reader, &setup) || mu_fail_memory(err));
    good = good && ipc_reader_end(&reader, "the authority's setup", err);
    if (good && (setup.directory == NULL || setup.grace_s < 0)) {
        good = mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "the authority's setup names no directory");
    }
    if (!good) {
        evidence_setup_done(&setup);
        return false;
    }
    *ret_setup = setup;
    return true;
}
