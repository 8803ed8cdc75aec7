/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A plan in the making: one growing buffer per table, put together and sealed at the end. Memory errors stick and are told once, by
 * builder_seal(). */

#include "base/str.h"
#include "runtime/plan/format.h"

struct err;

enum builder_table {
        BUILD_STRINGS,
        BUILD_JOINS,
        BUILD_UID_MAP,
        BUILD_GID_MAP,
        BUILD_TIME_OFFSETS,
        BUILD_SOURCES,
        BUILD_STEPS,
        BUILD_PARAMS,
        BUILD_ARGV,
        BUILD_ENV,
        BUILD_GROUPS,
        BUILD_RLIMITS,
        BUILD_FILTER,
        BUILD_NET_DEVICES,
        BUILD_HOOKS,
        BUILD_HOOK_TEXTS,
        BUILD_OWN_MAPS, /* struct plan_id_map of single sources */
        _BUILD_MAX,
};

struct builder {
        struct plan_header header;
        struct strbuf tables[_BUILD_MAX];
};

void builder_init(struct builder *b, enum plan_kind kind);
void builder_done(struct builder *b);
#define auto_builder __attribute__((cleanup(builder_done))) struct builder

/* The offset of a text; 0 for NULL and "". */
uint32_t builder_text(struct builder *b, const char *s);
uint32_t builder_textf(struct builder *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Append one record and return its index. */
uint32_t builder_add(struct builder *b, enum builder_table table, const void *record);
/* How many records a table has. */
uint32_t builder_count(const struct builder *b, enum builder_table table);

/* The parts of steps, sources and hooks name records by index until the plan is sealed: { .offset = first index, .count }. */
int builder_seal(struct builder *b, int *ret_fd, struct err *err);
