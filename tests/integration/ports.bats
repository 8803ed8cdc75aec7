# Published ports: from another host (a network namespace), from the host by its address and by the loopback, from other containers; the client's own address;
# a chosen address; conflicts; the host's firewall; a daemon that is killed.
load ../lib/kist
load ../lib/hosts

set -o pipefail
setup_file() {
	kist_start
	# A world outside: a namespace of its own behind a veth, to which this host is 10.A.B.1.
	export NET=10.$((64 + $$ / 256 % 64)).$(($$ % 256)) OUT=kt-po-$$ LINK=ktp$$
	ip netns add "$OUT"
	ip link add "$LINK" type veth peer name eth0 netns "$OUT"
	ip addr add "$NET.1/24" dev "$LINK"
	ip link set "$LINK" up
	ip -n "$OUT" addr add "$NET.2/24" dev eth0
	ip -n "$OUT" link set lo up
	ip -n "$OUT" link set eth0 up
	ip -n "$OUT" route add default via "$NET.1"
	# Ports of our own for this file.
	export P=$((10000 + $$ % 1000 * 20))
	"$KIST" network create inner >/dev/null
}
teardown_file() {
	ip netns del "$OUT" 2>/dev/null || true
	nft delete table inet "kist-test-$LINK" 2>/dev/null || true
	kist_end
}
teardown() { left_nothing; }

# busybox writes [::ffff:10.0.0.1]:80.
plain() { sed 's/\[::ffff:\([0-9.]*\)\].*/\1/; s/::ffff://'; }
who() { curl -sf --max-time 3 "http://$1/cgi-bin/who"; }
who_outside() { ip netns exec "$OUT" curl -sf --max-time 3 "http://$1/cgi-bin/who" | plain; }
binding() { "$KIST" inspect "$1" | python3 -c 'import json,sys; p=json.load(sys.stdin)[0]["NetworkSettings"]["Ports"]; print(" ".join(sorted("%s=%s:%s" % (k, b["HostIp"], b["HostPort"]) for k, v in p.items() for b in v or [])))'; }

