# OCI artifacts: charts, signatures and whatever else a registry keeps that is no image. Kept, listed, handed on byte for byte, and never run.
load ../lib/kist

put() { "$BATS_TEST_DIRNAME/../lib/put-manifest" "$REGISTRY_PORT" "$@"; }
raw() { skopeo inspect --tls-verify=false --raw "docker://127.0.0.1:$REGISTRY_PORT/$1"; }
sum() { echo "sha256:$(sha256sum | cut -d ' ' -f 1)"; }
blobs() { find "$KT_DIR/root/oci/blobs" -type f | sort; }

CHART=application/vnd.cncf.helm.config.v1+json

setup_file() {
	kist_start
	registry_start
	put chart 1 --config "$CHART" --file 'chart.tgz=not a real one' --file 'chart.prov=signed' >"$KT_DIR/chart"
	put sbom 1 --artifact application/spdx+json --file 'sbom.json=all that is in it' >"$KT_DIR/sbom"
	put other 1 --artifact application/vnd.example --file 'other=another artifact with the same config' >"$KT_DIR/other"
	put nothing 1 --artifact application/vnd.example --file 'empty=' >"$KT_DIR/nothing"
}

teardown_file() { kist_end; }
setup() { blobs >"$BATS_TEST_TMPDIR/before"; }
teardown() {
	ids=$("$KIST" images -q --filter "reference=$REGISTRY/*" | sort -u)
	# shellcheck disable=SC2086  # a list of words on purpose
	[ -z "$ids" ] || "$KIST" rmi -f $ids
	blobs | diff "$BATS_TEST_TMPDIR/before" -
}

