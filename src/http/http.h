/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP/1.1 (RFC 9110, RFC 9112), strict: what two readers could understand differently is refused.
 * Three layers, each of use without the next: reading and writing of messages in memory; a server
 * connection as a machine over bytes; and over sockets a server connection and a client exchange.
 * Parsing allocates nothing: what is found are slices of the caller's buffer.
 *
 * Refused, in a request (by 400 unless said) as in a response: a CR or LF that is no line's end,
 * any other control byte, folded fields, blanks before the colon, a name that is no token, more
 * than one Host, Content-Length or Transfer-Encoding, the latter two together, a Content-Length
 * that is not plain digits, any transfer coding but "chunked" (501), chunk sizes that are not plain
 * hexadecimal, trailer fields, names that become a framing field when "_" is read as "-", a target
 * whose authority is not that of Host, user information in it, a fragment, HTTP/0.9 and every
 * version that is not 1.0 or 1.1, chunked in 1.0. A 1.0 connection is never kept. Limits are in
 * base/limits.h.
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include <mutual/session.h>

#include "base/base.h"
#include "event/event.h"

#include <netinet/in.h>

/* ---- heads ----------------------------------------------------------------------------------- */

/* Looks for the end of a head as its bytes arrive, each of them once. All-zero begins. */
struct http_scan {
    size_t at;   /* looked at so far                 */
    size_t line; /* where the line under way begins  */
    unsigned lines;
};
enum http_step {
    HTTP_MORE, /* all of it was taken; more must come                        */
    HTTP_DONE,
    HTTP_FAILED, /* HTTP_MALFORMED, HTTP_UNSUPPORTED or HTTP_LIMIT; err says why */
};
/* `bytes` is everything of this head from its first byte on, more with every call. DONE: the head
 * is the first *ret_len bytes. */
enum http_step http_scan(struct http_scan *scan, struct mu_slice bytes, size_t *ret_len,
                         struct mutual_error *err) MUTUAL_MUST_CHECK;

struct http_field {
    struct mu_slice name;
    struct mu_slice value; /* without the blanks around it */
};
enum http_framing {
    HTTP_BODY_NONE,
    HTTP_BODY_LENGTH,
    HTTP_BODY_CHUNKED,
    HTTP_BODY_TO_END, /* a response that ends with the connection */
};
/* What a head says. Slices point into the bytes that were parsed. */
struct http_head {
    struct mu_slice method, target; /* request, as written                                        */
    struct mu_slice path, query;    /* of the target; the query without "?"; path "*" for OPTIONS */
    struct mu_slice host;           /* request: of Host; empty only in 1.0                        */
    bool has_query;
    unsigned status; /* response */
    struct mu_slice reason;
    unsigned minor; /* of HTTP/1.minor: 0 or 1 */
    struct http_field fields[MU_LIMIT_HTTP_FIELDS];
    size_t field_count;
    enum http_framing framing;
    uint64_t length;      /* with HTTP_BODY_LENGTH */
    bool keep_alive;      /* the connection may carry another message */
    bool expect_continue; /* request: the body waits for 100 (Continue) */
};
/* Parses a whole head, as http_scan delimits it. */
bool http_request_parse(struct mu_slice bytes, struct http_head *ret_head,
                        struct mutual_error *err) MUTUAL_MUST_CHECK;
/* `to_head`: it answers a HEAD request and so has no body. */
bool http_response_parse(struct mu_slice bytes, bool to_head, struct http_head *ret_head,
                         struct mutual_error *err) MUTUAL_MUST_CHECK;
/* The value of a field, by its name in any case. False: there is none, or more than one, so that
 * nobody reads the first where another reads the last. */
bool http_field_find(const struct http_head *head, const char *name, struct mu_slice *ret_value);
size_t http_field_count(const struct http_head *head, const char *name);
/* Does a field that lists tokens hold this one? */
bool http_field_has_token(const struct http_head *head, const char *name, const char *token);

/* ---- bodies ---------------------------------------------------------------------------------- */

