/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "oci/container.h"
#include "oci/oci.h"
#include "runtime/cgroup/cgroup.h"

/* "15", "TERM", "SIGTERM", "term", "RTMIN+1" */
static int parse_signal(const char *s, int *ret, struct err *err) {
        const char *name = strncasecmp(s, "SIG", 3) == 0 ? s + 3 : s;
        uint64_t number;

        if (str_to_u64(s, 1, (uint64_t) SIGRTMAX, &number) == 0) {
                *ret = (int) number;
                return 0;
        }
        for (int i = 1; i < SIGRTMIN; i++) {
                const char *known = sigabbrev_np(i);

                if (known && strcasecmp(known, name) == 0) {
                        *ret = i;
                        return 0;
                }
        }
        if (strncasecmp(name, "RTMIN", 5) == 0 && (!name[5] || name[5] == '+')) {
                number = 0;
                if (!name[5] || str_to_u64(name + 6, 0, (uint64_t) (SIGRTMAX - SIGRTMIN), &number) == 0) {
                        *ret = SIGRTMIN + (int) number;
                        return 0;
                }
        }
        return err_set(err, ERR_INVALID, -EINVAL, "%s is not a signal", s);
}

static int signal_all(struct container *c, int sig, struct err *err) {
        const struct cgroup_host *h = NULL;
        auto_fd pidfd = *container_cgroup_path(c) ? -EBADF : container_pidfd(c);
        int r;

        if (!*container_cgroup_path(c)) {
                /* Its init is all that can be named; what that was killed with ends its pid namespace. */
                if (pidfd >= 0)
                        syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0);
                return 0;
        }
        r = container_cgroups(c, &h, err);

        return r < 0 ? r : cgroup_kill(h, container_cgroup_path(c), sig, err);
}

int command_kill(const struct options *o, char **args, int n_args, struct err *err) {
        auto_container c = CONTAINER_NONE;
        auto_fd pidfd = -EBADF;
        int sig = SIGTERM, r = n_args > 1 ? parse_signal(args[1], &sig, err) : 0;

        if (r == 0)
                r = container_open(o, args[0], false, &c, err);
        if (r < 0)
                return r;
        if (o->all)
                return signal_all(&c, sig, err);
        pidfd = container_pidfd(&c);
        if (pidfd >= 0 && syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) == 0)
                return 0;
        r = pidfd < 0 ? pidfd : -errno;
        if (r == -ESRCH)
                return err_set(err, ERR_CONFLICT, r, "container not running: %s", c.id);
        return err_errno(err, r, "container %s: signal %d", c.id, sig);
}
