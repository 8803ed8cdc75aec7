# Shared by the attacks: the helpers of tests/attack/helpers, and bundles for kist-runtime whose root file systems are hostile.
load ../lib/kist

RUNTIME=$BUILD/bin/kist-runtime
HELPERS=$BUILD/obj/tests/attack/helpers
# shellcheck disable=SC2034  # used by the files that load this one
MARK=kist-attack-was-here

# A folder with the helpers for -v, as the containers see them: /h/swap …
helpers_folder() {
	local program
	mkdir -p "$KT_DIR/h"
	for program in "$HELPERS"/attack-*; do
		[ ! -x "$program" ] || [ -d "$program" ] || cp "$program" "$KT_DIR/h/${program##*/attack-}"
	done
}

# --- bundles ---

# A folder with a bundle to be copied for every test, and a cgroup for its containers.
bundle_start() {
	[ -n "${KT_DIR:-}" ] || { KT_DIR=$(mktemp -d "${TMPDIR:-/tmp}/kist-test.XXXXXX"); export KT_DIR; }
	RT_CGROUP=kist-test-at$$
	export RT_CGROUP
	local root=$KT_DIR/plain/rootfs program name
	mkdir -p "$root"/{bin,etc,tmp,dev,proc,sys,h}
	cp "$(command -v busybox)" "$root/bin/busybox"
	for name in sh true false echo cat sleep ls id mount env ps kill hostname readlink head stty mknod rm touch mkdir grep dd test stat awk; do
		ln -sf busybox "$root/bin/$name"
	done
	helpers_folder
	cp "$KT_DIR/h/"* "$root/h/"
	(cd "$KT_DIR/plain" && "$RUNTIME" spec)
	jq --arg cg "/$RT_CGROUP/box" '.process.terminal = false | .root.readonly = false | .linux.cgroupsPath = $cg' "$KT_DIR/plain/config.json" >"$KT_DIR/plain/new"
	mv "$KT_DIR/plain/new" "$KT_DIR/plain/config.json"
}

bundle_end() {
	find /sys/fs/cgroup -depth -type d -path "*/$RT_CGROUP*" -exec rmdir {} + 2>/dev/null
	rm -rf "$KT_DIR/plain"
}

# For setup(): a fresh bundle in $B, its root in $R, the name $ID.
bundle_new() {
	B=$BATS_TEST_TMPDIR/bundle R=$BATS_TEST_TMPDIR/bundle/rootfs ID=kist-test-$$-$BATS_TEST_NUMBER
	cp -a "$KT_DIR/plain" "$B"
}

# For teardown(): what is left is the test's failure.
bundle_gone() {
	[ -z "$(rt list -q)" ] && [ -z "$(find /sys/fs/cgroup -type d -path "*/$RT_CGROUP/?*" 2>/dev/null)" ] && ! grep -q "$B" /proc/self/mountinfo && return 0
	local id
	for id in $(rt list -q); do rt delete --force "$id"; done
	echo "a container, a cgroup or a mount is left" >&2
	return 1
}

rt() { "$RUNTIME" --root "$KT_DIR/state" "$@"; }
config() { # JQ-FILTER [JQ-OPTION...]
	local filter=$1
	shift
	jq "$filter" "$B/config.json" "$@" >"$B/new" && mv "$B/new" "$B/config.json"
}
args() { config '.process.args = $ARGS.positional' --args -- "$@"; }
# The host's own user ids: what an engine without user namespaces has.
config_userns() { config '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 1500000000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'; }
rt_run() { timeout 20 "$RUNTIME" --root "$KT_DIR/state" run -b "$B" "$ID" </dev/null 3>&-; }
rt_up() { # a container in the background; its output in $B/out
	rt create -b "$B" "$ID" </dev/null >"$B/out" 2>"$B/err" 3>&- && rt start "$ID"
}
rt_refused() { # the run fails with one line, and nothing of the container has run
	run rt_run
	[ "$status" -ne 0 ] || { echo "it ran: $output" >&2; return 1; }
	[ "${#lines[@]}" -eq 1 ] || { echo "not one line: $output" >&2; return 1; }
}

# --- images ---

# An image of busybox, the helpers, and a folder on top of them, compressed by $LAYER.  image_load NAME FOLDER [CONFIG]
image_load() {
	local work=$BATS_TEST_TMPDIR/image-$1
	mkdir -p "$work/layout"
	[ -f "$KT_DIR/plain.tar" ] || tar -C "$KT_DIR/plain/rootfs" --numeric-owner -cf "$KT_DIR/plain.tar" bin etc tmp h
	tar -C "$2" --numeric-owner -cf "$work/top.tar" .
	"$BATS_TEST_DIRNAME/../lib/oci-image" "$work/layout" "$KT_DIR/plain.tar:none" "$work/top.tar:${LAYER:-gzip}" --config "${3:-{\}}"
	jq --arg name "$1:latest" '.manifests[0].annotations |= . + {"io.containerd.image.name": $name, "org.opencontainers.image.ref.name": $name}' \
		"$work/layout/index.json" >"$work/index" && mv "$work/index" "$work/layout/index.json"
	tar -C "$work/layout" -cf "$work/image.tar" .
	local status=0
	"$KIST" load -q -i "$work/image.tar" || status=$?
	rm -rf "$work"
	return $status
}
