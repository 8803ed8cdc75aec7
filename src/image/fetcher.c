/* SPDX-License-Identifier: Apache-2.0 */
#include "image/fetcher.h"
#include "image/registries.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define LOCAL_REGISTRY "kist.local"

enum {
        CA_SIZE_MAX = 32 << 10,
        PATIENCE_MS = 180000, /* longer than the worker's own: only a worker that hangs gets there */
        PATIENCE_ASK_MS = 600000, /* a registry may look through all that a manifest names before it answers */
};

bool registry_is_loopback(const char *registry) {
        const char *colon = *registry == '[' ? strchr(registry, ']') : strchr(registry, ':');
        size_t n = colon ? (size_t) (colon - registry) + (*registry == '[') : strlen(registry);
        char host[256];
        struct in_addr v4;

        if (n >= sizeof(host) || (registry[n] != '\0' && registry[n] != ':'))
                return false;
        memcpy(host, registry, n);
        host[n] = '\0';
        if (strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
                return true;
        return inet_pton(AF_INET, host, &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127;
}

#define auto_certs __attribute__((cleanup(registry_certs_done))) struct registry_certs

static int read_ca(const char *path, char **ret, struct err *err) {
        int r = file_read_at(AT_FDCWD, path, CA_SIZE_MAX, ret, NULL);

        return r < 0 ? err_errno(err, r, "certificates of %s", path) : 0;
}

/* Credentials are shown to whom they are for. Without a word about that, it is the registry of the reference; a mirror is somebody else. */
static bool may_be_told(const struct image_pull *p, const char *whom, bool mirror) {
        char owner[256];

        if (!p->server || !*p->server)
                return !mirror;
        image_registry_of_address(p->server, owner, sizeof(owner));
        return strcasecmp(owner, whom) == 0;
}

static void withhold(const struct image_pull *p, struct fetcher *f, const char *whom) {
        if ((!p->username && !p->identity_token) || !p->server || !*p->server)
                return;
        image_registry_of_address(p->server, f->withheld, sizeof(f->withheld));
        log_debug("%s: credentials for %s are not shown to %s", f->repository, f->withheld, whom);
}

static int open_request(const struct registries *registries, const struct image_pull *p, const struct image_reference *r, const struct fetcher_use *use, struct fetcher *f,
                        json_t **ret, struct err *err) {
        const char *host = use->mirror ? strstr(use->mirror, "://") + 3 : r->registry;
        auto_free char *scheme = use->mirror ? strndup(use->mirror, (size_t) (host - 3 - use->mirror)) : NULL;
        bool told = may_be_told(p, host, use->mirror), insecure = (p->insecure && !use->mirror) || registry_is_loopback(host) || registries_is_insecure(registries, host);
        auto_certs certs = { 0 };
        json_t *open;
        int e;

        snprintf(f->repository, sizeof(f->repository), "%s%s%s", host, *r->repository ? "/" : "", r->repository);
        if (!told)
                withhold(p, f, host);
        e = p->ca_file ? read_ca(p->ca_file, &certs.ca, err) : registries_read_certs(registries, host, &certs, err);
        if (e < 0)
                return e;
        open = json_pack("{s:s, s:s, s:s, s:b, s:s*, s:s*, s:s*, s:s*, s:b, s:b, s:b, s:s*, s:s*, s:s*, s:s*}", "op", "open", "registry", host, "repository", r->repository, "insecure", insecure,
                         "username", told ? p->username : NULL, "password", told ? p->password : NULL, "identity_token", told ? p->identity_token : NULL, "ca_pem", certs.ca, "push",
                         use->push, "delete", use->remove, "offline", use->offline, "from", use->from, "cert_pem", certs.cert, "key_pem", certs.key, "scheme", scheme);
        if (!open || registries_fill_request(registries, open) < 0) {
                json_decref(open);
                return err_set(err, ERR_INVALID, -EINVAL, "the credentials or certificates for %s are not UTF-8", host);
        }
        *ret = open;
        return 0;
}

int fetcher_start(struct image_store *s, const struct image_pull *p, const struct image_reference *r, const struct fetcher_use *use,
                  struct fetcher *ret, struct err *err) {
        static const struct fetcher_use to_pull = { 0 };
        auto_registries struct registries *registries = registries_of(s);
        struct fetcher f = { .worker = WORKER_NONE };
        json_t *open = NULL;
        int e = open_request(registries, p, r, use ? use : &to_pull, &f, &open, err);

        if (e < 0)
                return e;
        e = worker_start(s->worker_fd, s->sink.userns_fd, "fetch", &f.worker, err);
        if (e < 0) {
                json_decref(open);
                return e;
        }
        e = worker_send(&f.worker, open, NULL, 0, err);
        if (e < 0) {
                worker_kill(&f.worker);
                return e;
        }
        *ret = f;
        return 0;
}

int fetcher_open(struct image_store *s, const struct image_pull *asked, const struct fetcher_use *use, struct image_reference *reference, char familiar[600],
                 struct fetcher *ret, struct err *err) {
        int r = image_reference_parse(asked->reference, reference, err);

        if (r < 0)
                return r;
        image_reference_familiar(reference, familiar, 600);
        if (strcmp(reference->registry, LOCAL_REGISTRY) == 0)
                return err_set(err, ERR_NOT_FOUND, -ENOENT, "%s: names under " LOCAL_REGISTRY "/ are of this host only, and in no registry", familiar);
        return fetcher_start(s, asked, reference, use, ret, err);
}

int fetcher_error(const struct fetcher *f, const json_t *event, struct err *err) {
        int r = worker_error(event, err);
        size_t n = strlen(f->repository);
        char *rest;

        if (err && err->kind == ERR_UNAUTHORIZED && *f->withheld) {
                struct err said = *err;

                err_set(err, ERR_UNAUTHORIZED, said.num, "%s: those that were given are for %s", said.msg, f->withheld);
        }
        if (!err || strncmp(err->msg, f->repository, n) != 0 || (err->msg[n] != ':' && err->msg[n] != '@'))
                return r;
        rest = strstr(err->msg + n, ": ");
        if (rest)
                memmove(err->msg, rest + 2, strlen(rest + 2) + 1);
        return r;
}

int fetcher_event(struct fetcher *f, uint64_t id, json_t **ret, struct err *err) {
        auto_json *event = NULL;
        int r = worker_receive(&f->worker, &event, err);

        if (r < 0)
                return r;
        /* An error without an id is of the worker as a whole. */
        if (strcmp(json_get_str(event, "event", ""), "error") == 0)
                return fetcher_error(f, event, err);
        if (worker_number(event, "id") != id)
                return err_set(err, ERR_INTERNAL, -EPROTO, "the worker answers what was not asked");
        *ret = take_ptr(&event);
        return 0;
}

int fetcher_close(struct fetcher *f, int r, const char *familiar, struct err *err) {
        worker_kill(&f->worker);
        return r < 0 ? err_name(err, familiar) : r;
}

static json_t *manifest_request(const char *op, const char *reference) {
        return json_pack("{s:s, s:s, s:[s,s,s,s], s:i}", "op", op, "reference", reference, "accept", media_type_name(MEDIA_OCI_INDEX), media_type_name(MEDIA_DOCKER_LIST),
                         media_type_name(MEDIA_OCI_MANIFEST), media_type_name(MEDIA_DOCKER_MANIFEST), "max", MANIFEST_SIZE_MAX);
}

/* A body that is being read whole. */
struct body {
        uint64_t id;
        struct strbuf text;
        char media_type[128];
        struct digest digest; /* that the registry says; untouched when it says none */
        json_t *event;        /* "done"; NULL: not yet */
};

static int on_event(struct fetcher *f, struct body *b, struct err *err) {
        auto_json *event = NULL;
        int r = fetcher_event(f, b->id, &event, err);

        if (r < 0)
                return r;
        if (strcmp(json_get_str(event, "event", ""), "done") == 0) {
                snprintf(b->media_type, sizeof(b->media_type), "%s", json_get_str(event, "media_type", ""));
                digest_parse(json_get_str(event, "digest", ""), &b->digest);
                b->event = json_incref(event);
        }
        return 0;
}

/* 0 at the end of the pipe, 1 before it. */
static int on_data(int fd, struct body *b, struct err *err) {
        char buffer[16384];
        ssize_t n = read(fd, buffer, sizeof(buffer));

        if (n < 0)
                return errno == EINTR ? 1 : err_errno(err, -errno, "reading from a worker");
        strbuf_add(&b->text, buffer, (size_t) n);
        if (strbuf_error(&b->text) < 0)
                return err_set(err, ERR_TOO_LARGE, -EFBIG, "it is longer than %zu bytes", b->text.max);
        return n > 0;
}

static void body_done(struct body *b) {
        strbuf_done(&b->text);
        json_decref(b->event);
}
#define auto_body __attribute__((cleanup(body_done))) struct body

static int read_body(struct fetcher *f, struct body *b, int pipe_fd, int patience_ms, struct err *err) {
        struct pollfd p[] = { { .fd = f->worker.control, .events = POLLIN }, { .fd = pipe_fd, .events = POLLIN } };

        while (!b->event || p[1].fd >= 0) {
                int r = poll(p, ARRAY_SIZE(p), patience_ms);

                if (r < 0 && errno == EINTR)
                        continue;
                if (r < 0)
                        return err_errno(err, -errno, "poll");
                if (r == 0)
                        return err_set(err, ERR_UNAVAILABLE, -ETIMEDOUT, "no answer in %d seconds", patience_ms / 1000);
                /* The pipe ends before the worker says how it went: events later. */
                if (p[1].fd >= 0 && p[1].revents) {
                        r = on_data(pipe_fd, b, err);
                        if (r == 0)
                                p[1].fd = -1;
                } else if (p[0].revents) {
                        r = on_event(f, b, err);
                }
                if (r < 0)
                        return r;
        }
        return 0;
}

/* `request` (stolen) gets its id. */
static int send_request(struct fetcher *f, json_t *request, uint64_t *ret_id, int fd, struct err *err) {
        auto_json *event = NULL;
        int r;

        if (!request || json_object_set_new(request, "id", json_integer((json_int_t) ++f->last_id)) < 0) {
                json_decref(request);
                return err_errno(err, -ENOMEM, "request to a worker");
        }
        *ret_id = f->last_id;
        r = worker_send(&f->worker, request, &fd, fd >= 0, err);
        /* A worker that has ended may have said why: of what it was told at the beginning. */
        if (r == -EPIPE && worker_receive(&f->worker, &event, NULL) >= 0 && strcmp(json_get_str(event, "event", ""), "error") == 0)
                return fetcher_error(f, event, err);
        return r;
}

int fetcher_get_digest(struct fetcher *f, const char *reference, struct digest *ret, char media_type[128], struct err *err) {
        auto_body b = { .digest = *ret };
        int r = send_request(f, manifest_request("head", reference), &b.id, -EBADF, err);

        if (r >= 0)
                r = read_body(f, &b, -EBADF, PATIENCE_MS, err);
        if (r < 0)
                return r;
        memcpy(media_type, b.media_type, sizeof(b.media_type));
        *ret = b.digest;
        return 0;
}

int fetcher_ask(struct fetcher *f, json_t *request, int fd, json_t **ret, struct err *err) {
        auto_body b = { 0 };
        int r = send_request(f, request, &b.id, fd, err);

        if (r >= 0)
                r = read_body(f, &b, -EBADF, PATIENCE_ASK_MS, err);
        if (r >= 0 && ret)
                *ret = take_ptr(&b.event);
        return r;
}

int fetcher_put_manifest(struct fetcher *f, const char *reference, enum media_type type, const struct descriptor *d, int fd, bool *ret_listed, struct err *err) {
        char digest[DIGEST_TEXT_SIZE];
        auto_json *done = NULL;
        int r;

        digest_format(&d->digest, digest);
        r = fetcher_ask(f,
                        json_pack("{s:s, s:s, s:s, s:s, s:I}", "op", "put", "reference", reference ? reference : digest, "digest", digest, "media_type", media_type_name(type),
                                  "size", (json_int_t) d->size),
                        fd, &done, err);
        if (r >= 0 && ret_listed)
                *ret_listed = json_get_str(done, "subject", NULL);
        return r;
}

int fetcher_put_text(struct fetcher *f, const char *reference, enum media_type type, const char *text, size_t size, bool *ret_listed, struct err *err) {
        auto_fd fd = memfd_create("manifest", MFD_CLOEXEC);
        struct descriptor d = { .size = size };
        int r = fd < 0 ? -errno : fd_write_all(fd, text, size);

        if (r < 0)
                return err_errno(err, r, "manifest");
        digest_of(text, size, &d.digest);
        return fetcher_put_manifest(f, reference, type, &d, fd, ret_listed, err);
}

/* `request` is stolen; its body is read into *b. */
static int fetch_whole(struct fetcher *f, json_t *request, size_t max, struct body *b, struct err *err) {
        auto_fd ours = -EBADF, theirs = -EBADF;
        int pair[2], r;

        strbuf_init(&b->text, max);
        if (pipe2(pair, O_CLOEXEC) < 0) {
                json_decref(request);
                return err_errno(err, -errno, "pipe");
        }
        ours = pair[0];
        theirs = pair[1];
        r = send_request(f, request, &b->id, theirs, err);
        if (r < 0)
                return r;
        theirs = fd_close(theirs);
        return read_body(f, b, ours, PATIENCE_MS, err);
}

static int verify(const struct strbuf *text, const struct digest *want, struct err *err) {
        char have_text[DIGEST_TEXT_SIZE], want_text[DIGEST_TEXT_SIZE];
        struct digest have;

        digest_of(text->data ? text->data : "", text->size, &have);
        if (digest_equal(&have, want))
                return 0;
        digest_format(&have, have_text);
        digest_format(want, want_text);
        return err_set(err, ERR_INVALID, -EBADMSG, "the registry sent %s for %s", have_text, want_text);
}

int fetcher_get_manifest(struct fetcher *f, const char *reference, char **ret, size_t *ret_size, char media_type[128], struct err *err) {
        auto_body b = { 0 };
        struct digest want;
        int r = fetch_whole(f, manifest_request("manifest", reference), MANIFEST_SIZE_MAX, &b, err);

        if (r >= 0 && digest_parse(reference, &want))
                r = verify(&b.text, &want, err);
        if (r < 0)
                return r;
        *ret = strbuf_take(&b.text, ret_size);
        memcpy(media_type, b.media_type, sizeof(b.media_type));
        return *ret ? 0 : err_errno(err, -ENOMEM, "manifest");
}

int fetcher_get_place(struct fetcher *f, const char *place, const char *accept, json_t **ret, char **ret_next, struct err *err) {
        auto_body b = { 0 };
        const char *next;
        int r = fetch_whole(f, json_pack("{s:s, s:s, s:[s], s:i}", "op", "place", "place", place, "accept", accept, "max", MANIFEST_SIZE_MAX), MANIFEST_SIZE_MAX, &b, err);

        if (r >= 0)
                r = json_parse(b.text.data ? b.text.data : "", b.text.size, MANIFEST_SIZE_MAX, "answer", ret, err);
        if (r < 0 || !ret_next)
                return r;
        next = json_get_str(b.event, "next", NULL);
        *ret_next = next ? strdup(next) : NULL;
        return next && !*ret_next ? err_errno(err, -ENOMEM, "answer") : 0;
}

int fetcher_resolve(struct fetcher *f, const struct image_reference *reference, struct digest *ret, struct err *err) {
        static const struct digest none;
        auto_free char *text = NULL;
        char media_type[128];
        size_t size;
        int r;

        if (digest_parse(reference->digest, ret))
                return 0;
        *ret = none;
        r = fetcher_get_digest(f, reference->tag, ret, media_type, err);
        if (r < 0 || !digest_equal(ret, &none))
                return r;
        r = fetcher_get_manifest(f, reference->tag, &text, &size, media_type, err);
        if (r >= 0)
                digest_of(text, size, ret);
        return r;
}

static json_t *blob_request(const struct descriptor *d) {
        char text[DIGEST_TEXT_SIZE];

        digest_format(&d->digest, text);
        return json_pack("{s:s, s:s, s:I}", "op", "blob", "digest", text, "size", (json_int_t) d->size);
}

int fetcher_get_blob(struct fetcher *f, const struct descriptor *d, char **ret, struct err *err) {
        auto_body b = { 0 };
        int r = fetch_whole(f, blob_request(d), d->size, &b, err);

        if (r >= 0 && b.text.size != d->size)
                r = err_set(err, ERR_INVALID, -EBADMSG, "the registry sent %zu bytes of %llu", b.text.size, (unsigned long long) d->size);
        if (r >= 0)
                r = verify(&b.text, &d->digest, err);
        if (r < 0)
                return r;
        *ret = strbuf_take(&b.text, NULL);
        return *ret ? 0 : err_errno(err, -ENOMEM, "blob");
}

int fetcher_stream_blob(struct fetcher *f, const struct descriptor *d, int pipe_fd, uint64_t *ret_id, struct err *err) {
        return send_request(f, blob_request(d), ret_id, pipe_fd, err);
}
