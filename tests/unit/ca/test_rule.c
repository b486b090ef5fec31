/* SPDX-License-Identifier: Apache-2.0
 *
 * The printed rule is the rule. Requests are enumerated; for each the outcome is foretold from the
 * JSON that `mutual show profile` prints, by code that knows nothing else, and compared with what
 * the issuing code says; some are then issued.
 */
#include "support.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <strings.h>

static const char own_profiles[] =
    "version: 1\n"
    "profiles:\n"
    "  - name: printer\n"
    "    purposes: server\n"
    "    life: 30d\n"
    "    keys: [ed25519, rsa-2048]\n"
    "    names: [dns, spiffe, ip]\n"
    "    required: dns\n"
    "    made: dns\n"
    "    only: [{dns: '*.print.example.org'}, {dns: grid.example.org}, {ip: 10.1.0.0/16}]\n"
    "    must-staple: require\n"
    "  - name: mixed\n"
    "    purposes: [client, server]\n"
    "    life: 1d\n"
    "    max-life: 400d\n"
    "    names: [dns, spiffe, email, ip]\n"
    "    required: [spiffe, email]\n"
    "    spiffe-prefix: mix/ed/\n"
    "    must-staple: forbid\n"
    "  - {name: user, purposes: client, life: 2h, names: email, only: [{email: '@example.org'}]}\n";

/* ---- the other reading of the rule ----------------------------------------------------------- */

struct wish {
    const struct mutual_name *names;
    size_t count;
    const char *key;
    int64_t life_s;
    unsigned eku;
    bool staple;
};

static bool ends_with(const char *text, const char *tail)
{
    size_t len = strlen(text);
    size_t tail_len = strlen(tail);
    return len >= tail_len && strcasecmp(text + len - tail_len, tail) == 0;
}

static bool below(const char *host, const char *base)
{
    char dotted[300];
    (void)snprintf(dotted, sizeof dotted, ".%s", base);
    return strcasecmp(host, base) == 0 || ends_with(host, dotted);
}

static bool in_range(const char *address, const char *range)
{
    char base[64];
    unsigned bits = 0;
    uint8_t a[16];
    uint8_t b[16];
    (void)snprintf(base, sizeof base, "%s", range);
    char *slash = strchr(base, '/');
    bits = slash != NULL ? (unsigned)atoi(slash + 1) : strchr(base, ':') != NULL ? 128 : 32;
    if (slash != NULL) {
        *slash = '\0';
    }
    int family = strchr(base, ':') != NULL ? AF_INET6 : AF_INET;
    if (inet_pton(family, address, a) != 1 || inet_pton(family, base, b) != 1) {
        return false;
    }
    for (unsigned i = 0; i < bits; i++) {
        if (((a[i / 8] ^ b[i / 8]) & 0x80 >> i % 8) != 0) {
            return false;
        }
    }
    return true;
}

static const char *spiffe_host(const char *text, char host[300])
{
    (void)snprintf(host, 300, "%s", text + strlen("spiffe://"));
    host[strcspn(host, "/")] = '\0';
    return host;
}

static bool within(enum mutual_name_type type, const char *name, const char *base)
{
    char host[300];
    if (type == MUTUAL_NAME_DNS) {
        return below(name, base);
    }
    if (type == MUTUAL_NAME_SPIFFE) {
        return strcasecmp(spiffe_host(name, host), base) == 0;
    }
    return type == MUTUAL_NAME_EMAIL ? strcasecmp(strchr(name, '@') + 1, base) == 0
                                     : type == MUTUAL_NAME_IP && in_range(name, base);
}

/* The patterns of the profiles above: "*.host", "@host", ranges, exact names. */
static bool matches(enum mutual_name_type type, const char *name, const char *pattern)
{
    if (type == MUTUAL_NAME_DNS && pattern[0] == '*') {
        const char *dot = strchr(name, '.');
        return dot != NULL && strcmp(dot, pattern + 1) == 0;
    }
    if (type == MUTUAL_NAME_EMAIL && pattern[0] == '@') {
        return ends_with(name, pattern);
    }
    return type == MUTUAL_NAME_IP ? in_range(name, pattern) : strcmp(name, pattern) == 0;
}

static bool any(const json_t *list, enum mutual_name_type type, const char *name,
                bool (*fits)(enum mutual_name_type type, const char *name, const char *base))
{
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
    {
        if (fits(type, name, json_string_value(item))) {
            return true;
        }
    }
    return false;
}

