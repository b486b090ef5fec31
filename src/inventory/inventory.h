/* SPDX-License-Identifier: Apache-2.0
 *
 * What certificates there are: issued by whom, for whom, where they live, who answers for them,
 * what for, until when, and which are revoked. Also the audit events. The authority writes here;
 * nothing in this room signs anything.
 *
 * Every change is one transaction, of its own unless the caller has opened one; what returned true
 * (or, in the caller's, what was committed) is on disk.
 * A certificate's life: RESERVED (its serial is taken, nothing is signed) -> SIGNED (it exists and
 * must be accounted for, its files may be missing) -> DELIVERED (whoever asked has it). RESERVED
 * may end as ABANDONED; its serial stays taken for ever. Errors are those of store.h.
 */
#ifndef INVENTORY_INVENTORY_H
#define INVENTORY_INVENTORY_H

#include "base/base.h"
#include "store/store.h"
#include "x509/x509.h"

#include <mutual/identity.h>

struct inventory;
/* Opens the store and brings its schema up to date. */
bool inventory_open(const char *where, enum store_access access, int wait_ms,
                    struct inventory **ret_inventory, struct mutual_error *err);
void inventory_close(struct inventory *inventory);
void mu_inventory_auto(struct inventory **inventory);
/* The store below: for its lock, and for transactions around several calls. Owned. */
struct store *inventory_store(struct inventory *inventory);

/* ---- issuers --------------------------------------------------------------------------------- */

/* One authority of ours. Texts and bytes belong to the list they came with. */
struct inventory_issuer {
    int64_t id;
    const char *name; /* of its subject */
    const char *word; /* what people call it; NULL in adding: "root" or "issuer" */
    bool root;
    int64_t parent_id;           /* 0: none */
    struct mu_slice certificate; /* DER */
    const char *key_place;       /* where its key is kept, relative to the store's directory */
    uint64_t crl_number;         /* of the last list begun */
    int64_t crl_this_update_s, crl_next_update_s; /* of the last list published; 0: none */
    bool crl_due;                                 /* a revocation is not published yet */
    int64_t made_s;
    unsigned shards; /* in how many parts its list is also published */
};
struct inventory_issuers {
    struct inventory_issuer *items;
    size_t count;
    struct mu_arena *arena;
};
void inventory_issuers_done(struct inventory_issuers *issuers);
void mu_inventory_issuers_auto(struct inventory_issuers *issuers);
/* All of them, parents before children. */
bool inventory_issuers_get(struct inventory *inventory, struct inventory_issuers *ret_issuers,
                           struct mutual_error *err);
/* Only name, word, root, parent_id, certificate, key_place, made_s and shards are used. */
bool inventory_issuer_add(struct inventory *inventory, const struct inventory_issuer *issuer,
                          int64_t *ret_id, struct mutual_error *err);

/* Writes what is there already: whether the store can be written. */
bool inventory_try_write(struct inventory *inventory, struct mutual_error *err);
/* The issuer goes on with another certificate for its key. */
bool inventory_issuer_recertify(struct inventory *inventory, int64_t id, struct mu_slice der,
                                struct mutual_error *err);
/* Two roots change places: who had the one above him has the other now, and what each issued itself
 * stays its own. */
bool inventory_roots_swap(struct inventory *inventory, const struct inventory_issuer *a,
                          const struct inventory_issuer *b, struct mutual_error *err);

/* ---- certificates ---------------------------------------------------------------------------- */

enum inventory_state {
    INVENTORY_RESERVED,
    INVENTORY_SIGNED,
    INVENTORY_DELIVERED,
    INVENTORY_ABANDONED,
    INVENTORY_STATE_COUNT_
};
/* "reserved", "signed", "delivered", "abandoned". */
const char *inventory_state_word(enum inventory_state state);

/* What a certificate is delivered as; decides how an interrupted delivery is finished. */
enum inventory_form {
    INVENTORY_FORM_DIRECTORY, /* path/{tls.crt,tls.key,ca.crt}, our key   */
    INVENTORY_FORM_REQUEST,   /* path/{tls.crt,ca.crt}: the key is theirs */
    INVENTORY_FORM_P12,       /* path/NAME.p12, its password shown once   */
    INVENTORY_FORM_NONE,      /* nowhere: it was printed                  */
    INVENTORY_FORM_COUNT_
};
const char *inventory_form_word(enum inventory_form form);

