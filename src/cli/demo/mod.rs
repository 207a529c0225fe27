//! `vestibule demo`: being built.

use std::process::ExitCode;

/// Try it here.
#[derive(clap::Args)]
pub struct Args {}

/// Runs the demo.
#[must_use]
pub fn run(_: &Args, _: bool) -> ExitCode {
    super::out::note("vestibule: the demo is not in this build");
    ExitCode::FAILURE
}
