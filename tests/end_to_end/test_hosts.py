"""What the README says, typed as it stands on a machine with Debian's own configuration: each of its blocks, or a reason why not."""
import json
import re

import pytest

from harness.engines import run
from harness.machine import Machine
from harness.process import wait_until
from harness.readme import ROOT, TYPED, Typist, blocks, places, types
from harness.server import BERTH

SITE = "https://registry.example.org"

# No test types these.
TAGS = "Tags: what they were, and that they stay"
UNTYPED = {
    "Logs": "a line of the audit log, which test_audit.py reads",
    f"{TAGS}#1": "a configuration, which test_history.py has",
    "Unchanged names: containerd, nerdctl, Kubernetes#2": "Kubernetes: Debian has neither kubelet nor crictl",
    "Unchanged names: containerd, nerdctl, Kubernetes#3": "Kubernetes: Debian has no kubectl",
    "CI without secrets": "GitHub's, GitLab's and Kubernetes' own; test_issuer.py reads what is for the configuration",
    "With the token server that is there": "a configuration, which test_token_server.py reads",
    "Retention": "a configuration, which test_retention.py reads",
    "The page": "an answer of a registry that holds this alone; test_page.py reads the likes of it",
    "The cache on the page": "the same, which test_page_cache.py reads",
    "Metrics": "configurations, which test_metrics.py reads",
    "Configuration": "an example, which test_deploy.py finds in the installed file",
}

