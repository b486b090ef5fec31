/* SPDX-License-Identifier: Apache-2.0
 *
 * The deny list of a configuration, by hand. The file is changed under a lock and replaced whole;
 * what stands in it before and afterwards is read by the very reader of the gateway, so that no
 * command leaves a list behind that a reload refuses.
 */
#include "cli/denied_internal.h"

#include <limits.h>
#include <string.h>

#include "cli/authority_internal.h"
#include "config/config.h"
#include "policy/policy.h"

#define LIST_MODE 0640
/* An entry and the words about it. */
#define TEXT_MAX (4u * MU_LIMIT_DENY_LINE)

/* ---- which file -------------------------------------------------------------------------------
 */

/* The list that the configuration names, whether it is there or not; NULL: none. */
static bool find_file(const struct cli *cli, char file[PATH_MAX], struct mutual_error *err)
{
    MU_AUTO(config_findings) struct config_findings findings;
    MU_AUTO(config_snapshot) struct config_snapshot *snapshot = NULL;
    MU_AUTO(config) struct config *config = NULL;
    config_findings_init(&findings);
    (void)config_snapshot_load(cli->config_path, &findings, &snapshot);
    if (snapshot == NULL) {
        return config_findings_fail(&findings, err);
    }
    (void)config_build_partial(snapshot, NULL, &findings, &config);
    if (config == NULL) {
        return mu_fail_memory(err);
    }
    if (config->deny == NULL) {
        return mu_fail(err, MUTUAL_E_CONFIG_INVALID, "the configuration \"%s\" names no deny list",
                       cli->config_path) ||
               mu_error_hint(err, "Name one in it, deny: /etc/mutual/deny; or give --list FILE.");
    }
    int len = snprintf(file, PATH_MAX, "%s", config->deny);
    return (len > 0 && len < PATH_MAX) ||
           mu_fail(err, MUTUAL_E_LIMIT, "the path of the deny list is too long");
}

bool denied_is_configured(const struct cli *cli)
{
    char file[PATH_MAX];
    struct mutual_error ignored = {0};
    return find_file(cli, file, &ignored);
}

static bool choose_file(const struct cli *cli, const char *given, char file[PATH_MAX],
                        struct mutual_error *err)
{
    if (given == NULL) {
        return find_file(cli, file, err);
    }
    int len = snprintf(file, PATH_MAX, "%s", given);
    return (len > 0 && len < PATH_MAX) ||
           mu_fail(err, MUTUAL_E_LIMIT, "the path of the deny list is too long");
}

/* ---- entries as text --------------------------------------------------------------------------
 */

static void put_quoted(struct mu_buf *out, const char *setting, const char *value)
{
    mu_buf_printf(out, " %s=\"", setting);
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\') {
            mu_buf_byte(out, '\\');
        }
        mu_buf_byte(out, (uint8_t)*c);
    }
    mu_buf_byte(out, '"');
}

/* "dns:a.example.org", or what is meant without a type, as mutual access reads it. */
static enum mutual_name_type split_identity(const char *text, const char **ret_value)
{
    struct mutual_pattern *pattern = NULL;
    const char *colon = strchr(text, ':');
    for (unsigned type = 0; colon != NULL && type < (unsigned)MUTUAL_NAME_COUNT_; type++) {
        struct mu_slice word = mu_slice_of(text, (size_t)(colon - text));
        if (mu_slice_equal_text(word, mutual_name_type_word((enum mutual_name_type)type)) &&
            !mu_text_starts(colon, "://")) {
            *ret_value = colon + 1;
            return (enum mutual_name_type)type;
        }
    }
    *ret_value = text;
    if (mu_text_starts(text, "spiffe://")) {
        return MUTUAL_NAME_SPIFFE;
    }
    if (strstr(text, "://") != NULL) {
        return MUTUAL_NAME_URI;
    }
    bool address = mutual_pattern_parse(MUTUAL_NAME_IP, text, &pattern, NULL);
    mutual_pattern_free(pattern);
    return address                     ? MUTUAL_NAME_IP
           : strchr(text, '@') != NULL ? MUTUAL_NAME_EMAIL
                                       : MUTUAL_NAME_DNS;
}

enum form { FORM_CHOSEN, FORM_SERIAL, FORM_BARE_SERIAL, FORM_KEY };

