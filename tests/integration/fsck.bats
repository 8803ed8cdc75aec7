# kist system fsck: what a crash or a hand left over, made by hand here, is found and mended while the daemon runs.
load ../lib/kist

setup_file() { kist_start; }
teardown_file() { kist_end; }

HEX=$(printf 'deadbeef%.0s' 1 2 3 4 5 6 7 8)
ID=${HEX/deadbeef/0123abcd}

clean() { [ -z "$("$KIST" system fsck)" ]; }

# It is found (and left alone), mended with one line that fits, and found no more.
found_and_mended() { # KIND OBJECT REGEX-OF-THE-ACTION
	run "$KIST" system fsck
	[ "$status" -eq 1 ]
	[[ "${lines[*]}" == *"$1 "*"$2"*": "* ]] || { echo "$output" >&2; return 1; }
	run "$KIST" system fsck --fix
	[ "$status" -eq 0 ] || { echo "$output" >&2; return 1; }
	grep -Eq "^$1 .*$2.*: .*: $3\$" <<<"$output" || { echo "$output" >&2; return 1; }
	run "$KIST" system fsck
	[ "$status" -eq 0 ] && [ -z "$output" ] || { echo "$output" >&2; return 1; }
}

@test "nothing is found where nothing is wrong, and what is not an option is refused" {
	"$KIST" run -d --name fine -p 127.0.0.1::80 -v kept:/data $BUSYBOX sleep 300
	"$KIST" create --name waiting $BUSYBOX true
	run "$KIST" system fsck
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	run "$KIST" system fsck --mend
	[ "$status" -ne 0 ]
	"$KIST" rm -f fine waiting
	"$KIST" volume rm kept
	clean
}

@test "each kind of left-over is found, mended, and found no more: files" {
	root=$KT_DIR/root
	mkdir -p "$root/containers/$ID/upper/x"
	found_and_mended container "$ID" removed
	[ ! -e "$root/containers/$ID" ]

	"$KIST" create --name lost $BUSYBOX echo here again
	id=$("$KIST" inspect -f '{{.Id}}' lost)
	rm -rf "${root:?}/containers/$id"
	found_and_mended container "$id" "an empty one was made"
	[ "$("$KIST" start -a lost)" = "here again" ]
	"$KIST" rm lost

	# What is in a volume is the user's: it is taken up, not removed.
	mkdir -p "$root/volumes/byhand/_data"
	echo precious >"$root/volumes/byhand/_data/file"
	found_and_mended volume byhand "it has a row again"
	[ "$("$KIST" run --rm -v byhand:/v $BUSYBOX cat /v/file)" = precious ]
	"$KIST" volume rm byhand
	"$KIST" volume create hollow
	rm -rf "$root/volumes/hollow"
	found_and_mended volume hollow "an empty one was made"
	"$KIST" volume rm hollow

	mkdir -p "$root/layers/sha256/$HEX/bin"
	found_and_mended layer "sha256:$HEX" removed
	[ ! -e "$root/layers/sha256/$HEX" ]
	echo junk >"$root/oci/blobs/sha256/$HEX"
	found_and_mended blob "$HEX" removed
	[ ! -e "$root/oci/blobs/sha256/$HEX" ]
	mkdir -p "$root/tmp/layer-0123/x"
	found_and_mended temporary layer-0123 removed
	[ ! -e "$root/tmp/layer-0123" ]
	[ "$("$KIST" run --rm $BUSYBOX echo the image is whole)" = "the image is whole" ]
	nothing_left
}

@test "each kind of left-over is found, mended, and found no more: run directories and cgroups" {
	mkdir "$KT_DIR/run/containers/$ID"
	: >"$KT_DIR/run/containers/$ID/monitor.sock"
	found_and_mended run "$ID" removed
	"$KIST" create --name idle $BUSYBOX true
	id=$("$KIST" inspect -f '{{.Id}}' idle)
	mkdir "$KT_DIR/run/containers/$id"
	: >"$KT_DIR/run/containers/$id/monitor.sock"
	found_and_mended run "$id" removed
	"$KIST" rm idle

	# With a process in it, in every hierarchy that the daemon uses.
	"$KIST" run --rm $BUSYBOX true
	sleep 300 3>&- &
	sleeper=$!
	disown
	for dir in $(find /sys/fs/cgroup -type d -name "kist-test-$KT_NAME"); do
		mkdir "$dir/$ID"
		echo "$sleeper" >"$dir/$ID/cgroup.procs" || true
	done
	found_and_mended cgroup "$ID" "killed and removed"
	gone "$sleeper"
	[ -z "$(find /sys/fs/cgroup -type d -name "$ID")" ]
	nothing_left
}

