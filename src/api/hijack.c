/* SPDX-License-Identifier: Apache-2.0 */
#include "api/hijack.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/gate.h"
#include "api/request.h"
#include "api/server.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"

enum { HEADER_READ_STEP_US = 50, HEADER_READ_MAX_MS = 200 };

struct hijack {
        struct request *request;
        const struct hijack_kind *kind;
        void *data;
        bool framed;
        struct gate_ticket ticket;
};

void hijack_frame(unsigned char ret[8], int stream, unsigned size) {
        memset(ret, 0, 8);
        ret[0] = (unsigned char) stream;
        for (int i = 0; i < 4; i++)
                ret[4 + i] = (unsigned char) (size >> (24 - 8 * i));
}

void hijack_free(struct hijack *h) {
        if (!h)
                return;
        gate_leave(server_gate(h->request->server), &h->ticket);
        if (h->kind->free_data)
                h->kind->free_data(h->data);
        free(h);
}

static void tell_failure(const struct hijack *h, int fd, const struct err *err) {
        char text[sizeof(err->msg) + 16];
        unsigned char frame[8];
        int n = snprintf(text, sizeof(text), "%s\r\n", err->msg);

        hijack_frame(frame, 2, (unsigned) n);
        if (h->framed)
                fd_write_all(fd, frame, sizeof(frame));
        fd_write_all(fd, text, (size_t) n);
}

/* Some clients (python3-docker) read the header through a buffer and the stream behind its back: what came together with the header is lost to
 * them. So nothing comes before they have taken the header. What is not read yet of a unix socket is known (unix(7)); of TCP only what has arrived. */
static void let_header_be_read(int fd) {
        for (int waited_us = 0; waited_us < HEADER_READ_MAX_MS * 1000; waited_us += HEADER_READ_STEP_US) {
                int unread = 0;

                if (ioctl(fd, SIOCOUTQ, &unread) < 0 || unread == 0)
                        return;
                usleep(HEADER_READ_STEP_US);
        }
}

static void connect_stream(struct hijack *h, int fd) {
        struct err err = { 0 };

        let_header_be_read(fd);
        /* libmicrohttpd may have left it non-blocking; the flag is the connection's, not the descriptor's. */
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
        if (h->kind->connect(h->request, h->data, fd, &err) < 0)
                tell_failure(h, fd, &err);
        gate_leave(server_gate(h->request->server), &h->ticket);
}

/* Move what is readable from one end to the other. At the end of input the other end's writing side is closed. */
static void pump(struct pollfd *from, int to) {
        char piece[16 * 1024];
        ssize_t n = recv(from->fd, piece, sizeof(piece), MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n > 0 && fd_write_all(to, piece, (size_t) n) == 0)
                return;
        shutdown(to, SHUT_WR);
        from->fd = -1;
}

/* A client that talks before it has read the header: those bytes are out of the socket already and cannot be put back, so for this
 * connection the daemon stays in the path. Runs in the connection's thread. */
static void relay(struct hijack *h, int client, const char *extra, size_t extra_size) {
        auto_fd ours = -EBADF, theirs = -EBADF;
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
                struct err err;

                err_errno(&err, -errno, "socket pair");
                tell_failure(h, client, &err);
                return;
        }
        ours = pair[0];
        theirs = pair[1];
        connect_stream(h, theirs);
        theirs = fd_close(theirs);
        fcntl(client, F_SETFL, fcntl(client, F_GETFL) & ~O_NONBLOCK);
        if (fd_write_all(ours, extra, extra_size) < 0)
                return;
        struct pollfd p[] = {
                { .fd = ours, .events = POLLIN },
                { .fd = client, .events = POLLIN },
                { .fd = server_stop_fd(h->request->server), .events = POLLIN },
        };
        /* The session is over when the container's side has closed. */
        while (p[0].fd >= 0) {
                if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
                        return;
                if (p[2].revents)
                        return;
                if (p[0].revents)
                        pump(&p[0], client);
                if (p[1].fd >= 0 && p[1].revents)
                        pump(&p[1], ours);
        }
}

/* The connection's thread; libmicrohttpd closes its descriptor after it without shutting the socket down, so a duplicate stays usable. */
static void on_upgrade(void *arg, struct MHD_Connection *connection, void *request, const char *extra, size_t extra_size, MHD_socket fd,
                       struct MHD_UpgradeResponseHandle *handle) {
        struct hijack *h = arg;

        if (extra_size == 0)
                connect_stream(h, fd);
        else
                relay(h, fd, extra, extra_size);
        MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
}

/* Called once the header is sent. When this body ends, libmicrohttpd shuts its socket down: put a dead one in its place first. */
static ssize_t on_raw_body(void *arg, uint64_t position, char *buffer, size_t max) {
        struct hijack *h = arg;
        auto_fd client = fcntl(h->request->socket_fd, F_DUPFD_CLOEXEC, 0);
        auto_fd dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (client < 0 || dead < 0 || dup3(dead, h->request->socket_fd, O_CLOEXEC) < 0) {
                log_error("attach: cannot take over the connection: %m");
                return MHD_CONTENT_READER_END_WITH_ERROR;
        }
        connect_stream(h, client);
        return MHD_CONTENT_READER_END_OF_STREAM;
}

static bool wants_upgrade(struct request *q) {
        const char *connection = request_header(q, MHD_HTTP_HEADER_CONNECTION), *upgrade = request_header(q, MHD_HTTP_HEADER_UPGRADE);

        return connection && upgrade && strcasestr(connection, "upgrade") && !strcasecmp(upgrade, "tcp");
}

int hijack_answer(struct request *q, const struct hijack_kind *kind, bool framed, void *data, struct err *err) {
        /* Clients before 1.42 know one type only. */
        const char *type = framed && q->minor >= 42 ? "application/vnd.docker.multiplexed-stream" : "application/vnd.docker.raw-stream";
        bool upgrade = wants_upgrade(q);
        struct MHD_Response *response;
        struct hijack *h = calloc(1, sizeof(*h));

        if (!h) {
                if (kind->free_data)
                        kind->free_data(data);
                return err_errno(err, -ENOMEM, "stream");
        }
        *h = (struct hijack) { .request = q, .kind = kind, .data = data, .framed = framed };
        q->hijack = h; /* freed with the request */
        if (upgrade)
                response = MHD_create_response_for_upgrade(on_upgrade, h);
        else
                response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 1024, on_raw_body, h, NULL);
        if (!response)
                return err_errno(err, -ENOMEM, "stream");
        if (upgrade)
                MHD_add_response_header(response, MHD_HTTP_HEADER_UPGRADE, "tcp");
        else
                MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
        gate_enter(server_gate(q->server), &h->ticket);
        return request_answer(q, upgrade ? MHD_HTTP_SWITCHING_PROTOCOLS : MHD_HTTP_OK, response);
}