/* One entry, in one of the forms in which a certificate can be meant, or as it was chosen. */
static void put_entry(struct mu_buf *out, const struct denied_edit *edit, enum form form)
{
    const struct denied_who *who = &edit->who;
    const struct mu_cert_facts *facts = who->cert == NULL ? NULL : mu_cert_facts(who->cert);
    char time[MU_TIME_TEXT];
    if (form == FORM_CHOSEN) {
        form = who->by_key ? FORM_KEY : FORM_SERIAL;
    }
    if (facts != NULL && form == FORM_KEY) {
        mu_buf_text(out, "key=");
        mu_hex(out, mu_slice_of(facts->key_hash, 32));
    } else if (facts != NULL) {
        static const uint8_t zero[] = {0};
        mu_buf_text(out, "serial=");
        mu_hex(out, facts->serial.len > 0 ? facts->serial : mu_slice_of(zero, 1));
        if (form == FORM_SERIAL) {
            put_quoted(out, "issuer", facts->issuer_text);
        }
    } else if (who->serial != NULL) {
        mu_buf_printf(out, "serial=%s", who->serial);
        if (who->issuer != NULL) {
            put_quoted(out, "issuer", who->issuer);
        }
    } else if (who->key != NULL) {
        mu_buf_printf(out, "key=%s", who->key);
    } else {
        const char *value = NULL;
        enum mutual_name_type type = split_identity(who->identity, &value);
        put_quoted(out, mutual_name_type_word(type), value);
        mu_buf_consume(out, 1); /* the blank: it is the first setting */
    }
    mu_buf_printf(out, " time=%s", mu_time_format(edit->now_s, time));
    put_quoted(out, "owner", edit->owner);
    put_quoted(out, "reason", edit->reason);
    mu_buf_byte(out, '\n');
}

/* The entries as a list of their own, which also says whether they are well-formed. */
static bool make_list(const struct denied_edit *edit, const enum form *forms, size_t count,
                      struct mutual_deny **ret_list, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, TEXT_MAX);
    mu_buf_text(&text, MU_DENY_HEAD "\n");
    for (size_t i = 0; i < count; i++) {
        MU_AUTO(buf) struct mu_buf entry;
        mu_buf_init(&entry, TEXT_MAX);
        put_entry(&entry, edit, forms[i]);
        mu_buf_append(&text, entry.data, entry.len);
    }
    if (text.failed) {
        return mu_fail(err, MUTUAL_E_LIMIT, "the entry is longer than %u bytes",
                       MU_LIMIT_DENY_LINE);
    }
    return mutual_deny_parse((const char *)text.data, text.len, "the new entry", NULL, NULL,
                             ret_list, err);
}

static bool same_issuer(const char *a, const char *b)
{
    MU_AUTO(buf) struct mu_buf x;
    MU_AUTO(buf) struct mu_buf y;
    mu_buf_init(&x, MU_LIMIT_CERT_BYTES);
    mu_buf_init(&y, MU_LIMIT_CERT_BYTES);
    if (a == NULL || b == NULL) {
        return a == b;
    }
    return mu_name_parse(mu_slice_text(a), &x, NULL) && mu_name_parse(mu_slice_text(b), &y, NULL) &&
           mu_name_equal(mu_buf_slice(&x), mu_buf_slice(&y));
}

/* About the very same, whoever wrote it and why. */
static bool is_same(const struct mutual_denial *a, const struct mutual_denial *b)
{
    return a->kind == b->kind && a->type == b->type && strcmp(a->value, b->value) == 0 &&
           same_issuer(a->issuer, b->issuer);
}

static const struct mutual_denial *find_same(const struct mutual_deny *list,
                                             const struct mutual_denial *denial)
{
    for (size_t i = 0; i < mutual_deny_count(list); i++) {
        if (is_same(mutual_deny_get(list, i), denial)) {
            return mutual_deny_get(list, i);
        }
    }
    return NULL;
}

/* ---- telling ----------------------------------------------------------------------------------
 */

struct telling {
    const struct cli *cli;
    struct mu_buf out;
    struct mu_json json;
};

static void tell_begin(struct telling *telling, const struct cli *cli, const char *key)
{
    telling->cli = cli;
    mu_buf_init(&telling->out, 256u << 20);
    mu_json_init(&telling->json, &telling->out);
    if (cli->json) {
        mu_json_open(&telling->json, NULL, '{');
        mu_json_open(&telling->json, key, '[');
    }
}

static const char *kind_word(const struct mutual_denial *denial)
{
    return denial->kind == MUTUAL_DENIAL_NAME  ? mutual_name_type_word(denial->type)
           : denial->kind == MUTUAL_DENIAL_KEY ? "key"
                                               : "serial";
}

