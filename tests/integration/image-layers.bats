# Images by their layers: back to an older one.
load ../lib/kist

setup_file() {
	kist_start
	registry_start
	W=$KT_DIR/images
	export W
	mkdir -p "$W/one/bin" "$W/two" "$W/three"
	cp "$(command -v busybox)" "$W/one/bin/busybox"
	for name in sh cat ls; do ln -s busybox "$W/one/bin/$name"; done
	echo one >"$W/one/mark"; echo two >"$W/two/mark"; echo three >"$W/three/mark"
	for layer in one two three; do tar -C "$W/$layer" --sort=name --mtime=@1700000000 --numeric-owner -cf "$W/$layer.tar" .; done
	"$BATS_TEST_DIRNAME/../lib/oci-image" "$W/layout" "$W/one.tar" "$W/two.tar:zstd" "$W/three.tar" --config '{
		"Env": ["PATH=/bin", "A=three", "B=late"], "Cmd": ["cat", "/mark", "/late"], "User": "0:7", "WorkingDir": "/bin",
		"Labels": {"who": "three", "kept": "yes"}, "ExposedPorts": {"80/tcp": {}, "53/udp": {}}}'
	# What a builder would have written: layers and settings in turn, in the words of two builders.
	python3 - "$W/layout" <<-'PY'
		import hashlib, json, pathlib, sys
		root = pathlib.Path(sys.argv[1])
		blob = lambda digest: root / "blobs/sha256" / digest.split(":")[1]
		def put(value):
		    data = json.dumps(value).encode()
		    digest = "sha256:" + hashlib.sha256(data).hexdigest()
		    blob(digest).write_bytes(data)
		    return digest, len(data)
		index = json.loads((root / "index.json").read_text())
		manifest = json.loads(blob(index["manifests"][0]["digest"]).read_text())
		config = json.loads(blob(manifest["config"]["digest"]).read_text())
		entry = lambda day, text, empty=True: {"created": f"2024-01-{day:02}T00:00:00Z", "created_by": text, **({"empty_layer": True} if empty else {})}
		config["history"] = [
		    entry(1, "/bin/sh -c #(nop) ADD file:0 in / ", False), entry(2, "/bin/sh -c #(nop)  ENV A=one"), entry(3, '/bin/sh -c #(nop)  CMD ["cat" "/mark"]'),
		    entry(4, "/bin/sh -c #(nop)  LABEL who=one"), entry(5, "EXPOSE map[80/tcp:{}]"),
		    entry(6, "COPY mark /mark # buildkit", False), entry(7, "ENV A=two"), entry(8, "WORKDIR /bin"), entry(9, "LABEL who=two"),
		    entry(10, "COPY mark /mark # buildkit", False), entry(11, "ENV A=three B=late"), entry(12, 'VOLUME [/late]'), entry(13, 'CMD ["cat","/mark","/late"]'),
		    entry(14, "USER 0:7"), entry(15, "LABEL who=three"), entry(16, "EXPOSE map[53/udp:{}]"),
		]
		manifest["config"]["digest"], manifest["config"]["size"] = put(config)
		index["manifests"][0]["digest"], index["manifests"][0]["size"] = put(manifest)
		(root / "index.json").write_text(json.dumps(index))
	PY
	tar -C "$W/layout" -cf "$W/image.tar" .
	registry_push "$W/layout" test/three:1
	"$KIST" pull -q "$REGISTRY/test/three:1"
	"$KIST" tag "$REGISTRY/test/three:1" three:1
}
teardown_file() { kist_end; }
teardown() { left_nothing; }

settings() { "$KIST" inspect --type image -f '{{json .Config}}' "$1" | jq -cS 'with_entries(select(.value | . != null and . != "" and . != {}))'; }
settings_are() { settings "$1" >"$BATS_TEST_TMPDIR/have"; echo "$2" | diff - "$BATS_TEST_TMPDIR/have"; }
history_of() { "$KIST" history --no-trunc --format '{{.CreatedBy}}' "$1"; }
layers_on_disk() { find "$KT_DIR/root/layers" -mindepth 2 -maxdepth 2 -printf '%f %i %C@\n' | sort; }

