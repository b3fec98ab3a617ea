"""Bad HTTP: bytes as no client library would send them, and clients that are slow or leave."""
import re
import socket
import threading
import time

from cases import V3

WHOAMI = f"{V3}/account/whoami".encode()
IMPATIENT = {"http": {"header_timeout_ms": 400, "idle_timeout_ms": 1500, "body_timeout_ms": 800, "connections_max": 64,
                      "trusted_proxies": "[127.0.0.1]"}}  # all come from one address here
CUT_S = 6  # the server's sweeper looks once a second, and nothing here may be held for longer than that and IMPATIENT's …
LATE_S = 30  # … on a machine with nothing else to do
CLOSE = b"Connection: close\r\n"
HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"
RST_STREAMS = b"".join(b"\0\0\x01\x01\x05" + (2 * i + 1).to_bytes(4, "big") + b"\x82" + b"\0\0\x04\x03\0" +
                       (2 * i + 1).to_bytes(4, "big") + b"\0\0\0\x08" for i in range(500))


def get(path=WHOAMI, headers=b"", method=b"GET", version=b"HTTP/1.1"):
    return method + b" " + path + b" " + version + b"\r\nHost: school.example\r\n" + CLOSE + headers + b"\r\n"


def put(stage, headers, body, kind=b"send/m.room.message/wire"):
    path = f"{V3}/rooms/{stage.scratch}/".encode() + kind
    token = b"Authorization: Bearer " + stage.mallory.token.encode() + b"\r\n"
    return get(path, token + headers, b"PUT") + body


def roster(headers, body=b""):
    return get(b"/_parta/v1/imports", headers, b"POST") + body


