"""Names: answers of kist-dns per second, over UDP, asked from within a container's network; and what they cost it of a processor."""
import os
import re
import subprocess

from lib.daemons import IMAGE, kistd
from lib.measure import table

COUNT = 40000


def ticks(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(bench):
    load = bench.compile("name-load")
    rows = {}
    directory = bench.directory / "names"
    directory.mkdir()
    with kistd(bench.build, directory) as (_, host):
        def kist(*words):
            return subprocess.run([bench.kist("kist"), "-H", host, *words], check=True, capture_output=True, text=True).stdout.strip()

        kist("network", "create", "front")
        try:
            kist("run", "-d", "--name", "web", "--network", "front", IMAGE, "sleep", "600")
            gateway = kist("inspect", "-f", "{{.NetworkSettings.Networks.front.Gateway}}", "web")
            pid = kist("inspect", "-f", "{{.State.Pid}}", "web")
            listening = subprocess.run(["ss", "-Hlunp", "src", f"{gateway}:53"], check=True, capture_output=True, text=True).stdout
            server = re.search(r"pid=(\d+)", listening).group(1)
            for window in (1, 8):
                before = ticks(server)
                out = subprocess.run(["nsenter", "-t", pid, "-n", load, gateway, str(window), str(COUNT)], check=True, capture_output=True, text=True).stdout
                rate, median, p99 = map(float, out.split())
                rows[f"{window} under way"] = {"answers/s": rate, "median ms": median, "p99 ms": p99, "per CPU second": COUNT / max(ticks(server) - before, 0.01)}
        finally:
            subprocess.run([bench.kist("kist"), "-H", host, "rm", "-f", "web"], capture_output=True)
            subprocess.run([bench.kist("kist"), "-H", host, "network", "rm", "front"], capture_output=True)
    return table(f"names: {COUNT} answers over UDP", rows)
