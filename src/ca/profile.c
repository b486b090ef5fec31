/* SPDX-License-Identifier: Apache-2.0
 *
 * Profiles: the built-in table, and those of an authority's own file.
 */
#include "ca/ca_internal.h"
#include "config/config.h"

#include <string.h>
#include <sys/stat.h>

#define DAY_S    INT64_C(86400)
#define NAME(t)  (1u << MUTUAL_NAME_##t)
#define ALL_KEYS ((1u << MU_SPEC_COUNT_) - 1)

/* One purpose each: a stolen client certificate does not make a server. `service` is for those that
 * are both, as SPIFFE X.509-SVIDs are (section 4.4 of that standard). Keys only sign: forward
 * secrecy needs no more, and RFC 8446 asks for digitalSignature. (For NSS, servers' RSA keys get
 * keyEncipherment on top when they are issued.) */
#define ROW(name_, text_, prefix_, life_, max_, eku_, types_, made_, staple_)           \
    {                                                                                   \
        .name = name_, .text = text_, .spiffe_prefix = prefix_, .key = MU_SPEC_EC_P256, \
        .keys = ALL_KEYS, .life_s = (life_)*DAY_S, .life_max_s = (max_)*DAY_S,          \
        .key_usage = MU_KU_DIGITAL_SIGNATURE, .eku = eku_, .name_types = types_,        \
        .made_types = made_, .staple = staple_                                          \
    }
static const struct ca_profile profiles[] = {
    ROW("server", "proves a server to its clients", "", 90, 398, MU_EKU_SERVER,
        NAME(SPIFFE) | NAME(DNS) | NAME(IP), NAME(SPIFFE) | NAME(DNS), CA_DEMAND_ALLOW),
    ROW("client", "proves a program to the servers it calls", "", 90, 398, MU_EKU_CLIENT,
        NAME(SPIFFE) | NAME(DNS), NAME(SPIFFE), CA_DEMAND_FORBID),
    ROW("service", "proves a program both as a server and as a client", "", 90, 398,
        MU_EKU_SERVER | MU_EKU_CLIENT, NAME(SPIFFE) | NAME(DNS) | NAME(IP),
        NAME(SPIFFE) | NAME(DNS), CA_DEMAND_ALLOW),
    ROW("device", "proves a device to the servers it calls", "device/", 365, 825, MU_EKU_CLIENT,
        NAME(SPIFFE) | NAME(DNS), NAME(SPIFFE), CA_DEMAND_FORBID),
    ROW("user", "proves a person to the servers they use", "user/", 365, 825, MU_EKU_CLIENT,
        NAME(SPIFFE) | NAME(EMAIL), NAME(SPIFFE) | NAME(EMAIL), CA_DEMAND_FORBID),
};

const struct ca_profile *ca_profile_at(size_t index)
{
    return index < MU_COUNT(profiles) ? &profiles[index] : NULL;
}

const char *ca_demand_word(enum ca_demand demand)
{
    static const char *const words[CA_DEMAND_COUNT_] = {"allow", "forbid", "require"};
    return words[demand];
}

static const struct ca_profile *find_in(const struct ca_profile *list, size_t count,
                                        const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].name, name) == 0) {
            return &list[i];
        }
    }
    return NULL;
}

static bool fail_unknown(const char *name, const struct ca_profile *own, size_t own_count,
                         struct mutual_error *err)
{
    const char *words[MU_COUNT(profiles) + CONFIG_PROFILES_MAX + 1] = {NULL};
    MU_AUTO(buf) struct mu_buf all;
    mu_buf_init(&all, 8192);
    size_t count = 0;
    for (size_t i = 0; i < MU_COUNT(profiles) + own_count; i++) {
        const char *word =
            i < MU_COUNT(profiles) ? profiles[i].name : own[i - MU_COUNT(profiles)].name;
        mu_buf_printf(&all, "%s%s", count == 0 ? "" : ", ", word);
        words[count++] = word;
    }
    MU_AUTO(buf) struct mu_buf safe;
    mu_buf_init(&safe, 1024);
    mu_escape(&safe, mu_slice_of(name, strlen(name) < 100 ? strlen(name) : 100));
    (void)mu_fail(err, MUTUAL_E_OPTION_VALUE, "there is no profile \"%s\"", mu_buf_str(&safe));
    const char *near = mu_suggest(name, words);
    return near != NULL ? mu_error_hint(err, "Did you mean \"%s\"?", near)
                        : mu_error_hint(err, "Profiles are: %.180s.", mu_buf_str(&all));
}

