/* SPDX-License-Identifier: Apache-2.0
 *
 * What the model says as a whole: names given twice, references to nothing, listeners that collide,
 * what is unsafe and unsaid. Pure; what needs certificates is judged in world.
 */
#include "config/config_internal.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define SUGGEST_AMONG 512u

struct judge {
    const struct config *config;
    struct config_whole *whole;
    const struct config_snapshot *snapshot;
    struct config_findings *findings;
    bool no_memory;
};

#define COMPLAIN(judge_, severity_, code_, place_, hint_, ...)                                 \
    config_finding_add((judge_)->findings, (judge_)->snapshot, (severity_), (code_), (place_), \
                       (hint_), __VA_ARGS__)

/* ---- names -------------------------------------------------------------------------------------
 */

/* `what` with the name at `mark` is new among `names`, or was given before at the mark found. */
static void judge_name(struct judge *j, struct mu_map *names, const char *what, const char *setting,
                       const char *name, struct config_mark *mark)
{
    if (name == NULL) {
        return;
    }
    const struct config_mark *before = mu_map_get(names, mu_slice_text(name));
    if (before != NULL) {
        struct config_place place = config_place_of(mark, setting);
        COMPLAIN(j, CONFIG_ERROR, MUTUAL_E_CONFIG_INVALID, &place, NULL,
                 "the %s \"%s\" is named already, in %s:%u", what, name, before->file,
                 before->line);
        return;
    }
    j->no_memory = !mu_map_put(names, mu_slice_text(name), mark) || j->no_memory;
}

static void judge_names(struct judge *j)
{
    struct config *config = &j->whole->config;
    struct mu_map *trusts = mu_map_new();
    struct mu_map *services = mu_map_new();
    struct mu_map *grants = mu_map_new();
    bool ready = trusts != NULL && services != NULL && grants != NULL;
    for (size_t i = 0; ready && i < config->trust_count; i++) {
        struct config_trust *t = &config->trusts[i];
        judge_name(j, trusts, "trust block", "name", t->name, &t->mark);
    }
    for (size_t i = 0; ready && i < config->inbound_count; i++) {
        struct config_inbound *in = &config->inbounds[i];
        judge_name(j, services, "service", "name", in->service, &in->mark);
        for (size_t h = 0; h < in->host_count; h++) {
            judge_name(j, services, "service", "name", in->hosts[h].service, &in->hosts[h].mark);
        }
    }
    for (size_t i = 0; ready && i < config->outbound_count; i++) {
        struct config_outbound *out = &config->outbounds[i];
        judge_name(j, services, "service", "name", out->name, &out->mark);
    }
    for (size_t i = 0; ready && i < config->grant_count; i++) {
        struct config_grant *grant = &config->grants[i];
        judge_name(j, grants, "grant", "grant", grant->name, &grant->mark);
    }
    j->no_memory = j->no_memory || !ready;
    mu_map_free(trusts);
    mu_map_free(services);
    mu_map_free(grants);
}

/* ---- references --------------------------------------------------------------------------------
 */

static const char *suggest(const char *word, const char *const *names, char text[160])
{
    const char *near = mu_suggest(word, names);
    if (near == NULL) {
        return NULL;
    }
    (void)snprintf(text, 160, "did you mean \"%.100s\"?", near);
    return text;
}

static void judge_trust(struct judge *j, const struct config_mark *mark, const char *name)
{
    if (name == NULL || config_trust_find(j->config, name) != NULL) {
        return;
    }
    const char *names[SUGGEST_AMONG + 1] = {NULL};
    size_t count = 0;
    for (size_t i = 0; i < j->config->trust_count && count < SUGGEST_AMONG; i++) {
        if (j->config->trusts[i].name != NULL) {
            names[count++] = j->config->trusts[i].name;
        }
    }
    char text[160];
    struct config_place place = config_place_of(mark, "trust");
    COMPLAIN(j, CONFIG_ERROR, MUTUAL_E_CONFIG_INVALID, &place, suggest(name, names, text),
             "there is no trust block \"%s\"", name);
}

