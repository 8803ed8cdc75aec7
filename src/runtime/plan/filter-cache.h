/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Compiled filters in a directory, for programs that live too short to remember one: libseccomp takes some 20 ms for the field's default
 * profile. At most sixteen files; one that is missing, damaged, of another profile or not of our making is as none. */

#include <stddef.h>

/* `text` is the whole profile and all else that the program depends on. 0 and *ret (the caller's to free), or negative errno. */
int filter_cache_load(const char *dir, const char *text, char **ret, size_t *ret_size);
/* Best effort. */
void filter_cache_store(const char *dir, const char *text, const char *program, size_t size);
