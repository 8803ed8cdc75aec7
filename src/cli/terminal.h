/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What may be written to a stream, by what is behind it: a terminal, one that can only print ("dumb": an editor's shell, a log), a pipe or a file. */

#include <stdbool.h>
#include <stdio.h>

/* A terminal whose TERM is neither missing nor "dumb": it takes orders to move its cursor, to wipe and to colour. All others get lines, as a pipe does. */
bool terminal_obeys(FILE *stream);

/* Words that others chose: on any terminal without control characters, which could be such orders, but those in `kept`; as they are elsewhere. */
void terminal_put(FILE *stream, const char *text, const char *kept);
