/* SPDX-License-Identifier: Apache-2.0 */
#include "kistd/options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "kistd/listen.h"

enum { SANDBOXES_MAX = 64 }; /* each is a network namespace of the kernel's, a few hundred kB */

#define AT(member) offsetof(struct options, member)

const struct option option_table[] = {
        { "root", 0, OPTION_TEXT, AT(root), "data-root", "DIR", "/var/lib/kist", "images, layers, containers and their database" },
        { "run-root", 0, OPTION_TEXT, AT(run_root), "exec-root", "DIR", "/run/kist", "sockets and what does not outlive a reboot" },
        { "config", 0, OPTION_TEXT, AT(config), NULL, "FILE", "/etc/kist/kistd.json", "configuration file" },
        { "host", 'H', OPTION_LIST, AT(hosts), "hosts", "ADDRESS", NULL,
          "listen at unix://PATH, tcp://ADDRESS:PORT, or fd:// for the sockets of systemd; repeatable (default unix:// and RUN-ROOT/kist.sock)" },
        { "tls", 0, OPTION_FLAG, AT(tls), "tls", NULL, NULL, "serve TCP with TLS; false, on the loopback, without" },
        { "tlsverify", 0, OPTION_FLAG, AT(tls_verify), "tlsverify", NULL, NULL, "serve TCP with TLS, to clients with a certificate of --tlscacert only" },
        { "tlscacert", 0, OPTION_TEXT, AT(tls_ca), "tlscacert", "FILE", "/etc/kist/tls/ca.pem", "certificate of the authority for clients" },
        { "tlscert", 0, OPTION_TEXT, AT(tls_cert), "tlscert", "FILE", "/etc/kist/tls/cert.pem", "the daemon's certificate" },
        { "tlskey", 0, OPTION_TEXT, AT(tls_key), "tlskey", "FILE", "/etc/kist/tls/key.pem", "and its key" },
        { "group", 'G', OPTION_TEXT, AT(group), "group", "NAME", NULL,
          "group that may use the sockets (default \"kist\" or \"docker\", if there is one)" },
        { "bridge", 'b', OPTION_TEXT, AT(bridge), "bridge", "NAME", "kist0", "bridge of the default network" },
        { "address-pool", 0, OPTION_LIST, AT(pools), "default-address-pools", "CIDR", "172.30.0.0/16,10.230.0.0/16,192.168.224.0/20",
          "addresses for networks, of IPv4 or IPv6, in order of preference; repeatable (IPv6 without one: a prefix fdXX of this host's own)" },
        { "ipv6", 0, OPTION_FLAG, AT(ipv6), "ipv6", NULL, NULL, "IPv6 on the default network, too" },
        { "fixed-cidr-v6", 0, OPTION_TEXT, AT(subnet6), "fixed-cidr-v6", "CIDR", NULL, "the default network's IPv6 subnet (default: one of the address pools)" },
        { "cgroup-parent", 0, OPTION_TEXT, AT(cgroup_parent), "cgroup-parent", "NAME", NULL,
          "cgroup that holds those of the containers (default kist; a slice where systemd makes them, by default system.slice)" },
        { "exec-opt", 0, OPTION_LIST, AT(exec_opts), "exec-opts", "NAME=VALUE", NULL,
          "native.cgroupdriver=cgroupfs: the daemon makes the cgroups of containers (the default); native.cgroupdriver=systemd: systemd does, as scopes" },
        { "cdi-spec-dir", 0, OPTION_LIST, AT(cdi_dirs), "cdi-spec-dirs", "DIR", "/etc/cdi,/var/run/cdi",
          "where devices by name (CDI) are described; the last one counts most; repeatable" },
        { "insecure-registry", 0, OPTION_LIST, AT(insecure_registries), "insecure-registries", "HOST[:PORT]|CIDR", NULL,
          "registries that need no known certificate, or no TLS; repeatable", .live = true },
        { "registry-mirror", 0, OPTION_LIST, AT(mirrors), "registry-mirrors", "[REGISTRY=]URL", NULL,
          "asked before REGISTRY (docker.io) when something is pulled from there: http[s]://HOST[:PORT]; repeatable", .live = true },
        { "registry-certs-dir", 0, OPTION_LIST, AT(certs_dirs), "registry-certs-dirs", "DIR", "/etc/kist/certs.d,/etc/docker/certs.d",
          "authorities and our certificates for registries: DIR/HOST[:PORT]/*.crt, *.cert, *.key; repeatable", .live = true },
        { "max-concurrent-uploads", 0, OPTION_NUMBER, AT(max_uploads), "max-concurrent-uploads", "N", "5", "blobs of one push that are sent at once", .live = true },
        { "max-concurrent-downloads", 0, OPTION_NUMBER, AT(max_downloads), "max-concurrent-downloads", "N", "3", "layers of one pull that are fetched at once", .live = true },
        { "max-download-attempts", 0, OPTION_NUMBER, AT(download_attempts), "max-download-attempts", "N", "5", "how often a registry is asked for what broke off, in all", .live = true },
        { "discard-blobs", 0, OPTION_FLAG, AT(discard_blobs), "discard-blobs", NULL, NULL,
          "pull and load that do not say keep layers unpacked only: half the disk, and such an image is not to be pushed or saved", .live = true },
        { "http-proxy", 0, OPTION_TEXT, AT(http_proxy), "proxies.http-proxy", "URL", NULL, "proxy to registries without TLS (default: HTTP_PROXY of the environment)", .live = true },
        { "https-proxy", 0, OPTION_TEXT, AT(https_proxy), "proxies.https-proxy", "URL", NULL, "proxy to registries with TLS (default: HTTPS_PROXY of the environment)", .live = true },
        { "no-proxy", 0, OPTION_TEXT, AT(no_proxy), "proxies.no-proxy", "LIST", NULL,
          "registries that no proxy is used for: names, addresses, networks, with commas between (default: NO_PROXY of the environment)", .live = true },
        { "metrics-addr", 0, OPTION_TEXT, AT(metrics_address), "metrics-addr", "ADDRESS:PORT", NULL,
          "serve figures for Prometheus there, to whoever asks: GET http://ADDRESS:PORT/metrics" },
        { "shutdown-timeout", 0, OPTION_SECONDS, AT(shutdown_seconds), "shutdown-timeout", "SECONDS", "15",
          "how long the daemon, told to end, waits for requests that still run; -1: for ever (containers are not stopped, they live on)", .live = true },
        { "bundled-image", 0, OPTION_TEXT, AT(bundled_image), "bundled-image", "FILE", NULL,
          "OCI archive that an empty store imports (default: the one installed with this program)" },
        { "userns-first-id", 0, OPTION_NUMBER, AT(userns_first_id), "userns-first-id", "ID", "1073741824",
          "first of the host's user and group ids that containers get" },
        { "userns-ids", 0, OPTION_NUMBER, AT(userns_ids), "userns-ids", "N", "268435456", "how many of them; 65536 for each container" },
        { "sandbox-pool-size", 0, OPTION_NUMBER, AT(sandboxes), "sandbox-pool-size", "N", "2",
          "how many sandboxes (user and network namespace, with a link) wait for containers on networks; made after the first start, 0: none" },
        { "log-driver", 0, OPTION_TEXT, AT(log_driver), "log-driver", "NAME", "json-file", "where the output of containers goes that do not say: json-file, local, syslog, journald, none", .live = true },
        { "log-opt", 0, OPTION_LIST, AT(log_opts), "log-opts", "NAME=VALUE", NULL, "option of the log driver for containers that do not say; repeatable", .live = true },
        { "log-max-size", 0, OPTION_SIZE, AT(log_max_size), "log-opts.max-size", "BYTES", "10m", "size of one file of a container's log" },
        { "log-max-files", 0, OPTION_NUMBER, AT(log_max_files), "log-opts.max-file", "N", "3", "number of such files" },
        { "storage-opt", 0, OPTION_LIST, AT(storage_opts), "storage-opts", "size=SIZE", NULL,
          "how much containers that do not say may write into their root file system, by project quota", .live = true },
        { "add-runtime", 0, OPTION_LIST, AT(runtimes), "runtimes", "NAME=PATH", NULL, "an OCI runtime for --runtime NAME of containers; repeatable" },
        { "default-runtime", 0, OPTION_TEXT, AT(default_runtime), "default-runtime", "NAME", "kist", "runtime of containers that name none" },
        { "label", 0, OPTION_LIST, AT(labels), "labels", "NAME=VALUE", NULL, "label of this daemon, shown by info; repeatable", .live = true },
        { "default-ulimit", 0, OPTION_LIST, AT(ulimits), "default-ulimits", "NAME=SOFT:HARD", NULL, "limit of containers that do not set that one; repeatable", .live = true },
        { "default-shm-size", 0, OPTION_SIZE, AT(shm_size), "default-shm-size", "BYTES", "64m", "size of /dev/shm of containers that do not say", .live = true },
        { "default-ipc-mode", 0, OPTION_TEXT, AT(ipc_mode), "default-ipc-mode", "MODE", "private", "IPC namespace of containers that do not say: private or shareable", .live = true },
        { "default-cgroupns-mode", 0, OPTION_TEXT, AT(cgroupns_mode), "default-cgroupns-mode", "MODE", "private",
          "cgroup namespace of containers that do not say: private or host", .live = true },
        { "init", 0, OPTION_FLAG, AT(init), "init", NULL, NULL, "run an init in containers that do not say", .live = true },
        { "no-new-privileges", 0, OPTION_FLAG, AT(no_new_privileges), "no-new-privileges", NULL, NULL, "set-id programs give nothing in containers that do not say", .live = true },
        { "seccomp-profile", 0, OPTION_TEXT, AT(seccomp_profile), "seccomp-profile", "FILE", "builtin",
          "filter of system calls of containers that do not say: a file, builtin, or unconfined", .live = true },
        { "policy", 0, OPTION_TEXT, AT(policy), "policy", "NAME", "default",
          "strict refuses what default warns of: folders and sockets of the host by which a container can become its root", .live = true },
        { "dns", 0, OPTION_LIST, AT(dns), "dns", "ADDRESS", NULL, "name server of containers that do not say; repeatable", .live = true },
        { "dns-opt", 0, OPTION_LIST, AT(dns_opts), "dns-opts", "OPTION", NULL, "option of resolv.conf of containers that do not say; repeatable", .live = true },
        { "dns-search", 0, OPTION_LIST, AT(dns_search), "dns-search", "DOMAIN", NULL, "search domain of containers that do not say; repeatable", .live = true },
        { "host-gateway-ip", 0, OPTION_TEXT, AT(host_gateway), "host-gateway-ip", "ADDRESS", NULL,
          "what host-gateway means in --add-host (default: the host's address on the container's network)", .live = true },
        { "log-level", 'l', OPTION_TEXT, AT(log_level), "log-level", "LEVEL", "info", "error, warning, info or debug", .live = true },
        { "debug", 'D', OPTION_FLAG, AT(debug), "debug", NULL, NULL, "the same as --log-level debug", .live = true },
        { "validate", 0, OPTION_FLAG, AT(validate), NULL, NULL, NULL, "check the configuration and exit" },
        { "version", 'v', OPTION_FLAG, AT(version), NULL, NULL, NULL, "print the version and exit" },
        { "help", 'h', OPTION_FLAG, AT(help), NULL, NULL, NULL, "print this text and exit" },
};
const size_t n_options = ARRAY_SIZE(option_table);
_Static_assert(ARRAY_SIZE(option_table) <= OPTIONS_MAX, "more options than flags for them");

