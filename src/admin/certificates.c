/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates: listed, looked at, issued for somebody's request, revoked.
 */
#include <stdlib.h>
#include <string.h>

#include "admin/admin_internal.h"

#define SOON_S (INT64_C(14) * 86400)
enum { PEM_MAX = 1 << 18, OBJECT_MAX = 1 << 20, SERIAL_TEXT = 41 };

/* ---- how one is written ------------------------------------------------------------------------
 */

const char *admin_state_word(const struct inventory_record *record, int64_t now_s)
{
    return record->revoked ? "revoked"
           : record->state == INVENTORY_RESERVED || record->state == INVENTORY_SIGNED
               ? "interrupted"
           : record->not_after_s < now_s          ? "expired"
           : record->replaced_by_id != 0          ? "replaced"
           : record->not_after_s - now_s < SOON_S ? "ends soon"
                                                  : "valid";
}

void admin_put_hex(struct mu_json *json, const char *key, struct mu_slice bytes)
{
    MU_AUTO(buf) struct mu_buf hex;
    mu_buf_init(&hex, 256);
    mu_hex(&hex, bytes);
    mu_json_string(json, key, bytes.len == 0 ? NULL : mu_buf_str(&hex));
}

static void put_names(struct mu_json *json, const struct inventory_record *record)
{
    /* Written as mutual issue and mutual show write them. */
    static const char *const kinds[MUTUAL_NAME_COUNT_] = {
        [MUTUAL_NAME_SPIFFE] = "URI", [MUTUAL_NAME_URI] = "URI",     [MUTUAL_NAME_DNS] = "DNS",
        [MUTUAL_NAME_IP] = "IP",      [MUTUAL_NAME_EMAIL] = "email", [MUTUAL_NAME_CN] = "CN",
    };
    mu_json_open(json, "names", '[');
    for (size_t i = 0; i < record->name_count; i++) {
        MU_AUTO(buf) struct mu_buf text;
        mu_buf_init(&text, 8192);
        mu_buf_printf(&text, "%s:%s", kinds[record->names[i].type], record->names[i].text);
        mu_json_string(json, NULL, mu_buf_str(&text));
    }
    mu_json_close(json, ']');
}

void admin_certificate_json(const struct inventory_record *record, int64_t now_s,
                            struct mu_json *json)
{
    mu_json_string(json, "name", record->name);
    mu_json_string(json, "profile", record->profile);
    mu_json_string(json, "state", admin_state_word(record, now_s));
    admin_put_hex(json, "serial", record->serial);
    admin_put_hex(json, "fingerprint", record->fingerprint);
    mu_json_string(json, "issuer", record->issuer_name);
    put_names(json, record);
    mu_json_string(json, "key", record->key_text);
    mu_json_string(json, "owner", record->owner);
    mu_json_string(json, "place", record->place);
    mu_json_string(json, "purpose", record->purpose);
    mu_json_string(json, "path", record->path[0] != '\0' ? record->path : NULL);
    admin_put_time(json, "not_before", record->not_before_s);
    admin_put_time(json, "not_after", record->not_after_s);
    mu_json_bool(json, "replaced", record->replaced_by_id != 0);
    mu_json_bool(json, "replaces", record->replaces_id != 0);
    if (record->revoked) {
        admin_put_time(json, "revoked_at", record->revoked_s);
        mu_json_string(json, "reason", mu_reason_word(record->reason));
    }
}

static bool put_object(const struct inventory_record *record, bool der, int64_t now_s,
                       struct mu_json *json, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, OBJECT_MAX);
    mu_json_open(json, NULL, '{');
    admin_certificate_json(record, now_s, json);
    if (der && record->der.len > 0) {
        mu_base64(&text, record->der);
        mu_json_string(json, "certificate", mu_buf_str(&text));
    }
    mu_json_close(json, '}');
    return !text.failed || mu_fail_memory(err);
}

/* ---- the list ----------------------------------------------------------------------------------
 */

struct selection {
    struct inventory_filter filter;
    struct mu_buf texts[8]; /* of the query */
    size_t text_count;
    const char *match;
    bool der;
};

static void selection_done(struct selection *selection)
{
    for (size_t i = 0; i < MU_COUNT(selection->texts); i++) {
        mu_buf_done(&selection->texts[i]);
    }
}

static bool take_text(const struct admin_call *call, struct selection *selection, const char *name,
                      const char **ret_text, struct mutual_error *err)
{
    mu_assert(selection->text_count < MU_COUNT(selection->texts));
    struct mu_buf *text = &selection->texts[selection->text_count++];
    mu_buf_init(text, 2 * ADMIN_TEXT_MAX);
    return admin_query(call, name, text, ret_text, err);
}

