/* SPDX-License-Identifier: Apache-2.0
 *
 * An authority's own profiles: the tables of their file, and what they may not say.
 */
#include "config/config_internal.h"

#include <string.h>

#define WORDS_AT(field_) LIST_AT(field_.items, field_.count)
#define LIFE_MAX_S       (INT64_C(3650) * 86400)

#define THIS config_profile
static const char *const purpose_words[] = {"server", "client", NULL};
static const char *const key_words[CONFIG_KEY_KINDS + 1] = {"ec-p256",  "ec-p384",  "rsa-2048",
                                                            "rsa-3072", "rsa-4096", "ed25519"};
static const char *const staple_words[] = {"allow", "forbid", "require", NULL};
static const struct setting profile_settings[] = {
    {"name", SETTING_NAME, .required = true, AT(name), .since = "0.1",
     .help = "what it is called; one of a built-in profile takes that one's place"},
    {"text", SETTING_TEXT, AT(text), .max = 200, .since = "0.1",
     .help = "what its certificates are for, as a phrase"},
    {"purposes", SETTING_WORD, SETTING_ONE_OR_MANY, .required = true, WORDS_AT(purposes),
     .words = purpose_words, .since = "0.1",
     .help = "whom its certificates prove (extended key usage): server, client or both"},
    {"life", SETTING_DURATION, .required = true, AT(life_ns), .min = 60, .max = LIFE_MAX_S,
     .since = "0.1", .help = "how long a certificate is valid when nobody asks for another time"},
    {"max-life", SETTING_DURATION, AT(life_max_ns), .min = 60, .max = LIFE_MAX_S, .since = "0.1",
     .help = "the longest life that may be asked for; when left out, none longer than life"},
    {"keys", SETTING_WORD, SETTING_ONE_OR_MANY, WORDS_AT(keys), .words = key_words, .since = "0.1",
     .help = "kinds of keys that may be certified; the first is made when none is asked for; when "
             "left out all, and ec-p256 is made"},
    {"names", SETTING_WORD, SETTING_ONE_OR_MANY, .required = true, WORDS_AT(names),
     .words = name_type_words, .since = "0.1",
     .help = "types of names that may be certified: spiffe, dns, email, ip"},
    {"required", SETTING_WORD, SETTING_ONE_OR_MANY, WORDS_AT(required), .words = name_type_words,
     .since = "0.1", .help = "types of which a certificate must hold a name"},
    {"made", SETTING_WORD, SETTING_ONE_OR_MANY, WORDS_AT(made), .words = name_type_words,
     .since = "0.1",
     .help = "types of which a name is made from the certificate's NAME when none is given"},
    {"only", SETTING_PATTERN, SETTING_ONE_OR_MANY, LIST_AT(only, only_count), .since = "0.1",
     .help = "patterns as in grants; a name of a type that is among them must match one of them"},
    {"must-staple", SETTING_WORD, AT(staple), .dflt = "allow", .words = staple_words,
     .since = "0.1",
     .help = "whether a certificate may or must demand a stapled OCSP response (RFC 7633); only "
             "where servers are proved"},
    {"spiffe-prefix", SETTING_TEXT, AT(spiffe_prefix), .max = 200, .since = "0.1",
     .help = "what the path of a made SPIFFE ID begins with, such as printer/"},
    {"owner", SETTING_TEXT, AT(owner), .max = 200, .since = "0.1",
     .help = "who answers for its certificates when nobody is named"},
    {.name = NULL},
};
#undef THIS

static bool has(const struct config_words *words, int word)
{
    for (size_t i = 0; i < words->count; i++) {
        if (words->items[i] == word) {
            return true;
        }
    }
    return false;
}

/* Was that word written? A wrong one, of which was told, reads as the first. */
static bool is_written(const struct config_profile *p, const char *setting, size_t index,
                       const char *word)
{
    const struct config_node *node = node_find(p->mark.node, setting);
    if (node != NULL && node->kind == NODE_LIST) {
        node = node->first;
        while (node != NULL && index-- > 0) {
            node = node->next;
        }
    }
    return node != NULL && node->kind == NODE_SCALAR && strcmp(node->text, word) == 0;
}

