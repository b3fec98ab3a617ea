//! What Element X is made of, against a real server: SyncService and RoomListService of matrix-sdk-ui, rooms, keys and
//! pictures of matrix-sdk.
//!
//!     rust-sdk-story URL CERTIFICATE NAME…      people who are there, each with the password NAME-password
//!
//! URL is https, as everywhere outside of tests: the library ends no session at an address by http. CERTIFICATE: the file (PEM) with
//! the server's, which is trusted alone.
//!
//! TAP on standard output. Two lines ask whoever started it for something, who answers with a line: "# restart" to restart the
//! server, and "# browse …" to be a browser (src/oauth.rs).
#![recursion_limit = "256"]

mod oauth;

use std::{error::Error, fmt::Debug, future::Future, io::BufRead, sync::OnceLock, time::Duration};

use futures_util::StreamExt;
use matrix_sdk::{
    Client, Room, RoomState,
    attachment::AttachmentConfig,
    encryption::{
        BackupDownloadStrategy, EncryptionSettings, VerificationState,
        verification::{SasState, SasVerification, Verification, VerificationRequest, VerificationRequestState},
    },
    media::{MediaFormat, MediaRequestParameters},
    reqwest::Certificate,
    ruma::{
        OwnedRoomId, RoomId, UserId,
        events::{key::verification::request::ToDeviceKeyVerificationRequestEvent, room::message::{MessageType, RoomMessageEventContent}},
    },
    sliding_sync::VersionBuilder,
};
use matrix_sdk_ui::{
    room_list_service::{RoomListLoadingState, filters::new_filter_all},
    sync_service::{State, SyncService},
    timeline::{RoomExt, Timeline},
};
use tokio::time::{Instant, sleep, timeout};

const PATIENCE: Duration = Duration::from_secs(30);
static TRUSTED: OnceLock<Certificate> = OnceLock::new();

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Polls until fn answers something.
async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut fn_: impl FnMut() -> F) -> Outcome<T> {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = fn_().await {
            return Ok(value);
        }
        if Instant::now() > end {
            return Err(format!("waited in vain for {what}").into());
        }
        sleep(Duration::from_millis(20)).await;
    }
}

async fn new_client(url: &str) -> Outcome<Client> {
    Ok(Client::builder()
        .homeserver_url(url)
        .add_root_certificates(vec![TRUSTED.get().expect("read").clone()])
        .disable_built_in_root_certificates()
        .sliding_sync_version_builder(VersionBuilder::DiscoverNative)
        .with_encryption_settings(EncryptionSettings {
            auto_enable_cross_signing: true,
            auto_enable_backups: true,
            backup_download_strategy: BackupDownloadStrategy::AfterDecryptionFailure,
        })
        .build()
        .await?)
}

/// A device that syncs as Element X does.
struct Device {
    client: Client,
    sync: SyncService,
    requests: tokio::sync::Mutex<tokio::sync::mpsc::UnboundedReceiver<VerificationRequest>>,
}

impl Device {
    async fn enter(url: &str, name: &str, device: &str) -> Outcome<Self> {
        let client = new_client(url).await?;
        client.matrix_auth().login_username(name, &format!("{name}-password")).initial_device_display_name(device).send().await?;
        Self::of(client).await
    }

    /// Of a client that is signed in, however it was.
    async fn of(client: Client) -> Outcome<Self> {
        client.encryption().wait_for_e2ee_initialization_tasks().await;
        client.event_cache().subscribe()?;
        let (asked, requests) = tokio::sync::mpsc::unbounded_channel();
        client.add_event_handler(move |event: ToDeviceKeyVerificationRequestEvent, client: Client| {
            let asked = asked.clone();
            async move {
                if let Some(request) = client.encryption().get_verification_request(&event.sender, &event.content.transaction_id).await {
                    let _ = asked.send(request);
                }
            }
        });
        let sync = SyncService::builder(client.clone()).with_offline_mode().build().await?;
        sync.start().await;
        let device = Self { client, sync, requests: requests.into() };
        device.is_loaded().await?;
        Ok(device)
    }

    async fn is_loaded(&self) -> Outcome<u32> {
        let list = self.sync.room_list_service().all_rooms().await?;
        until("the room list", || async {
            match list.loading_state().get() {
                RoomListLoadingState::Loaded { maximum_number_of_rooms } => maximum_number_of_rooms,
                RoomListLoadingState::NotLoaded => None,
            }
        })
        .await
    }

    fn id(&self) -> &UserId {
        self.client.user_id().expect("signed in")
    }

    async fn room(&self, id: &RoomId, state: RoomState) -> Outcome<Room> {
        until("the room", || async { self.client.get_room(id).filter(|room| room.state() == state) }).await
    }

