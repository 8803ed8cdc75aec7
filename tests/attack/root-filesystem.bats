# Root file systems, volumes and paths that lead somewhere else: symlinks in the image, and those that are swapped in while the engine works.
load attack

setup_file() {
	kist_start
	bundle_start
}
teardown_file() {
	bundle_end
	kist_end
}
setup() {
	bundle_new
	# What belongs to the host, and must stay as it is.
	H=$BATS_TEST_TMPDIR/host
	mkdir -p "$H/dir"
	echo "of the host" >"$H/file"
	# The same in the image, so that a resolution inside of the root finds something, too.
	mkdir -p "$R$H/dir"
	echo "of the image" >"$R$H/file"
	before=$(host_state)
}
teardown() {
	local status=0
	[ "$(host_state)" = "$before" ] || { echo "the host has changed:"; diff <(echo "$before") <(host_state); status=1; }
	bundle_gone || status=1
	left_nothing || status=1
	return $status
}

host_state() {
	find "$H" -printf '%P %M %u %g %s %T@\n' | sort
	cat "$H/file" /proc/sys/kernel/core_pattern /proc/sys/kernel/domainname /proc/sys/net/ipv4/ip_forward
	stat -c '%F %t:%T %a %u:%g' /dev/null /dev/zero
	grep -c . /proc/self/mountinfo
}

# --- the image's own symlinks ---

@test "attack: /proc, /sys or /dev of the image is a symlink (CVE-2019-19921, CVE-2026-41579, CVE-2026-47766)" {
	local dir target
	for dir in proc sys dev dev/pts dev/shm sys/fs; do
		for target in "$H/dir" "../../../../../../../../$H/dir" /tmp nothing-there; do
			rm -rf "$B"; bundle_new; mkdir -p "$R$H/dir"
			# With the mounts above it taken away, so that the symlink is met.
			config ".mounts |= map(select(.destination as \$d | \"/$dir\" | startswith(\$d + \"/\") | not))"
			rm -rf "${R:?}/$dir"
			mkdir -p "$R/$(dirname "$dir")"
			ln -s "$target" "$R/$dir"
			args /bin/true
			rt_refused
			[[ "$output" == *"/$dir"* ]] || { echo "$dir → $target: $output"; false; }
			# Nothing was made behind the symlink, inside either.
			[ -z "$(ls -A "$R$H/dir")" ]
		done
	done
}

@test "attack: the same in an image that kist runs: /proc, /sys and /dev are symlinks" {
	local dir
	for dir in proc sys dev; do
		mkdir -p "$BATS_TEST_TMPDIR/top"
		ln -sfn "$H/dir" "$BATS_TEST_TMPDIR/top/$dir"
		image_load "attack/$dir" "$BATS_TEST_TMPDIR/top"
		rm "$BATS_TEST_TMPDIR/top/$dir"
		for userns in "" host; do
			run -125 "$KIST" run --rm --userns "$userns" "attack/$dir" /bin/true
			[[ "$output" == *"/$dir"* ]]
		done
		"$KIST" rmi "attack/$dir"
	done
}

@test "attack: a volume on /proc or inside of it, by every spelling (CVE-2019-16884, CVE-2023-28642)" {
	local dest
	mkdir -p "$H/dir/sys" "$H/dir/self/attr"; before=$(host_state)
	for dest in /proc /proc/ //proc /./proc /tmp/../proc /proc/self /proc/sys /proc/sys/kernel /proc/self/attr /proc/1/attr/exec /proc/thread-self /proc/sysrq-trigger; do
		args /bin/true
		cp "$KT_DIR/plain/config.json" "$B/config.json"
		config ".mounts += [{destination: \"$dest\", type: \"bind\", source: \"$H/dir\", options: [\"rbind\"]}]"
		rt_refused
		[[ "$output" == *proc* || "$output" == *".."* ]]
		cp "$KT_DIR/plain/config.json" "$B/config.json"
		config ".mounts += [{destination: \"$dest\", type: \"tmpfs\", source: \"tmpfs\"}]"
		rt_refused
	done
	for dest in /proc //proc /./proc/sys /proc/self/attr /proc/1/attr/exec; do
		run -125 "$KIST" run --rm -v "$H/dir:$dest" $BUSYBOX true
		run -125 "$KIST" run --rm --tmpfs "$dest" $BUSYBOX true
	done
}

