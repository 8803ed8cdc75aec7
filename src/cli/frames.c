/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/frames.h"

#include <string.h>
#include <unistd.h>

#include "base/fd.h"

int frames_write(struct frames *f, const char *data, size_t size) {
        if (f->raw)
                return fd_write_all(STDOUT_FILENO, data, size);
        while (size > 0) {
                size_t n;
                int r;

                if (f->left == 0) {
                        n = sizeof(f->head) - f->head_size < size ? sizeof(f->head) - f->head_size : size;
                        memcpy(f->head + f->head_size, data, n);
                        f->head_size += n;
                        data += n;
                        size -= n;
                        if (f->head_size < sizeof(f->head))
                                return 0;
                        f->head_size = 0;
                        f->left = (uint32_t) f->head[4] << 24 | (uint32_t) f->head[5] << 16 | (uint32_t) f->head[6] << 8 | f->head[7];
                        continue;
                }
                n = f->left < size ? f->left : size;
                r = fd_write_all(f->head[0] == 2 ? STDERR_FILENO : STDOUT_FILENO, data, n);
                if (r < 0)
                        return r;
                data += n;
                size -= n;
                f->left -= (uint32_t) n;
        }
        return 0;
}
