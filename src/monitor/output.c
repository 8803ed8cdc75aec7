/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "monitor/process.h"

enum {
        QUIET_MS = 100,  /* after the exit: background children that hold the stream and say nothing */
        STOP_MS = 2000,  /* … and those that never stop talking */
};

static void ready(struct source *s, uint32_t events);

void output_open(struct output *o, int fd) {
        source_init(&o->source, fd, ready);
}

static int index_of(const struct output *o) {
        return o->stream - 1;
}

static void offer(struct output *o) {
        struct process *p = o->process;

        o->blocked_at_ms = now_ms();
        /* Held up by one, so that a client that takes all at once does not start the next read in the middle of this loop. */
        o->n_takers = 1;
        for (size_t i = 0; i < ARRAY_SIZE(p->clients); i++) {
                struct client *c = &p->clients[i];

                if (client_wants(c, o)) {
                        o->n_takers++;
                        client_offer(c, index_of(o));
                }
        }
        output_taken(o);
}

static void offer_tail(struct output *o) {
        o->data = o->tail;
        o->size = o->tail_size;
        o->tail_size = 0;
        offer(o);
}

void output_taken(struct output *o) {
        if (o->n_takers == 0 || --o->n_takers > 0)
                return;
        /* Time that a slow client took is not held against the stream. */
        o->stop_at_ms += now_ms() - o->blocked_at_ms;
        o->quiet_at_ms = now_ms() + QUIET_MS;
        if (o->tail_size > 0)
                offer_tail(o);
        else
                output_resume(o);
}

void output_resume(struct output *o) {
        if (o->n_takers == 0 && o->tail_size == 0 && o->process->held_until_ms == 0)
                source_want(&o->source, EPOLLIN);
}

/* One read(2). What arrived is in the log when this returns. Returns its size; 0: nothing now, or the stream has ended. */
static size_t fill(struct output *o, char *to, size_t room) {
        ssize_t n = read(o->source.fd, to, room);

        if (n < 0 && (errno == EINTR || errno == EAGAIN))
                return 0;
        if (n <= 0) { /* a terminal says EIO when the last one who had it open is gone */
                output_end(o);
                return 0;
        }
        if (o->process->log)
                json_log_append(o->process->log, o->stream, to, (size_t) n);
        o->quiet_at_ms = now_ms() + QUIET_MS;
        return (size_t) n;
}

static size_t read_chunk(struct output *o) {
        o->size = fill(o, o->chunk, OUTPUT_CHUNK);
        o->data = o->chunk;
        if (o->size == 0)
                return 0;
        offer(o);
        if (o->n_takers > 0)
                source_off(&o->source);
        return o->size;
}

static void ready(struct source *s, uint32_t events) {
        read_chunk(container_of(s, struct output, source));
}

void output_read_ahead(struct output *o) {
        size_t n, size = 0;

        if (o->source.fd < 0 || o->n_takers == 0 || o->tail)
                return;
        o->tail = mmap(NULL, OUTPUT_TAIL_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (o->tail == MAP_FAILED) { /* then the exit does wait for the client */
                o->tail = NULL;
                return;
        }
        while (size < OUTPUT_TAIL_MAX && o->source.fd >= 0) {
                n = fill(o, o->tail + size, OUTPUT_TAIL_MAX - size);
                if (n == 0)
                        break;
                size += n;
        }
        o->tail_size = size;
        /* Not full: all that the dead wrote is here, and what the living may yet write is not the container's. */
        if (size < OUTPUT_TAIL_MAX)
                output_end(o);
}

void output_start_clock(struct output *o) {
        o->blocked_at_ms = now_ms();
        o->quiet_at_ms = o->blocked_at_ms + QUIET_MS;
        o->stop_at_ms = o->blocked_at_ms + STOP_MS;
}

int64_t output_deadline(const struct output *o) {
        if (o->source.fd < 0 || o->ignored || o->n_takers > 0)
                return INT64_MAX;
        if (o->process->held_until_ms > 0)
                return o->process->held_until_ms;
        return o->quiet_at_ms < o->stop_at_ms ? o->quiet_at_ms : o->stop_at_ms;
}

void output_expire(struct output *o, bool ignore) {
        size_t size = 0, n;

        /* The monitor may have been busy elsewhere all that time: what is there now was written in time. */
        while (o->n_takers == 0 && o->source.fd >= 0 && size < OUTPUT_TAIL_MAX && (n = read_chunk(o)) > 0)
                size += n;
        if (o->n_takers > 0 || o->source.fd < 0)
                return;
        if (ignore)
                o->ignored = true;
        else
                output_end(o);
}

void output_end(struct output *o) {
        if (o->source.fd < 0)
                return;
        source_close(&o->source);
        if (o->process->log)
                json_log_end(o->process->log, o->stream);
}

void output_done(struct output *o) {
        source_close(&o->source);
        if (o->tail)
                munmap(o->tail, OUTPUT_TAIL_MAX);
        o->tail = NULL;
}
