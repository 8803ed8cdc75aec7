# kill -9 of the daemon at every named point of its work (src/base/fault.h): what was acknowledged is there, what runs is untouched, and nothing
# else is left. The points are found in the source: one that is added there is tested here.
load ../lib/kist

SOURCE=$BATS_TEST_DIRNAME/../../src

setup_file() {
	kist_start
	registry_start
	local work=$KT_DIR/images
	mkdir -p "$work/one/bin" "$work/two"
	cp "$(command -v busybox)" "$work/one/bin/busybox"
	ln "$work/one/bin/busybox" "$work/one/bin/cat"
	echo second >"$work/two/second"
	for layer in one two; do tar -C "$work/$layer" --sort=name --mtime=@1700000000 --numeric-owner -cf "$work/$layer.tar" .; done
	"$BATS_TEST_DIRNAME/../lib/oci-image" "$work/layout" "$work/one.tar" "$work/two.tar"
	registry_push "$work/layout" test/two:1
	# Runs through it all, and writes down that it did.
	"$KIST" run -d --name witness $BUSYBOX sh -c 'i=0; while :; do echo $i; i=$((i+1)); sleep 0.02; done'
	identity_of witness >"$KT_DIR/witness"
}
teardown_file() {
	local last
	kistd_stop; kistd_up
	[ "$(identity_of witness)" = "$(cat "$KT_DIR/witness")" ]
	"$KIST" kill witness
	"$KIST" wait witness
	"$KIST" logs witness >"$KT_DIR/lines"
	last=$(tail -n 1 "$KT_DIR/lines")
	seq 0 "$last" | diff -q - "$KT_DIR/lines"
	"$KIST" rm witness
	nothing_left
	kist_end
}

identity_of() { "$KIST" inspect -f '{{.State.Pid}} {{.State.StartedAt}}' "$1"; }

points() { # OPERATION
	if [ "$1" = start ]; then
		sed -n '/^static const struct stage/,/^} stages/d; s/^        { "\([a-z]*\)", [a-z_]*, [a-zA-Z_]* },.*/start.\1/p' "$SOURCE/engine/start.c"
	else
		grep -rhoE "fault_point\(\"$1\", \"[a-z-]+\"\)" "$SOURCE" | sed -E 's/.*\("([a-z]+)", "([a-z-]+)"\)/\1.\2/'
	fi
}

# The command is to meet the daemon's death at that point; then there is a sound daemon again.
dies_at() { # POINT COMMAND...
	local point=$1
	shift
	echo "== $point"
	kistd_stop
	KISTD=kistd-faults KIST_FAULT=$point kistd_up
	timeout 30 "$@" >"$BATS_TEST_TMPDIR/answer" 2>&1 || true
	gone "$(kistd_pid)" # or the point was not passed
	kistd_up
}

# A point that only one of the two passes: then the daemon lives on.
dies_at_either() { # POINT connect|disconnect
	echo "== $1 $2"
	kistd_stop
	KISTD=kistd-faults KIST_FAULT=$1 kistd_up
	timeout 30 "$KIST" network "$2" faulty moved >"$BATS_TEST_TMPDIR/answer" 2>&1 || true
	case $1.$2 in
	network.joined.disconnect | network.parted.connect) kistd_stop ;;
	*) gone "$(kistd_pid)" ;;
	esac
	kistd_up
}

exists() { "$KIST" inspect "$1" >/dev/null 2>&1; }
ended() { ! "$KIST" inspect -f '{{.State.Running}}' "$1" | grep -q true; }

# All but the witness goes; then there is one of everything.
only_the_witness() {
	local ids
	ids=$("$KIST" ps -aq --no-trunc | grep -v "$("$KIST" inspect -f '{{.Id}}' witness)") || true
	[ -z "$ids" ] || "$KIST" rm -fv $ids >/dev/null
	[ "$(identity_of witness)" = "$(cat "$KT_DIR/witness")" ]
	[ "$("$KIST" ps -aq | wc -l)" = 1 ]
	[ "$(ls "$KT_DIR/root/containers" | wc -l)" = 1 ]
	[ "$(ls "$KT_DIR/run/containers" | wc -l)" = 1 ]
	[ "$(ip -o link show master "$KT_NAME" | wc -l)" = 1 ]
	[ -z "$(volumes)" ]
	[ "$(find /sys/fs/cgroup -type d -path "*/kist-test-$KT_NAME/?*" | sed 's|.*/||' | sort -u | wc -l)" = 1 ]
	! grep -lsz '^98765$' /proc/[0-9]*/cmdline
	! grep -q "$KT_DIR/root" /proc/self/mountinfo
}

