/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Names of archive members, made plain: no leading or trailing "/", no empty or "." parts. */

#include <limits.h>
#include <stddef.h>

/* A tree deeper than this cannot be removed with a bounded number of open directories; no image comes near. */
enum { ENTRY_DEPTH_MAX = 255, ENTRY_PATH_SIZE = PATH_MAX };

/* ret: ENTRY_PATH_SIZE bytes; "" is the root itself. -EXDEV: a ".." part, the name leaves the root; -ENAMETOOLONG: a part, the whole or the depth is
 * beyond what file systems take. */
int entry_path(const char *raw, char *ret);

/* Whiteouts of image layers (OCI image-spec, layer.md), by the last part of a plain path. */
enum entry_whiteout {
        ENTRY_PLAIN,
        ENTRY_WHITEOUT,  /* ".wh.NAME": NAME of the layers below is gone                                   */
        ENTRY_OPAQUE,    /* ".wh..wh..opq": its directory hides that of the layers below                   */
        ENTRY_AUFS,      /* other ".wh..wh.": book-keeping of a file system of old, to be skipped          */
        ENTRY_BAD,       /* a whiteout of nothing, of "." or of "..", or a directory part that is whiteout */
};
/* For ENTRY_WHITEOUT, path becomes that of the hidden NAME; for ENTRY_OPAQUE, that of the directory. */
enum entry_whiteout entry_whiteout(char *path);
