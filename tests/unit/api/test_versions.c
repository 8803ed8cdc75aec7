/* SPDX-License-Identifier: Apache-2.0 */

/* What each version of the API calls otherwise. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/versions.h"
#include "base/json.h"

static void shapes(void **state) {
        static const struct {
                enum version_shape shape;
                unsigned minor;
                const char *given, *wanted;
        } rows[] = {
                { SHAPE_INFO, 24, "{\"SecurityOptions\":[\"name=seccomp,profile=builtin\",\"name=userns\"],\"Warnings\":null,\"PidsLimit\":true}",
                  "{\"SecurityOptions\":[\"seccomp\",\"userns\"],\"BridgeNfIp6tables\":false,\"BridgeNfIptables\":false,\"ExecutionDriver\":\"<not supported>\","
                  "\"KernelMemory\":false}" },
                { SHAPE_INFO, 52, "{\"BridgeNfIptables\":false,\"Warnings\":null,\"RuncCommit\":{\"ID\":\"a\",\"Expected\":\"a\"}}",
                  "{\"Warnings\":null,\"RuncCommit\":{\"ID\":\"a\"},\"Isolation\":\"\"}" },
                { SHAPE_EVENT, 51, "{\"Type\":\"container\",\"status\":\"die\",\"id\":\"1\",\"from\":\"x\"}", "{\"Type\":\"container\",\"status\":\"die\",\"id\":\"1\",\"from\":\"x\"}" },
                { SHAPE_EVENT, 52, "{\"Type\":\"container\",\"status\":\"die\",\"id\":\"1\",\"from\":\"x\"}", "{\"Type\":\"container\"}" },
                { SHAPE_IMAGE_LIST, 42, "[{\"Size\":5,\"Containers\":3,\"RepoTags\":[],\"RepoDigests\":[]}]",
                  "[{\"Size\":5,\"Containers\":-1,\"RepoTags\":[\"<none>:<none>\"],\"RepoDigests\":[\"<none>@<none>\"],\"VirtualSize\":5}]" },
                { SHAPE_IMAGE_LIST, 51, "[{\"Size\":5,\"Containers\":3,\"RepoTags\":[]}]", "[{\"Size\":5,\"Containers\":3,\"RepoTags\":[]}]" },
                { SHAPE_IMAGE, 50, "{\"Size\":1,\"Comment\":\"\",\"Config\":{\"Cmd\":[\"a\"],\"Env\":[],\"Labels\":{},\"User\":\"u\"}}",
                  "{\"Size\":1,\"Comment\":\"\",\"Config\":{\"Cmd\":[\"a\"],\"Env\":[],\"Labels\":{},\"User\":\"u\",\"Entrypoint\":null,\"OnBuild\":null,\"Volumes\":null,"
                  "\"WorkingDir\":\"\"}}" },
                { SHAPE_IMAGE, 52, "{\"Size\":1,\"Comment\":\"\",\"Config\":{\"Cmd\":[\"a\"],\"Env\":[],\"Labels\":{},\"User\":\"\"}}", "{\"Size\":1,\"Config\":{\"Cmd\":[\"a\"]}}" },
                { SHAPE_CONTAINER, 41, "{\"HostConfig\":{\"Annotations\":{}},\"NetworkSettings\":{\"Bridge\":\"\",\"Networks\":{\"a\":{\"DNSNames\":null,\"GwPriority\":0,\"X\":1}}}}",
                  "{\"HostConfig\":{\"KernelMemory\":0,\"KernelMemoryTCP\":0},\"NetworkSettings\":{\"Bridge\":\"\",\"Networks\":{\"a\":{\"X\":1,\"Aliases\":[]}}}}" },
                { SHAPE_CONTAINER, 52, "{\"HostConfig\":{},\"Config\":{\"OnBuild\":null},\"NetworkSettings\":{\"Bridge\":\"\",\"IPAddress\":\"\",\"Networks\":{}}}",
                  "{\"HostConfig\":{},\"Config\":{},\"NetworkSettings\":{\"Networks\":{}}}" },
                { SHAPE_CREATE, 24, "{\"StopTimeout\":3,\"HostConfig\":{\"AutoRemove\":true,\"Binds\":[\"a\"]}}", "{\"HostConfig\":{\"Binds\":[\"a\"],\"IpcMode\":\"shareable\"}}" },
                { SHAPE_CREATE, 41, "{\"HostConfig\":{\"ConsoleSize\":[1,2],\"KernelMemory\":7,\"Mounts\":[{\"BindOptions\":{\"CreateMountpoint\":true}}]}}",
                  "{\"HostConfig\":{\"KernelMemory\":7,\"Mounts\":[{\"BindOptions\":{}}]}}" },
                { SHAPE_CREATE, 42, "{\"HostConfig\":{\"ConsoleSize\":[1,2],\"KernelMemory\":7}}", "{\"HostConfig\":{\"ConsoleSize\":[1,2],\"KernelMemory\":7}}" },
                { SHAPE_UPDATE, 39, "{\"PidsLimit\":5,\"Memory\":1}", "{\"Memory\":1}" },
                { SHAPE_EXEC_CREATE, 34, "{\"WorkingDir\":\"/\",\"Env\":[],\"Cmd\":[]}", "{\"Env\":[],\"Cmd\":[]}" },
                { SHAPE_VERSION, 24, "{\"Version\":\"1\",\"Platform\":{},\"Components\":[],\"MinAPIVersion\":\"1.24\"}", "{\"Version\":\"1\"}" },
                { SHAPE_CONTAINER, 44, "{\"Id\":\"0123456789abcdef\",\"Config\":{\"Hostname\":\"named\"},\"NetworkSettings\":{\"Networks\":{\"bridge\":{\"Aliases\":null},"
                  "\"own\":{\"Aliases\":[\"db\",\"named\"]},\"other\":{\"Aliases\":null}}}}",
                  "{\"Id\":\"0123456789abcdef\",\"Config\":{\"Hostname\":\"named\"},\"NetworkSettings\":{\"Networks\":{\"bridge\":{\"Aliases\":null},"
                  "\"own\":{\"Aliases\":[\"db\",\"named\",\"0123456789ab\"]},\"other\":{\"Aliases\":[\"0123456789ab\",\"named\"]}}}}" },
                { SHAPE_CONTAINER, 45, "{\"Id\":\"0123456789abcdef\",\"NetworkSettings\":{\"Networks\":{\"own\":{\"Aliases\":[\"db\"]}}}}",
                  "{\"Id\":\"0123456789abcdef\",\"NetworkSettings\":{\"Networks\":{\"own\":{\"Aliases\":[\"db\"]}}}}" },
                /* Shapes that nobody expected. */
                { SHAPE_CONTAINER, 30, "{\"HostConfig\":[],\"NetworkSettings\":5}", "{\"HostConfig\":[],\"NetworkSettings\":5}" },
                { SHAPE_CONTAINER, 42, "{\"Id\":7,\"Config\":[],\"NetworkSettings\":{\"Networks\":{\"own\":{\"Aliases\":\"x\"},\"odd\":5}}}",
                  "{\"Id\":7,\"Config\":[],\"NetworkSettings\":{\"Networks\":{\"own\":{\"Aliases\":[]},\"odd\":5}}}" },
                { SHAPE_CREATE, 30, "{\"HostConfig\":7,\"Healthcheck\":[1]}", "{\"HostConfig\":7,\"Healthcheck\":[1]}" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                auto_json *value = json_loads(rows[i].given, 0, NULL), *wanted = json_loads(rows[i].wanted, 0, NULL);
                auto_free char *text = NULL;

                assert_non_null(value);
                version_apply(rows[i].shape, rows[i].minor, value);
                text = json_dumps(value, 0);
                if (!wanted || !json_equal(value, wanted))
                        fail_msg("row %zu: %s, wanted %s", i, text, rows[i].wanted);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(shapes) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
