# Images from a real registry on loopback, and from one that serves wrong things on purpose.
load ../lib/kist

setup_file() {
	kist_start
	registry_start
	local work=$KT_DIR/images
	mkdir -p "$work/one/bin" "$work/two/etc" "$work/three/d"
	cp "$(command -v busybox)" "$work/one/bin/busybox"
	ln -s busybox "$work/one/bin/sh"
	ln "$work/one/bin/busybox" "$work/one/bin/cat"
	echo first >"$work/two/etc/a"; echo stays >"$work/two/etc/b"
	mkdir "$work/two/d"; echo hidden >"$work/two/d/old"
	touch "$work/three/etc.wh"; echo new >"$work/three/d/new"; touch "$work/three/d/.wh..wh..opq"
	mkdir "$work/three/etc"; touch "$work/three/etc/.wh.a"; rm "$work/three/etc.wh"
	install -m 4755 /dev/null "$work/three/setuid"
	chown 12:34 "$work/three/d/new"
	for layer in one two three; do tar -C "$work/$layer" --sort=name --mtime=@1700000000 --numeric-owner -cf "$work/$layer.tar" .; done
	"$BATS_TEST_DIRNAME/../lib/oci-image" "$work/layout" "$work/one.tar" "$work/two.tar:zstd" "$work/three.tar" --index \
		--config '{"Env":["PATH=/bin","FROM=image"],"Cmd":["sh","-c","echo default command"],"WorkingDir":"/d"}'
	skopeo copy -q --all --dest-tls-verify=false "oci:$work/layout" "docker://127.0.0.1:$REGISTRY_PORT/test/three:1"
	BAD_PORT=$(free_port)
	export BAD_PORT
	"$BATS_TEST_DIRNAME/../lib/bad-registry" "$BAD_PORT" 3>&- &
	echo $! >"$KT_DIR/bad.pid"
	eventually curl -sf "http://127.0.0.1:$BAD_PORT/v2/"
}

teardown_file() {
	kill "$(cat "$KT_DIR/bad.pid")"
	kist_end
}

# Nothing of a failed pull is left: no image, no layer, no scratch directory, no half-written blob.
pulled_nothing() { # COMMAND...
	find "$KT_DIR/root/oci" "$KT_DIR/root/layers" "$KT_DIR/root/tmp" | sort >"$BATS_TEST_TMPDIR/before"
	run -1 "$@"
	find "$KT_DIR/root/oci" "$KT_DIR/root/layers" "$KT_DIR/root/tmp" | sort >"$BATS_TEST_TMPDIR/after"
	diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
}

@test "pull: index, platform, gzip and zstd layers; run it; pull again; remove it" {
	for C in $(clients); do
		run -0 client "$C" pull "$REGISTRY/test/three:1"
		[[ "$output" == *"Digest: sha256:"* && "$output" == *"Downloaded newer image"* ]]
		run -0 client "$C" pull "$REGISTRY/test/three:1"
		[[ "$output" == *"Image is up to date"* ]]
		[ "$(client "$C" run --rm "$REGISTRY/test/three:1")" = "default command" ]
		[ "$(client "$C" run --rm "$REGISTRY/test/three:1" sh -c 'echo $FROM')" = image ]
		client "$C" images | grep -q "$REGISTRY/test/three *1 "
		client "$C" rmi "$REGISTRY/test/three:1"
		run -1 client "$C" inspect --type image "$REGISTRY/test/three:1"
	done
	# What was only its own is gone from the disk.
	[ "$(ls "$KT_DIR/root/layers/sha256" | wc -l)" -eq 1 ]
}

@test "run pulls what is missing; --pull never does not" {
	run ! "$KIST" run --rm --pull never "$REGISTRY/test/three:1"
	[[ "$output" == *"No such image"* ]]
	[ "$("$KIST" run --rm "$REGISTRY/test/three:1" 2>/dev/null)" = "default command" ]
}

