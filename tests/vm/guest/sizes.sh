# shellcheck shell=sh
# Limits of size by project quota, on ext4 and on xfs: they hold, are seen, follow what is copied, outlive the daemon, and are nobody's when their owner is gone.
. /tests/lib.sh
begin
export KIST_HOST=unix:///run/kist/kist.sock
image=kist.local/busybox
disk=/tmp/kist-sizes-disk
root=/var/lib/kist-sizes

start_daemon() { # OPTION...
	KIST_FAULT=${fault:-} ${daemon:-kistd} --root $root --run-root /run/kist --host $KIST_HOST "$@" >/tmp/kistd.log 2>&1 &
	eventually curl -sf --unix-socket /run/kist/kist.sock http://kist/_ping || { cat /tmp/kistd.log; return 1; }
}
is_gone() { ! pidof kistd && ! pidof kistd-faults; }
stop_daemon() {
	kill "$(pidof kistd)"
	eventually is_gone
}
restart_daemon() { # OPTION...
	stop_daemon
	start_daemon "$@"
}

# Every limit that the kernel knows of, but those of projects nobody of us has: "ID USED LIMIT".
limits() { project list $root | awk '$3 > 0'; }
only_the_volume() { [ "$(limits | wc -l)" = 1 ]; }
# shellcheck disable=SC2046  # words on purpose
afresh() {
	kist rm -fv $(kist ps -aq)
	kist volume rm $(kist volume ls -q)
}

fill_until_full() { # CONTAINER FILE: says how many KiB went in
	kist exec "$1" sh -c "dd if=/dev/zero of=$2 bs=64k count=1000 2>/dev/null; sync; du -sk $2 | cut -f1"
}
about() { # KIB OF-KIB: at most that, and not much less
	[ "$1" -le "$2" ] && [ "$1" -ge $(($2 - 1200)) ] || { echo "$1 KiB of $2"; return 1; }
}

container_is_held() {
	kist run -d --name small --storage-opt size=8m $image sleep 1000
	kist run -d --name large $image sleep 1000
	about "$(fill_until_full small /file)" 8192
	kist exec small dd if=/dev/zero of=/another bs=64k count=40 && return 1
	kist exec small rm -f /another
	kist exec large sh -c 'dd if=/dev/zero of=/file bs=64k count=300 2>/dev/null; [ $(stat -c %s /file) = 19660800 ]'
	is "$(kist inspect -f '{{.HostConfig.StorageOpt.size}}' small)" 8m
}

container_sees_it() {
	is "$(kist exec small df -k / | awk 'NR == 2 { print $2 }')" 8192
	[ "$(kist exec small df -k / | awk 'NR == 2 { print $4 }')" -lt 1200 ]
	kist exec small rm /file
	[ "$(kist exec small df -k / | awk 'NR == 2 { print $4 }')" -gt 7000 ]
	[ "$(kist exec large df -k / | awk 'NR == 2 { print $2 }')" -gt 100000 ]
}

renames_and_links() {
	kist exec small sh -c 'cp /etc/group /etc/group.new && mv /etc/group.new /etc/group && ln /etc/group /group && mv /etc/passwd /p && mkdir /a && mv /group /a/ && rm -r /a'
	kist exec small sh -c 'echo x >>/etc/profile; mv /home /house && touch /house/file'
}

nobody_leaves_a_project() {
	for name in small large; do
		kist cp /kist/bin/project $name:/project
		kist exec $name mkdir -p /mine /tmp/theirs
		kist exec $name chown 1000 /tmp/theirs
		# By the one call and by the other, as root of the container and as the owner of the file.
		for way in 'set 4242' flag; do
			kist exec $name /project $way /mine && return 1
			kist exec $name /project $way / && return 1
			kist exec --user 1000 $name /project $way /tmp/theirs && return 1
		done
	done
	kist exec small /project set 0 /mine && return 1
	kist run --rm -v held:/data -v small-tool:/tool $image true
	cp /kist/bin/project $root/volumes/small-tool/_data/
	for way in 'set 0' flag; do
		kist run --rm -v held:/data -v small-tool:/tool $image /tool/project $way /data && return 1
	done
	kist volume rm small-tool
	# The same calls where they are allowed.
	mkdir $root/probe
	project set 4242 $root/probe
	project flag $root/probe
	rmdir $root/probe
}

