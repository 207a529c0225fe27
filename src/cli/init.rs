//! `vestibule init`: a first configuration with the store's key and random secrets, readable by their owner only.
//!
//! Guarantees: nothing that exists is overwritten; what is written passes `check` as it stands and `serve` starts with it.
//! `init` alone makes the store's key (rules F1). The configuration is written last: without it nothing else counts.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use data_encoding::BASE32_NOPAD;
use rand::TryRng;
use rand::rngs::SysRng;
use zeroize::Zeroizing;

use super::out::{self, Failure, Outcome};
use super::site::{Global, give_to_owner};
use super::{check, input, shell};
use crate::config::{TEMPLATE_SECRETS, template, template_pages};
use crate::store::StoreKey;

/// What `init` is asked.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  vestibule init                                       asks seven questions
  vestibule -c ./try/vestibule.toml init --yes         asks nothing; everything lands in ./try
  sudo -u vestibule vestibule init                     for the service in deploy/systemd

Writes the configuration to the path of -c, store.key and secrets/ beside it. With -c in /etc/vestibule the store
goes to /var/lib/vestibule and the audit to /var/log/vestibule, else beside the configuration too.")]
pub(super) struct Args {
    /// Ask nothing: take the example values, to be changed in the file.
    #[arg(long)]
    yes: bool,
}

/// What a first configuration is made of.
struct Answers {
    client: String,
    address: String,
    gives_up_after_s: u32,
    challenge: bool,
    /// Addresses of RADIUS servers; none: local users.
    primary: Vec<String>,
    account_name: String,
    realms: RealmAnswer,
}

/// The realms that names carry.
#[derive(Clone, Debug, PartialEq, Eq)]
enum RealmAnswer {
    /// None.
    No,
    /// A DNS realm, and the NetBIOS domain where names come as `DOMAIN\\user`.
    Domain { netbios: Option<String>, dns: String },
}

/// Where the rest goes.
struct Places {
    home: PathBuf,
    /// As the file says it.
    store: String,
    audit: String,
    /// To be made.
    directories: Vec<PathBuf>,
}

/// Writes a first configuration.
pub(super) fn run(args: &Args, global: &Global) -> Outcome {
    let config = &global.config;
    if config.symlink_metadata().is_ok() {
        let help = "change that file, or give another one with -c FILE";
        return Err(Failure::Refused(format!("{} exists already and is not overwritten; {help}", config.display())));
    }
    let answers = if args.yes { None } else { Some(ask_all()?) };
    let places = Places::of(config);
    let mut left_to_the_unit = Vec::new();
    for directory in &places.directories {
        match make_directory(directory) {
            Ok(()) => {}
            // A service's user may not make them, and need not.
            Err(why) if is_forbidden(&why) && is_the_units(directory) => left_to_the_unit.push(directory.as_path()),
            Err(why) => return Err(cannot("made", directory, &why)),
        }
    }
    let key = places.home.join("store.key");
    let key_is_new = make_key(&key)?;
    let mut secrets: Vec<(PathBuf, bool)> = Vec::new();
    for name in secret_names(answers.as_ref()) {
        let file = places.home.join("secrets").join(&name);
        secrets.push((file.clone(), make_secret(&file)?));
    }
    let text = configuration(answers.as_ref(), &places);
    write_new(config, text.as_bytes())?;
    tell(global, answers.as_ref(), &places, (&key, key_is_new), &secrets)?;
    if !left_to_the_unit.is_empty() && !global.json {
        out::note(left(&left_to_the_unit));
    }
    // It must be right as it stands; if it is not, that is ours to say now, not `serve`'s later.
    check::quietly(global)
}

impl Places {
    fn of(config: &Path) -> Self {
        let home = config.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut directories = vec![home.to_owned(), home.join("secrets")];
        let (store, audit) = if home == Path::new("/etc/vestibule") {
            directories.extend(check::UNITS_DIRECTORIES.map(PathBuf::from));
            ("sqlite:/var/lib/vestibule/vestibule.db", "/var/log/vestibule/audit.jsonl")
        } else {
            ("sqlite:vestibule.db", "audit.jsonl")
        };
        Self { home: home.to_owned(), store: store.to_owned(), audit: audit.to_owned(), directories }
    }
}

