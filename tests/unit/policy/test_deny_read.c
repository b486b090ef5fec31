/* SPDX-License-Identifier: Apache-2.0
 *
 * The text of a deny list: what is read, and everything that is not.
 */
#include "policy_fixture.h"

#define HEAD   "mutual-deny 1\n"
#define RECORD " time=2026-11-28T15:00:00Z owner=alice reason=\"laptop stolen\"\n"
#define KEY    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF"

struct told {
    int lines[8];
    enum mutual_code codes[8];
    size_t count;
};

static void tell(void *context, int line, const struct mutual_error *fault)
{
    struct told *told = context;
    assert_true(fault->reason[0] != '\0' && fault->hint[0] != '\0');
    if (told->count < 8) {
        told->lines[told->count] = line;
        told->codes[told->count] = fault->code;
    }
    told->count++;
}

static bool parse(const char *text, struct mutual_deny **ret_deny, struct mutual_error *err)
{
    return mutual_deny_parse(text, strlen(text), "deny", NULL, NULL, ret_deny, err);
}

static void every_kind_of_entry_is_read(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct mutual_deny *deny = NULL;
    assert_ok(parse(HEAD "# a remark\n"
                         "\n"
                         "serial=0A1b issuer=\"CN=Issuer \\\\\\\"One\\\\\\\",O=A\\\\, Inc\"" RECORD
                         "serial=00ff" RECORD "\tkey=" KEY RECORD
                         "spiffe=spiffe://example.org/hr/**" RECORD "dns=*.Example.org" RECORD
                         "email=@example.org" RECORD "ip=10.0.0.0/8" RECORD
                         "uri=https://example.org/x" RECORD "cn=\"Old Laptop\"" RECORD
                         "reason=later owner=\"Bob, ops\" time=2027-01-31 dns=a.example.org\n",
                    &deny, &err),
              &err);
    static const struct {
        int line;
        const char *text;
    } want[] = {
        {4, "serial 0a1b of \"CN=Issuer \\\\\\\"One\\\\\\\",O=A\\\\, Inc\""},
        {5, "serial 00ff"},
        {6, "key 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
        {7, "spiffe \"spiffe://example.org/hr/**\""},
        {8, "dns \"*.example.org\""},
        {9, "email \"@example.org\""},
        {10, "ip \"10.0.0.0/8\""},
        {11, "uri \"https://example.org/x\""},
        {12, "cn \"Old Laptop\""},
        {13, "dns \"a.example.org\""},
    };
    assert_int_equal(mutual_deny_count(deny), MU_COUNT(want));
    for (size_t i = 0; i < MU_COUNT(want); i++) {
        const struct mutual_denial *denial = mutual_deny_get(deny, i);
        MU_AUTO(buf) struct mu_buf text;
        mu_buf_init(&text, 4096);
        mu_denial_text(denial, &text);
        assert_string_equal(mu_buf_str(&text), want[i].text);
        assert_int_equal(denial->line, want[i].line);
        assert_string_equal(denial->file, "deny");
    }
    assert_string_equal(mutual_deny_get(deny, 0)->owner, "alice");
    assert_string_equal(mutual_deny_get(deny, 0)->reason, "laptop stolen");
    assert_int_equal(mutual_deny_get(deny, 0)->time_s, 1795878000);
    assert_string_equal(mutual_deny_get(deny, 9)->owner, "Bob, ops");
    assert_string_equal(mutual_deny_get(deny, 9)->reason, "later");
    struct mutual_deny *again = mutual_deny_ref(deny);
    mutual_deny_unref(deny);
    assert_int_equal(mutual_deny_count(again), MU_COUNT(want));
    mutual_deny_unref(again);
    mutual_deny_unref(NULL);
}

static void a_list_may_deny_nobody(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct mutual_deny *deny = NULL;
    assert_ok(parse(HEAD, &deny, &err), &err);
    assert_int_equal(mutual_deny_count(deny), 0);
    mutual_deny_unref(deny);
}

/* Each is one line behind the head. */
static void what_is_not_understood_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum mutual_code code;
        const char *word;
    } rows[] = {
        {"garbage\n", MUTUAL_E_DENY_INVALID, "no \"=\""},
        {"\x01\x02\xff\n", MUTUAL_E_DENY_INVALID, "control byte"},
        {"serial=0a time=2027-01-31 owner=x reason=y\r\n", MUTUAL_E_DENY_INVALID, "control byte"},
        {"serail=0a" RECORD, MUTUAL_E_DENY_INVALID, "no setting \"serail\""},
        {"Serial=0a" RECORD, MUTUAL_E_DENY_INVALID, "no setting \"Serial\""},
        {"=0a" RECORD, MUTUAL_E_DENY_INVALID, "no setting \"\""},
        {"serial =0a" RECORD, MUTUAL_E_DENY_INVALID, "no setting \"serial \""},
        {"serial=" RECORD, MUTUAL_E_DENY_INVALID, "\"serial\" is empty"},
        {"serial=a" RECORD, MUTUAL_E_DENY_INVALID, "no serial number"},
        {"serial=0x0a" RECORD, MUTUAL_E_DENY_INVALID, "no serial number"},
        {"serial=0a:1b" RECORD, MUTUAL_E_DENY_INVALID, "no serial number"},
        {"serial=" KEY RECORD, MUTUAL_E_DENY_INVALID, "no serial number"},
        {"serial=0a serial=0b" RECORD, MUTUAL_E_DENY_INVALID, "twice"},
        {"serial=0a dns=a.example.org" RECORD, MUTUAL_E_DENY_INVALID, "two entries"},
        {"serial=0a issuer=Example" RECORD, MUTUAL_E_NAME_MALFORMED, "distinguished name"},
        {"key=" KEY " issuer=\"CN=x\"" RECORD, MUTUAL_E_DENY_INVALID, "\"serial\" only"},
        {"issuer=\"CN=x\"" RECORD, MUTUAL_E_DENY_INVALID, "who is denied"},
        {"key=0a" RECORD, MUTUAL_E_DENY_INVALID, "64 hexadecimal digits"},
        {"key=" KEY "00" RECORD, MUTUAL_E_DENY_INVALID, "SHA-256"},
        {"dns=*" RECORD, MUTUAL_E_NAME_MALFORMED, "*"},
        {"dns=a..b" RECORD, MUTUAL_E_NAME_MALFORMED, "a..b"},
        {"spiffe=spiffe://*/a" RECORD, MUTUAL_E_SPIFFE_MALFORMED, "*"},
        {"ip=10.0.0.1/8" RECORD, MUTUAL_E_POLICY_INVALID, "beyond"},
        {"dns=\"a.example.org" RECORD, MUTUAL_E_DENY_INVALID, "right behind"},
        {"dns=a.example.org owner=\"x" RECORD, MUTUAL_E_DENY_INVALID, "right behind"},
        {"dns=a.example.org owner=\"x\n", MUTUAL_E_DENY_INVALID, "not closed"},
        {"dns=\"a.example.org\"x" RECORD, MUTUAL_E_DENY_INVALID, "right behind"},
        {"dns=a\"b" RECORD, MUTUAL_E_DENY_INVALID, "in quotes"},
        {"dns=\"a\\nb\"" RECORD, MUTUAL_E_DENY_INVALID, "backslash"},
        {"dns=a.example.org time=2027-01-31 owner=x\n", MUTUAL_E_DENY_INVALID, "\"reason\""},
        {"dns=a.example.org time=2027-01-31 reason=x\n", MUTUAL_E_DENY_INVALID, "\"owner\""},
        {"dns=a.example.org owner=x reason=x\n", MUTUAL_E_DENY_INVALID, "\"time\""},
        {"dns=a.example.org time=today owner=x reason=x\n", MUTUAL_E_DENY_INVALID, "time"},
        {"dns=a.example.org time=2027-02-31 owner=x reason=x\n", MUTUAL_E_DENY_INVALID, "time"},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        struct mutual_error err = {0};
        struct mutual_deny *deny = NULL;
        MU_AUTO(buf) struct mu_buf text;
        mu_buf_init(&text, 65536);
        mu_buf_printf(&text, "%s%s", HEAD, rows[i].line);
        assert_fails(parse(mu_buf_str(&text), &deny, &err), &err, rows[i].code);
        if (strstr(err.reason, rows[i].word) == NULL) {
            fail_msg("%s: %s", rows[i].line, err.reason);
        }
        assert_string_equal(err.context, "deny:2");
        assert_null(deny);
    }
}

