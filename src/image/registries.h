/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the daemon was told about registries: which need no TLS, whose certificates are to be trusted or shown,
 * where mirrors of them are, the way there, and how much may be asked at once. */

#include <stdbool.h>

#include "image/image.h"

struct err;

struct registries; /* counted */

int registries_new(const struct image_registries *r, struct registries **ret, struct err *err);
/* Those that count now; the caller gives them back. NULL: nothing was said of any, and all below takes that. */
struct registries *registries_of(struct image_store *s);
void registries_unref(struct registries *r);
static inline void registries_put(struct registries **r) {
        registries_unref(*r);
}
#define auto_registries __attribute__((cleanup(registries_put)))

unsigned registries_uploads_at_once(struct image_store *s);
unsigned registries_downloads_at_once(struct image_store *s);
bool registries_discard_blobs(struct image_store *s, enum image_discard asked);
/* The URL of the i-th mirror of a registry; NULL: there are no more. */
const char *registries_mirror(const struct registries *r, const char *registry, size_t i);
/* What a worker's "open" has to say of proxies and attempts. -1: memory is out. */
int registries_fill_request(const struct registries *r, json_t *open);
/* For registry-certs.c. */
const json_t *registries_certs_dirs(const struct registries *r);

/* `registry`: HOST[:PORT] as in references. Named as such, or by a network (CIDR) that its address is in. NULL: none is. */
bool registries_is_insecure(const struct registries *r, const char *registry);

struct registry_certs {
        char *ca, *cert, *key; /* PEM; NULL: none */
};
/* DIR/HOST[:PORT]/ of each directory: all of *.crt, and the first *.cert that has a *.key. What is there and cannot be read is an error. */
int registries_read_certs(const struct registries *r, const char *registry, struct registry_certs *ret, struct err *err);
void registry_certs_done(struct registry_certs *c);
