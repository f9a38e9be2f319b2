"""Debian's docker-registry on a directory: the other program that reads and writes the same layout."""
import os
import pathlib
import subprocess

from harness.process import PATIENCE, TIED_TO_US, wait_until
from harness.registry import Registry
from harness.server import free_port

CONFIGURATION = """\
version: 0.1
log:
  level: error
storage:
  filesystem:
    rootdirectory: {root}
  delete:
    enabled: true
http:
  addr: 127.0.0.1:{port}
"""


class Peer:
    def __init__(self, directory, root):
        self.directory, self.port = pathlib.Path(directory), free_port()
        self.configuration = self.directory / "docker-registry.yml"
        self.configuration.write_text(CONFIGURATION.format(root=root, port=self.port))
        self.authority = f"localhost:{self.port}"
        self.client = Registry("127.0.0.1", self.port)
        self.process = None

    def __enter__(self):
        with open(self.directory / "docker-registry.log", "ab") as log:
            clean = {name: value for name, value in os.environ.items() if "REGISTRY" not in name}
            self.process = subprocess.Popen([*TIED_TO_US, "docker-registry", "serve", self.configuration],
                                            stdout=log, stderr=log, env=clean)
        wait_until(self.answers, "docker-registry")
        return self

    def answers(self):
        try:
            return self.client.get("/v2/").status == 200
        except ConnectionRefusedError:
            return False

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(PATIENCE)

    def collect_dry(self):
        """What that would say; nothing is done."""
        return subprocess.run(["docker-registry", "garbage-collect", "--dry-run", self.configuration], check=True, timeout=PATIENCE,
                              capture_output=True, text=True).stdout

    def collect(self):
        """Its garbage collector, which wants nobody else to write meanwhile."""
        return subprocess.run(["docker-registry", "garbage-collect", self.configuration], check=True, timeout=PATIENCE,
                              capture_output=True, text=True).stdout
