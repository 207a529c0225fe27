//! Which characters real databases hold equal, asked of the databases themselves: no table of ours has them all (rules A2).
//!
//! MariaDB under each of its utf8mb4 collations and slapd's caseIgnoreMatch are asked which names they take for `alice`; whatever they
//! take must be refused before a primary that says nothing of who it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use login::name::Realms;
use login::policy::{Gate, PrimaryPolicy};
use login::{Policy, PrimaryName};

use crate::harness::until;

/// Where letters stand that somebody could take for plain ones: all but ideographs, syllables of Hangul, and surrogates.
const RANGES: [(u32, u32); 8] = [
    (0x1, 0x2fff),
    (0x3000, 0x33ff),
    (0xa000, 0xabff),
    (0xf900, 0xffff),
    (0x1_0780, 0x1_07bf),
    (0x1_d400, 0x1_d7ff),
    (0x1_f100, 0x1_f1ff),
    (0xe_0000, 0xe_01ef),
];

/// A server of the test's own, ended with it.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn policy() -> Policy {
    let primaries = [(PrimaryName::new("sql"), PrimaryPolicy::default())].into();
    Policy { primaries, realms: Realms::Unsaid, ..Policy::default() }
}

/// Whether a name reaches a primary that says nothing of who it is, as another user than `alice`.
fn passes_as_another(policy: &Policy, name: &str) -> bool {
    match policy.user_name(name.as_bytes(), false) {
        Err(_) => false,
        Ok(read) => read.folded() != "alice" && policy.gate(&read, &PrimaryName::new("sql")) == Gate::Open,
    }
}

