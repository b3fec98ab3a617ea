// What clients seldom ask, and no other story does: so that each operation of the specification that is served is asked by some story
// (written.test.mjs holds that).
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Server } from "./harness.mjs";
import { register } from "./asking.mjs";

let server, anna;

before(async () => {
    server = await Server.start();
    anna = await register(server, "anna");
});

after(() => server?.stop());

test("a file is promised first, and sent later", async () => {
    const { content_uri, unused_expires_at } = await anna.ask("POST", "/_matrix/media/v1/create");
    assert.ok(unused_expires_at > Date.now());
    const [, name, id] = content_uri.match(/^mxc:\/\/([^/]+)\/([^/]+)$/);
    const path = `/_matrix/client/v1/media/download/${name}/${id}`;
    assert.equal((await anna.try("GET", `${path}?timeout_ms=1`)).body.errcode, "M_NOT_YET_UPLOADED");
    const put = () => server.request("PUT", `/_matrix/media/v3/upload/${name}/${id}`, { token: anna.token, body: { a: 1 } });
    assert.deepEqual([(await put()).status, (await put()).body.errcode], [200, "M_CANNOT_OVERWRITE_MEDIA"]);
    assert.deepEqual(await anna.get(path), { a: 1 });
});

test("a backup is changed, emptied and given up", async () => {
    const algorithm = "m.megolm_backup.v1.curve25519-aes-sha2";
    const data = { public_key: "abcdefg", signatures: {} };
    const { version } = await anna.ask("POST", "/room_keys/version", { algorithm, auth_data: data });
    const key = { first_message_index: 0, forwarded_count: 0, is_verified: false, session_data: { ciphertext: "a", ephemeral: "b", mac: "c" } };
    const { count } = await anna.ask("PUT", `/room_keys/keys?version=${version}`, { rooms: { "!a:school.example": { sessions: { s: key } } } });
    assert.equal(count, 1);
    await anna.ask("PUT", `/room_keys/version/${version}`, { algorithm, auth_data: { ...data, public_key: "hijklmn" }, version });
    assert.equal((await anna.get("/room_keys/version")).auth_data.public_key, "hijklmn");
    assert.equal((await anna.ask("DELETE", `/room_keys/keys?version=${version}`)).count, 0);
    await anna.ask("DELETE", `/room_keys/version/${version}`);
    await anna.refused(404, "M_NOT_FOUND", "GET", "/room_keys/version");
});

test("what needs a mail server, or was given up long ago, is refused as the specification says", async () => {
    const nobody = await anna.try("POST", "/account/password/email/requestToken", { client_secret: "s", email: "a@b.example", send_attempt: 1 });
    assert.ok(nobody.status >= 400 && nobody.body.errcode, JSON.stringify(nobody.body));
    const old = await anna.try("POST", "/account/3pid", { three_pid_creds: { client_secret: "s", id_server: "x", id_access_token: "t", sid: "1" } });
    assert.ok(old.status >= 400 && old.body.errcode, JSON.stringify(old.body));
});
