/* SPDX-License-Identifier: Apache-2.0
 *
 * What a file or a certificate of ours is and what it may do, in words or as JSON: the same facts
 * either way, each said once.
 */
#include "ca/ca_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FACT_BYTES (64u << 10)

/* Where facts go: rows of text, or members of a JSON object. */
struct teller {
    bool json;
    struct mu_json writer;
    struct mu_buf *out;
    int64_t now_s;
    size_t objects;
};

static void tell(struct teller *teller, const char *label, const char *format, ...)
    MUTUAL_PRINTF(3, 4);
static void tell(struct teller *teller, const char *label, const char *format, ...)
{
    char text[4096];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len < 0) {
        teller->out->failed = true;
        return;
    }
    if (!teller->json) {
        mu_buf_printf(teller->out, "  %-12s %s\n", label, text);
        return;
    }
    char key[32];
    size_t n = 0;
    for (; n < sizeof key - 1 && label[n] != '\0'; n++) {
        key[n] = label[n];
        if (key[n] == ' ') {
            key[n] = '_';
        }
    }
    key[n] = '\0';
    mu_json_string(&teller->writer, key, text);
}

static void tell_buf(struct teller *teller, const char *label, struct mu_buf *text)
{
    tell(teller, label, "%s", mu_buf_str(text));
}

static void tell_time(struct teller *teller, const char *label, int64_t time_s)
{
    char text[MU_TIME_TEXT];
    char words[MU_TIME_TEXT];
    int64_t away_s = time_s - teller->now_s;
    if (time_s == MU_TIME_NEVER_S) {
        tell(teller, label, "never");
    } else if (teller->json) {
        tell(teller, label, "%s", mu_time_format(time_s, text));
    } else if (away_s == 0) {
        tell(teller, label, "%s, now", mu_time_format(time_s, text));
    } else if (away_s > 0) {
        tell(teller, label, "%s, in %s", mu_time_format(time_s, text),
             mu_duration_words(away_s, words));
    } else {
        tell(teller, label, "%s, %s ago", mu_time_format(time_s, text),
             mu_duration_words(-away_s, words));
    }
}

static void tell_hash(struct teller *teller, const char *label, const uint8_t digest[32])
{
    MU_AUTO(buf) struct mu_buf hex;
    mu_buf_init(&hex, 256);
    mu_buf_text(&hex, teller->json ? "" : "SHA256:");
    mu_hex(&hex, mu_slice_of(digest, 32));
    tell_buf(teller, label, &hex);
}

static void begin(struct teller *teller, const char *kind, const char *name)
{
    if (teller->json) {
        mu_json_open(&teller->writer, NULL, '{');
        mu_json_string(&teller->writer, "kind", kind);
        mu_json_string(&teller->writer, "name", name);
    } else {
        mu_buf_printf(teller->out, "%s%s  %s\n", teller->objects > 0 ? "\n" : "", kind, name);
    }
    teller->objects++;
}

static void end(struct teller *teller)
{
    if (teller->json) {
        mu_json_close(&teller->writer, '}');
    }
}

/* ---- what it may do -------------------------------------------------------------------------- */

static const struct {
    unsigned eku;
    const char *text;
} roles[] = {
    {MU_EKU_SERVER, "prove a server to its clients"},
    {MU_EKU_CLIENT, "prove a client to the servers it calls"},
    {MU_EKU_CODE, "sign programs"},
    {MU_EKU_EMAIL, "sign and receive e-mail"},
    {MU_EKU_TIME, "give time stamps"},
    {MU_EKU_OCSP, "say for its issuer what is revoked"},
    {MU_EKU_ANY, "do anything"},
    {MU_EKU_OTHER, "do something that we have no word for"},
};

static void list_roles(const struct mu_cert_facts *facts, struct mu_buf *out)
{
    for (size_t i = 0; i < MU_COUNT(roles); i++) {
        if ((facts->eku & roles[i].eku) != 0) {
            mu_buf_printf(out, "%s%s", out->len == 0 ? "" : ", ", roles[i].text);
        }
    }
}

