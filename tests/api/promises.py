"""What the frame promises whatever the operation: who may, A1, acting once, If-Match, pages, overrides."""
import concurrent.futures
import glob
import re
import uuid
from urllib.parse import quote

from harness import V3
from operations import NO_SUCH

QUERIES = {"listPeople": {"school": "s1"}, "listRooms": {"school": "s1"}, "listGuardianships": {"school": "s1"}, "listAudit": {"school": "s1"},
           "exportAudit": {"school": "s1"}, "getAuditHead": {"school": "s1"}, "listAssociations": {"school": "s1"}}
DANGEROUS = {"eraseMe", "takeBackSignUp"}  # they would succeed: for oneself


def attempt(office, who, operation, known=None):
    """One call with ids that are nobody's, but for those known."""
    method, template, description = office.description.operations[operation]
    path = {name: (known or {}).get(name, NO_SUCH[name]) for name in re.findall(r"\{(\w+)\}", template)}
    content = description.get("requestBody", {}).get("content", {})
    body = b"PK" if "application/zip" in content else office.description.example(operation) if content else None
    headers = {"If-Match": '"1"'} if decides(description) else None
    return office.call(who, operation, QUERIES.get(operation), body, headers, **path)


def decides(description):
    """Whether it is a decision on what was shown, which names its version."""
    return {"$ref": "#/components/parameters/SeenVersion"} in description.get("parameters", [])


def who_may(tap, office):
    operations = office.description.operations
    open_to_all = {name for name, (_, _, o) in operations.items() if {} in o["security"]}
    wrong = [f"{name}: {answer}" for name in operations
             for answer in [attempt(office, office.anybody, name)]
             if (answer.errcode == "M_MISSING_TOKEN") == (name in open_to_all)]
    tap.ok(not wrong, "without a token: 401, but for what is open to all", *wrong)
    stranger = type(office.admin)(office, None, "", "", "parta_" + "x" * 43)
    wrong = [f"{name}: {answer}" for name, (_, _, o) in operations.items() if any("operator" in s for s in o["security"])
             for answer in [attempt(office, stranger, name)] if answer.errcode != "M_UNKNOWN_TOKEN"]
    stranger.token = "x" * 43
    wrong += [f"{name}: {answer}" for name in operations if operations[name][2]["security"] != [{}]
              for answer in [attempt(office, stranger, name)] if answer.errcode != "M_UNKNOWN_TOKEN"]
    tap.ok(not wrong, "with a token that is nobody's: 401", *wrong)
    matrix = office.server.request("GET", f"{V3}/account/whoami", token=office.operator.token)
    tap.ok(matrix.status == 401, "an operator's token is none of the Client-Server API", matrix)
    of_office = {name for name, (_, _, o) in operations.items() if any("operator" in s for s in o["security"])} - {"explain", "listRefusals", "getApplication"}
    for name, who in (("pupil", office.pupil), ("guardian", office.guardian), ("external person", office.external)):
        wrong = [f"{operation}: {answer}" for operation in sorted(of_office)
                 for answer in [attempt(office, who, operation, {"school": "s1", "class": office.classes[0],
                                                                "userId": office.teacher.user_id, "roomId": office.club})]
                 if answer.status < 400 and answer.json != {"items": []}]
        tap.ok(not wrong, f"A4: a {name} has nothing of the office's", *wrong)
    only = {name for name, (_, _, o) in operations.items() if o["security"] and all("person" in s for s in o["security"])}
    wrong = [f"{operation}: {answer}" for operation in sorted(only) for answer in [attempt(office, office.operator, operation)]
             if answer.status < 400]
    tap.ok(not wrong, "an operator is no person", *wrong)
    office.same_as_described("refusals are as described")


