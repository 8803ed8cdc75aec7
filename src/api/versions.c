/* SPDX-License-Identifier: Apache-2.0 */
#include "api/versions.h"

#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#define FROM(n) n, 999
#define UNTIL(n) 0, n

/* A member is there from one version to another, and is taken out of the others. "*" stands for every member of an object or entry of an array.
 * Where it is missing: `value`, as JSON text; "=Other" is a copy of the member beside it; "!" before it: whatever was there. */
struct rule {
        const char *path;
        unsigned from, to;
        const char *value;
};

#define BLANK_CONFIG                                                                                                                         \
        "{\"Hostname\":\"\",\"Domainname\":\"\",\"User\":\"\",\"AttachStdin\":false,\"AttachStdout\":false,\"AttachStderr\":false,"              \
        "\"Tty\":false,\"OpenStdin\":false,\"StdinOnce\":false,\"Env\":null,\"Cmd\":null,\"Image\":\"\",\"Volumes\":null,\"WorkingDir\":\"\","   \
        "\"Entrypoint\":null,\"OnBuild\":null,\"Labels\":null}"

static const struct rule container_rules[] = {
        { "HostConfig.Annotations", FROM(43) },
        { "HostConfig.AutoRemove", FROM(25) },
        { "HostConfig.CgroupnsMode", FROM(41) },
        { "HostConfig.CpuCount", FROM(25) },
        { "HostConfig.CpuPercent", FROM(25) },
        { "HostConfig.CpuRealtimePeriod", FROM(25) },
        { "HostConfig.CpuRealtimeRuntime", FROM(25) },
        { "HostConfig.DeviceCgroupRules", FROM(28) },
        { "HostConfig.DeviceRequests", FROM(40) },
        { "HostConfig.Init", FROM(25) },
        { "HostConfig.KernelMemory", UNTIL(41), "0" },
        { "HostConfig.KernelMemoryTCP", 40, 41, "0" },
        { "HostConfig.Mounts", FROM(25) },
        { "HostConfig.NanoCpus", FROM(25) },
        { "Config.Healthcheck.StartInterval", FROM(44) },
        { "Config.Healthcheck.StartPeriod", FROM(29) },
        { "Config.MacAddress", UNTIL(51) },
        { "Config.StopTimeout", FROM(25) },
        { "ImageManifestDescriptor", FROM(48) },
        { "NetworkSettings.Networks.*.DNSNames", FROM(44) },
        { "NetworkSettings.Networks.*.GwPriority", FROM(48) },
        { "NetworkSettings.Bridge", UNTIL(51) },
        { "NetworkSettings.EndpointID", UNTIL(51) },
        { "NetworkSettings.Gateway", UNTIL(51) },
        { "NetworkSettings.GlobalIPv6Address", UNTIL(51) },
        { "NetworkSettings.GlobalIPv6PrefixLen", UNTIL(51) },
        { "NetworkSettings.HairpinMode", UNTIL(51) },
        { "NetworkSettings.IPAddress", UNTIL(51) },
        { "NetworkSettings.IPPrefixLen", UNTIL(51) },
        { "NetworkSettings.IPv6Gateway", UNTIL(51) },
        { "NetworkSettings.LinkLocalIPv6Address", UNTIL(51) },
        { "NetworkSettings.LinkLocalIPv6PrefixLen", UNTIL(51) },
        { "NetworkSettings.MacAddress", UNTIL(51) },
        { "NetworkSettings.SecondaryIPAddresses", UNTIL(51) },
        { "NetworkSettings.SecondaryIPv6Addresses", UNTIL(51) },
};

static const struct rule container_list_rules[] = {
        { "Health", FROM(52) },
        { "HostConfig.Annotations", FROM(46) },
        { "ImageManifestDescriptor", FROM(48) },
        { "NetworkSettings.Networks.*.DNSNames", FROM(44) },
        { "NetworkSettings.Networks.*.GwPriority", FROM(48) },
};

static const struct rule disk_usage_rules[] = {
        { "BuilderSize", 31, 41, "0" },
        { "BuildCache", FROM(31) },
        { "BuildCacheUsage", FROM(52) },
        { "ContainersUsage", FROM(52) },
        { "ImagesUsage", FROM(52) },
        { "VolumesUsage", FROM(52) },
        { "Images.*.Containers", FROM(25) },
        { "Images.*.VirtualSize", UNTIL(43), "=Size" },
        { "Volumes.*.CreatedAt", FROM(31) },
};

