/* SPDX-License-Identifier: Apache-2.0
 *
 * A week of ten thousand certificates that live a day, with the program's own schedule, against an
 * authority that can sign so many a second and is down for a third of a life at the worst moment.
 * Nobody's certificate may end, and when the authority is back it must not be overrun.
 *
 * With the argument "--table" it prints what happened, minute by minute, for tests/bench/week.py.
 */
#include <stdlib.h>

#include "enroll/enroll.h"
#include "unit.h"

enum {
    AGENTS = 10000,
    DAY = 86400,
    LIFE = DAY,
    WEEK = 7 * DAY,
    CAPACITY = 5,     /* signatures a second */
    RETRY_AFTER = 60, /* what the authority says when it has more to do */
    OUTAGE = LIFE / 3,
    MINUTES = WEEK / 60,
};

struct agent {
    struct enroll_life life;
    struct enroll_tries tries;
    int64_t at_s; /* when it asks next   */
    int next;     /* who asks then, too; -1: nobody */
};

struct world {
    const char *name;
    int64_t down_s; /* when the authority goes down */
    struct agent agents[AGENTS];
    int asking[WEEK]; /* the first of those who ask in that second; -1: nobody */
    uint64_t serial;
    unsigned asked[MINUTES], issued[MINUTES];
    double least_left[MINUTES]; /* of a life, of whoever has least */
    uint64_t expired, refused;
};

/* A fingerprint is as good as random. */
static void give_certificate(struct world *world, struct agent *agent, int64_t now_s)
{
    uint64_t number = ++world->serial;
    struct mutual_error err = {0};
    agent->life = (struct enroll_life){.from_s = now_s, .until_s = now_s + LIFE};
    assert_ok(
        mu_sha256(mu_slice_of((const uint8_t *)&number, sizeof number), agent->life.salt, &err),
        &err);
    agent->tries = (struct enroll_tries){0};
}

/* Waits as the program does. */
static void wait(struct world *world, int who, int64_t now_s)
{
    struct agent *agent = &world->agents[who];
    int64_t at_s = enroll_next_s(&agent->life, &agent->tries);
    agent->at_s = at_s > now_s ? at_s : now_s + 1;
    if (agent->at_s < WEEK) {
        agent->next = world->asking[agent->at_s];
        world->asking[agent->at_s] = who;
    }
}

static bool is_down(const struct world *world, int64_t now_s)
{
    return now_s >= world->down_s && now_s < world->down_s + OUTAGE;
}

static void ask(struct world *world, int who, int64_t now_s, unsigned *ref_signed)
{
    struct agent *agent = &world->agents[who];
    bool down = is_down(world, now_s);
    world->asked[now_s / 60]++;
    world->expired += now_s >= agent->life.until_s ? 1 : 0;
    if (!down && *ref_signed < CAPACITY) {
        (*ref_signed)++;
        world->issued[now_s / 60]++;
        give_certificate(world, agent, now_s);
    } else {
        world->refused++;
        agent->tries.failures++;
        agent->tries.tried_s = now_s;
        agent->tries.told_s = down ? 0 : now_s + RETRY_AFTER;
    }
    wait(world, who, now_s);
}

/* The asking of one second: whoever's time has come. */
static void second(struct world *world, int64_t now_s)
{
    unsigned signed_now = 0;
    for (int who = world->asking[now_s]; who != -1;) {
        int next = world->agents[who].next;
        ask(world, who, now_s, &signed_now);
        who = next;
    }
}

static void run(struct world *world)
{
    for (int64_t now_s = 0; now_s < WEEK; now_s++) {
        second(world, now_s);
        if (now_s % 60 == 0) {
            int64_t least_s = LIFE;
            for (int i = 0; i < AGENTS; i++) {
                int64_t left_s = world->agents[i].life.until_s - now_s;
                least_s = left_s < least_s ? left_s : least_s;
            }
            world->least_left[now_s / 60] = (double)least_s / LIFE;
        }
    }
}