/// The seven questions.
fn ask_all() -> Result<Answers, Failure> {
    if !io::stdin().is_terminal() {
        let help = "run `vestibule init --yes` for a configuration to be changed by hand";
        return Err(Failure::Usage(format!("there is no terminal to ask questions; {help}")));
    }
    out::note("Seven questions; Enter takes what stands in brackets. Everything can be changed in the file later.\n");
    let client = question("1. What do you call the VPN appliance? [vpn] ", "vpn", name)?;
    let address = question("2. From which address do its RADIUS packets come? ", "", address)?;
    let patience =
        question("3. After how many seconds does it give up on RADIUS, all retries together? [30] ", "30", seconds)?;
    let challenge =
        question("4. Can it show a second question (Access-Challenge), for the code? [yes] ", "yes", yes_or_no)?;
    let primary = question(
        "5. Who checks the password: `local` users of Vestibule, or RADIUS servers (NPS) at which addresses? [local] ",
        "local",
        servers,
    )?;
    let account_name = question("6. What should the phone's app call the account? [VPN] ", "VPN", account_name)?;
    let realms = question(
        "7. Do user names carry a domain? Both its names, as in `CORP corp.example`; or its DNS name; or `none`. [none] ",
        "none",
        realms,
    )?;
    Ok(Answers { client, address, gives_up_after_s: patience, challenge, primary, account_name, realms })
}

/// Asks until the answer makes sense.
fn question<T>(text: &str, usual: &str, read: impl Fn(&str) -> Result<T, &'static str>) -> Result<T, Failure> {
    loop {
        let typed = input::ask(text)?;
        match read(if typed.is_empty() { usual } else { &typed }) {
            Ok(answer) => return Ok(answer),
            Err(why) => out::note(format!("   {why}")),
        }
    }
}

fn name(text: &str) -> Result<String, &'static str> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_plain = !text.is_empty() && text.len() <= 32 && text.chars().all(plain) && !text.starts_with('-');
    if is_plain { Ok(text.to_owned()) } else { Err("A short name of a-z, 0-9 and -, please, such as hq-vpn.") }
}

fn address(text: &str) -> Result<String, &'static str> {
    let is_right = text.parse::<IpAddr>().is_ok() || text.parse::<ipnet::IpNet>().is_ok();
    if is_right { Ok(text.to_owned()) } else { Err("An address such as 192.0.2.10 or 2001:db8::10, please.") }
}

fn seconds(text: &str) -> Result<u32, &'static str> {
    let number = text.trim_end_matches('s').trim().parse().ok().filter(|number| (5..=300).contains(number));
    number.ok_or("A number of seconds from 5 to 300, please.")
}

fn yes_or_no(text: &str) -> Result<bool, &'static str> {
    match text.to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(true),
        "n" | "no" => Ok(false),
        _ => Err("yes or no, please."),
    }
}

fn servers(text: &str) -> Result<Vec<String>, &'static str> {
    if text.eq_ignore_ascii_case("local") {
        return Ok(Vec::new());
    }
    let is_host = |host: &str| {
        let is_name = host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':'));
        host.parse::<IpAddr>().is_ok() || host.parse::<SocketAddr>().is_ok() || is_name
    };
    let list: Vec<String> = text.split([',', ' ']).filter(|part| !part.is_empty()).map(ToOwned::to_owned).collect();
    if !list.is_empty() && list.iter().all(|host| is_host(host)) {
        Ok(list)
    } else {
        Err("`local`, or addresses such as 10.0.0.5, 10.0.0.6, please.")
    }
}

