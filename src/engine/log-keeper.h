/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What makes that a follower of a log misses nothing: each file is opened when it is begun, however far behind the reader is, and so it can still be read when
 * it was rotated away. A thread of its own does it, since the reader may hang in a client that does not read. What is held for one reader has a bound; beyond
 * it the reader goes on with the oldest file that is left. */

#include <stdint.h>

#define LOG_KEEPER_FILES_MAX 256
#define LOG_KEEPER_BYTES_MAX (UINT64_C(1) << 30)

struct log_files;
struct log_keeper;

/* The files that are begun after `newest` (−1: any). `files` and `newest` are borrowed until the end; so is each file that log_keeper_next() gave, until
 * it gave the next one. */
int log_keeper_start(const struct log_files *files, int newest, struct log_keeper **ret);
void log_keeper_stop(struct log_keeper *k); /* NULL: nothing */
/* The file that was begun after the last one, now the caller's: 1 and *ret_fd; 0: that one is still the newest. Negative errno. */
int log_keeper_next(struct log_keeper *k, int *ret_fd);
