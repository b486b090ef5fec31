/* SPDX-License-Identifier: Apache-2.0
 *
 * The facts of a validated chain: made from a path or from the bytes in a session ticket, judged
 * again by time, anchor and revocation.
 */
#include <string.h>

#include "trust/trust_internal.h"

struct mutual_chain {
    atomic_uint refs;
    struct mutual_link *links;
    size_t link_count;
    struct mu_names *names;
    char *subject, *issuer;
    int64_t not_after_s;
    struct window window;
};

#define CHAIN_FORM  4u
#define SUBJECT_MAX 1024u /* as text; the rest of a longer one is cut off */

void mu_chain_auto(struct mutual_chain **chain)
{
    mutual_chain_unref(*chain);
}

struct mutual_chain *mutual_chain_ref(struct mutual_chain *chain)
{
    unsigned before = atomic_fetch_add_explicit(&chain->refs, 1, memory_order_relaxed);
    mu_assert(before > 0 && before < UINT32_MAX);
    return chain;
}

void mutual_chain_unref(struct mutual_chain *chain)
{
    if (chain == NULL || atomic_fetch_sub_explicit(&chain->refs, 1, memory_order_acq_rel) > 1) {
        return;
    }
    mu_free(chain->links);
    mu_names_free(chain->names);
    mu_free(chain->subject);
    mu_free(chain->issuer);
    mu_free(chain);
}

static char *copy_subject(const char *text)
{
    size_t len = strlen(text);
    return mu_strndup(text, len < SUBJECT_MAX ? len : SUBJECT_MAX);
}

bool mu_chain_new(const struct mutual_link *links, size_t link_count,
                  const struct mutual_name *names, size_t name_count, const char *subject,
                  const char *issuer, struct mutual_chain **ret_chain, struct mutual_error *err)
{
    if (link_count == 0 || link_count > MU_LIMIT_CHAIN_DEPTH) {
        return mu_fail(err, MUTUAL_E_LIMIT, "a chain of %zu certificates; 1 to %u are possible",
                       link_count, MU_LIMIT_CHAIN_DEPTH);
    }
    MU_AUTO(chain) struct mutual_chain *chain = mu_alloc(1, sizeof *chain);
    if (chain == NULL) {
        return mu_fail_memory(err);
    }
    atomic_init(&chain->refs, 1);
    chain->links = mu_alloc(link_count, sizeof *links);
    chain->subject = copy_subject(subject);
    chain->issuer = copy_subject(issuer);
    if (chain->links == NULL || chain->subject == NULL || chain->issuer == NULL) {
        return mu_fail_memory(err);
    }
    chain->link_count = link_count;
    chain->not_after_s = MU_TIME_NEVER_S;
    for (size_t i = 0; i < link_count; i++) {
        chain->links[i] = links[i];
        if (links[i].not_after_s < chain->not_after_s) {
            chain->not_after_s = links[i].not_after_s;
        }
    }
    if (!mu_names_new(names, name_count, &chain->names, err)) {
        return false;
    }
    *ret_chain = MU_TAKE(chain);
    return true;
}

const struct mutual_link *mutual_chain_links(const struct mutual_chain *chain, size_t *ret_count)
{
    *ret_count = chain->link_count;
    return chain->links;
}

const struct mutual_name *mutual_chain_names(const struct mutual_chain *chain, size_t *ret_count)
{
    return mu_names_list(chain->names, ret_count);
}

const char *mutual_chain_subject(const struct mutual_chain *chain)
{
    return chain->subject;
}

const char *mutual_chain_issuer(const struct mutual_chain *chain)
{
    return chain->issuer;
}

int64_t mutual_chain_not_after_s(const struct mutual_chain *chain)
{
    return chain->not_after_s;
}

struct window mu_chain_window(const struct mutual_chain *chain)
{
    return chain->window;
}

void mu_chain_set_window(struct mutual_chain *chain, struct window window)
{
    chain->window = window;
}

/* ---- judging again --------------------------------------------------------------------------- */

struct link_label {
    char text[64];
};

