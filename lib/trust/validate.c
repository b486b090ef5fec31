/* SPDX-License-Identifier: Apache-2.0
 *
 * From the certificates a peer sent to the facts of its chain, or to the reason why not.
 */
#include <string.h>

#include "trust/trust_internal.h"

static bool add_point(struct mutual_link *link, struct mu_slice name, struct mu_slice issuer,
                      unsigned reasons, struct mutual_error *err)
{
    struct mutual_point *point = &link->points[link->point_count];
    uint8_t hash[32];
    if (link->point_count == MUTUAL_LINK_POINTS) {
        return true;
    }
    if (!mu_sha256(name, hash, err) ||
        (issuer.data != NULL && !mu_sha256(issuer, point->issuer_name_hash, err))) {
        return false;
    }
    memcpy(point->name, hash, sizeof point->name);
    point->reasons = (uint16_t)reasons;
    link->point_count++;
    return true;
}

static bool fill_point(const struct mu_crl_point *from, struct mutual_link *link,
                       struct mutual_error *err)
{
    static const struct mu_slice own = {NULL, 0};
    for (size_t i = 0; i < from->name_count; i++) {
        if (from->issuer_count == 0 && !add_point(link, from->names[i], own, from->reasons, err)) {
            return false;
        }
        for (size_t k = 0; k < from->issuer_count; k++) {
            if (!add_point(link, from->names[i], from->issuers[k], from->reasons, err)) {
                return false;
            }
        }
    }
    return true;
}

/* Whatever does not fit is left out: it could only have cleared the certificate. */
static bool fill_points(const struct mu_cert_facts *cert, struct mutual_link *link,
                        struct mutual_error *err)
{
    for (size_t i = 0; i < cert->crl_point_count; i++) {
        if (!fill_point(&cert->crl_points[i], link, err)) {
            return false;
        }
    }
    return true;
}

bool mu_link_fill(const struct mu_cert_facts *cert, const struct mu_cert_facts *issuer,
                  struct mutual_link *ret_link, struct mutual_error *err)
{
    struct mutual_link link = {.not_before_s = cert->not_before_s,
                               .not_after_s = cert->not_after_s,
                               .must_staple = cert->must_staple};
    memcpy(link.fingerprint, cert->fingerprint, 32);
    memcpy(link.key_hash, cert->key_hash, 32);
    memcpy(link.issuer_hash, issuer->key_hash, 32);
    /* A longer serial number was refused as a flaw before; nothing revokes it by mistake. */
    size_t len = cert->serial.len < sizeof link.serial ? cert->serial.len : sizeof link.serial;
    if (len > 0) {
        memcpy(link.serial, cert->serial.data, len);
    }
    link.serial_len = (uint8_t)len;
    if (!mu_sha256(cert->issuer_canon, link.issuer_name_hash, err) ||
        !fill_points(cert, &link, err)) {
        return false;
    }
    *ret_link = link;
    return true;
}

static void search_done(struct search *search)
{
    for (size_t i = 0; i < search->sent_count; i++) {
        mu_cert_unref(search->sent[i].cert);
    }
}

/* What a peer sent: as bytes, or as OpenSSL parsed it. */
struct sent {
    const struct mutual_der *ders;
    struct x509_st *const *x509s; /* NULL: ders */
    size_t count;
};

static bool check_size(const struct sent *sent, struct mutual_error *err)
{
    size_t total = 0;
    if (sent->count > MU_LIMIT_CHAIN_SENT) {
        return mu_fail(err, MUTUAL_E_CHAIN_TOO_LONG,
                       "%zu certificates were sent; at most %u are looked at", sent->count,
                       MU_LIMIT_CHAIN_SENT);
    }
    for (size_t i = 0; sent->x509s == NULL && i < sent->count; i++) {
        size_t len = sent->ders[i].len;
        total += len < MU_LIMIT_CERT_MESSAGE ? len : MU_LIMIT_CERT_MESSAGE;
    }
    return total <= MU_LIMIT_CERT_MESSAGE ||
           mu_fail(err, MUTUAL_E_CHAIN_TOO_LONG,
                   "the certificates sent take %zu bytes; at most %u are looked at", total,
                   MU_LIMIT_CERT_MESSAGE);
}

static bool read_one(const struct sent *sent, size_t i, struct mu_cert **ret_cert,
                     struct mutual_error *err)
{
    if (sent->x509s != NULL) {
        return mu_cert_from_x509(sent->x509s[i], ret_cert, err);
    }
    return mu_cert_from_der(mu_slice_of(sent->ders[i].data, sent->ders[i].len), ret_cert, err);
}

/* The leaf must be readable. Of the others any may be rubbish as long as a path does without. */
static bool read_sent(struct search *search, const struct sent *sent, struct mutual_error *err)
{
    search->sent_count = sent->count;
    for (size_t i = 0; i < sent->count; i++) {
        struct trust_node *node = &search->sent[i];
        struct mutual_error why = {0};
        node->origin = NODE_SENT;
        node->place = i + 1;
        if (read_one(sent, i, &node->cert, &why)) {
            node->facts = mu_cert_facts(node->cert);
            /* The leaf's are checked once and told; see mu_check_leaf. */
            node->names_good =
                i > 0 && mu_names_check(node->facts->names, node->facts->name_count, NULL);
        } else if (i == 0 || why.code == MUTUAL_E_NO_MEMORY) {
            if (err != NULL) {
                *err = why;
            }
            return mu_error_context(err, "certificate %zu of %zu sent", i + 1, sent->count);
        } else if (search->unread_place == 0) {
            search->unread = why;
            search->unread_place = i + 1;
        }
    }
    return true;
}

