//! What goes wrong by itself as days pass, and what only the store can tell: certificates and rules that end, groups that nobody is in.
//!
//! `check` says it of a file, `serve` at its start and once a day. Time is a parameter, as everywhere; nothing is written.

use std::path::Path;

use login::policy::Condition;
use login::{GroupName, Wall};

use crate::config::{Config, Severity, TlsSource};
use crate::store::groups_in;
use crate::web::{Validity, day, validities};

/// So long before an end somebody is told (rules A4).
const DAYS_AHEAD: u64 = 14;
const DAY_MS: u64 = 86_400_000;

/// One thing to be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Doubt {
    /// The key that it is about.
    pub(crate) key: String,
    /// Whether something is broken now, or will be.
    pub(crate) severity: Severity,
    /// What, and what to do.
    pub(crate) text: String,
}

/// A file of certificates that the policy names.
struct Certificates<'a> {
    key: &'static str,
    called: &'static str,
    file: &'a Path,
    /// Each is needed; of authorities one good one may do.
    is_chain: bool,
}

fn files(config: &Config) -> Vec<Certificates<'_>> {
    let pages = [
        ("portal.tls", "[portal] tls", "portal.acme", "[portal] acme ca", config.portal.as_ref().map(|it| &it.pages)),
        ("admin.tls", "[admin] tls", "admin.acme", "[admin] acme ca", config.admin.as_ref().map(|it| &it.pages)),
    ];
    let mut all = Vec::new();
    for (tls_key, tls_called, acme_key, acme_called, pages) in pages {
        let Some(pages) = pages else { continue };
        if let TlsSource::Files { certificate, .. } = &pages.tls {
            all.push(Certificates { key: tls_key, called: tls_called, file: certificate, is_chain: true });
        }
        if let Some(file) = &pages.acme.ca {
            all.push(Certificates { key: acme_key, called: acme_called, file, is_chain: false });
        }
    }
    let mail = config.mail.as_ref().and_then(|mail| mail.ca.as_ref());
    let webhook = config.push.webhook.as_ref().and_then(|webhook| webhook.ca.as_ref());
    let authorities = [
        ("mail.ca", "[mail] ca", mail),
        ("method.push.webhook", "[method.push] webhook ca", webhook),
        ("method.push.webpush_ca", "[method.push] webpush_ca", config.push.webpush_ca.as_ref()),
    ];
    all.extend(
        authorities
            .into_iter()
            .filter_map(|(key, called, file)| Some(Certificates { key, called, file: file?, is_chain: false })),
    );
    all
}

/// When the certificates end that the policy names, by the key that names them: the first of each file that does.
pub(crate) fn ends(config: &Config) -> Vec<(&'static str, Wall)> {
    let first = |file: &Certificates<'_>| {
        let found = validities(file.file).ok()?;
        Some((file.key, found.iter().map(|it| it.not_after).min()?))
    };
    files(config).iter().filter_map(first).collect()
}

/// What has ended, has not begun, or ends soon.
pub(crate) fn of_days(config: &Config, now: Wall) -> Vec<Doubt> {
    // What can't be read is told where it is read.
    let certificates = files(config).into_iter().flat_map(|file| {
        let found = validities(file.file).unwrap_or_default();
        of_file(&file, &found, now)
    });
    certificates.chain(of_rules(config, now)).collect()
}

fn of_file(file: &Certificates<'_>, found: &[Validity], now: Wall) -> Vec<Doubt> {
    let is_good = |it: &Validity| it.not_before <= now && now < it.not_after;
    let breaks = file.is_chain || !found.iter().any(is_good);
    let doubt = |severity, text: String| {
        Some(Doubt {
            key: file.key.to_owned(),
            severity,
            text: format!("{}: {}: {text}", file.called, file.file.display()),
        })
    };
    let bad = if breaks { Severity::Error } else { Severity::Warning };
    let one = |it: &Validity| {
        if it.not_after <= now {
            return doubt(
                bad,
                format!("the certificate of {} ended on {}; put a new one there", it.subject, day(it.not_after)),
            );
        }
        if it.not_before > now {
            return doubt(
                bad,
                format!(
                    "the certificate of {} is good from {} on, and today is {}; is the clock of this host right?",
                    it.subject,
                    day(it.not_before),
                    day(now)
                ),
            );
        }
        let days = (it.not_after.0 - now.0) / DAY_MS;
        let text =
            format!("the certificate of {} ends on {}, in {}; renew it", it.subject, day(it.not_after), spelt(days));
        if days < DAYS_AHEAD { doubt(Severity::Warning, text) } else { None }
    };
    found.iter().filter_map(one).collect()
}

