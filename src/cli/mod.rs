//! The command line: one file a command. It reads arguments and files, calls the rooms, and prints for a person or, with
//! `--json`, for a script.
//!
//! Exit codes: 0 done, 1 refused or failed, 2 bad usage or configuration. It never takes a secret as an argument: those
//! come from files, and `-` is standard input.

mod check;
mod client;
pub mod demo;
mod device;
mod init;
mod out;
mod serve;
mod site;
mod token;
mod user;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use out::Failure;

/// Where a site's policy is, unless `-c` says otherwise.
const CONFIG: &str = "/etc/vestibule/vestibule.toml";

const EXAMPLES: &str = "\
Examples:
  vestibule demo                                        see it work, on loopback
  vestibule -c ./vestibule.toml init --yes              a config, the store's key and secrets
  vestibule -c ./vestibule.toml check                   every mistake at once
  vestibule user add alice --password-file -            a user of our own; the password is read from standard input
  vestibule token add alice totp                        a QR code for an authenticator app
  vestibule serve                                       run
  vestibule radtest 192.0.2.1 alice --secret-file F     log in as an appliance would

Exit codes: 0 done, 1 refused or failed, 2 bad usage or configuration.";

/// A RADIUS proxy that holds the login until the second factor opens the door.
#[derive(Debug, Parser)]
#[command(name = "vestibule", version, about, after_help = EXAMPLES, propagate_version = true)]
struct Cli {
    /// The policy file.
    #[arg(short, long, global = true, value_name = "FILE", default_value = CONFIG)]
    config: PathBuf,
    /// Print JSON for scripts.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// See it work: the whole proxy on loopback, logins through it, and a page to play with.
    Demo(demo::Args),
    /// Write a config, the store's key and secrets, readable by their owner only.
    Init(init::Args),
    /// Run the server.
    Serve,
    /// Read the policy and say every mistake in it at once.
    Check(check::Args),
    /// Add, list, show, block, unblock and remove users.
    #[command(subcommand)]
    User(user::Command),
    /// Add, list and remove the OATH tokens of users.
    #[command(subcommand)]
    Token(token::Command),
    /// Add, list and remove the devices that pushes go to.
    #[command(subcommand)]
    Device(device::Command),
    /// What is remembered of an appliance.
    #[command(subcommand)]
    Client(client::Command),
}

/// Runs the command line.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let Cli { config, json, command } = cli;
    let done = match command {
        Command::Demo(args) => return demo::run(&args, json),
        Command::Init(args) => init::run(&config, &args, json),
        Command::Serve => serve::run(&config),
        Command::Check(args) => check::run(&config, &args, json),
        Command::User(command) => user::run(&config, command, json),
        Command::Token(command) => token::run(&config, command, json),
        Command::Device(command) => device::run(&config, command, json),
        Command::Client(command) => client::run(&config, command, json),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(json),
    }
}

/// Something that did not work, as an exit code and a sentence.
type Done = Result<(), Failure>;
