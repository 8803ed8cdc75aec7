/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"
#include "base/timestamp.h"

static _Atomic int max_level = LOG_LEVEL_INFO;

void log_set_level(enum log_level max) {
        atomic_store(&max_level, (int) max);
}

void log_line(enum log_level level, const char *format, ...) {
        static const char *const names[] = { "error", "warning", "info", "debug" };
        static const char *const journal[] = { "<3>", "<4>", "<6>", "<7>" };
        int saved = errno, n = 0, m;
        char line[1024], now[TIME_RFC3339_SIZE];
        va_list ap;

        if ((int) level > atomic_load(&max_level))
                return;
        if (getenv("JOURNAL_STREAM")) {
                n = snprintf(line, sizeof(line), "%s", journal[level]);
        } else {
                time_format_now(now);
                n = snprintf(line, sizeof(line), "%s %s ", now, names[level]);
        }
        va_start(ap, format);
        errno = saved;
        m = vsnprintf(line + n, sizeof(line) - 1 - (size_t) n, format, ap);
        va_end(ap);
        if (m > 0)
                n = m < (int) sizeof(line) - 1 - n ? n + m : (int) sizeof(line) - 2;
        n = (int) str_make_plain(line, (size_t) n, "");
        line[n++] = '\n';
        /* One write(2) per line: lines of several threads do not mix. Nobody can be told when it fails. */
        if (write(STDERR_FILENO, line, (size_t) n) < 0)
                errno = saved;
        errno = saved;
}
