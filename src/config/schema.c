/* SPDX-License-Identifier: Apache-2.0
 *
 * The schema: one table per block. From these rows come the parser, the messages, JSON Schema, the
 * defaults as shown, and mutual.yaml(5). Nothing here is code but the completion of a block.
 */
#include "config/config_internal.h"

#include <string.h>

/* ---- trust -------------------------------------------------------------------------------------
 */

#define THIS config_source
static const struct setting source_settings[] = {
    {"url", SETTING_TEXT, .required = true, .reload = RELOAD_LIVE, AT(url), .max = 2048,
     .since = "0.1", .help = "where the list is: http or https, DER or PEM"},
    {"every", SETTING_DURATION, .reload = RELOAD_LIVE, AT(every_ns), .dflt = "1h", .min = 1,
     .max = 2592000, .since = "0.1",
     .help = "how often to ask at the latest; before the list runs out in any case"},
    {.name = NULL},
};
#undef THIS
static const struct block source_block = {
    .name = "list to fetch",
    .help = "A revocation list that is fetched from its issuer, in the background: never while a "
            "connection waits, never from an address in a certificate.",
    .size = sizeof(struct config_source),
    .settings = source_settings,
    .short_form = "url",
};

#define THIS config_revocation
static const char *const scope_words[] = {"chain", "leaf", NULL};
static const char *const staple_words[] = {"prefer", "require", "ignore", NULL};
static const struct setting revocation_settings[] = {
    {"crl", SETTING_PATH, SETTING_ONE_OR_MANY, .reload = RELOAD_LIVE, TEXTS_AT(crl), .since = "0.1",
     .help = "files of revocation lists, PEM or DER"},
    {"fetch", SETTING_BLOCK, SETTING_ONE_OR_MANY, .reload = RELOAD_LIVE,
     LIST_AT(fetch, fetch_count), .block = &source_block, .since = "0.1",
     .help = "revocation lists that are fetched; until each was, whoever has no list is refused"},
    {"scope", SETTING_WORD, AT(scope), .dflt = "chain", .words = scope_words, .since = "0.1",
     .help = "whose revocation is looked up: every certificate of the chain, or the leaf only"},
    {"required", SETTING_BOOL, AT(required), .dflt = "false", .since = "0.1",
     .help = "refuse a certificate whose issuer has no list here"},
    {"when-stale", SETTING_STALE, AT(when_stale), .dflt = "refuse", .since = "0.1",
     .help = "what a list past its next update does: refuse everybody, serve for some more time "
             "(grace 24h), or serve for ever"},
    {"unsafe-rollback", SETTING_BOOL, AT(unsafe_rollback), .dflt = "false", .since = "0.1",
     .help =
         "let a reload replace a list by one with a lower number or an older date, which brings "
         "back whoever was revoked in between"},
    {"staple", SETTING_WORD, AT(staple), .dflt = "prefer", .words = staple_words, .since = "0.1",
     .help = "what an OCSP response decides that a server sends along: one that is sent must be "
             "good; no server without a good one; or none is looked at. A certificate that "
             "demands one (must-staple) is refused without a good one in any case"},
    {.name = NULL},
};
#undef THIS
static const struct block revocation_block = {
    .name = "revocation block",
    .help = "Which certificates were taken back by their issuers.",
    .size = sizeof(struct config_revocation),
    .settings = revocation_settings,
    .short_form = NULL,
};

#define THIS config_trust
static const struct setting trust_settings[] = {
    {"name", SETTING_NAME, .required = true, AT(name), .since = "0.1",
     .help = "what listeners refer to it by"},
    {"bundle", SETTING_PATH, SETTING_ONE_OR_MANY, true, RELOAD_LIVE, TEXTS_AT(bundle),
     .since = "0.1",
     .help = "PEM files of the authorities that are believed; the system's roots never are"},
    {"intermediates", SETTING_PATH, SETTING_ONE_OR_MANY, TEXTS_AT(intermediates), .since = "0.1",
     .help = "PEM files of certificates that may complete a chain but are not believed themselves"},
    {"allow-intermediate-anchors", SETTING_BOOL, AT(allow_intermediate_anchors), .dflt = "false",
     .since = "0.1", .help = "let a bundle hold authorities that are not self-signed"},
    {"revocation", SETTING_BLOCK, AT(revocation), .block = &revocation_block, .since = "0.1",
     .help = "which certificates were taken back"},
    {.name = NULL},
};
#undef THIS
static const struct block trust_block = {
    .name = "trust block",
    .help = "Whom we believe: a bundle of authorities under a name.",
    .size = sizeof(struct config_trust),
    .settings = trust_settings,
};

/* ---- what listeners are made of
 * ------------------------------------------------------------------ */

static const char *join(struct decode *decode, const char *directory, const char *name)
{
    size_t len = strlen(directory);
    size_t name_len = strlen(name);
    char *path = mu_arena_alloc(decode->whole->arena, len + name_len + 2);
    if (path == NULL) {
        decode->no_memory = true;
        return NULL;
    }
    memcpy(path, directory, len);
    path[len] = '/';
    memcpy(path + len + 1, name, name_len + 1);
    return path;
}

