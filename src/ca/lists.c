/* SPDX-License-Identifier: Apache-2.0
 *
 * An issuer's revocation lists made and published: the complete one, a delta to it, and the parts.
 *
 * A revocation is published at once by what is small: the delta, and the certificate's part. The
 * complete list follows at once too while it is small; from CA_CRL_EAGER entries on a process that
 * serves makes it when its tick comes, and a command makes it last.
 */
#include "ca/ca_internal.h"

#include <stdio.h>
#include <string.h>

#define SHARDS_A_TURN   64u
#define COMPLETE_WAIT_S 600 /* between two complete lists that are large */

/* One issuer's lists under way: its key is asked for once for all of them. */
struct publishing {
    struct ca *ca;
    struct ca_issuer *issuer;
    struct ca_signer *signer;
    const struct mu_key *key; /* NULL: not yet */
    int64_t now_s;
};

static bool take_key(struct publishing *p, struct mutual_error *err)
{
    if (p->key != NULL) {
        return true;
    }
    p->ca->at = p->issuer;
    return p->signer->start(p->signer, p->ca, &p->key, err);
}

static void publishing_done(struct publishing *p)
{
    if (p->key != NULL) {
        p->signer->stop(p->signer);
    }
}

/* ---- one list -------------------------------------------------------------------------------- */

/* What a list says: these, or these and what is kept of the list before without those that left. */
struct contents {
    const struct inventory_revoked *revoked;
    struct mu_slice kept;
    const struct inventory_revoked *gone; /* NULL: there is no list before */
};

static bool build(const struct publishing *p, const struct inventory_scope *scope,
                  const struct inventory_list *list, const struct contents *contents,
                  struct mu_buf *der, struct mutual_error *err)
{
    MU_AUTO(free) char *place = ca_list_url(p->ca, p->issuer->word, scope->shard, false);
    MU_AUTO(free) char *fresh = ca_list_url(p->ca, p->issuer->word, 0, true);
    const char *const places[] = {place, NULL};
    const char *const fresh_places[] = {fresh, NULL};
    const struct mu_crl_idp idp = {.uris = places, .only_user = true};
    const struct mu_crl_template template = {
        .issuer = p->issuer->cert,
        .this_update_s = list->this_update_s,
        .next_update_s = list->next_update_s,
        .number = list->number,
        .entries = contents->revoked->items,
        .count = contents->revoked->count,
        .follows = contents->gone != NULL,
        .kept = contents->kept,
        .gone = contents->gone != NULL ? contents->gone->items : NULL,
        .gone_count = contents->gone != NULL ? contents->gone->count : 0,
        .total = list->entries,
        .idp = scope->shard != 0 ? &idp : NULL,
        .delta = scope->delta,
        .delta_base = list->base,
        .freshest_uris = scope->shard == 0 && !scope->delta && fresh != NULL ? fresh_places : NULL,
    };
    if (scope->shard != 0 && place == NULL) {
        return mu_fail(err, MUTUAL_E_USAGE, "a part of a list needs an address to be found at");
    }
    return mu_crl_sign(&template, p->key, der, err) ||
           mu_error_context(err, "revocation list of \"%s\"",
                            mu_cert_facts(p->issuer->cert)->display);
}

/* The complete list and its delta are files too, for the gateways of this machine. The file comes
 * before the store says that the list is published: a kill between them publishes again. */
static bool write_file(const struct publishing *p, const struct inventory_scope *scope,
                       uint64_t number, struct mu_slice der, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf pem = {0};
    const char *path = scope->delta ? p->issuer->delta_path : p->issuer->crl_path;
    if (scope->shard != 0) {
        return true;
    }
    mu_buf_init(&pem, 2 * (size_t)MU_LIMIT_CRL_BYTES);
    mu_crl_to_pem(der, &pem);
    if (pem.failed) {
        return mu_fail_memory(err);
    }
    if (!mu_file_write(path, mu_buf_slice(&pem), 0644, err)) {
        return false;
    }
    p->issuer->on_disk[scope->delta] = number;
    return true;
}

