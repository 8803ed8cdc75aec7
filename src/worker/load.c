/* SPDX-License-Identifier: Apache-2.0 */

/* Mode load: an archive of an OCI image layout (image-spec, image-layout.md), or what "docker save" wrote and writes, to its files. Only the
 * layout's own files are made, under names that are made here; every blob is summed before it gets its name. The older archives of Docker call their
 * members otherwise: these become blobs too, and the daemon is told which was which. What looks like a layer is offered to the daemon, which has it unpacked
 * (and summed) by a worker of its own while it comes: the archive says only at its end what belongs to what. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "worker/archive-source.h"
#include "worker/control.h"
#include "worker/decode.h"
#include "worker/digest.h"
#include "worker/entry.h"
#include "worker/jobs.h"
#include "worker/source.h"

enum {
        INDEX_SIZE_MAX = 4 << 20,
        MEMBERS_MAX = 4096, /* of Docker's older archives */
        FD_INPUT = 0,
        FD_DIRECTORY = 1,
        TAR_BLOCK_SIZE = 512,
        TAR_SUM_AT = 148,
        TAR_SUM_SIZE = 8,
};

enum offered { OFFERED_KEEP, OFFERED_POUR, OFFERED_SKIP };

#define BLOBS "blobs/sha256/"
#define PARTIAL ".partial"

struct load {
        int control_fd, dir_fd;
        struct job_limits limits;
        struct archive_source archive;
        struct digest *sum;
        uint64_t bytes, entries, blobs, told;
        int64_t progress_ns;
        const void *piece; /* of the member at hand */
        size_t piece_size;
        bool looked_at; /* the piece is still to be used */
        char path[ENTRY_PATH_SIZE];
};

/* Besides blobs. "repositories" says again, in an older form, what manifest.json says. */
static const struct {
        const char *path;
        bool keep;
} members[] = {
        { "oci-layout", true },
        { "index.json", true },
        { "manifest.json", true },
        { "repositories", false },
};

/* The next piece of the member at hand, the one that was looked at first: 1, or 0 at its end. */
static int next_piece(struct load *l, struct err *err) {
        int64_t offset;
        int r;

        if (l->looked_at) {
                l->looked_at = false;
                return l->piece_size > 0 ? 1 : 0;
        }
        r = archive_source_data(&l->archive, &l->piece, &l->piece_size, &offset, err);
        if (r <= 0)
                return r;
        if (l->piece_size > l->limits.bytes - l->bytes)
                return err_set(err, ERR_TOO_LARGE, -EFBIG, "passes the limit of %" PRIu64 " bytes for an archive", l->limits.bytes);
        l->bytes += l->piece_size;
        if (control_progress_due(&l->progress_ns))
                control_send(l->control_fd, json_pack("{s:s, s:I}", "event", "progress", "bytes", (json_int_t) source_consumed(l->archive.source)));
        return 1;
}

static int copy(struct load *l, int fd, struct err *err) {
        int r;

        while ((r = next_piece(l, err)) > 0) {
                if (digest_add(l->sum, l->piece, l->piece_size) < 0)
                        return err_set(err, ERR_INTERNAL, -EIO, "cannot be summed by SHA-256");
                r = fd_write_all(fd, l->piece, l->piece_size);
                if (r < 0)
                        return err_errno(err, r, "cannot be written");
        }
        return r;
}

/* --- layers go to workers of their own, while they come --- */

/* From its first bytes: compressed, or a tar archive, whose first header sums up (POSIX pax, ustar Interchange Format: as if the sum were blanks). */
static bool looks_like_layer(const uint8_t *p, size_t size) {
        char digits[TAR_SUM_SIZE + 1] = "";
        unsigned long sum = 0;

        if (size >= DECODE_MAGIC_SIZE && decode_detect(p, size) != DECODE_NONE)
                return true;
        if (size < TAR_BLOCK_SIZE)
                return false;
        for (size_t i = 0; i < TAR_BLOCK_SIZE; i++)
                sum += i >= TAR_SUM_AT && i < TAR_SUM_AT + TAR_SUM_SIZE ? ' ' : p[i];
        memcpy(digits, p + TAR_SUM_AT, TAR_SUM_SIZE);
        return sum == strtoul(digits, NULL, 8);
}

