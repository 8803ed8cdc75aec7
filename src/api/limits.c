/* SPDX-License-Identifier: Apache-2.0 */
#include "api/limits.h"

struct api_limits api_limits(void) {
        return (struct api_limits) { .idle = 60, .header = 90, .body = 120, .connections = 2048 };
}
