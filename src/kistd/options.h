/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What kistd is told: one table of rows feeds the command line, --help and the configuration file (which has the names of the stock
 * daemon's where it has the same thing). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

enum { OPTIONS_MAX = 64 };

struct text_list {
        char **items;
        size_t n;
};

struct options {
        char *root, *run_root, *config, *bridge, *cgroup_parent, *group, *bundled_image, *log_level, *subnet6;
        char *tls_ca, *tls_cert, *tls_key;
        struct text_list hosts, pools, cdi_dirs, runtimes, insecure_registries, certs_dirs, mirrors, exec_opts;
        char *http_proxy, *https_proxy, *no_proxy;
        char *metrics_address;
        int64_t shutdown_seconds; /* −1: for ever */
        uint64_t max_uploads, max_downloads, download_attempts;
        uint64_t userns_first_id, userns_ids, sandboxes, log_max_size, log_max_files;
        char *log_driver, *default_runtime;
        /* What new containers get: defaults.h. */
        char *ipc_mode, *cgroupns_mode, *seccomp_profile, *host_gateway, *policy;
        struct text_list log_opts, storage_opts, labels, ulimits, dns, dns_opts, dns_search;
        uint64_t shm_size;
        bool init, no_new_privileges, discard_blobs;
        bool ipv6, debug, tls, tls_verify, validate, help, version;
        unsigned n_problems; /* with --validate: how many were told */
        bool from_command_line[OPTIONS_MAX], from_file[OPTIONS_MAX]; /* by row */
};

/* Command line, then configuration file, then defaults. What is given in both places, an unknown option and an unknown key are errors
 * that name it. With --help or --version the file is not read. */
int options_load(int argc, char **argv, struct options *ret, struct err *err);
void options_done(struct options *o);

/* With --validate every problem is a line on standard error, and none ends the reading. */
void options_note_problem(struct options *o, const struct err *err);

/* The configuration file once more, for SIGHUP: what the command line said is not in *ret, defaults are. */
int options_reread(const struct options *now, struct options *ret, struct err *err);
/* Whether both have the same value for a row. */
struct option;
bool options_same(const struct options *a, const struct options *b, const struct option *row);
/* Exchange a row's values. */
void options_swap(struct options *a, struct options *b, const struct option *row);

/* The configuration file alone. */
int options_read_file(struct options *o, const char *path, bool must_exist, struct err *err);

/* "native.cgroupdriver=systemd" was said; of several the last one counts. And what holds the containers' cgroups. */
bool options_systemd_cgroups(const struct options *o);
const char *options_cgroup_parent(const struct options *o);

/* Whether "tls" or "tlsverify" was said to be false: who listens on TCP without them must have meant it. */
bool options_want_plain_tcp(const struct options *o);

void options_print_help(void);

/* --- for the two sources --- */

enum option_type { OPTION_TEXT, OPTION_LIST, OPTION_NUMBER, OPTION_SIZE, OPTION_FLAG, OPTION_SECONDS };

struct option {
        const char *name;     /* without the dashes */
        char letter;          /* 0: no short form */
        enum option_type type;
        size_t offset;        /* in struct options */
        const char *key;      /* in the file; "a.b" is key b of object a; NULL: command line only */
        const char *value;    /* its name in the help; NULL for flags */
        const char *fallback; /* NULL: none; of a list with commas between */
        const char *help;
        bool live;            /* SIGHUP changes it; what is about containers then is about new ones */
};
extern const struct option option_table[];
extern const size_t n_options;

/* "16m" → bytes (k, m, g, binary). -EINVAL or -ERANGE. */
int option_parse_size(const char *text, uint64_t *ret);
/* "10.1.0.0/16" → address in host order and prefix (1 to 30); false when it is anything else. */
bool option_parse_network(const char *text, uint32_t *ret_address, unsigned *ret_prefix);
/* "fd00:5::/64" */
bool option_is_network6(const char *text);
/* Store one value; `where` names the source in the message: "--bridge", "key bridge of /etc/…". */
int option_set(struct options *o, const struct option *row, const char *where, const char *text, struct err *err);