volumes() { curl -sf --unix-socket "$KT_DIR/kist.sock" http://kist/volumes | jq -r '.Volumes[]?.Name'; ls "$KT_DIR/root/volumes" 2>/dev/null; }

every_point() { # OPERATION
	local n
	n=$(points "$1" | wc -l)
	[ "$n" -gt 0 ]
	[ "$(points "$1" | sort -u | wc -l)" = "$n" ]
}

@test "create: there whole, or not at all" {
	every_point create
	for point in $(points create); do
		dies_at "$point" "$KIST" create --name made -v /data $BUSYBOX sh -c 'touch /data/x; exit 5'
		exists made || "$KIST" create --name made -v /data $BUSYBOX sh -c 'touch /data/x; exit 5'
		run -5 "$KIST" start -a made
		only_the_witness
	done
}

@test "start: runs, or can be started" {
	every_point start
	for point in $(points start); do
		"$KIST" create --name begun --restart on-failure:1 $BUSYBOX sleep 98765
		dies_at "$point" "$KIST" start begun
		settled() { case $(state_of begun) in running | created | exited) ;; *) false ;; esac; }
		eventually settled # the policy may start it again
		"$KIST" start begun
		[ "$("$KIST" exec begun echo in)" = in ]
		"$KIST" stop -t 0 begun
		[ "$(state_of begun)" = exited ]
		only_the_witness
	done
}

# The second start is of a sandbox that was made ahead.
warmed_up() { [ "$(find "/proc/$(kistd_pid)/fd" -lname 'net:*' | wc -l)" = 2 ]; }

@test "start, of a sandbox made ahead: runs, or can be started" {
	local point
	for point in $(points start); do
		echo "== $point, the second time"
		"$KIST" create --name begun --restart on-failure:1 $BUSYBOX sleep 98765
		kistd_stop
		KISTD=kistd-faults KIST_FAULT=$point:2 kistd_up
		"$KIST" run --rm $BUSYBOX true
		eventually warmed_up
		timeout 30 "$KIST" start begun >"$BATS_TEST_TMPDIR/answer" 2>&1 || true
		gone "$(kistd_pid)"
		kistd_up
		settled() { case $(state_of begun) in running | created | exited) ;; *) false ;; esac; }
		eventually settled
		"$KIST" start begun
		[ "$("$KIST" exec begun echo in)" = in ]
		"$KIST" stop -t 0 begun
		only_the_witness
	done
}

@test "pool: who runs does not notice, and what was half made is gone" {
	local point
	every_point pool
	for point in $(points pool); do
		echo "== $point"
		kistd_stop
		KISTD=kistd-faults KIST_FAULT=$point kistd_up
		"$KIST" run -d --name first $BUSYBOX sleep 98765 || true # the daemon dies after its start, perhaps before its answer
		gone "$(kistd_pid)"
		kistd_up
		is_running() { [ "$(state_of first)" = running ]; }
		is_running
		"$KIST" run --rm $BUSYBOX true
		"$KIST" rm -f first
		eventually warmed_up
		only_the_witness
		"$KIST" system fsck
	done
}

@test "exec: the container does not notice, and the next works" {
	every_point exec
	"$KIST" run -d --name host $BUSYBOX sleep 1000
	for point in $(points exec); do
		was=$(identity_of host)
		dies_at "$point" "$KIST" exec host sleep 0.1
		[ "$(identity_of host)" = "$was" ]
		[ "$("$KIST" exec host echo again)" = again ]
	done
	"$KIST" rm -f host
	only_the_witness
}

@test "stop: it stays stopped, and is not brought back by its restart policy" {
	every_point stop
	for point in $(points stop); do
		# (With "always" the next daemon starts it, as Docker's does.)
		"$KIST" run -d --name ending --restart unless-stopped $BUSYBOX sh -c 'trap "exit 3" TERM; echo ready; while :; do sleep 0.05; done'
		ready() { "$KIST" logs ending | grep -q ready; }
		eventually ready
		dies_at "$point" "$KIST" stop -t 5 ending
		# Not acknowledged: asking again is the client's right, and does no harm.
		"$KIST" stop -t 5 ending
		[ "$("$KIST" inspect -f '{{.State.Status}} {{.State.ExitCode}}' ending)" = "exited 3" ]
		only_the_witness
	done
}

