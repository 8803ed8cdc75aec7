/* SPDX-License-Identifier: Apache-2.0 */
/* info, in Docker's layout; what the host lacks comes last, on standard error. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/table.h"

/* " Title: value", when there is one. */
static void print_text(const char *title, const char *value) {
        if (*value)
                printf(" %s: %s\n", title, value);
}

static void print_words(const char *title, const json_t *list, const char *between) {
        json_t *word;
        size_t i;

        if (!json_array_size(list))
                return;
        printf(" %s:", title);
        json_array_foreach((json_t *) list, i, word)
                printf("%s%s", between, json_string_value(word) ? json_string_value(word) : "");
        printf("\n");
}

static void print_number(const json_t *info, const char *title, const char *key) {
        printf(" %s: %lld\n", title, (long long) json_get_int(info, key, 0));
}

static void print_truth(const json_t *info, const char *title, const char *key) {
        printf(" %s: %s\n", title, json_get_bool(info, key, false) ? "true" : "false");
}

static void print_storage(const json_t *info) {
        json_t *pair;
        size_t i;

        print_text("Storage Driver", json_get_str(info, "Driver", ""));
        json_array_foreach(json_get_array(info, "DriverStatus"), i, pair)
                printf("  %s: %s\n", json_string_value(json_array_get(pair, 0)), json_string_value(json_array_get(pair, 1)));
}

static void print_plugins(const json_t *info) {
        static const char *const kinds[] = { "Volume", "Network", "Authorization", "Log" };
        const json_t *plugins = json_get_object(info, "Plugins");

        printf(" Plugins:\n");
        for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
                auto_free char *title = str_format(" %s", kinds[k]);

                print_words(title, json_get_array(plugins, kinds[k]), " ");
        }
}

/* "name=seccomp,profile=builtin": seccomp, and below it Profile: builtin. */
static void print_security(const json_t *info) {
        json_t *option;
        size_t i;

        printf(" Security Options:\n");
        json_array_foreach(json_get_array(info, "SecurityOptions"), i, option) {
                const char *at = json_string_value(option);

                for (size_t n; at && *at; at += n + (at[n] == ',')) {
                        n = strcspn(at, ",");
                        if (str_starts_with(at, "name="))
                                printf("  %.*s\n", (int) n - 5, at + 5);
                        else if (str_starts_with(at, "profile="))
                                printf("   Profile: %.*s\n", (int) n - 8, at + 8);
                        else
                                printf("   %.*s\n", (int) n, at);
                }
        }
}

static void print_runtimes(const json_t *info) {
        const char *name;
        json_t *runtime;

        printf(" Runtimes:");
        json_object_foreach(json_get_object(info, "Runtimes"), name, runtime)
                printf(" %s", name);
        printf("\n");
}

static void print_host(const json_t *info) {
        static const struct {
                const char *title, *key;
        } texts[] = {
                { "Kernel Version", "KernelVersion" }, { "Operating System", "OperatingSystem" }, { "OSType", "OSType" }, { "Architecture", "Architecture" },
        };
        char memory[32];

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                print_text(texts[i].title, json_get_str(info, texts[i].key, ""));
        human_memory((uint64_t) json_get_int(info, "MemTotal", 0), memory);
        print_number(info, "CPUs", "NCPU");
        print_text("Total Memory", memory);
        print_text("Name", json_get_str(info, "Name", ""));
        print_text("ID", json_get_str(info, "ID", ""));
        print_text("Docker Root Dir", json_get_str(info, "DockerRootDir", ""));
}

static void print_registries(const json_t *info) {
        const json_t *config = json_get_object(info, "RegistryConfig");
        auto_json *insecure = json_array();
        const char *name;
        json_t *index;

        json_object_foreach(json_get_object(config, "IndexConfigs"), name, index)
                if (!json_get_bool(index, "Secure", true))
                        json_array_append_new(insecure, json_string(name));
        json_array_extend(insecure, json_get_array(config, "InsecureRegistryCIDRs"));
        print_words("Insecure Registries", insecure, "\n  ");
        print_words("Registry Mirrors", json_get_array(config, "Mirrors"), "\n  ");
}

