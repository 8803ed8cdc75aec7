/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/session.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <termios.h>

#include "base/err.h"
#include "base/fd.h"
#include "cli/config.h"
#include "cli/frames.h"

/* What a person or a supervisor may send to `kist run` and means for the container. */
static const int proxied[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCONT, SIGALRM };

static struct termios saved_terminal;
static bool terminal_is_raw;

void session_prepare(void) {
        sigset_t set;

        sigemptyset(&set);
        for (size_t i = 0; i < ARRAY_SIZE(proxied); i++)
                sigaddset(&set, proxied[i]);
        sigaddset(&set, SIGWINCH);
        sigprocmask(SIG_BLOCK, &set, NULL);
        signal(SIGPIPE, SIG_IGN);
}

bool session_raw_terminal(void) {
        struct termios raw;

        if (tcgetattr(STDIN_FILENO, &saved_terminal) < 0)
                return false;
        raw = saved_terminal;
        cfmakeraw(&raw);
        if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) < 0)
                return false;
        if (!terminal_is_raw)
                atexit(session_restore);
        terminal_is_raw = true;
        return true;
}

void session_restore(void) {
        if (terminal_is_raw)
                tcsetattr(STDIN_FILENO, TCSADRAIN, &saved_terminal);
        terminal_is_raw = false;
}

void session_resize(const struct session *s) {
        auto_path path = { 0 };
        struct winsize size;
        char number[8];

        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0)
                return;
        if (size.ws_row == 0 || size.ws_col == 0)
                return;
        path_init(&path, "/%s/%s/resize", s->is_exec ? "exec" : "containers", s->id);
        snprintf(number, sizeof(number), "%u", size.ws_row);
        path_query(&path, "h", number);
        snprintf(number, sizeof(number), "%u", size.ws_col);
        path_query(&path, "w", number);
        client_call(s->client, "POST", &path, NULL, NULL, NULL);
}

static void send_signal(const struct session *s, int signal_number) {
        auto_path path = { 0 };

        path_init(&path, "/containers/%s/kill", s->id);
        path_query(&path, "signal", sigabbrev_np(signal_number));
        client_call(s->client, "POST", &path, NULL, NULL, NULL);
}

int session_parse_keys(const char *text, unsigned char ret[SESSION_KEYS_MAX], size_t *ret_n) {
        size_t n = 0;

        while (*text) {
                size_t length = strcspn(text, ",");
                unsigned char key = (unsigned char) *text;

                if (n == SESSION_KEYS_MAX)
                        return -EINVAL;
                if (length == strlen("ctrl-a") && strncmp(text, "ctrl-", 5) == 0) {
                        key = (unsigned char) text[5];
                        /* @ A…Z [ \ ] ^ _ are the characters that the control key makes codes below the blank of. */
                        if (!(key >= 'a' && key <= 'z') && !(key >= '@' && key <= '_'))
                                return -EINVAL;
                        key &= 0x1f;
                } else if (length != 1) {
                        return -EINVAL;
                }
                ret[n++] = key;
                text += length;
                if (*text == ',' && !*++text)
                        return -EINVAL;
        }
        *ret_n = n;
        return 0;
}

enum { INPUT_MAX = 16384 };

struct input {
        unsigned char keys[SESSION_KEYS_MAX];
        size_t n_keys;
        size_t matched; /* how many of them were typed in a row: held back until it is clear what they are */
        /* What the stream has still to take. Nobody waits for it: the container may not read on before its output is read here. */
        unsigned char data[INPUT_MAX + SESSION_KEYS_MAX];
        size_t start, end;
};

static void keep(struct input *in, const unsigned char *data, size_t size) {
        memcpy(in->data + in->end, data, size);
        in->end += size;
}

/* Take what was typed, without the detach keys. true when all of them came. */
static bool take_typed(struct input *in, const unsigned char *data, size_t size) {
        if (in->n_keys == 0) {
                keep(in, data, size);
                return false;
        }
        for (size_t i = 0; i < size; i++) {
                if (data[i] != in->keys[in->matched] && in->matched > 0) {
                        keep(in, in->keys, in->matched);
                        in->matched = 0;
                }
                /* It may be the first of them again. */
                if (data[i] != in->keys[in->matched])
                        keep(in, data + i, 1);
                else if (++in->matched == in->n_keys)
                        return true;
        }
        return false;
}

/* 0, also when the stream is full, or negative errno: it takes no more. */
static int send_input(struct input *in, int stream) {
        while (in->start < in->end) {
                ssize_t n = send(stream, in->data + in->start, in->end - in->start, MSG_DONTWAIT | MSG_NOSIGNAL);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return errno == EAGAIN ? 0 : -errno;
                in->start += (size_t) n;
        }
        in->start = in->end = 0;
        return 0;
}

