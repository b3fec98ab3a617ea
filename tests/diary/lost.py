"""Nothing is lost, and nothing stays where it does not belong, whatever stands in the way when it is first told: a real partad with the sample
school, a CSV diary and one that sends by itself."""
import contextlib
import datetime
import hashlib
import hmac
import json
import os
import re
import sys
import threading
import time
from urllib.parse import quote

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from doubles import Between  # noqa: E402
from harness import V3  # noqa: E402
from rooms import BOT, SCHOOL, School, rows_text, settle, through  # noqa: E402

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


def check_not_let_in(tap, school, bridge, put, day):
    """The bridge runs before the office has approved its bot: nothing of those days counts as told."""
    pupils = sorted(item["person"] for item in school.everybody() if item["roles"] and item["roles"][0]["role"] == "pupil")
    put({f"e{n}": ["mark", f"e{n}", pupil, "", "Физика", day(), f"5early{n}", ""] for n, pupil in enumerate(pupils[:3])})
    bridge.start()
    settle(bridge)
    early = bridge.metric('parta_diary_told_total{what="new"}'), bridge.command("problems")[1], bridge.metric("parta_diary_later_total")
    bridge.end()  # until it is a teacher of the classes, too (F1): before that each refusal is one of a person
    school.admit(bridge)
    families = school.families()
    bridge.start()
    settle(bridge)
    child = next(item["user_id"] for item in school.everybody() if item["person"] == pupils[0])
    tap.ok(early[0] == 0 and "record" not in early[1] and early[2] > 0 and sum("5early0" in words for words in school.words(child)) == 1,
           "before the bot is let in every mark waits, and comes once it is", early, school.words(child), bridge.command("problems")[1], bridge.log()[-1500:])
    put({})
    settle(bridge)
    return {name: family for name, family in families.items() if name not in pupils[:3]}


def check_stopped(tap, school, bridge, put, day, families):
    """The bot is suspended, a proxy answers in the server's place: what was to be told then comes later, and is no problem."""
    a, (child, (mother, _), _) = list(families.items())[4]
    rows, count = {}, lambda name: [sum("5" + name in words for words in school.words(user)) for user in (child, mother)]  # noqa: E731

    def told_only_after(name, begin, end, what):
        begin()
        rows[name] = ["mark", name, a, "", "Физика", day(), "5" + name, ""]
        put(rows)
        settle(bridge)
        before, problems = count(name), bridge.command("problems")[1]
        end()
        settle(bridge)
        tap.ok(before == [0, 0] and name not in problems and count(name) == [1, 1], what, before, problems, count(name), bridge.command("problems")[1], bridge.log()[-1500:])
    state = lambda word: lambda: school.parta("person", "state", BOT, word)  # noqa: E731
    told_only_after("s1", state("suspended"), state("active"), "what the bot is to tell while it is suspended comes when it is not")
    bridge.end()
    for n, (word, answer) in enumerate((("/invite", (403, "<html>403 Forbidden</html>", {})), ("/state", (404, "<html>404 Not Found</html>", {})), ("/createRoom", (403, {"errcode": "M_FORBIDDEN", "error": "no"}, {})),
                                        ("/_parta/v1/people/", (403, {"errcode": "M_FORBIDDEN", "error": "no", "org.parta.code": "scope"}, {})), ("/send/", (404, {"errcode": "M_UNRECOGNIZED", "error": "no"}, {})))):
        a, (child, (mother, _), _) = list(families.items())[5 + n]
        stands = [True]
        with through(school, bridge, word, lambda met: answer if stands[0] else None):  # noqa: B023
            bridge.start()
            told_only_after(f"p{n}", lambda: None, lambda: stands.__setitem__(0, False), f"so does what a proxy, or the server to all that the bot does, refuses: {word}, {answer[0]}")
            bridge.end()
    bridge.start()
    put({})
    settle(bridge)


def check_others_write(tap, school, bridge, put, day, families):
    """While the homeserver takes its time, whoever administers the school can match a pupil."""
    rows = {}
    for n, word in enumerate(("/invite", "/state")):
        pupil = [item["person"] for item in school.everybody() if item["roles"] and item["roles"][0]["role"] == "pupil" and item["person"] not in families][-5 - n]
        hangs, goes_on = threading.Event(), threading.Event()
        rows[f"o{n}"] = ["mark", f"o{n}", pupil, "", "Физика", day(), f"5o{n}", ""]
        bridge.end()
        with through(school, bridge, word, lambda met: hangs.set() or goes_on.wait(14) and None):  # noqa: B023
            put(rows)
            bridge.start()
            hung = hangs.wait(30)
            got = bridge.command("match", "csv", "pupil", f"somebody{n}", pupil)
            in_time = not goes_on.is_set()
            goes_on.set()
            bridge.until(lambda: bridge.metric('parta_diary_told_total{what="new"}'), "a mark")  # noqa: B023
            bridge.end()
        bridge.start()
        tap.ok(hung and in_time and got[0] == 0, f"others write while {word} is not answered", hung, got)
    put({})
    settle(bridge)


