/* SPDX-License-Identifier: Apache-2.0 */

/* What each outcome of a request means: done, again elsewhere (redirect), again with credentials, again later, or over. */

#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "worker/challenge.h"
#include "worker/control.h"
#include "worker/fetch.h"
#include "worker/link.h"

enum {
        REDIRECTS_MAX = 10,
        TRIES_UNREACHED_MAX = 2, /* nobody listens, or no such name, or no TLS: a person waits for the answer */
        CHALLENGES_MAX = 2,      /* one for the first token, one for when it has run out */
        PROGRESS_THAT_COUNTS = 1 << 20,
        RETRY_AFTER_MAX_S = 60,  /* who wants us to wait longer is told to the person, who may come again */
        PAUSE_DOUBLED_MAX = 6,
        DETAIL_SIZE = 240,
};

#define FIRST_PAUSE_NS 250000000ll

/* --- ends --- */

void fetch_finish(struct transfer *t) {
        transfer_done(t);
        t->state = TRANSFER_OVER;
}

static void fail_all_waiting(struct fetch *f, const struct err *err) {
        f->token_wanted = false;
        for (size_t i = 0; i < FETCH_TRANSFERS_MAX; i++)
                if (f->transfers[i] && f->transfers[i]->state == TRANSFER_TOKEN_WAIT)
                        fetch_fail(f, f->transfers[i], err);
}

void fetch_fail(struct fetch *f, struct transfer *t, const struct err *err) {
        bool token = t->kind == TRANSFER_TOKEN;

        fetch_finish(t); /* the pipe is closed first */
        if (token)
                fail_all_waiting(f, err);
        else
                control_send_error(f->control_fd, t->id, err);
}

/* The registry's own words ("manifest unknown"), or nothing. */
static void error_detail(const struct transfer *t, char *ret, size_t size) {
        auto_json *answer = NULL;
        const json_t *first;
        const char *message;

        *ret = '\0';
        if (!t->body.data || json_parse(t->body.data, t->body.size, t->body.max, "answer", &answer, NULL) < 0)
                return;
        first = json_array_get(json_get_array(answer, "errors"), 0);
        message = json_get_str(first, "message", json_get_str(first, "code", ""));
        if (*message)
                snprintf(ret, size, ": %s", message);
}

static int64_t asked_to_wait_s(const struct transfer *t) {
        curl_off_t after = 0;

        curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &after);
        return after;
}

static const char *wait_text(const struct transfer *t, char *ret, size_t size) {
        int64_t after = asked_to_wait_s(t);

        *ret = '\0';
        if (after > 0)
                snprintf(ret, size, ", and asks to wait for %" PRId64 " seconds", after);
        return ret;
}

void fetch_fail_status(struct fetch *f, struct transfer *t, long status) {
        char detail[DETAIL_SIZE], wait[64];
        const char *name = transfer_name(t);
        struct err err;

        error_detail(t, detail, sizeof(detail));
        if (status == 405 && transfer_is_sending(t)) {
                err_set(&err, ERR_DENIED, -EROFS, "%s: the registry takes nothing: it may be read-only (HTTP status 405)%s", name, detail);
                fetch_fail(f, t, &err);
                return;
        }
        switch (status) {
        case 401:
                err_set(&err, ERR_UNAUTHORIZED, -EACCES, "%s: the registry wants %s credentials%s", name, t->has_credentials ? "other" : "some", detail);
                break;
        case 403:
                err_set(&err, ERR_DENIED, -EACCES, "%s: the registry denies access%s", name, detail);
                break;
        case 404:
                err_set(&err, ERR_NOT_FOUND, -ENOENT, "%s: not found%s", name, detail);
                break;
        case 429:
                err_set(&err, ERR_UNAVAILABLE, -EAGAIN, "%s: the registry has had too many requests%s%s", name, wait_text(t, wait, sizeof(wait)), detail);
                break;
        default:
                err_set(&err, status >= 500 ? ERR_UNAVAILABLE : ERR_INVALID, -EIO, "%s: the registry answers with HTTP status %ld%s", name, status, detail);
                break;
        }
        fetch_fail(f, t, &err);
}

/* --- again --- */

void fetch_start_later(struct transfer *t, int64_t pause_ns) {
        transfer_end_attempt(t);
        t->state = TRANSFER_READY;
        t->start_ns = fetch_now_ns() + pause_ns;
}

