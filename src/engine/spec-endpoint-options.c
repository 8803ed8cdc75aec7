/* SPDX-License-Identifier: Apache-2.0 */
/* DriverOpts of an endpoint: the interface's name, rates in both directions as the container sees them, and the class of what the container sends. */

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/spec.h"

#define IFNAME_OPTION "com.docker.network.endpoint.ifname"
#define CLASS_ID_OPTION "kist.classid"

enum { RATE_MIN = 8000, BURST_MAX = 1 << 30 };
static const uint64_t rate_max = UINT64_C(1000000000000);

struct unit {
        const char *name;
        uint64_t factor;
};

/* As tc(8) has them, without those of bytes per second: "mbps" is too easily taken for the other. */
static const struct unit rate_units[] = {
        { "", 1 }, { "bit", 1 }, { "kbit", 1000 }, { "mbit", 1000000 }, { "gbit", 1000000000 }, { "kibit", 1024 }, { "mibit", 1 << 20 }, { "gibit", 1 << 30 }, { NULL, 0 },
};
/* As --memory has them. */
static const struct unit size_units[] = {
        { "", 1 }, { "b", 1 }, { "k", 1 << 10 }, { "kb", 1 << 10 }, { "m", 1 << 20 }, { "mb", 1 << 20 }, { "g", 1 << 30 }, { "gb", 1 << 30 }, { NULL, 0 },
};
/* The names and units of CNI's plugin bandwidth are known as well: plain numbers, of bits. */
static const struct unit plain[] = { { "", 1 }, { NULL, 0 } };

static const struct rate_option {
        const char *name;
        const struct unit *units;
        bool egress, burst;
        unsigned divisor;
        const char *expected;
} rate_options[] = {
        { "kist.ingress-rate", rate_units, false, false, 1, "bits per second such as 500kbit, 10mbit or 1gbit, between 8kbit and 1000gbit" },
        { "kist.egress-rate", rate_units, true, false, 1, "bits per second such as 500kbit, 10mbit or 1gbit, between 8kbit and 1000gbit" },
        { "kist.ingress-burst", size_units, false, true, 1, "bytes such as 64k or 1m, at most 1g" },
        { "kist.egress-burst", size_units, true, true, 1, "bytes such as 64k or 1m, at most 1g" },
        { "ingressRate", plain, false, false, 1, "a number of bits per second, between 8000 and 1000000000000" },
        { "egressRate", plain, true, false, 1, "a number of bits per second, between 8000 and 1000000000000" },
        { "ingressBurst", plain, false, true, 8, "a number of bits, at least 8 and at most a gigabyte" },
        { "egressBurst", plain, true, true, 8, "a number of bits, at least 8 and at most a gigabyte" },
};

static int read_number(const char *text, const struct unit *units, uint64_t *ret) {
        size_t digits = strspn(text, "0123456789");
        uint64_t number;
        char head[21];

        if (digits == 0 || digits >= sizeof(head))
                return -EINVAL;
        memcpy(head, text, digits);
        head[digits] = '\0';
        while (units->name && strcasecmp(units->name, text + digits) != 0)
                units++;
        if (!units->name || str_to_u64(head, 0, UINT64_MAX / units->factor, &number) < 0)
                return -EINVAL;
        *ret = number * units->factor;
        return 0;
}

static int read_rate(const struct rate_option *o, const char *network, const char *text, struct network_rates *rates, struct err *err) {
        uint64_t *rate = o->egress ? &rates->egress : &rates->ingress, value;
        uint32_t *burst = o->egress ? &rates->egress_burst : &rates->ingress_burst;

        if (o->burst ? *burst : *rate)
                return err_set(err, ERR_INVALID, -EINVAL, "invalid endpoint settings: network %s: %s: said twice, by another name", network, o->name);
        if (read_number(text, o->units, &value) < 0 || (value /= o->divisor) < (o->burst ? 1 : RATE_MIN) || value > (o->burst ? BURST_MAX : rate_max))
                return err_set(err, ERR_INVALID, -EINVAL, "invalid endpoint settings: network %s: %s: \"%.40s\" is not %s", network, o->name, text, o->expected);
        if (o->burst)
                *burst = (uint32_t) value;
        else
                *rate = value;
        return 0;
}

static const struct rate_option *find_rate(const char *name) {
        for (size_t i = 0; i < ARRAY_SIZE(rate_options); i++)
                if (!strcmp(rate_options[i].name, name))
                        return &rate_options[i];
        return NULL;
}

/* Of the container, whichever network it stands at: "0x100001", or as tc(8) writes it "10:1". */
static int read_class_id(struct spec_endpoint *p, const char *text, struct err *err) {
        static const char hex[] = "0123456789abcdefABCDEF";
        bool whole = str_starts_with(text, "0x");
        const char *digits = whole ? text + 2 : text;
        size_t n = strspn(digits, hex), more = !whole && digits[n] == ':' ? strspn(digits + n + 1, hex) : 0;
        unsigned long value = strtoul(digits, NULL, 16);

        if (whole ? n < 1 || n > 8 || digits[n] : n < 1 || n > 4 || more < 1 || more > 4 || digits[n + 1 + more])
                value = 0;
        else if (!whole)
                value = value << 16 | strtoul(digits + n + 1, NULL, 16);
        if (!value)
                return err_set(err, ERR_INVALID, -EINVAL, "invalid endpoint settings: network %s: " CLASS_ID_OPTION ": \"%.40s\" is not 0x and hex digits, or MAJOR:MINOR in hex, and not 0", p->network, text);
        p->class_id = (uint32_t) value;
        return 0;
}

static int read_option(struct spec_endpoint *p, const char *key, const char *text, struct err *err) {
        const struct rate_option *o = find_rate(key);

        if (o)
                return read_rate(o, p->network, text, &p->rates, err);
        if (!strcmp(key, CLASS_ID_OPTION))
                return read_class_id(p, text, err);
        if (strcmp(key, IFNAME_OPTION) != 0)
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP,
                        "network %s: driver option \"%s\" is not supported by this version; " IFNAME_OPTION ", kist.ingress-rate, kist.ingress-burst, kist.egress-rate, kist.egress-burst, " CLASS_ID_OPTION " are", p->network, key);
        if (!spec_is_link_name(text))
                return err_set(err, ERR_INVALID, -EINVAL, "invalid endpoint settings: network %s: " IFNAME_OPTION ": not a name of at most 15 letters, digits, - and _", p->network);
        p->link = text;
        return 0;
}

int spec_read_driver_options(struct spec_endpoint *p, struct err *err) {
        json_t *options = json_object_get(p->config, "DriverOpts"), *v;
        const char *key;
        int r = 0;

        p->link = "";
        json_object_foreach(options, key, v) {
                if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v))
                        return err_set(err, ERR_INVALID, -EINVAL, "invalid endpoint settings: network %s: driver option %s: a string is expected", p->network, key);
                if ((r = read_option(p, key, json_string_value(v), err)) < 0)
                        return r;
        }
        if ((p->rates.ingress_burst && !p->rates.ingress) || (p->rates.egress_burst && !p->rates.egress))
                return err_set(err, ERR_INVALID, -EINVAL, "invalid endpoint settings: network %s: a burst needs a rate in its direction", p->network);
        return 0;
}

bool spec_is_endpoint_rate(const char *option) {
        return find_rate(option) != NULL;
}
