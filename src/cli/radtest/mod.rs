//! `vestibule radtest`: being built.

use super::out::{Failure, Outcome};
use super::site::Global;

/// Log in.
#[derive(clap::Args)]
#[command(after_help = "Example:")]
pub(super) struct Args {}

/// Logs in.
pub(super) fn run(_: &Args, _: &Global) -> Outcome {
    Err(Failure::Refused("being built".to_owned()))
}
