# Folders and sockets of the host by which a container can become its root: warned of, and refused under policy strict; by whatever name they are reached.
# No container here is ever started with a folder of the host that the tests did not make: those are for create alone, and what is started has the
# daemon's own folders at most.
load attack

setup_file() {
	FILE=$(mktemp "${TMPDIR:-/tmp}/kist-test-policy.XXXXXX")
	export FILE
	echo '{}' >"$FILE"
	kist_start --config "$FILE"
	helpers_folder
}
teardown_file() { kist_end; rm -f "$FILE"; }
teardown() {
	umount "$BATS_TEST_TMPDIR/d/bound" 2>/dev/null || true
	umount "$BATS_TEST_TMPDIR/d/part" 2>/dev/null || true
	policy default
	left_nothing
	"$KIST" volume prune -af >/dev/null
}

said() { "$KIST" create --name asked -v "$KT_DIR/root:/r" $BUSYBOX true 2>&1; "$KIST" rm asked >/dev/null 2>&1 || true; }
is_policy() { if [ "$1" = strict ]; then said | grep -q 'policy strict'; else ! said | grep -q 'policy strict'; fi; }
policy() { # default|strict
	echo "{\"policy\": \"$1\"}" >"$FILE"
	kill -HUP "$(kistd_pid)"
	eventually is_policy "$1"
}
warns() { # WORDS ARG... of create
	local words=$1
	shift
	run -0 "$KIST" create --name warned "$@" $BUSYBOX true
	"$KIST" rm warned >/dev/null
	[[ "$output" == *"WARNING: "*" is bound "* && "$output" == *"$words"* ]] || { echo "no warning of $*: $output"; return 1; }
}
silent() { # ARG... of create
	run -0 --separate-stderr "$KIST" create --name warned "$@" $BUSYBOX true
	"$KIST" rm warned >/dev/null
	# shellcheck disable=SC2154  # set by run
	[ -z "$stderr" ] || { echo "warned of $*: $stderr"; return 1; }
}
denied() { # ARG... of create
	run "$KIST" create --name warned "$@" $BUSYBOX true
	[[ "$status" -eq 1 && "$output" == *"policy strict"* ]] || { echo "$*: $output"; return 1; }
	[ -z "$("$KIST" ps -aq)" ]
}

@test "each of the places, what could happen, and containers whose root is the host's or is not" {
	local own
	for own in --userns=host --privileged --network=host; do
		warns "whose root is root of the host: every file of the host" $own -v /:/host
		warns "whose root is root of the host: the host's users" $own -v /etc:/x
	done
	warns "whose root is root on these files: every file of the host" -v /:/host
	warns "whose root is root on these files: the host's users" -v /etc:/x
	warns "whose root is root on these files" --mount "type=bind,source=/etc,target=/x,idmap=uids=0-1000-1;gids=0-1000-1"
	warns "kernel can be told what to run" --userns=host -v /proc:/x
	warns "kernel can be told what to run" --userns=host -v /proc/sys:/x
	warns "devices and kernel" --userns=host -v /sys:/x
	warns "disks, terminals and memory" --userns=host --mount type=bind,source=/dev,target=/x
	[ ! -d /boot ] || warns "kernel that the host starts next" --userns=host -v /boot:/x
	warns "this daemon's own" -v "$KT_DIR/root:/x"
	warns "this daemon's own" -v "$KT_DIR/root/volumes:/x"
	warns "this daemon's own" -v "$KT_DIR/run:/x"
	warns "this daemon's own" -v "$KT_DIR:/x"
	# A socket is one through a read-only mount, too.
	warns "is bound read-write to /x of a container whose root is root on these files: who can connect to it" -v "$KT_DIR/kist.sock:/x"
	warns "is bound read-only to /x of a container whose root is root on these files: who can connect to it" -v "$KT_DIR/kist.sock:/x:ro"
	warns "($KT_DIR/kist.sock is in it) is bound read-only" -v "$KT_DIR:/x:ro"
	warns "who can connect to it" --userns=host -v /:/host:ro
	# What is mounted below stays writable.
	warns "is bound read-write" --mount type=bind,source=/etc,target=/x,readonly,bind-recursive=writable
	# docker prints it, too; and who speaks to the API reads it there.
	run -0 docker create --name warned -v /etc:/x $BUSYBOX true
	docker rm warned
	[[ "$output" == *"WARNING: /etc is bound read-write to /x"* ]]
	curl -s --unix-socket "$KT_DIR/kist.sock" -H 'Content-Type: application/json' -d "{\"Image\":\"$BUSYBOX\",\"HostConfig\":{\"Binds\":[\"/etc:/x\"]}}" \
		'http://kist/containers/create?name=warned' | jq -e '.Warnings | length == 1 and (.[0] | startswith("/etc is bound"))'
	"$KIST" rm warned
	# Of another container, by name.
	"$KIST" create --name first -v /etc:/x $BUSYBOX true
	warns "/etc is bound" --volumes-from first
	"$KIST" rm first
}

