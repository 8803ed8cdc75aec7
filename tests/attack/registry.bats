# Registries that lie to who asks about images, makes lists of them, or deletes: bounded, in one line, and nobody else is told who we are.
load ../lib/kist

hard_log() { grep "$@" "$KT_DIR/record"; }

setup_file() {
	kist_start
	BAD=localhost:$(free_port) HARD=localhost:$(free_port)
	export BAD HARD
	: >"$KT_DIR/record"
	"$BATS_TEST_DIRNAME/../lib/bad-registry" "${BAD#*:}" "$KT_DIR/bad-record" >"$KT_DIR/bad.log" 2>&1 3>&- &
	echo $! >"$KT_DIR/bad.pid"
	"$BATS_TEST_DIRNAME/../lib/referrers-registry" "${HARD#*:}" "$(free_port)" "$KT_DIR/record" 3>&- &
	echo $! >"$KT_DIR/hard.pid"
	disown -a
	eventually curl -s -o /dev/null "http://$BAD/v2/"
	eventually curl -s -o /dev/null "http://$HARD/v2/"
	mkdir -p "$DOCKER_CONFIG"
	jq -n --arg r "$HARD" --arg a "$(printf user:kist-secret | base64)" '{auths: {($r): {auth: $a}}}' >"$DOCKER_CONFIG/config.json"
}

teardown_file() {
	kill "$(cat "$KT_DIR/bad.pid")" "$(cat "$KT_DIR/hard.pid")"
	gone "$(cat "$KT_DIR/bad.pid")"
	gone "$(cat "$KT_DIR/hard.pid")"
	kist_end
}

@test "referrers: lists without an end, of another's, of nonsense" {
	for kind in endless elsewhere-next many huge html manifest nested-digest bad-type escapes recursive; do
		run -1 timeout 120 "$KIST" registry referrers "$HARD/$kind/app:1"
		[[ "$output" == *"$HARD/$kind/app:1: "* ]]
		[ "${#lines[@]}" = 1 ]
		[[ "$output" != *$'\e'* ]]
	done
	[ "$(hard_log -c 'GET /v2/endless/app/referrers/')" -le 110 ]
}

@test "redirects: followed without credentials, and of a deletion never" {
	: >"$KT_DIR/record"
	run -0 "$KIST" registry referrers -q "$HARD/redirect/app:1"
	run -1 "$KIST" registry delete "$HARD/redirect/app:1"
	hard_log -q "other GET .*nothing"
	run ! hard_log "other DELETE"
	run ! hard_log "other .*Basic"
	hard_log -q "Basic"
	# What is deleted by a digest is what has that digest.
	run -1 "$KIST" registry delete "$HARD/redirect/app@sha256:$(printf 'b%.0s' {1..64})"
	[[ "$output" == *"digest"* ]]
	run ! hard_log "DELETE /v2/redirect/app/manifests/sha256"
}

@test "artifacts: blobs that are others, cut, of absurd sizes: nothing is kept of them, and names in them mean nothing" {
	files() { find "$KT_DIR/root/oci" "$KT_DIR/root/layers" "$KT_DIR/root/tmp" | sort; }
	files >"$BATS_TEST_TMPDIR/before"
	for kind in wrong truncated smaller larger absurd negative empty many foreign dots config; do
		run -1 timeout 120 "$KIST" pull "$BAD/art-$kind:1"
		files | diff "$BATS_TEST_TMPDIR/before" -
	done
	"$KIST" pull -q "$BAD/art-title:1"
	[ "$("$KIST" image inspect -f '{{.Descriptor.artifactType}}' "$BAD/art-title:1")" = application/vnd.example ]
	[ ! -e /tmp/kist-escaped ]
	"$KIST" rmi "$BAD/art-title:1"
	files | diff "$BATS_TEST_TMPDIR/before" -
}

@test "manifests: what is no manifest, or another, becomes part of no list" {
	for kind in bad-json huge-manifest schema1 both windows-only nested digest-config-0 digest-layer-3 digest-config-10 digest-config-11; do
		run -1 "$KIST" manifest create "$BAD/list:1" "$BAD/$kind:1"
		[ "${#lines[@]}" = 1 ]
		[ ! -e "$DOCKER_CONFIG/manifests" ]
	done
	for kind in bad-json huge-manifest schema1 both; do run -1 "$KIST" manifest inspect "$BAD/$kind:1"; done
	# Asked for by a digest, it must be that.
	run -1 "$KIST" manifest create "$BAD/list:1" "$BAD/good@sha256:$(printf 'a%.0s' {1..64})"
	[[ "$output" == *"digest"* ]]
	# A list in a list, and entries with digests of other grammars, by inspect -v.
	for kind in nested windows-only $(seq -f 'digest-index-%g' 0 11); do
		run -1 "$KIST" manifest inspect -v "$BAD/$kind:1"
		[ "${#lines[@]}" = 1 ]
	done
	[ ! -e "$DOCKER_CONFIG/manifests" ]
}
