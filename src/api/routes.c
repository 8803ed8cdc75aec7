/* SPDX-License-Identifier: Apache-2.0 */
#include "api/handlers.h"
#include "api/route.h"
#include "base/mem.h"

/* The whole API at a glance. Order matters where two patterns fit the same path: literal text before captures. What the stock server has
 * and this version has not is refused here with a sentence; any other path is a 404. */

#define NOT_YET(method_, pattern_, what) \
        { .method = method_, .pattern = pattern_, .status = 501, .refusal = what " is not supported by this version of kistd" }
#define NO_SWARM(method_, pattern_) \
        { .method = method_, .pattern = pattern_, .status = 503, .refusal = "This node is not a swarm manager: Kist has no swarm mode; Kubernetes runs containers on many hosts, Compose several on one" }
#define NO_SWARM_SECRETS(method_, pattern_) \
        { .method = method_, .pattern = pattern_, .status = 503, .refusal = "This node is not a swarm manager: Kist has no swarm mode; bind mount a file instead" }
#define NO_PLUGINS_TEXT "Kist has no plugins: volumes, networks and logs are of its own drivers (kist info lists them)"
#define NO_PLUGINS(method_, pattern_) \
        { .method = method_, .pattern = pattern_, .status = 503, .refusal = NO_PLUGINS_TEXT }
#define NO_SUCH_PLUGIN(method_, pattern_) \
        { .method = method_, .pattern = pattern_, .status = 404, .refusal = NO_PLUGINS_TEXT }
#define NO_BUILDKIT(method_, pattern_) \
        { .method = method_, .pattern = pattern_, .status = 503, .refusal = "Kist speaks no BuildKit sessions: build with DOCKER_BUILDKIT=0 (POST /build)" }

