# The daemon and the monitors as those see them who should not: their files, sockets and requests.
load attack

setup_file() {
	kist_start
	helpers_folder
}
teardown_file() { kist_end; }
teardown() { left_nothing; }

api() { curl -s --max-time 10 --unix-socket "$KT_DIR/kist.sock" "$@"; }
answers() { [ "$(api http://kist/_ping)" = OK ]; }
memory() { awk '/VmRSS/{print $2}' "/proc/${1:-$(kistd_pid)}/status"; } # KiB
nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
monitor_of() { awk '/^PPid/{print $2}' "/proc/$("$KIST" inspect -f '{{.State.Pid}}' "$1")/status"; }

@test "attack: data and run directories read by others (CVE-2021-41091, CVE-2021-41103, CVE-2024-25621)" {
	local id
	chmod 711 "$KT_DIR" # what mktemp closed would hide the rest
	id=$("$KIST" run -d -e SECRET=kist-secret $BUSYBOX sh -c 'echo kist-secret; touch /suid; chmod 6755 /suid; sleep 60')
	[ "$(stat -c %a "$KT_DIR/root")" = 710 ] || [ "$(stat -c %a "$KT_DIR/root")" = 700 ]
	[ "$(stat -c %U:%G "$KT_DIR/root")" = root:root ]
	# Nobody else gets in, by any name that root knows.
	[ -z "$(find "$KT_DIR/root" "$KT_DIR/run" -mindepth 1 -maxdepth 6 ! -type l | nobody sh -c 'while read -r f; do test -r "$f" && echo "$f"; done' | grep -v "/run/kistd.pid$")" ]
	# Were the root directory itself open, as another engine's was: files with secrets stay closed, and no folder shows what is in it.
	chmod 755 "$KT_DIR/root"
	run nobody find "$KT_DIR/root" -readable
	chmod 710 "$KT_DIR/root"
	[ -z "$(grep -vE '/root(/lock)?$|Permission denied' <<<"$output")" ] || { echo "$output"; false; }
	"$KIST" rm -f "$id"
}

@test "attack: data directories that are open already are closed at the start, or refused (CVE-2021-41091)" {
	local r=$BATS_TEST_TMPDIR/root
	mkdir -m 777 "$r" "$r/containers" "$r/layers"
	"$BUILD/bin/kistd" --root "$r" --run-root "$BATS_TEST_TMPDIR/run" --host "unix://$BATS_TEST_TMPDIR/s" --bridge "${KT_NAME}o" --cgroup-parent "kist-test-${KT_NAME}o" \
		--address-pool 10.254.241.0/24 --bundled-image "$BUILD/data/busybox.oci.tar" >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
	local pid=$! i
	for i in $(seq 100); do curl -sf --unix-socket "$BATS_TEST_TMPDIR/s" http://kist/_ping >/dev/null && break; kill -0 $pid || break; sleep 0.05; done
	modes=$(stat -c %a "$r" "$r/containers" "$r/layers" | tr '\n' ' ')
	kill $pid || true
	wait $pid || true
	find /sys/fs/cgroup -depth -type d -path "*/kist-test-${KT_NAME}o*" -exec rmdir {} + 2>/dev/null || true
	[[ "$modes" =~ ^7[01]0\ 700\ 700\ $ ]] || { echo "modes: $modes"; cat "$BATS_TEST_TMPDIR/log"; false; }
}

@test "attack: the daemon's socket and a monitor's socket, reached by others" {
	local id socket
	chmod 711 "$KT_DIR"
	[ "$(stat -c '%a %U' "$KT_DIR/kist.sock")" = "660 root" ]
	run nobody curl -s --max-time 5 --unix-socket "$KT_DIR/kist.sock" http://kist/_ping
	[ "$status" -ne 0 ]
	# With the run directory mounted, a container's root looks like the owner of the monitor's socket: and is not.
	id=$("$KIST" run -d $BUSYBOX sleep 60)
	socket=$(find "$KT_DIR/run" -type s -name '*.sock' | head -n 1)
	[ -n "$socket" ]
	run -0 nobody "$KT_DIR/h/knock" "$socket"
	[[ "$output" == refused* ]]
	run -0 --separate-stderr "$KIST" run --rm -v "$KT_DIR/run:/mnt" -v "$KT_DIR/h:/h:ro" $BUSYBOX /h/knock "/mnt${socket#"$KT_DIR/run"}"
	echo "a container's root: $output"
	[[ "$output" == refused* || "$output" == closed ]]
	# Were all modes open: who is not the host's root is sent away all the same.
	chmod -R a+rwX "$KT_DIR/run"
	run -0 nobody "$KT_DIR/h/knock" "$socket"
	chmod 711 "$KT_DIR/run"; chmod 700 "$KT_DIR/run/containers"
	echo "nobody: $output"
	[[ "$output" == refused* || "$output" == closed ]]
	# The host's root is heard, but what is no message is not obeyed.
	"$KT_DIR/h/knock" "$socket"
	[ "$("$KIST" exec "$id" echo still)" = still ]
	"$KIST" rm -f "$id"
}