@test "from another host, from the host by its address and by 127.0.0.1, from containers, with the client's own address" {
	web web -p "$P:80" --network inner
	[ "$(binding web)" = "80/tcp=0.0.0.0:$P" ]
	[ "$(who_outside "$NET.1:$P")" = "web $NET.2" ]
	[[ "$(who "$NET.1:$P")" == "web "* ]]
	[[ "$(who "127.0.0.1:$P")" == "web "* ]]
	[[ "$(who "localhost:$P")" == "web "* ]]
	# From itself and a neighbour by the host's address (hairpin), and from another network.
	[[ "$("$KIST" exec web timeout 5 wget -qO- "http://$NET.1:$P/cgi-bin/who")" == "web "* ]]
	[[ "$("$KIST" run --rm --network inner $BUSYBOX timeout 5 wget -qO- "http://$NET.1:$P/cgi-bin/who")" == "web "* ]]
	[[ "$("$KIST" run --rm $BUSYBOX timeout 5 wget -qO- "http://$NET.1:$P/cgi-bin/who")" == "web "* ]]
	# What is sent through this host to another one's port of that number is not ours (CVE-2025-67499).
	mkdir "$BATS_TEST_TMPDIR/www"
	echo the other host >"$BATS_TEST_TMPDIR/www/index.html"
	ip netns exec "$OUT" python3 -m http.server -d "$BATS_TEST_TMPDIR/www" "$P" >/dev/null 2>&1 3>&- &
	other=$!
	eventually ip netns exec "$OUT" sh -c "grep -qi ':$(printf %04X "$P") ' /proc/net/tcp"
	[ "$("$KIST" exec web timeout 5 wget -qO- "http://$NET.2:$P/")" = "the other host" ]
	kill "$other"
	[[ "$("$KIST" ps --format '{{.Ports}}')" == *"0.0.0.0:$P->80/tcp"* ]]
	"$KIST" rm -f web
	run ! who "$NET.1:$P"
	[ -z "$(nft list map inet "kist-$KT_NAME" ports | grep elements || true)" ]
}

@test "a chosen address answers there, and not on others" {
	web only -p "127.0.0.1:$((P + 1)):80" -p "$NET.1:$((P + 2)):80"
	[[ "$(who "127.0.0.1:$((P + 1))")" == "only "* ]]
	run ! who "$NET.1:$((P + 1))"
	run ! who_outside "$NET.1:$((P + 1))"
	[[ "$(who_outside "$NET.1:$((P + 2))")" == "only $NET.2" ]]
	run ! who "127.0.0.1:$((P + 2))"
	# Another may have the same port on another address.
	web other -p "$NET.1:$((P + 1)):80"
	[[ "$(who_outside "$NET.1:$((P + 1))")" == "other $NET.2" ]]
	"$KIST" rm -f only other
}

@test "ranges, random ports, udp, -P, a free one of a range" {
	"$KIST" run -d --name many -p "$((P + 3))-$((P + 5)):80-82" -p 90 -p "$((P + 6)):53/udp" --expose 7070 --expose 7071/udp -P $BUSYBOX sleep 60
	[[ "$(binding many)" == *"80/tcp=0.0.0.0:$((P + 3)) 81/tcp=0.0.0.0:$((P + 4)) 82/tcp=0.0.0.0:$((P + 5))"* ]]
	[[ "$(binding many)" == *"53/udp=0.0.0.0:$((P + 6))"* ]]
	for port in 90/tcp 7070/tcp 7071/udp; do
		[[ "$(binding many)" =~ $port=0.0.0.0:[3-6][0-9]{4} ]]
	done
	# The tools of this host in the container's network namespace: busybox has no datagrams.
	nsenter -t "$("$KIST" inspect -f '{{.State.Pid}}' many)" -n timeout 20 python3 -c "
import socket
s=socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', 53)); print('up', flush=True)
d,a=s.recvfrom(99); print(d.decode(), a[0], flush=True); s.sendto(b'back', a)" >"$BATS_TEST_TMPDIR/got" 3>&- &
	eventually grep -q up "$BATS_TEST_TMPDIR/got"
	[ "$(ip netns exec "$OUT" python3 -c "
import socket
s=socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(10); s.sendto(b'datagram', ('$NET.1', $((P + 6)))); d,a=s.recvfrom(99); print(d.decode(), a[0])")" = "back $NET.1" ]
	grep -q "datagram $NET.2" "$BATS_TEST_TMPDIR/got"
	wait
	# A range for one port: the first that is free.
	"$KIST" run -d --name first -p "$((P + 5))-$((P + 8)):80" $BUSYBOX sleep 60
	[ "$(binding first)" = "80/tcp=0.0.0.0:$((P + 6))" ]
	"$KIST" rm -f many first
}

# Says and hears packets of sctp, which the kernel need not know itself: a container's namespace that answers an INIT, and one outside that says it.
sctp() { # answer PORT | ask ADDRESS PORT
	python3 - "$@" <<-'PY'
		import socket, struct, sys
		def crc(data):
		    c = 0xffffffff
		    for b in data:
		        c ^= b
		        for _ in range(8):
		            c = c >> 1 ^ (0x82f63b78 if c & 1 else 0)
		    return struct.pack("<I", c ^ 0xffffffff)
		def packet(source, to, tag, kind, own_tag):
		    chunk = struct.pack(">BBHIIHHI", kind, 0, 20, own_tag, 65536, 1, 1, 1)
		    head = struct.pack(">HHI", source, to, tag)
		    return head + crc(head + bytes(4) + chunk) + chunk
		s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 132)
		s.settimeout(15)
		def hear(port):
		    while True:
		        data, peer = s.recvfrom(2048)
		        data = data[(data[0] & 15) * 4:]
		        source, to, tag = struct.unpack(">HHI", data[:8])
		        if to == port:
		            assert crc(data[:8] + bytes(4) + data[12:]) == data[8:12], "the checksum is wrong"
		            return peer[0], source, tag, data[12], struct.unpack(">I", data[16:20])[0]
		if sys.argv[1] == "answer":
		    port = int(sys.argv[2])
		    print("up", flush=True)
		    peer, source, tag, kind, their_tag = hear(port)
		    assert (tag, kind) == (0, 1)
		    print("INIT from", peer, flush=True)
		    s.sendto(packet(port, source, their_tag, 2, 0x2222), (peer, 0))
		else:
		    port = int(sys.argv[3])
		    s.sendto(packet(5555, port, 0, 1, 0x1111), (sys.argv[2], 0))
		    peer, source, tag, kind, _ = hear(5555)
		    assert (tag, kind, source) == (0x1111, 2, port), (tag, kind, source)
		    print("INIT ACK from", peer)
	PY
}

@test "sctp: from outside, with the client's own address, answered from the host's; on a chosen address; tcp of that number is another port" {
	"$KIST" run -d --name streams -p "$P:9899/sctp" -p "127.0.0.1:$((P + 1)):9899/sctp" $BUSYBOX sleep 60
	web tcp -p "$P:80"
	[ "$(binding streams)" = "9899/sctp=0.0.0.0:$P 9899/sctp=127.0.0.1:$((P + 1))" ]
	run -125 "$KIST" run --rm -p "$P:1/sctp" $BUSYBOX true
	[[ "$output" == *"already allocated by container streams"* ]]
	pid=$("$KIST" inspect -f '{{.State.Pid}}' streams)
	export -f sctp
	nsenter -t "$pid" -n bash -c "sctp answer 9899" >"$BATS_TEST_TMPDIR/streams" 3>&- &
	eventually grep -q up "$BATS_TEST_TMPDIR/streams"
	[ "$(ip netns exec "$OUT" bash -c "sctp ask $NET.1 $P")" = "INIT ACK from $NET.1" ]
	wait $!
	grep -qx "INIT from $NET.2" "$BATS_TEST_TMPDIR/streams"
	[ "$(who_outside "$NET.1:$P")" = "tcp $NET.2" ]
	# The other one is on 127.0.0.1 only: nothing comes in by the address that was not chosen.
	nsenter -t "$pid" -n timeout 10 bash -c "sctp answer 9899" >"$BATS_TEST_TMPDIR/silent" 3>&- &
	listener=$!
	eventually grep -q up "$BATS_TEST_TMPDIR/silent"
	run ! ip netns exec "$OUT" timeout 2 bash -c "sctp ask $NET.1 $((P + 1))"
	wait "$listener" || true
	run ! grep INIT "$BATS_TEST_TMPDIR/silent"
	"$KIST" rm -f streams tcp
}

@test "conflicts name the port and who has it, and leave nothing" {
	"$KIST" run -d --name holder -p "$((P + 9)):80" $BUSYBOX sleep 60
	run -125 "$KIST" run --rm -p "$((P + 9)):80" $BUSYBOX true
	[[ "$output" == *"0.0.0.0:$((P + 9)) failed: port is already allocated by container holder"* ]]
	run -125 "$KIST" run --rm -p "127.0.0.1:$((P + 9)):80" $BUSYBOX true
	# udp is another port.
	"$KIST" run --rm -p "$((P + 9)):80/udp" $BUSYBOX true
	python3 -c "
import socket,sys,time
s=socket.socket(); s.bind(('127.0.0.1',$((P + 10)))); s.listen(); print('up',flush=True); time.sleep(60)" >"$BATS_TEST_TMPDIR/up" 3>&- &
	pid=$!
	eventually grep -q up "$BATS_TEST_TMPDIR/up"
	run -125 "$KIST" run --rm -p "$((P + 11)):81" -p "$((P + 10)):80" $BUSYBOX true
	kill $pid
	[[ "$output" == *":$((P + 10)) failed: port is already allocated: a process of this host"* ]]
	# The first of the two is free again.
	"$KIST" run --rm -p "$((P + 11)):81" $BUSYBOX true
	for bad in 0:80 70000:80 80:0 80:80/icmp 1-3:1-2 x:80 1.2.3:80:80; do
		run -125 "$KIST" run --rm -p "$bad" $BUSYBOX true
		echo "$bad: $output"
		[[ "$output" == *"$bad"* || "$output" == *invalid* ]]
	done
	run -125 "$KIST" run --rm -p 192.0.2.1:80:80 $BUSYBOX true
	[[ "$output" == *"no such address"* ]]
	run -125 "$KIST" run --rm --network container:holder -p 1:1 $BUSYBOX true
	"$KIST" rm -f holder
	# Without a network of its own there is nowhere to publish to: said, and no error, as other engines do.
	for mode in host none; do
		"$KIST" run --rm --network "$mode" -p 1:1 $BUSYBOX true 2>&1 | grep -q "Published ports are discarded when using $mode network mode"
	done
}

@test "the host's own firewall still drops, in a table of its own" {
	web guarded -p "$((P + 12)):80"
	[[ "$(who_outside "$NET.1:$((P + 12))")" == guarded* ]]
	nft -f - <<-END
		table inet kist-test-$LINK {
			chain forward {
				type filter hook forward priority filter + 10; policy accept;
				iifname "$LINK" drop
			}
		}
	END
	run ! who_outside "$NET.1:$((P + 12))"
	nft delete table inet "kist-test-$LINK"
	[[ "$(who_outside "$NET.1:$((P + 12))")" == guarded* ]]
	"$KIST" rm -f guarded
}

@test "a daemon that is killed: ports lead where they led, also while it is away; those of the dead are gone" {
	web kept -p "$((P + 13)):80" -p 81
	"$KIST" run -d --name dies -p "$((P + 14)):80" $BUSYBOX sleep 300
	before=$(binding kept)
	pid=$("$KIST" inspect -f '{{.State.Pid}}' dies)
	kistd_kill9
	[[ "$(who_outside "$NET.1:$((P + 13))")" == "kept $NET.2" ]]
	kill -9 "$pid"
	gone "$pid"
	kistd_up
	[ "$(binding kept)" = "$before" ]
	[[ "$(who_outside "$NET.1:$((P + 13))")" == "kept $NET.2" ]]
	run -125 "$KIST" run --rm -p "$((P + 13)):80" $BUSYBOX true
	[[ "$output" == *"by container kept"* ]]
	eventually is_state dies exited
	run ! sh -c "nft list table inet kist-$KT_NAME | grep -q ' $((P + 14)) :'"
	"$KIST" run --rm -p "$((P + 14)):80" $BUSYBOX true
	"$KIST" restart -t 0 kept
	eventually who_outside "$NET.1:$((P + 13))"
	"$KIST" rm -f kept dies
}

@test "the ports follow a container from one network to another" {
	web walker --network inner -p "$((P + 15)):80"
	"$KIST" network connect bridge walker
	eventually who_outside "$NET.1:$((P + 15))"
	"$KIST" network disconnect inner walker
	eventually who_outside "$NET.1:$((P + 15))"
	"$KIST" rm -f walker
}

@test "a thousand ports: one transaction, and the next one costs no more than the first" {
	# Below the range from which the kernel gives others theirs.
	"$KIST" run -d --name thousand -p "31000-31999:1000-1999" $BUSYBOX sleep 60
	[ "$(nft list map inet "kist-$KT_NAME" ports | grep -o 'tcp \. 31[0-9]* :' | wc -l)" = 1000 ]
	[ "$(nft list table inet "kist-$KT_NAME" | grep -c dnat)" = 8 ]
	"$KIST" run --rm -p "$((P + 16)):80" $BUSYBOX true
	"$KIST" rm -f thousand
	[ -z "$(nft list map inet "kist-$KT_NAME" ports | grep elements || true)" ]
}

@test "update --publish-add and --publish-rm: of one that runs, with what is connected; of one that does not; after a restart" {
	web changing -p "$P:80" --network inner
	"$KIST" update --publish-add "$((P + 1)):80" --publish-add "127.0.0.1:$((P + 2)):80" changing
	[ "$(binding changing)" = "80/tcp=0.0.0.0:$P 80/tcp=0.0.0.0:$((P + 1)) 80/tcp=127.0.0.1:$((P + 2))" ]
	[ "$(who_outside "$NET.1:$((P + 1))")" = "changing $NET.2" ]
	[[ "$(who "127.0.0.1:$((P + 2))")" == "changing "* ]]
	run ! who_outside "$NET.1:$((P + 2))"
	# What cannot be changes nothing, not even the half that could.
	run -1 "$KIST" update --publish-rm "$P:80" --publish-add "$((P + 1)):80" changing
	[[ "$output" == *"$((P + 1))"*"already allocated"*changing* ]]
	run -1 "$KIST" update --publish-rm "$((P + 9)):80" changing
	[[ "$output" == *"80/tcp is not published so"* ]]
	run -1 "$KIST" update --publish-add x:80 changing
	[ "${#lines[@]}" -eq 1 ]
	[ "$(who_outside "$NET.1:$P")" = "changing $NET.2" ]
	[ "$("$KIST" inspect changing | python3 -c 'import json,sys; print(sum(len(v) for v in json.load(sys.stdin)[0]["HostConfig"]["PortBindings"].values()))')" = 3 ]
	# A connection that is there ends with its port: what is sent after that does not arrive.
	"$KIST" exec -d changing sh -c 'nc -l -p 99 >/tmp/heard'
	"$KIST" update --publish-add "$((P + 3)):99" changing
	mkfifo "$BATS_TEST_TMPDIR/say"
	ip netns exec "$OUT" python3 -c 'import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=60)
for line in sys.stdin: s.sendall(line.encode())' "$NET.1" "$((P + 3))" <"$BATS_TEST_TMPDIR/say" >/dev/null 2>&1 3>&- &
	client=$!
	exec 9>"$BATS_TEST_TMPDIR/say"
	echo before >&9
	eventually "$KIST" exec changing grep -q before /tmp/heard
	"$KIST" update --publish-rm "$((P + 3)):99" changing
	echo after >&9
	exec 9>&-
	wait "$client" || true
	run ! "$KIST" exec changing grep -q after /tmp/heard
	# The next daemon knows it, and so does the next start.
	"$KIST" update --publish-rm "127.0.0.1:$((P + 2)):80" changing
	kistd_kill9
	kistd_up
	[ "$(binding changing)" = "80/tcp=0.0.0.0:$P 80/tcp=0.0.0.0:$((P + 1))" ]
	[ "$(who_outside "$NET.1:$((P + 1))")" = "changing $NET.2" ]
	"$KIST" update --publish-rm 80 --publish-add "$((P + 4)):80" changing
	[ "$(binding changing)" = "80/tcp=0.0.0.0:$((P + 4))" ]
	run ! who_outside "$NET.1:$P"
	"$KIST" stop -t 0 changing
	"$KIST" update --publish-add "$((P + 5)):80" changing
	"$KIST" start changing
	[ "$(binding changing)" = "80/tcp=0.0.0.0:$((P + 4)) 80/tcp=0.0.0.0:$((P + 5))" ]
	eventually who_outside "$NET.1:$((P + 5))"
	"$KIST" rm -f changing
	"$KIST" run -d --name hosted --network host $BUSYBOX sleep 600
	run -1 "$KIST" update --publish-add "$P:80" hosted
	[[ "$output" == *"network mode host"* ]]
	"$KIST" rm -f hosted
}

@test "port 53 of all addresses: whoever asks from outside reaches the container, a network's containers still ask kist-dns" {
	ss -Hltun 'sport = :53' | grep -Eq '(0\.0\.0\.0|\*|\[::\]):53' && skip "a process of this host has port 53 of all addresses"
	"$KIST" run -d --name resolver -p "$NET.1:53:53" -p "$NET.1:53:53/udp" $BUSYBOX sh -c 'mkdir /www; echo from the container >/www/index.html; exec httpd -f -p 53 -h /www'
	"$KIST" run -d --name asker --network inner $BUSYBOX sleep 600
	gateway=$("$KIST" inspect -f '{{.NetworkSettings.Networks.inner.Gateway}}' asker)
	eventually ip netns exec "$OUT" curl -sf --max-time 10 "http://$NET.1:53/"
	[ "$(ip netns exec "$OUT" curl -sf --max-time 10 "http://$NET.1:53/")" = "from the container" ]
	"$KIST" exec asker nslookup asker | grep -q "^Name:.*asker"
	# The gateway's own: kist-dns has it, and it is said.
	run -125 "$KIST" run --rm -p "$gateway:53:53/udp" $BUSYBOX true
	[[ "$output" == *"$gateway:53"*kist-dns* ]]
	"$KIST" rm -f resolver asker
	# The other way round: the port was there before the names.
	"$KIST" network create --subnet "10.$((64 + $$ / 256 % 64)).0.0/28" later
	"$KIST" network rm inner
	if "$KIST" run -d --name resolver -p 53:53/udp $BUSYBOX sleep 600; then
		"$KIST" run -d --name asker --network later $BUSYBOX sleep 600
		"$KIST" exec asker nslookup asker | grep -q "^Name:.*asker"
		"$KIST" rm -f asker
	fi
	"$KIST" rm -f resolver
	"$KIST" network rm later
	"$KIST" network create inner >/dev/null
}

@test "ports of a container that is on no network that leads outside wait, are not said to be published meanwhile, and come back" {
	"$KIST" network create --internal closed >/dev/null
	web web -p "$P:80" --network inner
	"$KIST" network connect closed web
	"$KIST" network disconnect inner web
	[ -z "$(binding web)" ]
	[ -z "$("$KIST" ps --filter name=web --format '{{.Ports}}' | grep "$P")" ]
	"$KIST" network connect inner web
	[ "$(binding web)" = "80/tcp=0.0.0.0:$P" ]
	[[ "$(who "127.0.0.1:$P")" == "web "* ]]
	# Another one takes the port meanwhile: it keeps it.
	"$KIST" network disconnect inner web
	web other -p "$P:80" --network inner
	"$KIST" network connect inner web
	[ -z "$(binding web)" ]
	[[ "$(who "127.0.0.1:$P")" == "other "* ]]
	"$KIST" rm -f web other
	"$KIST" network rm closed
}
