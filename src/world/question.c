/* SPDX-License-Identifier: Apache-2.0
 *
 * Questions about a world: would this identity or certificate be let in, why not, and what would
 * change that. Answers are admission's; here is only what they are asked about.
 */
#include "world/world_internal.h"

#include <string.h>

#include "identity/identity.h"
#include "policy/policy.h"
#include "trust/trust.h"

/* ---- names ----------------------------------------------------------------------------------- */

/* What somebody means who writes no type. */
static enum mutual_name_type guess_type(const char *text, char *storage, size_t storage_size)
{
    struct mutual_name name;
    if (mu_text_starts(text, "spiffe://")) {
        return MUTUAL_NAME_SPIFFE;
    }
    if (strstr(text, "://") != NULL) {
        return MUTUAL_NAME_URI;
    }
    if (mutual_name_parse(MUTUAL_NAME_IP, text, strlen(text), storage, storage_size, &name, NULL)) {
        return MUTUAL_NAME_IP;
    }
    return strchr(text, '@') != NULL ? MUTUAL_NAME_EMAIL : MUTUAL_NAME_DNS;
}

bool world_name_parse(const char *text, char *storage, size_t storage_size,
                      struct mutual_name *ret_name, struct mutual_error *err)
{
    const char *colon = strchr(text, ':');
    for (unsigned type = 0; colon != NULL && type < (unsigned)MUTUAL_NAME_COUNT_; type++) {
        enum mutual_name_type known = (enum mutual_name_type)type;
        if (mu_slice_equal_text(mu_slice_of(text, (size_t)(colon - text)),
                                mutual_name_type_word(known)) &&
            !mu_text_starts(colon, "://")) {
            return mutual_name_parse(known, colon + 1, strlen(colon + 1), storage, storage_size,
                                     ret_name, err);
        }
    }
    return mutual_name_parse(guess_type(text, storage, storage_size), text, strlen(text), storage,
                             storage_size, ret_name, err);
}

/* ---- services -------------------------------------------------------------------------------- */

#define WORDS_MAX 256u

const struct world_service *world_ask_service(const struct world *world, const char *name,
                                              struct mutual_error *err)
{
    const struct world_service *service = world_service_find(world, name);
    if (service != NULL) {
        return service;
    }
    const char *words[WORDS_MAX + 1] = {NULL};
    for (size_t i = 0; i < world->service_count && i < WORDS_MAX; i++) {
        words[i] = world->services[i].name;
    }
    const char *near = mu_suggest(name, words);
    (void)mu_fail(err, MUTUAL_E_NOT_FOUND, "the configuration has no service \"%s\"", name);
    if (near != NULL) {
        (void)mu_error_hint(err, "Did you mean \"%s\"?", near);
    } else {
        (void)mu_error_hint(err, "Its services are: mutual config show.");
    }
    return NULL;
}

/* ---- the near miss --------------------------------------------------------------------------- */

#define NEAR_MAX 4096u

struct near_search {
    enum mutual_name_type type;
    const char *texts[NEAR_MAX + 1];
    const struct mutual_pattern *patterns[NEAR_MAX];
    const struct mutual_grant *grants[NEAR_MAX];
    size_t count;
};

static bool gather(void *context, const struct mutual_grant *grant, const struct mutual_name *name,
                   enum mu_standing standing)
{
    struct near_search *search = context;
    (void)name;
    (void)standing;
    for (size_t i = 0; i < grant->from_count && search->count < NEAR_MAX; i++) {
        if (mutual_pattern_type(grant->from[i]) == search->type) {
            search->texts[search->count] = mutual_pattern_text(grant->from[i]);
            search->patterns[search->count] = grant->from[i];
            search->grants[search->count++] = grant;
        }
    }
    return search->count < NEAR_MAX;
}

const struct mutual_pattern *world_near_miss(const struct world *world, const char *service,
                                             const struct mutual_name *name,
                                             const struct mutual_grant **ret_grant)
{
    MU_AUTO(free) struct near_search *search = mu_alloc(1, sizeof *search);
    if (search == NULL) {
        return NULL;
    }
    search->type = name->type;
    mu_policy_who(world->policy, service, 0, gather, search);
    const char *near = mu_suggest(name->text, search->texts);
    for (size_t i = 0; near != NULL && i < search->count; i++) {
        if (search->texts[i] == near) {
            *ret_grant = search->grants[i];
            return search->patterns[i];
        }
    }
    return NULL;
}

