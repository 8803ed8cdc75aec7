/* SPDX-License-Identifier: Apache-2.0 */

/* kistd: the daemon. It may be killed at any instant: containers live on and the next one finds them. */

#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "api/api.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/engine.h"
#include "kistd/defaults.h"
#include "kistd/listen.h"
#include "kistd/man.h"
#include "kistd/options.h"
#include "kistd/process.h"
#include "kistd/tls-front.h"

enum { EXIT_USAGE = 2, TRIM_SECONDS = 30, NO_WAIT_MS = 100 };

struct daemon {
        struct options options;
        json_t *defaults; /* of new containers, as the options say */
        int lock_fd, pid_fd;
        struct listeners listeners;
        struct tls_front *fronts[LISTEN_MAX]; /* TCP sockets with TLS */
        size_t n_fronts;
        struct engine *engine;
        struct api_server *server, *metrics;
        int metrics_fd;
};

static int set_log_level(const struct options *o, struct err *err) {
        /* "warn" is what the stock daemon calls it. */
        static const struct {
                const char *name;
                enum log_level level;
        } levels[] = {
                { "error", LOG_LEVEL_ERROR },
                { "warning", LOG_LEVEL_WARNING },
                { "warn", LOG_LEVEL_WARNING },
                { "info", LOG_LEVEL_INFO },
                { "debug", LOG_LEVEL_DEBUG },
        };

        for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
                if (!strcmp(o->log_level, levels[i].name)) {
                        log_set_level(o->debug ? LOG_LEVEL_DEBUG : levels[i].level);
                        return 0;
                }
        return err_set(err, ERR_INVALID, -EINVAL, "--log-level: \"%s\" is not error, warning, info or debug", o->log_level);
}

static char *default_bundled_image(void) {
        static const char *const places[] = { "../data/busybox.oci.tar", "../share/kist/busybox.oci.tar" };
        char self[PATH_MAX];
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
        char *slash;

        self[n > 0 ? n : 0] = '\0';
        slash = strrchr(self, '/');
        for (size_t i = 0; slash && i < ARRAY_SIZE(places); i++) {
                auto_free char *path = str_format("%.*s%s", (int) (slash - self + 1), self, places[i]);

                if (path && access(path, R_OK) == 0)
                        return take_ptr(&path);
        }
        return NULL;
}

static int open_tcp(struct daemon *d, const char *address, struct err *err) {
        const struct options *o = &d->options;
        const struct tls_front_files files = { .ca = o->tls_verify ? o->tls_ca : NULL, .cert = o->tls_cert, .key = o->tls_key };
        enum listen_tcp allowed = o->tls_verify                              ? LISTEN_TCP_ANY
                                  : o->tls || options_want_plain_tcp(o) ? LISTEN_TCP_LOCAL
                                                                             : LISTEN_TCP_REFUSED;
        bool tls = o->tls || o->tls_verify;
        int fd, r;

        if (d->listeners.n + d->n_fronts == LISTEN_MAX)
                return err_set(err, ERR_INVALID, -E2BIG, "more than %d sockets to listen on", LISTEN_MAX);
        r = listen_open_tcp(address, allowed, tls ? "2376" : "2375", &fd, err);
        if (r < 0)
                return r;
        if (!o->tls_verify)
                log_warning("%s asks nobody for a certificate: every process of this host that can reach it, a browser's too, is root", address);
        if (!tls) {
                d->listeners.paths[d->listeners.n] = NULL;
                d->listeners.fds[d->listeners.n++] = fd;
                return 0;
        }
        r = tls_front_start(fd, &files, &d->fronts[d->n_fronts], err);
        if (r == 0)
                d->n_fronts++;
        return r;
}

static int open_listener(struct daemon *d, const char *address, gid_t gid, struct err *err) {
        if (str_starts_with(address, "tcp://"))
                return open_tcp(d, address, err);
        return listen_open(&d->listeners, address, gid, err);
}

static int open_listeners(struct daemon *d, struct err *err) {
        const struct options *o = &d->options;
        auto_free char *standard = str_format(listen_was_activated() ? "fd://" : "unix://%s/kist.sock", o->run_root);
        gid_t gid;
        int r;

        if (!standard)
                return err_errno(err, -ENOMEM, "options");
        r = listen_find_group(o->group, &gid, err);
        if (r == 0 && o->hosts.n == 0)
                r = listen_open(&d->listeners, standard, gid, err);
        for (size_t i = 0; r == 0 && i < o->hosts.n; i++)
                r = open_listener(d, o->hosts.items[i], gid, err);
        return r;
}

/* What the configuration does not say, the environment may. */
static const char *proxy_of(const char *told, const char *upper, const char *lower) {
        const char *found = told ? told : getenv(upper);

        return found ? found : getenv(lower);
}

