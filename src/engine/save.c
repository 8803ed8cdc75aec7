/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "engine/events.h"
#include "engine/internal.h"

int engine_image_save(struct engine *e, const char *const *names, size_t n, int out_fd, int cancel_fd, struct err *err) {
        int r;

        if (n == 0)
                return err_set(err, ERR_INVALID, -EINVAL, "no image was named");
        /* Before the first byte: a name that does not exist must be an answer, not a stream that breaks off. */
        for (size_t i = 0; i < n; i++) {
                struct image *image;

                r = image_get(e->images, names[i], &image, err);
                if (r < 0)
                        return r;
                image_free(image);
        }
        r = image_save(e->images, names, n, out_fd, cancel_fd, err);
        for (size_t i = 0; i < n && r == 0; i++)
                events_publish(e->events, "image", "save", names[i], json_pack("{s:s}", "name", names[i]));
        return r;
}
