//! `vestibule check`: reads the configuration as `serve` would, and what it names, without touching anything.

use serde::Serialize;

use super::out::{self, Failure, Outcome, count, is_error_coloured};
use super::site::Global;
use crate::config::{Config, FlatFinding, Loaded, PagesConfig, Severity, TlsSource, render};
use crate::store::StoreKey;
use crate::web::CertificateFiles;

/// What `check` is asked.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  vestibule check                              /etc/vestibule/vestibule.toml
  vestibule -c ./vestibule.toml check --strict
  vestibule check --json                       a list of findings with file, line and column

Nothing is written and no server is asked. Exit code 2 if anything is wrong.")]
pub(super) struct Args {
    /// Take warnings for errors.
    #[arg(long)]
    strict: bool,
}

/// Something outside of the file that keeps `serve` from starting.
#[derive(Serialize)]
struct Obstacle {
    severity: Severity,
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
    let obstacles = obstacles(&loaded.config);
    if !obstacles.is_empty() || args.strict && !loaded.warnings.is_empty() {
        let drawn = loaded.warnings.first().map(|_| render(&loaded.warnings, is_error_coloured()));
        let lines = obstacles.iter().map(|obstacle| format!("error: {}", obstacle.message));
        let drawn: Vec<String> = drawn.into_iter().chain(lines).collect();
        return refuse(global, &told(&loaded, &obstacles), &drawn.join("\n\n"));
    }
    accept(global, &loaded)
}

/// The same without a word if all is well: `init` asks it about what it wrote.
pub(super) fn quietly(global: &Global) -> Outcome {
    let loaded =
        Config::load(&global.config).map_err(|mistakes| Failure::Mistakes(mistakes.render(is_error_coloured())))?;
    match obstacles(&loaded.config).first() {
        Some(obstacle) => Err(Failure::Refused(obstacle.message.clone())),
        None => Ok(()),
    }
}

fn refuse(global: &Global, told: &[Told<'_>], drawn: &str) -> Outcome {
    if global.json {
        out::json(&told)?;
        return Err(Failure::SaidMistakes);
    }
    out::note(drawn);
    out::note(format!("\n{}: {}", global.config.display(), count(told.len(), "finding", "findings")));
    Err(Failure::SaidMistakes)
}

fn accept(global: &Global, loaded: &Loaded) -> Outcome {
    if global.json {
        return out::json(&told(loaded, &[]));
    }
    if !loaded.warnings.is_empty() {
        out::note(render(&loaded.warnings, is_error_coloured()));
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
        match loaded.warnings.len() {
            0 => String::new(),
            warnings => format!(", {}", count(warnings, "warning", "warnings")),
        }
    ));
    Ok(())
}

fn told<'a>(loaded: &'a Loaded, obstacles: &'a [Obstacle]) -> Vec<Told<'a>> {
    let warnings = loaded.warnings.iter().map(|found| Told::InFile(found.flat()));
    warnings.chain(obstacles.iter().map(Told::Around)).collect()
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

/// What `serve` would stumble over: the key, the store's directory, certificates, the ways to phones, the mail server's settings.
fn obstacles(config: &Config) -> Vec<Obstacle> {
    let key = StoreKey::open(&config.store.key_file).err().map(|error| error.to_string());
    let directory = |key: &str, file: &std::path::Path| match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() && !parent.is_dir() => Some(format!(
            "{key}: there is no directory {}; make it, owned by the user that runs vestibule",
            parent.display()
        )),
        Some(_) | None => None,
    };
    let store = directory("[store] url", &config.store.file);
    let audit = config.audit_file.as_ref().and_then(|file| directory("[audit] file", file));
    let portal = config.portal.as_ref().and_then(|portal| certificate("portal", &portal.pages));
    let admin = config.admin.as_ref().and_then(|admin| certificate("admin", &admin.pages));
    let outside = crate::serve::rehearse(config).into_iter().map(|error| error.to_string());
    let all = [key, store, audit, portal, admin].into_iter().flatten().chain(outside);
    all.map(|message| Obstacle { severity: Severity::Error, message }).collect()
}
