/* SPDX-License-Identifier: Apache-2.0
 *
 * Single values: from the text of a scalar to the type that the schema gives it.
 */
#include "config/config_internal.h"

#include <stdio.h>
#include <string.h>

/* ---- addresses
 * ----------------------------------------------------------------------------------- */

static bool fail_address(struct mutual_error *err, const char *text, const char *why)
{
    return mu_fail(err, MUTUAL_E_ADDRESS_MALFORMED, "\"%s\" is not an address: %s", text, why);
}

static bool is_host(struct mu_slice host)
{
    for (size_t i = 0; i < host.len; i++) {
        uint8_t c = host.data[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '.' || c == '-' || c == '_';
        if (!fine) {
            return false;
        }
    }
    return host.len <= 253;
}

static bool is_v6(struct mu_slice host)
{
    bool colon = false;
    for (size_t i = 0; i < host.len; i++) {
        uint8_t c = host.data[i];
        bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        bool zone = c == '%' || (memchr(host.data, '%', i) != NULL && c > 0x20 && c < 0x7f);
        if (!hex && c != ':' && c != '.' && !zone) {
            return false;
        }
        colon = colon || c == ':';
    }
    return colon && host.len <= 64;
}

static bool parse_port(const char *text, const char *whole, unsigned *ret_port,
                       struct mutual_error *err)
{
    uint64_t port;
    if (!mu_text_uint(text, 65535, &port) || strlen(text) > 5) {
        return fail_address(err, whole, "the port is not a number up to 65535");
    }
    *ret_port = (unsigned)port;
    return true;
}

static bool parse_tcp(const char *text, bool listening, struct mu_arena *arena,
                      struct config_address *address, struct mutual_error *err)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL) {
        return fail_address(err, text, "it has no port");
    }
    struct mu_slice host = mu_slice_of(text, (size_t)(colon - text));
    bool bracketed = host.len >= 2 && host.data[0] == '[' && host.data[host.len - 1] == ']';
    if (bracketed) {
        host.data++;
        host.len -= 2;
    }
    if (bracketed ? !is_v6(host) : !is_host(host)) {
        bool colons = memchr(host.data, ':', host.len) != NULL;
        return fail_address(err, text,
                            colons && !bracketed ? "an IPv6 address is written in brackets"
                                                 : "the host is not well-formed");
    }
    if (host.len == 0 && !listening) {
        return fail_address(err, text, "it has no host");
    }
    if (!parse_port(colon + 1, text, &address->port, err)) {
        return false;
    }
    if (address->port == 0 && !listening) {
        return fail_address(err, text, "nobody can be reached on port 0");
    }
    address->kind = CONFIG_ADDRESS_TCP;
    address->host = mu_arena_strndup(arena, host.data, host.len);
    return address->host != NULL ? true : mu_fail_memory(err);
}

static bool parse_unix(const char *text, struct mu_arena *arena, struct config_address *address,
                       struct mutual_error *err)
{
    const char *path = text + strlen("unix:");
    if (path[0] != '/') {
        return fail_address(err, text, "the path of a socket begins with \"/\"");
    }
    if (strlen(path) > 107) {
        return fail_address(err, text, "the path of a socket has at most 107 bytes");
    }
    address->kind = CONFIG_ADDRESS_UNIX;
    address->path = mu_arena_strndup(arena, path, strlen(path));
    return address->path != NULL ? true : mu_fail_memory(err);
}

static bool parse_inherited(const char *text, struct mu_arena *arena,
                            struct config_address *address, struct mutual_error *err)
{
    if (mu_text_starts(text, "fd:")) {
        address->kind = CONFIG_ADDRESS_FD;
        return parse_port(text + strlen("fd:"), text, &address->port, err);
    }
    const char *name = text + strlen("systemd:");
    if (name[0] == '\0') {
        return fail_address(err, text, "the socket's name is missing");
    }
    address->kind = CONFIG_ADDRESS_SYSTEMD;
    address->path = mu_arena_strndup(arena, name, strlen(name));
    return address->path != NULL ? true : mu_fail_memory(err);
}