static bool name_is_foretold(const json_t *rule, const struct mutual_name *name)
{
    const json_t *type =
        json_object_get(json_object_get(rule, "names"), mutual_name_type_word(name->type));
    const json_t *only = json_object_get(type, "only");
    const json_t *permitted = json_object_get(type, "permitted");
    const json_t *excluded = json_object_get(type, "excluded");
    if (!json_is_true(json_object_get(type, "may")) ||
        (json_array_size(only) > 0 && !any(only, name->type, name->text, matches))) {
        return false;
    }
    if (!json_is_true(json_object_get(rule, "constrained"))) {
        return true;
    }
    bool some = json_array_size(permitted) > 0;
    return !any(excluded, name->type, name->text, within) &&
           (some ? any(permitted, name->type, name->text, within) : json_array_size(excluded) > 0);
}

static bool has_word(const json_t *list, const char *word)
{
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
    {
        if (strcmp(json_string_value(item), word) == 0) {
            return true;
        }
    }
    return false;
}

static int64_t number(const json_t *rule, const char *key)
{
    return json_integer_value(json_object_get(rule, key));
}

static const char *text(const json_t *rule, const char *key)
{
    return json_string_value(json_object_get(rule, key));
}

/* Given names, and those that the rule says are made of "grid". */
static size_t all_names(const json_t *rule, const struct wish *wish, struct mutual_name out[16],
                        char made[3][300])
{
    static const enum mutual_name_type types[] = {MUTUAL_NAME_SPIFFE, MUTUAL_NAME_DNS,
                                                  MUTUAL_NAME_EMAIL};
    size_t count = 0;
    for (; count < wish->count; count++) {
        out[count] = wish->names[count];
    }
    const char *domain = text(rule, "domain");
    (void)snprintf(made[0], 300, "spiffe://%s/%sgrid", domain, text(rule, "spiffe_prefix"));
    (void)snprintf(made[1], 300, "grid.%s", domain);
    (void)snprintf(made[2], 300, "grid@%s", domain);
    for (size_t i = 0; i < MU_COUNT(types); i++) {
        bool given = false;
        for (size_t k = 0; k < wish->count; k++) {
            given = given || wish->names[k].type == types[i];
        }
        const json_t *type =
            json_object_get(json_object_get(rule, "names"), mutual_name_type_word(types[i]));
        if (!given && json_is_true(json_object_get(type, "made"))) {
            out[count++] = (struct mutual_name){types[i], made[i], strlen(made[i])};
        }
    }
    return count;
}

static bool names_are_foretold(const json_t *rule, const struct wish *wish)
{
    struct mutual_name names[16];
    char made[3][300];
    size_t count = all_names(rule, wish, names, made);
    size_t spiffe = 0;
    for (size_t i = 0; i < count; i++) {
        spiffe += names[i].type == MUTUAL_NAME_SPIFFE;
        if (!name_is_foretold(rule, &names[i])) {
            return false;
        }
    }
    for (int type = 0; type < MUTUAL_NAME_COUNT_; type++) {
        const json_t *entry = json_object_get(json_object_get(rule, "names"),
                                              mutual_name_type_word((enum mutual_name_type)type));
        bool there = false;
        for (size_t i = 0; i < count; i++) {
            there = there || (int)names[i].type == type;
        }
        if (json_is_true(json_object_get(entry, "must")) && !there) {
            return false;
        }
    }
    return count >= (size_t)number(rule, "names_min") &&
           count <= (size_t)number(rule, "names_max") &&
           spiffe <= (size_t)number(rule, "spiffe_max");
}

/* Only its organisation: O=example.org in all of them. */
static bool subject_is_foretold(const json_t *rule)
{
    const json_t *subject = json_object_get(rule, "subject");
    char own[300];
    (void)snprintf(own, sizeof own, "O=%s", text(subject, "organisation"));
    const json_t *permitted = json_object_get(subject, "permitted");
    return !has_word(json_object_get(subject, "excluded"), own) &&
           (json_array_size(permitted) == 0 || has_word(permitted, own));
}

