//! A program that a test starts: its output is kept line by line, and it always ends with the test, by its own id.

use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;
use tokio::sync::watch;

use super::GENEROUS;

pub(crate) struct Child {
    child: tokio::process::Child,
    group: Pid,
    lines: watch::Receiver<Vec<String>>,
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
        let (said, lines) = watch::channel(Vec::new());
        tokio::spawn(keep(child.stdout.take().unwrap(), said.clone()));
        tokio::spawn(keep(child.stderr.take().unwrap(), said));
        let group = Pid::from_raw(i32::try_from(child.id().expect("it was just started")).unwrap());
        Self { child, group, lines }
    }

    pub(crate) fn output(&self) -> String {
        self.lines.borrow().join("\n")
    }

    /// The first line with this text, once it is there.
    pub(crate) async fn says(&mut self, text: &str) -> String {
        self.says_or_ends(text).await.unwrap_or_else(|| panic!("it ended before it said {text:?}:\n{}", self.output()))
    }

    /// The same; none if it ended before.
    pub(crate) async fn says_or_ends(&mut self, text: &str) -> Option<String> {
        let mut lines = self.lines.clone();
        // Both pipes end with the program and whatever it left running, and then nobody is left to say anything.
        let said = lines.wait_for(|lines| lines.iter().any(|line| line.contains(text)));
        let said = tokio::time::timeout(GENEROUS, said).await.unwrap_or_else(|_| panic!("this never came: {text}"));
        said.ok()?.iter().find(|line| line.contains(text)).cloned()
    }

    /// All that it said so far, once that is enough: what it said before an answer may be read after the answer.
    pub(crate) async fn said_at_last(&self, what: &str, enough: impl Fn(&str) -> bool) -> String {
        let mut lines = self.lines.clone();
        let said = lines.wait_for(|lines| enough(&lines.join("\n")));
        let said = tokio::time::timeout(GENEROUS, said).await.unwrap_or_else(|_| panic!("this never came: {what}"));
        said.unwrap_or_else(|_| panic!("it ended before this came: {what}\n{}", self.output())).join("\n")
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

    /// All that it said, once it has ended and left nothing running that could say more.
    pub(crate) async fn last_words(&mut self) -> String {
        self.ended().await;
        let mut lines = self.lines.clone();
        let silence = async { while lines.changed().await.is_ok() {} };
        tokio::time::timeout(GENEROUS, silence).await.expect("somebody goes on speaking");
        self.output()
    }
}

async fn keep(pipe: impl AsyncRead + Unpin, said: watch::Sender<Vec<String>>) {
    let mut reader = BufReader::new(pipe).lines();
    while let Ok(Some(line)) = reader.next_line().await {
        said.send_modify(|lines| lines.push(line));
    }
}
