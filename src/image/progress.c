/* SPDX-License-Identifier: Apache-2.0 */
#include "image/progress.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

static int emit(const struct progress *p, json_t *event) {
        auto_json *owned = event;

        if (!p->fn)
                return 0;
        if (!owned)
                return -ENOMEM;
        return p->fn(owned, p->data) < 0 ? -ECANCELED : 0;
}

int progress_status(const struct progress *p, const char *id, const char *format, ...) {
        char text[700];
        va_list ap;

        va_start(ap, format);
        vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        return emit(p, json_pack("{s:s, s:s*}", "status", text, "id", id));
}

int progress_layer(const struct progress *p, const char *id, const char *status) {
        return emit(p, json_pack("{s:s, s:{}, s:s}", "status", status, "progressDetail", "id", id));
}

int progress_bytes(const struct progress *p, const char *id, const char *status, uint64_t current, uint64_t total) {
        char bar[120];

        progress_bar(current, total, bar, sizeof(bar));
        return emit(p, json_pack("{s:s, s:{s:I, s:I}, s:s, s:s}", "status", status, "progressDetail", "current", (json_int_t) current,
                                 "total", (json_int_t) total, "progress", bar, "id", id));
}

int progress_aux(const struct progress *p, json_t *aux) {
        return emit(p, json_pack("{s:{}, s:o}", "progressDetail", "aux", aux));
}

int progress_stream(const struct progress *p, const char *format, ...) {
        char text[700];
        va_list ap;

        va_start(ap, format);
        vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        return emit(p, json_pack("{s:s}", "stream", text));
}

static void human_size(uint64_t bytes, char *ret, size_t size) {
        static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
        double v = (double) bytes;
        size_t i = 0;

        for (; v >= 1000 && i + 1 < ARRAY_SIZE(units); i++)
                v /= 1000;
        snprintf(ret, size, "%.4g%s", v, units[i]);
}

void progress_bar(uint64_t current, uint64_t total, char *ret, size_t size) {
        static const char full[] = "==================================================";
        int done = total > 0 ? (int) ((double) current / (double) total * 50) : 0;
        char now[24], all[24];

        if (done > 50)
                done = 50;
        human_size(current, now, sizeof(now));
        human_size(total, all, sizeof(all));
        snprintf(ret, size, "[%.*s>%*s] %8s/%s", done, full, 50 - done, "", now, all);
}
