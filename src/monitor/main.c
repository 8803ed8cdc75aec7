/* SPDX-License-Identifier: Apache-2.0 */

/* kist-monitor             one container: fd 3 is the start socket of monitor/protocol.h
 * kist-monitor namespaces  the helper of runtime/namespaces.h: fd 3 is its socket
 *
 * Started by kistd through proc_spawn(), and outlives it. */

#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "monitor/monitor.h"
#include "runtime/namespaces.h"

enum { EXIT_USAGE = 2 };

int main(int argc, char **argv) {
        bool serve_namespaces = argc == 2 && !strcmp(argv[1], "namespaces");

        if (argc != 1 && !serve_namespaces)
                return EXIT_USAGE;
        /* proc_spawn() has closed all others already; whoever starts us otherwise may not have. */
        close_range(START_SOCKET + 1, ~0U, 0);
        prctl(PR_SET_NAME, serve_namespaces ? "kist-namespaces" : "kist-monitor");
        if (chdir("/") < 0) /* it may outlive whatever file system that was */
                return 1;
        if (serve_namespaces)
                return namespace_serve(START_SOCKET);
        return monitor_run(START_SOCKET);
}
