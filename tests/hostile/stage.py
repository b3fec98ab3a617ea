"""The stage of the hostile tests: an owner with a room that nothing may happen to, mallory who sits in it without power, eve
who does not, and a way to tell whether anything changed."""
import itertools
import re
from urllib.parse import quote

from harness import V3

AGE = re.compile(rb'"age":\d+,?')
LAST_SEEN = re.compile(rb'"last_seen_ts":\d+,?')


class Stage:
    def __init__(self, server):
        self.server = server
        self.owner, self.mallory, self.eve = (server.make_user(name) for name in ("owner", "mallory", "eve"))
        self.control = self.owner.create_room(name="control", topic="stays as it is", room_alias_name="control",
                                              invite=[self.mallory.user_id])
        self.room(self.mallory, self.control, "join")
        self.event = self.say(self.owner, self.control, "a word")
        self.say(self.owner, self.control, "another word")
        self.owner.must("PUT", f"{V3}/user/{quote(self.owner.user_id)}/account_data/test", {"kept": True})
        self.scratch = self.mallory.create_room(name="scratch")
        self.scratch_event = self.say(self.mallory, self.scratch, "mine")
        self.restricted = self.owner.create_room(name="restricted", initial_state=[{
            "type": "m.room.join_rules", "content": {
                "join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": self.control}]}}])
        self.txns = map("t{}".format, itertools.count(1))
        self.sinces = {}
        self.before = self.picture()

    @staticmethod
    def room(client, room, verb, body=None):
        return client.must("POST", f"{V3}/rooms/{quote(room)}/{verb}", body or {})

    @staticmethod
    def say(client, room, text):
        return client.must("PUT", client.send_path(room, text), {"msgtype": "m.text", "body": text})["event_id"]

    def things(self):
        return {"control": self.control, "scratch": self.scratch, "restricted": self.restricted, "event": self.event,
                "scratch_event": self.scratch_event, "owner": self.owner.user_id, "mallory": self.mallory.user_id,
                "eve": self.eve.user_id, "alias": "#control:school.example", "device": self.mallory.device_id}

    def fill_path(self, path):
        for name, value in {**self.things(), "txn": next(self.txns)}.items():
            path = path.replace("{" + name + "}", quote(value, safe=""))
        return path

    def fill_body(self, value):
        if isinstance(value, str):
            for name, thing in self.things().items():
                value = value.replace("{" + name + "}", thing)
            return value
        if isinstance(value, list):
            return [self.fill_body(item) for item in value]
        if isinstance(value, dict):
            return {self.fill_body(key): self.fill_body(item) for key, item in value.items()}
        return value

    def token_of(self, who):
        if who == "nobody":
            return None
        return who[len("token "):] if who.startswith("token ") else getattr(self, who).token

    def ask(self, who, method, path, body):
        filled = body if body is None or isinstance(body, bytes) else self.fill_body(body)
        return self.server.request(method, self.fill_path(path), filled, self.token_of(who))

    def picture(self, whole=True):
        """What the hostile could have changed, as bytes; not whole: only what the owner has."""
        views = [(self.owner, f"{V3}/rooms/{quote(self.control)}/state"),
                 (self.owner, f"{V3}/rooms/{quote(self.control)}/messages?dir=b&limit=50"),
                 (self.eve, f"{V3}/joined_rooms")]
        rest = [(self.owner, f"{V3}/user/{quote(self.owner.user_id)}/account_data/test"),
                (self.owner, f"{V3}/profile/{quote(self.owner.user_id)}"),
                (self.owner, f"{V3}/rooms/{quote(self.restricted)}/members"),
                (self.mallory, f"{V3}/rooms/{quote(self.scratch)}/state"),
                (self.mallory, f"{V3}/rooms/{quote(self.scratch)}/messages?dir=b&limit=200"),
                (self.mallory, f"{V3}/profile/{quote(self.mallory.user_id)}"),
                (self.mallory, f"{V3}/devices"),
                (self.mallory, f"{V3}/joined_rooms")]
        seen = {}
        for client, path in views + (rest if whole else []):
            answer = client.request("GET", path)
            if answer.status != 200:
                raise RuntimeError(f"GET {path}: {answer}")
            # ages and tokens differ from answer to answer
            cleaned = LAST_SEEN.sub(b"", AGE.sub(b"", answer.bytes))
            cleaned = re.sub(rb'("(start|end)":"t)[\w-]{30}-\d+"', rb'\1"', cleaned)
            seen[f"{client.user_id} {path}"] = cleaned
        return seen

    def news(self):
        """What /sync tells owner and mallory since the last time: nothing, if nothing happened."""
        told = []
        for client in (self.owner, self.mallory):
            since = self.sinces.get(client.user_id)
            got = client.must("GET", f"{V3}/sync?timeout=0" + (f"&since={quote(since)}" if since else ""))
            self.sinces[client.user_id] = got["next_batch"]
            for section in ("rooms", "account_data", "to_device"):
                if since and any((got.get(section) or {}).values()):
                    told.append(f"{client.user_id}: {section}: {str(got[section])[:200]}")
        return told

    def changes(self, whole=True):
        """Sentences about what is not as it was. Not whole: what /sync tells stands for what is not looked at."""
        now, wrong = self.picture(whole), []
        for view, bytes_ in now.items():
            if bytes_ != self.before[view]:
                wrong.append(f"{view} was {self.before[view][:200]!r} and is {bytes_[:200]!r}")
        self.before.update(now)
        return wrong + self.news()
