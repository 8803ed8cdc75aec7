"""What all parts of the bench share: a command's time, interleaved rounds, a table."""
import contextlib
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

TICK = os.sysconf("SC_CLK_TCK")


class Bench:
    """What a part is given: where the programs are, a directory that goes away afterwards, how often to measure."""

    def __init__(self, build, directory, rounds, containers):
        self.build, self.directory, self.rounds, self.containers = build, directory, rounds, containers

    def kist(self, program):
        return str(self.build / "bin" / program)

    def compile(self, name):
        """A C program of this folder, static: its own start must cost little."""
        program = self.directory / name
        if not program.exists():
            subprocess.run(["cc", "-O2", "-static", "-o", program, pathlib.Path(__file__).parent / f"{name}.c"], check=True)
        return str(program)


def left_out(what, why):
    print(f"  {what} is left out: {why}", file=sys.stderr)


def busy_ms():
    """CPU time that the whole machine has spent not idling."""
    fields = [int(f) for f in open("/proc/stat").readline().split()[1:]]
    return (sum(fields[:3]) + sum(fields[5:8])) * 1000 / TICK


def once(command, machine_cpu):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy, start = busy_ms(), time.perf_counter()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    wall = (time.perf_counter() - start) * 1000
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: exit status {done.returncode}: {done.stderr.decode().strip()[-300:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = busy_ms() - busy if machine_cpu else (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000
    return wall, cpu


def interleaved(what, commands, rounds, machine_cpu=False):
    """commands: name → function(round) that returns a command line; ours is the first. Returns rows {name, wall, cpu, p95}."""
    samples = {name: [] for name in commands}
    for i in range(rounds + 2):  # the first two only warm up
        for name in list(commands):
            try:
                sample = once(commands[name](i), machine_cpu)
            except RuntimeError as e:
                left_out(name, e)
                del commands[name], samples[name]
                continue
            if i >= 2:
                samples[name].append(sample)
    rows = []
    for name, got in samples.items():
        walls = sorted(w for w, _ in got)
        # The clock of /proc/stat is coarse (10 ms): its mean over the rounds is exact where a median would be a multiple of it.
        cpu = statistics.mean(c for _, c in got) if machine_cpu else statistics.median(c for _, c in got)
        rows.append({"name": name, "wall_ms": round(statistics.median(walls), 2), "p95_ms": round(walls[int(len(walls) * 0.95)], 2),
                     "cpu_ms": round(cpu, 2), "rounds": len(got)})
    ours = rows[0] if rows else None
    print(f"\n{what}\n  {'':24}{'wall ms':>9}{'p95':>9}{'cpu ms':>9}{'wall ×':>8}{'cpu ×':>8}")
    for row in rows:
        row["wall_ratio"] = round(row["wall_ms"] / ours["wall_ms"], 2)
        row["cpu_ratio"] = round(row["cpu_ms"] / ours["cpu_ms"], 2) if ours["cpu_ms"] else None
        print(f"  {row['name']:24}{row['wall_ms']:9.2f}{row['p95_ms']:9.2f}{row['cpu_ms']:9.2f}{row['wall_ratio']:8.2f}{row['cpu_ratio'] or 0:8.2f}")
    return rows


def in_turn(what, functions, rounds):
    """functions: name → function(round) that returns {column: number}. One call of each in every round; the medians, as a table."""
    samples = {name: [] for name in functions}
    for i in range(rounds + 1):  # the first only warms up
        for name in list(functions):
            try:
                sample = functions[name](i)
            except (RuntimeError, subprocess.CalledProcessError) as e:
                left_out(name, e)
                del functions[name], samples[name]
                continue
            if i >= 1:
                samples[name].append(sample)
    return table(what, {name: {c: statistics.median(s[c] for s in got) for c in got[0]} for name, got in samples.items()})


def wait_for(command, what, seconds=60):
    end = time.monotonic() + seconds
    while subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0:
        if time.monotonic() > end:
            raise RuntimeError(f"did not start: {what}")
        time.sleep(0.05)


def table(what, rows):
    """rows: name → {column: number}."""
    columns = list(dict.fromkeys(c for row in rows.values() for c in row))
    width = max(24, *map(len, rows))
    print(f"\n{what}\n  {'':{width}}" + "".join(f"{c:>16}" for c in columns))
    for name, row in rows.items():
        print(f"  {name:{width}}" + "".join(f"{row[c]:16.2f}" if c in row else f"{'':16}" for c in columns))
    return rows


def status_kb(pid, key, file="status"):
    for line in open(f"/proc/{pid}/{file}"):
        if line.startswith(key + ":"):
            return int(line.split()[1])
    raise KeyError(key)


def cgroup_folders():
    return {os.path.join(path, f) for path, folders, _ in os.walk("/sys/fs/cgroup") for f in folders}


@contextlib.contextmanager
def cgroups_as_they_were():
    """Docker and podman leave their parents in every hierarchy: those that were not there before go again."""
    before = cgroup_folders()
    try:
        yield
    finally:
        for folder in sorted(cgroup_folders() - before, key=len, reverse=True):
            with contextlib.suppress(OSError):
                os.rmdir(folder)
