// The server's own pages, as families meet them: in chromium, in both languages, by keyboard, without JavaScript, on a narrow screen.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { after, before, test } from "node:test";
import { Browser, CHROMIUM, sound } from "./browser.mjs";
import { Server, inOneHour, until } from "./harness.mjs";
import { postOffice } from "./world.mjs";

const skip = CHROMIUM ? false : "no chromium here (apt-get install chromium): no page was looked at";
const PAGES = new URL("../../client-api/pages/", import.meta.url);
let server, browser, post, pupil, teacher;

before(async () => {
    if (skip) return;
    post = await postOffice();
    server = await Server.startSchool(post.settings);
    browser = await Browser.start(server.url);
    pupil = server.person({ role: "pupil" });
    teacher = server.person({ role: "class_teacher" });
});

after(async () => {
    await browser?.stop();
    await server?.stop();
});

const name = (person) => person.id.slice(1).split(":")[0];

async function signIn(page, person, password = person.password) {
    await page.goto("/parta/sign-in");
    await page.fill("#user", name(person));
    await page.fill("#password", password);
    await page.click("main button");
}

/** An API's sign-in: a device. */
async function device(person, display) {
    const { status, body } = await server.request("POST", "/_matrix/client/v3/login", {
        body: { type: "m.login.password", identifier: { type: "m.id.user", user: person.id }, password: person.password, initial_device_display_name: display },
    });
    assert.equal(status, 200, JSON.stringify(body));
    return body.access_token;
}

const whoami = async (token) => (await server.request("GET", "/_matrix/client/v3/account/whoami", { token })).status;

/** A request by hand, as a script or another site would make it. */
const raw = (path, { method = "GET", headers = {}, body } = {}) =>
    fetch(server.url + path, { method, redirect: "manual", headers: { ...(body === undefined ? {} : { "content-type": "application/x-www-form-urlencoded" }), ...headers }, body });