static void tell_authority(struct teller *teller, const struct mu_cert_facts *facts)
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, FACT_BYTES);
    bool signs = !facts->has_ku || (facts->key_usage & MU_KU_KEY_CERT_SIGN) != 0;
    mu_buf_text(&text, signs ? "issue certificates" : "issue nothing: its key usage forbids it");
    if (facts->path_length == 0) {
        mu_buf_text(&text, ", but no further authorities");
    } else if (facts->path_length > 0) {
        mu_buf_printf(&text, ", and %d further authorit%s below it", facts->path_length,
                      facts->path_length == 1 ? "y" : "ies");
    }
    if (!facts->has_ku || (facts->key_usage & MU_KU_CRL_SIGN) != 0) {
        mu_buf_text(&text, ", and say which of them are revoked");
    }
    tell_buf(teller, "may", &text);
    if (facts->has_eku) {
        mu_buf_clear(&text);
        list_roles(facts, &text);
        tell(teller, "only to", "%s", mu_buf_str(&text));
    }
}

static void tell_peer(struct teller *teller, const struct mu_cert_facts *facts)
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, FACT_BYTES);
    if (!facts->has_eku) {
        mu_buf_text(&text, "do anything: it names no purpose");
    } else {
        list_roles(facts, &text);
    }
    tell_buf(teller, "may", &text);
    bool can_sign = !facts->has_ku || (facts->key_usage & MU_KU_DIGITAL_SIGNATURE) != 0;
    const char *deny = !can_sign ? "be used in TLS at all: its key usage has no digitalSignature"
                       : !facts->has_eku                   ? "issue certificates"
                       : (facts->eku & MU_EKU_ANY) != 0    ? "issue certificates"
                       : (facts->eku & MU_EKU_SERVER) == 0 ? "serve; issue certificates"
                       : (facts->eku & MU_EKU_CLIENT) == 0 ? "act as a client; issue certificates"
                                                           : "issue certificates";
    tell(teller, "may not", "%s", deny);
}

static void tell_subtrees(struct teller *teller, const char *label, const struct mu_subtree *trees,
                          size_t count)
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, FACT_BYTES);
    for (size_t i = 0; i < count; i++) {
        mu_buf_text(&text, i == 0 ? "" : ", ");
        mu_gname_text(&text, &trees[i].base);
    }
    if (count > 0) {
        tell_buf(teller, label, &text);
    }
}

static void tell_names(struct teller *teller, const struct mu_gname *names, size_t count)
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, FACT_BYTES);
    if (!teller->json) {
        for (size_t i = 0; i < count; i++) {
            mu_buf_text(&text, i == 0 ? "" : ", ");
            mu_gname_text(&text, &names[i]);
        }
        tell(teller, "names", "%s", count == 0 ? "none" : mu_buf_str(&text));
        return;
    }
    mu_json_open(&teller->writer, "names", '[');
    for (size_t i = 0; i < count; i++) {
        mu_buf_clear(&text);
        mu_gname_text(&text, &names[i]);
        mu_json_string(&teller->writer, NULL, mu_buf_str(&text));
    }
    mu_json_close(&teller->writer, ']');
}

static void tell_key(struct teller *teller, const struct mu_key_info *key, const uint8_t hash[32])
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 256);
    mu_buf_text(&text, key->text);
    if (key->kind == MU_KEY_RSA || key->kind == MU_KEY_RSA_PSS) {
        mu_buf_printf(&text, " of %u bits", key->bits);
    }
    if (key->weak != NULL) {
        mu_buf_printf(&text, "; too weak: %s", key->weak);
    }
    tell_buf(teller, "key", &text);
    tell_hash(teller, "key hash", hash);
}

static void tell_addresses(struct teller *teller, const char *label, const char *const *uris)
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, FACT_BYTES);
    for (; uris != NULL && *uris != NULL; uris++) {
        mu_buf_printf(&text, "%s%s", text.len == 0 ? "" : ", ", *uris);
    }
    if (text.len > 0) {
        tell_buf(teller, label, &text);
    }
}

