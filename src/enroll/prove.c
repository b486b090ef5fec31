/* SPDX-License-Identifier: Apache-2.0
 *
 * Is a new certificate good enough to take the old one's place? Its facts are compared, and it goes
 * through real handshakes in memory, in each role that it is for, with a peer made for the moment
 * who believes what peers believe today.
 */
#include <mutual/admission.h>
#include <mutual/policy.h>
#include <mutual/session.h>

#include "enroll/enroll_internal.h"
#include "identity/identity.h"

#include <stdio.h>
#include <string.h>

enum { WIRE_BYTES = 65536, ROUNDS_MAX = 64, PEER_LIFE_S = 600, CLOCK_SKEW_S = 300 };

#define PEER_NAME "peer.invalid"

/* ---- facts -------------------------------------------------------------------------------------
 */

static bool has_name(const struct mu_cert_facts *cert, const struct mu_gname *name)
{
    for (size_t i = 0; i < cert->name_count; i++) {
        if (cert->names[i].type == name->type &&
            mu_slice_equal(cert->names[i].bytes, name->bytes)) {
            return true;
        }
    }
    return false;
}

static bool fail_unfit(struct mutual_error *err, const char *why)
{
    return mu_fail(err, MUTUAL_E_RENEWAL_UNFIT, "the new certificate %s", why);
}

static bool compare(const struct mu_cert_facts *old, const struct mu_cert_facts *fresh, bool later,
                    int64_t now_s, struct mutual_error *err)
{
    for (size_t i = 0; i < old->name_count; i++) {
        if (!has_name(fresh, &old->names[i])) {
            return fail_unfit(err, "lacks a name that the old one has");
        }
    }
    if (fresh->name_count > old->name_count) {
        return fail_unfit(err, "has a name that the old one has not");
    }
    if (!mu_slice_equal(old->subject_canon, fresh->subject_canon)) {
        return fail_unfit(err, "has another subject");
    }
    if (fresh->not_after_s < old->not_after_s ||
        (later && fresh->not_after_s == old->not_after_s)) {
        return fail_unfit(err, "does not end later than the old one");
    }
    if (fresh->not_before_s > now_s) {
        return fail_unfit(err, "is not valid yet");
    }
    if (old->has_eku && fresh->has_eku && (old->eku & ~fresh->eku) != 0) {
        return fail_unfit(err, "lacks a purpose that the old one has");
    }
    return true;
}

/* ---- a peer for the moment ---------------------------------------------------------------------
 */

struct peer {
    struct mutual_identity *identity;
    struct mutual_trust *trust;
    struct mutual_policy *policy;
};

static void peer_done(struct peer *peer)
{
    mutual_identity_unref(peer->identity);
    mutual_trust_unref(peer->trust);
    mutual_policy_unref(peer->policy);
}

static bool make_certificate(const struct mu_cert *issuer, const struct mu_key *issuer_key,
                             const struct mu_key *key, int64_t now_s, struct mu_cert **ret_cert,
                             struct mutual_error *err)
{
    static const struct mu_rdn root[] = {{MU_ATTR_CN, "made to prove a renewal"}};
    static const struct mu_rdn leaf[] = {{MU_ATTR_CN, PEER_NAME}};
    const struct mu_gname name = {.type = MU_GNAME_DNS, .bytes = MU_SLICE_LIT(PEER_NAME)};
    const struct mu_cert_template template = {
        .subject = issuer == NULL ? root : leaf,
        .subject_count = 1,
        .issuer = issuer,
        .not_before_s = now_s - CLOCK_SKEW_S,
        .not_after_s = now_s + PEER_LIFE_S,
        .spki = issuer == NULL ? mu_slice_of(NULL, 0) : mu_key_spki(key),
        .names = issuer == NULL ? NULL : &name,
        .name_count = issuer == NULL ? 0 : 1,
        .ca = issuer == NULL,
        .key_usage = issuer == NULL ? MU_KU_KEY_CERT_SIGN : MU_KU_DIGITAL_SIGNATURE,
        .eku = issuer == NULL ? 0 : MU_EKU_SERVER | MU_EKU_CLIENT,
    };
    return mu_cert_sign(&template, issuer_key, ret_cert, err);
}

