"""Random requests to every route of the tables in client-api/, with plausible and hostile values: whatever they are, the
answer comes soon, is no 5xx, and is JSON with an error code when it is an error. Seeded, so that a failure comes again."""
import copy
import glob
import json
import os
import random
import re
import time
from urllib.parse import quote

from cases import V3
from harness import NoAnswer

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
ROUTE = re.compile(r'\{\s*HTTP_(\w+),\s*((?:"[^"]*"|\w+|\s)+),')
DEFINE = re.compile(r"^#define (\w+) (.+)$", re.M)
SOON_S = 40  # nothing here is held for so long
STRANGE = ["", "x", "\u202e", "ё" * 50, "x" * 256, "x" * 5000, "a:b", "..", "%", "'; DROP TABLE users; --", "@", "!", "#", "$", "{}",
           "\n", "\x7f", "\U0001f4a9", "null", "-1", "0", "1e9", "@nobody:school.example", "@a:other.example"]
RAW = ["%00", "%ff", "%", "%2F", "%2e%2e", "a%00b", "%ed%a0%80", "+", "*"]  # already encoded
VALUES = [None, True, False, 0, -1, 1, 2**53 - 1, 2**53, -2**63, 2**63, 1.5, "", "x", "x" * 300, "\u0001", [], {}, [[]], [None],
          {"x": None}, {"": ""}, ["x"] * 40, "@a:other.example"]

# Bodies that would do, by what a path contains.
SEEDS = [
    ("/createRoom", {"name": "n", "topic": "t", "preset": "public_chat", "visibility": "private", "room_version": "11",
                     "invite": [], "is_direct": False, "creation_content": {"m.federate": True},
                     "initial_state": [{"type": "t", "state_key": "", "content": {"a": [1, {"b": "c"}]}}],
                     "power_level_content_override": {"users": {}, "events": {"m.room.name": 50}, "ban": 50}}),
    ("/send/", {"msgtype": "m.text", "body": "b", "m.mentions": {"user_ids": ["@a:b"], "room": True},
                "m.relates_to": {"rel_type": "m.thread", "event_id": "$e", "m.in_reply_to": {"event_id": "$e"}}}),
    ("/state/", {"membership": "join", "displayname": "d", "users": {"@a:b": 50}, "events_default": 0, "alias": "#a:school.example",
                 "alt_aliases": [], "join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": "!a:b"}],
                 "history_visibility": "shared", "url": "mxc://a/b", "via": ["school.example"]}),
    ("/filter", {"room": {"timeline": {"limit": 5, "types": ["m.*"], "not_senders": []}, "rooms": []}, "event_fields": ["content.body"]}),
    ("/pushrules/", {"actions": ["notify", {"set_tweak": "sound", "value": "x"}], "pattern": "p*", "enabled": True,
                     "conditions": [{"kind": "event_match", "key": "content.body", "pattern": "x"},
                                    {"kind": "room_member_count", "is": ">2"}]}),
    ("/login", {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "owner"}, "password": "wrong",
                "device_id": "D", "initial_device_display_name": "n", "refresh_token": True}),
    ("/register", {"username": "owner", "password": "a password", "auth": {"type": "m.login.dummy"}, "inhibit_login": True,
                   "nonce": "n", "mac": "m", "admin": True}),
    ("/account/", {"new_password": "a password", "logout_devices": False, "erase": True,
                   "auth": {"type": "m.login.password", "password": "wrong", "user": "x", "session": "s"}}),
    ("devices", {"display_name": "n", "devices": ["A", "B"], "auth": {"type": "m.login.password", "session": "s"}}),
    ("/read_markers", {"m.fully_read": "$e", "m.read": "$e", "m.read.private": "$e"}),
    ("/receipt/", {"thread_id": "main"}),
    ("/typing/", {"typing": True, "timeout": 30000}),
    ("/tags/", {"order": 0.5}),
    ("/profile/", {"displayname": "d", "avatar_url": "mxc://a/b", "m.tz": "Europe/Moscow"}),
    ("/publicRooms", {"limit": 5, "since": "x", "filter": {"generic_search_term": "x", "room_types": [None, "m.space"]},
                      "include_all_networks": False}),
    ("/directory/", {"room_id": "!a:b", "visibility": "public"}),
    ("/upgrade", {"new_version": "11", "additional_creators": []}),
    ("/search", {"search_term": "x", "limit": 5, "search_categories": {"room_events": {"search_term": "x"}}}),
    ("", {"reason": "r", "user_id": "@a:b", "refresh_token": "t", "presence": "online", "status_msg": "s", "x": {"y": [1]}}),
]
QUERIES = {"dir": ["b", "f"], "limit": ["1", "0", "50"], "from": ["s1", "s99999"], "to": ["s1"], "since": ["s1", "s99999999", ""],
           "timeout": ["0", "5", "abc"], "filter": ["0", "1", '{"room":{"timeline":{"limit":2}}}', '{"types":["m.*"]}'],
           "full_state": ["true", "false"], "set_presence": ["offline", "online"], "use_state_after": ["true"],
           "membership": ["join"], "not_membership": ["leave"], "at": ["s5"], "ts": ["0", "99999999999999"], "format": ["event"],
           "server": ["school.example"], "username": ["owner", "new"], "kind": ["user", "guest"], "user_id": ["@owner:school.example"],
           "include": ["all", "participated"], "recurse": ["true"], "before": ["a"], "after": ["b"], "token": ["t"], "via": ["x"],
           "server_name": ["x"], "max_depth": ["1"], "suggested_only": ["true"], "search_term": ["x"], "access_token": ["x"]}


