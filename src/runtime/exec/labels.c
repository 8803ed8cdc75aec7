/* SPDX-License-Identifier: Apache-2.0 */

/* AppArmor profile and SELinux label: attributes of the own process, which hold from its next execve(2) on. They are opened while the process
 * still is the host's root, to whom they belong as long as it is not dumpable, and written when no hook is executed any more. */

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "runtime/exec/private.h"

int stage_open_labels(struct child *c, struct err *err) {
        int proc = c->launch->proc_fd;

        if (c->header->apparmor) {
                c->apparmor_fd = raw_open_proc(proc, "self/attr/apparmor/exec", O_WRONLY);
                if (c->apparmor_fd == -ENOENT) /* before Linux 5.8 the first security module had the name alone */
                        c->apparmor_fd = raw_open_proc(proc, "self/attr/exec", O_WRONLY);
                if (c->apparmor_fd < 0)
                        return raw_fail(err, c->apparmor_fd, "process.apparmorProfile", NULL);
        }
        if (c->header->selinux) {
                c->selinux_fd = raw_open_proc(proc, "self/attr/exec", O_WRONLY);
                if (c->selinux_fd < 0)
                        return raw_fail(err, c->selinux_fd, "process.selinuxLabel", NULL);
        }
        return 0;
}

static int write_label(int fd, const char *prefix, const char *label, const char *what, struct err *err) {
        char text[1024];
        char *at = raw_put_text(text, text + sizeof(text) - 1, prefix);

        at = raw_put_text(at, text + sizeof(text) - 1, label);
        /* Whole in one write, or refused. */
        return write(fd, text, (size_t) (at - text)) < 0 ? raw_fail(err, errno, what, label) : 0;
}

int stage_write_labels(struct child *c, struct err *err) {
        int r = 0;

        if (c->apparmor_fd >= 0)
                r = write_label(c->apparmor_fd, "exec ", plan_text(c->plan, c->header->apparmor), "process.apparmorProfile", err);
        if (r == 0 && c->selinux_fd >= 0)
                r = write_label(c->selinux_fd, "", plan_text(c->plan, c->header->selinux), "process.selinuxLabel", err);
        return r;
}
