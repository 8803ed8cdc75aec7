/* SPDX-License-Identifier: Apache-2.0 */
#include "base/timestamp.h"

#include <errno.h>
#include <stdbool.h>

enum { NS_PER_S = 1000000000 };

static char *put(char *p, int64_t v, int digits) {
        for (int i = digits - 1; i >= 0; i--) {
                p[i] = (char) ('0' + v % 10);
                v /= 10;
        }
        return p + digits;
}

/* Days since 1970-01-01 and back, by the proleptic Gregorian calendar with years that begin in March, so that the leap day is
 * the last day of a year. gmtime_r(3) would do, but takes a lock on the time zone. */
static void civil_from_days(int64_t days, int64_t *year, int *month, int *day) {
        int64_t era, doe, yoe, doy, mp;

        days += 719468;
        era = (days >= 0 ? days : days - 146096) / 146097;
        doe = days - era * 146097;
        yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
        doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        mp = (5 * doy + 2) / 153;
        *day = (int) (doy - (153 * mp + 2) / 5 + 1);
        *month = (int) (mp < 10 ? mp + 3 : mp - 9);
        *year = yoe + era * 400 + (*month <= 2);
}

static int64_t days_from_civil(int64_t year, int month, int day) {
        int64_t era, yoe, doy;

        year -= month <= 2;
        era = (year >= 0 ? year : year - 399) / 400;
        yoe = year - era * 400;
        doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
        return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

void time_format(const struct timespec *t, char ret[TIME_RFC3339_SIZE]) {
        int64_t days = t->tv_sec / 86400, rest = t->tv_sec % 86400, year;
        int month, day;
        char *p = ret;

        if (rest < 0) {
                rest += 86400;
                days--;
        }
        civil_from_days(days, &year, &month, &day);
        p = put(p, year, 4);
        *p++ = '-';
        p = put(p, month, 2);
        *p++ = '-';
        p = put(p, day, 2);
        *p++ = 'T';
        p = put(p, rest / 3600, 2);
        *p++ = ':';
        p = put(p, rest / 60 % 60, 2);
        *p++ = ':';
        p = put(p, rest % 60, 2);
        *p++ = '.';
        p = put(p, t->tv_nsec, 9);
        *p++ = 'Z';
        *p = '\0';
}

void time_format_ns(int64_t unix_ns, char ret[TIME_RFC3339_SIZE]) {
        struct timespec t = { .tv_sec = unix_ns / NS_PER_S, .tv_nsec = unix_ns % NS_PER_S };

        if (t.tv_nsec < 0) {
                t.tv_nsec += NS_PER_S;
                t.tv_sec--;
        }
        time_format(&t, ret);
}

void time_format_now(char ret[TIME_RFC3339_SIZE]) {
        time_format_ns(time_now_ns(), ret);
}

int64_t time_now_ns(void) {
        struct timespec t;

        clock_gettime(CLOCK_REALTIME, &t);
        return (int64_t) t.tv_sec * NS_PER_S + t.tv_nsec;
}

static bool digits(const char **p, int count, int *ret) {
        int v = 0;

        for (int i = 0; i < count; i++, (*p)++) {
                if (**p < '0' || **p > '9')
                        return false;
                v = v * 10 + (**p - '0');
        }
        *ret = v;
        return true;
}

static bool literal(const char **p, char c) {
        if (**p != c)
                return false;
        (*p)++;
        return true;
}

int time_parse(const char *s, int64_t *ret_unix_ns) {
        static const int month_days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
        int year, month, day, hour, minute, second, off_hour = 0, off_minute = 0, sign = 0;
        int64_t ns = 0, unix_s;

        if (!digits(&s, 4, &year) || !literal(&s, '-') || !digits(&s, 2, &month) || !literal(&s, '-') ||
            !digits(&s, 2, &day) || !(literal(&s, 'T') || literal(&s, 't') || literal(&s, ' ')) ||
            !digits(&s, 2, &hour) || !literal(&s, ':') || !digits(&s, 2, &minute) || !literal(&s, ':') ||
            !digits(&s, 2, &second))
                return -EINVAL;
        if (month < 1 || month > 12 || day < 1 || day > month_days[month - 1] || hour > 23 || minute > 59 || second > 60)
                return -EINVAL;
        if (month == 2 && day == 29 && (year % 4 != 0 || (year % 100 == 0 && year % 400 != 0)))
                return -EINVAL;
        if (literal(&s, '.')) {
                int64_t unit = NS_PER_S / 10;

                if (*s < '0' || *s > '9')
                        return -EINVAL;
                for (; *s >= '0' && *s <= '9'; s++, unit /= 10) {
                        if (unit == 0)
                                return -EINVAL;
                        ns += (*s - '0') * unit;
                }
        }
        if (*s == '+' || *s == '-') {
                sign = *s++ == '+' ? 1 : -1;
                if (!digits(&s, 2, &off_hour) || !literal(&s, ':') || !digits(&s, 2, &off_minute) || off_hour > 23 ||
                    off_minute > 59)
                        return -EINVAL;
        } else if (!literal(&s, 'Z') && !literal(&s, 'z')) {
                return -EINVAL;
        }
        if (*s)
                return -EINVAL;
        unix_s = days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
        unix_s -= sign * (off_hour * 3600 + off_minute * 60);
        if (unix_s > INT64_MAX / NS_PER_S - 1 || unix_s < INT64_MIN / NS_PER_S + 1)
                return -EINVAL;
        *ret_unix_ns = unix_s * NS_PER_S + ns;
        return 0;
}
