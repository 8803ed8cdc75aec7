/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/upload.h"

#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "worker/control.h"
#include "worker/fetch.h"

enum {
        PART_SIZE = 16 << 20,
        MANIFEST_MAX = 4 << 20,
        BEGINNINGS_MAX = 5, /* of one blob: a registry that forgets every upload is left alone */
        PROGRESS_THAT_COUNTS = 1 << 20,
};

/* --- orders --- */

static int check_file(const struct transfer *t, int fd, struct err *err) {
        struct stat st;

        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t) st.st_size != t->size)
                return err_set(err, ERR_INVALID, -EINVAL, "worker: %s is no file of %" PRIu64 " bytes", t->reference ? t->reference : "", t->size);
        return 0;
}

/* The order's fd is the file, not a pipe. */
static int take_source(struct transfer *t, const json_t *job, struct err *err) {
        int64_t size = json_get_int(job, "size", -1);

        if (size < 0)
                return err_set(err, ERR_INVALID, -EINVAL, "worker: an upload without a size");
        t->size = (uint64_t) size;
        t->source_fd = t->pipe_fd;
        t->pipe_fd = -EBADF;
        return check_file(t, t->source_fd, err);
}

static int take_blob(struct transfer *t, const json_t *job, struct err *err) {
        const char *digest = json_get_str(job, "digest", ""), *from = json_get_str(job, "from", "");

        t->kind = TRANSFER_UPLOAD;
        if (!digest_is_valid(digest))
                return err_set(err, ERR_INVALID, -EINVAL, "\"%s\" is not a digest", digest);
        if (*from && !registry_is_repository(from))
                return err_set(err, ERR_INVALID, -EINVAL, "\"%s\" is not the name of a repository", from);
        t->reference = strdup(digest);
        t->from = *from ? strdup(from) : NULL;
        if (!t->reference || (*from && !t->from))
                return err_errno(err, -ENOMEM, "request");
        t->step = UPLOAD_CHECK;
        return 0;
}

int upload_take_blob(struct transfer *t, const json_t *job, struct err *err) {
        int r = take_blob(t, job, err);

        return r < 0 ? r : take_source(t, job, err);
}

int upload_take_mount(struct transfer *t, const json_t *job, struct err *err) {
        int r = take_blob(t, job, err);

        if (r == 0 && !t->from)
                return err_set(err, ERR_INVALID, -EINVAL, "worker: a mount without the repository to mount from");
        t->mount_only = true;
        return r;
}

int upload_take_delete(struct transfer *t, const json_t *job, struct err *err) {
        const char *reference = json_get_str(job, "reference", "");

        t->kind = TRANSFER_DELETE;
        if (!registry_is_tag(reference) && !digest_is_valid(reference))
                return err_set(err, ERR_INVALID, -EINVAL, "\"%s\" is neither a tag nor a digest", reference);
        t->reference = strdup(reference);
        return t->reference ? 0 : err_errno(err, -ENOMEM, "request");
}

int upload_take_manifest(struct transfer *t, const json_t *job, struct err *err) {
        const char *reference = json_get_str(job, "reference", ""), *type = json_get_str(job, "media_type", ""), *digest = json_get_str(job, "digest", "");

        t->kind = TRANSFER_PUT;
        if ((!registry_is_tag(reference) && !digest_is_valid(reference)) || !digest_is_valid(digest))
                return err_set(err, ERR_INVALID, -EINVAL, "\"%s\" is neither a tag nor a digest", reference);
        if (!*type || strlen(type) >= sizeof(t->media_type) || strpbrk(type, "\r\n"))
                return err_set(err, ERR_INVALID, -EINVAL, "worker: a media type of a wrong form");
        if (json_get_int(job, "size", 0) > MANIFEST_MAX)
                return err_set(err, ERR_INVALID, -EINVAL, "worker: a manifest of more than %d bytes is not sent", MANIFEST_MAX);
        snprintf(t->media_type, sizeof(t->media_type), "%s", type);
        snprintf(t->digest, sizeof(t->digest), "%s", digest);
        t->reference = strdup(reference);
        return take_source(t, job, err);
}

int upload_take_ping(struct transfer *t, const json_t *job, struct err *err) {
        t->kind = TRANSFER_PING;
        t->reference = strdup("");
        return t->reference ? 0 : err_errno(err, -ENOMEM, "request");
}

/* --- an attempt --- */

/* The query of an upload's place, which often has one already. */
static char *closing_url(const struct transfer *t) {
        return str_format("%s%cdigest=%s", t->place, strchr(t->place, '?') ? '&' : '?', t->reference);
}

