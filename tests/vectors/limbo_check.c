/* SPDX-License-Identifier: Apache-2.0
 *
 * Judges the cases of a path-validation suite (JSON on standard input) with lib/trust and compares
 * the verdicts with what the suite expects and with the list of known disagreements.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trust/trust.h"
#include "x509/x509.h"

#define UNDATED_S INT64_C(1780272000) /* 2026-06-01, for cases that say "now" */

struct known {
    char *id;
    bool met;
};

struct tally {
    struct known known[512];
    size_t known_count;
    bool all;
    unsigned cases, agreed, false_accepts, false_rejects, surprises;
};

/* ---- the list of known disagreements --------------------------------------------------------- */

static void read_known(const char *path, struct tally *tally)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        perror(path);
        exit(2);
    }
    char line[1024];
    while (fgets(line, sizeof line, file) != NULL) {
        size_t len = strcspn(line, " \t\n");
        if (len > 0 && line[0] != '#') {
            mu_assert(tally->known_count < MU_COUNT(tally->known));
            tally->known[tally->known_count++].id = mu_strndup(line, len);
        }
    }
    (void)fclose(file);
}

static bool is_known(struct tally *tally, const char *id)
{
    for (size_t i = 0; i < tally->known_count; i++) {
        if (strcmp(tally->known[i].id, id) == 0) {
            tally->known[i].met = true;
            return true;
        }
    }
    return false;
}

/* ---- one case -------------------------------------------------------------------------------- */

static int64_t time_of(const json_t *item)
{
    const char *text = json_string_value(json_object_get(item, "validation_time"));
    if (text == NULL) {
        return UNDATED_S;
    }
    char plain[32]; /* "2024-03-01T00:00:00+00:00", perhaps with a fraction */
    snprintf(plain, sizeof plain, "%.19sZ", text);
    int64_t time_s = 0;
    struct mutual_error err = {0};
    bool ok = mu_time_parse(plain, &time_s, &err);
    mu_assert(ok);
    return time_s;
}

static bool each_pem(const json_t *list,
                     bool (*use)(struct mutual_trust *, const char *, size_t,
                                 struct mutual_error *),
                     struct mutual_trust *trust, struct mutual_error *err)
{
    size_t i = 0;
    const json_t *pem = NULL;
    json_array_foreach(list, i, pem)
    {
        if (!use(trust, json_string_value(pem), json_string_length(pem), err)) {
            return false;
        }
    }
    return true;
}

/* A relying party of PKITS has whatever lists it could get, and makes do without the bad ones. */
static bool add_usable_crl(struct mutual_trust *trust, const char *pem, size_t len,
                           struct mutual_error *err)
{
    if (!mutual_trust_add_crl(trust, pem, len, err)) {
        *err = (struct mutual_error){0};
    }
    return true;
}

static bool make_trust(const json_t *item, struct mutual_trust **ret_trust,
                       struct mutual_error *err)
{
    bool pkits = json_object_get(item, "explicit_policy") != NULL;
    const json_t *crls = json_object_get(item, "crls");
    const json_t *depth = json_object_get(item, "max_chain_depth");
    MU_AUTO(trust) struct mutual_trust *trust = mutual_trust_new("suite");
    mutual_trust_allow_intermediates(trust);
    mutual_trust_set_revocation(trust, pkits, false, MUTUAL_CRL_STALE_REFUSE, 0);
    if (json_is_integer(depth)) {
        mutual_trust_set_depth(trust, (unsigned)json_integer_value(depth));
    }
    bool ok =
        each_pem(json_object_get(item, "trusted_certs"), mutual_trust_add_pem, trust, err) &&
        (json_array_size(crls) == 0 || each_pem(json_object_get(item, "untrusted_intermediates"),
                                                mutual_trust_add_intermediates_pem, trust, err)) &&
        each_pem(crls, pkits ? add_usable_crl : mutual_trust_add_crl, trust, err) &&
        mutual_trust_freeze(trust, err);
    if (ok) {
        *ret_trust = MU_TAKE(trust);
    }
    return ok;
}

static bool decode(const json_t *pem, struct mu_buf *out, struct mutual_error *err)
{
    struct mu_pem_reader reader;
    struct mu_pem_block block;
    bool end = false;
    mu_pem_open(&reader, mu_slice_text(json_string_value(pem)), "case");
    mu_buf_init(out, MU_LIMIT_PEM_BYTES);
    return mu_pem_next(&reader, &block, &end, err) && !end &&
           mu_pem_decode(&reader, &block, out, err);
}

#define SENT_MAX 256u

/* The peer's certificate, then the intermediates, as DER; the caller frees the buffers. */
static bool decode_sent(const json_t *item, struct mu_buf bufs[SENT_MAX],
                        struct mutual_der ders[SENT_MAX], size_t *ret_count,
                        struct mutual_error *err)
{
    const json_t *rest = json_object_get(item, "untrusted_intermediates");
    size_t count = 1 + json_array_size(rest);
    mu_assert(count <= SENT_MAX);
    for (size_t i = 0; i < count; i++) {
        const json_t *pem =
            i == 0 ? json_object_get(item, "peer_certificate") : json_array_get(rest, i - 1);
        if (!decode(pem, &bufs[i], err)) {
            return false;
        }
        ders[i] = (struct mutual_der){bufs[i].data, bufs[i].len};
    }
    *ret_count = count;
    return true;
}

