/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the room share.
 */
#ifndef API_API_INTERNAL_H
#define API_API_INTERNAL_H

#include "api/api.h"

/* The caller for the audit, escaped; appends. */
void api_who(const struct api_caller *caller, struct mu_buf *out);
bool api_equal_nocase(struct mu_slice text, const char *word);

#endif