@test "what is no danger says nothing: read-only, other folders, volumes, ids that are nobody's" {
	mkdir -p "$BATS_TEST_TMPDIR/mine"
	silent -v /etc:/x:ro
	silent -v /etc:/x:ro --userns=host
	silent --mount type=bind,source=/etc,target=/x,readonly
	silent -v "$BATS_TEST_TMPDIR/mine:/x" --userns=host
	silent -v /usr/share:/x
	silent -v /dev/null:/x
	silent -v data:/x -v /anonymous --tmpfs /t
	silent --mount "type=bind,source=/etc,target=/x,idmap=uids=1000-0-1;gids=1000-0-1"
	silent -v "$KT_DIR/h:/h"
	# Nor under strict; such a container starts, and its files are the ones that were meant.
	policy strict
	echo "mine" >"$BATS_TEST_TMPDIR/mine/file"
	[ "$("$KIST" run --rm -v "$BATS_TEST_TMPDIR/mine:/x" -v data:/d -v "$BATS_TEST_TMPDIR/made/new:/new" --mount "type=bind,source=$BATS_TEST_TMPDIR/mine,target=/y,readonly" \
		$BUSYBOX sh -c 'touch /x/written /new/written; cat /x/file; touch /y/not 2>&1')" = "$(printf 'mine\ntouch: /y/not: Read-only file system')" ]
	[ "$(stat -c %u "$BATS_TEST_TMPDIR/mine/written" "$BATS_TEST_TMPDIR/made/new/written" | sort -u)" = 0 ]
	run -125 "$KIST" run --rm --mount "type=bind,source=$BATS_TEST_TMPDIR/no,target=/x" $BUSYBOX true
	[[ "$output" == *"bind source path does not exist: $BATS_TEST_TMPDIR/no"* ]]
	"$KIST" volume create -o type=none -o o=bind -o "device=$BATS_TEST_TMPDIR/mine" bound
	[ "$("$KIST" run --rm -v bound:/x $BUSYBOX cat /x/file)" = mine ]
}

