// J1, D9: what is explained to somebody who is not the office is the one verdict that decides, and it is the same before and after a court has spoken of
// others: whatever they ask, of whom, of which class and room. Nor does an act that they try tell them more.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { HERE, V3, World, q, refused } from "./world.mjs";

const REASON = "Решение суда № 2-114/2026 от 3 марта";
const TELLING = /суд|опек|запрет|court|custody|no_contact|"D9"/i;
const acts = [...readFileSync(new URL("../../policy/rules/rules.c", import.meta.url), "utf8").matchAll(/\[ACT_\w+\] = "(\w+)"/g)].map(([, act]) => act);
let w, school, father, mother, child, teacher, callers, club, chat;

before(async () => {
    w = await World.start();
    school = await w.newClass("5 «С»", "5");
    teacher = await w.newClient("class_teacher", { class: school.class });
    child = await w.newClient("pupil", { class: school.class, birth_date: "2015-01-01" });
    father = await w.newClient("teacher"); // or there would be no role to give, nor would he stay
    mother = await w.newClient("guardian", { child: child.getUserId() });
    await w.do(w.operator, "POST", "/guardianships", { child: child.getUserId(), guardian: father.getUserId() });
    const pupil = await w.still(w.one({ role: "pupil", class: "8А" }));
    const parent = await w.still(w.one({ role: "guardian" }));
    const colleague = await w.newClient("teacher");
    const classmate = await w.newClient("pupil", { class: school.class, birth_date: "2015-02-02" });
    callers = { pupil, parent, colleague, classmate, father };
    club = (await teacher.createRoom({ preset: "private_chat", name: "Кружок", invite: [child.getUserId()] })).room_id;
    await child.joinRoom(club);
    chat = (await w.directWith(teacher, father)).room_id;
});

after(() => w?.stop());

const order = (custody) => w.do(w.office, "PUT", `/guardianships/${q(child.getUserId())}/${q(father.getUserId())}/custody`, { custody, reason: REASON });
const explain = async (who, question) => {
    const { status, body } = await w.api(who, "POST", "/explain", question);
    return { status, body };
};

/** Everything that can be asked about the three. */
function* questions(caller) {
    const targets = caller === "father" ? [father] : [father, mother, child];
    for (const act of acts)
        for (const target of targets.map((t) => t.getUserId())) {
            yield { act, target, room_id: club, event_type: "m.room.topic" };
            if (acts.indexOf(act) >= acts.indexOf("approve"))
                for (const place of [school.class, "s1-c001"]) for (const role of ["teacher", "guardian"]) yield { act, target, class: place, role };
            yield { act, target, school: HERE, kind: "direct" };
        }
}

async function answers() {
    const all = new Map();
    for (const [name, who] of Object.entries(callers)) {
        const left = questions(name);
        await Promise.all(Array.from({ length: 6 }, async () => {
            for (const question of left) {
                const { status, body } = await explain(who, question);
                if (status === 200) {
                    assert.ok(body.rules.length <= 1 && body.rules.every((r) => r.decides), `${name} ${JSON.stringify(question)}: ${JSON.stringify(body.rules)}`);
                    assert.doesNotMatch(JSON.stringify(body), TELLING);
                }
                all.set(`${name} ${JSON.stringify(question)}`, JSON.stringify([status, body]));
            }
        }));
    }
    return all;
}

const asked = () => ({ act: "roles", target: father.getUserId(), class: school.class, role: "teacher" });
const said = async (who, question) => (await explain(who, question)).body.rules.map((r) => r.rule);

test("J1, D9: no act of which anybody but the office asks is explained otherwise after a court's order than before it", async () => {
    assert.ok(acts.length > 40);
    const first = await answers();
    assert.equal((await said(w.office, asked())).includes("D9"), false);
    await order("no_contact");
    const then = await answers();
    const different = [...first].filter(([question, answer]) => then.get(question) !== answer).map(([question, answer]) => `${question}\n  ${answer}\n  ${then.get(question)}`);
    assert.deepEqual(different.filter((d) => !d.startsWith("father")), []);
    // He himself hears which room he does not enter, in words that any room has, and of no class of the child's.
    const verdicts = (d) => d.split("\n").slice(1).map((line) => JSON.stringify(JSON.parse(line.trim())[1].rules.map((r) => r.code)));
    for (const d of different) {
        const [was, is] = verdicts(d);
        if (was !== is) assert.deepEqual([was, is, d.includes(q(club)) || d.includes(club)], ["[]", '["ask_the_school"]', true], d);
    }
    assert.ok(first.size > 1500, `${first.size}`);
});

test("J1, D9: the office hears every row, and nobody of it whom an order concerns", async () => {
    assert.ok((await said(w.office, asked())).includes("D9"));
    assert.ok((await said(w.operator, { ...asked(), actor: w.office.getUserId() })).includes("D9"));
    const boss = await w.newClient("administrator");
    assert.ok((await said(boss, asked())).includes("D9"));
    const { user_id } = await w.newPerson("pupil", { class: school.class, birth_date: "2015-04-04" });
    await w.do(w.operator, "POST", "/guardianships", { child: user_id, guardian: boss.getUserId() });
    await w.do(w.office, "PUT", `/guardianships/${q(user_id)}/${q(boss.getUserId())}/custody`, { custody: "no_contact", reason: REASON });
    assert.deepEqual(await said(boss, { ...asked(), target: boss.getUserId() }), ["J4"]);
    assert.ok((await said(w.office, { ...asked(), actor: boss.getUserId(), target: boss.getUserId() })).length > 1);
});

test("D9: nor does an invite tell who is not in the room of whom somebody there is kept from; whoever is hears neutral words", async () => {
    const invite = (who) => w.server.request("POST", `${V3}/rooms/${q(club)}/invite`, { token: who.getAccessToken(), body: { user_id: father.getUserId() } });
    const stranger = w.one({ role: "head" }).id;
    for (const who of [callers.pupil, callers.colleague, callers.parent]) {
        const one = await invite(who);
        const other = await w.server.request("POST", `${V3}/rooms/${q(club)}/invite`, { token: who.getAccessToken(), body: { user_id: stranger } });
        assert.deepEqual([one.status, one.body], [other.status, other.body]);
    }
    const told = await refused(teacher.invite(club, father.getUserId()), "F1");
    assert.doesNotMatch(JSON.stringify(told), TELLING);
    const question = { act: "invite", room_id: club, target: father.getUserId() };
    assert.deepEqual(await said(teacher, question), ["F1"]);
});
