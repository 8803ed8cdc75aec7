/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct err;
struct tls_files;

/* The side of kistd: see tls.h. Returns when the daemon has gone and the last session has ended, or with an error before anything was served. */
int serve_run(const struct tls_files *files, struct err *err);
