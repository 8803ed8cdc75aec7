/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What "docker save" wrote before it wrote OCI layouts: manifest.json = [{"Config","RepoTags","Layers"}] with names of members. A load worker has made
 * blobs of the members, and said which is which. */

#include <jansson.h>

struct err;
struct load_layers;

/* An event {"event":"member"} of the worker into `members`. */
int docker_archive_member(json_t *members, const json_t *event, struct err *err);
/* An OCI manifest for one image of manifest.json: the text is the caller's. Sizes of blobs are those of layers that came, or of files in blob_fds. */
int docker_archive_manifest(const json_t *members, const int blob_fds[2], const struct load_layers *came, const json_t *image, char **ret, struct err *err);