static void judge_grant_target(struct judge *j, const struct config_grant *grant, size_t index,
                               const char *const *names)
{
    const char *to = grant->to.items[index];
    if (to == NULL || strcmp(to, "*") == 0 || config_inbound_find(j->config, to) != NULL) {
        return;
    }
    char text[160];
    const char *hint = suggest(to, names, text);
    for (size_t i = 0; i < j->config->outbound_count; i++) {
        const char *name = j->config->outbounds[i].name;
        if (name != NULL && strcmp(name, to) == 0) {
            hint = "it is outbound; what an outbound server must be is said by its expect";
        }
    }
    struct config_place place = config_place_at(&grant->mark, "to", index);
    COMPLAIN(j, CONFIG_ERROR, MUTUAL_E_GRANT_UNREACHABLE, &place, hint,
             "the grant \"%s\" can never apply: there is no inbound %s \"%s\"",
             grant->name != NULL ? grant->name : "", strchr(to, '/') != NULL ? "host" : "listener",
             to);
}

static void judge_grants(struct judge *j)
{
    const char *names[SUGGEST_AMONG + 1] = {NULL};
    size_t count = 0;
    for (size_t i = 0; i < j->config->served_count && count < SUGGEST_AMONG; i++) {
        if (j->config->served[i]->service != NULL) {
            names[count++] = j->config->served[i]->service;
        }
    }
    for (size_t i = 0; i < j->config->grant_count; i++) {
        const struct config_grant *grant = &j->config->grants[i];
        for (size_t t = 0; t < grant->to.count; t++) {
            judge_grant_target(j, grant, t, names);
        }
    }
}

/* ---- listeners ---------------------------------------------------------------------------------
 */

struct listener {
    const struct config_address *address;
    struct config_place place;
};

static bool is_any(const char *host)
{
    return host[0] == '\0' || strcmp(host, "*") == 0 || strcmp(host, "0.0.0.0") == 0 ||
           strcmp(host, "::") == 0;
}

static bool collide(const struct config_address *a, const struct config_address *b)
{
    if (a->kind != b->kind) {
        return false;
    }
    switch (a->kind) {
    case CONFIG_ADDRESS_NONE:
        return false;
    case CONFIG_ADDRESS_TCP:
        return a->port == b->port && a->port != 0 &&
               (strcmp(a->host, b->host) == 0 || is_any(a->host) || is_any(b->host));
    case CONFIG_ADDRESS_UNIX:
    case CONFIG_ADDRESS_SYSTEMD:
        return strcmp(a->path, b->path) == 0;
    case CONFIG_ADDRESS_FD:
        return a->port == b->port;
    }
    return false;
}

static void judge_collisions(struct judge *j, const struct listener *all, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (collide(all[i].address, all[k].address)) {
                COMPLAIN(j, CONFIG_ERROR, MUTUAL_E_CONFIG_INVALID, &all[i].place, NULL,
                         "\"%s\" collides with \"%s\", in %s:%u", all[i].address->text,
                         all[k].address->text, all[k].place.file, all[k].place.line);
                break;
            }
        }
    }
}

static void judge_plain_listen(struct judge *j, const struct config_address *address,
                               const struct config_place *place, const char *why)
{
    if (address->kind == CONFIG_ADDRESS_NONE || config_address_is_local(address)) {
        return;
    }
    COMPLAIN(j, CONFIG_ERROR, MUTUAL_E_LISTEN_UNSAFE, place,
             "use 127.0.0.1, [::1] or unix:PATH; or say unsafe-listen: true",
             "\"%s\" would listen in the clear beyond this machine: %s", address->text, why);
}

static void judge_listeners(struct judge *j)
{
    const struct config *config = j->config;
    size_t cap = 1;
    for (size_t i = 0; i < config->inbound_count; i++) {
        cap += config->inbounds[i].listen_count;
    }
    for (size_t i = 0; i < config->outbound_count; i++) {
        cap += config->outbounds[i].listen_count;
    }
    MU_AUTO(free) struct listener *all = mu_alloc(cap, sizeof *all);
    size_t count = 0;
    if (all == NULL) {
        j->no_memory = true;
        return;
    }
    for (size_t i = 0; i < config->inbound_count; i++) {
        const struct config_inbound *in = &config->inbounds[i];
        for (size_t l = 0; l < in->listen_count; l++) {
            all[count++] =
                (struct listener){&in->listen[l], config_place_at(&in->mark, "listen", l)};
        }
    }
    for (size_t i = 0; i < config->outbound_count; i++) {
        const struct config_outbound *out = &config->outbounds[i];
        for (size_t l = 0; l < out->listen_count; l++) {
            struct config_place place = config_place_at(&out->mark, "listen", l);
            all[count++] = (struct listener){&out->listen[l], place};
            if (!out->unsafe_listen) {
                judge_plain_listen(j, &out->listen[l], &place,
                                   "whoever reaches it uses our identity");
            }
        }
    }
    struct config_place status = config_place_of(&config->status.mark, "listen");
    all[count++] = (struct listener){&config->status.listen, status};
    if (!config->status.unsafe_listen) {
        judge_plain_listen(j, &config->status.listen, &status, "it tells who connects");
    }
    judge_collisions(j, all, count);
}

