/* SPDX-License-Identifier: Apache-2.0 */

/* An archive that is to become a layer, kept as it comes: all that is learned of it are its sums. What is in it is the unpacker's matter. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "worker/control.h"
#include "worker/job.h"
#include "worker/jobs.h"
#include "worker/source.h"

enum { FD_INPUT, FD_DIRECTORY, MAGIC_MAX = 6 };

/* What others compress with, and nobody here reads. */
static const char *foreign_compression(const uint8_t *p, size_t size) {
        static const struct {
                const char *name, *magic;
                size_t size;
        } known[] = {
                { "xz", "\xfd" "7zXZ", 6 },
                { "bzip2", "BZh", 3 },
                { "lz4", "\x04\x22\x4d\x18", 4 },
        };

        for (size_t i = 0; i < ARRAY_SIZE(known); i++)
                if (size >= known[i].size && memcmp(p, known[i].magic, known[i].size) == 0)
                        return known[i].name;
        return NULL;
}

static int read_through(struct source *source, struct err *err) {
        uint64_t total = 0;
        const void *data;
        size_t size;
        int r;

        while ((r = source_read(source, &data, &size, err)) > 0) {
                const char *other = total == 0 ? foreign_compression(data, size) : NULL;

                if (other)
                        return err_set(err, ERR_INVALID, -EBADMSG, "is compressed by %s: plain, gzip and zstd archives are taken", other);
                total += size;
        }
        if (r == 0 && total == 0)
                return err_set(err, ERR_INVALID, -ENODATA, "is empty");
        return r;
}

int job_keep(int control_fd, const json_t *job, const struct control_message *m, struct err *err) {
        struct job_limits limits = job_limits_of(job);
        auto_fd fd = openat(m->fds[FD_DIRECTORY], WORKER_KEPT_LAYER, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        const struct source_options options = {
                .input_fd = m->fds[FD_INPUT],
                .blob_fd = fd,
                .limits = { .plain = job_limits_plain(&limits), .ratio = limits.ratio },
        };
        struct source *source;
        struct err reason;
        int r = fd < 0 ? err_errno(err, -errno, "the archive's file") : source_start(&options, &source, err);

        if (r < 0)
                return r;
        r = read_through(source, err);
        if (r < 0) {
                reason = *err;
                return err_set(err, reason.kind, r, "the archive %s", reason.msg);
        }
        control_send(control_fd, json_pack("{s:s, s:s, s:s, s:I, s:s}", "event", "done", "digest", source_digest(source), "diff_id", source_diff_id(source), "size",
                                           (json_int_t) source_consumed(source), "compression", decode_kind_name(source_compression(source))));
        return 0;
}
