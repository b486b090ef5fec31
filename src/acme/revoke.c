/* SPDX-License-Identifier: Apache-2.0
 *
 * Revocation (RFC 8555 section 7.6) and when to renew (RFC 9773).
 */
#include "acme/acme_internal.h"

#include <string.h>

enum { RENEWAL_RETRY_S = 6 * 3600 };

/* ---- revocation -------------------------------------------------------------------------------
 */

static bool read_certificate(struct acme_call *call, struct mu_cert **ret_cert,
                             struct mutual_error *err)
{
    const char *text = acme_json_text(call->payload, "certificate");
    MU_AUTO(buf) struct mu_buf der;
    struct mutual_error why = {0};
    mu_buf_init(&der, MU_LIMIT_CERT_BYTES);
    if (text == NULL || !mu_base64url_parse(mu_slice_text(text), &der, &why)) {
        return mu_fail(err, MUTUAL_E_ACME_MALFORMED, "\"certificate\" is no base64url of one");
    }
    return mu_cert_from_der(mu_buf_slice(&der), ret_cert, err);
}

/* Those that an owner may give; the rest is for us to say (RFC 5280 section 5.3.1). */
static bool read_reason(struct acme_call *call, enum mu_reason *ret_reason,
                        struct mutual_error *err)
{
    const json_t *named = json_object_get(call->payload, "reason");
    json_int_t number = json_integer_value(named);
    *ret_reason = (enum mu_reason)number;
    return named == NULL ||
           (json_is_integer(named) &&
            (number == MU_REASON_UNSPECIFIED || number == MU_REASON_KEY_COMPROMISE ||
             number == MU_REASON_AFFILIATION || number == MU_REASON_SUPERSEDED ||
             number == MU_REASON_CESSATION)) ||
           acme_fail(call, 400, "badRevocationReason", err, MUTUAL_E_ACME_MALFORMED,
                     "reasons are 0, 1, 3, 4 and 5");
}

/* Does the account hold a valid authorization for the name? */
static bool holds(struct acme_call *call, const struct mutual_name *name, bool *ret_holds,
                  struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    bool wildcard = name->type == MUTUAL_NAME_DNS && mu_text_starts(name->text, "*.");
    if (!store_prepare(
            call->store,
            "SELECT id FROM acme_authz WHERE account_id = $1 AND type = $2 AND value = $3"
            " AND wildcard = $4 AND status = 'valid' AND expires_s > $5 LIMIT 1",
            &read, err)) {
        return false;
    }
    store_bind_int(read, 1, call->account.id);
    store_bind_text(read, 2, mutual_name_type_word(name->type));
    store_bind_text(read, 3, name->text + 2 * wildcard);
    store_bind_int(read, 4, wildcard);
    store_bind_int(read, 5, call->now_s);
    return store_step(read, ret_holds, err);
}

/* Section 7.6: whose key it is, who got it, or who holds all its names. */
static bool may_revoke(struct acme_call *call, const struct mu_cert *cert,
                       const struct inventory_record *record, struct mutual_error *err)
{
    struct mutual_error lost = {0};
    struct acme_order order;
    if (call->account.id == 0) {
        return mu_key_matches(call->jws.key, cert, &lost) ||
               mu_fail(err, MUTUAL_E_ACME_UNAUTHORIZED,
                       "the request is signed by another key than the certificate's");
    }
    if (!acme_order_of_certificate(call, record->id, &order, err)) {
        return false;
    }
    if (order.id != 0) {
        return true;
    }
    bool all = record->name_count > 0;
    for (size_t i = 0; all && i < record->name_count; i++) {
        if (!holds(call, &record->names[i], &all, err)) {
            return false;
        }
    }
    return all || mu_fail(err, MUTUAL_E_ACME_UNAUTHORIZED, "the certificate is not this account's");
}

bool acme_revoke(struct acme_call *call, struct mutual_error *err)
{
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    enum mu_reason reason = MU_REASON_UNSPECIFIED;
    if (!acme_want_payload(call, err) || !read_certificate(call, &cert, err) ||
        !read_reason(call, &reason, err)) {
        return false;
    }
    const struct inventory_filter filter = {.fingerprint =
                                                mu_slice_of(mu_cert_facts(cert)->fingerprint, 32)};
    if (!inventory_records_get(call->inventory, &filter, 1, &records, err)) {
        return false;
    }
    if (records.count != 1 || mu_cert_facts(cert)->ca) {
        return mu_fail(err, MUTUAL_E_NOT_FOUND, "this authority issued no such certificate");
    }
    const struct inventory_record *record = &records.items[0];
    if (!may_revoke(call, cert, record, err)) {
        return false;
    }
    if (record->revoked) {
        return mu_fail(err, MUTUAL_E_ALREADY_REVOKED, "the certificate was revoked before");
    }
    if (!ca_speak_for(call->world->ca, call->request->who, err) ||
        !ca_revoke(call->world->ca, record, reason, call->world->signer, call->now_s, err)) {
        return false;
    }
    acme_log(call, "revoked certificate=%lld", (long long)record->id);
    call->response->status = 200;
    return true;
}

