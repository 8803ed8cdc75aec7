#!/usr/bin/env bats
# How the daemon is reached: TCP with TLS and certificates, ssh, contexts.

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

ssh_start() { # a real sshd on loopback, whose users find kist, and docker, which is kist
	[ ! -f "$TLS/sshd.pid" ] || return 0
	[ -d /run/sshd ] || mkdir -p /run/sshd
	SSH_PORT=$(free_port)
	mkdir "$TLS/bin"
	ln -s "$KIST" "$TLS/bin/kist"
	ln -s "$KIST" "$TLS/bin/docker"
	ssh-keygen -q -t ed25519 -N '' -f "$TLS/host-key"
	ssh-keygen -q -t ed25519 -N '' -f "$TLS/id"
	cat >"$TLS/sshd_config" <<-CONF
		Port $SSH_PORT
		ListenAddress 127.0.0.1
		HostKey $TLS/host-key
		AuthorizedKeysFile $TLS/id.pub
		StrictModes no
		UsePAM no
		PermitRootLogin yes
		PidFile $TLS/sshd.pid
		SetEnv PATH=$TLS/bin:/usr/bin:/bin
	CONF
	cat >"$TLS/ssh_config" <<-CONF
		Host *
		 IdentityFile $TLS/id
		 StrictHostKeyChecking no
		 UserKnownHostsFile /dev/null
		 LogLevel ERROR
	CONF
	echo "$SSH_PORT" >"$TLS/ssh-port"
	# ssh reads the configuration of the passwd entry's home, not of HOME.
	mkdir "$TLS/client-bin"
	printf '#!/bin/sh\nexec /usr/bin/ssh -F %s "$@"\n' "$TLS/ssh_config" >"$TLS/client-bin/ssh"
	chmod 755 "$TLS/client-bin/ssh"
	/usr/sbin/sshd -f "$TLS/sshd_config" -E "$TLS/sshd.log" 3>&-
	eventually test -s "$TLS/sshd.pid"
}

over_ssh() { # PROGRAM ARG...
	local program=$1
	shift
	env -u KIST_HOST -u DOCKER_HOST PATH="$TLS/client-bin:$PATH" "$program" --host "ssh://root@127.0.0.1:$(cat "$TLS/ssh-port")$KT_DIR/kist.sock" "$@"
}

@test "TLS with certificates: both clients run, pipe, exec and see exit codes" {
	for program in "$KIST" /usr/bin/docker; do
		[ "$(echo through | tls "$program" run --rm -i "$BUSYBOX" cat)" = through ]
		run tls "$program" run --rm "$BUSYBOX" sh -c 'exit 7'
		[ "$status" -eq 7 ]
		tls "$program" run -d --name far "$BUSYBOX" sleep 300
		[ "$(echo in | tls "$program" exec -i far sh -c 'cat; echo out')" = $'in\nout' ]
		tls "$program" rm -f far
	done
}

@test "TLS carries many bytes in both directions, whole" {
	head -c 20000000 /dev/urandom >"$BATS_TEST_TMPDIR/bytes"
	tls "$KIST" run --rm -i "$BUSYBOX" cat <"$BATS_TEST_TMPDIR/bytes" >"$BATS_TEST_TMPDIR/back"
	cmp "$BATS_TEST_TMPDIR/bytes" "$BATS_TEST_TMPDIR/back"
	# More out than in: nobody on the way may wait with the one for the other.
	[ "$(head -c 3000000 /dev/zero | tls "$KIST" run --rm -i "$BUSYBOX" hexdump -v -C | tail -n 1)" = 002dc6c0 ]
}

