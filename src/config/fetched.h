/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of the door for revocation lists and what is fetched by URL; included by config.h.
 */
#ifndef CONFIG_FETCHED_H
#define CONFIG_FETCHED_H

struct config_certificate;
struct config_trust;

/* A revocation list that is fetched. */
struct config_source {
    struct config_mark mark;
    const char *url;
    int64_t every_ns;
};

/* Where a certificate's OCSP response is fetched from. */
enum config_staple_from { CONFIG_STAPLE_FROM_NONE, CONFIG_STAPLE_FROM_CERTIFICATE };
struct config_staple_source {
    struct config_mark mark;
    const char *url; /* NULL: see `from` */
    enum config_staple_from from;
    int64_t every_ns;
};

enum config_stale_mode { CONFIG_STALE_REFUSE, CONFIG_STALE_GRACE, CONFIG_STALE_ACCEPT };
struct config_stale {
    enum config_stale_mode mode;
    int64_t grace_s;
};
enum config_scope { CONFIG_SCOPE_CHAIN, CONFIG_SCOPE_LEAF };
enum config_staple { CONFIG_STAPLE_PREFER, CONFIG_STAPLE_REQUIRE, CONFIG_STAPLE_IGNORE };
struct config_revocation {
    struct config_mark mark;
    struct config_texts crl; /* resolved paths */
    struct config_source *fetch;
    size_t fetch_count;
    enum config_scope scope;
    bool required;
    struct config_stale when_stale;
    bool unsafe_rollback;
    enum config_staple staple;
};

/* What is fetched from elsewhere, and how. */
struct config_fetch {
    struct config_mark mark;
    const char *directory;                /* resolved path; NULL: config_fetched_path knows one */
    const char *trust;                    /* whom to believe for https; NULL: https is refused  */
    struct config_texts private_networks; /* as config_network_parse reads them                */
    struct config_texts allow;            /* hosts; none: every host that a URL names          */
    int64_t timeout_ns;                   /* for one whole answer                               */
};

struct config_network {
    int family; /* AF_INET or AF_INET6 */
    uint8_t bytes[16];
    unsigned bits; /* of the bytes, that count */
};
/* "10.0.0.0/8", "fd00::/8", or one address; no bit may be set behind those that count.
 * ADDRESS_MALFORMED. */
bool config_network_parse(const char *text, struct config_network *ret_network,
                          struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Where the program keeps its state: /var/lib/mutual for root, else mutual below $XDG_STATE_HOME or
 * ~/.local/state. Appends; false: there is no such place. */
bool config_state_directory(struct mu_buf *out);
/* The file in which what a trust block fetched from a URL is kept; false: there is no place. */
bool config_fetched_path(const struct config_fetch *fetch, const char *trust, const char *url,
                         struct mu_buf *out);
/* Under which name the snapshot holds it, if it was fetched at all. */
bool config_fetched_name(const char *trust, const char *url, struct mu_buf *out);
/* Is the response about a certificate fetched? The same for it: by the path of its chain, for the
 * URL may stand in there. */
bool config_staple_is_fetched(const struct config_certificate *certificate);
bool config_staple_path(const struct config_fetch *fetch, const char *chain, struct mu_buf *out);
bool config_staple_name(const char *chain, struct mu_buf *out);
/* May anything be fetched from that host? "*.example.org" stands for one more label. */
bool config_fetch_allows(const struct config_fetch *fetch, struct mu_slice host);
/* Every list that a trust block uses, files first, then what is fetched: how many there are, and
 * under which name the snapshot holds the nth; false: it has none. */
size_t config_list_count(const struct config_trust *trust);
bool config_list_name(const struct config_trust *trust, size_t index, struct mu_buf *out);

#endif