bool config_address_parse(const char *text, bool listening, struct mu_arena *arena,
                          struct config_address *ret_address, struct mutual_error *err)
{
    struct config_address address = {.text = mu_arena_strndup(arena, text, strlen(text))};
    if (address.text == NULL) {
        return mu_fail_memory(err);
    }
    bool inherited = mu_text_starts(text, "fd:") || mu_text_starts(text, "systemd:");
    if (inherited && !listening) {
        return fail_address(err, text, "only a listener can be inherited");
    }
    bool parsed = inherited ? parse_inherited(text, arena, &address, err)
                  : mu_text_starts(text, "unix:")
                      ? parse_unix(text, arena, &address, err)
                      : parse_tcp(text, listening, arena, &address, err);
    if (parsed) {
        *ret_address = address;
    }
    return parsed;
}

bool config_address_is_local(const struct config_address *address)
{
    if (address->kind != CONFIG_ADDRESS_TCP) {
        return true;
    }
    const char *host = address->host;
    if (strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0) {
        return true;
    }
    /* 127.0.0.0/8 in four decimal parts; "127.evil.example" is a name. */
    unsigned dots = 0;
    for (const char *c = host; *c != '\0'; c++) {
        dots += *c == '.';
        if (*c != '.' && (*c < '0' || *c > '9')) {
            return false;
        }
    }
    return dots == 3 && mu_text_starts(host, "127.");
}

/* ---- the types
 * ----------------------------------------------------------------------------------- */

static void complain_error(struct decode *d, const struct config_node *node,
                           const struct mutual_error *err)
{
    struct config_place place = node_place(node);
    if (err->code == MUTUAL_E_NO_MEMORY) {
        d->no_memory = true;
        return;
    }
    config_finding_add_error(d->findings, d->snapshot, CONFIG_ERROR, &place, err);
}

static const char *keep(struct decode *d, const char *text, size_t len)
{
    const char *copy = mu_arena_strndup(d->whole->arena, text, len);
    d->no_memory = d->no_memory || copy == NULL;
    return copy;
}

static bool list_words(const char *const *words, struct mu_buf *out)
{
    for (size_t i = 0; words[i] != NULL; i++) {
        mu_buf_printf(out, "%s%s", i == 0 ? "" : ", ", words[i]);
    }
    return true;
}

static void value_bool(struct decode *d, const struct setting *s, const struct config_node *node,
                       void *slot)
{
    (void)s;
    bool yes = strcmp(node->text, "true") == 0;
    if (!yes && strcmp(node->text, "false") != 0) {
        struct config_place place = node_place(node);
        decode_complain(d, &place, "true or false", "\"%s\" is neither true nor false", node->text);
        return;
    }
    *(bool *)slot = yes;
}

static void value_number(struct decode *d, const struct setting *s, const struct config_node *node,
                         void *slot)
{
    uint64_t number;
    if (s->words != NULL && strcmp(node->text, s->words[0]) == 0) {
        *(int64_t *)slot = 0;
        return;
    }
    struct config_place place = node_place(node);
    if (!mu_text_uint(node->text, INT64_MAX, &number)) {
        decode_complain(d, &place, setting_type_words(s), "\"%s\" is not a whole number",
                        node->text);
        return;
    }
    if (s->max > 0 && ((int64_t)number < s->min || (int64_t)number > s->max)) {
        if (s->min == s->max) {
            decode_complain(d, &place, NULL, "%s is not possible here: it must be %lld", node->text,
                            (long long)s->min);
        } else {
            decode_complain(d, &place, NULL, "%s is out of bounds: %lld to %lld", node->text,
                            (long long)s->min, (long long)s->max);
        }
        return;
    }
    *(int64_t *)slot = (int64_t)number;
}

