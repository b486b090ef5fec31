/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the explain room share.
 */
#ifndef MU_EXPLAIN_EXPLAIN_INTERNAL_H
#define MU_EXPLAIN_EXPLAIN_INTERNAL_H

#include "explain/explain.h"
#include "session/session.h"
#include "trust/trust.h"

/* No story is longer: a hundred names of CAs with long texts stay below it. */
#define MU_LIMIT_STORY_BYTES 65536u

/* mu_story_outcome, where a server that nobody judged and that did not refuse counts as admitted.
 */
const char *mu_view_outcome(const struct mutual_story *story, const struct mu_story_view *view);
/* What became of a step. The error may know of a failure that the journey was not told, and what
 * comes after the step that failed is told as not reached, whatever our side had done meanwhile. */
enum mutual_outcome mu_story_step_outcome(const struct mutual_story *story, enum mutual_step step);
/* Does the peer of this story present its certificate in this step? */
bool mu_story_is_peer_cert(const struct mutual_story *story, enum mutual_step step);
/* Who has to act, in words: "the client", "our configuration". */
const char *mu_story_actor(const struct mutual_story *story);
/* "listener" or "target". */
const char *mu_story_place(const struct mutual_story *story);
/* "client" or "server": what the peer is. */
const char *mu_story_peer_role(const struct mutual_story *story);
/* Where the deciding grant is written, "mutual.yaml:12"; "" when nowhere. */
#define MU_PLACE_TEXT 160
const char *mu_grant_place(const struct mutual_grant *grant, char place[MU_PLACE_TEXT]);
/* "0.3 ms", "12 ms", "4.2 s". */
const char *mu_lapse_text(int64_t ns, char text[MU_TIME_TEXT]);

#endif