static const struct rule event_rules[] = {
        { "from", UNTIL(51) },
        { "id", UNTIL(51) },
        { "status", UNTIL(51) },
};

static const struct rule exec_rules[] = {
        { "Pid", FROM(25) },
};

static const struct rule image_rules[] = {
        { "Container", UNTIL(44), "\"\"" },
        { "ContainerConfig", UNTIL(44), BLANK_CONFIG },
        { "Config.AttachStderr", UNTIL(49), "false" },
        { "Config.AttachStdin", UNTIL(49), "false" },
        { "Config.AttachStdout", UNTIL(49), "false" },
        { "Config.Domainname", UNTIL(49), "\"\"" },
        { "Config.Hostname", UNTIL(49), "\"\"" },
        { "Config.Image", UNTIL(49), "\"\"" },
        { "Config.OpenStdin", UNTIL(49), "false" },
        { "Config.StdinOnce", UNTIL(49), "false" },
        { "Config.Tty", UNTIL(49), "false" },
        { "Config.Cmd", FROM(0), "null" },
        { "Config.Entrypoint", FROM(0), "null" },
        { "Config.Env", FROM(0), "null" },
        { "Config.Labels", FROM(0), "null" },
        { "Config.OnBuild", FROM(0), "null" },
        { "Config.User", FROM(0), "\"\"" },
        { "Config.Volumes", FROM(0), "null" },
        { "Config.WorkingDir", FROM(0), "\"\"" },
        { "VirtualSize", UNTIL(43), "=Size" },
};

static const struct rule image_list_rules[] = {
        { "VirtualSize", UNTIL(43), "=Size" },
};

/* Never counted before 1.51. */
static const struct rule image_count_rules[] = {
        { "Containers", FROM(0), "!-1" },
};

static const struct rule info_rules[] = {
        { "BridgeNfIp6tables", UNTIL(49), "false" },
        { "BridgeNfIptables", UNTIL(49), "false" },
        { "CDISpecDirs", FROM(44) },
        { "CgroupVersion", FROM(41) },
        { "ContainerdCommit.Expected", UNTIL(48), "=ID" },
        { "DefaultAddressPools", FROM(41) },
        { "DiscoveredDevices", FROM(50) },
        { "ExecutionDriver", UNTIL(24), "\"<not supported>\"" },
        { "FirewallBackend", FROM(49) },
        { "InitCommit.Expected", UNTIL(48), "=ID" },
        { "Isolation", FROM(25), "\"\"" },
        { "KernelMemory", UNTIL(41), "false" },
        { "KernelMemoryTCP", 40, 41, "false" },
        { "PidsLimit", FROM(40) },
        { "Plugins.Log", FROM(30) },
        { "RegistryConfig.AllowNondistributableArtifactsCIDRs", UNTIL(48), "null" },
        { "RegistryConfig.AllowNondistributableArtifactsHostnames", UNTIL(48), "null" },
        { "RuncCommit.Expected", UNTIL(48), "=ID" },
        { "Runtimes.*.status", FROM(44) },
        { "Warnings", FROM(39) },
};

static const struct rule network_rules[] = {
        { "ConfigFrom", FROM(30) },
        { "ConfigOnly", FROM(30) },
        { "Created", FROM(25) },
        { "EnableIPv4", FROM(48) },
        { "Ingress", FROM(29) },
        { "Status", FROM(52) },
};

static const struct rule stats_rules[] = {
        { "cpu_stats.online_cpus", FROM(27) },
        { "os_type", FROM(52) },
        { "precpu_stats.online_cpus", FROM(27) },
};

static const struct rule version_rules[] = {
        { "Components", FROM(35) },
        { "MinAPIVersion", FROM(25) },
        { "Platform", FROM(35) },
};

static const struct rule volume_rules[] = {
        { "CreatedAt", FROM(31) },
        { "Options", FROM(25) },
};

