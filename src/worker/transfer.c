/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/transfer.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "worker/control.h"

enum {
        CONNECT_SECONDS = 15,
        STALL_SECONDS = 60,
        ERROR_BODY_MAX = 8192,
        TOKEN_BODY_MAX = 1 << 20,
        BUFFER_SIZE = 256 << 10,
};

void transfer_end_attempt(struct transfer *t) {
        curl_easy_cleanup(t->easy);
        t->easy = NULL;
        curl_slist_free_all(t->headers);
        t->headers = NULL;
        strbuf_done(&t->body);
        t->paused = false;
}

void transfer_done(struct transfer *t) {
        transfer_end_attempt(t);
        t->pipe_fd = fd_close(t->pipe_fd);
        t->source_fd = fd_close(t->source_fd);
        free(take_ptr(&t->from));
        free(take_ptr(&t->place));
        free(take_ptr(&t->next));
        curl_slist_free_all(t->accept);
        t->accept = NULL;
        if (t->form)
                explicit_bzero(t->form, strlen(t->form));
        free(take_ptr(&t->form));
        free(take_ptr(&t->reference));
        free(take_ptr(&t->backlog));
        free(take_ptr(&t->url));
}

const char *transfer_name(const struct transfer *t) {
        static char name[800];

        if (t->kind == TRANSFER_PING || !*t->registry->repository)
                snprintf(name, sizeof(name), "%s", t->registry->host);
        else if (t->kind == TRANSFER_TOKEN)
                snprintf(name, sizeof(name), "%s/%s", t->registry->host, t->registry->repository);
        else
                snprintf(name, sizeof(name), "%s/%s%c%s", t->registry->host, t->registry->repository, registry_is_tag(t->reference) ? ':' : '@', t->reference);
        return name;
}

const char *transfer_header(const struct transfer *t, const char *name, size_t index) {
        struct curl_header *h;

        return curl_easy_header(t->easy, name, index, CURLH_HEADER, -1, &h) == CURLHE_OK ? h->value : NULL;
}

long transfer_status(const struct transfer *t) {
        long status = 0;

        curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
        return status;
}

/* --- the pipe --- */

/* What the pipe takes at once, or negative errno. */
static ssize_t write_some(int fd, const char *data, size_t size) {
        size_t written = 0;

        while (written < size) {
                ssize_t n = write(fd, data + written, size - written);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN)
                        break;
                if (n < 0)
                        return -errno;
                written += (size_t) n;
        }
        return (ssize_t) written;
}

int transfer_flush(struct transfer *t) {
        ssize_t n;

        if (!transfer_has_backlog(t))
                return 0;
        n = write_some(t->pipe_fd, t->backlog + t->backlog_at, t->backlog_size - t->backlog_at);
        if (n < 0)
                return (int) n;
        t->backlog_at += (size_t) n;
        if (t->backlog_at == t->backlog_size)
                t->backlog_at = t->backlog_size = 0;
        return 0;
}

int transfer_put(struct transfer *t, const char *data, size_t size) {
        ssize_t n = transfer_has_backlog(t) ? 0 : write_some(t->pipe_fd, data, size);
        size_t rest;
        char *grown;

        if (n < 0)
                return (int) n;
        rest = size - (size_t) n;
        if (rest == 0)
                return 0;
        if (t->backlog_size + rest > TRANSFER_BACKLOG_MAX)
                return -ENOBUFS;
        grown = realloc(t->backlog, t->backlog_size + rest);
        if (!grown)
                return -ENOMEM;
        memcpy(grown + t->backlog_size, data + n, rest);
        t->backlog = grown;
        t->backlog_size += rest;
        return 0;
}

int transfer_error_of_pipe(const struct transfer *t, int num, struct err *err) {
        if (num == -EPIPE)
                return err_set(err, ERR_CONFLICT, num, "%s: nobody wants its bytes any more", transfer_name(t));
        return err_errno(err, num, "%s: its bytes cannot be handed on", transfer_name(t));
}

