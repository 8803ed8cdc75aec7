# Images to a real registry on loopback, and to one that makes it hard.
load ../lib/kist

raw() { skopeo inspect --tls-verify=false --raw "docker://127.0.0.1:$1"; }

put_index() { # REPOSITORY TAG MANIFEST-TAG:ARCH...
	local repository=$1 tag=$2 entry text list=[]
	shift 2
	for entry; do
		text=$KT_DIR/manifest
		raw "$REGISTRY_PORT/$repository:${entry%:*}" >"$text"
		list=$(jq -c --arg d "sha256:$(sha256sum <"$text" | cut -d ' ' -f 1)" --argjson s "$(stat -c %s "$text")" --arg t "$(jq -r .mediaType "$text")" --arg a "${entry#*:}" \
			'. + [{mediaType: $t, digest: $d, size: $s, platform: {os: "linux", architecture: $a}}]' <<<"$list")
	done
	jq -nc --argjson l "$list" '{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: $l}' |
		curl -sf -X PUT -H 'Content-Type: application/vnd.oci.image.index.v1+json' --data-binary @- "http://127.0.0.1:$REGISTRY_PORT/v2/$repository/manifests/$tag"
}

setup_file() {
	kist_start
	"$KIST" run --rm kist.local/busybox true # makes the bridge
	GATEWAY=$(ip -o -4 addr show "$KT_NAME" | awk '{sub("/.*", "", $4); print $4}')
	export GATEWAY
	registry_start
	local work=$KT_DIR/images
	mkdir -p "$work/one/bin" "$work/two"
	cp "$(command -v busybox)" "$work/one/bin/busybox"
	ln -s busybox "$work/one/bin/sh"
	head -c 3000000 /dev/urandom >"$work/two/random"
	for layer in one two; do tar -C "$work/$layer" --sort=name --mtime=@1700000000 --numeric-owner -cf "$work/$layer.tar" .; done
	"$BATS_TEST_DIRNAME/../lib/oci-image" "$work/layout" "$work/one.tar" "$work/two.tar:zstd" --config '{"Env":["PATH=/bin"],"Cmd":["sh","-c","echo pushed"]}'
	skopeo copy -q --dest-tls-verify=false "oci:$work/layout" "docker://127.0.0.1:$REGISTRY_PORT/test/first:near"
	ARCH=$("$KIST" version -f '{{.Server.Arch}}')
	export ARCH
	put_index test/first 1 "near:$ARCH"
	"$KIST" pull -q "$REGISTRY/test/first:1"
	HARD_PORT=$(free_port) OTHER_PORT=$(free_port) RECORD=$KT_DIR/record
	export HARD_PORT OTHER_PORT RECORD
	"$BATS_TEST_DIRNAME/../lib/push-registry" "$HARD_PORT" "$OTHER_PORT" "$GATEWAY" "$RECORD" 3>&- &
	echo $! >"$KT_DIR/hard.pid"
	eventually curl -s "http://127.0.0.1:$HARD_PORT/v2/"
	: >"$RECORD"
}

teardown_file() {
	kill "$(cat "$KT_DIR/hard.pid")"
	kist_end
}

@test "pull, tag, push: the registry gets the same bytes, index included" {
	for C in $(clients); do
		client "$C" tag "$REGISTRY/test/first:1" "$REGISTRY/test/again-$C:2"
		run -0 client "$C" push "$REGISTRY/test/again-$C:2"
		[[ "$output" == *"The push refers to repository [$REGISTRY/test/again-$C]"*"2: digest: sha256:"* ]]
		cmp <(raw "$REGISTRY_PORT/test/first:1") <(raw "$REGISTRY_PORT/test/again-$C:2")
		skopeo copy -q --all --src-tls-verify=false "docker://127.0.0.1:$REGISTRY_PORT/test/again-$C:2" "dir:$BATS_TEST_TMPDIR/copy-$C"
		# Once more: nothing is sent.
		run -0 client "$C" push "$REGISTRY/test/again-$C:2"
		[[ "$output" == *"Layer already exists"* && "$output" != *"Pushed"* ]]
	done
	digest=sha256:$(raw "$REGISTRY_PORT/test/again-kist:2" | sha256sum | cut -d ' ' -f 1)
	"$KIST" image inspect -f '{{json .RepoDigests}}' "$REGISTRY/test/again-kist:2" | grep -q "again-kist@$digest"
}

