/* SPDX-License-Identifier: Apache-2.0
 *
 * src/gateway/sighting.c: added up, bounded, sent in pieces, kept in a file that cannot be forged
 * by accident.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/sighting_internal.h"
#include "unit.h"

static void see(struct sighting *seen, const char *service, const char *key, int64_t at_s)
{
    *seen =
        (struct sighting){.first_s = at_s, .last_s = at_s, .count = 1, .rules = 7, .let_in = true};
    (void)snprintf(seen->service, sizeof seen->service, "%s", service);
    (void)snprintf(seen->key, sizeof seen->key, "%s", key);
}

struct found {
    const char *service, *key;
    struct sighting seen;
    size_t times;
};

static void look(void *context, const struct sighting *seen)
{
    struct found *found = context;
    if (strcmp(seen->service, found->service) == 0 && strcmp(seen->key, found->key) == 0) {
        found->seen = *seen;
        found->times++;
    }
}

static const struct sighting *find(const struct sightings *all, const char *service,
                                   const char *key)
{
    static struct found found;
    found = (struct found){.service = service, .key = key};
    sightings_each(all, look, &found);
    assert_int_equal(found.times, 1);
    return &found.seen;
}

/* The newest says what it lacks; the number and the first time are of all. */
static void callers_are_added_up(void **state)
{
    (void)state;
    struct sightings *all = sightings_new(10, 10);
    static struct sighting seen;
    see(&seen, "api", "dns a.b", 100);
    (void)snprintf(seen.lacks, sizeof seen.lacks, "CERT_EXPIRED");
    sightings_note(all, &seen);
    see(&seen, "api", "dns a.b", 300);
    sightings_note(all, &seen);
    see(&seen, "api", "dns a.b", 200);
    (void)snprintf(seen.lacks, sizeof seen.lacks, "CERT_REVOKED");
    sightings_note(all, &seen);
    see(&seen, "apid", "ns a.b", 1); /* no other key that reads the same */
    sightings_note(all, &seen);
    seen = *find(all, "api", "dns a.b");
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.first_s, 100);
    assert_int_equal(seen.last_s, 300);
    assert_string_equal(seen.lacks, "");
    assert_int_equal(sightings_count(all), 2);
    sightings_forget(all, 300, 400);
    assert_int_equal(sightings_count(all), 1);
    sightings_free(all);
    sightings_free(NULL);
}

/* A flood of callers takes no more than its room, and what is not kept is counted. */
static void what_is_not_kept_is_counted(void **state)
{
    (void)state;
    struct sightings *all = sightings_new(5, 3);
    static struct sighting seen;
    for (int i = 0; i < 100; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "address 10.0.0.%d", i);
        see(&seen, i % 2 == 0 ? "api" : "db", key, i + 1);
        sightings_note(all, &seen);
    }
    assert_int_equal(find(all, "api", "")->count, 47);
    assert_int_equal(find(all, "db", "")->count, 48);
    assert_int_equal(sightings_count(all), 5 + 2);
    sightings_forget(all, 3, 3); /* makes room again */
    see(&seen, "api", "dns new", 200);
    sightings_note(all, &seen);
    assert_int_equal(find(all, "api", "dns new")->count, 1);
    sightings_free(all);
}

static void new_rules_begin_anew(void **state)
{
    (void)state;
    struct sightings *all = sightings_new(5, 5);
    sightings_rules(all, "api", 7, 100);
    sightings_rules(all, "api", 7, 200);
    assert_int_equal(find(all, "api", "")->first_s, 100);
    sightings_rules(all, "api", 8, 300);
    assert_int_equal(find(all, "api", "")->first_s, 300);
    assert_int_equal(find(all, "api", "")->rules, 8);
    sightings_free(all);
}

static void fill(struct sightings *all, size_t count)
{
    static struct sighting seen;
    for (size_t i = 0; i < count; i++) {
        char key[600];
        (void)snprintf(key, sizeof key, "spiffe spiffe://example.org/%0500zu", i);
        see(&seen, "api", key, 1000 + (int64_t)i);
        memset(seen.anchor, 7, sizeof seen.anchor);
        (void)snprintf(seen.anchor_name, sizeof seen.anchor_name, "CN=Root");
        sightings_note(all, &seen);
    }
}

static void messages_carry_all_of_them(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct sightings *from = sightings_new(1000, 1000);
    struct sightings *to = sightings_new(1000, 1000);
    fill(from, 1000);
    size_t messages = 0;
    for (;;) {
        MU_AUTO(buf) struct mu_buf payload;
        mu_buf_init(&payload, MU_LIMIT_MESSAGE_BYTES);
        if (!sightings_take(from, &payload)) {
            break;
        }
        messages++;
        assert_ok(sightings_read(to, mu_buf_slice(&payload), &err), &err);
    }
    assert_true(messages > 3 && messages < 20);
    assert_int_equal(sightings_count(from), 0);
    assert_int_equal(sightings_count(to), 1000);
    sightings_free(from);
    sightings_free(to);
}

