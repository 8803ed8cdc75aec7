/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

/* /etc/hosts, /etc/hostname and /etc/resolv.conf of a container: written into its own directory, from where they are mounted over the
 * image's. Values that were checked when the container was made; what the host's files say is filtered line by line. */

struct container_row;
struct err;
struct names_resolvers;
struct spec;

int files_write(int dir_fd, const struct spec *s, const struct container_row *row, const char *gateway, const struct names_resolvers *resolvers, struct err *err);
enum { FILES_HOSTS_MAX = 1 << 20 };
/* The text of "hosts" when a container that runs had the networks of `before` and has those of `now`: the lines of its own addresses follow, what else is
 * there (the user's, the container's own) stays. The caller frees; NULL: memory is out, or it would be longer than anybody reads. */
char *files_hosts_follow(const struct spec *s, const struct container_row *before, const struct container_row *now, const char *text);
/* timezone.c: the file "localtime", when a time zone was asked for. ERR_INVALID: the host does not know it. */
int timezone_write(int dir_fd, const struct spec *s, struct err *err);
/* Images have /etc/localtime as a symlink to a file that they may lack: then it is that file that is to be mounted. On the heap; NULL: /etc/localtime. */
char *timezone_target(int rootfs_fd);

/* The text of the container's resolv.conf from the host's; the caller frees it. Name servers on the host's loopback are not reachable from
 * another network namespace: they are left out unless `keep_loopback`. */
char *files_resolv_conf(const struct spec *s, const char *host_text, bool keep_loopback);
/* The same from the host's file as it is now, with the gateways in place of its servers when there are any. */
char *files_resolv_conf_of(const struct spec *s, const struct names_resolvers *resolvers);
