/* SPDX-License-Identifier: Apache-2.0 */
/* What goes to standard error in words. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/colour.h"
#include "cli/command.h"

/* "kist: " and a word in colour before it. Much of the text was said by others: a registry, a container's command. It must not move the cursor of this
 * terminal. One write: other processes write there, too. */
static void say(const char *before, enum colour c, const char *word, const char *text) {
        bool on = colour_on(stderr);
        auto_free char *plain = strdup(text);

        if (!plain)
                abort();
        if (isatty(STDERR_FILENO))
                str_make_plain(plain, strlen(plain), "\n\t");
        fflush(stdout);
        fprintf(stderr, "%s%s%s:%s %s\n", before, colour(on, c), word, colour(on, COLOUR_END), plain);
}

static char *text_of(const char *format, va_list ap) {
        char *text = NULL;

        if (vasprintf(&text, format, ap) < 0)
                abort();
        return text;
}

void complain(const char *format, ...) {
        auto_free char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = text_of(format, ap);
        va_end(ap);
        say("", COLOUR_BAD, program_name, text);
}

void warn(const char *format, ...) {
        auto_free char *text = NULL, *before = str_format("%s: ", program_name);
        va_list ap;

        va_start(ap, format);
        text = text_of(format, ap);
        va_end(ap);
        say(before ? before : "", COLOUR_CAUTION, "warning", text);
}

void warn_loudly(const char *text) {
        static const char head[] = "WARNING: ";

        say("", COLOUR_CAUTION, "WARNING", str_starts_with(text, head) ? text + sizeof(head) - 1 : text);
}
