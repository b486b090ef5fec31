/* SPDX-License-Identifier: Apache-2.0
 *
 * What a killed process left between two steps, and what the next one makes of it.
 */
#include "support.h"

#include "inventory/inventory.h"

static const uint8_t key_of_nobody[32];

static struct inventory_record more; /* asked_again and replaces_id of the next row */

/* A row as far as a process got: reserved, and signed when `sign` is set. */
static int64_t leave_row(struct ca *ca, const char *name, enum inventory_form form,
                         const struct mu_key *key, bool sign)
{
    struct mutual_error err = {0};
    uint8_t serial[MU_SERIAL_BYTES];
    bool taken = false;
    int64_t id = 0;
    MU_AUTO(free) char *path = ca_text("%s/tls/%s", home.dir, name);
    MU_AUTO(free) char *aside = ca_text("%s/tls/.%s.1.new", home.dir, name);
    assert_ok(ca_make_directories(aside, 0700, &err), &err);
    assert_ok(mu_serial_new(serial, &err), &err);
    const struct inventory_record record = {
        .issuer_id = ca->at->id,
        .form = form,
        .serial = mu_slice_of(serial, sizeof serial),
        .profile = "server",
        .name = name,
        .owner = "o",
        .place = "p",
        .purpose = "q",
        .path = path,
        .aside = aside,
        .key_text = "EC P-256",
        .key_hash =
            key == NULL ? mu_slice_of(key_of_nobody, 32) : mu_slice_of(mu_key_hash(key), 32),
        .requested_s = NOW,
        .not_before_s = NOW,
        .not_after_s = NOW + DAY,
        .replaces_id = more.replaces_id,
        .asked_again = more.asked_again,
    };
    assert_ok(inventory_reserve(ca->inventory, &record, &taken, &id, &err), &err);
    if (!sign) {
        return id;
    }
    struct ca_signer signer = local_signer();
    const struct mu_key *issuer_key = NULL;
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    const struct mu_rdn subject = {MU_ATTR_CN, name};
    MU_AUTO(key) struct mu_key *own = NULL;
    if (key == NULL) {
        assert_ok(mu_key_generate(MU_SPEC_EC_P256, &own, &err), &err);
        key = own;
    }
    const struct mu_cert_template template = {
        .serial = mu_slice_of(serial, sizeof serial),
        .subject = &subject,
        .subject_count = 1,
        .issuer = ca->at->cert,
        .not_before_s = NOW,
        .not_after_s = NOW + DAY,
        .spki = mu_key_spki(key),
    };
    assert_ok(signer.start(&signer, ca, &issuer_key, &err), &err);
    assert_ok(mu_cert_sign(&template, issuer_key, &cert, &err), &err);
    signer.stop(&signer);
    assert_ok(inventory_signed(ca->inventory, id, cert, &err), &err);
    return id;
}

static struct inventory_record recovered(struct ca *ca, int64_t id,
                                         struct inventory_records *records)
{
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf notes;
    mu_buf_init(&notes, 65536);
    assert_ok(ca_recover(ca, NOW, &notes, &err), &err);
    assert_non_null(strstr(mu_buf_str(&notes), "was interrupted"));
    const struct inventory_filter filter = {.id = id};
    assert_ok(inventory_records_get(ca->inventory, &filter, 1, records, &err), &err);
    struct inventory_counts counts;
    assert_ok(inventory_count(ca->inventory, NOW, &counts, &err), &err);
    assert_int_equal(counts.interrupted, 0);
    return records->count == 1 ? records->items[0] : (struct inventory_record){0};
}

struct last {
    int64_t id; /* of the certificate */
    char who[64], action[16];
};

static bool take_last(void *context, const struct inventory_event *event)
{
    struct last *last = context;
    if (event->certificate_id == last->id) {
        (void)snprintf(last->who, sizeof last->who, "%s", event->who);
        (void)snprintf(last->action, sizeof last->action, "%s", event->action);
    }
    return true;
}

/* Whoever takes the lock next has asked for none of it. */
static void assert_not_blamed(struct ca *ca, int64_t id, const char *action)
{
    struct mutual_error err = {0};
    struct last last = {.id = id};
    char who[64];
    (void)snprintf(who, sizeof who, "recovery, before %s", ca->who);
    assert_ok(inventory_events(ca->inventory, take_last, &last, &err), &err);
    assert_string_equal(last.who, who);
    assert_string_equal(last.action, action);
}

static void what_was_only_reserved_is_given_up(void **state)
{
    (void)state;
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    int64_t id = leave_row(ca, "reserved", INVENTORY_FORM_DIRECTORY, NULL, false);
    assert_int_equal(recovered(ca, id, &records).id, 0); /* abandoned rows are not shown */
    assert_false(exists(at_home("tls/.reserved.1.new")) || exists(at_home("tls/reserved")));
}

static void what_has_its_key_is_finished(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    MU_AUTO(key) struct mu_key *key = NULL;
    MU_AUTO(buf) struct mu_buf pem;
    mu_buf_init(&pem, 65536);
    assert_ok(mu_key_generate(MU_SPEC_EC_P256, &key, &err), &err);
    assert_ok(mu_key_to_pem(key, NULL, &pem, &err), &err);
    int64_t id = leave_row(ca, "signed", INVENTORY_FORM_DIRECTORY, key, true);
    assert_ok(mu_file_write(at_home("tls/.signed.1.new/tls.key"), mu_buf_slice(&pem), 0600, &err),
              &err);
    assert_ok(
        mu_file_write(at_home("tls/.signed.1.new/tls.crt.1.new"), MU_SLICE_LIT("x"), 0600, &err),
        &err);
    struct inventory_record record = recovered(ca, id, &records);
    assert_int_equal(record.state, INVENTORY_DELIVERED);
    assert_false(record.revoked);
    assert_true(exists(at_home("tls/signed/tls.key")) && exists(at_home("tls/signed/ca.crt")));
    assert_false(exists(at_home("tls/signed/tls.crt.1.new")));
}

