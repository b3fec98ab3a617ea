"""A bridge as it is written with mautrix's application service part (AppService, IntentAPI, OlmMachine), unchanged, and a
person with matrix-nio: the bridge's people come, are told, write, also encrypted (MSC2409, MSC3202, MSC4190)."""
import asyncio
import json
import os
import traceback

from mautrix.appservice import AppService, ASStateStore
from mautrix.client import Client
from mautrix.client.state_store import MemoryStateStore
from mautrix.crypto import MemoryCryptoStore, OlmMachine
from mautrix.errors import MForbidden, SessionNotFound
from mautrix.types import EncryptionKeyAlgorithm, EventType, Membership, RoomCreatePreset

from adapters import ENCRYPTED, Nio, Remembering, until

PREFIX, SUFFIX, BOT = "@_bridge_", ":school.example", "@_bridge:school.example"
STEPS = []


def step(name):
    def note(fn):
        STEPS.append((name, fn))
        return fn
    return note


def register(folder, port):
    """Writes the registration; answers it."""
    registration = {
        "id": "bridge", "url": f"http://127.0.0.1:{port}", "as_token": "as-token-of-the-bridge-1",
        "hs_token": "hs-token-of-the-bridge-1", "sender_localpart": "_bridge", "rate_limited": False,
        "namespaces": {"users": [{"exclusive": True, "regex": f"^{PREFIX}.+{SUFFIX}$"}, {"exclusive": True, "regex": f"^{BOT}$"}]},
        "de.sorunome.msc2409.push_ephemeral": True, "push_ephemeral": True, "org.matrix.msc3202": True, "io.element.msc4190": True,
    }
    os.makedirs(folder)
    with open(os.open(os.path.join(folder, "bridge.yaml"), os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="utf-8") as out:
        json.dump(registration, out)  # JSON is YAML
    return registration


class Store(Remembering, ASStateStore):
    """Its memory of rooms and of who is registered."""

    def __init__(self):
        MemoryStateStore.__init__(self)
        ASStateStore.__init__(self)


class Bridge:
    """Joins where its people are invited; keeps what it is told. Its bot does the encryption, as bridges' do."""

    def __init__(self, server, registration):
        self.heard, self.ephemeral, self.counts, self.changed, self.left = [], [], [], [], []
        self.registration, self.rooms = registration, Store()
        self.service = AppService(f"http://127.0.0.1:{server.port}", "school.example", registration["as_token"], registration["hs_token"],
                                  registration["sender_localpart"], registration["id"], state_store=self.rooms, ephemeral_events=True,
                                  encryption_events=True, bridge_name="bridge")
        keys = MemoryCryptoStore("bridge", "pickle")
        self.client = Client(base_url=f"http://127.0.0.1:{server.port}", mxid=self.service.bot_mxid, state_store=self.rooms, sync_store=keys)
        self.crypto = OlmMachine(self.client, keys, self.rooms)
        self.service.to_device_handler = self.crypto.handle_as_to_device_event
        self.service.otk_handler, self.service.device_list_handler = self._counts, self._lists
        self.service.matrix_event_handler(self._event)

    async def start(self):
        await self.service.start("127.0.0.1", int(self.registration["url"].rsplit(":", 1)[1]))
        await self.service.intent.ensure_registered()
        self.client.api.token = self.service.as_token
        await self.client.create_device_msc4190(device_id="", initial_display_name="the bridge's bot")
        await self.crypto.load()
        await self.crypto.share_keys()

    async def stop(self):
        await self.service.stop()
        await self.client.api.session.close()

    def ghost(self, name):
        return self.service.intent.user(f"{PREFIX}{name}{SUFFIX}")

    async def _counts(self, counts):
        self.counts.append(counts)
        await self.crypto.handle_as_otk_counts(counts)

    async def _lists(self, lists):
        self.changed += lists.changed
        self.left += lists.left
        await self.crypto.handle_as_device_lists(lists)

    async def _event(self, event):
        if event.type.is_ephemeral:
            self.ephemeral.append(event)
        elif event.type == EventType.ROOM_MEMBER:
            await self._member(event)
        elif event.type == EventType.ROOM_MESSAGE:
            self.heard.append((event.room_id, event.sender, event.content.body, False))
        elif event.type == EventType.ROOM_ENCRYPTED:
            await self._decrypt(event)

    async def _member(self, event):
        ours = event.state_key.startswith(PREFIX) or event.state_key == BOT
        if ours and event.content.membership == Membership.INVITE:
            intent = self.service.intent if event.state_key == BOT else self.service.intent.user(event.state_key)
            await intent.join_room(event.room_id)
        elif not ours:
            await self.crypto.handle_member_event(event)

    async def _decrypt(self, event):
        if event.sender == BOT:
            return
        try:
            said = await self.crypto.decrypt_megolm_event(event)
        except SessionNotFound as missing:
            assert await self.crypto.wait_for_session(event.room_id, missing.session_id, timeout=60), "no key came"
            said = await self.crypto.decrypt_megolm_event(event)
        self.heard.append((event.room_id, event.sender, said.content.body, True))

    async def hears(self, room, text):
        """(sender, whether it was decrypted) of what is heard once."""
        said = await until(lambda: [h for h in self.heard if (h[0], h[2]) == (room, text)], f"the bridge to hear {text}")
        assert len(said) == 1, said
        return said[0][1], said[0][3]

    async def write_encrypted(self, room, text):
        content = {"msgtype": "m.text", "body": text}
        if (await self.crypto.crypto_store.get_outbound_group_session(room)) is None:
            await self.crypto.share_group_session(room, await self.rooms.get_members_filtered(room, PREFIX, SUFFIX, BOT))
        return await self.client.send_message_event(
            room, EventType.ROOM_ENCRYPTED, await self.crypto.encrypt_megolm_event(room, EventType.ROOM_MESSAGE, content))


class World:
    def __init__(self, bridge, person):
        self.bridge, self.person, self.plain, self.secret = bridge, person, None, None


@step("it pings itself; its people register, have names, and nobody else is its own: no double puppets")
async def _register(w):
    assert await w.bridge.service.ping_self("hello") >= -1  # or it is refused; 0 ms are -1 to mautrix
    ann = w.bridge.ghost("ann")
    await ann.ensure_registered()
    await ann.set_displayname("Аня из сети")
    assert (await ann.whoami()).user_id == ann.mxid
    assert (await w.bridge.service.intent.get_profile(ann.mxid)).displayname == "Аня из сети"
    try:
        await w.bridge.service.intent.user(w.person.id).whoami()
        raise AssertionError("it acts as a person")
    except MForbidden:
        pass


@step("who is invited joins, and is told in order what is said, who types and who is there")
async def _told(w):
    ann = w.bridge.ghost("ann")
    sent = await w.person.client.room_create(invite=[ann.mxid], name="Разговор")
    w.plain = sent.room_id
    await until(lambda: w.plain in w.person.client.rooms and ann.mxid in w.person.client.rooms[w.plain].users, "the invitation to be there")
    await until(lambda: w.person.client.rooms[w.plain].joined_count == 2, "Ann to join")
    for i in range(20):
        await w.person.write(w.plain, f"строка {i}")
    assert await w.bridge.hears(w.plain, "строка 19") == (w.person.id, False)
    assert [h[2] for h in w.bridge.heard] == [f"строка {i}" for i in range(20)]
    await w.person.types(w.plain, True)
    await until(lambda: any(e.type == EventType.TYPING and w.person.id in e.content.user_ids for e in w.bridge.ephemeral), "who types")
    await w.person.client.set_presence("unavailable", "на уроке")
    await until(lambda: any(e.type == EventType.PRESENCE and e.sender == w.person.id and e.content.status_msg == "на уроке"
                            for e in w.bridge.ephemeral), "who is there")


@step("they write, at the time that the other network says, and it is read")
async def _writes(w):
    ann = w.bridge.ghost("ann")
    event = await ann.send_text(w.plain, "из другой сети", timestamp=1500000000000)
    said = await until(lambda: [t for t in w.person.texts.get(w.plain, []) if t[0] == "из другой сети"], "the person to read")
    assert [t[1] for t in said] == [event]
    assert (await ann.get_event(w.plain, event)).timestamp == 1500000000000


@step("its bot talks encrypted: keys of who is there, both ways, and its own are filled up when one was claimed")
async def _encrypted(w):
    bot = w.bridge.service.intent
    w.secret = (await bot.create_room(invitees=[w.person.id], preset=RoomCreatePreset.TRUSTED_PRIVATE, initial_state=ENCRYPTED))
    await w.person.join_when_invited(w.secret)
    await until(lambda: w.person.id in w.bridge.changed, "the newcomer's keys to be told of")
    async def there():
        member = await w.bridge.rooms.get_member(w.secret, w.person.id)
        return member is not None and member.membership == Membership.JOIN
    await until(there, "the bridge to know who is there")
    event = await w.bridge.write_encrypted(w.secret, "Тайна")
    said = await until(lambda: w.person.texts.get(w.secret), "the person to read")
    assert said == [("Тайна", event, True)], said
    await w.person.client.keys_query() if w.person.client.should_query_keys else None
    await w.person.write(w.secret, "Ответ")
    assert await w.bridge.hears(w.secret, "Ответ") == (w.person.id, True)
    assert w.bridge.left == []


@step("a stranger's claim of a key is told, and the key replaced")
async def _claims(w):
    half = w.bridge.crypto.account.max_one_time_keys // 2
    before = len(w.bridge.counts)
    claimed = await w.person.client.keys_claim({BOT: [w.bridge.client.device_id]})
    assert claimed.one_time_keys[BOT], claimed
    counted = await until(lambda: w.bridge.counts[before:], "the count")
    assert counted[0][BOT][w.bridge.client.device_id].signed_curve25519 == half - 1, counted
    async def filled():
        return (await w.bridge.client.upload_keys()).get(EncryptionKeyAlgorithm.SIGNED_CURVE25519, 0) == half
    await until(filled, "keys to be filled up")


@step("who leaves is needed no more")
async def _leaves(w):
    await w.person.client.room_leave(w.secret)
    await until(lambda: w.bridge.left == [w.person.id], "who left")


async def tell(tap, server, registration):
    server.make_user("seeker")
    bridge = Bridge(server, registration)
    await bridge.start()
    world = World(bridge, await Nio.enter(server, "seeker"))
    for name, fn in STEPS:
        try:
            await asyncio.wait_for(fn(world), 120)
            tap.ok(True, f"a bridge of mautrix's: {name}")
        except Exception:  # noqa: BLE001
            tap.ok(False, f"a bridge of mautrix's: {name}", *traceback.format_exc().splitlines()[-12:])
    await world.person.leave()
    await bridge.stop()
