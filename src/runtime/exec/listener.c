/* SPDX-License-Identifier: Apache-2.0 */

/* SCMP_ACT_NOTIFY. From the moment the filter is loaded, any system call of this process may wait for an agent that has not got the listener
 * yet. So a second thread, which is not filtered and shares the table of files, sends it; and the first makes no call until that is done. */

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/exec/private.h"

int host_connect_listener(struct launch *l, struct err *err) {
        const char *path = plan_text(&l->plan, l->plan.header->listener_path);
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        if (!*path)
                return 0;
        if (strlen(path) >= sizeof(address.sun_path))
                return raw_fail(err, ENAMETOOLONG, "linux.seccomp.listenerPath", NULL);
        memcpy(address.sun_path, path, strlen(path) + 1);
        l->listener_sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (l->listener_sock < 0 || connect(l->listener_sock, (const struct sockaddr *) &address, sizeof(address)) < 0)
                return raw_fail(err, errno, "linux.seccomp.listenerPath", path);
        return 0;
}

enum { NOT_YET = -1, NONE = -2, STACK_SIZE = 64 << 10 };

struct sender {
        int sock;
        const char *text;
        size_t size;
        int listener; /* by the first thread */
        int done;     /* by the second: 1, or a negative errno */
};

static int send_main(void *data) {
        struct sender *s = data;
        int fd, r;

        while ((fd = __atomic_load_n(&s->listener, __ATOMIC_ACQUIRE)) == NOT_YET)
                syscall(SYS_sched_yield);
        r = fd >= 0 ? fd_send(s->sock, s->text, s->size, &fd, 1) : 0;
        /* The agent's is to be the only one: when that is closed, nobody must wait for an answer. And the agent sees that this is all. */
        fd_close(fd);
        fd_close(s->sock);
        __atomic_store_n(&s->done, r < 0 ? r : 1, __ATOMIC_RELEASE);
        syscall(SYS_exit, 0); /* of the thread; returning would end the process */
        return 0;
}

/* The pid as the host sees it: the caller's procfs knows. */
static int host_pid(const struct child *c, char *ret, size_t size) {
        ssize_t n = readlinkat(c->launch->proc_fd, "self", ret, size - 1);

        if (n < 0)
                return -errno;
        ret[n] = '\0';
        return 0;
}

static int build_text(const struct child *c, char *text, size_t size, const char *pid) {
        const struct plan_header *h = c->header;
        char *at = text, *end = text + size - 1;

        at = raw_put_text(at, end, plan_text(c->plan, h->listener_head));
        at = raw_put_text(at, end, pid);
        at = raw_put_text(at, end, plan_text(c->plan, h->listener_tail));
        if (h->kind == PLAN_CONTAINER) {
                at = raw_put_text(at, end, pid);
                at = raw_put_text(at, end, "}}");
        }
        return (int) (at - text);
}

static int load(struct child *c, struct sender *s, const void *program, struct err *err) {
        bool real_time = c->header->flags & PLAN_SCHEDULER;
        long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, c->header->filter_flags, program);
        int number = errno, done;

        __atomic_store_n(&s->listener, fd < 0 ? NONE : (int) fd, __ATOMIC_RELEASE);
        /* Turning in place for the moment that it takes. Who has a scheduler of its own may have to let the other onto the CPU. */
        while ((done = __atomic_load_n(&s->done, __ATOMIC_ACQUIRE)) == 0)
                if (real_time)
                        syscall(SYS_sched_yield);
        if (fd < 0)
                return raw_fail(err, number, "linux.seccomp", "load the filter");
        return done < 0 ? raw_fail(err, done, "linux.seccomp.listenerPath", "send the listener") : 0;
}

int listener_load(struct child *c, const void *program, struct err *err) {
        const struct plan_header *h = c->header;
        struct sender s = { .sock = c->launch->listener_sock, .listener = NOT_YET };
        char pid[16];
        size_t size = strlen(plan_text(c->plan, h->listener_head)) + strlen(plan_text(c->plan, h->listener_tail)) + 2 * sizeof(pid) + 8;
        char *memory;
        int r = host_pid(c, pid, sizeof(pid));

        if (r < 0)
                return raw_fail(err, r, "linux.seccomp.listenerPath", "the own pid");
        /* Never unmapped: execve(2) sees to it, and to the thread if that should still be there. */
        memory = mmap(NULL, STACK_SIZE + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
                return raw_fail(err, errno, "linux.seccomp.listenerPath", NULL);
        s.text = memory + STACK_SIZE;
        s.size = (size_t) build_text(c, memory + STACK_SIZE, size, pid);
        if (clone(send_main, memory + STACK_SIZE, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, &s) < 0)
                return raw_fail(err, errno, "linux.seccomp.listenerPath", "thread");
        return load(c, &s, program, err);
}