@test "each kind of left-over is found, mended, and found no more: links and the firewall" {
	"$KIST" run -d --name server -p 127.0.0.1::80 $BUSYBOX sleep 300
	ip link add kvffffff00 type veth peer name kvffffff01
	ip link set kvffffff00 master "$KT_NAME"
	found_and_mended link kvffffff00 removed
	not_there() { ! ip link show kvffffff00; }
	eventually not_there

	# A running container's link: it can talk again.
	gateway=$("$KIST" inspect -f '{{.NetworkSettings.Networks.bridge.Gateway}}' server)
	"$KIST" exec server ping -c 1 -W 5 "$gateway"
	link=$(ip -o link show master "$KT_NAME" | sed -n 's/^[0-9]*: \(kv[0-9a-f]*\)@.*/\1/p' | head -1)
	ip link del "$link"
	! "$KIST" exec server ping -c 1 -W 1 "$gateway"
	found_and_mended link "$link" "made again"
	"$KIST" exec server ping -c 1 -W 5 "$gateway"

	table=kist-$KT_NAME
	nft add element inet "$table" ports '{ 6 . 9999 : 10.0.0.1 . 80 }'
	found_and_mended firewall "$KT_NAME" "the table was put in place anew"
	nft flush map inet "$table" ports_at
	found_and_mended firewall "$KT_NAME" "the table was put in place anew"
	nft flush chain inet "$table" published
	found_and_mended firewall "$KT_NAME" "the table was put in place anew"
	nft delete table inet "$table"
	found_and_mended firewall "$KT_NAME" "the table was put in place anew"
	"$KIST" rm -f server
	clean
	nothing_left
}

@test "a limit of size without its container or volume is found, mended, and found no more" {
	kistd_stop
	kistd_up
	python3 -c 'import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("INSERT INTO project VALUES (2000000, \"volumes/nowhere\", 1048576)")
db.commit()' "$KT_DIR/root/kist.db"
	run -1 "$KIST" system fsck
	[[ "$output" == *"size volumes/nowhere: a limit of what is not there"* ]]
	run -0 "$KIST" system fsck --fix
	[[ "$output" == *"size volumes/nowhere"*"removed"* ]]
	run -0 "$KIST" system fsck
}

@test "what is not mended is said, and the exit code is 1" {
	"$KIST" run -d --name busy $BUSYBOX sleep 300
	id=$("$KIST" inspect -f '{{.Id}}' busy)
	mv "$KT_DIR/root/containers/$id" "$KT_DIR/aside"
	run "$KIST" system fsck --fix
	mv "$KT_DIR/aside" "$KT_DIR/root/containers/$id"
	[ "$status" -eq 1 ]
	[[ "$output" == "container $id: its directory is gone"*"cannot be mended"* ]]
	"$KIST" rm -f busy
	clean
	nothing_left
}

@test "fsck --fix in a loop beside 50 runs breaks nothing" {
	: >"$BATS_TEST_TMPDIR/go"
	(while [ -e "$BATS_TEST_TMPDIR/go" ]; do "$KIST" system fsck --fix; done) >"$BATS_TEST_TMPDIR/fsck" 2>&1 3>&- &
	fsck=$!
	for i in $(seq 5); do
		clients=()
		for j in $(seq 10); do
			"$KIST" run --rm -v /anonymous -p 127.0.0.1::80 $BUSYBOX sh -c 'echo $0; exit 7' "$i-$j" >"$BATS_TEST_TMPDIR/out-$i-$j" 2>&1 3>&- &
			clients+=($!)
		done
		for client in "${clients[@]}"; do
			code=0
			wait "$client" || code=$?
			[ "$code" -eq 7 ]
		done
	done
	rm "$BATS_TEST_TMPDIR/go"
	wait "$fsck" || { cat "$BATS_TEST_TMPDIR/fsck" >&2; false; }
	[ "$(cat "$BATS_TEST_TMPDIR"/out-* | sort -V)" = "$(for i in $(seq 5); do for j in $(seq 10); do echo "$i-$j"; done; done | sort -V)" ]
	[ ! -s "$BATS_TEST_TMPDIR/fsck" ] || { cat "$BATS_TEST_TMPDIR/fsck" >&2; false; }
	clean
	nothing_left
}

