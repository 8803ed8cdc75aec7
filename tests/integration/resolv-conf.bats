# What nobody here has is asked of the servers of the host's resolv.conf, also when that changes; search domains; answers that are none come at once. kistd is in a mount
# namespace in which a file of this test lies over /etc/resolv.conf.
load ../lib/kist

setup_file() {
	export TAG=$$ RESOLV=$BATS_FILE_TMPDIR/resolv.conf
	# Servers outside: of the loopback's many addresses three that are this test's own. At the third nobody listens.
	export NET=127.$((64 + TAG / 65536 % 64)).$((TAG / 256 % 256))
	export ONE=$NET.$((TAG % 256)) TWO=127.$((128 + TAG / 65536 % 64)).$((TAG / 256 % 256)).$((TAG % 256)) NOBODY=127.$((192 + TAG / 65536 % 32)).$((TAG / 256 % 256)).$((TAG % 256))
	echo "nameserver $ONE" >"$RESOLV"
	cat >"$BATS_FILE_TMPDIR/within" <<-END
		#!/bin/sh
		exec unshare -m --propagation private sh -c 'mount --bind "$RESOLV" /etc/resolv.conf && exec "\$@"' - "\$@"
	END
	chmod +x "$BATS_FILE_TMPDIR/within"
	export KISTD_WITHIN=$BATS_FILE_TMPDIR/within
	kist_start
	server "$ONE" 192.0.2.1
	server "$TWO" 192.0.2.9
	"$KIST" network create front
	"$KIST" run -d --name asker --network front $BUSYBOX sleep 600
}
server() { # ADDRESS WHAT-IT-ANSWERS
	"$BATS_TEST_DIRNAME/../lib/name-server" "$1" "$2" >"$KT_DIR/server-$1.log" 2>&1 3>&- &
	echo $! >>"$KT_DIR/servers"
	eventually grep -q ready "$KT_DIR/server-$1.log"
}
teardown_file() {
	while read -r pid; do kill "$pid" 2>/dev/null; done <"$KT_DIR/servers"
	kist_end
}
# kistd's own view of the file.
in_its_view() { nsenter -t "$(kistd_pid)" -m "$@"; }

ask() { # CONTAINER NETWORK NAME [TYPE]
	local at
	at=$("$KIST" network inspect "$2" | jq -r '.[0].IPAM.Config[0].Gateway')
	nsenter -t "$("$KIST" inspect -f '{{.State.Pid}}' "$1")" -n "$BATS_TEST_DIRNAME/../lib/name-query" "$at" "${@:3}"
}
answers() { [ "$(ask asker front www.test)" = "$1" ]; }
# It would take two seconds to wait for a server, and three to five for a client to ask again.
at_once() { # EXPECTED COMMAND...
	local from took
	for _ in 1 2 3 4; do # the machine may be busy
		from=$(date +%s%N)
		run -0 "${@:2}"
		took=$((($(date +%s%N) - from) / 1000000))
		echo "${*:2}: $output, after $took ms"
		[ "$output" = "$1" ] || return 1
		[ "$took" -ge 1900 ] || return 0
	done
	return 1
}

@test "the servers are those of the host's resolv.conf as it is now: written anew, another file in its place, none, several" {
	in_its_view grep -qx "nameserver $ONE" /etc/resolv.conf
	answers "NOERROR 192.0.2.1"
	echo "nameserver $TWO" >"$RESOLV"
	eventually answers "NOERROR 192.0.2.9"
	# Another file in its place, as those do who write a new one and rename it.
	echo "nameserver $ONE" >"$BATS_TEST_TMPDIR/other"
	in_its_view mount --bind "$BATS_TEST_TMPDIR/other" /etc/resolv.conf
	eventually answers "NOERROR 192.0.2.1"
	in_its_view umount /etc/resolv.conf
	eventually answers "NOERROR 192.0.2.9"
	# Nobody to ask is said at once, and is no end.
	echo "# nobody" >"$RESOLV"
	eventually answers SERVFAIL
	at_once SERVFAIL ask asker front www.test
	# The first does not listen: the second.
	printf 'nameserver %s\nnameserver %s\n' "$NOBODY" "$ONE" >"$RESOLV"
	eventually answers "NOERROR 192.0.2.1"
	at_once "NOERROR 192.0.2.1" ask asker front www.test
	# One that is silent is waited for, and then the second answers.
	kill -STOP "$(head -n 1 "$KT_DIR/servers")"
	printf 'nameserver %s\nnameserver %s\n' "$ONE" "$TWO" >"$RESOLV"
	eventually answers "NOERROR 192.0.2.9"
	kill -CONT "$(head -n 1 "$KT_DIR/servers")"
	echo "nameserver $ONE" >"$RESOLV"
	eventually answers "NOERROR 192.0.2.1"
	# Names of containers need nobody outside.
	echo "# nobody" >"$RESOLV"
	eventually answers SERVFAIL
	[[ "$(ask asker front asker)" == "NOERROR "* ]]
	echo "nameserver $ONE" >"$RESOLV"
	eventually answers "NOERROR 192.0.2.1"
}

