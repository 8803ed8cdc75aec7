# kist manifest: lists of several platforms, put together here, kept by a registry; and what others make of them.
load ../lib/kist

put() { "$BATS_TEST_DIRNAME/../lib/put-manifest" "$REGISTRY_PORT" "$@"; }
raw() { skopeo inspect --tls-verify=false --raw "docker://127.0.0.1:$REGISTRY_PORT/$1"; }
sum() { echo "sha256:$(sha256sum | cut -d ' ' -f 1)"; }

setup_file() {
	kist_start
	registry_start
	for arch in amd64 arm64 s390x; do put app "$arch" --arch "$arch" >"$KT_DIR/app-$arch"; done
	put docker arm64 --arch arm64 --docker >"$KT_DIR/docker-arm64"
	put docker amd64 --arch amd64 --docker >"$KT_DIR/docker-amd64"
	OWN=$("$KIST" version -f '{{.Server.Arch}}')
	export OWN
}

teardown_file() { kist_end; }

teardown() {
	rm -rf "$DOCKER_CONFIG/manifests"
	ids=$("$KIST" images -q --filter "reference=$REGISTRY/*" | sort -u)
	# shellcheck disable=SC2086  # a list of words on purpose
	[ -z "$ids" ] || "$KIST" rmi -f $ids
}