/* Somebody else was faster with a later list, who waited for nothing that we did. */
static bool is_overtaken(const struct publishing *p, const struct inventory_scope *scope,
                         const struct inventory_list *list, bool *ret_overtaken,
                         struct mutual_error *err)
{
    struct inventory_list last = {0};
    bool found = false;
    if (!inventory_list_get(p->ca->inventory, scope, &last, NULL, &found, err)) {
        return false;
    }
    *ret_overtaken = found && last.number > list->number;
    return true;
}

static bool put(const struct publishing *p, const struct inventory_scope *scope,
                const struct inventory_list *list, struct mu_slice der, struct mutual_error *err)
{
    bool overtaken = false;
    if (!is_overtaken(p, scope, list, &overtaken, err)) {
        return false;
    }
    return overtaken || (write_file(p, scope, list->number, der, err) &&
                         inventory_list_put(p->ca->inventory, scope, list, der, err));
}

/* A large list is written and signed while others work: what it is about was read before, and its
 * number says whether it is still the last when it is done. */
static bool make(struct publishing *p, const struct inventory_scope *scope,
                 const struct inventory_list *list, const struct contents *contents,
                 struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, MU_LIMIT_CRL_BYTES);
    if (!take_key(p, err)) {
        return false;
    }
    if (list->entries <= CA_CRL_EAGER) {
        return build(p, scope, list, contents, &der, err) &&
               put(p, scope, list, mu_buf_slice(&der), err);
    }
    ca_let_others(p->ca);
    bool good = build(p, scope, list, contents, &der, err);
    if (!ca_go_on(p->ca, err)) { /* that counts, whatever the list would have been */
        return false;
    }
    p->issuer = ca_issuer_by_id(p->ca, scope->issuer_id);
    mu_assert(p->issuer != NULL);
    return good && put(p, scope, list, mu_buf_slice(&der), err);
}

void ca_watch_lists(struct ca *ca, ca_list_fn *made, void *context)
{
    ca->list_made = made;
    ca->list_made_context = context;
}

static void tell_made(const struct publishing *p, const struct inventory_scope *scope,
                      int64_t start_ns)
{
    if (p->ca->list_made != NULL) {
        p->ca->list_made(p->ca->list_made_context, p->issuer->word,
                         scope->delta        ? "delta"
                         : scope->shard != 0 ? "part"
                                             : "complete",
                         mu_clock_mono_ns() - start_ns);
    }
}

static bool publish(struct publishing *p, const struct inventory_scope *scope, int64_t life_s,
                    struct inventory_list *ret_list, struct mutual_error *err)
{
    MU_AUTO(inventory_revoked) struct inventory_revoked revoked = {0};
    const struct contents contents = {.revoked = &revoked};
    int64_t start_ns = mu_clock_mono_ns();
    struct inventory_list list;
    if (!inventory_list_begin(p->ca->inventory, scope, p->now_s, &list, &revoked, err)) {
        return false;
    }
    list.this_update_s = p->now_s;
    list.next_update_s = p->now_s + life_s;
    if (!make(p, scope, &list, &contents, err)) {
        return false;
    }
    tell_made(p, scope, start_ns);
    if (ret_list != NULL) {
        *ret_list = list;
    }
    return true;
}

static struct inventory_scope scope_of(const struct publishing *p, unsigned shard, bool delta)
{
    return (struct inventory_scope){.issuer_id = p->issuer->id, .shard = shard, .delta = delta};
}

static bool publish_delta(struct publishing *p, struct mutual_error *err)
{
    const struct inventory_scope scope = scope_of(p, 0, true);
    return publish(p, &scope, CA_DELTA_LIFE_S, NULL, err);
}

static bool publish_shard(struct publishing *p, unsigned shard, struct mutual_error *err)
{
    const struct inventory_scope scope = scope_of(p, shard, false);
    return publish(p, &scope, CA_SHARD_LIFE_S, NULL, err);
}

/* ---- the next complete list of the one before --------------------------------------------------
 */

