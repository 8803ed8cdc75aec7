/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/info.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "base/timestamp.h"
#include "engine/cdi.h"
#include "engine/cgroups.h"
#include "engine/defaults.h"
#include "engine/describe.h"
#include "engine/internal.h"
#include "engine/log-driver.h"
#include "engine/runtimes.h"
#include "network/network.h"
#include "runtime/cgroup/cgroup.h"

void info_os_release(char *ret, size_t size, char *ret_version, size_t version_size) {
        char line[512];
        FILE *f = fopen("/etc/os-release", "re");

        snprintf(ret, size, "Linux");
        ret_version[0] = '\0';
        while (f && fgets(line, sizeof(line), f)) {
                char *value = strchr(line, '='), *end;

                if (!value)
                        continue;
                *value++ = '\0';
                value += *value == '"';
                end = value + strcspn(value, "\"\n");
                *end = '\0';
                if (!strcmp(line, "PRETTY_NAME"))
                        snprintf(ret, size, "%s", value);
                else if (!strcmp(line, "VERSION_ID"))
                        snprintf(ret_version, version_size, "%s", value);
        }
        if (f)
                fclose(f);
}

struct info_counts info_count_containers(struct engine *e) {
        struct container **containers;
        struct info_counts n = {};
        size_t all;

        if (table_snapshot(&e->table, &containers, &all) < 0)
                return n;
        for (size_t i = 0; i < all; i++) {
                struct container_row row;

                container_peek(containers[i], &row);
                n.all++;
                if (row.state == CONTAINER_RUNNING)
                        n.running++;
                else if (row.state == CONTAINER_PAUSED)
                        n.paused++;
                else
                        n.stopped++;
                container_unref(containers[i]);
        }
        free(containers);
        return n;
}

static int count_images(struct engine *e) {
        struct image **images;
        size_t n = 0;

        if (image_list(e->images, false, &images, &n, NULL) < 0)
                return 0;
        for (size_t i = 0; i < n; i++)
                image_free(images[i]);
        free(images);
        return (int) n;
}

static json_t *warnings(struct engine *e) {
        static const struct {
                const char *controller, *text;
        } wanted[] = {
                { "memory", "WARNING: No memory limit support" }, { "pids", "WARNING: No pids limit support" },
                { "cpu", "WARNING: No cpu cfs quota support" },   { "cpuset", "WARNING: No cpuset support" },
        };
        json_t *list = NULL;

        for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
                if (cgroup_host_has(e->cgroups, wanted[i].controller))
                        continue;
                if (!list)
                        list = json_array();
                json_array_append_new(list, json_string(wanted[i].text));
        }
        return json_or_null(list);
}