static struct image_registries registries_of(const struct options *o) {
        return (struct image_registries) {
                .insecure = (const char *const *) o->insecure_registries.items,
                .n_insecure = o->insecure_registries.n,
                .certs_dirs = (const char *const *) o->certs_dirs.items,
                .n_certs_dirs = o->certs_dirs.n,
                .mirrors = (const char *const *) o->mirrors.items,
                .n_mirrors = o->mirrors.n,
                .http_proxy = proxy_of(o->http_proxy, "HTTP_PROXY", "http_proxy"),
                .https_proxy = proxy_of(o->https_proxy, "HTTPS_PROXY", "https_proxy"),
                .no_proxy = proxy_of(o->no_proxy, "NO_PROXY", "no_proxy"),
                .uploads_at_once = (unsigned) o->max_uploads,
                .downloads_at_once = (unsigned) o->max_downloads,
                .attempts = (unsigned) o->download_attempts,
                .discard_blobs = o->discard_blobs,
        };
}

static int check_registries(const struct options *o, struct err *err) {
        const struct image_registries registries = registries_of(o);

        return image_check_registries(&registries, err);
}

static int open_engine(struct daemon *d, struct err *err) {
        const struct options *o = &d->options;
        auto_free char *bundled = o->bundled_image ? strdup(o->bundled_image) : default_bundled_image();
        const struct engine_options engine = {
                .root = o->root,
                .run_root = o->run_root,
                .bridge = o->bridge,
                .pools = (const char *const *) o->pools.items,
                .n_pools = o->pools.n,
                .ipv6 = o->ipv6,
                .subnet6 = o->subnet6,
                .cdi_dirs = (const char *const *) o->cdi_dirs.items,
                .n_cdi_dirs = o->cdi_dirs.n,
                .registries = registries_of(o),
                .cgroup_parent = options_cgroup_parent(o),
                .systemd_cgroups = options_systemd_cgroups(o),
                .bundled_image = bundled,
                .first_id = (uint32_t) o->userns_first_id,
                .n_ids = (uint32_t) o->userns_ids,
                .sandboxes = (unsigned) o->sandboxes,
                .defaults = d->defaults,
                .runtimes = (const char *const *) o->runtimes.items,
                .n_runtimes = o->runtimes.n,
                .default_runtime = o->default_runtime,
                .log_max_size = o->log_max_size,
                .log_max_files = (uint32_t) o->log_max_files,
        };

        return engine_open(&engine, &d->engine, err);
}

/* In this order: nothing is touched before the locks are held, and the sockets exist before the (perhaps long) look at what an earlier
 * daemon left, so that clients wait instead of failing. */
static int start(struct daemon *d, struct err *err) {
        auto_fd root = -EBADF, run_root = -EBADF;
        int r;

        r = process_make_directory(d->options.root, 0710, &root, err);
        if (r == 0)
                r = process_make_directory(d->options.run_root, 0711, &run_root, err);
        if (r == 0)
                r = process_lock(root, d->options.root, "lock", &d->lock_fd, err);
        if (r == 0)
                r = process_lock(run_root, d->options.run_root, "kistd.pid", &d->pid_fd, err);
        if (r == 0)
                r = open_listeners(d, err);
        if (r == 0 && d->options.metrics_address)
                r = listen_open_metrics(d->options.metrics_address, &d->metrics_fd, err);
        if (r == 0)
                r = open_engine(d, err);
        if (r == 0)
                r = api_server_start(d->engine, d->listeners.fds, d->listeners.n, &d->server, err);
        if (r == 0 && d->metrics_fd >= 0)
                r = api_metrics_start(d->engine, move_fd(d->metrics_fd), &d->metrics, err);
        for (size_t i = 0; r == 0 && i < d->n_fronts; i++)
                r = tls_front_serve(d->fronts[i], d->server, err);
        return r;
}

/* For a look only when `e` is NULL. */
static int set_defaults(struct daemon *d, const struct options *o, struct engine *e, struct err *err) {
        auto_json *defaults = NULL;
        int r = options_defaults(o, &defaults, err);

        if (r == 0)
                r = e ? engine_set_defaults(e, defaults, err) : engine_check_defaults(defaults, err);
        if (r < 0)
                return r;
        json_decref(d->defaults);
        d->defaults = json_incref(defaults);
        return 0;
}

/* What was said there outlives the file. */
static void swap_command_line(struct daemon *d, struct options *fresh) {
        for (size_t i = 0; i < n_options; i++)
                if (d->options.from_command_line[i])
                        options_swap(&d->options, fresh, &option_table[i]);
}