char *upload_url(const struct transfer *t) {
        const struct registry *r = t->registry;
        auto_free char *start = NULL;

        if (t->kind == TRANSFER_PING)
                return registry_base_url(r);
        if (t->kind == TRANSFER_PUT || t->kind == TRANSFER_DELETE)
                return registry_url(r, "manifests", t->reference);
        switch (t->step) {
        case UPLOAD_CHECK:
                return registry_url(r, "blobs", t->reference);
        case UPLOAD_BEGIN:
                start = registry_url(r, "blobs", "uploads/");
                if (!start || !t->from)
                        return take_ptr(&start);
                return str_format("%s?mount=%s&from=%s", start, t->reference, t->from);
        case UPLOAD_WHOLE:
        case UPLOAD_CLOSE:
                return closing_url(t);
        default:
                return strdup(t->place);
        }
}

static size_t read_source(char *buffer, size_t one, size_t size, void *user) {
        struct transfer *t = user;
        uint64_t left = t->part_end - t->sent;
        ssize_t n;

        do
                n = pread(t->source_fd, buffer, left < size ? (size_t) left : size, (off_t) t->sent);
        while (n < 0 && errno == EINTR);
        if (n < 0 || (n == 0 && left > 0)) {
                err_set(&t->err, ERR_INTERNAL, n < 0 ? -errno : -ENODATA, "%s: its file cannot be read", transfer_name(t));
                return CURL_READFUNC_ABORT;
        }
        t->sent += (uint64_t) n;
        if (t->kind == TRANSFER_UPLOAD && control_progress_due(&t->progress_ns))
                control_send(t->control_fd, json_pack("{s:s, s:I, s:I}", "event", "progress", "id", (json_int_t) t->id, "bytes", (json_int_t) t->sent));
        return (size_t) n;
}

/* The library would send the same bytes again by itself when the connection breaks, on top of those that the registry already has. */
static int seek_source(void *user, curl_off_t offset, int origin) {
        const struct transfer *t = user;

        return origin == SEEK_SET && offset == 0 && t->sent == t->done ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

static void set_body(struct transfer *t, uint64_t from, uint64_t to) {
        t->done = t->sent = from;
        t->part_end = to;
        curl_easy_setopt(t->easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(t->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t) (to - from));
        curl_easy_setopt(t->easy, CURLOPT_UPLOAD_BUFFERSIZE, 512l << 10);
        curl_easy_setopt(t->easy, CURLOPT_READFUNCTION, read_source);
        curl_easy_setopt(t->easy, CURLOPT_READDATA, t);
        curl_easy_setopt(t->easy, CURLOPT_SEEKFUNCTION, seek_source);
        curl_easy_setopt(t->easy, CURLOPT_SEEKDATA, t);
}

static int add_line(struct transfer *t, const char *key, const char *value) {
        auto_free char *line = str_format("%s:%s%s", key, *value ? " " : "", value);
        struct curl_slist *more = line ? curl_slist_append(t->headers, line) : NULL;

        if (!more)
                return -ENOMEM;
        t->headers = more;
        return 0;
}

static int prepare_part(struct transfer *t) {
        uint64_t end = t->size - t->done > PART_SIZE ? t->done + PART_SIZE : t->size;
        char range[48];

        snprintf(range, sizeof(range), "%" PRIu64 "-%" PRIu64, t->done, end - 1);
        set_body(t, t->done, end);
        curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, "PATCH");
        return add_line(t, "Content-Range", range);
}

int upload_prepare(struct transfer *t) {
        bool sends_bytes = t->kind == TRANSFER_PUT || t->step == UPLOAD_WHOLE || t->step == UPLOAD_PART;
        int r = 0;

        if (t->kind == TRANSFER_PING)
                return 0;
        if (t->kind == TRANSFER_DELETE) {
                curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, "DELETE");
                return 0;
        }
        if (t->kind == TRANSFER_PUT || t->step == UPLOAD_WHOLE)
                set_body(t, 0, t->size);
        else if (t->step == UPLOAD_PART)
                r = prepare_part(t);
        else if (t->step == UPLOAD_CLOSE)
                set_body(t, t->size, t->size);
        else if (t->step == UPLOAD_CHECK)
                curl_easy_setopt(t->easy, CURLOPT_NOBODY, 1L);
        else if (t->step == UPLOAD_BEGIN)
                curl_easy_setopt(t->easy, CURLOPT_COPYPOSTFIELDS, "");
        if (r == 0 && sends_bytes)
                r = add_line(t, "Content-Type", t->kind == TRANSFER_PUT ? t->media_type : "application/octet-stream");
        /* Waiting for a "go on" costs a round trip, and some proxies never say it. */
        if (r == 0)
                r = add_line(t, "Expect", "");
        curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
        return r;
}

