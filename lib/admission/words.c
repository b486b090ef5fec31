/* SPDX-License-Identifier: Apache-2.0
 *
 * How admission says no: who, to what, why not, and the very line that would change it. Names come
 * from certificates and are escaped.
 */
#include "admission/admission_internal.h"

#include "policy/policy.h"

#include <stdio.h>

/* Enough for one long name; a list that would grow longer says how many it leaves out. */
#define NAME_TEXT_BYTES 96u
#define LIST_TEXT_BYTES 90u

static struct mu_buf small_buf(void)
{
    struct mu_buf buf;
    mu_buf_init(&buf, 8 * MU_LIMIT_NAME_BYTES);
    return buf;
}

/* A common name alone is no identity: it counts only where a grant names it as such. */
static bool is_usable(const struct mutual_name *name)
{
    return name->type != MUTUAL_NAME_CN;
}

const struct mutual_name *mu_name_chief(const struct mutual_name *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (names[i].type == MUTUAL_NAME_SPIFFE) {
            return &names[i];
        }
    }
    return count > 0 ? &names[0] : NULL;
}

const struct mutual_name *mu_peer_name(const struct mutual_verdict *verdict,
                                       const struct mutual_chain *chain)
{
    if (verdict != NULL && verdict->name != NULL) {
        return verdict->name;
    }
    size_t count = 0;
    const struct mutual_name *names = chain == NULL ? NULL : mutual_chain_names(chain, &count);
    return mu_name_chief(names, count);
}

static size_t count_usable(const struct mutual_name *names, size_t count)
{
    size_t usable = 0;
    for (size_t i = 0; i < count; i++) {
        usable += is_usable(&names[i]) ? 1 : 0;
    }
    return usable;
}

/* Adds to *list: dns "a", dns "b" and 3 more. */
static void add_to_list(struct mu_buf *list, size_t nth, enum mutual_name_type type,
                        struct mu_slice text)
{
    mu_buf_printf(list, "%s%s \"", nth == 0 ? "" : ", ", mutual_name_type_word(type));
    mu_escape(list, text);
    mu_buf_byte(list, '"');
}

static void list_expected(struct mu_buf *list, const struct mutual_rules *rules)
{
    for (size_t i = 0; i < rules->expect_count; i++) {
        if (list->len > LIST_TEXT_BYTES) {
            mu_buf_printf(list, " or %zu more", rules->expect_count - i);
            return;
        }
        add_to_list(list, i, mutual_pattern_type(rules->expect[i]),
                    mu_slice_text(mutual_pattern_text(rules->expect[i])));
    }
}

static void list_found(struct mu_buf *list, const struct mutual_name *names, size_t count)
{
    size_t usable = count_usable(names, count);
    size_t said = 0;
    for (size_t i = 0; i < count && said < usable; i++) {
        if (!is_usable(&names[i])) {
            continue;
        }
        if (list->len > LIST_TEXT_BYTES) {
            mu_buf_printf(list, " and %zu more", usable - said);
            return;
        }
        add_to_list(list, said++, names[i].type, mu_slice_of(names[i].text, names[i].len));
    }
}

/* Where a grant is written, as " (mutual.yaml:12)", or nothing. */
static const char *place_of(const struct mutual_grant *grant, char place[NAME_TEXT_BYTES])
{
    place[0] = '\0';
    if (grant->file != NULL) {
        snprintf(place, NAME_TEXT_BYTES, " (%s:%d)", grant->file, grant->line);
    }
    return place;
}

/* A grant would let `who` in at another time. */
static bool say_not_now(const struct mutual_grant *grant, const char *who, const char *service,
                        int64_t now_s, struct mutual_error *err)
{
    char place[NAME_TEXT_BYTES];
    char when[MU_TIME_TEXT];
    if (mu_grant_standing(grant, now_s) == MU_STANDING_NOT_BEGUN) {
        return mu_fail(err, MUTUAL_E_GRANT_NOT_BEGUN,
                       "grant \"%s\"%s lets %s reach \"%s\" only from %s on", grant->name,
                       place_of(grant, place), who, service, mu_time_format(grant->since_s, when));
    }
    return mu_fail(err, MUTUAL_E_GRANT_ENDED, "grant \"%s\"%s let %s reach \"%s\" until %s",
                   grant->name, place_of(grant, place), who, service,
                   mu_time_format(grant->until_s, when));
}

