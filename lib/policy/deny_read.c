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
    struct mu_buf value;       /* of a setting with backslashes */
    const char *issuer;        /* the last one, since long lists are by few issuers ... */
    uint8_t issuer_hash[32];   /* ... and what its name hashes to */
    const char *owner;         /* the last one, likewise */
    struct mu_slice values[FIELD_COUNT_]; /* in the text, or in the arena; data NULL: not given */
};

static const struct {
    const char *text;
    size_t len;
} words[FIELD_COUNT_] = {
#define WORD(text_)              \
    {                            \
        text_, sizeof(text_) - 1 \
    }
    [FIELD_SERIAL] = WORD("serial"),
    [FIELD_KEY] = WORD("key"),
    [FIELD_NAME + MUTUAL_NAME_SPIFFE] = WORD("spiffe"),
    [FIELD_NAME + MUTUAL_NAME_URI] = WORD("uri"),
    [FIELD_NAME + MUTUAL_NAME_DNS] = WORD("dns"),
    [FIELD_NAME + MUTUAL_NAME_EMAIL] = WORD("email"),
    [FIELD_NAME + MUTUAL_NAME_IP] = WORD("ip"),
    [FIELD_NAME + MUTUAL_NAME_CN] = WORD("cn"),
    [FIELD_ISSUER] = WORD("issuer"),
    [FIELD_TIME] = WORD("time"),
    [FIELD_OWNER] = WORD("owner"),
    [FIELD_REASON] = WORD("reason"),
#undef WORD
};

static const char *field_word(unsigned field)
{
    return words[field].text;
}