static bool purposes_are_foretold(const json_t *rule, const struct wish *wish)
{
    static const struct {
        unsigned bit;
        const char *word;
    } words[] = {{MU_EKU_SERVER, "server"}, {MU_EKU_CLIENT, "client"}, {MU_EKU_CODE, "code"}};
    const json_t *granted = json_object_get(rule, "eku");
    bool server = wish->eku == 0 && has_word(granted, "server");
    for (size_t i = 0; i < MU_COUNT(words); i++) {
        if ((wish->eku & words[i].bit) != 0) {
            server = server || words[i].bit == MU_EKU_SERVER;
            if (!has_word(granted, words[i].word)) {
                return false;
            }
        }
    }
    const char *demand = text(rule, "must_staple");
    bool staple = wish->staple || strcmp(demand, "require") == 0;
    return json_array_size(granted) > 0 && (!staple || (server && strcmp(demand, "forbid") != 0));
}

static bool is_foretold(const json_t *rule, const struct wish *wish)
{
    int64_t life_s = wish->life_s == 0 ? number(rule, "life_s") : wish->life_s;
    int64_t end_s = 0;
    int64_t begin_s = 0;
    assert_true(mu_time_parse(text(rule, "ends"), &end_s, NULL));
    assert_true(mu_time_parse(text(rule, "begins"), &begin_s, NULL));
    return names_are_foretold(rule, wish) && subject_is_foretold(rule) &&
           purposes_are_foretold(rule, wish) &&
           has_word(json_object_get(rule, "keys"), wish->key) &&
           life_s >= number(rule, "life_min_s") && life_s <= number(rule, "life_max_s") &&
           NOW >= begin_s && NOW < end_s && (wish->life_s == 0 || NOW + life_s <= end_s);
}

/* ---- the grid -------------------------------------------------------------------------------- */

#define DNS(text_)                                \
    {                                             \
        MUTUAL_NAME_DNS, text_, sizeof(text_) - 1 \
    }
#define SPIFFE(text_)                                \
    {                                                \
        MUTUAL_NAME_SPIFFE, text_, sizeof(text_) - 1 \
    }
#define EMAIL(text_)                                \
    {                                               \
        MUTUAL_NAME_EMAIL, text_, sizeof(text_) - 1 \
    }
#define IP(text_)                                \
    {                                            \
        MUTUAL_NAME_IP, text_, sizeof(text_) - 1 \
    }
static const struct mutual_name sets[][5] = {
    {{0}},
    {DNS("web.example.org")},
    {DNS("a.print.example.org")},
    {DNS("a.b.print.example.org")},
    {DNS("x.iot.example.org")},
    {DNS("x.secret.iot.example.org")},
    {DNS("web.example.com")},
    {SPIFFE("spiffe://example.org/a")},
    {SPIFFE("spiffe://iot.example.org/a")},
    {SPIFFE("spiffe://example.com/a")},
    {SPIFFE("spiffe://example.org/a"), SPIFFE("spiffe://example.org/b")},
    {EMAIL("a@example.org")},
    {EMAIL("a@mail.example.org")},
    {EMAIL("a@example.com")},
    {IP("10.1.2.3")},
    {IP("10.2.0.1")},
    {IP("192.0.2.1")},
    {IP("2001:db8::1")},
    {DNS("a.print.example.org"), IP("10.1.0.9")},
    {SPIFFE("spiffe://example.org/a"), EMAIL("a@example.org")},
    {SPIFFE("spiffe://example.org/a"), EMAIL("a@example.org"), DNS("w.example.org"),
     IP("10.1.2.3")},
    {DNS("x.iot.example.org"), SPIFFE("spiffe://iot.example.org/x")},
};
static const int64_t lives[] = {0, 59, 60, 30 * DAY, 399 * DAY, 1000 * DAY};
static const unsigned purposes[] = {0, MU_EKU_SERVER, MU_EKU_CLIENT, MU_EKU_SERVER | MU_EKU_CLIENT,
                                    MU_EKU_CODE | MU_EKU_CLIENT};
static const char *const issuers[] = {"issuer", "iot", "addresses", "others", "short"};
static const char *const profiles[] = {"server",  "client", "service", "device",
                                       "printer", "mixed",  "user"};

