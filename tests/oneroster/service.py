"""A OneRoster 1.2 rostering service for tests: what 1EdTech's OpenAPI says of its collections, no more.

Records come from an export (parta school sample) and are checked against SHAPES when they are served. Requests are held
to the standard too: a parameter that it does not know, a filter or sort that it does not understand, a token without the
scope is answered as a service would. FAULTS are played once each, or always, as the test asks.
"""
import base64
import csv
import io
import json
import re
import secrets
import threading
import time
import urllib.parse
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SCOPE = "https://purl.imsglobal.org/spec/or/v1p2/scope/"
BASE = "/ims/oneroster/rostering/v1p2"
TOKEN_PATH = "/oauth/token"
PARAMETERS = {"limit", "offset", "sort", "orderBy", "filter", "fields"}

REFERENCE = {"href": str, "sourcedId": str, "type": str}
HEAD = {"sourcedId": str, "status": {"active", "tobedeleted"}, "dateLastModified": str}
# Members by collection: a type, a set of words, [shape] for a list, {…} for an object; a name with "?" may be left out.
SHAPES = {
    "orgs": {**HEAD, "name": str, "type": {"department", "school", "district", "local", "state", "national"},
             "identifier?": str, "parent?": REFERENCE},
    "academicSessions": {**HEAD, "title": str, "startDate": str, "endDate": str,
                         "type": {"gradingPeriod", "semester", "schoolYear", "term"}, "parent?": REFERENCE,
                         "schoolYear": str},
    "courses": {**HEAD, "title": str, "schoolYear?": REFERENCE, "courseCode?": str, "grades?": [str], "org": REFERENCE},
    "classes": {**HEAD, "title": str, "classCode?": str, "classType": {"homeroom", "scheduled"}, "location?": str,
                "grades?": [str], "course": REFERENCE, "school": REFERENCE, "terms": [REFERENCE]},
    "users": {**HEAD, "username": str, "enabledUser": bool, "givenName": str, "familyName": str, "middleName?": str,
              "email?": str, "phone?": str, "agents": [REFERENCE],
              "roles": [{"roleType": {"primary", "secondary"}, "role": str, "org": REFERENCE, "beginDate?": str,
                         "endDate?": str}]},
    "enrollments": {**HEAD, "user": REFERENCE, "class": REFERENCE, "school": REFERENCE, "role": str, "primary?": bool,
                    "beginDate?": str, "endDate?": str},
    "demographics": {**HEAD, "birthDate?": str, "sex?": str},
}


def check(shape, value, where):
    if isinstance(shape, dict):
        assert isinstance(value, dict), where
        known = {name.rstrip("?") for name in shape}
        assert set(value) <= known, (where, set(value) - known)
        for name, inner in shape.items():
            if name.rstrip("?") in value:
                check(inner, value[name.rstrip("?")], f"{where}.{name}")
            else:
                assert name.endswith("?"), (where, name)
    elif isinstance(shape, list):
        assert isinstance(value, list), where
        for item in value:
            check(shape[0], item, where)
    elif isinstance(shape, set):
        assert value in shape, (where, value)
    else:
        assert isinstance(value, shape), (where, value)


