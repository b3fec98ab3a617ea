// Bad input at the server's own pages, every page and every form that there is, out of the tables: links that mail scanners open, HTML and line breaks in
// whatever people and schools call themselves, headers, forms that are sent twice. What needs a browser is in pages.test.mjs.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { until } from "./harness.mjs";
import { HERE, World, postOffice, q } from "./world.mjs";
import { Visitor, pageRoutes } from "./visitor.mjs";

const PASSWORD = "correct-horse-battery";
const MARK = `<b title="x">&'`; // in every name
let w, post, school, pupil, parent, leader, office;

const visit = (client, language) => new Visitor(w.server.url, language).signIn({ id: client.getUserId?.() ?? client.id, password: client.password ?? PASSWORD });

before(async () => {
    post = await postOffice();
    w = await World.start({ post });
    school = await w.newClass(`5 ${MARK}`, "5");
    const names = (word) => ({ given_name: `${word} ${MARK}`, family_name: `Ф${MARK}`, middle_name: `О${MARK}` });
    leader = await w.newClient("class_teacher", { class: school.class, ...names("Лидия") });
    office = w.one({ role: "administrator" });
    const made = await w.newPerson("pupil", { class: school.class, birth_date: "2015-01-01", ...names("Павел") });
    pupil = await w.enter(made.user_id);
    parent = await w.newClient("guardian", { child: made.user_id, ...names("Римма") });
    await w.newPerson("guardian", { child: made.user_id, ...names("Непришедшая") });
    await w.addContact(parent, "rimma@school.example");
    await parent.setDeviceDetails(parent.getDeviceId(), { display_name: `телефон ${MARK}` });
    const room = (await leader.createRoom({ name: `кружок ${MARK}`, invite: [pupil.getUserId()] })).room_id;
    await pupil.joinRoom(room);
    await w.do(parent, "POST", `/me/children/${q(made.user_id)}/corrections`, { birth_date: "2015-01-02", note: `записка ${MARK}`, given_name: `Иной ${MARK}` });
    nobodyIsTold();
});

after(() => w?.stop());

/** All that lies in the database, by table, but for what says only when somebody was seen. */
const SEEN = /^(sqlite_|page_sessions$|devices$|stream$|incarnations$|audit|log|jobs|idempotency|rate|search|.*_fts)/;
const word = (_, value) => (value instanceof Uint8Array ? Buffer.from(value).toString("hex") : typeof value === "bigint" ? String(value) : value);

const database = (options) => new DatabaseSync(join(w.server.dir, "data", "parta.db"), { timeout: 20000, ...options });

/** Whom a new guardian concerns hears of it from a job, seconds after the answer: here they do not, so that it writes nothing while rows are compared. */
function nobodyIsTold() {
    const db = database();
    db.exec("DELETE FROM untold_guardians");
    db.close();
}

function rows(db, table) {
    const all = db.prepare(`SELECT * FROM "${table}"`);
    all.setReadBigInts(true);
    return all.all().map((row) => JSON.stringify(row, word));
}

function lies(...more) {
    const db = database({ readOnly: true });
    try {
        const tables = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").all().map((t) => t.name).filter((name) => !SEEN.test(name) || more.includes(name));
        assert.ok(tables.length > 20);
        return Object.fromEntries(tables.map((name) => [name, rows(db, name)]));
    } finally {
        db.close();
    }
}

/** How two differ: "table +1 −0". */
function changed(one, two) {
    const found = [];
    for (const name of Object.keys(two)) {
        const [before, now] = [new Set(one[name]), new Set(two[name])];
        const [more, less] = [[...now].filter((r) => !before.has(r)).length, [...before].filter((r) => !now.has(r)).length];
        if (more || less) found.push(`${name} +${more} −${less}`);
    }
    return found;
}

/** The paths of a route, with what there is in this school. */
async function filled(path, token) {
    const { applications } = await w.me(parent);
    const values = { userId: pupil.getUserId(), application: applications[0].application, class: school.class, token, name: "style.css", providerId: "nobody", idpId: "nobody", page: "no-such-page" };
    return path.replace(/\{(\w+)\}/g, (_, name) => {
        assert.ok(name in values, `${path}: what is ${name}?`);
        return q(values[name]);
    });
}

// --- Links ---

const KINDS = [...readFileSync(new URL("../../homeserver/store/school/links.c", import.meta.url), "utf8").matchAll(/\[LINK_(?:CLASS|SCHOOL|GUARDIAN|PERSONAL)\] = "(\w+)"/g)].map((m) => m[1]);

