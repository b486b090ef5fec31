/* SPDX-License-Identifier: Apache-2.0
 *
 * What validating a peer's chain costs in processor time: typical chains, and the nastiest messages
 * of up to 64 KiB that we could think of, which must be judged in 10 ms each (exit status 1
 * otherwise).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/ec.h>
#include <openssl/evp.h>

#include "pki.h"
#include "trust/trust.h"

#define ROUNDS_TYPICAL 400u
#define ROUNDS_NASTY   9u
#define LIMIT_US       10000.0

/* 200 letters. */
#define LABEL     "abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz"
#define LONG_NAME LABEL "." LABEL "." LABEL "." LABEL

static bool too_slow;

static double cpu_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* With a revocation list: then every step of a search asks for one. */
static struct mutual_trust *trust_of(struct pki *anchor)
{
    struct mutual_error err = {0};
    struct mutual_trust *trust = mutual_trust_new("bench");
    const char *pem = pki_pem(anchor);
    struct mu_slice crl = pki_crl(anchor, (struct pki *)NULL);
    if (!mutual_trust_add_pem(trust, pem, strlen(pem), &err) ||
        !mutual_trust_add_crl(trust, (const char *)crl.data, crl.len, &err) ||
        !mutual_trust_freeze(trust, &err)) {
        fprintf(stderr, "%s\n", err.reason);
        exit(1);
    }
    return trust;
}

/* Median of the rounds; the verdict is that of the last. */
static void measure(const char *what, struct pki *anchor, struct pki *const *sent, size_t count,
                    bool nasty)
{
    struct mutual_der ders[256];
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        struct mu_slice der = pki_der(sent[i]);
        ders[i] = (struct mutual_der){der.data, der.len};
        bytes += der.len;
    }
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(anchor);
    static double us[ROUNDS_TYPICAL];
    size_t rounds = nasty ? ROUNDS_NASTY : ROUNDS_TYPICAL;
    struct mutual_error err;
    bool ok = false;
    for (size_t i = 0; i < rounds; i++) {
        struct mutual_chain *chain = NULL;
        memset(&err, 0, sizeof err);
        double start = cpu_us();
        ok = mutual_trust_validate(trust, ders, count, MUTUAL_PURPOSE_CLIENT, PKI_NOW_S, &chain,
                                   &err);
        us[i] = cpu_us() - start;
        mutual_chain_unref(chain);
    }
    qsort(us, rounds, sizeof us[0], by_value);
    printf("%-44s %3zu certs %6zu bytes %9.1f us  %s\n", what, count, bytes, us[rounds / 2],
           ok ? "accepted" : mutual_code_name(err.code));
    too_slow = too_slow || (nasty && us[rounds / 2] > LIMIT_US);
}

/* ---- typical --------------------------------------------------------------------------------- */

static struct pki *authority(struct pki *parent, const char *cn, enum mu_key_spec spec)
{
    struct mu_rdn subject = {MU_ATTR_CN, cn};
    struct mu_cert_template t = {.subject = &subject,
                                 .subject_count = 1,
                                 .ca = true,
                                 .key_usage = MU_KU_KEY_CERT_SIGN | MU_KU_CRL_SIGN};
    return pki_make(parent, &t, spec);
}

static void typical(const char *what, enum mu_key_spec spec)
{
    struct pki *root = authority(NULL, "Root", spec);
    struct pki *sub = authority(root, "Issuing", spec);
    struct pki *leaf =
        pki_issue(sub, (struct pki_leaf){.uri = "spiffe://example.org/hr/payroll", .spec = spec});
    struct pki *sent[] = {leaf, sub};
    measure(what, root, sent, 2, false);
}

/* ---- nasty ----------------------------------------------------------------------------------- */

/* Every certificate could have issued every other one, by name. */
static void mesh(void)
{
    struct pki *sent[MU_LIMIT_CHAIN_SENT];
    struct pki *root = pki_root("Root");
    struct pki *own = pki_root("Mesh");
    sent[0] = pki_issue(own, (struct pki_leaf){.dns = "a.example.org"});
    for (size_t i = 1; i < MU_COUNT(sent); i++) {
        sent[i] = pki_ca(own, "Mesh");
    }
    measure("names that allow 39! paths", root, sent, MU_COUNT(sent), true);
    for (size_t i = 1; i < MU_COUNT(sent); i++) {
        sent[i] = i % 2 == 0 ? authority(NULL, "Root", MU_SPEC_EC_P256) : pki_ca(own, "Mesh");
    }
    measure("the same with false roots", root, sent, MU_COUNT(sent), true);
}

