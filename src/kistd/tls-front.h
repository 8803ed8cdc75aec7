/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* kist-tls in front of one TCP socket: a process without rights that lets in who shows a certificate. A thread here takes the connections
 * from it; when the process dies it is started again. */

struct api_server;
struct err;
struct tls_front;

struct tls_front_files {
        const char *ca, *cert, *key; /* ca NULL: clients show none */
};

/* Starts the process and waits until it has read the files: an error of theirs is returned. listen_fd is taken, also on failure. */
int tls_front_start(int listen_fd, const struct tls_front_files *files, struct tls_front **ret, struct err *err);
/* From now on connections are handed to the server. */
int tls_front_serve(struct tls_front *f, struct api_server *server, struct err *err);
/* Nobody new comes in; sessions that the monitors hold go on. NULL is allowed. */
void tls_front_stop(struct tls_front *f);