/* A directory stands for the files that Kubernetes puts into one. */
static void finish_staple(struct decode *decode, const struct config_node *node,
                          struct config_certificate *certificate)
{
    struct config_place place = node_place(node);
    bool both = certificate->staple.url != NULL &&
                certificate->staple.from == CONFIG_STAPLE_FROM_CERTIFICATE;
    if (both) {
        decode_complain(decode, &place, NULL,
                        "a staple is fetched from a url or from what the "
                        "certificate names, not both");
    }
    if (!config_staple_is_fetched(certificate)) {
        return;
    }
    if (certificate->ocsp != NULL && !certificate->ocsp_beside) {
        decode_complain(decode, &place, "leave one of them away",
                        "a certificate's OCSP response is a file (ocsp) or fetched (staple), not "
                        "both");
    }
    certificate->ocsp = NULL;
    certificate->ocsp_beside = false;
}

static void finish_certificate(struct decode *decode, const struct config_node *node, void *base)
{
    struct config_certificate *certificate = base;
    struct config_place place = node_place(node);
    bool pair = certificate->chain != NULL && certificate->key != NULL;
    bool half = certificate->chain != NULL || certificate->key != NULL;
    bool written = certificate->directory != NULL || node_find(node, "directory") != NULL;
    if (certificate->directory != NULL && !half) {
        certificate->chain = join(decode, certificate->directory, "tls.crt");
        certificate->key = join(decode, certificate->directory, "tls.key");
        certificate->ocsp_beside = certificate->ocsp == NULL;
        certificate->ocsp = certificate->ocsp_beside
                                ? join(decode, certificate->directory, "tls.ocsp")
                                : certificate->ocsp;
        certificate->ca_beside = certificate->ca == NULL;
        certificate->ca = certificate->ca_beside ? join(decode, certificate->directory, "ca.crt")
                                                 : certificate->ca;
    } else if (written && half) {
        decode_complain(decode, &place, NULL,
                        "a certificate is a directory or a chain and a key, not both");
    } else if (!pair && !written && (node->kind == NODE_MAP || half)) {
        bool chain_named = node_find(node, "chain") != NULL;
        bool key_named = node_find(node, "key") != NULL;
        if (!chain_named || !key_named) {
            decode_complain(decode, &place, "{chain: FILE, key: FILE}, or a directory",
                            "a certificate needs a chain and a key");
        }
    }
    finish_staple(decode, node, certificate);
}

#define THIS config_staple_source
static const char *const from_words[] = {"none", "certificate", NULL};
static const struct setting staple_source_settings[] = {
    {"url", SETTING_TEXT, .reload = RELOAD_LIVE, AT(url), .max = 2048, .since = "0.1",
     .help = "the responder, http or https; asked by POST (RFC 6960)"},
    {"from", SETTING_WORD, .reload = RELOAD_LIVE, AT(from), .dflt = "none", .words = from_words,
     .since = "0.1",
     .help = "certificate: the responder is the one that the certificate itself names"},
    {"every", SETTING_DURATION, .reload = RELOAD_LIVE, AT(every_ns), .dflt = "7d", .min = 1,
     .max = 2592000, .since = "0.1",
     .help = "how often to ask at the latest; when half of a response's time is over in any case"},
    {.name = NULL},
};
#undef THIS
static const struct block staple_source_block = {
    .name = "staple",
    .help =
        "An OCSP response that is fetched in the background and sent to clients who ask for one "
        "(stapling). The last good one is kept over restarts.",
    .size = sizeof(struct config_staple_source),
    .settings = staple_source_settings,
    .short_form = "url",
};

#define THIS config_certificate
static const struct setting certificate_settings[] = {
    {"directory", SETTING_PATH, AT(directory), .since = "0.1",
     .help = "directory with tls.crt and tls.key; a path in place of the whole block is the same"},
    {"chain", SETTING_PATH, AT(chain), .since = "0.1",
     .help = "PEM file: the certificate, then its intermediates"},
    {"key", SETTING_PATH, AT(key), .since = "0.1",
     .help = "PEM file of the private key, readable by its owner only"},
    {"passphrase", SETTING_SECRET, AT(passphrase), .since = "0.1",
     .help = "where the passphrase of the key is"},
    {"ocsp", SETTING_PATH, AT(ocsp), .reload = RELOAD_LIVE, .since = "0.1",
     .help = "DER file: the OCSP response that is sent to clients who ask for one (stapling); "
             "tls.ocsp of a directory is used when it is there"},
    {"staple", SETTING_BLOCK, .reload = RELOAD_LIVE, AT(staple), .block = &staple_source_block,
     .since = "0.1", .help = "where the OCSP response is fetched from, in place of a file"},
    {"ca", SETTING_PATH, AT(ca), .reload = RELOAD_LIVE, .since = "0.1",
     .help = "PEM file: the authority that the chain has to lead to, else the configuration is "
             "refused; ca.crt of a directory is used when it is there"},
    {.name = NULL},
};
#undef THIS
static const struct block certificate_block = {
    .name = "certificate",
    .help = "What we present, with the key that proves it.",
    .size = sizeof(struct config_certificate),
    .settings = certificate_settings,
    .short_form = "directory",
    .finish = finish_certificate,
};