void options_print_help(void) {
        printf("Usage: kistd [OPTIONS]\n\nThe Kist daemon: containers, images and networks behind the Docker Engine API.\n\nOptions:\n");
        for (size_t i = 0; i < n_options; i++) {
                const struct option *row = &option_table[i];
                char left[64];

                snprintf(left, sizeof(left), "%c%c%s--%s %s", row->letter ? '-' : ' ', row->letter ? row->letter : ' ',
                         row->letter ? ", " : "  ", row->name, row->value ? row->value : "");
                printf("  %-30s %s", left, row->help);
                if (row->fallback)
                        printf(" (default %s)", row->fallback);
                printf("\n");
        }
}

int option_parse_size(const char *text, uint64_t *ret) {
        static const struct {
                const char *suffix;
                unsigned shift;
        } units[] = { { "b", 0 }, { "kb", 10 }, { "k", 10 }, { "mb", 20 }, { "m", 20 }, { "gb", 30 }, { "g", 30 }, { "", 0 } };
        size_t n = strspn(text, "0123456789");
        char digits[21];
        uint64_t number;
        int r;

        if (n == 0 || n >= sizeof(digits))
                return -EINVAL;
        memcpy(digits, text, n);
        digits[n] = '\0';
        for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
                if (strcasecmp(text + n, units[i].suffix))
                        continue;
                r = str_to_u64(digits, 0, UINT64_MAX >> units[i].shift, &number);
                if (r < 0)
                        return r;
                *ret = number << units[i].shift;
                return 0;
        }
        return -EINVAL;
}

