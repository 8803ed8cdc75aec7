/* SPDX-License-Identifier: Apache-2.0 */
/* prune of containers, images, volumes, and of all together (system prune). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/table.h"

bool confirm(const char *warning) {
        char answer[16];

        printf("%sAre you sure you want to continue? [y/N] ", warning);
        fflush(stdout);
        return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y') && (answer[1] == '\n' || !answer[1]);
}

/* What is removed, one line each below the title; adds up what it gave back. */
static const struct pruned {
        const char *path, *title, *list;
} pruned_containers = { "/containers/prune", "Deleted Containers:", "ContainersDeleted" },
  pruned_networks = { "/networks/prune", "Deleted Networks:", "NetworksDeleted" },
  pruned_volumes = { "/volumes/prune", "Deleted Volumes:", "VolumesDeleted" },
  pruned_images = { "/images/prune", "Deleted Images:", "ImagesDeleted" },
  pruned_cache = { "/build/prune", "Deleted build cache objects:", "CachesDeleted" };

static void print_item(const json_t *item) {
        if (json_is_string(item))
                printf("%s\n", json_string_value(item));
        else if (json_get_str(item, "Untagged", NULL))
                printf("untagged: %s\n", json_get_str(item, "Untagged", ""));
        else
                printf("deleted: %s\n", json_get_str(item, "Deleted", ""));
}

static int prune(struct client *c, const struct pruned *what, const json_t *filters, uint64_t *bytes, struct err *err) {
        auto_free char *text = json_object_size(filters) ? json_text(filters) : NULL;
        auto_json *answer = NULL;
        auto_path path = { 0 };
        json_t *list, *item;
        size_t i;
        int r;

        path_init(&path, "%s", what->path);
        path_query(&path, "filters", text);
        r = client_call(c, "POST", &path, NULL, &answer, err);
        if (r < 0)
                return r;
        list = json_get_array(answer, what->list);
        if (json_array_size(list))
                printf("%s\n", what->title);
        json_array_foreach(list, i, item)
                print_item(item);
        if (json_array_size(list))
                putchar('\n');
        *bytes += (uint64_t) json_get_int(answer, "SpaceReclaimed", 0);
        return 0;
}

static json_t *filters_of(const struct args *a) {
        auto_free char *text = filters_text(a, NULL);

        return text ? json_loads(text, 0, NULL) : json_object();
}

static void print_reclaimed(uint64_t bytes) {
        char size[32];

        human_sum(bytes, size);
        printf("Total reclaimed space: %s\n", size);
}

static int prune_one(struct client *c, const struct args *a, const struct pruned *what, const char *warning, json_t *filters) {
        struct err err = { 0 };
        uint64_t bytes = 0;

        if (!args_flag(a, "force") && !confirm(warning))
                return 1;
        if (prune(c, what, filters, &bytes, &err) < 0)
                return client_complain(&err, 1);
        print_reclaimed(bytes);
        return 0;
}

static int run_containers(struct client *c, const struct args *a) {
        auto_json *filters = filters_of(a);

        return prune_one(c, a, &pruned_containers, "WARNING! This will remove all stopped containers.\n", filters);
}

static int run_images(struct client *c, const struct args *a) {
        auto_json *filters = filters_of(a);
        bool all = args_flag(a, "all");

        json_object_set_new(filters, "dangling", json_pack("[s]", all ? "false" : "true"));
        return prune_one(c, a, &pruned_images,
                         all ? "WARNING! This will remove all images without at least one container associated to them.\n"
                             : "WARNING! This will remove all dangling images.\n",
                         filters);
}

static int run_volumes(struct client *c, const struct args *a) {
        auto_json *filters = filters_of(a);
        bool all = args_flag(a, "all");

        if (all)
                json_object_set_new(filters, "all", json_pack("[s]", "true"));
        return prune_one(c, a, &pruned_volumes,
                         all ? "WARNING! This will remove all local volumes not used by at least one container.\n"
                             : "WARNING! This will remove anonymous local volumes not used by at least one container.\n",
                         filters);
}

/* --- system prune --- */

