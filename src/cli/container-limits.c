/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of block devices (DEVICE:VALUE), offsets of clocks, GPUs; and what is refused before anybody is asked. */

#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/container-body.h"

static const struct {
        const char *option, *field, *key;
        bool bytes;
} block_lists[] = {
        { "blkio-weight-device", "BlkioWeightDevice", "Weight", false }, { "device-read-bps", "BlkioDeviceReadBps", "Rate", true },
        { "device-write-bps", "BlkioDeviceWriteBps", "Rate", true },     { "device-read-iops", "BlkioDeviceReadIOps", "Rate", false },
        { "device-write-iops", "BlkioDeviceWriteIOps", "Rate", false },
};

static int set_block_list(const struct args *a, size_t row, json_t *host) {
        const char *option = block_lists[row].option;
        const char *const *items;
        size_t n = args_list(a, option, &items);
        json_t *array;

        if (n == 0)
                return 0;
        array = json_array();
        json_object_set_new(host, block_lists[row].field, array);
        for (size_t i = 0; i < n; i++) {
                const char *colon = strrchr(items[i], ':');
                auto_free char *path = colon ? strndup(items[i], (size_t) (colon - items[i])) : NULL;
                uint64_t number = 0;
                int64_t bytes = 0;

                if (!path || *path != '/')
                        return option_wrong(a, option, items[i], "/dev/PATH:VALUE is wanted");
                if (block_lists[row].bytes ? !parse_bytes(colon + 1, &bytes) || bytes <= 0 : str_to_u64(colon + 1, 0, INT64_MAX, &number) < 0)
                        return option_wrong(a, option, items[i], block_lists[row].bytes ? "not a size such as 1mb" : "not a whole number");
                json_array_append_new(array, json_pack("{s:s, s:I}", "Path", path, block_lists[row].key,
                                                       block_lists[row].bytes ? (json_int_t) bytes : (json_int_t) number));
        }
        return 0;
}

/* "boottime=24h", "monotonic=-1m30s" → nanoseconds by clock. */
static int set_time_offsets(const struct args *a, json_t *host) {
        const char *const *items;
        size_t n = args_list(a, "time-offset", &items);
        json_t *offsets;

        if (n == 0)
                return 0;
        offsets = json_object();
        json_object_set_new(host, "TimeOffsets", offsets);
        for (size_t i = 0; i < n; i++) {
                const char *equals = strchr(items[i], '='), *time = equals ? equals + 1 : "";
                auto_free char *clock = equals ? strndup(items[i], (size_t) (equals - items[i])) : NULL;
                bool negative = *time == '-';
                int64_t ns;

                if (!clock || !parse_duration(time + (negative || *time == '+'), &ns))
                        return option_wrong(a, "time-offset", items[i], "CLOCK=TIME is wanted, such as boottime=24h or monotonic=-30s");
                json_object_set_new(offsets, clock, json_integer(negative ? -ns : ns));
        }
        return 0;
}

/* "all", "2", "device=0", "count=2", "device=GPU-1,driver=x": as Docker's, for what answers to it is CDI. */
static int set_gpus(const struct args *a, json_t *host) {
        const char *text = args_text(a, "gpus");
        json_t *request, *devices = json_array();
        auto_free char *copy = text ? strdup(text) : NULL;
        char *save = NULL;
        uint64_t count = 0;
        bool wrong = false;

        request = json_pack("{s:s, s:i, s:o, s:[[s]], s:{}}", "Driver", "", "Count", 0, "DeviceIDs", devices, "Capabilities", "gpu", "Options");
        for (char *word = copy ? strtok_r(copy, ",", &save) : NULL; word; word = strtok_r(NULL, ",", &save)) {
                if (!strcmp(word, "all") || !strcmp(word, "count=all"))
                        json_object_set_new(request, "Count", json_integer(-1));
                else if (str_starts_with(word, "device="))
                        json_array_append_new(devices, json_string(word + strlen("device=")));
                else if (str_starts_with(word, "driver="))
                        json_object_set_new(request, "Driver", json_string(word + strlen("driver=")));
                else if (str_to_u64(str_starts_with(word, "count=") ? word + strlen("count=") : word, 1, 1024, &count) == 0)
                        json_object_set_new(request, "Count", json_integer((json_int_t) count));
                else
                        wrong = true;
        }
        if (text && !wrong)
                json_object_set_new(host, "DeviceRequests", json_pack("[O]", request));
        json_decref(request);
        return wrong ? option_wrong(a, "gpus", text, "all, a number, device=NAME or driver=NAME is wanted") : 0;
}

static int refuse(const struct args *a) {
        static const struct {
                const char *option, *why;
        } refused[] = {
                { "kernel-memory", "kernels have no such limit any more: kernel memory counts as memory" },
                { "preserve-fds", "file descriptors do not travel to a daemon: mount the file, or use standard input" },
                { "rdt-class", "this engine sets no class of service; kist-runtime does (linux.intelRdt)" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
                if (args_given(a, refused[i].option))
                        return option_wrong(a, refused[i].option, args_text(a, refused[i].option), refused[i].why);
        return 0;
}

int set_limits(const struct args *a, json_t *host) {
        for (size_t i = 0; i < ARRAY_SIZE(block_lists); i++)
                if (set_block_list(a, i, host) < 0)
                        return -1;
        return refuse(a) < 0 || set_time_offsets(a, host) < 0 || set_gpus(a, host) < 0 ? -1 : 0;
}
