# What the daemon is told of registries: which need no TLS, whose certificates count, and how much is sent at once.
load ../lib/kist

setup_file() {
	CERTS=$(mktemp -d "${TMPDIR:-/tmp}/kist-test-certs.XXXXXX")
	TLS_PORT=$(free_port) PLAIN_PORT=$(free_port)
	export CERTS TLS_PORT PLAIN_PORT
	kist_start --registry-certs-dir "$CERTS" --max-concurrent-uploads 1
	"$KIST" run --rm kist.local/busybox true # makes the bridge
	GATEWAY=$(ip -o -4 addr show "$KT_NAME" | awk '{sub("/.*", "", $4); print $4}')
	export GATEWAY
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$KT_DIR/key" -out "$KT_DIR/cert" -days 2 -subj /CN=kist-test -addext "subjectAltName=IP:$GATEWAY" 2>/dev/null
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$KT_DIR/client.key" -out "$KT_DIR/client.cert" -days 2 -subj /CN=kist-client 2>/dev/null
	registry_of tls "$TLS_PORT" ", tls: {key: $KT_DIR/key, certificate: $KT_DIR/cert, clientcas: [$KT_DIR/client.cert]}"
	registry_of plain "$PLAIN_PORT" ""
	eventually curl -sf "http://$GATEWAY:$PLAIN_PORT/v2/"
	eventually curl -skf --cert "$KT_DIR/client.cert" --key "$KT_DIR/client.key" "https://$GATEWAY:$TLS_PORT/v2/"
	"$KIST" tag kist.local/busybox "$GATEWAY:$TLS_PORT/a:1"
	"$KIST" tag kist.local/busybox "$GATEWAY:$PLAIN_PORT/a:1"
}

teardown_file() {
	kill "$(cat "$KT_DIR/tls.pid")" "$(cat "$KT_DIR/plain.pid")"
	kist_end
	rm -rf "$CERTS"
}

registry_of() { # NAME PORT TLS
	cat >"$KT_DIR/$1.yml" <<-YML
		version: 0.1
		log: {level: error}
		storage: {filesystem: {rootdirectory: $KT_DIR/$1}}
		http: {addr: "$GATEWAY:$2"$3}
	YML
	docker-registry serve "$KT_DIR/$1.yml" >"$KT_DIR/$1.log" 2>&1 3>&- &
	echo $! >"$KT_DIR/$1.pid"
}

@test "certs.d: an authority of our own, and a certificate to show" {
	local dir=$CERTS/$GATEWAY:$TLS_PORT
	run -1 "$KIST" push "$GATEWAY:$TLS_PORT/a:1"
	[[ "${lines[-1]}" == *"SSL certificate problem"* ]]
	mkdir "$dir"
	cp "$KT_DIR/cert" "$dir/ca.crt"
	run -1 "$KIST" push "$GATEWAY:$TLS_PORT/a:1"
	[[ "${lines[-1]}" == *"cannot be reached"* && "$output" != *"SSL certificate problem"* ]]
	cp "$KT_DIR/client.cert" "$KT_DIR/client.key" "$dir"
	"$KIST" push -q "$GATEWAY:$TLS_PORT/a:1"
	"$KIST" pull -q "$GATEWAY:$TLS_PORT/a:1"
	# A certificate without its key is said by its name.
	rm "$dir/client.key"
	run -1 "$KIST" pull "$GATEWAY:$TLS_PORT/a:1"
	[[ "$output" == *"$dir/client.key"* ]]
	rm -r "$dir"
}

@test "insecure-registries: by name and by network; nobody else" {
	run -1 "$KIST" push "$GATEWAY:$PLAIN_PORT/a:1"
	[[ "${lines[-1]}" == *"cannot be reached"* ]]
	for what in "$GATEWAY:$PLAIN_PORT" "$GATEWAY/30"; do
		kistd_stop
		kistd_up --insecure-registry "$what"
		"$KIST" push -q "$GATEWAY:$PLAIN_PORT/a:1"
		"$KIST" pull -q "$GATEWAY:$PLAIN_PORT/a:1"
	done
	kistd_stop
	kistd_up --insecure-registry "$GATEWAY:1" --insecure-registry 192.0.2.0/24
	run -1 "$KIST" pull "$GATEWAY:$PLAIN_PORT/a:1"
	for bad in http://a 10.0.0.0/33 ""; do
		run -2 "$BUILD/bin/kistd" --validate --insecure-registry "$bad"
		[[ "$output" == *"--insecure-registry: \"$bad\" is neither"* ]]
	done
	run -2 "$BUILD/bin/kistd" --validate --max-concurrent-uploads 0
	echo '{"insecure-registries": ["a:5000"], "max-concurrent-uploads": 3}' >"$BATS_TEST_TMPDIR/kistd.json"
	"$BUILD/bin/kistd" --validate --config "$BATS_TEST_TMPDIR/kistd.json"
}
