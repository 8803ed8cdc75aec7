/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* WWW-Authenticate of a registry (RFC 9110 §11.6.1, and the distribution project's "token" scheme): which scheme, and where to ask for a token. Bytes in,
 * structure out; strict and bounded. */

enum challenge_scheme { CHALLENGE_NONE, CHALLENGE_BASIC, CHALLENGE_BEARER };

struct challenge {
        enum challenge_scheme scheme;
        /* Of Bearer; "" when not given. Printable ASCII only. */
        char realm[2048], service[512];
};

/* One header's value may hold several challenges: Bearer is preferred to Basic, others are skipped (CHALLENGE_NONE). -EINVAL: malformed, or too long. */
int challenge_parse(const char *header, struct challenge *ret);
