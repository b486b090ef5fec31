/* SPDX-License-Identifier: Apache-2.0
 *
 * The text of a deny list, read strictly: whatever is not understood is an error with its line, for
 * an entry that is passed over lets somebody in. The first line shows that it is a list, and the
 * last one ends: a file that is empty, cut or another is no list that denies nobody.
 */
#include "policy/deny_internal.h"

#include <stdio.h>
#include <string.h>

#include "x509/x509.h"

#define OWNER_MAX  256u
#define REASON_MAX 1024u

enum field {
    FIELD_SERIAL,
    FIELD_KEY,
    FIELD_NAME, /* and MUTUAL_NAME_COUNT_ - 1 more: the types of names */
    FIELD_ISSUER = FIELD_NAME + MUTUAL_NAME_COUNT_,
    FIELD_TIME,
    FIELD_OWNER,
    FIELD_REASON,
    FIELD_COUNT_,
};

/* The text on its way to a list. */
struct reading {
    struct mutual_deny *deny;
    const char *file;
    mutual_deny_fault tell;
    void *context;
    int line;
    size_t faults;
    struct mutual_error first; /* of the faults */
    struct mu_buf value;       /* of the setting that is being read */
    const char *issuer;        /* the last one, since long lists are by few issuers ... */
    uint8_t issuer_hash[32];   /* ... and what its name hashes to */
    const char *values[FIELD_COUNT_];
};

static const char *field_word(unsigned field)
{
    static const char *const words[] = {
        [FIELD_SERIAL] = "serial", [FIELD_KEY] = "key",     [FIELD_ISSUER] = "issuer",
        [FIELD_TIME] = "time",     [FIELD_OWNER] = "owner", [FIELD_REASON] = "reason"};
    return field >= FIELD_NAME && field < FIELD_ISSUER
               ? mutual_name_type_word((enum mutual_name_type)(field - FIELD_NAME))
               : words[field];
}

static void tell(struct reading *reading, const struct mutual_error *fault)
{
    struct mutual_error told = *fault;
    if (reading->line > 0) {
        (void)mu_error_context(&told, "%s:%d", reading->file, reading->line);
    }
    if (reading->faults++ == 0) {
        reading->first = told;
    }
    if (reading->tell != NULL) {
        reading->tell(reading->context, reading->line, fault);
    }
}

/* The slice as a quoted, safe and short text. */
static const char *shown(struct mu_buf *out, struct mu_slice text)
{
    mu_buf_init(out, 512);
    mu_escape(out, mu_slice_of(text.data, text.len < 60 ? text.len : 60));
    return mu_buf_str(out);
}

static bool wrong(struct mutual_error *err, const char *what)
{
    return mu_fail(err, MUTUAL_E_DENY_INVALID, "%s", what);
}

/* ---- a line into settings ---------------------------------------------------------------------
 */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static void skip_blanks(struct mu_slice *rest)
{
    while (rest->len > 0 && is_blank(rest->data[0])) {
        *rest = mu_slice_of(rest->data + 1, rest->len - 1);
    }
}

static struct mu_slice take(struct mu_slice *rest, size_t len)
{
    struct mu_slice piece = mu_slice_of(rest->data, len);
    *rest = mu_slice_of(rest->data + len, rest->len - len);
    return piece;
}

static bool read_quoted(struct mu_slice *rest, struct mu_buf *value, struct mutual_error *err)
{
    (void)take(rest, 1);
    while (rest->len > 0 && rest->data[0] != '"') {
        size_t plain = 0;
        while (plain < rest->len && rest->data[plain] != '"' && rest->data[plain] != '\\') {
            plain++;
        }
        struct mu_slice run = take(rest, plain);
        mu_buf_append(value, run.data, run.len);
        if (rest->len == 0 || rest->data[0] == '"') {
            break;
        }
        (void)take(rest, 1);
        if (rest->len == 0 || (rest->data[0] != '"' && rest->data[0] != '\\')) {
            return wrong(err, "a backslash stands before neither a quote nor a backslash");
        }
        mu_buf_byte(value, take(rest, 1).data[0]);
    }
    if (rest->len == 0) {
        return wrong(err, "a quote is not closed");
    }
    (void)take(rest, 1);
    return (rest->len == 0 || is_blank(rest->data[0])) ||
           wrong(err, "something stands right behind a closing quote");
}

