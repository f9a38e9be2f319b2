"""Somebody else who signs tokens: real keys, made and used by openssl, behind an HTTP server of the test's own."""
import base64
import hashlib
import json
import pathlib
import re
import subprocess
import time
import urllib.parse

from harness.upstream_http import HttpServer, Reply

CURVES = {"ES256": ("P-256", 32), "ES384": ("P-384", 48), "ES512": ("P-521", 66)}


def url64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def part(value):
    return url64(value if isinstance(value, bytes) else json.dumps(value).encode())


def openssl(*arguments, **options):
    return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, **options).stdout


class Key:
    """`kind` is "RSA" with a number of bits, or an algorithm of CURVES."""

    def __init__(self, directory, name, kind="RSA", bits=2048):
        self.name, self.kind, self.path = name, kind, pathlib.Path(directory) / f"{name}.pem"
        made = ["-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}"] if kind == "RSA" else \
            ["-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{CURVES[kind][0]}"]
        openssl("genpkey", *made, "-out", self.path)

    def public(self):
        """The PEM of the public half, which everybody has."""
        return openssl("pkey", "-in", self.path, "-pubout")

    def der(self):
        """The public half as distribution hashes it."""
        return openssl("pkey", "-in", self.path, "-pubout", "-outform", "DER")

    def fingerprint(self):
        """The id that libtrust, and with it distribution 2, gives a key."""
        text = base64.b32encode(hashlib.sha256(self.der()).digest()[:30]).decode()
        return ":".join(text[at:at + 4] for at in range(0, 48, 4))

    def thumbprint(self):
        """The one of RFC 7638, as distribution 3 has it."""
        members = {name: value for name, value in self.jwk().items() if name in ("kty", "n", "e", "crv", "x", "y")}
        return url64(hashlib.sha256(json.dumps(members, sort_keys=True, separators=(",", ":")).encode()).digest())

    def certificate(self, by=None, days=1):
        """The path of a certificate in PEM, signed by itself or by another one's key."""
        path = self.path.with_suffix(f".{by.name if by else 'self'}.crt")
        if path.exists():
            return path
        if by is None:
            openssl("req", "-x509", "-new", "-key", self.path, "-subj", f"/CN={self.name}", "-days", days, "-out", path)
        else:
            request = openssl("req", "-new", "-key", self.path, "-subj", f"/CN={self.name}")
            openssl("x509", "-req", "-CA", by.certificate(), "-CAkey", by.path, "-CAcreateserial", "-days", days, "-out", path, input=request)
        return path

    def jwk(self, **more):
        text = openssl("pkey", "-in", self.path, "-pubout", "-text", "-noout", text=True)
        number = bytes.fromhex(re.sub(r"[\s:]", "", re.search(r"(?:Modulus|pub):\n((?: +[0-9a-f:]+\n)+)", text)[1]))
        if self.kind == "RSA":
            exponent = int(re.search(r"Exponent: (\d+)", text)[1])
            numbers = {"kty": "RSA", "n": url64(number.lstrip(b"\0")), "e": url64(exponent.to_bytes(3, "big"))}
        else:
            curve, size = CURVES[self.kind]
            numbers = {"kty": "EC", "crv": curve, "x": url64(number[1:1 + size]), "y": url64(number[1 + size:])}
        return {"kid": self.name, "use": "sig", **numbers, **more}

    def sign(self, algorithm, data):
        hashed = f"-sha{algorithm[2:]}"
        padding = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"] if algorithm.startswith("PS") else []
        signature = openssl("dgst", hashed, *padding, "-sign", self.path, input=data)
        if not algorithm.startswith("ES"):
            return signature
        # From ASN.1 to two numbers of one length.
        numbers = re.findall(rb"INTEGER +:([0-9A-F]+)", openssl("asn1parse", "-inform", "DER", input=signature))
        return b"".join(int(number, 16).to_bytes(CURVES[algorithm][1], "big") for number in numbers)

    def token(self, header, claims, algorithm=None):
        """`header` and `claims` are dictionaries, or bytes as they are to stand there."""
        signed = f"{part(header)}.{part(claims)}"
        return f"{signed}.{url64(self.sign(algorithm or header['alg'], signed.encode()))}"


class Issuer(HttpServer):
    """Tells its configuration and keys, `published`, and signs tokens for AUDIENCE."""
    AUDIENCE = "registry.test"
    DISCOVERY = "/.well-known/openid-configuration"
    KEYS = "/keys"

    def __init__(self, directory, name="a", path="", **options):
        super().__init__(**options)
        self.directory, self.path = directory, path
        self.key = Key(directory, f"{name}-1")
        self.published = [self.key.jwk()]
        self.said = {}  # what its configuration says otherwise

    @property
    def issuer(self):
        return self.url + self.path

    def reply(self, request):
        if request.path == self.path + self.DISCOVERY:
            told = {"issuer": self.issuer, "jwks_uri": self.url + self.KEYS, **self.said}
        elif request.path == self.KEYS:
            told = {"keys": self.published}
        else:
            return Reply(404)
        return Reply(200, json.dumps(told).encode(), {"Content-Type": "application/json"})

    @staticmethod
    def now():
        return int(time.time())

    def claims(self, **changed):
        """None takes a claim out."""
        now = self.now()
        claims = {"iss": self.issuer, "aud": self.AUDIENCE, "sub": "repo:team/app:ref:refs/heads/main", "iat": now, "nbf": now,
                  "exp": now + 300, **changed}
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, key=None, algorithm="RS256", header=None, **changed):
        key = key or self.key
        head = {"alg": algorithm, "typ": "JWT", "kid": key.name, **(header or {})}
        return key.token({name: value for name, value in head.items() if value is not None}, self.claims(**changed), algorithm)


class TokenServer(Issuer):
    """A token server for registries, as distribution asks for one: who may do what is `may(user, repository)`, a set of actions."""
    ISSUER = "Our token server"

    def __init__(self, directory, users=None, may=None, **options):
        super().__init__(directory, name="server", **options)
        self.users, self.may = users or {}, may or (lambda user, repository: {"pull"})
        self.header = lambda: {"kid": self.key.fingerprint()}

    @property
    def issuer(self):
        return self.ISSUER

    @property
    def realm(self):
        return f"{self.url}/token"

    def grant(self, *scopes, sub="alice", **claims):
        """A token for "NAME:ACTION,ACTION" each."""
        access = [{"type": "repository", "name": scope.rpartition(":")[0], "actions": scope.rpartition(":")[2].split(",")} for scope in scopes]
        return self.token(header=self.header(), sub=sub, **{"access": access, **claims})

    def reply(self, request):
        if request.path != "/token":
            return super().reply(request)
        user, said = "", request["Authorization"]
        if said:
            user, _, password = base64.b64decode(said.partition(" ")[2]).decode().partition(":")
            if self.users.get(user) != password:
                return Reply(401)
        scopes = []
        for scope in urllib.parse.parse_qs(request.query).get("scope", []):
            _, name, actions = scope.split(":")
            granted = self.may(user, name) & set(actions.split(","))
            scopes += [f"{name}:{','.join(sorted(granted))}"] if granted else []
        token = self.grant(*scopes, sub=user)
        return Reply(200, json.dumps({"token": token, "access_token": token, "expires_in": 300}).encode(), {"Content-Type": "application/json"})
