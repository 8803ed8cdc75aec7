# Volumes.
load ../lib/kist

setup_file() {
	kist_start
	local work=$KT_DIR/images
	mkdir -p "$work/one/bin" "$work/one/data/sub" "$work/one/keep"
	cp "$(command -v busybox)" "$work/one/bin/busybox"
	ln -s busybox "$work/one/bin/sh"
	for a in cat ls stat touch rm mkdir id sleep true test readlink; do ln -s busybox "$work/one/bin/$a"; done
	echo from-image >"$work/one/data/file"
	ln -s file "$work/one/data/link"
	echo deep >"$work/one/data/sub/deep"
	chmod 1777 "$work/one/data"
	chown -R 12:34 "$work/one/data"
	chmod 4711 "$work/one/data/sub/deep"
	tar -C "$work/one" --numeric-owner -cf "$work/one.tar" .
	"$BATS_TEST_DIRNAME/../lib/oci-image" "$work/layout" "$work/one.tar" --config '{"Env":["PATH=/bin"],"Cmd":["sh"],"Volumes":{"/data":{}}}'
	registry_start
	registry_push "$work/layout" test/volumes:1
	"$KIST" pull -q "$REGISTRY/test/volumes:1"
}
teardown_file() { kist_end; }
teardown() { left_nothing && [ -z "$(docker volume ls -q)" ]; }

@test "a named volume: made with the container, kept after it, shared, removed when nobody has it" {
	for C in $(clients); do
		client "$C" run --rm -v "vol-$C:/v" $BUSYBOX sh -c 'echo hello >/v/file; chown 5:6 /v/file'
		[ "$(client "$C" run --rm -v "vol-$C:/w:ro" $BUSYBOX sh -c 'cat /w/file; stat -c %u:%g /w/file' | tr '\n' ' ')" = "hello 5:6 " ]
		run ! client "$C" run --rm -v "vol-$C:/w:ro" $BUSYBOX touch /w/x
		# On disk it has plain ids, as what is mounted by path.
		[ "$(stat -c %u:%g "$KT_DIR/root/volumes/vol-$C/_data/file")" = 5:6 ]
		client "$C" create --name "has-$C" -v "vol-$C:/v" $BUSYBOX true
		run ! docker volume rm "vol-$C"
		[[ "$output" == *"volume is in use"* ]]
		[ "$(docker inspect -f '{{range .Mounts}}{{.Type}} {{.Name}} {{.Destination}} {{.RW}}{{end}}' "has-$C")" = "volume vol-$C /v true" ]
		client "$C" rm -v "has-$C"
		[ "$(docker volume inspect -f '{{.Mountpoint}}' "vol-$C")" = "$(realpath "$KT_DIR/root")/volumes/vol-$C/_data" ]
		docker volume rm "vol-$C"
		[ ! -e "$KT_DIR/root/volumes/vol-$C" ]
	done
}

@test "the volume of an image: filled with what the image has there; --rm removes it, rm -v too, rm does not" {
	IMAGE=$REGISTRY/test/volumes:1
	run -0 "$KIST" run --rm "$IMAGE" sh -c 'cat /data/file /data/sub/deep; readlink /data/link; stat -c "%u:%g %a" /data /data/sub/deep; touch /data/new'
	[ "$output" = $'from-image\ndeep\nfile\n12:34 1777\n12:34 4711' ]
	[ -z "$(docker volume ls -q)" ]
	"$KIST" create --name keeps "$IMAGE" true
	"$KIST" start -a keeps
	name=$(docker volume ls -q)
	[ "${#name}" -eq 64 ]
	"$KIST" rm keeps
	[ "$(docker volume ls -q --filter dangling=true)" = "$name" ]
	# A second use finds what is there, and nothing is copied over it.
	echo changed >"$KT_DIR/root/volumes/$name/_data/file"
	[ "$(docker run --rm -v "$name:/data" "$IMAGE" cat /data/file)" = changed ]
	docker volume rm "$name"
	# nocopy; and a bind mount in its place makes no volume.
	[ -z "$(docker run --rm -v own:/data:nocopy "$IMAGE" ls /data)" ]
	docker volume rm own
	mkdir -p "$BATS_TEST_TMPDIR/host"
	docker create --name bound -v "$BATS_TEST_TMPDIR/host:/data" "$IMAGE"
	[ -z "$(docker volume ls -q)" ]
	docker rm bound
	# A create that fails leaves none.
	docker create --name taken $BUSYBOX true
	run ! docker create --name taken -v /anonymous "$IMAGE"
	[ -z "$(docker volume ls -q)" ]
	docker rm taken
	docker run --name gone -v /anonymous $BUSYBOX touch /anonymous/x
	[ "$(docker volume ls -q | wc -l)" -eq 1 ]
	docker rm -v gone
}

