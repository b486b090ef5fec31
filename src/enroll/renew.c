/* SPDX-License-Identifier: Apache-2.0
 *
 * One renewal from beginning to end. Until the exchange nothing that anybody reads is touched;
 * after it the old files are kept until what is to be run has succeeded.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "enroll/enroll_internal.h"
#include "identity/identity.h"

enum { STATE_MAX = 1024, AHEAD_S = 30 };

/* ---- what became of tries ----------------------------------------------------------------------
 */

struct enroll_tries enroll_tries_load(const char *path, const struct enroll_life *life)
{
    MU_AUTO(buf) struct mu_buf text = {0};
    MU_AUTO(buf) struct mu_buf salt;
    char whose[65] = "";
    long long tried_s = 0;
    long long told_s = 0;
    unsigned failures = 0;
    mu_buf_init(&salt, 65);
    mu_hex(&salt, mu_slice_of(life->salt, sizeof life->salt));
    if (!mu_file_read(path, STATE_MAX, &text, NULL) ||
        sscanf(mu_buf_str(&text), "certificate %64s\nfailures %u\ntried %lld\nnot-before %lld\n",
               whose, &failures, &tried_s, &told_s) != 4 ||
        strcmp(whose, mu_buf_str(&salt)) != 0) {
        return (struct enroll_tries){0};
    }
    return (struct enroll_tries){.failures = failures, .tried_s = tried_s, .told_s = told_s};
}

bool enroll_tries_save(const char *path, const struct enroll_life *life,
                       const struct enroll_tries *tries, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, STATE_MAX);
    (void)mu_buf_text(&text, "certificate ");
    mu_hex(&text, mu_slice_of(life->salt, sizeof life->salt));
    (void)mu_buf_printf(&text, "\nfailures %u\ntried %lld\nnot-before %lld\n", tries->failures,
                        (long long)tries->tried_s, (long long)tries->told_s);
    return text.failed ? mu_fail_memory(err) : mu_file_write(path, mu_buf_slice(&text), 0600, err);
}

/* ---- one renewal -------------------------------------------------------------------------------
 */

struct renewal {
    const struct enroll_job *job;
    int64_t now_s;
    char *path;  /* the directory, links resolved         */
    char *state; /* the file of tries                     */
    int lock;    /* nobody else renews this one meanwhile */
    struct enroll_triple old, fresh;
    struct mutual_trust *live; /* what peers believe today */
    struct mutual_identity *identity;
    struct enroll_swap swap;
    int64_t retry_after_s;
};

static void renewal_done(struct renewal *renewal)
{
    enroll_swap_done(&renewal->swap);
    enroll_triple_done(&renewal->old);
    enroll_triple_done(&renewal->fresh);
    mutual_trust_unref(renewal->live);
    mutual_identity_unref(renewal->identity);
    if (renewal->lock != -1) {
        (void)close(renewal->lock);
    }
    mu_free(renewal->state);
    mu_free(renewal->path);
}

/* A file beside the directory: .NAME.WHAT */
static char *beside(const char *path, const char *what)
{
    MU_AUTO(buf) struct mu_buf text;
    const char *slash = strrchr(path, '/');
    mu_buf_init(&text, 8192);
    (void)mu_buf_printf(&text, "%.*s/.%s.%s", (int)(slash - path), path, slash + 1, what);
    return text.failed ? NULL : mu_strdup(mu_buf_str(&text));
}