static char *system_warning(const struct args *a) {
        const char *const *filters;
        size_t n = args_list(a, "filter", &filters);
        auto_strbuf b;

        strbuf_init(&b, 1 << 20);
        strbuf_addf(&b, "WARNING! This will remove:\n  - all stopped containers\n  - all networks not used by at least one container\n%s  - %s\n  - %s\n\n",
                    args_flag(a, "volumes") ? "  - all anonymous volumes not used by at least one container\n" : "",
                    args_flag(a, "all") ? "all images without at least one container associated to them" : "all dangling images",
                    args_flag(a, "all") ? "all build cache" : "unused build cache");
        for (size_t i = 0; i < n; i++)
                strbuf_addf(&b, "%s  - %s\n%s", i ? "" : "  Items to be pruned will be filtered with:\n", filters[i], i + 1 == n ? "\n" : "");
        return strbuf_take(&b, NULL);
}

static int run_system(struct client *c, const struct args *a) {
        bool all = args_flag(a, "all"), volumes = args_flag(a, "volumes");
        auto_json *filters = filters_of(a), *images = json_deep_copy(filters);
        auto_free char *warning = system_warning(a);
        /* The order matters: what a removed container held can go after it. */
        const struct {
                const struct pruned *what;
                const json_t *filters;
                bool wanted;
        } steps[] = {
                { &pruned_containers, filters, true }, { &pruned_networks, filters, true }, { &pruned_volumes, filters, volumes },
                { &pruned_images, images, true },      { &pruned_cache, filters, true },
        };
        uint64_t bytes = 0;

        if (volumes && json_object_get(filters, "until")) {
                complain("system prune: volumes have no age: --filter until=… and --volumes do not go together");
                return 1;
        }
        if (!args_flag(a, "force") && !confirm(warning))
                return 1;
        json_object_set_new(images, "dangling", json_pack("[s]", all ? "false" : "true"));
        for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
                struct err err = { 0 };

                /* A daemon that has no networks of its own or no builder has nothing of them to remove. */
                if (steps[i].wanted && prune(c, steps[i].what, steps[i].filters, &bytes, &err) < 0 && err.kind != ERR_UNSUPPORTED)
                        return client_complain(&err, 1);
        }
        print_reclaimed(bytes);
        return 0;
}

#define FILTER(what) { 0, "filter", OPTION_LIST, "KEY=VALUE", "Only those that match: " what }
#define FORCE { 'f', "force", OPTION_FLAG, NULL, "Do not ask" }

static const struct option container_options_[] = { FILTER("label, label!, until (such as 24h)"), FORCE, { 0 } };
static const struct option image_options[] = {
        { 'a', "all", OPTION_FLAG, NULL, "All that no container has, not only those without a name" }, FILTER("label, label!, until (such as 24h)"), FORCE, { 0 },
};
static const struct option volume_options[] = {
        { 'a', "all", OPTION_FLAG, NULL, "Those with a name as well" }, FILTER("label, label!"), FORCE, { 0 },
};
static const struct option system_options[] = {
        { 'a', "all", OPTION_FLAG, NULL, "All images that no container has, not only those without a name" },
        FILTER("label, label!, until (such as 24h)"),
        FORCE,
        { 0, "volumes", OPTION_FLAG, NULL, "Anonymous volumes as well" },
        { 0 },
};

const struct command command_container_prune = {
        "container prune", "container", "prune", "[OPTIONS]", "Remove containers that do not run", "  kist container prune -f --filter until=24h\n", container_options_,
        NULL, 0, 0, false, run_containers,
};
const struct command command_image_prune = {
        "image prune", "image", "prune", "[OPTIONS]", "Remove images that nothing needs", "  kist image prune\n  kist image prune -a --filter until=240h\n", image_options,
        NULL, 0, 0, false, run_images,
};
const struct command command_volume_prune = {
        "volume prune", "volume", "prune", "[OPTIONS]", "Remove volumes that no container has", "  kist volume prune -a -f\n", volume_options, NULL, 0, 0, false, run_volumes,
};
const struct command command_system_prune = {
        "system prune", "system", "prune", "[OPTIONS]", "Remove all that nothing needs", "  kist system prune -a --volumes\n", system_options, NULL, 0, 0, false, run_system,
};
