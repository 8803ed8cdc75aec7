/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/forward.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "monitor/process.h"

enum { FIRST_CONNECT_MS = 3000, CONNECT_MS = 200, RETRY_MS = 1000, WAIT_MS = 1000, HEAD_MAX = 512, PRIORITY_ERROR = 3, PRIORITY_INFO = 6 };

/* --- the connection --- */

static int wait_until_connected(int fd, int timeout_ms) {
        struct pollfd p = { .fd = fd, .events = POLLOUT };
        int error = 0, n = poll(&p, 1, timeout_ms);
        socklen_t size = sizeof(error);

        if (n <= 0)
                return n < 0 ? -errno : -ETIMEDOUT;
        return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? -errno : -error;
}

static void writable(struct source *s, uint32_t events);

static int connect_to(struct forward *f, int timeout_ms) {
        const struct sockaddr *address = (const struct sockaddr *) f->how.address;
        auto_fd fd = socket(address->sa_family, f->how.socket_type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        int r = 0;

        if (fd < 0)
                return -errno;
        if (connect(fd, address, f->how.address_size) < 0)
                r = errno == EINPROGRESS ? timeout_ms ? wait_until_connected(fd, timeout_ms) : 0 : -errno;
        if (r < 0)
                return r;
        source_init(&f->socket, move_fd(fd), writable);
        return 0;
}

static void disconnect(struct forward *f) {
        source_close(&f->socket);
        line_queue_rewind(&f->queue);
}

/* Who must not wait takes what is not there yet for one that is slow. */
static bool is_connected(struct forward *f) {
        int64_t now;

        if (f->socket.fd >= 0)
                return true;
        now = now_ms();
        if (now < f->retry_at_ms)
                return false;
        f->retry_at_ms = now + RETRY_MS;
        return connect_to(f, f->how.wait ? CONNECT_MS : 0) == 0;
}

static size_t size_of(const struct iovec *parts, size_t n) {
        size_t size = 0;

        for (size_t i = 0; i < n; i++)
                size += parts[i].iov_len;
        return size;
}

/* One sendmsg(2). −EAGAIN: not now. */
static ssize_t send_now(struct forward *f, struct iovec *parts, size_t n) {
        struct msghdr m = { .msg_iov = parts, .msg_iovlen = n };
        ssize_t sent;

        while ((sent = sendmsg(f->socket.fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT)) < 0 && errno == EINTR)
                ;
        return sent < 0 ? -errno : f->how.socket_type != SOCK_STREAM ? (ssize_t) size_of(parts, n) : sent;
}

/* Take what went out from the parts; returns how many are left. */
static size_t drop_sent(struct iovec **parts, size_t n, size_t sent) {
        while (n > 0 && sent >= (*parts)->iov_len) {
                sent -= (*parts)->iov_len;
                ++*parts;
                n--;
        }
        if (n > 0) {
                (*parts)->iov_base = (char *) (*parts)->iov_base + sent;
                (*parts)->iov_len -= sent;
        }
        return n;
}

/* mode=blocking: whole or not at all for datagrams; a stream that took half a line and then nothing for a second is closed, so that the next line begins a
 * new one. */
static void send_waiting(struct forward *f, struct iovec *parts, size_t n) {
        bool begun = false;

        while (n > 0) {
                struct pollfd p = { .fd = f->socket.fd, .events = POLLOUT };
                ssize_t sent = send_now(f, parts, n);

                if (sent >= 0) {
                        n = drop_sent(&parts, n, (size_t) sent);
                        begun = true;
                        continue;
                }
                if (sent == -EAGAIN && poll(&p, 1, WAIT_MS) > 0)
                        continue;
                /* A datagram that is too long is lost alone; a receiver that is slow keeps its connection if nothing of the line has gone out. */
                if (begun || (sent != -EMSGSIZE && sent != -EAGAIN))
                        disconnect(f);
                return;
        }
}

/* As much of the queue as is taken at once. Who is away has lost what he has half of, and gets the rest when he is there again. */
static void send_queue(struct forward *f) {
        struct iovec parts[2];
        size_t n;

        while (f->socket.fd >= 0 && (n = line_queue_first(&f->queue, parts)) > 0) {
                ssize_t sent = send_now(f, parts, n);

                if (sent >= 0)
                        line_queue_advance(&f->queue, (size_t) sent);
                else if (sent == -EMSGSIZE)
                        line_queue_pop(&f->queue);
                else if (sent == -EAGAIN)
                        break;
                else
                        disconnect(f);
        }
        if (f->socket.fd < 0)
                return;
        if (line_queue_is_empty(&f->queue))
                source_off(&f->socket);
        else if (source_want(&f->socket, EPOLLOUT) < 0)
                disconnect(f);
}

static void writable(struct source *s, uint32_t events) {
        send_queue(container_of(s, struct forward, socket));
}

/* mode=non-blocking */
static void send_or_queue(struct forward *f, struct iovec *parts, size_t n) {
        ssize_t sent = line_queue_is_empty(&f->queue) ? send_now(f, parts, n) : -EAGAIN;

        if (sent == (ssize_t) size_of(parts, n))
                return;
        if (sent < 0 && sent != -EAGAIN) {
                if (sent != -EMSGSIZE)
                        disconnect(f);
                return;
        }
        /* One that has begun is the first there, and has room. */
        line_queue_push(&f->queue, parts, n, sent > 0 ? (size_t) sent : 0);
        send_queue(f);
}

static void send_parts(struct forward *f, struct iovec *parts, size_t n) {
        if (!is_connected(f))
                return;
        if (f->how.wait)
                send_waiting(f, parts, n);
        else
                send_or_queue(f, parts, n);
}

/* --- the forms --- */

/* "Nov 22 02:40:21" of local time. */
static char *put_stamp(char *at, char *end, int32_t offset_s) {
        static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
        char text[TIME_RFC3339_SIZE], day[3];
        struct timespec now;

        clock_gettime(CLOCK_REALTIME, &now);
        now.tv_sec += offset_s;
        time_format(&now, text);
        at = str_put(at, end, months[(text[5] - '0') * 10 + text[6] - '1']);
        day[0] = text[8] == '0' ? ' ' : text[8];
        day[1] = text[9];
        day[2] = '\0';
        text[19] = '\0';
        at = str_put(str_put(at, end, " "), end, day);
        return str_put(str_put(at, end, " "), end, text + 11);
}

static char *put_tag(char *at, char *end, const struct monitor_log *how) {
        at = str_put(str_put(at, end, how->tag), end, "[");
        at = str_put_u64(at, end, (uint64_t) how->daemon_pid);
        return str_put(at, end, "]: ");
}

/* "<30>1 2026-11-22T02:40:21.123456Z HOST TAG 123 TAG - " */
static char *put_rfc5424(char *at, char *end, const struct monitor_log *how, const char *time) {
        char stamp[TIME_RFC3339_SIZE];
        size_t keep = how->syslog == MONITOR_SYSLOG_RFC5424_MICRO ? 26 : 19; /* to the second, or to the microsecond */

        memcpy(stamp, time, keep);
        stamp[keep] = 'Z';
        stamp[keep + 1] = '\0';
        at = str_put(str_put(at, end, "1 "), end, stamp);
        at = str_put(str_put(at, end, " "), end, how->host);
        at = str_put(str_put(at, end, " "), end, how->tag);
        at = str_put_u64(str_put(at, end, " "), end, (uint64_t) how->daemon_pid);
        at = str_put(str_put(at, end, " "), end, how->tag);
        return str_put(at, end, " - ");
}

static void to_syslog(struct forward *f, uint32_t priority, const char *text, size_t size, const char *time) {
        char head[HEAD_MAX], *end = head + sizeof(head) - 1, *at = head;
        struct iovec parts[3];

        at = str_put(at, end, "<");
        at = str_put_u64(at, end, f->how.facility * 8 + priority);
        at = str_put(at, end, ">");
        if (f->how.syslog == MONITOR_SYSLOG_RFC5424 || f->how.syslog == MONITOR_SYSLOG_RFC5424_MICRO)
                at = put_rfc5424(at, end, &f->how, time);
        else {
                at = str_put(put_stamp(at, end, f->how.utc_offset_s), end, " ");
                if (f->how.syslog == MONITOR_SYSLOG_RFC3164)
                        at = str_put(str_put(at, end, f->how.host), end, " ");
                at = put_tag(at, end, &f->how);
        }
        parts[0] = (struct iovec) { head, (size_t) (at - head) };
        parts[1] = (struct iovec) { (char *) text, size };
        parts[2] = (struct iovec) { (char *) "\n", 1 };
        send_parts(f, parts, ARRAY_SIZE(parts));
}

/* MESSAGE with its length before it, so that its bytes can be any. */
static void to_journal(struct forward *f, uint32_t priority, const char *text, size_t size, bool whole) {
        char head[HEAD_MAX], *end = head + sizeof(head) - 1, *at = head;
        uint64_t length = htole64(size);
        struct iovec parts[4];

        at = str_put(at, end, "PRIORITY=");
        at = str_put_u64(at, end, priority);
        if (!whole)
                at = str_put(at, end, "\nCONTAINER_PARTIAL_MESSAGE=true");
        at = str_put(at, end, "\nMESSAGE\n");
        memcpy(at, &length, sizeof(length));
        at += sizeof(length);
        parts[0] = (struct iovec) { f->how.text, f->how.text_size };
        parts[1] = (struct iovec) { head, (size_t) (at - head) };
        parts[2] = (struct iovec) { (char *) text, size };
        parts[3] = (struct iovec) { (char *) "\n", 1 };
        send_parts(f, parts, ARRAY_SIZE(parts));
}

void forward_line(struct forward *f, int stream, const char *text, size_t size, bool whole, const char *time) {
        uint32_t priority = stream == 2 ? PRIORITY_ERROR : PRIORITY_INFO;

        if (f->how.forward == MONITOR_FORWARD_SYSLOG)
                to_syslog(f, priority, text, size, time);
        else if (f->how.forward == MONITOR_FORWARD_JOURNALD)
                to_journal(f, priority, text, size, whole);
}

/* --- life --- */

int forward_open(struct forward *f, int memfd, struct err *err) {
        struct monitor_log *how = &f->how;
        int r;

        f->socket.fd = -EBADF;
        if (pread(memfd, how, sizeof(*how), 0) != sizeof(*how) || how->text_size >= MONITOR_LOG_TEXT_MAX || how->address_size > sizeof(how->address))
                return err_set_raw(err, ERR_INVALID, -EINVAL, "log options", NULL);
        how->host[sizeof(how->host) - 1] = how->tag[sizeof(how->tag) - 1] = how->text[how->text_size] = '\0';
        if (how->forward == MONITOR_FORWARD_NONE)
                return 0;
        r = how->wait ? 0 : line_queue_open(&f->queue, how->buffer_size);
        if (r == 0)
                r = connect_to(f, FIRST_CONNECT_MS);
        return r < 0 ? err_set_raw(err, ERR_UNAVAILABLE, r, "failed to initialize logging driver",
                                   how->forward == MONITOR_FORWARD_SYSLOG ? "syslog" : "journald") : 0;
}

void forward_close(struct forward *f) {
        int64_t until = now_ms() + WAIT_MS, left;

        while (f->socket.fd >= 0 && !line_queue_is_empty(&f->queue) && (left = until - now_ms()) > 0) {
                struct pollfd p = { .fd = f->socket.fd, .events = POLLOUT };

                if (poll(&p, 1, (int) left) > 0)
                        send_queue(f);
        }
        disconnect(f);
        line_queue_close(&f->queue);
}