@test "who shows no certificate, one of another authority, or a server's, gets nothing" {
	run curl -sS --cacert "$TLS/ca.pem" "https://localhost:$PORT/version"
	[ "$status" -ne 0 ]
	run curl -sS --cacert "$TLS/ca.pem" --cert "$TLS/other-client.pem" --key "$TLS/other-client-key.pem" "https://localhost:$PORT/version"
	[ "$status" -ne 0 ]
	run curl -sS --cacert "$TLS/ca.pem" --cert "$TLS/server.pem" --key "$TLS/server-key.pem" "https://localhost:$PORT/version"
	[ "$status" -ne 0 ]
	run curl -sS "http://localhost:$PORT/version"
	[ "$status" -ne 0 ]
	run curl -sS --cacert "$TLS/ca.pem" --cert "$TLS/client.pem" --key "$TLS/client-key.pem" "https://localhost:$PORT/_ping"
	[ "$output" = OK ]
	export DOCKER_CONFIG=$BATS_TEST_TMPDIR/none
	run --separate-stderr "$KIST" --host "tcp://localhost:$PORT" --tlsverify --tlscacert "$TLS/ca.pem" ps
	[ "$status" -eq 1 ]
	[[ $stderr == *"localhost refused us"* ]]
}

@test "a host whose certificate is not good is not talked to" {
	run --separate-stderr env -u KIST_HOST "$KIST" --host "tcp://localhost:$PORT" --tlsverify --tlscacert "$TLS/other-ca.pem" ps
	[ "$status" -eq 1 ]
	[[ $stderr == *"NOT trusted"* ]]
	# Right authority, wrong name.
	run --separate-stderr env -u KIST_HOST "$KIST" --host "tcp://127.0.0.2:$PORT" --tlsverify --tlscacert "$TLS/ca.pem" ps
	[ "$status" -eq 1 ]
}

@test "DOCKER_TLS_VERIFY and DOCKER_CERT_PATH say the same, and KIST_ ones" {
	mkdir "$BATS_TEST_TMPDIR/certs"
	for name in cert key; do ln -s "$TLS/client$([ $name = cert ] || echo -key).pem" "$BATS_TEST_TMPDIR/certs/$name.pem"; done
	ln -s "$TLS/ca.pem" "$BATS_TEST_TMPDIR/certs/ca.pem"
	for prefix in DOCKER KIST; do
		run env -u KIST_HOST -u DOCKER_HOST "${prefix}_HOST=tcp://localhost:$PORT" "${prefix}_TLS_VERIFY=1" \
			"${prefix}_CERT_PATH=$BATS_TEST_TMPDIR/certs" "$KIST" version -f '{{.Server.Version}}'
		[ "$status" -eq 0 ]
	done
}

@test "kist-tls has no rights, and a session through it outlives the daemon" {
	[[ $(pgrep -P "$(kistd_pid)" -f 'kist-tls serve' | xargs -I{} sed -n 's/^Uid:\t\([0-9]*\).*/\1/p' /proc/{}/status) == 65534 ]]
	mkfifo "$BATS_TEST_TMPDIR/in"
	tls "$KIST" run --name lives -i "$BUSYBOX" cat <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out" 3>&- &
	local client=$!
	exec 8>"$BATS_TEST_TMPDIR/in"
	echo one >&8
	eventually grep -q one "$BATS_TEST_TMPDIR/out"
	kistd_kill9
	echo two >&8
	eventually grep -q two "$BATS_TEST_TMPDIR/out"
	# The port is free for the next daemon while that session goes on.
	kistd_up --host "tcp://127.0.0.1:$PORT" --tlsverify --tlscacert "$TLS/ca.pem" --tlscert "$TLS/server.pem" --tlskey "$TLS/server-key.pem" 8>&-
	echo three >&8
	eventually grep -q three "$BATS_TEST_TMPDIR/out"
	exec 8>&-
	gone "$client"
	eventually is_state lives exited
	tls "$KIST" rm lives
}

@test "kist-tls is started again when it dies" {
	local pid
	pid=$(pgrep -P "$(kistd_pid)" -f 'kist-tls serve')
	kill -9 "$pid"
	eventually tls "$KIST" version
}

