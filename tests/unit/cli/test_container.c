/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "capture.h"
#include "cli/container-options.h"

static const struct option none[] = { { 0 } };
static const struct command command = { "run", "container", NULL, "…", "…", NULL, none, container_options, 1, SIZE_MAX, true, NULL };

/* The body as text, or NULL when it was refused. */
static char *body_of(const char *const *words) {
        char *argv[32];
        auto_json *body = NULL;
        struct args *a;
        int n = 0, r;

        for (; words[n]; n++)
                argv[n] = (char *) words[n];
        capture_begin();
        r = args_parse(&command, n, argv, &a);
        if (r == 0) {
                r = container_body(a, &body);
                args_free(a);
        }
        capture_end();
        return r == 0 ? json_text(body) : NULL;
}

static void test_each_option_reaches_its_field(void **state) {
        static const struct {
                const char *words[6];
                const char *piece; /* of the body */
        } rows[] = {
                { { "--memory", "64m", "i" }, "\"Memory\":67108864" },
                { { "-m", "1.5g", "i" }, "\"Memory\":1610612736" },
                { { "--memory-swap", "-1", "i" }, "\"MemorySwap\":-1" },
                { { "--cpus", "1.5", "i" }, "\"NanoCpus\":1500000000" },
                { { "--pids-limit", "7", "i" }, "\"PidsLimit\":7" },
                { { "--cpuset-cpus", "0-1", "i" }, "\"CpusetCpus\":\"0-1\"" },
                { { "-h", "box", "i" }, "\"Hostname\":\"box\"" },
                { { "-u", "1:2", "i" }, "\"User\":\"1:2\"" },
                { { "-w", "/x", "i" }, "\"WorkingDir\":\"/x\"" },
                { { "-e", "A=b", "i" }, "\"Env\":[\"A=b\"]" },
                { { "-l", "k=v", "-l", "w", "i" }, "\"Labels\":{\"k\":\"v\",\"w\":\"\"}" },
                { { "-v", "/a:/b:ro", "i" }, "\"Binds\":[\"/a:/b:ro\"]" },
                { { "-v", "/data", "i" }, "\"Volumes\":{\"/data\":{}}" },
                { { "--tmpfs", "/t:size=1m", "i" }, "\"Tmpfs\":{\"/t\":\"size=1m\"}" },
                { { "--mount", "type=bind,src=/a,dst=/b,ro", "i" },
                  "\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/a\",\"Target\":\"/b\",\"ReadOnly\":true}]" },
                { { "--ulimit", "nofile=5:6", "i" }, "\"Ulimits\":[{\"Name\":\"nofile\",\"Soft\":5,\"Hard\":6}]" },
                { { "--ulimit", "nproc=5", "i" }, "\"Soft\":5,\"Hard\":5" },
                { { "-p", "8080:80", "i" }, "\"PortBindings\":{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"8080\"}]}" },
                { { "-p", "127.0.0.1::53/udp", "i" }, "\"53/udp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"\"}]" },
                { { "-p", "[::1]:1:2", "i" }, "\"2/tcp\":[{\"HostIp\":\"::1\",\"HostPort\":\"1\"}]" },
                { { "-p", "8000-8001:80-81", "i" }, "\"81/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"8001\"}]" },
                { { "-p", "8000-8001:80", "i" }, "\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"8000-8001\"}]" },
                { { "--expose", "7-8/udp", "i" }, "\"ExposedPorts\":{\"7/udp\":{},\"8/udp\":{}}" },
                { { "--network", "name=a,alias=x,ip=10.1.2.3", "--network", "b", "i" }, "{\"a\":{\"Aliases\":[\"x\"],\"IPAMConfig\":{\"IPv4Address\":\"10.1.2.3\"}},\"b\":{}}" },
                { { "--restart", "on-failure:3", "i" }, "\"RestartPolicy\":{\"Name\":\"on-failure\",\"MaximumRetryCount\":3}" },
                { { "--log-opt", "max-size=1m", "i" }, "\"Config\":{\"max-size\":\"1m\"}" },
                { { "--sysctl", "net.x=1", "i" }, "\"Sysctls\":{\"net.x\":\"1\"}" },
                { { "--network", "none", "i" }, "\"NetworkMode\":\"none\"" },
                { { "--entrypoint", "", "i" }, "\"Entrypoint\":[\"\"]" },
                { { "-p", "127.0.0.1:80:8080/udp", "i" }, "\"PortBindings\":{\"8080/udp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"80\"}]}" },
                { { "-p", "8080:80", "i" }, "\"PortBindings\":{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"8080\"}]}" },
                { { "--device", "/dev/a:/dev/b:r", "i" },
                  "\"Devices\":[{\"PathOnHost\":\"/dev/a\",\"PathInContainer\":\"/dev/b\",\"CgroupPermissions\":\"r\"}]" },
                { { "--security-opt", "no-new-privileges", "i" }, "\"SecurityOpt\":[\"no-new-privileges\"]" },
                { { "-it", "i", "sh", "-c", "x" }, "\"Cmd\":[\"sh\",\"-c\",\"x\"]" },
                { { "--health-cmd", "test -e /ok", "--health-interval", "1m30s", "i" },
                  "\"Healthcheck\":{\"Interval\":90000000000,\"Test\":[\"CMD-SHELL\",\"test -e /ok\"]}" },
                { { "--health-timeout", "250ms", "--health-retries", "5", "i" }, "\"Timeout\":250000000,\"Retries\":5" },
                { { "--no-healthcheck", "i" }, "\"Healthcheck\":{\"Test\":[\"NONE\"]}" },
                { { "--device-cgroup-rule", "c 1:3 r", "i" }, "\"DeviceCgroupRules\":[\"c 1:3 r\"]" },
                { { "-i", "i" }, "\"OpenStdin\":true,\"StdinOnce\":true,\"AttachStdin\":true" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                auto_free char *body = body_of(rows[i].words);

                if (!body || !strstr(body, rows[i].piece))
                        fail_msg("%s %s: no %s in %s", rows[i].words[0], rows[i].words[1], rows[i].piece, body ? body : "(refused)");
        }
}

static void test_bad_values_are_refused(void **state) {
        static const char *const rows[][4] = {
                { "--memory", "lots", "i" },     { "--memory", "1x", "i" },       { "--memory", "-5m", "i" },         { "--memory", "1mb2", "i" },
                { "--cpus", "two", "i" },        { "--cpus", "-1", "i" },         { "--cpus", "nan", "i" },           { "--pids-limit", "1.5", "i" },
                { "--ulimit", "nofile", "i" },   { "--ulimit", "nofile=x", "i" }, { "--ulimit", "nofile=1:2:3", "i" }, { "--sysctl", "a", "i" },
                { "--mount", "type=bind", "i" }, { "--mount", "nope=1,dst=/x", "i" }, { "-p", "a:b", "i" },           { "--restart", "on-failure:x", "i" },
                { "--health-interval", "soon", "i" }, { "--health-timeout", "5", "i" }, { "--health-retries", "-1", "i" },
                { "--env-file", "/no/such", "i" }, { "--security-opt", "seccomp=/no/such", "i" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                auto_free char *body = body_of(rows[i]);

                if (body)
                        fail_msg("%s %s was taken: %s", rows[i][0], rows[i][1], body);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_option_reaches_its_field),
                cmocka_unit_test(test_bad_values_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
