/* SPDX-License-Identifier: Apache-2.0
 *
 * Two servers, one with our record layer and one with OpenSSL's, are sent the same: records with
 * the same content, damaged in the same way, in the same pieces. They must hear the same, fail in
 * the same words with the same alert, and what each writes must open by the other's means. A script
 * of bytes says what is sent. Records are made by our sealer for both, opened by our opener from
 * both; the client of ours is OpenSSL.
 *
 * One rule is ours alone and left out here: padding beyond 2^14 + 1 bytes, which OpenSSL takes.
 */
#ifndef TESTS_SUPPORT_RECORD_DUEL_H
#define TESTS_SUPPORT_RECORD_DUEL_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "identity/identity.h"
#include "pki.h"
#include "session/channel_internal.h"
#include "trust/trust.h"

enum {
    DUEL_STEPS = 30,       /* below what either takes for a flood */
    DUEL_CANCELS = 4,      /* OpenSSL takes no more user_canceled */
    DUEL_WINDOW = 1u << 17 /* the widest window on the wire       */
};

struct duel_world {
    struct mutual_rules server_rules, client_rules;
    struct mutual_context *servers[2], *client; /* servers: ours, OpenSSL's */
    struct mu_records *records;
    bool tickets;
};

/* One server with its client, and the client's pen. */
struct duel_end {
    struct mutual_session *server, *client;
    struct mu_buf to_server, to_client;
    struct mu_direction out, in;
    uint16_t suite;
    struct mu_buf heard, said; /* data from the pen to the server, and back */
    enum mutual_io io;
    struct mutual_error err;
};

struct duel {
    struct duel_end ends[2];
    struct mu_slice script;
    size_t width; /* of the windows on the wire */
    uint8_t inner[MU_RECORD_PLAIN + 1];
    unsigned cancels;
    bool over;
};

/* ---- making them ----------------------------------------------------------------------------- */

static struct duel_end *duel_secrets; /* whose handshake is under way */

