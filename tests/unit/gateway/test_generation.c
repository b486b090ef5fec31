/* SPDX-License-Identifier: Apache-2.0
 *
 * A generation in a worker: built from a snapshot alone, counted, found in.
 */
#include "fixture.h"
#include "whole.h"

static bool snapshot_of(const char *path, int *ret_fd)
{
    struct mutual_error err = {0};
    MU_AUTO(config_snapshot) struct config_snapshot *snapshot = NULL;
    MU_AUTO(config_findings) struct config_findings findings;
    config_findings_init(&findings);
    (void)config_snapshot_load(path, &findings, &snapshot);
    return snapshot != NULL && config_snapshot_export(snapshot, ret_fd, &err);
}

static void built_from_a_snapshot(void **state)
{
    (void)state;
    int fd = -1;
    struct mutual_error err = {0};
    struct generation *generation = NULL;
    fixture_init();
    assert_true(snapshot_of(whole.config, &fd));
    home.worker.workers = 3;
    assert_ok(generation_new(&home.worker, 9, fd, NULL, &generation, &err), &err);
    (void)close(fd);
    assert_int_equal(generation->id, 9);
    struct service *db = generation_find(generation, "db");
    assert_non_null(db);
    assert_null(generation_find(generation, "web"));
    assert_int_equal(db->max, 3334);                 /* ten thousand among three */
    assert_ptr_equal(db->meter, home.service.meter); /* by name, over generations */
    assert_ptr_equal(generation_ref(generation), generation);
    generation_unref(generation);
    generation_unref(generation);
    generation_unref(NULL);
    fixture_done();
}

static void a_snapshot_that_cannot_be(void **state)
{
    (void)state;
    int fd = -1;
    struct mutual_error err;
    struct generation *generation = NULL;
    fixture_init();
    whole_write("mutual.yaml", "version: 1\ninbuond: []\n", 0600);
    assert_true(snapshot_of(whole.config, &fd));
    memset(&err, 0, sizeof err);
    assert_false(generation_new(&home.worker, 9, fd, NULL, &generation, &err));
    assert_true(err.code != MUTUAL_OK && err.reason[0] != '\0');
    (void)close(fd);
    fixture_done();
}

WHOLE_MAIN(WHOLE_CASE(built_from_a_snapshot), WHOLE_CASE(a_snapshot_that_cannot_be))
