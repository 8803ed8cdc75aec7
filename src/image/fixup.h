/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What an unpack worker may not do itself, done for it in the layer's scratch directory. Its words are hostile: paths are resolved beneath the
 * directory, through no symlink.
 *
 * Devices are another matter: a layer may name device nodes, and Kist leaves them out. A container's /dev is made by the runtime and
 * layers are mounted nodev, so that a node from an image could never be opened; not having it on the host's disk is one
 * thing less to go wrong. (Whiteouts, the device 0:0, are made by the worker: the kernel lets anybody make those.) */

#include <jansson.h>

struct err;

/* {"event":"opaque","path":"a/b"}: mark a directory so that overlayfs shows nothing of the layers below it. */
int fixup_opaque(int dir_fd, const json_t *event, struct err *err);
