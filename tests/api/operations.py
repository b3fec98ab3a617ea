"""Every operation is called, and does what it says; its replies are as described."""
import io
import json
import zipfile
from urllib.parse import quote

from harness import V3, until

NO_SUCH = {"school": "s-none", "class": "c-none", "userId": "@pnobody:school.example", "child": "@pnobody:school.example",
           "guardian": "@pnobody:school.example", "role": "teacher", "roomId": "!none", "deviceId": "NONE", "report": "99999",
           "operator": "99999", "held": "99999", "link": "99999", "claim": "99999", "application": "99999", "sid": "none"}
REASON = {"Parta-Override-Reason": quote("Срочная замена на время болезни")}


def cast(office):
    """People of the sample's first school, and the second school's administrator."""
    everybody = office.pages(office.operator, "listPeople", 500, {"school": "s1"})

    def first(role, but=()):
        return next(p for p in everybody if any(r["role"] == role for r in p["roles"]) and
                    not any(r["role"] in but for r in p["roles"]))
    office.admin = office.person(first("administrator"))
    office.head = office.person(first("head"))
    office.pupil = office.person(first("pupil"))
    office.klass = office.ok(office.operator, "listEnrollmentsOfPerson", userId=office.pupil.user_id)["items"]
    homerooms = {c["class"] for c in office.pages(office.operator, "listClasses", 100, {"school": "s1"}) if c["kind"] == "homeroom"}
    office.klass = next(e["class"] for e in office.klass if e["class"] in homerooms)
    rows = office.pages(office.operator, "listEnrollments", 100, **{"class": office.klass})
    teacher = next(e["user_id"] for e in rows if e["role"] == "class_teacher")
    office.class_teacher = office.person(next(p for p in everybody if p["user_id"] == teacher))
    office.guardian = office.person(next(p for p in everybody if p["user_id"] == next(
        g["guardian"] for g in office.ok(office.operator, "listGuardianships", {"user_id": office.pupil.user_id})["items"])))
    office.external = office.person(first("external"))
    office.teacher = office.person(first("teacher", but=("class_teacher", "guardian")))
    foreign = office.pages(office.operator, "listPeople", 500, {"school": "s2", "role": "administrator"})
    office.outsider = office.person(foreign[0])
    office.classes = sorted(homerooms)


def schools_and_classes(tap, office):
    op, admin = office.operator, office.admin
    made = office.call(op, "createSchool", body={"name": "Школа № 99", "school": "s99"})
    tap.ok(made.status == 201 and made["school"] == "s99" and made["source"] == "school", "a school is made", made)
    renamed = office.call(op, "changeSchool", body={"name": "Лицей № 99"}, school="s99")
    tap.ok(renamed["name"] == "Лицей № 99", "a school is renamed", renamed)
    tap.ok([s["school"] for s in office.ok(admin, "listSchools")["items"]] == ["s1"], "A1: an administrator sees their school alone")
    tap.ok({s["school"] for s in office.ok(op, "listSchools")["items"]} >= {"s1", "s2", "s99"}, "an operator sees all")
    office.ok(admin, "getSchool", school="s1")
    made = office.call(admin, "createClass", body={"school": "s1", "title": "1Я", "grade": "1"})
    tap.ok(made.status == 201 and made["kind"] == "homeroom", "an administrator makes a class", made)
    office.new_class = made["class"]
    changed = office.call(admin, "changeClass", body={"title": "1Э", "grade": "1"}, **{"class": office.new_class})
    tap.ok(changed.status == 200 and changed["title"] == "1Э", "and renames it", changed)
    office.ok(admin, "getClass", **{"class": office.new_class})
    rooms = office.pages(admin, "listRooms", 7, {"school": "s1", "kind": "class"})
    tap.ok(any(r.get("class") == office.new_class and "1Э" in r.get("name", "") for r in rooms),
           "E1: the new class has its room, under its new name", rooms)


