//! FreeRADIUS as the primary: a server of its own in a directory of its own, with the users and attributes of a test.

use std::net::SocketAddr;
use std::path::Path;

use tempfile::TempDir;
use tokio::process::Command;

use super::child::Child;
use super::{APPLIANCE_SECRET, PRIMARY_SECRET, at};

const PORT: u16 = 18121;

pub(crate) struct FreeRadius {
    pub(crate) at: SocketAddr,
    child: Child,
    _home: TempDir,
}

impl FreeRadius {
    /// With these lines of a `users` file. A user named `carl` is challenged once, and must answer 2718.
    pub(crate) async fn with_users(users: &str) -> Self {
        Self::standing_at(at(PORT), users).await
    }

    /// The same at this address.
    pub(crate) async fn standing_at(at: SocketAddr, users: &str) -> Self {
        Self::configured(at, users, configuration).await
    }

    /// As an appliance that asks these servers in their order: the next one where one is silent.
    pub(crate) async fn failing_over(servers: [SocketAddr; 2]) -> Self {
        Self::configured(at(PORT), "", |home, at| proxying(home, at, servers)).await
    }

    async fn configured(at: SocketAddr, users: &str, said: impl FnOnce(&Path, SocketAddr) -> String) -> Self {
        let home = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
        write("radiusd.conf", &said(home.path(), at));
        write("users", users);
        write("dictionary", "");
        let mut command = Command::new("freeradius");
        // Where Debian keeps it, and a user's PATH often ends earlier.
        command.env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()));
        command.args(["-X", "-d"]).arg(home.path());
        let mut child = Child::start(&mut command, "Debian's package freeradius");
        child.says("Ready to process requests").await;
        Self { at, child, _home: home }
    }

    /// What it saw, as its debug output tells.
    pub(crate) fn saw(&self) -> String {
        self.child.output()
    }

    /// The same, once that is enough: its output is read beside its answers, and may come after them.
    pub(crate) async fn saw_at_last(&self, enough: impl Fn(&str) -> bool) -> String {
        self.child.said_at_last("what FreeRADIUS saw", enough).await
    }
}

fn configuration(home: &Path, at: SocketAddr) -> String {
    let (home, ip, port) = (home.display(), at.ip(), at.port());
    format!(
        r#"
name = freeradius
prefix = /usr
localstatedir = {home}
libdir = /usr/lib/freeradius
logdir = {home}
raddbdir = {home}
run_dir = {home}
db_dir = {home}
max_requests = 4096
security {{
    reject_delay = 0
    status_server = yes
    allow_vulnerable_openssl = yes
}}
client house {{
    ipaddr = 127.0.0.0/8
    secret = "{PRIMARY_SECRET}"
    require_message_authenticator = yes
}}
modules {{
    files {{
        usersfile = {home}/users
    }}
    pap {{
    }}
    always handled {{
        rcode = handled
    }}
}}
server default {{
    listen {{
        type = auth
        ipaddr = {ip}
        port = {port}
    }}
    authorize {{
        files
        if (&User-Name == "carl" && !&State) {{
            update control {{
                Auth-Type := Step1
            }}
        }}
        elsif (&User-Name == "carl") {{
            update control {{
                Cleartext-Password := "2718"
                Auth-Type := Step2
            }}
        }}
        else {{
            pap
        }}
    }}
    authenticate {{
        Auth-Type PAP {{
            pap
        }}
        Auth-Type Step1 {{
            pap
            if (ok) {{
                update reply {{
                    Reply-Message := "The other word, please"
                    State := 0x75707374726561
                    Message-Authenticator := 0x00
                }}
                update control {{
                    Response-Packet-Type := Access-Challenge
                }}
                handled
            }}
        }}
        Auth-Type Step2 {{
            if (&State == 0x75707374726561) {{
                pap
            }}
        }}
    }}
    post-auth {{
        update reply {{
            Message-Authenticator := 0x00
        }}
        Post-Auth-Type REJECT {{
            update reply {{
                Message-Authenticator := 0x00
            }}
        }}
    }}
}}
"#
    )
}

/// Its own fail-over pool of two, as its manual has it; a server is left after one silence of a second.
fn proxying(home: &Path, at: SocketAddr, servers: [SocketAddr; 2]) -> String {
    let (home, ip, port) = (home.display(), at.ip(), at.port());
    let server = |name: &str, at: SocketAddr| {
        format!(
            "home_server {name} {{
    type = auth
    ipaddr = {}
    port = {}
    secret = \"{APPLIANCE_SECRET}\"
    response_window = 2
    zombie_period = 2
    revive_interval = 3600
    status_check = none
}}
",
            at.ip(),
            at.port()
        )
    };
    let [first, second] = [server("first", servers[0]), server("second", servers[1])];
    format!(
        r#"
name = freeradius
prefix = /usr
localstatedir = {home}
libdir = /usr/lib/freeradius
logdir = {home}
raddbdir = {home}
run_dir = {home}
db_dir = {home}
max_requests = 4096
proxy_requests = yes
security {{
    reject_delay = 0
    allow_vulnerable_openssl = yes
}}
client people {{
    ipaddr = 127.0.0.0/8
    secret = "{APPLIANCE_SECRET}"
}}
proxy server {{
    default_fallback = no
}}
{first}
{second}
home_server_pool both {{
    type = fail-over
    home_server = first
    home_server = second
}}
realm house {{
    auth_pool = both
    nostrip
}}
modules {{
}}
server default {{
    listen {{
        type = auth
        ipaddr = {ip}
        port = {port}
    }}
    authorize {{
        update control {{
            Proxy-To-Realm := "house"
        }}
    }}
}}
"#
    )
}
