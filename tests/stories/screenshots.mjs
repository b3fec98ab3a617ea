// ./dev screenshots: the main pages as pictures, for README.md: screenshots.mjs FOLDER. The server speaks TLS as chat.school.example, as a school's
// does, so that addresses and codes on the pictures are what they would be.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Browser, CHROMIUM, sound } from "./browser.mjs";
import { Server, freePort } from "./harness.mjs";

const BYTES_MOST = 60000;
const HOST = "chat.school.example";
const PHONE = { width: 360, height: 640 }, DESK = { width: 1024, height: 640 };
const APP = {
    client_name: "Element X", client_uri: "https://element.io/", redirect_uris: ["io.element.android:/"], application_type: "native", token_endpoint_auth_method: "none",
    response_types: ["code"], grant_types: ["authorization_code", "refresh_token"],
};
const folder = process.argv[2];
const made = [];
let server, browser;

function certificate(dir) {
    const files = { key: join(dir, "key.pem"), certificate: join(dir, "certificate.pem") };
    const { status, stderr } = spawnSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", `/CN=${HOST}`, "-addext", `subjectAltName=DNS:${HOST}`,
        "-keyout", files.key, "-out", files.certificate], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    return files;
}

async function picture(page, name, of = page) {
    await sound(page);
    const path = join(folder, `${name}.png`);
    await of.screenshot({ path, animations: "disabled", caret: "hide" });
    const { size } = statSync(path);
    assert.ok(size <= BYTES_MOST, `${name}.png has ${size} bytes`);
    made.push(`${name}.png ${size}`);
}

async function signedIn(person, looks) {
    const page = await browser.person(looks);
    await page.goto("/parta/sign-in");
    await page.fill("#user", person.id);
    await page.fill("#password", person.password);
    await page.click("main button");
    await page.waitForURL("**/parta/account");
    return page;
}

async function front() {
    for (const [name, looks] of Object.entries({ "sign-in-ru-phone": { ...PHONE }, "sign-in-en-dark": { ...DESK, language: "en", dark: true } })) {
        const page = await browser.person(looks);
        await page.goto("/parta/sign-in");
        await picture(page, name);
        await page.context().close();
    }
}

async function accounts(pupil, guardian) {
    const child = await signedIn(pupil, PHONE);
    await picture(child, "account-ru-phone");
    const parent = await signedIn(guardian, { ...DESK, language: "en" });
    await picture(parent, "account-en");
    for (const page of [child, parent]) await page.context().close();
}

async function consent(pupil) {
    const page = await signedIn(pupil, PHONE);
    const { body: { client_id } } = await server.request("POST", "/parta/oauth2/register", { body: APP });
    await page.goto(`/parta/oauth2/authorize?${new URLSearchParams({
        client_id, redirect_uri: APP.redirect_uris[0], response_type: "code", state: "x", code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        code_challenge_method: "S256", scope: "urn:matrix:client:api:* urn:matrix:client:device:ABCDEFGHIJ",
    })}`);
    await picture(page, "consent-ru-phone");
    await page.context().close();
}

/** The class's page, one printed sheet, and what the newcomer sees who opens it. */
async function sheets(office, teacher) {
    const page = await signedIn(office, DESK);
    const room = page.locator(`.doors a:has-text("${teacher.class}")`).first();
    await room.click();
    await picture(page, "class-ru");
    await page.click('form[action="/parta/class-sheets"] button');
    await page.emulateMedia({ media: "print" });
    const sheet = page.locator(".sheet").first();
    await picture(page, "sheet-ru", sheet);
    const phone = await browser.person(PHONE);
    await phone.goto(await sheet.locator("code").textContent());
    await picture(phone, "join-ru-phone");
    for (const one of [page, phone]) await one.context().close();
}

const dir = mkdtempSync(join(tmpdir(), "parta-pictures-"));
try {
    assert.ok(CHROMIUM, "no chromium here (apt-get install chromium)");
    const tls = certificate(dir), port = await freePort();
    server = await Server.startSchool(`public_baseurl: https://${HOST}\ntls:\n  port: ${port}\n  certificate: ${tls.certificate}\n  key: ${tls.key}\noauth:\n  enabled: true\n`);
    const teacher = server.person({ role: "class_teacher" });
    const office = server.person({ role: "administrator", school: teacher.school });
    const [id, school] = server.parta("class", "list").split("\n").map((line) => line.split("\t")).find((c) => c.includes(teacher.class));
    for (const [given, family] of [["Мария", "Новенькая"], ["Пётр", "Ожидаемый"]])
        server.parta("person", "create", school, "pupil", "--class", id, "--given", given, "--family", family, "--birth", "2011-04-05");
    browser = await Browser.start(`https://${HOST}`, `--host-resolver-rules=MAP ${HOST}:443 127.0.0.1:${port}`);
    mkdirSync(folder, { recursive: true });
    await front();
    await accounts(server.person({ role: "pupil", class: teacher.class }), server.person({ role: "guardian", class: teacher.class }));
    await consent(server.person({ role: "pupil", class: teacher.class }));
    await sheets(office, teacher);
    process.stderr.write(`${made.join("\n")}\n`);
} finally {
    await browser?.stop();
    await server?.stop();
    rmSync(dir, { recursive: true, force: true });
}
process.exit(0);
