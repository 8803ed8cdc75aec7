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

/* Our standard input → the stream. Returns false when there is no more. */
static bool pass_input(int stream) {
        char data[16384];
        ssize_t n = read(STDIN_FILENO, data, sizeof(data));

        if (n < 0 && (errno == EINTR || errno == EAGAIN))
                return true;
        if (n > 0 && fd_write_all(stream, data, (size_t) n) == 0)
                return true;
        /* The other side sees the end of input, and goes on sending output. */
        shutdown(stream, SHUT_WR);
        return false;
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
        auto_fd signal_fd = -EBADF;
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
        n_early = http_hijack(stream, &early);
        r = frames_write(&frames, early, n_early);
        if (r < 0)
                return err_errno(err, r, "standard output");
        polls[STREAM] = (struct pollfd) { .fd = stream->fd, .events = POLLIN };
        polls[SIGNALS] = (struct pollfd) { .fd = signal_fd, .events = POLLIN };
        polls[INPUT] = (struct pollfd) { .fd = s->with_stdin ? STDIN_FILENO : -1, .events = POLLIN };
        for (;;) {
                if (poll(polls, ARRAY_SIZE(polls), -1) < 0) {
                        if (errno == EINTR)
                                continue;
                        return err_errno(err, -errno, "poll");
                }
                if (polls[SIGNALS].revents)
                        take_signal(s, signal_fd);
                if (polls[STREAM].revents) {
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
                if (polls[INPUT].revents && !pass_input(stream->fd))
                        polls[INPUT].fd = -1;
        }
}