    /// Opens the room as an app does that shows it: with a subscription, and a timeline.
    async fn open(&self, id: &RoomId) -> Outcome<Timeline> {
        self.sync.room_list_service().subscribe_to_rooms(&[id]).await;
        Ok(self.room(id, RoomState::Joined).await?.timeline().await?)
    }
}

/// The message of that text, when it is there in clear.
async fn read(timeline: &Timeline, text: &str) -> Outcome<MessageType> {
    until(text, || async {
        timeline.items().await.iter().find_map(|item| {
            let message = item.as_event()?.content().as_message()?;
            (message.body() == text).then(|| message.msgtype().clone())
        })
    })
    .await
}

async fn write(timeline: &Timeline, text: &str) -> Outcome<()> {
    timeline.send(RoomMessageEventContent::text_plain(text).into()).await?;
    Ok(())
}

struct Tap {
    cases: u32,
    failed: u32,
}

impl Tap {
    async fn case<T>(&mut self, name: &str, told: impl Future<Output = Outcome<T>>) -> Option<T> {
        self.cases += 1;
        let outcome = timeout(4 * PATIENCE, told).await.unwrap_or_else(|_| Err("it does not end".into()));
        match outcome {
            Ok(value) => {
                println!("ok {} - {name}", self.cases);
                Some(value)
            }
            Err(error) => {
                self.failed += 1;
                println!("not ok {} - {name}\n#   {error}", self.cases);
                None
            }
        }
    }
}

fn same<T: PartialEq + Debug>(got: T, wanted: T) -> Outcome<()> {
    if got == wanted { Ok(()) } else { Err(format!("{got:?} is not {wanted:?}").into()) }
}

/// A direct chat as "start chat" makes it: encrypted; the other sees the invitation in the list, and joins.
async fn chat(anna: &Device, boris: &Device) -> Outcome<OwnedRoomId> {
    let made = anna.client.create_dm(boris.id()).await?;
    let id = made.room_id().to_owned();
    let invite = boris.room(&id, RoomState::Invited).await?;
    same(invite.invite_details().await?.inviter.map(|m| m.user_id().to_owned()), Some(anna.id().to_owned()))?;
    let list = boris.sync.room_list_service().all_rooms().await?;
    let (entries, shown) = list.entries_with_dynamic_adapters(20);
    shown.set_filter(Box::new(new_filter_all(vec![])));
    let mut entries = Box::pin(entries);
    let listed = timeout(PATIENCE, async {
        while let Some(diffs) = entries.next().await {
            if format!("{diffs:?}").contains(id.as_str()) {
                return true;
            }
        }
        false
    })
    .await?;
    same(listed, true)?;
    same(boris.client.invited_rooms().len(), 1)?;
    invite.join().await?;
    boris.room(&id, RoomState::Joined).await?;
    same(boris.client.get_room(&id).expect("joined").latest_encryption_state().await?.is_encrypted(), true)?;
    Ok(id)
}

async fn talk(a: &Timeline, b: &Timeline) -> Outcome<()> {
    for (from, to, text) in [(a, b, "Тайна"), (b, a, "Ответ"), (a, b, "Ещё одна")] {
        write(from, text).await?;
        read(to, text).await?;
    }
    Ok(())
}

async fn picture(anna: &Device, boris: &Device, room: &RoomId, shown: &Timeline) -> Outcome<()> {
    let data: Vec<u8> = b"\x89PNG\r\n\x1a\n".iter().copied().chain((0..60_000u32).map(|n| (n * 7 % 251) as u8)).collect();
    anna.room(room, RoomState::Joined)
        .await?
        .send_attachment("урок.png", &"image/png".parse()?, data.clone(), AttachmentConfig::new())
        .await?;
    let MessageType::Image(image) = read(shown, "урок.png").await? else { return Err("no picture".into()) };
    let request = MediaRequestParameters { source: image.source, format: MediaFormat::File };
    same(boris.client.media().get_media_content(&request, false).await? == data, true)
}

async fn sas_of(request: &VerificationRequest) -> Outcome<SasVerification> {
    until("the other side to begin", || async {
        match request.state() {
            VerificationRequestState::Transitioned { verification: Verification::SasV1(sas) } => Some(sas),
            _ => None,
        }
    })
    .await
}

async fn emoji_of(sas: &SasVerification) -> Outcome<Vec<&'static str>> {
    until("emoji", || async { sas.emoji().map(|all| all.iter().map(|one| one.symbol).collect()) }).await
}