static void print_devices_and_pools(const json_t *info) {
        json_t *item;
        size_t i;

        print_words("CDI spec directories", json_get_array(info, "CDISpecDirs"), "\n  ");
        if (json_array_size(json_get_array(info, "DiscoveredDevices")))
                printf(" Discovered Devices:\n");
        json_array_foreach(json_get_array(info, "DiscoveredDevices"), i, item)
                printf("  %s: %s\n", json_get_str(item, "Source", ""), json_get_str(item, "ID", ""));
        if (json_array_size(json_get_array(info, "DefaultAddressPools")))
                printf(" Default Address Pools:\n");
        json_array_foreach(json_get_array(info, "DefaultAddressPools"), i, item)
                printf("   Base: %s, Size: %lld\n", json_get_str(item, "Base", ""), (long long) json_get_int(item, "Size", 0));
        print_text("Firewall Backend", json_get_str(json_get_object(info, "FirewallBackend"), "Driver", ""));
}

static void print_server(const json_t *info) {
        static const char *const proxies[][2] = { { "HTTP Proxy", "HttpProxy" }, { "HTTPS Proxy", "HttpsProxy" }, { "No Proxy", "NoProxy" } };

        print_number(info, "Containers", "Containers");
        print_number(info, " Running", "ContainersRunning");
        print_number(info, " Paused", "ContainersPaused");
        print_number(info, " Stopped", "ContainersStopped");
        print_number(info, "Images", "Images");
        print_text("Server Version", json_get_str(info, "ServerVersion", ""));
        print_storage(info);
        print_text("Logging Driver", json_get_str(info, "LoggingDriver", ""));
        print_text("Cgroup Driver", json_get_str(info, "CgroupDriver", ""));
        print_text("Cgroup Version", json_get_str(info, "CgroupVersion", ""));
        print_plugins(info);
        print_text("Swarm", json_get_str(json_get_object(info, "Swarm"), "LocalNodeState", ""));
        print_runtimes(info);
        print_text("Default Runtime", json_get_str(info, "DefaultRuntime", ""));
        print_security(info);
        print_host(info);
        print_truth(info, "Debug Mode", "Debug");
        for (size_t i = 0; i < ARRAY_SIZE(proxies); i++)
                print_text(proxies[i][0], json_get_str(info, proxies[i][1], ""));
        print_words("Labels", json_get_array(info, "Labels"), "\n  ");
        print_truth(info, "Experimental", "ExperimentalBuild");
        print_registries(info);
        print_truth(info, "Live Restore Enabled", "LiveRestoreEnabled");
        print_devices_and_pools(info);
}

static int run_info(struct client *c, const struct args *a) {
        const char *format = args_text(a, "format");
        auto_json *info = NULL;
        struct err err = { 0 };
        auto_path path = { 0 };
        json_t *warning;
        size_t i;
        int r;

        if (format && format_check(format, &err) < 0)
                return client_complain(&err, 1);
        path_init(&path, "/info");
        r = client_call(c, "GET", &path, NULL, &info, &err);
        if (format && r == 0)
                r = format_print(format, info, &err);
        if (format)
                return r < 0 ? client_complain(&err, 1) : 0;
        printf("Client: Kist\n Version: %s\n\nServer:\n", KIST_VERSION);
        if (r < 0) {
                fflush(stdout);
                return client_complain(&err, 1);
        }
        print_server(info);
        fflush(stdout);
        json_array_foreach(json_get_array(info, "Warnings"), i, warning) {
                if (i == 0)
                        fputc('\n', stderr);
                if (str_starts_with(json_is_string(warning) ? json_string_value(warning) : "", "WARNING:"))
                        warn_loudly(json_string_value(warning));
                else
                        fprintf(stderr, "%s\n", json_is_string(warning) ? json_string_value(warning) : "");
        }
        return 0;
}

static const struct option options[] = {
        { 'f', "format", OPTION_TEXT, "TEMPLATE", "{{.ServerVersion}} …, or json" },
        { 0 },
};

const struct command command_info = {
        "info", "system", NULL, "[OPTIONS]", "Show what the daemon is and has", "  kist info\n  kist info --format '{{.CgroupVersion}}'\n", options, NULL, 0, 0, false, run_info,
};
