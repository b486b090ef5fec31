/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of the door for an authority's own profiles: what a file of them says, in the strict
 * YAML of the configuration. Included by config.h. What a profile may be beside an issuer is judged
 * by the room `ca`.
 */
#ifndef CONFIG_PROFILES_H
#define CONFIG_PROFILES_H

enum config_demand { CONFIG_DEMAND_ALLOW, CONFIG_DEMAND_FORBID, CONFIG_DEMAND_REQUIRE };
enum config_purpose { CONFIG_PURPOSE_SERVER, CONFIG_PURPOSE_CLIENT };
/* In the order of these words: ec-p256, ec-p384, rsa-2048, rsa-3072, rsa-4096, ed25519. */
#define CONFIG_KEY_KINDS 6

/* Those of a list, as numbers; the first of the keys is the default. */
struct config_words {
    int *items;
    size_t count;
};

#define CONFIG_PROFILES_MAX 48u
struct config_profile {
    struct config_mark mark;
    const char *name;
    const char *text;             /* NULL: none */
    struct config_words purposes; /* enum config_purpose */
    int64_t life_ns, life_max_ns; /* life_max_ns 0: as life_ns */
    struct config_words keys;
    struct config_words names, required, made; /* enum config_name_type */
    struct config_pattern *only; /* names of a type that is among them must match one of it */
    size_t only_count;
    int staple;                /* enum config_demand */
    const char *spiffe_prefix; /* NULL: none; else it ends with a slash */
    const char *owner;         /* NULL: none */
};
struct config_profiles {
    struct config_mark mark;
    int64_t version;
    struct config_profile *items;
    size_t count;
};
/* Reads a file of profiles; pure. `name` is for messages. Every error found is in `findings`; true
 * when there was none, and only then *ret_profiles is written. */
bool config_profiles_build(const char *name, struct mu_slice bytes,
                           struct config_findings *findings, struct config_profiles **ret_profiles);
void config_profiles_free(struct config_profiles *profiles);
void mu_config_profiles_auto(struct config_profiles **profiles);

#endif
