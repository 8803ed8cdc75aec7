# The way to a registry: mirrors, proxies, what is asked how often, and what is told to whom. tests/lib/faulty-proxy stands in front of Debian's docker-registry.
load ../lib/kist

front_start() { # NAME UPSTREAM: port in NAME_PORT, requests in $KT_DIR/NAME
	local port
	port=$(free_port)
	export "${1^^}_PORT=$port"
	"$BATS_TEST_DIRNAME/../lib/faulty-proxy" "$port" "$2" "$KT_DIR/$1" 3>&- &
	echo $! >"$KT_DIR/$1.pid"
	disown
	eventually curl -s -o /dev/null "http://127.0.0.1:$port/v2/"
}

setup_file() {
	FILE=$(mktemp "${TMPDIR:-/tmp}/kist-test-config.XXXXXX")
	export FILE
	echo '{}' >"$FILE"
	kist_start --config "$FILE"
	registry_start
	front_start origin "127.0.0.1:$REGISTRY_PORT"
	front_start mirror "127.0.0.1:$REGISTRY_PORT"
	ORIGIN=localhost:$ORIGIN_PORT MIRROR=localhost:$MIRROR_PORT
	export ORIGIN MIRROR
	local work=$KT_DIR/images i
	mkdir -p "$work/0/bin"
	cp "$(command -v busybox)" "$work/0/bin/busybox"
	ln -s busybox "$work/0/bin/sh"
	for i in 1 2 3 4 5; do mkdir "$work/$i"; head -c 20000 /dev/urandom >"$work/$i/file$i"; done
	for i in 0 1 2 3 4 5; do tar -C "$work/$i" --sort=name --mtime=@1700000000 --numeric-owner -cf "$work/$i.tar" .; done
	"$BATS_TEST_DIRNAME/../lib/oci-image" "$work/layout" "$work"/[0-5].tar --config '{"Env":["PATH=/bin"],"Cmd":["sh","-c","cat /file? | wc -c"]}'
	for i in test/six library/six; do skopeo copy -q --dest-tls-verify=false "oci:$work/layout" "docker://127.0.0.1:$REGISTRY_PORT/$i:1"; done
	skopeo inspect --tls-verify=false --raw "docker://127.0.0.1:$REGISTRY_PORT/test/six:1" | jq -r '.layers[].digest' >"$KT_DIR/digests"
	SMALL=$(sed -n 4p "$KT_DIR/digests") SMALLS=$(sed 1d "$KT_DIR/digests" | cut -d : -f 2 | paste -sd '|')
	export SMALL SMALLS
}

teardown_file() {
	for name in origin mirror far tls; do
		[ -f "$KT_DIR/$name.pid" ] || continue
		kill "$(cat "$KT_DIR/$name.pid")"
		gone "$(cat "$KT_DIR/$name.pid")"
	done
	kist_end
	rm -f "$FILE"
}

setup() {
	rm -f "$KT_DIR/origin.faults" "$KT_DIR/mirror.faults" "$KT_DIR/origin.peak"
	: >"$KT_DIR/origin"
	: >"$KT_DIR/mirror"
}

teardown() {
	"$KIST" rmi -f "$ORIGIN/test/six:1" six:1 >/dev/null 2>&1 || true
}

configure() { # JSON
	echo "$1" >"$FILE"
	: >"$KT_DIR/kistd.log"
	kill -HUP "$(kistd_pid)"
	eventually grep -q "configuration reread" "$KT_DIR/kistd.log"
}

faults() { # origin|mirror LINE...
	local name=$1
	shift
	printf '%s\n' "$@" >"$KT_DIR/$name.faults"
}

asked() { grep -cE "$2" "$KT_DIR/$1" || true; } # origin|mirror PATTERN
works() { [ "$("$KIST" run --rm --pull never "$1")" = 100000 ]; }

