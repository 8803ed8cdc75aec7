/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#include "fuzz.h"

enum { INPUT_MAX = 64 << 20 };

/* The number of inputs that were replayed, or -1. */
static int replay(int dir_fd, const char *name) {
        auto_fd fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
        auto_free char *data = NULL, *exact = NULL;
        struct stat st;
        struct dirent *d;
        size_t size;
        int n = 0;
        DIR *dir;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -1;
        if (S_ISDIR(st.st_mode)) {
                dir = fdopendir(fd);
                while (dir && (d = readdir(dir))) {
                        int r = d->d_name[0] == '.' ? 0 : replay(dirfd(dir), d->d_name);

                        if (r < 0)
                                return -1;
                        n += r;
                }
                if (dir) {
                        move_fd(fd);
                        closedir(dir);
                }
                return n;
        }
        if (fd_read_file(fd, INPUT_MAX, &data, &size) < 0)
                return -1;
        /* A buffer of exactly that size, so that a sanitizer sees a read past its end. */
        exact = malloc(size ? size : 1);
        if (!exact)
                return -1;
        memcpy(exact, data, size);
        LLVMFuzzerTestOneInput((const uint8_t *) exact, size);
        return 1;
}

int main(int argc, char **argv) {
        int total = 0;

        for (int i = 1; i < argc; i++) {
                int n = replay(AT_FDCWD, argv[i]);

                if (n < 0) {
                        fprintf(stderr, "%s: %s cannot be read\n", argv[0], argv[i]);
                        return 2;
                }
                total += n;
        }
        printf("%d inputs\n", total);
        return total > 0 ? 0 : 2;
}
