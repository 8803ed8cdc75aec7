/* SPDX-License-Identifier: Apache-2.0 */

/* Names and sysctls of the new namespaces. */

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "runtime/exec/private.h"

int step_hostname(struct child *c, const struct plan_step *s, struct err *err) {
        const char *name = plan_text(c->plan, s->text);

        return sethostname(name, strlen(name)) < 0 ? raw_fail(err, errno, "hostname", name) : 0;
}

int step_domainname(struct child *c, const struct plan_step *s, struct err *err) {
        const char *name = plan_text(c->plan, s->text);

        return setdomainname(name, strlen(name)) < 0 ? raw_fail(err, errno, "domainname", name) : 0;
}

/* Through a procfs that this process has made itself, and checked again at the end of the way: nothing that was mounted on it
 * meanwhile can turn the write to another file (CVE-2025-52881). */
int step_sysctl(struct child *c, const struct plan_step *s, struct err *err) {
        const char *name = plan_text(c->plan, s->target), *value = plan_text(c->plan, s->text);
        auto_fd fd = -EBADF;

        if (c->proc_mount < 0) {
                c->proc_mount = fs_make(c->plan, "proc", (struct plan_table) { 0 }, 0);
                if (c->proc_mount < 0)
                        return raw_fail(err, c->proc_mount, plan_text(c->plan, s->what), "a procfs to write it to");
        }
        fd = path_open_in_nosymlink(c->proc_mount, name, O_WRONLY | O_NOCTTY, 0);
        if (fd < 0)
                return raw_fail(err, fd, plan_text(c->plan, s->what), NULL);
        if (!raw_is_fs(fd, PROC_SUPER_MAGIC))
                return raw_fail(err, EXDEV, plan_text(c->plan, s->what), NULL);
        if (write(fd, value, strlen(value)) < 0)
                return raw_fail(err, errno, plan_text(c->plan, s->what), value);
        return 0;
}
