/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the room share: one request under way, and the rows of the store.
 */
#ifndef ACME_ACME_INTERNAL_H
#define ACME_ACME_INTERNAL_H

#include "acme/acme.h"
#include "acme/jws_internal.h"

enum {
    ACME_ORDER_LIFE_S = 24 * 3600, /* to validate and to finalize                         */
    ACME_AUTHZ_LIFE_S = 24 * 3600,
    ACME_NONCE_LIFE_S = 3600,
    ACME_SECRET_LIFE_S = 24 * 3600, /* of what makes nonces                                */
    ACME_FINALIZE_S = 120,          /* then whoever began to issue is dead                 */
    ACME_ASK_S = 60,                /* likewise for who began to validate                  */
    ACME_TRIES_MAX = 3,             /* of those                                            */
    ACME_PENDING_MAX = 100,         /* orders of an account that are not finalized         */
    ACME_ACCOUNTS_MAX = 100000,     /* without a key                                       */
    ACME_KEPT_S = 30 * 24 * 3600,   /* orders without a certificate, after their end       */
    ACME_CONTACTS_MAX = 10,
    ACME_CALL_BYTES = 1 << 20, /* what one request may make us remember               */
};

/* ---- rows -------------------------------------------------------------------------------------
 */

enum acme_status {
    ACME_PENDING,
    ACME_READY,
    ACME_PROCESSING,
    ACME_VALID,
    ACME_INVALID,
    ACME_DEACTIVATED,
    ACME_EXPIRED,
    ACME_STATUS_COUNT_
};
const char *acme_status_word(enum acme_status status);

/* Texts and bytes of rows belong to the arena that they were read with. */
struct acme_account {
    int64_t id; /* 0: none */
    enum acme_status status;
    struct mu_slice key; /* SubjectPublicKeyInfo */
    struct mu_slice thumbprint;
    const char *contact; /* a JSON array */
    int64_t binding_id;  /* 0: none */
};
struct acme_authz {
    int64_t id, account_id, order_id;
    struct mutual_name name; /* without "*." */
    bool wildcard;
    enum acme_status status;
    int64_t expires_s;
};
struct acme_order {
    int64_t id, account_id;
    enum acme_status status;
    const char *profile;
    int64_t expires_s, claimed_s, certificate_id, replaces_id;
    const char *problem; /* JSON, or "" */
    struct acme_authz *authzs;
    size_t authz_count;
};
struct acme_challenge {
    int64_t id, authz_id;
    enum acme_method method;
    const char *token;
    enum acme_status status;
    int64_t asked_s, validated_s, tries;
    const char *problem;
};

/* ---- a request under way ----------------------------------------------------------------------
 */

struct acme_call {
    struct api_world *world;
    const struct api_request *request;
    struct api_response *response;
    const struct acme_settings *settings;
    struct inventory *inventory;
    struct store *store;
    struct mu_arena *arena;
    struct acme_jws jws;
    json_t *payload; /* NULL: POST-as-GET */
    struct acme_account account;
    int64_t now_s;
    const char *type; /* of the problem, where the code alone does not say it; constant */
    unsigned status;  /* likewise; 0: by the code */
};
/* As mu_fail, and which of the standard's problems it is. */
#define acme_fail(call_, status_, type_, err_, code_, ...) \
    ((call_)->type = (type_), (call_)->status = (status_), mu_fail((err_), (code_), __VA_ARGS__))

enum acme_signer { ACME_BY_ACCOUNT, ACME_BY_KEY, ACME_BY_EITHER };
typedef bool acme_handle_fn(struct acme_call *call, struct mutual_error *err);
/* The frame around every signed request: reads it, finds the account, checks signature, URL and
 * nonce, calls the handler, and answers with a nonce whatever came of it. */
void acme_run(struct api_world *world, const struct api_request *request,
              struct api_response *response, enum acme_signer signer, acme_handle_fn *handle);
/* The URL of a path of ours; in the arena, "" when memory ran out. */
const char *acme_url(const struct acme_call *call, const char *format, ...) MUTUAL_PRINTF(2, 3);
/* Answers with a JSON object; takes a reference away. */
bool acme_answer(struct acme_call *call, unsigned status, json_t *take_object,
                 struct mutual_error *err);
/* The number that a path ends with; NOT_FOUND. */
bool acme_path_id(struct acme_call *call, int64_t *ret_id, struct mutual_error *err);
/* POST-as-GET only, or with a payload only. */
bool acme_want_get(struct acme_call *call, struct mutual_error *err);
bool acme_want_payload(struct acme_call *call, struct mutual_error *err);
/* The standard's word for an error, without "urn:ietf:params:acme:error:", and its status. */
const char *acme_problem_type(enum mutual_code code, unsigned *ret_status);
/* A problem document as JSON (RFC 8555 section 6.7). `type` NULL: by the code. */
json_t *acme_problem(const struct mutual_error *why, const char *type, unsigned status);
void acme_log(const struct acme_call *call, const char *format, ...) MUTUAL_PRINTF(2, 3);
/* In the arena; fails by NULL. */
char *acme_keep(struct mu_arena *arena, struct mu_slice bytes);

