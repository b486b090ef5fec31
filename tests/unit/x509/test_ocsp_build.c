/* SPDX-License-Identifier: Apache-2.0
 *
 * OCSP messages made: every kind of key, and what cannot be made.
 */
#include "odd.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct mutual_error err;

/* Signed by an issuer of each kind, read back and believed. */
static void by_every_key(void **state)
{
    (void)state;
    static const enum mu_key_spec specs[] = {MU_SPEC_EC_P256, MU_SPEC_EC_P384, MU_SPEC_RSA_2048,
                                             MU_SPEC_ED25519};
    for (size_t i = 0; i < MU_COUNT(specs); i++) {
        struct mu_rdn cn = {MU_ATTR_CN, "Issuer"};
        struct mu_cert_template t = {.subject = &cn,
                                     .subject_count = 1,
                                     .ca = true,
                                     .key_usage = MU_KU_KEY_CERT_SIGN | MU_KU_CRL_SIGN};
        struct pki *issuer = pki_make(NULL, &t, specs[i]);
        struct pki *leaf = pki_issue(issuer, (struct pki_leaf){.cn = "leaf"});
        MU_AUTO(ocsp) struct mu_ocsp *ocsp = NULL;
        const struct mu_cert *delegate = leaf->cert;
        const struct mu_ocsp_answer *answer = NULL;
        assert_ok(mu_ocsp_from_der(pki_ocsp(leaf, (struct pki_answer){0}), &ocsp, &err), &err);
        assert_ok(mu_ocsp_signed_by(ocsp, issuer->cert, PKI_NOW_S, &delegate, &err), &err);
        assert_ok(mu_ocsp_find(ocsp, leaf->cert, issuer->cert, &answer, &err), &err);
        assert_null(delegate);
    }
}

static void put_file(char *path, const char *dir, const char *name, struct mu_slice bytes)
{
    (void)snprintf(path, 128, "%s/%s", dir, name);
    assert_ok(mu_file_write(path, bytes, 0600, &err), &err);
}

/* `openssl ocsp` believes what we made, by issuer and by delegate, and reads what it says. */
static void openssl_believes_it(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    struct pki *leaf = pki_issue(root, (struct pki_leaf){.cn = "leaf"});
    const struct {
        struct pki_answer answer;
        const char *says;
    } rows[] = {
        {{.hash = MU_OCSP_SHA1}, "leaf.pem: good"},
        {{.hash = MU_OCSP_SHA256, .responder = pki_responder(root, "responder")}, "leaf.pem: good"},
        {{.status = MU_OCSP_REVOKED}, "Reason: keyCompromise"},
        {{.status = MU_OCSP_UNKNOWN}, "leaf.pem: unknown"},
    };
    char dir[] = "/tmp/mutual-ocsp-XXXXXX";
    char ca[128];
    char cert[128];
    char response[128];
    char command[1024];
    char said[4096];
    assert_non_null(mkdtemp(dir));
    put_file(ca, dir, "root.pem", mu_slice_text(pki_pem(root)));
    put_file(cert, dir, "leaf.pem", mu_slice_text(pki_pem(leaf)));
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        struct pki_answer answer = rows[i].answer; /* it takes -attime for the signer only */
        answer.this_s = mu_clock_wall_s() - 60;
        answer.next_s = answer.this_s + PKI_DAY_S;
        put_file(response, dir, "response", pki_ocsp(leaf, answer));
        (void)snprintf(command, sizeof command,
                       "openssl ocsp -respin %s -issuer %s %s -cert %s -CAfile %s -attime %lld "
                       "-no_nonce 2>&1",
                       response, ca, rows[i].answer.hash == MU_OCSP_SHA256 ? "-sha256" : "", cert,
                       ca, (long long)PKI_NOW_S);
        FILE *pipe = popen(command, "r");
        assert_non_null(pipe);
        said[fread(said, 1, sizeof said - 1, pipe)] = '\0';
        (void)pclose(pipe);
        if (strstr(said, "Response verify OK") == NULL || strstr(said, rows[i].says) == NULL) {
            fail_msg("openssl said: %s", said);
        }
    }
    assert_int_equal(unlink(ca) | unlink(cert) | unlink(response) | rmdir(dir), 0);
}

static void what_cannot_be_made(void **state)
{
    (void)state;
    static const uint8_t nonce[MU_LIMIT_OCSP_NONCE + 1];
    struct pki *root = pki_root("Root");
    struct pki *leaf = pki_issue(root, (struct pki_leaf){.cn = "leaf"});
    struct mu_ocsp_answer answer = {.id = {.serial = mu_cert_facts(leaf->cert)->serial},
                                    .this_update_s = PKI_NOW_S,
                                    .next_update_s = PKI_NOW_S + 1};
    struct mu_ocsp_template t = {
        .issuer = root->cert, .responder = root->cert, .answers = &answer, .count = 1};
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 8192);
    assert_ok(mu_ocsp_sign(&t, root->key, &out, &err), &err);
    assert_fails(mu_ocsp_sign(&t, leaf->key, &out, &err), &err, MUTUAL_E_KEY_MISMATCH);
    t.nonce = mu_slice_of(nonce, sizeof nonce);
    assert_fails(mu_ocsp_sign(&t, root->key, &out, &err), &err, MUTUAL_E_USAGE);
    t.nonce = HEX("");
    t.count = 0;
    assert_fails(mu_ocsp_sign(&t, root->key, &out, &err), &err, MUTUAL_E_USAGE);
    t.count = 1;
    answer.next_update_s = PKI_NOW_S;
    assert_fails(mu_ocsp_sign(&t, root->key, &out, &err), &err, MUTUAL_E_USAGE);
    answer.next_update_s = PKI_NOW_S + 1;
    answer.id.hash = MU_OCSP_HASH_OTHER;
    assert_fails(mu_ocsp_sign(&t, root->key, &out, &err), &err, MUTUAL_E_USAGE);
    assert_fails(
        mu_ocsp_request_build(leaf->cert, root->cert, MU_OCSP_HASH_OTHER, HEX(""), &out, &err),
        &err, MUTUAL_E_USAGE);
    assert_fails(mu_ocsp_build(HEX("\x30\x00"), MU_SCHEME_NONE, HEX("s"), NULL, &out, &err), &err,
                 MUTUAL_E_KEY_UNSUPPORTED);
    MU_AUTO(buf) struct mu_buf small;
    mu_buf_init(&small, 16);
    answer.id.hash = MU_OCSP_SHA1;
    assert_fails(mu_ocsp_build_tbs(&t, &small, &err), &err, MUTUAL_E_LIMIT);
}

UNIT_MAIN(cmocka_unit_test(by_every_key), cmocka_unit_test(openssl_believes_it),
          cmocka_unit_test(what_cannot_be_made))
