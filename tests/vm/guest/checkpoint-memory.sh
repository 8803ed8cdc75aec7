# shellcheck shell=sh
# boot: checkpoint
# Where the memory of a container goes, and when; and containers with a terminal.
. /tests/lib.sh
begin
# shellcheck source=tests/vm/guest/checkpoint.inc
. /tests/checkpoint.inc

# 4 MB that do not change, until they are told to: to the next letter.
remembering() {
	config . hold memory /tmp
	started
	asked
	is "$(cat $bundle/rootfs/tmp/told)" a
}
remembered() { # LETTER
	rm -f $bundle/rootfs/tmp/told
	asked
	is "$(cat $bundle/rootfs/tmp/told)" "${1:-a}"
}
changed() {
	touch $bundle/rootfs/tmp/again
	eventually [ ! -e $bundle/rootfs/tmp/again ]
}
size_of() { cat "$1"/pages-*.img | wc -c; }
on_disk() { du -k "$1" | awk '{ print $1 }'; }

in_two_steps() {
	remembering
	rt checkpoint --pre-dump --image-path /tmp/first box
	is_state running
	saved --parent-path ../first
	is "$(readlink /tmp/images/parent)" ../first
	echo "$(size_of /tmp/first) bytes, then $(size_of /tmp/images)"
	[ "$(size_of /tmp/first)" -gt 4000000 ]
	[ "$(size_of /tmp/images)" -lt 2000000 ]
	restored
	remembered
	rt delete --force box
	chmod 777 /tmp/first
	if restored; then return 1; fi
	has "images /tmp/images/parent: others may write to it" /tmp/err.box
	ended
}
check "--pre-dump and --parent-path: the second images have what has changed" in_two_steps

without_copies() {
	remembering
	rt checkpoint --pre-dump --image-path /tmp/first box
	saved --parent-path ../first
	n=$(on_disk /tmp/first)
	restored --auto-dedup
	remembered
	echo "$n kB, restored $(on_disk /tmp/first)"
	[ "$(on_disk /tmp/first)" -lt $((n - 2000)) ]
	rm -rf /tmp/first /tmp/images
	rt checkpoint --pre-dump --image-path /tmp/first box
	n=$(on_disk /tmp/first)
	changed
	saved --parent-path ../first --auto-dedup
	echo "$n kB, saved again $(on_disk /tmp/first)"
	[ "$(on_disk /tmp/first)" -lt $((n - 2000)) ]
	restored
	remembered b
	ended
}
check "--auto-dedup: what is restored, or saved once more, is no longer on the disk" without_copies

paused() {
	remembering
	rt pause box
	saved --leave-running
	is_state paused
	rt resume box
	remembered
	rt pause box
	rm -rf /tmp/images
	saved
	if rt state box 2>/dev/null; then return 1; fi
	restored
	is_state running
	remembered
	ended
}
check "a paused container is saved and stays paused; restored, it runs" paused

elsewhere() {
	remembering
	not_saved "cannot checkpoint container box: criu: " --page-server localhost:27000
	remembered
	mkdir -m 700 /tmp/pages
	criu page-server --images-dir /tmp/pages --address 127.0.0.1 --port 27000 --daemon -o /tmp/pages/log --pidfile /tmp/pages/pid
	saved --page-server localhost:27000
	if size_of /tmp/images 2>/dev/null | grep -v '^0$'; then return 1; fi
	is_gone() { [ ! -e "/proc/$(cat /tmp/pages/pid)" ]; }
	eventually is_gone
	[ "$(size_of /tmp/pages)" -gt 4000000 ]
	if restored; then return 1; fi
	mv /tmp/pages/*.img /tmp/images/
	restored
	remembered
	ended
}
check "--page-server: memory goes to another directory by a socket" elsewhere

later() {
	remembering
	mkfifo /tmp/status
	rt checkpoint --image-path /tmp/images --work-path /tmp/pages --lazy-pages --page-server 127.0.0.1:27001 --status-fd 7 box 7>/tmp/status >/tmp/outside 2>&1 &
	saving=$!
	byte=$(head -c 1 /tmp/status | od -An -tx1)
	rm /tmp/status
	[ "$byte" = " 00" ] || { cat /tmp/outside; return 1; }
	kill -0 $saving # it waits until all are fetched
	[ "$(size_of /tmp/images)" -lt 1000000 ]
	mkdir /tmp/kept
	criu lazy-pages --images-dir /tmp/images --work-dir /tmp/kept --page-server --address 127.0.0.1 --port 27001 -o log 2>/tmp/lazy &
	server=$!
	eventually [ -S /tmp/kept/lazy-pages.socket ]
	# What it was must be gone from its cgroup's name before: here it is another container, as on another host.
	status=0
	jq '.linux.cgroupsPath = "/vm/other"' $bundle/config.json >/tmp/lines && cp /tmp/lines $bundle/config.json
	rt restore --detach --bundle $bundle --image-path /tmp/images --work-path /tmp/kept --lazy-pages other </dev/null >/tmp/lines 2>/tmp/err.box 3>&- || status=$?
	[ $status -eq 0 ] || { cat /tmp/err.box; tail -n 20 /tmp/kept/criu.log /tmp/kept/log; return 1; }
	wait $server
	wait $saving
	if rt state box 2>/dev/null; then return 1; fi
	remembered
	rm -f /tmp/lazy
	rt delete --force other
	ended
}
check "--lazy-pages and --status-fd: it runs before its memory is there" later

# What is typed comes out of a fifo; the script of the container answers it.
answers='while read line; do echo "<$line $(tty)>"; done'
on_a_terminal() {
	config '.process.terminal = true' sh -c "$answers"
	mkfifo /tmp/keys
	hold terminal /tmp/socket </tmp/keys >/tmp/lines 2>&1 &
	exec 5>/tmp/keys
	eventually [ -S /tmp/socket ]
	rt run --detach --console-socket /tmp/socket --bundle $bundle box </dev/null 3>&- 5>&-
	echo one >&5
	eventually has "<one /dev/pts/0>" /tmp/lines
	saved
	exec 5>&-
	wait
	rm /tmp/socket
	if restored; then return 1; fi
	has "process.terminal: nobody would hold the terminal: give --console-socket" /tmp/err.box
	hold terminal /tmp/socket </tmp/keys >/tmp/lines 2>&1 &
	exec 5>/tmp/keys
	eventually [ -S /tmp/socket ]
	rt restore --detach --console-socket /tmp/socket --bundle $bundle --image-path /tmp/images box </dev/null 3>&- 5>&-
	echo two >&5
	eventually has "<two /dev/pts/0>" /tmp/lines
	rt delete --force box
	exec 5>&-
	wait
	# With ours, while we wait.
	rt restore --bundle $bundle --image-path /tmp/images box </tmp/keys >/tmp/lines 2>&1 3>&- &
	exec 5>/tmp/keys
	echo three >&5
	eventually has "<three /dev/pts/0>" /tmp/lines
	exec 5>&- # the end of input is typed as such
	wait
	if rt state box 2>/dev/null; then return 1; fi
	rm /tmp/socket /tmp/keys
	ended
}
check "a terminal: the master goes to the console socket, or is ours" on_a_terminal

all_done
