/* SPDX-License-Identifier: Apache-2.0 */
/* image bootstrap: an image of a distribution's own packages. mmdebstrap makes the archive, here, into a file without a name; only when it has ended
 * well the daemon gets it, as of any import: half an archive must become no image. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/commands.h"

#define PROGRAM "mmdebstrap"
enum { ARGS_MAX = 160, URL_MAX = 512, SOURCES_MAX = 64 << 10 };
#define EPOCH_MAX UINT64_C(253402300799)

extern char **environ;

struct bootstrap {
        char distribution[32], suite[64], mirror[URL_MAX];
        const char *argv[ARGS_MAX + 1];
        size_t n_args;
};

/* "debian:bookworm". Both become words of another program's command line. */
static int parse_what(const char *text, struct bootstrap *b, struct err *err) {
        static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789.-";
        const char *colon = strchr(text, ':');
        size_t n = colon ? (size_t) (colon - text) : 0;

        if (n == 0 || n >= sizeof(b->distribution) || !colon[1] || strlen(colon + 1) >= sizeof(b->suite) || strspn(text, plain) != n || colon[1 + strspn(colon + 1, plain)] ||
            *text == '-' || colon[1] == '-')
                return err_set(err, ERR_INVALID, -EINVAL, "image bootstrap: \"%s\" is not DISTRIBUTION:SUITE, such as debian:bookworm", text);
        snprintf(b->distribution, sizeof(b->distribution), "%.*s", (int) n, text);
        snprintf(b->suite, sizeof(b->suite), "%s", colon + 1);
        return 0;
}

/* --- where the packages come from --- */

/* The last part of its path is the distribution's name: "http://deb.debian.org/debian", with a slash or without. */
static bool is_mirror_of(const char *url, size_t n, const char *distribution) {
        size_t m = strlen(distribution);

        while (n > 0 && url[n - 1] == '/')
                n--;
        return n > m && url[n - m - 1] == '/' && !strncmp(url + n - m, distribution, m) && memmem(url, n, "://", 3);
}

static bool find_in_file(const char *path, struct bootstrap *b) {
        auto_free char *text = NULL;
        char *save = NULL;

        if (file_read_at(AT_FDCWD, path, SOURCES_MAX, &text, NULL) < 0)
                return false;
        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                char *words = NULL;

                if (strncmp(line, "deb ", 4) != 0 && strncmp(line, "URIs:", 5) != 0)
                        continue;
                for (char *word = strtok_r(line, " \t", &words); word; word = strtok_r(NULL, " \t", &words))
                        if (strlen(word) < sizeof(b->mirror) && is_mirror_of(word, strlen(word), b->distribution)) {
                                snprintf(b->mirror, sizeof(b->mirror), "%s", word);
                                return true;
                        }
        }
        return false;
}

/* The host's own, where it has one of that distribution; else what mmdebstrap knows by itself. */
static void find_mirror(struct bootstrap *b) {
        glob_t found = { 0 };
        bool done = false;

        glob("/etc/apt/sources.list", 0, NULL, &found);
        glob("/etc/apt/sources.list.d/*.list", GLOB_APPEND, NULL, &found);
        glob("/etc/apt/sources.list.d/*.sources", GLOB_APPEND, NULL, &found);
        for (size_t i = 0; i < found.gl_pathc && !done; i++)
                done = find_in_file(found.gl_pathv[i], b);
        globfree(&found);
}

/* --- mmdebstrap --- */

static int add(struct bootstrap *b, const char *word, struct err *err) {
        if (b->n_args == ARGS_MAX)
                return err_set(err, ERR_INVALID, -E2BIG, "image bootstrap: more than %d words for " PROGRAM, ARGS_MAX);
        b->argv[b->n_args++] = word;
        return 0;
}

static int add_includes(struct bootstrap *b, const struct args *a, struct err *err) {
        const char *const *names;
        size_t n = args_list(a, "include", &names);
        int r = 0;

        for (size_t i = 0; i < n && r == 0; i++) {
                if (!*names[i] || names[i][strspn(names[i], "abcdefghijklmnopqrstuvwxyz0123456789.+-,")] || *names[i] == '-')
                        return err_set(err, ERR_INVALID, -EINVAL, "image bootstrap: --include %s: not names of packages", names[i]);
                r = add(b, "--include", err);
                if (r == 0)
                        r = add(b, names[i], err);
        }
        return r;
}

static int make_command(struct bootstrap *b, const struct args *a, struct err *err) {
        static const char *const common[] = { PROGRAM, "--quiet", "--variant=minbase", "--format=tar", "--aptopt=Acquire::Languages \"none\"" };
        const char *const *mirrors;
        size_t n = args_list(a, "mirror", &mirrors);
        int r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(common) && r == 0; i++)
                r = add(b, common[i], err);
        if (r == 0 && args_flag(a, "os"))
                r = add(b, "--include=systemd-sysv,dbus,udev", err);
        if (r == 0)
                r = add_includes(b, a, err);
        if (r == 0)
                r = add(b, b->suite, err);
        if (r == 0)
                r = add(b, "-", err); /* to standard output */
        if (n == 0)
                find_mirror(b);
        if (r == 0 && n == 0 && *b->mirror)
                r = add(b, b->mirror, err);
        for (size_t i = 0; i < n && r == 0; i++) {
                if (!*mirrors[i] || *mirrors[i] == '-')
                        return err_set(err, ERR_INVALID, -EINVAL, "image bootstrap: --mirror %s: not the place of packages", mirrors[i]);
                r = add(b, mirrors[i], err);
        }
        return r;
}

