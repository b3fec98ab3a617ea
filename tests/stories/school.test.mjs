// The sample school through a real client: pupil, teacher, guardian, head, a person of another school, an outsider.
// Rule numbers are school.md's.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Server, inRoom, refusal, sdk, seen, text, until } from "./harness.mjs";

let server, teacher, pupil, guardian, head, stranger, outsider, classmate;
let classRoom;
const clients = [];

async function signInAs(person) {
    const client = await server.signIn(person.id, person.password);
    clients.push(client);
    return client;
}

/** The joined room of that client whose name begins so. */
function roomNamed(client, start) {
    return until(() => client.getRooms().find((r) => r.getMyMembership() === "join" && r.name.startsWith(start)), `a room ${start}`);
}

before(async () => {
    server = await Server.startSchool();
    const leader = server.person({ role: "class_teacher" });
    const pupils = server.people.filter((p) => p.role === "pupil" && p.class === leader.class && p.school === leader.school);
    const other = server.people.find((p) => p.role === "pupil" && p.school !== leader.school);
    teacher = await signInAs(leader);
    pupil = await signInAs(pupils[0]);
    classmate = await signInAs(pupils[1]);
    guardian = await signInAs(server.person({ role: "guardian", class: leader.class, school: leader.school }));
    head = await signInAs(server.person({ role: "head", school: leader.school }));
    stranger = await signInAs(other);
    await server.makeUser("outsider");
    outsider = await server.signIn("outsider");
    clients.push(outsider);
    classRoom = (await roomNamed(pupil, leader.class)).roomId;
});

after(async () => {
    for (const client of clients) client.stopClient();
    await server?.stop();
});

test("E1: teacher and pupils find each other in the class room, and talk", async () => {
    const room = teacher.getRoom(classRoom);
    assert.equal(room.getMyMembership(), "join");
    const { event_id } = await teacher.sendMessage(classRoom, text("Здравствуйте, дети!"));
    await seen(pupil, classRoom, (e) => e.getId() === event_id);
    const answer = await pupil.sendMessage(classRoom, text("Здравствуйте!"));
    await seen(teacher, classRoom, (e) => e.getId() === answer.event_id);
    assert.equal(guardian.getRoom(classRoom), null, "guardians are not in the class room");
});

test("E1: everybody reads the announcements, only those who lead write", async () => {
    const board = await roomNamed(head, "Объявления");
    const { event_id } = await head.sendMessage(board.roomId, text("Завтра субботник"));
    for (const reader of [pupil, teacher, guardian]) {
        await seen(reader, board.roomId, (e) => e.getId() === event_id);
        assert.equal((await refusal(reader.sendMessage(board.roomId, text("а я против")))).errcode, "M_FORBIDDEN");
    }
    assert.equal(stranger.getRoom(board.roomId), null);
});

test("E3: the service user made the rooms, and nobody forges power", async () => {
    const create = pupil.getRoom(classRoom).currentState.getStateEvents("m.room.create", "");
    assert.match(create.getSender(), /^@parta:/);
    for (const client of [pupil, teacher, head]) {
        if (client.getRoom(classRoom)?.getMyMembership() !== "join") continue;
        const levels = client.getRoom(classRoom).currentState.getStateEvents("m.room.power_levels", "").getContent();
        const forged = { ...levels, users: { ...levels.users, [client.getUserId()]: 100 } };
        assert.equal((await refusal(client.sendStateEvent(classRoom, "m.room.power_levels", forged, ""))).errcode, "M_FORBIDDEN");
        assert.equal((await refusal(client.sendStateEvent(classRoom, "m.room.join_rules", { join_rule: "public" }, ""))).errcode, "M_FORBIDDEN");
    }
});

test("E4: the roster's people cannot leave, be kicked or banned; a refusal names the rule", async () => {
    const left = await refusal(pupil.leave(classRoom));
    assert.equal(left.errcode, "M_FORBIDDEN");
    assert.equal(left.data["org.parta.rule"], "E4");
    assert.match(left.data.error, /[а-я].* \/ .*[a-z]/, "in Russian and English");
    assert.equal((await refusal(teacher.kick(classRoom, pupil.getUserId(), "за дверь"))).errcode, "M_FORBIDDEN");
    assert.equal((await refusal(teacher.ban(classRoom, pupil.getUserId(), "навсегда"))).errcode, "M_FORBIDDEN");
    assert.equal(teacher.getRoom(classRoom).getMember(pupil.getUserId()).membership, "join");
});

