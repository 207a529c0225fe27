//! The part of a desktop that shows notifications and is clicked: what Chromium tells it, over D-Bus as on any Linux desktop.
//!
//! It is the whole bus by itself and knows the few methods that are called of it (D-Bus specification, "Message Protocol" and
//! "Message Bus"; Desktop Notifications 1.2). So a test sees what a person would see, and a click is what a click is.

use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::until;

const OURS: &str = "org.freedesktop.Notifications";
/// Under which name the desktop is on the bus: senders of signals are compared with it.
const OWNER: &str = ":1.0";

/// A notification as it is on the screen.
#[derive(Clone)]
pub(crate) struct Shown {
    pub(crate) title: String,
    pub(crate) text: String,
    id: u32,
    to: UnboundedSender<Vec<u8>>,
}

impl Shown {
    /// Clicks on it.
    pub(crate) fn click(&self) {
        let mut body = Octets::default();
        body.number(self.id);
        body.text("default");
        let fields = [(1, 'o', "/org/freedesktop/Notifications"), (2, 's', OURS), (3, 's', "ActionInvoked")];
        self.to.send(message(SIGNAL, None, &fields, "us", &body)).expect("the browser lives");
    }
}

/// The desktop. Dropping it closes its door.
pub(crate) struct Desktop {
    shown: Arc<Mutex<Vec<Shown>>>,
    home: TempDir,
    task: tokio::task::JoinHandle<()>,
}

