//! `vestibule device`: phones that ring when somebody logs in, and what is told besides. A webhook device is told and proves
//! nothing (rules B4). A phone that is added here is an admin's act on the host and needs no test push (F3).

use std::io::{self, IsTerminal};

use login::{DeviceId, ResolvedUser};
use serde_json::{Value, json};

use super::out::{self, Failure, Outcome, is_coloured, rfc3339, time};
use super::site::{Global, Site, wait};
use super::user::nobody;
use crate::config::{PortalConfig, PushWay};
use crate::enrolment::{BeginPhone, NewPhone, QrLook, add_device, begin_phone};
use crate::mail::{LetterKind, Method, StaffAction};
use crate::store::web::Phones;
use crate::store::{Channel, Device, DeviceState, Devices, Users};

/// What can be asked.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Give a user a device.
    ///
    /// webpush: our page, installed on a phone or open in a browser; privacyidea: the privacyIDEA Authenticator of the app stores.
    /// Both need [portal] url, where the phone comes to; the address that is shown is good once, for ten minutes.
    #[command(after_help = "\
Examples:
  vestibule device add alice --channel webpush            scan the QR code with the phone's camera
  vestibule device add alice --channel privacyidea        scan it with the app
  vestibule --json device add alice --channel webpush     {\"device\",\"url\"}
  vestibule device add alice --channel webhook            the site's own notifier is told ([method.push] webhook)
  vestibule --json device add alice --channel webhook     {\"device\",\"url\"}; a webhook device has no url")]
    Add {
        /// The user.
        user: String,
        /// How it is reached.
        #[arg(long)]
        channel: Way,
        /// What the user calls it.
        #[arg(long, value_name = "TEXT")]
        label: Option<String>,
    },
    /// List a user's devices.
    #[command(after_help = "\
Example:
  vestibule device list alice")]
    List {
        /// The user.
        user: String,
    },
    /// Remove a device; the user's open prompts are withdrawn.
    #[command(after_help = "\
Example:
  vestibule device remove d-abcd1234          the id is in: vestibule device list alice")]
    Remove {
        /// The device's id.
        device: String,
        /// Why, for whoever looks later.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

/// The channels that an admin can give.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Way {
    /// Our own page, rung by the browser's push service.
    Webpush,
    /// The app from the stores.
    Privacyidea,
    /// The site's own notifier.
    Webhook,
}

impl Way {
    fn channel(self) -> Channel {
        match self {
            Self::Webpush => Channel::WebPush,
            Self::Privacyidea => Channel::PrivacyIdea,
            Self::Webhook => Channel::Webhook,
        }
    }

    fn in_policy(self) -> PushWay {
        match self {
            Self::Webpush => PushWay::WebPush,
            Self::Privacyidea => PushWay::PrivacyIdea,
            Self::Webhook => PushWay::Webhook,
        }
    }
}

/// Does it.
pub(super) fn run(command: Command, global: &Global) -> Outcome {
    let site = Site::open(global)?;
    match command {
        Command::Add { user, channel, label } => {
            let user = site.user(&user)?;
            if !site.config.push.channels.contains(&channel.in_policy()) {
                let word = channel.channel().as_str();
                out::note(format!(
                    "Note: \"{word}\" is not among [method.push] channels, so nothing is told until it is."
                ));
            }
            // Rules B4: a phone that can't prove what is asked is not asked.
            if channel == Way::Privacyidea && site.config.push.pin.required {
                out::note("Note: each phone is asked for a PIN here, and that app takes none: it is never asked.");
            }
            match channel {
                Way::Webhook => add(&site, global, &user, label),
                Way::Webpush | Way::Privacyidea => begin(&site, global, &user, channel.channel(), label.as_deref()),
            }
        }
        Command::List { user } => list(&site, global, &user),
        Command::Remove { device, reason } => remove(&site, global, &device, reason.as_deref()),
    }
}

fn add(site: &Site, global: &Global, user: &ResolvedUser, label: Option<String>) -> Outcome {
    let name = label.clone().unwrap_or_default();
    let new = wait(add_device(&site.store, user, Channel::Webhook, label, site.now))?;
    let new = new.map_err(Failure::of)?;
    site.write_down(user, "add_device", Some(&new.device.0), None)?;
    site.tell(user, LetterKind::MethodAdded { method: Method::Phone, name })?;
    if global.json {
        return out::json(&json!({ "device": &*new.device.0, "url": new.url }));
    }
    out::say(format!("Device {} (webhook) is active for {user}.", new.device.0));
    Ok(())
}

/// A phone that brings its key: its address is shown once.
fn begin(site: &Site, global: &Global, user: &ResolvedUser, channel: Channel, label: Option<&str>) -> Outcome {
    let portal = portal(site)?;
    let begin = BeginPhone {
        store: &site.store,
        user,
        channel,
        label,
        portal_url: &portal.pages.url,
        account_name: &site.config.account_name,
        needs_test: false,
        devices_max: usize::try_from(portal.devices_per_user).unwrap_or(usize::MAX),
        at: site.now,
    };
    let new = wait(begin_phone(begin))?.map_err(Failure::of)?;
    site.write_down(user, "add_device", Some(&new.device.0), None)?;
    // It is a method only once its phone has come; until then it is a code.
    site.tell_of(user, StaffAction::CodeIssued)?;
    if global.json {
        return out::json_with_secret("url", &new.url, &json!({ "device": &*new.device.0 }));
    }
    show(&new, user, channel);
    Ok(())
}

