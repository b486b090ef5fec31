/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual enroll TOKEN (and --renew: enroll_renew.c): a key made here, a certificate from the
 * authority that the token names, and nobody believed but its root. Everything is built beside the
 * directory and appears there at once.
 */
#include "cli/authority_internal.h"
#include "cli/enroll_internal.h"
#include "cli/https_internal.h"
#include "enroll/enroll.h"
#include "probe/probe.h"
#include "session/session.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { TEXT_MAX = 1 << 20, PATH_TEXT = 1024, PROBE_S = 10, RETRY_S = 5, RETRY_MAX_S = 300 };

struct enroll_options {
    const char *out;
    int key;
    int64_t wait_ns;
    struct enroll_renewing renewal;
};

#define O(field_) offsetof(struct enroll_options, field_)
static const struct cli_option enroll_table[] = {
    {.name = "out",
     .letter = 'o',
     .kind = CLI_PATH,
     .offset = O(out),
     .value = "DIRECTORY",
     .dflt = "tls",
     .help = "the directory to be made, with tls.crt, tls.key and ca.crt"},
    {.name = "key",
     .kind = CLI_WORD,
     .offset = O(key),
     .words = authority_key_words,
     .dflt = "ec-p256",
     .help = "the kind of key that is made"},
    {.name = "wait",
     .kind = CLI_DURATION,
     .offset = O(wait_ns),
     .value = "DURATION",
     .help = "ask again so long while the request waits for a person"},
    {.name = "renew",
     .kind = CLI_FLAG,
     .offset = O(renewal.renew),
     .help = "renew the certificates of these directories when it is time"},
    {.name = "url",
     .kind = CLI_TEXT,
     .offset = O(renewal.url),
     .value = "URL",
     .help = "the authority, https://HOST:PORT; else the one that renewed it last"},
    {.name = "label",
     .kind = CLI_TEXT,
     .offset = O(renewal.label),
     .value = "NAME",
     .help = "which of the authority's issuers or profiles (RFC 7030 section 3.2.2)"},
    {.name = "trust",
     .kind = CLI_PATH,
     .offset = O(renewal.trust),
     .value = "FILE",
     .help = "what peers and the authority are believed by; else the directory's ca.crt"},
    {.name = "prove",
     .kind = CLI_TEXT,
     .offset = O(renewal.prove),
     .value = "HOST:PORT",
     .help = "a server that must take the new certificate before it is put in place"},
    {.name = "run",
     .kind = CLI_TEXT,
     .offset = O(renewal.run),
     .value = "COMMAND",
     .help = "run this afterwards, without a shell; if it fails, the old files come back"},
    {.name = "hup",
     .kind = CLI_PATH,
     .offset = O(renewal.hup),
     .value = "PIDFILE",
     .help = "send SIGHUP to this process afterwards"},
    {.name = "force",
     .kind = CLI_FLAG,
     .offset = O(renewal.force),
     .help = "renew now, due or not"},
    {.name = "daemon",
     .kind = CLI_FLAG,
     .offset = O(renewal.daemon),
     .help = "stay, and look every minute; SIGHUP looks at once"},
    {.name = NULL},
};
#undef O

struct enrolling {
    const struct cli *cli;
    const struct enroll_options *options;
    struct ca_token_text token;
    char *text; /* the token as it was given */
    char aside[PATH_TEXT];
    struct mu_cert *root;
    struct mutual_trust *trust;
    struct mu_key *key;
    struct mu_cert *leaf;
    struct mu_certs chain; /* the leaf's issuers without the root */
};

static void enrolling_done(struct enrolling *e)
{
    ca_token_text_done(&e->token);
    mu_secret_free(e->text);
    mu_cert_unref(e->root);
    mutual_trust_unref(e->trust);
    mu_key_unref(e->key);
    mu_cert_unref(e->leaf);
    mu_certs_done(&e->chain);
}

/* ---- the token ---------------------------------------------------------------------------------
 */

/* From standard input it is in no list of processes. */
static bool read_token(struct enrolling *e, struct mutual_error *err)
{
    const char *given = e->cli->args[0];
    if (strcmp(given, "-") == 0) {
        if (!authority_secret_read("-", &e->text, err)) {
            return false;
        }
    } else {
        e->text = mu_secret_alloc(strlen(given) + 1);
        if (e->text == NULL) {
            return mu_fail_memory(err);
        }
        memcpy(e->text, given, strlen(given) + 1);
    }
    return ca_token_parse(mu_slice_text(e->text), &e->token, err);
}