const struct route api_routes[] = {
        { "GET", "/_ping", handle_ping },
        { "HEAD", "/_ping", handle_ping },
        { "GET", "/version", handle_version },
        { "GET", "/info", handle_info },
        { "GET", "/events", handle_events },
        { "GET", "/system/df", handle_disk_usage },
        { "POST", "/system/fsck", handle_fsck }, /* Kist's own */
        { "POST", "/auth", handle_login, .body = ROUTE_BODY_JSON },

        { "GET", "/containers/json", handle_container_list },
        { "POST", "/containers/create", handle_container_create, .body = ROUTE_BODY_JSON },
        { "POST", "/containers/prune", handle_container_prune },
        { "GET", "/containers/{name}/json", handle_container_inspect },
        { "GET", "/containers/{name}/top", handle_container_top },
        { "GET", "/containers/{name}/logs", handle_container_logs },
        { "GET", "/containers/{name}/stats", handle_container_stats },
        { "GET", "/containers/{name}/attach/ws", handle_container_attach_websocket },
        { "GET", "/containers/{name}/changes", handle_container_changes },
        { "GET", "/containers/{name}/export", handle_container_export },
        { "GET", "/containers/{name}/archive", handle_archive_get },
        { "HEAD", "/containers/{name}/archive", handle_archive_head },
        { "PUT", "/containers/{name}/archive", handle_archive_put, .body = ROUTE_BODY_UPLOAD, .upload = &archive_upload },
        { "POST", "/containers/{name}/start", handle_container_start },
        { "POST", "/containers/{name}/stop", handle_container_stop },
        { "POST", "/containers/{name}/restart", handle_container_restart },
        { "POST", "/containers/{name}/kill", handle_container_kill },
        { "POST", "/containers/{name}/pause", handle_container_pause },
        { "POST", "/containers/{name}/unpause", handle_container_unpause },
        { "POST", "/containers/{name}/rename", handle_container_rename },
        { "POST", "/containers/{name}/resize", handle_container_resize },
        { "POST", "/containers/{name}/wait", handle_container_wait },
        { "POST", "/containers/{name}/attach", handle_container_attach },
        { "POST", "/containers/{name}/exec", handle_exec_create, .body = ROUTE_BODY_JSON },
        { "POST", "/containers/{name}/update", handle_container_update, .body = ROUTE_BODY_JSON },
        { "DELETE", "/containers/{name}", handle_container_remove },
        { "GET", "/exec/{name}/json", handle_exec_inspect },
        { "POST", "/exec/{name}/start", handle_exec_start, .body = ROUTE_BODY_JSON },
        { "POST", "/exec/{name}/resize", handle_exec_resize },

        { "GET", "/images/json", handle_image_list },
        { "GET", "/images/search", handle_image_search },
        { "GET", "/images/get", handle_image_save },
        { "POST", "/images/create", handle_image_create, .body = ROUTE_BODY_UPLOAD, .upload = &image_create_upload },
        { "POST", "/images/load", handle_image_load, .body = ROUTE_BODY_UPLOAD, .upload = &image_load_upload },
        { "POST", "/images/prune", handle_image_prune },
        { "GET", "/images/{name*}/json", handle_image_inspect },
        { "GET", "/images/{name*}/history", handle_image_history },
        { "GET", "/images/{name*}/get", handle_image_save },
        { "POST", "/images/{name*}/tag", handle_image_tag },
        { "POST", "/images/{name*}/checkout", handle_image_checkout }, /* Kist's own */
        { "POST", "/images/{name*}/push", handle_image_push },
        { "DELETE", "/images/{name*}", handle_image_remove },
        { "GET", "/distribution/{name*}/json", handle_distribution },
        { "GET", "/distribution/{name*}/manifest", handle_remote_manifest }, /* Kist's own */
        { "POST", "/distribution/{name*}/manifest", handle_remote_manifest_push, .body = ROUTE_BODY_JSON }, /* Kist's own */
        { "DELETE", "/distribution/{name*}/manifest", handle_remote_manifest_delete }, /* Kist's own */
        { "GET", "/distribution/{name*}/referrers", handle_referrers }, /* Kist's own */
        { "POST", "/commit", handle_commit, .body = ROUTE_BODY_JSON },
        NOT_YET("POST", "/build", "building images"),
        NOT_YET("POST", "/build/prune", "pruning the build cache"),
        NOT_YET("POST", "/build/cancel", "building images"),
        NO_BUILDKIT("POST", "/session"),
        NO_BUILDKIT("POST", "/grpc"),

        { "GET", "/networks", handle_network_list },
        { "POST", "/networks/create", handle_network_create, .body = ROUTE_BODY_JSON },
        { "POST", "/networks/prune", handle_network_prune },
        { "POST", "/networks/audit", handle_network_audit }, /* Kist's own */
        { "GET", "/networks/{name}", handle_network_inspect },
        { "POST", "/networks/{name}/connect", handle_network_connect, .body = ROUTE_BODY_JSON },
        { "POST", "/networks/{name}/disconnect", handle_network_disconnect, .body = ROUTE_BODY_JSON },
        { "DELETE", "/networks/{name}", handle_network_remove },
        { "GET", "/volumes", handle_volume_list },
        { "POST", "/volumes/create", handle_volume_create, .body = ROUTE_BODY_JSON },
        { "POST", "/volumes/prune", handle_volume_prune },
        /* Kist's own: */
        { "GET", "/volumes/{name}/export", handle_volume_export },
        { "POST", "/volumes/{name}/import", handle_volume_import, .body = ROUTE_BODY_UPLOAD, .upload = &volume_import_upload },
        { "POST", "/volumes/{name}/clone", handle_volume_clone, .body = ROUTE_BODY_JSON },
        { "POST", "/volumes/{name}/snapshot", handle_volume_snapshot, .body = ROUTE_BODY_JSON },
        { "GET", "/volumes/{name}", handle_volume_inspect },
        { "DELETE", "/volumes/{name}", handle_volume_remove },

        NO_SWARM("GET", "/swarm"),
        NO_SWARM("POST", "/swarm/init"),
        NO_SWARM("POST", "/swarm/join"),
        NO_SWARM("POST", "/swarm/leave"),
        NO_SWARM("POST", "/swarm/update"),
        NO_SWARM("POST", "/swarm/unlock"),
        NO_SWARM("GET", "/swarm/unlockkey"),
        NO_SWARM("GET", "/nodes"),
        NO_SWARM("GET", "/nodes/{name}"),
        NO_SWARM("DELETE", "/nodes/{name}"),
        NO_SWARM("POST", "/nodes/{name}/update"),
        NO_SWARM("GET", "/services"),
        NO_SWARM("POST", "/services/create"),
        NO_SWARM("GET", "/services/{name}"),
        NO_SWARM("DELETE", "/services/{name}"),
        NO_SWARM("POST", "/services/{name}/update"),
        NO_SWARM("GET", "/services/{name}/logs"),
        NO_SWARM("GET", "/tasks"),
        NO_SWARM("GET", "/tasks/{name}"),
        NO_SWARM("GET", "/tasks/{name}/logs"),
        NO_SWARM_SECRETS("GET", "/secrets"),
        NO_SWARM_SECRETS("POST", "/secrets/create"),
        NO_SWARM_SECRETS("GET", "/secrets/{name}"),
        NO_SWARM_SECRETS("DELETE", "/secrets/{name}"),
        NO_SWARM_SECRETS("POST", "/secrets/{name}/update"),
        NO_SWARM_SECRETS("GET", "/configs"),
        NO_SWARM_SECRETS("POST", "/configs/create"),
        NO_SWARM_SECRETS("GET", "/configs/{name}"),
        NO_SWARM_SECRETS("DELETE", "/configs/{name}"),
        NO_SWARM_SECRETS("POST", "/configs/{name}/update"),
        NO_SWARM("PUT", "/volumes/{name}"), /* volumes of a cluster only */

        NO_PLUGINS("GET", "/plugins"),
        NO_PLUGINS("GET", "/plugins/privileges"),
        NO_PLUGINS("POST", "/plugins/pull"),
        NO_PLUGINS("POST", "/plugins/create"),
        NO_SUCH_PLUGIN("GET", "/plugins/{name*}/json"), /* `docker inspect` looks among them, too */
        NO_PLUGINS("POST", "/plugins/{name*}/enable"),
        NO_PLUGINS("POST", "/plugins/{name*}/disable"),
        NO_PLUGINS("POST", "/plugins/{name*}/upgrade"),
        NO_PLUGINS("POST", "/plugins/{name*}/push"),
        NO_PLUGINS("POST", "/plugins/{name*}/set"),
        NO_PLUGINS("DELETE", "/plugins/{name*}"),
};
const size_t api_n_routes = ARRAY_SIZE(api_routes);
