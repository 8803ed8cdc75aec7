/* SPDX-License-Identifier: Apache-2.0 */

/* kist-dns: answers the names of containers on the gateways of their networks. Started by kistd, not by hand; see protocol.h. */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/log.h"
#include "dns/confine.h"
#include "dns/protocol.h"
#include "dns/server.h"

int main(void) {
        struct err err = { 0 };
        int listens = 0, r;
        socklen_t size = sizeof(listens);

        if (getsockopt(DNS_FD, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0 || !listens) {
                fprintf(stderr, "kist-dns: part of kistd; not to be started by hand\n");
                return 2;
        }
        signal(SIGPIPE, SIG_IGN);
        fcntl(DNS_FD, F_SETFD, FD_CLOEXEC);
        r = dns_confine(&err);
        if (r == 0)
                r = server_run(DNS_FD, &err);
        if (r < 0)
                log_error("%s", err.msg);
        return r < 0 ? 1 : 0;
}
