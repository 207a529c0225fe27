//! `vestibule serve`: runs the server until it is told to stop; SIGHUP takes a new configuration, whole or not at all.
//!
//! Nothing of its memory reaches a disk: no core dumps, by limit and by the process's own mark (rules F1).

use std::path::Path;

use nix::sys::resource::{Resource, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::out::{Failure, Outcome, is_error_coloured};
use super::shell;
use super::site::Global;
use crate::config::{Config, Finding, Loaded, changeable_by_others};
use crate::serve::control::{Answer, Ask, Asked};
use crate::serve::descriptors::Descriptors;
use crate::serve::{Extras, Server};
use crate::telemetry::{self, LogStyle};

pub(super) const EXAMPLES: &str = "\
Examples:
  vestibule serve                                  logs on standard error: for people on a terminal, JSON elsewhere
  vestibule -c ./vestibule.toml serve
  VESTIBULE_LOG=debug vestibule serve              says more
  curl http://127.0.0.1:18190/readyz               200 once sockets, store and policy stand";

/// Runs the server.
pub(super) fn run(global: &Global) -> Outcome {
    forbid_cores();
    Descriptors::raise();
    telemetry::init(if global.json { LogStyle::Json } else { LogStyle::of_stderr() });
    let loaded =
        Config::load(&global.config).map_err(|mistakes| Failure::Mistakes(mistakes.render(is_error_coloured())))?;
    tell(&loaded, &global.config);
    names_in_order(&loaded.config, &global.config).map_err(Failure::Refused)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|why| Failure::Refused(format!("the runtime can't start: {why}")))?;
    runtime.block_on(serve(loaded.config, &global.config))
}

async fn serve(config: Config, path: &Path) -> Outcome {
    // Before the start, so that a signal in between is not lost, nor ends the process.
    let mut hang_up = listen_for(SignalKind::hangup())?;
    let mut terminate = listen_for(SignalKind::terminate())?;
    let mut interrupt = listen_for(SignalKind::interrupt())?;
    let mut server = Server::start(config, Extras::default()).await.map_err(Failure::of)?;
    let mut asked = server.asked();
    loop {
        tokio::select! {
            _ = hang_up.recv() => drop(take_again(&mut server, path).await),
            Some(asked) = next(&mut asked) => match asked.ask {
                Ask::Reload => {
                    let answer = take_again(&mut server, path).await;
                    asked.answer(answer);
                }
            },
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    // Who asks twice does not want to wait for held logins.
    tokio::select! {
        () = server.stop() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// What is asked next over the socket; without one nothing ever is.
async fn next(asked: &mut Option<mpsc::Receiver<Asked>>) -> Option<Asked> {
    match asked {
        Some(asked) => asked.recv().await,
        None => std::future::pending().await,
    }
}

/// A signal and `vestibule reload` do the same.
async fn take_again(server: &mut Server, path: &Path) -> Answer {
    let (new, warnings) = read_again(path);
    let broken = new.is_err();
    match server.reload(new).await {
        Ok(changes) => Answer::Reloaded { changes, warnings },
        Err(mistakes) => Answer::Refused { mistakes, broken },
    }
}

fn listen_for(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|why| Failure::Refused(format!("signals can't be listened for: {why}")))
}

/// Rules G2: whole, or refused with all its mistakes; beside it what is doubtful.
fn read_again(path: &Path) -> (Result<Config, Vec<String>>, Vec<String>) {
    match Config::load(path) {
        Ok(loaded) => {
            tell(&loaded, path);
            let open = changeable_by_others(&loaded.config, path);
            let warnings = loaded.warnings.iter().map(one_line).chain(open).collect();
            (names_in_order(&loaded.config, path).map(|()| loaded.config).map_err(|why| vec![why]), warnings)
        }
        Err(mistakes) => (Err(mistakes.findings().iter().map(one_line).collect()), Vec::new()),
    }
}

/// What the configuration may be meant otherwise in, and who else may write it.
fn tell(loaded: &Loaded, path: &Path) {
    loaded.warnings.iter().for_each(warn);
    changeable_by_others(&loaded.config, path).iter().for_each(|why| tracing::warn!("configuration: {why}"));
}

/// Rules A2: names that the store has and the rules read otherwise are told, each with what mends it; and nobody guesses what the realms
/// of users mean.
fn names_in_order(config: &Config, path: &Path) -> Result<(), String> {
    let names = crate::serve::names::look(config);
    for one in names.misread {
        tracing::warn!("the user {:?} in the store: {}", one.name, shell::addressed(&one.said, &shell::program(path)));
    }
    names.realms_missing.map_or(Ok(()), Err)
}

fn warn(finding: &Finding) {
    tracing::warn!("configuration: {}", one_line(finding));
}

/// `FILE:LINE:COLUMN: what is wrong; what to do`.
pub(super) fn one_line(finding: &Finding) -> String {
    let flat = finding.flat();
    let place = match (flat.file, flat.line, flat.column, flat.variable) {
        (Some(file), Some(line), Some(column), _) => format!("{file}:{line}:{column}: "),
        (Some(file), _, _, _) => format!("{file}: "),
        (None, _, _, Some(variable)) => format!("environment {variable}: "),
        (None, _, _, None) => String::new(),
    };
    let help = flat.help.map(|help| format!("; {help}")).unwrap_or_default();
    format!("{place}{}{help}", flat.message)
}

/// The limit alone is not heeded where cores go to a program (core_pattern with a pipe); the mark is.
fn forbid_cores() {
    // Neither can fail for a limit that is lowered or a mark that is taken away; if it did, the server is no less sound.
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_dumpable(false);
}