@test "attack: abstract sockets, that containers on the host's network could reach (CVE-2020-15257)" {
	local pid inode id
	id=$("$KIST" run -d --network host $BUSYBOX sleep 60)
	for pid in $(kistd_pid) "$(monitor_of "$id")" $(cat /proc/[0-9]*/task/[0-9]*/children 2>/dev/null | tr ' ' '\n' | sort -u | while read -r p; do [ "$(cut -d ' ' -f 4 "/proc/$p/stat" 2>/dev/null)" = "$(kistd_pid)" ] && echo "$p"; done); do
		for inode in $(find "/proc/$pid/fd" -lname 'socket:*' -printf '%l\n' 2>/dev/null | tr -dc '0-9\n'); do
			! awk -v i="$inode" '$7 == i && $8 ~ /^@/' /proc/net/unix | grep . || { echo "process $pid listens on an abstract socket"; false; }
		done
	done
	[ -z "$("$KIST" exec "$id" sh -c 'grep -iE "@.*(kist|monitor)" /proc/net/unix')" ]
	# Its name can be seen from the host's network, but there is no way to it.
	run "$KIST" run --rm --network host $BUSYBOX sh -c "ls -d '$KT_DIR'"
	[ "$status" -ne 0 ]
	"$KIST" rm -f "$id"
}

