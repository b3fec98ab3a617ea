"""matrix-nio and mautrix under one face: somebody signed in with one of them, who syncs all the time."""
import asyncio
import os
import time

import nio
from mautrix.client import Client as MautrixClient
from mautrix.client import InternalEventType
from mautrix.client.state_store import MemoryStateStore
from mautrix.crypto import MemoryCryptoStore, OlmMachine
from mautrix.crypto import StateStore as CryptoStateStore
from mautrix.crypto.attachments import decrypt_attachment, encrypt_attachment
from mautrix.types import EventType, MediaMessageEventContent, MessageType, PaginationDirection, PresenceState, RoomCreatePreset

PATIENCE_S = 60
MEGOLM = {"algorithm": "m.megolm.v1.aes-sha2"}
ENCRYPTED = [{"type": "m.room.encryption", "state_key": "", "content": MEGOLM}]


async def until(fn, what):
    """Waits until fn (which may be a coroutine function) answers something true."""
    end = time.monotonic() + PATIENCE_S
    while True:
        value = fn()
        value = await value if asyncio.iscoroutine(value) else value
        if value:
            return value
        if time.monotonic() > end:
            raise RuntimeError(f"waited in vain for {what}")
        await asyncio.sleep(0.01)


class Nio:
    """Somebody with matrix-nio."""

    kind = "matrix-nio"

    @classmethod
    async def enter(cls, server, name):
        self = cls()
        self.name, self.texts, self.pictures, self.typing, self.read_up_to = name, {}, {}, {}, {}
        store = os.path.join(server.folder, f"nio-{name}")
        os.makedirs(store, exist_ok=True)
        self.client = nio.AsyncClient(f"http://127.0.0.1:{server.port}", name, store_path=store,
                                      config=nio.AsyncClientConfig(encryption_enabled=True, store_sync_tokens=True))
        self.id = checked(await self.client.login(f"{name}-password", device_name=f"{name}'s nio")).user_id
        self.client.add_event_callback(self._heard, (nio.RoomMessageText, nio.RoomMessageImage, nio.RoomEncryptedImage))
        self.client.add_ephemeral_callback(self._sign, (nio.TypingNoticeEvent, nio.ReceiptEvent))
        self.syncing = asyncio.create_task(self.client.sync_forever(timeout=5000, full_state=True))
        await until(lambda: self.client.next_batch and not self.client.should_upload_keys, f"{name} to sync")
        return self

    async def _heard(self, room, event):
        if isinstance(event, nio.RoomMessageText):
            self.texts.setdefault(room.room_id, []).append((event.body, event.event_id, event.decrypted))
        else:
            self.pictures.setdefault(room.room_id, []).append(event)

    async def _sign(self, room, event):
        if isinstance(event, nio.TypingNoticeEvent):
            self.typing[room.room_id] = list(event.users)
        else:
            self.read_up_to.update({(room.room_id, receipt.user_id): receipt.event_id for receipt in event.receipts})

    async def leave(self):
        self.syncing.cancel()
        await asyncio.gather(self.syncing, return_exceptions=True)
        await self.client.close()

    async def create(self, other, encrypted):
        return checked(await self.client.room_create(invite=[other.id], preset=nio.RoomPreset.trusted_private_chat, is_direct=True,
                                                     name="Разговор", initial_state=ENCRYPTED if encrypted else [])).room_id

    async def join_when_invited(self, room):
        await until(lambda: room in self.client.invited_rooms, f"{self.name}'s invitation")
        checked(await self.client.join(room))
        await until(lambda: room in self.client.rooms, f"{self.name} to be in the room")

    async def knows(self, room, other):
        await until(lambda: room in self.client.rooms and other.id in self.client.rooms[room].users
                    and not self.client.users_for_key_query, f"{self.name} to know who is there")

    async def write(self, room, text):
        return await self._send(room, {"msgtype": "m.text", "body": text})

    async def _send(self, room, content):
        sent = await self.client.room_send(room, "m.room.message", content, ignore_unverified_devices=True)
        return checked(sent).event_id

    async def show(self, room, picture, encrypted):
        path = os.path.join(self.client.store_path, "picture")
        with open(path, "wb") as out:
            out.write(picture)
        with open(path, "rb") as data:
            uploaded, keys = await self.client.upload(data, "image/png", "урок.png", encrypt=encrypted, filesize=len(picture))
        uri = checked(uploaded).content_uri
        content = {"msgtype": "m.image", "body": "урок.png", "info": {"mimetype": "image/png", "size": len(picture)}}
        content.update({"file": {**keys, "url": uri}} if encrypted else {"url": uri})
        return await self._send(room, content)

    async def picture(self, room):
        event = (await until(lambda: self.pictures.get(room), f"{self.name} to see a picture"))[-1]
        data = checked(await self.client.download(event.url)).body
        if isinstance(event, nio.RoomEncryptedImage):
            data = nio.crypto.decrypt_attachment(data, event.key["k"], event.hashes["sha256"], event.iv)
        return data

    async def thumbnail(self, room):
        server, media = self.pictures[room][-1].url.removeprefix("mxc://").split("/")
        return checked(await self.client.thumbnail(server, media, 32, 32)).body

    async def types(self, room, yes):
        checked(await self.client.room_typing(room, yes))

    async def has_read(self, room, event):
        checked(await self.client.room_read_markers(room, event, event))

    async def devices(self):
        return [device.display_name for device in checked(await self.client.devices()).devices]

    async def history(self, room):
        return [event.body for event in checked(await self.client.room_messages(room, self.client.next_batch, limit=50)).chunk
                if isinstance(event, nio.RoomMessageText)]

    async def profile(self, name):
        checked(await self.client.set_displayname(name))
        return checked(await self.client.get_profile()).displayname

    async def presence(self, other):
        checked(await self.client.set_presence("online", "в классе"))
        return checked(await self.client.get_presence(other.id)).presence

    async def who_am_i(self):
        return checked(await self.client.whoami()).user_id

    async def take_back(self, room, event):
        checked(await self.client.room_redact(room, event, "опечатка"))


