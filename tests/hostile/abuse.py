"""Abuse that takes more than one request: what looks bad and is allowed, interactive authentication, rate limits."""
import os
import subprocess
import threading
import time
from urllib.parse import quote

from cases import V3
from harness import until

# A dozen requests are more than comes back while they are asked, on a slow machine, too.
LIMITED = {"rate_limits": {**dict.fromkeys(("read", "write", "message", "room", "login", "account", "operator"), "30/min burst 3"),
                           "registration": "30/min burst 20"}}
TURN_MS = 2000  # until one more is let through


def own_path(stage, rest):
    return f"{V3}/rooms/{quote(stage.scratch)}/{rest}"


# ---- Allowed, but only as far as it goes


def send_own(stage, content, kind="m.room.message", txn=None):
    return stage.mallory.request("PUT", stage.mallory.send_path(stage.scratch, txn or next(stage.txns), kind), content)


def event_of(stage, event_id):
    return stage.mallory.must("GET", own_path(stage, f"event/{quote(event_id)}"))


def reserved_keys(tap, stage):
    lies = {"msgtype": "m.text", "body": "x", "sender": stage.owner.user_id, "event_id": "$lie", "room_id": stage.control,
            "unsigned": {"age": 7, "redacted_because": {}}, "hashes": {}, "signatures": {}, "type": "m.room.create",
            "state_key": "", "origin_server_ts": 1, "redacts": stage.event, "auth_events": [], "depth": 1}
    sent = send_own(stage, lies)
    event = event_of(stage, sent["event_id"]) if sent.status == 200 else {}
    outside = {"sender": stage.mallory.user_id, "type": "m.room.message", "room_id": stage.scratch}
    tap.ok(sent.status == 200 and event["content"] == lies and "state_key" not in event and
           "redacted_because" not in event["unsigned"] and all(event[key] == value for key, value in outside.items()) and
           event["origin_server_ts"] > 1, "a content that says what only the server says is content and no more", sent, event)


def limits_hold(tap, stage):
    for name, answer, status in (
            ("a type of 255 bytes", send_own(stage, {}, "t" * 255), 200),
            ("integers of ±(2^53 − 1)", send_own(stage, {"high": 2**53 - 1, "low": 1 - 2**53}), 200),
            ("an event just below 65536 bytes", send_own(stage, {"body": "x" * 64500}), 200),
            ("a state key of 255 bytes", stage.mallory.request("PUT", own_path(stage, "state/test/" + "k" * 255), {}), 200),
            ("every character that JSON escapes", send_own(stage, {"body": "".join(map(chr, range(1, 128))) + "\u2028\ufeff"}), 200)):
        tap.ok(answer.status == status, name + " is allowed", answer)
    page = stage.mallory.request("GET", own_path(stage, "messages?dir=b&limit=99999999999999999999999"))
    tap.ok(page.status == 200 and 0 < len(page["chunk"]) <= 1000, "an enormous limit is cut to what is sensible", page)
    floats = {"x": 1.5, "y": [1e300, -0.25]}
    path = f"{V3}/user/{quote(stage.mallory.user_id)}/account_data/test.floats"
    stage.mallory.must("PUT", path, floats)
    tap.ok(stage.mallory.must("GET", path) == floats, "account data may hold floats")


def transactions(tap, stage):
    first, again = send_own(stage, {"body": "1"}, txn="same"), send_own(stage, {"body": "2"}, txn="same")
    tap.ok(first.status == 200 and first.json == again.json, "a transaction id used again answers the first event", first, again)
    redaction = stage.mallory.request("PUT", own_path(stage, f"redact/{quote(first['event_id'])}/same"), {})
    tap.ok(redaction.status == 200 and redaction["event_id"] != first["event_id"],
           "a redaction with a message's transaction id is an act of its own", redaction)
    other = stage.owner.request("PUT", stage.owner.send_path(stage.control, "same"), {"msgtype": "m.text", "body": "mine"})
    tap.ok(other.status == 200 and other["event_id"] != first["event_id"], "another device's transaction id is another", other)