static bool is_given(const struct reading *reading, unsigned field)
{
    return reading->values[field].data != NULL;
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

/* How far the text goes without a quote or a backslash. */
static size_t plain_run(struct mu_slice text)
{
    size_t run = 0;
    while (run < text.len && text.data[run] != '"' && text.data[run] != '\\') {
        run++;
    }
    return run;
}

/* Up to the closing quote, backslashes undone. */
static bool read_escaped(struct reading *reading, struct mu_slice *rest, struct mu_slice *ret_value,
                         struct mutual_error *err)
{
    struct mu_buf *value = &reading->value;
    mu_buf_clear(value);
    while (rest->len > 0 && rest->data[0] != '"') {
        struct mu_slice run = take(rest, plain_run(*rest));
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
    const char *copy =
        value->failed ? NULL
                      : mu_arena_strndup(mu_deny_arena(reading->deny), value->data, value->len);
    *ret_value = mu_slice_of(copy, value->len);
    return copy != NULL || mu_fail_memory(err);
}

/* What stands between quotes is taken where it stands, unless there are backslashes in it. */
static bool read_quoted(struct reading *reading, struct mu_slice *rest, struct mu_slice *ret_value,
                        struct mutual_error *err)
{
    (void)take(rest, 1);
    size_t run = plain_run(*rest);
    if (run == rest->len || rest->data[run] == '"') {
        *ret_value = take(rest, run);
    } else if (!read_escaped(reading, rest, ret_value, err)) {
        return false;
    }
    if (rest->len == 0) {
        return wrong(err, "a quote is not closed");
    }
    (void)take(rest, 1);
    return (rest->len == 0 || is_blank(rest->data[0])) ||
           wrong(err, "something stands right behind a closing quote");
}

static bool read_bare(struct mu_slice *rest, struct mu_slice *ret_value, struct mutual_error *err)
{
    size_t len = 0;
    bool plain = true;
    for (; len < rest->len && !is_blank(rest->data[len]); len++) {
        plain = plain && rest->data[len] != '"' && rest->data[len] != '\\';
    }
    *ret_value = take(rest, len);
    return plain || wrong(err, "a value with quotes or backslashes has to stand in quotes");
}

static bool find_field(struct mu_slice word, unsigned *ret_field, struct mutual_error *err)
{
    for (unsigned field = 0; field < FIELD_COUNT_; field++) {
        if (word.len == words[field].len && memcmp(word.data, words[field].text, word.len) == 0) {
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
    struct mu_slice value;
    *rest = mu_slice_of(equals + 1, rest->len - word.len - 1);
    bool quoted = rest->len > 0 && rest->data[0] == '"';
    if (!(quoted ? read_quoted(reading, rest, &value, err) : read_bare(rest, &value, err))) {
        return false;
    }
    if (is_given(reading, field)) {
        return mu_fail(err, MUTUAL_E_DENY_INVALID, "\"%s\" is there twice", field_word(field));
    }
    if (value.len == 0) {
        return mu_fail(err, MUTUAL_E_DENY_INVALID, "\"%s\" is empty", field_word(field));
    }
    reading->values[field] = value;
    return true;
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

static const char *keep(struct reading *reading, struct mu_slice text)
{
    return mu_arena_strndup(mu_deny_arena(reading->deny), text.data, text.len);
}

/* Most entries say the same as the one before: that is kept once. */
static const char *keep_again(struct reading *reading, const char **last, struct mu_slice text)
{
    if (*last == NULL || !mu_slice_equal_text(text, *last)) {
        *last = keep(reading, text);
    }
    return *last;
}

static int digit(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static bool read_hex(struct mu_slice text, uint8_t *bytes, size_t max, size_t *ret_len)
{
    *ret_len = text.len / 2;
    bool good = text.len % 2 == 0 && *ret_len <= max;
    for (size_t i = 0; good && i < *ret_len; i++) {
        int high = digit(text.data[2 * i]);
        int low = digit(text.data[2 * i + 1]);
        good = high >= 0 && low >= 0;
        bytes[i] = (uint8_t)((unsigned)high << 4 | (unsigned)low);
    }
    return good;
}

static bool read_bytes(const struct reading *reading, unsigned field, uint8_t bytes[32],
                       size_t *ret_len, struct mutual_error *err)
{
    struct mu_slice text = reading->values[field];
    bool key = field == FIELD_KEY;
    if (read_hex(text, bytes, key ? 32 : 20, ret_len)) {
        return !key || *ret_len == 32 ||
               wrong(err, "the SHA-256 of a key has 64 hexadecimal digits");
    }
    MU_AUTO(buf) struct mu_buf safe = {0};
    (void)mu_fail(err, MUTUAL_E_DENY_INVALID, "\"%s\" is no %s", shown(&safe, text),
                  key ? "SHA-256 of a key" : "serial number");
    return mu_error_hint(err, "Write %s in hexadecimal digits, two for each, nothing between.",
                         key ? "the 32 bytes of the SHA-256 of its SubjectPublicKeyInfo"
                             : "its bytes, 20 at most,");
}

/* Keeps the issuer's text, and what its name hashes to. */
static bool read_issuer(struct reading *reading, const char **ret_text, struct mutual_error *err)
{
    struct mu_slice text = reading->values[FIELD_ISSUER];
    if (reading->issuer != NULL && mu_slice_equal_text(text, reading->issuer)) {
        *ret_text = reading->issuer;
        return true;
    }
    MU_AUTO(buf) struct mu_buf der;
    MU_AUTO(buf) struct mu_buf canon;
    mu_buf_init(&der, MU_LIMIT_CERT_BYTES);
    mu_buf_init(&canon, 4u * MU_LIMIT_CERT_BYTES);
    reading->issuer = NULL;
    if (!mu_name_parse(text, &der, err)) {
        return false;
    }
    if (!mu_name_canon(mu_buf_slice(&der), &canon)) {
        return mu_fail_memory(err);
    }
    if (!mu_sha256(mu_buf_slice(&canon), reading->issuer_hash, err)) {
        return false;
    }
    *ret_text = reading->issuer = keep(reading, text);
    return reading->issuer != NULL || mu_fail_memory(err);
}

/* Who is denied: exactly one of the settings that say so. */
static bool find_who(const struct reading *reading, unsigned *ret_field, struct mutual_error *err)
{
    unsigned found = FIELD_COUNT_;
    for (unsigned field = 0; field < FIELD_ISSUER; field++) {
        if (!is_given(reading, field)) {
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
    if (is_given(reading, FIELD_ISSUER) && found != FIELD_SERIAL) {
        return wrong(err, "\"issuer\" goes with \"serial\" only");
    }
    *ret_field = found;
    return true;
}

static bool check_record(const struct reading *reading, int64_t *ret_time_s,
                         struct mutual_error *err)
{
    for (unsigned field = FIELD_TIME; field < FIELD_COUNT_; field++) {
        if (!is_given(reading, field)) {
            return mu_fail(err, MUTUAL_E_DENY_INVALID, "it does not say \"%s\"", field_word(field));
        }
    }
    if (reading->values[FIELD_OWNER].len > OWNER_MAX ||
        reading->values[FIELD_REASON].len > REASON_MAX) {
        return mu_fail(err, MUTUAL_E_DENY_INVALID,
                       "an owner has at most %u bytes, a reason at most %u", OWNER_MAX, REASON_MAX);
    }
    char time[MU_TIME_TEXT] = "";
    struct mutual_error why = {0};
    struct mu_slice text = reading->values[FIELD_TIME];
    if (text.len >= sizeof time) {
        return wrong(err, "the time is longer than any");
    }
    memcpy(time, text.data, text.len);
    return mu_time_parse(time, ret_time_s, &why) ||
           mu_fail(err, MUTUAL_E_DENY_INVALID, "%s", why.reason);
}

static bool add_name(struct reading *reading, unsigned who, struct mutual_denial *denial,
                     struct mutual_error *err)
{
    struct mutual_pattern *pattern = NULL;
    char text[MU_LIMIT_NAME_BYTES + 3]; /* "*." and a name; what is longer is none */
    struct mu_slice value = reading->values[who];
    if (value.len >= sizeof text) {
        return mu_fail(err, MUTUAL_E_DENY_INVALID, "a name has at most %u bytes",
                       MU_LIMIT_NAME_BYTES);
    }
    memcpy(text, value.data, value.len);
    text[value.len] = '\0';
    denial->type = (enum mutual_name_type)(who - FIELD_NAME);
    if (!mutual_pattern_parse(denial->type, text, &pattern, err)) {
        return false;
    }
    denial->value = keep(reading, mu_slice_text(mutual_pattern_text(pattern)));
    if (denial->value == NULL) {
        mutual_pattern_free(pattern);
        return mu_fail_memory(err);
    }
    return mu_deny_add(reading->deny, denial, pattern, mu_slice_of(NULL, 0), NULL, err);
}

static bool add_cert(struct reading *reading, unsigned who, struct mutual_denial *denial,
                     struct mutual_error *err)
{
    uint8_t bytes[32];
    size_t len = 0;
    struct mu_slice text = reading->values[who];
    bool issued = is_given(reading, FIELD_ISSUER);
    if (!read_bytes(reading, who, bytes, &len, err) ||
        (issued && !read_issuer(reading, &denial->issuer, err))) {
        return false;
    }
    char *value = mu_arena_strndup(mu_deny_arena(reading->deny), text.data, text.len);
    for (size_t i = 0; value != NULL && i < text.len; i++) {
        value[i] = value[i] >= 'A' && value[i] <= 'F' ? (char)(value[i] + 0x20) : value[i];
    }
    denial->value = value;
    return value == NULL ? mu_fail_memory(err)
                         : mu_deny_add(reading->deny, denial, NULL, mu_slice_of(bytes, len),
                                       issued ? reading->issuer_hash : NULL, err);
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
    denial.type = MUTUAL_NAME_COUNT_;
    denial.owner = keep_again(reading, &reading->owner, reading->values[FIELD_OWNER]);
    denial.reason = keep(reading, reading->values[FIELD_REASON]);
    if (denial.owner == NULL || denial.reason == NULL) {
        return mu_fail_memory(err);
    }
    return name ? add_name(reading, who, &denial, err) : add_cert(reading, who, &denial, err);
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
