/* SPDX-License-Identifier: Apache-2.0 */

/* What the warm pool (src/engine/sandbox-pool.h) relies on.
 *
 * - The file /proc/PID/uid_map is the user namespace's: an fd of it writes the map also when the process that it was opened by is long gone, and a
 *   namespace that nobody lives in gets its ids late (Linux 3.5: the file keeps the namespace, not the process).
 * - It is written once, whoever asks. */

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static int open_of(pid_t pid, const char *name, int flags) {
        char path[64];
        int fd;

        snprintf(path, sizeof(path), "/proc/%d/%s", (int) pid, name);
        fd = open(path, flags | O_CLOEXEC);
        CHECK(fd >= 0);
        return fd;
}

static int status_of(pid_t pid) {
        int status = -1;

        CHECK(waitpid(pid, &status, 0) == pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int main(void) {
        static const char map[] = "0 700000 65536\n";
        int up[2], userns, uid_map, gid_map;
        pid_t pid;
        char c;

        if (geteuid() != 0)
                SKIP("needs root");
        CHECK(pipe2(up, O_CLOEXEC) == 0);
        pid = fork();
        if (pid == 0) {
                c = unshare(CLONE_NEWUSER) == 0;
                if (write(up[1], &c, 1) == 1)
                        pause();
                _exit(0);
        }
        CHECK(read(up[0], &c, 1) == 1);
        if (!c) {
                kill(pid, SIGKILL);
                SKIP("no user namespaces");
        }
        userns = open_of(pid, "ns/user", O_RDONLY);
        uid_map = open_of(pid, "uid_map", O_WRONLY);
        gid_map = open_of(pid, "gid_map", O_WRONLY);
        CHECK(kill(pid, SIGKILL) == 0 && status_of(pid) == -1);

        CHECK(write(uid_map, map, sizeof(map) - 1) == sizeof(map) - 1);
        CHECK(write(gid_map, map, sizeof(map) - 1) == sizeof(map) - 1);
        CHECK(write(uid_map, map, sizeof(map) - 1) < 0);
        pid = fork();
        if (pid == 0)
                _exit(setns(userns, CLONE_NEWUSER) < 0 || setgid(7) < 0 || setuid(65535) < 0 ? 1 : getuid() == 65535 ? 0 : 2);
        CHECK(status_of(pid) == 0);
        puts("a user namespace gets its ids when its first process is gone");
        return 0;
}