@test "attack: links, \"..\", other mounts and volumes that lead there (policy strict refuses)" {
	local d=$BATS_TEST_TMPDIR/d path
	mkdir -p "$d/bound" "$d/part" "$d/deep"
	ln -s /etc "$d/etc" && ln -s "$d/etc" "$d/deep/again" && ln -s / "$d/top" && ln -s "$KT_DIR/kist.sock" "$d/sock" && ln -s /etc/shadow "$d/file" && ln -s /etc/not-there/yet "$d/dangling"
	# Mounts of folders of this daemon's, never of the host's: should this fail before the umount, the clean-up walks through it.
	mkdir -p "$KT_DIR/root/decoy/below"
	mount --bind "$KT_DIR/root/decoy" "$d/bound"
	mount --bind "$KT_DIR/root/decoy/below" "$d/part"
	policy strict
	for path in / /etc /etc/. //etc/ /usr/../etc /usr/share/../../etc "$d/etc" "$d/deep/again" "$d/top" "$d/top/etc" "$d/deep/../etc" "$d/bound" "$d/bound/below" "$d/part" "$d/part/new" \
		"$d/sock" "$d/file" /etc/shadow /proc/self/root "/proc/$(kistd_pid)/root" /proc/self/cwd/../../../../../../../../../../../etc "$KT_DIR/root" "$KT_DIR/root/../root/containers" "$KT_DIR" \
		/etc/not-there/yet "$d/etc/not-there" "$d/dangling"; do
		denied -v "$path:/x"
		denied --userns=host -v "$path:/x"
	done
	denied --mount "type=bind,source=$d/etc,target=/x"
	denied --privileged -v "$d/bound:/x"
	denied -v "$d/sock:/x:ro"
	run -1 docker create -v "$d/etc:/x" $BUSYBOX true
	[[ "$output" == *"policy strict"* ]]
	[ "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$KT_DIR/kist.sock" -H 'Content-Type: application/json' \
		-d "{\"Image\":\"$BUSYBOX\",\"HostConfig\":{\"Binds\":[\"$d/etc:/x\"]}}" http://kist/containers/create)" = 403 ]
	# As a volume: when it is made with the container, and when it was there.
	denied --mount "type=volume,source=lead,target=/x,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=$d/etc"
	[ -z "$("$KIST" volume ls -q -f name=lead)" ]
	"$KIST" volume create -o type=none -o o=bind -o "device=$d/top/etc" there
	denied -v there:/x
	silent -v there:/x:ro
	silent -v "$d/deep:/x"
	[ ! -e /etc/not-there ]
	umount "$d/bound" "$d/part"
}

@test "attack: policy strict: what was made before the policy, and volumes that lead elsewhere at the start" {
	local d=$BATS_TEST_TMPDIR/d
	mkdir -p "$d/mine" "$KT_DIR/root/aim"
	run -0 "$KIST" create --name early -v "$KT_DIR/root/aim:/x" $BUSYBOX touch /x/written
	policy strict
	run ! "$KIST" start -a early
	[[ "$output" == *"policy strict: $KT_DIR/root/aim (in $KT_DIR/root) is bound read-write to /x"* ]]
	"$KIST" volume create -o type=none -o o=bind -o "device=$d/mine" moving
	"$KIST" create --name later -v moving:/x $BUSYBOX touch /x/written
	rmdir "$d/mine" && ln -s "$KT_DIR/root/aim" "$d/mine"
	run ! "$KIST" start -a later
	[[ "$output" == *"policy strict"* ]]
	# A directory is not made where it would be refused.
	"$KIST" create --name makes -v "$d/new/er:/x" $BUSYBOX touch /x/written
	ln -s "$KT_DIR/root/aim" "$d/new"
	run ! "$KIST" start -a makes
	[[ "$output" == *"policy strict"* ]]
	[ -z "$(ls "$KT_DIR/root/aim")" ]
	# A file system of the kernel's as a volume: its own, but the same thing. (It could not be mapped to the container's ids either.)
	"$KIST" volume create -o type=proc -o device=proc kernel
	run ! "$KIST" run --rm -v kernel:/x $BUSYBOX true
	[[ "$output" == *"policy strict: volume kernel (the same as /proc) is bound read-write"* ]]
	"$KIST" rm early later makes
}

@test "attack: policy strict: a folder becomes a link to the host's between create and start, and while it starts" {
	local d=$BATS_TEST_TMPDIR/d i seen=0 refused=0
	mkdir -p "$d/mine"
	echo "of the container" >"$d/mine/hostname"
	policy strict
	"$KIST" create --name later -v "$d/mine:/x" $BUSYBOX cat /x/hostname
	mv "$d/mine" "$d/aside" && ln -s "$KT_DIR/root" "$d/mine"
	run ! "$KIST" start -a later
	[[ "$output" == *"policy strict"* ]]
	rm "$d/mine" && mv "$d/aside" "$d/mine"
	[ "$("$KIST" start -a later)" = "of the container" ]
	ln -s "$KT_DIR/root" "$d/link"
	"$KT_DIR/h/swap" 240 "$d/mine" "$d/link" >/dev/null 3>&- &
	swapper=$!
	for i in $(seq 100); do
		[ "$i" -le 10 ] || [ "$seen" -eq 0 ] || [ "$refused" -eq 0 ] || break
		if output=$("$KIST" start -a later 2>&1); then
			[ "$output" = "of the container" ] || { echo "round $i: $output"; kill $swapper; return 1; }
			seen=$((seen + 1))
		else
			[[ "$output" == *"policy strict"* ]] || { echo "round $i: $output"; kill $swapper; return 1; }
			refused=$((refused + 1))
		fi
	done
	kill $swapper
	wait $swapper || true
	[ "$seen" -gt 0 ] && [ "$refused" -gt 0 ]
}

@test "policy: its two words, on the command line and in the file" {
	local bad=$BATS_TEST_TMPDIR/bad.json
	echo '{"policy": "lax"}' >"$bad"
	run -2 "$BUILD/bin/kistd" --config "$bad" --validate
	[[ "$output" == *'--policy: "lax" is neither default nor strict'* ]]
	echo '{}' >"$bad"
	run -0 "$BUILD/bin/kistd" --config "$bad" --policy strict --validate
	kistd_stop
	kistd_up --config "$bad" --policy strict
	denied -v /etc:/x
	kistd_stop
	kistd_up --config "$FILE"
}
