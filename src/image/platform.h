/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Platforms: "os/architecture[/variant]" in Go's names, as image indexes use them. */

#include <jansson.h>
#include <stdbool.h>

struct err;

struct platform {
        char os[32], arch[32], variant[32];
};

/* NULL or "": the host's. Other spellings (x86_64, aarch64, armhf, …) are made Go's. ERR_INVALID. */
int platform_parse(const char *text, struct platform *ret, struct err *err);
/* From a descriptor's "platform" or an image config: members "os", "architecture", "variant". */
void platform_from_json(const json_t *object, struct platform *ret);
/* "linux/arm64/v8". */
void platform_format(const struct platform *p, char *ret, size_t size);
/* How well `have` serves `want`: 0 not at all, else the larger the better. */
unsigned platform_score(const struct platform *want, const struct platform *have);
