/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What kistd and a container's monitor say to each other. Fixed-size messages over AF_UNIX SOCK_SEQPACKET, fds beside them.
 *
 * Start: kistd spawns kist-monitor with fd 3 = one end of a socket pair and sends MONITOR_START with the fds below; the monitor answers
 * MONITOR_STARTED or MONITOR_FAILED, and keeps that socket as its first client. It also listens on "monitor.sock" in the container's run
 * directory, where a kistd that was started anew connects again (peer credentials are checked: root of the host only). On every
 * connection the monitor first says MONITOR_HELLO, and later MONITOR_EXITED once, when the container's init is gone, its output is
 * in the log and "exit" is written. It then takes no more requests and ends when its clients' streams are flushed.
 *
 * MONITOR_ATTACH may be sent before MONITOR_START: such a client misses no byte. Output of an exec waits for its first MONITOR_ATTACH, for 30
 * seconds at most. A client that is too slow holds the process up and loses nothing; only after the container's death it does not hold
 * up the log, "exit" and MONITOR_EXITED: these come first, and the rest of the output reaches the client after them. An exec's MONITOR_EXITED comes
 * when all its output is read and before its streams end; those of execs that die with the container come before the container's.
 * A connection on which the daemon lets messages pile up is closed; it may connect again. The container's id and those of execs are letters
 * and digits.
 *
 * The file "exit" (struct monitor_exit_file, written atomically into the state directory) is the truth about how it ended.
 * A stream fd handed over (attach, exec) is the client's own connection: kistd is not in the data path, and its death does
 * not disturb it. */

#include <stdint.h>

#include "base/err.h"
#include "runtime/exec/exec.h"

#define MONITOR_PROTOCOL 1
#define MONITOR_EXEC_MAX 64    /* execs of one container at once */
#define MONITOR_CLIENTS_MAX 16 /* streams attached to one process at once */
#define MONITOR_ID_MAX 65      /* 64 hex digits and NUL */

enum monitor_message_type {
        /* kistd → monitor */
        MONITOR_START = 1, /* struct monitor_start; fds in the order of enum monitor_start_fd, those that its mask names */
        MONITOR_ATTACH,    /* struct monitor_attach; fds: the stream */
        MONITOR_EXEC,      /* struct monitor_exec; fds: plan, then cgroup fds as in MONITOR_START. Starts the process; its output waits */
        MONITOR_RESIZE,    /* struct monitor_resize */
        MONITOR_SIGNAL,    /* struct monitor_signal: to init, or to one exec */
        MONITOR_CLOSE_LOG, /* (no body) reopen the log file: somebody moved it */
        MONITOR_PING,      /* (no body) whoever has the answer has heard of everything that happened before */
        MONITOR_HOOKS_DONE, /* struct monitor_failed, answer to MONITOR_HOOKS; kind ERR_NONE: they have run */
        /* monitor → kistd; each request is answered by exactly one of OK, STARTED, FAILED, with the request's `tag` */
        MONITOR_HELLO = 64, /* struct monitor_hello */
        MONITOR_OK,
        MONITOR_STARTED, /* struct monitor_started: START, EXEC */
        MONITOR_FAILED,  /* struct err */
        MONITOR_EXITED,  /* struct monitor_exited; tag 0. exec_id empty: the container */
        MONITOR_DETACHED, /* struct monitor_detached; tag 0: a client typed the keys */
        MONITOR_HOOKS,   /* struct monitor_started, before that of START: the container is mounted and waits; run its prestart and createRuntime hooks */
};

struct monitor_header {
        uint32_t type; /* enum monitor_message_type */
        uint32_t tag;  /* chosen by the asker, echoed in the answer */
};

