//! `vestibule user`: who may log in, what each has, and what became of their last logins.

use std::path::PathBuf;

use login::name::NameKind;
use login::{GroupName, Reason, ResolvedUser, Wall};
use serde_json::{Value, json};
use wire::Secret;

use super::out::{self, Failure, Outcome, count, rfc3339, time};
use super::site::{Global, Site, wait, who};
use super::{device, input, token};
use crate::enrolment::{CODE_LASTS, initial_pin, issue_code, password_allowed_for, takes_admin_code};
use crate::hashing::hash_password;
use crate::mail::{Address, LetterKind, StaffAction};
use crate::store::{
    Bypass, Bypasses, Choices, CodePurpose, Device, DeviceState, NewBypass, NewUser, PeopleCodes, Pin, Pins, Records,
    StaffName, StoreError, User, UserChoices, Users,
};

/// What can be asked.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Add a user.
    ///
    /// With --password-file the user's password is kept here (as an argon2id hash), for clients whose primary is "local".
    /// Without it the password stays where it is: at the RADIUS server of [primary.NAME].
    #[command(after_help = "\
Examples:
  vestibule user add alice --password-file -                     asks for the password without echo
  vestibule user add bob --password-file bob.pw --group Staff --mail bob@example.com
  vestibule user add carol                                       her password stays with the primary
  vestibule user add josé --not-the-same-as jose                 two people whose names look alike")]
    Add {
        /// As the user logs in; DOMAIN\user and user@realm by [realms].
        name: String,
        /// Where the password is; - is standard input.
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        /// A local group; may be repeated.
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
        /// Where mail goes.
        #[arg(long, value_name = "ADDRESS")]
        mail: Option<String>,
        /// A user whose name looks like this one and who is somebody else; may be repeated. For a user who is there already, too.
        #[arg(long = "not-the-same-as", value_name = "OTHER")]
        not_the_same_as: Vec<String>,
    },
    /// Give a user a new password, kept here.
    #[command(after_help = "\
Example:
  vestibule user password alice --password-file -")]
    Password {
        /// The user.
        name: String,
        /// Where the password is; - is standard input.
        #[arg(long, value_name = "FILE")]
        password_file: PathBuf,
    },
    /// Say where a user's mail goes: for who came in by the portal and has none, or moved.
    #[command(after_help = "\
Examples:
  vestibule user mail alice alice@example.com
  vestibule user mail alice --none")]
    Mail {
        /// The user.
        name: String,
        /// Where mail goes.
        #[arg(required_unless_present = "none", conflicts_with = "none")]
        address: Option<String>,
        /// Nowhere.
        #[arg(long)]
        none: bool,
    },
    /// Add a user to local groups, or take them out: [admin] roles and rules name them.
    #[command(after_help = "\
Examples:
  vestibule user group alice --add \"VPN Admins\"
  vestibule user group alice --remove \"Service Desk\" --add Staff")]
    Group {
        /// The user.
        name: String,
        /// A group to be in; may be repeated.
        #[arg(long, value_name = "GROUP", required_unless_present = "remove")]
        add: Vec<String>,
        /// A group to leave; may be repeated.
        #[arg(long, value_name = "GROUP")]
        remove: Vec<String>,
    },
    /// List all users.
    #[command(after_help = "\
Examples:
  vestibule user list
  vestibule user list --json | jq -r '.[] | select(.blocked) | .user'")]
    List,
    /// Show a user: methods, limits, and the last logins with their reasons.
    #[command(after_help = "\
Example:
  vestibule user show alice")]
    Show {
        /// The user.
        name: String,
    },
    /// Issue a code with which a user sets up a method in the portal, the first one or after a loss; shown once.
    ///
    /// It is good for a day, once, and five tries; an earlier one is void. Members of [admin] roles set theirs up in the portal, too,
    /// and then sign in on the staff's pages: so the first admin comes in.
    #[command(after_help = "\
Examples:
  vestibule user code alice                                      hand it over in person, or by phone
  vestibule --json user code alice                               {\"user\",\"code\",\"ends\"}")]
    Code {
        /// The user.
        name: String,
    },
    /// Give a user an initial PIN, where phones ask for one: for who has none, forgot it or locked it; shown once.
    ///
    /// It approves nothing. Its owner signs in to the portal with password and phone, which then asks for no PIN, types the initial
    /// one there and chooses another, within 24 hours.
    #[command(after_help = "\
