"""The sample school under random requests of somebody who belongs to none: a teacher's /sync tells of nothing."""
import os
import subprocess
from urllib.parse import quote

import mutate
from cases import V3
from harness import Client
from stage import Stage

SCHOOL = {"policy": {"mode": "school"}}


def parta(server, *words):
    command = [os.path.join(server.build, "parta"), "--config", os.path.join(server.folder, "parta.yaml"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


class School:
    """As much of a Stage as the mutator needs. Made before the server starts."""

    say = staticmethod(Stage.say)

    def __init__(self, server):
        self.server = server
        archive = os.path.join(server.folder, "school.zip")
        parta(server, "school", "sample", "--seed", "1", "--size", "small", archive)
        parta(server, "roster", "import", archive)
        self.teacher = parta(server, "roster", "list", "--role", "teacher", "--limit", "1").split("\t")[0]
        self.password = parta(server, "user", "password", self.teacher).split()[-1]
        self.owner = self.since = None

    def open(self):
        login = self.server.request("POST", f"{V3}/login", {
            "type": "m.login.password", "identifier": {"type": "m.id.user", "user": self.teacher}, "password": self.password}).json
        self.owner = Client(self.server, login["user_id"], login["access_token"], login["device_id"], self.password)
        rooms = self.owner.must("GET", f"{V3}/sync?timeout=0")["rooms"]["join"]
        ids = sorted(rooms, key=lambda room: len(rooms[room]["timeline"]["events"]))
        self.restricted, self.control = ids[0], ids[-1]
        self.event = rooms[self.control]["timeline"]["events"][-1]["event_id"]

    def changes(self):
        at = f"&since={quote(self.since)}" if self.since else ""
        news = self.owner.must("GET", f"{V3}/sync?timeout=0{at}")
        told = [f"{section}: {str(news[section])[:300]}" for section in ("rooms", "account_data", "presence")
                if self.since and any((news.get(section) or {}).values())]
        self.since = news["next_batch"]
        return told


def outsider(tap, school, requests, seed):
    school.open()
    mutate.at_random(tap, school, requests, seed)