/* ---- certificates ---------------------------------------------------------------------------- */

/* What is asked again and again, at other times and by other bundles. */
struct inquiry {
    const struct world_service *service;
    struct mutual_der sent[MU_LIMIT_CHAIN_SENT];
    struct x509_st *parsed[MU_LIMIT_CHAIN_SENT]; /* the same */
    size_t sent_count;
    struct mu_slice response; /* that a server staples; empty: none */
};

/* As a client reads it that has validated the chain. False: it is no good. */
static bool read_staple(const struct inquiry *inquiry, const struct mutual_trust *trust,
                        const struct mutual_chain *chain, int64_t now_s,
                        struct mutual_staple *ret_staple, struct mutual_error *err)
{
    return inquiry->response.len == 0 ||
           mu_trust_read_staple(trust, chain, inquiry->parsed, inquiry->sent_count,
                                inquiry->response, now_s, ret_staple, err);
}

/* Validates and asks. A path that was found is in *ret_chain even when the answer is no. */
static struct mu_answer ask(const struct inquiry *inquiry, const struct mutual_trust *trust,
                            int64_t now_s, struct mutual_chain **ret_chain)
{
    const struct mutual_rules *rules = &inquiry->service->rules;
    struct mu_answer answer = {.until_s = now_s};
    struct mutual_rules with = *rules;
    struct mu_question question = {0};
    bool server = rules->side == MUTUAL_SIDE_SERVER;
    if (trust != NULL) {
        bool valid = mutual_trust_validate(trust, inquiry->sent, inquiry->sent_count,
                                           server ? MUTUAL_PURPOSE_CLIENT : MUTUAL_PURPOSE_SERVER,
                                           now_s, ret_chain, &answer.why);
        if (!valid && !(server && rules->mode == MUTUAL_MODE_OBSERVE)) {
            return answer;
        }
        with.trust = trust;
        question.chain = *ret_chain;
        question.disbelieved = valid ? NULL : &answer.why;
        if (!server &&
            !read_staple(inquiry, trust, *ret_chain, now_s, &question.staple, &answer.why)) {
            return answer;
        }
    }
    return mu_admit_ask(&question, &with, now_s);
}

/* Until when it is a yes from now_s on; now_s itself when it is none. */
static int64_t yes_until(const struct inquiry *inquiry, int64_t now_s)
{
    struct mutual_chain *chain = NULL;
    struct mu_answer answer = ask(inquiry, inquiry->service->rules.trust, now_s, &chain);
    mutual_chain_unref(chain);
    return answer.allowed ? answer.until_s : now_s;
}

static const struct mu_cert *find_cert(const struct inquiry *inquiry, const struct mu_certs *certs,
                                       const uint8_t fingerprint[32])
{
    for (size_t i = 0; i < certs->count; i++) {
        if (memcmp(mu_cert_facts(certs->items[i])->fingerprint, fingerprint, 32) == 0) {
            return certs->items[i];
        }
    }
    return mu_trust_cert(inquiry->service->rules.trust, fingerprint);
}

static void tell_links(const struct inquiry *inquiry, const struct mu_certs *certs, int64_t now_s,
                       struct world_answer *answer)
{
    size_t count = 0;
    const struct mutual_link *links = mutual_chain_links(answer->chain, &count);
    for (size_t i = 0; i < count && i < MU_LIMIT_CHAIN_DEPTH; i++) {
        const struct mu_cert *cert = find_cert(inquiry, certs, links[i].fingerprint);
        answer->links[answer->link_count++] =
            (struct world_link){.role = i == 0           ? "certificate"
                                        : i + 1 == count ? "authority"
                                                         : "intermediate",
                                .name = cert != NULL ? mu_cert_facts(cert)->subject_text : "",
                                .not_before_s = links[i].not_before_s,
                                .not_after_s = links[i].not_after_s,
                                .lists_until_s = mu_trust_lists_until(inquiry->service->rules.trust,
                                                                      answer->chain, i, now_s)};
    }
}

/* Only the anchor of the path that was found can matter: the path does not need another. */
static void try_without_anchor(const struct inquiry *inquiry, int64_t now_s,
                               struct world_answer *answer)
{
    size_t count = 0;
    const struct mutual_link *links = mutual_chain_links(answer->chain, &count);
    MU_AUTO(trust) struct mutual_trust *trust = NULL;
    if (!mu_trust_without(inquiry->service->rules.trust, links[count - 1].fingerprint, &trust,
                          &answer->without)) {
        answer->needs_anchor = true;
        return;
    }
    struct mutual_chain *chain = NULL;
    struct mu_answer other = ask(inquiry, trust, now_s, &chain);
    answer->needs_anchor = !other.allowed;
    answer->without = other.why;
    mutual_chain_unref(chain);
}

