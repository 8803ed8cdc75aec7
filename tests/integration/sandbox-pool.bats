# Sandboxes made ahead (--sandbox-pool-size): what a container that takes one sees, who gets none, and that none is left.
load ../lib/kist

setup_file() { kist_start; }
teardown_file() { kist_end; }
teardown() { left_nothing; }

# A daemon holds the network namespaces that nobody is in yet, and no others.
spare_fds() { find "/proc/$(kistd_pid)/fd" -lname 'net:*' 2>/dev/null; }
spare_namespaces() { spare_fds | xargs -r -n 1 readlink | sort; }
spares() { [ "$(spare_fds | wc -l)" = "$1" ]; }

# The index of the host's end of each.
spare_links() {
	local fd
	for fd in $(spare_fds); do nsenter --net="$fd" ip -o link show eth0 | sed -E 's/^[0-9]+: eth0@if([0-9]+):.*/\1/'; done
}
link_is_there() { ip -o link | grep -q "^$1:"; }
links_are_gone() {
	local link
	for link in "$@"; do ! link_is_there "$link" || return 1; done
}

# A pipe that begins with "!" fails no test.
lacks() { ! grep -qF -- "$1"; }

warm() { # [NUMBER] that wait then
	"$KIST" run --rm $BUSYBOX true
	eventually spares "${1:-2}"
}

namespace_of() { readlink "/proc/$("$KIST" inspect -f '{{.State.Pid}}' "$1")/ns/net"; }
endpoint() { "$KIST" inspect -f "{{.NetworkSettings.Networks.${3:-bridge}.$2}}" "$1"; }

# Is everything as in any other container? NAME [NETWORK]
is_complete() {
	local address gateway first
	address=$(endpoint "$1" IPAddress "${2:-bridge}")
	gateway=$(endpoint "$1" Gateway "${2:-bridge}")
	[ "$("$KIST" exec "$1" ip -o link | wc -l)" = 2 ]
	"$KIST" exec "$1" ip -o link show lo | grep -q "UP"
	"$KIST" exec "$1" ip -o link show eth0 | grep -q "$(endpoint "$1" MacAddress "${2:-bridge}")"
	"$KIST" exec "$1" ip -o address show eth0 | grep -q "inet $address/"
	"$KIST" exec "$1" ip -o address show eth0 | lacks inet6
	"$KIST" exec "$1" ip route | grep -q "default via $gateway dev eth0"
	"$KIST" exec "$1" ping -c 1 -W 5 "$gateway"
	# A range of ids of its own, all of it.
	read -r inside first count <<<"$("$KIST" exec "$1" cat /proc/self/uid_map)"
	[ "$inside $count" = "0 65536" ]
	[ "$first" -ge 1073741824 ]
	[ "$("$KIST" exec "$1" cat /proc/self/uid_map /proc/self/gid_map | tr -s ' ' | sort -u | wc -l)" = 1 ]
	[ "$(stat -c %u "/proc/$("$KIST" inspect -f '{{.State.Pid}}' "$1")")" = "$first" ]
}

@test "none waits before the first start; then each is taken by one container, once" {
	kistd_stop; kistd_up
	spares 0
	"$KIST" run --rm --network none $BUSYBOX true
	spares 0
	warm
	local before links
	before=$(spare_namespaces)
	links=$(spare_links)
	"$KIST" run -d --name taker $BUSYBOX sleep 300
	grep -qF "$(namespace_of taker)" <<<"$before"
	grep -qx "$("$KIST" exec taker cat /sys/class/net/eth0/iflink)" <<<"$links"
	is_complete taker
	first=$("$KIST" exec taker sed -n 's/ *0 *\([0-9]*\) .*/\1/p' /proc/self/uid_map)
	eventually spares 2
	taken=$(namespace_of taker)
	spare_namespaces | lacks "$taken"
	# Another one has other ids, and reaches the first.
	"$KIST" run -d --name second $BUSYBOX sleep 300
	is_complete second
	[ "$("$KIST" exec second sed -n 's/ *0 *\([0-9]*\) .*/\1/p' /proc/self/uid_map)" != "$first" ]
	"$KIST" exec second ping -c 1 -W 5 "$(endpoint taker IPAddress)"
	"$KIST" rm -f taker second
	eventually spares 2
	spare_namespaces | lacks "$taken"
	# The same container, started again: another one.
	"$KIST" run -d --name again $BUSYBOX sleep 300
	was=$(namespace_of again)
	eventually spares 2
	"$KIST" restart -t 0 again
	[ "$(namespace_of again)" != "$was" ]
	is_complete again
	"$KIST" rm -f again
}

@test "networks of the user, with their own MTU and several at once" {
	"$KIST" network create -o com.docker.network.driver.mtu=1400 thin
	"$KIST" network create --internal within
	warm
	before=$(spare_namespaces)
	"$KIST" run -d --name thin-one --network thin --network-alias one $BUSYBOX sleep 300
	grep -qF "$(namespace_of thin-one)" <<<"$before"
	is_complete thin-one thin
	[ "$("$KIST" exec thin-one cat /sys/class/net/eth0/mtu)" = 1400 ]
	index=$("$KIST" exec thin-one cat /sys/class/net/eth0/iflink)
	ip -o link | grep "^$index:" | grep -q "mtu 1400 .*master br-"
	eventually spares 2
	before=$(spare_namespaces)
	"$KIST" create --name both --network thin $BUSYBOX sleep 300
	"$KIST" network connect within both
	"$KIST" start both
	grep -qF "$(namespace_of both)" <<<"$before"
	[ "$("$KIST" exec both ip -o link | grep -c 'eth[01]@')" = 2 ]
	"$KIST" exec both ping -c 1 -W 5 one
	"$KIST" rm -f both thin-one
	"$KIST" network rm thin within
}

