/* SPDX-License-Identifier: Apache-2.0 */
/* The floor: what the kernel alone takes to run a program in new namespaces with a container's usual mounts. No configuration, no state, no
 * filter, no checks, one way only. Usage: floor [--cgroups NAME] [--filter FILE] ROOTFS PROGRAM [ARG...]
 *
 * With --cgroups it also makes the cgroup NAME (below a directory that is there) in every hierarchy on /sys/fs/cgroup, writes the limits of
 * the bench's spec, joins, mounts the hierarchies for the container, hides and protects the paths that the spec does, and removes the
 * cgroups again. With --filter it loads a compiled seccomp program, a file of struct sock_filter. That is all that a runtime is asked for by that
 * spec; what a runtime adds is what lies above this. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
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
static struct sock_filter filter[BPF_MAXINSNS];
static struct sock_fprog program = { .filter = filter };

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

static void make_cgroups(void) {
        DIR *top = opendir("/sys/fs/cgroup");
        struct dirent *d;

        while (top && n_hierarchies < COUNT(hierarchies) && (d = readdir(top))) {
                struct hierarchy *h = &hierarchies[n_hierarchies];
                char path[4096];

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
                write_limits(h->dir);
                n_hierarchies++;
        }
        if (top)
                closedir(top);
}

static void remove_cgroups(void) {
        char path[4096];

        for (size_t i = 0; i < n_hierarchies; i++) {
                snprintf(path, sizeof(path), "/sys/fs/cgroup/%s/%s", hierarchies[i].name, cgroup);
                while (rmdir(path) < 0 && errno == EBUSY)
                        usleep(500);
        }
}

static void join_cgroups(void) {
        for (size_t i = 0; i < n_hierarchies; i++)
                if (hierarchies[i].tasks >= 0)
                        must((int) write(hierarchies[i].tasks, "0", 1), hierarchies[i].name);
        must(unshare(CLONE_NEWCGROUP), "cgroup namespace");
}

static void mount_cgroups(void) {
        char path[4096];
        const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY;

        must(mount("cgroup", "sys/fs/cgroup", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755,size=64k"), "sys/fs/cgroup");
        for (size_t i = 0; i < n_hierarchies; i++) {
                if (hierarchies[i].tasks < 0)
                        continue;
                snprintf(path, sizeof(path), "sys/fs/cgroup/%s", hierarchies[i].name);
                must(mkdir(path, 0755), path);
                must(mount("cgroup", path, "cgroup", flags, hierarchies[i].name), path);
        }
}

/* The default spec's. What is not there on this host is not hidden. */
static void hide_and_protect(void) {
        static const char *const masked[] = {
                "proc/acpi", "proc/asound", "proc/interrupts", "proc/kcore", "proc/keys", "proc/latency_stats", "proc/timer_list", "proc/timer_stats",
                "proc/sched_debug", "proc/scsi", "sys/firmware", "sys/devices/virtual/powercap",
        };
        static const char *const read_only[] = { "proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger" };
        struct stat st;

        for (size_t i = 0; i < COUNT(masked); i++) {
                if (stat(masked[i], &st) < 0)
                        continue;
                must(S_ISDIR(st.st_mode) ? mount("tmpfs", masked[i], "tmpfs", MS_RDONLY, "nr_inodes=1") : mount("/dev/null", masked[i], NULL, MS_BIND, NULL),
                     masked[i]);
        }
        for (size_t i = 0; i < COUNT(read_only); i++) {
                if (stat(read_only[i], &st) < 0)
                        continue;
                must(mount(read_only[i], read_only[i], NULL, MS_BIND | MS_REC, NULL), read_only[i]);
                must(mount(NULL, read_only[i], NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), read_only[i]);
        }
}

