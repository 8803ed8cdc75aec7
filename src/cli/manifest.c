/* SPDX-License-Identifier: Apache-2.0 */
/* manifest create, annotate, inspect, push, rm: lists of images of several platforms. They are put together here (manifest-store.h); the daemon speaks with the registry. */
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/credentials.h"
#include "cli/manifest-store.h"

/* --- what the registry has --- */

static int call(struct client *c, const char *method, const char *name, bool insecure, const json_t *body, json_t **ret, struct err *err) {
        auto_free char *escaped = path_escape(name), *header = NULL;
        auto_path path = { 0 };
        struct client known;
        int r = credentials_header(name, &header, err);

        if (r < 0)
                return r;
        known = (struct client) { .host = c->host, .header = header };
        path_init(&path, "/distribution/%s/manifest", escaped);
        path_query_flag(&path, "insecure", insecure);
        r = client_call(&known, method, &path, body, ret, err);
        if (header)
                explicit_bzero(header, strlen(header));
        return r;
}

static int get_remote(struct client *c, const char *whole, bool insecure, json_t **ret, struct err *err) {
        int r = call(c, "GET", whole, insecure, NULL, ret, err);

        return r < 0 && err->kind == ERR_NOT_FOUND ? err_set(err, ERR_NOT_FOUND, -ENOENT, "no such manifest: %s", whole) : r;
}

static bool is_list(const json_t *descriptor) {
        const char *type = json_get_str(descriptor, "mediaType", "");

        return strcmp(type, MEDIA_OCI_INDEX) == 0 || strcmp(type, MEDIA_DOCKER_LIST) == 0;
}

static int make_of_remote(const char *name, const json_t *remote, json_t **ret, struct err *err) {
        return manifest_make(name, json_get_object(remote, "Descriptor"), json_get_str(remote, "Manifest", ""), ret, err);
}

/* --- create --- */

static int check_registry(const char *list, const char *name, struct err *err) {
        size_t of_list, of_name, unused;

        manifest_name_parts(list, &of_list, &unused);
        manifest_name_parts(name, &of_name, &unused);
        if (of_list == of_name && strncmp(list, name, of_list) == 0)
                return 0;
        return err_set(err, ERR_INVALID, -EINVAL, "cannot use source images from a different registry than the target image: %.*s != %.*s", (int) of_name, name, (int) of_list, list);
}

static int gather_one(struct client *c, const char *list, const char *name, bool insecure, json_t *all, struct err *err) {
        auto_json *remote = NULL, *made = NULL;
        auto_free char *whole = NULL;
        int r = manifest_whole_name(name, &whole, err);

        if (r == 0)
                r = check_registry(list, whole, err);
        if (r < 0)
                return r;
        /* What is in the list already keeps what it was annotated with. */
        if (manifest_load(list, whole, &made, err) < 0) {
                r = err->kind == ERR_NOT_FOUND ? get_remote(c, whole, insecure, &remote, err) : err->num;
                if (r == 0 && is_list(json_get_object(remote, "Descriptor")))
                        r = err_set(err, ERR_INVALID, -EINVAL, "%s is a manifest list", whole);
                if (r == 0)
                        r = make_of_remote(whole, remote, &made, err);
        }
        return r == 0 && json_array_append(all, made) < 0 ? err_errno(err, -ENOMEM, "%s", whole) : r;
}

static int create(struct client *c, const struct args *a, const char *list, struct err *err) {
        auto_json *all = json_array(), *old = NULL;
        json_t *one;
        size_t i;
        int r = manifest_list_load(list, &old, err);

        if (r < 0 && err->kind != ERR_NOT_FOUND)
                return r;
        if (r == 0 && !args_flag(a, "amend"))
                return err_set(err, ERR_CONFLICT, -EEXIST, "refusing to amend an existing manifest list with no --amend flag");
        if (args_count(a) - 1 + json_array_size(old) > MANIFEST_LIST_MAX)
                return err_set(err, ERR_TOO_LARGE, -E2BIG, "%s: a manifest list has at most %d entries", list, MANIFEST_LIST_MAX);
        for (i = 1; i < args_count(a); i++)
                if ((r = gather_one(c, list, args_at(a, i), args_flag(a, "insecure"), all, err)) < 0)
                        return r;
        json_array_foreach(all, i, one)
                if ((r = manifest_save(list, one, err)) < 0)
                        return r;
        return 0;
}