/* Every cut and every wrong byte is either refused or harmless: bounded texts, known codes. */
static void malformed_messages_are_refused(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct sightings *from = sightings_new(1, 1);
    MU_AUTO(buf) struct mu_buf payload;
    mu_buf_init(&payload, MU_LIMIT_MESSAGE_BYTES);
    fill(from, 1);
    assert_true(sightings_take(from, &payload));
    for (size_t len = 1; len < payload.len; len++) {
        struct sightings *to = sightings_new(9, 9);
        assert_fails(sightings_read(to, mu_slice_of(payload.data, len), &err), &err,
                     MUTUAL_E_MESSAGE_MALFORMED);
        sightings_free(to);
    }
    for (size_t at = 0; at < payload.len; at++) {
        struct sightings *to = sightings_new(9, 9);
        payload.data[at] ^= 0xff;
        assert_true(sightings_read(to, mu_buf_slice(&payload), &err) || err.code != MUTUAL_OK);
        payload.data[at] ^= 0xff;
        sightings_free(to);
    }
    sightings_free(from);
}

static void the_file_keeps_them(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    char path[] = "/tmp/sightings-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd != -1);
    (void)close(fd);
    (void)unlink(path);
    struct sightings *all = sightings_new(100, 100);
    assert_ok(sightings_load(all, path, &err), &err); /* nothing there: nobody was seen */
    fill(all, 50);
    sightings_rules(all, "api", 9, 5);
    assert_ok(sightings_save(all, path, true, 900, &err), &err);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    struct sightings *again = sightings_new(100, 100);
    assert_ok(sightings_load(again, path, &err), &err);
    assert_int_equal(sightings_count(again), 51);
    assert_int_equal(find(again, "api", "")->rules, 9);
    sightings_free(again);
    static const long cuts[] = {0, 5, 19, 60, 1000};
    for (size_t i = 0; i < MU_COUNT(cuts); i++) {
        assert_ok(sightings_save(all, path, true, 900, &err), &err);
        assert_int_equal(truncate(path, cuts[i]), 0);
        again = sightings_new(100, 100);
        assert_fails(sightings_load(again, path, &err), &err, MUTUAL_E_STORE_CORRUPT);
        assert_int_equal(sightings_count(again), 0);
        sightings_free(again);
    }
    sightings_free(all);
    (void)unlink(path);
}

static void they_are_told_as_json(void **state)
{
    (void)state;
    struct sightings *all = sightings_new(9, 9);
    static struct sighting seen;
    fill(all, 1);
    see(&seen, "db", "address 10.0.0.1, claims \"CN=\\\"x\"", 5);
    (void)snprintf(seen.lacks, sizeof seen.lacks, "UNKNOWN_ISSUER");
    sightings_note(all, &seen);
    sightings_rules(all, "db", 7, 3);
    MU_AUTO(buf) struct mu_buf out;
    struct mu_json json;
    mu_buf_init(&out, 1u << 20);
    mu_json_init(&json, &out);
    mu_json_open(&json, NULL, '{');
    sightings_json(all, "db", &json);
    mu_json_close(&json, '}');
    const char *text = mu_buf_str(&out);
    assert_non_null(strstr(text, "\"lacks\":\"UNKNOWN_ISSUER\""));
    assert_non_null(strstr(text, "\"not_kept\":0"));
    assert_null(strstr(text, "\"service\":\"api\""));
    sightings_free(all);
}

static void see_certificate(struct sighting *seen, const char *service, int number, int64_t at_s)
{
    see(seen, service, "spiffe spiffe://example.org/same", at_s);
    seen->certificate = true;
    seen->not_after_s = 5000;
    memset(seen->anchor, 1, sizeof seen->anchor);
    (void)snprintf(seen->issuer, sizeof seen->issuer, "CN=Issuer");
    (void)snprintf(seen->serial, sizeof seen->serial, "%02x", number);
}

/* Of one caller with two certificates both are known, and one certificate below two anchors is two
 * sightings: a caller's newest would hide what the other instance still presents. */
static void certificates_are_kept_apart(void **state)
{
    (void)state;
    struct sightings *all = sightings_new(20, 20);
    static struct sighting seen;
    see_certificate(&seen, "api", 1, 100);
    sightings_note(all, &seen);
    see_certificate(&seen, "api", 2, 200);
    sightings_note(all, &seen);
    memset(seen.anchor, 2, sizeof seen.anchor);
    sightings_note(all, &seen);
    sightings_note(all, &seen);
    assert_int_equal(sightings_count(all), 3);
    see(&seen, "api", "spiffe spiffe://example.org/same", 200);
    sightings_note(all, &seen);
    assert_int_equal(sightings_count(all), 4);
    sightings_forget(all, 150, 4999);
    assert_int_equal(sightings_count(all), 3);
    sightings_forget(all, 150, 5001); /* who has an ended certificate cannot come with it */
    assert_int_equal(sightings_count(all), 1);
    sightings_free(all);
}

struct nameless {
    size_t times;
    uint64_t count;
    int64_t last_s;
    uint8_t anchor;
};

