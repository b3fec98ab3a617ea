"""What tests written in Python share: TAP, the real server on a loopback port, requests, users.

A Server is one data directory with one configuration: it can be started, killed and started again. Connections are kept
alive, one a thread; a request that gets no answer raises NoAnswer.
"""
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.request
from urllib.parse import quote

SECRET = "python-tests-secret"
PATIENCE_S = 60  # for what comes soon: it only tells that something hangs, also on a machine with much else to do
V3 = "/_matrix/client/v3"
CASE_LINES_MAX = 12


class Tap:
    """Prints cases as they come and the plan at the end."""

    def __init__(self):
        self.n = self.failed = 0

    def ok(self, holds, name, *why):
        self.n += 1
        self.failed += not holds
        print(f"{'' if holds else 'not '}ok {self.n} - {name}")
        if not holds:
            for line in "\n".join(map(str, why)).splitlines()[:CASE_LINES_MAX]:
                print("#   " + line[:600])
        sys.stdout.flush()
        return holds

    def skip(self, name, why):
        self.n += 1
        print(f"ok {self.n} - {name} # SKIP {why}")

    @contextlib.contextmanager
    def to_the_end(self):
        """Around a whole test: what breaks it off is a failed case. Then the plan, and the exit code."""
        try:
            yield
        except Exception:  # noqa: BLE001
            self.ok(False, "the test runs to its end", *traceback.format_exc().splitlines()[-CASE_LINES_MAX:])
        print(f"1..{self.n}")
        sys.exit(1 if self.failed else 0)


class NoAnswer(Exception):
    """The connection ended before a whole answer was there."""


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.bytes = status, headers, body
        try:
            self.json = json.loads(body)
        except ValueError:
            self.json = None

    @property
    def errcode(self):
        return self.json.get("errcode") if isinstance(self.json, dict) else None

    def __getitem__(self, key):
        return self.json[key]

    def __repr__(self):
        return f"{self.status} {self.bytes[:300]!r}"


HELD = []  # sockets


def free_port():
    """A port that nobody else gets while this process runs: bound here, without listening, so that no probe and no connection of another suite
    is given it. A server that sets SO_REUSEADDR, as all here do, listens there all the same, as often as it is started; while none does,
    connections are refused. Below the range that the kernel gives away: who binds there without asking has no part in it."""
    while True:
        port, held = random.randint(10000, 32000), socket.socket()
        try:
            held.bind(("127.0.0.1", port))
        except OSError:
            held.close()
            continue
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # only now: two that look at once do not both get it
        HELD.append(held)
        return port


def sanitized(environment):
    """The environment for a build with sanitizers: what libh2o keeps for itself is no leak."""
    suppressions = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lsan.supp")
    return {"LSAN_OPTIONS": f"suppressions={suppressions}:print_suppressions=0", "UBSAN_OPTIONS": "print_stacktrace=1",
            **environment}


def comes(fn, patience=PATIENCE_S, pause_s=0.005):
    """What fn answers as soon as that is something true; what it answers in the end, if it never is. pause_s: for what is counted how often it
    is asked for."""
    end = time.monotonic() + patience
    while True:
        value = fn()
        if value or time.monotonic() > end:
            return value
        time.sleep(pause_s)


def until(fn, what, patience=PATIENCE_S, pause_s=0.005):
    value = comes(fn, patience, pause_s)
    if not value:
        raise RuntimeError(f"waited in vain for {what}")
    return value


def in_one_hour(seconds):
    """Before what the server counts by the hour of the clock (or the day, in UTC), and what takes no longer than so many seconds: an hour that
    ends before is waited for."""
    left = 3600 - time.time() % 3600
    if left < seconds:
        time.sleep(left)