static int run_create(struct client *c, const struct args *a) {
        auto_free char *list = NULL;
        struct err err = { 0 };

        if (manifest_whole_name(args_at(a, 0), &list, &err) < 0 || create(c, a, list, &err) < 0)
                return client_complain(&err, 1);
        printf("Created manifest list %s\n", list);
        return 0;
}

/* --- annotate --- */

static bool is_word(const char *word, const char *const *list) {
        for (; *list; list++)
                if (strcmp(word, *list) == 0)
                        return true;
        return false;
}

/* Go's names: what others look for in a list. A misspelt one would be found by nobody. */
static int check_platform(const json_t *platform, struct err *err) {
        static const char *const systems[] = { "aix", "android", "darwin", "dragonfly", "freebsd", "illumos", "ios", "js", "linux", "netbsd", "openbsd", "plan9", "solaris", "wasip1", "windows", NULL };
        static const char *const architectures[] = { "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le", "riscv64", "s390x", "wasm", NULL };
        const char *os = json_get_str(platform, "os", ""), *arch = json_get_str(platform, "architecture", "");

        if (is_word(os, systems) && is_word(arch, architectures))
                return 0;
        return err_set(err, ERR_INVALID, -EINVAL, "manifest entry for image has unsupported os/arch combination: %.64s/%.64s", os, arch);
}

/* "a,b" and several of them, one after the other. */
static json_t *features_of(const struct args *a) {
        json_t *list = json_array();
        const char *const *items;
        size_t n = args_list(a, "os-features", &items);

        for (size_t i = 0; i < n; i++)
                for (const char *p = items[i]; *p;) {
                        size_t length = strcspn(p, ",");

                        if (length > 0)
                                json_array_append_new(list, json_stringn(p, length));
                        p += length + (p[length] == ',');
                }
        return list;
}

/* In the order in which everybody writes them. */
static json_t *ordered_platform(const json_t *platform) {
        static const char *const keys[] = { "architecture", "os", "os.version", "os.features", "variant" };
        json_t *ordered = json_object();

        for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
                json_t *value = json_object_get(platform, keys[i]);

                if (value && !(json_is_string(value) && !*json_string_value(value)) && !(json_is_array(value) && json_array_size(value) == 0))
                        json_object_set(ordered, keys[i], value);
        }
        return ordered;
}

static int annotate(const struct args *a, struct err *err) {
        static const struct {
                const char *option, *key;
        } fields[] = { { "arch", "architecture" }, { "os", "os" }, { "os-version", "os.version" }, { "variant", "variant" } };
        auto_free char *list = NULL, *name = NULL;
        auto_json *manifest = NULL, *features = features_of(a), *platform = NULL;
        json_t *descriptor;
        int r = manifest_whole_name(args_at(a, 0), &list, err);

        if (r == 0)
                r = manifest_whole_name(args_at(a, 1), &name, err);
        if (r == 0)
                r = manifest_load(list, name, &manifest, err);
        if (r < 0)
                return err->kind == ERR_NOT_FOUND ? err_set(err, ERR_NOT_FOUND, r, "manifest for image %s does not exist in %s", name, list) : r;
        descriptor = json_get_object(manifest, "Descriptor");
        platform = json_get_object(descriptor, "platform") ? json_copy(json_get_object(descriptor, "platform")) : json_object();
        for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
                if (args_text(a, fields[i].option))
                        json_object_set_new(platform, fields[i].key, json_string(args_text(a, fields[i].option)));
        if (json_array_size(features) > 0)
                json_object_set(platform, "os.features", features);
        r = check_platform(platform, err);
        if (r < 0)
                return r;
        json_object_set_new(descriptor, "platform", ordered_platform(platform));
        return manifest_save(list, manifest, err);
}

