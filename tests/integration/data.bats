# Data in and out: cp, export, diff, commit, save, load; for running and for stopped containers, through kist and docker.
load ../lib/kist

setup_file() { kist_start; }
teardown_file() { kist_end; }
teardown() { left_nothing; }

# A container with something in it: files, owners, modes, links.
make_box() { # NAME
	"$KIST" run -d --name "$1" $BUSYBOX sleep 300 >/dev/null
	"$KIST" exec "$1" sh -c '
		mkdir -p /data/sub; echo hello >/data/file; ln -s file /data/link; ln /data/file /data/hard; mkfifo /data/fifo
		chown 5:6 /data/sub; chmod 4751 /data/file; touch -d "2001-02-03 04:05:06" /data/sub; echo deep >/data/sub/deep'
}

@test "cp out: a directory with all that is in it, running and stopped" {
	make_box box
	for state in running stopped; do
		[ $state = running ] || "$KIST" stop -t 0 box
		for C in $(clients); do
			out=$BATS_TEST_TMPDIR/$state-$C && mkdir "$out"
			client "$C" cp box:/data "$out"
			[ "$(cat "$out/data/file" "$out/data/sub/deep")" = "hello
deep" ]
			[ "$(readlink "$out/data/link")" = file ]
			[ "$out/data/file" -ef "$out/data/hard" ]
			[ "$(stat -c %a "$out/data/file")" = 4751 ]
			[ -p "$out/data/fifo" ]
			client "$C" cp box:/data/. "$out/other"
			[ "$(cat "$out/other/file")" = hello ]
			client "$C" cp box:/data/file "$out/renamed"
			[ "$(cat "$out/renamed")" = hello ]
			client "$C" cp box:/data/link "$out/as-link"
			[ "$(readlink "$out/as-link")" = file ]
			client "$C" cp -L box:/data/link "$out/as-file"
			[ "$(cat "$out/as-file")" = hello ] && [ ! -L "$out/as-file" ]
			# The archive itself: owners are the container's.
			client "$C" cp box:/data - | tar tvf - --numeric-owner >"$out/list"
			grep -q '^drwxr-xr-x 5/6 .* data/sub/$' "$out/list"
			grep -q '^-rwsr-x--x 0/0 .* data/' "$out/list"
			run ! client "$C" cp box:/nosuch "$out"
		done
	done
	"$KIST" rm box
}

@test "cp in: files, directories, an archive from standard input, owners and modes, running and stopped" {
	in=$BATS_TEST_TMPDIR/in && mkdir -p "$in/tree/sub"
	echo one >"$in/tree/one" && ln -s one "$in/tree/link" && chmod 750 "$in/tree/sub" && echo long >"$in/tree/sub/$(printf 'n%.0s' {1..150})"
	chown 1234:1235 "$in/tree/one"
	for C in $(clients); do
		"$KIST" run -d --name "box-$C" $BUSYBOX sleep 300
		for state in running stopped; do
			[ $state = running ] || "$KIST" stop -t 0 "box-$C"
			client "$C" cp "$in/tree" "box-$C:/tmp/$state"
			client "$C" cp "$in/tree/." "box-$C:/tmp"
			client "$C" cp "$in/tree/one" "box-$C:/etc/new-$state"
			tar c -C "$in" tree | client "$C" cp - "box-$C:/var"
			tar cz -C "$in" tree | client "$C" cp - "box-$C:/root"
			[ "$(client "$C" cp "box-$C:/tmp/$state/one" - | tar xO)" = one ]
			client "$C" cp "box-$C:/var/tree" - | tar tvf - --numeric-owner >"$BATS_TEST_TMPDIR/list"
			grep -q '^-rw-r--r-- 1234/1235 .* tree/one$' "$BATS_TEST_TMPDIR/list"
			grep -q '^drwxr-x--- 0/0 .* tree/sub/$' "$BATS_TEST_TMPDIR/list"
			grep -q 'tree/link -> one$' "$BATS_TEST_TMPDIR/list"
			grep -q "nnn$" "$BATS_TEST_TMPDIR/list"
			run ! client "$C" cp "$in/tree" "box-$C:/etc/passwd"
			run ! client "$C" cp "$in/tree/one" "box-$C:/nosuch/dir/"
		done
		# What was copied while it was stopped is there when it runs again, with the ids that were meant.
		"$KIST" start "box-$C"
		[ "$("$KIST" exec "box-$C" cat /etc/new-running /etc/new-stopped)" = "one
one" ]
		[ "$("$KIST" exec "box-$C" stat -c %u:%g /tmp/stopped/one /root/tree/one)" = "1234:1235
1234:1235" ]
		"$KIST" rm -f "box-$C"
	done
}

@test "cp: mounts of a running container, a privileged one, one that shares the host's ids" {
	mkdir "$BATS_TEST_TMPDIR/mounted" && echo host >"$BATS_TEST_TMPDIR/mounted/file"
	"$KIST" run -d --name box -v "$BATS_TEST_TMPDIR/mounted:/mnt" --tmpfs /fast $BUSYBOX sleep 300
	"$KIST" exec box sh -c 'echo fast >/fast/file'
	[ "$("$KIST" cp box:/mnt/file - | tar xO)" = host ]
	[ "$("$KIST" cp box:/fast/file - | tar xO)" = fast ]
	echo new >"$BATS_TEST_TMPDIR/new" && "$KIST" cp "$BATS_TEST_TMPDIR/new" box:/mnt/
	[ "$(cat "$BATS_TEST_TMPDIR/mounted/new")" = new ]
	# Kernel file systems are no data.
	[ "$("$KIST" cp box:/ - | tar t 2>/dev/null | grep -c "^/*proc/1/")" = 0 ]
	"$KIST" rm -f box
	"$KIST" run -d --name box --userns host $BUSYBOX sleep 300
	"$KIST" cp "$BATS_TEST_TMPDIR/new" box:/etc/
	[ "$("$KIST" exec box stat -c %u /etc/new)" = 0 ]
	[ "$("$KIST" cp box:/etc/new - | tar xO)" = new ]
	"$KIST" rm -f box
}

@test "cp into a read-only container is refused" {
	"$KIST" create --name box --read-only $BUSYBOX true
	echo x >"$BATS_TEST_TMPDIR/x"
	run ! "$KIST" cp "$BATS_TEST_TMPDIR/x" box:/
	[[ "$output" == *"marked read-only"* ]]
	"$KIST" rm box
}

@test "diff: what was changed, added and deleted, and nothing else" {
	"$KIST" run -d --name box $BUSYBOX sleep 300
	changed=$("$KIST" diff box)
	[ -z "$changed" ]
	"$KIST" exec box sh -c 'echo x >>/etc/passwd; mkdir /new; touch /new/file; rm /bin/ls; rm -r /etc/profile; touch /tmp/gone; rm /tmp/gone'
	for C in $(clients); do
		[ "$(client "$C" diff box | sort -k 2)" = "C /bin
D /bin/ls
C /etc
C /etc/passwd
D /etc/profile
A /new
A /new/file" ]
	done
	"$KIST" stop -t 0 box
	[ "$("$KIST" diff box | wc -l)" -eq 7 ]
	"$KIST" rm box
}

@test "export: the files without what is mounted" {
	make_box box
	for C in $(clients); do
		client "$C" export box | tar tvf - --numeric-owner >"$BATS_TEST_TMPDIR/list"
		grep -q ' bin/busybox' "$BATS_TEST_TMPDIR/list"
		grep -q '^drwxr-xr-x 5/6 .* data/sub/$' "$BATS_TEST_TMPDIR/list"
		run ! grep -q ' proc/1' "$BATS_TEST_TMPDIR/list"
	done
	"$KIST" rm -f box
}

@test "commit: changes, deletions and settings become an image" {
	make_box box
	"$KIST" exec box sh -c 'rm /bin/ls; rm -r /data/sub; mkdir /data/sub; echo again >/data/sub/new; rm -r /tmp; mkdir /tmp'
	for C in $(clients); do
		id=$(client "$C" commit -a me -m "a comment" -c 'ENV A=b "C=d e"' -c 'CMD ["cat", "/data/file"]' -c 'WORKDIR /data' -c 'LABEL x=y' box "made-$C:1")
		[[ "$id" == sha256:* ]]
		[ "$(client "$C" run --rm "made-$C:1")" = hello ]
		run client "$C" run --rm "made-$C:1" sh -c 'echo "$A $C $(pwd) $(echo sub/*) $(stat -c %a file)"; test -e /bin/ls || echo no ls'
		[ "$output" = "b d e /data sub/new 4751
no ls" ]
		client "$C" history "made-$C:1" | grep -q "a comment"
		[ "$(client "$C" inspect -f '{{.Author}}' "made-$C:1")" = me ]
		client "$C" rmi "made-$C:1"
	done
	[ "$("$KIST" inspect -f '{{.State.Status}}' box)" = running ]
	run ! "$KIST" commit -c 'RUN true' box bad
	[[ "$output" == *"RUN is not a valid change command"* ]]
	"$KIST" rm -f box
}

@test "save and load, and what others make of it" {
	make_box box
	"$KIST" commit box saved:1
	"$KIST" tag saved:1 saved:two
	"$KIST" rm -f box
	for C in $(clients); do
		client "$C" save -o "$BATS_TEST_TMPDIR/$C.tar" saved:1 saved:two
		client "$C" rmi saved:1 saved:two
		client "$C" load -i "$BATS_TEST_TMPDIR/$C.tar" >"$BATS_TEST_TMPDIR/out"
		grep -q 'Loaded image: saved:1' "$BATS_TEST_TMPDIR/out"
		[ "$(client "$C" run --rm saved:two cat /data/file)" = hello ]
	done
	run ! "$KIST" save -o "$BATS_TEST_TMPDIR/none.tar" saved:1 nosuch:1
	[ ! -e "$BATS_TEST_TMPDIR/none.tar" ]
	command -v skopeo >/dev/null || skip "no skopeo here"
	"$KIST" save saved:1 >"$BATS_TEST_TMPDIR/one.tar"
	skopeo inspect "oci-archive:$BATS_TEST_TMPDIR/one.tar" >/dev/null
	# The older form of Docker's archives, as skopeo still writes it.
	skopeo copy -q "docker-archive:$BATS_TEST_TMPDIR/one.tar" "docker-archive:$BATS_TEST_TMPDIR/old.tar:older:1"
	"$KIST" rmi -f saved:1 saved:two
	"$KIST" load -i "$BATS_TEST_TMPDIR/old.tar"
	[ "$("$KIST" run --rm older:1 cat /data/file)" = hello ]
	"$KIST" rmi older:1
}
