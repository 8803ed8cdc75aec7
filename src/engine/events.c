/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/events.h"

#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/timestamp.h"
#include "engine/filters.h"
#include "engine/internal.h"

struct listener {
        struct listener *next;
        int wake; /* eventfd */
        uint64_t at;
};

struct events {
        pthread_mutex_t lock;
        char *ring[EVENTS_KEPT];
        int64_t times[EVENTS_KEPT];
        uint64_t n; /* ever published; event i is in ring[i % EVENTS_KEPT] */
        struct listener *listeners;
};

int events_new(struct events **ret, struct err *err) {
        struct events *v = calloc(1, sizeof(*v));

        if (!v)
                return err_errno(err, -ENOMEM, "events");
        pthread_mutex_init(&v->lock, NULL);
        *ret = v;
        return 0;
}

void events_free(struct events *v) {
        if (!v)
                return;
        for (size_t i = 0; i < EVENTS_KEPT; i++)
                free(v->ring[i]);
        pthread_mutex_destroy(&v->lock);
        free(v);
}

void events_publish(struct events *v, const char *type, const char *action, const char *id, json_t *attributes) {
        int64_t now = time_now_ns();
        auto_json *event = NULL;
        auto_free char *text = NULL;
        const char *from;

        if (!attributes)
                attributes = json_object();
        from = json_get_str(attributes, "image", NULL);
        event = json_pack("{s:s, s:s, s:{s:s, s:o}, s:s, s:I, s:I}", "Type", type, "Action", action, "Actor", "ID", id, "Attributes", attributes,
                          "scope", "local", "time", (json_int_t) (now / 1000000000), "timeNano", (json_int_t) now);
        if (!event)
                return;
        /* The three that clients before API 1.22 read. */
        if (!strcmp(type, "container") || !strcmp(type, "image")) {
                json_object_set_new(event, "status", json_string(action));
                json_object_set_new(event, "id", json_string(id));
                if (from)
                        json_object_set_new(event, "from", json_string(from));
        }
        text = json_text(event);
        if (!text)
                return;
        pthread_mutex_lock(&v->lock);
        free(v->ring[v->n % EVENTS_KEPT]);
        v->ring[v->n % EVENTS_KEPT] = take_ptr(&text);
        v->times[v->n % EVENTS_KEPT] = now;
        v->n++;
        for (struct listener *l = v->listeners; l; l = l->next)
                eventfd_write(l->wake, 1);
        pthread_mutex_unlock(&v->lock);
}

void events_count(struct events *v, uint64_t *ret_published, unsigned *ret_listeners) {
        *ret_listeners = 0;
        pthread_mutex_lock(&v->lock);
        *ret_published = v->n;
        for (const struct listener *l = v->listeners; l; l = l->next)
                ++*ret_listeners;
        pthread_mutex_unlock(&v->lock);
}

void events_container(struct container *c, const char *action, json_t *extra) {
        struct container_row row;
        json_t *attributes = NULL;

        container_peek(c, &row);
        if (row.labels)
                attributes = json_loads(row.labels, 0, NULL);
        if (!attributes)
                attributes = json_object();
        if (extra) {
                json_object_update(attributes, extra);
                json_decref(extra);
        }
        json_object_set_new(attributes, "image", json_string(row.image_name));
        json_object_set_new(attributes, "name", json_string(row.name));
        events_publish(c->engine->events, "container", action, row.id, attributes);
}

static const char *const kinds_of_swarm[] = { "config", "node", "plugin", "secret", "service" };

/* "network=a": of that kind, and of that name or id. Kinds that there are none of fit nothing. */
static bool matches_object(const json_t *filters, const char *kind, const char *type, const char *id, const char *name) {
        return !filter_has(filters, kind) || (!strcmp(type, kind) && (filter_prefix(filters, kind, id) || filter_text(filters, kind, name)));
}

/* By the whole name, or without its tag. */
static bool fits_image(const json_t *filters, const char *name) {
        const char *slash = strrchr(name, '/'), *colon = strrchr(slash ? slash : name, ':');
        auto_free char *bare = colon ? strndup(name, (size_t) (colon - name)) : NULL;

        return filter_text(filters, "image", name) || (bare && filter_text(filters, "image", bare));
}

