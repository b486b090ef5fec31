/* SPDX-License-Identifier: Apache-2.0
 *
 * The plain service answers, more than once on a connection, and several at a time.
 */
#include "demo/demo.h"
#include "unit.h"

static void it_answers_everybody(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    uint16_t port = 0;
    pid_t pid = -1;
    assert_ok(demo_service_start(&port, &pid, &err), &err);
    struct demo_visitor visitor = {.port = port};
    struct demo_visit *one = NULL;
    struct demo_visit *two = NULL;
    assert_ok(demo_visit_open(&visitor, &one, &err), &err);
    assert_ok(demo_visit_open(&visitor, &two, &err), &err);
    struct demo_answer answer;
    demo_visit_ask(two, &answer);
    assert_int_equal(answer.status, 200);
    for (int i = 0; i < 3; i++) {
        demo_visit_ask(one, &answer);
        assert_int_equal(answer.status, 200);
    }
    demo_visit_free(one);
    demo_visit_free(two);
    demo_stop(pid);
    assert_fails(demo_visit_open(&visitor, &one, &err), &err, MUTUAL_E_CONNECT_FAILED);
}

static void a_free_port_is_free(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    uint16_t port = 0;
    assert_ok(demo_port_free(&port, &err), &err);
    assert_true(port > 0);
}

UNIT_MAIN(UNIT_CASE(it_answers_everybody), UNIT_CASE(a_free_port_is_free))