static bool match_name(const struct mutual_chain *chain, const json_t *wanted,
                       struct mutual_error *err)
{
    const char *kind = json_string_value(json_object_get(wanted, "kind"));
    const char *value = json_string_value(json_object_get(wanted, "value"));
    size_t count = 0;
    const struct mutual_name *names = mutual_chain_names(chain, &count);
    bool found = false;
    if (strcmp(kind, "RFC822") == 0) {
        struct mutual_pattern *pattern = NULL;
        if (mutual_pattern_parse(MUTUAL_NAME_EMAIL, value, &pattern, err)) {
            found = mu_names_match_pattern(names, count, pattern) != NULL;
        }
        mutual_pattern_free(pattern);
    } else {
        found = mu_names_match_host(names, count, value);
    }
    return found || mu_fail(err, MUTUAL_E_NAME_MISMATCH, "the certificate is not for %s", value);
}

static bool match_names(const json_t *item, const struct mutual_chain *chain,
                        struct mutual_error *err)
{
    const json_t *one = json_object_get(item, "expected_peer_name");
    const json_t *list = json_object_get(item, "expected_peer_names");
    if (json_is_object(one) && !match_name(chain, one, err)) {
        return false;
    }
    size_t i = 0;
    const json_t *wanted = NULL;
    json_array_foreach(list, i, wanted)
    {
        if (!match_name(chain, wanted, err)) {
            return false;
        }
    }
    return true;
}

static bool judge(const json_t *item, struct mutual_error *err)
{
    static struct mu_buf bufs[SENT_MAX];
    static struct mutual_der ders[SENT_MAX];
    size_t count = 0;
    const char *kind = json_string_value(json_object_get(item, "validation_kind"));
    enum mutual_purpose purpose =
        kind != NULL && strcmp(kind, "SERVER") == 0 ? MUTUAL_PURPOSE_SERVER : MUTUAL_PURPOSE_CLIENT;
    MU_AUTO(trust) struct mutual_trust *trust = NULL;
    MU_AUTO(chain) struct mutual_chain *chain = NULL;
    bool ok = make_trust(item, &trust, err) && decode_sent(item, bufs, ders, &count, err) &&
              mutual_trust_validate(trust, ders, count, purpose, time_of(item), &chain, err) &&
              match_names(item, chain, err);
    for (size_t i = 0; i < SENT_MAX; i++) {
        mu_buf_done(&bufs[i]);
    }
    return ok;
}

/* ---- all cases ------------------------------------------------------------------------------- */

static void run_case(const json_t *item, struct tally *tally)
{
    const char *id = json_string_value(json_object_get(item, "id"));
    const char *expected = json_string_value(json_object_get(item, "expected_result"));
    bool want = strcmp(expected, "SUCCESS") == 0;
    struct mutual_error err = {0};
    bool got = judge(item, &err);
    tally->cases++;
    bool known = is_known(tally, id);
    const char *mark = "";
    if (got == want) {
        tally->agreed++;
        mark = known ? "known, but agrees" : "agrees";
    } else {
        tally->false_accepts += got;
        tally->false_rejects += want;
        mark = known ? "known" : "DISAGREES";
    }
    tally->surprises += (got == want) == known;
    if (tally->all || (got == want) == known) {
        printf("%s: %s: expected %s, got %s: %s%s%s\n", id, mark, expected,
               got ? "accepted" : mutual_code_name(err.code), err.reason,
               err.context[0] != '\0' ? "; " : "", err.context);
    }
}

int main(int argc, char **argv)
{
    static struct tally tally;
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: %s KNOWN.txt [--all] < SUITE.json\n", argv[0]);
        return 2;
    }
    read_known(argv[1], &tally);
    tally.all = argc == 3 && strcmp(argv[2], "--all") == 0;
    json_error_t fault;
    json_t *suite = json_loadf(stdin, JSON_ALLOW_NUL, &fault);
    if (suite == NULL) {
        fprintf(stderr, "line %d: %s\n", fault.line, fault.text);
        return 2;
    }
    size_t i = 0;
    const json_t *item = NULL;
    json_array_foreach(json_object_get(suite, "testcases"), i, item)
    {
        run_case(item, &tally);
    }
    json_decref(suite);
    printf("%u cases, %u agree, %u accepted that should not be, %u refused that should not be, "
           "%u surprises\n",
           tally.cases, tally.agreed, tally.false_accepts, tally.false_rejects, tally.surprises);
    for (size_t k = 0; k < tally.known_count; k++) {
        mu_free(tally.known[k].id);
    }
    return tally.surprises == 0 && tally.cases > 0 ? 0 : 1;
}
