/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates for tests; see pki.h.
 */
#include "pki.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Everything made, so that it is still reachable when the process ends. */
struct made {
    struct made *next;
    struct pki node;
    struct mu_buf bytes;
};
static struct made *all;

static void must(bool done, const struct mutual_error *err)
{
    if (!done) {
        fprintf(stderr, "pki fixture: %s: %s %s\n", mutual_code_name(err->code), err->reason,
                err->context);
        abort();
    }
}

static void drop_all(void)
{
    while (all != NULL) {
        struct made *next = all->next;
        mu_cert_unref(all->node.cert);
        mu_key_unref(all->node.key);
        mu_buf_done(&all->bytes);
        mu_free(all);
        all = next;
    }
}

static struct made *keep(void)
{
    if (all == NULL) {
        (void)atexit(drop_all);
    }
    struct made *made = mu_alloc(1, sizeof *made);
    if (made == NULL) {
        abort();
    }
    mu_buf_init(&made->bytes, MU_LIMIT_PEM_BYTES);
    made->next = all;
    all = made;
    return made;
}

struct pki *pki_make(struct pki *parent, const struct mu_cert_template *t, enum mu_key_spec spec)
{
    struct mutual_error err = {0};
    struct mu_key *key = NULL;
    must(mu_key_generate(spec, &key, &err), &err);
    struct pki *node = pki_make_with(parent, t, key);
    mu_key_unref(key);
    return node;
}

struct pki *pki_make_with(struct pki *parent, const struct mu_cert_template *t, struct mu_key *key)
{
    struct mutual_error err = {0};
    struct mu_cert_template own = *t;
    struct made *made = keep();
    made->node.key = mu_key_ref(key);
    made->node.parent = parent;
    if (own.issuer == NULL && parent != NULL) {
        own.issuer = parent->cert;
    }
    if (own.spki.len == 0) {
        own.spki = mu_key_spki(key);
    }
    if (own.not_after_s == 0) {
        own.not_before_s = PKI_NOW_S - PKI_DAY_S;
        own.not_after_s = PKI_NOW_S + 90 * PKI_DAY_S;
    }
    const struct mu_key *signer = parent != NULL ? parent->key : key;
    must(mu_cert_sign(&own, signer, &made->node.cert, &err), &err);
    return &made->node;
}

static struct pki *authority(struct pki *parent, const char *cn)
{
    struct mu_rdn subject = {MU_ATTR_CN, cn};
    struct mu_cert_template t = {
        .subject = &subject,
        .subject_count = 1,
        .not_before_s = PKI_NOW_S - 5 * 365 * PKI_DAY_S,
        .not_after_s = PKI_NOW_S + 5 * 365 * PKI_DAY_S,
        .ca = true,
        .key_usage = MU_KU_KEY_CERT_SIGN | MU_KU_CRL_SIGN,
    };
    return pki_make(parent, &t, MU_SPEC_EC_P256);
}

struct pki *pki_root(const char *cn)
{
    return authority(NULL, cn);
}

struct pki *pki_ca(struct pki *parent, const char *cn)
{
    return authority(parent, cn);
}

/* The typed names of the leaf into names[]; `ip` holds the bytes of an address. */
static size_t collect_names(const struct pki_leaf *leaf, struct mu_gname names[5], uint8_t ip[16])
{
    size_t count = 0;
    if (leaf->uri != NULL) {
        names[count++] = (struct mu_gname){MU_GNAME_URI, mu_slice_text(leaf->uri)};
    }
    if (leaf->dns != NULL) {
        names[count++] = (struct mu_gname){MU_GNAME_DNS, mu_slice_text(leaf->dns)};
    }
    if (leaf->dns2 != NULL) {
        names[count++] = (struct mu_gname){MU_GNAME_DNS, mu_slice_text(leaf->dns2)};
    }
    if (leaf->email != NULL) {
        names[count++] = (struct mu_gname){MU_GNAME_EMAIL, mu_slice_text(leaf->email)};
    }
    if (leaf->ip != NULL) {
        bool v6 = strchr(leaf->ip, ':') != NULL;
        if (inet_pton(v6 ? AF_INET6 : AF_INET, leaf->ip, ip) != 1) {
            abort();
        }
        names[count++] = (struct mu_gname){MU_GNAME_IP, mu_slice_of(ip, v6 ? 16 : 4)};
    }
    return count;
}

struct pki *pki_issue(struct pki *parent, struct pki_leaf leaf)
{
    struct mu_cert_template t = {0};
    if (leaf.t != NULL) {
        t = *leaf.t;
    }
    struct mu_rdn subject = {MU_ATTR_CN, leaf.cn};
    if (leaf.cn != NULL) {
        t.subject = &subject;
        t.subject_count = 1;
    }
    uint8_t ip[16];
    struct mu_gname names[5];
    size_t count = collect_names(&leaf, names, ip);
    if (count > 0) {
        t.names = names;
        t.name_count = count;
    }
    if (t.key_usage == 0) {
        t.key_usage = MU_KU_DIGITAL_SIGNATURE;
    }
    bool both = !leaf.client && !leaf.server;
    if (!leaf.no_eku && t.eku == 0) {
        t.eku =
            (leaf.client || both ? MU_EKU_CLIENT : 0u) | (leaf.server || both ? MU_EKU_SERVER : 0u);
    }
    if (leaf.not_after != 0 || t.not_after_s == 0) {
        t.not_before_s = leaf.not_before != 0 ? leaf.not_before : PKI_NOW_S - PKI_DAY_S;
        t.not_after_s = leaf.not_after != 0 ? leaf.not_after : PKI_NOW_S + 90 * PKI_DAY_S;
    }
    if (leaf.not_before != 0) {
        t.not_before_s = leaf.not_before;
    }
    return leaf.key != NULL ? pki_make_with(parent, &t, leaf.key) : pki_make(parent, &t, leaf.spec);
}

