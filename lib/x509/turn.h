/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a handshake can give way to other work. One step of it costs what fifty messages of an
 * established connection do, and is the library's from beginning to end; these are the places
 * between its costly parts where our own code is called anyway. The session decides what happens
 * there (session/session.c).
 */
#ifndef MU_X509_TURN_H
#define MU_X509_TURN_H

#include "base/base.h"

/* Called in this thread at each such place. False: whoever asked must fail, the session is going.
 */
typedef bool mu_turn_fn(void *owner);
/* NULL: nobody is asked. */
void mu_turn_ask(mu_turn_fn *ask, void *owner);
/* A place: nothing is locked, no pointer into what others change is held across it. */
bool mu_turn(void) MUTUAL_MUST_CHECK;

#endif