def scopes(tap, office):
    every = ["read", "records", "import", "policy", "reports", "audit", "accounts"]
    known = {"school": "s1", "class": office.classes[0], "userId": office.pupil.user_id, "child": office.pupil.user_id,
             "guardian": office.guardian.user_id, "roomId": office.club}
    wrong = []
    for scope in every:
        without = office.token_of([s for s in every if s != scope])
        for name, (_, _, operation) in office.description.operations.items():
            needed = next((s["operator"] for s in operation["security"] if "operator" in s), [])
            if scope not in needed or name in ("explain", "listRefusals"):
                continue
            answer = attempt(office, without, name, known)
            if answer.status not in (400, 403, 404) and answer.json != {"items": []}:
                wrong.append(f"{name} without {scope}: {answer}")
    tap.ok(not wrong, "J3: a token without the scope of an operation does not do it", *wrong)
    answer = attempt(office, office.reader, "changeClass", known)
    tap.ok(answer.status == 403 and answer.json.get("org.parta.rule") == "J3", "and is told so", answer)
    office.same_as_described("refusals for want of a scope are as described")


def unknown(tap, office):
    """A1: what is of another school is answered as what is not there: status and bytes."""
    known = {"school": "s1", "class": office.classes[0], "userId": office.pupil.user_id, "child": office.pupil.user_id,
             "guardian": office.guardian.user_id, "roomId": office.club}
    wrong = []
    for name, (_, template, _) in office.description.operations.items():
        names = set(re.findall(r"\{(\w+)\}", template)) & set(known)
        if not names or name in DANGEROUS:
            continue
        there, absent = attempt(office, office.outsider, name, known), attempt(office, office.outsider, name)
        if (there.status, there.bytes) != (absent.status, absent.bytes) or there.status < 400:
            wrong.append(f"{name}: {there} but {absent}")
    tap.ok(not wrong, "A1: another school's records are answered as those that are not there, in a path", *wrong)
    wrong = []
    for name in ("listPeople", "listRooms", "listClasses", "listGuardianships", "listAudit", "listReports", "listLinks", "listApplications"):
        there, absent = (office.call(office.outsider, name, {"school": school}) for school in ("s1", "s-none"))
        if (there.status, there.bytes) != (absent.status, absent.bytes) or there.status != 404:
            wrong.append(f"{name}: {there} but {absent}")
    tap.ok(not wrong, "A1: nor does a filter tell", *wrong)
    wrong = []
    for operation, body in (*((name, office.description.example(name)) for name in ("createPerson", "createClass", "createLink", "createAssociation")),
                            ("explain", {"act": "policy", "school": "s1"})):
        there, absent = (office.call(office.outsider, operation, None, {**body, "school": school}) for school in ("s1", "s-none"))
        if (there.status, there.bytes) != (absent.status, absent.bytes) or there.status != 404:
            wrong.append(f"{operation}: {there} but {absent}")
    there, absent = (office.call(office.outsider, "createGuardianship", body={"child": child, "guardian": office.outsider.user_id})
                     for child in (office.pupil.user_id, NO_SUCH["userId"]))
    if (there.status, there.bytes) != (absent.status, absent.bytes):
        wrong.append(f"createGuardianship: {there} but {absent}")
    tap.ok(not wrong, "A1: nor does a body", *wrong)
    own = office.pages(office.outsider, "listPeople", 100, {"school": "s2"})
    schools = {role["school"] for person in own for role in person["roles"]}
    tap.ok(schools == {"s2"}, "A1: roles in other schools are not told", schools)
    both = office.guardian.user_id
    office.ok(office.operator, "giveRole", body={"school": "s2", "role": "teacher"}, userId=both)
    office.ok(office.operator, "giveRole", body={"school": "s2", "role": "staff"}, userId=office.admin.user_id)
    told = {role["school"] for role in office.ok(office.admin, "getPerson", userId=both)["roles"]}
    tap.ok(told == {"s1"}, "who has the office of one school is told that school's roles, though they are in the other too", told)
    for user, role in ((both, "teacher"), (office.admin.user_id, "staff")):
        office.ok(office.operator, "endRole", userId=user, school="s2", role=role)
    office.same_as_described("A1: such answers are as described")


def new_staff(n):
    return {"school": "s1", "role": "staff", "given_name": "Номер", "family_name": f"Работник{n}"}


