/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual explain CODE: the page of one error code, from the table.
 * mutual explain HOST:PORT: a real handshake with a server, told in seven steps.
 */
#include "cli/cli_internal.h"

#include "config/config.h"
#include "explain/explain.h"
#include "probe/probe.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

/* Codes are taken in any case, with hyphens too, and by the words of the log: "expired". */
static enum mutual_code find_code(const char *text)
{
    char name[64];
    size_t len = strlen(text);
    if (len >= sizeof name) {
        return MUTUAL_OK;
    }
    for (size_t i = 0; i <= len; i++) {
        name[i] = (char)(text[i] == '-' ? '_' : toupper((unsigned char)text[i]));
    }
    const char *body = mu_text_starts(name, "MUTUAL_E_") ? name + strlen("MUTUAL_E_") : name;
    return mu_explain_reason_find(body);
}

static const char *const who_acts[MUTUAL_CLASS_COUNT_] = {
    [MUTUAL_CLASS_USAGE] = "whoever gave the command",
    [MUTUAL_CLASS_CONFIG] = "whoever owns our configuration or our files",
    [MUTUAL_CLASS_PEER] = "the other end of the connection",
    [MUTUAL_CLASS_SYSTEM] = "whoever runs this machine or network",
    [MUTUAL_CLASS_BUG] = "us: please report it",
};

static void code_json(enum mutual_code code, struct mu_buf *out)
{
    struct mu_json json;
    mu_json_init(&json, out);
    mu_json_open(&json, NULL, '{');
    mu_json_string(&json, "code", mutual_code_name(code));
    mu_json_string(&json, "meaning", mutual_code_text(code));
    mu_json_string(&json, "remedy", mutual_code_hint(code));
    mu_json_string(&json, "class", mutual_class_name(mutual_code_class(code)));
    mu_json_string(&json, "step", mutual_step_name(mutual_code_step(code)));
    if (mutual_code_alert(code) >= 0) {
        mu_json_int(&json, "alert", mutual_code_alert(code));
    } else {
        mu_json_null(&json, "alert");
    }
    mu_json_int(&json, "exit", mutual_code_exit(code));
    mu_json_close(&json, '}');
    mu_buf_text(out, "\n");
}

static void code_text(enum mutual_code code, struct mu_buf *out)
{
    mu_buf_printf(out, "%s: %s\n\n", mutual_code_name(code), mutual_code_text(code));
    mu_buf_printf(out, "  to do    %s\n", mutual_code_hint(code));
    mu_buf_printf(out, "  who      %s\n", who_acts[mutual_code_class(code)]);
    if (mutual_code_step(code) != MUTUAL_STEP_NONE) {
        mu_buf_printf(out, "  step     %d of 7: %s\n", (int)mutual_code_step(code),
                      mutual_step_text(mutual_code_step(code)));
    }
    if (mutual_code_alert(code) >= 0) {
        mu_buf_printf(out, "  alert    the peer sees TLS alert %d\n", mutual_code_alert(code));
    }
    mu_buf_printf(out, "  exit     %d\n", mutual_code_exit(code));
}

static bool fail_unknown(const char *text, struct mutual_error *err)
{
    const char *names[MUTUAL_E_COUNT_] = {NULL};
    for (int i = 1; i < (int)MUTUAL_E_COUNT_; i++) {
        names[i - 1] = mutual_code_name((enum mutual_code)i);
    }
    char upper[64];
    size_t len = strlen(text) < sizeof upper ? strlen(text) : sizeof upper - 1;
    for (size_t i = 0; i < len; i++) {
        upper[i] = (char)toupper((unsigned char)text[i]);
    }
    upper[len] = '\0';
    (void)mu_fail(err, MUTUAL_E_NOT_FOUND, "there is no error code \"%s\"", text);
    const char *near = mu_suggest(upper, names);
    return near != NULL
               ? mu_error_hint(err, "Did you mean %s?", near)
               : mu_error_hint(err, "All codes are in mutual-errors(7); a server is HOST:PORT.");
}

