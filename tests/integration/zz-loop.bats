load ../lib/kist.bash
setup_file() {
	local dir
	dir=$(mktemp -d "${TMPDIR:-/tmp}/kist-test-tls.XXXXXX")
	export TLS=$dir
	"$BATS_TEST_DIRNAME/../lib/certificates" "$TLS"
	PORT=$(free_port)
	PLAIN_PORT=$(free_port)
	export PORT PLAIN_PORT
	kist_start --host "tcp://127.0.0.1:$PORT" --tlsverify --tlscacert "$TLS/ca.pem" --tlscert "$TLS/server.pem" --tlskey "$TLS/server-key.pem"
	kist pull -q "$BUSYBOX" >/dev/null 2>&1 || true
}

teardown_file() {
	[ ! -f "$TLS/sshd.pid" ] || { kill "$(cat "$TLS/sshd.pid")"; gone "$(cat "$TLS/sshd.pid")"; }
	kist_end
	rm -rf "$TLS"
}

setup() { export DOCKER_CONFIG=$BATS_TEST_TMPDIR/config; }

tls() { # PROGRAM ARG...: a client with its certificate
	local program=$1
	shift
	env -u KIST_HOST -u DOCKER_HOST "$program" --host "tcp://localhost:$PORT" --tlsverify --tlscacert "$TLS/ca.pem" --tlscert "$TLS/client.pem" \
		--tlskey "$TLS/client-key.pem" "$@"
}

@test "loop" {
	for i in $(seq 60); do
	head -c 20000000 /dev/urandom >"$BATS_TEST_TMPDIR/bytes"
	timeout 60 env -u KIST_HOST -u DOCKER_HOST "$KIST" --host "tcp://localhost:$PORT" --tlsverify --tlscacert "$TLS/ca.pem" --tlscert "$TLS/client.pem" --tlskey "$TLS/client-key.pem" run --rm -i "$BUSYBOX" cat <"$BATS_TEST_TMPDIR/bytes" >"$BATS_TEST_TMPDIR/back" || { echo "HANG at $i" >&3; ls -l $BATS_TEST_TMPDIR >&3; touch /tmp/hang; sleep 100; break; }
	cmp "$BATS_TEST_TMPDIR/bytes" "$BATS_TEST_TMPDIR/back"
	done
}
