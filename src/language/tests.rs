//! The files are whole: no key is missing anywhere, none is twice or in a wrong file, arguments agree, and the sources name no key
//! that nobody wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use fluent_bundle::FluentResource;
use login::Reason;

use super::*;

/// What takes a key as its last argument or as the one before the arguments. Pages have `text` and `text_with` of their own that
/// know the language; they are read likewise.
const SPEAKERS: [&str; 7] = ["text(", "text_with(", "prompt(", "say(", "tell(", "t(", "t!("];
const ROOMS: [&str; 6] = ["admin", "common", "mail", "phone", "portal", "vpn"];

/// A message as its file has it: the names of its arguments, and where it stands.
type Messages = BTreeMap<String, BTreeSet<String>>;

/// The messages of a file, read apart from Fluent: a key at the left margin, and lines that are indented under it.
fn messages(source: &str) -> Vec<(String, BTreeSet<String>)> {
    let mut found: Vec<(String, BTreeSet<String>)> = Vec::new();
    for line in source.lines().filter(|line| !line.starts_with('#')) {
        let margin = line.starts_with(|c: char| c.is_ascii_alphabetic());
        if margin && let Some((key, _)) = line.split_once('=') {
            found.push((key.trim().to_owned(), BTreeSet::new()));
        }
        if let Some((_, arguments)) = found.last_mut() {
            let names = line.split('$').skip(1);
            arguments.extend(names.map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '-').collect()));
        }
    }
    found
}

fn all(language: Language) -> Messages {
    speak::files(language).iter().flat_map(|(_, source)| messages(source)).collect()
}

#[test]
fn every_file_is_good_fluent() {
    for language in Language::ALL {
        for (room, source) in speak::files(language) {
            let read = FluentResource::try_new((*source).to_owned());
            assert!(read.is_ok(), "{}/{room}.ftl: {:?}", language.as_tag(), read.err().map(|(_, errors)| errors));
        }
    }
}

#[test]
fn no_language_lacks_a_key_or_has_one_of_its_own_and_arguments_agree() {
    let english = all(Language::English);
    for language in Language::ALL {
        let own = all(language);
        let missing: Vec<_> = english.keys().filter(|key| !own.contains_key(*key)).collect();
        let strange: Vec<_> = own.keys().filter(|key| !english.contains_key(*key)).collect();
        assert!(missing.is_empty(), "{} lacks {missing:?}", language.as_tag());
        assert!(strange.is_empty(), "{} has {strange:?}, which English has not", language.as_tag());
        for (key, arguments) in &own {
            assert_eq!(arguments, &english[key], "{}: the arguments of {key}", language.as_tag());
        }
    }
}

#[test]
fn every_key_stands_once_and_in_the_file_of_its_room() {
    for language in Language::ALL {
        let mut seen = BTreeSet::new();
        for (room, source) in speak::files(language) {
            for (key, _) in messages(source) {
                assert!(key.starts_with(&format!("{room}-")), "{}/{room}.ftl: {key}", language.as_tag());
                assert!(seen.insert(key.clone()), "{}: {key} stands twice", language.as_tag());
            }
        }
    }
}

#[test]
fn every_text_speaks_with_its_arguments_and_falls_on_nothing() {
    for language in Language::ALL {
        for (key, arguments) in all(language) {
            let given: Vec<_> = arguments.iter().map(|name| (name.as_str(), Arg::Number(7))).collect();
            let said = text_with(language, &key, &given);
            assert!(!said.is_empty() && said != key && !said.contains("{$"), "{}: {key}: {said}", language.as_tag());
            assert!(!said.contains(['\u{2068}', '\u{2069}']), "isolating marks reach the VPN prompt: {key}");
            assert!(!text(language, &key).is_empty(), "{key}");
        }
    }
}

#[test]
fn machine_made_files_say_so_and_so_does_the_language() {
    assert!(!Language::English.machine_made());
    for language in [Language::German, Language::Dutch, Language::French] {
        assert!(language.machine_made(), "{}", language.as_tag());
    }
}

