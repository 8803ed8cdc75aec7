/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/items.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"

void items_init(struct items *s, item_fn item, void *data, const char *what) {
        *s = (struct items) { .item = item, .data = data, .what = what };
        strbuf_init(&s->text, ITEM_MAX);
}

void items_done(struct items *s) {
        strbuf_done(&s->text);
}

static bool is_blank(const char *text, size_t size) {
        for (size_t i = 0; i < size; i++)
                if (!strchr(" \t\r\n", text[i]) || !text[i])
                        return false;
        return true;
}

static int check_size(const struct items *s, struct err *err) {
        return strbuf_error(&s->text) < 0 ? err_set(err, ERR_TOO_LARGE, -E2BIG, "%s has a member of more than %d bytes", s->what, ITEM_MAX) : 0;
}

/* s->text is a whole member; or, before a ']', what stands there instead of one in an empty list. */
static int take(struct items *s, bool last, struct err *err) {
        auto_json *value = NULL;
        int r;

        r = check_size(s, err);
        if (r < 0)
                return r;
        if (last && !s->any && is_blank(s->text.data, s->text.size))
                return 0;
        s->any = true;
        r = json_parse(s->text.data ? s->text.data : "", s->text.size, ITEM_MAX, s->what, &value, err);
        s->text.size = 0;
        return r < 0 ? r : s->item(value, s->data, err);
}

/* How many bytes from `data` on belong to the member that is open, and whether it ends there. */
static size_t measure(struct items *s, const char *data, size_t size, bool *ret_ends) {
        size_t i;

        *ret_ends = false;
        for (i = 0; i < size; i++) {
                char c = data[i];

                if (s->in_text) {
                        if (s->escaped)
                                s->escaped = false;
                        else if (c == '\\')
                                s->escaped = true;
                        else if (c == '"')
                                s->in_text = false;
                        continue;
                }
                switch (c) {
                case '"':
                        s->in_text = true;
                        break;
                case '{':
                case '[':
                        s->depth++;
                        break;
                case '}':
                case ']':
                case ',':
                        if (s->depth == 0) {
                                *ret_ends = true;
                                return i;
                        }
                        s->depth -= c != ',';
                        break;
                default:
                        break;
                }
        }
        return i;
}

/* Before the '['. Something else is kept, for items_end() to look at. */
static size_t begin(struct items *s, const char *data, size_t size) {
        size_t blanks = 0;

        while (blanks < size && is_blank(data + blanks, 1))
                blanks++;
        if (blanks == size)
                return size;
        s->begun = true;
        s->other = data[blanks] != '[';
        return s->other ? blanks : blanks + 1;
}

int items_add(struct items *s, const char *data, size_t size, struct err *err) {
        size_t at = s->begun ? 0 : begin(s, data, size);

        if (s->other) {
                strbuf_add(&s->text, data + at, size - at);
                return check_size(s, err);
        }
        while (at < size && !s->ended) {
                bool ends;
                size_t n = measure(s, data + at, size - at, &ends);
                int r;

                strbuf_add(&s->text, data + at, n);
                at += n;
                if (!ends)
                        return check_size(s, err);
                if (data[at] == '}')
                        return err_set(err, ERR_INVALID, -EINVAL, "%s is not valid JSON: a '}' that nothing opened", s->what);
                r = take(s, data[at] == ']', err);
                if (r < 0)
                        return r;
                s->ended = data[at++] == ']';
        }
        if (!is_blank(data + at, size - at))
                return err_set(err, ERR_INVALID, -EINVAL, "%s is not valid JSON: something stands behind its end", s->what);
        return 0;
}

int items_end(struct items *s, struct err *err) {
        auto_json *value = NULL;
        int r;

        if (!s->begun || s->ended)
                return 0;
        if (!s->other)
                return err_set(err, ERR_INVALID, -EINVAL, "%s is not valid JSON: it ends in the middle", s->what);
        /* Docker's daemon says null where it has nothing. */
        if (strncmp(s->text.data, "null", 4) == 0 && is_blank(s->text.data + 4, s->text.size - 4))
                return 0;
        r = json_parse(s->text.data, s->text.size, ITEM_MAX, s->what, &value, err);
        if (r < 0)
                return r;
        return err_set(err, ERR_INVALID, -EINVAL, "%s is not a list", s->what);
}
