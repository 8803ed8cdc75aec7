/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"

#include <stddef.h>

/* In the order of `kist --help`. */
const struct command *const all_commands[] = {
        &command_run,    &command_create, &command_start,   &command_stop,   &command_restart, &command_kill,
        &command_rm,     &command_ps,     &command_exec,    &command_attach, &command_logs,    &command_inspect,
        &command_wait,   &command_pause,  &command_unpause, &command_rename, &command_update,  &command_top,
        &command_stats,  &command_port,
        &command_images, &command_pull,   &command_rmi,     &command_tag,     &command_history, &command_load,   &command_save,
        &command_import, &command_search,
        &command_cp,     &command_diff,   &command_commit,  &command_export, &command_version, &command_info,
        &command_events,
        &command_container_inspect, &command_container_exists, &command_container_prune, &command_healthcheck_run,
        &command_image_inspect, &command_image_prune,
        &command_network_create, &command_network_ls, &command_network_inspect, &command_network_connect,
        &command_network_disconnect, &command_network_rm, &command_network_prune,
        &command_volume_create, &command_volume_inspect, &command_volume_ls, &command_volume_prune, &command_volume_rm, &command_volume_update,
        &command_system_df, &command_system_prune, NULL,
};
