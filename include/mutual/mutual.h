/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything of libmutual. See mutual(3).
 */
#ifndef MUTUAL_MUTUAL_H
#define MUTUAL_MUTUAL_H

#include <mutual/admission.h>
#include <mutual/error.h>
#include <mutual/explain.h>
#include <mutual/identity.h>
#include <mutual/policy.h>
#include <mutual/session.h>
#include <mutual/trust.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the library, such as "0.1.0". */
MUTUAL_API const char *mutual_version(void);

#ifdef __cplusplus
}
#endif

#endif