/* When the answer turns to yes, and when the last yes ended. */
struct moments {
    int64_t now_s;
    int64_t next_s; /* MU_TIME_NEVER_S: none */
    int64_t last_s; /* INT64_MIN: none */
};

static void try_moment(const struct inquiry *inquiry, int64_t time_s, struct moments *moments)
{
    if (time_s == moments->now_s || time_s >= moments->next_s) {
        return;
    }
    int64_t until_s = yes_until(inquiry, time_s);
    if (until_s == time_s) {
        return;
    }
    if (time_s > moments->now_s) {
        moments->next_s = time_s;
    } else if (until_s <= moments->now_s && until_s > moments->last_s) {
        moments->last_s = until_s;
    }
}

static int64_t find_other_time(const struct inquiry *inquiry, const struct mu_certs *certs,
                               const struct world_answer *answer, int64_t now_s)
{
    struct moments moments = {now_s, MU_TIME_NEVER_S, INT64_MIN};
    for (size_t i = 0; i < certs->count && i < inquiry->sent_count; i++) {
        try_moment(inquiry, mu_cert_facts(certs->items[i])->not_before_s, &moments);
        try_moment(inquiry, mu_cert_facts(certs->items[i])->not_after_s, &moments);
    }
    for (size_t i = 0; i < answer->link_count; i++) {
        try_moment(inquiry, answer->links[i].not_before_s, &moments);
    }
    const struct mutual_grant *grant = answer->answer.grant;
    if (grant != NULL) {
        try_moment(inquiry, grant->since_s, &moments);
        try_moment(inquiry, grant->until_s - 1, &moments);
    }
    if (moments.next_s != MU_TIME_NEVER_S) {
        return moments.next_s;
    }
    return moments.last_s != INT64_MIN ? moments.last_s : MU_TIME_NEVER_S;
}

/* What there is to be told of staples; what they decide, admission has said. */
static void tell_staple(const struct inquiry *inquiry, const struct mu_certs *certs, int64_t now_s,
                        struct world_answer *answer)
{
    const struct world_service *service = inquiry->service;
    struct mutual_error told_already = {0};
    if (service->rules.side == MUTUAL_SIDE_SERVER) {
        return;
    }
    answer->staple_demanded = mu_cert_facts(certs->items[0])->must_staple ||
                              (service->trust != NULL &&
                               service->trust->config->revocation.staple == CONFIG_STAPLE_REQUIRE);
    if (answer->chain != NULL) {
        (void)read_staple(inquiry, service->rules.trust, answer->chain, now_s, &answer->staple,
                          &told_already);
    }
}

void world_ask_certs(const struct world_service *service, const struct mu_certs *certs,
                     struct mu_slice response, int64_t now_s, struct world_answer *ret_answer)
{
    struct inquiry inquiry = {.service = service, .response = response};
    for (size_t i = 0; i < certs->count && i < MU_LIMIT_CHAIN_SENT; i++) {
        struct mu_slice der = mu_cert_facts(certs->items[i])->der;
        inquiry.parsed[inquiry.sent_count] = mu_cert_x509(certs->items[i]);
        inquiry.sent[inquiry.sent_count++] = (struct mutual_der){der.data, der.len};
    }
    *ret_answer = (struct world_answer){.other_s = MU_TIME_NEVER_S};
    ret_answer->answer = ask(&inquiry, service->rules.trust, now_s, &ret_answer->chain);
    if (ret_answer->chain != NULL) {
        tell_links(&inquiry, certs, now_s, ret_answer);
    }
    tell_staple(&inquiry, certs, now_s, ret_answer);
    if (ret_answer->answer.allowed && ret_answer->chain != NULL) {
        try_without_anchor(&inquiry, now_s, ret_answer);
    } else if (!ret_answer->answer.allowed) {
        ret_answer->other_s = find_other_time(&inquiry, certs, ret_answer, now_s);
    }
}

void world_answer_done(struct world_answer *answer)
{
    mutual_chain_unref(answer->chain);
    answer->chain = NULL;
}

void mu_world_answer_auto(struct world_answer *answer)
{
    world_answer_done(answer);
}