static void tell_certificate(struct teller *teller, const struct mu_cert *cert)
{
    const struct mu_cert_facts *facts = mu_cert_facts(cert);
    MU_AUTO(buf) struct mu_buf serial;
    mu_buf_init(&serial, 256);
    mu_hex(&serial, facts->serial);
    if (facts->ca) {
        tell_authority(teller, facts);
    } else {
        tell_peer(teller, facts);
    }
    tell_subtrees(teller, "only names", facts->permitted, facts->permitted_count);
    tell_subtrees(teller, "never names", facts->excluded, facts->excluded_count);
    tell_names(teller, facts->names, facts->name_count);
    tell(teller, "subject", "%s", facts->subject_text);
    tell(teller, "issued by", "%s", facts->self_issued ? "itself" : facts->issuer_text);
    tell_buf(teller, "serial", &serial);
    tell_time(teller, "not before", facts->not_before_s);
    tell_time(teller, "not after", facts->not_after_s);
    tell_key(teller, &facts->key, facts->key_hash);
    tell(teller, "signed by", "%s", facts->sig.text);
    tell_hash(teller, "fingerprint", facts->fingerprint);
    tell_addresses(teller, "crl at", facts->crl_uris);
    tell_addresses(teller, "ocsp at", facts->ocsp_uris);
    if (facts->must_staple) {
        tell(teller, "demands", "a stapled OCSP response (must-staple)%s",
             facts->ca ? ", of all that it issues" : "");
    }
    if (facts->ocsp_nocheck) {
        tell(teller, "is believed", "without being asked about itself (OCSP no-check)");
    }
    if (facts->flaws != 0) {
        tell(teller, "breaks", "RFC 5280: %s", mu_cert_flaw_text(facts->flaws));
    }
}

static void tell_request(struct teller *teller, const struct mu_csr *csr)
{
    const struct mu_csr_facts *facts = mu_csr_facts(csr);
    uint8_t hash[32] = {0};
    (void)mu_sha256(facts->spki, hash, NULL);
    begin(teller, "request", facts->display);
    tell(teller, "asks", "%s",
         facts->wants_ca ? "to become an authority, which no profile grants"
                         : "for a certificate; it is signed by its own key");
    if (facts->unknown_critical != NULL) {
        tell(teller, "asks", "for the critical extension %s, which no profile grants",
             facts->unknown_critical);
    }
    tell_names(teller, facts->names, facts->name_count);
    tell(teller, "subject", "%s", facts->subject_text);
    tell_key(teller, &facts->key, hash);
    end(teller);
}

/* A list can hold a million entries; people are shown the beginning, JSON gets them all. */
#define ENTRIES_SHOWN 20u

static void tell_list(struct teller *teller, const struct mu_crl *crl)
{
    const struct mu_crl_facts *facts = mu_crl_facts(crl);
    MU_AUTO(buf) struct mu_buf hex;
    mu_buf_init(&hex, 256);
    char time[MU_TIME_TEXT];
    begin(teller, "revocation list", facts->issuer_text);
    mu_hex(&hex, facts->number);
    tell(teller, "number", "%s", facts->number.data == NULL ? "none" : mu_buf_str(&hex));
    tell_time(teller, "this update", facts->this_update_s);
    tell_time(teller, "next update", facts->next_update_s);
    tell(teller, "signed by", "%s", facts->sig.text);
    tell(teller, "entries", "%zu", facts->count);
    if (teller->json) {
        mu_json_open(&teller->writer, "revoked", '[');
    }
    size_t shown = teller->json || facts->count < ENTRIES_SHOWN ? facts->count : ENTRIES_SHOWN;
    for (size_t i = 0; i < shown; i++) {
        struct mu_revoked entry = mu_crl_at(crl, i);
        mu_buf_clear(&hex);
        mu_hex(&hex, entry.serial);
        if (teller->json) {
            mu_json_open(&teller->writer, NULL, '{');
            mu_json_string(&teller->writer, "serial", mu_buf_str(&hex));
            mu_json_string(&teller->writer, "at", mu_time_format(entry.time_s, time));
            mu_json_string(&teller->writer, "reason", mu_reason_word(entry.reason));
            mu_json_close(&teller->writer, '}');
        } else {
            tell(teller, "revoked", "%s on %s, %s", mu_buf_str(&hex),
                 mu_time_format(entry.time_s, time), mu_reason_word(entry.reason));
        }
    }
    if (teller->json) {
        mu_json_close(&teller->writer, ']');
    } else if (shown < facts->count) {
        tell(teller, "and", "%zu more", facts->count - shown);
    }
    end(teller);
}

