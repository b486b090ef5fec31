/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration: its language, its model, and what is wrong with it.
 *
 * Three things pass through here. A *snapshot* is every byte the configuration consists of: its own
 * files and the files it refers to, never a private key. The parent reads it once; parent, workers
 * and `mutual check` all build from it with the same pure functions. The *model* (struct config) is
 * what the files say, typed by the schema tables and immutable. *Findings* are everything that is
 * wrong, all of one run, each with its place. The room `world` judges what needs certificates.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/base.h"

#include "config/snapshot.h"

/* ---- findings -------------------------------------------------------------------------------- */

enum config_severity { CONFIG_ERROR, CONFIG_WARNING };

/* Where something is written; lines and columns count from 1, 0 says that there is none. `len` is
 * how many characters to underline. */
struct config_place {
    const char *file;
    unsigned line;
    unsigned col;
    unsigned len;
};

struct config_finding {
    enum config_severity severity;
    enum mutual_code code;
    char *file; /* NULL: about no file in particular */
    unsigned line;
    unsigned col;
    unsigned len;
    char *text;
    char *hint;     /* or NULL */
    char *excerpt;  /* the line, made safe to print, or NULL */
    unsigned caret; /* where in the excerpt the underlining begins, from 0 */
};

/* The findings of one run; at most CONFIG_FINDINGS_MAX are kept, all are counted. Running out of
 * memory loses a finding, never its count. */
#define CONFIG_FINDINGS_MAX 200u
struct config_findings {
    struct config_finding *items;
    size_t count;
    size_t cap;
    size_t errors;
    size_t warnings;
};
void config_findings_init(struct config_findings *findings);
void config_findings_done(struct config_findings *findings);
void mu_config_findings_auto(struct config_findings *findings);
/* Adds one. `snapshot` (may be NULL) gives the excerpt, `place` (may be NULL) the position, `hint`
 * (may be NULL) what to do. A place in an unnamed file counts as none. */
void config_finding_add(struct config_findings *findings, const struct config_snapshot *snapshot,
                        enum config_severity severity, enum mutual_code code,
                        const struct config_place *place, const char *hint, const char *format, ...)
    MUTUAL_PRINTF(7, 8);
/* The same from an error object: its code, reason and hint. */
void config_finding_add_error(struct config_findings *findings,
                              const struct config_snapshot *snapshot, enum config_severity severity,
                              const struct config_place *place, const struct mutual_error *error);
/* Orders by file and line, keeping the order within a line. */
void config_findings_sort(struct config_findings *findings);
/* As text for people, one block each, and the closing "FILE: 2 errors". */
void config_findings_text(const struct config_findings *findings, const char *main_name,
                          bool colour, struct mu_buf *out);
/* As a JSON array under `key`. */
void config_findings_json(const struct config_findings *findings, const char *key,
                          struct mu_json *json);
/* Sums them up in one error object: CONFIG_INVALID (or the first error's own code when it is the
 * only one). For callers that can show one line; always false. */
bool config_findings_fail(const struct config_findings *findings, struct mutual_error *err);

/* ---- the model ------------------------------------------------------------------------------- */

struct config_node; /* a piece of a file, with its place */
/* Every block begins with one: where it is written. */
struct config_mark {
    const char *file;
    unsigned line;
    const struct config_node *node; /* NULL: not written, all defaults; or trimmed */
};
/* The place of the value of `setting` in the block, or of the block itself when the setting is not
 * written (or NULL). */
struct config_place config_place_of(const struct config_mark *mark, const char *setting);
/* The place of the index-th value of a setting that takes one or a list. */
struct config_place config_place_at(const struct config_mark *mark, const char *setting,
                                    size_t index);
/* Was the setting written, rather than left to its default? */
bool config_is_set(const struct config_mark *mark, const char *setting);

struct config_texts {
    const char **items;
    size_t count;
};

enum config_address_kind {
    CONFIG_ADDRESS_NONE,    /* not given                                 */
    CONFIG_ADDRESS_TCP,     /* host and port; host "" means all addresses */
    CONFIG_ADDRESS_UNIX,    /* path                                      */
    CONFIG_ADDRESS_SYSTEMD, /* path is the name of the socket            */
    CONFIG_ADDRESS_FD,      /* port is the descriptor                    */
};
struct config_address {
    enum config_address_kind kind;
    const char *host; /* without brackets */
    const char *path;
    unsigned port;
    const char *text; /* as written */
};
/* Does only this machine reach it? True for 127.0.0.0/8, ::1, localhost, unix and what is inherited
 * (whoever made the socket answers for it). */
bool config_address_is_local(const struct config_address *address);
/* "host:port", "[v6]:port", "unix:/path", and for listening also "systemd:NAME", "fd:N". Texts are
 * taken from `arena`. Fails with ADDRESS_MALFORMED. */
bool config_address_parse(const char *text, bool listening, struct mu_arena *arena,
                          struct config_address *ret_address, struct mutual_error *err);

