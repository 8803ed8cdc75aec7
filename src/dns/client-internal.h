/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the files of the daemon's side share. All of it is used with the client's lock held. */

#include <net/if.h>
#include <pthread.h>
#include <sys/types.h>

#include "dns/dns.h"
#include "dns/protocol.h"

struct known_network {
        struct dns_message m; /* DNS_NETWORK */
        char bridge[IF_NAMESIZE];
        bool served; /* there were sockets to be had, the last time it was told */
};

struct known_endpoint {
        struct dns_message m; /* DNS_ENDPOINT */
        char **names;
        size_t n_names;
};

struct known_local {
        struct dns_message m; /* DNS_LOCAL */
        int pidfd;            /* −EBADF: not known yet */
        bool served;
};

struct dns_client {
        pthread_mutex_t lock;
        int dir_fd, sock, wake_fd;
        bool begun, stopping, watching;
        pid_t pid; /* 0: it is not our child */
        pthread_t thread;
        struct known_network *networks;
        struct known_endpoint *endpoints;
        struct known_local *locals;
        size_t n_networks, n_endpoints, n_locals;
        dns_open_local_fn open_local;
};

/* client.c. Negative errno; dns_hear(): or the answer's result. */
int dns_say(struct dns_client *c, const struct dns_message *m, const int *fds, size_t n_fds);
int dns_hear(struct dns_client *c);
/* Is the process gone? */
bool dns_is_lost(int r);
void dns_hang_up(struct dns_client *c);
/* It is there, and knows all. */
int dns_ensure(struct dns_client *c, struct err *err);

/* client-local.c. netns −1: that of its process. */
int dns_tell_local(struct dns_client *c, struct known_local *l, int netns, struct err *err);
bool dns_forget_local(struct dns_client *c, const char *container);
