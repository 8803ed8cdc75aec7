/* SPDX-License-Identifier: Apache-2.0 */
#include "api/upload.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>

#include "api/handlers.h"
#include "api/request.h"
#include "api/server.h"
#include "base/fd.h"
#include "base/mem.h"

struct image_upload {
        struct stream *stream;
        int write_fd; /* the archive, towards the engine */
        bool refused; /* the engine takes no more: it knows the end, or why it failed */
};

void image_upload_free(struct image_upload *u) {
        if (!u)
                return;
        /* Before its end of the pipe is closed: an archive that breaks off must not be taken for a whole one. */
        if (u->stream)
                stream_cancel(u->stream);
        fd_close(u->write_fd);
        stream_free(u->stream);
        free(u);
}

int upload_begin(struct request *q, const struct stream_kind *kind, stream_job job, void *data, void (*free_data)(void *), int *archive_fd, struct err *err) {
        struct image_upload *u = calloc(1, sizeof(*u));
        int fds[2], r;

        if (!u || pipe2(fds, O_CLOEXEC) < 0) {
                free(u);
                free_data(data);
                return err_errno(err, -ENOMEM, "upload");
        }
        *archive_fd = fds[0];
        *u = (struct image_upload) { .write_fd = fds[1] };
        fcntl(u->write_fd, F_SETFL, O_NONBLOCK);
        r = stream_start(q, kind, job, data, free_data, &u->stream, err);
        if (r < 0) {
                u->stream = NULL;
                image_upload_free(u);
                return r;
        }
        q->upload = u;
        return 0;
}

/* Progress that the job writes meanwhile is taken out of its way: nobody sends it before the body has come. */
int upload_feed(struct request *q, const char *data, size_t size, struct err *err) {
        struct image_upload *u = q->upload;

        while (size > 0 && !u->refused) {
                struct pollfd p[] = {
                        { .fd = u->write_fd, .events = POLLOUT },
                        { .fd = stream_output_fd(u->stream), .events = POLLIN },
                        { .fd = server_stop_fd(q->server), .events = POLLIN },
                };
                ssize_t n;

                if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
                        return err_errno(err, -errno, "upload");
                if (p[2].revents)
                        return err_set(err, ERR_UNAVAILABLE, -ECANCELED, "the daemon stops");
                if (p[1].revents & POLLIN && stream_drain(u->stream) < 0)
                        return err_set(err, ERR_TOO_LARGE, -EFBIG, "the archive makes too much progress text");
                if (p[1].revents && !(p[1].revents & POLLIN))
                        u->refused = true;
                if (!p[0].revents)
                        continue;
                n = write(u->write_fd, data, size);
                if (n < 0 && errno == EPIPE)
                        u->refused = true;
                else if (n < 0 && errno != EAGAIN && errno != EINTR)
                        return err_errno(err, -errno, "upload");
                if (n > 0) {
                        data += n;
                        size -= (size_t) n;
                }
        }
        return 0;
}

bool upload_is_over(const struct request *q) {
        return q->upload && q->upload->refused;
}

int upload_answer(struct request *q, struct err *err) {
        struct image_upload *u = q->upload;

        u->write_fd = fd_close(u->write_fd); /* the end of the archive */
        return stream_answer(q, take_ptr(&u->stream), err);
}
