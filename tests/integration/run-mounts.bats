# What can be mounted into a container, with every option of it: what the container sees, and how it is refused.
load ../lib/kist

setup_file() { kist_start; }
teardown_file() { kist_end; }
teardown() {
	"$KIST" ps -aq | xargs -r "$KIST" rm -f >/dev/null
	curl -s --unix-socket "$KT_DIR/kist.sock" -X POST "http://kist/volumes/prune?filters=%7B%22all%22%3A%5B%22true%22%5D%7D" >/dev/null
	left_nothing
}

inside() { "$KIST" run --rm "$@"; }
refused() { # WORDS ARG...: 125 and one line that has the words
	local words=$1; shift
	run -125 "$KIST" run --rm "$@" $BUSYBOX true
	[ "${#lines[@]}" -eq 1 ] || { echo "not one line: $output" >&2; return 1; }
	[[ "$output" == *"$words"* ]] || { echo "\"$words\" expected: $output" >&2; return 1; }
}
refused_with() { # the same of another client, which says more than one line
	local words=$1; shift
	run -125 docker run --rm "$@" $BUSYBOX true
	[[ "$output" == *"$words"* ]] || { echo "\"$words\" expected: $output" >&2; return 1; }
}
has_clones_of_detached_mounts() { [ "$(printf '%s\n' 6.15 "$(uname -r)" | sort -V | head -n 1)" = 6.15 ]; }

@test "volumes-from: all mounts of another container, read-only where asked" {
	mkdir "$BATS_TEST_TMPDIR/share"
	"$KIST" run --name donor -v data:/data -v /anonymous -v "$BATS_TEST_TMPDIR/share:/share" $BUSYBOX sh -c 'echo d >/data/f; echo a >/anonymous/f; echo s >/share/f'
	for C in $(clients); do
		[ "$(client "$C" run --rm --volumes-from donor $BUSYBOX cat /data/f /anonymous/f /share/f | tr '\n' ' ')" = "d a s " ]
		run ! client "$C" run --rm --volumes-from donor:ro $BUSYBOX touch /data/other
		[[ "$output" == *"Read-only file system"* ]]
		# What it asks for itself goes before.
		[ "$(client "$C" run --rm --volumes-from donor -v other:/data $BUSYBOX ls /data)" = "" ]
	done
	# Those without a name stay for the one that has them still.
	"$KIST" create --name heir --volumes-from donor $BUSYBOX cat /anonymous/f
	"$KIST" rm -v donor
	[ "$("$KIST" start -a heir)" = a ]
	refused "No such container: donor" --volumes-from donor
	refused "invalid mode: odd" --volumes-from heir:odd
}

@test "volume-subpath: a part of a volume, and nothing outside of it" {
	inside -v data:/data $BUSYBOX sh -c 'mkdir -p /data/a/b; echo in >/data/a/b/f; echo file >/data/file; ln -s /etc /data/out; ln -s a/b /data/link; ln -s ../../../../.. /data/up'
	[ "$(inside --mount type=volume,source=data,target=/x,volume-subpath=a/b $BUSYBOX ls /x)" = f ]
	[ "$(inside --mount type=volume,source=data,target=/x/y,volume-subpath=file $BUSYBOX cat /x/y)" = file ]
	[ "$(inside --mount type=volume,source=data,target=/x,volume-subpath=link $BUSYBOX ls /x)" = f ]
	# What points outside of the volume points into it.
	refused "cannot access the sub-path out of data" --mount type=volume,source=data,target=/x,volume-subpath=out
	[ "$(inside --mount type=volume,source=data,target=/x,volume-subpath=up $BUSYBOX ls /x | tr '\n' ' ')" = "a file link out up " ]
	inside --mount type=volume,source=data,target=/x,volume-subpath=a $BUSYBOX touch /x/written
	[ "$(inside -v data:/data $BUSYBOX ls /data/a | tr '\n' ' ')" = "b written " ]
	refused "must be a relative path within the volume" --mount type=volume,source=data,target=/x,volume-subpath=../x
	refused "cannot access the sub-path nosuch of data" --mount type=volume,source=data,target=/x,volume-subpath=nosuch
	[ "$(docker run --rm --mount type=volume,source=data,target=/x,volume-subpath=a/b $BUSYBOX ls /x)" = f ] || [[ "$(docker version -f '{{.Client.Version}}')" == 20.* ]]
}