static int open_spool(struct err *err) {
        const char *dir = getenv("TMPDIR");
        int fd;

        if (!dir || !*dir)
                dir = "/var/tmp"; /* it is large: no place for what /tmp often is */
        fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        return fd < 0 ? err_errno(err, -errno, "image bootstrap: a file in %s", dir) : fd;
}

static int run_program(const struct bootstrap *b, int out_fd, struct err *err) {
        posix_spawn_file_actions_t actions;
        int status, r;
        pid_t pid;

        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
        r = posix_spawnp(&pid, PROGRAM, &actions, NULL, (char *const *) b->argv, environ);
        posix_spawn_file_actions_destroy(&actions);
        if (r == ENOENT)
                return err_set(err, ERR_UNSUPPORTED, -r, "image bootstrap: " PROGRAM " is not installed on this machine");
        if (r != 0)
                return err_errno(err, -r, "image bootstrap: " PROGRAM);
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return err_errno(err, -errno, "image bootstrap: " PROGRAM);
        if (WIFSIGNALED(status))
                return err_set(err, ERR_INTERNAL, -EIO, "image bootstrap: " PROGRAM " was killed by signal %d", WTERMSIG(status));
        if (WEXITSTATUS(status) != 0)
                return err_set(err, ERR_INTERNAL, -EIO, "image bootstrap: " PROGRAM " has failed for %s:%s, with exit status %d", b->distribution, b->suite, WEXITSTATUS(status));
        return lseek(out_fd, 0, SEEK_SET) < 0 ? err_errno(err, -errno, "image bootstrap") : 0;
}

/* Both flavours say what they are started by; an OS shuts down by its own signal. */
static int send(struct client *c, const struct bootstrap *b, const struct args *a, int fd, struct err *err) {
        static const char *const app[] = { "CMD [\"/bin/bash\"]" }, *const os[] = { "CMD [\"/sbin/init\"]", "STOPSIGNAL SIGRTMIN+3", "ENV container=oci" };
        auto_free char *name = args_at(a, 1) ? strdup(args_at(a, 1)) : str_format("%s:%s", b->distribution, b->suite);
        auto_free char *message = str_format("bootstrapped from the packages of %s %s", b->distribution, b->suite);
        const char *const *changes = args_flag(a, "os") ? os : app;
        auto_path path = { 0 };

        if (!name || !message)
                return err_errno(err, -ENOMEM, "image bootstrap");
        path_init(&path, "/images/create");
        path_query(&path, "fromSrc", "-");
        query_name(&path, name);
        path_query(&path, "message", message);
        path_query(&path, "changes", "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        for (size_t i = 0; i < (args_flag(a, "os") ? ARRAY_SIZE(os) : ARRAY_SIZE(app)); i++)
                path_query(&path, "changes", changes[i]);
        path_query(&path, "created", getenv("SOURCE_DATE_EPOCH"));
        return send_archive(c, &path, fd, stdout, err);
}

static int bootstrap(struct client *c, const struct args *a, struct err *err) {
        const char *epoch = getenv("SOURCE_DATE_EPOCH");
        struct bootstrap b = { 0 };
        auto_fd fd = -EBADF;
        uint64_t seconds;
        int r = parse_what(args_at(a, 0), &b, err);

        if (r == 0 && epoch && str_to_u64(epoch, 0, EPOCH_MAX, &seconds) < 0)
                r = err_set(err, ERR_INVALID, -EINVAL, "image bootstrap: SOURCE_DATE_EPOCH is \"%.100s\", not a number of seconds", epoch);
        if (r == 0)
                r = make_command(&b, a, err);
        if (r == 0)
                r = fd = open_spool(err);
        if (r >= 0)
                r = run_program(&b, fd, err);
        return r < 0 ? r : send(c, &b, a, fd, err);
}

static int run_bootstrap(struct client *c, const struct args *a) {
        struct err err = { 0 };

        return bootstrap(c, a, &err) < 0 ? client_complain(&err, 1) : 0;
}

static const struct option bootstrap_options[] = {
        { 0, "include", OPTION_LIST, "PACKAGE", "One more package, or several with commas" },
        { 0, "mirror", OPTION_LIST, "URL", "Where the packages come from, as mmdebstrap takes it (else this machine's own source)" },
        { 0, "os", OPTION_FLAG, NULL, "With systemd as its first process: a whole system, not a base for one program" },
        { 0 },
};

const struct command command_image_bootstrap = {
        "image bootstrap", "image", "bootstrap", "[OPTIONS] DISTRIBUTION:SUITE [NAME[:TAG]]", "Make an image of a distribution's own packages, by mmdebstrap",
        "  kist image bootstrap debian:bookworm\n  kist image bootstrap --os debian:bookworm machine:1\n  SOURCE_DATE_EPOCH=1700000000 kist image bootstrap --include curl debian:bookworm tools:1\n",
        bootstrap_options, NULL, 1, 2, false, run_bootstrap,
};