class Lossy(Between):
    """Passes everything on, and loses the answers to what holds the word."""

    def answer(self, path, given, headers, method, body):
        got = super().answer(path, given, headers, method, body)
        return (502, "<html>502 Bad Gateway</html>", {}) if self.word in path and self.losing[0] else got


def check_rooms_once(tap, school, bridge, put, day, families):
    """A room that was made though the answer was lost is found again, and no other is made meanwhile."""
    several = [(item["person"], item["user_id"]) for item in school.everybody() if item["roles"] and item["roles"][0]["role"] == "pupil" and item["person"] not in families][-4:]
    bridge.end()
    joined = lambda: set(school.server.request("GET", f"{V3}/joined_rooms", token="as-token-of-the-diary-0001").json["joined_rooms"])  # noqa: E731
    rooms = joined()
    with through(school, bridge, "/createRoom", lambda met: None, Lossy) as between:
        between.losing = [True]
        put({f"c{n}": ["mark", f"c{n}", a, "", "Физика", day(), f"5c{n}", ""] for n, (a, _) in enumerate(several)})
        bridge.start()
        bridge.until(lambda: bridge.readings("csv"), "a reading")
        met, readings = between.met, bridge.readings("csv")
        between.losing[0] = False
        settle(bridge)
        bridge.end()
    made = joined() - rooms
    tap.ok(0 < met <= readings + 1, "a room whose making was not answered is not asked for again and again", met, readings)
    tap.ok(len(made) == len(several) and all(sum(f"5c{n}" in words for words in school.words(child)) == 1 for n, (_, child) in enumerate(several)),
           "it is found, and each family has one room", len(made), len(several))
    bridge.start()
    put({})
    settle(bridge)


def check_words(tap, school, bridge, put, day, families):
    """What a person says is heard, however often it must come again until it can be."""
    a, (child, (mother, _), class_a) = list(families.items())[-1]
    teacher = next(item["user_id"] for item in school.pages(f"/classes/{class_a}/enrollments?") if item["role"] == "class_teacher")
    put({"ab": ["absence", "ab", a, "", "", day(-1), "absent", ""]})
    settle(bridge)
    room = next(room for room, said in school.heard(mother).items() if any("отсутствие" in words for words in said))
    bridge.end()
    event = school.say(mother, room, "1")
    hs_token = re.search(r"hs_token: *['\"]?([^'\"\s]+)", bridge.command("registration")[1])[1]

    def hear(name, *events):
        return bridge.get(f"/_matrix/app/v1/transactions/{name}", json.dumps({"events": events}).encode(), {"Authorization": f"Bearer {hs_token}"}, "PUT")[0]
    word = {"type": "m.room.message", "room_id": room, "sender": mother, "event_id": event, "content": {"msgtype": "m.text", "body": "1"}}
    stands = [True]
    with through(school, bridge, "/guardianships", lambda met: (403, {"errcode": "M_FORBIDDEN", "error": "no", "org.parta.code": "scope"}, {}) if stands[0] else None):
        bridge.start()
        answers = {hear("again", word) for _ in range(40)}
        stands[0] = False
        last = hear("again", word)
        bridge.end()
    tap.ok(answers == {503} and last == 200 and sum("Ответ от" in words for words in school.words(teacher)) == 1 and sum("классному руководителю" in words for words in school.words(mother)) == 1,
           "the reason of an absence is passed on after forty repetitions, once", answers, last, school.words(teacher), school.words(mother))
    locked = lambda room, n: {"type": "m.room.encrypted", "room_id": room, "sender": mother, "event_id": f"$locked{n}", "content":  # noqa: E731
                              {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "AwgAEhA", "session_id": "s", "device_id": "D", "sender_key": "k"}}
    stands[0] = True
    with through(school, bridge, "/sync", lambda met: (403, "<html>403 Forbidden</html>", {}) if stands[0] else None):
        bridge.start()
        answers = hear("locked1", locked(room, 1)), hear("locked2", locked(school.rooms[class_a], 2))
        built = "was built without libolm" not in bridge.log()
        stands[0] = False
        last = hear("locked1", locked(room, 1))
        bridge.end()
    tap.ok(answers == (503 if built else 200, 200) and last == 200, "an encrypted word that cannot be read now comes again; in rooms that are not the bot's nobody looks", answers, last, bridge.log()[-900:])
    bridge.start()
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
        families = check_not_let_in(tap, school, bridge, put, day)
        check_pushed(tap, school, bridge, put, day, families)
        check_moved_away(tap, school, bridge, put, day, families)
        check_stopped(tap, school, bridge, put, day, families)
        check_others_write(tap, school, bridge, put, day, families)
        check_rooms_once(tap, school, bridge, put, day, families)
        check_words(tap, school, bridge, put, day, families)
        tap.ok(not school.server.complaints(), "the server complains of nothing", *school.server.complaints())
