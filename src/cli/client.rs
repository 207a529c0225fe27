//! `client`: what is remembered of an appliance across restarts.

use std::path::Path;

use login::ClientName;
use serde_json::json;

use super::Done;
use super::out::{self, Failure};
use super::site::Site;

#[derive(Debug, clap::Subcommand)]
#[command(after_help = "\
Examples:
  vestibule client forget hq-asa        an appliance with require_message_authenticator = \"auto\" was replaced by an older one")]
pub(super) enum Command {
    /// Forget that an appliance with `require_message_authenticator = "auto"` signs its packets (it learns again).
    Forget {
        /// NAME of its [client.NAME].
        name: String,
    },
}

pub(super) fn run(config: &Path, command: Command, json: bool) -> Done {
    let Command::Forget { name } = command;
    let site = Site::open(config)?;
    let client = ClientName::new(name.as_str());
    let known = site.config.client(&client).is_some();
    let forgotten = site.ask(site.store.forget_stance(&client))?;
    if json {
        out::json(&json!({ "client": name, "forgotten": forgotten }));
    } else if forgotten {
        out::line(format!("Forgotten. The running server notices within seconds and learns {name} again."));
    } else if known {
        out::line(format!("Nothing was learned of {name}; there is nothing to forget."));
    } else {
        return Err(Failure::refused(format!(
            "there is no [client.{name}] in {}, and nothing was learned of it",
            config.display()
        )));
    }
    Ok(())
}