impl Desktop {
    pub(crate) fn start() -> Self {
        let home = tempfile::Builder::new().prefix("vestibule-desktop-").tempdir().unwrap();
        let listener = UnixListener::bind(home.path().join("bus")).unwrap();
        let shown = Arc::<Mutex<Vec<Shown>>>::default();
        let all = Arc::clone(&shown);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, Arc::clone(&all)));
            }
        });
        Self { shown, home, task }
    }

    /// Where it is, as `DBUS_SESSION_BUS_ADDRESS` has it.
    pub(crate) fn address(&self) -> String {
        format!("unix:path={}", self.home.path().join("bus").display())
    }

    /// What was shown, once so many were.
    pub(crate) async fn shows(&self, count: usize) -> Vec<Shown> {
        let look = async || Some(self.shown.lock().unwrap().clone()).filter(|shown| shown.len() >= count);
        until("a notification", look).await
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn converse(stream: UnixStream, shown: Arc<Mutex<Vec<Shown>>>) -> Option<()> {
    let (reading, mut writing) = stream.into_split();
    let mut reading = BufReader::new(reading);
    // "AUTH EXTERNAL …", "NEGOTIATE_UNIX_FD" and "BEGIN"; before all that stands an octet of nothing.
    loop {
        let mut line = String::new();
        reading.read_line(&mut line).await.ok().filter(|count| *count > 0)?;
        let answer = match line.trim_matches(['\0', '\r', '\n']) {
            "BEGIN" => break,
            line if line.starts_with("AUTH EXTERNAL") => "OK 0123456789abcdef0123456789abcdef\r\n",
            _ => "ERROR\r\n",
        };
        writing.write_all(answer.as_bytes()).await.ok()?;
    }
    let (to, mut sends) = unbounded_channel::<Vec<u8>>();
    tokio::spawn(async move {
        while let Some(octets) = sends.recv().await {
            let _ = writing.write_all(&octets).await;
        }
    });
    loop {
        let call = Call::read(&mut reading).await?;
        if call.kind == CALL {
            to.send(answer(&call, &to, &shown)).ok()?;
        }
    }
}

fn answer(call: &Call, to: &UnboundedSender<Vec<u8>>, shown: &Mutex<Vec<Shown>>) -> Vec<u8> {
    let mut body = Octets::default();
    let mut said = Reader { octets: &call.body, at: 0 };
    let signature = match call.member.as_str() {
        "Hello" => {
            body.text(":1.1");
            "s"
        }
        "NameHasOwner" => {
            body.number((said.text() == OURS).into());
            "b"
        }
        "GetNameOwner" if said.text() == OURS => {
            body.text(OWNER);
            "s"
        }
        "AddMatch" | "RemoveMatch" | "CloseNotification" => "",
        "GetCapabilities" => {
            body.texts(&["actions", "body"]);
            "as"
        }
        "GetServerInformation" => {
            ["desktop", "tests", "1", "1.2"].iter().for_each(|text| body.text(text));
            "ssss"
        }
        "Notify" => {
            let (_application, replaces, _icon) = (said.text(), said.number(), said.text());
            let (title, text) = (said.text(), said.text());
            let mut shown = shown.lock().unwrap();
            let id = if replaces > 0 { replaces } else { u32::try_from(shown.len()).unwrap() + 1 };
            shown.push(Shown { title, text, id, to: to.clone() });
            body.number(id);
            "u"
        }
        _ => {
            let fields = [(4, 's', "org.freedesktop.DBus.Error.UnknownMethod")];
            return message(ERROR, Some(call.serial), &fields, "", &body);
        }
    };
    message(RETURN, Some(call.serial), &[], signature, &body)
}

const CALL: u8 = 1;
const RETURN: u8 = 2;
const ERROR: u8 = 3;
const SIGNAL: u8 = 4;

/// A message from the desktop: fields of its header, and the body with its signature.
fn message(kind: u8, answers: Option<u32>, fields: &[(u8, char, &str)], signature: &str, body: &Octets) -> Vec<u8> {
    let mut header = Octets::default();
    for (code, form, value) in fields.iter().chain(&[(7, 's', OWNER)]) {
        header.field(*code, *form);
        header.text(value);
    }
    if let Some(serial) = answers {
        header.field(5, 'u');
        header.number(serial);
    }
    if !signature.is_empty() {
        header.field(8, 'g');
        header.signature(signature);
    }
    let mut all = Octets(vec![b'l', kind, 0, 1]);
    // The serial of an answer matters to nobody, as long as there is one.
    for number in [body.0.len(), 1, header.0.len()] {
        all.number(u32::try_from(number).unwrap());
    }
    all.0.extend(&header.0);
    all.align(8);
    all.0.extend(&body.0);
    all.0
}

struct Call {
    kind: u8,
    serial: u32,
    member: String,
    body: Vec<u8>,
}

impl Call {
    async fn read(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<Self> {
        let mut fixed = [0; 16];
        stream.read_exact(&mut fixed).await.ok()?;
        assert_eq!(fixed[0], b'l', "this machine is little-endian");
        let [length, serial, fields] = [4, 8, 12].map(|at| u32::from_le_bytes(fixed[at..at + 4].try_into().unwrap()));
        let (length, fields) = (usize::try_from(length).unwrap(), usize::try_from(fields).unwrap());
        let mut rest = vec![0; fields.next_multiple_of(8) + length];
        stream.read_exact(&mut rest).await.ok()?;
        // The header's fixed part is a multiple of 8, so what follows is aligned as the whole is.
        let mut header = Reader { octets: &rest[..fields], at: 0 };
        let mut member = String::new();
        while header.at < fields {
            header.align(8);
            let code = header.octet();
            let value = match header.signature().as_str() {
                "u" => header.number().to_string(),
                "g" => header.signature(),
                _ => header.text(),
            };
            if code == 3 {
                member = value;
            }
        }
        Some(Self { kind: fixed[1], serial, member, body: rest[fields.next_multiple_of(8)..].to_vec() })
    }
}

/// Values as they are written, each at a multiple of its own size.
#[derive(Default)]
struct Octets(Vec<u8>);

impl Octets {
    fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    fn number(&mut self, number: u32) {
        self.align(4);
        self.0.extend(number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(u32::try_from(text.len()).unwrap());
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    fn texts(&mut self, texts: &[&str]) {
        let mut all = Self::default();
        texts.iter().for_each(|text| all.text(text));
        self.number(u32::try_from(all.0.len()).unwrap());
        self.0.extend(all.0);
    }

    fn signature(&mut self, text: &str) {
        self.0.push(u8::try_from(text.len()).unwrap());
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    /// The begin of a field of a header.
    fn field(&mut self, code: u8, form: char) {
        self.align(8);
        self.0.push(code);
        self.signature(&form.to_string());
    }
}

struct Reader<'a> {
    octets: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn align(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }

    fn octet(&mut self) -> u8 {
        self.at += 1;
        self.octets[self.at - 1]
    }

    fn number(&mut self) -> u32 {
        self.align(4);
        self.at += 4;
        u32::from_le_bytes(self.octets[self.at - 4..self.at].try_into().unwrap())
    }

    fn text(&mut self) -> String {
        let length = self.number();
        self.taken(length)
    }

    fn signature(&mut self) -> String {
        let length = self.octet();
        self.taken(length.into())
    }

    fn taken(&mut self, length: u32) -> String {
        let end = self.at + usize::try_from(length).unwrap();
        let text = String::from_utf8(self.octets[self.at..end].to_vec()).unwrap();
        self.at = end + 1;
        text
    }
}
