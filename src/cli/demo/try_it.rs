//! What to type to try it oneself: each line complete, and right as it stands.
//!
//! No secret and no password is in a line: each is in a file that the line names, and the codes are kept fresh in
//! files of their own, one code per person and line, because a code works once. `radclient` of Debian adds no Message-Authenticator by itself, so its line asks for one.

use std::path::Path;
use std::time::Duration;

use super::house::House;
use super::page::CAROLS_PHONE;
use super::people::{ALICE, BOB, CAROL, ERIN, GRACE};
use crate::enrolment::QrLook;

/// The code files are looked after this often.
const FRESH_EVERY: Duration = Duration::from_millis(500);

/// Prints the lines and alice's picture.
pub(super) async fn print(house: &House, page: &str) {
    // The lines name these files: they must be there before anybody can read the lines.
    write_codes(house).await;
    let teller = house.board.teller();
    let look = if teller.in_colour() { QrLook::Colour } else { QrLook::Plain };
    let picture = house.alice.terminal(look);
    teller.advice(&format!("\n{}\n", teller.bold("Alice's authenticator app: scan this, and type its codes yourself")));
    teller.advice(&String::from_utf8_lossy(picture.expose()));
    let lines = Lines::of(house);
    teller.advice(&format!("\n{}", teller.bold("On a command line, as it stands")));
    for (what, line) in [
        ("alice, asked for a code", lines.alice()),
        ("bob, password and code at once", lines.bob()),
        ("carol, held until you approve on the page", lines.carol()),
        ("erin, password and code at once, with FreeRADIUS's own client", lines.radclient()),
        ("what the store knows of alice", lines.show()),
    ] {
        teller.advice("");
        teller.hint(2, what);
        teller.command(&line);
    }
    teller.advice(&format!("\n{}", teller.bold("In a browser")));
    let grace = format!(
        "grace signs in with the password {} and the code that the page below shows (it is in {}, too):",
        GRACE.password,
        lines.file("grace.code")
    );
    let carol = format!("carol signs in with the password {} and her phone:", CAROL.password);
    for (what, how, address) in [
        ("The users' portal", carol, format!("{}/", house.portal)),
        ("The staff's pages", grace, format!("{}/", house.admin)),
        ("Carol's phone", "the real page, which a tab becomes:".to_owned(), format!("{page}{CAROLS_PHONE}")),
    ] {
        teller.advice("");
        teller.hint(2, &format!("{what}: {how}"));
        teller.advice(&format!("  {address}"));
    }
    // The last thing that a small terminal shows is the first thing to open.
    teller.advice("");
    teller.hint(0, "Begin here: the VPN client, the phones and the log, moving together");
    teller.advice(&format!("\n  {}\n", teller.bold(page)));
    teller.advice("Ctrl-C to end");
}

/// Keeps `alice.code` and the others fresh until the house stops.
pub(super) async fn keep_codes_fresh(house: &House) -> ! {
    loop {
        write_codes(house).await;
        house.clock().wait(FRESH_EVERY).await;
    }
}

async fn write_codes(house: &House) {
    for person in [ALICE, BOB, ERIN, GRACE] {
        if let Ok(code) = house.apps.fresh_code(&person).await {
            // A full disk is no reason to end the demo.
            let text = String::from_utf8_lossy(code.expose()).into_owned();
            let _ = house.home.write(&format!("{}.code", person.name), &format!("{text}\n"));
        }
    }
}

/// What the lines are made of, each part quoted for a shell.
struct Lines {
    vestibule: String,
    server: String,
    home: String,
}

impl Lines {
    fn of(house: &House) -> Self {
        let home: &Path = house.home.as_ref();
        Self { vestibule: program(), server: house.radius.to_string(), home: home.display().to_string() }
    }

    fn file(&self, name: &str) -> String {
        quoted(&format!("{}/{name}", self.home))
    }

    fn radtest(&self, user: &str, more: &str) -> String {
        format!(
            "{} radtest {} {user} --secret-file {} --password-file {}{more}",
            self.vestibule,
            self.server,
            self.file("secrets/client.vpn"),
            self.file(&format!("{user}.password")),
        )
    }

    fn alice(&self) -> String {
        self.radtest(ALICE.name, &format!(" --code-file {}", self.file("alice.code")))
    }

    fn bob(&self) -> String {
        let both =
            format!("printf '%s,%s' \"$(cat {})\" \"$(cat {})\"", self.file("bob.password"), self.file("bob.code"));
        let (server, secret) = (&self.server, self.file("secrets/client.vpn"));
        format!("{both} | {} radtest {server} bob --secret-file {secret} --password-file -", self.vestibule)
    }

    fn carol(&self) -> String {
        self.radtest(CAROL.name, "")
    }

    fn radclient(&self) -> String {
        let password = format!("$(cat {}),$(cat {})", self.file("erin.password"), self.file("erin.code"));
        let (server, secret) = (&self.server, self.file("secrets/client.vpn"));
        format!(
            "echo \"User-Name=erin,User-Password='{password}',Message-Authenticator=0x00\" | \
             radclient -x -S {secret} {server} auth"
        )
    }

    fn show(&self) -> String {
        format!("{} -c {} user show alice", self.vestibule, self.file("vestibule.toml"))
    }
}

/// This very program, by the shortest name that works from where it was started.
fn program() -> String {
    let Ok(path) = std::env::current_exe() else { return "vestibule".to_owned() };
    let here = std::env::current_dir().ok();
    let below = here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned));
    quoted(&below.unwrap_or(path).display().to_string())
}

/// A word that a shell takes as it is.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | ':' | '+');
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_one_line_and_names_its_secrets_by_file() {
        let lines = Lines {
            vestibule: "target/debug/vestibule".into(),
            server: "127.0.0.1:18120".into(),
            home: "/tmp/vestibule-demo-0".into(),
        };
        let all = [lines.alice(), lines.bob(), lines.carol(), lines.radclient(), lines.show()];
        for line in &all {
            assert!(!line.contains('\n') && !line.contains(ALICE.password) && !line.contains(BOB.password), "{line}");
        }
        assert!(lines.radclient().contains("Message-Authenticator=0x00"));
        assert!(lines.alice().ends_with("--code-file /tmp/vestibule-demo-0/alice.code"));
    }

    #[test]
    fn an_odd_path_is_quoted_for_the_shell() {
        assert_eq!(quoted("/tmp/a b/it's"), r"'/tmp/a b/it'\''s'");
    }
}
