//! `device`: the devices that pushes go to.

use std::path::Path;

use serde_json::{Value, json};

use super::Done;
use super::out::{self, Failure};
use super::site::{Site, shown_time};
use crate::enrolment;
use crate::store::{Channel, Device};

#[derive(Debug, clap::Subcommand)]
#[command(after_help = "\
Examples:
  vestibule device add alice --channel webhook       the site's own notifier is told of alice's logins
  vestibule device list alice
  vestibule device remove DEVICE                     open prompts are withdrawn")]
pub(super) enum Command {
    /// Give a user a device.
    Add {
        /// The user's name.
        name: String,
        /// How it is reached: webhook.
        #[arg(long)]
        channel: String,
        /// What the user calls it.
        #[arg(long)]
        label: Option<String>,
    },
    /// List a user's devices.
    List {
        /// The user's name.
        name: String,
    },
    /// Remove a device.
    Remove {
        /// The device's id, as `device list` shows it.
        device: String,
    },
}

pub(super) fn run(config: &Path, command: Command, json: bool) -> Done {
    let site = Site::open(config)?;
    match command {
        Command::Add { name, channel, label } => add(&site, &name, &channel, label, json),
        Command::List { name } => list(&site, &name, json),
        Command::Remove { device } => {
            site.ask(site.store.remove_device(&login::DeviceId(device.as_str().into()), site.now()))?;
            if json {
                out::json(&json!({ "device": device, "done": "removed" }));
            } else {
                out::line(format!("Device {device} is removed; its open prompts are withdrawn."));
            }
            Ok(())
        }
    }
}

fn add(site: &Site, name: &str, channel: &str, label: Option<String>, json: bool) -> Done {
    let user = site.user(name)?;
    // The loopback phone exists in the demo only (rules F5).
    let Some(channel) = Channel::of_word(channel).filter(|channel| *channel == Channel::Webhook) else {
        return Err(Failure::usage(format!("--channel {channel:?}: there is \"webhook\"")));
    };
    let new =
        site.wait(enrolment::add_device(&*site.store, &user, channel, label, site.now())).map_err(Failure::refused)?;
    if json {
        out::json(&json!({ "device": &*new.device.0, "url": new.url }));
        return Ok(());
    }
    out::line(format!("Device {} of {user}: the site's notifier is told of each push.", &*new.device.0));
    if site.config.push.webhook.is_none() {
        out::note("warning: [method.push] webhook is not configured, so nobody is told yet");
    }
    Ok(())
}

fn list(site: &Site, name: &str, json: bool) -> Done {
    let user = site.user(name)?;
    let devices = site.ask(site.store.list_devices(&user))?;
    if devices.is_empty() && !json {
        out::line(format!("{user} has no device; `vestibule device add` gives one."));
    }
    for device in &devices {
        if json { out::json(&facts(device)) } else { out::line(summary(device)) }
    }
    Ok(())
}

pub(super) fn facts(device: &Device) -> Value {
    json!({
        "device": &*device.id.0,
        "user": device.user.as_str(),
        "channel": device.channel.as_str(),
        "label": device.label.as_deref(),
        "added": shown_time(device.added_at),
    })
}

pub(super) fn summary(device: &Device) -> String {
    let label = device.label.as_deref().map_or_else(String::new, |label| format!("  {label:?}"));
    format!("{}  {}  added {}{label}", &*device.id.0, device.channel.as_str(), shown_time(device.added_at))
}
