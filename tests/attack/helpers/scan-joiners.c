/* SPDX-License-Identifier: Apache-2.0 */

/* CVE-2016-9962, CVE-2024-21626: watch for processes that join the container, and reach for what they hold of the host before their execve(2).
 *
 *   scan-joiners SECONDS PROGRAM...    prints each thing that could be had, and "processes N, programs N, traced N, descriptors N" at the
 *                                      end; a PROGRAM is one of the container's own
 *
 * "programs": /proc/PID/exe could be seen, and was not the container's. "traced": PTRACE_SEIZE worked meanwhile. "descriptors": one above 2
 * could be seen. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "programs.h"

static unsigned long n_processes, n_traced, n_descriptors, n_programs;

static bool is_foreign(int pid) {
        char path[64];
        struct stat st;

        snprintf(path, sizeof(path), "/proc/%d/exe", pid);
        return stat(path, &st) == 0 && !program_is_known(&st);
}

static void reach_fds(int pid) {
        char path[64], target[PATH_MAX];
        DIR *d;

        snprintf(path, sizeof(path), "/proc/%d/fd", pid);
        d = opendir(path);
        if (!d)
                return;
        for (struct dirent *e; (e = readdir(d));) {
                ssize_t n;

                if (e->d_name[0] < '3' && !e->d_name[1])
                        continue; /* 0, 1, 2, and "." */
                if (e->d_name[0] == '.')
                        continue;
                n = readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1);
                if (n < 0 || !is_foreign(pid))
                        continue; /* gone, or what a program of the container has opened itself */
                n_descriptors++;
                printf("descriptor %s of %d: %.*s\n", e->d_name, pid, (int) n, target);
        }
        closedir(d);
}

static void reach(int pid) {
        bool foreign = is_foreign(pid);

        n_processes++;
        n_programs += foreign;
        reach_fds(pid);
        if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0)
                return;
        if (foreign && is_foreign(pid)) {
                n_traced++;
                printf("traced %d\n", pid);
                reach_fds(pid);
        }
        ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
        if (waitpid(pid, NULL, __WALL) == pid)
                ptrace(PTRACE_DETACH, pid, NULL, NULL);
}

static int newest_pid(void) {
        char text[128];
        int fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
        const char *space;

        close(fd);
        if (n <= 0)
                return 0;
        text[n] = '\0';
        space = strrchr(text, ' ');
        return space ? atoi(space) : 0;
}

int main(int argc, char **argv) {
        time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 1);
        int last = getpid();

        program_add("/proc/self/exe");
        for (int i = 2; i < argc; i++)
                program_add(argv[i]);
        watch_start();
        /* Ids are given in order, and the kernel tells the last one. */
        while (watch_goes_on(end)) {
                int newest = newest_pid();

                for (; last < newest; last++)
                        reach(last + 1);
        }
        printf("processes %lu, programs %lu, traced %lu, descriptors %lu\n", n_processes, n_programs, n_traced, n_descriptors);
        return 0;
}
