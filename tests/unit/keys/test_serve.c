/* SPDX-License-Identifier: Apache-2.0
 *
 * The key process itself, spoken to by hand: every forbidden request, and a hostile worker that
 * disturbs nobody.
 */
#include <sys/socket.h>
#include <sys/wait.h>

#include "fixture.h"

static struct mutual_error err;
static pid_t pid;
static struct ipc_channel *parent;
static struct mu_key *key;
static const struct keys_scheme scheme = {MU_DIGEST_NONE, KEYS_PADDING_NONE};

static void receive(struct ipc_channel *channel, enum ipc_type type, struct ipc_message *message)
{
    assert_true(ipc_wait(channel, 5000));
    assert_int_equal(ipc_receive(channel, message, &err), IPC_GOT);
    assert_string_equal(ipc_type_name(message->type), ipc_type_name(type));
}

static void load_key(const struct keys_rules *rules)
{
    struct keys_load load = {.number = 1, .name = "web", .rules = *rules};
    MU_AUTO(buf) struct mu_buf payload;
    mu_buf_init(&payload, 10000);
    keys_load_write(&payload, &load);
    int fd = key_fd(key, NULL);
    assert_ok(ipc_send(parent, IPC_MSG_KEY_LOAD, mu_buf_slice(&payload), &fd, 1, &err), &err);
    (void)close(fd);
    struct ipc_message message = {0};
    struct keys_loaded loaded = {0};
    receive(parent, IPC_MSG_KEY_LOADED, &message);
    assert_ok(keys_loaded_read(message.payload, &loaded, &err), &err);
    assert_int_equal(loaded.why.code, MUTUAL_OK);
    assert_true(mu_slice_equal(loaded.spki, mu_key_spki(key)));
}

static int setup(void **state)
{
    (void)state;
    key = new_key(MU_SPEC_ED25519);
    const struct process_spawn what = {.role = &keys_role, .program = "mutual"};
    assert_ok(process_spawn(&what, &pid, &parent, &err), &err);
    struct ipc_message message = {0};
    receive(parent, IPC_MSG_READY, &message);
    const struct keys_rules rules = {.purposes = KEYS_TLS_SERVER};
    load_key(&rules);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    int status = -1;
    ipc_channel_free(parent);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0); /* it ended by itself, whatever it was asked */
    mu_key_unref(key);
    return 0;
}

static struct ipc_channel *add_worker(uint8_t index)
{
    int fds[2];
    struct ipc_channel *worker = NULL;
    const uint8_t who[8] = {0, 0, 0, IPC_WORKER, 0, 0, 0, index};
    assert_ok(ipc_pair(fds, &err), &err);
    assert_ok(ipc_send(parent, IPC_MSG_LINK, mu_slice_of(who, 8), &fds[1], 1, &err), &err);
    (void)close(fds[1]);
    assert_ok(ipc_channel_new(fds[0], IPC_WORKER, IPC_KEYS, &worker, &err), &err);
    return worker;
}

static enum keys_status ask(struct ipc_channel *worker, const struct mu_key *which,
                            struct mu_slice tbs)
{
    struct keys_request request = {.number = 42, .scheme = scheme, .tbs = tbs};
    memcpy(request.id, mu_key_hash(which), KEYS_ID_SIZE);
    MU_AUTO(buf) struct mu_buf payload;
    mu_buf_init(&payload, MU_LIMIT_MESSAGE_BYTES);
    keys_request_write(&payload, &request);
    assert_false(payload.failed);
    assert_ok(ipc_send(worker, IPC_MSG_KEY_SIGN, mu_buf_slice(&payload), NULL, 0, &err), &err);
    struct ipc_message message = {0};
    struct keys_reply reply = {0};
    receive(worker, IPC_MSG_KEY_SIGNED, &message);
    assert_ok(keys_reply_read(message.payload, &reply, &err), &err);
    assert_int_equal(reply.number, 42);
    return reply.status;
}

static struct mu_slice handshake(const char *side)
{
    static uint8_t bytes[98 + 32];
    memset(bytes, ' ', 64);
    (void)snprintf((char *)bytes + 64, 34, "TLS 1.3, %s CertificateVerify", side);
    return mu_slice_of(bytes, sizeof bytes);
}

static void what_the_key_is_for_is_signed(void **state)
{
    (void)state;
    struct ipc_channel *worker = add_worker(0);
    assert_int_equal(ask(worker, key, handshake("server")), KEYS_SIGNED);
    ipc_channel_free(worker);
}