/* ---- services ----------------------------------------------------------------------------------
 */

static void judge_clients(struct judge *j, const struct config_inbound *in)
{
    const struct config_clients *clients = &in->clients;
    bool written = clients->mark.node != NULL;
    struct config_place place =
        written ? config_place_of(&clients->mark, "mode") : config_place_of(&in->mark, NULL);
    const char *name = in->service != NULL ? in->service : "";
    bool trust_written = clients->trust != NULL || config_is_set(&clients->mark, "trust");
    if (clients->mode != CONFIG_MODE_NONE && !trust_written) {
        COMPLAIN(j, CONFIG_ERROR, MUTUAL_E_CONFIG_INVALID, &place,
                 "clients: {trust: NAME}; or mode: none for plain TLS",
                 "\"%s\" asks clients for certificates and trusts nobody", name);
    }
    if (clients->mode == CONFIG_MODE_NONE && trust_written) {
        place = config_place_of(&clients->mark, "trust");
        COMPLAIN(j, CONFIG_WARNING, MUTUAL_E_CONFIG_INVALID, &place, "mode: require",
                 "with mode none no client is asked for a certificate; trust has no effect");
    } else if (clients->mode == CONFIG_MODE_NONE) {
        COMPLAIN(j, CONFIG_WARNING, MUTUAL_E_CONFIG_UNSAFE, &place, NULL,
                 "\"%s\" is plain TLS: whoever reaches it is let in", name);
    } else if (clients->mode == CONFIG_MODE_OBSERVE) {
        COMPLAIN(j, CONFIG_WARNING, MUTUAL_E_CONFIG_UNSAFE, &place,
                 "mode: require, once mutual access ready says that nobody would be refused",
                 "\"%s\" only observes: whoever reaches it is let in, as by plain TLS", name);
    }
    judge_trust(j, &clients->mark, clients->trust);
}

/* Beside a certificate that is required, or host names that choose, plaintext would be the way
 * round. */
static void judge_plain(struct judge *j, const struct config_inbound *in)
{
    struct config_place place = config_place_of(&in->mark, "unsafe-plain");
    const char *name = in->service != NULL ? in->service : "";
    bool asks = in->clients.mode == CONFIG_MODE_REQUIRE || in->clients.mode == CONFIG_MODE_REQUEST;
    if (asks || in->host_count > 0) {
        COMPLAIN(j, CONFIG_ERROR, MUTUAL_E_CONFIG_INVALID, &place, "clients: {mode: observe}",
                 "\"%s\" cannot let in who speaks no TLS: it %s", name,
                 asks ? "asks for certificates" : "has hosts, which only TLS can name");
        return;
    }
    COMPLAIN(j, CONFIG_WARNING, MUTUAL_E_CONFIG_UNSAFE, &place, NULL,
             "\"%s\" lets in who speaks no TLS: in the clear, and unproved", name);
}

