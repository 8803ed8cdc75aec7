/* SPDX-License-Identifier: Apache-2.0 */

/* An engine of cardboard: as much behaviour as the HTTP side needs to be tried. Container "c1" has no terminal, "t1" has one, and any
 * other is not there; names of other kinds choose how a call behaves ("fails", "slow", …). */

#include "fake_engine.h"

#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "engine/engine.h"

_Atomic int fake_running_calls;
_Atomic unsigned long fake_loaded_bytes;

static int no_such(const char *name, struct err *err) {
        return err_set(err, ERR_NOT_FOUND, -ENOENT, "No such container: %s", name);
}

static int check(const char *name, struct err *err) {
        return !strcmp(name, "c1") || !strcmp(name, "t1") ? 0 : no_such(name, err);
}

/* 1 when cancelled. */
static int cancelled(int fd, int ms) {
        struct pollfd p = { .fd = fd, .events = POLLIN };

        return poll(&p, 1, ms) > 0;
}

int engine_info(struct engine *e, json_t **ret, struct err *err) {
        *ret = json_pack("{s:s}", "Name", "fake");
        return 0;
}

int engine_metrics(struct engine *e, char **ret, struct err *err) {
        *ret = strdup("fake 1\n");
        return 0;
}

int engine_version(struct engine *e, json_t **ret, struct err *err) {
        *ret = json_pack("{s:s}", "ApiVersion", ENGINE_API_VERSION);
        return 0;
}

/* The answer tells what was asked. */
int engine_create(struct engine *e, const char *name, const json_t *body, json_t **ret, struct err *err) {
        if (name && !strcmp(name, "taken"))
                return err_set(err, ERR_CONFLICT, -EEXIST, "Conflict. The container name \"/%s\" is already in use", name);
        *ret = json_pack("{s:s, s:[], s:O}", "Id", name ? name : "made-up", "Warnings", "Asked", body);
        return 0;
}

int engine_start(struct engine *e, const char *name, struct err *err) {
        if (!strcmp(name, "running"))
                return err_set(err, ERR_NOT_MODIFIED, -EALREADY, "it runs");
        if (!strcmp(name, "nocmd"))
                return err_set(err, ERR_NO_COMMAND, -ENOENT, "exec: /x: no such file or directory");
        if (!strcmp(name, "cannotrun"))
                return err_set(err, ERR_NOT_EXECUTABLE, -EIO, "exec: /x: of no use");
        return check(name, err);
}

int engine_volume_create(struct engine *e, const json_t *body, json_t **ret, struct err *err) {
        *ret = json_pack("{s:s}", "Name", json_get_str(body, "Name", "made-up"));
        return 0;
}

int engine_volume_inspect(struct engine *e, const char *name, json_t **ret, struct err *err) {
        if (strcmp(name, "v1") != 0)
                return err_set(err, ERR_NOT_FOUND, -ENOENT, "get %s: no such volume", name);
        *ret = json_pack("{s:s}", "Name", name);
        return 0;
}

int engine_volume_list(struct engine *e, const json_t *filters, json_t **ret, struct err *err) {
        *ret = json_pack("{s:[], s:[]}", "Volumes", "Warnings");
        return 0;
}

int engine_volume_remove(struct engine *e, const char *name, bool force, struct err *err) {
        return force ? 0 : err_set(err, ERR_NOT_FOUND, -ENOENT, "get %s: no such volume", name);
}

int engine_volume_export(struct engine *e, const char *name, int out_fd, int cancel_fd, struct err *err) {
        return -ENOSYS;
}

int engine_volume_import(struct engine *e, const char *name, const json_t *labels, const json_t *options, int in_fd, int cancel_fd, json_t **ret, struct err *err) {
        return -ENOSYS;
}

int engine_volume_clone(struct engine *e, const char *name, const json_t *body, int cancel_fd, json_t **ret, struct err *err) {
        return -ENOSYS;
}

int engine_volume_snapshot(struct engine *e, const char *name, const json_t *body, int cancel_fd, json_t **ret, struct err *err) {
        return -ENOSYS;
}

int engine_volume_prune(struct engine *e, bool named_too, const json_t *filters, json_t **ret, struct err *err) {
        *ret = json_pack("{s:[], s:b}", "VolumesDeleted", "NamedToo", named_too);
        return 0;
}

