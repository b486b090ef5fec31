/* SPDX-License-Identifier: Apache-2.0
 *
 * Revocation lists as tables that processes share: a world made with them is the world made
 * without, and nothing that was not verified by this very bundle gets in.
 */
#include "world_support.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define LISTS \
    "version: 1\ntrust:\n  - {name: corp, bundle: ca.pem, revocation: {crl: [a.crl, b.crl]}}\n"

static struct pki *root;
static struct mu_slice list;

static struct scene scene_with(const char *b)
{
    struct scene s = {0};
    if (root == NULL) {
        root = pki_root("Root");
        list = pki_crl(root, NULL);
    }
    scene_add(&s, "m", LISTS);
    scene_add(&s, "ca.pem", pki_pem(root));
    scene_add_bytes(&s, "a.crl", list);
    if (b == NULL) {
        scene_add_bytes(&s, "b.crl", list);
    } else {
        scene_add(&s, "b.crl", b);
    }
    return s;
}

struct taken {
    struct world_lists *lists;
    size_t known, failed;
};

static bool take(void *taker, const struct world_list *one, struct mutual_error *err)
{
    struct taken *taken = taker;
    struct world_list mine = *one;
    mine.fd = one->fd == -1 ? -1 : fcntl(one->fd, F_DUPFD_CLOEXEC, 0);
    taken->known += one->known;
    taken->failed += one->why != NULL;
    return world_lists_put(taken->lists, &mine, true, err);
}

static struct taken make(const struct scene *s, const struct world_lists *known)
{
    struct mutual_error err = {0};
    struct taken taken = {.lists = world_lists_new()};
    assert_ok(world_lists_make(s->snapshot, known, take, &taken, &err), &err);
    return taken;
}

static void test_the_same_world_with_tables_as_with_files(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct scene s = scene_with(NULL);
    scene_build(&s);
    assert_non_null(s.world);
    struct taken taken = make(&s, NULL);
    assert_int_equal(world_lists_count(taken.lists), 2);
    /* the files themselves are not needed for it */
    config_snapshot_set_list(s.snapshot, "a.crl", true);
    config_snapshot_set_list(s.snapshot, "b.crl", true);
    assert_ok(config_snapshot_let_lists_go(s.snapshot, &err), &err);
    MU_AUTO(world) const struct world *world = NULL;
    assert_true(world_build_with(s.snapshot, taken.lists, NULL, PKI_NOW_S, &s.findings, &world));
    assert_int_equal(world->trusts[0].revocation_generation,
                     s.world->trusts[0].revocation_generation);
    assert_int_equal(world->trusts[0].trust_generation, s.world->trusts[0].trust_generation);
    world_lists_free(taken.lists); /* the world keeps what it needs */
    scene_done(&s);
}

static void test_what_is_known_is_not_read_again(void **state)
{
    (void)state;
    struct scene s = scene_with(NULL);
    struct taken first = make(&s, NULL);
    assert_int_equal(first.known, 0);
    struct taken second = make(&s, first.lists);
    assert_int_equal(second.known, 2);
    MU_AUTO(world_lists) struct world_lists *own = world_lists_new();
    struct world_list one = world_lists_get(first.lists, 1);
    assert_true(world_lists_reuse(own, first.lists, one.place, one.digest));
    one.digest[0] ^= 1;
    assert_false(world_lists_reuse(own, first.lists, one.place, one.digest));
    world_lists_free(first.lists);
    world_lists_free(second.lists);
    scene_done(&s);
}

static void test_a_list_that_fails_is_told_at_its_place(void **state)
{
    (void)state;
    struct scene s = scene_with("no list");
    struct taken taken = make(&s, NULL);
    assert_int_equal(taken.failed, 1);
    MU_AUTO(world) const struct world *world = NULL;
    assert_false(world_build_with(s.snapshot, taken.lists, NULL, PKI_NOW_S, &s.findings, &world));
    assert_found(&s, CONFIG_ERROR, MUTUAL_E_PEM_MALFORMED, "b.crl");
    world_lists_free(taken.lists);
    scene_done(&s);
}

