/* SPDX-License-Identifier: Apache-2.0 */

/* linux.seccomp.listenerPath and listenerMetadata: an agent of the host gets the listener of the filter, and with it the "container process
 * state" of the runtime-spec. Its pids are known to the executor alone, which puts them between the texts. */

#include <string.h>
#include <sys/un.h>

#include <linux/seccomp.h>

#include "base/mem.h"
#include "runtime/plan/private.h"

static bool uses_notify(const json_t *seccomp) {
        const json_t *list = json_get_array(seccomp, "syscalls");

        for (size_t i = 0; i < json_array_size(list); i++)
                if (strcmp(json_get_str(json_array_get(list, i), "action", ""), "SCMP_ACT_NOTIFY") == 0)
                        return true;
        return false;
}

static int make_head(struct planner *p, const char *metadata, struct err *err) {
        auto_json *object = json_pack("{s:s, s:[s]}", "ociVersion", json_get_str(p->config, "ociVersion", "1.0.0"), "fds", "seccompFd");
        auto_free char *text = NULL, *head = NULL;

        if (object && metadata)
                json_object_set_new(object, "metadata", json_string(metadata));
        text = object ? json_text(object) : NULL;
        head = text ? str_format("%.*s,\"pid\":", (int) strlen(text) - 1, text) : NULL;
        if (!head)
                return err_errno(err, -ENOMEM, "linux.seccomp.listenerPath");
        p->builder.header.listener_head = builder_text(&p->builder, head);
        return 0;
}

/* A running container's state is known; that of one in the making lacks the pid. */
static int make_tail(struct planner *p, struct err *err) {
        const struct plan_options *o = p->options;
        bool container = p->builder.header.kind == PLAN_CONTAINER;
        auto_json *state = NULL;
        auto_free char *text = NULL, *tail = NULL;

        if (!o->id || (!container && o->pid <= 0))
                return err_set(err, ERR_INVALID, -EINVAL, "linux.seccomp.listenerPath: the caller has not said the id and pid of the container");
        state = plan_state(p->config, o->id, o->bundle, container ? 0 : o->pid, container ? "creating" : "running");
        text = state ? json_text(state) : NULL;
        if (text && container)
                tail = str_format(",\"state\":%.*s,\"pid\":", (int) strlen(text) - 1, text);
        else if (text)
                tail = str_format(",\"state\":%s}", text);
        if (!tail)
                return err_set(err, ERR_INVALID, -EINVAL, "linux.seccomp.listenerPath: the state of the container is not UTF-8");
        p->builder.header.listener_tail = builder_text(&p->builder, tail);
        return 0;
}

int plan_listener(struct planner *p, const json_t *seccomp, struct err *err) {
        struct plan_header *h = &p->builder.header;
        const char *path = NULL, *metadata = NULL;
        int r = field_string(seccomp, "linux.seccomp", "listenerPath", &path, err);

        if (r == 0)
                r = field_string(seccomp, "linux.seccomp", "listenerMetadata", &metadata, err);
        if (r < 0)
                return r;
        if (!path || !*path) {
                if (metadata && *metadata)
                        return err_set(err, ERR_INVALID, -EINVAL, "linux.seccomp.listenerMetadata: there is no listenerPath");
                return uses_notify(seccomp) ? err_set(err, ERR_INVALID, -EINVAL, "linux.seccomp.listenerPath: SCMP_ACT_NOTIFY needs it") : 0;
        }
        if (*path != '/' || strlen(path) >= sizeof(((struct sockaddr_un *) 0)->sun_path))
                return err_set(err, ERR_INVALID, -EINVAL, "linux.seccomp.listenerPath: \"%s\" is not the absolute path of a socket", path);
        if (!uses_notify(seccomp))
                return 0; /* nothing will be asked */
        h->listener_path = builder_text(&p->builder, path);
        /* One thread alone is there to be filtered; the one that hands on the listener must not be. */
        h->filter_flags = (h->filter_flags & ~(uint32_t) SECCOMP_FILTER_FLAG_TSYNC) | SECCOMP_FILTER_FLAG_NEW_LISTENER;
        r = make_head(p, metadata, err);
        return r < 0 ? r : make_tail(p, err);
}
