/* SPDX-License-Identifier: Apache-2.0 */
#include "image/fixup.h"

#include <fcntl.h>
#include <sys/xattr.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"

int fixup_opaque(int dir_fd, const json_t *event, struct err *err) {
        const char *path = json_get_str(event, "path", NULL);
        auto_fd fd = -EBADF;

        if (!path)
                return err_set(err, ERR_INTERNAL, -EPROTO, "the worker names no directory to be opaque");
        fd = path_open_in_nosymlink(dir_fd, path, O_RDONLY | O_DIRECTORY, 0);
        if (fd < 0)
                return err_errno(err, fd, "opaque directory \"%.200s\"", path);
        if (fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0)
                return err_errno(err, -errno, "making directory \"%.200s\" opaque", path);
        return 0;
}