# Debian's systemd does not run here; what the units say is done by hand, the pool's mounts included.
SYSTEMCTL = r"""#!/bin/bash
set -euo pipefail
unit=/usr/local/lib/systemd/system/berth.service
ended() { while [ -n "$(tr -d '\0' 2>/dev/null <"/proc/$1/cmdline")" ]; do sleep 0.1; done 2>/dev/null; }
pool() { cat /run/berth.pid 2>/dev/null; }
fenced='
for top in /var /srv; do mount --bind $top $top && mount -o remount,bind,ro $top; done
for path in $(sed -sn "s/^ReadWritePaths=//p" '$unit' /etc/systemd/system/berth.service.d/*); do mount --bind "$path" "$path" && mount -o remount,bind,rw "$path"; done
export BERTH_CONFIGURATION=/etc/berth/configuration.ini
umask 027
exec spawn-fcgi -n -s /run/berth/berth.sock -M 0600 -u www-data -g www-data -- /usr/bin/multiwatch -f 4 -r 1000 -- /usr/local/bin/berth'
start() {
    case $1 in
    berth)
        [ -z "$(pool)" ] || return 0
        mkdir -p /run/berth
        unshare --mount bash -euc "$fenced" </dev/null >>/var/log/journal.berth 2>&1 &
        echo $! >/run/berth.pid
        until [ -S /run/berth/berth.sock ]; do sleep 0.1; done ;;
    nginx) nginx ;;
    lighttpd) mkdir -p /run/lighttpd && lighttpd -f /etc/lighttpd/lighttpd.conf ;;
    apache2) mkdir -p /run/apache2 /run/lock && apache2ctl start ;;
    docker-registry) service docker-registry start ;;
    esac
}
stop() {
    case $1 in
    berth) pid=$(pool) || true ;;
    apache2) pid=$(cat /run/apache2/apache2.pid 2>/dev/null) || true ;;
    docker-registry) service docker-registry stop; return ;;
    *) pid=$(cat "/run/$1.pid" 2>/dev/null) || true ;; # nginx -t leaves an empty one
    esac
    [ -n "$pid" ] || return 0
    kill "$pid" && ended "$pid"
    if [ "$1" = berth ]; then rm -f /run/berth.pid /run/berth/berth.sock; fi
}
verb=$1
for name in "${@:2}"; do
    case $name in --now | *.socket) continue ;; esac
    name=${name%.service}
    case $verb:$name in
    enable:* | start:*) start "$name" ;;
    disable:* | stop:*) stop "$name" ;;
    restart:*) stop "$name" && start "$name" ;;
    reload:berth)
        workers=$(cat "/proc/$(pool)/task/$(pool)/children")
        kill -TERM $workers
        for pid in $workers; do ended "$pid"; done ;;
    *) exit 1 ;;
    esac
done
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


@pytest.fixture
def machine(new_directory):
    with Machine(new_directory("machine")) as running:
        running.program("/usr/local/sbin/systemctl", SYSTEMCTL)
        for name in ("apt-get", "certbot"):
            running.program(f"/usr/local/sbin/{name}", NOTHING)
        # What is on a filesystem in memory cannot be overlaid once more.
        running("printf '[storage]\\ndriver = \"vfs\"\\nrunroot = \"/run/containers\"\\ngraphroot = \"/var/lib/containers\"\\n' >/etc/containers/storage.conf")
        # Each authority that Debian knows takes its time, and Java's store of them most of it.
        running(": >/etc/ca-certificates.conf; rm -f /etc/ca-certificates/update.d/*; find /etc/ssl/certs -type l -delete")
        yield running


@pytest.fixture
def typist(machine, request):
    """Has typed, in the end, what the test said that it types."""
    typing, failed = Typist(machine), request.session.testsfailed
    yield typing
    if request.session.testsfailed == failed:
        assert set(getattr(request.function, "typed", [])) <= typing.typed, "it has forgotten some"


def answer(machine, *arguments):
    """Status, headers (names in lower case) and body."""
    said = machine(f"curl -s -i {' '.join(arguments)}")
    head, _, body = said.partition("\n\n")
    lines = head.replace("\r", "").split("\n")
    return int(lines[0].split()[1]), {line.partition(":")[0].lower(): line.partition(": ")[2] for line in lines[1:]}, body


def copy(machine, layout, tag, reference, *options):
    """Pushes a tag of the layout."""
    return machine(f"skopeo --insecure-policy copy -q {' '.join(options)} oci:{layout.directory}:{tag} docker://{reference}")


# Debian's docker-registry as somebody else's, which asks for a password by `auth`.
REGISTRY = """\
mkdir -p /srv/$NAME
printf 'version: 0.1\\nstorage: {filesystem: {rootdirectory: /srv/%s}}\\nhttp: {addr: ":%s"%s}\\n%s\\n' $NAME $PORT "$TLS" "$AUTH" >/srv/$NAME.yml
docker-registry serve /srv/$NAME.yml </dev/null >/srv/$NAME.log 2>&1 &
until curl -sko /dev/null $URL/v2/; do sleep 0.1; done
"""


def registry(machine, name, port, tls="", auth=""):
    machine(REGISTRY, NAME=name, PORT=port, TLS=tls, AUTH=auth, URL=f"{'https' if tls else 'http'}://localhost:{port}")


def has_engines(machine):
    """What docker and containerd lay over each other cannot lie on what lies over something itself."""
    machine("for name in docker containerd; do mkdir -p /var/lib/$name; mount -t tmpfs tmpfs /var/lib/$name; done; "
            "containerd </dev/null >/var/log/containerd.log 2>&1 & until ctr version; do kill -0 $!; sleep 0.1; done")


def dockerd(machine):
    """Starts it anew: of certificate authorities it knows those that there were at its start."""
    machine("""\
if [ -e /run/docker.pid ]; then kill $(cat /run/docker.pid); while [ -e /run/docker.pid ]; do sleep 0.1; done; fi
dockerd --bridge=none --iptables=false </dev/null >>/var/log/dockerd.log 2>&1 &
until docker version; do kill -0 $!; sleep 0.1; done""")


def digest(machine, reference, *options):
    return machine(f"skopeo inspect {' '.join(options)} --format '{{{{.Digest}}}}' docker://{reference}").strip()


def pushes_and_pulls(machine, layout, commands):
    """The README's three lines with podman for docker: what comes back is what was pushed."""
    machine(f"podman tag $(podman pull -q oci:{layout.directory}:app) app:1 push.example.org/me/app:1; docker() {{ podman \"$@\"; }}\n{commands}")
    status, headers, body = answer(machine, "-H 'Accept: */*'", f"{SITE}/v2/me/app/manifests/1")
    assert status == 200 and len(json.loads(body)["layers"]) == 4, body
    assert answer(machine, f"-I {SITE}/v2/me/app/manifests/1")[1]["content-length"] == headers["content-length"]