static void check_list(struct decode *d, const struct config_profile *p, const char *setting,
                       const struct config_words *words, const char *const *texts)
{
    for (size_t i = 0; i < words->count; i++) {
        const struct config_words before = {words->items, i};
        if (has(&before, words->items[i]) && is_written(p, setting, i, texts[words->items[i]])) {
            struct config_place place = config_place_at(&p->mark, setting, i);
            decode_complain(d, &place, NULL, "\"%s\" is named twice", texts[words->items[i]]);
        }
    }
}

/* No other type is ever certified. */
static void check_names(struct decode *d, const struct config_profile *p, const char *setting,
                        const struct config_words *words)
{
    check_list(d, p, setting, words, name_type_words);
    for (size_t i = 0; i < words->count; i++) {
        struct config_place place = config_place_at(&p->mark, setting, i);
        int type = words->items[i];
        if (!is_written(p, setting, i, name_type_words[type])) {
            continue;
        }
        if (type == CONFIG_NAME_URI || type == CONFIG_NAME_CN) {
            decode_complain(d, &place, "one of: spiffe, dns, email, ip",
                            "no certificate is made with a name of type \"%s\"",
                            name_type_words[type]);
        } else if (words != &p->names && p->names.count > 0 && !has(&p->names, type)) {
            decode_complain(d, &place, "add it to names, or take it out here",
                            "\"%s\" names type \"%s\", which is not among the names", setting,
                            name_type_words[type]);
        }
    }
}

static void check_made(struct decode *d, const struct config_profile *p)
{
    for (size_t i = 0; i < p->made.count; i++) {
        if (p->made.items[i] == CONFIG_NAME_IP) {
            struct config_place place = config_place_at(&p->mark, "made", i);
            decode_complain(d, &place, NULL, "an address cannot be made from a name");
        }
    }
    for (size_t i = 0; i < p->only_count; i++) {
        if (p->only[i].text != NULL && p->names.count > 0 &&
            !has(&p->names, (int)p->only[i].type)) {
            struct config_place place = config_place_at(&p->mark, "only", i);
            decode_complain(d, &place, NULL,
                            "a pattern of type \"%s\", which is not among the names",
                            name_type_words[p->only[i].type]);
        }
    }
}

static bool is_prefix(const char *text)
{
    size_t len = strlen(text);
    return len > 1 && text[0] != '/' && text[len - 1] == '/' && strstr(text, "//") == NULL &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/") ==
               len;
}

static void finish_profile(struct decode *d, const struct config_node *node, void *base)
{
    const struct config_profile *p = base;
    (void)node;
    check_list(d, p, "purposes", &p->purposes, purpose_words);
    check_list(d, p, "keys", &p->keys, key_words);
    check_names(d, p, "names", &p->names);
    check_names(d, p, "required", &p->required);
    check_names(d, p, "made", &p->made);
    check_made(d, p);
    if (p->life_max_ns != 0 && p->life_max_ns < p->life_ns) {
        struct config_place place = config_place_of(&p->mark, "max-life");
        decode_complain(d, &place, NULL, "the longest life is shorter than the usual one");
    }
    if (p->staple == CONFIG_DEMAND_REQUIRE && p->purposes.count > 0 &&
        !has(&p->purposes, CONFIG_PURPOSE_SERVER)) {
        struct config_place place = config_place_of(&p->mark, "must-staple");
        decode_complain(d, &place, NULL, "only servers staple OCSP responses");
    }
    if (p->spiffe_prefix != NULL && !is_prefix(p->spiffe_prefix)) {
        struct config_place place = config_place_of(&p->mark, "spiffe-prefix");
        decode_complain(d, &place, "such as: printer/", "\"%s\" cannot begin a path",
                        p->spiffe_prefix);
    }
}

static const struct block profile_block = {
    .name = "profile",
    .help = "What one kind of certificate is for and may be.",
    .size = sizeof(struct config_profile),
    .settings = profile_settings,
    .finish = finish_profile,
};

