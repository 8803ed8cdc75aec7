/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/err.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/colour.h"
#include "cli/table.h"
#include "cli/terminal.h"

enum { LAYERS_MAX = 512, BAR = 30 };

struct layer {
        char id[80];
        char status[64];
        int64_t current, total;
};

struct progress {
        FILE *out;
        bool obeys, coloured;
        struct layer layers[LAYERS_MAX];
        size_t n;
        size_t drawn; /* lines of the terminal that are ours to rewrite */
        char message[496];
};

static struct progress *progress_new(FILE *out) {
        struct progress *p = calloc(1, sizeof(*p));

        if (!p)
                abort();
        p->out = out;
        p->obeys = out && terminal_obeys(out);
        p->coloured = out && colour_on(out);
        return p;
}

static void progress_free(struct progress *p) {
        free(p);
}

static int columns(const struct progress *p) {
        struct winsize size;

        return ioctl(fileno(p->out), TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

static void draw_layer(struct progress *p, const struct layer *l) {
        char line[256], bar[BAR + 3], current[32], total[32];
        int width = columns(p) - 1;

        if (l->total > 0) {
                double share = (double) l->current / (double) l->total;
                int filled = (int) ((share < 0 ? 0 : share > 1 ? 1 : share) * BAR), n;

                memset(bar, ' ', sizeof(bar));
                memset(bar, '=', (size_t) filled);
                if (filled < BAR)
                        bar[filled] = '>';
                bar[BAR] = '\0';
                human_size((uint64_t) l->current, current);
                human_size((uint64_t) l->total, total);
                n = snprintf(line, sizeof(line), "%s: %-14s [%s] %s/%s", l->id, l->status, bar, current, total);
                /* What must be cut to the terminal's width stays plain. */
                if (p->coloured && n <= width) {
                        fprintf(p->out, "\r\033[K%s: %-14s [%s%.*s%s%s] %s/%s\n", l->id, l->status, colour(true, COLOUR_GOOD), filled, bar, colour(true, COLOUR_END),
                                bar + filled, current, total);
                        return;
                }
        } else {
                snprintf(line, sizeof(line), "%s: %s", l->id, l->status);
        }
        fprintf(p->out, "\r\033[K%.*s\n", width, line);
}

/* Rewrite all layers' lines: few enough that moving between them is not worth it. */
static void draw(struct progress *p) {
        if (p->drawn)
                fprintf(p->out, "\033[%zuA", p->drawn);
        for (size_t i = 0; i < p->n; i++)
                draw_layer(p, &p->layers[i]);
        p->drawn = p->n;
        fflush(p->out);
}

static struct layer *find(struct progress *p, const char *id) {
        char name[sizeof(p->layers->id)];

        snprintf(name, sizeof(name), "%s", id);
        str_make_plain(name, strlen(name), "");
        for (size_t i = 0; i < p->n; i++)
                if (strcmp(p->layers[i].id, name) == 0)
                        return &p->layers[i];
        if (p->n == LAYERS_MAX)
                return NULL;
        memcpy(p->layers[p->n].id, name, sizeof(name));
        return &p->layers[p->n++];
}

static void plain(struct progress *p, const char *id, const char *status) {
        terminal_put(p->out, id ? id : "", "");
        fputs(id ? ": " : "", p->out);
        terminal_put(p->out, status, "");
        fputc('\n', p->out);
        fflush(p->out);
}

static int on_object(json_t *object, void *data) {
        struct progress *p = data;
        const char *id = json_get_str(object, "id", NULL), *status = json_get_str(object, "status", NULL);
        const char *text = json_get_str(object, "stream", NULL), *error = json_get_str(object, "error", NULL);
        json_t *detail = json_get_object(object, "progressDetail");
        struct layer *l;

        if (error) {
                snprintf(p->message, sizeof(p->message), "%s", error);
                return -EIO;
        }
        if (!p->out)
                return 0;
        if (text)
                terminal_put(p->out, text, "\n\t");
        if (json_get_bool(json_get_object(object, "aux"), "manifestPushedInsteadOfIndex", false)) {
                p->drawn = 0;
                p->n = 0;
                plain(p, NULL, "Note: the other platforms of this image are not on this host; only the manifest of this one was pushed");
        }
        if (!status)
                return 0;
        /* "Pulling from x" carries the tag as its id: no layer. */
        if (!id || !detail) {
                p->drawn = 0;
                p->n = 0;
                plain(p, id, status);
                return 0;
        }
        l = find(p, id);
        if (!l)
                return 0;
        l->current = json_get_int(detail, "current", 0);
        l->total = json_get_int(detail, "total", 0);
        if (p->obeys) {
                snprintf(l->status, sizeof(l->status), "%s", status);
                str_make_plain(l->status, strlen(l->status), "");
                draw(p);
        } else if (strcmp(l->status, status) != 0) {
                snprintf(l->status, sizeof(l->status), "%s", status);
                if (l->total == 0)
                        plain(p, id, status);
        }
        return 0;
}

int progress_show(FILE *out, struct http *h, struct err *err) {
        struct progress *p = progress_new(out);
        int r = client_stream(h, on_object, p, err);

        if (p->out)
                fflush(p->out);
        if (p->message[0])
                r = err_set(err, ERR_INTERNAL, -EIO, "%s", p->message);
        progress_free(p);
        return r;
}