static void value_duration(struct decode *d, const struct setting *s,
                           const struct config_node *node, void *slot)
{
    struct mutual_error err = {0};
    int64_t ns;
    if (s->words != NULL && strcmp(node->text, s->words[0]) == 0) {
        *(int64_t *)slot = 0;
        return;
    }
    if (!mu_duration_parse(node->text, &ns, &err)) {
        complain_error(d, node, &err);
        return;
    }
    if (s->max > 0 && (ns < s->min * MU_NS_PER_S || ns > s->max * MU_NS_PER_S)) {
        struct config_place place = node_place(node);
        decode_complain(d, &place, NULL, "%s is out of bounds: %llds to %llds", node->text,
                        (long long)s->min, (long long)s->max);
        return;
    }
    *(int64_t *)slot = ns;
}

static void value_time(struct decode *d, const struct setting *s, const struct config_node *node,
                       void *slot)
{
    (void)s;
    struct mutual_error err = {0};
    if (strcmp(node->text, "never") == 0) {
        *(int64_t *)slot = MU_TIME_NEVER_S;
    } else if (strcmp(node->text, "always") == 0) {
        *(int64_t *)slot = 0;
    } else if (!mu_time_parse(node->text, slot, &err)) {
        complain_error(d, node, &err);
    }
}

static void value_word(struct decode *d, const struct setting *s, const struct config_node *node,
                       void *slot)
{
    for (int i = 0; s->words[i] != NULL; i++) {
        if (strcmp(s->words[i], node->text) == 0) {
            memcpy(slot, &i, sizeof i); /* every enum of the model is an int */
            return;
        }
    }
    MU_AUTO(buf) struct mu_buf hint;
    mu_buf_init(&hint, 256);
    const char *near = mu_suggest(node->text, s->words);
    if (near != NULL) {
        mu_buf_printf(&hint, "did you mean \"%s\"? ", near);
    }
    mu_buf_text(&hint, "one of: ");
    list_words(s->words, &hint);
    struct config_place place = node_place(node);
    decode_complain(d, &place, mu_buf_str(&hint), "\"%s\" is not a valid value of \"%s\"",
                    node->text, s->name);
}

static void value_text(struct decode *d, const struct setting *s, const struct config_node *node,
                       void *slot)
{
    struct config_place place = node_place(node);
    if (strpbrk(node->text, "\n\t") != NULL) {
        decode_complain(d, &place, NULL, "\"%s\" takes one line of text", s->name);
        return;
    }
    if (s->max > 0 && strlen(node->text) > (size_t)s->max) {
        decode_complain(d, &place, NULL, "\"%s\" takes at most %lld bytes", s->name,
                        (long long)s->max);
        return;
    }
    *(const char **)slot = keep(d, node->text, strlen(node->text));
}

#define NAME_MAX_LEN 128u

static bool is_name(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');
        bool digit = *c >= '0' && *c <= '9';
        bool mark = *c == '-' || *c == '_' || *c == '.';
        if (!letter && !digit && !(mark && c != text)) {
            return false;
        }
    }
    return text[0] != '\0' && strlen(text) <= NAME_MAX_LEN;
}

static void value_service(struct decode *d, const struct setting *s, const struct config_node *node,
                          void *slot)
{
    bool any = s->words != NULL && strcmp(node->text, s->words[0]) == 0;
    const char *slash = strchr(node->text, '/');
    char listener[NAME_MAX_LEN + 1] = "";
    if (slash != NULL && (size_t)(slash - node->text) <= NAME_MAX_LEN) {
        memcpy(listener, node->text, (size_t)(slash - node->text));
    }
    bool whole = slash == NULL ? is_name(node->text) : is_name(listener) && is_name(slash + 1);
    if (!any && !whole) {
        struct config_place place = node_place(node);
        decode_complain(d, &place, "LISTENER, or LISTENER/HOST", "\"%s\" is not a service's name",
                        node->text);
        return;
    }
    *(const char **)slot = keep(d, node->text, strlen(node->text));
}

static void value_name(struct decode *d, const struct setting *s, const struct config_node *node,
                       void *slot)
{
    bool any = s->words != NULL && strcmp(node->text, s->words[0]) == 0;
    if (!any && !is_name(node->text)) {
        struct config_place place = node_place(node);
        decode_complain(d, &place, "letters, digits, \"-\", \"_\" and \".\"; at most 128",
                        "\"%s\" is not a name", node->text);
        return;
    }
    *(const char **)slot = keep(d, node->text, strlen(node->text));
}