def installs(typist, layout, heading, certificate, sends):
    """The steps of a web server, but for the password."""
    machine, last = typist.machine, max(number for _, number in places(heading))
    said = typist(heading, 0)
    assert "Berth is installed. Next, with systemd:" in said and "/usr/local/share/doc/berth/README.md" in said, said
    for line in re.findall("^  (systemctl .*|systemd-tmpfiles .*)$", said, re.MULTILINE):
        assert set(line.split(" && ")) <= set(typist.text(heading, 0).splitlines()), "it tells what is typed"
    typist("A certificate", certificate)
    for number in range(1, last):
        said = typist(heading, number)
    assert "problem" not in said and f"by the web server ({sends}" in said, said
    assert "through FastCGI" in said and "the workers run as www-data" in said, said
    pushes_and_pulls(machine, layout, typist.text("On a shared host", 3))
    assert answer(machine, "http://registry.example.org/")[0] == 200, "Debian's page is still there"


def asks_for_a_password(typist, heading):
    machine = typist.machine
    assert "Warning" not in typist(heading, max(number for _, number in places(heading)))
    status, headers, body = answer(machine, f"{SITE}/v2/")
    assert status == 401 and headers["www-authenticate"].startswith('Basic realm="registry"')
    assert json.loads(body)["errors"][0]["code"] == "UNAUTHORIZED"
    assert answer(machine, f"-u alice:secret {SITE}/v2/")[0] == 200
    assert answer(machine, f"-u alice:guess {SITE}/v2/")[0] == 401
    blob = json.loads(answer(machine, f"-u alice:secret -H 'Accept: */*' {SITE}/v2/me/app/manifests/1")[2])["config"]["digest"]
    assert answer(machine, f"-u alice:secret {SITE}/v2/me/app/blobs/{blob}")[0] == 200


PULLS_FOR_ALL = "Pulls for all, pushes with a password"


def pulls_for_all(typist, number):
    """Podman stands for docker, which asks /v2/ likewise; docker itself types the same lines with the other clients."""
    machine = typist.machine
    assert "Warning" not in typist(PULLS_FOR_ALL, number)
    podman = "docker() { [ $1 != login ] || set -- \"$@\" -u alice -p secret; podman \"$@\"; }"
    machine(f"{podman}\n{typist.text(PULLS_FOR_ALL, 0)}")
    assert machine("podman push push.example.org/me/app:1 registry.example.org/me/other:1", check=False).returncode != 0
    assert answer(machine, f"-d '' {SITE}/v2/me/app/blobs/uploads/")[0] == 403
    assert json.loads(answer(machine, f"-d '' {SITE}/v2/me/app/blobs/uploads/")[2])["errors"][0]["code"] == "DENIED"
    assert answer(machine, "https://push.example.org/v2/me/app/manifests/1")[0] == 401
    assert answer(machine, f"-I {SITE}/v2/me/app/manifests/1")[0] == 200


def team_pushes(typist, layout):
    """And the world pulls."""
    machine = typist.machine
    typist("Access")
    machine("podman logout --all; podman login -u alice -p secret registry.example.org")
    machine(f"podman push $(podman pull -q oci:{layout.directory}:app) registry.example.org/team/app:1")
    machine("podman logout --all")
    assert answer(machine, f"-d '' {SITE}/v2/team/app/blobs/uploads/")[0] == 401
    assert machine("podman pull -q registry.example.org/team/app:1")
    assert machine("berth access alice team/app").count(": yes: ") == 4


def leaves(typist, command, server):
    """As the sentence in front of nginx's two lines has it: Debian's own page stays."""
    machine = typist.machine
    assert f"`{command}`" in (ROOT / "README.md").read_text()
    machine(f"{command}; systemctl restart {server}; systemctl disable --now berth.socket berth.service; make uninstall", directory=ROOT)
    assert answer(machine, "http://registry.example.org/")[0] == 200
    assert machine(f"curl -s {SITE}/v2/", check=False).returncode in (7, 35)  # nobody listens, or without TLS


def test_each_block_is_typed_or_has_a_reason_why_not():
    everywhere = set(blocks())
    excused = {place for wanted in UNTYPED for place in places(wanted)}
    assert not everywhere - set(TYPED) - excused, "nobody types these"
    assert not excused & set(TYPED), "these are typed, and need no reason"