/* ---- the root ----------------------------------------------------------------------------------
 */

static bool find_root(struct enrolling *e, const struct mu_observed *observed,
                      struct mutual_error *err)
{
    for (size_t i = 0; observed != NULL && i < observed->cert_count; i++) {
        uint8_t digest[32];
        struct mu_slice der = {observed->certs[i].data, observed->certs[i].len};
        if (mu_sha256(der, digest, NULL) && memcmp(digest, e->token.root, sizeof digest) == 0) {
            return mu_cert_from_der(der, &e->root, err);
        }
    }
    return mu_fail(err, MUTUAL_E_ROOT_MISMATCH,
                   "\"%s\" shows %zu certificates, and none is the root that the token names",
                   e->token.url, observed == NULL ? 0 : observed->cert_count);
}

/* A first handshake, in which nothing is believed and nothing said, finds the certificate that has
 * the token's fingerprint; from then on it is the only one that is believed. */
static bool learn_root(struct enrolling *e, struct mutual_error *err)
{
    struct http_url url;
    char host[256];
    MU_AUTO(probe) struct probe *probe = NULL;
    MU_AUTO(buf) struct mu_buf pem;
    mu_buf_init(&pem, TEXT_MAX);
    if (!http_url_parse(mu_slice_text(e->token.url), &url, err)) {
        return false;
    }
    (void)snprintf(host, sizeof host, "%.*s", (int)url.host.len, (const char *)url.host.data);
    const struct probe_options options = {
        .host = host, .port = url.port, .timeout_ns = PROBE_S * MU_NS_PER_S};
    if (!probe_run(&options, &probe, err)) {
        return false;
    }
    const struct mu_observed *observed = probe_view(probe)->observed;
    const struct mutual_error *why = mu_story_error(probe_story(probe));
    if (why != NULL && (observed == NULL || observed->cert_count == 0)) {
        *err = *why;
        return mu_error_context(err, "%s", e->token.url);
    }
    if (!find_root(e, observed, err)) {
        return false;
    }
    mu_cert_to_pem(e->root, &pem);
    e->trust = mutual_trust_new("the token's root");
    return (e->trust != NULL || mu_fail_memory(err)) &&
           mutual_trust_add_pem(e->trust, (const char *)pem.data, pem.len, err) &&
           mutual_trust_freeze(e->trust, err);
}

/* ---- the directory and the key -----------------------------------------------------------------
 */

static bool path_in(const struct enrolling *e, const char *name, char path[PATH_TEXT],
                    struct mutual_error *err)
{
    int len = snprintf(path, PATH_TEXT, "%s/%s", e->aside, name);
    return (len > 0 && len < PATH_TEXT) || mu_fail(err, MUTUAL_E_LIMIT, "a path is too long");
}

/* Of a try that was killed while it wrote. */
static bool clear_strays(const struct enrolling *e, struct mutual_error *err)
{
    static const char *const files[] = {"tls.key", "tls.crt", "ca.crt", ENROLL_SETTINGS};
    for (size_t i = 0; i < MU_COUNT(files); i++) {
        char path[PATH_TEXT];
        if (!path_in(e, files[i], path, err)) {
            return false;
        }
        mu_file_clear_strays(path);
    }
    return true;
}

static bool make_place(struct enrolling *e, struct mutual_error *err)
{
    struct stat info;
    size_t len = strlen(e->options->out);
    while (len > 1 && e->options->out[len - 1] == '/') {
        len--;
    }
    int made = snprintf(e->aside, sizeof e->aside, "%.*s.enrolling", (int)len, e->options->out);
    if (made < 0 || made >= (int)sizeof e->aside) {
        return mu_fail(err, MUTUAL_E_LIMIT, "a path is too long");
    }
    if (lstat(e->options->out, &info) == 0) {
        return mu_fail(err, MUTUAL_E_FILE_EXISTS, "\"%s\" exists already", e->options->out) ||
               mu_error_hint(err, "Choose another directory with --out, or move it away.");
    }
    if (mkdir(e->aside, 0700) == 0) {
        return true;
    }
    return errno == EEXIST ? clear_strays(e, err)
                           : mu_fail_errno(err, MUTUAL_E_FILE_UNWRITABLE, errno,
                                           "could not make \"%s\"", e->aside);
}

