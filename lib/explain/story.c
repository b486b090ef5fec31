/* SPDX-License-Identifier: Apache-2.0
 *
 * What a story comes down to: outcome, step, error, who has to act.
 */
#include "explain/explain_internal.h"

#include <stdio.h>

const struct mutual_error *mu_story_error(const struct mutual_story *story)
{
    if (story->error != NULL && story->error->code != MUTUAL_OK) {
        return story->error;
    }
    if (story->verdict != NULL && !story->verdict->allowed) {
        return &story->verdict->why;
    }
    return NULL;
}

/* Did data flow? A relay that broke did; one whose backend was never reached did not. */
static bool was_relayed(const struct mutual_story *story, enum mutual_code code)
{
    enum mutual_outcome outcome = story->journey->steps[MUTUAL_STEP_DATA].outcome;
    return outcome == MUTUAL_OUTCOME_DONE ||
           (outcome == MUTUAL_OUTCOME_FAILED && code != MUTUAL_E_BACKEND_DOWN);
}

static bool is_admitted(const struct mutual_story *story)
{
    return story->verdict != NULL && story->verdict->allowed;
}

const char *mu_story_outcome(const struct mutual_story *story)
{
    const struct mutual_error *error = mu_story_error(story);
    if (error == NULL) {
        return is_admitted(story) ? "admitted" : "under_way";
    }
    if (error->code == MUTUAL_E_PEER_SILENT) {
        return "left"; /* nobody asked for anything, nobody was refused */
    }
    /* In TLS 1.3 a client has admitted its server, and may have sent data, before it hears that
     * the server refuses its certificate. */
    bool by_peer = error->code == MUTUAL_E_PEER_REFUSED_US ||
                   error->code == MUTUAL_E_PEER_WANTS_CERT || error->code == MUTUAL_E_PEER_ALERT;
    if (is_admitted(story) && was_relayed(story, error->code) && !by_peer) {
        return "ended";
    }
    return mutual_code_class(error->code) == MUTUAL_CLASS_PEER ? "refused" : "failed";
}

const char *mu_view_outcome(const struct mutual_story *story, const struct mu_story_view *view)
{
    return view->unchecked && mu_story_error(story) == NULL ? "admitted" : mu_story_outcome(story);
}

enum mutual_step mu_story_step(const struct mutual_story *story)
{
    const struct mutual_error *error = mu_story_error(story);
    if (error != NULL && error->step != MUTUAL_STEP_NONE) {
        return error->step;
    }
    return mutual_journey_step(story->journey);
}

enum mutual_outcome mu_story_step_outcome(const struct mutual_story *story, enum mutual_step step)
{
    enum mutual_step last = mu_story_error(story) == NULL ? MUTUAL_STEP_DATA : mu_story_step(story);
    bool relayed = step == MUTUAL_STEP_DATA; /* data may have flowed until access ended */
    if (mu_story_error(story) != NULL && step == last) {
        return MUTUAL_OUTCOME_FAILED;
    }
    return step > last && !relayed ? MUTUAL_OUTCOME_PENDING : story->journey->steps[step].outcome;
}

bool mu_story_is_peer_cert(const struct mutual_story *story, enum mutual_step step)
{
    return step ==
           (story->side == MUTUAL_SIDE_SERVER ? MUTUAL_STEP_CLIENT_CERT : MUTUAL_STEP_SERVER_CERT);
}

const char *mu_story_peer_role(const struct mutual_story *story)
{
    return story->side == MUTUAL_SIDE_SERVER ? "client" : "server";
}

const char *mu_story_place(const struct mutual_story *story)
{
    return story->side == MUTUAL_SIDE_SERVER ? "listener" : "target";
}

/* Where the class of the code does not tell who can mend it. */
static const struct {
    enum mutual_code code;
    const char *actor;
} others[] = {
    {MUTUAL_E_PEER_DENIED, "the owner of the deny list's entry"},
    {MUTUAL_E_POLICY_DENIED, "the owner of the policy"},
    {MUTUAL_E_GRANT_ENDED, "the owner of the policy"},
    {MUTUAL_E_GRANT_NOT_BEGUN, "the owner of the policy"},
    {MUTUAL_E_PEER_REFUSED_US,
     "our side (another certificate), or the server's side (its authorities)"},
    {MUTUAL_E_PEER_WANTS_CERT, "our side"},
    {MUTUAL_E_RESOLVE_FAILED, "the DNS administrator, or whoever gave this name"},
    {MUTUAL_E_CONNECT_FAILED, "the administrator of the server, or of the network between"},
    {MUTUAL_E_CONNECT_TIMEOUT, "the administrator of the server, or of the network between"},
    {MUTUAL_E_BACKEND_DOWN, "the administrator of the service behind the gateway"},
    {MUTUAL_E_BACKEND_RESET, "the administrator of the service behind the gateway"},
};

const char *mu_story_actor(const struct mutual_story *story)
{
    const struct mutual_error *error = mu_story_error(story);
    if (error == NULL) {
        return "nobody";
    }
    for (size_t i = 0; i < MU_COUNT(others); i++) {
        if (others[i].code == error->code) {
            return others[i].actor;
        }
    }
    static const char *const actors[MUTUAL_CLASS_COUNT_] = {
        [MUTUAL_CLASS_USAGE] = "whoever gave the command",
        [MUTUAL_CLASS_CONFIG] = "the owner of the configuration here",
        [MUTUAL_CLASS_SYSTEM] = "the administrator of this machine",
        [MUTUAL_CLASS_BUG] = "the developers of mutual",
    };
    enum mutual_class klass = mutual_code_class(error->code);
    if (klass == MUTUAL_CLASS_PEER) {
        return story->side == MUTUAL_SIDE_SERVER ? "the client's side" : "the server's side";
    }
    return actors[klass];
}

const char *mu_grant_place(const struct mutual_grant *grant, char place[MU_PLACE_TEXT])
{
    place[0] = '\0';
    if (grant != NULL && grant->file != NULL) {
        snprintf(place, MU_PLACE_TEXT, "%s:%d", grant->file, grant->line);
    }
    return place;
}

const char *mu_lapse_text(int64_t ns, char text[MU_TIME_TEXT])
{
    double ms = (double)ns / (double)MU_NS_PER_MS;
    if (ms < 10) {
        snprintf(text, MU_TIME_TEXT, "%.1f ms", ms);
    } else if (ms < 1000) {
        snprintf(text, MU_TIME_TEXT, "%.0f ms", ms);
    } else {
        snprintf(text, MU_TIME_TEXT, "%.1f s", ms / 1000);
    }
    return text;
}
