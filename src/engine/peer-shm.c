/* SPDX-License-Identifier: Apache-2.0 */
/* The /dev/shm of a running container as a mount of our own. It lies in that container's mount namespace only, and a mount can be cloned by those
 * alone who live where it is: so a thread goes there, which shares neither its root nor its working directory with the others, and ends there. */

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "engine/peers.h"

struct visit {
        int mount_space;
        int result; /* the mount's fd, or a negative errno */
};

/* What the container has made of this place is its own affair, as long as it is a file system in memory and no way to anywhere else. */
static int clone_shm(void) {
        struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
        auto_fd shm = (int) syscall(SYS_openat2, AT_FDCWD, "/dev/shm", &how, sizeof(how));
        struct statfs fs;
        struct statx stx;
        int fd;

        if (shm < 0)
                return -errno;
        if (statx(shm, "", AT_EMPTY_PATH, STATX_TYPE, &stx) < 0 || fstatfs(shm, &fs) < 0)
                return -errno;
        if (fs.f_type != TMPFS_MAGIC || !(stx.stx_attributes & STATX_ATTR_MOUNT_ROOT))
                return -ENOTDIR;
        fd = open_tree(shm, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
        return fd < 0 ? -errno : fd;
}

static void *visit_main(void *data) {
        struct visit *v = data;

        v->result = unshare(CLONE_FS) < 0 || setns(v->mount_space, CLONE_NEWNS) < 0 ? -errno : clone_shm();
        return NULL;
}

int peer_shm_open(int mount_space, int *ret) {
        struct visit v = { .mount_space = mount_space };
        pthread_t thread;
        int r = -pthread_create(&thread, NULL, visit_main, &v);

        if (r < 0)
                return r;
        pthread_join(thread, NULL);
        if (v.result < 0)
                return v.result;
        *ret = v.result;
        return 0;
}