/** Every route of the pages, out of their tables. */
function routes(method) {
    const found = [];
    for (const file of readdirSync(PAGES).filter((f) => f.endsWith(".c"))) {
        const text = readFileSync(new URL(file, PAGES), "utf8");
        const macros = Object.fromEntries([...text.matchAll(/^#define (\w+) "([^"]*)"$/gm)].map((m) => [m[1], m[2]]));
        for (const [, path] of text.matchAll(new RegExp(`\\{HTTP_${method}, ([^,]+),`, "g")))
            found.push(path.split(" ").map((piece) => (piece.startsWith('"') ? piece.slice(1, -1) : macros[piece])).join(""));
    }
    assert.ok(found.length > 2);
    return found;
}

for (const language of ["ru", "en"])
    test(`signing in, ${language}: a wrong password is said so, the name stays; the account's pages are sound`, { skip }, async () => {
        const page = await browser.person({ language });
        await page.goto("/");
        assert.equal(await page.getAttribute("html", "lang"), language);
        await sound(page);
        await page.goto("/parta/account/sessions"); // who is not signed in comes back to what they wanted
        assert.match(page.url(), /\/parta\/sign-in\?next=/);
        await sound(page);
        await page.click('a[href^="/parta/sign-up?next="]');
        await sound(page);
        await page.goBack();
        await page.fill("#user", name(teacher));
        await page.fill("#password", "wrong");
        await page.click("main button");
        assert.match(await page.textContent('[role="alert"]'), language === "ru" ? /Неверное/ : /Wrong/);
        assert.equal(await page.inputValue("#user"), name(teacher));
        assert.equal(await page.inputValue("#password"), "");
        await sound(page);
        await page.fill("#password", teacher.password);
        await page.click("main button");
        assert.equal(new URL(page.url()).pathname, "/parta/account/sessions");
        for (const path of ["/parta/account", "/parta/account/sessions", "/parta/account/second-factor", "/parta/account/deactivate", "/parta/account/password"]) {
            await page.goto(path);
            await sound(page);
        }
        await page.click('footer button[value="en"]'); // the choice goes before what the browser asks for
        assert.equal(new URL(page.url()).pathname, "/parta/account/password");
        assert.equal(await page.getAttribute("html", "lang"), "en");
        await page.click("nav button");
        assert.match(page.url(), /done=signed_out/);
        await page.goto("/parta/account");
        assert.match(page.url(), /\/parta\/sign-in/);
        await page.context().close();
    });

test("an address that is mistyped, cut, or a form's answer asked for anew is a page that says so", { skip }, async () => {
    const page = await browser.person({ width: 320 });
    for (const path of ["/parta/nothing", "/parta/join", "/parta/join-code", "/parta/class-sheets", "/parta/account/guardian-link", "/parta/account/nothing"]) {
        assert.equal((await page.goto(path)).status(), 404, path);
        assert.match(await page.textContent('[role="alert"]'), /Такой страницы нет/);
    }
    await sound(page);
    assert.equal((await raw("/parta/oauth2/token")).status, 405, "what is for programs stays as it was");
    await page.context().close();
});

test("sessions: an app's is ended by the password, not without; then all", { skip }, async () => {
    const token = await device(pupil, 'Phone "<b>of</b>" Юля');
    const page = await browser.person({ language: "en", width: 320 });
    await signIn(page, pupil);
    await page.click('a[href="/parta/account/sessions"]');
    await sound(page);
    assert.match(await page.textContent(".rows"), /Phone "<b>of<\/b>" Юля/);
    await page.click('.rows li:has-text("Юля") a');
    await sound(page);
    await page.fill("#password", "wrong");
    await page.click("main button");
    assert.match(await page.textContent('[role="alert"]'), /wrong/);
    assert.equal(await whoami(token), 200);
    await page.fill("#password", pupil.password);
    await page.click("main button");
    assert.match(await page.textContent('[role="status"]'), /has ended/);
    assert.equal(await whoami(token), 401);
    const other = await browser.person();
    await signIn(other, pupil);
    const again = await device(pupil, "another");
    await page.goto("/parta/account/sessions");
    await page.click("main > form button");
    assert.match(page.url(), /done=ended_all/);
    assert.equal(await whoami(again), 401);
    await other.goto("/parta/account");
    assert.match(other.url(), /\/parta\/sign-in/, "browsers, too");
    await page.context().close();
    await other.context().close();
});

test("the password, without JavaScript and in the dark: browsers are signed out, apps may stay", { skip }, async () => {
    const person = server.people.find((p) => p.role === "guardian" && p.password);
    const token = await device(person, "kept");
    const page = await browser.person({ javaScript: false, width: 320, dark: true });
    await signIn(page, person);
    await page.goto("/parta/account/password");
    await page.fill("#password", person.password);
    await page.fill("#new_password", "1");
    await page.click("main button");
    assert.match(await page.textContent('[role="alert"]'), /короткий/);
    await page.fill("#password", person.password);
    await page.fill("#new_password", "йцукенгш"); // qwertyui
    await page.click("main button");
    assert.match(await page.textContent('[role="alert"]'), /самых частых/);
    await page.fill("#password", "wrong");
    await page.fill("#new_password", "new correct horse");
    await page.click("main button");
    assert.match(await page.textContent('[role="alert"]'), /неверный/);
    await page.fill("#password", person.password);
    await page.fill("#new_password", "new correct horse");
    await page.check("#keep");
    await page.click("main button");
    assert.match(await page.textContent('[role="status"]'), /Пароль изменён/);
    assert.equal(await whoami(token), 200);
    await signIn(page, person, "new correct horse");
    assert.equal(new URL(page.url()).pathname, "/parta/account");
    await page.context().close();
});

test("by keyboard alone: to the content, name, password, Enter", { skip }, async () => {
    const page = await browser.person();
    await page.goto("/parta/sign-in");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    await page.keyboard.type(name(teacher));
    await page.keyboard.press("Tab");
    await page.keyboard.type(teacher.password);
    await page.keyboard.press("Enter");
    await page.waitForURL("**/parta/account");
    await page.context().close();
});

test("a form of a tab that is too old is shown again with what was typed, but for the password", { skip }, async () => {
    const page = await browser.person({ language: "en" });
    await page.goto("/parta/sign-in");
    await page.fill("#user", name(teacher));
    await page.fill("#password", teacher.password);
    const other = await page.context().newPage(); // signed in meanwhile: what the form is bound to has changed
    await signIn(other, pupil);
    await page.click("main button");
    assert.match(await page.textContent('[role="alert"]'), /too old/);
    await sound(page);
    assert.equal(await page.getAttribute('input[name="user"]', "value"), name(teacher));
    assert.equal(await page.getAttribute('input[name="password"]', "value"), null);
    await page.fill("#password", teacher.password);
    await page.click("main button");
    await page.goto("/parta/account");
    assert.match(await page.textContent("main"), new RegExp(teacher.id));
    await page.context().close();
});

test("no form of another site, of no page, or of another session is taken: every one there is", { skip }, async () => {
    const page = await browser.person();
    await signIn(page, teacher);
    const cookies = await page.context().cookies();
    const session = cookies.find((c) => c.name === "parta-session");
    assert.ok(session.httpOnly && session.sameSite === "Lax" && session.path === "/", JSON.stringify(session));
    const cookie = cookies.map((c) => `${c.name}=${c.value}`).join("; ");
    const token = await page.getAttribute('nav input[name="form"]', "value"); // of another form
    for (const path of routes("POST")) {
        for (const [headers, body] of [
            [{ cookie }, "user=x"],
            [{ cookie, origin: "https://evil.example" }, `form=${token}`],
            [{ cookie, origin: "null" }, `form=${token}`],
            [{ cookie, origin: server.url }, "user=x"],
            [{ cookie, origin: server.url }, "form=1.AAAAAAAAAAAAAAAAAAAAAA"],
            ...(path === "/parta/sign-out" ? [] : [[{ cookie, origin: server.url }, `form=${token}`]]),
        ]) {
            const reply = await raw(path, { method: "POST", headers, body });
            assert.equal(reply.status, 403, `${path} ${JSON.stringify(headers)} ${body}`);
            assert.match(reply.headers.get("content-type"), /^text\/html/);
        }
        const json = await raw(path, { method: "POST", headers: { cookie, origin: server.url, "content-type": "application/json" }, body: "{}" });
        assert.equal(json.status, 415, path);
    }
    await page.reload();
    assert.equal(new URL(page.url()).pathname, "/parta/account", "and nobody was signed out by it");
    await page.context().close();
});

test("every page: strict headers, nothing kept, no other site; a cookie is no access token, nor the other way round", { skip }, async () => {
    const page = await browser.person();
    await signIn(page, teacher);
    const cookie = (await page.context().cookies()).map((c) => `${c.name}=${c.value}`).join("; ");
    const value = (await page.context().cookies()).find((c) => c.name === "parta-session").value;
    for (const path of routes("GET").filter((p) => !p.includes("{"))) {
        const reply = await raw(path, { headers: { cookie, "accept-language": "ru" } });
        assert.ok([200, 303, ...(path.endsWith("/fallback/web") ? [404] : [])].includes(reply.status), `${path}: ${reply.status}`); // of no session
        const policy = reply.headers.get("content-security-policy");
        assert.match(policy, /^default-src 'none'/);
        assert.match(policy, /frame-ancestors 'none'/);
        assert.doesNotMatch(policy, /unsafe|https:|\*/);
        assert.equal(reply.headers.get("x-content-type-options"), "nosniff");
        assert.equal(reply.headers.get("referrer-policy"), "same-origin");
        assert.equal(reply.headers.get("cache-control"), "no-store");
        assert.equal(reply.headers.get("access-control-allow-origin"), null);
        const html = await reply.text();
        assert.doesNotMatch(html, /<(script(?! src="\/parta\/)|style|iframe)|style="|\son\w+="/);
        for (const [, asset] of html.matchAll(/(?:src|href)="(\/parta\/assets\/[^"]+)"/g)) {
            const file = await raw(asset);
            assert.equal(file.status, 200);
            assert.match(file.headers.get("cache-control"), /immutable/);
        }
    }
    assert.equal(await whoami(value), 401);
    assert.equal((await raw("/_matrix/client/v3/account/whoami", { headers: { cookie } })).status, 401);
    assert.equal((await raw("/parta/account", { headers: { authorization: `Bearer ${await device(teacher, "x")}` } })).status, 303);
    await page.context().close();
});

test("signing in leads to pages of this server alone", { skip }, async () => {
    for (const next of ["//evil.example", "/\\evil.example"]) {
        const page = await browser.person();
        await page.goto(`/parta/sign-in?next=${encodeURIComponent(next)}`);
        await page.fill("#user", name(teacher));
        await page.fill("#password", teacher.password);
        await page.click("main button");
        assert.equal(page.url(), `${server.url}/parta/account`, next);
        await page.context().close();
    }
});

// --- Links (C1–C5), a parent's confirmation (D1–D4, D10) ---

let office, leader, classId, schoolId;

async function api(token, method, path, body, status = 200) {
    const reply = await server.api({ token }, method, path, body);
    assert.equal(reply.status, status, `${method} ${path}: ${JSON.stringify(reply.body)}`);
    return reply.body;
}

/** The class teacher's class; the office of the same school. */
async function school() {
    if (leader) return;
    leader = await device(teacher, "teacher");
    office = await device(server.person({ role: "administrator", school: teacher.school }), "office");
    const classes = await api(office, "GET", "/classes?limit=500");
    ({ class: classId, school: schoolId } = classes.items.find((c) => c.title === teacher.class && c.kind === "homeroom"));
}

const link = async (role) => (await api(leader, "POST", "/links", { kind: "class", class: classId, role }, 201)).token;

/** From the link's page to the account's, by a code to the address. */
async function join(page, token, address, names, { birth, password = "correct horse battery" } = {}) {
    await page.goto(`/parta/join/${token}`);
    if (page.context().sounds) await sound(page);
    const before = post.count(address);
    await page.fill("#contact", address);
    await page.click("main form button");
    await page.fill("#code", await post.code(address, before));
    await page.fill("#family_name", names[0]);
    await page.fill("#given_name", names[1]);
    if (birth) await page.fill("#birth_date", birth);
    await page.fill("#password", password);
    if (page.context().sounds) await sound(page);
    await page.click("main form button");
}

let child, childPage;

test("C1, C3: a pupil signs up by the class teacher's link, with a code; opening the link spends nothing", { skip }, async () => {
    await school();
    const token = await link("pupil");
    for (let i = 0; i < 60; ++i) assert.equal((await raw(`/parta/join/${token}`)).status, 200); // a mail scanner, many times
    const page = (childPage = await browser.person({ language: "ru", width: 320 }));
    page.context().sounds = true;
    await page.goto(`/parta/join/${token}`);
    await page.fill("#contact", "Ольга");
    await page.click("main form button");
    assert.match(await page.textContent('[role="alert"]'), /не адрес электронной почты/, "what is no number either");
    await page.goto(`/parta/join/${token}`);
    assert.match(await page.textContent("main"), new RegExp(`ученик.*${teacher.class}`, "s"));
    await page.fill("#contact", "79120000001");
    await page.click("main form button");
    const code = await post.code("79120000001", 0);
    await page.fill("#family_name", "Новый <b>");
    await page.fill("#given_name", "Юра");
    await page.fill("#birth_date", "2010-05-05");
    await page.fill("#code", code === "000000" ? "000001" : "000000");
    await page.fill("#password", "correct horse battery");
    await page.click("main form button");
    assert.match(await page.textContent('[role="alert"]'), /Код неверный/);
    assert.equal(await page.inputValue("#family_name"), "Новый <b>", "nothing typed is lost");
    assert.equal(await page.inputValue("#birth_date"), "2010-05-05");
    await sound(page);
    await page.fill("#code", code);
    await page.fill("#password", "1");
    await page.click("main form button");
    assert.match(await page.textContent('[role="alert"]'), /короткий/);
    await page.fill("#password", "correct horse battery"); // the code was right once
    await page.click("main form button");
    assert.equal(new URL(page.url()).pathname, "/parta/account");
    const text = await page.textContent("main");
    assert.match(text, /ждёт подтверждения школы/);
    assert.match(text, /ждёт решения школы/);
    assert.equal(await page.locator('main a[href^="/parta/account/"]:not([href*="language"])').count(), 0, "nothing is offered that is refused");
    assert.doesNotMatch(text, /Здравствуйте, @/);
    assert.match(text, /сервер school\.example/, "what to tell the app");
    await sound(page);
    child = { id: /@\w+:school\.example/.exec(text)[0] };
    await page.goto("/parta/account/sessions"); // A3: it sees who must confirm it, and nothing else
    assert.match(await page.textContent('[role="alert"]'), /не разрешено|ждёт/);
    const [waiting] = (await api(office, "GET", "/applications")).items;
    assert.equal(waiting.user_id, child.id);
    await api(office, "POST", `/applications/${waiting.application}/approve`, { family_name: "Новый" });
    await page.goto("/parta/account");
    assert.match(await page.textContent("main"), /принята/);
});

let guardianUrl, parentPage;

test("D1, D4: the child makes a link for a parent, as a code to point a camera at; opened by the child itself it is refused", { skip }, async () => {
    const page = childPage;
    await page.goto("/parta/account/contacts");
    assert.match(await page.textContent(".rows"), /\+79120000001/, "a number as people write it");
    await page.goto("/parta/account");
    await page.click('form[action="/parta/account/guardian-link"] button');
    guardianUrl = await page.textContent("main code");
    assert.match(guardianUrl, /\/parta\/join\/\w{32}$/);
    assert.ok(await page.locator("svg.qr").isVisible());
    await sound(page);
    await page.goto(new URL(guardianUrl, server.url).pathname);
    assert.match(await page.textContent('[role="alert"]'), /другом.*устройстве|другой.*браузер/s);
    await page.context().close();
});

test("D2, D10: the parent signs up by it, sees the child, asks for a correction, confirms; each sees the other", { skip }, async () => {
    const page = (parentPage = await browser.person({ language: "en" }));
    page.context().sounds = true;
    const token = guardianUrl.split("/").pop();
    await join(page, token, "mother@school.example", ["Новая", "Анна"]);
    assert.equal(new URL(page.url()).pathname, `/parta/join/${token}`);
    assert.match(await page.textContent("main"), /Юра.*5 May 2010/s);
    await sound(page);
    await page.click("summary");
    await page.fill("#child_birth_date", "2010-05-06");
    assert.equal(await page.inputValue("#family_name"), "Новая", "what was typed when signing up is not asked for again");
    assert.equal(await page.inputValue("#given_name"), "Анна");
    await page.click('form[action="/parta/join-confirm"] button');
    assert.match(await page.textContent('[role="status"]'), /Confirmed. The corrections went to the school/);
    assert.match(await page.textContent("main"), /Новый/);
    await sound(page);
    const [asked] = (await api(office, "GET", "/applications?kind=correction")).items;
    assert.equal(asked.birth_date, "2010-05-06");
    assert.equal((await raw(`/parta/join/${token}`)).status, 403, "it is used up");
});

test("C5: a link that is opened where somebody is signed in asks whether that is them, and binds nothing by itself", { skip }, async () => {
    const page = parentPage;
    const token = await link("guardian");
    await page.goto(`/parta/join/${token}`);
    assert.match(await page.textContent("main"), /Is|If it is you/);
    await sound(page);
    await page.click('form[action="/parta/join-not-me"] button');
    assert.equal(new URL(page.url()).pathname, `/parta/join/${token}`);
    assert.equal(await page.locator("nav").count(), 0, "signed out");
    await page.click('form[action="/parta/join-code"] button');
    assert.equal(new URL(page.url()).pathname, `/parta/join/${token}`, "the browser itself asks for the field");
    await page.context().close();
});

test("a personal link: a new password for the account that the records hold", { skip }, async () => {
    await school();
    const person = await api(office, "POST", "/people", { school: schoolId, role: "staff", given_name: "Пётр", family_name: "Ожидаемый" }, 201);
    const { token } = await api(office, "POST", "/links", { kind: "personal", user_id: person.user_id }, 201);
    const page = await browser.person({ javaScript: false, width: 320 });
    await page.goto(`/parta/join/${token}`);
    assert.equal(await page.locator("#family_name").count(), 0);
    await page.fill("#password", "correct horse battery");
    await page.click("main form button");
    assert.match(await page.textContent("main"), new RegExp(person.user_id));
    const gone = await raw(`/parta/join/${token}`, { headers: { "accept-language": "ru" } });
    assert.equal(gone.status, 403);
    assert.match(await gone.text(), /role="alert">[А-Я]/);
    await page.context().close();
});

// --- A guardian's pages (D2, D4, D7–D10, G4) ---

/** A pupil of the teacher's class, as the school's own records have it, its guardian, and their pages. */
async function family(given, { birth_date = "2015-02-02", language = "en" } = {}) {
    await school();
    const pupil = await api(office, "POST", "/people", { school: schoolId, role: "pupil", class: classId, given_name: given, family_name: "Семейный", birth_date }, 201);
    const parent = await api(office, "POST", "/people", { school: schoolId, role: "guardian", child: pupil.user_id, given_name: "Мать", family_name: `Семейная ${given}` }, 201);
    for (const person of [pupil, parent]) {
        const { token, link: no } = await api(office, "POST", "/links", { kind: "personal", user_id: person.user_id }, 201);
        const page = await browser.person({ language: person === parent ? language : "ru", width: 320 });
        await page.goto(`/parta/join/${token}`);
        await page.fill("#password", "correct horse battery");
        await page.click("main form button");
        await page.waitForURL("**/parta/account**");
        server.parta("claim", "confirm", String(no)); // J4: whoever came by it is who was meant
        Object.assign(person, { id: person.user_id, password: "correct horse battery", page });
    }
    return { pupil, parent };
}

const childPath = (person) => `/parta/child/${encodeURIComponent(person.id)}`;

test("D2, D8, D10: a guardian sees the child's record and rooms, corrects the name at once, and asks the school for the rest", { skip }, async () => {
    const { pupil, parent } = await family("Рома");
    const page = parent.page;
    await page.goto("/parta/account");
    await page.click(`main a[href^="/parta/child/"]`);
    assert.match(await page.textContent("main"), new RegExp(`Рома.*2 February 2015.*${teacher.class}`, "s"));
    assert.match(await page.textContent(".rows"), new RegExp(teacher.class), "the rooms it is in");
    await sound(page);
    await page.fill("#child_given_name", "Роман");
    await page.fill("#child_birth_date", "2015-02-03");
    await page.fill("#note", "Класс <b>другой</b>");
    await page.click('form[action="/parta/child-correct"] button');
    assert.match(await page.textContent('[role="status"]'), /name is corrected. Of the rest the school/);
    await sound(page);
    const asked = (await api(office, "GET", "/applications?kind=correction")).items.find((a) => a.child_user_id === pupil.id || a.birth_date === "2015-02-03");
    assert.deepEqual([asked.birth_date, asked.note], ["2015-02-03", "Класс <b>другой</b>"]);
    await page.click('.rows a[href^="/parta/application/"]'); // edited until it is decided
    await sound(page);
    assert.equal(await page.inputValue("#note"), "Класс <b>другой</b>");
    await page.fill("#birth_date", "2015-02-04");
    await page.click('form[action="/parta/account/application"] button');
    assert.match(await page.textContent('[role="status"]'), /changed/);
    const edited = await api(office, "GET", `/applications/${asked.application}`);
    assert.equal(edited.birth_date, "2015-02-04");
    const there = page.url();
    await api(office, "POST", `/applications/${asked.application}/refuse`, { reason: "паспорт" });
    await page.goto(`/parta/application/${asked.application}`);
    assert.match(await page.textContent("main"), /has been decided/);
    await page.goto(there);
    await page.goto(childPath(pupil));
    assert.equal(await page.inputValue("#child_given_name"), "Роман");
    for (const one of [page, pupil.page]) await one.context().close();
});

test("D4: what a guardian-to-be is refused is said with the way on from it: signing out here, an address of one's own", { skip }, async () => {
    const { pupil, parent } = await family("Лена");
    await pupil.page.goto("/parta/account");
    await pupil.page.click('form[action="/parta/account/guardian-link"] button');
    assert.match(await pupil.page.textContent("blockquote"), /подтверди.*\/parta\/join\/\w{32}$/s);
    await sound(pupil.page);
    const path = new URL(await pupil.page.textContent("main code"), server.url).pathname;
    await pupil.page.goto(path); // in the child's own session
    assert.match(await pupil.page.textContent('[role="alert"]'), /другом устройстве/);
    await sound(pupil.page);
    await pupil.page.click('form[action="/parta/join-not-me"] button');
    assert.equal(new URL(pupil.page.url()).pathname, path);
    assert.equal(await pupil.page.locator("nav").count(), 0, "signed out, and at the link");
    await parent.page.goto(path); // who is the guardian already
    assert.match(await parent.page.textContent('[role="alert"]'), /guardian already/);
    await sound(parent.page);
    const other = await browser.person({ language: "en" }); // an adult without an address
    await signIn(other, server.person({ role: "administrator", school: teacher.school }));
    await other.goto(path);
    assert.ok(await other.locator('main a.button[href="/parta/account/contacts"]').isVisible(), await other.textContent("main"));
    await sound(other);
    for (const one of [other, parent.page, pupil.page]) await one.context().close();
});

async function withdraws({ language, given, under, wrong, withdrawn }) {
    const { pupil, parent } = await family(given, { language });
    const page = parent.page;
    await page.goto(childPath(pupil));
    await page.click(`a[href$="/withdraw"]`);
    assert.match(await page.textContent("main"), under);
    assert.equal(await page.locator("main li").count(), 4, "what follows");
    await sound(page);
    await page.fill("#password", "wrong");
    await page.click('form[action="/parta/child-withdraw"] button');
    assert.match(await page.textContent('[role="alert"]'), wrong);
    await page.fill("#password", parent.password);
    await page.click('form[action="/parta/child-withdraw"] button');
    assert.match(await page.textContent('[role="status"]'), withdrawn);
    assert.match(page.url(), /sign-in/, "who is no other child's guardian has left the school");
    await page.goto(childPath(pupil));
    assert.match(page.url(), /sign-in/);
    await pupil.page.goto("/parta/account");
    assert.match(await pupil.page.textContent("main"), /ограничена/);
    for (const one of [page, pupil.page]) await one.context().close();
}

test("D7: consent is withdrawn on a page that says what follows, by the password; the child is restricted, and the parent sees nothing", { skip }, () =>
    withdraws({ language: "en", given: "Нина", under: /under 14/, wrong: /password is wrong/, withdrawn: /withdrawn/ }));

test("D7: consent is withdrawn, in Russian", { skip }, () =>
    withdraws({ language: "ru", given: "Нона", under: /меньше 14/, wrong: /Пароль неверный/, withdrawn: /Согласие отозвано/ }));

test("G4: a guardian erases the child's account by the password", { skip }, async () => {
    const { pupil, parent } = await family("Оля");
    const page = parent.page;
    await page.goto(`${childPath(pupil)}/erase`);
    await sound(page);
    await page.fill("#password", parent.password);
    await page.click('form[action="/parta/child-erase"] button');
    assert.match(await page.textContent('[role="status"]'), /being erased/);
    await pupil.page.goto("/parta/account");
    assert.match(pupil.page.url(), /sign-in/, "the child's sessions are over");
    for (const one of [page, pupil.page]) await one.context().close();
});

const REASON = { "parta-override-reason": encodeURIComponent("Родители просят удалить данные ребёнка") };

/** A child whom the roster keeps, and a guardian of it who signs in; nobody of them was in a story before. */
async function rosterFamily(nth) {
    await school();
    const found = [];
    for (const parent of server.people.filter((p) => p.role === "guardian" && p.password && p.school === teacher.school).reverse()) {
        const { body } = await server.api({ token: office }, "GET", `/guardianships?user_id=${encodeURIComponent(parent.id)}`);
        const child = (body.items ?? []).map((g) => server.people.find((p) => p.id === g.child && p.password && p.role === "pupil")).find(Boolean);
        if (child && !found.some((f) => f.child === child)) found.push({ parent, child });
        if (found.length > nth) return found[nth];
    }
    assert.fail("the sample has no such family");
}

async function asksToErase({ nth, language, by, sent, gone, note }) {
    const { parent, child } = await rosterFamily(nth);
    const page = await browser.person({ language, width: 320 });
    await signIn(page, parent);
    await page.goto(childPath(child));
    await page.click('a[href$="/erase"]');
    assert.match(await page.textContent("main"), by);
    assert.equal(await page.locator('form[action="/parta/child-correct"] input[type="password"]').count(), 0, "there is nothing to prove in asking");
    await sound(page);
    await page.click('form[action="/parta/child-correct"] button');
    assert.match(await page.textContent('[role="status"]'), sent);
    await sound(page);
    const asked = (await api(office, "GET", "/applications?kind=correction")).items.find((a) => a.child === child.id);
    assert.match(asked.note, note);
    const path = `/people/${encodeURIComponent(child.id)}`;
    const early = await server.api({ token: office }, "POST", `${path}/erase`);
    assert.deepEqual([early.status, early.body["org.parta.rule"]], [403, "I4"], "the next import would bring it back");
    await api(office, "POST", `/applications/${asked.application}/approve`);
    await page.goto(`/parta/application/${asked.application}`);
    await sound(page);
    assert.equal(await page.locator('form[action="/parta/account/application"]').count(), 0, "it is decided");
    const unproven = await server.api({ token: office }, "POST", `${path}/erase`, undefined, REASON); // who decides so says why, and who they are
    assert.equal(unproven.status, 401);
    const head = server.person({ role: "administrator", school: teacher.school });
    const auth = { type: "m.login.password", identifier: { type: "m.id.user", user: head.id }, password: head.password, session: unproven.body.session };
    const erased = await server.api({ token: office }, "POST", `${path}/erase`, { auth }, REASON);
    assert.equal(erased.status, 200, JSON.stringify(erased.body));
    const login = await server.request("POST", "/_matrix/client/v3/login", { body: { type: "m.login.password", identifier: { type: "m.id.user", user: child.id }, password: child.password } });
    assert.equal(login.status, 403, JSON.stringify(login.body));
    await page.goto(childPath(child));
    assert.match(await page.textContent("body"), gone);
    await page.context().close();
}

test("G4, D10, I4: of a child whom a roster keeps the guardian asks the school to erase it, the office decides, and it is erased", { skip }, () =>
    asksToErase({ nth: 0, language: "en", by: /school keeps/, sent: /request is sent/, gone: /no such child|Sign in/, note: /Please erase/ }));

test("G4, D10, I4: the same, in Russian", { skip }, () =>
    asksToErase({ nth: 1, language: "ru", by: /ведёт школа/, sent: /Просьба отправлена/, gone: /Такого ребёнка у вас нет|Вход/, note: /Прошу удалить/ }));

test("D9: whom the school keeps from a child is offered it on no page, and told as a stranger is; the sheets name neither to the other", { skip }, async () => {
    const { pupil, parent } = await family("Яна");
    const page = parent.page;
    const sibling = await api(office, "POST", "/people", { school: schoolId, role: "pupil", class: classId, given_name: "Пётр", family_name: "Семейный", birth_date: "2016-02-02" }, 201);
    const second = await server.api({ token: office }, "POST", "/guardianships", { child: sibling.user_id, guardian: parent.id }); // or nothing would keep them here
    assert.ok(second.status < 300, JSON.stringify(second.body));
    await pupil.page.goto("/parta/account");
    assert.match(await pupil.page.textContent("main"), /Семейная Яна/);
    await pupil.page.click('form[action="/parta/account/guardian-link"] button');
    const link = new URL(await pupil.page.textContent("main code"), server.url).pathname;
    const at = `/guardianships/${encodeURIComponent(pupil.id)}/${encodeURIComponent(parent.id)}/custody`;
    await api(office, "PUT", at, { custody: "no_contact", reason: "Решение суда № 2-114/2026 от 3 марта" });
    await pupil.page.goto("/parta/account");
    assert.doesNotMatch(await pupil.page.textContent("main"), /Семейная Яна/);
    await page.goto("/parta/account");
    assert.equal(await page.locator('main a[href^="/parta/child/"]').count(), 1);
    assert.doesNotMatch(await page.textContent(".doors"), /Яна/);
    const told = [];
    for (const path of [childPath(pupil), `${childPath(pupil)}/withdraw`, `${childPath(pupil)}/erase`, `/parta/child/${encodeURIComponent("@nobody:school.example")}`]) {
        await page.goto(path);
        told.push(await page.textContent("main"));
        assert.doesNotMatch(told.at(-1), /Яна|суд|court|custody|contact with/);
        assert.match(told.at(-1), /no such child/);
    }
    assert.equal(new Set(told).size, 1, "as of a child that does not exist");
    await sound(page);
    await page.goto(link);
    assert.match(await page.textContent('[role="alert"]'), /ask a school administrator/);
    assert.doesNotMatch((await page.textContent("main")).replace(/signed in as Семейная Яна Мать/, ""), /Яна|суд|court|custody/, "but for the parent's own name");
    assert.equal(await page.locator('form[action="/parta/join-confirm"]').count(), 0);
    await api(office, "PUT", at, { custody: "separate", reason: "Решение суда № 2-114/2026 от 3 марта" });
    await page.goto(childPath(pupil));
    assert.match(await page.textContent("main"), /Яна/, "separately: the child is theirs as before");
    for (const one of [page, pupil.page]) await one.context().close();
});

test("C1, D9: the class's page says who waits, and to the office alone that it is because of custody; to the family no page does", { skip }, async () => {
    const { pupil, parent } = await family("Ия");
    const custody = `/guardianships/${encodeURIComponent(pupil.id)}/${encodeURIComponent(parent.id)}/custody`;
    await api(office, "PUT", custody, { custody: "separate", reason: "Решение суда № 2-114/2026 от 3 марта" });
    await pupil.page.goto("/parta/account");
    await pupil.page.click('form[action="/parta/account/guardian-link"] button');
    const token = (await pupil.page.textContent("main code")).split("/").pop();
    const comes = await browser.person({ language: "ru", width: 320 });
    await join(comes, token, "waits@school.example", ["Ожидающая", "Дарья"]);
    if (await comes.locator("#family_name").count()) {
        await comes.fill("#family_name", "Ожидающая");
        await comes.fill("#given_name", "Дарья");
    }
    await comes.click('form[action="/parta/join-confirm"] button');
    await comes.waitForURL("**/parta/account?done=confirm_waits");
    const { token: classLink } = await api(leader, "POST", "/links", { kind: "class", class: classId, role: "pupil" }, 201);
    const applies = await browser.person({ language: "ru" });
    await join(applies, classLink, "applies@school.example", ["Подающий", "Лев"], { birth: "2012-03-04" });

    const at = `/parta/class/${encodeURIComponent(classId)}`;
    const waits = /It waits because custody|Заявка ждёт из-за решения об опеке/;
    const row = (page, name) => page.locator(`.rows li:has-text("${name}")`);
    const administrator = server.person({ role: "administrator", school: teacher.school });
    for (const [language, javaScript, kind] of [["ru", true, /Стать родителем ребёнка.*Семейный Ия/s], ["en", true, /To be a child's guardian.*Семейный Ия/s], ["ru", false, /Ожидающая Дарья/]]) {
        const page = await browser.person({ language, javaScript, width: 320 });
        await signIn(page, administrator);
        await page.goto(at);
        const said = await row(page, "Ожидающая Дарья").textContent();
        assert.match(said, kind);
        assert.match(said, waits);
        assert.doesNotMatch(await row(page, "Подающий Лев").textContent(), waits, "whose application waits for no such reason");
        if (javaScript) await sound(page);
        await page.context().close();
    }
    const leading = await browser.person();
    for (const may of [["approve"], []]) {
        await api(office, "PUT", `/schools/${schoolId}/policy`, { document: { class_teacher: { may: ["links", "reports", "people", ...may] } }, reason: "Так решили на совете" });
        await signIn(leading, teacher);
        await leading.goto(at);
        assert.equal(await row(leading, "Подающий Лев").count(), may.length, "who may decide sees who waits");
        assert.doesNotMatch(await leading.textContent("main"), waits);
    }
    for (const page of [pupil.page, parent.page, comes])
        for (const path of ["/parta/account", `${childPath(pupil)}`]) {
            await page.goto(path);
            assert.doesNotMatch(await page.textContent("main"), /опек|custody|суд|court/);
        }
    for (const page of [leading, comes, applies, pupil.page, parent.page]) await page.context().close();
});

// --- Forms that outlive their session; two tabs; the way back; twice ---

/** The session is over, as after half an hour: the browser still shows its cookie. */
async function expire(page) {
    const session = (await page.context().cookies()).find((c) => c.name === "parta-session");
    await page.context().addCookies([{ ...session, value: "A".repeat(43) }]);
}

/** Fills in whatever there is to type, and says what; secrets are told apart. */
async function typeAll(form) {
    const typed = {}, secrets = [];
    for (const input of await form.locator('input:not([type="hidden"])').all()) {
        const [id, type, auto] = [await input.getAttribute("id"), await input.getAttribute("type"), await input.getAttribute("autocomplete")];
        if (type === "checkbox") {
            await input.check();
            typed[id] = true;
        } else if (type === "password" || auto === "one-time-code") {
            await input.fill("a secret 123456");
            secrets.push(id);
        } else {
            typed[id] = type === "date" ? "2014-07-08" : `тест "<${id}>" & сын`;
            await input.fill(typed[id]);
        }
    }
    return { typed, secrets };
}

test("every form whose session is over: one signs in, and is back at it with what was typed, but for secrets", { skip }, async () => {
    const { pupil, parent } = await family("Варя");
    await pupil.page.goto("/parta/account");
    await pupil.page.click('form[action="/parta/account/guardian-link"] button');
    const child = childPath(pupil);
    await device(parent, "phone");
    let seen = 0, kept = 0;
    for (const path of ["/parta/account/contacts", "/parta/account/password", "/parta/account/second-factor", child, `${child}/withdraw`, `${child}/erase`]) {
        const page = await browser.person({ language: "en", javaScript: path !== child });
        await signIn(page, parent);
        await page.goto(path);
        for (let i = 0, n = await page.locator("main form").count(); i < n; ++i) {
            const form = page.locator("main form").nth(i);
            const { typed, secrets } = await typeAll(form);
            await expire(page);
            await form.locator("button").first().click();
            assert.match(page.url(), /\/parta\/sign-in\?next=/, path);
            assert.match(await page.textContent('[role="status"]'), Object.keys(typed).length ? /typed is kept/ : /same page/);
            const draft = (await page.context().cookies()).find((c) => c.name.startsWith("parta-draft"));
            assert.equal(draft !== undefined, Object.keys(typed).length > 0);
            if (path !== child) await sound(page); // where there is no JavaScript nothing can look, and waits for ever
            await page.fill("#user", name(parent));
            await page.fill("#password", "wrong");
            await page.click("main button");
            await page.fill("#password", parent.password);
            await page.click("main button");
            assert.equal(new URL(page.url()).pathname, path, "back at the page");
            for (const [id, value] of Object.entries(typed)) {
                const input = page.locator(`#${id}`);
                assert.deepEqual(value === true ? await input.isChecked() : await input.inputValue(), value, `${path} #${id}`);
                ++kept;
            }
            for (const id of secrets) if (await page.locator(`#${id}`).count()) assert.equal(await page.inputValue(`#${id}`), "", `${path} #${id}`);
            ++seen;
        }
        await page.context().close();
    }
    assert.ok(seen >= 6 && kept >= 7, `${seen} forms, ${kept} fields`);
    for (const one of [pupil.page, parent.page]) await one.context().close();
});

test("what was typed is shown to nobody else who signs in in that browser, nor taken in their name; beyond its bound nothing is kept", { skip }, async () => {
    const page = await browser.person({ language: "en" });
    await signIn(page, teacher);
    await page.goto("/parta/account/contacts");
    await page.fill("#contact", "secret-love@school.example");
    const tab = await page.context().newPage();
    await tab.goto("/parta/account/contacts");
    await tab.fill("#contact", "second-tab@school.example");
    await expire(page);
    await page.click('form[action="/parta/account/contacts/code"] button');
    await page.fill("#user", name(pupil));
    await page.fill("#password", pupil.password);
    await page.click("main button");
    assert.equal(new URL(page.url()).pathname, "/parta/account/contacts");
    assert.equal(await page.inputValue("#contact"), "", "another person");
    await tab.click('form[action="/parta/account/contacts/code"] button'); // the teacher's form, in the pupil's session
    assert.match(await tab.textContent('[role="alert"]'), /somebody else signed in/);
    assert.equal(await tab.locator("main form").count(), 0, "nothing to press that would do it in their name");
    await sound(tab);
    await signIn(page, teacher);
    await page.goto("/parta/account/contacts");
    await page.fill("#contact", `${"x".repeat(3000)}@school.example`);
    await page.context().clearCookies({ name: /^parta-draft/ });
    await expire(page);
    await page.click('form[action="/parta/account/contacts/code"] button');
    assert.match(await page.textContent('[role="status"]'), /same page/);
    await page.context().close();
});

test("two tabs whose session is over do not lose each other what was typed: one draft a form, each where it stood, and bounded", { skip }, async () => {
    const { pupil, parent } = await family("Ульяна");
    const context = parent.page.context();
    const drafts = async () => (await context.cookies()).filter((c) => c.name.startsWith("parta-draft"));
    const tabs = [];
    for (const [path, action, field, value] of [
        [childPath(pupil), "/parta/child-correct", "#note", "первая вкладка"],
        [childPath(pupil), "/parta/child-correct", "#note", "вторая вкладка"], // the same form once more
        ["/parta/account/contacts", "/parta/account/contacts/code", "#contact", "third-tab@school.example"],
    ]) {
        const page = await context.newPage();
        await page.goto(path);
        await page.fill(field, value);
        tabs.push({ page, action, field, value, path });
    }
    await expire(parent.page);
    for (const tab of tabs) {
        await tab.page.click(`form[action="${tab.action}"] button`);
        assert.match(await tab.page.textContent('[role="status"]'), /typed is kept/);
        tab.next = new URL(tab.page.url()).searchParams.get("next");
    }
    assert.equal((await drafts()).length, 3);
    await signIn(tabs[0].page, parent);
    for (const tab of tabs) {
        await tab.page.goto(tab.next);
        assert.equal(new URL(tab.page.url()).pathname, tab.path);
        assert.equal(await tab.page.inputValue(tab.field), tab.value);
        await sound(tab.page);
    }
    await tabs[0].page.click('form[action="/parta/child-correct"] button');
    assert.match(await tabs[0].page.textContent('[role="status"]'), /request is sent/);
    assert.equal((await drafts()).length, 2, "what was taken is kept no more");
    await tabs[1].page.reload();
    assert.equal(await tabs[1].page.inputValue("#note"), "вторая вкладка", "the other is");
    await tabs[1].page.goto(childPath(pupil)); // without the way back
    assert.equal(await tabs[1].page.inputValue("#note"), "вторая вкладка");
    const many = [];
    for (let i = 0; i < 6; ++i) {
        const page = await context.newPage();
        await page.goto(childPath(pupil));
        await page.fill("#note", `${i} ${"длинно ".repeat(90)}`);
        many.push(page);
    }
    await expire(parent.page);
    for (const page of many) await page.click('form[action="/parta/child-correct"] button');
    const kept = await drafts();
    assert.ok(kept.length >= 1 && kept.length <= 4, `${kept.length} drafts`);
    assert.ok(kept.reduce((sum, c) => sum + c.value.length, 0) <= 6000, "a header of cookies stays below its bound");
    await signIn(many[5], parent);
    await many[5].goto(childPath(pupil));
    assert.match(await many[5].inputValue("#note"), /^5 длинно/, "the newest is there");
    for (const one of [pupil.page, parent.page]) await one.context().close();
});

test("a form sent twice, and the way back: nothing is done a second time, and the second answer says what the first did", { skip }, async () => {
    const { pupil, parent } = await family("Гена");
    const page = parent.page;
    await page.goto(childPath(pupil));
    await page.fill("#child_middle_name", "Ильич");
    const form = await page.$$eval('form[action="/parta/child-correct"] input', (all) => Object.fromEntries(all.map((i) => [i.name, i.value])));
    const cookie = (await page.context().cookies()).map((c) => `${c.name}=${c.value}`).join("; ");
    const send = () => raw("/parta/child-correct", { method: "POST", headers: { cookie, origin: server.url }, body: new URLSearchParams(form).toString() });
    const [one, two] = await Promise.all([send(), send()]);
    const places = [one, two].map((r) => (r.status === 303 ? r.headers.get("location") : r.status)).map(String).sort();
    assert.ok(places.some((p) => /done=corrected/.test(p)), String(places));
    await page.click('form[action="/parta/child-correct"] button'); // the record has changed since it was shown
    assert.ok(await page.locator('[role="alert"], [role="status"]').first().isVisible());
    assert.doesNotMatch(await page.textContent("main"), /undefined/);
    await page.goto(childPath(pupil));
    assert.equal(await page.inputValue("#child_middle_name"), "Ильич");
    await page.fill("#child_middle_name", "Игоревич");
    await page.click('form[action="/parta/child-correct"] button');
    assert.match(await page.textContent('[role="status"]'), /[Cc]orrected/);
    await page.goBack();
    assert.equal(new URL(page.url()).pathname, childPath(pupil));
    assert.equal(await page.inputValue("#child_middle_name"), "Игоревич");
    assert.equal(await page.locator('[role="status"]').count(), 0, "what was done is said once");
    for (const one of [pupil.page, parent.page]) await one.context().close();
});

test("signing up twice by one form, as an impatient thumb does: one account, and both answers are signed in to it", { skip }, async () => {
    await school();
    const page = await browser.person({ language: "en", javaScript: false });
    await page.goto(`/parta/join/${await link("guardian")}`);
    await page.fill("#contact", "twice@school.example");
    await page.click("main form button");
    await page.fill("#code", await post.code("twice@school.example", 0));
    await page.fill("#family_name", "Дважды");
    await page.fill("#given_name", "Ира");
    await page.fill("#password", "correct horse battery");
    const form = {};
    for (const input of await page.locator('form[action="/parta/join"] input').all()) form[await input.getAttribute("name")] = await input.inputValue();
    const cookie = (await page.context().cookies()).map((c) => `${c.name}=${c.value}`).join("; ");
    const send = (over) => raw("/parta/join", { method: "POST", headers: { cookie, origin: server.url }, body: new URLSearchParams({ ...form, ...over }).toString() });
    for (const reply of [await send(), await send()]) {
        assert.equal(reply.status, 303, await reply.text());
        assert.match(reply.headers.get("location"), /done=joined/);
        assert.match(reply.headers.get("set-cookie"), /parta-session=\w/);
    }
    const { token } = await api(office, "POST", "/links", { kind: "personal", user_id: (await api(office, "POST", "/people", { school: schoolId, role: "staff", given_name: "Лев", family_name: "Дважды" }, 201)).user_id }, 201);
    const phone = await browser.person({ language: "en", javaScript: false });
    await phone.goto(`/parta/join/${token}`);
    await phone.fill("#password", "correct horse battery");
    const fields = {};
    for (const input of await phone.locator('form[action="/parta/join"] input').all()) fields[await input.getAttribute("name")] = await input.inputValue();
    const visit = (await phone.context().cookies()).map((c) => `${c.name}=${c.value}`).join("; ");
    for (const password of ["correct horse battery", "correct horse battery", "another horse battery"]) {
        const reply = await raw("/parta/join", { method: "POST", headers: { cookie: visit, origin: server.url }, body: new URLSearchParams({ ...fields, password }).toString() });
        assert.equal(reply.status, password.startsWith("correct") ? 303 : 403, password);
    }
    await phone.context().close();
    const other = await send({ password: "not the password" });
    assert.ok(other.status >= 400, "and nobody else is");
    const waiting = (await api(office, "GET", "/applications")).items.filter((a) => a.family_name === "Дважды");
    assert.equal(waiting.length, 1);
    await page.context().close();
});

// --- The language is the person's; times are the school's ---

test("the language chosen on a page goes with the account into another browser; times are by the school's clock", { skip }, async () => {
    const person = server.people.find((p) => p.role === "teacher" && p.password && p !== teacher);
    const page = await browser.person({ language: "ru" });
    await signIn(page, person);
    assert.equal(await page.getAttribute("html", "lang"), "ru");
    await page.click('footer button[value="en"]');
    assert.equal(await page.getAttribute("html", "lang"), "en");
    const other = await browser.person({ language: "ru" });
    await signIn(other, person);
    assert.equal(await other.getAttribute("html", "lang"), "en", "in another browser, too");
    await other.click("nav button");
    assert.equal(await other.getAttribute("html", "lang"), "ru", "which asks for Russian when nobody is signed in");
    await device(person, "by the clock");
    await page.goto("/parta/account/sessions");
    const time = page.locator(".rows time").first();
    const machine = await time.getAttribute("datetime");
    assert.match(machine, /\+03:00$/);
    const moscow = new Date(new Date(machine).getTime() + 3 * 3600e3).toISOString().slice(11, 16);
    assert.match(await time.textContent(), new RegExp(`, ${moscow}$`));
    assert.doesNotMatch(await page.textContent("main"), /UTC/);
    for (const one of [page, other]) await one.context().close();
});

// --- Every page that is left ---

/** RFC 6238, of a base32 secret. */
function totp(secret, step) {
    const bits = [...secret].map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join("");
    const message = Buffer.alloc(8);
    message.writeBigUInt64BE(BigInt(step));
    const mac = createHmac("sha1", Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)))).update(message).digest();
    return String((mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1000000).padStart(6, "0");
}

for (const language of ["ru", "en"])
    test(`the second factor's pages, ${language}, narrow: set up, codes, asked for, a password for once, off`, { skip }, async () => {
        const person = server.people.filter((p) => p.role === "teacher" && p.password && p !== teacher).at(language === "ru" ? 1 : 2);
        const page = await browser.person({ language, width: 320 });
        await signIn(page, person);
        await page.goto("/parta/account/second-factor");
        const secret = await page.inputValue('input[name="secret"]');
        const step = Math.floor(Date.now() / 30000);
        await page.fill("#code", totp(secret, step));
        await page.fill("#password", person.password);
        await page.click("main form button");
        assert.equal(await page.locator("main li code").count(), 10);
        await sound(page);
        const codes = await page.locator("main li code").allTextContents();
        await page.goto("/parta/account/password");
        assert.ok(await page.locator("#factor").isVisible(), "what proves somebody is the same everywhere");
        await sound(page);
        await page.goto("/parta/account/reset-keys");
        await sound(page);
        await page.click("nav button");
        await page.fill("#user", name(person));
        await page.fill("#password", person.password);
        await page.click("main button");
        await sound(page);
        await page.fill("#code", codes[0]);
        await page.click("main button");
        await page.goto("/parta/account/second-factor");
        await sound(page);
        const once = page.locator('form[action$="/once"]');
        await once.locator("#password").fill(person.password);
        await once.locator("#factor").fill(codes[1]);
        await once.locator("button").click();
        await sound(page);
        await page.goto("/parta/account/second-factor");
        await page.fill("#off_password", person.password);
        await page.fill("#off_factor", codes[2]);
        await page.click('form[action$="/end"] button');
        assert.match(page.url(), /done=factor_off/);
        await page.context().close();
    });

test("the pages of OAuth, in both languages, narrow, and without JavaScript: an app, one that asks wrongly, another device, its code", { skip }, async () => {
    const provider = new Server();
    await provider.prepare("policy:\n  mode: open\n");
    await provider.run();
    const apps = await Browser.start(provider.url);
    try {
        const user = { id: "@anna:school.example", password: "correct horse" };
        await provider.request("POST", "/_matrix/client/v3/register", { body: { username: "anna", password: user.password, inhibit_login: true, auth: { type: "m.login.dummy" } } });
        const metadata = (await provider.request("GET", "/_matrix/client/v1/auth_metadata")).body;
        const { client_id } = (await provider.request("POST", "/parta/oauth2/register", {
            body: { client_name: "Приложение <b>", client_uri: "https://element.io/", redirect_uris: ["https://element.io/back"], token_endpoint_auth_method: "none", response_types: ["code"],
                grant_types: ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"] },
        })).body;
        const scope = "urn:matrix:client:api:* urn:matrix:client:device:ABCDEFGHIJ";
        const asks = (over) => `/parta/oauth2/authorize?${new URLSearchParams({ response_type: "code", client_id, redirect_uri: "https://element.io/back", state: "x", scope,
            code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", code_challenge_method: "S256", ...over })}`;
        for (const [language, javaScript] of [["ru", true], ["en", true], ["ru", false]]) {
            const page = await apps.person({ language, javaScript, width: 320 });
            const looked = async (words) => {
                assert.match(await page.textContent("main"), words);
                if (javaScript) await sound(page);
            };
            await page.goto(asks());
            assert.match(page.url(), /sign-in\?next=/);
            await page.fill("#user", "anna");
            await page.fill("#password", user.password);
            await page.click("main button");
            await looked(/Приложение <b>.*@anna/s);
            await expire(page); // the question is there still, after signing in once more
            await page.click('button[value="allow"]');
            assert.match(page.url(), /sign-in\?next=.*done=over/);
            await page.fill("#user", "anna");
            await page.fill("#password", user.password);
            await page.click("main button");
            await looked(/Приложение <b>.*@anna/s);
            await page.goto(asks({ scope: "everything" }));
            await looked(/Приложение <b>/);
            await page.goto(asks({ client_id: "nobody" }));
            assert.ok(await page.locator('[role="alert"]').isVisible());
            await looked(/./);
            await page.goto("/parta/device");
            await looked(/./);
            await page.fill("#user_code", "BCDF-GHJK");
            await page.click("main form button");
            assert.ok(await page.locator('[role="alert"]').isVisible());
            await looked(/./);
            const grant = await (await fetch(metadata.device_authorization_endpoint, { method: "POST", body: new URLSearchParams({ client_id, scope }) })).json();
            await page.goto(`/parta/device?user_code=${grant.user_code}`);
            await looked(/Приложение <b>/);
            await page.click('button[value="deny"]');
            assert.ok(await page.locator('[role="status"]').isVisible());
            await page.context().close();
        }
    } finally {
        await apps.stop();
        await provider.stop();
    }
});

test("one's own data as an archive, by a form alone", { skip }, async () => {
    const page = await browser.person();
    await signIn(page, teacher);
    await page.goto("/parta/account");
    await page.click('a[href="/parta/account/export"]');
    await sound(page);
    const send = 'form[action="/parta/account/export"] button';
    await page.fill("#password", "not the password");
    await page.click(send);
    await page.waitForSelector('[role="alert"]');
    await page.fill("#password", teacher.password);
    const [download] = await Promise.all([page.waitForEvent("download"), page.click(send)]);
    assert.equal(download.suggestedFilename(), "parta.zip");
    await page.context().close();
});

test("contacts: added by a code and the password, taken away; then a lost password comes back by it", { skip }, async () => {
    const page = await browser.person({ language: "en", width: 320 });
    const person = server.people.find((p) => p.role === "deputy" && p.password);
    const address = "deputy@school.example";
    await signIn(page, person);
    await page.click('a[href="/parta/account/contacts"]');
    await sound(page);
    await page.fill("#contact", address);
    await page.click('form[action="/parta/account/contacts/code"] button');
    await page.fill("#code", await post.code(address, 0));
    await page.fill("#password", "wrong");
    await sound(page);
    await page.click('form[action="/parta/account/contacts/add"] button');
    assert.match(await page.textContent('[role="alert"]'), /password is wrong/);
    await page.fill("#password", person.password); // the code was right
    await page.click('form[action="/parta/account/contacts/add"] button');
    assert.match(await page.textContent(".rows"), new RegExp(address));
    await page.click("nav button");
    await page.click('a[href="/parta/recovery"]');
    await sound(page);
    await page.fill("#contact", "nobody@school.example"); // whether it is anybody's does not show
    await page.click("main form button");
    assert.match(await page.textContent("main"), /If nobody@school.example belongs/);
    await page.goto("/parta/recovery");
    await page.fill("#contact", address);
    const before = post.count(address);
    await page.click("main form button");
    await sound(page);
    await page.fill("#code", await post.code(address, before));
    await page.fill("#new_password", "found again it is");
    await page.click("main form button");
    assert.match(await page.textContent('[role="status"]'), /password is changed/);
    await page.fill("#user", address);
    await page.fill("#password", "found again it is");
    await page.click("main form button");
    await page.goto("/parta/account/contacts");
    await page.click(".rows button");
    assert.match(await page.textContent("main"), /can no longer be set anew/);
    await sound(page);
    await page.fill("#password", "wrong");
    await page.click('form[action="/parta/account/contacts/remove"] button');
    assert.match(await page.textContent('[role="alert"]'), /password is wrong/);
    await page.fill("#password", "found again it is");
    const told = post.count(address);
    await page.click('form[action="/parta/account/contacts/remove"] button');
    assert.match(await page.textContent("main"), /no phone number/);
    await until(() => post.count(address) > told, "the address to be told");
    await page.context().close();
});

test("strangers who ask for codes, and guess, shut nobody out: not in a browser that was there before, not by the last message", { skip }, async () => {
    const person = server.people.filter((p) => p.role === "class_teacher" && p.password).at(-1);
    const [address, known, fresh] = ["patient@school.example", await browser.person({ language: "en" }), await browser.person({ language: "en", width: 320 })];
    await school();
    const links = [await link("pupil"), await link("guardian")]; // which make nobody known who asks for a new password
    await signIn(known, person);
    await known.goto("/parta/account/contacts");
    await known.fill("#contact", address);
    await known.click('form[action="/parta/account/contacts/code"] button');
    await known.fill("#code", await post.code(address, 0));
    await known.fill("#password", person.password);
    await known.click('form[action="/parta/account/contacts/add"] button');
    const asks = (n) => server.request("POST", "/_matrix/client/v3/account/password/email/requestToken", { body: { email: address, client_secret: `stranger${n}`, send_attempt: 1, ...(n % 3 && { "org.parta.token": links[(n % 3) - 1] }) } });
    const answers = [];
    await inOneHour(120);
    for (let n = 0; n < 9; ++n) answers.push((await asks(n)).status);
    assert.deepEqual(answers, [200, 200, 200, 200, 200, 429, 429, 429, 429]);
    const texts = await Promise.all([0, 1, 2, 3, 4, 5].map((n) => post.text(address, n))); // the first was the owner's own
    assert.equal(post.count(address), 6);
    const recover = async (page) => {
        await page.goto("/parta/recovery");
        await page.fill("#contact", address);
        await page.click("main form button");
    };
    await recover(fresh);
    assert.match(await fresh.textContent('[role="alert"]'), /the last message has a link/);
    const other = await browser.person({ language: "en" });
    await signIn(other, teacher); // nor does another's account
    await recover(other);
    assert.match(await other.textContent('[role="alert"]'), /the last message has a link/);
    await known.context().clearCookies({ name: /session/ });
    await recover(known);
    await known.fill("#code", await post.code(address, 6));
    assert.equal(post.count(address), 7);
    const sent = texts.flatMap((text) => text.match(/https?:\/\/\S+\/parta\/recovery\?\S+/g) ?? []);
    assert.equal(new Set(sent).size, 1, texts);
    const at = new URL(sent[0]);
    await fresh.goto(at.pathname + at.search);
    await fresh.goto(at.pathname + at.search); // looked at, it is not spent
    await sound(fresh);
    await fresh.fill("#new_password", "short");
    await fresh.click("main form button");
    await fresh.fill("#new_password", "patience it takes");
    await fresh.click("main form button");
    assert.match(await fresh.textContent('[role="status"]'), /password is changed/);
    await known.fill("#new_password", "an older code sets");
    await known.click("main form button");
    assert.ok(await known.textContent('[role="alert"]')); // what was sent before has had its time
    await fresh.goto(at.pathname + at.search);
    assert.equal(await fresh.locator("#new_password").count(), 0);
    await signIn(fresh, { ...person, password: "patience it takes" });
    assert.match(new URL(fresh.url()).pathname, /^\/parta\/account/);
    for (const page of [known, fresh, other]) await page.context().close();
});

test("sheets of a class: the administrator's, one for each who has not come, and printed anew they end the earlier ones; the teacher's, one for all", { skip }, async () => {
    await school();
    const made = await api(office, "POST", "/people", { school: schoolId, role: "pupil", class: classId, given_name: "Новенький", family_name: "Пётр", birth_date: "2012-02-02" }, 201);
    const [page, leading] = [await browser.person(), await browser.person({ language: "en" })];
    const here = `a[href="/parta/class/${classId}"]`;
    const newcomer = page.locator('.rows li:has-text("Новенький")');
    await signIn(page, server.person({ role: "administrator", school: teacher.school }));
    await page.click(here);
    await sound(page);
    assert.match(await newcomer.textContent(), /родителей пока нет.*пока нет/s);
    const pupils = await page.locator('.rows li:has(span):has-text("ученик") strong').allTextContents();
    assert.deepEqual(pupils, [...pupils].sort((a, b) => a.localeCompare(b, "ru")), "as in the class's journal");
    const missing = await page.locator('.rows li span:has-text("пока нет")').count();
    const print = async () => {
        await page.goto("/parta/account");
        await page.click(here);
        await page.click('form[action="/parta/class-sheets"] button');
        assert.equal(await page.locator(".sheet svg.qr").count(), missing, await page.textContent("main"));
        return new URL(await page.locator('.sheet:has-text("Новенький") code').textContent(), server.url).pathname;
    };
    const first = await print();
    await sound(page);
    await page.emulateMedia({ media: "print" });
    assert.equal(await page.locator("header").isVisible(), false);
    assert.ok((await page.locator("h1").boundingBox()).x < -500, "the first sheet is like the others");
    await sound(page);
    assert.match(await page.textContent(".sheet"), /сервер school\.example/);
    await page.emulateMedia({ media: "screen" });
    const second = await print();
    assert.equal((await raw(first)).status, 403, "the earlier sheet ends");
    const phone = await browser.person({ width: 320 });
    await phone.goto(second);
    await phone.fill("#password", "correct horse battery");
    await phone.click("main form button");
    assert.match(await phone.textContent("main"), new RegExp(made.user_id));
    await page.goto("/parta/account");
    await page.click(here);
    assert.match(await newcomer.textContent(), /уже здесь/);
    await signIn(leading, teacher); // who hands out nobody's account (J4), but the class's link
    await leading.click(here);
    await sound(leading);
    assert.equal(await leading.locator('form[action="/parta/class-sheets"]').count(), 0);
    await leading.click('form[action="/parta/class-link"] button[value="guardian"]');
    await sound(leading);
    const forAll = new URL(await leading.locator(".sheet code").textContent(), server.url).pathname;
    assert.match(await leading.textContent(".sheet"), new RegExp(`${teacher.class}.*Good until`, "s"));
    assert.equal(await leading.locator(".sheet li").count(), 3, "what to do, in three steps");
    assert.match(await leading.locator(".sheet time").getAttribute("datetime"), /\+03:00$/, "by the school's clock");
    await leading.goto(`/parta/class/${classId}`);
    assert.match(await leading.textContent("main"), /\d+ of \d+ ha(s|ve) come/);
    await leading.click('form[action="/parta/class-link"] button[value="pupil"]');
    assert.equal((await raw(forAll)).status, 200, "a sheet for others leaves it as it is");
    await leading.goto(`/parta/class/${classId}`);
    await leading.click('form[action="/parta/class-link"] button[value="guardian"]');
    const renewed = new URL(await leading.locator(".sheet code").textContent(), server.url).pathname;
    assert.equal((await raw(forAll)).status, 403, "a renewed link ends the old");
    await phone.click("nav button");
    await phone.goto(renewed);
    assert.match(await phone.textContent("main"), /родитель/);
    await signIn(phone, pupil); // who is no class teacher
    assert.equal(await phone.locator(here).count(), 0);
    await phone.goto(`/parta/class/${classId}`);
    assert.ok(await phone.locator('[role="alert"]').isVisible());
    for (const one of [page, leading, phone]) await one.context().close();
});
