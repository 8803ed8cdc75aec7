/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Registry credentials as a client sends them: the header X-Registry-Auth, a base64 (plain or URL alphabet, padded or not) JSON object. */

struct err;

struct api_auth {
        char *username, *password, *identity_token, *server; /* NULL when not given */
};

/* header may be NULL or empty: no credentials. ERR_INVALID when it is not such an object; its content is never part of the message. */
int api_auth_decode(const char *header, struct api_auth *ret, struct err *err);
/* Wipes what it frees. */
void api_auth_done(struct api_auth *a);