/* What a host has from its listener is judged there. */
static void judge_inbound(struct judge *j, const struct config_inbound *in)
{
    bool host = in->listener != NULL;
    bool application = in->application != CONFIG_APPLICATION_NONE;
    if (application && !host && j->config->authority.directory == NULL) {
        struct config_place place = config_place_of(&in->mark, "application");
        COMPLAIN(j, CONFIG_ERROR, MUTUAL_E_CONFIG_INVALID, &place,
                 "authority: {directory: as mutual init made it}",
                 "\"%s\" serves the authority, and no directory of one is named",
                 in->service != NULL ? in->service : "");
    }
    if (application && in->proxy_protocol != CONFIG_PROXY_NONE) {
        struct config_place place = config_place_of(&in->mark, "proxy-protocol");
        COMPLAIN(j, CONFIG_ERROR, MUTUAL_E_CONFIG_INVALID, &place, NULL,
                 "the authority is told who connects already");
    }
    if (in->plain) {
        return;
    }
    if (!host || config_is_set(&in->mark, "clients")) {
        judge_clients(j, in);
    }
    if (host && in->certificate_count == 0 && !config_is_set(&in->mark, "certificate")) {
        struct config_place place = config_place_of(&in->mark, NULL);
        COMPLAIN(j, CONFIG_ERROR, MUTUAL_E_CONFIG_INVALID, &place, "certificate: what is presented",
                 "neither the host \"%s\" nor its listener has a certificate",
                 in->service != NULL ? in->service : "");
    }
    if (in->unsafe_plain) {
        judge_plain(j, in);
    }
    bool known =
        in->forward.kind != CONFIG_ADDRESS_NONE && (!host || config_is_set(&in->mark, "forward"));
    if (known && !config_address_is_local(&in->forward) && !in->unsafe_forward) {
        struct config_place place = config_place_of(&in->mark, "forward");
        COMPLAIN(j, CONFIG_ERROR, MUTUAL_E_CONFIG_UNSAFE, &place,
                 "put a gateway beside the service; or say unsafe-forward: true",
                 "\"%s\" is another machine, and the way there is in the clear", in->forward.text);
    }
}

static void judge_outbound(struct judge *j, const struct config_outbound *out)
{
    judge_trust(j, &out->mark, out->trust);
    if (out->certificate_count > 1) {
        struct config_place place = config_place_at(&out->mark, "certificate", 1);
        COMPLAIN(j, CONFIG_ERROR, MUTUAL_E_CONFIG_INVALID, &place, NULL,
                 "an outbound target presents one certificate");
    }
    static const char *const inbound_only[] = {"strict-sni", "record-layer"};
    for (size_t i = 0; i < MU_COUNT(inbound_only); i++) {
        if (config_is_set(&out->tls.mark, inbound_only[i])) {
            struct config_place place = config_place_of(&out->tls.mark, inbound_only[i]);
            COMPLAIN(j, CONFIG_WARNING, MUTUAL_E_CONFIG_INVALID, &place, NULL,
                     "%s has a meaning for inbound listeners only", inbound_only[i]);
        }
    }
}

static bool value_marked(struct mu_map *map, const char *name)
{
    return mu_map_get(map, mu_slice_text(name)) != NULL;
}

/* Default deny: a listener that no grant leads to refuses everybody, which is rarely meant. */
static void judge_reachable(struct judge *j)
{
    const struct config *config = j->config;
    struct mu_map *granted = mu_map_new();
    bool all = false;
    static char mark; /* any address will do as a value */
    for (size_t i = 0; granted != NULL && !all && i < config->grant_count; i++) {
        const struct config_texts *to = &config->grants[i].to;
        for (size_t t = 0; t < to->count; t++) {
            if (to->items[t] == NULL) {
                continue;
            }
            all = all || strcmp(to->items[t], "*") == 0;
            if (!value_marked(granted, to->items[t])) {
                j->no_memory =
                    !mu_map_put(granted, mu_slice_text(to->items[t]), &mark) || j->no_memory;
            }
        }
    }
    j->no_memory = j->no_memory || granted == NULL;
    for (size_t i = 0; granted != NULL && !all && i < config->served_count; i++) {
        const struct config_inbound *in = config->served[i];
        bool present = in->certificate_count > 0; /* a listener without one has only hosts */
        if (in->service != NULL && present && in->clients.mode != CONFIG_MODE_NONE &&
            !value_marked(granted, in->service)) {
            struct config_place place = config_place_of(&in->mark, "name");
            COMPLAIN(j, CONFIG_WARNING, MUTUAL_E_POLICY_DENIED, &place, "add a grant to the policy",
                     "no grant leads to \"%s\": everybody will be refused", in->service);
        }
    }
    mu_map_free(granted);
}

static void judge_fetch(struct judge *j)
{
    const struct config_fetch *fetch = &j->config->fetch;
    judge_trust(j, &fetch->mark, fetch->trust);
    for (size_t i = 0; i < fetch->private_networks.count; i++) {
        struct config_network network;
        struct mutual_error err = {0};
        const char *text = fetch->private_networks.items[i];
        if (text != NULL && !config_network_parse(text, &network, &err)) {
            struct config_place place = config_place_at(&fetch->mark, "private", i);
            config_finding_add_error(j->findings, j->snapshot, CONFIG_ERROR, &place, &err);
        }
    }
}

