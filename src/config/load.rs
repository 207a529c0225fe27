//! From a path to a [`Config`]: read, include, merge, walk, check across, take whole or refuse whole (rules G2).

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use figment::value::Value;
use login::Policy;
use login::name::Realms;

use super::book::Book;
use super::document::{Document, SAID_TWICE};
use super::environment::{Environment, PREFIX};
use super::files::{Disk, Files};
use super::finding::{Finding, Mistakes, Place, Severity, sort};
use super::node::{Node, Table, finding};
use super::settings::Settings;
use super::types::{Config, NumberChoice};
use super::{admin, crossing, mail, numbers, peers, portal, push, rules, sections, serving, titles};

/// A configuration that is in order, and what its author should know nevertheless.
#[derive(Debug)]
pub struct Loaded {
    /// The whole of it.
    pub config: Config,
    /// Doubtful, but taken.
    pub warnings: Vec<Finding>,
}

/// Sections of the main file.
const TOP: [&str; 13] = [
    "include", "radius", "store", "portal", "admin", "mail", "metrics", "audit", "method", "limits", "realms",
    "primary", "client",
];
/// And the list of rules, which stands there only.
const RULE: &str = "rule";

impl Config {
    /// Reads a file, what it includes, its secrets and the environment.
    ///
    /// # Errors
    /// Every mistake in it, in the order of the files.
    pub fn load(path: &Path) -> Result<Loaded, Mistakes> {
        let ours = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with(PREFIX));
        let text = |part: std::ffi::OsString| part.to_string_lossy().into_owned();
        Self::read(path, &Disk, ours.map(|(name, value)| (text(name), text(value))))
    }

    /// Reads a file with these files around it and this environment.
    ///
    /// # Errors
    /// Every mistake in it, in the order of the files.
    pub fn read(
        path: &Path,
        files: &dyn Files,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Loaded, Mistakes> {
        let name = path.display().to_string();
        let text = files
            .text(path)
            .map_err(|error| Mistakes::new(vec![unreadable(Place::Whole(name.as_str().into()), None, &error)]))?;
        Self::parse(&name, &text, files, environment)
    }

    /// Reads a text as if it stood in the file `name`. With [`super::NoFiles`] nothing outside of the text is looked at.
    ///
    /// # Errors
    /// Every mistake in it, in the order of the files.
    pub fn parse(
        name: &str,
        text: &str,
        files: &dyn Files,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Loaded, Mistakes> {
        let directory = Path::new(name).parent().unwrap_or(Path::new("")).to_owned();
        let (documents, syntax) = documents(name, &directory, text, files);
        // What is not TOML has no keys worth judging.
        if syntax.iter().any(|finding| finding.message != SAID_TWICE) {
            return Err(Mistakes::new(syntax));
        }
        let mut findings = across_files(&documents);
        findings.extend(syntax);
        let (environment, refused) = Environment::read(environment);
        findings.extend(refused);
        whole(Book::merge(files, documents, environment, findings)?)
    }
}

/// The main file and those it includes, and what keeps them from being read.
fn documents(name: &str, directory: &Path, text: &str, files: &dyn Files) -> (Vec<Document>, Vec<Finding>) {
    let (main, mut findings) = Document::parse(name, directory, text);
    let included = included(&main, files, &mut findings);
    let mut documents = vec![main];
    for (path, place) in included {
        match files.text(&path) {
            Ok(text) => {
                let (document, syntax) =
                    Document::parse(&path.display().to_string(), path.parent().unwrap_or(directory), &text);
                findings.extend(syntax);
                documents.push(document);
            }
            Err(error) => findings.push(unreadable(place, Some(&path), &error)),
        }
    }
    (documents, findings)
}

/// The files of `include`, each once, with the place that names it.
fn included(main: &Document, files: &dyn Files, findings: &mut Vec<Finding>) -> Vec<(PathBuf, Place)> {
    let mut found: Vec<(PathBuf, Place)> = Vec::new();
    for (pattern, place) in patterns(main, findings) {
        match files.matching(&main.directory, &pattern) {
            Ok(paths) => {
                let new: Vec<PathBuf> =
                    paths.into_iter().filter(|path| !found.iter().any(|(known, _)| known == path)).collect();
                found.extend(new.into_iter().map(|path| (path, place.clone())));
            }
            Err(error) => findings.push(unreadable(place, Some(Path::new(&pattern)), &error)),
        }
    }
    let itself = Path::new(&*main.source.name);
    if let Some((_, place)) = found.iter().find(|(path, _)| path == itself) {
        findings.push(finding(Severity::Error, place.clone(), "this file includes itself", "matches it", None));
    }
    found.retain(|(path, _)| path != itself);
    found
}

fn patterns(main: &Document, findings: &mut Vec<Finding>) -> Vec<(String, Place)> {
    let one = |path: &[&str], value: &Value| (value.as_str().map(str::to_owned), main.place_of(path));
    let read = match main.values.get("include") {
        None => Vec::new(),
        Some(Value::Array(_, list)) => {
            list.iter().enumerate().map(|(number, value)| one(&["include", &number.to_string()], value)).collect()
        }
        Some(value) => vec![one(&["include"], value)],
    };
    let (good, bad): (Vec<_>, Vec<_>) =
        read.into_iter().partition(|(pattern, _)| pattern.as_ref().is_some_and(|pattern| !pattern.is_empty()));
    let help = "as in include = [\"conf.d/*.toml\"]; `*` and `?` stand in the file's name only";
    findings.extend(bad.into_iter().map(|(_, place)| {
        finding(Severity::Error, place, "`include` must be a path or a pattern", "not one", Some(help.to_owned()))
    }));
    good.into_iter().filter_map(|(pattern, place)| Some((pattern?, place))).collect()
}

fn unreadable(place: Place, path: Option<&Path>, error: &std::io::Error) -> Finding {
    let help = if error.kind() == ErrorKind::NotFound && path.is_some() {
        "paths are relative to this file"
    } else if error.kind() == ErrorKind::NotFound {
        "nothing is there; `vestibule init` writes a first configuration"
    } else if error.kind() == ErrorKind::PermissionDenied {
        "the user that runs vestibule must be able to read it"
    } else {
        "it must be a text file of at most 4 MiB, in UTF-8"
    };
    let why = path.map_or_else(|| error.to_string(), |path| format!("{}: {error}", path.display()));
    finding(Severity::Error, place, "this file can't be read", &why, Some(help.to_owned()))
}

/// Rules G2: what stands in the main file only; and the same name twice.
fn across_files(documents: &[Document]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, document) in documents.iter().enumerate() {
        for (key, value) in &document.values {
            if number > 0 && (key == RULE || key == "include") {
                findings.push(main_only(document, key));
                continue;
            }
            for path in names_of(key, value) {
                let earlier = documents.iter().take(number).find_map(|earlier| Some((earlier, earlier.spans(&path)?)));
                if let (Some((first, there)), Some(here)) = (earlier, document.spans(&path)) {
                    let mut twice = finding(
                        Severity::Error,
                        document.place(here.key.clone()),
                        &format!("`{}` is said twice", path.join(".")),
                        "again",
                        None,
                    );
                    twice.other = Some((first.place(there.key.clone()), "the first".to_owned()));
                    findings.push(twice);
                }
            }
        }
    }
    findings
}

