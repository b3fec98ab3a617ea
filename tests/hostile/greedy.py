"""One against all: one person with every trick that takes what belongs to all, and others who work beside."""
import json
import socket
import threading
import time
from urllib.parse import quote

from cases import V3

BOUNDED = {"http": {"unread_max_kib": 16384}}
UNREAD_MAX = 16 << 20
OTHERS, ROUNDS = 8, 25
UNREAD, PARKED = 60, 100
SLACK_S = 0.5  # a busy machine of two cores


def held(server, person, path):
    """A request whose reply nobody reads."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.settimeout(5)
    s.connect(("127.0.0.1", server.port))
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {person.token}\r\n\r\n".encode())
    return s


def memory(server):
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmRSS"))


def work(server, people):
    """Everybody sends, reads and syncs. Answers the statuses that were not 200, and the slowest hundredth's time."""
    times, bad = [], []

    def one(person, room):
        for i in range(ROUNDS):
            for method, path, body in (("PUT", person.send_path(room, f"w{i}-{time.monotonic_ns()}"), {"msgtype": "m.text", "body": "x"}),
                                       ("GET", f"{V3}/rooms/{quote(room)}/messages?dir=b&limit=10", None),
                                       ("GET", f"{V3}/sync?timeout=0", None)):
                begun = time.monotonic()
                answer = person.request(method, path, body)
                times.append(time.monotonic() - begun)
                if answer.status != 200:
                    bad.append(answer)
        server.drop()
    threads = [threading.Thread(target=one, args=pair) for pair in people]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    times.sort()
    return bad, times[len(times) * 99 // 100]


def floods(server, greedy, room, ended):
    """Small writes and sign-ins without a pause, until it is over. Answers the threads."""
    path = quote(greedy.user_id)
    wrong = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "greedy"}, "password": "wrong"}
    requests = (lambda i: greedy.request("PUT", f"{V3}/user/{path}/account_data/t", {"n": i}),
                lambda i: greedy.request("PUT", f"{V3}/rooms/{quote(room)}/typing/{path}", {"typing": i % 2 == 0, "timeout": 9000}),
                lambda i: server.request("POST", f"{V3}/login", wrong))

    def one(request):
        i = 0
        while not ended.is_set():
            request(i)
            i += 1
        server.drop()
    threads = [threading.Thread(target=one, args=(request,)) for request in requests]
    for t in threads:
        t.start()
    return threads


def one_against_all(tap, server):
    greedy = server.make_user("greedy")
    room = greedy.create_room()
    for i in range(200):
        greedy.must("PUT", greedy.send_path(room, f"g{i}"), {"msgtype": "m.text", "body": "x" * 20000})
    people = [server.make_user(f"other{i}") for i in range(OTHERS)]
    people = [(person, person.create_room()) for person in people]
    since = greedy.must("GET", f"{V3}/sync?timeout=0")["next_batch"]
    everything = quote(json.dumps({"room": {"timeline": {"limit": 1000}}}))
    work(server, people)  # warm
    bad, calm_s = work(server, people)
    tap.ok(not bad, "in calm, everybody is served", bad[:3])
    before = memory(server)
    sockets = [held(server, greedy, f"{V3}/sync?filter={everything}") for _ in range(UNREAD)]
    sockets += [held(server, greedy, f"{V3}/sync?since={since}&timeout=60000") for _ in range(PARKED)]
    ended = threading.Event()
    threads = floods(server, greedy, room, ended)
    bad, busy_s = work(server, people)
    unread, grown, parked = server.metric("parta_http_unread_bytes"), memory(server) - before, server.metric("parta_http_parked")
    ended.set()
    for t in threads:
        t.join()
    tap.ok(not bad, "beside one who takes all there is, nobody else is refused", bad[:3])
    tap.ok(busy_s <= 2 * calm_s + SLACK_S, "and their slowest hundredth waits no longer than twice as long", calm_s, busy_s)
    tap.ok(0 < unread <= UNREAD_MAX, "what is unread stays within the setting", unread)
    tap.ok(grown < 4 * UNREAD_MAX, "and so does memory, but for what is being made", grown)
    tap.ok(parked <= 16, "polls of one device are few", parked)
    tap.ok(server.get("/health").status == 200, "and /health answers")
    for s in sockets:
        s.close()