static int run_annotate(struct client *c, const struct args *a) {
        struct err err = { 0 };

        (void) c;
        return annotate(a, &err) < 0 ? client_complain(&err, 1) : 0;
}

/* --- the list --- */

static json_t *list_object(const json_t *manifests) {
        json_t *entries = json_array(), *one;
        bool oci = false;
        size_t i;

        json_array_foreach(manifests, i, one) {
                const json_t *d = json_get_object(one, "Descriptor");

                oci = oci || strcmp(json_get_str(d, "mediaType", ""), MEDIA_OCI_MANIFEST) == 0;
                json_array_append_new(entries, json_pack("{s:O, s:O, s:O, s:o}", "mediaType", json_object_get(d, "mediaType"), "size", json_object_get(d, "size"), "digest",
                                                         json_object_get(d, "digest"), "platform", ordered_platform(json_get_object(d, "platform"))));
        }
        return json_pack("{s:i, s:s, s:o}", "schemaVersion", 2, "mediaType", oci ? MEDIA_OCI_INDEX : MEDIA_DOCKER_LIST, "manifests", entries);
}

/* --- inspect --- */

/* By a tab for each level, as Docker prints what is not a list. */
static void print_tabs(const json_t *value) {
        auto_free char *text = json_dumps(value, JSON_INDENT(1));
        bool begins = true;

        for (const char *p = text ? text : ""; *p; p++) {
                putchar(begins && *p == ' ' ? '\t' : *p);
                begins = *p == '\n' || (begins && *p == ' ');
        }
        putchar('\n');
}

static void print_list(const json_t *list) {
        auto_free char *text = json_dumps(list, JSON_INDENT(3));

        printf("%s\n", text ? text : "");
}

static int print_manifest(const json_t *manifest, bool verbose) {
        const json_t *oci = json_get_object(manifest, "OCIManifest");

        print_tabs(verbose ? manifest : oci ? oci : json_get_object(manifest, "SchemaV2Manifest"));
        return 0;
}

/* With -v, each of what it lists, too. */
static int print_remote_list(struct client *c, const char *whole, const json_t *remote, bool verbose, bool insecure, struct err *err) {
        const char *text = json_get_str(remote, "Manifest", "");
        auto_json *list = NULL, *all = json_array();
        json_t *entry;
        size_t i;
        int r = json_parse(text, strlen(text), MANIFEST_TEXT_MAX, whole, &list, err);

        if (r < 0)
                return r;
        if (!verbose) {
                print_list(list);
                return 0;
        }
        json_array_foreach(json_get_array(list, "manifests"), i, entry) {
                size_t registry, repository;
                auto_free char *name = NULL, *shown = NULL;
                auto_json *one = NULL, *made = NULL;
                json_t *platform = json_get_object(entry, "platform");

                manifest_name_parts(whole, &registry, &repository);
                name = str_format("%.*s@%s", (int) repository, whole, json_get_str(entry, "digest", ""));
                shown = str_format("%.*s@%s", (int) strcspn(whole, "@"), whole, json_get_str(entry, "digest", ""));
                if (i >= MANIFEST_LIST_MAX)
                        return err_set(err, ERR_TOO_LARGE, -E2BIG, "%s has more than %d entries", whole, MANIFEST_LIST_MAX);
                r = name && shown ? get_remote(c, name, insecure, &one, err) : err_errno(err, -ENOMEM, "%s", whole);
                if (r == 0)
                        r = make_of_remote(shown, one, &made, err);
                if (r < 0)
                        return r;
                if (platform)
                        json_object_set_new(json_get_object(made, "Descriptor"), "platform", ordered_platform(platform));
                json_array_append(all, made);
        }
        print_tabs(all);
        return 0;
}

