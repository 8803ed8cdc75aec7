/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A server's end of a websocket (RFC 6455), bytes in, bytes out, over wslay: no socket here. What a client sends comes out as a plain stream of
 * bytes, however it was cut into messages; pings are answered; a client that does not keep to the rules (frames without a mask, reserved bits,
 * text that is no UTF-8) is told so in a close frame, and nothing of it is taken any more. */

#include <stdbool.h>
#include <stddef.h>

struct websocket;

/* got: a part of what the client said; never empty. */
int websocket_new(void (*got)(const void *data, size_t size, void *arg), void *arg, struct websocket **ret);
void websocket_free(struct websocket *w);

/* Bytes from the client. −EPROTO, −ENOMEM; what is to be sent (a close frame, perhaps) is sent first. */
int websocket_feed(struct websocket *w, const void *data, size_t size);
/* One message for it. text: older clients want text frames. −EPIPE after a close. */
int websocket_say(struct websocket *w, const void *data, size_t size, bool text);
/* Tell it that this was all, after what was said before. */
void websocket_say_end(struct websocket *w);

/* At most `size` bytes that are to be sent; 0: nothing is. */
size_t websocket_take(struct websocket *w, void *ret, size_t size);
bool websocket_has_output(struct websocket *w);
/* Bytes that wait to be taken, about. */
size_t websocket_backlog(struct websocket *w);
/* Both have said that it is over, or no more will be taken; and nothing waits to be sent. */
bool websocket_is_over(struct websocket *w);
/* Sec-WebSocket-Accept for the client's Sec-WebSocket-Key; false when that is not 16 bytes in base64. */
bool websocket_accept_key(const char *key, char ret[29]);