@types("Behind lighttpd", "A certificate#0", f"{PULLS_FOR_ALL}#2", "On a shared host#3", "Access")
def test_a_host_of_debians_lighttpd(typist, layout):
    typist.machine.trust("registry.example.org", "push.example.org")
    installs(typist, layout, "Behind lighttpd", 0, "x-sendfile")
    typist.machine("cp /etc/lighttpd/conf-available/90-berth.conf /root/without-password")
    asks_for_a_password(typist, "Behind lighttpd")
    typist.machine("cp /root/without-password /etc/lighttpd/conf-available/90-berth.conf")
    pulls_for_all(typist, 2)
    typist.machine("cp /root/without-password /etc/lighttpd/conf-available/90-berth.conf; systemctl restart lighttpd")
    team_pushes(typist, layout)
    leaves(typist, "lighty-disable-mod berth", "lighttpd")


@types("Behind Apache", f"{PULLS_FOR_ALL}#3")
def test_a_host_of_debians_apache(typist, layout):
    typist.machine.trust("registry.example.org", "push.example.org")
    installs(typist, layout, "Behind Apache", 0, "x-sendfile")
    asks_for_a_password(typist, "Behind Apache")
    typist.machine("a2disconf -q berth-password")
    pulls_for_all(typist, 3)
    leaves(typist, "a2dissite registry", "apache2")


@types("Behind nginx", "A certificate#1", "How big it is", "Delete an image", f"{TAGS}#0", "Housekeeping", "Verify what is stored",
       "Tell others", "Empty the cache",
       "Backup and restore", "Upgrade", "Health", "A store elsewhere", "Uninstall")
def test_a_host_of_debians_nginx(typist, layout):
    machine = typist.machine
    installs(typist, layout, "Behind nginx", 1, "x-accel-redirect")
    operates(typist, layout)
    tells_others(typist, layout)
    keeps_it_elsewhere(typist, layout)
    asks_for_a_password(typist, "Behind nginx")
    typist("Uninstall")
    assert machine("pgrep -x multiwatch", check=False).returncode == 1
    machine("[ ! -e /usr/local/bin/berth ] && [ -e /etc/berth/configuration.ini ] && [ -d /srv/registry/docker ]")


def operates(typist, layout):
    machine = typist.machine
    for tag in ("2", "3"):
        copy(machine, layout, "multi", f"registry.example.org/me/app:{tag}", "--all")
    image = json.loads(answer(machine, f"-H 'Accept: */*' {SITE}/v2/me/app/manifests/1")[2])
    assert int(typist("How big it is").splitlines()[-1]) == sum(each["size"] for each in (image["config"], *image["layers"]))
    typist("Health")
    typist("Backup and restore", 0)
    typist("Delete an image", 0)
    assert [answer(machine, f"-I {SITE}/v2/me/app/manifests/{tag}")[0] for tag in "123"] == [404, 404, 200]
    typist("Delete an image", 1)
    assert [answer(machine, f"-I {SITE}/v2/me/app/manifests/{tag}")[0] for tag in "123"] == [200, 200, 200]
    before = digest(machine, "registry.example.org/me/app:1")
    copy(machine, layout, "multi", "registry.example.org/me/app:1", "--all")
    assert digest(machine, "registry.example.org/me/app:1") != before
    assert typist(TAGS).endswith(f"{before}  by anybody\ntag 1 is back\n")
    assert digest(machine, "registry.example.org/me/app:1") == before
    typist("Delete an image", 0)
    assert typist("Housekeeping", 0).endswith("0 problems\n")
    typist("Housekeeping", 1)
    typist("Housekeeping", 2)
    assert typist("Verify what is stored", 0).endswith("were due and read\n")
    typist("Verify what is stored", 1)
    typist("Verify what is stored", 2)
    assert typist("Backup and restore", 1).endswith("0 problems\n")
    assert [answer(machine, f"-I {SITE}/v2/me/app/manifests/{tag}")[0] for tag in "123"] == [200, 200, 200]
    machine("install -D -o www-data /dev/null /var/lib/berth/proxy/docker/x")
    typist("Empty the cache")
    assert machine("ls /var/lib/berth/proxy") == "" and answer(machine, f"{SITE}/v2/")[0] == 200
    before = machine("pgrep -x berth").split()
    typist("Upgrade")
    assert answer(machine, f"{SITE}/v2/")[0] == 200 and set(machine("pgrep -x berth").split()) != set(before)


