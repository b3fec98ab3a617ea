"""OneRoster's changes: between two whole readings the bridge asks for what has changed alone, and tells what a whole reading would."""
import collections
import os
import random
import signal
import time

from doubles import Gradebook

SECRET = "client-secret"
LONG_AGO = "2026-01-01T00:00:00.000Z"
WHOLE, CHANGES = "scoreDate", "dateLastModified"  # by which member a reading asks for results


def open_book(bridge_class, api, **diary):
    book = Gradebook("parta", SECRET)
    base = book.url + book.BASE
    bridge = bridge_class(api, {"oneroster": {"gradebook_url": base + "/gradebook/v1p2", "rostering_url": base + "/rostering/v1p2", "token_url": book.url + "/token",
                                              "client_id": "parta", "client_secret_file": "SECRET", "homework_categories": ["home"]}}, **diary)
    with open(bridge.config, encoding="utf-8") as config:
        bridge.write("diary.yaml", config.read().replace("SECRET", bridge.write("secret", SECRET + "\n")))
    book.put("classes", "class-7a", title="Алгебра 7А")
    return book, bridge


def line(book, name, due, category="test"):
    book.put("lines", name, title=f"Работа {name}", dueDate=due + "T00:00:00.000Z", category={"sourcedId": category}, **{"class": {"sourcedId": "class-7a"}})


def result(book, name, pupil, score, date, of="line"):
    book.put("results", name, lineItem={"sourcedId": of}, student={"sourcedId": pupil}, scoreDate=date, **({} if score is None else {"score": score}))


def told(bridge):
    return [(notice["what"], notice["id"]) for notice in bridge.notices()]


def fill(book, day):
    line(book, "line", day())
    for name in ("home1", "home2"):
        line(book, name, day(2), "home")
    for n in range(8):
        result(book, f"r{n}", f"p{1 + n % 3}", 4, day())
    for name in ("r5", "r6"):
        book.results[name]["dateLastModified"] = LONG_AGO
    result(book, "old", "p1", 4, day(-100))


def check_what_changes(tap, bridge_class, api, day):
    book, bridge = open_book(bridge_class, api)
    fill(book, day)
    bridge.start()
    bridge.next_reading("oneroster")
    tap.ok(len(told(bridge)) == 10 and book.asked("results", WHOLE) == 1 and book.asked("results", CHANGES) >= 1,
           "changes: a window is read whole once, and then what has changed", told(bridge), bridge.log()[-900:])
    bridge.end()  # what changes between two pages of a reading makes the window be read whole, and rightly
    for name in ("r5", "r6"):
        book.results[name]["score"] = 2  # its date stays: nobody is told of it yet
    result(book, "r0", "p1", 5, day())
    result(book, "r1", "p2", None, day())
    result(book, "r2", "p3", 4, day(-50))
    book.delete("results", "r3")
    result(book, "new", "p1", 3, day())
    result(book, "old", "p1", 2, day(-100))
    result(book, "late", "p1", 5, day())
    book.results["late"]["dateLastModified"] = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() - 600))  # noted after it was dated
    book.change("lines", "home1", category={"sourcedId": "test"})
    book.change("lines", "home2", title="Другая")
    bridge.start()
    bridge.until(lambda: len(told(bridge)) >= 18, f"eight changes: {bridge.log()[-900:]}")
    bridge.next_reading("oneroster")
    want = [("changed", "line-home2"), ("changed", "r0"), ("new", "late"), ("new", "new"), ("withdrawn", "line-home1"), ("withdrawn", "r1"), ("withdrawn", "r2"), ("withdrawn", "r3")]
    tap.ok(sorted(told(bridge)[10:]) == want and book.asked("results", WHOLE) == 1,
           "changes: new, corrected, not graded any more, of another day, to be deleted, no homework any more; what is not among them stays", told(bridge)[10:])
    bridge.end(signal.SIGKILL)
    result(book, "while-away", "p1", 5, day())
    bridge.start()
    bridge.until(lambda: ("new", "while-away") in told(bridge), "a mark from while it was away")
    tap.ok(book.asked("results", WHOLE) == 1, "changes: after a kill they are asked for from where it was", bridge.log()[-500:])
    check_whole_again(tap, book, bridge, day)
    bridge.dispose()