/* A reference to a secret; secrets are never written into the configuration. */
enum config_secret_kind {
    CONFIG_SECRET_NONE,
    CONFIG_SECRET_FILE,       /* file:PATH        */
    CONFIG_SECRET_ENV,        /* env:NAME         */
    CONFIG_SECRET_CREDENTIAL, /* credential:NAME, below $CREDENTIALS_DIRECTORY */
};
struct config_secret {
    enum config_secret_kind kind;
    const char *value; /* the path or the name */
};

#include "config/fetched.h"

struct config_trust {
    struct config_mark mark;
    const char *name;
    struct config_texts bundle;        /* resolved paths */
    struct config_texts intermediates; /* resolved paths */
    bool allow_intermediate_anchors;
    struct config_revocation revocation;
};

/* What we present. `chain` and `key` are always set, from the directory or as written. */
struct config_certificate {
    struct config_mark mark;
    const char *directory; /* as written, resolved, or NULL */
    const char *chain;     /* resolved path */
    const char *key;       /* resolved path */
    const char *root;      /* ca.crt of the directory, where who has only its fingerprint needs
                              to be shown it: of an application's listener; or NULL */
    const char *ocsp;      /* resolved path, or NULL */
    bool ocsp_beside;      /* it is the directory's and need not be there */
    const char *ca;        /* resolved path, or NULL: the authority that the chain leads to */
    bool ca_beside;        /* it is the directory's and need not be there */
    struct config_staple_source staple; /* fetched in place of `ocsp` */
    struct config_secret passphrase;
};

struct config_timeouts {
    struct config_mark mark;
    int64_t handshake_ns;
    int64_t connect_ns;
    int64_t idle_ns;     /* 0: none */
    int64_t lifetime_ns; /* 0: none */
    int64_t drain_ns;
};

struct config_connections {
    struct config_mark mark;
    int64_t max;
};

enum config_tls_min { CONFIG_TLS_1_2, CONFIG_TLS_1_3 };
enum config_records { CONFIG_RECORDS_OWN, CONFIG_RECORDS_LIBRARY };
struct config_tls {
    struct config_mark mark;
    enum config_tls_min min;
    bool resumption;
    bool strict_sni;                  /* inbound only */
    enum config_records record_layer; /* inbound only */
};

enum config_mode {
    CONFIG_MODE_REQUIRE,
    CONFIG_MODE_REQUEST,
    CONFIG_MODE_NONE,
    CONFIG_MODE_OBSERVE,
};
const char *config_mode_word(enum config_mode mode); /* "require" */
struct config_clients {
    struct config_mark mark;
    enum config_mode mode;
    const char *trust; /* the name of a trust block, or NULL */
    bool send_ca_names;
};

enum config_proxy_protocol {
    CONFIG_PROXY_NONE,
    CONFIG_PROXY_V2,
    CONFIG_PROXY_V2_CERT, /* "v2-cert": with the client's whole certificate */
};

enum config_application {
    CONFIG_APPLICATION_NONE,
    CONFIG_APPLICATION_AUTHORITY, /* the authority of this machine */
};

/* An inbound listener, or one of its hosts, completed by what its listener says. */
struct config_inbound {
    struct config_mark mark;
    const char *name;    /* of a host: its part of the service's name                */
    const char *service; /* what grants are given to and logs tell: "api", or "api/partners" */
    const struct config_inbound *listener; /* of a host: whose it is; else NULL       */
    struct config_texts names; /* of a host: "api.example.org", "*.example.org", as written */
    struct config_inbound *hosts;
    size_t host_count;
    struct config_address *listen;
    size_t listen_count;
    struct config_address forward;       /* kind NONE with `application`, whose name is its text */
    enum config_application application; /* what is behind instead                       */
    bool plain; /* no TLS at all: for what everybody may read; with an application */
    struct config_certificate *certificates;
    size_t certificate_count;
    struct config_clients clients;
    struct config_texts alpn;
    enum config_proxy_protocol proxy_protocol;
    bool unsafe_plain; /* who speaks no TLS is let in */
    int64_t plain_wait_ns;
    bool unsafe_forward; /* forwarding in the clear beyond loopback is meant */
    struct config_timeouts timeouts;
    struct config_connections connections;
    struct config_tls tls;
};

enum config_name_type {
    CONFIG_NAME_SPIFFE,
    CONFIG_NAME_URI,
    CONFIG_NAME_DNS,
    CONFIG_NAME_EMAIL,
    CONFIG_NAME_IP,
    CONFIG_NAME_CN,
    CONFIG_NAME_COUNT_
};
struct config_pattern {
    enum config_name_type type;
    const char *text;
};

struct config_outbound {
    struct config_mark mark;
    const char *name;
    struct config_address *listen;
    size_t listen_count;
    struct config_address connect;
    struct config_certificate *certificates; /* none or one */
    size_t certificate_count;
    struct config_pattern *expect;
    size_t expect_count;
    const char *trust;
    const char *server_name; /* NULL: the host of `connect`, unless that is an address */
    bool unsafe_listen;
    struct config_texts alpn;
    struct config_timeouts timeouts;
    struct config_connections connections;
    struct config_tls tls;
};

