/* SPDX-License-Identifier: Apache-2.0
 *
 * The authority's keys as the authority has it: an object whose signatures come from the key
 * process.
 */
#include "authority/authority_internal.h"

struct link {
    struct keys_client *keys;
    struct book *book;
    struct mu_key *key; /* of the operation under way */
};

static bool start(struct ca_signer *signer, const struct ca *ca, const struct mu_key **ret_key,
                  struct mutual_error *err)
{
    struct link *link = signer->state;
    if (link == NULL) {
        return mu_fail_memory(err);
    }
    if (!keys_client_is_attached(link->keys)) {
        book_no_keys(link->book);
        return mu_fail(err, MUTUAL_E_KEY_UNAVAILABLE, "the key process is being replaced");
    }
    struct ca_key wanted;
    ca_key_current(ca, &wanted);
    if (!keys_client_key(link->keys, mu_cert_facts(wanted.cert)->spki, &link->key, err)) {
        return false;
    }
    *ret_key = link->key;
    return true;
}

static void stop(struct ca_signer *signer)
{
    struct link *link = signer->state;
    mu_key_unref(MU_TAKE(link->key));
}

void authority_signer_init(struct ca_signer *signer, struct keys_client *keys, struct book *book)
{
    struct link *link = mu_alloc(1, sizeof *link);
    if (link != NULL) {
        link->keys = keys;
        link->book = book;
    }
    *signer = (struct ca_signer){.start = start, .stop = stop, .state = link};
}

void authority_signer_done(struct ca_signer *signer)
{
    mu_free(signer->state);
    signer->state = NULL;
}
