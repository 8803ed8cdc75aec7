"""Networks: throughput and latency between containers and by published ports, beside docker and podman; what a network and a port cost a start, and
the next port where a thousand are."""
import contextlib
import json
import pathlib
import re
import shutil
import subprocess
import tarfile
import time

from lib.daemons import IMAGE, PODMAN_RUN, dockerd, host_of_its_own, kistd, podman
from lib.measure import in_turn, interleaved, left_out, wait_for

HOST = "192.0.2.1"  # an address of each one's host
WITH_IPERF = "kist.local/iperf:latest"
IPERF, PING, ROUND_TRIPS, THROUGHPUT_ROUNDS, TRIES = 5201, 7000, 3000, 9, 20
MANY, FIRST_OF_MANY = 1000, 20000


def run(bench):
    results = {}
    with contextlib.ExitStack() as stack:
        # A host for each: in one for all, the packets of each would pass the tables of all, and those of the last one that came would pass them first.
        inside = {name: stack.enter_context(host_of_its_own(name, f"{HOST}/32")) for name in ("kist", "docker", "podman")}
        _, host = stack.enter_context(kistd(bench.build, bench.directory, within=inside["kist"]))
        docker = stack.enter_context(dockerd(bench.build, bench.directory, inside["docker"]))
        pod = stack.enter_context(podman(bench.build, bench.directory, inside["podman"]))
        peers = {"kist": Peer([bench.kist("kist"), "-H", host], 15000, inside["kist"])}
        if docker:
            peers["docker"] = Peer(docker, 15100, inside["docker"])
        if pod:
            peers["podman"] = Peer(pod, 15200, inside["podman"], PODMAN_RUN)
        try:
            results["start"] = starts(bench, peers)
            results |= traffic(bench, peers)
        finally:
            for peer in peers.values():
                peer.clear()
    results["next_port"] = next_port(bench)
    return results


