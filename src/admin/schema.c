/* SPDX-License-Identifier: Apache-2.0
 *
 * The objects that are taken and given, and reading what is taken: what is not in the table is
 * refused.
 */
#include <string.h>

#include "admin/admin_internal.h"

/* ---- certificates -----------------------------------------------------------------------------
 */

static const char *const state_words[] = {"valid",   "ends soon",   "expired", "replaced",
                                          "revoked", "interrupted", NULL};
#define CERTIFICATE_FIELDS                                                                     \
    {"name", ADMIN_TEXT, true, .help = "what people call it"},                                 \
        {"profile", ADMIN_TEXT, true, .help = "the profile it was issued under"},              \
        {"state", ADMIN_WORD, true, .words = state_words, .help = "how it stands"},            \
        {"serial", ADMIN_TEXT, true, .help = "its serial number in hexadecimal"},              \
        {"fingerprint", ADMIN_TEXT, .help = "SHA-256 of it in hexadecimal; null: not signed"}, \
        {"issuer", ADMIN_TEXT, true, .help = "the issuer's name"},                             \
        {"names", ADMIN_TEXTS, true, .help = "what it certifies"},                             \
        {"key", ADMIN_TEXT, true, .help = "the kind of its key"},                              \
        {"owner", ADMIN_TEXT, true, .help = "who answers for it"},                             \
        {"place", ADMIN_TEXT, true, .help = "where it is used"},                               \
        {"purpose", ADMIN_TEXT, true, .help = "what it is for"},                               \
        {"path", ADMIN_TEXT, .help = "the directory that it was written to, or null"},         \
        {"not_before", ADMIN_TIME, true, .help = "when it begins"},                            \
        {"not_after", ADMIN_TIME, true, .help = "when it ends"},                               \
        {"replaced", ADMIN_FLAG, true, .help = "there is a newer one"},                        \
        {"replaces", ADMIN_FLAG, true, .help = "there was an earlier one"},                    \
        {"revoked_at", ADMIN_TIME, .help = "when it was revoked"},                             \
    {                                                                                          \
        "reason", ADMIN_TEXT, .help = "why it was revoked"                                     \
    }

#define TABLE(name_, title_, ...)                                                     \
    static const struct admin_field name_##_fields[] = {__VA_ARGS__, {.name = NULL}}; \
    const struct admin_schema admin_##name_ = {title_, name_##_fields};

TABLE(certificate, "Certificate", CERTIFICATE_FIELDS,
      {"certificate", ADMIN_TEXT, .max = 1 << 17, .help = "it in DER, in base64"})
TABLE(certificate_page, "CertificatePage",
      {"certificates", ADMIN_OBJECTS, true, .of = &admin_certificate, .help = "of this page"},
      {"next", ADMIN_TEXT, true, .help = "the cursor of the next page, or null"})
TABLE(issue_wish, "IssueRequest",
      {"csr", ADMIN_BLOCK, true, .max = 65536, .help = "a certificate request (PKCS #10) in PEM"},
      {"name", ADMIN_TEXT, true, .max = 64, .help = "what people call it"},
      {"profile", ADMIN_TEXT, .max = 64, .help = "what it is for; server when left out"},
      {"issuer", ADMIN_TEXT, .max = 64, .help = "who issues it; else the first issuer"},
      {"names", ADMIN_TEXTS, .max = MU_LIMIT_CERT_NAMES,
       .help = "names besides those of the request: dns:web.example.org, ip:192.0.2.1"},
      {"life", ADMIN_NUMBER, .max = 400000000, .help = "seconds; else the profile's default"},
      {"must_staple", ADMIN_FLAG, .help = "for a server: RFC 7633"},
      {"owner", ADMIN_TEXT, .max = 256,
       .help = "who answers for it; else the profile's owner or you"},
      {"place", ADMIN_TEXT, .max = 256, .help = "where it is used; else its name"},
      {"purpose", ADMIN_TEXT, .max = 256, .help = "what it is for; else what the profile says"})
