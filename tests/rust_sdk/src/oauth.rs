//! Signing in by OAuth 2.0 as Element X does it: the client registers itself and sends its person to the server's pages; by a QR
//! code that one device shows and the other scans; and what is done with such a session.
use matrix_sdk::{
    authentication::oauth::{
        ClientRegistrationData,
        qrcode::{GeneratedQrProgress, GrantLoginProgress, LoginProgress, QrCodeData, QrProgress},
        registration::{ApplicationType, ClientMetadata, Localized, OAuthGrantType},
    },
    encryption::CrossSigningResetAuthType,
    reqwest::Url,
    ruma::{
        api::client::discovery::get_authorization_server_metadata::v1::{AccountManagementActionData, DeviceDeleteData},
        serde::Raw,
    },
    store::RoomLoadSettings,
};
use tokio::sync::{mpsc, oneshot};

use super::*;

const BACK: &str = "com.example.app:/";

fn app() -> Outcome<ClientRegistrationData> {
    let grants = vec![OAuthGrantType::AuthorizationCode { redirect_uris: vec![Url::parse(BACK)?] }, OAuthGrantType::DeviceCode];
    let mut metadata = ClientMetadata::new(ApplicationType::Native, grants, Localized::new(Url::parse("https://app.example.com/")?, None));
    metadata.client_name = Some(Localized::new("Приложение".to_owned(), None));
    Ok(ClientRegistrationData::new(Raw::new(&metadata)?))
}

/// A browser without JavaScript, which whoever started this has: it opens the address as name, who does there what is said: allow,
/// deny, prove (by the password). Where it is sent then.
async fn browse(name: &str, what: &str, address: &Url) -> Outcome<Url> {
    println!("# browse {name} {what} {address}");
    let line = tokio::task::spawn_blocking(|| std::io::stdin().lock().lines().next()).await?.ok_or("nobody browses")??;
    Url::parse(&line).map_err(|_| line.into())
}

async fn asked(url: &str, name: &str, what: &str) -> Outcome<(Client, Url)> {
    let client = new_client(url).await?;
    let question = client.oauth().login(Url::parse(BACK)?, None, Some(app()?), None).build().await?;
    let answer = browse(name, what, &question.url).await?;
    Ok((client, answer))
}

async fn signed_in(url: &str, name: &str) -> Outcome<Client> {
    let (client, answer) = asked(url, name, "allow").await?;
    client.oauth().finish_login(answer.into()).await?;
    Ok(client)
}

async fn is_signed_out(client: &Client) -> Outcome<()> {
    match client.whoami().await {
        Ok(_) => Err("it is signed in still".into()),
        Err(error) => same(error.as_client_api_error().map(|e| e.status_code.as_u16()), Some(401)),
    }
}

async fn decline(url: &str, name: &str) -> Outcome<()> {
    let (client, answer) = asked(url, name, "deny").await?;
    let error = client.oauth().finish_login(answer.into()).await.err().ok_or("it is signed in")?;
    same(format!("{error:?}").contains("Cancelled"), true).map_err(|_| format!("{error:?}").into())
}

async fn refresh(device: &Device) -> Outcome<()> {
    let before = device.client.session_tokens().ok_or("no tokens")?;
    device.client.oauth().refresh_access_token().await?;
    let after = device.client.session_tokens().ok_or("no tokens")?;
    same(before.refresh_token.is_some() && after.refresh_token.is_some(), true)?;
    same(before.access_token != after.access_token && before.refresh_token != after.refresh_token, true)?;
    same(device.client.whoami().await?.user_id.as_str(), device.id().as_str())
}

/// What was stolen before a refresh: two have the token, so the session ends, for both.
async fn theft(url: &str, name: &str) -> Outcome<()> {
    let owner = signed_in(url, name).await?;
    let stolen = owner.oauth().full_session().ok_or("no session")?;
    owner.oauth().refresh_access_token().await?;
    owner.whoami().await?;
    let thief = new_client(url).await?;
    thief.oauth().restore_session(stolen, RoomLoadSettings::default()).await?;
    same(thief.oauth().refresh_access_token().await.is_err(), true)?;
    is_signed_out(&owner).await?;
    same(owner.oauth().refresh_access_token().await.is_err(), true)
}

