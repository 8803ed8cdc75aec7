/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fault.h"

void fault_point(const char *operation, const char *step) {
        (void) operation;
        (void) step;
}
