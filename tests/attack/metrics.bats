#!/usr/bin/env bats
# Who can reach the socket of the metrics: slow, silent, many, and with garbage. The daemon is the tests' own, with limits of seconds.
load attack

IDLE=5 HEADER=7 BODY=9 CONNECTIONS=48

setup_file() {
	PORT=$(free_port)
	export PORT
	KISTD=kistd-faults KIST_TEST_LIMITS="$IDLE $HEADER $BODY $CONNECTIONS" kist_start --metrics-addr "127.0.0.1:$PORT"
}
teardown_file() { kist_end; }
teardown() { left_nothing; }
page() { curl -sf --max-time 20 "http://127.0.0.1:$PORT/metrics"; }
serves() { page | grep -q '^engine_daemon_engine_info'; }

@test "attack: metrics: a header or body that comes by drops is cut off" {
	timeout 120 python3 - "$PORT" "$IDLE" <<-'PY'
		import socket, sys, threading, time
		port, idle = int(sys.argv[1]), int(sys.argv[2])
		wrong = []
		def drip(what, start):
		    s = socket.create_connection(("127.0.0.1", port)); s.settimeout(0.4); s.sendall(start)
		    began = time.monotonic()
		    while time.monotonic() - began < 90:
		        try:
		            s.sendall(b" ")
		            if s.recv(65536) == b"": break
		        except socket.timeout: continue
		        except OSError: break
		    else: wrong.append(f"{what}: still open")
		    if time.monotonic() - began < idle: wrong.append(f"{what}: cut too early")
		cases = [("request line", b"GET /metrics"), ("header", b"GET /metrics HTTP/1.1\r\nX-Slow: y"),
		         ("body", b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"), ("nothing", b"")]
		threads = [threading.Thread(target=drip, args=c) for c in cases]
		for t in threads: t.start()
		for t in threads: t.join()
		if wrong: sys.exit("\n".join(wrong))
	PY
	serves
}

@test "attack: metrics: who holds all of its connections holds nobody else up, and the API not at all" {
	timeout 120 python3 - "$PORT" "$KT_DIR/kist.sock" "$(kistd_pid)" <<-'PY'
		import os, socket, sys, time
		port, path, pid = int(sys.argv[1]), sys.argv[2], sys.argv[3]
		threads = lambda: len(os.listdir(f"/proc/{pid}/task"))
		before, held = threads(), []
		for i in range(200):
		    s = socket.socket(); s.settimeout(1)
		    try: s.connect(("127.0.0.1", port)); held.append(s)
		    except OSError: break
		time.sleep(1)
		print(len(held), "connections;", before, "threads before,", threads(), "now")
		if threads() > before + 34: sys.exit("each has a thread of the daemon's")
		api = socket.socket(socket.AF_UNIX); api.settimeout(30); api.connect(path)
		api.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
		if not api.recv(4096).startswith(b"HTTP/1.1 200"): sys.exit("the API does not answer")
	PY
	eventually serves
}

@test "attack: metrics: garbage" {
	timeout 200 python3 - "$PORT" <<-'PY'
		import os, random, socket, sys
		port = int(sys.argv[1])
		random.seed(7)
		cases = [b"\x00" * 70000, b"GET " + b"/a" * 40000 + b" HTTP/1.1\r\n\r\n", b"GET /metrics HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(500),
		         b"GET /metrics HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		         b"GET /metrics?" + b"a=b&" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /%2e%2e/metrics%00 HTTP/1.1\r\nHost: x\r\n\r\n",
		         b"GET /metrics HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(5000)) + b"\r\n", b"CONNECT x:1 HTTP/1.1\r\n\r\n", b"\r\n" * 1000]
		cases += [os.urandom(random.randrange(1, 5000)) for _ in range(60)]
		for c in cases:
		    s = socket.create_connection(("127.0.0.1", port), timeout=20)
		    try:
		        s.sendall(c); s.shutdown(socket.SHUT_WR)
		        while s.recv(65536): pass
		    except OSError: pass
		    s.close()
	PY
	serves
	kill -0 "$(kistd_pid)"
	[ "$("$KIST" run --rm --network none $BUSYBOX echo still)" = still ]
}
