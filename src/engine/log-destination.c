/* SPDX-License-Identifier: Apache-2.0 */
/* What the monitor is told of a container's log: what its lines say of the container, and where they go. */
#include <ctype.h>
#include <netdb.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "engine/container.h"
#include "engine/log-words.h"
#include "engine/spec.h"
#include "monitor/protocol.h"

#define SYSLOG_SOCKET  "/dev/log"
#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define DEFAULT_TAG    "{{.ID}}"

enum { DEFAULT_BUFFER = 1 << 20 };

static const char *option(const struct spec_log *l, const char *name) {
        return json_get_str(l->options, name, NULL);
}

static void make_tag(const struct spec_log *l, const struct container_row *row, char *ret, size_t size) {
        const char *template = option(l, "tag"), *image = strchr(row->image_id, ':') ? strchr(row->image_id, ':') + 1 : row->image_id;
        char id[13], image_id[13];
        const struct log_tag_word words[] = {
                { ".ID", id }, { ".FullID", row->id }, { ".Name", row->name }, { ".ImageID", image_id }, { ".ImageFullID", row->image_id }, { ".ImageName", row->image_name }, { ".DaemonName", "kist" },
        };

        snprintf(id, sizeof(id), "%.12s", row->id);
        snprintf(image_id, sizeof(image_id), "%.12s", image);
        if (log_expand_tag(template && *template ? template : DEFAULT_TAG, words, ARRAY_SIZE(words), ret, size) < 0)
                snprintf(ret, size, "%s", id);
}

/* --- what is said of the container --- */

static bool is_listed(const char *list, const char *word, size_t length) {
        while (list && *list) {
                size_t n = strcspn(list, ",");

                if (n == length && !memcmp(list, word, n))
                        return true;
                list += n + (list[n] == ',');
        }
        return false;
}

/* Does the option `list` name it, or the option `regex` match it? */
static bool is_chosen(const struct spec_log *l, const char *list, const char *regex, const char *word, size_t length) {
        const char *pattern = option(l, regex);
        auto_free char *copy = NULL;
        regex_t re;
        bool found;

        if (is_listed(option(l, list), word, length))
                return true;
        copy = pattern && *pattern ? strndup(word, length) : NULL;
        if (!copy || log_regex_compile(pattern, &re) < 0)
                return false;
        found = regexec(&re, copy, 0, NULL, 0) == 0;
        regfree(&re);
        return found;
}

/* Labels and variables that the options ask for: {"name": "value"}. */
static json_t *chosen_attributes(const struct spec *s, const struct spec_log *l) {
        json_t *all = json_object(), *v;
        const char *key;
        size_t i;

        json_object_foreach((json_t *) s->labels, key, v)
                if (is_chosen(l, "labels", "labels-regex", key, strlen(key)))
                        json_object_set(all, key, v);
        json_array_foreach((json_t *) s->env, i, v) {
                const char *text = json_string_value(v), *equals = text ? strchr(text, '=') : NULL;

                if (equals && is_chosen(l, "env", "env-regex", text, (size_t) (equals - text)))
                        json_object_set_new(all, strndupa(text, (size_t) (equals - text)), json_string(equals + 1));
        }
        return all;
}

/* `,"attrs":{…}` for json-file. */
static int put_attributes(const struct spec *s, const struct container_row *row, const struct spec_log *l, struct monitor_log *m, struct err *err) {
        auto_json *all = chosen_attributes(s, l);
        auto_free char *text = NULL;
        char tag[sizeof(m->tag)];
        int n;

        if (option(l, "tag") && *option(l, "tag")) {
                make_tag(l, row, tag, sizeof(tag));
                json_object_set_new(all, "tag", json_string(tag));
        }
        if (json_object_size(all) == 0)
                return 0;
        text = json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS);
        n = text ? snprintf(m->text, sizeof(m->text), ",\"attrs\":%s", text) : -1;
        if (n < 0 || (size_t) n >= sizeof(m->text))
                return err_set(err, ERR_INVALID, -E2BIG, "HostConfig.LogConfig: labels and variables of more than %zu bytes", sizeof(m->text));
        m->text_size = (uint32_t) n;
        return 0;
}

/* Field names of the journal: capitals, digits and underscores, no underscore or digit first. Values that have line ends are left out. */
static void put_field(struct monitor_log *m, const char *name, const char *value) {
        size_t name_size = strlen(name), size = strlen(value), at = m->text_size;

        if (strchr(value, '\n') || at + name_size + size + 2 >= sizeof(m->text))
                return;
        while (*name && !isalpha((unsigned char) *name))
                name++;
        if (!*name)
                return;
        for (; *name; name++)
                m->text[at++] = isalnum((unsigned char) *name) ? (char) toupper((unsigned char) *name) : '_';
        m->text[at++] = '=';
        memcpy(m->text + at, value, size);
        at += size;
        m->text[at++] = '\n';
        m->text_size = (uint32_t) at;
}

