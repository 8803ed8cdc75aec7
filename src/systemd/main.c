/* SPDX-License-Identifier: Apache-2.0 */

/* kist-systemd start|set|stop system|user UNIT SLICE [NAME=VALUE…]: one thing for a scope, then a struct err on standard output; kind ERR_NONE is
 * success. Run by Kist's other programs only, see systemd.h.
 *
 * `start` makes a child which is the scope's first process: it touches no memory, as the limits of a container are upon it, and sleeps until there
 * is something on standard input, or its end. Then the container's own process is in the scope, or there will be none. */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "systemd/bus.h"
#include "systemd/properties.h"

static pid_t start_holder(pid_t parent) {
        pid_t pid = fork();
        char byte;

        if (pid != 0)
                return pid;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent) {
                close(STDOUT_FILENO);
                while (read(STDIN_FILENO, &byte, 1) < 0 && errno == EINTR)
                        ;
        }
        _exit(0);
}

static int run(char **argv, int argc, pid_t *holder, struct err *err) {
        const char *verb = argv[1], *unit = argv[3], *slice = argv[4];
        bool user = strcmp(argv[2], "user") == 0;
        sd_bus *bus = NULL;
        int r;

        if (!unit_name_is_valid(unit) || !unit_name_is_valid(slice) || (!user && strcmp(argv[2], "system") != 0))
                return err_set(err, ERR_INVALID, -EINVAL, "kist-systemd: no such unit");
        r = bus_open(user, &bus, err);
        if (r < 0)
                return r;
        if (strcmp(verb, "start") == 0) {
                *holder = start_holder(getpid());
                r = *holder < 0 ? err_errno(err, -errno, "scope %s", unit) : bus_start(bus, unit, slice, *holder, argv + 5, argc - 5, err);
        } else if (strcmp(verb, "set") == 0) {
                r = bus_set(bus, unit, argv + 5, argc - 5, err);
        } else if (strcmp(verb, "stop") == 0) {
                r = bus_stop(bus, unit, err);
        } else {
                r = err_set(err, ERR_INVALID, -EINVAL, "kist-systemd: no such verb");
        }
        sd_bus_flush_close_unref(bus);
        return r;
}

int main(int argc, char **argv) {
        struct err err = { 0 };
        pid_t holder = 0;
        int r;

        if (argc < 5) {
                fprintf(stderr, "kist-systemd is run by kist-runtime and kistd\n");
                return 2;
        }
        r = run(argv, argc, &holder, &err);
        if (r >= 0)
                err.kind = ERR_NONE;
        if (r < 0 && holder > 0)
                kill(holder, SIGKILL);
        if (fd_write_all(STDOUT_FILENO, &err, sizeof(err)) < 0 && holder > 0)
                kill(holder, SIGKILL);
        if (holder > 0)
                waitpid(holder, NULL, 0);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
