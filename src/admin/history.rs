//! Records and acts in words: what a login came to and why, what was done to a user and by whom.
//!
//! The store's JSON is read leniently: what a later version writes is shown as the word that stands there, never hidden.

use serde_json::Value;

use crate::language::{Language, text, text_with};
use crate::store::StoredRecord;

/// A login as the help desk reads it.
pub(super) struct Login {
    pub(super) time: String,
    /// `accept`, `reject`, or nothing.
    pub(super) answer: String,
    pub(super) is_accept: bool,
    pub(super) why: String,
    pub(super) detail: String,
    /// How often its like came within the minute, if it did.
    pub(super) times: String,
    pub(super) facts: Vec<(String, String)>,
}

/// What was done.
pub(super) struct Done {
    pub(super) time: String,
    pub(super) what: String,
    pub(super) by: String,
    pub(super) reason: String,
    pub(super) object: String,
}

/// One record in words; `None` if it is no record of a login.
pub(super) fn login(record: &StoredRecord, language: Language) -> Option<Login> {
    let json: Value = serde_json::from_str(&record.json).ok()?;
    let reason = json["reason"].as_str()?;
    let answer = json["answer"].as_str();
    let word = |key: &str| text(language, key).into_owned();
    let fact = |key: &str, value: String| (!value.is_empty()).then(|| (word(key), value));
    let said = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
    let factor = json["factor"].as_str().map(|word| of_word(language, "admin-factor-", word)).unwrap_or_default();
    let askers = json["askers"].as_u64().filter(|askers| *askers > 1).map(|askers| askers.to_string());
    let times = json["times"].as_u64().map(|times| {
        let args = [("times", times.to_string().into()), ("last", clock_time(&said("last")).into())];
        text_with(language, "admin-times", &args)
    });
    let times = times.unwrap_or_default();
    let facts = [
        fact("admin-fact-client", said("client")),
        fact("admin-fact-station", said("station")),
        fact("admin-fact-rule", said("rule")),
        fact("admin-fact-primary", said("primary")),
        fact("admin-fact-factor", factor),
        fact("admin-fact-waited", waited(&json["waited_ms"], language)),
        fact("admin-fact-askers", askers.unwrap_or_default()),
        fact("admin-fact-times", times.clone()),
        json["amends"]
            .as_u64()
            .filter(|_| json["times"].is_null())
            .map(|_| (word("admin-fact-note"), word("admin-login-amends"))),
    ];
    Some(Login {
        time: clock_time(json["time"].as_str().unwrap_or_default()),
        answer: of_word(language, "admin-answer-", answer.unwrap_or("none")),
        is_accept: answer == Some("accept"),
        why: of_word(language, "admin-reason-", reason),
        detail: said("detail"),
        times,
        facts: facts.into_iter().flatten().collect(),
    })
}

/// When a login was let in; `None`: what amends it says that it was not.
pub(super) fn time_of(record: &StoredRecord) -> Option<String> {
    let json: Value = serde_json::from_str(&record.json).ok()?;
    (json["answer"] == "accept").then(|| clock_time(json["time"].as_str().unwrap_or_default()))
}

/// One act in words; `None` if it is none.
pub(super) fn act(record: &StoredRecord, language: Language) -> Option<Done> {
    let json: Value = serde_json::from_str(&record.json).ok()?;
    let what = json["act"].as_str()?;
    let said = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
    let role = of_word(language, "admin-role-", &said("role"));
    let by = text_with(language, "admin-act-by", &[("by", said("by").into()), ("role", role.into())]);
    Some(Done {
        time: clock_time(json["time"].as_str().unwrap_or_default()),
        what: act_word(language, what),
        by,
        reason: said("reason"),
        object: said("object"),
    })
}

/// What was done, or was to be done and failed.
fn act_word(language: Language, what: &str) -> String {
    match what.strip_suffix("_failed") {
        None => of_word(language, "admin-act-", what),
        Some(done) => {
            let done = of_word(language, "admin-act-", done);
            text_with(language, "admin-act-failed", &[("what", done.into())])
        }
    }
}

