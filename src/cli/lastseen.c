/* SPDX-License-Identifier: Apache-2.0
 *
 * When and where certificates were last seen. The gateway remembers it, and is asked; nothing that
 * meets strangers writes to the store.
 */
#include "cli/lastseen_internal.h"

#include <jansson.h>
#include <string.h>

#include "gateway/gateway.h"

struct lastseen {
    json_t *answer;
    struct mu_map *by_serial; /* hexadecimal: an array of rows, which `lists` owns */
    json_t *lists;
};

void lastseen_free(struct lastseen *seen)
{
    if (seen != NULL) {
        mu_map_free(seen->by_serial);
        json_decref(seen->lists);
        json_decref(seen->answer);
        mu_free(seen);
    }
}

void mu_lastseen_auto(struct lastseen **seen)
{
    lastseen_free(*seen);
}

static const char *text_at(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text != NULL ? text : "";
}

static bool index_row(struct lastseen *seen, json_t *row)
{
    struct mu_slice serial = mu_slice_text(text_at(row, "serial"));
    json_t *list = mu_map_get(seen->by_serial, serial);
    if (list == NULL) {
        list = json_array();
        if (list == NULL || json_array_append_new(seen->lists, list) != 0 ||
            !mu_map_put(seen->by_serial, serial, list)) {
            return false;
        }
    }
    return json_array_append(list, row) == 0;
}

static bool index_all(struct lastseen *seen)
{
    json_t *row;
    size_t at;
    seen->by_serial = mu_map_new();
    seen->lists = json_array();
    bool good = seen->by_serial != NULL && seen->lists != NULL;
    json_array_foreach(json_object_get(seen->answer, "certificates"), at, row)
    {
        good = good && index_row(seen, row);
    }
    return good;
}

bool lastseen_load(const char *control, struct lastseen **ret_seen, struct mutual_error *err)
{
    char usual[GATEWAY_PATH_MAX] = "";
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, GATEWAY_ANSWER_MAX);
    if (control == NULL && !gateway_control_path(usual)) {
        return mu_fail(err, MUTUAL_E_NOT_FOUND,
                       "there is no usual place for the control socket without XDG_RUNTIME_DIR");
    }
    if (!gateway_certificates_read(control != NULL ? control : usual, &text, err)) {
        return false;
    }
    MU_AUTO(lastseen) struct lastseen *seen = mu_alloc(1, sizeof *seen);
    if (seen == NULL) {
        return mu_fail_memory(err);
    }
    seen->answer = json_loads(mu_buf_str(&text), JSON_REJECT_DUPLICATES, NULL);
    if (seen->answer == NULL) {
        return mu_fail(err, MUTUAL_E_CONNECT_FAILED, "the gateway gave no proper answer");
    }
    if (!index_all(seen)) {
        return mu_fail_memory(err);
    }
    *ret_seen = MU_TAKE(seen);
    return true;
}

/* The places where the record's very certificate was seen; the caller's. Another issuer may have
 * given the same number. A place is in it once, with the newest sighting. */
static json_t *places_of(const struct lastseen *seen, const struct inventory_record *record)
{
    MU_AUTO(buf) struct mu_buf serial;
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    mu_buf_init(&serial, 256);
    mu_hex(&serial, record->serial);
    const json_t *list = mu_map_get(seen->by_serial, mu_buf_slice(&serial));
    json_t *places = json_object();
    if (list == NULL || places == NULL || !mu_cert_from_der(record->der, &cert, NULL)) {
        return places;
    }
    json_t *row;
    size_t at;
    json_array_foreach(list, at, row)
    {
        const json_t *known = json_object_get(places, text_at(row, "service"));
        bool newer = known == NULL || json_integer_value(json_object_get(known, "last_s")) <
                                          json_integer_value(json_object_get(row, "last_s"));
        if (newer && strcmp(text_at(row, "issuer"), mu_cert_facts(cert)->issuer_text) == 0) {
            (void)json_object_set(places, text_at(row, "service"), row);
        }
    }
    return places;
}

void lastseen_text(const struct lastseen *seen, const struct inventory_record *record,
                   int64_t now_s, struct mu_buf *out)
{
    json_t *places = places_of(seen, record);
    const char *service;
    json_t *row;
    size_t count = 0;
    json_object_foreach(places, service, row)
    {
        char words[MU_TIME_TEXT];
        int64_t ago_s = now_s - json_integer_value(json_object_get(row, "last_s"));
        mu_buf_printf(out, "%s%s ago at ", count++ == 0 ? "" : ", ",
                      mu_duration_words(ago_s > 0 ? ago_s : 0, words));
        mu_escape(out, mu_slice_text(service));
    }
    json_decref(places);
}

void lastseen_json(const struct lastseen *seen, const struct inventory_record *record,
                   struct mu_json *json)
{
    if (seen == NULL) {
        mu_json_null(json, "seen");
        return;
    }
    json_t *places = places_of(seen, record);
    const char *service;
    json_t *row;
    mu_json_open(json, "seen", '[');
    json_object_foreach(places, service, row)
    {
        mu_json_open(json, NULL, '{');
        mu_json_string(json, "service", service);
        mu_json_string(json, "last", text_at(row, "last"));
        mu_json_string(json, "anchor", text_at(row, "anchor"));
        mu_json_close(json, '}');
    }
    mu_json_close(json, ']');
    json_decref(places);
}