/// What a file can say once: each name of a section, and each key of `[method.NAME]`.
fn names_of(section: &str, value: &Value) -> Vec<Vec<String>> {
    let below = |path: &[String], value: &Value| match value.as_dict() {
        Some(dict) => dict.keys().map(|key| path.iter().cloned().chain([key.clone()]).collect()).collect(),
        None => vec![path.to_vec()],
    };
    let top = [section.to_owned()];
    match (section, value.as_dict()) {
        ("method", Some(methods)) => {
            methods.iter().flat_map(|(name, value)| below(&[section.to_owned(), name.clone()], value)).collect()
        }
        _ => below(&top, value),
    }
}

fn main_only(document: &Document, key: &str) -> Finding {
    let message = format!("`{key}` stands in the main file only");
    let help = "first match wins: an included file can't come before or between the rules".to_owned();
    let span = if key == RULE { document.place_of(&[key, "0"]) } else { document.place_of(&[key]) };
    finding(Severity::Error, span, &message, "not here", (key == RULE).then_some(help))
}

/// Walks everything, then says whether it is in order.
fn whole(book: Book<'_>) -> Result<Loaded, Mistakes> {
    let config = Node::root(&book).table("", &[&TOP[..], &[RULE]].concat()).and_then(|root| walk(&root));
    let (mut findings, settings) = book.close();
    sort(&mut findings);
    let (errors, warnings): (Vec<Finding>, Vec<Finding>) =
        findings.into_iter().partition(|finding| finding.severity == Severity::Error);
    match config {
        Some(config) if errors.is_empty() => Ok(Loaded { config: Config { settings, ..config }, warnings }),
        Some(_) | None => Err(Mistakes::new(errors)),
    }
}