static void tell_json(struct telling *telling, const struct mutual_denial *denial)
{
    struct mu_json *json = &telling->json;
    char time[MU_TIME_TEXT];
    mu_json_open(json, NULL, '{');
    mu_json_string(json, "kind", kind_word(denial));
    mu_json_string(json, "value", denial->value);
    mu_json_string(json, "issuer", denial->issuer);
    mu_json_string(json, "time", mu_time_format(denial->time_s, time));
    mu_json_string(json, "owner", denial->owner);
    mu_json_string(json, "reason", denial->reason);
    mu_json_int(json, "line", denial->line);
    mu_json_close(json, '}');
}

static void tell_line(struct telling *telling, const char *label,
                      const struct mutual_denial *denial)
{
    if (telling->cli->json) {
        tell_json(telling, denial);
        return;
    }
    mu_buf_printf(&telling->out, "%-8s ", label);
    mu_denial_text(denial, &telling->out);
    mu_buf_byte(&telling->out, '\n');
}

static bool tell_end(struct telling *telling, const char *file, struct mutual_error *err)
{
    if (telling->cli->json) {
        mu_json_close(&telling->json, ']');
        mu_json_string(&telling->json, "file", file);
        mu_json_close(&telling->json, '}');
        mu_buf_byte(&telling->out, '\n');
    } else {
        mu_buf_printf(&telling->out,
                      "wrote    %s\n"
                      "next     gateways that watch this file apply it now; to others: systemctl "
                      "reload mutual\n",
                      file);
    }
    bool told = cli_write(telling->cli, &telling->out, err);
    mu_buf_done(&telling->out);
    return told;
}

/* ---- changing ---------------------------------------------------------------------------------
 */

struct work {
    const struct denied_edit *edit;
    const char *file;
    const struct mutual_deny *wanted; /* entries to put in or take out */
    struct telling telling;
};

/* An empty file, which there is before anybody was denied, is a list that denies nobody. */
static bool read_list(const struct work *work, struct mu_slice old, struct mutual_deny **ret_list,
                      struct mutual_error *err)
{
    struct mu_slice text = old.len > 0 ? old : mu_slice_text(MU_DENY_HEAD "\n");
    return mutual_deny_parse((const char *)text.data, text.len, work->file, NULL, NULL, ret_list,
                             err);
}

static bool add_to(void *context, struct mu_slice old, struct mu_buf *out, struct mutual_error *err)
{
    struct work *work = context;
    struct mutual_deny *list = NULL;
    MU_AUTO(buf) struct mu_buf entry;
    mu_buf_init(&entry, TEXT_MAX);
    if (!read_list(work, old, &list, err)) {
        return false;
    }
    const struct mutual_denial *there = find_same(list, mutual_deny_get(work->wanted, 0));
    if (there != NULL) {
        char time[MU_TIME_TEXT];
        (void)mu_fail(err, MUTUAL_E_ALREADY_REVOKED, "it is denied since %s (%s:%d)",
                      mu_time_format(there->time_s, time), work->file, there->line);
        mutual_deny_unref(list);
        return false;
    }
    mutual_deny_unref(list);
    if (old.len == 0) {
        mu_buf_text(out, MU_DENY_HEAD "\n");
    }
    put_entry(&entry, work->edit, FORM_CHOSEN);
    mu_buf_append(out, old.data, old.len);
    mu_buf_append(out, entry.data, entry.len);
    return true;
}

/* Each line is copied, and those of the entries that go are remarks from now on. */
static void copy_without(struct work *work, const struct mutual_deny *list, struct mu_slice old,
                         struct mu_buf *out)
{
    char time[MU_TIME_TEXT];
    size_t next = 0;
    for (int line = 1; old.len > 0; line++) {
        const uint8_t *end = memchr(old.data, '\n', old.len);
        size_t len = (size_t)(end - old.data) + 1; /* a list that was read ends its last line */
        while (next < mutual_deny_count(list) && mutual_deny_get(list, next)->line < line) {
            next++;
        }
        const struct mutual_denial *here =
            next < mutual_deny_count(list) ? mutual_deny_get(list, next) : NULL;
        if (here != NULL && here->line == line && find_same(work->wanted, here) != NULL) {
            mu_buf_printf(out, "# taken back %s by %s: ", mu_time_format(work->edit->now_s, time),
                          authority_who());
            tell_line(&work->telling, "undone", here);
        }
        mu_buf_append(out, old.data, len);
        old = mu_slice_of(old.data + len, old.len - len);
    }
}