static void look_nameless(void *context, const struct sighting *seen)
{
    struct nameless *found = context;
    if (seen->certificate && seen->serial[0] == '\0' && seen->anchor[0] == found->anchor) {
        found->times++;
        found->count = seen->count;
        found->last_s = seen->last_s;
    }
}

/* What is not kept still says below which anchor it was, and when last: more peers than there is
 * room for do not hide that one root is needed, nor that another is not. */
static void what_is_not_kept_is_known_by_its_anchor(void **state)
{
    (void)state;
    struct sightings *all = sightings_new(100, 2);
    static struct sighting seen;
    for (int i = 0; i < 9; i++) {
        see_certificate(&seen, "api", i, 100 + i);
        memset(seen.anchor, i < 6 ? 1 : 2, sizeof seen.anchor);
        sightings_note(all, &seen);
    }
    struct nameless one = {.anchor = 1};
    struct nameless two = {.anchor = 2};
    sightings_each(all, look_nameless, &one);
    sightings_each(all, look_nameless, &two);
    assert_int_equal(one.times, 1);
    assert_int_equal(one.count, 2);
    assert_int_equal(one.last_s, 105);
    assert_int_equal(two.times, 1);
    assert_int_equal(two.count, 3);
    assert_int_equal(two.last_s, 108);
    sightings_free(all);
}

static struct sightings *reopened(const struct sightings *all, const char *path, bool ended,
                                  int64_t saved_s, int64_t now_s)
{
    struct mutual_error err = {0};
    struct sightings *again = sightings_new(100, 100);
    if (all != NULL) {
        assert_ok(sightings_save(all, path, ended, saved_s, &err), &err);
    }
    assert_ok(sightings_load(again, path, &err), &err);
    sightings_resume(again, now_s);
    return again;
}

static void check_since(struct sightings *take_all, int64_t at_s, const char *why)
{
    assert_int_equal(sightings_since(take_all)->at_s, at_s);
    assert_non_null(strstr(sightings_since(take_all)->why, why));
    sightings_free(take_all);
}

/* A killed gateway, a clock that was set and a long rest leave gaps; a restart does not. */
static void gaps_are_noticed(void **state)
{
    (void)state;
    char path[] = "/tmp/sightings-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd != -1);
    (void)close(fd);
    (void)unlink(path);
    check_since(reopened(NULL, path, true, 0, 70), 70, "nothing was kept");
    struct sightings *all = sightings_new(100, 100);
    fill(all, 3);
    sightings_gap(all, 1000, "begun");
    check_since(reopened(all, path, true, 2000, 2500), 1000, "begun");
    check_since(reopened(all, path, false, 2000, 2500), 2500, "killed");
    check_since(reopened(all, path, true, 2000, 1999), 1999, "clock went back");
    check_since(reopened(all, path, true, 2000, 2001 + SIGHTINGS_REST_S), 2001 + SIGHTINGS_REST_S,
                "did not run");
    sightings_clock(all, 2000, 1);
    sightings_clock(all, 2000 + 5400, 1 + 5400 * MU_NS_PER_S);
    assert_int_equal(sightings_since(all)->at_s, 1000);
    sightings_clock(all, 2000 + 5400 + 3700, 2 + 5400 * MU_NS_PER_S);
    check_since(all, 2000 + 5400 + 3700, "clock was set");
    (void)unlink(path);
}

/* A file of a version that knew no certificates is no evidence about them. */
static void an_older_file_is_read(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf file;
    MU_AUTO(buf) struct mu_buf rows;
    char path[] = "/tmp/sightings-XXXXXX";
    uint8_t sum[32];
    int fd = mkstemp(path);
    assert_true(fd != -1);
    (void)close(fd);
    mu_buf_init(&file, 1u << 20);
    mu_buf_init(&rows, MU_LIMIT_MESSAGE_BYTES);
    struct sightings *all = sightings_new(100, 100);
    fill(all, 2);
    assert_true(sightings_take(all, &rows));
    mu_buf_text(&file, "mutual sightings 1\n");
    mu_buf_append(&file, rows.data, rows.len);
    assert_ok(mu_sha256(mu_buf_slice(&file), sum, &err), &err);
    mu_buf_append(&file, sum, sizeof sum);
    assert_ok(mu_file_write(path, mu_buf_slice(&file), 0600, &err), &err);
    sightings_free(all);
    all = reopened(NULL, path, true, 0, 70);
    assert_int_equal(sightings_count(all), 2);
    check_since(all, 70, "nothing was kept");
    (void)unlink(path);
}

UNIT_MAIN(UNIT_CASE(certificates_are_kept_apart),
          UNIT_CASE(what_is_not_kept_is_known_by_its_anchor), UNIT_CASE(gaps_are_noticed),
          UNIT_CASE(an_older_file_is_read), UNIT_CASE(callers_are_added_up),
          UNIT_CASE(what_is_not_kept_is_counted), UNIT_CASE(new_rules_begin_anew),
          UNIT_CASE(messages_carry_all_of_them), UNIT_CASE(malformed_messages_are_refused),
          UNIT_CASE(the_file_keeps_them), UNIT_CASE(they_are_told_as_json))
