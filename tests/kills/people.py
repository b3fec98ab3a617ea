"""Those who act while partad is killed, each a thread that goes on until there is no answer, and what each remembers: what was
answered, what was refused, and what was asked for and never answered."""
import json
import random
from urllib.parse import quote

from harness import V3, NoAnswer

V1 = "/_parta/v1"
UNKNOWN = object()  # asked for, not answered


def q(word):
    return quote(word, safe="")


def at_room(room, rest):
    return f"{V3}/rooms/{q(room)}/{rest}"


class Message:
    """Something said once: by its body, which nobody else says."""

    def __init__(self, room, sender, body, number=0, target=None):
        self.room, self.sender, self.body, self.txn, self.number = room, sender, body, "t " + body, number
        self.target = target      # of an edit: the message
        self.event_id = None      # once answered, or found
        self.lies = False         # whether it was found on the disk
        self.redacted = False     # True, or UNKNOWN
        self.edits = []           # messages, in the order in which they were asked for
        if target is not None:
            target.edits.append(self)

    def content(self):
        content = {"msgtype": "m.text", "body": self.body}
        if self.target is None:
            return content
        return {**content, "body": self.body, "m.new_content": {"msgtype": "m.text", "body": "new " + self.body},
                "m.relates_to": {"rel_type": "m.replace", "event_id": self.target.event_id}}


class Slots:
    """Things that have one value at a time: what was answered last, and what was asked for and not answered."""

    def __init__(self):
        self.answered, self.pending = {}, {}

    def keys(self):
        return list({**self.answered, **self.pending})

    def wrong(self, key, found):
        return found != self.answered.get(key) and (key not in self.pending or found != self.pending[key])

    def settle(self, key, found):
        self.pending.pop(key, None)
        self.answered[key] = found


class Person:
    """A signed-in client that acts at random."""

    def __init__(self, world, key, client, seed):
        self.world, self.key, self.client, self.random = world, key, client, random.Random(seed)
        self.count, self.asked, self.slots, self.unexpected, self.messages = 0, 0, Slots(), [], []

    acts = ()

    def run(self):
        try:
            while not self.world.enough.is_set():
                self.count += 1
                before, kinds = self.asked, self.acts
                act = self.random.choices([act for act, _ in kinds], [weight for _, weight in kinds])[0]
                act(self)
                if self.asked == before:  # there was nothing to do
                    self.world.enough.wait(0.002)
                else:
                    self.world.answered[act.__name__] += 1
        except NoAnswer:
            self.world.unanswered[act.__name__] += 1

    def request(self, method, path, body=None, token=None, headers=None):
        self.asked += 1
        return self.world.server.request(method, path, body, token or self.client.token, headers)

    def ask(self, method, path, body, refused=()):
        """The answer, whose status is 200 or one of those given; None for any other, which is a finding."""
        answer = self.request(method, path, body)
        if answer.status < 300 or answer.status in refused:
            return answer
        self.unexpected.append(f"{self.key}: {method} {path}: {answer}")
        return None

    def put(self, key, value, method, path, body):
        self.slots.pending[key] = value
        if self.ask(method, path, body) is not None:
            self.slots.settle(key, value)

    def say_in(self, room, body, target=None):
        """Says it. What was said is known before anybody answers."""
        message = Message(room, self.client.user_id, body, self.count, target)
        self.world.said[body] = message
        self.messages.append(message)
        answer = self.ask("PUT", self.client.send_path(room, message.txn), message.content())
        if answer is not None:
            message.event_id = answer["event_id"]
        return message


