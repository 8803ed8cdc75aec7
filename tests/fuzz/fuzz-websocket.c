/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <string.h>

#include "api/websocket.h"

static size_t came;

static void count(const void *data, size_t size, void *arg) {
        FUZZ_REQUIRE(size > 0);
        came += size;
}

/* The first byte says how the rest is cut. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        size_t piece = size ? 1 + data[0] : 1, at = size ? 1 : 0;
        struct websocket *w;
        uint8_t out[64];

        came = 0;
        if (websocket_new(count, NULL, &w) < 0)
                return 0;
        while (at < size && !websocket_is_over(w)) {
                size_t n = size - at < piece ? size - at : piece;

                websocket_feed(w, data + at, n);
                at += n;
                websocket_take(w, out, sizeof(out));
        }
        FUZZ_REQUIRE(came <= size);
        websocket_say(w, "x", 1, size & 1);
        websocket_say_end(w);
        for (size_t i = 0; i < 4 * size + 64 && websocket_has_output(w); i++)
                websocket_take(w, out, sizeof(out));
        FUZZ_REQUIRE(!websocket_has_output(w));
        websocket_free(w);
        return 0;
}
