/* SPDX-License-Identifier: Apache-2.0
 *
 * The timer wheel: hierarchical, tickless, O(1) to arm and to cancel (see event_internal.h).
 */
#include "event/event_internal.h"

static void list_init(struct event_timer *head)
{
    head->next = head;
    head->prev = head;
}

static void list_append(struct event_timer *head, struct event_timer *timer)
{
    timer->prev = head->prev;
    timer->next = head;
    head->prev->next = timer;
    head->prev = timer;
}

static void list_unlink(struct event_timer *timer)
{
    timer->prev->next = timer->next;
    timer->next->prev = timer->prev;
    timer->next = NULL;
    timer->prev = NULL;
}

/* Moves all of `from` behind the heads of `to`. */
static void list_move(struct event_timer *to, struct event_timer *from)
{
    if (from->next == from) {
        return;
    }
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

void wheel_init(struct wheel *wheel, uint64_t now)
{
    *wheel = (struct wheel){.now = now};
    for (size_t i = 0; i < MU_COUNT(wheel->slots); i++) {
        list_init(&wheel->slots[i]);
    }
    list_init(&wheel->due);
}

void wheel_put(struct wheel *wheel, struct event_timer *timer, uint64_t tick)
{
    if (tick <= wheel->now) {
        tick = wheel->now + 1;
    }
    unsigned top_bit = 63u - (unsigned)__builtin_clzll(tick ^ wheel->now);
    unsigned level = top_bit / WHEEL_BITS;
    mu_assert(level < WHEEL_LEVELS);
    unsigned digit = (unsigned)(tick >> (level * WHEEL_BITS)) & (WHEEL_SLOTS - 1);
    timer->tick = tick;
    timer->slot = (uint16_t)(level * WHEEL_SLOTS + digit);
    wheel->occupied[level] |= UINT64_C(1) << digit;
    list_append(&wheel->slots[timer->slot], timer);
}

void wheel_remove(struct wheel *wheel, struct event_timer *timer)
{
    if (timer->next == NULL) {
        return;
    }
    list_unlink(timer);
    if (timer->slot == WHEEL_NO_SLOT) {
        return; /* it was due */
    }
    const struct event_timer *head = &wheel->slots[timer->slot];
    if (head->next == head) {
        wheel->occupied[timer->slot / WHEEL_SLOTS] &= ~(UINT64_C(1) << (timer->slot % WHEEL_SLOTS));
    }
}

/* Where the next work is: false when there is none. */
static bool find_next(const struct wheel *wheel, unsigned *ret_level, unsigned *ret_digit,
                      uint64_t *ret_tick)
{
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        if (wheel->occupied[level] != 0) {
            unsigned digit = (unsigned)__builtin_ctzll(wheel->occupied[level]);
            unsigned shift = level * WHEEL_BITS;
            uint64_t above = wheel->now >> (shift + WHEEL_BITS) << (shift + WHEEL_BITS);
            *ret_level = level;
            *ret_digit = digit;
            *ret_tick = above | (uint64_t)digit << shift;
            return true;
        }
    }
    return false;
}

uint64_t wheel_next(const struct wheel *wheel)
{
    unsigned level;
    unsigned digit;
    uint64_t tick;
    return find_next(wheel, &level, &digit, &tick) ? tick : WHEEL_NEVER;
}

static void fire_due(struct wheel *wheel)
{
    while (wheel->due.next != &wheel->due) {
        struct event_timer *timer = wheel->due.next;
        list_unlink(timer);
        timer->fire(timer->owner);
    }
}

/* The slot's time has come: level 0 fires, a higher one is sorted into lower levels. */
static void open_slot(struct wheel *wheel, unsigned level, unsigned digit)
{
    struct event_timer list;
    list_init(&list);
    list_move(&list, &wheel->slots[level * WHEEL_SLOTS + digit]);
    wheel->occupied[level] &= ~(UINT64_C(1) << digit);
    while (list.next != &list) {
        struct event_timer *timer = list.next;
        list_unlink(timer);
        if (timer->tick <= wheel->now) {
            timer->slot = WHEEL_NO_SLOT;
            list_append(&wheel->due, timer);
        } else {
            wheel_put(wheel, timer, timer->tick);
        }
    }
    fire_due(wheel);
}

void wheel_advance(struct wheel *wheel, uint64_t to)
{
    unsigned level;
    unsigned digit;
    uint64_t tick;
    while (find_next(wheel, &level, &digit, &tick) && tick <= to) {
        wheel->now = tick;
        open_slot(wheel, level, digit);
    }
    if (to > wheel->now) {
        wheel->now = to;
    }
}

void wheel_drop(struct wheel *wheel)
{
    for (size_t i = 0; i < MU_COUNT(wheel->slots); i++) {
        while (wheel->slots[i].next != &wheel->slots[i]) {
            list_unlink(wheel->slots[i].next);
        }
    }
}
