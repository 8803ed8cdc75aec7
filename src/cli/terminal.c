/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

bool terminal_obeys(FILE *stream) {
        const char *term = getenv("TERM");

        return term && *term && strcmp(term, "dumb") != 0 && isatty(fileno(stream));
}

void terminal_put(FILE *stream, const char *text, const char *kept) {
        auto_free char *plain = strdup(text);

        if (!plain)
                abort();
        if (isatty(fileno(stream)))
                str_make_plain(plain, strlen(plain), kept);
        fputs(plain, stream);
}