/* A redirect's place is good for one attempt: each new one begins at the registry. */
int fetch_aim(struct fetch *f, struct transfer *t) {
        free(t->url);
        t->redirects = 0;
        if (transfer_is_sending(t))
                t->url = upload_url(t);
        else if (t->is_place)
                t->url = registry_place_url(&f->registry, t->reference);
        else
                t->url = registry_url(&f->registry, t->kind == TRANSFER_MANIFEST ? "manifests" : "blobs", t->reference);
        return t->url ? 0 : -ENOMEM;
}

/* False: enough. Bytes that came since the last time buy new tries. */
static bool retry(struct fetch *f, struct transfer *t, unsigned tries_max) {
        int64_t after = asked_to_wait_s(t), pause;

        if (t->done > t->begun_at && t->done - t->begun_at >= PROGRESS_THAT_COUNTS)
                t->tries = 0;
        if (t->tries >= tries_max || after > RETRY_AFTER_MAX_S)
                return false;
        pause = FIRST_PAUSE_NS << (t->tries < PAUSE_DOUBLED_MAX ? t->tries : PAUSE_DOUBLED_MAX);
        t->tries++;
        if (after * 1000000000 > pause)
                pause = after * 1000000000;
        upload_look_again(t);
        if (t->kind != TRANSFER_TOKEN && fetch_aim(f, t) < 0)
                return false;
        fetch_start_later(t, pause);
        return true;
}

static bool is_unreached(CURLcode code) {
        return code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY || code == CURLE_SSL_CONNECT_ERROR;
}

/* What may go better next time. Certificates and malformed URLs do not. */
static bool is_passing(CURLcode code) {
        switch (code) {
        case CURLE_OPERATION_TIMEDOUT:
        case CURLE_GOT_NOTHING:
        case CURLE_SEND_ERROR:
        case CURLE_SEND_FAIL_REWIND:
        case CURLE_RECV_ERROR:
        case CURLE_PARTIAL_FILE:
        case CURLE_HTTP2:
        case CURLE_HTTP2_STREAM:
                return true;
        default:
                return is_unreached(code);
        }
}

/* Docker's meaning of an insecure registry: TLS if it speaks it, else plain HTTP. Decided by the first answer. */
static bool fall_back_to_plain(struct fetch *f, struct transfer *t) {
        struct registry *r = &f->registry;

        if (!r->insecure || r->plain_known || t->kind == TRANSFER_TOKEN || t->redirects > 0 || !str_starts_with(t->url, "https:"))
                return false;
        r->plain = true;
        if (fetch_aim(f, t) < 0)
                return false;
        fetch_start_later(t, 0);
        return true;
}

void fetch_on_broken(struct fetch *f, struct transfer *t, CURLcode code) {
        unsigned tries_max = f->registry.tries_max;
        struct err err;

        if (t->err.kind != ERR_NONE) { /* it was us who broke it off */
                err = t->err;
                fetch_fail(f, t, &err);
                return;
        }
        if (fall_back_to_plain(f, t))
                return;
        if (is_unreached(code) && tries_max > TRIES_UNREACHED_MAX)
                tries_max = TRIES_UNREACHED_MAX;
        if (is_passing(code) && retry(f, t, tries_max))
                return;
        err_set(&err, ERR_UNAVAILABLE, -EHOSTUNREACH, "%s: registry %s cannot be reached: %s", transfer_name(t), f->registry.host,
                *t->reason ? t->reason : curl_easy_strerror(code));
        fetch_fail(f, t, &err);
}

/* Where `location` leads, seen from `base`. Not curl's own answer to that: it puts the user and password of the request into the URL. */
char *fetch_resolve(const char *base, const char *location) {
        char *url = NULL, *copy = NULL;
        CURLU *u = curl_url();

        if (u && curl_url_set(u, CURLUPART_URL, base, 0) == CURLUE_OK && curl_url_set(u, CURLUPART_URL, location, 0) == CURLUE_OK &&
            curl_url_get(u, CURLUPART_URL, &url, 0) == CURLUE_OK)
                copy = strdup(url);
        curl_free(url);
        curl_url_cleanup(u);
        return copy;
}

