/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/session.h"

#include <arpa/inet.h>
#include <gnutls/x509.h>
#include <string.h>

#include "base/err.h"

/* The versions that are not broken. */
static const char priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE";

static int read_files(gnutls_certificate_credentials_t c, const struct tls_files *files, bool server, struct err *err) {
        int r;

        if (files->ca) {
                r = gnutls_certificate_set_x509_trust_file(c, files->ca, GNUTLS_X509_FMT_PEM);
                if (r <= 0)
                        return err_set(err, ERR_INVALID, -EINVAL, "certificates of authorities %s: %s", files->ca,
                                       r < 0 ? gnutls_strerror(r) : "none are in it");
        } else if (!server && !files->insecure) {
                gnutls_certificate_set_x509_system_trust(c);
        }
        if (!files->cert != !files->key)
                return err_set(err, ERR_INVALID, -EINVAL, "a certificate and its key go together");
        if (!files->cert)
                return server ? err_set(err, ERR_INVALID, -EINVAL, "a certificate and its key are needed") : 0;
        r = gnutls_certificate_set_x509_key_file(c, files->cert, files->key, GNUTLS_X509_FMT_PEM);
        if (r < 0)
                return err_set(err, ERR_INVALID, -EINVAL, "certificate %s with key %s: %s", files->cert, files->key, gnutls_strerror(r));
        return 0;
}

int session_credentials(const struct tls_files *files, bool server, gnutls_certificate_credentials_t *ret, struct err *err) {
        gnutls_certificate_credentials_t c;
        int r;

        if (gnutls_certificate_allocate_credentials(&c) < 0)
                return err_errno(err, -ENOMEM, "TLS");
        r = read_files(c, files, server, err);
        if (r < 0) {
                gnutls_certificate_free_credentials(c);
                return r;
        }
        if (server)
                gnutls_certificate_set_known_dh_params(c, GNUTLS_SEC_PARAM_MEDIUM);
        *ret = c;
        return 0;
}

static bool is_address(const char *name) {
        unsigned char bytes[16];

        return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

static int failed_handshake(gnutls_session_t s, int r, struct err *err) {
        gnutls_datum_t text = { 0 };

        if (r == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR &&
            gnutls_certificate_verification_status_print(gnutls_session_get_verify_cert_status(s), GNUTLS_CRT_X509, &text, 0) == 0) {
                /* "The certificate is NOT trusted. The name …" with blanks at the end. */
                while (text.size > 0 && strchr(" .\n", text.data[text.size - 1]))
                        text.data[--text.size] = '\0';
                err_set(err, ERR_DENIED, -EACCES, "%s", (char *) text.data);
                gnutls_free(text.data);
                return -EACCES;
        }
        if (r == GNUTLS_E_FATAL_ALERT_RECEIVED)
                return err_set(err, ERR_DENIED, -EACCES, "the other side refused: %s", gnutls_alert_get_name(gnutls_alert_get(s)));
        return err_set(err, ERR_UNAVAILABLE, -EPROTO, "TLS handshake: %s", gnutls_strerror(r));
}

int session_open(gnutls_certificate_credentials_t credentials, int fd, const char *name, bool verify, unsigned seconds, gnutls_session_t *ret,
                 struct err *err) {
        /* A server's certificate is none for a client, and the other way round. */
        gnutls_typed_vdata_st expected[] = {
                { .type = GNUTLS_DT_KEY_PURPOSE_OID, .data = (unsigned char *) (name ? GNUTLS_KP_TLS_WWW_SERVER : GNUTLS_KP_TLS_WWW_CLIENT) },
                { .type = GNUTLS_DT_DNS_HOSTNAME, .data = (unsigned char *) name },
        };
        gnutls_datum_t protocol = { (unsigned char *) "http/1.1", 8 };
        gnutls_session_t s;
        int r;

        if (gnutls_init(&s, name ? GNUTLS_CLIENT : GNUTLS_SERVER) < 0)
                return err_errno(err, -ENOMEM, "TLS");
        gnutls_priority_set_direct(s, priorities, NULL);
        gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, credentials);
        gnutls_alpn_set_protocols(s, &protocol, 1, 0);
        if (name && !is_address(name))
                gnutls_server_name_set(s, GNUTLS_NAME_DNS, name, strlen(name));
        if (verify)
                gnutls_session_set_verify_cert2(s, expected, name ? 2 : 1, 0);
        gnutls_certificate_server_set_request(s, verify ? GNUTLS_CERT_REQUIRE : GNUTLS_CERT_IGNORE);
        gnutls_transport_set_int(s, fd);
        gnutls_handshake_set_timeout(s, seconds * 1000);
        do
                r = gnutls_handshake(s);
        while (r < 0 && !gnutls_error_is_fatal(r));
        if (r < 0) {
                gnutls_alert_send_appropriate(s, r);
                r = failed_handshake(s, r, err);
                gnutls_deinit(s);
                return r;
        }
        *ret = s;
        return 0;
}