static int explain_code(struct cli *cli, const char *text)
{
    struct mutual_error err = {0};
    enum mutual_code code = find_code(text);
    if (code == MUTUAL_OK) {
        fail_unknown(text, &err);
        return cli_fail(cli, &err);
    }
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 8192);
    if (cli->json) {
        code_json(code, &out);
    } else {
        code_text(code, &out);
    }
    return cli_write(cli, &out, &err) ? CLI_YES : cli_fail(cli, &err);
}

/* ---- a server -------------------------------------------------------------------------------- */

struct explain_options {
    const char *cert;
    const char *key;
    const char *ca;
    const char *server_name;
    struct cli_texts expect;
    struct cli_texts alpn;
    int64_t timeout_ns;
};

/* What a probe needs, made from the options. */
struct errand {
    struct mu_arena *arena;
    struct mutual_trust *trust;
    struct mutual_identity *identity;
    struct mutual_pattern **expect;
    size_t expect_count;
    const char **alpn;
};

static void mu_errand_auto(struct errand *errand)
{
    for (size_t i = 0; i < errand->expect_count; i++) {
        mutual_pattern_free(errand->expect[i]);
    }
    mutual_trust_unref(errand->trust);
    mutual_identity_unref(errand->identity);
    mu_arena_free(errand->arena);
}

/* An issuing authority will do as well as its root: we only look. */
static bool load_trust(const char *path, struct mutual_trust **ret_trust, struct mutual_error *err)
{
    struct mutual_trust *trust = mutual_trust_new(path);
    if (trust == NULL) {
        return mu_fail_memory(err);
    }
    *ret_trust = trust;
    mutual_trust_allow_intermediates(trust);
    MU_AUTO(buf) struct mu_buf pem = {0};
    return mu_file_read(path, MU_LIMIT_PEM_BYTES, &pem, err) &&
           mutual_trust_add_pem(trust, mu_buf_str(&pem), pem.len, err) &&
           mutual_trust_freeze(trust, err);
}

/* "spiffe:spiffe://example.org/db" or "dns:db.example.org". */
static bool parse_expect(const char *text, struct mutual_pattern **ret_pattern,
                         struct mutual_error *err)
{
    size_t word = strcspn(text, ":");
    for (unsigned t = 0; t < (unsigned)MUTUAL_NAME_COUNT_ && text[word] == ':'; t++) {
        const char *known = mutual_name_type_word((enum mutual_name_type)t);
        if (strlen(known) == word && strncmp(known, text, word) == 0) {
            return mutual_pattern_parse((enum mutual_name_type)t, text + word + 1, ret_pattern,
                                        err);
        }
    }
    (void)mu_fail(err, MUTUAL_E_OPTION_VALUE, "--expect \"%s\" does not begin with a type of name",
                  text);
    return mu_error_hint(err, "Write --expect dns:HOST, ip:ADDRESS or spiffe:ID.");
}

static bool prepare(struct errand *errand, const struct explain_options *options,
                    struct mutual_error *err)
{
    errand->arena = mu_arena_new(1u << 20);
    errand->expect =
        errand->arena == NULL
            ? NULL
            : mu_arena_alloc(errand->arena, (options->expect.count + 1) * sizeof *errand->expect);
    errand->alpn =
        errand->arena == NULL
            ? NULL
            : mu_arena_alloc(errand->arena, (options->alpn.count + 1) * sizeof *errand->alpn);
    if (errand->expect == NULL || errand->alpn == NULL) {
        return mu_fail_memory(err);
    }
    for (size_t i = 0; i < options->alpn.count; i++) {
        errand->alpn[i] = options->alpn.items[i];
    }
    for (size_t i = 0; i < options->expect.count; i++) {
        if (!parse_expect(options->expect.items[i], &errand->expect[i], err)) {
            return false;
        }
        errand->expect_count++;
    }
    if (options->ca != NULL && !load_trust(options->ca, &errand->trust, err)) {
        return false;
    }
    if (options->cert == NULL && options->key != NULL) {
        return mu_fail(err, MUTUAL_E_USAGE, "--key is given without --cert");
    }
    return options->cert == NULL ||
           mutual_identity_load(options->cert, options->key != NULL ? options->key : options->cert,
                                &errand->identity, err);
}

