/* SPDX-License-Identifier: Apache-2.0
 *
 * Revocation lists made, with OpenSSL as the other reader.
 */
#include "pki.h"
#include "unit.h"

#include <openssl/x509.h>
#include <openssl/x509v3.h>

static const char *const uris[] = {"http://ca.example/crl/3", NULL};

static void openssl_reads_the_list(void **state)
{
    (void)state;
    struct mutual_error err;
    struct pki *root = pki_root("Root");
    const struct mu_revoked entries[] = {
        {.serial = MU_SLICE_LIT("\x7f\x01"),
         .time_s = PKI_NOW_S,
         .reason = MU_REASON_KEY_COMPROMISE},
        {.serial = MU_SLICE_LIT("\x05"), .time_s = PKI_NOW_S - 1},
        {.serial = MU_SLICE_LIT("\xff\x00\x01"), .time_s = PKI_NOW_S, .reason = MU_REASON_HOLD},
    };
    const struct mu_crl_idp idp = {.uris = uris, .only_user = true};
    struct mu_crl_template t = {.issuer = root->cert,
                                .this_update_s = PKI_NOW_S,
                                .next_update_s = PKI_NOW_S + PKI_DAY_S,
                                .number = 300,
                                .entries = entries,
                                .count = 3,
                                .idp = &idp};
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, 10000);
    assert_ok(mu_crl_sign(&t, root->key, &der, &err), &err);
    const unsigned char *p = der.data;
    X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)der.len);
    assert_non_null(crl);
    assert_int_equal(X509_CRL_verify(crl, mu_key_evp(root->key)), 1);
    X509_REVOKED *entry = NULL;
    ASN1_INTEGER *serial = ASN1_INTEGER_new();
    assert_int_equal(ASN1_INTEGER_set(serial, 0x7f01), 1);
    assert_int_equal(X509_CRL_get0_by_serial(crl, &entry, serial), 1);
    assert_int_equal(ASN1_INTEGER_set(serial, 0xff0001), 1);
    assert_int_equal(X509_CRL_get0_by_serial(crl, &entry, serial), 1);
    assert_int_equal(ASN1_INTEGER_set(serial, 6), 1);
    assert_int_equal(X509_CRL_get0_by_serial(crl, &entry, serial), 0);
    ASN1_INTEGER_free(serial);
    int critical = 0;
    ISSUING_DIST_POINT *point =
        X509_CRL_get_ext_d2i(crl, NID_issuing_distribution_point, &critical, NULL);
    assert_non_null(point);
    assert_int_equal(critical, 1);
    assert_true(point->onlyuser > 0);
    ISSUING_DIST_POINT_free(point);
    X509_CRL_free(crl);
}

static void contradictions_are_refused(void **state)
{
    (void)state;
    struct mutual_error err;
    struct pki *root = pki_root("Root");
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, 10000);
    struct mu_crl_template t = {.issuer = root->cert, .this_update_s = 5, .next_update_s = 5};
    assert_fails(mu_crl_sign(&t, root->key, &der, &err), &err, MUTUAL_E_USAGE);
    t.next_update_s = 6;
    assert_fails(mu_crl_sign(&t, pki_root("Other")->key, &der, &err), &err, MUTUAL_E_KEY_MISMATCH);
    assert_fails(mu_crl_build_tbs(&t, MU_SCHEME_NONE, &der, &err), &err, MUTUAL_E_KEY_UNSUPPORTED);
    MU_AUTO(buf) struct mu_buf tiny;
    mu_buf_init(&tiny, 10);
    assert_fails(mu_crl_build_tbs(&t, MU_SCHEME_ED25519, &tiny, &err), &err, MUTUAL_E_LIMIT);
}

/* ---- made of a list before ---------------------------------------------------------------------
 */

enum { MANY = 200 };
struct crowd {
    struct mu_revoked all[MANY];
    uint8_t serials[MANY][3];
};