/* 0: there is none, or none of ours. */
static uint64_t number_of(const struct mu_crl_facts *facts)
{
    uint8_t number[8] = {0};
    size_t len = facts->number.len;
    if (len == 0 || len > sizeof number) {
        return 0;
    }
    memcpy(number + sizeof number - len, facts->number.data, len);
    return mu_get_be64(number);
}

/* It is ours, whole, and the one that the store's numbers are about: its signature says so, nothing
 * else is believed. */
static bool is_ours(const struct publishing *p, const struct mu_crl_outline *outline,
                    const struct inventory_list *list)
{
    const struct mu_crl_facts *facts = &outline->facts;
    return outline->ordered && facts->count == list->entries &&
           facts->this_update_s == list->this_update_s && facts->idp == NULL &&
           facts->delta_base.data == NULL && facts->number.data != NULL &&
           number_of(facts) == list->number &&
           mu_slice_equal(facts->issuer, mu_cert_facts(p->issuer->cert)->subject) &&
           mu_crl_outline_signed_by(outline, p->issuer->cert, NULL);
}

/* An entry never changes, so those of the list before are copied. Where that list is not what it
 * should be, or the sum does not come out, nothing is done: the store knows. */
static bool follow(struct publishing *p, int64_t life_s, struct inventory_list *ret_list,
                   bool *ret_done, struct mutual_error *err)
{
    MU_AUTO(inventory_following) struct inventory_following next = {.possible = false};
    MU_AUTO(crl_outline) struct mu_crl_outline outline = {.arena = NULL};
    MU_AUTO(buf) struct mu_buf der;
    const struct inventory_scope scope = scope_of(p, 0, false);
    struct mutual_error why = {0};
    int64_t start_ns = mu_clock_mono_ns();
    mu_buf_init(&der, MU_LIMIT_CRL_BYTES);
    *ret_done = false;
    if (!inventory_list_follow(p->ca->inventory, p->issuer->id, p->now_s, &next, &der, err)) {
        return false;
    }
    if (!next.possible || !mu_crl_outline_of(mu_buf_slice(&der), &outline, NULL) ||
        !is_ours(p, &outline, &next.before)) {
        return true;
    }
    const struct contents contents = {
        .revoked = &next.added, .kept = outline.entries, .gone = &next.gone};
    next.list.this_update_s = p->now_s;
    next.list.next_update_s = p->now_s + life_s;
    if (make(p, &scope, &next.list, &contents, &why)) {
        tell_made(p, &scope, start_ns);
        *ret_list = next.list;
        *ret_done = true;
        return true;
    }
    if (why.code == MUTUAL_E_CRL_MALFORMED) {
        return true;
    }
    *err = why;
    return false;
}

/* With a delta of the same number that says the same: nothing has changed since (RFC 5280 section
 * 5.2.3). */
static bool publish_complete(struct publishing *p, int64_t life_s, struct mutual_error *err)
{
    const struct inventory_scope scope = scope_of(p, 0, false);
    const struct inventory_scope delta = scope_of(p, 0, true);
    const struct inventory_revoked nothing = {0};
    const struct contents nobody = {.revoked = &nothing};
    struct inventory_list list;
    bool done = false;
    if (!follow(p, life_s, &list, &done, err) ||
        (!done && !publish(p, &scope, life_s, &list, err))) {
        return false;
    }
    p->issuer->crl_due = false;
    p->issuer->crl_this_update_s = list.this_update_s;
    p->issuer->crl_next_update_s = list.next_update_s;
    if (p->ca->url == NULL && list.entries <= CA_CRL_EAGER) {
        return true; /* nobody asks for a delta */
    }
    list.base = list.number;
    list.entries = 0;
    list.next_update_s = list.this_update_s + (life_s < CA_DELTA_LIFE_S ? life_s : CA_DELTA_LIFE_S);
    return make(p, &delta, &list, &nobody, err);
}

/* ---- after a revocation ---------------------------------------------------------------------- */

static bool is_large(struct publishing *p, bool *ret_large, struct mutual_error *err)
{
    struct inventory_list list = {0};
    const struct inventory_scope scope = scope_of(p, 0, false);
    bool found = false;
    if (!inventory_list_get(p->ca->inventory, &scope, &list, NULL, &found, err)) {
        return false;
    }
    *ret_large = found && list.entries > CA_CRL_EAGER;
    return true;
}