TABLE(issued, "Issued", CERTIFICATE_FIELDS,
      {"chain", ADMIN_BLOCK, true, .max = 1 << 18, .help = "it and its issuer in PEM"},
      {"ca", ADMIN_BLOCK, true, .max = 1 << 18, .help = "the root, or roots, in PEM"},
      {"life_cut", ADMIN_FLAG, true, .help = "it ends with its issuer, before the profile's time"})
TABLE(
    revoke_wish, "RevokeRequest",
    {"reason", ADMIN_TEXT, .max = 64,
     .help = "key-compromise, superseded, cessation-of-operation, ...; unspecified when left out"})
TABLE(revoked, "Revoked", {"name", ADMIN_TEXT, true, .help = "of the certificate"},
      {"serial", ADMIN_TEXT, true, .help = "of the certificate"},
      {"reason", ADMIN_TEXT, true, .help = "in the words of RFC 5280 section 5.3.1"},
      {"crl", ADMIN_TEXT, true, .help = "the file of the list that tells of it, at the authority"})

/* ---- tokens and requests ----------------------------------------------------------------------
 */

TABLE(token, "Token",
      {"id", ADMIN_NUMBER, true, .help = "its number, and that of the request by it"},
      {"name", ADMIN_TEXT, true, .help = "of the certificate"},
      {"profile", ADMIN_TEXT, true, .help = "of the certificate"},
      {"owner", ADMIN_TEXT, true, .help = "who answers for the certificate"},
      {"made_by", ADMIN_TEXT, true, .help = "who made it"},
      {"until", ADMIN_TIME, true, .help = "when it ends"},
      {"expired", ADMIN_FLAG, true, .help = "it has ended"},
      {"used", ADMIN_FLAG, true, .help = "a certificate came of it"},
      {"approval", ADMIN_FLAG, true, .help = "a person decides on the request"},
      {"asked", ADMIN_FLAG, true, .help = "somebody asked by it"},
      {"asked_at", ADMIN_TIME, .help = "when"},
      {"asked_by", ADMIN_TEXT, .help = "who, as far as was proved"},
      {"key", ADMIN_TEXT, .help = "SHA-256 of the key that would be certified"},
      {"decision", ADMIN_TEXT, .help = "approved, denied, or empty"})
TABLE(token_page, "TokenPage",
      {"tokens", ADMIN_OBJECTS, true, .of = &admin_token, .help = "of this page"},
      {"next", ADMIN_TEXT, true, .help = "the cursor of the next page, or null"})
TABLE(token_wish, "TokenRequest",
      {"name", ADMIN_TEXT, true, .max = 64, .help = "of the certificate"},
      {"profile", ADMIN_TEXT, .max = 64, .help = "server when left out"},
      {"names", ADMIN_TEXTS, .max = MU_LIMIT_CERT_NAMES,
       .help = "what is certified; else what the profile makes of the name"},
      {"ttl", ADMIN_NUMBER, .max = 31622400, .help = "seconds that it holds; 3600 when left out"},
      {"life", ADMIN_NUMBER, .max = 400000000,
       .help = "seconds, of the certificate; else the profile's default"},
      {"approval", ADMIN_FLAG, .help = "the request waits for a person"},
      {"url", ADMIN_TEXT, .max = 511, .help = "where the authority is reached; else as configured"},
      {"owner", ADMIN_TEXT, .max = 256, .help = "who answers for the certificate; else you"},
      {"place", ADMIN_TEXT, .max = 256, .help = "where it will be used; else its name"},
      {"purpose", ADMIN_TEXT, .max = 256, .help = "what it is for; else what the profile says"})
TABLE(token_made, "TokenMade", {"id", ADMIN_NUMBER, true, .help = "its number"},
      {"token", ADMIN_TEXT, true, .help = "the token itself, shown this once"},
      {"name", ADMIN_TEXT, true, .help = "of the certificate"},
      {"profile", ADMIN_TEXT, true, .help = "of the certificate"},
      {"url", ADMIN_TEXT, true, .help = "of the authority, as it is in the token"},
      {"until", ADMIN_TIME, true, .help = "when it ends"},
      {"approval", ADMIN_FLAG, true, .help = "a person decides on the request"})
TABLE(decision, "Decision", {"id", ADMIN_NUMBER, true, .help = "of the request"},
      {"decision", ADMIN_TEXT, true, .help = "approved, denied or withdrawn"})

