# shellcheck shell=sh
# boot: systemd
# kistd with native.cgroupdriver=systemd: containers are scopes, whose limits systemd knows; and what is left of them.
. /tests/lib.sh

export KIST_HOST=unix:///run/kist/kist.sock
image=kist.local/busybox

# Slices stay, empty, as long as systemd likes; the test is in a service of its own.
snapshot_all() {
	snapshot 2>/dev/null | grep -v '^cgroup .*\.slice$'
	systemctl list-units --all --no-legend --plain 'kist-*.scope'
}
nothing_left() {
	for _ in $(seq 30); do
		snapshot_all | cmp -s - /tmp/before && return 0
		sleep 0.1
	done
	snapshot_all | diff /tmp/before -
}
afresh() { for id in $(kist ps -aq); do kist rm -f "$id"; done; }
snapshot_all >/tmp/before

start_daemon() { # OPTION...
	kistd --root /var/lib/kist --run-root /run/kist --host $KIST_HOST "$@" >>/tmp/kistd.log 2>&1 &
	eventually curl -sf --unix-socket /run/kist/kist.sock http://kist/_ping || { cat /tmp/kistd.log; return 1; }
}
stop_daemon() {
	kill "$(pidof kistd)"
	gone() { ! pidof kistd; }
	eventually gone
}
systemd_driver="--exec-opt native.cgroupdriver=systemd --add-runtime crun=/bin/crun"
scope_of() { echo "kist-$(kist inspect -f '{{.Id}}' "$1").scope"; }
property() { systemctl show -p "$2" --value "$(scope_of "$1")"; }
# What the kernel has of the container's cgroup; FILE... in one line.
files() { # CONTAINER FILE...
	dir=/sys/fs/cgroup$(property "$1" ControlGroup)
	shift
	(cd "$dir" && cat "$@" | tr '\n' ' ')
}
refused() { # WORDS COMMAND...
	words=$1
	shift
	if "$@" </dev/null >/tmp/refusal 2>&1; then echo "not refused"; return 1; fi
	has "$words" /tmp/refusal
	is "$(wc -l </tmp/refusal)" 1
	rm /tmp/refusal
}

starts() {
	# shellcheck disable=SC2086  # two words
	start_daemon $systemd_driver
	is "$(kist info --format '{{.CgroupDriver}} {{.CgroupVersion}}')" "systemd 2"
}
check "kistd starts, and info says the driver" starts

a_scope() {
	kist run -d --name box $image sleep 100
	is "$(property box ActiveState) $(property box Slice) $(property box Delegate) $(property box ControlGroup)" \
		"active system.slice yes /system.slice/$(scope_of box)"
	is "$(files box cgroup.procs)" "$(kist inspect -f '{{.State.Pid}}' box) "
	is "$(kist exec box cat /proc/self/cgroup)" 0::/
	is "$(kist top box | wc -l)" 2
	is "$(kist inspect -f '{{.HostConfig.CgroupParent}}' box)" system.slice
	kist pause box
	is "$(files box cgroup.freeze)" "1 "
	kist unpause box
	kist stop -t 1 box
	is "$(property box LoadState)" not-found
	kist start box
	is "$(property box ActiveState)" active
	kist restart -t 1 box
	is "$(files box cgroup.procs)" "$(kist inspect -f '{{.State.Pid}}' box) "
	scope=$(scope_of box)
	kist rm -f box
	is "$(systemctl show -p LoadState --value "$scope")" not-found
}
check "a container is a scope of system.slice: exec, top, pause, stop, start, restart, rm" a_scope

slices() {
	kist run -d --name box --cgroup-parent machine-kist.slice $image sleep 100
	is "$(property box ControlGroup)" "/machine.slice/machine-kist.slice/$(scope_of box)"
	is "$(kist inspect -f '{{.HostConfig.CgroupParent}}' box)" machine-kist.slice
	kist rm -f box
	for parent in kist /kist/sub a.slice/b.slice .slice a--b.slice x.service; do
		refused 'cgroup-parent for systemd cgroup should be a valid slice named as "xxx.slice"' kist run --cgroup-parent $parent $image true
	done
	refused 'cgroup-parent for systemd cgroup should be a valid slice' kistd --validate $systemd_driver --cgroup-parent kist
	is "$(kist ps -aq)" ""
}
check "--cgroup-parent is a slice, and nothing else" slices

