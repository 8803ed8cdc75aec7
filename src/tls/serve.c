/* SPDX-License-Identifier: Apache-2.0 */

/* TLS in front of kistd. What is in here is reached by anybody who reaches the port, so it has no rights: the keys are read, then the
 * process is nobody's, and all that it can do is give the daemon sockets of clients that have shown a certificate. */
#include "tls/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "tls/pump.h"
#include "tls/session.h"
#include "tls/tls.h"

enum {
        NOBODY = 65534,
        CLIENTS_MAX = 512,
        HANDSHAKE_SECONDS = 15,
        STACK_SIZE = 256 * 1024,
        FULL_PAUSE_MS = 200,
        DRAIN_SECONDS = 2,
        DRAIN_PIECES = 32,
};

static gnutls_certificate_credentials_t credentials;
static bool verify;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned n_clients;

static int give_up_rights(struct err *err) {
        const struct rlimit files = { 4 * CLIENTS_MAX, 4 * CLIENTS_MAX }, none = { 0, 0 };

        if (setrlimit(RLIMIT_NOFILE, &files) < 0 || setrlimit(RLIMIT_FSIZE, &none) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
                return err_errno(err, -errno, "limits");
        if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0))
                return err_errno(err, -errno, "user nobody");
        /* The keys are in this memory: not for other processes of that user. */
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return err_errno(err, -errno, "prctl");
        return 0;
}

static void one_less(void) {
        pthread_mutex_lock(&lock);
        n_clients--;
        pthread_cond_signal(&changed);
        pthread_mutex_unlock(&lock);
}

/* A connection that is closed with something unread is reset, and the alert that says why is lost with it. */
static void drain(int client) {
        const struct timeval limit = { .tv_sec = DRAIN_SECONDS };
        char piece[1024];

        shutdown(client, SHUT_WR);
        setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        for (int i = 0; i < DRAIN_PIECES && recv(client, piece, sizeof(piece), 0) > 0; i++)
                ;
}

static void talk(int client) {
        auto_fd ours = -EBADF, theirs = -EBADF;
        gnutls_session_t tls;
        struct err err;
        int pair[2];

        if (session_open(credentials, client, NULL, verify, HANDSHAKE_SECONDS, &tls, &err) < 0) {
                log_debug("TLS client refused: %s", err.msg);
                drain(client);
                return;
        }
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0) {
                ours = pair[0];
                theirs = pair[1];
                if (fd_send(TLS_DAEMON_FD, "c", 1, &theirs, 1) == 0) {
                        theirs = fd_close(theirs);
                        pump_run(tls, client, ours);
                }
        }
        gnutls_deinit(tls);
}

static void *client_thread(void *arg) {
        auto_fd client = (int) (intptr_t) arg;

        talk(client);
        client = fd_close(client);
        one_less();
        return NULL;
}

static bool is_full(void) {
        bool full;

        pthread_mutex_lock(&lock);
        full = n_clients >= CLIENTS_MAX;
        pthread_mutex_unlock(&lock);
        return full;
}

static void take_client(pthread_attr_t *attr) {
        int client = accept4(TLS_FD, NULL, NULL, SOCK_CLOEXEC), on = 1;
        pthread_t thread;

        if (client < 0) {
                /* Out of descriptors, most likely: let others end. */
                if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
                        poll(NULL, 0, 100);
                return;
        }
        setsockopt(client, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        pthread_mutex_lock(&lock);
        n_clients++;
        pthread_mutex_unlock(&lock);
        if (pthread_create(&thread, attr, client_thread, (void *) (intptr_t) client) != 0) {
                fd_close(client);
                one_less();
        }
}

int serve_run(const struct tls_files *files, struct err *err) {
        struct pollfd polls[] = { { .fd = TLS_FD, .events = POLLIN }, { .fd = TLS_DAEMON_FD, .events = POLLIN } };
        pthread_attr_t attr;
        int r;

        verify = files->ca != NULL;
        r = session_credentials(files, true, &credentials, err);
        if (r == 0)
                r = give_up_rights(err);
        if (r < 0)
                return r;
        fcntl(TLS_FD, F_SETFL, fcntl(TLS_FD, F_GETFL) | O_NONBLOCK);
        pthread_attr_init(&attr);
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        pthread_attr_setstacksize(&attr, STACK_SIZE);
        if (fd_send(TLS_DAEMON_FD, "+", 1, NULL, 0) < 0)
                return 0;
        while (!polls[1].revents) {
                bool full = is_full();

                /* The rest wait in the socket's queue. */
                polls[0].fd = full ? -1 : TLS_FD;
                if (poll(polls, 2, full ? FULL_PAUSE_MS : -1) < 0 && errno != EINTR)
                        break;
                if (polls[0].revents)
                        take_client(&attr);
        }
        /* The port is free for the next daemon; whoever is in a session stays in it. */
        close(TLS_FD);
        pthread_mutex_lock(&lock);
        while (n_clients > 0)
                pthread_cond_wait(&changed, &lock);
        pthread_mutex_unlock(&lock);
        return 0;
}
