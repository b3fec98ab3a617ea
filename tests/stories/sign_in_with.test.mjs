// Signing in by the diary (C1a), in chromium, against a real OpenID Connect provider; and what a provider, or somebody between, does wrong.
import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Browser, CHROMIUM, sound } from "./browser.mjs";
import { Server } from "./harness.mjs";
import { Diary } from "./provider.mjs";

const skip = CHROMIUM ? false : "no chromium here (apt-get install chromium): nobody signed in by the diary";
let server, browser, diary, teacher, leader, office, classId, schoolId;

before(async () => {
    if (skip) return;
    diary = new Diary();
    await diary.start();
    server = await Server.startSchool((s) => {
        const folder = join(s.dir, "providers");
        mkdirSync(folder);
        writeFileSync(join(s.dir, "diary.secret"), "a secret of the diary\n");
        writeFileSync(join(folder, "diary.yaml"), diary.table(join(s.dir, "diary.secret")));
        diary.register(`${s.url}/parta/sign-in/with/diary/callback`);
        return `oidc:\n  providers: ${folder}\n`;
    });
    browser = await Browser.start(server.url);
    browser.leads.push(diary.issuer, "https://app.example/");
    teacher = server.person({ role: "class_teacher", school: server.people[0].school });
    leader = await device(teacher);
    office = await device(server.person({ role: "administrator", school: teacher.school }));
    const classes = await api(office, "GET", "/classes?limit=500");
    ({ class: classId, school: schoolId } = classes.items.find((c) => c.title === teacher.class && c.kind === "homeroom"));
});

after(async () => {
    await browser?.stop();
    diary?.stop();
    await server?.stop();
});

async function device(person) {
    const { status, body } = await server.request("POST", "/_matrix/client/v3/login", {
        body: { type: "m.login.password", identifier: { type: "m.id.user", user: person.id }, password: person.password },
    });
    assert.equal(status, 200, JSON.stringify(body));
    return body.access_token;
}

async function api(token, method, path, body, status = 200) {
    const reply = await server.api({ token }, method, path, body);
    assert.equal(reply.status, status, `${method} ${path}: ${JSON.stringify(reply.body)}`);
    return reply.body;
}

const at = (page) => new URL(page.url()).pathname;
const user = async (page) => /@\w+:school\.example/.exec(await page.textContent("main"))[0];
const alert = (page) => page.textContent('[role="alert"]');

/** Where nobody is signed in yet. (Cookies know no ports: both servers have them.) */
async function toDiary(page) {
    await page.context().clearCookies({ name: /^_(session|interaction)/ });
    await page.click('a[href^="/parta/sign-in/with/diary"]');
}

/** At the diary one says who one is. */
async function says(page, who) {
    assert.ok(page.url().startsWith(diary.issuer), page.url());
    await page.fill("#who", who);
    await page.click("button");
}

async function comes(page, who) {
    await page.goto("/parta/sign-in");
    await toDiary(page);
    await says(page, who);
}

const link = async () => (await api(leader, "POST", "/links", { kind: "class", class: classId, role: "pupil" }, 201)).token;

/** They apply by the link that is open, and the office lets them in. */
async function letIn(page, id) {
    await page.click('form[action="/parta/join-apply"] button');
    const waiting = (await api(office, "GET", "/applications")).items.find((a) => a.user_id === id);
    await api(office, "POST", `/applications/${waiting.application}/approve`, { family_name: "Новый", given_name: "Юра", birth_date: "2009-05-05" });
    await page.goto("/parta/account");
    assert.match(await page.textContent("main"), /принята|approved/);
    assert.equal(await user(page), id);
}

test("C1a: a first sign-in makes a pending account, the next ones are the same; then the class teacher's link (C1, the one order)", { skip }, async () => {
    const page = await browser.person({ javaScript: false, width: 320 });
    await page.goto("/parta/sign-in");
    await comes(page, "pupil-1");
    assert.equal(at(page), "/parta/account");
    const id = await user(page);
    await page.click("nav button");
    await comes(page, "pupil-1");
    assert.equal(await user(page), id);
    await page.goto(`/parta/join/${await link()}`);
    await letIn(page, id);
    await page.click("nav button");
    await comes(page, "pupil-1");
    assert.equal(await user(page), id);
    await page.context().close();
});

test("C1a: the link first, then the diary, and back to the link (C1, the other order)", { skip }, async () => {
    const page = await browser.person({ language: "en" });
    const token = await link();
    await page.goto(`/parta/join/${token}`);
    await sound(page);
    await toDiary(page);
    await says(page, "pupil-2");
    assert.equal(at(page), `/parta/join/${token}`);
    await letIn(page, /@\w+:school\.example/.exec(await (await page.request.get("/parta/account")).text())[0]);
    await page.context().close();
});

test("C1a: who the diary says is in the school's records gets that account, once", { skip }, async () => {
    const person = await api(office, "POST", "/people", { school: schoolId, role: "staff", given_name: "Пётр", family_name: "Ожидаемый" }, 201);
    diary.records["staff-1"] = diary.records["staff-2"] = person.person;
    const page = await browser.person();
    await comes(page, "staff-1");
    assert.equal(await user(page), person.user_id);
    assert.equal((await api(office, "GET", `/people/${encodeURIComponent(person.user_id)}`)).standing ?? "active", "active");
    await page.context().close();
    const other = await browser.person();
    await comes(other, "staff-2");
    assert.match(await alert(other), /уже открыта или остановлена/);
    await other.context().close();
});

