# Bad input to kist-runtime: exit status 1, one line that names the field or the file, valid JSON in the log, and nothing left.
load ../lib/runtime

setup_file() { bundle_make; }
teardown_file() { bundle_remove; }
setup() { bundle_fresh; }
teardown() { runtime_left_nothing; }

create_it() { rt --log "$RT_DIR/log" --log-format json create -b "$RT_DIR/bundle" "$ID"; }
# The same with the log looked at, and nothing left each time.
cannot() { # PATTERN
	: >"$RT_DIR/log"
	refused "$1" create_it
	[ "$(jq -r '.level + " " + (.msg | type)' "$RT_DIR/log")" = "error string" ]
	jq -r .msg "$RT_DIR/log" | grep -qF -- "$1"
	[ -z "$(left)" ]
}

@test "every field: of every wrong type, and without the required ones" {
	"$BATS_TEST_DIRNAME/../lib/bad-configs" "$RUNTIME" "$RT_DIR" "$RT_CGROUP"
}

@test "no limit, as programs write it that have unsigned numbers" {
	local file
	config '.process.rlimits = [{type: "RLIMIT_CORE", soft: 12345, hard: 12345}]'
	sed -i 's/12345/18446744073709551615/' "$RT_DIR/bundle/config.json"
	[ "$(ulimit -Hc)" = unlimited ] || skip "there is a limit already"
	args() { sed -i 's|"/bin/true"|"/bin/grep", "Max core", "/proc/self/limits"|' "$RT_DIR/bundle/config.json"; } # jq would round the numbers
	args
	run -0 run_it
	[[ "$output" == *unlimited*unlimited* ]]
	# One more is no number of 64 bits.
	sed -i 's/18446744073709551615/18446744073709551616/' "$RT_DIR/bundle/config.json"
	cannot "$RT_DIR/bundle/config.json: config.json is not valid JSON"
}

@test "the bundle: not there, a file, without a config" {
	refused "bundle /no/such/bundle: No such file" rt create -b /no/such/bundle "$ID"
	refused "bundle $RT_DIR/base.json: Not a directory" rt create -b "$RT_DIR/base.json" "$ID"
	refused "bundle " rt create -b "" "$ID"
	mkdir "$RT_DIR/empty"
	refused "$RT_DIR/empty/config.json: No such file" rt create -b "$RT_DIR/empty" "$ID"
	ln -s loop "$RT_DIR/loop"
	refused "bundle $RT_DIR/loop: Too many levels" rt create -b "$RT_DIR/loop" "$ID"
}

@test "config.json: a directory, a fifo, a device, huge, deep, cut off, not text" {
	local config=$RT_DIR/bundle/config.json
	rm "$config" && mkdir "$config"
	cannot "$config: Is a directory"
	rmdir "$config" && mkfifo "$config"
	cannot "$config: it is not a regular file"
	rm "$config" && ln -s /dev/zero "$config"
	cannot "$config: it is not a regular file"
	rm "$config" && truncate -s 1G "$config"
	cannot "$config: File too large"
	python3 -c 'print("{\"a\":" * 100000)' >"$config"
	cannot "$config: config.json is not valid JSON: nested more than 256 deep"
	python3 -c 'print("[" * 250 + "]" * 250)' >"$config"
	cannot "$config: it is not an object"
	: >"$config"
	cannot "$config: config.json is not valid JSON"
	head -c 200 "$RT_DIR/base.json" >"$config"
	cannot "$config: config.json is not valid JSON"
	head -c 4096 /dev/urandom >"$config"
	cannot "$config: config.json is not valid JSON"
	printf '{"ociVersion": "1.3.0\\u0000"}' >"$config"
	cannot "$config"
	printf '{"ociVersion": "1.3.0", "root": {"path": "\xff"}}' >"$config"
	cannot "$config: config.json is not valid JSON"
	# A path that is no UTF-8 has to go into a line of JSON all the same.
	mkdir "$RT_DIR/$(printf 'b\xff')"
	: >"$RT_DIR/log"
	refused "config.json" rt --log "$RT_DIR/log" --log-format json create -b "$RT_DIR/$(printf 'b\xff')" "$ID"
	jq -e '.level == "error"' "$RT_DIR/log"
	rm "$config"
}