/* The leaf by its subject; of the others only serial numbers are left. */
static struct link_label label_of(const struct mutual_chain *chain, size_t index)
{
    struct link_label label = {{0}};
    MU_AUTO(buf) struct mu_buf buf;
    mu_buf_init(&buf, sizeof label.text - 1);
    if (index == 0) {
        size_t len = strlen(chain->subject);
        mu_buf_append(&buf, chain->subject, len < buf.max ? len : buf.max);
    }
    if (buf.len == 0) {
        mu_buf_text(&buf, "serial ");
        mu_hex(&buf, mu_slice_of(chain->links[index].serial, chain->links[index].serial_len));
    }
    memcpy(label.text, mu_buf_str(&buf), buf.len + 1);
    return label;
}

static bool recheck_time(const struct mutual_chain *chain, size_t index, int64_t now_s,
                         struct mutual_error *err)
{
    const struct mutual_link *link = &chain->links[index];
    char when[MU_TIME_TEXT];
    char words[MU_TIME_TEXT];
    if (now_s < link->not_before_s) {
        return mu_fail(err, MUTUAL_E_CERT_NOT_YET_VALID,
                       "certificate \"%s\" is not valid for another %s, until %s",
                       label_of(chain, index).text,
                       mu_duration_words(link->not_before_s - now_s, words),
                       mu_time_format(link->not_before_s, when));
    }
    if (now_s > link->not_after_s) {
        return mu_fail(err, MUTUAL_E_CERT_EXPIRED, "certificate \"%s\" expired %s ago (%s)",
                       label_of(chain, index).text,
                       mu_duration_words(now_s - link->not_after_s, words),
                       mu_time_format(link->not_after_s, when));
    }
    return true;
}

static bool has_anchor(const struct mutual_trust *trust, const uint8_t fingerprint[32])
{
    for (size_t i = 0; i < trust->anchor_count; i++) {
        if (memcmp(trust->anchors[i]->facts->fingerprint, fingerprint, 32) == 0) {
            return true;
        }
    }
    return false;
}

/* Has the bundle still what it lent the path? A peer who relied on it could not build it again. */
static bool still_lends(const struct mutual_trust *trust, const struct mutual_chain *chain)
{
    for (size_t i = 0; i < chain->link_count; i++) {
        if (chain->links[i].lent && mu_trust_cert(trust, chain->links[i].fingerprint) == NULL) {
            return false;
        }
    }
    return true;
}

bool mu_trust_follows(const struct mutual_trust *trust, const struct mutual_trust *before,
                      const struct mutual_chain *chain)
{
    bool same_demands = trust->allow_flaws == before->allow_flaws &&
                        trust->strict_constraints == before->strict_constraints &&
                        trust->max_intermediates == before->max_intermediates;
    return same_demands && has_anchor(trust, chain->links[chain->link_count - 1].fingerprint) &&
           still_lends(trust, chain);
}

bool mu_trust_recheck(const struct mutual_trust *trust, const struct mutual_chain *chain,
                      int64_t now_s, int64_t *ret_until_s, struct mutual_error *err)
{
    size_t last = chain->link_count - 1;
    int64_t until_s =
        chain->not_after_s == MU_TIME_NEVER_S ? MU_TIME_NEVER_S : chain->not_after_s + 1;
    for (size_t i = 0; i < chain->link_count; i++) {
        if (!recheck_time(chain, i, now_s, err)) {
            return mu_error_context(err, "certificate %zu of the chain of %zu", i + 1,
                                    chain->link_count);
        }
        if (i < last && !mu_revocation_check(trust, &chain->links[i], i, label_of(chain, i).text,
                                             now_s, &until_s, err)) {
            return mu_error_context(err, "certificate %zu of the chain of %zu", i + 1,
                                    chain->link_count);
        }
    }
    if (!has_anchor(trust, chain->links[last].fingerprint)) {
        return mu_fail(err, MUTUAL_E_UNKNOWN_ISSUER,
                       "the authority that \"%s\" leads to is no longer in bundle \"%s\"",
                       label_of(chain, 0).text, trust->name);
    }
    if (ret_until_s != NULL) {
        *ret_until_s = until_s;
    }
    return true;
}

