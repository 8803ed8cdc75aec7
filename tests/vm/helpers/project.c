/* SPDX-License-Identifier: Apache-2.0 */

/* Projects of files, and the quotas of a file system (ioctl_xfs_fsgetxattr(2), quotactl_fd(2)). Usage:
 *
 *   project set ID FILE   FILE belongs to that project
 *   project flag FILE     turns round whether what is made in FILE belongs to FILE's project, by the older call
 *   project list FILE     of FILE's file system: a line "ID USED LIMIT" for each project, in KiB */

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int failed(const char *what) {
        perror(what);
        return 1;
}

static int set(int fd, unsigned id) {
        struct fsxattr attr;

        if (ioctl(fd, FS_IOC_FSGETXATTR, &attr) < 0)
                return failed("FS_IOC_FSGETXATTR");
        attr.fsx_projid = id;
        return ioctl(fd, FS_IOC_FSSETXATTR, &attr) < 0 ? failed("FS_IOC_FSSETXATTR") : 0;
}

static int flag(int fd) {
        unsigned flags;

        if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
                return failed("FS_IOC_GETFLAGS");
        flags ^= FS_PROJINHERIT_FL;
        return ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0 ? failed("FS_IOC_SETFLAGS") : 0;
}

static int list(int fd) {
        struct if_nextdqblk q;

        for (uint64_t id = 1; id <= INT32_MAX && syscall(SYS_quotactl_fd, fd, QCMD(Q_GETNEXTQUOTA, PRJQUOTA), (unsigned) id, &q) == 0; id = (uint64_t) q.dqb_id + 1)
                if (printf("%u %llu %llu\n", q.dqb_id, (unsigned long long) q.dqb_curspace / 1024, (unsigned long long) q.dqb_bhardlimit) < 0)
                        return 1;
        return 0;
}

int main(int argc, char **argv) {
        int fd = argc > 2 ? open(argv[argc - 1], O_RDONLY | O_CLOEXEC) : -1;

        if (fd < 0)
                return failed(argc > 2 ? argv[argc - 1] : "usage: project set ID FILE | flag FILE | list FILE");
        if (!strcmp(argv[1], "set") && argc == 4)
                return set(fd, (unsigned) strtoul(argv[2], NULL, 10));
        return !strcmp(argv[1], "flag") ? flag(fd) : list(fd);
}
