"""Many containers alive at once, with two bind mounts each: does the last one start as fast as the first, and what does each take of the host?"""
import os
import statistics
import subprocess
import time

from lib import bundle
from lib.measure import table
from parts.runtime import runtimes

EDGE = 50


def available_kb():
    for line in open("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1])
    raise KeyError("MemAvailable")


def two_binds(config):
    for target in ("one", "two"):
        config["mounts"].append({"destination": f"/{target}", "type": "bind", "source": "/var/tmp", "options": ["bind", "ro"]})


def fill(command, path, name, n):
    """Start n; the seconds that each took, and the host's kilobytes for each."""
    times = []
    before = available_kb()
    for i in range(n):
        start = time.perf_counter()
        subprocess.run([*command, "run", "--detach", "--bundle", path, f"{name}-{i}"], check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    time.sleep(2)
    return times, (before - available_kb()) / n


def run(bench):
    rows = {}
    n = max(bench.containers, 2 * EDGE)
    path = bundle.make(bench, "dense", ["/bin/sleep", "36000"], two_binds)
    for r, command in runtimes(bench, ("crun",)).items():
        name = f"kist-bench-{os.getpid()}-{r}"
        try:
            times, kilobytes = fill(command, path, name, n)
            first, last = statistics.median(times[:EDGE]) * 1000, statistics.median(times[-EDGE:]) * 1000
            rows[r] = {"first ms": first, "last ms": last, "last/first": last / first, "MB each": kilobytes / 1024, "per second": n / sum(times)}
        finally:
            for i in range(n):
                subprocess.run([*command, "delete", "--force", f"{name}-{i}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return table(f"{n} containers alive with two bind mounts each: medians of the first and the last {EDGE} starts", rows)