/// The device that shows the picture: a person holds it before the other's camera, and types the two digits that the other shows.
struct Shows {
    camera: Option<oneshot::Sender<QrCodeData>>,
    digits: mpsc::UnboundedReceiver<u8>,
}

impl Shows {
    async fn goes_on(&mut self, progress: GeneratedQrProgress) -> Outcome<()> {
        match progress {
            GeneratedQrProgress::QrReady(picture) => {
                let camera = self.camera.take().ok_or("it is shown twice")?;
                camera.send(picture).map_err(|_| "nobody scans".into())
            }
            GeneratedQrProgress::QrScanned(field) => Ok(field.send(self.digits.recv().await.ok_or("no digits")?).await?),
        }
    }
}

/// What both devices need: the camera of the one that scans, and where its digits go.
fn between() -> (Shows, oneshot::Receiver<QrCodeData>, mpsc::UnboundedSender<u8>) {
    let (camera, seen) = oneshot::channel();
    let (told, digits) = mpsc::unbounded_channel();
    (Shows { camera: Some(camera), digits }, seen, told)
}

async fn allow_when_asked<Q>(name: &str, state: &GrantLoginProgress<Q>) -> Outcome<()> {
    if let GrantLoginProgress::WaitingForAuth { verification_uri } = state {
        browse(name, "allow", verification_uri).await?;
    }
    Ok(())
}

/// The old device shows the picture, the new one scans it.
async fn by_scanning(url: &str, name: &str, old: &Device) -> Outcome<Device> {
    let (mut shows, seen, told) = between();
    let oauth = old.client.oauth();
    let grant = oauth.grant_login_with_qr_code().generate();
    let mut states = Box::pin(grant.subscribe_to_progress());
    let show = async {
        while let Some(state) = states.next().await {
            allow_when_asked(name, &state).await?;
            if let GrantLoginProgress::EstablishingSecureChannel(progress) = state {
                shows.goes_on(progress).await?;
            }
        }
        Outcome::Ok(())
    };
    let enter = async {
        let (client, app, picture) = (new_client(url).await?, app()?, seen.await?);
        let oauth = client.oauth();
        let login = oauth.login_with_qr_code(Some(&app)).scan(&picture);
        let mut states = Box::pin(login.subscribe_to_progress());
        let tell = async {
            while let Some(state) = states.next().await {
                if let LoginProgress::EstablishingSecureChannel(QrProgress { check_code }) = state {
                    told.send(check_code.to_digit())?;
                }
            }
            Outcome::Ok(())
        };
        tokio::try_join!(async { Outcome::Ok(login.await?) }, tell)?;
        Outcome::Ok(client)
    };
    let (_, _, client) = tokio::try_join!(async { Outcome::Ok(grant.await?) }, show, enter)?;
    Device::of(client).await
}

/// The new device shows the picture, the old one scans it.
async fn by_showing(url: &str, name: &str, old: &Device) -> Outcome<Device> {
    let (mut shows, seen, told) = between();
    let enter = async {
        let (client, app) = (new_client(url).await?, app()?);
        let oauth = client.oauth();
        let login = oauth.login_with_qr_code(Some(&app)).generate();
        let mut states = Box::pin(login.subscribe_to_progress());
        let show = async {
            while let Some(state) = states.next().await {
                if let LoginProgress::EstablishingSecureChannel(progress) = state {
                    shows.goes_on(progress).await?;
                }
            }
            Outcome::Ok(())
        };
        tokio::try_join!(async { Outcome::Ok(login.await?) }, show)?;
        Outcome::Ok(client)
    };
    let allow = async {
        let (picture, oauth) = (seen.await?, old.client.oauth());
        let grant = oauth.grant_login_with_qr_code().scan(&picture);
        let mut states = Box::pin(grant.subscribe_to_progress());
        let tell = async {
            while let Some(state) = states.next().await {
                allow_when_asked(name, &state).await?;
                if let GrantLoginProgress::EstablishingSecureChannel(QrProgress { check_code }) = state {
                    told.send(check_code.to_digit())?;
                }
            }
            Outcome::Ok(())
        };
        tokio::try_join!(async { Outcome::Ok(grant.await?) }, tell)
    };
    let (client, _) = tokio::try_join!(enter, allow)?;
    Device::of(client).await
}

