# shellcheck shell=sh
# boot: apparmor
# AppArmor: profiles of kist-runtime's containers and of the daemon's, by their effect from inside.
. /tests/lib.sh
begin

# A profile under which one file cannot be read.
load() { # NAME
	printf 'profile %s flags=(attach_disconnected) {\n  file,\n  capability,\n  network,\n  signal,\n  deny /secret r,\n}\n' "$1" | apparmor_parser -Kr
}
load vm-box

bundle=/tmp/bundle
mkdir -p $bundle/rootfs/bin
cp /bin/busybox $bundle/rootfs/bin/
for name in sh true cat sleep; do ln -s busybox $bundle/rootfs/bin/$name; done
echo secret >$bundle/rootfs/secret
(cd $bundle && kist-runtime spec)
mv $bundle/config.json /tmp/base.json

rt() { kist-runtime --root /tmp/state "$@"; }
config() { # PROFILE COMMAND...
	profile=$1
	shift
	jq '.process.terminal = false | .linux.cgroupsPath = "/vm/box" | .process.args = $ARGS.positional | .process.apparmorProfile = "'"$profile"'"' \
		/tmp/base.json --args -- "$@" >$bundle/config.json
}
afresh() {
	rt delete --force box 2>/dev/null
	kist rm -f box 2>/dev/null
}

enforced() {
	config vm-box sh -c 'cat /proc/self/attr/current; cat /secret'
	rt run --bundle $bundle box </dev/null >/tmp/out.box 2>&1 3>&- && return 1
	has '^vm-box (enforce)$' /tmp/out.box
	has "'/secret': Permission denied" /tmp/out.box
	config "" sh -c 'cat /proc/self/attr/current /secret'
	rt run --bundle $bundle box </dev/null >/tmp/out.box 2>&1 3>&-
	is "$(tr '\n' ' ' </tmp/out.box)" "unconfined secret "
	rm /tmp/out.box
}
check "process.apparmorProfile is entered, and felt" enforced

exec_profile() {
	config vm-box sleep 100
	rt run --detach --bundle $bundle box </dev/null >/dev/null 2>&1 3>&-
	is "$(rt exec box cat /proc/self/attr/current)" "vm-box (enforce)"
	jq '.process | .args = ["cat", "/proc/self/attr/current"] | del(.apparmorProfile)' $bundle/config.json >/tmp/process.json
	is "$(rt exec --process /tmp/process.json box)" unconfined
	rm /tmp/process.json
	rt delete --force box
}
check "exec: the container's profile, or that of its process object" exec_profile

unknown_profile() {
	config nosuch true
	if rt run --bundle $bundle box </dev/null >/tmp/out.box 2>&1 3>&-; then return 1; fi
	has "process.apparmorProfile" /tmp/out.box
	is "$(wc -l </tmp/out.box)" 1
	rm /tmp/out.box
	is "$(rt list -q)" ""
}
check "a profile that is not loaded is refused, and nothing is left" unknown_profile

export KIST_HOST=unix:///run/kist/kist.sock
image=kist.local/busybox
start_daemon() {
	kistd --root /var/lib/kist --run-root /run/kist --host $KIST_HOST >/tmp/kistd.log 2>&1 &
	eventually curl -sf --unix-socket /run/kist/kist.sock http://kist/_ping || { cat /tmp/kistd.log; return 1; }
	has '^kist-default (enforce)$' /sys/kernel/security/apparmor/profiles
	is "$(curl -s --unix-socket /run/kist/kist.sock http://kist/info | jq -c '.SecurityOptions | index("name=apparmor")')" 0
}
check "kistd loads its default profile" start_daemon

profile_of() { kist run --rm --network none "$@" $image cat /proc/self/attr/current; }
default_profile() {
	kist run -d --network none --name box $image sleep 100
	is "$(cat "/proc/$(kist inspect -f '{{.State.Pid}}' box)/attr/current")" "kist-default (enforce)"
	is "$(kist exec box cat /proc/self/attr/current)" "kist-default (enforce)"
	is "$(kist inspect -f '{{.AppArmorProfile}}' box)" kist-default
	kist kill box
	kist rm -f box
	is "$(profile_of --security-opt apparmor=unconfined)" unconfined
	is "$(profile_of --security-opt apparmor=vm-box)" "vm-box (enforce)"
	is "$(profile_of --privileged)" unconfined
}
check "containers of the daemon: the default, --security-opt apparmor=NAME, unconfined, --privileged" default_profile

# All other fences down.
open_run() { kist run --rm --network none --userns host --cap-add ALL --security-opt seccomp=unconfined --security-opt systempaths=unconfined "$@"; }
default_is_felt() {
	open_run $image sh -c 'echo h >/proc/sysrq-trigger' >/tmp/out.box 2>&1 && return 1
	has "Permission denied" /tmp/out.box
	open_run $image sh -c 'cat /proc/sys/kernel/core_pattern >/proc/sys/kernel/core_pattern' >/tmp/out.box 2>&1 && return 1
	has "Permission denied" /tmp/out.box
	open_run $image mount -t tmpfs x /tmp >/tmp/out.box 2>&1 && return 1
	rm /tmp/out.box
	open_run --security-opt apparmor=unconfined $image sh -c 'echo h >/proc/sysrq-trigger; mount -t tmpfs x /tmp'
}
check "the default profile is felt where all else is given up" default_is_felt

unknown_in_daemon() {
	kist run --rm --network none --security-opt apparmor=nosuch $image true >/tmp/out.box 2>&1 && return 1
	has "apparmor" /tmp/out.box
	rm /tmp/out.box
	is "$(kist ps -aq)" ""
}
check "--security-opt apparmor= of a profile that is not loaded" unknown_in_daemon

stop_daemon() {
	kill "$(pidof kistd)"
	gone() { ! pidof kistd; }
	eventually gone
}
check "kistd ends" stop_daemon

ip link del kist0
nft delete table inet kist
rm -rf /run/kist /var/lib/kist /tmp/kistd.log $bundle /tmp/base.json /tmp/state
rmdir /sys/fs/cgroup/kist /sys/fs/cgroup/vm
finish