/* ---- when to renew ----------------------------------------------------------------------------
 */

static bool parse_part(struct mu_slice text, struct mu_buf *out)
{
    struct mutual_error lost = {0};
    mu_buf_init(out, 128);
    return text.len > 0 && mu_base64url_parse(text, out, &lost) && out->len > 0;
}

/* The octets of a DER INTEGER to a magnitude. */
static bool to_magnitude(struct mu_slice *number)
{
    if (number->data[0] != 0) {
        return number->data[0] < 0x80;
    }
    number->data++;
    number->len--;
    return number->len > 0 && number->data[0] >= 0x80;
}

bool acme_certificate_by_ari(struct inventory *inventory, struct ca *ca, const char *text,
                             struct inventory_records *ret_records, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf key_id = {0};
    MU_AUTO(buf) struct mu_buf serial = {0};
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    const char *dot = strchr(text, '.');
    (void)ca;
    if (dot == NULL || !parse_part(mu_slice_of(text, (size_t)(dot - text)), &key_id) ||
        !parse_part(mu_slice_text(dot + 1), &serial)) {
        return mu_fail(err, MUTUAL_E_ACME_MALFORMED,
                       "a certificate is named by KEYID.SERIAL, both base64url");
    }
    struct inventory_filter filter = {.serial = mu_buf_slice(&serial)};
    if (!to_magnitude(&filter.serial)) {
        return mu_fail(err, MUTUAL_E_ACME_MALFORMED, "the serial number is not one in DER");
    }
    if (!inventory_records_get(inventory, &filter, 1, ret_records, err)) {
        return false;
    }
    if (ret_records->count == 1 && !mu_cert_from_der(ret_records->items[0].der, &cert, err)) {
        return false;
    }
    return (cert != NULL && mu_slice_equal(mu_cert_facts(cert)->akid, mu_buf_slice(&key_id))) ||
           mu_fail(err, MUTUAL_E_NOT_FOUND, "this authority issued no such certificate");
}

static void put_window(const struct inventory_record *record, int64_t now_s, struct mu_buf *out)
{
    struct mu_json json;
    char text[MU_TIME_TEXT];
    int64_t life_s = record->not_after_s - record->not_before_s;
    int64_t begin_s = record->not_before_s + life_s / 3 * 2;
    int64_t end_s = begin_s + life_s / 10;
    if (record->revoked) { /* section 4.2: a window in the past says at once */
        end_s = record->revoked_s < now_s ? record->revoked_s : now_s - 1;
        begin_s = end_s - 60;
    }
    mu_json_init(&json, out);
    mu_json_open(&json, NULL, '{');
    mu_json_open(&json, "suggestedWindow", '{');
    mu_json_string(&json, "start", mu_time_format(begin_s, text));
    mu_json_string(&json, "end", mu_time_format(end_s, text));
    mu_json_close(&json, '}');
    mu_json_close(&json, '}');
}

void acme_renewal_info(struct api_world *world, const struct api_request *request,
                       struct api_response *response)
{
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    MU_AUTO(free) char *text = mu_slice_dup(request->path_rest);
    struct mutual_error err = {0};
    char after[24];
    if (world->settings->acme == NULL || text == NULL) {
        api_problem(response, 503, NULL, NULL);
        return;
    }
    if (!acme_certificate_by_ari(ca_inventory(world->ca), world->ca, text, &records, &err)) {
        unsigned status = 500;
        char type[96];
        (void)snprintf(type, sizeof type, "urn:ietf:params:acme:error:%s",
                       acme_problem_type(err.code, &status));
        api_problem(response, status, type, &err);
        return;
    }
    put_window(&records.items[0], request->now_s, &response->body);
    response->content_type = "application/json";
    (void)snprintf(after, sizeof after, "%d", RENEWAL_RETRY_S);
    api_field(response, "Retry-After", after);
}