@test "attack: a volume inside of /proc by way of the image's symlink (CVE-2023-27561)" {
	local dest
	mkdir -p "$H/dir/attr"; before=$(host_state)
	for dest in /way /way/self /way/self/attr /way/sys/kernel /deep/sys; do
		rm -rf "$B"; bundle_new
		ln -s /proc "$R/way"
		ln -s ../../../proc "$R/deep"
		config ".mounts += [{destination: \"$dest\", type: \"bind\", source: \"$H/dir\", options: [\"rbind\"]}]"
		args /bin/sh -c 'ls -A /proc/sys/kernel | head -n 3; cat /proc/self/attr/current; mount | grep -v "^[^ ]* on /proc[^ ]* type \(proc\|tmpfs\|devtmpfs\)" | grep " on /proc"'
		rt_refused
		[[ "$output" == *"$dest"* ]] || { echo "$dest: $output"; false; }
	done
	ln -s /proc "$BATS_TEST_TMPDIR/way"
	mkdir "$BATS_TEST_TMPDIR/top"; mv "$BATS_TEST_TMPDIR/way" "$BATS_TEST_TMPDIR/top/"
	image_load attack/way "$BATS_TEST_TMPDIR/top"
	run -125 "$KIST" run --rm -v "$H/dir:/way/sys" attack/way true
	run -125 "$KIST" run --rm -v "$H/dir:/way" attack/way true
	"$KIST" rmi attack/way
}

@test "attack: /dev/null of the image is something else: masks stay masks (CVE-2025-31133)" {
	local what
	# Without a /dev of our own, devices are made in that of the image.
	for what in "$H/file" /proc/sys/kernel/core_pattern ../proc/sysrq-trigger; do
		rm -rf "$B"; bundle_new; mkdir -p "$R$(dirname "$H")"
		config '.mounts |= map(select(.destination | startswith("/dev") | not))'
		ln -s "$what" "$R/dev/null"
		args /bin/sh -c 'cat /proc/kcore | head -c 10; echo kernel >/proc/sysrq-trigger'
		rt_refused
		[[ "$output" == *"/dev/null"* ]]
	done
	for what in file dir; do
		rm -rf "$B"; bundle_new
		config '.mounts |= map(select(.destination | startswith("/dev") | not))'
		[ $what = file ] && echo "not a device" >"$R/dev/null"
		[ $what = dir ] && mkdir "$R/dev/null"
		args /bin/true
		rt_refused
	done
	# Another device under that name.
	rm -rf "$B"; bundle_new
	config '.mounts |= map(select(.destination | startswith("/dev") | not))'
	mknod "$R/dev/null" c 1 5
	args /bin/true
	rt_refused
	# A bound /dev: what is masked is masked by the null device all the same.
	rm -rf "$B"; bundle_new
	mkdir "$BATS_TEST_TMPDIR/dev"; echo secret >"$BATS_TEST_TMPDIR/dev/null"; mkdir "$BATS_TEST_TMPDIR/dev/"{pts,shm,mqueue}
	config '.mounts |= map(if .destination == "/dev" then {destination: "/dev", type: "bind", source: $ARGS.positional[0], options: ["rbind"]} else . end)' --args "$BATS_TEST_TMPDIR/dev"
	args /bin/sh -c 'stat -c %t:%T /proc/keys /proc/timer_list; cat /dev/null'
	run rt_run
	[[ "$status" -ne 0 || "$output" == "1:3"$'\n'"1:3"$'\n'"secret" ]]
}

@test "attack: masked and read-only paths that are symlinks out of the root" {
	local key
	for key in maskedPaths readonlyPaths; do
		rm -rf "$B"; bundle_new; mkdir -p "$R$H"; echo "of the image" >"$R$H/file"
		ln -s "$H/file" "$R/one"
		ln -s "../../../../../../../../../..$H/dir" "$R/two"
		ln -s loop "$R/loop"
		ln -s /proc/self/root/etc "$R/magic"
		config ".linux.$key = [\"/one\", \"/two\", \"/not/there\"]"
		args /bin/sh -c "cat $H/file; echo changed >$H/file || true; echo done"
		run -0 rt_run
		[[ "$output" == *done ]]
		# What was meant is the image's file: it is hidden, or cannot be written.
		[ "$(cat "$R$H/file")" = "of the image" ]
		config ".linux.$key = [\"/loop\"]"
		rt_refused
		config ".linux.$key = [\"/magic\"]"
		rt_refused
		config ".linux.$key = [\"../../../..$H/file\"]"
		args /bin/true
		run rt_run
	done
}