static bool take_from(void *context, struct mu_slice old, struct mu_buf *out,
                      struct mutual_error *err)
{
    struct work *work = context;
    struct mutual_deny *list = NULL;
    size_t before = work->telling.out.len;
    if (!read_list(work, old, &list, err)) {
        return false;
    }
    copy_without(work, list, old, out);
    mutual_deny_unref(list);
    return work->telling.out.len > before ||
           mu_fail(err, MUTUAL_E_NOT_FOUND, "\"%s\" has no such entry", work->file) ||
           mu_error_hint(err, "Its entries are: mutual list --denied.");
}

bool denied_add(const struct cli *cli, const struct denied_edit *edit, struct mutual_error *err)
{
    static const enum form chosen[] = {FORM_CHOSEN};
    char file[PATH_MAX];
    struct mutual_deny *wanted = NULL;
    struct work work = {.edit = edit, .file = file};
    if (!choose_file(cli, edit->file, file, err) || !make_list(edit, chosen, 1, &wanted, err)) {
        return false;
    }
    work.wanted = wanted;
    bool done = mu_file_change(file, MU_LIMIT_DENY_BYTES, LIST_MODE, add_to, &work, err);
    if (done) {
        tell_begin(&work.telling, cli, "denied");
        tell_line(&work.telling, "denied", mutual_deny_get(wanted, 0));
        done = tell_end(&work.telling, file, err);
    }
    mutual_deny_unref(wanted);
    return done;
}

bool denied_undo(const struct cli *cli, const struct denied_edit *edit, struct mutual_error *err)
{
    static const enum form forms[] = {FORM_SERIAL, FORM_BARE_SERIAL, FORM_KEY};
    char file[PATH_MAX];
    struct mutual_deny *wanted = NULL;
    struct work work = {.edit = edit, .file = file};
    if (!choose_file(cli, edit->file, file, err) ||
        !make_list(edit, forms, edit->who.cert != NULL ? MU_COUNT(forms) : 1, &wanted, err)) {
        return false;
    }
    work.wanted = wanted;
    tell_begin(&work.telling, cli, "undone");
    bool done = mu_file_change(file, MU_LIMIT_DENY_BYTES, LIST_MODE, take_from, &work, err);
    if (done) {
        done = tell_end(&work.telling, file, err);
    }
    mu_buf_done(&work.telling.out);
    mutual_deny_unref(wanted);
    return done;
}

/* ---- the list ---------------------------------------------------------------------------------
 */

static bool show_table(const struct cli *cli, const struct mutual_deny *list, const char *file,
                       struct mutual_error *err)
{
    static const char *const heads[] = {"DENIED", "WHO",    "OF ISSUER", "SINCE",
                                        "OWNER",  "REASON", "LINE",      NULL};
    MU_AUTO(cli_table) struct cli_table *table = cli_table_new(heads);
    if (table == NULL) {
        return mu_fail_memory(err);
    }
    for (size_t i = 0; i < mutual_deny_count(list); i++) {
        const struct mutual_denial *denial = mutual_deny_get(list, i);
        char time[MU_TIME_TEXT];
        cli_table_cell(table, CLI_PLAIN, "%s", kind_word(denial));
        cli_table_cell(table, CLI_BAD, "%s", denial->value);
        cli_table_cell(table, CLI_PLAIN, "%s", denial->issuer != NULL ? denial->issuer : "-");
        cli_table_cell(table, CLI_PLAIN, "%s", mu_time_format(denial->time_s, time));
        cli_table_cell(table, CLI_PLAIN, "%s", denial->owner);
        cli_table_cell(table, CLI_PLAIN, "%s", denial->reason);
        cli_table_cell(table, CLI_DIM, "%d", denial->line);
    }
    cli_table_print(table, cli);
    cli_print(cli, "%s%zu denied by %s\n", mutual_deny_count(list) > 0 ? "\n" : "",
              mutual_deny_count(list), file);
    return true;
}

bool denied_list(const struct cli *cli, struct mutual_error *err)
{
    char file[PATH_MAX];
    MU_AUTO(buf) struct mu_buf text = {0};
    struct mutual_deny *list = NULL;
    if (!find_file(cli, file, err) || !mu_file_read(file, MU_LIMIT_DENY_BYTES, &text, err) ||
        !mutual_deny_parse((const char *)text.data, text.len, file, NULL, NULL, &list, err)) {
        return false;
    }
    bool shown = true;
    if (cli->json) {
        struct telling telling;
        tell_begin(&telling, cli, "denied");
        for (size_t i = 0; i < mutual_deny_count(list); i++) {
            tell_json(&telling, mutual_deny_get(list, i));
        }
        shown = tell_end(&telling, file, err);
    } else {
        shown = show_table(cli, list, file, err);
    }
    mutual_deny_unref(list);
    return shown;
}
