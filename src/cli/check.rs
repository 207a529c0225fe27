//! `vestibule check`: reads the configuration as `serve` would, and what it names, without touching anything.

use std::path::Path;

use serde::Serialize;

use super::out::{self, Failure, Outcome, count, is_error_coloured};
use super::shell;
use super::site::Global;
use crate::config::{
    Config, FlatFinding, Loaded, Origin, PagesConfig, Severity, TlsSource, changeable_by_others, render,
};
use crate::language::Language;
use crate::serve::descriptors::Descriptors;
use crate::serve::doubts;
use crate::store::{KeyError, StoreKey};
use crate::web::CertificateFiles;

/// What `check` is asked.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  vestibule check                              /etc/vestibule/vestibule.toml
  vestibule -c ./vestibule.toml check --strict
  vestibule check --json                       a list of findings with file, line and column

Nothing is written and no server is asked; of a store that is there already, it is read which key sealed it. What a default
names and is not there yet is a warning, as on a host that is not the server. Exit code 2 if anything is wrong.")]
pub(super) struct Args {
    /// Take warnings for errors.
    #[arg(long)]
    strict: bool,
}

/// Something around the file that keeps `serve` from starting, and the place that names it.
#[derive(Serialize)]
struct Obstacle {
    severity: Severity,
    file: Option<String>,
    line: Option<usize>,
    column: Option<usize>,
    variable: Option<String>,
    message: String,
}