@test "volume create, ls, inspect, prune; names; after a restart of the daemon" {
	[ "$(docker volume create --label a=b one)" = one ]
	[ "$(docker volume create one)" = one ]
	made=$(docker volume create)
	[ "${#made}" -eq 64 ]
	[ "$(docker volume ls -q --filter label=a=b)" = one ]
	[ "$(docker volume inspect -f '{{.Labels.a}} {{.Driver}} {{.Scope}}' one)" = "b local local" ]
	for bad in ../up a/b .x; do
		run ! docker volume create "$bad"
		[[ "$output" == *"includes invalid characters"* ]]
	done
	run ! docker volume create x
	[[ "$output" == *"volume name is too short, names should be at least two alphanumeric characters"* ]]
	run ! docker volume create -d nfs two
	run ! docker volume inspect nosuch
	[[ "$output" == *"no such volume"* || "$output" == *"No such volume"* ]]
	kistd_kill9
	kistd_up
	[ "$(docker volume ls -q | wc -l)" -eq 2 ]
	"$KIST" run -d --name uses -v one:/v $BUSYBOX sleep 100
	docker system df -v | grep -q one
	docker volume prune -f
	[ "$(docker volume ls -q)" = one ]
	"$KIST" rm -f uses
	docker volume rm one
}

@test "volume prune: of those that nobody has: without a name; all; by label; older clients prune all" {
	made() { # what the prunes are for, whatever the last one left
		"$KIST" volume create --label keep=yes labelled >/dev/null
		"$KIST" volume create --label keep=no other >/dev/null
		"$KIST" volume create plain >/dev/null
		"$KIST" run --rm -v used:/v $BUSYBOX true
		docker volume create --label keep=yes >/dev/null
		[ "$("$KIST" volume ls -q | wc -l)" -eq 5 ]
	}
	# Of the named ones; the one without a name is a word.
	left() { "$KIST" volume ls --format '{{.Name}}' | sed -E 's/^[0-9a-f]{64}$/anonymous/' | sort | tr '\n' ' '; }
	"$KIST" run -d --name user -v used:/v $BUSYBOX sleep 600
	while IFS='|' read -r options expected; do
		made
		# shellcheck disable=SC2086  # words
		run -0 "$KIST" volume prune -f $options
		echo "$options: $output"
		[ "$(left)" = "$expected" ]
		[[ "$output" == *"Total reclaimed space"* ]]
		for gone in labelled other plain; do
			[[ " $expected" == *" $gone "* ]] || [[ "$output" == *"$gone"* ]]
		done
		"$KIST" volume ls -q --filter dangling=true | xargs -r "$KIST" volume rm >/dev/null
	done <<-END
		|labelled other plain used 
		-a|used 
		--filter all=1|used 
		--filter all=true --filter label=keep|plain used 
		-a --filter label=keep=yes|other plain used 
		--filter label=keep=yes|labelled other plain used 
		--filter label=keep=no|anonymous labelled other plain used 
		-a --filter label!=keep=yes|anonymous labelled used 
		-a --filter label!=keep|anonymous labelled other used 
		-a --filter label=keep --filter label!=keep=no|other plain used 
		--filter all=false --filter label!=keep=no|labelled other plain used 
	END
	# Before API 1.42 named ones went as well.
	made
	curl -sf --unix-socket "$KT_DIR/kist.sock" -X POST 'http://kist/v1.41/volumes/prune' | jq -e '.VolumesDeleted | length == 4'
	[ "$(left)" = "used " ]
	made
	curl -sf --unix-socket "$KT_DIR/kist.sock" -X POST 'http://kist/v1.42/volumes/prune' | jq -e '.VolumesDeleted | length == 1'
	run -1 "$KIST" volume prune -f --filter odd=1
	[[ "$output" == *odd* ]]
	"$KIST" rm -f user
	"$KIST" volume prune -af
}

@test "attack: a client that names the volumes without a name itself" {
	mkdir "$KT_DIR/root/precious"
	id=$(curl -s --unix-socket "$KT_DIR/kist.sock" -H 'Content-Type: application/json' http://kist/containers/create \
		-d "{\"Image\":\"$BUSYBOX\",\"Cmd\":[\"true\"],\"Volumes\":{\"/v\":{}},\"AnonymousVolumes\":{\"/v\":\"../precious\",\"/w\":\"../precious\"}}" | jq -r .Id)
	[ "$(docker volume ls -q | wc -l)" -eq 1 ]
	[ ! -e "$KT_DIR/root/precious/_data" ]
	"$KIST" start -a "$id"
	docker rm -v "$id"
	rmdir "$KT_DIR/root/precious"
}
