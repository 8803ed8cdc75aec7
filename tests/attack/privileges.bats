# What the processes of a container may do: capabilities, groups, system calls, devices, cgroups, users.
load attack

setup_file() {
	kist_start
	bundle_start
	"$KIST" run -d --name box -v "$KT_DIR/h:/h:ro" $BUSYBOX sleep 600
	"$KIST" run -d --name hostbox --userns host -v "$KT_DIR/h:/h:ro" $BUSYBOX sleep 600
}
teardown_file() {
	bundle_end
	kist_end
}
setup() { bundle_new; }
teardown() { bundle_gone; }

both() { # run a command as a container's own and by exec, with and without a user namespace: its output in $all
	local command=$1
	shift
	all=$("$KIST" run --rm -v "$KT_DIR/h:/h:ro" "$@" $BUSYBOX sh -c "$command")$'\n'
	all+=$("$KIST" run --rm --userns host -v "$KT_DIR/h:/h:ro" "$@" $BUSYBOX sh -c "$command")$'\n'
	all+=$("$KIST" exec box sh -c "$command")$'\n'
	all+=$("$KIST" exec hostbox sh -c "$command")$'\n'
	echo "$all"
}
all_are() { # each line of $all matches
	! grep -v '^$' <<<"$all" | grep -vE "$1" && [ "$(grep -cE "$1" <<<"$all")" -ge 4 ]
}

@test "attack: inheritable and ambient capabilities are empty, the bounding set is Docker's (CVE-2022-29162 and kin)" {
	both 'grep -E "CapInh|CapAmb" /proc/self/status | cut -f 2'
	all_are '^0000000000000000$'
	[ "$(grep -c . <<<"$all")" -ge 8 ]
	both 'grep CapBnd /proc/self/status | cut -f 2'
	all_are '^00000000a80425fb$'
	# An ordinary user has none that work, with capabilities added, too.
	[ "$("$KIST" run --rm -u 1000 --cap-add NET_ADMIN $BUSYBOX sh -c 'grep -E "CapInh|CapEff|CapPrm|CapAmb" /proc/self/status | cut -f 2 | sort -u')" = 0000000000000000 ]
	[ "$("$KIST" exec -u 1000 box sh -c 'grep -E "CapInh|CapEff|CapPrm|CapAmb" /proc/self/status | cut -f 2 | sort -u')" = 0000000000000000 ]
	[ "$("$KIST" exec --privileged box sh -c 'grep -E "CapInh|CapAmb" /proc/self/status | cut -f 2 | sort -u')" = 0000000000000000 ]
}

@test "attack: supplementary groups are exactly those of the user (CVE-2023-25173, CVE-2022-36109, CVE-2022-2989)" {
	local out
	mkdir -p "$BATS_TEST_TMPDIR/top/etc"
	printf 'root:x:0:0::/:/bin/sh\nann:x:1001:1001::/:/bin/sh\nbob:x:1002:7::/:/bin/sh\n' >"$BATS_TEST_TMPDIR/top/etc/passwd"
	printf 'root:x:0:\nann:x:1001:\nbob:x:7:\nnine:x:9:ann\nten:x:10:ann,bob\neleven:x:11:annette\n' >"$BATS_TEST_TMPDIR/top/etc/group"
	image_load attack/groups "$BATS_TEST_TMPDIR/top"
	"$KIST" run -d --name groups attack/groups sleep 60
	groups_of() { # WANTED OPTION...
		local wanted=$1
		shift
		out=$(exec 5<&-; setpriv --groups 4,20,27 "$KIST" run --rm "$@" attack/groups sh -c 'echo $(grep Groups: /proc/self/status | cut -f 2)')
		[ "$out" = "$wanted" ] || { echo "$*: \"$out\", not \"$wanted\""; return 1; }
	}
	groups_of "1001 9 10" -u ann || groups_of "9 10 1001" -u ann
	groups_of "7 10" -u bob || groups_of "10 7" -u bob
	groups_of "7" -u ann:7
	groups_of "0" -u 4242
	groups_of "77" -u 4242:77
	groups_of "77 9 123" -u 4242:77 --group-add nine --group-add 123 || groups_of "9 77 123" -u 4242:77 --group-add nine --group-add 123
	out=$("$KIST" exec -u bob groups sh -c 'echo $(grep Groups: /proc/self/status | cut -f 2)')
	[ "$out" = "7 10" ] || [ "$out" = "10 7" ]
	[ "$("$KIST" exec groups sh -c 'echo $(grep Groups: /proc/self/status | cut -f 2)')" = 0 ]
	# A group that the file denies its owner is not evaded by losing it: 0 for others, nothing for the member.
	"$KIST" exec groups sh -c 'echo secret >/tmp/denied && chown 0:10 /tmp/denied && chmod 604 /tmp/denied'
	run "$KIST" exec -u bob groups cat /tmp/denied
	[ "$status" -ne 0 ]
	"$KIST" rm -f groups
	"$KIST" rmi attack/groups
	# The runtime's: what the config says, and none of its caller's.
	config '.process.user = {uid: 5, gid: 6, additionalGids: [7, 8]}'
	args /bin/sh -c 'grep Groups: /proc/self/status'
	[ "$(setpriv --groups 4,20,27 "$RUNTIME" --root "$KT_DIR/state" run -b "$B" "$ID" </dev/null | tr -s '\t ' ' ')" = "Groups: 7 8 " ]
	config 'del(.process.user.additionalGids)'
	[ "$(setpriv --groups 4,20,27 "$RUNTIME" --root "$KT_DIR/state" run -b "$B" "$ID" </dev/null | tr -s '\t ' ' ')" = "Groups: " ]
}

