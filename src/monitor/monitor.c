/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/monitor.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "monitor/foreign.h"
#include "monitor/oom.h"

struct monitor monitor;

/* All of the container's execs died with it (the kernel kills a pid namespace as a whole), or die now: those of a container that
 * shares the host's pids. */
static void end_execs(void) {
        for (size_t i = 0; i < MONITOR_EXEC_MAX; i++) {
                struct process *p = monitor.execs[i];

                if (p && p->state == PROCESS_RUNNING) {
                        process_signal(p, SIGKILL, NULL);
                        process_reap(p, false);
                }
        }
}

/* Whoever has heard of the container's end must not wait for more: so the execs' come first. Output of theirs that clients are still
 * taking goes on. */
static void report_execs(void) {
        for (size_t i = 0; i < MONITOR_EXEC_MAX; i++) {
                struct process *p = monitor.execs[i];

                if (!p || p->reported)
                        continue;
                process_reap(p, true);
                request_report(p);
        }
}

/* The container's output is in the log. Now, in this order: the file, which is the truth; then nobody can connect any more to hear it from
 * us; then those hear it who are connected. */
static void finish(void) {
        struct monitor_exit_file content = {
                .magic = MONITOR_EXIT_MAGIC,
                .started_unix_ns = monitor.init.started_ns,
                .finished_unix_ns = monitor.init.finished_ns,
        };

        report_execs();
        if (oom_was_killed(monitor.init.status))
                monitor.init.status |= MONITOR_STATUS_OOM;
        content.status = monitor.init.status;
        foreign_delete();
        exit_file_write(monitor.state_dir, monitor.exit_file, &content);
        control_unlisten();
        request_report(&monitor.init);
        json_log_close(&monitor.log);
        forward_close(&monitor.forward);
        monitor.finished = true;
}

static void advance_execs(int64_t now) {
        for (size_t i = 0; i < MONITOR_EXEC_MAX; i++) {
                struct process *p = monitor.execs[i];

                if (!p)
                        continue;
                process_advance(p, now);
                if (p->state == PROCESS_CLOSED) {
                        /* First the daemon, then the client: who sees the stream's end asks the daemon for the exit status next. */
                        if (!p->reported)
                                request_report(p);
                        process_end_clients(p);
                }
                if (!process_is_flushed(p))
                        continue;
                /* What only background children hold open stays until they close it; but it does not outlive the container. */
                if ((p->outputs[0].source.fd < 0 && p->outputs[1].source.fd < 0) || monitor.finished)
                        request_free_exec(i);
        }
}

static bool is_ours(pid_t pid) {
        if (monitor.init.state == PROCESS_RUNNING && monitor.init.pid == pid)
                return true;
        for (size_t i = 0; i < MONITOR_EXEC_MAX; i++)
                if (monitor.execs[i] && monitor.execs[i]->state == PROCESS_RUNNING && monitor.execs[i]->pid == pid)
                        return true;
        return false;
}

static void advance(void) {
        int64_t now = now_ms();

        foreign_reap(is_ours);
        process_advance(&monitor.init, now);
        if (monitor.init.state == PROCESS_EXITED)
                end_execs();
        advance_execs(now);
        if (monitor.init.state == PROCESS_CLOSED && !monitor.finished)
                finish();
}

static int timeout(void) {
        int64_t first = process_deadline(&monitor.init), now = now_ms();

        for (size_t i = 0; i < MONITOR_EXEC_MAX; i++) {
                int64_t t = monitor.execs[i] ? process_deadline(monitor.execs[i]) : INT64_MAX;

                if (t < first)
                        first = t;
        }
        return first == INT64_MAX ? -1 : first <= now ? 0 : (int) (first - now);
}

static bool is_over(void) {
        if (monitor.failed)
                return true;
        /* The daemon died before it had us start something. */
        if (monitor.init.state == PROCESS_NONE)
                return !control_is_connected();
        if (!monitor.finished || !process_is_flushed(&monitor.init))
                return false;
        for (size_t i = 0; i < MONITOR_EXEC_MAX; i++)
                if (monitor.execs[i])
                        return false;
        return true;
}

static void no_effect(int signal) {
}

/* A monitor that dies takes the container's log, terminal and exit status with it, and there is never a reason to end one but the end
 * of its container: so what would end it by accident (a hangup, a broken pipe, the SIGTERM that a shutdown or a service manager sends to
 * every process it finds) does nothing. A handler, not SIG_IGN: handlers do not pass through execve(2) into the container. */
static void outlive_signals(void) {
        static const int signals[] = { SIGHUP,  SIGINT,  SIGQUIT, SIGPIPE,   SIGALRM, SIGTERM, SIGUSR1, SIGUSR2,
                                       SIGTSTP, SIGTTIN, SIGTTOU, SIGVTALRM, SIGPROF, SIGXFSZ, SIGIO,   SIGPWR };
        const struct sigaction action = { .sa_handler = no_effect, .sa_flags = SA_RESTART };

        for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
                sigaction(signals[i], &action, NULL);
        /* posix_spawn(3) leaves the C library's own two ignored, and that would pass on. sigaction(3) does not touch them. */
        for (int signal = 32; signal <= 33; signal++) {
                unsigned long default_action[4] = { 0 }; /* struct sigaction as the kernel has it */

                syscall(SYS_rt_sigaction, signal, default_action, NULL, sizeof(unsigned long));
        }
}

/* What only the start needed of our program need not stay mapped for the months that a container may live. It comes back by itself.
 * From the first instruction to where the relocated data begins everything is the file's own and never written to. */
static void forget_program_pages(void) {
        extern const char __executable_start[], __preinit_array_start[];
        uintptr_t page = (uintptr_t) getpagesize(), from = (uintptr_t) __executable_start, to = (uintptr_t) __preinit_array_start & ~(page - 1);

        madvise((void *) from, to - from, MADV_DONTNEED);
}

/* After an exec, too; but not for each of a hundred. */
static void settle(void) {
        static unsigned n_starts_seen;

        if (monitor.n_starts == n_starts_seen || request_count_execs() > 0)
                return;
        n_starts_seen = monitor.n_starts;
        forget_program_pages();
}

int monitor_run(int start_socket) {
        monitor.state_dir = monitor.run_dir = monitor.exit_file = monitor.listener.fd = monitor.log.fd = monitor.forward.socket.fd = -EBADF;
        process_init(&monitor.init);
        outlive_signals();
        /* A process of the container that sees us (--pid host) gets at none of our fds. */
        prctl(PR_SET_DUMPABLE, 0);
        if (loop_init() < 0 || control_add(start_socket) < 0)
                return 1;
        for (;;) {
                advance();
                if (is_over())
                        break;
                settle();
                loop_turn(timeout());
        }
        if (!monitor.failed)
                return 0;
        process_end_clients(&monitor.init);
        control_unlisten();
        if (monitor.exit_file >= 0)
                exit_file_discard(monitor.state_dir);
        return 1;
}
