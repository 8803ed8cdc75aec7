/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/colour.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/terminal.h"

/* The sixteen colours that every terminal lets its user choose. */
static const char *const marks[] = {
        [COLOUR_PLAIN] = "",      [COLOUR_GOOD] = "\033[32m",   [COLOUR_CAUTION] = "\033[33m",
        [COLOUR_BAD] = "\033[31m", [COLOUR_HEADING] = "\033[1m", [COLOUR_END] = "\033[0m",
};

bool colour_on(FILE *stream) {
        const char *no = getenv("NO_COLOR");

        return !(no && *no) && terminal_obeys(stream);
}

const char *colour(bool on, enum colour c) {
        return on ? marks[c] : "";
}

size_t colour_mark(const char *text) {
        for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
                size_t n = strlen(marks[i]);

                if (n > 0 && strncmp(text, marks[i], n) == 0)
                        return n;
        }
        return 0;
}