static const char *const none_word[] = {"none", NULL};
static const char *const auto_word[] = {"auto", NULL};

#define THIS config_timeouts
static const struct setting timeouts_settings[] = {
    {"handshake", SETTING_DURATION, .reload = RELOAD_NEW, AT(handshake_ns), .dflt = "10s", .min = 1,
     .max = 600, .since = "0.1", .help = "from the first byte to the last of the handshake"},
    {"connect", SETTING_DURATION, .reload = RELOAD_NEW, AT(connect_ns), .dflt = "5s", .min = 1,
     .max = 600, .since = "0.1", .help = "to reach the other side of the gateway"},
    {"idle", SETTING_DURATION, .reload = RELOAD_NEW, AT(idle_ns), .dflt = "10m", .words = none_word,
     .since = "0.1", .help = "without a byte in either direction"},
    {"lifetime", SETTING_DURATION, .reload = RELOAD_NEW, AT(lifetime_ns), .dflt = "none",
     .words = none_word, .since = "0.1", .help = "of a connection in all"},
    {"drain", SETTING_DURATION, .reload = RELOAD_LIVE, AT(drain_ns), .dflt = "30s", .min = 0,
     .max = 86400, .since = "0.1",
     .help = "that open connections have when the gateway ends or the listener is removed"},
    {.name = NULL},
};
#undef THIS
static const struct block timeouts_block = {
    .name = "timeouts block",
    .help = "How long things may take.",
    .size = sizeof(struct config_timeouts),
    .settings = timeouts_settings,
};

#define THIS config_connections
static const struct setting connections_settings[] = {
    {"max", SETTING_NUMBER, .reload = RELOAD_LIVE, AT(max), .dflt = "10000", .min = 1,
     .max = 10000000, .since = "0.1", .help = "open at the same time, all workers together"},
    {.name = NULL},
};
#undef THIS
static const struct block connections_block = {
    .name = "connections block",
    .help = "How many there may be.",
    .size = sizeof(struct config_connections),
    .settings = connections_settings,
};

#define THIS config_tls
static const char *const tls_words[] = {"1.2", "1.3", NULL};
static const char *const records_words[] = {"own", "library", NULL};
static const struct setting tls_settings[] = {
    {"min", SETTING_WORD, .reload = RELOAD_NEW, AT(min), .dflt = "1.2", .words = tls_words,
     .since = "0.1", .help = "the oldest TLS that is spoken"},
    {"resumption", SETTING_BOOL, .reload = RELOAD_NEW, AT(resumption), .dflt = "true",
     .since = "0.1", .help = "let sessions be resumed; each is admitted anew"},
    {"strict-sni", SETTING_BOOL, .reload = RELOAD_NEW, AT(strict_sni), .dflt = "false",
     .since = "0.1", .help = "refuse a client that asks for a name no certificate here has"},
    {"record-layer", SETTING_WORD, .reload = RELOAD_NEW, AT(record_layer), .dflt = "own",
     .words = records_words, .since = "0.1",
     .help = "who encrypts the data of TLS 1.3 after the handshake: mutual, or OpenSSL for less "
             "speed and more memory"},
    {.name = NULL},
};
#undef THIS
static const struct block tls_block = {
    .name = "tls block",
    .help =
        "The protocol itself. Suites and groups are not for choosing: there are only good ones.",
    .size = sizeof(struct config_tls),
    .settings = tls_settings,
};

/* ---- inbound
 * ------------------------------------------------------------------------------------- */

#define THIS config_clients
static const char *const mode_words[] = {"require", "request", "none", "observe", NULL};
const char *config_mode_word(enum config_mode mode)
{
    return mode_words[mode];
}

static const struct setting clients_settings[] = {
    {"mode", SETTING_WORD, .reload = RELOAD_NEW, AT(mode), .dflt = "require", .words = mode_words,
     .since = "0.1",
     .help =
         "require: mutual TLS. request: a client without certificate is anonymous. none: plain "
         "TLS, nobody is asked and the policy is not. observe: for moving from none to require: "
         "lets in whom none lets in, asks for a certificate all the same, and records what "
         "require would say; whom require would not believe is nobody to the log and the "
         "service"},
    {"trust", SETTING_NAME, AT(trust), .since = "0.1",
     .help = "the trust block that clients' certificates are judged by"},
    {"send-ca-names", SETTING_BOOL, .reload = RELOAD_NEW, AT(send_ca_names), .dflt = "true",
     .since = "0.1", .help = "tell clients which authorities are believed"},
    {.name = NULL},
};
#undef THIS
static const struct block clients_block = {
    .name = "clients block",
    .help = "What is asked of clients.",
    .size = sizeof(struct config_clients),
    .settings = clients_settings,
};

