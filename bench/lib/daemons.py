"""Daemons of Kist and of its peers, each with its own directories and sockets; nothing of theirs stays."""
import contextlib
import os
import shutil
import signal
import subprocess

from lib.measure import left_out, wait_for

IMAGE = "kist.local/busybox:latest"
# Podman asks for more files and processes than a root without CAP_SYS_RESOURCE may have.
PODMAN_RUN = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]


@contextlib.contextmanager
def host_of_its_own(name, *addresses):
    """A network namespace, with these addresses on its loopback; yields the words before a command that is to be in it."""
    name = f"kist-bench-{os.getpid()}-{name}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        for address in addresses:
            subprocess.run(["ip", "-n", name, "address", "add", address, "dev", "lo"], check=True)
        yield ["nsenter", f"--net=/run/netns/{name}"]
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


@contextlib.contextmanager
def kistd(build, directory, tag="", pool="10.253.240.0/20", within=()):
    """Of several at once, each has a tag and a pool of its own. within: what host_of_its_own() yields, as of the others."""
    d = directory / "kist"
    d.mkdir()
    host = f"unix://{d}/kist.sock"
    bridge = f"kb{os.getpid()}{tag}"
    parent = f"kist-bench-{os.getpid()}{tag}"
    log = open(d / "log", "w")
    daemon = subprocess.Popen([*within, build / "bin/kistd", "--root", d / "root", "--run-root", d / "run", "--host", host, "--bridge", bridge,
                               "--cgroup-parent", parent, "--address-pool", pool], stdout=log, stderr=log)
    try:
        wait_for(["curl", "-sf", "--unix-socket", f"{d}/kist.sock", "http://kist/_ping"], f"kistd: see {d}/log")
        yield daemon, host
    finally:
        kist = [build / "bin/kist", "-H", host]
        ids = subprocess.run([*kist, "ps", "-aq"], capture_output=True, text=True).stdout.split()
        if ids:
            subprocess.run([*kist, "rm", "-f", *ids], stdout=subprocess.DEVNULL)
        daemon.terminate()
        daemon.wait()
        subprocess.run([*within, "ip", "link", "del", bridge], stderr=subprocess.DEVNULL)
        subprocess.run([*within, "nft", "delete", "table", "inet", f"kist-{bridge}"], stderr=subprocess.DEVNULL)
        for path, folders, _ in os.walk("/sys/fs/cgroup", topdown=False):
            if parent in path.split("/"):
                with contextlib.suppress(OSError):
                    os.rmdir(path)


@contextlib.contextmanager
def dockerd(build, directory, within=()):
    """dockerd with its own containerd, storage and sockets; yields the way to call docker, or None."""
    if not shutil.which("dockerd"):
        left_out("dockerd", "not installed")
        yield None
        return
    d = directory / "docker"
    d.mkdir()
    log = open(d / "log", "w")
    host = f"unix://{d}/docker.sock"
    daemon = subprocess.Popen([*within, "dockerd", "--data-root", d / "root", "--exec-root", d / "run", "-p", d / "pid", "-H", host], stdout=log, stderr=log,
                              start_new_session=True)
    docker = ["docker" if not os.path.exists("/usr/bin/docker") else "/usr/bin/docker", "-H", host]
    try:
        wait_for([*docker, "info"], f"dockerd: see {d}/log")
        archive = directory / "busybox.docker.tar"
        subprocess.run(["skopeo", "copy", "-q", f"oci-archive:{build}/data/busybox.oci.tar", f"docker-archive:{archive}:{IMAGE}"], check=True)
        subprocess.run([*docker, "load", "-q", "-i", archive], check=True, stdout=subprocess.DEVNULL)
        yield docker
    except (RuntimeError, subprocess.CalledProcessError) as e:
        left_out("dockerd", f"{e}: {(d / 'log').read_text()[-400:]}")
        yield None
    finally:
        daemon.send_signal(signal.SIGTERM)
        try:
            daemon.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(daemon.pid, signal.SIGKILL)
            daemon.wait()


@contextlib.contextmanager
def podman(build, directory, within=()):
    if not shutil.which("podman"):
        left_out("podman", "not installed")
        yield None
        return
    d = directory / "podman"
    d.mkdir()
    command = [*within, "podman", "--root", str(d / "root"), "--runroot", str(d / "run"), "--cgroup-manager", "cgroupfs", "--events-backend", "none"]
    try:
        loaded = subprocess.run([*command, "load", "-q", "-i", build / "data/busybox.oci.tar"], capture_output=True, text=True)
        if loaded.returncode != 0:
            left_out("podman", f"{loaded.stderr.strip()[-300:]}")
            yield None
        else:
            yield command
    finally:
        subprocess.run([*command, "rm", "-fa"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        subprocess.run(["umount", "-l", d / "root/overlay"], stderr=subprocess.DEVNULL)