/* ---- nonces (nonce.c) -------------------------------------------------------------------------
 */

#define ACME_NONCE_TEXT 80
bool acme_nonce_new(struct store *store, int64_t now_s, char ret_text[ACME_NONCE_TEXT],
                    struct mutual_error *err);
/* Once for each nonce, whichever authority on this store is asked. ACME_NONCE. */
bool acme_nonce_use(struct store *store, const char *text, int64_t now_s, struct mutual_error *err);
bool acme_nonce_clean(struct store *store, int64_t now_s, struct mutual_error *err);

/* ---- identifiers (identifier.c) ---------------------------------------------------------------
 */

struct acme_identifier {
    struct mutual_name name; /* without "*." */
    bool wildcard;
};
/* {"type", "value"}; the text goes into the arena. ACME_IDENTIFIER, ACME_MALFORMED. */
bool acme_identifier_read(struct acme_call *call, const json_t *object,
                          struct acme_identifier *ret_identifier, struct mutual_error *err);
/* As it is certified: with "*."; in the arena. */
const char *acme_identifier_text(struct mu_arena *arena, const struct mutual_name *name,
                                 bool wildcard);
/* Has this account a right to the name under this profile? ACME_IDENTIFIER, ISSUER_CONSTRAINT. */
bool acme_identifier_allowed(struct acme_call *call, const struct acme_identifier *identifier,
                             struct mutual_error *err);
/* Does a request ask for exactly the order's names? */
bool acme_csr_check(struct acme_call *call, const struct mu_csr *csr,
                    const struct acme_order *order, struct mutual_error *err);

/* ---- keys for binding (binding.c) -------------------------------------------------------------
 */

/* Checks "externalAccountBinding" of a new account; *ret_id is its key. ACME_BINDING. */
bool acme_binding_check(struct acme_call *call, const json_t *binding, int64_t *ret_id,
                        struct mutual_error *err);
/* Marks it as used by that account, once. Within a transaction. */
bool acme_binding_take(struct acme_call *call, int64_t id, int64_t account_id,
                       struct mutual_error *err);
/* The profile and owner that go with the account's key; in the arena. */
bool acme_binding_get(struct acme_call *call, const char **ret_profile, const char **ret_owner,
                      struct mutual_error *err);
bool acme_binding_allows(struct acme_call *call, const struct acme_identifier *identifier,
                         bool *ret_allowed, struct mutual_error *err);

/* ---- rows of the store (account.c, order.c) ---------------------------------------------------
 */

/* *ret_account with id 0: there is none. */
bool acme_account_by_id(struct store *store, struct mu_arena *arena, int64_t id,
                        struct acme_account *ret_account, struct mutual_error *err);
bool acme_account_by_thumbprint(struct store *store, struct mu_arena *arena,
                                const uint8_t thumbprint[32], struct acme_account *ret_account,
                                struct mutual_error *err);
/* Deactivates it, and its orders that have no certificate under way; *ret_done is false when it was
 * before. Within a transaction. */
bool acme_account_end(struct store *store, int64_t id, bool *ret_done, struct mutual_error *err);
/* NOT_FOUND when there is none, or it is another account's. With its authorizations. */
bool acme_order_get(struct acme_call *call, int64_t id, struct acme_order *ret_order,
                    struct mutual_error *err);
/* *ret_order with id 0: no order of this account got that certificate. */
bool acme_order_of_certificate(struct acme_call *call, int64_t certificate_id,
                               struct acme_order *ret_order, struct mutual_error *err);
bool acme_authz_get(struct acme_call *call, int64_t id, struct acme_authz *ret_authz,
                    struct mutual_error *err);
bool acme_challenges_get(struct acme_call *call, int64_t authz_id,
                         struct acme_challenge ret_challenges[ACME_METHOD_COUNT_],
                         size_t *ret_count, struct mutual_error *err);
/* Changes a status if it is `from`; *ret_done says whether it was. */
bool acme_status_move(struct store *store, const char *table, int64_t id, enum acme_status from,
                      enum acme_status to, bool *ret_done, struct mutual_error *err);

/* ---- handlers ---------------------------------------------------------------------------------
 */

acme_handle_fn acme_new_account, acme_account_handle, acme_account_orders, acme_key_change;
acme_handle_fn acme_new_order, acme_order_handle, acme_finalize, acme_certificate;
acme_handle_fn acme_authz_handle, acme_challenge_handle;
acme_handle_fn acme_revoke;
void acme_renewal_info(struct api_world *world, const struct api_request *request,
                       struct api_response *response);
/* Looks again for answers that somebody stopped to look for. */
void acme_tick(struct api_world *world, int64_t now_s);
/* "KEYID.SERIAL" of RFC 9773 section 4.1 to the certificate it means; *ret_found. */
bool acme_certificate_by_ari(struct inventory *inventory, struct ca *ca, const char *text,
                             struct inventory_records *ret_records, struct mutual_error *err);

#endif