static const char *join_service(struct decode *decode, const char *listener, const char *host)
{
    return join(decode, listener, host); /* a service's name is written like a path */
}

/* What a host is called when it does not say: its first host name, without the asterisk. */
static const char *host_label(struct decode *decode, const struct config_inbound *host)
{
    const char *first = host->names.count > 0 ? host->names.items[0] : NULL;
    if (host->name != NULL || first == NULL) {
        return host->name;
    }
    size_t skip = strncmp(first, "*.", 2) == 0 ? 2 : 0;
    size_t len = strlen(first + skip);
    len -= len > 0 && first[skip + len - 1] == '.' ? 1 : 0;
    char *label = mu_arena_strndup(decode->whole->arena, first + skip, len);
    decode->no_memory = decode->no_memory || label == NULL;
    for (char *c = label; c != NULL && *c != '\0'; c++) {
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
    }
    return label;
}

static void inherit(struct config_inbound *host, const struct config_inbound *listener)
{
    if (!config_is_set(&host->mark, "clients")) {
        host->clients = listener->clients;
    } else if (!config_is_set(&host->clients.mark, "trust") &&
               host->clients.mode != CONFIG_MODE_NONE) {
        host->clients.trust = listener->clients.trust;
    }
    if (!config_is_set(&host->mark, "forward")) {
        host->forward = listener->forward;
        host->application = listener->application;
        host->unsafe_forward = listener->unsafe_forward;
    }
    if (!config_is_set(&host->mark, "certificate")) {
        host->certificates = listener->certificates;
        host->certificate_count = listener->certificate_count;
    }
    if (!config_is_set(&host->mark, "alpn")) {
        host->alpn = listener->alpn;
    }
    if (!config_is_set(&host->mark, "proxy-protocol")) {
        host->proxy_protocol = listener->proxy_protocol;
    }
    host->timeouts = listener->timeouts;
    host->connections = listener->connections;
    host->tls = listener->tls;
}

/* Was it probably written, by another spelling that was told of already? */
static bool is_meant(const struct config_node *node)
{
    static const char *const words[] = {"forward", "application", NULL};
    for (const struct config_node *entry = node->first; entry != NULL; entry = entry->next) {
        if (mu_suggest(entry->key, words) != NULL) {
            return true;
        }
    }
    return false;
}

/* What is behind: a service that is forwarded to, or the authority, and not both. */
static void finish_target(struct decode *decode, const struct config_node *node,
                          struct config_inbound *in)
{
    bool forward = node_find(node, "forward") != NULL;
    struct config_place place = node_place(node);
    if (node->kind != NODE_MAP || decode->broken) {
        return;
    }
    bool application = in->application != CONFIG_APPLICATION_NONE;
    if (application && forward) {
        decode_complain(decode, &place, NULL, "it has a forward and an application");
    } else if (!application && !forward && !is_meant(node)) {
        decode_complain(decode, &place, "forward: the service behind, reached in the clear",
                        "required setting \"forward\" is missing from this inbound listener");
    }
    for (size_t i = 0; application && i < in->certificate_count; i++) {
        struct config_certificate *certificate = &in->certificates[i];
        certificate->root =
            certificate->directory != NULL ? join(decode, certificate->directory, "ca.crt") : NULL;
    }
    if (application) {
        in->forward = (struct config_address){.kind = CONFIG_ADDRESS_NONE, .text = "authority"};
    }
    if (in->plain && !application) {
        decode_complain(decode, &place, "application: authority",
                        "only what the authority publishes can be served in the clear");
    } else if (in->plain && (in->certificate_count > 0 || in->host_count > 0 ||
                             node_find(node, "clients") != NULL)) {
        decode_complain(decode, &place, NULL,
                        "in the clear there are no certificates, clients and hosts");
    }
    if (in->plain) {
        in->clients.mode = CONFIG_MODE_NONE;
    }
}

static void finish_inbound(struct decode *decode, const struct config_node *node, void *base)
{
    struct config_inbound *in = base;
    in->service = in->name;
    finish_target(decode, node, in);
    if (in->certificate_count == 0 && !in->plain && node_find(node, "certificate") == NULL &&
        node_find(node, "hosts") == NULL && node->kind == NODE_MAP && !decode->broken) {
        struct config_place place = node_place(node);
        decode_complain(decode, &place, "certificate: what is presented",
                        "required setting \"certificate\" is missing from this inbound listener");
    }
    for (size_t i = 0; i < in->host_count; i++) {
        struct config_inbound *host = &in->hosts[i];
        host->name = host_label(decode, host);
        inherit(host, in);
        if (in->name != NULL && host->name != NULL) {
            host->service = join_service(decode, in->name, host->name);
        }
    }
}

