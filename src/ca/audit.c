/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit's chain, checked against what was noted of it outside of the store: the last link, in
 * the file audit.head of the authority's directory. Whoever can write to the store alone cannot cut
 * events off its end unseen.
 */
#include "ca/ca_internal.h"

#include <stdio.h>
#include <string.h>

enum { HEAD_BYTES_MAX = 256 };

void ca_head_format(const struct inventory_head *head, char text[CA_HEAD_TEXT])
{
    MU_AUTO(buf) struct mu_buf hex;
    mu_buf_init(&hex, CA_HEAD_TEXT);
    mu_hex(&hex, mu_slice_of(head->link, sizeof head->link));
    (void)snprintf(text, CA_HEAD_TEXT, "%lld:%s", (long long)head->id, mu_buf_str(&hex));
}

bool ca_head_parse(const char *text, struct inventory_head *ret_head, struct mutual_error *err)
{
    const char *colon = strchr(text, ':');
    char digits[24] = "";
    uint64_t id = 0;
    MU_AUTO(buf) struct mu_buf link;
    mu_buf_init(&link, INVENTORY_LINK);
    if (colon != NULL && (size_t)(colon - text) < sizeof digits) {
        (void)snprintf(digits, sizeof digits, "%.*s", (int)(colon - text), text);
    }
    if (!mu_text_uint(digits, INT64_MAX, &id) ||
        !mu_hex_parse(mu_slice_text(colon + 1), &link, NULL) || link.len != INVENTORY_LINK) {
        return mu_fail(err, MUTUAL_E_OPTION_VALUE, "\"%.80s\" is not the link of an event", text) ||
               mu_error_hint(err, "Write it as mutual audit verify prints it: NUMBER:DIGEST.");
    }
    ret_head->id = (int64_t)id;
    memcpy(ret_head->link, link.data, INVENTORY_LINK);
    return true;
}

/* *ret_noted: there is such a file. */
static bool read_noted(const struct ca *ca, bool *ret_noted, struct inventory_head *ret_head,
                       struct mutual_error *err)
{
    MU_AUTO(free) char *path = ca_text("%s/" CA_PART "/" CA_PART_HEAD, ca->dir);
    MU_AUTO(buf) struct mu_buf text;
    struct mutual_error why = {0};
    mu_buf_init(&text, HEAD_BYTES_MAX);
    *ret_noted = false;
    if (path == NULL) {
        return mu_fail_memory(err);
    }
    if (!mu_file_read(path, HEAD_BYTES_MAX - 1, &text, &why)) {
        bool none = why.code == MUTUAL_E_FILE_MISSING;
        if (!none && err != NULL) {
            *err = why;
        }
        return none;
    }
    char line[HEAD_BYTES_MAX];
    (void)snprintf(line, sizeof line, "%.*s", (int)strcspn(mu_buf_str(&text), "\n"),
                   mu_buf_str(&text));
    *ret_noted = ca_head_parse(line, ret_head, err) || mu_error_context(err, "file \"%s\"", path);
    return *ret_noted;
}

bool ca_head_note(struct inventory *inventory, const char *part_dir, struct mutual_error *err)
{
    struct inventory_head head;
    MU_AUTO(free) char *path = ca_text("%s/" CA_PART_HEAD, part_dir);
    char text[CA_HEAD_TEXT + 1];
    if (path == NULL) {
        return mu_fail_memory(err);
    }
    if (!inventory_head(inventory, &head, err)) {
        return false;
    }
    ca_head_format(&head, text);
    size_t len = strlen(text);
    text[len] = '\n';
    return mu_file_write(path, mu_slice_of(text, len + 1), 0600, err);
}

bool ca_audit(struct ca *ca, const struct inventory_head *noted, struct inventory_audit *ret_audit,
              struct mutual_error *err)
{
    struct inventory_head kept;
    bool is_kept = false;
    if (!read_noted(ca, &is_kept, &kept, err) ||
        !inventory_audit(ca->inventory, is_kept ? &kept : NULL, ret_audit, err)) {
        return false;
    }
    return noted == NULL || inventory_audit(ca->inventory, noted, ret_audit, err);
}
