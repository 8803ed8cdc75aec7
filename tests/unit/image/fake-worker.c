/* SPDX-License-Identifier: Apache-2.0 */
/* A kist-worker that was taken over: what it does is named by the repository (fetch) or by the text of the archive (load). */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "worker/job.h"

static void say(const char *text) {
        fd_send(WORKER_FD_CONTROL, text, strlen(text), NULL, 0);
}

static void say_long(void) {
        char *text = malloc(WORKER_MESSAGE_MAX + 10);

        memset(text, ' ', WORKER_MESSAGE_MAX + 10);
        memcpy(text, "{\"event\":\"done\",\"id\":1}", 23);
        fd_send(WORKER_FD_CONTROL, text, WORKER_MESSAGE_MAX + 10, NULL, 0);
        free(text);
}

static void flood(int fd) {
        static char block[1 << 16];

        for (int i = 0; i < 100; i++)
                if (fd_write_all(fd, block, sizeof(block)) < 0)
                        return;
}

static void fetch(const char *what, int pipe_fd) {
        if (strstr(what, "/flood")) {
                flood(pipe_fd);
        } else if (strstr(what, "/long-message")) {
                say_long();
        } else if (strstr(what, "/garbage")) {
                say("\xff\xfe not JSON");
        } else if (strstr(what, "/no-object")) {
                say("[1]");
        } else if (strstr(what, "/no-event")) {
                say("{\"event\":{\"a\":1}}");
        } else if (strstr(what, "/foreign-id")) {
                say("{\"event\":\"done\",\"id\":77}");
        } else if (strstr(what, "/odd-error")) {
                say("{\"event\":\"error\",\"id\":[],\"kind\":7,\"message\":{}}");
        } else if (strstr(what, "/forged-line")) {
                say("{\"event\":\"error\",\"id\":1,\"kind\":\"denied\",\"message\":\"one\\nerror two\\u001b[2J\"}");
        }
}

/* A layer by the name of what its worker is to say; the pipe stays open as long as this process lives. */
static void say_offer(const char *what) {
        char text[200], answer[200];
        int fds[4];
        size_t n_fds = 4;

        snprintf(text, sizeof(text), "{\"event\":\"layer\",\"size\":3,\"name\":\"%.60s\"}", what);
        say(text);
        fd_recv(WORKER_FD_CONTROL, answer, sizeof(answer), fds, &n_fds);
}

/* Of a layer that was offered. */
static void unpack(const char *job) {
        static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";
        char text[400];

        snprintf(text, sizeof(text), "{\"event\":\"done\",\"size\":%s,\"blob_size\":%d,\"digest\":\"sha256:%s\",\"diff_id\":\"sha256:%s\"}",
                 strstr(job, "offer-size") ? "-1" : "1", strstr(job, "offer-longer") ? 7 : 0, strstr(job, "offer-sum") ? "../../x" : zeros, strstr(job, "offer-id") ? "1" : zeros);
        if (strstr(job, "offer-escapes"))
                say("{\"event\":\"opaque\",\"path\":\"../../..\"}");
        else if (!strstr(job, "offer-dies"))
                say(text);
}

static int load(const char *what, int dir_fd) {
        int r = 0;

        /* Only ids of the namespace can write through the clone. */
        if (setns(WORKER_FD_USERNS, CLONE_NEWUSER) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
                return 1;
        if (strstr(what, "offer-nonsense"))
                say("{\"event\":\"layer\",\"size\":-1,\"name\":\"x\"}");
        else if (strstr(what, "offer-digest"))
                say("{\"event\":\"layer\",\"size\":1,\"digest\":\"sha256:../x\"}");
        else if (strstr(what, "offer-unnamed"))
                say("{\"event\":\"layer\",\"size\":1,\"name\":[]}");
        else if (strstr(what, "offer"))
                say_offer(what);
        if (strstr(what, "link-index"))
                r = symlinkat("/etc/passwd", dir_fd, "index.json");
        else if (strstr(what, "fifo-index"))
                mknodat(dir_fd, "index.json", S_IFIFO | 0644, 0);
        else if (strstr(what, "directory-index"))
                mkdirat(dir_fd, "index.json", 0755);
        else
                file_write_atomic_at(dir_fd, "index.json", "{\"manifests\":[{\"digest\":\"x\"}]}", 30, 0644, false);
        if (strstr(what, "link-blobs"))
                r |= unlinkat(dir_fd, "blobs/sha256", AT_REMOVEDIR) | symlinkat("/", dir_fd, "blobs/sha256");
        if (strstr(what, "no-blobs"))
                r |= unlinkat(dir_fd, "blobs/sha256", AT_REMOVEDIR);
        if (!strstr(what, "dies"))
                say("{\"event\":\"done\",\"blobs\":-5,\"bytes\":1e300}");
        return r;
}

int main(int argc, char **argv) {
        char message[WORKER_MESSAGE_MAX], archive[64] = "";
        int fds[4];
        size_t n_fds = 4;
        ssize_t n = fd_recv(WORKER_FD_CONTROL, message, sizeof(message) - 1, fds, &n_fds);

        if (n <= 0 || argc != 2)
                return 1;
        message[n] = '\0';
        if (strcmp(argv[1], "load") == 0) {
                if (n_fds == 2 && read(fds[0], archive, sizeof(archive) - 1) > 0)
                        return load(archive, fds[1]);
                return 1;
        }
        if (strcmp(argv[1], "unpack") == 0) {
                unpack(message);
                return 0;
        }
        n_fds = 4;
        if (fd_recv(WORKER_FD_CONTROL, archive, sizeof(archive), fds, &n_fds) > 0 && n_fds == 1)
                fetch(message, fds[0]);
        /* Never ends by itself: the daemon has to see to that. */
        if (!strstr(message, "/dies"))
                pause();
        return 0;
}
