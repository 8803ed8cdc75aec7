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
	# The default network gets the whole first pool, a /20, when there is another one. Links that are not made ahead have their containers' ids in their names.
	kist_start --address-pool 10.63.0.0/16 --ipv6 --sandbox-pool-size 0
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

# From inside of a container's network namespace, to the addresses on its input: those that do not answer. A few are asked at once, each three times at most.
probe() { # PID FILE
	nsenter -t "$1" -n python3 "$BATS_TEST_DIRNAME/ping-all" <"$2"
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
	ALL='{{.NetworkSettings.Networks.bridge.IPAddress}} {{.NetworkSettings.Networks.bridge.GlobalIPv6Address}} {{.State.Pid}} {{.Name}}'
	"$KIST" inspect -f "$ALL" $ids >"$KT_DIR/all"
	[ "$(wc -l <"$KT_DIR/all")" = "$COUNT" ]
	cut -d' ' -f1 "$KT_DIR/all" >"$KT_DIR/addresses"
	cut -d' ' -f2 "$KT_DIR/all" >"$KT_DIR/addresses6"
	cut -d' ' -f3 "$KT_DIR/all" >"$KT_DIR/pids"
	[ "$(sort -u "$KT_DIR/addresses" | wc -l)" = "$COUNT" ]
	took "ps and inspect"
	wanted=$(((COUNT + 958) / 959))
	[ "$(bridges | wc -l)" = "$wanted" ]
	for bridge in $(bridges); do say "bridge $bridge: $(on_bridge "$bridge") containers"; done
	for bridge in $(bridges); do
		port=$(host ip -o link show master "$bridge" | sed -n 's/^[0-9]*: kv\([0-9a-f]*\).*/\1/p' | head -n 1)
		read -r address address6 pid name <<<"$("$KIST" inspect -f "$ALL" "$port")"
		echo "== from $name on $bridge to all, and back"
		"$KIST" exec "${name#/}" ping -q -c 1 -W 10 "$(tail -n 1 "$KT_DIR/addresses")"
		[ -z "$(probe "$pid" "$KT_DIR/addresses" | tee /dev/stderr)" ]
		took "from one on $bridge to all $COUNT"
		[ -z "$(probe "$pid" "$KT_DIR/addresses6" | tee /dev/stderr)" ]
		took "the same by IPv6"
		[ -z "$(probe_from_all "$address" | tee /dev/stderr)" ]
		took "from all to that one"
	done
	[ -z "$(host python3 "$BATS_TEST_DIRNAME/ping-all" <"$KT_DIR/addresses" | tee /dev/stderr)" ]
	took "from the host to all"
	[ -z "$("$KIST" network audit | tee /dev/stderr)" ]
	took "network audit"
	xargs -P 4 -n 50 "$KIST" rm -f <<<"$ids" >/dev/null
	took "$COUNT removed"
	eventually nothing_left
	no_links() { [ -z "$(host ip -o link | grep -e ' master ' -e ': kb' -e ': kt[0-9a-f]*-' -e ': ku' -e ': kd' | tee "$KT_DIR/left")" ]; }
	eventually no_links || { cat "$KT_DIR/left"; return 1; }
	took "nothing is left"
}
