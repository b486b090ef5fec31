/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a handshake can give way.
 */
#include "x509/turn.h"

static _Thread_local struct {
    mu_turn_fn *ask;
    void *owner;
} asked;

void mu_turn_ask(mu_turn_fn *ask, void *owner)
{
    asked.ask = ask;
    asked.owner = owner;
}

bool mu_turn(void)
{
    return asked.ask == NULL || asked.ask(asked.owner);
}
