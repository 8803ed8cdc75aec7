# Images of which only the unpacked layers are kept: what still works, what says why it does not, and how they become whole again.
load ../lib/kist

setup_file() {
	kist_start
	registry_start
	local work=$KT_DIR/images
	mkdir -p "$work/one/bin" "$work/two" "$work/three"
	cp "$(command -v busybox)" "$work/one/bin/busybox"
	echo second >"$work/two/second"
	echo third >"$work/three/third"
	for layer in one two three; do tar -C "$work/$layer" --sort=name --mtime=@1700000000 --numeric-owner -cf "$work/$layer.tar" .; done
	"$BATS_TEST_DIRNAME/../lib/oci-image" "$work/layout" "$work/one.tar" "$work/two.tar" --config '{"Cmd":["/bin/busybox","cat","/second"]}'
	"$BATS_TEST_DIRNAME/../lib/oci-image" "$work/other" "$work/one.tar" "$work/three.tar" --config '{"Cmd":["/bin/busybox","cat","/third"]}'
	registry_push "$work/layout" test/two:1
	registry_push "$work/other" test/other:1
	skopeo copy -q "oci:$work/layout" "docker-archive:$work/docker.tar:loaded:1"
	skopeo copy -q "oci:$work/layout" "oci-archive:$work/oci.tar:loaded:1"
}
teardown_file() { kist_end; }
teardown() {
	"$KIST" images --format '{{.Repository}}:{{.Tag}}' | grep -v '^kist.local/' | xargs -r "$KIST" rmi -f >/dev/null
	left_nothing
}

raw() { skopeo inspect --tls-verify=false --raw "docker://127.0.0.1:$REGISTRY_PORT/$1"; }
layers_of() { raw "$1" | jq -r '.layers[].digest | sub("sha256:"; "")'; }
blob_is() { [ -e "$KT_DIR/root/oci/blobs/sha256/$1" ]; }
has_blobs() { for blob in $(layers_of "$1"); do blob_is "$blob" || return 1; done; }
has_no_blobs() { for blob in $(layers_of "$1"); do ! blob_is "$blob" || return 1; done; }
sound() {
	run "$KIST" system fsck --digests
	[ "$status" = 0 ] && [ -z "$output" ] || { echo "$output" >&2; return 1; }
}
store_files() { find "$KT_DIR/root/oci" "$KT_DIR/root/layers" "$KT_DIR/root/tmp" | sort; }

# One line that says what to do; and the store is as it was.
says_why() { # IMAGE COMMAND...
	local image=$1
	shift
	store_files >"$BATS_TEST_TMPDIR/before"
	run ! "$@"
	[ "${#lines[@]}" -ge 1 ]
	[[ "${lines[-1]}" == *"$image"*"is here unpacked only (discard-blobs): pull or load the image again with --discard-blobs=false" ]] || { echo "$output" >&2; cat "$KT_DIR/root/oci/index.json" >&2; for n in two other; do raw test/$n:1 >&2; done; ls "$KT_DIR/root/oci/blobs/sha256" >&2; return 1; }
	diff "$BATS_TEST_TMPDIR/before" <(store_files)
}

@test "pull --discard-blobs: manifest, config and unpacked layers; it runs, and nobody misses the rest" {
	store_files >"$BATS_TEST_TMPDIR/first"
	"$KIST" pull -q --discard-blobs "$REGISTRY/test/two:1"
	has_no_blobs test/two:1
	blob_is "$(raw test/two:1 | sha256sum | cut -d ' ' -f 1)"
	blob_is "$("$KIST" image inspect -f '{{.Id}}' "$REGISTRY/test/two:1" | cut -d : -f 2)"
	[ "$("$KIST" run --rm --pull never "$REGISTRY/test/two:1")" = second ]
	[ "$("$KIST" image inspect -f '{{len .RootFS.Layers}}' "$REGISTRY/test/two:1")" = 2 ]
	[ "$("$KIST" image inspect -f '{{.Size}}' "$REGISTRY/test/two:1")" -gt 100000 ]
	"$KIST" system df | grep -q '^Images'
	# It says so, and says no more once it is not so.
	is_said() { # true|false
		[ "$("$KIST" image inspect -f '{{if .BlobsDiscarded}}true{{else}}false{{end}}' "$REGISTRY/test/two:1")" = "$1" ]
		[ "$("$KIST" images --format '{{.BlobsDiscarded}}' "$REGISTRY/test/two:1")" = "$1" ]
		# A column that Docker does not have: there when it has something to say.
		[ "$("$KIST" system df -v | grep -Ec "CONTAINERS +BLOBS DISCARDED|^$REGISTRY/test/two .* true *$")" = "$([ "$1" = true ] && echo 2 || echo 0)" ]
		[ "$(curl -sf --unix-socket "$KT_DIR/kist.sock" http://kist/images/json | jq --arg n "$REGISTRY/test/two:1" '.[] | select(.RepoTags | index($n)) | .BlobsDiscarded // false')" = "$1" ]
	}
	is_said true
	"$KIST" pull -q "$REGISTRY/test/two:1"
	is_said false
	"$KIST" pull -q --discard-blobs "$REGISTRY/test/two:1"
	is_said true
	"$KIST" history "$REGISTRY/test/two:1"
	sound
	# The daemon remembers.
	kistd_stop; kistd_up
	has_no_blobs test/two:1
	sound
	run -0 "$KIST" pull --discard-blobs "$REGISTRY/test/two:1"
	[[ "$output" == *"Image is up to date"* && "$output" != *"Pull complete"* ]]
	has_no_blobs test/two:1
	"$KIST" rmi "$REGISTRY/test/two:1"
	diff "$BATS_TEST_TMPDIR/first" <(store_files)
}

