"""Rooms and accounts full of data that is allowed and makes no sense: everything that reads it later goes on working."""
from urllib.parse import quote

from cases import V3

V1 = "/_matrix/client/v1"
VERSIONS = ("1", "9", "12")
ODD = [7, [{}], {"x": []}, None, "x" * 300]

# State whose contents' members get odd values, one after the other.
STATE = [
    ("m.room.name", "", ["name"]), ("m.room.topic", "", ["topic", "m.topic"]), ("m.room.avatar", "", ["url", "info"]),
    ("m.room.guest_access", "", ["guest_access"]), ("m.room.encryption", "", ["algorithm"]),
    ("m.room.pinned_events", "", ["pinned"]), ("m.room.canonical_alias", "", ["alias"]),
    ("m.room.server_acl", "", ["allow"]), ("m.space.child", "!child:school.example", ["via", "order", "suggested"]),
    ("m.space.parent", "!parent:school.example", ["via", "canonical"]), ("m.room.third_party_invite", "x", ["public_keys"]),
    ("m.room.tombstone", "", ["replacement_room", "body"]), ("m.room.join_rules", "", ["join_rule", "allow"]),
    ("m.room.history_visibility", "", ["history_visibility"]),
    ("m.room.power_levels", "", ["events", "notifications", "ban", "users"]),
]
MESSAGES = [
    {"msgtype": 7, "body": []}, {"body": None, "formatted_body": {}}, {"m.relates_to": 7}, {"m.relates_to": {"rel_type": 7}},
    {"m.relates_to": {"rel_type": "m.thread", "event_id": 7}}, {"m.relates_to": {"rel_type": "m.replace", "event_id": "$x"}},
    {"m.relates_to": {"m.in_reply_to": []}}, {"m.mentions": 7}, {"m.mentions": {"user_ids": 7, "room": "yes"}},
    {"m.new_content": 7, "m.relates_to": {"rel_type": "m.replace", "event_id": "{first}"}},
    {"m.relates_to": {"rel_type": "m.replace", "event_id": "{first}"}},
    {"m.relates_to": {"rel_type": "m.thread", "event_id": "{first}"}},
    {"m.relates_to": {"rel_type": "m.annotation", "event_id": "{first}", "key": {}}},
    {"m.relates_to": {"rel_type": "", "event_id": "{first}"}}, {"m.relates_to": {"rel_type": "x" * 5000, "event_id": "{first}"}},
    {"": ""}, {"a" * 30000: 1}, {str(i): i for i in range(3000)},
]
ACCOUNT_DATA = [("m.ignored_user_list", {"ignored_users": value}) for value in ODD + [{"@x": 7}, {"nonsense": {}}]] + [
    ("m.direct", {"@a:b": 7}), ("m.direct", {"x": [7, None]}), ("m.secret_storage.default_key", {"key": []})]


def room_path(room, rest):
    return f"{V3}/rooms/{quote(room, safe='')}/{rest}"


def readings(room, first):
    event, one = quote(first), quote(room, safe="")
    lazy = quote('{"lazy_load_members":true}')
    return [f"{V3}/sync?timeout=0", f"{V3}/sync?timeout=0&full_state=true&filter=" + quote('{"room":{"state":{"lazy_load_members":true}}}'),
            room_path(room, "state"), room_path(room, "members"), room_path(room, "joined_members"), room_path(room, "aliases"),
            room_path(room, "messages?dir=b&limit=500"), room_path(room, f"messages?dir=f&filter={lazy}"),
            room_path(room, f"event/{event}"), room_path(room, f"context/{event}?filter={lazy}"),
            f"{V1}/rooms/{one}/relations/{event}?recurse=true", f"{V1}/rooms/{one}/threads", f"{V1}/rooms/{one}/hierarchy",
            f"{V1}/rooms/{one}/timestamp_to_event?dir=f&ts=0", f"{V3}/publicRooms", f"{V3}/joined_rooms", f"{V3}/notifications"]


class Watch:
    """Asks as one client after another and remembers what must not be."""

    def __init__(self):
        self.wrong, self.asked = [], 0

    def ask(self, client, method, path, body=None):
        begun = client.server.cpu_s()
        answer = client.request(method, path, body)
        self.asked += 1
        seconds = client.server.cpu_s() - begun
        if answer.status >= 500 or answer.json is None or seconds > 5:
            self.wrong.append(f"{method} {path[:150]} {str(body)[:150]}: {answer} after {seconds:.1f} s of a processor")
        return answer

    def read(self, clients, room, first):
        for client in clients:
            for path in readings(room, first):
                self.ask(client, "GET", path)


