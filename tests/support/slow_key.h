/* SPDX-License-Identifier: Apache-2.0
 *
 * An EC key behind a provider of the test's own, which signs when it is told to: now, later, or
 * never. It stands for a key that lives in another process. Link unit_tls_dep.
 */
#ifndef TESTS_SUPPORT_SLOW_KEY_H
#define TESTS_SUPPORT_SLOW_KEY_H

#include <stdbool.h>

#include "tls_pair.h"
#include "x509/x509.h"

struct slow_key {
    bool ready;      /* the answer is there; until then the OpenSSL job is paused      */
    bool refuse;     /* and it is no                                                   */
    bool given_up;   /* resumed without an answer: fails, as the session's door says   */
    unsigned paused; /* how often a job went to sleep                                  */
    int fd;          /* announced as the descriptor to wait for, or -1                 */
};

/* The key of `local`, whose private half stays behind the provider. One at a time. */
struct mu_key *slow_key_new(const struct mu_key *local, struct slow_key *state);
void slow_key_free(struct mu_key *key);
/* Puts the leaf's key behind it, and has the end show the leaf with it. slow_key_free it at last.
 */
struct mu_key *slow_key_show(struct tls_end *end, const struct pki *leaf, struct slow_key *state);

#endif
