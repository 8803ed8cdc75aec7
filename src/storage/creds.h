/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* This thread, for a moment, with the file system ids of a container's root and all its capabilities.
 *
 * An overlay works with the credentials of whoever made it. On idmapped layers, the fsuid of the host's root has no id on disk:
 * overlayfs cannot make its work directory, and falls back to read-only, or fails with EOVERFLOW. Changing fsuid drops
 * capabilities, but for SECBIT_NO_SETUID_FIXUP. Both belong to the thread: no other thread of the daemon notices. */

#include <stdint.h>

struct creds {
        uint32_t fsuid, fsgid;
        int securebits;
};

/* 0, or negative errno: then nothing has changed. */
int creds_enter(uint32_t id, struct creds *ret_before);
/* Aborts the process when the thread cannot be made what it was: going on with wrong credentials is worse. */
void creds_leave(const struct creds *before);
