"""A model of a school's records and of the rooms that follow from them, written from docs/roster.md and from nothing of the
server: a roster that changes a little at a time, its OneRoster files, its rows as they must lie, and who is in which room."""
import copy
import csv
import io
import time
import zipfile

SCHOOL = "s1"
ROLE_WORDS = {"principal": "head", "siteAdministrator": "administrator", "teacher": "teacher", "student": "pupil",
              "guardian": "guardian"}
STAFF = {"principal", "siteAdministrator", "teacher"}
BIRTH = "2010-03-04"  # old enough to be nobody's to confirm (D7)
NAMES = ("Анна", "Борис", "Вера", "Глеб", "Дарья", "Егор", "Жанна", "Захар")

COLUMNS = {
    "orgs": "sourcedId status dateLastModified name type identifier parentSourcedId",
    "academicSessions": "sourcedId status dateLastModified title type startDate endDate parentSourcedId schoolYear",
    "courses": "sourcedId status dateLastModified schoolYearSourcedId title courseCode grades orgSourcedId subjects subjectCodes",
    "classes": "sourcedId status dateLastModified title grades courseSourcedId classCode classType location schoolSourcedId "
               "termSourcedIds subjects subjectCodes periods",
    "users": "sourcedId status dateLastModified enabledUser username userIds givenName familyName middleName identifier email "
             "sms phone agentSourcedIds grades password userMasterIdentifier preferredGivenName preferredMiddleName "
             "preferredFamilyName primaryOrgSourcedId pronouns",
    "roles": "sourcedId status dateLastModified userSourcedId roleType role beginDate endDate orgSourcedId userProfileSourcedId",
    "enrollments": "sourcedId status dateLastModified classSourcedId schoolSourcedId userSourcedId role primary beginDate endDate",
    "demographics": "sourcedId status dateLastModified birthDate sex",
}
CHANGING = ("classes", "users", "roles", "enrollments", "demographics")


