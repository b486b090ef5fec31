/* SPDX-License-Identifier: Apache-2.0
 *
 * The index of who is connected.
 */
#include "fixture.h"

#include <unistd.h>

#include "gateway/live_internal.h"
#include "policy/policy.h"

/* The connections whose grant the policy has no more, or another one of the name. */
static size_t lost_by(const struct mutual_policy *policy)
{
    static uint32_t change = 1000;
    struct live *live = home.worker.live;
    struct live_grant *grant;
    size_t lost = 0;
    live_uncompare(live, ++change);
    while ((grant = live_to_compare(live)) != NULL) {
        struct live_peer *peer;
        struct conn *conn;
        assert_true(live_is_uncompared(live, grant));
        bool kept = live_compare(live, grant, policy);
        assert_false(live_is_uncompared(live, grant));
        LIST_FOREACH(peer, &grant->holders, in_grant)
        {
            LIST_FOREACH(conn, &peer->conns, in_live)
            {
                lost += kept ? 0 : 1;
            }
        }
    }
    return lost;
}

static struct mutual_policy *policy_of(const char *name, const char *from, int64_t until_s)
{
    struct mutual_error err = {0};
    struct mutual_policy *policy = mutual_policy_new();
    struct mutual_pattern *pattern = NULL;
    assert_ok(mutual_pattern_parse(MUTUAL_NAME_SPIFFE, from, &pattern, &err), &err);
    struct mutual_grant grant = {.name = name,
                                 .to = "db",
                                 .from = &pattern,
                                 .from_count = 1,
                                 .until_s = until_s,
                                 .owner = "others",
                                 .why = "in other words"};
    assert_ok(mutual_policy_add(policy, &grant, &err), &err);
    assert_ok(mutual_policy_freeze(policy, &err), &err);
    return policy;
}

static void compare(const char *name, const char *from, int64_t until_s, size_t lost)
{
    struct mutual_policy *policy = policy_of(name, from, until_s);
    assert_int_equal(lost_by(policy), lost);
    assert_int_equal(lost_by(home.policy), lost); /* as it was */
    mutual_policy_unref(policy);
}

static void a_grant_is_compared_by_what_it_gives(void **state)
{
    (void)state;
    struct knock client;
    knock_open(&client, home.client);
    knock_shake(&client);
    compare("all", "spiffe://example.org/client", INT64_MAX, 0);
    compare("all", "spiffe://example.org/client", INT64_MAX - 1, 1);
    compare("all", "spiffe://example.org/**", INT64_MAX, 1);
    compare("other", "spiffe://example.org/client", INT64_MAX, 1);
    assert_int_equal(lost_by(NULL), 1);
    assert_int_equal(lost_by(NULL), 1); /* what is not there is like nothing */
    knock_done(&client);
}

/* A grant is compared later than the rules are swapped. Whoever is admitted meanwhile by another
 * one must not take the earlier connections of the same peer along: they go on only when they are
 * judged, for the new grant may end sooner. */
static void who_comes_meanwhile_hides_nobody(void **state)
{
    (void)state;
    struct knock client;
    struct mutual_error err = {0};
    struct mutual_policy *policy = policy_of("other", "spiffe://example.org/client", INT64_MAX - 1);
    knock_open(&client, home.client);
    knock_shake(&client);
    fixture_stock(1);
    int service = fixture_accept();
    fixture_until(fixture_conn()->stage == STAGE_RELAY);
    struct conn *conn = fixture_conn();
    live_uncompare(home.worker.live, 5000);
    assert_int_equal(conn->mark, CONN_UNMARKED);
    struct mutual_verdict verdict = *conn->verdict;
    const struct mutual_verdict *before = conn->verdict;
    verdict.grant = mu_policy_find(policy, "other");
    conn->verdict = &verdict;
    assert_ok(live_join(home.worker.live, conn, &err), &err);
    assert_int_equal(conn->mark, CONN_CHANGED);
    conn->verdict = before;
    assert_ok(live_join(home.worker.live, conn, &err), &err);
    (void)close(service);
    knock_done(&client);
    mutual_policy_unref(policy);
}

static void connections_of_one_peer_share_an_entry(void **state)
{
    (void)state;
    enum { COUNT = 5 };
    struct knock clients[COUNT];
    struct live *live = home.worker.live;
    for (size_t i = 0; i < COUNT; i++) {
        knock_open(&clients[i], home.client);
        assert_int_equal(live->conns, i); /* not before it is admitted */
        knock_shake(&clients[i]);
        assert_int_equal(live->conns, i + 1);
        assert_int_equal(live->peers, 1);
    }
    for (size_t i = 0; i < COUNT; i++) {
        (void)close(clients[i].fd);
        clients[i].fd = -1;
        fixture_until(live->conns == COUNT - 1 - i);
    }
    assert_int_equal(live->peers, 0);
    assert_true(LIST_EMPTY(&live->all_services));
    assert_int_equal(mu_map_count(live->grants), 0);
    for (size_t i = 0; i < COUNT; i++) {
        knock_done(&clients[i]);
    }
}

static struct pki *somebody(struct pki *issuer, const char *uri)
{
    return pki_issue(issuer, (struct pki_leaf){.cn = "somebody",
                                               .uri = uri,
                                               .not_before = 86400,
                                               .not_after = INT64_C(253402300799),
                                               .client = true});
}

static void every_peer_is_asked_once(void **state)
{
    (void)state;
    struct knock clients[2];
    struct live *live = home.worker.live;
    struct pki *again = somebody(home.root, "spiffe://example.org/client");
    knock_open(&clients[0], home.client);
    knock_shake(&clients[0]);
    knock_open(&clients[1], again);
    knock_shake(&clients[1]);
    assert_int_equal(live->peers, 2);
    struct live_service *service = LIST_FIRST(&live->all_services);
    assert_null(live_to_ask(service));
    live_unask(service, 7);
    struct live_peer *first = live_to_ask(service);
    assert_true(live_is_unasked(first));
    live_asked(first, 7);
    assert_false(live_is_unasked(first));
    struct live_peer *second = live_to_ask(service);
    assert_ptr_not_equal(first, second);
    live_unask(service, 8); /* before the second was */
    assert_true(live_is_unasked(first));
    live_asked(live_to_ask(service), 8);
    live_asked(live_to_ask(service), 8);
    assert_null(live_to_ask(service));
    live_unask(service, 9); /* and who goes meanwhile is asked no more */
    knock_done(&clients[0]);
    knock_done(&clients[1]);
}

/* What it costs, apart from a bucket: the door says so. */
static void it_is_small(void **state)
{
    (void)state;
    size_t in_conn = sizeof(((struct conn *)NULL)->live) + sizeof(((struct conn *)NULL)->in_live) +
                     sizeof(((struct conn *)NULL)->marks) + 4 * sizeof(uint32_t);
    assert_true(sizeof(struct live_peer) <= 80);
    assert_true(in_conn + sizeof(struct live_peer) + 2 * sizeof(void *) <= 200);
}

UNIT_MAIN(FIXTURE_CASE(a_grant_is_compared_by_what_it_gives),
          FIXTURE_CASE(who_comes_meanwhile_hides_nobody),
          FIXTURE_CASE(connections_of_one_peer_share_an_entry),
          FIXTURE_CASE(every_peer_is_asked_once), UNIT_CASE(it_is_small))
