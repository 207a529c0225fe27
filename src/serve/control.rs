//! The socket beside the store, where commands on this host speak to the server that runs: `reload` now, others later.
//!
//! The protocol: one connection, one request, one answer, each one line of JSON with its version, `v`. A request is
//! `{"v":1,"ask":"reload"}`; an answer names its kind in `answer`. Both are bounded in octets and in time.
//! Guarantees: the socket is its owner's only (0600), and whoever asks is root or the user that the server runs as, by what the
//! kernel says of them (SO_PEERCRED). A dead server's socket is replaced; a live one's is left alone.
//! Never: listens on TCP, takes a policy by this way (the file is read again from its place), writes a file, or tells a secret.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixStream as Dialled;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The protocol's version. A server refuses what it does not speak, and says what it does.
const VERSION: u32 = 1;
/// A request may be this long.
const REQUEST_OCTETS_MAX: u64 = 16 * 1024;
/// An answer may be this long.
const ANSWER_OCTETS_MAX: u64 = 4 << 20;
/// A request must be there within this time.
const REQUEST_WITHIN: Duration = Duration::from_secs(5);
/// An answer must be made and read within this time: names of servers are looked up at a reload.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// So many may ask at once.
const ASKERS_MAX: usize = 4;

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Read the policy file again.
    Reload,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// The new policy is in force.
    Reloaded {
        /// What changed, in words.
        changes: Vec<String>,
        /// What its author should know nevertheless.
        warnings: Vec<String>,
    },
    /// The one in force stays (rules G2).
    Refused {
        /// Why.
        mistakes: Vec<String>,
        /// The file is at fault; else the server could not take it.
        broken: bool,
    },
    /// The server does not speak this.
    Unknown {
        /// What it says to that.
        why: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Request {
    v: u32,
    #[serde(flatten)]
    rest: serde_json::Map<String, serde_json::Value>,
}

#[derive(Serialize, Deserialize)]
struct Reply {
    v: u32,
    #[serde(flatten)]
    answer: Answer,
}

/// Somebody who asks, and waits.
pub struct Asked {
    /// What.
    pub ask: Ask,
    answer: oneshot::Sender<Answer>,
}

impl Asked {
    /// Answers; whoever has gone away wants no answer.
    pub fn answer(self, answer: Answer) {
        let _ = self.answer.send(answer);
    }
}

/// Where the socket of the server of this store is.
#[must_use]
pub fn socket_beside(store: &Path) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(".sock");
    name.into()
}

/// Why there is no socket; the server runs on without.
#[derive(Debug, thiserror::Error)]
pub enum NoSocket {
    /// Another server has it.
    #[error("another vestibule answers commands at {}: `reload` reaches that one, and this one takes SIGHUP only", .0.display())]
    Live(PathBuf),
    /// The system refuses.
    #[error("{}: {}; `reload` can't reach this server, which takes SIGHUP", .0.display(), .1)]
    System(PathBuf, io::Error),
}

/// The server's end.
pub(super) struct Control {
    listener: UnixListener,
    path: PathBuf,
    /// Held while the server lives: the kernel lets go of it when the process ends, however it ends.
    _lock: File,
}