static bool publish_revocation(struct publishing *p, unsigned shard, struct mutual_error *err)
{
    bool large = false;
    if (!is_large(p, &large, err) || (large && !publish_delta(p, err)) ||
        (shard != 0 && p->ca->url != NULL && !publish_shard(p, shard, err))) {
        return false;
    }
    return (large && p->ca->serving) || publish_complete(p, CA_CRL_LIFE_S, err);
}

bool ca_lists_revoked(struct ca *ca, struct ca_issuer *issuer, unsigned shard,
                      struct ca_signer *signer, int64_t now_s, struct mutual_error *err)
{
    __attribute__((cleanup(publishing_done))) struct publishing p = {
        .ca = ca, .issuer = issuer, .signer = signer, .now_s = now_s};
    issuer->crl_due = true;
    return publish_revocation(&p, shard, err);
}

/* ---- kept fresh ------------------------------------------------------------------------------ */

/* A list of the future was made while the clock was wrong, and nobody believes it. */
static bool is_old(const struct inventory_list *list, int64_t now_s)
{
    return list->this_update_s > now_s ||
           now_s >= list->this_update_s + (list->next_update_s - list->this_update_s) / 2;
}

static bool wants_complete(struct publishing *p, bool *ret_wants, struct mutual_error *err)
{
    const struct ca_issuer *issuer = p->issuer;
    const struct inventory_list last = {.this_update_s = issuer->crl_this_update_s,
                                        .next_update_s = issuer->crl_next_update_s};
    bool old = is_old(&last, p->now_s);
    bool large = false;
    *ret_wants = old || issuer->crl_due;
    if (old || !issuer->crl_due || !p->ca->serving) {
        return true;
    }
    if (!is_large(p, &large, err)) {
        return false;
    }
    *ret_wants = !large || p->now_s >= issuer->crl_this_update_s + COMPLETE_WAIT_S;
    return true;
}

/* What others revoked on the same store shows in the delta, whoever made it. */
static bool wants_delta(struct publishing *p, bool *ret_wants, struct mutual_error *err)
{
    const struct inventory_scope scope = scope_of(p, 0, true);
    struct inventory_list list = {0};
    bool found = false;
    if (!inventory_list_get(p->ca->inventory, &scope, &list, NULL, &found, err)) {
        return false;
    }
    *ret_wants = found ? is_old(&list, p->now_s) : p->ca->url != NULL;
    return true;
}

static bool refresh_shards(struct publishing *p, struct mutual_error *err)
{
    unsigned shards[SHARDS_A_TURN];
    size_t count = 0;
    if (p->ca->url == NULL) {
        return true; /* nobody is sent to them */
    }
    if (!inventory_shards_due(p->ca->inventory, p->issuer->id, p->now_s, shards, SHARDS_A_TURN,
                              &count, err)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!publish_shard(p, shards[i], err)) {
            return false;
        }
    }
    return true;
}

/* ---- what others made on the same store ------------------------------------------------------ */

/* Of the list in a file of ours; 0: there is none that can be read. */
static uint64_t number_in(const char *path)
{
    MU_AUTO(buf) struct mu_buf pem = {0};
    MU_AUTO(buf) struct mu_buf der;
    MU_AUTO(crl_outline) struct mu_crl_outline outline = {.arena = NULL};
    struct mu_pem_reader reader;
    struct mu_pem_block block;
    bool end = true;
    mu_buf_init(&der, MU_LIMIT_CRL_BYTES);
    if (!mu_file_read(path, 2 * (size_t)MU_LIMIT_CRL_BYTES, &pem, NULL)) {
        return 0;
    }
    mu_pem_open(&reader, mu_buf_slice(&pem), path);
    if (!mu_pem_next(&reader, &block, &end, NULL) || end ||
        !mu_pem_decode(&reader, &block, &der, NULL) ||
        !mu_crl_outline_of(mu_buf_slice(&der), &outline, NULL)) {
        return 0;
    }
    return number_of(&outline.facts);
}

