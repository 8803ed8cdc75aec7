/* SPDX-License-Identifier: Apache-2.0 */
/* run, create, start, attach, exec: what has a process of the container at its other end. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/container-options.h"
#include "cli/session.h"

/* The engine says in words what became of the command; the exit status says it in a number, as Docker's does. */
static int status_of_failure(const struct err *err) {
        static const struct {
                const char *text;
                int status;
        } rows[] = {
                { "executable file not found", EXIT_NO_COMMAND },   { "no such file or directory", EXIT_NO_COMMAND },
                { "permission denied", EXIT_NOT_EXECUTABLE },       { "is a directory", EXIT_NOT_EXECUTABLE },
                { "exec format error", EXIT_NOT_EXECUTABLE },
        };

        if (strstr(err->msg, "exec: \""))
                for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                        if (strcasestr(err->msg, rows[i].text))
                                return rows[i].status;
        return EXIT_DAEMON;
}

static int fail(const struct err *err) {
        return client_complain(err, status_of_failure(err));
}

static int write_cidfile(const char *file, const char *id, struct err *err) {
        auto_fd fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        int r;

        if (fd < 0)
                return err_errno(err, -errno, "container id file %s", file);
        r = fd_write_all(fd, id, strlen(id));
        return r < 0 ? err_errno(err, r, "container id file %s", file) : 0;
}

/* POST /containers/create; a missing image is pulled, unless --pull says otherwise. *ret_id: 65 bytes. */
static int create(struct client *c, const struct args *a, json_t *body, char ret_id[65], struct err *err) {
        const char *pull = args_text(a, "pull"), *cidfile = args_text(a, "cidfile"), *image = args_at(a, 0);
        auto_json *answer = NULL;
        auto_path path = { 0 };
        FILE *progress = args_flag(a, "quiet") ? NULL : stderr;
        json_t *warning;
        size_t i;
        int r;

        container_add_proxies(a, c->host, body);
        if (pull && strcmp(pull, "always") != 0 && strcmp(pull, "missing") != 0 && strcmp(pull, "never") != 0)
                return err_set(err, ERR_INVALID, -EINVAL, "--pull %s: always, missing or never", pull);
        if (cidfile && access(cidfile, F_OK) == 0)
                return err_set(err, ERR_CONFLICT, -EEXIST, "container id file %s exists: remove it, or choose another name", cidfile);
        path_init(&path, "/containers/create");
        path_query(&path, "name", args_text(a, "name"));
        path_query(&path, "platform", args_text(a, "platform"));
        if (pull && strcmp(pull, "always") == 0) {
                r = pull_image(c, image, args_text(a, "platform"), NULL, progress, err);
                if (r < 0)
                        return r;
        }
        r = client_call(c, "POST", &path, body, &answer, err);
        if (r < 0 && err->kind == ERR_NOT_FOUND && strstr(err->msg, "No such image") && (!pull || strcmp(pull, "missing") == 0)) {
                if (progress)
                        fprintf(progress, "Unable to find image '%s' locally\n", image);
                r = pull_image(c, image, args_text(a, "platform"), NULL, progress, err);
                if (r == 0)
                        r = client_call(c, "POST", &path, body, &answer, err);
        }
        if (r < 0)
                return r;
        json_array_foreach(json_object_get(answer, "Warnings"), i, warning)
                warn_loudly(json_is_string(warning) ? json_string_value(warning) : "");
        snprintf(ret_id, 65, "%s", json_get_str(answer, "Id", ""));
        return cidfile ? write_cidfile(cidfile, ret_id, err) : 0;
}

static int start(struct client *c, const char *id, struct err *err) {
        auto_path path = { 0 };
        auto_free char *escaped = path_escape(id);
        int r;

        path_init(&path, "/containers/%s/start", escaped);
        r = client_call(c, "POST", &path, NULL, NULL, err);
        return r < 0 && err->kind == ERR_NOT_MODIFIED ? 0 : r;
}