/* Rows that are live change under a running daemon, as a whole or not at all; of the others it says what has changed. */
static void reload(struct daemon *d) {
        struct options fresh = { 0 };
        struct err err;
        int r = options_reread(&d->options, &fresh, &err);

        if (r == 0) {
                swap_command_line(d, &fresh);
                struct image_registries registries = registries_of(&fresh);

                r = set_log_level(&fresh, &err);
                if (r == 0)
                        r = check_registries(&fresh, &err);
                if (r == 0)
                        r = set_defaults(d, &fresh, d->engine, &err);
                if (r == 0)
                        r = engine_set_registries(d->engine, &registries, &err);
                swap_command_line(d, &fresh);
        }
        if (r < 0) {
                set_log_level(&d->options, &(struct err) {});
                log_error("configuration not reread, nothing is changed: %s", err.msg);
                options_done(&fresh);
                return;
        }
        for (size_t i = 0; i < n_options; i++) {
                const struct option *row = &option_table[i];

                if (!row->key || d->options.from_command_line[i] || options_same(&d->options, &fresh, row))
                        continue;
                if (row->live)
                        options_swap(&d->options, &fresh, row);
                else
                        log_warning("%s: \"%s\" has changed: that takes a restart of kistd", d->options.config, row->key);
        }
        set_log_level(&d->options, &err);
        log_info("configuration reread");
        options_done(&fresh);
}

static void give_up(int number) {
        static const char text[] = "kistd: requests are still running, leaving them\n";

        if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
                _exit(1);
        _exit(0);
}

/* A request that takes its time (a slow stop, a pull) does not hold us for longer: being killed is a non-event. */
static void bound_the_end(int64_t seconds) {
        const struct itimerval end = { .it_value = { .tv_sec = seconds, .tv_usec = seconds ? 0 : NO_WAIT_MS * 1000 } };

        signal(SIGALRM, give_up);
        if (seconds >= 0)
                setitimer(ITIMER_REAL, &end, NULL);
}

static void wait_for_stop(struct daemon *d) {
        siginfo_t info;
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGHUP);
        for (;;) {
                const struct timespec pause = { .tv_sec = TRIM_SECONDS };
                int number = sigtimedwait(&set, &info, &pause);

                /* What a burst of requests left behind goes back to the kernel: free pages between used ones stay ours otherwise. */
                if (number < 0)
                        malloc_trim(0);
                if (number == SIGHUP)
                        reload(d);
                else if (number > 0)
                        break;
        }
        log_info("stopping: containers live on");
        process_notify("STOPPING=1");
        /* A second signal ends it at once. */
        signal(SIGTERM, give_up);
        signal(SIGINT, give_up);
        pthread_sigmask(SIG_UNBLOCK, &set, NULL);
        bound_the_end(d->options.shutdown_seconds);
}

static void stop(struct daemon *d) {
        for (size_t i = 0; i < d->n_fronts; i++)
                tls_front_stop(d->fronts[i]);
        api_server_stop(d->metrics);
        fd_close(d->metrics_fd);
        api_server_stop(d->server);
        if (d->engine)
                engine_close(d->engine);
        listen_remove_names(&d->listeners);
        /* The file stays: another daemon may wait for its lock. Its pid is nobody's now. */
        if (d->pid_fd >= 0 && ftruncate(d->pid_fd, 0) < 0)
                log_warning("cannot empty %s/kistd.pid: %m", d->options.run_root);
        fd_close(d->pid_fd);
        fd_close(d->lock_fd);
        json_decref(d->defaults);
        options_done(&d->options);
}

int main(int argc, char **argv) {
        struct daemon d = { .lock_fd = -EBADF, .pid_fd = -EBADF, .metrics_fd = -EBADF };
        struct err err = { 0 };
        int r;

        if (argc > 1 && !strcmp(argv[1], "--man"))
                return man_print(argc, argv);
        r = options_load(argc, argv, &d.options, &err);
        if (r == 0 && d.options.help) {
                options_print_help();
                return 0;
        }
        if (r == 0 && d.options.version) {
                printf("kistd %s, API %s\n", KIST_VERSION, ENGINE_API_VERSION);
                return 0;
        }
        if (r == 0)
                r = set_log_level(&d.options, &err);
        if (r == 0)
                r = set_defaults(&d, &d.options, NULL, &err);
        if (r == 0)
                r = check_registries(&d.options, &err);
        if (r == 0)
                r = engine_check_runtimes((const char *const *) d.options.runtimes.items, d.options.runtimes.n, d.options.default_runtime, &err);
        if (r == 0 && engine_check_cgroup_parent(options_systemd_cgroups(&d.options), options_cgroup_parent(&d.options), &err) < 0)
                r = err_prefix(&err, "--cgroup-parent");
        if (r < 0) {
                fprintf(stderr, "kistd: %s\n", err.msg);
                return EXIT_USAGE;
        }
        if (d.options.validate) {
                printf("configuration OK\n");
                return 0;
        }
        r = process_prepare(&err);
        if (r == 0)
                r = start(&d, &err);
        if (r == 0) {
                log_info("kistd %s is ready (API %s)", KIST_VERSION, ENGINE_API_VERSION);
                process_notify("READY=1");
                wait_for_stop(&d);
        } else {
                log_error("cannot start: %s", err.msg);
        }
        stop(&d);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