/* What another authority on the same store published is this machine's file too: else its gateways
 * would let in whom the other one revoked, until this list is half its age. A file that is ahead,
 * of a process that was killed before the store had it, is overtaken: gateways go back to none. */
static bool take_over_file(struct publishing *p, bool delta, struct mutual_error *err)
{
    const struct inventory_scope scope = scope_of(p, 0, delta);
    uint64_t *on_disk = &p->issuer->on_disk[delta];
    struct inventory_list list = {0};
    MU_AUTO(buf) struct mu_buf der;
    bool found = false;
    mu_buf_init(&der, MU_LIMIT_CRL_BYTES);
    if (!inventory_list_get(p->ca->inventory, &scope, &list, NULL, &found, err)) {
        return false;
    }
    if (found && *on_disk == 0) {
        *on_disk = number_in(delta ? p->issuer->delta_path : p->issuer->crl_path);
    }
    if (!found || list.number == *on_disk) {
        return true;
    }
    if (list.number < *on_disk) {
        return delta ? publish_delta(p, err) : publish_complete(p, CA_CRL_LIFE_S, err);
    }
    return inventory_list_get(p->ca->inventory, &scope, &list, &der, &found, err) &&
           write_file(p, &scope, list.number, mu_buf_slice(&der), err);
}

/* ---- all that an issuer publishes ------------------------------------------------------------ */

static bool refresh_one(struct publishing *p, struct mutual_error *err)
{
    bool complete = false;
    bool delta = false;
    if (!wants_complete(p, &complete, err) ||
        (complete && !publish_complete(p, CA_CRL_LIFE_S, err)) || !wants_delta(p, &delta, err) ||
        (delta && !publish_delta(p, err)) || !refresh_shards(p, err) ||
        (p->ca->serving && (!take_over_file(p, false, err) || !take_over_file(p, true, err)))) {
        return false;
    }
    return p->ca->url == NULL || !ca_responder_is_due(p->issuer, p->now_s) ||
           (take_key(p, err) && ca_responder_renew(p->ca, p->issuer, p->key, p->now_s, err));
}

static bool refresh(struct ca *ca, struct ca_signer *signer, int64_t now_s,
                    struct mutual_error *err)
{
    const int64_t meant = ca->at->id;
    bool good = true;
    for (size_t i = 0; good && i < ca->issuer_count; i++) {
        __attribute__((cleanup(publishing_done))) struct publishing p = {
            .ca = ca, .issuer = &ca->issuers[i], .signer = signer, .now_s = now_s};
        good = now_s >= mu_cert_facts(p.issuer->cert)->not_after_s || refresh_one(&p, err);
    }
    ca->at = ca_issuer_by_id(ca, meant);
    return good;
}

/* ---- with the lock --------------------------------------------------------------------------- */

bool ca_crl_publish(struct ca *ca, struct ca_signer *signer, int64_t life_s, int64_t now_s,
                    struct mutual_error *err)
{
    if (!ca_lock(ca, now_s, NULL, err)) {
        return false;
    }
    bool good;
    {
        __attribute__((cleanup(publishing_done))) struct publishing p = {
            .ca = ca, .issuer = ca->at, .signer = signer, .now_s = now_s};
        good = publish_complete(&p, life_s, err);
    }
    ca_unlock(ca);
    return good;
}

bool ca_crl_refresh(struct ca *ca, struct ca_signer *signer, int64_t now_s,
                    struct mutual_error *err)
{
    if (!ca_lock(ca, now_s, NULL, err)) {
        return false;
    }
    bool good = refresh(ca, signer, now_s, err);
    ca_unlock(ca);
    return good;
}

/* ---- read ------------------------------------------------------------------------------------ */

bool ca_list_get(struct ca *ca, unsigned shard, bool delta, struct inventory_list *ret_list,
                 struct mu_buf *der, bool *ret_found, struct mutual_error *err)
{
    const struct inventory_scope scope = {.issuer_id = ca->at->id, .shard = shard, .delta = delta};
    return inventory_list_get(ca->inventory, &scope, ret_list, der, ret_found, err);
}
