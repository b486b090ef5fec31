/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual proxy server|client: one tunnel from the command line, with the option names of
 * ghostunnel. The options become a configuration, which is then served like any other: there is one
 * way in.
 */
#include "cli/cli_internal.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/gateway.h"

/* What both directions have. */
struct common_options {
    const char *listen;
    const char *target;
    const char *keystore;
    const char *cert;
    const char *key;
    const char *cacert;
    bool disable_authentication;
    const char *status;
    int64_t reload_every_ns;
    int64_t shutdown_ns;
    int64_t connect_ns;
    int64_t lifetime_ns;
    uint64_t max;
    uint64_t workers;
    bool landlock;
};

struct server_options {
    struct common_options common;
    struct cli_texts cns, dnss, uris, ips;
    bool allow_all;
    bool unsafe_target;
    bool proxy_protocol;
};

struct client_options {
    struct common_options common;
    struct cli_texts cns, dnss, uris, ips;
    const char *server_name;
    bool unsafe_listen;
};

#define CONFIG_NAME "command line"
enum { TEXT_MAX = 1 << 20, UNLIMITED = 10000000 };

/* ---- options to configuration, as JSON, which is YAML too ---------------------------------------
 */

/* Paths are relative to where the command runs. */
static void put_path(struct mu_json *json, const char *key, const char *path)
{
    char whole[PATH_MAX];
    mu_json_string(json, key, realpath(path, whole) != NULL ? whole : path);
}

static void put_duration(struct mu_json *json, const char *key, int64_t duration_ns)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%lldms", (long long)(duration_ns / MU_NS_PER_MS));
    mu_json_string(json, key, text);
}

static void put_certificate(struct mu_json *json, const struct common_options *common)
{
    const char *cert = common->cert != NULL ? common->cert : common->keystore;
    const char *key = common->key != NULL ? common->key : common->keystore;
    if (cert == NULL) {
        return;
    }
    mu_json_open(json, "certificate", '{');
    put_path(json, "chain", cert);
    put_path(json, "key", key != NULL ? key : cert);
    mu_json_close(json, '}');
}

static void put_limits(struct mu_json *json, const struct common_options *common)
{
    mu_json_open(json, "timeouts", '{');
    put_duration(json, "handshake", common->connect_ns);
    put_duration(json, "connect", common->connect_ns);
    mu_json_string(json, "idle", "none");
    if (common->lifetime_ns > 0) {
        put_duration(json, "lifetime", common->lifetime_ns);
    }
    mu_json_close(json, '}');
    mu_json_open(json, "connections", '{');
    mu_json_int(json, "max", common->max > 0 ? (int64_t)common->max : UNLIMITED);
    mu_json_close(json, '}');
}

static void put_names(struct mu_json *json, const char *type, const struct cli_texts *names)
{
    for (size_t i = 0; i < names->count; i++) {
        bool spiffe = strcmp(type, "uri") == 0 && mu_text_starts(names->items[i], "spiffe://");
        mu_json_open(json, NULL, '{');
        mu_json_string(json, spiffe ? "spiffe" : type, names->items[i]);
        mu_json_close(json, '}');
    }
}

static void put_head(struct mu_json *json, const struct common_options *common, bool with_trust)
{
    mu_json_open(json, NULL, '{');
    mu_json_int(json, "version", 1);
    if (common->workers > 0) {
        mu_json_int(json, "workers", (int64_t)common->workers);
    }
    if (common->status != NULL) {
        mu_json_string(json, "status", common->status);
    }
    if (with_trust) {
        mu_json_open(json, "trust", '[');
        mu_json_open(json, NULL, '{');
        mu_json_string(json, "name", "cacert");
        put_path(json, "bundle", common->cacert);
        mu_json_bool(json, "allow-intermediate-anchors", true);
        mu_json_close(json, '}');
        mu_json_close(json, ']');
    }
}