@test "pause: frozen and said to be, or neither" {
	every_point pause
	for point in $(points pause); do
		"$KIST" run -d --name cold $BUSYBOX sleep 1000
		dies_at "$point" "$KIST" pause cold
		case $(state_of cold) in
		paused) "$KIST" unpause cold ;;
		running) ;;
		*) state_of cold; false ;;
		esac
		[ "$(timeout 20 "$KIST" exec cold echo warm)" = warm ]
		only_the_witness
	done
}

@test "the end of a container: its status is kept, and --rm is kept too" {
	every_point exit
	for point in $(points exit); do
		dies_at "$point" "$KIST" run --name over $BUSYBOX sh -c 'echo last words; sleep 0.2; exit 7'
		[ "$("$KIST" wait over)" = 7 ]
		[ "$("$KIST" inspect -f '{{.State.Status}} {{.State.ExitCode}}' over)" = "exited 7" ]
		[ "$("$KIST" logs over)" = "last words" ]
		dies_at "$point" "$KIST" run --rm --name brief $BUSYBOX sleep 0.2
		no_brief() { ! exists brief; }
		eventually no_brief
		only_the_witness
	done
}

@test "restart by policy: counted, and goes on" {
	every_point restart
	for point in $(points restart); do
		dies_at "$point" sh -c "'$KIST' run -d --name again --restart on-failure:2 $BUSYBOX sh -c 'sleep 0.2; exit 9'; '$KIST' wait again; sleep 20"
		over() { [ "$(state_of again)" = exited ]; }
		eventually over
		[ "$("$KIST" inspect -f '{{.State.ExitCode}}' again)" = 9 ]
		only_the_witness
	done
}

@test "remove: gone, or still there to be removed; its anonymous volume with it" {
	every_point remove
	for point in $(points remove); do
		"$KIST" run --name old -v /data $BUSYBOX touch /data/x
		dies_at "$point" "$KIST" rm -v old
		! exists old || "$KIST" rm -v old || ! exists old
		[ -z "$(volumes)" ]
		only_the_witness
	done
}

@test "rename: the old name or the new one" {
	every_point rename
	for point in $(points rename); do
		"$KIST" create --name before $BUSYBOX true
		dies_at "$point" "$KIST" rename before after
		exists before || exists after
		only_the_witness
	done
}

@test "network connect and disconnect: links, addresses and /etc/hosts agree" {
	agree() { # what its /etc/hosts says of itself, what its links have, what inspect shows
		local own said links
		own=$("$KIST" exec moved awk '$2 == "mover" { print $1 }' /etc/hosts | sort | paste -sd ' ')
		links=$("$KIST" exec moved ip -o -4 addr show scope global | awk '{ sub("/.*", "", $4); print $4 }' | sort | paste -sd ' ')
		said=$("$KIST" inspect moved | jq -r '.[0].NetworkSettings.Networks[].IPAddress' | sort | paste -sd ' ')
		[ -n "$own" ] && [ "$own" = "$links" ] && [ "$own" = "$said" ]
	}
	every_point network
	"$KIST" network create faulty
	for point in $(points network); do
		"$KIST" run -d --name moved --hostname mover $BUSYBOX sleep 98765
		dies_at_either "$point" connect
		agree
		"$KIST" network disconnect faulty moved 2>/dev/null || true
		"$KIST" network connect faulty moved
		agree
		dies_at_either "$point" disconnect
		agree
		"$KIST" rm -f moved
		only_the_witness
	done
	"$KIST" network rm faulty
}

@test "volume rm: there with what is in it, or gone" {
	every_point volume
	for point in $(points volume); do
		curl -sf --unix-socket "$KT_DIR/kist.sock" -H 'Content-Type: application/json' -d '{"Name":"kept"}' http://kist/volumes/create
		"$KIST" run --rm -v kept:/data $BUSYBOX sh -c 'echo precious >/data/x'
		dies_at "$point" curl -s --unix-socket "$KT_DIR/kist.sock" -X DELETE http://kist/volumes/kept
		if curl -sf --unix-socket "$KT_DIR/kist.sock" http://kist/volumes/kept; then
			[ "$("$KIST" run --rm -v kept:/data $BUSYBOX cat /data/x)" = precious ]
			curl -sf --unix-socket "$KT_DIR/kist.sock" -X DELETE http://kist/volumes/kept
		fi
		[ -z "$(ls -A "$KT_DIR/root/volumes")" ]
		only_the_witness
	done
}

