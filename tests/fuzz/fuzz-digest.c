/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <string.h>

#include "image/digest.h"
#include "image/image.h"

/* A digest is accepted in one spelling only. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *text = strndup((const char *) data, size), written[DIGEST_TEXT_SIZE];
        struct digest d;

        if (text && digest_parse(text, &d)) {
                digest_format(&d, written);
                FUZZ_REQUIRE(strcmp(text, written) == 0);
                FUZZ_REQUIRE(image_digest_is_valid(text));
                FUZZ_REQUIRE(digest_parse_hex(text + 7, &d));
        } else if (text) {
                FUZZ_REQUIRE(!image_digest_is_valid(text));
        }
        free(text);
        return 0;
}