int engine_network_list(struct engine *e, const json_t *filters, json_t **ret, struct err *err) {
        *ret = json_pack("[{s:s}, {s:s}]", "Name", "bridge", "Name", "none");
        return 0;
}

int engine_network_inspect(struct engine *e, const char *name, json_t **ret, struct err *err) {
        if (strcmp(name, "host") != 0)
                return err_set(err, ERR_NOT_FOUND, -ENOENT, "network %s not found", name);
        *ret = json_pack("{s:s}", "Driver", "host");
        return 0;
}

int engine_network_create(struct engine *e, const json_t *body, json_t **ret, struct err *err) {
        *ret = json_pack("{s:s, s:s}", "Id", json_get_str(body, "Name", ""), "Warning", "");
        return 0;
}

int engine_network_prune(struct engine *e, const json_t *filters, json_t **ret, struct err *err) {
        *ret = json_pack("{s:[]}", "NetworksDeleted");
        return 0;
}

int engine_network_remove(struct engine *e, const char *name, struct err *err) {
        return check(name, err);
}

int engine_network_connect(struct engine *e, const char *network, const json_t *body, struct err *err) {
        return check(json_get_str(body, "Container", ""), err);
}

int engine_network_disconnect(struct engine *e, const char *network, const json_t *body, struct err *err) {
        return check(json_get_str(body, "Container", ""), err);
}

int engine_update(struct engine *e, const char *name, const json_t *changes, json_t **ret, struct err *err) {
        *ret = json_pack("{s:[], s:O}", "Warnings", "Asked", changes);
        return check(name, err);
}

int engine_prune(struct engine *e, const json_t *filters, json_t **ret, struct err *err) {
        *ret = json_pack("{s:n, s:i}", "ContainersDeleted", "SpaceReclaimed", 0);
        return 0;
}

int engine_fsck(struct engine *e, const struct engine_fsck_options *o, json_t **ret, struct err *err) {
        *ret = json_pack("{s:[]}", "Findings");
        return 0;
}
int engine_network_audit(struct engine *e, bool fix, json_t **ret, struct err *err) {
        *ret = json_pack("{s:[]}", "Findings");
        return 0;
}

int engine_disk_usage(struct engine *e, unsigned types, json_t **ret, struct err *err) {
        *ret = json_pack("{s:i, s:i, s:[], s:{s:i}}", "LayersSize", 7, "Types", (int) types, "Images", "ImagesUsage", "TotalCount", 0);
        return 0;
}

int engine_stop(struct engine *e, const char *name, int timeout_s, int signal, struct err *err) {
        if (!strcmp(name, "asked"))
                return err_set(err, ERR_CONFLICT, -EBUSY, "timeout %d signal %d", timeout_s, signal);
        return check(name, err);
}

int engine_restart(struct engine *e, const char *name, int timeout_s, int signal, struct err *err) {
        return engine_stop(e, name, timeout_s, signal, err);
}

int engine_kill(struct engine *e, const char *name, const char *signal, struct err *err) {
        return !strcmp(signal, "KILL") ? check(name, err) : err_set(err, ERR_INVALID, -EINVAL, "Invalid signal: %s", signal);
}

int engine_pause(struct engine *e, const char *name, bool paused, struct err *err) {
        return check(name, err);
}

int engine_remove(struct engine *e, const char *name, bool force, bool volumes, struct err *err) {
        return check(name, err);
}

int engine_rename(struct engine *e, const char *name, const char *new_name, struct err *err) {
        return check(name, err);
}

int engine_inspect(struct engine *e, const char *name, bool size, json_t **ret, struct err *err) {
        int r = check(name, err);

        if (r == 0)
                *ret = json_pack("{s:s, s:b}", "Id", name, "SizeAsked", size);
        return r;
}

int engine_list_text(struct engine *e, bool all, int limit, bool size, const json_t *filters, const struct engine_list_text *how, char **ret, struct err *err) {
        auto_json *list = json_pack("[{s:b, s:i, s:O?}]", "all", all, "limit", limit, "filters", filters);

        how->shape(how->version, json_array_get(list, 0));
        *ret = json_text(list);
        return 0;
}

int engine_top(struct engine *e, const char *name, const char *ps_args, json_t **ret, struct err *err) {
        *ret = json_pack("{s:s}", "Args", ps_args ? ps_args : "none");
        return 0;
}

int engine_resize(struct engine *e, const char *name, uint16_t rows, uint16_t columns, struct err *err) {
        return check(name, err);
}