def people(tap, office):
    admin, op = office.admin, office.operator
    made = office.call(admin, "createPerson", body={
        "school": "s1", "role": "pupil", "class": office.new_class, "given_name": "Ева", "family_name": "Новая",
        "middle_name": "Петровна", "birth_date": "2018-03-04"})
    tap.ok(made.status == 201, "an administrator makes a pupil", made)
    child = office.new_child = made["user_id"]
    tap.ok(made["standing"] == "restricted", "D7: who is restricted, having no guardian yet", made)
    tap.ok([r["role"] for r in made["roles"]] == ["pupil"], "the role follows from the class", made)
    members = office.ok(admin, "listRoomMembers", roomId=room_of(office, office.new_class, "class"))["items"]
    tap.ok(any(m["user_id"] == child and m["held"] for m in members), "E2: the roster holds her in the class room", members)
    made = office.call(admin, "createPerson", body={
        "school": "s1", "role": "guardian", "child": child, "given_name": "Пётр", "family_name": "Новый"})
    tap.ok(made.status == 201, "a guardian comes with the child", made)
    parent = office.new_parent = made["user_id"]
    tap.ok(office.ok(admin, "getPerson", userId=child)["standing"] == "active", "D7: with whom she is restricted no more")
    changed = office.call(admin, "changePerson", body={"given_name": "Ева", "family_name": "Иная", "birth_date": "2018-03-04"},
                          userId=child)
    tap.ok(changed.status == 200 and changed["family_name"] == "Иная" and "middle_name" not in changed.json,
           "what a record says is put as a whole", changed)
    found = office.pages(admin, "listPeople", 100, {"school": "s1", "name": "ИНА"})
    tap.ok([p["user_id"] for p in found] == [child], "people are found by how a name begins, whatever the case", found)
    guardians = office.ok(admin, "listGuardianships", {"user_id": child})["items"]
    tap.ok([g["guardian"] for g in guardians] == [parent], "guardianships of a person", guardians)
    family = {"child": child, "guardian": parent}
    vague = office.call(admin, "setCustody", body={"custody": "separate", "reason": "так надо"}, **family)
    tap.ok(vague.status == 400 and vague.json.get("org.parta.parameter") == "reason", "D9: custody needs a reason", vague)
    office.ok(admin, "enroll", body={"user_id": parent, "role": "teacher"}, **{"class": office.new_class})
    told = office.call(admin, "setCustody", body={"custody": "no_contact", "reason": "Решение № 2-114 от 3 марта"}, **family)
    tap.ok(told.status == 200 and told["custody"] == "no_contact" and told.json == office.ok(admin, "getCustody", **family), "D9: and has one", told)
    tap.ok([(t["user_id"], t["class"]) for t in told["together"]] == [(child, office.new_class)], "D9: the office is told where they meet", told)
    office.ok(admin, "endEnrollment", userId=parent, role="teacher", **{"class": office.new_class})
    tap.ok(office.ok(op, "getCustody", **family)["together"] == [], "D9: and that they do not any more")
    tap.ok(office.ok(op, "getPerson", userId=child)["standing"] == "restricted", "D9, D7: a guardian without contact is none")
    office.ok(admin, "setCustody", body={"custody": "shared", "reason": "Решение отменено 5 марта"}, **family)
    office.ok(admin, "endGuardianship", child=child, guardian=parent)
    left = office.call(admin, "setCustodyLeft", body={"custody": "separate", "reason": "Решение № 2-115 от 3 марта"}, child=child)
    tap.ok(left.status == 200 and left.json == {"custody": "separate"} == office.ok(op, "getCustodyLeft", child=child),
           "D9: what stands of a child with a guardian who is named no more", left)
    office.ok(admin, "setCustodyLeft", body={"custody": "shared", "reason": "Решение отменено 5 марта"}, child=child)
    tap.ok(office.ok(op, "getPerson", userId=child)["standing"] == "restricted", "D7: without the last guardian, restricted again")
    office.ok(op, "createGuardianship", body={"child": child, "guardian": parent})
    office.ok(admin, "listEnrollmentsOfPerson", userId=child)
    role = office.call(admin, "giveRole", body={"school": "s1", "role": "staff", "begin": "2020-09-01"}, userId=office.teacher.user_id)
    tap.ok(role.status == 200 and {"staff", "teacher"} <= {r["role"] for r in role["roles"]}, "B2: roles add up", role)
    ended = office.call(admin, "endRole", {"begin": "2020-09-01"}, userId=office.teacher.user_id, school="s1", role="staff")
    tap.ok(ended.status == 200 and "staff" not in {r["role"] for r in ended["roles"]}, "and end", ended)
    office.ok(admin, "enroll", body={"user_id": office.teacher.user_id, "role": "class_teacher"}, **{"class": office.new_class})
    office.ok(admin, "endEnrollment", userId=office.teacher.user_id, role="class_teacher", **{"class": office.new_class})
    third = office.call(admin, "createGuardianship", body={"child": child, "guardian": office.guardian.user_id})
    fourth = office.call(admin, "createGuardianship", body={"child": child, "guardian": office.class_teacher.user_id})
    tap.ok(third.status == 200 and fourth.status in (403, 409) and fourth.json.get("org.parta.rule") == "D5",
           "D5: a third guardian is refused", third, fourth)
    office.ok(admin, "endGuardianship", child=child, guardian=office.guardian.user_id)


