/* SPDX-License-Identifier: Apache-2.0 */
/* GET /containers/ID/json: what was asked for, with Docker's defaults filled in, and how it is. */

#include <stdio.h>
#include <string.h>

#include "engine/apparmor.h"
#include "engine/config.h"
#include "engine/db.h"
#include "engine/describe.h"
#include "engine/exec.h"
#include "engine/health.h"
#include "engine/internal.h"
#include "engine/links.h"
#include "engine/networks.h"
#include "engine/ports.h"
#include "engine/size.h"
#include "engine/spec.h"
#include "runtime/plan/plan.h"

static json_t *state_object(const struct container_row *row, json_t *health) {
        bool running = row->state == CONTAINER_RUNNING || row->state == CONTAINER_PAUSED;

        return json_pack("{s:s, s:b, s:b, s:b, s:b, s:b, s:i, s:i, s:s, s:o, s:o, s:o*}", "Status", container_state_name(row->state), "Running", running || row->state == CONTAINER_RESTARTING,
                         "Paused", row->state == CONTAINER_PAUSED, "Restarting", row->state == CONTAINER_RESTARTING, "OOMKilled", row->oom_killed, "Dead",
                         row->state == CONTAINER_DEAD, "Pid", running ? row->pid : 0, "ExitCode", row->exit_code, "Error", row->error, "StartedAt",
                         describe_time(row->started_ns), "FinishedAt", describe_time(row->finished_ns), "Health", health);
}

static json_t *copy_or(const json_t *value, json_t *fallback) {
        if (!value || json_is_null(value))
                return fallback;
        json_decref(fallback);
        return json_incref((json_t *) value);
}

static json_t *config_object(const struct spec *s, const struct container_row *row) {
        char hostname[64];
        json_t *c;

        config_hostname(s, row->id, hostname);
        c = json_pack("{s:s, s:s, s:s, s:b, s:b, s:b, s:b, s:b, s:b, s:o, s:o, s:s, s:o, s:s, s:o, s:o, s:o}", "Hostname", hostname, "Domainname", s->domainname, "User",
                      s->user, "AttachStdin", s->attach_stdin, "AttachStdout", s->attach_stdout, "AttachStderr", s->attach_stderr, "Tty", s->tty, "OpenStdin",
                      s->open_stdin, "StdinOnce", s->stdin_once, "Env", copy_or(s->env, json_array()), "Cmd", copy_or(s->cmd, json_null()), "Image", s->image, "Volumes",
                      copy_or(json_object_size(s->volumes) ? s->volumes : NULL, json_null()), "WorkingDir", s->workdir, "Entrypoint", copy_or(s->entrypoint, json_null()), "OnBuild",
                      copy_or(json_object_get(s->body, "OnBuild"), json_null()), "Labels", copy_or(s->labels, json_object()));
        if (s->exposed_ports && json_object_size(s->exposed_ports))
                json_object_set(c, "ExposedPorts", s->exposed_ports);
        if (json_object_size(s->healthcheck))
                json_object_set(c, "Healthcheck", s->healthcheck);
        if (*s->stop_signal)
                json_object_set_new(c, "StopSignal", json_string(s->stop_signal));
        if (json_is_integer(json_object_get(s->body, "StopTimeout")))
                json_object_set_new(c, "StopTimeout", json_integer(s->stop_timeout));
        return c;
}

