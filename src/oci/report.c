/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/oci.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "base/timestamp.h"

static void add_json(struct strbuf *line, const char *now, const char *level, const char *message) {
        auto_json *object = json_pack("{s:s, s:s, s:s}", "level", level, "msg", message, "time", now);
        auto_free char *text = object ? json_text(object) : NULL;

        /* A message may have been cut inside of a character: then it is not UTF-8, which JSON has to be. */
        strbuf_adds(line, text ?: "{\"level\":\"error\",\"msg\":\"the message is not UTF-8\"}");
}

static void add_text(struct strbuf *line, const char *now, const char *level, const char *message) {
        strbuf_addf(line, "time=\"%s\" level=%s msg=\"", now, level);
        for (; *message; message++)
                strbuf_addf(line, *message == '"' || *message == '\\' ? "\\%c" : "%c", *message);
        strbuf_adds(line, "\"");
}

static void append_to_log(const struct options *o, const char *level, const char *message) {
        auto_fd fd = open(o->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
        char now[TIME_RFC3339_SIZE];
        auto_strbuf line = { 0 };

        if (fd < 0) {
                fprintf(stderr, PROGRAM ": cannot write the log %s: %m\n", o->log);
                return;
        }
        strbuf_init(&line, 8192);
        time_format_now(now);
        if (o->log_format && strcmp(o->log_format, "json") == 0)
                add_json(&line, now, level, message);
        else
                add_text(&line, now, level, message);
        strbuf_adds(&line, "\n");
        if (strbuf_error(&line) == 0 && fd_write_all(fd, line.data, line.size) < 0)
                fprintf(stderr, PROGRAM ": cannot write the log %s: %m\n", o->log);
}

void report_error(const struct options *o, const struct err *err) {
        fprintf(stderr, PROGRAM ": %s\n", err->msg);
        if (o->log)
                append_to_log(o, "error", err->msg);
}

/* Our standard error is the container's as well: where there is a log, only errors may be said there, for then there is no container. */
void report_warning(const struct options *o, const struct err *err) {
        if (o->log)
                append_to_log(o, "warning", err->msg);
        else
                fprintf(stderr, PROGRAM ": warning: %s\n", err->msg);
}

void report_debug(const struct options *o, const char *format, ...) {
        char line[512];
        va_list ap;

        if (!o->debug)
                return;
        va_start(ap, format);
        vsnprintf(line, sizeof(line), format, ap);
        va_end(ap);
        if (o->log)
                append_to_log(o, "debug", line);
        else
                fprintf(stderr, PROGRAM ": debug: %s\n", line);
}

int report_text(const char *text, struct err *err) {
        int r = fd_write_all(STDOUT_FILENO, text, strlen(text));

        return r < 0 ? err_errno(err, r, "standard output") : 0;
}