class Talker(Person):
    """Somebody who stays in their rooms, and writes there."""

    def __init__(self, world, key, client, seed, rooms):
        super().__init__(world, key, client, seed)
        self.rooms = rooms
        self.read_upto = {}  # receipt or marker -> number of a message: they go forward
        self.devices = {}  # device id -> [token or None, True, False or UNKNOWN]

    def own(self, room=None):
        return [m for m in self.messages[-12:] if m.event_id and m.redacted is False and m.target is None and room in (None, m.room)]

    def say(self):
        room = self.random.choice(self.rooms)
        self.say_in(room, f"{self.key} {self.count}")

    def edit(self):
        if self.own():
            target = self.random.choice(self.own())
            self.say_in(target.room, f"{self.key} {self.count} edit", target)

    def redact(self):
        if self.own():
            message = self.random.choice(self.own())
            message.redacted = UNKNOWN
            self.world.redacted.append(message)
            if self.redact_again(message):
                message.redacted = True

    def redact_again(self, message):
        return self.ask("PUT", at_room(message.room, f"redact/{q(message.event_id)}/{q('r ' + message.body)}"), {})

    def put_account_data(self):
        which = self.random.randrange(3)
        self.put(("account", which), self.count, "PUT", f"{V3}/user/{q(self.client.user_id)}/account_data/test.{which}",
                 {"count": self.count})

    def newest(self, kind):
        """The newest message of their first room, if it is newer than what that kind has seen."""
        seen = [m for m in self.own(self.rooms[0]) if m.number > self.read_upto.get(kind, 0)]
        if not seen:
            return None
        self.read_upto[kind] = seen[-1].number
        return seen[-1].event_id

    def read(self):
        event_id = self.newest("receipt")
        if event_id:
            self.put(("receipt",), event_id, "POST", at_room(self.rooms[0], f"receipt/m.read/{q(event_id)}"), {})

    def mark(self):
        event_id = self.newest("marker")
        if event_id:
            self.put(("marker",), event_id, "POST", at_room(self.rooms[0], "read_markers"), {"m.fully_read": event_id})

    def device(self):
        """A new device, and an old one goes."""
        device_id = f"D{self.key}{self.count}"
        self.devices[device_id] = [None, UNKNOWN]
        made = self.ask("POST", f"{V3}/login", {**self.proof(), "device_id": device_id})
        if made is None:
            return
        self.devices[device_id] = [made["access_token"], True]
        device_id, known = next(iter(self.devices.items()))
        if len(self.devices) > 2 and known[1] is True:
            known[1] = UNKNOWN
            asked = self.request("DELETE", f"{V3}/devices/{device_id}", {})
            if asked.status == 401:
                asked = self.ask("DELETE", f"{V3}/devices/{device_id}", {"auth": {**self.proof(), "session": asked["session"]}})
            if asked is not None and asked.status == 200:
                known[1] = False

    def proof(self):
        return {"type": "m.login.password", "password": self.client.password,
                "identifier": {"type": "m.id.user", "user": self.client.user_id}}

    def intrude(self):
        """Where they are not: refused, and never there."""
        body = f"{self.key} {self.count} refused"
        self.world.refused.add(body)
        self.ask("PUT", self.client.send_path(self.world.forbidden[self.key], body), {"msgtype": "m.text", "body": body}, (403, 404))

    acts = ((say, 50), (edit, 8), (redact, 6), (put_account_data, 10), (read, 8), (mark, 6), (device, 2), (intrude, 3))

    # ---- afterwards

    def send_again(self, found):
        """What was not answered, and the last that was, with their old transaction ids. found: body -> event id on the disk."""
        wrong = []
        for message in [m for m in self.messages[-3:] if m.event_id is None] + [m for m in self.messages if m.event_id][-2:]:
            before = message.event_id or found.get(message.body)
            answer = self.client.request("PUT", self.client.send_path(message.room, message.txn), message.content())
            if answer.status != 200 or before not in (None, answer["event_id"]):
                wrong.append(f"{message.body}: sent again it became {answer}, and was {before}")
            else:
                message.event_id = answer["event_id"]
        for message in self.messages[-20:]:
            if message.redacted is UNKNOWN and self.redact_again(message):
                message.redacted = True
        del self.messages[:-20]
        return wrong

    def check_devices(self):
        wrong = []
        for device_id, (token, state) in list(self.devices.items()):
            if token is None:  # its answer never came: there or not, nobody has its token
                del self.devices[device_id]
                continue
            status = self.world.server.get(f"{V3}/account/whoami", token).status
            if state is not UNKNOWN and (status == 200) != state:
                wrong.append(f"{device_id} answers {status}, and should be {'in' if state else 'gone'}")
            if status == 200:
                self.devices[device_id][1] = True
            else:
                del self.devices[device_id]
        return wrong

    def check_slots(self, fresh):
        """fresh: an initial sync of theirs, as a Device."""
        wrong = []
        for key in self.slots.keys():
            found = self.found(fresh, key)
            if self.slots.wrong(key, found):
                wrong.append(f"{self.key} {key}: {found!r}, not {self.slots.answered.get(key)!r} or {self.slots.pending.get(key)!r}")
            self.slots.settle(key, found)
        return wrong

    def found(self, device, key):
        """The value as a device knows it from its syncs."""
        if key[0] == "account":
            return device.account.get(("", f"test.{key[1]}"), {}).get("count")
        if key[0] == "marker":
            return device.account.get((self.rooms[0], "m.fully_read"), {}).get("event_id")
        return device.receipts.get((self.rooms[0], self.client.user_id))


