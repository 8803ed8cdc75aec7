/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Images: references, the store (an OCI image layout, ROOT/oci), pulling from registries and loading archives. This room does not know
 * where unpacked layers live: the engine hands it a `struct image_sink`. Archives, TLS, HTTP and decompression happen in kist-worker
 * processes; manifests and configs (at most 4 MiB, digest verified) are parsed here.
 * Sources: OCI image-spec 1.1, distribution-spec 1.1, Docker image manifest v2 schema 2. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct image_store;

/* --- references --- */
struct image_reference {
        char registry[256];   /* "docker.io", "localhost:5000", "kist.local" */
        char repository[256]; /* "library/busybox" */
        char tag[129];        /* "" when only a digest was given; "latest" is filled in when neither was */
        char digest[72];      /* "sha256:…" or "" */
};
/* Docker's grammar and defaults. ERR_INVALID: "invalid reference format: …" */
int image_reference_parse(const char *text, struct image_reference *ret, struct err *err);
/* As a person writes it: "busybox:latest", "localhost:5000/a:1", "a@sha256:…". Writes at most `size` bytes. */
void image_reference_familiar(const struct image_reference *r, char *ret, size_t size);
/* Whole: "docker.io/library/busybox:latest". */
void image_reference_canonical(const struct image_reference *r, char *ret, size_t size);
/* "sha256:" and 64 lower-case hex digits. */
bool image_digest_is_valid(const char *digest);

/* --- the store --- */

/* Where unpacked layers go; filled in by the engine. begin: a directory fd to unpack into, and a token; commit: make it the layer. `userns_fd`:
 * the namespace that workers live in (65,536 ids), and clone() gives them an idmapped clone of the directory. */
struct image_sink {
        bool (*has)(void *data, const char *diff_id);
        int (*begin)(void *data, char token[64], int *ret_dir_fd, struct err *err);
        int (*commit)(void *data, const char *token, const char *diff_id, struct err *err);
        void (*abort)(void *data, const char *token);
        int (*clone)(void *data, int dir_fd, int *ret_fd, struct err *err);
        int userns_fd;
        void *data;
        /* May be NULL. A pull or load that fails gives back the layers that it had finished: to be removed unless something needs them (a
         * container whose image is gone). NULL: they stay, until the engine sweeps with image_layer_is_needed(). */
        int (*drop)(void *data, const char *diff_id);
};

/* root_fd: the daemon's --root; makes "oci". worker_fd: kist-worker (proc_open_program). Both are borrowed for the store's life. */
struct image_registries {
        const char *const *insecure; /* HOST[:PORT] or CIDR: TLS with any certificate, or none */
        size_t n_insecure;
        const char *const *certs_dirs; /* DIR/HOST[:PORT]/{*.crt,*.cert,*.key} */
        size_t n_certs_dirs;
        /* "[REGISTRY=]http[s]://HOST[:PORT]": asked before REGISTRY (docker.io), in this order, when something is pulled from there. */
        const char *const *mirrors;
        size_t n_mirrors;
        const char *http_proxy, *https_proxy, *no_proxy; /* as in the environment; NULL: none */
        unsigned uploads_at_once;   /* of one push; 0: 5 */
        unsigned downloads_at_once; /* of one pull; 0: 3; at most IMAGE_AT_ONCE_MAX */
        unsigned attempts;          /* of each request that may go better next time; 0: 5 */
        bool discard_blobs;         /* of pulls and loads that do not say: IMAGE_DISCARD */
};
enum { IMAGE_AT_ONCE_MAX = 32 };
/* ERR_INVALID: a mirror or a proxy of another form. */
int image_check_registries(const struct image_registries *r, struct err *err);
/* All is copied. Pulls that are under way go on as they began. */
int image_store_set_registries(struct image_store *s, const struct image_registries *r, struct err *err);
/* As GET /info has it: "RegistryConfig", "HttpProxy", "HttpsProxy" (without who we are to them) and "NoProxy"; the caller's. NULL when memory is out. */
json_t *image_store_describe_registries(struct image_store *s);
/* The registry that an address of a client's configuration means: "https://index.docker.io/v1/", "localhost:5000", "". */
void image_registry_of_address(const char *address, char *ret, size_t size);

int image_store_open(int root_fd, int worker_fd, const struct image_sink *sink, struct image_store **ret, struct err *err);
void image_store_free(struct image_store *s);

/* One image for one platform, as the engine uses it. Own all: image_free(). */
struct image {
        char id[72];              /* digest of its config */
        char manifest_digest[72];
        char **tags;              /* canonical references with a tag, NULL-terminated */
        char **digests;           /* "registry/repository@sha256:…", NULL-terminated */
        json_t *config;           /* the OCI image config: {architecture, os, created, config: {Env, Cmd, …}, rootfs, history}; NULL in a list */
        json_t *labels;           /* of the config; NULL: none */
        char **diff_ids;          /* lowest first, NULL-terminated */
        size_t n_diff_ids;
        int64_t created_unix_ns;
        uint64_t size;            /* unpacked size, or that of the blobs when it is not known */
        bool blobs_discarded;     /* it is here unpacked only: see enum image_discard */
        /* NULL: an image. Else an OCI artifact (a chart, a signature, …), which is kept to be handed on: its id is its manifest's digest, its config an empty object, and it has no diff ids. */
        char *artifact_type;
};
void image_free(struct image *image);
/* Does it serve "os/architecture[/variant]"? `name` is what the person called it. ERR_INVALID: no such grammar; ERR_NOT_FOUND: it does not. */
int image_check_platform(const struct image *image, const char *name, const char *platform, struct err *err);

