/* SPDX-License-Identifier: Apache-2.0 */

/* What src/runtime/exec/listener.c relies on.
 *
 * - A filter that is loaded without TSYNC is that of one thread: another thread makes calls that the filter asks about, and is not asked
 *   (Linux 5.0, SECCOMP_FILTER_FLAG_NEW_LISTENER).
 * - The listener is in the table of files that the threads share, at once.
 * - A call that waits for an answer fails with ENOSYS once nobody holds the listener.
 * - A thread's end leaves nothing to wait for, and execve(2) of the first thread ends the others. */

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { STACK = 64 << 10 };

static int listener = -1, done;

/* setpriority(2) stands for any call: the filter asks about it alone. */
static int helper(void *data) {
        int fd;

        while ((fd = __atomic_load_n(&listener, __ATOMIC_ACQUIRE)) == -1)
                syscall(SYS_sched_yield);
        CHECK(syscall(SYS_setpriority, 0, 0, 0) == 0);
        CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
        CHECK(close(fd) == 0);
        __atomic_store_n(&done, 1, __ATOMIC_RELEASE);
        if (data)
                for (;;)
                        syscall(SYS_sched_yield); /* until execve(2) */
        syscall(SYS_exit, 0);
        return 0;
}

static void filtered(int stays) {
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setpriority, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = { sizeof(code) / sizeof(*code), code };
        char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        long fd;

        CHECK(stack != MAP_FAILED);
        CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
        CHECK(clone(helper, stack + STACK, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, stays ? &done : NULL) > 0);
        fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
        if (fd < 0 && (errno == EINVAL || errno == EBUSY))
                _exit(EXIT_SKIP);
        __atomic_store_n(&listener, (int) fd, __ATOMIC_RELEASE);
        while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE))
                ;
        CHECK(syscall(SYS_setpriority, 0, 0, 0) == -1 && errno == ENOSYS);
        CHECK(waitpid(-1, NULL, __WALL | WNOHANG) == -1 && errno == ECHILD);
        execl("/bin/sh", "sh", "-c", "test $(ls /proc/$$/task | wc -l) = 1 && exit 5", NULL);
        CHECK(!"execve");
}

int main(void) {
        for (int stays = 0; stays < 2; stays++) {
                pid_t pid = fork();
                int status;

                CHECK(pid >= 0);
                if (pid == 0)
                        filtered(stays);
                CHECK(waitpid(pid, &status, 0) == pid);
                if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIP)
                        SKIP("this kernel has no listeners of filters, or one is loaded already");
                CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5);
        }
        return 0;
}