/* Docker answers with every field; those that were not given have these values. N: null, A: [], "": "", the rest numbers and truths. */
static json_t *host_defaults(void) {
        return json_pack("{s:n, s:s, s:n, s:b, s:s, s:n, s:[i,i], s:n, s:n, s:s, s:[], s:[], s:[], s:n, s:n, s:s, s:s, s:n, s:i, s:s, s:b, s:b, s:b, s:n, s:s, s:s, "
                         "s:I, s:s, s:s, s:i, s:I, s:I, s:s, s:i, s:[], s:n, s:n, s:n, s:n, s:i, s:i, s:i, s:i, s:s, s:s, s:[], s:n, s:n, s:i, s:i, s:n, s:b, s:n, "
                         "s:n, s:i, s:i, s:i, s:i}",
                         "Binds", "ContainerIDFile", "", "VolumesFrom", "AutoRemove", 0, "VolumeDriver", "", "Mounts", "ConsoleSize", 0, 0, "CapAdd", "CapDrop",
                         "CgroupnsMode", "private", "Dns", "DnsOptions", "DnsSearch", "ExtraHosts", "GroupAdd", "IpcMode", "private", "Cgroup", "", "Links", "OomScoreAdj", 0,
                         "PidMode", "", "Privileged", 0, "PublishAllPorts", 0, "ReadonlyRootfs", 0, "SecurityOpt", "UTSMode", "", "UsernsMode", "", "ShmSize",
                         (json_int_t) (64 << 20), "Runtime", "kist", "Isolation", "", "CpuShares", 0, "Memory", (json_int_t) 0, "NanoCpus", (json_int_t) 0, "CgroupParent",
                         "", "BlkioWeight", 0, "BlkioWeightDevice", "BlkioDeviceReadBps", "BlkioDeviceWriteBps", "BlkioDeviceReadIOps", "BlkioDeviceWriteIOps", "CpuPeriod",
                         0, "CpuQuota", 0, "CpuRealtimePeriod", 0, "CpuRealtimeRuntime", 0, "CpusetCpus", "", "CpusetMems", "", "Devices", "DeviceCgroupRules",
                         "DeviceRequests", "MemoryReservation", 0, "MemorySwap", 0, "MemorySwappiness", "OomKillDisable", 0, "PidsLimit", "Ulimits", "CpuCount", 0,
                         "CpuPercent", 0, "IOMaximumIOps", 0, "IOMaximumBandwidth", 0);
}

static json_t *host_object(struct engine *e, const struct spec *s, const char *name) {
        json_t *h = host_defaults(), *v;
        const char *key;

        if (!h)
                return NULL;
        json_object_foreach(s->host, key, v)
                if (!json_is_null(v) || !json_object_get(h, key))
                        json_object_set(h, key, v);
        json_object_set_new(h, "Links", json_or_null(links_describe(e, s, name)));
        json_object_set_new(h, "LogConfig", json_pack("{s:s, s:o}", "Type", log_driver_name(s->log.driver), "Config", copy_or(s->log.options, json_object())));
        json_object_set_new(h, "RestartPolicy", json_pack("{s:s, s:I}", "Name", s->restart == SPEC_RESTART_NO ? "no" : json_get_str(s->restart_policy, "Name", "no"),
                                                          "MaximumRetryCount", (json_int_t) s->restart_max));
        if (!s->shm_size)
                json_object_set_new(h, "ShmSize", json_integer(64 << 20));
        if (!*s->ipc_mode)
                json_object_set_new(h, "IpcMode", json_string("private"));
        if (!*s->cgroupns_mode)
                json_object_set_new(h, "CgroupnsMode", json_string("private"));
        /* That it shares the host's ids although nobody said so is worth showing. */
        if (s->host_userns)
                json_object_set_new(h, "UsernsMode", json_string("host"));
        if (s->memory && !s->memory_swap)
                json_object_set_new(h, "MemorySwap", json_integer(s->memory > INT64_MAX / 2 ? -1 : s->memory * 2));
        json_object_set_new(h, "MaskedPaths", s->masked_paths ? json_incref(s->masked_paths) : s->privileged || s->systempaths_unconfined ? json_array() : plan_default_masked_paths());
        json_object_set_new(h, "ReadonlyPaths",
                            s->readonly_paths ? json_incref(s->readonly_paths) : s->privileged || s->systempaths_unconfined ? json_array() : plan_default_readonly_paths());
        if (!json_object_get(h, "PortBindings"))
                json_object_set_new(h, "PortBindings", json_object());
        /* The words of the command line for "as it is". */
        if (json_get_int(h, "PidsLimit", 0) <= 0)
                json_object_set_new(h, "PidsLimit", json_null());
        if (json_get_int(h, "MemorySwappiness", -1) < 0)
                json_object_set_new(h, "MemorySwappiness", json_null());
        if (json_array_size(json_object_get(h, "SecurityOpt")) == 0)
                json_object_set_new(h, "SecurityOpt", json_null());
        if (json_is_null(json_object_get(h, "Mounts")))
                json_object_del(h, "Mounts");
        if (!*s->cgroup_parent)
                json_object_set_new(h, "CgroupParent", json_sprintf("%s%s", e->systemd_cgroups ? "" : "/", e->cgroup_parent));
        return h;
}