static bool take_lock(struct renewal *renewal, struct mutual_error *err)
{
    MU_AUTO(free) char *place = beside(renewal->path, "renewing");
    renewal->state = beside(renewal->path, "renewal");
    if (place == NULL || renewal->state == NULL) {
        return mu_fail_memory(err);
    }
    renewal->lock = open(place, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (renewal->lock == -1) {
        return mu_fail_errno(err, MUTUAL_E_FILE_UNWRITABLE, errno, "could not make \"%s\"", place);
    }
    return flock(renewal->lock, LOCK_EX | LOCK_NB) == 0 ||
           mu_fail(err, MUTUAL_E_RENEWAL_BUSY, "somebody else renews \"%s\" just now",
                   renewal->path);
}

static bool load_live(struct renewal *renewal, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf pem = {0};
    if (renewal->job->trust_file != NULL) {
        return mutual_trust_load(renewal->job->trust_file, &renewal->live, err);
    }
    mu_buf_init(&pem, MU_LIMIT_PEM_BYTES);
    for (size_t i = 0; i < renewal->old.roots.count; i++) {
        mu_cert_to_pem(renewal->old.roots.items[i], &pem);
    }
    renewal->live = mutual_trust_new("ca.crt");
    if (renewal->live == NULL || pem.failed) {
        return mu_fail_memory(err);
    }
    return mutual_trust_add_pem(renewal->live, mu_buf_str(&pem), pem.len, err) &&
           mutual_trust_freeze(renewal->live, err);
}

static bool open_renewal(struct renewal *renewal, struct mutual_error *err)
{
    renewal->path = enroll_real_path(renewal->job->directory);
    if (renewal->path == NULL || strcmp(renewal->path, "/") == 0) {
        return mu_fail_errno(err, MUTUAL_E_FILE_MISSING, renewal->path == NULL ? errno : 0,
                             "could not find directory \"%s\"", renewal->job->directory);
    }
    if (!take_lock(renewal, err)) {
        return false;
    }
    enroll_swap_recover(renewal->path);
    return enroll_triple_load(renewal->path, &renewal->old, err) && load_live(renewal, err) &&
           mu_identity_new(renewal->old.chain.items, renewal->old.chain.count, renewal->old.key,
                           &renewal->identity, err);
}

static bool spec_of(const struct mu_key *key, enum mu_key_spec *ret_spec, struct mutual_error *err)
{
    const struct mu_key_info *info = mu_key_info(key);
    if (info->kind == MU_KEY_EC && info->curve == MU_CURVE_P256) {
        *ret_spec = MU_SPEC_EC_P256;
    } else if (info->kind == MU_KEY_EC && info->curve == MU_CURVE_P384) {
        *ret_spec = MU_SPEC_EC_P384;
    } else if (info->kind == MU_KEY_ED25519) {
        *ret_spec = MU_SPEC_ED25519;
    } else if (info->kind == MU_KEY_RSA) {
        *ret_spec = info->bits <= 2048   ? MU_SPEC_RSA_2048
                    : info->bits <= 3072 ? MU_SPEC_RSA_3072
                                         : MU_SPEC_RSA_4096;
    } else {
        return mu_fail(err, MUTUAL_E_KEY_UNSUPPORTED, "no new key of kind %s is made", info->text);
    }
    return true;
}

/* The leaf for our key first, then whoever issued what is before; roots stay with whoever believes
 * them. */
static bool order(const struct mu_certs *certs, struct enroll_triple *fresh,
                  struct mutual_error *err)
{
    const struct mu_cert *last = NULL;
    for (size_t i = 0; i < certs->count && last == NULL; i++) {
        if (mu_key_matches(fresh->key, certs->items[i], NULL)) {
            last = certs->items[i];
        }
    }
    if (last == NULL) {
        return mu_fail(err, MUTUAL_E_KEY_MISMATCH,
                       "the authority's answer holds no certificate for the new key");
    }
    if (!mu_certs_add(&fresh->chain, last, err)) {
        return false;
    }
    for (size_t i = 0; i < certs->count && fresh->chain.count < MU_LIMIT_CHAIN_DEPTH; i++) {
        const struct mu_cert *one = certs->items[i];
        if (!mu_cert_facts(one)->self_issued && one != last && mu_cert_may_issue(one, last)) {
            if (!mu_certs_add(&fresh->chain, one, err)) {
                return false;
            }
            last = one;
            i = (size_t)-1; /* from the beginning: its issuer may stand before it */
        }
    }
    return true;
}

/* An authority that sends the leaf only (RFC 7030 section 4.2.3): what completed the old path
 * completes the new one, if it is the same issuer's. */
static bool complete(const struct enroll_triple *old, struct enroll_triple *fresh,
                     struct mutual_error *err)
{
    bool same = fresh->chain.count == 1 && old->chain.count > 1 &&
                mu_cert_may_issue(old->chain.items[1], fresh->chain.items[0]);
    for (size_t i = 1; same && i < old->chain.count; i++) {
        if (!mu_certs_add(&fresh->chain, old->chain.items[i], err)) {
            return false;
        }
    }
    for (size_t i = 0; i < old->roots.count; i++) {
        if (!mu_certs_add(&fresh->roots, old->roots.items[i], err)) {
            return false;
        }
    }
    return true;
}

static bool ask(struct renewal *renewal, struct mutual_error *err)
{
    enum mu_key_spec spec;
    MU_AUTO(buf) struct mu_buf csr;
    struct enroll_answer answer;
    mu_buf_init(&csr, 2u * MU_LIMIT_CERT_BYTES);
    if (!spec_of(renewal->old.key, &spec, err) ||
        !mu_key_generate(spec, &renewal->fresh.key, err) ||
        !mu_csr_build_again(renewal->fresh.key, renewal->old.chain.items[0], &csr, err)) {
        return false;
    }
    const struct enroll_question question = {
        .url = renewal->job->url,
        .label = renewal->job->label,
        .operation = "simplereenroll",
        .trust = renewal->live,
        .identity = renewal->identity,
        .csr = mu_buf_slice(&csr),
    };
    bool ok = enroll_ask(&question, &answer, err);
    renewal->retry_after_s = answer.retry_after_s;
    ok = ok && order(&answer.certs, &renewal->fresh, err) &&
         complete(&renewal->old, &renewal->fresh, err);
    enroll_answer_done(&answer);
    return ok;
}

/* The authority's clock may be a little ahead: what begins in a moment is waited for. */
static void await_begin(const struct renewal *renewal)
{
    int64_t begin_s = mu_cert_facts(renewal->fresh.chain.items[0])->not_before_s;
    for (int i = 0; i < AHEAD_S && mu_clock_wall_s() < begin_s; i++) {
        if (begin_s - mu_clock_wall_s() > AHEAD_S) {
            return;
        }
        (void)sleep(1);
    }
}

static bool prove(struct renewal *renewal, struct mutual_error *err)
{
    MU_AUTO(identity) struct mutual_identity *identity = NULL;
    const struct enroll_job *job = renewal->job;
    await_begin(renewal);
    if (!enroll_prove(&renewal->old, &renewal->fresh, renewal->live, !renewal->job->force,
                      mu_clock_wall_s(), err)) {
        return false;
    }
    return job->prove == NULL ||
           (mu_identity_new(renewal->fresh.chain.items, renewal->fresh.chain.count,
                            renewal->fresh.key, &identity, err) &&
            job->prove(job->owner, identity, renewal->live, err));
}

/* From here on others see it. What is run has to succeed, or all is as before, and it is run once
 * more so that whoever took the new files takes the old ones. */
static bool exchange(struct renewal *renewal, struct enroll_report *report,
                     struct mutual_error *err)
{
    const struct enroll_hook *hook = &renewal->job->hook;
    struct mutual_error lost = {0};
    if (!enroll_swap_prepare(&renewal->swap, renewal->path, &renewal->fresh, err) ||
        !enroll_swap_do(&renewal->swap, err)) {
        return false;
    }
    if (enroll_hook_run(hook, renewal->path, "renewed", err)) {
        return true;
    }
    if (!enroll_swap_undo(&renewal->swap, &lost)) {
        return mu_error_context(err, "and the old files could not be put back: %s", lost.reason);
    }
    report->undone = true;
    if (!enroll_hook_run(hook, renewal->path, "undone", &lost)) {
        (void)mu_error_context(err, "and again for the old files: %s", lost.reason);
    }
    return false;
}

static bool attempt(struct renewal *renewal, struct enroll_report *report, struct mutual_error *err)
{
    return ask(renewal, err) && prove(renewal, err) && exchange(renewal, report, err);
}

static void report_on(struct enroll_report *report, const struct enroll_life *life,
                      const struct enroll_tries *tries)
{
    report->next_s = enroll_next_s(life, tries);
    report->until_s = life->until_s;
}

static bool renew(struct renewal *renewal, struct enroll_report *report, struct mutual_error *err)
{
    struct enroll_life life = enroll_triple_life(&renewal->old);
    struct enroll_tries tries = enroll_tries_load(renewal->state, &life);
    struct mutual_error unsaved = {0};
    report_on(report, &life, &tries);
    if (!renewal->job->force && enroll_wait_s(&life, &tries, renewal->now_s) > 0) {
        report->outcome = ENROLL_NOT_DUE;
        return true;
    }
    bool ok = attempt(renewal, report, err);
    if (ok) {
        life = enroll_triple_life(&renewal->fresh);
        tries = (struct enroll_tries){0};
        report->outcome = ENROLL_RENEWED;
    } else {
        tries.failures++;
        tries.tried_s = renewal->now_s;
        tries.told_s = renewal->retry_after_s > 0 ? renewal->now_s + renewal->retry_after_s : 0;
    }
    report_on(report, &life, &tries);
    if (!enroll_tries_save(renewal->state, &life, &tries, &unsaved) && !ok) {
        (void)mu_error_context(err, "and this could not be noted: %s", unsaved.reason);
    }
    return ok;
}

bool enroll_renew(const struct enroll_job *job, int64_t now_s, struct enroll_report *ret_report,
                  struct mutual_error *err)
{
    struct renewal renewal = {.job = job, .now_s = now_s, .lock = -1};
    *ret_report = (struct enroll_report){.outcome = ENROLL_FAILED};
    bool ok = open_renewal(&renewal, err) && renew(&renewal, ret_report, err);
    renewal_done(&renewal);
    return ok;
}
