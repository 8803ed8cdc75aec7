/* SPDX-License-Identifier: Apache-2.0 */

/* CVE-2019-5736: hold /proc/PID/exe of every process that runs a program which is not the container's, and open it for writing as soon as the
 * kernel lets us. Nothing is ever written: to get a descriptor of a file that is not sealed is to have won.
 *
 *   reopen-exe SECONDS PROGRAM...    prints "seen N, refused N, written N"; a PROGRAM is one of the container's own */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "programs.h"

enum { HELD_MAX = 64 };

static struct held {
        int fd;
        int error; /* of the last attempt to write; ETXTBSY: try again */
        dev_t dev;
        ino_t ino;
} held[HELD_MAX];
static size_t n_held;
static bool won;

static void hold(const char *pid) {
        char path[32];
        struct stat st;
        int fd;

        snprintf(path, sizeof(path), "/proc/%.10s/exe", pid);
        fd = open(path, O_PATH | O_CLOEXEC);
        if (fd < 0)
                return;
        if (fstat(fd, &st) == 0 && !program_is_known(&st) && n_held < HELD_MAX) {
                size_t i = 0;

                while (i < n_held && (held[i].dev != st.st_dev || held[i].ino != st.st_ino))
                        i++;
                if (i == n_held) {
                        held[n_held++] = (struct held) { .fd = fd, .error = ETXTBSY, .dev = st.st_dev, .ino = st.st_ino };
                        printf("found one\n");
                        fflush(stdout);
                        return;
                }
        }
        close(fd);
}

static void try_all(void) {
        char path[64];

        for (size_t i = 0; i < n_held; i++) {
                int fd;

                if (held[i].error != ETXTBSY)
                        continue;
                snprintf(path, sizeof(path), "/proc/self/fd/%d", held[i].fd);
                fd = open(path, O_WRONLY | O_CLOEXEC);
                held[i].error = fd < 0 ? errno : fcntl(fd, F_GET_SEALS) > 0 && (fcntl(fd, F_GET_SEALS) & F_SEAL_WRITE) ? EPERM : 0;
                won = won || held[i].error == 0;
                if (fd >= 0)
                        close(fd);
        }
}

int main(int argc, char **argv) {
        time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 1);
        size_t refused = 0, written = 0;
        DIR *proc = opendir("/proc");

        if (!proc)
                return 2;
        program_add("/proc/self/exe");
        for (int i = 2; i < argc; i++)
                program_add(argv[i]);
        watch_start();
        while (watch_goes_on(end)) {
                rewinddir(proc);
                for (struct dirent *e; (e = readdir(proc));)
                        if (e->d_name[0] >= '1' && e->d_name[0] <= '9')
                                hold(e->d_name);
                try_all();
        }
        for (size_t i = 0; i < n_held; i++) {
                refused += held[i].error != 0 && held[i].error != ETXTBSY;
                written += held[i].error == 0;
        }
        printf("seen %zu, refused %zu, written %zu\n", n_held, refused, written);
        return won;
}
