/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the room share.
 */
#ifndef ADMIN_ADMIN_INTERNAL_H
#define ADMIN_ADMIN_INTERNAL_H

#include "acme/acme.h"
#include "admin/admin.h"

#define ADMIN_PATH "/api/v1"

/* ---- what is taken and given: schema.c --------------------------------------------------------
 */

enum admin_kind {
    ADMIN_TEXT,    /* one line                                                 */
    ADMIN_BLOCK,   /* text of several lines: PEM                               */
    ADMIN_WORD,    /* one of `words`                                           */
    ADMIN_TIME,    /* RFC 3339, UTC                                            */
    ADMIN_NUMBER,  /* whole, within [min, max]                                 */
    ADMIN_FLAG,    /* true or false                                            */
    ADMIN_TEXTS,   /* a list of ADMIN_TEXT, at most `max`                      */
    ADMIN_OBJECTS, /* a list of objects of the schema `of`                     */
};
/* A member of an object, or a parameter of a query; a row without name ends the table. */
struct admin_field {
    const char *name;
    enum admin_kind kind;
    bool required; /* of what is given: it is always there */
    int64_t min;   /* of a number */
    int64_t max;   /* 0: the usual bound of the kind */
    const char *const *words;
    const struct admin_schema *of;
    const char *help; /* a phrase, lower case, no full stop */
};
struct admin_schema {
    const char *name; /* in the document: "Certificate" */
    const struct admin_field *fields;
};
#define ADMIN_TEXT_MAX 2048
#define SCHEMA(name_)  extern const struct admin_schema admin_##name_;
#define QUERY(name_)   extern const struct admin_field admin_##name_[];
#include "admin/schemas.def"
#undef SCHEMA
#undef QUERY
/* The row of that name. NULL: there is none. */
const struct admin_field *admin_field_find(const struct admin_field *fields, struct mu_slice name);
/* Reads what a request carries: exactly the members of the schema. JSON_MALFORMED. */
bool admin_body_read(struct mu_slice text, const struct admin_schema *schema, json_t **ret_body,
                     struct mutual_error *err);
/* Members of a body that was read; NULL, 0 and false when they are not there. */
const char *admin_text(const json_t *body, const char *name);
int64_t admin_number(const json_t *body, const char *name);
bool admin_flag(const json_t *body, const char *name);

/* ---- operations: routes.def, table.c ----------------------------------------------------------
 */

enum {
    ADMIN_PAGED = 1,  /* takes limit and cursor, gives next                                */
    ADMIN_TAGGED = 2, /* gives an ETag                                                     */
    ADMIN_MATCH = 4,  /* heeds If-Match                                                    */
    ADMIN_PEM = 8,    /* gives application/pem-certificate-chain to who asks for it        */
    ADMIN_PLAIN = 32, /* gives text/plain to who asks for it                               */
    ADMIN_SECRET = 16 /* what it gives is shown once, and not kept to be given again       */
};
struct admin_call;
typedef bool admin_handle_fn(struct admin_call *call, struct mutual_error *err);
struct admin_operation {
    const char *name; /* operationId */
    enum admin_role role;
    const struct admin_schema *takes; /* NULL: no body               */
    const struct admin_field *query;
    const struct admin_schema *gives; /* NULL: nothing               */
    unsigned status;                  /* of success                  */
    unsigned traits;
    const char *summary;
    admin_handle_fn *handle;
};
struct admin_call {
    struct api_world *world;
    struct ca *ca;
    const struct api_request *request; /* `who` in it is the one who has the role */
    const struct mutual_name *name; /* of the caller, which gave the role; NULL: on the machine */
    struct api_response *response;
    const struct admin_operation *operation;
    bool stands;         /* it failed, and what was asked may be in the store all the same */
    json_t *body;        /* NULL: the operation takes none */
    struct mu_json json; /* writes into the response's body */
};
extern const struct admin_operation admin_operations[];
extern const struct api_route admin_routes[]; /* the same rows */
extern const size_t admin_operation_count;
#define ROUTE(method_, path_, name_, role_, takes_, query_, gives_, status_, traits_, summary_) \
    bool admin_##name_(struct admin_call *call, struct mutual_error *err);
#include "admin/routes.def"
#undef ROUTE
/* What operations share. */
void admin_put_time(struct mu_json *json, const char *key, int64_t time_s);
/* Null when there is none. */
void admin_put_hex(struct mu_json *json, const char *key, struct mu_slice bytes);
/* Who answers for what is made: whom the body names, else `usual`, else the caller. */
bool admin_owner(const struct admin_call *call, const char *usual, const char **ret_owner,
                 struct mutual_error *err);
/* May he have such a certificate made? Nobody makes himself, or another, more than he is:
 * ROLE_MISSING for names that have a greater role. */
bool admin_may_name(const struct admin_call *call, const struct ca_request *wish,
                    struct mutual_error *err);
/* A list of admin_name_parse's; NULL: none. */
bool admin_names_read(const json_t *list, struct ca_names *ret_names, struct mutual_error *err);
/* Has somebody who changes something seen what it is now? CHANGED. `now` is its object as it would
 * be given. */
bool admin_match(const struct admin_call *call, struct mu_slice now, struct mutual_error *err);
/* The field Location: where the certificate of that serial number, in hexadecimal, is. */
void admin_put_location(struct admin_call *call, const char *serial);
/* A number in the path. NOT_FOUND. */
bool admin_path_number(const struct admin_call *call, int64_t *ret_number,
                       struct mutual_error *err);

/* ---- pages: page.c ----------------------------------------------------------------------------
 */

/* A page as it is written. */
struct admin_page {
    struct admin_call *call;
    int64_t left;     /* rows that it may have yet                       */
    int64_t at_s, id; /* behind which its next row is; id 0: the first */
    bool more;        /* there is one that is for the next page         */
};
enum { ADMIN_PAGE = 100, ADMIN_PAGE_MAX = 1000, ADMIN_PAGE_BYTES = 1 << 20 };
/* The value of a parameter of the query: NULL when it is not there. `out` holds it. OPTION_VALUE.
 */
bool admin_query(const struct admin_call *call, const char *name, struct mu_buf *out,
                 const char **ret_text, struct mutual_error *err);
/* Every parameter of the query is one that the operation knows, once, of its form. OPTION_VALUE. */
bool admin_query_check(const struct admin_call *call, struct mutual_error *err);
/* Reads limit and cursor, and opens the object with the list of that name. OPTION_VALUE: a cursor
 * goes on only in the list that it came from. */
bool admin_page_begin(struct admin_call *call, const char *name, struct admin_page *ret_page,
                      struct mutual_error *err);
/* Has the page room for one more row, which is at that place of the list? */
bool admin_page_takes(struct admin_page *page, int64_t at_s, int64_t id);
/* Closes both; the member "next" says where the next page begins, or is null. */
bool admin_page_end(struct admin_page *page, struct mutual_error *err);

/* ---- repeated requests: replay.c --------------------------------------------------------------
 */

/* Handles it, at most once for an Idempotency-Key. */
bool admin_once(struct admin_call *call, struct mutual_error *err);

#endif
