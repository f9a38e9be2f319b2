# SPDX-License-Identifier: Apache-2.0
"""What clients do: each function does it once and returns how long it took."""
import base64
import hashlib
import http.client
import json
import re
import shutil
import ssl
import subprocess
import tempfile
import time
import urllib.parse

from content import MANIFEST

CONNECTIONS = 16


def requests_per_second(server, method, path, seconds, authorization=None):
    """Of clients that keep their connections. After a HEAD wrk waits for the body, so ab asks for that."""
    if method == "GET":
        command, count = ["wrk", "-t2", f"-c{CONNECTIONS}", f"-d{seconds}s"], r"Requests/sec:\s*([\d.]+)"
    else:
        command = ["ab", "-q", "-i", "-k", f"-c{CONNECTIONS}", f"-t{seconds}", "-n9999999"]
        count = r"Requests per second:\s*([\d.]+)"
    command += ["-H", f"Authorization: {authorization}"] if authorization else []
    command += ["-H", f"Accept: {MANIFEST}", f"http://127.0.0.1:{server.port}{path}"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in output or "Socket errors" in output:
        raise RuntimeError(f"{server.name}: {method} {path}\n{output}")
    return float(re.search(count, output).group(1))


def answer(connection, status):
    response = connection.getresponse()
    text = response.read()
    if response.status != status:
        raise RuntimeError(f"{response.status}, not {status}: {text[:200]}")
    return response


def target(location, **query):
    """A Location, absolute or not, as what goes into the request line."""
    parts = urllib.parse.urlsplit(location)
    added = "&".join(filter(None, [parts.query, urllib.parse.urlencode(query)]))
    return parts.path + ("?" + added if added else "")


def push(server, repository, blob, chunked=False):
    """A session: streamed in a PATCH without a length as docker does, or all of it in the PUT. Seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
    start = time.monotonic()
    connection.request("POST", f"/v2/{repository}/blobs/uploads/", headers={"Content-Length": "0"})
    location = answer(connection, 202).headers["Location"]
    if chunked:
        connection.putrequest("PATCH", target(location))
        connection.putheader("Transfer-Encoding", "chunked")
        connection.putheader("Content-Type", "application/octet-stream")
        connection.endheaders()
        blob.send_chunked(connection.sock)
        location = answer(connection, 202).headers["Location"]
    connection.putrequest("PUT", target(location, digest=blob.digest))
    connection.putheader("Content-Length", "0" if chunked else str(blob.size))
    connection.putheader("Content-Type", "application/octet-stream")
    connection.endheaders()
    if not chunked:
        blob.send(connection.sock)
    answer(connection, 201)
    seconds = time.monotonic() - start
    connection.close()
    return seconds


def push_image(server, repository, made):
    blobs, manifest = made
    for blob in blobs:
        push(server, repository, blob)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("PUT", f"/v2/{repository}/manifests/latest", manifest, {"Content-Type": MANIFEST})
    answer(connection, 201)
    connection.close()


def receive(server, path, take, headers=None):
    """Gives every piece of an answer's body to `take`. Seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
    buffer = memoryview(bytearray(256 * 1024))
    start = time.monotonic()
    connection.request("GET", path, headers=headers or {})
    response = connection.getresponse()
    if response.status != 200:
        raise RuntimeError(f"{server.name}: {response.status} for {path}")
    while got := response.readinto(buffer):
        take(buffer[:got])
    seconds = time.monotonic() - start
    connection.close()
    return seconds


def get(server, path, size, headers=None):
    """Seconds for `size` bytes, which are thrown away."""
    received = 0

    def count(piece):
        nonlocal received
        received += len(piece)
    seconds = receive(server, path, count, headers)
    if received != size:
        raise RuntimeError(f"{server.name}: {received} bytes, not {size}")
    return seconds


def digest(server, path):
    computed = hashlib.sha256()
    receive(server, path, computed.update)
    return "sha256:" + computed.hexdigest()


def pull(server, repository, directory):
    """Into an OCI layout in `directory`, which is removed again. Seconds."""
    target_directory = tempfile.mkdtemp(dir=directory)
    command = ["skopeo", "copy", "--quiet", "--src-tls-verify=false", f"docker://{server.authority}/{repository}:latest",
               f"oci:{target_directory}/layout:latest"]
    start = time.monotonic()
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    seconds = time.monotonic() - start
    shutil.rmtree(target_directory)
    return seconds


def head(server, path):
    """Seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    start = time.monotonic()
    connection.request("HEAD", path, headers={"Accept": MANIFEST})
    answer(connection, 200)
    seconds = time.monotonic() - start
    connection.close()
    return seconds


def round_trips(authority, path, count):
    """A HEAD each on one connection that stands: what a round trip takes just now, by TLS."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(authority, timeout=60, context=context)
    taken = []
    for _ in range(count + 1):
        start = time.monotonic()
        connection.request("HEAD", path, headers={"Accept": MANIFEST})
        answer(connection, 200)
        taken.append(time.monotonic() - start)
    connection.close()
    return taken[1:]


def first_byte(server, path):
    """Seconds until it is there. The rest is read as well: whoever fetches it has nothing else to do then."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    start = time.monotonic()
    connection.request("GET", path)
    response = connection.getresponse()
    if response.status != 200 or not response.read(1):
        raise RuntimeError(f"{server.name}: {response.status} for {path}")
    seconds = time.monotonic() - start
    while response.read(1 << 20):
        pass
    connection.close()
    return seconds


def crowd(server, paths, clients, size):
    """So many clients that begin together and want the same, one or several of a size. Seconds until the last has all."""
    command = ["curl", "--silent", "--show-error", "--fail", "--parallel", "--parallel-immediate", "--parallel-max", str(clients),
               "--write-out", "%{size_download}\n"]
    for path in paths:
        for _ in range(clients):
            command += ["--output", "/dev/null", f"http://{server.authority}{path}"]
    start = time.monotonic()
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seconds = time.monotonic() - start
    if output.split() != [str(size)] * clients * len(paths):
        raise RuntimeError(f"{server.name}: a crowd got {set(output.split())} bytes, not {size}")
    return seconds


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def token(server, authorization=None):
    """What a client shows that has asked the token service of Berth's."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("GET", f"/v2/_berth/token?service={server.authority}", headers={"Authorization": authorization} if authorization else {})
    response = connection.getresponse()
    text = response.read()
    connection.close()
    if response.status != 200:
        raise RuntimeError(f"{response.status}: {text[:200]}")
    return "Bearer " + json.loads(text)["token"]


def latencies(server, paths, authorization, rounds):
    """Of one client with one connection, which asks for one path after the other: seconds, by path."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    taken = {path: [] for path in paths}
    for number in range(rounds):
        for path in paths if number % 2 == 0 else paths[::-1]:
            start = time.perf_counter()
            connection.request("GET", path, headers={"Authorization": authorization})
            connection.getresponse().read()
            taken[path].append(time.perf_counter() - start)
    connection.close()
    return taken


def skopeo(way, layout, server, repository, *options):
    """Pushes the image in the directory `layout`, or pulls it into a new one beside that. Seconds."""
    image = f"docker://127.0.0.1:{server.port}/{repository}:latest"
    copy = ["skopeo", "copy", "--quiet", "--src-tls-verify=false", "--dest-tls-verify=false", *options]
    target_directory = tempfile.mkdtemp(dir=layout.parent)
    command = [*copy, f"dir:{layout}", image] if way == "push" else [*copy, image, f"dir:{target_directory}"]
    start = time.monotonic()
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    seconds = time.monotonic() - start
    shutil.rmtree(target_directory)
    return seconds