limits="memory.max memory.low memory.swap.max pids.max cpu.max cpu.weight cpuset.cpus cpuset.mems io.max io.bfq.weight"
limited() {
	while read -r module; do insmod /modules/"$module"; done </modules/late-order
	kist run -d --name box --memory 32m --memory-swap 48m --memory-reservation 16m --pids-limit 20 --cpus 0.2 --cpu-shares 512 --cpuset-cpus 1 --cpuset-mems 0 \
		--blkio-weight 500 --device-write-iops /dev/vda:1000 $image sleep 100
	files box $limits >/tmp/was
	is "$(cat /tmp/was)" "33554432 16777216 16777216 20 20000 100000 20 1 0 254:0 rbps=max wbps=max riops=max wiops=1000 default 500 "
	is "$(property box MemoryMax) $(property box MemoryLow) $(property box MemorySwapMax) $(property box TasksMax) $(property box AllowedCPUs) $(property box CPUWeight) $(property box IOWeight)" \
		"33554432 16777216 16777216 20 1 20 4500"
	is "$(kist exec box cat /sys/fs/cgroup/memory.max)" 33554432
}
check "limits are seen from inside, and are properties" limited

# Which systemd does at each installation of a package.
reloaded() {
	systemctl daemon-reload
	# It makes sure of its scopes' settings when something of them changes.
	systemctl set-property --runtime "$(scope_of box)" CPUWeight=21
	is "$(files box cpu.weight)" "21 "
	systemctl set-property --runtime "$(scope_of box)" CPUWeight=20 IOWeight=4500 MemoryMax=33554432 TasksMax=20
	is "$(files box $limits)" "$(cat /tmp/was)"
	rm /tmp/was
	kist update --memory 40m --memory-swap 60m --pids-limit 30 --cpu-shares 1024 --cpus 0.3 --blkio-weight 50 box
	now=$(files box $limits)
	is "$now" "41943040 16777216 20971520 30 30000 100000 39 1 0 254:0 rbps=max wbps=max riops=max wiops=1000 default 50 "
	is "$(property box MemoryMax) $(property box TasksMax) $(property box CPUWeight) $(property box IOWeight)" "41943040 30 39 50"
	systemctl daemon-reload
	is "$(files box $limits)" "$now"
	kist rm -f box
}
check "daemon-reload and set-property undo none of them, nor those of update" reloaded

devices() {
	kist run -d --name box --userns host --cap-add MKNOD $image sleep 100
	kist exec box mknod /tmp/disk b 254 0
	denied() { kist exec box head -c 1 /tmp/disk >/dev/null 2>/tmp/said && return 1; has "not permitted" /tmp/said; rm /tmp/said; }
	denied
	systemctl daemon-reload
	systemctl set-property --runtime "$(scope_of box)" CPUWeight=21
	denied
	kist exec box sh -c 'echo x >/dev/null'
	kist rm -f box
}
check "devices are denied, also after daemon-reload" devices

ends() {
	kist run -d --name box $image sh -c 'trap "exit 5" TERM; sleep 100 & wait'
	systemctl stop "$(scope_of box)"
	is "$(kist wait box)" 5
	kist rm box
	refused "executable file not found" kist run $image nosuch
	kist rm "$(kist ps -aq)"
	is "$(systemctl list-units --all --no-legend --plain 'kist-*.scope')" ""
	kist run -d --name box --restart on-failure:3 $image false
	three() { is "$(kist inspect -f '{{.RestartCount}} {{.State.Status}}' box)" "3 exited"; }
	eventually three
	kist rm box
}
check "a scope that is stopped, a command that is not there, restarts" ends