@test "blobs are mounted from another repository of the registry" {
	"$KIST" tag "$REGISTRY/test/first:1" "$REGISTRY/other/mounted:1"
	run -0 "$KIST" push "$REGISTRY/other/mounted:1"
	[ "$(grep -c "Mounted from test/" <<<"$output")" = 2 ]
	[[ "$output" != *": Pushed"* ]]
}

@test "what was committed here is pushed, and runs where it is pulled" {
	"$KIST" run --name maker "$REGISTRY/test/first:1" sh -c 'echo new >/new'
	"$KIST" commit maker "$REGISTRY/test/made:1"
	"$KIST" rm maker
	run -0 "$KIST" push "$REGISTRY/test/made:1"
	id=$("$KIST" image inspect -f '{{.Id}}' "$REGISTRY/test/made:1")
	"$KIST" rmi "$REGISTRY/test/made:1"
	"$KIST" pull -q "$REGISTRY/test/made:1"
	[ "$("$KIST" image inspect -f '{{.Id}}' "$REGISTRY/test/made:1")" = "$id" ]
	[ "$("$KIST" run --rm "$REGISTRY/test/made:1" sh -c 'read a </new; echo $a')" = new ]
	"$KIST" rmi "$REGISTRY/test/made:1"
}

@test "--all-tags, --quiet, --platform" {
	for tag in a b c; do "$KIST" tag "$REGISTRY/test/first:1" "$REGISTRY/test/many:$tag"; done
	run -0 "$KIST" push -q -a "$REGISTRY/test/many"
	[ "$output" = "$REGISTRY/test/many" ]
	for tag in a b c; do cmp <(raw "$REGISTRY_PORT/test/first:1") <(raw "$REGISTRY_PORT/test/many:$tag"); done
	"$KIST" tag "$REGISTRY/test/first:1" "$REGISTRY/test/one"
	run -0 "$KIST" push --quiet --platform "linux/$ARCH" "$REGISTRY/test/one"
	[ "$output" = "$REGISTRY/test/one:latest" ]
	# Only the manifest went, not the index.
	raw "$REGISTRY_PORT/test/one:latest" | jq -e .layers
	run -1 "$KIST" push --platform plan9/mips "$REGISTRY/test/one"
	[[ "${lines[-1]}" == *"$REGISTRY/test/one"*"plan9/mips"* ]]
	run -1 "$KIST" push -a "$REGISTRY/test/many:a"
	run -1 "$KIST" push "$REGISTRY/test/no-such:1"
	[[ "${#lines[@]}" -eq 1 && "$output" == *"does not exist locally with the tag: $REGISTRY/test/no-such:1"* ]]
	run -1 "$KIST" push kist.local/busybox
	[[ "$output" == *"never pushed"* ]]
}

@test "an index of which not all is here: the manifest goes, and that is said" {
	local work=$BATS_TEST_TMPDIR
	"$BATS_TEST_DIRNAME/../lib/oci-image" "$work/far" "$KT_DIR/images/two.tar" --platform linux/mips
	skopeo copy -q --dest-tls-verify=false "oci:$work/far" "docker://127.0.0.1:$REGISTRY_PORT/test/wide:far"
	skopeo copy -q --dest-tls-verify=false "oci:$KT_DIR/images/layout" "docker://127.0.0.1:$REGISTRY_PORT/test/wide:near"
	put_index test/wide all "near:$ARCH" far:mips
	"$KIST" pull -q "$REGISTRY/test/wide:all"
	"$KIST" tag "$REGISTRY/test/wide:all" "$REGISTRY/test/narrow:1"
	run -0 "$KIST" push "$REGISTRY/test/narrow:1"
	[[ "$output" == *"only the manifest of this one was pushed"* ]]
	cmp <(raw "$REGISTRY_PORT/test/narrow:1") <(raw "$REGISTRY_PORT/test/wide:near")
	"$KIST" rmi "$REGISTRY/test/wide:all" "$REGISTRY/test/narrow:1"
}

hard() { # KIND STATUS
	"$KIST" tag "$REGISTRY/test/first:1" "localhost:$HARD_PORT/$1/x:1"
	: >"$RECORD"
	run "$KIST" push "localhost:$HARD_PORT/$1/x:1"
	echo "$1: $output"
	[ "$status" = "$2" ]
}

@test "cut, forgotten, too large for one request, busy: it arrives all the same" {
	for kind in plain cut forget parts busy; do
		hard "$kind" 0
		cmp <(raw "$REGISTRY_PORT/test/first:1") <(raw "$HARD_PORT/$kind/x:1")
		skopeo copy -q --all --src-tls-verify=false "docker://127.0.0.1:$HARD_PORT/$kind/x:1" "dir:$BATS_TEST_TMPDIR/$kind"
		case $kind in
		cut) # It went on from where it was, and did not begin anew.
			grep -q " PATCH .* [1-9][0-9]*-[0-9]*$" "$RECORD" ;;
		parts) grep -q " PATCH .* 0-[0-9]*$" "$RECORD" ;;
		plain) ! grep -q " PATCH " "$RECORD" ;;
		esac
	done
}

