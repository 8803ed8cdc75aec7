/* SPDX-License-Identifier: Apache-2.0 */
/* image checkout. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/commands.h"

static int run_checkout(struct client *c, const struct args *a) {
        const char *from = args_at(a, 0), *at = strrchr(from, '@'), *name = args_text(a, "tag");
        auto_free char *image = strndup(from, at ? (size_t) (at - from) : 0), *escaped = path_escape(image);
        auto_json *answer = NULL;
        auto_path path = { 0 };
        struct err err = { 0 };

        if (!at || !*image || !at[1]) {
                complain("image checkout: %s: not IMAGE@LAYER or IMAGE@-N", from);
                return 1;
        }
        path_init(&path, "/images/%s/checkout", escaped);
        path_query(&path, "layer", at + 1);
        if (name)
                query_name(&path, name);
        if (client_call(c, "POST", &path, NULL, &answer, &err) < 0)
                return client_complain(&err, 1);
        printf("%s\n", json_get_str(answer, "Id", ""));
        return 0;
}

static const struct option checkout_options[] = {
        { 't', "tag", OPTION_TEXT, "NAME[:TAG]", "The name of the new image" },
        { 0 },
};

const struct command command_image_checkout = {
        "image checkout", "image", "checkout", "[OPTIONS] IMAGE@LAYER|IMAGE@-N", "Make an image of the lower layers of another, copying nothing",
        "  kist image checkout site:1@-1 -t site:before\n  kist image checkout site:1@5f70bf18a086 -t base\n", checkout_options, NULL, 1, 1, false, run_checkout,
};
