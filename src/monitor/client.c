/* SPDX-License-Identifier: Apache-2.0 */

/* One attached connection. Its fd may be shared with the daemon's HTTP server, and O_NONBLOCK belongs to the open file that they share: so
 * it is left as it is, and each call says MSG_DONTWAIT. */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "monitor/monitor.h"
#include "monitor/process.h"

static void ready(struct source *s, uint32_t events);

static bool is_open(const struct client *c) {
        return c->source.fd >= 0;
}

static bool is_framed(const struct client *c) {
        return c->flags & MONITOR_ATTACH_FRAMED && !(c->process->flags & MONITOR_TTY);
}

bool client_wants(const struct client *c, const struct output *o) {
        if (!is_open(c) || c->hung || o->ignored)
                return false;
        if (c->process->flags & MONITOR_TTY)
                return c->flags & (MONITOR_ATTACH_STDOUT | MONITOR_ATTACH_STDERR);
        return c->flags & (o->stream == 1 ? MONITOR_ATTACH_STDOUT : MONITOR_ATTACH_STDERR);
}

/* Nobody will take what this client had still to take. */
static void forget_output(struct client *c) {
        uint8_t pending = c->pending;

        c->pending = 0;
        c->current = -1;
        for (int i = 0; i < 2; i++)
                if (pending & 1 << i)
                        output_taken(&c->process->outputs[i]);
}

static void drop(struct client *c) {
        bool had_input = c->flags & MONITOR_ATTACH_STDIN && !c->input_ended;

        source_close(&c->source);
        forget_output(c);
        if (had_input)
                input_client_ended(c->process);
}

/* --- output --- */

static void begin(struct client *c, int index) {
        uint32_t size = (uint32_t) c->process->outputs[index].size;
        uint8_t header[8] = { (uint8_t) (index + 1), 0, 0, 0, (uint8_t) (size >> 24), (uint8_t) (size >> 16), (uint8_t) (size >> 8),
                              (uint8_t) size };

        memcpy(c->header, header, sizeof(header));
        c->current = (int8_t) index;
        c->sent = is_framed(c) ? 0 : sizeof(header);
}

static ssize_t send_rest(const struct client *c, const struct output *o) {
        size_t header = sizeof(c->header), in_data = c->sent > header ? c->sent - header : 0;
        struct iovec iov[2] = {
                { .iov_base = (void *) (c->header + c->sent), .iov_len = c->sent < header ? header - c->sent : 0 },
                { .iov_base = (void *) (o->data + in_data), .iov_len = o->size - in_data },
        };
        struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

        if (iov[0].iov_len == 0) {
                msg.msg_iov = iov + 1;
                msg.msg_iovlen = 1;
        }
        return sendmsg(c->source.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Send until all is taken or the connection is full. output_taken() may bring the next piece, which comes back here: so it is called last. */
static void flush(struct client *c) {
        while (c->pending && is_open(c) && !c->hung) {
                struct output *o;
                ssize_t n;

                if (c->current < 0)
                        begin(c, c->pending & 1 ? 0 : 1);
                o = &c->process->outputs[c->current];
                n = send_rest(c, o);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM))
                        return;
                if (n < 0) {
                        c->hung = true;
                        forget_output(c);
                        return;
                }
                c->sent += (size_t) n;
                if (c->sent < sizeof(c->header) + o->size)
                        continue;
                c->pending &= (uint8_t) ~(1 << c->current);
                c->current = -1;
                output_taken(o);
        }
}

void client_offer(struct client *c, int index) {
        c->pending |= (uint8_t) (1 << index);
        flush(c);
        client_update(c);
}

void client_end(struct client *c) {
        char rest[512];

        if (!is_open(c))
                return;
        /* The daemon may hold the connection, too: closing our fd would not be seen by the client. */
        shutdown(c->source.fd, SHUT_WR);
        /* Bytes that were never read turn a close(2) into a reset, which can overtake the output in the client. */
        for (int i = 0; i < 64 && recv(c->source.fd, rest, sizeof(rest), MSG_DONTWAIT) > 0; i++)
                ;
        c->input_ended = true;
        drop(c);
}

/* --- input --- */

static bool wants_input(const struct client *c) {
        return c->flags & MONITOR_ATTACH_STDIN;
}

static bool can_read(const struct client *c) {
        return !c->input_ended && (!wants_input(c) || input_is_free(c->process));
}

