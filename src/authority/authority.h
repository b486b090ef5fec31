/* SPDX-License-Identifier: Apache-2.0
 *
 * The authority as a process: it gets connections from workers, each with who was proved on it,
 * speaks HTTP on them, and answers by the tables of the protocols. It has the authority's store and
 * its directory, and no key: what is signed is signed in the key process. What requests change is
 * changed one after the other, each under the store's lock for its time.
 */
#ifndef AUTHORITY_AUTHORITY_H
#define AUTHORITY_AUTHORITY_H

#include "process/process.h"

/* For src/cli/roles.c, and for struct gateway_options. The second keeps the revocation lists and
 * the responders' certificates fresh beside the first, so that nobody who asks waits for it; it
 * serves no stream, and tells the parent of keys that it made (KEYS_MADE). */
extern const struct role authority_role;
extern const struct role authority_publisher_role;

#endif
