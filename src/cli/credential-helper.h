/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* docker-credential-NAME: a program of somebody else's that keeps passwords. It reads one JSON object, or one name, and says one. It may ask its user and
 * so take a while, but not for ever: KIST_CREDENTIAL_HELPER_TIMEOUT seconds, or 120. */

struct err;
struct strbuf;

/* The exit status (128: a signal ended it); what it printed is added to `answer`, without the last newlines and NUL-terminated. -EINVAL: `name` cannot be a
 * program's; -ETIMEDOUT: it did not end in time; -E2BIG: it said more than `answer` takes. It is killed then. */
int credential_helper_ask(const char *name, const char *action, const char *input, struct strbuf *answer, struct err *err);
