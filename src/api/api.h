/* SPDX-License-Identifier: Apache-2.0
 *
 * What the authority's protocols are written against: a request with the caller who was proved, a
 * response, tables of routes, problem documents (RFC 9457). Knows no protocol itself.
 *
 * A handler is synchronous: it gets a whole request and fills the response. What takes longer is
 * state in the store, asked for by the client again, or moved on by a table's `tick`.
 *
 * Routes are default deny: a path that no table has is 404, and a route answers only on the
 * channels that it names. Nothing about the caller comes from the request's own bytes.
 */
#ifndef API_API_H
#define API_API_H

#include "base/base.h"
#include "ca/ca.h"
#include "http/http.h"
#include "x509/x509.h"

#include <mutual/identity.h>

#include <jansson.h>

/* ---- who calls ------------------------------------------------------------------------------- */

enum api_channel {
    API_PLAIN,  /* plain HTTP: anybody, and anybody on the way may read and alter */
    API_TLS,    /* we are proved to the caller, he is not                         */
    API_MUTUAL, /* both are proved                                                */
    API_LOCAL,  /* the authority's socket on the machine itself, "….authority"    */
    API_CHANNEL_COUNT_
};
/* "plain", "tls", "mutual", "local". Constant. */
const char *api_channel_word(enum api_channel channel);
#define API_ON(channel_) (1u << (channel_))

/* Made by whoever accepted the connection from what was proved there; lives as long as it does. */
struct api_caller {
    enum api_channel channel;
    const char *listener;            /* name of the inbound that he came by, never NULL      */
    const char *address;             /* of the peer, as text, never NULL                     */
    const struct mu_cert *leaf;      /* API_MUTUAL: proved in the handshake; else NULL       */
    const struct mutual_name *names; /* the leaf's typed identities                         */
    size_t name_count;
    const char *user; /* API_LOCAL: whose process it is, "alice (1000)"; else NULL */
};

/* ---- a request and its response -------------------------------------------------------------- */

#define API_PARAMETERS 2u
struct api_route;
struct api_request {
    const struct api_route *route;
    const struct http_head *head; /* method, path, query, fields                                  */
    /* What the route's "{...}" stand for, in their order: as written, not decoded; neither empty
     * nor with a "/" in it. */
    struct mu_slice parameters[API_PARAMETERS];
    struct mu_slice path_rest; /* what the route's trailing "*" stands for, as it was written:
                                  not decoded, and it may hold "//", ".." and "%"              */
    struct mu_slice body;
    const struct api_caller *caller;
    int64_t now_s;
    const char *who; /* the caller for the audit: "spiffe://example.org/web (enroll 192.0.2.1)" */
};

struct api_response {
    unsigned status;          /* 200 until said otherwise                                        */
    const char *content_type; /* constant, or as long-lived as the response; NULL: none          */
    struct mu_buf body;       /* secret; limit MU_LIMIT_HTTP_RESPONSE                            */
    struct mu_buf fields;     /* api_field's                                                     */
    bool close;               /* no further request on this connection                           */
    struct mutual_error why; /* what the problem document is about, whole: for a caller in this very
                                process                                                         */
};
void api_response_init(struct api_response *response);
void api_response_done(struct api_response *response);
void mu_api_response_auto(struct api_response *response);
/* A further header field; both texts are copied. One that cannot be written makes the response a
 * 500. */
void api_field(struct api_response *response, const char *name, const char *value);

/* Puts a problem document in the place of the body: {"type", "title", "status", "detail", "code",
 * "hint"}. `type` is a URI, NULL: "about:blank", whose title is the status's own phrase (RFC 9457
 * section 4.2.1). `why` may be NULL. What is said of `why` is for a stranger: of a failure of class
 * "system", "configuration" or "bug" only what its code means, neither paths nor the library's
 * words. Fields that were added stay; the content type is application/problem+json. */
void api_problem(struct api_response *response, unsigned status, const char *type,
                 const struct mutual_error *why);
/* The HTTP status that fits an error: 400, 403, 404, 409, 413, 503 or 500. */
unsigned api_status_of(const struct mutual_error *why);
struct api_world;
/* What went wrong on our side, for the log: what was asked for, by whom, why not, what to do; and
 * for whoever looks after that. */
void api_tell(const struct api_world *world, const struct api_request *request,
              const struct mutual_error *why);
/* Problem and status together, with Retry-After where trying again helps. What is not told to the
 * caller is told to the log. */
void api_fail(struct api_world *world, const struct api_request *request,
              struct api_response *response, const struct mutual_error *why);

/* ---- what handlers work with ----------------------------------------------------------------- */

