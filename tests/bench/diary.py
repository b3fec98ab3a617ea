#!/usr/bin/env python3
"""Workloads of ./dev bench beside the programs of C: the bridge to the diary, and application services' transactions. One line of JSON each.

    tests/bench/diary.py BUILD [notices | notices_encrypted | transactions]…
"""
import asyncio
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request
from urllib.parse import quote

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "diary")]
from bridge import Bridge  # noqa: E402
from harness import V3, Server, free_port, until  # noqa: E402
from rooms import BOT, INVITES, SCHOOL, School, rows_text  # noqa: E402

CLASSES, PUPILS, MARKS_EACH = 50, 30, 4
INVITED_MARKS_EACH, JOINED_PUPILS = 2, 500  # all 1 500 are told while they are only invited; the families of 500 join for the rest
ENCRYPTED_CLASSES, ENCRYPTED_PUPILS, ENCRYPTED_MARKS_EACH = 2, 20, 8
ENCRYPTED = ((40, 2), (10, 6))  # of so many pupils, each and their two guardians have so many devices: 6 in a room, then 18 in some
EVENTS = 5000
HANGS_S = 600  # what only tells that something hangs


def report(workload, target, **figures):
    print(json.dumps({"workload": workload, "target": target, **figures}), flush=True)


def cpu_s(process):
    with open(f"/proc/{process.pid}/stat", encoding="ascii", errors="replace") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(process, name):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        return round(int(re.search(rf"{name}:\s+(\d+)", status.read())[1]) / 1024, 1)


