#!/usr/bin/env python3
"""Makes html.c and html.h of pages: html/NAME.html, words.txt, assets/*; docs/pages.md says how a page is made.

A file html/NAME.html begins with what C gives it, and becomes `bool html_NAME(struct request *r, const struct NAME_view *v)`:

    {{view
      text name            const char *; NULL is ""
      list lines { text id; time seen }
    }}
    {{title account.title}}      a sentence, or a field that is one (word)

    {{name}}               a hole: escaped for where it stands (text, attribute, URL)
    {{t account.hello n=count}}   a sentence of words.txt, with what it needs
    {{if name}} … {{else}} … {{end}}    of a list: whether it has any
    {{for line in lines}} {{line.id}} {{end}}
    {{asset style.css}}    the address of a file of assets/
    {{part proof label=password.prove prefix="off_" factor}}    html/parts/proof.html, which has a view of its own and no title: each
                           field of it is given, by a field of the same type, "text", yes or no, or the key of a sentence. Parts may have parts

What is typed into a form that posts (an input that is neither hidden nor a secret) is there again when the form is, whatever C gives as
its value: put_typed. A password or a code for one use is a secret, in every form of that name, and never there again.

Everything that is not known is an error: a field, a sentence, a hole where nothing can be escaped, a form without a fixed action.
Each form that posts is given its token; no page forgets it.

    compile.py FOLDER OUT.c OUT.h [DEPFILE]
"""
import hashlib
import html
import pathlib
import re
import sys

LANGUAGES = {"ru": 3, "en": 2}  # the order of enum language; plural forms
TYPES = {"text": "const char *", "url": "const char *", "int": "int64_t ", "bool": "bool ", "time": "int64_t ", "day": "school_day ",
         "word": "enum word ", "html": "const struct text *"}
WRITTEN = {"text": "put_text(out, {});", "url": "put_text(out, {});", "int": "text_add_int(out, {});",
           "word": "put_text(out, word_in({}, page->language));", "time": "put_time(page, {});", "day": "put_day(page, {});"}
URLS = {"href", "src", "action", "formaction", "poster", "cite", "data"}
NAME = r"[a-z][a-z0-9_]*"


class Wrong(Exception):
    """What is wrong with a file, and in which line."""


# ---- Words

class Word:
    def __init__(self, key, given):
        self.key, self.given, self.forms = key, given, {}

    @property
    def c_name(self):
        return "WORD_" + re.sub(r"[^A-Z0-9]", "_", self.key.upper())


def read_words(path):
    """key → Word. A key at the line's beginning, {what it needs} behind it; each language's sentence indented below."""
    words, word = {}, None
    for n, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        head = re.fullmatch(rf"([a-z][a-z0-9_.]*)((?: \{{{NAME}\}})*)", line)
        said = re.fullmatch(r"    (\w\w) (.*)", line)
        if head:
            if head[1] in words:
                raise Wrong(f"{path}:{n}: {head[1]} is there twice")
            word = words[head[1]] = Word(head[1], re.findall(rf"\{{({NAME})\}}", head[2]))
        elif said and word and said[1] in LANGUAGES and said[1] not in word.forms:
            forms = said[2].split(" | ")
            if len(forms) > 1 and ("n" not in word.given or len(forms) != LANGUAGES[said[1]]):
                raise Wrong(f"{path}:{n}: {word.key} has {len(forms)} forms; {said[1]} has {LANGUAGES[said[1]]}, by {{n}}")
            for form in forms:
                for hole in re.findall(r"\{([^}]*)\}", form):
                    if hole not in word.given:
                        raise Wrong(f"{path}:{n}: {word.key} is not given {{{hole}}}")
            word.forms[said[1]] = forms
        else:
            raise Wrong(f"{path}:{n}: what is this? {line.strip()}")
    for word in words.values():
        for language in LANGUAGES:
            if language not in word.forms:
                raise Wrong(f"{path}: {word.key} is not said in {language}")
    return words


# ---- Templates

def c_string(text):
    """A C string literal of UTF-8."""
    out = []
    for byte in text.encode():
        out.append(chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}")
    return '"' + "".join(out) + '"'