@test "--digests: a broken blob is found with its image, --fix takes it away, and the next pull brings it back" {
	local work=$KT_DIR/digests blob layer blobs=$KT_DIR/root/oci/blobs/sha256
	registry_start
	mkdir -p "$work/one/bin" "$work/two"
	cp "$(command -v busybox)" "$work/one/bin/busybox"
	echo second >"$work/two/second"
	for layer in one two; do tar -C "$work/$layer" --sort=name --mtime=@1700000000 --numeric-owner -cf "$work/$layer.tar" .; done
	"$BATS_TEST_DIRNAME/../lib/oci-image" "$work/layout" "$work/one.tar" "$work/two.tar" --config '{"Cmd":["/bin/busybox","cat","/second"]}'
	registry_push "$work/layout" test/two:1
	"$KIST" pull -q "$REGISTRY/test/two:1"
	"$KIST" tag "$REGISTRY/test/two:1" again:1
	run -0 "$KIST" system fsck --digests
	[ -z "$output" ]
	blob=$(skopeo inspect --tls-verify=false --raw "docker://127.0.0.1:$REGISTRY_PORT/test/two:1" | jq -r '.layers[0].digest')
	flip() { printf '\377' | dd of="$blobs/${1#sha256:}" bs=1 seek=20 conv=notrunc status=none; }
	flip "$blob"
	clean # only who asks for it has every byte read
	run -1 "$KIST" system fsck --digests
	[ "${#lines[@]}" = 1 ]
	[[ "$output" == "blob $blob: its bytes have another digest: of "*"$REGISTRY/test/two:1"*": pull it again" && "$output" == *again:1* ]]
	run -0 "$KIST" system fsck --digests --fix
	[[ "$output" == "blob $blob: its bytes have another digest: of "*": removed: the next pull fetches it" ]]
	[ ! -e "$blobs/${blob#sha256:}" ]
	# The image is there as it was, and runs; that it is not whole is said until it is.
	[ "$("$KIST" run --rm --pull never again:1)" = second ]
	run -1 "$KIST" system fsck --digests
	[[ "$output" == "blob $blob: it is not there: of "*": pull it again" ]]
	"$KIST" pull -q "$REGISTRY/test/two:1"
	run -0 "$KIST" system fsck --digests
	[ -z "$output" ]
	# A text is not removed: it says what else the image has. The pull writes it anew.
	for text in manifest config; do
		[ $text = config ] && blob=$("$KIST" image inspect -f '{{.Id}}' again:1) ||
			blob=sha256:$(skopeo inspect --tls-verify=false --raw "docker://127.0.0.1:$REGISTRY_PORT/test/two:1" | sha256sum | cut -d ' ' -f 1)
		flip "$blob"
		run -1 "$KIST" system fsck --digests --fix
		[[ "$output" == "blob $blob: its bytes have another digest: of "*"pull it again"* && "${#lines[@]}" = 1 ]]
		[ -e "$blobs/${blob#sha256:}" ]
		"$KIST" pull -q "$REGISTRY/test/two:1"
		run -0 "$KIST" system fsck --digests
	done
	[ "$("$KIST" run --rm --pull never again:1)" = second ]
	# On a terminal it says how far it is.
	run -0 script -qec "$KIST system fsck --digests" /dev/null
	[[ "$output" == *"blobs: "*" of "* ]]
	"$KIST" rmi "$REGISTRY/test/two:1" again:1
	clean
}