/* One certificate. Optional texts are "" when there are none. */
struct inventory_record {
    int64_t id;
    int64_t issuer_id;
    const char *issuer_name;
    enum inventory_state state;
    enum inventory_form form;
    struct mu_slice serial; /* as mu_cert_facts.serial */
    const char *profile;
    const char *name; /* what people call it; not unique */
    const char *owner, *place, *purpose;
    const char *path;    /* the directory it was written to, absolute */
    const char *aside;   /* where that directory is being built      */
    const char *machine; /* whose directory that is; "" or NULL: this one's */
    unsigned shard;      /* the part of its issuer's list that it is in; 0: none */
    const struct mutual_name *names;
    size_t name_count;
    const char *key_text;     /* "EC P-256" */
    struct mu_slice key_hash; /* SHA-256 of the SPKI */
    int64_t requested_s, not_before_s, not_after_s;
    struct mu_slice der, fingerprint; /* empty while RESERVED */
    int64_t replaces_id;              /* its predecessor; 0: none  */
    bool asked_again;       /* whoever asked has the key and asks again when the answer was lost */
    int64_t replaced_by_id; /* its newest successor; 0: none; read only */
    bool revoked;
    int64_t revoked_s;
    enum mu_reason reason;
};

/* Takes the serial and writes down what is about to be signed. All fields but id, state, der,
 * fingerprint, replaced_by_id and the revocation are used. *ret_taken: that serial is in use
 * already, nothing was written; draw another. */
bool inventory_reserve(struct inventory *inventory, const struct inventory_record *record,
                       bool *ret_taken, int64_t *ret_id, struct mutual_error *err);
/* RESERVED -> SIGNED: the certificate as it was made. */
bool inventory_signed(struct inventory *inventory, int64_t id, const struct mu_cert *cert,
                      struct mutual_error *err);
bool inventory_delivered(struct inventory *inventory, int64_t id, struct mutual_error *err);
bool inventory_abandoned(struct inventory *inventory, int64_t id, struct mutual_error *err);
/* Delivered to nobody after all: it took no predecessor's place, and its token may be used again.
 */
bool inventory_given_up(struct inventory *inventory, int64_t id, struct mutual_error *err);
/* Also marks the issuer's list as due. ALREADY_REVOKED; NOT_FOUND when nothing was signed. */
bool inventory_revoke(struct inventory *inventory, int64_t id, enum mu_reason reason, int64_t now_s,
                      struct mutual_error *err);

/* Which certificates to look at; all-zero: all of them, by expiry. */
struct inventory_filter {
    int64_t id;                   /* 0: any */
    const char *who;              /* a name, one of the certified names; NULL: any */
    struct mu_slice serial;       /* empty: any */
    struct mu_slice serial_begin; /* its first bytes; empty: any */
    struct mu_slice fingerprint;
    struct mu_slice key_hash;                               /* SHA-256 of the key */
    const char *owner, *place, *purpose, *profile, *issuer; /* exact; NULL: any */
    const char *machine;       /* that machine's, and those that say none; NULL: any */
    int64_t expires_before_s;  /* 0: any; the expired are included */
    int64_t valid_at_s;        /* 0: any; else valid at that time, not revoked, delivered */
    bool revoked;              /* only those */
    bool live;                 /* only the not revoked that no other one replaced */
    int64_t after_s, after_id; /* only what comes behind the one that ends then and has this id; id
                                  0: from the first on */
    bool interrupted;          /* only RESERVED and SIGNED; otherwise RESERVED and ABANDONED are
                                  never shown */
    int64_t limit;             /* 0: none */
    bool
        oldest; /* the limit takes those asked for first, and not those that end first: the few
                   that are interrupted then come from an index of their own; never with after_id */
};
struct inventory_cursor;
/* Walks them. A cursor must be freed before the store is written to. */
bool inventory_select(struct inventory *inventory, const struct inventory_filter *filter,
                      struct inventory_cursor **ret_cursor, struct mutual_error *err);
/* *ret_record: the next one, valid until the next call; NULL at the end. */
bool inventory_next(struct inventory_cursor *cursor, const struct inventory_record **ret_record,
                    struct mutual_error *err);
void inventory_cursor_free(struct inventory_cursor *cursor);
void mu_inventory_cursor_auto(struct inventory_cursor **cursor);

