# What kist prints in lists: columns, --format, --filter, -q, --no-trunc; beside what docker prints of the same daemon.
load ../lib/kist

setup_file() {
	kist_start
	"$KIST" volume create --label tier=db data >/dev/null
	"$KIST" run -d --name web --label tier=front -v data:/data $BUSYBOX sleep 600 >/dev/null
	"$KIST" create --name job --label com.example.n=2 $BUSYBOX sh -c 'exit 3; echo this is a longer command' >/dev/null
}
teardown_file() { kist_end; }

# The words of a list may tell the time: "Up 2 seconds", "3 seconds ago".
timeless() { sed -E 's/(N\/A|[0-9]+ years|Less than a second|About a minute|[0-9]+ seconds?|[0-9]+ minutes?)( ago)?/TIME/g; s/ +/ /g; s/ $//'; }

same_as_docker() { # ARG... of both
	diff <("$KIST" "$@" | timeless) <(/usr/bin/docker "$@" | timeless)
}

@test "ps, images, volume ls, system df and history print docker's columns" {
	same_as_docker ps
	same_as_docker ps -a
	same_as_docker ps -as
	same_as_docker ps -aq --no-trunc
	same_as_docker ps -n 1
	same_as_docker ps -l
	same_as_docker images
	same_as_docker images --digests --no-trunc
	same_as_docker images -q
	same_as_docker volume ls
	same_as_docker volume ls -q
	same_as_docker history $BUSYBOX
	same_as_docker history -q --no-trunc $BUSYBOX
	same_as_docker container ls -a
	same_as_docker image ls
	same_as_docker top web
	"$KIST" system df | head -n 1 | grep -qE '^TYPE +TOTAL +ACTIVE +SIZE +RECLAIMABLE$'
	diff <("$KIST" system df | awk '{print $1, $2, $3, $4}' | tail -n +3) <(/usr/bin/docker system df | awk '{print $1, $2, $3, $4}' | tail -n +3)
	diff <("$KIST" system df -v | timeless | grep -v ^kist.local) <(/usr/bin/docker system df -v | timeless | grep -v ^kist.local)
}

@test "--format of lists: every column as docker fills it" {
	for column in ID Names Image Command CreatedAt Ports State Labels Mounts Networks LocalVolumes; do
		same_as_docker ps -a --format "{{.$column}}"
		same_as_docker ps -a --no-trunc --format "table {{.$column}}\t{{.Names}}"
	done
	for column in ID Repository Tag Digest CreatedSince CreatedAt Size; do
		same_as_docker images --format "table {{.$column}}\t{{.ID}}"
	done
	for column in Name Driver Scope Mountpoint Labels Links Size; do
		same_as_docker volume ls --format "table {{.$column}}\t{{.Name}}"
	done
	for column in ID CreatedSince CreatedBy Size Comment; do
		same_as_docker history --format "table {{.$column}}\t{{.ID}}" $BUSYBOX
	done
	same_as_docker ps --format '{{.Names}}: {{.Label "tier"}} {{.Label "nope"}}.'
	same_as_docker ps -a --format 'table {{.Names}}\t{{.Label "com.example.n"}}'
	same_as_docker ps --format '{{range split .Labels ","}}<{{upper .}}>{{end}}{{if eq .State "running"}} up{{else}} down{{end}}'
	same_as_docker ps -a --format '{{.Names | printf "%-8s|" | upper}}{{len .ID}} {{truncate .Image 4}} {{json .Names}}'
	same_as_docker volume ls --format '{{.Name}} {{.Label "tier"}}'
	# One object per line, with docker's names.
	"$KIST" ps -a --format json | python3 -c '
import json, sys
rows = [json.loads(line) for line in sys.stdin]
assert [r["Names"] for r in rows] == ["job", "web"], rows
assert set(rows[0]) >= {"ID", "Names", "Image", "Command", "CreatedAt", "RunningFor", "Ports", "State", "Status", "Size", "Labels", "Mounts", "Networks", "LocalVolumes"}'
	[ "$("$KIST" images --format json | python3 -c 'import json, sys; print(json.load(sys.stdin)["Repository"])')" = $BUSYBOX ]
	[ "$("$KIST" system df --format '{{.Type}}={{.TotalCount}}' | head -n 3 | tr '\n' ' ')" = "Images=1 Containers=2 Local Volumes=1 " ]
	[ "$("$KIST" system df -v --format '{{range .Volumes}}{{.Name}} {{.Links}}{{end}}')" = "data 1" ]
}

