/* SPDX-License-Identifier: Apache-2.0 */
/* kist-init -- COMMAND [ARGUMENT...]: the first process of a container that was asked for with --init. It starts the command, reaps whatever is
 * left to it, hands on signals, and ends as the command ends. It must do without anything from the root file system that it runs in. */

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CANNOT_EXECUTE = 126, NOT_FOUND = 127, KILLED_BY = 128 };

static void say(const char *what, const char *name, const char *why) {
        const char *const parts[] = { "kist-init: ", what, " ", name, ": ", why, "\n" };

        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
                if (write(STDERR_FILENO, parts[i], strlen(parts[i])) < 0)
                        return;
}

static void run_command(char **argv, const sigset_t *mask) {
        int saved;

        /* A group of its own, so that what the terminal sends reaches it once: from the terminal, and not from us as well. */
        setpgid(0, 0);
        if (isatty(STDIN_FILENO)) {
                signal(SIGTTOU, SIG_IGN);
                tcsetpgrp(STDIN_FILENO, getpgrp());
                signal(SIGTTOU, SIG_DFL);
        }
        sigprocmask(SIG_SETMASK, mask, NULL);
        execvp(argv[0], argv);
        saved = errno;
        say("cannot run", argv[0], strerror(saved));
        _exit(saved == ENOENT ? NOT_FOUND : CANNOT_EXECUTE);
}

/* Everybody who has ended. The command's exit status, or −1 while it lives. */
static int reap(pid_t command) {
        int result = -1, status;
        pid_t pid;

        while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
                if (pid == command)
                        result = WIFEXITED(status) ? WEXITSTATUS(status) : KILLED_BY + WTERMSIG(status);
        return result;
}

int main(int argc, char **argv) {
        sigset_t all, before;
        pid_t command;

        if (argc > 1 && !strcmp(argv[1], "--")) {
                argv++;
                argc--;
        }
        if (argc < 2) {
                say("usage:", "kist-init", "-- COMMAND [ARGUMENT...]");
                return CANNOT_EXECUTE;
        }
        /* All signals wait until they are asked for; faults of our own must not. */
        sigfillset(&all);
        sigdelset(&all, SIGSEGV);
        sigdelset(&all, SIGBUS);
        sigdelset(&all, SIGILL);
        sigdelset(&all, SIGFPE);
        sigdelset(&all, SIGTTIN);
        sigdelset(&all, SIGTTOU);
        sigprocmask(SIG_BLOCK, &all, &before);
        command = fork();
        if (command < 0) {
                say("cannot start", argv[1], strerror(errno));
                return CANNOT_EXECUTE;
        }
        if (command == 0)
                run_command(argv + 1, &before);
        for (;;) {
                int number = sigwaitinfo(&all, NULL), status;

                if (number == SIGCHLD) {
                        status = reap(command);
                        if (status >= 0)
                                return status;
                } else if (number > 0) {
                        kill(command, number);
                }
        }
}