int engine_stats(struct engine *e, const char *name, json_t **ret, struct err *err) {
        int r = check(name, err);

        if (r == 0)
                *ret = json_pack("{s:s}", "name", name);
        return r;
}

/* --- wait: 42 after 300 ms; of "t1" never --- */

struct engine_waiter {
        bool never;
};

int engine_wait_begin(struct engine *e, const char *name, enum engine_wait condition, struct engine_waiter **ret, struct err *err) {
        int r = check(name, err);

        if (r < 0)
                return r;
        *ret = calloc(1, sizeof(**ret));
        (*ret)->never = !strcmp(name, "t1");
        return 0;
}

int engine_wait_finish(struct engine_waiter *w, int cancel_fd, int *ret_status, struct err *err) {
        int gone;

        fake_running_calls++;
        gone = cancelled(cancel_fd, w->never ? -1 : 300);
        fake_running_calls--;
        free(w);
        *ret_status = 42;
        return gone ? -ECANCELED : 0;
}

/* --- streams: what comes in goes out again, until it ends --- */

static void *echo(void *arg) {
        auto_fd fd = (int) (intptr_t) arg;
        char piece[1024];
        ssize_t n;

        while ((n = read(fd, piece, sizeof(piece))) > 0)
                if (fd_write_all(fd, piece, (size_t) n) < 0)
                        break;
        fd_write_all(fd, "bye", 3);
        return NULL;
}

static int echo_on(int stream_fd) {
        pthread_t thread;

        pthread_create(&thread, NULL, echo, (void *) (intptr_t) dup(stream_fd));
        return pthread_detach(thread);
}

int engine_attach_check(struct engine *e, const char *name, bool *ret_tty, struct err *err) {
        *ret_tty = !strcmp(name, "t1");
        return !strcmp(name, "cut") || !strcmp(name, "flood") ? 0 : check(name, err);
}

int engine_attach(struct engine *e, const char *name, const struct engine_attach *a, int stream_fd, struct err *err) {
        if (!strcmp(name, "cut"))
                return err_set(err, ERR_CONFLICT, -EBUSY, "cannot attach");
        return echo_on(stream_fd);
}

/* "c1": three lines, then, when followed, silence for ever. "flood": without end. "cut": fails after a line. */
int engine_logs(struct engine *e, const char *name, const struct engine_logs *l, int cancel_fd, const struct engine_log_sink *sink, struct err *err) {
        static const char text[] = "a line of sixty-four bytes, which is a good length for a lines..\n";
        int r = 0;

        fake_running_calls++;
        do {
                r = sink->line(1, "one\n", 4, sink->data);
                if (r == 0)
                        r = sink->line(2, "two\n", 4, sink->data);
                while (r == 0 && !strcmp(name, "flood"))
                        r = sink->line(1, text, sizeof(text) - 1, sink->data);
                if (r == 0 && !strcmp(name, "cut"))
                        r = err_set(err, ERR_INTERNAL, -EIO, "broken");
        } while (false);
        if (sink->flush && r != -ECANCELED)
                sink->flush(sink->data);
        if (r == 0 && l->follow && cancelled(cancel_fd, -1))
                r = -ECANCELED;
        fake_running_calls--;
        return r;
}

int engine_exec_create(struct engine *e, const char *name, const json_t *body, json_t **ret, struct err *err) {
        *ret = json_pack("{s:s}", "Id", "e1");
        return check(name, err);
}

int engine_exec_inspect(struct engine *e, const char *exec_id, json_t **ret, struct err *err) {
        *ret = json_pack("{s:s}", "ID", exec_id);
        return 0;
}

int engine_exec_start(struct engine *e, const char *exec_id, bool detach, bool tty, uint16_t rows, uint16_t columns, bool *ret_tty,
                      bool *ret_tried, struct err *err) {
        *ret_tty = tty;
        *ret_tried = !strcmp(exec_id, "nocmd");
        if (!strcmp(exec_id, "nocmd"))
                return err_set(err, ERR_NO_COMMAND, -ENOENT, "exec: nocmd");
        return !strcmp(exec_id, "e1") ? 0 : err_set(err, ERR_NOT_FOUND, -ENOENT, "No such exec instance: %s", exec_id);
}

int engine_exec_attach(struct engine *e, const char *exec_id, int stream_fd, struct err *err) {
        return echo_on(stream_fd);
}

int engine_exec_resize(struct engine *e, const char *exec_id, uint16_t rows, uint16_t columns, struct err *err) {
        return 0;
}