#define THIS config_profiles
static const struct setting profiles_settings[] = {
    {"version", SETTING_NUMBER, .required = true, AT(version), .min = 1, .max = 1, .since = "0.1",
     .help = "version of this language: 1"},
    {"profiles", SETTING_BLOCK, SETTING_MANY, LIST_AT(items, count), .block = &profile_block,
     .since = "0.1", .help = "kinds of certificates beside the built-in ones"},
    {.name = NULL},
};
#undef THIS
const struct block schema_profiles = {
    .name = "file of profiles",
    .help = "An authority's own profiles, in the file authority/profiles.yaml below its directory. "
            "See what follows from them by: mutual show profile.",
    .size = sizeof(struct config_profiles),
    .settings = profiles_settings,
};

/* ---- reading ----------------------------------------------------------------------------------
 */

struct holder {
    struct config_profiles profiles; /* first: this is what others hold */
    struct config_whole whole;       /* its arenas */
};

void config_profiles_free(struct config_profiles *profiles)
{
    if (profiles != NULL) {
        struct holder *holder = (struct holder *)profiles;
        mu_arena_free(holder->whole.tree.arena);
        mu_arena_free(holder->whole.arena);
        mu_free(holder);
    }
}

void mu_config_profiles_auto(struct config_profiles **profiles)
{
    config_profiles_free(*profiles);
}

static void check_all(struct decode *d, const struct config_profiles *profiles)
{
    if (profiles->count > CONFIG_PROFILES_MAX) {
        struct config_place place = config_place_of(&profiles->mark, "profiles");
        decode_complain(d, &place, NULL, "there are more than %u profiles", CONFIG_PROFILES_MAX);
        return;
    }
    for (size_t i = 0; i < profiles->count; i++) {
        const struct config_profile *p = &profiles->items[i];
        for (size_t k = 0; k < i && p->name != NULL; k++) {
            if (profiles->items[k].name != NULL && strcmp(profiles->items[k].name, p->name) == 0) {
                struct config_place place = config_place_of(&p->mark, "name");
                decode_complain(d, &place, NULL, "there are two profiles \"%s\"", p->name);
                break;
            }
        }
    }
}

static void decode_file(struct decode *d, const char *name, struct mu_slice bytes,
                        struct config_profiles *profiles)
{
    struct config_node *root = NULL;
    if (!tree_parse(&d->whole->tree, name, bytes, &root)) {
        d->broken = true;
        return;
    }
    if (root == NULL || root->kind != NODE_MAP) {
        const struct config_place place = {name, 1, 1, 1};
        if (root == NULL || root->kind != NODE_BROKEN) {
            decode_complain(d, &place, "version: 1", "a file of profiles is a block of settings");
        }
        return;
    }
    decode_block(d, &schema_profiles, root, profiles);
    check_all(d, profiles);
}

bool config_profiles_build(const char *name, struct mu_slice bytes,
                           struct config_findings *findings, struct config_profiles **ret_profiles)
{
    size_t errors = findings->errors;
    MU_AUTO(config_snapshot) struct config_snapshot *snapshot = config_snapshot_new();
    struct holder *holder = mu_alloc(1, sizeof *holder);
    MU_AUTO(config_profiles) struct config_profiles *profiles = (struct config_profiles *)holder;
    bool good =
        holder != NULL && snapshot != NULL && config_snapshot_add(snapshot, name, bytes, NULL);
    struct decode d = {.snapshot = snapshot, .findings = findings};
    if (good) {
        holder->whole.arena = mu_arena_new(4u * MU_LIMIT_CONFIG_BYTES);
        holder->whole.tree =
            (struct tree){mu_arena_new(64u * MU_LIMIT_CONFIG_BYTES), snapshot, findings};
        d.whole = &holder->whole;
        good = holder->whole.arena != NULL && holder->whole.tree.arena != NULL;
    }
    if (good) {
        decode_file(&d, name, bytes, profiles);
    }
    if (!good || d.no_memory) {
        config_finding_add(findings, NULL, CONFIG_ERROR, MUTUAL_E_NO_MEMORY, NULL, NULL,
                           "out of memory while reading profiles");
    }
    if (findings->errors != errors) {
        return false;
    }
    holder->whole.tree.snapshot = NULL;
    holder->whole.tree.findings = NULL;
    *ret_profiles = MU_TAKE(profiles);
    return true;
}