# Systemd removes the scope at once when it is empty: before anybody has asked it, if need be before kistd runs again.
memory_out() {
	eat='x=$(head -c 200m /dev/zero | tr "\0" a); echo not reached'
	state() { kist inspect -f '{{.State.OOMKilled}} {{.State.ExitCode}} {{.State.Status}}' "$1"; }
	for round in 1 2 3 4 5 6; do
		kist run -d --name box$round --memory 16m --memory-swap 16m $image sh -c "exec awk 'BEGIN { while (1) { s = s sprintf(\"%1000000s\", \"x\") } }'"
		kist run -d --name other$round --memory 16m $image sleep 100
	done
	for round in 1 2 3 4 5 6; do
		is "$(kist wait box$round)" 137
		is "$(state box$round)" "true 137 exited"
		kist rm box$round
		# Its neighbour was killed for memory, and it was not: by us, and by somebody.
		if [ $((round % 2)) = 0 ]; then kist kill other$round; else kill -9 "$(kist inspect -f '{{.State.Pid}}' other$round)"; fi
		is "$(kist wait other$round)" 137
		is "$(state other$round)" "false 137 exited"
		kist rm other$round
	done
	# One that is killed while the daemon is away, and one whose init lives on.
	kist run -d --name box --memory 16m --memory-swap 16m $image sh -c "sleep 2; $eat"
	kist run -d --name lives --memory 16m --memory-swap 16m $image sh -c "sh -c '$eat'; exit 3"
	kill -9 "$(pidof kistd)"
	sleep 1
	gone_scope() { is "$(systemctl list-units --all --no-legend --plain 'kist-*.scope')" ""; }
	eventually gone_scope
	# shellcheck disable=SC2086  # two words
	start_daemon $systemd_driver
	is "$(state box)" "true 137 exited"
	is "$(state lives)" "true 3 exited"
	kist rm box lives
}
check "OOMKilled is known, also of a scope that systemd has removed" memory_out

other_runtime() {
	kist run -d --name box --runtime crun --memory 32m --pids-limit 20 --cpu-shares 512 $image sleep 100
	is "$(property box ActiveState) $(property box Slice) $(property box ControlGroup)" "active system.slice /system.slice/$(scope_of box)"
	is "$(files box cgroup.procs)" "$(kist inspect -f '{{.State.Pid}}' box) "
	is "$(files box memory.max pids.max cpu.weight)" "33554432 20 20 "
	is "$(property box MemoryMax) $(property box TasksMax)" "33554432 20"
	is "$(kist exec box cat /sys/fs/cgroup/memory.max)" 33554432
	is "$(kist exec box cat /proc/self/cgroup)" 0::/
	kist pause box
	is "$(files box cgroup.freeze)" "1 "
	kist unpause box
	kist update --memory 40m --memory-swap 60m box
	systemctl daemon-reload
	is "$(files box memory.max)" "41943040 "
	kist restart -t 1 box
	is "$(files box cgroup.procs)" "$(kist inspect -f '{{.State.Pid}}' box) "
	kist rm -f box
	status=0
	kist run --rm --runtime crun $image sh -c 'exit 5' || status=$?
	is $status 5
	refused "executable file" kist run --runtime crun $image nosuch
	kist rm "$(kist ps -aq)"
	# systemd notes some time later that one is empty.
	no_scopes() { is "$(systemctl list-units --all --no-legend --plain 'kist-*.scope')" ""; }
	eventually no_scopes
	is "$(ls /run/crun 2>/dev/null)" ""
}
check "another runtime's containers are in our scopes" other_runtime

one_process() {
	kist run --rm --pids-limit 1 $image sh -c '(true) && echo forked' >/tmp/said 2>&1 || true
	has "can't fork" /tmp/said
	rm /tmp/said
	kist run -d --name box --pids-limit 1 $image sleep 100
	is "$(files box pids.max) $(property box TasksMax)" "1  1"
	kist rm -f box
}
check "a limit of one process is one process" one_process

several() {
	for i in 1 2 3 4 5 6; do kist run --rm $image echo $i & done
	wait
	is "$(kist ps -aq)" ""
}
check "several at once" several

other_driver() {
	kist run -d --name box --memory 32m $image sleep 100
	kist run -d --name two --cgroup-parent machine-kist.slice $image sleep 100
	kill -9 "$(pidof kistd)"
	start_daemon
	is "$(kist info --format '{{.CgroupDriver}}')" cgroupfs
	is "$(kist exec box cat /sys/fs/cgroup/memory.max)" 33554432
	kist update --memory 40m --memory-swap 60m box
	is "$(property box MemoryMax)" 41943040
	kist stop -t 1 box two
	is "$(property box LoadState)" not-found
	kist start box
	is "$(property box LoadState)" not-found
	[ -d "/sys/fs/cgroup/kist/$(kist inspect -f '{{.Id}}' box)" ]
	kill -9 "$(pidof kistd)"
	# shellcheck disable=SC2086  # two words
	start_daemon $systemd_driver
	is "$(kist exec box echo lives)" lives
	kist restart -t 1 box
	is "$(property box ActiveState)" active
	kist rm -f box two
}
check "a daemon with the other driver takes over what lives" other_driver

check "kistd ends" stop_daemon

ip link del kist0
nft delete table inet kist
rm -rf /run/kist /var/lib/kist /tmp/kistd.log
rmdir /sys/fs/cgroup/kist
finish