@test "an artifact is pulled, listed, and pushed again as it is" {
	for name in chart sbom nothing; do
		A=$REGISTRY/$name:1
		run -0 "$KIST" pull "$A"
		[[ "$output" == *"Digest: $(cat "$KT_DIR/$name")"*"Status: Downloaded newer image for $A"* ]]
		run -0 "$KIST" pull "$A"
		[[ "$output" == *"Status: Image is up to date for $A"* ]]
		[ "$("$KIST" image inspect -f '{{.Id}} {{json .RepoDigests}}' "$A")" = "$(cat "$KT_DIR/$name") [\"$REGISTRY/$name@$(cat "$KT_DIR/$name")\"]" ]
		"$KIST" tag "$A" "$REGISTRY/again/$name:2"
		run -0 "$KIST" push "$REGISTRY/again/$name:2"
		[[ "$output" == *"2: digest: $(cat "$KT_DIR/$name")"* ]]
		[ "$(raw "again/$name:2")" = "$(raw "$name:1")" ]
		# All of its files are there: who asks for them gets them.
		for digest in $(raw "$name:1" | jq -r '.config.digest, .layers[].digest'); do
			[ "$(curl -sf "http://127.0.0.1:$REGISTRY_PORT/v2/again/$name/blobs/$digest" | sum)" = "$digest" ]
		done
	done
	[ "$("$KIST" image inspect -f '{{.Descriptor.artifactType}}' "$REGISTRY/chart:1")" = "$CHART" ]
	[ "$("$KIST" image inspect -f '{{.Descriptor.artifactType}}' "$REGISTRY/sbom:1")" = application/spdx+json ]
	[ "$("$KIST" images --format '{{.Repository}}:{{.Tag}}' --filter "reference=$REGISTRY/chart")" = "$REGISTRY/chart:1" ]
	for C in $(clients); do client "$C" images | grep -q "^$REGISTRY/sbom  *1 "; done
	"$KIST" image inspect -f '{{.Size}}' "$REGISTRY/chart:1" | grep -qx 32
}

@test "run, create, mounts, save and checkout of an artifact are refused in one line" {
	A=$REGISTRY/chart:1
	run -125 "$KIST" run --rm "$A"
	[ "${lines[-1]}" = "kist: $A is an artifact ($CHART), not an image: it can be pushed, and not run" ]
	run -1 "$KIST" create "$A"
	[[ "$output" == *"is an artifact"* ]]
	run -125 "$KIST" run --rm --mount "type=image,source=$A,target=/x" kist.local/busybox true
	[[ "$output" == *"is an artifact"* ]]
	run -1 "$KIST" save -o "$BATS_TEST_TMPDIR/x.tar" "$A"
	[[ "$output" == *"$A is an artifact ($CHART): archives are of images"* ]]
	run -1 "$KIST" image checkout "$A@-1"
	[[ "$output" == *"is an artifact"* ]]
	[ -z "$("$KIST" ps -aq)" ]
	run -1 "$KIST" pull --discard-blobs "$A"
	[[ "$output" == *"$A is an artifact, which is nothing but its blobs: none of them can be discarded"* ]]
}

@test "two artifacts with the same config are two; what one leaves behind the other keeps; a restart finds both" {
	"$KIST" pull -q "$REGISTRY/sbom:1"
	"$KIST" pull -q "$REGISTRY/other:1"
	[ "$("$KIST" images -q --filter "reference=$REGISTRY/*" | sort -u | wc -l)" = 2 ]
	kistd_stop
	kistd_up
	[ "$("$KIST" image inspect -f '{{.Descriptor.artifactType}}' "$REGISTRY/sbom:1")" = application/spdx+json ]
	"$KIST" rmi "$REGISTRY/sbom:1"
	"$KIST" system fsck --digests
	"$KIST" push "$REGISTRY/other:1"
	[ "$("$KIST" image inspect -f '{{.Id}}' "$REGISTRY/other:1")" = "$(cat "$KT_DIR/other")" ]
	"$KIST" image prune -af
	[ -z "$("$KIST" images -q --filter "reference=$REGISTRY/*")" ]
	"$KIST" load -i "$BUILD/data/busybox.oci.tar"
}

@test "an artifact that refers to an image is listed where it is pushed" {
	subject=$(put app 1 --arch amd64)
	put app signature --artifact application/vnd.example.signature --file 's=signed' --subject "$subject" >"$KT_DIR/signature"
	"$KIST" pull -q "$REGISTRY/app:signature"
	"$KIST" push "$REGISTRY/app:signature"
	[ "$("$KIST" registry referrers --format '{{.ArtifactType}} {{.Digest}}' "$REGISTRY/app:1")" = "application/vnd.example.signature $(cat "$KT_DIR/signature")" ]
	# Another one is added to it, and what was there stays.
	put app second --artifact text/second --file 's=2' --subject "$subject" >"$KT_DIR/second"
	"$KIST" pull -q "$REGISTRY/app:second"
	"$KIST" push "$REGISTRY/app:second"
	[ "$("$KIST" registry referrers -q "$REGISTRY/app:1")" = "$(cat "$KT_DIR/signature" "$KT_DIR/second")" ]
}

@test "an artifact that was lost in part is whole after the next pull" {
	"$KIST" pull -q "$REGISTRY/chart:1"
	layer=$(raw chart:1 | jq -r '.layers[0].digest')
	rm "$KT_DIR/root/oci/blobs/sha256/${layer#*:}"
	run -1 "$KIST" push "$REGISTRY/chart:1"
	[[ "$output" == *"artifact $REGISTRY/chart:1: blob ${layer:0:19} is gone: pull it again"* ]]
	"$KIST" pull -q "$REGISTRY/chart:1"
	"$KIST" push "$REGISTRY/chart:1"
}

@test "an artifact that somebody else has put into the store's layout is one" {
	"$KIST" pull -q "$REGISTRY/chart:1"
	kistd_stop
	jq -c '.manifests |= map(if .annotations["org.opencontainers.image.ref.name"] | endswith("chart:1") then .annotations |= with_entries(select(.key | startswith("io.kist") | not)) else . end)' \
		"$KT_DIR/root/oci/index.json" >"$BATS_TEST_TMPDIR/index"
	cp "$BATS_TEST_TMPDIR/index" "$KT_DIR/root/oci/index.json"
	kistd_up
	[ "$("$KIST" image inspect -f '{{.Id}} {{.Size}} {{.Descriptor.artifactType}}' "$REGISTRY/chart:1")" = "$(cat "$KT_DIR/chart") 32 $CHART" ]
	"$KIST" push "$REGISTRY/chart:1"
}

@test "skopeo reads the store's artifact, and kist pulls what skopeo has copied" {
	"$KIST" pull -q "$REGISTRY/chart:1"
	skopeo copy -q --src-tls-verify=false --dest-tls-verify=false "docker://127.0.0.1:$REGISTRY_PORT/chart:1" "docker://127.0.0.1:$REGISTRY_PORT/copied/chart:1"
	run -0 "$KIST" pull "$REGISTRY/copied/chart:1"
	[[ "$output" == *"Digest: $(cat "$KT_DIR/chart")"* ]]
	skopeo copy -q --dest-tls-verify=false "oci:$KT_DIR/root/oci:$REGISTRY/chart:1" "docker://127.0.0.1:$REGISTRY_PORT/from-store/chart:1"
	[ "$(raw from-store/chart:1 | sum)" = "$(cat "$KT_DIR/chart")" ]
}