class Joiner(Person):
    """A pupil who joins a club and leaves it, and writes there, also when they may not."""

    def __init__(self, world, key, client, seed):
        super().__init__(world, key, client, seed)
        self.slots.answered["club",] = "leave"

    def flip(self):
        joined = self.slots.answered.get(("club",)) == "join"
        if ("club",) not in self.slots.pending:
            self.put(("club",), "leave" if joined else "join", "POST", at_room(self.world.club, "leave" if joined else "join"), {})

    def say(self):
        if ("club",) in self.slots.pending:
            return
        if self.slots.answered.get(("club",)) == "join":
            self.say_in(self.world.club, f"{self.key} {self.count}")
            return
        body = f"{self.key} {self.count} refused"
        self.world.refused.add(body)
        self.ask("PUT", self.client.send_path(self.world.club, body), {"msgtype": "m.text", "body": body}, (403,))

    acts = ((flip, 3), (say, 2))

    def check(self, joined):
        """joined: who is in the club, on the disk."""
        found = "join" if self.client.user_id in joined else "leave"
        wrong = self.slots.wrong(("club",), found)
        told = [f"{self.key} in the club: {found}, not {self.slots.answered} or {self.slots.pending}"] if wrong else []
        self.slots.settle(("club",), found)
        return told


class Office(Person):
    """Brings rosters: whole, as a delta, broken ones, and one in which nobody is left."""

    def __init__(self, world, client, seed, roster, changes):
        super().__init__(world, "office", client, seed)
        self.roster, self.changes, self.pending = roster, changes, None

    def bring(self, new, archive):
        self.pending = new
        answer = self.ask("POST", f"{V1}/imports", archive)
        if answer is not None:
            self.roster = new
        self.pending = None

    def whole(self):
        new = self.changes.next(self.roster)
        self.bring(new, new.bulk())

    def delta(self):
        new = self.changes.next(self.roster)
        self.bring(new, new.delta_from(self.roster))

    def broken(self):
        self.ask("POST", f"{V1}/imports", self.roster.broken(), (400,))

    def emptied(self):
        """It is held, and nobody confirms it (G5)."""
        self.ask("POST", f"{V1}/imports", self.roster.emptied(), (409,))

    acts = ((whole, 6), (delta, 10), (broken, 2), (emptied, 1))


class Guest:
    """A pupil whom the school itself lets in, by a link, and erases again."""

    def __init__(self, family, homeroom):
        self.family, self.homeroom = family, homeroom
        self.user_id = self.token = self.application = None
        self.state = UNKNOWN  # of (None: not there) pending, in, refused, erased
        self.may_be = {None, "pending"}
        self.said = []  # their messages

    def asks(self, state):
        self.may_be, self.state = {self.state, state}, UNKNOWN

    def is_now(self, state):
        self.state, self.may_be = state, {state}


