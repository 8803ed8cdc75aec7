/* SPDX-License-Identifier: Apache-2.0 */
#include "api/status.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* The docker command tells "no such command" (exit 127) and "cannot be executed" (exit 126) from other failures of a start by these
 * words in the message only, so they must be there whatever the kernel's own words were. */
static const struct {
        unsigned status;
        const char *phrase, *other; /* either will do; the first is added when neither is there. Older clients know one word for 126 */
} rows[] = {
        [ERR_NONE] = { 500 },
        [ERR_INVALID] = { 400 },
        [ERR_UNAUTHORIZED] = { 401 },
        [ERR_DENIED] = { 403 },
        [ERR_NOT_FOUND] = { 404 },
        [ERR_CONFLICT] = { 409 },
        [ERR_NOT_MODIFIED] = { 304 },
        [ERR_NO_COMMAND] = { 400, "executable file not found", "no such file or directory" },
        [ERR_NOT_EXECUTABLE] = { 400, "permission denied", "permission denied" },
        [ERR_TOO_LARGE] = { 413 },
        [ERR_NO_SPACE] = { 507 },
        [ERR_UNSUPPORTED] = { 501 },
        [ERR_UNAVAILABLE] = { 503 },
        [ERR_INTERNAL] = { 500 },
};
_Static_assert(ARRAY_SIZE(rows) == _ERR_KIND_MAX, "a kind without a status");

unsigned api_status_of(enum err_kind kind) {
        return (unsigned) kind < _ERR_KIND_MAX ? rows[kind].status : 500;
}

void api_status_message(const struct err *err, char *ret, size_t size) {
        const char *phrase = (unsigned) err->kind < _ERR_KIND_MAX ? rows[err->kind].phrase : NULL;

        if (phrase && !strstr(err->msg, phrase) && !strstr(err->msg, rows[err->kind].other))
                snprintf(ret, size, "%.400s: %s", err->msg, phrase);
        else
                snprintf(ret, size, "%s", *err->msg ? err->msg : "internal error");
}