static bool read_bare(struct mu_slice *rest, struct mu_buf *value, struct mutual_error *err)
{
    size_t len = 0;
    bool plain = true;
    for (; len < rest->len && !is_blank(rest->data[len]); len++) {
        plain = plain && rest->data[len] != '"' && rest->data[len] != '\\';
    }
    struct mu_slice word = take(rest, len);
    mu_buf_append(value, word.data, word.len);
    return plain || wrong(err, "a value with quotes or backslashes has to stand in quotes");
}

static bool find_field(struct mu_slice word, unsigned *ret_field, struct mutual_error *err)
{
    for (unsigned field = 0; field < FIELD_COUNT_; field++) {
        if (mu_slice_equal_text(word, field_word(field))) {
            *ret_field = field;
            return true;
        }
    }
    MU_AUTO(buf) struct mu_buf text = {0};
    (void)mu_fail(err, MUTUAL_E_DENY_INVALID, "there is no setting \"%s\"", shown(&text, word));
    return mu_error_hint(err, "Settings are: serial, issuer, key, spiffe, uri, dns, email, ip, cn, "
                              "time, owner, reason.");
}

static bool read_setting(struct reading *reading, struct mu_slice *rest, struct mutual_error *err)
{
    const uint8_t *equals = memchr(rest->data, '=', rest->len);
    MU_AUTO(buf) struct mu_buf text = {0};
    unsigned field = 0;
    if (equals == NULL) {
        return mu_fail(err, MUTUAL_E_DENY_INVALID, "\"%s\" is no setting: it has no \"=\"",
                       shown(&text, *rest));
    }
    struct mu_slice word = mu_slice_of(rest->data, (size_t)(equals - rest->data));
    if (!find_field(word, &field, err)) {
        return false;
    }
    *rest = mu_slice_of(equals + 1, rest->len - word.len - 1);
    mu_buf_clear(&reading->value);
    bool quoted = rest->len > 0 && rest->data[0] == '"';
    if (!(quoted ? read_quoted(rest, &reading->value, err)
                 : read_bare(rest, &reading->value, err))) {
        return false;
    }
    if (reading->value.failed) {
        return mu_fail_memory(err);
    }
    if (reading->values[field] != NULL) {
        return mu_fail(err, MUTUAL_E_DENY_INVALID, "\"%s\" is there twice", field_word(field));
    }
    if (reading->value.len == 0) {
        return mu_fail(err, MUTUAL_E_DENY_INVALID, "\"%s\" is empty", field_word(field));
    }
    reading->values[field] =
        mu_arena_strndup(mu_deny_arena(reading->deny), reading->value.data, reading->value.len);
    return reading->values[field] != NULL || mu_fail_memory(err);
}

static bool read_settings(struct reading *reading, struct mu_slice rest, struct mutual_error *err)
{
    if (rest.len > MU_LIMIT_DENY_LINE) {
        return mu_fail(err, MUTUAL_E_LIMIT, "the line is longer than %u bytes", MU_LIMIT_DENY_LINE);
    }
    for (size_t i = 0; i < rest.len; i++) {
        if ((rest.data[i] < 0x20 && rest.data[i] != '\t') || rest.data[i] == 0x7f) {
            return mu_fail(err, MUTUAL_E_DENY_INVALID, "character %zu is a control byte (%02x)",
                           i + 1, rest.data[i]);
        }
    }
    memset(reading->values, 0, sizeof reading->values);
    for (skip_blanks(&rest); rest.len > 0; skip_blanks(&rest)) {
        if (!read_setting(reading, &rest, err)) {
            return false;
        }
    }
    return true;
}

/* ---- settings into an entry -------------------------------------------------------------------
 */

static bool read_bytes(struct reading *reading, unsigned field, size_t max, struct mu_slice *ret,
                       struct mutual_error *err)
{
    const char *text = reading->values[field];
    mu_buf_clear(&reading->value);
    if (!mu_hex_parse(mu_slice_text(text), &reading->value, NULL) || reading->value.len > max) {
        MU_AUTO(buf) struct mu_buf safe = {0};
        bool key = field == FIELD_KEY;
        (void)mu_fail(err, MUTUAL_E_DENY_INVALID, "\"%s\" is no %s",
                      shown(&safe, mu_slice_text(text)),
                      key ? "SHA-256 of a key" : "serial number");
        return mu_error_hint(err, "Write %s in hexadecimal digits, two for each, nothing between.",
                             key ? "the 32 bytes of the SHA-256 of its SubjectPublicKeyInfo"
                                 : "its bytes, 20 at most,");
    }
    *ret = mu_buf_slice(&reading->value);
    return true;
}