@test "layers are merged as overlayfs does it: whiteouts, opaque directories, owners, modes, hard links" {
	"$KIST" pull -q "$REGISTRY/test/three:1"
	run -0 "$KIST" run --rm "$REGISTRY/test/three:1" busybox sh -c 'test ! -e /etc/a && cat /etc/b && busybox ls /d && busybox stat -c "%u:%g %a %Y" /d/new && busybox stat -c %a /setuid && busybox stat -c %h /bin/busybox'
	[ "${lines[0]}" = stays ]
	[ "${lines[1]}" = new ]
	[ "${lines[2]}" = "12:34 644 1700000000" ]
	[ "${lines[3]}" = 4755 ]
	[ "${lines[4]}" = 2 ]
}

@test "by digest, and by another name" {
	digest=$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://127.0.0.1:$REGISTRY_PORT/test/three:1")
	raw=sha256:$(skopeo inspect --tls-verify=false --raw "docker://127.0.0.1:$REGISTRY_PORT/test/three:1" | sha256sum | cut -d ' ' -f 1)
	"$KIST" pull -q "$REGISTRY/test/three@$raw"
	"$KIST" run --rm "$REGISTRY/test/three@$raw" true || "$KIST" run --rm "$REGISTRY/test/three@$raw" busybox true
	"$KIST" tag "$REGISTRY/test/three:1" other:name
	[ "$("$KIST" run --rm other:name)" = "default command" ]
	"$KIST" rmi other:name
	[ -n "$digest" ]
}

