/* SPDX-License-Identifier: Apache-2.0 */
#include "api/websocket.h"

#include <errno.h>
#include <nettle/base64.h>
#include <nettle/sha1.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

struct websocket {
        wslay_event_context_ptr context;
        void (*got)(const void *data, size_t size, void *arg);
        void *arg;
        bool ending;     /* a close is to follow what waits to be sent */
        bool in_control; /* the frame that comes in is a ping or a close */
        /* What feed() was given and take() is to fill, for the time of the call. */
        const uint8_t *in;
        size_t in_left;
        uint8_t *out;
        size_t out_left;
};

static ssize_t on_receive(wslay_event_context_ptr context, uint8_t *buffer, size_t size, int flags, void *arg) {
        struct websocket *w = arg;
        size_t n = size < w->in_left ? size : w->in_left;

        if (n == 0) {
                wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
                return -1;
        }
        memcpy(buffer, w->in, n);
        w->in += n;
        w->in_left -= n;
        return (ssize_t) n;
}

static ssize_t on_send(wslay_event_context_ptr context, const uint8_t *data, size_t size, int flags, void *arg) {
        struct websocket *w = arg;
        size_t n = size < w->out_left ? size : w->out_left;

        if (n == 0) {
                wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
                return -1;
        }
        memcpy(w->out, data, n);
        w->out += n;
        w->out_left -= n;
        return (ssize_t) n;
}

static void on_frame(wslay_event_context_ptr context, const struct wslay_event_on_frame_recv_start_arg *frame, void *arg) {
        ((struct websocket *) arg)->in_control = wslay_is_ctrl_frame(frame->opcode);
}

static void on_chunk(wslay_event_context_ptr context, const struct wslay_event_on_frame_recv_chunk_arg *chunk, void *arg) {
        struct websocket *w = arg;

        if (!w->in_control && chunk->data_length > 0)
                w->got(chunk->data, chunk->data_length, w->arg);
}

int websocket_new(void (*got)(const void *data, size_t size, void *arg), void *arg, struct websocket **ret) {
        static const struct wslay_event_callbacks calls = {
                .recv_callback = on_receive,
                .send_callback = on_send,
                .on_frame_recv_start_callback = on_frame,
                .on_frame_recv_chunk_callback = on_chunk,
        };
        struct websocket *w = calloc(1, sizeof(*w));

        if (!w)
                return -ENOMEM;
        w->got = got;
        w->arg = arg;
        if (wslay_event_context_server_init(&w->context, &calls, w) != 0) {
                free(w);
                return -ENOMEM;
        }
        /* A message may be as long as it likes: it is handed on as it comes, and nothing is kept. */
        wslay_event_config_set_no_buffering(w->context, 1);
        wslay_event_config_set_max_recv_msg_length(w->context, INT64_MAX);
        *ret = w;
        return 0;
}

void websocket_free(struct websocket *w) {
        if (!w)
                return;
        wslay_event_context_free(w->context);
        free(w);
}

int websocket_feed(struct websocket *w, const void *data, size_t size) {
        int r;

        w->in = data;
        w->in_left = size;
        r = wslay_event_recv(w->context);
        w->in = NULL;
        w->in_left = 0;
        return r == 0 ? 0 : r == WSLAY_ERR_NOMEM ? -ENOMEM : -EPROTO;
}

int websocket_say(struct websocket *w, const void *data, size_t size, bool text) {
        const struct wslay_event_msg message = { text ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME, data, size };
        int r = wslay_event_queue_msg(w->context, &message);

        return r == 0 ? 0 : r == WSLAY_ERR_NOMEM ? -ENOMEM : -EPIPE;
}

void websocket_say_end(struct websocket *w) {
        w->ending = true;
}

/* wslay sends control frames before the messages that wait, and nothing after a close: that comes when all else is out. */
static void end_when_said(struct websocket *w) {
        if (!w->ending || wslay_event_want_write(w->context))
                return;
        w->ending = false;
        if (wslay_event_queue_close(w->context, WSLAY_CODE_NORMAL_CLOSURE, NULL, 0) == 0)
                wslay_event_send(w->context);
}

size_t websocket_take(struct websocket *w, void *ret, size_t size) {
        size_t n;

        w->out = ret;
        w->out_left = size;
        wslay_event_send(w->context);
        end_when_said(w);
        n = size - w->out_left;
        w->out = NULL;
        w->out_left = 0;
        return n;
}

bool websocket_has_output(struct websocket *w) {
        return w->ending || wslay_event_want_write(w->context);
}

size_t websocket_backlog(struct websocket *w) {
        return wslay_event_get_queued_msg_length(w->context);
}

bool websocket_is_over(struct websocket *w) {
        return !wslay_event_want_read(w->context) && !websocket_has_output(w);
}

bool websocket_accept_key(const char *key, char ret[29]) {
        static const char suffix[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455, 1.3 */
        uint8_t raw[24], sum[SHA1_DIGEST_SIZE];
        size_t n = sizeof(raw);
        struct base64_decode_ctx decode;
        struct sha1_ctx sha1;

        base64_decode_init(&decode);
        if (strlen(key) != 24 || !base64_decode_update(&decode, &n, raw, 24, key) || !base64_decode_final(&decode) || n != 16)
                return false;
        sha1_init(&sha1);
        sha1_update(&sha1, 24, (const uint8_t *) key);
        sha1_update(&sha1, sizeof(suffix) - 1, (const uint8_t *) suffix);
        sha1_digest(&sha1, sizeof(sum), sum);
        base64_encode_raw(ret, sizeof(sum), sum);
        ret[28] = '\0';
        return true;
}
