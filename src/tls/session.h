/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <gnutls/gnutls.h>
#include <stdbool.h>

struct err;

struct tls_files {
        const char *ca, *cert, *key; /* PEM; NULL where there is none */
        bool insecure;               /* connect: the host's certificate is not looked at */
        bool plain;                  /* connect: no TLS at all */
};

/* Read the files. `server`: cert and key must be there; without ca no certificate is asked of clients, and a client without ca uses the system's
 * authorities. *ret is freed with gnutls_certificate_free_credentials(). */
int session_credentials(const struct tls_files *files, bool server, gnutls_certificate_credentials_t *ret, struct err *err);

/* A handshake over a connected socket, of at most `seconds` in all. name: the host whose certificate it must be (connect), NULL: the server's
 * side. verify: the peer must show a certificate that is good. *ret is freed with gnutls_deinit(). */
int session_open(gnutls_certificate_credentials_t credentials, int fd, const char *name, bool verify, unsigned seconds, gnutls_session_t *ret,
                 struct err *err);
