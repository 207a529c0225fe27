//! Numbers of pushes (rules F8): what each client's own is, once `[method.push]`, the clients and the rules are read.
//!
//! By hand in `[client.NAME]`; else by `[method.push] number`, whose `auto` shows one where a client's own section says that it
//! can show a challenge, or where a rule insists. An unnamed appliance (profile `generic`) may show it badly: `auto` leaves it
//! alone. A rule that insists matches no client that can't show one: that is a mistake. Where the site wishes for a number and a
//! client can't show it, that is said: never a silent downgrade.

use login::Method;
use login::policy::{NumberWish, Verdict};

use super::conditions::may_match;
use super::finding::{Place, Severity};
use super::node::{Node, Table, finding};
use super::peers::Sketch;
use super::rules::Read;
use super::settings::Origin;
use super::types::{ClientConfig, NumberChoice, PushConfig};

/// Gives each client its own, and says where a rule insists in vain.
pub(super) fn settle(
    root: &Table<'_>,
    clients: &mut [ClientConfig],
    sketches: &[Sketch],
    rules: &[Read<'_>],
    push: Option<&PushConfig>,
) {
    let site = push.map_or(NumberChoice::Auto, |push| push.number);
    for sketch in sketches {
        let insists = rules.iter().any(|read| insists(read, sketch));
        by_hand(root, sketch);
        if !insists && rules.iter().any(|read| pushes(read, sketch)) {
            without(root, sketch, site);
        }
        let wish = wish(sketch, site, insists);
        rules.iter().filter(|read| self::insists(read, sketch)).for_each(|read| in_vain(read, sketch, wish));
        if let Some(client) = clients.iter_mut().find(|client| client.name.as_str() == sketch.name) {
            client.policy.number = wish;
            show(root, sketch, wish);
        }
    }
}

fn insists(read: &Read<'_>, client: &Sketch) -> bool {
    read.rule.number_required && may_match(&read.rule.when, &client.name)
}

/// A login of that client may be asked for a push.
fn pushes(read: &Read<'_>, client: &Sketch) -> bool {
    let lists = match &read.rule.verdict {
        Verdict::Require(methods) => methods.contains(&Method::Push),
        Verdict::Exempt | Verdict::Deny(_) => false,
    };
    lists && may_match(&read.rule.when, &client.name)
}

/// What is in force there.
fn wish(client: &Sketch, site: NumberChoice, insists: bool) -> NumberWish {
    if let Some((wish, _)) = &client.number {
        return *wish;
    }
    match (site, can_show(client)) {
        (NumberChoice::Off, _) | (_, false) => NumberWish::Off,
        (NumberChoice::Shown, true) => NumberWish::Shown,
        (NumberChoice::Typed, true) => NumberWish::Typed,
        (NumberChoice::Auto, true) if insists => NumberWish::Shown,
        // How well an appliance shows one, its profile says; of one that is nobody's, nobody knows.
        (NumberChoice::Auto, true) => NumberWish::Off,
    }
}

fn can_show(client: &Sketch) -> bool {
    client.challenge.as_ref().is_none_or(|(can, _)| *can)
}

/// A number by hand where it can't be shown.
fn by_hand(root: &Table<'_>, client: &Sketch) {
    let (Some((wish, place)), Some((false, there))) = (&client.number, &client.challenge) else { return };
    if *wish == NumberWish::Off {
        return;
    }
    let help = "a number needs a second question on the appliance's screen: say number = \"off\", or challenge = true if it can show one";
    let message = format!("`{}` can't show a number", client.name);
    let mut found = finding(Severity::Error, place.clone(), &message, "this needs a challenge", Some(help.to_owned()));
    found.other = Some((there.clone(), "it shows none".to_owned()));
    root.node.book.note(found);
}

/// Rules F8: the site wishes for a number, and a client that can't show one does without: not silently.
fn without(root: &Table<'_>, client: &Sketch, site: NumberChoice) {
    let (None, Some((false, there))) = (&client.number, &client.challenge) else { return };
    match site {
        NumberChoice::Shown | NumberChoice::Typed => {}
        NumberChoice::Auto | NumberChoice::Off => return,
    }
    let message = format!("pushes of `{}` ask for no number", client.name);
    let help = format!(
        "a number needs a second question on the appliance's screen: challenge = true if it can show one; or say number = \"off\" in [client.{}] if pushes without a number are meant",
        client.name
    );
    let mut found = finding(Severity::Warning, there.clone(), &message, "it can't show one", Some(help));
    found.other = said(root).map(|node| (node.place(), "the site asks for one".to_owned()));
    root.node.book.note(found);
}

/// Where `[method.push] number` stands.
fn said<'a>(root: &Table<'a>) -> Option<Node<'a>> {
    root.get_quietly("method")?.opened()?.get_quietly("push")?.opened()?.get_quietly("number")
}

/// Rules F8: a rule that requires a number, on a client that can't challenge or asks for none.
fn in_vain(read: &Read<'_>, client: &Sketch, wish: NumberWish) {
    let Some(node) = read.table.get_quietly("number") else { return };
    let out = "keep that client out of this rule's `when`";
    match (&client.challenge, &client.number) {
        (Some((false, there)), _) => {
            let message = format!("`{}` can't show a number", client.name);
            let help = format!("set challenge = true there if the appliance can show a second question; or {out}");
            node.refuse_at(
                &message,
                "this rule takes no push without one",
                beside(there, "it shows no challenge"),
                &help,
            );
        }
        (_, Some((NumberWish::Off, there))) => {
            let message = format!("`{}` asks for no number", client.name);
            let help = format!("say number = \"shown\" or \"typed\" there; or {out}");
            node.refuse_at(&message, "this rule takes no push without one", beside(there, "said here"), &help);
        }
        (_, _) if wish == NumberWish::Off => {
            let message = format!("`{}` asks for no number", client.name);
            let help = format!(
                "[method.push] says number = \"off\": say \"auto\" there, or number = \"shown\" in [client.{}]; or {out}",
                client.name
            );
            node.refuse::<()>(&message, "this rule takes no push without one", Some(help));
        }
        (_, _) => {}
    }
}

fn beside(place: &Place, why: &str) -> (Place, String) {
    (place.clone(), why.to_owned())
}

/// What nobody said is listed too.
fn show(root: &Table<'_>, client: &Sketch, wish: NumberWish) {
    if client.number.is_some() {
        return;
    }
    let word = match wish {
        NumberWish::Off => "\"off\"",
        NumberWish::Shown => "\"shown\"",
        NumberWish::Typed => "\"typed\"",
    };
    root.node.book.settings().insert(format!("client.{}.number", client.name), word, Origin::Default);
}