impl Control {
    /// Opens the socket beside a store.
    pub(super) fn open(store: &Path) -> Result<Self, NoSocket> {
        let path = socket_beside(store);
        let system = |why| NoSocket::System(path.clone(), why);
        let mut beside = path.clone().into_os_string();
        beside.push(".lock");
        let mut options = OpenOptions::new();
        let lock = options.write(true).create(true).truncate(false).mode(0o600).open(&beside).map_err(system)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Err(NoSocket::Live(path)),
            Err(std::fs::TryLockError::Error(why)) => return Err(system(why)),
        }
        // Whoever had it is dead: we hold the lock.
        match std::fs::remove_file(&path) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(system(why)),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(&path).map_err(system)?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(system)?;
        Ok(Self { listener, path, _lock: lock })
    }

    /// Hands on what is asked until the server stops, and takes the socket away.
    pub(super) async fn run(self, asked: mpsc::Sender<Asked>, tasks: TaskTracker, stop: CancellationToken) {
        let places = Arc::new(Semaphore::new(ASKERS_MAX));
        while let Some(accepted) = stop.run_until_cancelled(self.listener.accept()).await {
            let Ok((stream, _)) = accepted else { continue };
            // Who comes when all places are taken hears nothing and may come again (rules G1).
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
            let (asked, stop) = (asked.clone(), stop.clone());
            tasks.spawn(async move {
                let served = timeout(REQUEST_WITHIN + ANSWER_WITHIN, serve(stream, asked));
                let _ = stop.run_until_cancelled(served).await;
                drop(place);
            });
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn serve(stream: UnixStream, asked: mpsc::Sender<Asked>) -> io::Result<()> {
    let peer = stream.peer_cred()?.uid();
    if !may_ask(peer, nix::unistd::geteuid().as_raw()) {
        return Ok(());
    }
    let (from, mut to) = stream.into_split();
    let mut line = Vec::new();
    let mut bounded = tokio::io::BufReader::new(from.take(REQUEST_OCTETS_MAX));
    match timeout(REQUEST_WITHIN, bounded.read_until(b'\n', &mut line)).await {
        Ok(read) => read?,
        Err(_) => return Ok(()),
    };
    let answer = match understood(&line) {
        Ok(ask) => {
            let (sender, answer) = oneshot::channel();
            let gone = || Answer::Unknown { why: "the server is stopping".to_owned() };
            match asked.send(Asked { ask, answer: sender }).await {
                Ok(()) => answer.await.unwrap_or_else(|_| gone()),
                Err(_) => gone(),
            }
        }
        Err(why) => Answer::Unknown { why },
    };
    let mut octets = serde_json::to_vec(&Reply { v: VERSION, answer })?;
    octets.push(b'\n');
    to.write_all(&octets).await
}

/// Root could do anything anyway; everybody else is nobody here.
const fn may_ask(peer: u32, own: u32) -> bool {
    peer == own || peer == 0
}

fn understood(line: &[u8]) -> Result<Ask, String> {
    if !line.ends_with(b"\n") {
        return Err(format!("a request is one line of at most {REQUEST_OCTETS_MAX} octets"));
    }
    let request: Request =
        serde_json::from_slice(line).map_err(|_| "a request is an object of JSON with `v`".to_owned())?;
    if request.v != VERSION {
        return Err(format!("this server speaks version {VERSION}; start it anew with the vestibule that asks"));
    }
    let ask = request.rest.get("ask").cloned().unwrap_or_default();
    serde_json::from_value(ask)
        .map_err(|_| "this server does not know that; it is older than the vestibule that asks".to_owned())
}

/// Why nothing was answered.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// Nobody is there.
    #[error("no server answers at {}", .0.display())]
    Nobody(PathBuf),
    /// The system refuses.
    #[error("{}: {}", .0.display(), .1)]
    System(PathBuf, io::Error),
    /// It took too long, or it was no answer.
    #[error("the server at {} gave no answer within {} s; its log says what became of it", .0.display(), ANSWER_WITHIN.as_secs())]
    Silent(PathBuf),
}

/// Asks the server of this store, and waits for its answer.
///
/// # Errors
/// Why there is none.
pub fn ask(store: &Path, ask: Ask) -> Result<Answer, Unanswered> {
    let path = socket_beside(store);
    let is = |why: &io::Error, kinds: &[io::ErrorKind]| kinds.contains(&why.kind());
    let mut stream = Dialled::connect(&path).map_err(|why| {
        if is(&why, &[io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused]) {
            Unanswered::Nobody(path.clone())
        } else {
            Unanswered::System(path.clone(), why)
        }
    })?;
    exchange(&mut stream, ask).map_err(|why| {
        let silent = [
            io::ErrorKind::WouldBlock,
            io::ErrorKind::TimedOut,
            io::ErrorKind::InvalidData,
            io::ErrorKind::UnexpectedEof,
        ];
        if is(&why, &silent) { Unanswered::Silent(path.clone()) } else { Unanswered::System(path.clone(), why) }
    })
}

fn exchange(stream: &mut Dialled, ask: Ask) -> io::Result<Answer> {
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    stream.set_write_timeout(Some(REQUEST_WITHIN))?;
    let mut octets = serde_json::to_vec(&serde_json::json!({ "v": VERSION, "ask": ask }))?;
    octets.push(b'\n');
    stream.write_all(&octets)?;
    let mut line = Vec::new();
    BufReader::new(stream.take(ANSWER_OCTETS_MAX)).read_until(b'\n', &mut line)?;
    if !line.ends_with(b"\n") {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let reply: Reply = serde_json::from_slice(&line).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    Ok(reply.answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_user_and_root_may_ask_and_nobody_else() {
        assert!(may_ask(64_999, 64_999) && may_ask(0, 64_999) && may_ask(0, 0));
        assert!(!may_ask(1000, 64_999) && !may_ask(1000, 0));
    }

    #[test]
    fn what_is_not_understood_is_said_and_does_nothing() {
        assert_eq!(understood(b"{\"v\":1,\"ask\":\"reload\"}\n"), Ok(Ask::Reload));
        assert_eq!(understood(b"{\"v\":1,\"ask\":\"reload\",\"later\":true}\n"), Ok(Ask::Reload));
        for (line, why) in [
            (&b"{\"v\":2,\"ask\":\"reload\"}\n"[..], "version 1"),
            (b"{\"v\":1,\"ask\":\"stop\"}\n", "does not know"),
            (b"{\"v\":1}\n", "does not know"),
            (b"reload\n", "JSON"),
            (b"{\"v\":1,\"ask\":\"reload\"}", "one line"),
        ] {
            let refused = understood(line).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
    }

    #[tokio::test]
    async fn a_request_is_answered_once_and_a_dead_servers_socket_is_replaced() {
        let home = tempfile::tempdir().unwrap();
        let store = home.path().join("vestibule.db");
        std::fs::write(socket_beside(&store), "left by a dead one").unwrap();
        let control = Control::open(&store).unwrap();
        let mode = std::fs::metadata(socket_beside(&store)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(matches!(Control::open(&store), Err(NoSocket::Live(_))), "a live one is left alone");
        let (sender, mut asked) = mpsc::channel(1);
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let running = tokio::spawn(control.run(sender, tasks, stop.clone()));
        let dialled = store.clone();
        let asking = tokio::task::spawn_blocking(move || ask(&dialled, Ask::Reload));
        let told = Answer::Refused { mistakes: vec!["a mistake".to_owned()], broken: true };
        asked.recv().await.unwrap().answer(told.clone());
        assert_eq!(asking.await.unwrap().unwrap(), told);
        stop.cancel();
        running.await.unwrap();
        assert!(matches!(ask(&store, Ask::Reload), Err(Unanswered::Nobody(_))), "it went with its server");
    }

    #[tokio::test]
    async fn a_line_without_an_end_is_bounded() {
        let home = tempfile::tempdir().unwrap();
        let store = home.path().join("vestibule.db");
        let control = Control::open(&store).unwrap();
        let (sender, _asked) = mpsc::channel(1);
        let stop = CancellationToken::new();
        tokio::spawn(control.run(sender, TaskTracker::new(), stop.clone()));
        let path = socket_beside(&store);
        let said = tokio::task::spawn_blocking(move || {
            let mut stream = Dialled::connect(path).unwrap();
            let flood = vec![b'x'; 64 * 1024];
            // Refused before all of it is read.
            let _ = stream.write_all(&flood);
            let mut said = String::new();
            let _ = stream.read_to_string(&mut said);
            said
        });
        let said = said.await.unwrap();
        assert!(said.is_empty() || said.contains("one line"), "{said}");
        stop.cancel();
    }
}