/* Gives the line to add to the policy, if it fits: a cut line would be worse than none. */
static void hint_line(struct mutual_error *err, const char *service, const char *type,
                      const char *text)
{
    char hint[sizeof err->hint];
    int n = snprintf(hint, sizeof hint,
                     "Add to the policy: - {grant: NAME, to: %s, from: [{%s: \"%s\"}], owner: WHO, "
                     "why: REASON}",
                     service, type, text);
    if (n > 0 && (size_t)n < sizeof hint) {
        mu_error_hint(err, "%s", hint);
    }
}

bool mu_say_denied(const struct mutual_rules *rules, const struct mu_peer *peer,
                   const struct mutual_decision *decision, int64_t now_s, struct mutual_error *err)
{
    const struct mutual_name *names = peer->names;
    size_t count = peer->name_count;
    const struct mutual_name *chief =
        decision->name != NULL ? decision->name : mu_name_chief(names, count);
    if (chief == NULL) {
        return mu_fail(err, MUTUAL_E_NO_IDENTITY, "certificate \"%s\" holds no usable name",
                       peer->subject);
    }
    MU_AUTO(buf) struct mu_buf who = small_buf();
    mu_buf_byte(&who, '"');
    mu_escape(&who, mu_slice_of(chief->text, chief->len));
    mu_buf_byte(&who, '"');
    if (decision->grant != NULL) {
        return say_not_now(decision->grant, mu_buf_str(&who), rules->service, now_s, err);
    }
    if (count_usable(names, count) == 0) {
        return mu_fail(err, MUTUAL_E_NO_IDENTITY,
                       "the certificate holds only the common name %s, which no grant to \"%s\" "
                       "names as a common name",
                       mu_buf_str(&who), rules->service);
    }
    (void)mu_fail(err, MUTUAL_E_POLICY_DENIED, "no grant lets %s reach \"%s\"", mu_buf_str(&who),
                  rules->service);
    mu_buf_clear(&who);
    mu_escape(&who, mu_slice_of(chief->text, chief->len));
    hint_line(err, rules->service, mutual_name_type_word(chief->type), mu_buf_str(&who));
    return false;
}

bool mu_say_denied_anonymous(const struct mutual_rules *rules,
                             const struct mutual_decision *decision, int64_t now_s,
                             struct mutual_error *err)
{
    if (decision->grant != NULL) {
        return say_not_now(decision->grant, "a peer without a certificate", rules->service, now_s,
                           err);
    }
    (void)mu_fail(err, MUTUAL_E_POLICY_DENIED,
                  "no grant lets a peer without a certificate reach \"%s\"", rules->service);
    return mu_error_hint(err,
                         "Give the client a certificate; or add a grant to \"%s\" from "
                         "anonymous, if everybody may reach it.",
                         rules->service);
}

/* Whoever wrote the entry is told by it, so that somebody knows whom to ask. What is long is cut:
 * where the entry is written comes first. */
bool mu_say_on_list(const struct mutual_denial *denial, const struct mu_peer *peer, size_t link,
                    const struct mutual_name *name, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf who = small_buf();
    MU_AUTO(buf) struct mu_buf why = small_buf();
    if (name != NULL) {
        mu_buf_printf(&who, "%s \"", mutual_name_type_word(name->type));
        mu_escape(&who, mu_slice_of(name->text, name->len < 60 ? name->len : 60));
        mu_buf_byte(&who, '"');
    } else {
        mu_buf_printf(&who, "%scertificate \"%.60s\"", link > 0 ? "an authority above " : "",
                      peer->subject);
    }
    mu_escape(&why, mu_slice_text(denial->owner));
    mu_buf_text(&why, ": ");
    mu_escape(&why, mu_slice_text(denial->reason));
    return mu_fail(err, MUTUAL_E_PEER_DENIED, "%s is denied at %s:%d by %s", mu_buf_str(&who),
                   denial->file, denial->line, mu_buf_str(&why));
}

bool mu_say_mismatch(const struct mutual_rules *rules, const struct mu_peer *peer,
                     struct mutual_error *err)
{
    const struct mutual_name *names = peer->names;
    size_t count = peer->name_count;
    MU_AUTO(buf) struct mu_buf expected = small_buf();
    list_expected(&expected, rules);
    if (count_usable(names, count) == 0) {
        return mu_fail(err, MUTUAL_E_NO_IDENTITY,
                       "server certificate \"%s\" holds no usable name; expected %s", peer->subject,
                       mu_buf_str(&expected));
    }
    MU_AUTO(buf) struct mu_buf found = small_buf();
    list_found(&found, names, count);
    return mu_fail(err, MUTUAL_E_NAME_MISMATCH,
                   "the server is not whom we expected: expected %s; "
                   "its certificate is for %s",
                   mu_buf_str(&expected), mu_buf_str(&found));
}