class Server:
    """settings: more sections of the configuration, as a dictionary of dictionaries, or of words; they replace the usual ones
    (None: the server's own defaults instead)."""

    def __init__(self, build, settings=None):
        self.build = os.path.abspath(build)
        self.folder = tempfile.mkdtemp(prefix="parta-test-")
        self.log_path = os.path.join(self.folder, "log")
        self.data = os.path.join(self.folder, "data")
        self.port, self.metrics_port = free_port(), free_port()
        self.process = None
        self.source = "127.0.0.1"  # whence requests come
        self.local = threading.local()
        self.write_config(settings or {})

    def write_config(self, settings):
        usual = {
            "public_baseurl": f"http://127.0.0.1:{self.port}",  # OAuth 2.0 is offered, as to most schools' clients
            "listen": {"address": "127.0.0.1", "port": self.port},
            "metrics": {"port": self.metrics_port},
            "policy": {"mode": "open"},
            "registration": {"mode": "open", "shared_secret": SECRET},
            "passwords": {"ops": 1, "memory_kib": 8},
            "rate_limits": dict.fromkeys(("read", "write", "message", "room", "login", "account", "operator", "registration"), "off"),
        }
        with open(os.path.join(self.folder, "parta.yaml"), "w", encoding="utf-8") as out:
            out.write(f"server_name: school.example\ndata_dir: {self.data}\n")
            for section, values in {**usual, **settings}.items():
                if values is None:
                    continue
                if isinstance(values, str):
                    out.write(f"{section}: {values}\n")
                    continue
                out.write(f"{section}:\n")
                out.writelines(f"  {name}: {value}\n" for name, value in values.items())

    # ---- the process

    def launch(self):
        """Starts the process and waits for nothing."""
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [os.path.join(self.build, "partad"), "--config", os.path.join(self.folder, "parta.yaml")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=sanitized(os.environ))
        self.local = threading.local()

    def start(self):
        self.launch()
        until(self.answers, f"the server to start: {self.log()[-2000:]}")
        return self

    def answers(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"the server ended with {self.process.returncode}:\n{self.log()[-3000:]}")
        try:
            return self.request("GET", "/health").status == 200
        except NoAnswer:
            return False

    def end(self, how=signal.SIGTERM, patience=PATIENCE_S):
        """Sends the signal and waits. Answers the exit code and the seconds it took."""
        begun = time.monotonic()
        self.process.send_signal(how)
        try:
            code = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.local = threading.local()
        return code, time.monotonic() - begun

    def metric(self, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=PATIENCE_S) as reply:
            return int(re.search(rf"^{re.escape(name)} (\d+)$", reply.read().decode(), re.M)[1])

    def cpu_s(self):
        """Seconds of a processor that it has used: what something costs, however busy the machine is."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def alive(self):
        return self.process.poll() is None

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def complaints(self):
        """Lines of the log that no test may leave behind: errors, and what sanitizers and assertions print."""
        bad = re.compile(r"^\S+ error |Sanitizer|runtime error:|[Aa]ssert")
        return [line for line in self.log().splitlines() if bad.search(line)]

    def dispose(self):
        if self.process is not None and self.alive():
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- requests

    def connection(self):
        if getattr(self.local, "connection", None) is None:
            self.local.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S, source_address=(self.source, 0))
        return self.local.connection

    def drop(self):
        self.connection().close()
        self.local.connection = None

    def request(self, method, path, body=None, token=None, headers=None):
        """body: bytes as they are, str as UTF-8, anything else as JSON."""
        sent = {**({"Authorization": f"Bearer {token}"} if token else {}), **(headers or {})}
        if body is not None and not isinstance(body, bytes):
            body = (body if isinstance(body, str) else json.dumps(body)).encode("utf-8", "surrogatepass")
        try:
            connection = self.connection()
            connection.request(method, path, body, sent)
            reply = connection.getresponse()
            answer = Answer(reply.status, reply.headers, reply.read())
            if reply.will_close:
                self.drop()
            return answer
        except (http.client.HTTPException, OSError) as e:
            self.drop()
            raise NoAnswer(repr(e)) from e

    def get(self, path, token=None):
        return self.request("GET", path, token=token)

    def raw(self, data, patience=PATIENCE_S):
        """Sends bytes on a connection of its own and reads to its end. Answers what came."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=patience) as s:
            return self.raw_on(s, data)

    @staticmethod
    def raw_on(s, data):
        got = b""
        try:
            if data:
                s.sendall(data)
            while True:
                part = s.recv(65536)
                if not part:
                    return got
                got += part
        except ConnectionError:
            return got

    # ---- people

    def make_user(self, name, password=None, admin=False):
        password = password or f"{name}-password"
        nonce = self.get("/_synapse/admin/v1/register")["nonce"]
        signed = "\0".join((nonce, name, password, "admin" if admin else "notadmin")).encode()
        mac = hmac.new(SECRET.encode(), signed, hashlib.sha1).hexdigest()
        made = self.request("POST", "/_synapse/admin/v1/register", {
            "nonce": nonce, "username": name, "password": password, "admin": admin, "mac": mac})
        if made.status != 200:
            raise RuntimeError(f"no user {name}: {made}")
        return Client(self, made["user_id"], made["access_token"], made["device_id"], password)


class Client:
    """A signed-in device."""

    def __init__(self, server, user_id, token, device_id, password):
        self.server, self.user_id, self.token = server, user_id, token
        self.device_id, self.password = device_id, password

    def request(self, method, path, body=None):
        return self.server.request(method, path, body, self.token)

    def must(self, method, path, body=None):
        answer = self.request(method, path, body)
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer}")
        return answer.json

    def create_room(self, **options):
        return self.must("POST", f"{V3}/createRoom", options)["room_id"]

    def send_path(self, room, txn, kind="m.room.message"):
        return f"{V3}/rooms/{quote(room, safe='')}/send/{kind}/{quote(txn, safe='')}"

    def state(self, room):
        return self.must("GET", f"{V3}/rooms/{quote(room, safe='')}/state")

    def history(self, room, page=250, types=None):
        """Every event of the room (of these types), oldest first, by paging /messages to the beginning."""
        events, at = [], ""
        only = f"&filter={quote(json.dumps({'types': types}))}" if types else ""
        while True:
            got = self.must("GET", f"{V3}/rooms/{quote(room, safe='')}/messages?dir=b&limit={page}{only}{at}")
            events += got["chunk"]
            if "end" not in got:
                return events[::-1]
            at = "&from=" + quote(got["end"])