def private(tap, office):
    """What people have for themselves is not the office's; and who may not act, may not act here either."""
    chat = office.server.request("POST", f"{V3}/createRoom", {"is_direct": True, "preset": "trusted_private_chat", "invite": [office.head.user_id]},
                                 office.teacher.token)
    room = chat["room_id"]
    answers = [office.call(who, name, roomId=room) for who in (office.admin, office.operator) for name in ("getRoom", "listRoomMembers")]
    tap.ok(chat.status == 200 and all(a.status == 404 for a in answers), "direct chats are not the office's to look at", *answers)
    office.ok(office.operator, "changeStanding", body={"standing": "suspended"}, userId=office.admin.user_id)
    answers = [office.call(office.admin, "changeClass", body={"title": "1Б"}, **{"class": office.classes[0]}),
               office.call(office.admin, "createLink", body={"kind": "school", "school": "s1", "role": "staff"}),
               office.call(office.admin, "changeStanding", body={"standing": "active"}, userId=office.admin.user_id)]
    tap.ok(all(a.status == 403 for a in answers), "A3: a suspended administrator changes nothing, not even that", *answers)
    office.ok(office.operator, "changeStanding", body={"standing": "locked"}, userId=office.admin.user_id)
    answer = office.call(office.admin, "listSchools")
    tap.ok(answer.errcode == "M_USER_LOCKED", "A3: a locked one is told so", answer)
    office.ok(office.operator, "changeStanding", body={"standing": "active"}, userId=office.admin.user_id)
    tap.ok(office.call(office.admin, "listSchools").status == 200, "and back again")
    office.same_as_described("these answers are as described")


def once(tap, office):
    admin = office.admin
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first = office.call(admin, "createPerson", body=new_staff(1), headers=key)
    second = office.call(admin, "createPerson", body=new_staff(1), headers=key)
    tap.ok(first.status == second.status == 201 and first.bytes == second.bytes and
           first.headers.get("etag") == second.headers.get("etag") is not None, "the same key: the same answer", first, second)
    found = office.pages(admin, "listPeople", 100, {"school": "s1", "name": "Работник1"})
    tap.ok(len(found) == 1, "and one person", found)
    other = office.call(admin, "createPerson", body=new_staff(2), headers=key)
    tap.ok(other.status == 409 and other.errcode == "ORG.PARTA_CONFLICT", "the same key for something else: 409", other)
    theirs = office.call(office.operator, "createPerson", body=new_staff(3), headers=key)
    tap.ok(theirs.status == 201, "somebody else's key is another", theirs)
    short = office.call(admin, "createPerson", body=new_staff(4), headers={"Idempotency-Key": "short"})
    tap.ok(short.status == 400, "a key that can be guessed is refused", short)
    refused = office.call(admin, "changeClass", body={"title": "1Ю"}, headers={**key, "Idempotency-Key": str(uuid.uuid4())}, **{"class": "c-none"})
    tap.ok(refused.status == 404, "what is refused is not kept", refused)
    key = {"Idempotency-Key": str(uuid.uuid4())}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: office.call(admin, "createPerson", body=new_staff(5), headers=key), range(16)))
    found = office.pages(admin, "listPeople", 100, {"school": "s1", "name": "Работник5"})
    tap.ok(len({a.bytes for a in answers}) == 1 and answers[0].status == 201 and len(found) == 1, "sixteen at once: one person", *answers[:3])
    key = {"Idempotency-Key": str(uuid.uuid4())}
    link = {"kind": "school", "school": "s1", "role": "staff"}
    tokens = [office.call(admin, "createLink", body=link, headers=key)["token"] for _ in range(2)]
    kept = b"".join(open(file, "rb").read() for file in glob.glob(office.server.data + "/parta.db*"))
    tap.ok(tokens[0] == tokens[1] and tokens[0].encode() not in kept and key["Idempotency-Key"].encode() not in kept,
           "C2: an answer that holds a secret is kept so that the database does not tell it", tokens)
    office.same_as_described("answers given twice are as described")


