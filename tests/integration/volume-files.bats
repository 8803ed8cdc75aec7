# volume export, import, clone, snapshot: what is in them, who may be at work meanwhile, and file systems that let files share blocks.
load ../lib/kist

setup_file() { kist_start; }
teardown_file() { kist_end; }
teardown() {
	left_nothing
	"$KIST" volume prune -af >/dev/null
	[ -z "$(ls -A "$KT_DIR/root/volumes")" ]
}

data_of() { echo "$KT_DIR/root/volumes/$1/_data"; }
# Everything that a copy has to keep, one line per file.
listing() {
	(cd "$1" && find . -printf '%P %y %m %U:%G %n %l %s %T@\n' | grep -v ' d ' | sort && find . -type d -printf '%P %m %U:%G %T@\n' | sort &&
		find . -type f -print0 | sort -z | xargs -0 sha256sum && getfattr -R -d -m - . 2>/dev/null && getcap -r .)
}
# A volume with all kinds of files.
filled() { # NAME
	local d
	"$KIST" volume create "$1" >/dev/null
	d=$(data_of "$1")
	mkdir -p "$d/dir/deep"
	echo one >"$d/file" && ln "$d/file" "$d/dir/second-name" && ln "$d/file" "$d/dir/deep/third-name"
	echo secret >"$d/dir/secret" && chown 70:71 "$d/dir/secret" && chmod 4710 "$d/dir/secret"
	ln -s /etc/passwd "$d/dir/link" && ln -s ../file "$d/dir/relative" && mkfifo "$d/dir/fifo" && chown 3:4 "$d/dir/fifo" && chmod 6640 "$d/dir/fifo"
	chown 5:6 "$d" && chmod 1770 "$d" && chown 8:9 "$d/dir/deep"
	setfattr -n user.colour -v blue "$d/file" && setfattr -n user.of -v directory "$d/dir"
	cp "$(command -v busybox)" "$d/dir/server" && setcap cap_net_bind_service=ep "$d/dir/server"
	truncate -s 64M "$d/sparse" && printf middle | dd of="$d/sparse" bs=1 seek=33554432 conv=notrunc status=none
	printf 'x%.0s' $(seq 300) >"$d/$(printf 'n%.0s' $(seq 200))"
	touch -d '2001-02-03 04:05:06' "$d/file" "$d/dir" && touch -d '2002-01-01' "$d"
}

@test "export and import: owners, modes, times, links, attributes, capabilities; holes stay holes" {
	filled source
	"$KIST" volume export -o "$BATS_TEST_TMPDIR/a.tar" source
	[ "$(stat -c %s "$BATS_TEST_TMPDIR/a.tar")" -lt 8000000 ]
	[ "$("$KIST" volume import --label tier=db target "$BATS_TEST_TMPDIR/a.tar")" = target ]
	diff <(listing "$(data_of source)") <(listing "$(data_of target)")
	[ "$(du -s --block-size=1 "$(data_of target)/sparse" | cut -f1)" -lt 1000000 ]
	[ "$("$KIST" volume ls -q --filter label=tier=db)" = target ]
	# GNU tar reads it and writes what is read.
	mkdir "$BATS_TEST_TMPDIR/tar"
	tar -C "$BATS_TEST_TMPDIR/tar" --xattrs --xattrs-include='*' --numeric-owner -xpf "$BATS_TEST_TMPDIR/a.tar"
	diff <(listing "$(data_of source)") <(listing "$BATS_TEST_TMPDIR/tar")
	tar -C "$BATS_TEST_TMPDIR/tar" --sort=name --numeric-owner --xattrs --xattrs-include='*' -czf - . | "$KIST" volume import again
	diff <(listing "$(data_of source)" | sed 's/\.0*$//;s/\.[0-9]*$//') <(listing "$(data_of again)" | sed 's/\.0*$//;s/\.[0-9]*$//')
	# In a container, root owns what root owns.
	[ "$("$KIST" run --rm -v target:/v $BUSYBOX stat -c %u:%g /v/file /v/dir/secret | tr '\n' ' ')" = "0:0 70:71 " ]
	zstd -q "$BATS_TEST_TMPDIR/a.tar" -o "$BATS_TEST_TMPDIR/a.zst"
	"$KIST" volume import packed - <"$BATS_TEST_TMPDIR/a.zst"
	diff <(listing "$(data_of source)") <(listing "$(data_of packed)")
}