struct acme_settings;
struct acme_prober;
struct admin_settings;
/* The configuration's words on the authority; owned by whoever serves. */
struct api_settings {
    const char *url;         /* "https://ca.example.org:8443", no "/" at its end: how callers reach
                                us by TLS; NULL: not said, see api_url                           */
    const char *publish_url; /* "http://ca.example.org", the same for plain HTTP; NULL: nowhere  */
    bool server_keygen; /* keys are made for callers who ask for it (EST serverkeygen)         */
    int64_t grace_s;    /* a certificate may be renewed for so long after its end; 0: not   */
    const struct acme_settings *acme; /* of acme/acme.h; NULL: ACME is not served                */
    const struct admin_settings *admin; /* of admin/admin.h; NULL: nobody has a role             */
};
/* What protocols tell of themselves besides how they answered. Words are ours, never a caller's. */
enum api_event {
    API_ENROLLED,  /* protocol; "token", "certificate", "account" or "nobody"; API_RESULT_… */
    API_VALIDATED, /* a method of ACME; "valid" or "invalid"                                */
    API_TOLD,      /* by OCSP: "good", "revoked", "unknown", or why nothing was told        */
    API_EVENT_COUNT_
};
#define API_RESULT_ISSUED  "issued"
#define API_RESULT_WAITS   "waits" /* for a person */
#define API_RESULT_REFUSED "refused"
#define API_RESULT_FAILED  "failed" /* by a fault of ours */
struct api_world {
    struct ca *ca; /* opened to be changed; every changing call takes the store's lock itself */
    struct ca_signer *signer;
    const struct api_settings *settings;
    struct acme_prober *prober; /* of acme/acme.h: looks for the answers to challenges; or NULL */
    /* A line for the log; NULL: none is kept. No newline, nothing unescaped. */
    void (*log)(void *context, const char *line);
    void *log_context;
    /* Something happened that is counted; NULL: nobody counts. */
    void (*count)(void *context, enum api_event event, const char *const *words);
    void *count_context;
    /* Whatever went wrong on our side; NULL: nobody is told. */
    void (*failed)(void *context, const struct mutual_error *why);
    void *failed_context;
};
/* Appends the absolute URL of a path ("/acme/new-order"): below settings->url, else below the Host
 * that this very request names, which tells a caller nothing but what he said himself. */
void api_url(const struct api_world *world, const struct api_request *request, const char *path,
             struct mu_buf *out);
void api_log(const struct api_world *world, const char *format, ...) MUTUAL_PRINTF(2, 3);
/* Has it counted; as many words as the event has, "" where there are fewer. */
void api_count(const struct api_world *world, enum api_event event, const char *first,
               const char *second, const char *third);
/* What became of an enrolment that was answered so. Constant. */
const char *api_result_of(unsigned status);

/* ---- routes ---------------------------------------------------------------------------------- */

typedef void api_handle_fn(struct api_world *world, const struct api_request *request,
                           struct api_response *response);
struct api_route {
    const char *method; /* "GET" answers HEAD too                                             */
    const char *path;   /* exact, byte by byte; a "*" at the end stands for one byte or more,
                           "{name}" between two slashes or at the end for what has no "/"     */
    unsigned channels;  /* API_ON(API_TLS) | …; 0 answers nobody                              */
    const char *body_type; /* media type that the body must have, else 415; NULL: it is not
                              looked at                                                          */
    size_t body_max;       /* else 413; at most MU_LIMIT_API_BODY                                */
    api_handle_fn *handle;
};
struct api_table {
    const char *name; /* "est" */
    const struct api_route *routes;
    size_t count;
    /* Work that no request waits for; called about once a second, between requests. Must be short.
     * NULL: none. */
    void (*tick)(struct api_world *world, int64_t now_s);
};

/* Finds the route and calls it. An exact path goes before one with "{...}", that before one with
 * "*", the longer of these before the shorter. Refusals, in this order: 404 no such path; 403 not
 * on this channel; 405 with Allow; 413; 415. */
void api_serve(const struct api_table *const *tables, size_t table_count, struct api_world *world,
               const struct http_head *head, struct mu_slice body, const struct api_caller *caller,
               int64_t now_s, struct api_response *response);
/* The same for a request of an HTTP connection, and answers it; yields with which status. */
unsigned api_answer(const struct api_table *const *tables, size_t table_count,
                    struct api_world *world, const struct http_request *request,
                    const struct api_caller *caller, int64_t now_s);

/* Appends the caller for the audit, escaped: "spiffe://example.org/web (enroll 192.0.2.1)". `name`
 * is the one of his names that he acts by; the serial number behind it then tells him from others
 * who have the name too. NULL: his first name alone. A name that does not fit into API_WHO_MAX
 * makes the buffer fail: half of who it was is worse than a refusal, api_who_refuse. */
enum { API_WHO_MAX = 4096 };
void api_who(const struct api_caller *caller, const struct mutual_name *name, struct mu_buf *out);
/* 403 to a caller whose name is too long to be written down. */
void api_who_refuse(struct api_response *response);

/* ---- helpers for handlers -------------------------------------------------------------------- */

/* Reads a JSON object strictly: nothing behind it, no key twice, no NUL, well-formed UTF-8. `what`
 * names it in the failure, which is of that code. The caller's: json_decref. */
bool api_json_object(struct mu_slice text, const char *what, enum mutual_code code,
                     json_t **ret_object, struct mutual_error *err);
void mu_api_json_auto(json_t **value);
/* Is the request's Content-Type this one, whatever its parameters? */
bool api_has_type(const struct http_head *head, const char *type);
/* Appends the password of HTTP Basic (RFC 7617) to `secret`, and the user to `user` (NULL: not
 * wanted). False: there is no such field, or it is malformed. */
bool api_basic(const struct http_head *head, struct mu_buf *user, struct mu_buf *secret);
/* Appends the value of a parameter of the query, decoded; `name` needs no encoding. False: there
 * is none, or more than one, or it is malformed. */
bool api_query(const struct http_head *head, const char *name, struct mu_buf *out);

#endif
