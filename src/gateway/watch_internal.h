/* SPDX-License-Identifier: Apache-2.0
 *
 * The parent's eye on the files that the configuration names. Directories are watched rather than
 * files, every one on the way to a file and on the way of every symbolic link: so a file that is
 * renamed into place, a link that is turned (as Kubernetes turns "..data"), a directory that comes
 * late and one that is exchanged are all seen. What is written in pieces is given time to settle.
 * A look every half minute finds what no event told: network file systems, an overflow.
 */
#ifndef GATEWAY_WATCH_INTERNAL_H
#define GATEWAY_WATCH_INTERNAL_H

#include "config/config.h"
#include "event/event.h"

struct watch;

/* Calls changed(owner) once things are quiet, when a watched file is another than at the last
 * watch_look. NULL: out of memory. */
typedef void watch_changed_fn(void *owner);
struct watch *watch_new(struct reactor *reactor, watch_changed_fn *changed, void *owner);
void watch_free(struct watch *watch);

/* From now on changes are counted: before files are read. */
void watch_look(struct watch *watch);
/* What was read, and what it names, is watched in place of what was before; `also` (or NULL) is
 * watched too: the one in use while another was refused. */
bool watch_follow(struct watch *watch, const struct config_snapshot *snapshot,
                  const struct config_snapshot *also, struct mutual_error *err) MUTUAL_MUST_CHECK;
/* What stands for the state of the files that are named and not read: keys and passphrases. */
void watch_secrets(const struct config *config, const struct config_snapshot *snapshot,
                   uint8_t ret_stamp[32]);
/* Asks again in a while: now is no time. */
void watch_again(struct watch *watch);
/* Forgets everything: nothing is watched. */
void watch_clear(struct watch *watch);

#endif