@test "import: a name that is taken, bad names, archives that are none; nothing is left of them" {
	"$KIST" volume create there
	run -1 "$KIST" volume import there </dev/null
	[[ "$output" == *"volume there is there already"* ]]
	run -1 "$KIST" volume import .up </dev/null
	[[ "$output" == *"is not a volume name"* ]]
	run -1 "$KIST" volume import broken <<<"this is no archive, and it is long enough not to be taken for an empty one"
	tar -C /usr -cf "$BATS_TEST_TMPDIR/a.tar" bin/env lib/os-release
	head -c 5000 "$BATS_TEST_TMPDIR/a.tar" >"$BATS_TEST_TMPDIR/cut.tar"
	run -1 "$KIST" volume import broken "$BATS_TEST_TMPDIR/cut.tar"
	run -1 "$KIST" volume import broken "$BATS_TEST_TMPDIR/nosuch.tar"
	[[ "$output" == *nosuch.tar*"No such file"* ]]
	[ "$("$KIST" volume ls -q)" = there ]
	[ "$(ls -A "$KT_DIR/root/volumes")" = there ]
	run -1 "$KIST" volume export nosuch -o "$BATS_TEST_TMPDIR/none.tar"
	[[ "$output" == *"nosuch"* ]]
	[ ! -e "$BATS_TEST_TMPDIR/none.tar" ]
	run -1 "$KIST" volume clone there
	run -1 "$KIST" volume clone nosuch new
	run -1 "$KIST" volume clone there there
	[[ "$output" == *"being"* || "$output" == *"there already"* ]]
	run -1 "$KIST" volume import -o colour=red other "$BATS_TEST_TMPDIR/a.tar"
	[[ "$output" == *colour* ]]
	[ "$("$KIST" volume ls -q)" = there ]
}

@test "clone and snapshot: the same files, and from then on two volumes; a snapshot is read-only" {
	filled source
	[ "$("$KIST" volume clone --label a=b source twin 2>"$BATS_TEST_TMPDIR/said")" = twin ]
	diff <(listing "$(data_of source)") <(listing "$(data_of twin)")
	[ "$(du -s --block-size=1 "$(data_of twin)/sparse" | cut -f1)" -lt 1000000 ]
	grep -qE 'copied|share' "$BATS_TEST_TMPDIR/said"
	[ "$("$KIST" volume inspect -f '{{.Labels.a}}' twin)" = b ]
	"$KIST" run --rm -v twin:/v $BUSYBOX sh -c 'echo changed >/v/file'
	[ "$(cat "$(data_of source)/file")" = one ]
	name=$("$KIST" volume snapshot -q source)
	[[ "$name" == source-2[0-9][0-9][0-9]* ]]
	[ "$("$KIST" volume snapshot -q source fixed)" = fixed ]
	diff <(listing "$(data_of source)") <(listing "$(data_of fixed)")
	[ "$("$KIST" volume inspect -f '{{index .Options "snapshot-of"}}' fixed)" = source ]
	run -125 "$KIST" run --rm -v fixed:/v $BUSYBOX true
	[[ "$output" == *"volume fixed is a snapshot"* ]]
	[ "$("$KIST" run --rm -v fixed:/v:ro $BUSYBOX cat /v/file)" = one ]
	"$KIST" volume clone -q fixed back
	"$KIST" run --rm -v back:/v $BUSYBOX sh -c 'echo new >/v/file'
	# It is not to be had by saying so.
	run -1 "$KIST" volume create -o snapshot-of=source false
	[[ "$output" == *snapshot-of* ]]
	kistd_kill9
	kistd_up
	run -125 "$KIST" run --rm -v fixed:/v $BUSYBOX true
}

@test "a volume that somebody may write to is refused; one that is paused, stopped or reads only is not" {
	"$KIST" run -d --name writer -v data:/v $BUSYBOX sh -c 'i=0; while :; do echo $((i=i+1)) >/v/n; done'
	for what in "export data" "clone data twin" "snapshot data"; do
		# shellcheck disable=SC2086  # words
		run -1 "$KIST" volume $what
		[[ "$output" == *"volume data is in use by container writer"*"stop or pause"* ]]
	done
	[ "$("$KIST" volume ls -q)" = data ]
	"$KIST" pause writer
	"$KIST" volume clone -q data twin
	cmp "$(data_of data)/n" "$(data_of twin)/n"
	"$KIST" unpause writer
	"$KIST" rm -f writer
	"$KIST" run -d --name reader -v data:/v:ro $BUSYBOX sleep 1000
	"$KIST" volume clone -q data third
	"$KIST" rm -f reader
}