class Place:
    """Where in the HTML the compiler stands: what a hole there has to be escaped for."""

    def __init__(self):
        self.where, self.tag, self.attribute, self.value = "text", "", "", ""

    def key(self):
        return self.where, self.tag, self.attribute

    def feed(self, char, complain):
        if self.where == "text":
            if char == "<":
                self.where, self.tag = "tag", "<"
            return
        self.tag += char
        if self.where == "attribute":
            self.value += char
            self.where = "tag" if char == '"' else "attribute"
        elif char == '"':
            found = re.search(r"\s([a-z][a-z-]*)=\"$", self.tag)
            if not found or found[1].startswith("on") or found[1] == "style":
                complain("a quote that begins no attribute, or one of script or style, which stand in files of their own")
            self.attribute, self.value, self.where = found[1], "", "attribute"
        elif char in "'<" or re.search(r"=[^\"]$", self.tag):
            complain("attributes have double quotes")
        elif char == ">":
            self.where = "text"
            if re.match(r"<(style|script(?! src=)|!--|svg|object|embed|iframe|base)\b|<!--", self.tag):
                complain(f"{self.tag} stands in no page")

    def filled(self, what):
        """Something is written here that the compiler does not know."""
        if self.where == "attribute":
            self.tag += f"{{{what}}}"
            self.value += "{}"


