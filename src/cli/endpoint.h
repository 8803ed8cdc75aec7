/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Which daemon: --context, --host, KIST_HOST, DOCKER_HOST, KIST_CONTEXT, DOCKER_CONTEXT, the currentContext of config.json, or the default
 * socket, the first that is given. */

struct args;
struct err;

/* From the global options: *ret_host is borrowed for ever, and TLS and headers are set for all connections. */
int endpoint_choose(const struct args *global, const char **ret_host, struct err *err);
/* The name of the context that counts, "default" for none. */
const char *endpoint_context(void);
/* The host that the environment says, or the default one: that of context "default". */
const char *endpoint_default_host(void);
/* --config and --context, before anything else is asked. */
void endpoint_take_options(const struct args *global);
