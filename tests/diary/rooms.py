"""The bridge in rooms: a real partad with the sample school, the application service registered as an administrator does
it, and a CSV diary. Who hears what, exactly once, whatever is killed."""
import collections
import contextlib
import csv
import datetime
import io
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from urllib.parse import quote

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from doubles import Between, Gradebook  # noqa: E402
from harness import PATIENCE_S, V3, Client, Server, sanitized, until  # noqa: E402

BOT, SCHOOL = "@_diary:school.example", "s1"
NOTHING = {"types": []}
INVITES = quote(json.dumps({"presence": NOTHING, "account_data": NOTHING, "room": {"timeline": {**NOTHING, "limit": 1}, "state": NOTHING, "ephemeral": NOTHING, "account_data": NOTHING}}))


class School:
    """The server, its people, and what an administrator does before the first mark."""

    def __init__(self, build, size="small", **settings):
        self.server = Server(build, {"policy": {"mode": "school"}, "registration": {"mode": "token"}, **settings})
        self.parta_program = os.path.join(build, "parta")
        self.folder = os.path.join(self.server.folder, "appservices")
        os.mkdir(self.folder)
        with open(os.path.join(self.server.folder, "parta.yaml"), "a", encoding="utf-8") as out:
            out.write(f"appservices: {self.folder}\n")
        self.archive = os.path.join(self.server.folder, "school.zip")
        self.parta("school", "sample", "--seed", "1", "--size", size, self.archive)
        self.passwords = dict(row[:2] for row in csv.reader(io.StringIO(self.parta("roster", "import", "--passwords", self.archive))))
        self.token = self.parta("operator", "create", "diary", "read").split()[-1]
        self.clients = {}

    def parta(self, *words):
        done = subprocess.run([self.parta_program, "--config", os.path.join(self.server.folder, "parta.yaml"), *words],
                              capture_output=True, text=True, env=sanitized(os.environ))
        if done.returncode != 0:
            raise RuntimeError(f"parta {' '.join(words)}: {done.stderr}")
        return done.stdout

    def policy(self, bridge, document):
        bridge.write("policy.json", json.dumps(document))
        self.parta("policy", "set", bridge.path("policy.json"), SCHOOL, "--reason", "a test needs it so")

    def api(self, path):
        reply = self.server.request("GET", "/_parta/v1" + path, token=self.token)
        assert reply.status == 200, reply
        return reply.json

    def admit(self, bridge):
        """The bot applies, is let in as a teacher of every class, and named for the classes' rooms."""
        link = re.search(r'"token":"([^"]+)"', self.parta("link", "create", "school", "--school", SCHOOL, "--role", "teacher", "--json"))[1]
        code, _, err = bridge.command("apply", link)
        assert code == 0, err
        number = re.search(r"\b(\d{9,})\b", self.parta("application", "list"))[1]
        self.parta("application", "approve", "--version", "1", number)
        self.parta("role", "give", BOT, SCHOOL, "external", "--end", "2099-08-31")
        every = self.pages(f"/classes?school={SCHOOL}")
        self.classes = [item["class"] for item in every if item["kind"] == "homeroom"]
        self.groups = [item["class"] for item in every if item["kind"] == "subject"]
        self.rooms = {item["class"]: item["room_id"] for item in self.api(f"/rooms?school={SCHOOL}&kind=class")["items"]}
        for name in self.classes:
            self.parta("class", "enroll", name, BOT, "--role", "teacher")
            self.parta("room", "name", self.rooms[name], BOT)
        for name in self.groups:
            self.parta("class", "enroll", name, BOT, "--role", "teacher")

    def families(self):
        """sourcedId of a pupil → its user id, those of its two guardians, its class; one pupil of a family."""
        people = {item["user_id"]: item["person"] for item in self.everybody() if item["roles"] and item["roles"][0]["role"] == "pupil"}
        guardians, classes = {}, {}
        for item in self.pages(f"/guardianships?school={SCHOOL}"):
            guardians.setdefault(item["child"], []).append(item["guardian"])
        for name in self.classes:
            classes.update((item["user_id"], name) for item in self.pages(f"/classes/{name}/enrollments?"))
        children = collections.Counter(guardian for two in guardians.values() for guardian in two)
        found = {person: (user, sorted(guardians[user], key=lambda guardian: children[guardian]), classes[user])
                 for user, person in sorted(people.items(), key=lambda item: item[1]) if len(guardians.get(user, ())) == 2 and user in classes}
        families, met = {}, set()
        for person, family in sorted(found.items(), key=lambda item: -children[item[1][1][1]]):  # first who has a guardian of several
            if not met & set(family[1]):
                families[person] = family
                met.update(family[1])
        return families

    def pages(self, path):
        items, at = [], ""
        while at is not None:
            got = self.api(f"{path}&limit=500" + (f"&from={quote(at)}" if at else ""))
            items += got["items"]
            at = got.get("next")
        return items

    def everybody(self):
        return self.pages(f"/people?school={SCHOOL}")

    def client(self, user):
        if user not in self.clients:
            got = self.server.request("POST", f"{V3}/login", {"type": "m.login.password", "password": self.passwords[user],
                                                              "identifier": {"type": "m.id.user", "user": user}})
            assert got.status == 200, got
            self.clients[user] = Client(self.server, user, got["access_token"], got["device_id"], self.passwords[user])
        return self.clients[user]

    def say(self, user, room, words):
        self.transactions = getattr(self, "transactions", 0) + 1
        return self.client(user).must("PUT", f"{V3}/rooms/{quote(room)}/send/m.room.message/t{self.transactions}", {"msgtype": "m.text", "body": words})["event_id"]

    def heard(self, user):
        """Room → what stands there of the bot's now, in order: accepts every invitation of the bot's first."""
        client, rooms = self.client(user), {}
        for room in client.must("GET", f"{V3}/sync?filter={INVITES}").get("rooms", {}).get("invite", {}):
            client.request("POST", f"{V3}/join/{quote(room)}", {})
        for room in client.must("GET", f"{V3}/joined_rooms")["joined_rooms"]:
            rooms[room] = standing(client.history(room, types=["m.room.message"]))
        return {room: said for room, said in rooms.items() if said}

    def words(self, user):
        return sorted(words for said in self.heard(user).values() for words in said)


def standing(events):
    """What the bot's messages say now: the last edit of each that is not redacted; and those that a redaction left bare."""
    now = {}
    for event in events:
        content = event["content"]
        if event["sender"] != BOT or event["type"] != "m.room.message" or not content:
            continue
        relation = content.get("m.relates_to", {})
        if relation.get("rel_type") == "m.replace":
            if relation["event_id"] in now:
                now[relation["event_id"]] = content["m.new_content"]["body"]
            else:
                now[event["event_id"]] = "an edit of nothing"
        else:
            now[event["event_id"]] = content["body"]
    return list(now.values())


