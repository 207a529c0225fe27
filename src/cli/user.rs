//! `user`: who may log in, and why somebody may not.

use std::path::{Path, PathBuf};

use login::{GroupName, Wall};
use serde_json::{Value, json};

use super::Done;
use super::out::{self, Failure};
use super::site::{Site, shown_time};
use crate::primary::hash_password;
use crate::store::{NewUser, StoredRecord, User};

/// Users that are read at once for a list.
const PAGE: usize = 500;
/// Logins that `show` tells of.
const LOGINS_SHOWN: usize = 10;

#[derive(Debug, clap::Subcommand)]
#[command(after_help = "\
Examples:
  vestibule user add alice --password-file - --group vpn        the password from standard input
  vestibule user add bob                                        known here, the password stays with the primary
  vestibule user show alice                                     methods, limits, latest logins and why they ended so
  vestibule user block alice --reason \"laptop stolen\"")]
pub(super) enum Command {
    /// Add a user.
    Add(Add),
    /// List all users.
    List,
    /// Show one user: methods, limits, latest logins.
    Show {
        /// The user's name.
        name: String,
    },
    /// Let a user in no more, at once.
    Block {
        /// The user's name.
        name: String,
        /// Why, for whoever asks later.
        #[arg(long, default_value = "blocked by an admin")]
        reason: String,
    },
    /// End a block and a fraud report, and forget failures.
    Unblock {
        /// The user's name.
        name: String,
    },
    /// Remove a user with all tokens and devices.
    Remove {
        /// The user's name.
        name: String,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Add {
    /// The user's name.
    name: String,
    /// The password, for `primary = "local"`; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// A group; may be given several times.
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// Where mail goes.
    #[arg(long, value_name = "ADDRESS")]
    mail: Option<String>,
}

pub(super) fn run(config: &Path, command: Command, json: bool) -> Done {
    let site = Site::open(config)?;
    match command {
        Command::Add(add_) => add(&site, add_, json),
        Command::List => list(&site, json),
        Command::Show { name } => show(&site, &name, json),
        Command::Block { name, reason } => {
            let user = site.user(&name)?;
            site.ask(site.store.block_user(&user, reason))?;
            said(json, &user, "blocked", "is blocked; held logins end, open prompts are withdrawn")
        }
        Command::Unblock { name } => {
            let user = site.user(&name)?;
            site.ask(site.store.unblock_user(&user))?;
            said(json, &user, "unblocked", "may log in again; failures are forgotten")
        }
        Command::Remove { name } => {
            let user = site.user(&name)?;
            site.ask(site.store.remove_user(&user, site.now()))?;
            said(json, &user, "removed", "is removed, with all tokens and devices")
        }
    }
}

fn said(json: bool, user: &login::ResolvedUser, done: &str, sentence: &str) -> Done {
    if json {
        out::json(&json!({ "user": user.as_str(), "done": done }));
    } else {
        out::line(format!("{user} {sentence}."));
    }
    Ok(())
}

fn add(site: &Site, add: Add, json: bool) -> Done {
    let name = site.user(&add.name)?;
    let password_hash = match &add.password_file {
        Some(file) => Some(hash_password(&out::secret(file, "password")?).map_err(Failure::refused)?.into_bytes()),
        None => None,
    };
    let groups = add.groups.iter().map(|group| GroupName::folded(group)).collect();
    let new =
        NewUser { name: name.clone(), groups, mail: add.mail, password_hash: password_hash.map(wire::Secret::new) };
    site.ask(site.store.add_user(new, site.now()))?;
    said(json, &name, "added", "is added. Next: `vestibule token add` gives a second factor")
}

fn list(site: &Site, json: bool) -> Done {
    let mut after = None;
    loop {
        let page = site.ask(site.store.list_users(after.as_ref(), PAGE))?;
        for user in &page {
            if json { out::json(&facts(user)) } else { out::line(summary(user)) }
        }
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(last.name.clone()),
            Some(_) | None => return Ok(()),
        }
    }
}

fn summary(user: &User) -> String {
    let groups: Vec<&str> = user.groups.iter().map(GroupName::as_str).collect();
    let state = if user.blocked.is_some() || user.fraud_reported.is_some() { "  BLOCKED" } else { "" };
    format!(
        "{:<32} {} tokens, {} devices  {}{state}",
        user.name.to_string(),
        user.tokens.len(),
        user.devices.len(),
        groups.join(", ")
    )
}

fn show(site: &Site, name: &str, json: bool) -> Done {
    let name = site.user(name)?;
    let Some(user) = site.ask(site.store.show_user(&name))? else {
        return Err(Failure::refused(format!("there is no user {:?}; `vestibule user list` shows all", name.as_str())));
    };
    let logins = site.ask(site.store.recent_records(&name, LOGINS_SHOWN))?;
    if json {
        let mut whole = facts(&user);
        let parsed: Vec<Value> = logins.iter().filter_map(|record| serde_json::from_str(&record.json).ok()).collect();
        whole["logins"] = Value::Array(parsed);
        out::json(&whole);
    } else {
        tell(&user, &logins, site.now());
    }
    Ok(())
}

fn facts(user: &User) -> Value {
    json!({
        "user": user.name.as_str(),
        "groups": user.groups.iter().map(GroupName::as_str).collect::<Vec<_>>(),
        "mail": user.mail,
        "local_password": user.has_password,
        "blocked": user.blocked.as_deref(),
        "fraud_reported": user.fraud_reported.map(shown_time),
        "ever_enrolled": user.ever_enrolled,
        "added": shown_time(user.added_at),
        "tokens": user.tokens.iter().map(super::token::facts).collect::<Vec<_>>(),
        "devices": user.devices.iter().map(super::device::facts).collect::<Vec<_>>(),
        "code_failures": user.codes.failures,
        "codes_off_until": user.codes.locked_until.map(until),
        "known_stations": user.stations,
        "pushes_unanswered": user.pushes.unanswered,
        "pushes_quiet_until": user.pushes.quiet_until.map(until),
    })
}

fn tell(user: &User, logins: &[StoredRecord], now: Wall) {
    let groups: Vec<&str> = user.groups.iter().map(GroupName::as_str).collect();
    let row = |key: &str, value: String| out::line(format!("  {key:<10} {value}"));
    out::line(&user.name);
    row("groups", if groups.is_empty() { "none".to_owned() } else { groups.join(", ") });
    row("password", if user.has_password { "kept here".to_owned() } else { "kept by the primary, or none".to_owned() });
    if let Some(why) = &user.blocked {
        row("BLOCKED", why.to_string());
    }
    if let Some(at) = user.fraud_reported {
        row("FRAUD", format!("reported by the phone at {}; `vestibule user unblock` ends it", shown_time(at)));
    }
    user.tokens.iter().for_each(|token| row("token", super::token::summary(token)));
    user.devices.iter().for_each(|device| row("device", super::device::summary(device)));
    if user.tokens.is_empty() && user.devices.is_empty() {
        row("methods", "none; `vestibule token add` or `vestibule device add` gives one".to_owned());
    }
    let codes = user.codes.lock(now).map_or_else(String::new, |lock| format!(", off until {}", until(lock)));
    row(
        "codes",
        format!("{} failures from unknown stations{codes}; {} known stations", user.codes.failures, user.stations),
    );
    let pushes = user.pushes.quiet(now).map_or_else(String::new, |quiet| format!(", quiet until {}", until(quiet)));
    row("pushes", format!("{} unanswered in a row{pushes}", user.pushes.unanswered));
    out::line("  latest logins");
    if logins.is_empty() {
        out::line("    none");
    }
    logins.iter().for_each(|record| out::line(format!("    {}", login_line(record))));
}

/// One login in one line: when, through which client, what was answered and why.
fn login_line(record: &StoredRecord) -> String {
    let Ok(parsed) = serde_json::from_str::<Value>(&record.json) else { return record.json.clone() };
    let text = |key: &str| parsed.get(key).and_then(Value::as_str).unwrap_or("-").to_owned();
    format!(
        "{}  {:<12} {:<7} {:<16} rule {:?}, factor {}, from {}",
        text("time"),
        text("client"),
        text("answer"),
        text("reason"),
        text("rule"),
        text("factor"),
        text("station")
    )
}

fn until(at: Wall) -> String {
    if at == Wall::NEVER { "an admin or another factor ends it".to_owned() } else { shown_time(at) }
}