fn walk(root: &Table<'_>) -> Option<Config> {
    let radius = sections::radius(root);
    let store = sections::store(root);
    let metrics_listen = sections::metrics(root);
    let audit = sections::audit(root);
    let limits = sections::limits(root);
    let realms = sections::realms(root);
    let (names, primaries) = peers::primaries(root);
    let mail = mail::mail(root);
    let admin = admin::admin(root, &names);
    let pages = portal::section(root);
    let account_name = pages.as_ref().and_then(portal::account_name);
    let portal = pages.as_ref().and_then(|table| portal::portal(table, &names));
    let push = push::push(root, pages.as_ref(), mail.as_ref().and_then(Option::as_ref));
    let (sketches, mut clients) = peers::clients(root, &names);
    let rules = rules::rules(root, &sketches, realms.as_ref().unwrap_or(&Realms::Unsaid));

    peers::overlaps(root, &sketches);
    serving::sockets_differ(root);
    if let (Some(table), Some(Some(portal))) = (&pages, &portal) {
        let has_mail = root.get_quietly("mail").is_some();
        portal::mailed_codes(table, portal, mail.as_ref().and_then(Option::as_ref), has_mail);
    }
    if let Some(Some(_)) = &admin {
        portal::for_staff(root, pages.as_ref());
    }
    numbers::settle(root, &mut clients, &sketches, &rules, push.as_ref());
    let admins: Vec<_> =
        clients.iter().filter(|client| client.policy.allow_admin).map(|client| client.name.clone()).collect();
    crossing::cross_check(&rules, &sketches, &admins, push.as_ref().is_none_or(|push| !push.channels.is_empty()));
    crossing::domains_without_realms(root, &rules);
    crossing::impatient(root, &clients, &rules);
    nobody(root, sketches.is_empty(), root.get_quietly(RULE).is_none());
    write_order(root, &rules);
    let titles = titles::titles(root, &rules.iter().map(|read| &read.table).collect::<Vec<_>>());

    let policy = Policy {
        rules: rules.into_iter().map(|read| read.rule).collect(),
        clients: clients.iter().map(|client| (client.name.clone(), client.policy.clone())).collect(),
        primaries: primaries.iter().map(|primary| (primary.name.clone(), primary.names)).collect(),
        realms: realms?,
        limits: limits?,
        enrol_at: portal.as_ref().and_then(Option::as_ref).map(|portal| portal.pages.url.as_str().into()),
        plain_pages: push.as_ref().is_some_and(|push| push.number == NumberChoice::Off),
        push_pin: push.as_ref().is_some_and(|push| push.pin.required),
        staff: admin.as_ref().and_then(Option::as_ref).map_or_else(Vec::new, |admin| admin.roles.everybody()),
    };
    let (radius_listen, radius_accounting) = radius?;
    Some(Config {
        radius_listen,
        radius_accounting,
        store: store?,
        account_name: account_name?,
        portal: portal?,
        admin: admin?,
        mail: mail?,
        metrics_listen: metrics_listen?,
        audit: audit?,
        push: push?,
        clients,
        primaries,
        policy: Arc::new(policy),
        titles,
        settings: Settings::default(),
    })
}

/// A file that lets nobody in is in order, and hardly what was meant.
fn nobody(root: &Table<'_>, no_client: bool, no_rule: bool) {
    if no_client {
        root.node.warn(
            "there is no client",
            "nobody may ask",
            Some("add a [client.NAME] for each appliance".to_owned()),
        );
    }
    if no_rule {
        root.node.warn(
            "there is no rule",
            "each login is denied",
            Some("add a [[rule]]: no match is denied".to_owned()),
        );
    }
}

/// The order of the rules is a setting of its own.
fn write_order(root: &Table<'_>, rules: &[rules::Read<'_>]) {
    let Some(list) = root.get_quietly(RULE) else { return };
    let names: Vec<String> = rules.iter().map(|read| super::values::quoted(read.rule.name.as_str())).collect();
    root.node.book.settings().insert("rule order".to_owned(), names.join(", "), list.origin());
}
