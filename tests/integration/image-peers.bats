# The same bytes for everybody: what Kist stores, pushes and pulls, read and made by skopeo, umoci, podman and buildah.
load ../lib/kist

setup_file() {
	kist_start
	registry_start
	W=$KT_DIR/images
	PEER="127.0.0.1:$REGISTRY_PORT"
	export W PEER
	mkdir -p "$W/one/bin" "$W/two" "$W/three"
	cp "$(command -v busybox)" "$W/one/bin/busybox"
	ln -s busybox "$W/one/bin/cat"
	echo two >"$W/two/mark"; echo three >"$W/three/mark"
	for layer in one two three; do tar -C "$W/$layer" --sort=name --mtime=@1700000000 --numeric-owner -cf "$W/$layer.tar" .; done
	"$BATS_TEST_DIRNAME/../lib/oci-image" "$W/layout" "$W/one.tar" "$W/two.tar:zstd" "$W/three.tar:none" --config '{"Cmd":["cat","/mark"]}'
	"$BATS_TEST_DIRNAME/../lib/oci-image" "$W/plain" "$W/one.tar" "$W/two.tar" --config '{"Cmd":["cat","/mark"]}'
	registry_push "$W/layout" theirs/image:1
	registry_push "$W/plain" theirs/plain:1
}
teardown_file() { kist_end; }
teardown() { left_nothing; }

podman_() { env -u DOCKER_CONFIG podman --root "$W/podman" --runroot "$W/podman.run" --storage-driver vfs --events-backend none "$@"; }
buildah_() { env -u DOCKER_CONFIG buildah --root "$W/podman" --runroot "$W/podman.run" --storage-driver vfs "$@"; }

# The manifest of a registry, whole.
raw() { skopeo inspect --raw --tls-verify=false "docker://$PEER/$1"; }
config_digest() { raw "$1" | jq -r .config.digest; }

@test "what was pulled is pushed again byte for byte, and pulled by skopeo as the blobs that are in the store" {
	for name in image plain; do
		"$KIST" pull -q "$REGISTRY/theirs/$name:1"
		"$KIST" tag "$REGISTRY/theirs/$name:1" "$REGISTRY/ours/$name:2"
		"$KIST" push -q "$REGISTRY/ours/$name:2"
		raw "theirs/$name:1" >"$BATS_TEST_TMPDIR/theirs"
		raw "ours/$name:2" | cmp - "$BATS_TEST_TMPDIR/theirs"
		skopeo copy -q --src-tls-verify=false "docker://$PEER/ours/$name:2" "dir:$BATS_TEST_TMPDIR/$name"
		count=0
		for blob in $(jq -r '.config.digest, .layers[].digest' "$BATS_TEST_TMPDIR/theirs"); do
			cmp "$BATS_TEST_TMPDIR/$name/${blob#sha256:}" "$KT_DIR/root/oci/blobs/sha256/${blob#sha256:}"
			count=$((count + 1))
		done
		[ "$count" -ge 3 ]
		"$KIST" rmi "$REGISTRY/theirs/$name:1" "$REGISTRY/ours/$name:2"
	done
}

@test "skopeo and umoci read the store as it lies on the disk" {
	"$KIST" pull -q "$REGISTRY/theirs/plain:1"
	"$KIST" tag "$REGISTRY/theirs/plain:1" plain:1
	digest=$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$PEER/theirs/plain:1")
	[ "$(skopeo inspect --format '{{.Digest}}' "oci:$KT_DIR/root/oci:docker.io/library/plain:1")" = "$digest" ]
	[ "$(skopeo inspect --config "oci:$KT_DIR/root/oci:docker.io/library/plain:1" | jq -c .config.Cmd)" = '["cat","/mark"]' ]
	command -v umoci >/dev/null || skip "no umoci here"
	umoci ls --layout "$KT_DIR/root/oci" >"$BATS_TEST_TMPDIR/tags"
	grep -qx docker.io/library/plain:1 "$BATS_TEST_TMPDIR/tags"
	grep -qx "$REGISTRY/theirs/plain:1" "$BATS_TEST_TMPDIR/tags"
	"$KIST" rmi "$REGISTRY/theirs/plain:1" plain:1
}

@test "podman and buildah pull what Kist made and pushed, with the same digests and ids" {
	command -v podman >/dev/null && command -v buildah >/dev/null || skip "no podman or buildah here"
	"$KIST" import -c 'CMD ["cat","/mark"]' "$W/one.tar" "$REGISTRY/ours/made:1"
	box=$("$KIST" create "$REGISTRY/ours/made:1")
	"$KIST" cp "$W/two/mark" "$box:/mark"
	id=$("$KIST" commit "$box" "$REGISTRY/ours/made:1")
	"$KIST" rm "$box"
	"$KIST" push -q "$REGISTRY/ours/made:1"
	digest=$("$KIST" inspect --type image -f '{{index .RepoDigests 0}}' "$REGISTRY/ours/made:1")
	for peer in podman_ buildah_; do
		$peer pull -q --tls-verify=false "$PEER/ours/made:1"
		[ "sha256:$($peer images -q --no-trunc "$PEER/ours/made:1" | sed s/^sha256://)" = "$id" ]
		[ "$($peer images --format '{{.Digest}}' "$PEER/ours/made:1")" = "${digest#*@}" ]
		$peer rmi "$PEER/ours/made:1"
	done
	"$KIST" rmi -f "$id"
}

@test "Kist pulls what podman and buildah made and pushed, runs it, and gives it back unchanged" {
	command -v podman >/dev/null && command -v buildah >/dev/null || skip "no podman or buildah here"
	box=$(buildah_ from scratch)
	buildah_ add -q "$box" "$W/one.tar" /
	buildah_ copy -q "$box" "$W/three/mark" /mark
	buildah_ config --cmd '["cat","/mark"]' "$box"
	for format in oci docker; do
		buildah_ commit -q --format $format "$box" "$PEER/buildah/$format:1"
		buildah_ push -q --tls-verify=false --format $format "$PEER/buildah/$format:1"
		"$KIST" pull -q "$REGISTRY/buildah/$format:1"
		[ "$("$KIST" inspect --type image -f '{{.Id}}' "$REGISTRY/buildah/$format:1")" = "$(config_digest "buildah/$format:1")" ]
		[ "$("$KIST" run --rm "$REGISTRY/buildah/$format:1")" = three ]
		"$KIST" tag "$REGISTRY/buildah/$format:1" "$REGISTRY/again/$format:1"
		"$KIST" push -q "$REGISTRY/again/$format:1"
		raw "buildah/$format:1" >"$BATS_TEST_TMPDIR/theirs"
		raw "again/$format:1" | cmp - "$BATS_TEST_TMPDIR/theirs"
		# There and back once more, through podman's own store.
		podman_ pull -q --tls-verify=false "$PEER/again/$format:1"
		[ "sha256:$(podman_ images -q --no-trunc "$PEER/again/$format" | sed s/^sha256://)" = "$(config_digest "buildah/$format:1")" ]
		"$KIST" rmi "$REGISTRY/buildah/$format:1" "$REGISTRY/again/$format:1"
	done
	buildah_ rm "$box"
}
