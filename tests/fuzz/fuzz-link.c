/* SPDX-License-Identifier: Apache-2.0 */
/* A registry's Link header: whatever it says, the next page is asked of the registry itself. */
#include "fuzz.h"

#include <string.h>

#include "worker/fetch.h"
#include "worker/link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct registry r = { .host = (char *) "r.example:5000", .authority = (char *) "r.example:5000", .repository = (char *) "a", .plain = true };
        char *text = strndup((const char *) data, size), *place = NULL, *url;
        const char *target;
        size_t n = 0;
        int found, followed;

        if (!text)
                return 0;
        found = link_next(text, &target, &n);
        if (found > 0)
                FUZZ_REQUIRE(target > text && target[-1] == '<' && target[n] == '>' && !memchr(target, '>', n) && target + n < text + strlen(text));
        followed = fetch_next_place(&r, "http://r.example:5000/v2/a/referrers/sha256:0?n=1", text, &place);
        FUZZ_REQUIRE((followed > 0) == (place != NULL) && (found > 0 || followed == found));
        if (place) {
                FUZZ_REQUIRE(registry_is_place(place));
                url = registry_place_url(&r, place);
                FUZZ_REQUIRE(url && registry_is_own_url(&r, url));
                free(url);
        }
        free(place);
        free(text);
        return 0;
}