@test "attack: system calls that open kernels are refused, in init and in exec (CVE-2022-0185, CVE-2022-0847, CVE-2023-0386, CVE-2024-1086)" {
	both /h/odd-syscalls
	all_are '^[0-9]+ calls$'
	both 'grep -E "^Seccomp:" /proc/self/status | cut -f 2'
	all_are '^2$'
	# Capabilities of its own do not open the filter for what they do not name.
	run -0 "$KIST" run --rm --cap-add SYS_PTRACE -v "$KT_DIR/h:/h:ro" $BUSYBOX /h/odd-syscalls
	[ "${#lines[@]}" -eq 1 ]
	run -0 "$KIST" exec -u 1000 box /h/odd-syscalls
	[ "${#lines[@]}" -eq 1 ]
	# The attack works where nothing stands in its way: or this test proves nothing.
	run "$KT_DIR/h/list-fds"
	[ "$("$KIST" run --rm --security-opt seccomp=unconfined -v "$KT_DIR/h:/h:ro" $BUSYBOX /h/odd-syscalls | grep -cE '^(unshare|keyctl|userfaultfd|clone3).*worked')" -ge 3 ]
}

@test "attack: system calls of the other architecture's table" {
	# A filter that looks at numbers only would let 32-bit calls pass: int 0x80 with the number of unshare.
	both '/h/odd-syscalls --other'
	all_are '^(refused|not on this machine)$'
}

@test "attack: device nodes that the container makes itself" {
	local made='for d in "b 254 0" "b 8 0" "c 1 1" "c 1 4" "c 10 200" "c 10 229"; do n=/tmp/n$RANDOM; mknod $n $d 2>/dev/null && { head -c 1 $n >/dev/null 2>&1 && echo "read $d"; echo x 2>/dev/null >$n && echo "wrote $d"; }; rm -f $n; done; echo end'
	both "$made"
	all_are '^end$'
	# On a tmpfs and in a volume, where no nodev could stand in the way; with the host's user ids it is the cgroup that forbids.
	both "${made//\/tmp\/n/\/w\/n}" --tmpfs /w:dev,exec
	all_are '^end$' || [ "$(grep -cE 'read|wrote' <<<"$all")" = 0 ]
	mkdir "$BATS_TEST_TMPDIR/vol"; chmod 777 "$BATS_TEST_TMPDIR/vol"
	mknod "$BATS_TEST_TMPDIR/vol/disk" b "$(stat -c '%Hd %Ld' /work 2>/dev/null | tr -d '\n' || echo 8 0)" 2>/dev/null || mknod "$BATS_TEST_TMPDIR/vol/disk" b 254 0
	chmod 666 "$BATS_TEST_TMPDIR/vol/disk"
	for userns in "" host; do
		run "$KIST" run --rm --userns "$userns" -v "$BATS_TEST_TMPDIR/vol:/vol" $BUSYBOX head -c 1 /vol/disk
		[ "$status" -ne 0 ]
	done
	# The same of a bundle.
	args /bin/sh -c 'mknod /tmp/kmsg c 1 11 && head -c 1 /tmp/kmsg; mknod /dev/disk b 254 0 && head -c 1 /dev/disk >/dev/null; echo end'
	run -0 --separate-stderr rt_run
	[ "$output" = end ]
}