@test "type=image: the files of an image, read-only" {
	[ "$(inside --mount type=image,source=$BUSYBOX,target=/img $BUSYBOX sh -c 'test -x /img/bin/busybox && stat -c %u /img/bin/busybox')" = 0 ]
	run ! inside --mount type=image,source=$BUSYBOX,target=/img $BUSYBOX touch /img/x
	[[ "$output" == *"Read-only file system"* ]]
	if has_clones_of_detached_mounts; then
		inside --mount type=image,source=$BUSYBOX,target=/img,image-subpath=etc $BUSYBOX test -e /img/passwd
	fi
	inside --privileged --mount type=image,source=$BUSYBOX,target=/img $BUSYBOX test -x /img/bin/busybox
	run -125 "$KIST" run --rm --pull never --mount type=image,source=nosuch,target=/img $BUSYBOX true
	[[ "$output" == *"No such image"* ]]
}

@test "type=image: an image that a container has mounted is not removed, whatever becomes of its name" {
	"$KIST" run --name painter $BUSYBOX sh -c 'echo picture >/art'
	id=$("$KIST" commit painter gallery)
	"$KIST" create --name viewer --mount type=image,source=gallery,target=/img $BUSYBOX cat /img/art
	"$KIST" rm painter
	run ! "$KIST" rmi gallery
	[[ "$output" == *"a container is using its referenced image"* ]]
	run ! "$KIST" rmi "$id"
	"$KIST" image prune -af >/dev/null
	"$KIST" rmi -f gallery
	"$KIST" image inspect "$id" >/dev/null
	[ "$("$KIST" start -a viewer)" = picture ]
	"$KIST" rm viewer
	"$KIST" rmi "$id"
	run ! "$KIST" image inspect "$id"
}

@test "volume-opt type=tmpfs: a volume in memory, shared by those who have it" {
	opts="volume-driver=local,volume-opt=type=tmpfs,volume-opt=device=tmpfs,\"volume-opt=o=size=1m,mode=1770,uid=7\""
	[ "$(inside --mount "type=volume,source=mem,target=/m,$opts" $BUSYBOX sh -c 'stat -c "%a %u" /m; df -k /m | tail -n 1 | awk "{print \$2}"' | tr '\n' ' ')" = "1770 7 1024 " ]
	[ "$(curl -s --unix-socket "$KT_DIR/kist.sock" http://kist/volumes/mem | jq -c .Options)" = '{"type":"tmpfs","device":"tmpfs","o":"size=1m,mode=1770,uid=7"}' ]
	"$KIST" run -d --name first -v mem:/m $BUSYBOX sh -c 'echo shared >/m/f; sleep 100'
	eventually "$KIST" exec first test -s /m/f
	if has_clones_of_detached_mounts; then
		[ "$(inside -v mem:/m $BUSYBOX cat /m/f)" = shared ]
	else
		refused "needs Linux 6.15" -v mem:/m
	fi
	# With the last one that has it its files are gone.
	"$KIST" rm -f first
	[ -z "$(inside -v mem:/m $BUSYBOX ls /m)" ]
	! grep -q "volumes/mem" /proc/self/mountinfo
	[ -z "$(ls "$KT_DIR/root/volumes/mem/_data")" ]
}