class Roster:
    def __init__(self):
        self.people, self.classes, self.enrollments = {}, {}, set()
        self.count = 0

    def copy(self):
        return copy.deepcopy(self)

    # ---- changes

    def add_person(self, role, sid=None):
        self.count += 1
        sid = sid or f"{role[:3]}{self.count}"
        self.people[sid] = {"role": role, "given": NAMES[self.count % len(NAMES)], "family": f"Реестров{self.count}", "agents": set()}
        return sid

    def drop_person(self, sid):
        del self.people[sid]
        self.enrollments = {e for e in self.enrollments if e[1] != sid}
        for person in self.people.values():
            person["agents"].discard(sid)

    def add_class(self, cid, kind):
        self.classes[cid] = {"title": cid.upper(), "kind": kind}

    def enroll(self, cid, sid):
        role = "student" if self.people[sid]["role"] == "student" else "teacher"
        self.enrollments.add((cid, sid, role))

    def take_out(self, cid, sid):
        self.enrollments = {e for e in self.enrollments if e[:2] != (cid, sid)}

    def of_role(self, role):
        return [sid for sid, person in self.people.items() if person["role"] == role]

    def enrolled(self, cid, role):
        return {sid for c, sid, r in self.enrollments if c == cid and r == role}

    def homerooms(self):
        return [cid for cid, klass in self.classes.items() if klass["kind"] == "homeroom"]

    def homeroom_of(self, sid):
        return next((cid for cid, s, _ in self.enrollments if s == sid and self.classes[cid]["kind"] == "homeroom"), None)

    # ---- files

    def rows(self):
        """File -> sourcedId -> row, of what changes."""
        tables = {name: {} for name in CHANGING}
        for cid, klass in self.classes.items():
            tables["classes"][cid] = {"title": klass["title"], "grades": "9", "courseSourcedId": "k1", "classType": klass["kind"],
                                      "schoolSourcedId": SCHOOL, "termSourcedIds": "y1"}
        for sid, person in self.people.items():
            tables["users"][sid] = {"enabledUser": "true", "username": sid, "givenName": person["given"],
                                    "familyName": person["family"], "agentSourcedIds": ",".join(sorted(person["agents"])),
                                    "primaryOrgSourcedId": SCHOOL}
            tables["roles"]["r-" + sid] = {"userSourcedId": sid, "roleType": "primary", "role": person["role"], "orgSourcedId": SCHOOL}
            if person["role"] == "student":
                tables["demographics"][sid] = {"birthDate": BIRTH, "sex": "female"}
        for cid, sid, role in self.enrollments:
            primary = role == "teacher" and self.classes[cid]["kind"] == "homeroom"
            tables["enrollments"][f"e-{cid}-{sid}"] = {
                "classSourcedId": cid, "schoolSourcedId": SCHOOL, "userSourcedId": sid, "role": role,
                "primary": "true" if primary else "false"}
        return tables

    @staticmethod
    def archive(tables, modes):
        """tables: file -> rows with their sourcedId; modes: file -> bulk or delta, and absent for the others."""
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as export:
            manifest = [("propertyName", "value"), ("manifest.version", "1.0"), ("oneroster.version", "1.2")]
            manifest += [("file." + name, modes.get(name, "absent")) for name in COLUMNS]
            text = io.StringIO()
            csv.writer(text).writerows(manifest)
            export.writestr("manifest.csv", text.getvalue())
            for name in modes:
                text = io.StringIO()
                writer = csv.DictWriter(text, COLUMNS[name].split(), restval="")
                writer.writeheader()
                writer.writerows(tables[name])
                export.writestr(name + ".csv", text.getvalue())
        return out.getvalue()

    def bulk(self):
        tables = {name: [{"sourcedId": key, **row} for key, row in rows.items()] for name, rows in self.rows().items()}
        tables["orgs"] = [{"sourcedId": SCHOOL, "name": "Школа № 1", "type": "school"}]
        tables["academicSessions"] = [{"sourcedId": "y1", "title": "2026/2027", "type": "schoolYear", "startDate": "2026-09-01",
                                       "endDate": "2027-05-31", "schoolYear": "2027"}]
        tables["courses"] = [{"sourcedId": "k1", "schoolYearSourcedId": "y1", "title": "Класс", "orgSourcedId": SCHOOL}]
        return self.archive(tables, dict.fromkeys(COLUMNS, "bulk"))

    def delta_from(self, old):
        """What has changed since the old one."""
        moment = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + ".%03dZ" % (moment * 1000 % 1000)
        tables, before = {}, old.rows()
        for name, rows in self.rows().items():
            tables[name] = [{"sourcedId": key, "status": "active", "dateLastModified": stamp, **row}
                            for key, row in rows.items() if before[name].get(key) != row]
            tables[name] += [{"sourcedId": key, "status": "tobedeleted", "dateLastModified": stamp}
                             for key in before[name] if key not in rows]
        return self.archive(tables, dict.fromkeys((name for name in tables if tables[name]), "delta"))

    def emptied(self):
        """A bulk export of a school that nobody is in."""
        other = Roster()
        other.add_class("c1", "homeroom")
        return other.bulk()

    def broken(self):
        """A bulk export in which somebody is enrolled in a class that is not there."""
        other = self.copy()
        sid = other.of_role("student")[0]
        other.classes["c-none"] = {"title": "?", "kind": "homeroom"}
        other.enroll("c-none", sid)
        tables = other.rows()
        del tables["classes"]["c-none"]
        other.rows = lambda: tables
        return Roster.bulk(other)

    # ---- what must lie, and who must be where

    def records(self):
        lie = {f"class {cid} {klass['kind']} {klass['title']}" for cid, klass in self.classes.items()}
        lie |= {f"person {sid} {person['family']} {person['given']}" for sid, person in self.people.items()}
        lie |= {f"role {sid} {ROLE_WORDS[person['role']]}" for sid, person in self.people.items()}
        lie |= {f"enrollment {cid} {sid} {self.post(cid, role)}" for cid, sid, role in self.enrollments}
        lie |= {f"role {sid} class_teacher" for cid, sid, role in self.enrollments if self.post(cid, role) == "class_teacher"}
        return lie | {f"guardianship {sid} {agent}" for sid, person in self.people.items() for agent in person["agents"]}

    def post(self, cid, role):
        if role == "student":
            return "pupil"
        return "class_teacher" if self.classes[cid]["kind"] == "homeroom" else "teacher"

    def rooms(self, guests):
        """(kind, class or "") -> who is in it. guests: (name, homeroom) of the pupils whom the school itself let in."""
        everybody = set(self.people) | {name for name, _ in guests}
        rooms = {("school_space", ""): everybody, ("announcements", ""): set(everybody),
                 ("staff", ""): {sid for sid, person in self.people.items() if person["role"] in STAFF}}
        for cid, klass in self.classes.items():
            pupils, teachers = self.enrolled(cid, "student"), self.enrolled(cid, "teacher")
            pupils_here = pupils | {name for name, homeroom in guests if homeroom == cid}
            if klass["kind"] == "scheduled":
                rooms["subject", cid] = pupils_here | teachers
                continue
            parents = {agent for sid in pupils for agent in self.people[sid]["agents"]}
            rooms["class", cid] = pupils_here | teachers
            rooms["guardians", cid] = parents | teachers
            rooms["class_space", cid] = pupils_here | parents | teachers
        return rooms


