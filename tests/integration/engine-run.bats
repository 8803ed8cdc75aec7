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

@test "--ipc container:X shares queues, semaphores and /dev/shm; who is private is not joined" {
	"$KIST" run -d --name giver --ipc shareable --shm-size 3m $BUSYBOX sh -c 'echo hello >/dev/shm/note; while :; do sleep 1; done'
	"$KIST" run -d --name keeper $BUSYBOX sleep 1000
	for C in $(clients); do
		client "$C" run -d --name "taker-$C" --ipc container:giver $BUSYBOX sh -c 'echo back >/dev/shm/answer; sleep 1000'
		[ "$("$KIST" exec "taker-$C" readlink /proc/self/ns/ipc)" = "$("$KIST" exec giver readlink /proc/self/ns/ipc)" ]
		[ "$("$KIST" exec "taker-$C" cat /dev/shm/note)" = hello ]
		[ "$("$KIST" exec giver cat /dev/shm/answer)" = back ]
		[ "$("$KIST" exec "taker-$C" df -k /dev/shm | awk 'END { print $2 }')" = 3072 ]
		# All else is its own.
		[ "$("$KIST" exec "taker-$C" readlink /proc/self/ns/mnt)" != "$("$KIST" exec giver readlink /proc/self/ns/mnt)" ]
		[ "$("$KIST" inspect -f '{{.HostConfig.IpcMode}}' "taker-$C")" = "container:$("$KIST" inspect -f '{{.Id}}' giver)" ]
		# Whoever joined may be joined.
		[ "$(client "$C" run --rm --ipc "container:taker-$C" $BUSYBOX cat /dev/shm/note)" = hello ]
		client "$C" rm -f "taker-$C"
		run -125 client "$C" run --rm --ipc container:keeper $BUSYBOX true
		[[ "$output" == *"non-shareable IPC (hint: use IpcMode:shareable for the donor container)"* ]]
	done
	[ "$("$KIST" exec giver cat /dev/shm/note)" = hello ] # it lost nothing when they went
	run -125 "$KIST" run --rm --ipc container:nosuch $BUSYBOX true
	[[ "$output" == *"No such container: nosuch"* ]]
	run -125 "$KIST" run --rm --ipc container:giver --sysctl kernel.shm_rmid_forced=1 $BUSYBOX true
	[[ "$output" == *"not allowed in the IPC namespace of another container"* ]]
	# The host's own, from one who lives with the host's ids.
	"$KIST" run -d --name hostly --ipc host $BUSYBOX sleep 1000
	[ "$("$KIST" run --rm --ipc container:hostly $BUSYBOX readlink /proc/self/ns/ipc)" = "$(readlink /proc/self/ns/ipc)" ]
	# A trap: what lies there is a way to somewhere else.
	"$KIST" run -d --name trap --privileged --ipc shareable $BUSYBOX sh -c 'umount /dev/shm && rmdir /dev/shm && ln -s /etc /dev/shm; sleep 1000'
	until "$KIST" exec trap test -L /dev/shm; do sleep 0.1; done
	run -125 "$KIST" run --rm --ipc container:trap $BUSYBOX true
	[[ "$output" == *"can't join IPC of container"*"/dev/shm"* ]]
	"$KIST" stop -t 0 giver
	run -125 "$KIST" run --rm --ipc container:giver $BUSYBOX true
	[[ "$output" == *"cannot join IPC of a non running container"* ]]
	"$KIST" rm -f giver keeper hostly trap
}

@test "--link: the other's address under its alias, its host name and its name; Docker's refusals" {
	"$KIST" network create linked >/dev/null
	"$KIST" run -d --name base -h basement $BUSYBOX sh -c 'echo hello >/tmp/index.html; httpd -f -p 8080 -h /tmp'
	"$KIST" run -d --name other --network linked $BUSYBOX sleep 1000
	address=$("$KIST" inspect -f '{{.NetworkSettings.IPAddress}}' base)
	for C in $(clients); do
		[ "$(client "$C" run --rm --link base:db $BUSYBOX grep -w db /etc/hosts)" = "$address"$'\t'"db basement base" ]
		[ "$(client "$C" run --rm --link base $BUSYBOX grep -w base /etc/hosts)" = "$address"$'\t'"base basement" ]
		[ "$(client "$C" run --rm --link base:db $BUSYBOX wget -qO- http://db:8080/)" = hello ]
		[[ "$(client "$C" run --rm --network linked --link other:mate $BUSYBOX cat /etc/hosts)" == *mate* ]]
		client "$C" create --name "holder-$C" --link base:db $BUSYBOX cat /etc/hosts
		[ "$(client "$C" inspect -f '{{json .HostConfig.Links}}' "holder-$C")" = "[\"/base:/holder-$C/db\"]" ]
		run -125 client "$C" run --rm --network host --link base:db $BUSYBOX true
		[ "$C" != kist ] || [[ "$output" == *"host type networking can't be used with links"* ]] # docker refuses it itself
		run -125 client "$C" run --rm --network container:base --link base:db $BUSYBOX true
		[ "$C" != kist ] || [[ "$output" == *"container type network can't be used with links"* ]]
		run -125 client "$C" run --rm --link nosuch:db $BUSYBOX true
		[[ "$output" == *"could not get container for nosuch: No such container: nosuch"* ]]
		run -125 client "$C" run --rm --link other:db $BUSYBOX true
		[[ "$output" == *"Cannot link to /other, as it does not belong to the default network"* ]]
	done
	run -125 "$KIST" run --rm --link 'base:a b' $BUSYBOX true
	[[ "$output" == *"bad format for links: base:a b"* ]]
	run -125 "$KIST" run --rm --link base:a:b $BUSYBOX true
	[[ "$output" == *"bad format for links: base:a:b"* ]]
	# By its id: it may be called otherwise, and be started anew with another address.
	"$KIST" rename base cellar
	[[ "$("$KIST" start -a holder-kist)" == *"$address"$'\t'"db basement cellar"* ]]
	"$KIST" stop -t 0 cellar
	run ! "$KIST" start holder-kist
	[[ "$output" == *"Cannot link to a non running container: /cellar AS /holder-kist/db"* ]]
	"$KIST" rm cellar
	"$KIST" start holder-kist # the link is gone with it
	eventually is_state holder-kist exited
	for C in $(clients); do "$KIST" rm "holder-$C"; done
	"$KIST" rm -f other
	"$KIST" network rm linked
}