/* ---- OCSP ------------------------------------------------------------------------------------ */

static void id_text(const struct mu_ocsp_id *id, struct mu_buf *out)
{
    static const char *const hashes[] = {"SHA-1", "SHA-256", "another hash"};
    mu_buf_text(out, "serial ");
    mu_hex(out, id->serial);
    mu_buf_text(out, " of the issuer with key ");
    mu_hex(out, id->key_hash);
    mu_buf_printf(out, " (%s)", hashes[id->hash]);
}

static void tell_answer(struct teller *teller, const struct mu_ocsp_answer *answer)
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, FACT_BYTES);
    char time[MU_TIME_TEXT];
    id_text(&answer->id, &text);
    if (teller->json) {
        mu_json_open(&teller->writer, NULL, '{');
    }
    tell_buf(teller, "about", &text);
    if (answer->status == MU_OCSP_REVOKED) {
        tell(teller, "says", "revoked on %s, %s", mu_time_format(answer->revoked_at_s, time),
             mu_reason_word(answer->reason));
    } else {
        tell(teller, "says", "%s", mu_ocsp_status_word(answer->status));
    }
    tell_time(teller, "this update", answer->this_update_s);
    tell_time(teller, "next update", answer->next_update_s);
    if (teller->json) {
        mu_json_close(&teller->writer, '}');
    }
}

static void tell_nonce(struct teller *teller, struct mu_slice nonce)
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, FACT_BYTES);
    mu_hex(&text, nonce);
    if (nonce.data != NULL) {
        tell_buf(teller, "nonce", &text);
    }
}

static void tell_ocsp(struct teller *teller, const struct mu_ocsp *ocsp)
{
    const struct mu_ocsp_facts *facts = mu_ocsp_facts(ocsp);
    begin(teller, "OCSP response", facts->failure != NULL ? facts->failure : facts->responder_text);
    if (facts->failure != NULL) {
        tell(teller, "says", "nothing: the responder had no answer");
        end(teller);
        return;
    }
    tell_time(teller, "produced", facts->produced_at_s);
    if (teller->json) {
        mu_json_open(&teller->writer, "answers", '[');
    }
    for (size_t i = 0; i < facts->count; i++) {
        tell_answer(teller, &facts->answers[i]);
    }
    if (teller->json) {
        mu_json_close(&teller->writer, ']');
    }
    tell(teller, "signed by", "%s", facts->sig.text);
    for (size_t i = 0; i < facts->certs.count && !teller->json; i++) {
        tell(teller, "with it", "certificate of %s",
             mu_cert_facts(facts->certs.items[i])->subject_text);
    }
    tell_nonce(teller, facts->nonce);
    end(teller);
}

static void tell_ocsp_request(struct teller *teller, const struct mu_ocsp_request *request)
{
    const struct mu_ocsp_request_facts *facts = mu_ocsp_request_facts(request);
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, FACT_BYTES);
    begin(teller, "OCSP request", facts->is_signed ? "signed" : "unsigned");
    if (teller->json) {
        mu_json_open(&teller->writer, "about", '[');
    }
    for (size_t i = 0; i < facts->count; i++) {
        mu_buf_clear(&text);
        id_text(&facts->ids[i], &text);
        if (teller->json) {
            mu_json_string(&teller->writer, NULL, mu_buf_str(&text));
        } else {
            tell_buf(teller, "about", &text);
        }
    }
    if (teller->json) {
        mu_json_close(&teller->writer, ']');
    }
    tell_nonce(teller, facts->nonce);
    end(teller);
}

/* ---- what the bytes are ---------------------------------------------------------------------- */

static bool tell_der_certificate(struct teller *teller, struct mu_slice der,
                                 struct mutual_error *err)
{
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    if (!mu_cert_from_der(der, &cert, err)) {
        return false;
    }
    begin(teller, mu_cert_facts(cert)->ca ? "authority" : "certificate",
          mu_cert_facts(cert)->display);
    tell_certificate(teller, cert);
    end(teller);
    return true;
}

static bool tell_der_request(struct teller *teller, struct mu_slice der, struct mutual_error *err)
{
    MU_AUTO(csr) struct mu_csr *csr = NULL;
    if (!mu_csr_from_der(der, &csr, err)) {
        return false;
    }
    tell_request(teller, csr);
    return true;
}

