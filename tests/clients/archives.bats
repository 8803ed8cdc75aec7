# Archives to and from Debian's dockerd: what Kist saves it loads, inspects and runs, and the other way round, with the same ids, diff ids and configs.
load ../lib/callers
load ../lib/kist

setup_file() {
	[ -x /usr/bin/docker ] && command -v dockerd >/dev/null && command -v skopeo >/dev/null || return 0
	kist_start
	callers_up && dockerd_start || return 1
	registry_start
	local work=$KT_DIR/work layer
	mkdir -p "$work/one/bin" "$work/two" "$work/three"
	cp "$(command -v busybox)" "$work/one/bin/busybox"
	ln "$work/one/bin/busybox" "$work/one/bin/cat"
	ln -s busybox "$work/one/bin/sh"
	echo second >"$work/two/mark" && chown 1000:1001 "$work/two/mark" && chmod 4750 "$work/two/mark"
	echo third >"$work/three/mark" && mkdir -p "$work/three/bin" && : >"$work/three/bin/.wh.sh"
	for layer in one two three; do tar -C "$work/$layer" --sort=name --mtime=@1700000000 --numeric-owner -cf "$work/$layer.tar" .; done
	"$BATS_TEST_DIRNAME/../lib/oci-image" "$work/full" "$work/one.tar" "$work/two.tar" "$work/three.tar:none" --config '{"Entrypoint":["/bin/cat"],"Cmd":["/mark"],"Env":["PATH=/bin","A=b c","EMPTY="],
		"Labels":{"tier":"db","odd":"a\"b\\c"},"User":"0:0","WorkingDir":"/bin","ExposedPorts":{"80/tcp":{},"53/udp":{}},"Volumes":{"/data":{}},"StopSignal":"SIGINT"}'
	"$BATS_TEST_DIRNAME/../lib/oci-image" "$work/small" "$work/one.tar" "$work/two.tar" --config '{"Cmd":["/bin/cat","/mark"]}'
	for layer in full small; do
		registry_push "$work/$layer" "$layer:1"
		"$KIST" pull -q "$REGISTRY/$layer:1"
		"$KIST" tag "$REGISTRY/$layer:1" "ours/$layer:1"
	done
	"$KIST" tag ours/full:1 ours/full:two
	"$KIST" tag ours/full:1 other.example:5000/deep/er/name:x_Y.z-1
}
teardown_file() {
	callers_down
	kist_end
}
setup() { [ -n "${CALLER_DIR:-}" ] || skip "docker, dockerd and skopeo of Debian are not installed"; }
teardown() {
	[ -n "${CALLER_DIR:-}" ] || return 0
	theirs images -q | sort -u | xargs -r /usr/bin/docker -H "unix://$CALLER_DIR/docker.sock" rmi -f >/dev/null
	left_nothing
}

theirs() { /usr/bin/docker -H "unix://$CALLER_DIR/docker.sock" "$@"; }
# What both have to say of an image, in one form: of a config what was said, and not what is empty.
seen_by() { # COMMAND... IMAGE
	"${@:1:$#-1}" image inspect "${@: -1}" |
		jq -S '.[0] | {Id, Architecture, Os, Created: .Created[0:19], Layers: .RootFS.Layers, Config: (.Config | {Entrypoint, Cmd, Env, Labels, User, WorkingDir, ExposedPorts, Volumes, StopSignal} |
			with_entries(select(.value != null and .value != "" and .value != {} and .value != [])))}'
}
same() { # IMAGE [NAME-AT-DOCKERD]
	diff <(seen_by "$KIST" "$1") <(seen_by theirs "${2:-$1}")
	[ "$(seen_by "$KIST" "$1" | jq '.Layers | length')" -gt 0 ]
}