bool option_is_network6(const char *text) {
        const char *slash = strchr(text, '/');
        auto_free char *address = slash ? strndup(text, (size_t) (slash - text)) : NULL;
        struct in6_addr in;
        uint64_t prefix;

        return address && inet_pton(AF_INET6, address, &in) == 1 && str_to_u64(slash + 1, 0, 127, &prefix) == 0;
}

bool option_parse_network(const char *text, uint32_t *ret_address, unsigned *ret_prefix) {
        const char *slash = strchrnul(text, '/');
        char address[INET_ADDRSTRLEN];
        struct in_addr in;
        uint64_t prefix;

        if (slash - text >= (ptrdiff_t) sizeof(address))
                return false;
        memcpy(address, text, (size_t) (slash - text));
        address[slash - text] = '\0';
        if (!*slash || str_to_u64(slash + 1, 1, 30, &prefix) < 0 || inet_pton(AF_INET, address, &in) != 1)
                return false;
        *ret_address = ntohl(in.s_addr);
        *ret_prefix = (unsigned) prefix;
        return true;
}

static int add_to_list(struct text_list *list, const char *text) {
        char **grown = reallocarray(list->items, list->n + 1, sizeof(*grown)), *copy = strdup(text);

        if (grown)
                list->items = grown;
        if (!grown || !copy) {
                free(copy);
                return -ENOMEM;
        }
        list->items[list->n++] = copy;
        return 0;
}