class Template:
    """A page, or a part of pages and of other parts. parts: name → Template, of all; made: those that are compiled, each behind its parts."""

    def __init__(self, path, words, asset_paths, parts, made, is_part):
        self.path, self.words, self.assets, self.parts, self.made = path, words, asset_paths, parts, made
        self.is_part, self.name, self.begun = is_part, path.stem + "_part" * is_part, False
        self.line, self.code, self.literal, self.depth = 1, [], "", 1
        self.place, self.blocks, self.scopes, self.title = Place(), [], [], None
        self.lists, self.fields = {}, {}  # list → {field: type}; field: type
        self.form_posts, self.refilled, self.inputs = self.is_part, None, []  # what is typed: (name, whether it is a secret)

    def wrong(self, what):
        raise Wrong(f"{self.path}:{self.line}: {what}")

    def say(self, line):
        self.flush()
        self.code.append("    " * self.depth + line)

    def flush(self):
        if self.literal:
            text, self.literal = self.literal, ""
            self.code.append("    " * self.depth + f"text_adds(out, {c_string(text)});")

    def view(self, source):
        """Reads {{view …}}: TYPE NAME, or list NAME { TYPE NAME; … }"""
        for entry in re.findall(rf"list {NAME} \{{[^}}]*\}}|\w+ \w+|\S+", source):
            kind, _, rest = entry.partition(" ")
            if kind == "list":
                name, inner = re.fullmatch(rf"({NAME}) \{{(.*)\}}", rest, re.S).groups()
                self.lists[name] = dict(self.field(e.strip()) for e in inner.split(";") if e.strip())
                self.fields[name] = "list"
            else:
                name, kind = self.field(entry)
                if name in self.fields:
                    self.wrong(f"{name} is there twice")
                self.fields[name] = kind

    def field(self, entry):
        found = re.fullmatch(rf"(\w+) ({NAME})", entry)
        if not found or found[1] not in TYPES:
            self.wrong(f"what is {entry}?")
        return found[2], found[1]

    def known(self, name):
        """Type and C expression of a field."""
        first, _, second = name.partition(".")
        for variable, items in reversed(self.scopes):
            if first == variable:
                if second in self.lists[items]:
                    return self.lists[items][second], f"{variable}->{second}"
                self.wrong(f"{items} has no {second}")
        if not second and first in self.fields:
            return self.fields[first], f"v->{first}"
        self.wrong(f"there is no field {name}")

    def hole(self, name):
        kind, value = self.known(name)
        where, attribute = self.place.where, self.place.attribute
        if where == "tag":
            self.wrong(f"{{{{{name}}}}}: a hole stands in text or in a quoted value")
        if kind in ("list", "bool"):
            self.wrong(f"{name} is a {kind}")
        if where == "attribute" and attribute in URLS:
            if self.place.value == "":
                if kind != "url":
                    self.wrong(f"{attribute} begins with {name}, which is no url")
                return self.say(f"put_url(out, {value});")
            if kind not in ("text", "int"):
                self.wrong(f"{name} is a {kind}: a piece of an address is text or int")
            return self.say(f"put_url_piece(out, {value});" if kind == "text" else f"text_add_int(out, {value});")
        if kind == "html":
            if where != "text":
                self.wrong(f"{name} is html, and stands in {attribute}")
            return self.say(f"put_html(out, {value});")
        if kind in ("time", "day") and where != "text":
            self.wrong(f"{name} is a {kind}, and stands in {attribute}")
        if where == "attribute" and attribute == "value" and (name := self.typed_name(self.place.tag)):
            if kind != "text" or self.place.value:
                self.wrong(f"the value of {name} is a text, or none")
            self.refilled = name
            return self.say(f"put_typed(page, {c_string(name)}, {value});")
        self.say(WRITTEN[kind].format(value))

    def typed_name(self, tag):
        """The name of a field that is typed into; None: it is not."""
        found = re.search(r'\sname="([^"{}]*)"', tag)
        kind = re.search(r'\stype="([^"]*)"', tag)
        plain = tag.startswith("<input") and (not kind or kind[1] not in ("hidden", "password", "checkbox", "radio"))
        return found[1] if self.form_posts and plain and found and "one-time-code" not in tag else None

    def input_ended(self, tag):
        """Behind its last attribute: a typed field without a value of C's, a box that was ticked, a secret."""
        name, refilled, self.refilled = re.search(r'\sname="([^"{}]*)"', tag), self.refilled, None
        if not self.form_posts or not name or 'type="hidden"' in tag or 'type="radio"' in tag:
            return refilled and self.wrong(f"type and name of {refilled} stand before its value")
        secret = 'type="password"' in tag or "one-time-code" in tag
        self.inputs.append((name[1], secret))
        if 'type="checkbox"' in tag:
            value = re.search(r'\svalue="([^"{}]+)"', tag) or self.wrong("a box has a value")
            self.say(f"put_ticked(page, {c_string(name[1])}, {c_string(value[1])});")
        elif not secret and " value=" in tag and not refilled:
            self.wrong(f"type and name of {name[1]} stand before its value, which C gives or nobody")
        elif not secret and not refilled:
            self.literal += ' value="'
            self.say(f"put_typed(page, {c_string(name[1])}, NULL);")
            self.literal += '"'

    def sentence(self, rest):
        key, *given = rest.split()
        word = self.words.get(key)
        if word is None:
            self.wrong(f"there is no sentence {key}")
        if self.place.where == "tag" or (self.place.where == "attribute" and self.place.attribute in URLS):
            self.wrong("a sentence stands in text or in a quoted value")
        values = {}
        for one in given:
            name, _, field = one.partition("=")
            kind, value = self.known(field or name)
            if kind not in WRITTEN:
                self.wrong(f"{name} is a {kind}")
            if kind in ("time", "day") and self.place.where != "text":
                self.wrong(f"{name} is a {kind}, and stands in an attribute")
            values[name] = WRITTEN[kind].format(value), value
        if set(values) != set(word.given):
            self.wrong(f"{key} needs {word.given or 'nothing'}, and is given {sorted(values) or 'nothing'}")
        if not word.given:
            return self.say(f"put_text(out, word_in({word.c_name}, page->language));")
        self.say("switch (page->language) {")
        for language in LANGUAGES:
            forms = word.forms[language]
            self.say(f"case LANGUAGE_{language.upper()}:")
            self.depth += 1
            for at, form in enumerate(forms):
                if len(forms) > 1:
                    self.say(f"{'} else ' if at else ''}if (plural_{language}({values['n'][1]}) == {at}) {{" if at < len(forms) - 1 else "} else {")
                    self.depth += 1
                for piece in re.split(rf"(\{{{NAME}\}})", form):
                    if piece.startswith("{"):
                        self.say(values[piece[1:-1]][0])
                    elif piece:
                        self.say(f"text_adds(out, {c_string(html.escape(piece))});")
                if len(forms) > 1:
                    self.depth -= 1
            if len(forms) > 1:
                self.say("}")
            self.say("break;")
            self.depth -= 1
        self.say("}")

    def given_to_part(self, part, field, value):
        """C of what a part's field is given."""
        wanted = part.fields[field]
        if wanted == "text" and re.fullmatch(r'"[^"]*"', value):
            return c_string(value[1:-1])
        if wanted == "bool" and value in ("yes", "no"):
            return "true" if value == "yes" else "false"
        if wanted == "word" and value in self.words:
            if self.words[value].given:
                self.wrong(f"{value} needs something")
            return self.words[value].c_name
        kind, expression = self.known(value)
        if kind != wanted:
            self.wrong(f"{field} of {part.path.stem} is a {wanted}; {value} is a {kind}")
        return expression

    def write_part(self, rest):
        name, *given = re.findall(r'[^\s"]+(?:"[^"]*")?', rest) or [""]
        part = self.parts.get(name)
        if part is None:
            self.wrong(f"there is no part {name}")
        part.compile()
        if part not in self.made:
            self.wrong(f"{name} has itself in it")
        if self.place.where != "text":
            self.wrong("a part stands in text")
        values = dict((one.partition("=")[0], one.partition("=")[2] or one) for one in given)
        if set(values) != set(part.fields) or len(values) != len(given):
            self.wrong(f"{name} needs {sorted(part.fields) or 'nothing'}, and is given {sorted(values) or 'nothing'}")
        fields = ", ".join(f".{field} = {self.given_to_part(part, field, value)}" for field, value in values.items())
        self.say(f"write_{part.name}(page, &(struct {part.name}_view){{{fields or '0'}}});")

    def begin(self, what, name, line):
        self.say(line)
        self.depth += 1
        self.blocks.append([what, name, self.place.key(), self.place.value])

    def condition(self, name):
        negated, name = name.startswith("!"), name.removeprefix("!")
        kind, value = self.known(name)
        test = {"text": f"({value} != NULL && *{value} != '\\0')", "url": f"({value} != NULL && *{value} != '\\0')",
                "list": f"({value}_n != 0)", "html": f"({value} != NULL)"}.get(kind, f"({value} != 0)")
        return "!" + test if negated else test

    def command(self, body):
        word, rest = (body.split(None, 1) + ["", ""])[:2]
        rest = rest.strip()
        if word == "view":
            return self.view(rest)
        if word == "title" and rest:
            if self.fields.get(rest) == "word":
                self.title = f"v->{rest}"
            elif rest not in self.words or self.words[rest].given:
                self.wrong(f"there is no sentence {rest}, or it needs something")
            else:
                self.title = self.words[rest].c_name
        elif word == "t":
            self.sentence(rest)
            self.place.filled("")
        elif word == "part":
            self.write_part(rest)
        elif word == "asset":
            if rest not in self.assets:
                self.wrong(f"there is no asset {rest}")
            self.text(self.assets[rest])
        elif word == "if":
            self.begin("if", rest, f"if ({self.condition(rest)}) {{")
        elif word == "else":
            if not self.blocks or self.blocks[-1][0] != "if":
                self.wrong("an else without an if")
            block = self.blocks[-1]
            self.flush()
            after, self.place.where, self.place.tag, self.place.attribute = self.place.key(), *block[2]
            self.place.value, block[0] = block[3], "else"
            block.append(after[0])
            self.depth -= 1
            self.say("} else {")
            self.depth += 1
        elif word == "for":
            found = re.fullmatch(rf"({NAME}) in ({NAME})", rest)
            if not found or found[2] not in self.lists:
                self.wrong(f"for {rest}: of which list?")
            variable, items = found.groups()
            self.begin("for", items, f"for (size_t i_{variable} = 0; i_{variable} < v->{items}_n; ++i_{variable}) {{")
            self.say(f"const struct {self.name}_{items} *{variable} = &v->{items}[i_{variable}];")
            self.scopes.append((variable, items))
        elif word == "end":
            if not self.blocks:
                self.wrong("an end of nothing")
            what, _, before, _, *other = self.blocks.pop()
            if self.place.where != before[0] or (other and other[0] != self.place.where):
                self.wrong("what is conditional begins and ends in the same place of the HTML")
            if what == "for":
                self.scopes.pop()
            self.flush()
            self.depth -= 1
            self.say("}")
        elif re.fullmatch(rf"{NAME}(\.{NAME})?", body.strip()):
            self.hole(body.strip())
            self.place.filled(body.strip())
        else:
            self.wrong(f"what is {{{{{body.strip()}}}}}?")

    def compile(self):
        """Once: a page asks for its parts when it meets them."""
        if self.begun:
            return
        self.begun = True
        source = self.path.read_text()
        at = 0
        for found in re.finditer(r"\{\{(.*?)\}\}\n?", source, re.S):
            self.text(source[at:found.start()])
            newline = found[0].endswith("\n")
            block = re.match(r"(view|title|if|else|end|for|part)\b", found[1].strip())
            self.command(found[1])
            self.line += found[0].count("\n")
            if newline and not block:
                self.literal += "\n"
                if self.place.where != "text":
                    self.place.feed("\n", self.wrong)
            at = found.end()
        self.text(source[at:])
        self.flush()
        if self.blocks:
            self.wrong(f"{self.blocks[-1][0]} {self.blocks[-1][1]} has no end")
        if self.place.where != "text":
            self.wrong("a tag that does not end")
        if self.is_part and (self.title or self.lists):
            self.wrong("a part has no title and no lists")
        self.made.append(self)
        if "{{" in source[at:]:
            self.wrong("a hole that does not end")

    def text(self, literal):
        for char in re.sub(r"\n[ \t]+", "\n", literal):
            ended = self.place.tag if char == ">" and self.place.where == "tag" else ""
            self.place.feed(char, self.wrong)
            if ended.startswith("<input"):
                self.input_ended(ended)
            self.literal += char
            if char == ">" and self.place.where == "text":
                self.tag_ended(self.place.tag)
        self.line += literal.count("\n")

    def tag_ended(self, tag):
        """A form that posts is given its token."""
        if tag.startswith("</form"):
            self.form_posts = self.is_part
        if not tag.startswith("<form"):
            return
        if 'method="post"' not in tag:
            return
        fixed, given = re.search(r'action="(/[^"{}]*)"', tag), re.search(r'action="\{([^"{}]+)\}"', tag)
        if not fixed and not given:
            self.wrong("a form posts to a fixed address of this server, or to one that C gives whole")
        self.form_posts = True
        self.say(f"put_form_token(page, {c_string(fixed[1]) if fixed else self.known(given[1])[1]});")

    def header(self):
        out = []
        for name, fields in self.lists.items():
            out.append(f"struct {self.name}_{name} {{")
            out += [f"    {TYPES[kind]}{field};" for field, kind in fields.items()]
            out.append("};")
        out.append(f"struct {self.name}_view {{")
        for field, kind in self.fields.items():
            if kind == "list":
                out += [f"    const struct {self.name}_{field} *{field};", f"    size_t {field}_n;"]
            else:
                out.append(f"    {TYPES[kind]}{field};")
        if not self.fields:
            out.append("    char nothing;")
        out.append("};")
        if self.is_part:
            return "\n".join(out) + "\n"
        if self.name == "layout":
            out.append("void html_layout(struct page *page, const struct layout_view *v);")
        else:
            out.append(f"bool html_{self.name}(struct request *r, const struct {self.name}_view *v);")
        return "\n".join(out) + "\n"

    def source(self):
        body = "\n".join(self.code)
        if self.name == "layout":
            return (f"void html_layout(struct page *page, const struct layout_view *v)\n{{\n    struct text *out = &page->out;\n{body}\n}}\n")
        write = (f"static void write_{self.name}(struct page *page, const void *view)\n{{\n    const struct {self.name}_view *v = view;\n"
                f"    struct text *out = &page->out;\n    (void)v;\n{body}\n}}\n")
        if self.is_part:
            return write
        if self.title is None:
            raise Wrong(f"{self.path}: it has no title")
        return (f"{write}\nbool html_{self.name}(struct request *r, const struct {self.name}_view *v)\n{{\n"
                f"    return page_reply(r, {self.title}, write_{self.name}, v);\n}}\n")


