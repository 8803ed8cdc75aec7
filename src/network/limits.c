/* SPDX-License-Identifier: Apache-2.0 */
#include "network/limits.h"

#include "network/chain.h"

enum { KERNEL_PORTS = 1023 };

unsigned network_bridge_ports(void) {
        return KERNEL_PORTS - CHAIN_MAX;
}