static bool hash_issuer(struct reading *reading, const char *text, struct mutual_error *err)
{
    if (reading->issuer != NULL && strcmp(reading->issuer, text) == 0) {
        return true;
    }
    reading->issuer = NULL;
    MU_AUTO(buf) struct mu_buf der;
    MU_AUTO(buf) struct mu_buf canon;
    mu_buf_init(&der, MU_LIMIT_CERT_BYTES);
    mu_buf_init(&canon, 4u * MU_LIMIT_CERT_BYTES);
    if (!mu_name_parse(mu_slice_text(text), &der, err)) {
        return false;
    }
    if (!mu_name_canon(mu_buf_slice(&der), &canon)) {
        return mu_fail_memory(err);
    }
    if (!mu_sha256(mu_buf_slice(&canon), reading->issuer_hash, err)) {
        return false;
    }
    reading->issuer = text;
    return true;
}

/* Who is denied: exactly one of the settings that say so. */
static bool find_who(const struct reading *reading, unsigned *ret_field, struct mutual_error *err)
{
    unsigned found = FIELD_COUNT_;
    for (unsigned field = 0; field < FIELD_ISSUER; field++) {
        if (reading->values[field] == NULL) {
            continue;
        }
        if (found != FIELD_COUNT_) {
            return mu_fail(err, MUTUAL_E_DENY_INVALID, "\"%s\" and \"%s\" are two entries",
                           field_word(found), field_word(field));
        }
        found = field;
    }
    if (found == FIELD_COUNT_) {
        return wrong(err, "it does not say who is denied");
    }
    if (reading->values[FIELD_ISSUER] != NULL && found != FIELD_SERIAL) {
        return wrong(err, "\"issuer\" goes with \"serial\" only");
    }
    *ret_field = found;
    return true;
}

static bool check_record(const struct reading *reading, int64_t *ret_time_s,
                         struct mutual_error *err)
{
    for (unsigned field = FIELD_TIME; field < FIELD_COUNT_; field++) {
        if (reading->values[field] == NULL) {
            return mu_fail(err, MUTUAL_E_DENY_INVALID, "it does not say \"%s\"", field_word(field));
        }
    }
    if (strlen(reading->values[FIELD_OWNER]) > OWNER_MAX ||
        strlen(reading->values[FIELD_REASON]) > REASON_MAX) {
        return mu_fail(err, MUTUAL_E_DENY_INVALID,
                       "an owner has at most %u bytes, a reason at most %u", OWNER_MAX, REASON_MAX);
    }
    struct mutual_error why = {0};
    return mu_time_parse(reading->values[FIELD_TIME], ret_time_s, &why) ||
           mu_fail(err, MUTUAL_E_DENY_INVALID, "%s", why.reason);
}

static bool add_name(struct reading *reading, struct mutual_denial *denial,
                     struct mutual_error *err)
{
    struct mutual_pattern *pattern = NULL;
    if (!mutual_pattern_parse(denial->type, denial->value, &pattern, err)) {
        return false;
    }
    const char *text = mutual_pattern_text(pattern);
    denial->value = mu_arena_strndup(mu_deny_arena(reading->deny), text, strlen(text));
    if (denial->value == NULL) {
        mutual_pattern_free(pattern);
        return mu_fail_memory(err);
    }
    return mu_deny_add(reading->deny, denial, pattern, mu_slice_of(NULL, 0), NULL, err);
}

static bool add_cert(struct reading *reading, unsigned who, struct mutual_denial *denial,
                     struct mutual_error *err)
{
    bool key = who == FIELD_KEY;
    struct mu_slice bytes;
    if (!read_bytes(reading, who, key ? 32 : 20, &bytes, err) ||
        (denial->issuer != NULL && !hash_issuer(reading, denial->issuer, err))) {
        return false;
    }
    if (key && bytes.len != 32) {
        return wrong(err, "the SHA-256 of a key has 64 hexadecimal digits");
    }
    MU_AUTO(buf) struct mu_buf hex;
    mu_buf_init(&hex, 128);
    mu_hex(&hex, bytes);
    denial->value =
        hex.failed ? NULL : mu_arena_strndup(mu_deny_arena(reading->deny), hex.data, hex.len);
    return denial->value == NULL
               ? mu_fail_memory(err)
               : mu_deny_add(reading->deny, denial, NULL, bytes,
                             denial->issuer != NULL ? reading->issuer_hash : NULL, err);
}