fn ran(command: &mut Command) -> String {
    let done = command.output().unwrap_or_else(|why| panic!("{command:?}: {why}"));
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// Starts MariaDB on a socket of its own and waits until it answers.
async fn mariadb(home: &Path) -> Server {
    let user = ran(Command::new("id").arg("-un"));
    let data = format!("--datadir={}", home.join("data").display());
    let as_user = format!("--user={}", user.trim());
    ran(Command::new("mariadb-install-db").args(["--no-defaults", &data, "--skip-test-db", &as_user]));
    let server = Command::new("mariadbd")
        .args(["--no-defaults", "--skip-networking", "--skip-grant-tables", &data, &as_user])
        .arg(format!("--socket={}", home.join("s").display()))
        .arg(format!("--pid-file={}", home.join("pid").display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let server = Server(server);
    until("MariaDB answers", async || sql(home, "SELECT 1")).await;
    server
}

fn sql(home: &Path, statements: &str) -> Option<String> {
    let socket = format!("--socket={}", home.join("s").display());
    let mut client = Command::new("mariadb")
        .args(["--no-defaults", "--default-character-set=utf8mb4", &socket, "-N", "-B"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    client.stdin.take()?.write_all(statements.as_bytes()).ok()?;
    let done = client.wait_with_output().ok()?;
    done.status.success().then(|| String::from_utf8(done.stdout).unwrap())
}

#[tokio::test]
async fn whatever_a_collation_of_mariadb_takes_for_alice_is_refused_or_is_alice() {
    let home = tempfile::tempdir().unwrap();
    let server = mariadb(home.path()).await;
    let ask = |statements: &str| sql(home.path(), statements).unwrap_or_else(|| panic!("{statements}"));
    let mut table =
        "CREATE DATABASE t CHARACTER SET utf8mb4; USE t; CREATE TABLE c (n INT PRIMARY KEY, c VARCHAR(1) NOT NULL);"
            .to_owned();
    for (first, last) in RANGES {
        write!(
            table,
            "INSERT INTO c SELECT seq, CONVERT(UNHEX(LPAD(HEX(seq),8,'0')) USING utf32) FROM seq_{first}_to_{last};"
        )
        .unwrap();
    }
    ask(&table);
    let collations = ask(
        "SELECT full_collation_name FROM information_schema.collation_character_set_applicability WHERE character_set_name = 'utf8mb4'",
    );
    let collations: Vec<&str> = collations.lines().collect();
    assert!(collations.len() > 100 && collations.contains(&"utf8mb4_general_ci"), "Debian's default is among them");
    let policy = policy();
    let mut asks = "USE t;".to_owned();
    for collation in &collations {
        // Instead of each letter of the name, beside them, and blanks at its ends.
        write!(
            asks,
            "SELECT '{collation}', n FROM c WHERE CONCAT(c,'lice') = CONVERT('alice' USING utf8mb4) COLLATE {collation} \
             OR CONCAT('a',c,'ice') = CONVERT('alice' USING utf8mb4) COLLATE {collation} \
             OR CONCAT('al',c,'ce') = CONVERT('alice' USING utf8mb4) COLLATE {collation} \
             OR CONCAT('ali',c,'e') = CONVERT('alice' USING utf8mb4) COLLATE {collation} \
             OR CONCAT('alic',c) = CONVERT('alice' USING utf8mb4) COLLATE {collation} \
             OR CONCAT('al',c,'ice') = CONVERT('alice' USING utf8mb4) COLLATE {collation} \
             OR CONCAT('alice',c) = CONVERT('alice' USING utf8mb4) COLLATE {collation};"
        )
        .unwrap();
    }
    let (mut equal, mut passed) = (0, BTreeMap::<String, BTreeSet<char>>::new());
    for line in ask(&asks).lines() {
        let (collation, number) = line.split_once('\t').unwrap();
        let c = char::from_u32(number.parse().unwrap()).unwrap();
        equal += 1;
        let variants = [
            format!("{c}lice"),
            format!("a{c}ice"),
            format!("al{c}ce"),
            format!("ali{c}e"),
            format!("alic{c}"),
            format!("al{c}ice"),
            format!("alice{c}"),
        ];
        // A plain letter is one of another name in each place but its own.
        let is_letter = c.is_ascii_alphanumeric();
        if is_letter && "alice".contains(c.to_ascii_lowercase()) {
            continue;
        }
        // A blank is equal to nothing only at the end.
        let variants = if c == ' ' { &variants[6..] } else { &variants[..] };
        if variants.iter().any(|name| passes_as_another(&policy, name)) {
            passed.entry(collation.to_owned()).or_default().insert(c);
        }
    }
    drop(server);
    assert!(equal > 10_000, "{equal}");
    // Two languages hold plain letters equal: y is i in Lithuanian, j is i in classical Latin. Nothing that looks at a name alone
    // can know; a primary with such a collation needs `resolved = "accept"` (docs/security.md).
    let lithuanian = ["lithuanian_ci", "uca1400_lithuanian_ai_ci", "uca1400_lithuanian_nopad_ai_ci"];
    let roman = ["roman_ci", "uca1400_roman_ai_ci", "uca1400_roman_nopad_ai_ci"];
    let plain = |letters: [char; 2]| {
        move |collation: &str| (format!("utf8mb4_{collation}"), letters.into_iter().collect::<BTreeSet<char>>())
    };
    let known = lithuanian.map(plain(['Y', 'y'])).into_iter().chain(roman.map(plain(['J', 'j'])));
    assert_eq!(passed, known.collect());
}

#[tokio::test]
async fn whatever_slapd_takes_for_alice_is_refused_or_is_alice() {
    let home = tempfile::tempdir().unwrap();
    let socket = home.path().join("ldapi");
    let url = format!("ldapi://{}", socket.display().to_string().replace('/', "%2F"));
    std::fs::create_dir(home.path().join("data")).unwrap();
    let config = format!(
        "include /etc/ldap/schema/core.schema\ninclude /etc/ldap/schema/cosine.schema\ninclude /etc/ldap/schema/inetorgperson.schema\n\
         modulepath /usr/lib/ldap\nmoduleload back_mdb\npidfile {0}/pid\ndatabase mdb\nsuffix dc=example\ndirectory {0}/data\n\
         access to * by * read\n",
        home.path().display()
    );
    std::fs::write(home.path().join("slapd.conf"), config).unwrap();
    let entries = "dn: dc=example\nobjectClass: domain\ndc: example\n\ndn: uid=alice,dc=example\nobjectClass: inetOrgPerson\nuid: alice\n\
                   cn: alice\nsn: alice\n\ndn: uid=jane doe,dc=example\nobjectClass: inetOrgPerson\nuid: jane doe\ncn: jane\nsn: doe\n";
    std::fs::write(home.path().join("entries"), entries).unwrap();
    let file = |name: &str| home.path().join(name).display().to_string();
    ran(Command::new("slapadd").args(["-f", &file("slapd.conf"), "-l", &file("entries")]));
    let slapd = Command::new("slapd")
        .args(["-d", "0", "-h", &url, "-f", &file("slapd.conf")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _server = Server(slapd);
    let search = |names: &Path| {
        let names = names.display().to_string();
        let mut command = Command::new("ldapsearch");
        command.args(["-x", "-LLL", "-H", &url, "-b", "dc=example", "-f", &names, "(uid=%s)", "dn"]);
        command.output().unwrap()
    };
    std::fs::write(home.path().join("one"), "alice\n").unwrap();
    until("slapd answers", async || {
        String::from_utf8_lossy(&search(&home.path().join("one")).stdout).contains("uid=alice").then_some(())
    })
    .await;
    let mut found = Vec::new();
    let letters = RANGES.iter().flat_map(|(first, last)| *first..=*last).filter_map(char::from_u32);
    let mut names: Vec<String> = ["jane  doe", "jane doe ", "JANE DOE"].map(str::to_owned).to_vec();
    for c in letters {
        names.extend([format!("{c}lice"), format!("al{c}ce"), format!("al{c}ice"), format!("alice{c}")]);
    }
    // RFC 4515: any octet may be written as `\XX`. The markers between tell which one was found.
    let mut filters = String::new();
    for name in &names {
        name.bytes().for_each(|octet| write!(filters, "\\{octet:02x}").unwrap());
        filters.push('\n');
    }
    std::fs::write(home.path().join("names"), filters).unwrap();
    let mut command = Command::new("ldapsearch");
    let done = command
        .args(["-x", "-L", "-H", &url, "-b", "dc=example", "-f", &file("names"), "(uid=%s)", "dn"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let mut asked = None;
    for line in text.lines() {
        if let Some(filter) = line.strip_prefix("# filter: (uid=") {
            asked = Some(filter.trim_end_matches(')').to_owned());
        } else if line.starts_with("dn: uid=") {
            found.push(asked.clone().unwrap_or_default());
        }
    }
    assert!(found.len() > 8, "{} found: {}", found.len(), &text[..text.len().min(600)]);
    let policy = policy();
    let unescaped = |filter: &str| {
        let octets: Vec<u8> = filter
            .split('\\')
            .filter(|part| !part.is_empty())
            .map(|part| u8::from_str_radix(part, 16).unwrap())
            .collect();
        String::from_utf8(octets).unwrap()
    };
    let passed: BTreeSet<String> = found
        .iter()
        .map(|filter| unescaped(filter))
        .filter(|name| name.to_lowercase() != "jane doe" && passes_as_another(&policy, name))
        .collect();
    assert_eq!(passed, BTreeSet::new());
}