/* The mesh again, each authority with as many names as fit: short ones, so that there are many, and
 * long ones. */
static void mesh_of_names(size_t count, const char *name, const char *what)
{
    static struct mu_gname names[MU_LIMIT_CERT_NAMES];
    struct pki *sent[MU_LIMIT_CHAIN_SENT];
    struct pki *own = pki_root("Mesh");
    struct mu_rdn subject = {MU_ATTR_CN, "Mesh"};
    for (size_t i = 0; i < count; i++) {
        names[i] = (struct mu_gname){MU_GNAME_DNS, mu_slice_text(name)};
    }
    struct mu_cert_template t = {.subject = &subject,
                                 .subject_count = 1,
                                 .names = names,
                                 .name_count = count,
                                 .ca = true,
                                 .key_usage = MU_KU_KEY_CERT_SIGN};
    sent[0] = pki_issue(own, (struct pki_leaf){.dns = "a.example.org"});
    for (size_t i = 1; i < MU_COUNT(sent); i++) {
        sent[i] = pki_make(own, &t, MU_SPEC_EC_P256);
    }
    measure(what, pki_root("Root"), sent, MU_COUNT(sent), true);
}

/* Wrong signatures by the dearest keys. */
static void dear_keys(enum mu_key_spec spec, const char *what)
{
    struct pki *sent[MU_LIMIT_CHAIN_SENT];
    struct pki *root = authority(NULL, "Root", spec);
    struct pki *false_root = authority(NULL, "Root", spec);
    struct pki *sub = authority(false_root, "Issuing", spec);
    sent[0] = pki_issue(sub, (struct pki_leaf){.dns = "a.example.org"});
    for (size_t i = 1; i < MU_COUNT(sent); i++) {
        struct mu_rdn subject = {MU_ATTR_CN, "Issuing"};
        struct mu_cert_template t = {.subject = &subject,
                                     .subject_count = 1,
                                     .ca = true,
                                     .spki = mu_key_spki(sub->key),
                                     .key_usage = MU_KU_KEY_CERT_SIGN};
        sent[i] = i == 1 ? sub : pki_make(false_root, &t, MU_SPEC_EC_P256);
    }
    measure(what, root, sent, MU_COUNT(sent), true);
}

/* A real intermediate in a stranger's hands: it signs as many decoys as fit, with P-521 keys. */
static void insider(void)
{
    struct mutual_error err = {0};
    struct pki *sent[MU_LIMIT_CHAIN_SENT];
    struct pki *root = pki_root("Root");
    EVP_PKEY *pkey = EVP_EC_gen("P-521");
    struct mu_key *key = NULL;
    if (pkey == NULL || !mu_key_from_evp(pkey, (struct mu_slice){0}, &key, &err)) {
        fprintf(stderr, "%s\n", err.reason);
        exit(1);
    }
    struct mu_rdn subject = {MU_ATTR_CN, "Dear"};
    struct mu_cert_template t = {
        .subject = &subject, .subject_count = 1, .ca = true, .key_usage = MU_KU_KEY_CERT_SIGN};
    struct pki *dear = pki_make_with(root, &t, key);
    struct pki *other = pki_root("Deeper");
    sent[0] = pki_issue(other, (struct pki_leaf){.dns = "a.example.org"});
    sent[1] = dear;
    for (size_t i = 2; i < MU_COUNT(sent); i++) {
        sent[i] = pki_ca(dear, "Deeper");
    }
    measure("an insider's P-521 key and 38 decoys", root, sent, MU_COUNT(sent), true);
    mu_key_unref(key);
    EVP_PKEY_free(pkey);
}