struct pki *pki_stranger(const char *cn)
{
    return pki_issue(NULL, (struct pki_leaf){.cn = cn, .dns = "stranger.example"});
}

const char *pki_pem(const struct pki *node)
{
    struct made *made = keep();
    mu_cert_to_pem(node->cert, &made->bytes);
    return mu_buf_str(&made->bytes);
}

const char *pki_chain_pem(const struct pki *node)
{
    struct made *made = keep();
    mu_cert_to_pem(node->cert, &made->bytes);
    for (node = node->parent; node != NULL && node->parent != NULL; node = node->parent) {
        mu_cert_to_pem(node->cert, &made->bytes);
    }
    return mu_buf_str(&made->bytes);
}

const char *pki_key_pem(const struct pki *node)
{
    struct mutual_error err = {0};
    struct made *made = keep();
    must(mu_key_to_pem(node->key, NULL, &made->bytes, &err), &err);
    return mu_buf_str(&made->bytes);
}

struct mu_slice pki_der(const struct pki *node)
{
    return mu_cert_facts(node->cert)->der;
}

struct mu_slice pki_crl_at(struct pki *issuer, int64_t this_s, int64_t next_s, uint64_t number,
                           struct pki *const *revoked, size_t count)
{
    struct mutual_error err = {0};
    struct made *made = keep();
    struct mu_revoked entries[16];
    if (count > MU_COUNT(entries)) {
        abort();
    }
    for (size_t i = 0; i < count; i++) {
        entries[i] = (struct mu_revoked){.serial = mu_cert_facts(revoked[i]->cert)->serial,
                                         .time_s = this_s - PKI_DAY_S,
                                         .reason = MU_REASON_KEY_COMPROMISE};
    }
    struct mu_crl_template t = {
        .issuer = issuer->cert,
        .this_update_s = this_s,
        .next_update_s = next_s,
        .number = number,
        .entries = entries,
        .count = count,
    };
    must(mu_crl_sign(&t, issuer->key, &made->bytes, &err), &err);
    return mu_buf_slice(&made->bytes);
}

struct mu_slice pki_crl(struct pki *issuer, ...)
{
    struct pki *revoked[16];
    size_t count = 0;
    va_list args;
    va_start(args, issuer);
    for (struct pki *node = va_arg(args, struct pki *); node != NULL && count < MU_COUNT(revoked);
         node = va_arg(args, struct pki *)) {
        revoked[count++] = node;
    }
    va_end(args);
    return pki_crl_at(issuer, PKI_NOW_S - PKI_DAY_S, PKI_NOW_S + 7 * PKI_DAY_S, 1, revoked, count);
}

static struct mu_ocsp_answer answer_of(const struct pki *leaf, const struct pki_answer *from)
{
    int64_t this_s = from->this_s != 0 ? from->this_s : PKI_NOW_S - PKI_DAY_S;
    return (struct mu_ocsp_answer){
        .id = {.hash = from->hash, .serial = mu_cert_facts(leaf->cert)->serial},
        .status = from->status,
        .revoked_at_s = PKI_NOW_S - 2 * PKI_DAY_S,
        .reason = MU_REASON_KEY_COMPROMISE,
        .this_update_s = this_s,
        .next_update_s = from->next_s != 0 ? from->next_s : PKI_NOW_S + 7 * PKI_DAY_S,
    };
}

struct mu_slice pki_ocsp(struct pki *leaf, struct pki_answer answer)
{
    struct mutual_error err = {0};
    struct made *made = keep();
    struct pki *issuer = answer.issuer != NULL ? answer.issuer : leaf->parent;
    struct pki *responder = answer.responder != NULL ? answer.responder : issuer;
    struct mu_ocsp_answer answers[2] = {answer_of(leaf, &answer)};
    if (answer.more != NULL) {
        answers[1] = answer_of(answer.more->about != NULL ? answer.more->about : leaf, answer.more);
    }
    struct mu_ocsp_template t = {
        .issuer = issuer->cert,
        .responder = responder->cert,
        .produced_at_s = answer.produced_s != 0 ? answer.produced_s : answers[0].this_update_s,
        .answers = answers,
        .count = answer.more != NULL ? 2 : 1,
        .nonce = answer.nonce,
    };
    must(mu_ocsp_sign(&t, responder->key, &made->bytes, &err), &err);
    return mu_buf_slice(&made->bytes);
}

struct pki *pki_responder(struct pki *issuer, const char *cn)
{
    struct mu_cert_template t = {.eku = MU_EKU_OCSP};
    return pki_issue(issuer, (struct pki_leaf){.cn = cn, .t = &t});
}
