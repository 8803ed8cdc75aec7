/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <gnutls/gnutls.h>

/* Move bytes between an established session and a plain stream socket until both directions have ended, either side fails, or the plain
 * side is closed altogether. An end in one direction is handed on as such. At most 32 KiB are on their way. Both descriptors are
 * made non-blocking and stay the caller's. Returns 0, or what GnuTLS said when it failed. */
int pump_run(gnutls_session_t tls, int tls_fd, int plain_fd);
