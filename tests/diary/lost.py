"""Nothing is lost, and nothing stays where it does not belong, whatever stands in the way when it is first told: a real partad with the sample
school, a CSV diary and one that sends by itself."""
import contextlib
import datetime
import hashlib
import hmac
import json
import os
import sqlite3
import sys
import time
from urllib.parse import quote

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import V3, until  # noqa: E402
from rooms import SCHOOL, School, rows_text, settle  # noqa: E402

SECRET = "webhook secret of a school"


def send(bridge, body, secret=SECRET, stamp=None):
    data, stamp = json.dumps(body).encode(), stamp or str(int(time.time()))
    signature = hmac.new(secret.encode(), stamp.encode() + b"." + data, hashlib.sha256).hexdigest()
    status, answer = bridge.get("/webhook", data, {"X-Parta-Timestamp": stamp, "X-Parta-Signature": "sha256=" + signature})
    return status, json.loads(answer)


def quiet(school, bridge, on):
    now = datetime.datetime.now(datetime.timezone.utc)
    at = lambda hours: (now + datetime.timedelta(hours=hours)).strftime("%H:%M")  # noqa: E731
    school.policy(bridge, {"quiet_hours": {"mode": "refuse", "from": at(-11), "to": at(11), "utc_offset": "+00:00"} if on else {"mode": "off"}})


def check_pushed(tap, school, bridge, put, day, families):
    """What the webhook answers with 200 was told: the rest the diary sends again, and nothing comes twice."""
    a, (child, (mother, _), _) = list(families.items())[0]
    mark = lambda name, pupil=a: {"kind": "mark", "id": name, "pupils": [pupil], "date": day(), "subject": "Физика", "value": "5" + name}  # noqa: E731
    said = lambda name: [sum("5" + name in words for words in school.words(user)) for user in (child, mother)]  # noqa: E731
    by_day = send(bridge, {"records": [mark("w0")]})
    quiet(school, bridge, True)
    stamp = str(int(time.time()))
    night = send(bridge, {"records": [mark("w1"), mark("w0")]}, stamp=stamp)
    again = send(bridge, {"records": [mark("w1"), mark("w0")]}, stamp=stamp)
    quiet(school, bridge, False)
    tap.ok(by_day == (200, {"taken": 1, "refused": []}) and night[0] == again[0] == 503 and said("w1") == [0, 0], "webhook: what quiet hours refuse is answered with 503", by_day, night, again, said("w1"))
    got = send(bridge, {"records": [mark("w1"), mark("w0")]}, stamp=stamp)
    tap.ok(got == (200, {"taken": 2, "refused": []}) and said("w1") == [1, 1] and said("w0") == [1, 1], "and told once when the diary repeats it, as it was signed", got, said("w1"), said("w0"))
    school.server.end()
    down = send(bridge, {"records": [mark("w2")]})
    school.server.start()
    got = send(bridge, {"records": [mark("w2")]})
    tap.ok(down[0] == 503 and got[0] == 200 and said("w2") == [1, 1], "webhook: so is what comes while the homeserver is down", down, got, said("w2"))


def check_moved_away(tap, school, bridge, put, day, families):
    """I2: a mark that the diary moves to another child stands with the first no more, whatever becomes of it where it belongs."""
    (a, (child, (mother, _), _)), (b, (other, (blocks, _), _)), (_, (third, _, _)) = list(families.items())[1:4]
    school.client(blocks).must("PUT", f"{V3}/user/{quote(blocks)}/account_data/m.invite_permission_config", {"default_action": "block"})
    row = lambda pupil, value: {"mv": ["mark", "mv", pupil, "", "Физика", day(), value, ""]}  # noqa: E731
    said = lambda *users: [[words for words in school.words(user) if "Физика" in words] for user in users]  # noqa: E731
    put(row(a, "moved1"))
    settle(bridge)
    first = said(child, mother)
    put(row(b, "moved1"))
    settle(bridge)
    tap.ok(["moved1" in str(of) for of in first] == [True, True] and said(child, mother) == [[], []] and "moved1" in str(said(other)[0]) and "record\tmv" in bridge.command("problems")[1],
           "a mark that moves to a child, one of whose guardians takes no invites, leaves the family that had it", first, said(child, mother, other), bridge.command("problems"))
    put(row("nobody-999", "moved2"))
    settle(bridge)
    tap.ok(said(other) == [[]] and "nobody-999" in bridge.command("problems")[1], "one that moves to a pupil who is not found is withdrawn first, and waits", said(other), bridge.command("problems"))
    bridge.command("match", "csv", "pupil", "nobody-999", next(name for name, family in families.items() if family[0] == third))
    settle(bridge)
    tap.ok(len(said(third)[0]) == 1 and "moved2" in said(third)[0][0] and said(child, mother, other) == [[], [], []], "and is told where it belongs once that is known", said(third, child, mother, other))
    put({})
    settle(bridge)


@contextlib.contextmanager
def running(build, bridge_class):
    """A school whose bot is not let in yet, and its bridge, which does not run."""
    school, bridge = School(build), None
    try:
        holder = type("Api", (), {"TOKEN": school.token, "url": f"http://127.0.0.1:{school.server.port}"})
        bridge = bridge_class(holder, {"school": {"url": holder.url, "id": SCHOOL, "token_file": "FOLDER/token"}, "csv": {"file": "FOLDER/source-diary.csv"},
                                       "webhook": {"secret_file": "FOLDER/secret"},
                                       "matrix": {"as_token_file": "FOLDER/as_token", "bridge_url": "http://127.0.0.1:PORT"}}, rehearsal_file="")
        with open(bridge.config, encoding="utf-8") as config:
            bridge.write("diary.yaml", config.read().replace("FOLDER", bridge.folder).replace("PORT", str(bridge.port)))
        bridge.write("as_token", "as-token-of-the-diary-0001\n")
        bridge.write("secret", SECRET + "\n")
        _, registration, _ = bridge.command("registration")
        os.chmod(bridge.write("registration.yaml", registration), 0o600)
        school.parta("appservice", "add", bridge.path("registration.yaml"))
        os.remove(bridge.path("registration.yaml"))
        school.server.start()
        yield school, bridge
    finally:
        if bridge is not None:
            bridge.dispose()
        if school.server.process is not None and school.server.alive():
            school.server.end()
        school.server.dispose()


def check_lost(tap, bridge_class, build, day):
    with running(build, bridge_class) as (school, bridge):
        put = lambda rows: bridge.write("source-diary.csv", rows_text(rows))  # noqa: E731
        put({})
        school.admit(bridge)
        bridge.start()
        families = school.families()
        check_pushed(tap, school, bridge, put, day, families)
        check_moved_away(tap, school, bridge, put, day, families)
        tap.ok(not school.server.complaints(), "the server complains of nothing", *school.server.complaints())
