/* SPDX-License-Identifier: Apache-2.0
 *
 * Record protection against the published handshake of RFC 8448 section 3, and what must not open.
 */
#include "session/record_internal.h"

#include <openssl/crypto.h>
#include <openssl/provider.h>

#include "unit.h"

static struct mu_records *records;

static int set_up(void **state)
{
    (void)state;
    records = mu_records_new(NULL);
    return records == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    mu_records_free(records);
    return 0;
}

static size_t from_hex(const char *text, uint8_t *out, size_t cap)
{
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf bytes;
    mu_buf_init(&bytes, cap);
    assert_ok(mu_hex_parse(mu_slice_text(text), &bytes, &err), &err);
    memcpy(out, bytes.data, bytes.len);
    return bytes.len;
}

static void assert_hex(const uint8_t *have, const char *want)
{
    uint8_t bytes[256];
    size_t len = from_hex(want, bytes, sizeof bytes);
    assert_memory_equal(have, bytes, len);
}

/* RFC 8448 section 3: the application traffic secrets of both ends. */
static struct mu_direction client_of_rfc8448(void)
{
    struct mu_direction client = {0};
    (void)from_hex("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5",
                   client.secret, sizeof client.secret);
    assert_true(mu_direction_key(records, 0x1301, &client));
    return client;
}

static struct mu_direction server_of_rfc8448(void)
{
    struct mu_direction server = {0};
    (void)from_hex("a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643",
                   server.secret, sizeof server.secret);
    assert_true(mu_direction_key(records, 0x1301, &server));
    return server;
}

static void keys_are_those_of_rfc8448(void **state)
{
    (void)state;
    struct mu_direction client = client_of_rfc8448();
    struct mu_direction server = server_of_rfc8448();
    assert_hex(client.key, "17422dda596ed5d9acd890e3c63f5051");
    assert_hex(client.iv, "5b78923dee08579033e523d9");
    assert_hex(server.key, "9f02283b6c9c07efc26bb9f2ac92e356");
    assert_hex(server.iv, "cf782b88dd83549aadf1e984");
}

static const char client_data[] =
    "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e"
    "2b62974e1f5a6292a2977014bd1e3deae63aeebb21694915e4";
static const char server_data[] =
    "17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30efaf97d90e6dffc602dcb501a59"
    "a8fcc49c4bf2e5f0a21c0047c2abf332540dd032e167c2955d";

static void records_are_those_of_rfc8448(void **state)
{
    (void)state;
    uint8_t plain[50];
    uint8_t sealed[sizeof plain + MU_RECORD_EXTRA];
    struct mu_direction client = client_of_rfc8448();
    struct mu_direction server = server_of_rfc8448();
    for (size_t i = 0; i < sizeof plain; i++) {
        plain[i] = (uint8_t)i;
    }
    assert_true(
        mu_record_seal(records, 0x1301, &client, MU_CONTENT_DATA, plain, sizeof plain, sealed));
    assert_hex(sealed, client_data);
    server.count = 1; /* the first was the ticket */
    assert_true(
        mu_record_seal(records, 0x1301, &server, MU_CONTENT_DATA, plain, sizeof plain, sealed));
    assert_hex(sealed, server_data);
    static const uint8_t goodbye[] = {1, 0};
    assert_true(mu_record_seal(records, 0x1301, &client, MU_CONTENT_ALERT, goodbye, 2, sealed));
    assert_hex(sealed, "1703030013c9872760655666b74d7ff1153efd6db6d0b0e3");
    assert_true(mu_record_seal(records, 0x1301, &server, MU_CONTENT_ALERT, goodbye, 2, sealed));
    assert_hex(sealed, "1703030013b58fd67166ebf599d24720cfbe7efa7a8864a9");
}

static void what_was_sealed_opens(void **state)
{
    (void)state;
    static const uint16_t suites[] = {0x1301, 0x1302, 0x1303};
    static const size_t lengths[] = {0, 1, 15, 16, 17, 1000, MU_RECORD_PLAIN};
    static uint8_t data[MU_RECORD_PLAIN], sealed[MU_RECORD_MAX], opened[MU_RECORD_PLAIN + 1];
    for (size_t i = 0; i < MU_COUNT(suites) * MU_COUNT(lengths); i++) {
        uint16_t suite = suites[i % MU_COUNT(suites)];
        size_t len = lengths[i / MU_COUNT(suites)];
        struct mu_direction out = {.secret = {(uint8_t)i, 2, 3}};
        assert_true(mu_direction_key(records, suite, &out));
        struct mu_direction in = out;
        memset(data, (int)i, sizeof data);
        for (unsigned n = 1; n < 4; n++) {
            assert_true(mu_record_seal(records, suite, &out, MU_CONTENT_DATA, data, len, sealed));
            assert_true(mu_record_open(records, suite, &in,
                                       mu_slice_of(sealed, len + MU_RECORD_EXTRA), opened));
            assert_memory_equal(opened, data, len);
            assert_int_equal(opened[len], MU_CONTENT_DATA);
            assert_true(in.count == n && out.count == n);
        }
    }
}

