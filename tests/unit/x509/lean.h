/* SPDX-License-Identifier: Apache-2.0
 *
 * A lean library context for tests, of one's own or for a whole group.
 */
#ifndef TESTS_X509_LEAN_H
#define TESTS_X509_LEAN_H

#include <openssl/crypto.h>

#include "unit.h"
#include "x509/x509.h"

/* mu_ossl_lean_free it. */
static inline OSSL_LIB_CTX *lean_context(void)
{
    struct mutual_error err = {0};
    OSSL_LIB_CTX *context = OSSL_LIB_CTX_new();
    assert_non_null(context);
    assert_ok(mu_ossl_lean(context, &err), &err);
    return context;
}

static OSSL_LIB_CTX *lean; /* the group's */

static inline int lean_begin(void **state)
{
    (void)state;
    lean = lean_context();
    return 0;
}

static inline int lean_end(void **state)
{
    (void)state;
    mu_ossl_lean_free(lean);
    return 0;
}

#endif
