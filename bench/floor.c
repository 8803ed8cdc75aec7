/* SPDX-License-Identifier: Apache-2.0 */
/* The floor: what the kernel alone takes to run a program in new namespaces with a container's usual mounts. No configuration, no state, no
 * filter, no checks, one way only. Usage: floor [--cgroups NAME] ROOTFS PROGRAM [ARG...]
 *
 * With --cgroups it also makes the cgroup NAME (below a directory that is there) in every hierarchy on /sys/fs/cgroup, writes the limits of
 * the bench's spec, joins, mounts the hierarchies for the container, hides and protects the paths that the spec does, and removes the
 * cgroups again: all that a runtime is asked for by that spec. What a runtime adds is what lies above this. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct hierarchy {
        char name[64];
        int dir, tasks; /* of the new cgroup; v2: tasks is -1 */
} hierarchies[16];
static size_t n_hierarchies;
static int v2 = -1;
static const char *cgroup;

static void must(int r, const char *what) {
        if (r < 0) {
                perror(what);
                _exit(125);
        }
}

/* As many as the spec's limits need; a hierarchy that lacks the file is another controller's. */
static void write_limits(int dir) {
        static const struct {
                const char *file, *value;
        } limits[] = {
                { "memory.limit_in_bytes", "67108864" }, { "cpu.shares", "512" }, { "cpu.cfs_period_us", "100000" },
                { "cpu.cfs_quota_us", "50000" },         { "pids.max", "100" },
        };

        for (size_t i = 0; i < COUNT(limits); i++) {
                int fd = openat(dir, limits[i].file, O_WRONLY | O_CLOEXEC);

                if (fd < 0)
                        continue;
                must((int) write(fd, limits[i].value, strlen(limits[i].value)), limits[i].file);
                close(fd);
        }
}

static void copy_setting(int parent, int dir, const char *file) {
        char value[256];
        int from = openat(parent, file, O_RDONLY | O_CLOEXEC), to = openat(dir, file, O_WRONLY | O_CLOEXEC);
        ssize_t n = from < 0 || to < 0 ? 0 : read(from, value, sizeof(value));

        if (n > 0 && write(to, value, (size_t) n) < 0)
                perror(file);
        close(from);
        close(to);
}

static void make_cgroups(void) {
        DIR *top = opendir("/sys/fs/cgroup");
        char path[512];
        struct dirent *d;

        while (top && n_hierarchies < COUNT(hierarchies) && (d = readdir(top))) {
                struct hierarchy *h = &hierarchies[n_hierarchies];

                /* systemd's own has no controller, and is no container's. */
                if (d->d_type != DT_DIR || *d->d_name == '.' || strcmp(d->d_name, "systemd") == 0)
                        continue;
                snprintf(path, sizeof(path), "/sys/fs/cgroup/%s/cgroup.procs", d->d_name);
                if (access(path, F_OK) < 0)
                        continue;
                snprintf(path, sizeof(path), "/sys/fs/cgroup/%s/%s", d->d_name, cgroup);
                must(mkdir(path, 0755), path);
                snprintf(h->name, sizeof(h->name), "%.63s", d->d_name);
                h->dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
                h->tasks = openat(h->dir, "tasks", O_WRONLY | O_CLOEXEC);
                if (h->tasks < 0)
                        v2 = h->dir;
                if (strcmp(d->d_name, "cpuset") == 0) {
                        int parent = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

                        copy_setting(AT_FDCWD, h->dir, "/sys/fs/cgroup/cpuset/cpuset.cpus");
                        close(parent);
                }
                write_limits(h->dir);
                n_hierarchies++;
        }
        if (top)
                closedir(top);
}
