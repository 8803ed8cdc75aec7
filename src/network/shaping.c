/* SPDX-License-Identifier: Apache-2.0 */
#include "network/shaping.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <stdio.h>
#include <string.h>
#include <sys/param.h>

#include "network/filling.h"

enum {
        TBF_HANDLE = 0x10000,         /* "1:" */
        INGRESS_HANDLE = (int) 0xffff0000,
        FRAME_OVERHEAD = 64,          /* an Ethernet header with tags, and room */
        BURST_MIN_DEFAULT = 64 << 10, /* what a sender hands over at once */
        BURSTS_PER_SECOND = 50,       /* of the rate: 20 ms */
        WAITS_PER_SECOND = 20,        /* how long a packet may wait: 50 ms */
        WAIT_MIN = 32 << 10,
};

void shaping_name(const char *host_link, char ret[16]) {
        snprintf(ret, 16, "ki%.13s", strlen(host_link) > 2 ? host_link + 2 : "");
}

static struct nl_msg *add_request(struct rtnl_batch *b, int type, int flags, int index, uint32_t parent, uint32_t handle, uint32_t info) {
        struct tcmsg head = { .tcm_family = AF_UNSPEC, .tcm_ifindex = index, .tcm_parent = parent, .tcm_handle = handle, .tcm_info = info };

        return rtnl_add(b, type, flags, &head, sizeof(head));
}

/* A frame that is larger than the burst would never pass. */
static uint32_t burst_of(uint64_t rate, uint32_t asked, uint32_t mtu) {
        uint64_t burst = asked ? asked : MAX(rate / 8 / BURSTS_PER_SECOND, (uint64_t) BURST_MIN_DEFAULT);

        return (uint32_t) MIN(MAX(burst, (uint64_t) mtu + FRAME_OVERHEAD), (uint64_t) UINT32_MAX / 4);
}

/* Of one that is there it changes the figures, and what waits there goes on waiting. */
static int set_tbf(struct rtnl *n, int index, uint64_t rate, uint32_t asked_burst, uint32_t mtu) {
        uint64_t bytes = rate / 8;
        uint32_t burst = burst_of(rate, asked_burst, mtu);
        struct tc_tbf_qopt parameters = {
                /* With the link layer said, the kernel computes and wants no table of us. */
                .rate = { .linklayer = TC_LINKLAYER_ETHERNET, .rate = bytes > UINT32_MAX ? UINT32_MAX : (uint32_t) bytes },
                .limit = (uint32_t) MIN(burst + MAX(bytes / WAITS_PER_SECOND, (uint64_t) WAIT_MIN), (uint64_t) UINT32_MAX / 2),
        };
        auto_batch b = { 0 };
        struct filling f = { .m = add_request(&b, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, index, TC_H_ROOT, TBF_HANDLE, 0) };
        struct nlattr *options;

        put_string(&f, TCA_KIND, "tbf");
        options = nest(&f, TCA_OPTIONS);
        put(&f, TCA_TBF_PARMS, &parameters, sizeof(parameters));
        put_u32(&f, TCA_TBF_BURST, burst);
        if (bytes > UINT32_MAX)
                put(&f, TCA_TBF_RATE64, &bytes, sizeof(bytes));
        nest_end(&f, options);
        return fill_run(n, &b, &f);
}

/* None there is what was wanted. */
static int delete_qdisc(struct rtnl *n, int index, uint32_t parent, uint32_t handle) {
        auto_batch b = { 0 };
        struct filling f = { .m = add_request(&b, RTM_DELQDISC, 0, index, parent, handle, 0) };
        int r = fill_run(n, &b, &f);

        return r == -ENOENT || r == -EINVAL ? 0 : r;
}