/* Copies of all that match, at most `max` (LIMIT when there are more). */
struct inventory_records {
    struct inventory_record *items;
    size_t count;
    struct mu_arena *arena;
};
bool inventory_records_get(struct inventory *inventory, const struct inventory_filter *filter,
                           size_t max, struct inventory_records *ret_records,
                           struct mutual_error *err);
void inventory_records_done(struct inventory_records *records);
void mu_inventory_records_auto(struct inventory_records *records);

/* How things stand. */
struct inventory_counts {
    int64_t total;   /* signed or delivered, authorities included */
    int64_t valid;   /* of these: begun, not over, not revoked    */
    int64_t expired; /* over, not revoked                         */
    int64_t revoked;
    int64_t interrupted;   /* RESERVED or SIGNED                        */
    int64_t next_expiry_s; /* the first of the valid to end; 0: none  */
};
bool inventory_count(struct inventory *inventory, int64_t now_s,
                     struct inventory_counts *ret_counts, struct mutual_error *err);

/* What was ever done, added up as it is done, whatever process does it. */
enum inventory_tally {
    INVENTORY_ISSUED,     /* by profile                           */
    INVENTORY_REVOKED,    /* by reason, as a number: mu_reason    */
    INVENTORY_TOKEN_USED, /* of its tokens; the word is ""        */
    INVENTORY_TALLY_COUNT_
};
typedef void inventory_tally_fn(void *context, enum inventory_tally tally, const char *issuer,
                                const char *word, int64_t count);
bool inventory_tallies(struct inventory *inventory, inventory_tally_fn *each, void *context,
                       struct mutual_error *err);

#include "inventory/tokens.h"

/* ---- requests that may be repeated ------------------------------------------------------------
 *
 * Of a request that carries a key of its sender's, so that sending it again does nothing twice:
 * what it was, and what was answered. Kept for INVENTORY_REPLAY_S.
 */

#define INVENTORY_REPLAY_S (INT64_C(24) * 3600)
struct inventory_replay {
    struct mu_slice mark;   /* digest of key and sender    */
    struct mu_slice digest; /* of the request              */
    unsigned status;        /* of its answer; 0: under way, or its process was killed */
    const char *type;       /* of the answer's content; "" when it is not kept        */
    struct mu_slice body;
};
/* Takes the mark. *ret_taken false: it was taken before, and `ret_before` (arena's) is by what. */
bool inventory_replay_begin(struct inventory *inventory, const struct inventory_replay *replay,
                            int64_t now_s, struct mu_arena *arena, bool *ret_taken,
                            struct inventory_replay *ret_before, struct mutual_error *err);
/* Keeps the answer. */
bool inventory_replay_end(struct inventory *inventory, const struct inventory_replay *replay,
                          struct mutual_error *err);
/* Nothing came of it: the mark is free. */
bool inventory_replay_forget(struct inventory *inventory, struct mu_slice mark,
                             struct mutual_error *err);

/* ---- copies ---------------------------------------------------------------------------------- */

struct inventory_copied {
    int64_t issuers, certificates, names, events;
};
/* How many rows there are. */
bool inventory_rows(struct inventory *inventory, struct inventory_copied *ret_rows,
                    struct mutual_error *err);
/* Copies everything into an inventory that is empty (ALREADY_EXISTS), in one transaction, and
 * counts there what arrived. The caller keeps writers away from `from`. */
bool inventory_copy(struct inventory *from, struct inventory *to,
                    struct inventory_copied *ret_copied, struct mutual_error *err);

/* ---- revocation lists ------------------------------------------------------------------------ */

/* What an issuer's next list must hold. */
struct inventory_revoked {
    struct mu_revoked *items;
    size_t count, cap;
    struct mu_buf serials; /* what the items point into */
};
void inventory_revoked_done(struct inventory_revoked *revoked);
void mu_inventory_revoked_auto(struct inventory_revoked *revoked);
/* Which list of an issuer: the complete one, a delta to it, or a part (from 1). */
struct inventory_scope {
    int64_t issuer_id;
    unsigned shard; /* 0: all of them */
    bool delta;     /* never of a part */
};
struct inventory_list {
    uint64_t number;
    uint64_t base; /* of a delta: the complete list that it goes with */
    int64_t this_update_s, next_update_s;
    size_t entries;
};
/* Takes the scope's next number for good and reads what the list must hold, in one transaction. An
 * entry leaves a list only after its certificate has ended and it was on a list made after that end
 * (RFC 5280 section 3.3); both by now_s too, for an earlier list may have been made by a wrong
 * clock. A delta holds what was revoked since the complete list that is kept; NOT_FOUND when none
 * is. Fills number, base and entries. */