static void begin(struct world *world, const char *name, int64_t window_s, int64_t down_s)
{
    memset(world, 0, sizeof *world);
    world->name = name;
    world->down_s = down_s;
    memset(world->asking, 0xff, sizeof world->asking); /* -1 */
    for (int i = 0; i < AGENTS; i++) {
        int64_t now_s = -(window_s * i / AGENTS);
        give_certificate(world, &world->agents[i], now_s);
        wait(world, i, now_s);
    }
}

static unsigned most_in(const unsigned *minutes, int64_t from_s, int64_t until_s)
{
    unsigned most = 0;
    for (int64_t m = from_s / 60; m < until_s / 60; m++) {
        most = minutes[m] > most ? minutes[m] : most;
    }
    return most;
}

static double mean_in(const unsigned *minutes, int64_t from_s, int64_t until_s)
{
    double sum = 0;
    for (int64_t m = from_s / 60; m < until_s / 60; m++) {
        sum += minutes[m];
    }
    return sum / (double)((until_s - from_s) / 60);
}

static double lowest(const struct world *world)
{
    double least = 1;
    for (int m = 0; m < MINUTES; m++) {
        least = world->least_left[m] < least ? world->least_left[m] : least;
    }
    return least;
}

/* Everybody was issued within ten minutes, and the authority goes just before the first is to
 * renew: when it is back, all ten thousand wait for it, with an eighth of their life left. */
static void all_at_once(struct world *world)
{
    int64_t first_s = WEEK;
    begin(world, "all at once", 600, 0);
    for (int i = 0; i < AGENTS; i++) {
        first_s = world->agents[i].at_s < first_s ? world->agents[i].at_s : first_s;
    }
    world->down_s = first_s - first_s % 60;
    run(world);
}

static void over_the_day(struct world *world)
{
    begin(world, "over the day", LIFE / 2, 2 * DAY);
    run(world);
}

static void assert_good(const struct world *world)
{
    int64_t back_s = world->down_s + OUTAGE;
    double peak = most_in(world->asked, back_s, back_s + DAY);
    double mean = mean_in(world->issued, back_s, back_s + 3600);
    assert_int_equal(world->expired, 0);
    assert_true(lowest(world) > 0.01);
    assert_true(mean > 0);
    assert_true(peak / mean < 4);
    assert_true(peak / 60 < 3 * CAPACITY); /* never thrice what it can do */
    /* before and a day after, it is as on any day: no minute has more than a few times its share */
    assert_true(most_in(world->asked, DAY, world->down_s) <
                20 * mean_in(world->asked, DAY, world->down_s) + 10);
}

static void issued_over_the_day_and_a_third_of_a_life_down(void **state)
{
    (void)state;
    struct world *world = calloc(1, sizeof *world);
    over_the_day(world);
    assert_good(world);
    free(world);
}

static void issued_all_at_once_and_down_when_all_are_to_renew(void **state)
{
    (void)state;
    struct world *world = calloc(1, sizeof *world);
    all_at_once(world);
    assert_good(world);
    free(world);
}

static void print_table(struct world *world)
{
    for (int m = 0; m < MINUTES; m++) {
        printf("%s,%d,%u,%u,%.4f,%d\n", world->name, m, world->asked[m], world->issued[m],
               world->least_left[m], is_down(world, m * 60) ? 1 : 0);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(issued_over_the_day_and_a_third_of_a_life_down),
        cmocka_unit_test(issued_all_at_once_and_down_when_all_are_to_renew),
    };
    if (argc == 2 && strcmp(argv[1], "--table") == 0) {
        struct world *world = calloc(1, sizeof *world);
        assert_non_null(world);
        printf("fleet,minute,asked,issued,least_left,down\n");
        over_the_day(world);
        print_table(world);
        all_at_once(world);
        print_table(world);
        free(world);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
