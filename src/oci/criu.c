/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/criu.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "oci/oci.h"

void criu_done(struct criu *c) {
        while (c->n > 0)
                free(c->args[--c->n]);
        while (c->n_namespaces > 0)
                fd_close(c->namespaces[--c->n_namespaces]);
        c->pty = fd_close(c->pty);
}

void criu_add(struct criu *c, const char *format, ...) {
        va_list ap;
        int r;

        if (c->n + 1 >= ARRAY_SIZE(c->args)) {
                c->failed = -E2BIG;
                return;
        }
        va_start(ap, format);
        r = vasprintf(&c->args[c->n], format, ap);
        va_end(ap);
        if (r < 0)
                c->failed = -ENOMEM;
        else
                c->n++;
}

static int check_flags(const struct options *o, bool restoring, struct err *err) {
        const struct {
                bool given;
                const char *flag, *why;
        } refused[] = {
                { o->no_pivot, "--no-pivot", "a root without pivot_root(2) is not supported" },
                { o->systemd_cgroup, "--systemd-cgroup", "a restored container in a scope of systemd is not supported" },
                { o->pre_dump && o->lazy_pages, "--lazy-pages", "not with --pre-dump, which sends nothing" },
                { !restoring && o->lazy_pages && !o->page_server, "--lazy-pages", "needs a --page-server to hand out the memory" },
                { restoring && o->lazy_pages && !o->work_path, "--lazy-pages", "needs the --work-path in which \"criu lazy-pages\" listens" },
                { restoring && o->manage_cgroups && strcmp(o->manage_cgroups, "strict") == 0, "--manage-cgroups-mode strict",
                  "the container's cgroup is there already, with the limits of its config" },
                { o->status_fd && !o->lazy_pages, "--status-fd", "says when the page server of --lazy-pages listens; there is none" },
                { o->parent_path && (*o->parent_path == '/' || *o->parent_path == '\0'), "--parent-path", "is relative to --image-path" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
                if (refused[i].given)
                        return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "%s: %s", refused[i].flag, refused[i].why);
        return 0;
}

static int check_values(const struct options *o, struct err *err) {
        static const char *const modes[] = { "soft", "full", "strict", "ignore", "none" };
        bool known = !o->manage_cgroups;
        uint64_t fd;

        for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
                known = known || strcmp(modes[i], o->manage_cgroups) == 0;
        if (!known)
                return err_set(err, ERR_INVALID, -EINVAL, "--manage-cgroups-mode %s: not soft, full, strict, ignore or none", o->manage_cgroups);
        for (size_t i = 0; i < o->empty_ns.n; i++)
                if (strcmp(o->empty_ns.at[i], "network") != 0)
                        return err_set(err, ERR_INVALID, -EINVAL, "--empty-ns %s: only network can be empty", o->empty_ns.at[i]);
        if (o->status_fd && (str_to_u64(o->status_fd, 0, INT32_MAX, &fd) < 0 || fcntl((int) fd, F_GETFD) < 0))
                return err_set(err, ERR_INVALID, -EBADF, "--status-fd %s: not an open file", o->status_fd);
        return 0;
}

/* "127.0.0.1:8080", "localhost:8080", "[::1]:8080". The memory of all processes goes there in the clear, and to whoever asks first: not over a network.
 * Who wants that has a tunnel to it. */
static int split_page_server(const char *text, char address[64], uint64_t *ret_port, struct err *err) {
        const char *colon = strrchr(text, ':'), *host = text;
        size_t n = colon ? (size_t) (colon - text) : 0;
        struct in_addr v4;
        struct in6_addr v6;

        if (n >= 2 && *text == '[' && text[n - 1] == ']') {
                host++;
                n -= 2;
        }
        if (!colon || n >= 64 || str_to_u64(colon + 1, 1, 65535, ret_port) < 0)
                return err_set(err, ERR_INVALID, -EINVAL, "--page-server %s: not ADDRESS:PORT", text);
        snprintf(address, 64, "%.*s", (int) n, host);
        if (strcmp(address, "localhost") == 0)
                snprintf(address, 64, "127.0.0.1");
        if ((inet_pton(AF_INET, address, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127) || (inet_pton(AF_INET6, address, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6)))
                return 0;
        return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "--page-server %s: memory is sent in the clear, and so to addresses of the loopback only", text);
}

int criu_check_options(const struct options *o, bool restoring, struct err *err) {
        char address[64];
        uint64_t port;
        int r = check_flags(o, restoring, err);

        if (r == 0)
                r = check_values(o, err);
        if (r == 0 && o->page_server)
                r = split_page_server(o->page_server, address, &port, err);
        if (r == 0 && geteuid() != 0)
                r = err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "checkpoint and restore need root");
        return r;
}

