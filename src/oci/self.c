/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/oci.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/fd.h"
#include "base/proc.h"
#include "oci/early.h"

/* A process in the container may see us as /proc/PID/exe before we have become its command, and once we have exited open that file for
 * writing: the next container would run what it wrote, as root of the host (CVE-2019-5736). So before we enter one, we run from a
 * place that nobody can write to: a read-only clone of the mount that we are on, attached nowhere; or else a sealed memfd. The first is mostly
 * done already when we come here (early.c). */

/* What runs from there cannot tell any more where the other programs lie: it is told by a variable, which goes no further. */
static void remember_place(void) {
        char self[PATH_MAX], *slash;
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

        if (n < 0)
                return;
        self[n] = '\0';
        slash = strrchr(self, '/');
        if (slash)
                slash[1] = '\0';
        setenv(EARLY_PLACE, self, 1);
}

static void recall_place(void) {
        const char *place = getenv(EARLY_PLACE);
        char *copy = place ? strdup(place) : NULL;

        if (copy && *copy == '/')
                proc_set_programs(copy);
        unsetenv(EARLY_PLACE);
}

static int sealed_copy(int *ret_fd, struct err *err) {
        char self[PATH_MAX];
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

        if (n < 0)
                return err_errno(err, -errno, "/proc/self/exe");
        self[n] = '\0';
        return proc_seal_program(basename(self), ret_fd, err);
}

int self_protect(char **argv, struct err *err) {
        extern char **environ;
        auto_fd fd = -EBADF;

        if (early_is_protected()) {
                /* Older kernels call a program that was run by its fd by the number of that. */
                prctl(PR_SET_NAME, PROGRAM);
                recall_place();
                return 0;
        }
        fd = early_readonly_clone();
        if (fd < 0) {
                int r = sealed_copy(&fd, err);

                if (r < 0)
                        return r;
        }
        remember_place();
        /* Same arguments, same environment; what comes back finds itself protected. */
        return err_errno(err, early_run(fd, argv, environ), "cannot run again from a read-only copy of this program");
}