bool inventory_list_begin(struct inventory *inventory, const struct inventory_scope *scope,
                          int64_t now_s, struct inventory_list *ret_list,
                          struct inventory_revoked *ret_revoked, struct mutual_error *err);
/* The same for a complete list, as what is other than in the list before it, which is kept: who is
 * on it now and was not, who was and is not any more (and others who were not), and by list.entries
 * how many that must leave. Not possible (and no number is taken): there is none before, or one of
 * the future; the sum may fail to come out too, and then the list is to be made whole. Appends the
 * DER of the list before to `der`. */
struct inventory_following {
    bool possible;
    struct inventory_list list; /* number and entries */
    struct inventory_list before;
    struct inventory_revoked added, gone;
};
bool inventory_list_follow(struct inventory *inventory, int64_t issuer_id, int64_t now_s,
                           struct inventory_following *ret_following, struct mu_buf *der,
                           struct mutual_error *err);
void inventory_following_done(struct inventory_following *following);
void mu_inventory_following_auto(struct inventory_following *following);
/* Keeps the list in place of the one before; another is due only if something was revoked since it
 * was begun. One that was overtaken changes nothing. */
bool inventory_list_put(struct inventory *inventory, const struct inventory_scope *scope,
                        const struct inventory_list *list, struct mu_slice der,
                        struct mutual_error *err);
/* Appends the list's DER to `der`, unless that is NULL. */
bool inventory_list_get(struct inventory *inventory, const struct inventory_scope *scope,
                        struct inventory_list *ret_list, struct mu_buf *der, bool *ret_found,
                        struct mutual_error *err);
/* The parts whose list is missing, lacks a revocation, or is past half its life: up to `max`. */
bool inventory_shards_due(struct inventory *inventory, int64_t issuer_id, int64_t now_s,
                          unsigned *ret_shards, size_t max, size_t *ret_count,
                          struct mutual_error *err);
/* What is known of a serial number of that issuer. */
struct inventory_status {
    bool issued;
    bool revoked;
    int64_t revoked_s;
    enum mu_reason reason;
};
bool inventory_status(struct inventory *inventory, int64_t issuer_id, struct mu_slice serial,
                      struct inventory_status *ret_status, struct mutual_error *err);

/* ---- audit ----------------------------------------------------------------------------------- */

/* Each event carries a link: a digest over it and over the link before it. */
#define INVENTORY_LINK 32
bool inventory_event(struct inventory *inventory, int64_t now_s, const char *who,
                     const char *action, int64_t certificate_id, const char *detail,
                     struct mutual_error *err);
struct inventory_event {
    int64_t id, at_s, certificate_id;
    const char *who, *action, *detail;
    struct mu_slice link; /* empty: of an earlier version */
};
/* Oldest first; each gets texts that hold until it returns, and ends the walk by false. */
bool inventory_events(struct inventory *inventory,
                      bool (*each)(void *context, const struct inventory_event *event),
                      void *context, struct mutual_error *err);

/* The same for those with a greater number than `after_id`. */
bool inventory_events_after(struct inventory *inventory, int64_t after_id,
                            bool (*each)(void *context, const struct inventory_event *event),
                            void *context, struct mutual_error *err);

/* The last event and its link; all zero when there is none. */
struct inventory_head {
    int64_t id;
    uint8_t link[INVENTORY_LINK];
};
bool inventory_head(struct inventory *inventory, struct inventory_head *ret_head,
                    struct mutual_error *err);
struct inventory_audit {
    int64_t chained;   /* events whose links hold                           */
    int64_t unchained; /* of a version that knew no links, before all those */
    struct inventory_head head;
};
/* Makes every link again. AUDIT_BROKEN names the first event that does not fit, or says that the
 * one whose link was noted elsewhere (NULL: none) is gone, or which certificate no event tells of.
 */
bool inventory_audit(struct inventory *inventory, const struct inventory_head *noted,
                     struct inventory_audit *ret_audit, struct mutual_error *err);

#endif
