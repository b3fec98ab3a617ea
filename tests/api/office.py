"""The sample school with people of every kind signed in, and calls by operationId whose replies are checked."""
import csv
import io
import os
import subprocess
import uuid
from urllib.parse import quote, urlencode

from harness import V3

PREFIX = "/_parta/v1"


class Person:
    def __init__(self, office, user_id, roles, sourced_id, token=None):
        self.office, self.user_id, self.roles, self.sourced_id = office, user_id, roles, sourced_id
        self.token = token


class Office:
    def __init__(self, tap, server, description):
        self.tap, self.server, self.description = tap, server, description
        self.succeeded, self.called, self.wrong = set(), set(), []
        self.archive = os.path.join(server.folder, "school.zip")
        self.parta("school", "sample", "--seed", "1", "--size", "2x3x6", self.archive)
        table = self.parta("roster", "import", "--passwords", self.archive)
        self.passwords = {row["user_id"]: row for row in csv.DictReader(io.StringIO(table), skipinitialspace=True)}
        self.all = self.parta("operator", "create", "region", "all").strip()
        server.start()
        self.operator = Person(self, None, "", "", self.all)
        self.anybody = Person(self, None, "", "")

    def parta(self, *words, status=0, data=None):
        command = [os.path.join(self.server.build, "parta"), "--config", os.path.join(self.server.folder, "parta.yaml"), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, input=data, check=False)
        if done.returncode != status:
            raise RuntimeError(f"parta {' '.join(words)}: {done.returncode} {done.stderr}")
        return done.stdout

    def token_of(self, scopes):
        return Person(self, None, "", "", self.ok(self.operator, "createOperator", body={
            "name": "o-" + uuid.uuid4().hex[:8], "scopes": scopes})["token"])

    def sign_in(self, user_id, password):
        answer = self.server.request("POST", f"{V3}/login", {
            "type": "m.login.password", "identifier": {"type": "m.id.user", "user": user_id}, "password": password})
        if answer.status != 200:
            raise RuntimeError(f"{user_id} can't sign in: {answer}")
        return answer["access_token"]

    def person(self, record):
        """A person of the records, as the API told them, signed in."""
        row = self.passwords[record["user_id"]]
        roles = [held["role"] for held in record["roles"]]
        return Person(self, record["user_id"], roles, record["person"], self.sign_in(record["user_id"], row["password"]))

    # ---- calls

    def call(self, who, operation, query=None, body=None, headers=None, **path):
        """Answers; the reply is held against the description."""
        method, template, _ = self.description.operations[operation]
        for name, value in path.items():
            template = template.replace("{" + name + "}", quote(value, safe=""))
        assert "{" not in template, template
        address = PREFIX + template + ("?" + urlencode(query) if query else "")
        answer = self.server.request(method, address, body, who.token, headers)
        self.called.add(operation)
        if answer.status < 300:
            self.succeeded.add(operation)
            for fault in self.description.body_faults(operation, body):
                self.wrong.append(f"{operation}, a body that was taken: {fault}")
        if answer.status >= 500:
            self.wrong.append(f"{operation}: {answer}")
        for fault in self.description.reply_faults(operation, answer):
            self.wrong.append(f"{operation} {answer.status}: {fault}: {answer.bytes[:200]}")
        return answer

    def prove(self, who, password, operation, body=None, headers=None, **path):
        """The same of what cannot be taken back: asked for the password, the person gives it."""
        asked = self.call(who, operation, None, body, headers, **path)
        if asked.status != 401 or "flows" not in asked.json:
            return asked
        auth = {"type": "m.login.password", "session": asked["session"], "password": password,
                "identifier": {"type": "m.id.user", "user": who.user_id}}
        return self.call(who, operation, None, {**(body or {}), "auth": auth}, headers, **path)

    def ok(self, who, operation, query=None, body=None, headers=None, **path):
        answer = self.call(who, operation, query, body, headers, **path)
        if answer.status >= 300:
            raise RuntimeError(f"{operation} {path} {query or ''}: {answer}")
        return answer.json if answer.json is not None else answer.bytes

    def pages(self, who, operation, limit, query=None, between=None, **path):
        """Every item, page by page; between is called after each."""
        items, at = [], {}
        while True:
            page = self.ok(who, operation, {**(query or {}), "limit": limit, **at}, **path)
            items += page["items"]
            if "next" not in page:
                return items
            at = {"from": page["next"]}
            if between:
                between()

    def same_as_described(self, name):
        wrong, self.wrong = self.wrong, []
        self.tap.ok(not wrong, name, *dict.fromkeys(wrong))
