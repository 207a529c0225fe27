//! What README and the documentation print, run as it stands there: each block of a policy through the parser, each block of commands in a
//! shell on a host of its own, with a terminal and somebody who answers the questions.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use ::vestibule::config::{Config, NoFiles};
use data_encoding::BASE32_NOPAD;

use crate::harness::oath::totp;

const PROGRAM: &str = env!("CARGO_BIN_EXE_vestibule");

/// Blocks that can't be run here, by file and first words, and why. No more than these.
const NOT_RUN: [(&str, &str, &str); 6] = [
    ("README.md", "cargo run --release -- demo", "builds for minutes; the demo has tests of its own"),
    ("README.md", "tests/run", "it is what runs this test"),
    ("CONTRIBUTING.md", "tests/run", "it is what runs this test"),
    ("CONTRIBUTING.md", "cargo test --test peers browser", "it is a part of this very run"),
    ("docs/performance.md", "cargo bench", "a measurement is no test"),
    ("deploy/README.md", "rule_files", "Prometheus' own file"),
];

struct Block {
    file: String,
    language: String,
    text: String,
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn pages() -> Vec<PathBuf> {
    let docs = std::fs::read_dir(repository().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<PathBuf> = docs.filter(|path| path.extension().is_some_and(|it| it == "md")).collect();
    let more = ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "deploy/README.md"];
    pages.extend(more.map(|name| repository().join(name)));
    pages.sort();
    pages
}

fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    for page in pages() {
        let file = page.strip_prefix(repository()).unwrap().display().to_string();
        let text = std::fs::read_to_string(&page).unwrap();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let Some(language) = line.strip_prefix("```") else { continue };
            let inside: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push(Block { file: file.clone(), language: language.to_owned(), text: inside.join("\n") + "\n" });
        }
    }
    blocks
}

fn is_excused(block: &Block) -> bool {
    NOT_RUN.iter().any(|(file, begins, _)| block.file == *file && block.text.starts_with(begins))
}

/// The blocks of commands that are run, in their order.
fn commands() -> Vec<Block> {
    blocks().into_iter().filter(|block| matches!(&*block.language, "sh" | "console") && !is_excused(block)).collect()
}

#[test]
fn each_block_is_run_or_says_why_not() {
    for block in blocks() {
        let is_run =
            matches!(&*block.language, "sh" | "console" | "toml") || is_excused(&block) || block.language == "text";
        assert!(is_run, "{}: nobody runs this block:\n{}", block.file, block.text);
    }
    for (file, begins, why) in NOT_RUN {
        let stands = blocks().iter().any(|block| block.file == file && block.text.starts_with(begins));
        assert!(stands, "{file} has no block that begins {begins:?} any more ({why})");
    }
    let files: Vec<String> = commands().into_iter().map(|block| block.file).collect();
    assert_eq!(files, ["README.md"; 3], "a new block of commands: give it a part in the story below");
}

#[test]
fn each_block_of_a_policy_is_in_order() {
    let policies: Vec<Block> = blocks().into_iter().filter(|block| block.language == "toml").collect();
    assert!(policies.len() >= 3);
    for Block { file, text, .. } in policies {
        let loaded = Config::parse("vestibule.toml", &text, &NoFiles, [])
            .unwrap_or_else(|mistakes| panic!("{file}:\n{mistakes}\n{text}"));
        // A part of a policy has no clients, or no rules.
        let warnings = loaded.warnings.iter().map(|finding| finding.message.clone());
        let doubts: Vec<String> =
            warnings.filter(|it| it != "there is no client" && it != "there is no rule").collect();
        assert!(doubts.is_empty(), "{file}: {doubts:?}\n{text}");
    }
}

