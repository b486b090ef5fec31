/* SPDX-License-Identifier: Apache-2.0
 *
 * A certificate from inside, and the reader that fills its facts.
 */
#ifndef MU_X509_CERT_INTERNAL_H
#define MU_X509_CERT_INTERNAL_H

#include "x509/algorithms_internal.h"
#include "x509/names_internal.h"

#include <stdatomic.h>

struct mu_cert {
    atomic_uint refs;
    struct mu_arena *arena; /* holds everything the facts point to, and this */
    struct mu_cert_facts facts;
    /* Made when first asked for; whoever comes second throws his own away. */
    _Atomic(struct x509_st *) x509;
    _Atomic(struct evp_pkey_st *) key;
};

/* OpenSSL's key of the certificate; borrowed. NULL: the error is set. */
struct evp_pkey_st *mu_cert_key(const struct mu_cert *cert, struct mutual_error *err);

/* Where a reader puts what it finds: errors are CERT_MALFORMED or NAME_MALFORMED. */
struct cert_reader {
    struct mu_cert_facts *facts;
    struct mu_arena *arena;
    struct mutual_error *err;
};
/* Reads the Extensions, given the contents of [3]: one SEQUENCE. */
bool mu_extensions_read(struct cert_reader *reader, struct mu_slice explicit_body);
/* Flags that depend on several fields, once all are read. */
void mu_extensions_judge(struct mu_cert_facts *facts, bool has_extensions);

/* One Extension off `in` (RFC 5280 section 4.2). *ret_strict is false where DEFAULT or BOOLEAN are
 * not as DER wants them. */
struct raw_extension {
    struct mu_slice oid;
    bool critical;
    struct mu_slice value; /* the OCTET STRING's contents */
};
bool mu_extension_next(struct mu_slice *in, struct raw_extension *ret_extension, bool *ret_strict);
/* GeneralNames into the arena; at most MU_LIMIT_CERT_NAMES. */
bool mu_gnames_read(struct mu_arena *arena, struct mu_slice value, const char *where,
                    const struct mu_gname **ret_names, size_t *ret_count, struct mutual_error *err);
bool mu_basic_constraints_read(struct mu_slice value, bool *ret_ca, int *ret_path_length,
                               bool *ret_strict);

/* A NULL-terminated list of texts in an arena. */
struct text_list {
    const char **items;
    size_t count, cap;
};
bool mu_text_list_add(struct mu_arena *arena, struct text_list *list, struct mu_slice text);
/* The dotted form of the OID, or "?" where it has none. */
bool mu_text_list_add_oid(struct mu_arena *arena, struct text_list *list, struct mu_slice oid);
/* URIs of a DistributionPointName's contents ([0] fullName); others are passed over, those with
 * forbidden bytes too, with *ret_clean false. */
bool mu_point_uris(struct mu_arena *arena, struct mu_slice point_name, struct text_list *list,
                   bool *ret_clean);

/* The names of a DistributionPointName's contents in comparable form, at most MU_LIMIT_CRL_POINTS;
 * `issuer` is the Name that a relative one belongs to. False: not well-formed, or no memory. */
bool mu_point_names(struct mu_arena *arena, struct mu_slice point_name, struct mu_slice issuer,
                    const struct mu_slice **ret_names, size_t *ret_count);
/* The first directory name among GeneralNames' contents, in DER; empty: none. */
struct mu_slice mu_directory_name_first(struct mu_slice names);
/* The same of GeneralNames' contents. */
bool mu_full_names(struct mu_arena *arena, struct mu_slice full, const struct mu_slice **ret_names,
                   size_t *ret_count);
/* The contents of ReasonFlags as bits. */
bool mu_reason_flags(struct mu_slice body, unsigned *ret_reasons);
/* The directory names of GeneralNames' contents, as mu_name_canon. */
bool mu_directory_names(struct mu_arena *arena, struct mu_slice names,
                        const struct mu_slice **ret_names, size_t *ret_count);

/* The subject's attributes that decisions and people want; used by requests too. */
struct subject_facts {
    const struct mu_slice *common_names, *emails;
    size_t common_name_count, email_count;
};
bool mu_subject_read(struct mu_arena *arena, struct mu_slice name, struct subject_facts *ret_facts,
                     struct mutual_error *err);
/* Texts in the arena: the whole name, and the shortest that names its holder. */
const char *mu_arena_name_text(struct mu_arena *arena, struct mu_slice name);
const char *mu_arena_display(struct mu_arena *arena, const struct mu_slice *common_names,
                             size_t common_name_count, const struct mu_gname *names,
                             size_t name_count, const char *subject_text);

/* OID contents under id-ce (2.5.29) that the CSR and CRL readers look for too. */
#define OID_SAN MU_SLICE_LIT("\x55\x1d\x11")
#define OID_BC  MU_SLICE_LIT("\x55\x1d\x13")
#define OID_AKI MU_SLICE_LIT("\x55\x1d\x23")
/* keyid of an AuthorityKeyIdentifier (data NULL: none), and which of the others are there. */
bool mu_aki_read(struct mu_slice value, struct mu_slice *ret_keyid, bool *ret_issuer,
                 bool *ret_serial);

#endif
