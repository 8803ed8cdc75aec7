/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/launch.h"
#include "oci/notify.h"
#include "oci/oci.h"

/* All that a person or a supervisor may send us and mean for the container. Not: what tells of our own faults, and SIGCHLD. */
static void forwarded(sigset_t *ret) {
        static const int kept[] = { SIGCHLD, SIGPIPE, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS, SIGURG, SIGTTIN, SIGTTOU, SIGTSTP };

        sigfillset(ret);
        for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
                sigdelset(ret, kept[i]);
}

void foreground_block(void) {
        sigset_t set;

        forwarded(&set);
        sigprocmask(SIG_BLOCK, &set, NULL);
}

void foreground_set_size(json_t *process) {
        struct winsize size;

        if (!json_object_get(process, "consoleSize") && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col)
                json_object_set_new(process, "consoleSize", json_pack("{s:i, s:i}", "height", (int) size.ws_row, "width", (int) size.ws_col));
}

enum { LAST_MESSAGES = 16 };

struct relay {
        struct exec_process *process;
        struct notify *notify;
        int signals;
        bool raw, input_ended;
        struct termios before;
        char pending[4096]; /* typed, and not yet taken by the terminal */
        size_t n_pending;
};

static void copy_window_size(const struct relay *r) {
        struct winsize size;

        if (r->process->pty >= 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
                ioctl(r->process->pty, TIOCSWINSZ, &size);
}

/* Keys go to the container's terminal as they are typed: that one echoes, edits and makes signals of them. */
static void make_raw(struct relay *r) {
        struct termios t;

        if (r->process->pty < 0 || tcgetattr(STDIN_FILENO, &r->before) < 0)
                return;
        t = r->before;
        cfmakeraw(&t);
        r->raw = tcsetattr(STDIN_FILENO, TCSANOW, &t) == 0;
}

static void forward_signals(struct relay *r) {
        struct signalfd_siginfo info;

        while (read(r->signals, &info, sizeof(info)) == sizeof(info)) {
                if (info.ssi_signo == SIGWINCH && r->process->pty >= 0)
                        copy_window_size(r);
                else
                        syscall(SYS_pidfd_send_signal, r->process->pidfd, (int) info.ssi_signo, NULL, 0);
        }
}

static void read_input(struct relay *r) {
        ssize_t n = read(STDIN_FILENO, r->pending, sizeof(r->pending));

        if (n > 0) {
                r->n_pending = (size_t) n;
                return;
        }
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
                return;
        /* What a person types to say that there is no more. */
        r->input_ended = true;
        r->pending[0] = 4;
        r->n_pending = 1;
}

static void write_input(struct relay *r) {
        ssize_t n = write(r->process->pty, r->pending, r->n_pending);

        if (n <= 0)
                return;
        r->n_pending -= (size_t) n;
        memmove(r->pending, r->pending + n, r->n_pending);
}

/* False when there is nothing more to come now. EIO: all who had the terminal open are gone. */
static bool read_output(struct relay *r) {
        char buf[16384];
        ssize_t n = read(r->process->pty, buf, sizeof(buf));

        if (n > 0)
                return fd_write_all(STDOUT_FILENO, buf, (size_t) n) == 0;
        if (n < 0 && errno == EINTR)
                return true;
        if (n == 0 || errno == EIO)
                r->process->pty = fd_close(r->process->pty);
        return false;
}

static int loop(struct relay *r) {
        for (;;) {
                int pty = r->process->pty;
                struct pollfd p[] = {
                        { .fd = r->process->pidfd, .events = POLLIN },
                        { .fd = r->signals, .events = POLLIN },
                        { .fd = pty, .events = (short) (POLLIN | (r->n_pending ? POLLOUT : 0)) },
                        { .fd = pty >= 0 && !r->n_pending && !r->input_ended ? STDIN_FILENO : -1, .events = POLLIN },
                        { .fd = r->notify ? r->notify->fd : -1, .events = POLLIN },
                };

                if (poll(p, 5, -1) < 0) {
                        if (errno == EINTR)
                                continue;
                        return -errno;
                }
                if (p[1].revents)
                        forward_signals(r);
                if (p[2].revents & (POLLIN | POLLHUP | POLLERR))
                        read_output(r);
                if (p[2].revents & POLLOUT && r->process->pty >= 0)
                        write_input(r);
                if (p[3].revents)
                        read_input(r);
                if (p[4].revents)
                        notify_relay(r->notify);
                if (p[0].revents)
                        break;
        }
        while (r->process->pty >= 0 && read_output(r))
                ;
        /* What it said at last. Others of the container may still talk, but they are about to be killed. */
        for (int i = 0; i < LAST_MESSAGES && r->notify && r->notify->fd >= 0 && notify_relay(r->notify); i++)
                ;
        return 0;
}

int foreground_wait(struct exec_process *p, struct notify *notify, struct err *err) {
        struct relay r = { .process = p, .notify = notify, .signals = -EBADF };
        sigset_t set;
        int status, e;

        forwarded(&set);
        r.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (r.signals < 0)
                return err_errno(err, -errno, "signals");
        if (p->pty >= 0)
                fcntl(p->pty, F_SETFL, fcntl(p->pty, F_GETFL) | O_NONBLOCK);
        copy_window_size(&r);
        make_raw(&r);
        e = loop(&r);
        if (r.raw)
                tcsetattr(STDIN_FILENO, TCSANOW, &r.before);
        fd_close(r.signals);
        if (e < 0)
                return err_errno(err, e, "waiting for the process");
        while (waitpid(p->pid, &status, 0) < 0)
                if (errno != EINTR)
                        return err_errno(err, -errno, "waiting for the process");
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