int option_set(struct options *o, const struct option *row, const char *where, const char *text, struct err *err) {
        void *at = (char *) o + row->offset;
        uint64_t number = 0;
        int r = 0;

        switch (row->type) {
        case OPTION_TEXT:
                free(*(char **) at);
                *(char **) at = strdup(text);
                r = *(char **) at ? 0 : -ENOMEM;
                break;
        case OPTION_LIST:
                r = add_to_list(at, text);
                break;
        case OPTION_NUMBER:
                r = str_to_u64(text, 0, UINT32_MAX, at);
                break;
        case OPTION_SIZE:
                r = option_parse_size(text, at);
                break;
        case OPTION_SECONDS:
                r = strcmp(text, "-1") ? str_to_u64(text, 0, INT32_MAX, &number) : 0;
                *(int64_t *) at = strcmp(text, "-1") ? (int64_t) number : -1;
                break;
        case OPTION_FLAG:
                r = strcmp(text, "true") && strcmp(text, "false") ? -EINVAL : 0;
                *(bool *) at = !strcmp(text, "true");
                break;
        }
        if (r == -ENOMEM)
                return err_errno(err, r, "options");
        if (r < 0)
                return err_set(err, ERR_INVALID, r, "%s: \"%.64s\" is not %s", where, text,
                               row->type == OPTION_SIZE      ? "a size (a number with k, m or g)"
                               : row->type == OPTION_FLAG    ? "true or false"
                               : row->type == OPTION_SECONDS ? "a number of seconds from 0 to 2147483647, or -1"
                                                             : "a number from 0 to 4294967295");
        return 0;
}