/* What a text may mean is told whole: a filter beside it would be heeded by nobody. */
static bool match_is_alone(const struct admin_call *call, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf value;
    mu_buf_init(&value, 2 * ADMIN_TEXT_MAX);
    for (const struct admin_field *field = call->operation->query; field->name != NULL; field++) {
        const char *text = NULL;
        if (strcmp(field->name, "match") == 0 || strcmp(field->name, "include") == 0) {
            continue;
        }
        if (!admin_query(call, field->name, &value, &text, err)) {
            return false;
        }
        if (text != NULL) {
            return mu_fail(err, MUTUAL_E_OPTION_VALUE,
                           "\"match\" goes only with \"include\", and \"%s\" is there too",
                           field->name) ||
                   mu_error_hint(err, "Leave one of them out.");
        }
    }
    return true;
}

static bool take_flag(const struct admin_call *call, const char *name, bool *ret_flag,
                      struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf value;
    const char *text = NULL;
    mu_buf_init(&value, 64);
    if (!admin_query(call, name, &value, &text, err)) {
        return false;
    }
    *ret_flag = text != NULL && strcmp(text, "false") != 0;
    return true;
}

static bool read_selection(const struct admin_call *call, struct selection *selection,
                           struct mutual_error *err)
{
    struct inventory_filter *filter = &selection->filter;
    const char *ends = NULL;
    if (!take_text(call, selection, "name", &filter->who, err) ||
        !take_text(call, selection, "match", &selection->match, err) ||
        !take_text(call, selection, "owner", &filter->owner, err) ||
        !take_text(call, selection, "place", &filter->place, err) ||
        !take_text(call, selection, "purpose", &filter->purpose, err) ||
        !take_text(call, selection, "profile", &filter->profile, err) ||
        !take_text(call, selection, "ends_before", &ends, err) ||
        !take_flag(call, "revoked", &filter->revoked, err) ||
        !take_flag(call, "interrupted", &filter->interrupted, err) ||
        !take_flag(call, "include", &selection->der, err)) {
        return false;
    }
    if (selection->match != NULL && !match_is_alone(call, err)) {
        return false;
    }
    filter->live = ends != NULL;
    return ends == NULL || mu_time_parse(ends, &filter->expires_before_s, err);
}

static bool put_page(struct admin_call *call, const struct selection *selection,
                     struct admin_page *page, struct mutual_error *err)
{
    MU_AUTO(inventory_cursor) struct inventory_cursor *cursor = NULL;
    const struct inventory_record *record = NULL;
    if (!inventory_select(ca_inventory(call->ca), &selection->filter, &cursor, err)) {
        return false;
    }
    for (;;) {
        if (!inventory_next(cursor, &record, err)) {
            return false;
        }
        if (record == NULL || !admin_page_takes(page, record->not_after_s, record->id)) {
            return true;
        }
        if (!put_object(record, selection->der, call->request->now_s, &call->json, err)) {
            return false;
        }
    }
}

static bool put_matches(struct admin_call *call, const struct selection *selection,
                        struct mutual_error *err)
{
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    if (!ca_find_known(call->ca, selection->match, &records, err)) {
        return false;
    }
    for (size_t i = 0; i < records.count; i++) {
        if (!put_object(&records.items[i], selection->der, call->request->now_s, &call->json,
                        err)) {
            return false;
        }
    }
    return true;
}

bool admin_list_certificates(struct admin_call *call, struct mutual_error *err)
{
    struct selection selection = {0};
    struct admin_page page;
    bool good =
        read_selection(call, &selection, err) && admin_page_begin(call, "certificates", &page, err);
    if (good) {
        selection.filter.after_s = page.at_s;
        selection.filter.after_id = page.id;
        selection.filter.limit = page.left + 1; /* whether there is more */
        good = (selection.match != NULL ? put_matches(call, &selection, err)
                                        : put_page(call, &selection, &page, err)) &&
               admin_page_end(&page, err);
    }
    selection_done(&selection);
    return good;
}

/* ---- one of them -------------------------------------------------------------------------------
 */

