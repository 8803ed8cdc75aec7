/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/creds.h"

#include <errno.h>
#include <linux/securebits.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>

/* setfsuid(2) returns the id before the call and no error: an impossible id asks without changing anything. */
static uint32_t fsuid_now(void) {
        return (uint32_t) setfsuid((uid_t) -1);
}

static uint32_t fsgid_now(void) {
        return (uint32_t) setfsgid((gid_t) -1);
}

static void set_ids(uint32_t uid, uint32_t gid) {
        setfsgid(gid);
        setfsuid(uid);
}

void creds_leave(const struct creds *before) {
        int saved = errno;

        set_ids(before->fsuid, before->fsgid);
        if (fsuid_now() != before->fsuid || fsgid_now() != before->fsgid ||
            prctl(PR_SET_SECUREBITS, (unsigned long) before->securebits, 0, 0, 0) < 0)
                abort();
        errno = saved;
}

int creds_enter(uint32_t id, struct creds *ret_before) {
        struct creds before = { .fsuid = fsuid_now(), .fsgid = fsgid_now(), .securebits = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0) };

        if (before.securebits < 0)
                return -errno;
        if (prctl(PR_SET_SECUREBITS, (unsigned long) before.securebits | SECBIT_NO_SETUID_FIXUP, 0, 0, 0) < 0)
                return -errno;
        set_ids(id, id);
        if (fsuid_now() != id || fsgid_now() != id) {
                creds_leave(&before);
                return -EPERM;
        }
        *ret_before = before;
        return 0;
}
