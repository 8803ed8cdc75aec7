/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* For the watchers. Which program a process runs: one of the container's (this one, and those named on the command line), or one of the
 * engine's; and how long to watch: for so many seconds, or until SIGTERM. */

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

static struct {
        dev_t dev;
        ino_t ino;
} programs[16];
static size_t n_programs_known;

static inline void program_add(const char *path) {
        struct stat st;

        if (n_programs_known < sizeof(programs) / sizeof(programs[0]) && stat(path, &st) == 0) {
                programs[n_programs_known].dev = st.st_dev;
                programs[n_programs_known++].ino = st.st_ino;
        }
}

static inline bool program_is_known(const struct stat *st) {
        for (size_t i = 0; i < n_programs_known; i++)
                if (programs[i].dev == st->st_dev && programs[i].ino == st->st_ino)
                        return true;
        return false;
}

static volatile sig_atomic_t watch_is_over;

static inline void watch_stop(int number) {
        watch_is_over = 1;
}

static inline void watch_start(void) {
        signal(SIGTERM, watch_stop);
        printf("ready\n");
        fflush(stdout);
}

static inline bool watch_goes_on(time_t end) {
        return !watch_is_over && time(NULL) < end;
}
