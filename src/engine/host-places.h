/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Places of the host (a directory, a socket), and whether what is to be bound is one, or has to do with one. They are compared by what is there and not by
 * their names: links, "..", and other mounts of the same file system are seen through. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

enum host_place_kind {
        HOST_PLACE_TOP,    /* the directory itself, and what that is a part of */
        HOST_PLACE_TREE,   /* and all that is in it */
        HOST_PLACE_SOCKET, /* as TOP; and who may only read can connect, too */
};

struct host_place {
        const char *path;
        enum host_place_kind kind;
        long magic;         /* of the kernel's file system that is there (statfs(2)): each of its kind is the same thing; 0: any may be there */
        const char *danger; /* what could happen; for the caller */
};

struct host_source {
        int fd;          /* O_PATH; −1: not open */
        int dir_fd;      /* itself when it is a directory; else the one that it lies in */
        bool missing;    /* it is not there: fd is the directory in which it would be made */
        struct stat st;  /* of fd */
        long magic;
        char *mountinfo; /* of this process */
};
#define HOST_SOURCE_NONE { .fd = -1, .dir_fd = -1 }

/* Follows all links, the last one, too. Negative errno. */
int host_source_open(const char *path, struct host_source *ret);
/* Of what is open already, with O_PATH or without; the fd is taken, also on failure. */
int host_source_of_fd(int fd, struct host_source *ret);
void host_source_done(struct host_source *s);
#define auto_host_source __attribute__((cleanup(host_source_done))) struct host_source

enum host_relation {
        HOST_APART,
        HOST_SAME,
        HOST_WITHIN, /* the source is in the place */
        HOST_AROUND, /* the place is in the source */
        HOST_ALIKE,  /* a file system of the same kind */
};
/* A place that is not there is apart from everything. */
enum host_relation host_source_relation(const struct host_source *s, const struct host_place *place);
