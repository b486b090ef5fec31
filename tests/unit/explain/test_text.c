/* SPDX-License-Identifier: Apache-2.0 */
#include "golden.h"
#include "stories.h"

static void stories_are_told_as_stored(void **state)
{
    (void)state;
    for (size_t i = 0; i < MU_COUNT(stories); i++) {
        struct scene scene;
        open_scene(&scene, i);
        MU_AUTO(buf) struct mu_buf out;
        mu_buf_init(&out, MU_LIMIT_STORY_BYTES);
        mu_explain_text(&scene.story, &scene.view, &out);
        assert_false(out.failed);
        char name[64];
        snprintf(name, sizeof name, "%s.txt", stories[i].name);
        assert_golden(name, mu_buf_slice(&out));
        close_scene(&scene);
    }
}

static void a_small_space_gets_the_beginning(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, 0);
    static char whole[4096];
    char part[16];
    size_t len = mutual_explain_text(&scene.story, whole, sizeof whole);
    assert_int_equal(len, strlen(whole));
    assert_int_equal(mutual_explain_text(&scene.story, part, sizeof part), len);
    assert_int_equal(strlen(part), sizeof part - 1);
    assert_memory_equal(part, whole, sizeof part - 1);
    assert_int_equal(mutual_explain_text(&scene.story, NULL, 0), len);
    close_scene(&scene);
}

/* What a peer chose never moves a cursor or breaks a line. */
static void hostile_texts_are_escaped(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, 0);
    scene.info.sni = "a\x1b[2J\n\"b";
    scene.story.peer = "\x07";
    static char text[4096];
    mutual_explain_text(&scene.story, text, sizeof text);
    assert_non_null(strstr(text, "SNI \"a\\x1b[2J\\x0a\\\"b\""));
    assert_null(strchr(text, '\x1b'));
    assert_null(strchr(text, '\x07'));
    close_scene(&scene);
}

static void what_is_no_certificate_is_told(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, MU_COUNT(stories) - 1);
    static const uint8_t junk[] = {1, 2, 3};
    scene.observed.certs[1] = (struct mutual_der){junk, sizeof junk};
    scene.observed.cert_count = 2;
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, MU_LIMIT_STORY_BYTES);
    mu_explain_text(&scene.story, &scene.view, &out);
    assert_non_null(strstr(mu_buf_str(&out), "something of 3 bytes that is not a certificate"));
    close_scene(&scene);
}

UNIT_MAIN(UNIT_CASE(stories_are_told_as_stored), UNIT_CASE(a_small_space_gets_the_beginning),
          UNIT_CASE(hostile_texts_are_escaped), UNIT_CASE(what_is_no_certificate_is_told))