static int inspect(struct client *c, const struct args *a, struct err *err) {
        bool verbose = args_flag(a, "verbose"), insecure = args_flag(a, "insecure");
        auto_free char *list = NULL, *name = NULL;
        auto_json *found = NULL, *remote = NULL;
        int r = manifest_whole_name(args_at(a, args_count(a) - 1), &name, err);

        if (r == 0 && args_count(a) == 2) {
                r = manifest_whole_name(args_at(a, 0), &list, err);
                if (r == 0)
                        r = manifest_load(list, name, &found, err);
                return r < 0 ? r : print_manifest(found, verbose);
        }
        if (r < 0)
                return r;
        /* What is being put together here comes before what the registry has. */
        r = manifest_list_load(name, &found, err);
        if (r == 0) {
                auto_json *object = verbose ? NULL : list_object(found);

                verbose ? print_tabs(found) : print_list(object);
                return 0;
        }
        if (err->kind != ERR_NOT_FOUND)
                return r;
        r = get_remote(c, name, insecure, &remote, err);
        if (r == 0 && is_list(json_get_object(remote, "Descriptor")))
                return print_remote_list(c, name, remote, verbose, insecure, err);
        if (r == 0)
                r = make_of_remote(name, remote, &found, err);
        return r < 0 ? r : print_manifest(found, verbose);
}

static int run_inspect(struct client *c, const struct args *a) {
        struct err err = { 0 };

        return inspect(c, a, &err) < 0 ? client_complain(&err, 1) : 0;
}

/* --- push --- */

/* What has to come from another repository of the registry: {digest: repository}. */
static int gather_sources(const char *list, const json_t *manifests, json_t *from, struct err *err) {
        size_t registry, repository, i, skip, end;
        json_t *one;

        manifest_name_parts(list, &registry, &repository);
        json_array_foreach(manifests, i, one) {
                const char *digest = json_get_str(json_get_object(one, "Descriptor"), "digest", "");
                const json_t *platform = json_get_object(json_get_object(one, "Descriptor"), "platform");
                auto_free char *name = NULL;
                int r = manifest_whole_name(json_get_str(one, "Ref", ""), &name, err);

                if (r == 0)
                        r = check_registry(list, name, err);
                if (r < 0)
                        return r;
                if (!*json_get_str(platform, "os", "") || !*json_get_str(platform, "architecture", ""))
                        return err_set(err, ERR_INVALID, -EINVAL, "manifest %s must have an OS and Architecture to be pushed to a registry", name);
                manifest_name_parts(name, &skip, &end);
                if (end != repository || strncmp(name, list, end) != 0)
                        json_object_set_new(from, digest, json_stringn(name + skip + 1, end - skip - 1));
        }
        return 0;
}

static int push(struct client *c, const struct args *a, const char *list, struct err *err) {
        auto_json *manifests = NULL, *from = json_object(), *object = NULL, *body = NULL, *answer = NULL;
        auto_free char *text = NULL;
        size_t registry, repository, i;
        json_t *copied;
        int r = manifest_list_load(list, &manifests, err);

        if (r == 0)
                r = gather_sources(list, manifests, from, err);
        if (r < 0)
                return r;
        object = list_object(manifests);
        text = json_dumps(object, JSON_INDENT(3));
        body = text ? json_pack("{s:s, s:s, s:O}", "MediaType", json_get_str(object, "mediaType", ""), "Manifest", text, "From", from) : NULL;
        if (!body)
                return err_errno(err, -ENOMEM, "%s", list);
        r = call(c, "POST", list, args_flag(a, "insecure"), body, &answer, err);
        if (r < 0)
                return r;
        manifest_name_parts(list, &registry, &repository);
        json_array_foreach(json_get_array(answer, "Copied"), i, copied)
                printf("Pushed ref %.*s@%s with digest: %s\n", (int) repository, list, json_string_value(copied), json_string_value(copied));
        printf("%s\n", json_get_str(answer, "Digest", ""));
        return args_flag(a, "purge") ? manifest_list_remove(list, err) : 0;
}

