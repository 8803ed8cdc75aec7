/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

/* Words that Docker's or Podman's users type and that this version has no command for: one line that says what there is instead. False when the
 * word is not one of them. */
bool absent_complain(const char *word);
