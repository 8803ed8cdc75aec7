/* SPDX-License-Identifier: Apache-2.0 */
/* --publish and --expose. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/container-body.h"

struct range {
        unsigned first, last; /* 0, 0: not said */
};

static bool read_range(const char *text, struct range *ret) {
        auto_free char *copy = strdup(text);
        char *dash = strchr(copy, '-');
        uint64_t a, b;

        if (dash)
                *dash++ = '\0';
        if (str_to_u64(copy, 1, 65535, &a) < 0)
                return false;
        b = a;
        if (dash && (str_to_u64(dash, 1, 65535, &b) < 0 || b < a))
                return false;
        *ret = (struct range) { (unsigned) a, (unsigned) b };
        return true;
}

/* "[::1]:8080:80" and "127.0.0.1:8080:80": what is before the host's port; *text goes behind it. NULL: none; false: not closed. */
static bool take_address(char **text, char **ret) {
        char *end;

        *ret = NULL;
        if (**text == '[') {
                end = strchr(*text, ']');
                if (!end || end[1] != ':')
                        return false;
                *ret = *text + 1;
                *end = '\0';
                *text = end + 2;
                return true;
        }
        end = strchr(*text, ':');
        if (end && strchr(end + 1, ':')) {
                *ret = *text;
                *end = '\0';
                *text = end + 1;
        }
        return true;
}

static void bind_port(json_t *exposed, json_t *bindings, unsigned inside, const char *protocol, const char *address, const char *outside) {
        auto_free char *key = str_format("%u/%s", inside, protocol);
        json_t *list = json_object_get(bindings, key);

        if (!list)
                json_object_set_new(bindings, key, list = json_array());
        json_object_set_new(exposed, key, json_object());
        json_array_append_new(list, json_pack("{s:s, s:s}", "HostIp", address ? address : "", "HostPort", outside));
}

int publish_parse(const char *text, json_t *exposed, json_t *bindings, const char **ret_why) {
        auto_free char *copy = strdup(text);
        char *at = copy, *address, *protocol = strrchr(copy, '/'), *colon;
        struct range inside, outside = { 0, 0 };

        *ret_why = "[[ADDRESS:]PORT[-PORT]:]PORT[-PORT][/tcp|udp|sctp] is wanted";
        if (protocol)
                *protocol++ = '\0';
        if (protocol && strcmp(protocol, "tcp") != 0 && strcmp(protocol, "udp") != 0 && strcmp(protocol, "sctp") != 0)
                return -EINVAL;
        if (!take_address(&at, &address))
                return -EINVAL;
        colon = strchr(at, ':');
        if (colon)
                *colon++ = '\0';
        if (!read_range(colon ? colon : at, &inside) || (colon && *at && !read_range(at, &outside)))
                return -EINVAL;
        if (outside.first && inside.first != inside.last && outside.last - outside.first != inside.last - inside.first) {
                *ret_why = "the two ranges have different lengths";
                return -EINVAL;
        }
        for (unsigned i = 0; i <= inside.last - inside.first; i++) {
                char number[16] = "";

                if (outside.first && inside.first == inside.last && outside.first != outside.last)
                        snprintf(number, sizeof(number), "%u-%u", outside.first, outside.last);
                else if (outside.first)
                        snprintf(number, sizeof(number), "%u", outside.first + i);
                bind_port(exposed, bindings, inside.first + i, protocol ? protocol : "tcp", address, number);
        }
        return 0;
}

int set_ports(const struct args *a, json_t *config, json_t *host) {
        json_t *exposed = json_object(), *bindings = json_object();
        const char *const *items;
        size_t n = args_list(a, "expose", &items);

        json_object_set_new(config, "ExposedPorts", exposed);
        json_object_set_new(host, "PortBindings", bindings);
        for (size_t i = 0; i < n; i++) {
                auto_free char *copy = strdup(items[i]);
                char *protocol = strchr(copy, '/');
                struct range r;

                if (protocol)
                        *protocol++ = '\0';
                if (!read_range(copy, &r))
                        return option_wrong(a, "expose", items[i], "PORT[-PORT][/PROTOCOL] is wanted");
                for (unsigned port = r.first; port <= r.last; port++) {
                        auto_free char *key = str_format("%u/%s", port, protocol ? protocol : "tcp");

                        json_object_set_new(exposed, key, json_object());
                }
        }
        n = args_list(a, "publish", &items);
        for (size_t i = 0; i < n; i++) {
                const char *why;

                if (publish_parse(items[i], exposed, bindings, &why) < 0)
                        return option_wrong(a, "publish", items[i], why);
        }
        if (args_flag(a, "publish-all"))
                json_object_set_new(host, "PublishAllPorts", json_true());
        return 0;
}
