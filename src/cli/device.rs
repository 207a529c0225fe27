//! `vestibule device`: what is told when somebody logs in. A webhook device is told and proves nothing (rules B4).

use login::DeviceId;
use serde_json::{Value, json};

use super::out::{self, Failure, Outcome, rfc3339, time};
use super::site::{Global, Site, wait};
use crate::enrolment::add_device;
use crate::store::{Channel, Device, Devices, Users};

/// What can be asked.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Give a user a device.
    #[command(after_help = "\
Examples:
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
    },
}

/// The channels that an admin can give.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Way {
    /// The site's own notifier.
    Webhook,
}

/// Does it.
pub(super) fn run(command: Command, global: &Global) -> Outcome {
    let site = Site::open(global)?;
    match command {
        Command::Add { user, channel: Way::Webhook, label } => add(&site, global, &user, Channel::Webhook, label),
        Command::List { user } => list(&site, global, &user),
        Command::Remove { device } => remove(&site, global, &device),
    }
}

fn add(site: &Site, global: &Global, user: &str, channel: Channel, label: Option<String>) -> Outcome {
    let user = site.user(user)?;
    if channel == Channel::Webhook && site.config.push.webhook.is_none() {
        out::note("Note: the configuration has no [method.push] webhook, so nothing is told until it has one.");
    }
    let new = wait(add_device(&site.store, &user, channel, label, site.now))?.map_err(Failure::of)?;
    if global.json {
        return out::json(&json!({ "device": &*new.device.0, "url": new.url }));
    }
    out::say(format!("Device {} ({}) is active for {user}.", new.device.0, channel.as_str()));
    if let Some(url) = new.url {
        out::say(format!("Its user goes on at {url}"));
    }
    Ok(())
}

fn list(site: &Site, global: &Global, user: &str) -> Outcome {
    let user = site.user(user)?;
    let found = wait(site.store.show_user(&user))?.map_err(Failure::of)?;
    let Some(found) = found else {
        let help = "`vestibule user list` shows all, `vestibule user add` adds one";
        return Err(Failure::Refused(format!("there is no user \"{user}\"; {help}")));
    };
    if global.json {
        return out::json(&found.devices.iter().map(facts).collect::<Vec<_>>());
    }
    if found.devices.is_empty() {
        out::say(format!("{user} has no device yet: vestibule device add {user} --channel webhook"));
    }
    found.devices.iter().for_each(|device| out::say(line(device)));
    Ok(())
}

fn remove(site: &Site, global: &Global, device: &str) -> Outcome {
    let id = DeviceId(device.into());
    wait(site.store.remove_device(&id, site.now))?.map_err(Failure::of)?;
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
    format!("{}  {}{told}, since {}{label}", device.id.0, device.channel.as_str(), time(device.added_at))
}

/// A device for scripts.
pub(super) fn facts(device: &Device) -> Value {
    json!({
        "device": &*device.id.0,
        "channel": device.channel.as_str(),
        "label": device.label.as_deref(),
        "added": rfc3339(device.added_at),
    })
}
