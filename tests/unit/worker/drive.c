/* SPDX-License-Identifier: Apache-2.0 */

/* worker-drive unpack INPUT DIGEST DIFF_ID DIRECTORY [BLOB], worker-drive load INPUT DIRECTORY: one job by hand, its events on standard output. For
 * experiments, timing and shell tests. DIRECTORY must be on a file system that can be idmapped. */

#include <fcntl.h>
#include <linux/mount.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness.h"

static int clone_of(const char *path, int userns_fd) {
        struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t) userns_fd };
        int fd = (int) syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

        if (fd < 0 || syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0) {
                perror(path);
                exit(2);
        }
        return fd;
}

int main(int argc, char **argv) {
        bool unpack = argc >= 6 && strcmp(argv[1], "unpack") == 0, done = false;
        int userns = harness_userns(), fds[3] = { -1, -1, -1 };
        struct worker w;
        char job[512];
        json_t *event;

        if (userns < 0 || !(unpack || (argc == 4 && strcmp(argv[1], "load") == 0))) {
                fprintf(stderr, "usage: worker-drive unpack INPUT DIGEST DIFF_ID DIRECTORY [BLOB] | load INPUT DIRECTORY\n");
                return 2;
        }
        fds[0] = strcmp(argv[2], "-") == 0 ? 0 : open(argv[2], O_RDONLY | O_CLOEXEC);
        fds[1] = clone_of(argv[unpack ? 5 : 3], userns);
        if (argc > 6)
                fds[2] = open(argv[6], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (unpack)
                snprintf(job, sizeof(job), "{\"op\":\"unpack\",\"digest\":\"%s\",\"diff_id\":\"%s\"}", argv[3], argv[4]);
        else
                snprintf(job, sizeof(job), "{\"op\":\"load\"}");
        w = harness_start(argv[1], userns);
        harness_send(&w, job, fds, fds[2] >= 0 ? 3 : 2);
        while ((event = harness_event(&w))) {
                char *text = json_dumps(event, JSON_COMPACT);

                done |= strstr(text, "\"done\"") != NULL;
                puts(text);
                free(text);
                json_decref(event);
        }
        return harness_end(&w) == 0 && done ? 0 : 1;
}
