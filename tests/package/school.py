"""In the chroot: a small school over an upgrade of its server (tests/package/inside.sh).

    school.py before FOLDER        imports a roster; a teacher and a pupil sign in, by apps and in a browser, and write. FOLDER keeps what they then hold
    school.py beside FOLDER        an app goes on writing, and another waiting for news, until FOLDER/enough is there
    school.py after FOLDER WHEN    whether what they hold is good: "ok - WHEN, …" or "not ok - WHEN, …" for each, on standard output
"""
import csv
import hashlib
import html
import http.cookiejar
import io
import json
import pathlib
import re
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib

SERVER = "http://127.0.0.1:8008"
V3 = SERVER + "/_matrix/client/v3"
PAUSE_S = 0.25
BESIDE_MAX_S = 180 # then something is wrong


class Answer:
    def __init__(self, status, body):
        self.status, self.body = status, body

    def __getitem__(self, name):
        return json.loads(self.body)[name]


def ask(method, address, body=None, token=None, timeout=60):
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    request = urllib.request.Request(address, data, method=method, headers={"Authorization": f"Bearer {token}"} if token else {})
    if isinstance(body, bytes):
        request.add_header("Content-Type", "image/png")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return Answer(answer.status, answer.read())
    except urllib.error.HTTPError as refused:
        return Answer(refused.code, refused.read())


def parta(*words):
    return subprocess.run(["parta", *words], check=True, capture_output=True, text=True).stdout


def quoted(word):
    return urllib.parse.quote(word, safe="")


def picture():
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = (b"\0" + b"\x2a" * 900) * 300
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 300, 300, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def two_of_a_class(folder):
    """(teacher, pupil), each (user id, password)."""
    parta("school", "sample", "--size", "small", str(folder / "roster.zip"))
    passwords = {row[0]: row[1] for row in csv.reader(io.StringIO(parta("roster", "import", "--passwords", str(folder / "roster.zip"))))}
    people = [line.split("\t") for line in parta("roster", "list").splitlines()]
    teacher = next(row for row in people if row[1] == "class_teacher")
    pupil = next(row for row in people if row[1] == "pupil" and row[2:4] == teacher[2:4])
    return [(row[0], passwords[row[0]]) for row in (teacher, pupil)]


def signs_in(user, password):
    said = ask("POST", V3 + "/login", {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": user}, "password": password, "refresh_token": True})
    return {"user": user, "token": said["access_token"], "refresh": said["refresh_token"], "device": said["device_id"]}


def browser_of(folder):
    jar = http.cookiejar.LWPCookieJar(str(folder / "cookies"))
    return jar, urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))


def signs_in_by_page(folder, user, password):
    jar, browser = browser_of(folder)
    page = browser.open(SERVER + "/parta/sign-in", timeout=60).read().decode()
    form = re.search(r'<form method="post" action="/parta/sign-in">(.*?)</form>', page, re.S)[1]
    fields = {name: html.unescape(value) for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)}
    fields |= {"user": user, "password": password}
    browser.open(urllib.request.Request(SERVER + "/parta/sign-in", urllib.parse.urlencode(fields).encode(), {"Origin": SERVER}), timeout=60)
    jar.save(ignore_discard=True)


def is_signed_in_by_page(folder, user):
    jar, browser = browser_of(folder)
    jar.load(ignore_discard=True)
    answer = browser.open(SERVER + "/parta/account", timeout=60)
    return urllib.parse.urlsplit(answer.url).path == "/parta/account" and user.split(":")[0] in answer.read().decode()


def sends(person, room, txn, content):
    return ask("PUT", f"{V3}/rooms/{quoted(room)}/send/m.room.message/{txn}", content, person["token"])


def room_of(teacher, pupil):
    """One that both are in and the teacher may write in."""
    of = [set(ask("GET", V3 + "/joined_rooms", token=person["token"])["joined_rooms"]) for person in (teacher, pupil)]
    return next(room for room in sorted(of[0] & of[1]) if sends(teacher, room, "first", {"msgtype": "m.text", "body": "Good morning"}).status == 200)