bool ca_profile_find(const char *name, const struct ca_profile **ret_profile,
                     struct mutual_error *err)
{
    const struct ca_profile *found = find_in(profiles, MU_COUNT(profiles), name);
    if (found == NULL) {
        return fail_unknown(name, NULL, 0, err);
    }
    *ret_profile = found;
    return true;
}

int64_t ca_profile_life_max_s(void)
{
    int64_t max = 0;
    for (size_t i = 0; i < MU_COUNT(profiles); i++) {
        max = profiles[i].life_max_s > max ? profiles[i].life_max_s : max;
    }
    return max;
}

/* ---- of an authority ------------------------------------------------------------------------- */

void ca_profiles_done(struct ca_profiles *own)
{
    for (size_t i = 0; i < own->count; i++) {
        for (size_t k = 0; k < own->items[i].only_count; k++) {
            mutual_pattern_free(own->items[i].only[k]);
        }
        mu_free(own->items[i].only);
    }
    mu_free(own->items);
    config_profiles_free(own->config);
    *own = (struct ca_profiles){0};
}

static unsigned bits_of(const struct config_words *words)
{
    unsigned bits = 0;
    for (size_t i = 0; i < words->count; i++) {
        bits |= 1u << words->items[i];
    }
    return bits;
}

/* The two enums are the same list. */
_Static_assert((int)CONFIG_NAME_SPIFFE == (int)MUTUAL_NAME_SPIFFE &&
                   (int)CONFIG_NAME_DNS == (int)MUTUAL_NAME_DNS &&
                   (int)CONFIG_NAME_EMAIL == (int)MUTUAL_NAME_EMAIL &&
                   (int)CONFIG_NAME_IP == (int)MUTUAL_NAME_IP &&
                   (int)CONFIG_NAME_COUNT_ == (int)MUTUAL_NAME_COUNT_,
               "types of names");
_Static_assert(CONFIG_KEY_KINDS == MU_SPEC_COUNT_, "kinds of keys");

static bool take_patterns(const struct config_profile *from, struct ca_profile *to,
                          struct config_findings *findings, struct mutual_error *err)
{
    if (from->only_count == 0) {
        return true;
    }
    to->only = mu_alloc(from->only_count, sizeof(struct mutual_pattern *));
    if (to->only == NULL) {
        return mu_fail_memory(err);
    }
    for (size_t i = 0; i < from->only_count; i++) {
        struct mutual_error why = {0};
        struct config_place place = config_place_at(&from->mark, "only", i);
        if (mutual_pattern_parse((enum mutual_name_type)from->only[i].type, from->only[i].text,
                                 &to->only[to->only_count], &why)) {
            to->only_count++;
        } else {
            config_finding_add_error(findings, NULL, CONFIG_ERROR, &place, &why);
        }
    }
    return true;
}

