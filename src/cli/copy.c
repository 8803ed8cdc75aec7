/* SPDX-License-Identifier: Apache-2.0 */
/* cp, export, diff, commit, save. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/local-tree.h"
#include "cli/tar.h"
#include "cli/terminal.h"

#define MODE_DIRECTORY (1u << 31) /* Go's os.FileMode */
#define MODE_SYMLINK (1u << 27)

/* --- what is there in the container --- */

static int base64_value(char c) {
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        const char *at = c ? strchr(digits, c) : NULL;

        return at ? (int) (at - digits) : -1;
}

static json_t *decode_stat(const char *text) {
        char plain[sizeof(((struct http *) 0)->wanted)];
        unsigned bits = 0, n_bits = 0;
        json_t *object = NULL;
        size_t n = 0;

        for (; base64_value(*text) >= 0; text++) {
                bits = bits << 6 | (unsigned) base64_value(*text);
                n_bits += 6;
                if (n_bits >= 8)
                        plain[n++] = (char) (bits >> (n_bits -= 8));
        }
        return json_parse(plain, n, sizeof(plain), "path", &object, NULL) == 0 ? object : NULL;
}

static int stat_in(struct client *c, const char *container, const char *path, json_t **ret, struct err *err) {
        auto_free char *name = path_escape(container);
        auto_http h = { .fd = -EBADF, .want = "X-Docker-Container-Path-Stat" };
        auto_path url = { 0 };
        int r;

        path_init(&url, "/containers/%s/archive", name);
        path_query(&url, "path", path);
        r = http_connect(&h, c->host, err);
        if (r == 0)
                r = http_request(&h, "HEAD", url.text, NULL, NULL, 0, false, err);
        if (r < 0)
                return r;
        if (h.status == 404)
                return err_set(err, ERR_NOT_FOUND, -ENOENT, "no such container or path: %s:%s", container, path);
        *ret = h.status == 200 ? decode_stat(h.wanted) : NULL;
        return *ret ? 0 : err_set(err, ERR_UNAVAILABLE, -EPROTO, "%s:%s: the daemon answered with status %d", container, path, h.status);
}

static bool is_dir(const json_t *stat) {
        return json_get_int(stat, "mode", 0) & MODE_DIRECTORY;
}

/* Through a symlink, as often as the daemon says (it follows the whole chain at once). */
static int stat_followed(struct client *c, const char *container, char **path, json_t **ret, struct err *err) {
        json_t *stat = NULL;
        const char *target;
        int r = stat_in(c, container, *path, &stat, err);

        if (r < 0)
                return r;
        target = json_get_str(stat, "linkTarget", "");
        if (json_get_int(stat, "mode", 0) & MODE_SYMLINK && *target) {
                free(*path);
                *path = strdup(target);
                json_decref(stat);
                stat = NULL;
                r = *path ? stat_in(c, container, *path, &stat, err) : err_errno(err, -ENOMEM, "cp");
        }
        if (r == 0)
                *ret = stat;
        return r;
}

/* --- paths --- */

/* "CONTAINER:PATH"; a name here that has a colon is written as "./a:b". */
static char *split_container(const char *arg, const char **ret_path) {
        const char *colon = strchr(arg, ':');

        *ret_path = arg;
        if (!colon || *arg == '/' || *arg == '.' || colon == arg)
                return NULL;
        *ret_path = colon + 1;
        return strndup(arg, (size_t) (colon - arg));
}

static bool ends_in_slash(const char *path) {
        size_t n = strlen(path);

        return n > 0 && path[n - 1] == '/';
}

/* "a/." asks for what is in it, not for itself. */
static bool is_contents(const char *path) {
        size_t n = strlen(path);

        return !strcmp(path, ".") || (n >= 2 && !strcmp(path + n - 2, "/."));
}

static char *dir_of(const char *path) {
        auto_free char *copy = strdup(path);

        return copy ? strdup(dirname(copy)) : NULL;
}

static char *base_of(const char *path) {
        auto_free char *copy = strdup(path);

        return copy ? strdup(basename(copy)) : NULL;
}

/* --- into the container --- */