/* --- images --- */

int engine_image_pull(struct engine *e, const struct image_pull *p, image_progress_fn progress, void *data, struct err *err) {
        auto_json *event = json_pack("{s:s, s:s, s:s?}", "status", "Pulling", "id", p->reference, "user", p->username);
        int r;

        if (!strcmp(p->reference, "missing:1"))
                return err_set(err, ERR_NOT_FOUND, -ENOENT, "manifest of missing:1 is unknown");
        r = progress(event, data);
        if (r == 0 && strstr(p->reference, "late"))
                r = err_set(err, ERR_UNAVAILABLE, -EIO, "connection lost");
        return r;
}

int engine_image_checkout(struct engine *e, const char *name, const char *layer, const char *reference, json_t **ret, struct err *err) {
        if (strcmp(layer, "-1") != 0)
                return err_set(err, ERR_NOT_FOUND, -ENOENT, "image %s: layer \"%s\" is not in it", name, layer);
        *ret = json_pack("{s:s, s:s?}", "Id", name, "Name", reference);
        return 0;
}

int engine_image_search(struct engine *e, const struct image_search *s, const json_t *filters, json_t **ret, struct err *err) {
        *ret = json_pack("[{s:s, s:i}]", "name", s->term, "star_count", (int) s->limit);
        return 0;
}

/* Its id tells what was asked for, and how many bytes came. */
int engine_image_import(struct engine *e, const struct engine_import *i, image_progress_fn progress, void *data, struct err *err) {
        auto_json *event = NULL;
        unsigned long bytes = 0;
        char piece[65536];
        ssize_t n;

        while ((n = read(i->archive_fd, piece, sizeof(piece))) > 0)
                bytes += (unsigned long) n;
        event = json_pack("{s:o}", "status", json_sprintf("%s %s %zu %lu", i->reference ? i->reference : "-", i->comment ? i->comment : "-", i->n_changes, bytes));
        return progress(event, data);
}

/* Reads everything, and makes much progress: more than a pipe holds. An archive that starts with "bad" is refused at once. */
int engine_image_load(struct engine *e, int archive_fd, enum image_discard discard, image_progress_fn progress, void *data, struct err *err) {
        auto_json *event = json_pack("{s:s}", "status", "Loading layer, with a text that is as long as those of real progress are");
        char piece[65536];
        ssize_t n;
        int r = 0;

        fake_loaded_bytes = 0;
        while (r == 0 && (n = read(archive_fd, piece, sizeof(piece))) > 0) {
                if (fake_loaded_bytes == 0 && n >= 3 && !memcmp(piece, "bad", 3))
                        return err_set(err, ERR_INVALID, -EINVAL, "not an archive");
                fake_loaded_bytes += (unsigned long) n;
                for (int i = 0; r == 0 && i < 4; i++)
                        r = progress(event, data);
        }
        return r;
}

int engine_image_push(struct engine *e, const struct image_push *p, image_progress_fn progress, void *data, struct err *err) {
        auto_json *event = json_pack("{s:s}", "status", p->all_tags ? "all" : p->reference);

        return progress(event, data);
}

int engine_login(struct engine *e, const struct image_login *l, json_t **ret, struct err *err) {
        if (!l->password || strcmp(l->password, "open"))
                return err_set(err, ERR_UNAUTHORIZED, -EACCES, "unauthorized");
        *ret = json_pack("{s:s, s:s}", "Status", "Login Succeeded", "IdentityToken", l->registry);
        return 0;
}

int engine_referrers(struct engine *e, const struct image_pull *p, const char *artifact_type, json_t **ret, struct err *err) {
        *ret = json_pack("{s:s, s:s*}", "Subject", p->reference, "Wanted", artifact_type);
        return 0;
}

int engine_delete_remote(struct engine *e, const struct image_pull *p, json_t **ret, struct err *err) {
        *ret = json_pack("[{s:s}]", "Deleted", p->reference);
        return 0;
}

int engine_list_push(struct engine *e, const struct image_list_push *p, json_t **ret, struct err *err) {
        *ret = json_pack("{s:s, s:[]}", "Digest", p->text, "Copied");
        return 0;
}

int engine_distribution(struct engine *e, const struct image_pull *p, bool whole, json_t **ret, struct err *err) {
        if (p->password && strcmp(p->password, "open"))
                return err_set(err, ERR_UNAUTHORIZED, -EACCES, "unauthorized");
        *ret = json_pack("{s:{s:s}, s:[]}", "Descriptor", "digest", p->reference, "Platforms");
        return 0;
}

