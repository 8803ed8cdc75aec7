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

@test "run, create, mounts and checkout of an artifact are refused in one line" {
	A=$REGISTRY/chart:1
	run -125 "$KIST" run --rm "$A"
	[ "${lines[-1]}" = "kist: $A is an artifact ($CHART), not an image: it can be pushed, and not run" ]
	run -1 "$KIST" create "$A"
	[[ "$output" == *"is an artifact"* ]]
	run -125 "$KIST" run --rm --mount "type=image,source=$A,target=/x" kist.local/busybox true
	[[ "$output" == *"is an artifact"* ]]
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

# What save writes is an OCI layout of it: read by skopeo, and loaded as what it was.
@test "an artifact is saved as it is, read by skopeo, and loaded with the same digest, by each client" {
	for name in chart sbom nothing; do
		A=$REGISTRY/$name:1
		"$KIST" pull -q "$A"
		for C in $(clients); do
			client "$C" save -o "$BATS_TEST_TMPDIR/a.tar" "$A"
			run ! tar -tf "$BATS_TEST_TMPDIR/a.tar" manifest.json # of images only
			[ "$(tar -xOf "$BATS_TEST_TMPDIR/a.tar" index.json | jq -c '.manifests | map([.digest, .artifactType, .annotations["org.opencontainers.image.ref.name"]])')" = \
				"[[\"$(cat "$KT_DIR/$name")\",\"$("$KIST" image inspect -f '{{.Descriptor.artifactType}}' "$A")\",\"1\"]]" ]
			skopeo copy -q "oci-archive:$BATS_TEST_TMPDIR/a.tar" "oci:$BATS_TEST_TMPDIR/skopeo-$C:x"
			[ "$(skopeo inspect --raw "oci:$BATS_TEST_TMPDIR/skopeo-$C:x" | sum)" = "$(cat "$KT_DIR/$name")" ]
			"$KIST" rmi "$A"
			blobs | diff "$BATS_TEST_TMPDIR/before" -
			run -0 client "$C" load -i "$BATS_TEST_TMPDIR/a.tar"
			[[ "$output" == *"Loaded image: $A"* ]]
			[ "$("$KIST" image inspect -f '{{.Id}} {{json .RepoTags}}' "$A")" = "$(cat "$KT_DIR/$name") [\"$A\"]" ]
		done
		"$KIST" load -q -i "$BATS_TEST_TMPDIR/a.tar" # what is there is there
		"$KIST" system fsck --digests
		"$KIST" tag "$A" "$REGISTRY/loaded/$name:1"
		"$KIST" push "$REGISTRY/loaded/$name:1"
		[ "$(raw "loaded/$name:1")" = "$(raw "$name:1")" ]
		"$KIST" rmi "$A" "$REGISTRY/loaded/$name:1"
		rm -r "$BATS_TEST_TMPDIR"/skopeo-*
	done
	# What skopeo makes of a registry is loaded, too, and without a name when it has none.
	skopeo copy -q --src-tls-verify=false "docker://127.0.0.1:$REGISTRY_PORT/chart:1" "oci-archive:$BATS_TEST_TMPDIR/theirs.tar"
	run -0 "$KIST" load -i "$BATS_TEST_TMPDIR/theirs.tar"
	[[ "$output" == *"Loaded image ID: $(cat "$KT_DIR/chart")"* ]]
	"$KIST" rmi "$(cat "$KT_DIR/chart")"
}

# Files that begin like layers: an archive of its own, one that nobody could unpack, and one that is cut off in the middle.
@test "an artifact whose files look like layers, but are none, is saved and loaded whole, between images" {
	local d=$BATS_TEST_TMPDIR
	mkdir "$d/files"
	seq 200000 | gzip -c >"$d/files/text.gz"
	head -c 100000 "$d/files/text.gz" >"$d/files/cut.gz"
	tar -C /usr/share/doc --owner=90000 --group=90000 -cf "$d/files/owners.tar" bash
	tar -C "$d/files" --transform 's|^|../../|' -P -czf "$d/files/up.tgz" text.gz
	printf '\050\265\057\375not zstd at all' >"$d/files/odd.zst"
	skopeo_artifact "$d/layout" "$d/files"
	tar -C "$d/layout" -cf "$d/a.tar" .
	for how in --quiet --discard-blobs=false; do
		"$KIST" load $how -i "$d/a.tar"
		id=$(jq -r '.manifests[0].digest' "$d/layout/index.json")
		[ "$("$KIST" image inspect -f '{{.Id}}' "$REGISTRY/odd:1")" = "$id" ]
		"$KIST" system fsck --digests
		"$KIST" load -q -i "$BUILD/data/busybox.oci.tar"
		"$KIST" save -o "$d/both.tar" "$REGISTRY/odd:1" kist.local/busybox
		"$KIST" rmi "$REGISTRY/odd:1"
		blobs | diff "$BATS_TEST_TMPDIR/before" -
		"$KIST" load -q -i "$d/both.tar"
		for file in "$d"/files/*; do cmp "$file" "$KT_DIR/root/oci/blobs/sha256/$(sha256sum <"$file" | cut -d ' ' -f 1)"; done
		"$KIST" push "$REGISTRY/odd:1"
		"$KIST" run --rm kist.local/busybox true
		"$KIST" rmi "$REGISTRY/odd:1"
	done
	[ "$(tar -xOf "$d/both.tar" manifest.json | jq -r '.[].RepoTags[]')" = kist.local/busybox:latest ]
	run -1 "$KIST" load --discard-blobs -i "$d/a.tar"
	[[ "${lines[-1]}" == *"$REGISTRY/odd:1 is an artifact, which is nothing but its blobs: none of them can be discarded" ]]
	# The daemon's own setting is about images.
	kistd_stop
	echo '{"discard-blobs": true}' >"$KT_DIR/kistd.json"
	kistd_up --config "$KT_DIR/kistd.json"
	"$KIST" load -q -i "$d/a.tar"
	"$KIST" push "$REGISTRY/odd:1"
	"$KIST" rmi "$REGISTRY/odd:1"
	kistd_stop; kistd_up
}

# An artifact's layout of the files of a directory.
skopeo_artifact() { # LAYOUT DIRECTORY
	python3 - "$1" "$2" "$REGISTRY/odd:1" <<-'PY'
		import hashlib, json, os, sys
		layout, directory, name = sys.argv[1:]
		os.makedirs(layout + "/blobs/sha256")
		def blob(data, media_type, **more):
		    digest = hashlib.sha256(data).hexdigest()
		    with open(f"{layout}/blobs/sha256/{digest}", "wb") as f:
		        f.write(data)
		    return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(data), **more}
		files = [blob(open(f"{directory}/{f}", "rb").read(), "application/octet-stream") for f in sorted(os.listdir(directory))]
		manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "artifactType": "application/vnd.example",
		            "config": blob(b"{}", "application/vnd.oci.empty.v1+json"), "layers": files}
		entry = blob(json.dumps(manifest).encode(), manifest["mediaType"], annotations={"org.opencontainers.image.ref.name": name})
		json.dump({"schemaVersion": 2, "manifests": [entry]}, open(layout + "/index.json", "w"))
		json.dump({"imageLayoutVersion": "1.0.0"}, open(layout + "/oci-layout", "w"))
	PY
}

@test "archives of artifacts that lie are refused in one line, and nothing is left" {
	local d=$BATS_TEST_TMPDIR manifest layer
	mkdir "$d/files" && echo one >"$d/files/one" && seq 1000 | gzip -c >"$d/files/two.gz"
	variant() { # WORDS SHELL
		rm -rf "$d/layout" "$d/a.tar"
		skopeo_artifact "$d/layout" "$d/files"
		manifest=$(jq -r '.manifests[0].digest | sub("sha256:"; "")' "$d/layout/index.json")
		layer=$(sha256sum <"$d/files/two.gz" | cut -d ' ' -f 1)
		(cd "$d/layout" && eval "$2")
		tar -C "$d/layout" -cf "$d/a.tar" .
		run -1 "$KIST" load -i "$d/a.tar"
		[[ "${lines[-1]}" == *"$1"* ]] || { echo "$output" >&2; return 1; }
		[ -z "$("$KIST" images -q --filter "reference=$REGISTRY/*")" ]
		blobs | diff "$BATS_TEST_TMPDIR/before" -
		[ -z "$(ls -A "$KT_DIR/root/tmp" 2>/dev/null)" ]
	}
	variant "the archive has no blob sha256:" 'rm "blobs/sha256/$layer"'
	variant "has another digest" 'echo x >>"blobs/sha256/$layer"'
	variant "has another digest" 'printf xxxx >"blobs/sha256/$(sha256sum <"$d/files/one" | cut -d " " -f 1)"'
	variant "is not a plain file" 'ln -sf /etc/passwd "blobs/sha256/$layer"'
	variant "another size than its descriptor" 'sed -i "s/\"size\": [0-9]*/\"size\": 3/" index.json'
	# Descriptors of the manifest: a size that is not so, an absurd one, a foreign one, too many.
	change() { # a filter of jq for the manifest
		jq -c "$1" "blobs/sha256/$manifest" >new
		local sum; sum=$(sha256sum <new | cut -d ' ' -f 1)
		jq -c --arg d "sha256:$sum" --argjson s "$(stat -c %s new)" '.manifests[0].digest = $d | .manifests[0].size = $s' index.json >index.new
		mv new "blobs/sha256/$sum"; mv index.new index.json; rm "blobs/sha256/$manifest"
	}
	variant "bytes) for sha256:" 'change ".layers[0].size = 5"'
	variant "is longer than" 'change ".layers[0].size = 1000000000000000"'
	variant "must be fetched from elsewhere" 'change ".layers[0].mediaType = \"application/vnd.oci.image.layer.nondistributable.v1.tar\""'
	variant "are allowed" 'change ".layers = [range(600) as \$i | .layers[0]]"'
	variant "is not a sha256 digest" 'change ".layers[0].digest = \"sha256:../../../etc/passwd\""'
}