/* ---- issuers and profiles ---------------------------------------------------------------------
 */

TABLE(issuer, "Issuer", {"name", ADMIN_TEXT, true, .help = "what it is called"},
      {"subject", ADMIN_TEXT, true, .help = "its name in its certificate"},
      {"display", ADMIN_TEXT, true, .help = "the same in short"},
      {"key", ADMIN_TEXT, true, .help = "the kind of its key"},
      {"not_after", ADMIN_TIME, true, .help = "when it ends"},
      {"permitted", ADMIN_TEXTS, true, .help = "its name constraints"},
      {"excluded", ADMIN_TEXTS, true, .help = "its name constraints"},
      {"domain", ADMIN_TEXT, true, .help = "that names are made in"},
      {"crl", ADMIN_TEXT, true, .help = "the file of its revocation list, at the authority"})
TABLE(issuer_list, "IssuerList",
      {"issuers", ADMIN_OBJECTS, true, .of = &admin_issuer, .help = "all of them"})
TABLE(rule, "Rule",
      {"name", ADMIN_TEXT, true,
       .help = "the profile's; the rest is what mutual show profile tells"})
TABLE(profile_list, "ProfileList",
      {"profiles", ADMIN_OBJECTS, true, .of = &admin_rule, .help = "all of them"})

/* ---- the rest ---------------------------------------------------------------------------------
 */

TABLE(binding, "Binding", {"id", ADMIN_NUMBER, true, .help = "its number"},
      {"kid", ADMIN_TEXT, true, .help = "the key identifier"},
      {"name", ADMIN_TEXT, true, .help = "who it is for"},
      {"owner", ADMIN_TEXT, true, .help = "who answers for the certificates"},
      {"profile", ADMIN_TEXT, true, .help = "of the certificates"},
      {"names", ADMIN_TEXTS, true, .help = "which names its account may have"},
      {"until", ADMIN_TIME, true, .help = "within which time it binds an account"},
      {"state", ADMIN_TEXT, true, .help = "open, bound, deactivated, expired"},
      {"account", ADMIN_NUMBER, .help = "that it has bound"})
TABLE(binding_page, "BindingPage",
      {"bindings", ADMIN_OBJECTS, true, .of = &admin_binding, .help = "of this page"},
      {"next", ADMIN_TEXT, true, .help = "the cursor of the next page, or null"})
TABLE(binding_wish, "BindingRequest",
      {"name", ADMIN_TEXT, true, .max = 64, .help = "who it is for"},
      {"names", ADMIN_TEXTS, true, .max = ACME_KEY_NAMES_MAX,
       .help = "db.example.org, *.apps.example.org, 10.0.0.0/8"},
      {"profile", ADMIN_TEXT, .max = 64, .help = "of the certificates; server when left out"},
      {"owner", ADMIN_TEXT, .max = 64, .help = "who answers for the certificates; else the name"},
      {"ttl", ADMIN_NUMBER, .max = 31622400,
       .help = "seconds within which it binds an account; 86400 when left out"})
TABLE(binding_made, "BindingMade", {"kid", ADMIN_TEXT, true, .help = "the key identifier"},
      {"hmac_key", ADMIN_TEXT, true, .help = "the key in base64url, shown this once"},
      {"name", ADMIN_TEXT, true, .help = "who it is for"},
      {"profile", ADMIN_TEXT, true, .help = "of the certificates"},
      {"names", ADMIN_TEXTS, true, .help = "which names its account may have"},
      {"until", ADMIN_TIME, true, .help = "within which time it binds an account"})
TABLE(binding_withdrawn, "BindingWithdrawn",
      {"withdrawn", ADMIN_TEXT, true, .help = "the key identifier"},
      {"account", ADMIN_NUMBER, .help = "that was deactivated"})
TABLE(counts, "Counts",
      {"total", ADMIN_NUMBER, true, .help = "certificates that were signed, authorities included"},
      {"valid", ADMIN_NUMBER, true, .help = "of these: begun, not over, not revoked"},
      {"expired", ADMIN_NUMBER, true, .help = "over, not revoked"},
      {"revoked", ADMIN_NUMBER, true, .help = "revoked"},
      {"interrupted", ADMIN_NUMBER, true, .help = "whose issuing was cut off"},
      {"next_expiry", ADMIN_TIME, true, .help = "when the first of the valid ends, or null"})
