/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/log-driver.h"

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
#include "base/str.h"
#include "engine/container.h"
#include "engine/spec.h"
#include "monitor/protocol.h"

#define SYSLOG_SOCKET  "/dev/log"
#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define DEFAULT_TAG    "{{.ID}}"

enum { SYSLOG_PORT = 514, MIN_SIZE = 4096, DEFAULT_BUFFER = 1 << 20, MAX_BUFFER = 256 << 20 };

static const char *const names[] = {
        [LOG_JSON_FILE] = "json-file", [LOG_LOCAL] = "local", [LOG_SYSLOG] = "syslog", [LOG_JOURNALD] = "journald", [LOG_NONE] = "none",
};
_Static_assert(ARRAY_SIZE(names) == _LOG_DRIVER_MAX, "every driver has a name");

const char *log_driver_name(enum log_driver d) {
        return names[d];
}

json_t *log_driver_names(void) {
        json_t *all = json_array();

        for (size_t i = 0; i < _LOG_DRIVER_MAX; i++)
                json_array_append_new(all, json_string(names[i]));
        return all;
}

const char *log_driver_file(const struct spec_log *l) {
        if (l->driver == LOG_JSON_FILE)
                return "json";
        return l->driver == LOG_NONE || l->no_cache ? NULL : "local";
}

/* --- options --- */

static bool read_max_size(const char *text, struct spec_log *l) {
        return spec_parse_bytes(text, &l->max_size) == 0 && l->max_size >= MIN_SIZE;
}

static bool read_max_file(const char *text, struct spec_log *l) {
        uint64_t n;

        if (str_to_u64(text, 1, 1000, &n) < 0)
                return false;
        l->max_files = (uint32_t) n;
        return true;
}

static bool read_cache_disabled(const char *text, struct spec_log *l) {
        l->no_cache = !strcmp(text, "true");
        return l->no_cache || !strcmp(text, "false");
}

static bool read_mode(const char *text, struct spec_log *l) {
        l->drop = !strcmp(text, "non-blocking");
        return l->drop || !strcmp(text, "blocking");
}

/* Files that were rotated are kept as they are. */
static bool read_compress(const char *text, struct spec_log *l) {
        (void) l;
        return !strcmp(text, "false");
}

/* Memory of the monitor's, which no limit of the container's counts. */
static bool read_max_buffer(const char *text, struct spec_log *l) {
        return spec_parse_bytes(text, &l->max_buffer) == 0 && l->max_buffer <= MAX_BUFFER;
}

static int regex_compile(const char *text, regex_t *ret) {
        return strlen(text) > 256 || regcomp(ret, text, REG_EXTENDED | REG_NOSUB) != 0 ? -EINVAL : 0;
}

static bool read_regex(const char *text, struct spec_log *l) {
        regex_t re;

        (void) l;
        if (regex_compile(text, &re) < 0)
                return false;
        regfree(&re);
        return true;
}

static bool read_words(const char *text, struct spec_log *l) {
        (void) l;
        return strlen(text) < 4096;
}

static int find_facility(const char *text, uint32_t *ret) {
        static const char *const facilities[] = { "kern",  "user",   "mail",   "daemon", "auth",   "syslog", "lpr",    "news",   "uucp",   "cron",   "authpriv", "ftp",
                                                  "",      "",       "",       "",       "local0", "local1", "local2", "local3", "local4", "local5", "local6",   "local7" };
        uint64_t n;

        for (uint32_t i = 0; i < ARRAY_SIZE(facilities); i++)
                if (*facilities[i] && !strcmp(facilities[i], text)) {
                        *ret = i;
                        return 0;
                }
        if (str_to_u64(text, 0, ARRAY_SIZE(facilities) - 1, &n) < 0)
                return -EINVAL;
        *ret = (uint32_t) n;
        return 0;
}

static bool read_facility(const char *text, struct spec_log *l) {
        uint32_t n;

        (void) l;
        return find_facility(text, &n) == 0;
}

static int find_format(const char *text, uint32_t *ret) {
        static const char *const formats[] = {
                [MONITOR_SYSLOG_UNIX] = "", [MONITOR_SYSLOG_RFC3164] = "rfc3164", [MONITOR_SYSLOG_RFC5424] = "rfc5424", [MONITOR_SYSLOG_RFC5424_MICRO] = "rfc5424micro",
        };

        for (uint32_t i = 0; i < ARRAY_SIZE(formats); i++)
                if (!strcmp(formats[i], text)) {
                        *ret = i;
                        return 0;
                }
        return -EINVAL;
}

