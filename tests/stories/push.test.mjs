/* Push (Client-Server API, "Push Notifications"; A5, F3, F6): a real client sets its pushers, a gateway on this machine hears. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { refusal, text, until } from "./harness.mjs";
import { V3, World, q } from "./world.mjs";

const CLASS = "s1-c003"; // 8А
let w, gateway, heard, say;

before(async () => {
    heard = [];
    say = { status: 200, body: { rejected: [] } };
    gateway = createServer((request, response) => {
        let body = "";
        request.on("data", (piece) => (body += piece));
        request.on("end", () => {
            heard.push({ path: request.url, body, ...JSON.parse(body).notification });
            const status = body.includes('"poison"') ? 500 : say.status;
            response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(say.body));
        });
    });
    await new Promise((done) => gateway.listen(0, "127.0.0.1", done));
    w = await World.start({ settings: `push:\n  gateways: [http://127.0.0.1:${gateway.address().port}]\n` });
});

after(async () => {
    await w?.stop();
    gateway?.close();
});

const pusher = (key, more = {}) => ({
    kind: "http",
    app_id: "org.example.app",
    pushkey: key,
    app_display_name: "App",
    device_display_name: "Телефон",
    lang: "ru",
    data: { url: `http://127.0.0.1:${gateway.address().port}/_matrix/push/v1/notify`, format: "event_id_only", custom: { a: 1 } },
    append: false,
    ...more,
});
const of = (key) => heard.filter((n) => n.devices.some((d) => d.pushkey === key));

test("A5: pushers are set, listed, turned off from elsewhere and removed; a gateway that nobody allows is refused", async () => {
    const pupil = await w.still(w.one({ role: "pupil", class: "8А" }));
    await pupil.setPusher(pusher("phone"));
    const { pushers } = await pupil.getPushers();
    assert.equal(pushers.length, 1);
    assert.equal(pushers[0].enabled, true);
    assert.equal(pushers[0]["org.matrix.msc3881.device_id"], pupil.getDeviceId());
    assert.deepEqual(pushers[0].data, pusher("phone").data);

    const refused = await refusal(pupil.setPusher(pusher("x", { data: { url: "https://push.example/_matrix/push/v1/notify" } })));
    assert.equal(refused.errcode, "M_FORBIDDEN");
    assert.equal(refused.data["org.parta.rule"], "A5");
    assert.ok(refused.data["org.parta.sentences"].ru && refused.data["org.parta.sentences"].en);
    for (const broken of [{ data: {} }, { data: undefined }, { lang: undefined }, { kind: "sms" }, { pushkey: "x".repeat(513) }, { app_id: "x".repeat(65) },
                          { data: { url: "http://127.0.0.1/elsewhere" } }, { data: { ...pusher("").data, long: "x".repeat(5000) } }, { enabled: 1 }, { append: "yes" }])
        assert.match((await refusal(pupil.setPusher(pusher("y", broken)))).errcode, /^M_(INVALID_PARAM|MISSING_PARAM|BAD_JSON)$/, JSON.stringify(broken));

    await pupil.setPusher(pusher("phone", { "org.matrix.msc3881.enabled": false }));
    assert.equal((await pupil.getPushers()).pushers[0].enabled, false);
    const features = (await w.server.request("GET", "/_matrix/client/versions")).body.unstable_features;
    assert.equal(features["org.matrix.msc3881"], true);
    await pupil.removePusher("phone", "org.example.app");
    assert.deepEqual((await pupil.getPushers()).pushers, []);
});

test("F3, F6: a message wakes the phone without a word of it; at night nothing but what is urgent does; what is read elsewhere falls", async () => {
    const pupil = await w.still(w.one({ role: "pupil", class: "8А" }));
    const head = await w.still(w.one({ role: "head" }));
    const teacher = await w.still(w.one({ role: "class_teacher", class: "8А" }));
    const room = await w.room("class", CLASS);
    await pupil.setPusher(pusher("night"));
    const { event_id } = await teacher.sendMessage(room, text("Секрет 8А"));
    await until(() => of("night").length >= 1, "the push");
    const [first] = of("night");
    assert.equal(first.path, "/_matrix/push/v1/notify");
    assert.equal(first.event_id, event_id);
    assert.equal(first.room_id, room);
    assert.deepEqual(Object.keys(first).filter((k) => !["path", "body"].includes(k)).sort(), ["counts", "devices", "event_id", "prio", "room_id"]);
    assert.deepEqual(first.devices[0].data, { format: "event_id_only", custom: { a: 1 } });
    assert.ok(heard.every((n) => !n.body.includes("Секрет")));

    const minutes = new Date().getUTCHours() * 60 + new Date().getUTCMinutes();
    const at = (m) => `${String(Math.floor(((minutes + m + 1440) % 1440) / 60)).padStart(2, "0")}:${String((minutes + m + 1440) % 60).padStart(2, "0")}`;
    const quiet = { quiet_hours: { mode: "warn", from: at(-60), to: at(60), utc_offset: "+00:00" } };
    const before = of("night").length;
    await w.withPolicy(quiet, async () => {
        await teacher.sendMessage(room, text("Ночью"));
        const urgent = await head.sendMessage(await w.room("announcements"), { ...text("Прорвало трубу"), "org.parta.urgent": { reason: "Завтра школа закрыта" } }).catch((e) => e);
        assert.ok(urgent.event_id, String(urgent));
        await until(() => of("night").some((n) => n.event_id === urgent.event_id), "the urgent one");
        assert.equal(of("night").length, before + 1);
    });

    /* Read elsewhere: the number falls, and there is no event. */
    const last = (await teacher.sendMessage(room, text("Утром"))).event_id;
    await until(() => of("night").some((n) => n.event_id === last), "the next");
    await w.server.request("POST", `${V3}/rooms/${q(room)}/receipt/m.read/${q(last)}`, { token: pupil.getAccessToken(), body: {} });
    await until(() => of("night").some((n) => n.event_id === undefined), "the count alone");
});

test("a rejected key is no more", async () => {
    const pupil = await w.still(w.one({ role: "pupil", class: "8А" }));
    const teacher = await w.still(w.one({ role: "class_teacher", class: "8А" }));
    const room = await w.room("class", CLASS);
    await pupil.setPusher(pusher("gone"));
    say = { status: 200, body: { rejected: ["gone", "somebody else's"] } };
    await teacher.sendMessage(room, text("x"));
    await until(async () => (await pupil.getPushers()).pushers.every((p) => p.pushkey !== "gone"), "the pusher to go");
    say = { status: 200, body: { rejected: [] } };
});

test("what a gateway fails at, while it takes others, does not stop these", async () => {
    const [pupil, mate] = await Promise.all(w.all({ role: "pupil", class: "8А" }).slice(0, 2).map((p) => w.still(p)));
    const teacher = await w.still(w.one({ role: "class_teacher", class: "8А" }));
    const room = await w.room("class", CLASS);
    await pupil.setPusher(pusher("poison"));
    await mate.setPusher(pusher("fine"));
    const said = [];
    for (const body of ["раз", "два", "три"]) {
        said.push((await teacher.sendMessage(room, text(body))).event_id);
        await until(() => of("fine").some((n) => n.event_id === said.at(-1)), "the push to the other");
    }
    assert.equal(of("fine").length, 3); /* once each */
    assert.ok(of("poison").length >= 1);
    await pupil.removePusher("poison", "org.example.app");
});
