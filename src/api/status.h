/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* How an error looks over HTTP: the one place where kinds become status codes. */

#include "base/err.h"

unsigned api_status_of(enum err_kind kind);

/* The text of {"message": …}: the error's own, with what the stock docker command looks for to choose its exit status (126, 127). */
void api_status_message(const struct err *err, char *ret, size_t size);