static void put_grant(struct mu_json *json, const struct server_options *server)
{
    mu_json_open(json, "policy", '[');
    mu_json_open(json, NULL, '{');
    mu_json_string(json, "grant", "allow");
    mu_json_string(json, "to", "server");
    if (server->allow_all) {
        mu_json_bool(json, "anyone", true);
    } else {
        mu_json_open(json, "from", '[');
        put_names(json, "cn", &server->cns);
        put_names(json, "dns", &server->dnss);
        put_names(json, "uri", &server->uris);
        put_names(json, "ip", &server->ips);
        mu_json_close(json, ']');
    }
    mu_json_string(json, "owner", CONFIG_NAME);
    mu_json_string(json, "why", "--allow- options of mutual proxy server");
    mu_json_close(json, '}');
    mu_json_close(json, ']');
}

static void put_server(const struct server_options *server, struct mu_buf *out)
{
    const struct common_options *common = &server->common;
    bool mutual = !common->disable_authentication;
    struct mu_json json;
    mu_json_init(&json, out);
    put_head(&json, common, mutual);
    mu_json_open(&json, "inbound", '[');
    mu_json_open(&json, NULL, '{');
    mu_json_string(&json, "name", "server");
    mu_json_string(&json, "listen", common->listen);
    mu_json_string(&json, "forward", common->target);
    mu_json_bool(&json, "unsafe-forward", server->unsafe_target);
    mu_json_string(&json, "proxy-protocol", server->proxy_protocol ? "v2" : "none");
    put_certificate(&json, common);
    mu_json_open(&json, "clients", '{');
    mu_json_string(&json, "mode", mutual ? "require" : "none");
    if (mutual) {
        mu_json_string(&json, "trust", "cacert");
    }
    mu_json_close(&json, '}');
    put_limits(&json, common);
    mu_json_close(&json, '}');
    mu_json_close(&json, ']');
    if (mutual) {
        put_grant(&json, server);
    }
    mu_json_close(&json, '}');
}

/* The host of "host:port", without brackets. */
static void put_host(struct mu_json *json, const char *target)
{
    const char *colon = strrchr(target, ':');
    size_t len = colon == NULL ? strlen(target) : (size_t)(colon - target);
    bool bracketed = len >= 2 && target[0] == '[' && target[len - 1] == ']';
    struct mu_slice host = mu_slice_of(target + (bracketed ? 1 : 0), len - (bracketed ? 2 : 0));
    bool address = bracketed || (len > 0 && strspn(target, "0123456789.") >= len);
    mu_json_slice(json, address ? "ip" : "dns", host);
}

static void put_expect(struct mu_json *json, const struct client_options *client)
{
    mu_json_open(json, "expect", '[');
    put_names(json, "cn", &client->cns);
    put_names(json, "dns", &client->dnss);
    put_names(json, "uri", &client->uris);
    put_names(json, "ip", &client->ips);
    if (client->cns.count + client->dnss.count + client->uris.count + client->ips.count == 0) {
        mu_json_open(json, NULL, '{');
        if (client->server_name != NULL) {
            mu_json_string(json, "dns", client->server_name);
        } else {
            put_host(json, client->common.target);
        }
        mu_json_close(json, '}');
    }
    mu_json_close(json, ']');
}

static void put_client(const struct client_options *client, struct mu_buf *out)
{
    const struct common_options *common = &client->common;
    struct mu_json json;
    mu_json_init(&json, out);
    put_head(&json, common, true);
    mu_json_open(&json, "outbound", '[');
    mu_json_open(&json, NULL, '{');
    mu_json_string(&json, "name", "client");
    mu_json_string(&json, "listen", common->listen);
    mu_json_bool(&json, "unsafe-listen", client->unsafe_listen);
    mu_json_string(&json, "connect", common->target);
    if (client->server_name != NULL) {
        mu_json_string(&json, "server-name", client->server_name);
    }
    if (!common->disable_authentication) {
        put_certificate(&json, common);
    }
    mu_json_string(&json, "trust", "cacert");
    put_expect(&json, client);
    put_limits(&json, common);
    mu_json_close(&json, '}');
    mu_json_close(&json, ']');
    mu_json_close(&json, '}');
}

