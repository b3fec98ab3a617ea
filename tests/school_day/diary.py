"""The diaries of the school day as a process of their own, that can be killed: OneRoster's gradebook, Дневник.ру and calendars.

    diary.py FILE PORT PORT PORT

FILE is JSON, read anew whenever it is another: {"gradebook": {"classes", "lines", "results"}, "dnevnik": {number: {"name", "persons",
"lessons", "marks", "log_entries"}}, "calendars": {path: text}}.
"""
import json
import os
import sys
import threading
import types

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "diary"))
from doubles import Calendar, Dnevnik, Gradebook  # noqa: E402

CLIENT, SECRET, TOKEN = "parta", "client-secret", "school-token"


class Diaries:
    def __init__(self, path, ports):
        self.path, self.read, self.lock = path, None, threading.Lock()
        self.gradebook, self.dnevnik, self.calendar = Gradebook(CLIENT, SECRET, ports[0]), Dnevnik(TOKEN, port=ports[1]), Calendar(ports[2])
        self.gradebook.rows = 500
        for double in (self.gradebook, self.dnevnik, self.calendar):
            double.answer = self.fresh(double.answer)

    def fresh(self, answer):
        def answered(*asked):
            self.refresh()
            return answer(*asked)
        return answered

    def refresh(self):
        with self.lock:
            stat = os.stat(self.path)
            if self.read == (stat.st_mtime_ns, stat.st_ino):
                return
            with open(self.path, encoding="utf-8") as file:
                data = json.load(file)
            for table, records in data["gradebook"].items():
                setattr(self.gradebook, table, records)
            self.dnevnik.groups = {number: types.SimpleNamespace(**group) for number, group in data["dnevnik"].items()}
            self.calendar.texts = data["calendars"]
            self.read = (stat.st_mtime_ns, stat.st_ino)


if __name__ == "__main__":
    Diaries(sys.argv[1], [int(word) for word in sys.argv[2:]])
    threading.Event().wait()
