/* SPDX-License-Identifier: Apache-2.0
 *
 * Issuers' certificates and revocation lists over HTTP, and the table of routes.
 */
#include "publish/publish_internal.h"

#include <stdio.h>
#include <string.h>

#define WORD_MAX      64u
#define LIST_FRESH_S  300 /* a revocation may come at any time */
#define CERT_FRESH_S  86400
#define OCSP_BODY_MAX ((size_t)MU_LIMIT_OCSP_BYTES)

/* ---- caches ---------------------------------------------------------------------------------- */

static bool has_it(const struct api_request *request, const struct publish_age *age)
{
    struct mu_slice value;
    int64_t since_s = 0;
    char quoted[80];
    (void)snprintf(quoted, sizeof quoted, "\"%s\"", age->etag);
    if (http_field_find(request->head, "If-None-Match", &value)) {
        return mu_slice_equal_text(value, quoted); /* then the date is not looked at */
    }
    return http_field_find(request->head, "If-Modified-Since", &value) &&
           http_date_parse(value, &since_s) && age->this_s <= since_s;
}

bool publish_cached(const struct api_request *request, const struct publish_age *age,
                    struct api_response *response)
{
    char text[80];
    char date[HTTP_DATE_TEXT];
    int64_t left_s = age->next_s - request->now_s;
    int64_t fresh_s = age->fresh_s < left_s ? age->fresh_s : left_s;
    (void)snprintf(text, sizeof text, "max-age=%lld, public, no-transform, must-revalidate",
                   (long long)(fresh_s > 0 ? fresh_s : 0));
    api_field(response, "Cache-Control", text);
    api_field(response, "Last-Modified", http_date_format(age->this_s, date));
    api_field(response, "Expires", http_date_format(age->next_s, date));
    (void)snprintf(text, sizeof text, "\"%s\"", age->etag);
    api_field(response, "ETag", text);
    if (!has_it(request, age)) {
        return false;
    }
    response->status = 304;
    return true;
}

/* ---- names ----------------------------------------------------------------------------------- */

static bool take_tail(struct mu_slice *text, const char *tail)
{
    size_t len = strlen(tail);
    if (text->len <= len || memcmp(text->data + text->len - len, tail, len) != 0) {
        return false;
    }
    text->len -= len;
    return true;
}

/* ".17" at the end. */
static bool take_number(struct mu_slice *text, unsigned *ret_number)
{
    size_t at = text->len;
    char digits[8] = {0};
    uint64_t number = 0;
    while (at > 0 && text->data[at - 1] >= '0' && text->data[at - 1] <= '9') {
        at--;
    }
    size_t len = text->len - at;
    if (at < 2 || len == 0 || len >= sizeof digits || text->data[at - 1] != '.' ||
        text->data[at] == '0') {
        return false;
    }
    memcpy(digits, text->data + at, len);
    if (!mu_text_uint(digits, CA_SHARDS_MAX, &number)) {
        return false;
    }
    text->len = at - 1;
    *ret_number = (unsigned)number;
    return true;
}

/* Lets the issuer of that word be the one that is meant. */
static bool select_issuer(struct ca *ca, struct mu_slice word)
{
    char text[WORD_MAX];
    if (word.len == 0 || word.len >= sizeof text || memchr(word.data, '\0', word.len) != NULL) {
        return false;
    }
    memcpy(text, word.data, word.len);
    text[word.len] = '\0';
    return ca_select(ca, text, NULL);
}

static void not_found(struct api_response *response)
{
    api_problem(response, 404, NULL, NULL);
}

/* ---- lists ----------------------------------------------------------------------------------- */

static void send_list(struct api_world *world, const struct api_request *request, unsigned shard,
                      bool delta, struct api_response *response)
{
    struct mutual_error err = {0};
    struct inventory_list list;
    bool found = false;
    char etag[48];
    if (!ca_list_get(world->ca, shard, delta, &list, NULL, &found, &err)) {
        api_fail(world, request, response, &err);
        return;
    }
    if (!found) {
        not_found(response);
        return;
    }
    (void)snprintf(etag, sizeof etag, "%llu-%lld", (unsigned long long)list.number,
                   (long long)list.this_update_s);
    const struct publish_age age = {.this_s = list.this_update_s,
                                    .next_s = list.next_update_s,
                                    .fresh_s = LIST_FRESH_S,
                                    .etag = etag};
    if (publish_cached(request, &age, response)) {
        return;
    }
    response->content_type = "application/pkix-crl";
    if (!ca_list_get(world->ca, shard, delta, &list, &response->body, &found, &err)) {
        api_fail(world, request, response, &err);
    }
}

static void get_list(struct api_world *world, const struct api_request *request,
                     struct api_response *response)
{
    struct mu_slice name = request->path_rest;
    unsigned shard = 0;
    bool named = take_tail(&name, ".crl");
    bool delta = named && take_tail(&name, ".delta");
    bool part = named && !delta && take_number(&name, &shard);
    (void)part;
    if (!named || !select_issuer(world->ca, name)) {
        not_found(response);
        return;
    }
    send_list(world, request, shard, delta, response);
}

/* ---- certificates ---------------------------------------------------------------------------- */

static void get_certificate(struct api_world *world, const struct api_request *request,
                            struct api_response *response)
{
    struct mu_slice name = request->path_rest;
    if (!take_tail(&name, ".cer")) {
        not_found(response);
        return;
    }
    bool root = mu_slice_equal_text(name, "root");
    if (!root && !select_issuer(world->ca, name)) {
        not_found(response);
        return;
    }
    const struct mu_cert_facts *facts =
        mu_cert_facts(root ? ca_root(world->ca) : ca_issuer(world->ca));
    MU_AUTO(buf) struct mu_buf etag;
    mu_buf_init(&etag, 80);
    mu_hex(&etag, mu_slice_of(facts->fingerprint, 16));
    const struct publish_age age = {.this_s = facts->not_before_s,
                                    .next_s = facts->not_after_s,
                                    .fresh_s = CERT_FRESH_S,
                                    .etag = mu_buf_str(&etag)};
    if (!publish_cached(request, &age, response)) {
        response->content_type = "application/pkix-cert";
        mu_buf_append(&response->body, facts->der.data, facts->der.len);
    }
}

/* ---- the table ------------------------------------------------------------------------------- */

#define EVERYBODY (API_ON(API_PLAIN) | API_ON(API_TLS) | API_ON(API_MUTUAL) | API_ON(API_LOCAL))
static const struct api_route routes[] = {
    {"GET", "/crl/*", EVERYBODY, NULL, 0, get_list},
    {"GET", "/issuer/*", EVERYBODY, NULL, 0, get_certificate},
    {"GET", "/ocsp/*", EVERYBODY, NULL, 0, publish_ocsp_get},
    {"POST", "/ocsp", EVERYBODY, "application/ocsp-request", OCSP_BODY_MAX, publish_ocsp_post},
};
const struct api_table publish_table = {
    .name = "publish", .routes = routes, .count = MU_COUNT(routes)};
