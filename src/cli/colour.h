/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Colours, for people only: a pipe or a file gets the same bytes with them as without. They never carry what is not in the words as well. */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum colour {
        COLOUR_PLAIN,   /* nothing */
        COLOUR_GOOD,    /* green: runs */
        COLOUR_CAUTION, /* yellow: on its way, a warning */
        COLOUR_BAD,     /* red: failed */
        COLOUR_HEADING, /* bold */
        COLOUR_END,     /* what was before */
};

/* Whether what is written to this stream may have colours: it is a terminal that obeys (cli/terminal.h), and NO_COLOR is not set, or to nothing. Source:
 * no-color.org. */
bool colour_on(FILE *stream);
/* What to write before the words ("" when `on` is false): put COLOUR_END behind them. */
const char *colour(bool on, enum colour c);
/* How many bytes of the text's beginning are such a mark: they take no room on the screen. */
size_t colour_mark(const char *text);
