/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Standard output and error into a file while something runs, and back. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int captured_fd[2], captured_file = -1;

static inline void capture_begin(void) {
        char name[] = "/tmp/kist-test-capture.XXXXXX";

        fflush(stdout);
        fflush(stderr);
        captured_file = mkstemp(name);
        unlink(name);
        for (int i = 0; i < 2; i++) {
                captured_fd[i] = dup(i + 1);
                dup2(captured_file, i + 1);
        }
}

static inline const char *capture_end(void) {
        static char text[65536];
        ssize_t n;

        fflush(stdout);
        fflush(stderr);
        for (int i = 0; i < 2; i++) {
                dup2(captured_fd[i], i + 1);
                close(captured_fd[i]);
        }
        n = pread(captured_file, text, sizeof(text) - 1, 0);
        text[n < 0 ? 0 : n] = '\0';
        close(captured_file);
        return text;
}