@test "a list of two platforms is made, pushed, and pulled by platform" {
	A=$REGISTRY/app
	run -0 "$KIST" manifest create "$A:1" "$A:amd64" "$A:arm64"
	[ "$output" = "Created manifest list $A:1" ]
	"$KIST" manifest annotate "$A:1" "$A:arm64" --variant v8 --os-version 6.1 --os-features sse4,aes --os-features sve
	run -0 "$KIST" manifest inspect "$A:1"
	here=$output
	[ "$(jq -r '.manifests[1].platform | .architecture + .variant + .["os.version"] + (.["os.features"] | join("+"))' <<<"$here")" = arm64v86.1sse4+aes+sve ]
	[ "$(jq -r '.manifests | map(.digest) | join(" ")' <<<"$here")" = "$(cat "$KT_DIR/app-amd64") $(cat "$KT_DIR/app-arm64")" ]
	run -0 "$KIST" manifest push "$A:1"
	[ "$output" = "$(raw app:1 | sum)" ]
	# What the registry has is what was shown, to all who ask.
	[ "$(jq -S . <<<"$here")" = "$(raw app:1 | jq -S .)" ]
	[ "$(skopeo inspect --tls-verify=false --override-arch arm64 --format '{{.Architecture}}' "docker://127.0.0.1:$REGISTRY_PORT/app:1")" = arm64 ]
	"$KIST" pull -q --platform linux/amd64 "$A:1"
	[ "$("$KIST" image inspect -f '{{.Architecture}}' "$A:1")" = amd64 ]
	"$KIST" pull -q --platform linux/arm64/v8 "$A:1"
	[ "$("$KIST" image inspect -f '{{.Architecture}}' "$A:1")" = arm64 ]
	"$KIST" create --name other --platform linux/arm64 "$A:1"
	[ "$("$KIST" export other | tar -xO arch)" = arm64 ]
	"$KIST" rm other
	run -1 "$KIST" pull --platform linux/s390x "$A:1"
	[[ "$output" == *"no matching manifest for linux/s390x in the manifest list entries"* ]]
	# It was kept here until it is forgotten.
	"$KIST" manifest rm "$A:1"
	run -0 "$KIST" manifest inspect "$A:1"
	[ "$(jq -S . <<<"$output")" = "$(jq -S . <<<"$here")" ]
	run -1 "$KIST" manifest push "$A:1"
	[[ "$output" == *"No such manifest: $A:1"* ]]
}

@test "images of other repositories are brought along without their layers coming through here" {
	A=$REGISTRY/mixed
	"$KIST" manifest create "$A:1" "$REGISTRY/app:amd64" "$REGISTRY/docker:arm64" "$REGISTRY/docker@$(cat "$KT_DIR/docker-amd64")"
	run -0 "$KIST" manifest push --purge "$A:1"
	for name in app-amd64 docker-arm64 docker-amd64; do
		[[ "$output" == *"Pushed ref $A@$(cat "$KT_DIR/$name") with digest: $(cat "$KT_DIR/$name")"* ]]
	done
	[ "${lines[-1]}" = "$(raw mixed:1 | sum)" ]
	[ -z "$(ls -A "$DOCKER_CONFIG/manifests")" ]
	[ "$(raw mixed:1 | jq -r .mediaType)" = application/vnd.oci.image.index.v1+json ]
	skopeo copy -q --all --src-tls-verify=false "docker://127.0.0.1:$REGISTRY_PORT/mixed:1" "dir:$BATS_TEST_TMPDIR/copy"
	"$KIST" pull -q --platform linux/arm64 "$A:1"
	# Of Docker's own kind only, so is the list.
	"$KIST" manifest create "$REGISTRY/docker:1" "$REGISTRY/docker:amd64" "$REGISTRY/docker:arm64"
	"$KIST" manifest push "$REGISTRY/docker:1"
	[ "$(raw docker:1 | jq -r .mediaType)" = application/vnd.docker.distribution.manifest.list.v2+json ]
	"$KIST" pull -q --platform linux/arm64 "$REGISTRY/docker:1"
}

@test "docker goes on with what kist has begun, and kist with docker's; they push the same bytes" {
	for docker in /usr/bin/docker $(newer_docker); do
		A=$REGISTRY/${docker//\//}
		A=${A,,}
		"$KIST" manifest create "$A:1" "$REGISTRY/docker:amd64" "$REGISTRY/docker:arm64"
		run -0 "$docker" manifest inspect "$A:1"
		[ "$output" = "$("$KIST" manifest inspect "$A:1")" ]
		[ "$("$docker" manifest inspect -v "$A:1" | jq -S 'map(del(.SchemaV2Manifest, .Raw))')" = "$("$KIST" manifest inspect -v "$A:1" | jq -S 'map(del(.SchemaV2Manifest, .Raw))')" ]
		"$docker" manifest annotate "$A:1" "$REGISTRY/docker:arm64" --variant v8
		[ "$("$KIST" manifest inspect "$A:1" | jq -r '.manifests[1].platform.variant')" = v8 ]
		by_kist=$("$KIST" manifest push "$A:1" | tail -n 1)
		by_docker=$("$docker" manifest push --insecure "$A:1" | tail -n 1)
		[ "$by_kist" = "$by_docker" ]
		"$docker" manifest rm "$A:1" || rm -r "$DOCKER_CONFIG/manifests" # 20.10 has a manifest rm only since 20.10.0
		"$docker" manifest create --insecure "$A:2" "$REGISTRY/docker:amd64" "$REGISTRY/docker:arm64"
		[ "$("$KIST" manifest push "$A:2" | tail -n 1)" = "$("$docker" manifest push --insecure "$A:2" | tail -n 1)" ]
		# What kist has pushed, as docker sees it in the registry.
		"$KIST" manifest rm "$A:2"
		[ "$("$docker" manifest inspect --insecure "$A:2")" = "$("$KIST" manifest inspect "$A:2")" ]
	done
}

@test "inspect: single images and lists of a registry, and -v" {
	run -0 "$KIST" manifest inspect "$REGISTRY/app:arm64"
	[ "$output" = "$(raw app:arm64 | jq --tab .)" ]
	run -0 "$KIST" manifest inspect -v "$REGISTRY/app:arm64"
	[ "$(jq -r '.Descriptor | .digest + " " + .platform.os + "/" + .platform.architecture' <<<"$output")" = "$(cat "$KT_DIR/app-arm64") linux/arm64" ]
	[ "$(jq -r .Raw <<<"$output" | base64 -d | sum)" = "$(cat "$KT_DIR/app-arm64")" ]
	"$KIST" manifest create "$REGISTRY/app:two" "$REGISTRY/app:amd64" "$REGISTRY/app:arm64"
	[ "$("$KIST" manifest inspect "$REGISTRY/app:two" "$REGISTRY/app:arm64")" = "$("$KIST" manifest inspect "$REGISTRY/app:arm64")" ]
	"$KIST" manifest push --purge "$REGISTRY/app:two"
	run -0 "$KIST" manifest inspect -v "$REGISTRY/app:two"
	[ "$(jq -r '.[1].Ref' <<<"$output")" = "$REGISTRY/app:two@$(cat "$KT_DIR/app-arm64")" ]
	[ "$(jq -r '.[0].Raw' <<<"$output" | base64 -d | sum)" = "$(cat "$KT_DIR/app-amd64")" ]
}

@test "what cannot be done is said, and leaves nothing" {
	A=$REGISTRY/app
	run -1 "$KIST" manifest create "$A:bad" "$A:amd64" "$A:nosuch"
	[[ "$output" == *"no such manifest: $A:nosuch"* ]]
	[ ! -e "$DOCKER_CONFIG/manifests" ]
	"$KIST" manifest create "$A:bad" "$A:amd64"
	run -1 "$KIST" manifest create "$A:bad" "$A:arm64"
	[[ "$output" == *"refusing to amend an existing manifest list with no --amend flag"* ]]
	"$KIST" manifest create -a "$A:bad" "$A:arm64"
	[ "$("$KIST" manifest inspect "$A:bad" | jq '.manifests | length')" = 2 ]
	run -1 "$KIST" manifest annotate "$A:bad" "$A:s390x" --arch s390x
	[[ "$output" == *"manifest for image $A:s390x does not exist in $A:bad"* ]]
	run -1 "$KIST" manifest annotate "$A:bad" "$A:arm64" --arch arm46
	[[ "$output" == *"manifest entry for image has unsupported os/arch combination: linux/arm46"* ]]
	run -1 "$KIST" manifest create "$A:bad" --amend 127.0.0.1:1/app:1
	[[ "$output" == *"cannot use source images from a different registry than the target image: 127.0.0.1:1 != $REGISTRY"* ]]
	"$KIST" manifest push "$A:bad"
	run -1 "$KIST" manifest create "$A:nested" "$A:bad"
	[ "$output" = "kist: $A:bad is a manifest list" ]
	run -1 "$KIST" manifest push kist.local/list:1
	run -1 "$KIST" manifest rm "$A:nosuch" "$A:bad"
	[ "$output" = "kist: No such manifest: $A:nosuch" ]
	[ -z "$(ls -A "$DOCKER_CONFIG/manifests")" ]
	run -1 "$KIST" manifest create "$REGISTRY/../x:1" "$A:amd64"
	[[ "$output" == *"invalid reference format"* ]]
}

@test "files of a list that are not what they say are refused" {
	A=$REGISTRY/app:files
	"$KIST" manifest create "$A" "$REGISTRY/app:amd64"
	file=$(find "$DOCKER_CONFIG/manifests" -type f)
	cp "$file" "$BATS_TEST_TMPDIR/good"
	for change in '.Raw = "e30="' '.Raw = "!"' '.Descriptor.size = 5' '.Descriptor.mediaType = "text/plain"' '.Ref = "../../../etc/passwd"' '.Ref = 5' 'del(.Descriptor)' '[]'; do
		jq -c "$change" "$BATS_TEST_TMPDIR/good" >"$file"
		run -1 "$KIST" manifest push "$A"
		run -1 "$KIST" manifest inspect "$A"
	done
	echo '{' >"$file"
	run -1 "$KIST" manifest push "$A"
	cp "$BATS_TEST_TMPDIR/good" "$file"
	"$KIST" manifest push "$A"
}

@test "the daemon's own routes: a manifest's text, and a list that is refused" {
	api() { curl -s --unix-socket "$KT_DIR/kist.sock" -X "$1" "http://kist$2" "${@:3}"; }
	post() { api POST "/distribution/$REGISTRY/app:api/manifest" -H 'Content-Type: application/json' --data-binary @- -o "$BATS_TEST_TMPDIR/answer" -w '%{http_code}'; }
	api GET "/distribution/$REGISTRY/app:amd64/manifest" >"$BATS_TEST_TMPDIR/one"
	[ "$(jq -rj .Manifest "$BATS_TEST_TMPDIR/one" | sum)" = "$(cat "$KT_DIR/app-amd64")" ]
	[ "$(jq -r '.Reference + " " + .Descriptor.platform.architecture' "$BATS_TEST_TMPDIR/one")" = "$REGISTRY/app:amd64 amd64" ]
	index=application/vnd.oci.image.index.v1+json
	entry="{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"$(cat "$KT_DIR/app-amd64")\",\"size\":$(raw app:amd64 | wc -c)}"
	list="{\"schemaVersion\":2,\"mediaType\":\"$index\",\"manifests\":[$entry]}"
	body() { jq -nc --arg t "${2:-$index}" --arg m "$1" --argjson f "${3:-null}" '{MediaType: $t, Manifest: $m, From: $f}'; }
	[ "$(body "$list" | post)" = 200 ]
	[ "$(jq -r .Digest "$BATS_TEST_TMPDIR/answer")" = "$(raw app:api | sum)" ]
	# Of another type; an image; an index in an index; none; entries that are none; sources that are no repositories.
	[ "$(body "$list" text/plain | post)" = 400 ]
	[ "$(body "$(raw app:amd64)" application/vnd.oci.image.manifest.v1+json | post)" = 400 ]
	[ "$(body "${list/image.manifest/image.index}" | post)" = 400 ]
	[ "$(body '{"schemaVersion":2,"manifests":[]}' | post)" = 400 ]
	[ "$(body "${list/sha256:/sha256:..\/}" | post)" = 400 ]
	[ "$(echo '{}' | post)" = 400 ]
	digest=$(cat "$KT_DIR/app-amd64")
	for from in ../../x 'a?b' a/b:1 '' A; do
		[ "$(body "$list" "$index" "{\"$digest\":\"$from\"}" | post)" = 400 ]
	done
	[ "$(body "$list" "$index" '{"sha256:5":"app"}' | post)" = 400 ]
	# A list of what is not there, here or in the other repository: nothing is put.
	[ "$(body "${list//$digest/sha256:$(printf 'a%.0s' {1..64})}" | post)" = 400 ]
	[ "$(body "$list" "$index" "{\"$digest\":\"docker\"}" | post)" = 404 ]
	[[ "$(jq -r .message "$BATS_TEST_TMPDIR/answer")" == *"from $REGISTRY/docker"* ]]
}