int engine_info(struct engine *e, json_t **ret, struct err *err) {
        struct info_counts n = info_count_containers(e);
        bool memory = cgroup_host_has(e->cgroups, "memory"), cpu = cgroup_host_has(e->cgroups, "cpu");
        char os[256], os_version[64], now[TIME_RFC3339_SIZE];
        struct sysinfo si = {};
        struct utsname u;
        json_t *o;

        uname(&u);
        sysinfo(&si);
        info_os_release(os, sizeof(os), os_version, sizeof(os_version));
        time_format_now(now);
        o = json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:s, s:[[s,s],[s,s]], s:{s:[s], s:[s,s,s], s:n, s:o}, s:b, s:b, s:b, s:b, s:b, s:b, s:b, s:b, s:b}", "ID", e->host_id,
                      "Containers", n.all, "ContainersRunning", n.running, "ContainersPaused", n.paused, "ContainersStopped", n.stopped, "Images", count_images(e), "Driver",
                      "overlay", "DriverStatus", "Mounts", "detached", "Id mapping", "own user namespace per container", "Plugins", "Volume", "local", "Network", "bridge", "host", "none",
                      "Authorization", "Log", log_driver_names(), "MemoryLimit", memory, "SwapLimit", memory, "CpuCfsPeriod", cpu, "CpuCfsQuota", cpu, "CPUShares", cpu, "CPUSet",
                      cgroup_host_has(e->cgroups, "cpuset"), "PidsLimit", cgroup_host_has(e->cgroups, "pids"), "IPv4Forwarding", 1, "OomKillDisable", memory && !strcmp(cgroup_host_version(e->cgroups), "1"));
        if (!o)
                return err_errno(err, -ENOMEM, "info");
        auto_json *more = json_pack("{s:b, s:b, s:i, s:i, s:s, s:o, s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:s, s:s, s:s, s:s, s:s, s:b}", "BridgeNfIptables", 0,
                                    "BridgeNfIp6tables", 0, "NFd", 0, "NGoroutines", 0, "SystemTime", now, "LoggingDriver", defaults_log_driver(e), "CgroupDriver", cgroups_driver(e),
                                    "CgroupVersion", cgroup_host_version(e->cgroups), "NEventsListener", 0, "KernelVersion", u.release, "OperatingSystem", os, "OSVersion",
                                    os_version, "OSType", "linux", "Architecture", u.machine, "NCPU", (int) sysconf(_SC_NPROCESSORS_ONLN), "MemTotal",
                                    (json_int_t) ((uint64_t) si.totalram * si.mem_unit), "IndexServerAddress", "https://index.docker.io/v1/", "DockerRootDir", e->root, "Name",
                                    u.nodename, "ServerVersion", KIST_VERSION, "DefaultRuntime", e->default_runtime, "Debug", 0);
        auto_json *rest = json_pack("{s:o, s:{s:s, s:b}, s:{s:s}, s:{s:s}, s:{s:s}, s:[s, s, s], s:b, s:b, s:o, s:o}", "Runtimes", runtimes_describe(e),
                                    "Swarm", "LocalNodeState", "inactive", "ControlAvailable", 0, "ContainerdCommit", "ID", "", "RuncCommit", "ID", "",
                                    "InitCommit", "ID", "", "SecurityOptions", "name=seccomp,profile=builtin", "name=userns", "name=cgroupns", "LiveRestoreEnabled", 1,
                                    "ExperimentalBuild", 0, "Labels", defaults_labels(e), "Warnings", warnings(e));

        if (!more || !rest) {
                json_decref(o);
                return err_errno(err, -ENOMEM, "info");
        }
        json_object_update(o, more);
        json_object_update(o, rest);
        json_object_update_new(o, image_store_describe_registries(e->images));
        json_object_set(o, "CDISpecDirs", e->cdi_dirs);
        json_object_set_new(o, "DiscoveredDevices", cdi_list(e->cdi_dirs));
        json_object_set_new(o, "DefaultAddressPools", network_host_describe_pools(e->network));
        json_object_set_new(o, "FirewallBackend", json_pack("{s:s}", "Driver", "nftables"));
        if (e->has_apparmor_profile)
                json_array_insert_new(json_object_get(o, "SecurityOptions"), 0, json_string("name=apparmor"));
        *ret = o;
        return 0;
}

int engine_version(struct engine *e, json_t **ret, struct err *err) {
        const char *arch;
        struct utsname u;

        (void) e;
        uname(&u);
        arch = !strcmp(u.machine, "x86_64") ? "amd64" : !strcmp(u.machine, "aarch64") ? "arm64" : u.machine;
        *ret = json_pack("{s:{s:s}, s:[{s:s, s:s, s:{s:s, s:s, s:s, s:s, s:s}}], s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "Platform", "Name", "Kist", "Components", "Name",
                         "Engine", "Version", KIST_VERSION, "Details", "ApiVersion", ENGINE_API_VERSION, "MinAPIVersion", ENGINE_API_MIN_VERSION, "Os", "linux", "Arch", arch,
                         "KernelVersion", u.release, "Version", KIST_VERSION, "ApiVersion", ENGINE_API_VERSION, "MinAPIVersion", ENGINE_API_MIN_VERSION, "GitCommit", "",
                         "GoVersion", "", "Os", "linux", "Arch", arch, "KernelVersion", u.release, "BuildTime", "");
        return *ret ? 0 : err_errno(err, -ENOMEM, "version");
}
