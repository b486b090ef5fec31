/* SPDX-License-Identifier: Apache-2.0
 *
 * What a policy decision costs: nanoseconds at 100 to 100,000 grants, for names that are granted
 * exactly, by a pattern, or not at all. Half of the grants hold wildcards, all to one service,
 * which is the worst case for the index; names are tried in a scattered order, so caches help
 * little.
 */
#include "base/base.h"

#include <mutual/policy.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DECISIONS 200000u
#define PROBES    4096u

static uint64_t state = 88172645463325252u;

static unsigned pick(unsigned below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 33) % below;
}

static void fail(const struct mutual_error *err)
{
    fprintf(stderr, "bench_policy: %s: %s\n", mutual_code_name(err->code), err->reason);
    exit(1);
}

/* The pattern of the ith grant: a mix of every kind, half of them with wildcards. */
static enum mutual_name_type pattern_text(unsigned i, char *text, size_t size)
{
    switch (i % 10) {
    case 0:
    case 1:
    case 2:
        snprintf(text, size, "spiffe://example.org/team-%u/service-%u", i % 97, i);
        return MUTUAL_NAME_SPIFFE;
    case 3:
    case 4:
        snprintf(text, size, "spiffe://example.org/team-%u/pool-%u/*", i % 97, i);
        return MUTUAL_NAME_SPIFFE;
    case 5:
        snprintf(text, size, "spiffe://example.org/*/pool-%u/**", i);
        return MUTUAL_NAME_SPIFFE;
    case 6:
        snprintf(text, size, "host-%u.example.org", i);
        return MUTUAL_NAME_DNS;
    case 7:
        snprintf(text, size, "*.zone-%u.example.org", i);
        return MUTUAL_NAME_DNS;
    case 8:
        snprintf(text, size, "user-%u@example.org", i);
        return MUTUAL_NAME_EMAIL;
    default:
        snprintf(text, size, "10.%u.%u.0/24", i >> 8 & 255, i & 255);
        return MUTUAL_NAME_IP;
    }
}

static struct mutual_policy *build(unsigned grants)
{
    struct mutual_error err = {0};
    struct mutual_policy *policy = mutual_policy_new();
    for (unsigned i = 0; i < grants; i++) {
        char text[128];
        char name[16];
        struct mutual_pattern *pattern = NULL;
        snprintf(name, sizeof name, "g%u", i);
        if (!mutual_pattern_parse(pattern_text(i, text, sizeof text), text, &pattern, &err)) {
            fail(&err);
        }
        struct mutual_grant grant = {.name = name,
                                     .to = "db",
                                     .from = &pattern,
                                     .from_count = 1,
                                     .until_s = INT64_MAX - (int64_t)pick(1000),
                                     .owner = "o",
                                     .why = "w"};
        if (!mutual_policy_add(policy, &grant, &err)) {
            fail(&err);
        }
    }
    if (!mutual_policy_freeze(policy, &err)) {
        fail(&err);
    }
    return policy;
}

/* The names of one caller: what a certificate of ours holds. */
struct caller {
    char spiffe[96];
    char dns[64];
    struct mutual_name names[2];
};

enum shape { SHAPE_EXACT, SHAPE_PATTERN, SHAPE_MISS };

static void make_caller(struct caller *caller, enum shape shape, unsigned grants)
{
    unsigned i = pick(grants / 10) * 10;
    switch (shape) {
    case SHAPE_EXACT:
        snprintf(caller->spiffe, sizeof caller->spiffe, "spiffe://example.org/team-%u/service-%u",
                 i % 97, i);
        break;
    case SHAPE_PATTERN:
        i += 3;
        snprintf(caller->spiffe, sizeof caller->spiffe, "spiffe://example.org/team-%u/pool-%u/n7",
                 i % 97, i);
        break;
    case SHAPE_MISS:
        snprintf(caller->spiffe, sizeof caller->spiffe, "spiffe://example.org/team-%u/pool-%u/a/b",
                 i % 97, i);
        break;
    }
    snprintf(caller->dns, sizeof caller->dns, "n%u.stranger-%u.example.org", i, i);
    caller->names[0] =
        (struct mutual_name){MUTUAL_NAME_SPIFFE, caller->spiffe, strlen(caller->spiffe)};
    caller->names[1] = (struct mutual_name){MUTUAL_NAME_DNS, caller->dns, strlen(caller->dns)};
}

static double measure(const struct mutual_policy *policy, enum shape shape, unsigned grants)
{
    static struct caller callers[PROBES];
    for (unsigned i = 0; i < PROBES; i++) {
        make_caller(&callers[i], shape, grants);
    }
    unsigned allowed = 0;
    int64_t begin = mu_clock_mono_ns();
    for (unsigned i = 0; i < DECISIONS; i++) {
        const struct caller *caller = &callers[i % PROBES];
        allowed += mutual_policy_decide(policy, "db", caller->names, 2, 1000).allowed;
    }
    int64_t took = mu_clock_mono_ns() - begin;
    if (allowed != (shape == SHAPE_MISS ? 0 : DECISIONS)) {
        fprintf(stderr, "bench_policy: %u of %u decisions allowed\n", allowed, DECISIONS);
        exit(1);
    }
    return (double)took / DECISIONS;
}

int main(void)
{
    printf("%8s %14s %14s %14s %12s\n", "grants", "exact ns", "pattern ns", "miss ns", "build ms");
    for (unsigned grants = 100; grants <= 100000; grants *= 10) {
        int64_t begin = mu_clock_mono_ns();
        struct mutual_policy *policy = build(grants);
        double build_ms = (double)(mu_clock_mono_ns() - begin) / 1e6;
        double exact = measure(policy, SHAPE_EXACT, grants);
        double pattern = measure(policy, SHAPE_PATTERN, grants);
        double miss = measure(policy, SHAPE_MISS, grants);
        printf("%8u %14.0f %14.0f %14.0f %12.1f\n", grants, exact, pattern, miss, build_ms);
        mutual_policy_unref(policy);
    }
    return 0;
}