static void remove_quietly(struct client *c, const char *id) {
        auto_path path = { 0 };

        path_init(&path, "/containers/%s", id);
        path_query_flag(&path, "force", true);
        client_call(c, "DELETE", &path, NULL, NULL, NULL);
}

/* The answer of POST …/wait comes when the container has ended; its head at once. */
static int wait_begin(struct client *c, const char *id, const char *condition, struct http *h, struct err *err) {
        auto_path path = { 0 };

        path_init(&path, "/containers/%s/wait", id);
        path_query(&path, "condition", condition);
        return client_open(c, h, "POST", &path, NULL, err);
}

static int take_status(json_t *object, void *data) {
        *(int *) data = (int) json_get_int(object, "StatusCode", EXIT_DAEMON);
        return 0;
}

static int wait_finish(struct http *h, int *ret_status, struct err *err) {
        *ret_status = -1;
        int r = client_stream(h, take_status, ret_status, err);

        if (r == 0 && *ret_status < 0)
                return err_set(err, ERR_UNAVAILABLE, -ECONNRESET, "the daemon went away before it told the exit status");
        return r;
}

static int open_stream(struct client *c, const char *id, bool with_stdin, bool with_stdout, bool with_stderr, bool logs, const char *keys,
                       struct http *h, struct err *err) {
        auto_path path = { 0 };

        path_init(&path, "/containers/%s/attach", id);
        path_query_flag(&path, "stream", true);
        path_query_flag(&path, "stdin", with_stdin);
        path_query_flag(&path, "stdout", with_stdout);
        path_query_flag(&path, "stderr", with_stderr);
        path_query_flag(&path, "logs", logs);
        path_query(&path, "detachKeys", keys);
        return client_hijack(c, h, &path, NULL, err);
}

/* Attach, start, pump, wait: the foreground of `run` and of `start -a`. */
static int foreground(struct client *c, const char *id, const json_t *config, bool remove, const char *keys, bool sig_proxy) {
        bool tty = json_get_bool(config, "Tty", false), with_stdin = json_get_bool(config, "AttachStdin", false);
        struct session s = { .client = c, .id = id, .tty = tty, .with_stdin = with_stdin, .detach_keys = keys, .sig_proxy = sig_proxy && !tty };
        auto_http stream = { .fd = -EBADF }, waiting = { .fd = -EBADF };
        struct err err = { 0 };
        int status, r;

        session_prepare();
        if (open_stream(c, id, with_stdin, json_get_bool(config, "AttachStdout", true), json_get_bool(config, "AttachStderr", true), false,
                        keys, &stream, &err) < 0 ||
            wait_begin(c, id, remove ? "removed" : "next-exit", &waiting, &err) < 0 || start(c, id, &err) < 0) {
                if (remove)
                        remove_quietly(c, id);
                return fail(&err);
        }
        if (tty) {
                session_resize(&s);
                if (with_stdin)
                        session_raw_terminal();
        }
        r = session_pump(&s, &stream, &err);
        session_restore();
        if (r < 0)
                return fail(&err);
        if (r > 0)
                return 0;
        if (wait_finish(&waiting, &status, &err) < 0)
                return fail(&err);
        return status;
}

static int run_run(struct client *c, const struct args *a) {
        bool detach = args_flag(a, "detach");
        auto_json *body = NULL;
        struct err err = { 0 };
        char id[65];

        if (detach && args_given(a, "attach")) {
                complain("conflicting options: --attach and --detach");
                return EXIT_DAEMON;
        }
        if (container_body(a, &body) < 0)
                return EXIT_DAEMON;
        if (args_flag(a, "tty") && args_flag(a, "interactive") && !detach && !isatty(STDIN_FILENO)) {
                complain("the input device is not a terminal: leave out -t");
                return 1;
        }
        if (detach) {
                static const char *const streams[] = { "AttachStdin", "AttachStdout", "AttachStderr" };

                for (size_t i = 0; i < ARRAY_SIZE(streams); i++)
                        json_object_set_new(body, streams[i], json_false());
                json_object_set_new(body, "StdinOnce", json_false());
        }
        if (create(c, a, body, id, &err) < 0)
                return fail(&err);
        if (!detach)
                return foreground(c, id, body, args_flag(a, "rm"), args_text(a, "detach-keys"), !args_given(a, "sig-proxy") || args_flag(a, "sig-proxy"));
        if (start(c, id, &err) < 0) {
                if (args_flag(a, "rm"))
                        remove_quietly(c, id);
                return fail(&err);
        }
        printf("%s\n", id);
        return 0;
}

