# What a container can reach of the program that starts it: its file, its descriptors, its memory.
load attack

setup_file() {
	kist_start
	helpers_folder
	bundle_start
	sha256sum "$BUILD"/bin/* >"$KT_DIR/programs"
}
teardown_file() {
	bundle_end
	kist_end
}
setup() { bundle_new; }
teardown() {
	bundle_gone
	left_nothing
	sha256sum --quiet -c "$KT_DIR/programs" # whatever happened, nobody has written to our programs
}

# The line that reopen-exe and scan-joiners end with.
last_line() { tail -n 1 "$1"; }
number() { sed -n "s/.*$1 \([0-9]*\).*/\1/p" "$2" | tail -n 1; }

@test "attack: overwrite the runtime through /proc/PID/exe, from a bundle whose command is #!/proc/self/exe (CVE-2019-5736)" {
	local userns i
	for userns in host own; do
		rm -rf "$B"; bundle_new
		[ "$userns" = host ] || { config_userns; chown -R 1500000000:1500000000 "$R"; }
		printf '#!/proc/self/exe\n' >"$R/bin/evil"
		chmod 755 "$R/bin/evil"
		mkfifo -m 666 "$R/block"
		args /h/reopen-exe 60 /bin/busybox
		rt_up
		eventually grep -q ready "$B/out"
		# Each is our own program inside of the container; the first kind stays until it is killed, reading from a fifo.
		# As many rounds as it takes until the attacker, who has to be quick, has found one.
		for i in $(seq 40); do
			timeout 1 "$RUNTIME" --root "$KT_DIR/state" exec "$ID" /proc/self/exe exec --process /block x </dev/null >/dev/null 2>&1 3>&- || true
			timeout 5 "$RUNTIME" --root "$KT_DIR/state" exec "$ID" /bin/evil </dev/null >/dev/null 2>&1 3>&- || true
			timeout 5 "$RUNTIME" --root "$KT_DIR/state" exec "$ID" /proc/self/exe list </dev/null >/dev/null 2>&1 3>&- || true
			[ "$i" -lt 3 ] || ! grep -q found "$B/out" || break
		done
		rt exec "$ID" /bin/sh -c 'for p in /proc/[0-9]*; do case $(/bin/readlink $p/exe) in /bin/busybox|/h/*) ;; *) kill -9 ${p#/proc/} ;; esac; done' || true
		sleep 0.2
		rt kill "$ID" TERM
		eventually grep -q written "$B/out" || eventually grep -q written "$B/out"
		cat "$B/out"
		[ "$(number seen "$B/out")" -ge 1 ] # or nothing was attacked
		[ "$(number written "$B/out")" = 0 ]
		[ "$(number refused "$B/out")" = "$(number seen "$B/out")" ]
		eventually sh -c "[ \$($RUNTIME --root $KT_DIR/state state $ID | jq -r .status) = stopped ]"
		rt delete "$ID"
	done
}

@test "attack: overwrite the monitor through /proc/PID/exe, as command and by exec, with and without a user namespace (CVE-2019-5736)" {
	local userns i id
	for userns in "" host; do
		id=$("$KIST" run -d --userns "$userns" -v "$KT_DIR/h:/h:ro" $BUSYBOX /h/reopen-exe 60 /bin/busybox)
		eventually sh -c "'$KIST' logs $id | grep -q ready"
		"$KIST" exec "$id" sh -c 'printf "#!/proc/self/exe\n" >/evil; chmod 755 /evil'
		for i in 1 2 3 4 5; do
			run timeout 5 "$KIST" exec "$id" /evil
			run timeout 5 "$KIST" exec "$id" /proc/self/exe namespaces
		done
		"$KIST" kill -s TERM "$id"
		"$KIST" wait "$id"
		"$KIST" logs "$id" >"$BATS_TEST_TMPDIR/out"
		cat "$BATS_TEST_TMPDIR/out"
		[ "$(number written "$BATS_TEST_TMPDIR/out")" = 0 ]
		"$KIST" rm "$id"
		# As the container's own command.
		run timeout 10 "$KIST" run --rm --userns "$userns" $BUSYBOX /proc/self/exe x
		[ "$status" -ne 0 ]
	done
}

@test "attack: descriptors of the host in init and in exec (CVE-2024-21626, CVE-2016-9962)" {
	local userns
	# With some of the caller's own left open, by somebody careless.
	exec 7</ 8</etc/passwd 9</proc
	for userns in "" host; do
		[ "$("$KIST" run --rm --userns "$userns" -v "$KT_DIR/h:/h:ro" $BUSYBOX sh -c '/h/list-fds || true')" = "0 1 2" ]
		id=$("$KIST" run -d --userns "$userns" -v "$KT_DIR/h:/h:ro" $BUSYBOX /h/list-fds -k)
		[ "$("$KIST" exec "$id" sh -c '/h/list-fds || true')" = "0 1 2" ]
		[ "$("$KIST" exec -i "$id" sh -c '/h/list-fds || true' </dev/null)" = "0 1 2" ]
		[ "$("$KIST" logs "$id")" = "0 1 2" ]
		"$KIST" rm -f "$id"
	done
	args /bin/sh -c '/h/list-fds; exec /bin/sleep 60'
	"$RUNTIME" --root "$KT_DIR/state" create -b "$B" "$ID" </dev/null >"$B/out" 2>&1 3</ # 3 stays open on purpose
	rt start "$ID"
	eventually grep -q . "$B/out"
	[ "$(cat "$B/out")" = "0 1 2" ]
	[ "$("$RUNTIME" --root "$KT_DIR/state" exec "$ID" /bin/sh -c '/h/list-fds || true' 3</)" = "0 1 2" ]
	rt delete --force "$ID"
	exec 7<&- 8<&- 9<&-
}

@test "attack: the working directory is a descriptor of the host: /proc/self/fd/N (CVE-2024-21626)" {
	local n
	echo "$MARK" >"$R/etc/mine"
	args /bin/sh -c 'exec /bin/sleep 60'
	rt_up 7</ 8</ 9</
	id=$("$KIST" run -d $BUSYBOX sleep 60)
	for n in 3 4 5 6 7 8 9 10 11 12; do
		# Refused, or a directory of the container: never one from which the host can be seen.
		run "$KIST" run --rm -w "/proc/self/fd/$n" $BUSYBOX sh -c 'cat ../../../../..$1/programs ./etc/shadow 2>/dev/null; pwd' sh "$KT_DIR"
		[ "$status" -ne 0 ] || { echo "--workdir $n: $output"; false; }
		run "$KIST" exec -w "/proc/self/fd/$n" "$id" sh -c 'cat ./tmp/*/programs; pwd'
		[ "$status" -ne 0 ] || { echo "exec -w $n: $output"; false; }
		run rt exec --cwd "/proc/self/fd/$n" "$ID" /bin/sh -c 'cat ./tmp/*/programs; pwd'
		[ "$status" -ne 0 ] || { echo "runtime exec --cwd $n: $output"; false; }
		# By way of a symlink in the image.
		rt exec "$ID" /bin/busybox ln -sfn "/proc/self/fd/$n" /way
		run rt exec --cwd /way "$ID" /bin/true
		[ "$status" -ne 0 ]
	done
	rt delete --force "$ID"
	"$KIST" rm -f "$id"
	for n in 3 4 5 6 7 8 9; do
		rm -rf "$B"; bundle_new
		config ".process.cwd = \"/proc/self/fd/$n\""
		args /bin/sh -c 'cat ./tmp/*/programs'
		run rt_run 7</ 8</
		[ "$status" -ne 0 ]
		rt delete --force "$ID"
	done
}

@test "attack: ptrace, descriptors and programs of what joins by exec, forty times (CVE-2016-9962)" {
	local id i
	id=$("$KIST" run -d --cap-add SYS_PTRACE -v "$KT_DIR/h:/h:ro" $BUSYBOX /h/scan-joiners 60 /bin/busybox)
	eventually sh -c "'$KIST' logs $id | grep -q ready"
	for i in $(seq 40); do "$KIST" exec "$id" true; done
	"$KIST" kill -s TERM "$id"
	"$KIST" wait "$id"
	"$KIST" logs "$id" >"$BATS_TEST_TMPDIR/out"
	cat "$BATS_TEST_TMPDIR/out"
	[ "$(number processes "$BATS_TEST_TMPDIR/out")" -ge 20 ]
	[ "$(last_line "$BATS_TEST_TMPDIR/out" | cut -d , -f 2-)" = " programs 0, traced 0, descriptors 0" ]
	"$KIST" rm "$id"
}

@test "attack: the same on the host's user ids, without CAP_SYS_PTRACE (CVE-2016-9962)" {
	local id i
	id=$("$KIST" run -d --userns host -v "$KT_DIR/h:/h:ro" $BUSYBOX /h/scan-joiners 60 /bin/busybox)
	eventually sh -c "'$KIST' logs $id | grep -q ready"
	for i in $(seq 40); do "$KIST" exec "$id" true; done
	"$KIST" kill -s TERM "$id"
	"$KIST" wait "$id"
	"$KIST" logs "$id" >"$BATS_TEST_TMPDIR/out"
	cat "$BATS_TEST_TMPDIR/out"
	[ "$(number processes "$BATS_TEST_TMPDIR/out")" -ge 20 ]
	[ "$(last_line "$BATS_TEST_TMPDIR/out" | cut -d , -f 2-)" = " programs 0, traced 0, descriptors 0" ]
	"$KIST" rm "$id"
}

@test "attack: what joins by exec has no descriptor, program or root of the host, for a container with CAP_SYS_PTRACE and the host's user ids (CVE-2016-9962)" {
	local i caps='["bounding", "effective", "permitted"]'
	# With some of the caller's own left open, by somebody careless, and with a terminal as well as without.
	config 'reduce $sets[] as $s (.; .process.capabilities[$s] += ["CAP_SYS_PTRACE"])' --argjson sets "$caps"
	args /h/scan-joiners 120 /bin/busybox
	rt_up
	eventually grep -q ready "$B/out"
	for i in $(seq 60); do
		timeout 20 "$RUNTIME" --root "$KT_DIR/state" exec "$ID" /bin/true </dev/null >/dev/null 2>&1 3>&- 7</ 8</etc/passwd 9</proc
	done
	for i in $(seq 10); do
		timeout 20 "$RUNTIME" --root "$KT_DIR/state" exec --tty "$ID" /bin/true </dev/null >/dev/null 2>&1 3>&- 7</ 8</etc/passwd 9</proc
	done
	rt kill "$ID" TERM
	eventually grep -q "^processes" "$B/out"
	grep -v "^descriptor\|^traced" "$B/out"
	[ "$(number processes "$B/out")" -ge 30 ]
	[ "$(number programs "$B/out")" -ge 1 ] # it was looked at in time, or nothing was attacked
	[ "$(number "of the host" "$B/out")" = 0 ]
	eventually sh -c "[ \$($RUNTIME --root $KT_DIR/state state $ID | jq -r .status) = stopped ]"
	rt delete "$ID"
}