static void duel_read_secret(const char *text, uint8_t out[48])
{
    for (size_t i = 0; i < 48 && text[2 * i] != '\0'; i++) {
        const char pair[3] = {text[2 * i], text[2 * i + 1], '\0'};
        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
}

static void duel_keylog(const SSL *ssl, const char *line)
{
    (void)ssl;
    const char *secret = strrchr(line, ' ') + 1;
    if (strncmp(line, "CLIENT_TRAFFIC_SECRET_0 ", 24) == 0) {
        duel_read_secret(secret, duel_secrets->out.secret);
    } else if (strncmp(line, "SERVER_TRAFFIC_SECRET_0 ", 24) == 0) {
        duel_read_secret(secret, duel_secrets->in.secret);
    }
}

static int64_t duel_clock(void *context)
{
    (void)context;
    return PKI_NOW_S;
}

static struct mutual_context *duel_context(const struct mutual_rules *rules,
                                           struct mutual_identity *identity, bool library)
{
    struct mutual_context *context = NULL;
    const struct mutual_context_options options = {
        .rules = rules,
        .identities = &identity,
        .identity_count = identity == NULL ? 0 : 1,
        .server_name = rules->side == MUTUAL_SIDE_CLIENT ? "db.example.org" : NULL,
        .library_records = library,
        .clock_s = duel_clock,
    };
    bool made = mutual_context_new(&options, &context, NULL);
    mu_assert(made);
    return context;
}

static struct duel_world *duel_world(void)
{
    static struct duel_world world;
    static struct mutual_pattern *expect;
    if (world.client != NULL) {
        return &world;
    }
    struct pki *root = pki_root("Root");
    struct pki *leaf = pki_issue(root, (struct pki_leaf){.dns = "db.example.org"});
    struct mutual_trust *trust = mutual_trust_new("duel");
    struct mutual_identity *identity = NULL;
    const char *pem = pki_pem(root);
    bool made = mutual_trust_add_pem(trust, pem, strlen(pem), NULL) &&
                mutual_trust_freeze(trust, NULL) &&
                mu_identity_new(&leaf->cert, 1, leaf->key, &identity, NULL) &&
                mutual_pattern_parse(MUTUAL_NAME_DNS, "db.example.org", &expect, NULL);
    mu_assert(made);
    world.server_rules = (struct mutual_rules){
        .side = MUTUAL_SIDE_SERVER, .mode = MUTUAL_MODE_NONE, .service = "duel"};
    world.client_rules = (struct mutual_rules){.side = MUTUAL_SIDE_CLIENT,
                                               .service = "duel",
                                               .trust = trust,
                                               .expect = &expect,
                                               .expect_count = 1};
    world.servers[0] = duel_context(&world.server_rules, identity, false);
    world.servers[1] = duel_context(&world.server_rules, identity, true);
    world.client = duel_context(&world.client_rules, NULL, true);
    SSL_CTX_set_keylog_callback(world.client->ssl, duel_keylog);
    world.records = mu_records_new(NULL);
    mu_assert(world.records != NULL);
    return &world;
}

/* One call into a session; moves what crosses the wire. */
static enum mutual_io duel_call(struct duel_end *end, bool server,
                                enum mutual_io (*call)(struct mutual_session *session,
                                                       struct mutual_wire *wire,
                                                       struct mutual_error *err))
{
    static uint8_t out[DUEL_WINDOW];
    struct mu_buf *from = server ? &end->to_server : &end->to_client;
    struct mu_buf *to = server ? &end->to_client : &end->to_server;
    struct mutual_wire wire = {
        .in = from->data, .in_len = from->len, .out = out, .out_cap = sizeof out};
    enum mutual_io io = call(server ? end->server : end->client, &wire, &end->err);
    mu_buf_consume(from, from->len - wire.in_len);
    bool kept = mu_buf_append(to, out, wire.out_len);
    mu_assert(kept);
    return io;
}

static void duel_open(struct duel_world *world, struct duel_end *end, size_t which,
                      const char *suite)
{
    bool set = SSL_CTX_set_ciphersuites(world->client->ssl, suite) == 1;
    end->server = mutual_session_new(world->servers[which], NULL);
    end->client = mutual_session_new(world->client, NULL);
    mu_assert(set && end->server != NULL && end->client != NULL);
    for (struct mu_buf *buf = &end->to_server; buf != NULL;
         buf = buf == &end->to_server ? &end->to_client : NULL) {
        mu_buf_init(buf, DUEL_WINDOW);
    }
    mu_buf_init(&end->heard, 1u << 20);
    mu_buf_init(&end->said, 1u << 20);
    duel_secrets = end;
    enum mutual_io client = MUTUAL_IO_WANT_READ;
    enum mutual_io server = MUTUAL_IO_WANT_READ;
    while (client != MUTUAL_IO_DONE || server != MUTUAL_IO_DONE) {
        client = duel_call(end, false, mutual_session_handshake);
        server = duel_call(end, true, mutual_session_handshake);
        mu_assert(client != MUTUAL_IO_FAILED && server != MUTUAL_IO_FAILED);
    }
    bool in = mutual_session_admit(end->server, PKI_NOW_S)->allowed &&
              mutual_session_admit(end->client, PKI_NOW_S)->allowed;
    end->suite = SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(end->client->ssl));
    mu_assert(in && mu_direction_key(world->records, end->suite, &end->out) &&
              mu_direction_key(world->records, end->suite, &end->in));
    end->io = MUTUAL_IO_WANT_READ;
}

static void duel_end_done(struct duel_end *end)
{
    mutual_session_free(end->server);
    mutual_session_free(end->client);
    mu_buf_done(&end->to_server);
    mu_buf_done(&end->to_client);
    mu_buf_done(&end->heard);
    mu_buf_done(&end->said);
}

/* ---- what crosses the wire ------------------------------------------------------------------- */