@test "while it is copied, nobody begins to write to it, goes on writing, or removes it" {
	"$KIST" volume create data
	dd if=/dev/urandom of="$(data_of data)/big" bs=1M count=8 status=none
	"$KIST" create --name later -v data:/v $BUSYBOX true
	"$KIST" run -d --name frozen -v data:/v $BUSYBOX sleep 1000
	"$KIST" pause frozen
	# The reader takes nothing: the export waits for it.
	mkfifo "$BATS_TEST_TMPDIR/pipe"
	"$KIST" volume export data >"$BATS_TEST_TMPDIR/pipe" 3>&- &
	export_pid=$!
	exec 7<"$BATS_TEST_TMPDIR/pipe"
	head -c 512 <&7 >/dev/null
	run ! "$KIST" start later
	[[ "$output" == *"volume data is being copied"* ]]
	run ! "$KIST" unpause frozen
	[[ "$output" == *"volume data is being copied"* ]]
	run ! "$KIST" stop -t 10 frozen
	run ! "$KIST" volume rm -f data
	"$KIST" run --rm -v data:/v:ro $BUSYBOX ls /v
	cat <&7 >/dev/null
	exec 7<&-
	wait $export_pid
	free() { "$KIST" unpause frozen; }
	eventually free
	"$KIST" start -a later
	# A reader that goes away ends it, too.
	"$KIST" rm -f frozen later
	"$KIST" volume export data 3>&- | head -c 512 >/dev/null
	removed() { "$KIST" volume rm data; }
	eventually removed
}

@test "volumes with a file system of their own, and in memory" {
	mkdir "$BATS_TEST_TMPDIR/host"
	echo there >"$BATS_TEST_TMPDIR/host/file"
	"$KIST" volume create -o type=none -o o=bind -o "device=$BATS_TEST_TMPDIR/host" bound
	"$KIST" volume export bound | tar -xO ./file | grep -qx there
	"$KIST" volume clone -q bound own
	[ "$(cat "$(data_of own)/file")" = there ]
	"$KIST" volume create -o type=tmpfs -o device=tmpfs memory
	run -1 "$KIST" volume export memory -o "$BATS_TEST_TMPDIR/x.tar"
	[[ "$output" == *"volume memory is a file system in memory"* ]]
	run -1 "$KIST" volume clone -o type=tmpfs -o device=tmpfs bound other
	[[ "$output" == *"becomes a directory"* ]]
}

# On a file system of its own, made here.
on_loop() { # TYPE MKFS-OPTION...
	local type=$1
	shift
	command -v "mkfs.$type" >/dev/null || skip "mkfs.$type is not installed"
	grep -qw "$type" /proc/filesystems || modprobe "$type" 2>/dev/null || skip "this kernel has no $type"
	truncate -s 512M "$BATS_TEST_TMPDIR/disk"
	"mkfs.$type" -q "$@" "$BATS_TEST_TMPDIR/disk"
	mkdir "$BATS_TEST_TMPDIR/mnt"
	mount -o loop "$BATS_TEST_TMPDIR/disk" "$BATS_TEST_TMPDIR/mnt" || skip "no $type from a loop device here"
}
shared_blocks() { # TYPE MKFS-OPTION...
	on_loop "$@"
	(
		TMPDIR=$BATS_TEST_TMPDIR/mnt kist_start --address-pool 10.191.$(($$ % 16 * 16)).0/20
		trap 'kist_end' EXIT
		"$KIST" volume create data
		dd if=/dev/urandom of="$(data_of data)/big" bs=1M count=100 status=none
		ln "$(data_of data)/big" "$(data_of data)/name"
		sync -f "$KT_DIR"
		before=$(df --output=used -B1 "$KT_DIR" | tail -n 1)
		"$KIST" volume clone data twin 2>"$BATS_TEST_TMPDIR/said"
		grep -q '^1 files, which share their blocks' "$BATS_TEST_TMPDIR/said"
		sync -f "$KT_DIR"
		after=$(df --output=used -B1 "$KT_DIR" | tail -n 1)
		[ $((after - before)) -lt $((50 << 20)) ]
		cmp "$(data_of data)/big" "$(data_of twin)/name"
		[ "$(stat -c %h "$(data_of twin)/big")" = 2 ]
		"$KIST" run --rm -v twin:/v $BUSYBOX sh -c 'echo x >/v/big'
		! cmp -s "$(data_of data)/big" "$(data_of twin)/big"
		"$KIST" volume rm data twin
	)
	umount "$BATS_TEST_TMPDIR/mnt"
}

@test "on xfs files share their blocks" { shared_blocks xfs; }

@test "on btrfs files share their blocks" { shared_blocks btrfs; }
