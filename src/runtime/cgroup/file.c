/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cgroup/private.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

int cgroup_file_open(int dir_fd, const char *path, const char *file, int flags) {
        char name[CGROUP_FILE_MAX];
        int fd, n = snprintf(name, sizeof(name), "%s/%s", path, file);

        if (n < 0 || (size_t) n >= sizeof(name))
                return -ENAMETOOLONG;
        fd = openat(dir_fd, name, flags | O_CLOEXEC | O_NOFOLLOW);
        return fd < 0 ? -errno : fd;
}

int cgroup_file_write(int dir_fd, const char *path, const char *file, const char *value) {
        auto_fd fd = cgroup_file_open(dir_fd, path, file, O_WRONLY);

        if (fd < 0)
                return fd;
        /* One write(2): the kernel takes each as one value. */
        return write(fd, value, strlen(value)) < 0 ? -errno : 0;
}

int cgroup_file_read(int dir_fd, const char *path, const char *file, char *buf, size_t size) {
        auto_fd fd = cgroup_file_open(dir_fd, path, file, O_RDONLY);
        size_t used = 0;

        if (fd < 0)
                return fd;
        while (used + 1 < size) {
                ssize_t n = read(fd, buf + used, size - 1 - used);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                used += (size_t) n;
        }
        buf[used] = '\0';
        return 0;
}

int cgroup_file_read_u64(int dir_fd, const char *path, const char *file, uint64_t *ret) {
        char text[64];
        int r = cgroup_file_read(dir_fd, path, file, text, sizeof(text));

        if (r < 0)
                return r;
        text[strcspn(text, "\n")] = '\0';
        if (strcmp(text, "max") == 0) {
                *ret = UINT64_MAX;
                return 0;
        }
        return str_to_u64(text, 0, UINT64_MAX, ret);
}

int cgroup_text_find_u64(const char *text, const char *key, uint64_t *ret) {
        size_t n = strlen(key);

        for (const char *line = text; *line;) {
                size_t length = strcspn(line, "\n");

                if (strncmp(line, key, n) == 0 && line[n] == ' ') {
                        char number[32];
                        size_t digits = length - n - 1;

                        if (digits >= sizeof(number))
                                return -ERANGE;
                        memcpy(number, line + n + 1, digits);
                        number[digits] = '\0';
                        return str_to_u64(number, 0, UINT64_MAX, ret);
                }
                line += length + (line[length] == '\n');
        }
        return -ENOENT;
}