static int run_create(struct client *c, const struct args *a) {
        auto_json *body = NULL;
        struct err err = { 0 };
        char id[65];

        if (container_body(a, &body) < 0)
                return 1;
        if (create(c, a, body, id, &err) < 0)
                return client_complain(&err, 1);
        printf("%s\n", id);
        return 0;
}

static int inspect(struct client *c, const char *name, json_t **ret, struct err *err) {
        auto_free char *escaped = path_escape(name);
        auto_path path = { 0 };

        path_init(&path, "/containers/%s/json", escaped);
        return client_call(c, "GET", &path, NULL, ret, err);
}

static int run_start(struct client *c, const struct args *a) {
        bool attach = args_flag(a, "attach"), interactive = args_flag(a, "interactive");
        struct err err = { 0 };
        int status = 0;

        if (attach || interactive) {
                auto_json *found = NULL;
                json_t *config;

                if (args_count(a) > 1) {
                        complain("start: -a and -i take one container");
                        return 1;
                }
                if (inspect(c, args_at(a, 0), &found, &err) < 0)
                        return client_complain(&err, 1);
                config = json_get_object(found, "Config");
                json_object_set_new(config, "AttachStdin", json_boolean(interactive && json_get_bool(config, "OpenStdin", false)));
                json_object_set_new(config, "AttachStdout", json_true());
                json_object_set_new(config, "AttachStderr", json_true());
                return foreground(c, json_get_str(found, "Id", ""), config,
                                  json_get_bool(json_get_object(found, "HostConfig"), "AutoRemove", false), args_text(a, "detach-keys"), true);
        }
        for (size_t i = 0; i < args_count(a); i++) {
                if (start(c, args_at(a, i), &err) < 0)
                        status = client_complain(&err, 1);
                else
                        printf("%s\n", args_at(a, i));
        }
        return status;
}

static int run_attach(struct client *c, const struct args *a) {
        auto_http stream = { .fd = -EBADF }, waiting = { .fd = -EBADF };
        auto_json *found = NULL;
        struct session s = { .client = c, .detach_keys = args_text(a, "detach-keys") };
        struct err err = { 0 };
        int status, r;

        if (inspect(c, args_at(a, 0), &found, &err) < 0)
                return client_complain(&err, 1);
        if (!json_get_bool(json_get_object(found, "State"), "Running", false)) {
                complain("cannot attach to %s: it is not running", args_at(a, 0));
                return 1;
        }
        s.id = json_get_str(found, "Id", "");
        s.tty = json_get_bool(json_get_object(found, "Config"), "Tty", false);
        s.with_stdin = !args_flag(a, "no-stdin") && json_get_bool(json_get_object(found, "Config"), "OpenStdin", false);
        s.sig_proxy = !s.tty && (!args_given(a, "sig-proxy") || args_flag(a, "sig-proxy"));
        session_prepare();
        if (wait_begin(c, s.id, "not-running", &waiting, &err) < 0 ||
            open_stream(c, s.id, s.with_stdin, true, true, false, args_text(a, "detach-keys"), &stream, &err) < 0)
                return client_complain(&err, 1);
        if (s.tty) {
                session_resize(&s);
                if (s.with_stdin)
                        session_raw_terminal();
        }
        r = session_pump(&s, &stream, &err);
        session_restore();
        if (r != 0)
                return r < 0 ? client_complain(&err, 1) : 0;
        return wait_finish(&waiting, &status, &err) < 0 ? client_complain(&err, 1) : status;
}