static bool matches(const json_t *event, const json_t *filters) {
        const json_t *actor = json_object_get(event, "Actor"), *attributes = json_object_get(actor, "Attributes");
        const char *type = json_get_str(event, "Type", ""), *action = json_get_str(event, "Action", "");
        const char *id = json_get_str(actor, "ID", ""), *name = json_get_str(attributes, "name", "");
        size_t plain = strcspn(action, ":"); /* "exec_create: sh" is found by "exec_create" */
        auto_free char *short_action = strndup(action, plain);

        if (!filter_text(filters, "type", type) || !filter_labels(filters, "label", attributes))
                return false;
        if (!filter_text(filters, "event", action) && !filter_text(filters, "event", short_action ? short_action : action))
                return false;
        if (filter_has(filters, "container") &&
            (strcmp(type, "container") != 0 || (!filter_prefix(filters, "container", id) && !filter_text(filters, "container", name))))
                return false;
        if (!matches_object(filters, "network", type, id, name) || !matches_object(filters, "volume", type, id, name) ||
            !matches_object(filters, "daemon", type, id, name))
                return false;
        if (filter_has(filters, "image") && !fits_image(filters, id) && !fits_image(filters, json_get_str(attributes, !strcmp(type, "image") ? "name" : "image", "")))
                return false;
        for (size_t i = 0; i < ARRAY_SIZE(kinds_of_swarm); i++)
                if (filter_has(filters, kinds_of_swarm[i]))
                        return false;
        return filter_text(filters, "scope", "local");
}

/* The text of the next event for `l`, or NULL when it has seen them all. Who is too slow misses the oldest. */
static char *take_next(struct events *v, struct listener *l, int64_t *ret_time) {
        char *text = NULL;

        pthread_mutex_lock(&v->lock);
        if (v->n > EVENTS_KEPT && l->at < v->n - EVENTS_KEPT)
                l->at = v->n - EVENTS_KEPT;
        while (!text && l->at < v->n) {
                const char *kept = v->ring[l->at % EVENTS_KEPT];

                *ret_time = v->times[l->at % EVENTS_KEPT];
                l->at++;
                text = kept ? strdup(kept) : NULL;
        }
        pthread_mutex_unlock(&v->lock);
        return text;
}

static int deliver(struct events *v, struct listener *l, int64_t since_ns, int64_t until_ns, const json_t *filters,
                   int (*fn)(json_t *event, void *data), void *data) {
        char *next;
        int64_t when = 0;

        while ((next = take_next(v, l, &when))) {
                auto_free char *text = next;
                auto_json *event = NULL;
                int r;

                if (when < since_ns)
                        continue;
                if (until_ns && when > until_ns)
                        return 1;
                event = json_loads(text, 0, NULL);
                if (!event || !matches(event, filters))
                        continue;
                r = fn(event, data);
                if (r < 0)
                        return r;
        }
        return 0;
}

static void listen_begin(struct events *v, struct listener *l, bool from_start) {
        pthread_mutex_lock(&v->lock);
        l->at = from_start ? 0 : v->n;
        l->next = v->listeners;
        v->listeners = l;
        pthread_mutex_unlock(&v->lock);
}

static void listen_end(struct events *v, struct listener *l) {
        struct listener **at;

        pthread_mutex_lock(&v->lock);
        for (at = &v->listeners; *at != l; at = &(*at)->next)
                ;
        *at = l->next;
        pthread_mutex_unlock(&v->lock);
        fd_close(l->wake);
}

int engine_events(struct engine *e, int64_t since_ns, int64_t until_ns, const json_t *filters, int cancel_fd,
                  int (*event)(json_t *event, void *data), void *data, struct err *err) {
        struct listener l = { .wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
        static const char *const known[] = { "config", "container", "daemon", "event",  "image",   "label", "network", "node",
                                             "plugin", "scope",     "secret", "service", "type", "volume",  NULL };
        struct pollfd fds[2];
        int r;

        if (l.wake < 0)
                return err_errno(err, -errno, "events");
        r = filters_check(filters, known, err);
        if (r < 0) {
                fd_close(l.wake);
                return r;
        }
        listen_begin(e->events, &l, since_ns > 0);
        for (;;) {
                int64_t left = until_ns ? (until_ns - time_now_ns()) / 1000000 + 1 : -1;
                eventfd_t ignored;

                r = deliver(e->events, &l, since_ns, until_ns, filters, event, data);
                if (r != 0 || (until_ns && time_now_ns() >= until_ns))
                        break;
                fds[0] = (struct pollfd) { .fd = l.wake, .events = POLLIN };
                fds[1] = (struct pollfd) { .fd = cancel_fd, .events = POLLIN };
                if (poll(fds, 2, left > INT32_MAX ? INT32_MAX : (int) left) < 0 && errno != EINTR) {
                        r = -errno;
                        break;
                }
                if (fds[1].revents) {
                        r = -ECANCELED;
                        break;
                }
                eventfd_read(l.wake, &ignored);
        }
        listen_end(e->events, &l);
        if (r < 0)
                return err_set(err, ERR_INTERNAL, r, "the stream of events ended");
        return 0;
}
