/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/absent.h"

#include <string.h>

#include "base/mem.h"
#include "cli/command.h"

/* A command that comes loses its row here: the table of commands is asked first. */
static const struct {
        const char *word, *instead;
} absent[] = {
        { "build", "images are not built by this version; kist commit makes one of a container" },
        { "builder", "images are not built by this version" },
        { "buildx", "images are not built by this version" },
        { "checkpoint", "containers are not checkpointed by this version; kist-runtime checkpoint does it for OCI bundles" },
        { "compose", "docker-compose works with DOCKER_HOST set to kistd's socket" },
        { "config", "Kist has no swarm mode, and so none of its configs" },
        { "kube", "Kubernetes manifests are not applied by this version" },
        { "machine", "kistd runs on Linux itself; there is no machine to make" },
        { "node", "Kist has no swarm mode, and so no nodes" },
        { "plugin", "Kist has no plugins" },
        { "pod", "pods are not made by this version; --network container:NAME shares a network" },
        { "secret", "secrets are not kept by this version" },
        { "service", "Kist has no swarm mode, and so no services" },
        { "stack", "Kist has no swarm mode, and so no stacks; docker-compose works with DOCKER_HOST set to kistd's socket" },
        { "swarm", "Kist has no swarm mode" },
        { "trust", "signatures of images are not checked by this version" },
};

bool absent_complain(const char *word) {
        for (size_t i = 0; i < ARRAY_SIZE(absent); i++)
                if (strcmp(absent[i].word, word) == 0) {
                        complain("%s: %s", word, absent[i].instead);
                        return true;
                }
        return false;
}
