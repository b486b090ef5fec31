/* SPDX-License-Identifier: Apache-2.0
 *
 * The search for a path from the peer's certificate to an anchor: depth first, with backtracking
 * over every certificate that has the issuer's name, the likeliest first. Cheap checks prune as the
 * path grows; signatures come last, from the anchor downwards, so that a stranger can make us use
 * only keys that somebody trusted has signed. Every loop has a budget.
 */
#include <string.h>

#include "trust/trust_internal.h"

#define CANDIDATES_MAX 64u

struct candidate {
    const struct trust_node *node;
    int score;
};

/* ---- who may have issued a certificate ------------------------------------------------------- */

/* Key identifiers only rank (RFC 5280 section 4.2.1.1 calls them a help): where they contradict
 * each other the signature still decides, but everybody else is tried before. */
static int score_of(const struct search *search, const struct mu_cert_facts *cert,
                    const struct trust_node *node)
{
    const struct mu_cert_facts *issuer = node->facts;
    int score = 0;
    if (cert->akid.data != NULL && issuer->skid.data != NULL) {
        score += mu_slice_equal(cert->akid, issuer->skid) ? 16 : -16;
    }
    int64_t now_s = search->judge.now_s;
    if (now_s >= issuer->not_before_s && now_s <= issuer->not_after_s) {
        score += 8;
    }
    score += issuer->ca ? 4 : 0;
    return score + (int)node->origin; /* anchors before the pool before what was sent */
}

static void add_candidate(struct candidate *list, size_t *count, const struct trust_node *node,
                          int score)
{
    size_t at = *count;
    if (at == CANDIDATES_MAX) {
        if (list[at - 1].score >= score) {
            return;
        }
        at--;
    } else {
        (*count)++;
    }
    while (at > 0 && list[at - 1].score < score) {
        list[at] = list[at - 1];
        at--;
    }
    list[at] = (struct candidate){.node = node, .score = score};
}

/* A path that meets the same authority twice, or the same certificate, runs in a circle. */
static bool is_on_path(const struct search *search, const struct mu_cert_facts *facts)
{
    for (size_t i = 0; i < search->depth; i++) {
        const struct mu_cert_facts *on = search->path[i]->facts;
        if (memcmp(on->key_hash, facts->key_hash, 32) == 0 &&
            mu_slice_equal(on->subject_canon, facts->subject_canon)) {
            return true;
        }
    }
    return false;
}

static size_t list_candidates(const struct search *search, struct candidate *list)
{
    const struct mu_cert_facts *cert = search->path[search->depth - 1]->facts;
    size_t count = 0;
    const struct trust_node *node = mu_trust_find(search->judge.trust, cert->issuer_canon);
    for (; node != NULL; node = node->next) {
        add_candidate(list, &count, node, score_of(search, cert, node));
    }
    for (size_t i = 1; i < search->sent_count; i++) {
        node = &search->sent[i];
        if (node->facts != NULL && mu_slice_equal(node->facts->subject_canon, cert->issuer_canon)) {
            add_candidate(list, &count, node, score_of(search, cert, node));
        }
    }
    return count;
}

/* ---- signatures ------------------------------------------------------------------------------ */

/* What verifying with such a key costs at most, in microseconds on a slow machine. */
static unsigned verify_cost(const struct mu_key_info *key)
{
    switch (key->kind) {
    case MU_KEY_RSA:
    case MU_KEY_RSA_PSS:
        return 20 + key->bits / 64 * (key->bits / 64) / 40;
    case MU_KEY_EC:
        return key->curve == MU_CURVE_P256 ? 150 : key->curve == MU_CURVE_P384 ? 1000 : 800;
    case MU_KEY_ED25519:
        return 200;
    case MU_KEY_OTHER:
        break;
    }
    return 1;
}

const struct memo *mu_path_recall(const struct search *search, const struct mu_cert *cert,
                                  const struct mu_cert *issuer)
{
    for (size_t i = 0; i < search->memo_count; i++) {
        const struct memo *memo = &search->memos[i];
        if (memo->cert == cert && memo->issuer == issuer) {
            return memo;
        }
    }
    return NULL;
}

static bool verify(struct search *search, const struct trust_node *cert,
                   const struct trust_node *issuer)
{
    const struct memo *known = mu_path_recall(search, cert->cert, issuer->cert);
    if (known != NULL) {
        return known->good;
    }
    if (mu_known_signed(search->known, cert->facts, issuer->facts)) {
        return true;
    }
    unsigned cost = verify_cost(&issuer->facts->key);
    if (search->memo_count == MEMO_MAX || cost > search->verify) {
        search->exhausted = true;
        return false;
    }
    search->verify -= cost;
    bool good = mu_cert_signed_by(cert->cert, issuer->cert, NULL);
    search->memos[search->memo_count++] =
        (struct memo){.cert = cert->cert, .issuer = issuer->cert, .good = good};
    if (good) {
        mu_known_sign(search->known, cert->facts, issuer->facts);
    }
    return good;
}

/* From the anchor down, so whatever is verified was signed by keys that are vouched for. A wrong
 * signature condemns every path that has the same step, so the search goes back to it at once. */
static bool verify_path(struct search *search)
{
    for (size_t i = search->depth - 1; i > 0; i--) {
        if (!verify(search, search->path[i - 1], search->path[i])) {
            search->jump = i;
            return false;
        }
    }
    return true;
}

