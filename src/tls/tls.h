/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* kist-tls: TLS for the programs that should not carry it. `kist` is static and starts in a millisecond; `kistd` lets no foreign bytes in
 * before it knows whose they are. Both speak plain HTTP with a socket pair, and this program is at its other end.
 *
 *   kist-tls connect HOST PORT [ca=FILE] [cert=FILE] [key=FILE] [insecure | plain]
 *       fd 3: a stream socket. First a line: "+\n", or "-REASON\n" and the end. Then what comes from the host.
 *       Without ca the host's certificate must be good for the system's authorities; with "insecure" it is not looked at.
 *       With "plain" there is no TLS: the connected socket itself comes with the first line, and the process ends.
 *
 *   kist-tls serve cert=FILE key=FILE [ca=FILE]
 *       fd 3: a listening TCP socket; fd 4: a SOCK_SEQPACKET socket of kistd. First a message "+" or "-REASON"; then one message "c" with an
 *       fd for each client that has shown a certificate of ca (any client, without ca). When fd 4 ends nobody new is let in,
 *       and the sessions that there are go on: an attached client outlives the daemon. */

enum {
        TLS_FD = 3,
        TLS_DAEMON_FD = 4,
        TLS_REASON_MAX = 480,
};
