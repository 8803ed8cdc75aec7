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

static int connect_to(struct forward *f, int timeout_ms) {
        const struct sockaddr *address = (const struct sockaddr *) f->how.address;
        auto_fd fd = socket(address->sa_family, f->how.socket_type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        int r = 0;

        if (fd < 0)
                return -errno;
        if (connect(fd, address, f->how.address_size) < 0)
                r = errno == EINPROGRESS ? wait_until_connected(fd, timeout_ms) : -errno;
        if (r < 0)
                return r;
        f->fd = move_fd(fd);
        return 0;
}

static bool is_connected(struct forward *f) {
        int64_t now;

        if (f->fd >= 0)
                return true;
        now = now_ms();
        if (now < f->retry_at_ms)
                return false;
        f->retry_at_ms = now + RETRY_MS;
        return connect_to(f, CONNECT_MS) == 0;
}

/* Whole or not at all for datagrams; a stream that took half a line is closed, so that the next line begins a new one. */
static void send_parts(struct forward *f, struct iovec *parts, size_t n) {
        struct msghdr m = { .msg_iov = parts, .msg_iovlen = n };
        size_t left = 0;

        if (!is_connected(f))
                return;
        for (size_t i = 0; i < n; i++)
                left += parts[i].iov_len;
        while (left > 0) {
                ssize_t sent = sendmsg(f->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);

                if (sent < 0 && errno == EINTR)
                        continue;
                if (sent < 0 && errno == EAGAIN && f->how.wait) {
                        struct pollfd p = { .fd = f->fd, .events = POLLOUT };

                        if (poll(&p, 1, WAIT_MS) > 0)
                                continue;
                }
                if (sent < 0) {
                        /* A datagram that is too long is lost alone; a receiver that is slow keeps its connection if nothing of the line has gone out. */
                        if (errno != EMSGSIZE && errno != EAGAIN)
                                f->fd = fd_close(f->fd);
                        return;
                }
                if (f->how.socket_type != SOCK_STREAM)
                        return;
                left -= (size_t) sent;
                while (m.msg_iovlen > 0 && (size_t) sent >= m.msg_iov->iov_len) {
                        sent -= (ssize_t) m.msg_iov->iov_len;
                        m.msg_iov++;
                        m.msg_iovlen--;
                }
                if (left > 0) {
                        struct pollfd p = { .fd = f->fd, .events = POLLOUT };

                        m.msg_iov->iov_base = (char *) m.msg_iov->iov_base + sent;
                        m.msg_iov->iov_len -= (size_t) sent;
                        if (poll(&p, 1, WAIT_MS) <= 0) {
                                f->fd = fd_close(f->fd);
                                return;
                        }
                }
        }
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

        f->fd = -EBADF;
        if (pread(memfd, how, sizeof(*how), 0) != sizeof(*how) || how->text_size >= MONITOR_LOG_TEXT_MAX || how->address_size > sizeof(how->address))
                return err_set_raw(err, ERR_INVALID, -EINVAL, "log options", NULL);
        how->host[sizeof(how->host) - 1] = how->tag[sizeof(how->tag) - 1] = how->text[how->text_size] = '\0';
        if (how->forward == MONITOR_FORWARD_NONE)
                return 0;
        r = connect_to(f, FIRST_CONNECT_MS);
        return r < 0 ? err_set_raw(err, ERR_UNAVAILABLE, r, "failed to initialize logging driver",
                                   how->forward == MONITOR_FORWARD_SYSLOG ? "syslog" : "journald") : 0;
}

void forward_close(struct forward *f) {
        f->fd = fd_close(f->fd);
}
