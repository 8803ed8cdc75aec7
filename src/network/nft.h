/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* libnftables, kept from harm: its context costs a megabyte and does not stay; and it waits by select(2), which ends a program whose socket has a number above
 * 1,023. It gets a table of descriptors of its own. */

#include <stddef.h>

enum { NFT_SAID_SIZE = 256 };

/* Commands of nft(8), all or none of them. ret_json: what they print, as JSON; the caller's to free; NULL: nothing is wanted. Negative errno: −EIO when nft refuses
 * them, with the first line of its reason in ret_said, which is "" otherwise. Any thread may call; it works in the caller's network namespace. */
int nft_run(const char *commands, char **ret_json, char ret_said[NFT_SAID_SIZE]);
