//! FreeRADIUS as the primary: a server of its own in a directory of its own, with the users and attributes of a test.

use std::net::SocketAddr;
use std::path::Path;

use tempfile::TempDir;
use tokio::process::Command;

use super::child::Child;
use super::{PRIMARY_SECRET, at};

const PORT: u16 = 18121;

pub(crate) struct FreeRadius {
    pub(crate) at: SocketAddr,
    child: Child,
    _home: TempDir,
}

impl FreeRadius {
    /// With these lines of a `users` file. A user named `carl` is challenged once, and must answer 2718.
    pub(crate) async fn with_users(users: &str) -> Self {
        let (home, at) = (tempfile::tempdir().unwrap(), at(PORT));
        let write = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
        write("radiusd.conf", &configuration(home.path(), at));
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