/* --- exec --- */

static json_t *exec_body(const struct args *a) {
        bool detach = args_flag(a, "detach");
        json_t *body = json_object(), *command = json_array();
        const char *const *env;
        size_t n = args_list(a, "env", &env);

        for (size_t i = 1; i < args_count(a); i++)
                json_array_append_new(command, json_string(args_at(a, i)));
        json_object_set_new(body, "Cmd", command);
        json_object_set_new(body, "Tty", json_boolean(args_flag(a, "tty")));
        json_object_set_new(body, "AttachStdin", json_boolean(args_flag(a, "interactive") && !detach));
        json_object_set_new(body, "AttachStdout", json_boolean(!detach));
        json_object_set_new(body, "AttachStderr", json_boolean(!detach));
        json_object_set_new(body, "Detach", json_boolean(detach));
        json_object_set_new(body, "Privileged", json_boolean(args_flag(a, "privileged")));
        if (args_text(a, "user"))
                json_object_set_new(body, "User", json_string(args_text(a, "user")));
        if (args_text(a, "workdir"))
                json_object_set_new(body, "WorkingDir", json_string(args_text(a, "workdir")));
        if (args_text(a, "detach-keys"))
                json_object_set_new(body, "DetachKeys", json_string(args_text(a, "detach-keys")));
        if (n > 0) {
                json_t *array = json_array();

                for (size_t i = 0; i < n; i++)
                        json_array_append_new(array, json_string(env[i]));
                json_object_set_new(body, "Env", array);
        }
        return body;
}

static int exec_status(struct client *c, const char *id, struct err *err) {
        auto_json *answer = NULL;
        auto_path path = { 0 };
        int r;

        path_init(&path, "/exec/%s/json", id);
        /* The stream ends a moment before the daemon knows how the process ended. */
        for (int i = 0; i < 200; i++) {
                r = client_call(c, "GET", &path, NULL, &answer, err);
                if (r < 0)
                        return r;
                if (!json_get_bool(answer, "Running", false))
                        return (int) json_get_int(answer, "ExitCode", EXIT_DAEMON);
                json_decref(take_ptr(&answer));
                usleep(5000);
        }
        return err_set(err, ERR_UNAVAILABLE, -ETIMEDOUT, "the process has closed its streams and goes on");
}

static int run_exec(struct client *c, const struct args *a) {
        auto_json *body = exec_body(a), *answer = NULL, *how = NULL;
        auto_free char *name = path_escape(args_at(a, 0));
        auto_path create_path = { 0 }, start_path = { 0 };
        auto_http stream = { .fd = -EBADF };
        struct session s = {
                .client = c,
                .is_exec = true,
                .tty = args_flag(a, "tty"),
                .with_stdin = args_flag(a, "interactive"),
                .detach_keys = args_text(a, "detach-keys"),
        };
        struct err err = { 0 };
        int status, r;

        if (s.tty && s.with_stdin && !args_flag(a, "detach") && !isatty(STDIN_FILENO)) {
                complain("the input device is not a terminal: leave out -t");
                return 1;
        }
        path_init(&create_path, "/containers/%s/exec", name);
        if (client_call(c, "POST", &create_path, body, &answer, &err) < 0)
                return client_complain(&err, 1);
        s.id = json_get_str(answer, "Id", "");
        path_init(&start_path, "/exec/%s/start", s.id);
        how = json_pack("{s:b, s:b}", "Detach", args_flag(a, "detach"), "Tty", s.tty);
        if (args_flag(a, "detach"))
                return client_call(c, "POST", &start_path, how, NULL, &err) < 0 ? fail(&err) : 0;
        session_prepare();
        if (client_hijack(c, &stream, &start_path, how, &err) < 0)
                return fail(&err);
        if (s.tty) {
                session_resize(&s);
                if (s.with_stdin)
                        session_raw_terminal();
        }
        r = session_pump(&s, &stream, &err);
        session_restore();
        if (r != 0)
                return r < 0 ? fail(&err) : 0;
        status = exec_status(c, s.id, &err);
        return status < 0 ? fail(&err) : status;
}

