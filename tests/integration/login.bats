# Who we are to a registry: htpasswd, TLS with an authority of our own, and tokens.
load ../lib/kist

setup_file() {
	kist_start
	"$KIST" run --rm kist.local/busybox true # makes the bridge
	GATEWAY=$(ip -o -4 addr show "$KT_NAME" | awk '{sub("/.*", "", $4); print $4}')
	export GATEWAY
	LOCKED_PORT=$(free_port) HARD_PORT=$(free_port) OTHER_PORT=$(free_port) RECORD=$KT_DIR/record
	LOCKED=localhost:$LOCKED_PORT HARD=localhost:$HARD_PORT
	export LOCKED LOCKED_PORT HARD HARD_PORT OTHER_PORT RECORD
	mkdir "$KT_DIR/images" "$KT_DIR/images/d"
	# bcrypt, as htpasswd -B writes it.
	perl -e 'print "me:", crypt("kist-secret", q($2y$04$abcdefghijklmnopqrstuu)), "\n"' >"$KT_DIR/htpasswd"
	cat >"$KT_DIR/locked.yml" <<-YML
		version: 0.1
		log: {level: error}
		storage: {filesystem: {rootdirectory: $KT_DIR/locked}}
		http: {addr: "127.0.0.1:$LOCKED_PORT"}
		auth: {htpasswd: {realm: test, path: $KT_DIR/htpasswd}}
	YML
	docker-registry serve "$KT_DIR/locked.yml" >"$KT_DIR/locked.log" 2>&1 3>&- &
	echo $! >"$KT_DIR/locked.pid"
	"$BATS_TEST_DIRNAME/../lib/push-registry" "$HARD_PORT" "$OTHER_PORT" "$GATEWAY" "$RECORD" 3>&- &
	echo $! >"$KT_DIR/hard.pid"
	touch "$RECORD.login"
	eventually curl -s "http://127.0.0.1:$LOCKED_PORT/v2/"
	eventually curl -s "http://127.0.0.1:$HARD_PORT/v2/"
	"$KIST" tag kist.local/busybox "$LOCKED/me/box:1"
}

teardown_file() {
	kill "$(cat "$KT_DIR/locked.pid")" "$(cat "$KT_DIR/hard.pid")"
	kist_end
}

setup() {
	export DOCKER_CONFIG=$BATS_TEST_TMPDIR/config
	mkdir "$DOCKER_CONFIG"
}

@test "login and logout: kist and docker" {
	for C in $(clients); do
		run -1 client "$C" login -u me --password-stdin "$LOCKED" <<<wrong
		[[ "$output" == *"credentials"* ]]
		[ ! -e "$DOCKER_CONFIG/config.json" ] || jq -e '.auths | length == 0' "$DOCKER_CONFIG/config.json"
		run -0 client "$C" login -u me --password-stdin "$LOCKED" <<<kist-secret
		[[ "$output" == *"Login Succeeded"* && "$output" != *kist-secret* ]]
		[ "$(jq -r --arg r "$LOCKED" '.auths[$r].auth' "$DOCKER_CONFIG/config.json" | base64 -d)" = me:kist-secret ]
		[ "$(stat -c %a "$DOCKER_CONFIG/config.json")" = 600 ]
		# Without words, what is known is tried.
		run -0 client "$C" login "$LOCKED"
		[[ "$output" == *"Login Succeeded"* ]]
		run -0 client "$C" logout "$LOCKED"
		[[ "$output" == "Removing login credentials for $LOCKED" ]]
		jq -e --arg r "$LOCKED" '.auths[$r] == null' "$DOCKER_CONFIG/config.json"
	done
	run -0 "$KIST" logout "$LOCKED"
	[ "$output" = "Not logged in to $LOCKED" ]
}

@test "login: a password on the command line works, with a warning; nonsense is refused" {
	run -0 "$KIST" login -u me -p kist-secret "$LOCKED"
	[[ "${lines[0]}" == WARNING*--password-stdin* && "$output" == *"Login Succeeded"* ]]
	run -1 "$KIST" login -u me -p x --password-stdin "$LOCKED" </dev/null
	run -1 "$KIST" login --password-stdin "$LOCKED" <<<x
	run -1 "$KIST" login -u me --password-stdin "$LOCKED" </dev/null
	[ "${#lines[@]}" = 1 ]
	run -1 "$KIST" login -u me -p x localhost:1
	[[ "${lines[-1]}" == *"localhost:1"*"cannot be reached"* ]]
	"$KIST" logout "$LOCKED"
	run -1 "$KIST" login "$LOCKED" </dev/null
	[[ "$output" == *"no terminal"* ]]
	# On a terminal it asks, and does not show the answer.
	run -0 script -qec "$KIST login $LOCKED" /dev/null < <(printf 'me\n'; sleep 2; printf 'kist-secret\n')
	[[ "$output" == *"Password:"*"Login Succeeded"* ]]
}

