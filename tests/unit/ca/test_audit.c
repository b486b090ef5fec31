/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit's chain and its head outside of the store.
 */
#include "support.h"

static void a_head_is_written_and_read(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct inventory_head head = {.id = INT64_MAX};
    struct inventory_head back;
    char text[CA_HEAD_TEXT];
    memset(head.link, 0xa5, sizeof head.link);
    ca_head_format(&head, text);
    assert_ok(ca_head_parse(text, &back, &err), &err);
    assert_memory_equal(&head, &back, sizeof head);
    static const char *const wrong[] = {
        "", ":", "7", "7:", "7:a5", "x:a5a5", "-1:a5", "99999999999999999999999999999999:00"};
    for (size_t i = 0; i < MU_COUNT(wrong); i++) {
        assert_fails(ca_head_parse(wrong[i], &back, &err), &err, MUTUAL_E_OPTION_VALUE);
    }
    text[strlen(text) - 1] = '\0';
    assert_fails(ca_head_parse(text, &back, &err), &err, MUTUAL_E_OPTION_VALUE);
}

static void events_cut_off_the_end_are_missed(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct inventory_audit audit;
    struct inventory_head early;
    struct inventory_head other = {.id = 1};
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    assert_ok(inventory_head(ca_inventory(ca), &early, &err), &err);
    assert_ok(inventory_event(ca_inventory(ca), NOW, "me", "note", 0, "a", &err), &err);
    ca_close(MU_TAKE(ca)); /* notes the head */
    ca = home_open(CA_CHANGE);
    assert_ok(ca_audit(ca, NULL, &audit, &err), &err);
    assert_ok(ca_audit(ca, &early, &audit, &err), &err);
    assert_int_equal(audit.head.id, early.id + 1);
    assert_fails(ca_audit(ca, &other, &audit, &err), &err, MUTUAL_E_AUDIT_BROKEN);
    assert_ok(store_exec(inventory_store(ca_inventory(ca)),
                         "DELETE FROM event WHERE id = (SELECT max(id) FROM event)", &err),
              &err);
    assert_fails(ca_audit(ca, NULL, &audit, &err), &err, MUTUAL_E_AUDIT_BROKEN);
    assert_non_null(strstr(err.reason, "cut off"));
    /* what happens next does not heal it: that number is another event now, or behind a gap */
    assert_ok(inventory_event(ca_inventory(ca), NOW, "me", "note", 0, "b", &err), &err);
    assert_fails(ca_audit(ca, NULL, &audit, &err), &err, MUTUAL_E_AUDIT_BROKEN);
}

CA_UNIT_MAIN(home_init, UNIT_CASE(a_head_is_written_and_read),
             UNIT_CASE(events_cut_off_the_end_are_missed))