@test "attack: requests that are cut short, too long, or of two minds (CVE-2024-41110, CVE-2026-34040)" {
	local before
	before=$(memory)
	python3 - "$KT_DIR/kist.sock" "$BUSYBOX" <<-'PY'
		import socket, sys, json
		path, image = sys.argv[1:]
		def talk(data, shut=True, more=None):
		    s = socket.socket(socket.AF_UNIX); s.settimeout(10); s.connect(path)
		    try:
		        s.sendall(data)
		        if more: more(s)
		        if shut: s.shutdown(socket.SHUT_WR)
		    except OSError: pass
		    out = b""
		    try:
		        while len(out) < 100000:
		            d = s.recv(65536)
		            if not d: break
		            out += d
		    except OSError: pass
		    s.close()
		    return out
		def status(out): return int(out.split(b" ")[1]) if out.startswith(b"HTTP/1.") else 0
		def refused(what, out):
		    if status(out) in (200, 201, 204): sys.exit(f"{what}: {out[:300]!r}")
		body = json.dumps({"Image": image, "Cmd": ["true"], "Labels": {"cut": "x" * 500}}).encode()
		head = b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
		# The whole body or none: a part that is valid JSON by itself is not taken for it.
		refused("cut body", talk(head + b"Content-Length: %d\r\n\r\n" % len(body) + body[:-20]))
		refused("cut behind the object", talk(head + b"Content-Length: %d\r\n\r\n" % (len(body) + 9) + body))
		refused("cut chunk", talk(head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % (len(body) + 5) + body))
		refused("no last chunk", talk(head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body) + body + b"\r\n"))
		refused("no size", talk(head + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n" + body))
		refused("huge chunk", talk(head + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n" + body))
		refused("two lengths", talk(head + b"Content-Length: 2\r\nContent-Length: %d\r\n\r\n" % len(body) + body))
		refused("two objects", talk(head + b"Content-Length: %d\r\n\r\n" % (2 * len(body)) + body + body))
		refused("same key twice", talk(head + b"Content-Length: 50\r\n\r\n" + b'{"Image": "a", "Image": "b"}'.ljust(50)))
		refused("not a number", talk(head + b"Content-Length: 5x\r\n\r\n" + body))
		def flood(s):
		    for i in range(700): s.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")
		refused("oversize by chunks", talk(head + b"Transfer-Encoding: chunked\r\n\r\n", more=flood))
		refused("oversize by length", talk(head + b"Content-Length: 99999999999\r\n\r\n"))
		refused("thousand headers", talk(b"GET /_ping HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"y" * 90) for i in range(1000)) + b"\r\n"))
		refused("endless header", talk(b"GET /_ping HTTP/1.1\r\nX: " + b"y" * 5000000))
		refused("endless line", talk(b"GET /" + b"y" * 5000000))
		refused("thousand arguments", talk(b"GET /containers/json?" + b"&".join(b"a%d=b" % i for i in range(3000)) + b" HTTP/1.1\r\nHost: x\r\n\r\n"))
		refused("nul in a name", talk(b"GET /containers/a%00b/json HTTP/1.1\r\nHost: x\r\n\r\n"))
		refused("path", talk(b"GET /containers/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n"))
		refused("deep JSON", talk(head + b"Content-Length: 200000\r\n\r\n" + b'[' * 200000))
		deep = b'{"a":' * 100000 + b'1' + b'}' * 100000
		refused("deeper JSON", talk(head + b"Content-Length: %d\r\n\r\n" % len(deep) + deep))
		refused("deep filter", talk(b"GET /containers/json?filters=" + b"%5B" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"))
		refused("binary", talk(bytes(range(256)) * 100))
		refused("TLS", talk(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500))
	PY
	answers
	[ -z "$("$KIST" ps -aq)" ] # nothing was made of any of them
	[ "$(memory)" -lt $((before + 40000)) ]
}

@test "attack: two thousand idle connections, and slow ones: others are answered, memory is bounded" {
	local pid open
	python3 - "$KT_DIR/kist.sock" >"$BATS_TEST_TMPDIR/out" 3>&- <<-'PY' &
		import resource, socket, sys, time
		soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
		resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
		all = []
		for i in range(2000):
		    s = socket.socket(socket.AF_UNIX)
		    try:
		        s.connect(sys.argv[1]) # waits while the backlog is full
		        s.settimeout(2)
		        s.sendall((b"", b"GET /_ping HTTP/1.1\r\nX-Slow: ", b"POST /containers/create HTTP/1.1\r\nContent-Length: 9\r\n\r\n{")[i % 3])
		    except OSError as e:
		        print("at", i, e); break
		    all.append(s)
		print("open", len(all), flush=True)
		for n in range(8):
		    time.sleep(0.5)
		    for s in all[1::3]:
		        try: s.send(b"y")
		        except OSError: pass
	PY
	pid=$!
	local i
	for i in $(seq 200); do grep -q open "$BATS_TEST_TMPDIR/out" && break; sleep 0.1; done
	cat "$BATS_TEST_TMPDIR/out"
	open=$(sed -n 's/^open //p' "$BATS_TEST_TMPDIR/out")
	[ "$open" = 2000 ]
	for i in 1 2 3; do
		[ "$(curl -s --max-time 3 --unix-socket "$KT_DIR/kist.sock" http://kist/_ping)" = OK ]
		sleep 0.3
	done
	"$KIST" run --rm --network none $BUSYBOX true
	echo "resident: $(memory) KiB with $open connections"
	[ "$(memory)" -lt 150000 ]
	wait $pid
	eventually sh -c "[ \$(ls /proc/$(kistd_pid)/task | wc -l) -lt 100 ]"
	answers
}

@test "attack: output without end, read slowly or not at all (CVE-2022-1708, CVE-2022-31030, CVE-2022-23471, CVE-2023-25153, CVE-2025-64329)" {
	local id monitor pids=() i
	id=$("$KIST" run -d --log-opt max-size=1m --log-opt max-file=2 $BUSYBOX sh -c 'exec yes kist-attack-kist-attack-kist-attack')
	monitor=$(monitor_of "$id")
	# Readers that never read: of the container, of its log, of execs with and without a terminal.
	for path in "attach?stream=1&stdout=1" "logs?follow=1&stdout=1"; do
		python3 -c '
import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
s.sendall(b"%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n" % (sys.argv[3].encode(), sys.argv[2].encode(), b"Connection: Upgrade\r\nUpgrade: tcp\r\n" if "attach" in sys.argv[2] else b""))
time.sleep(4)' "$KT_DIR/kist.sock" "/containers/$id/$path" "$([[ $path == attach* ]] && echo POST || echo GET)" 3>&- &
		pids+=($!)
	done
	for i in 1 2 3; do
		exec_id=$(api -H 'Content-Type: application/json' -d '{"AttachStdout": true, "Cmd": ["yes", "exec-output-exec-output-exec-output"]}' "http://kist/containers/$id/exec" | jq -r .Id)
		python3 -c '
import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
s.sendall(b"POST /exec/%s/start HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 2\r\n\r\n{}" % sys.argv[2].encode())
time.sleep(4)' "$KT_DIR/kist.sock" "$exec_id" 3>&- &
		pids+=($!)
	done
	sleep 2.5
	echo "monitor: $(memory "$monitor") KiB, daemon: $(memory) KiB"
	[ "$(memory "$monitor")" -lt 8000 ]
	[ "$(memory)" -lt 60000 ]
	answers
	[ "$(du -sk "$KT_DIR/root/containers/$id" | cut -f 1)" -lt 4000 ]
	wait "${pids[@]}"
	"$KIST" rm -f "$id"
	# A line without end.
	id=$("$KIST" run -d $BUSYBOX sh -c 'head -c 50000000 /dev/zero | tr "\0" x; sleep 60')
	sleep 1
	[ "$(memory "$(monitor_of "$id")")" -lt 8000 ]
	"$KIST" logs --tail 1 "$id" 2>&1 | head -c 100 >/dev/null
	[ "$(memory)" -lt 60000 ]
	"$KIST" rm -f "$id"
}

@test "attack: an archive without end is uploaded" {
	local status
	# Two seconds of noise as fast as it goes: not kept in memory, and gone from the disk afterwards.
	head -c 300000000 /dev/zero | timeout 20 curl -s -o "$BATS_TEST_TMPDIR/body" -w '%{http_code}' --max-time 15 -X POST -T - --unix-socket "$KT_DIR/kist.sock" http://kist/images/load >"$BATS_TEST_TMPDIR/status" || true
	cat "$BATS_TEST_TMPDIR/status" "$BATS_TEST_TMPDIR/body"
	[ "$(memory)" -lt 60000 ]
	answers
	[ "$(du -sk "$KT_DIR/root/tmp" | cut -f 1)" -lt 1000 ]
}