/* ---- the search that decides ----------------------------------------------------------------- */

bool mu_path_too_long(const struct search *search, const struct trust_node *const *path,
                      size_t depth)
{
    size_t count = 0;
    for (size_t i = 1; i + 1 < depth; i++) {
        count += !path[i]->facts->self_issued;
    }
    return count > search->judge.trust->max_intermediates;
}

static bool is_too_long(struct search *search)
{
    bool too_long = mu_path_too_long(search, search->path, search->depth);
    search->cut = search->cut || too_long;
    return too_long;
}

/* May the node, already laid on the path, stay there? */
static bool is_passable(struct search *search)
{
    const struct trust_node *top = search->path[search->depth - 1];
    const struct memo *known =
        mu_path_recall(search, search->path[search->depth - 2]->cert, top->cert);
    return (known == NULL || known->good) && !is_too_long(search) &&
           mu_check_issuer(&search->judge, search->path, search->depth - 1, NULL);
}

static bool take_step(struct search *search)
{
    if (search->steps == 0 || search->judge.constraint_work == 0) {
        search->exhausted = true;
        return false;
    }
    search->steps--;
    return true;
}

static bool extend(struct search *search)
{
    if (search->depth == MU_LIMIT_CHAIN_DEPTH) {
        search->cut = true;
        return false;
    }
    struct candidate list[CANDIDATES_MAX];
    size_t count = list_candidates(search, list);
    size_t at = search->depth;
    for (size_t i = 0; i < count; i++) {
        const struct trust_node *node = list[i].node;
        if (is_on_path(search, node->facts)) {
            continue;
        }
        if (!take_step(search)) {
            return false;
        }
        search->path[at] = node;
        search->depth = at + 1;
        if (is_passable(search)) {
            bool found = node->origin == NODE_ANCHOR ? verify_path(search) : extend(search);
            if (found) {
                return true;
            }
        }
        search->depth = at;
        if (search->exhausted || search->jump < at) {
            return false;
        }
        search->jump = SIZE_MAX;
    }
    return false;
}

bool mu_path_find(struct search *search)
{
    search->judge.constraint_work = MU_LIMIT_CONSTRAINTS;
    search->steps = MU_LIMIT_PATH_STEPS;
    search->verify = MU_LIMIT_PATH_VERIFY_US;
    search->path[0] = &search->sent[0];
    search->depth = 1;
    search->jump = SIZE_MAX;
    return mu_check_leaf(&search->judge, search->sent[0].facts, NULL) && extend(search);
}

/* ---- the search that explains ---------------------------------------------------------------- */

/* How far the path is from a good one. A certificate with a fault counts once; a step whose
 * signature is known to be wrong, or whose key identifiers say so, is rather a wrong turn. */
static unsigned count_faults(struct search *search)
{
    unsigned faults = mu_check_leaf(&search->judge, search->path[0]->facts, NULL) ? 0 : 1;
    for (size_t i = 1; i < search->depth; i++) {
        const struct mu_cert_facts *cert = search->path[i - 1]->facts;
        const struct mu_cert_facts *issuer = search->path[i]->facts;
        const struct memo *known =
            mu_path_recall(search, search->path[i - 1]->cert, search->path[i]->cert);
        bool other_key = cert->akid.data != NULL && issuer->skid.data != NULL &&
                         !mu_slice_equal(cert->akid, issuer->skid);
        faults += mu_check_issuer(&search->judge, search->path, i, NULL) ? 0 : 1;
        faults += known != NULL && !known->good ? 4 : other_key ? 2 : 0;
    }
    return faults;
}

static void keep_best(struct search *search)
{
    unsigned faults = count_faults(search);
    if (search->best_depth == 0 || faults < search->best_faults) {
        memcpy(search->best, search->path, sizeof search->best);
        search->best_depth = search->depth;
        search->best_faults = faults;
    }
}

static void keep_end(struct search *search)
{
    if (search->depth > search->end_depth) {
        memcpy(search->end, search->path, sizeof search->end);
        search->end_depth = search->depth;
    }
}

static void wander(struct search *search)
{
    struct candidate list[CANDIDATES_MAX];
    size_t count = list_candidates(search, list);
    size_t at = search->depth;
    bool dead = true;
    for (size_t i = 0; i < count && at < MU_LIMIT_CHAIN_DEPTH && search->steps > 0; i++) {
        if (is_on_path(search, list[i].node->facts)) {
            continue;
        }
        search->steps--;
        dead = false;
        search->path[at] = list[i].node;
        search->depth = at + 1;
        if (list[i].node->origin == NODE_ANCHOR) {
            keep_best(search);
        } else {
            wander(search);
        }
        search->depth = at;
    }
    search->cut = search->cut || (dead && count > 0 && at == MU_LIMIT_CHAIN_DEPTH);
    if (dead) {
        keep_end(search);
    }
}

void mu_path_find_nearest(struct search *search)
{
    search->judge.constraint_work = MU_LIMIT_CONSTRAINTS / 4;
    search->steps = MU_LIMIT_PATH_STEPS / 8;
    search->path[0] = &search->sent[0];
    search->depth = 1;
    search->best_depth = 0;
    search->end_depth = 0;
    wander(search);
}
