"""What is tried with Debian's python3-docker; one function per test of python-docker.bats: python-docker.py NAME."""
import io
import os
import sys
import tarfile
import threading
import time

import docker

IMAGE = "kist.local/busybox"
client = docker.from_env(timeout=120)
api = client.api


def eventually(what):
    for _ in range(300):
        if what():
            return
        time.sleep(0.05)
    raise AssertionError("never came true")


def raises(status, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except docker.errors.APIError as error:
        assert error.response.status_code == status, (error.response.status_code, error)
        return str(error)
    raise AssertionError("no error")


def system():
    assert client.ping()
    version = client.version()
    assert version["ApiVersion"] and version["Os"] == "linux"
    info = client.info()
    assert info["NCPU"] >= 1 and info["Swarm"]["LocalNodeState"] == "inactive"
    assert "Volumes" in client.df()
    assert docker.DockerClient(base_url=os.environ["DOCKER_HOST"], version="1.24").info()["ID"] == info["ID"]
    assert docker.DockerClient(base_url=os.environ["DOCKER_HOST"], version="auto").ping()
    raises(503, client.swarm.init)
    raises(503, client.services.list)


def run():
    assert client.containers.run(IMAGE, "echo hello", remove=True) == b"hello\n"
    assert client.containers.run(IMAGE, ["sh", "-c", "echo out; echo err >&2"], stdout=True, stderr=True, remove=True).count(b"\n") == 2
    try:
        client.containers.run(IMAGE, ["sh", "-c", "echo bad >&2; exit 3"], remove=True)
        raise AssertionError("no error")
    except docker.errors.ContainerError as error:
        assert error.exit_status == 3 and error.stderr == b"bad\n"
    try:
        client.containers.run("kist.local/nosuch", "true")
        raise AssertionError("no error")
    except docker.errors.ImageNotFound:
        pass
    out = client.containers.run(IMAGE, ["sh", "-c", "echo $A; id -u; pwd; hostname; cat /tmp/x/f; ulimit -n; cat /proc/sys/kernel/msgmax"], remove=True, environment={"A": "b"},
                                user="5", working_dir="/tmp", hostname="named", volumes={os.environ["KT_DIR"] + "/shared": {"bind": "/tmp/x", "mode": "ro"}},
                                ulimits=[docker.types.Ulimit(name="nofile", soft=66, hard=66)], sysctls={"kernel.msgmax": "8193"}, tmpfs={"/y": "size=1m"})
    assert out.decode().split() == ["b", "5", "/tmp", "named", "shared", "66", "8193"], out


def life():
    c = client.containers.create(IMAGE, ["sh", "-c", "trap 'exit 5' TERM; while :; do sleep 0.1; done"], name="py-life", labels={"a": "b"}, detach=True)
    assert c.status == "created"
    c.start()
    c.reload()
    assert c.status == "running" and c.labels == {"a": "b"} and c.attrs["State"]["Pid"] > 0
    assert [x.name for x in client.containers.list(filters={"label": "a=b"})] == ["py-life"]
    assert c.top()["Titles"][0] == "UID" and len(c.top(ps_args="aux")["Processes"]) >= 1
    c.pause()
    c.reload()
    assert c.status == "paused"
    c.unpause()
    c.rename("py-renamed")
    c.update(mem_limit="64m", memswap_limit="64m")
    c.reload()
    assert c.attrs["HostConfig"]["Memory"] == 64 << 20 and c.name == "py-renamed"
    c.restart(timeout=5)
    c.stop(timeout=20)
    assert c.wait()["StatusCode"] == 5
    raises(409, c.kill)
    c.start()
    c.kill(signal="KILL")
    assert c.wait()["StatusCode"] == 137
    c.remove()
    raises(404, c.reload)
    raises(409, lambda: [client.containers.create(IMAGE, name="py-twice") for _ in range(2)])
    assert client.containers.prune(filters={"label": "none"})["ContainersDeleted"] in (None, [])
    assert len(client.containers.prune()["ContainersDeleted"]) == 1


def logs():
    c = client.containers.run(IMAGE, ["sh", "-c", "for i in 1 2 3; do echo line$i; done; echo err >&2; sleep 1; echo last"], detach=True)
    assert b"".join(c.logs(stream=True, follow=True)).endswith(b"last\n")
    assert c.logs(stdout=False) == b"err\n"
    assert c.logs(tail=1, stderr=False) == b"last\n"
    stamp = c.logs(timestamps=True, tail=1).split()[0].decode()
    assert stamp.startswith("20") and stamp.endswith("Z")
    assert c.logs(since=int(time.time()) + 100) == b""
    c.remove()


def exec_():
    c = client.containers.run(IMAGE, "sleep 100", detach=True)
    # Output that is there at once does not come together with the header, where this client would lose it.
    assert all(c.exec_run("echo in") == (0, b"in\n") for _ in range(20))
    assert c.exec_run(["sh", "-c", "echo o; echo e >&2; exit 4"], demux=True) == (4, (b"o\n", b"e\n"))
    assert c.exec_run("sh -c 'echo $A; id -u; pwd'", environment=["A=b"], user="7", workdir="/tmp").output == b"b\n7\n/tmp\n"
    assert c.exec_run("tty", tty=True).output.startswith(b"/dev/pts/")
    assert b"".join(c.exec_run("seq 3", stream=True).output) == b"1\n2\n3\n"
    raises(404, api.exec_inspect, "nosuch")
    made = api.exec_create(c.id, "cat", stdin=True)
    sock = api.exec_start(made["Id"], socket=True)
    sock._sock.sendall(b"through\n")
    sock._sock.shutdown(1)
    assert b"through" in sock.read(64)
    sock.close()
    c.remove(force=True)


def attach():
    c = client.containers.create(IMAGE, "cat", stdin_open=True, tty=False)
    sock = c.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
    c.start()
    sock._sock.sendall(b"hello\n")
    assert b"hello" in sock.read(64)
    sock.close()
    c.remove(force=True)
    c = client.containers.run(IMAGE, ["sh", "-c", "sleep 0.5; echo one; echo two >&2"], detach=True)
    assert sorted(b"".join(c.attach(stream=True, logs=True)).split()) == [b"one", b"two"]
    c.remove(force=True)


def files():
    c = client.containers.create(IMAGE, "cat /tmp/in")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo("in")
        entry.size = 5
        tar.addfile(entry, io.BytesIO(b"bytes"))
    assert c.put_archive("/tmp", archive.getvalue())
    stream, stat = c.get_archive("/tmp/in")
    assert stat["name"] == "in" and stat["size"] == 5
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as tar:
        assert tar.extractfile("in").read() == b"bytes"
    c.start()
    assert c.wait()["StatusCode"] == 0 and c.logs() == b"bytes"
    assert {"Path": "/tmp/in", "Kind": 1} in c.diff()
    with tarfile.open(fileobj=io.BytesIO(b"".join(c.export()))) as tar:
        assert "tmp/in" in tar.getnames()
    image = c.commit("py-committed", "1", changes=["CMD cat /tmp/in"])
    assert client.containers.run("py-committed:1", remove=True) == b"bytes"
    client.images.remove(image.id, force=True)
    c.remove()


def images():
    image = client.images.get(IMAGE)
    assert image.tags == [IMAGE + ":latest"] and image.attrs["Os"] == "linux"
    assert image.tag("py-tagged", "1") and client.images.get("py-tagged:1").id == image.id
    assert len(image.history()) >= 1
    image.reload()
    saved = b"".join(image.save(named="py-tagged:1"))
    client.images.remove("py-tagged:1")
    assert [i.id for i in client.images.load(saved)] == [image.id]
    client.images.remove("py-tagged:1")
    assert client.images.list(filters={"reference": "py-*"}) == []
    try:
        client.images.get("py-nosuch")
        raise AssertionError("no error")
    except docker.errors.ImageNotFound:
        pass


def volumes():
    v = client.volumes.create("py-volume", labels={"a": "b"})
    client.containers.run(IMAGE, "sh -c 'echo kept >/v/f'", volumes={"py-volume": {"bind": "/v"}}, remove=True)
    assert client.containers.run(IMAGE, "cat /v/f", mounts=[docker.types.Mount("/v", "py-volume")], remove=True) == b"kept\n"
    assert [x.name for x in client.volumes.list(filters={"label": "a=b"})] == ["py-volume"]
    v.remove()
    raises(404, client.volumes.get, "py-volume")
    client.volumes.create("py-unused")
    assert isinstance(client.volumes.prune(filters={"all": True}), dict)


def networks():
    n = client.networks.create("py-network", driver="bridge", labels={"a": "b"})
    c = client.containers.run(IMAGE, "sleep 100", detach=True, network="py-network", name="py-on-network")
    n.reload()
    assert [x.name for x in n.containers] == ["py-on-network"]
    assert [x.name for x in client.networks.list(names=["py-network"])] == ["py-network"]
    second = client.networks.create("py-second")
    second.connect(c, aliases=["other"])
    c.reload()
    assert "other" in c.attrs["NetworkSettings"]["Networks"]["py-second"]["Aliases"]
    raises(403, second.remove)
    second.disconnect(c)
    second.remove()
    raises(404, second.reload)
    c.remove(force=True)
    n.remove()


def events_stats():
    seen = []
    stream = client.events(decode=True, filters={"type": "container", "event": ["create", "die"]})
    reader = threading.Thread(target=lambda: seen.extend(e["Action"] for e, _ in zip(stream, range(2))), daemon=True)
    reader.start()
    time.sleep(0.5)
    client.containers.run(IMAGE, "true", remove=True)
    reader.join(30)
    assert seen == ["create", "die"], seen
    c = client.containers.run(IMAGE, "sleep 100", detach=True)
    sample = c.stats(stream=False)
    assert sample["memory_stats"]["usage"] > 0 and sample["precpu_stats"]["system_cpu_usage"] > 0
    live = c.stats(stream=True, decode=True)
    assert next(live)["name"] == "/" + c.name and next(live)["precpu_stats"]["system_cpu_usage"] > 0
    c.remove(force=True)


def health():
    c = client.containers.run(IMAGE, "sleep 100", detach=True, healthcheck={"test": ["CMD", "true"], "interval": 200 * 1000 * 1000})
    eventually(lambda: client.containers.get(c.id).attrs["State"]["Health"]["Status"] == "healthy")
    assert [x.id for x in client.containers.list(filters={"health": "healthy"})] == [c.id]
    c.remove(force=True)


{f.__name__.rstrip("_"): f for f in list(globals().values()) if callable(f) and getattr(f, "__module__", "") == "__main__"}[sys.argv[1]]()
