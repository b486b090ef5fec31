/* SPDX-License-Identifier: Apache-2.0
 *
 * An inventory in a file of its own, with an issuer, and rows as the authority would write them.
 */
#ifndef INVENTORY_SUPPORT_H
#define INVENTORY_SUPPORT_H

#include "inventory/inventory_internal.h"

#include "unit.h"

#include <stdlib.h>
#include <unistd.h>

#define NOW INT64_C(1800000000)
#define DAY INT64_C(86400)

static struct {
    char directory[64];
    char path[96];
    const char *where; /* what inventory_open is given */
    struct inventory *inventory;
    struct mu_key *key;
    int64_t issuer_id;
} place;

static inline int place_make(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    (void)snprintf(place.directory, sizeof place.directory, "/tmp/mutual-inventory-XXXXXX");
    if (mkdtemp(place.directory) == NULL) {
        return 1;
    }
    (void)snprintf(place.path, sizeof place.path, "%s/ca.db", place.directory);
    const char *given = getenv("MUTUAL_TEST_STORE"); /* an empty one */
    place.where = given != NULL ? given : place.path;
    const struct inventory_issuer issuer = {.name = "issuer",
                                            .certificate = MU_SLICE_LIT("der"),
                                            .key_place = "issuer/issuer.key",
                                            .made_s = NOW};
    bool good = inventory_open(place.where, STORE_CREATE, 50, &place.inventory, &err) &&
                inventory_issuer_add(place.inventory, &issuer, &place.issuer_id, &err) &&
                mu_key_generate(MU_SPEC_EC_P256, &place.key, &err);
    if (!good) {
        (void)fprintf(stderr, "%s\n", err.reason);
    }
    return good ? 0 : 1;
}

static inline int place_remove(void **state)
{
    (void)state;
    static const char *const tails[] = {"", "-wal", "-shm", ".lock"};
    inventory_close(place.inventory);
    mu_key_unref(place.key);
    for (size_t i = 0; i < MU_COUNT(tails); i++) {
        char path[160];
        (void)snprintf(path, sizeof path, "%s%s", place.path, tails[i]);
        (void)unlink(path);
    }
    return rmdir(place.directory);
}

static inline struct inventory_record record_named(const char *name)
{
    return (struct inventory_record){
        .issuer_id = place.issuer_id,
        .form = INVENTORY_FORM_DIRECTORY,
        .profile = "server",
        .name = name,
        .owner = "owner",
        .place = "place",
        .purpose = "purpose",
        .path = "/p",
        .aside = "/p.new",
        .key_text = "EC P-256",
        .key_hash = mu_slice_of(mu_key_hash(place.key), 32),
        .requested_s = NOW,
        .not_before_s = NOW,
        .not_after_s = NOW + 90 * DAY,
    };
}

/* Reserves it under a serial of its own. */
static inline int64_t reserve(struct inventory_record *record, uint8_t serial[20])
{
    struct mutual_error err = {0};
    bool taken = true;
    int64_t id = 0;
    assert_ok(mu_serial_new(serial, &err), &err);
    record->serial = mu_slice_of(serial, 20);
    assert_ok(inventory_reserve(place.inventory, record, &taken, &id, &err), &err);
    assert_false(taken);
    return id;
}

static inline struct mu_cert *cert_for(const struct inventory_record *record)
{
    struct mutual_error err = {0};
    struct mu_cert *cert = NULL;
    const struct mu_rdn subject = {MU_ATTR_CN, record->name};
    const struct mu_cert_template template = {.serial = record->serial,
                                              .subject = &subject,
                                              .subject_count = 1,
                                              .not_before_s = record->not_before_s,
                                              .not_after_s = record->not_after_s};
    assert_ok(mu_cert_sign(&template, place.key, &cert, &err), &err);
    return cert;
}

/* All the way to delivered. */
static inline int64_t add(struct inventory_record *record)
{
    struct mutual_error err = {0};
    uint8_t serial[20];
    int64_t id = reserve(record, serial);
    MU_AUTO(cert) struct mu_cert *cert = cert_for(record);
    assert_ok(inventory_signed(place.inventory, id, cert, &err), &err);
    assert_ok(inventory_delivered(place.inventory, id, &err), &err);
    record->serial = (struct mu_slice){0}; /* it was in here */
    return id;
}

static inline struct inventory_records all_of(const struct inventory_filter *filter)
{
    struct mutual_error err = {0};
    struct inventory_records records = {0};
    assert_ok(inventory_records_get(place.inventory, filter, 100, &records, &err), &err);
    return records;
}

#define INVENTORY_UNIT_MAIN(...)                                        \
    int main(void)                                                      \
    {                                                                   \
        const struct CMUnitTest tests[] = {__VA_ARGS__};                \
        return cmocka_run_group_tests(tests, place_make, place_remove); \
    }

#endif