/* ERR_INVALID: it is an artifact, and no root of a file system. */
int image_check_runs(const struct image *image, const char *name, struct err *err);

/* By reference, by full id ("sha256:…") or by a unique prefix of its hex digits. ERR_NOT_FOUND: "No such image: NAME". */
int image_get(struct image_store *s, const char *name, struct image **ret, struct err *err);
/* All, newest first, without their configs (those are read from disk once, and then no more), and without diff ids unless `layers`. *ret is an array of
 * *ret_n images, each image_free()d and the array freed by the caller. */
int image_list(struct image_store *s, bool layers, struct image ***ret, size_t *ret_n, struct err *err);

/* Remove a tag or, by id, the image with all its tags (ERR_CONFLICT with several repositories unless `force`). in_use tells whether a
 * container needs the image id. *ret: array of {"Untagged": …} and {"Deleted": …} as the Engine API answers. Blobs and layers that nothing
 * needs any more are removed; drop_layer is called for each diff id that no image holds. */
int image_remove(struct image_store *s, const char *name, bool force, bool (*in_use)(const char *id, void *data),
                 int (*drop_layer)(const char *diff_id, void *data), void *data, json_t **ret, struct err *err);
int image_tag(struct image_store *s, const char *name, const char *target, struct err *err);

/* Does any image hold this layer? For the engine's own sweep of layers after a death. */
bool image_layer_is_needed(struct image_store *s, const char *diff_id);

/* What no image needs and nobody is about to need: blobs, and of the given layers those. A blob is removed with `remove`; a layer is left to layer_fn, and
 * nobody makes it or takes it into use meanwhile. */
struct image_strays {
        bool remove;
        const char *const *diff_ids;
        size_t n_diff_ids;
        void (*blob_fn)(const char *name, int result, void *data);
        void (*layer_fn)(const char *diff_id, void *data);
        void *data;
};
int image_find_strays(struct image_store *s, const struct image_strays *what, struct err *err);

/* Every blob is read and compared with its name. `broken` is told of each that is not what it is called, or not there: the images that have it ("a, b"; "": none), and
 * negative errno when it is still so: only a layer's is removed, with `remove`, so that the next pull of the image fetches it. `progress` (bytes; may be NULL)
 * ends it by a negative return. */
struct image_verify {
        bool remove;
        void (*broken)(const char *digest, const char *problem, const char *images, int result, void *data);
        int (*progress)(uint64_t done, uint64_t total, void *data);
        void *data;
};
int image_verify_blobs(struct image_store *s, const struct image_verify *what, struct err *err);

/* --- getting them --- */

/* Progress, in the order of events, from one thread at a time: objects of Docker's stream ({"status","id","progressDetail","progress"}; borrowed).
 * A negative return cancels. */
typedef int (*image_progress_fn)(const json_t *event, void *data);

/* Once its layers are unpacked, are the blobs of an image thrown away that they came as? Then it cannot be pushed, saved, or be the base of another until
 * it is pulled or loaded again. */
enum image_discard { IMAGE_DISCARD_DEFAULT /* as in struct image_registries */, IMAGE_DISCARD, IMAGE_KEEP };

struct image_pull {
        const char *reference;
        const char *platform;      /* "linux/amd64", or NULL for the host's */
        const char *username, *password, *identity_token; /* NULL: anonymous */
        const char *server;        /* the address of whom they are for: nobody else is shown them; NULL: the reference's registry */
        const char *ca_file;       /* extra CA, or NULL */
        bool insecure;             /* plain HTTP is allowed; always so for loopback registries */
        enum image_discard discard;
};
/* Manifest list → platform → manifest → config → layers; every digest is checked while it streams; layers in parallel; nothing half-made is
 * left when it fails. Names under kist.local/ never leave the host: ERR_NOT_FOUND. */
int image_pull(struct image_store *s, const struct image_pull *p, image_progress_fn progress, void *data, struct err *err);
struct image_push {
        const char *reference;     /* with a tag; with all_tags only its repository counts */
        bool all_tags;
        const char *platform;      /* NULL: the whole index, if all of it is here */
        const char *username, *password, *identity_token, *server; /* as for a pull */
        bool insecure;
};
/* Blobs that the registry has not, then manifests, then the name, byte for byte as they were pulled or made. ERR_NOT_FOUND: no such image. */
int image_push(struct image_store *s, const struct image_push *p, image_progress_fn progress, void *data, struct err *err);