/* ---- what cannot be ---------------------------------------------------------------------------
 */

static bool check_common(const struct common_options *common, bool needs_trust, bool needs_cert,
                         struct mutual_error *err)
{
    if (needs_trust && common->cacert == NULL) {
        (void)mu_fail(err, MUTUAL_E_USAGE, "--cacert is missing");
        return mu_error_hint(err, "Name the authorities that are believed; the system's roots are "
                                  "never consulted.");
    }
    if (common->keystore != NULL && (common->cert != NULL || common->key != NULL)) {
        return mu_fail(err, MUTUAL_E_USAGE, "--keystore and --cert with --key exclude each other");
    }
    if ((common->cert == NULL) != (common->key == NULL)) {
        return mu_fail(err, MUTUAL_E_USAGE, "--cert and --key belong together");
    }
    if (needs_cert && common->cert == NULL && common->keystore == NULL) {
        (void)mu_fail(err, MUTUAL_E_USAGE, "there is nothing to present");
        return mu_error_hint(err,
                             "Give --cert and --key, or --keystore with both in one PEM file.");
    }
    return true;
}

static bool check_server(const struct server_options *server, struct mutual_error *err)
{
    bool mutual = !server->common.disable_authentication;
    bool names =
        server->cns.count + server->dnss.count + server->uris.count + server->ips.count > 0;
    if (!check_common(&server->common, mutual, true, err)) {
        return false;
    }
    if (mutual && !names && !server->allow_all) {
        (void)mu_fail(err, MUTUAL_E_USAGE, "nobody is allowed in");
        return mu_error_hint(err, "Give --allow-cn, --allow-dns, --allow-uri, --allow-ip or "
                                  "--allow-all.");
    }
    if (names && server->allow_all) {
        return mu_fail(err, MUTUAL_E_USAGE,
                       "--allow-all and the other --allow- options exclude "
                       "each other");
    }
    return !(server->common.disable_authentication && (names || server->allow_all)) ||
           mu_fail(err, MUTUAL_E_USAGE,
                   "--disable-authentication and the --allow- options exclude each other");
}

static bool check_client(const struct client_options *client, struct mutual_error *err)
{
    return check_common(&client->common, true, !client->common.disable_authentication, err);
}

/* ---- serving ----------------------------------------------------------------------------------
 */

static bool load_text(void *owner, struct config_findings *findings,
                      struct config_snapshot **ret_snapshot)
{
    const struct mu_buf *text = owner;
    return config_snapshot_load_text(CONFIG_NAME, mu_buf_slice(text), findings, ret_snapshot);
}

static int serve(struct cli *cli, const struct common_options *common, struct mu_buf *text)
{
    struct mutual_error err = {0};
    if (text->failed) {
        (void)mu_fail(&err, MUTUAL_E_LIMIT, "the options take more than %d bytes", TEXT_MAX);
        return cli_fail(cli, &err);
    }
    const struct gateway_options gateway = {
        .load = load_text,
        .owner = text,
        .config_name = CONFIG_NAME,
        .control_path = "",
        .reload_every_ns = common->reload_every_ns,
        .drain_ns = common->shutdown_ns,
        .colour = cli->colour_err,
    };
    return gateway_serve(&gateway);
}

static int run_server(struct cli *cli, const void *options)
{
    const struct server_options *server = options;
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, TEXT_MAX);
    if (!check_server(server, &err)) {
        return cli_fail(cli, &err);
    }
    put_server(server, &text);
    return serve(cli, &server->common, &text);
}