static int tell(struct cli *cli, const struct probe *probe)
{
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 1u << 20);
    if (cli->json) {
        mu_explain_json(probe_story(probe), probe_view(probe), &out);
        mu_buf_byte(&out, '\n');
    } else {
        mu_explain_text(probe_story(probe), probe_view(probe), &out);
    }
    if (!cli_write(cli, &out, &err)) {
        return cli_fail(cli, &err);
    }
    const struct mutual_error *why = mu_story_error(probe_story(probe));
    return why == NULL ? CLI_YES : mutual_code_exit(why->code);
}

static int explain_server(struct cli *cli, const char *text, const struct explain_options *options)
{
    struct mutual_error err = {0};
    struct config_address address = {0};
    MU_AUTO(errand) struct errand errand = {0};
    MU_AUTO(probe) struct probe *probe = NULL;
    if (!prepare(&errand, options, &err) ||
        !config_address_parse(text, false, errand.arena, &address, &err)) {
        return cli_fail(cli, &err);
    }
    if (address.kind != CONFIG_ADDRESS_TCP) {
        (void)mu_fail(&err, MUTUAL_E_ADDRESS_MALFORMED, "\"%s\" is not of the form HOST:PORT",
                      text);
        return cli_fail(cli, &err);
    }
    const struct probe_options probe_options = {
        .host = address.host,
        .port = (uint16_t)address.port,
        .server_name = options->server_name,
        .trust = errand.trust,
        .expect = errand.expect,
        .expect_count = errand.expect_count,
        .identity = errand.identity,
        .alpn = options->alpn.count > 0 ? errand.alpn : NULL,
        .timeout_ns = options->timeout_ns,
        .listen_ns = MU_NS_PER_S < options->timeout_ns ? MU_NS_PER_S : options->timeout_ns,
    };
    if (!probe_run(&probe_options, &probe, &err)) {
        return cli_fail(cli, &err);
    }
    return tell(cli, probe);
}

static int run_explain(struct cli *cli, const void *options)
{
    const char *what = cli->args[0];
    return strchr(what, ':') == NULL ? explain_code(cli, what) : explain_server(cli, what, options);
}

static const struct cli_option explain_table[] = {
    {.name = "ca",
     .kind = CLI_PATH,
     .offset = offsetof(struct explain_options, ca),
     .value = "FILE",
     .help = "authorities to check the server's certificate by"},
    {.name = "cert",
     .kind = CLI_PATH,
     .offset = offsetof(struct explain_options, cert),
     .value = "FILE",
     .help = "our certificate and its chain, shown when asked for"},
    {.name = "key",
     .kind = CLI_PATH,
     .offset = offsetof(struct explain_options, key),
     .value = "FILE",
     .help = "its private key; else from the file of --cert"},
    {.name = "sni",
     .kind = CLI_TEXT,
     .offset = offsetof(struct explain_options, server_name),
     .value = "NAME",
     .help = "the server name to ask for and to expect, instead of the host"},
    {.name = "expect",
     .kind = CLI_TEXTS,
     .offset = offsetof(struct explain_options, expect),
     .value = "TYPE:NAME",
     .help = "whom to expect instead, such as spiffe:spiffe://example.org/db"},
    {.name = "alpn",
     .kind = CLI_TEXTS,
     .offset = offsetof(struct explain_options, alpn),
     .value = "PROTOCOL",
     .help = "an application protocol to offer"},
    {.name = "timeout",
     .kind = CLI_DURATION,
     .offset = offsetof(struct explain_options, timeout_ns),
     .value = "TIME",
     .help = "how long to wait for the server",
     .dflt = "5s"},
    {.name = NULL},
};

const struct cli_verb cli_verb_explain = {
    .name = "explain",
    .group = CLI_GROUP_KNOW,
    .arguments = "HOST:PORT|CODE",
    .help = "explain why a handshake fails, or what an error code means",
    .details =
        "With HOST:PORT it connects, speaks TLS and shows the seven steps: what was offered\n"
        "and chosen, which certificates, who refused whom and what to do. It exits with 0\n"
        "when the server admits us, with 1 when either side refuses.",
    .options = explain_table,
    .options_size = sizeof(struct explain_options),
    .min_args = 1,
    .max_args = 1,
    .run = run_explain,
};
