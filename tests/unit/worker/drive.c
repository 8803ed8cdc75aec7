/* SPDX-License-Identifier: Apache-2.0 */

/* One job by hand, its events on standard error: for experiments, timing and shell tests. DIRECTORY must be on a file system that can be idmapped.
 *     worker-drive unpack INPUT DIGEST DIFF_ID DIRECTORY [BLOB]
 *     worker-drive load INPUT DIRECTORY
 *     worker-drive fetch OPEN-JSON REQUEST-JSON      the body goes to standard output */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

static int events(struct worker *w) {
        bool done = false;
        json_t *event;

        while ((event = harness_event(w))) {
                const char *name = json_string_value(json_object_get(event, "event"));
                char *text = json_dumps(event, JSON_COMPACT);
                bool last = strcmp(name, "done") == 0 || strcmp(name, "error") == 0;

                done |= strcmp(name, "done") == 0;
                fprintf(stderr, "%s\n", text);
                free(text);
                json_decref(event);
                if (last)
                        break;
        }
        return harness_end(w) == 0 && done ? 0 : 1;
}

static int drive_fetch(const char *open_job, const char *request, int userns) {
        struct worker w = harness_start("fetch", userns);
        int ends[2];

        if (pipe(ends) < 0)
                return 2;
        harness_send(&w, open_job, NULL, 0);
        harness_send(&w, request, &ends[1], 1);
        close(ends[1]);
        if (fork() == 0) {
                static char buffer[65536];
                ssize_t n;

                while ((n = read(ends[0], buffer, sizeof(buffer))) > 0)
                        fwrite(buffer, 1, (size_t) n, stdout);
                fflush(stdout);
                _exit(0);
        }
        close(ends[0]);
        return events(&w);
}

int main(int argc, char **argv) {
        const char *mode = argc > 1 ? argv[1] : "";
        bool unpack = argc >= 6 && strcmp(mode, "unpack") == 0;
        int userns = harness_userns(), fds[3] = { -1, -1, -1 };
        char job[512] = "{\"op\":\"load\"}";
        struct worker w;

        if (userns >= 0 && argc == 4 && strcmp(mode, "fetch") == 0)
                return drive_fetch(argv[2], argv[3], userns);
        if (userns < 0 || !(unpack || (argc == 4 && strcmp(mode, "load") == 0))) {
                fprintf(stderr, "usage: worker-drive unpack INPUT DIGEST DIFF_ID DIRECTORY [BLOB] | load INPUT DIRECTORY | fetch OPEN REQUEST\n");
                return 2;
        }
        fds[0] = strcmp(argv[2], "-") == 0 ? 0 : open(argv[2], O_RDONLY | O_CLOEXEC);
        fds[1] = harness_clone(open(argv[unpack ? 5 : 3], O_PATH | O_DIRECTORY | O_CLOEXEC), userns);
        if (argc > 6)
                fds[2] = open(argv[6], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (unpack)
                snprintf(job, sizeof(job), "{\"op\":\"unpack\",\"digest\":\"%s\",\"diff_id\":\"%s\"}", argv[3], argv[4]);
        w = harness_start(mode, userns);
        harness_send(&w, job, fds, fds[2] >= 0 ? 3 : 2);
        return events(&w);
}
