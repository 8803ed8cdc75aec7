/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/files.h"

#include <fcntl.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/config.h"
#include "engine/container.h"
#include "engine/names.h"
#include "engine/spec.h"

enum { HOST_FILE_MAX = 256 << 10 };

static bool is_loopback_server(const char *line) {
        line += strlen("nameserver");
        line += strspn(line, " \t");
        return str_starts_with(line, "127.") || !strcmp(line, "::1") || str_starts_with(line, "::1%");
}

/* One "keyword value value" line from a list. */
static void add_list(struct strbuf *b, const char *keyword, const json_t *list) {
        json_t *v;
        size_t i;

        if (!json_array_size(list))
                return;
        strbuf_adds(b, keyword);
        json_array_foreach((json_t *) list, i, v)
                strbuf_addf(b, " %s", json_string_value(v));
        strbuf_adds(b, "\n");
}

char *files_resolv_conf(const struct spec *s, const char *host_text, bool keep_loopback) {
        static const char *const keywords[] = { "nameserver", "search", "domain", "options" };
        auto_free char *copy = strdup(host_text);
        char *save = NULL;
        auto_strbuf b;
        json_t *v;
        size_t i;

        strbuf_init(&b, HOST_FILE_MAX);
        json_array_foreach(s->dns, i, v)
                strbuf_addf(&b, "nameserver %s\n", json_string_value(v));
        for (char *line = copy ? strtok_r(copy, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
                const char *keyword = NULL;

                for (size_t k = 0; k < ARRAY_SIZE(keywords); k++) {
                        size_t n = strlen(keywords[k]);

                        if (!strncmp(line, keywords[k], n) && (line[n] == ' ' || line[n] == '\t'))
                                keyword = keywords[k];
                }
                if (!keyword)
                        continue;
                if (!strcmp(keyword, "nameserver") && (json_array_size(s->dns) || (!keep_loopback && is_loopback_server(line))))
                        continue;
                if ((!strcmp(keyword, "search") || !strcmp(keyword, "domain")) && json_array_size(s->dns_search))
                        continue;
                if (!strcmp(keyword, "options") && json_array_size(s->dns_options))
                        continue;
                strbuf_addf(&b, "%s\n", line);
        }
        /* "." alone says: search nothing. */
        if (!(json_array_size(s->dns_search) == 1 && !strcmp(json_string_value(json_array_get(s->dns_search, 0)), ".")))
                add_list(&b, "search", s->dns_search);
        add_list(&b, "options", s->dns_options);
        return strbuf_take(&b, NULL);
}

static char *read_host(const char *path) {
        char *text = NULL;
        size_t size;

        return file_read_at(AT_FDCWD, path, HOST_FILE_MAX, &text, &size) == 0 ? text : NULL;
}

/* Is there a word of this kind among the options: "ndots" for "ndots:2"? */
static bool has_option(const char *text, const char *keyword) {
        const char *line = text;

        while (line && strncmp(line, "options", 7) != 0)
                line = (line = strchr(line, '\n')) ? line + 1 : NULL;
        return line && strcspn(line, "\n") > (strstr(line, keyword) ? (size_t) (strstr(line, keyword) - line) : SIZE_MAX);
}

/* The gateways in place of all servers: those of --dns are asked by them. "ndots:0": a name without a dot is asked for as it is. */
static char *with_gateways(const char *text, const struct names_resolvers *r) {
        auto_free char *copy = strdup(text);
        bool add = !has_option(text, "ndots:"), had_options = false;
        char *save = NULL;
        auto_strbuf b;

        strbuf_init(&b, HOST_FILE_MAX);
        for (size_t i = 0; i < r->n; i++)
                strbuf_addf(&b, "nameserver %s\n", r->v[i]);
        for (char *line = copy ? strtok_r(copy, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
                bool options = str_starts_with(line, "options");

                if (!str_starts_with(line, "nameserver"))
                        strbuf_addf(&b, "%s%s\n", line, options && add && !had_options ? " ndots:0" : "");
                had_options |= options;
        }
        if (add && !had_options)
                strbuf_adds(&b, "options ndots:0\n");
        return strbuf_take(&b, NULL);
}

char *files_resolv_conf_of(const struct spec *s, const struct names_resolvers *resolvers) {
        bool keep_loopback = s->network == SPEC_NETWORK_HOST;
        auto_free char *host = read_host("/etc/resolv.conf");
        char *text = files_resolv_conf(s, host ? host : "", keep_loopback);

        /* A stub on the loopback is all there is: systemd-resolved keeps the real servers here. */
        if (text && !keep_loopback && host && !strstr(text, "nameserver ")) {
                auto_free char *real = read_host("/run/systemd/resolve/resolv.conf");

                if (real) {
                        free(text);
                        text = files_resolv_conf(s, real, false);
                }
        }
        if (text && resolvers->n) {
                auto_free char *own = text;

                text = with_gateways(own, resolvers);
        }
        return text;
}

/* One for each address that it has. */
static void add_own_lines(struct strbuf *b, const struct spec *s, const struct container_row *row) {
        char hostname[64];

        config_hostname(s, row->id, hostname);
        for (size_t n = 0; n < row->n_endpoints; n++) {
                const char *const addresses[] = { row->endpoints[n].address, row->endpoints[n].address6 };

                for (size_t k = 0; k < ARRAY_SIZE(addresses); k++) {
                        if (!*addresses[k])
                                continue;
                        if (*s->domainname)
                                strbuf_addf(b, "%s\t%s.%s %s\n", addresses[k], hostname, s->domainname, hostname);
                        else
                                strbuf_addf(b, "%s\t%s\n", addresses[k], hostname);
                }
        }
}

static bool has_line(const char *text, const char *line, size_t n) {
        for (const char *at = text; at && *at; at = strchr(at, '\n'), at += at != NULL)
                if (strcspn(at, "\n") == n && !memcmp(at, line, n))
                        return true;
        return false;
}

/* A line that --add-host asked for may look like one of ours, and stays. */
static bool is_asked_for(const struct spec *s, const char *line, size_t n) {
        json_t *v;
        size_t i;

        json_array_foreach(s->extra_hosts, i, v) {
                const char *text = json_string_value(v), *colon = strpbrk(text, ":=");
                auto_free char *wanted = str_format("%s\t%.*s", colon + 1, (int) (colon - text), text);

                if (wanted && strlen(wanted) == n && !memcmp(wanted, line, n))
                        return true;
        }
        return false;
}

char *files_hosts_follow(const struct spec *s, const struct container_row *before, const struct container_row *now, const char *text) {
        auto_strbuf old, own, b;

        strbuf_init(&old, HOST_FILE_MAX);
        strbuf_init(&own, HOST_FILE_MAX);
        strbuf_init(&b, FILES_HOSTS_MAX + HOST_FILE_MAX);
        add_own_lines(&old, s, before);
        add_own_lines(&own, s, now);
        if (strbuf_error(&old) || strbuf_error(&own))
                return NULL;
        for (const char *at = text; *at;) {
                size_t n = strcspn(at, "\n");

                if (!has_line(old.data, at, n) || has_line(own.data, at, n) || is_asked_for(s, at, n)) {
                        strbuf_add(&b, at, n);
                        strbuf_adds(&b, "\n");
                }
                at += n + (at[n] == '\n');
        }
        for (const char *at = own.data; at && *at; at += strcspn(at, "\n") + 1)
                if (!has_line(text, at, strcspn(at, "\n")))
                        strbuf_add(&b, at, strcspn(at, "\n") + 1);
        return strbuf_take(&b, NULL);
}

static char *hosts(const struct spec *s, const struct container_row *row, const char *gateway) {
        static const char common[] = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\nff00::\tip6-mcastprefix\n"
                                     "ff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n";
        auto_free char *host = s->network == SPEC_NETWORK_HOST ? read_host("/etc/hosts") : NULL;
        auto_strbuf b;
        json_t *v;
        size_t i;

        strbuf_init(&b, HOST_FILE_MAX * 2);
        strbuf_adds(&b, host ? host : common);
        if (host && *host && host[strlen(host) - 1] != '\n')
                strbuf_adds(&b, "\n");
        json_array_foreach(s->extra_hosts, i, v) {
                const char *text = json_string_value(v), *colon = strpbrk(text, ":=");
                const char *address = strcmp(colon + 1, "host-gateway") != 0 ? colon + 1 : gateway;

                if (*address)
                        strbuf_addf(&b, "%s\t%.*s\n", address, (int) (colon - text), text);
        }
        json_array_foreach(s->link_hosts, i, v)
                strbuf_addf(&b, "%s\n", json_string_value(v));
        add_own_lines(&b, s, row);
        return strbuf_take(&b, NULL);
}

int files_write(int dir_fd, const struct spec *s, const struct container_row *row, const char *gateway, const struct names_resolvers *resolvers, struct err *err) {
        char name[66];
        auto_free char *hosts_text = hosts(s, row, gateway), *resolv_text = files_resolv_conf_of(s, resolvers);
        const struct {
                const char *name, *text;
        } files[] = { { "hosts", hosts_text }, { "resolv.conf", resolv_text }, { "hostname", name } };

        config_hostname(s, row->id, name);
        strcat(name, "\n");
        for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
                int r = files[i].text ? file_write_atomic_at(dir_fd, files[i].name, files[i].text, strlen(files[i].text), 0644, false) : -ENOMEM;

                if (r < 0)
                        return err_errno(err, r, "file %s of container %.12s", files[i].name, row->id);
        }
        return 0;
}
