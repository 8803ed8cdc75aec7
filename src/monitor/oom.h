/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Was a process of the container killed by the kernel for memory? Who removes the cgroup asks it before; but where systemd does, at once when it is empty,
 * nobody has that time. So it is asked each time that it says that something has happened, and when it was gone too soon, there is this:
 *
 * v2: its parent, whose figures are sums of its children's and which stays: a kill more than when the container's own, which had reached its limit, were read
 * last, and an init that was killed by nobody that we know of, is one of its own. "memory.events" of both, open for reading.
 * v1: an eventfd that counted when its memory was out and somebody about to be killed, and once more when it was removed; and "memory.oom_control".
 * Source: kernel Documentation/admin-guide/cgroup-v1/memory.rst, 10. */

#include <stdbool.h>

/* Takes the fds over; −1: there is none. event: of v1 only. */
void oom_watch(int own, int parent, int event);
/* The container's init is about to be killed at somebody's request. */
void oom_killed_by_us(void);
/* After the end of the container's init, which was so: as of waitid, or 128 + signal. */
bool oom_was_killed(int status);