def tells_others(typist, layout):
    machine = typist.machine
    typist("Tell others", 0)
    typist("Tell others", 1)
    machine("setsid berth-hook >/root/hook.log 2>&1 </dev/null & echo $! >/root/hook.pid")
    copy(machine, layout, "app", "registry.example.org/me/told:1")
    wait_until(lambda: "push me/told 1\n" in machine("cat /root/hook.log"), "the receiver's word")
    assert typist("Tell others", 2).endswith("0 delivered, 0 wait, 0 failed\n")
    machine("kill $(cat /root/hook.pid); sed -i '/webhook here/,$d' /etc/berth/configuration.ini; systemctl reload berth")


def keeps_it_elsewhere(typist, layout):
    """The workers may write there because the unit says so: without that pushes are 507. What was pushed before comes along."""
    machine, image = typist.machine, "registry.example.org/me/app:2"
    before = digest(machine, image)
    machine("mv /var/lib/berth/registry /srv/registry")
    typed = typist("A store elsewhere")
    assert "problem" not in typed and "/srv/registry: the web server sends blobs from it" in typed, typed
    assert digest(machine, image) == before
    machine("[ -e /srv/registry/docker ] && [ ! -e /var/lib/berth/registry ]")
    copy(machine, layout, "multi", "registry.example.org/me/elsewhere:1", "--all")
    assert machine("find /srv/registry /srv/berth ! -user www-data") == ""
    machine("mv /etc/systemd/system/berth.service.d /root/; systemctl restart berth")
    assert answer(machine, f"-d '' {SITE}/v2/me/app/blobs/uploads/")[0] == 507
    machine("mv /root/berth.service.d /etc/systemd/system/; systemctl restart berth")


@types("Replacing a docker-registry")
def test_a_docker_registry_is_replaced_there_and_back(typist, layout):
    """Twice: what either has taken the other one serves, with systemd's mounts and without."""
    machine, heading = typist.machine, "Replacing a docker-registry"
    machine.trust("registry.example.org")
    machine("sed -i '/^auth:/,/^health:/{/^health:/!d}' /etc/docker/registry/config.yml; service docker-registry start; "
            "until curl -fs http://localhost:5000/v2/; do sleep 0.1; done")
    for number in (0, 1):
        typist("Behind nginx", number, before="ln -sfn /etc/letsencrypt/live/registry.example.org /etc/berth/tls" if number else "")
    pushed = {}
    for there, back in ((0, 1), (2, 3)):
        copy(machine, layout, "app", f"localhost:5000/theirs/{there}:1", "--dest-tls-verify=false")
        said = typist(heading, there)
        assert "problem: " not in said and said.endswith("0 problems\n"), said
        copy(machine, layout, "multi", f"registry.example.org/ours/{there}:1", "--all")
        pushed |= {f"theirs/{there}": layout.digest("app"), f"ours/{there}": layout.digest("multi")}
        for name, expected in pushed.items():
            assert digest(machine, f"registry.example.org/{name}:1") == expected
        typist(heading, back)
        machine("until curl -fs http://localhost:5000/v2/; do sleep 0.1; done")
        for name, expected in pushed.items():
            assert digest(machine, f"localhost:5000/{name}:1", "--tls-verify=false") == expected
            machine(f"skopeo --insecure-policy copy -q --all --src-tls-verify=false docker://localhost:5000/{name}:1 dir:/root/pulled")
    assert machine("find /var/lib/docker-registry ! -user docker-registry") == ""


