/* SPDX-License-Identifier: Apache-2.0
 *
 * DER (X.690 section 10) read in place and written into a buffer. The reader is strict: definite,
 * shortest lengths and tags below 31; it copies nothing and allocates nothing.
 */
#ifndef MU_X509_DER_INTERNAL_H
#define MU_X509_DER_INTERNAL_H

#include "base/base.h"

enum der_tag {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_NULL = 0x05,
    DER_OID = 0x06,
    DER_ENUMERATED = 0x0a,
    DER_UTF8 = 0x0c,
    DER_PRINTABLE = 0x13,
    DER_T61 = 0x14,
    DER_IA5 = 0x16,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_VISIBLE = 0x1a,
    DER_UNIVERSAL = 0x1c,
    DER_BMP = 0x1e,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
};
/* Context-specific tags: primitive and constructed. */
#define DER_CONTEXT(n_)     ((uint8_t)(0x80u | (n_)))
#define DER_CONSTRUCTED(n_) ((uint8_t)(0xa0u | (n_)))

struct der_item {
    uint8_t tag;
    struct mu_slice body;  /* contents */
    struct mu_slice whole; /* header and contents */
};

/* Each takes the next item off `in` (a slice moving towards its end) and is false, with `in` at no
 * useful place, when it is not there or not DER. */
bool mu_der_next(struct mu_slice *in, struct der_item *ret_item);
bool mu_der_take(struct mu_slice *in, uint8_t tag, struct der_item *ret_item);
bool mu_der_body(struct mu_slice *in, uint8_t tag, struct mu_slice *ret_body);
/* True with body.data NULL when the next item has another tag or there is none. */
bool mu_der_optional(struct mu_slice *in, uint8_t tag, struct mu_slice *ret_body);
/* The whole slice is one item of that tag. */
bool mu_der_only(struct mu_slice in, uint8_t tag, struct mu_slice *ret_body);
/* BOOLEAN contents: one octet; *ret_strict is false when it is neither 00 nor FF. */
bool mu_der_bool(struct mu_slice body, bool *ret_value, bool *ret_strict);
/* INTEGER contents that are not negative: the magnitude without leading zero (zero: no octets). */
bool mu_der_unsigned(struct mu_slice body, struct mu_slice *ret_magnitude);
/* The same as a number; larger ones come out as `max`. */
bool mu_der_small(struct mu_slice body, uint32_t max, uint32_t *ret_value);
/* INTEGER contents in their shortest form, of either sign. */
bool mu_der_integer_ok(struct mu_slice body);
/* BIT STRING contents of whole octets. */
bool mu_der_octets(struct mu_slice body, struct mu_slice *ret_octets);
/* UTCTime or GeneralizedTime as RFC 5280 section 4.1.2.5 wants them: seconds and Z, no fraction;
 * *ret_early_generalized: a GeneralizedTime before 2050. */
bool mu_der_time(const struct der_item *item, int64_t *ret_s, bool *ret_early_generalized);
/* OID contents as dotted text. False: not a well-formed OID. */
bool mu_der_oid_text(struct mu_slice body, struct mu_buf *out);

/* Writing. Every function may fail for lack of room; check out->failed at the end. */
size_t mu_der_begin(struct mu_buf *out, uint8_t tag);
void mu_der_end(struct mu_buf *out, size_t mark); /* closes what begin returned */
void mu_der_put(struct mu_buf *out, uint8_t tag, struct mu_slice body);
void mu_der_put_oid(struct mu_buf *out, struct mu_slice oid);
void mu_der_put_bool(struct mu_buf *out, bool value);
/* A non-negative INTEGER from its magnitude (leading zeros are dropped), under any tag. */
void mu_der_put_magnitude(struct mu_buf *out, uint8_t tag, struct mu_slice magnitude);
void mu_der_put_uint(struct mu_buf *out, uint8_t tag, uint64_t value);
void mu_der_put_bits(struct mu_buf *out, struct mu_slice octets);
/* Named bits, bit 0 first, trailing zeros dropped (X.690 section 11.2.2), under any tag. */
void mu_der_put_named_bits(struct mu_buf *out, uint8_t tag, unsigned bits);
/* UTCTime through 2049, else GeneralizedTime (RFC 5280 section 4.1.2.5); never: the year 9999. */
void mu_der_put_time(struct mu_buf *out, int64_t time_s);
/* GeneralizedTime whatever the year, as OCSP has it. */
void mu_der_put_generalized(struct mu_buf *out, int64_t time_s);

#endif
