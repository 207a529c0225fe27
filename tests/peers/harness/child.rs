//! A program that a test starts: its output is kept line by line, and it always ends with the test, by its own id.

use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;

use super::{GENEROUS, until};

pub(crate) struct Child {
    child: tokio::process::Child,
    group: Pid,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Child {
    pub(crate) fn start(command: &mut Command, package: &str) -> Self {
        Self::spawn(command.stdin(Stdio::null()), package)
    }

    /// Its standard input ends when this value goes or the tests are killed, whichever way: a sign to end by.
    pub(crate) fn start_on_a_line(command: &mut Command, package: &str) -> Self {
        Self::spawn(command.stdin(Stdio::piped()), package)
    }

    fn spawn(command: &mut Command, package: &str) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}; install {package}"));
        let lines = Arc::default();
        tokio::spawn(keep(child.stdout.take().unwrap(), Arc::clone(&lines)));
        tokio::spawn(keep(child.stderr.take().unwrap(), Arc::clone(&lines)));
        let group = Pid::from_raw(i32::try_from(child.id().expect("it was just started")).unwrap());
        Self { child, group, lines }
    }

    pub(crate) fn output(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }

    /// The first line with this text, once it is there.
    pub(crate) async fn says(&mut self, text: &str) -> String {
        self.says_or_ends(text).await.unwrap_or_else(|| panic!("it ended before it said {text:?}:\n{}", self.output()))
    }

    /// The same; none if it ended before.
    pub(crate) async fn says_or_ends(&mut self, text: &str) -> Option<String> {
        let lines = Arc::clone(&self.lines);
        let found = until(text, async || {
            let line = lines.lock().unwrap().iter().find(|line| line.contains(text)).cloned();
            let over = line.is_none() && self.child.try_wait().unwrap().is_some();
            over.then_some(None).or(line.map(Some))
        });
        found.await
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("it still runs")
    }

    /// The process group of one that was started as its leader, also when the leader has ended and others live on.
    pub(crate) fn group(&self) -> Pid {
        self.group
    }

    pub(crate) fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.id()).unwrap()), signal).unwrap();
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        tokio::time::timeout(GENEROUS, self.child.wait()).await.expect("it never ended").unwrap()
    }
}

async fn keep(pipe: impl AsyncRead + Unpin, lines: Arc<Mutex<Vec<String>>>) {
    let mut reader = BufReader::new(pipe).lines();
    while let Ok(Some(line)) = reader.next_line().await {
        lines.lock().unwrap().push(line);
    }
}
