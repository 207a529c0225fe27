//! `init`: a commented config, the store's key and secrets, readable by their owner only. It replaces nothing.

use std::fmt::Write as _;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{BufRead, IsTerminal, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use data_encoding::BASE32_NOPAD;
use serde_json::json;

use super::Done;
use super::out::{self, Failure};
use crate::config::{TEMPLATE_SECRETS, template};
use crate::store::StoreKey;

/// Where a site of the whole machine lives; its state is elsewhere.
const SYSTEM: &str = "/etc/vestibule";
const SYSTEM_STATE: [&str; 2] = ["/var/lib/vestibule", "/var/log/vestibule"];
/// Octets of a random shared secret: 160 bits, 32 characters that every appliance's form takes.
const SECRET_OCTETS: usize = 20;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vestibule init                                        a few questions, then /etc/vestibule
  vestibule -c ./site/vestibule.toml init --yes         no questions; everything beside that file")]
pub(super) struct Args {
    /// Ask nothing: the commented template as it stands.
    #[arg(long)]
    yes: bool,
}

/// What the questions found out; the template's own values where nothing was said.
#[derive(Default)]
struct Answers {
    address: Option<String>,
    gives_up_after: Option<String>,
    radius: Vec<String>,
    account_name: Option<String>,
    append: bool,
}

pub(super) fn run(path: &Path, args: &Args, json: bool) -> Done {
    if path.exists() {
        return Err(Failure::refused(format!(
            "{} exists already and is not replaced; `vestibule check` reads it",
            path.display()
        )));
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let answers = if args.yes { Answers::default() } else { ask()? };
    let system = directory == Path::new(SYSTEM);
    make_directory(directory)?;
    if system {
        SYSTEM_STATE.iter().try_for_each(|state| make_directory(Path::new(state)))?;
    }
    let secrets = directory.join("secrets");
    make_directory(&secrets)?;
    let key = directory.join("store.key");
    StoreKey::generate(&key).map_err(Failure::refused)?;
    let mut written = vec![key];
    for name in secret_names(&answers) {
        let file = secrets.join(name);
        write_new(&file, format!("{}\n", random_secret()).as_bytes())?;
        written.push(file);
    }
    write_new(path, text(&answers, system).as_bytes())?;
    written.insert(0, path.to_owned());
    tell(path, &written, &answers, json);
    Ok(())
}

fn secret_names(answers: &Answers) -> Vec<&'static str> {
    let primary = (!answers.radius.is_empty()).then_some("primary.nps");
    TEMPLATE_SECRETS.into_iter().chain(primary).collect()
}

/// The template with the answers in their places. The state stands beside the file, unless it is the machine's own site.
fn text(answers: &Answers, system: bool) -> String {
    let mut text = template().to_owned();
    let mut put = |from: &str, to: &str| text = text.replacen(from, to, 1);
    if let Some(address) = &answers.address {
        put("address = \"192.0.2.10\"             # CHANGE THIS:", &format!("address = {address:?}             #"));
    }
    if let Some(patience) = &answers.gives_up_after {
        put("gives_up_after = \"30s\"", &format!("gives_up_after = {patience:?}"));
    }
    if answers.append {
        put("# append = \",\" ", "append = \",\"   ");
    }
    if !answers.radius.is_empty() {
        put("# [primary.nps] ", "[primary.nps]   ");
        put("# radius = [\"10.0.0.5\", \"10.0.0.6\"]", &format!("radius = {:?}", answers.radius));
    }
    if let Some(name) = &answers.account_name {
        put("account_name = \"Vestibule\"", &format!("account_name = {name:?}"));
    }
    let (store, audit) = if system {
        ("sqlite:/var/lib/vestibule/vestibule.db", "/var/log/vestibule/audit.jsonl")
    } else {
        ("sqlite:vestibule.db", "audit.jsonl")
    };
    let _ = write!(
        text,
        "\n# --- What lasts --------------------------------------------------------------------------------\n\n\
         [store]\nurl = \"{store}\"\nkey_file = \"store.key\"             # seals the seeds; keep a copy, apart from the backups\n\n\
         [audit]\nfile = \"{audit}\"               # one JSON line a login, beside what the store keeps\n"
    );
    text
}

fn tell(path: &Path, written: &[PathBuf], answers: &Answers, json: bool) {
    if json {
        let files: Vec<String> = written.iter().map(|file| file.display().to_string()).collect();
        return out::json(&json!({ "written": files }));
    }
    out::line("Written, readable by their owner only:");
    written.iter().for_each(|file| out::line(format!("  {}", file.display())));
    let config = path.display();
    let secret = path.with_file_name("secrets").join(TEMPLATE_SECRETS[0]);
    out::line("\nNext:");
    if answers.address.is_none() {
        out::line(format!("  1. In {config}: the appliance's address, where it says CHANGE THIS."));
    }
    out::line(format!(
        "  2. On the appliance: a RADIUS server at this host, port 1812, with the secret that is in {}",
        secret.display()
    ));
    out::line("     and a timeout (all retries together) as long as a person needs, 60 seconds if it can be set.");
    if !answers.radius.is_empty() {
        out::line("  3. On the RADIUS server behind: this host as a client, with the secret in secrets/primary.nps.");
    }
    out::line(format!("\n  vestibule -c {config} check"));
    out::line(format!("  vestibule -c {config} user add alice --password-file -"));
    out::line(format!("  vestibule -c {config} token add alice totp"));
    out::line(format!("  vestibule -c {config} serve"));
}

// --- questions -------------------------------------------------------------------------------------------------

fn ask() -> Result<Answers, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage("there is no terminal to ask at; `init --yes` writes the commented template"));
    }
    out::line("A few questions; an empty answer takes what stands in brackets.\n");
    let address = answer("1. The VPN appliance's address, from which its requests come", "192.0.2.10")?;
    let gives_up_after = answer("2. How long the appliance waits for an answer, all retries together", "30s")?;
    let radius = answer("3. RADIUS servers that check the password (NPS …), in order; none: our own users", "none")?;
    let append = answer("4. May people type password,123456 in one field", "no")?;
    let account_name = answer("5. What the phone shows for the account", "Vestibule")?;
    let servers = radius.split([',', ' ']).filter(|server| !server.is_empty() && *server != "none").map(str::to_owned);
    Ok(Answers {
        address: Some(address),
        gives_up_after: Some(gives_up_after),
        radius: servers.collect(),
        account_name: Some(account_name),
        append: append.to_lowercase().starts_with('y'),
    })
}