@test "--format of inspect: what docker prints" {
	for template in '{{.Name}} {{.State.Running}}' '{{.ID}}' '{{json .Config.Labels}}' '{{index .Config.Labels "tier"}}|{{index .Config.Labels "nope"}}' \
		'{{range .Mounts}}{{.Name}}:{{.Destination}}{{"\n"}}{{end}}' '{{range $k, $v := .Config.Labels}}{{$k}}={{$v}} {{end}}' \
		'{{with .State}}{{.Status}}{{end}}{{if .HostConfig.Privileged}}p{{else}}-{{end}}' '{{len .Mounts}} {{join .Args "+"}}' \
		'{{(index .Mounts 0).Type}}' '{{.Config.Labels}}' '{{- /* nothing */ -}} {{.HostConfig.Memory}}' \
		'{{range $n, $e := .NetworkSettings.Networks}}{{$n}}{{end}}' '{{or .Config.Domainname "none"}} {{not .State.Paused}}' \
		'{{printf "%q %d %v" .Name .State.ExitCode .Config.Tty}}' '{{if and .State.Running (gt .State.Pid 0)}}alive{{end}}'; do
		same_as_docker inspect -f "$template" web
	done
	same_as_docker image inspect -f '{{.Os}}/{{.Architecture}} {{.Config.Cmd}}' $BUSYBOX
	same_as_docker volume inspect -f '{{.Name}} {{.Labels.tier}}' data
	[ "$("$KIST" inspect --type volume -f '{{.Driver}}' data)" = local ]
	[ "$("$KIST" inspect --format json web job | python3 -c 'import json, sys; print(len(json.load(sys.stdin)))')" = 2 ]
	"$KIST" container inspect -s -f '{{.SizeRootFs}}' web | grep -qE '^[1-9]'
	[ "$("$KIST" version -f '{{.Client.APIVersion}} {{.Server.Os}}')" = "1.51 linux" ]
	[ "$("$KIST" info -f '{{.Containers}} {{.OSType}}')" = "2 linux" ]
}

@test "--format that is wrong is refused in one line with its place, before anything is printed" {
	run -1 "$KIST" ps --format '{{.Nope}}'
	[ "$output" = "kist: --format: 1:3: there is no field .Nope" ]
	run -1 "$KIST" images --format 'x{{range .ID}}'
	[ "$output" = "kist: --format: 1:4: this block has no {{end}}" ]
	run -1 "$KIST" inspect -f $'a\n{{nope .}}' web
	[ "$output" = 'kist: --format: 2:3: function "nope" is not defined' ]
	run -1 "$KIST" inspect -f '{{index .Mounts 9}}' web
	[ "$output" = "kist: --format: 1:3: index: 9 is outside of a list of 1" ]
	run -1 "$KIST" volume ls --format '{{.Name'
	[ "$output" = "kist: --format: 1:8: {{ without }}" ]
	run -1 "$KIST" events --since 1h --until 0s --format '{{template "x"}}'
	[[ "$output" == *"{{template}} is not supported" ]]
	run -1 "$KIST" ps --format "$(printf '{{range 9999}}{{range 9999}}%s{{end}}{{end}}' '{{"xxxxxxxxxxxxxxxx"}}')"
	[[ "$output" == *"too "* ]]
}

@test "filters" {
	[ "$("$KIST" ps -a --filter status=created --format '{{.Names}}')" = job ]
	[ "$("$KIST" ps -a --filter label=tier=front --format '{{.Names}}')" = web ]
	[ "$("$KIST" ps -a --filter ancestor=$BUSYBOX -q | wc -l)" = 2 ]
	[ "$("$KIST" ps --filter volume=data --format '{{.Names}}')" = web ]
	[ "$("$KIST" ps -a --filter since=web --format '{{.Names}}')" = job ]
	[ "$("$KIST" ps -a --filter before=job --format '{{.Names}}')" = web ]
	[ "$("$KIST" volume ls -q --filter label=tier=db)" = data ]
	[ -z "$("$KIST" volume ls -q --filter dangling=true)" ]
	run -1 "$KIST" ps --filter nope=1
	run -1 "$KIST" ps --filter nope
	[[ "$output" == *"KEY=VALUE"* ]]
}

