/* SPDX-License-Identifier: Apache-2.0
 *
 * An authority whose administration is called in memory, with somebody of each role: "auditor",
 * "operator", "admin", and "nobody", who has none.
 */
#ifndef ADMIN_PLACE_H
#define ADMIN_PLACE_H

#include "admin/admin_internal.h"

#include "api_call.h"
#include "unit.h"

#define JSON "Content-Type: application/json\r\n"

static struct api_home home;
static struct mu_cert *people[ADMIN_ROLE_COUNT_];
static struct admin_holder holders[ADMIN_ROLE_COUNT_];
static struct admin_settings roles;

static inline void as(enum admin_role role)
{
    api_home_caller(&home, API_MUTUAL, people[role]);
}

static inline int setup(void **state)
{
    static const struct api_table *const tables[] = {&admin_table};
    (void)state;
    api_home_init(&home, tables, MU_COUNT(tables));
    roles = (struct admin_settings){.holders = holders};
    for (int i = ADMIN_NOBODY; i < ADMIN_ROLE_COUNT_; i++) {
        char text[64];
        struct mutual_error err = {0};
        const char *word = admin_role_word((enum admin_role)i);
        people[i] = api_home_issue(&home, "user", word, NULL);
        (void)snprintf(text, sizeof text, "spiffe://example.org/user/%s", word);
        if (i > ADMIN_NOBODY) {
            struct admin_holder *holder = &holders[roles.count++];
            holder->role = (enum admin_role)i;
            assert_ok(mutual_pattern_parse(MUTUAL_NAME_SPIFFE, text, &holder->who, &err), &err);
        }
    }
    home.settings.admin = &roles;
    home.settings.url = "https://ca.example.org";
    as(ADMIN_ADMIN);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < roles.count; i++) {
        mutual_pattern_free(holders[i].who);
    }
    for (int i = ADMIN_NOBODY; i < ADMIN_ROLE_COUNT_; i++) {
        mu_cert_unref(people[i]);
    }
    api_home_done(&home);
    return 0;
}

static inline void call(const char *method, const char *path, const char *fields, const char *body,
                        struct api_reply *ret_reply)
{
    char target[2048];
    (void)snprintf(target, sizeof target, ADMIN_PATH "%s", path);
    api_call(&home, method, target,
             fields != NULL ? fields
             : body != NULL ? JSON
                            : NULL,
             mu_slice_text(body != NULL ? body : ""), ret_reply);
}

/* What is answered with that status; the caller's. */
static inline json_t *ask(const char *method, const char *path, const char *body, unsigned status)
{
    struct api_reply reply = {0};
    call(method, path, NULL, body, &reply);
    if (reply.head.status != status) {
        fail_msg("%s %s: status %u, %u was expected: %.*s", method, path, reply.head.status, status,
                 (int)reply.body.len, (const char *)reply.body.data);
    }
    json_t *answer =
        json_loadb((const char *)reply.body.data, reply.body.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(answer);
    api_reply_done(&reply);
    return answer;
}

static inline void refused(const char *method, const char *path, const char *fields,
                           const char *body, unsigned status, const char *code)
{
    struct api_reply reply = {0};
    call(method, path, fields, body, &reply);
    api_reply_is_problem(&reply, status, code);
    api_reply_done(&reply);
}

static inline const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    assert_non_null(text);
    return text;
}

static inline int64_t number_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

/* A body that asks for a client's certificate of that name. */
static inline void put_wish(const char *name, struct mu_buf *out)
{
    struct mutual_error err = {0};
    MU_AUTO(key) struct mu_key *key = NULL;
    MU_AUTO(buf) struct mu_buf der;
    MU_AUTO(buf) struct mu_buf pem;
    struct mu_json json;
    mu_buf_init(&der, 1u << 16);
    mu_buf_init(&pem, 1u << 16);
    mu_buf_init(out, 1u << 16);
    assert_ok(mu_key_generate(MU_SPEC_EC_P256, &key, &err), &err);
    api_home_csr(key, name, NULL, 0, &der);
    mu_pem_write(&pem, "CERTIFICATE REQUEST", mu_buf_slice(&der));
    mu_json_init(&json, out);
    mu_json_open(&json, NULL, '{');
    mu_json_string(&json, "name", name);
    mu_json_string(&json, "profile", "client");
    mu_json_string(&json, "csr", mu_buf_str(&pem));
    mu_json_close(&json, '}');
}

/* Issues it, and tells its serial number. */
static inline void issue(const char *name, char ret_serial[64])
{
    MU_AUTO(buf) struct mu_buf wish;
    put_wish(name, &wish);
    json_t *made = ask("POST", "/certificates", mu_buf_str(&wish), 201);
    (void)snprintf(ret_serial, 64, "%s", text_of(made, "serial"));
    json_decref(made);
}

#define ADMIN_MAIN(...)                                        \
    int main(void)                                             \
    {                                                          \
        const struct CMUnitTest tests[] = {__VA_ARGS__};       \
        return cmocka_run_group_tests(tests, setup, teardown); \
    }

#endif