def accounts(tap, office):
    admin, pupil = office.admin, office.pupil
    second = office.sign_in(pupil.user_id, office.passwords[pupil.user_id]["password"])
    sessions = office.ok(admin, "listSessions", userId=pupil.user_id)["items"]
    tap.ok(len(sessions) == 2, "H1: where a person is signed in", sessions)
    own = office.server.request("GET", f"{V3}/account/whoami", token=second)["device_id"]
    office.ok(admin, "endSession", userId=pupil.user_id, deviceId=own)
    tap.ok(office.server.request("GET", f"{V3}/account/whoami", token=second).status == 401, "H1: a session is ended at once")
    again = office.call(admin, "endSession", userId=pupil.user_id, deviceId=own)
    tap.ok(again.status == 404, "and is then not there", again)
    suspended = office.call(admin, "changeStanding", body={"standing": "suspended"}, userId=pupil.user_id)
    tap.ok(suspended.status == 200 and suspended["standing"] == "suspended", "A3: the office suspends", suspended)
    back = office.call(admin, "changeStanding", body={"standing": "active"}, userId=pupil.user_id)
    tap.ok(back.status == 200 and back["standing"] in ("active", "restricted"), "and takes it back", back)
    told = office.call(admin, "sendNotice", body={"body": "В субботу сервер обновляют."}, userId=pupil.user_id)
    tap.ok(told.status == 201 and told["event_id"].startswith("$"), "a server notice is sent", told)
    lost = {"reason": "Телефон потерян, личность проверена"}
    reset = office.call(admin, "resetSecondFactor", body=lost, userId=pupil.user_id)
    tap.ok(reset.status == 200, "H1: who has lost the second factor does without", reset)
    tap.ok(office.call(admin, "resetSecondFactor", body=lost, userId=admin.user_id).status == 403, "J4: but not oneself")
    tap.ok(office.call(admin, "resetSecondFactor", body={"reason": "............"}, userId=pupil.user_id).status == 400, "and with a reason")
    office.ok(admin, "endSessions", userId=pupil.user_id)
    tap.ok(office.server.request("GET", f"{V3}/account/whoami", token=pupil.token).status == 401, "or everywhere")
    pupil.token = office.sign_in(pupil.user_id, office.passwords[pupil.user_id]["password"])


def room_of(office, klass, kind):
    rooms = office.pages(office.operator, "listRooms", 100, {"school": "s1", "kind": kind})
    return next(r["room_id"] for r in rooms if r.get("class") == klass)


def rooms(tap, office):
    admin, op = office.admin, office.operator
    club = office.server.request("POST", f"{V3}/createRoom", {"name": "Шахматы", "preset": "private_chat",
                                                              "invite": [office.head.user_id]}, office.teacher.token)
    tap.ok(club.status == 200, "a teacher makes a club", club)
    club = office.club = club["room_id"]
    office.server.request("POST", f"{V3}/join/{quote(club)}", {}, office.head.token)
    told = office.call(admin, "getRoom", roomId=club)
    tap.ok(told.status == 200 and told["kind"] == "club" and told["owner"] == office.teacher.user_id and
           told["name"] == "Шахматы", "the office sees who answers for it", told)
    owner = office.call(admin, "changeRoomOwner", body={"user_id": office.head.user_id}, roomId=club)
    tap.ok(owner.status == 200 and office.ok(admin, "getRoom", roomId=club)["owner"] == office.head.user_id,
           "E5: and says who does from now on", owner)
    stranger = office.call(admin, "changeRoomOwner", body={"user_id": office.pupil.user_id}, roomId=club)
    tap.ok(stranger.status == 409, "who must be in the room", stranger)
    external = office.external.user_id
    named = office.call(admin, "nameMember", body={}, roomId=club, userId=external)
    members = {m["user_id"]: m for m in office.ok(admin, "listRoomMembers", roomId=club)["items"]}
    tap.ok(named.status == 200 and members.get(external, {}).get("named"), "E7: an external person is named for a room", named, members)
    office.ok(admin, "unnameMember", roomId=club, userId=external)
    made = office.call(admin, "createAssociation", body={"school": "s1", "name": "Физики района"})
    tap.ok(made.status == 201, "E8: a school's office makes an association room", made)
    room = made["room_id"]
    code = office.call(admin, "createAssociationCode", body={"school": "s1"}, roomId=room)
    tap.ok(code.status == 201, "draws a code", code)
    agreed = office.call(office.outsider, "agreeToAssociation", body={"school": "s2", "code": code["code"]})
    tap.ok(agreed.status == 200 and agreed["room_id"] == room, "and another school agrees with it", agreed)
    tap.ok([a["room_id"] for a in office.ok(office.outsider, "listAssociations", {"school": "s2"})["items"]] == [room], "which then lists it")
    told = office.ok(office.outsider, "getRoom", roomId=room)
    tap.ok(told["schools"] == ["s2"], "A1: but names no other school", told)
    office.ok(office.outsider, "leaveAssociation", body={"school": "s2"}, roomId=room)
    tap.ok(len(office.pages(op, "listRooms", 9, {"school": "s1"})) > 10, "an operator lists the rooms of a school")


