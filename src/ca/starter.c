/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration to begin with: complete, commented, and right once a server certificate named
 * "web" exists.
 */
#include "ca/ca_internal.h"

#include <stdarg.h>
#include <stdio.h>

/* A double-quoted YAML scalar; JSON's escapes are a subset of YAML's. */
static void quote(struct mu_buf *out, const char *format, ...) MUTUAL_PRINTF(2, 3);
static void quote(struct mu_buf *out, const char *format, ...)
{
    char text[4096];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof text) {
        out->failed = true;
        return;
    }
    mu_buf_byte(out, '"');
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\') {
            mu_buf_byte(out, '\\');
        }
        mu_buf_byte(out, (uint8_t)*p);
    }
    mu_buf_byte(out, '"');
}

static void trust_part(struct mu_buf *out, const char *dir)
{
    mu_buf_text(out, "# The authority that `mutual issue` uses.\n"
                     "authority:\n"
                     "  directory: ");
    quote(out, "%s", dir);
    mu_buf_text(out,
                "\n\n"
                "# Whose certificates are believed, and the list of those that are not any more.\n"
                "trust:\n"
                "  - name: ours\n"
                "    bundle: ");
    quote(out, "%s/" CA_PART "/" CA_PART_ROOT_CERT, dir);
    mu_buf_text(out, "\n    intermediates: ");
    quote(out, "%s/" CA_PART "/" CA_PART_ISSUER "/" CA_PART_ISSUER ".crt", dir);
    mu_buf_text(out, "\n"
                     "    revocation:\n"
                     "      crl: ");
    quote(out, "%s/" CA_PART "/" CA_PART_CRL, dir);
    mu_buf_text(out, "\n"
                     "      when-stale: refuse\n\n");
}

static void inbound_part(struct mu_buf *out, const char *dir, const char *domain)
{
    mu_buf_printf(out, "# A service that only certified clients reach. Its certificate is made by\n"
                       "#   mutual issue web --profile server\n"
                       "# and its clients' by\n"
                       "#   mutual issue alice --profile client\n"
                       "inbound:\n"
                       "  - name: web\n"
                       "    listen: 127.0.0.1:8443\n"
                       "    forward: 127.0.0.1:8080    # where the service itself listens\n"
                       "    certificate: ");
    quote(out, "%s/tls/web", dir);
    mu_buf_printf(out,
                  "\n"
                  "    clients: {mode: require, trust: ours}\n\n"
                  "# A local door to somebody else's service, opened with our certificate.\n"
                  "# outbound:\n"
                  "#   - name: ledger\n"
                  "#     listen: 127.0.0.1:7001\n"
                  "#     connect: \"ledger.%s:8443\"\n"
                  "#     certificate: ",
                  domain);
    quote(out, "%s/tls/alice", dir);
    mu_buf_printf(out,
                  "\n"
                  "#     expect: [{dns: ledger.%s}]\n"
                  "#     trust: ours\n\n",
                  domain);
}

bool ca_starter_config(const char *dir, const char *domain, const char *owner, struct mu_buf *out,
                       struct mutual_error *err)
{
    mu_buf_printf(out, "# mutual.yaml: who proves what to whom. See mutual.yaml(5).\n"
                       "# Check it with: mutual check      Serve it with: mutual serve\n"
                       "version: 1\n\n");
    trust_part(out, dir);
    inbound_part(out, dir, domain);
    mu_buf_text(out, "# Who may reach what. Whoever is not named here is refused.\n"
                     "policy:\n"
                     "  - grant: alice-web\n"
                     "    to: web\n"
                     "    from:\n"
                     "      - spiffe: ");
    quote(out, "spiffe://%s/alice", domain);
    mu_buf_text(out, "\n    owner: ");
    quote(out, "%s", owner);
    mu_buf_text(out, "\n    why: \"an example to begin with\"\n");
    return out->failed ? mu_fail_memory(err) : true;
}