static int run_push(struct client *c, const struct args *a) {
        auto_free char *list = NULL;
        struct err err = { 0 };

        return manifest_whole_name(args_at(a, 0), &list, &err) < 0 || push(c, a, list, &err) < 0 ? client_complain(&err, 1) : 0;
}

static int run_rm(struct client *c, const struct args *a) {
        int status = 0;

        (void) c;
        for (size_t i = 0; i < args_count(a); i++) {
                auto_free char *list = NULL;
                struct err err = { 0 };

                if (manifest_whole_name(args_at(a, i), &list, &err) < 0 || manifest_list_remove(list, &err) < 0)
                        status = client_complain(&err, 1);
        }
        return status;
}

#define INSECURE_OPTION { 0, "insecure", OPTION_FLAG, NULL, "Talk to the registry without TLS, or with any certificate" }
static const struct option create_options[] = {
        { 'a', "amend", OPTION_FLAG, NULL, "Also when the list is there already: it gets more" },
        INSECURE_OPTION,
        { 0 },
};
static const struct option annotate_options[] = {
        { 0, "arch", OPTION_TEXT, "ARCH", "Architecture: amd64, arm64, …" },
        { 0, "os", OPTION_TEXT, "OS", "Operating system: linux, windows, …" },
        { 0, "os-features", OPTION_LIST, "FEATURE[,FEATURE...]", "What the operating system must have" },
        { 0, "os-version", OPTION_TEXT, "VERSION", "Version of the operating system" },
        { 0, "variant", OPTION_TEXT, "VARIANT", "Variant of the architecture: v7, v8, …" },
        { 0 },
};
static const struct option inspect_options[] = {
        INSECURE_OPTION,
        { 'v', "verbose", OPTION_FLAG, NULL, "Names, descriptors and whole texts; of a list, those of all that it lists" },
        { 0 },
};
static const struct option push_options[] = {
        INSECURE_OPTION,
        { 'p', "purge", OPTION_FLAG, NULL, "Forget the list here when it is there" },
        { 0 },
};
static const struct option no_options[] = { { 0 } };

const struct command command_manifest_create = {
        "manifest create", "manifest", "create", "[OPTIONS] LIST MANIFEST [MANIFEST...]", "Begin a list of images of several platforms, of what a registry has",
        "  kist manifest create localhost:5000/site:1 localhost:5000/site:1-amd64 localhost:5000/site:1-arm64\n  kist manifest push --purge localhost:5000/site:1\n", create_options, NULL, 2,
        SIZE_MAX, false, run_create,
};
const struct command command_manifest_annotate = {
        "manifest annotate", "manifest", "annotate", "[OPTIONS] LIST MANIFEST", "Say what platform an image of a list is for",
        "  kist manifest annotate --variant v7 localhost:5000/site:1 localhost:5000/site:1-arm\n", annotate_options, NULL, 2, 2, false, run_annotate, true,
};
const struct command command_manifest_inspect = {
        "manifest inspect", "manifest", "inspect", "[OPTIONS] [LIST] MANIFEST", "Show a manifest or a list, of here or of a registry", "  kist manifest inspect localhost:5000/site:1\n",
        inspect_options, NULL, 1, 2, false, run_inspect,
};
const struct command command_manifest_push = {
        "manifest push", "manifest", "push", "[OPTIONS] LIST", "Send a list to its registry", "  kist manifest push --purge localhost:5000/site:1\n", push_options, NULL, 1, 1, false, run_push,
};
const struct command command_manifest_rm = {
        "manifest rm", "manifest", "rm", "LIST [LIST...]", "Forget lists that were begun here; the registry keeps what it has", "  kist manifest rm localhost:5000/site:1\n", no_options, NULL, 1,
        SIZE_MAX, false, run_rm, true,
};
