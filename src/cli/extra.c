/* SPDX-License-Identifier: Apache-2.0 */
/* import, search, container exists, healthcheck run. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/credentials.h"
#include "cli/listing.h"
#include "cli/progress.h"

/* --- import --- */

/* "localhost:5000/a:1" → two parameters; the colon of a port is none of a tag. */
void query_name(struct path *path, const char *reference) {
        const char *slash = strrchr(reference, '/'), *colon = strrchr(slash ? slash : reference, ':');
        auto_free char *repository = strndup(reference, colon ? (size_t) (colon - reference) : strlen(reference));

        path_query(path, "repo", repository);
        path_query(path, "tag", colon ? colon + 1 : "latest");
}

int open_archive(const char *file) {
        auto_fd fd = open(file, O_RDONLY | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        return S_ISDIR(st.st_mode) ? -EISDIR : move_fd(fd);
}

int send_archive(struct client *c, const struct path *path, int fd, FILE *out, struct err *err) {
        auto_http h = { .fd = -EBADF };
        int r;

        r = http_connect(&h, c->host, err);
        if (r >= 0)
                r = http_request_from_fd(&h, "POST", path->text, fd, err);
        if (r >= 0 && h.status >= 400)
                r = client_failed(&h, err);
        if (r < 0)
                return r;
        return progress_show(out, &h, err);
}

static int run_import(struct client *c, const struct args *a) {
        const char *file = args_at(a, 0), *reference = args_at(a, 1), *const *changes;
        bool from_stdin = strcmp(file, "-") == 0;
        auto_fd opened = from_stdin ? -EBADF : open_archive(file);
        size_t n = args_list(a, "change", &changes);
        auto_path path = { 0 };
        struct err err = { 0 };

        if (strstr(file, "://")) {
                complain("import: %s: a URL is not fetched; curl URL | kist import -", file);
                return 1;
        }
        if (!from_stdin && opened < 0) {
                complain("import: %s: %s", file, strerror(-opened));
                return 1;
        }
        path_init(&path, "/images/create");
        path_query(&path, "fromSrc", "-");
        if (reference)
                query_name(&path, reference);
        path_query(&path, "message", args_text(a, "message"));
        path_query(&path, "platform", args_text(a, "platform"));
        for (size_t i = 0; i < n; i++)
                path_query(&path, "changes", changes[i]);
        return send_archive(c, &path, from_stdin ? STDIN_FILENO : opened, stdout, &err) < 0 ? client_complain(&err, 1) : 0;
}

/* --- search --- */

static const struct listing_column search_columns[] = {
        { "Name", "NAME" }, { "Description", "DESCRIPTION" }, { "StarCount", "STARS" }, { "IsOfficial", "OFFICIAL" }, { 0 },
};

static int run_search(struct client *c, const struct args *a) {
        enum { DESCRIPTION_LETTERS = 45 };
        auto_free char *filters = filters_text(a, NULL);
        bool whole = args_flag(a, "no-trunc");
        auto_free char *header = NULL;
        struct client known;
        auto_json *answer = NULL;
        struct err err = { 0 };
        auto_path path = { 0 };
        struct listing *l;
        json_t *found;
        size_t i;
        int r;

        if (credentials_header(args_at(a, 0), &header, &err) < 0)
                return client_complain(&err, 1);
        known = (struct client) { .host = c->host, .header = header };
        if (listing_new(args_text(a, "format"), "{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}", search_columns, &l, &err) < 0)
                return client_complain(&err, 1);
        path_init(&path, "/images/search");
        path_query(&path, "term", args_at(a, 0));
        path_query(&path, "limit", args_text(a, "limit"));
        path_query(&path, "filters", filters);
        r = client_call(&known, "GET", &path, NULL, &answer, &err);
        if (header)
                explicit_bzero(header, strlen(header));
        json_array_foreach(answer, i, found) {
                auto_free char *text = listing_cut(json_get_str(found, "description", ""), whole ? SIZE_MAX : DESCRIPTION_LETTERS);
                auto_json *row = json_pack("{s:s, s:s, s:o, s:s}", "Name", json_get_str(found, "name", ""), "Description", text, "StarCount",
                                           json_sprintf("%lld", (long long) json_get_int(found, "star_count", 0)), "IsOfficial",
                                           json_get_bool(found, "is_official", false) ? "[OK]" : "");

                if ((r = listing_add(l, row, NULL, &err)) < 0)
                        break;
        }
        listing_close(l, r);
        return r < 0 ? client_complain(&err, 1) : 0;
}

/* --- container exists --- */

static int run_exists(struct client *c, const struct args *a) {
        auto_free char *name = path_escape(args_at(a, 0));
        auto_path path = { 0 };
        struct err err = { 0 };

        path_init(&path, "/containers/%s/json", name);
        if (client_call(c, "GET", &path, NULL, NULL, &err) == 0)
                return 0;
        return err.kind == ERR_NOT_FOUND ? 1 : client_complain(&err, EXIT_DAEMON);
}

/* --- healthcheck run: the container's own check, now, as one more process in it --- */

/* ["CMD", a, …] or ["CMD-SHELL", text]. NULL: there is none. */
static json_t *check_command(const json_t *container) {
        json_t *config = json_get_object(container, "Config"), *test = json_get_array(json_get_object(config, "Healthcheck"), "Test"), *command, *shell;
        const char *kind = json_string_value(json_array_get(test, 0));

        if (!kind || strcmp(kind, "NONE") == 0)
                return NULL;
        if (strcmp(kind, "CMD-SHELL") == 0) {
                shell = json_get_array(config, "Shell");
                command = json_array_size(shell) ? json_copy(shell) : json_pack("[s, s]", "/bin/sh", "-c");
                json_array_append(command, json_array_get(test, 1));
                return command;
        }
        command = json_copy(test);
        json_array_remove(command, 0);
        return command;
}

/* Runs a command in the container and waits at most timeout_ns for its exit status. */
static int run_check(struct client *c, const char *name, json_t *command, int64_t timeout_ns, int *ret_status, struct err *err) {
        auto_json *body = json_pack("{s:O, s:b, s:b}", "Cmd", command, "AttachStdout", 0, "AttachStderr", 0), *detach = json_pack("{s:b, s:b}", "Detach", 1, "Tty", 0);
        auto_path create = { 0 }, start = { 0 }, look = { 0 };
        auto_json *answer = NULL;
        const char *id;
        int64_t until;
        int r;

        path_init(&create, "/containers/%s/exec", name);
        r = client_call(c, "POST", &create, body, &answer, err);
        if (r < 0)
                return r;
        id = json_get_str(answer, "Id", "");
        path_init(&start, "/exec/%s/start", id);
        path_init(&look, "/exec/%s/json", id);
        r = client_call(c, "POST", &start, detach, NULL, err);
        until = time_now_ns() + timeout_ns;
        while (r == 0) {
                auto_json *state = NULL;

                r = client_call(c, "GET", &look, NULL, &state, err);
                if (r == 0 && !json_get_bool(state, "Running", true)) {
                        *ret_status = (int) json_get_int(state, "ExitCode", EXIT_DAEMON);
                        return 0;
                }
                if (r == 0 && time_now_ns() > until)
                        return err_set(err, ERR_UNAVAILABLE, -ETIMEDOUT, "the check of %s has not ended in time", name);
                usleep(20000);
        }
        return r;
}

static int run_healthcheck(struct client *c, const struct args *a) {
        enum { DEFAULT_TIMEOUT_S = 30 };
        auto_free char *name = path_escape(args_at(a, 0));
        auto_json *found = NULL, *command = NULL;
        auto_path path = { 0 };
        struct err err = { 0 };
        int64_t timeout_ns;
        int status = 0;

        path_init(&path, "/containers/%s/json", name);
        if (client_call(c, "GET", &path, NULL, &found, &err) < 0)
                return client_complain(&err, EXIT_DAEMON);
        command = check_command(found);
        if (!command) {
                complain("healthcheck run: %s has no health check", args_at(a, 0));
                return EXIT_DAEMON;
        }
        timeout_ns = json_get_int(json_get_object(json_get_object(found, "Config"), "Healthcheck"), "Timeout", 0);
        if (run_check(c, name, command, timeout_ns > 0 ? timeout_ns : DEFAULT_TIMEOUT_S * INT64_C(1000000000), &status, &err) < 0)
                return client_complain(&err, err.num == -ETIMEDOUT ? 1 : EXIT_DAEMON);
        if (status != 0)
                printf("unhealthy\n");
        return status == 0 ? 0 : 1;
}

static const struct option import_options[] = {
        { 'c', "change", OPTION_LIST, "LINE", "Set the image's settings: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, …" },
        { 'm', "message", OPTION_TEXT, "TEXT", "A comment" },
        { 0, "platform", OPTION_TEXT, "OS/ARCH", "Another platform than this machine's" },
        { 0 },
};
static const struct option search_options[] = {
        { 'f', "filter", OPTION_LIST, "KEY=VALUE", "Only those that match: is-official, stars" },
        { 0, "format", OPTION_TEXT, "TEMPLATE", "table, json, or a template: {{.Name}} {{.StarCount}} …" },
        { 0, "limit", OPTION_TEXT, "NUMBER", "So many at most" },
        { 0, "no-trunc", OPTION_FLAG, NULL, "Whole descriptions" },
        { 0 },
};
static const struct option no_options[] = { { 0 } };

const struct command command_import = {
        "import", "image", NULL, "[OPTIONS] FILE|- [NAME[:TAG]]", "Make an image of a tar archive of files", "  kist export box | kist import - box:1\n", import_options, NULL, 1, 2,
        false, run_import,
};
const struct command command_search = {
        "search", "system", NULL, "[OPTIONS] TERM", "Search a registry for images", "  kist search --limit 5 debian\n  kist search localhost:5000/site\n", search_options, NULL, 1, 1, false, run_search,
};
const struct command command_container_exists = {
        "container exists", "container", "exists", "CONTAINER", "Exit with 0 when there is such a container, with 1 when not", "  kist container exists web || kist run -d --name web site:1\n",
        no_options, NULL, 1, 1, false, run_exists,
};
const struct command command_healthcheck_run = {
        "healthcheck run", "healthcheck", "run", "CONTAINER", "Run a container's health check now: exit status 0 when it is well, 1 when not",
        "  kist healthcheck run web && echo well\n", no_options, NULL, 1, 1, false, run_healthcheck,
};
