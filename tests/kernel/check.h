/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* For the small programs that prove what Kist relies on a kernel to do. Exit status 0: proven; 77: cannot be tried here, with the reason;
 * 1: the kernel does otherwise, with the line. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_SKIP = 77 };

#define CHECK(what)                                                                             \
        do {                                                                                    \
                errno = 0;                                                                      \
                if (!(what)) {                                                                  \
                        fprintf(stderr, "%s:%d: not so: %s (%s)\n", __FILE__, __LINE__, #what, strerror(errno)); \
                        exit(1);                                                                \
                }                                                                               \
        } while (0)

#define SKIP(...)                            \
        do {                                 \
                fprintf(stderr, "skipped: "); \
                fprintf(stderr, __VA_ARGS__); \
                fprintf(stderr, "\n");        \
                exit(EXIT_SKIP);             \
        } while (0)
