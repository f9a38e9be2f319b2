"""This machine once more, with files, processes and a network of its own: for what is typed as root and stays otherwise."""
import os
import pathlib
import signal
import subprocess

from harness.process import PATIENCE

ROOT = pathlib.Path(__file__).resolve().parents[3]
OVERLAID = ("etc", "home", "root", "run", "srv", "usr", "var")

# "$1" is a directory, "$2" the source tree. What is written lies in memory and goes with the last process.
BEGIN = f"""
mount -t tmpfs tmpfs "$1"
for name in {' '.join(OVERLAID)}; do
    mkdir "$1/$name" "$1/$name.work"
    mount -t overlay overlay -o "lowerdir=/$name,upperdir=$1/$name,workdir=$1/$name.work" "/$name"
done
mkdir "$1/tree" "$1/tree.work"
mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/tree,workdir=$1/tree.work" "$2"
rm -rf /var/lib/containers/cache # which programs outside of it are writing: half a copy is worse than none
# What somebody tried by hand on this machine is no part of a host that the README begins with.
rm -rf /etc/berth /var/lib/berth /home/me /etc/letsencrypt
sed -i '/^me:/d' /etc/passwd /etc/shadow /etc/group /etc/gshadow
find /etc/apache2/sites-enabled /etc/nginx/sites-enabled -mindepth 1 ! -name '*default*' -delete
find /etc/apache2/conf-enabled /etc/lighttpd/conf-enabled -name '*berth*' -delete
ip link set lo up
ip address add 192.0.2.1/32 dev lo # docker believes whatever is at 127.0.0.1
echo 192.0.2.1 registry.example.org push.example.org corp.example.org >>/etc/hosts
echo ready
sleep infinity &
wait # for whoever has no parent any more, as init does
"""


class Machine:
    """`with Machine(directory) as machine: machine("whoami")`; everything that was started there ends with it."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.process = self.inside = None

    def __enter__(self):
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "--mount-proc", "bash", "-euc", BEGIN,
             "bash", str(self.directory), str(ROOT)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self.process.stdout.readline() == "ready\n"
        self.inside = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()[0]
        return self

    def __exit__(self, *_):
        os.kill(int(self.inside), signal.SIGKILL)
        self.process.wait(PATIENCE)

    def __call__(self, script, check=True, directory="/", **variables):
        """Runs a script in bash, and gives what it said."""
        done = subprocess.run(["nsenter", "--target", self.inside, "--mount", "--pid", "--net", "env", *(f"{name}={value}" for name, value in variables.items()),
                               "bash", "-euo", "pipefail", "-c", f"cd '{directory}'\n{script}"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE)
        assert not check or done.returncode == 0, f"{script}: {done.returncode}\n{done.stdout}"
        return done.stdout if check else done

    def program(self, path, text):
        """Puts a script in the place of a program."""
        self(f"mkdir -p \"$(dirname '{path}')\"; rm -f '{path}'; printf '%s' \"$TEXT\" >'{path}'; chmod 755 '{path}'", TEXT=text)

    def trust(self, host, *others):
        """A certificate for `host` that everybody here believes in, where Let's Encrypt would put it."""
        live, names = f"/etc/letsencrypt/live/{host}", ",".join(f"DNS:{name}" for name in (host, *others))
        self(f"mkdir -p {live}; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={host} "
             f"-addext subjectAltName={names} -keyout {live}/privkey.pem -out {live}/fullchain.pem; "
             f"cat {live}/fullchain.pem >>/etc/ssl/certs/ca-certificates.crt")