def policies(tap, office):
    admin, op = office.admin, office.operator
    office.ok(op, "getServerPolicy")
    first = office.call(admin, "getPolicy", school="s1")
    tap.ok(first["version"] == 0 and first["document"] == {} and first["in_force"], "without a document, the defaults are in force", first)
    document = {"direct": {"pupil": {"pupil": True}}}
    put = office.call(admin, "setPolicy", body={"document": document, "reason": "Решение педсовета от 1 сентября"}, school="s1")
    tap.ok(put.status == 200 and put["version"] == 1 and put["in_force"]["direct"]["pupil"]["pupil"] is True,
           "a document is in force at once", put)
    stale = office.call(admin, "setPolicy", body={"document": {}, "reason": "Отменяем решение"}, headers={"If-Match": '"7"'}, school="s1")
    tap.ok(stale.status == 412, "If-Match: not when it has changed since", stale)
    fresh = office.call(admin, "setPolicy", body={"document": {}, "reason": "Отменяем решение"},
                        headers={"If-Match": put.headers["etag"]}, school="s1")
    tap.ok(fresh.status == 200 and fresh["version"] == 2 and not fresh["in_force"]["direct"]["pupil"]["pupil"], "otherwise it is", fresh)
    bad = office.call(admin, "setPolicy", body={"document": {"direct": {"pupil": {"pupil": 7}}}, "reason": "Проверка ошибки"}, school="s1")
    tap.ok(bad.status == 400 and "direct.pupil.pupil" in bad.json.get("org.parta.problem", ""), "what is wrong in a document is said", bad)
    mute = office.call(admin, "setPolicy", body={"document": {}, "reason": "так"}, school="s1")
    tap.ok(mute.status == 400, "without a reason, no", mute)
    versions = office.pages(admin, "listPolicyVersions", 1, school="s1")
    tap.ok([v["version"] for v in versions] == [2, 1] and versions[1]["author"] == admin.user_id, "every version is kept, with who and why", versions)
    other = office.call(admin, "setServerPolicy", body={"document": {}, "reason": "Хочу для всех школ"})
    tap.ok(other.status == 403, "the server's own is its operator's", other)
    office.ok(op, "setServerPolicy", body={"document": {"polls": ["teacher"]}, "reason": "Единые правила опросов"})
    tap.ok(office.ok(admin, "getPolicy", school="s1")["in_force"]["polls"] == ["teacher"], "and counts where a school says nothing")
    office.ok(op, "setServerPolicy", body={"document": {}, "reason": "Возвращаем как было"})
    office.pages(op, "listServerPolicyVersions", 10)


def roster_with(archive, changes):
    """The zip with files changed, each by a function of its text; a new one is made of nothing."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as before, zipfile.ZipFile(out, "w") as after:
        for name in [*before.namelist(), *(n for n in changes if n not in before.namelist())]:
            text = before.read(name).decode() if name in before.namelist() else ""
            after.writestr(name, changes.get(name, str)(text))
    return out.getvalue()


def imports(tap, office):
    op = office.operator
    with open(office.archive, "rb") as file:
        archive = file.read()
    tried = office.call(op, "importRoster", {"dry_run": "true"}, archive)
    tap.ok(tried.status == 200 and tried["dry_run"] and isinstance(tried["difference"], list), "an import is tried", tried)
    again = office.call(op, "importRoster", None, archive)
    tap.ok(again.status == 200, "and done", again)
    third = office.call(op, "importRoster", None, archive)
    tap.ok(third.status == 200 and third["changes"] == {}, "the same once more changes nothing", third)
    bad = office.call(op, "importRoster", None, b"PK\x03\x04 not really")
    tap.ok(bad.status == 400 and bad.json.get("org.parta.problem"), "what is no roster is refused with the reason", bad)
    wrong = office.call(op, "importRoster", {"dry_run": "true"}, roster_with(archive, {
        "users.csv": lambda rows: rows.replace("agentSourcedIds", "agents", 1),
        "enrollments.csv": lambda rows: rows.replace(",student,", ",pupil,")}))
    named = wrong.json.get("org.parta.problems", [])
    tap.ok(wrong.status == 400 and wrong.json["org.parta.problem_count"] > len(named) == 100 and
           "agentSourcedIds is missing" in named[0]["problem"] and named[1]["line"] > 1 and named[1]["sourcedId"],
           "a roster that is refused: every problem is counted, a hundred are named", wrong)
    remarked = office.call(op, "importRoster", {"dry_run": "true"}, roster_with(archive, {
        "enrollments.csv": lambda rows: rows.replace(",teacher,true,", ",teacher,,"), "old/users.csv": lambda rows: "x"}))
    tap.ok(remarked.status == 200 and
           {"files_unread", "class_teachers_alone"} <= {r["kind"] for r in remarked["remarks"] if r["count"] and r["places"]},
           "what is left out, and what is taken otherwise, is said", remarked)
    listed = office.pages(op, "listImports", 1)
    tap.ok(len(listed) >= 2 and listed[0]["source"] == "roster", "imports are listed", listed)
    refused = office.call(office.admin, "importRoster", None, archive)
    tap.ok(refused.status == 403, "a school's administrator imports nothing", refused)
    held_imports(tap, office, archive)
    year = office.call(op, "turnYear", body={"dry_run": True}, school="s2")
    tap.ok(year.status == 200 and year["dry_run"], "G3: the rollover is tried", year)


def emptied(archive):
    """The export with header lines alone where people stand."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            text = old.read(name)
            new.writestr(name, text.split(b"\n")[0] + b"\n" if name in
                         ("users.csv", "roles.csv", "enrollments.csv", "demographics.csv") else text)
    return out.getvalue()


def small_archive():
    files = {
        "manifest.csv": "propertyName,value\nmanifest.version,1.0\noneroster.version,1.2\n" + "".join(
            f"file.{name},bulk\n" for name in ("academicSessions", "orgs", "courses", "classes", "users", "roles", "enrollments")),
        "academicSessions.csv": "sourcedId,title,type,startDate,endDate,schoolYear\nsy,Год,schoolYear,2026-09-01,2027-05-31,2027\n",
        "orgs.csv": "sourcedId,name,type\nsmall,Малая школа,school\n",
        "courses.csv": "sourcedId,title,orgSourcedId\nsc,Класс,small\n",
        "classes.csv": "sourcedId,title,grades,courseSourcedId,classType,schoolSourcedId,termSourcedIds\n",
        "users.csv": "sourcedId,enabledUser,username,givenName,familyName,middleName,agentSourcedIds\n" + "".join(
            f"sm{i},true,sm{i},Имя,Малый,,\n" for i in range(3)),
        "roles.csv": "sourcedId,userSourcedId,roleType,role,beginDate,endDate,orgSourcedId\n" + "".join(
            f"sr{i},sm{i},primary,teacher,,,small\n" for i in range(3)),
        "enrollments.csv": "sourcedId,classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate\n"}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return out.getvalue()


