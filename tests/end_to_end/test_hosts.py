"""What the README says of nginx, lighttpd, Apache and of shared hosts, typed as it stands on a machine with Debian's own configuration."""
import json
import re
import textwrap

import pytest

from harness.engines import Containers, run
from harness.machine import Machine
from harness.server import BERTH, ROOT

SITE = "https://registry.example.org"

# Debian's systemd does not run here; what the units say is done by hand.
SYSTEMCTL = """#!/bin/bash
case "$*" in
daemon-reload) ;;
"enable --now berth.socket berth.service")
    mkdir -p /run/berth
    BERTH_CONFIGURATION=/etc/berth/configuration.ini spawn-fcgi -s /run/berth/berth.sock -M 0600 -u www-data -g www-data \\
        -- /usr/bin/multiwatch -f 4 -- /usr/local/bin/berth >/dev/null ;;
"restart apache2") mkdir -p /run/apache2 /run/lock && apache2ctl start ;;
"restart nginx" | "restart lighttpd")
    mkdir -p /run/lighttpd
    old=$(cat "/run/$2.pid" 2>/dev/null) || true # nginx -t leaves an empty one
    [ -z "$old" ] || kill "$old"
    while [ -n "$old" ] && [ -n "$(tr -d '\\0' 2>/dev/null <"/proc/$old/cmdline")" ]; do sleep 0.1; done 2>/dev/null
    [ "$2" = nginx ] || set -- "$@" -f /etc/lighttpd/lighttpd.conf
    "${@:2}" ;;
*) exit 1 ;;
esac
"""
NOTHING = "#!/bin/sh\n"

# What an administrator of shared hosting has done: each user's programs run as the user.
SHARED_HOST = """\
useradd --create-home me
mkdir /home/me/public_html
chown me:me /home/me/public_html
chmod 711 /home/me
a2enmod -q cgid rewrite headers ssl suexec
sed -i '1s|.*|/home|' /etc/apache2/suexec/www-data
cat >/etc/apache2/sites-available/me.conf <<'END'
Listen 443
<VirtualHost *:443>
    ServerName registry.example.org
    SSLEngine on
    SSLCertificateFile /etc/letsencrypt/live/registry.example.org/fullchain.pem
    SSLCertificateKeyFile /etc/letsencrypt/live/registry.example.org/privkey.pem
    DocumentRoot /home/me/public_html
    SuexecUserGroup me me
    <Directory /home/me/public_html>
        Options Indexes SymLinksIfOwnerMatch
        AllowOverride All
        Require all granted
    </Directory>
</VirtualHost>
END
sed -i '/Listen 443/d' /etc/apache2/ports.conf
a2ensite -q me
mkdir -p /run/apache2 /run/lock
apache2ctl start
"""
# Instead of a connection to that host: what its sshd would start.
SSH = """#!/bin/sh
exec setpriv --reuid me --regid me --init-groups sh -c 'cd /home/me && exec /usr/lib/openssh/sftp-server'
"""


def blocks(heading):
    """The commands below a heading of the README, block by block."""
    section = re.search(rf"^### {heading}\n(.*?)^##", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL).group(1)
    return [textwrap.dedent(block) for block in re.findall(r"^ *```sh\n(.*?)^ *```$", section, re.MULTILINE | re.DOTALL)]


@pytest.fixture
def machine(new_directory):
    with Machine(new_directory("machine")) as running:
        running.trust("registry.example.org")
        yield running


def answer(machine, *arguments):
    """Status, headers (names in lower case) and body."""
    said = machine(f"curl -s -i {' '.join(arguments)}")
    head, _, body = said.partition("\n\n")
    lines = head.replace("\r", "").split("\n")
    return int(lines[0].split()[1]), {line.partition(":")[0].lower(): line.partition(": ")[2] for line in lines[1:]}, body


def pushes_and_pulls(machine, layout, new_directory, commands):
    """The README's three lines with podman for docker: what comes back is what was pushed."""
    podman = Containers("podman", new_directory("podman"))
    podman("tag", podman("pull", "--quiet", f"oci:{layout.directory}:app").strip(), "localhost/app:1")
    docker = " ".join(f"'{part}'" for part in podman.command)
    machine(f"docker() {{ TMPDIR={podman.directory} XDG_RUNTIME_DIR={podman.directory} {docker} \"$@\"; }}\n{commands}")
    status, headers, body = answer(machine, "-H 'Accept: */*'", f"{SITE}/v2/me/app/manifests/1")
    assert status == 200 and len(json.loads(body)["layers"]) == 4, body
    assert answer(machine, f"-I {SITE}/v2/me/app/manifests/1")[1]["content-length"] == headers["content-length"]