@test "ids: in use, and none" {
	started
	refused "already exists" rt create -b "$RT_DIR/bundle" "$ID"
	refused "already exists" rt run -b "$RT_DIR/bundle" "$ID"
	[ "$(rt state "$ID" | jq -r .status)" = running ] # who has it keeps it
	rt delete --force "$ID"
	local id
	for id in '' . .. a/b ../x /x 'a b' $'a\nb' "$(printf 'x%.0s' $(seq 201))" 'ä' '~x' 'a:b' '*'; do
		refused "is not a container id" rt create -b "$RT_DIR/bundle" -- "$id"
		refused "is not a container id" rt state -- "$id"
	done
	[ ! -e "$RT_DIR/x" ]
}

@test "a root that is not there, is a file, or has links where mounts go" {
	local rootfs=$RT_DIR/bundle/rootfs
	config '.root.path = "nosuch"'
	cannot "nosuch"
	config '.root.path = "config.json"'
	cannot "config.json"
	cp "$RT_DIR/base.json" "$RT_DIR/bundle/config.json"
	local name
	for name in proc dev; do
		rmdir "$rootfs/$name" 2>/dev/null || true
		ln -s /etc "$rootfs/$name"
		cannot "/$name"
		rm "$rootfs/$name"
	done
	ln -s /proc/self/root "$rootfs/out"
	config '.mounts += [{destination: "/out/kist-test-x", type: "tmpfs", source: "x"}]'
	create "$ID" && rt delete "$ID" # where it leads to is inside, or it is refused: never outside
	[ ! -e /kist-test-x ]
	rm -rf "$rootfs/out" "$rootfs/kist-test-x"
	echo text >"$rootfs/file"
	config '.mounts[-1].destination = "/file"'
	cannot "/file"
	config '.mounts[-1] = {destination: "/file/below", type: "tmpfs", source: "x"}'
	cannot "/file/below"
	rm "$rootfs/file"
}

@test "a limit that the kernel refuses" {
	local rows=(
		'.linux.resources.cpu = {quota: 1}|linux.resources.cpu.quota: the kernel refuses "1'
		'.linux.resources.cpu = {cpus: "9999"}|linux.resources.cpu.cpus: the kernel refuses "9999"'
		'.linux.resources.memory = {limit: 67108864, swap: 1048576}|linux.resources.memory.swap'
		'.linux.resources.memory = {limit: 4096}|memory'
	)
	local row
	for row in "${rows[@]}"; do
		cp "$RT_DIR/base.json" "$RT_DIR/bundle/config.json"
		config "${row%%|*}"
		cannot "${row##*|}" || { echo "for: $row" >&2; return 1; }
		[ -z "$(find /sys/fs/cgroup -type d -path "*/$RT_CGROUP/box" 2>/dev/null)" ]
	done
}

@test "a hook that hangs is killed with its children, and the container with it" {
	local kind
	for kind in prestart createRuntime createContainer; do
		cp "$RT_DIR/base.json" "$RT_DIR/bundle/config.json"
		config '.hooks = {($kind): [{path: "/bin/sh", args: ["sh", "-c", "sleep 300 & sleep 300; : kist-test-mark-" + $mark], timeout: 1}]}' --arg kind "$kind" --arg mark "$$"
		cannot "hooks.$kind[0]"
		[ -z "$(grep -ls "kist-test-mark-$$" /proc/[0-9]*/cmdline)" ]
	done
	# One that ignores being asked.
	config '.hooks = {createRuntime: [{path: "/bin/sh", args: ["sh", "-c", "trap \"\" TERM INT HUP; while :; do sleep 1; done; : kist-test-mark-" + $mark], timeout: 1}]}' --arg mark "$$"
	cannot "hooks.createRuntime[0]"
}
