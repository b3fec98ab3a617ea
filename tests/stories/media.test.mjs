// A photograph of the homework (issue 10): up and down as matrix-js-sdk does it, to whom it may be shown, and until when (A5, A6, G4, J5).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { V3, World, q, refused } from "./world.mjs";

const PICTURE = readFileSync(new URL("../fuzz/corpus/picture/turned.jpg", import.meta.url));
const CLASS = "s1-c003"; // 8А
let w, pupil, classmate, teacher, stranger, board;

before(async () => {
    w = await World.start();
    teacher = await w.still(w.one({ role: "class_teacher", class: "8А" }));
    [pupil, classmate] = await Promise.all(w.all({ role: "pupil", class: "8А" }).slice(0, 2).map((one) => w.still(one)));
    stranger = await w.still(w.one({ role: "pupil", class: "4А" }));
    board = await w.room("class", CLASS);
});

after(() => w?.stop());

/** As a client shows it: the URL that the SDK makes, with the token. */
async function open(client, mxc, width, height, method) {
    const url = client.mxcUrlToHttp(mxc, width, height, method, false, true, true);
    return fetch(url, { headers: { Authorization: `Bearer ${client.getAccessToken()}` } });
}
const photograph = async (client, type = "image/jpeg") =>
    (await client.uploadContent(PICTURE, { name: "домашка.jpg", type })).content_uri;

test("A photograph that is sent to the class is seen there, whole and small, and by nobody else", async () => {
    const mxc = await photograph(pupil);
    assert.equal((await open(teacher, mxc)).status, 404, "not sent yet");
    await pupil.sendEvent(board, "m.room.message", { msgtype: "m.image", body: "домашка.jpg", url: mxc });
    for (const one of [pupil, classmate, teacher]) {
        const whole = await open(one, mxc);
        assert.equal(whole.status, 200);
        assert.equal(whole.headers.get("content-type"), "image/jpeg");
        assert.match(whole.headers.get("content-disposition"), /^inline; filename\*=utf-8''%D0%B4/);
        assert.deepEqual(Buffer.from(await whole.arrayBuffer()), PICTURE);
    }
    const small = await open(classmate, mxc, 32, 32, "crop");
    assert.equal(small.status, 200);
    assert.match(small.headers.get("content-disposition"), /^inline; filename="thumbnail/);
    assert.ok((await small.arrayBuffer()).byteLength < PICTURE.byteLength);
    for (const size of [[], [32, 32, "crop"]]) assert.equal((await open(stranger, mxc, ...size)).status, 404);
    assert.equal((await fetch(pupil.mxcUrlToHttp(mxc))).status, 404, "the old path, without a token");
});

test("G4: what is taken back is shown to nobody any more", async () => {
    const mxc = await photograph(pupil);
    const { event_id } = await pupil.sendEvent(board, "m.room.message", { msgtype: "m.image", body: "x", url: mxc });
    assert.equal((await open(classmate, mxc)).status, 200);
    await pupil.redactEvent(board, event_id);
    assert.equal((await open(classmate, mxc)).status, 404);
});

test("A6: a picture of oneself is one that lies here, and the school sees it", async () => {
    const mxc = await photograph(pupil);
    await pupil.setAvatarUrl(mxc);
    assert.equal((await open(stranger, mxc, 32, 32, "crop")).status, 200);
    assert.equal((await pupil.getProfileInfo(pupil.getUserId())).avatar_url, mxc);
    await refused(stranger.setAvatarUrl("mxc://school.example/AbcdefghijklmnopqrstuvwX"), "F1");
    await pupil.setAvatarUrl("");
    assert.equal((await open(stranger, mxc)).status, 404);
});

test("J5: how large a file may be is told beforehand, and when it is larger", async () => {
    const { "m.upload.size": largest } = await pupil.getMediaConfig(true);
    assert.equal(largest, 20971520);
    assert.equal((await teacher.getMediaConfig(true))["m.upload.size"], 209715200);
    const error = await pupil.uploadContent(Buffer.alloc(largest + 1), { type: "video/mp4" }).catch((e) => e);
    assert.deepEqual([error.httpStatus, error.data["org.parta.rule"]], [413, "J5"]);
    assert.equal(error.data["org.parta.bound"], "file_bytes: 20971520");
    const { content_uri } = await pupil.uploadContent(Buffer.alloc(3 << 20, "a"), { type: "video/mp4" });
    const part = await fetch(pupil.mxcUrlToHttp(content_uri, undefined, undefined, undefined, false, true, true), {
        headers: { Authorization: `Bearer ${pupil.getAccessToken()}`, Range: "bytes=10-19" },
    });
    assert.equal(part.status, 206);
    assert.equal(await part.text(), "aaaaaaaaaa");
});

test("A5: nothing is fetched from elsewhere: no previews, no media of other servers", async () => {
    const { status, body } = await w.server.request("GET", "/_matrix/client/v1/media/preview_url?url=http://127.0.0.1/", {
        token: pupil.getAccessToken(),
    });
    assert.deepEqual([status, body], [200, {}]);
    assert.equal((await open(pupil, "mxc://other.example/abc")).status, 404);
});

test("G4: the export lists one's files", async () => {
    const zip = await fetch(`${w.server.url ?? pupil.getHomeserverUrl()}/_parta/v1/people/${q(pupil.getUserId())}/export`, {
        headers: { Authorization: `Bearer ${pupil.getAccessToken()}` },
    });
    assert.equal(zip.status, 200);
    assert.ok((await zip.arrayBuffer()).byteLength > 0);
});