@pytest.mark.parametrize("web, sends", [("nginx", "x-accel-redirect"), ("lighttpd", "x-sendfile")])
def test_a_host_of_debians_nginx_or_lighttpd(machine, layout, new_directory, web, sends):
    machine.program("/usr/local/sbin/systemctl", SYSTEMCTL)
    machine.program("/usr/local/sbin/apt-get", NOTHING)
    install, serve, look, protect = blocks(f"Behind {web}, step by step")
    machine(install, directory=ROOT)
    machine(serve, directory=ROOT)
    said = machine(look, directory=ROOT)
    assert "problem" not in said and f"by the web server ({sends}" in said, said
    assert "through FastCGI" in said and "the workers run as www-data" in said, said
    pushes_and_pulls(machine, layout, new_directory, blocks("On a shared host, step by step")[-1])
    assert answer(machine, "http://registry.example.org/")[0] == 200, "Debian's page is still there"
    machine(protect)
    status, headers, body = answer(machine, f"{SITE}/v2/")
    assert headers["www-authenticate"].startswith('Basic realm="registry"') and json.loads(body)["errors"][0]["code"] == "UNAUTHORIZED"
    assert answer(machine, f"-u alice:secret {SITE}/v2/")[0] == 200
    assert answer(machine, f"-u alice:guess {SITE}/v2/")[0] == 401
    blob = json.loads(answer(machine, f"-u alice:secret -H 'Accept: */*' {SITE}/v2/me/app/manifests/1")[2])["config"]["digest"]
    assert answer(machine, f"-u alice:secret {SITE}/v2/me/app/blobs/{blob}")[0] == 200


def test_a_host_of_debians_apache(machine, layout, new_directory):
    machine.program("/usr/local/sbin/systemctl", SYSTEMCTL)
    machine.program("/usr/local/sbin/apt-get", NOTHING)
    steps = blocks("Behind Apache, step by step")
    assert len(steps) == 4
    for step in steps:
        said = machine(step, directory=ROOT)
    assert "problem" not in said and "by the web server (x-sendfile)" in said, said
    assert "through FastCGI" in said and "the workers run as www-data" in said, said
    pushes_and_pulls(machine, layout, new_directory, blocks("On a shared host, step by step")[-1])
    assert answer(machine, f"{SITE}/")[0] == 200, "Debian's page is still there"


def test_a_shared_host(machine, layout, new_directory):
    machine(SHARED_HOST)
    machine.program("/usr/bin/ssh", SSH)
    make, upload, look, use = blocks("On a shared host, step by step")
    machine(make, directory=ROOT)
    machine(upload, directory=ROOT)
    assert machine(look).endswith("{}")
    pushes_and_pulls(machine, layout, new_directory, use)
    assert machine("find /home/me/berth/storage ! -user me") == ""
    assert machine("find /home/me/berth/storage/registry -name data | wc -l") == "6\n"

    for path, status in [("/", 403), ("/index.html", 404), ("/.htaccess", 403), ("/berth/configuration.ini", 404), ("/v2x", 404)]:
        got = answer(machine, SITE + path)
        assert got[0] == status and json.loads(got[2])["errors"], got
        assert got[1]["x-content-type-options"] == "nosniff" and got[1]["content-security-policy"] == "default-src 'none'; sandbox", got

    # berth/ in public_html, as somebody will do, could be downloaded.
    machine("mv /home/me/berth /home/me/public_html/; sed -i 's|/\\.\\./berth|/berth|' /home/me/public_html/berth.cgi")
    status, _, body = answer(machine, f"{SITE}/v2/")
    assert status == 500 and "log" in body, body
    assert "is below the web server's document root" in machine("cat /var/log/apache2/error.log")


def test_the_bundle_uses_nothing_of_the_host(tmp_path):
    """It runs where there is no other file."""
    run(ROOT / "deploy/bundle", tmp_path / "bundle", environment={"BERTH": BERTH})
    loader, = (tmp_path / "bundle/berth/lib").glob("ld-*")
    assert run("chroot", tmp_path / "bundle", f"/berth/lib/{loader.name}", "--library-path", "/berth/lib", "/berth/lib/berth",
               "version").startswith("berth ")