@types("Without systemd")
def test_a_pool_without_systemd(typist):
    machine, heading = typist.machine, "Without systemd"
    machine.trust("registry.example.org")
    machine("make -s install; rm -rf /var/lib/berth; install -d /etc/berth; "
            "ln -s /etc/letsencrypt/live/registry.example.org /etc/berth/tls; rm /usr/local/sbin/systemctl", directory=ROOT)
    typist(heading, 0)
    typist("Behind nginx", 1, before="systemctl() { service nginx restart; }")
    eight = "until [ $(pgrep -x berth | grep -cvxE '{}') = 8 ]; do sleep 0.1; done; pgrep -x berth"
    workers = machine(eight.format("none")).split()
    assert answer(machine, f"{SITE}/v2/")[0] == 200
    assert machine("stat -c %U:%a /var/lib/berth/_tmp/bodies /run/berth/berth.sock").split() == ["www-data:700", "www-data:600"]
    assert machine("/etc/init.d/berth status").startswith("berth: the pool runs")
    logged = "until grep '{}' /var/log/berth/workers.log; do sleep 0.1; done"
    machine(logged.format("GET /v2/ 200 "))
    assert machine("ls /etc/rc2.d").count("berth") == 1

    machine("sed -i 's/^read_only = no/read_only = yes/' /etc/berth/configuration.ini")
    typist(heading, 2)
    assert not set(machine(eight.format("|".join(workers))).split()) & set(workers)
    assert answer(machine, f"-d '' {SITE}/v2/x/blobs/uploads/")[0] == 405
    machine(logged.format("POST /v2/x/blobs/uploads/ 405 "))

    # A worker's next line is the first one of the file.
    typist(heading, 3)
    machine("logrotate --force /etc/logrotate.d/berth; zcat -f /var/log/berth/workers.log.1* | grep 'GET /v2/ 200 '")
    answer(machine, f"{SITE}/v2/rotated/tags/list")
    machine(logged.format("rotated"))
    assert "rotated" in machine("head -n 1 /var/log/berth/workers.log")

    machine("/etc/init.d/berth stop")
    assert machine("/etc/init.d/berth status", check=False).returncode == 3 and answer(machine, f"{SITE}/v2/")[0] == 502
    typist(heading, 1)
    assert answer(machine, f"{SITE}/v2/")[0] == 200
    assert machine("cut -d' ' -f 3- /etc/cron.d/berth") == "sh /usr/local/share/berth/init start\n"
    machine("sh /usr/local/share/berth/init stop")
    typist(heading, 4)
    machine("until [ -S /run/berth/berth.sock ]; do sleep 0.1; done")
    assert answer(machine, f"{SITE}/v2/")[0] == 200


CTR_PULL = "ctr images pull --hosts-dir /etc/containerd/certs.d"
DOCKER_HUB = "printf '[upstream docker.io]\\nurl = http://localhost:5001\\nallow_private_address = yes\\n'"


def others(typist, layout):
    """A registry with a port, a password and a certificate of its own authority's."""
    machine = typist.machine
    machine("""\
cd /srv
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=corp -keyout key -out corp-ca.crt \\
    -addext subjectAltName=DNS:corp.example.org,DNS:localhost
htpasswd -Bbc users berth tiger
echo tiger >corp.password""")
    registry(machine, "corp", "5443", ", tls: {certificate: /srv/corp-ca.crt, key: /srv/key}", "auth: {htpasswd: {realm: corp, path: /srv/users}}")
    copy(machine, layout, "app", "localhost:5443/team/app:1", "--dest-tls-verify=false", "--dest-creds berth:tiger")
    typist("Other registries", 0, directory="/srv")
    status, _, body = answer(machine, f"{SITE}/v2/proxy/corp/team/app/manifests/1")
    assert status == 502 and "certificate" in body, body
    typist("Other registries", 1, directory="/srv")


def own_authority(typist, image):
    machine, heading, app = typist.machine, "With a CA of your own", "registry.example.org/me/app:1"
    dockerd(machine)
    machine(f"docker tag debian:12 {app}")
    assert machine(f"skopeo inspect docker://{app}", check=False).returncode == machine(f"docker push {app}", check=False).returncode == 1
    for number in (1, 2, 3):
        typist(heading, number, directory="/etc/berth/tls")
    machine(f"docker push {app}; podman pull {app}; {CTR_PULL} {app}")
    typist(heading, 0, directory="/etc/berth/tls")
    machine(f"curl -fsS {SITE}/v2/")
    dockerd(machine)
    typist(PULLS_FOR_ALL, 1)
    machine("docker tag debian:12 push.example.org/me/app:1")
    machine("docker() { [ $1 != login ] || set -- \"$@\" -u alice -p secret; command docker \"$@\"; }\n" + typist.text(PULLS_FOR_ALL, 0))
    assert "pushes go to push.example.org" in machine(f"docker push {app}", check=False).stdout
    assert answer(machine, "https://push.example.org/v2/me/app/manifests/1")[0] == 401


