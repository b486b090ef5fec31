/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of the door for enrolment; included by ca.h.
 */
#ifndef CA_ENROLMENT_H
#define CA_ENROLMENT_H

/* ---- enrolment ---------------------------------------------------------------------------------
 */

/* A one-time token as text: what whoever enrols needs to know and to show. */
#define CA_TOKEN_SECRET    20u /* 160 random bits */
#define CA_TOKEN_URL       512u
#define CA_TOKEN_NAMES     65536u
#define CA_TOKEN_TTL_MAX_S (INT64_C(366) * 24 * 3600)
struct ca_token_text {
    uint8_t secret[CA_TOKEN_SECRET];
    uint8_t root[32];       /* SHA-256 of the certificate of the root to believe */
    char url[CA_TOKEN_URL]; /* of the authority: "https://ca.example.org:8443" */
};
/* Appends one word of [A-Za-z0-9_-]. */
bool ca_token_format(const struct ca_token_text *token, struct mu_buf *out,
                     struct mutual_error *err);
/* TOKEN_MALFORMED. */
bool ca_token_parse(struct mu_slice text, struct ca_token_text *ret_token,
                    struct mutual_error *err);
void ca_token_text_done(struct ca_token_text *token);

struct ca_token_wish {
    const struct ca_profile *profile;
    const char *name; /* of the certificate */
    const struct mutual_name *names;
    size_t name_count;                   /* none: those that the profile makes of the name */
    int64_t life_s;                      /* of the certificate; 0: the profile's           */
    int64_t ttl_s;                       /* how long the token holds                       */
    bool approval;                       /* a person decides on the request                */
    const char *url;                     /* where the authority is reached                 */
    const char *owner, *place, *purpose; /* purpose NULL: the profile's text */
    int64_t now_s;
};
/* Appends its text, which is kept nowhere. What would be refused when it is used is refused now:
 * errors as ca_issue. */
bool ca_token_new(struct ca *ca, const struct ca_token_wish *wish, struct mu_buf *out,
                  int64_t *ret_id, struct mutual_error *err);
/* NOT_FOUND, also for one that was used. */
bool ca_token_withdraw(struct ca *ca, int64_t id, int64_t now_s, struct mutual_error *err);
/* Lets a request that waits have its certificate, or not. NOT_FOUND. */
bool ca_token_decide(struct ca *ca, int64_t id, bool approve, int64_t now_s,
                     struct mutual_error *err);

struct ca_enrolment {
    const struct mu_csr *csr;
    struct ca_signer *signer;
    const char *profile; /* that the token or certificate must be of; NULL: any */
    int64_t grace_s;     /* how long after its end a certificate is renewed */
    bool key_lent;       /* the key was made for this one answer: nobody can ask again */
    int64_t now_s;
};
enum ca_enrolled {
    CA_ENROLLED,
    CA_ENROLL_WAITS, /* for a person; ask again */
};
/* The certificate that the token is for, for the key of the request; the token is used up in the
 * transaction that takes the serial number, and comes back when nothing is issued after all. Asking
 * again with the same key gives the same certificate. TOKEN_MALFORMED, TOKEN_UNKNOWN, TOKEN_USED,
 * TOKEN_EXPIRED, REQUEST_NAMES, REQUEST_DENIED, and as ca_issue. */
bool ca_enroll_by_token(struct ca *ca, struct mu_slice text, const struct ca_enrolment *wish,
                        enum ca_enrolled *ret_how, struct ca_issued *ret_issued,
                        struct mutual_error *err);
/* What the store says of a certificate that somebody has proved, whatever list the gateway has been
 * given: CERT_REVOKED when it was issued here and taken back. */
bool ca_stands(struct ca *ca, const struct mu_cert *cert, struct mutual_error *err);
/* The next one for who has proved `old`: same subject, no other names, for the key of the request;
 * asking again with the same key gives the same one. UNKNOWN_ISSUER, CERT_REVOKED, CERT_EXPIRED,
 * REQUEST_NAMES, and as ca_issue. */
bool ca_enroll_again(struct ca *ca, const struct mu_cert *old, const struct ca_enrolment *wish,
                     struct ca_issued *ret_issued, struct mutual_error *err);
/* The next one for the key of the request, whose certificate ended no longer than grace_s ago.
 * NO_CLIENT_CERT when that is not allowed or there is none. */
bool ca_enroll_late(struct ca *ca, const struct ca_enrolment *wish, struct ca_issued *ret_issued,
                    struct mutual_error *err);

#endif
