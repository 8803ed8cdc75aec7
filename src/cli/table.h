/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Columns of text as Docker prints them: left-aligned, three blanks between, as wide as the widest cell, and ten at least. */

#include <stddef.h>
#include <stdint.h>

struct table;

struct table *table_new(size_t columns);
void table_cell(struct table *t, const char *text); /* copied; row after row, left to right; control characters become '?' */
void table_print(const struct table *t);
void table_free(struct table *t);
/* Lines of cells, each cell but a line's last ended by a tab: a column is as wide as the widest cell of the lines that follow each other and have it,
 * and at least `min_width`. */
void table_print_text(const char *text, size_t min_width);

/* "3 minutes", "About an hour", "2 weeks": Docker's words for a time span. Writes into `ret` (32 bytes). */
void human_duration(int64_t seconds, char ret[32]);
/* "4.26MB", "0B": powers of 1000, at most three digits, as Docker's columns. */
void human_size(uint64_t bytes, char ret[32]);
/* The same with four digits: sums. And in powers of 1024, "23.54GiB": memory. */
void human_sum(uint64_t bytes, char ret[32]);
void human_memory(uint64_t bytes, char ret[32]);