def broken_requests(stage):
    """Name, bytes, and the statuses that are right; 0: closed without an answer."""
    good = b'{"body":"x"}'
    chunked = b"Transfer-Encoding: chunked\r\n"
    mallory = b"Authorization: Bearer " + stage.mallory.token.encode() + b"\r\n"
    return (
        ("the HTTP/2 preface", HTTP2, (0, 400, 404, 405, 505)),
        ("the HTTP/2 preface and 500 streams that are reset", HTTP2 + RST_STREAMS, (0, 400, 404, 405, 505)),
        ("an upgrade to h2c", get(headers=b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"), (401,)),
        ("an upgrade to a websocket", get(headers=b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), (401,)),
        ("TLS to the cleartext port", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)), (0, 400)),
        ("noise", bytes((i * 73 + 41) % 256 for i in range(4000)) + b"\r\n\r\n", (0, 400)),
        ("NULs", b"\0" * 10000 + b"\r\n\r\n", (0, 400)),
        ("empty lines", b"\r\n" * 1000, (0, 400)),
        ("another protocol", b"SSH-2.0-OpenSSH_9.2\r\n\r\n", (0, 400)),
        ("HTTP/0.9", b"GET /\r\n\r\n", (0, 400, 404)),
        ("HTTP/9.9", get(version=b"HTTP/9.9"), (0, 400, 401, 505)),
        ("no path", b"GET  HTTP/1.1\r\nHost: x\r\n\r\n", (0, 400, 404)),
        ("no Host", b"GET /health HTTP/1.1\r\n" + CLOSE + b"\r\n", (0, 200, 400)),
        ("an absolute path", get(b"http://school.example" + WHOAMI), (0, 400, 401, 404)),
        ("a path of an asterisk", get(b"*"), (0, 400, 404)),
        ("CONNECT", get(b"school.example:443", method=b"CONNECT"), (0, 400, 404, 405)),
        ("a space in the path", get(WHOAMI + b" x"), (0, 400, 401, 404, 405)),
        ("bytes over 127 in the path", get(b"/_matrix/client/v3/profile/\xff\xfe"), (0, 400, 404)),
        ("a NUL in the path", get(b"/_matrix/client/v3/profile/\0"), (0, 400, 404)),
        ("a NUL in a header", get(headers=b"X: a\0b\r\n"), (0, 400)),
        ("a space before the colon", get(headers=b"X : y\r\n"), (0, 400)),
        ("a header without a colon", get(headers=b"nonsense\r\n"), (0, 400)),
        ("a folded header", get(headers=b"X: a\r\n b\r\n"), (0, 400, 401)),
        ("150 headers", get(headers=b"".join(b"X-%d: y\r\n" % i for i in range(150))), (0, 400, 431)),
        ("a header of 500000 bytes", get(headers=b"X: " + b"y" * 500000 + b"\r\n"), (0, 400, 431)),
        ("a token of bytes over 127", get(headers=b"Authorization: Bearer \xff\xfe\xfd\r\n"), (400, 401)),
        ("no token behind Bearer", get(headers=b"Authorization: Bearer \r\n"), (401,)),
        ("another scheme", get(headers=b"Authorization: Basic b3duZXI6b3duZXI=\r\n"), (401,)),
        ("two tokens", get(headers=b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n"), (400, 401)),
        ("a Content-Length that is a word", put(stage, b"Content-Length: twelve\r\n", good), (0, 400)),
        ("a negative Content-Length", put(stage, b"Content-Length: -1\r\n", good), (0, 400)),
        ("a Content-Length beyond 64 bits", put(stage, b"Content-Length: 99999999999999999999999\r\n", good), (0, 400, 413)),
        ("a Content-Length of 10 GB", put(stage, b"Content-Length: 10000000000\r\n", good), (0, 400, 413)),
        ("a chunk that is no number", put(stage, chunked, b"xyz\r\n" + good + b"\r\n0\r\n\r\n"), (0, 400)),
        ("a negative chunk", put(stage, chunked, b"-5\r\nhello\r\n0\r\n\r\n"), (0, 400)),
        ("a chunk beyond 64 bits", put(stage, chunked, b"fffffffffffffffffff\r\nhello"), (0, 400, 413)),
        ("a chunk longer than it says", put(stage, chunked, b"2\r\n" + good + b"\r\n0\r\n\r\n"), (0, 400)),
        ("a chunk of 10 GB", put(stage, chunked, b"2540be400\r\n" + good), (0, 400, 413)),
        ("an unknown transfer encoding", put(stage, b"Transfer-Encoding: gzip\r\n", good), (0, 400, 501)),
        ("a large body of nobody's", roster(b"Content-Length: 40000000\r\n", bytes(3_000_000)), (401,)),
        ("a large body of an unknown operator's, announced", roster(b"Authorization: Bearer parta_x\r\nExpect: 100-continue\r\n"
                                                                    b"Content-Length: 40000000\r\n"), (401,)),
        ("a large body for a route that takes none", put(stage, b"Content-Length: 40000000\r\n", bytes(3_000_000)), (413,)),
        ("a large body in chunks", roster(mallory + chunked, b"200000\r\n" + bytes(0x200000) + b"\r\n0\r\n\r\n"), (413,)),
        ("half of a large body", roster(mallory + b"Content-Length: 40000000\r\n", bytes(3_000_000)), (0,)),
        ("a large body that is no roster", roster(mallory + b"Content-Length: 3000000\r\n", bytes(3_000_000)), (403,)),
        ("a message of four chunks cut in letters", put(stage, chunked, b"3\r\n{\"b\r\n5\r\nody\":\r\n1;x=y\r\n\"\r\n"), (0, 400)),
    )


def status_of(answer):
    found = re.match(rb"HTTP/1\.[01] (\d{3})", answer)
    return int(found.group(1)) if found else 0


def send_and_end(server, data):
    """Sends, says that nothing more comes, and reads to the end."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=LATE_S) as s:
        sender = threading.Thread(target=send_all, args=(s, data))
        sender.start()
        got = server.raw_on(s, b"")
        sender.join()
        return got


def send_all(s, data):
    try:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def broken(tap, stage):
    stage.changes()
    for name, data, statuses in broken_requests(stage):
        why = []
        try:
            answer = send_and_end(stage.server, data)
            if status_of(answer) not in statuses:
                why.append(f"{answer[:300]!r}")
        except TimeoutError:
            why.append(f"no answer in {LATE_S} s")
        if not stage.server.alive():
            raise RuntimeError(f"the server ended at {name}:\n{stage.server.log()[-3000:]}")
        why += stage.changes(whole=False)
        tap.ok(not why, f"HTTP: {name}", *why)
    pipelined(tap, stage)
    leaving(tap, stage)


def pipelined(tap, stage):
    path = b"/_matrix/client/versions"
    many = b"".join(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path for _ in range(100)) + get(path)
    answer = send_and_end(stage.server, many)
    tap.ok(answer.count(b"HTTP/1.1 200") == 101, "HTTP: 101 requests at once get 101 answers", answer.count(b"HTTP/1.1 "))


def leaving(tap, stage):
    """Clients that hang up in the middle of everything."""
    begun = time.monotonic()
    whole = put(stage, b"Content-Length: 12\r\n", b'{"body":"x"}', b"send/m.room.message/leaving")
    poll = get(f"{V3}/sync?timeout=250000&since={stage.sinces[stage.mallory.user_id]}".encode(),
               b"Authorization: Bearer " + stage.mallory.token.encode() + b"\r\n")
    for cut in range(1, len(whole) - 1, 7):
        with socket.create_connection(("127.0.0.1", stage.server.port), timeout=LATE_S) as s:
            s.sendall(whole[:cut])
            if cut % 2:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset, not an end
    for _ in range(50):
        with socket.create_connection(("127.0.0.1", stage.server.port), timeout=LATE_S) as s:
            s.sendall(poll)
    wrong = stage.changes()
    tap.ok(not wrong and time.monotonic() - begun < 120, "HTTP: clients that leave early leave nothing behind", *wrong)
    asking_and_leaving(tap, stage)


def asking_and_leaving(tap, stage):
    """Whole requests of clients that do not wait for the answer: each is done once or not at all."""
    token = b"Authorization: Bearer " + stage.mallory.token.encode() + b"\r\n"
    rooms = []
    for i in range(60):
        body = b'{"body":"left %d"}' % i
        whole = put(stage, b"Content-Length: %d\r\n" % len(body), body, b"send/m.room.message/left%d" % i)
        with socket.create_connection(("127.0.0.1", stage.server.port), timeout=LATE_S) as s:
            s.sendall(whole if i % 3 else get(f"{V3}/createRoom".encode(), token + b"Content-Length: 2\r\n", b"POST") + b"{}")
            time.sleep(i % 5 / 2000)
            if i % 2:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    answers = [stage.mallory.request("PUT", stage.mallory.send_path(stage.scratch, f"left{i}"), {"body": f"left {i}"})
               for i in range(60) if i % 3]
    bodies = [e["content"].get("body") for e in stage.mallory.history(stage.scratch) if e["type"] == "m.room.message"]
    left = [body for body in bodies if body and str(body).startswith("left")]
    for room in stage.mallory.must("GET", f"{V3}/joined_rooms")["joined_rooms"]:
        types = {event["type"] for event in stage.mallory.state(room)}
        if "m.room.guest_access" not in types:
            rooms.append(room)
    tap.ok(all(a.status == 200 for a in answers) and len(left) == len(set(left)) == 40 and not rooms,
           "HTTP: who asks and leaves is served once or not at all", len(left), len(set(left)), rooms)
    stage.changes()


# ---- Slow clients, against a server with short deadlines


class Slow(threading.Thread):
    """Sends begin and, as long as it is let, piece after piece with pauses, and waits for the end of the connection."""

    def __init__(self, server, name, begin, statuses, piece=b"", pause=0):
        super().__init__()
        self.server, self.name_, self.begin, self.piece, self.pause = server, name, begin, piece, pause
        self.statuses, self.why = statuses, None
        self.start()

    def run(self):
        begun = time.monotonic()
        got = b""
        try:
            with socket.create_connection(("127.0.0.1", self.server.port), timeout=LATE_S) as s:
                got = self.talk(s, begun + LATE_S)
        except ConnectionError:
            pass
        except TimeoutError:
            self.why = "it was never cut off"
            return
        if status_of(got) not in self.statuses:
            self.why = f"{got[:200]!r} after {time.monotonic() - begun:.1f} s"

    def talk(self, s, end):
        try:
            s.sendall(self.begin)
            while self.piece:
                if time.monotonic() > end:
                    raise TimeoutError
                s.sendall(self.piece)
                time.sleep(self.pause)
        except ConnectionError:
            pass
        return self.server.raw_on(s, b"")


class NeverReads(Slow):
    """Asks for much, with little room to receive it, and looks the other way."""

    def run(self):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.settimeout(LATE_S)
            s.connect(("127.0.0.1", self.server.port))
            s.sendall(self.begin)
            time.sleep(CUT_S)
            got = self.server.raw_on(s, b"")
            promised = re.search(rb"(?i)content-length: (\d+)", got)
            if promised is None or len(got) >= int(promised.group(1)):
                self.why = f"{len(got)} bytes came: {got[:200]!r}"


def slow(tap, server):
    anna = server.make_user("anna")
    room = anna.create_room()
    token = b"Authorization: Bearer " + anna.token.encode() + b"\r\n"
    send = f"{V3}/rooms/{room}/send/m.room.message/".encode()
    body = b'{"body":"' + b"x" * 2000 + b'"}'

    def message(txn, headers):
        return b"PUT " + send + txn + b" HTTP/1.1\r\nHost: x\r\n" + token + headers + b"\r\n"

    length = b"Content-Length: %d\r\n" % len(body)
    large = anna.create_room()
    for i in range(100):
        anna.must("PUT", anna.send_path(large, f"large{i}"), {"body": "x" * 60000})
    page = f"{V3}/rooms/{large}/messages?dir=b&limit=1000".encode()
    clients = [
        NeverReads(server, "who never reads the answer", get(page, token), ()),
        Slow(server, "who says nothing", b"", (0,)),
        Slow(server, "half a request line", b"GET /hea", (0, 400, 408)),
        Slow(server, "half a header", message(b"a", length)[:-6], (0, 400, 408)),
        Slow(server, "a header byte by byte", message(b"a", length)[:-2] + b"X: ", (0, 400, 408), b"y", 0.05),
        Slow(server, "a header without an end", b"GET /health HTTP/1.1\r\n", (0, 400, 408), b"X: y\r\n", 0.3),
        Slow(server, "no body where one was promised", message(b"b", length), (0, 408)),
        Slow(server, "half a body", message(b"c", length) + body[:1000], (0, 408)),
        Slow(server, "a body byte by byte", message(b"d", length) + body[:100], (0, 408), b"x", 0.1),
        Slow(server, "half a chunk", message(b"e", b"Transfer-Encoding: chunked\r\n") + b"ff\r\n{", (0, 408)),
        Slow(server, "chunks without an end", message(b"f", b"Transfer-Encoding: chunked\r\n"), (0, 408), b"1\r\n \r\n", 0.1),
        Slow(server, "idle after its answer", b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n", (200,)),
    ] + [Slow(server, "one of many half requests", b"GET /_mat", (0, 400, 408)) for _ in range(30)]
    time.sleep(0.3)
    sent = anna.request("PUT", anna.send_path(room, "quick"), {"msgtype": "m.text", "body": "quick"})
    tap.ok(sent.status == 200, "a quick client is served between 42 slow ones", sent)
    for client in clients:
        client.join()
    for client in clients[:12]:
        tap.ok(client.why is None, f"slow: {client.name_}, and is cut off", client.why)
    left = [client.why for client in clients[12:] if client.why is not None]
    tap.ok(not left, "slow: 30 half requests at once are cut off", *left)
    server.drop()
    there = [event["content"].get("body") for event in anna.history(room) if event["type"] == "m.room.message"]
    tap.ok(there == ["quick"], "slow: none of them has sent anything", there)
    crowd(tap, server, anna)
    time.sleep(1)
    return half_requests(server, message(b"g", length) + body)


def half_requests(server, whole):
    """Connections at several stages of one request."""
    held = []
    for sent in (0, 3, 100, len(whole) - 500, len(whole) - 1):
        s = socket.create_connection(("127.0.0.1", server.port), timeout=CUT_S)
        s.sendall(whole[:sent])
        held.append(s)
    time.sleep(0.1)
    return held


def crowd(tap, server, anna):
    """More connections than the server takes: it serves again as soon as they are cut off."""
    held = []
    for _ in range(80):
        s = socket.socket()
        s.settimeout(1)
        try:
            s.connect(("127.0.0.1", server.port))
            held.append(s)
        except OSError:
            s.close()
    server.drop()
    begun = time.monotonic()
    answer = anna.request("GET", f"{V3}/account/whoami")
    tap.ok(answer.status == 200 and time.monotonic() - begun < LATE_S, "a server whose connections are all taken serves again soon",
           answer, time.monotonic() - begun)
    for s in held:
        s.close()