static int set_defaults(struct options *o, struct err *err) {
        for (size_t i = 0; i < n_options; i++) {
                const struct option *row = &option_table[i];
                auto_free char *text = NULL;
                char *rest, *item;
                int r;

                if (!row->fallback || o->from_command_line[i] || o->from_file[i])
                        continue;
                text = rest = strdup(row->fallback);
                while ((item = row->type == OPTION_LIST ? strsep(&rest, ",") : rest)) {
                        r = option_set(o, row, row->name, item, err);
                        if (r < 0)
                                return r;
                        if (row->type != OPTION_LIST)
                                break;
                }
        }
        return 0;
}

/* "--name=value", "--name value", "--name", "-n value". */
static const struct option *find_option(const char *arg, const char **ret_value) {
        const char *equals = NULL;
        size_t size;

        for (size_t i = 0; arg[1] != '-' && i < n_options; i++)
                if (option_table[i].letter == arg[1] && !arg[2]) {
                        *ret_value = NULL;
                        return &option_table[i];
                }
        if (arg[1] != '-')
                return NULL;
        arg += 2;
        equals = strchrnul(arg, '=');
        size = (size_t) (equals - arg);
        for (size_t i = 0; i < n_options; i++)
                if (strlen(option_table[i].name) == size && !memcmp(option_table[i].name, arg, size)) {
                        *ret_value = *equals ? equals + 1 : NULL;
                        return &option_table[i];
                }
        return NULL;
}

static int parse_command_line(int argc, char **argv, struct options *o, struct err *err) {
        for (int i = 1; i < argc; i++) {
                const char *arg = argv[i], *value = NULL;
                const struct option *row;
                char where[32];
                int r;

                if (arg[0] != '-' || !arg[1])
                        return err_set(err, ERR_INVALID, -EINVAL, "unexpected argument \"%.64s\": see kistd --help", arg);
                row = find_option(arg, &value);
                if (!row)
                        return err_set(err, ERR_INVALID, -EINVAL, "unknown option %.64s: see kistd --help", arg);
                if (row->type == OPTION_FLAG && !value)
                        value = "true";
                if (row->type != OPTION_FLAG && !value) {
                        if (i + 1 == argc)
                                return err_set(err, ERR_INVALID, -EINVAL, "option --%s needs a value: %s", row->name, row->value);
                        value = argv[++i];
                }
                snprintf(where, sizeof(where), "--%s", row->name);
                r = option_set(o, row, where, value, err);
                if (r < 0)
                        return r;
                o->from_command_line[row - option_table] = true;
        }
        return 0;
}

static bool is_registry_or_network(const char *text) {
        const char *slash = strchr(text, '/');
        auto_free char *address = slash ? strndup(text, (size_t) (slash - text)) : NULL;
        struct in_addr in;
        uint64_t prefix;
        size_t n = strlen(text);

        if (slash)
                return address && inet_pton(AF_INET, address, &in) == 1 && str_to_u64(slash + 1, 0, 32, &prefix) == 0;
        return n > 0 && n < 256 && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]") == n;
}

static const char driver_option[] = "native.cgroupdriver=";

static int check_exec_option(const char *text, struct err *err) {
        const char *driver;

        if (!str_starts_with(text, driver_option))
                return err_set(err, ERR_INVALID, -EINVAL, "--exec-opt: \"%.64s\" is unknown: there is native.cgroupdriver=cgroupfs and native.cgroupdriver=systemd", text);
        driver = text + strlen(driver_option);
        if (strcmp(driver, "cgroupfs") != 0 && strcmp(driver, "systemd") != 0)
                return err_set(err, ERR_INVALID, -EINVAL, "--exec-opt: native.cgroupdriver: \"%.64s\" is neither cgroupfs nor systemd", driver);
        return 0;
}

