//! What the commands say to do next, done as they say it: pasted into a shell, for whatever name and whatever file.

use std::path::Path;
use std::process::{Command, Output};

const PROGRAM: &str = env!("CARGO_BIN_EXE_vestibule");

/// A line in a shell that finds our program.
fn typed(line: &str, directory: &Path) -> Output {
    let path = format!("{}:{}", Path::new(PROGRAM).parent().unwrap().display(), std::env::var("PATH").unwrap());
    Command::new("sh").args(["-c", line]).current_dir(directory).env("PATH", path).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The command that a line offers, from the program's name on.
fn offered(text: &str, verb: &str) -> String {
    let line = text.lines().find(|line| line.contains(verb)).unwrap_or_else(|| panic!("no {verb:?} in:\n{text}"));
    let (before, _) = line.split_once("vestibule ").unwrap();
    let command = line[before.len()..].trim();
    let end = match before.chars().last() {
        Some('`') => command.find('`').unwrap(),
        Some('(') => command.rfind(')').unwrap(),
        _ => command.len(),
    };
    command[..end].to_owned()
}

#[test]
fn what_is_said_to_do_next_can_be_pasted_whatever_the_names_of_file_and_user() {
    let home = tempfile::tempdir().unwrap();
    let site = home.path().join("o'brien & sons");
    std::fs::create_dir(&site).unwrap();
    let done = |line: &str| {
        let output = typed(line, home.path());
        assert!(output.status.success(), "{line}\n{}", said(&output));
        said(&output)
    };
    let file = r#"-c "o'brien & sons/v.toml""#;
    let begun = done(&format!("vestibule {file} init --yes"));
    let added = done(&format!("{} </dev/null", offered(&begun, "user add alice").replace(" --password-file -", "")));
    let enrol = offered(&added, "token add alice");
    assert!(enrol.contains("-c ") && enrol.ends_with("alice totp"), "{enrol}");
    done(&enrol);
    for name in ["o'brien", "-dash", "jane doe", "$(reboot)", "EXAMPLE;x"] {
        let quoted = format!("'{}'", name.replace('\'', r"'\''"));
        let added = done(&format!("vestibule {file} user add -- {quoted}"));
        let tokens = done(&format!("vestibule {file} token list -- {quoted}"));
        let devices = done(&format!("vestibule {file} device list -- {quoted}"));
        assert!(offered(&devices, "device add").contains("--channel webpush"), "{devices}");
        for text in [added, tokens] {
            done(&offered(&text, "token add"));
        }
        done(&format!("vestibule {file} user block -- {quoted}"));
        done(&offered(&done(&format!("vestibule {file} user show -- {quoted}")), "user unblock"));
    }
    let nobody = typed(&format!("vestibule {file} user show nobody"), home.path());
    assert_eq!(nobody.status.code(), Some(1));
    done(&offered(&said(&nobody), "user list"));
}

/// As a service's user that may write its configuration's directory and nothing else, which the unit's head prescribes.
const AS_THE_SERVICE: &str = r#"set -e
cp -a /etc "$1/etc"; mount --bind "$1/etc" /etc; rm -rf /etc/vestibule
mount -t tmpfs -o mode=755 tmpfs /var/lib; mount -t tmpfs -o mode=755 tmpfs /var/log
mkdir -p "$1/bin"; cp "$2" "$1/bin/vestibule"; chmod 755 "$1" "$1/bin" "$1/bin/vestibule"
grep -q ^vestibule: /etc/passwd || echo 'vestibule:x:64999:64999::/var/lib/vestibule:/usr/sbin/nologin' >> /etc/passwd
grep -q ^vestibule: /etc/group || echo 'vestibule:x:64999:' >> /etc/group
as() { setpriv --reuid vestibule --regid vestibule --clear-groups env PATH="$home/bin:$PATH" "$@"; }
home="$1"
exec 2>&1
"#;

/// A script in namespaces of its own, so that it may write in /etc and /var.
fn on_a_host_of_its_own(script: &str) -> Output {
    let home = tempfile::tempdir().unwrap();
    let whole = format!("{AS_THE_SERVICE}{script}");
    let ended = Command::new("unshare").args(["-m", "sh", "-c", &whole, "sh"]).arg(home.path()).arg(PROGRAM).output();
    ended.unwrap()
}

#[test]
fn init_as_the_services_user_ends_with_a_configuration_and_leaves_to_the_unit_what_is_the_units() {
    if !nix::unistd::geteuid().is_root() {
        // As an installation: without root there are no users to change to. The gate runs as root.
        return;
    }
    let ended = on_a_host_of_its_own(
        "install -d -o vestibule -g vestibule -m 0700 /etc/vestibule
         as vestibule init --yes
         as vestibule check
         echo checked
         # What the unit does at the start, and then all is there.
         install -d -o vestibule -g vestibule -m 0700 /var/lib/vestibule /var/log/vestibule
         as vestibule check --strict",
    );
    let text = said(&ended);
    assert!(ended.status.success(), "{text}");
    assert!(text.contains("install -d -o vestibule -m 0700 /var/lib/vestibule /var/log/vestibule"), "{text}");
    let before = text.split("checked").next().unwrap();
    assert!(before.contains("the unit in deploy/systemd makes it at the start"), "{before}");
}

#[test]
fn init_that_is_refused_says_what_root_must_do_and_not_to_be_who_one_is() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let ended = on_a_host_of_its_own("as vestibule init --yes");
    assert_eq!(ended.status.code(), Some(1), "{}", said(&ended));
    let advice = "as root: install -d -o vestibule -g vestibule -m 0700 /etc/vestibule; then run this again";
    assert!(said(&ended).contains(advice), "{}", said(&ended));
    // The advice itself, followed.
    let ended = on_a_host_of_its_own(
        "install -d -o vestibule -g vestibule -m 0700 /etc/vestibule
         as vestibule init --yes",
    );
    assert!(ended.status.success(), "{}", said(&ended));
}