/* A child packs while we send. */
static int send_tree(struct http *h, const char *url, const char *from, const char *name, bool follow, struct err *err) {
        int fds[2], status = 0, r;
        auto_fd read_end = -EBADF;
        pid_t pid;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return err_errno(err, -errno, "pipe");
        read_end = fds[0];
        pid = fork();
        if (pid == 0) {
                close(fds[0]);
                r = local_pack(fds[1], from, name, follow, err);
                if (r < 0 && r != -EPIPE)
                        complain("%s", err->msg);
                _exit(r < 0 && r != -EPIPE);
        }
        close(fds[1]);
        if (pid < 0)
                return err_errno(err, -errno, "fork");
        r = http_request_from_fd(h, "PUT", url, read_end, err);
        read_end = fd_close(read_end);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        if (r == 0 && h->status < 400 && status != 0)
                return err_set(err, ERR_INTERNAL, -EIO, "what was copied is not whole");
        return r;
}

/* Where it goes to: a directory of the container, and the name there. */
static int choose_place(struct client *c, const char *container, const char *to, const char *from, bool from_dir, char **ret_dir, char **ret_name, struct err *err) {
        auto_free char *path = *to == '/' ? strdup(to) : str_format("/%s", to);
        auto_json *stat = NULL;
        int r = path ? stat_followed(c, container, &path, &stat, err) : err_errno(err, -ENOMEM, "cp");

        if (r == 0 && is_dir(stat)) {
                *ret_dir = take_ptr(&path);
                *ret_name = is_contents(from) ? strdup(".") : base_of(from);
                return 0;
        }
        if (r < 0 && r != -ENOENT)
                return r;
        if (r == 0 && from_dir)
                return err_set(err, ERR_CONFLICT, -ENOTDIR, "cannot copy a directory to %s:%s, which is a file", container, to);
        if (ends_in_slash(to) && !from_dir)
                return err_set(err, ERR_NOT_FOUND, -ENOENT, "no such directory: %s:%s", container, to);
        *ret_dir = dir_of(path);
        *ret_name = base_of(path);
        return 0;
}

static int copy_in(struct client *c, const struct args *a, const char *from, const char *container, const char *to, struct err *err) {
        auto_free char *escaped = path_escape(container), *dir = NULL, *name = NULL;
        auto_http h = { .fd = -EBADF };
        auto_path url = { 0 };
        bool follow = args_flag(a, "follow-link"), tar = !strcmp(from, "-");
        struct stat st;
        int r = 0;

        if (tar)
                dir = *to == '/' ? strdup(to) : str_format("/%s", to);
        else if ((follow || ends_in_slash(from) ? stat(from, &st) : lstat(from, &st)) < 0)
                return err_errno(err, -errno, "%s", from);
        else
                r = choose_place(c, container, to, from, S_ISDIR(st.st_mode), &dir, &name, err);
        if (r < 0)
                return r;
        path_init(&url, "/containers/%s/archive", escaped);
        path_query(&url, "path", dir);
        path_query(&url, "noOverwriteDirNonDir", "true");
        path_query_flag(&url, "copyUIDGID", args_flag(a, "archive"));
        r = http_connect(&h, c->host, err);
        if (r == 0)
                r = tar ? http_request_from_fd(&h, "PUT", url.text, STDIN_FILENO, err) : send_tree(&h, url.text, from, name, follow || ends_in_slash(from), err);
        return r == 0 && h.status >= 400 ? client_failed(&h, err) : r;
}

/* --- out of it --- */

static int copy_to_fd(struct http *h, int fd, struct err *err) {
        char piece[32768];
        ssize_t n;

        while ((n = http_read(h, piece, sizeof(piece), err)) > 0) {
                int r = fd_write_all(fd, piece, (size_t) n);

                if (r < 0)
                        return err_errno(err, r, "writing");
        }
        return (int) n;
}

static ssize_t read_http(void *data, char *to, size_t size, struct err *err) {
        return http_read(data, to, size, err);
}

/* A directory here, and what the first part of every name becomes (NULL: it stays). */
static int open_place(const char *to, const char *from, bool from_dir, int *ret_dir, char **ret_as, struct err *err) {
        auto_free char *parent = NULL;
        struct stat st;

        *ret_as = NULL;
        if (stat(to, &st) < 0) {
                if (errno != ENOENT)
                        return err_errno(err, -errno, "%s", to);
                if (ends_in_slash(to) && !from_dir)
                        return err_set(err, ERR_NOT_FOUND, -ENOENT, "no such directory: %s", to);
                if (is_contents(from) && mkdir(to, 0755) < 0)
                        return err_errno(err, -errno, "%s", to);
        } else if (!S_ISDIR(st.st_mode) && from_dir) {
                return err_set(err, ERR_CONFLICT, -ENOTDIR, "cannot copy a directory to %s, which is a file", to);
        }
        if (stat(to, &st) < 0 || !S_ISDIR(st.st_mode)) {
                parent = dir_of(to);
                *ret_as = base_of(to);
                to = parent;
        }
        *ret_dir = to ? open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        return *ret_dir < 0 ? err_errno(err, -errno, "%s", to ? to : "cp") : 0;
}