bool options_systemd_cgroups(const struct options *o) {
        return o->exec_opts.n > 0 && str_starts_with(o->exec_opts.items[o->exec_opts.n - 1] + strlen(driver_option), "systemd");
}

const char *options_cgroup_parent(const struct options *o) {
        return o->cgroup_parent ? o->cgroup_parent : options_systemd_cgroups(o) ? "system.slice" : "kist";
}

static int check(const struct options *o, struct err *err) {
        uint32_t address;
        unsigned prefix;

        for (size_t i = 0; i < o->pools.n; i++)
                if (!option_parse_network(o->pools.items[i], &address, &prefix) && !option_is_network6(o->pools.items[i]))
                        return err_set(err, ERR_INVALID, -EINVAL, "--address-pool: \"%.64s\" is not an IPv4 network (a.b.c.d/n), nor one of IPv6", o->pools.items[i]);
        if (o->subnet6 && !o->ipv6)
                return err_set(err, ERR_INVALID, -EINVAL, "--fixed-cidr-v6 has no effect without --ipv6");
        if (o->subnet6 && !option_is_network6(o->subnet6))
                return err_set(err, ERR_INVALID, -EINVAL, "--fixed-cidr-v6: \"%.64s\" is not an IPv6 network such as fd00:5::/64", o->subnet6);
        if (o->root[0] != '/' || o->run_root[0] != '/')
                return err_set(err, ERR_INVALID, -EINVAL, "--root and --run-root must be absolute paths, not \"%s\"",
                               o->root[0] != '/' ? o->root : o->run_root);
        if (o->userns_first_id < 65536 || o->userns_ids < 65536 || o->userns_first_id + o->userns_ids > UINT32_MAX)
                return err_set(err, ERR_INVALID, -ERANGE, "--userns-first-id and --userns-ids must name at least 65536 ids from 65536 to 4294967294");
        if (o->sandboxes > SANDBOXES_MAX)
                return err_set(err, ERR_INVALID, -ERANGE, "--sandbox-pool-size must be from 0 to %d", SANDBOXES_MAX);
        for (size_t i = 0; i < o->insecure_registries.n; i++)
                if (!is_registry_or_network(o->insecure_registries.items[i]))
                        return err_set(err, ERR_INVALID, -EINVAL, "--insecure-registry: \"%.64s\" is neither HOST[:PORT] nor a network (a.b.c.d/n)", o->insecure_registries.items[i]);
        if (o->max_uploads < 1 || o->max_uploads > 32)
                return err_set(err, ERR_INVALID, -ERANGE, "--max-concurrent-uploads must be from 1 to 32");
        if (o->max_downloads < 1 || o->max_downloads > 32)
                return err_set(err, ERR_INVALID, -ERANGE, "--max-concurrent-downloads must be from 1 to 32");
        if (o->download_attempts < 1 || o->download_attempts > 100)
                return err_set(err, ERR_INVALID, -ERANGE, "--max-download-attempts must be from 1 to 100");
        for (size_t i = 0; i < o->exec_opts.n; i++) {
                int r = check_exec_option(o->exec_opts.items[i], err);

                if (r < 0)
                        return r;
        }
        if (o->metrics_address && !listen_is_address(o->metrics_address))
                return err_set(err, ERR_INVALID, -EINVAL, "--metrics-addr: \"%.64s\" is not ADDRESS:PORT, as 127.0.0.1:9323", o->metrics_address);
        if (o->log_max_size < 4096)
                return err_set(err, ERR_INVALID, -ERANGE, "--log-max-size must be at least 4096 bytes");
        if (o->log_max_files < 1 || o->log_max_files > 1000)
                return err_set(err, ERR_INVALID, -ERANGE, "--log-max-files must be from 1 to 1000");
        return 0;
}