@test "a registry that stores something else is found out" {
	hard liar 1
	[[ "${#lines[@]}" -gt 0 && "$output" == *"something else than sha256:"* ]]
}

@test "a token for pushing, from the realm; with an identity token too" {
	"$KIST" tag "$REGISTRY/test/first:1" "localhost:$HARD_PORT/token/x:1"
	mkdir "$BATS_TEST_TMPDIR/c"
	jq -n --arg r "localhost:$HARD_PORT" --arg a "$(printf user:kist-secret | base64)" '{auths: {($r): {auth: $a}}}' >"$BATS_TEST_TMPDIR/c/config.json"
	: >"$RECORD"
	"$KIST" --config "$BATS_TEST_TMPDIR/c" push "localhost:$HARD_PORT/token/x:1"
	grep -q "GET /token?.*scope=repository%3Atoken%2Fx%3Apull%2Cpush" "$RECORD"
	# The password goes to the realm only.
	[ "$(grep "Basic" "$RECORD" | grep -cv " /token")" = 0 ]
	jq -n --arg r "localhost:$HARD_PORT" '{auths: {($r): {identitytoken: "identity-1"}}}' >"$BATS_TEST_TMPDIR/c/config.json"
	"$KIST" tag "$REGISTRY/test/first:1" "localhost:$HARD_PORT/identity/x:1"
	"$KIST" --config "$BATS_TEST_TMPDIR/c" push "localhost:$HARD_PORT/identity/x:1"
	hard token 1
	[[ "$output" == *"credentials"* ]]
}

@test "attack: the place for the bytes, and the realm, are another host's (CVE-2019-10214, CVE-2020-15157)" {
	mkdir "$BATS_TEST_TMPDIR/c"
	jq -n --arg r "localhost:$HARD_PORT" --arg a "$(printf user:kist-secret | base64)" '{auths: {($r): {auth: $a}}}' >"$BATS_TEST_TMPDIR/c/config.json"
	for kind in away realm; do
		"$KIST" tag "$REGISTRY/test/first:1" "localhost:$HARD_PORT/$kind/x:1"
		: >"$RECORD"
		run "$KIST" --config "$BATS_TEST_TMPDIR/c" push "localhost:$HARD_PORT/$kind/x:1"
		cat "$RECORD"
		# Whatever came of it: the other server saw no secret.
		[ "$(grep "^$OTHER_PORT " "$RECORD" | grep -cv " nothing ")" = 0 ]
		case $kind in
		away) [ "$status" = 0 ]; [ "$(grep -c "^$OTHER_PORT PUT" "$RECORD")" -ge 1 ] ;;
		realm) [ "$status" = 1 ]; [ "$(grep -c "^$OTHER_PORT " "$RECORD")" = 0 ] ;;
		esac
	done
	! grep -rq kist-secret "$KT_DIR/root" "$KT_DIR/run" "$KT_DIR/kistd.log"
}

@test "a registry that is read-only says so to a push, and gives what it has" {
	local port
	port=$(free_port)
	sed "s/^storage: {/storage: {maintenance: {readonly: {enabled: true}}, /; s/127.0.0.1:$REGISTRY_PORT/127.0.0.1:$port/" "$KT_DIR/registry.yml" >"$BATS_TEST_TMPDIR/registry.yml"
	docker-registry serve "$BATS_TEST_TMPDIR/registry.yml" >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
	echo $! >"$BATS_TEST_TMPDIR/pid"
	disown
	eventually curl -sf "http://127.0.0.1:$port/v2/"
	"$KIST" pull -q "localhost:$port/test/first:1"
	"$KIST" tag "localhost:$port/test/first:1" "localhost:$port/test/new:1"
	for C in $(clients); do
		run -1 client "$C" push "localhost:$port/test/new:1"
		[[ "${lines[-1]}" == *"localhost:$port/test/new:1: the registry takes nothing: it may be read-only (HTTP status 405)" ]]
	done
	kill "$(cat "$BATS_TEST_TMPDIR/pid")"
	gone "$(cat "$BATS_TEST_TMPDIR/pid")"
	"$KIST" rmi "localhost:$port/test/first:1" "localhost:$port/test/new:1"
}