#define THIS config_inbound
static const char *const proxy_words[] = {"none", "v2", "v2-cert", NULL};
static const char *const application_words[] = {"none", "authority", NULL};
static const struct setting host_settings[] = {
    {"names", SETTING_TEXT, SETTING_ONE_OR_MANY, true, RELOAD_NEW, TEXTS_AT(names), .max = 253,
     .since = "0.1",
     .help = "host names that clients ask for (SNI): \"api.example.org\", or \"*.example.org\" for "
             "exactly one more label"},
    {"name", SETTING_NAME, AT(name), .since = "0.1",
     .help = "grants are given to, and logs tell, LISTENER/NAME; the first of names (without "
             "\"*.\") when left out"},
    {"certificate", SETTING_BLOCK, SETTING_ONE_OR_MANY, .reload = RELOAD_NEW,
     LIST_AT(certificates, certificate_count), .block = &certificate_block, .since = "0.1",
     .help = "what is presented under these names; the listener's when left out"},
    {"clients", SETTING_BLOCK, AT(clients), .block = &clients_block, .since = "0.1",
     .help = "what is asked of clients; as the listener does when left out. Without trust of its "
             "own it is the listener's"},
    {"forward", SETTING_TARGET, .reload = RELOAD_NEW, AT(forward), .since = "0.1",
     .help = "the service behind these names; the listener's when left out"},
    {"unsafe-forward", SETTING_BOOL, AT(unsafe_forward), .dflt = "false", .since = "0.1",
     .help = "let it be on another machine, where others can read along"},
    {"alpn", SETTING_TEXT, SETTING_ONE_OR_MANY, .reload = RELOAD_NEW, TEXTS_AT(alpn), .max = 255,
     .since = "0.1", .help = "application protocols; the listener's when left out"},
    {"proxy-protocol", SETTING_WORD, .reload = RELOAD_NEW, AT(proxy_protocol), .dflt = "none",
     .words = proxy_words, .since = "0.1",
     .help = "tell the service behind who connects; as the listener does when left out"},
    {.name = NULL},
};
static const struct block host_block = {
    .name = "host",
    .help = "Host names with settings of their own: a service LISTENER/NAME to grants, logs and "
            "status. Chosen by what the client asks for (SNI), before anything else is decided; no "
            "session is resumed under another host. A client that asks for a name nobody has, or "
            "for none, gets the listener's own settings only if it has a certificate of its own "
            "and asks at least as much of clients as each of its hosts; else it is refused.",
    .size = sizeof(struct config_inbound),
    .settings = host_settings,
};

static const struct setting inbound_settings[] = {
    {"name", SETTING_NAME, .required = true, AT(name), .since = "0.1",
     .help = "the service's name: grants are given to it, logs tell it"},
    {"listen", SETTING_LISTEN, SETTING_ONE_OR_MANY, true, RELOAD_LIVE,
     LIST_AT(listen, listen_count), .since = "0.1", .help = "where TLS is accepted"},
    {"forward", SETTING_TARGET, .reload = RELOAD_NEW, AT(forward), .since = "0.1",
     .help = "the service behind, reached in the clear; required unless there is an application"},
    {"application", SETTING_WORD, .reload = RELOAD_NEW, AT(application), .dflt = "none",
     .words = application_words, .since = "0.1",
     .help = "in place of forward: the authority of this machine is the service behind, and is "
             "told who was proved"},
    {"plain", SETTING_BOOL, .reload = RELOAD_NEW, AT(plain), .dflt = "false", .since = "0.1",
     .help = "with application: plain HTTP, for what the authority lets everybody read (revocation "
             "lists, issuers' certificates); without certificate and clients"},
    {"unsafe-forward", SETTING_BOOL, AT(unsafe_forward), .dflt = "false", .since = "0.1",
     .help = "let the service behind be on another machine, where others can read along"},
    {"certificate", SETTING_BLOCK, SETTING_ONE_OR_MANY, .reload = RELOAD_NEW,
     LIST_AT(certificates, certificate_count), .block = &certificate_block, .since = "0.1",
     .help = "what is presented; several for several key types or host names. Required unless "
             "there are hosts: then who asks for no host of theirs is refused without it"},
    {"clients", SETTING_BLOCK, AT(clients), .block = &clients_block, .since = "0.1",
     .help = "what is asked of clients"},
    {"hosts", SETTING_BLOCK, SETTING_MANY, .reload = RELOAD_LIVE, LIST_AT(hosts, host_count),
     .block = &host_block, .since = "0.1", .help = "host names with settings of their own"},
    {"unsafe-plain", SETTING_BOOL, .reload = RELOAD_NEW, AT(unsafe_plain), .dflt = "false",
     .since = "0.1",
     .help = "while callers move to TLS: let in on the same port who speaks none, in the clear and "
             "unproved. Told by the first byte. Only with mode none or observe"},
    {"plain-wait", SETTING_DURATION, .reload = RELOAD_NEW, AT(plain_wait_ns), .dflt = "1s",
     .min = 0, .max = 60, .since = "0.1",
     .help =
         "with unsafe-plain: who says nothing for so long waits for the service to speak first, "
         "and is taken for one without TLS"},
    {"alpn", SETTING_TEXT, SETTING_ONE_OR_MANY, .reload = RELOAD_NEW, TEXTS_AT(alpn), .max = 255,
     .since = "0.1", .help = "application protocols, in order of preference"},
    {"proxy-protocol", SETTING_WORD, .reload = RELOAD_NEW, AT(proxy_protocol), .dflt = "none",
     .words = proxy_words, .since = "0.1",
     .help = "tell the service behind who connects; v2-cert: with the whole certificate"},
    {"timeouts", SETTING_BLOCK, AT(timeouts), .block = &timeouts_block, .since = "0.1",
     .help = "how long things may take"},
    {"connections", SETTING_BLOCK, AT(connections), .block = &connections_block, .since = "0.1",
     .help = "how many there may be"},
    {"tls", SETTING_BLOCK, AT(tls), .block = &tls_block, .since = "0.1",
     .help = "the protocol itself"},
    {.name = NULL},
};
#undef THIS
static const struct block inbound_block = {
    .name = "inbound listener",
    .help = "TLS or mutual TLS in front of a service that knows neither.",
    .size = sizeof(struct config_inbound),
    .settings = inbound_settings,
    .finish = finish_inbound,
};