/* --- the body of an answer --- */

/* Where the bytes of this answer begin in the blob: 206 from where we asked, 200 from the start. */
static int begin_blob(struct transfer *t, long status) {
        const char *range = transfer_header(t, "Content-Range", 0);
        uint64_t start = 0;

        if (status == 206) {
                if (!range || sscanf(range, "bytes %" SCNu64 "-", &start) != 1 || start != t->begun_at)
                        return err_set(&t->err, ERR_UNAVAILABLE, -EBADMSG, "%s: the registry sends another part of the blob than it was asked for",
                                       transfer_name(t));
                t->skip = 0;
        } else {
                t->skip = t->begun_at;
        }
        t->body_begun = true;
        return 0;
}

static size_t take_blob(struct transfer *t, const char *data, size_t size) {
        size_t known = t->skip < size ? (size_t) t->skip : size;
        int r;

        if (t->size > 0 && size - known > t->size - t->done) {
                err_set(&t->err, ERR_INVALID, -EBADMSG, "%s: the blob is longer than the %" PRIu64 " bytes it should have", transfer_name(t), t->size);
                return 0;
        }
        r = transfer_put(t, data + known, size - known);
        if (r < 0) {
                transfer_error_of_pipe(t, r, &t->err);
                return 0;
        }
        t->skip -= known;
        t->done += size - known;
        if (control_progress_due(&t->progress_ns))
                control_send(t->control_fd, json_pack("{s:s, s:I, s:I}", "event", "progress", "id", (json_int_t) t->id, "bytes", (json_int_t) t->done));
        return size;
}

static size_t take_body(char *data, size_t one, size_t size, void *user) {
        struct transfer *t = user;
        long status = transfer_status(t);
        bool good = status == 200 || status == 206;

        if (good && t->kind == TRANSFER_BLOB) {
                if (!t->body_begun && begin_blob(t, status) < 0)
                        return 0;
                if (transfer_has_backlog(t)) {
                        t->paused = true; /* curl gives the same bytes again */
                        return CURL_WRITEFUNC_PAUSE;
                }
                return take_blob(t, data, size);
        }
        strbuf_add(&t->body, data, size);
        if (good && strbuf_error(&t->body) < 0) {
                err_set(&t->err, ERR_TOO_LARGE, -EFBIG, "%s: the answer is longer than %zu bytes", transfer_name(t), t->body.max);
                return 0;
        }
        return size; /* of an error's text, the beginning is enough */
}

/* --- an attempt --- */

/* More certificate authorities than the host knows. */
static CURLcode add_authorities(CURL *easy, void *ssl_ctx, void *user) {
        const struct registry *r = user;
        BIO *bio = BIO_new_mem_buf(r->ca_pem, -1);
        X509_STORE *store = SSL_CTX_get_cert_store(ssl_ctx);
        X509 *certificate;
        int added = 0;

        while (bio && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
                added += X509_STORE_add_cert(store, certificate);
                X509_free(certificate);
        }
        BIO_free(bio);
        ERR_clear_error();
        return added > 0 ? CURLE_OK : CURLE_SSL_CACERT_BADFILE;
}

static int add_header(struct transfer *t, const char *text) {
        struct curl_slist *more = curl_slist_append(t->headers, text);

        if (!more)
                return -ENOMEM;
        t->headers = more;
        return 0;
}