@test "volume-opt o=bind: a volume that is a directory of the host; and what is refused" {
	mkdir "$BATS_TEST_TMPDIR/host"
	echo there >"$BATS_TEST_TMPDIR/host/f"
	docker volume create --opt type=none --opt "device=$BATS_TEST_TMPDIR/host" --opt o=bind bound
	[ "$(inside -v bound:/b $BUSYBOX cat /b/f)" = there ]
	inside -v bound:/b $BUSYBOX sh -c 'echo more >/b/g'
	[ "$(stat -c %u "$BATS_TEST_TMPDIR/host/g")" = 0 ]
	docker volume create --opt type=none --opt "device=$BATS_TEST_TMPDIR/host" --opt o=bind,ro bound-ro
	run ! inside -v bound-ro:/b $BUSYBOX touch /b/h
	docker volume create --opt type=none --opt device=/nowhere --opt o=bind lost
	refused "failed to mount local volume: mount /nowhere: No such file or directory" -v lost:/b
	docker volume create --opt type=nosuchfs --opt device=x odd
	refused 'this kernel has no file system "nosuchfs"' -v odd:/b
	docker volume create --opt type=tmpfs --opt device=tmpfs --opt o=nonsense=1 bad
	refused "volume bad: the kernel refuses nonsense=1" -v bad:/b
	run ! docker volume create --opt colour=red
	[[ "$output" == *'invalid option: "colour"'* ]]
	run ! docker volume create --opt size=lots
	[[ "$output" == *'DriverOpts: size: "lots" is not a size'* ]]
	run ! docker volume create --opt size=1k
	[[ "$output" == *'"1k" is not between 64k and 8E'* ]]
	run ! docker volume create --opt size=1g --opt type=tmpfs --opt device=tmpfs
	[[ "$output" == *"o=size=… is for a tmpfs"* ]]
	run ! docker volume create --opt type=tmpfs
	[[ "$output" == *"missing device in volume options"* ]]
	docker volume rm bound bound-ro lost odd bad
	[ "$(cat "$BATS_TEST_TMPDIR/host/f")" = there ]
}

@test "a volume keeps the extended attributes and hard links of the image" {
	command -v setfattr >/dev/null && command -v setfacl >/dev/null || skip "attr and acl are not installed"
	"$KIST" create --name maker $BUSYBOX true
	top=$KT_DIR/made
	mkdir -p "$top/d"
	echo text >"$top/d/one"
	ln "$top/d/one" "$top/d/two"
	setfattr -n user.colour -v red "$top/d/one"
	setcap cap_net_raw+ep "$top/d/one"
	setfacl -m u:1234:r "$top/d" 2>/dev/null || true
	tar -C "$top" --xattrs --xattrs-include='*' --acls -cf "$KT_DIR/made.tar" .
	docker cp - maker:/ <"$KT_DIR/made.tar"
	docker commit maker kt-xattrs
	inside -v filled:/d kt-xattrs true
	at=$KT_DIR/root/volumes/filled/_data
	[ "$(stat -c %h "$at/one")" = 2 ]
	[ "$(stat -c %i "$at/one")" = "$(stat -c %i "$at/two")" ]
	# What the image has, the volume has.
	[ "$(inside kt-xattrs stat -c %h /d/one)" = 2 ]
	if getfattr -n user.colour "$KT_DIR"/root/layers/sha256/*/d/one 2>/dev/null | grep -q red; then
		[ "$(getfattr --only-values -n user.colour "$at/two" 2>/dev/null)" = red ]
	fi
	if getcap "$KT_DIR"/root/layers/sha256/*/d/one | grep -q cap_net_raw; then
		[[ "$(getcap "$at/one")" == *cap_net_raw* ]]
	fi
	"$KIST" rm maker
	"$KIST" rmi kt-xattrs
}

@test "--mount: every key; what is no key of its type" {
	mkdir -p "$BATS_TEST_TMPDIR/a"
	[ "$(inside --mount type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1750 $BUSYBOX stat -c %a /t)" = 1750 ]
	[[ "$(inside --mount type=tmpfs,dst=/t,tmpfs-size=1m $BUSYBOX df -k /t)" == *1024* ]]
	run ! inside --mount type=tmpfs,destination=/t,ro $BUSYBOX touch /t/x
	[ "$(inside --mount "type=bind,src=$BATS_TEST_TMPDIR/a,dst=/a,readonly=false,consistency=cached" $BUSYBOX sh -c 'touch /a/x && echo made')" = made ]
	inside --mount "type=bind,source=$BATS_TEST_TMPDIR/new,target=/a,bind-create-src" $BUSYBOX true
	[ -d "$BATS_TEST_TMPDIR/new" ]
	[ -z "$(inside --mount type=volume,target=/etc,volume-nocopy $BUSYBOX sh -c 'ls /etc/group 2>/dev/null')" ]
	[ -n "$(inside --mount type=volume,target=/etc $BUSYBOX ls /etc/group)" ]
	refused "tmpfs-size is no key of type bind" --mount "type=bind,src=$BATS_TEST_TMPDIR/a,dst=/a,tmpfs-size=1m"
	refused "odd: unknown key" --mount type=tmpfs,dst=/t,odd=1
	refused "target is missing" --mount type=tmpfs
	refused "not a mode such as 1770" --mount type=tmpfs,dst=/t,tmpfs-mode=9
	refused "mount type unknown" --mount type=odd,dst=/t
	refused "needs a swarm" --mount type=cluster,dst=/t
}

