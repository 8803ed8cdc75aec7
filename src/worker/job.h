/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What kistd and a kist-worker say to each other. A worker does one job in one of five modes and ends: everything that parses foreign
 * bytes (TLS, HTTP, compression, tar) happens in it. It is spawned as `kist-worker MODE` with
 *
 *     fd 3  control: AF_UNIX SOCK_SEQPACKET, one JSON object per message, at most WORKER_MESSAGE_MAX bytes; fds beside it where said
 *     fd 4  the user namespace to live in (65,536 ids)
 *
 * and confines itself before it touches the first foreign byte: joins the user namespace, becomes its root or its
 * user 65534 (fetch), new mount/ipc/uts namespaces, a network namespace of its own (not for fetch), no-new-privileges, Landlock where the kernel has it,
 * rlimits (memory, files, cpu time), a seccomp filter, not dumpable. All that it writes goes through fds that it was given.
 * The daemon treats every answer as hostile: sized, typed, paths resolved beneath the directory only.
 *
 * fetch   one registry, many requests at once (libcurl multi: connections are reused, HTTP/2 where the registry has it)
 *   →  {"op":"open","registry":"localhost:5000","repository":"a/b","insecure":true,"username":…,"password":…,"identity_token":…,"ca_pem":…,"cert_pem":…,"key_pem":…}   first, once
 *        "scheme":"http"|"https" of a mirror: nothing else is tried; "attempts":5 of what may go better next time; "http_proxy", "https_proxy", "no_proxy"
 *        to push also "push":true, to delete "delete":true, and "from": another repository whose blobs may be mounted; without a repository, for "ping" only: "offline":true asks for an identity token
 *   →  {"op":"manifest","id":1,"reference":"latest"|"sha256:…","accept":["…"],"max":4194304}  + fd: write end of a pipe for the body
 *   →  {"op":"head","id":1,"reference":…,"accept":["…"]}   what is behind the name: "digest" and "media_type" of its "done"; without a digest, the registry does not say
 *   →  {"op":"place","id":1,"place":"v1/search?q=x","accept":["…"],"max":4194304}           + fd: write end of a pipe for the body: what the registry has there
 *   →  {"op":"blob","id":2,"digest":"sha256:…","size":123}                                     + fd: write end of a pipe for the body
 *   →  {"op":"upload","id":3,"digest":"sha256:…","size":123,"from":"c/d"}                      + fd: the blob's file
 *   →  {"op":"put","id":4,"reference":"latest","digest":"sha256:…","media_type":"…","size":…}  + fd: the manifest's file
 *   →  {"op":"mount","id":5,"digest":"sha256:…","from":"c/d"}   a blob that is to be had of another repository of the registry, and only so
 *   →  {"op":"delete","id":6,"reference":"latest"|"sha256:…"}   a manifest with all its names, or, of a registry that can do that, a tag
 *   →  {"op":"ping","id":7}   are the credentials good?
 *   ←  {"event":"done","id":3,"how":"exists"|"mounted"|"sent"|"deleted",…}, of a ping "known"|"open" (nobody asked for credentials), and "identity_token" if one was given;
 *      of a put, "subject": the digest that the registry now lists it under as a referrer; of a place, "next": the place where the list goes on
 *   ←  {"event":"progress","id":2,"bytes":65536}                    at most ten a second for each id
 *   ←  {"event":"done","id":1,"media_type":"…","size":…}            after the last byte was written and the pipe closed; of a manifest
 *                                                                   also its "digest": the sum of what was written
 *   ←  {"event":"error","id":1,"kind":"not found","message":"…"}    kind: err_kind_name(); the pipe is closed
 *      A blob that breaks off is resumed by range, as often as "attempts" says, with back-off or after the Retry-After of the registry (a minute at most). Credentials (basic, bearer token from the realm of the
 *      challenge) go to the registry's own origin and, for tokens, to its realm over TLS only (or loopback); never along a redirect to another host.
 *      Insecure: TLS without asking for a known certificate, else plain HTTP. "docker.io" is known to mean
 *      registry-1.docker.io. The worker ends when the control socket is closed.
 *
 * unpack  one layer: read → verify digest → decompress → verify diff id → tree in overlay form, one stream
 *   →  {"op":"unpack","digest":"sha256:…","size":123 (of the compressed blob; 0: unknown),"diff_id":"sha256:…","limits":{"bytes":…,"entries":…,"ratio":…}}
 *        Without "digest" (then "name" says what the layer is called in messages) or "diff_id" they are found out, not compared.
 *        + fds: input (pipe or file), the blob to write (file; left out: do not keep it), directory
 *      fds in order: input, directory, [blob file]. Compression is told from the magic bytes: gzip, zstd, none.
 *   ←  {"event":"progress","bytes":…}   compressed bytes consumed, at most ten a second
 *   ←  {"event":"opaque","path":"a/b"}  the daemon sets trusted.overlay.opaque on it; "": the root
 *   ←  {"event":"device","path":"dev/x","mode":8612,"uid":0,"gid":0,"major":1,"minor":3}   the daemon makes it, or leaves it out, by its policy
 *   ←  {"event":"done","size":… (bytes of the files),"entries":…,"blob_size":…,"digest":…,"diff_id":…} | {"event":"error","kind":…,"message":…}
 *      With "keep_blob" and a blob to write, of bytes that cannot be unpacked the rest is read, written and summed as well; when they are what "digest" and "size" say, then
 *   ←  {"event":"blob","blob_size":…}   comes before the error
 *      Entries that leave the root ("..", hard links or parents through symlinks) fail the job, as do a wrong digest, size or diff id.
 *      Also refused: ids above 65535, names of more than 255 parts, extended attributes of overlayfs, a 0:0 character device. A directory of a layer
 *      that also has a whiteout of the same name is reported as opaque.
 *
 * load    an archive of an OCI layout → its files
 *   →  {"op":"load","limits":{…}}  + fds: input (tar, plain, gzip or zstd), directory
 *   ←  {"event":"done","blobs":3,"bytes":…} | {"event":"error",…}
 *   ←  {"event":"layer","digest":"sha256:…" | "name":"<id>/layer.tar","size":…}   a member that may be a layer, by its name in the archive. The worker waits for
 *   →  {"op":"layer","do":"pour"}  + fd: write end of a pipe that gets its bytes, unsummed; should its reader go away, the rest is passed over
 *   →  {"op":"layer","do":"skip"} | {"op":"layer","do":"keep"}   it is not needed | it becomes a file, as any other blob
 *      "progress" as in unpack. Makes only oci-layout, index.json, manifest.json and blobs/sha256/<64 hex> (each verified against its name);
 *      any other member is skipped when it is a directory (or "repositories", which "docker save" still writes), refused otherwise.
 *   ←  {"event":"member","name":"<id>/layer.tar","digest":"sha256:…"} | {"event":"member","name":…,"target":"../<id>/layer.tar"}   of Docker's older
 *      archives ("<id>.json", "<id>.tar", "<id>/layer.tar"): it is now that blob, or a link to another member. At most 4,096.
 *   →  {"op":"keep","limits":{…}}  + fds: input (plain, gzip or zstd), directory
 *   ←  {"event":"done","digest":…,"diff_id":…,"size":…,"compression":"uncompressed"|"gzip"|"zstd"}: its bytes are in the file WORKER_KEPT_LAYER, to be unpacked as a layer
 *
 * pack    a tree → a tar stream. Read only. The namespace is one in which the tree has the ids that the archive is to say.
 *   →  {"op":"tree","path":"/etc/x","follow":false,"name":"x","only_stat":false,"exact":false}  + fds: output (pipe), directory (a container's root)
 *      `path` as in the container; "name" is what the members are called by (left out: the last part of path; "": nothing before the slash).
 *   ←  {"event":"stat","name":"x","size":…,"mode":… (st_mode),"mtime_s":…,"mtime_ns":…,"target":"/etc/y" (of a symlink, to its end)}   before the first byte
 *   →  {"op":"layer","hidden":["/etc/hosts"]} | {"op":"changes","hidden":…}  + fds: output, the container's whole root, its changes (overlay upper), its image
 *      layer: an image layer with whiteouts. changes: per change 'C', 'A' or 'D', the path and a NUL. Hidden: left out when it was added and is empty.
 *   ←  {"event":"done","entries":…,"bytes":…} | {"event":"error",…}
 *      Kernel file systems (proc, sysfs, …) and tmpfs mounted below what was asked for are left out; sockets, too. What vanishes meanwhile is left out.
 *
 * extract a tar stream (plain, gzip or zstd) → into a directory of a container, which may be running
 *   →  {"op":"extract","path":"/tmp","keep_kinds":true,"own_root":false,"uid":…,"gid":… (both left out: as the archive says),"limits":{…}}  + fds: input, directory
 *   ←  {"event":"done","size":…,"entries":…} | {"event":"error",…}
 *      With "own_root" the member "." says owner, mode and attributes of the place itself. Device nodes are refused.
 */

#define WORKER_KEPT_LAYER "layer"

enum {
        WORKER_MESSAGE_MAX = 65536,
        WORKER_FD_CONTROL = 3,
        WORKER_FD_USERNS = 4,
};

/* Limits of one layer when the job names none: options of the daemon. */
#define WORKER_LIMIT_BYTES (64ull << 30)
#define WORKER_LIMIT_ENTRIES 4000000ull
#define WORKER_LIMIT_RATIO 1000ull /* unpacked : compressed, once more than 64 MiB are unpacked */
