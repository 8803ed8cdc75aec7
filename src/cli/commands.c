/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"

#include <stdint.h>
#include <string.h>

#include "base/mem.h"

const char *program_name = "kist";

/* In the order of `kist --help`. */
const struct command *const all_commands[] = {
        &command_run,    &command_create, &command_start,   &command_stop,   &command_restart, &command_kill,
        &command_rm,     &command_ps,     &command_exec,    &command_attach, &command_logs,    &command_inspect,
        &command_wait,   &command_pause,  &command_unpause, &command_rename, &command_update,  &command_top,
        &command_stats,  &command_port,
        &command_images, &command_pull,   &command_rmi,     &command_tag,     &command_history, &command_load,   &command_save,
        &command_import, &command_search,
        &command_push,   &command_login,   &command_logout,
        &command_cp,     &command_diff,   &command_commit,  &command_export, &command_version, &command_info,
        &command_events,
        &command_container_inspect, &command_container_exists, &command_container_prune, &command_healthcheck_run,
        &command_image_bootstrap, &command_image_checkout, &command_image_inspect, &command_image_prune,
        &command_manifest_annotate, &command_manifest_create, &command_manifest_inspect, &command_manifest_push, &command_manifest_rm,
        &command_network_create, &command_network_ls, &command_network_inspect, &command_network_connect,
        &command_network_disconnect, &command_network_rm, &command_network_prune, &command_network_audit,
        &command_registry_delete, &command_registry_referrers,
        &command_volume_create, &command_volume_inspect, &command_volume_ls, &command_volume_prune, &command_volume_rm, &command_volume_update,
        &command_volume_export, &command_volume_import, &command_volume_clone, &command_volume_snapshot,
        &command_system_df, &command_system_fsck, &command_system_prune,
        &command_dial_stdio, &command_completion,
        &command_context_create, &command_context_export, &command_context_import, &command_context_inspect, &command_context_ls,
        &command_context_rm, &command_context_show, &command_context_update, &command_context_use, NULL,
};

static const struct option global_options[] = {
        { 'c', "context", OPTION_TEXT, "CONTEXT", "Which daemon, by the name of a context" },
        { 'H', "host", OPTION_TEXT, "HOST", "Which daemon: unix://PATH, tcp://HOST:PORT or ssh://[USER@]HOST" },
        { 0, "config", OPTION_TEXT, "DIR", "Where config.json and contexts are (else KIST_CONFIG, DOCKER_CONFIG, ~/.docker)" },
        { 0, "tls", OPTION_FLAG, NULL, "Talk TLS over tcp://" },
        { 0, "tlsverify", OPTION_FLAG, NULL, "Talk TLS over tcp:// with a host whose certificate is good only" },
        { 0, "tlscacert", OPTION_TEXT, "FILE", "Certificates of the authorities for the host" },
        { 0, "tlscert", OPTION_TEXT, "FILE", "Our certificate" },
        { 0, "tlskey", OPTION_TEXT, "FILE", "Its key" },
        { 0, "man", OPTION_FLAG, NULL, "Print the manual page of a command" },
        { 'v', "version", OPTION_FLAG, NULL, "Version of this program" },
        { 'h', "help", OPTION_FLAG, NULL, "Print this text" },
        { 0 },
};

const struct command global_command = {
        .name = "kist",
        .usage = "[OPTIONS] COMMAND [ARG...]",
        .summary = "Containers, their images and networks. A running kistd does the work.",
        .options = global_options,
        .max_args = SIZE_MAX,
        .stop_at_first = true,
};

bool command_is_noun(const char *word) {
        for (size_t i = 0; all_commands[i]; i++)
                if (all_commands[i]->noun && strcmp(all_commands[i]->noun, word) == 0)
                        return true;
        return false;
}

const char *command_verb(const struct command *c) {
        return c->verb ? c->verb : c->name;
}

static bool is_verb(const struct command *c, const char *word) {
        static const struct {
                const char *verb, *noun, *other; /* noun NULL: of all of them */
        } others[] = {
                { "ls", NULL, "list" }, { "rm", NULL, "remove" }, { "ls", "container", "ps" }, { "rm", "image", "rmi" },
        };
        const char *verb = command_verb(c);

        for (size_t i = 0; i < ARRAY_SIZE(others); i++)
                if (strcmp(verb, others[i].verb) == 0 && strcmp(word, others[i].other) == 0 && (!others[i].noun || strcmp(c->noun, others[i].noun) == 0))
                        return true;
        return strcmp(verb, word) == 0;
}

const struct command *command_find(int argc, char **argv, size_t *used) {
        /* "kist volume ls", but also "kist events", should there be a noun of that name. */
        if (argc > 1 && command_is_noun(argv[0]))
                for (size_t i = 0; all_commands[i]; i++) {
                        const struct command *c = all_commands[i];

                        *used = 2;
                        if (c->noun && strcmp(c->noun, argv[0]) == 0 && is_verb(c, argv[1]))
                                return c;
                }
        *used = 1;
        for (size_t i = 0; argc > 0 && all_commands[i]; i++)
                if (strcmp(all_commands[i]->name, argv[0]) == 0)
                        return all_commands[i];
        return NULL;
}

int command_usage_status(const struct command *c) {
        return c == &command_run || c == &command_create ? EXIT_DAEMON : 1;
}