test("C5: an account that is there is linked on its own page, with the password; signs in so; is unlinked", { skip }, async () => {
    const page = await browser.person();
    await page.goto("/parta/sign-in");
    await sound(page);
    await page.fill("#user", teacher.id.slice(1).split(":")[0]);
    await page.fill("#password", teacher.password);
    await page.click("main form button");
    await page.goto("/parta/account/providers");
    await sound(page);
    await toDiary(page);
    await says(page, "teacher-1");
    assert.match(await page.textContent("h1"), /Это вы\?/);
    await sound(page);
    await page.fill("#password", "wrong");
    await page.click('form[action="/parta/account/providers/link"] button');
    assert.ok(await alert(page));
    await page.fill("#password", teacher.password);
    await page.click('form[action="/parta/account/providers/link"] button');
    assert.match(await page.textContent('[role="status"]'), /Привязано/);
    await sound(page);
    await page.click("nav button");
    await comes(page, "teacher-1");
    assert.equal(await user(page), teacher.id);
    await page.goto("/parta/account/providers");
    await page.check('input[name="issuer"]');
    await page.fill("#password", teacher.password);
    await page.click('form[action="/parta/account/providers/unlink"] button');
    assert.match(await page.textContent('[role="status"]'), /Отвязано/);
    await page.context().close();
});

/** The address that the diary sends a browser back to, which is not followed. */
async function answerFor(page, who) {
    await page.goto("/parta/sign-in");
    await toDiary(page);
    const said = await page.request.post(page.url(), { form: { who }, maxRedirects: 0 });
    const on = await page.request.get(new URL(said.headers().location, diary.issuer).href, { maxRedirects: 0 });
    assert.match(on.headers().location, /callback\?code=/);
    return on.headers().location;
}

test("an answer is of the browser that asked, is taken once, and with nothing changed in it; the back button signs nobody in", { skip }, async () => {
    const [mine, theirs] = [await browser.person(), await browser.person()];
    const address = await answerFor(mine, "pupil-3");
    await theirs.goto("/parta/sign-in");
    await theirs.goto(address);
    assert.match(await alert(theirs), /в другом браузере/);
    const spoilt = new URL(address);
    spoilt.searchParams.set("state", spoilt.searchParams.get("state").replace(/^\d/, "9"));
    await mine.goto(String(spoilt));
    assert.match(await alert(mine), /в другом браузере/);
    await mine.goto(address);
    assert.equal(at(mine), "/parta/account");
    await mine.click("nav button");
    await mine.goto(address); // from the history
    assert.match(await alert(mine), /уже использован/);
    assert.equal(await mine.locator("nav button").count(), 0);
    for (const page of [mine, theirs]) await page.context().close();
});

test("a provider that answers with an earlier token, says no, or does not answer", { skip }, async () => {
    const page = await browser.person();
    await comes(page, "pupil-4");
    const id = await user(page);
    await page.click("nav button");
    diary.repeats = true;
    await comes(page, "pupil-4");
    diary.repeats = false;
    assert.match(await alert(page), /не подтвердил/);
    const address = new URL(await answerFor(page, "pupil-4"));
    address.searchParams.delete("code");
    address.searchParams.set("error", "access_denied");
    await page.goto(String(address));
    assert.match(await alert(page), /не подтвердил/);
    const unanswered = await answerFor(page, "pupil-4");
    diary.hangs = true;
    await page.goto(unanswered);
    diary.hangs = false;
    assert.match(await alert(page), /не отвечает/);
    assert.equal(await page.locator("nav button").count(), 0);
    await page.goto(unanswered); // what was tried once is over
    assert.match(await alert(page), /уже использован/);
    await comes(page, "pupil-4");
    assert.equal(await user(page), id);
    await page.context().close();
});

test("m.login.sso: a client that knows no OAuth is signed in over the pages, once, and told where to", { skip }, async () => {
    const { flows } = (await server.request("GET", "/_matrix/client/v3/login")).body;
    const sso = flows.find((f) => f.type === "m.login.sso");
    assert.deepEqual(sso.identity_providers, [{ id: "diary", name: "Дневник" }]);
    const page = await browser.person();
    const away = "https://app.example/?no=1#/home";
    let token;
    await page.route("https://app.example/**", (route) => ((token = new URL(route.request().url()).searchParams.get("loginToken")), route.fulfill({ status: 200, body: "app" })));
    await page.goto(`/_matrix/client/v3/login/sso/redirect/diary?redirectUrl=${encodeURIComponent(away)}`);
    await says(page, "pupil-1");
    assert.equal(at(page), "/parta/sso");
    assert.match(await page.textContent("main"), /app\.example/);
    await sound(page);
    await page.click('form[action="/parta/sso"] button');
    await page.waitForURL("https://app.example/**");
    const login = () => server.request("POST", "/_matrix/client/v3/login", { body: { type: "m.login.token", token } });
    assert.equal((await login()).status, 200);
    assert.equal((await login()).status, 403);
    const plain = await page.goto(`/_matrix/client/v3/login/sso/redirect?redirectUrl=${encodeURIComponent(away)}`);
    assert.equal(plain.status(), 200);
    assert.equal(at(page), "/parta/sso");
    for (const bad of ["javascript:alert(1)", "data:text/html,x", ""])
        assert.equal((await fetch(`${server.url}/_matrix/client/v3/login/sso/redirect?redirectUrl=${encodeURIComponent(bad)}`, { redirect: "manual" })).status, 400);
    assert.equal((await fetch(`${server.url}/_matrix/client/v3/login/sso/redirect/nobody?redirectUrl=x`, { redirect: "manual" })).status, 404);
    await page.context().close();
});
