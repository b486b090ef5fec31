/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers to challenges, judged where they arrive: who asked for a certificate for a name shows
 * that what answers there is his.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <mutual/identity.h>

#include "fetch/fetch_internal.h"
#include "x509/x509.h"

#define OID_ACME_IDENTIFIER "1.3.6.1.5.5.7.1.31"

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

bool fetch_judge_proof(struct mu_slice expected, struct mu_slice content, struct mutual_error *err)
{
    while (content.len > 0 && is_blank(content.data[content.len - 1])) {
        content.len--;
    }
    if (expected.len > 0 && mu_slice_equal(expected, content)) {
        return true;
    }
    MU_AUTO(buf) struct mu_buf shown;
    mu_buf_init(&shown, 512);
    mu_escape(&shown, mu_slice_of(content.data, content.len < 100 ? content.len : 100));
    return mu_fail(err, MUTUAL_E_ACME_VALIDATION, "the answer there is \"%s\", not the challenge's",
                   mu_buf_str(&shown));
}

bool fetch_proof_name(const char *host, struct mu_buf *out)
{
    uint8_t bytes[16];
    if (inet_pton(AF_INET, host, bytes) == 1) {
        return mu_buf_printf(out, "%u.%u.%u.%u.in-addr.arpa", bytes[3], bytes[2], bytes[1],
                             bytes[0]);
    }
    if (inet_pton(AF_INET6, host, bytes) != 1) {
        return mu_buf_text(out, host);
    }
    for (size_t i = 0; i < 16; i++) {
        (void)mu_buf_printf(out, "%x.%x.", bytes[15 - i] & 15u, bytes[15 - i] >> 4);
    }
    return mu_buf_text(out, "ip6.arpa");
}

/* Exactly the one name. */
static bool is_for(const struct mu_cert_facts *facts, const char *host)
{
    uint8_t bytes[16];
    if (facts->name_count != 1) {
        return false;
    }
    const struct mu_gname *name = &facts->names[0];
    if (inet_pton(AF_INET, host, bytes) == 1) {
        return name->type == MU_GNAME_IP && mu_slice_equal(name->bytes, mu_slice_of(bytes, 4));
    }
    if (inet_pton(AF_INET6, host, bytes) == 1) {
        return name->type == MU_GNAME_IP && mu_slice_equal(name->bytes, mu_slice_of(bytes, 16));
    }
    return name->type == MU_GNAME_DNS && name->bytes.len == strlen(host) &&
           strncasecmp((const char *)name->bytes.data, host, name->bytes.len) == 0;
}

/* OCTET STRING of 32 octets, within the extension's own. */
static bool is_digest(struct mu_slice value, const uint8_t digest[32])
{
    return value.len == 34 && value.data[0] == 0x04 && value.data[1] == 32 &&
           memcmp(value.data + 2, digest, 32) == 0;
}

bool fetch_judge_proof_tls(struct mu_slice expected, const char *host, const char *alpn,
                           struct mu_slice leaf, struct mutual_error *err)
{
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    struct mutual_error why = {0};
    struct mu_slice value = {0};
    uint8_t digest[32];
    bool critical = false;
    if (alpn == NULL || strcmp(alpn, FETCH_PROOF_ALPN) != 0) {
        return mu_fail(err, MUTUAL_E_ACME_VALIDATION,
                       "the server does not speak \"" FETCH_PROOF_ALPN "\"");
    }
    if (!mu_sha256(expected, digest, err)) {
        return false;
    }
    if (!mu_cert_from_der(leaf, &cert, &why)) {
        return mu_fail(err, MUTUAL_E_ACME_VALIDATION, "its certificate is refused: %s", why.reason);
    }
    if (!is_for(mu_cert_facts(cert), host)) {
        return mu_fail(err, MUTUAL_E_ACME_VALIDATION,
                       "its certificate is not for \"%s\" and nothing else", host);
    }
    if (!mu_cert_extension(cert, OID_ACME_IDENTIFIER, &value, &critical) || !critical) {
        return mu_fail(err, MUTUAL_E_ACME_VALIDATION,
                       "its certificate has no critical acmeIdentifier");
    }
    return is_digest(value, digest) ||
           mu_fail(err, MUTUAL_E_ACME_VALIDATION,
                   "its certificate's acmeIdentifier is not the challenge's");
}
