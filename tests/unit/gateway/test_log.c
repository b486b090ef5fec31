/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines for people and machines; nothing that a stranger chose breaks one, and a reader that is
 * behind never stops the writer.
 */
#include "base/base.h"
#include "config/config.h"
#include "gateway/log_internal.h"
#include "unit.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *line_of(const struct log_entry *entry, bool json, struct mu_buf *out)
{
    mu_buf_init(out, 8192);
    log_format(entry, json, out);
    return mu_buf_str(out);
}

static void both_forms_tell_the_whole_error(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    assert_false(mu_fail(&err, MUTUAL_E_BUNDLE_EMPTY, "bundle \"corp\" holds no certificate"));
    assert_false(mu_error_context(&err, "line 4"));
    const struct log_entry entry = {.time_s = 0,
                                    .level = CONFIG_LOG_ERROR,
                                    .event = "reload_refused",
                                    .listener = "web",
                                    .text = "the old configuration stays",
                                    .error = &err};
    MU_AUTO(buf) struct mu_buf human;
    MU_AUTO(buf) struct mu_buf json;
    const char *text = line_of(&entry, false, &human);
    assert_non_null(strstr(text, "web: the old configuration stays"));
    assert_non_null(strstr(text, "bundle \"corp\" holds no certificate"));
    assert_non_null(strstr(text, "[BUNDLE_EMPTY]"));
    assert_non_null(strstr(text, "(line 4)"));
    text = line_of(&entry, true, &json);
    assert_non_null(strstr(text, "\"event\":\"reload_refused\""));
    assert_non_null(strstr(text, "\"code\":\"BUNDLE_EMPTY\""));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void a_line_stays_one_line(void **state)
{
    (void)state;
    const struct log_entry entry = {
        .level = CONFIG_LOG_INFO, .event = "x", .listener = "a\nb", .text = "ok"};
    MU_AUTO(buf) struct mu_buf human;
    MU_AUTO(buf) struct mu_buf json;
    const char *text = line_of(&entry, false, &human);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    text = line_of(&entry, true, &json);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void a_full_pipe_stops_nobody(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    char line[1024];
    memset(line, 'x', sizeof line);
    size_t written = 0;
    while (written < 10000 && log_write(ends[1], mu_slice_of(line, sizeof line))) {
        written++;
    }
    assert_true(written > 0 && written < 10000); /* full, and the call came back */
    assert_false(log_write(ends[1], mu_slice_of(line, sizeof line)));
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(close(ends[1]), 0);
}

/* Several write at once into a pipe that is read slowly: what is there is whole lines, and as many
 * as were said to be written. */
static void lines_of_many_stay_whole(void **state)
{
    (void)state;
    enum { WRITERS = 4, LINES = 400, LEN = 3000 };
    int ends[2];
    int counts[2];
    static char got[WRITERS * LINES * LEN + 20000];
    size_t len = 0;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(pipe2(counts, O_CLOEXEC), 0);
    log_adopt(ends[1]);
    assert_int_not_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
    for (int w = 0; w < WRITERS; w++) {
        if (fork() != 0) {
            continue;
        }
        char line[LEN];
        uint32_t written = 0;
        memset(line, 'a' + w, sizeof line);
        line[LEN - 1] = '\n';
        for (int i = 0; i < LINES; i++) {
            written += log_write(ends[1], mu_slice_of(line, sizeof line)) ? 1 : 0;
            (void)usleep(20);
        }
        _exit(write(counts[1], &written, sizeof written) == (ssize_t)sizeof written ? 0 : 1);
    }
    (void)close(ends[1]);
    for (ssize_t n; (n = read(ends[0], got + len, 20000)) > 0; len += (size_t)n) {
    }
    uint32_t written = 0;
    for (int w = 0; w < WRITERS; w++) {
        uint32_t one = 0;
        assert_int_equal(read(counts[0], &one, sizeof one), sizeof one);
        written += one;
        assert_true(wait(NULL) > 0);
    }
    assert_true(written > 0);
    assert_int_equal(len, (size_t)written * LEN);
    for (size_t at = 0; at < len; at += LEN) {
        for (size_t i = 1; i < LEN - 1; i++) {
            assert_int_equal(got[at + i], got[at]);
        }
        assert_int_equal(got[at + LEN - 1], '\n');
    }
    (void)close(ends[0]);
    (void)close(counts[0]);
    (void)close(counts[1]);
}

static void a_terminal_decides_the_form(void **state)
{
    (void)state;
    struct config_log config = {.format = CONFIG_LOG_AUTO};
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    assert_true(log_wants_json(&config, null));
    config.format = CONFIG_LOG_HUMAN;
    assert_false(log_wants_json(&config, null));
    config.format = CONFIG_LOG_JSON;
    assert_true(log_wants_json(&config, null));
    assert_int_equal(close(null), 0);
}

static void a_level_tells_itself_and_what_is_worse(void **state)
{
    (void)state;
    assert_true(log_is_wanted(CONFIG_LOG_ERROR, CONFIG_LOG_WARNING));
    assert_true(log_is_wanted(CONFIG_LOG_WARNING, CONFIG_LOG_WARNING));
    assert_false(log_is_wanted(CONFIG_LOG_INFO, CONFIG_LOG_WARNING));
    assert_int_equal(log_level_of("info"), CONFIG_LOG_INFO);
    assert_int_equal(log_level_of("no such word"), CONFIG_LOG_ERROR);
}

UNIT_MAIN(UNIT_CASE(a_level_tells_itself_and_what_is_worse),
          UNIT_CASE(both_forms_tell_the_whole_error), UNIT_CASE(a_line_stays_one_line),
          UNIT_CASE(a_full_pipe_stops_nobody), UNIT_CASE(lines_of_many_stay_whole),
          UNIT_CASE(a_terminal_decides_the_form))
