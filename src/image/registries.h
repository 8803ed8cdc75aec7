/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the daemon was told about registries: which need no TLS, and whose certificates are to be trusted or shown. */

#include <stdbool.h>

#include "image/image.h"

struct err;

struct registries; /* of a store */

int registries_new(const struct image_registries *r, struct registries **ret, struct err *err);
void registries_free(struct registries *r);

/* `registry`: HOST[:PORT] as in references. Named as such, or by a network (CIDR) that its address is in. NULL: none is. */
bool registries_is_insecure(const struct registries *r, const char *registry);

struct registry_certs {
        char *ca, *cert, *key; /* PEM; NULL: none */
};
/* DIR/HOST[:PORT]/ of each directory: all of *.crt, and the first *.cert that has a *.key. What is there and cannot be read is an error. */
int registries_read_certs(const struct registries *r, const char *registry, struct registry_certs *ret, struct err *err);
void registry_certs_done(struct registry_certs *c);