@test "the store is an OCI layout that other tools read" {
	"$KIST" pull -q "$REGISTRY/test/three:1"
	jq -e '.imageLayoutVersion == "1.0.0"' "$KT_DIR/root/oci/oci-layout"
	skopeo copy -q "oci:$KT_DIR/root/oci:$REGISTRY/test/three:1" "dir:$BATS_TEST_TMPDIR/copy"
	# Every blob is what its name says.
	for blob in "$KT_DIR"/root/oci/blobs/sha256/*; do
		[ "$(sha256sum <"$blob" | cut -d ' ' -f 1)" = "$(basename "$blob")" ]
	done
}

@test "two pulls of the same image at once" {
	"$KIST" rmi -f "$REGISTRY/test/three:1" 2>/dev/null || true
	"$KIST" pull -q "$REGISTRY/test/three:1" 3>&- & a=$!
	"$KIST" pull -q "$REGISTRY/test/three:1" 3>&- & b=$!
	wait $a
	wait $b
	[ "$("$KIST" run --rm "$REGISTRY/test/three:1")" = "default command" ]
}

@test "progress: plain lines in a pipe, bars on a terminal" {
	"$KIST" rmi -f "$REGISTRY/test/three:1" 2>/dev/null || true
	run -0 "$KIST" pull "$REGISTRY/test/three:1"
	[[ "$output" != *$'\033'* && "$output" == *"Pull complete"* ]]
	"$KIST" rmi "$REGISTRY/test/three:1"
	TERM=xterm run -0 script -qec "$KIST pull $REGISTRY/test/three:1" /dev/null
	[[ "$output" == *$'\033[K'* ]]
	# A terminal that can only print gets the lines of a pipe.
	"$KIST" rmi "$REGISTRY/test/three:1"
	TERM=dumb run -0 script -qec "$KIST pull $REGISTRY/test/three:1" /dev/null
	[[ "$output" != *$'\033'* && "$output" == *"Pull complete"* ]]
	[ "$(tr -d '\r' <<<"$output" | sort)" = "$("$KIST" rmi "$REGISTRY/test/three:1" >/dev/null; "$KIST" pull "$REGISTRY/test/three:1" | sort)" ]
}

@test "bad: unknown image, unknown registry, names that are none" {
	pulled_nothing "$KIST" pull "$REGISTRY/no/such:1"
	[[ "$output" == *"no/such"* && "${#lines[@]}" -eq 1 ]]
	pulled_nothing "$KIST" pull localhost:1/no/such:1
	[[ "$output" == *"localhost:1"* ]]
	pulled_nothing "$KIST" pull "case/UPPER"
	[[ "$output" == *"invalid reference format"* ]]
	[ "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$KT_DIR/kist.sock" -X POST "http://kist/images/create?fromImage=$REGISTRY/no/such&tag=1")" = 404 ]
	[ "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$KT_DIR/kist.sock" -X POST "http://kist/images/create?fromImage=localhost:1/no/such&tag=1")" = 503 ]
	pulled_nothing "$KIST" pull kist.local/nothing
	[[ "$output" == *"kist.local/nothing"* ]]
	[ "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$KT_DIR/kist.sock" -X POST "http://kist/images/create?fromImage=case/UPPER")" = 400 ]
}

@test "bad: a Windows-only image" {
	pulled_nothing "$KIST" pull "localhost:$BAD_PORT/windows-only"
	[[ "$output" == *"no matching manifest for linux/amd64"* || "$output" == *"no matching manifest for linux/arm64"* ]]
	pulled_nothing client docker pull "localhost:$BAD_PORT/windows-only"
	[[ "$output" == *"no matching manifest for linux/"* ]]
}

@test "bad: wrong digest, wrong diff id, truncated layer, corrupt gzip" {
	pulled_nothing "$KIST" pull "localhost:$BAD_PORT/wrong-digest"
	[[ "$output" == *sha256:1234567890ab* ]]
	pulled_nothing "$KIST" pull "localhost:$BAD_PORT/wrong-diff-id"
	[[ "$output" == *sha256:* ]]
	pulled_nothing "$KIST" pull "localhost:$BAD_PORT/truncated"
	pulled_nothing "$KIST" pull "localhost:$BAD_PORT/corrupt-gzip"
	[[ "$output" == *gzip* || "$output" == *"compressed"* ]]
}

@test "bad: manifests that are no JSON, huge, of schema 1, of two minds, or that do not fit their config" {
	for kind in bad-json huge-manifest schema1 both no-layers-match; do
		pulled_nothing "$KIST" pull "localhost:$BAD_PORT/$kind"
		[[ "$output" == *"$kind"* ]] || { echo "$kind: $output"; false; }
	done
}

@test "a layer that breaks off is resumed" {
	"$KIST" pull -q "localhost:$BAD_PORT/flaky"
	"$KIST" rmi "localhost:$BAD_PORT/flaky"
}

@test "attack: entries that leave the root (CVE-2021-29136 and kin)" {
	pulled_nothing "$KIST" pull "localhost:$BAD_PORT/dotdot"
	[[ "$output" == *escaped* ]]
	pulled_nothing "$KIST" pull "localhost:$BAD_PORT/absolute-link"
	[ ! -e /kist-escaped ]
	[ -z "$(find "$KT_DIR" /tmp -maxdepth 2 -name '*escaped*')" ]
}

@test "load: an OCI archive from a file and from standard input; a damaged one" {
	"$KIST" rmi -f $BUSYBOX
	"$KIST" load -q -i "$BUILD/data/busybox.oci.tar"
	"$KIST" run --rm $BUSYBOX true
	"$KIST" rmi -f $BUSYBOX
	client docker load -q <"$BUILD/data/busybox.oci.tar"
	"$KIST" run --rm $BUSYBOX true
	head -c 300000 "$BUILD/data/busybox.oci.tar" >"$BATS_TEST_TMPDIR/short.tar"
	pulled_nothing "$KIST" load -q -i "$BATS_TEST_TMPDIR/short.tar"
	echo "this is no archive" >"$BATS_TEST_TMPDIR/text"
	pulled_nothing "$KIST" load -q -i "$BATS_TEST_TMPDIR/text"
}

@test "an image in use is not removed" {
	id=$("$KIST" create $BUSYBOX true)
	run -1 "$KIST" rmi "$BUSYBOX"
	[[ "$output" == *"${id:0:12}"* || "$output" == *"in use"* || "$output" == *"using"* ]]
	"$KIST" rm "$id"
}