/* Copy without the detach keys; true: they were typed, and the rest is dropped. Bytes that may be their beginning are held back until the
 * next one tells. */
static bool filter_keys(struct client *c, const char *data, size_t size, char *ret, size_t *ret_size) {
        bool typed = false;
        size_t n = 0;

        for (size_t i = 0; i < size && !typed; i++) {
                if ((uint8_t) data[i] != c->detach_keys[c->n_keys_typed] && c->n_keys_typed > 0) {
                        memcpy(ret + n, c->detach_keys, c->n_keys_typed);
                        n += c->n_keys_typed;
                        c->n_keys_typed = 0;
                }
                if ((uint8_t) data[i] != c->detach_keys[c->n_keys_typed])
                        ret[n++] = data[i];
                else
                        typed = ++c->n_keys_typed == c->n_detach_keys;
        }
        *ret_size = n;
        return typed;
}

static void detach(struct client *c) {
        c->flags &= ~(uint32_t) MONITOR_ATTACH_STDIN; /* leaving by the keys does not end the container's input */
        forget_output(c);
        client_end(c);
        request_report_detached(c->process);
}

static void take_input(struct client *c, const char *data, size_t size) {
        char filtered[INPUT_CHUNK + DETACH_KEYS_MAX];
        bool typed;
        size_t n;

        if (!wants_input(c))
                return;
        /* Without a terminal nobody types, and the keys' bytes are data. */
        if (c->n_detach_keys == 0 || !(c->process->flags & MONITOR_TTY)) {
                input_write(c->process, data, size);
                return;
        }
        typed = filter_keys(c, data, size, filtered, &n);
        if (n > 0)
                input_write(c->process, filtered, n);
        if (typed)
                detach(c);
}

static void read_input(struct client *c) {
        char data[INPUT_CHUNK];
        ssize_t n = recv(c->source.fd, data, sizeof(data), MSG_DONTWAIT);

        if (n > 0) {
                take_input(c, data, (size_t) n);
                return;
        }
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n < 0) {
                c->hung = true;
                forget_output(c);
        }
        /* The client has closed its sending half, and may still be listening. */
        c->input_ended = true;
        if (wants_input(c))
                input_client_ended(c->process);
}

/* --- both --- */

void client_update(struct client *c) {
        uint32_t events;

        if (!is_open(c))
                return;
        if (c->hung && c->input_ended) {
                drop(c);
                return;
        }
        events = (can_read(c) ? EPOLLIN : 0) | (c->pending ? EPOLLOUT : 0);
        /* A hangup that was seen would be reported for ever: look again only when there is room for the last input. */
        if (c->hung && !events)
                source_off(&c->source);
        else if (source_want(&c->source, events) < 0)
                drop(c);
}

static void ready(struct source *s, uint32_t events) {
        struct client *c = container_of(s, struct client, source);

        if (events & (EPOLLHUP | EPOLLERR)) {
                c->hung = true;
                forget_output(c);
        }
        if (can_read(c) && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                read_input(c);
        if (events & EPOLLOUT)
                flush(c);
        client_update(c);
}

int client_attach(struct process *p, const struct monitor_attach *a, int *fd, struct err *err) {
        struct client *c = NULL;
        socklen_t size = sizeof(int);
        int type;

        if (a->n_detach_keys > DETACH_KEYS_MAX)
                return err_set_raw(err, ERR_INVALID, -EINVAL, "attach", "too many detach keys");
        if (getsockopt(*fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_STREAM)
                return err_set_raw(err, ERR_INVALID, -ENOTSOCK, "attach", "the stream");
        for (size_t i = 0; i < ARRAY_SIZE(p->clients) && !c; i++)
                if (!is_open(&p->clients[i]))
                        c = &p->clients[i];
        if (!c)
                return err_set_raw(err, ERR_CONFLICT, -EBUSY, "attach", "too many clients are attached already");
        *c = (struct client) { .process = p, .flags = a->flags, .current = -1, .n_detach_keys = (uint8_t) a->n_detach_keys };
        memcpy(c->detach_keys, a->detach_keys, sizeof(c->detach_keys));
        source_init(&c->source, move_fd(*fd), ready);
        client_update(c);
        if (!is_open(c))
                return err_set_raw(err, ERR_INTERNAL, -ENOMEM, "attach", "epoll");
        process_release_output(p);
        return 0;
}
