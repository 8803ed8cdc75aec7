# For tests of networks: load it after kist. A file whose host is a network namespace has switches and fixed subnets for itself; the world outside is another one.

# HOST, which kistd is then started in.
host_begin() { # NAME
	export HOST=kt-$1-$$
	ip netns add "$HOST"
	ip -n "$HOST" link set lo up
	export KISTD_WITHIN="nsenter --net=/run/netns/$HOST"
}
# OUT: a host beside it. HOST's up0 is PREFIX.1, OUT's eth0 PREFIX.2, both of a /24; with PREFIX6 ::1 and ::2 as well. What is not of these OUT sends to HOST.
outside_begin() { # NAME PREFIX [PREFIX6]
	export OUT=kt-$1o-$$
	local end namespace link i
	ip netns add "$OUT"
	ip -n "$OUT" link set lo up
	ip -n "$HOST" link add up0 type veth peer name eth0 netns "$OUT"
	for end in "$HOST up0 1" "$OUT eth0 2"; do
		read -r namespace link i <<<"$end"
		ip -n "$namespace" addr add "$2.$i/24" dev "$link"
		[ -z "${3:-}" ] || ip -n "$namespace" addr add "$3::$i/64" dev "$link" nodad
		ip -n "$namespace" link set "$link" up
	done
	ip -n "$OUT" route add default via "$2.1"
	[ -z "${3:-}" ] || ip -n "$OUT" -6 route add default via "$3::1"
}
hosts_end() {
	local namespace
	for namespace in "$HOST" "${OUT:-}"; do
		[ -z "$namespace" ] || ip netns del "$namespace" 2>/dev/null || true
	done
}

host() { nsenter --net="/run/netns/$HOST" "$@"; }
outside() { nsenter --net="/run/netns/$OUT" "$@"; }
# Where the kernel shows bridged packets to the firewall (br_netfilter), and where it does not: 1, 0.
bridge_filter() {
	local f
	for f in iptables ip6tables; do
		! host test -e "/proc/sys/net/bridge/bridge-nf-call-$f" || host sh -c "echo $1 >/proc/sys/net/bridge/bridge-nf-call-$f"
	done
}

inside() { # CONTAINER COMMAND...: in its network namespace only, with this host's tools
	local pid
	pid=$("$KIST" inspect -f '{{.State.Pid}}' "$1")
	nsenter -t "$pid" -n "${@:2}"
}
# A container whose /cgi-bin/who on port 80 answers "NAME ADDRESS": of who asks, as busybox writes it.
web() { # NAME OPTION...
	local name=$1
	shift
	"$KIST" run -d --name "$name" "$@" $BUSYBOX sh -c "mkdir -p /www/cgi-bin; printf '#!/bin/sh\necho; echo $name \$REMOTE_ADDR\n' >/www/cgi-bin/who; chmod +x /www/cgi-bin/who; exec httpd -f -p 80 -h /www"
	eventually "$KIST" exec "$name" wget -qO- http://127.0.0.1/cgi-bin/who
}
