/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of the door for the authority that is served; included by config.h.
 */
#ifndef CONFIG_AUTHORITY_H
#define CONFIG_AUTHORITY_H

enum config_acme_accounts {
    CONFIG_ACME_NONE,  /* ACME is not served                                          */
    CONFIG_ACME_BOUND, /* only with a key that the authority gave out (mutual bind)   */
    CONFIG_ACME_OPEN,  /* for whoever proves a name, all that the issuer may certify  */
};
struct config_acme {
    struct config_mark mark;
    enum config_acme_accounts accounts;
    const char *terms;           /* URL of the terms of service, or NULL */
    int64_t http_port, tls_port; /* where challenges are looked for      */
    const char *resolver;        /* "127.0.0.1:53", or NULL: the machine's */
};
/* In the order of enum admin_role behind "nobody". */
enum config_role { CONFIG_ROLE_AUDITOR, CONFIG_ROLE_OPERATOR, CONFIG_ROLE_ADMIN };
/* Who administers the authority from afar. */
#define CONFIG_ADMIN_PATTERNS 64u
struct config_admin {
    struct config_mark mark;
    enum config_role role;
    struct config_pattern *who;
    size_t who_count;
    const char *owner;
    const char *why;
};
struct config_authority {
    struct config_mark mark;
    const char *directory; /* resolved path, or NULL: there is none here          */
    const char *url;       /* where callers reach it by TLS, or NULL              */
    const char *publish;   /* where everybody reads lists by plain HTTP, or NULL  */
    bool server_keygen;    /* keys are made for callers who ask                   */
    int64_t grace_ns;      /* a certificate may be renewed so long after its end  */
    struct config_acme acme;
    struct config_admin *admins;
    size_t admin_count;
};

#endif
