/* SPDX-License-Identifier: Apache-2.0
 *
 * The status of a parent that serves nothing yet.
 */
#include "gateway/fetching_internal.h"
#include "whole.h"

static bool no_start(void *owner, const struct supervised *child, struct mu_buf *setup, int *fds,
                     size_t *fd_count, struct mutual_error *err)
{
    (void)owner;
    (void)child;
    (void)setup;
    (void)fds;
    (void)fd_count;
    return mu_fail(err, MUTUAL_E_PROCESS_DIED, "no children in this test");
}

static void before_anything_is_served(void **state)
{
    (void)state;
    static const struct supervisor_hooks hooks = {.start = no_start};
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 65536);
    struct parent *parent = mu_alloc(1, sizeof *parent);
    assert_ok(reactor_new(&parent->reactor, &err), &err);
    struct supervisor_options options = {
        .reactor = parent->reactor, .hooks = &hooks, .program = "test"};
    assert_ok(supervisor_new(&options, &parent->supervisor, &err), &err);
    parent->fetching = fetching_new(parent);
    assert_non_null(parent->fetching);
    assert_string_equal(status_unready(parent), "starting");
    parent->reload = (struct reload){.count = 1, .at_s = 1, .ok = false};
    (void)mu_fail(&parent->reload.why, MUTUAL_E_RELOAD_REFUSED, "because");
    status_json(parent, &out);
    assert_non_null(strstr(mu_buf_str(&out), "\"ok\":false"));
    assert_non_null(strstr(mu_buf_str(&out), "\"code\":\"RELOAD_REFUSED\""));
    assert_non_null(strstr(mu_buf_str(&out), "\"services\":[]"));
    assert_non_null(strstr(mu_buf_str(&out), "\"fetched\":[]"));
    parent->stopping = true;
    assert_string_equal(status_unready(parent), "stopping");
    fetching_free(parent->fetching);
    supervisor_free(parent->supervisor);
    reactor_free(parent->reactor);
    mu_free(parent);
}

static void an_expired_certificate_is_no_readiness(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf status;
    struct mutual_error err = {0};
    mu_buf_init(&status, 1u << 20);
    const struct pki *old = pki_issue(whole.root, (struct pki_leaf){.dns = "localhost",
                                                                    .not_before = 86400,
                                                                    .not_after = 2 * 86400,
                                                                    .server = true});
    whole_write("server.pem", pki_chain_pem(old), 0644);
    whole_write("server.key", pki_key_pem(old), 0600);
    whole_start("\"ready\"");
    assert_ok(gateway_status_read(whole.control, &status, &err), &err);
    assert_non_null(strstr(mu_buf_str(&status), "a certificate has expired"));
    assert_non_null(strstr(mu_buf_str(&status), "\"not_after\":\"1970-01-03T00:00:00Z\""));
}

WHOLE_MAIN(UNIT_CASE(before_anything_is_served), WHOLE_CASE(an_expired_certificate_is_no_readiness))
