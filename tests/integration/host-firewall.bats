# Debian's ufw on the host: what it drops stays dropped, and what it is told to let through comes through. The host of this file is a network namespace, and ufw's files are a copy.
load ../lib/kist
load ../lib/hosts

set -o pipefail
setup_file() {
	host_begin hf
	outside_begin hf 10.72.0
	bridge_filter 0
	kist_start
	"$KIST" network create --subnet 10.72.1.0/24 -o "com.docker.network.bridge.name=kth$$" front
	export BRIDGE=kth$$ MISSING
	fetch_ufw || MISSING="Debian's package ufw cannot be had"
	[ -n "$MISSING" ] || cp -r "$BUILD/fixtures/ufw" "$KT_DIR/ufw"
}
teardown_file() {
	kist_end
	hosts_end
}
setup() { [ -z "$MISSING" ] || skip "$MISSING"; }
teardown() {
	[ ! -f "$KT_DIR/server" ] || kill "$(cat "$KT_DIR/server")" 2>/dev/null || true
	[ -n "$MISSING" ] || ufw disable
	left_nothing
}

# Unpacked, and not installed: its rules are where the package's installation would have copied them. Kept under build/.
fetch_ufw() {
	local work=$KT_DIR/fetched
	[ ! -d "$BUILD/fixtures/ufw" ] || return 0
	mkdir -p "$work" "$BUILD/fixtures"
	(cd "$work" && timeout 120 apt-get -q download ufw && dpkg-deb -x ufw_*.deb ufw) >"$KT_DIR/fetch.log" 2>&1 || return 1
	cp "$work/ufw/usr/share/ufw/iptables"/*.rules "$work/ufw/usr/share/ufw/ufw.conf" "$work/ufw/etc/ufw/"
	mv "$work/ufw" "$BUILD/fixtures/ufw"
}

ufw() {
	local work=$KT_DIR/fetched
	[ ! -d "$BUILD/fixtures/ufw" ] || return 0
	mkdir -p "$work" "$BUILD/fixtures"
	(cd "$work" && timeout 120 apt-get -q download ufw && dpkg-deb -x ufw_*.deb ufw) >"$KT_DIR/fetch.log" 2>&1 || return 1
	cp "$work/ufw/usr/share/ufw/iptables"/*.rules "$work/ufw/usr/share/ufw/ufw.conf" "$work/ufw/etc/ufw/"
	mv "$work/ufw" "$BUILD/fixtures/ufw"
}

host() { nsenter --net="/run/netns/$HOST" "$@"; }
outside() { nsenter --net="/run/netns/$OUT" "$@"; }
# Where the kernel shows bridged packets to the firewall (br_netfilter), and where it does not: 1, 0.
bridge_filter() {
	local f=/proc/sys/net/bridge/bridge-nf-call-iptables
	! host test -e $f || host sh -c "echo $1 >$f"
}
ufw() { host env PYTHONPATH="$KT_DIR/ufw/usr/lib/python3/dist-packages" python3 "$KT_DIR/ufw/usr/sbin/ufw" --rootdir="$KT_DIR/ufw" --datadir="$KT_DIR/ufw" "$@"; }

who() { "$1" curl -sf --max-time "${3:-15}" "http://$2/cgi-bin/who" | sed 's/\[::ffff:\([0-9.]*\)\].*/\1/; s/::ffff://'; } # host|outside ADDRESS:PORT

@test "ufw: a published port is not reached from outside before ufw lets it, whatever kistd does meanwhile" {
	web web --network front -p 8080:80
	[ "$(who outside 10.72.0.1:8080)" = "web 10.72.0.2" ]
	ufw --force enable
	run ! who outside 10.72.0.1:8080 2
	# A start of a container, our own table put in place anew, another daemon.
	web other --network front -p 8081:80
	run ! who outside 10.72.0.1:8081 2
	host nft delete table inet "kist-$KT_NAME"
	"$KIST" run --rm --network front $BUSYBOX true
	run ! who outside 10.72.0.1:8080 2
	kistd_kill9
	kistd_up
	"$KIST" network audit
	run ! who outside 10.72.0.1:8080 2
	# The host itself and the neighbours were never its guests.
	[[ "$(who host 10.72.0.1:8080)" == "web "* ]]
	[[ "$("$KIST" exec other timeout 15 wget -qO- http://10.72.1.2/cgi-bin/who)" == "web "* ]]
	# One of them by its own rule: of the container's address and port, since it is forwarded.
	ufw route allow proto tcp from any to 10.72.1.2 port 80
	[ "$(who outside 10.72.0.1:8080)" = "web 10.72.0.2" ]
	run ! who outside 10.72.0.1:8081 2
	ufw route delete allow proto tcp from any to 10.72.1.2 port 80
	run ! who outside 10.72.0.1:8080 2
	ufw disable
	[ "$(who outside 10.72.0.1:8081)" = "other 10.72.0.2" ]
	"$KIST" rm -f web other
}

@test "ufw: the way out and names of containers are let through by a rule each" {
	"$KIST" run -d --name inner --network front $BUSYBOX sleep 600
	outside timeout 120 python3 -m http.server --bind 10.72.0.2 8090 >/dev/null 2>&1 3>&- &
	echo $! >"$KT_DIR/server"
	address=$("$KIST" inspect -f '{{.NetworkSettings.Networks.front.IPAddress}}' inner)
	reaches() { "$KIST" exec inner timeout "$1" wget -qO- http://10.72.0.2:8090/ >/dev/null; }
	named() { "$KIST" exec inner timeout "$1" nslookup inner 10.72.1.1 | grep -q "Address.* $address\$"; }
	eventually reaches 5
	named 15
	ufw --force enable
	run ! reaches 2
	run ! named 2
	ufw route allow in on "$BRIDGE"
	reaches 15
	ufw allow in on "$BRIDGE" to any port 53
	named 15
	ufw disable
	"$KIST" rm -f inner
}
