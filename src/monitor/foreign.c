/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/foreign.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "monitor/monitor.h"

enum { COMMAND_TIMEOUT_MS = 30000, DELETE_TIMEOUT_MS = 10000, WORDS_MAX = MONITOR_RUNTIME_ARGS_MAX + 24, LOG_TAIL = 2048, MESSAGE_MAX = 400 };

static const struct monitor_runtime *how; /* mapped for good; NULL: the container is our own */
static bool created;

/* --- what the daemon said --- */

static bool is_sound(const struct monitor_runtime *m, size_t size, const struct exec_fds *fds) {
        uint32_t n = 0;

        if (size < sizeof(*m) || m->text_size != size - sizeof(*m) || m->text_size == 0 || m->text[m->text_size - 1] || m->n_args == 0 ||
            m->n_args > MONITOR_RUNTIME_ARGS_MAX || m->n_mounts > MONITOR_RUNTIME_MOUNTS_MAX || m->config_at > m->text_size || m->config_size > m->text_size - m->config_at ||
            m->room_at >= m->text_size || m->text[m->room_at] != '/' || strlen(m->text + m->room_at) >= MONITOR_RUNTIME_ROOM_MAX)
                return false;
        for (uint32_t i = 0; i < m->text_size && n < m->n_args; i++)
                n += !m->text[i];
        if (n < m->n_args)
                return false;
        for (uint32_t i = 0; i < m->n_mounts; i++)
                if (m->mounts[i].path_at >= m->text_size || m->mounts[i].source >= (int) fds->n_sources)
                        return false;
        return true;
}

