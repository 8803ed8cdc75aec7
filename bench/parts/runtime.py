"""kist-runtime beside crun, runc and the floor: run and exec of true, peak memory, a container that may use next to nothing."""
import contextlib
import os
import shutil
import statistics
import struct
import subprocess

from lib import bundle
from lib.measure import interleaved, left_out, table


def runtimes(bench, peers=("crun", "runc")):
    """name → the beginning of its command lines; ours is the first."""
    found = {"kist-runtime": [bench.kist("kist-runtime"), "--root", bench.directory / "run/kist"]}
    for peer in peers:
        if shutil.which(peer):
            found[peer] = [peer, "--root", bench.directory / "run" / peer]
        else:
            left_out(peer, "not installed")
    return found


def seccomp_on(config):
    config["linux"]["seccomp"] = bundle.seccomp()


@contextlib.contextmanager
def floor_cgroups(name):
    """The directory below which the floor makes its cgroups, as each runtime has one of its own."""
    tops = [f"/sys/fs/cgroup/{h}/{name}" for h in os.listdir("/sys/fs/cgroup") if os.path.exists(f"/sys/fs/cgroup/{h}/cgroup.procs")]
    for top in tops:
        os.mkdir(top)
    # v1: a cpuset without processors takes no process.
    cpuset = f"/sys/fs/cgroup/cpuset/{name}"
    if cpuset in tops:
        for file in ("cpuset.cpus", "cpuset.mems"):
            with open(f"/sys/fs/cgroup/cpuset/{file}") as have, open(f"{cpuset}/{file}", "w") as want:
                want.write(have.read())
        with open(f"{cpuset}/cgroup.clone_children", "w") as clone:
            clone.write("1")
    try:
        yield name
    finally:
        for top in tops:
            with contextlib.suppress(OSError):
                os.rmdir(top)


def compiled_filter(bench, command):
    """The program that kist-runtime has kept after a run, without its head and text (runtime/plan/filter-cache.c), for the floor."""
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    kept = next((bench.directory / "run/kist/~~filters").iterdir()).read_bytes()
    text, size = struct.unpack_from("=II", kept, 4)
    path = bench.directory / "filter"
    path.write_bytes(kept[16 + text:16 + text + size])
    return path


def bench_run(bench, name):
    all_ = runtimes(bench)
    plain, filtered = bench.directory / "plain", bench.directory / "filtered"
    floor = bench.compile("floor")

    def commands(path, peers):
        return {r: lambda i, r=r: [*all_[r], "run", "--bundle", path, f"{name}-{r}{i}"] for r in all_ if r in peers}

    results = {}
    with floor_cgroups(f"{name}-floor") as parent:
        c = commands(filtered, ("kist-runtime", "crun", "runc"))
        program = compiled_filter(bench, commands(filtered, ("kist-runtime",))["kist-runtime"]("f"))
        c["floor, cgroups, filter"] = lambda i: [floor, "--cgroups", f"{parent}/{i}", "--filter", program, filtered / "rootfs", "/bin/true"]
        c["floor, cgroups"] = lambda i: [floor, "--cgroups", f"{parent}/{i}", filtered / "rootfs", "/bin/true"]
        c["floor, nothing of both"] = lambda i: [floor, filtered / "rootfs", "/bin/true"]
        results["run"] = interleaved("run of true, default spec, limits, seccomp", c, bench.rounds * 2)
        c = commands(plain, ("kist-runtime", "crun"))
        c["floor, cgroups"] = lambda i: [floor, "--cgroups", f"{parent}/{i}", plain / "rootfs", "/bin/true"]
        results["run_without_seccomp"] = interleaved("run of true, default spec, limits, no seccomp", c, bench.rounds * 2)
    return results


def bench_exec(bench, name):
    path = bundle.make(bench, "sleeping", ["/bin/sleep", "3600"], seccomp_on)
    all_ = runtimes(bench)
    try:
        for r, command in all_.items():
            subprocess.run([*command, "run", "--detach", "--bundle", path, f"{name}-{r}"], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        commands = {r: lambda i, r=r: [*all_[r], "exec", f"{name}-{r}", "/bin/true"] for r in all_}
        return interleaved("exec of true, the same spec", commands, bench.rounds * 2)
    finally:
        for r, command in all_.items():
            subprocess.run([*command, "delete", "--force", f"{name}-{r}"], stderr=subprocess.DEVNULL)


def bench_memory(bench, name):
    """Of the runtime and all its children but for the container's own program, which is the same for all."""
    peak = bench.compile("peak")
    rows = {}
    for r, command in runtimes(bench).items():
        row = rows[r] = {}
        for column, path in (("peak kB", bench.directory / "plain"), ("with seccomp", bench.directory / "filtered")):
            got = [int(subprocess.check_output([peak, *command, "run", "--bundle", path, f"{name}-m{i}"])) for i in range(5)]
            row[column] = statistics.median(got)
    return table("peak resident memory of run, of its largest process", rows)


def bench_least(bench, name):
    """The least memory limit with which a container starts, ten times of ten."""
    rows = {}
    path = bundle.make(bench, "least", ["/bin/true"], seccomp_on)
    config = (path / "config.json").read_text()
    for r, command in runtimes(bench).items():
        for kilobytes in (256, 512, 1024, 2048, 4096, 8192, 16384):
            (path / "config.json").write_text(config.replace(str(64 << 20), str(kilobytes << 10)))
            runs = [subprocess.run([*command, "run", "--bundle", path, f"{name}-l{i}"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL) for i in range(10)]
            if all(run.returncode == 0 for run in runs):
                rows[r] = {"limit kB": kilobytes}
                break
            for i in range(10):
                subprocess.run([*command, "delete", "--force", f"{name}-l{i}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return table("the least memory limit with which true runs, ten times of ten", rows)


def run(bench):
    name = f"kist-bench-{os.getpid()}"
    bundle.make(bench, "plain", ["/bin/true"])
    bundle.make(bench, "filtered", ["/bin/true"], seccomp_on)
    results = bench_run(bench, name)
    results["exec"] = bench_exec(bench, name)
    results["memory"] = bench_memory(bench, name)
    results["least_limit"] = bench_least(bench, name)
    return results
