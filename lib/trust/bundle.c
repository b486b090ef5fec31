/* SPDX-License-Identifier: Apache-2.0
 *
 * The trust bundle: anchors, known intermediates, revocation lists and how strict to be. Built by
 * one owner, then frozen; what is frozen never changes.
 */
#include <string.h>

#include "trust/trust_internal.h"

#define MAX_INTERMEDIATES (MU_LIMIT_CHAIN_DEPTH - 2u) /* leaf and anchor aside */

void mu_trust_auto(struct mutual_trust **trust)
{
    mutual_trust_unref(*trust);
}

struct mutual_trust *mutual_trust_new(const char *name)
{
    MU_AUTO(trust) struct mutual_trust *trust = mu_alloc(1, sizeof *trust);
    if (trust == NULL) {
        return NULL;
    }
    atomic_init(&trust->refs, 1);
    trust->max_intermediates = MAX_INTERMEDIATES;
    trust->name = mu_strdup(name);
    trust->by_subject = mu_map_new();
    trust->crls = mu_crl_shelf_new();
    if (trust->name == NULL || trust->by_subject == NULL || trust->crls == NULL) {
        return NULL;
    }
    return MU_TAKE(trust);
}

struct mutual_trust *mutual_trust_ref(struct mutual_trust *trust)
{
    unsigned before = atomic_fetch_add_explicit(&trust->refs, 1, memory_order_relaxed);
    mu_assert(before > 0 && before < UINT32_MAX);
    return trust;
}

void mutual_trust_unref(struct mutual_trust *trust)
{
    if (trust == NULL || atomic_fetch_sub_explicit(&trust->refs, 1, memory_order_acq_rel) > 1) {
        return;
    }
    for (size_t i = 0; i < trust->node_count; i++) {
        mu_cert_unref(trust->nodes[i]->cert);
        mu_free(trust->nodes[i]);
    }
    mu_free(trust->nodes);
    mu_free(trust->anchors);
    mu_map_free(trust->by_subject);
    mu_free(trust->moments);
    mu_crl_shelf_free(trust->crls);
    mu_free(trust->name);
    mu_free(trust);
}

void mutual_trust_allow_intermediates(struct mutual_trust *trust)
{
    mu_assert(!trust->frozen);
    trust->allow_intermediates = true;
}

void mutual_trust_allow_flaws(struct mutual_trust *trust)
{
    mu_assert(!trust->frozen);
    trust->allow_flaws = true;
}

void mutual_trust_strict_constraints(struct mutual_trust *trust)
{
    mu_assert(!trust->frozen);
    trust->strict_constraints = true;
}

void mutual_trust_set_depth(struct mutual_trust *trust, unsigned intermediates)
{
    mu_assert(!trust->frozen);
    trust->max_intermediates =
        intermediates < MAX_INTERMEDIATES ? intermediates : MAX_INTERMEDIATES;
}

void mutual_trust_set_revocation(struct mutual_trust *trust, bool required, bool leaf_only,
                                 enum mutual_crl_stale stale, int64_t grace_s)
{
    mu_assert(!trust->frozen);
    trust->crl_required = required;
    trust->crl_leaf_only = leaf_only;
    trust->crl_stale = stale;
    trust->crl_grace_s = grace_s > 0 ? grace_s : 0;
}

void mutual_trust_set_staples(struct mutual_trust *trust, enum mutual_staple_mode mode)
{
    mu_assert(!trust->frozen);
    trust->staples = mode;
}

/* ---- adding certificates --------------------------------------------------------------------- */

const struct trust_node *mu_trust_find(const struct mutual_trust *trust, struct mu_slice canon)
{
    return mu_map_get(trust->by_subject, canon);
}

const struct trust_node *mu_trust_find_exact(const struct mutual_trust *trust,
                                             struct mu_slice canon, const uint8_t fingerprint[32])
{
    const struct trust_node *node = mu_trust_find(trust, canon);
    while (node != NULL && memcmp(node->facts->fingerprint, fingerprint, 32) != 0) {
        node = node->next;
    }
    return node;
}

static bool is_known(const struct mutual_trust *trust, const struct mu_cert_facts *facts,
                     enum node_origin origin)
{
    const struct trust_node *node = mu_trust_find(trust, facts->subject_canon);
    while (node != NULL) {
        /* An anchor needs no second life as an intermediate; the reverse is a promotion. */
        if ((node->origin == origin || node->origin == NODE_ANCHOR) &&
            memcmp(node->facts->fingerprint, facts->fingerprint, 32) == 0) {
            return true;
        }
        node = node->next;
    }
    return false;
}

