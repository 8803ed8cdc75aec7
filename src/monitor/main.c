/* SPDX-License-Identifier: Apache-2.0 */

/* kist-monitor namespaces: the helper of src/runtime/namespaces.h. fd 3 is the socket, as proc_spawn() makes it. */

#include <string.h>

#include "runtime/namespaces.h"

enum { SOCKET_FD = 3, EXIT_USAGE = 2 };

int main(int argc, char **argv) {
        if (argc == 2 && !strcmp(argv[1], "namespaces"))
                return namespace_serve(SOCKET_FD);
        return EXIT_USAGE;
}