restart_keeps_it() {
	restart_daemon
	about "$(fill_until_full small /file)" 8192
	kist restart -t 0 small
	kist exec small dd if=/dev/zero of=/another bs=64k count=40 && return 1
	kist exec small rm -f /another
	kist rm -f small large
	eventually only_the_volume
}

volume_is_held() {
	kist volume create -o size=6m held
	is "$(kist volume inspect -f '{{.Options.size}}' held)" 6m
	kist run -d --name box -v held:/data $image sleep 1000
	about "$(fill_until_full box /data/file)" 6144
	# Not df: busybox's takes the first mount of the same disk.
	is "$(($(kist exec box stat -f -c '%b * %S' /data) / 1024))" 6144
	# Its own limit, not the container's.
	kist exec box sh -c 'dd if=/dev/zero of=/file bs=64k count=200 2>/dev/null'
	is "$(kist exec box stat -c %s /file)" 13107200
	kist rm -f box
}

what_is_copied_is_held() {
	kist volume create plain
	kist run --rm -v plain:/data $image sh -c 'dd if=/dev/urandom of=/data/file bs=64k count=80 2>/dev/null'
	kist volume clone -o size=2m plain too-small >/tmp/said 2>&1 && return 1
	grep -qi -e quota -e space /tmp/said
	kist volume clone -o size=7m plain fits
	kist volume export plain >/tmp/kist-plain.tar
	kist volume import -o size=2m import-too-small </tmp/kist-plain.tar && return 1
	kist volume import -o size=7m imported </tmp/kist-plain.tar
	for name in fits imported; do
		kist run --rm -v $name:/data $image sh -c 'dd if=/dev/zero of=/data/more bs=64k count=80 2>/dev/null' && return 1
		kist run --rm -v $name:/data $image sh -c '[ $(stat -c %s /data/file) = 5242880 ]'
	done
	rm /tmp/kist-plain.tar /tmp/said
	is "$(kist volume ls -q | tr '\n' ' ')" "fits held imported plain "
	is "$(limits | wc -l)" 3
	kist volume rm fits imported plain
	is "$(limits | wc -l)" 1
}

by_mount_option() {
	kist run -d --name box --mount type=volume,target=/data,volume-opt=size=3m $image sleep 1000
	about "$(fill_until_full box /data/file)" 3072
	kist rm -fv box
	is "$(limits | wc -l)" 1
}

default_for_all() {
	restart_daemon --storage-opt size=4m
	kist run -d --name box $image sleep 1000
	kist run -d --name other --storage-opt size=5m $image sleep 1000
	about "$(fill_until_full box /file)" 4096
	about "$(fill_until_full other /file)" 5120
	is "$(kist inspect -f '{{.HostConfig.StorageOpt.size}}' box)" 4m
	kist rm -f box other
	echo '{"storage-opts": ["overlay2.size=3m"]}' >/tmp/kistd.json
	restart_daemon --config /tmp/kistd.json
	rm /tmp/kistd.json
	kist run -d --name box $image sleep 1000
	about "$(fill_until_full box /file)" 3072
	kist rm -f box
	restart_daemon
}

is_as_du_says() {
	kist run -d --name box $image sh -c 'dd if=/dev/zero of=/file bs=1000 count=777 2>/dev/null; ln /file /again; truncate -s 50M /hole; mkdir -p /a/b/c; sleep 1000'
	eventually kist exec box test -d /a/b/c
	kist run --rm -v held:/data $image sh -c 'rm -f /data/*; dd if=/dev/zero of=/data/file bs=1000 count=555 2>/dev/null; truncate -s 9M /data/hole; ln /data/file /data/link'
	sync
	id=$(kist inspect -f '{{.Id}}' box)
	curl -s --unix-socket /run/kist/kist.sock http://kist/system/df >/tmp/df
	is "$(jq '.Volumes[] | select(.Name == "held") | .UsageData.Size' /tmp/df)" "$(($(du -sk $root/volumes/held/_data | cut -f1) * 1024))"
	is "$(jq '.Containers[0].SizeRw' /tmp/df)" "$(($(du -sk "$root/containers/$id/upper" | cut -f1) * 1024))"
	rm /tmp/df
	kist rm -f box
}

