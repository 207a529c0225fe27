//! The two looks. First match wins; each rule tried leaves a line that says why it did or did not match.

use std::sync::Arc;

use crate::name::{NameKind, RuleName};
use crate::policy::condition::{Facts, Truth};
use crate::policy::{Outage, Policy, Rule, Verdict};

/// What the look before the primary says. It may only deny (rules A4: it stops at the first rule
/// that needs a later fact).
#[derive(Clone, Debug)]
pub enum FirstLook {
    /// Ask the primary.
    Proceed,
    /// No entry, whoever this turns out to be.
    Deny(Decision),
}

/// The whole of a decision, for the login and for who explains it later.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The rule that decided; `None`: no rule matched, which is denied (A1).
    pub rule: Option<Arc<Rule>>,
    /// What it comes to.
    pub outcome: Outcome,
    /// Each rule that was looked at, in order.
    pub tried: Arc<[Tried]>,
}

/// What a decision comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The rule's own verdict.
    Verdict(Verdict),
    /// A fact was missing and the rule says `accept`: fail-open (A5), the rule's name is the excuse.
    FailOpen,
    /// A fact was missing and the rule says (or defaults to) `deny`.
    Undecided,
    /// No rule matched.
    NoMatch,
}

/// One rule that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Which.
    pub rule: RuleName,
    /// What the facts said.
    pub truth: Truth,
    /// Why it did not match: `client`, `user`, `group`, `user_address`, `until`, `credential` …
    pub because: Option<&'static str>,
}

impl Policy {
    /// The look before the primary: only early facts, so only a denial can be final.
    #[must_use]
    pub fn first_look(&self, facts: &Facts<'_>) -> FirstLook {
        let mut tried = Vec::new();
        for rule in &self.rules {
            let seen = look(rule, facts);
            let truth = seen.truth;
            tried.push(seen);
            match truth {
                Truth::False => {}
                Truth::Undecided => return FirstLook::Proceed,
                Truth::True => {
                    return match &rule.verdict {
                        Verdict::Deny(_) => {
                            FirstLook::Deny(decided(rule, Outcome::Verdict(rule.verdict.clone()), tried))
                        }
                        Verdict::Exempt | Verdict::Require(_) => FirstLook::Proceed,
                    };
                }
            }
        }
        FirstLook::Deny(Decision { rule: None, outcome: Outcome::NoMatch, tried: tried.into() })
    }

    /// The look after the primary, over the resolved user.
    #[must_use]
    pub fn second_look(&self, facts: &Facts<'_>) -> Decision {
        let mut tried = Vec::new();
        for rule in &self.rules {
            let seen = look(rule, facts);
            let truth = seen.truth;
            tried.push(seen);
            match (truth, rule.if_unavailable.directory) {
                (Truth::False, _) | (Truth::Undecided, Outage::Next) => {}
                (Truth::True, _) => return decided(rule, Outcome::Verdict(rule.verdict.clone()), tried),
                // A station that is no address is no outage: only groups that can't be read may fail open (A5).
                (Truth::Undecided, Outage::Accept) if facts.groups.is_none() => {
                    return decided(rule, Outcome::FailOpen, tried);
                }
                (Truth::Undecided, Outage::Deny | Outage::Accept) => return decided(rule, Outcome::Undecided, tried),
            }
        }
        Decision { rule: None, outcome: Outcome::NoMatch, tried: tried.into() }
    }
}

fn decided(rule: &Arc<Rule>, outcome: Outcome, tried: Vec<Tried>) -> Decision {
    Decision { rule: Some(Arc::clone(rule)), outcome, tried: tried.into() }
}

fn look(rule: &Rule, facts: &Facts<'_>) -> Tried {
    let name = rule.name.clone();
    let no = |because| Tried { rule: name.clone(), truth: Truth::False, because: Some(because) };
    // Rules A2: machines and MAC addresses match only rules that name that kind of credential, and none can yet.
    if facts.kind != NameKind::Person {
        return no("credential");
    }
    if rule.until.is_some_and(|until| facts.now >= until) {
        return no("until");
    }
    let truth = rule.when.holds(facts);
    Tried { rule: name, truth, because: rule.when.blame(facts) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moment::Wall;
    use crate::name::ClientName;
    use crate::policy::{Condition, IfUnavailable, Unenrolled};
    use wire::ReplyAttributes;

    fn rule(name: &str, until: Option<Wall>, verdict: Verdict) -> Arc<Rule> {
        Arc::new(Rule {
            name: RuleName::new(name),
            when: Condition::All(Vec::new()),
            until,
            verdict,
            reply: ReplyAttributes::default(),
            unenrolled: Unenrolled::Deny,
            if_unavailable: IfUnavailable::default(),
            number_required: false,
        })
    }

    fn decided_at(now: Wall, kind: NameKind) -> Option<String> {
        let excused = rule("excused", Some(Wall(1000)), Verdict::Exempt);
        let rest = rule("rest", None, Verdict::Deny("no".into()));
        let policy = Policy { rules: vec![excused, rest], ..Policy::default() };
        let client = ClientName::new("vpn");
        let facts = Facts { client: &client, user: "alice", kind, address: None, groups: Some(&[]), known: true, now };
        policy.second_look(&facts).rule.map(|rule| rule.name.to_string())
    }

    #[test]
    fn a_rule_past_its_until_matches_nobody() {
        assert_eq!(decided_at(Wall(999), NameKind::Person).as_deref(), Some("excused"));
        assert_eq!(decided_at(Wall(1000), NameKind::Person).as_deref(), Some("rest"));
    }

    #[test]
    fn machines_and_mac_addresses_match_no_rule_for_people() {
        assert_eq!(decided_at(Wall(0), NameKind::Machine), None);
        assert_eq!(decided_at(Wall(0), NameKind::Mab), None);
    }
}
