"""The engine with many: ps with 1,000 containers, 64 runs at once, memory for each, logs -f of a million lines; beside dockerd."""
import concurrent.futures
import contextlib
import http.client
import json
import socket
import statistics
import subprocess
import time

from lib.daemons import IMAGE, dockerd, kistd
from lib.measure import interleaved, status_kb, table

LISTED, RUNNING, AT_ONCE, LINES = 1000, 100, 64, 1_000_000


def run(bench):
    results = {}
    with kistd(bench.build, bench.directory) as (daemon, host), dockerd(bench.build, bench.directory) as docker:
        kist = [str(bench.build / "bin/kist"), "-H", host]
        both = {"kist": kist, **({"docker": docker} if docker else {})}
        results["idle"] = {"rss_kb": rss(daemon)}
        results["at_once"] = table(f"{AT_ONCE} × run --rm IMAGE true at once (bridge); ms", {name: at_once(c) for name, c in both.items()})
        results["logs"] = table(f"logs -f of {LINES} lines", {name: logs(c, bench.directory) for name, c in both.items()})
        results["memory"] = table("memory, kB", {"kist": memory(daemon, kist)})
        results["ps"] = listing(bench, both, host)
    return results


def rss(daemon):
    time.sleep(2)  # it gives back what only the start needed
    return status_kb(daemon.pid, "VmRSS")


def at_once(command):
    """The slowest beside the median: nobody waits for all the others."""
    def one(_):
        start = time.perf_counter()
        subprocess.run([*command, "run", "--rm", IMAGE, "true"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return (time.perf_counter() - start) * 1000

    one(0)
    start = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        times = list(pool.map(one, range(AT_ONCE)))
    seconds = time.perf_counter() - start
    median = statistics.median(times)
    return {"runs/s": AT_ONCE / seconds, "median": median, "slowest": max(times), "slowest/median": max(times) / median}


def logs(command, directory):
    """From the start of the container to the last line: count and order are looked at."""
    out = directory / "lines"
    start = time.perf_counter()
    subprocess.run([*command, "run", "-d", "--name", "talker", IMAGE, "seq", str(LINES)], check=True, stdout=subprocess.DEVNULL)
    with open(out, "w") as f:
        subprocess.run([*command, "logs", "-f", "talker"], check=True, stdout=f)
    seconds = time.perf_counter() - start
    lines = out.read_text().split()
    lost = LINES - len(lines)
    ordered = all(int(a) < int(b) for a, b in zip(lines, lines[1:]))
    subprocess.run([*command, "rm", "-f", "talker"], stdout=subprocess.DEVNULL)
    return {"lines/s": LINES / seconds, "lost": lost, "in order": int(ordered)}


def memory(daemon, kist):
    before = rss(daemon)
    names = [f"many{i}" for i in range(RUNNING)]
    for name in names:
        subprocess.run([*kist, "run", "-d", "--name", name, IMAGE, "sleep", "3600"], check=True, stdout=subprocess.DEVNULL)
    after = rss(daemon)
    pids = subprocess.run([*kist, "inspect", "-f", "{{.State.Pid}}", *names], capture_output=True, text=True).stdout.split()
    pss = [status_kb(status_kb(pid, "PPid"), "Pss", "smaps_rollup") for pid in pids]
    return {"kistd": before, f"with {RUNNING}": after, "for each": (after - before) / RUNNING, "monitor PSS": statistics.median(pss)}


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def create(path, n):
    connection = Connection(path)
    with contextlib.closing(connection):
        for _ in range(n):
            connection.request("POST", "/containers/create", json.dumps({"Image": IMAGE, "Cmd": ["sleep", "3600"]}), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            if answer.status != 201:
                raise RuntimeError(f"{path}: {answer.read()[:200]}")
            answer.read()


def listing(bench, both, host):
    """Those that run are kist's hundred; the rest, and all of docker's, are created only."""
    create(host.removeprefix("unix://"), LISTED - RUNNING)
    if "docker" in both:
        create(both["docker"][-1].removeprefix("unix://"), LISTED)
    return interleaved(f"ps -a with {LISTED} containers", {name: lambda i, c=c: [*c, "ps", "-a"] for name, c in both.items()}, bench.rounds)
