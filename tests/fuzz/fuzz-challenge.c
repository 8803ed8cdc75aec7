/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <string.h>

#include "worker/challenge.h"

static void require_printable(const char *s, size_t size) {
        FUZZ_REQUIRE(strnlen(s, size) < size);
        for (; *s; s++)
                FUZZ_REQUIRE(*s >= 0x20 && *s <= 0x7e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *text = strndup((const char *) data, size);
        struct challenge c;

        if (text && challenge_parse(text, &c) == 0) {
                FUZZ_REQUIRE(c.scheme <= CHALLENGE_BEARER);
                require_printable(c.realm, sizeof(c.realm));
                require_printable(c.service, sizeof(c.service));
        }
        free(text);
        return 0;
}