static int copy_out(struct client *c, const struct args *a, const char *container, const char *from, const char *to, struct err *err) {
        auto_free char *escaped = path_escape(container), *path = *from == '/' ? strdup(from) : str_format("/%s", from), *as = NULL;
        struct local_unpack u = { .dir_fd = -EBADF, .keep_owner = args_flag(a, "archive") };
        auto_http h = { .fd = -EBADF };
        struct tar_reader t = { .read = read_http, .data = &h };
        auto_json *stat = NULL;
        auto_path url = { 0 };
        auto_fd dir = -EBADF;
        int r;

        if (!path)
                return err_errno(err, -ENOMEM, "cp");
        r = args_flag(a, "follow-link") ? stat_followed(c, container, &path, &stat, err) : stat_in(c, container, path, &stat, err);
        if (r == 0 && strcmp(to, "-")) {
                r = open_place(to, from, is_dir(stat), &dir, &as, err);
                /* Asked for by the name of a link: called by it. */
                if (r == 0 && !as && args_flag(a, "follow-link") && !is_contents(from))
                        as = base_of(from);
                if (as && !strcmp(as, "/"))
                        free(take_ptr(&as));
        }
        if (r < 0)
                return r;
        path_init(&url, "/containers/%s/archive", escaped);
        path_query(&url, "path", path);
        r = client_open(c, &h, "GET", &url, NULL, err);
        if (r < 0)
                return r;
        if (!strcmp(to, "-"))
                return copy_to_fd(&h, STDOUT_FILENO, err);
        u.dir_fd = dir;
        u.as = as;
        return local_unpack(&t, &u, err);
}

static int run_cp(struct client *c, const struct args *a) {
        const char *from, *to;
        auto_free char *source = split_container(args_at(a, 0), &from), *target = split_container(args_at(a, 1), &to);
        struct err err = { 0 };
        int r;

        if (!source == !target) {
                complain(source ? "copying between containers is not supported" : "one of the two paths must be CONTAINER:PATH");
                return 1;
        }
        if (!*from || !*to) {
                complain("a path is empty");
                return 1;
        }
        r = source ? copy_out(c, a, source, from, to, &err) : copy_in(c, a, from, target, to, &err);
        return r < 0 ? client_complain(&err, 1) : 0;
}

/* --- export, save --- */

int fetch_tar(struct client *c, const char *what, const struct path *url, const char *file) {
        auto_free char *temp = file ? str_format("%s.part", file) : NULL;
        auto_http h = { .fd = -EBADF };
        struct err err = { 0 };
        auto_fd fd = -EBADF;
        int r;

        if (!file && isatty(STDOUT_FILENO)) {
                complain("%s: an archive is not for a terminal: use -o FILE, or redirect the output", what);
                return 1;
        }
        r = client_open(c, &h, "GET", url, NULL, &err);
        if (r < 0)
                return client_complain(&err, 1);
        if (file)
                fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (file && fd < 0) {
                complain("%s: %s: %s", what, temp, strerror(errno));
                return 1;
        }
        r = copy_to_fd(&h, file ? fd : STDOUT_FILENO, &err);
        if (r == 0 && file && rename(temp, file) < 0)
                r = err_errno(&err, -errno, "%s", file);
        if (r < 0 && file)
                unlink(temp);
        return r < 0 ? client_complain(&err, 1) : 0;
}

static int run_export(struct client *c, const struct args *a) {
        auto_free char *name = path_escape(args_at(a, 0));
        auto_path url = { 0 };

        path_init(&url, "/containers/%s/export", name);
        return fetch_tar(c, "export", &url, args_text(a, "output"));
}

static int run_save(struct client *c, const struct args *a) {
        auto_path url = { 0 };

        path_init(&url, "/images/get");
        for (size_t i = 0; i < args_count(a); i++)
                path_query(&url, "names", args_at(a, i));
        return fetch_tar(c, "save", &url, args_text(a, "output"));
}

/* --- diff, commit --- */

