/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of the door for enrolment by one-time tokens, and requests that wait for a person;
 * included by inventory.h.
 */
#ifndef INVENTORY_TOKENS_H
#define INVENTORY_TOKENS_H

enum inventory_decision { INVENTORY_UNDECIDED, INVENTORY_APPROVED, INVENTORY_DENIED };
/* A token: whoever shows its secret, once, gets a certificate of that name, profile and names. Only
 * a hash of the secret is kept. */
struct inventory_token {
    int64_t id;
    struct mu_slice hash; /* SHA-256 of the secret */
    const char *name, *profile;
    const char *names; /* lines "type text"; "": those that the profile makes of the name */
    int64_t life_s;    /* of the certificate; 0: the profile's */
    const char *owner, *place, *purpose;
    bool approval; /* a person decides on the request */
    int64_t made_s;
    const char *made_by;
    int64_t expires_s;
    int64_t used_s;         /* 0: not used                        */
    int64_t certificate_id; /* that it was used for; 0: none      */
    int64_t asked_s;        /* with approval: 0: nobody asked yet */
    const char *asked_by;
    struct mu_slice csr, key_hash; /* of the request that waits or waited */
    enum inventory_decision decision;
    int64_t decided_s;
};
#define INVENTORY_TOKENS_MAX 100000u
struct inventory_tokens {
    struct inventory_token *items;
    size_t count;
    struct mu_arena *arena;
};
void inventory_tokens_done(struct inventory_tokens *tokens);
void mu_inventory_tokens_auto(struct inventory_tokens *tokens);
/* Of the token only what describes it, not what became of it. */
bool inventory_token_add(struct inventory *inventory, const struct inventory_token *token,
                         int64_t *ret_id, struct mutual_error *err);
/* The first of hash, id, name and pending that is set counts; all-zero: every token that is not
 * used. */
struct inventory_token_filter {
    struct mu_slice hash;
    int64_t id;
    const char *name;
    bool pending;     /* those that wait for a decision */
    int64_t after_id; /* only those with a greater number */
    int64_t limit;    /* 0: none */
};
bool inventory_tokens_get(struct inventory *inventory, const struct inventory_token_filter *filter,
                          struct inventory_tokens *ret_tokens, struct mutual_error *err);
/* Those that are not used: good for an enrolment, waiting for a person's decision, or past their
 * time. */
struct inventory_token_counts {
    int64_t open, waiting, expired;
};
bool inventory_token_count(struct inventory *inventory, int64_t now_s,
                           struct inventory_token_counts *ret_counts, struct mutual_error *err);
/* Uses it for a certificate that is being reserved, in the caller's transaction: one statement
 * finds it unused and in time (or approved, for that key) and takes it. *ret_taken: it was. */
bool inventory_token_take(struct inventory *inventory, int64_t id, int64_t certificate_id,
                          struct mu_slice key_hash, int64_t now_s, bool *ret_taken,
                          struct mutual_error *err);
/* The certificate that it was used for will never be: it may be used again. */
bool inventory_token_return(struct inventory *inventory, int64_t certificate_id,
                            struct mutual_error *err);
/* The first request by a token with approval; later ones are not kept. */
bool inventory_token_ask(struct inventory *inventory, int64_t id, struct mu_slice csr,
                         struct mu_slice key_hash, const char *who, int64_t now_s, bool *ret_asked,
                         struct mutual_error *err);
bool inventory_token_decide(struct inventory *inventory, int64_t id, bool approve, int64_t now_s,
                            bool *ret_decided, struct mutual_error *err);
/* Forgets one that is not used. */
bool inventory_token_withdraw(struct inventory *inventory, int64_t id, bool *ret_withdrawn,
                              struct mutual_error *err);

#endif