def check_whole_again(tap, book, bridge, day):
    """What changes would not say again has the window read whole."""
    result(book, "lost", "stranger", 5, day())
    bridge.until(lambda: "oneroster\tpupil\tstranger\t" in bridge.command("problems")[1], "a pupil who is not found")
    wholes = book.asked("results", WHOLE)
    bridge.next_reading("oneroster")
    tap.ok(book.asked("results", WHOLE) == wholes and ("new", "lost") not in told(bridge), "changes: who is not found waits without whole readings")
    book.results["lost"]["dateLastModified"] = LONG_AGO  # long ago: changes do not have it any more
    bridge.command("match", "oneroster", "pupil", "stranger", "p2")
    bridge.until(lambda: ("new", "lost") in told(bridge), f"the mark that waited: {bridge.log()[-500:]}")
    tap.ok(told(bridge).count(("new", "lost")) == 1 and {("changed", "r5"), ("changed", "r6")} <= set(told(bridge)),
           "changes: a match has the window read whole, and that tells what no date said", told(bridge)[-4:])
    wholes = book.asked("results", WHOLE)
    book.fault("/results", (500, "", {}), 3)
    bridge.until(lambda: book.asked("results", WHOLE) > wholes, "a whole reading after an error")
    bridge.next_reading("oneroster")
    tap.ok("source\treading" not in bridge.command("problems")[1], "changes: an error has the window read whole, at once", bridge.command("problems")[1])


def check_match_meanwhile(tap, bridge_class, api, day):
    """Somebody matches a pupil while changes are fetched, which do not say again what waited."""
    book, bridge = open_book(bridge_class, api)
    fill(book, day)
    result(book, "lost", "stranger", 5, day())
    book.results["lost"]["dateLastModified"] = LONG_AGO
    bridge.start()
    bridge.until(lambda: "oneroster\tpupil\tstranger\t" in bridge.command("problems")[1], "a pupil who is not found")
    answer, matched = book.answer, []

    def meanwhile(path, given, *rest):
        if not matched and path.endswith("/results") and given.get("filter", "").startswith(CHANGES):
            matched.append(bridge.command("match", "oneroster", "pupil", "stranger", "p2")[0])
        return answer(path, given, *rest)
    book.answer = meanwhile
    bridge.until(lambda: ("new", "lost") in told(bridge), f"the mark that waited: {bridge.log()[-500:]}")
    bridge.next_reading("oneroster")
    tap.ok(matched == [0] and told(bridge).count(("new", "lost")) == 1, "changes: a match that comes while they are fetched has the window read whole after that", matched, told(bridge)[-4:])
    bridge.dispose()


def check_many_deleted(tap, bridge_class, api, day):
    book, bridge = open_book(bridge_class, api)
    line(book, "line", day())
    for n in range(40):
        result(book, f"r{n}", f"p{1 + n % 3}", 4, day())
    bridge.start()
    bridge.until(lambda: len(told(bridge)) == 40, "forty marks")
    bridge.end()
    for n in range(30):
        book.delete("results", f"r{n}")
    bridge.start()
    bridge.until(lambda: "source\tgone" in bridge.command("problems")[1], "thirty that are gone at once to be held")
    bridge.next_reading("oneroster")
    tap.ok(len(told(bridge)) == 40, "changes: much that is to be deleted at once waits to be confirmed", told(bridge)[40:])
    bridge.command("confirm", "oneroster")
    bridge.until(lambda: len(told(bridge)) == 70, f"what was confirmed: {bridge.log()[-500:]}")
    bridge.next_reading("oneroster")
    tap.ok("source\tgone" not in bridge.command("problems")[1] and len(told(bridge)) == 70, "changes: and is withdrawn then, once", told(bridge)[70:])
    bridge.dispose()


def check_filters(tap, bridge_class, api, day):
    """A service that ignores the filter, or refuses it, is read whole: for a day it is not asked again, also after a restart."""
    for how in ("ignored", "refused"):
        book, bridge = open_book(bridge_class, api)
        fill(book, day)
        for record in book.results.values():
            record["dateLastModified"] = record["dateLastModified"].replace(day()[:4], "2020", 1)
        result(book, "r1", "p2", 5, day())
        book.changes = how
        bridge.start()
        bridge.next_reading("oneroster")
        result(book, "r0", "p1", 5, day())
        bridge.until(lambda: ("changed", "r0") in told(bridge), f"a correction: {bridge.log()[-500:]}")
        bridge.end()
        bridge.start()
        del book.results["r2"]
        bridge.until(lambda: ("withdrawn", "r2") in told(bridge), "a withdrawal")
        asked = book.asked("lineItems", CHANGES) + book.asked("results", CHANGES)
        tap.ok(1 <= asked <= 2 and bridge.failures("oneroster") == 0 and len(told(bridge)) == 12,
               f"changes: a filter that is {how} is tried once, and all is told by whole readings", asked, told(bridge))
        bridge.dispose()