TABLE(event, "Event", {"id", ADMIN_NUMBER, true, .help = "its number"},
      {"at", ADMIN_TIME, true, .help = "when"}, {"who", ADMIN_TEXT, true, .help = "who did it"},
      {"action", ADMIN_TEXT, true, .help = "what was done"},
      {"detail", ADMIN_TEXT, true, .help = "to what"})
TABLE(event_page, "EventPage",
      {"events", ADMIN_OBJECTS, true, .of = &admin_event, .help = "of this page"},
      {"next", ADMIN_TEXT, true, .help = "the cursor of the next page, or null"})
TABLE(audit, "Audit", {"events", ADMIN_NUMBER, true, .help = "that fit the one before each"},
      {"unchained", ADMIN_NUMBER, true, .help = "older ones, of a version that knew no chain"},
      {"head", ADMIN_TEXT, true, .help = "the last event's number and digest"})
TABLE(document, "Document", {"openapi", ADMIN_TEXT, true, .help = "the version of OpenAPI"})
TABLE(problem, "Problem", {"type", ADMIN_TEXT, true, .help = "a URI (RFC 9457)"},
      {"title", ADMIN_TEXT, true, .help = "of the status"},
      {"status", ADMIN_NUMBER, true, .help = "the HTTP status"},
      {"detail", ADMIN_TEXT, .help = "what happened"},
      {"code", ADMIN_TEXT, .help = "which kind of failure; mutual explain CODE tells more"},
      {"hint", ADMIN_TEXT, .help = "what to do"})

/* ---- queries ----------------------------------------------------------------------------------
 */

#define PAGE_FIELDS                                                         \
    {"limit", ADMIN_NUMBER, .min = 1, .max = ADMIN_PAGE_MAX,                \
     .help = "no more than this many on a page"},                           \
    {                                                                       \
        "cursor", ADMIN_TEXT, .max = 256, .help = "next of the page before" \
    }
#define PARAMETERS(name_, ...) \
    const struct admin_field admin_##name_[] = {__VA_ARGS__, {.name = NULL}};

const struct admin_field admin_no_query[] = {{.name = NULL}};
PARAMETERS(page_query, PAGE_FIELDS)
static const char *const certificate_word[] = {"certificate", NULL};
PARAMETERS(certificate_query, PAGE_FIELDS,
           {"name", ADMIN_TEXT, .help = "only those called or certified so"},
           {"match", ADMIN_TEXT,
            .help = "only what this may mean: a serial number or its beginning, a fingerprint, a "
                    "name; no page follows, and nothing goes beside it but include"},
           {"owner", ADMIN_TEXT, .help = "only those of this owner"},
           {"place", ADMIN_TEXT, .help = "only those at this place"},
           {"purpose", ADMIN_TEXT, .help = "only those for this purpose"},
           {"profile", ADMIN_TEXT, .help = "only those of this profile"},
           {"ends_before", ADMIN_TIME,
            .help = "only those that end before, or have ended; not the revoked and replaced"},
           {"revoked", ADMIN_FLAG, .help = "only the revoked"},
           {"interrupted", ADMIN_FLAG, .help = "only those whose issuing was cut off"},
           {"include", ADMIN_WORD, .words = certificate_word,
            .help = "also the certificates themselves"})
static const char *const pending_word[] = {"pending", NULL};
PARAMETERS(token_query, PAGE_FIELDS,
           {"name", ADMIN_TEXT, .help = "only those for this name, the used ones too"},
           {"state", ADMIN_WORD, .words = pending_word,
            .help = "only those that wait for a person"})
PARAMETERS(profile_query, {"issuer", ADMIN_TEXT, .max = 64,
                           .help = "beside which issuer; else the authority's first one"})
PARAMETERS(audit_query, {"head", ADMIN_TEXT, .max = CA_HEAD_TEXT,
                         .help = "an earlier head that must still be there"})

