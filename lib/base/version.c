/* SPDX-License-Identifier: Apache-2.0
 *
 * The version of the library.
 */
#include <mutual/mutual.h>

const char *mutual_version(void)
{
    return MUTUAL_VERSION;
}
