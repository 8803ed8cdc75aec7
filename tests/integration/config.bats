#!/usr/bin/env bats
# Docker's own configuration as kist reads it: contexts, headers, keys, credentials and their helpers.

load ../lib/kist.bash

setup_file() { kist_start; }
teardown_file() { kist_end; }

setup() {
	export DOCKER_CONFIG=$BATS_TEST_TMPDIR/config
	mkdir -p "$DOCKER_CONFIG"
	SOCKET=unix://$KT_DIR/kist.sock
}

# Without the variables that name a host.
plain() { env -u KIST_HOST -u DOCKER_HOST "$@"; }

@test "contexts: what kist makes docker reads, and the other way round" {
	plain "$KIST" context create mine --description "made by kist" --docker "host=$SOCKET"
	plain docker context create theirs --description "made by docker" --docker "host=$SOCKET"
	for program in "$KIST" docker; do
		run plain "$program" context ls -q
		[ "$output" = $'default\nmine\ntheirs' ]
		[ "$(plain "$program" context inspect theirs -f '{{.Endpoints.docker.Host}}')" = "$SOCKET" ]
		[ "$(plain "$program" --context mine version -f '{{.Server.Version}}')" = 0.1.0 ]
		[ "$(plain env DOCKER_CONTEXT=theirs "$program" version -f '{{.Server.Version}}')" = 0.1.0 ]
	done
	plain docker context use mine
	[ "$(plain "$KIST" context show)" = mine ]
	[ "$(plain "$KIST" version -f '{{.Server.Version}}')" = 0.1.0 ]
	plain "$KIST" context use theirs
	run plain docker context ls
	[[ $output == *"theirs *"* ]]
	plain "$KIST" context use default
	[ "$(plain "$KIST" context show)" = default ]
}

