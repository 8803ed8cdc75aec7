/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The progress of a pull or a load: on a terminal one line per layer with a bar, rewritten in place; elsewhere a plain line for each thing
 * that happened, without the bars. */

#include <stdio.h>

#include "cli/http.h"

/* Read the daemon's stream to its end; out NULL: silent, errors only. An error in it becomes *err. */
int progress_show(FILE *out, struct http *h, struct err *err);
