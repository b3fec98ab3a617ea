"""What two people with these clients do with each other, each pair of clients the same."""
import random
import struct
import traceback
import zlib

from adapters import Mautrix, Nio, checked, until

STEPS = []


def step(name):
    def note(fn):
        STEPS.append((name, fn))
        return fn
    return note


def png(side):
    """A picture of noise, the same each time."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    dice = random.Random(side)
    rows = b"".join(b"\0" + dice.randbytes(3 * side) for _ in range(side))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


PICTURE = png(400)


class Chat:
    """Two people in a room."""

    def __init__(self, a, b):
        self.a, self.b, self.plain, self.secret = a, b, None, None

    async def open(self, encrypted):
        room = await self.a.create(self.b, encrypted)
        await self.b.join_when_invited(room)
        await self.a.knows(room, self.b)
        await self.b.knows(room, self.a)
        return room

    async def hears(self, who, room, text):
        """(event id, whether it was decrypted)."""
        said = await until(lambda: [t for t in who.texts.get(room, []) if t[0] == text], f"{who.name} to read {text}")
        assert len(said) == 1, f"{who.name} read {text} {len(said)} times"
        return said[0][1:]


@step("they sign in: who they are, their devices, their names, that they are there")
async def _enter(chat):
    for who in (chat.a, chat.b):
        assert await who.who_am_i() == who.id
        assert f"{who.name}'s {who.kind.removeprefix('matrix-')}" in await who.devices()
        assert await who.profile(f"Имя {who.name}") == f"Имя {who.name}"
        assert await who.presence(who) == "online"


@step("one invites, the other joins; they write and read, and page back; a word is taken back")
async def _talk(chat):
    chat.plain = room = await chat.open(encrypted=False)
    first = await chat.a.write(room, "Здравствуй")
    event, decrypted = await chat.hears(chat.b, room, "Здравствуй")
    assert (event, decrypted) == (first, False)
    await chat.b.write(room, "И тебе")
    await chat.hears(chat.a, room, "И тебе")
    for who in (chat.a, chat.b):
        assert {"Здравствуй", "И тебе"} <= set(await who.history(room))
    await chat.a.take_back(room, first)
    async def gone():
        return "Здравствуй" not in await chat.b.history(room)
    await until(gone, "the word to be gone")


@step("who types and who has read is seen, and that they type no more")
async def _signs(chat):
    for one, other in ((chat.a, chat.b), (chat.b, chat.a)):
        await one.types(chat.plain, True)
        await until(lambda: one.id in other.typing.get(chat.plain, []), f"{other.name} to see who types")
        await one.types(chat.plain, False)
        await until(lambda: one.id not in other.typing[chat.plain], f"{other.name} to see that nobody types")
        event = await other.write(chat.plain, f"Прочти, {one.name}")
        await chat.hears(one, chat.plain, f"Прочти, {one.name}")
        await one.has_read(chat.plain, event)
        await until(lambda: other.read_up_to.get((chat.plain, one.id)) == event, f"{other.name} to see that it is read")


@step("a picture is seen, and its thumbnail")
async def _picture(chat):
    for one, other in ((chat.a, chat.b), (chat.b, chat.a)):
        other.pictures.pop(chat.plain, None)
        await one.show(chat.plain, PICTURE, encrypted=False)
        assert await other.picture(chat.plain) == PICTURE
        small = await other.thumbnail(chat.plain)
        assert small[:4] in (b"\x89PNG", b"\xff\xd8\xff\xe0", b"RIFF") and len(small) < len(PICTURE) / 4, (small[:8], len(small))


@step("they talk encrypted, both ways, and the server sees none of it")
async def _secret(chat):
    chat.secret = room = await chat.open(encrypted=True)
    for one, other, text in ((chat.a, chat.b, "Тайна"), (chat.b, chat.a, "Ответ"), (chat.a, chat.b, "Ещё одна")):
        event = await one.write(room, text)
        seen, decrypted = await chat.hears(other, room, text)
        assert (seen, decrypted) == (event, True)
    assert not {"Тайна", "Ответ", "Ещё одна"} & set(await chat.a.history(room) if chat.a.kind == "mautrix" else [])


@step("a picture of an encrypted chat is seen")
async def _secret_picture(chat):
    for one, other in ((chat.a, chat.b), (chat.b, chat.a)):
        other.pictures.pop(chat.secret, None)
        await one.show(chat.secret, PICTURE, encrypted=True)
        assert await other.picture(chat.secret) == PICTURE


async def sas(chat):
    """matrix-nio's own way of verifying, with messages to devices; it sends its own replies with the next sync."""
    a, b = chat.a.client, chat.b.client
    device = next(iter(a.device_store.active_user_devices(chat.b.id)))
    checked(await a.start_key_verification(device))
    transaction = await until(lambda: next(iter(b.key_verifications), None), "the other to be asked")
    ours, theirs = a.key_verifications[transaction], b.key_verifications[transaction]
    checked(await b.accept_key_verification(transaction))
    for sas in (ours, theirs):
        await until(lambda sas=sas: sas.established_sas is not None, "the other's key")
    assert ours.get_emoji() == theirs.get_emoji() and len(ours.get_emoji()) == 7
    for client in (a, b):
        checked(await client.confirm_short_auth_string(transaction))
    await until(lambda: ours.verified and theirs.verified, "both to be verified")
    assert a.device_store[chat.b.id][device.id].verified


async def tell(tap, server):
    for first, second in ((Nio, Mautrix), (Mautrix, Nio), (Nio, Nio)):
        names = f"{first.kind} and {second.kind}"
        short = f"{first.__name__}{second.__name__}".lower()
        for side in "ab":
            server.make_user(f"{short}{side}")
        chat = Chat(await first.enter(server, f"{short}a"), await second.enter(server, f"{short}b"))
        steps = STEPS + ([("they verify each other by SAS", sas)] if first is second is Nio else [])
        for name, fn in steps:
            try:
                await fn(chat)
                tap.ok(True, f"{names}: {name}")
            except Exception:  # noqa: BLE001
                tap.ok(False, f"{names}: {name}", traceback.format_exc())
        await chat.a.leave()
        await chat.b.leave()
