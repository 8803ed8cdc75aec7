/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* SHA-256 as images write it: "sha256:" and 64 lower-case hex digits. */

#include <stdbool.h>
#include <stddef.h>

enum { DIGEST_SIZE = 72 }; /* with the NUL */

struct digest; /* a running sum */

/* NULL when memory is out. */
struct digest *digest_new(void);
void digest_free(struct digest *d);
int digest_add(struct digest *d, const void *data, size_t size);
/* Ends the sum; the next digest_add() begins a new one. */
int digest_end(struct digest *d, char ret[DIGEST_SIZE]);

bool digest_is_valid(const char *text);
bool digest_hex_is_valid(const char *hex); /* the 64 digits alone */
