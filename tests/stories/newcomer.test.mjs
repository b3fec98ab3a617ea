// A newcomer's minute: from the printed sheet in the hand to the first message in the class's room, on a narrow phone, with a real client behind
// the page. Counted are taps; what a person is slower at than this program (finding a button, typing) is added to the time.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { OAuth2 } from "matrix-js-sdk/lib/oauth/index.js";
import { Browser, CHROMIUM, sound } from "./browser.mjs";
import { Server, inRoom, seen, startClient, text } from "./harness.mjs";

const skip = CHROMIUM ? false : "no chromium here (apt-get install chromium): nobody came";
const JSQR = readFileSync(createRequire(import.meta.url).resolve("jsqr"), "utf8");
const MOST = { taps: 6, seconds: 60 };
const PACE = { tap: 2, letter: 0.3 }; // seconds that a person takes for each, generously
let server, browser;

before(async () => {
    if (skip) return;
    server = await Server.startSchool();
    browser = await Browser.start(server.url);
});
after(async () => {
    await browser?.stop();
    await server?.stop();
});

/** What a camera reads in the picture: jsQR on its pixels. */
async function camera(page, picture) {
    const blank = await page.context().newPage();
    await blank.addScriptTag({ content: JSQR });
    const read = await blank.evaluate(async (url) => {
        const image = Object.assign(new Image(), { src: url });
        await image.decode();
        const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
        const to = canvas.getContext("2d");
        to.drawImage(image, 0, 0);
        const { data, width, height } = to.getImageData(0, 0, image.width, image.height);
        return globalThis.jsQR(data, width, height)?.data;
    }, `data:image/png;base64,${picture.toString("base64")}`);
    await blank.close();
    return read;
}

/** An app that waits for the browser's answer, as RFC 8252 has it (7.3). */
async function app() {
    let answered;
    const answer = new Promise((resolve) => (answered = resolve));
    const listener = createServer((request, reply) => {
        const asked = new URL(request.url, "http://127.0.0.1").searchParams;
        if (asked.has("code")) answered(asked.get("code"));
        reply.end("Back in the app.");
    });
    await new Promise((resolve) => listener.listen(0, "127.0.0.1", resolve));
    const address = `http://127.0.0.1:${listener.address().port}/`;
    const { body: metadata } = await server.request("GET", "/_matrix/client/v1/auth_metadata");
    const clientId = await OAuth2.registerClient(metadata, {
        client_name: "A phone's app", client_uri: "https://app.example/", redirect_uris: ["http://127.0.0.1/"], application_type: "native",
        grant_types: ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"], response_types: ["code"], token_endpoint_auth_method: "none",
    });
    const auth = new OAuth2(metadata, { clientId });
    return {
        address,
        url: await auth.generateAuthorizationCodeGrantUrl("newcomer", address, "query"),
        session: async () => ({ ...(await auth.completeAuthorizationCodeGrant(await answer, address)), device_id: auth.context.deviceId }),
        close: () => listener.close(),
    };
}

/** The office puts a pupil of sixteen into the records, and the administrator's browser shows their sheet, as it is printed. */
async function printed(family) {
    const teacher = server.person({ role: "class_teacher" });
    const office = server.person({ role: "administrator", school: teacher.school });
    const client = await server.signIn(office.id, office.password, { still: true });
    const { body: classes } = await server.api(client, "GET", "/classes?limit=500");
    const { class: id, school } = classes.items.find((c) => c.title === teacher.class && c.kind === "homeroom");
    const made = await server.api(client, "POST", "/people", {
        school, role: "pupil", class: id, given_name: "Мария", family_name: family, birth_date: `${new Date().getFullYear() - 16}-01-15`,
    });
    assert.equal(made.status, 201, JSON.stringify(made.body));
    const page = await browser.person();
    await page.goto("/parta/sign-in");
    await page.fill("#user", office.id);
    await page.fill("#password", office.password);
    await page.click("main button");
    await page.goto(`/parta/class/${id}`);
    await page.click('form[action="/parta/class-sheets"] button');
    await page.emulateMedia({ media: "print" });
    const sheet = page.locator(`.sheet:has-text("${family}")`);
    return { page, picture: await sheet.locator("svg.qr").screenshot(), address: await sheet.locator("code").textContent(), user: made.body.user_id, teacher };
}

test("a newcomer's minute: from the printed code to the first message in the class's room", { skip }, async (t) => {
    const sheet = await printed("Новенькая");
    const address = await camera(sheet.page, sheet.picture);
    assert.equal(address, sheet.address, "the code and the address beside it are one");
    const teacher = await server.signIn(sheet.teacher.id, sheet.teacher.password);
    const phone = await browser.person({ width: 360, height: 640, touch: true });
    const client = { app: await app() };
    browser.leads.push(client.app.address);
    let taps = 0, letters = 0;
    const tap = (where) => (++taps, phone.locator(where).tap());
    const type = (where, words) => ((letters += words.length), phone.locator(where).pressSequentially(words));
    const begin = performance.now();

    ++taps; // what the camera shows over the code
    await phone.goto(address);
    await tap("#password");
    await type("#password", "correct horse battery");
    await tap("main form button");
    await phone.waitForURL("**/parta/account*");
    await phone.goto(client.app.url); // the app opens it by itself
    await tap('button[value="allow"]');
    const session = await client.app.session();
    const matrix = server.client({ ...session, user_id: sheet.user });
    await startClient(matrix);
    const room = matrix.getRooms().find((r) => r.name === sheet.teacher.class);
    assert.ok(room, `the class's room is among ${matrix.getRooms().map((r) => r.name)}`);
    ++taps; // the room in the list
    await inRoom(matrix, room.roomId);
    letters += "Всем привет!".length;
    ++taps; // the arrow beside the message
    const { event_id: said } = await matrix.sendMessage(room.roomId, text("Всем привет!"));
    await seen(teacher, room.roomId, (e) => e.getId() === said, "the first message");

    const seconds = (performance.now() - begin) / 1000;
    const whole = seconds + taps * PACE.tap + letters * PACE.letter;
    t.diagnostic(`the newcomer's minute: ${taps} taps, ${letters} letters typed; ${seconds.toFixed(1)} s of server, browser and client, ${whole.toFixed(0)} s with a person's hands`);
    assert.ok(taps <= MOST.taps, `${taps} taps`);
    assert.ok(whole <= MOST.seconds, `${whole} s`);
    for (const one of [matrix, teacher]) one.stopClient();
    client.app.close();
    for (const one of [sheet.page, phone]) await one.context().close();
});

test("on the way the pages are sound at 360 px, and each says the next step", { skip }, async () => {
    const sheet = await printed("Следующая");
    const phone = await browser.person({ width: 360, height: 640, touch: true, language: "ru" });
    await phone.goto(await camera(sheet.page, sheet.picture));
    await sound(phone);
    await phone.fill("#password", "correct horse battery");
    await phone.locator("main form button").tap();
    await phone.waitForURL("**/parta/account*");
    await sound(phone);
    assert.match(await phone.textContent("main"), new RegExp(sheet.user), "the name for the app");
    for (const one of [sheet.page, phone]) await one.context().close();
});
