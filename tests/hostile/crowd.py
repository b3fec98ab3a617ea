"""One address that wants every connection, against those who come from another."""
import socket
import threading
import time

from cases import V3
from harness import NoAnswer, comes

MAX = 200
CROWDED = {"http": {"connections_max": MAX}}
HALF_REQUEST = b"GET /_matrix/client/v3/sync HTTP/1.1\r\nHost: "


class Crowd(threading.Thread):
    """Connects and connects again, from one address, and says half a request, or nothing, on each."""

    def __init__(self, server, source):
        super().__init__()
        self.server, self.source, self.ended, self.tries, self.refused = server, source, threading.Event(), 0, 0
        self.start()

    def run(self):
        held = []
        while not self.ended.is_set():
            held = [s for s in held if self.is_open(s)]
            while len(held) < 2 * MAX and not self.ended.is_set():
                held.append(self.knock())
            time.sleep(0.02)
        for s in held:
            s.close()

    def knock(self):
        s = socket.socket()
        s.bind((self.source, 0))
        s.settimeout(1)
        try:
            s.connect(("127.0.0.1", self.server.port))
            if self.tries % 2:
                s.sendall(HALF_REQUEST)
        except OSError:
            pass
        s.setblocking(False)
        self.tries += 1
        return s

    def is_open(self, s):
        try:
            if s.recv(1) == b"":
                raise ConnectionError
        except BlockingIOError:
            return True
        except OSError:
            pass
        self.refused += 1
        s.close()
        return False


def one_address_against_all(tap, server):
    crowd = Crowd(server, "127.0.0.1")
    try:
        full = comes(lambda: server.metric("parta_http_connections_refused_total") > MAX)
        tap.ok(full and server.metric("parta_http_connections") <= MAX // 2 + 2, "one address gets half of the connections, whatever it tries",
               server.metric("parta_http_connections"))
        server.source = "127.0.0.2"
        wrong = []
        anna = server.make_user("anna")
        room = anna.create_room()
        since = anna.must("GET", f"{V3}/sync?timeout=0")["next_batch"]
        for i in range(50):
            for ask in (lambda i=i: anna.request("PUT", anna.send_path(room, f"t{i}"), {"msgtype": "m.text", "body": "x"}),
                        lambda: anna.request("GET", f"{V3}/sync?since={since}&timeout=10000"), lambda: server.get("/health")):
                try:
                    answer = ask()
                    if answer.status != 200:
                        wrong.append(answer)
                except NoAnswer as e:
                    wrong.append(e)
                if i % 10 == 0:
                    server.drop()  # who comes new finds room, too
        tap.ok(not wrong, "who comes from another signs up, sends, syncs and sees /health beside it", *wrong[:3])
        tap.ok(crowd.tries > MAX and server.metric("parta_http_connections_max") == MAX, "and the crowd has gone on meanwhile", crowd.tries)
        told = [line for line in server.log().splitlines() if "as many connections as one address may" in line]
        tap.ok(len(told) == 1 and "127.0.0.1 has" in told[0], "the log says it once", *told)
    finally:
        crowd.ended.set()
        crowd.join()
    server.source = "127.0.0.1"
    server.drop()
    comes(lambda: server.metric("parta_http_connections") < MAX // 2)
    tap.ok(server.get("/health").status == 200, "and once it is gone the address is served again")