static void on_redirect(struct fetch *f, struct transfer *t) {
        const char *location = transfer_header(t, "Location", 0);
        auto_free char *to = NULL;
        struct err err;

        /* A redirected POST or PATCH has no clear meaning, a question by HEAD and a PUT have. */
        if (!location || t->kind == TRANSFER_TOKEN || t->kind == TRANSFER_PING || t->kind == TRANSFER_DELETE ||
            (t->kind == TRANSFER_UPLOAD && t->step != UPLOAD_CHECK && t->step != UPLOAD_WHOLE)) {
                fetch_fail_status(f, t, transfer_status(t));
                return;
        }
        to = fetch_resolve(t->url, location);
        if (++t->redirects > REDIRECTS_MAX || !to || !registry_may_follow(t->url, to)) {
                if (t->redirects > REDIRECTS_MAX)
                        err_set(&err, ERR_UNAVAILABLE, -ELOOP, "%s: more than %d redirects", transfer_name(t), REDIRECTS_MAX);
                else
                        err_set(&err, ERR_UNAVAILABLE, -EACCES, "%s: the registry sends us to a place that may not be followed", transfer_name(t));
                fetch_fail(f, t, &err);
                return;
        }
        free(t->url);
        t->url = take_ptr(&to);
        fetch_start_later(t, 0);
}

/* --- credentials --- */

/* Ask the realm; those who wait go on when it has answered. */
static int want_token(struct fetch *f, struct err *err) {
        struct registry *r = &f->registry;
        const char *realm = r->challenge.realm;
        struct transfer *t;
        char *query;

        if (f->token_wanted)
                return 0;
        if (!registry_may_ask_realm(r, realm))
                return err_set(err, ERR_DENIED, -EACCES, "registry %s: its realm \"%s\" is not reached by TLS", r->host, realm);
        t = fetch_add(f);
        if (!t)
                return err_set(err, ERR_INTERNAL, -ENOBUFS, "registry %s: too many requests at once", r->host);
        t->kind = TRANSFER_TOKEN;
        query = r->identity_token ? strdup("") : registry_token_query(r);
        t->url = query ? str_format("%s%s%s", realm, *query ? (strchr(realm, '?') ? "&" : "?") : "", query) : NULL;
        free(query);
        t->form = r->identity_token ? registry_token_form(r) : NULL;
        if (!t->url || (r->identity_token && !t->form)) {
                fetch_finish(t);
                return err_errno(err, -ENOMEM, "registry %s", r->host);
        }
        t->state = TRANSFER_READY;
        f->token_wanted = true;
        return 0;
}

static void read_challenges(const struct transfer *t, struct challenge *ret) {
        const char *header;

        for (size_t i = 0; (header = transfer_header(t, "WWW-Authenticate", i)); i++) {
                struct challenge c;

                if (challenge_parse(header, &c) == 0 && c.scheme > ret->scheme)
                        *ret = c;
        }
}

static void on_unauthorized(struct fetch *f, struct transfer *t) {
        struct challenge c = { .scheme = CHALLENGE_NONE };
        struct registry *r = &f->registry;
        struct err err;

        read_challenges(t, &c);
        if (t->kind == TRANSFER_TOKEN || !registry_is_own_url(r, t->url) || t->challenges >= CHALLENGES_MAX || c.scheme == CHALLENGE_NONE ||
            (c.scheme == CHALLENGE_BASIC && (!r->username || t->has_credentials)) || (c.scheme == CHALLENGE_BEARER && !*c.realm)) {
                fetch_fail_status(f, t, 401);
                return;
        }
        t->challenges++;
        if (c.scheme == CHALLENGE_BASIC) {
                r->auth = REGISTRY_BASIC;
                fetch_start_later(t, 0);
                return;
        }
        r->auth = REGISTRY_BEARER;
        r->challenge = c;
        transfer_end_attempt(t);
        t->state = TRANSFER_TOKEN_WAIT;
        if (want_token(f, &err) < 0)
                fetch_fail(f, t, &err);
}

static void on_token(struct fetch *f, struct transfer *t) {
        struct err err;

        if (registry_take_token(&f->registry, t->body.data ? t->body.data : "", t->body.size, &err) < 0) {
                fetch_fail(f, t, &err);
                return;
        }
        fetch_finish(t);
        f->token_wanted = false;
        for (size_t i = 0; i < FETCH_TRANSFERS_MAX; i++)
                if (f->transfers[i] && f->transfers[i]->state == TRANSFER_TOKEN_WAIT)
                        fetch_start_later(f->transfers[i], 0);
}

/* --- answers --- */

static void keep_media_type(struct transfer *t) {
        const char *type = transfer_header(t, "Content-Type", 0);
        size_t n = type ? strcspn(type, "; \t") : 0;

        snprintf(t->media_type, sizeof(t->media_type), "%.*s", (int) (n < sizeof(t->media_type) ? n : sizeof(t->media_type) - 1), type ? type : "");
}