/* The server reads all that lies before it, window by window. */
static void duel_hear(const struct duel *duel, struct duel_end *end)
{
    static uint8_t data[DUEL_WINDOW], out[DUEL_WINDOW];
    size_t at = 0;
    bool stuck = false;
    while (!stuck && end->io != MUTUAL_IO_FAILED && end->io != MUTUAL_IO_END) {
        size_t left = end->to_server.len - at;
        size_t width = left < duel->width ? left : duel->width;
        struct mutual_wire wire = {
            .in = end->to_server.data + at, .in_len = width, .out = out, .out_cap = sizeof out};
        size_t len = 0;
        end->io = mutual_session_read(end->server, &wire, data, sizeof data, &len, &end->err);
        at += width - wire.in_len;
        bool kept = mu_buf_append(&end->heard, data, end->io == MUTUAL_IO_DONE ? len : 0) &&
                    mu_buf_append(&end->to_client, out, wire.out_len);
        mu_assert(kept);
        stuck = end->io == MUTUAL_IO_WANT_READ && at == end->to_server.len;
    }
    mu_buf_clear(&end->to_server);
}

/* Takes apart what the server wrote, with our opener. */
static void duel_take(struct duel_world *world, struct duel_end *end)
{
    static uint8_t inner[MU_RECORD_CIPHER];
    size_t at = 0;
    while (at < end->to_client.len) {
        const uint8_t *head = end->to_client.data + at;
        size_t len = MU_RECORD_HEAD + mu_get_be16(head + 3);
        bool opened =
            at + len <= end->to_client.len &&
            mu_record_open(world->records, end->suite, &end->in, mu_slice_of(head, len), inner);
        mu_assert(opened);
        size_t content = len - MU_RECORD_EXTRA;
        if (inner[content] == MU_CONTENT_HANDSHAKE) {
            bool update = content == 5 && memcmp(inner, "\x18\0\0\1\0", 5) == 0 &&
                          mu_direction_update(world->records, end->suite, &end->in);
            mu_assert(update);
        } else if (inner[content] == MU_CONTENT_DATA) {
            bool kept = mu_buf_append(&end->said, inner, content);
            mu_assert(kept);
        } else {
            mu_assert(inner[content] == MU_CONTENT_ALERT && content == 2);
        }
        at += len;
    }
}

/* The same, by the client's library, which must come to the same data. */
static void duel_client_hears(struct duel_end *end, size_t before)
{
    static uint8_t data[DUEL_WINDOW];
    size_t heard = before;
    enum mutual_io io = MUTUAL_IO_DONE;
    while (io == MUTUAL_IO_DONE) {
        size_t len = 0;
        struct mutual_wire wire = {.in = end->to_client.data, .in_len = end->to_client.len};
        struct mutual_error err;
        io = mutual_session_read(end->client, &wire, data, sizeof data, &len, &err);
        mu_buf_consume(&end->to_client, end->to_client.len - wire.in_len);
        if (io == MUTUAL_IO_DONE) {
            mu_assert(heard + len <= end->said.len &&
                      memcmp(end->said.data + heard, data, len) == 0);
            heard += len;
        }
    }
    mu_assert(heard == end->said.len);
    mu_buf_clear(&end->to_client);
}

static void duel_compare(struct duel *duel, struct duel_world *world)
{
    struct mutual_session_info infos[2];
    for (size_t i = 0; i < 2; i++) {
        size_t before = duel->ends[i].said.len;
        duel_hear(duel, &duel->ends[i]);
        duel_take(world, &duel->ends[i]);
        duel_client_hears(&duel->ends[i], before);
        mutual_session_info(duel->ends[i].server, &infos[i]);
    }
    const struct duel_end *ours = &duel->ends[0];
    const struct duel_end *theirs = &duel->ends[1];
    bool same = mu_slice_equal(mu_buf_slice(&ours->heard), mu_buf_slice(&theirs->heard)) &&
                ours->io == theirs->io &&
                (ours->io != MUTUAL_IO_FAILED || ours->err.code == theirs->err.code) &&
                infos[0].alert_sent == infos[1].alert_sent &&
                infos[0].alert_received == infos[1].alert_received;
    for (size_t i = 0; i < 2 && !same; i++) {
        (void)fprintf(stderr, "%s: %zu bytes, %d, alerts %d %d, %s\n", i == 0 ? "ours" : "theirs",
                      duel->ends[i].heard.len, (int)duel->ends[i].io, infos[i].alert_sent,
                      infos[i].alert_received, duel->ends[i].err.reason);
    }
    mu_assert(same);
    duel->over = ours->io == MUTUAL_IO_FAILED || ours->io == MUTUAL_IO_END;
}