fn answer(question: &str, default: &str) -> Result<String, Failure> {
    let mut out = std::io::stdout().lock();
    let asked = write!(out, "{question} [{default}]: ").and_then(|()| out.flush());
    asked.map_err(Failure::refused)?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(Failure::refused)?;
    let line = line.trim();
    Ok(if line.is_empty() { default.to_owned() } else { line.to_owned() })
}

// --- files -----------------------------------------------------------------------------------------------------

fn make_directory(path: &Path) -> Done {
    if path.is_dir() {
        return Ok(());
    }
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| Failure::refused(format!("the directory {} can't be made: {error}", path.display())))
}

/// A new file that only its owner can read; an existing one is never replaced.
fn write_new(path: &Path, octets: &[u8]) -> Done {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| {
        file.write_all(octets)?;
        file.sync_all()
    });
    written.map_err(|error| Failure::refused(format!("{} can't be written: {error}", path.display())))
}

fn random_secret() -> String {
    BASE32_NOPAD.encode(&rand::random::<[u8; SECRET_OCTETS]>()).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, NoFiles};

    #[test]
    fn answers_stand_in_their_places() {
        let answers = Answers {
            address: Some("198.51.100.7".into()),
            gives_up_after: Some("60s".into()),
            radius: vec!["10.1.1.1".into()],
            account_name: Some("Example \"Corp\"".into()),
            append: true,
        };
        let text = text(&answers, false);
        for line in [
            "address = \"198.51.100.7\"",
            "gives_up_after = \"60s\"",
            "\n[primary.nps]",
            "\nradius = [\"10.1.1.1\"]",
            "\nappend = \",\"",
        ] {
            assert!(text.contains(line), "{line} is missing from\n{text}");
        }
        assert!(text.contains(r#"account_name = "Example \"Corp\"""#));
        // Only the secret files are missing here.
        let mistakes = Config::parse("vestibule.toml", &text, &NoFiles, []).unwrap_err();
        assert!(mistakes.findings().iter().all(|finding| finding.render(false).contains("secret")), "{mistakes}");
    }

    #[test]
    fn a_random_secret_is_32_characters_that_every_form_takes() {
        let secret = random_secret();
        assert_eq!(secret.len(), 32);
        assert!(secret.bytes().all(|octet| octet.is_ascii_alphanumeric()));
        assert_ne!(secret, random_secret());
    }
}