static void add_issuer(struct ca *ca, const char *word, const char *const *permit,
                       size_t permit_count, const char *const *exclude, size_t exclude_count,
                       int64_t life_s)
{
    struct mutual_error err = {0};
    const struct ca_issuer_options options = {.word = word,
                                              .permit = permit,
                                              .permit_count = permit_count,
                                              .exclude = exclude,
                                              .exclude_count = exclude_count,
                                              .key = MU_SPEC_EC_P256,
                                              .life_s = life_s,
                                              .passphrase = HOME_PASSPHRASE,
                                              .owner = "tests",
                                              .place = "here",
                                              .now_s = NOW};
    assert_ok(ca_issuer_add(ca, &options, &err), &err);
}

static int make_grid(void **state)
{
    struct mutual_error err = {0};
    if (home_init(state) != 0) {
        return 1;
    }
    assert_ok(
        mu_file_write(at_home("authority/profiles.yaml"), mu_slice_text(own_profiles), 0644, &err),
        &err);
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    static const char *const iot[] = {"dns:iot.example.org", "uri:iot.example.org"};
    static const char *const secret[] = {"dns:secret.iot.example.org"};
    static const char *const addresses[] = {"ip:10.0.0.0/8", "ip:2001:db8::/32",
                                            "email:example.org", "dir:O=example.org"};
    static const char *const but[] = {"ip:10.2.0.0/16"};
    static const char *const others[] = {"dns:example.org", "uri:example.org", "dir:O=Somebody"};
    add_issuer(ca, "iot", iot, 2, secret, 1, 1000 * DAY);
    add_issuer(ca, "addresses", addresses, 4, but, 1, 1000 * DAY);
    add_issuer(ca, "others", others, 3, NULL, 0, 1000 * DAY);
    add_issuer(ca, "short", NULL, 0, NULL, 0, 20 * DAY);
    return 0;
}

static json_t *printed(struct ca *ca, const char *issuer, const char *profile)
{
    struct mutual_error err = {0};
    const struct ca_profile *found = NULL;
    struct ca_rule rule;
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 1u << 20);
    assert_ok(ca_select(ca, issuer, &err), &err);
    assert_ok(ca_profile_of(ca, profile, &found, &err), &err);
    ca_rule_of(ca, found, &rule);
    ca_rule_describe(&rule, true, &out);
    json_error_t why;
    json_t *json = json_loads(mu_buf_str(&out), JSON_REJECT_DUPLICATES, &why);
    assert_non_null(json);
    return json;
}

static struct ca_request request_of(struct ca *ca, const char *issuer, const char *profile,
                                    const struct wish *wish)
{
    struct mutual_error err = {0};
    struct ca_request request = {.issuer = issuer,
                                 .name = "grid",
                                 .names = wish->names,
                                 .name_count = wish->count,
                                 .life_s = wish->life_s,
                                 .key_given = true,
                                 .eku = wish->eku,
                                 .must_staple = wish->staple,
                                 .owner = "web team",
                                 .place = "rack 4",
                                 .now_s = NOW};
    assert_ok(ca_profile_of(ca, profile, &request.profile, &err), &err);
    assert_true(mu_key_spec_find(wish->key, &request.key));
    return request;
}

struct tally {
    size_t permitted, refused;
};

static void compare(struct ca *ca, const json_t *rule, const char *issuer, const char *profile,
                    const struct wish *wish, struct tally *tally)
{
    struct mutual_error err = {0};
    struct ca_decision decision = {0};
    const struct ca_request request = request_of(ca, issuer, profile, wish);
    bool foretold = is_foretold(rule, wish);
    bool permitted = ca_permits(ca, &request, &decision, &err);
    if (foretold != permitted) {
        fail_msg(
            "%s/%s %s key %s life %lld eku %x staple %d: the rule says %d, issuing says %d: %s",
            issuer, profile, wish->count > 0 ? wish->names[0].text : "-", wish->key,
            (long long)wish->life_s, wish->eku, wish->staple, foretold, permitted, err.reason);
    }
    if (permitted) {
        assert_true(decision.not_after_s <= NOW + number(rule, "life_max_s"));
        tally->permitted++;
    } else {
        assert_int_not_equal(err.code, MUTUAL_OK);
        tally->refused++;
    }
}

static struct wish wish_of(size_t set, size_t n)
{
    struct wish wish = {.names = sets[set]};
    while (wish.count < 5 && sets[set][wish.count].text != NULL) {
        wish.count++;
    }
    wish.key = mu_key_spec_word((enum mu_key_spec)(n % MU_SPEC_COUNT_));
    n /= MU_SPEC_COUNT_;
    wish.life_s = lives[n % MU_COUNT(lives)];
    n /= MU_COUNT(lives);
    wish.eku = purposes[n % MU_COUNT(purposes)];
    n /= MU_COUNT(purposes);
    wish.staple = n % 2 == 1;
    return wish;
}
#define POINTS (MU_SPEC_COUNT_ * MU_COUNT(lives) * MU_COUNT(purposes) * 2)

