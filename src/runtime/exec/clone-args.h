/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* clone3(2), as of Linux 5.7. <linux/sched.h> has it too, but cannot be included beside <sched.h>. */

#include <stdint.h>

struct kernel_clone_args {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif
