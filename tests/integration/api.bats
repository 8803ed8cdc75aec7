# The Engine API by its routes: what the docker command does not ask for, or not in this way.
load ../lib/kist

setup_file() { kist_start; }
teardown_file() { kist_end; }
teardown() { left_nothing; }

# api METHOD PATH [CURL-OPTION...]: the answer
api() {
	local method=$1 path=$2
	shift 2
	curl -s -X "$method" --unix-socket "$KT_DIR/kist.sock" "$@" "http://kist$path"
}
status() { api "$@" -o /dev/null -w '%{http_code}'; }
query() { jq -rn --argjson f "$1" '$f | tojson | @uri'; }

@test "container list: every filter" {
	docker network inspect bridge -f '{{.Id}}' >"$KT_DIR/bridge-id"
	"$KIST" run -d --name filter-a --label color=red -v "$KT_DIR:/mnt/here" $BUSYBOX sleep 100
	docker create --name filter-b --expose 80 --expose 9000/udp --label color=blue --network none $BUSYBOX true
	docker run --name filter-c --network host $BUSYBOX sh -c 'exit 3' || true
	names() { api GET "/containers/json?all=1&filters=$(query "$1")" | jq -r '[.[].Names[0]] | sort | join(" ")'; }
	[ "$(names '{"status":["running"]}')" = /filter-a ]
	[ "$(names '{"status":["created","exited"]}')" = "/filter-b /filter-c" ]
	[ "$(names '{"exited":["3"]}')" = /filter-c ]
	[ "$(names '{"label":["color"]}')" = "/filter-a /filter-b" ]
	[ "$(names '{"label":["color=blue"]}')" = /filter-b ]
	[ "$(names '{"label":{"color=red":true}}')" = /filter-a ]
	[ "$(names '{"expose":["80"]}')" = /filter-b ]
	[ "$(names '{"expose":["8990-9010/udp"]}')" = /filter-b ]
	[ "$(names '{"expose":["80/udp"]}')" = "" ]
	[ "$(names '{"publish":["80"]}')" = "" ]
	[ "$(names '{"network":["host"]}')" = /filter-c ]
	[ "$(names "{\"network\":[\"$(cat "$KT_DIR/bridge-id")\"]}")" = /filter-a ]
	[ "$(names '{"volume":["/mnt/here"]}')" = /filter-a ]
	[ "$(names '{"before":["filter-b"]}')" = /filter-a ]
	[ "$(names '{"since":["filter-b"]}')" = /filter-c ]
	[ "$(names '{"ancestor":["kist.local/busybox"],"name":["filter-"]}')" = "/filter-a /filter-b /filter-c" ]
	[ "$(names '{"name":["^/?filter-[ab]$"]}')" = "/filter-a /filter-b" ]
	[ "$(names '{"health":["none"],"is-task":["false"],"isolation":["default"]}')" = "/filter-a /filter-b /filter-c" ]
	[ "$(names '{"is-task":["true"]}')" = "" ]
	[ "$(api GET "/containers/json?limit=1" | jq -r '.[].Names[0]')" = /filter-c ]
	for bad in '{"status":["odd"]}' '{"health":["odd"]}' '{"exited":["x"]}' '{"expose":["80-70"]}' '{"publish":["80/icmp"]}' '{"nosuch":["1"]}' '{"name":5}' '[]'; do
		[ "$(status GET "/containers/json?filters=$(query "$bad")")" = 400 ] || { echo "$bad" >&2; false; }
	done
	"$KIST" rm -f filter-a filter-b filter-c
}

@test "events: filters by kind and name, three ways to write them, and what older versions add" {
	begin=$(date +%s)
	"$KIST" run --name seen --label a=b $BUSYBOX true
	docker volume create seen-volume
	docker volume rm seen-volume
	events() { api GET "$1/events?since=$begin&until=$(($(date +%s) + 1))&filters=$(query "$2")" "${@:3}"; }
	[ "$(events "" '{"container":["seen"],"event":["start","die"]}' | jq -r .Action | xargs)" = "start die" ]
	[ "$(events "" '{"volume":["seen-volume"]}' | jq -r .Action | xargs)" = "create destroy" ]
	[ "$(events "" '{"type":["volume"],"container":["seen"]}')" = "" ]
	[ "$(events "" '{"image":["kist.local/busybox"],"event":["create"]}' | jq -r .Actor.Attributes.name)" = seen ]
	[ "$(events "" '{"label":["a=b"],"event":["create"]}' | jq -r .Actor.Attributes.name)" = seen ]
	[ "$(events "" '{"scope":["swarm"]}')" = "" ]
	[ "$(events "" '{"service":["x"]}')" = "" ]
	[ "$(events "" '{"daemon":["x"]}')" = "" ]
	[ "$(events "" '{"network":["x"]}')" = "" ]
	[ "$(status GET "/events?until=1&filters=$(query '{"odd":["x"]}')")" = 400 ]
	[ "$(events /v1.51 '{"event":["die"],"container":["seen"]}' | jq -r '.status + " " + .from')" = "die $BUSYBOX" ]
	[ "$(events /v1.52 '{"event":["die"],"container":["seen"]}' | jq -r 'has("status") or has("id") or has("from")')" = false ]
	[ "$(events "" '{"event":["die"]}' -H 'Accept: application/json-seq' | head -c 1)" = $'\x1e' ]
	events "" '{"event":["die"]}' -H 'Accept: application/x-ndjson' -D - | grep -qi 'content-type: application/x-ndjson'
	"$KIST" rm seen
}

@test "stats: one at once, one with the second before it, a stream; pressure; a container that does not run" {
	"$KIST" run -d --name figures $BUSYBOX sh -c 'while :; do :; done'
	[ "$(api GET "/containers/figures/stats?stream=0&one-shot=1" | jq '.precpu_stats.cpu_usage.total_usage, .preread' | xargs)" = "0 0001-01-01T00:00:00Z" ]
	api GET "/containers/figures/stats?stream=0" >"$KT_DIR/sample"
	[ "$(jq '.cpu_stats.cpu_usage.total_usage > .precpu_stats.cpu_usage.total_usage and .precpu_stats.cpu_usage.total_usage > 0' "$KT_DIR/sample")" = true ]
	[ "$(jq '.cpu_stats.system_cpu_usage > .precpu_stats.system_cpu_usage and .memory_stats.usage > 0 and .pids_stats.current == 1' "$KT_DIR/sample")" = true ]
	[ "$(jq -r '.read > .preread and .os_type == "linux"' "$KT_DIR/sample")" = true ]
	if [ -e /proc/pressure/cpu ] && [ -e "$(find /sys/fs/cgroup -path "*/kist-test-$KT_NAME/*/cpu.pressure" | head -n 1)" ]; then
		[ "$(jq '.cpu_stats.psi.some | has("avg10") and has("total")' "$KT_DIR/sample")" = true ]
		[ "$(jq '.memory_stats.psi.full.total >= 0 and .blkio_stats.psi.some.avg300 >= 0' "$KT_DIR/sample")" = true ]
	fi
	[ "$(api GET /v1.51/containers/figures/stats?stream=0 | jq 'has("os_type")')" = false ]
	api GET /containers/figures/stats -N | head -n 2 | tail -n 1 >"$KT_DIR/second"
	[ "$(jq '.precpu_stats.system_cpu_usage > 0' "$KT_DIR/second")" = true ]
	"$KIST" kill figures
	eventually is_state figures exited
	[ "$(api GET "/containers/figures/stats?stream=0" | jq -c '[.memory_stats, .pids_stats, .cpu_stats.cpu_usage.total_usage]')" = '[{},{},0]' ]
	[ "$(status GET "/containers/figures/stats?stream=1&one-shot=1")" = 400 ]
	"$KIST" rm figures
}

@test "top: the options of ps" {
	"$KIST" run -d --name tops --user 5:6 $BUSYBOX sleep 4321
	top() { api GET "/containers/tops/top?ps_args=$(jq -rn --arg a "$1" '$a | @uri')"; }
	[ "$(top "" | jq -r '.Titles | join(" ")')" = "UID PID PPID C STIME TTY TIME CMD" ]
	[ "$(top aux | jq -r '.Titles | join(" ")')" = "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND" ]
	[ "$(top -aux | jq -r '.Processes[0][0, 10]' | xargs)" = "5 sleep 4321" ]
	[ "$(top "-e -o pid,uid=WHO,gid,comm,args" | jq -r '.Titles | join(" ")')" = "PID WHO GID COMMAND COMMAND" ]
	[ "$(top "-eo uid,gid,comm,args,nlwp,ni" | jq -r '.Processes[0] | join(" ")')" = "5 6 sleep sleep 4321 1 0" ]
	[ "$(top "-o user=A B" | jq -r .message)" = "top: ps option \"B\" is not known here; -ef, aux and -o COLUMN,… are" ]
	[ "$(top "-eo pid,state" | jq -r '.Processes[0][0]')" = "$("$KIST" inspect -f '{{.State.Pid}}' tops)" ]
	for bad in "-o nosuch" "-o" "-Z" "-o pid,,uid"; do
		[ "$(status GET "/containers/tops/top?ps_args=$(jq -rn --arg a "$bad" '$a | @uri')")" = 400 ] || { echo "$bad" >&2; false; }
	done
	"$KIST" rm -f tops
	[ "$(status GET /containers/tops/top)" = 404 ]
}

@test "system df: only what is asked for, and the shape of 1.52" {
	docker volume create df-volume
	"$KIST" create --name df-one $BUSYBOX true
	[ "$(api GET "/system/df?type=volume&type=container" | jq -c '[.Images, (.Volumes | length), (.Containers | length), .LayersSize]')" = "[null,1,1,0]" ]
	[ "$(api GET "/system/df" | jq -c '[.ImagesUsage, .ContainersUsage, .VolumesUsage] | map([.TotalCount, .ActiveCount])')" = "[[1,1],[1,0],[1,0]]" ]
	[ "$(api GET "/system/df?verbose=1" | jq -c '[has("Images"), (.ImagesUsage.Items | length)]')" = "[false,1]" ]
	[ "$(api GET "/v1.43/system/df" | jq -c '[.Images[0] | .VirtualSize == .Size]')" = "[true]" ]
	[ "$(api GET "/v1.44/system/df" | jq -c '[.Images[0] | has("VirtualSize")]')" = "[false]" ]
	[ "$(api GET "/system/df?type=odd" | jq -r .message)" = "unknown object type: odd" ]
	docker volume rm df-volume
	"$KIST" rm df-one
}

@test "versions: each has its own fields" {
	"$KIST" create --name versions $BUSYBOX true
	has() { api GET "$1" | jq "[paths | map(tostring) | join(\".\")] | index(\"$2\") != null"; }
	[ "$(has /v1.52/containers/versions/json NetworkSettings.IPAddress)" = false ]
	[ "$(has /v1.51/containers/versions/json NetworkSettings.IPAddress)" = true ]
	[ "$(has /v1.41/containers/versions/json HostConfig.KernelMemory)" = true ]
	[ "$(has /v1.42/containers/versions/json HostConfig.KernelMemory)" = false ]
	[ "$(has /v1.43/images/$BUSYBOX/json VirtualSize)" = true ]
	[ "$(has /v1.44/images/$BUSYBOX/json ContainerConfig)" = true ]
	[ "$(has /v1.45/images/$BUSYBOX/json ContainerConfig)" = false ]
	[ "$(has /v1.49/images/$BUSYBOX/json Config.Hostname)" = true ]
	[ "$(has /v1.50/images/$BUSYBOX/json Config.Hostname)" = false ]
	[ "$(api GET /v1.50/images/json | jq '.[0].Containers')" = -1 ]
	[ "$(api GET /v1.51/images/json | jq '.[0].Containers')" = 1 ]
	[ "$(api GET /v1.24/info | jq -c '[.ExecutionDriver, .SecurityOptions[0], has("CgroupVersion")]')" = '["<not supported>","seccomp",false]' ]
	[ "$(api GET /v1.24/version | jq 'has("Components")')" = false ]
	[ "$(api GET /version | jq -r '.ApiVersion + " " + .MinAPIVersion')" = "1.52 1.24" ]
	# Compose of Python speaks whatever it is told here, and needs fields that are gone after 1.44.
	[ "$(api GET /version -A docker-compose/1.29.2 | jq -r .ApiVersion)" = 1.44 ]
	[ "$(api GET /version -A docker-sdk-python/5.0.3 | jq -r .ApiVersion)" = 1.52 ]
	# 1.24 knows no AutoRemove: it is not there any more when it has ended only where the version knows it.
	old=$(api POST /v1.24/containers/create -H 'Content-Type: application/json' -d "{\"Image\":\"$BUSYBOX\",\"Cmd\":[\"true\"],\"HostConfig\":{\"AutoRemove\":true}}" | jq -r .Id)
	"$KIST" start -a "$old"
	[ "$("$KIST" wait "$old")" = 0 ]
	"$KIST" rm "$old" versions
}

@test "attach by websocket: both directions, all of it, and what is refused" {
	[ -e /usr/lib/python3/dist-packages/websocket ] || skip "python3-websocket is not installed"
	id=$(docker create -i $BUSYBOX sh -c 'read a; echo got $a; read b; echo and $b >&2; head -c 3000000 /dev/zero')
	tests/lib/websocket-client "$KT_DIR/kist.sock" "/v1.44/containers/$id/attach/ws?stream=1&stdin=1&stdout=1&stderr=1" one two >"$KT_DIR/ws" 2>&1 &
	client=$!
	sleep 0.3
	"$KIST" start "$id"
	wait $client || { cat "$KT_DIR/ws" >&2; false; }
	[ "$(cat "$KT_DIR/ws")" = "binary got one
binary and two
end after 3000000" ]
	"$KIST" rm "$id"
	# Before 1.28 in text, and all streams whatever was asked for.
	id=$(docker run -di $BUSYBOX sh -c 'read a; echo got $a')
	[ "$(tests/lib/websocket-client "$KT_DIR/kist.sock" "/v1.27/containers/$id/attach/ws?stream=1" old)" = "text got old
end after 0" ]
	"$KIST" rm "$id"
	[ "$(status GET /containers/nosuch/attach/ws)" = 400 ]
	upgrade=(-H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==')
	[ "$(status GET /containers/nosuch/attach/ws "${upgrade[@]}")" = 404 ]
	[ "$(status GET /containers/nosuch/attach/ws "${upgrade[@]}" -H 'Origin: http://elsewhere')" = 403 ]
	[ "$(status GET /containers/nosuch/attach/ws "${upgrade[@]:0:6}" -H 'Sec-WebSocket-Key: x')" = 400 ]
}

@test "distribution: what a registry has, without pulling it" {
	command -v docker-registry >/dev/null && command -v skopeo >/dev/null || skip "docker-registry or skopeo is not installed"
	registry_start
	skopeo copy -q --dest-tls-verify=false "oci-archive:$BUILD/data/busybox.oci.tar" "docker://127.0.0.1:$REGISTRY_PORT/asked:1"
	api GET "/distribution/$REGISTRY/asked:1/json" >"$KT_DIR/distribution"
	[ "$(jq -r '.Platforms[0] | .os + "/" + .architecture' "$KT_DIR/distribution")" = "linux/$(dpkg --print-architecture)" ]
	[ "$(jq -r .Descriptor.digest "$KT_DIR/distribution")" = "$(skopeo inspect --tls-verify=false -f '{{.Digest}}' "docker://127.0.0.1:$REGISTRY_PORT/asked:1")" ]
	[ "$(status GET "/distribution/$REGISTRY/nosuch:1/json")" = 404 ]
	[ "$(status GET "/distribution/kist.local/busybox/json")" = 404 ]
	[ "$(status GET "/distribution/UPPER/json")" = 400 ]
	[ "$("$KIST" images -q | wc -l)" = 1 ]
	registry_stop
}

@test "what is not here says what to use instead; unknown paths are not found" {
	for path in /swarm /nodes /services /tasks /secrets /configs /plugins; do
		[ "$(status GET $path)" = 503 ]
	done
	[[ "$(api GET /swarm | jq -r .message)" == *Kubernetes* ]]
	[[ "$(api GET /secrets | jq -r .message)" == *"bind mount"* ]]
	[ "$(status POST /session)" = 503 ]
	[ "$(status POST /grpc)" = 503 ]
	[ "$(status GET /nosuch)" = 404 ]
	[ "$(api GET /nosuch)" = '{"message":"page not found"}' ]
	[ "$(status DELETE /version)" = 404 ]
	[ "$(curl -s -I --unix-socket "$KT_DIR/kist.sock" http://kist/_ping | head -n 1 | tr -d '\r')" = "HTTP/1.1 200 OK" ]
}

@test "no route of the stock server is unknown" {
	local method path state
	while read -r method path state; do
		path=${path//\{name\}/nosuch} path=${path//\{name\*\}/a/nosuch}
		case $state in
		501 | 503)
			[ "$(status "$method" "$path")" = "$state" ] || { echo "$method $path: $(status "$method" "$path")" >&2; false; }
			api "$method" "$path" | jq -e '.message | length > 20' >/dev/null
			;;
		esac
	done < <(sed -n 's/^| `\([A-Z]* [^`]*\)` | [0-9.]* | \([a-z0-9]*\) |.*/\1 \2/p' docs/internals/engine-api.md)
}

@test "life: statuses and messages of start, stop, restart, kill, pause, rename, resize, remove" {
	says() { [[ "$(api POST "$1" | jq -r .message)" == $2 ]] || { echo "$1: $(api POST "$1")" >&2; return 1; }; }
	id=$("$KIST" create --name one -t $BUSYBOX sh -c 'trap "exit 5" USR1; trap "echo winch" WINCH; while :; do sleep 0.1; done')
	[ "$(status POST /containers/one/resize?h=5\&w=7)" = 409 ]
	[ "$(status POST /containers/one/kill)" = 409 ]
	[ "$(status POST /containers/one/pause)" = 409 ]
	[ "$(status POST /containers/one/stop)" = 304 ]
	[ "$(status POST /containers/one/start)" = 204 ]
	[ "$(status POST /containers/one/start)" = 304 ]
	[ "$(status DELETE /containers/one)" = 409 ]
	[ "$(status POST /containers/one/resize?h=5\&w=7)" = 200 ]
	[ "$("$KIST" exec one stty -F /dev/pts/0 size)" = "5 7" ]
	[ "$(status POST /containers/one/kill?signal=NOSUCH)" = 400 ]
	[ "$(status POST /containers/one/kill?signal=99)" = 400 ]
	for signal in WINCH SIGWINCH 28 winch; do
		[ "$(status POST "/containers/one/kill?signal=$signal")" = 204 ]
	done
	[ "$(status POST /containers/one/pause)" = 204 ]
	[ "$(status POST /containers/one/pause)" = 409 ]
	[ "$(status POST /containers/one/unpause)" = 204 ]
	[ "$(status POST /containers/one/unpause)" = 409 ]
	"$KIST" create --name two $BUSYBOX true
	[ "$(status POST /containers/one/rename?name=two)" = 409 ]
	says /containers/one/rename?name=two 'Conflict. The container name "/two" is already in use by container*'
	[ "$(status POST /containers/one/rename?name=one)" = 400 ]
	[ "$(status POST "/containers/one/rename?name=a%20b")" = 400 ]
	[ "$(status POST /containers/one/rename?name=/three)" = 204 ]
	[ "$("$KIST" inspect -f '{{.Id}}' three)" = "$id" ]
	[ "$(status POST "/containers/three/restart?signal=USR1&t=20")" = 204 ]
	[ "$(status POST "/containers/three/stop?signal=SIGUSR1&t=20")" = 204 ]
	[ "$("$KIST" inspect -f '{{.State.ExitCode}}' three)" = 5 ]
	for verb in start stop restart kill pause unpause resize wait attach; do
		[ "$(status POST "/containers/nosuch/$verb?h=1&w=1")" = 404 ]
		says "/containers/nosuch/$verb?h=1&w=1" "No such container: nosuch"
	done
	[ "$(status DELETE /containers/two)" = 204 ]
	[ "$(status DELETE /containers/two)" = 404 ]
	[ "$(status DELETE "/containers/three?force=1&v=1")" = 204 ]
}

@test "wait: its three conditions" {
	"$KIST" create --name waited $BUSYBOX sh -c 'exit 7'
	[ "$(api POST /containers/waited/wait)" = '{"StatusCode":0}' ]
	api POST "/containers/waited/wait?condition=next-exit" >"$KT_DIR/next" &
	next=$!
	api POST "/containers/waited/wait?condition=removed" >"$KT_DIR/removed" &
	removed=$!
	sleep 0.5
	"$KIST" start waited
	wait $next
	[ "$(cat "$KT_DIR/next")" = '{"StatusCode":7}' ]
	[ "$(api POST "/containers/waited/wait?condition=not-running")" = '{"StatusCode":7}' ]
	[ ! -s "$KT_DIR/removed" ]
	"$KIST" rm waited
	wait $removed
	[ "$(cat "$KT_DIR/removed")" = '{"StatusCode":7}' ]
	[ "$(status POST "/containers/waited/wait?condition=odd")" = 400 ]
}

@test "exec: made, started, looked at, resized" {
	json=(-H 'Content-Type: application/json')
	"$KIST" run -d --name execs $BUSYBOX sleep 1000
	[ "$(status POST /containers/execs/exec "${json[@]}" -d '{"Cmd":[]}')" = 400 ]
	[ "$(status POST /containers/nosuch/exec "${json[@]}" -d '{"Cmd":["true"]}')" = 404 ]
	id=$(api POST /containers/execs/exec "${json[@]}" -d '{"Cmd":["sh","-c","until stty size | grep -q 9; do sleep 0.1; done; stty size >/size; sleep 1000"],"Tty":true,"AttachStdout":true}' | jq -r .Id)
	[ "$(api GET "/exec/$id/json" | jq -c '[.Running, .ExitCode, .ProcessConfig.tty, .ProcessConfig.entrypoint, .Pid]')" = '[false,null,true,"sh",0]' ]
	[ "$(status POST "/exec/$id/resize?h=9&w=8")" = 409 ]
	[ "$(status POST "/exec/$id/start" "${json[@]}" -d '{"Detach":true,"Tty":true}')" = 200 ]
	[ "$(status POST "/exec/$id/resize?h=9&w=8")" = 200 ]
	eventually "$KIST" exec execs grep -q '^9 8$' /size
	[ "$(api GET "/exec/$id/json" | jq -c '[.Running, .ExitCode, .Pid > 0, .ContainerID]')" = "[true,null,true,\"$("$KIST" inspect -f '{{.Id}}' execs)\"]" ]
	[ "$("$KIST" inspect -f '{{json .ExecIDs}}' execs)" = "[\"$id\"]" ]
	[ "$(status POST "/exec/$id/start" "${json[@]}" -d '{}')" = 409 ]
	[ "$(status GET /exec/nosuch/json)" = 404 ]
	"$KIST" pause execs
	[ "$(status POST /containers/execs/exec "${json[@]}" -d '{"Cmd":["true"]}')" = 409 ]
	"$KIST" unpause execs
	id=$(api POST /containers/execs/exec "${json[@]}" -d '{"Cmd":["sh","-c","exit 4"]}' | jq -r .Id)
	api POST "/exec/$id/start" "${json[@]}" -d '{"Detach":false}' >/dev/null
	[ "$(api GET "/exec/$id/json" | jq -c '[.Running, .ExitCode]')" = '[false,4]' ]
	"$KIST" rm -f execs
}

@test "info: address pools and the firewall; images: what they share" {
	[ "$(api GET /v1.52/info | jq -c '[.DefaultAddressPools, .FirewallBackend]')" = "[[{\"Base\":\"$KT_POOL\",\"Size\":24}],{\"Driver\":\"nftables\"}]" ]
	[ "$(api GET /v1.40/info | jq -c '[.DefaultAddressPools, .FirewallBackend]')" = "[null,null]" ]
	id=$("$KIST" create $BUSYBOX true)
	"$KIST" commit "$id" shares:1
	[ "$(api GET "/images/json?shared-size=1" | jq '[.[].SharedSize] | length == 2 and .[0] > 0 and .[0] == .[1]')" = true ]
	[ "$(api GET /images/json | jq -c 'map(.SharedSize)')" = "[-1,-1]" ]
	# Asked for by one of its names, an image is shown with no other.
	"$KIST" tag shares:1 shares:2
	[ "$(api GET "/images/json?filters=$(query '{"reference":["shares:2"]}')" | jq -c 'map(.RepoTags)')" = '[["shares:2"]]' ]
	[ "$(api GET "/images/json?filters=$(query '{"reference":["sh*"]}')" | jq -c '.[].RepoTags | sort')" = '["shares:1","shares:2"]' ]
	"$KIST" rm "$id"
	"$KIST" rmi shares:1 shares:2
}
