/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* How many endpoints are put on one bridge: the kernel takes 1,023 ports, and some of the first one's join the others (chain.h). The tests' daemon,
 * kistd-faults, is linked with tests/lib/short-limits.c in the place of limits.c. */
unsigned network_bridge_ports(void);
