"""Text that others have written must not steer the terminal of whoever runs `parta`.

    tests/cli/hostile_text.py BUILD ROSTER

Plants C0, C1, bidirectional and zero-width characters in every column of a roster, in its headers and names of files, and, past the
checks of the API, in every text of a database; then runs every verb that `parta --help` lists and looks at each byte that it prints.
PARTA_CONFIG names the configuration, whose database is made from the roster. Prints what is wrong; exit code 1."""
import csv
import io
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import zipfile

HOSTILE = "\x1b]0;x\x07\x1b[2J\u009b31m\u0085\u202e\u2066\u200b\ufeff\x7f"
QUIET = HOSTILE.replace("\x1b", "").replace("\x07", "").replace("\x7f", "")  # what a CSV reader lets through
SEEN = {"\n", "\t"}
build, roster = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
parta = build + "/parta"
folder = tempfile.mkdtemp()
faults, runs, escaped = [], 0, 0


def is_unseen(c):
    code = ord(c)
    return (
        (code < 0x20 and c not in SEEN)
        or 0x7F <= code < 0xA0
        or code in (0x61C, 0xFEFF)
        or 0x200B <= code <= 0x200F
        or 0x2028 <= code <= 0x202E
        or 0x2060 <= code <= 0x206F
    )


def run(*words):
    """One call: what it has printed, looked at."""
    global runs, escaped
    got = subprocess.run([parta, *words], stdin=subprocess.DEVNULL, capture_output=True, cwd=folder, check=False, timeout=60)
    runs += 1
    for where, data in (("output", got.stdout), ("problem", got.stderr)):
        escaped += b"\\u" in data
        try:
            text = data.decode()
        except UnicodeDecodeError:
            faults.append(f"{words!r}: {where} is not UTF-8: {data[:200]!r}")
            continue
        bad = sorted({f"U+{ord(c):04X}" for c in text if is_unseen(c)})
        if bad:
            faults.append(f"{words!r}: {where} has {', '.join(bad)}: {text[:200]!r}")
    return got


def write(path, files):
    with zipfile.ZipFile(path, "w") as out:
        for name, text in files.items():
            out.writestr(name, text)


def table(text):
    rows = list(csv.reader(io.StringIO(text)))
    return rows[0], rows[1:]


def joined(head, rows):
    out = io.StringIO()
    csv.writer(out).writerows([head, *rows])
    return out.getvalue()


def rosters():
    """Every column of every file, its header, and the file's name."""
    with zipfile.ZipFile(roster) as z:
        files = {name: z.read(name).decode() for name in z.namelist()}
    path = folder + "/hostile.zip"
    for name, text in files.items():
        head, rows = table(text)
        for column in range(len(head)):
            for words in (QUIET, HOSTILE):
                planted = [[*row[:column], row[column] + words, *row[column + 1 :]] for row in rows[:3]] + rows[3:]
                write(path, {**files, name: joined(head, planted)})
                run("roster", "import", "--dry-run", path)
            run("roster", "convert", "--force", path, folder + "/converted.zip")
            write(path, {**files, name: joined([*head[:column], head[column] + QUIET, *head[column + 1 :]], rows)})
            run("roster", "import", "--dry-run", path)
        write(path, {**files, QUIET + name: text, name + QUIET: text})
        run("roster", "import", "--dry-run", path)
        run("roster", "convert", "--force", path, folder + "/converted.zip")


def plant(database):
    """In every text of every table that a check of the schema lets have it."""
    n = 0
    db = sqlite3.connect(database)
    tables = [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]
    for name in tables:
        for _, column, kind, *_ in db.execute(f"PRAGMA table_info({name})").fetchall():
            if kind != "TEXT" or column in ("role", "kind", "state"):  # words that the program knows
                continue
            try:
                n += db.execute(
                    f"UPDATE OR IGNORE {name} SET {column} = {column} || ? WHERE {column} NOT LIKE '{{%' AND {column} NOT LIKE '[%'"
                    f" AND {column} NOT LIKE '____-__-__' AND {column} <> ''",
                    (HOSTILE,),
                ).rowcount
            except sqlite3.IntegrityError:
                db.rollback()
            db.commit()
    ids = {
        "school": db.execute("SELECT sourced_id FROM schools").fetchone()[0],
        "class": db.execute("SELECT sourced_id FROM classes").fetchone()[0],
        "user": "@" + db.execute("SELECT localpart FROM users JOIN people USING (user_no)").fetchone()[0] + ":school.example",
    }
    db.close()
    return n, ids


def verbs():
    """Every verb, with nothing, with what is there and with hostile words, as lines and as JSON."""
    data = re.search(r"data_dir: (.*)", open(os.environ["PARTA_CONFIG"], encoding="utf-8").read()).group(1)
    config = folder + "/parta.yaml"
    shutil.copytree(data, folder + "/data")
    with open(config, "w", encoding="utf-8") as out:
        out.write(f"server_name: school.example\ndata_dir: {folder}/data\npasswords: {{memory_kib: 64}}\n")
    n, ids = plant(folder + "/data/parta.db")
    if n < 1000:
        faults.append(f"only {n} texts were planted")
    known = {"SCHOOL": ids["school"], "CLASS": ids["class"], "USER": ids["user"], "PUPIL": ids["user"], "CHILD": ids["user"]}
    lines = run("--help").stdout.decode().split("\n\n")[1].splitlines()
    listed = re.findall(r"^  ([a-z]+(?: [a-z-]+)?) {2,}(.*)$", "\n".join(lines), re.M)
    if len(listed) < 50 or len(listed) != len(lines):
        faults.append(f"parta --help lists {len(listed)} verbs in {len(lines)} lines")
    for verb, rest in listed:
        words = verb.split()
        arguments = re.match(r"((?:\[?[A-Z_]+\]?(?: |$))*)", rest).group(1).split()
        there = [known.get(a.strip("[]"), "1") for a in arguments]
        options = set(re.findall(r"^  (--[a-z-]+)", run(*words, "--help").stdout.decode(), re.M))
        ways = [[], there, [HOSTILE] * len(arguments)]
        for way in ways:
            run(*words, "--config", config, "--", *way)
            if "--json" in options:
                run(*words, "--config", config, "--json", "--", *way)
            if "--school" in options:
                run(*words, "--config", config, "--school", ids["school"], "--", *way)
        run(*words, HOSTILE, "--config", config, "--" + HOSTILE)
    run(HOSTILE)
    run(HOSTILE, HOSTILE)


rosters()
verbs()
shutil.rmtree(folder)
if escaped < 100:
    faults.append(f"of {runs} calls only {escaped} had anything to escape: the test plants nothing")
print(*faults[:20], sep="\n")
print(f"{len(faults)} faults in {runs} calls, {escaped} of which had something to escape")
sys.exit(bool(faults))
