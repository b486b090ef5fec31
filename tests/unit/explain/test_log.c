/* SPDX-License-Identifier: Apache-2.0 */
#include "golden.h"
#include "stories.h"

static const struct mu_story_counts counts = {
    .time_s = NOW,
    .worker = 4711,
    .connection = 42,
    .duration_ns = 3200 * MU_NS_PER_MS,
    .bytes_in = 1204,
    .bytes_out = 88123,
    .upstream = "127.0.0.1:5432",
};

static void records_are_written_as_stored(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf text;
    MU_AUTO(buf) struct mu_buf json;
    mu_buf_init(&text, MU_LIMIT_STORY_BYTES);
    mu_buf_init(&json, MU_LIMIT_STORY_BYTES);
    for (size_t i = 0; i < MU_COUNT(stories); i++) {
        struct scene scene;
        open_scene(&scene, i);
        mu_story_log_text(&scene.story, &counts, &text);
        mu_story_log_json(&scene.story, &counts, &json);
        mu_buf_byte(&text, '\n');
        mu_buf_byte(&json, '\n');
        close_scene(&scene);
    }
    assert_golden("log.txt", mu_buf_slice(&text));
    assert_golden("log.json", mu_buf_slice(&json));
}

/* A flood must not fill the log with errors. */
static void who_loses_a_place_is_no_error(void **state)
{
    (void)state;
    struct scene scene;
    size_t at = 0;
    while (strcmp(stories[at].name, "under_way") != 0) {
        at++;
    }
    open_scene(&scene, at);
    assert_string_equal(mu_story_level(&scene.story), "info");
    fail_with(&scene, MUTUAL_E_CROWDED_OUT, "others waited for its place");
    assert_null(scene.story.info);
    assert_string_equal(mu_story_level(&scene.story), "info");
    scene.story.info = &scene.info; /* it had begun a handshake */
    assert_string_equal(mu_story_level(&scene.story), "warning");
    close_scene(&scene);
}

static void a_record_is_one_line(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, 0);
    scene.story.peer = "a\nb";
    scene.info.sni = "c\nd";
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, MU_LIMIT_STORY_BYTES);
    mu_story_log_text(&scene.story, &counts, &out);
    mu_story_log_json(&scene.story, &counts, &out);
    assert_null(memchr(out.data, '\n', out.len));
    close_scene(&scene);
}

/* PIPE_BUF: a longer record could be torn apart on its way, or would not be written at all. */
static void the_longest_record_fits_into_a_pipe(void **state)
{
    (void)state;
    static char id[MU_LIMIT_NAME_BYTES + 1];
    static char sni[1021];
    memset(sni, '\\', sizeof sni - 1);
    for (int spiffe = 0; spiffe < 2; spiffe++) {
        struct scene scene;
        open_scene(&scene, 0);
        memset(id, spiffe ? 'a' : '\\', sizeof id - 1);
        const struct mutual_name name = {spiffe ? MUTUAL_NAME_SPIFFE : MUTUAL_NAME_URI, id,
                                         sizeof id - 1};
        scene.verdict.name = &name;
        scene.info.sni = sni;
        char reason[sizeof scene.error.reason];
        memset(reason, '"', sizeof reason - 1);
        reason[sizeof reason - 1] = '\0';
        fail_with(&scene, MUTUAL_E_IDLE_TIMEOUT, reason);
        memset(scene.error.hint, '"', sizeof scene.error.hint - 1);
        MU_AUTO(buf) struct mu_buf text;
        MU_AUTO(buf) struct mu_buf json;
        mu_buf_init(&text, 4096);
        mu_buf_init(&json, 4096);
        mu_story_log_text(&scene.story, &counts, &text);
        mu_story_log_json(&scene.story, &counts, &json);
        assert_false(text.failed || json.failed);
        close_scene(&scene);
    }
}

UNIT_MAIN(UNIT_CASE(who_loses_a_place_is_no_error), UNIT_CASE(the_longest_record_fits_into_a_pipe),
          UNIT_CASE(records_are_written_as_stored), UNIT_CASE(a_record_is_one_line))
