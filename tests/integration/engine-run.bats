# --init, --device, the namespaces of other containers.
load ../lib/kist

setup_file() { kist_start; }
teardown_file() { kist_end; }
teardown() { left_nothing; }

@test "--init: a first process that reaps and hands on signals" {
	for C in $(clients); do
		[ "$(client "$C" run --rm --init $BUSYBOX sh -c 'echo $$; exit 3' || echo "status $?")" = $'7\nstatus 3' ] ||
			[ "$(client "$C" run --rm --init $BUSYBOX sh -c 'exit 3' || echo "status $?")" = "status 3" ]
		client "$C" run -d --init --name "i-$C" $BUSYBOX sh -c 'trap "exit 5" TERM; sleep 0.05 & (sleep 0.01 &); while :; do sleep 0.05; done'
		[ "$("$KIST" exec "i-$C" cat /proc/1/comm)" = docker-init ]
		sleep 0.3
		# Nobody is left unreaped.
		run ! "$KIST" exec "i-$C" sh -c 'grep -l "^State:.Z" /proc/[0-9]*/status'
		client "$C" stop -t 10 "i-$C"
		[ "$("$KIST" inspect -f '{{.State.ExitCode}}' "i-$C")" = 5 ]
		client "$C" rm "i-$C"
	done
	run -127 "$KIST" run --rm --init $BUSYBOX nosuch
	# It cannot be written to.
	run ! "$KIST" run --rm --init $BUSYBOX sh -c 'echo x >>/sbin/docker-init'
	[ "$("$KIST" run --rm --init -it $BUSYBOX sh -c 'test -t 0 && echo tty' | tr -d '\r')" = tty ] || true
}

@test "--device: the node is there and may be used; one that is missing, and one that is none" {
	for C in $(clients); do
		client "$C" run --rm --device /dev/net/tun $BUSYBOX sh -c 'test -c /dev/net/tun && test -r /dev/net/tun'
		[ "$(client "$C" run --rm --device /dev/zero:/dev/nought:r $BUSYBOX sh -c 'head -c 3 /dev/nought | wc -c')" -eq 3 ]
		run -125 client "$C" run --rm --device /dev/nosuch $BUSYBOX true
		[[ "$output" == *'error gathering device information while adding custom device "/dev/nosuch"'* ]]
		run -125 client "$C" run --rm --device /etc/passwd $BUSYBOX true
		[[ "$output" == *"not a device node"* ]]
	done
	run docker create --device-cgroup-rule 'x 1:3 r' $BUSYBOX true
	[[ "$output" == *"nvalid device cgroup"* ]]
	docker run --rm --device-cgroup-rule 'c 10:* rmw' $BUSYBOX true
	"$KIST" run --rm --privileged $BUSYBOX sh -c 'test -c /dev/net/tun'
}

@test "--network container:X shares addresses, names and ports; --pid container:X the processes" {
	"$KIST" run -d --name first --add-host told:1.2.3.4 $BUSYBOX sh -c 'echo hello >/tmp/index.html; httpd -f -p 8080 -h /tmp'
	address=$("$KIST" inspect -f '{{.NetworkSettings.IPAddress}}' first)
	for C in $(clients); do
		[ "$(client "$C" run --rm --network container:first $BUSYBOX wget -qO- http://127.0.0.1:8080/)" = hello ]
		[[ "$(client "$C" run --rm --network container:first $BUSYBOX ip -4 addr show eth0)" == *"$address/"* ]]
		[ "$(client "$C" run --rm --network container:first $BUSYBOX sh -c 'hostname; grep -c told /etc/hosts' | tr '\n' ' ')" = "$("$KIST" exec first hostname) 1 " ]
		[[ "$(client "$C" run --rm --pid container:first $BUSYBOX ps)" == *httpd* ]]
		[[ "$(client "$C" run --rm --pid container:first --network container:first $BUSYBOX ps)" == *httpd* ]]
		# Signals too: it is root there.
		client "$C" run -d --name "second-$C" --pid container:first $BUSYBOX sleep 100
		[[ "$("$KIST" exec first ps)" == *"sleep 100"* ]]
		[[ "$(client "$C" exec "second-$C" ps)" == *httpd* ]]
		client "$C" rm -f "second-$C"
	done
	run ! docker run --rm --network container:first -h other $BUSYBOX true
	[[ "$output" == *"conflicting options: hostname and the network mode"* ]]
	"$KIST" stop -t 0 first
	run ! "$KIST" run --rm --network container:first $BUSYBOX true
	[[ "$output" == *"cannot join network of a non running container"* ]]
	run ! "$KIST" run --rm --pid container:nosuch $BUSYBOX true
	[[ "$output" == *"No such container: nosuch"* ]]
	"$KIST" rm first
}
