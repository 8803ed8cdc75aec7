/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Drives the real kist-worker program as the daemon does: a user namespace, an idmapped clone of a scratch directory, the control socket. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* A user namespace of 65,536 ids beginning at host id 1,000,000, held by an fd; -1 with the reason printed when the host has none. */
int harness_userns(void);

/* A scratch directory and an idmapped clone of it. Both fds are the caller's; harness_scratch_remove() takes the directory away. */
struct scratch {
        char path[64];
        int dir_fd, clone_fd;
};
bool harness_scratch(struct scratch *s, int userns_fd);
void harness_scratch_remove(struct scratch *s);

/* A detached, idmapped clone of the mount at dir_fd; -1 with the reason printed. */
int harness_clone(int dir_fd, int userns_fd);

struct worker {
        pid_t pid;
        int control;
};
struct worker harness_start(const char *mode, int userns_fd);
void harness_send(const struct worker *w, const char *text, const int *fds, size_t n_fds);
/* The next event, or NULL when the worker has ended. */
json_t *harness_event(const struct worker *w);
/* The next event that is not "progress". */
json_t *harness_result(const struct worker *w);
/* Close the control socket and wait. The exit status as of waitpid(2). */
int harness_end(struct worker *w);

/* Bytes in a memfd, at its beginning. */
int harness_memory(const void *data, size_t size);
/* "sha256:…" of bytes; static buffers, four in turn. */
const char *harness_sum(const void *data, size_t size);
