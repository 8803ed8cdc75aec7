/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A process that the monitor is the parent of (init, or an exec) with its standard streams and the clients attached to them.
 *
 * Output: one read(2) fills the stream's chunk; it goes to the log, then to every client that wants the stream; the next read(2) happens
 * when all have taken it. So a slow client slows the container down and loses nothing, and memory does not grow.
 *   output.c   chunk, tail, ends of streams        input.c    clients' bytes → the process' standard input
 *   client.c   one attached connection             process.c  start, exit, and when it is over */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "monitor/json-log.h"
#include "monitor/loop.h"
#include "monitor/protocol.h"

enum {
        OUTPUT_CHUNK = 32768,
        OUTPUT_TAIL_MAX = 1 << 20, /* the largest pipe that the kernel gives without privilege */
        INPUT_CHUNK = 4096,
        DETACH_KEYS_MAX = 8,
};

struct process;

struct output {
        struct source source; /* closed: the stream has ended */
        struct process *process;
        int stream;         /* 1 or 2, as in the log and in frames */
        const char *data;   /* what the clients are taking: the chunk, or the tail */
        size_t size;
        unsigned n_takers;  /* clients that have not yet taken all of it */
        char *tail;         /* mmap: read ahead after init's death, see output_read_ahead() */
        size_t tail_size;
        char *chunk;        /* OUTPUT_CHUNK bytes of struct process */
        bool ignored;       /* see output_expire() */
        int64_t quiet_at_ms, stop_at_ms, blocked_at_ms; /* after the process' exit, see output_deadline() */
};

struct client {
        struct source source; /* the connection; closed: this slot is free */
        struct process *process;
        uint32_t flags; /* enum monitor_attach_flags */
        bool input_ended;
        bool hung;      /* the peer is gone; what it sent before may still wait to be read */
        uint8_t pending;          /* bit i: must still take outputs[i].data */
        int8_t current;           /* the output of which a part was sent, or −1: frames must not be mixed */
        size_t sent;              /* of the current one, header included */
        uint8_t header[8];
        uint8_t detach_keys[DETACH_KEYS_MAX];
        uint8_t n_detach_keys, n_keys_typed;
};

struct input {
        struct source source; /* closed: there is no (more) standard input */
        uint32_t at, size;    /* of data: not yet written */
        bool close_after;     /* when data is written */
        char data[INPUT_CHUNK + DETACH_KEYS_MAX];
};

enum process_state {
        PROCESS_NONE,    /* not started: init while clients attach ahead of MONITOR_START */
        PROCESS_RUNNING,
        PROCESS_EXITED,  /* reaped; its last output is on the way */
        PROCESS_CLOSED,  /* all its output was read and logged; clients may still be taking */
};

struct process {
        enum process_state state;
        char exec_id[MONITOR_ID_MAX]; /* empty: init */
        uint32_t flags;               /* enum monitor_start_flags */
        bool reported;                /* MONITOR_EXITED was sent; only background children of an exec may write on, to nobody */
        pid_t pid;
        struct source pidfd;
        int pty; /* master, borrowed from outputs[0]; −1: none */
        int status;
        uint64_t started_ns, finished_ns;
        int64_t held_until_ms; /* output of an exec is not read before its client is there; 0: read */
        struct json_log *log;  /* borrowed; NULL: none */
        struct output outputs[2];
        struct client clients[MONITOR_CLIENTS_MAX];
        struct input input;
        char chunks[2][OUTPUT_CHUNK]; /* last: untouched while there is no output */
};

/* What process_start() starts with. All fds in `exec` are borrowed; its stdio is filled here. */
struct process_start {
        struct exec_fds exec;
        bool is_exec, detached;
        bool foreign; /* see foreign.h */
        uint16_t rows, columns;
};

/* Once, before anything else. */
void process_init(struct process *p);
int process_start(struct process *p, struct process_start *s, struct err *err);
/* Output that was held back may be read. */
void process_release_output(struct process *p);
/* Closes and unmaps everything; a living process goes on by itself. */
void process_done(struct process *p);
/* Do what is due at `now_ms`; to be called after every event. */
void process_advance(struct process *p, int64_t now_ms);
/* When process_advance() must be called though nothing happened, or INT64_MAX. */
int64_t process_deadline(const struct process *p);
/* Reap it if it is dead. `force`: it was sent SIGKILL and nobody waits for it any more. */
void process_reap(struct process *p, bool force);
/* End the connections of those that have taken all. */
void process_end_clients(struct process *p);
int process_resize(struct process *p, uint16_t rows, uint16_t columns, struct err *err);
int process_signal(struct process *p, int signal, struct err *err);
/* It has exited and no client is taking output any more. */
bool process_is_flushed(const struct process *p);

/* --- output.c --- */

void output_open(struct output *o, int fd);
/* Read when there is something, unless clients are still taking what was read before. */
void output_resume(struct output *o);
/* A client has taken the data, or is gone. */
void output_taken(struct output *o);
/* The container is dead and its exit must not wait for a slow client: log all that is left and keep it for the clients. */
void output_read_ahead(struct output *o);
/* The process has exited: from now on the stream ends also when it is quiet, or goes on for too long. */
void output_start_clock(struct output *o);
/* When output_expire() is due; INT64_MAX: not at all. */
int64_t output_deadline(const struct output *o);
/* Read what is there for the last time, then end it; or, with `ignore`, let those who still write do so, to nobody. */
void output_expire(struct output *o, bool ignore);
/* No more is read; what was read is still for the clients. */
void output_end(struct output *o);
void output_done(struct output *o);

/* --- input.c --- */

void input_open(struct process *p, int fd);
/* A client may be read from: nothing waits to be written. */
bool input_is_free(const struct process *p);
/* At most INPUT_CHUNK + DETACH_KEYS_MAX bytes, only while input_is_free(). */
void input_write(struct process *p, const char *data, size_t size);
/* A client's input has ended. */
void input_client_ended(struct process *p);

/* --- client.c --- */

/* Takes *fd over on success. */
int client_attach(struct process *p, const struct monitor_attach *a, int *fd, struct err *err);
bool client_wants(const struct client *c, const struct output *o);
/* There is new data in outputs[index]: send what can be sent at once. */
void client_offer(struct client *c, int index);
/* Input may flow again. */
void client_update(struct client *c);
/* All was sent: end the stream in an orderly way. */
void client_end(struct client *c);

int64_t now_ms(void);