def checked(answer):
    if isinstance(answer, nio.ErrorResponse):
        raise RuntimeError(f"{type(answer).__name__}: {answer.status_code} {answer.message}")
    return answer


class Remembering(MemoryStateStore, CryptoStateStore):
    """mautrix's memory of rooms, as its encryption wants it."""

    async def find_shared_rooms(self, user_id):
        return [room for room, members in self.members.items() if user_id in members]


class Mautrix:
    """Somebody with mautrix-python."""

    kind = "mautrix"

    @classmethod
    async def enter(cls, server, name):
        self = cls()
        self.name, self.texts, self.pictures, self.typing, self.read_up_to = name, {}, {}, {}, {}
        self.invited, self.synced = set(), asyncio.Event()
        keys = MemoryCryptoStore(name, "pickle")
        self.client = MautrixClient(base_url=f"http://127.0.0.1:{server.port}", state_store=Remembering(), sync_store=keys)
        login = await self.client.login(name, password=f"{name}-password", initial_device_display_name=f"{name}'s mautrix")
        self.id = login.user_id
        self.client.crypto = OlmMachine(self.client, keys, self.client.state_store)
        await self.client.crypto.load()
        await keys.put_device_id(login.device_id)
        self.client.add_event_handler(EventType.ROOM_MESSAGE, self._heard)
        self.client.add_event_handler(EventType.ROOM_MEMBER, self._member)
        self.client.add_event_handler(EventType.TYPING, self._types)
        self.client.add_event_handler(EventType.RECEIPT, self._receipt)
        self.client.add_event_handler(InternalEventType.SYNC_SUCCESSFUL, self._synced)
        self.client.start(None)
        await asyncio.wait_for(self.synced.wait(), PATIENCE_S)
        await until(lambda: self.client.crypto.account.shared, f"{name} to have sent keys")
        return self

    async def _synced(self, _):
        self.synced.set()

    async def _heard(self, event):
        if event.content.msgtype == MessageType.TEXT:
            decrypted = bool(getattr(event, "mautrix", None) or event.get("mautrix", None))
            self.texts.setdefault(event.room_id, []).append((event.content.body, event.event_id, decrypted))
        elif event.content.msgtype == MessageType.IMAGE:
            self.pictures.setdefault(event.room_id, []).append(event)

    async def _member(self, event):
        if event.state_key == self.id and event.content.membership.value == "invite":
            self.invited.add(event.room_id)

    async def _types(self, event):
        self.typing[event.room_id] = list(event.content.user_ids)

    async def _receipt(self, event):
        for read, kinds in event.content.items():
            for readers in kinds.values():
                self.read_up_to.update({(event.room_id, who): read for who in readers})

    async def leave(self):
        self.client.stop()
        await self.client.api.session.close()

    async def create(self, other, encrypted):
        return await self.client.create_room(invitees=[other.id], preset=RoomCreatePreset.TRUSTED_PRIVATE, is_direct=True, name="Разговор",
                                             initial_state=ENCRYPTED if encrypted else [])

    async def join_when_invited(self, room):
        await until(lambda: room in self.invited, f"{self.name}'s invitation")
        await self.client.join_room(room)
        await self.knows(room, self)

    async def knows(self, room, other):
        async def there():
            member = await self.client.state_store.get_member(room, other.id)
            return member is not None and member.membership.value == "join"
        await until(there, f"{self.name} to know who is there")

    async def write(self, room, text):
        return await self.client.send_text(room, text)

    async def show(self, room, picture, encrypted):
        content = MediaMessageEventContent(msgtype=MessageType.IMAGE, body="урок.png")
        if encrypted:
            data, content.file = encrypt_attachment(picture)
            content.file.url = await self.client.upload_media(data, "application/octet-stream")
        else:
            content.url = await self.client.upload_media(picture, "image/png", "урок.png")
        return await self.client.send_message(room, content)

    async def picture(self, room):
        content = (await until(lambda: self.pictures.get(room), f"{self.name} to see a picture"))[-1].content
        if content.file:
            data = await self.client.download_media(content.file.url)
            return decrypt_attachment(data, content.file.key.key, content.file.hashes["sha256"], content.file.iv)
        return await self.client.download_media(content.url)

    async def thumbnail(self, room):
        return await self.client.download_thumbnail(self.pictures[room][-1].content.url, 32, 32)

    async def types(self, room, yes):
        await self.client.set_typing(room, 10000 if yes else 0)

    async def has_read(self, room, event):
        await self.client.set_fully_read_marker(room, event, event)

    async def devices(self):
        reply = await self.client.api.request("GET", "/_matrix/client/v3/devices")
        return [device.get("display_name") for device in reply["devices"]]

    async def history(self, room):
        page = await self.client.get_messages(room, PaginationDirection.BACKWARD, from_token=None, limit=50)
        return [event.content.body for event in page.events if event.type == EventType.ROOM_MESSAGE and event.content.body]

    async def profile(self, name):
        await self.client.set_displayname(name)
        return (await self.client.get_profile(self.id)).displayname

    async def presence(self, other):
        await self.client.set_presence(PresenceState.ONLINE, "в классе")
        return (await self.client.get_presence(other.id)).presence.value

    async def who_am_i(self):
        return (await self.client.whoami()).user_id

    async def take_back(self, room, event):
        await self.client.redact(room, event, "опечатка")