@test "volume import, clone and snapshot: whole, or nothing of it" {
	every_point volcopy
	mkdir "$BATS_TEST_TMPDIR/tree"
	for i in $(seq 50); do echo "$i" >"$BATS_TEST_TMPDIR/tree/$i"; done
	tar -C "$BATS_TEST_TMPDIR/tree" -cf "$BATS_TEST_TMPDIR/a.tar" .
	for verb in import clone snapshot; do
		for point in $(points volcopy); do
			case $verb in
			import) dies_at "$point" "$KIST" volume import made "$BATS_TEST_TMPDIR/a.tar" ;;
			*) "$KIST" volume import first "$BATS_TEST_TMPDIR/a.tar"; dies_at "$point" "$KIST" volume "$verb" first made ;;
			esac
			! grep -qx made "$BATS_TEST_TMPDIR/answer"
			if "$KIST" volume inspect made >/dev/null 2>&1; then
				diff -r "$BATS_TEST_TMPDIR/tree" "$KT_DIR/root/volumes/made/_data"
				"$KIST" volume rm made
			fi
			[ "$verb" = import ] || "$KIST" volume rm first
			[ -z "$(ls -A "$KT_DIR/root/volumes")" ]
			only_the_witness
		done
	done
}

store_files() { find "$KT_DIR/root/oci" "$KT_DIR/root/layers" "$KT_DIR/root/tmp" | sort; }

@test "pull: the image is there whole, or not at all, and the next pull does it" {
	every_point image
	store_files >"$BATS_TEST_TMPDIR/before"
	for point in $(points image) image.layer:2 image.blob:2; do
		dies_at "$point" "$KIST" pull "$REGISTRY/test/two:1"
		if "$KIST" images -q "$REGISTRY/test/two" | grep -q .; then
			[ "$("$KIST" run --rm "$REGISTRY/test/two:1" /bin/cat /second)" = second ]
		fi
		"$KIST" pull -q "$REGISTRY/test/two:1"
		[ "$("$KIST" run --rm "$REGISTRY/test/two:1" /bin/cat /second)" = second ]
		"$KIST" rmi "$REGISTRY/test/two:1"
		diff "$BATS_TEST_TMPDIR/before" <(store_files)
		only_the_witness
	done
}

@test "pull of an artifact: there whole, or not at all, and the next pull does it" {
	every_point artifact
	"$BATS_TEST_DIRNAME/../lib/put-manifest" "$REGISTRY_PORT" chart 1 --config application/vnd.cncf.helm.config.v1+json --file 'a=one' --file 'b=two' >"$BATS_TEST_TMPDIR/chart"
	store_files >"$BATS_TEST_TMPDIR/before"
	for point in $(points artifact) artifact.blob:2; do
		dies_at "$point" "$KIST" pull "$REGISTRY/chart:1"
		"$KIST" pull -q "$REGISTRY/chart:1"
		[ "$("$KIST" image inspect -f '{{.Id}}' "$REGISTRY/chart:1")" = "$(cat "$BATS_TEST_TMPDIR/chart")" ]
		"$KIST" system fsck --digests
		"$KIST" rmi "$REGISTRY/chart:1"
		diff "$BATS_TEST_TMPDIR/before" <(store_files)
		only_the_witness
	done
}

@test "save and load of an artifact: the archive is whole when it is acknowledged; there whole, or not at all" {
	every_point save
	local name=localhost:1/chart:1
	"$BATS_TEST_DIRNAME/../lib/put-manifest" "$REGISTRY_PORT" chart 2 --config application/vnd.cncf.helm.config.v1+json --file 'a=one' --file 'b=two' >"$BATS_TEST_TMPDIR/chart"
	"$KIST" pull -q "$REGISTRY/chart:2"
	"$KIST" tag "$REGISTRY/chart:2" $name
	"$KIST" save -o "$BATS_TEST_TMPDIR/chart.tar" $name
	store_files >"$BATS_TEST_TMPDIR/with"
	for point in $(points save); do
		dies_at "$point" "$KIST" save -o "$BATS_TEST_TMPDIR/new.tar" $name
		[ ! -e "$BATS_TEST_TMPDIR/new.tar" ]
		diff "$BATS_TEST_TMPDIR/with" <(store_files)
		"$KIST" save -o "$BATS_TEST_TMPDIR/new.tar" $name
		cmp <(tar -xOf "$BATS_TEST_TMPDIR/chart.tar" index.json) <(tar -xOf "$BATS_TEST_TMPDIR/new.tar" index.json)
		rm "$BATS_TEST_TMPDIR/new.tar"
	done
	"$KIST" rmi -f "$(cat "$BATS_TEST_TMPDIR/chart")"
	store_files >"$BATS_TEST_TMPDIR/before"
	for point in $(points artifact) artifact.blob:2; do
		dies_at "$point" "$KIST" load -i "$BATS_TEST_TMPDIR/chart.tar"
		diff "$BATS_TEST_TMPDIR/before" <(store_files)
		"$KIST" load -q -i "$BATS_TEST_TMPDIR/chart.tar"
		[ "$("$KIST" image inspect -f '{{.Id}}' $name)" = "$(cat "$BATS_TEST_TMPDIR/chart")" ]
		"$KIST" system fsck --digests
		"$KIST" rmi $name
		diff "$BATS_TEST_TMPDIR/before" <(store_files)
		only_the_witness
	done
}