def rows_text(rows):
    return "kind,id,pupil,group,subject,date,value,comment\n" + "".join(",".join(row) + "\n" for row in rows.values())


@contextlib.contextmanager
def through(school, bridge, word, act, double=Between):
    """The bridge, which does not run, meets the server through what counts, and may answer, requests whose path holds the word."""
    between = double(school.server.port, word, act)
    with open(bridge.config, encoding="utf-8") as config:
        usual = config.read()
    bridge.write("diary.yaml", usual.replace(f"127.0.0.1:{school.server.port}", between.url.removeprefix("http://")))
    try:
        yield between
    finally:
        bridge.write("diary.yaml", usual)
        between.shutdown()


def settle(bridge):
    bridge.next_reading(getattr(bridge, "source", "csv"))


def check_hearing(tap, school, bridge, put, day, planted, families):
    (a, (child, (mother, father), class_a)), (b, (child_b, guardians_b, _)), *_ = families.items()
    school.parta("guardian", "custody", child_b, guardians_b[0], "separate", "--reason", "a test needs it so")
    rows = {"m1": ["mark", "m1", a, "", "Алгебра", day(), planted, "слова"], "m2": ["mark", "m2", b, "", "Алгебра", day(), planted + "b", ""],
            "a1": ["absence", "a1", a, "", "", day(-1), "absent", ""], "h1": ["homework", "h1", "", class_a, "Алгебра", day(2), "", planted + "№1"],
            "h2": ["homework", "h2", "", school.groups[0], "Алгебра", day(2), "", planted + "№9"]}
    put(rows)
    bridge.start()
    settle(bridge)
    taken = bridge.threads_that_take([signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
    tap.ok(taken == [], "no thread is ended by a signal that the program waits for", taken)
    who = {user: school.words(user) for user in (child, mother, father, child_b, *guardians_b)}
    mark = [words for words in who[child] if planted in words and "№" not in words]
    tap.ok(len(mark) == 1 and "слова" in mark[0], "a mark comes to the child, once", who[child], bridge.log()[-2500:], bridge.command("problems"))
    tap.ok(all(mark[0] in who[user] and who[user].count(mark[0]) == 1 for user in (mother, father)), "and to both guardians, once", who)
    tap.ok(all(sum("отсутствие" in words for words in who[user]) == n for user, n in ((child, 0), (mother, 1), (father, 1))), "an absence to the guardians alone", who)
    apart = [school.heard(user) for user in guardians_b]
    tap.ok(all(sum(planted + "b" in words for words in who[user]) == 1 for user in (child_b, *guardians_b)) and not set(apart[0]) & set(apart[1]),
           "who is told apart has a room of their own", who)
    others = [item["user_id"] for item in school.everybody() if item["user_id"] in school.passwords and item["user_id"] not in who]
    overheard = {user: school.words(user) for user in others}
    of_class = {item["user_id"] for item in school.pages(f"/classes/{class_a}/enrollments?")}
    tap.ok(len(others) > 10 and not any(planted in words and "№" not in words for said in overheard.values() for words in said), "nobody else sees a mark", overheard)
    homework = {user for user, said in {**overheard, **who}.items() if sum("№1" in words for words in said) == 1}
    tap.ok(homework and homework == {user for user in of_class if user in school.passwords} and child in homework, "homework is in the room of its class", homework ^ of_class)
    in_group = {item["user_id"] for item in school.pages(f"/classes/{school.groups[0]}/enrollments?")}
    studies = {user for user, said in {**overheard, **who}.items() if sum("№9" in words for words in said) == 1}
    tap.ok(studies and studies == {user for user in in_group if user in school.passwords}, "of a study group in the subject's", studies ^ in_group)

    rows["m1"][6], rows["h1"][7] = planted + "c", planted + "№2"
    del rows["m2"]
    put(rows)
    settle(bridge)
    now = school.words(child)
    tap.ok(sum(planted + "c" in words for words in now) == 1 and not any("№1" in words for words in now) and any("№2" in words for words in now), "corrections are edits", now, bridge.log()[-900:])
    tap.ok(all(not any(planted in words for said in school.heard(user).values() for words in said if "b" in words) for user in (child_b, *guardians_b)),
           "what is withdrawn is redacted, for all of them", school.words(child_b))
    del rows["m1"]
    put(rows)
    settle(bridge)
    raw = [event for room in school.heard(mother) for event in school.client(mother).history(room)]
    tap.ok(not any(planted + "c" in str(event["content"]) for event in raw), "with the edits of it", school.words(mother))
    return rows


def check_lessons(tap, school, bridge, put, day, planted, families, rows):
    """Several marks of one lesson are one message, also when one of them changes or goes."""
    (a, (child, two, _)), *_ = families.items()
    people = (child, *two)
    said = lambda: [[words for words in school.words(user) if "Черчение" in words] for user in people]  # noqa: E731
    many = {name: ["mark", name, a, "", "Черчение", day(), f"{planted}l{n}", f"работа {n}"] for n, name in enumerate(("x1", "a9", "m55"))}
    put({**rows, **many, "x2": ["mark", "x2", a, "", "Черчение", day(-1), planted + "other", ""]})
    settle(bridge)
    first = said()
    tap.ok(all(len(of) == 2 and sum(all(f"{planted}l{n}, работа {n}" in words for n in range(3)) for words in of) == 1 for of in first),
           "several marks of one lesson are one message, those of another day another", first, bridge.log()[-900:])
    many["a9"][6] = planted + "fixed"
    put({**rows, **many})
    settle(bridge)
    now = said()
    tap.ok(all(len(of) == 1 and all(word in of[0] for word in ("l0,", "fixed", "l2,")) and "l1" not in of[0] for of in now), "one that changes is an edit of it", now)
    del many["x1"]
    put({**rows, **many})
    settle(bridge)
    now = said()
    tap.ok(all(len(of) == 1 and "l0" not in of[0] and "fixed" in of[0] and "l2," in of[0] for of in now), "one that is withdrawn is taken out of it", now)
    many["late"] = ["mark", "late", a, "", "Черчение", day(), planted + "late", ""]
    put({**rows, **many})
    settle(bridge)
    now = said()
    tap.ok(all(len(of) == 2 and sum("late" in words and "fixed" not in words for words in of) == 1 for of in now), "one that comes later is news: a message of its own", now)
    put(rows)
    settle(bridge)
    raw = str([event for room in school.heard(child) for event in school.client(child).history(room)])
    tap.ok(not any(said()) and "Черчение" not in raw, "the last that goes takes the message with it, and its edits", said())


def check_choices(tap, school, bridge, put, day, planted, families, rows):
    """Plain words to the bot, each for themselves: answered once, also when they were said while it was away."""
    a, (child, (mother, father), _) = list(families.items())[9]
    put({**rows, "w1": ["mark", "w1", a, "", "Физика", day(), planted + "w1", ""]})
    settle(bridge)
    family, = set.intersection(*(set(school.heard(user)) for user in (child, mother, father)))
    answered = lambda user, words: [room for room, said in school.heard(user).items() for one in said if words in one]  # noqa: E731
    school.say(child, family, "привет, мама")
    school.say(mother, family, "Help.")
    until(lambda: answered(mother, "never asks for a password"), f"help: {bridge.log()[-900:]}")
    tap.ok(answered(mother, "never asks for a password") == [family] and not answered(child, "Можно написать"), "who asks for help gets it where they ask; other talk is not answered", school.heard(mother))
    bridge.end(signal.SIGKILL)
    school.say(mother, family, " ВЫКЛЮЧИТЬ. ")
    bridge.start()
    until(lambda: answered(mother, "больше ничего не придёт"), f"an answer: {bridge.log()[-900:]}")
    own, = answered(mother, "больше ничего не придёт")
    put({**rows, "w2": ["mark", "w2", a, "", "Физика", day(), planted + "w2", ""], "w3": ["absence", "w3", a, "", "", day(-1), "late", ""]})
    settle(bridge)
    tap.ok(own != family and [planted + "w2" in str(school.words(user)) for user in (mother, father, child)] == [False, True, True]
           and ["опоздал" in str(school.words(user)) for user in (mother, father)] == [False, True], "who wants nothing is told nothing, the others go on", school.words(mother))
    school.say(mother, own, "что угодно")
    school.say(mother, own, "включить")
    until(lambda: answered(mother, "снова приходят"), f"another answer: {bridge.log()[-900:]}")
    put({**rows, "w4": ["mark", "w4", a, "", "Химия", day(), planted + "w4", ""]})
    settle(bridge)
    said = school.words(mother)
    tap.ok(planted + "w4" in str(said) and len(answered(mother, "Можно написать")) == 1 and len(answered(mother, "больше ничего")) == 1, "and comes back with a word; each word is answered once", said)
    hour = int(time.time()) // 3600
    for _ in range(40):
        school.say(father, family, "помощь")
    school.say(father, family, "выключить")
    school.say(mother, own, "help")
    until(lambda: own in answered(mother, "never asks for a password"), "the last word")
    heard = len(answered(father, "Можно написать"))
    tap.ok((heard == 30 and not answered(father, "больше ничего")) or hour != int(time.time()) // 3600, "thirty words in an hour are heard", heard)
    url = "/_matrix/app/v1/transactions/1"
    codes = [bridge.get(url, b'{"events":[]}', headers, "PUT")[0] for headers in ({}, {"Authorization": "Bearer as-token-of-the-diary-0001"})]
    tap.ok(codes == [401, 401], "whoever has not the hs_token is not heard", codes)
    put(rows)
    settle(bridge)


def check_answers(tap, school, bridge, families):
    """A guardian answers an absence with one tap, or in words: the class teacher has it, once, and the last answer counts."""
    _, (child, (mother, father), class_a) = list(families.items())[0]
    teacher = next(item["user_id"] for item in school.pages(f"/classes/{class_a}/enrollments?") if item["role"] == "class_teacher")
    room = next(room for room, said in school.heard(mother).items() if any("отсутствие" in words for words in said))
    history = school.client(mother).history(room)
    message = next(event for event in history if "отсутствие" in event["content"].get("body", ""))
    keys = [event["content"]["m.relates_to"]["key"] for event in history if event["type"] == "m.reaction" and event["content"]["m.relates_to"]["event_id"] == message["event_id"]]
    tap.ok("1 – болеет" in message["content"]["body"] and len(keys) == 5 and keys[1].startswith("2"), "an absence comes with reasons, and with their reactions to tap on", message, keys)
    reported = lambda: [words for words in school.words(teacher) if "Ответ от" in words]  # noqa: E731
    thanks = lambda user: sum("классному руководителю" in words for words in school.words(user))  # noqa: E731
    bridge.end(signal.SIGKILL)
    school.client(mother).must("PUT", f"{V3}/rooms/{quote(room)}/send/m.reaction/tap1", {"m.relates_to": {"rel_type": "m.annotation", "event_id": message["event_id"], "key": keys[1]}})
    bridge.start()
    until(lambda: thanks(mother) == 1, f"thanks: {bridge.log()[-900:]}")
    names = {item["user_id"]: f"{item['given_name']} {item['family_name']}" for item in school.everybody()}
    said = reported()
    tap.ok(len(said) == 1 and all(word in said[0] for word in ("у врача", names[child], names[mother])), "one tap, and the class teacher has the reason", said)
    school.say(father, room, "спасибо")
    school.say(father, room, "1.")
    until(lambda: thanks(mother) == 2, f"thanks: {bridge.log()[-900:]}")
    said = reported()
    tap.ok(len(said) == 1 and all(word in said[0] for word in ("болеет", names[child], names[father])) and thanks(mother) == 2, "another answer takes its place; other words are none", said)
    others = [user for user in (child, *list(families.values())[2][1]) if user != teacher and any("Ответ от" in words for words in school.words(user))]
    tap.ok(not others, "nobody else reads it", others)


def check_digests(tap, school, bridge, put, day, planted, families, rows):
    """One message over all children at the school's hour, looked up when it is due; whatever is killed, once."""
    children = collections.defaultdict(list)
    for item in school.pages(f"/guardianships?school={SCHOOL}"):
        children[item["guardian"]].append(item["child"])
    a, (child, two, class_a) = list(families.items())[0]
    person = max(two, key=lambda user: len(children[user]))  # of several children
    everybody = {item["user_id"]: item for item in school.everybody()}
    other = next(of for of in children[person] if of != families[a][0])
    several = [a, everybody[other]["person"]]
    mine = lambda words: [said for said in school.words(person) if words in said]  # noqa: E731
    room = next(room for room, said in school.heard(person).items() if any("Алгебра" in words or "Черчение" in words for words in said) or said)
    hour = datetime.datetime.now(datetime.timezone.utc).hour
    config = open(bridge.config, encoding="utf-8").read()

    def at(digest_hour, weekday):  # the hour that has just been, or has not yet been today
        bridge.end()
        bridge.write("diary.yaml", config.replace("diary:\n", f"diary:\n  timetable_hour: {hour}\n  digest_hour: {digest_hour}\n  digest_weekday: {weekday}\n").replace("school:\n", 'school:\n  utc_offset: "+00:00"\n'))
        bridge.start()
        settle(bridge)

    today = datetime.datetime.now(datetime.timezone.utc).isoweekday()
    later, other_day = (hour + 2) % 24, today % 7 + 1
    lessons = {f"t{n}": ["lesson", f"t{n}", "", class_a, f"Урок{n}", day(1), f"{n}:00", f"каб. {n}"] for n in (8, 10, 9)}
    rows = {**rows, **lessons}
    put(rows)
    at(later, other_day)
    evening = lambda: [words for words in school.words(child) if "Расписание на завтра" in words]  # noqa: E731
    for _ in range(2):
        bridge.end()
        bridge.start()
        settle(bridge)
        with contextlib.closing(sqlite3.connect(os.path.join(bridge.data, "diary.db"))) as database:
            n = database.execute("DELETE FROM counters WHERE name LIKE 'timetable%'").rowcount  # killed before it was noted
            database.commit()
    said = evening()
    tap.ok(len(said) == 1 and n == 2 and said[0].split("\n")[1:] == ["8:00 Урок8, каб. 8", "9:00 Урок9, каб. 9", "10:00 Урок10, каб. 10"],
           "a class gets tomorrow's timetable in the evening, once", said, bridge.log()[-900:])
    school.say(person, room, "оценки раз в день")
    until(lambda: mine("раз в день, все вместе"), f"an answer: {bridge.log()[-900:]}")
    rows = {**rows, "g1": ["mark", "g1", several[0], "", "Труд", day(), planted + "g1", ""], "g2": ["mark", "g2", several[0], "", "Труд", day(), planted + "g2", ""],
            "g3": ["mark", "g3", several[-1], "", "Музыка", day(), planted + "g3", ""], "g4": ["mark", "g4", several[-1], "", "Музыка", day(), planted + "g4", ""]}
    put(rows)
    settle(bridge)
    tap.ok(len(several) == 2 and not mine("Труд") and not mine("Музыка"), "who wants a digest is not told at once", school.words(person), several)
    rows["g3"][6] = planted + "g3new"
    del rows["g4"]
    put(rows)
    settle(bridge)
    with contextlib.closing(sqlite3.connect(os.path.join(bridge.data, "diary.db"))) as database:
        database.execute("UPDATE counters SET value = value - 3 WHERE name = 'evening'")  # a day has passed
        database.commit()
    bridge.until(lambda: mine("Дневник за день"), f"a digest: {bridge.log()[-1500:]}")
    settle(bridge)
    digests = mine("Дневник за день")
    tap.ok(len(digests) == 1 and f"{planted}g1; {planted}g2" in digests[0] and planted + "g3new" in digests[0] and "g4" not in digests[0] and "исправлено" not in digests[0]
           and not any("Труд" in words for words in mine("Труд") if words not in digests), "one digest over all their children, as the diary has it then", digests)
    tap.ok(all(everybody[of]["given_name"] in digests[0] for of in (families[a][0], other)), "with each child's name", digests)

    bridge.end()
    with contextlib.closing(sqlite3.connect(os.path.join(bridge.data, "diary.db"))) as database:
        n = database.execute("UPDATE owed SET sent = 0, digest = (SELECT value FROM counters WHERE name = 'digest') WHERE id IN ('g1', 'g2', 'g3')").rowcount
        database.commit()
    bridge.start()
    settle(bridge)
    tap.ok(n == 3 and len(mine("Дневник за день")) == 1, "killed before it was noted, a digest is not repeated", n, mine("Дневник за день"))

    school.say(person, next(room for room, said in school.heard(person).items() if digests[0] in said), "marks weekly")
    until(lambda: mine("once a week, all together"), "an answer")
    rows["g1"][6] = planted + "g1new"
    rows["g5"] = ["mark", "g5", several[0], "", "Труд", day(-13), planted + "g5", ""]
    put(rows)
    bridge.until(lambda: mine("The diary of the week"), f"a digest before it leaves the window: {bridge.log()[-900:]}")
    settle(bridge)
    digests = mine("The diary of the week")
    tap.ok(len(digests) == 1 and f"{planted}g1new (corrected)" in digests[0] and planted + "g5" in digests[0], "what is about to leave the window is told before; a correction is called so", digests)

    stranger, (strange_child, _, _) = list(families.items())[2]
    rows["g6"] = ["mark", "g6", several[0], "", "Труд", day(), planted + "g6", ""]
    rows["g7"] = ["mark", "g7", stranger, "", "Труд", day(), planted + "g7", ""]
    rows["g8"], rows["g9"] = (["mark", name, several[0], "", "Труд", day(), planted + name, ""] for name in ("g8", "g9"))
    put(rows)
    settle(bridge)
    rows["g8"][2], rows["g9"][2] = stranger, "nobody-9"  # the diary has moved them before the digest is sent
    put(rows)
    settle(bridge)
    tap.ok(any(planted + "g8" in words for words in school.words(strange_child)), "a mark that the diary moves to another child is told to that one's family", school.words(strange_child))
    with contextlib.closing(sqlite3.connect(os.path.join(bridge.data, "diary.db"))) as database:  # as if they had been a guardian when it was noted
        database.execute("INSERT INTO owed (person, source, id, child, day, revision, corrected) SELECT person, source, 'g7', ?, day, revision, 0 FROM owed WHERE id = 'g6' AND person = ?",
                         [strange_child, person])
        database.execute("UPDATE counters SET value = value - 3 WHERE name = 'week'")
        database.commit()
    bridge.until(lambda: len(mine("The diary of the week")) == 2, f"another digest: {bridge.log()[-900:]}")
    last = [words for words in mine("The diary of the week") if words not in digests]
    tap.ok(planted + "g6" in last[0] and "g7" not in last[0], "whoever may not be told of a child any more when it is sent is not told", last)
    tap.ok("g8" not in last[0] and "g9" not in last[0], "nor of what is another child's by then, or nobody's (I2)", last)
    school.say(person, next(room for room, said in school.heard(person).items() if digests[0] in said), "marks now")
    until(lambda: mine("Marks come at once"), "an answer")
    for name in [name for name in rows if name[0] in "gt"]:
        del rows[name]
    put(rows)
    settle(bridge)
    bridge.end()
    bridge.write("diary.yaml", config)
    bridge.start()


def check_child_first(tap, school, bridge, put, day, planted, families, rows):
    a, (child, (mother, father), _) = list(families.items())[0]
    people = (child, mother, father)
    config = open(bridge.config, encoding="utf-8").read()
    said = lambda: [[words for words in school.words(user) if "Астрономия" in words] for user in people]  # noqa: E731
    bridge.end()
    bridge.write("diary.yaml", config.replace("diary:\n", "diary:\n  pupil_first_hours: 1\n"))
    bridge.start()
    b, (_, others, _) = list(families.items())[2]
    many = {name: ["mark", name, a, "", "Астрономия", day(), f"{planted}{name}", ""] for name in ("p1", "p2", "p3", "p4")}
    put({**rows, **many})
    settle(bridge)
    first = said()
    tap.ok([len(of) for of in first] == [1, 0, 0] and "p1; " in first[0][0], "the child is told first", first, bridge.log()[-900:])
    many["p1"][6] = planted + "p1new"
    del many["p3"]
    many["p4"][2], many["p4"][6] = b, planted + "p4new"
    put({**rows, **many})
    settle(bridge)

    def due():  # what is due has to be looked up, which where changes are read takes another reading
        with contextlib.closing(sqlite3.connect(os.path.join(bridge.data, "diary.db"))) as database:
            return database.execute("SELECT count(*) FROM later WHERE due_ms = 1").fetchone()[0]

    def hours_pass():
        with contextlib.closing(sqlite3.connect(os.path.join(bridge.data, "diary.db"))) as database:
            n = database.execute("UPDATE later SET due_ms = 1").rowcount
            database.commit()
        settle(bridge)
        until(lambda: due() == 0, f"what is due: {bridge.log()[-900:]}")
        return n
    tap.ok(not any("p4new" in words for words in school.words(others[0])), "so is the child to whom a mark is moved meanwhile", school.words(others[0]))
    n, now = hours_pass(), said()
    tap.ok(not any("p4" in str(of) for of in now) and any("p4new" in words for words in school.words(others[0])), "whose guardians are told in the end, and no others (I2)", now, school.words(others[0]))
    tap.ok(n == 3 and all(len(of) == 1 and "p1new" in of[0] and "p2" in of[0] and "p3" not in of[0] for of in now) and "исправлено" not in now[1][0],
           "the guardians hours later, once, as the diary has it then", now, n)
    with contextlib.closing(sqlite3.connect(os.path.join(bridge.data, "diary.db"))) as database:
        database.execute("INSERT INTO later (source, id, child, day, due_ms) SELECT source, id, ?, day, 1 FROM records WHERE id IN ('p1', 'p2') AND source = ?", [child, getattr(bridge, "source", "csv")])  # killed before it was noted
        database.commit()
    settle(bridge)
    until(lambda: due() == 0, f"what is due again: {bridge.log()[-900:]}")
    tap.ok(said() == now and hours_pass() == 0, "killed before it was noted, it is not repeated", said())
    many["p2"][6] = planted + "p2new"
    put({**rows, **many})
    settle(bridge)
    tap.ok(all(len(of) == 1 and "p2new" in of[0] for of in said()), "later corrections come to all at once", said())
    put(rows)
    settle(bridge)
    tap.ok(not any(said()), "and what is withdrawn goes everywhere", said())
    bridge.end()
    bridge.write("diary.yaml", config)
    bridge.start()


def check_moved(tap, school, bridge, put, day, planted, families, rows):
    """I2: what stands in a child's room with others of its lesson is another child's now, or nobody's."""
    (a, (child, _, _)), (b, (other, _, _)) = sorted(list(families.items())[::2][:2])
    many = {name: ["mark", name, a, "", "Черчение", day(), planted + name, ""] for name in ("v1", "v2", "v3")}
    said = lambda user: [words for words in school.words(user) if "Черчение" in words]  # noqa: E731
    put({**rows, **many})
    settle(bridge)
    tap.ok(len(said(child)) == 1 and all(planted + name in said(child)[0] for name in many), "marks of one lesson stand in one message", said(child))
    many["v1"][6] = planted + "v1new"
    many["v2"][2], many["v2"][6] = b, planted + "v2new"
    many["v3"][2], many["v3"][6] = "nobody-9", planted + "v3new"
    put({**rows, **many})
    settle(bridge)
    ever = str([event["content"] for room in school.heard(child) for event in school.client(child).history(room)])
    tap.ok(planted + "v1new" in ever and "v2new" not in ever and "v3new" not in ever, "of one that the diary moves nothing new is ever said where it stood (I2)", said(child))
    tap.ok(["v2" in of or "v3" in of for of in said(child)] == [False] and len(said(other)) == 1 and planted + "v2new" in said(other)[0], "and it stands where it belongs", said(child), said(other))
    put(rows)
    settle(bridge)
    tap.ok(said(child) + said(other) == [], "and is withdrawn from there", said(child), said(other))


def check_leaving(tap, school, bridge, put, day, planted, families, rows):
    (a, (child, (mother, father), class_a)), *_ = families.items()
    class_teacher = next(item["user_id"] for item in school.pages(f"/classes/{class_a}/enrollments?") if item["role"] == "class_teacher")
    school.parta("guardian", "remove", child, father, "--override", "a test needs it so")
    asked = next(room for room, said in school.heard(mother).items() if any("отсутствие" in words for words in said))
    for user, words in ((father, "3"), (mother, "задерживается в дороге")):  # the father is still there
        school.say(user, asked, words)
    until(lambda: "задерживается" in str(school.words(class_teacher)), f"an answer: {bridge.log()[-900:]}")
    spoken = [event for room in school.heard(class_teacher) for event in school.client(class_teacher).history(room)]
    tap.ok("семейным" not in str([event["content"] for event in spoken if event["sender"] == BOT and "Ответ от" in str(event["content"])]), "whoever is no guardian of the child any more is not heard")
    shared = set(school.heard(mother)) & set(school.heard(father))
    with contextlib.closing(sqlite3.connect(os.path.join(bridge.data, "diary.db"))) as database:
        database.execute("UPDATE counters SET value = value - 1 WHERE name = 'apart'")  # a day has passed
        database.commit()
    bridge.until(lambda: not set(school.heard(mother)) & set(school.heard(father)) & shared, f"who is no guardian any more to be put out: {bridge.log()[-900:]}")
    tap.ok(shared, "whoever is no guardian any more is out of the child's rooms by the evening, though nothing is told there", shared)
    rows["m3"] = ["mark", "m3", a, "", "Физика", day(), planted + "d", ""]
    put(rows)
    settle(bridge)
    tap.ok(any(planted + "d" in words for words in school.words(child)) and any(planted + "d" in words for words in school.words(mother)),
           "the others go on being told", bridge.log()[-900:], bridge.command("problems"))
    seen = [event for room in school.client(father).must("GET", f"{V3}/joined_rooms")["joined_rooms"] for event in school.client(father).history(room)]
    tap.ok(school.client(father).request("GET", f"{V3}/account/whoami").status == 200, "who is a guardian of another child still is in the school")
    tap.ok(not any(planted + "d" in str(event) for event in seen), "who is no guardian any more is told nothing from then on", [event for event in seen if planted + "d" in str(event)])
    c, (gone, _, _) = list(families.items())[2]
    school.parta("person", "leave", gone, SCHOOL, "--override", "a test needs it so")
    rows["m4"] = ["mark", "m4", c, "", "Физика", day(), planted + "e", ""]
    put(rows)
    settle(bridge)
    problems = bridge.command("problems")[1]
    tap.ok("csv\trecord\tm4\t" in problems and planted not in problems, "a mark of somebody who has left is a problem with its id", problems)
    everybody = {user for user, client in school.clients.items() if client.request("GET", f"{V3}/account/whoami").status == 200}
    tap.ok(not any(planted + "e" in words for user in everybody for words in school.words(user)), "and told to nobody")
    del rows["m4"]

    d, (child, two, _) = list(families.items())[4]
    rows["a8"] = ["absence", "a8", d, "", "", day(-1), "absent", ""]
    put({**rows, "m8": ["mark", "m8", d, "", "Физика", day(), planted + "j", ""]})
    settle(bridge)
    together = set(school.heard(two[0])) & set(school.heard(two[1]))
    school.parta("guardian", "custody", child, two[1], "separate", "--reason", "a test needs it so")
    bridge.end()
    rows["m8"] = ["mark", "m8", d, "", "Физика", day(), planted + "j", ""]
    rows["m9"] = ["mark", "m9", d, "", "Физика", day(), planted + "k", ""]
    put(rows)
    room, = together - set(school.heard(child))  # nothing is said there any more
    with through(school, bridge, f"{quote(room[1:])}/kick", lambda n: (403, {"errcode": "M_FORBIDDEN", "error": "not now"}, {}) if n == 1 else None) as kicks:
        bridge.start()
        settle(bridge)
        rows["m10"] = ["mark", "m10", d, "", "Физика", day(), planted + "l", ""]
        put(rows)
        settle(bridge)
        bridge.end()
    tap.ok(kicks.met == 3, "who could not be put out is tried again; the others go at once", kicks.met)
    bridge.start()
    heard = [school.heard(user) for user in (child, *two)]
    rooms = [{room for room, said in of.items() if any(planted + "k" in words for words in said)} for of in heard]
    tap.ok(len(together) == 2 and all(len(of) == 1 for of in rooms) and len(set.union(*rooms)) == 3 and not set(heard[1]) & set(heard[2]),
           "guardians who are told apart from now on have parted", together, rooms)


def check_back(tap, school, bridge, put, day, planted, families, rows):
    """D9: whom no_contact kept away is asked in again once it is taken back; whoever has left by themselves is not."""
    a, (child, (mother, father), _) = list(families.items())[9]
    sees = lambda user, name: any(planted + name in words for words in school.words(user))  # noqa: E731

    def tell(name):
        rows[name] = ["mark", name, a, "", "Физика", day(), planted + name, ""]
        put(rows)
        settle(bridge)

    def custody(kind):
        school.parta("guardian", "custody", child, father, kind, "--reason", "a test needs it so")
        if school.client(father).request("GET", f"{V3}/account/whoami").status != 200:
            del school.clients[father]  # whoever is of no school for a while is signed out

    tell("n1")
    room, = set(school.heard(mother)) & set(school.heard(father)) & set(school.heard(child))
    custody("no_contact")
    tell("n2")
    there = [event for event in school.client(mother).state(room) if event["type"] == "m.room.member" and event["state_key"] == father]
    tap.ok(sees(mother, "n2") and there[0]["content"]["membership"] == "leave" and there[0]["sender"] == father, "the server's removal is written as a leave of their own", there)
    custody("shared")
    tell("n3")
    tap.ok(sees(father, "n3") and sees(mother, "n3"), "whose guardianship counts again is asked in again", school.words(father), bridge.log()[-900:])
    school.client(father).must("POST", f"{V3}/rooms/{quote(room)}/leave", {})
    tell("n4")
    tap.ok(sees(mother, "n4") and not sees(father, "n4"), "whoever then leaves by themselves is not", school.words(father))
    for name in ("n1", "n2", "n3", "n4"):
        del rows[name]


def check_encrypted(tap, school, bridge, put, day, planted, rows):
    """E9: the bot says nothing in clear where people speak under a lock (who can read it: tests/diary_keys)."""
    name = school.classes[-1]
    teacher = next(item["user_id"] for item in school.pages(f"/classes/{name}/enrollments?") if item["role"] == "class_teacher")
    school.policy(bridge, {"encryption": {"class": "allowed"}})
    school.client(teacher).must("PUT", f"{V3}/rooms/{quote(school.rooms[name])}/state/m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"})
    rows["h3"] = ["homework", "h3", "", name, "Алгебра", day(2), "", planted + "№3"]
    put(rows)
    settle(bridge)
    said = [event for event in school.client(teacher).history(school.rooms[name]) if event["sender"] == BOT and event["type"] in ("m.room.message", "m.room.encrypted")]
    clear = "h3" in bridge.command("problems")[1]  # a build without libolm
    tap.ok([event["type"] for event in said] == ([] if clear else ["m.room.encrypted"]) and "№3" not in json.dumps(said, ensure_ascii=False),
           "in an encrypted room nothing is said in clear", bridge.command("problems"), said, bridge.log()[-900:])
    if clear:
        tap.ok("was built without libolm" in bridge.log(), "and whoever has no libolm hears of it", bridge.log()[-900:])
    del rows["h3"]


def check_quiet(tap, school, bridge, put, day, planted, families, rows):
    """F3: in quiet hours what the school refuses waits, and is no problem."""
    (a, (child, (mother, _), _)), *_ = families.items()
    now = datetime.datetime.now(datetime.timezone.utc)
    at = lambda hours: (now + datetime.timedelta(hours=hours)).strftime("%H:%M")  # noqa: E731

    policy = lambda document: school.policy(bridge, document)  # noqa: E731
    policy({"quiet_hours": {"mode": "refuse", "from": at(-11), "to": at(11), "utc_offset": "+00:00"}})
    rows["m5"] = ["mark", "m5", a, "", "Физика", day(), planted + "f", ""]
    put(rows)
    settle(bridge)
    waits = bridge.metric("parta_diary_later_total")
    tap.ok(waits > 0 and not any(planted + "f" in words for words in school.words(mother)) and "m5" not in bridge.command("problems")[1], "in quiet hours a mark waits",
           waits, bridge.command("problems"))
    policy({"quiet_hours": {"mode": "off"}})
    settle(bridge)
    tap.ok(all(sum(planted + "f" in words for words in school.words(user)) == 1 for user in (child, mother)), "and comes once they are over", school.words(mother))
    policy({"quiet_hours": {"mode": "delay", "from": at(-11), "to": at(11), "utc_offset": "+00:00"}})
    for m6, m7 in (("g", "h"), ("i", "h"), ("i", None)):
        rows["m6"], rows["m7"] = (["mark", name, a, "", "Химия", day(), f"{planted}{value}", ""] for name, value in (("m6", m6), ("m7", m7)))
        if m7 is None:
            del rows["m7"]
        put(rows)
        settle(bridge)
    silent = not any("Химия" in words for words in school.words(mother))
    policy({"quiet_hours": {"mode": "off"}})
    school.server.end()
    with contextlib.closing(sqlite3.connect(os.path.join(school.server.data, "parta.db"))) as database:
        database.execute("UPDATE held_messages SET due_ms = 1")
        database.commit()
    school.server.start()
    until(lambda: any(planted + "i" in words for words in school.words(mother)), "what was held to come")
    said = [words for words in school.words(mother) if "Химия" in words]
    tap.ok(silent and len(said) == 1 and planted + "i" in said[0], "what the server holds until then is corrected and withdrawn, too", said, silent, bridge.command("problems"))


def check_kills(tap, school, bridge, put, day, families, rows):
    dice, names = random.Random(11), list(families)[3:9]
    rounds = 40 if os.environ.get("PARTA_TEST_LONG") else 8
    for n in range(rounds):
        for _ in range(12):
            mark = f"k{dice.randrange(30)}"
            if rows.pop(mark, None) is None or dice.random() < 0.7:
                number = int(mark[1:])  # several marks of one lesson each
                rows[mark] = ["mark", mark, names[number % len(names)], "", f"Предмет{number // 12}", day(), f"v{n}x{dice.randrange(100)}", ""]
        put(rows)
        bridge.start(wait=False)
        time.sleep(dice.random() * 0.4)  # no condition to wait for: any moment will do
        bridge.end(signal.SIGKILL)
        if n % 4 == 3:
            school.server.end(signal.SIGKILL)
            school.server.start()
    bridge.start()
    settle(bridge)
    bridge.end()
    wrong = []
    for name in names:
        child, guardians, _ = families[name]
        want = sorted((row[4], row[6]) for row in rows.values() if row[1].startswith("k") and row[2] == name)
        for user in (child, *guardians):
            lines = re.findall(r"(Предмет\d+),[^\n]*: ([^\n]*)", "\n".join(school.words(user)))
            got = sorted((subject, value.removesuffix(" (исправлено)")) for subject, values in lines for value in values.split("; "))
            if got != want or len(school.words(user)) != len([words for words in school.words(user) if "Предмет" in words or "№" in words or "Физика" in words or "Расписание" in words or "Ответ от" in words]):
                wrong.append((user, got, want))
    n_marks = sum(row[1].startswith("k") for row in rows.values())
    tap.ok(n_marks > 8 and not wrong, f"over {rounds} kills each of {n_marks} marks stands once, as the diary has it, with child and guardians", *wrong[:3], bridge.command("problems")[1])
    with contextlib.closing(sqlite3.connect(os.path.join(bridge.data, "diary.db"))) as database:
        unknown = database.execute("SELECT count(*) FROM messages WHERE event_id = ''").fetchone()[0]
    tap.ok(unknown == 0, "and what was sent is known", unknown)


def check_forgotten(tap, school, bridge, put, day, families, rows):
    """What a kill leaves between two steps: a room that was made and not noted, a message that was sent and not noted."""
    (name, (child, (guardian, _), _)), gone = list(families.items())[3], "k900"
    rows[gone] = ["mark", gone, name, "", "ПредметB", day(), "v900x0", ""]
    put(rows)
    bridge.start()
    settle(bridge)
    bridge.end()
    before = set(school.heard(child))
    with contextlib.closing(sqlite3.connect(os.path.join(bridge.data, "diary.db"))) as database:
        n = database.execute("DELETE FROM rooms").rowcount
        m = database.execute("UPDATE messages SET event_id = '' WHERE root IN (SELECT root FROM message_records WHERE id = ?)", [gone]).rowcount
        database.commit()
    tap.ok(n > 3 and m == 1 and any("v900x0" in words for words in school.words(guardian)), "rooms are forgotten, and where a mark stands", n, m)
    del rows[gone]
    rows["k901"] = ["mark", "k901", name, "", "ПредметC", day(), "v901x0", ""]
    put(rows)
    bridge.start()
    settle(bridge)
    bridge.end()
    said = school.words(child)
    tap.ok(set(school.heard(child)) == before and sum("v901x0" in words for words in said) == 1, "a room that was not noted is found again", before, said)
    raw = str([event for room in before for event in school.client(child).history(room)])
    tap.ok("v900x0" not in raw and not any(words == "–" for words in said), "a message that was not noted is found, and redacted", said)


def check_buttons(tap, school, bridge, put, day, families, rows):
    """A kill when an absence is told and two of its reactions are there."""
    name, (_, guardians, _) = list(families.items())[5]

    def kill(n):
        if n < 3:
            return None
        bridge.process.kill()
        return 503, "", {}
    rows["b1"] = ["absence", "b1", name, "", "", day(-1), "absent", ""]
    put(rows)
    with through(school, bridge, "/send/m.reaction/", kill) as between:
        bridge.start(wait=False)
        ended = bridge.process.wait(PATIENCE_S)
    bridge.start()
    settle(bridge)
    bridge.end()
    for user in guardians:
        events = [event for room in school.heard(user) for event in school.client(user).history(room)]
        messages = [event["event_id"] for event in events if "отсутствие" in event["content"].get("body", "")]
        keys = sorted(event["content"]["m.relates_to"]["key"][0] for event in events if event["type"] == "m.reaction" and event["content"]["m.relates_to"]["event_id"] in messages)
        if not tap.ok(ended == -signal.SIGKILL and between.met == 3 and len(messages) == 1 and keys == list("12345"),
                      "killed before all reasons to tap on were there, it makes up for them, each once", ended, between.met, messages, keys, bridge.log()[-900:]):
            break


def check_changes(tap, school, bridge, day, planted, families):
    """A diary that says what has changed: messages of several marks, and what guardians hear later, are said as by whole readings."""
    book, before = Gradebook("parta", "client-secret"), {}
    families = dict(list(families.items())[6:])  # who come first have lost a guardian by now
    base = book.url + book.BASE
    with open(bridge.config, encoding="utf-8") as config:
        words = re.sub(r"(?m)^csv:\n( .*\n)*", "", config.read()).replace("interval_s: 1\n", "interval_s: 86400\n")
    secret = bridge.write("secret", "client-secret\n")
    bridge.write("diary.yaml", words + f"oneroster:\n  gradebook_url: {base}/gradebook/v1p2\n  rostering_url: {base}/rostering/v1p2\n  token_url: {book.url}/token\n"
                 f"  client_id: parta\n  client_secret_file: {secret}\n")
    bridge.source = "oneroster"

    def put(rows):
        for name, (_, _, pupil, _, subject, date, value, comment) in rows.items():
            if subject not in book.lines:
                book.put("classes", subject, title=subject)
                book.put("lines", subject, title="", dueDate=day() + "T00:00:00.000Z", category={"sourcedId": "test"}, **{"class": {"sourcedId": subject}})
            if before.get(name) != rows[name]:
                book.put("results", name, student={"sourcedId": pupil}, lineItem={"sourcedId": subject}, scoreDate=date, textScore=value, comment=comment)
        for name in set(before) - set(rows):
            book.delete("results", name)
        before.clear()
        before.update({name: list(row) for name, row in rows.items()})
    rows = {"q0": ["mark", "q0", next(iter(families)), "", "История", day(), planted + "q0", ""]}
    put(rows)
    bridge.start()
    settle(bridge)
    check_lessons(tap, school, bridge, put, day, planted, families, rows)
    check_child_first(tap, school, bridge, put, day, planted, families, rows)
    settle(bridge)
    child, wholes, changes = families[next(iter(families))][0], book.asked("results", "scoreDate"), book.asked("results", "dateLastModified")
    two = {name: ["mark", name, next(iter(families)), "", "Логика", day(), planted + name, ""] for name in ("q1", "q2")}
    put({**rows, **two})
    settle(bridge)
    tap.ok(book.asked("results", "scoreDate") == wholes and book.asked("results", "dateLastModified") > changes and sum("Логика" in words for words in school.words(child)) == 1,
           "changes: new marks of one lesson are one message without a whole reading", wholes, book.asked("results", "scoreDate"), school.words(child))
    two["q1"][6] = planted + "qfixed"
    book.results["q2"]["dateLastModified"] = "2026-01-01T00:00:00.000Z"  # long ago: only q1 is among the changes
    put({**rows, **two})
    bridge.read_now()  # once: there is no other reading today
    until(lambda: any("qfixed" in words and "q2" in words for words in school.words(child)), f"an edit that says the other mark again: {bridge.log()[-900:]}")
    tap.ok(book.asked("results", "scoreDate") == wholes + 1, "changes: an edit that says more than they know has the window read whole, at once")
    person = families[next(iter(families))][1][0]
    room = next(room for room, said in school.heard(person).items() if any("qfixed" in words for words in said))
    school.say(person, room, "оценки раз в день")
    until(lambda: any("раз в день" in words for words in school.words(person)), f"an answer: {bridge.log()[-900:]}")
    put({**rows, **two, "q3": ["mark", "q3", next(iter(families)), "", "Риторика", day(), planted + "q3", ""]})
    settle(bridge)
    before_digest = [words for words in school.words(person) if "q3" in words]
    wholes = book.asked("results", "scoreDate")
    bridge.end()
    book.results["q3"]["dateLastModified"] = "2026-01-01T00:00:00.000Z"
    with contextlib.closing(sqlite3.connect(os.path.join(bridge.data, "diary.db"))) as database:
        database.execute("DELETE FROM counters WHERE name = 'evening'")  # an evening has come
        database.commit()
    bridge.start()
    until(lambda: any("q3" in words for words in school.words(person)), f"a digest: {bridge.log()[-900:]}")
    tap.ok(before_digest == [] and sum("q3" in words for words in school.words(person)) == 1 and book.asked("results", "scoreDate") == wholes + 1,
           "changes: a digest that is due has the window read whole, at once", before_digest, school.words(person), wholes, book.asked("results", "scoreDate"))
    bridge.end()
    del bridge.source


def check_rooms(tap, bridge_class, build, day, planted):
    school = School(build)
    bridge = None
    try:
        holder = type("Api", (), {"TOKEN": school.token, "url": f"http://127.0.0.1:{school.server.port}"})
        bridge = bridge_class(holder, {"school": {"url": holder.url, "id": SCHOOL, "token_file": "FOLDER/token"}, "csv": {"file": "FOLDER/source-diary.csv"},
                                       "matrix": {"as_token_file": "FOLDER/as_token", "bridge_url": "http://127.0.0.1:PORT"}}, rehearsal_file="")
        with open(bridge.config, encoding="utf-8") as config:
            bridge.write("diary.yaml", config.read().replace("FOLDER", bridge.folder).replace("PORT", str(bridge.port)))
        bridge.write("as_token", "as-token-of-the-diary-0001\n")
        code, registration, err = bridge.command("registration")
        tap.ok(code == 0 and "sender_localpart: _diary" in registration, "the registration is printed", err)
        os.chmod(bridge.write("registration.yaml", registration), 0o600)
        school.parta("appservice", "add", bridge.path("registration.yaml"))
        os.remove(bridge.path("registration.yaml"))
        school.server.start()
        school.admit(bridge)
        families = school.families()
        put = lambda rows: bridge.write("source-diary.csv", rows_text(rows))  # noqa: E731
        rows = check_hearing(tap, school, bridge, put, day, planted, families)
        check_lessons(tap, school, bridge, put, day, planted, families, rows)
        check_choices(tap, school, bridge, put, day, planted, families, rows)
        check_answers(tap, school, bridge, families)
        check_digests(tap, school, bridge, put, day, planted, families, rows)
        check_child_first(tap, school, bridge, put, day, planted, families, rows)
        check_moved(tap, school, bridge, put, day, planted, families, rows)
        check_leaving(tap, school, bridge, put, day, planted, families, rows)
        check_back(tap, school, bridge, put, day, planted, families, rows)
        check_encrypted(tap, school, bridge, put, day, planted, rows)
        check_quiet(tap, school, bridge, put, day, planted, families, rows)
        tap.ok(bridge.end() == 0, "it ends when it is asked to")
        if os.geteuid() == 0:
            os.chown(bridge.data, 54321, 54321)
            refused = [bridge.command(*words) for words in (["problems"], ["run"], ["confirm", "csv"])]
            os.chown(bridge.data, 0, 0)
            tap.ok(all(code == 1 and "belongs to the user 54321" in err for code, _, err in refused), "root leaves nothing in a folder of the bridge's user", refused)
        check_kills(tap, school, bridge, put, day, families, rows)
        check_forgotten(tap, school, bridge, put, day, families, rows)
        check_buttons(tap, school, bridge, put, day, families, rows)
        check_changes(tap, school, bridge, day, planted, families)
        found = bridge.says([planted, "Предмет", "Алгебра"])
        tap.ok(found == [], "no mark and no subject in any file of the bridge's", found)
        tap.ok(planted not in school.server.log() and not school.server.complaints(), "nor in the server's log", *school.server.complaints())
    finally:
        if bridge is not None:
            bridge.dispose()
        if school.server.process is not None and school.server.alive():
            school.server.end()
        school.server.dispose()
