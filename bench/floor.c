/* SPDX-License-Identifier: Apache-2.0 */
/* The floor: what the kernel alone takes to run a program in new namespaces with a container's usual mounts. No configuration, no
 * cgroups, no filter, no checks. Usage: floor ROOTFS PROGRAM. What a runtime adds is what lies above this. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(int r, const char *what) {
        if (r < 0) {
                perror(what);
                _exit(125);
        }
}

static void child(const char *rootfs, char *const argv[]) {
        static const struct {
                const char *source, *target, *type, *data;
                unsigned long flags;
        } mounts[] = {
                { "proc", "proc", "proc", NULL, 0 },
                { "tmpfs", "dev", "tmpfs", "mode=755,size=65536k", MS_NOSUID },
                { "devpts", "dev/pts", "devpts", "newinstance,ptmxmode=0666,mode=0620", MS_NOSUID | MS_NOEXEC },
                { "shm", "dev/shm", "tmpfs", "mode=1777,size=65536k", MS_NOSUID | MS_NODEV | MS_NOEXEC },
                { "mqueue", "dev/mqueue", "mqueue", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
                { "sysfs", "sys", "sysfs", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY },
        };

        must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
        must(mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL), "bind");
        must(chdir(rootfs), "chdir");
        for (size_t i = 0; i < sizeof(mounts) / sizeof(*mounts); i++) {
                if (mkdir(mounts[i].target, 0755) < 0 && access(mounts[i].target, F_OK) < 0)
                        must(-1, mounts[i].target);
                must(mount(mounts[i].source, mounts[i].target, mounts[i].type, mounts[i].flags, mounts[i].data), mounts[i].target);
        }
        must(mknod("dev/null", S_IFCHR | 0666, 0x103), "dev/null");
        must((int) syscall(SYS_pivot_root, ".", "."), "pivot_root");
        must(umount2(".", MNT_DETACH), "umount");
        must(chdir("/"), "chdir");
        must(sethostname("floor", 5), "sethostname");
        execv(argv[0], argv);
        must(-1, argv[0]);
}

int main(int argc, char **argv) {
        struct clone_args args = {
                .flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP,
                .exit_signal = SIGCHLD,
        };
        int status;
        long pid;

        if (argc < 3) {
                fprintf(stderr, "usage: floor ROOTFS PROGRAM [ARG...]\n");
                return 2;
        }
        pid = syscall(SYS_clone3, &args, sizeof(args));
        must((int) pid, "clone3");
        if (pid == 0)
                child(argv[1], argv + 2);
        must(waitpid((pid_t) pid, &status, 0), "waitpid");
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
