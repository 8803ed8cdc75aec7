/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The names of Docker's daemon.json that are no option of kistd: why not, in a sentence. NULL: not a name of it at all. */
const char *config_name_refusal(const char *key);