/* Name constraints do not reach into a common name unless they permit directory names, so a strict
 * bundle does not take one from an authority that is held to other names. */
static bool takes_common_name(const struct search *search)
{
    for (size_t i = 1; i < search->depth && search->judge.trust->strict_constraints; i++) {
        const struct mu_cert_facts *ca = search->path[i]->facts;
        bool permits = false;
        for (size_t k = 0; k < ca->permitted_count; k++) {
            permits = permits || ca->permitted[k].base.type == MU_GNAME_DIRNAME;
        }
        if (ca->has_nc && !permits) {
            return false;
        }
    }
    return true;
}

/* Could the path not have been built from what was sent, but for the bundle? */
static bool is_lent(const struct search *search, const struct trust_node *node)
{
    bool lent = node->origin == NODE_POOL;
    for (size_t i = 0; i < search->sent_count && lent; i++) {
        const struct mu_cert_facts *sent = search->sent[i].facts;
        lent = sent == NULL || memcmp(sent->fingerprint, node->facts->fingerprint, 32) != 0;
    }
    return lent;
}

static bool make_chain(const struct search *search, struct mutual_chain **ret_chain,
                       struct mutual_error *err)
{
    struct mutual_link links[MU_LIMIT_CHAIN_DEPTH];
    const struct mu_cert_facts *leaf = search->sent[0].facts;
    for (size_t i = 0; i < search->depth; i++) {
        size_t issuer = i + 1 < search->depth ? i + 1 : i;
        if (!mu_link_fill(search->path[i]->facts, search->path[issuer]->facts, &links[i], err)) {
            return false;
        }
        links[i].lent = is_lent(search, search->path[i]);
    }
    MU_AUTO(names) struct mu_names *names = NULL;
    if (!mu_names_from_cert(search->sent[0].cert, &names, err)) {
        return false;
    }
    size_t name_count = 0;
    const struct mutual_name *list = mu_names_list(names, &name_count);
    if (name_count > 0 && list[name_count - 1].type == MUTUAL_NAME_CN &&
        !takes_common_name(search)) {
        name_count--;
    }
    return mu_chain_new(links, search->depth, list, name_count, leaf->subject_text,
                        leaf->issuer_text, ret_chain, err);
}

static bool find_chain(struct search *search, const struct sent *sent,
                       struct mutual_chain **ret_chain, struct mutual_error *err)
{
    if (!read_sent(search, sent, err)) {
        return false;
    }
    if (!mu_path_find(search)) {
        return mu_path_report(search, err);
    }
    if (!make_chain(search, ret_chain, err)) {
        return false;
    }
    mu_chain_set_window(*ret_chain, mu_known_window(search));
    return true;
}

static bool validate(const struct mutual_trust *trust, const struct sent *sent,
                     enum mutual_purpose purpose, int64_t now_s, struct mu_known *known,
                     struct mutual_chain **ret_chain, struct mutual_error *err)
{
    static const struct {
        enum mutual_code missing;
        enum mutual_step step;
        const char *who;
    } sides[] = {
        [MUTUAL_PURPOSE_SERVER] = {MUTUAL_E_NO_SERVER_CERT, MUTUAL_STEP_SERVER_CHECK, "server"},
        [MUTUAL_PURPOSE_CLIENT] = {MUTUAL_E_NO_CLIENT_CERT, MUTUAL_STEP_CLIENT_CHECK, "client"},
    };
    mu_assert(trust->frozen);
    if (sent->count == 0) {
        return mu_fail(err, sides[purpose].missing, "the %s sent no certificate",
                       sides[purpose].who);
    }
    MU_AUTO(free) struct search *search = mu_alloc(1, sizeof *search);
    if (search == NULL) {
        return mu_fail_memory(err);
    }
    search->judge = (struct judge){.trust = trust, .purpose = purpose, .now_s = now_s};
    search->known = known;
    bool ok = check_size(sent, err) && find_chain(search, sent, ret_chain, err);
    search_done(search);
    if (!ok && err != NULL && err->step == MUTUAL_STEP_NONE) {
        err->step = sides[purpose].step;
    }
    return ok;
}

bool mutual_trust_validate(const struct mutual_trust *trust, const struct mutual_der *certs,
                           size_t count, enum mutual_purpose purpose, int64_t now_s,
                           struct mutual_chain **ret_chain, struct mutual_error *err)
{
    const struct sent sent = {.ders = certs, .count = count};
    return validate(trust, &sent, purpose, now_s, NULL, ret_chain, err);
}

bool mu_trust_validate_x509(const struct mutual_trust *trust, struct x509_st *const *certs,
                            size_t count, enum mutual_purpose purpose, int64_t now_s,
                            struct mu_known *known, struct mutual_chain **ret_chain,
                            struct mutual_error *err)
{
    const struct sent sent = {.x509s = certs, .count = count};
    return validate(trust, &sent, purpose, now_s, known, ret_chain, err);
}