def held_imports(tap, office, archive):
    op = office.operator
    before = len(office.pages(op, "listPeople", 500))
    tap.ok(office.ok(op, "listHeldImports")["items"] == [], "G5: nothing is held")
    held = office.call(op, "importRoster", None, emptied(archive))
    tap.ok(held.status == 409 and held["errcode"] == "ORG.PARTA_HELD" and held["loss"] and len(held["difference"]) > 100,
           "G5: header lines alone are held, with the list", held)
    number, version = held["held"], held.headers["etag"]
    tap.ok(len(office.pages(op, "listPeople", 500)) == before, "and nobody is gone")
    listed = office.ok(op, "listHeldImports")["items"]
    tap.ok([h["held"] for h in listed] == [number] and f'"{listed[0]["version"]}"' == version, "it is listed with its version", listed)
    shown = office.call(op, "getHeldImport", held=number)
    tap.ok(shown.headers["etag"] == version and shown["difference"] == held["difference"], "and shown", shown)
    tap.ok(office.call(office.admin, "listHeldImports").status == 403, "to operators")
    told = [notice["rule"] for notice in office.ok(office.admin, "getMe")["notices"]]
    tap.ok("G5" in told, "a school's administrator is told that it waits", told)
    tap.ok("G5" not in [notice["rule"] for notice in office.ok(office.pupil, "getMe")["notices"]], "a pupil is not")
    tap.ok(office.call(op, "confirmHeldImport", held=number).status == 428, "If-Match is required to confirm it")
    tap.ok(office.call(op, "confirmHeldImport", headers={"If-Match": '"7"'}, held=number).status == 412, "and the version that was shown")
    tap.ok(office.call(op, "dropHeldImport", headers={"If-Match": '"7"'}, held=number).status == 412, "to forget it, too")
    office.ok(op, "dropHeldImport", headers={"If-Match": version}, held=number)
    tap.ok(office.ok(op, "listHeldImports")["items"] == [], "then it is forgotten")
    small = small_archive()
    office.ok(op, "importRoster", {"source": "small"}, small)
    held = office.call(op, "importRoster", {"source": "small"}, emptied(small))
    tap.ok(held.status == 409 and held["loss"][0]["gone"] == 3, "of a small school nobody would be left", held)
    done = office.call(op, "confirmHeldImport", headers={"If-Match": held.headers["etag"]}, held=held["held"])
    tap.ok(done.status == 200 and done["changes"]["accounts_closed"] == 3, "what is confirmed is done", done)
    again = office.call(op, "importRoster", {"source": "small"}, small)
    tap.ok(again.status == 200 and again["changes"]["accounts_reopened"] == 3, "and what it took comes back", again)
    older = office.call(op, "importRoster", {"older": "true"}, archive)
    tap.ok(older.status == 400, "older needs a reason", older)


def reports(tap, office):
    reported = office.server.request("POST", f"{V3}/rooms/{quote(office.club)}/report", {"reason": "Плохая комната"}, office.teacher.token)
    tap.ok(reported.status == 200, "F5: a room is reported", reported)
    listed = office.pages(office.admin, "listReports", 10, {"school": "s1", "state": "open"})
    tap.ok(len(listed) == 1 and listed[0]["reporter"] == office.teacher.user_id, "the office reads it", listed)
    number = listed[0]["report"] if listed else "1"
    one = office.call(office.admin, "getReport", report=number)
    closed = office.call(office.admin, "closeReport", body={"resolution": "Поговорили"}, headers={"If-Match": one.headers["etag"]}, report=number)
    tap.ok(closed.status == 200, "and settles it", closed)
    tap.ok(office.ok(office.admin, "getReport", report=number)["resolution"] == "Поговорили", "with a word on how")