class Peer:
    """One of them, by its command line; its published ports begin at `base`; `within` leads to its host."""

    def __init__(self, command, base, within=(), run_options=()):
        self.command, self.base, self.within, self.run_options, self.names = list(command), base, list(within), list(run_options), []

    def __call__(self, *words):
        done = subprocess.run([*self.command, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{words[0]}: {done.stderr.strip()[-300:]}")
        return done.stdout.strip()

    def run_d(self, name, *words):
        """The command line of `run -d`; clear() removes what it makes."""
        self.names.append(name)
        return [*self.command, "run", "-d", "--name", name, *self.run_options, *words]

    def clear(self):
        if self.names:
            subprocess.run([*self.command, "rm", "-f", *self.names], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


# --- what a start costs ---


def starts(bench, peers):
    kinds = {"none": ["--network", "none"], "bridge": [], "bridge, port": None}

    def command(peer, kind, label):
        def line(i):
            options = kinds[kind] if kinds[kind] is not None else ["-p", f"{peer.base + 10 + i}:80"]
            return peer.run_d(f"{label}{i}", *options, IMAGE, "sleep", "3600")
        return line

    commands = {f"{name}, {kind}": command(peer, kind, re.sub(r"\W", "", kind)) for name, peer in peers.items() for kind in kinds}
    rows = interleaved("run -d IMAGE sleep", commands, bench.rounds, True)
    for peer in peers.values():
        peer.clear()
        peer.names.clear()
    return rows


def next_port(bench):
    """Two daemons, with few ports and with a thousand."""
    with contextlib.ExitStack() as stack:
        peers = {}
        for name, pool in (("few", "10.253.0.0/22"), ("many", "10.253.4.0/22")):
            directory = bench.directory / name
            directory.mkdir()
            _, host = stack.enter_context(kistd(bench.build, directory, name, pool))
            peers[name] = Peer([bench.kist("kist"), "-H", host], 16000 if name == "few" else 17000)
        wide = f"{FIRST_OF_MANY}-{FIRST_OF_MANY + MANY - 1}"
        peers["many"]("run", "-d", "-p", f"{wide}:{wide}", IMAGE, "sleep", "3600")
        for peer in peers.values():
            peer("run", "-d", "--name", "grows", IMAGE, "sleep", "3600")

        def start(peer):
            return lambda i: peer.run_d(f"one{i}", "-p", f"{peer.base + i}:80", IMAGE, "sleep", "3600")

        def publish(peer):
            return lambda i: [*peer.command, "update", "--publish-add", f"{peer.base + 500 + i}:80", "grows"]

        few, many = peers["few"], peers["many"]
        return {
            "start": interleaved(f"run -d -p, with few ports and with {MANY} in place", {"few": start(few), "many": start(many)}, bench.rounds, True),
            "publish": interleaved("update --publish-add, the same", {"few": publish(few), "many": publish(many)}, bench.rounds, True),
        }


# --- what goes through ---


def libraries(program):
    return re.findall(r"(/\S+) \(0x", subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout)


def image_with_iperf(bench):
    """busybox, the host's iperf3 with its libraries, and ping-pong: a root file system for `import`."""
    archive = bench.directory / "iperf.tar"
    files = {"bin/busybox": shutil.which("busybox"), "bin/sh": shutil.which("busybox"), "bin/sleep": shutil.which("busybox"), "bin/ping-pong": bench.compile("ping-pong"),
             "bin/iperf3": shutil.which("iperf3"), **{path.lstrip("/"): path for path in libraries(shutil.which("iperf3"))}}
    with tarfile.open(archive, "w") as tar:
        for name in ("bin", "tmp", "etc", "proc", "sys", "dev"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(entry)
        for name, path in files.items():
            tar.add(pathlib.Path(path).resolve(), name)
    return archive


def traffic(bench, peers):
    if not shutil.which("iperf3"):
        left_out("throughput and latency", "iperf3 is not installed")
        return {}
    archive, ping = image_with_iperf(bench), bench.compile("ping-pong")
    ways = {}
    for name, peer in list(peers.items()):
        try:
            peer("import", str(archive), WITH_IPERF)
            iperf_port, ping_port = peer.base, peer.base + 1
            subprocess.run(peer.run_d("server", "-p", f"{iperf_port}:{IPERF}", "-p", f"{ping_port}:{PING}", WITH_IPERF, "sh", "-c", f"iperf3 -s & exec ping-pong serve {PING}"),
                           check=True, capture_output=True)
            subprocess.run(peer.run_d("client", WITH_IPERF, "sleep", "3600"), check=True, capture_output=True)
            address = peer("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", "server")
            wait_for([*peer.within, ping, "127.0.0.1", str(ping_port), "1"], f"{name}: the server's published port")
        except (RuntimeError, subprocess.CalledProcessError) as e:
            left_out(name, e)
            continue
        ways[name] = {
            "container → container": ([*peer.command, "exec", "client"], "iperf3", "ping-pong", address, IPERF, PING),
            "host → its address": (peer.within, "iperf3", ping, address, IPERF, PING),
            "host → published": (peer.within, "iperf3", ping, HOST, iperf_port, ping_port),
            "127.0.0.1 → published": (peer.within, "iperf3", ping, "127.0.0.1", iperf_port, ping_port),
        }

    def latency(way):
        prefix, _, program, address, _, port = way

        def ask(_):
            out = subprocess.run([*prefix, program, address, str(port), str(ROUND_TRIPS)], check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
            median, p99 = map(float, out.split())
            return {"median µs": median, "p99 µs": p99}
        return ask

    def throughput(way):
        prefix, program, _, address, port, _ = way

        def send(_):
            for _ in range(TRIES):  # its server takes one client at a time, and a moment to end with it
                done = subprocess.run([*prefix, program, "-c", address, "-p", str(port), "-t", "1", "-J"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
                said = json.loads(done.stdout or "{}")
                if done.returncode == 0 and "error" not in said:
                    return {"Gbit/s": said["end"]["sum_received"]["bits_per_second"] / 1e9}
                time.sleep(0.2)
            raise RuntimeError(said.get("error", done.stderr.strip()))
        return send

    def of_all(make):
        return {f"{name}, {way}": make(v) for name, all_ways in ways.items() for way, v in all_ways.items()}

    return {
        "latency": in_turn(f"round trip of 64 bytes over TCP, {ROUND_TRIPS} in a row", of_all(latency), bench.rounds),
        "throughput": in_turn("iperf3, one stream for a second", of_all(throughput), min(bench.rounds, THROUGHPUT_ROUNDS)),
    }
