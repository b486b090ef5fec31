/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"
#include "unit.h"
static void t(void **s){(void)s;}
UNIT_MAIN(UNIT_CASE(t))