def audit(tap, office):
    entries = office.pages(office.admin, "listAudit", 13, {"school": "s1"})
    acts = {e["entry"]["act"] for e in entries}
    tap.ok("policy.set" in acts and all(e["entry"]["school"] == "s1" for e in entries), "J2: a school's acts are in its part of the log", acts)
    every = office.pages(office.operator, "listAudit", 50)
    numbers = [e["entry"]["seq"] for e in every]
    tap.ok(numbers == sorted(set(numbers)) and numbers[-1] - numbers[0] > len(numbers), "numbers rise, and do not count (A1)", numbers[:5])
    newest = office.ok(office.operator, "listAudit", {"newest": "true", "limit": 3})["items"]
    tap.ok([e["entry"]["seq"] for e in newest] == numbers[:-4:-1], "or newest first", newest)
    head = office.ok(office.operator, "getAuditHead")["head"]
    whole = office.ok(office.operator, "exportAudit").decode()
    path = office.server.folder + "/audit.log"
    with open(path, "w", encoding="utf-8") as file:
        file.write(whole)
    tap.ok("whole" in office.parta("audit", "verify", path, "--head", head), "the export verifies, with the head")
    part = office.ok(office.admin, "exportAudit", {"school": "s1"}).decode()
    with open(path, "w", encoding="utf-8") as file:
        file.write(part)
    tap.ok("whole" in office.parta("audit", "verify", path), "a school's part verifies too")
    with open(path, "w", encoding="utf-8") as file:
        file.write(whole.replace("policy.set", "policy.get", 1))
    office.parta("audit", "verify", path, status=1)
    names = json.dumps([e["entry"] for e in every], ensure_ascii=False)
    tap.ok("Новая" not in names and "Ева" not in names, "J2: the log holds no names of people")


def operators(tap, office):
    made = office.call(office.operator, "createOperator", body={"name": "reader", "scopes": ["read", "audit"]})
    tap.ok(made.status == 201 and made["token"].startswith("parta_") and made["scopes"] == ["read", "audit"], "an operator's token is made", made)
    twice = office.call(office.operator, "createOperator", body={"name": "reader", "scopes": ["read"]})
    tap.ok(twice.status == 409, "a name is for ever", twice)
    listed = office.pages(office.operator, "listOperators", 1)
    tap.ok(all("token" not in o for o in listed) and "reader" in {o["name"] for o in listed}, "tokens are listed without their secret", listed)
    office.reader = type(office.operator)(office, None, "", "", made["token"])
    denied = office.call(office.reader, "listOperators")
    tap.ok(denied.status == 403, "only for an operator who has every scope", denied)
    end = office.ok(office.operator, "createOperator", body={"name": "brief", "scopes": ["read"]})
    brief = type(office.operator)(office, None, "", "", end["token"])
    office.ok(brief, "listSchools")
    office.ok(office.operator, "revokeOperator", operator=end["operator"])
    gone = office.call(brief, "listSchools")
    tap.ok(gone.status == 401 and gone.errcode == "M_UNKNOWN_TOKEN", "a revoked one is nobody's", gone)


def explain(tap, office):
    yes = office.call(office.pupil, "explain", body={"act": "send", "room_id": room_of(office, office.klass, "class")})
    tap.ok(yes.status == 200 and yes["allowed"] and yes["kind"] == "allow" and yes["rules"] == [] and
           yes["facts"]["room"]["kind"] == "class", "J1: somebody asks about themselves", yes)
    no = office.call(office.pupil, "explain", body={"act": "leave", "room_id": room_of(office, office.klass, "class")})
    tap.ok(no.status == 200 and not no["allowed"] and no["kind"] == "refuse" and
           [r["rule"] for r in no["rules"] if r["decides"]] == ["E4"], "J1: and is told the rule that decides", no)
    done = office.server.request("POST", f"{V3}/rooms/{quote(room_of(office, office.klass, 'class'))}/leave", {}, office.pupil.token)
    tap.ok(done.status == 403 and done.json.get("org.parta.rule") == "E4", "which is what happens", done)
    about = office.call(office.admin, "explain", body={"act": "leave", "actor": office.pupil.user_id,
                                                       "room_id": room_of(office, office.klass, "class")})
    tap.ok(about.status == 200 and about["rules"] == no["rules"], "J1: an administrator asks about people of the school", about)
    others = office.call(office.pupil, "explain", body={"act": "name", "actor": office.teacher.user_id})
    tap.ok(others.status == 403, "a pupil not about others", others)
    operator = office.call(office.reader, "explain", body={"act": "policy", "school": "s1"})
    tap.ok(operator.status == 200 and not operator["allowed"] and operator["rules"][0]["code"] == "scope", "an operator about scopes", operator)
    unknown = office.call(office.outsider, "explain", body={"act": "invite", "target": office.pupil.user_id, "room_id": "!x"})
    tap.ok(unknown.status == 404, "A1: nobody about whom they may not know", unknown)
    vague = office.call(office.pupil, "explain", body={"act": "invite"})
    tap.ok(vague.status == 400, "what is not said is asked for", vague)
    refusal = no["rules"][0]
    told = office.call(office.pupil, "listRefusals", {"rule": refusal["rule"], "code": refusal["code"]})
    tap.ok(told.status == 200 and {r["en"] for r in told["items"]} >= {refusal["en"]} and
           all((r["rule"], r["code"]) == (refusal["rule"], refusal["code"]) for r in told["items"]), "J1: a refusal is looked up by rule and code", told)
    tap.ok(done.json["org.parta.code"] == refusal["code"] and
           done.json["org.parta.sentences"] == {"ru": refusal["ru"], "en": refusal["en"]}, "which its reply carries, with both sentences", done)
    every = office.pages(office.reader, "listRefusals", 7)
    tap.ok(len(every) > 90 and {"A1", "D5", "J3"} < {r["rule"] for r in every} and
           {r["code"] for r in every if r["overridable"]} == {"invited_by_you", "minor_as_staff", "roster_kept", "self", "settled", "together"}, "J1: every refusal is listed, page by page", len(every))
    office.same_as_described("refusals are as described")


