//! Whole files through the whole room: each broken one with exactly what is said of it, each example in order.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use login::limits::Limits;
use login::policy::{Condition, Join, Verdict};
use login::{ClientName, Method, Wall};

use super::*;

const SIXTEEN: &str = "0123456789abcdef\n";

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A directory with what `tests/broken/README.md` promises.
fn staged(from: &str) -> tempfile::TempDir {
    let stage = tempfile::tempdir().unwrap();
    copy(&repository(from), stage.path());
    let secrets = stage.path().join("secrets");
    fs::create_dir(&secrets).unwrap();
    let sound = [
        "client.vpn",
        "client.asa",
        "client.gateway",
        "client.branch",
        "primary.nps",
        "primary.old",
        "method.push.webhook",
    ];
    let long = "x".repeat(5000);
    let odd = [
        ("client.short", "short\n"),
        ("client.empty", ""),
        ("client.newline", "\n"),
        ("client.open", SIXTEEN),
        ("long", &long),
        ("client.marked", "\u{feff}0123456789abcdef\r\n"),
        ("quoted", "\"0123456789abcdef\"\n"),
        ("client.commented", "# the firewall\n0123456789abcdef\n"),
        ("client.wide", "a\0b\0c\0d\0e\0f\0g\0h\0i\0j\0"),
        ("client.blank", "0123456789abcdef \n"),
        ("client.lines", "0123456789abcdef\nfedcba9876543210\n"),
    ];
    for (name, text) in sound.into_iter().map(|name| (name, SIXTEEN)).chain(odd) {
        fs::write(secrets.join(name), text).unwrap();
        let mode = if name == "client.open" { 0o644 } else { 0o600 };
        fs::set_permissions(secrets.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    stage
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn named(directory: &Path, extension: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.extension().is_some_and(|it| it == extension) && path.is_file());
    files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

fn environment(file: &Path) -> Vec<(String, String)> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines()
        .map(|line| line.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Compares what is said of each file of a directory with what is written beside it.
fn each_says(from: &str, said: impl Fn(&str, Result<Loaded, Mistakes>) -> String) -> usize {
    let stage = staged(from);
    let names = named(&repository(from), "toml");
    let bless = std::env::var_os("BLESS").is_some();
    let mut wrong = Vec::new();
    for name in &names {
        let path = stage.path().join(format!("{name}.toml"));
        let loaded = Config::read(&path, &Disk, environment(&path.with_extension("env")));
        let text = said(name, loaded).replace(&format!("{}/", stage.path().display()), "") + "\n";
        let expected = repository(from).join(format!("{name}.expected"));
        if bless {
            fs::write(&expected, &text).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != text {
            wrong.push(format!("{name} says:\n{text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(
        names,
        named(&repository(from), "expected"),
        "an expected text without its file, or a file without its text"
    );
    names.len()
}

#[test]
fn each_broken_file_gets_exactly_what_is_written_beside_it() {
    let count = each_says("tests/broken", |name, loaded| loaded.expect_err(name).to_string());
    assert!(count >= 90, "{count}");
}

#[test]
fn each_doubtful_file_is_taken_with_exactly_these_warnings() {
    each_says("tests/doubtful", |name, loaded| {
        let warnings = loaded.unwrap_or_else(|mistakes| panic!("{name}:\n{mistakes}")).warnings;
        assert!(!warnings.is_empty(), "{name}");
        render(&warnings, false)
    });
}

/// Secrets that nobody may see, wherever they were written.
#[test]
fn no_expected_text_shows_a_secret() {
    for name in named(&repository("tests/broken"), "expected") {
        let text = fs::read_to_string(repository("tests/broken").join(format!("{name}.expected"))).unwrap();
        for secret in ["hunter2", "correct horse", SIXTEEN.trim()] {
            assert!(!text.contains(secret), "{name}");
        }
    }
}

#[test]
fn tabs_windows_line_ends_and_a_byte_order_mark_are_taken() {
    let text = "\u{feff}[client.vpn]\r\n\taddress\t=\t\"192.0.2.10\"\r\n[[rule]]\r\n\tname = \"all\"\r\n\tsecond_factor = [\"totp\"]\r\n";
    assert_eq!(read(text).config.clients.len(), 1);
    let wrong = refused(&text.replace("\"all\"", "all")).to_string();
    assert!(wrong.contains("vestibule.toml:4:9") && wrong.contains("text stands in quotes"), "{wrong}");
}

fn read(text: &str) -> Loaded {
    Config::parse("vestibule.toml", text, &NoFiles, []).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn refused(text: &str) -> Mistakes {
    Config::parse("vestibule.toml", text, &NoFiles, []).unwrap_err()
}

#[test]
fn each_example_is_in_order_and_leaves_no_doubt() {
    let names = named(&repository("config"), "toml");
    assert!(names.len() >= 5);
    for name in names {
        let text = fs::read_to_string(repository("config").join(format!("{name}.toml"))).unwrap();
        let loaded = read(&text);
        assert!(loaded.warnings.is_empty(), "{name}:\n{}", render(&loaded.warnings, false));
    }
}

#[test]
fn the_template_needs_the_secrets_that_it_says_it_needs() {
    let clients: Vec<String> =
        read(template()).config.clients.iter().map(|client| format!("client.{}", client.name)).collect();
    assert_eq!(clients, TEMPLATE_SECRETS);
}

const SMALL: &str = "[client.vpn]\naddress = \"192.0.2.10\"\n[[rule]]\nname = \"all\"\nsecond_factor = [\"totp\"]\n";

#[test]
fn what_nobody_says_is_as_the_design_has_it() {
    let config = read(SMALL).config;
    let client = config.client(&ClientName::new("vpn")).unwrap();
    assert_eq!(config.radius_listen, ["0.0.0.0:1812".parse().unwrap(), "[::]:1812".parse().unwrap()]);
    assert_eq!(config.metrics_listen, "127.0.0.1:18190".parse().unwrap());
    assert_eq!(config.store.file, Path::new("/var/lib/vestibule/vestibule.db"));
    assert_eq!(config.store.key_file, Path::new("store.key"));
    assert_eq!(&*config.account_name, "Vestibule");
    assert_eq!(config.policy.limits, Limits::default());
    assert_eq!(client.stance, Stance::Yes);
    assert_eq!(client.policy.primary.as_str(), "local");
    assert_eq!(client.policy.gives_up_after, Duration::from_secs(30));
    assert_eq!((client.policy.challenge, client.policy.allow_admin, client.policy.join), (true, false, Join::Station));
    assert_eq!((&client.policy.append, &client.session_attribute), (&None, &None));
    assert_eq!(config.policy.clients[&client.name], client.policy);
}

const PORTAL: &str =
    "[portal]\nurl = \"https://mfa.example.com\"\ntls = { certificate = \"c.pem\", key = \"c.key\" }\n";

#[test]
fn a_name_for_the_account_alone_serves_no_portal_and_a_url_does() {
    let alone = read(&format!("[portal]\naccount_name = \"Example\"\n{SMALL}")).config;
    assert_eq!((&alone.portal, &alone.admin, &alone.mail), (&None, &None, &None));
    assert!(alone.settings.get("portal.listen").is_none(), "what is not served is not listed");
    assert_eq!(alone.push, PushConfig { webpush_hosts: alone.push.webpush_hosts.clone(), ..PushConfig::default() });

    let config = read(&format!("{PORTAL}[admin]\nroles = {{ admin = \"VPN Admins\" }}\n{SMALL}")).config;
    let portal = config.portal.unwrap();
    assert_eq!(portal.pages.listen, "0.0.0.0:8443".parse().unwrap());
    assert_eq!((portal.pages.url.host(), portal.pages.url.port()), ("mfa.example.com", 443));
    assert_eq!(portal.sign_in.as_str(), "local");
    let may = UsersMay { enrol: true, select_method: true, activate_app: true, assign_token: false };
    assert_eq!(portal.users_may, may);
    assert_eq!(portal.first_enrolment, FirstEnrolment { admin_code: true, ..FirstEnrolment::default() });
    assert_eq!((portal.devices_per_user, portal.help_desk), (5, None));
    assert_eq!((portal.session_idle, portal.session_lasts), (Duration::from_secs(900), Duration::from_secs(28_800)));
    let admin = config.admin.unwrap();
    assert_eq!(admin.pages.listen, "127.0.0.1:8444".parse().unwrap());
    assert_eq!(admin.pages.url.as_str(), "http://127.0.0.1:8444");
    assert_eq!(admin.roles.admin, [login::GroupName::folded("vpn admins")]);
    assert_eq!(config.push.channels, [PushWay::WebPush, PushWay::PrivacyIdea]);
    assert_eq!(config.push.vapid_contact.as_deref(), Some("https://mfa.example.com"));
    assert_eq!(config.settings.get("method.push.vapid_contact").unwrap().origin, Origin::Default);
}

#[test]
fn a_portal_on_loopback_has_a_contact_that_push_services_take() {
    for (host, contact) in [("127.0.0.1", "mailto:vestibule@127.0.0.1"), ("[::1]", "mailto:vestibule@[::1]")] {
        let config = read(&format!("[portal]\nurl = \"http://{host}:8080\"\nlisten = \"{host}:8080\"\n{SMALL}")).config;
        assert_eq!(config.push.vapid_contact.as_deref(), Some(contact));
    }
}

#[test]
fn the_portal_as_the_design_writes_it_in_full_is_in_order() {
    let text = fs::read_to_string(repository("config/portal.toml")).unwrap();
    let config = read(&text).config;
    let portal = config.portal.unwrap();
    assert_eq!(portal.pages.tls, TlsSource::Acme);
    assert_eq!(portal.pages.acme.directory.as_ref(), "https://acme-v02.api.letsencrypt.org/directory");
    assert_eq!(portal.first_enrolment.networks, ["10.0.0.0/8".parse().unwrap()]);
    let mail = config.mail.unwrap();
    assert_eq!((mail.server.to_string().as_str(), mail.security), ("mail.example.com:465", MailSecurity::Tls));
    assert_eq!(config.push.vapid_contact.as_deref(), Some("mailto:mfa@example.com"));
    let settings = &config.settings;
    assert_eq!(&*settings.get("mail.password").unwrap().shown, "(from secrets/mail)");
    assert_eq!(&*settings.get("portal.first_enrolment[0]").unwrap().shown, "\"admin_code\"");
    assert_eq!(&*settings.get("portal.first_enrolment[1].network").unwrap().shown, "[\"10.0.0.0/8\"]");
    assert_eq!(&*settings.get("portal.acme.contact").unwrap().shown, "\"mailto:it@example.com\"");
}

#[test]
fn a_number_is_what_the_client_says_else_the_site_and_auto_follows_the_rules() {
    use login::policy::NumberWish::{Off, Shown, Typed};
    let wishes = |site: &str, rule: &str| {
        let text = format!(
            "[method.push]\nnumber = \"{site}\"\n\
             [client.plain]\naddress = \"192.0.2.1\"\n\
             [client.said]\naddress = \"192.0.2.2\"\nnumber = \"typed\"\n\
             [client.mute]\naddress = \"192.0.2.3\"\nchallenge = false\nappend = \",\"\n\
             [[rule]]\nname = \"all\"\nwhen = {{ client = [\"plain\", \"said\"] }}\nsecond_factor = [\"push\"]\n{rule}"
        );
        let policy = read(&text).config.policy;
        ["plain", "said", "mute"].map(|name| policy.clients[&ClientName::new(name)].number)
    };
    assert_eq!(wishes("auto", ""), [Off, Typed, Off]);
    assert_eq!(wishes("auto", "number = \"required\"\n"), [Shown, Typed, Off]);
    assert_eq!(wishes("shown", ""), [Shown, Typed, Off]);
    assert_eq!(wishes("typed", "number = \"required\"\n"), [Typed, Typed, Off]);
    assert_eq!(wishes("off", ""), [Off, Typed, Off]);
}

#[test]
fn auto_shows_a_number_where_a_rule_requires_one_and_changes_no_other_login() {
    use login::policy::NumberWish::{Off, Shown, Typed};
    let wishes = |push: &str| {
        let text = format!(
            "{push}\
             [client.plain]\naddress = \"192.0.2.1\"\n\
             [client.vault]\naddress = \"192.0.2.2\"\nchallenge = true\n\
             [client.said]\naddress = \"192.0.2.3\"\nchallenge = true\nnumber = \"off\"\n\
             [client.mute]\naddress = \"192.0.2.4\"\nchallenge = false\nappend = \",\"\n\
             [[rule]]\nname = \"vault\"\nwhen = {{ client = \"vault\" }}\nsecond_factor = [\"push\"]\nnumber = \"required\"\n\
             [[rule]]\nname = \"all\"\nsecond_factor = [\"push\"]\n"
        );
        let policy = read(&text).config.policy;
        ["plain", "vault", "said", "mute"].map(|name| policy.clients[&ClientName::new(name)].number)
    };
    assert_eq!(wishes(""), [Off, Shown, Off, Off], "it is the default");
    assert_eq!(wishes("[method.push]\nnumber = \"auto\"\n"), [Off, Shown, Off, Off]);
    assert_eq!(wishes("[method.push]\nnumber = \"typed\"\n"), [Typed, Typed, Off, Off]);
}

#[test]
fn the_only_primary_is_the_one_that_is_meant() {
    let config = read(&format!("[primary.nps]\nradius = \"nps.example.com:1645\"\n{SMALL}")).config;
    assert_eq!(config.clients[0].policy.primary.as_str(), "nps");
    assert_eq!(config.primaries[0].servers[0].to_string(), "nps.example.com:1645");
    assert_eq!(config.settings.get("client.vpn.primary").unwrap().origin, Origin::Default);
}

#[test]
fn rules_keep_the_order_of_the_file_and_the_whole_of_their_conditions() {
    let text = fs::read_to_string(repository("config/exemptions.toml")).unwrap();
    let policy = read(&text).config.policy;
    let names: Vec<&str> = policy.rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["backup job", "branch office, until its phones are there", "staff"]);
    assert_eq!(policy.rules[0].verdict, Verdict::Exempt);
    assert_eq!(policy.rules[0].until, Some(Wall(1_814_400_000_000)));
    assert!(matches!(&policy.rules[0].when, Condition::All(parts) if parts.len() == 3));
    assert!(matches!(&policy.rules[1].when, Condition::All(parts) if matches!(parts[1], Condition::Not(_))));
    assert_eq!(policy.rules[2].verdict, Verdict::Require(vec![Method::Totp, Method::Hotp]));
}

#[test]
fn a_relative_path_is_relative_to_the_file_that_names_it() {
    let text = "[store]\nurl = \"sqlite:state/v.db\"\n[audit]\nfile = \"/var/log/audit.jsonl\"\n";
    let config = Config::parse("/etc/vestibule/vestibule.toml", text, &NoFiles, []).unwrap().config;
    assert_eq!(config.store.file, Path::new("/etc/vestibule/state/v.db"));
    assert_eq!(config.store.key_file, Path::new("/etc/vestibule/store.key"));
    assert_eq!(config.audit_file.as_deref(), Some(Path::new("/var/log/audit.jsonl")));
}

#[test]
fn an_included_file_adds_clients_and_its_paths_are_its_own() {
    let stage = tempfile::tempdir().unwrap();
    let conf = stage.path().join("conf.d");
    fs::create_dir(&conf).unwrap();
    fs::write(
        stage.path().join("vestibule.toml"),
        "include = [\"conf.d/*.toml\"]\n[[rule]]\nname = \"all\"\nsecond_factor = [\"totp\"]\n",
    )
    .unwrap();
    fs::write(
        conf.join("asa.toml"),
        "[client.asa]\naddress = \"192.0.2.11\"\nsecret_file = \"asa.secret\"\n[audit]\nfile = \"audit.jsonl\"\n",
    )
    .unwrap();
    fs::write(conf.join("notes.txt"), "not TOML").unwrap();
    fs::write(conf.join(".hidden.toml"), "not TOML either").unwrap();
    fs::write(conf.join("asa.secret"), SIXTEEN).unwrap();
    fs::set_permissions(conf.join("asa.secret"), fs::Permissions::from_mode(0o600)).unwrap();
    let config = Config::read(&stage.path().join("vestibule.toml"), &Disk, [])
        .unwrap_or_else(|mistakes| panic!("{mistakes}"))
        .config;
    assert_eq!(config.clients[0].secret.expose(), SIXTEEN.trim().as_bytes());
    assert_eq!(config.audit_file, Some(conf.join("audit.jsonl")));
}

#[test]
fn the_environment_overrides_single_values_and_is_remembered_as_their_origin() {
    let variables = [
        ("VESTIBULE__LIMITS__CODE_FAILURES", "7"),
        ("VESTIBULE__CLIENT__HQ_ASA__CHALLENGE", "false"),
        ("VESTIBULE__PORTAL__ACCOUNT_NAME", "0123"),
        ("PATH", "/bin"),
    ];
    let text = "[client.hq-asa]\naddress = \"192.0.2.10\"\n[limits]\ncode_failures = 6\nreject_delay = \"2s\"\n";
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = Config::parse("vestibule.toml", text, &NoFiles, variables)
        .unwrap_or_else(|mistakes| panic!("{mistakes}"))
        .config;
    assert_eq!(config.policy.limits.code_failures, 7);
    assert!(!config.clients[0].policy.challenge);
    assert_eq!(&*config.account_name, "0123");
    let origin = |key: &str| config.settings.get(key).unwrap().origin.to_string();
    assert_eq!(origin("limits.code_failures"), "environment VESTIBULE__LIMITS__CODE_FAILURES");
    assert_eq!(origin("limits.reject_delay"), "vestibule.toml:5:16");
    assert_eq!(origin("limits.drain_within"), "default");
}

#[test]
fn what_changed_is_told_key_by_key_and_never_a_secret() {
    struct Other;
    impl Files for Other {
        fn text(&self, _: &Path) -> std::io::Result<String> {
            Err(std::io::ErrorKind::NotFound.into())
        }
        fn matching(&self, _: &Path, _: &str) -> std::io::Result<Vec<PathBuf>> {
            Ok(Vec::new())
        }
        fn secret(&self, _: &Path) -> Result<wire::Secret, SecretTrouble> {
            Ok(wire::Secret::new("another secret altogether"))
        }
    }
    let old = read(SMALL).config;
    let new = "[client.vpn]\naddress = [\"192.0.2.10\", \"192.0.2.11\"]\ngives_up_after = \"60s\"\n[[rule]]\nname = \"staff\"\nsecond_factor = [\"totp\"]\n";
    let new = Config::parse("vestibule.toml", new, &Other, []).unwrap().config;
    let changes: Vec<String> = Config::differences(&old, &new).iter().map(ToString::to_string).collect();
    assert_eq!(
        changes,
        [
            "client.vpn.address: \"192.0.2.10\" -> [\"192.0.2.10\", \"192.0.2.11\"]",
            "client.vpn.gives_up_after: \"30s\" -> \"60s\"",
            "client.vpn.secret: changed",
            "rule order: \"all\" -> \"staff\"",
            "rule.\"all\".name: \"all\" -> (gone)",
            "rule.\"all\".second_factor: [\"totp\"] -> (gone)",
            "rule.\"staff\".name: (new) \"staff\"",
            "rule.\"staff\".second_factor: (new) [\"totp\"]",
        ]
    );
    assert!(Config::differences(&new, &new).is_empty());
    assert!(!format!("{new:?}").contains("another secret"));
}

#[test]
fn each_part_of_a_nested_condition_is_a_setting_of_its_own() {
    let settings = read(&fs::read_to_string(repository("config/exemptions.toml")).unwrap()).config.settings;
    let rule = "rule.\"branch office, until its phones are there\"";
    let shown = |key: &str| settings.get(&format!("{rule}.{key}")).map(|setting| setting.shown.to_string());
    assert_eq!(shown("when.all[0].group").as_deref(), Some("\"Branch\""));
    assert_eq!(shown("when.all[1].not.user").as_deref(), Some("\"adm-*\""));
    assert_eq!(shown("until").as_deref(), Some("2027-03-01"));
    assert_eq!(shown("when.all"), None);
}

/// A large site's file is no reason to wait, and no reason to fill a screen for ever.
#[test]
fn thousands_of_clients_and_mistakes_are_read_to_the_end() {
    let client =
        |n: usize| format!("[client.c{n}]\naddress = \"10.{}.{}.{}\"\nchalenge = 1\n", n >> 16, n >> 8 & 255, n & 255);
    let mistakes = refused(&(0..3000).map(client).collect::<String>());
    assert_eq!(mistakes.findings().len(), 3000);
    assert!(mistakes.render(false).ends_with("and 2900 more"));
}

#[test]
fn mistakes_are_there_for_machines_too() {
    let mistakes = refused("[client.vpn]\nadress = \"192.0.2.10\"\n");
    let flat: Vec<String> =
        mistakes.findings().iter().map(|finding| serde_json::to_string(&finding.flat()).unwrap()).collect();
    assert!(flat.iter().any(|line| line.starts_with(
        r#"{"severity":"error","file":"vestibule.toml","line":2,"column":1,"variable":null,"message":"unknown key `adress`: not a key of [client.vpn]","help":"did you mean `address`?"#
    )), "{flat:?}");
}

#[test]
fn a_file_that_is_not_there_is_one_mistake() {
    let mistakes = Config::load(Path::new("/nonexistent/vestibule.toml")).unwrap_err();
    assert_eq!(mistakes.findings().len(), 1);
    assert!(mistakes.to_string().contains("/nonexistent/vestibule.toml"));
}

proptest::proptest! {
    #[test]
    fn any_text_ends_without_a_panic(text in ".{0,200}") {
        fuzz_parse(&text);
    }

    /// The sweep over sorted networks finds an overlap exactly where comparing all pairs does.
    #[test]
    fn clients_overlap_exactly_where_two_of_their_networks_do(nets in proptest::collection::vec((0_u8..4, 0_u8..4, 8_u8..=32), 2..6)) {
        let net = |(a, b, len): (u8, u8, u8)| ipnet::Ipv4Net::new(std::net::Ipv4Addr::new(10, a, b << 6, 0), len).unwrap().trunc();
        let nets: Vec<ipnet::Ipv4Net> = nets.into_iter().map(net).collect();
        let overlap = (0..nets.len()).any(|one| (0..one).any(|other| nets[one].contains(&nets[other]) || nets[other].contains(&nets[one])));
        let text: String = nets.iter().enumerate().map(|(n, net)| format!("[client.c{n}]\naddress = \"{net}\"\n")).collect();
        proptest::prop_assert_eq!(Config::parse("vestibule.toml", &text, &NoFiles, []).is_err(), overlap);
    }

    /// Near misses get further than noise: a sound file with one piece replaced.
    #[test]
    fn a_sound_file_with_a_piece_replaced_ends_without_a_panic(at in 0_usize..600, take in 0_usize..20, piece in "[\\[\\]{}=\"',.0-9a-zA-Z\n\u{e9} -]{0,8}") {
        let whole = include_str!("../../config/exemptions.toml");
        let floor = |at: usize| (0..=at.min(whole.len())).rev().find(|at| whole.is_char_boundary(*at)).unwrap_or(0);
        let (start, end) = (floor(at), floor(at + take));
        fuzz_parse(&format!("{}{piece}{}", &whole[..start], &whole[end..]));
    }
}
