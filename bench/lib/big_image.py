"""A five-layer image of Debian packages with a compiler, 500 to 600 MB in some 17,000 entries, and a second one that differs in its top layer only. Made once
by mmdebstrap from this machine's own sources, and kept below the build directory."""
import io
import json
import shutil
import subprocess
import tarfile

PACKAGES = "g++,python3,perl,git,nodejs,binutils"
LAYERS = 5


def layer_of(name, size):
    """The upper four have the biggest parts, so that the layers are of one order of size."""
    name = name.lstrip("./")
    if name.startswith(("usr/lib/gcc", "usr/libexec/gcc")):
        return 1
    if name.startswith(("usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu")):
        return 2
    if name.startswith(("usr/share", "usr/include")):
        return 3
    if name.startswith(("usr/lib/python3", "usr/lib/git-core", "usr/share/nodejs")):
        return 4
    return 0


def split(archive, work):
    outs = [tarfile.open(work / f"{i}.tar", "w", format=tarfile.PAX_FORMAT) for i in range(LAYERS)]
    for member in archive:
        if member.isdev():
            continue
        name = member.linkname if member.islnk() else member.name
        outs[layer_of(name, member.size)].addfile(member, archive.extractfile(member) if member.isreg() else None)
    for out in outs:
        out.close()


def make(build):
    """Returns {"layout": the OCI layout, "second": the other's, "layers": the plain archives, "bytes", "entries", "compressed"}."""
    place = build / "bench-image"
    facts = place / "facts.json"
    if not facts.exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        print("making the image of the bench (once) …", flush=True)
        subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", "bookworm", place / "all.tar"], check=True,
                       stderr=subprocess.DEVNULL)
        with tarfile.open(place / "all.tar") as archive:
            split(archive, place)
        (place / "all.tar").unlink()
        with tarfile.open(place / "second.tar", "w") as other:
            info = tarfile.TarInfo("etc/second")
            info.size = 7
            other.addfile(info, io.BytesIO(b"second\n"))
        tool = str(build.parent / "tests/lib/oci-image") if (build.parent / "tests/lib/oci-image").exists() else "tests/lib/oci-image"
        layers = [place / f"{i}.tar" for i in range(LAYERS)]
        subprocess.run([tool, place / "layout", *layers], check=True)
        subprocess.run([tool, place / "layout-second", *layers[:-1], place / "second.tar"], check=True)
        compressed = sum(f.stat().st_size for f in (place / "layout/blobs/sha256").iterdir())
        entries = 0
        for layer in layers:
            with tarfile.open(layer) as archive:
                entries += len(archive.getnames())
        facts.write_text(json.dumps({"bytes": sum(layer.stat().st_size for layer in layers), "entries": entries, "compressed": compressed}))
    return {"layout": place / "layout", "second": place / "layout-second", **json.loads(facts.read_text())}