def entry(tap, office):
    """Links, applications, sign-up, families."""
    admin = office.admin
    link = office.call(admin, "createLink", body={"kind": "class", "class": office.new_class, "role": "pupil", "uses": 3})
    tap.ok(link.status == 201 and link["token"], "C2: a class link is made", link)
    listed = office.pages(admin, "listLinks", 5, {"school": "s1", "state": "open"})
    tap.ok([item["link"] for item in listed] == [link["link"]] and "token" not in listed[0], "and listed without its token", listed)
    look = office.call(office.anybody, "lookAtLink", body={"token": link["token"]})
    tap.ok(look.status == 200 and look["school"] == "s1", "C2: what a link is for", look)
    signed = office.call(office.anybody, "signUp", body={"token": link["token"], "password": "Correct-Horse-7-Battery", "given_name": "Лев",
                                                         "family_name": "Гость", "birth_date": "2012-01-02"})
    tap.ok(signed.status == 200, "C1: somebody signs up", signed)
    applicant = type(admin)(office, signed["user_id"], [], "", signed["access_token"])
    me = office.call(applicant, "getMe")
    tap.ok(me.status == 200 and me["standing"] == "pending" and me["applications"][0]["confirmers"], "A3: is pending, and sees who confirms", me)
    number = me["applications"][0]["application"]
    office.ok(applicant, "changeApplication", body={"given_name": "Лев", "family_name": "Гостев", "birth_date": "2012-01-02"}, application=number)
    waiting = office.pages(admin, "listApplications", 1, {"school": "s1"})
    tap.ok([a["application"] for a in waiting] == [number] and waiting[0]["family_name"] == "Гостев", "the office sees who asks", waiting)
    seen = {"If-Match": office.call(admin, "getApplication", application=number).headers["etag"], **REASON}
    office.ok(applicant, "changeApplication", body={"family_name": "Директоров"}, application=number)
    unseen = office.call(admin, "approveApplication", body={}, headers=seen, application=number)
    tap.ok(unseen.status == 412, "C1: what was changed after the office looked is not approved", unseen)
    seen = {"If-Match": office.call(admin, "getApplication", application=number).headers["etag"]}
    alone = office.call(admin, "approveApplication", body={}, headers=seen, application=number)
    tap.ok(alone.status == 403 and alone["org.parta.rule"] == "J4", "J4: who made the link lets nobody in without a reason", alone)
    seen |= REASON
    approved = office.call(admin, "approveApplication", body={}, headers=seen, application=number)
    tap.ok(approved.status == 200 and approved["state"] == "approved", "and approves", approved)
    second = office.ok(office.anybody, "signUp", body={"token": link["token"], "password": "Correct-Horse-7-Battery", "given_name": "Ян",
                                                       "family_name": "Второй", "birth_date": "2012-01-02"})
    second = type(admin)(office, second["user_id"], [], "", second["access_token"])
    number = office.ok(second, "getMe")["applications"][0]["application"]
    office.ok(admin, "refuseApplication", body={"reason": "Не из нашей школы"}, headers={"If-Match": '"1"'}, application=number)
    again = office.call(second, "apply", body={"token": link["token"], "bind_to": second.user_id, "given_name": "Ян", "family_name": "Второй",
                                               "birth_date": "2012-01-02"})
    tap.ok(again.status == 201, "C1: an account that is there applies by a link", again)
    office.ok(second, "withdrawApplication", body={}, application=again["application"])
    tap.ok(office.prove(second, "Correct-Horse-7-Battery", "takeBackSignUp").status == 200, "C1: with the password")
    gone = office.call(second, "getMe")
    tap.ok(gone.status in (401, 403), "C1: who is not confirmed yet may go away again", gone)
    newcomers = [office.ok(office.operator, "createPerson", body={"school": "s1", "role": "teacher", "given_name": name, "family_name": "Ссылкина"})
                 for name in ("Ада", "Ида")]
    for person, operation, caller in zip(newcomers, ("confirmClaim", "undoClaim"), (office.operator, admin)):
        personal = office.ok(admin, "createLink", body={"kind": "personal", "user_id": person["user_id"]})
        office.ok(office.anybody, "signUp", body={"token": personal["token"], "password": "Correct-Horse-7-Battery"})
        waiting = [item["claim"] for item in office.pages(caller, "listClaims", 5, {"school": "s1"})]
        tap.ok(personal["link"] in waiting, "J4: who came by a personal link waits to be confirmed", waiting)
        alone = office.call(admin, "confirmClaim", body={}, claim=personal["link"])
        tap.ok(alone.status == 403, "J4: not by who made the link", alone)
        office.ok(caller, operation, body={}, claim=personal["link"])
        again = office.call(caller, operation, body={}, claim=personal["link"])
        tap.ok(again.status == 404, f"J4: {operation} once", again)
    office.ok(admin, "revokeLink", body={}, link=link["link"])
    dead = office.call(office.anybody, "lookAtLink", body={"token": link["token"]})
    tap.ok(dead.status >= 400, "C2: a revoked link lets nobody in", dead)
    for operation in ("submitCode", "getVerification"):
        body = {"client_secret": "abc", **({"token": "1"} if operation == "submitCode" else {})}
        answer = office.call(office.anybody, operation, body=body, sid="none")
        tap.ok(answer.status in (400, 403, 404), f"{operation}: no such session", answer)