def creation_lies(tap, stage):
    lies = {"room_version": "1", "creator": stage.owner.user_id, "m.federate": False}
    for version in ("10", "12"):
        made = stage.mallory.request("POST", f"{V3}/createRoom", {"room_version": version, "creation_content": lies})
        if not tap.ok(made.status == 200, f"creation content that lies does not stop a room of version {version}", made):
            continue
        state = stage.mallory.state(made["room_id"])
        create = next(e for e in state if e["type"] == "m.room.create")
        tap.ok(create["content"]["room_version"] == version and create["sender"] == stage.mallory.user_id and
               create["content"].get("creator") in (None, stage.mallory.user_id),
               f"but is not believed about version {version} or the creator", create)


def join_authorised(tap, stage):
    """The member who lets somebody into a restricted room is named by the server alone."""
    room, mallory = stage.restricted, stage.mallory
    path = f"{V3}/rooms/{quote(room)}/state/m.room.member/{quote(mallory.user_id)}"
    forged = {"membership": "join", "displayname": "M", "join_authorised_via_users_server": stage.eve.user_id}
    joined = mallory.request("POST", f"{V3}/rooms/{quote(room)}/join", {"join_authorised_via_users_server": stage.eve.user_id})
    content = mallory.must("GET", path)
    tap.ok(joined.status == 200 and content.get("join_authorised_via_users_server") == stage.owner.user_id,
           "a restricted join names who may invite, not whom the client names", joined, content)
    again = mallory.request("PUT", path, forged)
    content = mallory.must("GET", path)
    tap.ok(again.status in (200, 400, 403) and content.get("join_authorised_via_users_server") != stage.eve.user_id,
           "nor does a member event sent as state", again, content)
    mallory.must("POST", f"{V3}/rooms/{quote(room)}/leave", {})


def methods(tap, stage):
    head = stage.server.request("HEAD", f"{V3}/account/whoami", token=stage.mallory.token)
    tap.ok(head.status == 200 and head.bytes == b"", "HEAD is GET without a body", head)
    for path in (f"{V3}/sync", f"{V3}/nowhere", "/"):
        answer = stage.server.request("OPTIONS", path)
        allowed = answer.headers.get("access-control-allow-methods", "")
        tap.ok(answer.status in (200, 204) and answer.headers.get("access-control-allow-origin") == "*" and "PUT" in allowed and
               "authorization" in answer.headers.get("access-control-allow-headers", "").lower(),
               f"OPTIONS of {path} tells what a browser wants to know", answer, answer.headers)


