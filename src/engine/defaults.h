/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What new containers get when they do not say: the daemon's {"HostConfig": {…}, "HostGateway": "10.0.0.1", "Labels": ["a=b"]}. It is written into a
 * container's own HostConfig when it is made, so a change touches none that is there. Besides {"Policy": "default", "Sockets": ["/run/x.sock"]}, which
 * hold for all. */

#include <jansson.h>
#include <stdbool.h>

struct engine;
struct err;

/* host: HostConfig of a new container, changed. */
int defaults_apply(struct engine *e, json_t *host, struct err *err);
/* Can this host do what they ask for? */
int defaults_check_host(struct engine *e, const json_t *defaults, struct err *err);
/* For info: labels of the daemon, and the log driver's name. New references. */
json_t *defaults_labels(struct engine *e);
json_t *defaults_log_driver(struct engine *e);
/* "Policy": "strict" refuses what "default" warns of. */
bool defaults_policy_is_strict(struct engine *e);
/* "Sockets": paths at which this daemon listens. A new reference. */
json_t *defaults_sockets(struct engine *e);