@test "push and pull with what login has kept; without it, no" {
	run -1 "$KIST" push "$LOCKED/me/box:1"
	[[ "${lines[-1]}" == *"the registry wants some credentials"* ]]
	"$KIST" login -u me --password-stdin "$LOCKED" <<<kist-secret
	"$KIST" push -q "$LOCKED/me/box:1"
	"$KIST" rmi "$LOCKED/me/box:1"
	"$KIST" pull -q "$LOCKED/me/box:1"
	"$KIST" logout "$LOCKED"
	run -1 "$KIST" pull "$LOCKED/me/box:1"
	[[ "$output" == *"credentials"* ]]
}

@test "a credential helper keeps it" {
	mkdir "$BATS_TEST_TMPDIR/bin"
	cat >"$BATS_TEST_TMPDIR/bin/docker-credential-kept" <<-SH
		#!/bin/sh
		case \$1 in
		store) cat >"$BATS_TEST_TMPDIR/kept" ;;
		erase) rm "$BATS_TEST_TMPDIR/kept" ;;
		get) cat "$BATS_TEST_TMPDIR/kept" 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; } ;;
		esac
	SH
	chmod +x "$BATS_TEST_TMPDIR/bin/docker-credential-kept"
	export PATH=$BATS_TEST_TMPDIR/bin:$PATH
	echo '{"credsStore": "kept"}' >"$DOCKER_CONFIG/config.json"
	run -0 "$KIST" login -u me --password-stdin "$LOCKED" <<<kist-secret
	[[ "$output" != *unencrypted* ]]
	jq -e --arg r "$LOCKED" '.ServerURL == $r and .Username == "me" and .Secret == "kist-secret"' "$BATS_TEST_TMPDIR/kept"
	! grep -q "auth\"" "$DOCKER_CONFIG/config.json"
	"$KIST" pull -q "$LOCKED/me/box:1"
	"$KIST" logout "$LOCKED"
	[ ! -e "$BATS_TEST_TMPDIR/kept" ]
}

@test "an identity token takes the place of the password" {
	run -0 "$KIST" login -u user --password-stdin "$HARD" <<<kist-secret
	jq -e --arg r "$HARD" '.auths[$r].identitytoken == "identity-1"' "$DOCKER_CONFIG/config.json"
	[ "$(jq -r --arg r "$HARD" '.auths[$r].auth' "$DOCKER_CONFIG/config.json" | base64 -d)" = user: ]
	! grep -q kist-secret "$DOCKER_CONFIG/config.json"
	# It opens the door by itself.
	"$KIST" tag kist.local/busybox "$HARD/identity/box:1"
	: >"$RECORD"
	"$KIST" push -q "$HARD/identity/box:1"
	grep -q "POST /token" "$RECORD"
	! grep -q Basic "$RECORD"
	run -1 "$KIST" login -u user --password-stdin "$HARD" <<<wrong
}

@test "what is sent to /auth is checked, and never kept" {
	post() { curl -s -o "$BATS_TEST_TMPDIR/answer" -w '%{http_code}' --unix-socket "$KT_DIR/kist.sock" -H 'Content-Type: application/json' -d "$1" http://kist/auth; }
	[ "$(post '{}')" = 400 ]
	[ "$(post "{\"username\": \"me\", \"password\": \"kist-secret\", \"serveraddress\": \"a b\"}")" = 400 ]
	[ "$(post "{\"username\": \"me\", \"password\": \"wrong\", \"serveraddress\": \"$LOCKED\"}")" = 401 ]
	[ "$(post "{\"username\": \"me\", \"password\": \"kist-secret\", \"serveraddress\": \"http://$LOCKED/v2/\"}")" = 200 ]
	jq -e '.Status == "Login Succeeded"' "$BATS_TEST_TMPDIR/answer"
	! grep -rq kist-secret "$KT_DIR/root" "$KT_DIR/run" "$KT_DIR/kistd.log"
}