const newLink = {
    class: () => w.do(leader, "POST", "/links", { kind: "class", class: school.class, role: "pupil", uses: 1 }),
    school: () => w.do(w.operator, "POST", "/links", { kind: "school", school: HERE, role: "teacher", uses: 1 }),
    guardian: async () => w.do(await w.newClient("pupil", { class: school.class, birth_date: "2015-01-01" }), "POST", "/me/guardian_links"),
    personal: async () => w.do(w.operator, "POST", "/links", { kind: "personal", user_id: (await w.newPerson("teacher")).user_id }),
};

test("a link of whatever kind is spent by no GET and no HEAD, of anybody: mail scanners open it as often as they like", async () => {
    assert.deepEqual(KINDS.sort(), Object.keys(newLink).sort(), "every kind of link");
    const somebody = await visit(parent);
    for (const [kind, make] of Object.entries(newLink)) {
        const { token } = await make();
        const before = lies();
        for (const scanner of [new Visitor(w.server.url), new Visitor(w.server.url, "en"), somebody])
            for (const method of ["GET", "HEAD", "GET"])
                for (const more of ["", "?done=joined", "?next=%2Fparta%2Faccount"]) {
                    const { status } = await scanner.ask(method, `/parta/join/${token}${more}`);
                    assert.ok([200, 403].includes(status) && (status === 200 || scanner === somebody), `${kind} ${method}: ${status}`);
                }
        assert.deepEqual(changed(before, lies()), [], kind);
        const page = await new Visitor(w.server.url).get(`/parta/join/${token}`);
        assert.ok(page.forms.some((f) => f.action.startsWith("/parta/join")), `${kind}: it opens still`);
    }
});

test("no page does anything by being looked at, by GET or HEAD: every one there is", async () => {
    const { token } = await newLink.class();
    for (const who of [parent, pupil, leader, undefined]) {
        const visitor = who ? await visit(who) : new Visitor(w.server.url);
        const before = lies();
        for (const { path } of pageRoutes("GET"))
            for (const method of ["GET", "HEAD"]) {
                const at = await filled(path, token);
                const { status } = await visitor.ask(method, at);
                assert.ok(status < 500, `${method} ${at}: ${status}`);
            }
        assert.deepEqual(changed(before, lies()), []);
    }
});

// --- What people and schools are called ---

