/* SPDX-License-Identifier: Apache-2.0 */

/* kist-tls: see tls.h. Started by kist and kistd, not by hand. */

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "tls/pump.h"
#include "tls/serve.h"
#include "tls/session.h"
#include "tls/tls.h"

enum { CONNECT_SECONDS = 30 };

static int dial(const char *host, const char *port, int *ret, struct err *err) {
        const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
        struct addrinfo *found = NULL;
        int r, num = -ENOENT, on = 1;

        r = getaddrinfo(host, port, &hints, &found);
        if (r != 0)
                return err_set(err, ERR_UNAVAILABLE, -ENOENT, "%s", gai_strerror(r));
        for (const struct addrinfo *a = found; a; a = a->ai_next) {
                const struct timeval limit = { .tv_sec = CONNECT_SECONDS };
                auto_fd fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

                /* A send limit is a limit of connect(2), too. */
                if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 || connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
                        num = -errno;
                        continue;
                }
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
                setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
                freeaddrinfo(found);
                *ret = move_fd(fd);
                return 0;
        }
        freeaddrinfo(found);
        return err_set(err, ERR_UNAVAILABLE, num, "%s", strerror(num == -EINPROGRESS ? ETIMEDOUT : -num));
}

static int connect_run(const char *host, const char *port, const struct tls_files *files, struct err *err) {
        gnutls_certificate_credentials_t credentials;
        auto_fd fd = -EBADF;
        gnutls_session_t tls;
        int r;

        if (files->plain) {
                r = dial(host, port, &fd, err);
                return r < 0 ? r : fd_send(TLS_FD, "+\n", 2, &fd, 1);
        }
        r = session_credentials(files, false, &credentials, err);
        if (r == 0)
                r = dial(host, port, &fd, err);
        if (r == 0)
                r = session_open(credentials, fd, host, !files->insecure, CONNECT_SECONDS, &tls, err);
        if (r < 0)
                return r;
        /* A server of TLS 1.3 looks at our certificate when we take the connection for made already. */
        if (fd_write_all(TLS_FD, "+\n", 2) == 0 && pump_run(tls, fd, TLS_FD) == GNUTLS_E_FATAL_ALERT_RECEIVED)
                fprintf(stderr, "kist: %s refused us: %s\n", host, gnutls_alert_get_name(gnutls_alert_get(tls)));
        return 0;
}

static bool take_file(struct tls_files *files, const char *word) {
        if (str_starts_with(word, "ca="))
                files->ca = word + 3;
        else if (str_starts_with(word, "cert="))
                files->cert = word + 5;
        else if (str_starts_with(word, "key="))
                files->key = word + 4;
        else if (strcmp(word, "plain") == 0)
                files->plain = true;
        else if (strcmp(word, "insecure") == 0)
                files->insecure = true;
        else
                return false;
        return true;
}

int main(int argc, char **argv) {
        bool serving = argc > 1 && strcmp(argv[1], "serve") == 0, connecting = argc > 3 && strcmp(argv[1], "connect") == 0;
        struct tls_files files = { 0 };
        struct err err = { 0 };
        int first = serving ? 2 : 4, r;

        for (int i = first; (serving || connecting) && i < argc; i++)
                if (!take_file(&files, argv[i]))
                        serving = connecting = false;
        if (!serving && !connecting) {
                fprintf(stderr, "kist-tls: part of kist and kistd; not to be started by hand\n");
                return 2;
        }
        signal(SIGPIPE, SIG_IGN);
        r = serving ? serve_run(&files, &err) : connect_run(argv[2], argv[3], &files, &err);
        if (r < 0) {
                char reason[TLS_REASON_MAX + 8];
                int n = snprintf(reason, sizeof(reason), serving ? "-%.*s" : "-%.*s\n", TLS_REASON_MAX, err.msg);

                if (serving)
                        fd_send(TLS_DAEMON_FD, reason, (size_t) n, NULL, 0);
                else
                        fd_write_all(TLS_FD, reason, (size_t) n);
        }
        return r < 0 ? 1 : 0;
}
