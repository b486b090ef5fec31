/* SPDX-License-Identifier: Apache-2.0
 *
 * Challenges of ACME on their way: a name, then perhaps connections, then an answer. Nothing that a
 * stranger sent is read here.
 */
#include "gateway/validating_internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gateway/parent_internal.h"
#include "gateway/query_internal.h"
#include "gateway/source_internal.h"
#include "x509/x509.h"

enum {
    AT_ONCE = 8,
    SOCKETS_MAX = 16,  /* of one of them, redirects included */
    ANSWER_MAX = 4096, /* bytes of an answer of http-01       */
    TIMEOUT_S = 10,    /* for the whole of it                 */
    PATIENCE_S = 60,   /* for the fetch process               */
};

struct validation {
    struct validating *validating;
    bool used;
    uint32_t id;
    struct evidence_probe probe;
    char asked[300]; /* the DNS name of a TXT record */
    char text[64];   /* what it must hold            */
    struct query_question question;
    struct query *query;
    struct targets targets;
    unsigned sockets;
    int content_fd;
    bool fetching;
    struct event_timer timer;
};
struct validating {
    struct parent *parent;
    uint32_t next_id;
    struct validation items[AT_ONCE];
};

struct validating *validating_new(struct parent *parent)
{
    struct validating *validating = mu_alloc(1, sizeof *validating);
    if (validating != NULL) {
        validating->parent = parent;
    }
    return validating;
}

static void clear(struct validation *validation)
{
    struct validating *validating = validation->validating;
    reactor_cancel(validating->parent->reactor, &validation->timer);
    query_stop(MU_TAKE(validation->query));
    if (validation->content_fd != -1) {
        (void)close(validation->content_fd);
    }
    *validation = (struct validation){.validating = validating, .content_fd = -1};
}

void validating_free(struct validating *validating)
{
    for (size_t i = 0; validating != NULL && i < AT_ONCE; i++) {
        if (validating->items[i].used) {
            clear(&validating->items[i]);
        }
    }
    mu_free(validating);
}

static const struct config_acme *config_of(const struct parent *parent)
{
    return &parent->current->world->config->authority.acme;
}

bool validating_wanted(const struct parent *parent)
{
    const struct config_authority *config = &parent->current->world->config->authority;
    return config->directory != NULL && config->acme.accounts != CONFIG_ACME_NONE;
}

/* ---- answering ---------------------------------------------------------------------------------
 */

static void tell(struct validating *validating, uint64_t id, const struct mutual_error *outcome)
{
    struct parent *parent = validating->parent;
    const struct supervised *child = authority_answering(parent);
    MU_AUTO(buf) struct mu_buf payload;
    struct mutual_error lost = {0};
    mu_buf_init(&payload, 4096);
    evidence_probed_write(id, outcome, &payload);
    /* Whom it does not reach asks again. */
    if (child != NULL && !payload.failed &&
        !supervisor_send(parent->supervisor, child, IPC_MSG_PROBED, mu_buf_slice(&payload), NULL, 0,
                         &lost)) {
        parent_log(parent, CONFIG_LOG_WARNING, "validation_lost", NULL, &lost);
    }
}

static void end(struct validation *validation, const struct mutual_error *outcome)
{
    uint64_t id = validation->probe.id;
    struct validating *validating = validation->validating;
    clear(validation);
    tell(validating, id, outcome);
}

static void fail(struct validation *validation, enum mutual_code code, const char *text)
{
    struct mutual_error why = {0};
    (void)mu_fail(&why, code, "\"%s\": %s", validation->probe.name, text);
    end(validation, &why);
}

/* ---- http-01, tls-alpn-01 ----------------------------------------------------------------------
 */

static void on_silence(void *owner)
{
    fail(owner, MUTUAL_E_PROCESS_DIED, "the fetch process did not answer");
}

static uint16_t port_of(const struct validation *validation)
{
    const struct config_acme *config = config_of(validation->validating->parent);
    return (uint16_t)(validation->probe.method == EVIDENCE_HTTP_01 ? config->http_port
                                                                   : config->tls_port);
}