/* ---- outbound
 * ------------------------------------------------------------------------------------ */

#define THIS config_outbound
static const struct setting outbound_settings[] = {
    {"name", SETTING_NAME, .required = true, AT(name), .since = "0.1", .help = "what logs call it"},
    {"listen", SETTING_LISTEN, SETTING_ONE_OR_MANY, true, RELOAD_LIVE,
     LIST_AT(listen, listen_count), .since = "0.1",
     .help = "where local programs connect in the clear; whoever does uses our identity"},
    {"unsafe-listen", SETTING_BOOL, AT(unsafe_listen), .dflt = "false", .since = "0.1",
     .help = "let other machines connect in the clear and use our identity"},
    {"connect", SETTING_TARGET, .required = true, .reload = RELOAD_NEW, AT(connect), .since = "0.1",
     .help = "the server, reached by mutual TLS"},
    {"server-name", SETTING_TEXT, .reload = RELOAD_NEW, AT(server_name), .max = 253, .since = "0.1",
     .help = "the host name asked for, if it is not that of connect"},
    {"certificate", SETTING_BLOCK, SETTING_ONE_OR_MANY, .reload = RELOAD_NEW,
     LIST_AT(certificates, certificate_count), .block = &certificate_block, .since = "0.1",
     .help = "what is presented, if the server asks"},
    {"trust", SETTING_NAME, .required = true, .reload = RELOAD_LIVE, AT(trust), .since = "0.1",
     .help = "the trust block that the server's certificate is judged by"},
    {"expect", SETTING_PATTERN, SETTING_ONE_OR_MANY, true, RELOAD_LIVE,
     LIST_AT(expect, expect_count), .since = "0.1",
     .help = "who the server must prove to be: any of these"},
    {"alpn", SETTING_TEXT, SETTING_ONE_OR_MANY, .reload = RELOAD_NEW, TEXTS_AT(alpn), .max = 255,
     .since = "0.1", .help = "application protocols, in order of preference"},
    {"timeouts", SETTING_BLOCK, AT(timeouts), .block = &timeouts_block, .since = "0.1",
     .help = "how long things may take"},
    {"connections", SETTING_BLOCK, AT(connections), .block = &connections_block, .since = "0.1",
     .help = "how many there may be"},
    {"tls", SETTING_BLOCK, AT(tls), .block = &tls_block, .since = "0.1",
     .help = "the protocol itself"},
    {.name = NULL},
};
#undef THIS
static const struct block outbound_block = {
    .name = "outbound target",
    .help = "A local socket that leads to a server by mutual TLS, for programs that know neither.",
    .size = sizeof(struct config_outbound),
    .settings = outbound_settings,
};

/* ---- policy
 * -------------------------------------------------------------------------------------- */

static void finish_grant(struct decode *decode, const struct config_node *node, void *base)
{
    const struct config_grant *grant = base;
    if (grant->until_s <= grant->since_s) {
        const struct config_node *until = node_find(node, "until");
        struct config_place place = node_place(until != NULL ? until : node);
        decode_complain(decode, &place, NULL, "the grant ends before it begins");
    }
    if (grant->from_count == 0 && !grant->anonymous && !grant->anyone &&
        node_find(node, "from") == NULL && node->kind == NODE_MAP && !decode->broken) {
        struct config_place place = node_place(node);
        decode_complain(decode, &place, "from: who may, such as {dns: web.example.org}",
                        "required setting \"from\" is missing from this grant");
    }
}

