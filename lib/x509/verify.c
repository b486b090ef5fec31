/* SPDX-License-Identifier: Apache-2.0
 *
 * Signatures checked. Everything that is signed here is checked over the very bytes it was read
 * from, never over a re-encoding.
 */
#include "x509/cert_internal.h"
#include "x509/ossl_internal.h"

/* A key fits an algorithm of its own kind; a plain RSA key makes PSS signatures too, a key that is
 * for PSS (RFC 4055 section 1.2) no others. */
static bool fits(enum mu_key_kind key, enum mu_key_kind sig)
{
    return key == sig || (sig == MU_KEY_RSA_PSS && key == MU_KEY_RSA);
}

static bool verify(const struct mu_signed *object, EVP_PKEY *key, struct mutual_error *err)
{
    MU_AUTO(md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key_ctx = NULL;
    if (ctx == NULL || EVP_DigestVerifyInit_ex(ctx, &key_ctx, mu_digest_name(object->sig.digest),
                                               NULL, NULL, key, NULL) != 1) {
        return mu_fail_ossl(err, MUTUAL_E_LIBRARY, "could not begin to check a signature");
    }
    if (!mu_sig_set_up(key_ctx, &object->sig)) {
        return mu_fail_ossl(err, object->wrong,
                            "the signature of %s \"%s\" has parameters its issuer's key forbids",
                            object->what, object->name);
    }
    if (EVP_DigestVerify(ctx, object->signature.data, object->signature.len, object->tbs.data,
                         object->tbs.len) != 1) {
        return mu_fail_ossl(err, object->wrong,
                            "the signature of %s \"%s\" was not made by this key", object->what,
                            object->name);
    }
    return true;
}

bool mu_signed_check(const struct mu_signed *object, struct evp_pkey_st *key,
                     const struct mu_key_info *key_info, struct mutual_error *err)
{
    mu_ossl_clear();
    if (object->sig.digest == MU_DIGEST_WEAK) {
        return mu_fail(err, MUTUAL_E_WEAK_SIGNATURE, "%s \"%s\" is signed by %s", object->what,
                       object->name, object->sig.text);
    }
    if (object->sig.kind == MU_KEY_OTHER || object->sig.digest == MU_DIGEST_OTHER) {
        return mu_fail(err, MUTUAL_E_KEY_UNSUPPORTED, "%s \"%s\" is signed by %s", object->what,
                       object->name, object->sig.text);
    }
    if (!fits(key_info->kind, object->sig.kind)) {
        return mu_fail(err, object->wrong, "%s \"%s\" is signed by %s, but the key is %s",
                       object->what, object->name, object->sig.text, key_info->text);
    }
    return verify(object, key, err);
}

bool mu_signed_check_by(const struct mu_signed *object, const struct mu_cert *issuer,
                        struct mutual_error *err)
{
    const struct mu_cert_facts *facts = mu_cert_facts(issuer);
    if (facts->key.kind == MU_KEY_OTHER || facts->key.curve == MU_CURVE_OTHER) {
        return mu_fail(err, MUTUAL_E_KEY_UNSUPPORTED, "the key of issuer \"%s\" is %s",
                       facts->display, facts->key.text);
    }
    if (facts->key.weak != NULL) {
        return mu_fail(err, MUTUAL_E_WEAK_KEY, "the key of issuer \"%s\" is too weak: %s",
                       facts->display, facts->key.weak);
    }
    if (object->sig.digest == MU_DIGEST_WEAK) {
        return mu_signed_check(object, NULL, &facts->key, err);
    }
    EVP_PKEY *key = mu_cert_key(issuer, err);
    if (key == NULL) {
        return mu_error_context(err, "issuer \"%s\"", facts->display);
    }
    return mu_signed_check(object, key, &facts->key, err);
}

bool mu_cert_signed_by(const struct mu_cert *cert, const struct mu_cert *issuer,
                       struct mutual_error *err)
{
    const struct mu_cert_facts *facts = mu_cert_facts(cert);
    struct mu_signed object = {
        .tbs = facts->tbs,
        .signature = facts->signature,
        .sig = facts->sig,
        .wrong = MUTUAL_E_CERT_SIGNATURE,
        .what = "certificate",
        .name = facts->display,
    };
    return mu_signed_check_by(&object, issuer, err);
}