/* The bytes are all there; `done` is told when the pipe has them and is closed. */
static void on_body(struct fetch *f, struct transfer *t) {
        struct err err;

        if (t->kind == TRANSFER_BLOB && t->size > 0 && t->done < t->size) {
                if (retry(f, t, f->registry.tries_max))
                        return;
                err_set(&err, ERR_UNAVAILABLE, -ENODATA, "%s: the registry sends %" PRIu64 " of %" PRIu64 " bytes", transfer_name(t), t->done, t->size);
                fetch_fail(f, t, &err);
                return;
        }
        keep_media_type(t);
        t->state = TRANSFER_DRAINING;
}

int fetch_next_place(const struct registry *r, const char *url, const char *header, char **ret) {
        auto_free char *target = NULL, *next = NULL;
        const char *at;
        size_t size;
        int found = link_next(header, &at, &size);

        if (found <= 0)
                return found;
        target = strndup(at, size);
        next = target ? fetch_resolve(url, target) : NULL;
        *ret = next ? registry_place_of(r, next) : NULL;
        return *ret ? 1 : -EACCES;
}

/* Where a list goes on, at the registry itself (distribution-spec, "Listing Referrers"). */
static int take_next(struct fetch *f, struct transfer *t, struct err *err) {
        const char *header;
        int r = 0;

        for (size_t i = 0; r == 0 && (header = transfer_header(t, "Link", i)); i++)
                r = fetch_next_place(&f->registry, t->url, header, &t->next);
        if (r == -EINVAL)
                return err_set(err, ERR_UNAVAILABLE, -EBADMSG, "%s: the registry says where its list goes on by a Link header that is none", transfer_name(t));
        if (r < 0)
                return err_set(err, ERR_UNAVAILABLE, -EACCES, "%s: the registry says that its list goes on at a place that may not be followed", transfer_name(t));
        return 0;
}

static void on_manifest(struct fetch *f, struct transfer *t) {
        const char *said = transfer_header(t, "Docker-Content-Digest", 0);
        const char *wanted = digest_is_valid(t->reference) ? t->reference : said && digest_is_valid(said) ? said : NULL;
        struct digest *sum = digest_new();
        struct err err = { 0 };
        int r;

        if (!sum || digest_add(sum, t->body.data ? t->body.data : "", t->body.size) < 0 || digest_end(sum, t->digest) < 0)
                err_set(&err, ERR_INTERNAL, -EIO, "%s: the manifest cannot be summed by SHA-256", transfer_name(t));
        else if (wanted && strcmp(wanted, t->digest) != 0)
                err_set(&err, ERR_INVALID, -EBADMSG, "%s: the manifest has another digest: %s", transfer_name(t), t->digest);
        digest_free(sum);
        if (err.kind == ERR_NONE && t->is_place)
                take_next(f, t, &err);
        if (err.kind == ERR_NONE) {
                t->done = t->body.size;
                r = transfer_put(t, t->body.data ? t->body.data : "", t->body.size);
                if (r < 0)
                        err_errno(&err, r, "%s", transfer_name(t));
        }
        if (err.kind != ERR_NONE) {
                fetch_fail(f, t, &err);
                return;
        }
        keep_media_type(t);
        t->state = TRANSFER_DRAINING;
}

/* Its word for what is behind the name; without one, the daemon has to look itself. */
static void on_head(struct transfer *t) {
        const char *said = transfer_header(t, "Docker-Content-Digest", 0);

        if (said && digest_is_valid(said))
                snprintf(t->digest, sizeof(t->digest), "%s", said);
        keep_media_type(t);
        t->state = TRANSFER_DRAINING;
}

void fetch_on_answer(struct fetch *f, struct transfer *t) {
        long status = transfer_status(t);

        if (t->kind != TRANSFER_TOKEN && registry_is_own_url(&f->registry, t->url))
                f->registry.plain_known = true;
        if ((status == 200 || status == 206) && t->kind == TRANSFER_TOKEN)
                on_token(f, t);
        else if (status == 200 && t->head)
                on_head(t);
        else if (status == 200 && t->kind == TRANSFER_MANIFEST)
                on_manifest(f, t);
        else if ((status == 200 || status == 206) && t->kind == TRANSFER_BLOB)
                on_body(f, t);
        else if (status >= 300 && status < 400)
                on_redirect(f, t);
        else if (status == 401)
                on_unauthorized(f, t);
        else if (transfer_is_sending(t) && status != 429 && status < 500)
                upload_on_answer(f, t, status);
        else if (!((status == 429 || status >= 500) && retry(f, t, f->registry.tries_max)))
                fetch_fail_status(f, t, status);
}
