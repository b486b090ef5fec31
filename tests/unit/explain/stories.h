/* SPDX-License-Identifier: Apache-2.0
 *
 * The stories that the tests of explain tell: one of each way in which a connection can go.
 */
#ifndef STORIES_H
#define STORIES_H

#include "explain/explain_internal.h"
#include "unit.h"
#include "x509/x509.h"

#define NOW INT64_C(1800000000) /* 2027-01-15T08:00:00Z */

/* A connection with everything it can have; a story points into it. */
struct scene {
    struct mutual_journey journey;
    struct mutual_session_info info;
    struct mutual_chain *chain;
    struct mutual_name names[2];
    struct mutual_grant grant;
    struct mutual_verdict verdict;
    struct mutual_error error;
    struct mu_observed observed;
    struct mu_certs certs;
    struct mu_buf ca_name;
    struct mu_slice ca_names[1];
    struct mutual_story story;
    struct mu_story_view view;
};

static inline void take_steps(struct scene *scene, const char *outcomes)
{
    for (size_t i = 0; outcomes[i] != '\0'; i++) {
        static const char letters[] = "-d/F";
        const char *at = strchr(letters, outcomes[i]);
        assert_non_null(at);
        scene->journey.steps[i + 1].outcome = (enum mutual_outcome)(at - letters);
        scene->journey.steps[i + 1].reached_ns =
            outcomes[i] == '-' ? 0 : (int64_t)(i + 1) * 400 * 1000;
    }
}

static inline void give_chain(struct scene *scene)
{
    struct mutual_error err = {0};
    scene->names[0] = (struct mutual_name){MUTUAL_NAME_SPIFFE, "spiffe://e.org/hr/payroll", 25};
    scene->names[1] = (struct mutual_name){MUTUAL_NAME_DNS, "payroll.e.org", 13};
    const struct mutual_link links[2] = {
        {.serial = {0x0a, 0xbc},
         .serial_len = 2,
         .fingerprint = {0xfe, 0xed},
         .not_before_s = NOW,
         .not_after_s = NOW + 86400},
        {.serial = {1}, .serial_len = 1, .not_before_s = NOW, .not_after_s = NOW + 864000},
    };
    assert_ok(mu_chain_new(links, 2, scene->names, 2, "CN=payroll", "CN=Example Issuer",
                           &scene->chain, &err),
              &err);
    scene->story.chain = scene->chain;
}

static inline void allow(struct scene *scene)
{
    scene->verdict = (struct mutual_verdict){.allowed = true, .until_s = MU_TIME_NEVER_S};
    if (scene->chain != NULL && scene->story.side == MUTUAL_SIDE_SERVER) {
        scene->grant = (struct mutual_grant){.name = "hr-reads",
                                             .owner = "hr-platform",
                                             .why = "HR-1234",
                                             .file = "/etc/mutual/mutual.yaml",
                                             .line = 12};
        scene->verdict.grant = &scene->grant;
        scene->verdict.name = &scene->names[0];
        scene->verdict.until_s = NOW + 86400;
    } else if (scene->chain != NULL) {
        scene->verdict.name = &scene->names[1];
    }
    scene->story.verdict = &scene->verdict;
}

static inline void fail_with(struct scene *scene, enum mutual_code code, const char *reason)
{
    (void)mu_fail(&scene->error, code, "%s", reason);
    scene->story.error = &scene->error;
}