static bool add_node(struct mutual_trust *trust, struct mu_cert *cert, enum node_origin origin,
                     struct mutual_error *err)
{
    const struct mu_cert_facts *facts = mu_cert_facts(cert);
    if (is_known(trust, facts, origin)) {
        return true;
    }
    if (trust->node_count >= MU_LIMIT_BUNDLE_CERTS) {
        return mu_fail(err, MUTUAL_E_LIMIT, "bundle \"%s\" has more than %u certificates",
                       trust->name, MU_LIMIT_BUNDLE_CERTS);
    }
    if (!mu_grow((void **)&trust->nodes, &trust->node_cap, trust->node_count,
                 sizeof(struct trust_node *), MU_LIMIT_BUNDLE_CERTS) ||
        !mu_grow((void **)&trust->anchors, &trust->anchor_cap, trust->anchor_count,
                 sizeof(struct trust_node *), MU_LIMIT_BUNDLE_CERTS)) {
        return mu_fail_memory(err);
    }
    struct trust_node *node = mu_alloc(1, sizeof *node);
    if (node == NULL) {
        return mu_fail_memory(err);
    }
    node->cert = mu_cert_ref(cert);
    node->facts = facts;
    node->origin = origin;
    node->names_good = mu_names_check(facts->names, facts->name_count, NULL);
    trust->nodes[trust->node_count++] = node;
    if (origin == NODE_ANCHOR) {
        trust->anchors[trust->anchor_count++] = node;
    }
    /* Behind the first of its name, so that the map need not change. */
    struct trust_node *first = mu_map_get(trust->by_subject, facts->subject_canon);
    if (first != NULL) {
        node->next = first->next;
        first->next = node;
        return true;
    }
    return mu_map_put(trust->by_subject, facts->subject_canon, node) || mu_fail_memory(err);
}

static bool check_anchor(const struct mutual_trust *trust, const struct mu_cert_facts *facts,
                         struct mutual_error *err)
{
    if (!facts->ca) {
        return mu_fail(err, MUTUAL_E_BUNDLE_UNUSABLE,
                       "certificate \"%s\" in bundle \"%s\" is not an authority's: its basic "
                       "constraints do not say so",
                       facts->display, trust->name);
    }
    if (!facts->self_issued && !trust->allow_intermediates) {
        (void)mu_fail(err, MUTUAL_E_BUNDLE_UNUSABLE,
                      "certificate \"%s\" in bundle \"%s\" is an intermediate, not a root",
                      facts->display, trust->name);
        return mu_error_hint(err, "Put its root into the bundle, or allow intermediates as anchors "
                                  "for this bundle.");
    }
    return true;
}

static bool add_pem(struct mutual_trust *trust, struct mu_slice text, enum node_origin origin,
                    struct mutual_error *err)
{
    static const char mark[] = "-----BEGIN ";
    mu_assert(!trust->frozen);
    if (text.len == 0 || memmem(text.data, text.len, mark, sizeof mark - 1) == NULL) {
        return mu_fail(err, MUTUAL_E_BUNDLE_EMPTY,
                       "what is given to bundle \"%s\" holds no PEM block", trust->name);
    }
    MU_AUTO(certs) struct mu_certs certs = {0};
    if (!mu_certs_from_pem(text, "the certificates", &certs, err)) {
        return mu_error_context(err, "bundle \"%s\"", trust->name);
    }
    for (size_t i = 0; i < certs.count; i++) {
        if ((origin == NODE_ANCHOR && !check_anchor(trust, mu_cert_facts(certs.items[i]), err)) ||
            !add_node(trust, certs.items[i], origin, err)) {
            return false;
        }
    }
    return true;
}

bool mutual_trust_add_pem(struct mutual_trust *trust, const char *pem, size_t len,
                          struct mutual_error *err)
{
    return add_pem(trust, mu_slice_of(pem, len), NODE_ANCHOR, err);
}

bool mutual_trust_add_intermediates_pem(struct mutual_trust *trust, const char *pem, size_t len,
                                        struct mutual_error *err)
{
    return add_pem(trust, mu_slice_of(pem, len), NODE_POOL, err);
}

/* ---- the end of construction, and reading ---------------------------------------------------- */

bool mu_trust_is_frozen(const struct mutual_trust *trust)
{
    return trust->frozen;
}

bool mutual_trust_freeze(struct mutual_trust *trust, struct mutual_error *err)
{
    if (trust->anchor_count == 0) {
        return mu_fail(err, MUTUAL_E_BUNDLE_EMPTY, "bundle \"%s\" holds no authority", trust->name);
    }
    if (!mu_crl_shelf_settle(trust, err) || !mu_known_settle(trust, err)) {
        return false;
    }
    trust->frozen = true;
    return true;
}

bool mutual_trust_load(const char *path, struct mutual_trust **ret_trust, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf text = {0};
    if (!mu_file_read(path, MU_LIMIT_PEM_BYTES, &text, err)) {
        return false;
    }
    MU_AUTO(trust) struct mutual_trust *trust = mutual_trust_new(path);
    if (trust == NULL) {
        return mu_fail_memory(err);
    }
    if (!mutual_trust_add_pem(trust, (const char *)text.data, text.len, err) ||
        !mutual_trust_freeze(trust, err)) {
        return false;
    }
    *ret_trust = MU_TAKE(trust);
    return true;
}

const char *mutual_trust_name(const struct mutual_trust *trust)
{
    return trust->name;
}

size_t mutual_trust_anchor_count(const struct mutual_trust *trust)
{
    return trust->anchor_count;
}

const struct mu_cert *mu_trust_anchor(const struct mutual_trust *trust, size_t index)
{
    return index < trust->anchor_count ? trust->anchors[index]->cert : NULL;
}