static bool read_format(const char *text, struct spec_log *l) {
        uint32_t n;

        (void) l;
        return find_format(text, &n) == 0;
}

/* "unix:///path", "unixgram:///path", "udp://host:port", "tcp://host:port"; the port may be left out, the host of IPv6 is in brackets. */
struct target {
        int type;
        char path[sizeof(((struct sockaddr_un *) NULL)->sun_path)];
        char host[256], port[6];
};

static int split_host(const char *text, struct target *t) {
        const char *host = text, *end, *port;
        uint64_t n = SYSLOG_PORT;

        if (*host == '[') {
                end = strchr(++host, ']');
                if (!end || (end[1] && end[1] != ':'))
                        return -EINVAL;
                port = end[1] ? end + 2 : NULL;
        } else {
                end = strchrnul(host, ':');
                port = *end ? end + 1 : NULL;
        }
        if (end == host || (size_t) (end - host) >= sizeof(t->host) || (port && str_to_u64(port, 1, 65535, &n) < 0))
                return -EINVAL;
        memcpy(t->host, host, (size_t) (end - host));
        snprintf(t->port, sizeof(t->port), "%u", (unsigned) n);
        return 0;
}

static int parse_target(const char *text, struct target *t) {
        static const struct {
                const char *scheme;
                int type;
                bool path;
        } schemes[] = { { "unixgram://", SOCK_DGRAM, true }, { "unix://", SOCK_STREAM, true }, { "udp://", SOCK_DGRAM, false }, { "tcp://", SOCK_STREAM, false } };

        *t = (struct target) { .type = SOCK_DGRAM };
        for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
                const char *rest = text + strlen(schemes[i].scheme);

                if (!str_starts_with(text, schemes[i].scheme))
                        continue;
                t->type = schemes[i].type;
                if (!schemes[i].path)
                        return split_host(rest, t);
                return *rest == '/' && strlen(rest) < sizeof(t->path) ? (strcpy(t->path, rest), 0) : -EINVAL;
        }
        return -EINVAL;
}

static bool read_address(const char *text, struct spec_log *l) {
        struct target t;

        (void) l;
        return parse_target(text, &t) == 0;
}

#define D(name) (1u << LOG_##name)
#define FILES (D(JSON_FILE) | D(LOCAL))
#define AWAY (D(SYSLOG) | D(JOURNALD))
#define ALL (FILES | AWAY | D(NONE))

static bool read_tag(const char *text, struct spec_log *l);

static const struct option {
        const char *name;
        unsigned drivers;
        bool (*read)(const char *text, struct spec_log *l);
} options[] = {
        { "max-size", FILES, read_max_size },
        { "max-file", FILES, read_max_file },
        { "compress", FILES, read_compress },
        { "mode", ALL, read_mode },
        { "max-buffer-size", ALL, read_max_buffer },
        { "cache-disabled", AWAY, read_cache_disabled },
        { "cache-max-size", AWAY, read_max_size },
        { "cache-max-file", AWAY, read_max_file },
        { "cache-compress", AWAY, read_compress },
        { "tag", AWAY | D(JSON_FILE), read_tag },
        { "labels", AWAY | D(JSON_FILE), read_words },
        { "labels-regex", AWAY | D(JSON_FILE), read_regex },
        { "env", AWAY | D(JSON_FILE), read_words },
        { "env-regex", AWAY | D(JSON_FILE), read_regex },
        { "syslog-address", D(SYSLOG), read_address },
        { "syslog-facility", D(SYSLOG), read_facility },
        { "syslog-format", D(SYSLOG), read_format },
};

