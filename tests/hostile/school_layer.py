"""People of the sample schools who try to become, learn or reach what is not theirs: each attempt is refused, and says no
more than it must. The numbers are school.md's."""
import csv
import io
import json
import os
import subprocess
import uuid
import zipfile
from urllib.parse import quote

from harness import V3

SCHOOL = {"policy": {"mode": "school"}, "registration": {"mode": "token"}}
V1 = "/_parta/v1"


def q(word):
    return quote(word, safe="")


class Person:
    def __init__(self, schools, user_id, token):
        self.schools, self.user_id, self.token = schools, user_id, token

    def __call__(self, method, path, body=None, headers=None):
        return self.schools.server.request(method, path, body, self.token, headers)

    def must(self, method, path, body=None, headers=None):
        answer = self(method, path, body, headers)
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer}")
        return answer.json

    def says(self, room, body="hello"):
        return self("PUT", f"{V3}/rooms/{q(room)}/send/m.room.message/{uuid.uuid4().hex}", {"msgtype": "m.text", "body": body})


class Schools:
    """Two schools. Made before the server starts."""

    def __init__(self, server):
        self.server = server
        archive = os.path.join(server.folder, "school.zip")
        self.parta("school", "sample", "--seed", "1", "--size", "2x3x6", archive)
        table = self.parta("roster", "import", "--passwords", archive)
        self.passwords = {row["user_id"]: row["password"] for row in csv.DictReader(io.StringIO(table), skipinitialspace=True)}
        self.operator = Person(self, None, self.parta("operator", "create", "region", "all").strip())

    def parta(self, *words):
        command = [os.path.join(self.server.build, "parta"), "--config", os.path.join(self.server.folder, "parta.yaml"), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

    def sign_in(self, user_id):
        answer = self.server.request("POST", f"{V3}/login", {
            "type": "m.login.password", "identifier": {"type": "m.id.user", "user": user_id},
            "password": self.passwords[user_id]})
        return Person(self, user_id, answer["access_token"])

    def list(self, path):
        return self.operator.must("GET", V1 + path)["items"]

    def guardians(self, child):
        return [g["guardian"] for g in self.list(f"/guardianships?user_id={q(child)}") if g["child"] == child]

    def open(self):
        everybody = self.list("/people?limit=500")

        def first(school, role, but=()):
            return next(p["user_id"] for p in everybody if any(r["school"] == school and r["role"] == role for r in p["roles"])
                        and not any(r["role"] in but for r in p["roles"]))
        self.homeroom = next(c["class"] for c in self.list("/classes?school=s1") if c["kind"] == "homeroom")
        rows = self.list(f"/classes/{self.homeroom}/enrollments")
        self.pupils = [e["user_id"] for e in rows if e["role"] == "pupil"]
        self.class_teacher = self.sign_in(next(e["user_id"] for e in rows if e["role"] == "class_teacher"))
        self.pupil = self.sign_in(next(p for p in self.pupils if self.guardians(p)))
        self.guardian = self.sign_in(self.guardians(self.pupil.user_id)[0])
        taught = {e["class"] for e in self.list(f"/people/{q(self.class_teacher.user_id)}/enrollments")}
        self.stranger = self.sign_in(next(
            p["user_id"] for p in everybody if any(r["school"] == "s1" and r["role"] == "pupil" for r in p["roles"])
            and not taught & {e["class"] for e in self.list(f"/people/{q(p['user_id'])}/enrollments")}))
        self.colleague = self.sign_in(first("s1", "teacher", ("class_teacher", "guardian")))
        self.admin = self.sign_in(first("s1", "administrator"))
        self.foreign_admin = self.sign_in(first("s2", "administrator"))
        self.foreign_pupil = self.sign_in(first("s2", "pupil"))

    def parent(self, school, role):
        """Somebody of school s1 as a parent, in the class, who has another role somewhere and no password yet."""
        child = next(p for p in self.pupils if len(self.guardians(p)) < 2)
        made = self.operator.must("POST", f"{V1}/people", {
            "school": "s1", "role": "guardian", "child": child, "given_name": "Двоюродный", "family_name": "Дядя"})["user_id"]
        self.operator.must("POST", f"{V1}/people/{q(made)}/roles", {"school": school, "role": role})
        return child, made

    def no_parent(self, child, made):
        self.operator.must("DELETE", f"{V1}/guardianships/{q(child)}/{q(made)}")


def refused(answer, rule=None, status=403):
    return answer.status == status and (rule is None or answer.json.get("org.parta.rule") == rule)


def alike(*answers):
    return len({(a.status, a.bytes) for a in answers}) == 1


# ---- to become somebody else

def personal_links(tap, s):
    for school, role, who, name in (("s1", "administrator", s.class_teacher, "their class teacher"),
                                    ("s2", "head", s.class_teacher, "the class teacher of a child of theirs"),
                                    ("s2", "head", s.admin, "another school's administrator")):
        child, made = s.parent(school, role)
        answer = who("POST", f"{V1}/links", {"kind": "personal", "user_id": made})
        tap.ok(refused(answer), f"B3: the account of a parent who is also {role} is not opened by {name}", answer)
        s.no_parent(child, made)


def account_of_two_schools(tap, s):
    child, made = s.parent("s2", "head")
    abroad = s.list("/classes?school=s2")[0]["class"]  # to be class teacher there makes nobody its administrator
    s.operator.must("POST", f"{V1}/classes/{q(abroad)}/enrollments", {
        "user_id": s.admin.user_id, "role": "class_teacher"}, {"Parta-Override-Reason": "for the length of this test"})
    path = f"{V1}/people/{q(made)}"
    for name, answer in {
            "locked": s.admin("PUT", f"{path}/standing", {"standing": "locked"}),
            "suspended through Matrix": s.admin("PUT", f"/_matrix/client/v1/admin/suspend/{q(made)}", {"suspended": True}),
            "signed out": s.admin("DELETE", f"{path}/sessions"),
            "exported": s.admin("GET", f"{path}/export"),
            "erased": s.admin("POST", f"{path}/erase", {}, {"Parta-Override-Reason": "because I would like it so"})}.items():
        tap.ok(refused(answer, "A1"), f"A1: the head of another school, a parent in this one, is not {name} by its administrator",
               answer)
    answer = s.admin("POST", f"{V1}/people/{q(s.foreign_pupil.user_id)}/roles", {"school": "s1", "role": "staff"})
    tap.ok(refused(answer, "A1"), "A1: nor is a pupil of the other school fetched into this one", answer)
    s.operator.must("DELETE", f"{V1}/classes/{q(abroad)}/enrollments/{q(s.admin.user_id)}/class_teacher")
    s.no_parent(child, made)


# ---- to learn what others have

def numbers(tap, s):
    link = s.admin.must("POST", f"{V1}/links", {"kind": "school", "school": "s1", "role": "teacher"})
    s.server.request("POST", f"{V1}/signup", {"token": link["token"], "password": "a long password", "given_name": "А",
                                              "family_name": "Б"})
    number = s.admin.must("GET", f"{V1}/applications?school=s1")["items"][0]["application"]
    s.pupil.must("POST", f"{V3}/users/{q(s.guardian.user_id)}/report", {"reason": "for the class teacher"})
    for who, name in ((s.foreign_pupil, "pupil"), (s.foreign_admin, "administrator")):
        for there, nowhere in ((f"links/{link['link']}/revoke", "links/99999/revoke"),
                               (f"applications/{number}/approve", "applications/99999/approve"),
                               (f"applications/{number}/refuse", "applications/99999/refuse")):
            answers = [who("POST", f"{V1}/{path}", {}, {"If-Match": '"77"'}) for path in (there, nowhere)]
            tap.ok(alike(*answers) and answers[0].status == 404,
                   f"A1: {there.split('/')[0]} of another school are as good as none to its {name}: {there.split('/')[-1]}", *answers)
        for path in ("links", "applications?state=any", "reports"):
            answer = who("GET", f"{V1}/{path}{'&' if '?' in path else '?'}limit=1")
            tap.ok(answer.json == {"items": []}, f"A1: a page of {path} does not count another school's for its {name}", answer)
    answer = s.colleague("GET", f"{V1}/reports?school=s1&limit=1")
    tap.ok(answer.json == {"items": []}, "F5: nor a school's own for those who may not read them", answer)


# ---- to read what is about oneself

def reports(tap, s):
    s.pupil.must("POST", f"{V3}/users/{q(s.guardian.user_id)}/report", {"reason": "a secret cry"})
    answer = s.guardian("GET", f"{V1}/people/{q(s.pupil.user_id)}/export")
    with zipfile.ZipFile(io.BytesIO(answer.bytes)) as archive:
        whole = b"".join(archive.read(name) for name in archive.namelist())
    tap.ok(answer.status == 200 and "a secret cry".encode() not in whole and s.pupil.user_id.encode() in whole,
           "F5, D8: a guardian who takes the child's data along does not get the child's reports", whole[:300])
    with zipfile.ZipFile(io.BytesIO(s.pupil("GET", f"{V1}/me/export").bytes)) as archive:
        own = json.loads(archive.read("data.json"))
    tap.ok(any(r["reason"] == "a secret cry" for r in own["reports"]), "G4: the child does", own["reports"])
    room = s.pupil.must("POST", f"{V3}/createRoom", {"is_direct": True, "invite": [s.class_teacher.user_id]})["room_id"]
    s.class_teacher.must("POST", f"{V3}/rooms/{q(room)}/join", {})
    s.pupil.must("POST", f"{V3}/rooms/{q(room)}/report", {"reason": "what is written here"})
    reasons = {who.user_id: [r["reason"] for r in who.must("GET", f"{V1}/reports?school=s1")["items"]]
               for who in (s.class_teacher, s.admin)}
    tap.ok("what is written here" not in reasons[s.class_teacher.user_id] and
           "what is written here" in reasons[s.admin.user_id],
           "F5: a report of a chat with the class teacher goes to the administrator alone", reasons)
    room = next(r["room_id"] for r in s.list("/rooms?school=s1&kind=class&limit=500") if r.get("class") == s.homeroom)
    s.pupil.must("POST", f"{V3}/rooms/{q(room)}/report", {"reason": "of the whole class"})
    reasons = {who.user_id: [r["reason"] for r in who.must("GET", f"{V1}/reports?school=s1")["items"]]
               for who in (s.class_teacher, s.admin)}
    tap.ok("of the whole class" not in reasons[s.class_teacher.user_id] and "of the whole class" in reasons[s.admin.user_id],
           "F5: one of the class room goes to the administrator, not to the teacher who answers for it", reasons)


# ---- to talk all the same

def phantom_third(tap, s):
    teacher, pupil = s.class_teacher, s.stranger
    answer = teacher("POST", f"{V3}/createRoom", {"is_direct": True, "invite": [pupil.user_id]})
    tap.ok(refused(answer, "F1"), "F1: a teacher has no direct chat with a pupil of others", answer)
    room = teacher.must("POST", f"{V3}/createRoom", {
        "name": "Кружок", "invite": [s.colleague.user_id, pupil.user_id]})["room_id"]
    pupil.must("POST", f"{V3}/rooms/{q(room)}/join", {})
    for who, name in ((teacher, "teacher"), (pupil, "pupil")):
        tap.ok(refused(who.says(room), "F1"), f"F1: nor with a third who is only invited: the {name} writes", who.says(room))
    before = teacher.must("GET", f"{V3}/rooms/{q(room)}/messages?dir=b&limit=1")["chunk"][0]["event_id"]
    pupil("PUT", f"{V3}/rooms/{q(room)}/state/m.room.member/{q(pupil.user_id)}",
          {"membership": "join", "displayname": "Директор", "reason": "a note", "org.note": "a note"})
    after = teacher.must("GET", f"{V3}/rooms/{q(room)}/messages?dir=b&limit=1")["chunk"][0]["event_id"]
    tap.ok(before == after, "F1: a member event is no letter box", after)
    s.colleague.must("POST", f"{V3}/rooms/{q(room)}/join", {})
    answer = pupil.says(room)
    tap.ok(answer.status == 200, "E5: once the third is there, all three talk", answer)


PARTS = (personal_links, account_of_two_schools, numbers, reports, phantom_third)


def attempts(tap, schools):
    schools.open()
    for part in PARTS:
        part(tap, schools)
    log = schools.server.log()
    told = [word for word in (*schools.passwords.values(), "Дядя", "a secret cry", schools.admin.token) if word in log]
    tap.ok(not told, "no password, token, name or report is in the log", *told)