/// The text of a word of a closed set; the word itself where nobody wrote one.
fn of_word(language: Language, prefix: &str, word: &str) -> String {
    let key = format!("{prefix}{}", word.replace('_', "-"));
    let said = text(language, &key);
    if said == key { word.to_owned() } else { said.into_owned() }
}

/// `2026-11-24T13:51:31.007Z` as people read it.
fn clock_time(rfc3339: &str) -> String {
    let whole = rfc3339.split('.').next().unwrap_or_default();
    whole.trim_end_matches('Z').replacen('T', " ", 1)
}

fn waited(parts: &Value, language: Language) -> String {
    let Some(total) = parts["total"].as_u64() else { return String::new() };
    let part = |name: &str| seconds(parts[name].as_u64().unwrap_or_default());
    let args =
        [("total", seconds(total).into()), ("primary", part("primary").into()), ("factor", part("factor").into())];
    text_with(language, "admin-waited", &args)
}

/// Milliseconds as seconds with one decimal.
fn seconds(millis: u64) -> String {
    format!("{}.{}", millis / 1000, millis % 1000 / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    use login::{LoginId, Reason};

    fn record(json: &str) -> StoredRecord {
        StoredRecord { seq: 1, login: LoginId(7), json: json.to_owned() }
    }

    #[test]
    fn a_login_is_told_with_its_reason_in_words() {
        let json = r#"{"login":"7","time":"2026-11-24T13:51:31.007Z","client":"vpn","user":"alice","station":"192.0.2.9",
            "rule":"VPN users","primary":"nps","factor":null,"answer":"reject","reason":"unanswered","askers":3,
            "waited_ms":{"total":27310,"primary":40,"factor":27000},"tried":[]}"#;
        let login = login(&record(json), Language::English).unwrap();
        assert_eq!(
            (login.time.as_str(), login.answer.as_str(), login.is_accept),
            ("2026-11-24 13:51:31", "Rejected", false)
        );
        assert!(login.why.starts_with("Nobody answered on the phone in time. "), "{}", login.why);
        let facts: Vec<_> = login.facts.iter().map(|(label, value)| format!("{label}: {value}")).collect();
        assert!(facts.contains(&"Rule: VPN users".to_owned()), "{facts:?}");
        assert!(facts.contains(&"Waited: 27.3 s (password 0.0 s, second factor 27.0 s)".to_owned()), "{facts:?}");
    }

    #[test]
    fn a_word_of_a_later_version_is_shown_as_it_stands_and_nonsense_is_no_login() {
        let told = login(&record(r#"{"reason":"moonlight"}"#), Language::English).unwrap();
        assert_eq!((told.why.as_str(), told.time.as_str()), ("moonlight", ""));
        assert!(login(&record("{}"), Language::English).is_none());
        assert!(login(&record("no json"), Language::English).is_none());
        assert!(act(&record(r#"{"reason":"x"}"#), Language::English).is_none());
    }

    #[test]
    fn a_reason_has_its_sentence_here_in_every_language_and_in_english_the_one_of_the_log() {
        for reason in Reason::ALL {
            let json = format!(r#"{{"reason":"{}"}}"#, reason.as_str());
            let told = |language| login(&record(&json), language).unwrap().why;
            assert_eq!(told(Language::English), reason.sentence());
            for language in Language::ALL.into_iter().filter(|language| *language != Language::English) {
                let said = told(language);
                assert!(said != reason.as_str() && said != reason.sentence(), "{}: {said}", language.as_tag());
                // Commands and config lines are the same in every language.
                for word in
                    ["vestibule user", "vestibule token add NAME totp", "[client.NAME]", "[limits]", "challenge = true"]
                {
                    assert_eq!(said.contains(word), reason.sentence().contains(word), "{}: {said}", language.as_tag());
                }
            }
        }
    }
}