enum config_shadow { CONFIG_SHADOW_NONE, CONFIG_SHADOW_ADD, CONFIG_SHADOW_REMOVE };
struct config_grant {
    struct config_mark mark;
    const char *name;
    struct config_texts to; /* inbound names, or "*" */
    struct config_pattern *from;
    size_t from_count;
    bool anonymous;
    bool anyone;
    enum config_shadow shadow;
    int64_t since_s; /* 0: from ever */
    int64_t until_s; /* the first second without; MU_TIME_NEVER_S: none */
    const char *owner;
    const char *why;
};

enum config_log_format { CONFIG_LOG_AUTO, CONFIG_LOG_HUMAN, CONFIG_LOG_JSON };
enum config_log_level { CONFIG_LOG_ERROR, CONFIG_LOG_WARNING, CONFIG_LOG_INFO, CONFIG_LOG_DEBUG };
struct config_flood {
    struct config_mark mark;
    int64_t handshakes;
    int64_t waiting;
    int64_t per_source;
};

struct config_log {
    struct config_mark mark;
    enum config_log_format format;
    enum config_log_level level;
};

struct config_status {
    struct config_mark mark;
    struct config_address listen; /* CONFIG_ADDRESS_NONE: no status listener */
    bool unsafe_listen;
    int64_t expiry_margin_ns; /* 0: a tenth of what ends, and 30 days at the most */
};

#include "config/authority.h"

/* The whole configuration: immutable, freed as one. */
struct config {
    struct config_mark mark;
    int64_t version;
    struct config_texts include;
    bool watch;       /* reload by ourselves when a file changes */
    int64_t workers;  /* 0: one per processor */
    const char *user; /* NULL: stay who we are */
    struct config_log log;
    struct config_flood flood;
    struct config_status status;
    struct config_fetch fetch;
    struct config_authority authority;
    const char *deny; /* resolved path of the deny list, or NULL */
    struct config_trust *trusts;
    size_t trust_count;
    struct config_inbound *inbounds;
    size_t inbound_count;
    const struct config_inbound **served; /* every inbound, each followed by its hosts */
    size_t served_count;
    struct config_outbound *outbounds;
    size_t outbound_count;
    struct config_grant *grants;
    size_t grant_count;
};

/* Builds the model from the snapshot, pure. `main_name` may be NULL for the snapshot's main file.
 * Every error found is in `findings`; true when there was none among them, and only then
 * *ret_config is written. Names are checked for being given twice, references for being known. */
bool config_build(const struct config_snapshot *snapshot, const char *main_name,
                  struct config_findings *findings, struct config **ret_config);
/* The same for those who go on judging after an error: *ret_config is also written with a model
 * that is not sound (false), where what was wrong is zero, and names and texts may be NULL; it is
 * NULL only without memory. Nothing may be served from such a model. */
bool config_build_partial(const struct config_snapshot *snapshot, const char *main_name,
                          struct config_findings *findings, struct config **ret_config);
void config_free(struct config *config);
void mu_config_auto(struct config **config);
/* Frees what only places need, which is most of the memory; marks keep their file and line. */
void config_trim(struct config *config);
const struct config_trust *config_trust_find(const struct config *config, const char *name);
/* The listener or host of that service's name. */
const struct config_inbound *config_inbound_find(const struct config *config, const char *name);

/* Calls visit(context, path) for every path and pattern that the model names, sound or not. */
typedef void config_file_visit(void *context, const char *path);
void config_files(const struct config *config, config_file_visit *visit, void *context);

/* Reads the main file, what it includes, and every file they refer to except private keys, into a
 * new snapshot; checks that keys are there and not readable by others (FILE_EXPOSED). A file that
 * is missing or unreadable is a finding. *ret_snapshot is written whenever the main file could be
 * read, so that config_build can add its findings; false when some finding is an error. */
bool config_snapshot_load(const char *path, struct config_findings *findings,
                          struct config_snapshot **ret_snapshot);
/* The same with a main file that is no file but `text`, told of as `name`. */
bool config_snapshot_load_text(const char *name, struct mu_slice text,
                               struct config_findings *findings,
                               struct config_snapshot **ret_snapshot);

#include "config/profiles.h"

/* ---- what the schema tables say -------------------------------------------------------------- */

/* JSON Schema (2020-12) for editors. */
void config_schema_json(struct mu_buf *out);
/* Every setting with its default and its help, as a commented configuration. */
void config_schema_defaults(struct mu_buf *out);
/* mutual.yaml(5), in mdoc. */
void config_schema_mdoc(struct mu_buf *out);
/* The configuration in force, defaults filled in, as YAML; and the same as one JSON object. */
void config_show(const struct config *config, struct mu_buf *out);
void config_show_json(const struct config *config, struct mu_buf *out);

#endif