/* The key of an earlier try serves again: the authority knows it by then. */
static bool make_key(struct enrolling *e, struct mutual_error *err)
{
    char path[PATH_TEXT];
    MU_AUTO(buf) struct mu_buf pem = {0};
    enum mu_key_spec spec = MU_SPEC_EC_P256;
    if (!path_in(e, "tls.key", path, err)) {
        return false;
    }
    bool good;
    if (access(path, F_OK) == 0) {
        good = mu_file_read(path, MU_LIMIT_KEY_BYTES, &pem, err) &&
               mu_key_from_pem(mu_buf_slice(&pem), path, NULL, &e->key, err);
    } else {
        mu_buf_init(&pem, MU_LIMIT_KEY_BYTES);
        good = (mu_key_spec_find(authority_key_words[e->options->key], &spec) ||
                mu_fail(err, MUTUAL_E_OPTION_VALUE, "there is no such kind of key")) &&
               mu_key_generate(spec, &e->key, err) && mu_key_to_pem(e->key, NULL, &pem, err) &&
               mu_file_write(path, mu_buf_slice(&pem), 0600, err);
    }
    mu_wipe(pem.data, pem.len);
    return good;
}

/* ---- asking ------------------------------------------------------------------------------------
 */

static bool url_of(const struct enrolling *e, const char *operation, char url[PATH_TEXT])
{
    int len = snprintf(url, PATH_TEXT, "%s/.well-known/est/%s", e->token.url, operation);
    return len > 0 && len < PATH_TEXT;
}

static bool read_certs(const struct https_reply *reply, struct mu_certs *ret_certs,
                       struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf text;
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&text, reply->body.len + 1);
    mu_buf_init(&der, reply->body.len + 1);
    for (size_t i = 0; i < reply->body.len; i++) {
        if (strchr("\r\n \t", reply->body.data[i]) == NULL || reply->body.data[i] == '\0') {
            (void)mu_buf_byte(&text, reply->body.data[i]);
        }
    }
    return mu_base64_parse(mu_buf_slice(&text), &der, err) &&
           mu_cms_read(mu_buf_slice(&der), ret_certs, err);
}

static bool put_authorization(const struct enrolling *e, struct mu_buf *out,
                              struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf pair;
    mu_buf_init(&pair, 2048);
    (void)mu_buf_printf(&pair, "token:%s", e->text);
    (void)mu_buf_text(out, "Basic ");
    mu_base64(out, mu_buf_slice(&pair));
    mu_wipe(pair.data, pair.len);
    return (!pair.failed && !out->failed) || mu_fail_memory(err);
}

static bool ask_once(struct enrolling *e, struct mu_slice body, const char *authorization,
                     struct https_reply *ret_reply, struct mutual_error *err)
{
    char url[PATH_TEXT];
    if (!url_of(e, "simpleenroll", url)) {
        return mu_fail(err, MUTUAL_E_LIMIT, "the URL is too long");
    }
    const struct https_request request = {.url = url,
                                          .trust = e->trust,
                                          .content_type = "application/pkcs10",
                                          .body = body,
                                          .authorization = authorization};
    return https_call(&request, ret_reply, err);
}

static void sleep_s(int64_t seconds)
{
    struct timespec left = {.tv_sec = (time_t)seconds};
    while (nanosleep(&left, &left) == -1 && errno == EINTR) {
    }
}

/* Until there is an answer that stays one, or the time is over. */
static bool ask(struct enrolling *e, struct mu_slice body, const char *authorization,
                struct https_reply *ret_reply, struct mutual_error *err)
{
    int64_t end_ns = mu_clock_mono_ns() + e->options->wait_ns;
    for (;;) {
        if (!ask_once(e, body, authorization, ret_reply, err)) {
            return false;
        }
        bool later = ret_reply->status == 202 || ret_reply->status == 503;
        int64_t pause_s = ret_reply->retry_s > 0 ? ret_reply->retry_s : RETRY_S;
        pause_s = pause_s < RETRY_MAX_S ? pause_s : RETRY_MAX_S;
        int64_t left_s = (end_ns - mu_clock_mono_ns()) / MU_NS_PER_S;
        if (!later || left_s <= 0) {
            return true;
        }
        if (ret_reply->status == 202) {
            cli_say(e->cli, "the request waits for mutual approve; asking again\n");
        }
        https_reply_done(ret_reply);
        sleep_s(pause_s < left_s ? pause_s : left_s);
    }
}