fn show(new: &NewPhone, user: &ResolvedUser, channel: Channel) {
    if let Some(qr) = new.qr() {
        let look = if is_coloured() { QrLook::Colour } else { QrLook::Plain };
        out::show_secret("", &qr.terminal(look));
    }
    out::show_secret("", &new.url);
    match channel {
        Channel::WebPush => {
            out::show_secret("Code, to be typed into the page where no camera is: ", &new.code);
            out::say("On an iPhone the page is added to the Home Screen first, opened from there, and the code typed.");
        }
        Channel::PrivacyIdea => out::say("To be scanned with the privacyIDEA Authenticator."),
        Channel::Webhook | Channel::Loopback => {}
    }
    let (device, until) = (&new.device.0, time(new.ends_at));
    out::say(format!("Device {device} ({}) waits for {user}'s phone until {until}.", channel.as_str()));
    if io::stdout().is_terminal() {
        out::note(
            "Shown this once, and good once. Whoever has seen it can be that phone: clear the screen afterwards.",
        );
    }
}

fn portal(site: &Site) -> Result<&PortalConfig, Failure> {
    site.config.portal.as_ref().ok_or_else(|| {
        let help = "say url = \"https://mfa.example.com\" and tls there, then start the server again";
        Failure::Refused(format!("a phone comes to the portal, and the configuration has no [portal] url: {help}"))
    })
}

fn list(site: &Site, global: &Global, user: &str) -> Outcome {
    let user = site.user(user)?;
    let found = wait(site.store.show_user(&user))?.map_err(Failure::of)?;
    let Some(found) = found else { return Err(nobody(&user)) };
    if global.json {
        return out::json(&found.devices.iter().map(facts).collect::<Vec<_>>());
    }
    if found.devices.is_empty() {
        out::say(format!("{user} has no device yet: {}", site.command("device add --channel webpush", &user, "")));
    }
    found.devices.iter().for_each(|device| out::say(line(device)));
    Ok(())
}

fn remove(site: &Site, global: &Global, device: &str, reason: Option<&str>) -> Outcome {
    let id = DeviceId(device.into());
    let found = wait(site.store.phone(&id))?.map_err(Failure::of)?.map(|phone| phone.device);
    if let Some(known) = &found {
        site.write_down(&known.user, "remove_device", Some(device), reason)?;
    }
    wait(site.store.remove_device(&id, site.now))?.map_err(Failure::of)?;
    if let Some(known) = found {
        let name = known.label.map(|label| label.to_string()).unwrap_or_default();
        site.tell(&known.user, LetterKind::MethodRemoved { method: Method::Phone, name })?;
    }
    if global.json {
        return out::json(&json!({ "device": device, "done": "removed" }));
    }
    out::say(format!("Device {device} is removed; what was open on it is withdrawn."));
    Ok(())
}

/// A device on one line.
pub(super) fn line(device: &Device) -> String {
    let label = device.label.as_ref().map(|label| format!("  \"{label}\"")).unwrap_or_default();
    let told = if device.channel.can_answer() { "" } else { " (told only)" };
    let channel = device.channel.as_str();
    format!("{}  {channel}{told}, {}{}{label}", device.id.0, state(device), habits(device))
}

fn state(device: &Device) -> String {
    match (device.state, device.waits_until) {
        (DeviceState::Waiting, Some(until)) => format!("waits for its phone until {}", time(until)),
        (DeviceState::Waiting, None) => "waits for its phone".to_owned(),
        (DeviceState::Keyed, _) => "waits for its test push".to_owned(),
        (DeviceState::Active, _) => format!("since {}", time(device.added_at)),
    }
}

/// What is known of a phone with a key; nothing of a device that has none.
fn habits(device: &Device) -> String {
    let key = device.fingerprint.as_ref().map(|fingerprint| format!(", key {fingerprint}"));
    let seen = device.seen_at.map(|at| format!(", seen {}", time(at)));
    let silent = (device.unanswered > 0).then(|| format!(", {} prompts unseen in a row", device.unanswered));
    let is_page = device.channel == Channel::WebPush && device.state == DeviceState::Active;
    let deaf = (is_page && device.subscription.is_none()).then(|| ", does not ring unless its page is open".to_owned());
    [key, seen, silent, deaf].into_iter().flatten().collect()
}

/// A device for scripts.
pub(super) fn facts(device: &Device) -> Value {
    json!({
        "device": &*device.id.0,
        "channel": device.channel.as_str(),
        "label": device.label.as_deref(),
        "added": rfc3339(device.added_at),
        "state": match device.state {
            DeviceState::Waiting => "waiting",
            DeviceState::Keyed => "keyed",
            DeviceState::Active => "active",
        },
        "waits_until": device.waits_until.filter(|_| device.state == DeviceState::Waiting).and_then(rfc3339),
        "fingerprint": device.fingerprint.as_deref(),
        "seen": device.seen_at.and_then(rfc3339),
        "agent": device.agent.as_deref(),
        "unanswered": device.unanswered,
        "answers": device.channel.can_answer(),
        "rings": device.channel != Channel::WebPush || device.subscription.is_some(),
    })
}