@test "attack: cgroups cannot be written, and show nothing of the host (CVE-2023-25809, CVE-2022-0492)" {
	both 'grep " /sys/fs/cgroup" /proc/self/mountinfo | cut -d " " -f 6 | cut -d , -f 1 | sort -u; for f in $(find /sys/fs/cgroup -name cgroup.procs -o -name release_agent -o -name tasks -o -name notify_on_release -o -name memory.limit_in_bytes); do echo 1 2>/dev/null >$f && echo "wrote $f"; done; mkdir /sys/fs/cgroup/*/x 2>/dev/null && echo made; echo ro'
	all_are '^ro$'
	both 'cut -d : -f 3 /proc/self/cgroup | sort -u'
	all_are '^/$'
	# The classic: a cgroup v1 of one's own, release_agent in it.
	both 'mkdir -p /tmp/c; for t in rdma memory pids freezer devices misc net_cls; do mount -t cgroup -o $t cgroup /tmp/c 2>/dev/null && echo mounted; done; unshare -UrmC true 2>/dev/null && echo unshared; echo end'
	all_are '^end$'
	args /bin/sh -c 'for f in $(/bin/busybox find /sys/fs/cgroup -name release_agent -o -name cgroup.procs); do echo /bin/evil 2>/dev/null >$f && echo "wrote $f"; done; echo end'
	run -0 --separate-stderr rt_run
	[ "$output" = end ]
	# Without a cgroup namespace, and asked for rw: still nothing to be written for the host's sake.
	config '.linux.namespaces |= map(select(.type != "cgroup")) | .mounts |= map(if .destination == "/sys/fs/cgroup" then .options = ["rw", "nosuid"] else . end)'
	args /bin/sh -c 'for f in $(/bin/busybox find /sys/fs/cgroup -name release_agent); do echo /bin/evil 2>/dev/null >$f && echo "wrote $f"; done; echo end'
	run --separate-stderr rt_run
	[ "$output" = end ] || [ "$status" -ne 0 ]
}

@test "attack: kernel files: masked, read-only, or not the container's" {
	both 'for f in /proc/sysrq-trigger /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /proc/sys/vm/panic_on_oom /proc/sys/fs/binfmt_misc/register /sys/kernel/uevent_helper /sys/kernel/mm/transparent_hugepage/enabled /proc/irq/default_smp_affinity /proc/sys/kernel/hostname /proc/acpi/x /sys/firmware/x /proc/bus/x; do echo x 2>/dev/null >$f && echo "wrote $f"; done; for f in /proc/kcore /proc/keys /proc/timer_list /proc/sched_debug; do test -s $f && head -c 1 $f | grep -q . && echo "read $f"; done; ls -A /sys/firmware /proc/acpi /proc/scsi 2>/dev/null | grep -v : | grep .; dmesg >/dev/null 2>&1 && echo dmesg; echo end'
	all_are '^end$'
}

@test "attack: --user that is no user, or one beyond all ids (CVE-2024-40635, CVE-2026-30892, CVE-2026-46680)" {
	local user
	for user in -1 4294967295 4294967296 2147483648 18446744073709551616 0x0 00x1 "1 2" " 1" "1 " "root;id" 1:2:3 :: nosuch nosuch:0 0:nosuch 1:-1 1:4294967296 $'0\n0' "+0" "0.0" ../0 "root:root:root" "%s"; do
		run timeout 10 "$KIST" run --rm "--user=$user" $BUSYBOX id
		[ "$status" -ne 0 ] || { echo "run --user '$user': $output"; false; }
		run timeout 10 "$KIST" exec "--user=$user" box id
		[ "$status" -ne 0 ] || { echo "exec --user '$user': $output"; false; }
	done
	for user in -1 4294967295 2147483648 1.5 '"0"' null; do
		config ".process.user.uid = $user"
		args /bin/busybox id
		run rt_run
		[ "$status" -ne 0 ] || [ "$user" = null ] || { echo "uid $user: $output"; false; }
		cp "$KT_DIR/plain/config.json" "$B/config.json"
		config ".process.user.gid = $user"
		args /bin/busybox id
		run rt_run
		[ "$status" -ne 0 ] || [ "$user" = null ] || { echo "gid $user: $output"; false; }
		cp "$KT_DIR/plain/config.json" "$B/config.json"
		config ".process.user.additionalGids = [$user]"
		args /bin/busybox id
		run rt_run
		[ "$status" -ne 0 ] || { echo "group $user: $output"; false; }
		cp "$KT_DIR/plain/config.json" "$B/config.json"
	done
}