@test "contexts: TLS files, update, export and import with docker at the other end" {
	mkdir "$BATS_TEST_TMPDIR/tls"
	"$BATS_TEST_DIRNAME/../lib/certificates" "$BATS_TEST_TMPDIR/tls"
	cd "$BATS_TEST_TMPDIR/tls"
	plain "$KIST" context create far --docker host=tcp://far:2376,ca=ca.pem,cert=client.pem,key=client-key.pem
	plain "$KIST" context update far --description "far away"
	plain docker context inspect far | jq -e '.[0] | .Metadata.Description == "far away" and .Endpoints.docker.Host == "tcp://far:2376"
		and .TLSMaterial.docker == ["ca.pem", "cert.pem", "key.pem"]'
	[ "$(find "$DOCKER_CONFIG/contexts/tls" -name key.pem -perm 0600 | wc -l)" -eq 1 ]
	plain "$KIST" context export far far.tar
	[ "$(stat -c %a far.tar)" = 600 ]
	plain docker context import copy far.tar
	cmp "$(dirname "$(find "$DOCKER_CONFIG/contexts/tls" -path "*$(printf copy | sha256sum | cut -d' ' -f1)*" -name ca.pem)")/key.pem" client-key.pem
	plain docker context export copy theirs.tar
	plain "$KIST" context import again - <theirs.tar
	[ "$(plain docker context inspect again -f '{{.Endpoints.docker.Host}}')" = tcp://far:2376 ]
	plain "$KIST" context create third --from again --docker host=ssh://there
	[ "$(plain "$KIST" context inspect third -f '{{.Endpoints.docker.Host}}')" = ssh://there ]
	plain "$KIST" context rm far copy again third
	[ "$(plain "$KIST" context ls -q)" = default ]
	[ -z "$(ls "$DOCKER_CONFIG/contexts/tls")" ]
}

@test "contexts: refusals" {
	run plain "$KIST" context create default --docker "host=$SOCKET"
	[ "$status" -eq 1 ]
	run plain "$KIST" context create ../up --docker "host=$SOCKET"
	[ "$status" -eq 1 ]
	run plain "$KIST" context create bad --docker host=ssh://-oProxyCommand=x
	[ "$status" -eq 1 ]
	run plain "$KIST" context create bad
	[[ $status -eq 1 && $output == *"needs a host"* ]]
	run plain "$KIST" --context nowhere ps
	[[ $status -eq 1 && $output == *'context "nowhere" does not exist'* ]]
	run plain "$KIST" --context nowhere --host "$SOCKET" ps
	[[ $status -eq 1 && $output == *"one of them says where"* ]]
	plain "$KIST" context create one --docker "host=$SOCKET"
	run plain "$KIST" context create one --docker "host=$SOCKET"
	[[ $status -eq 1 && $output == *"already exists"* ]]
	plain "$KIST" context use one
	run plain "$KIST" context rm one
	[[ $status -eq 1 && $output == *"is the current one"* ]]
	plain "$KIST" context rm -f one
	# An archive that somebody else made.
	mkdir -p "$BATS_TEST_TMPDIR/a/tls/docker"
	echo '{"Name":"x","Endpoints":{"docker":{"Host":"unix:///s"}}}' >"$BATS_TEST_TMPDIR/a/meta.json"
	ln -s /etc/shadow "$BATS_TEST_TMPDIR/a/tls/docker/key.pem"
	tar -C "$BATS_TEST_TMPDIR/a" -cf "$BATS_TEST_TMPDIR/a.tar" meta.json tls
	run plain "$KIST" context import evil "$BATS_TEST_TMPDIR/a.tar"
	[[ $status -eq 1 && $output == *"no context has"* ]]
	[ "$(plain "$KIST" context ls -q)" = default ]
}

@test "a host that is given counts more than a context" {
	plain "$KIST" context create one --docker host=unix:///nowhere.sock
	plain "$KIST" context use one
	[ "$("$KIST" version -f '{{.Server.Version}}')" = 0.1.0 ]
	[ "$(plain "$KIST" -H "$SOCKET" version -f '{{.Server.Version}}')" = 0.1.0 ]
	run plain "$KIST" version -f '{{.Server.Version}}'
	[[ $output == *"/nowhere.sock"* ]]
}

@test "HttpHeaders are sent, and none that would be two" {
	local port
	port=$(free_port)
	echo '{"HttpHeaders": {"X-Meta": "from the file"}}' >"$DOCKER_CONFIG/config.json"
	python3 - "$port" >"$BATS_TEST_TMPDIR/seen" 3>&- <<-'PY' &
		import socket, sys
		s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
		c = s.accept()[0]
		print(c.recv(65536).decode())
		c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")
	PY
	local server=$!
	eventually bash -c "grep -q '$(printf '%04X' "$port")' /proc/net/tcp"
	plain "$KIST" -H "tcp://127.0.0.1:$port" ps
	wait $server
	grep -q '^X-Meta: from the file' "$BATS_TEST_TMPDIR/seen"
	printf '{"HttpHeaders": {"X-Meta": "a\\r\\nX-Other: b"}}' >"$DOCKER_CONFIG/config.json"
	run "$KIST" ps
	[[ $status -eq 1 && $output == *"not a header"* ]]
}

@test "a config.json that cannot be read is a warning" {
	echo '{' >"$DOCKER_CONFIG/config.json"
	run "$KIST" ps -q
	[[ $status -eq 0 && $output == *warning* && $output == *config.json* ]]
}

@test "credentials: auths and helpers come to the registry's door with a pull" {
	local port
	port=$(free_port)
	# A daemon of cardboard that writes down what it is told.
	cat >"$BATS_TEST_TMPDIR/daemon.py" <<-'PY'
		import base64, http.server, sys
		class H(http.server.BaseHTTPRequestHandler):
		    def do_POST(self):
		        auth = self.headers.get("X-Registry-Auth")
		        print(self.path, base64.urlsafe_b64decode(auth).decode() if auth else "none", flush=True)
		        self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
		    def log_message(self, *a): pass
		http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), H).serve_forever()
	PY
	python3 "$BATS_TEST_TMPDIR/daemon.py" "$port" >"$BATS_TEST_TMPDIR/seen" 3>&- &
	local server=$!
	mkdir "$BATS_TEST_TMPDIR/bin"
	cat >"$BATS_TEST_TMPDIR/bin/docker-credential-test" <<-'SH'
		#!/bin/sh
		read -r server
		case $1/$server in
		get/helped.example) echo '{"ServerURL":"helped.example","Username":"h","Secret":"s3"}' ;;
		get/token.example) echo '{"ServerURL":"token.example","Username":"<token>","Secret":"tok"}' ;;
		get/broken.example) echo 'the safe is locked'; exit 1 ;;
		*) echo 'credentials not found in native keychain'; exit 1 ;;
		esac
	SH
	chmod 755 "$BATS_TEST_TMPDIR/bin/docker-credential-test"
	cat >"$DOCKER_CONFIG/config.json" <<-JSON
		{"auths": {"https://plain.example/v1/": {"auth": "$(printf 'me:pass:word' | base64)"}, "https://index.docker.io/v1/": {"auth": "$(printf 'hub:x' | base64)"},
		           "rotten.example": {"auth": "!!!"}},
		 "credHelpers": {"helped.example": "test", "token.example": "test", "broken.example": "test", "asleep.example": "asleep", "talks.example": "talks", "none.example": "test", "evil.example": "../../bin/sh"}}
	JSON
	pull() { plain env PATH="$BATS_TEST_TMPDIR/bin:$PATH" "$KIST" -H "tcp://127.0.0.1:$port" pull "$1"; }
	eventually bash -c "grep -q '$(printf '%04X' "$port")' /proc/net/tcp"
	for image in plain.example/a alpine helped.example/a token.example/a none.example/a; do pull "$image"; done
	run pull broken.example/a
	[[ $status -eq 1 && $output == *"the safe is locked"* ]]
	run pull rotten.example/a
	[[ $status -eq 1 && $output == *"not base64"* ]]
	# One that never ends, and one that never ends speaking.
	printf '#!/bin/sh\nexec sleep 1000\n' >"$BATS_TEST_TMPDIR/bin/docker-credential-asleep"
	printf '#!/bin/sh\nexec yes\n' >"$BATS_TEST_TMPDIR/bin/docker-credential-talks"
	chmod 755 "$BATS_TEST_TMPDIR"/bin/docker-credential-{asleep,talks}
	KIST_CREDENTIAL_HELPER_TIMEOUT=1 run pull asleep.example/a
	[ "$status" -eq 1 ]
	[ "$output" = "kist: docker-credential-asleep get: no answer within 1 s (KIST_CREDENTIAL_HELPER_TIMEOUT)" ]
	run pull talks.example/a
	[ "$status" -eq 1 ]
	[ "$output" = "kist: docker-credential-talks get: it says more than 1048576 bytes" ]
	run pull evil.example/a
	[[ $status -eq 1 && $output == *"not a name of a credential helper"* ]]
	kill $server
	cat "$BATS_TEST_TMPDIR/seen"
	grep -q 'plain.example.*"username":"me","password":"pass:word"' "$BATS_TEST_TMPDIR/seen"
	grep -q 'fromImage=alpine.*"username":"hub"' "$BATS_TEST_TMPDIR/seen"
	grep -q 'helped.example.*"username":"h","password":"s3"' "$BATS_TEST_TMPDIR/seen"
	grep -q 'token.example.*"identitytoken":"tok"' "$BATS_TEST_TMPDIR/seen"
	grep -q 'none.example.* none' "$BATS_TEST_TMPDIR/seen"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/seen")" -eq 5 ]
}