static const struct option run_options[] = {
        { 'd', "detach", OPTION_FLAG, NULL, "Run in the background and print the id" },
        { 0, "sig-proxy", OPTION_FLAG, NULL, "Send signals on to the process (default true)" },
        { 0 },
};
static const struct option no_options[] = { { 0 } };
static const struct option start_options[] = {
        { 'a', "attach", OPTION_FLAG, NULL, "Attach to its output, and exit as it does" },
        { 'i', "interactive", OPTION_FLAG, NULL, "Attach to its standard input as well" },
        { 0, "detach-keys", OPTION_TEXT, "KEYS", "Keys that detach" },
        { 0 },
};
static const struct option attach_options[] = {
        { 0, "detach-keys", OPTION_TEXT, "KEYS", "Keys that detach (default ctrl-p,ctrl-q)" },
        { 0, "no-stdin", OPTION_FLAG, NULL, "Do not attach standard input" },
        { 0, "sig-proxy", OPTION_FLAG, NULL, "Send signals on to the process (default true)" },
        { 0 },
};
static const struct option exec_options[] = {
        { 'd', "detach", OPTION_FLAG, NULL, "Run in the background" },
        { 0, "detach-keys", OPTION_TEXT, "KEYS", "Keys that detach" },
        { 'e', "env", OPTION_LIST, "NAME=VALUE", "Set a variable" },
        { 'i', "interactive", OPTION_FLAG, NULL, "Keep standard input open" },
        { 0, "privileged", OPTION_FLAG, NULL, "With all of the container's capabilities" },
        { 't', "tty", OPTION_FLAG, NULL, "Give it a terminal" },
        { 'u', "user", OPTION_TEXT, "USER[:GROUP]", "User name or id" },
        { 'w', "workdir", OPTION_TEXT, "DIR", "Working directory" },
        { 0 },
};

const struct command command_run = {
        "run", "container", NULL, "[OPTIONS] IMAGE [COMMAND] [ARG...]", "Create a container from an image and run it",
        "  kist run --rm kist.local/busybox echo hello\n"
        "  kist run -it --name box -v /srv:/srv kist.local/busybox sh\n"
        "  kist run -d --memory 64m --cpus 0.5 --name web localhost:5000/nginx\n"
        "\nExit status: the container's own; 125 when the engine failed, 126 when the command cannot be executed,\n"
        "127 when it does not exist, 128+n when signal n ended it.\n",
        run_options, container_options, 1, SIZE_MAX, true, run_run,
};
const struct command command_create = {
        "create", "container", NULL, "[OPTIONS] IMAGE [COMMAND] [ARG...]", "Create a container without starting it",
        "  kist create --name job kist.local/busybox true\n  kist start -a job\n", no_options, container_options, 1, SIZE_MAX, true, run_create,
};
const struct command command_start = {
        "start", "container", NULL, "[OPTIONS] CONTAINER [CONTAINER...]", "Start containers that were created or have stopped",
        "  kist start web\n  kist start -ai box\n", start_options, NULL, 1, SIZE_MAX, false, run_start,
};
const struct command command_attach = {
        "attach", "container", NULL, "[OPTIONS] CONTAINER", "Attach to a running container's input and output",
        "  kist attach box          leave it with ctrl-p ctrl-q\n", attach_options, NULL, 1, 1, false, run_attach,
};
const struct command command_exec = {
        "exec", "container", NULL, "[OPTIONS] CONTAINER COMMAND [ARG...]", "Run one more process in a running container",
        "  kist exec web nginx -t\n  kist exec -it -u root box sh\n", exec_options, NULL, 2, SIZE_MAX, true, run_exec,
};