static bool make_peer(int64_t now_s, struct peer *peer, struct mutual_error *err)
{
    MU_AUTO(key) struct mu_key *root_key = NULL;
    MU_AUTO(key) struct mu_key *key = NULL;
    MU_AUTO(cert) struct mu_cert *root = NULL;
    MU_AUTO(cert) struct mu_cert *leaf = NULL;
    MU_AUTO(buf) struct mu_buf pem;
    mu_buf_init(&pem, 1u << 16);
    if (!mu_key_generate(MU_SPEC_EC_P256, &root_key, err) ||
        !mu_key_generate(MU_SPEC_EC_P256, &key, err) ||
        !make_certificate(NULL, root_key, root_key, now_s, &root, err) ||
        !make_certificate(root, root_key, key, now_s, &leaf, err) ||
        !mu_identity_new(&leaf, 1, key, &peer->identity, err)) {
        return false;
    }
    mu_cert_to_pem(root, &pem);
    peer->trust = mutual_trust_new("the peer's");
    peer->policy = mutual_policy_new();
    if (pem.failed || peer->trust == NULL || peer->policy == NULL) {
        return mu_fail_memory(err);
    }
    return mutual_trust_add_pem(peer->trust, mu_buf_str(&pem), pem.len, err) &&
           mutual_trust_freeze(peer->trust, err) && mutual_policy_freeze(peer->policy, err);
}

/* ---- handshakes --------------------------------------------------------------------------------
 */

struct end {
    struct mutual_rules rules;
    struct mutual_context *context;
    struct mutual_session *session;
    enum mutual_io io;
    struct mutual_error why;
    uint8_t out[WIRE_BYTES]; /* on its way to the other */
    size_t out_len;
};

static int64_t clock_of(void *context)
{
    return *(const int64_t *)context;
}

static bool end_begin(struct end *end, struct mutual_identity *identity, const char *server_name,
                      int64_t *now_s, struct mutual_error *err)
{
    const struct mutual_context_options options = {.rules = &end->rules,
                                                   .identities = &identity,
                                                   .identity_count = 1,
                                                   .server_name = server_name,
                                                   .library_records = true,
                                                   .clock_s = clock_of,
                                                   .clock_context = now_s};
    end->io = MUTUAL_IO_WANT_READ;
    return mutual_context_new(&options, &end->context, err) &&
           (end->session = mutual_session_new(end->context, err)) != NULL;
}

static void end_done(struct end *end)
{
    mutual_session_free(end->session);
    mutual_context_unref(end->context);
    mu_free(end);
}

/* Lets `end` have what the other said, and go on. */
static void move(struct end *end, struct end *from)
{
    struct mutual_wire wire = {.in = from->out,
                               .in_len = from->out_len,
                               .out = end->out,
                               .out_len = end->out_len,
                               .out_cap = WIRE_BYTES};
    if (end->io != MUTUAL_IO_DONE && end->io != MUTUAL_IO_FAILED) {
        end->io = mutual_session_handshake(end->session, &wire, &end->why);
        memmove(from->out, wire.in, wire.in_len);
        from->out_len = wire.in_len;
        end->out_len = wire.out_len;
    }
}

/* Whoever validates the new certificate has to find it good, and the other end must not give up:
 * that is the end whose error names what is wrong with it. */
static bool shake(struct end *judge, struct end *fresh, struct mutual_error *err)
{
    for (int i = 0; i < ROUNDS_MAX; i++) {
        move(judge, fresh);
        move(fresh, judge);
    }
    const struct end *bad = judge->io == MUTUAL_IO_FAILED   ? judge
                            : fresh->io == MUTUAL_IO_FAILED ? fresh
                                                            : NULL;
    if (bad != NULL) {
        *err = bad->why;
        return mu_error_context(err, "a handshake in memory with the new certificate");
    }
    return (judge->io == MUTUAL_IO_DONE && fresh->io == MUTUAL_IO_DONE) ||
           fail_unfit(err, "does not come to the end of a handshake");
}

