/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Ports in words. */

#include <jansson.h>

/* The PORTS column from the "Ports" of GET /containers/json: published ones as "0.0.0.0:8080->80/tcp", those in a row as "0.0.0.0:80-82->80-82/tcp",
 * and "80/tcp" for one that is not. The caller's. */
char *ports_text(const json_t *ports);