#[test]
fn a_key_that_nobody_wrote_is_shown_as_it_is() {
    assert_eq!(text(Language::French, "vpn-nothing"), "vpn-nothing");
    assert_eq!(text_with(Language::French, "vpn-nothing", &[("a", "b".into())]), "vpn-nothing");
}

#[test]
fn tags_lead_to_their_language() {
    for language in Language::ALL {
        assert_eq!(Language::of_tag(language.as_tag()), Some(language));
        assert_eq!(Language::of_tag(&format!("{}-XX", language.as_tag().to_uppercase())), Some(language));
        assert_eq!(serde_json::to_value(language).unwrap(), language.as_tag());
    }
    for tag in ["", "deu", "pl", "-de", "*"] {
        assert_eq!(Language::of_tag(tag), None, "{tag}");
    }
}

#[test]
fn an_argument_goes_in_as_it_is() {
    let said = prompt(Language::English, "vpn-type-number", &[("number", 42_u64.into())]);
    assert_eq!(said, "Type 42 on your phone, then press Enter here: ");
    let said = prompt(Language::German, "vpn-type-number", &[("number", "07".into())]);
    assert!(said.contains(" 07 "), "{said}");
}

#[test]
fn english_says_at_the_prompt_what_login_says() {
    use login::Number;
    use login::words::{self, Say};
    for say in [
        Say::EnterCode,
        Say::WrongCode,
        Say::Approve,
        Say::ApproveOrCode,
        Say::BusyEnterCode,
        Say::OpenApp,
        Say::OpenAppOrCode,
        Say::TypeNumber(Number(42)),
        Say::TypeNumberOrCode(Number(42)),
        Say::OpenPage,
        Say::OpenPageOrCode,
        Say::OpenPageTypeNumber(Number(42)),
        Say::OpenPageTypeNumberOrCode(Number(42)),
        Say::OpenPageTypeDigits,
        Say::OpenAppChoose(Number(42)),
        Say::OpenAppChooseOrCode(Number(42)),
        Say::TypeDigits,
        Say::OpenAppTypeDigits,
        Say::WrongDigits,
    ] {
        assert_eq!(challenge(Language::English, say), say.english());
    }
    for reason in REASONS {
        assert_eq!(refusal(Language::English, reason), words::refusal(reason), "{reason:?}");
    }
}

#[test]
fn a_vpn_text_fits_into_one_attribute_and_into_ascii_in_every_language() {
    for language in Language::ALL {
        for (key, arguments) in all(language).into_iter().filter(|(key, _)| key.starts_with("vpn-")) {
            let given: Vec<_> = arguments.iter().map(|name| (name.as_str(), Arg::Number(123_456))).collect();
            let said = prompt(language, &key, &given);
            assert!(said.len() <= 253, "{}: {key} has {} octets", language.as_tag(), said.len());
            assert!(!said.contains(char::is_control), "{key}");
            let plain = plain_ascii(&said);
            assert!(plain.is_ascii() && !plain.contains('?') && plain.len() <= 253, "{}: {plain}", language.as_tag());
        }
    }
}

#[test]
fn every_key_that_the_sources_name_exists() {
    let keys = all(Language::English);
    for (path, source) in sources() {
        for key in keys_named(&source) {
            assert!(keys.contains_key(&key), "{path} says {key:?}, which no file of src/language/en has");
        }
    }
}

#[test]
fn no_text_of_the_mails_and_the_prompt_is_one_that_nobody_says() {
    let sources: String = sources().into_iter().map(|(_, source)| source).collect();
    for key in all(Language::English).keys().filter(|key| key.starts_with("mail-")) {
        assert!(sources.contains(&format!("\"{key}\"")), "nobody says {key}");
    }
    for key in all(Language::English).keys().filter(|key| key.starts_with("vpn-")) {
        assert!(sources.contains(key.as_str()), "nobody says {key}");
    }
}