/* A ':' or a bracket would end the name in the middle. */
static int add_mount(struct criu *c, const char *what, size_t i, const char *at, const char *from, struct err *err) {
        if (strpbrk(at, "]:[") || strstr(at, ".."))
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "%s[%zu]: criu cannot be told of a place called %s", what, i, at);
        criu_add(c, "--external");
        criu_add(c, "mnt[%s]:%s", at, from);
        return 0;
}

static bool is_bind(const json_t *mount) {
        const json_t *options = json_get_array(mount, "options"), *v;
        bool bind = strcmp(json_get_str(mount, "type", ""), "bind") == 0;
        size_t i;

        json_array_foreach(options, i, v)
                bind = bind || (json_is_string(v) && (strcmp(json_string_value(v), "bind") == 0 || strcmp(json_string_value(v), "rbind") == 0));
        return bind;
}

/* By name and never by themselves: what a restored container gets from the host is what its config says, and not what the images say. */
int criu_add_mounts(struct criu *c, const json_t *config, const json_t *masked_files, bool restoring, struct err *err) {
        size_t i;
        json_t *v;
        int r = 0;

        json_array_foreach(json_get_array(config, "mounts"), i, v) {
                const char *at = json_get_str(v, "destination", "");

                if (r == 0 && is_bind(v))
                        r = add_mount(c, "mounts", i, at, restoring ? json_get_str(v, "source", "") : at, err);
        }
        json_array_foreach(masked_files, i, v)
                if (r == 0)
                        r = add_mount(c, "linux.maskedPaths", i, json_string_value(v), restoring ? "/dev/null" : json_string_value(v), err);
        return r;
}

void criu_add_options(struct criu *c, const struct options *o) {
        const struct {
                bool given;
                const char *flag;
        } flags[] = {
                { o->tcp_established, "--tcp-established" }, { o->tcp_skip_in_flight, "--skip-in-flight" }, { o->ext_unix_sk, "--ext-unix-sk" },
                { o->shell_job, "--shell-job" },             { o->file_locks, "--file-locks" },             { o->auto_dedup, "--auto-dedup" },
                { o->empty_ns.n > 0, "--empty-ns=net" },     { o->lazy_pages, "--lazy-pages" },
        };
        char address[64];
        uint64_t port;

        for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
                if (flags[i].given)
                        criu_add(c, "%s", flags[i].flag);
        if (o->manage_cgroups)
                criu_add(c, "--manage-cgroups=%s", o->manage_cgroups);
        if (o->page_server && split_page_server(o->page_server, address, &port, NULL) == 0) {
                /* Else it listens there itself. */
                if (!o->lazy_pages)
                        criu_add(c, "--page-server");
                criu_add(c, "--address=%s", address);
                criu_add(c, "--port=%d", (int) port);
        }
        if (o->status_fd)
                criu_add(c, "--status-fd=%s", o->status_fd);
        criu_add(c, "--images-dir=/proc/self/fd/%d", c->images_fd);
        criu_add(c, "--work-dir=/proc/self/fd/%d", c->work_fd);
        criu_add(c, "--no-default-config");
        criu_add(c, "-v4");
        criu_add(c, "--log-file=" CRIU_LOG);
}