@test "checkout: the image without its top layers, nothing copied, settings and history as they were then" {
	layers_on_disk >"$BATS_TEST_TMPDIR/before"
	blobs=$(ls "$KT_DIR/root/oci/blobs/sha256" | wc -l)
	id=$("$KIST" image checkout three:1@-1 -t back:1)
	[ "$("$KIST" inspect --type image -f '{{.Id}}' back:1)" = "$id" ]
	layers_on_disk | diff "$BATS_TEST_TMPDIR/before" -
	[ "$(ls "$KT_DIR/root/oci/blobs/sha256" | wc -l)" = $((blobs + 2)) ] # a config and a manifest
	[ "$("$KIST" run --rm back:1)" = two ]
	settings_are back:1 '{"Cmd":["cat","/mark"],"Env":["PATH=/bin","A=two"],"ExposedPorts":{"80/tcp":{}},"Labels":{"kept":"yes","who":"two"},"WorkingDir":"/bin"}'
	run -0 history_of back:1
	[ "${#lines[@]}" = 9 ]
	[ "${lines[0]}" = "LABEL who=two" ]
	[[ $("$KIST" inspect --type image -f '{{.Created}}' back:1) == 2024-01-09T00:00:00*Z ]]
	# The lowest, by number, by the layer's digest and by its first digits: one and the same image.
	lowest=$("$KIST" image checkout three:1@-2 -t lowest:1)
	digest=$("$KIST" inspect --type image -f '{{index .RootFS.Layers 0}}' three:1)
	[ "$("$KIST" image checkout "three:1@$digest")" = "$lowest" ]
	[ "$("$KIST" image checkout "three:1@${digest:7:12}" -t localhost:5000/lowest)" = "$lowest" ]
	[ "$("$KIST" image checkout "$REGISTRY/test/three:1@-2")" = "$lowest" ]
	[ "$("$KIST" run --rm localhost:5000/lowest:latest)" = one ]
	settings_are lowest:1 '{"Cmd":["cat","/mark"],"Env":["PATH=/bin","A=one"],"ExposedPorts":{"80/tcp":{}},"Labels":{"kept":"yes","who":"one"}}'
	"$KIST" rmi back:1 lowest:1 localhost:5000/lowest
	layers_on_disk | diff "$BATS_TEST_TMPDIR/before" -
}

@test "checkout: the lower layers live on without the image they came from, and can be saved and pushed" {
	"$KIST" image checkout three:1@-1 -t back:2
	"$KIST" rmi three:1 "$REGISTRY/test/three:1"
	[ "$("$KIST" run --rm back:2)" = two ]
	"$KIST" save -o "$BATS_TEST_TMPDIR/back.tar" back:2
	[ "$(skopeo inspect "oci-archive:$BATS_TEST_TMPDIR/back.tar" | jq '.Layers | length')" = 2 ]
	"$KIST" tag back:2 "$REGISTRY/test/back:2"
	"$KIST" push -q "$REGISTRY/test/back:2"
	[ "$(skopeo inspect --tls-verify=false --raw "docker://127.0.0.1:$REGISTRY_PORT/test/back:2" | jq -r '.layers[].mediaType' | sort -u | wc -l)" = 2 ] # as they were: plain and zstd
	"$KIST" rmi back:2 "$REGISTRY/test/back:2"
	"$KIST" pull -q "$REGISTRY/test/three:1"
	"$KIST" tag "$REGISTRY/test/three:1" three:1
}

@test "checkout of an image without a history keeps its settings" {
	"$KIST" import -c 'CMD ["cat","/mark"]' "$W/one.tar" flat:1
	box=$("$KIST" create flat:1 true)
	"$KIST" cp "$W/two/mark" "$box:/mark"
	"$KIST" commit "$box" flat:2
	"$KIST" rm "$box"
	"$KIST" image checkout flat:2@-1 -t flat:3
	[ "$("$KIST" run --rm flat:3 cat /mark)" = one ]
	"$KIST" rmi flat:1 flat:2 flat:3
}

@test "checkout refuses in one line: no layer, too many, the top one, several, no image, bad names" {
	for bad in three:1 three:1@ @-1 three:1@-3 three:1@-0 three:1@-x three:1@sha256:0000000000000000000000000000000000000000000000000000000000000000 three:1@ab three:1@zzzz nosuch:1@-1; do
		run -1 "$KIST" image checkout "$bad" -t never:1
		[ "${#lines[@]}" = 1 ] && [[ $output == *"${bad%@*}"* ]]
	done
	top=$("$KIST" inspect --type image -f '{{index .RootFS.Layers 2}}' three:1)
	run -1 "$KIST" image checkout "three:1@$top"
	[[ $output == *"topmost"* ]]
	run -1 "$KIST" image checkout three:1@-1 -t case/UPPER
	[[ $output == *"invalid reference format"* ]]
	run -1 "$KIST" inspect --type image never:1
	[ "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$KT_DIR/kist.sock" -X POST 'http://kist/images/three:1/checkout?layer=-9')" = 400 ]
	[ "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$KT_DIR/kist.sock" -X POST 'http://kist/images/three:1/checkout?layer=dead')" = 404 ]
}
