/* SPDX-License-Identifier: Apache-2.0 */

/* CVE-2016-9962, CVE-2024-21626: watch for processes that join the container, and reach for what they hold of the host before their execve(2).
 *
 *   scan-joiners SECONDS PROGRAM...    prints each thing that could be had, "of the host N", and "processes N, programs N, traced N, descriptors N"
 *                                      at the end; a PROGRAM is one of the container's own
 *
 * "programs": /proc/PID/exe could be seen, and was not the container's. "traced": PTRACE_SEIZE worked meanwhile. "descriptors": one above 2
 * could be seen. "of the host": a descriptor, the program or the root of one led to a file that is not the container's. */

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
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "programs.h"

static unsigned long n_processes, n_traced, n_descriptors, n_programs, n_host;

static bool is_foreign(int pid) {
        char path[64];
        struct stat st;

        snprintf(path, sizeof(path), "/proc/%d/exe", pid);
        return stat(path, &st) == 0 && !program_is_known(&st);
}

static bool same(const struct stat *a, const struct stat *b) {
        return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* A descriptor that leads to a file or directory which we do not have by that name ourselves. Pipes, sockets and the like lead nowhere, and neither
 * does a directory that is the top of a read-only mount of its own: its ".." is itself. */
static bool leads_to_host(int pid, const char *number, const char *target) {
        char path[64];
        struct stat st, up, ours;
        struct statvfs fs;

        snprintf(path, sizeof(path), "/proc/%d/fd/%.10s", pid, number);
        if (*target != '/' || stat(path, &st) < 0 || S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || S_ISCHR(st.st_mode))
                return false;
        if (stat(target, &ours) == 0 && same(&st, &ours))
                return false;
        if (S_ISDIR(st.st_mode) && statvfs(path, &fs) == 0 && (fs.f_flag & ST_RDONLY)) {
                strncat(path, "/..", sizeof(path) - strlen(path) - 1);
                if (stat(path, &up) == 0 && same(&st, &up))
                        return false;
        }
        return is_foreign(pid); /* once more: it was the same process all the time */
}

/* What the process runs could be opened for writing, or its root is not ours. */
static void reach_files(int pid) {
        char path[64];
        struct stat st, ours;
        int fd;

        snprintf(path, sizeof(path), "/proc/%d/root/", pid);
        if (stat(path, &st) == 0 && stat("/", &ours) == 0 && !same(&st, &ours) && is_foreign(pid)) {
                n_host++;
                printf("root of %d\n", pid);
        }
        snprintf(path, sizeof(path), "/proc/%d/exe", pid);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd >= 0 && fstat(fd, &st) == 0 && !program_is_known(&st)) {
                n_host++;
                printf("program of %d for writing\n", pid);
        }
        if (fd >= 0)
                close(fd);
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
                target[n] = '\0';
                printf("descriptor %s of %d: %s\n", e->d_name, pid, target);
                if (leads_to_host(pid, e->d_name, target)) {
                        n_host++;
                        printf("of the host: %s\n", target);
                }
        }
        closedir(d);
}

static void reach(int pid) {
        bool foreign = is_foreign(pid);

        n_processes++;
        n_programs += foreign;
        reach_files(pid);
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
        printf("of the host %lu\n", n_host);
        printf("processes %lu, programs %lu, traced %lu, descriptors %lu\n", n_processes, n_programs, n_traced, n_descriptors);
        return 0;
}