static bool tell_der_list(struct teller *teller, struct mu_slice der, struct mutual_error *err)
{
    MU_AUTO(crl) struct mu_crl *crl = NULL;
    if (!mu_crl_from_der(der, &crl, err)) {
        return false;
    }
    tell_list(teller, crl);
    return true;
}

static bool tell_der_ocsp(struct teller *teller, struct mu_slice der, struct mutual_error *err)
{
    MU_AUTO(ocsp) struct mu_ocsp *ocsp = NULL;
    if (!mu_ocsp_from_der(der, &ocsp, err)) {
        return false;
    }
    tell_ocsp(teller, ocsp);
    return true;
}

static bool tell_der_ocsp_request(struct teller *teller, struct mu_slice der,
                                  struct mutual_error *err)
{
    MU_AUTO(ocsp_request) struct mu_ocsp_request *request = NULL;
    if (!mu_ocsp_request_from_der(der, &request, err)) {
        return false;
    }
    tell_ocsp_request(teller, request);
    return true;
}

static void tell_any_key(struct teller *teller, const struct mu_key *key, bool private_too)
{
    begin(teller, private_too ? "private key" : "public key", mu_key_info(key)->text);
    tell(teller, "may", "%s",
         private_too ? "sign for whoever's certificate names it; keep it secret"
                     : "verify what its private half signed");
    tell_key(teller, mu_key_info(key), mu_key_hash(key));
    end(teller);
}

static bool tell_der_public_key(struct teller *teller, struct mu_slice der,
                                struct mutual_error *err)
{
    MU_AUTO(key) struct mu_key *key = NULL;
    if (!mu_key_from_spki(der, &key, err)) {
        return false;
    }
    tell_any_key(teller, key, false);
    return true;
}

static bool tell_p12(struct teller *teller, struct mu_slice der, const char *password,
                     struct mutual_error *err)
{
    MU_AUTO(p12) struct mu_p12 p12 = {0};
    if (!mu_p12_read(der, password, &p12, err)) {
        return false;
    }
    if (p12.key != NULL) {
        tell_any_key(teller, p12.key, true);
    }
    if (p12.cert != NULL && !tell_der_certificate(teller, mu_cert_facts(p12.cert)->der, err)) {
        return false;
    }
    for (size_t i = 0; i < p12.chain.count; i++) {
        if (!tell_der_certificate(teller, mu_cert_facts(p12.chain.items[i])->der, err)) {
            return false;
        }
    }
    return true;
}

/* PEM says what it holds. Private keys of every kind are read together below. */
static const struct {
    const char *label;
    bool (*tell)(struct teller *teller, struct mu_slice der, struct mutual_error *err);
} kinds[] = {
    {"CERTIFICATE", tell_der_certificate},
    {"TRUSTED CERTIFICATE", tell_der_certificate},
    {"CERTIFICATE REQUEST", tell_der_request},
    {"NEW CERTIFICATE REQUEST", tell_der_request},
    {"X509 CRL", tell_der_list},
    {"PUBLIC KEY", tell_der_public_key},
};

static bool ends_with(struct mu_slice label, const char *tail)
{
    size_t len = strlen(tail);
    return label.len >= len && memcmp(label.data + label.len - len, tail, len) == 0;
}

static bool tell_block(struct teller *teller, const struct mu_pem_reader *reader,
                       const struct mu_pem_block *block, const char *password,
                       struct mutual_error *err)
{
    if (ends_with(block->label, "PRIVATE KEY")) {
        MU_AUTO(key) struct mu_key *key = NULL;
        if (!mu_key_from_pem(block->whole, reader->what, password, &key, err)) {
            return false;
        }
        tell_any_key(teller, key, true);
        return true;
    }
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, MU_LIMIT_CRL_BYTES);
    for (size_t i = 0; i < MU_COUNT(kinds); i++) {
        if (mu_slice_equal_text(block->label, kinds[i].label)) {
            return mu_pem_decode(reader, block, &der, err) &&
                   kinds[i].tell(teller, mu_buf_slice(&der), err);
        }
    }
    return mu_fail(err, MUTUAL_E_PEM_MALFORMED, "\"%s\" holds a block \"%.*s\", which is unknown",
                   reader->what, (int)block->label.len, (const char *)block->label.data);
}