def sync(person, since=None, timeout_ms=0):
    query = {"timeout": timeout_ms, "filter": json.dumps({"room": {"timeline": {"limit": 1000}}})} | ({"since": since} if since else {})
    return ask("GET", f"{V3}/sync?{urllib.parse.urlencode(query)}", token=person["token"], timeout=timeout_ms / 1000 + 60)


def timeline(answer, room):
    return json.loads(answer.body).get("rooms", {}).get("join", {}).get(room, {}).get("timeline", {"events": [], "limited": False})


def before(folder):
    teacher, pupil = two_of_a_class(folder)
    signs_in_by_page(folder, *teacher)
    held = {"teacher": signs_in(*teacher), "pupil": signs_in(*pupil), "spare": signs_in(*teacher)}
    teacher, pupil = held["teacher"], held["pupil"]
    room = held["room"] = room_of(teacher, pupil)
    held["messages"] = {sends(teacher, room, f"m{n}", {"msgtype": "m.text", "body": f"Page {n}, exercise {n + 1}"})["event_id"]: f"Page {n}, exercise {n + 1}" for n in range(20)}
    media = held["media"] = ask("POST", SERVER + "/_matrix/media/v3/upload", picture(), teacher["token"])["content_uri"]
    sends(teacher, room, "picture", {"msgtype": "m.image", "body": "map.png", "url": media})
    ask("PUT", f"{V3}/user/{quoted(pupil['user'])}/account_data/test.kept", {"kept": "yes"}, pupil["token"])
    held["operator"] = parta("operator", "create", "region", "read").split()[-1]
    held["people"] = len(parta("person", "list").splitlines())
    held["head"] = parta("audit", "head").strip()
    held["since"] = sync(pupil)["next_batch"]
    held["later"] = sends(teacher, room, "later", {"msgtype": "m.text", "body": "And bring a map"})["event_id"]
    assert all(held.values()), held
    keep(folder, held)


def keep(folder, held):
    (folder / "held.json").write_text(json.dumps(held))


def beside(folder):
    held = json.loads((folder / "held.json").read_text())
    told = {"sent": [], "seen": [], "send_failures": 0, "poll_failures": [], "longest_s": 0.0}
    enough, end = folder / "enough", time.monotonic() + BESIDE_MAX_S

    def writes():
        n, since = 0, time.monotonic()
        while time.monotonic() < end and (not enough.exists() or n < 20):
            try:
                answer = sends(held["teacher"], held["room"], f"beside{n}", {"msgtype": "m.text", "body": f"beside {n}"})
            except OSError:
                answer = Answer(0, b"")
            if answer.status == 200:
                told["sent"].append(answer["event_id"])
                told["longest_s"] = max(told["longest_s"], time.monotonic() - since)
                n, since = n + 1, time.monotonic()
            else:
                told["send_failures"] += 1
            time.sleep(PAUSE_S)

    writer = threading.Thread(target=writes)
    since = sync(held["pupil"])["next_batch"]
    writer.start()
    (folder / "begun").touch()
    until = None
    while time.monotonic() < (until or end + 60):
        try:
            answer = sync(held["pupil"], since, 2000)
        except OSError as failure:
            told["poll_failures"].append(repr(failure))
            time.sleep(PAUSE_S)
            continue
        if answer.status != 200:
            told["poll_failures"].append(f"{answer.status}")
            time.sleep(PAUSE_S)
            continue
        since, news = answer["next_batch"], timeline(answer, held["room"])
        told["seen"] += [event["event_id"] for event in news["events"] if event["type"] == "m.room.message" and event["content"].get("body", "").startswith("beside ")]
        if not writer.is_alive() and until is None:
            until = time.monotonic() + 5
    (folder / "beside.json").write_text(json.dumps(told))


