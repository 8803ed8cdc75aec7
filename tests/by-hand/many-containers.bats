# Three thousand containers on the default network, on as many bridges as that takes, reach each other. Not a part of `make check`: it takes a quarter of an hour and
# 10 GB of memory.
#
#   KIST_BUILD=$PWD/build unshare -m --propagation private bats tests/by-hand/many-containers.bats
#
# KIST_TEST_CONTAINERS=1100 takes fewer. The host is a network namespace of its own; figures are said among the results. The kernel's limits that kistd raises elsewhere
# (docs/internals/networks.md) are to be had in the first network namespace only: here the test raises them, and sets them back at the end.
load ../lib/kist

LIMITS="131072:ipv4/neigh/default/gc_thresh3 65536:ipv4/neigh/default/gc_thresh2 16384:ipv4/neigh/default/gc_thresh1
	131072:ipv6/neigh/default/gc_thresh3 65536:ipv6/neigh/default/gc_thresh2 16384:ipv6/neigh/default/gc_thresh1 65536:core/netdev_max_backlog"

setup_file() {
	export HOST=kt-mc-$$ COUNT=${KIST_TEST_CONTAINERS:-3000}
	ip netns add "$HOST"
	ip -n "$HOST" link set lo up
	export KISTD_WITHIN="nsenter --net=/run/netns/$HOST"
	# The default network gets the whole first pool, a /20, when there is another one.
	kist_start --address-pool 10.63.0.0/16 --ipv6
	for limit in $LIMITS; do
		file=/proc/sys/net/${limit#*:}
		echo "$file $(cat "$file")" >>"$KT_DIR/limits"
		[ "$(cat "$file")" -ge "${limit%:*}" ] || echo "${limit%:*}" >"$file"
	done
}
teardown_file() {
	while read -r file value; do echo "$value" >"$file"; done <"$KT_DIR/limits"
	kist_end
	ip netns del "$HOST" 2>/dev/null || true
}

host() { nsenter --net="/run/netns/$HOST" "$@"; }
say() { echo "# $*" >&3; }
took() { say "$1: $((SECONDS - BEGUN)) s; kistd has $(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$(kistd_pid)/status") kB and $(find "/proc/$(kistd_pid)/fd" | wc -l) descriptors"; BEGUN=$SECONDS; }
bridges() { host ip -o link show type bridge | sed -n 's/^[0-9]*: \([^:@]*\).*/\1/p'; }
on_bridge() { host ip -o link show master "$1" | grep -c ': kv'; }

# From inside of a container, to the addresses on its input: those that do not answer. Several at once, since what is waited for is another process.
probe() { # CONTAINER -4|-6 FILE
	"$KIST" exec -i "$1" xargs -P 8 -n 1 sh -c 'ping '"$2"' -q -c 1 -W 10 "$0" >/dev/null || echo "$0"' <"$3"
}
# The same from each container to one address. They are told by the processes that they are.
probe_from_all() { # ADDRESS
	xargs -P 8 -n 1 sh -c 'nsenter -t "$1" -n ping -q -c 1 -W 10 "$0" >/dev/null || echo "process $1"' "$1" <"$KT_DIR/pids"
}

@test "all are started, reach each other on all bridges, and are gone again" {
	BEGUN=$SECONDS
	seq "$COUNT" | xargs -P 4 -I N "$KIST" run -d --name mN --stop-timeout 0 $BUSYBOX sleep 36000 >/dev/null
	[ "$("$KIST" ps -q | wc -l)" = "$COUNT" ]
	took "$COUNT starts"
	ids=$("$KIST" ps -q)
	"$KIST" inspect -f '{{.NetworkSettings.Networks.bridge.IPAddress}} {{.NetworkSettings.Networks.bridge.GlobalIPv6Address}} {{.State.Pid}} {{.Name}}' $ids >"$KT_DIR/all"
	[ "$(wc -l <"$KT_DIR/all")" = "$COUNT" ]
	cut -d' ' -f1 "$KT_DIR/all" >"$KT_DIR/addresses"
	cut -d' ' -f2 "$KT_DIR/all" >"$KT_DIR/addresses6"
	cut -d' ' -f3 "$KT_DIR/all" >"$KT_DIR/pids"
	[ "$(sort -u "$KT_DIR/addresses" | wc -l)" = "$COUNT" ]
	took "ps and inspect"
	wanted=$(((COUNT + 958) / 959))
	[ "$(bridges | wc -l)" = "$wanted" ]
	for bridge in $(bridges); do say "bridge $bridge: $(on_bridge "$bridge") containers"; done
	# One of each bridge: its end on the host is a port of it.
	host ip -o link | sed -n 's/^\([0-9]*\): kv.* master \([^ ]*\) .*/\1 \2/p' >"$KT_DIR/ports"
	for bridge in $(bridges); do
		index=$(awk -v b="$bridge" '$2 == b { print $1; exit }' "$KT_DIR/ports")
		while read -r address address6 pid name; do
			[ "$(nsenter -t "$pid" -n ip -o link show eth0 | sed 's/.*@if\([0-9]*\):.*/\1/')" != "$index" ] || break
		done <"$KT_DIR/all"
		echo "== from $name on $bridge to all, and back"
		[ -z "$(probe "${name#/}" -4 "$KT_DIR/addresses" | tee /dev/stderr)" ]
		took "from one on $bridge to all $COUNT"
		[ -z "$(probe "${name#/}" -6 "$KT_DIR/addresses6" | tee /dev/stderr)" ]
		took "the same by IPv6"
		[ -z "$(probe_from_all "$address" | tee /dev/stderr)" ]
		took "from all to that one"
	done
	[ -z "$(xargs -P 8 -n 1 sh -c 'nsenter --net="$0" ping -q -c 1 -W 10 "$1" >/dev/null || echo "$1"' "/run/netns/$HOST" <"$KT_DIR/addresses" | tee /dev/stderr)" ]
	took "from the host to all"
	[ -z "$("$KIST" network audit | tee /dev/stderr)" ]
	took "network audit"
	xargs -P 4 -n 50 "$KIST" rm -f <<<"$ids" >/dev/null
	took "$COUNT removed"
	eventually nothing_left
	# A pair that waits for its container (sandbox pool) is a port of nothing.
	no_links() { [ -z "$(host ip -o link | grep -e ' master ' -e ': kb' -e ': kt[0-9a-f]*-' -e ': ku' -e ': kd' | tee "$KT_DIR/left")" ]; }
	eventually no_links || { cat "$KT_DIR/left"; return 1; }
	took "nothing is left"
}
