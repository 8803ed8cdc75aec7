/* SPDX-License-Identifier: Apache-2.0 */
#include "network/child-links.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#include "network/filling.h"

static void put_u16(struct filling *f, int type, uint16_t value) {
        put(f, type, &value, sizeof(value));
}

static struct nl_msg *add_link(struct rtnl_batch *b) {
        struct ifinfomsg head = { .ifi_family = AF_UNSPEC };

        return rtnl_add(b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof(head));
}

int link_add_child(struct rtnl *n, const struct child *c) {
        bool macvlan = !strcmp(c->kind, "macvlan");
        auto_batch b = { 0 };
        struct filling f = { .m = add_link(&b) };
        struct nlattr *info, *data;

        put_string(&f, IFLA_IFNAME, c->name);
        put_u32(&f, IFLA_LINK, (uint32_t) c->parent);
        put_u32(&f, IFLA_NET_NS_FD, (uint32_t) c->netns_fd);
        put_u32(&f, IFLA_MTU, c->mtu);
        if (c->has_mac)
                put(&f, IFLA_ADDRESS, c->mac, sizeof(c->mac));
        info = nest(&f, IFLA_LINKINFO);
        put_string(&f, IFLA_INFO_KIND, c->kind);
        data = nest(&f, IFLA_INFO_DATA);
        if (macvlan) {
                put_u32(&f, IFLA_MACVLAN_MODE, c->mode);
        } else {
                put_u16(&f, IFLA_IPVLAN_MODE, c->mode);
                put_u16(&f, IFLA_IPVLAN_FLAGS, c->flags);
        }
        nest_end(&f, data);
        nest_end(&f, info);
        return fill_run(n, &b, &f);
}

int link_add_vlan(struct rtnl *n, const char *name, int base, uint16_t id, uint32_t group) {
        auto_batch b = { 0 };
        struct filling f = { .m = add_link(&b) };
        struct nlattr *info, *data;

        put_string(&f, IFLA_IFNAME, name);
        put_u32(&f, IFLA_LINK, (uint32_t) base);
        put_u32(&f, IFLA_GROUP, group);
        info = nest(&f, IFLA_LINKINFO);
        put_string(&f, IFLA_INFO_KIND, "vlan");
        data = nest(&f, IFLA_INFO_DATA);
        put_u16(&f, IFLA_VLAN_ID, id);
        nest_end(&f, data);
        nest_end(&f, info);
        return fill_run(n, &b, &f);
}

int link_add_dummy(struct rtnl *n, const char *name, uint32_t group) {
        auto_batch b = { 0 };
        struct filling f = { .m = add_link(&b) };
        struct nlattr *info;

        put_string(&f, IFLA_IFNAME, name);
        put_u32(&f, IFLA_GROUP, group);
        info = nest(&f, IFLA_LINKINFO);
        put_string(&f, IFLA_INFO_KIND, "dummy");
        nest_end(&f, info);
        return fill_run(n, &b, &f);
}

int link_delete_index(struct rtnl *n, int index) {
        struct ifinfomsg head = { .ifi_family = AF_UNSPEC, .ifi_index = index };
        auto_batch b = { 0 };
        struct filling f = { .m = rtnl_add(&b, RTM_DELLINK, 0, &head, sizeof(head)) };

        return fill_run(n, &b, &f);
}

bool link_kind_is_known(struct rtnl *n, const char *kind) {
        auto_batch b = { 0 };
        struct filling f = { .m = add_link(&b) };
        struct nlattr *info = nest(&f, IFLA_LINKINFO);

        put_string(&f, IFLA_INFO_KIND, kind);
        nest_end(&f, info);
        return fill_run(n, &b, &f) != -EOPNOTSUPP;
}