static void value_path(struct decode *d, const struct setting *s, const struct config_node *node,
                       void *slot)
{
    if (strlen(node->text) > 3000 || strpbrk(node->text, "\n\t") != NULL) {
        struct config_place place = node_place(node);
        decode_complain(d, &place, NULL, "\"%s\" is not a path", s->name);
        return;
    }
    *(const char **)slot = decode_path(d, node->file, node->text);
}

static void value_secret(struct decode *d, const struct setting *s, const struct config_node *node,
                         void *slot)
{
    static const char *const prefixes[] = {"", "file:", "env:", "credential:"};
    struct config_secret secret = {CONFIG_SECRET_NONE, NULL};
    for (int i = CONFIG_SECRET_FILE; i <= CONFIG_SECRET_CREDENTIAL; i++) {
        size_t len = strlen(prefixes[i]);
        if (mu_text_starts(node->text, prefixes[i]) && node->text[len] != '\0') {
            secret.kind = (enum config_secret_kind)i;
            secret.value = i == CONFIG_SECRET_FILE
                               ? decode_path(d, node->file, node->text + len)
                               : keep(d, node->text + len, strlen(node->text + len));
        }
    }
    if (secret.kind == CONFIG_SECRET_CREDENTIAL && secret.value != NULL && !is_name(secret.value)) {
        secret.kind = CONFIG_SECRET_NONE;
    }
    if (secret.kind == CONFIG_SECRET_NONE) {
        /* The value may be the secret itself: it is not repeated. */
        struct config_place place = node_place(node);
        decode_complain(d, &place, "file:PATH, env:NAME or credential:NAME",
                        "\"%s\" takes a reference, never the secret itself", s->name);
        return;
    }
    *(struct config_secret *)slot = secret;
}

static void value_address(struct decode *d, const struct setting *s, const struct config_node *node,
                          void *slot)
{
    struct mutual_error err = {0};
    if (!config_address_parse(node->text, s->type == SETTING_LISTEN, d->whole->arena, slot, &err)) {
        complain_error(d, node, &err);
    }
}

static void value_stale(struct decode *d, const struct setting *s, const struct config_node *node,
                        void *slot)
{
    struct config_stale stale = {CONFIG_STALE_REFUSE, 0};
    struct mutual_error err = {0};
    if (strcmp(node->text, "accept") == 0) {
        stale.mode = CONFIG_STALE_ACCEPT;
    } else if (mu_text_starts(node->text, "grace ")) {
        int64_t ns;
        if (!mu_duration_parse(node->text + strlen("grace "), &ns, &err)) {
            complain_error(d, node, &err);
            return;
        }
        stale.mode = CONFIG_STALE_GRACE;
        stale.grace_s = (ns + MU_NS_PER_S - 1) / MU_NS_PER_S;
    } else if (strcmp(node->text, "refuse") != 0) {
        struct config_place place = node_place(node);
        decode_complain(d, &place, setting_type_words(s), "\"%s\" is not a valid value of \"%s\"",
                        node->text, s->name);
        return;
    }
    *(struct config_stale *)slot = stale;
}

/* ---- patterns: a map of one entry
 * ------------------------------------------------------------------ */

const char *const name_type_words[CONFIG_NAME_COUNT_ + 1] = {"spiffe", "uri", "dns", "email",
                                                             "ip",     "cn",  NULL};