static bool take_profile(const struct config_profile *from, struct ca_profile *to,
                         struct config_findings *findings, struct mutual_error *err)
{
    unsigned purposes = bits_of(&from->purposes);
    *to = (struct ca_profile){
        .name = from->name,
        .text = from->text != NULL ? from->text : from->name,
        .spiffe_prefix = from->spiffe_prefix != NULL ? from->spiffe_prefix : "",
        .owner = from->owner,
        .key = from->keys.count > 0 ? (enum mu_key_spec)from->keys.items[0] : MU_SPEC_EC_P256,
        .keys = from->keys.count > 0 ? bits_of(&from->keys) : ALL_KEYS,
        .life_s = from->life_ns / MU_NS_PER_S,
        .life_max_s = (from->life_max_ns != 0 ? from->life_max_ns : from->life_ns) / MU_NS_PER_S,
        .key_usage = MU_KU_DIGITAL_SIGNATURE,
        .eku = ((purposes & 1u << CONFIG_PURPOSE_SERVER) != 0 ? MU_EKU_SERVER : 0u) |
               ((purposes & 1u << CONFIG_PURPOSE_CLIENT) != 0 ? MU_EKU_CLIENT : 0u),
        .name_types = bits_of(&from->names),
        .must_types = bits_of(&from->required),
        .made_types = bits_of(&from->made),
        .staple = from->staple == CONFIG_DEMAND_REQUIRE  ? CA_DEMAND_REQUIRE
                  : from->staple == CONFIG_DEMAND_FORBID ? CA_DEMAND_FORBID
                                                         : CA_DEMAND_ALLOW,
    };
    if ((to->eku & MU_EKU_SERVER) == 0) {
        to->staple = CA_DEMAND_FORBID; /* nobody else staples */
    }
    return take_patterns(from, to, findings, err);
}

/* All that is wrong, in one text: the error's reason holds its beginning. */
static bool fail_findings(struct config_findings *findings, const char *path,
                          struct mutual_error *err)
{
    config_findings_sort(findings);
    (void)config_findings_fail(findings, err);
    return mu_error_context(err, "profiles in \"%s\"", path);
}

static bool take_file(const char *path, struct mu_slice text, struct config_findings *findings,
                      struct ca_profiles *own, struct mutual_error *err)
{
    if (!config_profiles_build(path, text, findings, &own->config)) {
        return fail_findings(findings, path, err);
    }
    own->items = mu_alloc(own->config->count + 1, sizeof *own->items);
    if (own->items == NULL) {
        return mu_fail_memory(err);
    }
    for (size_t i = 0; i < own->config->count; i++) {
        own->count++;
        if (!take_profile(&own->config->items[i], &own->items[i], findings, err)) {
            return false;
        }
    }
    return findings->errors == 0 ? true : fail_findings(findings, path, err);
}

bool ca_profiles_load(const char *dir, struct config_findings *findings,
                      struct ca_profiles *ret_own, struct mutual_error *err)
{
    MU_AUTO(free) char *path = ca_text("%s/" CA_PART "/" CA_PART_PROFILES, dir);
    MU_AUTO(buf) struct mu_buf text = {0};
    struct ca_profiles own = {0};
    struct mutual_error why = {0};
    struct stat info;
    if (path == NULL) {
        return mu_fail_memory(err);
    }
    if (lstat(path, &info) == -1) {
        return true; /* there is none, which is usual; one that is in the way is read and refused */
    }
    if (!mu_file_read(path, MU_LIMIT_CONFIG_BYTES, &text, &why)) {
        if (err != NULL) {
            *err = why;
        }
        return false;
    }
    if (!take_file(path, mu_buf_slice(&text), findings, &own, err)) {
        ca_profiles_done(&own);
        return false;
    }
    *ret_own = own;
    return true;
}

bool ca_profile_of(const struct ca *ca, const char *name, const struct ca_profile **ret_profile,
                   struct mutual_error *err)
{
    const struct ca_profile *found = find_in(ca->own.items, ca->own.count, name);
    found = found != NULL ? found : find_in(profiles, MU_COUNT(profiles), name);
    if (found == NULL) {
        return fail_unknown(name, ca->own.items, ca->own.count, err);
    }
    *ret_profile = found;
    return true;
}

const struct ca_profile *ca_profile_next(const struct ca *ca, size_t index)
{
    return ca_profile_in(&ca->own, index);
}

const struct ca_profile *ca_profile_in(const struct ca_profiles *own, size_t index)
{
    for (size_t i = 0; i < MU_COUNT(profiles) + own->count; i++) {
        bool built_in = i < MU_COUNT(profiles);
        const struct ca_profile *p = built_in ? &profiles[i] : &own->items[i - MU_COUNT(profiles)];
        bool replaced = built_in && find_in(own->items, own->count, p->name) != NULL;
        if (!replaced && index-- == 0) {
            return p;
        }
    }
    return NULL;
}
