/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* When the container's "upper" is still as it was made (mode 0), give it owner, mode, extended attributes and times of the topmost
 * layer. Death in the middle is mended by the next call. 0, or negative errno. */
int upper_prepare(int container_fd, int top_fd);