static void put_url(const struct validation *validation, char *url, size_t size)
{
    const struct evidence_probe *probe = &validation->probe;
    bool v6 = strchr(probe->name, ':') != NULL;
    bool http = probe->method == EVIDENCE_HTTP_01;
    char port[8] = "";
    uint16_t number = port_of(validation);
    if (number != (http ? 80 : 443)) {
        (void)snprintf(port, sizeof port, ":%u", number);
    }
    (void)snprintf(url, size, "%s://%s%s%s%s%s%s", http ? "http" : "https", v6 ? "[" : "",
                   probe->name, v6 ? "]" : "", port, http ? "/.well-known/acme-challenge/" : "/",
                   http ? probe->token : "");
}

static bool send_request(struct validation *validation, const struct supervised *child,
                         struct mutual_error *err)
{
    struct fetch_request request = {
        .id = validation->id,
        .kind = validation->probe.method == EVIDENCE_HTTP_01 ? FETCH_PROOF : FETCH_PROOF_TLS,
        .max = ANSWER_MAX,
        .timeout_ns = TIMEOUT_S * MU_NS_PER_S,
        .content_fd = -1,
        .believed_fd = -1,
        .material_fd = -1,
        .last_fd = -1,
    };
    put_url(validation, request.url, sizeof request.url);
    bool done =
        source_memory_file(mu_slice_of(NULL, 0), &validation->content_fd, err) &&
        source_memory_file(mu_slice_text(validation->probe.authorization), &request.material_fd,
                           err) &&
        (request.content_fd = validation->content_fd) != -1 &&
        fetch_request_send(validation->validating->parent->supervisor, child, &request, err);
    if (request.material_fd != -1) {
        (void)close(request.material_fd);
    }
    return done;
}

static void fetch(struct validation *validation)
{
    struct parent *parent = validation->validating->parent;
    const struct supervised *child = supervisor_find(parent->supervisor, IPC_FETCH, 0);
    struct mutual_error err = {0};
    if (child == NULL || !child->ready) {
        fail(validation, MUTUAL_E_PROCESS_DIED, "the fetch process is not there");
        return;
    }
    validation->fetching = true;
    if (!send_request(validation, child, &err)) {
        end(validation, &err);
        return;
    }
    reactor_arm_in(parent->reactor, &validation->timer, PATIENCE_S * MU_NS_PER_S, on_silence,
                   validation);
}

static void on_addresses(void *owner, enum query_answer answer, const struct targets *targets)
{
    struct validation *validation = owner;
    validation->query = NULL; /* it frees itself */
    if (answer == QUERY_FOUND) {
        validation->targets = *targets;
        fetch(validation);
    } else {
        fail(validation, MUTUAL_E_RESOLVE_FAILED,
             answer == QUERY_NOTHING ? "the name has no address" : "no name server answered well");
    }
}

/* ---- dns-01 ------------------------------------------------------------------------------------
 */

static void on_texts(void *owner, enum query_answer answer, const struct targets *targets)
{
    struct validation *validation = owner;
    struct mutual_error none = {0};
    (void)targets;
    validation->query = NULL;
    if (answer == QUERY_FOUND) {
        end(validation, &none);
    } else if (answer == QUERY_OTHER) {
        fail(validation, MUTUAL_E_ACME_VALIDATION, "no TXT record there is the challenge's answer");
    } else {
        fail(validation, MUTUAL_E_RESOLVE_FAILED,
             answer == QUERY_NOTHING ? "there is no TXT record of _acme-challenge"
                                     : "no name server answered well");
    }
}

/* RFC 8555 section 8.4. */
static bool put_text(struct validation *validation, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf text;
    MU_AUTO(buf) struct mu_buf asked;
    uint8_t digest[32];
    mu_buf_init(&text, sizeof validation->text);
    mu_buf_init(&asked, sizeof validation->asked);
    if (!mu_sha256(mu_slice_text(validation->probe.authorization), digest, err)) {
        return false;
    }
    mu_base64url(&text, mu_slice_of(digest, sizeof digest));
    (void)snprintf(validation->text, sizeof validation->text, "%s", mu_buf_str(&text));
    mu_buf_printf(&asked, "_acme-challenge.%s", validation->probe.name);
    (void)snprintf(validation->asked, sizeof validation->asked, "%s", mu_buf_str(&asked));
    return true;
}

