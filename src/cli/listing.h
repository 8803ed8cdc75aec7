/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Lists of objects as Docker's commands print them: rows with named columns, through --format. Without one, and with "table", the command's own
 * columns below their heads; "table TEMPLATE" others; "json" an object per row; a template without "table" a line per row. */

#include <jansson.h>
#include <stdbool.h>

#include "cli/colour.h"

struct err;
struct listing;
struct strbuf;

struct listing_column {
        const char *name; /* "ID": what a template says */
        const char *head; /* "CONTAINER ID" */
        /* Appends what the column shows of a row, which is whatever the verb hands to listing_add_row(). NULL: all rows are objects (listing_add). */
        void (*text)(const void *row, struct strbuf *out);
        /* In a table on a terminal; NULL: plain. Only where no template function changes the column. */
        enum colour (*colour)(const void *row);
        bool seldom; /* made of what the daemon need not send when nobody looks at it: see listing_is_usual() */
};

/* format: the user's, or NULL; own: the template of the command's table, "{{.ID}}\t{{.Names}}". columns end with a row whose name is NULL and
 * live as long as the listing. ERR_INVALID for a bad template: call it before anything is asked of the daemon. */
int listing_new(const char *format, const char *own, const struct listing_column *columns, struct listing **ret, struct err *err);
/* Whether the rows go into a table (format NULL, "table", "table …"). */
bool listing_is_table(const char *format);
/* Whether a template speaks of this column: some cost the daemon time. */
bool listing_wants(const struct listing *l, const char *column);
/* Whether the template is text and columns only, none of them a seldom one. */
bool listing_is_usual(const struct listing *l);
/* row: an object with all columns (borrowed). calls: {"Label": {"key": "value"}} for `.Label "key"`, or NULL. A template without "table" prints at once. */
int listing_add(struct listing *l, const json_t *row, const json_t *calls, struct err *err);
/* The same with columns that have text(): only those are made that the template speaks of. */
int listing_add_row(struct listing *l, const void *row, const json_t *calls, struct err *err);
/* All columns of one row as an object, the caller's. */
json_t *listing_row(const struct listing_column *columns, const void *row);
/* Print what is left to print, and free it. */
void listing_end(struct listing *l);
/* The same without printing: the table would only be a part. */
void listing_free(struct listing *l);
/* The one or the other: r < 0: something failed. */
void listing_close(struct listing *l, int r);

/* Columns for listing_add(): labels as "a=b,c=d", sorted; ids cut to twelve letters without "sha256:" unless `whole`; "2026-11-22 02:14:29 +0000 UTC"
 * in the local time zone. The first three are the caller's; the others write into `ret`. */
char *listing_labels(const json_t *labels);
char *listing_id(const char *id, bool whole);
char *listing_cut(const char *text, size_t letters); /* longer: one letter less and "…" */
void listing_date(int64_t unix_s, char ret[64]);
void listing_ago(int64_t unix_s, char ret[64]); /* "3 weeks ago" */
