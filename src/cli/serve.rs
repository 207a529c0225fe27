//! `serve`: the server's life, from the policy to the drain.

use std::path::Path;

use nix::sys::resource::{Resource, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

use super::Done;
use super::out::{self, Failure};
use crate::config::Config;
use crate::serve::{Extras, Server};
use crate::telemetry::{self, LogStyle};

pub(super) fn run(path: &Path) -> Done {
    no_core_dumps();
    let loaded = Config::load(path).map_err(|mistakes| {
        out::note(mistakes.render(out::colour_on_stderr()));
        Failure::silent(2)
    })?;
    telemetry::init(LogStyle::of_stderr());
    for warning in &loaded.warnings {
        tracing::warn!("{}", warning.render(false).trim_end());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::refused)?;
    runtime.block_on(live(path, loaded.config))
}

/// Reads, serves, reloads on SIGHUP, drains on SIGTERM and SIGINT.
async fn live(path: &Path, config: Config) -> Done {
    let listen = |kind| signal(kind).map_err(|error| Failure::refused(format!("signals can't be caught: {error}")));
    let (mut hangup, mut terminate, mut interrupt) =
        (listen(SignalKind::hangup())?, listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let mut server = Server::start(config, Extras::default()).await.map_err(Failure::refused)?;
    loop {
        tokio::select! {
            _ = hangup.recv() => server.reload(read_again(path)).await,
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    server.stop().await;
    Ok(())
}

/// The policy as it stands now, or each mistake in it as the log tells it.
fn read_again(path: &Path) -> Result<Config, Vec<String>> {
    match Config::load(path) {
        Ok(loaded) => {
            for warning in &loaded.warnings {
                tracing::warn!("{}", warning.render(false).trim_end());
            }
            Ok(loaded.config)
        }
        Err(mistakes) => {
            Err(mistakes.findings().iter().map(|finding| finding.render(false).trim_end().to_owned()).collect())
        }
    }
}

/// Rules F1: what is in memory never reaches a disk by a crash.
fn no_core_dumps() {
    if let Err(error) = setrlimit(Resource::RLIMIT_CORE, 0, 0) {
        out::note(format!("vestibule: core dumps can't be turned off: {error}"));
    }
}