/// One line of `--json`'s list.
#[derive(Serialize)]
#[serde(untagged)]
enum Told<'a> {
    InFile(FlatFinding<'a>),
    Around(&'a Obstacle),
}

/// Checks.
pub(super) fn run(args: &Args, global: &Global) -> Outcome {
    let loaded = match Config::load(&global.config) {
        Ok(loaded) => loaded,
        Err(mistakes) => {
            let told: Vec<Told<'_>> = mistakes.findings().iter().map(|found| Told::InFile(found.flat())).collect();
            return refuse(global, &told, &mistakes.render(is_error_coloured()));
        }
    };
    let obstacles = obstacles(&loaded.config, &global.config);
    if refuses(&loaded, &obstacles, args.strict) {
        return refuse(global, &told(&loaded, &obstacles), &drawn(&loaded, &obstacles));
    }
    accept(global, &loaded, &obstacles)
}

/// The same without a word if all is well: `init` asks it about what it wrote.
pub(super) fn quietly(global: &Global) -> Outcome {
    let loaded =
        Config::load(&global.config).map_err(|mistakes| Failure::Mistakes(mistakes.render(is_error_coloured())))?;
    match obstacles(&loaded.config, &global.config).iter().find(|obstacle| obstacle.severity == Severity::Error) {
        Some(obstacle) => Err(Failure::Refused(obstacle.message.clone())),
        None => Ok(()),
    }
}

fn refuses(loaded: &Loaded, obstacles: &[Obstacle], strict: bool) -> bool {
    let is_error = |obstacle: &Obstacle| obstacle.severity == Severity::Error;
    obstacles.iter().any(is_error) || strict && !(loaded.warnings.is_empty() && obstacles.is_empty())
}

fn drawn(loaded: &Loaded, obstacles: &[Obstacle]) -> String {
    let inside = loaded.warnings.first().map(|_| render(&loaded.warnings, is_error_coloured()));
    inside.into_iter().chain(obstacles.iter().map(Obstacle::drawn)).collect::<Vec<_>>().join("\n\n")
}

fn refuse(global: &Global, told: &[Told<'_>], drawn: &str) -> Outcome {
    if global.json {
        out::json(&told)?;
        return Err(Failure::SaidMistakes);
    }
    out::note(shell::addressed(drawn, &global.program()));
    out::note(format!("\n{}: {}", global.config.display(), count(told.len(), "finding", "findings")));
    Err(Failure::SaidMistakes)
}

fn accept(global: &Global, loaded: &Loaded, obstacles: &[Obstacle]) -> Outcome {
    if global.json {
        return out::json(&told(loaded, obstacles));
    }
    let warnings = loaded.warnings.len() + obstacles.len();
    if warnings > 0 {
        out::note(shell::addressed(&drawn(loaded, obstacles), &global.program()));
        out::note("");
    }
    let config = &loaded.config;
    // The primary `local` is always there.
    out::say(format!(
        "{} is in order: {}, {}, {}{}",
        global.config.display(),
        count(config.clients.len(), "client", "clients"),
        count(config.primaries.len() + 1, "primary", "primaries"),
        count(config.policy.rules.len(), "rule", "rules"),
        match warnings {
            0 => String::new(),
            warnings => format!(", {}", count(warnings, "warning", "warnings")),
        }
    ));
    if let Some(text) = unread_languages(config) {
        out::note(text);
    }
    Ok(())
}

/// No warning, for nothing in the file mends it: whose texts no native speaker has read is the admin's to know, not the people's.
fn unread_languages(config: &Config) -> Option<String> {
    let shows_texts = config.portal.is_some() || config.mail.is_some();
    let unread: Vec<&str> = Language::ALL.into_iter().filter(|it| it.machine_made()).map(Language::own_name).collect();
    let (last, rest) = unread.split_last().filter(|_| shows_texts)?;
    let list = if rest.is_empty() { (*last).to_owned() } else { format!("{} and {last}", rest.join(", ")) };
    Some(format!(
        "Note: a machine translated the texts in {list} (pages, phone, letters, VPN prompts); no native speaker has read them yet."
    ))
}

fn told<'a>(loaded: &'a Loaded, obstacles: &'a [Obstacle]) -> Vec<Told<'a>> {
    let warnings = loaded.warnings.iter().map(|found| Told::InFile(found.flat()));
    warnings.chain(obstacles.iter().map(Told::Around)).collect()
}

impl Obstacle {
    fn new(severity: Severity, origin: Origin, message: String) -> Self {
        let here = Self { severity, file: None, line: None, column: None, variable: None, message };
        match origin {
            Origin::File { file, line, column } => {
                Self { file: Some(file.to_string()), line: Some(line), column: Some(column), ..here }
            }
            Origin::Environment(variable) => Self { variable: Some(variable.to_string()), ..here },
            Origin::Default => here,
        }
    }

    /// As findings are drawn, without the line itself: what is wrong is not in it.
    fn drawn(&self) -> String {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let place = match (&self.file, self.line, self.column, &self.variable) {
            (Some(file), Some(line), Some(column), _) => format!("\n --> {file}:{line}:{column}"),
            (_, _, _, Some(variable)) => format!("\n --> environment {variable}"),
            _ => String::new(),
        };
        format!("{severity}: {}{place}", self.message)
    }
}

/// Where a key, or the first one under it, was said.
fn said_at(config: &Config, key: &str) -> Origin {
    let under = format!("{key}.");
    let mut said = config.settings.iter().filter(|(name, _)| *name == key || name.starts_with(&under));
    let written = said.find(|(_, setting)| setting.origin != Origin::Default);
    written.map_or(Origin::Default, |(_, setting)| setting.origin.clone())
}

/// What `serve` would stumble over: the key, the store's directory, certificates, the ways to phones, the mail server's settings.
fn obstacles(config: &Config, main: &Path) -> Vec<Obstacle> {
    let portal = config.portal.as_ref().and_then(|portal| certificate("portal", &portal.pages));
    let admin = config.admin.as_ref().and_then(|admin| certificate("admin", &admin.pages));
    let outside = crate::serve::rehearse(config).into_iter().map(|(key, why)| (key, why.to_string()));
    let errors = [portal.map(|why| ("portal.tls", why)), admin.map(|why| ("admin.tls", why))];
    let errors = errors.into_iter().flatten().chain(outside);
    let of_errors = errors.map(|(key, why)| Obstacle::new(Severity::Error, said_at(config, key), why));
    let audit =
        config.audit.file.as_ref().and_then(|file| missing_directory(config, "audit.file", "[audit] file", file));
    let store = missing_directory(config, "store.url", "[store] url", &config.store.file);
    let shortage = config.portal.as_ref().and_then(|_| Descriptors::raised().shortage());
    let descriptors = shortage.map(|why| Obstacle::new(Severity::Warning, Origin::Default, why));
    let doubts = doubts::of_days(config, super::site::now()).into_iter().chain(doubts::of_groups(config));
    let doubts = doubts.map(|doubt| Obstacle::new(doubt.severity, said_at(config, &doubt.key), doubt.text));
    // Whoever may write the law is named, as those who may read a secret are (rules F1).
    let open = changeable_by_others(config, main).into_iter();
    let open = open.map(|why| Obstacle::new(Severity::Warning, Origin::Default, why));
    let obstacles = [key(config), store, audit, descriptors].into_iter().flatten();
    obstacles.chain(of_errors).chain(doubts).chain(open).chain(names(config)).collect()
}

/// Names in the store that the rules of now read otherwise (rules A2), and the pairs that staff told apart.
fn names(config: &Config) -> Vec<Obstacle> {
    let names = crate::serve::names::look(config);
    let at = || said_at(config, "realms");
    let missing = names.realms_missing.map(|said| Obstacle::new(Severity::Error, at(), said));
    let misread = names
        .misread
        .into_iter()
        .map(|one| Obstacle::new(Severity::Warning, Origin::Default, format!("the user {:?}: {}", one.name, one.said)));
    let apart = names.told_apart.into_iter().map(|(user, other)| {
        let said = format!("the users {user:?} and {other:?} look alike, and staff said that they are two people");
        Obstacle::new(Severity::Warning, Origin::Default, said)
    });
    missing.into_iter().chain(misread).chain(apart).collect()
}

/// The key's file as it should be, and the one that sealed the store, if there is a store already.
fn key(config: &Config) -> Option<Obstacle> {
    let at = said_at(config, "store.key_file");
    match StoreKey::open(&config.store.key_file) {
        // A site that `init` has not seen yet: the file itself is in order.
        Err(why @ KeyError::Missing(_)) if at == Origin::Default => {
            Some(Obstacle::new(Severity::Warning, at, why.to_string()))
        }
        Err(why) => Some(Obstacle::new(Severity::Error, at, why.to_string())),
        Ok(key) => {
            let why = key.mismatch(&config.store.file)?;
            Some(Obstacle::new(Severity::Error, at, why.to_string()))
        }
    }
}

/// StateDirectory= and LogsDirectory= of deploy/systemd/vestibule.service: systemd makes them at each start, for the service's user.
pub(super) const UNITS_DIRECTORIES: [&str; 2] = ["/var/lib/vestibule", "/var/log/vestibule"];

/// A default path may not be there yet, where the file is checked before it is taken to its host.
fn missing_directory(config: &Config, key: &str, called: &str, file: &Path) -> Option<Obstacle> {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty() && !parent.is_dir())?;
    let at = said_at(config, key);
    let is_the_units = UNITS_DIRECTORIES.iter().any(|directory| parent == Path::new(directory));
    let severity = if is_the_units || at == Origin::Default { Severity::Warning } else { Severity::Error };
    let make = if is_the_units {
        "the unit in deploy/systemd makes it at the start; to start vestibule otherwise, make it, owned by the user that runs vestibule"
    } else {
        "make it, owned by the user that runs vestibule"
    };
    Some(Obstacle::new(severity, at, format!("{called}: there is no directory {}; {make}", parent.display())))
}

/// What is wrong with the files of a certificate.
fn certificate(name: &str, pages: &PagesConfig) -> Option<String> {
    let TlsSource::Files { certificate, key } = &pages.tls else { return None };
    let told = |why: String| Some(format!("[{name}] tls: {why}"));
    match CertificateFiles::new(certificate, key).read() {
        Err(trouble) => told(trouble.to_string()),
        Ok(chain) if !chain.is_for(pages.url.host()) => told(format!(
            "the certificate is for {} and not for {}: browsers and phones will refuse it",
            chain.names.join(", "),
            pages.url.host()
        )),
        Ok(_) => None,
    }
}
