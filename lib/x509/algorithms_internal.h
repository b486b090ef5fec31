/* SPDX-License-Identifier: Apache-2.0
 *
 * Algorithm identifiers inside the room, and the verification that certificates, requests and
 * revocation lists share.
 */
#ifndef MU_X509_ALGORITHMS_INTERNAL_H
#define MU_X509_ALGORITHMS_INTERNAL_H

#include "x509/der_internal.h"
#include "x509/x509.h"

/* Reads the contents of an AlgorithmIdentifier of a signature. *ret_params_ok is false when the
 * parameters are not those of RFC 4055, 5758 or 8410. False: not DER. */
bool mu_sig_read(struct mu_slice algorithm, struct mu_sig_info *ret_info, bool *ret_params_ok);
/* Appends the AlgorithmIdentifier that the scheme has in X.509. */
bool mu_sig_write(struct mu_buf *out, enum mu_scheme scheme);
struct mu_sig_info mu_scheme_info(enum mu_scheme scheme);

/* Reads SEQUENCE { AlgorithmIdentifier, BIT STRING } that fills `spki` (RFC 5280 section 4.1). */
struct spki_parts {
    struct der_item algorithm;
    struct mu_slice key; /* the octets */
};
bool mu_spki_split(struct mu_slice spki, struct spki_parts *ret_parts);

/* OpenSSL's key of a SubjectPublicKeyInfo, or NULL with the error set. */
struct evp_pkey_st *mu_spki_load(struct mu_slice spki, const struct mu_key_info *info,
                                 struct mutual_error *err);

/* One signature check, with `wrong` as the code of a signature that does not fit and `what` naming
 * the object. WEAK_SIGNATURE, KEY_UNSUPPORTED, `wrong`. */
struct mu_signed {
    struct mu_slice tbs, signature;
    struct mu_sig_info sig;
    enum mutual_code wrong;
    const char *what; /* "certificate", "revocation list" */
    const char *name; /* whose, escaped */
};
bool mu_signed_check(const struct mu_signed *object, struct evp_pkey_st *key,
                     const struct mu_key_info *key_info, struct mutual_error *err);
/* The same by an issuer's certificate, whose key is loaded once; WEAK_KEY too. */
bool mu_signed_check_by(const struct mu_signed *object, const struct mu_cert *issuer,
                        struct mutual_error *err);

/* Reads SEQUENCE { tbs SEQUENCE, AlgorithmIdentifier, BIT STRING } that fills `der`. */
struct signed_parts {
    struct der_item tbs;
    struct mu_slice algorithm; /* contents */
    struct mu_slice signature;
};
bool mu_signed_split(struct mu_slice der, struct signed_parts *ret_parts);

#endif