/* The serial number is read as such: what is none has no certificate. */
static bool find(struct admin_call *call, struct inventory_records *ret_records,
                 struct mutual_error *err)
{
    struct mu_slice text = call->request->parameters[0];
    MU_AUTO(buf) struct mu_buf serial;
    mu_buf_init(&serial, SERIAL_TEXT / 2);
    if (text.len == 0 || text.len >= SERIAL_TEXT || !mu_hex_parse(text, &serial, NULL)) {
        return mu_fail(err, MUTUAL_E_NOT_FOUND, "that is no serial number") ||
               mu_error_hint(err, "It is pairs of hexadecimal digits, at most 20 of them.");
    }
    const struct inventory_filter filter = {.serial = mu_buf_slice(&serial)};
    if (!inventory_records_get(ca_inventory(call->ca), &filter, 1, ret_records, err)) {
        return false;
    }
    return ret_records->count == 1 ||
           mu_fail(err, MUTUAL_E_NOT_FOUND, "no certificate of ours has that serial number");
}

static bool wants_pem(const struct http_head *head)
{
    struct mu_slice value;
    return http_field_find(head, "Accept", &value) &&
           (mu_slice_equal_text(value, "application/pem-certificate-chain") ||
            mu_slice_equal_text(value, "application/x-pem-file"));
}

static bool put_pem(struct admin_call *call, const struct inventory_record *record,
                    struct mu_buf *out, struct mutual_error *err)
{
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    if (!mu_cert_from_der(record->der, &cert, err)) {
        return false;
    }
    if (mu_cert_facts(cert)->ca) {
        mu_cert_to_pem(cert, out);
    } else {
        ca_chain_pem(call->ca, cert, out);
    }
    return true;
}

/* The object as it is given, which is what its ETag is made of. */
static bool write_one(const struct inventory_record *record, int64_t now_s, struct mu_buf *out,
                      struct mutual_error *err)
{
    struct mu_json json;
    mu_json_init(&json, out);
    if (!put_object(record, true, now_s, &json, err)) {
        return false;
    }
    mu_buf_byte(out, '\n');
    return true;
}

bool admin_get_certificate(struct admin_call *call, struct mutual_error *err)
{
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    if (!find(call, &records, err)) {
        return false;
    }
    api_field(call->response, "Vary", "Accept");
    if (wants_pem(call->request->head)) {
        call->response->content_type = "application/pem-certificate-chain";
        return put_pem(call, &records.items[0], &call->response->body, err);
    }
    return write_one(&records.items[0], call->request->now_s, &call->response->body, err);
}

/* ---- revoking ----------------------------------------------------------------------------------
 */

static bool is_seen(struct admin_call *call, const struct inventory_record *record,
                    struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf now;
    mu_buf_init(&now, OBJECT_MAX);
    return write_one(record, call->request->now_s, &now, err) &&
           admin_match(call, mu_buf_slice(&now), err);
}

/* Is it revoked, though the list that tells so was not published? Who cannot know says yes. */
static bool is_revoked_now(struct admin_call *call, const struct inventory_record *record)
{
    MU_AUTO(inventory_records) struct inventory_records now = {0};
    const struct inventory_filter filter = {.id = record->id};
    struct mutual_error lost = {0};
    return !inventory_records_get(ca_inventory(call->ca), &filter, 1, &now, &lost) ||
           now.count != 1 || now.items[0].revoked;
}

bool admin_revoke_certificate(struct admin_call *call, struct mutual_error *err)
{
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    const struct inventory_record *record = NULL;
    const char *reason = admin_text(call->body, "reason");
    enum mu_reason code;
    int64_t now_s = call->request->now_s;
    if (!find(call, &records, err) ||
        !ca_reason_parse(reason != NULL ? reason : "unspecified", &code, err) ||
        !is_seen(call, &records.items[0], err) ||
        !ca_choose(&records, records.items[0].name, CA_WISH_REVOKE, now_s, &record, err)) {
        return false;
    }
    if (!ca_revoke(call->ca, record, code, call->world->signer, now_s, err)) {
        call->stands = is_revoked_now(call, record);
        return false;
    }
    mu_json_open(&call->json, NULL, '{');
    mu_json_string(&call->json, "name", record->name);
    admin_put_hex(&call->json, "serial", record->serial);
    mu_json_string(&call->json, "reason", mu_reason_word(code));
    mu_json_string(&call->json, "crl", ca_crl_path(call->ca));
    mu_json_close(&call->json, '}');
    mu_buf_byte(&call->response->body, '\n');
    return true;
}

/* ---- issuing -----------------------------------------------------------------------------------
 */

bool admin_name_parse(const char *text, char *storage, size_t storage_size,
                      struct mutual_name *ret_name, struct mutual_error *err)
{
    static const enum mutual_name_type types[] = {MUTUAL_NAME_DNS, MUTUAL_NAME_IP,
                                                  MUTUAL_NAME_EMAIL, MUTUAL_NAME_URI};
    for (size_t i = 0; i < MU_COUNT(types); i++) {
        const char *word = mutual_name_type_word(types[i]);
        size_t len = strlen(word);
        if (strncmp(text, word, len) == 0 && text[len] == ':') {
            return mutual_name_parse(types[i], text + len + 1, strlen(text + len + 1), storage,
                                     storage_size, ret_name, err);
        }
    }
    return ca_name_guess(text, storage, storage_size, ret_name, err);
}