static void what_was_in_place_is_only_written_down(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    MU_AUTO(inventory_records) struct inventory_records before = {0};
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    int64_t id = leave_row(ca, "placed", INVENTORY_FORM_REQUEST, NULL, true);
    const struct inventory_filter filter = {.id = id};
    assert_ok(inventory_records_get(ca->inventory, &filter, 1, &before, &err), &err);
    assert_ok(mu_cert_from_der(before.items[0].der, &cert, &err), &err);
    assert_ok(ca_deliver(ca, cert, before.items[0].aside, before.items[0].path, false, &err), &err);
    assert_int_equal(recovered(ca, id, &records).state, INVENTORY_DELIVERED);
    /* And a request's certificate needs nothing of ours to be delivered. */
    id = leave_row(ca, "theirs", INVENTORY_FORM_REQUEST, NULL, true);
    inventory_records_done(&records);
    assert_false(recovered(ca, id, &records).revoked);
    assert_true(exists(at_home("tls/theirs/tls.crt")));
}

static void what_nobody_can_use_is_revoked(void **state)
{
    (void)state;
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    static const enum inventory_form forms[] = {INVENTORY_FORM_DIRECTORY, INVENTORY_FORM_P12};
    static const char *const names[] = {"keyless", "untold"};
    for (size_t i = 0; i < MU_COUNT(forms); i++) {
        MU_AUTO(inventory_records) struct inventory_records records = {0};
        int64_t id = leave_row(ca, names[i], forms[i], NULL, true);
        struct inventory_record record = recovered(ca, id, &records);
        assert_true(record.revoked);
        assert_int_equal(record.reason, MU_REASON_CESSATION);
        assert_not_blamed(ca, id, "give_up");
    }
    assert_true(ca->at->crl_due);
    assert_false(exists(at_home("tls/keyless")) || exists(at_home("tls/.keyless.1.new")));
}

/* Over the network: the key is whoever's who asks, and he asks again. */
static void what_is_asked_for_again_is_kept_for_it(void **state)
{
    (void)state;
    for (int again = 0; again < 2; again++) {
        MU_AUTO(ca) struct ca *ca = home_open(CA_SERVE);
        MU_AUTO(inventory_records) struct inventory_records records = {0};
        more = (struct inventory_record){.asked_again = again == 1};
        int64_t id = leave_row(ca, again ? "asks" : "printed", INVENTORY_FORM_NONE, NULL, true);
        more = (struct inventory_record){0};
        struct inventory_record record = recovered(ca, id, &records);
        assert_int_equal(record.state, INVENTORY_DELIVERED);
        assert_int_equal(record.revoked, again == 0);
    }
}

/* The predecessor is what its owner has, and no device may be told that it was replaced. */
static void what_is_given_up_took_nobodys_place(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    MU_AUTO(inventory_records) struct inventory_records before = {0};
    int64_t old = leave_row(ca, "before", INVENTORY_FORM_REQUEST, NULL, true);
    assert_int_equal(recovered(ca, old, &records).replaced_by_id, 0);
    more = (struct inventory_record){.replaces_id = old};
    int64_t id = leave_row(ca, "after", INVENTORY_FORM_P12, NULL, true);
    more = (struct inventory_record){0};
    const struct inventory_filter filter = {.id = old};
    assert_ok(inventory_records_get(ca->inventory, &filter, 1, &before, &err), &err);
    assert_int_equal(before.items[0].replaced_by_id, id);
    inventory_records_done(&records);
    assert_true(recovered(ca, id, &records).revoked);
    inventory_records_done(&before);
    assert_ok(inventory_records_get(ca->inventory, &filter, 1, &before, &err), &err);
    assert_int_equal(before.items[0].replaced_by_id, 0);
}

static void a_p12_whose_password_nobody_saw_is_taken_back(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    MU_AUTO(inventory_records) struct inventory_records before = {0};
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    int64_t id = leave_row(ca, "p12", INVENTORY_FORM_P12, NULL, true);
    const struct inventory_filter filter = {.id = id};
    assert_ok(inventory_records_get(ca->inventory, &filter, 1, &before, &err), &err);
    assert_ok(mu_cert_from_der(before.items[0].der, &cert, &err), &err);
    assert_ok(ca_deliver(ca, cert, before.items[0].aside, before.items[0].path, false, &err), &err);
    assert_true(recovered(ca, id, &records).revoked);
    assert_false(exists(at_home("tls/p12")));
}

CA_UNIT_MAIN(home_init, UNIT_CASE(what_was_only_reserved_is_given_up),
             UNIT_CASE(what_has_its_key_is_finished),
             UNIT_CASE(what_was_in_place_is_only_written_down),
             UNIT_CASE(what_nobody_can_use_is_revoked),
             UNIT_CASE(what_is_asked_for_again_is_kept_for_it),
             UNIT_CASE(what_is_given_up_took_nobodys_place),
             UNIT_CASE(a_p12_whose_password_nobody_saw_is_taken_back))