struct http_body {
    enum http_framing framing;
    unsigned char state;
    unsigned char digits; /* of the chunk size under way          */
    uint64_t left;        /* of the body, or of the chunk         */
    uint64_t taken;       /* content so far                       */
    uint64_t max;         /* of content; more is HTTP_LIMIT       */
    size_t overhead;      /* bytes of chunk extensions so far     */
};
/* For the body that `head` announces; HTTP_LIMIT when it announces more than `max` bytes. */
bool http_body_init(struct http_body *body, const struct http_head *head, uint64_t max,
                    struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Takes from the front of `in`; *ret_piece is the next piece of content, empty when framing alone
 * was there. MORE with bytes left in `in`: call again. DONE: the message is over, what is left in
 * `in` belongs to the next one. */
enum http_step http_body_read(struct http_body *body, struct mu_slice *in,
                              struct mu_slice *ret_piece,
                              struct mutual_error *err) MUTUAL_MUST_CHECK;
/* The connection is at its end: is the body too? TRUNCATED when not. */
bool http_body_end(const struct http_body *body, struct mutual_error *err) MUTUAL_MUST_CHECK;

/* ---- writing --------------------------------------------------------------------------------- */

/* Start line and fields are appended one by one, then http_put_end. A name or value that could not
 * be read back as it is marks the buffer as failed, as an append does that does not fit. */
void http_put_request(struct mu_buf *out, const char *method, const char *target, const char *host);
void http_put_status(struct mu_buf *out, unsigned status);
void http_put_field(struct mu_buf *out, const char *name, struct mu_slice value);
void http_put_text(struct mu_buf *out, const char *name, const char *value);
void http_put_length(struct mu_buf *out, uint64_t length);
void http_put_date(struct mu_buf *out, const char *name, int64_t time_s);
void http_put_end(struct mu_buf *out);
/* One chunk; an empty one ends the body. */
void http_put_chunk(struct mu_buf *out, struct mu_slice piece);
/* "OK", "Not Found"; "" for a number that is not known. Constant. */
const char *http_reason(unsigned status);
/* IMF-fixdate, "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7); nothing else is parsed. */
#define HTTP_DATE_TEXT 32
const char *http_date_format(int64_t time_s, char text[HTTP_DATE_TEXT]);
bool http_date_parse(struct mu_slice text, int64_t *ret_s);
/* How long a response may be used without asking again: max-age, else Expires less Date (RFC 9111
 * section 4.2.1); 0 when it says nothing or no-store or no-cache. At most MU_LIMIT_HTTP_FRESH_S. */
int64_t http_freshness_s(const struct http_head *head);

/* ---- addresses ------------------------------------------------------------------------------- */

/* An http or https URL, taken apart. Slices point into the text. */
struct http_url {
    bool secure;
    struct mu_slice host; /* without the brackets of an IPv6 address */
    bool host_is_v6;
    uint16_t port;
    struct mu_slice authority; /* host and port as written */
    struct mu_slice target;    /* path and query; "/" when the text has none */
};
/* No user information, no fragment, no other scheme, no byte that a URI may not hold
 * (HTTP_URL_INVALID). */
bool http_url_parse(struct mu_slice text, struct http_url *ret_url,
                    struct mutual_error *err) MUTUAL_MUST_CHECK;
/* The URL that a Location field means, as text into `out`: a whole URL, or a path on this one's
 * host. */
bool http_url_resolve(const struct http_url *base, struct mu_slice location, struct mu_buf *out,
                      struct mutual_error *err) MUTUAL_MUST_CHECK;

/* ---- a server's connection, over bytes --------------------------------------------------------
 */

struct http_exchange;
/* A whole request. What it points to lives until it is answered. */
struct http_request {
    const struct http_head *head;
    struct mu_slice body;
    struct http_exchange *exchange;
};
struct http_response {
    unsigned status;
    const char *content_type; /* NULL: none */
    struct mu_slice body;     /* copied     */
    bool close;               /* and no further request on this connection */
    /* More fields; NULL: none. Called with the head under way; uses http_put_field and its like. */
    void (*fields)(void *context, struct mu_buf *out);
    void *context;
};
/* Must see to it that http_answer is called once, at once or later. */
typedef void http_handle_fn(void *owner, const struct http_request *request);

struct http_server_options {
    http_handle_fn *handle;
    void *owner;
    size_t body_max;       /* a larger body is 413                                             */
    unsigned requests_max; /* of one connection; 0: MU_LIMIT_HTTP_REQUESTS                     */
    const char *server;    /* the Server field; NULL: none                                     */
    int64_t (*clock_s)(void *context); /* for Date; NULL: the machine's clock                  */
    void *clock_context;
};
/* One connection: bytes in, requests to the handler, responses out in the order of the requests. A
 * request is parsed only when the one before is answered, and its bytes wait outside until then. */
struct http_server;
/* The options are borrowed. NULL: out of memory. */
struct http_server *http_server_new(const struct http_server_options *options);
void http_server_free(struct http_server *server);
/* Takes what it can from the front of `in`. Whatever is malformed is answered and ends the
 * connection: see http_server_phase. */
void http_server_feed(struct http_server *server, struct mu_slice *in);
/* What is to be sent; mu_buf_consume what was. */
struct mu_buf *http_server_out(struct http_server *server);
/* Answers the exchange of a request. Not after the server's end. */
void http_answer(struct http_exchange *exchange, const struct http_response *response);

enum http_phase {
    HTTP_PHASE_IDLE,    /* between requests                                    */
    HTTP_PHASE_HEAD,    /* a request's head is under way                       */
    HTTP_PHASE_BODY,    /* its body is                                         */
    HTTP_PHASE_HANDLER, /* the handler has it                                  */
    HTTP_PHASE_OVER,    /* send what is in out, then close; nothing more is read */
};
enum http_phase http_server_phase(const struct http_server *server);
/* A phase took too long: 408 for a request that is under way, and OVER. The handler's phase has no
 * end but the answer. */
void http_server_late(struct http_server *server);
/* Why it is OVER, when that was the other side's fault; else code MUTUAL_OK. */
const struct mutual_error *http_server_error(const struct http_server *server);

/* ---- over sockets ------------------------------------------------------------------------------
 */

struct http_times {
    int64_t connect_ns;   /* until the connection stands                                       */
    int64_t handshake_ns; /* ... TLS too                                                       */
    int64_t head_ns;      /* from the first byte of a head (client: from the request) to its last */
    int64_t body_ns;      /* for a whole body                                                  */
    int64_t write_ns;     /* until something that is to be sent is taken                       */
    int64_t idle_ns;      /* between requests                                                  */
};
/* 5 s, 10 s, 10 s, 60 s, 30 s, 60 s. */
extern const struct http_times http_times_default;

/* Serves an accepted, non-blocking stream socket. Calls `over` once, when the connection is closed
 * and freed, after which nothing of it may be used. */
struct http_service_options {
    struct reactor *reactor;
    struct http_server_options server;
    struct http_times times;
    void (*over)(void *owner, const struct mutual_error *why); /* code MUTUAL_OK: a good end */
    void *over_owner;
};
struct http_service;
/* Takes the descriptor, on failure too. The options are copied. */
bool http_service_new(const struct http_service_options *options, int take_fd,
                      struct http_service **ret_service,
                      struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Ends it at once; `over` is not called. Not from the handler. */
void http_service_free(struct http_service *service);
/* Does it wait for the peer to say a request, or to close? Then nobody loses an answer by its end.
 */
bool http_service_is_idle(const struct http_service *service);

/* One exchange of a client: a request, its response, and redirects to the same host. Sockets come
 * from the caller, who alone decides whom they are connected to. */
struct http_client;
struct http_result {
    const struct http_head *head; /* of the final response; NULL when it failed */
    uint64_t bytes;               /* of content                                 */
    unsigned redirects;
};
struct http_client_options {
    struct reactor *reactor;
    const char *url;    /* copied                                                               */
    const char *method; /* "GET", "HEAD" or "POST"                                      */
    const char *content_type; /* of the body                                                  */
    struct mu_slice body;     /* copied                                                       */
    const char *etag;         /* asks If-None-Match; NULL: does not                           */
    const char *modified;     /* asks If-Modified-Since, in the server's own words            */
    const char *accept;
    const char *authorization; /* sent over https only; must outlive the exchange; NULL: none */
    /* Says which request it is when it is sent again; must outlive the exchange; NULL: none. */
    const char *idempotency_key;
    struct mutual_identity *identity; /* shown when the server asks for it; borrowed; or NULL   */
    bool any_status; /* content of every status is given to `piece`, and none of them is an error */
    uint64_t body_max;
    struct http_times times;
    /* Believed for https; NULL: https is refused. The server must prove to be the URL's host. */
    struct mutual_trust *trust;
    unsigned redirects_max; /* to the URL's own host, and never from https to http            */
    /* With https: only a handshake, in which nobody is believed, this protocol is offered and this
     * name is sent. `shook` judges what the server presented; nothing is asked. NULL: as usual. */
    bool (*shook)(void *owner, const char *alpn, struct mu_slice leaf, struct mutual_error *err);
    const char *alpn, *server_name;
    /* Wants a socket on which a connect to `port` of the URL's host was begun. The answer is
     * http_client_give, at once or later. `attempt` counts from 0 within one redirect. */
    void (*want)(void *owner, struct http_client *client, uint16_t port, unsigned attempt);
    /* A piece of the content of a 200; false ends the exchange (err says why). */
    bool (*piece)(void *owner, struct mu_slice bytes, struct mutual_error *err);
    /* Once. err->code is MUTUAL_OK for 200 and 304; any other status is HTTP_STATUS. The client may
     * be freed in it. */
    void (*done)(void *owner, const struct http_result *result, const struct mutual_error *err);
    void *owner;
};
/* Starts it; the first `want` comes in a later turn. */
bool http_client_new(const struct http_client_options *options, struct http_client **ret_client,
                     struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Takes the descriptor. -1: there is no (further) address, and `why` says what went wrong. */
void http_client_give(struct http_client *client, int take_fd, const struct mutual_error *why);
void http_client_free(struct http_client *client);

#endif
