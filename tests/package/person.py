"""In the chroot: somebody with a browser, then with a client.

    person.py joins ADDRESS           opens the link and chooses a password
    person.py signs-in SERVER USER    with it, as a Matrix client does
"""
import html
import http.cookiejar
import json
import re
import sys
import urllib.parse
import urllib.request

PASSWORD = "four clouds over Samara"


def joins(address):
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    page = browser.open(address, timeout=60).read().decode()
    action, form = re.search(r'<form method="post" action="(/parta/join[^"]*)"[^>]*>(.*?)</form>', page, re.S).groups()
    fields = {name: html.unescape(value) for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)}
    fields |= {name: PASSWORD for name in re.findall(r'name="([^"]*password[^"]*)"', form)}
    there = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(address))
    answer = browser.open(urllib.request.Request(there + action, urllib.parse.urlencode(fields).encode(), {"Origin": there}), timeout=60)
    page = answer.read().decode()
    assert urllib.parse.urlsplit(answer.url).path != "/parta/join", page


def signs_in(server, user):
    body = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": user}, "password": PASSWORD}
    answer = json.load(urllib.request.urlopen(f"{server}/_matrix/client/v3/login", json.dumps(body).encode(), timeout=60))
    asked = urllib.request.Request(f"{server}/_matrix/client/v3/joined_rooms", headers={"Authorization": f"Bearer {answer['access_token']}"})
    rooms = json.load(urllib.request.urlopen(asked, timeout=60))["joined_rooms"]
    assert answer["user_id"] == user and rooms, (answer["user_id"], rooms)


{"joins": joins, "signs-in": signs_in}[sys.argv[1]](*sys.argv[2:])