def checks(folder, held):
    teacher, pupil, spare = held["teacher"], held["pupil"], held["spare"]
    room = f"{V3}/rooms/{quoted(held['room'])}"

    def sessions():
        return all(ask("GET", V3 + "/account/whoami", token=p["token"])["device_id"] == p["device"] for p in (teacher, pupil))

    def refreshes():
        said = ask("POST", V3 + "/refresh", {"refresh_token": spare["refresh"]})
        spare["token"], spare["refresh"] = said["access_token"], said["refresh_token"]
        return ask("GET", V3 + "/account/whoami", token=spare["token"])["device_id"] == spare["device"]

    def messages():
        return all(ask("GET", f"{room}/event/{quoted(event)}", token=pupil["token"])["content"]["body"] == body for event, body in held["messages"].items())

    def goes_on():
        news = timeline(sync(pupil, held["since"]), held["room"])
        return not news["limited"] and news["events"][0]["event_id"] == held["later"]

    def files():
        path = held["media"].removeprefix("mxc://")
        whole = ask("GET", f"{SERVER}/_matrix/client/v1/media/download/{path}", token=pupil["token"])
        small = ask("GET", f"{SERVER}/_matrix/client/v1/media/thumbnail/{path}?width=32&height=32&method=scale", token=pupil["token"])
        return hashlib.sha256(whole.body).digest() == hashlib.sha256(picture()).digest() and small.status == 200 and 0 < len(small.body) < len(whole.body)

    def again():
        return sends(teacher, held["room"], "later", {"msgtype": "m.text", "body": "And bring a map"})["event_id"] == held["later"]

    def account_data():
        return ask("GET", f"{V3}/user/{quoted(pupil['user'])}/account_data/test.kept", token=pupil["token"])["kept"] == "yes"

    def operators():
        return len(json.loads(ask("GET", SERVER + "/_parta/v1/people?limit=5", token=held["operator"]).body)) > 0 and \
            ask("GET", SERVER + "/_parta/v1/people", token=held["operator"]).status == 200 and len(parta("person", "list").splitlines()) == held["people"]

    def log():
        (folder / "log.jsonl").write_text(parta("audit", "export"))
        return bool(parta("audit", "verify", str(folder / "log.jsonl"), "--head", held["head"]))

    def writes():
        return sends(teacher, held["room"], f"after{time.time_ns()}", {"msgtype": "m.text", "body": "Until tomorrow"}).status == 200

    return {"sessions of apps are good": sessions, "a refresh token is": refreshes, "so is a browser's": lambda: is_signed_in_by_page(folder, teacher["user"]),
            "messages are there, with what was in them": messages, "/sync goes on at an old token: what came after it, once, and no initial sync": goes_on,
            "files are there, and made small": files, "what was sent before the upgrade and is sent again is known": again, "account data is there": account_data,
            "operators' tokens are good, and all people are there": operators, "the log holds, with the head that was noted": log, "a teacher writes": writes}


def after(folder, when):
    held = json.loads((folder / "held.json").read_text())
    for name, holds in checks(folder, held).items():
        try:
            good, why = holds(), ""
        except Exception as failure:  # noqa: BLE001
            good, why = False, f"{failure!r}"
        print(f"{'' if good else 'not '}ok - {when}, {name}")
        if why:
            print(f"school.py: {name}: {why}", file=sys.stderr)
    keep(folder, held)
    told = folder / "beside.json"
    if told.exists():
        told = json.loads(told.read_text())
        print(f"{'' if told['sent'] and told['sent'] == told['seen'] else 'not '}ok - {when}, what was written meanwhile is there once and in order, and who waited saw all of it")
        summary = {name: value if not isinstance(value, list) else len(value) for name, value in told.items()}
        print(f"# {when}: {summary}; polls failed by {sorted(set(told['poll_failures']))}")
        if told["sent"] != told["seen"]:
            print(told, file=sys.stderr)


{"before": before, "beside": beside, "after": after}[sys.argv[1]](pathlib.Path(sys.argv[2]), *sys.argv[3:])