async fn is_verified(device: &Device) -> Outcome<()> {
    until("the new device to be verified", || async {
        (device.client.encryption().verification_state().get() == VerificationState::Verified).then_some(())
    })
    .await
}

/// The keys are made anew, which a page of the account approves.
async fn reset_keys(device: &Device, name: &str) -> Outcome<()> {
    let key = async || {
        let me = device.client.encryption().request_user_identity(device.id()).await?.ok_or("no identity")?;
        Outcome::Ok(me.master_key().get_first_key().map(|key| key.to_base64()))
    };
    let before = key().await?;
    let handle = device.client.encryption().reset_cross_signing().await?.ok_or("nobody asks for anything")?;
    let CrossSigningResetAuthType::OAuth(page) = handle.auth_type() else { return Err(format!("{:?}", handle.auth_type()).into()) };
    browse(name, "prove", &page.approval_url).await?;
    handle.auth(None).await?;
    same(key().await? != before, true)
}

/// The page that the server's metadata name for it ends the session of another device.
async fn end_elsewhere(device: &Device, other: Device, name: &str) -> Outcome<()> {
    other.sync.stop().await;
    let id = other.client.device_id().ok_or("no device")?.to_owned();
    let metadata = device.client.oauth().server_metadata().await?;
    let action = AccountManagementActionData::DeviceDelete(DeviceDeleteData::new(&id));
    let page = metadata.account_management_url_with_action(action).ok_or("no account management")?;
    browse(name, "prove", &page).await?;
    is_signed_out(&other.client).await?;
    same(device.client.devices().await?.devices.iter().any(|one| one.device_id == id), false)
}

async fn sign_out(device: Device) -> Outcome<()> {
    device.sync.stop().await;
    device.client.logout().await?;
    is_signed_out(&device.client).await
}

pub(crate) async fn story(tap: &mut Tap, url: &str, name: &str, boris: &Device) -> Option<()> {
    tap.case("by OAuth: Clara says no on the page, and the client hears so", decline(url, name)).await;
    let clara = tap
        .case("by OAuth: the client registers, Clara allows it on the page, it gets tokens and syncs", async {
            Device::of(signed_in(url, name).await?).await
        })
        .await?;
    let room = tap.case("by OAuth: a direct chat, encrypted", chat(&clara, boris)).await?;
    let (c, b) = tap.case("by OAuth: both open the room", async { Ok((clara.open(&room).await?, boris.open(&room).await?)) }).await?;
    tap.case("by OAuth: they talk encrypted", talk(&c, &b)).await;
    tap.case("by OAuth: a refresh brings other tokens, and the old ones' room goes on", async {
        refresh(&clara).await?;
        talk_on(&c, &b, "После обновления").await
    })
    .await;
    tap.case("by OAuth: a stolen refresh token ends the session for owner and thief", theft(url, name)).await;
    for (form, scans) in [("scans what the old one shows", true), ("shows what the old one scans", false)] {
        let tablet = tap
            .case(&format!("by OAuth: a new device {form}, is allowed on the page, and is verified"), async {
                let tablet = if scans { by_scanning(url, name, &clara).await? } else { by_showing(url, name, &clara).await? };
                is_verified(&tablet).await?;
                Ok(tablet)
            })
            .await?;
        tap.case("by OAuth: it reads what is said now, and is signed out on the page that the metadata name", async {
            let shown = tablet.open(&room).await?;
            let text = format!("Новому: {form}");
            write(&b, &text).await?;
            read(&shown, &text).await?;
            drop(shown);
            end_elsewhere(&clara, tablet, name).await
        })
        .await;
    }
    tap.case("by OAuth: keys are made anew once a page has approved it, and the talk goes on", async {
        reset_keys(&clara, name).await?;
        talk_on(&c, &b, "С новыми ключами").await
    })
    .await;
    tap.case("by OAuth: signing out revokes the tokens", sign_out(clara)).await
}

async fn talk_on(a: &Timeline, b: &Timeline, text: &str) -> Outcome<()> {
    for (from, to, text) in [(a, b, text.to_owned()), (b, a, format!("{text}: да"))] {
        write(from, &text).await?;
        read(to, &text).await?;
    }
    Ok(())
}
