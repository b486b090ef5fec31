/* SPDX-License-Identifier: Apache-2.0
 *
 * What reading, checking and making costs in the x509 room, beside OpenSSL's own decoder, and a
 * revocation list of a million entries from making to lookup. One line per figure.
 *
 *     bench_x509 [ENTRIES]
 */
#include <stdio.h>
#include <stdlib.h>

#include "pki.h"

#include <openssl/x509.h>

#define ROUNDS 2000

static void fail(const char *what, const struct mutual_error *err)
{
    fprintf(stderr, "bench_x509: %s: %s: %s\n", what, mutual_code_name(err->code), err->reason);
    exit(1);
}

static void say(const char *what, int64_t start_ns, size_t rounds)
{
    double each = (double)(mu_clock_mono_ns() - start_ns) / (double)rounds;
    if (each < 1e6) {
        printf("%-44s %10.2f us\n", what, each / 1e3);
    } else {
        printf("%-44s %10.1f ms\n", what, each / 1e6);
    }
}

static void certificates(void)
{
    struct mutual_error err = {0};
    struct pki *root = pki_root("Root");
    struct pki *leaf = pki_issue(root, (struct pki_leaf){.cn = "leaf",
                                                         .dns = "a.example",
                                                         .uri = "spiffe://example.org/ns/a/sa/b"});
    struct mu_slice der = pki_der(leaf);
    int64_t start = mu_clock_mono_ns();
    for (size_t i = 0; i < ROUNDS; i++) {
        struct mu_cert *cert = NULL;
        if (!mu_cert_from_der(der, &cert, &err)) {
            fail("read", &err);
        }
        mu_cert_unref(cert);
    }
    say("read a certificate, all facts", start, ROUNDS);
    start = mu_clock_mono_ns();
    for (size_t i = 0; i < ROUNDS; i++) {
        const unsigned char *p = der.data;
        X509_free(d2i_X509(NULL, &p, (long)der.len));
    }
    say("the same by OpenSSL, no extension read", start, ROUNDS);
    start = mu_clock_mono_ns();
    for (size_t i = 0; i < ROUNDS; i++) {
        if (!mu_cert_signed_by(leaf->cert, root->cert, &err)) {
            fail("verify", &err);
        }
    }
    say("check a P-256 signature", start, ROUNDS);
    start = mu_clock_mono_ns();
    for (size_t i = 0; i < ROUNDS; i++) {
        struct mu_key *key = NULL;
        if (!mu_key_from_spki(mu_key_spki(root->key), &key, &err)) {
            fail("load a key", &err);
        }
        mu_key_unref(key);
    }
    say("load a P-256 public key", start, ROUNDS);
    struct mu_rdn cn = {MU_ATTR_CN, "leaf"};
    struct mu_cert_template t = {.issuer = root->cert,
                                 .subject = &cn,
                                 .subject_count = 1,
                                 .spki = mu_key_spki(leaf->key),
                                 .not_before_s = PKI_NOW_S,
                                 .not_after_s = PKI_NOW_S + PKI_DAY_S};
    start = mu_clock_mono_ns();
    for (size_t i = 0; i < ROUNDS; i++) {
        struct mu_cert *cert = NULL;
        if (!mu_cert_sign(&t, root->key, &cert, &err)) {
            fail("make", &err);
        }
        mu_cert_unref(cert);
    }
    say("make and sign a certificate (P-256)", start, ROUNDS);
}

static void lists(size_t count)
{
    struct mutual_error err = {0};
    struct pki *root = pki_root("Root");
    uint8_t *serials = mu_alloc(count, MU_SERIAL_BYTES);
    struct mu_revoked *entries = mu_alloc(count, sizeof *entries);
    if (serials == NULL || entries == NULL || !mu_random(serials, count * MU_SERIAL_BYTES, &err)) {
        fail("prepare", &err);
    }
    for (size_t i = 0; i < count; i++) {
        uint8_t *serial = serials + i * MU_SERIAL_BYTES;
        serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40);
        entries[i] = (struct mu_revoked){.serial = mu_slice_of(serial, MU_SERIAL_BYTES),
                                         .time_s = PKI_NOW_S,
                                         .reason = MU_REASON_SUPERSEDED};
    }
    struct mu_crl_template t = {.issuer = root->cert,
                                .this_update_s = PKI_NOW_S,
                                .next_update_s = PKI_NOW_S + PKI_DAY_S,
                                .entries = entries,
                                .count = count};
    MU_AUTO(buf) struct mu_buf der;
    MU_AUTO(crl) struct mu_crl *crl = NULL;
    mu_buf_init(&der, MU_LIMIT_CRL_BYTES);
    printf("a list of %zu entries:\n", count);
    int64_t start = mu_clock_mono_ns();
    if (!mu_crl_sign(&t, root->key, &der, &err)) {
        fail("make a list", &err);
    }
    say("  make and sign", start, 1);
    start = mu_clock_mono_ns();
    if (!mu_crl_from_der(mu_buf_slice(&der), &crl, &err)) {
        fail("read a list", &err);
    }
    say("  read", start, 1);
    start = mu_clock_mono_ns();
    if (!mu_crl_signed_by(crl, root->cert, &err)) {
        fail("check a list", &err);
    }
    say("  check the signature", start, 1);
    start = mu_clock_mono_ns();
    for (size_t i = 0; i < count; i++) {
        if (!mu_crl_find(crl, entries[i].serial, NULL)) {
            fail("look up", &err);
        }
    }
    say("  look one up, at random", start, count);
    mu_free(serials);
    mu_free(entries);
}

int main(int argc, char **argv)
{
    uint64_t count = 1000000;
    if (argc > 2 || (argc == 2 && (!mu_text_uint(argv[1], 4000000, &count) || count == 0))) {
        fprintf(stderr, "usage: bench_x509 [ENTRIES]\n");
        return 2;
    }
    certificates();
    lists((size_t)count);
    return 0;
}