/* What a version does not know, its clients do not mean. */
static const struct rule create_rules[] = {
        { "Healthcheck.StartInterval", FROM(44) },
        { "Healthcheck.StartPeriod", FROM(29) },
        { "HostConfig.Annotations", FROM(43) },
        { "HostConfig.AutoRemove", FROM(25) },
        { "HostConfig.CgroupnsMode", FROM(41) },
        { "HostConfig.ConsoleSize", FROM(42) },
        { "HostConfig.DeviceCgroupRules", FROM(28) },
        { "HostConfig.DeviceRequests", FROM(40) },
        { "HostConfig.Init", FROM(25) },
        { "HostConfig.Mounts", FROM(25) },
        { "HostConfig.Mounts.*.BindOptions.CreateMountpoint", FROM(42) },
        { "HostConfig.Mounts.*.BindOptions.NonRecursive", FROM(40) },
        { "HostConfig.Mounts.*.BindOptions.ReadOnlyForceRecursive", FROM(44) },
        { "HostConfig.Mounts.*.BindOptions.ReadOnlyNonRecursive", FROM(44) },
        { "HostConfig.Mounts.*.TmpfsOptions.Options", FROM(46) },
        { "HostConfig.Mounts.*.VolumeOptions.Subpath", FROM(45) },
        { "HostConfig.NanoCpus", FROM(25) },
        { "MacAddress", UNTIL(51) },
        { "NetworkingConfig.EndpointsConfig.*.GwPriority", FROM(48) },
        { "NetworkingConfig.EndpointsConfig.*.MacAddress", FROM(44) },
        { "StopTimeout", FROM(25) },
};

static const struct rule exec_create_rules[] = {
        { "ConsoleSize", FROM(42) },
        { "Env", FROM(25) },
        { "WorkingDir", FROM(35) },
};

static const struct rule update_rules[] = {
        { "NanoCpus", FROM(28) },
        { "PidsLimit", FROM(40) },
};

#define RULES(r) { r, ARRAY_SIZE(r) }
static const struct {
        const struct rule *rules;
        size_t n;
} shapes[_SHAPE_MAX] = {
        [SHAPE_CONTAINER] = RULES(container_rules),
        [SHAPE_CONTAINER_LIST] = RULES(container_list_rules),
        [SHAPE_DISK_USAGE] = RULES(disk_usage_rules),
        [SHAPE_EVENT] = RULES(event_rules),
        [SHAPE_EXEC] = RULES(exec_rules),
        [SHAPE_IMAGE] = RULES(image_rules),
        [SHAPE_IMAGE_LIST] = RULES(image_list_rules),
        [SHAPE_INFO] = RULES(info_rules),
        [SHAPE_NETWORK] = RULES(network_rules),
        [SHAPE_STATS] = RULES(stats_rules),
        [SHAPE_VERSION] = RULES(version_rules),
        [SHAPE_VOLUME] = RULES(volume_rules),
        [SHAPE_CREATE] = RULES(create_rules),
        [SHAPE_EXEC_CREATE] = RULES(exec_create_rules),
        [SHAPE_UPDATE] = RULES(update_rules),
};

static json_t *value_of(const char *text, const json_t *beside) {
        if (*text == '=')
                return json_copy(json_object_get(beside, text + 1));
        return json_loads(text, JSON_DECODE_ANY, NULL);
}

static void apply_to_member(const struct rule *r, const char *name, bool is_in, json_t *object) {
        bool whatever = r->value && *r->value == '!';

        if (!is_in)
                json_object_del(object, name);
        else if (r->value && (whatever || !json_object_get(object, name)))
                json_object_set_new(object, name, value_of(r->value + whatever, object));
}

/* Down to the object that has, or is to have, the last part of the path. */
static void apply_rule(const struct rule *r, const char *path, bool is_in, json_t *at) {
        const char *dot = strchr(path, '.'), *key;
        json_t *inner;
        size_t i;

        if (!dot) {
                if (json_is_object(at))
                        apply_to_member(r, path, is_in, at);
        } else if (*path != '*') {
                apply_rule(r, dot + 1, is_in, json_object_getn(at, path, (size_t) (dot - path)));
        } else if (json_is_array(at)) {
                json_array_foreach(at, i, inner)
                        apply_rule(r, dot + 1, is_in, inner);
        } else {
                json_object_foreach(at, key, inner)
                        apply_rule(r, dot + 1, is_in, inner);
        }
}

static void apply_rules(const struct rule *rules, size_t n, unsigned minor, json_t *value) {
        for (size_t i = 0; i < n; i++) {
                bool is_in = minor >= rules[i].from && minor <= rules[i].to;

                /* Where there is nothing to add or take away the tree is not walked: lists are long. */
                if (!is_in || rules[i].value)
                        apply_rule(&rules[i], rules[i].path, is_in, value);
        }
}

static bool is_blank(const json_t *v) {
        return json_is_null(v) || (json_is_string(v) && json_string_length(v) == 0) || (json_is_array(v) && json_array_size(v) == 0) ||
               (json_is_object(v) && json_object_size(v) == 0);
}