#[test]
fn the_reading_of_keys_finds_what_it_should() {
    let named = |source: &str| keys_named(source);
    assert_eq!(named(r#"text(language, "portal-title")"#), ["portal-title"]);
    assert_eq!(named("{{ page.text(\"portal-title\") }} {{ t(\"phone-x\") }}"), ["portal-title", "phone-x"]);
    assert_eq!(named("text_with(\n    lang(),\n    \"mail-a-b\",\n    &[(\"mail-no\", x)],\n)"), ["mail-a-b"]);
    assert_eq!(
        named(r#"class="portal-title" context("portal-x") text(language, key) "portal-y""#),
        Vec::<String>::new()
    );
    assert_eq!(named(r#"t("id", "not-a-room") next("portal-z")"#), Vec::<String>::new());
}

/// Sources and templates of the product: what may show a text.
fn sources() -> Vec<(String, String)> {
    fn read(directory: &Path, found: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(directory).unwrap().flatten() {
            let path = entry.path();
            let named = path.to_string_lossy().into_owned();
            if path.is_dir() {
                read(&path, found);
            } else if [".rs", ".html", ".txt", ".js"].iter().any(|end| named.ends_with(end))
                && !named.ends_with("src/language/tests.rs")
            {
                found.push((named, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    for directory in ["src", "templates"] {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
        if directory.is_dir() {
            read(&directory, &mut found);
        }
    }
    found
}

/// The keys in calls of [`SPEAKERS`]: the first literal of the call, if it begins as a key of a room does.
fn keys_named(source: &str) -> Vec<String> {
    let mut calls: Vec<usize> = Vec::new();
    for speaker in SPEAKERS {
        let word = |at: usize| !source[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        calls.extend(source.match_indices(speaker).filter(|(at, _)| word(*at)).map(|(at, _)| at + speaker.len()));
    }
    calls.sort_unstable();
    calls.into_iter().filter_map(|at| first_literal(&source[at..])).filter(|key| is_key(key)).collect()
}

/// The first string literal before the call's closing parenthesis.
fn first_literal(arguments: &str) -> Option<String> {
    let mut depth = 1_usize;
    for (at, c) in arguments.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 1 => return None,
            ')' => depth -= 1,
            '"' => return arguments[at + 1..].split('"').next().map(str::to_owned),
            _ => {}
        }
    }
    None
}

fn is_key(literal: &str) -> bool {
    let room = literal.split('-').next().unwrap_or_default();
    ROOMS.contains(&room)
        && literal.contains('-')
        && literal.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

const REASONS: [Reason; 41] = [
    Reason::Accepted,
    Reason::Name,
    Reason::Realm,
    Reason::Letters,
    Reason::LookAlike,
    Reason::NameHeld,
    Reason::AddressHeld,
    Reason::Credential,
    Reason::SuspectSecret,
    Reason::EmptyPassword,
    Reason::Primary,
    Reason::PrimaryUnavailable,
    Reason::Rule,
    Reason::NoRule,
    Reason::Undecided,
    Reason::Unenrolled,
    Reason::NoMethod,
    Reason::Blocked,
    Reason::WrongCode,
    Reason::CodeAhead,
    Reason::SpentCode,
    Reason::CodesLocked,
    Reason::Denied,
    Reason::Fraud,
    Reason::WrongNumber,
    Reason::Unanswered,
    Reason::Busy,
    Reason::PushUnavailable,
    Reason::StoreUnavailable,
    Reason::StateUnknown,
    Reason::StateLate,
    Reason::StateSpent,
    Reason::StateOther,
    Reason::StateRestart,
    Reason::Changed,
    Reason::TooLarge,
    Reason::Unusable,
    Reason::Overload,
    Reason::Draining,
    Reason::Expired,
    Reason::ApprovedTooLate,
];
