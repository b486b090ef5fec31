/* SPDX-License-Identifier: Apache-2.0
 *
 * PEM blocks found, refused, decoded and written.
 */
#include "unit.h"
#include "x509/x509.h"

static bool next(struct mu_pem_reader *reader, struct mu_pem_block *block, struct mutual_error *err)
{
    bool end = true;
    return mu_pem_next(reader, block, &end, err) && !end;
}

static void blocks_among_text(void **state)
{
    (void)state;
    static const char text[] = "subject=somebody\r\n"
                               "-----BEGIN ONE-----\r\n"
                               "eA==\r\n"
                               "-----END ONE----- \r\n"
                               "# comment\n"
                               "-----BEGIN TWO THINGS-----\neHg=\n-----END TWO THINGS-----";
    struct mutual_error err;
    struct mu_pem_reader reader;
    struct mu_pem_block block;
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, 100);
    mu_pem_open(&reader, MU_SLICE_LIT(text), "text");
    assert_ok(next(&reader, &block, &err), &err);
    assert_true(mu_slice_equal_text(block.label, "ONE"));
    assert_int_equal(block.line, 2);
    assert_ok(mu_pem_decode(&reader, &block, &der, &err), &err);
    assert_ok(next(&reader, &block, &err), &err);
    assert_true(mu_slice_equal_text(block.label, "TWO THINGS"));
    assert_int_equal(reader.block, 2);
    assert_ok(mu_pem_decode(&reader, &block, &der, &err), &err);
    assert_string_equal(mu_buf_str(&der), "xxx");
    assert_memory_equal(block.whole.data, "-----BEGIN TWO", 14);
    bool end = false;
    assert_ok(mu_pem_next(&reader, &block, &end, &err), &err);
    assert_true(end);
}

static void broken_boundaries_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "-----BEGIN ONE-----\neA==\n",
        "-----BEGIN ONE-----\neA==\n-----END TWO-----\n",
        "-----BEGIN ONE-----\neA==\n-----BEGIN ONE-----\neA==\n-----END ONE-----\n",
        "-----BEGIN ONE----\neA==\n-----END ONE-----\n",
        "-----END ONE-----\n",
        "-----BEGIN -----\neA==\n-----END -----\n",
        "-----BEGIN \x1b[31m-----\neA==\n-----END \x1b[31m-----\n",
        "-----BEGIN ONE-----\neA==\n-----END ONE",
        "-----",
    };
    for (size_t i = 0; i < MU_COUNT(texts); i++) {
        struct mutual_error err;
        struct mu_pem_reader reader;
        struct mu_pem_block block;
        mu_pem_open(&reader, mu_slice_text(texts[i]), "broken");
        assert_fails(next(&reader, &block, &err), &err, MUTUAL_E_PEM_MALFORMED);
        assert_non_null(strstr(err.reason, "\"broken\""));
    }
}

static void broken_contents_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "-----BEGIN ONE-----\n-----END ONE-----\n",
        "-----BEGIN ONE-----\n!!!!\n-----END ONE-----\n",
        "-----BEGIN ONE-----\neA=\n-----END ONE-----\n",
        "-----BEGIN ONE-----\nProc-Type: 4,ENCRYPTED\n\neA==\n-----END ONE-----\n",
    };
    for (size_t i = 0; i < MU_COUNT(texts); i++) {
        struct mutual_error err;
        struct mu_pem_reader reader;
        struct mu_pem_block block;
        MU_AUTO(buf) struct mu_buf der;
        mu_buf_init(&der, 100);
        mu_pem_open(&reader, mu_slice_text(texts[i]), "broken");
        assert_ok(next(&reader, &block, &err), &err);
        assert_fails(mu_pem_decode(&reader, &block, &der, &err), &err, MUTUAL_E_PEM_MALFORMED);
        assert_non_null(strstr(err.reason, "block 1 of \"broken\", line 1"));
    }
}

static void written_blocks_are_read(void **state)
{
    (void)state;
    uint8_t bytes[200];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 7);
    }
    for (size_t len = 1; len <= sizeof bytes; len++) {
        struct mutual_error err;
        struct mu_pem_reader reader;
        struct mu_pem_block block;
        MU_AUTO(buf) struct mu_buf text;
        MU_AUTO(buf) struct mu_buf back;
        mu_buf_init(&text, 1000);
        mu_buf_init(&back, 1000);
        mu_pem_write(&text, "X", mu_slice_of(bytes, len));
        mu_pem_open(&reader, mu_buf_slice(&text), "x");
        assert_ok(next(&reader, &block, &err), &err);
        assert_ok(mu_pem_decode(&reader, &block, &back, &err), &err);
        assert_int_equal(back.len, len);
        assert_memory_equal(back.data, bytes, len);
    }
}

UNIT_MAIN(UNIT_CASE(blocks_among_text), UNIT_CASE(broken_boundaries_are_refused),
          UNIT_CASE(broken_contents_are_refused), UNIT_CASE(written_blocks_are_read))