def check_clocks(tap, bridge_class, api, day):
    for ahead_s in (-7200, 7200):
        book, bridge = open_book(bridge_class, api)
        book.ahead_s = ahead_s
        fill(book, day)
        bridge.start()
        bridge.next_reading("oneroster")
        result(book, "r0", "p1", 5, day())
        bridge.until(lambda: ("changed", "r0") in told(bridge), f"a correction by a wrong clock: {bridge.log()[-500:]}")
        tap.ok(book.asked("results", WHOLE) == 1, f"changes: a clock that is {ahead_s} s ahead of ours loses none", bridge.log()[-500:])
        bridge.next_reading("oneroster")
        book.ahead_s -= 10800  # what changes now is dated before what was read
        result(book, "r1", "p2", 5, day())
        bridge.until(lambda: ("changed", "r1") in told(bridge), f"a correction after a clock jumped: {bridge.log()[-500:]}")
        tap.ok(book.asked("results", WHOLE) == 2, "changes: a clock that jumps has the window read whole")
        result(book, "r2", "p3", 5, day())
        bridge.until(lambda: ("changed", "r2") in told(bridge), "a correction after that")
        tap.ok(book.asked("results", WHOLE) == 2, "changes: and changes will do again", bridge.log()[-500:])
        bridge.dispose()


def check_pages(tap, bridge_class, api, day):
    book, bridge = open_book(bridge_class, api)
    fill(book, day)
    bridge.start()
    bridge.next_reading("oneroster")
    count, failed = len(told(bridge)), bridge.failures("oneroster")
    book.shuffled = True
    bridge.until(lambda: bridge.failures("oneroster") > failed, "pages in another order")
    tap.ok(len(told(bridge)) == count, "changes: pages that do not fit together change nothing", told(bridge)[count:])
    book.shuffled = False
    result(book, "r0", "p1", 5, day())
    bridge.until(lambda: ("changed", "r0") in told(bridge), "a correction")
    tap.ok(len(told(bridge)) == count + 1, "changes: and nothing is lost by it", told(bridge)[count:])
    bridge.dispose()


def check_now_and_then(tap, bridge_class, api, day):
    book, bridge = open_book(bridge_class, api, whole_s=2)
    fill(book, day)
    bridge.start()
    bridge.next_reading("oneroster")
    del book.results["r0"]  # a service that forgets instead of saying so
    book.results["r1"]["score"] = 2
    bridge.until(lambda: {("withdrawn", "r0"), ("changed", "r1")} <= set(told(bridge)), "what changes do not say")
    tap.ok(book.asked("results", CHANGES) >= 1, "changes: what they do not say comes with the next whole reading", bridge.log()[-500:])
    bridge.dispose()


def check_changes(tap, bridge_class, api, day):
    for check in (check_what_changes, check_match_meanwhile, check_many_deleted, check_filters, check_clocks, check_pages, check_now_and_then):
        check(tap, bridge_class, api, day)


def check_changes_kills(tap, bridge_class, api, day):
    """kill -9 at any moment, while marks change and go: in the end all is told once, and nearly all of it as changes."""
    rounds = 100 if os.environ.get("PARTA_TEST_LONG") else 12
    book, bridge = open_book(bridge_class, api)
    book.rows = 500
    line(book, "line", day())
    result(book, "first", "p1", 5, day())
    dice, score = random.Random(5), 0
    bridge.start()
    bridge.next_reading("oneroster")
    bridge.end()
    for _ in range(rounds):
        for _ in range(20):
            name, score = f"m{dice.randrange(120)}", score + 1
            if name in book.results and dice.random() < 0.3:
                book.delete("results", name)
            else:
                result(book, name, f"p{1 + int(name[1:]) % 3}", score, day())
        bridge.start(wait=False)
        time.sleep(dice.random() * 0.3)  # no condition to wait for: any moment will do
        bridge.end(signal.SIGKILL)
    wholes = book.asked("results", WHOLE)
    bridge.start()
    bridge.next_reading("oneroster")
    txns = collections.Counter(notice["txn"] for notice in bridge.notices())
    last = {notice["id"]: notice["what"] for notice in bridge.notices()}
    there = {name for name, what in last.items() if what != "withdrawn"}
    want = {name for name, record in book.results.items() if record["status"] == "active"}
    tap.ok(max(txns.values()) == 1 and there == want, f"changes: over {rounds} kills what the service says in the end was told, each change once",
           txns.most_common(2), sorted(there ^ want), bridge.log()[-900:])
    tap.ok(wholes == 1 and book.asked("results", WHOLE) == 1, "changes: and no kill had the window read whole", wholes, book.asked("results", WHOLE))
    for name in list(want):
        book.results[name]["dateLastModified"] = LONG_AGO
    count = len(bridge.notices())
    bridge.command("confirm", "oneroster")
    bridge.until(lambda: book.asked("results", WHOLE) > 1, "a whole reading")
    bridge.next_reading("oneroster")
    tap.ok(len(bridge.notices()) == count, "changes: a whole reading has nothing to add", bridge.notices()[count:][:3])
    bridge.dispose()