@test "who gets none: other namespaces, and no eth0" {
	warm
	local before options
	before=$(spare_namespaces)
	for options in "--network none" "--network host" "--userns host" "--pid host"; do
		# shellcheck disable=SC2086  # words
		"$KIST" run -d --name other $options $BUSYBOX sleep 300
		lacks "$(namespace_of other)" <<<"$before"
		"$KIST" rm -f other
		[ "$(spare_namespaces)" = "$before" ]
	done
	"$KIST" run -d --name named --network name=bridge,driver-opt=com.docker.network.endpoint.ifname=lan0 $BUSYBOX sleep 300
	lacks "$(namespace_of named)" <<<"$before"
	[ "$("$KIST" exec named ip -o link | wc -l)" = 2 ]
	"$KIST" exec named ip -o link show lan0
	[ "$(spare_namespaces)" = "$before" ]
	"$KIST" rm -f named
}

@test "a start that fails gives nothing back and leaves nothing" {
	warm
	before=$(spare_namespaces)
	links=$(spare_links)
	run -127 "$KIST" run --rm $BUSYBOX nosuchcommand
	eventually spares 2
	# One of the two was taken, and is gone.
	[ "$(comm -12 <(echo "$before") <(spare_namespaces) | wc -l)" = 1 ]
	one_is_gone() { [ "$(for link in $links; do link_is_there "$link" && echo x; done | wc -l)" = 1 ]; }
	eventually one_is_gone
	"$KIST" system fsck
	"$KIST" network audit
}

@test "fsck and audit have nothing to say of those that wait; they are on no bridge" {
	warm
	"$KIST" run -d --name runs $BUSYBOX sleep 300
	eventually spares 2
	for link in $(spare_links); do
		ip -o link | grep "^$link:" | grep -q "state DOWN"
		ip -o link | grep "^$link:" | lacks master
	done
	"$KIST" system fsck
	"$KIST" network audit
	[ "$(ip -o link show master "$KT_NAME" | wc -l)" = 1 ]
	# A link that goes is still found to be missing, and one of nobody's to be too much.
	name=$(ip -o link show master "$KT_NAME" | sed -E 's/^[0-9]+: ([^@]+)@.*/\1/')
	ip link del "$name"
	run -1 "$KIST" network audit
	[[ "$output" == *"$name"* ]]
	"$KIST" network audit --fix
	"$KIST" network audit
	is_complete runs
	"$KIST" rm -f runs
}

@test "the bridge was deleted behind our back: the link that waited goes to the new one" {
	warm
	before=$(spare_namespaces)
	ip link del "$KT_NAME"
	"$KIST" run -d --name after $BUSYBOX sleep 300
	grep -qF "$(namespace_of after)" <<<"$before"
	is_complete after
	"$KIST" rm -f after
}

@test "somebody deleted a link that waited: its taker gets another" {
	warm
	for link in $(spare_links); do ip link del "$(ip -o link | sed -n -E "s/^$link: ([^@]+)@.*/\1/p")"; done
	before=$(spare_namespaces)
	"$KIST" run -d --name sound $BUSYBOX sleep 300
	grep -qF "$(namespace_of sound)" <<<"$before"
	is_complete sound
	"$KIST" rm -f sound
	"$KIST" run --rm $BUSYBOX true
	eventually spares 2
}

@test "many at once: some get one, all get a network" {
	warm
	seq 12 | xargs -P 12 -I N "$KIST" run -d --name mN $BUSYBOX sleep 300
	[ "$("$KIST" inspect -f '{{.NetworkSettings.Networks.bridge.IPAddress}}' $(seq -f m%g 12) | sort -u | wc -l)" = 12 ]
	[ "$(for n in $(seq 12); do namespace_of "m$n"; done | sort -u | wc -l)" = 12 ]
	is_complete m1
	is_complete m12
	"$KIST" rm -f $(seq -f m%g 12)
	eventually spares 2
}

@test "the daemon's end: they go with it, and with SIGKILL, too" {
	warm
	local links
	links=$(spare_links)
	[ "$(wc -w <<<"$links")" = 2 ]
	kistd_stop
	# shellcheck disable=SC2086  # words
	links_are_gone $links
	kistd_up
	warm
	links=$(spare_links)
	kistd_kill9
	# shellcheck disable=SC2086  # words
	eventually links_are_gone $links
	kistd_up
	spares 0
	"$KIST" system fsck
}

@test "their number is an option, of the file too; 0: none" {
	kistd_stop; kistd_up --sandbox-pool-size 0
	"$KIST" run -d --name cold $BUSYBOX sleep 300
	"$KIST" run --rm $BUSYBOX true
	is_complete cold
	spares 0
	"$KIST" rm -f cold
	kistd_stop
	echo '{ "sandbox-pool-size": 3 }' >"$KT_DIR/kistd.json"
	kistd_up --config "$KT_DIR/kistd.json"
	warm 3
	kistd_stop
	echo '{ }' >"$KT_DIR/kistd.json"
	run -2 "$BUILD/bin/kistd" --validate --config "$KT_DIR/kistd.json" --root "$KT_DIR/root" --sandbox-pool-size 65
	[[ "$output" == *"--sandbox-pool-size must be from 0 to 64"* ]]
	kistd_up
}
