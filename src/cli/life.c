/* SPDX-License-Identifier: Apache-2.0 */
/* stop, restart, kill, pause, unpause, rm, wait, rename: one call per container, its name printed when it went well. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "cli/client.h"
#include "cli/commands.h"

/* Call METHOD /containers/NAME/action for every argument. prepare() adds the query. */
static int for_each(struct client *c, const struct args *a, const char *method, const char *action,
                    void (*prepare)(const struct args *a, struct path *p)) {
        int status = 0;

        for (size_t i = 0; i < args_count(a); i++) {
                auto_free char *name = path_escape(args_at(a, i));
                auto_path path = { 0 };
                struct err err = { 0 };

                path_init(&path, "/containers/%s%s", name, action);
                if (prepare)
                        prepare(a, &path);
                if (client_call(c, method, &path, NULL, NULL, &err) < 0 && err.kind != ERR_NOT_MODIFIED)
                        status = client_complain(&err, 1);
                else
                        printf("%s\n", args_at(a, i));
        }
        return status;
}

static void stop_query(const struct args *a, struct path *p) {
        path_query(p, "t", args_text(a, "time") ? args_text(a, "time") : args_text(a, "timeout"));
        path_query(p, "signal", args_text(a, "signal"));
}

static void kill_query(const struct args *a, struct path *p) {
        path_query(p, "signal", args_text(a, "signal"));
}

static void rm_query(const struct args *a, struct path *p) {
        path_query_flag(p, "force", args_flag(a, "force"));
        path_query_flag(p, "v", args_flag(a, "volumes"));
}

static int run_stop(struct client *c, const struct args *a) {
        return for_each(c, a, "POST", "/stop", stop_query);
}

static int run_restart(struct client *c, const struct args *a) {
        return for_each(c, a, "POST", "/restart", stop_query);
}

static int run_kill(struct client *c, const struct args *a) {
        return for_each(c, a, "POST", "/kill", kill_query);
}

static int run_pause(struct client *c, const struct args *a) {
        return for_each(c, a, "POST", "/pause", NULL);
}

static int run_unpause(struct client *c, const struct args *a) {
        return for_each(c, a, "POST", "/unpause", NULL);
}

static int run_rm(struct client *c, const struct args *a) {
        return for_each(c, a, "DELETE", "", rm_query);
}

static int print_status(json_t *object, void *data) {
        printf("%d\n", (int) json_get_int(object, "StatusCode", -1));
        return 0;
}

static int run_wait(struct client *c, const struct args *a) {
        int status = 0;

        for (size_t i = 0; i < args_count(a); i++) {
                auto_free char *name = path_escape(args_at(a, i));
                auto_http h = { .fd = -EBADF };
                auto_path path = { 0 };
                struct err err = { 0 };

                path_init(&path, "/containers/%s/wait", name);
                path_query(&path, "condition", args_text(a, "condition"));
                if (client_open(c, &h, "POST", &path, NULL, &err) < 0 || client_stream(&h, print_status, NULL, &err) < 0)
                        status = client_complain(&err, 1);
        }
        return status;
}

static int run_rename(struct client *c, const struct args *a) {
        auto_free char *name = path_escape(args_at(a, 0));
        auto_path path = { 0 };
        struct err err = { 0 };

        path_init(&path, "/containers/%s/rename", name);
        path_query(&path, "name", args_at(a, 1));
        return client_call(c, "POST", &path, NULL, NULL, &err) < 0 ? client_complain(&err, 1) : 0;
}

static const struct option stop_options[] = {
        { 's', "signal", OPTION_TEXT, "SIGNAL", "Instead of the container's stop signal" },
        { 't', "time", OPTION_TEXT, "SECONDS", "Wait this long before killing it (-1: for ever)" },
        { 0, "timeout", OPTION_TEXT, "SECONDS", "The same as --time" },
        { 0 },
};
static const struct option kill_options[] = {
        { 's', "signal", OPTION_TEXT, "SIGNAL", "Signal to send (default KILL)" },
        { 0 },
};
static const struct option rm_options[] = {
        { 'f', "force", OPTION_FLAG, NULL, "Kill it first when it runs" },
        { 'v', "volumes", OPTION_FLAG, NULL, "Remove its anonymous volumes too" },
        { 0 },
};
static const struct option wait_options[] = {
        { 0, "condition", OPTION_TEXT, "WHEN", "not-running (default), next-exit or removed" },
        { 0 },
};
static const struct option no_options[] = { { 0 } };

const struct command command_stop = {
        "stop", "container", NULL, "[OPTIONS] CONTAINER [CONTAINER...]", "Stop containers: the stop signal, then SIGKILL",
        "  kist stop -t 2 web\n", stop_options, NULL, 1, SIZE_MAX, false, run_stop,
};
const struct command command_restart = {
        "restart", "container", NULL, "[OPTIONS] CONTAINER [CONTAINER...]", "Stop containers and start them again", "  kist restart -t 2 web\n",
        stop_options, NULL, 1, SIZE_MAX, false, run_restart,
};
const struct command command_kill = {
        "kill", "container", NULL, "[OPTIONS] CONTAINER [CONTAINER...]", "Send a signal to containers",
        "  kist kill -s HUP web\n", kill_options, NULL, 1, SIZE_MAX, false, run_kill,
};
const struct command command_pause = {
        "pause", "container", NULL, "CONTAINER [CONTAINER...]", "Freeze all processes of containers", "  kist pause web\n",
        no_options, NULL, 1, SIZE_MAX, false, run_pause,
};
const struct command command_unpause = {
        "unpause", "container", NULL, "CONTAINER [CONTAINER...]", "Let frozen containers go on", "  kist unpause web\n",
        no_options, NULL, 1, SIZE_MAX, false, run_unpause,
};
const struct command command_rm = {
        "rm", "container", NULL, "[OPTIONS] CONTAINER [CONTAINER...]", "Remove containers",
        "  kist rm -f $(kist ps -aq)\n", rm_options, NULL, 1, SIZE_MAX, false, run_rm,
};
const struct command command_wait = {
        "wait", "container", NULL, "[OPTIONS] CONTAINER [CONTAINER...]", "Wait until containers have ended and print their exit status", "  kist wait job\n",
        wait_options, NULL, 1, SIZE_MAX, false, run_wait,
};
const struct command command_rename = {
        "rename", "container", NULL, "CONTAINER NAME", "Give a container another name", "  kist rename web web-old\n", no_options, NULL, 2, 2, false, run_rename,
};