fn spelt(days: u64) -> String {
    match days {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

/// Rules A4: past 00:00 UTC of `until` a rule does not match.
fn of_rules(config: &Config, now: Wall) -> Vec<Doubt> {
    let one = |rule: &std::sync::Arc<login::policy::Rule>| {
        let until = rule.until?;
        let key = format!("{}.until", key_of(rule.name.as_str()));
        let name = rule.name.as_str();
        let text = if until <= now {
            format!(
                "the rule \"{name}\" ended at 00:00 UTC of {}: it matches nobody, and the rules below decide; take it out, or set another day",
                day(until)
            )
        } else if (until.0 - now.0) / DAY_MS < DAYS_AHEAD {
            format!(
                "the rule \"{name}\" ends at 00:00 UTC of {}, in {}; then the rules below decide",
                day(until),
                spelt((until.0 - now.0) / DAY_MS)
            )
        } else {
            return None;
        };
        Some(Doubt { key, severity: Severity::Warning, text })
    };
    config.policy.rules.iter().filter_map(one).collect()
}

/// As the settings call it.
fn key_of(rule: &str) -> String {
    format!("rule.\"{}\"", rule.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Groups that a rule or a role names and that nobody in the store is in; nothing where there is no store yet.
pub(crate) fn of_groups(config: &Config) -> Vec<Doubt> {
    let Some(known) = groups_in(&config.store.file) else { return Vec::new() };
    let empty = |group: &GroupName| !known.contains(group);
    let mut doubts = Vec::new();
    for rule in &config.policy.rules {
        let mut named = Vec::new();
        groups_of(&rule.when, &mut named);
        doubts.extend(named.into_iter().filter(|group| empty(group)).map(|group| Doubt {
            key: format!("{}.when", key_of(rule.name.as_str())),
            severity: Severity::Warning,
            text: format!(
                "the rule \"{}\": nobody in the store is in the group \"{}\"; `vestibule user group NAME --add GROUP` adds somebody",
                rule.name.as_str(),
                group.as_str()
            ),
        }));
    }
    let roles = config.admin.as_ref().map(|admin| admin.roles.everybody()).unwrap_or_default();
    doubts.extend(roles.iter().filter(|group| empty(group)).map(|group| Doubt {
        key: "admin.roles".to_owned(),
        severity: Severity::Warning,
        text: format!(
            "[admin] roles: nobody in the store is in the group \"{}\"; `vestibule user group NAME --add GROUP` adds somebody",
            group.as_str()
        ),
    }));
    doubts
}

fn groups_of<'a>(condition: &'a Condition, found: &mut Vec<&'a GroupName>) {
    match condition {
        Condition::Group(groups) => found.extend(groups),
        Condition::All(parts) | Condition::Any(parts) => parts.iter().for_each(|part| groups_of(part, found)),
        Condition::Not(inner) => groups_of(inner, found),
        Condition::Client(_) | Condition::User(_) | Condition::UserAddress(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::NoFiles;

    const NOW: Wall = Wall(1_800_000_000_000);

    fn validity(from_days: i64, to_days: i64) -> Validity {
        let at = |days: i64| Wall(NOW.0.saturating_add_signed(days * 86_400_000));
        Validity { subject: "CN=x".to_owned(), not_before: at(from_days), not_after: at(to_days) }
    }

    fn told(is_chain: bool, found: &[Validity]) -> Vec<(Severity, String)> {
        let file = Certificates { key: "portal.tls", called: "[portal] tls", file: Path::new("c.pem"), is_chain };
        of_file(&file, found, NOW).into_iter().map(|doubt| (doubt.severity, doubt.text)).collect()
    }

    #[test]
    fn a_certificate_that_ended_has_not_begun_or_ends_within_two_weeks_is_told_wherever_it_stands_in_the_chain() {
        assert!(told(true, &[validity(-10, 14), validity(-10, 300)]).is_empty());
        let (severity, text) = told(true, &[validity(-10, 60), validity(-100, -1)]).remove(0);
        assert!(severity == Severity::Error && text.contains("ended on"), "an intermediate: {text}");
        let (severity, text) = told(true, &[validity(1, 60)]).remove(0);
        assert!(severity == Severity::Error && text.contains("clock"), "{text}");
        let (severity, text) = told(true, &[validity(-60, 13)]).remove(0);
        assert!(severity == Severity::Warning && text.contains("in 13 days"), "{text}");
    }

    #[test]
    fn of_authorities_one_that_is_good_is_enough() {
        let (severity, _) = told(false, &[validity(-9, -1), validity(-9, 90)]).remove(0);
        assert_eq!(severity, Severity::Warning);
        let (severity, _) = told(false, &[validity(-9, -1)]).remove(0);
        assert_eq!(severity, Severity::Error);
    }

    #[test]
    fn a_rule_is_told_of_two_weeks_before_its_end_and_after_it() {
        let rule = |until: &str| {
            let text =
                format!("[[rule]]\nname = \"the \\\"old\\\" one\"\nsecond_factor = \"exempt\"\nuntil = {until}\n");
            let config = Config::parse("vestibule.toml", &text, &NoFiles, []).unwrap().config;
            let doubts = of_days(&config, NOW);
            if let Some(doubt) = doubts.first() {
                assert!(config.settings.get(&doubt.key).is_some(), "{} is no key in force", doubt.key);
            }
            doubts.into_iter().map(|doubt| doubt.text).collect::<String>()
        };
        // NOW is 2027-01-15.
        assert!(rule("2027-01-15").contains("matches nobody"));
        assert!(rule("2027-01-20").contains("ends at 00:00 UTC of 2027-01-20, in 4 days"));
        assert_eq!(rule("2027-03-01"), "");
    }
}