static uint32_t dice(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Serials of one to three bytes, each once. */
static void fill(struct crowd *crowd, uint32_t *state)
{
    for (size_t i = 0; i < MANY; i++) {
        uint32_t value = (uint32_t)i * 67 + 1 + (dice(state) % 3 == 0 ? 0x10000 : 0);
        size_t len = value > 0xffff ? 3 : value > 0xff ? 2 : 1;
        for (size_t k = 0; k < len; k++) {
            crowd->serials[i][k] = (uint8_t)(value >> 8 * (len - 1 - k));
        }
        crowd->all[i] = (struct mu_revoked){.serial = mu_slice_of(crowd->serials[i], len),
                                            .time_s = PKI_NOW_S + (int64_t)i,
                                            .reason = (enum mu_reason)(dice(state) % 6)};
    }
}

static void build_tbs(const struct mu_crl_template *t, struct mu_buf *out)
{
    struct mutual_error err;
    mu_buf_init(out, 1u << 20);
    assert_ok(mu_crl_build_tbs(t, MU_SCHEME_ECDSA_P256_SHA256, out, &err), &err);
}

/* Some were there, some go, some come: the list made of the one before is the list made of all. */
static void what_is_kept_comes_out_as_if_all_was_written_anew(void **state)
{
    (void)state;
    struct mutual_error err;
    struct pki *root = pki_root("Merging");
    uint32_t seed = 7;
    for (int round = 0; round < 60; round++) {
        static struct crowd crowd;
        static struct mu_revoked before[MANY];
        static struct mu_revoked gone[MANY];
        static struct mu_revoked added[MANY];
        static struct mu_revoked after[MANY];
        size_t counts[4] = {0};
        fill(&crowd, &seed);
        uint32_t share = dice(&seed) % 5; /* of those that go */
        for (size_t i = 0; i < MANY; i++) {
            bool was = dice(&seed) % 4 != 0;
            bool goes = dice(&seed) % 5 < share;
            bool comes = !was && dice(&seed) % 2 == 0;
            before[counts[0]] = gone[counts[1]] = added[counts[2]] = after[counts[3]] =
                crowd.all[i];
            counts[0] += was;
            counts[1] += goes && !comes; /* also some who were not there */
            counts[2] += comes;
            counts[3] += comes || (was && !goes);
        }
        struct mu_crl_template t = {.issuer = root->cert,
                                    .this_update_s = PKI_NOW_S,
                                    .next_update_s = PKI_NOW_S + PKI_DAY_S,
                                    .number = 9,
                                    .entries = before,
                                    .count = counts[0]};
        MU_AUTO(buf) struct mu_buf old;
        MU_AUTO(buf) struct mu_buf whole;
        MU_AUTO(buf) struct mu_buf merged;
        MU_AUTO(crl_outline) struct mu_crl_outline outline = {.arena = NULL};
        mu_buf_init(&old, 1u << 20);
        assert_ok(mu_crl_sign(&t, root->key, &old, &err), &err);
        assert_ok(mu_crl_outline_of(mu_buf_slice(&old), &outline, &err), &err);
        assert_true(outline.ordered && outline.facts.count == counts[0]);
        t.entries = after;
        t.count = counts[3];
        build_tbs(&t, &whole);
        t.entries = added;
        t.count = counts[2];
        t.follows = true;
        t.kept = outline.entries;
        t.gone = gone;
        t.gone_count = counts[1];
        t.total = counts[3];
        build_tbs(&t, &merged);
        assert_true(mu_slice_equal(mu_buf_slice(&whole), mu_buf_slice(&merged)));
        t.total++;
        MU_AUTO(buf) struct mu_buf wrong;
        mu_buf_init(&wrong, 1u << 20);
        assert_fails(mu_crl_build_tbs(&t, MU_SCHEME_ECDSA_P256_SHA256, &wrong, &err), &err,
                     MUTUAL_E_CRL_MALFORMED);
    }
}

/* What was revoked again with another word counts as it is now. */
static void a_new_entry_takes_the_place_of_an_old_one(void **state)
{
    (void)state;
    struct mutual_error err;
    struct pki *root = pki_root("Replacing");
    const struct mu_revoked old[] = {
        {.serial = MU_SLICE_LIT("\x05"), .time_s = PKI_NOW_S},
        {.serial = MU_SLICE_LIT("\x06"), .time_s = PKI_NOW_S, .reason = MU_REASON_HOLD},
        {.serial = MU_SLICE_LIT("\x07"), .time_s = PKI_NOW_S}};
    const struct mu_revoked now[] = {
        old[0],
        {.serial = MU_SLICE_LIT("\x06"), .time_s = PKI_NOW_S, .reason = MU_REASON_CESSATION},
        old[2]};
    struct mu_crl_template t = {.issuer = root->cert,
                                .this_update_s = PKI_NOW_S,
                                .next_update_s = PKI_NOW_S + PKI_DAY_S,
                                .entries = old,
                                .count = 3};
    MU_AUTO(buf) struct mu_buf der;
    MU_AUTO(buf) struct mu_buf whole;
    MU_AUTO(buf) struct mu_buf merged;
    MU_AUTO(crl_outline) struct mu_crl_outline outline = {.arena = NULL};
    mu_buf_init(&der, 10000);
    assert_ok(mu_crl_sign(&t, root->key, &der, &err), &err);
    assert_ok(mu_crl_outline_of(mu_buf_slice(&der), &outline, &err), &err);
    t.entries = now;
    build_tbs(&t, &whole);
    t.entries = now + 1;
    t.count = 1;
    t.follows = true;
    t.kept = outline.entries;
    t.total = 3;
    build_tbs(&t, &merged);
    assert_true(mu_slice_equal(mu_buf_slice(&whole), mu_buf_slice(&merged)));
    t.kept = MU_SLICE_LIT("no entries");
    MU_AUTO(buf) struct mu_buf wrong;
    mu_buf_init(&wrong, 10000);
    assert_fails(mu_crl_build_tbs(&t, MU_SCHEME_ECDSA_P256_SHA256, &wrong, &err), &err,
                 MUTUAL_E_CRL_MALFORMED);
}

/* The sum decides there too: what lacks an entry is no complete list. */
static void what_follows_an_empty_list_must_come_out(void **state)
{
    (void)state;
    struct mutual_error err;
    struct pki *root = pki_root("Following");
    const struct mu_revoked entry = {.serial = MU_SLICE_LIT("\x05"), .time_s = PKI_NOW_S};
    for (size_t count = 0; count < 2; count++) {
        struct mu_crl_template t = {.issuer = root->cert,
                                    .this_update_s = PKI_NOW_S,
                                    .next_update_s = PKI_NOW_S + PKI_DAY_S,
                                    .entries = &entry,
                                    .count = count,
                                    .follows = true,
                                    .total = count + 1};
        MU_AUTO(buf) struct mu_buf wrong;
        MU_AUTO(buf) struct mu_buf followed;
        MU_AUTO(buf) struct mu_buf whole;
        mu_buf_init(&wrong, 10000);
        assert_fails(mu_crl_build_tbs(&t, MU_SCHEME_ECDSA_P256_SHA256, &wrong, &err), &err,
                     MUTUAL_E_CRL_MALFORMED);
        t.total = count;
        build_tbs(&t, &followed);
        t.follows = false;
        build_tbs(&t, &whole);
        assert_true(mu_slice_equal(mu_buf_slice(&followed), mu_buf_slice(&whole)));
    }
}

UNIT_MAIN(UNIT_CASE(openssl_reads_the_list), UNIT_CASE(contradictions_are_refused),
          UNIT_CASE(what_is_kept_comes_out_as_if_all_was_written_anew),
          UNIT_CASE(a_new_entry_takes_the_place_of_an_old_one),
          UNIT_CASE(what_follows_an_empty_list_must_come_out))