static int map_file(int fd, const char **ret, size_t *ret_size, struct err *err) {
        struct stat st;
        void *data = MAP_FAILED;

        if (fstat(fd, &st) == 0 && st.st_size > 0 && st.st_size <= MONITOR_RUNTIME_TEXT_MAX)
                data = mmap(NULL, (size_t) st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
                return err_set_raw(err, ERR_INVALID, -EINVAL, "configuration for the runtime", NULL);
        *ret = data;
        *ret_size = (size_t) st.st_size;
        return 0;
}

/* --- the program --- */

struct words {
        const char *list[WORDS_MAX];
        size_t n;
};

static void add(struct words *w, const char *word) {
        if (w->n < WORDS_MAX - 1)
                w->list[w->n++] = word;
}

/* The program, the options of its own, and what is the same for all of its commands. */
static void begin(struct words *w, const char *command) {
        const char *at = how->text;

        *w = (struct words) { 0 };
        for (uint32_t i = 0; i < how->n_args; i++, at += strlen(at) + 1)
                add(w, at);
        add(w, "--root");
        add(w, foreign_paths.state);
        add(w, "--log");
        add(w, foreign_paths.log);
        add(w, "--log-format");
        add(w, "json");
        add(w, command);
}

static _Noreturn void become(const struct words *w, const int stdio[3]) {
        static const char *const env[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL };

        setsid();
        for (int i = 0; i < 3; i++)
                if (dup2(stdio[i], i) < 0)
                        _exit(126);
        close_range(3, ~0U, 0);
        execve(w->list[0], (char *const *) w->list, (char *const *) env);
        _exit(errno == ENOENT ? 127 : 126);
}

/* Runtimes give the standard streams to the container's user, whatever they are: the host's /dev/null is not theirs to give. */
static int open_own_null(void) {
        const char *name = foreign_paths.null;

        if (mknod(name, S_IFCHR | 0666, makedev(1, 3)) == 0)
                chmod(name, 0666);
        return open(name, O_RDWR | O_CLOEXEC | O_NOCTTY);
}

static bool is_null(int fd) {
        struct stat st;

        return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

/* Exit status of the program, or negative errno when it did not end in time (then it is dead). `cgroup`: where it and what it starts is from its first
 * instruction; −1: here. */
static int run_words(const struct words *w, const int stdio[3], int cgroup, int timeout_ms) {
        int pidfd = -EBADF, null = -EBADF, with[3];
        struct clone_args clone = { .flags = CLONE_PIDFD, .pidfd = (uintptr_t) &pidfd, .exit_signal = SIGCHLD };
        struct pollfd poll_for;
        siginfo_t info = { 0 };
        long pid;
        int r;

        if (cgroup >= 0) {
                clone.flags |= CLONE_INTO_CGROUP;
                clone.cgroup = (uint64_t) cgroup;
        }
        null = open_own_null();
        for (int i = 0; i < 3; i++)
                with[i] = stdio && stdio[i] >= 0 && !is_null(stdio[i]) ? stdio[i] : null;
        unlink(foreign_paths.log);
        pid = syscall(SYS_clone3, &clone, sizeof(clone));
        if (pid == 0)
                become(w, with);
        fd_close(null);
        if (pid < 0)
                return -errno;
        poll_for = (struct pollfd) { .fd = pidfd, .events = POLLIN };
        while ((r = poll(&poll_for, 1, timeout_ms)) < 0 && errno == EINTR)
                ;
        if (r <= 0)
                kill((pid_t) -pid, SIGKILL); /* it leads its session, and so its process group */
        while (waitid(P_PIDFD, (id_t) pidfd, &info, WEXITED) < 0 && errno == EINTR)
                ;
        fd_close(pidfd);
        return r <= 0 ? -ETIMEDOUT : info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

/* The last message of its log, of which each line is a JSON object with "msg". What is escaped there is a quote, or not worth reading. */
static void read_message(char ret[MESSAGE_MAX]) {
        static const char key[] = "\"msg\":";
        auto_fd fd = open(foreign_paths.log, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        char text[LOG_TAIL + 1], *at, *found = NULL;
        off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
        ssize_t n = fd < 0 ? 0 : pread(fd, text, LOG_TAIL, size > LOG_TAIL ? size - LOG_TAIL : 0);
        size_t out = 0;

        ret[0] = '\0';
        text[n > 0 ? n : 0] = '\0';
        for (at = text; (at = strstr(at, key)); at += sizeof(key) - 1)
                found = at + sizeof(key) - 1;
        if (!found)
                return;
        while (*found == ' ')
                found++;
        for (at = found + (*found == '"'); *at && *at != '"' && out < MESSAGE_MAX - 1; at++) {
                char c = *at;

                if (c == '\\' && at[1])
                        c = *++at == 'n' || *at == 't' ? ' ' : *at;
                if (c >= ' ' && c != 0x7f)
                        ret[out++] = c;
        }
        ret[out] = '\0';
}

/* The runtimes say in their own words that it was the command that could not be run. All of `has` must be there. */
static int explain(const char *message, struct err *err) {
        static const struct {
                const char *has[2];
                enum err_kind kind;
                int num;
        } known[] = {
                { { "executable file", "not found" }, ERR_NO_COMMAND, -ENOENT },
                { { "exec: \"", "no such file or directory" }, ERR_NO_COMMAND, -ENOENT },
                { { "exec /", "no such file or directory" }, ERR_NO_COMMAND, -ENOENT },
                { { "executable", "No such file or directory" }, ERR_NO_COMMAND, -ENOENT },
                { { "exec", "is a directory" }, ERR_NOT_EXECUTABLE, -EISDIR },
                { { "exec", "Is a directory" }, ERR_NOT_EXECUTABLE, -EISDIR },
                { { "exec", "xec format error" }, ERR_NOT_EXECUTABLE, -ENOEXEC },
                { { "exec: \"", "permission denied" }, ERR_NOT_EXECUTABLE, -EACCES },
                { { "exec /", "permission denied" }, ERR_NOT_EXECUTABLE, -EACCES },
                { { "executable", "ermission denied" }, ERR_NOT_EXECUTABLE, -EACCES },
                { { "exec", "Permission denied" }, ERR_NOT_EXECUTABLE, -EACCES },
                { { "open executable", "Operation not permitted" }, ERR_NOT_EXECUTABLE, -EACCES }, /* crun, of a directory */
        };

        for (size_t i = 0; i < ARRAY_SIZE(known); i++)
                if (strstr(message, known[i].has[0]) && strstr(message, known[i].has[1]))
                        return err_set_raw(err, known[i].kind, known[i].num, message, NULL);
        return err_set_raw(err, ERR_INTERNAL, 0, how->text, *message ? message : "it failed without a word");
}

static int run(const struct words *w, const int stdio[3], int cgroup, struct err *err) {
        int status = run_words(w, stdio, cgroup, COMMAND_TIMEOUT_MS);
        char message[MESSAGE_MAX];

        if (status == 0)
                return 0;
        if (status < 0)
                return err_set_raw(err, ERR_UNAVAILABLE, status, "runtime", how->text);
        read_message(message);
        if (!*message && (status == 127 || status == 126) && access(how->text, X_OK) < 0)
                return err_set_raw(err, ERR_INVALID, -errno, "runtime", how->text);
        return explain(message, err);
}

/* --- terminal --- */

/* The runtime connects to it and sends the master's side. */
static int console_listen(const char *path, struct err *err) {
        auto_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        str_put(address.sun_path, address.sun_path + sizeof(address.sun_path) - 1, path);
        unlink(path);
        if (fd < 0 || bind(fd, (struct sockaddr *) &address, sizeof(address)) < 0 || chmod(path, 0600) < 0 || listen(fd, 1) < 0)
                return err_set_raw(err, ERR_INTERNAL, -errno, "socket for the terminal", NULL);
        return move_fd(fd);
}

/* It has ended with success, so it has sent it. */
static int console_take(int listener, int *ret, struct err *err) {
        auto_fd fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        int fds[1];
        size_t n = 1;
        char name[256];
        ssize_t size = fd < 0 ? -errno : fd_recv(fd, name, sizeof(name), fds, &n);

        if (size < 0 || n != 1)
                return err_set_raw(err, ERR_INTERNAL, size < 0 ? (int) size : -ENODATA, "the runtime sent no terminal", NULL);
        *ret = fds[0];
        return 0;
}

/* --- the commands --- */

/* It waits to be reaped by us even when it is dead: the number is its own. */
static int take_pid(struct exec_process *ret, struct err *err) {
        auto_fd fd = open(foreign_paths.pid, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        char text[16] = "";
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
        uint64_t pid;

        while (n > 0 && text[n - 1] == '\n')
                text[--n] = '\0';
        if (n <= 0 || str_to_u64(text, 2, INT32_MAX, &pid) < 0)
                return err_set_raw(err, ERR_INTERNAL, -EPROTO, "the runtime's pid file", NULL);
        ret->pidfd = (int) syscall(SYS_pidfd_open, (pid_t) pid, 0);
        if (ret->pidfd < 0)
                return err_set_raw(err, ERR_INTERNAL, -errno, "the runtime's pid file", text);
        ret->pid = (pid_t) pid;
        return 0;
}

/* Beside hierarchies of version 1 the runtime sees none of version 2 (see foreign-room.c), and the daemon counts on its processes being in that, too. */
static int cgroup_beside(const struct exec_fds *fds) {
        return fds->n_cgroup_v1 > 0 ? fds->cgroup_v2 : -1;
}

/* A command that leaves a process running, which gets fds->stdio. */
static int run_process(struct words *w, const struct exec_fds *fds, bool tty, struct exec_process *ret, struct err *err) {
        auto_fd listener = -EBADF, pty = -EBADF;
        int r;

        unlink(foreign_paths.pid);
        add(w, "--pid-file");
        add(w, foreign_paths.pid);
        if (tty) {
                listener = console_listen(foreign_paths.console, err);
                if (listener < 0)
                        return listener;
                add(w, "--console-socket");
                add(w, foreign_paths.console);
        }
        add(w, monitor.id);
        r = run(w, tty ? NULL : fds->stdio, cgroup_beside(fds), err);
        if (r == 0 && tty)
                r = console_take(listener, &pty, err);
        if (r == 0)
                r = take_pid(ret, err);
        if (r == 0)
                ret->pty = move_fd(pty);
        return r;
}

static int start(struct err *err) {
        struct words w;

        begin(&w, "start");
        add(&w, monitor.id);
        return run(&w, NULL, -1, err);
}

static void on_child(int signal) {
}

int foreign_container(const struct exec_fds *fds, bool tty, struct exec_process *ret, struct err *err) {
        /* It interrupts the wait for events, and that is all: see foreign_reap(). */
        const struct sigaction action = { .sa_handler = on_child, .sa_flags = SA_RESTART };
        const char *data;
        struct words w;
        size_t size;
        int r = map_file(fds->plan, &data, &size, err);

        if (r < 0)
                return r;
        if (!is_sound((const struct monitor_runtime *) data, size, fds))
                return err_set_raw(err, ERR_INVALID, -EINVAL, "configuration for the runtime", NULL);
        how = (const struct monitor_runtime *) data;
        if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || sigaction(SIGCHLD, &action, NULL) < 0)
                return err_set_raw(err, ERR_INTERNAL, -errno, "reaper of the runtime's children", NULL);
        r = foreign_room_make(how, fds, err);
        if (r < 0)
                return r;
        begin(&w, "create");
        add(&w, "--bundle");
        add(&w, foreign_paths.room);
        created = true;
        r = run_process(&w, fds, tty, ret, err);
        if (r == 0)
                r = start(err);
        if (r < 0) {
                ret->pidfd = fd_close(ret->pidfd);
                ret->pty = fd_close(ret->pty);
                foreign_delete();
        }
        return r;
}

int foreign_exec(const struct exec_fds *fds, bool tty, struct exec_process *ret, struct err *err) {
        const char *data;
        struct words w;
        size_t size;
        int r = map_file(fds->plan, &data, &size, err);

        if (r < 0)
                return r;
        r = foreign_room_write(foreign_paths.process, data, size, err);
        munmap((void *) data, size);
        if (r < 0)
                return r;
        begin(&w, "exec");
        add(&w, "--detach");
        add(&w, "--process");
        add(&w, foreign_paths.process);
        return run_process(&w, fds, tty, ret, err);
}

void foreign_delete(void) {
        struct words w;

        if (!created)
                return;
        created = false;
        foreign_room_hide_cgroups();
        begin(&w, "delete");
        add(&w, "--force");
        add(&w, monitor.id);
        run_words(&w, NULL, -1, DELETE_TIMEOUT_MS);
}

void foreign_reap(bool (*is_ours)(pid_t pid)) {
        while (how) {
                siginfo_t info = { 0 };

                if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0 || is_ours(info.si_pid))
                        return;
                waitid(P_PID, (id_t) info.si_pid, &info, WEXITED | WNOHANG);
        }
}
