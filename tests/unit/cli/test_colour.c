/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "capture.h"
#include "cli/colour.h"
#include "cli/command.h"
#include "cli/listing.h"
#include "cli/table.h"

/* The other side of a terminal whose near side is `ret`; nothing is changed on its way. */
static int open_terminal(FILE **ret) {
        int master = posix_openpt(O_RDWR | O_NOCTTY), slave;
        struct termios t;

        assert_true(master >= 0);
        assert_int_equal(grantpt(master) | unlockpt(master), 0);
        slave = open(ptsname(master), O_RDWR | O_NOCTTY);
        assert_int_equal(tcgetattr(slave, &t), 0);
        cfmakeraw(&t);
        assert_int_equal(tcsetattr(slave, TCSANOW, &t), 0);
        *ret = fdopen(slave, "w");
        return master;
}

/* So many lines of what was written there; they are not there all at once. */
static const char *read_lines(int master, size_t lines) {
        static char text[4096];
        size_t size = 0;

        while (lines > 0 && size + 1 < sizeof(text) && read(master, text + size, 1) == 1)
                lines -= text[size++] == '\n';
        text[size] = '\0';
        return text;
}

static void set(const char *name, const char *value) {
        if (value)
                setenv(name, value, 1);
        else
                unsetenv(name);
}

static void only_on_a_terminal_that_may_have_them(void **state) {
        static const struct {
                const char *term, *no_color;
                bool want;
        } rows[] = {
                { "xterm", NULL, true }, { "xterm", "", true },  { "xterm", "1", false }, { "xterm", "0", false },
                { "dumb", NULL, false }, { NULL, NULL, false }, { "", NULL, false },
        };
        FILE *terminal, *file = tmpfile();
        int master = open_terminal(&terminal);

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                set("TERM", rows[i].term);
                set("NO_COLOR", rows[i].no_color);
                assert_int_equal(colour_on(terminal), rows[i].want);
                assert_false(colour_on(file));
        }
        fclose(file);
        fclose(terminal);
        close(master);
}

static void marks_are_known_again_and_nothing_else_is(void **state) {
        for (enum colour c = COLOUR_PLAIN; c <= COLOUR_END; c++) {
                assert_string_equal(colour(false, c), "");
                assert_int_equal(colour_mark(colour(true, c)), strlen(colour(true, c)));
        }
        assert_int_equal(colour_mark(""), 0);
        assert_int_equal(colour_mark("\033["), 0);
        assert_int_equal(colour_mark("\033[2J"), 0);
        assert_int_equal(colour_mark("\033]0;x\a"), 0);
        assert_int_equal(colour_mark("m\033[0m"), 0);
}

static void show_state(const void *row, struct strbuf *out) {
        strbuf_adds(out, row);
}

static enum colour colour_of(const void *row) {
        return strcmp(row, "up") == 0 ? COLOUR_GOOD : COLOUR_PLAIN;
}

static const struct listing_column columns[] = { { "State", "STATE", show_state, colour_of }, { "Same", "SAME", show_state }, { 0 } };

static void print_list(const char *format) {
        static const char *const rows[] = { "up", "down\302\23331m", "long enough to matter" };
        struct err err = { 0 };
        struct listing *l;

        assert_int_equal(listing_new(format, "{{.State}}\t{{.Same}}", columns, &l, &err), 0);
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                assert_int_equal(listing_add_row(l, rows[i], NULL, &err), 0);
        listing_end(l);
}

/* What the list is on a terminal. */
static const char *on_terminal(const char *format) {
        FILE *terminal;
        int master = open_terminal(&terminal), kept = dup(1);
        const char *text;

        fflush(stdout);
        dup2(fileno(terminal), 1);
        print_list(format);
        fflush(stdout);
        dup2(kept, 1);
        close(kept);
        text = read_lines(master, format ? 3 : 4);
        fclose(terminal);
        close(master);
        return text;
}

/* Without its marks the table is the one of a pipe: they take no room; and those of a value are none. */
static void a_table_is_as_wide_with_colours_as_without(void **state) {
        static const char want[] = "STATE                   SAME\nup                      up\ndown?31m                down?31m\nlong enough to matter   long enough to matter\n";
        char plain[4096];
        const char *got;
        size_t n = 0;

        set("TERM", "xterm");
        set("NO_COLOR", NULL);
        capture_begin();
        print_list(NULL);
        assert_string_equal(capture_end(), want);
        got = on_terminal(NULL);
        assert_int_equal(strncmp(got, "\033[1mSTATE", 9), 0);
        assert_non_null(strstr(got, "\n\033[32mup\033[0m   "));
        while (*got) {
                size_t mark = colour_mark(got);

                if (mark == 0)
                        plain[n++] = *got;
                got += mark ? mark : 1;
        }
        plain[n] = '\0';
        assert_string_equal(plain, want);
        set("NO_COLOR", "1");
        assert_string_equal(on_terminal(NULL), want);
        set("NO_COLOR", NULL);
        /* What somebody's own template prints is not coloured; control characters of values are '?' on any terminal. */
        assert_string_equal(on_terminal("{{.State}}"), "up\ndown?31m\nlong enough to matter\n");
}

static void words_on_standard_error(void **state) {
        capture_begin();
        complain("no %s", "such\033thing");
        warn("mind %d", 1);
        warn_loudly("seldom");
        warn_loudly("WARNING: twice");
        assert_string_equal(capture_end(), "kist: no such\033thing\nkist: warning: mind 1\nWARNING: seldom\nWARNING: twice\n");
}

static void words_on_a_terminal(void **state) {
        FILE *terminal;
        int master = open_terminal(&terminal), kept = dup(2);

        set("TERM", "xterm");
        set("NO_COLOR", NULL);
        dup2(fileno(terminal), 2);
        complain("no such\033[2Jthing\302\2332J");
        warn("mind");
        warn_loudly("seldom");
        dup2(kept, 2);
        close(kept);
        assert_string_equal(read_lines(master, 3), "\033[31mkist:\033[0m no such?[2Jthing?2J\nkist: \033[33mwarning:\033[0m mind\n\033[33mWARNING:\033[0m seldom\n");
        fclose(terminal);
        close(master);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(only_on_a_terminal_that_may_have_them),
                cmocka_unit_test(marks_are_known_again_and_nothing_else_is),
                cmocka_unit_test(a_table_is_as_wide_with_colours_as_without),
                cmocka_unit_test(words_on_standard_error),
                cmocka_unit_test(words_on_a_terminal),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