def answered(server, route):
    """Requests of the route that the server has answered well."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.metrics_port}/metrics", timeout=30) as reply:
        text = reply.read().decode()
    return sum(int(n) for n in re.findall(rf'^parta_http_requests_total\{{.*{re.escape(route)}.*class="2xx"\}} (\d+)$', text, re.M))


def wait_for(condition, what, pause_s=0.1):
    """Looks now and then only: asking costs the server, too."""
    end = time.monotonic() + HANGS_S
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"waited in vain for {what}")
        time.sleep(pause_s)


class Diary:
    """A school of 1 500 pupils, or so many, and the bridge with a CSV file. What the operator's token may ask for is limited as the server
    does it by itself."""

    def __init__(self, build, classes=CLASSES, pupils=PUPILS, encryption="allow"):
        self.school = School(build, f"1x{classes}x{pupils}", rate_limits=dict.fromkeys(("read", "write", "message", "room", "login", "account", "registration"), "off"))
        holder = type("Api", (), {"TOKEN": self.school.token, "url": f"http://127.0.0.1:{self.school.server.port}"})
        self.bridge = Bridge(build, holder, {"school": {"url": holder.url, "id": SCHOOL, "token_file": "FOLDER/token"}, "log": {"level": "warn"},
                                             "csv": {"file": "FOLDER/source.csv"}, "matrix": {"as_token_file": "FOLDER/as_token", "encryption": encryption}}, rehearsal_file="", first="known")
        with open(self.bridge.config, encoding="utf-8") as config:
            self.bridge.write("diary.yaml", config.read().replace("FOLDER", self.bridge.folder))
        self.bridge.write("as_token", "as-token-of-the-diary-0001\n")
        os.chmod(self.bridge.write("registration.yaml", self.bridge.command("registration")[1]), 0o600)
        self.school.parta("appservice", "add", self.bridge.path("registration.yaml"))
        self.school.server.start()
        self.school.admit(self.bridge)
        self.pupils = [item["person"] for item in self.school.everybody() if item["roles"] and item["roles"][0]["role"] == "pupil"]
        self.rows = {}
        self.bridge.write("source.csv", rows_text(self.rows))
        self.bridge.start()
        until(lambda: self.bridge.readings("csv"), "a reading")

    def tell(self, each):
        """Marks for all; answers how many, seconds from when the bridge first asks the school whom they concern to the last that is said, and the
        CPU of the server and of the bridge."""
        count, today = len(self.pupils) * each, time.strftime("%Y-%m-%d", time.gmtime())
        for n in range(count):
            name = f"m{len(self.rows)}"
            self.rows[name] = ["mark", name, self.pupils[n % len(self.pupils)], "", f"Предмет {n // len(self.pupils)}", today, "5", ""]
        server, before, asked = self.school.server, answered(self.school.server, "/send/"), answered(self.school.server, "/_parta/v1/people")
        bridge_cpu = cpu_s(self.bridge.process)
        self.bridge.write("source.csv", rows_text(self.rows))
        wait_for(lambda: answered(server, "/_parta/v1/people") > asked, "the first", 0.01)
        begun, server_cpu = time.monotonic(), cpu_s(server.process)  # looking for it has cost the server, too
        wait_for(lambda: answered(server, "/send/") >= before + count, "the last")
        seconds = time.monotonic() - begun
        spent = cpu_s(server.process) - server_cpu, cpu_s(self.bridge.process) - bridge_cpu
        self.bridge.next_reading("csv")
        server.drop()  # it has not been used for long
        return count, seconds, *spent

    def join(self, people):
        """Each of them accepts what they are invited to."""
        for user in people:
            client = self.school.client(user)
            for room in client.must("GET", f"{V3}/sync?filter={INVITES}")["rooms"].get("invite", {}):
                client.must("POST", f"{V3}/join/{quote(room)}", {})

    def dispose(self):
        self.bridge.dispose()
        self.school.server.dispose()


def figures(told):
    """Of what Diary.tell has answered."""
    count, seconds, server_cpu, bridge_cpu = told
    return {"notices": count, "per_second": round(count / seconds), "server_cpu_us_per_notice": round(server_cpu / count * 1e6), "bridge_cpu_us_per_notice": round(bridge_cpu / count * 1e6)}


def notices(build):
    """The first mark of each makes a room; then people who are only invited are told, then people who have joined."""
    diary = Diary(build)
    try:
        rooms, rooms_s, rooms_cpu, _ = diary.tell(1)
        report("notices_invited", None, pupils=len(diary.pupils), rooms_made_per_second=round(rooms / rooms_s), server_cpu_us_per_room=round(rooms_cpu / rooms * 1e6), **figures(diary.tell(INVITED_MARKS_EACH)))
        everybody, diary.pupils = diary.pupils, diary.pupils[:JOINED_PUPILS]
        diary.join(families(diary, set(diary.pupils)))
        report("notices", ">= 300/s, the bridge <= 40 MiB", pupils=len(everybody), **figures(diary.tell(MARKS_EACH)),
               bridge_mib=memory_mib(diary.bridge.process, "VmRSS"), bridge_peak_mib=memory_mib(diary.bridge.process, "VmHWM"))
    finally:
        diary.dispose()


class Device:
    """A device of somebody's with real keys (tests/olm/device.c), signed in. Its process ends when it has nothing to do any more."""

    def __init__(self, build, diary, client):
        self.client, self.id = client, client.device_id
        self.store = os.path.join(diary.school.server.folder, f"device-{self.id}")
        self.program = os.path.join(build, "tests", "diary-device")
        self.process = None

    def __call__(self, what, **rest):
        if self.process is None:
            self.process = subprocess.Popen([self.program, self.store, self.store + ".key", self.client.user_id, self.id], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdin.write(json.dumps({"do": what, **rest}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def speak(self, kinds):
        """Sends what it has to of these kinds, until there is nothing."""
        paths = {"keys_upload": "/keys/upload", "keys_query": "/keys/query"}
        while True:
            requests = [request for request in self("outgoing")["value"] if request["kind"] in kinds]
            for request in requests:
                assert self("answered", request=request, body=self.client.must("POST", V3 + paths[request["kind"]], request["body"]))["answer"] == "done", request
            if not requests:
                return

    def end(self):
        if self.process is not None:
            self.process.communicate()
            self.process = None

    def reads(self, bot):
        """What of the bot's messages in the rooms with it the device reads, and how many there are."""
        self.client.server.drop()  # it has not been used for long
        sync = self.client.must("GET", f"{V3}/sync")
        for room in sync["rooms"].get("invite", {}):
            self.client.must("POST", f"{V3}/join/{quote(room)}", {})
        rooms = self.client.must("GET", f"{V3}/joined_rooms")["joined_rooms"]
        sent = [{**event, "room_id": room} for room in rooms for event in self.client.history(room) if event["type"] == "m.room.encrypted" and event["sender"] == bot]
        for room in {event["room_id"] for event in sent}:
            self("room", room_id=room, members=[bot, self.client.user_id], settings={"algorithm": "m.megolm.v1.aes-sha2"})
        self.speak(["keys_query"])
        for event in sync.get("to_device", {}).get("events", ()):
            self("receive", event=event)
        return sum(self("decrypt", room_id=event["room_id"], event=event)["answer"] == "done" for event in sent), len(sent)


def families(diary, pupils):
    """All of whom a mark of one of them tells."""
    users = {item["user_id"] for item in diary.school.everybody() if item.get("person") in pupils}
    return sorted(users | {item["guardian"] for item in diary.school.pages(f"/guardianships?school={SCHOOL}") if item["child"] in users})


def give_devices(build, diary, people, n):
    """n more devices for each of them, with signed keys and one-time keys."""
    devices = []
    for user in people:
        for _ in range(n):
            diary.school.clients.pop(user, None)
            device = Device(build, diary, diary.school.client(user))
            device.speak(["keys_upload"])
            device.end()
            devices.append(device)
    return devices


def notices_encrypted(build):
    """The bot's rooms are encrypted. First for all whose devices it does not know: the room is made, keys are asked for and claimed; then when
    each has more devices, which are claimed for; and when all of them have the key: once while people are only invited, then when they have joined."""
    if not os.path.exists(os.path.join(build, "tests", "diary-device")):
        print("notices_encrypted: built without libolm", file=sys.stderr)
        return
    diary = Diary(build, ENCRYPTED_CLASSES, ENCRYPTED_PUPILS, "require")
    try:
        everybody, had = diary.pupils, 0
        for n, each in ENCRYPTED:
            diary.pupils = everybody[:n]
            people = families(diary, set(diary.pupils))
            last = give_devices(build, diary, people, each - had)[-1]
            first, first_s, first_server, first_bridge = diary.tell(1)
            claims = {"devices": 3 * each, "pupils": n, "rooms_are_new": had == 0, "claims_each": 3 * (each - had)}
            report("notices_encrypted_first", None, **claims, per_second=round(first / first_s), server_cpu_us_per_notice=round(first_server / first * 1e6), bridge_cpu_us_per_notice=round(first_bridge / first * 1e6))
            if had == 0:
                report("notices_encrypted_invited", None, devices=3 * each, pupils=n, **figures(diary.tell(ENCRYPTED_MARKS_EACH)))
                diary.join(people)
                diary.tell(1)
            report("notices_encrypted", ">= 100/s", devices=3 * each, pupils=n, **figures(diary.tell(ENCRYPTED_MARKS_EACH)))
            read, sent = last.reads(BOT)
            last.end()
            assert ENCRYPTED_MARKS_EACH < read and (had != 0 or read == sent), (read, sent)
            had = each
    finally:
        diary.dispose()


class Receiver(asyncio.Protocol):
    """An application service that takes every transaction and counts."""
    transactions = events = 0

    def __init__(self):
        self.transport, self.input = None, b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.input += data
        while (end := self.input.find(b"\r\n\r\n")) >= 0:
            length = int(re.search(rb"(?i)content-length: *(\d+)", self.input[:end])[1])
            if len(self.input) < end + 4 + length:
                return
            body, self.input = self.input[end + 4:end + 4 + length], self.input[end + 4 + length:]
            Receiver.events += sum(event["type"] == "m.room.message" for event in json.loads(body).get("events", ()))
            Receiver.transactions += 1
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")


def receive(port):
    loop = asyncio.new_event_loop()
    loop.run_until_complete(loop.create_server(Receiver, "127.0.0.1", port))
    threading.Thread(target=loop.run_forever, daemon=True).start()


def transactions(build):
    """Messages of a user in a room of an application service's, as fast as one connection sends them."""
    port = free_port()
    server = Server(build)
    try:
        folder = os.path.join(server.folder, "appservices")
        os.mkdir(folder)
        path = os.path.join(folder, "bench.yaml")
        with open(path, "w", encoding="ascii") as out:
            out.write(f"id: bench\nurl: http://127.0.0.1:{port}\nas_token: as-token-of-the-bench\nhs_token: hs-token-of-the-bench\nsender_localpart: bench\n"
                      "rate_limited: false\nnamespaces: {users: [{exclusive: true, regex: '@bench_.*'}], rooms: [], aliases: []}\n")
        os.chmod(path, 0o600)
        with open(os.path.join(server.folder, "parta.yaml"), "a", encoding="ascii") as out:
            out.write(f"appservices: {folder}\n")
        receive(port)
        server.start()
        user = server.make_user("anna")
        room = user.create_room(preset="public_chat")
        joined = server.request("POST", f"{V3}/join/{quote(room)}", {}, "as-token-of-the-bench")
        assert joined.status == 200, joined
        begun, cpu = time.monotonic(), cpu_s(server.process)
        for n in range(EVENTS):
            user.must("PUT", user.send_path(room, f"t{n}"), {"msgtype": "m.text", "body": "x"})
        wait_for(lambda: Receiver.events >= EVENTS, "all events")
        seconds = time.monotonic() - begun
        report("transactions", None, events=EVENTS, transactions=Receiver.transactions, transactions_per_second=round(Receiver.transactions / seconds),
               events_per_second=round(EVENTS / seconds), server_cpu_us_per_event_with_sending=round((cpu_s(server.process) - cpu) / EVENTS * 1e6))
    finally:
        server.dispose()


WORKLOADS = {"notices": notices, "notices_encrypted": notices_encrypted, "transactions": transactions}
for name in sys.argv[2:] or WORKLOADS:
    WORKLOADS[name](os.path.abspath(sys.argv[1]))
