//! `check`: every mistake in the policy at once, before it goes live.

use std::path::Path;

use serde_json::json;

use super::Done;
use super::out::{self, Failure};
use crate::config::{Config, Loaded, render};
use crate::store::StoreKey;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vestibule check                                the site's policy
  vestibule -c new.toml check --strict           doubtful settings count as mistakes
  vestibule --json check                         a list for an editor or a pipeline")]
pub(super) struct Args {
    /// Doubtful settings are mistakes.
    #[arg(long)]
    strict: bool,
}

pub(super) fn run(path: &Path, args: &Args, json: bool) -> Done {
    let loaded = match Config::load(path) {
        Ok(loaded) => loaded,
        Err(mistakes) => {
            if json {
                out::json(
                    &json!({ "ok": false, "findings": mistakes.findings().iter().map(|f| f.flat()).collect::<Vec<_>>() }),
                );
            } else {
                out::note(mistakes.render(out::colour_on_stderr()));
            }
            return Err(Failure::silent(2));
        }
    };
    let beyond = beyond_the_file(&loaded.config);
    tell(&loaded, &beyond, json);
    let doubtful = args.strict && !loaded.warnings.is_empty();
    if beyond.is_empty() && !doubtful { Ok(()) } else { Err(Failure::silent(2)) }
}

/// What the file names and must be usable: the store's key, the notifier's certificates.
fn beyond_the_file(config: &Config) -> Vec<String> {
    let key = StoreKey::open(&config.store.key_file).err().map(|error| error.to_string());
    let webhook = config.push.webhook.as_ref().and_then(|webhook| crate::serve::webhook(webhook).err());
    key.into_iter().chain(webhook.map(|error| error.to_string())).collect()
}

fn tell(loaded: &Loaded, beyond: &[String], json: bool) {
    let config = &loaded.config;
    if json {
        let findings: Vec<_> = loaded.warnings.iter().map(|finding| finding.flat()).collect();
        return out::json(&json!({ "ok": beyond.is_empty(), "findings": findings, "errors": beyond }));
    }
    if !loaded.warnings.is_empty() {
        out::note(render(&loaded.warnings, out::colour_on_stderr()));
    }
    beyond.iter().for_each(|error| out::note(format!("error: {error}")));
    if beyond.is_empty() {
        out::line(format!(
            "The policy is in order: {}, {}, {}.",
            counted(config.clients.len(), "client"),
            counted(config.primaries.len(), "RADIUS primary"),
            counted(config.policy.rules.len(), "rule")
        ));
    }
}

fn counted(count: usize, what: &str) -> String {
    match (count, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        (_, None) => format!("{count} {what}s"),
    }
}
