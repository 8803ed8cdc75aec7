# Where the output of containers goes: files in two forms, syslog in all its ways, the journal, nowhere.
load ../lib/kist

# A daemon in whose world /run and /dev/log are the test's, so that it can have a journal and a local syslog of its own.
setup_file() {
	KT_RUN=$(mktemp -d "${TMPDIR:-/tmp}/kist-test.XXXXXX")
	export KT_RUN
	mkdir -p "$KT_RUN/systemd/journal"
	cat >"$KT_RUN/within" <<-'SH'
		#!/bin/sh
		mount --bind "$KT_RUN" /run && ln -sf /run/log.sock /dev/log 2>/dev/null || true
		exec "$@"
	SH
	chmod 755 "$KT_RUN/within"
	export KISTD_WITHIN="unshare -m --propagation private $KT_RUN/within"
	kist_start
}
teardown_file() {
	kist_end
	rm -rf "$KT_RUN"
}
teardown() {
	[ ! -e "$BATS_TEST_TMPDIR/server" ] || { kill "$(cat "$BATS_TEST_TMPDIR/server")"; gone "$(cat "$BATS_TEST_TMPDIR/server")"; }
}

# Writes what arrives into $BATS_TEST_TMPDIR/got: a line per datagram, as Python writes bytes; of a stream, what came.
receiver() { # unixgram|unix|udp|tcp ADDRESS
	python3 - "$1" "$2" "$BATS_TEST_TMPDIR/got" <<-'PY' 3>&- &
		import socket, sys
		kind, address, path = sys.argv[1:]
		family = socket.AF_UNIX if kind.startswith("unix") else socket.AF_INET
		stream = kind in ("unix", "tcp")
		s = socket.socket(family, socket.SOCK_STREAM if stream else socket.SOCK_DGRAM)
		s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
		s.bind(address if family == socket.AF_UNIX else ("127.0.0.1", int(address)))
		out = open(path, "wb", buffering=0)
		if stream:
		    s.listen()
		open(path + ".ready", "w")
		while True:
		    if not stream:
		        out.write(repr(s.recv(65536)).encode() + b"\n")
		        continue
		    c, _ = s.accept()
		    while data := c.recv(65536):
		        out.write(data)
	PY
	echo $! >"$BATS_TEST_TMPDIR/server"
	eventually test -e "$BATS_TEST_TMPDIR/got.ready"
}
got() { grep -qE "$1" "$BATS_TEST_TMPDIR/got"; }

say() { "$KIST" run --name "$1" "${@:2}" $BUSYBOX sh -c 'echo to out; echo to err >&2; printf unfinished' >/dev/null 2>&1; }

@test "json-file: labels, variables and the tag stand beside each line, and --details shows them" {
	"$KIST" run --name noted --label team=red --label other=x -e STAGE=test -e SECRET=no --log-opt labels=team --log-opt env-regex='^STA' --log-opt tag='{{.Name}}/{{.ImageName}}' \
		$BUSYBOX echo hello
	log=$("$KIST" inspect -f '{{.LogPath}}' noted)
	[ "$(jq -c .attrs "$log")" = '{"STAGE":"test","tag":"noted/kist.local/busybox","team":"red"}' ]
	[ "$("$KIST" logs noted)" = hello ]
	[ "$("$KIST" logs --details noted)" = "STAGE=test,tag=noted/kist.local/busybox,team=red hello" ]
	"$KIST" rm noted
}

@test "local: shorter on disk, the same to read, and bounded" {
	"$KIST" run --name short --log-driver local --log-opt max-size=8k --log-opt max-file=2 $BUSYBOX sh -c 'i=0; while [ $i -lt 1000 ]; do echo "line $i"; i=$((i+1)); done; printf unfinished; echo error >&2' >/dev/null
	[ "$("$KIST" logs --tail 3 short 2>/dev/null | head -n 1)" = "line 999" ]
	[ "$("$KIST" logs short 2>&1 >/dev/null)" = error ]
	"$KIST" logs short 2>/dev/null | grep -q unfinished
	[ "$("$KIST" inspect -f '{{.HostConfig.LogConfig.Type}}' short)" = local ]
	dir=$KT_DIR/root/containers/$("$KIST" inspect -f '{{.Id}}' short)
	[ "$(ls "$dir" | grep -c local.log)" = 2 ]
	[ "$(cat "$dir"/*local.log* | wc -c)" -le 24576 ]
	[ -z "$(ls "$dir" | grep json.log)" ]
	"$KIST" logs -t --since 2000-01-01T00:00:00Z short 2>/dev/null | grep -qE '^20[0-9-]+T[0-9:.]+Z line 999'
	"$KIST" rm short
}