/* --- answers --- */

bool upload_parse_range(const char *text, uint64_t *ret_size) {
        uint64_t last = 0;
        const char *p;

        if (strncmp(text, "bytes=", 6) == 0) /* not what the specification says, but said */
                text += 6;
        if (strncmp(text, "0-", 2) != 0)
                return false;
        p = text + 2;
        if (!*p || strlen(p) > 18)
                return false;
        for (; *p; p++) {
                if (*p < '0' || *p > '9')
                        return false;
                last = last * 10 + (uint64_t) (*p - '0');
        }
        *ret_size = last > 0 ? last + 1 : 0; /* "0-0" is what registries say of nothing, and one byte is not worth the difference */
        return true;
}

static void go(struct fetch *f, struct transfer *t, enum upload_step step) {
        struct err err;

        t->step = step;
        t->challenges = 0;
        if (fetch_aim(f, t) < 0) {
                err_errno(&err, -ENOMEM, "%s", transfer_name(t));
                fetch_fail(f, t, &err);
                return;
        }
        fetch_start_later(t, 0);
}

/* After a step that can only be done so often: the next one has all its tries. */
static void go_with_patience(struct fetch *f, struct transfer *t, enum upload_step step) {
        t->tries = 0;
        go(f, t, step);
}

static void finish(struct transfer *t, const char *how) {
        t->how = how;
        t->done = t->size;
        t->state = TRANSFER_DRAINING;
}

/* Where the bytes go. It may be another host's, which then gets the bytes but no credentials. */
static int take_place(struct fetch *f, struct transfer *t, bool wanted) {
        const char *location = transfer_header(t, "Location", 0);
        auto_free char *place = location ? fetch_resolve(t->url, location) : NULL;
        struct err err;

        if (!location && !wanted)
                return 0;
        if (!place || !registry_may_follow(t->url, place)) {
                err_set(&err, ERR_UNAVAILABLE, -EACCES, "%s: the registry %s", transfer_name(t),
                        location ? "sends us to a place that may not be followed" : "does not say where to send the bytes");
                fetch_fail(f, t, &err);
                return -EACCES;
        }
        free(t->place);
        t->place = take_ptr(&place);
        return 0;
}

/* How much of it the registry has; UINT64_MAX when what it says makes no sense. */
static uint64_t offset_said(const struct transfer *t, uint64_t otherwise) {
        const char *range = transfer_header(t, "Range", 0);
        uint64_t size;

        if (!range)
                return otherwise;
        return upload_parse_range(range, &size) && size <= t->size ? size : UINT64_MAX;
}

static void go_on_from(struct fetch *f, struct transfer *t, uint64_t offset) {
        if (offset > t->done && offset - t->done >= PROGRESS_THAT_COUNTS)
                t->tries = 0;
        t->done = offset;
        go(f, t, offset >= t->size ? UPLOAD_CLOSE : UPLOAD_PART);
}

static void begin_anew(struct fetch *f, struct transfer *t, long status) {
        t->done = 0;
        if (++t->beginnings >= BEGINNINGS_MAX)
                fetch_fail_status(f, t, status);
        else
                go(f, t, UPLOAD_BEGIN);
}

static void on_check(struct fetch *f, struct transfer *t, long status) {
        if (status == 200)
                finish(t, "exists");
        else if (status == 404)
                go_with_patience(f, t, UPLOAD_BEGIN);
        else
                fetch_fail_status(f, t, status);
}

static void refuse(struct fetch *f, struct transfer *t, long status, const char *what) {
        struct err err;

        err_set(&err, ERR_UNSUPPORTED, -EOPNOTSUPP, "%s: %s (HTTP status %ld)", transfer_name(t), what, status);
        fetch_fail(f, t, &err);
}

static void on_begin(struct fetch *f, struct transfer *t, long status) {
        if (status == 201 && t->from) {
                finish(t, "mounted");
        } else if (t->mount_only) {
                refuse(f, t, status, "the registry does not mount the blob from another repository");
        } else if (status == 202) {
                t->done = 0;
                if (take_place(f, t, true) == 0)
                        go_with_patience(f, t, t->in_parts ? UPLOAD_PART : UPLOAD_WHOLE);
        } else if (t->from) { /* a mount that is refused is no reason to give up */
                free(take_ptr(&t->from));
                go(f, t, UPLOAD_BEGIN);
        } else {
                fetch_fail_status(f, t, status);
        }
}