def versions(tap, office):
    made = office.call(office.admin, "createPerson", body=new_staff(6))
    path, etag = {"userId": made["user_id"]}, made.headers["etag"]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda n: office.call(office.admin, "changePerson", body={"given_name": f"Имя{n}", "family_name": "Работник"},
                                                      headers={"If-Match": etag}, **path), range(6)))
    tap.ok(sorted(a.status for a in answers) == [200] + [412] * 5, "of six changes to the same version one is made", *answers)
    now = office.call(office.admin, "getPerson", **path)
    tap.ok(now.headers["etag"] == next(a for a in answers if a.status == 200).headers["etag"] != etag, "whose version is the record's", now.headers["etag"])
    for bad in ("7", 'W/"7"', '"x"', '"1", "2"', '"99999999999999999999"'):
        answer = office.call(office.admin, "changePerson", body={"given_name": "А", "family_name": "Б"}, headers={"If-Match": bad}, **path)
        tap.ok(answer.status == 400, f"If-Match: {bad} is refused", answer)
    answer = office.call(office.admin, "changePerson", body={"given_name": "А", "family_name": "Б"}, headers={"If-Match": "*"}, **path)
    tap.ok(answer.status == 200, "If-Match: * is any", answer)
    office.same_as_described("conditional answers are as described")


def decisions(tap, office):
    """Whoever decides names the version that was shown; which operations are decisions, their names tell. A claim never changes: its number
    says what was shown, and the next is another's."""
    operations = office.description.operations
    deciding = {name for name, (_, _, description) in operations.items() if decides(description)}
    named = {name for name, (method, template, _) in operations.items()
             if (method == "POST" and re.search(r"/(approve|refuse|close|(?<!/\{claim\}/)confirm|corrections)$", template)) or name.startswith("drop")}
    tap.ok(deciding == named and len(deciding) >= 5, "every decision needs the version that was shown", deciding ^ named)
    for name in sorted(deciding):
        path = {key: NO_SUCH[key] for key in re.findall(r"\{(\w+)\}", operations[name][1])}
        body = {**office.description.example(name), **({"bind_to": office.admin.user_id} if name == "confirmAsGuardian" else {})}
        answers = [office.call(office.admin, name, body=body, headers=headers, **path) for headers in (None, {"If-Match": "*"})]
        tap.ok(all(a.status == 428 and a.errcode == "ORG.PARTA_VERSION_NEEDED" for a in answers), f"{name} without it: 428", *answers)
    office.same_as_described("such answers are as described")


def pages(tap, office):
    admin, op = office.admin, office.operator
    lists = [("listPeople", op, {}, "user_id"), ("listPeople", admin, {"school": "s1"}, "user_id"), ("listClasses", op, {}, "class"),
             ("listRooms", op, {}, "room_id"), ("listAudit", op, {}, "hash"), ("listSchools", op, {}, "school")]
    for name, who, query, key in lists:
        whole = [item[key] for item in office.pages(who, name, 500, query)]
        for limit in (1, 4, 7):
            got = [item[key] for item in office.pages(who, name, limit, query)]
            tap.ok(got[:len(whole)] == whole and len(set(got)) == len(got), f"{name}: pages of {limit} are the whole", len(got), len(whole))
    whole = office.pages(op, "listGuardianships", 500, {"school": "s1"})
    tap.ok(office.pages(op, "listGuardianships", 2, {"school": "s1"}) == whole and len(whole) > 5, "listGuardianships: so are pages of children", len(whole))
    rows = office.pages(op, "listEnrollments", 500, **{"class": office.klass})
    tap.ok(office.pages(op, "listEnrollments", 1, **{"class": office.klass}) == rows and len(rows) > 3, "listEnrollments: so are pages of people", len(rows))
    before = {p["user_id"] for p in office.pages(admin, "listPeople", 500, {"school": "s1"})}
    names = iter(range(100, 1000))
    got = [p["user_id"] for p in office.pages(admin, "listPeople", 9, {"school": "s1"},
                                              between=lambda: office.ok(admin, "createPerson", body=new_staff(next(names))))]
    tap.ok(len(got) == len(set(got)) and before <= set(got), "while people are added, nobody is missing or there twice", len(got), len(before))
    for query in ({"limit": "0"}, {"limit": "x"}, {"limit": "501"}, {"limit": "99999999999999999999"}, {"from": "-1"}, {"from": "x"}):
        answer = office.call(op, "listSchools", query)
        tap.ok(answer.status == 400 and answer.json["org.parta.parameter"] in query, f"{query} is refused, by its name", answer)
    office.same_as_described("pages are as described")