@test "syslog by udp, in each of its forms" {
	port=$(free_port)
	receiver udp "$port"
	say plain --log-driver syslog --log-opt syslog-address="udp://127.0.0.1:$port"
	eventually got "^b'<30>[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} $("$KIST" inspect -f '{{slice .Id 0 12}}' plain 2>/dev/null || "$KIST" inspect -f '{{.Id}}' plain | cut -c 1-12)\[[0-9]+\]: to out"
	eventually got "^b'<27>.*: to err"
	eventually got "^b'<30>.*: unfinished"
	say old --log-driver syslog --log-opt syslog-address="udp://127.0.0.1:$port" --log-opt syslog-format=rfc3164 --log-opt syslog-facility=local3 --log-opt tag='web-{{.Name}}'
	eventually got "^b'<158>[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} $(hostname) web-old\[[0-9]+\]: to out"
	say new --log-driver syslog --log-opt syslog-address="udp://127.0.0.1:$port" --log-opt syslog-format=rfc5424 --log-opt tag=app
	eventually got "^b'<30>1 20[0-9-]{8}T[0-9:]{8}Z $(hostname) app [0-9]+ app - to out"
	say micro --log-driver syslog --log-opt syslog-address="udp://127.0.0.1:$port" --log-opt syslog-format=rfc5424micro --log-opt tag=fine
	eventually got "^b'<30>1 20[0-9-]{8}T[0-9:]{8}\.[0-9]{6}Z $(hostname) fine [0-9]+ fine - to out"
	# What went away can be read here, too.
	[ "$("$KIST" logs plain 2>/dev/null)" = "to out
unfinished" ]
	"$KIST" rm plain old new micro
}

@test "syslog by tcp: goes on when the server comes back, and without one the start fails and says why" {
	port=$(free_port)
	run -125 "$KIST" run --name lone --log-driver syslog --log-opt syslog-address="tcp://127.0.0.1:$port" $BUSYBOX true
	[[ "$output" == *"failed to initialize logging driver"*"Connection refused"* ]]
	"$KIST" rm lone
	receiver tcp "$port"
	"$KIST" run -d --name talker --log-driver syslog --log-opt syslog-address="tcp://127.0.0.1:$port" --log-opt tag=t $BUSYBOX sh -c 'while :; do echo tick; sleep 0.1; done'
	eventually got 't\[[0-9]+\]: tick$'
	kill "$(cat "$BATS_TEST_TMPDIR/server")"; gone "$(cat "$BATS_TEST_TMPDIR/server")"
	rm "$BATS_TEST_TMPDIR/got" "$BATS_TEST_TMPDIR/got.ready"
	receiver tcp "$port"
	eventually got 't\[[0-9]+\]: tick$'
	"$KIST" rm -f talker
}

@test "syslog by the host's socket, and by another" {
	receiver unixgram "$BATS_TEST_TMPDIR/s.sock"
	say there --log-driver syslog --log-opt syslog-address="unixgram://$BATS_TEST_TMPDIR/s.sock" --log-opt cache-disabled=true
	eventually got "<30>.*: to out"
	run -1 "$KIST" logs there
	[[ "$output" == *"configured logging driver does not support reading"* ]]
	"$KIST" rm there
}

@test "journald: the message, whose it is, and how urgent" {
	receiver unixgram "$KT_RUN/systemd/journal/socket"
	say told --log-driver journald --label com.example/team=red --log-opt labels=com.example/team --log-opt tag='{{.Name}}'
	id=$("$KIST" inspect -f '{{.Id}}' told)
	eventually got "CONTAINER_ID_FULL=$id\\\\n.*CONTAINER_NAME=told\\\\n.*PRIORITY=6\\\\nMESSAGE\\\\n.*to out\\\\n"
	eventually got 'PRIORITY=3\\nMESSAGE\\n.*to err'
	eventually got 'CONTAINER_PARTIAL_MESSAGE=true.*unfinished'
	got 'COM_EXAMPLE_TEAM=red'
	[ "$("$KIST" logs told 2>/dev/null | head -n 1)" = "to out" ]
	"$KIST" rm told
	# A line that means to be a field is a message, nothing else.
	"$KIST" run --name forger --log-driver journald $BUSYBOX printf 'x\nPRIORITY=0\nMESSAGE=forged\n' >/dev/null
	eventually got 'MESSAGE\\n\\x0e\\x00\\x00\\x00\\x00\\x00\\x00\\x00MESSAGE=forged\\n'
	"$KIST" rm forger
}

@test "--since and --until: seconds, dates with and without a zone, how long ago" {
	"$KIST" run --name dated $BUSYBOX sh -c 'echo one; sleep 1.2; echo two' >/dev/null
	at=$("$KIST" logs -t dated | sed -n 's/ two$//p')
	[ "$("$KIST" logs --since "$at" dated)" = two ]
	[ "$("$KIST" logs --since "$(date -d "$at" +%s.%N)" dated)" = two ]
	[ "$("$KIST" logs --until "$(date -d "$at - 1 second" +%s.%N)" dated)" = one ]
	[ "$("$KIST" logs --since 1h dated | wc -l)" = 2 ]
	[ "$("$KIST" logs --since 2000-01-01 dated | wc -l)" = 2 ]
	[ "$("$KIST" logs --since 2000-01-01T10:00 --until 2001-01-01 dated | wc -l)" = 0 ]
	[ "$(TZ=UTC-5 "$KIST" logs --since "$(TZ=UTC-5 date -d "$at + 1 minute" +%Y-%m-%dT%H:%M:%S)" dated | wc -l)" = 0 ]
	run -1 "$KIST" logs --since yesterday dated
	[[ "$output" == *'invalid argument "yesterday" for --since'* ]]
	"$KIST" rm dated
}

@test "the daemon's own driver is that of containers that name none" {
	kistd_stop; kistd_up --log-driver local
	[ "$("$KIST" info --format '{{.LoggingDriver}}')" = local ]
	"$KIST" run --name default $BUSYBOX echo kept >/dev/null
	[ "$("$KIST" inspect -f '{{.HostConfig.LogConfig.Type}}' default)" = local ]
	[ "$("$KIST" logs default)" = kept ]
	"$KIST" run --name own --log-driver json-file $BUSYBOX echo kept >/dev/null
	kistd_stop; kistd_up
	# It stays what it was made with.
	[ "$("$KIST" logs default)" = kept ]
	[ "$("$KIST" inspect -f '{{.HostConfig.LogConfig.Type}}' own)" = json-file ]
	"$KIST" rm default own
	run "$BUILD/bin/kistd" --root "$KT_DIR/r2" --run-root "$KT_DIR/run2" --host "unix://$KT_DIR/k2" --log-driver splunk
	[ "$status" -ne 0 ]
	[[ "$output" == *"log-driver"*"splunk"* ]]
}

@test "none: nothing is kept, and options that do not belong are refused" {
	say silent --log-driver none
	run -1 "$KIST" logs silent
	[[ "$output" == *"configured logging driver does not support reading"* ]]
	"$KIST" rm silent
	run -125 "$KIST" run --log-driver splunk $BUSYBOX true
	[[ "$output" == *"no log driver named 'splunk' is registered"* ]]
	run -125 "$KIST" run --log-driver local --log-opt tag=x $BUSYBOX true
	[[ "$output" == *"unknown log opt 'tag' for local log driver"* ]]
	run -125 "$KIST" run --log-opt max-buffer-size=4m $BUSYBOX true
	[[ "$output" == *"max-buffer-size option is only supported with 'mode=non-blocking'"* ]]
	[ "$("$KIST" run --rm --log-opt mode=non-blocking --log-opt max-buffer-size=4m $BUSYBOX echo through)" = through ]
	run -125 "$KIST" run --log-driver syslog --log-opt syslog-address=tcp+tls://x $BUSYBOX true
	[[ "$output" == *"syslog-address"* ]]
	[ -z "$("$KIST" ps -aq)" ]
}

# Takes connections and reads nothing until the file $BATS_TEST_TMPDIR/read is there; then all, into got.
lazy_receiver() { # SOCKET
	rm -f "$BATS_TEST_TMPDIR"/{read,got,got.ready,got.over} "$1"
	python3 - "$1" "$BATS_TEST_TMPDIR" <<-'PY' 3>&- &
		import os, socket, sys, time
		address, where = sys.argv[1:]
		s = socket.socket(socket.AF_UNIX)
		s.bind(address)
		s.listen()
		open(where + "/got.ready", "w")
		c, _ = s.accept()
		while not os.path.exists(where + "/read"): time.sleep(0.05)
		with open(where + "/got", "wb") as out:
		    while data := c.recv(65536): out.write(data)
		open(where + "/got.over", "w")
	PY
	echo $! >"$BATS_TEST_TMPDIR/server"
	eventually test -e "$BATS_TEST_TMPDIR/got.ready"
}
lines_kept() { # MAX-BUFFER-SIZE: how many of a container's lines reach a receiver that reads only when all is written; they are its first, whole
	lazy_receiver "$BATS_TEST_TMPDIR/sock" >&2
	"$KIST" run -d --name slow --network none --log-driver syslog --log-opt "syslog-address=unix://$BATS_TEST_TMPDIR/sock" --log-opt mode=non-blocking --log-opt "max-buffer-size=$1" \
		$BUSYBOX sh -c 'yes "a line of the log, long enough to fill a buffer in a short time" | head -n 30000 | cat -n; touch /done; sleep 1000' >&2
	eventually "$KIST" exec slow test -e /done >&2
	[ "$("$KIST" logs slow | wc -l)" = 30000 ] || { echo "the local copy is not whole" >&2; return 1; }
	touch "$BATS_TEST_TMPDIR/read"
	# What waits is sent while the container runs, and with its end the connection ends.
	eventually all_arrived >&2
	"$KIST" rm -f slow >&2
	eventually test -e "$BATS_TEST_TMPDIR/got.over" >&2
	gone "$(cat "$BATS_TEST_TMPDIR/server")"
	rm "$BATS_TEST_TMPDIR/server"
	awk '{ sub(/.*]: */, ""); if ($1 != NR) { print "line", NR, "is", $0 > "/dev/stderr"; exit 1 } } END { print NR }' "$BATS_TEST_TMPDIR/got"
}
all_arrived() {
	local was
	was=$(stat -c %s "$BATS_TEST_TMPDIR/got") && sleep 0.3 && [ "$was" -gt 0 ] && [ "$(stat -c %s "$BATS_TEST_TMPDIR/got")" = "$was" ]
}

@test "mode=non-blocking: a receiver that is slow holds nobody up, and gets what fits into max-buffer-size" {
	local little much
	little=$(lines_kept 100k)
	much=$(lines_kept 1500k)
	echo "$little lines with 100k, $much with 1500k"
	[ "$little" -gt 500 ]
	[ "$much" -gt $((little + 8000)) ] # 1.4 MB more, of lines of about 110 bytes
	[ "$much" -lt 30000 ]
	run -125 "$KIST" run --log-driver syslog --log-opt mode=non-blocking --log-opt max-buffer-size=257m $BUSYBOX true
	[[ "$output" == *'invalid max-buffer-size: "257m"'* ]]
}

@test "logs -f: a client that does not read while its files are rotated away gets every line in the end" {
	"$KIST" create --name much --log-opt max-size=1m --log-opt max-file=4 $BUSYBOX \
		sh -c 'i=0; while [ $i -lt 20 ]; do seq $((i * 10000 + 1)) $((i * 10000 + 10000)); i=$((i + 1)); sleep 0.1; done'
	"$KIST" start much
	{ "$KIST" logs -f much || echo "logs: $?"; } | { "$KIST" wait much >"$BATS_TEST_TMPDIR/code" && cat; } >"$BATS_TEST_TMPDIR/out" 3>&-
	cmp "$BATS_TEST_TMPDIR/out" <(seq 200000)
	# It was about something: the files that are left hold less.
	[ "$("$KIST" logs much | wc -l)" -lt 100000 ]
	"$KIST" rm much
}