test("HTML in every name, note and title is text on every page, in both languages, and no line break becomes a header", async () => {
    const { token } = await newLink.class();
    const pages = [];
    for (const [who, language] of [[parent, "ru"], [pupil, "en"], [leader, "ru"], [office, "en"]]) {
        const visitor = await visit(who, language);
        for (const { path } of pageRoutes("GET")) {
            const at = await filled(path, token);
            pages.push([at, await visitor.ask("GET", at)]);
        }
        if (who === leader) pages.push(["class-link", await visitor.send(await visitor.form(`/parta/class/${q(school.class)}`, "/parta/class-link"), { role: "guardian" })]);
        if (who === office) pages.push(["class-sheets", await visitor.send(await visitor.form(`/parta/class/${q(school.class)}`, "/parta/class-sheets"))]);
        if (who === parent) {
            const form = await visitor.form(`/parta/child/${q(pupil.getUserId())}`, "/parta/child-correct");
            pages.push(["child-correct", await visitor.send(form, { child_birth_date: MARK, child_given_name: MARK, note: MARK })]);
            pages.push(["contacts", await visitor.send(await visitor.form("/parta/account/contacts", "/parta/account/contacts/code"), { contact: `${MARK}@` })]);
        }
    }
    const stranger = new Visitor(w.server.url);
    for (const [at, action, typed] of [["/parta/sign-in", "/parta/sign-in", { user: MARK, password: "x" }], ["/parta/sign-up", "/parta/sign-up", { token: MARK }], ["/parta/recovery", "/parta/recovery", { contact: MARK }]])
        pages.push([action, await stranger.send(await stranger.form(at, action), typed)]);
    const showing = new Set();
    for (const [at, { html }] of pages) {
        assert.doesNotMatch(html, /<b title/, at);
        assert.doesNotMatch(html, /"x">&'/, at);
        if (html.includes("&lt;b title=&quot;x&quot;&gt;&amp;")) showing.add(at.split("/").slice(0, 4).join("/"));
    }
    for (const page of ["/parta/account", "/parta/child", "/parta/class", "/parta/application", "/parta/join", "class-sheets", "class-link", "child-correct", "/parta/sign-in"])
        assert.ok([...showing].some((at) => at.startsWith(page)), `${page} shows no name, so that nothing is proven by it: ${[...showing]}`);
});

test("line breaks in addresses, parameters, fields and headers become no header of an answer, on any route", async () => {
    const evil = "a\r\nx-injected: yes\r\nset-cookie: evil=1";
    const visitor = await visit(parent);
    const check = (at, reply) => {
        assert.equal(reply.headers.get("x-injected"), null, at);
        assert.ok(!reply.headers.getSetCookie().some((c) => c.startsWith("evil=")), at);
        assert.ok(reply.status < 500, `${at}: ${reply.status}`);
    };
    for (const { path } of pageRoutes("GET"))
        for (const at of [path.replace(/\{\w+\}/g, q(evil)), ...["next", "done", "draft", "prompt", "state", "redirectUrl", "redirect_uri", "session", "code", "error", "device_id", "action"].map((name) => `${path.replace(/\{\w+\}/g, "x")}?${name}=${q(evil)}`)])
            for (const one of [visitor, new Visitor(w.server.url)]) check(at, await one.ask("GET", at));
    for (const [at, action, field] of [["/parta/sign-in", "/parta/sign-in", "next"], ["/parta/sign-up", "/parta/sign-up", "token"], ["/parta/account", "/parta/language", "language"], ["/parta/account", "/parta/language", "next"], ["/parta/account", "/parta/language", "here"]]) {
        const one = action === "/parta/language" ? await visit(parent) : new Visitor(w.server.url);
        const page = await one.get(at);
        const form = page.forms.find((f) => f.action === action);
        if (form) check(action, await one.send(form, { [field]: evil, from: `- ${evil}` }));
    }
});

test("every page may be framed by nobody, and says so twice; nothing is kept, guessed or told to other sites", async () => {
    const { token } = await newLink.class();
    const visitor = await visit(parent);
    for (const { path } of pageRoutes("GET").filter((r) => !r.path.startsWith("/parta/assets/")))
        for (const one of [visitor, new Visitor(w.server.url)]) {
            const { headers, status } = await one.ask("GET", await filled(path, token));
            assert.match(headers.get("content-security-policy") ?? "", /^default-src 'none';.*frame-ancestors 'none'/, `${path} ${status}`);
            assert.equal(headers.get("x-frame-options"), "DENY", path);
            assert.equal(headers.get("x-content-type-options"), "nosniff", path);
            assert.equal(headers.get("cache-control"), "no-store", path);
            assert.equal(headers.get("access-control-allow-origin"), null, path);
        }
});

// --- Twice ---

/** Rows in each table. */
const counts = (all) => Object.fromEntries(Object.entries(all).map(([name, rows]) => [name, rows.length]));

/** A pupil and its guardian who have come, with their pages: one of those that are made at once, so that whoever is told of
 * a new guardian by a job of the server's has been when rows are counted. */
const families = [];
async function family() {
    if (families.length === 0) {
        for (let i = 0; i <= Object.keys(FORMS).length; ++i) families.push(await newFamily());
        await until(() => ["untold_guardians", "untold_hearers"].every((table) => lies()[table].length === 0), "the notices of new guardians");
    }
    return families.pop();
}

async function newFamily() {
    const made = await w.newPerson("pupil", { class: school.class, birth_date: "2015-01-01" });
    const child = await w.enter(made.user_id);
    const adult = await w.newClient("guardian", { child: made.user_id });
    return { made, child, adult, page: await visit(adult), childs: await visit(child), at: `/parta/child/${q(made.user_id)}` };
}

const password = { password: PASSWORD };
let mails = 0;
async function withAddress(f) {
    f.address = `twice${++mails}@school.example`;
    await w.addContact(f.adult, f.address);
    return f;
}

const seen = () => lies("devices", "page_sessions");
/** An erasure goes on after its answer, room by room: what it is begun by lies here. */
const BEGUN = ["users", "people", "guardianships", "erasures", "applications", "links", "devices", "page_sessions"];

/** A form that is there: [visitor, where it stands, what is typed]; more: rows that the second answer may add, with the reason. */
const FORMS = {
    "/parta/child-correct": { form: async (f) => [f.page, f.at, { note: "Другой класс", child_birth_date: "2015-03-03" }] },
    "/parta/account/application": {
        form: async (f) => {
            await w.do(f.adult, "POST", `/me/children/${q(f.made.user_id)}/corrections`, { birth_date: "2015-01-02" });
            return [f.page, `/parta/application/${(await w.me(f.adult)).applications[0].application}`, { note: "Ещё слово" }];
        },
    },
    "/parta/account/withdraw": {
        form: async (f) => {
            await w.do(f.adult, "POST", `/me/children/${q(f.made.user_id)}/corrections`, { birth_date: "2015-01-02" });
            return [f.page, "/parta/account", {}];
        },
    },
    "/parta/child-withdraw": { form: async (f) => [f.page, `${f.at}/withdraw`, password] },
    "/parta/child-erase": { form: async (f) => [f.page, `${f.at}/erase`, password], only: BEGUN },
    "/parta/account/password": { form: async (f) => [f.page, "/parta/account/password", { ...password, new_password: "another horse battery" }] },
    "/parta/account/contacts/remove": { form: async (f) => [(await withAddress(f)).page, "/parta/account/contacts", { sure: "yes", ...password }] },
    "/parta/account/sessions/end": { form: async (f) => [f.page, `/parta/account/sessions/end?device_id=${f.adult.getDeviceId()}`, password], of: "devices" },
    "/parta/account/sessions/end-all": { form: async (f) => [f.page, "/parta/account/sessions", {}], of: "devices" },
    "/parta/account/guardian-link": { form: async (f) => [f.childs, "/parta/account", {}], more: { links: 1 } }, // told once: the second answer tells another, and a third open one replaces the first (D1)
    "/parta/class-link": { form: async () => [await visit(leader), `/parta/class/${q(school.class)}`, { role: "pupil" }], more: { links: 1 } }, // the second ends the first
    "/parta/class-sheets": { form: async () => [await visit(office), `/parta/class/${q(school.class)}`, {}], more: { links: 99 } }, // likewise
    "/parta/join-apply": {
        form: async (f) => [(await withAddress(f)).page, `/parta/join/${(await w.do(leader, "POST", "/links", { kind: "class", class: school.class, role: "guardian" })).token}`, {}],
    },
    "/parta/join-confirm": {
        form: async (f) => {
            const other = await withAddress(await family());
            const { token } = await w.do(f.child, "POST", "/me/guardian_links");
            return [other.page, `/parta/join/${token}`, {}];
        },
        only: ["users", "people", "guardianships", "applications", "links", "verifications", "contacts"], // and who is told of it, by a job
    },
    "/parta/account/export": { form: async (f) => [f.page, "/parta/account/export", password], of: "nothing" },
    "/parta/language": { form: async (f) => [f.page, "/parta/account", { language: "en" }] },
    "/parta/sign-out": { form: async (f) => [f.page, "/parta/account", {}], of: "page_sessions" },
    "/parta/join-not-me": { form: async (f) => [f.page, `/parta/join/${(await newLink.class()).token}`, {}], of: "page_sessions" },
    "/parta/sign-in": { form: async (f) => [new Visitor(w.server.url), "/parta/sign-in", { user: f.adult.getUserId(), ...password }], of: "page_sessions", more: { page_sessions: 1 } }, // of eight at most
};
/** Forms that lead through something else first, and where they are sent twice. */
const ELSEWHERE_SENT = {
    "/parta/join": "pages.test.mjs: signing up twice by one form",
    "/parta/join-code": "a code is sent for each time that it is asked for, as often as the rate of codes lets",
    "/parta/account/deactivate": "whom a school holds it refuses (E4); of others nothing is left to be done twice (spec_accounts.test.mjs)",
    "/parta/account/contacts/code": "a code is sent for each time that it is asked for, as often as the rate of codes lets",
    "/parta/recovery": "likewise",
    "/parta/account/contacts/add": "a code is good once (school_c.test.mjs, unit contacts)",
    "/parta/recovery/password": "likewise",
    "/parta/sign-up": "it spends nothing, and leads on",
    "/parta/account/second-factor": "a code is good once (unit second factor; spec_accounts.test.mjs)",
    "/parta/account/second-factor/end": "likewise",
    "/parta/account/second-factor/once": "likewise",
    "/parta/sign-in/code": "likewise",
    "/parta/account/reset-keys": "it opens a time in which keys are set, which the second opens anew",
    "/parta/account/providers/link": "sign_in_with.test.mjs",
    "/parta/account/providers/unlink": "sign_in_with.test.mjs",
    "/parta/oauth2/authorize": "oauth.test.mjs: a code is good once",
    "/parta/device": "oauth.test.mjs: a grant is decided once",
    "/parta/sso": "oauth.test.mjs: a token is good once",
};

test("every form of the pages is sent twice here, or is said to be elsewhere", () => {
    const all = pageRoutes("POST").map((r) => r.path).filter((path) => !/^\/parta\/oauth2\/(register|token|revoke|device)$/.test(path));
    assert.deepEqual([...new Set(all)].sort(), [...Object.keys(FORMS), ...Object.keys(ELSEWHERE_SENT)].sort());
});

/** A form as it would do its work, but for what says that this page has shown it to this person: [what, form, headers]. */
function foreign(form, other, strangers, url) {
    const [until, mac] = form.fields.form.split(".");
    const token = (form_) => ({ ...form, fields: { ...form.fields, form: form_ } });
    const { form: _, ...bare } = form.fields;
    return [
        ["without a token", { ...form, fields: bare }],
        ["with an empty token", token("")],
        ["with one that was altered", token(`${until}.${mac.startsWith("A") ? "B" : "A"}${mac.slice(1)}`)],
        ["with one that is good for longer", token(`${Number(until) + 3600000}.${mac}`)],
        ["with half of one", token(`${until}.${mac.slice(0, 10)}`)],
        ["with that of another form", token(other)],
        ...(strangers ? [["with that of another session", token(strangers)]] : []),
        ["from another site", form, { origin: "https://evil.example" }],
        ["from a site that begins like this one", form, { origin: `${url}.evil.example` }],
        ["from nowhere", form, { origin: "null" }],
    ];
}

for (const [action, { form: there, of, only, more = {} }] of Object.entries(FORMS))
    test(`sent twice, ${action}: done once; before that with whatever is wrong about its token or origin: refused, and nothing is done`, async () => {
        const [visitor, at, typed] = await there(await family());
        const form = await visitor.form(at, action);
        const page = await visitor.get(at);
        const other = page.forms.find((f) => f.action !== action && f.fields.form).fields.form;
        const stranger = await visit(office); // who may see many of these pages, by a session of their own
        const strangers = (await stranger.get(at)).forms.find((f) => f.action === action && f.fields.form !== form.fields.form)?.fields.form;
        const untouched = lies();
        for (const [what, wrong, headers] of foreign(form, other, action === "/parta/sign-in" ? undefined : strangers, w.server.url)) {
            const kept = { ...visitor.cookies };
            const reply = await visitor.send(wrong, typed, headers);
            assert.equal(reply.status, 403, `${what}: ${reply.html}`);
            assert.match(reply.headers.get("content-type"), /^text\/html/);
            assert.doesNotMatch(reply.html, new RegExp(PASSWORD), "no secret is shown again");
            visitor.cookies = kept;
        }
        assert.deepEqual(changed(untouched, lies()), [], "nothing is done");
        const cookies = { ...visitor.cookies };
        nobodyIsTold();
        const before = seen();
        const first = await visitor.send(form, typed);
        assert.ok([200, 303].includes(first.status), `${first.status} ${first.html}`);
        nobodyIsTold();
        const once = seen();
        if (of !== "nothing") assert.ok(changed(before, once).some((c) => !of || c.startsWith(of)), `it does nothing: ${changed(before, once)}`);
        visitor.cookies = cookies; // as the impatient thumb's second request, which was under way already
        const second = await visitor.send(form, typed);
        assert.ok(second.status < 500, second.html);
        const [one, two] = [counts(once), counts(seen())];
        for (const [table, n] of Object.entries(two).filter(([name]) => !only || only.includes(name))) assert.ok(n <= one[table] + (more[table] ?? 0), `${table}: ${before[table].length}, ${one[table]}, ${n}; ${second.status} ${second.html.slice(0, 3000)}`);
    });

// --- Who has come ---

test("a class teacher sees that somebody has come who is signed in on these pages alone", async () => {
    const made = await w.newPerson("pupil", { class: school.class, birth_date: "2015-01-01", given_name: "Никифор" });
    const { token } = await w.do(w.operator, "POST", "/links", { kind: "personal", user_id: made.user_id });
    const newcomer = new Visitor(w.server.url);
    const state = async () => /Никифор[^]*?<span>([^<]*)<\/span>/.exec((await (await visit(leader)).get(`/parta/class/${q(school.class)}`)).html)[1];
    const none = await state();
    const joined = await newcomer.send(await newcomer.form(`/parta/join/${token}`, "/parta/join"), { password: PASSWORD });
    assert.equal(joined.status, 303, joined.html);
    const come = await state();
    assert.notEqual(come, none);
    await w.meanwhile(["UPDATE users SET password_hash = NULL WHERE localpart = ?", made.user_id.slice(1).split(":")[0]]);
    assert.equal((await newcomer.ask("GET", "/parta/account")).status, 200);
    assert.equal(await state(), come);
});