def families(tap, office):
    password = office.parta("user", "password", office.new_child).split()[-1]
    child = type(office.admin)(office, office.new_child, [], "", office.sign_in(office.new_child, password))
    link = office.call(child, "createGuardianLink", body={})
    tap.ok(link.status == 201, "D1: a child makes a link for a parent", link)
    tap.ok(len(office.ok(child, "listGuardianLinks")["items"]) == 1, "and sees it")
    parent = office.guardian
    look = office.call(parent, "lookAtGuardianLink", body={"token": link["token"]})
    tap.ok(look.status == 200 and look["child"]["given_name"] == "Ева", "D2: the parent sees the child's data", look)
    confirmed = office.call(parent, "confirmAsGuardian", body={"token": link["token"], "bind_to": parent.user_id},
                            headers={"If-Match": look.headers["etag"]})
    tap.ok(confirmed.status == 200 and confirmed["outcome"] in ("confirmed", "waits"), "D2: and confirms", confirmed)
    children = office.ok(parent, "listChildren")["items"]
    tap.ok(office.new_child in [c["user_id"] for c in children], "D3: and sees the child", children)
    rooms_ = office.pages(parent, "listChildsRooms", 2, userId=office.new_child)
    tap.ok(len(rooms_) >= 3 and all("with" in r for r in rooms_), "D8: and which rooms she is in, with whom", rooms_)
    version = next(c["version"] for c in children if c["user_id"] == office.new_child)
    fix = office.call(parent, "correctChild", body={"middle_name": "Павловна"}, headers={"If-Match": f'"{version}"'}, userId=office.new_child)
    tap.ok(fix.status == 200, "D2: and corrects", fix)
    office.ok(parent, "withdrawAsGuardian", userId=office.new_child)
    tap.ok(office.new_child not in [c["user_id"] for c in office.ok(parent, "listChildren")["items"]], "D7: and withdraws")


def leaving(tap, office):
    admin = office.admin
    exported = office.call(admin, "exportPerson", userId=office.new_child)
    tap.ok(exported.status == 200 and exported.bytes[:2] == b"PK", "G4: the office exports a person", exported)
    password = office.parta("user", "password", office.new_parent).split()[-1]
    parent = type(admin)(office, office.new_parent, [], "", office.sign_in(office.new_parent, password))
    own = office.call(parent, "exportMe")
    tap.ok(own.status == 200 and own.bytes[:2] == b"PK", "G4: one exports one's own", own)
    made = office.ok(admin, "createPerson", body={"school": "s1", "role": "staff", "given_name": "Яна", "family_name": "Уходящая"})["user_id"]
    out = office.call(admin, "takeOutOfSchool", body={"school": "s1"}, userId=made)
    tap.ok(out.status == 200 and office.call(admin, "getPerson", userId=made).status == 404, "G2: who is taken out of the school is gone", out)
    left = office.prove(parent, password, "leaveSchool", {"school": "s1"})
    tap.ok(left.status == 200, "G1: one leaves a school", left)
    own = office.ok(admin, "createPerson", body={"school": "s1", "role": "staff", "given_name": "Ян", "family_name": "Забытый"})["user_id"]
    password = office.parta("user", "password", own).split()[-1]
    myself = type(admin)(office, own, [], "", office.sign_in(own, password))
    wrong = office.prove(myself, "not mine", "eraseMe")
    erased = office.prove(myself, password, "eraseMe")
    tap.ok(wrong.status == 401 and wrong.errcode == "M_FORBIDDEN" and erased.status == 200, "G4: one's own account is erased, with the password", wrong, erased)
    made = office.ok(admin, "createPerson", body={"school": "s1", "role": "staff", "given_name": "Ия", "family_name": "Чужая"})["user_id"]
    erased = office.prove(admin, office.passwords[admin.user_id]["password"], "erasePerson", {}, userId=made)
    tap.ok(erased.status == 200, "G4: the office erases a person", erased)
    office.ok(admin, "endClass", **{"class": office.new_class})
    tap.ok(office.ok(admin, "getClass", **{"class": office.new_class})["ended"], "a class ends")


SECTIONS = (schools_and_classes, people, accounts, rooms, policies, imports, reports, operators, explain, entry, families, audit, leaving)
# Success needs a mail server: tests/mail.
ELSEWHERE = {"submitCode", "getVerification"}


def check(tap, office):
    cast(office)
    for section in SECTIONS:
        try:
            section(tap, office)
        except (RuntimeError, KeyError, StopIteration, TypeError, IndexError) as problem:
            tap.ok(False, f"{section.__name__}: to its end", repr(problem))
        office.same_as_described(f"{section.__name__}: bodies and replies are as described")
    missing = set(office.description.operations) - office.called
    tap.ok(not missing, "every operation was called", *sorted(missing))
    failed = set(office.description.operations) - office.succeeded - ELSEWHERE
    tap.ok(not failed, "every operation has succeeded at least once", *sorted(failed))
