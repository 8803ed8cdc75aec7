/* SPDX-License-Identifier: Apache-2.0 */

/* Landlock (landlock(7), Linux 5.13): what this process may open, make and remove, checked by the kernel at every path. What it had open before
 * stays usable. Rights are numbers of the kernel's interface; they are named here because headers of older systems lack the newer ones. */

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "worker/confine.h"

enum {
        FS_EXECUTE = 1 << 0,
        FS_WRITE_FILE = 1 << 1,
        FS_READ_FILE = 1 << 2,
        FS_READ_DIR = 1 << 3,
        FS_REMOVE_DIR = 1 << 4,
        FS_REMOVE_FILE = 1 << 5,
        FS_MAKE_CHAR = 1 << 6,
        FS_MAKE_DIR = 1 << 7,
        FS_MAKE_REG = 1 << 8,
        FS_MAKE_SOCK = 1 << 9,
        FS_MAKE_FIFO = 1 << 10,
        FS_MAKE_BLOCK = 1 << 11,
        FS_MAKE_SYM = 1 << 12,
        FS_REFER = 1 << 13,     /* ABI 2 */
        FS_TRUNCATE = 1 << 14,  /* ABI 3 */
        FS_IOCTL_DEV = 1 << 15, /* ABI 5 */

        NET_BIND_TCP = 1 << 0,    /* ABI 4 */
        NET_CONNECT_TCP = 1 << 1,

        SCOPE_ABSTRACT_UNIX = 1 << 0, /* ABI 6 */
        SCOPE_SIGNAL = 1 << 1,

        CREATE_VERSION = 1 << 0,
        RULE_PATH_BENEATH = 1,

        FS_READ = FS_READ_FILE | FS_READ_DIR,
};

struct ruleset {
        uint64_t fs, net, scoped;
};

struct path_rule {
        uint64_t allowed;
        int32_t fd;
} __attribute__((packed));

/* All rights that exist up to each version of the interface. */
static const uint64_t fs_of_abi[] = { 0, (1 << 13) - 1, (1 << 14) - 1, (1 << 15) - 1, (1 << 15) - 1, (1 << 16) - 1 };

static const uint64_t beneath_dir[] = {
        [WORKER_UNPACK] = FS_WRITE_FILE | FS_READ_DIR | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_CHAR | FS_MAKE_DIR | FS_MAKE_REG | FS_MAKE_FIFO |
                          FS_MAKE_SYM | FS_REFER | FS_TRUNCATE, /* a hole at a file's end is made by ftruncate(2) */
        [WORKER_PACK] = FS_READ,
        [WORKER_EXTRACT] = FS_WRITE_FILE | FS_READ_DIR | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG | FS_MAKE_FIFO | FS_MAKE_SYM |
                           FS_REFER | FS_TRUNCATE,
        [WORKER_LOAD] = FS_WRITE_FILE | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG,
};

/* What resolving names and checking certificates reads. The files are named one by one too, because they may be symlinks to anywhere. */
static const char *const fetch_reads[] = {
        "/etc", "/usr", "/lib", "/lib64", "/run", "/nix/store", "/dev/null", "/dev/urandom", "/dev/random",
        "/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/ssl/certs", "/etc/ssl/certs/ca-certificates.crt",
};

static int add_rule(int ruleset, int fd, uint64_t allowed, uint64_t handled) {
        struct path_rule rule = { .allowed = allowed & handled, .fd = fd };

        return syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) < 0 ? -errno : 0;
}

static int allow_reads(int ruleset, uint64_t handled) {
        for (size_t i = 0; i < ARRAY_SIZE(fetch_reads); i++) {
                auto_fd fd = open(fetch_reads[i], O_PATH | O_CLOEXEC);
                struct stat st;
                int r;

                if (fd < 0 || fstat(fd, &st) < 0)
                        continue; /* not on this host */
                r = add_rule(ruleset, fd, S_ISDIR(st.st_mode) ? FS_READ : FS_READ_FILE, handled);
                if (r < 0)
                        return r;
        }
        return 0;
}

int confine_landlock(enum worker_mode mode, const int *dir_fds, size_t n_dir_fds, struct err *err) {
        long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
        struct ruleset rules = { 0 };
        size_t size = sizeof(rules.fs);
        auto_fd fd = -EBADF;
        int r;

        /* Version 1 forbids links from one directory to another without a way to allow it: an unpacker cannot live with that. */
        if (abi < 1 || (abi < 2 && mode != WORKER_FETCH))
                return 0;
        rules.fs = fs_of_abi[abi < (long) ARRAY_SIZE(fs_of_abi) ? abi : (long) ARRAY_SIZE(fs_of_abi) - 1];
        if (abi >= 4) {
                rules.net = mode == WORKER_FETCH ? NET_BIND_TCP : NET_BIND_TCP | NET_CONNECT_TCP;
                size = offsetof(struct ruleset, scoped);
        }
        if (abi >= 6) {
                rules.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
                size = sizeof(rules);
        }
        fd = (int) syscall(SYS_landlock_create_ruleset, &rules, size, 0);
        if (fd < 0)
                return err_errno(err, -errno, "worker: confinement: Landlock rules");
        r = mode == WORKER_FETCH ? allow_reads(fd, rules.fs) : 0;
        for (size_t i = 0; i < n_dir_fds && r == 0; i++)
                r = add_rule(fd, dir_fds[i], beneath_dir[mode], rules.fs);
        if (r < 0)
                return err_errno(err, r, "worker: confinement: Landlock rule");
        if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
                return err_errno(err, -errno, "worker: confinement: Landlock");
        return 0;
}