bool options_want_plain_tcp(const struct options *o) {
        for (size_t i = 0; i < n_options; i++)
                if ((option_table[i].offset == AT(tls) || option_table[i].offset == AT(tls_verify)) && (o->from_command_line[i] || o->from_file[i]))
                        return !o->tls && !o->tls_verify;
        return false;
}

void options_note_problem(struct options *o, const struct err *err) {
        fprintf(stderr, "kistd: %s\n", err->msg);
        o->n_problems++;
}

int options_reread(const struct options *now, struct options *ret, struct err *err) {
        struct options o = { 0 };
        int r;

        memcpy(o.from_command_line, now->from_command_line, sizeof(o.from_command_line));
        r = options_read_file(&o, now->config, false, err);
        if (r == 0)
                r = set_defaults(&o, err);
        if (r < 0) {
                options_done(&o);
                return r;
        }
        *ret = o;
        return 0;
}

static bool same_text(const char *a, const char *b) {
        return a && b ? !strcmp(a, b) : a == b;
}

bool options_same(const struct options *a, const struct options *b, const struct option *row) {
        const void *one = (const char *) a + row->offset, *other = (const char *) b + row->offset;
        const struct text_list *lists[2] = { one, other };

        switch (row->type) {
        case OPTION_TEXT:
                return same_text(*(char *const *) one, *(char *const *) other);
        case OPTION_NUMBER:
        case OPTION_SIZE:
                return *(const uint64_t *) one == *(const uint64_t *) other;
        case OPTION_SECONDS:
                return *(const int64_t *) one == *(const int64_t *) other;
        case OPTION_FLAG:
                return *(const bool *) one == *(const bool *) other;
        case OPTION_LIST:
                for (size_t i = 0; i < lists[0]->n && i < lists[1]->n; i++)
                        if (!same_text(lists[0]->items[i], lists[1]->items[i]))
                                return false;
                return lists[0]->n == lists[1]->n;
        }
        return false;
}

void options_swap(struct options *a, struct options *b, const struct option *row) {
        static const size_t sizes[] = {
                [OPTION_TEXT] = sizeof(char *), [OPTION_LIST] = sizeof(struct text_list), [OPTION_NUMBER] = sizeof(uint64_t), [OPTION_SIZE] = sizeof(uint64_t), [OPTION_FLAG] = sizeof(bool),
                [OPTION_SECONDS] = sizeof(int64_t),
        };
        char *one = (char *) a + row->offset, *other = (char *) b + row->offset, saved[sizeof(struct text_list)];
        size_t size = sizes[row->type];

        memcpy(saved, one, size);
        memcpy(one, other, size);
        memcpy(other, saved, size);
}

int options_load(int argc, char **argv, struct options *ret, struct err *err) {
        struct options o = { 0 };
        int r;

        r = parse_command_line(argc, argv, &o, err);
        if (r == 0 && !o.help && !o.version)
                r = options_read_file(&o, o.config ? o.config : "/etc/kist/kistd.json", o.config != NULL, err);
        if (r == 0)
                r = set_defaults(&o, err);
        /* With a hole in it the whole cannot be judged. */
        if (r == 0 && o.n_problems > 0)
                r = err_set(err, ERR_INVALID, -EINVAL, "the configuration has %u problem%s", o.n_problems, o.n_problems == 1 ? "" : "s");
        if (r == 0)
                r = check(&o, err);
        if (r < 0) {
                options_done(&o);
                return r;
        }
        *ret = o;
        return 0;
}

static void free_list(struct text_list *list) {
        for (size_t i = 0; i < list->n; i++)
                free(list->items[i]);
        free(list->items);
}

void options_done(struct options *o) {
        for (size_t i = 0; i < n_options; i++) {
                void *at = (char *) o + option_table[i].offset;

                if (option_table[i].type == OPTION_TEXT)
                        free(*(char **) at);
                else if (option_table[i].type == OPTION_LIST)
                        free_list(at);
        }
        *o = (struct options) { 0 };
}
