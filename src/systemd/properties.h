/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The properties that may be set, by whom, and what type each has on the bus. */

#include <stdbool.h>

enum property_type {
        PROPERTY_FLAG,   /* "true" or "false"           b */
        PROPERTY_NUMBER, /* digits, or "infinity"       t */
        PROPERTY_TEXT,   /*                             s */
        PROPERTY_UNITS,  /* names with blanks between   as */
        PROPERTY_SET,    /* "0-3,5": a mask             ay */
        PROPERTY_PAIRS,  /* "/dev/a rwm,char-b r"   a(ss) */
};

struct property {
        const char *name;
        enum property_type type;
        bool annotation; /* also by org.systemd.property.NAME */
};
const struct property *property_find(const char *name);

/* Letters, digits and ":-_.\@", with a dot in it: what systemd takes for a unit's name. */
bool unit_name_is_valid(const char *name);