static void assert_journal_refused(void)
{
    struct ipc_message message = {0};
    struct keys_journal entry = {0};
    receive(parent, IPC_MSG_KEY_JOURNAL, &message);
    assert_ok(keys_journal_read(&message, &entry, &err), &err);
    assert_true(entry.refused);
    assert_int_equal(entry.code, MUTUAL_E_KEY_REFUSED);
    assert_int_equal(entry.asker, IPC_WORKER);
    assert_int_equal(entry.asker_index, 3);
}

/* Each refusal is in the journal, and the worker keeps its channel: it may have been misled. */
static void all_else_is_refused(void **state)
{
    (void)state;
    struct ipc_channel *worker = add_worker(3);
    MU_AUTO(key) struct mu_key *issuer_key = new_key(MU_SPEC_ED25519);
    MU_AUTO(cert) struct mu_cert *issuer = self_signed(issuer_key, true);
    const struct mu_cert_template template = leaf(issuer, key);
    MU_AUTO(buf) struct mu_buf tbs;
    mu_buf_init(&tbs, MU_LIMIT_CERT_BYTES);
    assert_ok(mu_cert_build_tbs(&template, MU_SCHEME_ED25519, &tbs, &err), &err);
    static const uint8_t transcript[] = {1, 0, 0, 0, 2, 0, 0, 0, 16, 0, 0, 0};
    static uint8_t largest[MU_LIMIT_MESSAGE_BYTES - KEYS_SIGN_HEAD];
    const struct mu_slice forbidden[] = {handshake("client"),
                                         mu_slice_of(transcript, sizeof transcript),
                                         mu_buf_slice(&tbs),
                                         MU_SLICE_LIT("just some text"),
                                         MU_SLICE_LIT("0123456789abcdef0123456789abcdef"),
                                         mu_slice_of(largest, sizeof largest)};
    for (size_t i = 0; i < MU_COUNT(forbidden); i++) {
        assert_int_equal(ask(worker, key, forbidden[i]), KEYS_REFUSED);
        assert_journal_refused();
    }
    MU_AUTO(key) struct mu_key *stranger = new_key(MU_SPEC_ED25519);
    assert_int_equal(ask(worker, stranger, handshake("server")), KEYS_UNAVAILABLE);
    assert_int_equal(ask(worker, key, handshake("server")), KEYS_SIGNED);
    ipc_channel_free(worker);
}

static void assert_expelled(struct ipc_channel *worker, uint32_t index)
{
    struct ipc_message message = {0};
    receive(parent, IPC_MSG_BROKEN, &message);
    struct ipc_reader reader = ipc_reader_of(message.payload);
    assert_int_equal(ipc_get_u32(&reader), IPC_WORKER);
    assert_int_equal(ipc_get_u32(&reader), index);
    assert_true(ipc_wait(worker, 5000));
    assert_int_equal(ipc_receive(worker, &message, &err), IPC_END);
    ipc_channel_free(worker);
}

static void a_hostile_worker_is_expelled_alone(void **state)
{
    (void)state;
    struct ipc_channel *good = add_worker(0);
    struct ipc_channel *bad = add_worker(1);
    assert_int_equal(send(ipc_channel_fd(bad), "garbage", 7, 0), 7);
    assert_expelled(bad, 1);

    bad = add_worker(1); /* a frame that is whole, with content that is not */
    static const uint8_t nonsense[60];
    assert_ok(ipc_send(bad, IPC_MSG_KEY_SIGN, mu_slice_of(nonsense, 60), NULL, 0, &err), &err);
    assert_expelled(bad, 1);

    bad = add_worker(1); /* a message that only the parent may send: KEY_LOAD */
    uint8_t load[12 + 71] = {'m', 'u', 1, 0, 0, IPC_MSG_KEY_LOAD, 0, 0, 0, 0, 0, 71};
    assert_int_equal(send(ipc_channel_fd(bad), load, sizeof load, 0), (ssize_t)sizeof load);
    assert_expelled(bad, 1);

    assert_int_equal(ask(good, key, handshake("server")), KEYS_SIGNED);
    ipc_channel_free(good);
}

static void who_asks_for_what_is_refused_again_and_again_is_expelled(void **state)
{
    (void)state;
    struct ipc_channel *good = add_worker(0);
    struct ipc_channel *bad = add_worker(3);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(ask(bad, key, MU_SLICE_LIT("just some text")), KEYS_REFUSED);
        assert_journal_refused();
    }
    struct keys_request request = {
        .number = 42, .scheme = scheme, .tbs = MU_SLICE_LIT("just some text")};
    memcpy(request.id, mu_key_hash(key), KEYS_ID_SIZE);
    MU_AUTO(buf) struct mu_buf payload;
    mu_buf_init(&payload, 1000);
    keys_request_write(&payload, &request);
    assert_ok(ipc_send(bad, IPC_MSG_KEY_SIGN, mu_buf_slice(&payload), NULL, 0, &err), &err);
    assert_journal_refused();
    assert_expelled(bad, 3);
    assert_int_equal(ask(good, key, handshake("server")), KEYS_SIGNED);
    ipc_channel_free(good);
}