/* Order of the fds of MONITOR_START; bit i of `fd_mask` says that fd i is there. then sources, and cgroup v1 procs at the end. */
enum monitor_start_fd {
        MONITOR_FD_PLAN,
        MONITOR_FD_ROOTFS,
        MONITOR_FD_USERNS,
        MONITOR_FD_NETNS,
        MONITOR_FD_CGROUP_V2,
        MONITOR_FD_STATE_DIR, /* /var/lib/kist/containers/ID: "exit" and the log go there */
        MONITOR_FD_RUN_DIR,   /* /run/kist/containers/ID: "monitor.sock" goes there */
        MONITOR_FD_LOG,       /* a memfd with struct monitor_log; not there: nothing but the log's file */
        MONITOR_FD_OOM,        /* when others remove the container's cgroup: its memory.events (v2) or memory.oom_control (v1) … */
        MONITOR_FD_OOM_PARENT, /* … its parent's (v2) … */
        MONITOR_FD_OOM_EVENT,  /* … and an eventfd (v1): see monitor/oom.h */
        MONITOR_FD_CGROUP_V1, /* n_cgroup_v1 of them */
};

enum monitor_start_flags {
        MONITOR_TTY = 1 << 0,
        MONITOR_OPEN_STDIN = 1 << 1,  /* else stdin is /dev/null */
        MONITOR_STDIN_ONCE = 1 << 2,  /* the first client's end of input closes the container's stdin */
        MONITOR_LOG_JSON = 1 << 3,    /* a log is kept as "ID-json.log", see monitor/json-log.h */
        MONITOR_LOG_LOCAL = 1 << 4,   /* … or as "ID-local.log"; neither: no log is kept */
        MONITOR_FOREIGN = 1 << 5,     /* another OCI runtime makes the container: the plan is a struct monitor_runtime; that of an exec a process.json */
};

enum monitor_forward { MONITOR_FORWARD_NONE, MONITOR_FORWARD_SYSLOG, MONITOR_FORWARD_JOURNALD };
enum monitor_syslog { MONITOR_SYSLOG_UNIX, MONITOR_SYSLOG_RFC3164, MONITOR_SYSLOG_RFC5424, MONITOR_SYSLOG_RFC5424_MICRO };

#define MONITOR_LOG_TEXT_MAX 16384

/* What else the lines of the log are given, and where else they go. */
struct monitor_log {
        uint32_t forward;     /* enum monitor_forward */
        uint32_t wait;        /* a receiver that is slow holds the container up (for a second at most); else its lines wait … */
        uint64_t buffer_size; /* … in so many bytes, and are dropped when they do not fit */
        uint32_t syslog;      /* enum monitor_syslog */
        uint32_t facility;    /* as in RFC 5424 */
        int32_t utc_offset_s; /* local time, for the forms that have it */
        int32_t daemon_pid;   /* what stands behind the tag */
        int32_t socket_type;  /* SOCK_DGRAM, SOCK_STREAM */
        uint32_t address_size;
        uint8_t address[128]; /* a sockaddr */
        char host[65], tag[256];
        /* json-file: what stands behind "time":"…" of each object. journald: NAME=value lines. */
        uint32_t text_size;
        char text[MONITOR_LOG_TEXT_MAX];
};

/* Another OCI runtime makes the container, in a mount namespace of this monitor's own: on the directory at room_at, there only, lies a tmpfs with
 *   rootfs    the fd                               user, net   the namespaces, when their fds are there
 *   0, 1 …    what mounts[] says                   config.json, and whatever the runtime keeps: it goes with the namespace
 * The host's table of mounts sees none of it. */
enum { MONITOR_RUNTIME_ARGS_MAX = 32, MONITOR_RUNTIME_MOUNTS_MAX = 128, MONITOR_RUNTIME_TEXT_MAX = 4 << 20 };
#define MONITOR_RUNTIME_ROOM_MAX 96 /* bytes of its path, with the NUL: a socket's path has 108 */

enum monitor_mount_flags {
        MONITOR_MOUNT_RECURSIVE = 1 << 0,
        MONITOR_MOUNT_IDMAP = 1 << 1,  /* with the ids of the container's user namespace */
        MONITOR_MOUNT_RDONLY = 1 << 2, /* all of it: with RECURSIVE also what is mounted below */
};

struct monitor_runtime {
        uint32_t n_args;                 /* the program's path and its options, at the beginning of text */
        uint32_t n_mounts;
        uint32_t config_at, config_size; /* in text */
        uint32_t room_at;                /* in text: absolute; every directory of it is searchable by the container's root */
        uint32_t text_size;
        struct monitor_runtime_mount {
                int32_t source;   /* which of the sources; −1: the path at path_at in text */
                uint32_t path_at;
                uint32_t flags;   /* enum monitor_mount_flags */
        } mounts[MONITOR_RUNTIME_MOUNTS_MAX];
        char text[]; /* the last byte is NUL */
};

