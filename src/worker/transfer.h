/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One request of a fetch: its attempts on the wire and the pipe that takes its bytes. What an outcome means is decided in fetch.c. */

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "worker/digest.h"
#include "worker/registry.h"
#include "worker/upload.h"

enum transfer_kind { TRANSFER_MANIFEST, TRANSFER_BLOB, TRANSFER_TOKEN, TRANSFER_UPLOAD, TRANSFER_PUT, TRANSFER_DELETE, TRANSFER_PING };

enum transfer_state {
        TRANSFER_READY,      /* to be started at start_ns                             */
        TRANSFER_RUNNING,    /* in curl's hands                                       */
        TRANSFER_TOKEN_WAIT, /* until the realm has answered                          */
        TRANSFER_DRAINING,   /* all is there, the pipe's reader has not taken it yet  */
        TRANSFER_OVER,
};

enum { TRANSFER_BACKLOG_MAX = 4 << 20 };

struct transfer {
        enum transfer_kind kind;
        enum transfer_state state;
        int64_t id;
        const struct registry *registry;
        int control_fd;

        /* What is wanted. */
        char *reference;           /* tag or digest */
        uint64_t size;             /* of a blob; 0: unknown */
        size_t max;                /* of a manifest */
        char *form;                /* of a token: to be posted; NULL: a plain request */
        struct curl_slist *accept;
        bool is_place;             /* of a manifest: none, but what the registry has at `reference`, a path with its query */
        bool head;                 /* of a manifest: its digest is wanted, not the text */

        /* The pipe. Bytes that it does not take yet wait in `backlog`, and the connection is paused. */
        int pipe_fd;
        char *backlog;
        size_t backlog_at, backlog_size;
        uint64_t done;             /* bytes of the body so far, through all attempts */
        bool paused;

        /* Of what is sent (upload.c): `done` is what the registry has. */
        enum upload_step step;
        int source_fd;
        uint64_t sent, part_end;   /* of this attempt: up to where it has come, and goes */
        char *from;                /* a repository of the same registry that has the blob; NULL: none, or it was in vain */
        bool mount_only;           /* there are no bytes to be sent */
        char *place;               /* where the registry wants the bytes */
        bool in_parts;
        unsigned beginnings;
        const char *how;           /* at the end: "exists", "mounted", "sent", "deleted", "known", "open" */
        char subject[DIGEST_SIZE]; /* of a manifest that was put: the registry's word that it is listed as a referrer of that; "": none */

        /* This attempt. */
        CURL *easy;
        char *url;
        bool has_credentials;      /* the registry's token or password went along */
        struct curl_slist *headers;
        uint64_t begun_at, skip;   /* `done` when it began; bytes that were had before */
        bool body_begun;
        struct strbuf body;        /* of a manifest, a token, or an error */
        struct err err;            /* why the body was refused */
        char reason[CURL_ERROR_SIZE];

        /* Counted through the attempts. */
        unsigned redirects, tries, challenges;
        char media_type[128];      /* of the last answer */
        char digest[DIGEST_SIZE];  /* of a manifest */
        char *next;                /* of a place: the one where the list goes on; NULL: it is at its end */
        int64_t start_ns, progress_ns;
};

void transfer_done(struct transfer *t); /* closes the pipe */
static inline bool transfer_is_sending(const struct transfer *t) {
        return t->kind == TRANSFER_UPLOAD || t->kind == TRANSFER_PUT || t->kind == TRANSFER_DELETE || t->kind == TRANSFER_PING;
}

/* "localhost:5000/a/b:latest": for messages; a static buffer. */
const char *transfer_name(const struct transfer *t);

/* Make the attempt ready for curl_multi_add_handle(): the url must be set. */
int transfer_prepare(struct transfer *t, struct err *err);
void transfer_end_attempt(struct transfer *t);

/* Hand bytes to the pipe, as far as it takes them; the rest is copied. Negative errno: -EPIPE when nobody reads any more. */
int transfer_put(struct transfer *t, const char *data, size_t size);
/* The pipe can take more. */
int transfer_flush(struct transfer *t);
static inline bool transfer_has_backlog(const struct transfer *t) {
        return t->backlog_at < t->backlog_size;
}

/* Why the pipe takes no more, for the daemon. */
int transfer_error_of_pipe(const struct transfer *t, int num, struct err *err);

/* A header of the last answer, or NULL; borrowed until the next call for this transfer. */
const char *transfer_header(const struct transfer *t, const char *name, size_t index);
long transfer_status(const struct transfer *t);