int engine_image_list(struct engine *e, const struct engine_image_list *how, const json_t *filters, json_t **ret, struct err *err) {
        *ret = json_array();
        return 0;
}

int engine_image_inspect(struct engine *e, const char *name, json_t **ret, struct err *err) {
        *ret = json_pack("{s:s}", "Id", name);
        return 0;
}

int engine_image_history(struct engine *e, const char *name, json_t **ret, struct err *err) {
        *ret = json_pack("[{s:s}]", "Id", name);
        return 0;
}

int engine_image_remove(struct engine *e, const char *name, bool force, json_t **ret, struct err *err) {
        *ret = json_pack("[{s:s}]", "Untagged", name);
        return 0;
}

int engine_image_prune(struct engine *e, const json_t *filters, json_t **ret, struct err *err) {
        *ret = json_pack("{s:[], s:i}", "ImagesDeleted", "SpaceReclaimed", 0);
        return 0;
}

int engine_image_tag(struct engine *e, const char *name, const char *target, struct err *err) {
        return strcmp(target, "a/b:c") ? err_set(err, ERR_INVALID, -EINVAL, "%s", target) : 0;
}

int engine_events(struct engine *e, int64_t since_ns, int64_t until_ns, const json_t *filters, int cancel_fd,
                  int (*event)(json_t *event, void *data), void *data, struct err *err) {
        auto_json *start = json_pack("{s:s}", "Action", "start");
        int r;

        fake_running_calls++;
        r = event(start, data);
        if (r == 0 && until_ns == 0 && cancelled(cancel_fd, -1))
                r = -ECANCELED;
        fake_running_calls--;
        return r;
}

/* --- files --- */

struct engine_archive {
        char text[32];
};

int engine_archive_get(struct engine *e, const char *name, const char *path, json_t **ret_stat, struct engine_archive **ret, struct err *err) {
        if (strcmp(path, "/there"))
                return err_set(err, ERR_NOT_FOUND, -ENOENT, "Could not find the file %s in container %s", path, name);
        *ret_stat = json_pack("{s:s, s:i}", "name", "there", "size", 5);
        if (ret) {
                *ret = calloc(1, sizeof(**ret));
                strcpy((*ret)->text, "a tar");
        }
        return 0;
}

int engine_archive_read(struct engine_archive *a, int out_fd, int cancel_fd, struct err *err) {
        return fd_write_all(out_fd, a->text, strlen(a->text));
}

void engine_archive_free(struct engine_archive *a) {
        free(a);
}

int engine_archive_put(struct engine *e, const char *name, const struct engine_archive_put *p, int in_fd, int cancel_fd, struct err *err) {
        char text[16] = "";
        ssize_t n = read(in_fd, text, sizeof(text) - 1);

        if (strcmp(p->path, "/there"))
                return err_set(err, ERR_NOT_FOUND, -ENOENT, "Could not find the file %s in container %s", p->path, name);
        return n > 0 && p->keep_kinds && !strcmp(text, "body") ? 0 : err_set(err, ERR_INVALID, -EINVAL, "got \"%s\"", text);
}

int engine_export(struct engine *e, const char *name, int out_fd, int cancel_fd, struct err *err) {
        return strcmp(name, "web") ? err_set(err, ERR_NOT_FOUND, -ENOENT, "No such container: %s", name) : fd_write_all(out_fd, "export", 6);
}

int engine_changes(struct engine *e, const char *name, json_t **ret, struct err *err) {
        *ret = json_array();
        return 0;
}

int engine_commit(struct engine *e, const char *name, const struct engine_commit *c, json_t **ret, struct err *err) {
        *ret = json_pack("{s:s, s:s?, s:i, s:s?, s:b}", "Id", name, "reference", c->reference, "n", (int) c->n_changes, "first", c->n_changes ? c->changes[0] : NULL,
                         "pause", c->pause);
        return 0;
}

int engine_image_save(struct engine *e, const char *const *names, size_t n, int out_fd, int cancel_fd, struct err *err) {
        char text[256] = "";

        for (size_t i = 0; i < n; i++)
                snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s;", names[i]);
        return fd_write_all(out_fd, text, strlen(text)); /* in one piece: it is looked for in a chunked answer */
}
