//! `vestibule demo`: the whole proxy in one process on loopback, and logins through its real UDP port.
//!
//! It starts everything in a temporary directory, performs three logins that open both doors and five break-ins that
//! fail, shows each hop, and stays up to be tried: from a page with three panes, from the real phone's page in a tab, from the users'
//! portal and the staff's pages, and from the command lines that it prints.
//! Nothing listens outside of loopback, and nothing is left behind. `serve` can't reach this code.
//!
//! Read in this order: `people`, `house` (what runs), `scenes` (the logins), then `appliance`, `nps`, `phone` and
//! `app`, the parties around the proxy; `board`, what they show; `page`, the browser; `tell`, the terminal; `try_it`, what it prints to be typed.

mod app;
mod appliance;
mod board;
mod home;
mod house;
mod nps;
mod page;
mod people;
mod phone;
mod scenes;
mod tell;
mod try_it;
mod wrap;

use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use crate::engine::Clock;
use board::Board;
use house::{DemoError, House};
use tell::Teller;

/// The options of `vestibule demo`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// End after the logins, with 0 only if every one ended as it must
    #[arg(long)]
    once: bool,
    /// The UDP port that the proxy listens on [default: one that is free]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    radius_port: Option<u16>,
    /// The TCP port of the page [default: one that is free]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    page_port: Option<u16>,
}

/// Runs the demo. 0: every login ended as it must; 1: one did not, or the demo could not start.
pub fn run(args: &Args, json: bool) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&DemoError::Io(error)),
    };
    match runtime.block_on(until_stopped(args, json)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => failed(&error),
    }
}

/// The demo, or its end by a signal; either way what it made is removed.
async fn until_stopped(args: &Args, json: bool) -> Result<bool, DemoError> {
    let mut terminated = signal(SignalKind::terminate())?;
    let board = Arc::new(Board::new(Clock::begin(), Teller::new(json)));
    board.teller().opening("Vestibule: the login waits inside until the second factor opens the door");
    let house = House::start(Arc::clone(&board), args.radius_port).await?;
    let mut stopped = std::pin::pin!(async {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminated.recv() => {}
        }
    });
    let performed = tokio::select! {
        result = scenes::perform(&house) => Some(result),
        () = &mut stopped => None,
    };
    let visited = match performed {
        Some(Ok(_)) if !args.once => tokio::select! {
            Err(error) = receive_visitors(&house, args) => Err(error),
            () = stopped => Ok(()),
        },
        Some(_) | None => Ok(()),
    };
    house.stop().await;
    visited?;
    // Where a signal came first, not all was seen, so it can't be vouched for.
    performed.unwrap_or(Ok(false))
}

/// What a visitor needs, for as long as the house stands.
async fn receive_visitors(house: &House, args: &Args) -> Result<Infallible, DemoError> {
    let page = page::open(house, args.page_port).await?;
    try_it::print(house, &page).await;
    try_it::keep_codes_fresh(house).await
}

fn failed(error: &DemoError) -> ExitCode {
    use std::io::Write;
    // Where even that can't be written, the exit code says it.
    let _ = writeln!(std::io::stderr(), "vestibule demo: {error}");
    ExitCode::FAILURE
}