def poison_state(watch, stage, room, first):
    for kind, key, members in STATE:
        path = room_path(room, f"state/{kind}/{quote(key)}")
        before = watch.ask(stage.mallory, "GET", path)
        for member in members:
            for value in ODD:
                base = before.json if before.status == 200 and kind == "m.room.power_levels" else {}
                watch.ask(stage.mallory, "PUT", path, {**base, member: value})
                watch.ask(stage.mallory, "GET", f"{V3}/sync?timeout=0")
        watch.read([stage.eve], room, first)
        if before.status == 200:
            watch.ask(stage.mallory, "PUT", path, before.json)
    for value in ODD:
        for client in (stage.mallory, stage.eve):
            member = room_path(room, f"state/m.room.member/{quote(client.user_id)}")
            watch.ask(client, "PUT", member, {"membership": "join", "displayname": value, "avatar_url": value, "is_direct": value})
        watch.read([stage.eve], room, first)


def poison_messages(watch, stage, room, first):
    for content in MESSAGES:
        filled = eval_first(content, first)
        sent = watch.ask(stage.mallory, "PUT", stage.mallory.send_path(room, next(stage.txns)), filled)
        watch.ask(stage.eve, "GET", f"{V3}/sync?timeout=0")
        if sent.status == 200:
            watch.ask(stage.eve, "POST", room_path(room, f"receipt/m.read/{quote(sent['event_id'])}"), {"thread_id": "$x"})
    watch.read([stage.mallory, stage.eve], room, first)


def eval_first(value, first):
    if isinstance(value, dict):
        return {key: eval_first(item, first) for key, item in value.items()}
    return first if value == "{first}" else value


def redact_everything(watch, stage, room, first):
    for event in stage.mallory.history(room):
        watch.ask(stage.mallory, "PUT", room_path(room, f"redact/{quote(event['event_id'])}/{next(stage.txns)}"), {"reason": "r"})
    watch.read([stage.mallory, stage.eve], room, first)
    for verb in ("leave", "join", "leave", "forget"):
        watch.ask(stage.eve, "POST", room_path(room, verb), {})
    watch.ask(stage.mallory, "POST", room_path(room, "upgrade"), {"new_version": "12"})


def poison_account(watch, stage, room, first):
    for kind, content in ACCOUNT_DATA:
        watch.ask(stage.eve, "PUT", f"{V3}/user/{quote(stage.eve.user_id)}/account_data/{kind}", content)
        watch.read([stage.eve], room, first)
    watch.ask(stage.eve, "PUT", f"{V3}/user/{quote(stage.eve.user_id)}/account_data/m.ignored_user_list", {"ignored_users": {}})


def poisoned(tap, stage):
    for version in VERSIONS:
        watch = Watch()
        room = stage.mallory.create_room(room_version=version, preset="public_chat", visibility="public", name="poison")
        stage.room(stage.eve, room, "join")
        first = stage.say(stage.mallory, room, "first")
        for part in (poison_state, poison_messages, redact_everything):
            part(watch, stage, room, first)
        tap.ok(not watch.wrong, f"poison: a room of version {version} full of nonsense can still be read ({watch.asked} requests)",
               *watch.wrong)
    watch = Watch()
    poison_account(watch, stage, stage.scratch, stage.scratch_event)
    tap.ok(not watch.wrong, "poison: account data of nonsense harms nobody", *watch.wrong)
    patterns(tap, stage)
    stage.changes()


def patterns(tap, stage):
    """Patterns that would take for ever if they were tried in every way."""
    watch = Watch()
    room = stage.mallory.create_room(invite=[stage.eve.user_id])
    stage.room(stage.eve, room, "join")
    rule = {"actions": ["notify"], "pattern": "*a" * 400 + "b"}
    watch.ask(stage.eve, "PUT", f"{V3}/pushrules/global/content/slow", rule)
    watch.ask(stage.eve, "PUT", f"{V3}/pushrules/global/override/slow", {"actions": ["notify"], "conditions": [
        {"kind": "event_match", "key": "content." + "a." * 200, "pattern": "?*" * 300},
        {"kind": "event_match", "key": "content.body", "pattern": "*a" * 500 + "b"}]})
    for i in range(3):
        watch.ask(stage.mallory, "PUT", stage.mallory.send_path(room, f"slow{i}"), {"msgtype": "m.text", "body": "a" * 60000})
    for filter_ in ('{"types":["' + "*m" * 200 + '"]}', '{"room":{"timeline":{"types":["' + "*?" * 300 + '"]}}}'):
        watch.ask(stage.eve, "GET", f"{V3}/sync?timeout=0&filter=" + quote(filter_))
        watch.ask(stage.eve, "GET", room_path(room, "messages?dir=b&limit=500&filter=" + quote(filter_)))
    begun = stage.server.cpu_s()
    watch.ask(stage.eve, "GET", f"{V3}/sync?timeout=0")
    tap.ok(not watch.wrong and stage.server.cpu_s() - begun < 2, "poison: patterns with many asterisks cost little", *watch.wrong)
    for kind in ("content", "override"):
        watch.ask(stage.eve, "DELETE", f"{V3}/pushrules/global/{kind}/slow")