@test "a value's control characters do not reach a terminal, nor break a table" {
	"$KIST" create --name odd --label $'evil=\e[2Jx\ty' $BUSYBOX true >/dev/null
	[ "$("$KIST" ps -a --filter name=odd --format 'table {{.Label "evil"}}|{{.Labels}}' | tail -n 1 | tr -d '?')" != "" ]
	run script -qec "$KIST ps -a --filter name=odd --format '{{.Labels}}'" /dev/null
	[[ "$output" != *$'\e[2J'* && "$output" == *"evil=?[2Jx"* ]]
	# The C1 controls in UTF-8, of which U+009B begins what ESC [ does.
	csi=$(printf '\302\233')
	"$KIST" run --name c1 --label "evil=${csi}2Jé" $BUSYBOX touch "/${csi}2Jfile"
	for command in "ps -a --filter name=c1 --format {{.Labels}}" "inspect -f {{.Config.Labels}} c1" "events --since 1h --until 0s --filter container=c1" "diff c1" \
		"ps -a --filter name=c1 --no-trunc" "logs ${csi}2J"; do
		run script -qec "$KIST $command" /dev/null
		[[ "$output" != *"$csi"* && ( "$output" == *"?2J"* || "$command" == "ps -a"* ) ]]
	done
	[ "$("$KIST" diff c1)" = "A /${csi}2Jfile" ]
	"$KIST" rm c1
	# In a pipe it comes as it is.
	[ "$("$KIST" ps -a --filter name=odd --format '{{.Label "evil"}}')" = $'\e[2Jx\ty' ]
	"$KIST" rm odd
}

# What COMMAND prints on a terminal, without the terminal's own carriage returns.
on_terminal() {
	script -qec "$1" /dev/null </dev/null | tr -d '\r'
}

@test "colours: on a terminal only, not with NO_COLOR; columns stay where they are; a pipe gets the same bytes as ever" {
	"$KIST" run -d --name colour-up $BUSYBOX sleep 1000
	"$KIST" run --name colour-bad $BUSYBOX false || true
	"$KIST" run --name colour-good $BUSYBOX true
	"$KIST" run -d --name colour-still $BUSYBOX sleep 1000
	"$KIST" pause colour-still
	list="$KIST ps -a --filter name=colour- --format 'table {{.Names}}\t{{.State}}\t{{.Status}}\t{{.Image}}'"
	export TERM=xterm
	unset NO_COLOR
	eval "$list" >"$BATS_TEST_TMPDIR/pipe"
	run ! grep -q $'\e' "$BATS_TEST_TMPDIR/pipe"
	on_terminal "$list" >"$BATS_TEST_TMPDIR/screen"
	grep -q $'^\e\\[1mNAMES .*IMAGE\e\\[0m$' "$BATS_TEST_TMPDIR/screen"
	grep -q $'^colour-up .*\e\\[32mrunning\e\\[0m ' "$BATS_TEST_TMPDIR/screen"
	grep -q $'^colour-bad .*\e\\[31mExited (1) ' "$BATS_TEST_TMPDIR/screen"
	grep -q $'^colour-still .*\e\\[33mpaused\e\\[0m ' "$BATS_TEST_TMPDIR/screen"
	run ! grep -q $'^colour-good .*\e' "$BATS_TEST_TMPDIR/screen"
	# Times go on between the two.
	words() { sed 's/\x1b\[[0-9]*m//g; s/[0-9]\+ seconds\?\|Less than a second\|About a minute/N/g; s/  */ /g' "$1"; }
	[ "$(words "$BATS_TEST_TMPDIR/screen")" = "$(words "$BATS_TEST_TMPDIR/pipe")" ]
	NO_COLOR=1 on_terminal "$list" >"$BATS_TEST_TMPDIR/plain"
	run ! grep -q $'\e' "$BATS_TEST_TMPDIR/plain"
	[ "$(NO_COLOR=1 on_terminal "$KIST ps --help")" = "$("$KIST" ps --help)" ]
	[ "$(TERM=dumb on_terminal "$KIST ps --help")" = "$("$KIST" ps --help)" ]
	[[ "$(on_terminal "$KIST ps --help")" == $'\e[1mUsage:\e[0m'* ]]
	[[ "$(on_terminal "$KIST rm nosuch")" == $'\e[31mkist:\e[0m '*"nosuch"* ]]
	[[ "$(NO_COLOR= on_terminal "$KIST rm nosuch")" == $'\e[31mkist:\e[0m '* ]]
	run "$KIST" rm nosuch
	[[ "$output" == "kist: "*"nosuch"* ]]
	"$KIST" rm -f colour-up colour-bad colour-good colour-still
}

