/* SPDX-License-Identifier: Apache-2.0 */

/* Project quotas: ioctl_xfs_fsgetxattr(2), quotactl_fd(2), <linux/dqblk_xfs.h>. One set of calls for ext4 and xfs: the kernel translates Q_SETQUOTA. */

#include <fcntl.h>
#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "base/err.h"
#include "base/fd.h"
#include "storage/storage.h"

enum { QUOTA_UNIT = 1024 }; /* of struct if_dqblk's limits */

static int quota_call(int fd, unsigned command, uint32_t id, void *data) {
        return syscall(SYS_quotactl_fd, fd, QCMD(command, PRJQUOTA), id, data) < 0 ? -errno : 0;
}

int storage_quota_check(int fd, struct err *err) {
        struct fs_quota_statv state = { .qs_version = FS_QSTATV_VERSION1 };
        int r = quota_call(fd, Q_XGETQSTATV, 0, &state);

        if (r == -EPERM)
                return err_set(err, ERR_DENIED, r, "a limit of size: project quotas are for who has CAP_SYS_ADMIN");
        if (r < 0 || !(state.qs_flags & FS_QUOTA_PDQ_ENFD))
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP,
                               "a limit of size: the file system of the data directory has no project quota (ext4 made with -O quota,project, or xfs; mounted with -o prjquota)");
        return 0;
}

static uint64_t units(uint64_t bytes) {
        return bytes / QUOTA_UNIT + (bytes % QUOTA_UNIT != 0);
}

static bool is_set(int dir_fd, const struct storage_quota *q, const struct fsxattr *attr) {
        struct if_dqblk limit;

        return attr->fsx_projid == q->project && attr->fsx_xflags & FS_XFLAG_PROJINHERIT && quota_call(dir_fd, Q_GETQUOTA, q->project, &limit) == 0 &&
               limit.dqb_bhardlimit == units(q->bytes);
}

/* The limit first: nothing is written below the directory that would not count. */
int storage_quota_set(int dir_fd, const struct storage_quota *q, bool *ret_changed, struct err *err) {
        struct if_dqblk limit = { .dqb_bhardlimit = units(q->bytes), .dqb_valid = QIF_BLIMITS };
        struct fsxattr attr;
        int r = storage_quota_check(dir_fd, err); /* ext4 knows limits that it does not keep, too */

        if (r < 0)
                return r;
        if (ioctl(dir_fd, FS_IOC_FSGETXATTR, &attr) < 0)
                return err_errno(err, -errno, "a limit of size: reading the project of a directory");
        if (ret_changed)
                *ret_changed = !is_set(dir_fd, q, &attr);
        if (is_set(dir_fd, q, &attr))
                return 0;
        r = quota_call(dir_fd, Q_SETQUOTA, q->project, &limit);
        if (r < 0)
                return err_errno(err, r, "a limit of size: setting that of project %u", q->project);
        attr.fsx_projid = q->project;
        attr.fsx_xflags |= FS_XFLAG_PROJINHERIT;
        return ioctl(dir_fd, FS_IOC_FSSETXATTR, &attr) < 0 ? err_errno(err, -errno, "a limit of size: giving a directory to project %u", q->project) : 0;
}

void storage_quota_unmark(int dir_fd) {
        struct fsxattr attr;

        if (ioctl(dir_fd, FS_IOC_FSGETXATTR, &attr) < 0 || !attr.fsx_projid)
                return;
        attr.fsx_projid = 0;
        attr.fsx_xflags &= ~(__u32) FS_XFLAG_PROJINHERIT;
        ioctl(dir_fd, FS_IOC_FSSETXATTR, &attr);
}

int storage_quota_forget(int fd, uint32_t project) {
        struct if_dqblk none = { .dqb_valid = QIF_BLIMITS };

        return quota_call(fd, Q_SETQUOTA, project, &none);
}

int storage_quota_next(int fd, uint32_t from, uint32_t *ret) {
        struct if_nextdqblk next;
        int r = quota_call(fd, Q_GETNEXTQUOTA, from, &next);

        if (r == 0)
                *ret = next.dqb_id;
        return r;
}
