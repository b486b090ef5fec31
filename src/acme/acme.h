/* SPDX-License-Identifier: Apache-2.0
 *
 * The server half of ACME (RFC 8555, with RFC 8737, 8738, 9773): accounts, orders, challenges and
 * what is issued for them. A request in, a response out; whatever takes longer is a row of the
 * store that the client asks for again, so that two authorities on one store serve one client.
 *
 * Who may have which names is decided before anything is validated: an account is bound to a key
 * that the authority gave out (external account binding), and the key says which names and which
 * profile. A validated challenge alone gives nobody a certificate unless the configuration says so.
 */
#ifndef ACME_ACME_H
#define ACME_ACME_H

#include "api/api.h"

extern const struct api_table acme_table;

/* The configuration's words. */
struct acme_settings {
    bool open;           /* accounts without a key may ask for all that the issuer may certify */
    const char *terms;   /* URL of the terms of service; NULL: none                        */
    const char *profile; /* of accounts without a key; NULL: "server"                      */
};

/* ---- keys for external account binding (RFC 8555 section 7.3.4) -------------------------------
 */

struct acme_key_request {
    const char *name;  /* who it is for */
    const char *owner; /* of what will be issued */
    const char *profile;
    const char *const
        *names; /* "db.example.org", "*.apps.example.org", "192.0.2.1", "10.0.0.0/8" */
    size_t name_count;
    int64_t life_s; /* it binds an account within this time */
    const char *who;
    int64_t now_s;
};
#define ACME_KID_TEXT    32
#define ACME_SECRET_TEXT 48
/* Makes a key that binds one account. It is shown once: what is kept until then is wiped when it
 * has bound one. PROFILE_DENIED, NAME_MALFORMED, POLICY_INVALID, ISSUER_CONSTRAINT. */
bool acme_key_new(struct ca *ca, const struct acme_key_request *request,
                  char ret_kid[ACME_KID_TEXT], char ret_secret[ACME_SECRET_TEXT],
                  struct mutual_error *err) MUTUAL_MUST_CHECK;

/* A key that was given out; what it points to lives as long as the call. */
struct acme_key {
    int64_t id;
    const char *kid, *name, *owner, *profile;
    const char *const *names;
    size_t name_count;
    int64_t made_s, ends_s;
    int64_t account_id; /* that it has bound; 0: none */
    bool account_valid; /* which was not deactivated  */
};
enum { ACME_KEY_NAMES_MAX = 100 };
/* "open", "bound", "deactivated" with its account, "expired". */
const char *acme_key_state(const struct acme_key *key, int64_t now_s);
/* Those with a greater number than `after_id`, in their order; each gets texts that hold until it
 * returns, and ends the walk by false. */
bool acme_keys(struct ca *ca, int64_t after_id,
               bool (*each)(void *context, const struct acme_key *key), void *context,
               struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Takes a key back, for the audit in the name of `who`. One that has bound nobody is forgotten;
 * where it has bound an account (*ret_account_id, else 0), that is deactivated with the orders that
 * it has under way; what was issued to it stays. NOT_FOUND, also for what was taken back before. */
bool acme_key_withdraw(struct ca *ca, const char *kid, const char *who, int64_t now_s,
                       int64_t *ret_account_id, struct mutual_error *err) MUTUAL_MUST_CHECK;

/* ---- validation -------------------------------------------------------------------------------
 */

enum acme_method { ACME_HTTP_01, ACME_DNS_01, ACME_TLS_ALPN_01, ACME_METHOD_COUNT_ };
/* "http-01", "dns-01", "tls-alpn-01". Constant. */
const char *acme_method_word(enum acme_method method);
struct acme_probe {
    int64_t challenge_id;
    enum acme_method method;
    struct mutual_name name; /* dns, without "*.", or ip */
    const char *token;
    const char *authorization; /* TOKEN.THUMBPRINT (RFC 8555 section 8.1) */
};
/* Who looks for the answers to challenges. */
struct acme_prober {
    /* Begins to look; acme_probed follows. False: not now (too much under way); asked again. */
    bool (*ask)(struct acme_prober *prober, const struct acme_probe *probe,
                struct mutual_error *err);
    void *state;
};
/* What was found. `outcome` with code MUTUAL_OK: the answer is there. */
bool acme_probed(struct api_world *world, int64_t challenge_id, const struct mutual_error *outcome,
                 int64_t now_s, struct mutual_error *err) MUTUAL_MUST_CHECK;

#endif
