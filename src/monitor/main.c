/* SPDX-License-Identifier: Apache-2.0 */

/* kist-monitor             one container: fd 3 is the start socket of monitor/protocol.h
 * kist-monitor namespaces  the helper of runtime/namespaces.h: fd 3 is its socket
 *
 * Started by kistd through proc_spawn(), and outlives it. */

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/mem.h"
#include "monitor/monitor.h"
#include "runtime/namespaces.h"

enum { EXIT_USAGE = 2 };

static void no_effect(int signal) {
}

/* A monitor that dies takes the container's log, terminal and exit status with it, and there is never a reason to end one but the end
 * of its container: so what would end it by accident (a hangup, a broken pipe, the SIGTERM that a shutdown or a service manager sends to
 * every process it finds) does nothing. A handler, not SIG_IGN: handlers do not pass through execve(2) into the container. */
static void outlive_signals(void) {
        static const int signals[] = { SIGHUP,  SIGINT,  SIGQUIT, SIGPIPE,   SIGALRM, SIGTERM, SIGUSR1, SIGUSR2,
                                       SIGTSTP, SIGTTIN, SIGTTOU, SIGVTALRM, SIGPROF, SIGXFSZ, SIGIO,   SIGPWR };
        const struct sigaction action = { .sa_handler = no_effect, .sa_flags = SA_RESTART };

        for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
                sigaction(signals[i], &action, NULL);
}

int main(int argc, char **argv) {
        bool serve_namespaces = argc == 2 && !strcmp(argv[1], "namespaces");

        if (argc != 1 && !serve_namespaces)
                return EXIT_USAGE;
        /* proc_spawn() has closed all others already; whoever starts us otherwise may not have. */
        close_range(START_SOCKET + 1, ~0U, 0);
        prctl(PR_SET_NAME, serve_namespaces ? "kist-namespaces" : "kist-monitor");
        if (serve_namespaces)
                return namespace_serve(START_SOCKET);
        /* A process of the container that sees us (--pid host) gets at none of our fds. */
        prctl(PR_SET_DUMPABLE, 0);
        outlive_signals();
        if (chdir("/") < 0)
                return 1;
        return monitor_run(START_SOCKET);
}