pulled_nothing() { # COMMAND...
	find "$KT_DIR/root/oci" "$KT_DIR/root/layers" "$KT_DIR/root/tmp" | sort >"$BATS_TEST_TMPDIR/before"
	run -1 "$@"
	find "$KT_DIR/root/oci" "$KT_DIR/root/layers" "$KT_DIR/root/tmp" | sort >"$BATS_TEST_TMPDIR/after"
	diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
}

# --- mirrors ---

@test "registry-mirrors: docker.io is asked for nothing that a mirror of it has; info says so" {
	configure "{\"registry-mirrors\": [\"http://$MIRROR/\"]}"
	run -0 "$KIST" pull six:1
	[[ "$output" == *"Downloaded newer image for six:1"* ]]
	works six:1
	[ "$(asked mirror 'GET /v2/library/six/blobs/')" = 7 ]
	[ "$("$KIST" info -f '{{json .RegistryConfig.Mirrors}}')" = "[\"http://$MIRROR\"]" ]
	[ "$("$KIST" info -f '{{json (index .RegistryConfig.IndexConfigs "docker.io").Mirrors}}')" = "[\"http://$MIRROR\"]" ] ||
		"$KIST" info -f '{{json .RegistryConfig}}' | jq -e --arg m "http://$MIRROR" '.IndexConfigs["docker.io"].Mirrors == [$m]'
	# Another registry's images are none of its business.
	"$KIST" pull -q "$ORIGIN/test/six:1"
	[ "$(asked mirror test/six)" = 0 ]
}

@test "mirrors of any registry, in their order; then the registry itself" {
	configure "{\"registry-mirrors\": {\"$ORIGIN\": [\"http://localhost:1\", \"http://$MIRROR\"]}}"
	"$KIST" pull -q "$ORIGIN/test/six:1"
	works "$ORIGIN/test/six:1"
	[ "$(asked mirror 'GET .*/blobs/')" = 7 ]
	[ "$(asked origin .)" = 0 ]
	"$KIST" rmi "$ORIGIN/test/six:1"
	for fault in '500 .' '404 .' '403 .' 'truncate GET.*/manifests/' 'corrupt GET.*/manifests/'; do
		: >"$KT_DIR/origin"
		faults mirror "$fault 99"
		"$KIST" pull -q "$ORIGIN/test/six:1"
		[ "$(asked origin 'GET .*/manifests/.* 200')" = 1 ]
		"$KIST" rmi "$ORIGIN/test/six:1"
	done
	# What nobody has is said of the registry.
	run -1 "$KIST" pull "$ORIGIN/test/none:1"
	[[ "$output" == *"manifest for $ORIGIN/test/none:1: not found"* ]]
	# A push is not for mirrors.
	: >"$KT_DIR/mirror"
	"$KIST" tag $BUSYBOX "$ORIGIN/test/box:1"
	"$KIST" push -q "$ORIGIN/test/box:1"
	"$KIST" rmi "$ORIGIN/test/box:1"
	[ "$(asked mirror .)" = 0 ]
}

@test "an artifact whose files a mirror breaks off or falsifies is had of the registry" {
	digest=$("$BATS_TEST_DIRNAME/../lib/put-manifest" "$REGISTRY_PORT" test/chart 1 --config application/vnd.example+json --file "a=$(head -c 40000 /dev/zero | tr '\0' a)" --file "b=$(head -c 40000 /dev/zero | tr '\0' b)")
	for fault in 'cut GET.*/blobs/ 99' 'corrupt GET.*/blobs/ 99' '404 GET.*/blobs/ 99'; do
		configure "{\"max-download-attempts\": 1, \"registry-mirrors\": {\"$ORIGIN\": [\"http://$MIRROR\"]}}"
		: >"$KT_DIR/origin"
		: >"$KT_DIR/mirror"
		faults mirror "$fault"
		run -0 "$KIST" pull "$ORIGIN/test/chart:1"
		[[ "$output" == *"Digest: $digest"* ]]
		[ "$(asked mirror 'GET .*/manifests/1 200')" = 1 ]
		[ "$(asked origin 'GET .*/blobs/.* 200')" -ge 1 ]
		"$KIST" rmi "$ORIGIN/test/chart:1"
	done
	rm "$KT_DIR/mirror.faults"
}