/* What a client saw of a server: a chain of one certificate, and one authority that it asks for. */
static inline void observe(struct scene *scene)
{
    struct mutual_error err = {0};
    MU_AUTO(key) struct mu_key *key = NULL;
    assert_ok(mu_key_generate(MU_SPEC_EC_P256, &key, &err), &err);
    const struct mu_rdn subject = {MU_ATTR_CN, "payments.e.org"};
    const struct mu_cert_template template = {.subject = &subject,
                                              .subject_count = 1,
                                              .not_before_s = NOW - 864000,
                                              .not_after_s = NOW - 86400};
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    assert_ok(mu_cert_sign(&template, key, &cert, &err), &err);
    assert_ok(mu_certs_add(&scene->certs, cert, &err), &err);
    struct mu_slice der = mu_cert_facts(cert)->der;
    scene->observed.certs[0] = (struct mutual_der){der.data, der.len};
    scene->observed.cert_count = 1;
    const struct mu_rdn authority = {MU_ATTR_CN, "Example Issuer 2"};
    mu_buf_init(&scene->ca_name, 256);
    assert_ok(mu_name_build(&authority, 1, &scene->ca_name, &err), &err);
    scene->ca_names[0] = mu_buf_slice(&scene->ca_name);
    scene->observed.ca_names = scene->ca_names;
    scene->observed.ca_name_count = 1;
    scene->observed.cert_requested = true;
    scene->observed.cert_sent = true;
    scene->observed.versions = (struct mu_observed_list){{0x0304, 0x0303}, 2};
    scene->observed.ciphers = (struct mu_observed_list){{0x1301, 0x1302, 0xfafa}, 3};
    scene->observed.groups = (struct mu_observed_list){{0x001d, 0x0017}, 2};
    scene->observed.signatures = (struct mu_observed_list){{0x0403}, 1};
    scene->view.observed = &scene->observed;
}

static inline void speak_tls(struct scene *scene, bool mutual)
{
    scene->info = (struct mutual_session_info){.version = "TLS 1.3",
                                               .cipher = "TLS_AES_128_GCM_SHA256",
                                               .group = "X25519",
                                               .sni = "db.e.org",
                                               .alpn = "postgresql",
                                               .mutual = mutual,
                                               .alert_sent = -1,
                                               .alert_received = -1};
    if (mutual) {
        scene->info.peer_signature = "ecdsa_secp256r1_sha256";
    }
    scene->story.info = &scene->info;
}

/* ---- the stories ----------------------------------------------------------------------------- */

static inline void tell_admitted_mutual(struct scene *s)
{
    speak_tls(s, true);
    give_chain(s);
    allow(s);
    take_steps(s, "ddddddd");
}

static inline void tell_admitted_plain(struct scene *s)
{
    speak_tls(s, false);
    allow(s);
    take_steps(s, "ddd//dd");
}

static inline void tell_admitted_resumed(struct scene *s)
{
    tell_admitted_mutual(s);
    s->info.resumed = true;
    take_steps(s, "d////dd");
}

static inline void tell_not_tls(struct scene *s)
{
    take_steps(s, "F------");
    fail_with(s, MUTUAL_E_NOT_TLS, "the first bytes are not a TLS hello: \"GET / HTTP/1.1\"");
}

static inline void tell_no_cert(struct scene *s)
{
    speak_tls(s, false);
    s->info.alert_sent = 116;
    take_steps(s, "dddF---");
    fail_with(s, MUTUAL_E_NO_CLIENT_CERT, "the client presented no certificate");
}

static inline void tell_unknown_issuer(struct scene *s)
{
    speak_tls(s, false);
    s->info.alert_sent = 48;
    take_steps(s, "ddddF--");
    fail_with(s, MUTUAL_E_UNKNOWN_ISSUER,
              "certificate \"CN=eve\" leads to \"CN=Stranger\", which is not trusted here");
    s->error.step = MUTUAL_STEP_CLIENT_CHECK;
    (void)mu_error_context(&s->error, "trust bundle \"corp\"");
}

static inline void tell_policy_denied(struct scene *s)
{
    speak_tls(s, true);
    give_chain(s);
    take_steps(s, "dddddF-");
    (void)mu_fail(&s->verdict.why, MUTUAL_E_POLICY_DENIED,
                  "no grant lets \"spiffe://e.org/hr/payroll\" reach \"customer-db\"");
    s->story.verdict = &s->verdict;
}