static bool tell_pem(struct teller *teller, struct mu_slice bytes, const char *what,
                     const char *password, struct mutual_error *err)
{
    struct mu_pem_reader reader;
    mu_pem_open(&reader, bytes, what);
    for (;;) {
        struct mu_pem_block block;
        bool over = false;
        if (!mu_pem_next(&reader, &block, &over, err)) {
            return false;
        }
        if (over) {
            break;
        }
        if (ends_with(block.label, "PARAMETERS")) {
            continue;
        }
        if (!tell_block(teller, &reader, &block, password, err)) {
            return mu_error_context(err, "\"%s\" line %u", what, block.line);
        }
    }
    return teller->objects > 0
               ? true
               : mu_fail(err, MUTUAL_E_PEM_MALFORMED, "\"%s\" holds nothing that we know", what);
}

/* DER does not say what it holds, so each reader is asked; the certificate's answer is told when
 * none takes it. A PKCS#12 that only lacks its password counts as recognised. */
static bool tell_der(struct teller *teller, struct mu_slice bytes, const char *what,
                     const char *password, struct mutual_error *err)
{
    struct mutual_error why = {0};
    if (tell_der_certificate(teller, bytes, err) || tell_der_request(teller, bytes, NULL) ||
        tell_der_list(teller, bytes, NULL) || tell_der_public_key(teller, bytes, NULL) ||
        tell_der_ocsp(teller, bytes, NULL) || tell_der_ocsp_request(teller, bytes, NULL)) {
        return true;
    }
    if (tell_p12(teller, bytes, password, &why)) {
        return true;
    }
    if (why.code == MUTUAL_E_KEY_PASSPHRASE && err != NULL) {
        *err = why;
    }
    return mu_error_context(err, "\"%s\"", what);
}

bool ca_describe(struct mu_slice bytes, const char *what, const char *password, int64_t now_s,
                 bool json, struct mu_buf *out, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, out->max);
    struct teller teller = {.json = json, .out = &text, .now_s = now_s};
    mu_json_init(&teller.writer, &text);
    if (json) {
        mu_json_open(&teller.writer, NULL, '[');
    }
    bool der = bytes.len > 0 && bytes.data[0] == 0x30;
    if (!(der ? tell_der(&teller, bytes, what, password, err)
              : tell_pem(&teller, bytes, what, password, err))) {
        return false;
    }
    if (json) {
        mu_json_close(&teller.writer, ']');
        mu_buf_byte(&text, '\n');
    }
    if (text.failed || !mu_buf_append(out, text.data, text.len)) {
        return mu_fail_memory(err);
    }
    return true;
}

/* ---- ours ------------------------------------------------------------------------------------ */

bool ca_describe_record(const struct inventory_record *record, int64_t now_s, bool json,
                        struct mu_buf *out, struct mutual_error *err)
{
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    if (!mu_cert_from_der(record->der, &cert, err)) {
        return mu_error_context(err, "certificate \"%s\" in the store", record->name);
    }
    struct teller teller = {.json = json, .out = out, .now_s = now_s};
    mu_json_init(&teller.writer, out);
    begin(&teller, mu_cert_facts(cert)->ca ? "authority" : "certificate", record->name);
    if (record->revoked) {
        tell_time(&teller, "revoked", record->revoked_s);
        tell(&teller, "reason", "%s", mu_reason_word(record->reason));
    }
    tell(&teller, "owner", "%s", record->owner);
    tell(&teller, "place", "%s", record->place);
    tell(&teller, "purpose", "%s", record->purpose);
    tell(&teller, "profile", "%s", record->profile);
    if (record->path[0] != '\0') {
        tell(&teller, "files", "%s", record->path);
    }
    if (record->replaces_id != 0) {
        tell(&teller, "replaces", "an earlier one of the same name");
    }
    if (record->replaced_by_id != 0) {
        tell(&teller, "replaced", "by a newer one");
    }
    tell_certificate(&teller, cert);
    end(&teller);
    if (json) {
        mu_buf_byte(out, '\n');
    }
    return out->failed ? mu_fail_memory(err) : true;
}
