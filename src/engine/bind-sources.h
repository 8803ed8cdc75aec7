/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct engine;
struct err;
struct spec;

/* At start: the host directories of -v that are not there yet are made, as dockerd makes them; --mount wants them to exist. With policy "strict" the
 * sources become detached mounts ("fd:N"): what was looked at is what is mounted. ERR_INVALID, ERR_DENIED. */
int bind_sources_prepare(struct engine *e, struct spec *s, struct err *err);