/* A pipe that breaks is one whose reader has failed: the daemon knows why, and whether it matters. */
static int pour(struct load *l, int pipe_fd, struct err *err) {
        bool broken = false;
        int r;

        while ((r = next_piece(l, err)) > 0) {
                if (broken)
                        continue;
                r = fd_write_all(pipe_fd, l->piece, l->piece_size);
                broken = r == -EPIPE;
                if (r < 0 && !broken)
                        return err_errno(err, r, "cannot be handed on");
        }
        return r;
}

static int take_answer(struct load *l, const struct control_message *m, enum offered *ret, struct err *err) {
        auto_json *answer = NULL;
        const char *what;
        int r = control_parse(m, &answer, err);

        if (r < 0)
                return r;
        what = json_get_str(answer, "do", "");
        *ret = strcmp(what, "pour") == 0 ? OFFERED_POUR : strcmp(what, "skip") == 0 ? OFFERED_SKIP : OFFERED_KEEP;
        if (*ret == OFFERED_POUR && m->n_fds != 1)
                return err_set(err, ERR_INVALID, -EINVAL, "cannot be handed on: the daemon gives no pipe for it");
        return 0;
}

/* *ret: what became of the member at hand. KEEP: nothing yet, it is for the caller to keep. `key` and `value` are how it is called. */
static int offer(struct load *l, const char *key, const char *value, int64_t size, enum offered *ret, struct err *err) {
        struct control_message m = { 0 };
        json_t *text = json_string(value);
        int r = text ? next_piece(l, err) : 0;

        *ret = OFFERED_KEEP;
        if (r == 0)
                l->piece_size = 0;
        l->looked_at = r >= 0 && text;
        if (r <= 0 || !looks_like_layer(l->piece, l->piece_size)) {
                json_decref(text);
                return r < 0 ? r : 0;
        }
        r = control_send(l->control_fd, json_pack("{s:s, s:I, s:o}", "event", "layer", "size", (json_int_t) size, key, text));
        if (r >= 0)
                r = control_receive(l->control_fd, &m);
        if (r <= 0)
                return err_errno(err, r < 0 ? r : -EPIPE, "cannot be offered");
        r = take_answer(l, &m, ret, err);
        if (r == 0 && *ret == OFFERED_POUR)
                r = pour(l, m.fds[0], err);
        control_message_done(&m);
        return r;
}

/* --- files --- */

/* Data of the member at hand into a file of its own, under a name that is no blob's. */
static int copy_aside(struct load *l, int dir_fd, char digest[DIGEST_SIZE], struct err *err) {
        auto_fd fd = -EBADF;
        int r;

        unlinkat(dir_fd, PARTIAL, 0);
        fd = openat(dir_fd, PARTIAL, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0)
                return err_errno(err, -errno, "cannot be made");
        r = copy(l, fd, err);
        if (r == 0 && digest_end(l->sum, digest) < 0)
                r = err_set(err, ERR_INTERNAL, -EIO, "cannot be summed by SHA-256");
        return r;
}

static int put(struct load *l, int dir_fd, const char *name, const char *digest, struct err *err) {
        char found[DIGEST_SIZE];
        int r = copy_aside(l, dir_fd, found, err);

        if (r == 0 && digest && strcmp(found, digest) != 0)
                r = err_set(err, ERR_INVALID, -EBADMSG, "has another digest: %s", found);
        if (r == 0 && renameat(dir_fd, PARTIAL, dir_fd, name) < 0)
                r = err_errno(err, -errno, "cannot get its name");
        if (r < 0)
                unlinkat(dir_fd, PARTIAL, 0);
        return r;
}