@test "what a registry has is asked of its mirrors first, as for a pull; what is deleted there, and who refers to it, never" {
	configure "{\"registry-mirrors\": {\"$ORIGIN\": [\"http://localhost:1\", \"http://$MIRROR\"]}}"
	describe() { curl -sf --unix-socket "$KT_DIR/kist.sock" "http://kist/distribution/$ORIGIN/test/six:1/json"; }
	digest=$(describe | jq -r .Descriptor.digest)
	[ "$digest" = "$(skopeo inspect --tls-verify=false -f '{{.Digest}}' "docker://127.0.0.1:$REGISTRY_PORT/test/six:1")" ]
	"$KIST" manifest inspect "$ORIGIN/test/six:1" >/dev/null
	[ "$(asked mirror 'GET .*/manifests/1 200')" = 2 ]
	[ "$(asked origin .)" = 0 ]
	for fault in '500 .' '404 .' 'corrupt GET.*/manifests/'; do
		: >"$KT_DIR/origin"
		faults mirror "$fault 99"
		[ "$(describe | jq -r .Descriptor.digest)" = "$digest" ]
		[ "$(asked origin 'GET .*/manifests/1 200')" = 1 ]
	done
	rm "$KT_DIR/mirror.faults"
	: >"$KT_DIR/mirror"
	"$KIST" registry referrers "$ORIGIN/test/six:1"
	run -1 "$KIST" registry delete "$ORIGIN/test/none@$digest"
	[ "$(asked mirror .)" = 0 ]
}

@test "a mirror that breaks in the middle of the layers: the registry goes on where it was" {
	for fault in "cut GET.*$SMALL 99" "corrupt GET.*$SMALL 99" "404 GET.*$SMALL 99"; do
		: >"$KT_DIR/origin"
		faults mirror "$fault"
		configure "{\"max-concurrent-downloads\": 1, \"registry-mirrors\": {\"$ORIGIN\": [\"http://$MIRROR\"]}}"
		"$KIST" pull -q "$ORIGIN/test/six:1"
		works "$ORIGIN/test/six:1"
		"$KIST" rmi "$ORIGIN/test/six:1"
		# One at a time: three layers and the manifests came from the mirror, and not again.
		[ "$(asked origin 'GET .*/blobs/')" = 3 ]
		[ "$(asked origin '/manifests/')" = 0 ]
	done
	# When nobody has it, nothing is left.
	faults origin "404 GET.*$SMALL 99"
	pulled_nothing "$KIST" pull "$ORIGIN/test/six:1"
	[[ "$output" == *"$SMALL"* ]]
}

@test "mirrors that are none are refused by name" {
	for bad in ftp://a http:// http://a/b http://user@a a:5000 =http://a "a b=http://c" ""; do
		run -2 "$BUILD/bin/kistd" --validate --registry-mirror "$bad"
		[[ "$output" == *"registry-mirrors: \"$bad\" is not"* && "${#lines[@]}" = 1 ]]
	done
	echo '{"registry-mirrors": {"a": "http://b"}}' >"$BATS_TEST_TMPDIR/kistd.json"
	run -2 "$BUILD/bin/kistd" --validate --config "$BATS_TEST_TMPDIR/kistd.json"
	[[ "$output" == *"registry-mirrors"*"a is not a list"* ]]
	for bad in "--max-concurrent-downloads 0" "--max-concurrent-downloads 33" "--max-download-attempts 0" "--max-download-attempts 101"; do
		# shellcheck disable=SC2086
		run -2 "$BUILD/bin/kistd" --validate $bad
	done
}

# --- what is told to whom ---

pull_as() { # REFERENCE SERVERADDRESS: the answer's status in $output
	curl -s -o "$BATS_TEST_TMPDIR/answer" -w '%{http_code}' --unix-socket "$KT_DIR/kist.sock" -X POST "http://kist/images/create?fromImage=$1" \
		-H "X-Registry-Auth: $(jq -nc --arg s "$2" '{username: "me", password: "kist-secret", serveraddress: $s}' | base64 -w 0)"
}

@test "attack: a mirror that asks for a password gets none; the registry does (CVE-2020-15157 and kin)" {
	configure "{\"registry-mirrors\": {\"$ORIGIN\": [\"http://$MIRROR\"]}}"
	faults mirror '401 . 99'
	faults origin '401 . 1'
	[ "$(pull_as "$ORIGIN/test/six:1" "$ORIGIN")" = 200 ]
	[ "$(asked mirror .)" -gt 0 ]
	[ "$(asked mirror Basic)" = 0 ]
	[ "$(asked origin Basic)" -gt 0 ]
	"$KIST" rmi "$ORIGIN/test/six:1"
	# Without a word whose they are, they are the registry's.
	: >"$KT_DIR/origin"
	faults origin '401 . 1' '' ''
	[ "$(pull_as "$ORIGIN/test/six:1" "")" = 200 ]
	[ "$(asked mirror Basic)" = 0 ]
	[ "$(asked origin Basic)" -gt 0 ]
}

@test "attack: credentials for one registry are not shown to another" {
	configure '{}'
	faults origin '401 . 99'
	for server in other.example https://other.example/v1/ "localhost:1" "https://index.docker.io/v1/" "$ORIGIN.example"; do
		[ "$(pull_as "$ORIGIN/test/six:1" "$server")" = 401 ]
		jq -e '.message | contains("credentials") and contains("those that were given are for")' "$BATS_TEST_TMPDIR/answer"
	done
	[ "$(asked origin Basic)" = 0 ]
	for server in "$ORIGIN" "http://$ORIGIN" "https://$ORIGIN/v2/"; do
		: >"$KT_DIR/origin"
		[ "$(pull_as "$ORIGIN/test/six:1" "$server")" = 401 ]
		[ "$(asked origin Basic)" -gt 0 ]
	done
	# A mirror's own are for the mirror.
	configure "{\"registry-mirrors\": {\"$ORIGIN\": [\"http://$MIRROR\"]}}"
	: >"$KT_DIR/origin"
	faults mirror '401 . 1'
	[ "$(pull_as "$ORIGIN/test/six:1" "$MIRROR")" = 200 ]
	[ "$(asked mirror Basic)" -gt 0 ]
	[ "$(asked origin .)" = 0 ]
	# The same of a push.
	"$KIST" tag $BUSYBOX "$ORIGIN/test/box:1"
	curl -s --unix-socket "$KT_DIR/kist.sock" -X POST "http://kist/images/$ORIGIN/test/box/push?tag=1" \
		-H "X-Registry-Auth: $(jq -nc '{username: "me", password: "kist-secret", serveraddress: "other.example"}' | base64 -w 0)" >"$BATS_TEST_TMPDIR/answer"
	grep -q "are for other.example" "$BATS_TEST_TMPDIR/answer"
	[ "$(asked origin Basic)" = 0 ]
	"$KIST" rmi "$ORIGIN/test/box:1"
}

# --- how often it is asked ---

@test "a tag that has not changed costs one question, and no manifest" {
	configure '{}'
	"$KIST" pull -q "$ORIGIN/test/six:1"
	for C in $(clients); do
		: >"$KT_DIR/origin"
		run -0 client "$C" pull "$ORIGIN/test/six:1"
		[[ "$output" == *"Image is up to date"* ]]
		[ "$(cat "$KT_DIR/origin")" = "HEAD /v2/test/six/manifests/1 200 - -" ]
	done
	# A registry that does not know the question, or does not answer it.
	faults origin '405 HEAD 1' '404 HEAD 1'
	for i in 1 2; do
		: >"$KT_DIR/origin"
		run -0 "$KIST" pull "$ORIGIN/test/six:1"
		[[ "$output" == *"Image is up to date"* ]]
		[ "$(asked origin 'GET .*/manifests/')" = 1 ]
	done
	# Another image under that name.
	skopeo copy -q --src-tls-verify=false --dest-tls-verify=false "docker://127.0.0.1:$REGISTRY_PORT/test/six:1" "docker://127.0.0.1:$REGISTRY_PORT/test/moving:1"
	"$KIST" pull -q "$ORIGIN/test/moving:1"
	"$KIST" tag $BUSYBOX "$ORIGIN/test/other:1"
	"$KIST" push -q "$ORIGIN/test/other:1"
	skopeo copy -q --src-tls-verify=false --dest-tls-verify=false "docker://127.0.0.1:$REGISTRY_PORT/test/other:1" "docker://127.0.0.1:$REGISTRY_PORT/test/moving:1"
	run -0 "$KIST" pull "$ORIGIN/test/moving:1"
	[[ "$output" == *"Downloaded newer image"* ]]
	[ "$("$KIST" image inspect -f '{{.Id}}' "$ORIGIN/test/moving:1")" = "$("$KIST" image inspect -f '{{.Id}}' $BUSYBOX)" ]
	"$KIST" rmi "$ORIGIN/test/moving:1" "$ORIGIN/test/other:1"
}

@test "max-concurrent-downloads: so many layers at once, and no more" {
	for n in 1 4; do
		configure "{\"max-concurrent-downloads\": $n}"
		faults origin "hold GET.*($SMALLS) 99 $n"
		"$KIST" pull -q "$ORIGIN/test/six:1"
		[ "$(cat "$KT_DIR/origin.peak")" = "$n" ]
		"$KIST" rmi "$ORIGIN/test/six:1"
	done
}

@test "max-download-attempts: so often, and no more" {
	for n in 1 3; do
		configure "{\"max-download-attempts\": $n}"
		for fault in cut 500; do
			: >"$KT_DIR/origin"
			faults origin "$fault GET.*$SMALL 99"
			pulled_nothing "$KIST" pull "$ORIGIN/test/six:1"
			[ "$(asked origin "GET .*$SMALL")" = "$n" ]
		done
	done
	faults origin "cut GET.*$SMALL 2"
	"$KIST" pull -q "$ORIGIN/test/six:1"
}

@test "Retry-After is waited for, as long as it is not too long" {
	configure '{}'
	faults origin '429 GET.*/manifests/ 1 3'
	SECONDS=0
	"$KIST" pull -q "$ORIGIN/test/six:1"
	[ "$SECONDS" -ge 2 ]
	[ "$(asked origin 'GET .*/manifests/')" = 2 ]
	"$KIST" rmi "$ORIGIN/test/six:1"
	: >"$KT_DIR/origin"
	faults origin '429 GET.*/manifests/ 99 3600'
	pulled_nothing "$KIST" pull "$ORIGIN/test/six:1"
	[[ "$output" == *"too many requests"*"asks to wait for 3600 seconds"* && "${#lines[@]}" = 1 ]]
	[ "$(asked origin 'GET .*/manifests/')" = 1 ]
}

@test "what goes wrong once, and what comes in another order, is no hindrance; wrong bytes are" {
	configure '{}'
	for fault in "500 GET.*$SMALL 1" "cut GET.*$SMALL 1" "truncate GET.*$SMALL 1" "429 GET.*$SMALL 1" "500 GET.*/manifests/ 1" "cut GET.*/manifests/ 1" "last GET.*($SMALLS) 2"; do
		faults origin "$fault"
		"$KIST" pull -q "$ORIGIN/test/six:1"
		works "$ORIGIN/test/six:1"
		"$KIST" rmi "$ORIGIN/test/six:1"
	done
	faults origin "corrupt GET.*$SMALL 1"
	pulled_nothing "$KIST" pull "$ORIGIN/test/six:1"
	[[ "$output" == *"$SMALL"* ]]
}

# --- proxies ---

@test "proxies: of the configuration, before those of the environment; not for the loopback, nor for what no-proxy has" {
	local gateway port tls_port
	"$KIST" run --rm $BUSYBOX true # makes the bridge
	gateway=$(ip -o -4 addr show "$KT_NAME" | awk '{sub("/.*", "", $4); print $4}')
	port=$(free_port) tls_port=$(free_port)
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$KT_DIR/key" -out "$KT_DIR/cert" -days 2 -subj /CN=kist-test -addext "subjectAltName=IP:$gateway" 2>/dev/null
	for one in "far $port" "tls $tls_port , tls: {key: $KT_DIR/key, certificate: $KT_DIR/cert}"; do
		read -r name at tls <<<"$one"
		cat >"$KT_DIR/$name.yml" <<-YML
			version: 0.1
			log: {level: error}
			storage: {filesystem: {rootdirectory: $KT_DIR/registry}}
			http: {addr: "$gateway:$at"$tls}
		YML
		docker-registry serve "$KT_DIR/$name.yml" >"$KT_DIR/$name.log" 2>&1 3>&- &
		echo $! >"$KT_DIR/$name.pid"
		disown
	done
	eventually curl -sf "http://$gateway:$port/v2/"
	eventually curl -sfk "https://$gateway:$tls_port/v2/"

	configure "{\"insecure-registries\": [\"$gateway:$port\", \"$gateway:$tls_port\"], \"proxies\": {\"http-proxy\": \"http://me:kist-secret@$ORIGIN\", \"https-proxy\": \"$MIRROR\"}}"
	"$KIST" pull -q "$gateway:$port/test/six:1"
	works "$gateway:$port/test/six:1"
	[ "$(asked origin "GET http://$gateway:$port/v2/test/six/manifests/1 200 - Basic_")" = 1 ]
	"$KIST" rmi "$gateway:$port/test/six:1"
	"$KIST" pull -q "$gateway:$tls_port/test/six:1"
	[ "$(asked mirror "CONNECT $gateway:$tls_port 200")" -ge 1 ]
	[ "$(asked mirror 'GET|HEAD')" = 0 ]
	"$KIST" rmi "$gateway:$tls_port/test/six:1"
	[ "$("$KIST" info -f '{{.HttpProxy}} {{.HttpsProxy}}')" = "http://xxxxx:xxxxx@$ORIGIN $MIRROR" ]

	# The loopback is never reached by a proxy.
	: >"$KT_DIR/origin"
	"$KIST" pull -q "$REGISTRY/test/six:1"
	"$KIST" rmi "$REGISTRY/test/six:1"
	[ "$(asked origin .)" = 0 ]
	for none in "*" "$gateway" "$gateway:$port" "1.2.3.4, $gateway/30"; do
		configure "{\"insecure-registries\": [\"$gateway:$port\"], \"proxies\": {\"http-proxy\": \"http://$ORIGIN\", \"no-proxy\": \"$none\"}}"
		"$KIST" pull -q "$gateway:$port/test/six:1"
		"$KIST" rmi "$gateway:$port/test/six:1"
	done
	[ "$(asked origin .)" = 0 ]
	configure "{\"insecure-registries\": [\"$gateway:$port\"], \"proxies\": {\"http-proxy\": \"http://$ORIGIN\", \"no-proxy\": \"$gateway:1\"}}"
	"$KIST" pull -q "$gateway:$port/test/six:1"
	"$KIST" rmi "$gateway:$port/test/six:1"
	[ "$(asked origin "GET http://$gateway:$port/")" -gt 0 ]

	# The environment's.
	kistd_stop
	echo "{\"insecure-registries\": [\"$gateway:$port\"]}" >"$FILE"
	HTTP_PROXY=http://$MIRROR kistd_up --config "$FILE"
	: >"$KT_DIR/mirror"
	"$KIST" pull -q "$gateway:$port/test/six:1"
	"$KIST" rmi "$gateway:$port/test/six:1"
	[ "$(asked mirror "GET http://$gateway:$port/")" -gt 0 ]
	run -2 "$BUILD/bin/kistd" --validate --http-proxy "http://"
	[[ "$output" == *"http-proxy is not the address of a proxy"* ]]
}
