/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

struct engine;
struct err;
struct spec;

/* AppArmor is compiled in and on. */
bool apparmor_is_on(void);
/* Give the kernel the default profile, by apparmor_parser(8), which replaces an older one of that name: what runs in it has the new one at once. */
int apparmor_load_default(struct err *err);

/* The profile of a container's processes, execs too; NULL: none. Borrowed from the spec. */
const char *apparmor_profile(const struct engine *e, const struct spec *s);