@test "load: there whole, or not at all, from both kinds of archives; and the next load does it" {
	every_point load
	skopeo copy -q "oci:$KT_DIR/images/layout" "docker-archive:$BATS_TEST_TMPDIR/docker.tar:test/loaded:1"
	skopeo copy -q "oci:$KT_DIR/images/layout" "oci-archive:$BATS_TEST_TMPDIR/oci.tar:test/loaded:1"
	store_files >"$BATS_TEST_TMPDIR/before"
	for archive in docker oci; do
		for point in $(points load) load.unpacked:2 $(points image) image.layer:2; do
			dies_at "$point" "$KIST" load -i "$BATS_TEST_TMPDIR/$archive.tar"
			case $point in image.index) ;; *) diff <(grep -v '/tmp/' "$BATS_TEST_TMPDIR/before") <(store_files | grep -v '/tmp/') ;; esac
			"$KIST" load -q -i "$BATS_TEST_TMPDIR/$archive.tar"
			name=$("$KIST" images --format '{{.Repository}}:{{.Tag}}' | grep -v '^kist.local/')
			[ "$("$KIST" run --rm --pull never "$name" /bin/cat /second)" = second ]
			"$KIST" save -o "$BATS_TEST_TMPDIR/saved.tar" "$name"
			"$KIST" rmi "$name"
			diff "$BATS_TEST_TMPDIR/before" <(store_files)
			only_the_witness
		done
	done
}

@test "pull --discard-blobs: the image is there with its blobs, or without any, and the next pull of either kind does it" {
	local blobs=$KT_DIR/root/oci/blobs/sha256 layer
	layer=$(skopeo inspect --tls-verify=false --raw "docker://127.0.0.1:$REGISTRY_PORT/test/two:1" | jq -r '.layers[0].digest | sub("sha256:"; "")')
	store_files >"$BATS_TEST_TMPDIR/before"
	for point in image.layer image.manifest image.index discard.index; do
		[ $point = discard.index ] && "$KIST" pull -q "$REGISTRY/test/two:1"
		dies_at "${point/discard/image}" "$KIST" pull --discard-blobs "$REGISTRY/test/two:1"
		[ ! -e "$blobs/$layer" ]
		if "$KIST" images -q "$REGISTRY/test/two" | grep -q .; then
			[ "$("$KIST" run --rm --pull never "$REGISTRY/test/two:1" /bin/cat /second)" = second ]
		fi
		"$KIST" pull -q --discard-blobs "$REGISTRY/test/two:1"
		[ ! -e "$blobs/$layer" ]
		"$KIST" pull -q "$REGISTRY/test/two:1"
		[ -e "$blobs/$layer" ]
		run -0 "$KIST" system fsck --digests
		[ -z "$output" ]
		"$KIST" rmi "$REGISTRY/test/two:1"
		diff "$BATS_TEST_TMPDIR/before" <(store_files)
		only_the_witness
	done
}

@test "rmi: gone, and what is left of it goes at the next start" {
	every_point rmi
	store_files >"$BATS_TEST_TMPDIR/before"
	for point in $(points rmi) rmi.layer:2; do
		"$KIST" pull -q "$REGISTRY/test/two:1"
		dies_at "$point" "$KIST" rmi "$REGISTRY/test/two:1"
		[ -z "$("$KIST" images -q "$REGISTRY/test/two")" ]
		diff "$BATS_TEST_TMPDIR/before" <(store_files)
	done
}
