/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "cli/absent.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/complete.h"
#include "cli/endpoint.h"
#include "cli/man.h"

static const char *command_name(size_t i) {
        return all_commands[i]->name;
}

static const char *verbs_of; /* help_nearest() asks by index only */

static const char *verb_name(size_t i) {
        const struct command *c = all_commands[i];

        return c->noun && strcmp(c->noun, verbs_of) == 0 ? command_verb(c) : "";
}

static int unknown_command(const char *noun, const char *word) {
        size_t n = 0;
        const char *near;

        while (all_commands[n])
                n++;
        if (absent_complain(word))
                return EXIT_DAEMON;
        verbs_of = noun;
        near = help_nearest(word, noun ? verb_name : command_name, n);
        if (noun && near)
                complain("\"%s %s\" is not a command: did you mean %s %s?", noun, word, noun, near);
        else if (noun)
                complain("\"%s %s\" is not a command", noun, word);
        else if (near)
                complain("\"%s\" is not a command: did you mean %s?", word, near);
        else
                complain("\"%s\" is not a command", word);
        fprintf(stderr, "See '%s %s%s--help'.\n", program_name, noun ? noun : "", noun ? " " : "");
        return 1;
}

static int help(int argc, char **argv) {
        const struct command *command;
        size_t used;

        if (argc == 0) {
                help_all();
                return 0;
        }
        command = command_find(argc, argv, &used);
        if (command)
                help_command(command);
        else if (command_is_noun(argv[0]) && argc == 1)
                help_noun(argv[0]);
        else
                return unknown_command(NULL, argv[0]);
        return 0;
}

static int run_command(const struct args *global, int argc, char **argv) {
        struct client client = { 0 };
        const struct command *command;
        struct err err = { 0 };
        struct args *args;
        int status, r;
        size_t used;

        command = command_find(argc, argv, &used);
        if (!command && command_is_noun(argv[0])) {
                if (argc > 1 && argv[1][0] != '-')
                        return unknown_command(argv[0], argv[1]);
                help_noun(argv[0]);
                return argc > 1 && strcmp(argv[1], "--help") != 0 ? 1 : 0;
        }
        if (!command)
                return unknown_command(NULL, argv[0]);
        r = args_parse(command, argc - (int) used, argv + used, &args);
        if (r != 0)
                return r > 0 ? 0 : command_usage_status(command);
        if (!command->local && endpoint_choose(global, &client.host, &err) < 0) {
                status = client_complain(&err, command_usage_status(command));
        } else {
                status = command->run(&client, args);
                /* What could not be written must not look like success. */
                if (fflush(stdout) != 0 && status == 0)
                        status = 1;
        }
        args_free(args);
        return status;
}

int main(int argc, char **argv) {
        const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
        struct args *global;
        int status = 0, r;

        signal(SIGPIPE, SIG_IGN);
        /* People who type docker read docker in what comes back. */
        if (argc > 0 && strcmp(slash ? slash + 1 : argv[0], "docker") == 0)
                program_name = "docker";
        r = args_parse(&global_command, argc > 0 ? argc - 1 : 0, argv + 1, &global);
        if (r != 0)
                return r > 0 ? 0 : EXIT_DAEMON;
        endpoint_take_options(global);
        argc = (int) args_count(global);
        argv += args_first(global);
        if (args_flag(global, "version"))
                printf("%s version %s\n", program_name, KIST_VERSION);
        else if (args_flag(global, "help"))
                help_all();
        else if (args_flag(global, "man"))
                status = man_print(argc, argv);
        else if (argc == 0)
                help_all();
        else if (strcmp(argv[0], "help") == 0)
                status = help(argc - 1, argv + 1);
        else if (strcmp(argv[0], COMPLETE_WORD) == 0)
                status = complete(global, argc - 1, argv + 1);
        else
                status = run_command(global, argc, argv);
        args_free(global);
        return status;
}
