#!/usr/bin/env python3
"""The diary of ./dev demo: a double of a OneRoster gradebook, the bridge that reads it, and a mark for the demo's pupil now and then.

    tests/demo/diary.py prepare FOLDER     before partad starts: configuration, tokens, registration
    tests/demo/diary.py run FOLDER         beside it: lets the bot in (once), runs the gradebook and the bridge until SIGTERM
"""
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "diary")]
from doubles import Gradebook  # noqa: E402
from harness import free_port  # noqa: E402

BUILD = os.path.join(HERE, "..", "..", "build")
CLIENT, SECRET, BOT = "demo", "a-secret-of-the-demo", "@_diary:school.localhost"
FIRST_S, EACH_S = int(os.environ.get("PARTA_DEMO_FIRST_MARK_S", "20")), 60
WORKS = [("Математика", "контрольная работа"), ("Чтение", "пересказ"), ("Окружающий мир", "опрос"), ("Русский язык", "диктант")]
KEPT_MAX = 500


class Demo:
    def __init__(self, folder):
        self.data, self.folder = folder, os.path.join(folder, "diary")
        self.config, self.marks = os.path.join(self.folder, "diary.yaml"), os.path.join(self.folder, "marks.json")

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, path, text):
        with open(path + ".new", "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(text)
        os.rename(path + ".new", path)

    def call(self, program, *words):
        done = subprocess.run([os.path.join(BUILD, program), "--config", os.path.join(self.data, "parta.yaml") if program == "parta" else self.config, *words],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{program} {words[0]}: {done.stderr.strip()}")
        return done.stdout

    def pupil(self):
        with open(os.path.join(self.data, "people.txt"), encoding="utf-8") as people:
            return next(line.split()[3] for line in people if line.split()[:1] == ["pupil"])

    # ---- before the server

    def prepare(self):
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        if not os.path.exists(self.path("token")):
            self.write(self.path("token"), self.call("parta", "operator", "create", "diary", "read").split()[-1] + "\n")
            self.write(self.path("as-token"), secrets.token_hex(32) + "\n")
            self.write(self.path("secret"), SECRET + "\n")
        with open(os.path.join(self.data, "parta.yaml"), encoding="utf-8") as config:
            server = re.search(r"^public_baseurl: (\S+)", config.read(), re.M)[1]
        diary, bridge = free_port(), free_port()
        base = f"http://127.0.0.1:{diary}"
        self.write(self.config, f"""data_dir: {os.path.abspath(self.path("state"))}
listen: {{port: {bridge}, metrics_open: true}}
school: {{url: "{server}", id: s1, token_file: {os.path.abspath(self.path("token"))}}}
diary: {{interval_s: 2}}
matrix: {{as_token_file: {os.path.abspath(self.path("as-token"))}, bridge_url: "http://127.0.0.1:{bridge}"}}
oneroster:
  gradebook_url: {base}/ims/oneroster/gradebook/v1p2
  rostering_url: {base}/ims/oneroster/rostering/v1p2
  token_url: {base}/token
  client_id: {CLIENT}
  client_secret_file: {os.path.abspath(self.path("secret"))}
""")
        services = os.path.join(self.data, "appservices")
        os.makedirs(services, mode=0o700, exist_ok=True)
        self.write(os.path.join(services, "parta-diary.yaml"), self.call("parta-diary", "registration"))

    # ---- beside it

    def admit(self):
        """The bot applies, the office lets it in as a teacher, and it is named for the pupil's class."""
        if os.path.exists(self.path("admitted")):
            return
        link = json.loads(self.call("parta", "link", "create", "school", "--school", "s1", "--role", "teacher", "--json"))
        self.call("parta-diary", "apply", re.search(r'"token": ?"([^"]+)"', json.dumps(link))[1])
        self.call("parta", "application", "approve", "--version", "1", re.search(r"\b(\d{9,})\b", self.call("parta", "application", "list"))[1])
        for item in json.loads(self.call("parta", "class", "list", "--school", "s1", "--json"))["items"]:
            if item["kind"] == "homeroom":
                self.call("parta", "class", "enroll", item["class"], BOT, "--role", "teacher")
        self.write(self.path("admitted"), "")

    def gradebook(self):
        with open(self.config, encoding="utf-8") as config:
            book = Gradebook(CLIENT, SECRET, int(re.search(r"token_url: http://127\.0\.0\.1:(\d+)", config.read())[1]))
        book.rows = 500
        for n, (subject, work) in enumerate(WORKS):
            book.put("classes", f"course{n}", title=subject)
            book.put("lines", f"line{n}", title=work, dueDate=time.strftime("%Y-%m-%dT00:00:00.000Z", time.gmtime()), category={"sourcedId": "test"}, **{"class": {"sourcedId": f"course{n}"}})
        if os.path.exists(self.marks):
            with open(self.marks, encoding="utf-8") as marks:
                book.results.update(json.load(marks))
        return book

    def mark(self, book, pupil):
        n = len(book.results)
        if n < KEPT_MAX:
            book.put("results", f"mark{n}", lineItem={"sourcedId": f"line{n % len(WORKS)}"}, student={"sourcedId": pupil}, textScore=str(3 + secrets.randbelow(3)),
                     scoreDate=time.strftime("%Y-%m-%d", time.gmtime()))
            self.write(self.marks, json.dumps(book.results))

    def run(self):
        ended = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())
        self.admit()
        book = self.gradebook()
        pupil = json.loads(self.call("parta", "person", "show", self.pupil(), "--json"))["person"]
        bridge, parent, due = subprocess.Popen([os.path.join(BUILD, "parta-diary"), "--config", self.config, "run"], preexec_fn=os.setpgrp), os.getppid(), FIRST_S
        begun = time.monotonic()
        try:
            while not ended.wait(0.5) and bridge.poll() is None and os.getppid() == parent:  # it ends with who started it, however that ends
                if time.monotonic() - begun >= due:
                    self.mark(book, pupil)
                    due += EACH_S
        finally:
            bridge.terminate()
            bridge.wait()


if __name__ == "__main__":
    getattr(Demo(sys.argv[2]), {"prepare": "prepare", "run": "run"}[sys.argv[1]])()