# Words to move the cursor, to wipe, to colour, in any order of parameters.
no_orders() { run ! grep -q -e $'\e' -e $'\r.' "$1"; }

@test "TERM=dumb, or none: no bars, no colours, nothing wiped: what a pipe gets" {
	"$KIST" save -o "$BATS_TEST_TMPDIR/image.tar" $BUSYBOX
	for command in "load -i $BATS_TEST_TMPDIR/image.tar" "ps -a" "system fsck --digests" "run --help"; do
		"$KIST" $command 2>&1 | timeless >"$BATS_TEST_TMPDIR/pipe"
		for term in dumb ''; do
			TERM=$term on_terminal "$KIST $command" | timeless >"$BATS_TEST_TMPDIR/screen"
			no_orders "$BATS_TEST_TMPDIR/screen"
			# A load that takes its time says so meanwhile.
			diff <(grep -v '^Reading archive' "$BATS_TEST_TMPDIR/pipe") <(grep -v '^Reading archive' "$BATS_TEST_TMPDIR/screen")
		done
	done
	# They are there where they are obeyed.
	for command in "system fsck --digests" "ps -a"; do
		TERM=xterm on_terminal "$KIST $command" >"$BATS_TEST_TMPDIR/screen"
		grep -q $'\e' "$BATS_TEST_TMPDIR/screen"
	done
	# Two rounds of stats are two tables, one below the other.
	stats() { # TERM
		TERM=$1 timeout 60 script -qefc "$KIST stats web" "$BATS_TEST_TMPDIR/stats-$1" >/dev/null </dev/null 3>&- &
		two() { [ "$(grep -c 'CONTAINER ID' "$BATS_TEST_TMPDIR/stats-$1")" -ge 2 ]; }
		eventually two "$1"
		kill $!
	}
	stats dumb
	run ! grep -q $'\e' "$BATS_TEST_TMPDIR/stats-dumb"
	stats xterm
	grep -q $'\e\\[2J\e\\[H' "$BATS_TEST_TMPDIR/stats-xterm"
}

