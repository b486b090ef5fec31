/* SPDX-License-Identifier: Apache-2.0 */
#include "stories.h"

static const char *outcome_of_story(const char *name, char actor[96])
{
    for (size_t i = 0; i < MU_COUNT(stories); i++) {
        if (strcmp(stories[i].name, name) == 0) {
            struct scene scene;
            open_scene(&scene, i);
            const char *outcome = mu_story_outcome(&scene.story);
            snprintf(actor, 96, "%s", mu_story_actor(&scene.story));
            close_scene(&scene);
            return outcome;
        }
    }
    fail_msg("no story \"%s\"", name);
    return NULL;
}

static void outcomes_and_actors(void **state)
{
    (void)state;
    static const struct {
        const char *name, *outcome, *actor;
    } rows[] = {
        {"admitted_mutual", "admitted", "nobody"},
        {"not_tls", "refused", "the client's side"},
        {"policy_denied", "refused", "the owner of the policy"},
        {"peer_denied", "refused", "the owner of the deny list's entry"},
        {"ended_idle", "ended", "the client's side"},
        {"backend_down", "failed", "the administrator of the service behind the gateway"},
        {"under_way", "under_way", "nobody"},
        {"client_server_expired", "refused", "the server's side"},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        char actor[96];
        assert_string_equal(outcome_of_story(rows[i].name, actor), rows[i].outcome);
        assert_string_equal(actor, rows[i].actor);
    }
}

static void a_refusal_that_comes_late_is_a_refusal(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, 0);
    fail_with(&scene, MUTUAL_E_PEER_REFUSED_US, "too late");
    assert_string_equal(mu_story_outcome(&scene.story), "refused");
    assert_int_equal(mu_story_step(&scene.story), MUTUAL_STEP_CLIENT_CHECK);
    close_scene(&scene);
}

static void lapses_and_places_read_well(void **state)
{
    (void)state;
    char text[MU_TIME_TEXT];
    assert_string_equal(mu_lapse_text(340000, text), "0.3 ms");
    assert_string_equal(mu_lapse_text(12 * MU_NS_PER_MS, text), "12 ms");
    assert_string_equal(mu_lapse_text(4200 * MU_NS_PER_MS, text), "4.2 s");
    char place[MU_PLACE_TEXT];
    const struct mutual_grant grant = {.file = "a.yaml", .line = 3};
    const struct mutual_grant nowhere = {0};
    assert_string_equal(mu_grant_place(&grant, place), "a.yaml:3");
    assert_string_equal(mu_grant_place(&nowhere, place), "");
    assert_string_equal(mu_grant_place(NULL, place), "");
}

UNIT_MAIN(UNIT_CASE(outcomes_and_actors), UNIT_CASE(a_refusal_that_comes_late_is_a_refusal),
          UNIT_CASE(lapses_and_places_read_well))
