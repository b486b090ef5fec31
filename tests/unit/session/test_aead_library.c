/* SPDX-License-Identifier: Apache-2.0
 *
 * AES-GCM by the library, against a published record: RFC 8448 section 3, the client's first.
 */
#include "session/aead_internal.h"

#include <string.h>

#include "unit.h"

static const uint8_t key[] = {0x17, 0x42, 0x2d, 0xda, 0x59, 0x6e, 0xd5, 0xd9,
                              0xac, 0xd8, 0x90, 0xe3, 0xc6, 0x3f, 0x50, 0x51};
static const uint8_t head[] = {0x17, 0x03, 0x03, 0x00, 0x43};
static const uint8_t sealed[] = {
    0xa2, 0x3f, 0x70, 0x54, 0xb6, 0x2c, 0x94, 0xd0, 0xaf, 0xfa, 0xfe, 0x82, 0x28, 0xba,
    0x55, 0xcb, 0xef, 0xac, 0xea, 0x42, 0xf9, 0x14, 0xaa, 0x66, 0xbc, 0xab, 0x3f, 0x2b,
    0x98, 0x19, 0xa8, 0xa5, 0xb4, 0x6b, 0x39, 0x5b, 0xd5, 0x4a, 0x9a, 0x20, 0x44, 0x1e,
    0x2b, 0x62, 0x97, 0x4e, 0x1f, 0x5a, 0x62, 0x92, 0xa2, 0x97, 0x70, 0x14, 0xbd, 0x1e,
    0x3d, 0xea, 0xe6, 0x3a, 0xee, 0xbb, 0x21, 0x69, 0x49, 0x15, 0xe4};

static struct mu_aead_use use_of(void)
{
    struct mu_aead_use use = {
        .key = key,
        .nonce = {0x5b, 0x78, 0x92, 0x3d, 0xee, 0x08, 0x57, 0x90, 0x33, 0xe5, 0x23, 0xd9},
        .head = head};
    return use;
}

static void the_record_is_that_of_rfc8448(void **state)
{
    (void)state;
    uint8_t data[50];
    uint8_t out[sizeof sealed];
    uint8_t opened[sizeof data + 1];
    struct mu_aead_use use = use_of();
    struct mu_aead *aead = mu_aead_library(NULL, "AES-128-GCM");
    assert_non_null(aead);
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)i;
    }
    assert_true(aead->seal(aead, &use, data, sizeof data, 23, out));
    assert_memory_equal(out, sealed, sizeof sealed);
    assert_true(aead->open(aead, &use, sealed, sizeof opened, opened));
    assert_memory_equal(opened, data, sizeof data);
    assert_int_equal(opened[sizeof data], 23);
    aead->forget(aead);
    assert_true(aead->open(aead, &use, sealed, sizeof opened, opened)); /* it is keyed anew */
    aead->free(aead);
}

static void an_algorithm_that_there_is_not_is_none(void **state)
{
    (void)state;
    assert_null(mu_aead_library(NULL, "AES-257-GCM"));
}

UNIT_MAIN(UNIT_CASE(the_record_is_that_of_rfc8448),
          UNIT_CASE(an_algorithm_that_there_is_not_is_none))