static void drop_blank(json_t *object, const char *const *names) {
        for (; *names; names++)
                if (is_blank(json_object_get(object, *names)))
                        json_object_del(object, *names);
}

/* 1.52 leaves out what is not set. */
static void drop_unset(enum version_shape shape, json_t *value) {
        static const char *const of_image[] = { "Parent", "Comment", "DockerVersion", "Author", NULL };
        static const char *const of_image_config[] = { "Cmd", "Entrypoint", "Env", "Labels", "OnBuild", "User", "Volumes", "WorkingDir", NULL };
        static const char *const of_config[] = { "OnBuild", NULL };

        if (shape == SHAPE_IMAGE) {
                drop_blank(value, of_image);
                drop_blank(json_object_get(value, "Config"), of_image_config);
        } else if (shape == SHAPE_CONTAINER) {
                drop_blank(json_object_get(value, "Config"), of_config);
        }
}

/* Before 1.43 an image without a name was called so. */
static void name_the_nameless(json_t *image) {
        if (json_array_size(json_object_get(image, "RepoTags")) > 0)
                return;
        json_object_set_new(image, "RepoTags", json_pack("[s]", "<none>:<none>"));
        if (json_array_size(json_object_get(image, "RepoDigests")) == 0)
                json_object_set_new(image, "RepoDigests", json_pack("[s]", "<none>@<none>"));
}

/* "name=seccomp,profile=builtin" was "seccomp" before 1.25. */
static void plain_security_options(json_t *info) {
        json_t *list = json_object_get(info, "SecurityOptions"), *option;
        size_t i;

        json_array_foreach(list, i, option) {
                const char *text = json_string_value(option);

                if (text && str_starts_with(text, "name="))
                        json_array_set_new(list, i, json_stringn(text + 5, strcspn(text + 5, ",")));
        }
}

/* Before 1.40 others could join a container's IPC namespace unless it was said that they may not. */
static void share_ipc(json_t *create) {
        json_t *host = json_object_get(create, "HostConfig");

        if (json_is_object(host) && !*json_get_str(host, "IpcMode", ""))
                json_object_set_new(host, "IpcMode", json_string("shareable"));
}

/* Before 1.45 the short id and the host name were among the aliases; from then on they are in DNSNames. */
static void add_short_names(json_t *container) {
        const char *const given[] = { json_get_str(container, "Id", ""), json_get_str(json_object_get(container, "Config"), "Hostname", "") };
        json_t *networks = json_object_get(json_object_get(container, "NetworkSettings"), "Networks"), *endpoint, *alias;
        const char *name;
        size_t i;

        json_object_foreach(networks, name, endpoint) {
                json_t *old = json_object_get(endpoint, "Aliases"), *aliases;

                if (!strcmp(name, "bridge") || !strcmp(name, "host") || !strcmp(name, "none"))
                        continue;
                aliases = json_is_array(old) ? json_copy(old) : json_array();
                for (size_t k = 0; k < ARRAY_SIZE(given); k++) {
                        json_t *text = json_stringn(given[k], strnlen(given[k], k == 0 ? 12 : SIZE_MAX));
                        bool is_there = json_string_length(text) == 0;

                        json_array_foreach(aliases, i, alias)
                                is_there = is_there || json_equal(alias, text);
                        if (!is_there)
                                json_array_append(aliases, text);
                        json_decref(text);
                }
                json_object_set_new(endpoint, "Aliases", aliases);
        }
}

void version_apply(enum version_shape shape, unsigned minor, json_t *value) {
        json_t *entry;
        size_t i;

        if (json_is_array(value)) {
                json_array_foreach(value, i, entry)
                        version_apply(shape, minor, entry);
                return;
        }
        apply_rules(shapes[shape].rules, shapes[shape].n, minor, value);
        if (minor >= 52)
                drop_unset(shape, value);
        if (shape == SHAPE_IMAGE_LIST && minor < 51)
                apply_rules(image_count_rules, ARRAY_SIZE(image_count_rules), minor, value);
        if (shape == SHAPE_IMAGE_LIST && minor < 43)
                name_the_nameless(value);
        if (shape == SHAPE_CONTAINER && minor < 45)
                add_short_names(value);
        if (shape == SHAPE_INFO && minor < 25)
                plain_security_options(value);
        if (shape == SHAPE_CREATE && minor < 40)
                share_ipc(value);
}