bool admin_owner(const struct admin_call *call, const char *usual, const char **ret_owner,
                 struct mutual_error *err)
{
    const struct api_caller *caller = call->request->caller;
    const char *given = admin_text(call->body, "owner");
    *ret_owner = given != NULL          ? given
                 : usual != NULL        ? usual
                 : caller->user != NULL ? caller->user
                 : call->name != NULL   ? call->name->text
                                        : NULL;
    return *ret_owner != NULL ||
           mu_fail(err, MUTUAL_E_JSON_MALFORMED, "the body lacks the member \"owner\"");
}

static bool fill_wish(const struct admin_call *call, struct ca_request *wish,
                      struct mutual_error *err)
{
    const json_t *body = call->body;
    const char *profile = admin_text(body, "profile");
    const char *place = admin_text(body, "place");
    *wish = (struct ca_request){
        .issuer = admin_text(body, "issuer"),
        .name = admin_text(body, "name"),
        .life_s = admin_number(body, "life"),
        .must_staple = admin_flag(body, "must_staple"),
        .place = place != NULL ? place : admin_text(body, "name"),
        .purpose = admin_text(body, "purpose"),
        .print_only = true,
        .now_s = call->request->now_s,
    };
    return ca_profile_of(call->ca, profile != NULL ? profile : "server", &wish->profile, err) &&
           admin_owner(call, wish->profile->owner, &wish->owner, err);
}

static bool put_issued(struct admin_call *call, const struct ca_issued *issued,
                       struct mutual_error *err)
{
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    MU_AUTO(buf) struct mu_buf chain;
    MU_AUTO(buf) struct mu_buf roots;
    const struct inventory_filter filter = {.id = issued->id};
    mu_buf_init(&chain, PEM_MAX);
    mu_buf_init(&roots, PEM_MAX);
    if (!inventory_records_get(ca_inventory(call->ca), &filter, 1, &records, err) ||
        !ca_roots_pem(call->ca, &roots, err)) {
        return false;
    }
    ca_chain_pem(call->ca, issued->cert, &chain);
    if (records.count != 1 || chain.failed || roots.failed) {
        return mu_fail(err, MUTUAL_E_STORE_FAILED, "what was issued is not in the store");
    }
    mu_json_open(&call->json, NULL, '{');
    admin_certificate_json(&records.items[0], call->request->now_s, &call->json);
    mu_json_slice(&call->json, "chain", mu_buf_slice(&chain));
    mu_json_slice(&call->json, "ca", mu_buf_slice(&roots));
    mu_json_bool(&call->json, "life_cut", issued->life_cut);
    mu_json_close(&call->json, '}');
    mu_buf_byte(&call->response->body, '\n');
    return true;
}

void admin_put_location(struct admin_call *call, const char *serial)
{
    MU_AUTO(buf) struct mu_buf path;
    mu_buf_init(&path, 256);
    mu_buf_printf(&path, ADMIN_PATH "/certificates/%s", serial);
    api_field(call->response, "Location", mu_buf_str(&path));
}

bool admin_issue_certificate(struct admin_call *call, struct mutual_error *err)
{
    MU_AUTO(csr) struct mu_csr *csr = NULL;
    MU_AUTO(ca_issued) struct ca_issued issued = {0};
    MU_AUTO(ca_names) struct ca_names names = {0};
    struct ca_request wish;
    const char *pem = admin_text(call->body, "csr");
    if (!mu_csr_from_pem(mu_slice_text(pem), "csr", &csr, err) || !fill_wish(call, &wish, err) ||
        !admin_names_read(json_object_get(call->body, "names"), &names, err)) {
        return false;
    }
    wish.csr = csr;
    wish.names = names.items;
    wish.name_count = names.count;
    if (!admin_may_name(call, &wish, err) ||
        !ca_issue(call->ca, &wish, call->world->signer, &issued, err) ||
        !put_issued(call, &issued, err)) {
        return false;
    }
    MU_AUTO(buf) struct mu_buf serial;
    mu_buf_init(&serial, SERIAL_TEXT);
    mu_hex(&serial, mu_cert_facts(issued.cert)->serial);
    admin_put_location(call, mu_buf_str(&serial));
    return true;
}