fn realms(text: &str) -> Result<RealmAnswer, &'static str> {
    const HELP: &str = "`none`, or names such as CORP corp.example, please.";
    let is_plain = |name: &&str| {
        name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')) && name.len() <= 253
    };
    let words: Vec<&str> = text.split([',', ' ', '=']).filter(|word| !word.is_empty()).collect();
    if !words.iter().all(is_plain) {
        return Err(HELP);
    }
    match words.as_slice() {
        [word] if word.eq_ignore_ascii_case("none") => Ok(RealmAnswer::No),
        [dns] if dns.contains('.') => Ok(RealmAnswer::Domain { netbios: None, dns: dns.to_ascii_lowercase() }),
        [netbios, dns] if !netbios.contains('.') && dns.contains('.') => {
            Ok(RealmAnswer::Domain { netbios: Some(netbios.to_ascii_uppercase()), dns: dns.to_ascii_lowercase() })
        }
        _ => Err(HELP),
    }
}

fn account_name(text: &str) -> Result<String, &'static str> {
    let is_right =
        !text.trim().is_empty() && text.chars().count() <= 64 && !text.contains(|c: char| c == ':' || c.is_control());
    if is_right { Ok(text.to_owned()) } else { Err("1 to 64 characters without a colon, please.") }
}

fn secret_names(answers: Option<&Answers>) -> Vec<String> {
    match answers {
        None => TEMPLATE_SECRETS.iter().map(|name| (*name).to_owned()).collect(),
        Some(answers) => {
            let primary = (!answers.primary.is_empty()).then(|| format!("primary.{PRIMARY}"));
            std::iter::once(format!("client.{}", answers.client)).chain(primary).collect()
        }
    }
}

/// What the RADIUS servers of the sixth question are called.
const PRIMARY: &str = "nps";

fn configuration(answers: Option<&Answers>, places: &Places) -> String {
    let kept = format!(
        "\n# --- Where things are kept --------------------------------------------------------------------\n\n\
         [store]\nurl = {}\nkey_file = \"store.key\"             # seals the seeds; keep a copy apart from backups of the store\n\n\
         [audit]\nfile = {}               # one line for each login, beside what the store keeps\n",
        quoted(&places.store),
        quoted(&places.audit)
    );
    match answers {
        None => format!("{}{kept}", template()),
        Some(answers) => format!("{}{kept}", answered(answers)),
    }
}

fn answered(answers: &Answers) -> String {
    let Answers { client, address, gives_up_after_s, challenge, primary, account_name, realms } = answers;
    let realms = realms_section(realms);
    let (account_name, address) = (quoted(account_name), quoted(address));
    let mode = if *challenge {
        "# append = \",\"                     # also accept password,123456 and password,push".to_owned()
    } else {
        "challenge = false                  # it can't show a second question,\n\
         append = \",\"                       # so people type password,123456"
            .to_owned()
    };
    let (named, section) = if primary.is_empty() {
        let local = "# Without a [primary.NAME] it is \"local\": the users of `vestibule user add`.\n\n\
             # [primary.nps]                    # its secret: secrets/primary.nps\n\
             # radius = [\"10.0.0.5\", \"10.0.0.6\"]        # asked in this order; port 1812 unless said\n";
        (String::new(), local.to_owned())
    } else {
        let list: Vec<String> = primary.iter().map(|server| quoted(server)).collect();
        let section = format!(
            "\n[primary.{PRIMARY}]                      # its secret: secrets/primary.{PRIMARY}\n\
             radius = [{}]        # asked in this order; port 1812 unless said\n",
            list.join(", ")
        );
        (format!("primary = \"{PRIMARY}\"\n"), section)
    };
    format!(
        "# Vestibule's whole policy. `vestibule check` reads it and says what is wrong, all at once.\n\
         # Every duration has its unit: \"500ms\", \"30s\", \"5m\", \"8h\", \"30d\". Paths are relative to this file.\n\n\
         # --- The appliances that ask ------------------------------------------------------------------\n\
         # One section for each. Its shared secret is in secrets/client.NAME, readable by its owner only.\n\n\
         [client.{client}]\n\
         address = {address}\n{named}\
         gives_up_after = \"{gives_up_after_s}s\"             # the RADIUS timeout on the appliance's own screen, all retries together\n\
         {mode}\n\
         # require_message_authenticator = \"auto\"   # where it does not send Message-Authenticator yet\n\n\
         # --- Who checks the password ------------------------------------------------------------------\n\
         {section}\n\
         {realms}\n\
         # --- What the person sees ---------------------------------------------------------------------\n\n\
         [portal]\n\
         account_name = {account_name}         # what the phone's app shows for this account\n\
         {}\n\
         # --- Who gets in ------------------------------------------------------------------------------\n\
         # The first rule that matches decides; no match is denied.\n\n\
         [[rule]]\n\
         name = \"everybody\"\n\
         second_factor = [\"totp\", \"hotp\"]   # a typed code of any listed kind is taken\n\
         unenrolled = \"deny\"                # who has no token yet stays outside\n",
        template_pages()
    )
}