@test "attack: a sysctl is written to a file of the image instead of the kernel (CVE-2025-52881)" {
	mkdir -p "$R/proc/sys/net/ipv4" "$R/proc/self"
	echo untouched >"$R/proc/sys/net/ipv4/ip_unprivileged_port_start"
	ln -s "$H/file" "$R/proc/sys/net/ipv4/ip_default_ttl"
	# No mount on /proc at all, and the kernel's elsewhere.
	config '.mounts |= map(if .destination == "/proc" then .destination = "/kernel" else . end) | del(.linux.maskedPaths, .linux.readonlyPaths)'
	config '.linux.sysctl = {"net.ipv4.ip_unprivileged_port_start": "777", "net.ipv4.ip_default_ttl": "77"}'
	args /bin/cat /kernel/sys/net/ipv4/ip_unprivileged_port_start /kernel/sys/net/ipv4/ip_default_ttl
	run -0 rt_run
	[ "$output" = 777$'\n'77 ]
	[ "$(cat "$R/proc/sys/net/ipv4/ip_unprivileged_port_start")" = untouched ]
}

@test "attack: /dev/console and /dev/pts of the image lead elsewhere (CVE-2025-52565)" {
	local what
	for what in "$H/file" /proc/sys/kernel/core_pattern ../../../../../../../..$H/file; do
		rm -rf "$B"; bundle_new; mkdir -p "$R$(dirname "$H")"
		config '.process.terminal = true | .mounts |= map(select(.destination != "/dev"))'
		ln -s "$what" "$R/dev/console"
		args /bin/sh -c 'stat -c %t /dev/console; echo kist-attack >/dev/console; cat /proc/sys/kernel/core_pattern'
		run timeout 10 script -qec "'$RUNTIME' --root '$KT_DIR/state' run -b '$B' $ID" /dev/null </dev/null
		[ "$(grep -c kist-attack /proc/sys/kernel/core_pattern)" = 0 ]
		[ "$(find "$H" -newer "$B/config.json" -type f)" = "" ]
		rm -rf "$B"; bundle_new
		config '.process.terminal = true | .mounts |= map(select(.destination | IN("/dev", "/dev/pts") | not))'
		ln -s "$what" "$R/dev/pts"
		args /bin/true
		run timeout 10 script -qec "'$RUNTIME' --root '$KT_DIR/state' run -b '$B' $ID" /dev/null </dev/null
		[ "$status" -ne 0 ]
	done
	# A devpts that is a folder of the image: no terminal is taken from it.
	rm -rf "$B"; bundle_new
	config '.process.terminal = true | .mounts |= map(select(.destination | IN("/dev", "/dev/pts") | not))'
	mkdir -p "$R/dev/pts"; touch "$R/dev/pts/"{0,1,ptmx}
	args /bin/true
	run timeout 10 script -qec "'$RUNTIME' --root '$KT_DIR/state' run -b '$B' $ID" /dev/null </dev/null
	[ "$status" -ne 0 ]
	[[ "$output" == *terminal* ]]
}

@test "attack: VOLUME and WORKDIR of an image with .. and symlinks (CVE-2022-23648, CVE-2026-55686)" {
	local dir out
	mkdir "$BATS_TEST_TMPDIR/top"
	ln -s "$H/dir" "$BATS_TEST_TMPDIR/top/out"
	ln -s ../../../../../../../.. "$BATS_TEST_TMPDIR/top/up"
	ln -s /proc/self/fd "$BATS_TEST_TMPDIR/top/fds"
	image_load attack/dirs "$BATS_TEST_TMPDIR/top"
	for dir in /out/new "/../../../../../..$H/dir/new" "/up$H/dir/new" "/out/../../new" /up; do
		run "$KIST" run --rm -w "$dir" attack/dirs /bin/busybox pwd
		echo "$dir: $output"
		[ -z "$(ls -A "$H/dir")" ]
	done
	for dir in /fds/3 /fds/5 /fds/7 /proc/1/root /proc/self/cwd; do
		run "$KIST" run --rm -w "$dir" attack/dirs /bin/sh -c 'cat ./etc/shadow' # the image has none
		[ "$status" -ne 0 ]
	done
	"$KIST" rmi attack/dirs
	image_load attack/volumes "$BATS_TEST_TMPDIR/top" "{\"WorkingDir\": \"/up$H/dir/made\", \"Volumes\": {\"/../../../../../etc\": {}, \"/out\": {}, \"$H/dir\": {}, \"/up/etc\": {}}}"
	run "$KIST" run --rm attack/volumes /bin/sh -c 'ls -A /out/ /etc; test ! -e /etc/shadow'
	echo "$output"
	[ "$status" -ne 0 ] || [ "$("$KIST" run --rm attack/volumes /bin/sh -c 'test -e /etc/shadow && echo host')" != host ]
	"$KIST" rmi attack/volumes
}