@test "bind-propagation, bind-recursive, bind-nonrecursive: what of the mounts below" {
	run unshare -m sh -e <<-SH
		mkdir -p "$BATS_TEST_TMPDIR/top/sub"
		mount -t tmpfs kt-tmpfs "$BATS_TEST_TMPDIR/top/sub"
		touch "$BATS_TEST_TMPDIR/top/sub/below"
		true
	SH
	[ "$status" -eq 0 ]
	# A tree with a mount of its own below it: the host's /dev has /dev/pts or /dev/shm, and / has /proc.
	[ -n "$(inside --userns host --mount type=bind,source=/,target=/h,readonly $BUSYBOX ls /h/proc)" ]
	[ -z "$(inside --userns host --mount type=bind,source=/,target=/h,readonly,bind-nonrecursive $BUSYBOX ls /h/proc)" ]
	[ -z "$(inside --userns host --mount type=bind,source=/,target=/h,readonly,bind-recursive=disabled $BUSYBOX ls /h/proc)" ]
	# Read-only all the way down, unless it is not asked for.
	options() { awk -v at="$1" '$5 == at { print $6 }'; }
	[[ "$(inside --userns host --mount type=bind,source=/,target=/h,readonly $BUSYBOX cat /proc/self/mountinfo | options /h/proc | head -n 1)" == ro* ]]
	[[ "$(inside --userns host --mount type=bind,source=/,target=/h,readonly,bind-recursive=readonly $BUSYBOX cat /proc/self/mountinfo | options /h/proc | head -n 1)" == ro* ]]
	[[ "$(inside --userns host --mount type=bind,source=/,target=/h,readonly,bind-recursive=writable $BUSYBOX cat /proc/self/mountinfo | options /h/proc | head -n 1)" == rw* ]]
	[[ "$(inside --userns host -v /:/h:ro $BUSYBOX cat /proc/self/mountinfo | options /h | head -n 1)" == ro* ]]
	mkdir -p "$BATS_TEST_TMPDIR/p"
	[[ "$(inside --mount "type=bind,source=$BATS_TEST_TMPDIR/p,target=/p,bind-propagation=rshared" $BUSYBOX grep ' /p ' /proc/self/mountinfo)" == *" shared:"* ]]
	[[ "$(inside -v "$BATS_TEST_TMPDIR/p:/p" $BUSYBOX grep ' /p ' /proc/self/mountinfo)" != *" shared:"* ]]
	refused "invalid propagation" --mount "type=bind,source=$BATS_TEST_TMPDIR/p,target=/p,bind-propagation=odd"
	refused "mount options conflict" --mount "type=bind,source=$BATS_TEST_TMPDIR/p,target=/p,bind-recursive=readonly"
}

# A mount of its own that is shared, as a host's are: what is mounted below it later is to be seen or not.
shared_top() {
	mkdir -p "$BATS_TEST_TMPDIR/shared"
	mount -t tmpfs kt-shared "$BATS_TEST_TMPDIR/shared"
	mount --make-shared "$BATS_TEST_TMPDIR/shared"
	mkdir "$BATS_TEST_TMPDIR/shared/late" "$BATS_TEST_TMPDIR/shared/theirs"
}
# The mounts go before their directories do.
take_down() {
	local at
	awk -v top="$BATS_TEST_TMPDIR/shared" 'index($5, top) == 1 { print $5 }' /proc/self/mountinfo | sort -r | while read -r at; do umount "$at"; done
}