/* Every single bit of a record counts, and what does not open leaves nothing behind. */
static void no_changed_record_opens(void **state)
{
    (void)state;
    uint8_t sealed[64];
    uint8_t opened[64];
    struct mu_direction out = server_of_rfc8448();
    size_t len = 20 + MU_RECORD_EXTRA;
    assert_true(mu_record_seal(records, 0x1301, &out, MU_CONTENT_DATA,
                               (const uint8_t *)"twenty bytes of data", 20, sealed));
    for (size_t bit = 0; bit < 8 * len; bit++) {
        struct mu_direction in = server_of_rfc8448();
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        memset(opened, 0xff, sizeof opened);
        assert_false(mu_record_open(records, 0x1301, &in, mu_slice_of(sealed, len), opened));
        for (size_t i = 0; i < 21; i++) {
            assert_int_equal(opened[i], 0);
        }
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void order_counts(void **state)
{
    (void)state;
    uint8_t first[64], second[64], opened[64];
    struct mu_direction out = server_of_rfc8448();
    struct mu_direction in = server_of_rfc8448();
    size_t len = 1 + MU_RECORD_EXTRA;
    assert_true(
        mu_record_seal(records, 0x1301, &out, MU_CONTENT_DATA, (const uint8_t *)"a", 1, first));
    assert_true(
        mu_record_seal(records, 0x1301, &out, MU_CONTENT_DATA, (const uint8_t *)"a", 1, second));
    assert_memory_not_equal(first, second, len);
    assert_false(mu_record_open(records, 0x1301, &in, mu_slice_of(second, len), opened));
    in = server_of_rfc8448();
    assert_true(mu_record_open(records, 0x1301, &in, mu_slice_of(first, len), opened));
    assert_false(mu_record_open(records, 0x1301, &in, mu_slice_of(first, len), opened));
}

static void numbers_are_never_used_twice(void **state)
{
    (void)state;
    uint8_t sealed[64];
    struct mu_direction out = server_of_rfc8448();
    out.count = UINT64_MAX - 1;
    assert_true(
        mu_record_seal(records, 0x1301, &out, MU_CONTENT_DATA, (const uint8_t *)"a", 1, sealed));
    assert_false(
        mu_record_seal(records, 0x1301, &out, MU_CONTENT_DATA, (const uint8_t *)"a", 1, sealed));
    assert_int_equal(out.count, UINT64_MAX);
}

static void generations_follow_each_other(void **state)
{
    (void)state;
    uint8_t sealed[64], opened[64];
    struct mu_direction out = server_of_rfc8448();
    struct mu_direction in = server_of_rfc8448();
    size_t len = 1 + MU_RECORD_EXTRA;
    assert_true(mu_direction_update(records, 0x1301, &out));
    assert_memory_not_equal(out.secret, in.secret, 32);
    assert_memory_not_equal(out.key, in.key, 16);
    assert_true(
        mu_record_seal(records, 0x1301, &out, MU_CONTENT_DATA, (const uint8_t *)"a", 1, sealed));
    assert_false(mu_record_open(records, 0x1301, &in, mu_slice_of(sealed, len), opened));
    in = server_of_rfc8448();
    assert_true(mu_direction_update(records, 0x1301, &in));
    assert_int_equal(in.count, 0);
    assert_true(mu_record_open(records, 0x1301, &in, mu_slice_of(sealed, len), opened));
}

static void unknown_suites_are_not_ours(void **state)
{
    (void)state;
    assert_int_equal(mu_suite_secret_len(0x1301), 32);
    assert_int_equal(mu_suite_secret_len(0x1302), 48);
    assert_int_equal(mu_suite_secret_len(0x1303), 32);
    assert_int_equal(mu_suite_secret_len(0x1304), 0);
    assert_int_equal(mu_suite_secret_len(0xc02b), 0);
    assert_true(mu_records_can(records, 0x1301) && !mu_records_can(records, 0xc02b));
    mu_records_forget(records, 0xc02b);
}

/* A library context that lacks an algorithm lacks the suites that need it, and no more. */
static void what_the_library_lacks_is_left_to_it(void **state)
{
    (void)state;
    OSSL_LIB_CTX *empty = OSSL_LIB_CTX_new();
    OSSL_PROVIDER *none = OSSL_PROVIDER_load(empty, "null");
    struct mu_records *some = mu_records_new(empty);
    assert_non_null(some);
    assert_false(mu_records_can(some, 0x1301) || mu_records_can(some, 0x1303));
    mu_records_forget(some, 0x1301);
    mu_records_free(some);
    (void)OSSL_PROVIDER_unload(none);
    OSSL_LIB_CTX_free(empty);
    mu_alloc_fail_after(1);
    assert_null(mu_records_new(NULL));
    mu_alloc_fail_after(0);
}

int main(void)
{
    static const struct CMUnitTest cases[] = {UNIT_CASE(keys_are_those_of_rfc8448),
                                              UNIT_CASE(records_are_those_of_rfc8448),
                                              UNIT_CASE(what_was_sealed_opens),
                                              UNIT_CASE(no_changed_record_opens),
                                              UNIT_CASE(order_counts),
                                              UNIT_CASE(numbers_are_never_used_twice),
                                              UNIT_CASE(generations_follow_each_other),
                                              UNIT_CASE(unknown_suites_are_not_ours),
                                              UNIT_CASE(what_the_library_lacks_is_left_to_it)};
    return cmocka_run_group_tests_name("session record", cases, set_up, tear_down);
}
