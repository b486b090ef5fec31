/* SPDX-License-Identifier: Apache-2.0
 *
 * An authority that publishes, and a certificate of it.
 */
#ifndef PUBLISH_SUPPORT_H
#define PUBLISH_SUPPORT_H

#include "api_call.h"
#include "publish/publish_internal.h"
#include "unit.h"

#include <stdlib.h>

static struct api_home home;
static struct mu_cert *leaf;
static const struct api_table *const tables[] = {&publish_table};

static inline int publish_setup(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    api_home_init(&home, tables, 1);
    assert_ok(ca_set_url(home.ca, "http://ca.example.org", &err), &err);
    leaf = api_home_issue(&home, "client", "alice", NULL);
    assert_ok(ca_crl_refresh(home.ca, &home.signer, home.now_s, &err), &err);
    api_home_caller(&home, API_PLAIN, NULL);
    publish_ocsp_reset();
    return 0;
}

static inline int publish_teardown(void **state)
{
    (void)state;
    mu_cert_unref(leaf);
    publish_ocsp_reset();
    api_home_done(&home);
    return 0;
}

static inline void revoke_leaf(void)
{
    struct mutual_error err = {0};
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    assert_ok(ca_find(home.ca, "alice", &records, &err), &err);
    assert_ok(
        ca_revoke(home.ca, &records.items[0], MU_REASON_SUPERSEDED, &home.signer, home.now_s, &err),
        &err);
}

static inline bool field_is(const struct api_reply *reply, const char *name, const char *value)
{
    struct mu_slice found;
    return http_field_find(&reply->head, name, &found) && mu_slice_equal_text(found, value);
}

#define PUBLISH_MAIN(...)                                                      \
    int main(void)                                                             \
    {                                                                          \
        const struct CMUnitTest tests[] = {__VA_ARGS__};                       \
        return cmocka_run_group_tests(tests, publish_setup, publish_teardown); \
    }

#endif