/// A host of its own: nothing in /etc/vestibule and /var, a loopback of its own so that the printed ports are free, and a `cargo` that
/// installs what was built for this test.
const HOST: &str = r#"set -e
mkdir "$1/bin" "$1/run"; cp -a /etc "$1/etc"; mount --bind "$1/etc" /etc; rm -rf /etc/vestibule
mount -t tmpfs tmpfs /var/lib; mount -t tmpfs tmpfs /var/log
ip link set lo up
printf '#!/bin/sh\n[ "$*" = "install --locked --path ." ] && cp "%s" "%s/bin/vestibule"\n' "$2" "$1" > "$1/bin/cargo"
chmod 755 "$1/bin/cargo"
export PATH="$1/bin:$PATH" HOME="$1/run" TERM=dumb
cd "$1/run"
exec timeout 240 script -qefc "sh -e '$1/story'" /dev/null
"#;

/// The printed blocks one after the other. Where `vestibule serve` stands, it is left running, and what follows is typed elsewhere.
fn story(home: &Path) -> String {
    let blocks = commands();
    let mut story = String::from("trap 'kill $server 2>/dev/null; wait' EXIT\n");
    for (number, block) in blocks.iter().enumerate() {
        if number == 2 {
            // README's own policy with a portal, in a site that runs.
            let portal =
                self::blocks().into_iter().find(|it| it.language == "toml" && it.text.contains("[admin]")).unwrap();
            let site = "[client.vpn]\naddress = \"192.0.2.10\"\n[audit]\nfile = \"/var/log/vestibule/audit.jsonl\"\n";
            std::fs::write(home.join("policy"), format!("{}\n{site}", portal.text)).unwrap();
            story += &format!("cat {}/policy > /etc/vestibule/vestibule.toml\n", home.display());
        }
        for line in block.text.split_inclusive('\n') {
            if line.starts_with("vestibule serve") {
                story += "vestibule serve > served 2>&1 & server=$!\n";
                story += "until grep -q 'answers RADIUS' served; do kill -0 $server || { cat served; exit 1; }; sleep 0.1; done\n";
            } else {
                story += line;
            }
        }
        story += &format!("echo 'block {number} is done'\n");
    }
    story
}

/// Somebody at the terminal: Enter where an answer stands in brackets, else what the question is for.
fn answer(said: &str) -> Option<String> {
    let seed = || {
        let after = said.rsplit_once("secret=").map(|(_, after)| after)?;
        let text: String = after.chars().take_while(char::is_ascii_alphanumeric).collect();
        BASE32_NOPAD.decode(text.as_bytes()).ok()
    };
    if said.ends_with("] ") && said.lines().last()?.contains('?') {
        Some(String::new())
    } else if said.ends_with("packets come? ") {
        Some("192.0.2.10".to_owned())
    } else if said.ends_with("the password: ") {
        Some("looking-glass-7".to_owned())
    } else if said.ends_with("Your answer (not shown): ") {
        Some(totp(&seed()?))
    } else {
        None
    }
}

fn played(mut child: Child) -> (bool, String) {
    let (mut out, mut keys) = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
    let (mut said, mut octets, mut answered) = (String::new(), [0; 4096], 0);
    while let Ok(count @ 1..) = out.read(&mut octets) {
        said += &String::from_utf8_lossy(&octets[..count]);
        if said.len() > answered
            && let Some(line) = answer(&said)
        {
            answered = said.len();
            keys.write_all(format!("{line}\n").as_bytes()).unwrap();
        }
    }
    (child.wait().unwrap().success(), said)
}

#[test]
fn the_commands_that_readme_prints_go_from_nothing_to_a_login_as_they_stand() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("story"), story(home.path())).unwrap();
    let mut command = Command::new("unshare");
    // Without root, a user's own namespaces do as well: nothing here changes its user.
    let ours = if nix::unistd::geteuid().is_root() { "-mn" } else { "-rmn" };
    command.args([ours, "sh", "-c", HOST, "sh"]).arg(home.path()).arg(PROGRAM);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    let (is_done, said) = played(child);
    assert!(is_done, "{said}");
    assert!(said.contains("client here added") && said.contains("Access-Accept"), "{said}");
    let done: BTreeMap<usize, bool> =
        (0..3).map(|block| (block, said.contains(&format!("block {block} is done")))).collect();
    assert!(done.values().all(|it| *it), "{done:?}\n{said}");
}