static int open_blobs(struct load *l, int *ret_fd, struct err *err) {
        auto_fd blobs = -EBADF, sha256 = -EBADF;

        mkdirat(l->dir_fd, "blobs", 0755);
        blobs = openat(l->dir_fd, "blobs", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (blobs >= 0) {
                mkdirat(blobs, "sha256", 0755);
                sha256 = openat(blobs, "sha256", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        }
        if (sha256 < 0)
                return err_errno(err, -errno, "cannot have its directory");
        *ret_fd = move_fd(sha256);
        return 0;
}

static int load_blob(struct load *l, const char *hex, int64_t size, struct err *err) {
        char digest[DIGEST_SIZE];
        enum offered offered;
        auto_fd dir = -EBADF;
        struct stat st;
        int r;

        if (!digest_hex_is_valid(hex))
                return err_set(err, ERR_INVALID, -EINVAL, "is not the name of a blob");
        snprintf(digest, sizeof(digest), "sha256:%s", hex);
        r = open_blobs(l, &dir, err);
        if (r < 0)
                return r;
        if (fstatat(dir, hex, &st, AT_SYMLINK_NOFOLLOW) == 0)
                return 0; /* said twice: the first one was verified */
        r = offer(l, "digest", digest, size, &offered, err);
        if (r == 0 && offered == OFFERED_KEEP)
                r = put(l, dir, hex, digest, err);
        if (r == 0)
                l->blobs++;
        return r;
}

/* --- the older archive of Docker: "<id>.json", "<id>.tar", "<id>/layer.tar", which may be a link to another --- */

static bool ends_with(const char *s, const char *end) {
        size_t n = strlen(s), m = strlen(end);

        return n > m && strcmp(s + n - m, end) == 0;
}

/* Of a member that is none of a layout: is it one of Docker's, and is it used? */
static bool is_dockers(const char *path, bool *ret_used) {
        const char *slash = strchr(path, '/');

        *ret_used = slash ? strcmp(slash, "/layer.tar") == 0 : ends_with(path, ".json") || ends_with(path, ".tar");
        return *ret_used || (slash && (strcmp(slash, "/json") == 0 || strcmp(slash, "/VERSION") == 0));
}

static int tell_member(struct load *l, const char *key, const char *value, struct err *err) {
        json_t *name = json_string(l->path), *text = json_string(value);
        int r;

        if (!name || !text || ++l->told > MEMBERS_MAX) {
                json_decref(name);
                json_decref(text);
                return err_set(err, ERR_INVALID, -EINVAL, "is one too many, or has a name that is not UTF-8");
        }
        r = control_send(l->control_fd, json_pack("{s:s, s:o, s:o}", "event", "member", "name", name, key, text));
        return r < 0 ? err_errno(err, r, "cannot be reported") : 0;
}

static int load_dockers(struct load *l, int64_t size, struct err *err) {
        char digest[DIGEST_SIZE];
        enum offered offered;
        auto_fd dir = -EBADF;
        int r = offer(l, "name", l->path, size, &offered, err);

        if (r < 0 || offered != OFFERED_KEEP)
                return r;
        r = open_blobs(l, &dir, err);
        if (r == 0)
                r = copy_aside(l, dir, digest, err);
        if (r == 0 && renameat(dir, PARTIAL, dir, digest + strlen("sha256:")) < 0)
                r = err_errno(err, -errno, "cannot get its name");
        if (r < 0)
                return r;
        l->blobs++;
        return tell_member(l, "digest", digest, err);
}

static int load_file(struct load *l, struct archive_entry *e, struct err *err) {
        bool used;

        if (archive_entry_filetype(e) == AE_IFLNK && archive_entry_symlink(e) && is_dockers(l->path, &used) && used && strchr(l->path, '/'))
                return tell_member(l, "target", archive_entry_symlink(e), err);
        if (archive_entry_filetype(e) != AE_IFREG || archive_entry_hardlink(e))
                return err_set(err, ERR_INVALID, -EINVAL, "is not a plain file");
        if (str_starts_with(l->path, BLOBS))
                return load_blob(l, l->path + strlen(BLOBS), archive_entry_size(e), err);
        for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
                if (strcmp(l->path, members[i].path) != 0)
                        continue;
                if (!members[i].keep)
                        return 0;
                if (archive_entry_size(e) > INDEX_SIZE_MAX)
                        return err_set(err, ERR_TOO_LARGE, -EFBIG, "is longer than %d bytes", INDEX_SIZE_MAX);
                return put(l, l->dir_fd, members[i].path, NULL, err);
        }
        if (is_dockers(l->path, &used))
                return used ? load_dockers(l, archive_entry_size(e), err) : 0;
        return err_set(err, ERR_INVALID, -EINVAL, "is no part of an OCI image layout");
}

static int load_entry(void *data, struct archive_entry *e, struct err *err) {
        struct load *l = data;
        int r = entry_path(l->archive.raw_name, l->path);

        if (r < 0)
                return err_set(err, ERR_INVALID, r, r == -EXDEV ? "leaves the root" : "has a name that is too long");
        l->looked_at = false;
        if (++l->entries > l->limits.entries)
                return err_set(err, ERR_TOO_LARGE, -E2BIG, "passes the limit of %" PRIu64 " entries", l->limits.entries);
        return archive_entry_filetype(e) == AE_IFDIR && !archive_entry_hardlink(e) ? 0 : load_file(l, e, err);
}

static int name_culprit(struct load *l, struct err *err) {
        if (err->kind == ERR_NOT_FOUND || err->kind == ERR_CONFLICT || err->kind == ERR_DENIED)
                err->kind = ERR_INTERNAL;
        return archive_source_blame(&l->archive, "image archive", err);
}

static int run(struct load *l, int input_fd, struct err *err) {
        const struct source_options options = {
                .input_fd = input_fd,
                .blob_fd = -1,
                .unsummed = true, /* its blobs are */
                .limits = { .plain = job_limits_plain(&l->limits), .ratio = l->limits.ratio },
        };
        struct source *source;
        int r = source_start(&options, &source, err);

        if (r < 0)
                return r;
        r = archive_source_open(source, &l->archive, err);
        if (r == 0)
                r = archive_source_each(&l->archive, load_entry, l, err);
        if (r == 0)
                control_send(l->control_fd, json_pack("{s:s, s:I, s:I}", "event", "done", "blobs", (json_int_t) l->blobs, "bytes", (json_int_t) l->bytes));
        else
                r = name_culprit(l, err);
        archive_source_close(&l->archive);
        return r;
}

int job_load(int control_fd, const struct control_message *m, struct err *err) {
        static struct load l;
        auto_json *job = NULL;
        int r = control_parse(m, &job, err);

        if (r < 0)
                return r;
        if (strcmp(json_get_str(job, "op", ""), "keep") == 0 && m->n_fds == FD_DIRECTORY + 1)
                return job_keep(control_fd, job, m, err);
        if (strcmp(json_get_str(job, "op", ""), "load") != 0 || m->n_fds != FD_DIRECTORY + 1)
                return err_set(err, ERR_INVALID, -EINVAL, "worker: not a job for load");
        l.control_fd = control_fd;
        l.dir_fd = m->fds[FD_DIRECTORY];
        l.limits = job_limits_of(job);
        l.sum = digest_new();
        if (!l.sum)
                return err_errno(err, -ENOMEM, "image archive");
        signal(SIGPIPE, SIG_IGN);
        r = run(&l, m->fds[FD_INPUT], err);
        digest_free(l.sum);
        return r;
}