def moment(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + ".%03dZ" % (seconds * 1000 % 1000)


def reference(kind, sourced_id):
    return {"href": f"http://x{BASE}/{kind}s/{sourced_id}", "sourcedId": sourced_id, "type": kind}


class Records:
    """The service's data: collection -> sourcedId -> record."""

    def __init__(self, archive, stamp):
        self.tables = {name: {} for name in SHAPES}
        with zipfile.ZipFile(archive) as export:
            def rows(name):
                return csv.DictReader(io.TextIOWrapper(export.open(name + ".csv"), "utf-8"))
            for name in SHAPES:
                for row in rows(name):
                    self.put(name, getattr(self, "of_" + name)(row), stamp)
            for row in rows("roles"):
                role = {"roleType": row["roleType"], "role": row["role"], "org": reference("org", row["orgSourcedId"])}
                role.update({name: row[name] for name in ("beginDate", "endDate") if row[name]})
                self.tables["users"][row["userSourcedId"]]["roles"].append(role)

    def put(self, collection, record, stamp=None):
        record.update(status="active", dateLastModified=moment(time.time() if stamp is None else stamp))
        check(SHAPES[collection], record, collection)
        self.tables[collection][record["sourcedId"]] = record

    def touch(self, collection, sourced_id, stamp=None, **changes):
        self.put(collection, {**self.tables[collection][sourced_id], **changes}, stamp)

    def delete(self, collection, sourced_id):
        self.tables[collection][sourced_id].update(status="tobedeleted", dateLastModified=moment(time.time()))

    @staticmethod
    def taken(row, *names):
        return {name: row[name] for name in names if row[name]}

    def of_orgs(self, row):
        record = self.taken(row, "sourcedId", "name", "type", "identifier")
        if row["parentSourcedId"]:
            record["parent"] = reference("org", row["parentSourcedId"])
        return record

    def of_academicSessions(self, row):
        record = self.taken(row, "sourcedId", "title", "type", "startDate", "endDate", "schoolYear")
        if row["parentSourcedId"]:
            record["parent"] = reference("academicSession", row["parentSourcedId"])
        return record

    def of_courses(self, row):
        return {**self.taken(row, "sourcedId", "title"), "org": reference("org", row["orgSourcedId"]),
                "schoolYear": reference("academicSession", row["schoolYearSourcedId"])}

    def of_classes(self, row):
        return {**self.taken(row, "sourcedId", "title", "classType"), "grades": row["grades"].split(","),
                "course": reference("course", row["courseSourcedId"]), "school": reference("org", row["schoolSourcedId"]),
                "terms": [reference("term", term) for term in row["termSourcedIds"].split(",")]}

    def of_users(self, row):
        agents = [agent for agent in row["agentSourcedIds"].split(",") if agent]
        return {**self.taken(row, "sourcedId", "username", "givenName", "familyName", "middleName"), "roles": [],
                "enabledUser": row["enabledUser"] == "true", "agents": [reference("user", agent) for agent in agents],
                "email": row["sourcedId"] + "@mail.example", "phone": "+70000000000"}

    def of_enrollments(self, row):
        record = {**self.taken(row, "sourcedId", "role", "beginDate", "endDate"),
                  "user": reference("user", row["userSourcedId"]), "class": reference("class", row["classSourcedId"]),
                  "school": reference("org", row["schoolSourcedId"])}
        if row["primary"]:
            record["primary"] = row["primary"] == "true"
        return record

    def of_demographics(self, row):
        return self.taken(row, "sourcedId", "birthDate", "sex")


class Service(ThreadingHTTPServer):
    """Listens on loopback. What a test looks at and turns: log, faults, page_rows, totals, scopes."""
    daemon_threads = True

    def __init__(self, records, client_id, secret, port=0):
        self.records, self.client_id, self.secret = records, client_id, secret
        self.tokens, self.scopes = set(), {SCOPE + "roster-core.readonly", SCOPE + "roster-demographics.readonly"}
        self.page_rows, self.totals, self.lifetime_s = 100, True, 3600
        self.log, self.faults, self.lock = [], [], threading.Lock()
        self.held, self.released = threading.Event(), threading.Event()  # fault "hold": who came, and may go on
        super().__init__(("127.0.0.1", port), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # who was kept waiting has hung up

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def fault(self, path, kind, times=1):
        """The next `times` requests for a path that ends so meet the fault."""
        self.faults.append([path, kind, times])

    def hold(self, path):
        """The next request for the path is held until release(); returns when it has come."""
        self.held.clear()
        self.released.clear()
        self.fault(path, "hold")
        assert self.held.wait(60), "nobody came"

    def release(self):
        self.released.set()

    def take_fault(self, path):
        with self.lock:
            for fault in self.faults:
                if path.endswith(fault[0]) and fault[2] > 0:
                    fault[2] -= 1
                    return fault[1]
        return None

    def requests(self, path):
        return [query for asked, query in self.log if asked.endswith(path)]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, headers=(), promised=None):
        data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(promised if promised is not None else len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
        if promised is not None:
            self.close_connection = True

    def do_POST(self):
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
        self.server.log.append((self.path, form))
        # RFC 6749, 2.3.1: both are encoded before they become a user and a password
        client_id, secret = (urllib.parse.quote(s, safe="") for s in (self.server.client_id, self.server.secret))
        basic = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
        if self.server.take_fault(self.path) == "500":
            return self.answer(500, {})
        if self.path != TOKEN_PATH or form.get("grant_type") != ["client_credentials"]:
            return self.answer(400, {"error": "unsupported_grant_type"})
        if self.headers.get("Authorization") != "Basic " + basic:
            return self.answer(401, {"error": "invalid_client"})
        asked = set(form["scope"][0].split())
        if not asked <= self.server.scopes:
            return self.answer(400, {"error": "invalid_scope"})
        token = secrets.token_urlsafe(24)
        self.server.tokens.add((token, frozenset(asked)))
        return self.answer(200, {"access_token": token, "token_type": "Bearer", "expires_in": self.server.lifetime_s,
                                 "scope": form["scope"][0]})

    def do_GET(self):
        path, _, query = self.path.partition("?")
        given = urllib.parse.parse_qs(query, strict_parsing=bool(query))
        self.server.log.append((path, {name: values[0] for name, values in given.items()}))
        fault = self.server.take_fault(path)
        if fault == "401":
            self.server.tokens.clear()
        scopes = [held for token, held in self.server.tokens if self.headers.get("Authorization") == "Bearer " + token]
        collection = path.removeprefix(BASE + "/")
        if not scopes:
            return self.answer(401, {"imsx_codeMajor": "failure"})
        if not path.startswith(BASE) or collection not in SHAPES:
            return self.answer(404, {"imsx_codeMajor": "failure"})
        kind = "roster-demographics" if collection == "demographics" else "roster-core"
        if SCOPE + kind + ".readonly" not in scopes[0]:
            return self.answer(403, {"imsx_codeMajor": "failure"})
        if not set(given) <= PARAMETERS or given.get("sort", ["sourcedId"]) != ["sourcedId"]:
            return self.answer(400, {"imsx_codeMajor": "failure"})
        return self.page(collection, {name: values[0] for name, values in given.items()}, fault)

    def select(self, collection, given):
        records = sorted(self.server.records.tables[collection].values(), key=lambda record: record["sourcedId"])
        if "filter" in given:
            since = re.fullmatch(r"dateLastModified>'([0-9T:.Z-]+)'", given["filter"])
            if since is None:
                return None
            records = [record for record in records if record["dateLastModified"] > since[1]]
        return records[::-1] if given.get("orderBy") == "desc" else records

    def page(self, collection, given, fault):
        records = self.select(collection, given)
        if records is None:
            return self.answer(400, {"imsx_codeMajor": "failure"})
        offset, limit = int(given.get("offset", 0)), min(int(given.get("limit", 100)), self.server.page_rows)
        total = len(records) + {"total+1": 1, "total-1": -1}.get(fault, 0)
        headers = [("X-Total-Count", str(total))] if self.server.totals else []
        if offset + limit < len(records):
            rest = urllib.parse.urlencode({**given, "offset": offset + limit})
            headers.append(("Link", f'<{self.server.url}{BASE}/{collection}?{rest}>; rel="next"'))
        if fault == "repeat":
            offset = 0
        page = records[offset:offset + limit]
        if "fields" in given:
            names = given["fields"].split(",")
            if not set(names) <= {name.rstrip("?") for name in SHAPES[collection]}:
                return self.answer(400, {"imsx_codeMajor": "failure"})
            page = [{name: record[name] for name in names if name in record} for record in page]
        body = json.dumps({collection: page}, ensure_ascii=False).encode()
        if fault == "slow":
            time.sleep(5)  # longer than a reply may take
        if fault == "hold":
            self.server.held.set()
            self.server.released.wait(300)  # longer than anybody waits for what depends on it
        if fault in ("500", "503"):
            return self.answer(int(fault), {})
        if fault == "429":
            return self.answer(429, {}, [("Retry-After", "1")])
        if fault == "redirect":
            return self.answer(302, {}, [("Location", "http://localhost:1/elsewhere")])
        if fault == "broken":  # the connection ends in the middle
            return self.answer(200, body[:len(body) // 2], headers, promised=len(body))
        if fault == "truncated":  # whole for HTTP, not for JSON
            return self.answer(200, body[:len(body) // 2], headers)
        return self.answer(200, body, headers)
