/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/exec/private.h"

long raw_clone3(void *args, size_t size) {
        return syscall(SYS_clone3, args, size);
}

/* One write(2): procfs and cgroupfs take a value whole or not at all. */
int raw_write_file(int dir_fd, const char *name, const char *text, size_t size) {
        auto_fd fd = openat(dir_fd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
        ssize_t n;

        if (fd < 0)
                return -errno;
        n = write(fd, text, size);
        if (n < 0)
                return -errno;
        return (size_t) n == size ? 0 : -EIO;
}

int raw_open_proc(int proc_fd, const char *path, int flags) {
        struct open_how how = {
                .flags = (uint64_t) (flags | O_CLOEXEC | O_NOCTTY),
                .resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS,
        };
        long fd = syscall(SYS_openat2, proc_fd, path, &how, sizeof(how));

        return fd < 0 ? -errno : (int) fd;
}

/* Both stop at `end`, which always stays for the NUL. */
char *raw_put_text(char *at, char *end, const char *s) {
        while (*s && at < end)
                *at++ = *s++;
        *at = '\0';
        return at;
}

char *raw_put_number(char *at, char *end, uint64_t v) {
        char digits[20];
        int n = 0;

        do
                digits[n++] = (char) ('0' + v % 10);
        while (v /= 10);
        while (n > 0 && at < end)
                *at++ = digits[--n];
        *at = '\0';
        return at;
}

bool raw_is_fs(int fd, unsigned long magic) {
        struct statfs st;

        return fstatfs(fd, &st) == 0 && (unsigned long) st.f_type == magic;
}

int raw_fail(struct err *err, int num, const char *what, const char *object) {
        static const struct {
                int num;
                enum err_kind kind;
        } kinds[] = {
                { ENOENT, ERR_NOT_FOUND }, { ENOTDIR, ERR_INVALID },     { EINVAL, ERR_INVALID },      { ELOOP, ERR_DENIED },
                { EPERM, ERR_DENIED },     { EACCES, ERR_DENIED },       { ENOSPC, ERR_NO_SPACE },     { EDQUOT, ERR_NO_SPACE },
                { EBUSY, ERR_CONFLICT },   { EOPNOTSUPP, ERR_UNSUPPORTED }, { ENOSYS, ERR_UNSUPPORTED }, { ENODEV, ERR_UNSUPPORTED },
        };

        for (size_t i = 0; i < EXEC_ARRAY_SIZE(kinds); i++)
                if (kinds[i].num == (num < 0 ? -num : num))
                        return err_set_raw(err, kinds[i].kind, num, what, object);
        return err_set_raw(err, ERR_INTERNAL, num, what, object);
}