static void value_pattern(struct decode *d, const struct config_node *node,
                          struct config_pattern *pattern)
{
    struct config_place place = node_place(node);
    static const char example[] = "such as {dns: web.example.org}";
    if (node->kind != NODE_MAP || node->first == NULL) {
        decode_complain(d, &place, example, "a pattern is a type with a name");
        return;
    }
    const struct config_node *value = node->first;
    if (value->next != NULL) {
        place = node_key_place(value->next);
        decode_complain(d, &place, "make it an entry of its own", "a pattern holds one name");
        return;
    }
    if (value->kind == NODE_BROKEN) {
        return;
    }
    int type = 0;
    while (name_type_words[type] != NULL && strcmp(name_type_words[type], value->key) != 0) {
        type++;
    }
    if (name_type_words[type] == NULL) {
        place = node_key_place(value);
        decode_complain(d, &place, "one of: spiffe, uri, dns, email, ip, cn",
                        "\"%s\" is not a type of name", value->key);
        return;
    }
    place = node_place(value);
    if (value->kind != NODE_SCALAR || value->text[0] == '\0') {
        decode_complain(d, &place, example, "a pattern is a type with a name");
        return;
    }
    if (strlen(value->text) > MU_LIMIT_NAME_BYTES) {
        decode_complain(d, &place, NULL, "a pattern has at most %u bytes", MU_LIMIT_NAME_BYTES);
        return;
    }
    pattern->type = (enum config_name_type)type;
    pattern->text = keep(d, value->text, strlen(value->text));
}

/* ---- dispatch
 * -------------------------------------------------------------------------------------- */

static const struct {
    const char *words;
    size_t size;
    void (*decode)(struct decode *d, const struct setting *s, const struct config_node *node,
                   void *slot);
} type_rows[SETTING_TYPE_COUNT_] = {
    [SETTING_BOOL] = {"true or false", sizeof(bool), value_bool},
    [SETTING_NUMBER] = {"a whole number", sizeof(int64_t), value_number},
    [SETTING_DURATION] = {"a duration: 500ms, 10s, 5m, 36h or 90d", sizeof(int64_t),
                          value_duration},
    [SETTING_TIME] = {"a day or time: 2027-01-31 or 2027-01-31T12:00:00Z", sizeof(int64_t),
                      value_time},
    [SETTING_WORD] = {"a word", sizeof(int), value_word},
    [SETTING_TEXT] = {"text", sizeof(char *), value_text},
    [SETTING_NAME] = {"a name", sizeof(char *), value_name},
    [SETTING_SERVICE] = {"a listener's name, or LISTENER/HOST", sizeof(char *), value_service},
    [SETTING_PATH] = {"a path", sizeof(char *), value_path},
    [SETTING_SECRET] = {"file:PATH, env:NAME or credential:NAME", sizeof(struct config_secret),
                        value_secret},
    [SETTING_LISTEN] = {"host:port, [v6]:port, unix:/path, systemd:NAME or fd:N",
                        sizeof(struct config_address), value_address},
    [SETTING_TARGET] = {"host:port, [v6]:port or unix:/path", sizeof(struct config_address),
                        value_address},
    [SETTING_STALE] = {"refuse, grace DURATION or accept", sizeof(struct config_stale),
                       value_stale},
    [SETTING_PATTERN] = {"a pattern such as {dns: web.example.org}", sizeof(struct config_pattern),
                         NULL},
    [SETTING_BLOCK] = {"a block of settings", 0, NULL},
};

const char *setting_type_words(const struct setting *setting)
{
    return type_rows[setting->type].words;
}

size_t setting_element_size(const struct setting *setting)
{
    return setting->type == SETTING_BLOCK ? setting->block->size : type_rows[setting->type].size;
}

void decode_value(struct decode *decode, const struct setting *setting,
                  const struct config_node *node, void *slot)
{
    if (node->kind == NODE_BROKEN) {
        return;
    }
    if (setting->type == SETTING_PATTERN) {
        value_pattern(decode, node, slot);
        return;
    }
    struct config_place place = node_place(node);
    if (node->kind != NODE_SCALAR) {
        decode_complain(decode, &place, setting_type_words(setting), "\"%s\" takes a single value",
                        setting->name);
        return;
    }
    bool nothing =
        node->text[0] == '\0' ||
        (node->plain && (strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0));
    if (nothing) {
        decode_complain(decode, &place, setting_type_words(setting), "\"%s\" has no value",
                        setting->name);
        return;
    }
    type_rows[setting->type].decode(decode, setting, node, slot);
}