@test "rshared, rslave, rprivate: what is mounted later goes in, comes out, or neither" {
	trap take_down EXIT
	for options in "" "--userns host"; do
		shared_top
		top=$BATS_TEST_TMPDIR/shared
		for kind in rshared rslave rprivate shared slave private; do
			# shellcheck disable=SC2086  # words
			"$KIST" run -d --name "$kind" $options --cap-add SYS_ADMIN --security-opt apparmor=unconfined -v "$top:/top:$kind" $BUSYBOX sleep 600
		done
		# From the host into the container.
		mount -t tmpfs kt-late "$top/late"
		touch "$top/late/from-host"
		for kind in rshared rslave shared slave; do
			"$KIST" exec "$kind" test -e /top/late/from-host || { echo "$options: $kind does not see it"; false; }
		done
		for kind in rprivate private; do
			run ! "$KIST" exec "$kind" test -e /top/late/from-host
		done
		# From the container to the host: where the kernel lets it.
		for kind in rslave rprivate; do
			"$KIST" exec "$kind" mount -t tmpfs kt-theirs /top/theirs
			"$KIST" exec "$kind" touch /top/theirs/from-container
			[ ! -e "$top/theirs/from-container" ]
		done
		if [ -n "$options" ]; then
			"$KIST" exec rshared mount -t tmpfs kt-theirs /top/theirs
			"$KIST" exec rshared touch /top/theirs/from-container
			[ -e "$top/theirs/from-container" ]
		fi
		"$KIST" ps -aq | xargs -r "$KIST" rm -f >/dev/null
		take_down
	done
}

@test "a read-only bind mount is so all the way down, as far as was asked" {
	trap take_down EXIT
	shared_top
	top=$BATS_TEST_TMPDIR/shared
	mount -t tmpfs kt-late "$top/late"
	for at in /top/x /top/late/x; do
		run ! inside -v "$top:/top:ro" $BUSYBOX touch "$at"
		[[ "$output" == *"Read-only file system"* ]]
		run ! inside --mount "type=bind,source=$top,target=/top,readonly,bind-recursive=readonly,bind-propagation=rprivate" $BUSYBOX touch "$at"
		[[ "$output" == *"Read-only file system"* ]]
	done
	run ! inside --mount "type=bind,source=$top,target=/top,readonly,bind-recursive=writable" $BUSYBOX touch /top/x
	inside --mount "type=bind,source=$top,target=/top,readonly,bind-recursive=writable" $BUSYBOX touch /top/late/x
	[ -e "$top/late/x" ]
	# Of the mounts below there is nothing, and the directory is read-only.
	run ! inside --mount "type=bind,source=$top,target=/top,readonly,bind-recursive=disabled" $BUSYBOX touch /top/late/y
	take_down
}

@test "idmap: ids of a mount's own" {
	mkdir "$BATS_TEST_TMPDIR/ids"
	touch "$BATS_TEST_TMPDIR/ids/root"
	touch "$BATS_TEST_TMPDIR/ids/five"
	chown 5:6 "$BATS_TEST_TMPDIR/ids/five"
	[ "$(inside -v "$BATS_TEST_TMPDIR/ids:/ids:idmap" $BUSYBOX stat -c %u:%g /ids/root /ids/five | tr '\n' ' ')" = "0:0 5:6 " ]
	[ "$(inside -v "$BATS_TEST_TMPDIR/ids:/ids:idmap=uids=0-1000-1#5-50-10;gids=0-2000-10" $BUSYBOX stat -c %u:%g /ids/root /ids/five | tr '\n' ' ')" = "1000:2000 50:2006 " ]
	inside -u 50:2006 -v "$BATS_TEST_TMPDIR/ids:/ids:idmap=uids=0-1000-1#5-50-10;gids=0-2000-10" $BUSYBOX sh -c 'echo x >/ids/five'
	refused "invalid mode: idmap=odd" -v "$BATS_TEST_TMPDIR/ids:/ids:idmap=odd"
}