class Entry(Person):
    """The office at the door: applications are approved or refused, and who was let in is erased some time."""

    def __init__(self, world, client, seed):
        super().__init__(world, "entry", client, seed)
        self.guests, self.links = [], {}

    def of_state(self, state):
        return [guest for guest in self.guests if guest.state == state]

    def link(self, homeroom):
        if homeroom not in self.links:
            made = self.ask("POST", f"{V1}/links", {"kind": "class", "class": homeroom, "role": "pupil", "uses": 1000})
            self.links[homeroom] = made["token"]
        return self.links[homeroom]

    def sign_up(self):
        if len(self.of_state("pending")) > 3:
            return
        guest = Guest(f"Гость{self.count}", self.random.choice(["c1", "c2", "c3"]))
        token = self.link(guest.homeroom)
        self.guests.append(guest)
        self.asked += 1
        answer = self.world.server.request("POST", f"{V1}/signup", {
            "token": token, "password": "Correct-Horse-7-Battery", "given_name": "Лев", "family_name": guest.family,
            "birth_date": "2010-01-02"})
        if answer.status != 200:
            self.unexpected.append(f"sign-up: {answer}")
            self.guests.remove(guest)
            return
        guest.user_id, guest.token = answer["user_id"], answer["access_token"]
        guest.is_now("pending")

    def decide(self):
        waiting = self.of_state("pending")
        if not waiting or len(self.of_state("in")) > 5:
            return
        guest = self.random.choice(waiting)
        if guest.application is None:
            me = self.request("GET", f"{V1}/me", token=guest.token)
            guest.application = me["applications"][0]["application"]
        approve = self.random.random() < 0.7
        guest.asks("in" if approve else "refused")
        answer = self.request("POST", f"{V1}/applications/{guest.application}/{'approve' if approve else 'refuse'}",
                              {} if approve else {"reason": "Не из нашей школы"}, headers={"If-Match": '"1"'})
        if answer.status == 200:
            guest.is_now("in" if approve else "refused")
        else:
            self.unexpected.append(f"a decision: {answer}")

    def guest_says(self):
        """Only who is let in may, and only they are heard."""
        guests = self.of_state("in") + self.of_state("pending")
        if not guests:
            return
        guest = self.random.choice(guests)
        body = f"{guest.family} {self.count}"
        path = at_room(self.world.class_rooms[guest.homeroom], f"send/m.room.message/{q(body)}")
        if guest.state == "in":
            message = Message(self.world.class_rooms[guest.homeroom], guest.user_id, body)
            self.world.said[body] = message
            guest.said.append(message)
        else:
            self.world.refused.add(body)
        answer = self.request("PUT", path, {"msgtype": "m.text", "body": body}, guest.token)
        if (answer.status == 200) != (guest.state == "in"):
            self.unexpected.append(f"{body}: {answer}")
        elif answer.status == 200:
            message.event_id = answer["event_id"]

    def erase(self):
        here = self.of_state("in")
        if len(here) < 3:
            return
        guest = self.random.choice(here)
        guest.asks("erased")
        if self.ask("POST", f"{V1}/people/{q(guest.user_id)}/erase", {}) is not None:
            guest.is_now("erased")

    acts = ((sign_up, 4), (decide, 4), (guest_says, 4), (erase, 1))


class Device:
    """A client that syncs, keeps its token whatever happens, and remembers what it was told."""

    LIMIT = 200

    def __init__(self, world, key, client):
        self.world, self.key, self.client = world, key, client
        self.since, self.joined = None, set()
        self.told = {}  # room -> event ids in the order in which they were told
        self.account, self.receipts = {}, {}

    def sync(self, timeout_ms):
        """One sync; whether it told anything."""
        at = f"&since={quote(self.since)}" if self.since else ""
        chosen = json.dumps({"room": {"timeline": {"limit": self.LIMIT}, "state": {"lazy_load_members": True}}})
        news = self.client.must("GET", f"{V3}/sync?timeout={timeout_ms}&filter={quote(chosen)}{at}")
        for event in news.get("account_data", {}).get("events", []):
            self.account["", event["type"]] = event["content"]
        rooms = news.get("rooms", {})
        for room, told in rooms.get("join", {}).items():
            self.joined.add(room)
            self.take(room, told)
        for room, told in rooms.get("leave", {}).items():
            self.joined.discard(room)
            self.take(room, told)
        self.since = news["next_batch"]
        return any(rooms.values()) or bool(news.get("account_data", {}).get("events"))

    def take(self, room, told):
        timeline = told.get("timeline", {"events": []})
        for event in timeline["events"]:
            self.told.setdefault(room, []).append(event["event_id"])
        for event in told.get("account_data", {}).get("events", []):
            self.account[room, event["type"]] = event["content"]
        for event in told.get("ephemeral", {}).get("events", []):
            if event["type"] == "m.receipt":
                for event_id, kinds in event["content"].items():
                    self.receipts.update({(room, user): event_id for user in kinds.get("m.read", {})})

    def run(self):
        """Polls until there is no answer."""
        try:
            while not self.world.enough.is_set():
                self.sync(30000)
        except NoAnswer:
            pass

    def catch_up(self):
        while self.sync(0):
            pass


class Fresh(Device):
    """One that has just been bought: what it knows after its first sync."""

    LIMIT = 1

    def __init__(self, world, key, client):
        super().__init__(world, key, client)
        self.sync(0)
