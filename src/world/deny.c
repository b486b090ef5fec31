/* SPDX-License-Identifier: Apache-2.0
 *
 * The deny list made real: every line of it that is wrong is a finding with its place.
 */
#include "world/world_internal.h"

#include <string.h>

struct telling {
    struct build *build;
    const char *file;
    const struct config_place *setting; /* where the list is named */
};

static void tell(void *context, int line, const struct mutual_error *fault)
{
    struct telling *telling = context;
    const struct config_place place = {telling->file, (unsigned)line, 1, 0};
    build_add_error(telling->build, CONFIG_ERROR, line > 0 ? &place : telling->setting, fault);
}

/* The same text, told of by the same name. */
static bool is_known(const struct world *before, const struct world *world)
{
    return before != NULL && before->deny != NULL &&
           memcmp(before->deny_digest, world->deny_digest, sizeof world->deny_digest) == 0 &&
           strcmp(before->config->deny, world->config->deny) == 0;
}

void build_deny(struct build *build)
{
    struct world *world = &build->whole->world;
    const char *file = world->config->deny;
    struct mu_slice bytes;
    struct mutual_error err = {0};
    struct digest digest = {.failed = false};
    if (file == NULL) {
        return;
    }
    struct config_place place = config_place_of(&world->config->mark, "deny");
    struct telling telling = {build, file, &place};
    if (!build_file(build, file, &place, &bytes)) {
        return;
    }
    digest_add(&digest, bytes);
    memcpy(world->deny_digest, digest.state, sizeof world->deny_digest);
    world->deny_generation = digest_value(&digest);
    if (is_known(build->before, world)) {
        world->deny = mutual_deny_ref(build->before->deny);
        return;
    }
    size_t errors = build->findings->errors;
    bool read = mutual_deny_parse((const char *)bytes.data, bytes.len, file, tell, &telling,
                                  &world->deny, &err);
    build->no_memory =
        build->no_memory || digest.failed || (!read && build->findings->errors == errors);
}

/* A sum of two hashes, which is another one when either is. */
uint64_t world_revocation_generation(const struct world *world, const struct world_trust *trust)
{
    return trust->revocation_generation + world->deny_generation;
}