# --- races ---

# A folder that containers share; in it "t" is now a directory and now a symlink to the host's, as fast as that can be changed.
race_start() { # LINK-TARGET
	S=$BATS_TEST_TMPDIR/shared
	mkdir -p "$S/t/sub" "$BATS_TEST_TMPDIR/inner"
	echo inner >"$BATS_TEST_TMPDIR/inner/mine"
	ln -s "$1" "$S/link"
	chmod 777 "$S"
	"$KT_DIR/h/swap" 60 "$S/t" "$S/link" >"$BATS_TEST_TMPDIR/swaps" 2>&1 3>&- &
	SWAP=$!
	eventually grep -q ready "$BATS_TEST_TMPDIR/swaps"
}
race_end() {
	kill $SWAP
	wait $SWAP || true
}

@test "attack: mount target swapped for a symlink while containers start, made directories likewise (CVE-2021-30465, CVE-2024-45310, CVE-2017-1002101)" {
	local i ran=0
	race_start "$H/dir"
	for i in $(seq 25); do
		config '.mounts = (.mounts | map(select(.destination | startswith("/shared") | not))) + [
			{destination: "/shared", type: "bind", source: $ARGS.positional[0], options: ["rbind"]},
			{destination: "/shared/t/sub", type: "bind", source: $ARGS.positional[1], options: ["rbind"]},
			{destination: ("/shared/t/made" + $ARGS.positional[2] + "/deep"), type: "tmpfs", source: "tmpfs"},
			{destination: ("/shared/t/file" + $ARGS.positional[2]), type: "bind", source: ($ARGS.positional[1] + "/mine"), options: ["bind"]}]' \
			--args "$S" "$BATS_TEST_TMPDIR/inner" "$i"
		# The directory behind the symlink exists in the image, too: there it may be made.
		args /bin/sh -c 'echo ran'
		run timeout 10 "$RUNTIME" --root "$KT_DIR/state" run -b "$B" "$ID" </dev/null
		[ "$output" != ran ] || ran=$((ran + 1))
		[ -z "$(ls -A "$H/dir")" ] || { echo "made on the host: $(ls "$H/dir")"; race_end; false; }
	done
	race_end
	echo "ran $ran of 25"
	[ "$ran" -ge 1 ] # some did win their way: the attack was in time
}

@test "attack: the same through kist, and masked paths under the race" {
	local i ran=0
	race_start "$H/dir"
	for i in $(seq 8); do
		run timeout 20 "$KIST" run --rm -v "$S:/shared" -v "$BATS_TEST_TMPDIR/inner:/shared/t/sub$i" --tmpfs "/shared/t/new$i/deep" $BUSYBOX echo ran
		[ "$output" != ran ] || ran=$((ran + 1))
		[ -z "$(ls -A "$H/dir")" ]
	done
	for i in $(seq 12); do
		config '.mounts = (.mounts | map(select(.destination != "/shared"))) + [{destination: "/shared", type: "bind", source: $ARGS.positional[0], options: ["rbind"]}]
			| .linux.maskedPaths += ["/shared/t", "/shared/t/sub"] | .linux.readonlyPaths += ["/shared/t"]' --args "$S"
		args /bin/true
		run timeout 10 "$RUNTIME" --root "$KT_DIR/state" run -b "$B" "$ID" </dev/null
	done
	race_end
	[ "$ran" -ge 1 ]
}

@test "attack: /dev of a shared folder swapped while devices and the console are made (CVE-2025-31133, CVE-2025-52565)" {
	local i
	S=$BATS_TEST_TMPDIR/shared
	mkdir -p "$S/dev/pts" "$S/dev/shm" "$S/dev/mqueue"
	ln -s "$H/dir" "$S/link"
	ln -s "$H/file" "$S/dev/console-link"
	touch "$S/dev/console"
	"$KT_DIR/h/swap" 60 "$S/dev/console" "$S/dev/console-link" >/dev/null 2>&1 3>&- &
	SWAP=$!
	config '.process.terminal = true | .mounts |= map(if .destination == "/dev" then {destination: "/dev", type: "bind", source: $ARGS.positional[0], options: ["rbind"]} else . end)' --args "$S/dev"
	args /bin/sh -c 'echo kist-attack >/dev/console'
	for i in $(seq 12); do
		run timeout 10 script -qec "'$RUNTIME' --root '$KT_DIR/state' run -b '$B' $ID" /dev/null </dev/null
		[ "$(cat "$H/file")" = "of the host" ]
	done
	race_end
}
