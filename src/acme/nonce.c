/* SPDX-License-Identifier: Apache-2.0
 *
 * Nonces (RFC 8555 section 6.5). Making one writes nothing: it carries its time and a MAC by a
 * secret of the store, which changes every day. Only a used one is written down, until it would be
 * too old anyway, so that none counts twice with any number of authorities on one store, and so
 * that who only asks for nonces fills no disk.
 */
#include "acme/acme_internal.h"

#include <string.h>

enum { SECRET = 32, ID = 8, TIME = 8, SALT = 16, MAC = 16, WHOLE = ID + TIME + SALT + MAC };
enum { AHEAD_S = 60 }; /* two machines' clocks */

struct secret {
    int64_t id, made_s;
    uint8_t bytes[SECRET];
};

/* The newest when `id` is 0. *ret_secret with id 0: none. */
static bool secret_get(struct store *store, int64_t id, struct secret *ret_secret,
                       struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    bool row = false;
    if (!store_prepare(store,
                       id == 0
                           ? "SELECT id, made_s, secret FROM acme_secret ORDER BY id DESC LIMIT 1"
                           : "SELECT id, made_s, secret FROM acme_secret WHERE id = $1",
                       &read, err)) {
        return false;
    }
    if (id != 0) {
        store_bind_int(read, 1, id);
    }
    if (!store_step(read, &row, err)) {
        return false;
    }
    *ret_secret = (struct secret){0};
    if (row && store_bytes(read, 2).len == SECRET) {
        ret_secret->id = store_int(read, 0);
        ret_secret->made_s = store_int(read, 1);
        memcpy(ret_secret->bytes, store_bytes(read, 2).data, SECRET);
    }
    return true;
}

static bool secret_insert(struct store *store, struct secret *secret, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *add = NULL;
    bool row = false;
    if (!mu_random(secret->bytes, SECRET, err) ||
        !store_prepare(store,
                       "INSERT INTO acme_secret (made_s, secret) VALUES ($1, $2) RETURNING id",
                       &add, err)) {
        return false;
    }
    store_bind_int(add, 1, secret->made_s);
    store_bind_bytes(add, 2, mu_slice_of(secret->bytes, SECRET));
    if (!store_step(add, &row, err)) {
        return false;
    }
    secret->id = store_int(add, 0);
    return store_step(add, &row, err);
}

/* A clock that jumped, either way, makes a new one too. */
static bool is_fresh(const struct secret *secret, int64_t now_s)
{
    return secret->id != 0 && now_s >= secret->made_s - AHEAD_S &&
           now_s - secret->made_s < ACME_SECRET_LIFE_S;
}

static bool secret_for(struct store *store, int64_t now_s, struct secret *ret_secret,
                       struct mutual_error *err)
{
    if (!secret_get(store, 0, ret_secret, err) || is_fresh(ret_secret, now_s)) {
        return ret_secret->id != 0;
    }
    if (!store_begin(store, err)) {
        return false;
    }
    bool good = secret_get(store, 0, ret_secret, err); /* another may have been faster */
    if (good && !is_fresh(ret_secret, now_s)) {
        *ret_secret = (struct secret){.made_s = now_s};
        good = secret_insert(store, ret_secret, err);
    }
    if (!good) {
        store_rollback(store);
        return false;
    }
    return store_commit(store, err);
}

static bool seal(const struct secret *secret, const uint8_t *front, uint8_t ret_mac[32],
                 struct mutual_error *err)
{
    return mu_hmac_sha256(mu_slice_of(secret->bytes, SECRET), mu_slice_of(front, WHOLE - MAC),
                          ret_mac, err);
}

bool acme_nonce_new(struct store *store, int64_t now_s, char ret_text[ACME_NONCE_TEXT],
                    struct mutual_error *err)
{
    struct secret secret = {0};
    uint8_t whole[WHOLE];
    uint8_t mac[32];
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, ACME_NONCE_TEXT);
    if (!secret_for(store, now_s, &secret, err) || !mu_random(whole + ID + TIME, SALT, err)) {
        return false;
    }
    mu_put_be64(whole, (uint64_t)secret.id);
    mu_put_be64(whole + ID, (uint64_t)now_s);
    bool good = seal(&secret, whole, mac, err);
    mu_wipe(&secret, sizeof secret);
    if (!good) {
        return false;
    }
    memcpy(whole + WHOLE - MAC, mac, MAC);
    mu_base64url(&text, mu_slice_of(whole, WHOLE));
    (void)snprintf(ret_text, ACME_NONCE_TEXT, "%s", mu_buf_str(&text));
    return true;
}

/* Is it one of ours, and young enough? */
static bool check(struct store *store, const char *text, int64_t now_s, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf whole;
    struct mutual_error why = {0};
    struct secret secret = {0};
    uint8_t mac[32];
    mu_buf_init(&whole, WHOLE);
    if (!mu_base64url_parse(mu_slice_text(text), &whole, &why) || whole.len != WHOLE) {
        return mu_fail(err, MUTUAL_E_ACME_NONCE, "the nonce is not one of ours");
    }
    uint64_t id = mu_get_be64(whole.data);
    if (id == 0 || id > INT64_MAX) {
        return mu_fail(err, MUTUAL_E_ACME_NONCE, "the nonce is not one of ours");
    }
    if (!secret_get(store, (int64_t)id, &secret, err) || !seal(&secret, whole.data, mac, err)) {
        return false;
    }
    mu_wipe(secret.bytes, SECRET);
    if (secret.id == 0 || !mu_equal_secret(mac, whole.data + WHOLE - MAC, MAC)) {
        return mu_fail(err, MUTUAL_E_ACME_NONCE, "the nonce is not one of ours");
    }
    int64_t made_s = (int64_t)mu_get_be64(whole.data + ID); /* ours: the MAC says so */
    return (now_s >= made_s - AHEAD_S && now_s - made_s < ACME_NONCE_LIFE_S) ||
           mu_fail(err, MUTUAL_E_ACME_NONCE, "the nonce is too old");
}

bool acme_nonce_use(struct store *store, const char *text, int64_t now_s, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *add = NULL;
    if (!check(store, text, now_s, err) ||
        !store_prepare(store,
                       "INSERT INTO acme_nonce (nonce, used_s) VALUES ($1, $2)"
                       " ON CONFLICT DO NOTHING",
                       &add, err) ||
        !store_begin(store, err)) {
        return false;
    }
    store_bind_text(add, 1, text);
    store_bind_int(add, 2, now_s);
    if (!store_run(add, err)) {
        store_rollback(store);
        return false;
    }
    bool first = store_changes(store) == 1;
    return store_commit(store, err) &&
           (first || mu_fail(err, MUTUAL_E_ACME_NONCE, "the nonce was used before"));
}

/* Kept longer than a nonce lives, for a clock that is set back a little. */
bool acme_nonce_clean(struct store *store, int64_t now_s, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *nonces = NULL;
    MU_AUTO(store_statement) struct store_statement *secrets = NULL;
    if (!store_prepare(store, "DELETE FROM acme_nonce WHERE used_s < $1", &nonces, err) ||
        !store_prepare(store, "DELETE FROM acme_secret WHERE made_s < $1", &secrets, err)) {
        return false;
    }
    store_bind_int(nonces, 1, now_s - 2 * (int64_t)ACME_SECRET_LIFE_S);
    store_bind_int(secrets, 1, now_s - 2 * (int64_t)ACME_SECRET_LIFE_S);
    return store_run(nonces, err) && store_run(secrets, err);
}