static int print_change(json_t *change, void *data, struct err *err) {
        int64_t kind = json_get_int(change, "Kind", 0);

        (void) data;
        (void) err;
        printf("%c ", kind >= 0 && kind < 3 ? "CAD"[kind] : '?');
        terminal_put(stdout, json_get_str(change, "Path", ""), "");
        putchar('\n');
        return 0;
}

static int run_diff(struct client *c, const struct args *a) {
        auto_free char *name = path_escape(args_at(a, 0));
        struct err err = { 0 };
        auto_path url = { 0 };

        path_init(&url, "/containers/%s/changes", name);
        return client_list(c, &url, print_change, NULL, &err) < 0 ? client_complain(&err, 1) : 0;
}

static int run_commit(struct client *c, const struct args *a) {
        const char *reference = args_at(a, 1), *const *changes, *slash, *colon;
        auto_json *answer = NULL;
        struct err err = { 0 };
        auto_path url = { 0 };
        size_t n = args_list(a, "change", &changes);

        path_init(&url, "/commit");
        path_query(&url, "container", args_at(a, 0));
        if (reference) {
                auto_free char *repository = strdup(reference);

                slash = strrchr(reference, '/');
                colon = strrchr(slash ? slash : reference, ':');
                if (repository && colon)
                        repository[colon - reference] = '\0';
                path_query(&url, "repo", repository);
                path_query(&url, "tag", colon ? colon + 1 : "latest");
        }
        path_query(&url, "author", args_text(a, "author"));
        path_query(&url, "comment", args_text(a, "message"));
        path_query(&url, "pause", args_given(a, "pause") && !args_flag(a, "pause") ? "0" : "1");
        for (size_t i = 0; i < n; i++)
                path_query(&url, "changes", changes[i]);
        if (client_call(c, "POST", &url, NULL, &answer, &err) < 0)
                return client_complain(&err, 1);
        printf("%s\n", json_get_str(answer, "Id", ""));
        return 0;
}

static const struct option cp_options[] = {
        { 'a', "archive", OPTION_FLAG, NULL, "Keep owners: out of a container; into it, all is its user's" },
        { 'L', "follow-link", OPTION_FLAG, NULL, "Copy what a symbolic link of the source points at" },
        { 'q', "quiet", OPTION_FLAG, NULL, "Say nothing but errors, as always" },
        { 0 },
};
static const struct option output_options[] = {
        { 'o', "output", OPTION_TEXT, "FILE", "Write to this file, not to standard output" },
        { 0 },
};
static const struct option commit_options[] = {
        { 'a', "author", OPTION_TEXT, "TEXT", "Who made it" },
        { 'c', "change", OPTION_LIST, "LINE", "Change the image's settings: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, …" },
        { 'm', "message", OPTION_TEXT, "TEXT", "A comment" },
        { 'p', "pause", OPTION_FLAG, NULL, "Pause the container meanwhile (the default; --pause=false: do not)" },
        { 0 },
};
static const struct option no_options[] = { { 0 } };

const struct command command_cp = {
        "cp", "container", NULL, "[OPTIONS] CONTAINER:PATH PATH|-  or  PATH|- CONTAINER:PATH", "Copy files between a container and here",
        "  kist cp web:/etc/hostname .\n  kist cp site/. web:/srv/www\n  tar c -C site . | kist cp - web:/srv/www\n", cp_options, NULL, 2, 2, false, run_cp,
};
const struct command command_export = {
        "export", "container", NULL, "[OPTIONS] CONTAINER", "Write a container's files as a tar archive", "  kist export web | tar t\n",
        output_options, NULL, 1, 1, false, run_export,
};
const struct command command_diff = {
        "diff", "container", NULL, "CONTAINER", "List what a container has changed, added and deleted", "  kist diff web\n", no_options, NULL, 1, 1, false, run_diff,
};
const struct command command_commit = {
        "commit", "container", NULL, "[OPTIONS] CONTAINER [NAME[:TAG]]", "Make an image of a container's files and settings",
        "  kist commit -c 'CMD [\"httpd\",\"-f\"]' web site:1\n", commit_options, NULL, 1, 2, false, run_commit,
};
const struct command command_save = {
        "save", "image", NULL, "[OPTIONS] IMAGE [IMAGE...]", "Write images as an archive that load, docker and skopeo read",
        "  kist save site:1 | ssh other kist load\n", output_options, NULL, 1, SIZE_MAX, false, run_save,
};