#define THIS config_grant
static const char *const any_word[] = {"*", NULL};
static const char *const shadow_words[] = {"none", "add", "remove", NULL};
static const struct setting grant_settings[] = {
    {"grant", SETTING_NAME, .required = true, AT(name), .since = "0.1",
     .help = "the grant's name, told with every decision"},
    {"to", SETTING_SERVICE, SETTING_ONE_OR_MANY, true, RELOAD_LIVE, TEXTS_AT(to), .words = any_word,
     .since = "0.1",
     .help = "inbound listeners, hosts as LISTENER/HOST, or \"*\" for all; a grant to a listener "
             "is none to its hosts"},
    {"from", SETTING_PATTERN, SETTING_ONE_OR_MANY, .reload = RELOAD_LIVE, LIST_AT(from, from_count),
     .since = "0.1", .help = "who may: any of these"},
    {"anonymous", SETTING_BOOL, AT(anonymous), .dflt = "false", .since = "0.1",
     .help = "also clients without certificate, where the listener has mode request"},
    {"anyone", SETTING_BOOL, AT(anyone), .dflt = "false", .since = "0.1",
     .help = "whoever the listener's trust proves, whatever the name: the authority alone decides"},
    {"shadow", SETTING_WORD, .reload = RELOAD_LIVE, AT(shadow), .dflt = "none",
     .words = shadow_words, .since = "0.1",
     .help = "try a change of the policy before it is made. add: the grant lets nobody in yet. "
             "remove: it still does. What the policy would say with the change made is told in "
             "the log and by mutual access ready"},
    {"since", SETTING_TIME, AT(since_s), .dflt = "always", .since = "0.1",
     .help = "when it begins"},
    {"until", SETTING_TIME, AT(until_s), .dflt = "never", .since = "0.1",
     .help = "when it ends: the first moment without"},
    {"owner", SETTING_TEXT, .required = true, AT(owner), .max = 256, .since = "0.1",
     .help = "who answers for it"},
    {"why", SETTING_TEXT, .required = true, AT(why), .max = 1024, .since = "0.1",
     .help = "the reason it was given"},
    {.name = NULL},
};
#undef THIS
static const struct block grant_block = {
    .name = "grant",
    .help = "Who may reach what. Nobody else may.",
    .size = sizeof(struct config_grant),
    .settings = grant_settings,
    .finish = finish_grant,
};

/* ---- the rest
 * ------------------------------------------------------------------------------------ */

#define THIS config_log
static const char *const format_words[] = {"auto", "human", "json", NULL};
static const char *const level_words[] = {"error", "warning", "info", "debug", NULL};
static const struct setting log_settings[] = {
    {"format", SETTING_WORD, AT(format), .dflt = "auto", .words = format_words, .since = "0.1",
     .help = "auto: human on a terminal, JSON otherwise"},
    {"level", SETTING_WORD, AT(level), .dflt = "info", .words = level_words, .since = "0.1",
     .help = "the least that is told; every connection's end is info"},
    {.name = NULL},
};
#undef THIS
static const struct block log_block = {
    .name = "log block",
    .help = "One line per connection, on standard error.",
    .size = sizeof(struct config_log),
    .settings = log_settings,
};

#define THIS config_flood
static const struct setting flood_settings[] = {
    {"handshakes", SETTING_NUMBER, .reload = RELOAD_LIVE, AT(handshakes), .dflt = "1024", .min = 1,
     .max = 1000000, .since = "0.1",
     .help = "handshakes under way at once; each takes about 50 KiB"},
    {"waiting", SETTING_NUMBER, .reload = RELOAD_LIVE, AT(waiting), .dflt = "4096", .min = 1,
     .max = 1000000, .since = "0.1",
     .help =
         "connections that are not admitted yet, those in a handshake included; a newcomer "
         "takes the place of the oldest that has had it for a second, or waits; never more than "
         "three quarters of the connections that open files allow"},
    {"per-source", SETTING_NUMBER, .reload = RELOAD_LIVE, AT(per_source), .dflt = "1024", .min = 1,
     .max = 1000000, .since = "0.1",
     .help =
         "of these, of one IPv4 address or one IPv6 network of 64 bits; a further one is closed "
         "at once. Raise it where a load balancer hides who comes"},
    {.name = NULL},
};
#undef THIS
static const struct block flood_block = {
    .name = "flood block",
    .help = "What those may take who are not admitted yet, in each worker.",
    .size = sizeof(struct config_flood),
    .settings = flood_settings,
};

#define THIS config_status
static const struct setting status_settings[] = {
    {"listen", SETTING_LISTEN, .reload = RELOAD_RESTART, AT(listen), .since = "0.1",
     .help = "where /metrics, /health/ready, /health/live, /_status, /livez and /readyz are served "
             "over "
             "plain HTTP; nowhere when left out"},
    {"unsafe-listen", SETTING_BOOL, AT(unsafe_listen), .dflt = "false", .since = "0.1",
     .help = "let other machines read it"},
    {"expiry-margin", SETTING_DURATION, .reload = RELOAD_LIVE, AT(expiry_margin_ns), .dflt = "auto",
     .words = auto_word, .min = 1, .max = 31536000, .since = "0.1",
     .help =
         "/health/ready is red so long before something ends that is served or believed: a "
         "certificate, a revocation list, a staple, the last authority of a trust block, an issuer "
         "of the authority and its list; auto is a tenth of its life, and 30 days at the most"},
    {.name = NULL},
};
#undef THIS
static const struct block status_block = {
    .name = "status block",
    .help = "The gateway's own state.",
    .size = sizeof(struct config_status),
    .settings = status_settings,
    .short_form = "listen",
};

