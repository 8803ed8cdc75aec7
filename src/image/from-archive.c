/* SPDX-License-Identifier: Apache-2.0 */

/* A new image of one layer: the archive of a file system. A load worker keeps its bytes and sums them; unpacking is as with any layer. */

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "image/derive.h"
#include "worker/client.h"
#include "worker/job.h"

static int sum(struct derive *d, const struct image_from_archive *a, json_t **ret, struct err *err) {
        struct image_sink *sink = &d->store->sink;
        auto_fd clone = -EBADF;
        int r = sink->clone(sink->data, d->dir_fd, &clone, err);

        if (r < 0)
                return r;
        return worker_run(d->store->worker_fd, sink->userns_fd, "load",
                          json_pack("{s:s, s:{s:I, s:I, s:I}}", "op", "keep", "limits", "bytes", (json_int_t) WORKER_LIMIT_BYTES, "entries", (json_int_t) WORKER_LIMIT_ENTRIES,
                                    "ratio", (json_int_t) WORKER_LIMIT_RATIO),
                          (const int[]) { a->archive_fd, clone }, 2, a->cancel_fd, ret, err);
}

/* What a client that went away in the middle has sent looks like an archive that ends there. */
static int check_not_canceled(const struct image_from_archive *a, struct err *err) {
        struct pollfd p = { .fd = a->cancel_fd, .events = POLLIN };

        return poll(&p, 1, 0) > 0 ? err_set(err, ERR_UNAVAILABLE, -ECANCELED, "canceled") : 0;
}

static int add_layer(struct derive *d, const json_t *sums, struct err *err) {
        const char *compression = json_get_str(sums, "compression", "");
        bool plain = strcmp(compression, "uncompressed") == 0;
        char type[80], hex[DIGEST_HEX_SIZE];
        struct digest blob, diff_id;
        int64_t size = json_get_int(sums, "size", -1);

        if (!digest_parse(json_get_str(sums, "digest", NULL), &blob) || !digest_parse(json_get_str(sums, "diff_id", NULL), &diff_id) || size < 0 ||
            (!plain && strcmp(compression, "gzip") != 0 && strcmp(compression, "zstd") != 0))
                return err_set(err, ERR_INTERNAL, -EPROTO, "the worker tells of an archive what makes no sense");
        snprintf(type, sizeof(type), LAYER_TAR "%s%s", plain ? "" : "+", plain ? "" : compression);
        digest_format_hex(&blob, hex);
        if (renameat(d->dir_fd, WORKER_KEPT_LAYER, d->dir_fd, hex) < 0)
                return err_errno(err, -errno, "layer of a new image");
        return derive_add_layer(d, &blob, (uint64_t) size, type, &diff_id, err);
}

static int make(struct derive *d, const void *how, char ret_id[72], struct err *err) {
        const struct image_from_archive *a = how;
        auto_json *sums = NULL;
        int r = derive_from_scratch(d, a->platform, err);

        d->made_unix_s = a->made_unix_s;
        if (r >= 0)
                r = sum(d, a, &sums, err);
        if (r >= 0)
                r = check_not_canceled(a, err);
        if (r >= 0)
                r = add_layer(d, sums, err);
        if (r >= 0)
                r = derive_add_history(d, NULL, NULL, a->comment, false, err);
        if (r < 0)
                return r;
        json_object_set(d->config, "config", (json_t *) a->config);
        return derive_commit(d, a->name, ret_id, err);
}

int image_from_archive(struct image_store *s, const struct image_from_archive *a, char ret_id[72], struct err *err) {
        return derive_run(s, make, a, ret_id, err);
}
