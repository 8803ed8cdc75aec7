"""Images beside dockerd and podman: pull and unpack, a second image with four of five layers, save, load, rmi, images with 1,000 of them. Each store is
cold, on an ext4 that was made for that round on a loop device: a root disk in long use can cost ten times as much for each file."""
import contextlib
import os
import shutil
import statistics
import subprocess
import threading
import time

from lib import big_image
from lib.daemons import dockerd, kistd, podman
from lib.measure import busy_ms, interleaved, left_out, table, wait_for
from parts.scale import Connection

PORT = 5091  # in the network namespace of the bench
DISK_GB = 12
MANY = 1000


@contextlib.contextmanager
def fresh_disk(bench):
    image, place = bench.directory / "disk", bench.directory / "disk.d"
    with open(image, "wb") as f:
        f.truncate(DISK_GB << 30)
    subprocess.run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", image], check=True)
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", "loop", image, place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-R", "-l", place], check=True)
        image.unlink()


@contextlib.contextmanager
def registry(bench, image):
    place = bench.directory / "registry"
    config = bench.directory / "registry.yml"
    config.write_text(f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {place}}}}}\nhttp: {{addr: '127.0.0.1:{PORT}'}}\n")
    log = open(bench.directory / "registry.log", "w")
    server = subprocess.Popen(["docker-registry", "serve", config], stdout=log, stderr=log)
    try:
        wait_for(["curl", "-sf", f"http://127.0.0.1:{PORT}/v2/"], "docker-registry")
        for name in ("layout", "second"):
            subprocess.run(["skopeo", "copy", "-q", "--dest-tls-verify=false", f"oci:{image[name]}:latest", f"docker://127.0.0.1:{PORT}/{name}:latest"], check=True)
        yield
    finally:
        server.terminate()
        server.wait()


def timed(command):
    subprocess.run(["sync"])
    busy, start = busy_ms(), time.perf_counter()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.decode()[-300:]}")
    return time.perf_counter() - start, (busy_ms() - busy) / 1000


class Peak(threading.Thread):
    """The most that the processes of one name had together, private and shared parts divided (PSS), looked at every 20 ms."""

    def __init__(self, names):
        super().__init__(daemon=True)
        self.names, self.kb, self.stop = names, 0, threading.Event()

    def run(self):
        while not self.stop.wait(0.02):
            total = 0
            for pid in filter(str.isdigit, os.listdir("/proc")):
                with contextlib.suppress(OSError, ValueError, IndexError):
                    if open(f"/proc/{pid}/comm").read().strip() in self.names:
                        total += next(int(line.split()[1]) for line in open(f"/proc/{pid}/smaps_rollup") if line.startswith("Pss:"))
            self.kb = max(self.kb, total)


def engine(name, bench, place):
    """The context of one engine with its store below place; it yields its command, or None."""
    @contextlib.contextmanager
    def kist():
        with kistd(bench.build, place) as (_, host):
            yield [str(bench.build / "bin/kist"), "-H", host]
    return {"kist": kist, "docker": lambda: dockerd(bench.build, place), "podman": lambda: podman(bench.build, place)}[name]()


def one_round(name, bench, got):
    """All that is measured with one cold store."""
    with fresh_disk(bench) as place, engine(name, bench, place) as command:
        if not command:
            return False
        insecure = ["--tls-verify=false"] if name == "podman" else []

        def step(what, words):
            got.setdefault(what, {}).setdefault(name, []).append(timed([*command, *words]))

        step("pull + unpack", ["pull", "-q", *insecure, f"localhost:{PORT}/layout:latest"])
        step("second image", ["pull", "-q", *insecure, f"localhost:{PORT}/second:latest"])
        archive = bench.directory / "saved.tar"
        step("save", ["save", "-o", archive, f"localhost:{PORT}/layout:latest"])
        subprocess.run([*command, "rmi", f"localhost:{PORT}/second:latest"], check=True, stdout=subprocess.DEVNULL)
        step("rmi", ["rmi", f"localhost:{PORT}/layout:latest"])
        archive.unlink()
        # All load the same archive.
        step("load", ["load", "-q", "-i", bench.directory / "layout.docker.tar"])
    return True