/* The registry's credentials go to its own origin only, those for a token to the realm that registry_may_ask_realm() has allowed. */
static int add_credentials(struct transfer *t) {
        const struct registry *r = t->registry;
        bool to_realm = t->kind == TRANSFER_TOKEN, own = !to_realm && registry_is_own_url(r, t->url);

        t->has_credentials = false;
        if ((to_realm || (own && r->auth == REGISTRY_BASIC)) && r->username && !(to_realm && r->identity_token)) {
                curl_easy_setopt(t->easy, CURLOPT_HTTPAUTH, (long) CURLAUTH_BASIC);
                curl_easy_setopt(t->easy, CURLOPT_USERNAME, r->username);
                curl_easy_setopt(t->easy, CURLOPT_PASSWORD, r->password ? r->password : "");
                t->has_credentials = true;
        } else if (own && r->auth == REGISTRY_BEARER && r->token) {
                auto_free char *line = str_format("Authorization: Bearer %s", r->token);

                if (!line || add_header(t, line) < 0)
                        return -ENOMEM;
                t->has_credentials = true;
        }
        return 0;
}

static int add_headers(struct transfer *t) {
        for (const struct curl_slist *a = t->accept; a; a = a->next) {
                auto_free char *line = str_format("Accept: %s", a->data);

                if (!line || add_header(t, line) < 0)
                        return -ENOMEM;
        }
        return add_credentials(t);
}

static void set_options(struct transfer *t) {
        const struct registry *r = t->registry;
        CURL *e = t->easy;

        curl_easy_setopt(e, CURLOPT_URL, t->url);
        curl_easy_setopt(e, CURLOPT_PRIVATE, t);
        curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(e, CURLOPT_USERAGENT, "kist/" KIST_VERSION);
        curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L); /* followed by hand: who may see what is ours to decide */
        curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_2TLS);
        curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT, (long) CONNECT_SECONDS);
        curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, (long) STALL_SECONDS);
        curl_easy_setopt(e, CURLOPT_BUFFERSIZE, (long) BUFFER_SIZE);
        curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_body);
        curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
        curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->reason);
        curl_easy_setopt(e, CURLOPT_PROXY, registry_proxy(r, t->url)); /* never the library's own idea of one */
        curl_easy_setopt(e, CURLOPT_NOPROXY, "");
        curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L); /* what a proxy says is not the registry's word */
        if (t->head)
                curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
        curl_easy_setopt(e, CURLOPT_HTTPHEADER, t->headers);
        if (r->insecure && t->kind != TRANSFER_TOKEN) {
                curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
                curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
        }
        if (r->ca_pem) {
                curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, add_authorities);
                curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, r);
        }
        if (r->cert_pem && r->key_pem && t->kind != TRANSFER_TOKEN && registry_is_own_url(r, t->url)) {
                struct curl_blob cert = { r->cert_pem, strlen(r->cert_pem), CURL_BLOB_NOCOPY }, key = { r->key_pem, strlen(r->key_pem), CURL_BLOB_NOCOPY };

                curl_easy_setopt(e, CURLOPT_SSLCERT_BLOB, &cert);
                curl_easy_setopt(e, CURLOPT_SSLKEY_BLOB, &key);
        }
        if (t->form)
                curl_easy_setopt(e, CURLOPT_POSTFIELDS, t->form);
}

static size_t body_max(const struct transfer *t) {
        return t->kind == TRANSFER_MANIFEST ? t->max : t->kind == TRANSFER_TOKEN ? TOKEN_BODY_MAX : ERROR_BODY_MAX;
}

int transfer_prepare(struct transfer *t, struct err *err) {
        char range[32];

        t->easy = curl_easy_init();
        if (!t->easy || add_headers(t) < 0)
                return err_errno(err, -ENOMEM, "%s", transfer_name(t));
        strbuf_init(&t->body, body_max(t));
        t->err = (struct err) { 0 };
        t->reason[0] = '\0';
        t->body_begun = false;
        t->begun_at = t->done;
        set_options(t);
        if (transfer_is_sending(t) && upload_prepare(t) < 0)
                return err_errno(err, -ENOMEM, "%s", transfer_name(t));
        if (t->kind == TRANSFER_BLOB && t->done > 0) {
                snprintf(range, sizeof(range), "%" PRIu64 "-", t->done);
                curl_easy_setopt(t->easy, CURLOPT_RANGE, range);
        }
        return 0;
}
