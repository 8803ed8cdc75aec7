/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/commands.h"

static const char *command_name(size_t i) {
        return all_commands[i]->name;
}

static bool is_noun(const char *word) {
        for (size_t i = 0; all_commands[i]; i++)
                if (strcmp(all_commands[i]->noun, word) == 0)
                        return true;
        return false;
}

/* `kist ps`, `kist container ls`, and Docker's other spellings of the latter. *used: how many words named it. */
static const struct command *find(int argc, char **argv, int *used) {
        bool noun = argc > 1 && is_noun(argv[0]);
        const char *verb = argv[noun];

        *used = 1 + noun;
        for (size_t i = 0; all_commands[i]; i++) {
                const struct command *c = all_commands[i];
                const char *as_verb = c->verb ? c->verb : c->name;

                if (noun ? strcmp(c->noun, argv[0]) == 0 && (strcmp(as_verb, verb) == 0 ||
                                                             (strcmp(as_verb, "ls") == 0 && strcmp(verb, "list") == 0))
                         : strcmp(c->name, verb) == 0)
                        return c;
        }
        return NULL;
}

static int unknown_command(const char *word) {
        size_t n = 0;
        const char *near;

        while (all_commands[n])
                n++;
        near = help_nearest(word, command_name, n);
        if (near)
                complain("\"%s\" is not a command: did you mean %s?", word, near);
        else
                complain("\"%s\" is not a command", word);
        fprintf(stderr, "See 'kist --help'.\n");
        return 1;
}

static const char *default_host(void) {
        static const char *const variables[] = { "KIST_HOST", "DOCKER_HOST" };

        for (size_t i = 0; i < ARRAY_SIZE(variables); i++) {
                const char *value = getenv(variables[i]);

                if (value && *value)
                        return value;
        }
        return "unix:///run/kist/kist.sock";
}

/* Options before the command. Returns how many words they took, or −1 with *ret_status set: the program ends. */
static int global_options(int argc, char **argv, struct client *client, int *ret_status) {
        int i = 0;

        while (i < argc && argv[i][0] == '-') {
                if ((strcmp(argv[i], "-H") == 0 || strcmp(argv[i], "--host") == 0) && i + 1 < argc) {
                        client->host = argv[i + 1];
                        i += 2;
                } else if (str_starts_with(argv[i], "--host=")) {
                        client->host = argv[i++] + strlen("--host=");
                } else if (strcmp(argv[i], "-v") == 0 || strcmp(argv[i], "--version") == 0) {
                        printf("kist version %s\n", KIST_VERSION);
                        *ret_status = 0;
                        return -1;
                } else if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
                        help_all();
                        *ret_status = 0;
                        return -1;
                } else {
                        complain("unknown flag: %s\nSee 'kist --help'.", argv[i]);
                        *ret_status = EXIT_DAEMON;
                        return -1;
                }
        }
        return i;
}

int main(int argc, char **argv) {
        struct client client = { .host = default_host() };
        const struct command *command;
        struct args *args;
        int used, status = 0, r;

        signal(SIGPIPE, SIG_IGN);
        used = global_options(argc - 1, argv + 1, &client, &status);
        if (used < 0)
                return status;
        argc -= 1 + used;
        argv += 1 + used;
        if (argc == 0) {
                help_all();
                return 0;
        }
        if (strcmp(argv[0], "help") == 0) {
                command = argc > 1 ? find(argc - 1, argv + 1, &used) : NULL;
                if (argc > 1 && !command)
                        return unknown_command(argv[1]);
                if (command)
                        help_command(command);
                else
                        help_all();
                return 0;
        }
        command = find(argc, argv, &used);
        if (!command)
                return unknown_command(is_noun(argv[0]) && argc > 1 ? argv[1] : argv[0]);
        r = args_parse(command, argc - used, argv + used, &args);
        if (r != 0)
                return r > 0 ? 0 : command == &command_run ? EXIT_DAEMON : 1;
        status = command->run(&client, args);
        args_free(args);
        /* What could not be written must not look like success. */
        if (fflush(stdout) != 0 && status == 0)
                status = 1;
        return status;
}
