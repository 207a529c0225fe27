//! pam_radius as the appliance: Debian's module under `pamtester`, in a namespace whose /etc/pam.d is the test's.

use std::net::SocketAddr;

use tokio::process::Command;

use super::APPLIANCE_SECRET;
use super::child::Child;
use super::vestibule::Site;

const SERVICE: &str = "vpn";

/// The module's files, beside the house's: its server, and how long it waits for it.
pub(crate) struct Pam<'a> {
    site: &'a Site,
    server: SocketAddr,
}

impl<'a> Pam<'a> {
    pub(crate) fn before(site: &'a Site, server: SocketAddr, timeout_s: u32) -> Self {
        let this = Self { site, server };
        this.waits(timeout_s);
        std::fs::create_dir(site.path("pam.d")).unwrap();
        let file = site.path("pam_radius.conf");
        let module = format!("required pam_radius_auth.so conf={}", file.display());
        site.write(&format!("pam.d/{SERVICE}"), &format!("auth {module}\naccount required pam_permit.so\n"));
        this
    }

    /// From now on it waits so long for its server.
    pub(crate) fn waits(&self, timeout_s: u32) {
        let server = format!("{} {APPLIANCE_SECRET} {timeout_s}\n", self.server);
        self.site.write_private("pam_radius.conf", &server);
    }

    /// Somebody at `station` types this name and password.
    pub(crate) fn types(&self, user: &str, password: &str, station: &str) -> Child {
        let script = format!(
            "mount --bind pam.d /etc/pam.d && printf '%s\\n' '{password}' | pamtester -I rhost={station} {SERVICE} {user} authenticate"
        );
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh", "-c", &script]).current_dir(self.site.home());
        Child::start(&mut command, "pamtester and libpam-radius-auth")
    }
}

/// What pamtester said in the end.
pub(crate) async fn ended(mut child: Child) -> String {
    child.last_words().await
}
