//! The command line: one file a command, in the forms that scripts rely on.
//!
//! Guarantees: exit code 0 when it was done, 1 when it was refused or failed, 2 for bad usage or a broken configuration; no
//! secret is taken from the command line, where other users of the host would see it; an error says what is wrong, where, and
//! what to do next, on standard error. It opens the same store as a server that runs, beside it.
//! Never: decides a login, or holds a rule that another room should hold.

mod check;
mod client;
pub mod demo;
mod device;
mod init;
mod input;
mod out;
mod radtest;
mod reload;
mod serve;
mod shell;
mod site;
mod token;
mod user;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A RADIUS multi-factor authentication proxy that holds the login until the second factor opens the door.
#[derive(Parser)]
#[command(name = "vestibule", version, arg_required_else_help = true, after_help = AFTER_HELP, max_term_width = 100)]
struct Cli {
    /// The policy file.
    #[arg(short, long, global = true, value_name = "FILE", default_value = shell::USUAL_CONFIG)]
    config: PathBuf,
    /// Write JSON to standard output, for scripts.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Try it here: real logins over real RADIUS on loopback, with a page to watch them.
    Demo(demo::Args),
    /// Write a first configuration with its key and secrets.
    Init(init::Args),
    /// Run the server.
    ///
    /// Ready when GET /readyz on [metrics] listen answers 200. SIGHUP, like `vestibule reload`, reads the configuration again, whole or not at all;
    /// SIGTERM and SIGINT let held logins finish, for as long as [limits] drain_within allows, and end it.
    #[command(after_help = serve::EXAMPLES)]
    Serve,
    /// Read the configuration and say all that is wrong with it.
    Check(check::Args),
    /// Have the server that runs take the configuration again, whole or not at all, and say what changed.
    #[command(after_help = reload::EXAMPLES)]
    Reload,
    /// Log in as an appliance does, and show what the server answers.
    Radtest(radtest::Args),
    /// Users: add, list, show, issue an enrolment code, block, unblock, remove.
    #[command(subcommand, arg_required_else_help = true)]
    User(user::Command),
    /// OATH tokens (TOTP, HOTP): add with QR code, list, remove.
    #[command(subcommand, arg_required_else_help = true)]
    Token(token::Command),
    /// Phones that ring, and notifiers that are told, when somebody logs in: add, list, remove.
    #[command(subcommand, arg_required_else_help = true)]
    Device(device::Command),
    /// What was learned of appliances.
    #[command(subcommand, arg_required_else_help = true)]
    Client(client::Command),
}

const AFTER_HELP: &str = "\
Examples:
  vestibule demo                                           see it work, nothing to set up
  vestibule init                                           a first configuration, by a few questions
  vestibule check                                          every mistake at once
  vestibule user add alice --password-file -               then:  vestibule token add alice totp
  vestibule serve
  vestibule radtest 127.0.0.1 alice --secret-file /etc/vestibule/secrets/client.vpn

Exit codes: 0 done, 1 refused or failed, 2 bad usage or a broken configuration.
Secrets are never given on the command line: --...-file FILE, where - is standard input.
`vestibule COMMAND --help` shows examples for each command.";

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let Cli { config, json, command } = Cli::parse();
    let global = site::Global { config, json };
    let outcome = match command {
        Command::Demo(args) => return demo::run(&args, json),
        Command::Init(args) => init::run(&args, &global),
        Command::Serve => serve::run(&global),
        Command::Check(args) => check::run(&args, &global),
        Command::Reload => reload::run(&global),
        Command::Radtest(args) => radtest::run(&args, &global),
        Command::User(command) => user::run(command, &global),
        Command::Token(command) => token::run(command, &global),
        Command::Device(command) => device::run(command, &global),
        Command::Client(command) => client::run(command, &global),
    };
    out::exit_code(outcome, &global.program())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_in_order() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_examples_in_its_help() {
        fn check(path: &str, command: &clap::Command) {
            let mut leaves = command.get_subcommands().peekable();
            if leaves.peek().is_none() && path != "vestibule demo" {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("Example"), "{path} shows no example");
            }
            leaves.for_each(|leaf| check(&format!("{path} {}", leaf.get_name()), leaf));
        }
        check("vestibule", &Cli::command());
    }

    #[test]
    fn no_argument_takes_a_secret_by_value() {
        fn check(command: &clap::Command) {
            for argument in command.get_arguments() {
                let name = argument.get_id().as_str();
                let secret = ["password", "secret", "code", "pin"].iter().any(|word| name.contains(word));
                assert!(!secret || name.ends_with("_file"), "{} {name}", command.get_name());
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}