/* ---- beginning ---------------------------------------------------------------------------------
 */

static void set_address(struct validation *validation)
{
    struct address *address = &validation->targets.items[0];
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, validation->probe.name, &v4.sin_addr) == 1) {
        memcpy(&address->socket, &v4, sizeof v4);
        address->len = sizeof v4;
    } else {
        mu_assert(inet_pton(AF_INET6, validation->probe.name, &v6.sin6_addr) == 1);
        memcpy(&address->socket, &v6, sizeof v6);
        address->len = sizeof v6;
    }
    validation->targets.count = 1;
}

static void begin(struct validation *validation)
{
    struct parent *parent = validation->validating->parent;
    const struct config *config = parent->current->world->config;
    bool dns = validation->probe.method == EVIDENCE_DNS_01;
    struct mutual_error err = {0};
    if (validation->probe.address) {
        set_address(validation);
        fetch(validation);
        return;
    }
    if (dns && !put_text(validation, &err)) {
        end(validation, &err);
        return;
    }
    validation->question = (struct query_question){
        .name = dns ? validation->asked : validation->probe.name,
        .text = dns ? validation->text : NULL,
        .resolver = config->authority.acme.resolver,
        .port = dns ? 0 : port_of(validation),
    };
    if (!query_start(parent->reactor, &validation->question, config->user,
                     dns ? on_texts : on_addresses, validation, &validation->query, &err)) {
        end(validation, &err);
    }
}

bool validating_ask(struct validating *validating, const struct ipc_message *message,
                    struct mutual_error *err)
{
    struct evidence_probe probe;
    struct mutual_error full = {0};
    if (!evidence_probe_read(message->payload, &probe, err)) {
        return false;
    }
    for (size_t i = 0; i < AT_ONCE && validating_wanted(validating->parent); i++) {
        struct validation *validation = &validating->items[i];
        if (!validation->used) {
            *validation = (struct validation){.validating = validating,
                                              .used = true,
                                              .id = VALIDATING_ID | ++validating->next_id,
                                              .probe = probe,
                                              .content_fd = -1};
            begin(validation);
            return true;
        }
    }
    (void)mu_fail(&full, MUTUAL_E_LIMIT, "too many challenges are being looked at");
    tell(validating, probe.id, &full);
    return true;
}

/* ---- what the fetch process says ---------------------------------------------------------------
 */

static struct validation *find(struct validating *validating, uint32_t id)
{
    for (size_t i = 0; i < AT_ONCE; i++) {
        if (validating->items[i].fetching && validating->items[i].id == id) {
            return &validating->items[i];
        }
    }
    return NULL;
}

bool validating_connect(struct validating *validating, const struct fetch_want *want, int *ret_fd,
                        struct mutual_error *ret_why)
{
    struct validation *validation = find(validating, want->id);
    if (validation == NULL) {
        return mu_fail(ret_why, MUTUAL_E_NOT_FOUND, "nothing of that number is being looked at");
    }
    if (want->port != port_of(validation) || validation->sockets++ == SOCKETS_MAX) {
        return mu_fail(ret_why, MUTUAL_E_FETCH_FORBIDDEN, "port %u was asked for, or too much",
                       want->port);
    }
    return source_connect_to(&validation->targets, validation->probe.name,
                             &validating->parent->current->world->config->fetch, want, ret_fd,
                             ret_why);
}

void validating_outcome(struct validating *validating, const struct fetch_outcome *outcome)
{
    struct validation *validation = find(validating, outcome->id);
    if (validation != NULL) {
        end(validation, &outcome->error);
    }
}

void validating_lost(struct validating *validating)
{
    for (size_t i = 0; i < AT_ONCE; i++) {
        if (validating->items[i].fetching) {
            fail(&validating->items[i], MUTUAL_E_PROCESS_DIED, "the fetch process ended meanwhile");
        }
    }
}
