/* SPDX-License-Identifier: Apache-2.0
 *
 * What is fetched: the networks it may come from, and where it is kept.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "config/config_internal.h"

/* ---- networks ----------------------------------------------------------------------------------
 */

static bool has_bits_behind(const struct config_network *network, unsigned most)
{
    for (unsigned bit = network->bits; bit < most; bit++) {
        if ((network->bytes[bit / 8] & (0x80u >> (bit % 8))) != 0) {
            return true;
        }
    }
    return false;
}

bool config_network_parse(const char *text, struct config_network *ret_network,
                          struct mutual_error *err)
{
    struct config_network network = {.family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET};
    unsigned most = network.family == AF_INET6 ? 128 : 32;
    char host[INET6_ADDRSTRLEN];
    size_t len = strcspn(text, "/");
    uint64_t bits = most;
    bool good = len < sizeof host;
    if (good) {
        memcpy(host, text, len);
        host[len] = '\0';
        good = inet_pton(network.family, host, network.bytes) == 1 &&
               (text[len] == '\0' || mu_text_uint(text + len + 1, most, &bits));
    }
    network.bits = (unsigned)bits;
    if (!good || has_bits_behind(&network, most)) {
        (void)mu_fail(err, MUTUAL_E_ADDRESS_MALFORMED, "\"%s\" is no network", text);
        return mu_error_hint(err, "Networks read 10.1.0.0/16, fd00::/8 or 192.0.2.7.");
    }
    *ret_network = network;
    return true;
}

/* ---- places ------------------------------------------------------------------------------------
 */

bool config_state_directory(struct mu_buf *out)
{
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    if (geteuid() == 0) {
        (void)mu_buf_text(out, "/var/lib/mutual");
    } else if (state != NULL && state[0] == '/') {
        (void)mu_buf_printf(out, "%s/mutual", state);
    } else if (home != NULL && home[0] == '/') {
        (void)mu_buf_printf(out, "%s/.local/state/mutual", home);
    } else {
        return false;
    }
    return !out->failed;
}

/* Readable, and different for what is different: "corp-crl.example.org_ca.crl-0f3c91aa5be2d7c4". */
static void put_file_name(struct mu_buf *out, const char *label, const char *shown,
                          struct mu_slice whole)
{
    static const uint8_t key[16] = "mutual-fetched.";
    (void)mu_buf_printf(out, "%s-", label);
    for (size_t i = 0; shown[i] != '\0' && i < 80; i++) {
        char c = shown[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '.' || c == '-';
        (void)mu_buf_byte(out, plain ? (uint8_t)c : '_');
    }
    (void)mu_buf_printf(out, "-%016llx", (unsigned long long)mu_siphash(key, whole));
}

static bool put_directory(const struct config_fetch *fetch, struct mu_buf *out)
{
    if (fetch->directory != NULL) {
        (void)mu_buf_text(out, fetch->directory);
    } else if (config_state_directory(out)) {
        (void)mu_buf_text(out, "/fetched");
    } else {
        return false;
    }
    return mu_buf_byte(out, '/');
}

bool config_fetched_path(const struct config_fetch *fetch, const char *trust, const char *url,
                         struct mu_buf *out)
{
    const char *shown = strstr(url, "//");
    MU_AUTO(buf) struct mu_buf both;
    mu_buf_init(&both, 4096);
    if (!put_directory(fetch, out) || !config_fetched_name(trust, url, &both)) {
        return false;
    }
    put_file_name(out, trust, shown == NULL ? url : shown + 2, mu_buf_slice(&both));
    return !out->failed;
}

bool config_fetched_name(const char *trust, const char *url, struct mu_buf *out)
{
    (void)mu_buf_printf(out, "fetched for %s: %s", trust, url);
    return !out->failed;
}

size_t config_list_count(const struct config_trust *trust)
{
    return trust->revocation.crl.count + trust->revocation.fetch_count;
}

bool config_list_name(const struct config_trust *trust, size_t index, struct mu_buf *out)
{
    const struct config_revocation *revocation = &trust->revocation;
    mu_assert(index < config_list_count(trust));
    if (index < revocation->crl.count) {
        const char *path = revocation->crl.items[index];
        return path != NULL && mu_buf_text(out, path);
    }
    const char *url = revocation->fetch[index - revocation->crl.count].url;
    return trust->name != NULL && url != NULL && config_fetched_name(trust->name, url, out);
}

/* ---- responses ---------------------------------------------------------------------------------
 */

bool config_staple_is_fetched(const struct config_certificate *certificate)
{
    return certificate->staple.url != NULL ||
           certificate->staple.from == CONFIG_STAPLE_FROM_CERTIFICATE;
}

bool config_staple_path(const struct config_fetch *fetch, const char *chain, struct mu_buf *out)
{
    const char *shown = chain;
    MU_AUTO(buf) struct mu_buf whole;
    mu_buf_init(&whole, 4096 + 64);
    for (const char *slash = strchr(chain, '/'); slash != NULL && strlen(shown) > 60;
         slash = strchr(slash + 1, '/')) {
        shown = slash + 1;
    }
    if (!put_directory(fetch, out) || !config_staple_name(chain, &whole)) {
        return false;
    }
    put_file_name(out, "staple", shown[0] == '/' ? shown + 1 : shown, mu_buf_slice(&whole));
    return !out->failed;
}

bool config_staple_name(const char *chain, struct mu_buf *out)
{
    return mu_buf_printf(out, "stapled to %s", chain);
}

/* ---- hosts -------------------------------------------------------------------------------------
 */

static bool same_text(struct mu_slice a, const char *b)
{
    return a.len == strlen(b) && strncasecmp((const char *)a.data, b, a.len) == 0;
}

static bool is_host(struct mu_slice host, const char *allowed)
{
    if (!mu_text_starts(allowed, "*.")) {
        return same_text(host, allowed);
    }
    const uint8_t *dot = host.len == 0 ? NULL : memchr(host.data, '.', host.len);
    return dot != NULL && dot > host.data &&
           same_text(mu_slice_of(dot, host.len - (size_t)(dot - host.data)), allowed + 1);
}

bool config_fetch_allows(const struct config_fetch *fetch, struct mu_slice host)
{
    for (size_t i = 0; i < fetch->allow.count; i++) {
        if (fetch->allow.items[i] != NULL && is_host(host, fetch->allow.items[i])) {
            return true;
        }
    }
    return fetch->allow.count == 0;
}
