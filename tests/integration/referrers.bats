# What a registry lists as referring to an image, and what is deleted there. Debian's docker-registry has no API for referrers: the tag schema is what is tried with it.
load ../lib/kist

put() { "$BATS_TEST_DIRNAME/../lib/put-manifest" "$REGISTRY_PORT" "$@"; }
tag_list() { curl -sf "http://127.0.0.1:$REGISTRY_PORT/v2/$1/manifests/sha256-${2#*:}" -H 'Accept: application/vnd.oci.image.index.v1+json'; }
has() { curl -sf -o /dev/null -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://127.0.0.1:$REGISTRY_PORT/v2/$1/manifests/$2"; }
hard_log() { grep "$@" "$KT_DIR/record"; }

setup_file() {
	kist_start
	registry_start
	SUBJECT=$(put app 1 --arch amd64)
	export SUBJECT
	HARD_PORT=$(free_port) OTHER_PORT=$(free_port)
	HARD=localhost:$HARD_PORT
	export HARD HARD_PORT OTHER_PORT
	: >"$KT_DIR/record"
	"$BATS_TEST_DIRNAME/../lib/referrers-registry" "$HARD_PORT" "$OTHER_PORT" "$KT_DIR/record" 3>&- &
	echo $! >"$KT_DIR/hard.pid"
	disown
	eventually curl -s -o /dev/null "http://127.0.0.1:$HARD_PORT/v2/"
}

teardown_file() {
	kill "$(cat "$KT_DIR/hard.pid")"
	gone "$(cat "$KT_DIR/hard.pid")"
	kist_end
}

# The fallback index, as who pushes it keeps it.
note() { # REPOSITORY SUBJECT DIGEST TYPE...
	local repository=$1 subject=$2 list='[]'
	shift 2
	while [ $# -gt 0 ]; do
		list=$(jq -c --arg d "$1" --arg t "$2" --argjson s "$(curl -s -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://127.0.0.1:$REGISTRY_PORT/v2/$repository/manifests/$1" | wc -c)" \
			'. + [{mediaType: "application/vnd.oci.image.manifest.v1+json", digest: $d, size: $s, artifactType: $t, annotations: {"for": "you"}}]' <<<"$list")
		shift 2
	done
	jq -nc --argjson l "$list" '{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: $l}' |
		curl -sf -X PUT -H 'Content-Type: application/vnd.oci.image.index.v1+json' --data-binary @- "http://127.0.0.1:$REGISTRY_PORT/v2/$repository/manifests/sha256-${subject#*:}"
}

@test "referrers by the tag schema: pushed, listed, filtered, deleted" {
	run -0 "$KIST" registry referrers -q "$REGISTRY/app:1"
	[ -z "$output" ]
	sbom=$(put app '' --artifact application/spdx+json --file 'sbom=all of it' --subject "$SUBJECT")
	signature=$(put app '' --artifact application/vnd.example.signature --file 's=signed' --subject "$SUBJECT")
	note app "$SUBJECT" "$sbom" application/spdx+json "$signature" application/vnd.example.signature
	run -0 "$KIST" registry referrers "$REGISTRY/app:1"
	[[ "${lines[0]}" == "ARTIFACT TYPE"*DIGEST*SIZE* ]]
	[[ "${lines[1]}" == "application/spdx+json"*"$sbom"* ]]
	[[ "${lines[2]}" == "application/vnd.example.signature"*"$signature"* ]]
	[ "$("$KIST" registry referrers -q "$REGISTRY/app@$SUBJECT")" = "$(printf '%s\n' "$sbom" "$signature")" ]
	[ "$("$KIST" registry referrers --artifact-type application/spdx+json --format '{{.Digest}} {{.Annotations.for}}' "$REGISTRY/app:1")" = "$sbom you" ]
	[ -z "$("$KIST" registry referrers -q --artifact-type text/nothing "$REGISTRY/app:1")" ]
	# One that is deleted is taken off the list.
	run -0 "$KIST" registry delete "$REGISTRY/app@$sbom"
	[ "$output" = "Deleted: $REGISTRY/app@$sbom" ]
	run ! has app "$sbom"
	[ "$("$KIST" registry referrers -q "$REGISTRY/app:1")" = "$signature" ]
	"$KIST" registry delete "$REGISTRY/app@$signature"
	[ -z "$("$KIST" registry referrers -q "$REGISTRY/app:1")" ]
	run -1 "$KIST" registry referrers "$REGISTRY/app:nosuch"
	[[ "$output" == *"$REGISTRY/app:nosuch: not found"* ]]
}

@test "an image with a subject that is pushed is listed: by the tag schema, or by the registry itself" {
	image=$(put app own --arch "$("$KIST" version -f '{{.Server.Arch}}')" --subject "$SUBJECT")
	"$KIST" pull -q "$REGISTRY/app:own"
	"$KIST" push "$REGISTRY/app:own"
	[ "$("$KIST" registry referrers -q "$REGISTRY/app:1")" = "$image" ]
	[ "$(tag_list app "$SUBJECT" | jq -r '.manifests[0].artifactType')" = application/vnd.oci.image.config.v1+json ]
	# Again: once is enough.
	"$KIST" push "$REGISTRY/app:own"
	[ "$(tag_list app "$SUBJECT" | jq '.manifests | length')" = 1 ]
	"$KIST" tag "$REGISTRY/app:own" "$HARD/lists/app:own"
	: >"$KT_DIR/record"
	"$KIST" push "$HARD/lists/app:own"
	run ! hard_log 'sha256-'
	"$KIST" tag "$REGISTRY/app:own" "$HARD/plain/app:own"
	"$KIST" push "$HARD/plain/app:own"
	hard_log -q "PUT /v2/plain/app/manifests/sha256-${SUBJECT#*:}"
	"$KIST" rmi -f "$REGISTRY/app:own" "$HARD/lists/app:own" "$HARD/plain/app:own"
	"$KIST" registry delete "$REGISTRY/app@$image"
}

@test "delete: by digest and by tag, and registries that do not" {
	digest=$(put gone 1 --arch amd64)
	put gone 2 --arch amd64
	run -1 "$KIST" registry delete "$REGISTRY/gone:1"
	[[ "$output" == *"$REGISTRY/gone:1: the registry does not delete tags (HTTP status 400); $REGISTRY/gone@$digest is what it names, and is deleted with all its tags"* ]]
	has gone 1
	run -0 "$KIST" registry delete "$REGISTRY/gone@$digest"
	run ! has gone 1
	run ! has gone 2
	run -1 "$KIST" registry delete "$REGISTRY/gone@$digest" "$REGISTRY/gone:1"
	[[ "$output" == *"not found"* ]]
	# One that deletes tags, one that deletes nothing, and one that forbids it.
	run -0 "$KIST" registry delete "$HARD/tags/app:1"
	[ "$output" = "Untagged: $HARD/tags/app:1" ]
	hard_log -q 'DELETE /v2/tags/app/manifests/1 '
	digest=sha256:$(curl -s "http://127.0.0.1:$HARD_PORT/v2/frozen/app/manifests/1" | sha256sum | cut -d ' ' -f 1)
	run -1 "$KIST" registry delete "$HARD/frozen/app@$digest"
	[[ "$output" == *"$HARD/frozen/app@$digest: the registry does not delete manifests (HTTP status 405)"* ]]
	run -1 "$KIST" registry delete "$HARD/denied/app:1"
	[[ "$output" == *"the registry denies access"* ]]
	# What is here stays here, and what is only here is in no registry.
	run -1 "$KIST" registry delete kist.local/busybox
	[[ "$output" == *"are of this host only"* ]]
	"$KIST" image inspect kist.local/busybox >/dev/null
}

@test "referrers by the API: pages, and a registry that filters" {
	run -0 "$KIST" registry referrers -q "$HARD/pages/app:1"
	[ "${#lines[@]}" = 6 ]
	run -0 "$KIST" registry referrers --format '{{.ArtifactType}}' --artifact-type text/odd "$HARD/pages/app:1"
	[ "$output" = "$(printf 'text/odd\n%.0s' 1 2 3)" ]
}