static void put_journal_fields(const struct spec *s, const struct container_row *row, const struct spec_log *l, struct monitor_log *m) {
        auto_json *all = chosen_attributes(s, l);
        char id[13];
        const char *key;
        json_t *v;

        snprintf(id, sizeof(id), "%.12s", row->id);
        put_field(m, "CONTAINER_ID", id);
        put_field(m, "CONTAINER_ID_FULL", row->id);
        put_field(m, "CONTAINER_NAME", row->name);
        put_field(m, "CONTAINER_TAG", m->tag);
        put_field(m, "IMAGE_NAME", row->image_name);
        put_field(m, "SYSLOG_IDENTIFIER", m->tag);
        json_object_foreach(all, key, v)
                put_field(m, key, json_string_value(v));
}

/* --- where it goes --- */

static int put_path(struct monitor_log *m, int type, const char *path) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };

        snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
        memcpy(m->address, &a, sizeof(a));
        m->address_size = sizeof(a);
        m->socket_type = type;
        return 0;
}

static int put_target(const struct spec_log *l, struct monitor_log *m, struct err *err) {
        const char *text = option(l, "syslog-address");
        struct addrinfo hints = {}, *found = NULL;
        struct log_target t;
        int r;

        if (!text || !*text)
                return put_path(m, SOCK_DGRAM, SYSLOG_SOCKET);
        if (log_parse_target(text, &t) < 0)
                return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.LogConfig: invalid syslog-address: \"%s\"", text);
        if (*t.path)
                return put_path(m, t.type, t.path);
        hints.ai_socktype = t.type;
        r = getaddrinfo(t.host, t.port, &hints, &found);
        if (r != 0)
                return err_set(err, ERR_UNAVAILABLE, -EHOSTUNREACH, "failed to initialize logging driver: %s: %s", text, gai_strerror(r));
        memcpy(m->address, found->ai_addr, found->ai_addrlen);
        m->address_size = found->ai_addrlen;
        m->socket_type = t.type;
        freeaddrinfo(found);
        return 0;
}

static int fill(const struct spec *s, const struct container_row *row, struct monitor_log *m, struct err *err) {
        const struct spec_log *l = &s->log;
        time_t now = time(NULL);
        struct tm local;

        if (l->driver == LOG_JSON_FILE)
                return put_attributes(s, row, l, m, err);
        m->wait = !l->drop;
        m->buffer_size = l->max_buffer ? l->max_buffer : DEFAULT_BUFFER;
        m->daemon_pid = getpid();
        make_tag(l, row, m->tag, sizeof(m->tag));
        if (l->driver == LOG_JOURNALD) {
                m->forward = MONITOR_FORWARD_JOURNALD;
                put_journal_fields(s, row, l, m);
                return put_path(m, SOCK_DGRAM, JOURNAL_SOCKET);
        }
        m->forward = MONITOR_FORWARD_SYSLOG;
        m->facility = 3;
        if (option(l, "syslog-facility"))
                log_find_facility(option(l, "syslog-facility"), &m->facility);
        if (option(l, "syslog-format"))
                log_find_format(option(l, "syslog-format"), &m->syslog);
        if (gethostname(m->host, sizeof(m->host) - 1) < 0 || !*m->host)
                snprintf(m->host, sizeof(m->host), "-");
        if (localtime_r(&now, &local))
                m->utc_offset_s = (int32_t) local.tm_gmtoff;
        return put_target(l, m, err);
}

int log_driver_prepare(const struct spec *s, const struct container_row *row, int *ret, struct err *err) {
        auto_free struct monitor_log *m = NULL;
        auto_fd fd = -EBADF;
        int r;

        *ret = -EBADF;
        if (s->log.driver == LOG_NONE || s->log.driver == LOG_LOCAL || (s->log.driver == LOG_JSON_FILE && json_object_size(s->log.options) == 0))
                return 0;
        m = calloc(1, sizeof(*m));
        if (!m)
                return err_errno(err, -ENOMEM, "log of container %.12s", row->id);
        r = fill(s, row, m, err);
        if (r < 0 || (m->forward == MONITOR_FORWARD_NONE && m->text_size == 0))
                return r;
        fd = memfd_create("kist-log", MFD_CLOEXEC);
        if (fd < 0 || fd_write_all(fd, m, sizeof(*m)) < 0)
                return err_errno(err, -errno, "log of container %.12s", row->id);
        *ret = move_fd(fd);
        return 0;
}