static void on_end(struct fetch *f, struct transfer *t, long status) {
        bool too_large = status == 413 || status == 405;

        if (status == 201 || status == 204) {
                finish(t, "sent");
        } else if (too_large && t->step == UPLOAD_WHOLE) { /* of a registry or proxy that takes parts only */
                t->in_parts = true;
                begin_anew(f, t, status);
        } else if (status == 404) {
                begin_anew(f, t, status);
        } else {
                fetch_fail_status(f, t, status);
        }
}

static void on_part(struct fetch *f, struct transfer *t, long status) {
        uint64_t offset;

        if (status == 202 || status == 201 || status == 204) {
                offset = t->part_end == 1 ? 1 : offset_said(t, t->part_end);
                if (take_place(f, t, false) < 0)
                        return;
                if (offset == UINT64_MAX || offset <= t->done) {
                        begin_anew(f, t, status);
                        return;
                }
                t->tries = 0;
                go_on_from(f, t, offset);
        } else if (status == 416 && ++t->beginnings < BEGINNINGS_MAX) {
                go(f, t, UPLOAD_ASK);
        } else if (status == 404 || status == 400) {
                begin_anew(f, t, status);
        } else {
                fetch_fail_status(f, t, status);
        }
}

static void on_ask(struct fetch *f, struct transfer *t, long status) {
        uint64_t offset = status == 204 || status == 202 || status == 200 ? offset_said(t, 0) : UINT64_MAX;

        if (offset == UINT64_MAX || take_place(f, t, false) < 0) {
                if (t->state != TRANSFER_OVER)
                        begin_anew(f, t, status);
                return;
        }
        go_on_from(f, t, offset);
}

static void on_put(struct fetch *f, struct transfer *t, long status) {
        const char *said = transfer_header(t, "Docker-Content-Digest", 0), *subject;
        struct err err;

        if (status != 201 && status != 200) {
                fetch_fail_status(f, t, status);
        } else if (said && strcmp(said, t->digest) != 0) {
                err_set(&err, ERR_UNAVAILABLE, -EBADMSG, "%s: the registry has stored something else than %s", transfer_name(t), t->digest);
                fetch_fail(f, t, &err);
        } else {
                subject = transfer_header(t, "OCI-Subject", 0);
                if (subject && digest_is_valid(subject))
                        snprintf(t->subject, sizeof(t->subject), "%s", subject);
                finish(t, "sent");
        }
}

/* 405: by the specification, of a registry that deletes nothing; of a tag, 400 also, of those that know digests only. */
static void on_delete(struct fetch *f, struct transfer *t, long status) {
        bool tag = registry_is_tag(t->reference);

        if (status == 202 || status == 200 || status == 204 || (status == 404 && t->tries > 0)) /* the first answer may have been lost */
                finish(t, "deleted");
        else if (status == 405 || status == 501 || (status == 400 && tag))
                refuse(f, t, status, tag ? "the registry does not delete tags" : "the registry does not delete manifests");
        else
                fetch_fail_status(f, t, status);
}

static void on_ping(struct fetch *f, struct transfer *t, long status) {
        if (status == 200)
                finish(t, t->registry->auth == REGISTRY_ANONYMOUS ? "open" : "known");
        else
                fetch_fail_status(f, t, status);
}

void upload_on_answer(struct fetch *f, struct transfer *t, long status) {
        static void (*const steps[])(struct fetch *f, struct transfer *t, long status) = {
                [UPLOAD_CHECK] = on_check, [UPLOAD_BEGIN] = on_begin, [UPLOAD_WHOLE] = on_end,
                [UPLOAD_ASK] = on_ask,     [UPLOAD_PART] = on_part,   [UPLOAD_CLOSE] = on_end,
        };
        _Static_assert(ARRAY_SIZE(steps) == _UPLOAD_STEP_MAX, "an answer for each step");

        if (t->kind == TRANSFER_PING)
                on_ping(f, t, status);
        else if (t->kind == TRANSFER_PUT)
                on_put(f, t, status);
        else if (t->kind == TRANSFER_DELETE)
                on_delete(f, t, status);
        else
                steps[t->step](f, t, status);
}

void upload_look_again(struct transfer *t) {
        if (t->kind != TRANSFER_UPLOAD || !t->place)
                return;
        t->in_parts = true;
        if (t->step == UPLOAD_WHOLE || t->step == UPLOAD_PART || t->step == UPLOAD_CLOSE)
                t->step = UPLOAD_ASK;
}