/// The new device asks, the old one accepts; both see the same; then the new one is verified, and has the secrets.
async fn verify(old: &Device, new: &Device) -> Outcome<()> {
    let me = until("one's own identity", || async { new.client.encryption().request_user_identity(new.id()).await.ok().flatten() }).await?;
    let asked = me.request_verification().await?;
    let seen = timeout(PATIENCE, async { old.requests.lock().await.recv().await }).await?.ok_or("nobody asks")?;
    seen.accept().await?;
    until("the old device to accept", || async { asked.is_ready().then_some(()) }).await?;
    let ours = asked.start_sas().await?.ok_or("no SAS")?;
    let theirs = sas_of(&seen).await?;
    theirs.accept().await?;
    same(emoji_of(&ours).await?, emoji_of(&theirs).await?)?;
    ours.confirm().await?;
    theirs.confirm().await?;
    until("both to be done", || async { (matches!(ours.state(), SasState::Done { .. }) && theirs.is_done()).then_some(()) }).await?;
    until("the new device to be verified", || async {
        (new.client.encryption().verification_state().get() == VerificationState::Verified).then_some(())
    })
    .await
}

/// A lost phone: what was said comes back from the server's backup with the recovery key.
async fn recover(url: &str, boris: &Device, anna: &Timeline, room: &RoomId) -> Outcome<()> {
    let key = boris.client.encryption().recovery().enable().wait_for_backups_to_upload().await?;
    let name = boris.id().localpart().to_owned();
    let fresh = Device::enter(url, &name, "Boris's new phone").await?;
    let timeline = fresh.open(room).await?;
    fresh.client.encryption().recovery().recover(&key).await?;
    timeline.paginate_backwards(50).await?;
    read(&timeline, "Тайна").await?;
    write(anna, "На новый телефон").await?;
    read(&timeline, "На новый телефон").await?;
    fresh.sync.stop().await;
    Ok(())
}

/// After the server was away for a moment all goes on by itself, encryption too.
async fn restart(anna: &Device, boris: &Device, a: &Timeline, b: &Timeline) -> Outcome<()> {
    println!("# restart");
    tokio::task::spawn_blocking(|| std::io::stdin().lock().lines().next()).await?;
    for device in [anna, boris] {
        until("the sync to run again", || async {
            match device.sync.state().get() {
                State::Running => Some(()),
                State::Offline => None,
                _ => {
                    device.sync.start().await;
                    None
                }
            }
        })
        .await?;
    }
    write(a, "Сервер снова тут").await?;
    read(b, "Сервер снова тут").await?;
    write(b, "Вижу").await?;
    read(a, "Вижу").await?;
    Ok(())
}

async fn story(tap: &mut Tap, url: &str, names: &[String]) -> Option<()> {
    let anna = tap.case("Anna signs in, and her room list loads", Device::enter(url, &names[0], "Anna's phone")).await?;
    let boris = tap.case("Boris signs in", Device::enter(url, &names[1], "Boris's phone")).await?;
    let room = tap.case("a direct chat: encrypted, seen as an invitation in the list, joined", chat(&anna, &boris)).await?;
    let (a, b) = tap.case("both open the room", async { Ok((anna.open(&room).await?, boris.open(&room).await?)) }).await?;
    tap.case("they talk encrypted", talk(&a, &b)).await;
    tap.case("a picture is sent and seen", picture(&anna, &boris, &room, &b)).await;
    tap.case("a receipt is seen by who wrote", async {
        b.mark_as_read(matrix_sdk::ruma::api::client::receipt::create_receipt::v3::ReceiptType::Read).await?;
        until("the receipt", || async {
            a.items().await.iter().any(|item| item.as_event().is_some_and(|event| event.read_receipts().contains_key(boris.id()))).then_some(())
        })
        .await
    })
    .await;
    let tablet = tap.case("Anna signs in on a tablet", Device::enter(url, &names[0], "Anna's tablet")).await?;
    tap.case("phone and tablet verify each other by SAS", verify(&anna, &tablet)).await;
    tap.case("what is said now is read on the tablet, too", async {
        let shown = tablet.open(&room).await?;
        write(&b, "На оба").await?;
        read(&shown, "На оба").await?;
        read(&a, "На оба").await
    })
    .await;
    tap.case("a new phone restores from the backup", recover(url, &boris, &a, &room)).await;
    tap.case("the server restarts, and all goes on", restart(&anna, &boris, &a, &b)).await;
    oauth::story(tap, url, &names[2], &boris).await;
    for device in [&anna, &boris, &tablet] {
        device.sync.stop().await;
    }
    tap.case("they sign out", async {
        for device in [&anna, &boris, &tablet] {
            device.client.matrix_auth().logout().await?;
        }
        Ok(())
    })
    .await
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let pem = std::fs::read(&arguments[1]).expect("a file");
    TRUSTED.set(Certificate::from_pem(&pem).expect("a certificate")).expect("nobody else does");
    let mut tap = Tap { cases: 0, failed: 0 };
    story(&mut tap, &arguments[0], &arguments[2..]).await;
    println!("1..{}", tap.cases);
    std::process::exit((tap.failed > 0) as i32);
}
