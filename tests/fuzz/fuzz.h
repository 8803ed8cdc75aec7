/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A fuzz target is one function. Built as it is, `fuzz-NAME FILE...` gives it each file (or each file of a directory): the committed corpus is
 * replayed by every run of the tests. Compiled by clang with -fsanitize=fuzzer and without replay.c it is a libFuzzer target. A target
 * aborts when a promise does not hold for what it was given. */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_REQUIRE(condition)                                                                      \
        do {                                                                                         \
                if (!(condition)) {                                                                  \
                        fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
                        abort();                                                                     \
                }                                                                                    \
        } while (0)
