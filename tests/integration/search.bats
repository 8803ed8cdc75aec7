# Searching registries: by the old protocol, as Docker's own registry answers it, and through the catalogue of one of today.
load ../lib/kist

setup_file() {
	kist_start
	registry_start
	mkdir "$KT_DIR/empty"
	tar -C "$KT_DIR/empty" -cf "$KT_DIR/layer.tar" .
	"$BATS_TEST_DIRNAME/../lib/oci-image" "$KT_DIR/layout" "$KT_DIR/layer.tar"
	for name in team/web team/db other/web-site lone; do registry_push "$KT_DIR/layout" "$name:1"; done
	OLD_PORT=$(free_port)
	export OLD_PORT
	# One that knows /v1/search, what it was asked, and things that no registry should say; "nothing" is one without any search.
	cat >"$KT_DIR/old.py" <<-'PY'
		import http.server, json, sys, urllib.parse
		class Handler(http.server.BaseHTTPRequestHandler):
		    protocol_version = "HTTP/1.1"
		    def log_message(self, *a): pass
		    def answer(self, status, body, kind="application/json"):
		        data = body if isinstance(body, bytes) else json.dumps(body).encode()
		        self.send_response(status); self.send_header("Content-Type", kind); self.send_header("Content-Length", str(len(data))); self.end_headers()
		        self.wfile.write(data)
		    def do_GET(self):
		        url = urllib.parse.urlparse(self.path)
		        q = {k: v[0] for k, v in urllib.parse.parse_qs(url.query).items()}
		        term = q.get("q", "")
		        if url.path == "/v2/": return self.answer(200, {})
		        if url.path == "/v2/_catalog" and MODE == "turns": return self.answer(200, {"repositories": ["a/again", "b/again"]})
		        if url.path == "/v2/_catalog" and MODE == "bad": return self.answer(200, b"<html>")
		        if url.path != "/v1/search" or MODE != "old": return self.answer(404, {"errors": [{"message": "no such place"}]})
		        results = [{"name": term, "description": "as asked: n=" + q.get("n", ""), "star_count": 5, "is_official": True, "is_automated": False},
		                   {"name": "few/stars", "description": "a long description " * 20, "star_count": 1, "is_official": False},
		                   {"name": "odd\u001b[31m", "description": None, "star_count": "many"}, {"name": 7}, "text"] * 3
		        self.answer(200, {"num_results": len(results), "results": results})
		MODE = sys.argv[2]
		http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
	PY
	for mode in old nothing turns bad; do
		port=$(free_port)
		echo "$port" >"$KT_DIR/$mode.port"
		python3 "$KT_DIR/old.py" "$port" $mode >/dev/null 2>&1 3>&- &
		echo $! >>"$KT_DIR/servers"
		eventually curl -sf "http://127.0.0.1:$port/v2/"
	done
}

teardown_file() {
	# shellcheck disable=SC2046  # a list of words on purpose
	kill $(cat "$KT_DIR/servers")
	kist_end
}

at() { echo "localhost:$(cat "$KT_DIR/$1.port")"; }

@test "search: the catalogue of a registry, by kist and docker" {
	for C in $(clients); do
		[ "$(client "$C" search --format '{{.Name}}' "$REGISTRY/web" | sort | tr '\n' ' ')" = "$REGISTRY/other/web-site $REGISTRY/team/web " ]
		[ "$(client "$C" search --format '{{.Name}}' "$REGISTRY/team/db")" = "$REGISTRY/team/db" ]
		[ "$(client "$C" search --limit 1 --format '{{.Name}}' "$REGISTRY/e" | wc -l)" = 1 ]
		[ -z "$(client "$C" search --format '{{.Name}}' "$REGISTRY/nothing-like-it")" ]
	done
	# What it says can be pulled.
	"$KIST" pull -q "$("$KIST" search --format '{{.Name}}' "$REGISTRY/lone"):1"
	"$KIST" rmi "$REGISTRY/lone:1"
}

@test "search: /v1/search, with stars, officials, limits and filters" {
	for C in $(clients); do
		run -0 client "$C" search --limit 2 "$(at old)/term"
		[[ "${lines[1]}" =~ ^term\ +as\ asked:\ n=2\ +5\ +\[OK\] ]]
		[ "${#lines[@]}" = 3 ]
		[ "$(client "$C" search --no-trunc --format '{{.Description}}' --limit 2 "$(at old)/term" | tail -n 1 | wc -c)" -gt 300 ]
		[ "$(client "$C" search --filter is-official=true --format '{{.Name}} {{.StarCount}}' "$(at old)/one two&three" | sort -u)" = "one two&three 5" ]
		[ "$(client "$C" search --filter stars=2 --format '{{.Name}}' "$(at old)/term" | sort -u)" = term ]
	done
	# What a registry says is no command to a terminal.
	run -0 "$KIST" search "$(at old)/term"
	[[ "$output" != *$'\033'* ]]
}

@test "search: a registry that gives the same page each time, no sense, or nothing at all" {
	[ "$("$KIST" search --format '{{.Name}}' "$(at turns)/again" | wc -l)" = 2 ]
	run -1 "$KIST" search "$(at bad)/x"
	[[ "${#lines[@]}" = 1 && "$output" == *"$(at bad)"* ]]
	for C in $(clients); do
		run -1 client "$C" search "$(at nothing)/x"
		[[ "$output" == *"cannot be searched: it has neither /v1/search nor a catalogue"* ]]
	done
	[ "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$KT_DIR/kist.sock" "http://kist/images/search?term=$(at nothing)/x")" = 501 ]
}

@test "search refuses in one line: limits, filters, schemes, our own names, nobody there" {
	for limit in 0 101 -1 x; do
		run -1 "$KIST" search --limit "$limit" "$REGISTRY/x"
		[[ "${#lines[@]}" = 1 && "$output" == *limit* ]]
	done
	run -1 "$KIST" search --filter is-nice=true "$REGISTRY/x"
	[[ "$output" == *"is-nice"* ]]
	run -1 "$KIST" search --filter stars=many "$REGISTRY/x"
	[[ "$output" == *"stars=many"* ]]
	run -1 "$KIST" search "http://$REGISTRY/x"
	[[ "$output" == *"scheme"* ]]
	run -1 "$KIST" search kist.local/busybox
	[[ "$output" == *"of this host only"* ]]
	run -1 "$KIST" search "localhost:1/x"
	[[ "${#lines[@]}" = 1 && "$output" == *"localhost:1"* ]]
}
