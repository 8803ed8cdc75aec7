/* SPDX-License-Identifier: Apache-2.0 */
/* Options of network create, by driver. */

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/networks.h"

enum { BRIDGE = 1, MACVLAN = 2, IPVLAN = 4, ALL = BRIDGE | MACVLAN | IPVLAN };

/* The last ones say what is so anyway. */
static const struct option {
        const char *name;
        unsigned drivers;
        enum { NAME, PARENT, WORD, TRUTH, NUMBER, MUST_BE_TRUE, MUST_BE_FALSE } type;
        const char *words; /* of a WORD, each with a blank on both sides */
} options[] = {
        { "com.docker.network.bridge.name", BRIDGE, NAME, NULL },
        { "com.docker.network.bridge.enable_icc", BRIDGE, TRUTH, NULL },
        { "com.docker.network.bridge.enable_ip_masquerade", BRIDGE, TRUTH, NULL },
        { "com.docker.network.driver.mtu", ALL, NUMBER, NULL },
        { "com.docker.network.enable_ipv4", ALL, MUST_BE_TRUE, NULL },
        { "com.docker.network.enable_ipv6", ALL, TRUTH, NULL },
        { "com.docker.network.bridge.default_bridge", BRIDGE, MUST_BE_FALSE, NULL },
        { NETWORK_PARENT, MACVLAN | IPVLAN, PARENT, NULL },
        { "macvlan_mode", MACVLAN, WORD, " bridge private vepa passthru " },
        { "ipvlan_mode", IPVLAN, WORD, " l2 l3 l3s " },
        { "ipvlan_flag", IPVLAN, WORD, " bridge private vepa " },
};

int network_read_truth(const char *text, bool *ret) {
        bool yes = !strcmp(text, "true") || !strcmp(text, "1") || !strcmp(text, "True") || !strcmp(text, "TRUE") || !strcmp(text, "t");

        if (!yes && strcmp(text, "false") != 0 && strcmp(text, "0") != 0 && strcmp(text, "False") != 0 && strcmp(text, "FALSE") != 0 && strcmp(text, "f") != 0)
                return -EINVAL;
        *ret = yes;
        return 0;
}

static unsigned driver_bit(const char *driver) {
        return !strcmp(driver, "macvlan") ? MACVLAN : !strcmp(driver, "ipvlan") ? IPVLAN : BRIDGE;
}

static bool is_word(const char *words, const char *text) {
        auto_free char *whole = str_format(" %s ", text);

        return whole && *text && !strchr(text, ' ') && strstr(words, whole);
}

static bool is_valid(const struct option *o, const char *value, bool *truth) {
        uint64_t number;

        switch (o->type) {
        case NAME:
                return spec_is_link_name(value);
        case PARENT:
                return *value && strlen(value) <= 15; /* the rest of its grammar is the network room's */
        case WORD:
                return is_word(o->words, value);
        case NUMBER:
                return str_to_u64(value, 68, 65535, &number) == 0;
        default:
                return network_read_truth(value, truth) == 0;
        }
}

int network_option_check(const char *driver, const char *key, const char *value, struct err *err) {
        bool truth = false;
        size_t i = 0;

        while (i < ARRAY_SIZE(options) && strcmp(options[i].name, key) != 0)
                i++;
        if (i == ARRAY_SIZE(options))
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "driver option \"%s\" of networks is not supported by this version", key);
        if (!(options[i].drivers & driver_bit(driver)))
                return err_set(err, ERR_INVALID, -EINVAL, "driver option %s: network driver %s has no such option", key, driver);
        if (!is_valid(&options[i], value, &truth))
                return err_set(err, ERR_INVALID, -EINVAL, "invalid value for driver option %s: \"%s\"", key, value);
        if ((options[i].type == MUST_BE_TRUE && !truth) || (options[i].type == MUST_BE_FALSE && truth))
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "driver option %s=%s of networks is not supported by this version", key, value);
        return 0;
}

const char *network_mode(const json_t *given) {
        for (size_t i = 0; i < ARRAY_SIZE(options); i++)
                if (options[i].type == WORD && strstr(options[i].name, "_mode") && json_object_get(given, options[i].name))
                        return json_string_value(json_object_get(given, options[i].name));
        return NULL;
}
