/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Between namespaces.c (in kistd) and namespaces-serve.c (in the helper): one request, one reply, over AF_UNIX SOCK_SEQPACKET.
 * Both ends are of one build, so the structs need no version. */

#include <stdint.h>

#include "base/err.h"

enum namespace_want {
        NAMESPACE_USER = 1 << 0,
        NAMESPACE_NET = 1 << 1,
        NAMESPACE_OWNED = 1 << 2, /* with NET alone: the user namespace that is to own it comes as an fd beside the request */
        NAMESPACE_BLANK = 1 << 3, /* with USER: its maps are not written, the fds of their files come back instead */
};

enum { NAMESPACE_FDS_MAX = 4 };

struct namespace_request {
        uint32_t want;         /* enum namespace_want, not empty */
        uint32_t first, count; /* of NAMESPACE_USER without BLANK: host ids */
};

/* err.kind ERR_NONE: the fds of what was wanted come beside it: user, net, and of a blank one uid_map and gid_map. */
struct namespace_reply {
        struct err err;
};

/* The whole map of a user namespace, to an fd of its file uid_map or gid_map. Negative errno. */
int namespace_write_map(int fd, uint32_t first, uint32_t count);
