//! FreeRADIUS's own client as the appliance. Version 3.2.1 adds no Message-Authenticator by itself, so each request names one.

use std::net::SocketAddr;
use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::{APPLIANCE_SECRET, GENEROUS};

/// What it printed of the answer.
#[derive(Debug)]
pub(crate) struct Printed(pub(crate) String);

impl Printed {
    /// `Access-Accept` and the like.
    pub(crate) fn received(&self, code: &str) -> bool {
        self.0.contains(&format!("Received {code} "))
    }

    /// The value of an attribute of the answer, as radclient writes it.
    pub(crate) fn value(&self, name: &str) -> String {
        let answer = self.0.split("Received ").nth(1).unwrap_or_else(|| panic!("no answer: {}", self.0));
        let line = answer.lines().find_map(|line| line.trim().strip_prefix(&format!("{name} = ")));
        line.unwrap_or_else(|| panic!("no {name} in {}", self.0)).to_owned()
    }
}

/// Sends one Accounting-Request and waits a moment for its answer.
pub(crate) async fn account(server: SocketAddr, attributes: &str, secret: &str) -> Printed {
    asked(server, "acct", attributes, secret, "2").await
}

/// Asks once. `kind` is `auth` or `status`.
pub(crate) async fn radclient(server: SocketAddr, kind: &str, attributes: &str) -> Printed {
    asked(server, kind, &format!("{attributes}, Message-Authenticator=0x00"), APPLIANCE_SECRET, "60").await
}

async fn asked(server: SocketAddr, kind: &str, attributes: &str, secret: &str, seconds: &str) -> Printed {
    let mut command = Command::new("radclient");
    command.args(["-x", "-r", "1", "-t", seconds, &server.to_string(), kind, secret]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child =
        command.spawn().unwrap_or_else(|error| panic!("radclient: {error}; install Debian's freeradius-utils"));
    let request = format!("{attributes}\n");
    child.stdin.take().unwrap().write_all(request.as_bytes()).await.unwrap();
    let output =
        tokio::time::timeout(GENEROUS, child.wait_with_output()).await.expect("radclient never ended").unwrap();
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    Printed(text(&output.stdout) + &text(&output.stderr))
}
