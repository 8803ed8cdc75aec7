/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

/* The names of Docker's daemon.json that are no option of kistd: why not, in a sentence. NULL: not a name of it at all. */
const char *config_name_refusal(const char *key);
/* The i-th such name and its reason; NULL behind the last one. */
const char *config_name_refused(size_t i, const char **ret_why);