fn realms_section(realms: &RealmAnswer) -> String {
    let head = "# --- What names mean --------------------------------------------------------------------------\n";
    match realms {
        RealmAnswer::No => format!(
            "{head}# Where names come as CORP\\alice or alice@corp.example. Without it a realm reaches no RADIUS server.\n\n\
             # [realms]\n\
             # CORP = \"corp.example\"            # CORP\\alice is alice@corp.example\n\
             # default = \"corp.example\"         # and so is a bare alice; without it a name needs its realm\n\
             # none = true                      # instead: a realm is part of the name\n"
        ),
        RealmAnswer::Domain { netbios, dns } => {
            let domain =
                netbios.as_ref().map_or(String::new(), |netbios| format!("{} = {}\n", quoted(netbios), quoted(dns)));
            format!("{head}\n[realms]\n{domain}default = {}              # a bare name is this realm's\n", quoted(dns))
        }
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A directory that exists stays as it is.
fn make_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    match service_user().filter(|_| directory.starts_with("/etc") || directory.starts_with("/var")) {
        // The service's own user, where the system has one and root writes for it.
        Some((uid, gid)) => {
            let _ = std::os::unix::fs::chown(directory, Some(uid), Some(gid));
        }
        None => give_to_owner(directory),
    }
    Ok(())
}

fn service_user() -> Option<(u32, u32)> {
    let user = nix::unistd::User::from_name(SERVICE_USER).ok().flatten()?;
    nix::unistd::geteuid().is_root().then(|| (user.uid.as_raw(), user.gid.as_raw()))
}

/// A key that is there is never replaced: without it the seeds in the store are lost.
fn make_key(file: &Path) -> Result<bool, Failure> {
    if file.symlink_metadata().is_ok() {
        StoreKey::open(file).map_err(Failure::of)?;
        return Ok(false);
    }
    StoreKey::generate(file).map_err(Failure::of)?;
    give_to_owner(file);
    Ok(true)
}

/// A secret that is there stays: the other end may have it already.
fn make_secret(file: &Path) -> Result<bool, Failure> {
    if file.symlink_metadata().is_ok() {
        return Ok(false);
    }
    // 160 bits in 32 characters that every appliance's form takes and nobody mistakes for others.
    let mut octets = Zeroizing::new([0; 20]);
    SysRng
        .try_fill_bytes(&mut *octets)
        .map_err(|_| Failure::Refused("the operating system gives no randomness".into()))?;
    let mut text = Zeroizing::new(BASE32_NOPAD.encode(&*octets));
    text.make_ascii_lowercase();
    text.push('\n');
    write_new(file, text.as_bytes())?;
    Ok(true)
}

fn write_new(file: &Path, octets: &[u8]) -> Outcome {
    let mut opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .map_err(|why| cannot("written", file, &why))?;
    opened.write_all(octets).and_then(|()| opened.sync_all()).map_err(|why| cannot("written", file, &why))?;
    give_to_owner(file);
    Ok(())
}

fn is_the_units(directory: &Path) -> bool {
    check::UNITS_DIRECTORIES.iter().any(|known| directory == Path::new(known))
}

fn is_forbidden(why: &io::Error) -> bool {
    matches!(why.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

/// What the service's user could not make, for whoever starts vestibule without the unit.
fn left(directories: &[&Path]) -> String {
    let list: Vec<String> = directories.iter().map(|directory| directory.display().to_string()).collect();
    format!(
        "\nNot made, because {user} may not: {}. The unit in deploy/systemd makes what is missing at each start;\n\
         to start vestibule otherwise, as root:   install -d -o {user} -m 0700 {}",
        list.join(" and "),
        list.join(" "),
        user = shell::word(&account())
    )
}

fn account() -> String {
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten();
    user.map_or_else(|| nix::unistd::geteuid().to_string(), |user| user.name)
}

fn cannot(done: &str, path: &Path, why: &io::Error) -> Failure {
    let help = if why.kind() == io::ErrorKind::PermissionDenied {
        let above = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // secrets/ and all files lie in the directory that root has to hand over.
        let place = if done == "made" && !path.ends_with("secrets") { path } else { above };
        forbidden(place, &account(), service_user_exists())
    } else {
        String::new()
    };
    Failure::Refused(format!("{} can't be {done}: {why}{help}", path.display()))
}

/// What helps depends on who was refused: advice to be who one is already helps nobody.
fn forbidden(place: &Path, account: &str, has_service_user: bool) -> String {
    let place = place.display().to_string();
    match account {
        "root" => "; even root may not: look at how that file system is mounted".to_owned(),
        SERVICE_USER => format!(
            "; as root: install -d -o {SERVICE_USER} -g {SERVICE_USER} -m 0700 {}; then run this again",
            shell::word(&place)
        ),
        _ if has_service_user => format!("; run this as the service's user, by sudo -u {SERVICE_USER}, or as root"),
        _ => "; run this as root, or give -c FILE in a directory of yours".to_owned(),
    }
}

/// As deploy/systemd/vestibule.service calls it.
const SERVICE_USER: &str = "vestibule";

fn service_user_exists() -> bool {
    nix::unistd::User::from_name(SERVICE_USER).ok().flatten().is_some()
}

fn tell(
    global: &Global,
    answers: Option<&Answers>,
    places: &Places,
    (key, key_is_new): (&Path, bool),
    secrets: &[(PathBuf, bool)],
) -> Outcome {
    let config = global.config.display();
    if global.json {
        let secrets: Vec<String> = secrets.iter().map(|(file, _)| file.display().to_string()).collect();
        let told = serde_json::json!({ "config": config.to_string(), "key": key, "secrets": secrets });
        return out::json(&told);
    }
    out::say(format!("Written, readable by their owner only:\n  {config}"));
    let kept = |is_new: bool| if is_new { "" } else { "   (was there, and stays)" };
    out::say(format!("  {}{}", key.display(), kept(key_is_new)));
    for (file, is_new) in secrets {
        out::say(format!("  {}{}", file.display(), kept(*is_new)));
    }
    let command = global.program();
    let client = answers.map_or("vpn", |answers| answers.client.as_str());
    let secret = places.home.join("secrets").join(format!("client.{client}"));
    let mut steps = Vec::new();
    if answers.is_none() {
        steps.push(format!(
            "In {config}, set `address` under [client.{client}] to where the appliance's packets come from."
        ));
    }
    steps.push(format!(
        "On the appliance, add a RADIUS server: this host's address, UDP port 1812 for authentication,\n     PAP, the secret in {}{}.",
        secret.display(),
        answers.map_or_else(String::new, |answers| format!(", and a timeout of {} s", answers.gives_up_after_s))
    ));
    if answers.is_some_and(|answers| !answers.primary.is_empty()) {
        let file = places.home.join("secrets").join(format!("primary.{PRIMARY}"));
        steps.push(format!("On each NPS, add this host as a RADIUS client, with the secret in {}.", file.display()));
        steps.push(format!("A user, whose password stays where it is:   {command} user add alice"));
    } else {
        steps.push(format!("A user:          {command} user add alice --password-file -"));
    }
    steps.push(format!("A second factor: {command} token add alice totp"));
    steps.push(format!("Start it:        {command} serve"));
    steps.push(format!(
        "Try it from here, as the appliance would; first add [client.here] with address = \"127.0.0.1\" and\n     \
         secret_file = \"secrets/client.{client}\" to the file:\n     {command} reload\n     {command} radtest 127.0.0.1 alice --secret-file {}",
        shell::word(&secret.display().to_string())
    ));
    out::say("\nNext:");
    for (number, step) in steps.iter().enumerate() {
        out::say(format!("  {}. {step}", number + 1));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_refused_is_told_to_be_somebody_else_or_what_root_must_do() {
        let place = Path::new("/etc/vestibule");
        let told = |account: &str, has_service_user| forbidden(place, account, has_service_user);
        assert!(told("vestibule", true).contains("install -d -o vestibule -g vestibule -m 0700 /etc/vestibule;"));
        assert!(!told("vestibule", true).contains("sudo -u") && !told("root", true).contains("as root"));
        assert!(told("alice", true).contains("sudo -u vestibule"));
        assert!(told("alice", false).contains("-c FILE") && !told("alice", false).contains("sudo"));
    }

    fn init(directory: &Path) -> Global {
        let global = Global { config: directory.join("vestibule.toml"), json: true };
        run(&Args { yes: true }, &global).unwrap();
        global
    }

    #[test]
    fn what_init_writes_is_in_order_and_its_owners_only() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        init(directory.path());
        for (file, mode) in
            [("vestibule.toml", 0o600), ("store.key", 0o600), ("secrets", 0o700), ("secrets/client.vpn", 0o600)]
        {
            let found = std::fs::metadata(directory.path().join(file)).unwrap().permissions().mode();
            assert_eq!(found & 0o777, mode, "{file}");
        }
        let secret = std::fs::read_to_string(directory.path().join("secrets/client.vpn")).unwrap();
        assert_eq!(secret.trim_end().len(), 32);
    }

    #[test]
    fn nothing_that_exists_is_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let global = init(directory.path());
        let key = std::fs::read(directory.path().join("store.key")).unwrap();
        assert!(
            matches!(run(&Args { yes: true }, &global), Err(Failure::Refused(why)) if why.contains("not overwritten"))
        );
        std::fs::remove_file(&global.config).unwrap();
        run(&Args { yes: true }, &global).unwrap();
        assert_eq!(std::fs::read(directory.path().join("store.key")).unwrap(), key);
    }

    #[test]
    fn answers_become_a_configuration_that_is_in_order() {
        use crate::config::{Config, NoFiles};
        let places = Places::of(Path::new("x/vestibule.toml"));
        for (challenge, primary) in [(true, vec![]), (false, vec!["10.0.0.5".to_owned(), "nps.example.com".to_owned()])]
        {
            let answers = Answers {
                client: "hq-vpn".to_owned(),
                address: "192.0.2.10".to_owned(),
                gives_up_after_s: 60,
                challenge,
                primary,
                account_name: "Example \"Corp\"".to_owned(),
                realms: realms(if challenge { "none" } else { "corp corp.example" }).unwrap(),
            };
            let text = configuration(Some(&answers), &places);
            let loaded = Config::parse("vestibule.toml", &text, &NoFiles, [])
                .unwrap_or_else(|mistakes| panic!("{mistakes}\n{text}"));
            assert_eq!(&*loaded.config.account_name, "Example \"Corp\"");
            assert!(loaded.config.portal.is_none());
            let name = loaded.config.policy.staff_name(if challenge { b"alice" } else { b"CORP\\alice" }).unwrap();
            assert_eq!(name.folded(), if challenge { "alice" } else { "alice@corp.example" });
        }
    }

    #[test]
    fn the_pages_are_served_once_their_comments_are_taken_off() {
        use crate::config::{Config, NoFiles};
        let places = Places::of(Path::new("x/vestibule.toml"));
        let sections = |line: &str| line.starts_with("# [") || line.contains(" = ");
        let pages: String = template_pages()
            .lines()
            .map(|line| if sections(line) { line.strip_prefix("# ").unwrap_or(line) } else { line })
            .map(|line| format!("{line}\n"))
            .collect();
        let text = configuration(None, &places).replace(template_pages(), &pages);
        let loaded = Config::parse("vestibule.toml", &text, &NoFiles, [])
            .unwrap_or_else(|mistakes| panic!("{mistakes}\n{text}"));
        let Config { portal, admin, mail, .. } = loaded.config;
        assert!(portal.is_some() && admin.is_some() && mail.is_some());
    }
}
