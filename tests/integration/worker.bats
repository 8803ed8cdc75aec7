# kist-worker alone, by the test's own hand: real layers against tar's result, a real registry.
load ../lib/kist

setup_file() {
	KT_DIR=$(mktemp -d "${TMPDIR:-/tmp}/kist-test.XXXXXX")
	export KT_DIR
	DRIVE=$(find "$BUILD" -name worker-drive -type f | head -n 1)
	WORKER_PROGRAM=$(find "$BUILD" -name kist-worker -type f | head -n 1)
	export DRIVE WORKER_PROGRAM
}

teardown_file() {
	rm -rf "$KT_DIR"
}

sum() { echo "sha256:$(sha256sum | cut -d' ' -f1)"; }

# Every name below a directory with its mode, owner, time, size and target, and what it is a hard link of.
listing() {
	(cd "$1" && find . -mindepth 1 -printf '%P %M %U %G %T@ %s %l %n\n' | sed 's/^\([^ ]* d[^ ]* [^ ]* [^ ]* [^ ]*\) .*/\1/' | sort)
}

@test "unpack: a tree of this machine comes out as tar would make it" {
	local format layer=$BATS_TEST_TMPDIR/layer.tar
	mkdir "$BATS_TEST_TMPDIR/in"
	cp -a /usr/share/doc/bash /usr/share/zoneinfo "$BATS_TEST_TMPDIR/in/"
	cd "$BATS_TEST_TMPDIR/in"
	ln zoneinfo/tzdata.zi hard; mkfifo fifo; chown 5:60 fifo; chown -h 7:8 "$(find zoneinfo -type l | head -n 1)"
	truncate -s 3M sparse; echo end >>sparse; install -m 6755 /dev/null setid; chown 100:65535 setid; chmod 6755 setid; mkdir -m 1777 tmp
	cp /bin/true capable; setcap cap_net_raw+ep capable
	cd -
	for format in gnu pax; do
		local out=$BATS_TEST_TMPDIR/out-$format want=$BATS_TEST_TMPDIR/want-$format
		mkdir "$out" "$want"
		tar -C "$BATS_TEST_TMPDIR/in" --format=$format --xattrs --xattrs-include='*' -S --numeric-owner -cf "$layer" . 2>/dev/null ||
			tar -C "$BATS_TEST_TMPDIR/in" --format=$format -S --numeric-owner -cf "$layer" .
		gzip -kf "$layer"
		tar -C "$want" --numeric-owner -xpf "$layer"
		"$DRIVE" unpack "$layer.gz" "$(sum <"$layer.gz")" "$(sum <"$layer")" "$out" "$BATS_TEST_TMPDIR/blob"
		cmp "$BATS_TEST_TMPDIR/blob" "$layer.gz"
		# GNU tar keeps fractions of seconds only in the pax format.
		diff <(listing "$want") <(listing "$out")
		diff -r --no-dereference "$want" "$out" 2>&1 | grep -v 'is a fifo' && return 1
		[ "$(stat -c '%a %u:%g' "$out")" = "$(stat -c '%a %u:%g' "$BATS_TEST_TMPDIR/in")" ]
	done
	getcap "$BATS_TEST_TMPDIR/out-pax/capable" | grep -q 'cap_net_raw=ep'
}

@test "unpack: zstd and plain give the same tree" {
	local layer=$BATS_TEST_TMPDIR/layer.tar input
	tar -C /usr/share/doc -cf "$layer" bash
	zstd -q "$layer"
	for input in "$layer" "$layer.zst"; do
		rm -rf "$BATS_TEST_TMPDIR/out"; mkdir "$BATS_TEST_TMPDIR/out"
		"$DRIVE" unpack "$input" "$(sum <"$input")" "$(sum <"$layer")" "$BATS_TEST_TMPDIR/out"
		diff -r --no-dereference /usr/share/doc/bash "$BATS_TEST_TMPDIR/out/bash"
	done
}

# A registry with its files in DIR; REGISTRY_PID is the caller's to kill. With a key and a certificate: TLS.
registry_at() { # PORT DIR [KEY CERTIFICATE]
	local tls=
	[ -z "${3:-}" ] || tls=", tls: {key: $3, certificate: $4}"
	cat >"$2/config.yml" <<-END
		version: 0.1
		log: {level: error}
		storage: {filesystem: {rootdirectory: $2/registry}}
		http: {addr: "127.0.0.1:$1"$tls}
	END
	docker-registry serve "$2/config.yml" >"$2/log" 2>&1 3>&- &
	REGISTRY_PID=$!
	for _ in $(seq 100); do curl -skf "http${3:+s}://127.0.0.1:$1/v2/" >/dev/null && break; sleep 0.1; done
}

@test "fetch: manifest and blob from a real registry" {
	local pid port=$(free_port) d=$BATS_TEST_TMPDIR
	mkdir "$d/layer"; cp /bin/true "$d/layer/"; tar -C "$d/layer" -cf "$d/layer.tar" .
	"$BATS_TEST_DIRNAME/../lib/oci-image" "$d/layout" "$d/layer.tar"
	registry_at "$port" "$d"
	pid=$REGISTRY_PID
	skopeo copy -q --dest-tls-verify=false "oci:$d/layout" "docker://127.0.0.1:$port/a/b:t"
	local at="{\"op\":\"open\",\"registry\":\"127.0.0.1:$port\",\"repository\":\"a/b\",\"insecure\":true}" manifest digest size
	manifest=$("$DRIVE" fetch "$at" '{"op":"manifest","id":1,"reference":"t","accept":["application/vnd.oci.image.manifest.v1+json"]}' 2>/dev/null)
	digest=$(jq -r '.layers[0].digest' <<<"$manifest") size=$(jq -r '.layers[0].size' <<<"$manifest")
	[ "$("$DRIVE" fetch "$at" "{\"op\":\"blob\",\"id\":2,\"digest\":\"$digest\",\"size\":$size}" 2>/dev/null | sum)" = "$digest" ]
	run -1 "$DRIVE" fetch "$at" '{"op":"manifest","id":1,"reference":"nope"}'
	[[ "$output" == *'"kind":"not found"'*"127.0.0.1:$port/a/b:nope: not found: manifest unknown"* ]]
	kill "$pid"
}

@test "fetch: TLS wants a known authority, a given one, or leave to do without" {
	local port=$(free_port) d=$BATS_TEST_TMPDIR at pid ask='{"op":"manifest","id":1,"reference":"nope"}'
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$d/key" -out "$d/cert" -days 2 -subj /CN=kist-test \
		-addext subjectAltName=IP:127.0.0.1 2>/dev/null
	registry_at "$port" "$d" "$d/key" "$d/cert"
	pid=$REGISTRY_PID
	at="\"op\":\"open\",\"registry\":\"127.0.0.1:$port\",\"repository\":\"a/b\""
	run -1 "$DRIVE" fetch "{$at}" "$ask"
	[[ "$output" == *'"kind":"unavailable"'*"registry 127.0.0.1:$port cannot be reached: SSL certificate problem"* ]]
	run -1 "$DRIVE" fetch "{$at,\"ca_pem\":$(jq -Rs . <"$d/cert")}" "$ask"
	[[ "$output" == *'"kind":"not found"'* ]]
	run -1 "$DRIVE" fetch "{$at,\"insecure\":true}" "$ask"
	[[ "$output" == *'"kind":"not found"'* ]]
	kill "$pid"
}
