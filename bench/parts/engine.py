"""The engine beside dockerd and podman: run, exec, memory of what stays."""
import subprocess
import time

from lib.daemons import IMAGE, PODMAN_RUN, dockerd, kistd, podman
from lib.measure import interleaved, status_kb


def run(bench):
    build, directory, rounds = bench.build, bench.directory, bench.rounds
    results = {}
    with kistd(build, directory) as (daemon, host), dockerd(build, directory) as docker, podman(build, directory) as pod:
        kist = [build / "bin/kist", "-H", host]

        def commands(words):
            c = {"kist": lambda i: [*kist, *words]}
            if docker:
                c["docker"] = lambda i: [*docker, *words]
            if pod:
                c["podman"] = lambda i: [*pod, words[0], *(PODMAN_RUN if words[0] == "run" else []), *words[1:]]
            return c

        none = ["run", "--rm", "--network", "none", IMAGE, "true"]
        results["run_none"] = interleaved("run --rm --network none IMAGE true", commands(none), rounds, True)
        bridge = ["run", "--rm", IMAGE, "true"]
        results["run_bridge"] = interleaved("run --rm IMAGE true (bridge)", commands(bridge), rounds, True)
        started = ["run", "-d", "--name", "idle", IMAGE, "sleep", "600"]
        for command in [kist] + ([docker] if docker else []):
            subprocess.run([*command, *started], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if pod:
            subprocess.run([*pod, "run", *PODMAN_RUN, *started[1:]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        words = ["exec", "idle", "true"]
        results["exec"] = interleaved("exec CONTAINER true", commands(words), rounds, True)
        results["memory"] = memory(daemon, kist)
        for command in [kist] + ([docker] if docker else []) + ([pod] if pod else []):
            subprocess.run([*command, "rm", "-f", "idle"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return results


def memory(daemon, kist):
    """The daemon's resident set, and the proportional one of a monitor whose container sleeps."""
    init = subprocess.run([*kist, "inspect", "-f", "{{.State.Pid}}", "idle"], capture_output=True, text=True).stdout.strip()
    monitor = status_kb(init, "PPid")
    time.sleep(2)  # it gives back what only the start needed
    row = {"kistd_rss_kb": status_kb(daemon.pid, "VmRSS"), "monitor_pss_kb": status_kb(monitor, "Pss", "smaps_rollup"),
           "monitor_rss_kb": status_kb(monitor, "VmRSS")}
    print("\nmemory, one idle container")
    for key, value in row.items():
        print(f"  {key:24}{value:9}")
    return row
