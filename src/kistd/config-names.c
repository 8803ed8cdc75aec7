/* SPDX-License-Identifier: Apache-2.0 */
#include "kistd/config-names.h"

#include <stddef.h>
#include <string.h>

#include "base/mem.h"

static const struct {
        const char *key, *why;
} names[] = {
        /* What Kist does in another way, or always. */
        { "userland-proxy", "there is no proxy: published ports are elements of a firewall map" },
        { "userland-proxy-path", "there is no proxy: published ports are elements of a firewall map" },
        { "userns-remap", "each container has a user namespace of its own: see userns-first-id and userns-ids" },
        { "live-restore", "containers always live on without the daemon" },
        { "storage-driver", "there is one: overlay over idmapped layers" },
        { "containerd", "no containerd is used" },
        { "iptables", "rules are in nftables, in a table of their own" },
        { "ip6tables", "rules are in nftables, in a table of their own" },
        { "selinux-enabled", "labels are used where the host has SELinux" },
        { "raw-logs", "lines of the log have no colours" },
        { "experimental", "what is there is there for all" },
        { "authorization-plugins", "authorization hooks are not part of Kist" },
        /* What no option of the daemon sets yet. */
        { "features", "this version cannot set it" },
        { "mtu", "this version cannot set it" },
        { "ip-forward", "this version cannot set it" },
        { "bip", "this version cannot set it: see default-address-pools" },
        { "fixed-cidr", "this version cannot set it: see default-address-pools" },
        { "icc", "this version cannot set it" },
};

const char *config_name_refusal(const char *key) {
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (!strcmp(names[i].key, key))
                        return names[i].why;
        return NULL;
}

const char *config_name_refused(size_t i, const char **ret_why) {
        if (i >= ARRAY_SIZE(names))
                return NULL;
        *ret_why = names[i].why;
        return names[i].key;
}
