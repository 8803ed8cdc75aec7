/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Heap ownership by cleanup attribute. `auto_free char *s = …;` is freed when it leaves its scope; take_ptr(&s) moves it out. */

#include <stdlib.h>

static inline void mem_freep(void *p) {
        free(*(void **) p);
}
#define auto_free __attribute__((cleanup(mem_freep)))

#define take_ptr(p)                       \
        ({                                \
                __typeof__(*(p)) _v = *(p); \
                *(p) = NULL;              \
                _v;                       \
        })

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* DEFINE_CLEANUP(json_t *, json_decref) makes json_decrefp() for __attribute__((cleanup(json_decrefp))). */
#define DEFINE_CLEANUP(type, func)                    \
        static inline void func##p(type *p) {         \
                if (*p)                               \
                        func(*p);                     \
        }

/* A formatted string on the heap, or NULL when memory is out. */
char *str_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