fault_leaves_nothing() {
	command -v kistd-faults || skip "no kistd-faults was built (make tests)"
	stop_daemon
	for point in size.taken size.volume size.forgotten; do
		daemon=kistd-faults
		fault=$point
		start_daemon
		kist volume create -o size=2m doomed || true
		kist run -d --name doomed --storage-opt size=2m $image sleep 1000 || true
		kist rm -f doomed || true
		kist volume rm doomed || true
		eventually is_gone
		daemon=kistd
		fault=
		start_daemon
		kist rm -f doomed || true
		kist volume rm -f doomed
		is "$(kist ps -aq)" ""
		is "$(limits | wc -l)" 1
		# The name can be had again, without a limit.
		kist volume create doomed
		kist run --rm -v doomed:/data $image sh -c 'dd if=/dev/zero of=/data/file bs=64k count=64 2>/dev/null'
		kist volume rm doomed
		stop_daemon
	done
	start_daemon
}

hand_made_projects_are_left_alone() {
	kist volume create -o size=1m first
	own=$(limits | awk '$3 == 1024 { print $1 }')
	mkdir $root/by-hand
	project set "$((own + 1))" $root/by-hand
	kist volume create -o size=1m second
	is "$(limits | awk '$3 == 1024 { print $1 }' | tr '\n' ' ')" "$own $((own + 2)) "
	kist volume rm first second
	rmdir $root/by-hand
}

changed_by_hand() {
	kist create --name box --storage-opt size=2m $image sleep 1000
	project set 0 "$root/containers/$(kist inspect -f '{{.Id}}' box)/upper"
	kist start box
	about "$(fill_until_full box /file)" 2048
	kist rm -f box
}

refused_without() {
	stop_daemon
	umount $root
	mount -t $fs "$device" $root
	start_daemon
	kist run --rm --storage-opt size=8m $image true >/tmp/said 2>&1 && return 1
	has 'no project quota' /tmp/said
	kist volume create -o size=8m none >/tmp/said 2>&1 && return 1
	has 'no project quota' /tmp/said
	is "$(kist volume ls -q)" held
	# What was to be held, and cannot be, is not taken into use.
	kist run --rm -v held:/data $image true >/tmp/said 2>&1 && return 1
	has 'no project quota' /tmp/said
	kist run --rm $image true
	stop_daemon
	kistd --root $root --run-root /run/kist --host $KIST_HOST --storage-opt size=1m >/tmp/said 2>&1 && return 1
	has 'storage-opts: .*no project quota' /tmp/said
	rm /tmp/said
	start_daemon
	kist volume rm held
}

ends() {
	stop_daemon
	umount $root
	losetup -d "$device"
	rm $disk
}

for fs in ext4 xfs; do
	truncate -s 400M $disk
	mkdir -p $root
	case $fs in
	ext4) mkfs.ext4 -q -O quota,project $disk ;;
	xfs) mkfs.xfs -q $disk ;;
	esac
	device=$(losetup -f)
	losetup "$device" $disk
	mount -t $fs -o prjquota "$device" $root
	check "$fs: kistd starts" start_daemon
	check "$fs: --storage-opt size= holds a container, and no other" container_is_held
	check "$fs: df in it shows the limit, and what is left of it" container_sees_it
	check "$fs: files are renamed and linked as ever" renames_and_links
	check "$fs: a volume of -o size= is held" volume_is_held
	check "$fs: attack: no container changes the project of a file" nobody_leaves_a_project
	check "$fs: the limit outlives the daemon and the container's run, and goes with the container" restart_keeps_it
	check "$fs: clone and import with -o size=" what_is_copied_is_held
	check "$fs: --mount volume-opt=size=" by_mount_option
	check "$fs: --storage-opt of the daemon, and Docker's name for it" default_for_all
	check "$fs: system df says what du says" is_as_du_says
	check "$fs: kill -9 of the daemon leaves no limit behind" fault_leaves_nothing
	check "$fs: a project that somebody else uses is passed over" hand_made_projects_are_left_alone
	check "$fs: what a hand changed is put right by the next start" changed_by_hand
	check "$fs: mounted without prjquota: refused, and why" refused_without
	check "$fs: ends" ends
done

ip link del kist0
nft delete table inet kist
rm -rf /run/kist $root /tmp/kistd.log
rmdir /sys/fs/cgroup/kist
finish