/* Everything that arrives by the link leaves by the ifb. */
static int redirect(struct rtnl *n, int index, int to) {
        /* Behind it one key, of a mask of 0: any packet has it. */
        _Alignas(struct tc_u32_sel) uint8_t any[sizeof(struct tc_u32_sel) + sizeof(struct tc_u32_key)] = { 0 };
        struct tc_u32_sel *selector = (void *) any;
        struct tc_mirred parameters = { .action = TC_ACT_STOLEN, .eaction = TCA_EGRESS_REDIR, .ifindex = (uint32_t) to };
        auto_batch b = { 0 };
        struct filling f = { .m = add_request(&b, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, index, TC_H_INGRESS, INGRESS_HANDLE, 0) };
        struct nlattr *options, *actions, *first, *action;

        selector->flags = TC_U32_TERMINAL;
        selector->nkeys = 1;
        put_string(&f, TCA_KIND, "ingress");
        f.m = add_request(&b, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, index, INGRESS_HANDLE, 0, TC_H_MAKE(1U << 16, __builtin_bswap16(ETH_P_ALL)));
        put_string(&f, TCA_KIND, "u32");
        options = nest(&f, TCA_OPTIONS);
        put(&f, TCA_U32_SEL, any, sizeof(any));
        actions = nest(&f, TCA_U32_ACT);
        first = nest(&f, 1);
        put_string(&f, TCA_ACT_KIND, "mirred");
        action = nest(&f, TCA_ACT_OPTIONS | NLA_F_NESTED);
        put(&f, TCA_MIRRED_PARMS, &parameters, sizeof(parameters));
        nest_end(&f, action);
        nest_end(&f, first);
        nest_end(&f, actions);
        nest_end(&f, options);
        return fill_run(n, &b, &f);
}

static int make_ifb(struct reaper *reaper, struct rtnl *n, const char *name, bool fresh, struct link *ret) {
        int r = link_add_ifb(n, name);

        if (r == -EEXIST && fresh && (r = reaper_discard(reaper, n, name, true)) == 0)
                r = link_add_ifb(n, name);
        if (r == 0)
                r = link_disable_ipv6(name);
        return r == 0 || (r == -EEXIST && !fresh) ? link_find(n, name, ret) : r;
}

static int limit_egress(struct reaper *reaper, struct rtnl *n, const struct link *l, uint32_t mtu, const struct network_rates *rates, bool fresh) {
        struct link ifb;
        char name[16];
        int r;

        shaping_name(l->name, name);
        r = make_ifb(reaper, n, name, fresh, &ifb);
        if (r == 0)
                r = set_tbf(n, ifb.index, rates->egress, rates->egress_burst, mtu);
        if (r == 0 && !ifb.up)
                r = link_set_up(n, name);
        if (r < 0)
                return r;
        /* Two filters would be one too many: all of it anew. */
        if (!fresh && (r = delete_qdisc(n, l->index, TC_H_INGRESS, INGRESS_HANDLE)) < 0)
                return r;
        return redirect(n, l->index, ifb.index);
}

int shaping_set(struct reaper *reaper, struct rtnl *n, const char *host_link, uint32_t mtu, const struct network_rates *rates, bool fresh) {
        struct link l;
        int r = link_find(n, host_link, &l);

        if (r < 0)
                return r;
        if (rates->ingress)
                r = set_tbf(n, l.index, rates->ingress, rates->ingress_burst, mtu);
        else if (!fresh)
                r = delete_qdisc(n, l.index, TC_H_ROOT, TBF_HANDLE);
        if (r == 0 && rates->egress) {
                r = limit_egress(reaper, n, &l, mtu, rates, fresh);
        } else if (r == 0 && !fresh) {
                r = delete_qdisc(n, l.index, TC_H_INGRESS, INGRESS_HANDLE);
                shaping_discard(reaper, n, host_link);
        }
        /* By these numbers the kernel says that it has not this kind of thing. */
        return r == -ENOENT ? -EOPNOTSUPP : r;
}

void shaping_discard(struct reaper *reaper, struct rtnl *n, const char *host_link) {
        char name[16];

        shaping_name(host_link, name);
        reaper_discard(reaper, n, name, false);
}