@test "what kist saves dockerd loads: several images, each with its names, and runs" {
	for C in $(clients); do
		client "$C" save -o "$BATS_TEST_TMPDIR/a.tar" ours/full:1 ours/small:1 ours/full:two other.example:5000/deep/er/name:x_Y.z-1
		run -0 theirs load -i "$BATS_TEST_TMPDIR/a.tar"
		for name in ours/full:1 ours/small:1 ours/full:two other.example:5000/deep/er/name:x_Y.z-1; do
			[[ "$output" == *"Loaded image: $name"* ]]
			same "$name"
		done
		[ "$(theirs images -q ours/full | sort -u | wc -l)" = 1 ]
		[ "$(theirs run --rm --network none ours/full:1)" = third ]
		[ "$(theirs run --rm --network none ours/small:1)" = second ]
		[ "$(theirs run --rm --network none --entrypoint /bin/busybox ours/small:1 stat -c '%a %u:%g' /mark)" = "4750 1000:1001" ]
		run -127 theirs run --rm --network none --entrypoint /bin/sh ours/full:1 -c true # the whiteout
		theirs rmi -f ours/full:1 ours/full:two ours/small:1 other.example:5000/deep/er/name:x_Y.z-1
	done
	# By its id, an image has no name there either.
	id=$("$KIST" image inspect -f '{{.Id}}' ours/small:1)
	"$KIST" save "$id" | gzip -c >"$BATS_TEST_TMPDIR/a.tar.gz"
	[[ "$(theirs load -i "$BATS_TEST_TMPDIR/a.tar.gz")" == *"Loaded image ID: $id"* ]]
	same ours/small:1 "$id"
}

@test "an artifact beside an image is passed over by dockerd" {
	"$BATS_TEST_DIRNAME/../lib/put-manifest" "$REGISTRY_PORT" chart 1 --config application/vnd.cncf.helm.config.v1+json --file 'a=one'
	"$KIST" pull -q "$REGISTRY/chart:1"
	"$KIST" save -o "$BATS_TEST_TMPDIR/a.tar" "$REGISTRY/chart:1" ours/small:1
	[ "$(theirs load -i "$BATS_TEST_TMPDIR/a.tar")" = "Loaded image: ours/small:1" ]
	same ours/small:1
	"$KIST" rmi "$REGISTRY/chart:1"
}

@test "what dockerd saves kist loads: images that it made, with names or none, plain and compressed, and runs" {
	theirs load -q -i "$CALLER_DIR/busybox.docker.tar"
	box=$(theirs create --network none kist.local/busybox sh -c 'echo made >/made; mkfifo /fifo; rm /bin/ls; ln -s /made /link; chown 5:6 /made')
	theirs start -a "$box"
	theirs commit -a someone -m 'a message' -c 'CMD ["cat","/link"]' -c 'ENV X=y' -c 'LABEL a=b' -c 'EXPOSE 80' -c 'VOLUME /v' "$box" theirs/made:1 >/dev/null
	theirs tag theirs/made:1 localhost:1/theirs/made:2
	theirs import -c 'CMD ["/bin/cat","/mark"]' "$KT_DIR/work/one.tar" theirs/bare:1 >/dev/null
	theirs save -o "$BATS_TEST_TMPDIR/a.tar" theirs/made:1 localhost:1/theirs/made:2 theirs/bare:1
	gzip -k "$BATS_TEST_TMPDIR/a.tar"
	zstd -q "$BATS_TEST_TMPDIR/a.tar"
	theirs rm "$box" >/dev/null
	for archive in a.tar a.tar.gz a.tar.zst; do
		for C in $(clients); do
			run -0 client "$C" load -i "$BATS_TEST_TMPDIR/$archive"
			for name in theirs/made:1 localhost:1/theirs/made:2 theirs/bare:1; do
				[[ "$output" == *"Loaded image: $name"* ]]
				same "$name"
			done
			[ "$("$KIST" run --rm --network none theirs/made:1)" = made ]
			[ "$("$KIST" run --rm --network none theirs/made:1 sh -c 'stat -c %u:%g /made; test -p /fifo && ! test -e /bin/ls && echo $X' | tr '\n' ' ')" = "5:6 y " ]
			[ "$("$KIST" image inspect -f '{{.Author}} {{.Comment}}' theirs/made:1)" = "someone a message" ]
			[ "$("$KIST" history -q --no-trunc theirs/made:1 | wc -l)" = "$(theirs history -q --no-trunc theirs/made:1 | wc -l)" ]
			"$KIST" rmi theirs/made:1 localhost:1/theirs/made:2 theirs/bare:1
		done
	done
	id=$(theirs image inspect -f '{{.Id}}' theirs/bare:1)
	theirs save "$id" | "$KIST" load -q
	same "$id"
	"$KIST" rmi "$id"
	"$KIST" system fsck --digests
}

@test "there and back again: the same image, and the same once more" {
	"$KIST" save ours/full:1 | theirs load
	theirs tag ours/full:1 back:1
	theirs save back:1 | "$KIST" load
	diff <(seen_by "$KIST" ours/full:1) <(seen_by "$KIST" back:1)
	"$KIST" save back:1 | theirs load
	same back:1
	[ "$("$KIST" run --rm back:1)" = third ]
	"$KIST" rmi back:1
}