#define THIS config_fetch
static const struct setting fetch_settings[] = {
    {"directory", SETTING_PATH, .reload = RELOAD_LIVE, AT(directory), .since = "0.1",
     .help = "where what was fetched last is kept, so that a start needs no network; when left out "
             "/var/lib/mutual/fetched for root, else ~/.local/state/mutual/fetched"},
    {"trust", SETTING_NAME, .reload = RELOAD_LIVE, AT(trust), .since = "0.1",
     .help = "the trust block that servers of https URLs are judged by; without it, only http"},
    {"private", SETTING_TEXT, SETTING_ONE_OR_MANY, .reload = RELOAD_LIVE,
     TEXTS_AT(private_networks), .max = 64, .since = "0.1",
     .help = "networks such as 10.1.0.0/16 that URLs may lead to although they are not of the "
             "public internet"},
    {"allow", SETTING_TEXT, SETTING_ONE_OR_MANY, .reload = RELOAD_LIVE, TEXTS_AT(allow), .max = 255,
     .since = "0.1",
     .help = "the only hosts that anything is fetched from, such as crl.example.org or "
             "*.example.org (one label more); when left out, every host that a URL of the "
             "configuration names"},
    {"timeout", SETTING_DURATION, .reload = RELOAD_LIVE, AT(timeout_ns), .dflt = "60s", .min = 1,
     .max = 3600, .since = "0.1", .help = "how long one whole answer may take"},
    {.name = NULL},
};
#undef THIS
static const struct block fetch_block = {
    .name = "fetch block",
    .help = "How what the configuration names by URL is fetched. Redirects are followed on the "
            "URL's own host only.",
    .size = sizeof(struct config_fetch),
    .settings = fetch_settings,
};

#define THIS config
static const struct setting root_settings[] = {
    {"version", SETTING_NUMBER, .required = true, .reload = RELOAD_RESTART, AT(version), .min = 1,
     .max = 1, .since = "0.1", .help = "version of the configuration language: 1"},
    {"include", SETTING_PATH, SETTING_ONE_OR_MANY, TEXTS_AT(include), .since = "0.1",
     .help = "more files, such as conf.d/*.yaml; lists are joined, all else may be set once"},
    {"watch", SETTING_BOOL, .reload = RELOAD_LIVE, AT(watch), .dflt = "true", .since = "0.1",
     .help = "reload by itself when a file that is named here changes"},
    {"workers", SETTING_NUMBER, .reload = RELOAD_RESTART, AT(workers), .dflt = "auto", .min = 1,
     .max = 256, .words = auto_word, .since = "0.1",
     .help = "processes that serve; auto: one per processor"},
    {"user", SETTING_NAME, .reload = RELOAD_RESTART, AT(user), .since = "0.1",
     .help = "who the processes become when started as root"},
    {"log", SETTING_BLOCK, AT(log), .block = &log_block, .since = "0.1",
     .help = "one line per connection"},
    {"flood", SETTING_BLOCK, .reload = RELOAD_LIVE, AT(flood), .block = &flood_block,
     .since = "0.1", .help = "what those may take who are not admitted yet"},
    {"status", SETTING_BLOCK, AT(status), .block = &status_block, .since = "0.1",
     .help = "the gateway's own state"},
    {"fetch", SETTING_BLOCK, AT(fetch), .block = &fetch_block, .since = "0.1",
     .help = "how what is named by URL is fetched"},
    {"authority", SETTING_BLOCK, AT(authority), .block = &schema_authority, .since = "0.1",
     .help = "the private authority of this machine"},
    {"deny", SETTING_PATH, .reload = RELOAD_LIVE, AT(deny), .since = "0.1",
     .help =
         "a file of certificates, keys and identities that are refused everywhere, as client and "
         "as server, whoever issued them; mutual revoke writes it"},
    {"trust", SETTING_BLOCK, SETTING_MANY, .reload = RELOAD_LIVE, LIST_AT(trusts, trust_count),
     .block = &trust_block, .since = "0.1", .help = "whom we believe"},
    {"inbound", SETTING_BLOCK, SETTING_MANY, .reload = RELOAD_LIVE,
     LIST_AT(inbounds, inbound_count), .block = &inbound_block, .since = "0.1",
     .help = "services that others reach by TLS"},
    {"outbound", SETTING_BLOCK, SETTING_MANY, .reload = RELOAD_LIVE,
     LIST_AT(outbounds, outbound_count), .block = &outbound_block, .since = "0.1",
     .help = "servers that local programs reach by TLS"},
    {"policy", SETTING_BLOCK, SETTING_MANY, .reload = RELOAD_LIVE, LIST_AT(grants, grant_count),
     .block = &grant_block, .since = "0.1", .help = "who may reach what; nobody else may"},
    {.name = NULL},
};
#undef THIS
const struct block schema_root = {
    .name = "configuration",
    .help = "The whole configuration.",
    .size = sizeof(struct config),
    .settings = root_settings,
};