static bool request_certificate(struct enrolling *e, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf der;
    MU_AUTO(buf) struct mu_buf body;
    MU_AUTO(buf) struct mu_buf authorization;
    MU_AUTO(https_reply) struct https_reply reply = {0};
    MU_AUTO(certs) struct mu_certs certs = {0};
    mu_buf_init(&der, TEXT_MAX);
    mu_buf_init(&body, TEXT_MAX);
    mu_buf_init(&authorization, 8192);
    if (!mu_csr_build(e->key, NULL, 0, NULL, 0, &der, err) ||
        !put_authorization(e, &authorization, err)) {
        return false;
    }
    mu_base64(&body, mu_buf_slice(&der));
    bool asked = ask(e, mu_buf_slice(&body), mu_buf_str(&authorization), &reply, err);
    mu_wipe(authorization.data, authorization.len);
    if (!asked) {
        return false;
    }
    if (reply.status != 200) {
        (void)https_fail(&reply, e->token.url, err);
        return reply.status == 202 &&
               mu_error_hint(err, "Run the same command again; the key is kept in \"%.100s\".",
                             e->aside);
    }
    if (!read_certs(&reply, &certs, err)) {
        return false;
    }
    for (size_t i = 0; i < certs.count && e->leaf == NULL; i++) {
        if (mu_key_matches(e->key, certs.items[i], NULL)) {
            e->leaf = mu_cert_ref(certs.items[i]);
        }
    }
    return e->leaf != NULL || mu_fail(err, MUTUAL_E_KEY_MISMATCH,
                                      "the authority's answer holds no certificate of our key");
}

/* What stands between the leaf and the root; the whole must hold. */
static bool request_chain(struct enrolling *e, struct mutual_error *err)
{
    char url[PATH_TEXT];
    MU_AUTO(https_reply) struct https_reply reply = {0};
    MU_AUTO(certs) struct mu_certs certs = {0};
    struct mutual_der ders[MU_LIMIT_CHAIN_DEPTH];
    struct mutual_chain *chain = NULL;
    size_t count = 1;
    if (!url_of(e, "cacerts", url)) {
        return mu_fail(err, MUTUAL_E_LIMIT, "the URL is too long");
    }
    const struct https_request request = {.url = url, .trust = e->trust};
    if (!https_call(&request, &reply, err)) {
        return false;
    }
    if (reply.status != 200) {
        return https_fail(&reply, e->token.url, err);
    }
    if (!read_certs(&reply, &certs, err)) {
        return false;
    }
    const struct mu_cert *last = e->leaf;
    for (size_t turn = 0; turn < certs.count && count < MU_COUNT(ders); turn++) {
        struct mu_cert *next = NULL;
        for (size_t i = 0; i < certs.count && next == NULL; i++) {
            bool own = mu_cert_facts(certs.items[i])->self_issued;
            next = !own && mu_cert_may_issue(certs.items[i], last) ? certs.items[i] : NULL;
        }
        if (next == NULL) {
            break;
        }
        if (!mu_certs_add(&e->chain, next, err)) {
            return false;
        }
        ders[count++] =
            (struct mutual_der){mu_cert_facts(next)->der.data, mu_cert_facts(next)->der.len};
        last = next;
    }
    const struct mu_cert_facts *leaf = mu_cert_facts(e->leaf);
    ders[0] = (struct mutual_der){leaf->der.data, leaf->der.len};
    bool server = (leaf->eku & MU_EKU_SERVER) != 0;
    bool good = mutual_trust_validate(e->trust, ders, count,
                                      server ? MUTUAL_PURPOSE_SERVER : MUTUAL_PURPOSE_CLIENT,
                                      mu_clock_wall_s(), &chain, err);
    mutual_chain_unref(chain);
    return good || mu_error_context(err, "the certificate that the authority gave");
}

/* ---- putting it in place -----------------------------------------------------------------------
 */

static bool write_part(const struct enrolling *e, const char *name, struct mu_buf *pem,
                       struct mutual_error *err)
{
    char path[PATH_TEXT];
    return (!pem->failed || mu_fail_memory(err)) && path_in(e, name, path, err) &&
           mu_file_write(path, mu_buf_slice(pem), 0644, err);
}

/* Where to renew, and under which root: for mutual enroll --renew. */
static bool write_origin(const struct enrolling *e, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf out;
    MU_AUTO(buf) struct mu_buf root;
    struct mu_json json;
    mu_buf_init(&out, 4096);
    mu_buf_init(&root, 128);
    mu_hex(&root, mu_slice_of(e->token.root, sizeof e->token.root));
    mu_json_init(&json, &out);
    mu_json_open(&json, NULL, '{');
    mu_json_string(&json, "url", e->token.url);
    mu_json_string(&json, "label", "");
    mu_json_string(&json, "root", mu_buf_str(&root));
    mu_json_close(&json, '}');
    (void)mu_buf_byte(&out, '\n');
    return write_part(e, ENROLL_SETTINGS, &out, err);
}

