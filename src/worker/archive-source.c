/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/archive-source.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "worker/source.h"

enum { NAME_SHOWN = 200 }; /* bytes of a member's name in a message */

struct archive *archive_source_reader(void) {
        struct archive *a = archive_read_new();

        if (!a)
                return NULL;
        archive_read_support_filter_none(a);
        archive_read_support_format_tar(a);
        archive_read_support_format_empty(a); /* no bytes at all: an empty layer */
        return a;
}

static la_ssize_t read_piece(struct archive *archive, void *data, const void **ret) {
        struct archive_source *a = data;
        size_t size = 0;
        int r = source_read(a->source, ret, &size, &a->err);

        if (r < 0) {
                archive_set_error(archive, EIO, "%s", a->err.msg);
                return ARCHIVE_FATAL;
        }
        return r == 0 ? 0 : (la_ssize_t) size;
}

int archive_source_open(struct source *source, struct archive_source *a, struct err *err) {
        *a = (struct archive_source) { .source = source, .archive = archive_source_reader() };
        if (!a->archive)
                return err_errno(err, -ENOMEM, "cannot be read");
        return 0;
}

void archive_source_close(struct archive_source *a) {
        archive_read_free(a->archive);
        a->archive = NULL;
}

static int failed(struct archive_source *a, struct err *err) {
        const char *reason = archive_error_string(a->archive);

        if (a->err.kind != ERR_NONE) {
                if (err)
                        *err = a->err;
                return a->err.num ? a->err.num : -EIO;
        }
        return err_set(err, ERR_INVALID, -EBADMSG, "is not a good tar archive: %s", reason ? reason : "unknown error");
}

/* Names are bytes. In the "C" locale that workers run in, the reader leaves them as they are, but warns that they cannot be converted. */
static bool is_charset_warning(struct archive *archive) {
        const char *reason = archive_error_string(archive);

        return reason && strstr(reason, "can't be converted");
}

int archive_source_next(struct archive_source *a, struct archive_entry **ret, struct err *err) {
        int r;

        /* Opening reads the first bytes already: done late, so that a bad stream is an error of the first member. */
        if (!a->opened && archive_read_open(a->archive, a, NULL, read_piece, NULL) != ARCHIVE_OK)
                return failed(a, err);
        a->opened = true;
        r = archive_read_next_header(a->archive, ret);
        if (r == ARCHIVE_EOF)
                return 0;
        if (r == ARCHIVE_OK || (r == ARCHIVE_WARN && is_charset_warning(a->archive)))
                return 1;
        return failed(a, err);
}

int archive_source_data(struct archive_source *a, const void **ret, size_t *ret_size, int64_t *ret_offset, struct err *err) {
        la_int64_t offset = 0;
        int r = archive_read_data_block(a->archive, ret, ret_size, &offset);

        if (r == ARCHIVE_EOF)
                return 0;
        if (r != ARCHIVE_OK)
                return failed(a, err);
        *ret_offset = offset;
        return 1;
}

int archive_source_drain(struct archive_source *a, struct err *err) {
        const void *data;
        size_t size;
        int r;

        do
                r = source_read(a->source, &data, &size, err);
        while (r > 0);
        return r;
}

/* At its offset, so that a hole before it stays one. */
static int write_piece(int fd, const void *data, size_t size, int64_t offset, struct err *err) {
        while (size > 0) {
                ssize_t n = pwrite(fd, data, size, offset);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_errno(err, -errno, "cannot be written");
                data = (const char *) data + n;
                size -= (size_t) n;
                offset += n;
        }
        return 0;
}

int archive_source_copy(struct archive_source *a, int fd, int64_t size, void (*told)(void *data), void *data, struct err *err) {
        int64_t written = 0;

        for (;;) {
                const void *piece;
                int64_t offset = 0;
                size_t n;
                int r = archive_source_data(a, &piece, &n, &offset, err);

                if (r < 0)
                        return r;
                if (r == 0)
                        break;
                if (offset < written || offset > size || n > (uint64_t) (size - offset))
                        return err_set(err, ERR_INVALID, -EBADMSG, "has data beyond its size");
                r = write_piece(fd, piece, n, offset, err);
                if (r < 0)
                        return r;
                written = offset + (int64_t) n;
                if (told)
                        told(data);
        }
        return written < size && ftruncate(fd, size) < 0 ? err_errno(err, -errno, "cannot be written") : 0; /* a hole at the end */
}

int archive_source_each(struct archive_source *a, int (*member)(void *data, struct archive_entry *e, struct err *err), void *data, struct err *err) {
        for (;;) {
                struct archive_entry *e;
                int r = archive_source_next(a, &e, err);

                if (r < 0)
                        return r;
                if (r == 0)
                        return archive_source_drain(a, err);
                a->raw_name = archive_entry_pathname(e);
                if (!a->raw_name)
                        return err_set(err, ERR_INVALID, -EBADMSG, "has an entry without a name");
                r = member(data, e, err);
                if (r < 0)
                        return r;
                a->raw_name = NULL;
        }
}

int archive_source_blame(const struct archive_source *a, const char *what, struct err *err) {
        struct err reason = *err;

        if (a->raw_name && a->err.kind == ERR_NONE)
                return err_set(err, reason.kind, reason.num, "%s: entry \"%.*s\" %s", what, NAME_SHOWN, a->raw_name, reason.msg);
        return err_set(err, reason.kind, reason.num, "%s %s", what, reason.msg);
}