Examples:
  vestibule user pin alice                                       hand it over in person, or by phone
  vestibule --json user pin alice                                {\"user\",\"pin\"}")]
    Pin {
        /// The user.
        name: String,
    },
    /// Block a user: from this moment no login of theirs is accepted, also none that is held.
    #[command(after_help = "\
Example:
  vestibule user block alice --reason \"laptop stolen, ticket 4711\"")]
    Block {
        /// The user.
        name: String,
        /// Why, for whoever looks later.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// End a block, a fraud report and all pauses after wrong passwords, wrong codes or unanswered pushes.
    #[command(after_help = "\
Example:
  vestibule user unblock alice")]
    Unblock {
        /// The user.
        name: String,
        /// Why, for whoever looks later.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Give a user another name: password, tokens, phones, PIN and groups stay.
    ///
    /// OLD is the name as `user list` shows it. The same name twice says that it is spelled just so. Browser sessions, open prompts, bypasses,
    /// recovery codes and codes that were handed out end: they are bound to the old name.
    #[command(after_help = "\
Examples:
  vestibule user rename alice alice@example.com
  vestibule user rename 'corp\\alice' alice@example.com
  vestibule user rename josé josé                                 staff say: it is spelled so")]
    Rename {
        /// As `user list` shows it.
        old: String,
        /// As the user logs in.
        new: String,
        /// A user whose name looks like the new one and who is somebody else; may be repeated.
        #[arg(long = "not-the-same-as", value_name = "OTHER")]
        not_the_same_as: Vec<String>,
        /// Why, for whoever looks later.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Remove a user with all tokens and devices, for good.
    #[command(after_help = "\
Example:
  vestibule user remove alice")]
    Remove {
        /// The user.
        name: String,
        /// Why, for whoever looks later.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

/// Does it.
pub(super) fn run(command: Command, global: &Global) -> Outcome {
    let site = Site::open(global)?;
    match command {
        Command::Add { name, password_file, groups, mail, not_the_same_as } => {
            let new = Newcomer { name: &name, password_file, groups: &groups, mail, not_the_same_as: &not_the_same_as };
            add(&site, global, new)
        }
        Command::Password { name, password_file } => set_password(&site, global, &name, &password_file),
        Command::Mail { name, address, none: _ } => set_mail(&site, global, &name, address),
        Command::Group { name, add, remove } => regroup(&site, global, &name, &add, &remove),
        Command::List => list(&site, global),
        Command::Show { name } => show(&site, global, &name),
        Command::Code { name } => code(&site, global, &name),
        Command::Pin { name } => give_pin(&site, global, &name),
        Command::Block { name, reason } => block(&site, global, &name, reason),
        Command::Unblock { name, reason } => unblock(&site, global, &name, reason),
        Command::Rename { old, new, not_the_same_as, reason } => {
            rename(&site, global, (&old, &new), &not_the_same_as, reason.as_deref())
        }
        Command::Remove { name, reason } => remove(&site, global, &name, reason.as_deref()),
    }
}

/// A user whom the store knows: of no other is an act written down (rules F2).
fn known(site: &Site, name: &str) -> Result<User, Failure> {
    let by_rules = site.user(name);
    // Who was added before [realms] said otherwise stands under the name of then: it can be shown, renamed and removed.
    let of_before = ResolvedUser::new(name);
    for user in by_rules.iter().chain([&of_before]) {
        if let Some(found) = wait(site.store.show_user(user))?.map_err(Failure::of)? {
            return Ok(found);
        }
    }
    Err(nobody(&by_rules?))
}

fn block(site: &Site, global: &Global, name: &str, reason: Option<String>) -> Outcome {
    let user = known(site, name)?.name;
    let reason = reason.unwrap_or_else(|| "blocked on the command line".to_owned());
    site.write_down(&user, "block", None, Some(&reason))?;
    wait(site.store.block_user(&user, reason.clone()))?.map_err(Failure::of)?;
    site.tell(&user, LetterKind::Blocked { by: who(), reason })?;
    done(global, &user, "blocked", "Blocked: no login of theirs is accepted from now on, also none that is held.")
}

fn unblock(site: &Site, global: &Global, name: &str, reason: Option<String>) -> Outcome {
    let user = known(site, name)?.name;
    site.write_down(&user, "unblock", None, reason.as_deref())?;
    wait(site.store.unblock_user(&user))?.map_err(Failure::of)?;
    site.tell(&user, LetterKind::Unblocked { by: who(), reason: reason.unwrap_or_default() })?;
    done(
        global,
        &user,
        "unblocked",
        "Unblocked; pauses after wrong passwords, wrong codes and unanswered pushes are over too.",
    )
}

fn rename(
    site: &Site,
    global: &Global,
    (old, new): (&str, &str),
    not_the_same_as: &[String],
    reason: Option<&str>,
) -> Outcome {
    // As it stands in the store first: that is what `check` and `user list` show.
    let as_stored = wait(site.store.show_user(&ResolvedUser::new(old)))?.map_err(Failure::of)?;
    let from = as_stored.map_or_else(|| known(site, old), Ok)?.name;
    let name = site.name(new)?;
    let to = name.claimed();
    let others = not_the_same_as.iter().map(|other| known(site, other).map(|other| other.name));
    let given = StaffName { not_the_same_as: others.collect::<Result<Vec<_>, _>>()?, ..StaffName::of(&name) };
    let apart: Vec<String> = given.not_the_same_as.iter().map(ToString::to_string).collect();
    let object = if apart.is_empty() { to.to_string() } else { format!("{to}, not the same as {}", apart.join(", ")) };
    site.write_down(&from, "rename_user", Some(&object), reason)?;
    wait(site.store.rename_user(&from, &to, given, site.now))?.map_err(Failure::of)?;
    if from == to {
        return done(global, &to, "spelling kept", "Spelled just so.");
    }
    // The history of the new name begins with where it comes from.
    site.write_down(&to, "rename_user", Some(&format!("was {from}")), reason)?;
    let more = "Browser sessions, bypasses, recovery codes and codes that were handed out have ended";
    done(global, &to, "renamed", &format!("Renamed from {from}. {more}; earlier logins stand under {from}."))
}

fn remove(site: &Site, global: &Global, name: &str, reason: Option<&str>) -> Outcome {
    let user = known(site, name)?.name;
    site.write_down(&user, "remove_user", None, reason)?;
    wait(site.store.remove_user(&user, site.now))?.map_err(Failure::of)?;
    done(global, &user, "removed", "Removed, with all tokens and devices.")
}

fn done(global: &Global, user: &ResolvedUser, word: &str, sentence: &str) -> Outcome {
    if global.json {
        return out::json(&json!({ "user": user.as_str(), "done": word }));
    }
    out::say(format!("{user}: {sentence}"));
    Ok(())
}

/// Who is to be added.
struct Newcomer<'a> {
    name: &'a str,
    password_file: Option<PathBuf>,
    groups: &'a [String],
    mail: Option<String>,
    not_the_same_as: &'a [String],
}

fn add(site: &Site, global: &Global, new: Newcomer<'_>) -> Outcome {
    let Newcomer { name, password_file, groups, mail, not_the_same_as } = new;
    let name = site.name(name)?;
    let user = name.claimed();
    let others = not_the_same_as.iter().map(|other| known(site, other).map(|other| other.name));
    let not_the_same_as = others.collect::<Result<Vec<_>, _>>()?;
    let groups = named(groups, "--group")?;
    if mail.as_ref().is_some_and(|mail| !is_mail(mail)) {
        return Err(Failure::Usage("--mail takes an address such as alice@example.com".to_owned()));
    }
    let password_hash = password_file.map(|file| hash_of(site, &user, &file)).transpose()?;
    let has_password = password_hash.is_some();
    let told_apart: Vec<String> = not_the_same_as.iter().map(ToString::to_string).collect();
    let by_staff = Some(StaffName { not_the_same_as, ..StaffName::of(&name) });
    let was_there = wait(site.store.show_user(&user))?.map_err(Failure::of)?.is_some();
    if !told_apart.is_empty() {
        // Rules A2: that two names are two people is staff's word.
        site.write_down(&user, "tell_apart", Some(&told_apart.join(", ")), None)?;
    }
    let new = NewUser { name: user.clone(), groups, mail, password_hash, by_staff };
    wait(site.store.add_user(new, site.now))?.map_err(Failure::of)?;
    if was_there {
        return done(global, &user, "told apart", &format!("Not the same as {} from now on.", told_apart.join(", ")));
    }
    if !global.json && site.config.policy.kind_of(user.as_str(), false) == NameKind::Machine {
        out::note(format!(
            "{user} is taken for a machine's account, unless a rule spells it out: when = {{ user = \"{user}\" }}."
        ));
    }
    if !has_password && site.config.primaries.is_empty() && !global.json {
        let set = site.command("user password --password-file -", &user, "");
        out::note(format!("No password is set, and no [primary.NAME] could check one: `{set}` sets it."));
    }
    done(global, &user, "added", &format!("Added. Next: {}", site.command("token add", &user, "totp")))
}

fn named(groups: &[String], option: &str) -> Result<Vec<GroupName>, Failure> {
    if groups.iter().any(|group| group.trim().is_empty()) {
        return Err(Failure::Usage(format!("{option} takes a group's name, which is not empty")));
    }
    Ok(groups.iter().map(|group| GroupName::folded(group)).collect())
}

/// An admin's act on the host, as all that follow.
fn set_mail(site: &Site, global: &Global, name: &str, mail: Option<String>) -> Outcome {
    if mail.as_ref().is_some_and(|mail| !is_mail(mail)) {
        return Err(Failure::Usage("an address looks like alice@example.com".to_owned()));
    }
    let user = known(site, name)?.name;
    site.write_down(&user, "change_mail", Some(mail.as_deref().unwrap_or("none")), None)?;
    // The old address hears of it: whoever moved it may not be its owner.
    site.tell_of(&user, StaffAction::DetailsChanged)?;
    wait(site.store.set_mail(&user, mail.clone()))?.map_err(Failure::of)?;
    let sentence =
        mail.map_or("No mail goes to them any more.".to_owned(), |mail| format!("Mail goes to {mail} from now on."));
    done(global, &user, "mail changed", &sentence)
}

fn regroup(site: &Site, global: &Global, name: &str, add: &[String], remove: &[String]) -> Outcome {
    let (add, remove) = (named(add, "--add")?, named(remove, "--remove")?);
    let known = known(site, name)?;
    let user = known.name.clone();
    let change: Vec<String> =
        add.iter().map(|group| format!("+{group}")).chain(remove.iter().map(|group| format!("-{group}"))).collect();
    site.write_down(&user, "change_groups", Some(&change.join(", ")), None)?;
    wait(site.store.remove_groups(&user, remove))?.map_err(Failure::of)?;
    wait(site.store.add_groups(&user, add))?.map_err(Failure::of)?;
    site.tell_of(&user, StaffAction::DetailsChanged)?;
    let after = wait(site.store.show_user(&user))?.map_err(Failure::of)?.map_or(Vec::new(), |user| user.groups);
    let groups: Vec<&str> = after.iter().map(GroupName::as_str).collect();
    let in_groups =
        if groups.is_empty() { "In no local group now.".to_owned() } else { format!("Now in {}.", groups.join(", ")) };
    let staff = |groups: &[GroupName]| site.config.policy.is_staff(groups);
    let more = match (staff(&known.groups), staff(&after)) {
        (false, true) => " That is staff: always a factor, never a bypass.",
        (true, false) => " That is staff no more.",
        (true, true) | (false, false) => "",
    };
    done(global, &user, "groups changed", &format!("{in_groups}{more}"))
}

fn is_mail(text: &str) -> bool {
    Address::parse(text).is_ok()
}

fn set_password(site: &Site, global: &Global, name: &str, file: &std::path::Path) -> Outcome {
    let user = known(site, name)?.name;
    let hash = hash_of(site, &user, file)?;
    site.write_down(&user, "set_password", None, None)?;
    wait(site.store.set_password(&user, Some(hash)))?.map_err(Failure::of)?;
    site.tell(&user, LetterKind::PasswordChanged)?;
    done(global, &user, "password set", "The new password counts from now on.")
}

fn hash_of(site: &Site, user: &ResolvedUser, file: &std::path::Path) -> Result<Secret, Failure> {
    let password = input::secret(file, "the password")?;
    password_allowed_for(&password, user, &site.config.account_name)
        .map_err(|weak| Failure::Refused(format!("{weak}. Nothing was changed")))?;
    hash_password(&password).map(Secret::new).map_err(Failure::of)
}

/// An admin's act on the host (rules F3, F4): written down before the code is shown.
fn code(site: &Site, global: &Global, name: &str) -> Outcome {
    let known = known(site, name)?;
    let user = known.name.clone();
    takes_admin_code(&site.config, &known)
        .map_err(|why| Failure::Refused(format!("{user} could not use a code: {why}. Nothing was done")))?;
    let code = wait(issue_code(&site.store, &user, CodePurpose::Enrol, site.now))?.map_err(Failure::of)?;
    site.write_down(&user, "issue_code", None, None)?;
    site.tell_of(&user, StaffAction::CodeIssued)?;
    let ends = site.now.plus(CODE_LASTS);
    if global.json {
        let rest = json!({ "user": user.as_str(), "ends": rfc3339(ends) });
        return out::json_with_secret("code", &code, &rest);
    }
    out::show_secret("", &code);
    let portal = site.config.portal.as_ref().map(|portal| format!(" at {}", portal.pages.url)).unwrap_or_default();
    out::say(format!("{user} enrols with it{portal}, beside the password. Good until {}, once.", time(ends)));
    if let Some(admin) = site.config.admin.as_ref().filter(|_| site.config.policy.is_staff(&known.groups)) {
        out::say(format!(
            "After that {user} signs in on the staff's pages at {}, with password and that method.",
            admin.pages.url
        ));
    }
    Ok(())
}

/// The same act as the help desk's reset.
fn give_pin(site: &Site, global: &Global, name: &str) -> Outcome {
    let user = site.user(name)?;
    if !site.config.push.pin.required {
        let why =
            "phones ask for no PIN here: pin = { required = true } in [method.push] would make them. Nothing was done";
        return Err(Failure::Refused(why.to_owned()));
    }
    wait(site.store.show_user(&user))?.map_err(Failure::of)?.ok_or_else(|| nobody(&user))?;
    let pin = initial_pin(site.config.push.pin.length, &user).map_err(Failure::of)?;
    let hash = hash_password(&pin).map(Secret::new).map_err(Failure::of)?;
    site.write_down(&user, "reset_pin", None, None)?;
    wait(site.store.set_pin(&user, hash, true, site.now))?.map_err(Failure::of)?;
    site.tell_of(&user, StaffAction::PinReset)?;
    if global.json {
        return out::json_with_secret("pin", &pin, &json!({ "user": user.as_str() }));
    }
    out::show_secret("", &pin);
    let portal = site.config.portal.as_ref().map(|portal| format!(" at {}", portal.pages.url)).unwrap_or_default();
    out::say(format!(
        "It approves nothing: {user} signs in{portal} with password and phone within 24 hours, and changes it there first."
    ));
    Ok(())
}

/// There is no such user.
pub(super) fn nobody(user: &ResolvedUser) -> Failure {
    let help = "`vestibule user list` shows all, `vestibule user add` adds one";
    Failure::Refused(format!("there is no user \"{user}\"; {help}"))
}

/// Users at most in one answer of the store.
const PAGE: usize = 500;

fn list(site: &Site, global: &Global) -> Outcome {
    let mut users: Vec<User> = Vec::new();
    loop {
        let after = users.last().map(|user| user.name.clone());
        let page = wait(site.store.list_users(after.as_ref(), PAGE))?.map_err(Failure::of)?;
        let is_last = page.len() < PAGE;
        users.extend(page);
        if is_last {
            break;
        }
    }
    if global.json {
        return out::json(&users.iter().map(|user| facts(user, site.now)).collect::<Vec<_>>());
    }
    if users.is_empty() {
        out::say(format!("There is no user yet: {} user add NAME", global.program()));
        return Ok(());
    }
    let row = |user: &User| {
        let groups: Vec<&str> = user.groups.iter().map(GroupName::as_str).collect();
        vec![user.name.to_string(), methods(user).join(", "), groups.join(", "), state(user, site.now)]
    };
    out::table(&["USER", "METHODS", "GROUPS", "STATE"], &users.iter().map(row).collect::<Vec<_>>());
    Ok(())
}

/// `2 totp`, `1 webhook`; a dash for none.
fn methods(user: &User) -> Vec<String> {
    let tokens = user.tokens.iter().map(|token| token.kind.method().as_str());
    let devices = active(user).map(|device| device.channel.as_str());
    let mut counted: Vec<(&str, usize)> = Vec::new();
    for word in tokens.chain(devices) {
        match counted.iter_mut().find(|(known, _)| *known == word) {
            Some((_, number)) => *number += 1,
            None => counted.push((word, 1)),
        }
    }
    if counted.is_empty() {
        return vec!["-".to_owned()];
    }
    counted
        .into_iter()
        .map(|(word, number)| if number == 1 { word.to_owned() } else { format!("{number} {word}") })
        .collect()
}

/// Devices that count as a method.
fn active(user: &User) -> impl Iterator<Item = &Device> {
    user.devices.iter().filter(|device| device.state == DeviceState::Active)
}

fn state(user: &User, now: Wall) -> String {
    if user.blocked.is_some() {
        "blocked".to_owned()
    } else if user.fraud_reported.is_some() {
        "fraud reported".to_owned()
    } else if user.codes.lock(now).is_some() {
        "codes paused".to_owned()
    } else if user.pushes.quiet(now).is_some() {
        "pushes paused".to_owned()
    } else if user.tokens.is_empty() && active(user).next().is_none() {
        "no method".to_owned()
    } else {
        "active".to_owned()
    }
}

fn facts(user: &User, now: Wall) -> Value {
    json!({
        "user": user.name.as_str(),
        "groups": user.groups.iter().map(GroupName::as_str).collect::<Vec<_>>(),
        "mail": user.mail,
        "password": user.has_password,
        "blocked": user.blocked.as_deref(),
        "fraud_reported": user.fraud_reported.and_then(rfc3339),
        "added": rfc3339(user.added_at),
        "tokens": user.tokens.iter().map(token::facts).collect::<Vec<_>>(),
        "devices": user.devices.iter().map(device::facts).collect::<Vec<_>>(),
        "codes": {
            "failures": user.codes.failures,
            "locked": user.codes.lock(now).is_some(),
            "locked_until": user.codes.lock(now).and_then(rfc3339),
        },
        "stations_known": user.stations,
        "pushes": { "unanswered": user.pushes.unanswered, "quiet_until": user.pushes.quiet(now).and_then(rfc3339) },
        "passwords": { "held_back_until": user.shield_until.filter(|until| *until > now).and_then(rfc3339) },
        "state": state(user, now),
    })
}

/// So many of the last logins are shown.
const RECORDS: usize = 10;

fn show(site: &Site, global: &Global, name: &str) -> Outcome {
    let name = site.user(name)?;
    let user = wait(site.store.show_user(&name))?.map_err(Failure::of)?;
    let Some(user) = user else { return Err(nobody(&name)) };
    let more = wait(More::of(site, &name))?.map_err(Failure::of)?;
    let records = wait(site.store.recent_records(&name, RECORDS))?.map_err(Failure::of)?;
    let records: Vec<Value> = records.iter().filter_map(|record| serde_json::from_str(&record.json).ok()).collect();
    if global.json {
        let mut told = facts(&user, site.now);
        more.add_to(&mut told);
        told["logins"] = records.into_iter().map(explained).collect();
        return out::json(&told);
    }
    tell(&user, site);
    more.tell();
    tell_records(&records);
    Ok(())
}

fn tell(user: &User, site: &Site) {
    let line = |name: &str, value: String| out::say(format!("{name:<10} {value}"));
    let unblock = || site.command("user unblock", &user.name, "");
    let groups: Vec<&str> = user.groups.iter().map(GroupName::as_str).collect();
    let dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    out::say(format!("{}: {}", user.name, state(user, site.now)));
    if let Some(reason) = &user.blocked {
        line("  blocked", format!("{reason}   ({})", unblock()));
    }
    if let Some(at) = user.fraud_reported {
        line("  fraud", format!("reported on {}: \"it wasn't me\"   ({})", time(at), unblock()));
    }
    line("  added", time(user.added_at));
    line("  groups", dash(groups.join(", ")));
    line("  mail", dash(user.mail.clone().unwrap_or_default()));
    line("  password", if user.has_password { "kept here" } else { "not kept here" }.to_owned());
    for token in &user.tokens {
        line("  token", token::line(token));
    }
    for device in &user.devices {
        line("  device", device::line(device));
    }
    if user.tokens.is_empty() && user.devices.is_empty() {
        line("  methods", format!("none yet   ({})", site.command("token add", &user.name, "totp")));
    }
    line("  codes", codes(user, site));
    line("  pushes", pushes(user, site));
    line("  passwords", passwords(user, site));
    line("  stations", format!("{} known by a success", user.stations));
}

/// What `show` tells beside the user's row.
struct More {
    pin: Option<Pin>,
    choices: UserChoices,
    recovery_left: u32,
    bypasses: Vec<Bypass>,
}

impl More {
    async fn of(site: &Site, user: &ResolvedUser) -> Result<Self, StoreError> {
        Ok(Self {
            pin: site.store.pin(user, site.now).await?,
            choices: site.store.choices(user).await?,
            recovery_left: site.store.recovery_codes_left(user).await?,
            bypasses: site.store.list_bypasses(user, site.now).await?,
        })
    }

    fn add_to(&self, told: &mut Value) {
        told["pin"] = json!({
            "set": self.pin.is_some(),
            "locked": self.pin.as_ref().is_some_and(|pin| pin.locked),
            "must_change": self.pin.as_ref().is_some_and(|pin| pin.must_change),
            "failures": self.pin.as_ref().map_or(0, |pin| pin.failures),
        });
        told["prefers"] = json!(self.choices.method.map(login::Method::as_str));
        told["language"] = json!(self.choices.language.as_deref());
        told["recovery_codes"] = json!(self.recovery_left);
        told["bypasses"] = self.bypasses.iter().map(bypass_facts).collect();
    }

    fn tell(&self) {
        let line = |name: &str, value: String| out::say(format!("{name:<10} {value}"));
        line("  pin", pin(self.pin.as_ref()));
        if let Some(method) = self.choices.method {
            line("  prefers", method.as_str().to_owned());
        }
        if let Some(language) = &self.choices.language {
            line("  language", language.to_string());
        }
        line("  recovery", format!("{} left", count(self.recovery_left as usize, "code", "codes")));
        for bypass in &self.bypasses {
            let client = bypass.grant.client.as_ref().map_or("any client".to_owned(), ToString::to_string);
            let NewBypass { by, reason, ends_at, .. } = &bypass.grant;
            line("  bypass", format!("{client}, until {}, by {by}: {reason}", time(*ends_at)));
        }
    }
}

fn bypass_facts(bypass: &Bypass) -> Value {
    json!({
        "bypass": &*bypass.id.0,
        "client": bypass.grant.client.as_ref().map(ToString::to_string),
        "by": &*bypass.grant.by,
        "reason": &*bypass.grant.reason,
        "granted": rfc3339(bypass.granted_at),
        "ends": rfc3339(bypass.grant.ends_at),
    })
}

fn pin(pin: Option<&Pin>) -> String {
    let Some(pin) = pin else { return "none".to_owned() };
    let set = format!("set {}", time(pin.set_at));
    if pin.locked {
        format!("{set}; LOCKED after {}: only a reset helps", count(pin.failures as usize, "wrong try", "wrong tries"))
    } else if pin.must_change {
        format!("{set}; an initial one, to be changed by its owner")
    } else {
        set
    }
}

/// Rules D1.
fn codes(user: &User, site: &Site) -> String {
    let limits = &site.config.policy.limits;
    let unblock = || site.command("user unblock", &user.name, "");
    let failures = format!(
        "{} in a row (paused from {} on)",
        count(user.codes.failures as usize, "failure", "failures"),
        limits.code_failures
    );
    match user.codes.lock(site.now) {
        None => failures,
        Some(until) if rfc3339(until).is_none_or(|_| until == Wall::NEVER) => {
            format!("{failures}; OFF until a push is approved, or: {}", unblock())
        }
        Some(until) => format!("{failures}; paused until {}, or: {}", time(until), unblock()),
    }
}

/// Rules D2.
fn pushes(user: &User, site: &Site) -> String {
    let limits = &site.config.policy.limits;
    let unblock = || site.command("user unblock", &user.name, "");
    let unanswered =
        format!("{} unanswered in a row (quiet from {} on)", user.pushes.unanswered, limits.pushes_unanswered);
    match user.pushes.quiet(site.now) {
        None => unanswered,
        Some(until) => format!("{unanswered}; quiet until {}, or: {}", time(until), unblock()),
    }
}

/// Rules D7.
fn passwords(user: &User, site: &Site) -> String {
    let limits = &site.config.policy.limits;
    let counted = format!(
        "strangers are held back after {} within half an hour",
        count(limits.shield as usize, "wrong one", "wrong ones")
    );
    match user.shield_until.filter(|until| *until > site.now) {
        _ if limits.shield_watches => "wrong ones are counted and hold nobody back (shield = \"watch\")".to_owned(),
        None => counted,
        Some(until) => {
            let unblock = site.command("user unblock", &user.name, "");
            format!("{counted}; HELD BACK until {}, or: {unblock}", time(until))
        }
    }
}

fn tell_records(records: &[Value]) {
    if records.is_empty() {
        return out::say("\nNo login was recorded yet.");
    }
    out::say("\nLast logins, newest first:");
    let text = |record: &Value, key: &str| record[key].as_str().unwrap_or("-").to_owned();
    let row = |record: &Value| {
        let reason = match record["detail"].as_str() {
            Some(detail) => format!("{}: {detail}", text(record, "reason")),
            None => text(record, "reason"),
        };
        // Equal refusals of a minute are one record (rules F2).
        let reason = match record["times"].as_u64() {
            Some(times) => format!("{reason} ({times} times, until {})", text(record, "last")),
            None => reason,
        };
        let mut cells: Vec<String> =
            ["time", "client", "station", "rule", "factor", "answer"].iter().map(|key| text(record, key)).collect();
        cells.push(reason);
        cells
    };
    let rows: Vec<Vec<String>> = records.iter().map(row).collect();
    out::table(&["TIME", "CLIENT", "STATION", "RULE", "FACTOR", "ANSWER", "REASON"], &rows);
    tell_causes(records);
}

/// What the refusals mean and what to do, in the words of the log and of the staff's page.
fn tell_causes(records: &[Value]) {
    let causes = causes(records);
    if !causes.is_empty() {
        out::say("\nWhat that means:");
    }
    causes.into_iter().for_each(out::say);
}

/// Each reason once, newest first.
fn causes(records: &[Value]) -> Vec<String> {
    let mut told: Vec<Reason> = Vec::new();
    let refused = records.iter().filter(|record| record["answer"].as_str() != Some("accept"));
    for reason in refused.filter_map(|record| Reason::of_word(record["reason"].as_str()?)) {
        if !told.contains(&reason) {
            told.push(reason);
        }
    }
    told.into_iter().map(|reason| format!("  {}: {}", reason.as_str(), reason.sentence())).collect()
}

/// A record with the sentence of its reason.
fn explained(mut record: Value) -> Value {
    let sentence = record["reason"].as_str().and_then(Reason::of_word).map(Reason::sentence);
    if let (Some(sentence), Some(fields)) = (sentence, record.as_object_mut()) {
        fields.insert("sentence".to_owned(), sentence.into());
    }
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_of_a_refusal_is_explained_once_in_the_words_of_the_one_table() {
        for reason in Reason::ALL {
            let record = serde_json::json!({"reason": reason.as_str(), "answer": "reject"});
            let told = causes(&[record.clone(), record.clone()]);
            assert_eq!(told, [format!("  {}: {}", reason.as_str(), reason.sentence())]);
            assert_eq!(explained(record)["sentence"], reason.sentence());
        }
        let accepted = serde_json::json!({"reason": "accepted", "answer": "accept"});
        assert!(causes(&[accepted, serde_json::json!({"reason": "moonlight", "answer": "reject"})]).is_empty());
    }

    #[test]
    fn a_mail_address_has_two_sides() {
        assert!(is_mail("alice@example.com"));
        assert!(!is_mail("alice") && !is_mail("@example.com") && !is_mail("a b@c"));
    }
}