/* Bytes that the key is for, from the wrong process: only the parent and the authority may ask. */
static void a_worker_never_uses_an_authority(void **state)
{
    (void)state;
    MU_AUTO(cert) struct mu_cert *issuer = self_signed(key, true);
    const struct keys_rules rules = ca_rules(issuer);
    load_key(&rules);
    const struct mu_cert_template template = leaf(issuer, key);
    MU_AUTO(buf) struct mu_buf tbs;
    mu_buf_init(&tbs, MU_LIMIT_CERT_BYTES);
    assert_ok(mu_cert_build_tbs(&template, MU_SCHEME_ED25519, &tbs, &err), &err);
    struct ipc_channel *worker = add_worker(3);
    assert_int_equal(ask(worker, key, mu_buf_slice(&tbs)), KEYS_REFUSED);
    assert_journal_refused();
    ipc_channel_free(worker);
}

static void a_key_can_be_forgotten(void **state)
{
    (void)state;
    struct ipc_channel *worker = add_worker(0);
    assert_ok(ipc_send(parent, IPC_MSG_KEY_FORGET, mu_slice_of(mu_key_hash(key), KEYS_ID_SIZE),
                       NULL, 0, &err),
              &err);
    assert_ok(ipc_send(parent, IPC_MSG_PING, MU_SLICE_LIT("12345678"), NULL, 0, &err), &err);
    struct ipc_message message = {0};
    receive(parent, IPC_MSG_PONG, &message);
    assert_int_equal(ask(worker, key, handshake("server")), KEYS_UNAVAILABLE);
    ipc_channel_free(worker);
}

static void it_tells_what_it_counted(void **state)
{
    (void)state;
    struct ipc_channel *worker = add_worker(3);
    struct keys_figures figures;
    struct ipc_message message = {0};
    MU_AUTO(key) struct mu_key *stranger = new_key(MU_SPEC_ED25519);
    assert_int_equal(ask(worker, key, handshake("server")), KEYS_SIGNED);
    assert_int_equal(ask(worker, key, handshake("server")), KEYS_SIGNED);
    assert_int_equal(ask(worker, key, handshake("client")), KEYS_REFUSED);
    assert_journal_refused();
    assert_int_equal(ask(worker, stranger, handshake("server")), KEYS_UNAVAILABLE);
    assert_ok(ipc_send(parent, IPC_MSG_STATUS_WANTED, MU_SLICE_LIT("\0\0\0\7"), NULL, 0, &err),
              &err);
    receive(parent, IPC_MSG_STATUS, &message);
    struct ipc_reader reader = ipc_reader_of(message.payload);
    assert_int_equal(ipc_get_u32(&reader), 7);
    assert_int_equal(ipc_get_u8(&reader), 1);
    assert_ok(keys_figures_read(&reader, &figures, &err), &err);
    assert_string_equal(keys_purpose_word(0), "tls_server");
    assert_int_equal(figures.made[0], 2);
    assert_true(figures.took_ns[0] > 0);
    assert_int_equal(figures.made[1] + figures.made[2] + figures.made[3] + figures.made[4], 0);
    assert_int_equal(figures.refused, 1);
    assert_int_equal(figures.unavailable, 1);
    ipc_channel_free(worker);
}

static void it_ends_when_drained(void **state)
{
    (void)state;
    assert_ok(ipc_send(parent, IPC_MSG_DRAIN, MU_SLICE_LIT("\0\0\0\0"), NULL, 0, &err), &err);
    assert_true(ipc_wait(parent, 5000));
    struct ipc_message message = {0};
    assert_int_equal(ipc_receive(parent, &message, &err), IPC_END);
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)
KEYS_MAIN(CASE(what_the_key_is_for_is_signed), CASE(all_else_is_refused),
          CASE(a_hostile_worker_is_expelled_alone),
          CASE(who_asks_for_what_is_refused_again_and_again_is_expelled),
          CASE(a_worker_never_uses_an_authority), CASE(a_key_can_be_forgotten),
          CASE(it_tells_what_it_counted), CASE(it_ends_when_drained))
