"""Real clients, each with storage, configuration and daemon of its own in a temporary directory."""
import json
import os
import pathlib
import shutil
import subprocess

from harness.process import PATIENCE, TIED_TO_US, wait_until


class Failed(AssertionError):
    pass


def run(*command, environment=None, check=True):
    """Runs a client; its standard output. What it said stands in the failure."""
    done = subprocess.run([str(part) for part in command], env={**os.environ, **(environment or {})}, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE)
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout if check else done


def skopeo(*arguments, **options):
    return run("skopeo", "--insecure-policy", *arguments, **options)


def push_layout(layout, tag, reference, *options):
    """Copies a tag of an OCI layout to the registry as it is, byte for byte."""
    return skopeo("copy", "--quiet", "--preserve-digests", "--dest-tls-verify=false", *options,
                  f"oci:{layout.directory}:{tag}", f"docker://{reference}")


def pull_layout(directory, reference, *options):
    """Copies from the registry to a new OCI layout, whose path is returned."""
    return skopeo("copy", "--quiet", "--preserve-digests", "--src-tls-verify=false", *options,
                  f"docker://{reference}", f"oci:{directory}:pulled")


class Containers:
    """What podman and buildah share: storage of their own, without a daemon."""

    def __init__(self, program, directory):
        self.directory = pathlib.Path(directory)
        self.command = [program, "--root", self.directory / "root", "--runroot", self.directory / "run",
                        "--storage-driver", "vfs"]

    def __call__(self, *arguments, **options):
        # TMPDIR, since both spool what they copy; XDG_RUNTIME_DIR, since both keep locks there.
        environment = {"TMPDIR": str(self.directory), "XDG_RUNTIME_DIR": str(self.directory), **options.pop("environment", {})}
        return run(*self.command, *arguments, environment=environment, **options)


class Daemon:
    """A daemon with its client on a socket in `directory`."""

    def __init__(self, directory, command, ready):
        self.directory = pathlib.Path(directory)
        self.log = open(self.directory / "log", "wb")
        self.process = subprocess.Popen([*TIED_TO_US, *map(str, command)], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log, start_new_session=True)
        wait_until(lambda: self.answers(ready), f"{command[0]}: {self.directory / 'log'}")

    def answers(self, ready):
        assert self.process.poll() is None, (self.directory / "log").read_text()[-3000:]
        return run(*ready, check=False).returncode == 0

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(PATIENCE)
        self.log.close()
        # What containers left mounted would keep the directory from being removed.
        for line in reversed(pathlib.Path("/proc/self/mounts").read_text().splitlines()):
            path = line.split(" ")[1]
            if path.startswith(f"{self.directory}/"):
                subprocess.run(["umount", "-l", path], check=False)
        shutil.rmtree(self.directory, ignore_errors=True)


class Docker(Daemon):
    def __init__(self, directory):
        base = pathlib.Path(directory)
        self.command = ["docker", "--config", base / "client", "--host", f"unix://{base}/docker.sock"]
        daemon = ["dockerd", "--bridge=none", "--iptables=false", "--data-root", base / "data",
                  "--exec-root", base / "exec", "--pidfile", base / "pid", "--host", f"unix://{base}/docker.sock"]
        super().__init__(directory, daemon, [*self.command, "version"])

    def __call__(self, *arguments, **options):
        return run(*self.command, *arguments, **options)

    def digest(self, reference):
        """The digest of the manifest that an image was pushed or pulled as."""
        digests = json.loads(self("image", "inspect", reference))[0]["RepoDigests"]
        return next(each for each in digests if each.startswith(reference.rpartition(":")[0])).partition("@")[2]


def containerd_mirror(directory, registry, mirror):
    """A --hosts-dir that sends pulls of `registry` to `mirror`, with nothing behind it that could be reached."""
    hosts = pathlib.Path(directory)
    (hosts / registry).mkdir()
    (hosts / registry / "hosts.toml").write_text(f'server = "http://127.0.0.1:1"\n[host."{mirror}"]\n  capabilities = ["pull", "resolve"]\n')
    return hosts


class Containerd(Daemon):
    def __init__(self, directory):
        base = pathlib.Path(directory)
        self.command = ["ctr", "--address", base / "containerd.sock"]
        configuration = base / "config.toml"
        configuration.write_text(f'version = 2\nroot = "{base}/root"\nstate = "{base}/state"\n'
                                 f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
                                 f'[grpc]\naddress = "{base}/containerd.sock"\n')
        super().__init__(directory, ["containerd", "--config", configuration], [*self.command, "version"])

    def __call__(self, *arguments, **options):
        return run(*self.command, *arguments, **options)

    def digest(self, reference):
        for line in self("images", "list").splitlines()[1:]:
            if line.split()[0] == reference:
                return line.split()[2]
        raise AssertionError(f"containerd has no {reference}")
