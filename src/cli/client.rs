//! `vestibule client`: what was learned of appliances (rules E2).

use login::ClientName;

use super::out::{self, Outcome};
use super::site::{Global, Site, wait};
use crate::cli::out::Failure;
use crate::store::Stances;

/// What can be asked.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Forget that a client has learned to sign its requests.
    ///
    /// A client with `require_message_authenticator = "auto"` must send Message-Authenticator once it has done so for a
    /// while. If it was replaced by one that can't, this begins the learning anew; the server takes it up within seconds.
    #[command(after_help = "\
Example:
  vestibule client forget old-gateway")]
    Forget {
        /// NAME of [client.NAME].
        name: String,
    },
}

/// Does it.
pub(super) fn run(command: Command, global: &Global) -> Outcome {
    let Command::Forget { name } = command;
    let site = Site::open(global)?;
    let client = ClientName::new(name.as_str());
    let had = wait(site.store.forget_stance(&client))?.map_err(Failure::of)?;
    if !had && site.config.client(&client).is_none() {
        let known: Vec<&str> = site.config.clients.iter().map(|client| client.name.as_str()).collect();
        return Err(Failure::Refused(format!("there is no client {name:?}; there are: {}", known.join(", "))));
    }
    if global.json {
        return out::json(&serde_json::json!({ "client": name, "forgotten": had }));
    }
    out::say(if had {
        format!("Forgotten: {name} may send requests without Message-Authenticator again, until it has learned anew.")
    } else {
        format!("Nothing was learned of {name} yet; nothing is changed.")
    });
    Ok(())
}
