/* SPDX-License-Identifier: Apache-2.0
 *
 * A configuration made ready in the parent.
 */
#include "whole.h"

#include <sys/socket.h>

static bool load(void *owner, struct config_findings *findings,
                 struct config_snapshot **ret_snapshot)
{
    return config_snapshot_load(owner, findings, ret_snapshot);
}

static void a_setup_and_the_next(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct gateway_options options = {
        .load = load, .owner = whole.config, .config_name = whole.config};
    struct parent *parent = mu_alloc(1, sizeof *parent);
    struct setup *next = NULL;
    parent->options = &options;
    parent->workers = 2;
    parent->log_json = true;
    assert_ok(reactor_new(&parent->reactor, &err), &err);
    assert_ok(keys_loader_new(&parent->loader, &err), &err);
    assert_ok(setup_new(parent, &parent->current, &err), &err);
    assert_ok(setup_build(parent, parent->current, &err), &err);
    assert_int_equal(parent->current->listener_count, 1);
    assert_true(setup_is_same(parent->current, parent->current->snapshot));
    assert_false(setup_name_targets(parent, parent->current)); /* a path needs no resolver */
    /* what is open already is kept */
    whole_configure("    alpn: h2\n");
    assert_ok(setup_new(parent, &next, &err), &err);
    assert_ok(setup_build(parent, next, &err), &err);
    assert_ptr_equal(next->listeners[0].binding, parent->current->listeners[0].binding);
    assert_false(setup_is_same(parent->current, next->snapshot));
    assert_true(next->id > parent->current->id);
    setup_deafen(next);
    assert_int_equal(next->listener_count, 0);
    setup_free(next);
    setup_free(parent->current);
    setup_deafen(NULL);
    setup_free(NULL);
    keys_loader_free(parent->loader);
    reactor_free(parent->reactor);
    mu_free(parent);
}

WHOLE_MAIN(WHOLE_CASE(a_setup_and_the_next))
