"""Doubles of what the diary bridge talks to, over real HTTP: the school API (docs/openapi.json's shapes) and diaries."""
import base64
import hashlib
import http.server
import json
import re
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

SCHOOL = "school-1"


def person(n, family, given, birth, role="pupil", middle=None):
    record = {"user_id": f"@u{n}:school.example", "person": f"p{n}", "given_name": given, "family_name": family, "birth_date": birth,
              "enabled": True, "ended": False, "standing": "active", "roles": [{"role": role, "school": SCHOOL}]}
    if middle:
        record["middle_name"] = middle
    return record


class Double(http.server.ThreadingHTTPServer):
    """answer(path, query, headers, method, body) → status, body (bytes, str or JSON), headers. Faults are played first: what
    the test put into .faults, a list of (ending of the path, times, what), what: an answer like that, or "half"."""
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port=0):
        self.log, self.faults, self.lock = [], [], threading.Lock()
        super().__init__(("127.0.0.1", port), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        pass  # who was killed has hung up

    def fault(self, path, what, times=1):
        self.faults.append([path, times, what])

    def take_fault(self, path):
        with self.lock:
            for fault in self.faults:
                if path.endswith(fault[0]) and fault[1] > 0:
                    fault[1] -= 1
                    return fault[2]
        return None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body at once: neither waits for an acknowledgement of the other

    def log_message(self, *_):
        pass

    def do(self):
        path, _, query = self.path.partition("?")
        given = {name: values[0] for name, values in urllib.parse.parse_qs(query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.server.lock:
            self.server.log.append((self.command, path, given, dict(self.headers), time.monotonic()))
        fault = self.server.take_fault(path)
        status, answer, headers = fault if isinstance(fault, tuple) else self.server.answer(path, given, self.headers, self.command, body)
        data = answer if isinstance(answer, bytes) else answer.encode() if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False).encode()
        self.send_response_only(status)
        for name, value in {"Date": self.date_time_string(), "Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if status == 304:
            return
        if fault == "half":
            self.wfile.write(data[:len(data) // 2])
            self.close_connection = True
        else:
            self.wfile.write(data)

    do_GET = do_POST = do_PUT = do


class Between(Double):
    """Stands before a server on this machine: passes everything on. Requests whose path holds the word are counted, and act(count) may answer
    them instead."""

    def __init__(self, port, word, act):
        self.port, self.word, self.act, self.met = port, word, act, 0
        super().__init__()

    def answer(self, path, given, headers, method, body):
        if self.word in path:
            self.met += 1
            answered = self.act(self.met)
            if answered is not None:
                return answered
        address = f"http://127.0.0.1:{self.port}{path}" + (f"?{urllib.parse.urlencode(given)}" if given else "")
        passed = {name: headers[name] for name in ("Authorization", "Content-Type") if name in headers}
        try:
            with urllib.request.urlopen(urllib.request.Request(address, body or None, passed, method=method), timeout=60) as reply:
                return reply.status, reply.read(), {}
        except urllib.error.HTTPError as error:
            return error.code, error.read(), {}


class SchoolApi(Double):
    TOKEN = "operator-token"

    def __init__(self, people, classes):
        """classes: sourcedId → (title, [numbers of pupils])."""
        self.people, self.classes = people, classes
        super().__init__()

    def page(self, items, given):
        start, limit = int(given.get("from", 0)), min(int(given.get("limit", 100)), 7)  # pages are small here
        more = {"next": str(start + limit)} if start + limit < len(items) else {}
        return 200, {"items": items[start:start + limit], **more}, {}

    def answer(self, path, given, headers, method, body):
        if headers.get("Authorization") != "Bearer " + self.TOKEN:
            return 401, {"errcode": "M_UNKNOWN_TOKEN", "error": "no"}, {}
        if path == "/_parta/v1/people" and given.get("school") == SCHOOL:
            return self.page(self.people, given)
        if path == "/_parta/v1/classes" and given.get("school") == SCHOOL:
            return self.page([{"class": name, "school": SCHOOL, "kind": "homeroom", "title": title, "ended": False, "source": "roster"}
                              for name, (title, _) in sorted(self.classes.items())], given)
        for name, (_, pupils) in self.classes.items():
            if path == f"/_parta/v1/classes/{name}/enrollments":
                return self.page([{"class": name, "user_id": f"@u{n}:school.example", "role": "pupil", "source": "roster"} for n in pupils], given)
        return 404, {"errcode": "M_NOT_FOUND", "error": "no"}, {}


class Gradebook(Double):
    """OneRoster 1.2: gradebook, classes, OAuth 2 client credentials; as 1EdTech's OpenAPI has them. What is put is dated by its clock, which is
    .ahead_s of ours. A filter by dateLastModified is kept, "ignored" or "refused" (.changes); pages may come in any order (.shuffled)."""
    BASE = "/ims/oneroster"

    def __init__(self, client, secret, port=0):
        self.credentials, self.tokens = (client, secret), set()
        self.results, self.lines, self.classes, self.totals, self.rows = {}, {}, {}, True, 3
        self.ahead_s, self.changes, self.shuffled = 0, "kept", False
        super().__init__(port)

    def now(self):
        return time.time() + self.ahead_s

    def put(self, table, sourced_id, **record):
        now = self.now()
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03}Z"
        getattr(self, table)[sourced_id] = {"sourcedId": sourced_id, "status": "active", "dateLastModified": moment, **record}

    def change(self, table, sourced_id, **record):
        before = getattr(self, table)[sourced_id]
        self.put(table, sourced_id, **{**{name: value for name, value in before.items() if name != "dateLastModified"}, **record})

    def delete(self, table, sourced_id):
        self.change(table, sourced_id, status="tobedeleted")

    def asked(self, collection, member):
        """How often it was asked for the first page of a collection by a filter of that member."""
        with self.lock:
            return sum(path.endswith("/" + collection) and given.get("offset") == "0" and given.get("filter", "").startswith(member)
                       for _, path, given, *_ in self.log)

    def filtered(self, items, words, day_of):
        since = re.fullmatch(r"dateLastModified>='([0-9-]+T[0-9:.]+Z)'", words)
        if since:
            return items if self.changes == "ignored" else [item for item in items if item["dateLastModified"] >= since[1]]
        found = re.fullmatch(rf"{day_of}>='([0-9-]+)' AND {day_of}<='([0-9-]+)T[0-9:.]+Z'", words)
        return [item for item in items if found[1] <= item[day_of][:10] <= found[2]]

    def answer(self, path, given, headers, method, body):
        if path == "/token":
            basic = base64.b64encode(":".join(self.credentials).encode()).decode()
            if headers.get("Authorization") != "Basic " + basic or b"grant_type=client_credentials" not in body:
                return 401, {"error": "invalid_client"}, {}
            self.tokens.add(f"token-{len(self.tokens)}")
            return 200, {"access_token": f"token-{len(self.tokens) - 1}", "token_type": "Bearer", "expires_in": 3600}, {}
        if (headers.get("Authorization") or "").removeprefix("Bearer ") not in self.tokens:
            return 401, {"imsx_codeMajor": "failure"}, {}
        collection = path.removeprefix(self.BASE + "/gradebook/v1p2/").removeprefix(self.BASE + "/rostering/v1p2/")
        if collection.startswith("lineItems/") and collection[10:] in self.lines:
            return 200, {"lineItem": self.lines[collection[10:]]}, {}
        table, day_of = {"results": (self.results, "scoreDate"), "lineItems": (self.lines, "dueDate"),
                         "classes": (self.classes, None)}.get(collection, (None, None))
        if table is None or not set(given) <= {"limit", "offset", "sort", "orderBy", "filter", "fields"}:
            return 404, {"imsx_codeMajor": "failure"}, {}
        items = [table[key] for key in sorted(table)]
        if self.changes == "refused" and given.get("filter", "").startswith("dateLastModified"):
            return 400, {"imsx_codeMajor": "failure", "imsx_CodeMinor": {"imsx_codeMinorField": [{"imsx_codeMinorFieldValue": "invalid_filter_field"}]}}, {}
        if "filter" in given:
            items = self.filtered(items, given["filter"], day_of)
        if self.shuffled and given["offset"] != "0":
            items.reverse()
        page = items[int(given["offset"]):][:min(int(given["limit"]), self.rows)]
        date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(self.now()))
        return 200, {collection: page}, {"Date": date, **({"X-Total-Count": str(len(items))} if self.totals else {})}


class Dnevnik(Double):
    """Дневник.ру's Partners API: the shapes of its Swagger; of one class, or of those in .groups. A class's lessons have no place there: .places
    says them by lesson, .subgroups who of a lesson's class has it (nothing: all), and a pupil's schedule has their own lessons with places."""

    def __init__(self, token, group=None, name=None, port=0):
        self.token, self.group, self.groups = token, group, {}
        if group is not None:
            self.groups[str(group)] = self
        self.name, self.persons, self.lessons, self.marks, self.log_entries = name, [], [], [], []
        self.places, self.subgroups = {}, {}
        super().__init__(port)

    def answer(self, path, given, headers, method, body):
        if headers.get("Access-Token") != self.token:
            return 401, {"type": "invalidToken", "description": "no"}, {}
        schedule = re.fullmatch(r"/v2/persons/([0-9]+)/groups/([0-9]+)/schedules", path)
        if schedule and schedule[2] in self.groups:
            return self.schedule(self.groups[schedule[2]], schedule[1], given)
        asked = re.fullmatch(r"/v2/(?:edu-groups|lesson-log-entries/group)/([0-9]+)(.*)", path)
        group = self.groups.get(asked[1]) if asked else None
        if group is None:
            return 404, {"type": "notFound"}, {}
        within = re.fullmatch(r"/(lessons|marks)/([0-9-]+)/([0-9-]+)", asked[2])
        if path.startswith("/v2/lesson-log-entries/"):
            lessons = {lesson["id"] for lesson in group.lessons if str(lesson["subject"]["id"]) == given["subject"]}
            return 200, [entry for entry in group.log_entries if entry["lesson"] in lessons], {}
        if asked[2] == "":
            return 200, {"id": int(asked[1]), "id_str": asked[1], "type": "Group", "name": group.name}, {}
        if asked[2] == "/persons":
            return 200, group.persons, {}
        if within:
            return 200, [item for item in getattr(group, within[1]) if within[2] <= item["date"][:10] <= within[3]], {}
        return 404, {"type": "notFound"}, {}


    def schedule(self, group, person, given):
        if person not in {str(of.get("id_str", of["id"])) for of in group.persons}:
            return 404, {"type": "notFound"}, {}
        days = {}
        for lesson in group.lessons:
            who = group.subgroups.get(lesson["id"])
            if given["startDate"] <= lesson["date"][:10] <= given["endDate"] and (who is None or int(person) in who):
                day = days.setdefault(lesson["date"], {"date": lesson["date"], "lessons": [], "marks": [], "works": [], "homeworks": [], "subjects": [], "teachers": []})
                own = {name: lesson[name] for name in ("id", "id_str", "number", "title") if name in lesson}
                day["lessons"].append({**own, "subjectId": lesson["subject"]["id"], "group": group.group, "teachers": [], **group.places.get(lesson["id"], {"place": None})})
                day["subjects"].append(lesson["subject"])
        return 200, {"days": list(days.values())}, {}


class Calendar(Double):
    """An ICS feed at a secret address, or those in .texts, by path; with an ETag."""

    def __init__(self, port=0):
        self.text, self.texts = "", {}
        super().__init__(port)

    def answer(self, path, given, headers, method, body):
        text = {"/secret.ics": self.text, **self.texts}.get(path)
        if text is None:
            return 404, "", {}
        tag = f'"{hashlib.sha256(text.encode()).hexdigest()}"'
        if headers.get("If-None-Match") == tag:
            return 304, b"", {"ETag": tag}
        return 200, text, {"ETag": tag, "Content-Type": "text/calendar"}