static inline void tell_peer_denied(struct scene *s)
{
    speak_tls(s, true);
    give_chain(s);
    take_steps(s, "dddddF-");
    (void)mu_fail(&s->verdict.why, MUTUAL_E_PEER_DENIED,
                  "spiffe \"spiffe://e.org/hr/payroll\" is denied at /etc/mutual/deny:12 by alice: "
                  "laptop stolen, INC-1234");
    s->story.verdict = &s->verdict;
}

static inline void tell_idle(struct scene *s)
{
    tell_admitted_mutual(s);
    fail_with(s, MUTUAL_E_IDLE_TIMEOUT, "nothing was sent for 10 minutes");
}

static inline void tell_backend_down(struct scene *s)
{
    tell_admitted_mutual(s);
    take_steps(s, "ddddddF");
    fail_with(s, MUTUAL_E_BACKEND_DOWN, "127.0.0.1:5432 refused the connection");
}

static inline void tell_under_way(struct scene *s)
{
    take_steps(s, "-------");
}

static inline void to_the_client(struct scene *s)
{
    s->story.side = MUTUAL_SIDE_CLIENT;
    s->story.service = "payments";
    s->story.peer = "10.0.0.9:8443";
}

static inline void tell_client_admitted(struct scene *s)
{
    to_the_client(s);
    tell_admitted_mutual(s);
}

static inline void tell_client_refused(struct scene *s)
{
    to_the_client(s);
    tell_admitted_mutual(s);
    observe(s);
    take_steps(s, "ddddF--");
    s->info.alert_received = 48;
    fail_with(s, MUTUAL_E_PEER_REFUSED_US, "the server does not know the issuer of \"CN=alice\"");
}

static inline void tell_client_server_expired(struct scene *s)
{
    to_the_client(s);
    speak_tls(s, false);
    observe(s);
    s->observed.cert_sent = false;
    s->observed.ca_name_count = 0;
    s->info.alert_sent = 45;
    take_steps(s, "ddF----");
    fail_with(s, MUTUAL_E_CERT_EXPIRED, "certificate \"CN=payments.e.org\" ended 1 day ago");
    s->error.step = MUTUAL_STEP_SERVER_CHECK;
}

static inline void tell_client_unchecked(struct scene *s)
{
    static const char *const notes[] = {"The server asked for a certificate, and none was given.",
                                        "Give --ca FILE to check the server.", NULL};
    to_the_client(s);
    speak_tls(s, false);
    observe(s);
    s->observed.cert_sent = false;
    s->view.unchecked = true;
    s->view.notes = notes;
    take_steps(s, "dd///--");
}

static const struct {
    const char *name;
    void (*tell)(struct scene *scene);
} stories[] = {
    {"admitted_mutual", tell_admitted_mutual},
    {"admitted_plain", tell_admitted_plain},
    {"admitted_resumed", tell_admitted_resumed},
    {"not_tls", tell_not_tls},
    {"no_client_cert", tell_no_cert},
    {"unknown_issuer", tell_unknown_issuer},
    {"policy_denied", tell_policy_denied},
    {"peer_denied", tell_peer_denied},
    {"ended_idle", tell_idle},
    {"backend_down", tell_backend_down},
    {"under_way", tell_under_way},
    {"client_admitted", tell_client_admitted},
    {"client_unchecked", tell_client_unchecked},
    {"client_refused", tell_client_refused},
    {"client_server_expired", tell_client_server_expired},
};

static inline void open_scene(struct scene *scene, size_t nth)
{
    *scene = (struct scene){0};
    scene->story = (struct mutual_story){.side = MUTUAL_SIDE_SERVER,
                                         .service = "customer-db",
                                         .peer = "10.0.0.7:51234",
                                         .journey = &scene->journey};
    stories[nth].tell(scene);
}

static inline void close_scene(struct scene *scene)
{
    mutual_chain_unref(scene->chain);
    mu_certs_done(&scene->certs);
    mu_buf_done(&scene->ca_name);
}

#endif