/* The first of its names that a client could expect; of a wildcard a host below it. */
static bool expect_of(struct mutual_identity *identity, struct mutual_pattern **ret_expect,
                      char host[256], struct mutual_error *err)
{
    size_t count = 0;
    const struct mutual_name *names = mutual_identity_names(identity, &count);
    for (size_t i = 0; i < count; i++) {
        const char *text = names[i].text;
        bool dns = names[i].type == MUTUAL_NAME_DNS;
        bool wild = dns && mu_text_starts(text, "*.");
        (void)snprintf(host, 256, "%s%s", wild ? "peer" : "", wild ? text + 1 : dns ? text : "");
        if (names[i].type != MUTUAL_NAME_CN &&
            mutual_pattern_parse(names[i].type, dns ? host : text, ret_expect, NULL)) {
            return true;
        }
    }
    return mu_fail(err, MUTUAL_E_RENEWAL_UNFIT,
                   "the new certificate has no name that anybody could expect");
}

static bool prove_role(struct mutual_identity *identity, const struct peer *peer,
                       const struct mutual_trust *live, bool as_server, int64_t now_s,
                       struct mutual_error *err)
{
    struct mutual_pattern *expect = NULL;
    char host[256] = PEER_NAME;
    struct end *judge = mu_alloc(1, sizeof *judge);
    struct end *fresh = mu_alloc(1, sizeof *fresh);
    bool ok = (judge != NULL && fresh != NULL) || mu_fail_memory(err);
    ok = ok && (as_server ? expect_of(identity, &expect, host, err)
                          : mutual_pattern_parse(MUTUAL_NAME_DNS, PEER_NAME, &expect, err));
    if (ok) {
        judge->rules = (struct mutual_rules){
            .side = as_server ? MUTUAL_SIDE_CLIENT : MUTUAL_SIDE_SERVER,
            .service = "the new certificate",
            .trust = live,
            .policy = as_server ? NULL : peer->policy,
            .expect = as_server ? &expect : NULL,
            .expect_count = as_server ? 1 : 0,
        };
        fresh->rules = (struct mutual_rules){
            .side = as_server ? MUTUAL_SIDE_SERVER : MUTUAL_SIDE_CLIENT,
            .service = "the peer",
            .trust = peer->trust,
            .policy = as_server ? peer->policy : NULL,
            .expect = as_server ? NULL : &expect,
            .expect_count = as_server ? 0 : 1,
        };
        const char *name = host[0] == '\0' ? NULL : host;
        ok = end_begin(judge, peer->identity, as_server ? name : NULL, &now_s, err) &&
             end_begin(fresh, identity, as_server ? NULL : name, &now_s, err) &&
             shake(judge, fresh, err);
    }
    if (judge != NULL) {
        end_done(judge);
    }
    if (fresh != NULL) {
        end_done(fresh);
    }
    mutual_pattern_free(expect);
    return ok;
}

bool enroll_prove(const struct enroll_triple *old, const struct enroll_triple *fresh,
                  const struct mutual_trust *live, bool later, int64_t now_s,
                  struct mutual_error *err)
{
    MU_AUTO(identity) struct mutual_identity *identity = NULL;
    const struct mu_cert_facts *leaf = mu_cert_facts(fresh->chain.items[0]);
    struct peer peer = {0};
    if (!compare(mu_cert_facts(old->chain.items[0]), leaf, later, now_s, err) ||
        !mu_identity_new(fresh->chain.items, fresh->chain.count, fresh->key, &identity, err)) {
        return false;
    }
    bool server = !leaf->has_eku || (leaf->eku & MU_EKU_SERVER) != 0;
    bool client = !leaf->has_eku || (leaf->eku & MU_EKU_CLIENT) != 0;
    bool ok = server || client || fail_unfit(err, "is for no role in TLS");
    ok = ok && make_peer(now_s, &peer, err) &&
         (!server || prove_role(identity, &peer, live, true, now_s, err)) &&
         (!client || prove_role(identity, &peer, live, false, now_s, err));
    peer_done(&peer);
    return ok;
}