def everybody_logs_in(typist):
    """Behind nginx, by TLS of an authority of our own: Docker keeps no password, and pulls need none."""
    machine, host = typist.machine, "registry.example.org"
    machine("rm /etc/nginx/sites-enabled/registry")
    typist("Behind nginx", 1)
    machine("rm -f /etc/berth/htpasswd")
    typist("Access")
    image = f"{host}/team/docker:1"
    refused = machine(f"docker tag debian:12 {host}/team/docker:1; docker push {host}/team/docker:1", check=False)
    assert refused.returncode != 0 and "denied" in refused.stdout, refused.stdout
    assert machine(f"echo wrong | docker login -u alice --password-stdin {host}", check=False).returncode != 0
    machine(f"echo secret | docker login -u alice --password-stdin {host}")
    kept = json.loads(machine("cat /root/.docker/config.json"))["auths"][host]
    assert kept["identitytoken"].startswith("berth_r_"), kept
    machine(f"docker push {host}/team/docker:1; docker logout {host}; docker rmi {host}/team/docker:1; docker pull {host}/team/docker:1")
    for program in ("podman", "buildah"):
        machine(f"{program} pull {image}; {program} login -u alice -p secret {host}; {program} push {image} docker://{host}/team/{program}:1")
        machine(f"{program} logout {host}; {program} pull {host}/team/{program}:1")
    machine(f"skopeo copy -q --dest-creds alice:secret docker://{host}/team/docker:1 docker://{host}/team/skopeo:1")
    machine(f"ctr images pull {host}/team/docker:1; ctr images tag {host}/team/docker:1 {host}/team/ctr:1; "
            f"ctr images push --user alice:secret {host}/team/ctr:1; ctr images pull {host}/team/ctr:1")
    assert answer(machine, f"{SITE}/v2/team/ctr/manifests/1")[0] == 200


@types("By name", "Unchanged names: Docker", "Unchanged names: podman, skopeo, buildah", "Unchanged names: containerd, nerdctl, Kubernetes#0",
       "Unchanged names: containerd, nerdctl, Kubernetes#1", "With a CA of your own", "Other registries", f"{PULLS_FOR_ALL}#0", f"{PULLS_FOR_ALL}#1")
def test_every_client_by_what_is_said_of_it(typist, layout):
    machine, image = typist.machine, layout.digest("app")
    has_engines(machine)
    registry(machine, "hub", "5001")
    copy(machine, layout, "app", "localhost:5001/library/debian:12", "--dest-tls-verify=false")
    machine("make -s install; systemd-tmpfiles --create berth.conf; systemctl start berth", directory=ROOT)
    for wanted, number in (("A certificate", 1), ("Behind nginx", 1)):
        typist(wanted, number)
    machine(f"{DOCKER_HUB} >>/etc/berth/configuration.ini; systemctl reload berth")
    dockerd(machine)
    typist("By name")

    for number in (0, 1):
        typist("Unchanged names: Docker", number)
    machine("kill -HUP $(cat /run/docker.pid); docker rmi registry.example.org/proxy/docker.io/library/debian:12; "
            "until docker pull debian:12; do sleep 0.1; done")
    typist("Unchanged names: podman, skopeo, buildah")
    assert digest(machine, "docker.io/library/debian:12", "--no-tags") == image
    machine("podman pull docker.io/library/debian:12; buildah pull docker.io/library/debian:12")
    for number in (0, 1):
        typist("Unchanged names: containerd, nerdctl, Kubernetes", number)
    others(typist, layout)
    machine("rm /usr/local/share/ca-certificates/our-own-ca.crt; update-ca-certificates --fresh")
    own_authority(typist, image)
    # That the upstream was in trouble is remembered for some seconds.
    machine(f"until curl -fs {SITE}/v2/proxy/corp/team/app/manifests/1; do sleep 0.1; done")
    everybody_logs_in(typist)


