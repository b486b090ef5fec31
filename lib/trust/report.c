/* SPDX-License-Identifier: Apache-2.0
 *
 * The words for a chain that was refused: which certificate, which check, what was found. Looks at
 * the path that a person would call the right one; where no path reaches an anchor, at the place
 * where the chain breaks off.
 */
#include <string.h>

#include "trust/trust_internal.h"

/* Which certificate of what the peer sent, for the error's context; always false. */
static bool add_place(const struct search *search, const struct trust_node *node,
                      struct mutual_error *err)
{
    if (node->place > 0) {
        return mu_error_context(err, "certificate %zu of %zu sent", node->place,
                                search->sent_count);
    }
    return mu_error_context(err, "%s of bundle \"%s\"",
                            node->origin == NODE_ANCHOR ? "an authority" : "an intermediate",
                            search->judge.trust->name);
}

/* An authority came first, and an end entity behind it: rather a matter of order. Always false. */
static bool add_order(const struct search *search, struct mutual_error *err)
{
    bool behind = false;
    for (size_t i = 1; i < search->sent_count; i++) {
        behind = behind || (search->sent[i].facts != NULL && !search->sent[i].facts->ca);
    }
    return behind && search->sent[0].facts->ca &&
           mu_error_hint(err,
                         "The chain seems to be in the wrong order: the peer's own certificate "
                         "must be sent first, then its issuers.");
}

/* ---- a path that reaches an anchor ----------------------------------------------------------- */

static bool fail_signature(const struct trust_node *cert, const struct trust_node *issuer,
                           struct mutual_error *err)
{
    struct mutual_error why = {0};
    /* Verified once more, for the library's own words where it is not merely wrong. */
    if (mu_cert_signed_by(cert->cert, issuer->cert, &why) || why.code == MUTUAL_E_CERT_SIGNATURE) {
        return mu_fail(err, MUTUAL_E_CERT_SIGNATURE,
                       "certificate \"%s\" names \"%s\" as its issuer but is not signed by its key",
                       cert->facts->display, issuer->facts->display);
    }
    if (err != NULL) {
        *err = why;
    }
    return false;
}

/* True when nothing is wrong with it that we know of. */
static bool report_best(struct search *search, struct mutual_error *err)
{
    const struct trust_node *const *path = search->best;
    if (!mu_check_leaf(&search->judge, path[0]->facts, err)) {
        return add_order(search, err) || add_place(search, path[0], err);
    }
    for (size_t i = 1; i < search->best_depth; i++) {
        const struct memo *memo = mu_path_recall(search, path[i - 1]->cert, path[i]->cert);
        if (memo != NULL && !memo->good && !fail_signature(path[i - 1], path[i], err)) {
            return add_place(search, path[i - 1], err);
        }
        if (!mu_check_issuer(&search->judge, path, i, err)) {
            return add_place(search, path[i], err);
        }
    }
    return true;
}

/* ---- a chain that breaks off ----------------------------------------------------------------- */

/* The value of an attribute in a one-line name, up to the next comma or plus that is not escaped;
 * empty when there is none. */
static struct mu_slice attribute_of(const char *text, const char *attribute)
{
    size_t len = strlen(attribute);
    bool start = true;
    for (const char *at = text; *at != '\0'; at++) {
        if (start && strncmp(at, attribute, len) == 0 && at[len] == '=') {
            const char *value = at + len + 1;
            const char *end = value;
            while (*end != '\0' && *end != ',' && *end != '+') {
                end += *end == '\\' && end[1] != '\0' ? 2 : 1;
            }
            return mu_slice_of(value, (size_t)(end - value));
        }
        start = *at == ',' || *at == '+';
        at += *at == '\\' && at[1] != '\0';
    }
    return mu_slice_of(text, 0);
}

static struct mu_slice first_word(struct mu_slice text)
{
    size_t len = 0;
    while (len < text.len && text.data[len] != ' ') {
        len++;
    }
    return mu_slice_of(text.data, len);
}

/* Do the two names look like authorities of one house? They have the same organisation or, where
 * neither has one, common names that begin with the same word. Decides only between two words for
 * the same refusal. */
static bool same_house(const char *a, const char *b)
{
    struct mu_slice org_a = attribute_of(a, "O");
    struct mu_slice org_b = attribute_of(b, "O");
    if (org_a.len > 0 || org_b.len > 0) {
        return mu_slice_equal(org_a, org_b);
    }
    struct mu_slice word_a = first_word(attribute_of(a, "CN"));
    return word_a.len > 0 && mu_slice_equal(word_a, first_word(attribute_of(b, "CN")));
}

