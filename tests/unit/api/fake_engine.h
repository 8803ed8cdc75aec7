/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Blocking calls that are under way now; bytes that the last load read. */
extern _Atomic int fake_running_calls;
extern _Atomic unsigned long fake_loaded_bytes;