/* ---- the script ------------------------------------------------------------------------------ */

static uint8_t duel_byte(struct duel *duel)
{
    if (duel->script.len == 0) {
        return 0;
    }
    duel->script.len--;
    return *duel->script.data++;
}

/* A record for each: `len` bytes of duel->inner and the type, or zeros behind for padding. */
static void duel_seal(struct duel *duel, struct duel_world *world, uint8_t type, size_t len)
{
    static uint8_t sealed[MU_RECORD_MAX];
    for (size_t i = 0; i < 2; i++) {
        struct duel_end *end = &duel->ends[i];
        bool made =
            mu_record_seal(world->records, end->suite, &end->out, type, duel->inner, len, sealed) &&
            mu_buf_append(&end->to_server, sealed, len + MU_RECORD_EXTRA);
        mu_assert(made);
    }
}

static size_t duel_content(struct duel *duel, size_t cap)
{
    size_t len = (size_t)duel_byte(duel) * duel_byte(duel);
    len = len < cap ? len : cap;
    for (size_t i = 0; i < len; i++) {
        duel->inner[i] = (uint8_t)(len + i * 7);
    }
    return len;
}

static void duel_pad(struct duel *duel, struct duel_world *world, uint8_t type, size_t len)
{
    size_t padding = duel_byte(duel) * 7u;
    size_t room = MU_RECORD_PLAIN - len;
    padding = padding < room ? padding : room;
    duel->inner[len] = type;
    memset(duel->inner + len + 1, 0, padding);
    duel_seal(duel, world, padding > 0 ? 0 : type, len + padding);
}

static void duel_data(struct duel *duel, struct duel_world *world)
{
    duel_seal(duel, world, MU_CONTENT_DATA, duel_content(duel, MU_RECORD_PLAIN));
}

static void duel_padded(struct duel *duel, struct duel_world *world)
{
    uint8_t type = duel_byte(duel) % 8 == 0 ? duel_byte(duel) : MU_CONTENT_DATA;
    duel_pad(duel, world, type, duel_content(duel, MU_RECORD_PLAIN - 1));
}

static void duel_update(struct duel *duel, struct duel_world *world)
{
    const uint8_t message[5] = {24, 0, 0, 1, duel_byte(duel) & 1};
    memcpy(duel->inner, message, sizeof message);
    size_t cut = duel_byte(duel) % 8; /* often whole */
    if (cut > 0 && cut < 5) {
        duel_seal(duel, world, MU_CONTENT_HANDSHAKE, cut);
        memcpy(duel->inner, message + cut, 5 - cut);
        duel_seal(duel, world, MU_CONTENT_HANDSHAKE, 5 - cut);
    } else {
        duel_seal(duel, world, MU_CONTENT_HANDSHAKE, 5);
    }
    for (size_t i = 0; i < 2; i++) {
        bool made = mu_direction_update(world->records, duel->ends[i].suite, &duel->ends[i].out);
        mu_assert(made);
    }
}

/* Both servers write the same. */
static void duel_write(struct duel *duel, size_t len, size_t cap)
{
    static uint8_t out[DUEL_WINDOW];
    for (size_t i = 0; i < 2; i++) {
        struct duel_end *end = &duel->ends[i];
        for (size_t done = 0; done < len;) {
            size_t more = 0;
            struct mutual_wire wire = {.out = out, .out_cap = cap};
            enum mutual_io io = mutual_session_write(end->server, &wire, duel->inner + done,
                                                     len - done, &more, &end->err);
            bool kept = mu_buf_append(&end->to_client, out, wire.out_len);
            mu_assert(kept && (io == MUTUAL_IO_DONE || io == MUTUAL_IO_WANT_WRITE));
            done += more;
        }
    }
}