def tools_alone(bench, image, got):
    """What the parts cost with the field's plain tools, one after the other."""
    blobs = [image["layout"] / "blobs/sha256" / d for d in layer_digests(image["layout"])]
    with fresh_disk(bench) as place:
        script = " && ".join(f"gzip -dc {b} | tar x -C {place}" for b in blobs)
        got.setdefault("pull + unpack", {}).setdefault("gzip -d | tar x", []).append(timed(["sh", "-c", script]))
    got["pull + unpack"].setdefault("sha256sum", []).append(timed(["sha256sum", *blobs]))


def layer_digests(layout):
    import json
    index = json.loads((layout / "index.json").read_text())
    manifest = json.loads((layout / "blobs/sha256" / index["manifests"][0]["digest"][7:]).read_text())
    return [layer["digest"][7:] for layer in manifest["layers"]]


def peak_memory(bench):
    with fresh_disk(bench) as place, engine("kist", bench, place) as command:
        peak = Peak({"kistd", "kist-worker"})
        peak.start()
        subprocess.run([*command, "pull", "-q", f"localhost:{PORT}/layout:latest"], check=True, stdout=subprocess.DEVNULL)
        peak.stop.set()
        peak.join()
    return {"kistd and its workers, PSS": {"MB": peak.kb / 1024}}


def many_images(bench):
    place = bench.directory / "many"
    place.mkdir()
    with engine("kist", bench, place) as command:
        subprocess.run([*command, "create", "--name", "base", "kist.local/busybox"], check=True, stdout=subprocess.DEVNULL)
        with contextlib.closing(Connection(str(place / "kist/kist.sock"))) as connection:
            for i in range(MANY - 1):
                connection.request("POST", f"/commit?container=base&repo=many&tag={i}&comment={i}")
                answer = connection.getresponse()
                if answer.status != 201:
                    raise RuntimeError(f"commit: {answer.read()[:200]}")
                answer.read()
        return interleaved(f"images with {MANY} images", {"kist": lambda i: [*command, "images"]}, bench.rounds)


def prepare(build):
    if shutil.which("mmdebstrap"):
        big_image.make(build)


def run(bench):
    for needed in ("docker-registry", "skopeo", "mmdebstrap", "mkfs.ext4"):
        if not shutil.which(needed):
            left_out("images", f"no {needed}")
            return {}
    image = big_image.make(bench.build)
    print(f"\nthe image: {image['bytes'] >> 20} MB in {image['entries']} entries, {image['compressed'] >> 20} MB compressed")
    rounds = max(1, bench.rounds // 5)
    results, got, names = {"image": {k: v for k, v in image.items() if isinstance(v, int)}, "rounds": rounds}, {}, ["kist", "docker", "podman"]
    with registry(bench, image):
        subprocess.run(["skopeo", "copy", "-q", f"oci:{image['layout']}:latest", f"docker-archive:{bench.directory}/layout.docker.tar:loaded:latest"], check=True)
        for _ in range(rounds):
            for name in list(names):
                try:
                    if not one_round(name, bench, got):
                        names.remove(name)
                except (RuntimeError, subprocess.CalledProcessError) as e:
                    left_out(name, e)
                    names.remove(name)
            tools_alone(bench, image, got)
        results["memory"] = table("peak memory of a pull", peak_memory(bench))
    for what, rows in got.items():
        ours = statistics.median(wall for wall, _ in rows["kist"])
        results[what] = table(f"{what}, {rounds} rounds", {
            name: {"wall s": statistics.median(w for w, _ in samples), "cpu s": statistics.median(c for _, c in samples),
                   "wall ×": statistics.median(w for w, _ in samples) / ours} for name, samples in rows.items()})
    results["images"] = many_images(bench)
    return results