int log_driver_read(const json_t *config, struct spec_log *ret, struct err *err) {
        const char *type = json_get_str(config, "Type", ""), *key;
        struct spec_log l = { .options = json_get_object(config, "Config") };
        json_t *v;

        while (*type && l.driver < _LOG_DRIVER_MAX && strcmp(names[l.driver], type) != 0)
                l.driver++;
        if (l.driver == _LOG_DRIVER_MAX)
                return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.LogConfig: logger: no log driver named '%s' is registered; json-file, local, syslog, journald and none are", type);
        json_object_foreach((json_t *) l.options, key, v) {
                const char *text = json_string_value(v);
                size_t i = 0;

                while (i < ARRAY_SIZE(options) && (strcmp(options[i].name, key) != 0 || !(options[i].drivers & 1u << l.driver)))
                        i++;
                if (i == ARRAY_SIZE(options))
                        return err_set(err, ERR_INVALID, -EINVAL, "unknown log opt '%s' for %s log driver", key, names[l.driver]);
                if (text && strlen(text) == json_string_length(v) && options[i].read(text, &l))
                        continue;
                if (strstr(key, "compress"))
                        return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "HostConfig.LogConfig: %s: \"false\" only, rotated files are kept as they are", key);
                return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.LogConfig: invalid %s: \"%s\"", key, text ? text : "");
        }
        /* Of syslog and journald; a file is written at once in both modes (docs/internals/engine-callers.md). */
        if (json_object_get(l.options, "max-buffer-size") && strcmp(json_get_str(l.options, "mode", ""), "non-blocking") != 0)
                return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.LogConfig: logger: max-buffer-size option is only supported with 'mode=non-blocking'");
        *ret = l;
        return 0;
}

/* --- the tag --- */

struct tag_word {
        const char *word, *value;
};

/* Docker's words between double braces; anything else stands for itself. −EINVAL: an unknown word, or a character that a log's line cannot have there. */
static int expand_tag(const char *template, const struct tag_word *words, size_t n_words, char *ret, size_t size) {
        size_t used = 0;

        for (const char *at = template; *at;) {
                const char *end = str_starts_with(at, "{{") ? strstr(at, "}}") : NULL, *value = NULL;
                size_t length = 1;

                if (end) {
                        const char *word = at + 2 + strspn(at + 2, " ");

                        length = strcspn(word, " }");
                        for (size_t i = 0; i < n_words && !value; i++)
                                if (strlen(words[i].word) == length && !memcmp(words[i].word, word, length))
                                        value = words[i].value;
                        if (!value)
                                return -EINVAL;
                        length = strlen(value);
                        at = end + 2;
                } else {
                        value = at++;
                }
                for (size_t i = 0; i < length; i++)
                        if (!isgraph((unsigned char) value[i]) && value[i] != ' ')
                                return -EINVAL;
                if (used + length >= size)
                        length = size - 1 - used;
                memcpy(ret + used, value, length);
                used += length;
        }
        ret[used] = '\0';
        return 0;
}

static const struct tag_word known_words[] = {
        { ".ID", "" }, { ".FullID", "" }, { ".Name", "" }, { ".ImageID", "" }, { ".ImageFullID", "" }, { ".ImageName", "" }, { ".DaemonName", "" },
};

static bool read_tag(const char *text, struct spec_log *l) {
        char ignored[256];

        (void) l;
        return expand_tag(text, known_words, ARRAY_SIZE(known_words), ignored, sizeof(ignored)) == 0;
}

static const char *option(const struct spec_log *l, const char *name) {
        return json_get_str(l->options, name, NULL);
}

static void make_tag(const struct spec_log *l, const struct container_row *row, char *ret, size_t size) {
        const char *template = option(l, "tag"), *image = strchr(row->image_id, ':') ? strchr(row->image_id, ':') + 1 : row->image_id;
        char id[13], image_id[13];
        const struct tag_word words[] = {
                { ".ID", id }, { ".FullID", row->id }, { ".Name", row->name }, { ".ImageID", image_id }, { ".ImageFullID", row->image_id }, { ".ImageName", row->image_name }, { ".DaemonName", "kist" },
        };

        snprintf(id, sizeof(id), "%.12s", row->id);
        snprintf(image_id, sizeof(image_id), "%.12s", image);
        if (expand_tag(template && *template ? template : DEFAULT_TAG, words, ARRAY_SIZE(words), ret, size) < 0)
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
        if (!copy || regex_compile(pattern, &re) < 0)
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
        struct target t;
        int r;

        if (!text || !*text)
                return put_path(m, SOCK_DGRAM, SYSLOG_SOCKET);
        if (parse_target(text, &t) < 0)
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
                find_facility(option(l, "syslog-facility"), &m->facility);
        if (option(l, "syslog-format"))
                find_format(option(l, "syslog-format"), &m->syslog);
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