static int run_client(struct cli *cli, const void *options)
{
    const struct client_options *client = options;
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, TEXT_MAX);
    if (!check_client(client, &err)) {
        return cli_fail(cli, &err);
    }
    put_client(client, &text);
    return serve(cli, &client->common, &text);
}

/* ---- tables -----------------------------------------------------------------------------------
 */

#define COMMON(field_) .offset = offsetof(struct common_options, field_)
#define COMMON_OPTIONS                                                           \
    {.name = "listen",                                                           \
     .kind = CLI_TEXT,                                                           \
     COMMON(listen),                                                             \
     .value = "ADDRESS",                                                         \
     .required = true,                                                           \
     .help = "host:port, unix:PATH, systemd:NAME"},                              \
        {.name = "target",                                                       \
         .kind = CLI_TEXT,                                                       \
         COMMON(target),                                                         \
         .value = "ADDRESS",                                                     \
         .required = true,                                                       \
         .help = "where connections go: host:port or unix:PATH"},                \
        {.name = "keystore",                                                     \
         .kind = CLI_PATH,                                                       \
         COMMON(keystore),                                                       \
         .value = "FILE",                                                        \
         .help = "certificate chain and private key in one PEM file"},           \
        {.name = "cert",                                                         \
         .kind = CLI_PATH,                                                       \
         COMMON(cert),                                                           \
         .value = "FILE",                                                        \
         .help = "certificate chain, PEM"},                                      \
        {.name = "key",                                                          \
         .kind = CLI_PATH,                                                       \
         COMMON(key),                                                            \
         .value = "FILE",                                                        \
         .help = "private key, PEM"},                                            \
        {.name = "cacert",                                                       \
         .kind = CLI_PATH,                                                       \
         COMMON(cacert),                                                         \
         .value = "FILE",                                                        \
         .help = "authorities that may issue the other end's certificate, PEM"}, \
        {.name = "disable-authentication",                                       \
         .kind = CLI_FLAG,                                                       \
         COMMON(disable_authentication),                                         \
         .help = "plain TLS: no client certificate"},                            \
        {.name = "status",                                                       \
         .kind = CLI_TEXT,                                                       \
         COMMON(status),                                                         \
         .value = "ADDRESS",                                                     \
         .help = "serve /_status over plain HTTP, on loopback or unix:PATH"},    \
        {.name = "timed-reload",                                                 \
         .kind = CLI_DURATION,                                                   \
         COMMON(reload_every_ns),                                                \
         .value = "DURATION",                                                    \
         .help = "look for changed files this often"},                           \
        {.name = "shutdown-timeout",                                             \
         .kind = CLI_DURATION,                                                   \
         COMMON(shutdown_ns),                                                    \
         .value = "DURATION",                                                    \
         .dflt = "5m",                                                           \
         .help = "how long SIGTERM waits for connections"},                      \
        {.name = "connect-timeout",                                              \
         .kind = CLI_DURATION,                                                   \
         COMMON(connect_ns),                                                     \
         .value = "DURATION",                                                    \
         .dflt = "10s",                                                          \
         .help = "for connecting, and for a handshake"},                         \
        {.name = "max-conn-lifetime",                                            \
         .kind = CLI_DURATION,                                                   \
         COMMON(lifetime_ns),                                                    \
         .value = "DURATION",                                                    \
         .help = "end connections of that age; never when left out"},            \
        {.name = "max-concurrent-conns",                                         \
         .kind = CLI_NUMBER,                                                     \
         COMMON(max),                                                            \
         .value = "N",                                                           \
         .help = "connections open at the same time; 0: no limit",               \
         .max = UNLIMITED},                                                      \
        {.name = "workers",                                                      \
         .kind = CLI_NUMBER,                                                     \
         COMMON(workers),                                                        \
         .value = "N",                                                           \
         .help = "processes that serve; one per processor when left out",        \
         .max = 256},                                                            \
    {                                                                            \
        .name = "use-landlock", .kind = CLI_FLAG, COMMON(landlock),              \
        .help = "accepted for compatibility: Landlock is always used"            \
    }