static bool read_entry(struct reading *reading, struct mu_slice line, struct mutual_error *err)
{
    unsigned who = 0;
    struct mutual_denial denial = {.line = reading->line};
    if (!read_settings(reading, line, err) || !find_who(reading, &who, err) ||
        !check_record(reading, &denial.time_s, err)) {
        return false;
    }
    bool name = who >= FIELD_NAME;
    denial.kind = name               ? MUTUAL_DENIAL_NAME
                  : who == FIELD_KEY ? MUTUAL_DENIAL_KEY
                                     : MUTUAL_DENIAL_SERIAL;
    denial.type = name ? (enum mutual_name_type)(who - FIELD_NAME) : MUTUAL_NAME_COUNT_;
    denial.value = reading->values[who];
    denial.issuer = reading->values[FIELD_ISSUER];
    denial.owner = reading->values[FIELD_OWNER];
    denial.reason = reading->values[FIELD_REASON];
    return name ? add_name(reading, &denial, err) : add_cert(reading, who, &denial, err);
}

/* ---- the text ---------------------------------------------------------------------------------
 */

static void read_line(struct reading *reading, struct mu_slice line)
{
    struct mutual_error fault = {0};
    struct mu_slice rest = line;
    skip_blanks(&rest);
    if (reading->line == 1) {
        if (!mu_slice_equal_text(line, MU_DENY_HEAD)) {
            (void)mu_fail(&fault, MUTUAL_E_DENY_INVALID,
                          "the first line is not \"" MU_DENY_HEAD "\": this is no deny list");
            tell(reading, &fault);
        }
    } else if (rest.len > 0 && rest.data[0] != '#' && !read_entry(reading, rest, &fault)) {
        tell(reading, &fault);
    }
}

static void read_all(struct reading *reading, struct mu_slice rest)
{
    struct mutual_error fault = {0};
    if (rest.len == 0) {
        (void)mu_fail(&fault, MUTUAL_E_DENY_INVALID,
                      "it is empty; a list that denies nobody has its first line, \"" MU_DENY_HEAD
                      "\"");
        tell(reading, &fault);
        return;
    }
    while (rest.len > 0) {
        const uint8_t *end = memchr(rest.data, '\n', rest.len);
        reading->line++;
        if (end == NULL) {
            (void)mu_fail(&fault, MUTUAL_E_DENY_INVALID,
                          "the last line does not end: the file may have been cut");
            tell(reading, &fault);
            return;
        }
        size_t len = (size_t)(end - rest.data);
        read_line(reading, mu_slice_of(rest.data, len));
        rest = mu_slice_of(rest.data + len + 1, rest.len - len - 1);
    }
}

static bool fail_with(const struct reading *reading, struct mutual_error *err)
{
    if (err != NULL) {
        *err = reading->first;
        if (reading->faults > 1) {
            (void)mu_error_context(err, "and %zu more lines", reading->faults - 1);
        }
    }
    return false;
}

bool mutual_deny_parse(const char *text, size_t len, const char *file, mutual_deny_fault tell_fault,
                       void *context, struct mutual_deny **ret_deny, struct mutual_error *err)
{
    struct reading reading = {
        .deny = mu_deny_new(file), .file = file, .tell = tell_fault, .context = context};
    struct mutual_error fault = {0};
    if (reading.deny == NULL) {
        return mu_fail_memory(err);
    }
    mu_buf_init(&reading.value, MU_LIMIT_DENY_LINE);
    if (len > MU_LIMIT_DENY_BYTES) {
        (void)mu_fail(&fault, MUTUAL_E_LIMIT, "the list is larger than %u bytes",
                      MU_LIMIT_DENY_BYTES);
        tell(&reading, &fault);
    } else {
        read_all(&reading, mu_slice_of(text, len));
    }
    mu_buf_done(&reading.value);
    if (reading.faults == 0 && !mu_deny_freeze(reading.deny, &fault)) {
        reading.line = 0;
        tell(&reading, &fault);
    }
    if (reading.faults > 0) {
        mutual_deny_unref(reading.deny);
        return fail_with(&reading, err);
    }
    *ret_deny = reading.deny;
    return true;
}
