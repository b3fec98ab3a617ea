"""The bridge as a process: one data directory with one configuration; it can be started, killed and started again."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from doubles import SCHOOL  # noqa: E402
from harness import PATIENCE_S, free_port, sanitized, until  # noqa: E402

PROD_S = 0.05  # so often at most a bridge is told to read now


class Bridge:
    """build: the folder of the programs. school: TOKEN and url."""

    def __init__(self, build, school, sections, **diary):
        self.program = os.path.join(build, "parta-diary")
        self.folder = tempfile.mkdtemp(prefix="parta-diary-test-")
        self.port = free_port()
        self.process = None
        self.data, self.notices_path = os.path.join(self.folder, "data"), os.path.join(self.folder, "notices")
        self.log_path, self.config = os.path.join(self.folder, "log"), os.path.join(self.folder, "diary.yaml")
        self.write("token", school.TOKEN + "\n")
        settings = {"listen": {"port": self.port, "metrics_open": True}, "log": {"level": "debug"},
                    "school": {"url": school.url, "id": SCHOOL, "token_file": self.path("token")},
                    "diary": {"interval_s": 1, "pace_ms": 0, "rehearsal_file": self.notices_path, "first": "tell", **diary}, **sections}
        lines = [f"data_dir: {self.data}"]
        for section, values in settings.items():
            lines += [f"{section}:"] + [f"  {name}: {json.dumps(value, ensure_ascii=False)}" for name, value in values.items()]
        self.write("diary.yaml", "\n".join(lines) + "\n")

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name) + ".new", "w", encoding="utf-8") as out:
            out.write(text)
        os.rename(self.path(name) + ".new", self.path(name))
        return self.path(name)

    def start(self, wait=True):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([self.program, "--config", self.config, "run"], stdout=log, stderr=log, env=sanitized(os.environ))
        if wait:
            until(self.answers, f"the bridge to start: {self.log()[-1500:]}")
        return self

    def answers(self):
        assert self.process.poll() is None, self.log()[-2000:]
        try:
            return self.get("/health")[0] == 200
        except OSError:
            return False

    def get(self, path, data=None, headers=None, method=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=data, headers=headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name):
        found = re.search(rf"^{re.escape(name)} (\d+)$", self.get("/metrics")[1], re.M)
        return int(found[1]) if found else None

    def readings(self, source):
        return self.metric(f'parta_diary_readings_total{{source="{source}",how="good"}}')

    def failures(self, source):
        return self.metric(f'parta_diary_readings_total{{source="{source}",how="failed"}}')

    def read_now(self):
        self.process.send_signal(signal.SIGHUP)

    def until(self, condition, what, patience=PATIENCE_S):
        """Waits for what a reading brings, and has the diaries read until then."""
        told = 0

        def look():
            nonlocal told
            value = condition()
            if not value and time.monotonic() >= told + PROD_S:
                told = time.monotonic()
                self.read_now()
            return value
        return until(look, what, patience)

    def next_reading(self, *sources, patience=PATIENCE_S):
        """Waits for one of each source that begins after this call: of two in a row the second does."""
        for _ in range(2):
            before = {source: self.readings(source) for source in sources}
            self.until(lambda: all(self.readings(source) > n for source, n in before.items()), f"{sources} to be read: {self.log()[-1500:]}", patience)  # noqa: B023

    def threads_that_take(self, signals):
        """Threads but the first, which waits for them, that a signal would end us by."""
        mask, found = sum(1 << (number - 1) for number in signals), []
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            with open(f"/proc/{self.process.pid}/task/{task}/status", encoding="ascii") as status:
                text = status.read()
            if int(task) != self.process.pid and int(re.search(r"SigBlk:\s+(\w+)", text)[1], 16) & mask != mask:
                found.append(re.search(r"Name:\s+(.*)", text)[1])
        return found

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.process.wait(30)

    def command(self, *words):
        done = subprocess.run([self.program, "--config", self.config, *words], capture_output=True, text=True, timeout=30, env=sanitized(os.environ))
        return done.returncode, done.stdout, done.stderr

    def notices(self):
        if not os.path.exists(self.notices_path):
            return []
        with open(self.notices_path, encoding="utf-8") as lines:
            return [json.loads(line) for line in lines if line.endswith("\n")]

    def n_notices(self):
        with open(self.notices_path, "rb") as lines:
            return lines.read().count(b"\n")

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def says(self, words):
        """The files below the folder (not the diary's own, nor the configuration) that hold any of the words."""
        found = []
        for folder, _, names in os.walk(self.folder):
            for name in names:
                if not name.startswith("source-"):
                    with open(os.path.join(folder, name), "rb") as file:
                        found += [name for word in words if word.encode() in file.read()]
        return found

    def dispose(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
