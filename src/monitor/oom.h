/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Was a process of the container killed by the kernel for memory? Who removes the cgroup asks it before; but where systemd does, at once when it is empty,
 * nobody has that time. So it is asked each time that it says that something has happened, and when it was gone too soon, its parent is, whose figures are sums
 * of its children's and which stays: a kill more than when the container's own, which had reached its limit, were read last, and an init that was killed by nobody
 * that we know of, is one of its own. cgroup v2 only: "memory.events" of both, open for reading. */

#include <stdbool.h>

/* Takes the fds over; −1: there is none. */
void oom_watch(int own, int parent);
/* The container's init is about to be killed at somebody's request. */
void oom_killed_by_us(void);
/* After the end of the container's init, which was so: as of waitid, or 128 + signal. */
bool oom_was_killed(int status);