static bool put_in_place(const struct enrolling *e, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf chain;
    MU_AUTO(buf) struct mu_buf root;
    mu_buf_init(&chain, TEXT_MAX);
    mu_buf_init(&root, TEXT_MAX);
    mu_cert_to_pem(e->leaf, &chain);
    for (size_t i = 0; i < e->chain.count; i++) {
        mu_cert_to_pem(e->chain.items[i], &chain);
    }
    mu_cert_to_pem(e->root, &root);
    if (!write_part(e, "tls.crt", &chain, err) || !write_part(e, "ca.crt", &root, err) ||
        !write_origin(e, err)) {
        return false;
    }
    return rename(e->aside, e->options->out) == 0 ||
           mu_fail_errno(err, MUTUAL_E_FILE_UNWRITABLE, errno, "could not rename \"%s\" to \"%s\"",
                         e->aside, e->options->out);
}

static bool tell(const struct enrolling *e, struct mutual_error *err)
{
    const struct mu_cert_facts *facts = mu_cert_facts(e->leaf);
    MU_AUTO(buf) struct mu_buf out;
    MU_AUTO(buf) struct mu_buf serial;
    char until[MU_TIME_TEXT];
    mu_buf_init(&out, 65536);
    mu_buf_init(&serial, 128);
    mu_hex(&serial, facts->serial);
    (void)mu_time_format(facts->not_after_s, until);
    if (e->cli->json) {
        struct mu_json json;
        mu_json_init(&json, &out);
        mu_json_open(&json, NULL, '{');
        mu_json_string(&json, "subject", facts->subject_text);
        mu_json_string(&json, "serial", mu_buf_str(&serial));
        mu_json_string(&json, "not_after", until);
        mu_json_string(&json, "path", e->options->out);
        mu_json_close(&json, '}');
        (void)mu_buf_byte(&out, '\n');
    } else {
        (void)mu_buf_printf(&out,
                            "enrolled  %s\n"
                            "serial    %s\n"
                            "until     %s\n"
                            "wrote     %s/{tls.crt,tls.key,ca.crt}\n",
                            facts->display, mu_buf_str(&serial), until, e->options->out);
    }
    return cli_write(e->cli, &out, err);
}

static int run_enroll(struct cli *cli, const void *options)
{
    struct mutual_error err = {0};
    const struct enroll_options *given = options;
    if (given->renewal.renew) {
        return enroll_renew_run(cli, &given->renewal);
    }
    if (cli->arg_count != 1) {
        (void)mu_fail(&err, MUTUAL_E_USAGE, "one token is enrolled at a time");
        return cli_fail(cli, &err);
    }
    __attribute__((cleanup(enrolling_done))) struct enrolling e = {.cli = cli, .options = options};
    bool good = read_token(&e, &err) && make_place(&e, &err) && learn_root(&e, &err) &&
                make_key(&e, &err) && request_certificate(&e, &err) && request_chain(&e, &err) &&
                put_in_place(&e, &err) && tell(&e, &err);
    if (!good && e.aside[0] != '\0') {
        (void)rmdir(e.aside); /* only when nothing is in it */
    }
    return good ? CLI_YES : cli_fail(cli, &err);
}

const struct cli_verb cli_verb_enroll = {
    .name = "enroll",
    .group = CLI_GROUP_CERT,
    .arguments = "TOKEN|DIRECTORY...",
    .help = "get a certificate with a one-time token, or keep it fresh from then on",
    .details =
        "TOKEN is what mutual token printed; - reads it from standard input. Only the root\n"
        "whose fingerprint it carries is believed. The key never leaves this machine. Run it\n"
        "again after an interruption: the same key gets the same certificate.\n"
        "With --renew the arguments are directories, each of which is exchanged as a whole\n"
        "when it is time: shortly before two thirds of the life, at a moment that the\n"
        "certificate's own fingerprint spreads over a twelfth of it; after a failure again,\n"
        "sooner the nearer the end is. A new certificate must have the same names, and goes\n"
        "through handshakes in memory with whoever believes what is believed today, before\n"
        "it takes the old one's place. Exit status: 0 renewed or not due.",
    .options = enroll_table,
    .options_size = sizeof(struct enroll_options),
    .min_args = 1,
    .max_args = UINT_MAX,
    .run = run_enroll,
};