/* Our standard input → the stream. 0: there will be more, 1: detached, −ENODATA: no more. Only when all of the last piece is sent. */
static int pass_input(struct input *in, int stream) {
        unsigned char data[INPUT_MAX];
        ssize_t n = read(STDIN_FILENO, data, sizeof(data));
        bool detached;

        if (n < 0 && (errno == EINTR || errno == EAGAIN))
                return 0;
        if (n <= 0)
                return -ENODATA;
        detached = take_typed(in, data, (size_t) n);
        if (send_input(in, stream) < 0)
                return -ENODATA;
        return detached;
}

/* The other side sees the end of input, and goes on sending output. */
static void end_input(struct input *in, int stream, bool *ended) {
        shutdown(stream, SHUT_WR);
        in->start = in->end = 0;
        *ended = true;
}

static void take_signal(const struct session *s, int signal_fd) {
        struct signalfd_siginfo info;

        if (read(signal_fd, &info, sizeof(info)) != (ssize_t) sizeof(info))
                return;
        if (info.ssi_signo == SIGWINCH) {
                if (s->tty)
                        session_resize(s);
        } else if (s->sig_proxy) {
                send_signal(s, (int) info.ssi_signo);
        } else {
                /* Not for the container: it does to us what it does by default, as soon as it is let through. */
                sigset_t set;

                session_restore();
                signal((int) info.ssi_signo, SIG_DFL);
                raise((int) info.ssi_signo);
                sigemptyset(&set);
                sigaddset(&set, (int) info.ssi_signo);
                sigprocmask(SIG_UNBLOCK, &set, NULL);
        }
}

int session_pump(const struct session *s, struct http *stream, struct err *err) {
        enum { STREAM, SIGNALS, INPUT };
        struct pollfd polls[3];
        struct frames frames = { .raw = s->tty };
        struct input input = { 0 };
        auto_fd signal_fd = -EBADF;
        bool input_ended = !s->with_stdin;
        const char *early;
        sigset_t set;
        size_t n_early;
        int r;

        sigemptyset(&set);
        for (size_t i = 0; i < ARRAY_SIZE(proxied); i++)
                sigaddset(&set, proxied[i]);
        sigaddset(&set, SIGWINCH);
        signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
        if (signal_fd < 0)
                return err_errno(err, -errno, "signalfd");
        if (s->tty) {
                const char *keys = s->detach_keys ? s->detach_keys : config_text("detachKeys");

                r = session_parse_keys(keys ? keys : "ctrl-p,ctrl-q", input.keys, &input.n_keys);
                if (r < 0)
                        return err_set(err, ERR_INVALID, r, "%s %s: letters, or ctrl- and a letter, between commas",
                                       s->detach_keys ? "--detach-keys" : "config.json: detachKeys", keys);
        }
        n_early = http_hijack(stream, &early);
        r = frames_write(&frames, early, n_early);
        if (r < 0)
                return err_errno(err, r, "standard output");
        polls[STREAM] = (struct pollfd) { .fd = stream->fd, .events = POLLIN };
        polls[SIGNALS] = (struct pollfd) { .fd = signal_fd, .events = POLLIN };
        polls[INPUT] = (struct pollfd) { .events = POLLIN };
        for (;;) {
                bool full = input.start < input.end;

                polls[STREAM].events = full ? POLLIN | POLLOUT : POLLIN;
                polls[INPUT].fd = input_ended || full ? -1 : STDIN_FILENO;
                if (poll(polls, ARRAY_SIZE(polls), -1) < 0) {
                        if (errno == EINTR)
                                continue;
                        return err_errno(err, -errno, "poll");
                }
                if (polls[SIGNALS].revents)
                        take_signal(s, signal_fd);
                if (polls[STREAM].revents & POLLOUT && send_input(&input, stream->fd) < 0)
                        end_input(&input, stream->fd, &input_ended);
                if (polls[STREAM].revents & ~POLLOUT) {
                        char data[32768];
                        ssize_t n = recv(stream->fd, data, sizeof(data), 0);

                        if (n < 0 && errno == EINTR)
                                continue;
                        if (n <= 0)
                                return 0;
                        r = frames_write(&frames, data, (size_t) n);
                        if (r < 0)
                                return err_errno(err, r, "standard output");
                }
                if (polls[INPUT].revents) {
                        r = pass_input(&input, stream->fd);
                        if (r < 0)
                                end_input(&input, stream->fd, &input_ended);
                        if (r > 0) {
                                session_restore();
                                fprintf(stderr, "\nread escape sequence\n");
                                return 1;
                        }
                }
        }
}
