/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/pump.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>

enum { PIECE_MAX = 16 * 1024 };

/* One direction. */
struct half {
        char data[PIECE_MAX];
        size_t start, end;
        bool no_more; /* the source has ended */
        bool closed;  /* and the other side was told */
};

struct pump {
        gnutls_session_t tls;
        int plain;
        struct half up, down; /* plain → TLS, TLS → plain */
        bool failed, gone; /* gone: nobody is left at the plain side */
        short tls_wants, plain_wants;
        int reason;
};

static bool must_wait(ssize_t r) {
        return r == GNUTLS_E_AGAIN || r == GNUTLS_E_INTERRUPTED;
}

/* GnuTLS may have to write in order to read, and the other way round. */
static void want_tls(struct pump *p) {
        p->tls_wants |= gnutls_record_get_direction(p->tls) ? POLLOUT : POLLIN;
}

static void read_plain(struct pump *p) {
        ssize_t n = recv(p->plain, p->up.data, PIECE_MAX, 0);

        if (n > 0) {
                p->up.start = 0;
                p->up.end = (size_t) n;
        } else if (n == 0) {
                p->up.no_more = true;
        } else if (errno == EAGAIN || errno == EINTR) {
                p->plain_wants |= POLLIN;
        } else {
                p->failed = true;
        }
}

static void move_up(struct pump *p) {
        while (!p->failed && !p->up.closed) {
                ssize_t r;

                if (p->up.start == p->up.end && !p->up.no_more) {
                        read_plain(p);
                        if (p->up.start == p->up.end && !p->up.no_more)
                                return;
                }
                if (p->up.start == p->up.end) {
                        r = gnutls_bye(p->tls, GNUTLS_SHUT_WR);
                        if (must_wait(r)) {
                                want_tls(p);
                                return;
                        }
                        p->up.closed = true;
                        return;
                }
                r = gnutls_record_send(p->tls, p->up.data + p->up.start, p->up.end - p->up.start);
                if (must_wait(r)) {
                        want_tls(p);
                        return;
                }
                if (r < 0) {
                        /* The other side may have said why before it closed: that is read next. */
                        p->up.closed = true;
                        return;
                }
                p->up.start += (size_t) r;
        }
}

static void read_tls(struct pump *p) {
        ssize_t n;

        do
                n = gnutls_record_recv(p->tls, p->down.data, PIECE_MAX);
        while (n == GNUTLS_E_REHANDSHAKE);
        if (n > 0) {
                p->down.start = 0;
                p->down.end = (size_t) n;
        } else if (must_wait(n)) {
                want_tls(p);
        } else if (n == 0) {
                p->down.no_more = true;
        } else {
                /* Also a stream that was cut without the closing alert: what came before it is not a whole answer. */
                p->failed = true;
                p->reason = (int) n;
        }
}

static void move_down(struct pump *p) {
        while (!p->failed && !p->down.closed) {
                ssize_t n;

                if (p->down.start == p->down.end && !p->down.no_more) {
                        read_tls(p);
                        if (p->down.start == p->down.end && !p->down.no_more)
                                return;
                }
                if (p->down.start == p->down.end) {
                        shutdown(p->plain, SHUT_WR);
                        p->down.closed = true;
                        return;
                }
                n = send(p->plain, p->down.data + p->down.start, p->down.end - p->down.start, MSG_NOSIGNAL);
                if (n > 0) {
                        p->down.start += (size_t) n;
                } else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
                        p->plain_wants |= POLLOUT;
                        return;
                } else {
                        p->failed = true;
                }
        }
}

int pump_run(gnutls_session_t tls, int tls_fd, int plain_fd) {
        struct pump p = { .tls = tls, .plain = plain_fd };

        fcntl(tls_fd, F_SETFL, fcntl(tls_fd, F_GETFL) | O_NONBLOCK);
        fcntl(plain_fd, F_SETFL, fcntl(plain_fd, F_GETFL) | O_NONBLOCK);
        for (;;) {
                struct pollfd polls[2];

                p.tls_wants = p.plain_wants = 0;
                move_up(&p);
                move_down(&p);
                if (p.failed || (p.up.closed && p.down.closed))
                        return p.reason;
                polls[0] = (struct pollfd) { .fd = p.tls_wants ? tls_fd : -1, .events = p.tls_wants };
                polls[1] = (struct pollfd) { .fd = p.gone ? -1 : plain_fd, .events = p.plain_wants };
                if (poll(polls, 2, -1) < 0 && errno != EINTR)
                        return 0;
                /* The plain side is gone, not only silent: nobody is left to read. What it had said is still sent. */
                if (polls[1].revents & (POLLHUP | POLLERR)) {
                        p.gone = p.down.closed = true;
                        if (p.up.closed)
                                return 0;
                }
        }
}
