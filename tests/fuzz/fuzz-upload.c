/* SPDX-License-Identifier: Apache-2.0 */
/* What a registry says about an upload: the Range header, and the answer of a realm. */
#include "fuzz.h"

#include <string.h>

#include "worker/registry.h"
#include "worker/upload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *text = strndup((const char *) data, size);
        struct registry r = { .host = (char *) "h", .offline = true };
        uint64_t n = 7;

        if (!text)
                return 0;
        if (upload_parse_range(text, &n))
                FUZZ_REQUIRE(n != 1 && n <= 1000000000000000000u);
        else
                FUZZ_REQUIRE(n == 7);
        if (registry_take_token(&r, (const char *) data, size, NULL) == 0)
                FUZZ_REQUIRE(*r.token && !strpbrk(r.token, "\r\n \t"));
        FUZZ_REQUIRE(!r.granted || !strpbrk(r.granted, "\r\n \t"));
        FUZZ_REQUIRE(!registry_may_follow("https://a/", text) || strncasecmp(text, "https:", 6) == 0);
        r.host = NULL;
        registry_done(&r);
        free(text);
        return 0;
}