/* ---- reading ----------------------------------------------------------------------------------
 */

static bool is_line(const json_t *value, const struct admin_field *field)
{
    size_t max =
        field->max != 0 && field->kind != ADMIN_TEXTS ? (size_t)field->max : (size_t)ADMIN_TEXT_MAX;
    const char *text = json_string_value(value);
    bool good = text != NULL && text[0] != '\0' && json_string_length(value) <= max;
    for (size_t i = 0; good && text[i] != '\0'; i++) {
        unsigned char c = (unsigned char)text[i];
        bool breaks = field->kind == ADMIN_BLOCK && (c == '\n' || c == '\r');
        good = breaks || (c >= 0x20 && c != 0x7f);
    }
    return good;
}

static bool is_lines(const json_t *value, const struct admin_field *field)
{
    size_t count = json_array_size(value);
    bool good = json_is_array(value) && (field->max == 0 || count <= (size_t)field->max);
    for (size_t i = 0; good && i < count; i++) {
        good = is_line(json_array_get(value, i), field);
    }
    return good;
}

static bool fits(const json_t *value, const struct admin_field *field)
{
    switch (field->kind) {
    case ADMIN_TEXT:
    case ADMIN_BLOCK:
        return is_line(value, field);
    case ADMIN_TEXTS:
        return is_lines(value, field);
    case ADMIN_NUMBER:
        return json_is_integer(value) && json_integer_value(value) >= field->min &&
               json_integer_value(value) <= field->max;
    case ADMIN_FLAG:
        return json_is_boolean(value);
    case ADMIN_WORD:
    case ADMIN_TIME:
    case ADMIN_OBJECTS:
        break;
    }
    return false; /* no request carries any of these */
}

const struct admin_field *admin_field_find(const struct admin_field *fields, struct mu_slice name)
{
    const struct admin_field *field = fields;
    while (field->name != NULL && !mu_slice_equal_text(name, field->name)) {
        field++;
    }
    return field->name != NULL ? field : NULL;
}

static bool check_members(json_t *body, const struct admin_schema *schema, struct mutual_error *err)
{
    const char *name;
    json_t *value;
    json_object_foreach(body, name, value)
    {
        const struct admin_field *field = admin_field_find(schema->fields, mu_slice_text(name));
        if (field == NULL) {
            MU_AUTO(buf) struct mu_buf safe;
            mu_buf_init(&safe, 4096);
            mu_escape(&safe, mu_slice_of(name, strnlen(name, 60)));
            return mu_fail(err, MUTUAL_E_JSON_MALFORMED, "the body has no member \"%s\"",
                           mu_buf_str(&safe)) ||
                   mu_error_hint(err, "It is a %s of /api/v1/openapi.json.", schema->name);
        }
        if (!fits(value, field)) {
            return mu_fail(err, MUTUAL_E_JSON_MALFORMED,
                           "the member \"%s\" is not of the right form or size", field->name) ||
                   mu_error_hint(err, "It is %s: see /api/v1/openapi.json.", field->help);
        }
    }
    for (const struct admin_field *field = schema->fields; field->name != NULL; field++) {
        if (field->required && json_object_get(body, field->name) == NULL) {
            return mu_fail(err, MUTUAL_E_JSON_MALFORMED, "the body lacks the member \"%s\"",
                           field->name) ||
                   mu_error_hint(err, "It is %s.", field->help);
        }
    }
    return true;
}

bool admin_body_read(struct mu_slice text, const struct admin_schema *schema, json_t **ret_body,
                     struct mutual_error *err)
{
    MU_AUTO(api_json) json_t *body = NULL;
    if (!api_json_object(text, "the body", MUTUAL_E_JSON_MALFORMED, &body, err) ||
        !check_members(body, schema, err)) {
        return false;
    }
    *ret_body = MU_TAKE(body);
    return true;
}

const char *admin_text(const json_t *body, const char *name)
{
    return json_string_value(json_object_get(body, name));
}

int64_t admin_number(const json_t *body, const char *name)
{
    return json_integer_value(json_object_get(body, name));
}

bool admin_flag(const json_t *body, const char *name)
{
    return json_is_true(json_object_get(body, name));
}