def at_once(n, request):
    """The answers to n requests made at the same time; request(i)."""
    answers = [None] * n

    def run(i):
        answers[i] = request(i)
    threads = [threading.Thread(target=run, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def races(tap, stage):
    """What can be had once is had once, however many ask at the same time."""
    mallory, server = stage.mallory, stage.server
    dummy = {"type": "m.login.dummy"}

    def refresh(_):
        return server.request("POST", f"{V3}/refresh", {"refresh_token": token})
    for name, request, refusal in (
            ("a user name", lambda i: server.request("POST", f"{V3}/register", {
                "username": "race", "password": f"password {i}", "auth": dummy}), "M_USER_IN_USE"),
            ("an alias", lambda i: mallory.request("POST", f"{V3}/createRoom", {"room_alias_name": "race"}), "M_ROOM_IN_USE")):
        answers = at_once(8, request)
        tap.ok([a.status for a in answers].count(200) == 1 and [a.errcode for a in answers].count(refusal) == 7,
               f"eight ask for {name} at once and one gets it", *answers)
    login = server.request("POST", f"{V3}/login", {**password_of(mallory), "refresh_token": True})
    token = login["refresh_token"]
    pairs = [a.json for a in at_once(6, refresh) if a.status == 200]
    used = [server.get(f"{V3}/account/whoami", pair["access_token"]).status for pair in pairs]
    tap.ok(1 <= used.count(200) <= 4 and refresh(0).status == 401,
           "of what a refresh token gave at once few pairs are good, and using one spends the token", used, pairs)
    txns = at_once(8, lambda i: send_own(stage, {"body": "once"}, txn="race"))
    tap.ok(len({a.json.get("event_id") for a in txns}) == 1, "a transaction id used eight times at once is one event", *txns)


def accepted(tap, stage):
    for part in (races, reserved_keys, limits_hold, transactions, creation_lies, join_authorised, methods):
        part(tap, stage)
    stage.changes()


# ---- User-interactive authentication


def password_of(client, session=None):
    proof = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": client.user_id}, "password": client.password}
    return {**proof, "session": session} if session else proof


def sign_in(stage, client, device):
    answer = stage.server.request("POST", f"{V3}/login", {**password_of(client), "device_id": device})
    assert answer.status == 200, answer


def devices(client):
    return {device["device_id"] for device in client.must("GET", f"{V3}/devices")["devices"]}


def interactive_auth(tap, stage):
    mallory, eve = stage.mallory, stage.eve
    for device in ("ONE", "TWO", "THREE"):
        sign_in(stage, mallory, device)

    def delete(device, auth=None, who=mallory):
        return who.request("DELETE", f"{V3}/devices/{device}", {} if auth is None else {"auth": auth})

    def refused(name, answer, *statuses):
        kept = {"ONE", "TWO", "THREE"} <= devices(mallory)
        tap.ok(answer.status in statuses and kept, name, answer, devices(mallory))

    asked = delete("ONE")
    tap.ok(asked.status == 401 and asked["flows"] and asked["session"], "without auth the flows are told", asked)
    session = asked["session"]
    refused("a session alone proves nothing", delete("ONE", {"session": session}), 401)
    refused("a wrong password does not do", delete("ONE", {**password_of(mallory, session), "password": "wrong"}), 401)
    refused("an unknown kind of proof does not do", delete("ONE", {"type": "m.login.magic", "session": session}), 401, 400)
    refused("the dummy does not do", delete("ONE", {"type": "m.login.dummy", "session": session}), 401, 400)
    refused("a type that is a number does not do", delete("ONE", {"type": 7, "session": session}), 401, 400)
    refused("auth that is a string does not do", delete("ONE", "please"), 400)
    refused("a session that is a number does not do", delete("ONE", {"type": "m.login.dummy", "session": 7}), 401, 400)
    refused("an unknown session does not do", delete("ONE", {"session": "nonsense"}), 401, 400, 403)
    refused("another's password does not do", delete("ONE", password_of(eve, session)), 401, 403)
    refused("a session is of one operation", delete("TWO", password_of(mallory, session)), 401, 403)
    refused("a session is of one person", delete("ONE", password_of(eve, session), eve), 401, 403)
    body = {"devices": ["ONE", "TWO"], "auth": password_of(mallory, session)}
    refused("a session is of one endpoint", mallory.request("POST", f"{V3}/delete_devices", body), 401, 403)
    body = {"devices": ["ONE", 7], "auth": password_of(mallory)}
    refused("a list of which one is no device does nothing", mallory.request("POST", f"{V3}/delete_devices", body), 400)
    done = delete("ONE", password_of(mallory, session))
    tap.ok(done.status == 200 and "ONE" not in devices(mallory), "the password does", done)
    sign_in(stage, mallory, "ONE")
    refused("a session is used up", delete("ONE", {"session": session}), 401)
    refused("even for the same device", delete("ONE", {"type": "m.login.password", "session": session}), 401, 400)
    bait_and_switch(tap, stage)
    deactivation(tap, stage)


def bait_and_switch(tap, stage):
    """Another body in the middle: what is done is one of the two, and only with the password."""
    ask = stage.mallory.request("POST", f"{V3}/delete_devices", {"devices": ["TWO"]})
    stage.mallory.request("POST", f"{V3}/delete_devices",
                          {"devices": ["THREE"], "auth": password_of(stage.mallory, ask["session"])})
    left = devices(stage.mallory) & {"TWO", "THREE"}
    tap.ok(len(left) == 1, "a body that changes during a session does not add up with the first", left)


def deactivation(tap, stage):
    answer = stage.eve.request("POST", f"{V3}/account/deactivate", {"auth": {"type": "m.login.dummy"}})
    still = stage.eve.request("GET", f"{V3}/account/whoami")
    tap.ok(answer.status in (400, 401) and still.status == 200, "nobody is deactivated by a dummy", answer, still)
    weak = stage.eve.request("POST", f"{V3}/account/password", {"new_password": "x", "auth": password_of(stage.eve)})
    tap.ok(weak.status == 400 and weak.errcode == "M_WEAK_PASSWORD", "a weak new password is refused", weak)


# ---- Rate limits


def burst(request, n=12):
    """Answers n quick requests: the first limited one (or None), and how many were let through before it."""
    for i in range(n):
        answer = request()
        if answer.status == 429:
            return answer, i
        if answer.status >= 500:
            return answer, i
    return None, n


def rate_limits(tap, server):
    people = []
    for name in ("anna", "boris"):
        people.append(server.make_user(name))
    anna, boris = people
    room = anna.create_room()
    path = quote(anna.user_id)
    wrong = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "anna"}, "password": "wrong"}
    forged = iter(range(1000))
    token = subprocess.run([os.path.join(server.build, "parta"), "--config", os.path.join(server.folder, "parta.yaml"), "operator", "create", "region",
                            "all"], capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    for name, request in (
            ("messages", lambda: anna.request("PUT", anna.send_path(room, f"m{time.monotonic_ns()}"), {"body": "x"})),
            ("state", lambda: anna.request("PUT", f"{V3}/rooms/{quote(room)}/state/t/", {"n": time.monotonic_ns() % 9999})),
            ("writes", lambda: anna.request("PUT", f"{V3}/user/{path}/account_data/t", {})),
            ("reads", lambda: anna.request("GET", f"{V3}/rooms/{quote(room)}/messages?dir=b")),
            ("an operator's questions", lambda: server.request("GET", "/_parta/v1/schools", token=token)),
            ("rooms", lambda: anna.request("POST", f"{V3}/createRoom", {})),
            ("wrong passwords", lambda: server.request("POST", f"{V3}/login", wrong)),
            ("wrong passwords from made-up addresses", lambda: server.request(
                "POST", f"{V3}/login", wrong, headers={"X-Forwarded-For": f"192.0.2.{next(forged)}"})),
    ):
        time.sleep(TURN_MS / 1000 + 0.1)  # one at least is let through
        limited, before = burst(request)
        wait_ms = limited.json.get("retry_after_ms") if limited is not None else None
        tap.ok(limited is not None and limited.errcode == "M_LIMIT_EXCEEDED" and isinstance(wait_ms, int) and 0 < wait_ms <= TURN_MS and
               int(limited.headers.get("retry-after", 0)) >= 1 and 1 <= before <= 8,
               f"too many {name} are refused for a while", f"after {before}: {limited}",
               limited.headers if limited is not None else "")
        if wait_ms:
            time.sleep(wait_ms / 1000 + 0.02)
            again = request()
            tap.ok(again.status != 429, f"and {name} are allowed again after it", again)
    other = boris.request("POST", f"{V3}/createRoom", {})
    tap.ok(other.status == 200, "another person is not limited by it", other)
    limited, _ = burst(lambda: server.request("GET", f"{V3}/register/available?username=new"), 60)
    tap.ok(limited is not None and limited.status == 429, "nor can names be tried without end", limited)
    until(lambda: server.get("/health").status == 200, "health, which has no limit")
