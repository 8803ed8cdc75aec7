/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "monitor/process.h"

static void end(struct process *p) {
        source_close(&p->input.source);
        p->input.at = p->input.size = 0;
}

static void let_clients_go_on(struct process *p) {
        for (size_t i = 0; i < ARRAY_SIZE(p->clients); i++)
                client_update(&p->clients[i]);
}

static void flush(struct process *p) {
        struct input *in = &p->input;

        while (in->at < in->size) {
                ssize_t n = write(in->source.fd, in->data + in->at, in->size - in->at);

                if (n > 0) {
                        in->at += (uint32_t) n;
                } else if (n < 0 && errno == EINTR) {
                        continue;
                } else if (n == 0 || errno == EAGAIN) {
                        if (source_want(&in->source, EPOLLOUT) < 0)
                                end(p);
                        return;
                } else { /* nobody reads any more: from now on input is thrown away */
                        end(p);
                        return;
                }
        }
        in->at = in->size = 0;
        source_off(&in->source);
        if (in->close_after)
                end(p);
}

static void ready(struct source *s, uint32_t events) {
        struct process *p = container_of(s, struct process, input.source);

        flush(p);
        if (input_is_free(p))
                let_clients_go_on(p);
}

void input_open(struct process *p, int fd) {
        source_init(&p->input.source, fd, ready);
        /* Clients that came ahead of the start may have sent something, which is read only now. */
        let_clients_go_on(p);
}

bool input_is_free(const struct process *p) {
        return p->state != PROCESS_NONE && p->input.size == 0;
}

void input_write(struct process *p, const char *data, size_t size) {
        if (p->input.source.fd < 0)
                return;
        memcpy(p->input.data, data, size);
        p->input.at = 0;
        p->input.size = (uint32_t) size;
        flush(p);
}

/* With a terminal the end of one client's input means nothing: ^D is a byte like others. */
void input_client_ended(struct process *p) {
        if (!(p->flags & MONITOR_STDIN_ONCE) || p->flags & MONITOR_TTY)
                return;
        if (p->input.size > 0)
                p->input.close_after = true;
        else
                end(p);
}