test("A2: nobody from outside gets into the class room, each way tried by each outsider", async () => {
    const alias = `#class${Date.now()}:school.example`;
    await teacher.createAlias(alias, classRoom).catch(() => {});
    for (const who of [stranger, outsider]) {
        const tries = {
            join: () => who.joinRoom(classRoom),
            alias: () => who.joinRoom(alias),
            knock: () => who.knockRoom(classRoom),
            read: () => who.createMessagesRequest(classRoom, null, 10, "b"),
            state: () => who.roomState(classRoom),
            send: () => who.sendMessage(classRoom, text("я ваш новый одноклассник")),
            "forged join": () => who.sendStateEvent(classRoom, "m.room.member", { membership: "join", join_authorised_via_users_server: "@parta:school.example" }, who.getUserId()),
            "invited by a pupil": () => pupil.invite(classRoom, who.getUserId()),
            "invited by the teacher": () => teacher.invite(classRoom, who.getUserId()),
            "into a new room of the pupil's": () => pupil.createRoom({ invite: [who.getUserId()] }),
            "invites into a new room of theirs": () => who.createRoom({ invite: [pupil.getUserId()] }),
            "a direct chat": () => who.createRoom({ is_direct: true, preset: "trusted_private_chat", invite: [classmate.getUserId()] }),
        };
        for (const [way, attempt] of Object.entries(tries)) {
            const error = await refusal(attempt().then(() => console.error(`${way} let in`)));
            assert.ok([403, 404].includes(error.httpStatus), `${way}: ${error.httpStatus ?? error}`);
        }
    }
    const members = Object.keys(await teacher.getJoinedRoomMembers(classRoom).then((r) => r.joined));
    for (const who of [stranger, outsider]) assert.ok(!members.includes(who.getUserId()));
});

test("A1, A6: a person of another school is not to be found", async () => {
    const profile = await refusal(stranger.getProfileInfo(pupil.getUserId()));
    assert.ok([403, 404].includes(profile.httpStatus));
    const found = await stranger.searchUserDirectory({ term: pupil.getUser(pupil.getUserId())?.displayName ?? "а" });
    assert.ok(found.results.every((r) => r.user_id !== pupil.getUserId()));
    const near = await classmate.getProfileInfo(pupil.getUserId());
    assert.ok(near.displayname);
});

test("B3: nobody calls themselves what they are not", async () => {
    const before = (await classmate.getProfileInfo(pupil.getUserId())).displayname;
    const error = await refusal(pupil.setDisplayName("Директор"));
    assert.equal(error.data["org.parta.rule"], "B3");
    const member = teacher.getRoom(classRoom).currentState.getStateEvents("m.room.member", pupil.getUserId()).getContent();
    await pupil.sendStateEvent(classRoom, "m.room.member", { ...member, displayname: "Директор" }, pupil.getUserId()).catch(() => {});
    const now = await teacher.getStateEvent(classRoom, "m.room.member", pupil.getUserId());
    assert.equal(now.displayname, before);
});

test("A5: Matrix ids say nothing of the person", () => {
    for (const person of server.people) assert.match(person.id, /^@p[a-z0-9]{10}:school\.example$/);
});

test("people of one school may make rooms with each other", async () => {
    const { room_id } = await teacher.createRoom({ name: "Кружок", invite: [pupil.getUserId()] });
    await inRoom(pupil, room_id, "invite");
    await pupil.joinRoom(room_id);
    await inRoom(pupil, room_id);
    const { event_id } = await pupil.sendMessage(room_id, text("Можно робота?"));
    await seen(teacher, room_id, (e) => e.getId() === event_id);
});

test("E2: a second import of the same file changes nothing; rooms equal the roster after a crash", async () => {
    await server.end("SIGKILL");
    server.importRoster();
    await server.run();
    const after = Object.keys((await teacher.getJoinedRoomMembers(classRoom)).joined).sort();
    const leader = server.people.find((p) => p.id === teacher.getUserId());
    const expected = server.people
        .filter((p) => p.class === leader.class && p.school === leader.school && ["pupil", "class_teacher"].includes(p.role))
        .map((p) => p.id);
    assert.deepEqual(after, [...expected, "@parta:school.example"].sort());
});