@test "what needs the blobs says so in one line: push, save, commit, checkout; a pull without the option brings the same bytes back" {
	"$KIST" pull -q --discard-blobs "$REGISTRY/test/two:1"
	"$KIST" tag "$REGISTRY/test/two:1" "$REGISTRY/test/again:1"
	"$KIST" create --name base "$REGISTRY/test/two:1" true
	for C in $(clients); do
		says_why "$REGISTRY/test/again:1" client "$C" push "$REGISTRY/test/again:1"
		says_why "$REGISTRY/test/two:1" client "$C" save -o "$BATS_TEST_TMPDIR/a.tar" "$REGISTRY/test/two:1"
		says_why "" client "$C" commit base committed:1
	done
	says_why "" "$KIST" image checkout "$REGISTRY/test/two:1@-1"
	"$KIST" rm base
	run -0 "$KIST" pull "$REGISTRY/test/two:1"
	[[ "$output" == *"Pull complete"* ]]
	has_blobs test/two:1
	sound
	"$KIST" push "$REGISTRY/test/again:1"
	cmp <(raw test/two:1) <(raw test/again:1)
	"$KIST" save -o "$BATS_TEST_TMPDIR/a.tar" "$REGISTRY/test/two:1"
	skopeo inspect --raw "oci-archive:$BATS_TEST_TMPDIR/a.tar" | cmp - <(raw test/two:1)
	# And away with them again, though the image is here already.
	"$KIST" rmi "$REGISTRY/test/again:1"
	"$KIST" pull -q --discard-blobs "$REGISTRY/test/two:1"
	has_no_blobs test/two:1
	[ "$("$KIST" run --rm --pull never "$REGISTRY/test/two:1")" = second ]
	sound
}

@test "a blob that another image needs stays, and goes with that one" {
	local shared
	shared=$(layers_of test/two:1 | head -n 1)
	[ "$shared" = "$(layers_of test/other:1 | head -n 1)" ]
	"$KIST" pull -q "$REGISTRY/test/other:1"
	run -0 "$KIST" pull --discard-blobs "$REGISTRY/test/two:1"
	[[ "$output" == *"Already exists"* ]]
	has_blobs test/other:1
	! blob_is "$(layers_of test/two:1 | tail -n 1)"
	"$KIST" push "$REGISTRY/test/other:1"
	"$KIST" tag "$REGISTRY/test/two:1" whole:1 # names are of one kind each: this one is as the first
	"$KIST" rmi "$REGISTRY/test/other:1"
	! blob_is "$shared"
	[ "$("$KIST" run --rm --pull never whole:1)" = second ]
	sound
}

@test "load --discard-blobs: an older archive of Docker and an OCI layout; loaded again without it, the image is whole" {
	for archive in docker oci; do
		"$KIST" load -q --discard-blobs -i "$KT_DIR/images/$archive.tar"
		[ "$(find "$KT_DIR/root/oci/blobs/sha256" -size +200k | wc -l)" = 1 ] # the bundled image's
		name=$("$KIST" images --format '{{.Repository}}:{{.Tag}}' | grep -v '^kist.local/')
		[ "$("$KIST" run --rm --pull never "$name")" = second ]
		says_why "$name" "$KIST" save -o "$BATS_TEST_TMPDIR/a.tar" "$name"
		sound
		"$KIST" load -q -i "$KT_DIR/images/$archive.tar"
		"$KIST" save -o "$BATS_TEST_TMPDIR/a.tar" "$name"
		"$KIST" load -q --discard-blobs -i "$BATS_TEST_TMPDIR/a.tar" # what is here already goes, too
		says_why "$name" "$KIST" save -o "$BATS_TEST_TMPDIR/b.tar" "$name"
		sound
		"$KIST" rmi "$name"
	done
}

@test "discard-blobs of the daemon is for pulls and loads that do not say; SIGHUP changes it" {
	local file=$KT_DIR/kistd.json
	configure() {
		echo "$1" >"$file"
		: >"$KT_DIR/kistd.log"
		kill -HUP "$(kistd_pid)"
		eventually grep -q "configuration reread" "$KT_DIR/kistd.log"
	}
	kistd_stop
	echo '{"discard-blobs": true}' >"$file"
	kistd_up --config "$file"
	"$KIST" run --rm "$REGISTRY/test/two:1" | grep -qx second
	has_no_blobs test/two:1
	docker -H "unix://$KT_DIR/kist.sock" pull -q "$REGISTRY/test/other:1"
	has_no_blobs test/other:1
	"$KIST" pull -q --discard-blobs=false "$REGISTRY/test/two:1"
	has_blobs test/two:1
	curl -sf --unix-socket "$KT_DIR/kist.sock" -X POST "http://kist/images/create?fromImage=$REGISTRY/test/two&tag=1&discardBlobs=1" >/dev/null
	has_no_blobs test/two:1
	[ "$(curl -s -o "$BATS_TEST_TMPDIR/answer" -w '%{http_code}' --unix-socket "$KT_DIR/kist.sock" -X POST "http://kist/images/create?fromImage=$REGISTRY/test/two&tag=1&discardBlobs=maybe")" = 400 ]
	configure '{}'
	"$KIST" pull -q "$REGISTRY/test/two:1"
	has_blobs test/two:1
	kistd_stop; kistd_up
}