@test "attack: an image's passwd whose numbers mean root, or whose names are numbers (CVE-2024-40635, CVE-2026-30892)" {
	mkdir -p "$BATS_TEST_TMPDIR/top/etc"
	printf 'wrap:x:4294967296:4294967296::/:/bin/sh\nminus:x:-1:-1::/:/bin/sh\nempty:x:::::\nhex:x:0x10:0x10::/:/bin/sh\nshort\n1000:x:0:0::/:/bin/sh\nspace:x: 0: 0::/:/bin/sh\n' >"$BATS_TEST_TMPDIR/top/etc/passwd"
	printf 'wrap:x:4294967296:\n' >"$BATS_TEST_TMPDIR/top/etc/group"
	image_load attack/passwd "$BATS_TEST_TMPDIR/top"
	for user in wrap minus empty hex short space 5:wrap; do
		run timeout 10 "$KIST" run --rm -u "$user" attack/passwd busybox id -u
		[ "$status" -ne 0 ] || { echo "$user: $output"; false; }
	done
	"$KIST" rmi attack/passwd
}

@test "attack: /etc/passwd and /etc/group of the image are huge, a device, a fifo, a symlink (CVE-2026-47262)" {
	local file what top=$BATS_TEST_TMPDIR/top
	for file in passwd group; do
		mkdir -p "$top/etc"
		seq 90000000 99000000 | head -c 64M >"$top/etc/$file"
		LAYER=none image_load attack/huge "$top"
		rm -rf "$top"
		run timeout 10 "$KIST" run --rm -u ann:ann attack/huge busybox id
		[ "$status" -ne 0 ]
		[[ "$output" == *"$file"* || "$output" == *ann* ]]
		[ "$(awk '/VmHWM/{print $2}' "/proc/$(kistd_pid)/status")" -lt 60000 ]
		"$KIST" rmi attack/huge
		for what in fifo zero link; do
			mkdir -p "$top/etc"
			case $what in
			fifo) mkfifo "$top/etc/$file" ;;
			zero) mknod "$top/etc/$file" c 1 5 ;;
			link) ln -s "../../../../../../../etc/$file" "$top/etc/$file" ;;
			esac
			image_load "attack/$what" "$top" || { rm -rf "$top"; continue; } # a device may be refused right there
			rm -rf "$top"
			run timeout 10 "$KIST" run --rm -u daemon:daemon "attack/$what" busybox id
			[ "$status" -ne 0 ]
			[ "$status" -ne 124 ]
			"$KIST" rmi "attack/$what"
		done
	done
	# By exec into a container whose own files have become so.
	for what in "mkfifo /etc/passwd" "ln -s /dev/zero /etc/passwd" "ln -s /proc/self/mem /etc/passwd" "yes >/etc/passwd"; do
		id=$("$KIST" run -d $BUSYBOX sh -c "rm /etc/passwd; echo ready; timeout 1 sh -c '$what'; sleep 60")
		eventually sh -c "'$KIST' logs $id | grep -q ready"
		sleep 0.2
		run timeout 10 "$KIST" exec -u daemon "$id" id
		[ "$status" -ne 0 ]
		[ "$status" -ne 124 ]
		"$KIST" rm -f "$id"
	done
	[ "$(awk '/VmHWM/{print $2}' "/proc/$(kistd_pid)/status")" -lt 60000 ]
}

@test "attack: other containers and the daemon: ids, memory, descriptors" {
	local pid daemon=$(kistd_pid)
	# No two containers have user ids in common: who escapes from one does not own the other's files.
	"$KIST" run -d --name other $BUSYBOX sleep 60
	[ "$("$KIST" exec box awk '{print $2}' /proc/self/uid_map)" != "$("$KIST" exec other awk '{print $2}' /proc/self/uid_map)" ]
	pid=$("$KIST" inspect -f '{{.State.Pid}}' other)
	[ "$("$KIST" run --rm $BUSYBOX sh -c "ls -d /proc/$pid /proc/$daemon 2>/dev/null; echo end")" = end ]
	# With all processes in sight (and no user namespace, which that implies), the daemon's and init's are still closed.
	run -0 --separate-stderr "$KIST" run --rm --pid host $BUSYBOX sh -c "
		for p in 1 $daemon; do readlink /proc/\$p/exe /proc/\$p/root /proc/\$p/cwd /proc/\$p/fd/*; head -c 1 /proc/\$p/environ; head -c 1 /proc/\$p/mem; ls /proc/\$p/root/; done; echo end"
	[ "$output" = end ]
	"$KIST" rm -f other
}