/* Nothing is taken for a list but a list, whole: whatever an unlucky moment makes of the file. */
static void what_is_no_list_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "\n",
        "mutual-deny 1",
        "mutual-deny 2\n",
        "mutual-deny 1 \n",
        "dns=a.example.org" RECORD,
        "# mutual-deny 1\n",
        HEAD "dns=a.example.org",
        HEAD "dns=a.example.org time=2027-01-31 owner=x reason=x",
        HEAD "dns=a.example.org" RECORD "dns=b.exa",
    };
    for (size_t i = 0; i < MU_COUNT(texts); i++) {
        struct mutual_error err = {0};
        struct mutual_deny *deny = NULL;
        assert_fails(parse(texts[i], &deny, &err), &err, MUTUAL_E_DENY_INVALID);
    }
    struct mutual_error err = {0};
    struct mutual_deny *deny = NULL;
    static const char nul[] = HEAD "dns=a.example.org\0.evil.test" RECORD;
    assert_fails(mutual_deny_parse(nul, sizeof nul - 1, "deny", NULL, NULL, &deny, &err), &err,
                 MUTUAL_E_DENY_INVALID);
}

static void everything_wrong_is_told(void **state)
{
    (void)state;
    struct told told = {.count = 0};
    struct mutual_error err = {0};
    struct mutual_deny *deny = NULL;
    const char *text = "no head\n"
                       "dns=a.example.org" RECORD "dns=*" RECORD "# dns=*\n"
                       "key=00" RECORD "serial=00";
    assert_fails(mutual_deny_parse(text, strlen(text), "deny", tell, &told, &deny, &err), &err,
                 MUTUAL_E_DENY_INVALID);
    assert_non_null(strstr(err.context, "deny:1"));
    assert_non_null(strstr(err.context, "and 3 more lines"));
    assert_int_equal(told.count, 4);
    static const int lines[] = {1, 3, 5, 6};
    for (size_t i = 0; i < MU_COUNT(lines); i++) {
        assert_int_equal(told.lines[i], lines[i]);
    }
    assert_int_equal(told.codes[1], MUTUAL_E_NAME_MALFORMED);
}

