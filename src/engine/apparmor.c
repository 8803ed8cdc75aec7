/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/apparmor.h"

#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/proc.h"
#include "engine/internal.h"
#include "engine/spec.h"

#define NAME "kist-default"

/* A second fence around what the first ones (user namespace, capabilities, masked and read-only paths, seccomp) should stop already; for containers
 * that have given some of them up (--userns=host, --cap-add, a bind mount of /proc) it is the first. No include: the abstractions of a distribution
 * need not be there. */
static const char profile[] =
        "profile " NAME " flags=(attach_disconnected,mediate_deleted) {\n"
        "  network,\n"
        "  capability,\n"
        "  file,\n"
        "  umount,\n"
        "  signal (receive) peer=unconfined,\n" /* kist-monitor */
        "  signal (send,receive) peer=" NAME ",\n"
        "  ptrace (trace,read,tracedby,readby) peer=" NAME ",\n"
        "  unix,\n"
        "  deny mount,\n"
        /* The host's, whatever namespaces there are. Sysctls of the container are set before it is confined. */
        "  deny /proc/{kcore,kmem,mem,sysrq-trigger} rwklx,\n"
        "  deny /proc/{acpi,bus,irq,scsi}/** wklx,\n"
        "  deny /proc/sys/{abi,debug,dev,fs,user,vm}/** wklx,\n"
        /* Of the kernel's settings only those of System V IPC belong to a container: msg*, sem, shm*. */
        "  deny /proc/sys/kernel/[^ms]** wklx,\n"
        "  deny /proc/sys/kernel/m[^s]** wklx,\n"
        "  deny /proc/sys/kernel/s[^eh]** wklx,\n"
        "  deny /sys/[^f]*/** wklx,\n"
        "  deny /sys/f[^s]*/** wklx,\n"
        "  deny /sys/fs/[^c]*/** wklx,\n"
        "  deny /sys/firmware/** rwklx,\n"
        "  deny /sys/kernel/security/** rwklx,\n"
        "  deny /sys/devices/virtual/powercap/** rwklx,\n"
        "}\n";

bool apparmor_is_on(void) {
        auto_free char *text = NULL;

        return file_read_at(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", 16, &text, NULL) == 0 && *text == 'Y';
}

static int open_parser(void) {
        static const char *const places[] = { "/sbin/apparmor_parser", "/usr/sbin/apparmor_parser" };
        int fd = -ENOENT;

        for (size_t i = 0; fd < 0 && i < ARRAY_SIZE(places); i++)
                fd = open(places[i], O_PATH | O_CLOEXEC);
        return fd;
}

int apparmor_load_default(struct err *err) {
        /* -r replace, -K no cache of compiled profiles */
        char *const argv[] = { (char *) "apparmor_parser", (char *) "-Kr", NULL };
        auto_fd exe = open_parser(), from = -EBADF, to = -EBADF;
        int ends[2], status = -1, r;
        pid_t pid;

        if (exe < 0)
                return err_set(err, ERR_UNSUPPORTED, -ENOENT, "AppArmor: no apparmor_parser is installed, which loads profile " NAME " (package apparmor)");
        if (pipe2(ends, O_CLOEXEC) < 0)
                return err_errno(err, -errno, "AppArmor: pipe");
        from = ends[0];
        to = ends[1];
        /* It fits into the pipe. */
        r = fd_write_all(to, profile, sizeof(profile) - 1);
        if (r < 0)
                return err_errno(err, r, "AppArmor: pipe");
        r = proc_spawn(&(struct proc_spawn) { .exe_fd = exe, .argv = argv, .stdio = { from, -1, -1 } }, &pid, NULL, err);
        if (r < 0)
                return r;
        to = fd_close(to);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                return err_set(err, ERR_INTERNAL, -EIO, "AppArmor: apparmor_parser cannot load profile " NAME);
        return 0;
}

const char *apparmor_profile(const struct engine *e, const struct spec *s) {
        if (s->apparmor)
                return strcmp(s->apparmor, "unconfined") == 0 ? NULL : s->apparmor;
        return e->has_apparmor_profile && !s->privileged ? NAME : NULL;
}
