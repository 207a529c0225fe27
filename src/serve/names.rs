//! Names that stand in the store and are read otherwise by the rules of now (rules A2), each with the command that mends it.
//!
//! Nothing is changed here and nothing deleted: an admin knows who these people are. `check` lists them, and so does `serve` when it
//! starts; it does not start where users have realms and nothing says what realms mean.

use std::collections::BTreeMap;

use login::Policy;
use login::name::fold;
use login::name::realm::has_realm;

use crate::config::Config;
use crate::store::{Sqlite, StoredName};

/// A name that nobody can log in by as it stands, or that may be somebody else's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misread {
    /// The name as it stands in the store.
    pub name: String,
    /// What is wrong, and the command that mends it.
    pub said: String,
}

/// What is to be said of the names in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Users have realms, and nothing says what realms mean: the lines to add. The server doesn't start.
    pub realms_missing: Option<String>,
    /// Names to be mended.
    pub misread: Vec<Misread>,
    /// Pairs that look alike and of whom staff said that they are two people.
    pub told_apart: Vec<(String, String)>,
}

/// Looks at the names in this site's store, if there is one.
#[must_use]
pub fn look(config: &Config) -> Names {
    judge(&Sqlite::stored_names(&config.store.file), &config.policy)
}

fn judge(names: &[StoredName], policy: &Policy) -> Names {
    let outside = !policy.primaries.is_empty();
    let with_realm = names.iter().find(|stored| has_realm(&stored.name));
    if let Some(stored) = with_realm.filter(|_| outside && policy.realms.is_unsaid()) {
        let lines = policy.realms.lines_for(&stored.name).unwrap_or_default();
        let count = names.iter().filter(|stored| has_realm(&stored.name)).count();
        let said = format!(
            "users in the store have a realm ({count}, as {:?}), and no [realms] says what realms mean: {lines}; or [realms] with none = true, \
             where a realm is part of the name",
            stored.name
        );
        return Names { realms_missing: Some(said), ..Names::default() };
    }
    let mut misread: Vec<Misread> = names.iter().filter_map(|stored| one(stored, names, policy)).collect();
    misread.extend(alike(names));
    Names { realms_missing: None, misread, told_apart: told_apart(names) }
}

fn told_apart(names: &[StoredName]) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for stored in names {
        let others = names.iter().filter(|other| other.id > stored.id && stored.told_apart.contains(&other.id));
        pairs.extend(others.map(|other| (stored.name.clone(), other.name.clone())));
    }
    pairs
}

fn one(stored: &StoredName, names: &[StoredName], policy: &Policy) -> Option<Misread> {
    let name = &stored.name;
    let quoted = shell(name);
    let is_there = |other: &str| names.iter().any(|stored| stored.name == other);
    let said = match policy.staff_name(name.as_bytes()) {
        Err(why) => format!(
            "{}; `vestibule user rename {quoted} NAME` to the name that its owner logs in by, or `vestibule user remove {quoted}`",
            why.sentence()
        ),
        Ok(read) if read.folded() != name && is_there(read.folded()) => format!(
            "it is read as {}, who is another user: `vestibule user remove {quoted}`, once nothing of it is needed",
            read.folded()
        ),
        Ok(read) if read.folded() != name => {
            format!("it is read as {0}: `vestibule user rename {quoted} {1}`", read.folded(), shell(read.folded()))
        }
        Ok(read) => {
            let tells = |primary: &login::policy::PrimaryPolicy| primary.letters_distinct || primary.tells_user;
            if read.is_plain() || stored.by_staff || policy.primaries.values().all(tells) {
                return None;
            }
            format!(
                "it has letters beyond plain ASCII, nobody on the staff gave it, and it may be another spelling of somebody's name: \
                 `vestibule user rename {quoted} {quoted}` if it is its owner's own, else `vestibule user remove {quoted}`"
            )
        }
    };
    Some(Misread { name: name.clone(), said })
}

/// The names that are refused as another known user's look-alike.
fn alike(names: &[StoredName]) -> Vec<Misread> {
    let mut looks: BTreeMap<String, Vec<&StoredName>> = BTreeMap::new();
    for stored in names {
        looks.entry(fold::loose(&stored.name)).or_default().push(stored);
    }
    let mut told = Vec::new();
    for mut group in looks.into_values().filter(|group| group.len() > 1) {
        group.sort_by_key(|stored| (!stored.by_staff, stored.id));
        for (place, stored) in group.iter().enumerate() {
            let first = group.iter().take(place).find(|other| !stored.told_apart.contains(&other.id));
            if let Some(other) = first {
                let (name, other) = (shell(&stored.name), shell(&other.name));
                let said = format!(
                    "it looks like the user {other} and is refused: `vestibule user add {name} --not-the-same-as {other}` if they are two \
                     people, else `vestibule user remove {name}`"
                );
                told.push(Misread { name: stored.name.clone(), said });
            }
        }
    }
    told
}

/// As a shell takes it.
fn shell(name: &str) -> String {
    format!("'{}'", name.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use login::PrimaryName;
    use login::name::Realms;

    use super::*;

    fn stored(names: &[&str]) -> Vec<StoredName> {
        let row = |(id, name): (usize, &&str)| StoredName {
            id: i64::try_from(id).unwrap(),
            name: (*name).to_owned(),
            by_staff: false,
            told_apart: Vec::new(),
        };
        names.iter().enumerate().map(row).collect()
    }

    fn policy(realms: Realms) -> Policy {
        let primaries = [(PrimaryName::new("nps"), login::policy::PrimaryPolicy::default())].into();
        Policy { realms, primaries, ..Policy::default() }
    }

    fn listed() -> Realms {
        Realms::listed([("CORP".to_owned(), "corp.example".to_owned())], Some("corp.example"))
    }

    #[test]
    fn users_with_realms_need_realms_that_are_said() {
        let told = judge(&stored(&["bob", "alice@corp.example"]), &policy(Realms::Unsaid)).realms_missing.unwrap();
        assert!(told.contains("CORP = \"corp.example\"") && told.contains("none = true"), "{told}");
        assert_eq!(judge(&stored(&["alice@corp.example"]), &policy(Realms::PartOfName)), Names::default());
        let local = Policy::default();
        assert_eq!(judge(&stored(&["alice@corp.example"]), &local), Names::default(), "ours reads names as we do");
    }

    #[test]
    fn each_name_that_is_read_otherwise_comes_with_the_command_that_mends_it() {
        let names = ["alice", "bob", "bob@corp.example", "corp\\carol", "álice@corp.example", "alice@corp.example"];
        let told = judge(&stored(&names), &policy(listed())).misread;
        let of = |name: &str| told.iter().filter(|one| one.name == name).map(|one| &*one.said).collect::<Vec<_>>();
        assert!(of("alice")[0].contains("user remove 'alice'"), "{told:?}");
        assert!(of("bob")[0].contains("user remove 'bob'"), "{told:?}");
        assert!(of("corp\\carol")[0].contains("user rename 'corp\\carol' 'carol@corp.example'"), "{told:?}");
        assert!(
            of("álice@corp.example")[0].contains("user rename 'álice@corp.example' 'álice@corp.example'"),
            "{told:?}"
        );
        assert!(of("alice@corp.example")[0].contains("--not-the-same-as 'álice@corp.example'"), "{told:?}");
        assert_eq!(of("bob@corp.example").len(), 0);
    }
}