static void duel_answer(struct duel *duel, struct duel_world *world)
{
    size_t len = duel_content(duel, sizeof duel->inner);
    (void)world;
    duel_write(duel, len, MU_RECORD_MAX + duel_byte(duel) * 100u);
}

/* A few bytes of the script as a message or an alert; one that cancels is counted. OpenSSL looks at
 * no message while it owes a key update, so that is let out before. */
static void duel_odd(struct duel *duel, struct duel_world *world)
{
    uint8_t type = duel_byte(duel) % 2 == 0 ? MU_CONTENT_HANDSHAKE : MU_CONTENT_ALERT;
    duel_write(duel, 1, MU_RECORD_MAX);
    size_t len = duel_byte(duel) % 7;
    for (size_t i = 0; i < len; i++) {
        duel->inner[i] = duel_byte(duel);
    }
    if (type == MU_CONTENT_ALERT && len == 2 && duel->inner[1] == SSL_AD_USER_CANCELLED &&
        ++duel->cancels > DUEL_CANCELS) {
        return;
    }
    duel_seal(duel, world, type, len);
}

static void duel_raw(struct duel *duel, struct duel_world *world)
{
    uint8_t bytes[16] = {20, 3, 3, 0, 1, 1};
    size_t len = duel_byte(duel) % sizeof bytes;
    (void)world;
    for (size_t i = 0; i < len; i++) {
        bytes[i] = i < 3 && duel_byte(duel) % 2 == 0 ? bytes[i] : duel_byte(duel);
    }
    for (size_t i = 0; i < 2; i++) {
        bool kept = mu_buf_append(&duel->ends[i].to_server, bytes, len);
        mu_assert(kept);
    }
}

/* Damages the record that is sealed next. */
static void duel_damage(struct duel *duel, struct duel_world *world)
{
    size_t before = duel->ends[0].to_server.len;
    duel_data(duel, world);
    size_t len = duel->ends[0].to_server.len - before;
    size_t place = before + (duel_byte(duel) * 256u + duel_byte(duel)) % len;
    uint8_t bit = (uint8_t)(1u << duel_byte(duel) % 8);
    duel->ends[0].to_server.data[place] ^= bit;
    duel->ends[1].to_server.data[place] ^= bit;
}

/* A record again, or one left out. */
static void duel_disorder(struct duel *duel, struct duel_world *world)
{
    uint64_t by = duel_byte(duel) % 3;
    for (size_t i = 0; i < 2; i++) {
        duel->ends[i].out.count += by == 2 && duel->ends[i].out.count > 0 ? UINT64_MAX : by;
    }
    duel_data(duel, world);
}

static void duel_width(struct duel *duel, struct duel_world *world)
{
    static const size_t widths[] = {DUEL_WINDOW, 1, 2, 5, 23, 300, 17000};
    (void)world;
    duel->width = widths[duel_byte(duel) % MU_COUNT(widths)];
}

static void duel_run(const uint8_t *script, size_t len)
{
    static void (*const steps[])(struct duel *, struct duel_world *) = {
        duel_data, duel_padded, duel_update,   duel_answer, duel_width, duel_data,
        duel_odd,  duel_damage, duel_disorder, duel_raw,    duel_answer};
    static const char *const suites[] = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                         "TLS_CHACHA20_POLY1305_SHA256"};
    static struct duel duel;
    struct duel_world *world = duel_world();
    memset(&duel, 0, sizeof duel);
    duel.script = mu_slice_of(script, len);
    duel.width = DUEL_WINDOW;
    const char *suite = suites[duel_byte(&duel) % MU_COUNT(suites)];
    for (size_t i = 0; i < 2; i++) {
        duel_open(world, &duel.ends[i], i, suite);
    }
    for (unsigned step = 0; step < DUEL_STEPS && duel.script.len > 0 && !duel.over; step++) {
        steps[duel_byte(&duel) % MU_COUNT(steps)](&duel, world);
        duel_compare(&duel, world);
    }
    duel_end_done(&duel.ends[0]);
    duel_end_done(&duel.ends[1]);
}

#endif
