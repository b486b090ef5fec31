/* SPDX-License-Identifier: Apache-2.0
 *
 * src/cli/option.c: option tables against command lines.
 */
#include "cli_support.h"

struct values {
    bool force;
    const char *out;
    struct cli_texts allow;
    uint64_t count;
    int64_t wait_ns;
    int64_t at_s;
    int mode;
};

#define V(field_) offsetof(struct values, field_)
static const char *const modes[] = {"one", "two", NULL};
static const struct cli_option table[] = {
    {.name = "force", .letter = 'f', .kind = CLI_FLAG, .offset = V(force), .help = "do it"},
    {.name = "out",
     .letter = 'o',
     .kind = CLI_PATH,
     .offset = V(out),
     .value = "FILE",
     .help = "where",
     .required = true},
    {.name = "allow", .kind = CLI_TEXTS, .offset = V(allow), .value = "NAME", .help = "whom"},
    {.name = "count",
     .kind = CLI_NUMBER,
     .offset = V(count),
     .value = "N",
     .help = "how many",
     .max = 9,
     .dflt = "3"},
    {.name = "wait",
     .kind = CLI_DURATION,
     .offset = V(wait_ns),
     .value = "TIME",
     .help = "long",
     .dflt = "2s"},
    {.name = "at", .kind = CLI_TIME, .offset = V(at_s), .value = "TIME", .help = "when"},
    {.name = "mode", .kind = CLI_WORD, .offset = V(mode), .words = modes, .help = "how"},
    {.name = NULL},
};

static bool parse(struct values *values, const char **args, size_t *ret_args, int argc,
                  const char *const *argv, struct mutual_error *err)
{
    *values = (struct values){0};
    const struct option_set set = {table, values};
    struct option_parse p = {
        .sets = &set, .set_count = 1, .argc = argc, .argv = argv, .args = args};
    bool parsed = option_defaults(&set, err) && option_parse(&p, err) && option_check(&set, err);
    *ret_args = p.arg_count;
    return parsed;
}

#define PARSE(...)                                                               \
    parse(&values, args, &count, (int)MU_COUNT(((const char *[]){__VA_ARGS__})), \
          (const char *[]){__VA_ARGS__}, &err)

static void test_all_kinds(void **state)
{
    (void)state;
    struct values values;
    struct mutual_error err = {0};
    const char *args[32];
    size_t count;
    assert_ok(PARSE("a", "--force", "--out=x", "--allow", "p", "--allow=q", "--count", "9",
                    "--wait", "5m", "--at", "1970-01-02", "--mode", "two", "b", "--", "-c"),
              &err);
    assert_true(values.force);
    assert_string_equal(values.out, "x");
    assert_int_equal(values.allow.count, 2);
    assert_string_equal(values.allow.items[1], "q");
    assert_int_equal(values.count, 9);
    assert_int_equal(values.wait_ns, 300 * MU_NS_PER_S);
    assert_int_equal(values.at_s, 86400);
    assert_int_equal(values.mode, 1);
    assert_int_equal(count, 3);
    assert_string_equal(args[2], "-c");
    const struct option_set set = {table, &values};
    option_done(&set);

    assert_ok(PARSE("-fo", "x", "-"), &err);
    assert_true(values.force);
    assert_string_equal(values.out, "x");
    assert_int_equal(values.count, 3);
    assert_int_equal(values.wait_ns, 2 * MU_NS_PER_S);
    assert_string_equal(args[0], "-");
    assert_ok(PARSE("-oy"), &err);
    assert_string_equal(values.out, "y");
}

static void test_mistakes(void **state)
{
    (void)state;
    struct values values;
    struct mutual_error err = {0};
    const char *args[32];
    size_t count;
    assert_fails(PARSE("--fource"), &err, MUTUAL_E_OPTION_UNKNOWN);
    assert_string_equal(err.hint, "Did you mean --force?");
    assert_fails(PARSE("-x"), &err, MUTUAL_E_OPTION_UNKNOWN);
    assert_fails(PARSE("--force=1"), &err, MUTUAL_E_OPTION_VALUE);
    assert_fails(PARSE("--out"), &err, MUTUAL_E_OPTION_VALUE);
    assert_string_equal(err.hint, "Give it as --out FILE.");
    assert_fails(PARSE("--count", "10"), &err, MUTUAL_E_OPTION_VALUE);
    assert_string_equal(err.hint, "Give a whole number up to 9.");
    assert_fails(PARSE("--count", "-1"), &err, MUTUAL_E_OPTION_VALUE);
    assert_fails(PARSE("--wait", "soon"), &err, MUTUAL_E_OPTION_VALUE);
    assert_fails(PARSE("--at", "soon"), &err, MUTUAL_E_OPTION_VALUE);
    assert_fails(PARSE("--mode", "three"), &err, MUTUAL_E_OPTION_VALUE);
    assert_string_equal(err.hint, "One of: one, two.");
    assert_fails(PARSE("--force"), &err, MUTUAL_E_USAGE);
    assert_string_equal(err.reason, "option --out is missing");
}

static void test_help(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 4096);
    option_help(table, &out);
    assert_string_equal(mu_buf_str(&out), "  -f, --force                 do it\n"
                                          "  -o, --out FILE              where\n"
                                          "  --allow NAME                whom; may be repeated\n"
                                          "  --count N                   how many (default: 3)\n"
                                          "  --wait TIME                 long (default: 2s)\n"
                                          "  --at TIME                   when\n"
                                          "  --mode one|two              how\n");
}

UNIT_MAIN(UNIT_CASE(test_all_kinds), UNIT_CASE(test_mistakes), UNIT_CASE(test_help))