/* Without a table, or with one that another bundle verified, there is no world. */
static void test_a_table_must_be_there_and_of_this_bundle(void **state)
{
    (void)state;
    struct scene s = scene_with(NULL);
    MU_AUTO(world) const struct world *world = NULL;
    MU_AUTO(world_lists) struct world_lists *none = world_lists_new();
    assert_false(world_build_with(s.snapshot, none, NULL, PKI_NOW_S, &s.findings, &world));
    assert_found(&s, CONFIG_ERROR, MUTUAL_E_PROCESS_DIED, "a.crl");
    struct taken taken = make(&s, NULL);
    scene_done(&s);
    struct scene other = {0};
    scene_add(&other, "m", LISTS);
    scene_add(&other, "ca.pem", pki_pem(pki_root("Root")));
    scene_add_bytes(&other, "a.crl", list);
    scene_add_bytes(&other, "b.crl", list);
    assert_false(
        world_build_with(other.snapshot, taken.lists, NULL, PKI_NOW_S, &other.findings, &world));
    world_lists_free(taken.lists);
    scene_done(&other);
}

static void test_only_sealed_memory_is_mapped(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(world_lists) struct world_lists *lists = world_lists_new();
    struct world_list one = {.fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
    assert_int_equal(write(one.fd, "x", 1), 1);
    assert_fails(world_lists_put(lists, &one, true, &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
    one.fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING); /* sealed, and empty */
    assert_int_equal(fcntl(one.fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), 0);
    assert_fails(world_lists_put(lists, &one, true, &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
    assert_int_equal(world_lists_count(lists), 0);
}

static void test_there_is_an_end_to_files(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(world_lists) struct world_lists *lists = world_lists_new();
    const struct mutual_error why = {.code = MUTUAL_E_CRL_MALFORMED};
    const struct world_list one = {.fd = -1, .why = &why};
    for (size_t i = 0; i < WORLD_LISTS_MAX; i++) {
        assert_ok(world_lists_put(lists, &one, true, &err), &err);
    }
    assert_fails(world_lists_put(lists, &one, true, &err), &err, MUTUAL_E_LIMIT);
}

static void numbered(struct scene *s, const char *more, uint64_t number)
{
    char config[256];
    (void)snprintf(
        config, sizeof config,
        "version: 1\ntrust:\n  - {name: corp, bundle: ca.pem, revocation: {crl: a.crl%s}}\n", more);
    *s = (struct scene){0};
    scene_add(s, "m", config);
    scene_add(s, "ca.pem", pki_pem(root));
    scene_add_bytes(s, "a.crl", pki_crl_at(root, PKI_NOW_S - 9, PKI_NOW_S + 9, number, NULL, 0));
    scene_build(s);
    assert_non_null(s->world);
}

static void test_lists_go_forward_only(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct scene old = {0};
    struct scene next = {0};
    struct scene meant = {0};
    numbered(&old, "", 8);
    numbered(&next, "", 7);
    numbered(&meant, ", unsafe-rollback: true", 7);
    assert_fails(world_lists_forward(old.world, next.world, &err), &err, MUTUAL_E_CRL_ROLLBACK);
    assert_ok(world_lists_forward(next.world, old.world, &err), &err);
    assert_ok(world_lists_forward(old.world, old.world, &err), &err);
    assert_ok(world_lists_forward(old.world, meant.world, &err), &err);
    scene_done(&old);
    scene_done(&next);
    scene_done(&meant);
}

UNIT_MAIN(UNIT_CASE(test_the_same_world_with_tables_as_with_files),
          UNIT_CASE(test_what_is_known_is_not_read_again),
          UNIT_CASE(test_a_list_that_fails_is_told_at_its_place),
          UNIT_CASE(test_a_table_must_be_there_and_of_this_bundle),
          UNIT_CASE(test_only_sealed_memory_is_mapped), UNIT_CASE(test_there_is_an_end_to_files),
          UNIT_CASE(test_lists_go_forward_only))
