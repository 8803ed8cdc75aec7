/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Manifest lists that are being put together. They are kept where Docker's client keeps its own, and in its form, so that either goes on with what the other has
 * begun: CONFIG/manifests/LIST/MANIFEST, names with '_' for '/' and '-' for ':'. A file is one JSON object:
 *
 *     {"Ref": whole name, "List": that of the list (ours; Docker's client leaves it out and does not mind it), "Descriptor": {"mediaType", "digest", "size", "platform"}, "Raw": base64 of the manifest, "OCIManifest" or "SchemaV2Manifest": the same, parsed}
 *
 * What is read there is sized and typed, and its Raw, which older clients of Docker leave out, compared with the digest. */

#include <jansson.h>

struct err;

enum { MANIFEST_LIST_MAX = 1000, MANIFEST_TEXT_MAX = 4 << 20 };

#define MEDIA_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"

/* With registry and tag: "busybox" → "docker.io/library/busybox:latest"; one with a digest stays without a tag. The caller frees. ERR_INVALID. */
int manifest_whole_name(const char *name, char **ret, struct err *err);
/* "localhost:5000/a/b:1" → 14, 18: where its registry and its repository end. */
void manifest_name_parts(const char *whole, size_t *ret_registry, size_t *ret_repository);

/* All names are whole ones. ERR_NOT_FOUND: "No such manifest: NAME". */
int manifest_list_load(const char *list, json_t **ret, struct err *err); /* an array, in the order of the files' names */
int manifest_load(const char *list, const char *name, json_t **ret, struct err *err);
int manifest_save(const char *list, const json_t *manifest, struct err *err);
int manifest_list_remove(const char *list, struct err *err);

/* The whole names of all lists: of those that Docker's client made what they most likely are, since its directories do not tell "a/b" from "a_b". An array, the caller's. What cannot be
 * read is left out. */
json_t *manifest_list_names(void);

/* One of the text that a registry has; `descriptor` is borrowed. ERR_INVALID: it is not what its descriptor says. */
int manifest_make(const char *name, const json_t *descriptor, const char *text, json_t **ret, struct err *err);