/* ---- as bytes -------------------------------------------------------------------------------- */

/* form, links, names: one byte each; then the links, the names as type, length and text, subject
 * and issuer as length and text. Integers are big-endian. */

static void put_text(struct mu_buf *out, const char *text, size_t len)
{
    uint8_t head[2];
    mu_put_be16(head, (uint16_t)len);
    mu_buf_append(out, head, sizeof head);
    mu_buf_append(out, text, len);
}

static void put_link(struct mu_buf *out, const struct mutual_link *link)
{
    uint8_t times[16];
    mu_put_be64(times, (uint64_t)link->not_before_s);
    mu_put_be64(times + 8, (uint64_t)link->not_after_s);
    mu_buf_append(out, link->fingerprint, 32);
    mu_buf_append(out, link->key_hash, 32);
    mu_buf_append(out, link->issuer_hash, 32);
    mu_buf_append(out, link->issuer_name_hash, 32);
    mu_buf_byte(out, link->serial_len);
    mu_buf_append(out, link->serial, link->serial_len);
    mu_buf_append(out, times, sizeof times);
    mu_buf_byte(out, (uint8_t)((link->must_staple ? 1 : 0) | (link->lent ? 2 : 0)));
    mu_buf_byte(out, link->point_count);
    for (size_t i = 0; i < link->point_count; i++) {
        uint8_t reasons[2];
        mu_put_be16(reasons, link->points[i].reasons);
        mu_buf_append(out, link->points[i].name, sizeof link->points[i].name);
        mu_buf_append(out, link->points[i].issuer_name_hash, 32);
        mu_buf_append(out, reasons, sizeof reasons);
    }
}

bool mu_chain_serialise(const struct mutual_chain *chain, struct mu_buf *out,
                        struct mutual_error *err)
{
    size_t name_count = 0;
    const struct mutual_name *names = mu_names_list(chain->names, &name_count);
    size_t before = out->len;
    mu_buf_byte(out, CHAIN_FORM);
    mu_buf_byte(out, (uint8_t)chain->link_count);
    mu_buf_byte(out, (uint8_t)name_count);
    for (size_t i = 0; i < chain->link_count; i++) {
        put_link(out, &chain->links[i]);
    }
    for (size_t i = 0; i < name_count; i++) {
        mu_buf_byte(out, (uint8_t)names[i].type);
        put_text(out, names[i].text, names[i].len);
    }
    put_text(out, chain->subject, strlen(chain->subject));
    put_text(out, chain->issuer, strlen(chain->issuer));
    if (out->failed) {
        out->len = before;
        return mu_fail(err, MUTUAL_E_LIMIT,
                       "the facts of the chain of \"%s\" do not fit into %zu bytes",
                       label_of(chain, 0).text, out->max);
    }
    return true;
}

struct reader {
    struct mu_slice left;
    bool broken;
};

static struct mu_slice get(struct reader *reader, size_t len)
{
    if (reader->broken || reader->left.len < len) {
        reader->broken = true;
        return mu_slice_of("", 0);
    }
    struct mu_slice part = mu_slice_of(reader->left.data, len);
    reader->left = mu_slice_of(reader->left.data + len, reader->left.len - len);
    return part;
}

static uint8_t get_byte(struct reader *reader)
{
    struct mu_slice part = get(reader, 1);
    return part.len == 1 ? part.data[0] : 0;
}

static void get_bytes(struct reader *reader, uint8_t *ret_bytes, size_t len)
{
    struct mu_slice part = get(reader, len);
    if (part.len > 0) {
        memcpy(ret_bytes, part.data, part.len);
    }
}

static struct mu_slice get_text(struct reader *reader)
{
    struct mu_slice head = get(reader, 2);
    return get(reader, head.len == 2 ? mu_get_be16(head.data) : 0);
}

