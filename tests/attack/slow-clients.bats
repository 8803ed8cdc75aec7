#!/usr/bin/env bats
# Clients that hold a connection for nothing. The daemon is the tests' own (kistd-faults): the same server with limits of seconds in the place of
# minutes.
load attack

IDLE=5 HEADER=7 BODY=9 CONNECTIONS=48

setup_file() {
	KISTD=kistd-faults KIST_TEST_LIMITS="$IDLE $HEADER $BODY $CONNECTIONS" kist_start
}
teardown_file() { kist_end; }
teardown() { left_nothing; }

@test "attack: slow clients: header and body that come by drops are cut off, at any place of a connection" {
	timeout 120 python3 - "$KT_DIR/kist.sock" "$IDLE" "$BODY" <<-'PY'
		import socket, sys, threading, time
		path, idle, limit = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
		wrong = []
		def drip(what, start, first=None):
		    s = socket.socket(socket.AF_UNIX); s.connect(path); s.settimeout(0.4)
		    if first:
		        s.sendall(first)
		        if b"\r\n\r\n" not in s.recv(65536): wrong.append(f"{what}: no answer at first")
		    s.sendall(start)
		    began = time.monotonic()
		    # Far below the limit for a silent client, and for far longer than the limits: quiet it never is.
		    while time.monotonic() - began < 90:
		        try:
		            s.sendall(b" ")
		            if s.recv(65536) == b"": break
		        except socket.timeout: continue
		        except OSError: break
		    else: wrong.append(f"{what}: still open after {time.monotonic() - began:.0f} s")
		    took = time.monotonic() - began
		    print(f"{what}: cut after {took:.1f} s")
		    if took < idle: wrong.append(f"{what}: cut after {took:.1f} s, too early")
		    s.close()
		json = b"Host: x\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{"
		ping = b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n"
		cases = [
		    ("request line", b"GET /_ping"),
		    ("header", b"GET /_ping HTTP/1.1\r\nX-Slow: y"),
		    ("header of the second request", b"GET /_ping HTTP/1.1\r\nX-Slow: y", ping),
		    ("JSON body", b"POST /containers/create HTTP/1.1\r\n" + json),
		    ("JSON body of the second request", b"POST /containers/create HTTP/1.1\r\n" + json, ping),
		    ("body of a request that has none", b"POST /containers/x/start HTTP/1.1\r\n" + json),
		    ("body for a page that is not there", b"POST /nowhere HTTP/1.1\r\n" + json),
		    ("upload to what is not there", b"PUT /containers/nobody/archive?path=/ HTTP/1.1\r\n" + json.replace(b"json", b"x-tar")),
		    ("chunk", b"POST /containers/create HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n{"),
		]
		threads = [threading.Thread(target=drip, args=c) for c in cases]
		for t in threads: t.start()
		for t in threads: t.join()
		if wrong: sys.exit("\n".join(wrong))
	PY
	[ "$("$KIST" run --rm --network none $BUSYBOX echo still)" = still ]
}

@test "attack: slow clients: what moves is not cut: streams, and an upload that takes longer than any limit" {
	local id out=$BATS_TEST_TMPDIR pids=()
	id=$("$KIST" run -di --network none $BUSYBOX sh -c 'while read -r l; do echo "got $l"; done')
	"$KIST" logs -f "$id" >"$out/logs" 2>&1 3>&- & pids+=($!)
	"$KIST" events >"$out/events" 2>&1 3>&- & pids+=($!)
	"$KIST" wait "$id" >"$out/wait" 2>&1 3>&- & pids+=($!)
	"$KIST" exec "$id" sh -c 'sleep 15; echo of-exec' >"$out/exec" 2>&1 3>&- & pids+=($!)
	mkfifo "$out/in"
	"$KIST" attach --sig-proxy=false "$id" <"$out/in" >"$out/attach" 2>&1 3>&- & pids+=($!)
	exec 5>"$out/in"
	"$KIST" save $BUSYBOX -o "$out/image.tar"
	echo first >&5
	# A piece every half second.
	timeout 120 python3 - "$KT_DIR/kist.sock" "$out/image.tar" "$BODY" <<-'PY'
		import socket, sys, time
		data = open(sys.argv[2], "rb").read()
		n = 2 * (int(sys.argv[3]) + 6)
		s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.settimeout(60)
		s.sendall(b"POST /images/load?quiet=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(data))
		for i in range(n):
		    s.sendall(data[len(data) * i // n:len(data) * (i + 1) // n])
		    time.sleep(0.5)
		out = b""
		while piece := s.recv(65536): out += piece
		if not out.startswith(b"HTTP/1.1 200") or b"Loaded image" not in out: sys.exit(repr(out))
	PY
	echo last >&5
	eventually grep -q 'got last' "$out/attach"
	eventually grep -q 'got last' "$out/logs"
	eventually grep -q of-exec "$out/exec"
	[ ! -s "$out/wait" ]
	"$KIST" kill "$id"
	eventually grep -q '^137$' "$out/wait"
	eventually grep -q ' die ' "$out/events"
	exec 5>&-
	kill "${pids[1]}"
	wait "${pids[@]}" || true
	"$KIST" rm -f "$id"
}

@test "attack: slow clients: the connection after the last one is closed at once, and there is room again afterwards" {
	timeout 60 python3 - "$KT_DIR/kist.sock" "$CONNECTIONS" <<-'PY'
		import socket, sys
		path, limit = sys.argv[1], int(sys.argv[2])
		def ping():
		    s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(path)
		    out = b""
		    try:
		        s.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
		        out = s.recv(65536)
		    except OSError: pass
		    return s, out
		held = []
		while len(held) < 2 * limit:
		    s, out = ping()
		    if not out: break
		    held.append(s)
		print("answered", len(held))
		if not limit - 4 <= len(held) <= limit: sys.exit(f"{len(held)} connections of {limit}")
		for i in range(50):
		    if ping()[1]: sys.exit("one more was let in")
	PY
	eventually "$KIST" version
}

@test "attack: slow clients: a body that is too long is refused before it comes, or in its middle, with one line" {
	local answer big=$BATS_TEST_TMPDIR/big
	answer=$(printf 'POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 16777217\r\n\r\n' |
		timeout 20 python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(sys.stdin.buffer.read())
print(s.recv(65536).decode())' "$KT_DIR/kist.sock")
	[[ $answer == "HTTP/1.1 413 "*'{"message":"request body is longer than 16777216 bytes"}'* ]]
	{ printf '{"Image": "'; head -c 17000000 /dev/zero | tr '\0' x; printf '"}'; } >"$big"
	run -0 curl -s -w '\n%{http_code}' --max-time 60 --unix-socket "$KT_DIR/kist.sock" -H 'Content-Type: application/json' -H 'Transfer-Encoding: chunked' \
		--data-binary "@$big" http://kist/containers/create
	[ "${lines[0]}" = '{"message":"request body is longer than 16777216 bytes"}' ]
	[ "${lines[1]}" = 413 ]
}