@types("Try", "Without TLS")
def test_the_first_minutes(typist, layout):
    """What is shown is what is said, but for what stands for "…"."""
    machine = typist.machine
    has_engines(machine)
    registry(machine, "hub", "5001")
    copy(machine, layout, "app", "localhost:5001/library/debian:12", "--dest-tls-verify=false")
    machine(f"mkdir storage; {{ printf '%s\\n' 'registry_storage = registry' 'temporary_registry_storage = _tmp' 'proxy_storage = proxy'; {DOCKER_HUB}; }} "
            ">storage/configuration.ini", directory=ROOT)
    dockerd(machine)
    lines = typist.text("Try").splitlines()
    commands = [line[2:] for line in lines if line.startswith("$ ")]
    assert commands[0].endswith(" &")
    said = runs(machine, commands[0].strip(" &")) + machine("\n".join(commands[1:]), directory=ROOT)
    for line in lines:
        assert line.startswith("$ ") or re.search(".*".join(map(re.escape, line.split("…"))), said), f"{line}: {said}"
    machine("kill $(cat /root/pid); until [ ! -e /proc/$(cat /root/pid) ]; do sleep 0.1; done; while pgrep -x berth; do sleep 0.1; done")
    without_tls(typist, "registry.example.org:5000/me/app:1")


def runs(machine, command):
    """As what `make run` says of itself."""
    return machine(f"setsid {command} </dev/null >/root/said 2>&1 & echo $! >/root/pid\n"
                   "until grep ^ready /root/said; do kill -0 $!; sleep 0.1; done", directory=ROOT)


def without_tls(typist, image):
    machine = typist.machine
    runs(machine, "make run ADDRESS=0.0.0.0")
    assert [machine(f"{pull} {image}", check=False).returncode for pull in ("docker pull", "podman pull", CTR_PULL)] == [1, 125, 1]
    for number in range(3):
        typist("Without TLS", number)
    machine(f"kill -HUP $(cat /run/docker.pid); until docker pull {image}; do sleep 0.1; done; podman pull {image}; {CTR_PULL} {image}")


@types("On a shared host")
def test_a_shared_host(typist, layout):
    machine = typist.machine
    machine.trust("registry.example.org")
    machine(SHARED_HOST)
    machine.program("/usr/bin/ssh", SSH)
    typist("On a shared host", 0)
    typist("On a shared host", 1)
    assert typist("On a shared host", 2).endswith("{}")
    pushes_and_pulls(machine, layout, typist.text("On a shared host", 3))
    assert machine("find /home/me/berth/storage ! -user me") == ""
    assert machine("find /home/me/berth/storage/registry -name data | wc -l") == "6\n"

    got = answer(machine, SITE + "/.htaccess")
    assert got[0] == 403 and json.loads(got[2])["errors"], got
    assert got[1]["x-content-type-options"] == "nosniff" and got[1]["content-security-policy"] == "default-src 'none'; sandbox", got
    for path, status in [("/", 200), ("/index.html", 404), ("/berth/configuration.ini", 404), ("/v2x", 404)]:
        got = answer(machine, SITE + path)
        assert got[0] == status and got[2].startswith("<!doctype html>"), got
        assert got[1]["x-content-type-options"] == "nosniff" and "frame-ancestors 'none'" in got[1]["content-security-policy"], got

    # berth/ in public_html, as somebody will do, could be downloaded.
    machine("mv /home/me/berth /home/me/public_html/; sed -i 's|/\\.\\./berth|/berth|' /home/me/public_html/berth.cgi")
    status, _, body = answer(machine, f"{SITE}/v2/")
    assert status == 500 and "log" in body, body
    assert "is below the web server's document root" in machine("cat /var/log/apache2/error.log")


def test_the_bundle_uses_nothing_of_the_host(tmp_path):
    """It runs where there is no other file; also with libcurl, which tells here that the webhook's address is one."""
    run(ROOT / "deploy/bundle", tmp_path / "bundle", environment={"BERTH": BERTH})
    loader, = (tmp_path / "bundle/berth/lib").glob("ld-*")
    berth = ["chroot", tmp_path / "bundle", f"/berth/lib/{loader.name}", "--library-path", "/berth/lib", "/berth/lib/berth"]
    assert run(*berth, "version").startswith("berth ")
    with open(tmp_path / "bundle/berth/configuration.ini", "a") as settings:
        settings.write("\n[webhook a]\nurl = https://example.org/\nevents = push\n")
    assert "https://example.org/" in run(*berth, "configuration", "-c", "/berth/configuration.ini")
