/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One `kist-worker fetch`: the way to one repository of one registry. */

#include <stddef.h>
#include <stdint.h>

#include "image/digest.h"
#include "image/image.h"
#include "image/manifest.h"
#include "image/store.h"
#include "worker/client.h"

struct err;

struct fetcher {
        struct worker worker;
        uint64_t last_id;
        char repository[520]; /* "registry/repository" */
        char withheld[256];   /* whom the credentials are for that were not shown; "": none were withheld */
};

struct fetcher_use {
        bool push;        /* tokens are to be good for pushing, too */
        bool remove;      /* … and for deleting */
        const char *from; /* one more repository of that registry to be read: blobs are mounted from it. NULL: none */
        bool offline;     /* an identity token is wanted */
        const char *mirror; /* "http[s]://HOST[:PORT]": asked instead of the registry, and not told who we are. NULL: none */
};
/* `use` may be NULL: to pull. A reference without a repository: only to be asked whether it knows us. */
int fetcher_start(struct image_store *s, const struct image_pull *p, const struct image_reference *r, const struct fetcher_use *use, struct fetcher *ret,
                  struct err *err);

/* The same for the reference that is asked for, parsed into *reference and `familiar`, of which nothing is pulled. ERR_NOT_FOUND: it is in no registry. */
int fetcher_open(struct image_store *s, const struct image_pull *asked, const struct fetcher_use *use, struct image_reference *reference, char familiar[600],
                 struct fetcher *ret, struct err *err);

/* A manifest or index by tag or digest, whole. The digest of a body that was asked for by digest is verified. *ret is the caller's, NUL-terminated. */
int fetcher_get_manifest(struct fetcher *f, const char *reference, char **ret, size_t *ret_size, char media_type[128], struct err *err);
/* What the registry says is behind a name, without the text. *ret is untouched when it does not say. */
int fetcher_get_digest(struct fetcher *f, const char *reference, struct digest *ret, char media_type[128], struct err *err);
/* The digest that a reference has, or that its tag stands for. */
int fetcher_resolve(struct fetcher *f, const struct image_reference *reference, struct digest *ret, struct err *err);
/* What the registry has at a path of its own ("v2/_catalog"), as JSON of at most 4 MiB. ret_next (may be NULL): the place where the list goes on, the caller's; NULL: it is
 * at its end. */
int fetcher_get_place(struct fetcher *f, const char *place, const char *accept, json_t **ret, char **ret_next, struct err *err);
/* A small blob, whole, its size and digest verified. */
int fetcher_get_blob(struct fetcher *f, const struct descriptor *d, char **ret, struct err *err);

/* A request of another kind (worker/job.h), stolen, and its "done" event (ret may be NULL); fd (may be negative, and stays the caller's) goes along. */
int fetcher_ask(struct fetcher *f, json_t *request, int fd, json_t **ret, struct err *err);
/* A manifest under a name: a tag, or its digest (NULL). fd: its text, a file. ret_listed (may be NULL): does the registry itself list it as a referrer of its subject? */
int fetcher_put_manifest(struct fetcher *f, const char *reference, enum media_type type, const struct descriptor *d, int fd, bool *ret_listed, struct err *err);
int fetcher_put_text(struct fetcher *f, const char *reference, enum media_type type, const char *text, size_t size, bool *ret_listed, struct err *err);

/* Begin to stream a blob into `pipe_fd` (the caller closes its own copy). *ret_id is what events about it will carry. */
int fetcher_stream_blob(struct fetcher *f, const struct descriptor *d, int pipe_fd, uint64_t *ret_id, struct err *err);

/* One event about the request `id`, after poll(2) said that there is one: *ret is the caller's. An error, of that request or of the worker as a whole, is given back as *err. */
int fetcher_event(struct fetcher *f, uint64_t id, json_t **ret, struct err *err);

/* Nothing of it lives after this. `r` is how it went: an error gets the name of what was asked for (err_name()). Returns r. */
int fetcher_close(struct fetcher *f, int r, const char *familiar, struct err *err);

/* An {"event":"error"} of it, without the name of what was fetched: the caller knows better how to say that. */
int fetcher_error(const struct fetcher *f, const json_t *event, struct err *err);

/* Registries on this very machine need no TLS: "localhost", 127.0.0.0/8, "[::1]", with or without a port. */
bool registry_is_loopback(const char *registry);