struct image_login {
        const char *registry; /* HOST[:PORT], or an address as of image_registry_of_address() */
        const char *username, *password, *identity_token;
};
/* Does the registry take the credentials? ERR_UNAUTHORIZED: it does not. *ret_known is false when it asks nobody for any; *ret_token, the caller's, is what to
 * show instead of the password from now on; NULL: the password. */
int image_login(struct image_store *s, const struct image_login *l, bool *ret_known, char **ret_token, struct err *err);

/* What the registry, or a mirror of it, has under that name: {"Descriptor":{"mediaType","digest","size","artifactType"},"Platforms":[{"architecture","os","variant"}]}. With `whole`
 * also its text ("Manifest") and its whole name ("Reference"), and the platform of a single image stands in its "Descriptor". */
int image_describe_remote(struct image_store *s, const struct image_pull *p, bool whole, json_t **ret, struct err *err);

/* A manifest list or index under a name. What it lists must be in the repository, or is brought there first: `from` has, for the digest of an entry, another repository of the same
 * registry, whose blobs are mounted. *ret: {"Digest": of the list, "Copied": [digests]}. */
struct image_list_push {
        const char *reference;             /* with a tag */
        const char *media_type, *text;
        size_t size;
        const json_t *from;                /* {"sha256:…": "a/b"}; NULL: nothing is brought */
        const struct image_pull *access;   /* whose `reference` does not count */
};
int image_push_list(struct image_store *s, const struct image_list_push *p, json_t **ret, struct err *err);

/* What refers to it as its subject, of the registry itself (a mirror may know of less): {"Subject": digest, "Source": "api" or, where the registry has none, "tag" (sha256-<hex>),
 * "Manifests": [descriptors]}. artifact_type: only those; NULL: all. At most 1,000. */
int image_referrers(struct image_store *s, const struct image_pull *asked, const char *artifact_type, json_t **ret, struct err *err);
/* In the registry: [{"Untagged"|"Deleted": name}]. ERR_UNSUPPORTED: the registry does not do that. */
int image_delete_remote(struct image_store *s, const struct image_pull *asked, json_t **ret, struct err *err);

/* An archive (a tar, plain or compressed) of an OCI layout, or the older one of "docker save", from a file or pipe: also what an empty daemon imports at
 * first start. Names come from org.opencontainers.image.ref.name (whole references) or RepoTags, or are `name` when that is given. ids (may be NULL): an array
 * that gets the id of each image. */
int image_load(struct image_store *s, int archive_fd, const char *name, enum image_discard discard, json_t *ids, image_progress_fn progress, void *data, struct err *err);

/* --- giving and making them --- */

/* The images of these names as one tar of an OCI layout, with Docker's manifest.json: what image_load() takes, and others do. -ECANCELED when
 * cancel_fd (may be negative) becomes readable. */
int image_save(struct image_store *s, const char *const *names, size_t n, int out_fd, int cancel_fd, struct err *err);

struct image_commit {
        const char *base_id;   /* "sha256:…": the image that it begins with */
        /* One more layer on it: writes its tar to fd, a file. A layer without a member makes none. */
        int (*layer)(void *data, int fd, struct err *err);
        void *data;
        const json_t *config;  /* the "config" of the new image */
        const char *author, *comment, *created_by;
        const char *name;      /* a reference, or NULL */
};
/* ret_id: of the new image. What the name pointed at before stays as an image without one. */
int image_commit(struct image_store *s, const struct image_commit *c, char ret_id[72], struct err *err);

/* The archive of a file system as an image of one layer, kept compressed as it comes (plain, gzip or zstd). */
struct image_from_archive {
        int archive_fd, cancel_fd; /* cancel_fd may be negative; readable: -ECANCELED */
        const json_t *config;      /* the "config" of the image */
        const char *comment, *platform, *name; /* NULL: none; the host's; without a name */
        int64_t made_unix_s;       /* what it says of when it was made; 0: now */
};
int image_from_archive(struct image_store *s, const struct image_from_archive *a, char ret_id[72], struct err *err);

/* The lower layers of an image as an image of their own. Nothing is copied: texts are made, the layers are there. */
struct image_cut {
        const char *image;
        size_t n_layers;      /* to keep; fewer than it has */
        size_t n_history;     /* entries to keep, oldest first; 0: none, where they do not tell of these layers */
        const json_t *config; /* its "config" */
        const char *name;     /* NULL: without */
};
int image_cut(struct image_store *s, const struct image_cut *c, char ret_id[72], struct err *err);

/* GET /images/search: [{"name","description","star_count","is_official","is_automated"}]. The term may begin with a registry. A registry of the second version
 * of the protocol has no search: its catalogue is looked through, and names are whole. ERR_UNSUPPORTED: it has neither. */
struct image_search {
        const char *term;
        unsigned limit; /* 1 to 100 */
        const char *username, *password, *identity_token, *server; /* as of image_pull */
};
int image_search(struct image_store *s, const struct image_search *asked, json_t **ret, struct err *err);
