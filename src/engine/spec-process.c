/* SPDX-License-Identifier: Apache-2.0 */
/* What the first process is given besides its command: mask of modes, time zone, clocks, personality. */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "engine/spec.h"

static int read_umask(struct spec *s, struct err *err) {
        char *end;

        s->umask = -1;
        if (!*s->umask_text)
                return 0;
        if (strlen(s->umask_text) <= 5 && strspn(s->umask_text, "01234567") == strlen(s->umask_text))
                s->umask = (int32_t) strtol(s->umask_text, &end, 8);
        return s->umask >= 0 && s->umask <= 0777 ? 0 : err_set(err, ERR_INVALID, -EINVAL, "Umask: \"%s\" is not a mask such as 0022", s->umask_text);
}

/* The name of a file below /usr/share/zoneinfo: never a path that climbs. */
static bool is_zone(const char *text) {
        if (!isalpha((unsigned char) *text) || strlen(text) > 100 || strstr(text, ".."))
                return false;
        for (; *text; text++)
                if (!isalnum((unsigned char) *text) && !strchr("/_+-", *text))
                        return false;
        return true;
}

static int read_time_offsets(const struct spec *s, struct err *err) {
        const char *clock;
        json_t *v;

        json_object_foreach(s->time_offsets, clock, v) {
                if (strcmp(clock, "monotonic") != 0 && strcmp(clock, "boottime") != 0)
                        return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.TimeOffsets: \"%s\" is not a clock that can be shifted; monotonic and boottime can", clock);
                if (!json_is_integer(v))
                        return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.TimeOffsets: %s: a whole number of nanoseconds is expected", clock);
        }
        return 0;
}

int spec_read_process(struct spec *s, struct err *err) {
        static const char *const actions[] = { "", "none", "kill", "stop", "restart" };
        size_t action = 0, i;
        json_t *v;
        int r = read_umask(s, err);

        if (r < 0)
                return r;
        if (*s->timezone && !is_zone(s->timezone))
                return err_set(err, ERR_INVALID, -EINVAL, "Timezone: \"%s\" is not the name of a time zone", s->timezone);
        if (*s->personality && strcmp(s->personality, "LINUX") != 0 && strcmp(s->personality, "LINUX32") != 0)
                return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.Personality: \"%s\" is not known; LINUX and LINUX32 are", s->personality);
        while (action < ARRAY_SIZE(actions) && strcmp(actions[action], s->health_action) != 0)
                action++;
        if (action == ARRAY_SIZE(actions))
                return err_set(err, ERR_INVALID, -EINVAL, "HealthcheckOnFailureAction: \"%s\" is not one of none, kill, stop and restart", s->health_action);
        if (action > 1 && !s->health.wanted)
                return err_set(err, ERR_INVALID, -EINVAL, "HealthcheckOnFailureAction: \"%s\" needs a health check", s->health_action);
        json_array_foreach(s->unset_env, i, v)
                if (!*json_string_value(v) || strchr(json_string_value(v), '='))
                        return err_set(err, ERR_INVALID, -EINVAL, "UnsetEnv: \"%s\" is not a name", json_string_value(v));
        return read_time_offsets(s, err);
}