struct monitor_start {
        struct monitor_header header;
        char id[MONITOR_ID_MAX];
        uint32_t flags; /* enum monitor_start_flags */
        uint32_t fd_mask;
        uint32_t n_cgroup_v1, n_sources;
        uint16_t rows, columns;     /* first size of the terminal; 0: leave it */
        uint64_t log_max_size;      /* bytes of one file: "ID-json.log" */
        uint32_t log_max_files;     /* that one and the older ".1", ".2", … */
};

enum monitor_attach_flags {
        MONITOR_ATTACH_STDIN = 1 << 0,
        MONITOR_ATTACH_STDOUT = 1 << 1,
        MONITOR_ATTACH_STDERR = 1 << 2,
        MONITOR_ATTACH_FRAMED = 1 << 3, /* Docker's 8-byte stream header before each piece; without a terminal only */
};

/* The stream must be a SOCK_STREAM socket. Its flags are left alone, and at the end of output its sending half is shut down, which the client
 * sees even while the daemon still holds a copy. Detach keys: when the client types them on a terminal (elsewhere they are data), its
 * stream is closed and the process goes on. At most 8 bytes. */
struct monitor_attach {
        struct monitor_header header;
        char exec_id[MONITOR_ID_MAX]; /* empty: the container itself */
        uint32_t flags;               /* enum monitor_attach_flags */
        uint8_t detach_keys[8];
        uint32_t n_detach_keys;
};

struct monitor_exec {
        struct monitor_header header;
        char exec_id[MONITOR_ID_MAX];
        uint32_t flags; /* MONITOR_TTY, MONITOR_OPEN_STDIN; output is held back until MONITOR_ATTACH unless DETACHED */
        uint32_t detached;
        uint32_t n_cgroup_v1;
        uint32_t has_cgroup_v2;
        uint16_t rows, columns;
};

struct monitor_resize {
        struct monitor_header header;
        char exec_id[MONITOR_ID_MAX];
        uint16_t rows, columns;
};

struct monitor_signal {
        struct monitor_header header;
        char exec_id[MONITOR_ID_MAX];
        int32_t signal;
};

struct monitor_hello {
        struct monitor_header header;
        uint32_t protocol;
        int32_t monitor_pid;
        int32_t init_pid;         /* host pid; 0 before MONITOR_STARTED */
        uint32_t flags;           /* as of monitor_start */
        uint32_t n_execs;
        uint64_t started_unix_ns; /* when init was started */
};

struct monitor_started {
        struct monitor_header header;
        int32_t pid; /* host pid of init or of the exec */
        int32_t _reserved;
        uint64_t started_unix_ns;
};

struct monitor_failed {
        struct monitor_header header;
        struct err err;
};

/* `status` as of waitid: exit code, or 128 + signal. Of the container, here and in the file "exit": with MONITOR_STATUS_OOM beside it when one of its
 * processes was killed for memory, as far as the monitor was asked to know. */
#define MONITOR_STATUS_OOM (1 << 16)
struct monitor_exited {
        struct monitor_header header;
        char exec_id[MONITOR_ID_MAX];
        int32_t status;
        uint64_t finished_unix_ns;
};

struct monitor_detached {
        struct monitor_header header;
        char exec_id[MONITOR_ID_MAX];
};

struct monitor_exit_file {
        uint32_t magic; /* MONITOR_EXIT_MAGIC */
        int32_t status;
        uint64_t started_unix_ns, finished_unix_ns;
};
#define MONITOR_EXIT_MAGIC 0x5445584bu /* "KXET" */

union monitor_message {
        struct monitor_header header;
        struct monitor_start start;
        struct monitor_attach attach;
        struct monitor_exec exec;
        struct monitor_resize resize;
        struct monitor_signal signal;
        struct monitor_hello hello;
        struct monitor_started started;
        struct monitor_failed failed;
        struct monitor_exited exited;
        struct monitor_detached detached;
};