def overrides(tap, office):
    admin = office.admin
    path = {"userId": office.teacher.user_id}
    record = office.ok(admin, "getPerson", **path)
    body = {"given_name": "Иное", "family_name": record["family_name"]}
    plain = office.call(admin, "changePerson", body=body, **path)
    tap.ok(plain.status == 403 and plain.json.get("org.parta.rule"), "J2: what a roster keeps is not changed by hand", plain)
    told = office.ok(admin, "explain", body={"act": "records_write", "target": path["userId"]})
    tap.ok(not told["allowed"] and [r["overridable"] for r in told["rules"] if r["decides"]] == [True], "J1: it could be overridden", told)
    for reason in ("нет", "%zz" * 10, "%00" * 12, "a" * 5000):
        answer = office.call(admin, "changePerson", body=body, headers={"Parta-Override-Reason": quote(reason) if reason == "нет" else reason}, **path)
        tap.ok(answer.status == 400, f"J2: \"{reason[:12]}\" is no reason", answer)
    reason = "Ошибка в имени, роспись исправят в октябре"
    done = office.call(admin, "changePerson", body=body, headers={"Parta-Override-Reason": quote(reason)}, **path)
    tap.ok(done.status == 200 and done["given_name"] == "Иное", "J2: with a reason it is", done)
    newest = office.ok(admin, "listAudit", {"school": "s1", "newest": "true", "limit": 1})["items"]
    tap.ok(newest[0]["entry"]["act"] == "person.update" and newest[0]["entry"].get("reason") == reason, "J2: which the log keeps", newest)
    pupil = office.call(office.pupil, "changePerson", body=body, headers={"Parta-Override-Reason": quote(reason)}, **path)
    tap.ok(pupil.status in (403, 404), "J3: a reason gets nobody else past a rule", pupil)
    office.same_as_described("overrides are as described")


def weird(tap, office):
    """Bodies and parameters that nobody would send: refused, described, and nothing breaks."""
    values = [None, True, 0, -1, 2**63 - 1, 1.5, "", "x" * 70000, "\u0000", "\ud800", [], {}, [[]] * 50, {"a": {"a": {}}}, "@a:b", "s1", "2026-13-45"]
    known = {"school": "s1", "class": office.classes[0], "userId": office.pupil.user_id, "child": office.pupil.user_id,
             "guardian": office.guardian.user_id, "roomId": office.club}
    calls = 0
    for name, (method, template, operation) in office.description.operations.items():
        content = operation.get("requestBody", {}).get("content", {})
        if name in DANGEROUS or method == "GET" or "application/json" not in content:
            continue
        path = {key: known.get(key, NO_SUCH[key]) for key in re.findall(r"\{(\w+)\}", template)}
        for key in content["application/json"]["schema"]["properties"]:
            for value in values:
                body = {**office.description.example(name), key: value}
                if not office.description.body_faults(name, body):
                    continue
                calls += 1
                before = len(office.wrong)
                office.call(office.admin, name, None, body, **path)
                if value in (None, "", 0):  # as if it were not said
                    office.wrong[before:] = [line for line in office.wrong[before:] if "a body that was taken" not in line]
    tap.ok(calls > 500 and office.server.alive(), "bodies that don't fit are sent", calls)
    office.same_as_described("bodies that don't fit are refused, and nothing breaks")


def check(tap, office):
    for section in (who_may, scopes, unknown, private, once, versions, decisions, pages, overrides, weird):
        try:
            section(tap, office)
        except (RuntimeError, KeyError, StopIteration, TypeError, IndexError) as problem:
            tap.ok(False, f"{section.__name__}: to its end", repr(problem))
