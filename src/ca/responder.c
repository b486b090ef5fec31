/* SPDX-License-Identifier: Apache-2.0
 *
 * The OCSP responder of an issuer: a key of its own with a certificate that the issuer made for it
 * (RFC 6960 section 4.2.2.2), so that the issuer's key is asked for certificates and lists only.
 * Its certificate lives a month and is renewed at half of it with the same key; nobody asks whether
 * it is revoked (id-pkix-ocsp-nocheck), which is why it lives no longer.
 */
#include "ca/ca_internal.h"

#include <string.h>

static const struct mu_raw_extension nocheck = {
    "1.3.6.1.5.5.7.48.1.5", false, {(const uint8_t *)"\x05\x00", 2}};

static bool sign(const struct ca_responder_making *making, struct mu_slice spki,
                 const uint8_t serial[MU_SERIAL_BYTES], struct mu_cert **ret_cert,
                 struct mutual_error *err)
{
    const struct mu_cert_facts *issuer = mu_cert_facts(making->issuer);
    MU_AUTO(free) char *name = ca_text("%.40s OCSP responder", making->word);
    if (name == NULL) {
        return mu_fail_memory(err);
    }
    const struct mu_rdn subject[] = {{MU_ATTR_O, making->organisation}, {MU_ATTR_CN, name}};
    int64_t begin_s = making->now_s - CA_BACKDATE_S;
    int64_t end_s = making->now_s + CA_RESPONDER_LIFE_S;
    const struct mu_cert_template template = {
        .serial = mu_slice_of(serial, MU_SERIAL_BYTES),
        .subject = subject,
        .subject_count = MU_COUNT(subject),
        .issuer = making->issuer,
        .not_before_s = begin_s < issuer->not_before_s ? issuer->not_before_s : begin_s,
        .not_after_s = end_s > issuer->not_after_s ? issuer->not_after_s : end_s,
        .spki = spki,
        .key_usage = MU_KU_DIGITAL_SIGNATURE,
        .eku = MU_EKU_OCSP,
        .extra = &nocheck,
        .extra_count = 1,
    };
    return mu_cert_sign(&template, making->issuer_key, ret_cert, err);
}

/* The serial before the signature, as for every certificate. */
static bool enter(const struct ca_responder_making *making, const struct mu_key *key,
                  struct mu_cert **ret_cert, struct mutual_error *err)
{
    uint8_t serial[MU_SERIAL_BYTES];
    int64_t id = 0;
    bool taken = false;
    if (!mu_serial_new(serial, err)) {
        return false;
    }
    const struct inventory_record record = {
        .issuer_id = making->issuer_id,
        .form = INVENTORY_FORM_NONE,
        .serial = mu_slice_of(serial, sizeof serial),
        .profile = "authority-ocsp",
        .name = "OCSP responder",
        .owner = making->owner,
        .place = making->place,
        .purpose = "answers for the issuer whether certificates are revoked",
        .path = making->dir,
        .aside = "",
        .machine = ca_machine(),
        .key_text = mu_key_info(key)->text,
        .key_hash = mu_slice_of(mu_key_hash(key), 32),
        .requested_s = making->now_s,
        .not_before_s = making->now_s,
        .not_after_s = making->now_s + CA_RESPONDER_LIFE_S,
    };
    if (!inventory_reserve(making->inventory, &record, &taken, &id, err)) {
        return false;
    }
    if (taken) {
        return mu_fail(err, MUTUAL_E_NO_RANDOM, "drew a serial number that is in use");
    }
    if (!sign(making, mu_key_spki(key), serial, ret_cert, err)) {
        (void)inventory_abandoned(making->inventory, id, NULL);
        return false;
    }
    struct store *store = inventory_store(making->inventory);
    if (!inventory_signed(making->inventory, id, *ret_cert, err) || !store_begin(store, err)) {
        return false;
    }
    if (!inventory_delivered(making->inventory, id, err) ||
        !inventory_event(making->inventory, making->now_s, "authority", "responder", id,
                         making->word, err)) {
        store_rollback(store);
        return false;
    }
    return store_commit(store, err);
}

bool ca_responder_make(const struct ca_responder_making *making, const struct mu_key *old_key,
                       struct mu_cert **ret_cert, struct mutual_error *err)
{
    MU_AUTO(key) struct mu_key *made = NULL;
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    MU_AUTO(buf) struct mu_buf key_pem;
    MU_AUTO(buf) struct mu_buf cert_pem;
    mu_buf_init(&key_pem, MU_LIMIT_KEY_BYTES);
    mu_buf_init(&cert_pem, 1u << 20);
    if (old_key == NULL) {
        bool good = mu_key_generate(MU_SPEC_EC_P256, &made, err) &&
                    mu_key_to_pem(made, NULL, &key_pem, err) &&
                    ca_write_file(making->dir, "ocsp.key", &key_pem, 0600, err);
        mu_wipe(key_pem.data, key_pem.len);
        if (!good) {
            return false;
        }
    }
    if (!enter(making, old_key != NULL ? old_key : made, &cert, err)) {
        return false;
    }
    mu_cert_to_pem(cert, &cert_pem);
    if (!ca_write_file(making->dir, "ocsp.crt", &cert_pem, 0644, err)) {
        return false;
    }
    *ret_cert = MU_TAKE(cert);
    return true;
}

