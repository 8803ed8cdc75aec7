/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/oci.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/mem.h"

static const struct command commands[] = {
        { "create", "ID", "make a container from a bundle; its process waits for start", 1, 1, OF_CREATE, true, false, command_create },
        { "start", "ID", "let the process of a created container begin", 1, 1, OF_START, false, false, command_start },
        { "run", "ID", "create, start, wait, delete", 1, 1, OF_RUN, true, false, command_run },
        { "state", "ID", "print the state of a container as JSON", 1, 1, OF_STATE, false, false, command_state },
        { "kill", "ID [SIGNAL]", "send a signal (default TERM)", 1, 2, OF_KILL, false, false, command_kill },
        { "delete", "ID", "remove what is left of a container", 1, 1, OF_DELETE, false, false, command_delete },
        /* 255, as the others: 1 is what many a command fails with. */
        { "exec", "ID COMMAND [ARG…]", "run one more process in a container", 1, -1, OF_EXEC, true, true, command_exec, 255 },
        { "list", "", "list the containers", 0, 0, OF_LIST, false, false, command_list },
        { "ps", "ID", "list the processes of a container", 1, 1, OF_PS, false, false, command_ps },
        { "pause", "ID", "freeze all processes of a container", 1, 1, OF_PAUSE, false, false, command_pause },
        { "resume", "ID", "let them go on", 1, 1, OF_PAUSE, false, false, command_resume },
        { "events", "ID", "print figures and out-of-memory events as JSON, one a line", 1, 1, OF_EVENTS, false, false, command_events },
        { "update", "ID", "change the limits of a container", 1, 1, OF_UPDATE, false, false, command_update },
        { "checkpoint", "ID", "save all processes of a container, and end it", 1, 1, OF_CHECKPOINT, false, false, command_checkpoint },
        { "restore", "ID", "make a container from what was saved", 1, 1, OF_RESTORE, false, false, command_restore },
        { "spec", "", "write a config.json to begin with", 0, 0, OF_SPEC, false, false, command_spec },
        { "features", "", "print what this runtime can do as JSON", 0, 0, OF_FEATURES, false, false, command_features },
};

static int print_usage(void) {
        printf("usage: " PROGRAM " [OPTION…] COMMAND [OPTION…] [ARGUMENT…]\n\nCommands:\n");
        for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
                printf("  %-9s %-18s %s\n", commands[i].name, commands[i].arguments, commands[i].help);
        printf("\nOptions:\n");
        options_print(OF_GLOBAL);
        return 0;
}

static int print_command_usage(const struct command *c) {
        printf("usage: " PROGRAM " %s [OPTION…] %s\n\n%s\n\nOptions:\n", c->name, c->arguments, c->help);
        options_print(c->bit);
        return 0;
}

static int print_version(void) {
        printf(PROGRAM " version " KIST_VERSION "\nspec: " OCI_VERSION "\n");
        return 0;
}

static const struct command *find(const char *name) {
        for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
                if (strcmp(commands[i].name, name) == 0)
                        return &commands[i];
        return NULL;
}

static int check_globals(const struct options *o, struct err *err) {
        if (o->log_format && strcmp(o->log_format, "text") != 0 && strcmp(o->log_format, "json") != 0)
                return err_set(err, ERR_INVALID, -EINVAL, "--log-format %s: neither text nor json", o->log_format);
        if (o->rootless_mode && strcmp(o->rootless_mode, "auto") != 0 && strcmp(o->rootless_mode, "true") != 0 &&
            strcmp(o->rootless_mode, "false") != 0)
                return err_set(err, ERR_INVALID, -EINVAL, "--rootless %s: neither true nor false nor auto", o->rootless_mode);
        if (o->cgroup_manager && strcmp(o->cgroup_manager, "cgroupfs") != 0 && strcmp(o->cgroup_manager, "systemd") != 0)
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "--cgroup-manager %s: neither cgroupfs nor systemd", o->cgroup_manager);
        return 0;
}

static int check_count(const struct command *c, int n, struct err *err) {
        if (n < c->min)
                return err_set(err, ERR_INVALID, -EINVAL, "%s needs %s", c->name, c->arguments);
        if (c->max >= 0 && n > c->max)
                return err_set(err, ERR_INVALID, -EINVAL, "%s: too many arguments", c->name);
        return 0;
}

static int dispatch(int argc, char **argv, struct options *o, char **args, int *failure, struct err *err) {
        const struct command *c;
        int at = 1, n_args = 0;
        int r = options_parse(argv, argc, &at, OF_GLOBAL, true, false, o, args, &n_args, err);

        if (r < 0)
                return r;
        if (o->version)
                return print_version();
        if (o->help || at >= argc)
                return print_usage();
        c = find(argv[at]);
        if (!c)
                return err_set(err, ERR_INVALID, -EINVAL, "unknown command %s", argv[at]);
        at++;
        *failure = c->failure ?: EXIT_FAILURE;
        r = options_parse(argv, argc, &at, c->bit, false, c->rest_is_verbatim, o, args, &n_args, err);
        if (r == 0)
                r = check_globals(o, err);
        if (r < 0)
                return r;
        if (o->help)
                return print_command_usage(c);
        r = check_count(c, n_args, err);
        if (r == 0 && c->enters)
                r = self_protect(argv, err);
        return r < 0 ? r : c->run(o, args, n_args, err);
}

/* Callers tell "no such command" from "cannot be executed" by looking for these words, as if there were no directories. */
static void say_as_callers_expect(struct err *err) {
        static const char words[] = ": permission denied";
        size_t n = strlen(err->msg);

        if (err->kind == ERR_NOT_EXECUTABLE && !strstr(err->msg, words + 2) && n + sizeof(words) <= sizeof(err->msg))
                memcpy(err->msg + n, words, sizeof(words));
}

/* What they would do by themselves, with fewer system calls: memory comes in one piece, and the seed of hash tables is what the kernel has given
 * to every program at its start anyway. */
static void set_up_libraries(void) {
        const void *random = (const void *) getauxval(AT_RANDOM); /* 16 bytes */
        size_t seed;

        mallopt(M_TOP_PAD, 512 << 10);
        if (!random)
                return;
        memcpy(&seed, random, sizeof(seed));
        json_object_seed(seed | 1);
}

int main(int argc, char **argv) {
        static struct options options;
        struct err err = { 0 };
        char **args = calloc((size_t) argc + 1, sizeof(*args));
        int r, failure = EXIT_FAILURE;

        set_up_libraries();
        /* A reader of ours that went away is an error of write(2), not our death half-way. */
        signal(SIGPIPE, SIG_IGN);
        if (!args)
                return EXIT_FAILURE;
        r = dispatch(argc, argv, &options, args, &failure, &err);
        free(args);
        if (r < 0) {
                say_as_callers_expect(&err);
                report_error(&options, &err);
        }
        return r < 0 ? failure : r;
}