static void what_is_too_much_is_refused(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct mutual_deny *deny = NULL;
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 64u << 20);
    mu_buf_printf(&text, "%sdns=a.example.org time=2027-01-31 owner=x reason=\"%*s\"\n", HEAD,
                  (int)MU_LIMIT_DENY_LINE, "x");
    assert_fails(parse(mu_buf_str(&text), &deny, &err), &err, MUTUAL_E_LIMIT);
    mu_buf_clear(&text);
    mu_buf_printf(&text, "%sdns=a.example.org time=2027-01-31 owner=x reason=\"%1025s\"\n", HEAD,
                  "x");
    assert_fails(parse(mu_buf_str(&text), &deny, &err), &err, MUTUAL_E_DENY_INVALID);
    mu_buf_clear(&text);
    mu_buf_text(&text, HEAD);
    for (unsigned i = 0; i <= MU_LIMIT_DENY_ENTRIES; i++) {
        mu_buf_printf(&text, "serial=%08x" RECORD, i);
    }
    assert_fails(parse(mu_buf_str(&text), &deny, &err), &err, MUTUAL_E_LIMIT);
}

/* Running out of memory anywhere is an error, never a shorter list. */
static void without_memory_there_is_no_list(void **state)
{
    (void)state;
    const char *text = HEAD "serial=0a issuer=\"CN=x\"" RECORD "dns=*.example.org" RECORD
                            "key=" KEY RECORD "spiffe=spiffe://example.org/*/x" RECORD;
    bool made = false;
    for (unsigned long n = 1; !made && n < 1000; n++) {
        struct mutual_error err = {0};
        struct mutual_deny *deny = NULL;
        mu_alloc_fail_after(n);
        made = parse(text, &deny, &err);
        mu_alloc_fail_after(0);
        if (made) {
            assert_int_equal(mutual_deny_count(deny), 4);
            assert_true(n > 20);
            mutual_deny_unref(deny);
        }
    }
    assert_true(made);
}

UNIT_MAIN(UNIT_CASE(every_kind_of_entry_is_read), UNIT_CASE(a_list_may_deny_nobody),
          UNIT_CASE(what_is_not_understood_is_refused), UNIT_CASE(what_is_no_list_is_refused),
          UNIT_CASE(everything_wrong_is_told), UNIT_CASE(what_is_too_much_is_refused),
          UNIT_CASE(without_memory_there_is_no_list))
