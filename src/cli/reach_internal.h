/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the authority is, for the verbs that work with one: in a directory that this command opens
 * itself, behind the socket of a gateway on this machine, or behind a server. Either way a verb
 * asks the operations of src/admin and gets their answers, so that what it prints is the same; only
 * how a question gets there differs.
 */
#ifndef CLI_REACH_INTERNAL_H
#define CLI_REACH_INTERNAL_H

#include "admin/admin.h"
#include "cli/authority_internal.h"

/* The options that say so. */
struct reach_options {
    const char *dir, *server, *credentials, *ca;
};
#define REACH_OPTIONS(at_)                                                                      \
    REACH_ROW(at_, dir, "DIRECTORY", CLI_PATH, "where the authority is kept"),                  \
        REACH_ROW(at_, server, "URL", CLI_TEXT,                                                 \
                  "ask the authority that is served at https://HOST:PORT, or on this machine: " \
                  "control, or unix:PATH; else $MUTUAL_SERVER"),                                \
        REACH_ROW(at_, credentials, "DIRECTORY", CLI_PATH,                                      \
                  "with --server: who you are, tls.crt, tls.key and ca.crt; else "              \
                  "$MUTUAL_CREDENTIALS"),                                                       \
        REACH_ROW(at_, ca, "FILE", CLI_PATH,                                                    \
                  "with --server: whom the server must be proved by; else ca.crt of "           \
                  "--credentials")
#define REACH_ROW(at_, name_, value_, kind_, help_)                                             \
    {                                                                                           \
        .name = #name_, .kind = kind_, .offset = (at_) + offsetof(struct reach_options, name_), \
        .value = value_, .help = help_                                                          \
    }

struct reach;
/* `access` is what a directory is opened for. */
bool reach_open(const struct cli *cli, const struct reach_options *options, enum ca_access access,
                struct reach **ret_reach, struct mutual_error *err);
void reach_close(struct reach *reach);
void mu_reach_auto(struct reach **reach);
/* The directory's authority; NULL: it is behind a server. */
struct ca *reach_ca(const struct reach *reach);
/* Do the options and the environment say that it is behind a server? */
bool reach_is_far(const struct reach_options *options);

struct reach_question {
    const char *method;
    const char *target; /* behind /api/v1 */
    const json_t *body; /* NULL: none */
    const char *accept; /* NULL: JSON */
    /* Of a POST to a server, which is then sent once more when its answer was lost; NULL: none. */
    const char *idempotency_key;
};
/* Asks it; what is no success is the error that the authority tells. */
bool reach_ask(struct reach *reach, const struct reach_question *question,
               struct mu_buf *ret_answer, struct mutual_error *err);
/* The same, and reads the answer. The caller's. */
bool reach_get(struct reach *reach, const char *target, json_t **ret_answer,
               struct mutual_error *err);
bool reach_post(struct reach *reach, const char *target, const json_t *body, json_t **ret_answer,
                struct mutual_error *err);
bool reach_delete(struct reach *reach, const char *target, json_t **ret_answer,
                  struct mutual_error *err);
/* What a POST asks for is done once, though its answer is lost on the way. */
bool reach_post_once(struct reach *reach, const char *target, const json_t *body,
                     json_t **ret_answer, struct mutual_error *err);
/* Appends a text so that it is one segment of a path, or a value of a query. */
void reach_encode(struct mu_buf *target, const char *value);
/* Appends "?name=value" or "&name=value", the value encoded; nothing when it is NULL. */
void reach_query(struct mu_buf *target, const char *name, const char *value);
/* Every element of a list that comes in pages: `each` gets the elements of `member`. `most` 0: all
 * of them. */
bool reach_pages(struct reach *reach, const char *target, const char *member, size_t most,
                 bool (*each)(void *context, const json_t *element, struct mutual_error *err),
                 void *context, struct mutual_error *err);
/* Appends a copy of an element: what is at its top may be changed. */
bool reach_keep(json_t *list, const json_t *element, struct mutual_error *err);
/* A list as a command prints it. */
struct reach_list {
    const char *target, *member; /* of reach_pages                    */
    const char *name;            /* of the member that JSON has it in */
    const char *const *heads;    /* of a table                        */
    void (*row)(struct cli_table *table, const json_t *element);
    const char *none; /* is said when it is empty */
};
bool reach_list(const struct cli *cli, struct reach *reach, const struct reach_list *list,
                struct mutual_error *err);

/* A certificate's object as the record that it was made of, as far as it tells; texts belong to
 * object and arena. */
bool reach_record(const json_t *object, struct mu_arena *arena, struct inventory_record *ret_record,
                  struct mutual_error *err);
/* Those that the filter lets through, which says who, owner, place, purpose, profile,
 * expires_before_s with live, revoked, interrupted and limit, and nothing else; `der`: with the
 * certificates themselves. Each is valid until `each` returns. */
bool reach_certificates(struct reach *reach, const struct inventory_filter *filter, bool der,
                        bool (*each)(void *context, const struct inventory_record *record,
                                     struct mutual_error *err),
                        void *context, struct mutual_error *err);
/* Everything that `who` may mean (ca_find); the certificates come with it. */
bool reach_find(struct reach *reach, const char *who, struct inventory_records *ret_records,
                struct mutual_error *err);
/* Appends it as JSON; with a newline. */
bool reach_dump(const json_t *value, struct mu_buf *out, struct mutual_error *err);
bool reach_print(const json_t *value, struct mu_buf *out, struct mutual_error *err);
/* Members of an object; "" and 0 when they are not there. */
const char *reach_text(const json_t *object, const char *name);
int64_t reach_number(const json_t *object, const char *name);
int64_t reach_time(const json_t *object, const char *name);
/* What names of options are in a body. */
json_t *reach_names(const struct mutual_name *names, size_t count);
/* Puts a text, unless it is NULL; a number, unless it is 0. */
void reach_put(json_t *body, const char *name, const char *text);
void reach_put_number(json_t *body, const char *name, int64_t number);

#endif
