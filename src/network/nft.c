/* SPDX-License-Identifier: Apache-2.0 */
#include "network/nft.h"

#include <errno.h>
#include <nftables/libnftables.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"

#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE (1U << 1) /* <linux/close_range.h>, Linux 5.9 */
#endif

DEFINE_CLEANUP(struct nft_ctx *, nft_ctx_free)
#define auto_nft __attribute__((cleanup(nft_ctx_freep))) struct nft_ctx

enum { STACK_SIZE = 1 << 20 }; /* its parser is a deep one */

struct run {
        const char *commands;
        char **ret_json, *ret_said;
        int result;
};

/* It prints the command and a pointer under it: one line of that is for people. */
static int refused(struct nft_ctx *nft, char said[NFT_SAID_SIZE]) {
        const char *text = nft_ctx_get_error_buffer(nft);

        snprintf(said, NFT_SAID_SIZE, "%s", text && *text ? text : "no reason given");
        said[strcspn(said, "\n")] = '\0';
        return -EIO;
}

static int run_here(const struct run *run) {
        auto_nft *nft = nft_ctx_new(NFT_CTX_DEFAULT);

        if (!nft || nft_ctx_buffer_error(nft) != 0 || nft_ctx_buffer_output(nft) != 0)
                return -ENOMEM;
        if (run->ret_json)
                nft_ctx_output_set_flags(nft, NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_NUMERIC_ALL);
        if (nft_run_cmd_from_buffer(nft, run->commands) != 0)
                return refused(nft, run->ret_said);
        if (run->ret_json && !(*run->ret_json = strdup(nft_ctx_get_output_buffer(nft))))
                return -ENOMEM;
        return 0;
}

/* A copy of the descriptors up to 2, and nothing above: the process keeps its own. */
static void *run_apart(void *data) {
        struct run *run = data;

        run->result = syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_UNSHARE) < 0 ? -errno : run_here(run);
        return NULL;
}

int nft_run(const char *commands, char **ret_json, char ret_said[NFT_SAID_SIZE]) {
        struct run run = { .commands = commands, .ret_json = ret_json, .ret_said = ret_said };
        pthread_attr_t attr;
        pthread_t thread;
        int r;

        *ret_said = '\0';
        pthread_attr_init(&attr);
        pthread_attr_setstacksize(&attr, STACK_SIZE);
        r = pthread_create(&thread, &attr, run_apart, &run);
        pthread_attr_destroy(&attr);
        if (r != 0)
                return -r;
        pthread_join(thread, NULL);
        return run.result;
}
