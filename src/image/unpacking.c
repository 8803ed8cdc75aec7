/* SPDX-License-Identifier: Apache-2.0 */
#include "image/unpacking.h"

#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "image/fixup.h"
#include "image/store.h"
#include "worker/job.h"

static void set_digest(json_t *object, const char *key, const struct digest *d) {
        char text[DIGEST_TEXT_SIZE];

        if (!d)
                return;
        digest_format(d, text);
        json_object_set_new(object, key, json_string(text));
}

int unpacking_start(struct image_store *s, const struct unpacking *u, struct worker *ret, struct err *err) {
        auto_fd clone = -EBADF;
        json_t *request;
        int r = s->sink.clone(s->sink.data, u->dir_fd, &clone, err);

        if (r >= 0)
                r = worker_start(s->worker_fd, s->sink.userns_fd, "unpack", ret, err);
        if (r < 0)
                return r;
        request = json_pack("{s:s, s:I, s:s*, s:b, s:{s:I, s:I, s:I}}", "op", "unpack", "size", (json_int_t) u->size, "name", u->name, "keep_blob", u->keep_blob, "limits", "bytes",
                            (json_int_t) WORKER_LIMIT_BYTES, "entries", (json_int_t) WORKER_LIMIT_ENTRIES, "ratio", (json_int_t) WORKER_LIMIT_RATIO);
        if (request) {
                set_digest(request, "digest", u->blob);
                set_digest(request, "diff_id", u->diff_id);
        }
        return worker_send(ret, request, (const int[]) { u->input_fd, clone, u->blob_fd }, u->blob_fd >= 0 ? 3 : 2, err);
}

int unpacking_receive(struct worker *w, int dir_fd, unsigned *devices, json_t **ret, struct err *err) {
        auto_json *event = NULL;
        const char *what;
        int r = worker_receive(w, &event, err);

        if (r < 0)
                return r;
        what = json_get_str(event, "event", "");
        *ret = NULL;
        if (strcmp(what, "opaque") == 0)
                return fixup_opaque(dir_fd, event, err);
        if (strcmp(what, "device") == 0) {
                ++*devices;
                return 0;
        }
        if (strcmp(what, "error") == 0)
                return worker_error(event, err);
        if (strcmp(what, "done") != 0 && strcmp(what, "progress") != 0 && strcmp(what, "blob") != 0)
                return err_set(err, ERR_INTERNAL, -EPROTO, "the worker says \"%s\", which means nothing", what);
        *ret = take_ptr(&event);
        return 0;
}