/* "192.0.2.53:53" or "[2001:db8::53]:53". */
static bool is_resolver(const char *text)
{
    uint8_t address[16];
    char host[64];
    uint64_t port = 0;
    const char *colon = strrchr(text, ':');
    bool v6 = text[0] == '[';
    if (colon == NULL || colon - text >= (ptrdiff_t)sizeof host || colon - text < 2 ||
        !mu_text_uint(colon + 1, 65535, &port) || port == 0 || (v6 && colon[-1] != ']')) {
        return false;
    }
    (void)snprintf(host, sizeof host, "%.*s", (int)(colon - text) - 2 * v6, text + v6);
    return inet_pton(v6 ? AF_INET6 : AF_INET, host, address) == 1;
}

static void judge_admins(struct judge *j)
{
    const struct config_authority *authority = &j->config->authority;
    size_t count = 0;
    for (size_t i = 0; i < authority->admin_count; i++) {
        count += authority->admins[i].who_count;
    }
    if (count > CONFIG_ADMIN_PATTERNS) {
        struct config_place place = config_place_of(&authority->mark, "admins");
        COMPLAIN(j, CONFIG_ERROR, MUTUAL_E_LIMIT, &place,
                 "give a name pattern to those who have the role: spiffe://example.org/admin/*",
                 "the authority's administrators are %zu patterns, and %u is the most", count,
                 CONFIG_ADMIN_PATTERNS);
    }
}

static void judge_acme(struct judge *j)
{
    const struct config_authority *authority = &j->config->authority;
    const struct config_acme *acme = &authority->acme;
    if (acme->accounts != CONFIG_ACME_NONE && authority->url == NULL) {
        struct config_place place = config_place_of(&acme->mark, "accounts");
        COMPLAIN(
            j, CONFIG_ERROR, MUTUAL_E_CONFIG_INVALID, &place,
            "authority: {url: https://ca.example.org:8443}",
            "clients of ACME sign the URLs that they ask, and authority.url does not say them");
    }
    if (acme->resolver != NULL && !is_resolver(acme->resolver)) {
        struct config_place place = config_place_of(&acme->mark, "resolver");
        COMPLAIN(j, CONFIG_ERROR, MUTUAL_E_CONFIG_INVALID, &place, "resolver: 192.0.2.53:53",
                 "\"%s\" is no address with a port", acme->resolver);
    }
    if (acme->accounts == CONFIG_ACME_OPEN) {
        struct config_place place = config_place_of(&acme->mark, "accounts");
        COMPLAIN(j, CONFIG_WARNING, MUTUAL_E_CONFIG_UNSAFE, &place, "accounts: bound",
                 "whoever controls what answers at a name gets a certificate for it");
    }
}

void config_judge(struct config_whole *whole, const struct config_snapshot *snapshot,
                  struct config_findings *findings, size_t errors)
{
    const struct config *config = &whole->config;
    struct judge j = {config, whole, snapshot, findings, false};
    judge_names(&j);
    for (size_t i = 0; i < config->served_count; i++) {
        judge_inbound(&j, config->served[i]);
    }
    for (size_t i = 0; i < config->outbound_count; i++) {
        judge_outbound(&j, &config->outbounds[i]);
    }
    judge_fetch(&j);
    judge_acme(&j);
    judge_admins(&j);
    judge_listeners(&j);
    judge_grants(&j);
    if (findings->errors == errors) {
        judge_reachable(&j);
    }
    if (findings->errors == errors && config->inbound_count == 0 && config->outbound_count == 0 &&
        config->authority.directory == NULL) {
        struct config_place place = {config->mark.file, 0, 0, 0};
        COMPLAIN(&j, CONFIG_WARNING, MUTUAL_E_CONFIG_INVALID, &place,
                 "add an inbound listener or an outbound target", "there is nothing to serve");
    }
    if (j.no_memory) {
        COMPLAIN(&j, CONFIG_ERROR, MUTUAL_E_NO_MEMORY, NULL, NULL,
                 "out of memory while judging the configuration");
    }
}