/* ---- of an open authority -------------------------------------------------------------------- */

bool ca_responder_is_due(const struct ca_issuer *issuer, int64_t now_s)
{
    if (issuer->responder == NULL) {
        return true;
    }
    const struct mu_cert_facts *facts = mu_cert_facts(issuer->responder);
    return now_s < facts->not_before_s ||
           now_s >= facts->not_before_s + (facts->not_after_s - facts->not_before_s) / 2;
}

bool ca_responder_load(struct ca_issuer *issuer, struct mutual_error *err)
{
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    MU_AUTO(free) char *path = ca_text("%s/ocsp.crt", issuer->dir);
    struct mutual_error why = {0};
    if (path == NULL) {
        return mu_fail_memory(err);
    }
    if (!ca_read_certificate(path, &cert, &why)) {
        return true; /* it is made when the issuer's key is there */
    }
    if ((mu_cert_facts(cert)->eku & MU_EKU_OCSP) != 0 &&
        mu_cert_signed_by(cert, issuer->cert, NULL)) {
        mu_cert_unref(issuer->responder);
        issuer->responder = MU_TAKE(cert);
    }
    return true;
}

bool ca_responder_renew(struct ca *ca, struct ca_issuer *issuer, const struct mu_key *issuer_key,
                        int64_t now_s, struct mutual_error *err)
{
    MU_AUTO(key) struct mu_key *old = NULL;
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    /* Another process may have been faster. */
    if (!ca_responder_load(issuer, err)) {
        return false;
    }
    if (!ca_responder_is_due(issuer, now_s)) {
        return true;
    }
    if (issuer->responder != NULL &&
        !mu_key_from_spki(mu_cert_facts(issuer->responder)->spki, &old, err)) {
        return false;
    }
    const struct ca_responder_making making = {
        .inventory = ca->inventory,
        .issuer_id = issuer->id,
        .issuer = issuer->cert,
        .issuer_key = issuer_key,
        .organisation = ca->issuers[0].domain,
        .word = issuer->word,
        .dir = issuer->dir,
        .owner = "the authority",
        .place = ca_machine(),
        .now_s = now_s,
    };
    MU_AUTO(free) char *key = ca_text("%s/ocsp.key", issuer->dir);
    MU_AUTO(free) char *path = ca_text("%s/ocsp.crt", issuer->dir);
    if (key == NULL || path == NULL) {
        return mu_fail_memory(err);
    }
    mu_file_clear_strays(key); /* of a process that was killed just here */
    mu_file_clear_strays(path);
    if (!ca_responder_make(&making, old, &cert, err)) {
        return mu_error_context(err, "the OCSP responder of issuer \"%s\"", issuer->word);
    }
    mu_cert_unref(issuer->responder);
    issuer->responder = MU_TAKE(cert);
    return true;
}

/* ---- answering ------------------------------------------------------------------------------- */

bool ca_status(struct ca *ca, struct mu_slice serial, struct inventory_status *ret_status,
               struct mutual_error *err)
{
    return inventory_status(ca->inventory, ca->at->id, serial, ret_status, err);
}

static bool sign_answer(struct ca *ca, struct ca_signer *signer,
                        const struct mu_ocsp_template *template, struct mu_buf *out,
                        struct mutual_error *err)
{
    const struct mu_key *key = NULL;
    ca->answering = template->responder != template->issuer;
    bool good = signer->start(signer, ca, &key, err);
    if (good) {
        good = mu_ocsp_sign(template, key, out, err);
        signer->stop(signer);
    }
    ca->answering = false;
    return good;
}

bool ca_ocsp_sign(struct ca *ca, struct ca_signer *signer, const struct mu_ocsp_answer *answers,
                  size_t count, struct mu_slice nonce, int64_t now_s, struct mu_buf *out,
                  struct mutual_error *err)
{
    struct mu_ocsp_template template = {.issuer = ca->at->cert,
                                        .responder = ca->at->responder,
                                        .produced_at_s = now_s,
                                        .answers = answers,
                                        .count = count,
                                        .nonce = nonce};
    if (template.responder != NULL && now_s < mu_cert_facts(template.responder)->not_after_s &&
        sign_answer(ca, signer, &template, out, NULL)) {
        return true;
    }
    mu_buf_clear(out);
    template.responder = ca->at->cert;
    return sign_answer(ca, signer, &template, out, err);
}