static void make_nodes(void) {
        static const struct {
                const char *path;
                unsigned major, minor;
        } nodes[] = { { "dev/null", 1, 3 }, { "dev/zero", 1, 5 }, { "dev/full", 1, 7 }, { "dev/random", 1, 8 }, { "dev/urandom", 1, 9 }, { "dev/tty", 5, 0 } };
        static const char *const links[][2] = {
                { "/proc/self/fd", "dev/fd" }, { "/proc/self/fd/0", "dev/stdin" }, { "/proc/self/fd/1", "dev/stdout" },
                { "/proc/self/fd/2", "dev/stderr" }, { "pts/ptmx", "dev/ptmx" },
        };

        for (size_t i = 0; i < COUNT(nodes); i++)
                must(mknod(nodes[i].path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)), nodes[i].path);
        for (size_t i = 0; i < COUNT(links); i++)
                must(symlink(links[i][0], links[i][1]), links[i][1]);
}

static void child(const char *rootfs, char *const argv[]) {
        static const struct {
                const char *source, *target, *type, *data;
                unsigned long flags;
        } mounts[] = {
                { "proc", "proc", "proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
                { "tmpfs", "dev", "tmpfs", "mode=755,size=65536k", MS_NOSUID },
                { "devpts", "dev/pts", "devpts", "newinstance,ptmxmode=0666,mode=0620", MS_NOSUID | MS_NOEXEC },
                { "shm", "dev/shm", "tmpfs", "mode=1777,size=65536k", MS_NOSUID | MS_NODEV | MS_NOEXEC },
                { "mqueue", "dev/mqueue", "mqueue", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
                { "sysfs", "sys", "sysfs", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY },
        };

        if (cgroup)
                join_cgroups();
        must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
        must(mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL), "bind");
        must(chdir(rootfs), "chdir");
        for (size_t i = 0; i < COUNT(mounts); i++) {
                if (mkdir(mounts[i].target, 0755) < 0 && access(mounts[i].target, F_OK) < 0)
                        must(-1, mounts[i].target);
                must(mount(mounts[i].source, mounts[i].target, mounts[i].type, mounts[i].flags, mounts[i].data), mounts[i].target);
        }
        make_nodes();
        if (cgroup) {
                mount_cgroups();
                hide_and_protect();
        }
        must((int) syscall(SYS_pivot_root, ".", "."), "pivot_root");
        must(umount2(".", MNT_DETACH), "umount");
        must(chdir("/"), "chdir");
        must(sethostname("floor", 5), "sethostname");
        if (program.len > 0) {
                must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
                must((int) syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program), "filter");
        }
        execv(argv[0], argv);
        must(-1, argv[0]);
}

static void read_filter(const char *path) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, filter, sizeof(filter));

        must((int) n, path);
        program.len = (unsigned short) ((size_t) n / sizeof(filter[0]));
        close(fd);
}

int main(int argc, char **argv) {
        struct clone_args args = {
                .flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS,
                .exit_signal = SIGCHLD,
        };
        int status, at = 1;
        long pid;

        for (; at + 1 < argc && strncmp(argv[at], "--", 2) == 0; at += 2)
                if (strcmp(argv[at], "--cgroups") == 0)
                        cgroup = argv[at + 1];
                else
                        read_filter(argv[at + 1]);
        if (argc < at + 2) {
                fprintf(stderr, "usage: floor [--cgroups NAME] [--filter FILE] ROOTFS PROGRAM [ARG...]\n");
                return 2;
        }
        if (cgroup)
                make_cgroups();
        else
                args.flags |= CLONE_NEWCGROUP;
        if (v2 >= 0) {
                args.flags |= CLONE_INTO_CGROUP;
                args.cgroup = (uint64_t) v2;
        }
        pid = syscall(SYS_clone3, &args, sizeof(args));
        must((int) pid, "clone3");
        if (pid == 0)
                child(argv[at], argv + at + 1);
        must(waitpid((pid_t) pid, &status, 0), "waitpid");
        remove_cgroups();
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