def sample():
    """Three homerooms with their teachers, pupils and guardians, two subject groups, a head, an administrator."""
    roster = Roster()
    roster.add_person("principal", "head")
    roster.add_person("siteAdministrator", "admin")
    for n in range(1, 6):
        roster.add_person("teacher", f"t{n}")
    for n in range(1, 4):
        cid = f"c{n}"
        roster.add_class(cid, "homeroom")
        roster.enroll(cid, f"t{n}")
        for k in range(1, 7):
            pupil = roster.add_person("student", f"p{n}{k}")
            roster.enroll(cid, pupil)
            if k <= 3:
                roster.people[pupil]["agents"].add(roster.add_person("guardian", f"g{n}{k}"))
    for n in range(1, 3):
        roster.add_class(f"x{n}", "scheduled")
        roster.enroll(f"x{n}", f"t{n + 3}")
        for k in range(1, 4):
            roster.enroll(f"x{n}", f"p{n}{k}")
    return roster


class Changes:
    """One small change after the other, drawn at random. Who is `kept` stays who and where they are; movers change their class."""

    def __init__(self, random, kept, movers):
        self.random, self.kept, self.movers, self.count = random, kept, movers, 0
        self.kinds = (self.move, self.move, self.come, self.go, self.bond, self.part, self.retitle, self.rename, self.regroup,
                      self.replace_teacher)

    def next(self, old):
        """Another roster than the old one."""
        while True:
            new = old.copy()
            for _ in range(self.random.randint(1, 3)):
                self.random.choice(self.kinds)(new)
            if new.records() != old.records():
                return new

    def pupils(self, r, but=()):
        return sorted(set(r.of_role("student")) - self.kept - set(but))

    def move(self, r):
        sid = self.random.choice(sorted(self.movers))
        cid = r.homeroom_of(sid)
        r.take_out(cid, sid)
        r.enroll(self.random.choice([c for c in r.homerooms() if c != cid]), sid)

    def come(self, r):
        if len(r.of_role("student")) < 24:
            sid = r.add_person("student")
            r.enroll(self.random.choice(r.homerooms()), sid)
            if self.random.random() < 0.5:
                r.people[sid]["agents"].add(r.add_person("guardian"))

    def go(self, r):
        going = self.pupils(r, self.movers)
        parents = sorted(sid for sid in set(r.of_role("guardian")) - self.kept
                         if not any(sid in person["agents"] for person in r.people.values()))
        if going + parents and len(r.of_role("student")) > 15:
            r.drop_person(self.random.choice(going + parents))

    def bond(self, r):
        child = self.random.choice(self.pupils(r) or sorted(self.movers))
        if len(r.people[child]["agents"]) < 2:
            r.people[child]["agents"].add(self.random.choice(sorted(set(r.of_role("guardian")) - self.kept)))

    def part(self, r):
        child = self.random.choice(self.pupils(r) or sorted(self.movers))
        if r.people[child]["agents"]:
            r.people[child]["agents"].remove(self.random.choice(sorted(r.people[child]["agents"])))

    def retitle(self, r):
        self.count += 1
        r.classes[self.random.choice(sorted(r.classes))]["title"] = f"9-{self.count}"

    def rename(self, r):
        self.count += 1
        r.people[self.random.choice(self.pupils(r))]["family"] = f"Новый{self.count}"

    def regroup(self, r):
        cid, sid = self.random.choice(["x1", "x2"]), self.random.choice(self.pupils(r))
        if sid in r.enrolled(cid, "student"):
            r.take_out(cid, sid)
        else:
            r.enroll(cid, sid)

    def replace_teacher(self, r):
        """The third class gets another class teacher."""
        old = next(iter(r.enrolled("c3", "teacher")))
        r.take_out("c3", old)
        r.enroll("c3", self.random.choice([sid for sid in ("t3", "t4", "t5") if sid != old]))
