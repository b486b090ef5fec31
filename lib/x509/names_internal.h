/* SPDX-License-Identifier: Apache-2.0
 *
 * Names inside the room: attributes walked one by one, general names read and written.
 */
#ifndef MU_X509_NAMES_INTERNAL_H
#define MU_X509_NAMES_INTERNAL_H

#include "x509/der_internal.h"
#include "x509/x509.h"

/* OID contents of the attributes that matter here. */
#define OID_CN            MU_SLICE_LIT("\x55\x04\x03")
#define OID_EMAIL_ADDRESS MU_SLICE_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01")

/* One AttributeTypeAndValue. */
struct name_attr {
    struct mu_slice oid;
    struct der_item value;
    bool joined; /* in the same RDN as the one before */
};
/* Walks the attributes of a Name: begin with the SEQUENCE's contents in *rdns and *set empty;
 * *ret_end at the end. False: malformed. */
bool mu_name_walk(struct mu_slice *rdns, struct mu_slice *set, struct name_attr *ret_attr,
                  bool *ret_end);
/* Appends the string value as UTF-8; *ret_string is false for a value that is no string type
 * (nothing is appended). False: bytes that are not of their type. */
bool mu_name_utf8(const struct der_item *value, struct mu_buf *out, bool *ret_string);

/* The OID contents of an attribute that has a word of its own, such as "CN", in any case. */
bool mu_attr_find(struct mu_slice word, struct mu_slice *ret_oid);

/* Free of NUL, control bytes and all beyond ASCII. */
bool mu_ascii_clean(struct mu_slice text);
/* Free of NUL, C0 controls and DEL. */
bool mu_text_clean(struct mu_slice text);
/* Valid UTF-8 (RFC 3629). */
bool mu_utf8_valid(struct mu_slice text);

/* Reads one GeneralName off `in`. In constraints an address is 8 or 32 bytes. False: CERT_MALFORMED
 * or NAME_MALFORMED is set, naming what with `where`. */
bool mu_gname_read(struct mu_slice *in, bool constraint, const char *where,
                   struct mu_gname *ret_name, struct mutual_error *err);
/* Appends the GeneralName. NAME_MALFORMED, and USAGE for OTHER, which cannot be written. */
bool mu_gname_write(struct mu_buf *out, const struct mu_gname *name, bool constraint,
                    struct mutual_error *err);
/* Appends GeneralNames: SEQUENCE of them. */
bool mu_gnames_write(struct mu_buf *out, const struct mu_gname *names, size_t count,
                     struct mutual_error *err);

#endif
