/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Inside of container_body(): what its two files share. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct args;

/* Complain that the value of an option is not well formed; −1. */
int option_wrong(const struct args *a, const char *option, const char *value, const char *why);

/* "64m", "1.5g", "1048576", "1024k", "512b", "-1": powers of 1024, as Docker reads them. */
bool parse_bytes(const char *text, int64_t *ret);

/* "30s", "1m30s", "250ms", "1h": Go's durations in nanoseconds, not negative. */
bool parse_duration(const char *text, int64_t *ret);

/* "KEY=VALUE" (or another separator) → a member; KEY alone gets "". */
void set_pair(json_t *object, const char *pair, char separator);

/* container-limits.c: DEVICE:VALUE lists, --time-offset, and those options that no daemon could honour. */
int set_limits(const struct args *a, json_t *host);

/* container-mount.c: --mount. */
int set_mounts(const struct args *a, json_t *host);

/* container-networks.c: --network, --network-alias, --ip, --mac-address. */
int set_networks(const struct args *a, json_t *config, json_t *host);
/* "name=x,alias=y,ip=…" of --network → an object of EndpointsConfig (a new reference); *ret_name is the caller's. */
int network_endpoint_parse(const struct args *a, const char *option, const char *text, char **ret_name, json_t **ret);

/* container-ports.c. publish_parse: one value of --publish into ExposedPorts and PortBindings; −EINVAL with the reason. */
int set_ports(const struct args *a, json_t *config, json_t *host);
int publish_parse(const char *text, json_t *exposed, json_t *bindings, const char **ret_why);

/* Options whose values have parts: --ulimit, --mount, --device, --security-opt, --publish and --expose, --health-…. */
int set_structured(const struct args *a, json_t *config, json_t *host);