static json_t *network_settings(struct container *c, const struct container_row *row, const struct spec *s) {
        static const struct network_endpoint none;
        const struct network_endpoint *n = &none;
        char endpoint_id[65] = "";

        /* The old fields are about the default network alone. */
        for (size_t i = 0; i < row->n_endpoints; i++)
                if (!strcmp(row->endpoints[i].network, network_id("bridge"))) {
                        n = &row->endpoints[i];
                        network_endpoint_id(row->id, n->network, endpoint_id);
                }
        return json_pack("{s:s, s:s, s:s, s:b, s:s, s:i, s:o, s:n, s:n, s:s, s:s, s:s, s:i, s:s, s:i, s:s, s:s, s:o}", "Bridge", "", "SandboxID", row->n_endpoints ? row->id : "",
                         "SandboxKey", "", "HairpinMode", 0, "LinkLocalIPv6Address", "", "LinkLocalIPv6PrefixLen", 0, "Ports", ports_describe(c, s), "SecondaryIPAddresses",
                         "SecondaryIPv6Addresses", "EndpointID", endpoint_id, "Gateway", n->gateway, "GlobalIPv6Address", n->address6,
                         "GlobalIPv6PrefixLen", (int) n->prefix6, "IPAddress", n->address, "IPPrefixLen", (int) n->prefix, "IPv6Gateway", n->gateway6,
                         "MacAddress", n->mac, "Networks", describe_networks(row, s));
}

/* The first word of the command, and the others. */
static void add_command(json_t *o, const struct spec *s) {
        json_t *all = json_array();
        const json_t *const parts[] = { s->entrypoint, s->cmd };

        for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
                if (json_is_string(parts[i]))
                        json_array_append(all, (json_t *) parts[i]);
                else if (parts[i])
                        json_array_extend(all, (json_t *) parts[i]);
        }
        json_object_set(o, "Path", json_array_get(all, 0));
        json_array_remove(all, 0);
        json_object_set_new(o, "Args", all);
}

static json_t *file_path(struct engine *e, const struct container_row *row, const char *name) {
        return json_sprintf("%s/containers/%s/%s", e->root, row->id, name);
}

int engine_inspect(struct engine *e, const char *name, bool size, json_t **ret, struct err *err) {
        auto_container *c = NULL;
        struct container_row row;
        auto_json *body = NULL, *o = NULL;
        auto_free char *log_name = NULL;
        auto_spec s = {};
        int r = table_find(&e->table, name, &c, err);

        if (r < 0)
                return r;
        container_peek(c, &row);
        if ((r = db_spec(e->db, row.id, &body, err)) < 0 || (r = spec_parse(body, &s, err)) < 0)
                return r;
        log_name = str_format("%s-json.log", row.id);
        o = json_pack("{s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:I, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:{s:s, s:n}, s:o, s:o, s:o}", "Id", row.id, "Created",
                      describe_time(row.created_ns), "State", state_object(&row, health_describe(c)), "Image", row.image_id, "ResolvConfPath", file_path(e, &row, "resolv.conf"), "HostnamePath",
                      file_path(e, &row, "hostname"), "HostsPath", file_path(e, &row, "hosts"), "LogPath",
                      s.log.driver == LOG_JSON_FILE && log_name ? file_path(e, &row, log_name) : json_string(""), "Name", json_sprintf("/%s", row.name), "RestartCount",
                      (json_int_t) row.restart_count, "Driver", "overlay", "Platform", "linux", "MountLabel", "", "ProcessLabel", "", "AppArmorProfile", apparmor_profile(e, &s) ?: (apparmor_is_on() ? "unconfined" : ""), "ExecIDs",
                      execs_ids(e, c), "HostConfig", host_object(e, &s, row.name), "GraphDriver", "Name", "overlay", "Data", "Mounts", describe_mounts(e->root, &s), "Config",
                      config_object(&s, &row), "NetworkSettings", network_settings(c, &row, &s));
        if (!o)
                return err_errno(err, -ENOMEM, "inspecting container %s", row.name);
        add_command(o, &s);
        if (size && (r = size_add(e, &row, o)) < 0)
                return err_errno(err, r, "size of container %s", row.name);
        *ret = take_ptr(&o);
        return 0;
}