/* As many name constraints as fit against as many names as are read. */
static void constraints(enum mu_gname_type type, const char *what)
{
    static struct mu_subtree trees[500];
    static char bases[500][24];
    static struct mu_gname names[MU_LIMIT_CERT_NAMES];
    static char hosts[MU_LIMIT_CERT_NAMES][64];
    static uint8_t dns[MU_LIMIT_CERT_NAMES][128];
    size_t tree_count = type == MU_GNAME_DIRNAME ? 400 : 500;
    struct mutual_error err = {0};
    static struct mu_buf dirs[500];
    for (size_t i = 0; i < tree_count; i++) {
        snprintf(bases[i], sizeof bases[i], "h%zu.example.org", i);
        struct mu_slice bytes = mu_slice_text(bases[i]);
        if (type == MU_GNAME_DIRNAME) {
            struct mu_rdn rdn = {MU_ATTR_CN, bases[i]};
            mu_buf_init(&dirs[i], 256);
            if (!mu_name_build(&rdn, 1, &dirs[i], &err)) {
                exit(1);
            }
            bytes = mu_buf_slice(&dirs[i]);
        }
        trees[i] = (struct mu_subtree){.base = {type, bytes}};
    }
    for (size_t i = 0; i < MU_COUNT(names); i++) {
        snprintf(hosts[i], sizeof hosts[i], "%zu.a-rather-long-label-to-compare.example.net", i);
        names[i] = (struct mu_gname){MU_GNAME_DNS, mu_slice_text(hosts[i])};
        if (type == MU_GNAME_DIRNAME) {
            MU_AUTO(buf) struct mu_buf name;
            struct mu_rdn rdn = {MU_ATTR_CN, hosts[i]};
            mu_buf_init(&name, sizeof dns[i]);
            if (!mu_name_build(&rdn, 1, &name, &err)) {
                exit(1);
            }
            memcpy(dns[i], name.data, name.len);
            names[i] = (struct mu_gname){type, mu_slice_of(dns[i], name.len)};
        }
    }
    struct mu_rdn subject = {MU_ATTR_CN, "Constrained"};
    struct mu_cert_template t = {.subject = &subject,
                                 .subject_count = 1,
                                 .ca = true,
                                 .key_usage = MU_KU_KEY_CERT_SIGN,
                                 .excluded = trees,
                                 .excluded_count = tree_count};
    struct pki *root = pki_root("Root");
    struct pki *sub = pki_make(root, &t, MU_SPEC_EC_P256);
    struct mu_cert_template lt = {.names = names, .name_count = MU_COUNT(names)};
    struct pki *sent[] = {pki_issue(sub, (struct pki_leaf){.t = &lt}), sub};
    measure(what, root, sent, 2, true);
    for (size_t i = 0; i < MU_COUNT(dirs); i++) {
        mu_buf_done(&dirs[i]);
    }
}

/* Long names everywhere, so that folding, hashing and comparing them costs most. */
static void long_names(void)
{
    static struct mu_rdn rdns[100];
    struct pki *sent[3];
    struct pki *root = pki_root("Root");
    for (size_t i = 0; i < MU_COUNT(rdns); i++) {
        rdns[i] = (struct mu_rdn){MU_ATTR_OU, "an organisational unit with   a long   name of "
                                              "many words"};
    }
    struct mu_cert_template t = {.subject = rdns,
                                 .subject_count = MU_COUNT(rdns),
                                 .ca = true,
                                 .key_usage = MU_KU_KEY_CERT_SIGN};
    for (size_t i = 1; i < MU_COUNT(sent); i++) {
        sent[i] = pki_make(NULL, &t, MU_SPEC_EC_P256);
    }
    sent[0] = pki_issue(sent[1], (struct pki_leaf){.dns = "a.example.org"});
    measure("names of 7 KiB", root, sent, MU_COUNT(sent), true);
}

int main(void)
{
    typical("leaf and intermediate, EC P-256", MU_SPEC_EC_P256);
    typical("leaf and intermediate, EC P-384", MU_SPEC_EC_P384);
    typical("leaf and intermediate, RSA 2048", MU_SPEC_RSA_2048);
    typical("leaf and intermediate, Ed25519", MU_SPEC_ED25519);
    mesh();
    mesh_of_names(110, "a.example", "39! paths and 110 short names each");
    mesh_of_names(5, LONG_NAME, "39! paths and 5 long names each");
    dear_keys(MU_SPEC_EC_P384, "39 wrong signatures, P-384");
    dear_keys(MU_SPEC_RSA_4096, "39 wrong signatures, RSA 4096");
    insider();
    constraints(MU_GNAME_DNS, "128 names, 500 DNS constraints");
    constraints(MU_GNAME_DIRNAME, "128 names, 400 directory constraints");
    long_names();
    if (too_slow) {
        fprintf(stderr, "bench_trust: a message took more than %.0f us\n", LIMIT_US);
    }
    return too_slow ? 1 : 0;
}