@test "TCP without certificates: refused, unless it is meant and on the loopback" {
	local try=("$BUILD/bin/kistd" --root "$BATS_TEST_TMPDIR/r" --run-root "$BATS_TEST_TMPDIR/run" --bridge "${KT_NAME}x" --cgroup-parent "kist-test-$KT_NAME-x")
	run timeout 20 "${try[@]}" --host "tcp://127.0.0.1:$PLAIN_PORT"
	[ "$status" -eq 1 ]
	[[ $output == *"whoever reaches it would be root"* ]]
	run timeout 20 "${try[@]}" --host "tcp://0.0.0.0:$PLAIN_PORT" --tls=false
	[ "$status" -eq 1 ]
	[[ $output == *"only a loopback address"* ]]
	run timeout 20 "${try[@]}" --host "tcp://0.0.0.0:$PLAIN_PORT" --tls --tlscert "$TLS/server.pem" --tlskey "$TLS/server-key.pem"
	[ "$status" -eq 1 ]
	[[ $output == *"only a loopback address"* ]]
	run timeout 20 "${try[@]}" --host "tcp://127.0.0.1:$PLAIN_PORT" --tlsverify --tlscacert "$TLS/ca.pem" --tlscert "$TLS/none.pem" --tlskey "$TLS/server-key.pem"
	[ "$status" -eq 1 ]
	[[ $output == *none.pem* ]]
}

@test "plain TCP on the loopback works for both clients, and warns" {
	kistd_stop
	kistd_up --host "tcp://127.0.0.1:$PLAIN_PORT" --tlsverify=false
	grep -q 'asks nobody for a certificate' "$KT_DIR/kistd.log"
	for program in "$KIST" /usr/bin/docker; do
		[ "$(echo x | env -u KIST_HOST "$program" --host "tcp://127.0.0.1:$PLAIN_PORT" run --rm -i "$BUSYBOX" cat)" = x ]
	done
	kistd_stop
	kistd_up --host "tcp://127.0.0.1:$PORT" --tlsverify --tlscacert "$TLS/ca.pem" --tlscert "$TLS/server.pem" --tlskey "$TLS/server-key.pem"
}

@test "ssh: both clients run, pipe and see exit codes" {
	ssh_start
	[ "$(echo through | over_ssh "$KIST" run --rm -i "$BUSYBOX" cat)" = through ]
	[ "$(head -c 3000000 /dev/zero | over_ssh "$KIST" run --rm -i "$BUSYBOX" hexdump -v -C | tail -n 1)" = 002dc6c0 ]
	run over_ssh "$KIST" run --rm "$BUSYBOX" sh -c 'exit 9'
	[ "$status" -eq 9 ]
	# The stock client asks for "docker system dial-stdio" there, and knows of no socket's path.
	run env -u KIST_HOST -u DOCKER_HOST PATH="$TLS/client-bin:$PATH" /usr/bin/docker --host "ssh://root@127.0.0.1:$(cat "$TLS/ssh-port")" ps
	[[ $output == *"/run/kist/kist.sock"* || $status -eq 0 ]]
}

@test "a host that would be an option or a command is refused before anything is started" {
	ssh_start
	for host in 'ssh://-oProxyCommand=touch${IFS}x' 'ssh://-oProxyCommand=x@host' 'ssh://host/tmp/$(id)' "ssh://host/;id" 'ssh://host:-1' \
		'ssh://ho st' 'ssh://' 'tcp://host:99999' 'tcp://-h' 'unix://' 'http://host'; do
		run env -u KIST_HOST -u DOCKER_HOST PATH="$TLS/client-bin:$PATH" "$KIST" --host "$host" ps
		[ "$status" -eq 1 ]
		[[ $output == *"is not unix://PATH, tcp://HOST:PORT or ssh://"* ]]
	done
	[ ! -e x ]
}

@test "dial-stdio is the daemon's socket" {
	run bash -c "printf 'GET /_ping HTTP/1.0\r\n\r\n' | '$KIST' system dial-stdio"
	[[ $output == *OK ]]
	run "$KIST" --host "unix://$BATS_TEST_TMPDIR/none.sock" system dial-stdio </dev/null
	[ "$status" -eq 1 ]
	[[ $output == *"is it running?"* ]]
}