static void get_link(struct reader *reader, struct mutual_link *ret_link)
{
    uint8_t times[16] = {0};
    get_bytes(reader, ret_link->fingerprint, 32);
    get_bytes(reader, ret_link->key_hash, 32);
    get_bytes(reader, ret_link->issuer_hash, 32);
    get_bytes(reader, ret_link->issuer_name_hash, 32);
    ret_link->serial_len = get_byte(reader);
    if (ret_link->serial_len > sizeof ret_link->serial) {
        reader->broken = true;
        return;
    }
    get_bytes(reader, ret_link->serial, ret_link->serial_len);
    get_bytes(reader, times, sizeof times);
    ret_link->not_before_s = (int64_t)mu_get_be64(times);
    ret_link->not_after_s = (int64_t)mu_get_be64(times + 8);
    uint8_t flags = get_byte(reader);
    reader->broken = reader->broken || flags > 3;
    ret_link->must_staple = (flags & 1) != 0;
    ret_link->lent = (flags & 2) != 0;
    ret_link->point_count = get_byte(reader);
    if (ret_link->point_count > MUTUAL_LINK_POINTS) {
        reader->broken = true;
        return;
    }
    for (size_t i = 0; i < ret_link->point_count; i++) {
        uint8_t reasons[2] = {0};
        get_bytes(reader, ret_link->points[i].name, sizeof ret_link->points[i].name);
        get_bytes(reader, ret_link->points[i].issuer_name_hash, 32);
        get_bytes(reader, reasons, sizeof reasons);
        ret_link->points[i].reasons = mu_get_be16(reasons);
    }
}

/* What a serialised chain says, before anything is copied. */
struct parsed {
    struct mutual_link links[MU_LIMIT_CHAIN_DEPTH];
    struct mutual_name names[MU_LIMIT_CERT_NAMES + 1];
    size_t link_count, name_count;
    struct mu_slice subject, issuer;
};

static void get_chain(struct reader *reader, struct parsed *ret_parsed)
{
    reader->broken = get_byte(reader) != CHAIN_FORM;
    ret_parsed->link_count = get_byte(reader);
    ret_parsed->name_count = get_byte(reader);
    if (ret_parsed->link_count == 0 || ret_parsed->link_count > MU_COUNT(ret_parsed->links) ||
        ret_parsed->name_count > MU_COUNT(ret_parsed->names)) {
        reader->broken = true;
        return;
    }
    for (size_t i = 0; i < ret_parsed->link_count; i++) {
        get_link(reader, &ret_parsed->links[i]);
    }
    for (size_t i = 0; i < ret_parsed->name_count && !reader->broken; i++) {
        uint8_t type = get_byte(reader);
        struct mu_slice text = get_text(reader);
        if (type >= MUTUAL_NAME_COUNT_) {
            reader->broken = true;
            return;
        }
        ret_parsed->names[i] = (struct mutual_name){
            .type = (enum mutual_name_type)type, .text = (const char *)text.data, .len = text.len};
    }
    ret_parsed->subject = get_text(reader);
    ret_parsed->issuer = get_text(reader);
}

static bool has_nul(struct mu_slice text)
{
    return text.len > 0 && memchr(text.data, '\0', text.len) != NULL;
}

bool mu_chain_parse(struct mu_slice bytes, struct mutual_chain **ret_chain,
                    struct mutual_error *err)
{
    struct reader reader = {.left = bytes};
    struct parsed parsed = {.link_count = 0};
    get_chain(&reader, &parsed);
    if (reader.broken || reader.left.len > 0 || has_nul(parsed.subject) || has_nul(parsed.issuer)) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED,
                       "%zu bytes are not the facts of a chain in the form we write", bytes.len);
    }
    MU_AUTO(free) char *subject = mu_slice_dup(parsed.subject);
    MU_AUTO(free) char *issuer = mu_slice_dup(parsed.issuer);
    if (subject == NULL || issuer == NULL) {
        return mu_fail_memory(err);
    }
    return mu_chain_new(parsed.links, parsed.link_count, parsed.names, parsed.name_count, subject,
                        issuer, ret_chain, err);
}
