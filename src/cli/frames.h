/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Taking a container's stream apart: an 8-byte head {stream, 0, 0, 0, length (big endian)}, then that many bytes, for standard output (1)
 * and standard error (2); or, of a terminal, the bytes as they are. Pieces may be cut anywhere. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frames {
        bool raw; /* of a terminal */
        unsigned char head[8];
        size_t head_size;
        uint32_t left;
};

/* Write to our own standard output and error. 0, or negative errno. */
int frames_write(struct frames *f, const char *data, size_t size);
