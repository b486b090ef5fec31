/* SPDX-License-Identifier: Apache-2.0 */
#include "golden.h"
#include "stories.h"

/* The stories as they are stored, except for what is random in them: keys, serials, prints. */
static void stories_are_told_as_stored(void **state)
{
    (void)state;
    for (size_t i = 0; i < MU_COUNT(stories); i++) {
        struct scene scene;
        open_scene(&scene, i);
        MU_AUTO(buf) struct mu_buf out;
        mu_buf_init(&out, MU_LIMIT_STORY_BYTES);
        struct mu_story_view view = scene.view;
        view.observed = NULL;
        mu_explain_json(&scene.story, &view, &out);
        assert_true(mu_buf_byte(&out, '\n'));
        char name[64];
        snprintf(name, sizeof name, "%s.json", stories[i].name);
        assert_golden(name, mu_buf_slice(&out));
        close_scene(&scene);
    }
}

static void what_was_seen_is_told(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, MU_COUNT(stories) - 2);
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, MU_LIMIT_STORY_BYTES);
    mu_explain_json(&scene.story, &scene.view, &out);
    static const char *const parts[] = {
        "\"versions\":[\"TLS 1.3\",\"TLS 1.2\"]",
        "\"0xfafa\"]",
        "\"subject\":\"CN=payments.e.org\"",
        "\"key\":\"EC P-256\"",
        "\"authorities\":[\"CN=Example Issuer 2\"]",
        "\"alert_received\":{\"number\":48,\"name\":\"unknown_ca\"}",
    };
    for (size_t i = 0; i < MU_COUNT(parts); i++) {
        if (strstr(mu_buf_str(&out), parts[i]) == NULL) {
            fail_msg("%s is not in %s", parts[i], mu_buf_str(&out));
        }
    }
    close_scene(&scene);
}

static void a_small_space_gets_the_beginning(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, 0);
    char part[16];
    assert_true(mutual_explain_json(&scene.story, part, sizeof part) > sizeof part);
    assert_string_equal(part, "{\"outcome\":\"adm");
    close_scene(&scene);
}

UNIT_MAIN(UNIT_CASE(stories_are_told_as_stored), UNIT_CASE(what_was_seen_is_told),
          UNIT_CASE(a_small_space_gets_the_beginning))
