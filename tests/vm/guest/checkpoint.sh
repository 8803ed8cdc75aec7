# shellcheck shell=sh
# checkpoint and restore with Debian's criu, which runs on this kernel: what counted goes on counting.
. /tests/lib.sh
begin

bundle=/tmp/bundle
mkdir -p $bundle/rootfs/bin $bundle/rootfs/tmp
cp /bin/busybox $bundle/rootfs/bin/
for name in sh true cat sleep; do ln -s busybox $bundle/rootfs/bin/$name; done
(cd $bundle && kist-runtime spec)
mv $bundle/config.json /tmp/base.json
cgroup=/sys/fs/cgroup/vm/box
counter='i=0; while :; do i=$((i + 1)); echo $i >/tmp/count; echo line $i; sleep 0.1; done'

rt() { kist-runtime --root /tmp/state "$@"; }
# Without a network namespace: see docs/internals/oci-callers.md.
config() { # JQ-FILTER COMMAND...
	filter=$1
	shift
	jq '.process.terminal = false | .root.readonly = false | .linux.cgroupsPath = "/vm/box" | .process.args = $ARGS.positional |
		.linux.namespaces |= map(select(.type != "network")) | '"$filter" /tmp/base.json --args -- "$@" >$bundle/config.json
}
started() { rt run --detach --bundle $bundle box </dev/null >/tmp/lines 2>&1 3>&- || { cat /tmp/lines; return 1; }; }
restored() { rt restore --detach --bundle $bundle --image-path /tmp/images "$@" box </dev/null >>/tmp/lines 2>/tmp/err.box 3>&- || { cat /tmp/err.box; return 1; }; }
ended() { rt delete --force box; afresh; }
afresh() { rt delete --force box 2>/dev/null; rm -rf /tmp/outside /tmp/lines /tmp/err.box /tmp/images /tmp/work $bundle/rootfs/tmp/*; }
count() { cat $bundle/rootfs/tmp/count; }
above() { [ "$(count)" -gt "$1" ]; }
is_state() { [ "$(rt state box | jq -r .status)" = "$1" ]; }

counts_on() {
	config '.linux.resources = {memory: {limit: 67108864}}' sh -c "$counter"
	started
	eventually above 5
	rt checkpoint --image-path /tmp/images box
	! rt state box 2>/dev/null
	[ ! -e $cgroup ]
	n=$(count)
	lines=$(wc -l </tmp/lines)
	sleep 0.5
	is "$(count)" "$n" # it has ended
	restored --pid-file /tmp/pid.box
	is "$(cat /tmp/pid.box)" "$(rt state box | jq .pid)"
	rm /tmp/pid.box
	is_state running
	eventually above $((n + 3))
	[ "$(count)" -lt $((n + 1000)) ]
	# It writes to what is our standard output now, has the limits of the config, and is in no other cgroup.
	more() { [ "$(wc -l </tmp/lines)" -gt "$lines" ]; }
	eventually more
	is "$(cat $cgroup/memory.max)" 67108864
	is "$(cat "/proc/$(rt state box | jq .pid)/cgroup")" 0::/vm/box
	is "$(rt exec box /bin/cat /proc/1/comm)" sh
	rt kill box KILL
	eventually is_state stopped
	ended
}
check "a counter goes on counting after checkpoint and restore" counts_on

leaves_running() {
	# A file as its output must not grow meanwhile: criu looks at the size.
	config . sh -c "i=0; while :; do i=\$((i + 1)); echo \$i >/tmp/count; sleep 0.1; done"
	started
	eventually above 3
	rt checkpoint --leave-running --image-path /tmp/images --work-path /tmp/work box
	is_state running
	[ -s /tmp/work/criu.log ]
	n=$(count)
	eventually above "$n"
	rt delete --force box
	restored
	eventually above $((n + 2))
	ended
}
check "--leave-running: it goes on, and the images are good; --work-path keeps the log" leaves_running

in_the_foreground() {
	config . sh -c 'i=0; while [ $i -lt 40 ]; do i=$((i + 1)); echo $i >/tmp/count; sleep 0.1; done; exit 7'
	started
	eventually above 3
	rt checkpoint --image-path /tmp/images box
	status=0
	rt restore --bundle $bundle --image-path /tmp/images box </dev/null >>/tmp/lines 2>&1 || status=$?
	is $status 7
	is "$(count)" 40
	! rt state box 2>/dev/null
	afresh
}
check "restore waits, and its exit status is the container's" in_the_foreground

binds() {
	mkdir -p /tmp/outside
	config '.mounts += [{destination: "/tmp/in", type: "bind", source: "/tmp/outside", options: ["bind"]}]' \
		sh -c 'i=0; while :; do i=$((i + 1)); echo $i >/tmp/in/count; sleep 0.1; done'
	started
	eventually test -s /tmp/outside/count
	rt checkpoint --image-path /tmp/images box
	rm /tmp/outside/count
	restored
	eventually test -s /tmp/outside/count
	ended
}
check "what was mounted from outside is again" binds

refusals() {
	config . sh -c "$counter"
	started
	eventually above 1
	rt checkpoint --image-path /tmp/images box
	cp $bundle/config.json /tmp/good.json
	mv /tmp/images/pstree.img /tmp/pstree.img
	if restored; then echo "taken"; return 1; fi
	is "$(wc -l </tmp/err.box)" 1
	has "cannot restore container box: criu: " /tmp/err.box
	[ ! -e $cgroup ]
	! rt state box 2>/dev/null
	ln -s /tmp/pstree.img /tmp/images/pstree.img
	if restored; then echo "taken"; return 1; fi
	has "images /tmp/images/pstree.img: not a regular file" /tmp/err.box
	rm -f /tmp/images/pstree.img /tmp/pstree.img /tmp/good.json
	afresh
}
check "images that lack one, or have a link, are refused, and nothing is left" refusals

rm -rf $bundle /tmp/base.json /tmp/state
rmdir /sys/fs/cgroup/vm
finish