# ---- Assets

TYPES_OF_ASSETS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


def assets(folder):
    """C of the files that pages load, each under a name that says what is in it."""
    rows, names = [], {}
    for path in sorted(folder.iterdir()):
        content = path.read_text()
        name = f"{path.stem}.{hashlib.sha256(content.encode()).hexdigest()[:16]}{path.suffix}"
        names[path.name] = "/parta/assets/" + name
        lines = "\n     ".join(c_string(line) for line in content.splitlines(keepends=True))
        rows.append(f'    {{"{name}", "{TYPES_OF_ASSETS[path.suffix]}",\n     {lines},\n     {len(content.encode())}}},')
    return rows, names


def fields_of(templates):
    """C rows of what is typed anywhere, and which of it is a secret."""
    fields = {}
    for template in templates:
        for name, secret in template.inputs:
            if fields.setdefault(name, secret) != secret:
                raise Wrong(f"{template.path}: {name} is a secret in one form and none in another")
    return [f'    {{"{name}", {"true" if secret else "false"}}},' for name, secret in sorted(fields.items())]


def made_of(folder):
    words = read_words(folder / "words.txt")
    rows, names = assets(folder / "assets")
    parts, templates = {}, []
    parts |= {path.stem: Template(path, words, names, parts, templates, True) for path in sorted((folder / "html/parts").glob("*.html"))}
    pages = [Template(path, words, names, parts, templates, False) for path in sorted((folder / "html").glob("*.html"))]
    for template in [*parts.values(), *pages]:
        template.compile()
    made_by = "/* Made by client-api/pages/compile.py. */\n"
    h = [made_by, "#ifndef PARTA_CLIENT_API_PAGES_HTML_H\n#define PARTA_CLIENT_API_PAGES_HTML_H\n",
         "#include <stdbool.h>\n#include <stddef.h>\n#include <stdint.h>\n",
         '#include "homeserver/base/days.h"\n#include "homeserver/base/text.h"\n',
         "struct page;\nstruct request;\n", "enum language { " + ", ".join(f"LANGUAGE_{name.upper()}" for name in LANGUAGES) + " };\n" + f"#define LANGUAGES {len(LANGUAGES)}\n",
         "enum word {\n    WORD_NONE,\n" + "".join(f"    {w.c_name},\n" for w in words.values() if not w.given) + "    WORD__COUNT\n};\n",
         "/* Plain text, not escaped; static storage. */\nconst char *word_in(enum word word, enum language language);",
         "enum word word_named(const char *key); /* WORD_NONE: there is none */\n",
         "struct asset {\n    const char *name, *type, *content;\n    size_t bytes;\n};\nextern const struct asset PAGE_ASSETS[];\n"
         "extern const size_t PAGE_ASSETS_COUNT;\n",
         "/* What people type into forms. */\nstruct page_field {\n    const char *name;\n    bool secret;\n};\n"
         "extern const struct page_field PAGE_FIELDS[]; /* the last has no name */"]
    h += ["", *(t.header() for t in templates), "#endif"]
    c = [made_by, '#include "client-api/pages/html.h"\n\n#include <string.h>\n\n#include "client-api/pages/page_private.h"\n',
         "static const struct {\n    const char *key, *said[LANGUAGES];\n} WORDS[WORD__COUNT] = {\n    {\"\", {\"\", \"\"}},"]
    c += ["    {" + c_string(w.key) + ", {" + ", ".join(c_string(w.forms[l][0]) for l in LANGUAGES) + "}}," for w in words.values() if not w.given]
    c += ["};\n", "const char *word_in(enum word word, enum language language)\n{\n    return WORDS[word].said[language];\n}\n",
          "enum word word_named(const char *key)\n{\n    for (int i = 1; i < WORD__COUNT; ++i)\n        if (strcmp(WORDS[i].key, key) == 0)\n"
          "            return (enum word)i;\n    return WORD_NONE;\n}\n",
          "const struct asset PAGE_ASSETS[] = {", *rows, "};\nconst size_t PAGE_ASSETS_COUNT = sizeof PAGE_ASSETS / sizeof *PAGE_ASSETS;\n",
          "const struct page_field PAGE_FIELDS[] = {", *fields_of(templates), "    {NULL, false},\n};\n",
          *(t.source() for t in templates)]
    return "\n".join(c), "\n".join(h) + "\n"


def main():
    folder, out_c, out_h, *depfile = map(pathlib.Path, sys.argv[1:])
    try:
        c, h = made_of(folder)
    except Wrong as wrong:
        sys.exit(str(wrong))
    out_c.write_text(c)
    out_h.write_text(h)
    for path in depfile: # the folders, too: a file may be added
        read = [folder / "words.txt", *(f for name in ("html", "html/parts", "assets") for f in (folder / name, *sorted((folder / name).iterdir())))]
        path.write_text(f"{out_c}: {' '.join(map(str, read))}\n")


if __name__ == "__main__":
    main()
