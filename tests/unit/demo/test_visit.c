/* SPDX-License-Identifier: Apache-2.0
 *
 * A visitor with TLS at a port that does not speak it is told so, and notices when it is closed on.
 * Visits to the real gateway are the demo itself (mutual demo --check).
 */
#include "demo/demo.h"
#include "pki.h"
#include "unit.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static void tls_at_a_plain_port_is_refused(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    uint16_t port = 0;
    pid_t pid = -1;
    assert_ok(demo_service_start(&port, &pid, &err), &err);
    char path[] = "/tmp/mutual-visit-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd != -1);
    const char *pem = pki_pem(pki_root("Root"));
    assert_true(mu_fd_write(fd, pem, strlen(pem)));
    assert_int_equal(close(fd), 0);
    struct demo_visitor visitor = {.port = port, .tls = true, .ca_path = path};
    struct demo_visit *visit = NULL;
    assert_ok(demo_visit_open(&visitor, &visit, &err), &err);
    struct demo_answer answer;
    demo_visit_ask(visit, &answer);
    assert_int_equal(answer.status, 0);
    assert_true(answer.refusal.code != MUTUAL_OK);
    demo_visit_free(visit);
    demo_stop(pid);
    assert_int_equal(unlink(path), 0);
}

static void closing_is_noticed(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    uint16_t port = 0;
    pid_t pid = -1;
    assert_ok(demo_service_start(&port, &pid, &err), &err);
    struct demo_visitor visitor = {.port = port};
    struct demo_visit *visit = NULL;
    assert_ok(demo_visit_open(&visitor, &visit, &err), &err);
    assert_false(demo_visit_closed(visit, 50 * MU_NS_PER_MS));
    demo_visit_free(visit);
    demo_visit_free(NULL);
    demo_stop(pid);
}

UNIT_MAIN(UNIT_CASE(tls_at_a_plain_port_is_refused), UNIT_CASE(closing_is_noticed))