static bool is_of_our_house(const struct mutual_trust *trust, const char *name)
{
    for (size_t i = 0; i < trust->anchor_count; i++) {
        if (same_house(name, trust->anchors[i]->facts->subject_text)) {
            return true;
        }
    }
    return false;
}

static bool report_end(const struct search *search, struct mutual_error *err)
{
    const struct mutual_trust *trust = search->judge.trust;
    const struct trust_node *end = search->end[search->end_depth - 1];
    const char *leaf = search->sent[0].facts->display;
    if (end->facts->self_issued) {
        (void)(search->end_depth == 1
                   ? mu_fail(err, MUTUAL_E_UNKNOWN_ISSUER,
                             "certificate \"%s\" is its own issuer and is not in bundle \"%s\"",
                             leaf, trust->name)
                   : mu_fail(err, MUTUAL_E_UNKNOWN_ISSUER,
                             "certificate \"%s\" leads to \"%s\", which is not in bundle \"%s\"",
                             leaf, end->facts->display, trust->name));
        return add_place(search, end, err);
    }
    if (is_of_our_house(trust, end->facts->issuer_text)) {
        (void)mu_fail(err, MUTUAL_E_CHAIN_INCOMPLETE,
                      "certificate \"%s\" was issued by \"%.96s\", whose certificate was not sent "
                      "and is not in bundle \"%s\"",
                      end->facts->display, end->facts->issuer_text, trust->name);
        return add_place(search, end, err);
    }
    (void)mu_fail(err, MUTUAL_E_UNKNOWN_ISSUER,
                  "certificate \"%s\" was issued by \"%.96s\", which is not in bundle "
                  "\"%s\" and was not sent",
                  end->facts->display, end->facts->issuer_text, trust->name);
    (void)mu_error_hint(err,
                        "If that authority is an intermediate, the peer must send it; if it is "
                        "to be trusted, add it to the bundle.");
    return add_place(search, end, err);
}

/* ---- all ------------------------------------------------------------------------------------- */

static bool fail_costly(const struct search *search, struct mutual_error *err)
{
    return mu_fail(err, MUTUAL_E_CHAIN_TOO_COSTLY,
                   "the %zu certificates that were sent with \"%s\" could be combined in too many "
                   "ways",
                   search->sent_count, search->sent[0].facts->display);
}

static bool fail_long(const struct search *search, struct mutual_error *err)
{
    return mu_fail(err, MUTUAL_E_CHAIN_TOO_LONG,
                   "certificate \"%s\" leads over more than the %u intermediates that bundle "
                   "\"%s\" allows",
                   search->sent[0].facts->display, search->judge.trust->max_intermediates,
                   search->judge.trust->name);
}

/* Somebody presents an authority of the bundle as if it were a peer. */
static bool is_our_authority(const struct search *search)
{
    const struct mu_cert_facts *leaf = search->sent[0].facts;
    const struct trust_node *node = mu_trust_find(search->judge.trust, leaf->subject_canon);
    while (node != NULL && memcmp(node->facts->key_hash, leaf->key_hash, 32) != 0) {
        node = node->next;
    }
    return node != NULL && leaf->ca;
}

bool mu_path_report(struct search *search, struct mutual_error *err)
{
    if (is_our_authority(search)) {
        bool passes = mu_check_leaf(&search->judge, search->sent[0].facts, err);
        mu_assert(!passes);
        return add_order(search, err) || add_place(search, &search->sent[0], err);
    }
    bool exhausted = search->exhausted;
    mu_path_find_nearest(search);
    if (exhausted && mu_check_leaf(&search->judge, search->sent[0].facts, NULL)) {
        return fail_costly(search, err);
    }
    if (search->best_depth > 0) {
        if (mu_path_too_long(search, search->best, search->best_depth)) {
            return fail_long(search, err);
        }
        /* The second search saw a path without a fault that the first one did not reach. */
        return report_best(search, err) && fail_costly(search, err);
    }
    if (search->unread_place > 0) {
        if (err != NULL) {
            *err = search->unread;
        }
        return mu_error_context(err, "certificate %zu of %zu sent", search->unread_place,
                                search->sent_count);
    }
    return search->cut ? fail_long(search, err) : report_end(search, err);
}