static void the_printed_rule_foretells_every_outcome(void **state)
{
    (void)state;
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    struct tally tally = {0, 0};
    for (size_t i = 0; i < MU_COUNT(issuers) * MU_COUNT(profiles); i++) {
        const char *issuer = issuers[i / MU_COUNT(profiles)];
        const char *profile = profiles[i % MU_COUNT(profiles)];
        json_t *rule = printed(ca, issuer, profile);
        for (size_t set = 0; set < MU_COUNT(sets); set++) {
            /* All of the grid for a third of the names in turn, every seventh point for the rest:
             * the parts of a rule are judged one by one. */
            size_t step = (set + i) % 3 == 0 ? 1 : 7;
            for (size_t n = (set + i) % step; n < POINTS; n += step) {
                const struct wish wish = wish_of(set, n);
                compare(ca, rule, issuer, profile, &wish, &tally);
            }
        }
        json_decref(rule);
    }
    assert_true(tally.permitted > 1000 && tally.refused > 10000);
}

/* What is permitted is issued, and is what was asked for; what is not is refused likewise. */
static void what_is_permitted_is_issued(void **state)
{
    (void)state;
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    struct ca_signer signer = local_signer();
    size_t issued_count = 0;
    size_t refused_count = 0;
    for (size_t i = 0; i < MU_COUNT(issuers) * MU_COUNT(profiles) * MU_COUNT(sets); i++) {
        const char *issuer = issuers[i % MU_COUNT(issuers)];
        const char *profile = profiles[i / MU_COUNT(issuers) % MU_COUNT(profiles)];
        const struct wish wish = wish_of(i % MU_COUNT(sets), i % 3 == 0 ? 0 : 5);
        struct mutual_error err = {0};
        struct ca_decision decision = {0};
        struct ca_request request = request_of(ca, issuer, profile, &wish);
        MU_AUTO(ca_issued) struct ca_issued issued = {0};
        MU_AUTO(csr) struct mu_csr *csr = home_csr(request.key, NULL, 0);
        request.csr = csr;
        request.print_only = true;
        bool permitted = ca_permits(ca, &request, &decision, &err);
        if (permitted ? issued_count > 60 : refused_count > 200) {
            continue;
        }
        assert_int_equal(ca_issue(ca, &request, &signer, &issued, &err), permitted);
        if (!permitted) {
            refused_count++;
            continue;
        }
        const struct mu_cert_facts *facts = mu_cert_facts(issued.cert);
        assert_true(facts->not_after_s == decision.not_after_s && facts->eku == decision.eku);
        assert_int_equal(facts->key_usage, decision.key_usage);
        assert_int_equal(facts->must_staple, decision.must_staple);
        assert_ok(mu_cert_signed_by(issued.cert, ca_issuer(ca), &err), &err);
        assert_true(facts->name_count >= wish.count);
        issued_count++;
    }
    assert_true(issued_count > 30 && refused_count > 100);
}

static void a_profile_of_the_same_name_counts(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct ca_decision decision;
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    struct ca_request request = home_request("user", "bob"); /* the built-in one's address */
    request.life_s = 100 * DAY;
    assert_fails(ca_permits(ca, &request, &decision, &err), &err, MUTUAL_E_PROFILE_DENIED);
    request.life_s = 7200;
    assert_fails(ca_permits(ca, &request, &decision, &err), &err, MUTUAL_E_PROFILE_DENIED);
    const struct mutual_name name = EMAIL("bob@example.org");
    request.names = &name;
    request.name_count = 1;
    assert_ok(ca_permits(ca, &request, &decision, &err), &err);
    request.issuer = "nobody";
    assert_fails(ca_permits(ca, &request, &decision, &err), &err, MUTUAL_E_NOT_FOUND);
}

CA_UNIT_MAIN(make_grid, cmocka_unit_test(the_printed_rule_foretells_every_outcome),
             cmocka_unit_test(what_is_permitted_is_issued),
             cmocka_unit_test(a_profile_of_the_same_name_counts))
