/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The terminal side of attach, run and exec: what is typed goes to the stream, what comes out of it goes to standard output and error. */

#include <stdbool.h>

#include "cli/client.h"

struct session {
        struct client *client;
        const char *id;          /* of the container or the exec: resize and signals go there */
        bool is_exec;
        bool tty;                /* the stream is raw; else it has Docker's 8-byte headers */
        bool with_stdin;
        const char *detach_keys; /* "ctrl-p,ctrl-q" form; NULL: that one. Looked for with a terminal only */
        bool sig_proxy;          /* signals that we get are sent to the container (not for a terminal, where the keys do it) */
};

/* Block the signals that a session handles; call before the first one can matter (before the container is started). */
void session_prepare(void);

/* Make standard input raw (with tty and when it is a terminal) until session_restore(), which also runs at exit. Returns false when stdin is no terminal. */
bool session_raw_terminal(void);
void session_restore(void);

/* Tell the container the size of our terminal; a failure does not matter (the process may be gone). */
void session_resize(const struct session *s);

/* "ctrl-p,ctrl-q" → bytes; at most SESSION_KEYS_MAX. −EINVAL when it is not of that form. */
enum { SESSION_KEYS_MAX = 8 };
int session_parse_keys(const char *text, unsigned char ret[SESSION_KEYS_MAX], size_t *ret_n);

/* Pump until the stream ends (0) or the detach keys are typed (1, with a line on standard error); or negative errno. */
int session_pump(const struct session *s, struct http *stream, struct err *err);