@test "docker may be a link to kist, and says what it is" {
	mkdir "$BATS_TEST_TMPDIR/bin"
	ln -s "$KIST" "$BATS_TEST_TMPDIR/bin/docker"
	run "$BATS_TEST_TMPDIR/bin/docker" --help
	[[ $output == *"Usage: docker "* && $output == *"This is Kist, called docker"* ]]
	[ "$("$BATS_TEST_TMPDIR/bin/docker" run --rm "$BUSYBOX" echo hi)" = hi ]
	run "$BATS_TEST_TMPDIR/bin/docker" ps --nonsense
	[[ $status -eq 1 && $output == "docker: ps: unknown flag: --nonsense"* ]]
}

@test "exit statuses of command lines: 125 for run and create, 1 for others; near words are named" {
	for verb in run create; do
		run "$KIST" "$verb" --nonsense x
		[ "$status" -eq 125 ]
		run "$KIST" "$verb"
		[ "$status" -eq 125 ]
		run "$KIST" "$verb" --rmm x
		[[ $status -eq 125 && $output == *"did you mean --rm?"* ]] || [ "$verb" = create ]
	done
	run "$KIST" ps --al
	[[ $status -eq 1 && $output == *"did you mean --all?"* ]]
	run "$KIST" imges
	[[ $status -eq 1 && $output == *"did you mean images?"* ]]
	run "$KIST" container nonsense
	[[ $status -eq 1 && $output == *'"container nonsense" is not a command'* ]]
	run "$KIST" --nonsense ps
	[ "$status" -eq 125 ]
	run "$KIST" context
	[[ $status -eq 0 && $output == *"Usage: kist context COMMAND"* ]]
}