#define SERVER(field_) .offset = offsetof(struct server_options, field_)
static const struct cli_option server_table[] = {
    COMMON_OPTIONS,
    {.name = "allow-all",
     .kind = CLI_FLAG,
     SERVER(allow_all),
     .help = "let in whoever has a certificate of --cacert"},
    {.name = "allow-cn",
     .kind = CLI_TEXTS,
     SERVER(cns),
     .value = "NAME",
     .help = "let in this common name"},
    {.name = "allow-dns",
     .kind = CLI_TEXTS,
     SERVER(dnss),
     .value = "NAME",
     .help = "let in this DNS name"},
    {.name = "allow-uri",
     .kind = CLI_TEXTS,
     SERVER(uris),
     .value = "URI",
     .help = "let in this URI; a SPIFFE ID may have * for a segment and ** at its end"},
    {.name = "allow-ip",
     .kind = CLI_TEXTS,
     SERVER(ips),
     .value = "ADDRESS",
     .help = "let in this IP address"},
    {.name = "unsafe-target",
     .kind = CLI_FLAG,
     SERVER(unsafe_target),
     .help = "let the target be on another machine, where others can read along"},
    {.name = "proxy-protocol",
     .kind = CLI_FLAG,
     SERVER(proxy_protocol),
     .help = "tell the target who connects, by PROXY protocol v2"},
    {.name = NULL},
};

#define CLIENT(field_) .offset = offsetof(struct client_options, field_)
static const struct cli_option client_table[] = {
    COMMON_OPTIONS,
    {.name = "verify-cn",
     .kind = CLI_TEXTS,
     CLIENT(cns),
     .value = "NAME",
     .help = "the server must have this common name"},
    {.name = "verify-dns",
     .kind = CLI_TEXTS,
     CLIENT(dnss),
     .value = "NAME",
     .help = "the server must have this DNS name"},
    {.name = "verify-uri",
     .kind = CLI_TEXTS,
     CLIENT(uris),
     .value = "URI",
     .help = "the server must have this URI or SPIFFE ID"},
    {.name = "verify-ip",
     .kind = CLI_TEXTS,
     CLIENT(ips),
     .value = "ADDRESS",
     .help = "the server must have this IP address"},
    {.name = "override-server-name",
     .kind = CLI_TEXT,
     CLIENT(server_name),
     .value = "NAME",
     .help = "ask for this host name rather than that of --target"},
    {.name = "unsafe-listen",
     .kind = CLI_FLAG,
     CLIENT(unsafe_listen),
     .help = "let other machines connect in the clear and use our identity"},
    {.name = NULL},
};

static const struct cli_verb subs[] = {
    {.name = "server",
     .help = "mutual TLS in front of a service in the clear",
     .details = "Of ghostunnel's options these are not accepted: --allow-ou, --allow-policy,\n"
                "--auto-acme-*, --use-workload-api, --keychain-*, --pkcs11-*, --storepass\n"
                "(convert PKCS#12 to PEM), --metrics-*, --close-timeout, --enable-*.",
     .options = server_table,
     .options_size = sizeof(struct server_options),
     .run = run_server},
    {.name = "client",
     .help = "a local socket that leads to a server over mutual TLS",
     .details = "The server must prove any one of the names given with --verify-; when none is\n"
                "given, the host of --target or --override-server-name. Not accepted: --proxy,\n"
                "--verify-ou, --verify-policy, and what proxy server does not accept.",
     .options = client_table,
     .options_size = sizeof(struct client_options),
     .run = run_client},
    {.name = NULL},
};

const struct cli_verb cli_verb_proxy = {
    .name = "proxy",
    .group = CLI_GROUP_SERVE,
    .help = "serve one tunnel, with the command line of ghostunnel",
    .subs = subs,
};