@test "ps is never older than a change: of name, state, networks, ports; a version of the API does not get another's entry" {
	api() { curl -sf --unix-socket "$KT_DIR/kist.sock" "http://kist/v$1/containers/json?all=1&filters=%7B%22name%22%3A%5B%22fresh%22%5D%7D"; }
	line() { "$KIST" ps -a --filter name=fresh --format "$1"; }
	"$KIST" create --name fresh1 -p 127.0.0.1::80 $BUSYBOX sleep 300
	[ "$(line '{{.Names}} {{.State}} {{.Networks}}')" = "fresh1 created bridge" ]
	[ "$(api 1.52 | jq -r '.[0].NetworkSettings.Networks.bridge | has("GwPriority")')" = true ]
	[ "$(api 1.41 | jq -r '.[0].NetworkSettings.Networks.bridge | has("GwPriority")')" = false ]
	[ "$(api 1.52 | jq -r '.[0].NetworkSettings.Networks.bridge | has("GwPriority")')" = true ]
	"$KIST" rename fresh1 fresh2
	[ "$(line '{{.Names}} {{.State}}')" = "fresh2 created" ]
	[ -z "$(line '{{.Ports}}' | grep 127.0.0.1)" ]
	"$KIST" start fresh2
	[[ "$(line '{{.State}} {{.Status}} {{.Ports}}')" == "running Up "*" 127.0.0.1:"*"->80/tcp" ]]
	"$KIST" network create fresh-net
	"$KIST" network connect fresh-net fresh2
	[[ "$(line '{{.Networks}}')" == *fresh-net* ]]
	"$KIST" network disconnect fresh-net fresh2
	[ "$(line '{{.Networks}}')" = bridge ]
	"$KIST" kill fresh2
	"$KIST" wait fresh2
	[[ "$(line '{{.State}} {{.Status}}')" == "exited Exited (137) "* ]]
	# What the usual table leaves out is not asked for, and other formats have it.
	[ "$(curl -sf --unix-socket "$KT_DIR/kist.sock" "http://kist/containers/json?all=1&brief=1" | jq -c '[.[]|has("Mounts"),has("Id")]|unique')" = '[false,true]' ]
	"$KIST" rm fresh2
	"$KIST" network rm fresh-net
	[ "$(curl -sf --unix-socket "$KT_DIR/kist.sock" "http://kist/images/json?brief=1" | jq -c '.[0]|[has("Labels"),has("RepoDigests"),(.Id|length)]')" = '[false,false,12]' ]
}

@test "networks: the columns and templates of the other lists; Docker's other spellings" {
	"$KIST" network create --internal --label tier=back lists-net
	[ "$("$KIST" network ls --filter name=lists-net --format 'table {{.Name}}\t{{.Label "tier"}}\t{{.Internal}}')" = "$(printf 'NAME        tier      INTERNAL\nlists-net   back      true')" ]
	[ "$("$KIST" network ls --filter name=lists-net --format json | jq -c '[.Name, .Driver, .Scope, .IPv4, .IPv6, .Internal, .Labels]')" = \
		'["lists-net","bridge","local","true","false","true","tier=back"]' ]
	same_as_docker network ls --no-trunc
	same_as_docker network ls --format 'table {{.ID}}\t{{.Labels}}\t{{.IPv6}}'
	same_as_docker network ls -q
	run -1 "$KIST" network ls --format '{{.Nope}}'
	[ "$output" = "kist: --format: 1:3: there is no field .Nope" ]
	"$KIST" network remove lists-net
	[ "$("$KIST" container ps -aq)" = "$("$KIST" container list -aq)" ]
	[ "$("$KIST" container ps -aq)" = "$("$KIST" ps -aq)" ]
	run -1 "$KIST" image rmi nosuch
	[[ "$output" == *"No such image"* ]]
	run "$KIST" volume ps
	[ "$status" -ne 0 ]
}

@test "info and version for people: Docker's layout; what the host lacks comes last" {
	"$KIST" info >"$BATS_TEST_TMPDIR/ours" 2>"$BATS_TEST_TMPDIR/warnings"
	# Each line of docker's that is about the server; the programs that Kist has not are empty there.
	for C in $(clients); do
		[ "$C" != kist ] || continue
		client "$C" info 2>/dev/null | sed -n '/^Server:/,$p' | grep -vE '^$|: ?$|(bin|Init) Binary|version:|Registry:|WARNING' >"$BATS_TEST_TMPDIR/theirs"
		while IFS= read -r line; do
			grep -qxF -- "$line" "$BATS_TEST_TMPDIR/ours" || { echo "$C has \"$line\"" >&2; return 1; }
		done <"$BATS_TEST_TMPDIR/theirs"
		[ "$(wc -l <"$BATS_TEST_TMPDIR/theirs")" -gt 25 ]
	done
	grep -qx ' Firewall Backend: nftables' "$BATS_TEST_TMPDIR/ours"
	[ -z "$(grep -v '^WARNING: \|^$' "$BATS_TEST_TMPDIR/warnings")" ]
	run -0 "$KIST" version
	[[ "$output" == "Client: Kist"*" Version: "*"Server: Kist"*" Engine:"*"API version: "*"(minimum version 1.24)"* ]]
	run -1 "$KIST" -H "unix://$BATS_TEST_TMPDIR/nosuch" info
	[[ "$output" == *"Client: Kist"*"cannot connect to kistd"* ]]
}