@test "config.json says how lists are printed, where neither --format nor -q does" {
	cat >"$DOCKER_CONFIG/config.json" <<-'JSON'
		{"psFormat": "p {{.Names}}", "imagesFormat": "table {{.Repository}}", "volumesFormat": "v {{.Name}}", "networksFormat": "n {{.Name}}", "statsFormat": "s {{.Name}}"}
	JSON
	"$KIST" run -d --name listed $BUSYBOX sleep 60
	"$KIST" volume create listed
	[ "$("$KIST" ps)" = "p listed" ]
	[ "$("$KIST" ps --format '{{.Image}}')" = $BUSYBOX ]
	[ "$("$KIST" ps -q --no-trunc)" = "$("$KIST" inspect -f '{{.Id}}' listed)" ]
	[ "$("$KIST" images)" = $'REPOSITORY\nkist.local/busybox' ]
	[ "$("$KIST" volume ls)" = "v listed" ]
	[ "$("$KIST" volume ls -q)" = listed ]
	"$KIST" network ls | grep -qx 'n bridge'
	[ "$("$KIST" stats --no-stream)" = "s listed" ]
	rm "$DOCKER_CONFIG/config.json"
	"$KIST" ps | grep -q '^CONTAINER ID'
	"$KIST" rm -f listed
	"$KIST" volume rm listed
}

@test "letters that changed places are one mistake: rnu is run" {
	run -1 "$KIST" rnu
	[[ $output == *"did you mean run?"* ]]
	run -1 "$KIST" ispnect
	[[ $output == *"did you mean inspect?"* ]]
	run -1 "$KIST" xyz
	[[ $output != *"did you mean"* ]]
}

@test "proxies of config.json are the environment of new containers; what the command line says goes before" {
	jq -n --arg here "$SOCKET" '{proxies: {default: {httpProxy: "http://one:3128", noProxy: "*.local"}, "tcp://else": {httpProxy: "http://two:3128"}}}' \
		>"$DOCKER_CONFIG/config.json"
	[ "$("$KIST" run --rm "$BUSYBOX" env | grep -i proxy | sort)" = $'HTTP_PROXY=http://one:3128\nNO_PROXY=*.local\nhttp_proxy=http://one:3128\nno_proxy=*.local' ]
	# As with docker, each spelling for itself; a name alone that is not set here is none in there.
	[ "$("$KIST" run --rm -e HTTP_PROXY=mine -e no_proxy "$BUSYBOX" env | grep -i proxy | sort)" = $'HTTP_PROXY=mine\nNO_PROXY=*.local\nhttp_proxy=http://one:3128' ]
	[ "$("$KIST" run --rm -e HTTP_PROXY=mine -e no_proxy "$BUSYBOX" env | grep -i proxy | sort)" = "$(docker run --rm -e HTTP_PROXY=mine -e no_proxy "$BUSYBOX" env | grep -i proxy | sort)" ]
	echo http_proxy=file >"$BATS_TEST_TMPDIR/env"
	[ "$("$KIST" run --rm --env-file "$BATS_TEST_TMPDIR/env" "$BUSYBOX" env | grep http_proxy)" = http_proxy=file ]
	# Those of the daemon at hand go before "default".
	jq --arg here "$KIST_HOST" '.proxies[$here] = {allProxy: "socks5://three:1080"}' "$DOCKER_CONFIG/config.json" >"$DOCKER_CONFIG/new"
	mv "$DOCKER_CONFIG/new" "$DOCKER_CONFIG/config.json"
	[ "$("$KIST" run --rm "$BUSYBOX" env | grep -i proxy | sort)" = $'ALL_PROXY=socks5://three:1080\nall_proxy=socks5://three:1080' ]
	"$KIST" create --name told "$BUSYBOX" true
	"$KIST" inspect -f '{{json .Config.Env}}' told | grep -q ALL_PROXY
	"$KIST" rm told
}
