/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the OpenSSL provider: its key object and the tables of its two halves.
 */
#ifndef KEYS_PROVIDER_INTERNAL_H
#define KEYS_PROVIDER_INTERNAL_H

#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <openssl/evp.h>

#include "keys/keys_internal.h"

struct provider_key {
    enum mu_key_kind kind;
    EVP_PKEY *public_half; /* in the default library's own hands */
    struct keys_client *client;
    uint8_t id[KEYS_ID_SIZE];
};

/* How a key object is made: EVP_PKEY_fromdata with these two. The pointer stays in the process. */
#define PROVIDER_PARAM_SPKI   "mutual-spki"
#define PROVIDER_PARAM_CLIENT "mutual-client"

extern const OSSL_ALGORITHM provider_key_managers[];
extern const OSSL_ALGORITHM provider_signatures[];
#define PROVIDER_PROPERTY "provider=mutual"

#endif