@test "it is followed while kistd is dead, too" {
	answers "NOERROR 192.0.2.1"
	at=$("$KIST" network inspect front | jq -r '.[0].IPAM.Config[0].Gateway')
	pid=$("$KIST" inspect -f '{{.State.Pid}}' asker)
	now() { [ "$(nsenter -t "$pid" -n "$BATS_TEST_DIRNAME/../lib/name-query" "$at" www.test)" = "$1" ]; }
	kistd_kill9
	echo "nameserver $TWO" >"$RESOLV"
	eventually now "NOERROR 192.0.2.9"
	kistd_up
	now "NOERROR 192.0.2.9"
	echo "nameserver $ONE" >"$RESOLV"
	eventually now "NOERROR 192.0.2.1"
}

@test "search domains: of --dns-search, else of the host's resolv.conf; a container's own name goes before" {
	# The first line of ping says whom it took the name for.
	taken_for() { "$KIST" exec "$1" timeout 15 ping -c 1 -W 1 "$2" | sed -n 's/^PING [^(]*(\([0-9.]*\)).*/\1/p'; }
	printf 'search corp.test\nnameserver %s\n' "$ONE" >"$RESOLV"
	eventually answers "NOERROR 192.0.2.1"
	"$KIST" run -d --name by-host --network front $BUSYBOX sleep 600
	"$KIST" run -d --name by-option --network front --dns-search lab.test $BUSYBOX sleep 600
	"$KIST" run -d --name by-none --network front --dns-search . $BUSYBOX sleep 600
	"$KIST" exec by-host grep -qx "search corp.test" /etc/resolv.conf
	"$KIST" exec by-option grep -qx "search lab.test" /etc/resolv.conf
	[ "$(taken_for by-host printer)" = 192.0.2.1 ]
	grep -q "udp printer.corp.test" "$KT_DIR/server-$ONE.log"
	[ "$(taken_for by-option scanner)" = 192.0.2.1 ]
	grep -q "udp scanner.lab.test" "$KT_DIR/server-$ONE.log"
	[ -z "$(taken_for by-none printer)" ]
	[ "$(taken_for by-host asker)" = "$("$KIST" inspect -f '{{.NetworkSettings.Networks.front.IPAddress}}' asker)" ]
	run ! grep -q "asker.corp.test" "$KT_DIR/server-$ONE.log"
	echo "nameserver $ONE" >"$RESOLV"
	"$KIST" rm -f by-host by-option by-none
}

@test "what there is not is said at once: no such name, no such record, on an internal network, without a server" {
	answers "NOERROR 192.0.2.1"
	at_once NXDOMAIN ask asker front nosuch.example
	at_once NXDOMAIN ask asker front nosuch
	at_once NOERROR ask asker front asker AAAA
	at_once NOERROR ask asker front asker MX
	at_once NXDOMAIN ask asker front "$("$KIST" network inspect front | jq -r '.[0].IPAM.Config[0].Subnet' | awk -F'[./]' '{ print "222." $3 "." $2 "." $1 ".in-addr.arpa" }')" PTR
	"$KIST" network create --internal shut
	"$KIST" run -d --name closed --network shut $BUSYBOX sleep 600
	at_once NXDOMAIN ask closed shut nosuch
	at_once REFUSED ask closed shut www.test
	"$KIST" rm -f closed
	"$KIST" network rm shut
}
