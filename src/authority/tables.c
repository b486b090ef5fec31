/* SPDX-License-Identifier: Apache-2.0
 *
 * The protocols that the authority speaks: one table of routes each.
 */
#include "authority/authority_internal.h"
#include "est/est.h"
#include "publish/publish.h"

static void tell_life(struct api_world *world, const struct api_request *request,
                      struct api_response *response)
{
    (void)world;
    (void)request;
    response->content_type = "text/plain";
    (void)mu_buf_text(&response->body, "ok\n");
}

static const struct api_route own_routes[] = {
    {"GET", "/livez", API_ON(API_PLAIN) | API_ON(API_TLS) | API_ON(API_MUTUAL), NULL, 0, tell_life},
};
static const struct api_table own = {"authority", own_routes, MU_COUNT(own_routes), NULL};

const struct api_table *const authority_tables[] = {&own, &est_table, &acme_table, &publish_table,
                                                    &admin_table};
const size_t authority_table_count = MU_COUNT(authority_tables);
