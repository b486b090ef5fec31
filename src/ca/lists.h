/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of the door for what is published: lists as others get them, where they are, and OCSP
 * answers; included by ca.h.
 */
#ifndef CA_LISTS_H
#define CA_LISTS_H

/* A list as it is published, of the issuer that is meant; `der` may be NULL. */
bool ca_list_get(struct ca *ca, unsigned shard, bool delta, struct inventory_list *ret_list,
                 struct mu_buf *der, bool *ret_found, struct mutual_error *err);

/* Is told of every list that this process makes from now on ("complete", "delta", "part"), from
 * asking who is revoked to its being kept. */
typedef void ca_list_fn(void *context, const char *issuer, const char *kind, int64_t took_ns);
void ca_watch_lists(struct ca *ca, ca_list_fn *made, void *context);

/* Where the authority publishes: "http://ca.example.org", or NULL for nowhere. It is noted in the
 * directory, so that every command issues with it: certificates then name their issuer's, their
 * part of the list and the OCSP responder. HTTP_URL_INVALID. */
bool ca_set_url(struct ca *ca, const char *url, struct mutual_error *err);
const char *ca_url(const struct ca *ca);

/* ---- OCSP ------------------------------------------------------------------------------------ */

#define CA_OCSP_LIFE_S (INT64_C(8) * 3600)
/* What is known of a serial number of the issuer that is meant. */
bool ca_status(struct ca *ca, struct mu_slice serial, struct inventory_status *ret_status,
               struct mutual_error *err);
/* Appends a response of that issuer's responder; of the issuer itself as long as the responder has
 * no certificate or its key is not at hand. */
bool ca_ocsp_sign(struct ca *ca, struct ca_signer *signer, const struct mu_ocsp_answer *answers,
                  size_t count, struct mu_slice nonce, int64_t now_s, struct mu_buf *out,
                  struct mutual_error *err);

#endif