def routes():
    """(method, template) of every table."""
    found = set()
    for path in sorted(glob.glob(os.path.join(ROOT, "client-api", "*.c"))):
        with open(path, encoding="utf-8") as source:
            text = source.read()
        macros = dict(DEFINE.findall(text))
        for method, expression in ROUTE.findall(text):
            found.add((method, expand(expression, macros)))
    return sorted(found)


def expand(expression, macros):
    parts = re.findall(r'"[^"]*"|\w+', expression)
    return "".join(part[1:-1] if part[0] == '"' else expand(macros[part], macros) for part in parts)


class Mutator:
    def __init__(self, stage, seed):
        self.stage, self.random, self.made = stage, random.Random(seed), 0
        self.client = None
        self.renew()

    def renew(self):
        self.made += 1
        self.client = self.stage.server.make_user(f"chaos{self.made}")
        self.room = self.client.create_room(name="chaos")
        self.event = self.stage.say(self.client, self.room, "chaos")

    def param(self, name):
        me, stage, pick = self.client.user_id, self.stage, self.random.choice
        kind = name.lower()
        good = {"roomid": [self.room, self.room, stage.control, stage.restricted, "!nowhere:school.example"],
                "roomidoralias": [self.room, "#control:school.example", stage.control],
                "roomalias": ["#control:school.example", f"#c{self.random.randrange(50)}:school.example"],
                "userid": [me, me, me, stage.owner.user_id, "@nobody:school.example"],
                "eventid": [self.event, self.event, stage.event, "$nothing"],
                "eventtype": ["m.room.message", "m.room.member", "m.room.power_levels", "m.room.name", "m.room.create", "m.reaction",
                              "m.room.canonical_alias", "m.room.join_rules", "m.room.redaction", "t"],
                "statekey": ["", me, stage.owner.user_id, "x"], "txnid": [f"t{self.random.randrange(500)}"],
                "deviceid": [self.client.device_id, "OTHER"], "type": ["m.push_rules", "m.direct", "m.ignored_user_list", "t"],
                "tag": ["m.favourite", "u.x"], "keyname": ["displayname", "avatar_url", "org.example.x", "m.tz"],
                "filterid": ["1", "0", "99"], "receipttype": ["m.read", "m.read.private", "m.fully_read"],
                "kind": ["override", "content", "room", "sender", "underride"], "ruleid": [".m.rule.master", "mine", self.room],
                "reltype": ["m.thread", "m.annotation"], "scope": ["global"]}.get(kind, ["x"])
        dice = self.random.random()
        if dice < 0.75:
            return quote(pick(good), safe="")
        return quote(pick(STRANGE), safe="") if dice < 0.93 else pick(RAW)

    def mutated(self, value, depth=0):
        """A copy with here and there something else."""
        dice = self.random.random()
        if dice < 0.08:
            return copy.deepcopy(self.random.choice(VALUES))
        if dice < 0.11:
            return self.random.choice(STRANGE)
        if isinstance(value, dict):
            kept = {key: self.mutated(item, depth + 1) for key, item in value.items() if self.random.random() > 0.12}
            if self.random.random() < 0.1:
                kept[self.random.choice(STRANGE)] = self.random.choice(VALUES)
            return kept
        if isinstance(value, list):
            return [self.mutated(item, depth + 1) for item in value] * self.random.choice([1, 1, 1, 0, 3])
        return value

    def body(self, path):
        seed = next(value for part, value in SEEDS if part in path)
        dice = self.random.random()
        bytes_ = json.dumps(self.mutated(seed) if dice < 0.9 else seed, ensure_ascii=self.random.random() < 0.5).encode()
        if self.random.random() < 0.06:
            at = self.random.randrange(len(bytes_))
            bytes_ = bytes_[:at] + self.random.choice([b"", b"\xff", b"{", b"\0", b'"', b","]) + bytes_[at + self.random.randrange(2):]
        return bytes_

    def query(self):
        pairs = []
        for name in self.random.sample(sorted(QUERIES), self.random.choice([0, 0, 1, 2, 4])):
            value = self.random.choice(QUERIES[name] if self.random.random() < 0.8 or name == "timeout" else STRANGE)
            pairs.append(f"{name}={quote(value)}" if self.random.random() < 0.97 else f"{name}={self.random.choice(RAW)}")
        return "?" + "&".join(pairs) if pairs else ""

    def request(self, method, template):
        path = re.sub(r"\{(\w+)\}", lambda found: self.param(found.group(1)), template) + self.query()
        if self.random.random() < 0.03:
            method = self.random.choice(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"])
        body = self.body(path) if method in ("POST", "PUT", "DELETE") and self.random.random() < 0.9 else None
        token = self.client.token if self.random.random() < 0.97 else self.random.choice([None, "nonsense"])
        return method, path, body, token


def complaint(method, answer, seconds):
    if seconds > SOON_S:
        return f"took {seconds:.1f} s"
    if answer.status >= 500:
        return "is a 5xx"
    if method == "HEAD":
        return "HEAD has a body" if answer.bytes else None
    if answer.json is None:
        return "is not JSON"
    if answer.status == 401 and isinstance(answer.json.get("flows"), list) and answer.json.get("session"):
        return None  # interactive authentication asks
    if answer.status >= 400 and not (isinstance(answer.errcode, str) and isinstance(answer.json.get("error"), str)):
        return "has no error code"
    return None if answer.status in (200, 400, 401, 403, 404, 405, 409, 413, 414, 429) else "is a strange status"


def at_random(tap, stage, requests, seed):
    mutator, table = Mutator(stage, seed), routes()
    tap.ok(len(table) > 80, f"random: {len(table)} routes were found in client-api/", *table)
    wrong, statuses = [], {}
    stage.changes()
    for i in range(requests):
        method, template = mutator.random.choice(table)
        method, path, body, token = mutator.request(method, template)
        begun = time.monotonic()
        try:
            answer = stage.server.request(method, path, body, token)
            why = complaint(method, answer, time.monotonic() - begun)
            statuses[answer.status] = statuses.get(answer.status, 0) + 1
        except NoAnswer as e:
            answer, why = e, "no answer"
        if why:
            wrong.append(f"request {i}: {method} {path[:200]} {body[:300] if body else ''!r}: {why}: {answer}")
        if not stage.server.alive():
            raise RuntimeError(f"the server ended at request {i} of seed {seed}: {method} {path} {body}:\n{stage.server.log()[-3000:]}")
        if getattr(answer, "status", 0) == 401 and token == mutator.client.token and answer.errcode in ("M_UNKNOWN_TOKEN", "M_USER_LOCKED"):
            mutator.renew()
    tap.ok(not wrong, f"random: {requests} requests of seed {seed} get proper answers ("
           + ", ".join(f"{n}× {status}" for status, n in sorted(statuses.items())) + ")", *wrong)
    changes = stage.changes()
    tap.ok(not changes, "random: nothing has changed for those who took no part", *changes)
