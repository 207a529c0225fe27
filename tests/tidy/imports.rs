//! Who may import whom. The rooms stand in layers: a room sees every room of the layers below it, and of its own layer only the
//! siblings listed here. `ARCHITECTURE.md` prints the same table. A room that is not built yet is simply absent.

use crate::rust::{code, is_identifier, line_of};
use crate::tree::{Broken, File};

/// From the ground up. `wire` and `login` are crates of their own; the others are modules of the root package.
const LAYERS: [&[&str]; 9] = [
    &["wire"],
    &["login"],
    &["telemetry", "language", "hashing", "config", "store", "audit"],
    &["directory", "primary", "factor", "mail", "enrolment", "web"],
    &["engine"],
    &["sign_in"],
    &["client", "listen", "portal", "admin", "phone"],
    &["serve"],
    &["cli"],
];

/// Of one layer, the left may see the right.
const SIBLINGS: [(&str, &str); 5] = [
    ("config", "telemetry"),
    ("store", "telemetry"),
    ("audit", "telemetry"),
    ("audit", "store"),
    ("enrolment", "factor"),
];

/// What would bring a socket, a file, a clock or a runtime into a sealed crate.
const NOT_IN_SEALED_CRATES: [&str; 16] = [
    "tokio",
    "tokio-util",
    "mio",
    "async-std",
    "smol",
    "futures",
    "socket2",
    "nix",
    "rustix",
    "libc",
    "reqwest",
    "rusqlite",
    "axum",
    "radius",
    "rand",
    "metrics",
];

pub(crate) const TABLE_BEGINS: &str = "<!-- import table: tests/tidy holds it and compares it with this one -->";
pub(crate) const TABLE_ENDS: &str = "<!-- end of the import table -->";

/// The table as `ARCHITECTURE.md` shows it.
pub(crate) fn table() -> String {
    let rows = rooms().map(|room| match seen_by(room).as_slice() {
        [] => format!("| `{room}` | nothing |\n"),
        seen => {
            format!("| `{room}` | {} |\n", seen.iter().map(|seen| format!("`{seen}`")).collect::<Vec<_>>().join(", "))
        }
    });
    format!("| Room | May import |\n|---|---|\n{}", rows.collect::<String>())
}

/// Where a file of the root package imports a room that its own room may not see, or stands in a room that the table does not know.
pub(crate) fn broken_by_source(file: &File) -> Vec<Broken> {
    let Some(room) = room_of(&file.path) else { return Vec::new() };
    if !rooms().any(|known| known == room) {
        let rule = format!("`{room}` is no room of the import table");
        return vec![file.broken(
            1,
            rule,
            "Give it a row in tests/tidy/imports.rs and in ARCHITECTURE.md, or move the file into a room.",
        )];
    }
    let code = code(&file.text);
    let seen = seen_by(room);
    imports(&code, depth_of(&file.path))
        .into_iter()
        .filter(|(_, imported)| {
            imported != room && rooms().any(|known| known == imported) && !seen.contains(&imported.as_str())
        })
        .map(|(at, imported)| {
            let rule = format!("`{room}` may not import `{imported}`");
            file.broken(
                line_of(&code, at),
                rule,
                "Move what both need down to a room that both see (the table is in ARCHITECTURE.md).",
            )
        })
        .collect()
}

/// Where the manifest of a sealed crate depends on another room than the table allows, or on something that does I/O.
pub(crate) fn broken_by_manifest(file: &File) -> Vec<Broken> {
    let Some(room) = ["wire", "login"].into_iter().find(|room| file.path == format!("src/{room}/Cargo.toml")) else {
        return Vec::new();
    };
    let seen = seen_by(room);
    let mut broken = Vec::new();
    for (number, name, line) in crate::rules::dependencies(&file.text) {
        let ours = line.contains("path =") || name.starts_with("vestibule");
        if ours && !seen.contains(&name) {
            let rule = format!("the sealed crate `{room}` may not depend on `{name}`");
            broken.push(file.broken(number, rule, "Move what both need down into the crate that both see."));
        }
        if NOT_IN_SEALED_CRATES.contains(&name) {
            let rule =
                format!("the sealed crate `{room}` is pure, and `{name}` does I/O, reads a clock or draws randomness");
            broken.push(file.broken(
                number,
                rule,
                "Return an effect, or take the value as a parameter; engine does the rest.",
            ));
        }
    }
    broken
}

/// Where the code of a sealed crate names a room that it may not see.
pub(crate) fn broken_by_sealed_source(file: &File) -> Vec<Broken> {
    let Some(room) = ["wire", "login"].into_iter().find(|room| file.path.starts_with(&format!("src/{room}/"))) else {
        return Vec::new();
    };
    let code = code(&file.text);
    let seen = seen_by(room);
    let names = |name: &str| crate::rust::lines_with(&code, &format!("{name}::"));
    let foreign = ["vestibule", "login", "wire"].into_iter().filter(|name| *name != room && !seen.contains(name));
    foreign
        .flat_map(|name| names(name).into_iter().map(move |line| (line, name)))
        .map(|(line, name)| {
            file.broken(line, format!("the sealed crate `{room}` may not use `{name}`"), "Turn the dependency round.")
        })
        .collect()
}

fn rooms() -> impl Iterator<Item = &'static str> {
    LAYERS.into_iter().flatten().copied()
}

fn seen_by(room: &str) -> Vec<&'static str> {
    let below = LAYERS.into_iter().take_while(|layer| !layer.contains(&room)).flatten().copied();
    let beside = SIBLINGS.into_iter().filter(|(from, _)| *from == room).map(|(_, to)| to);
    below.chain(beside).collect()
}

/// The room of a source file of the root package; the two sealed crates, `lib.rs` and `main.rs` have none.
fn room_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/").filter(|_| path.ends_with(".rs"))?;
    let room = inside.split('/').next()?.trim_end_matches(".rs");
    (!["wire", "login", "lib", "main"].contains(&room)).then_some(room)
}

/// How many `super`s lead from the file to the root of the crate.
fn depth_of(path: &str) -> usize {
    path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod").split('/').count()
}

/// The rooms that a file names through the root of the crate, by `crate::` or by enough `super::`s, with the place of each.
fn imports(code: &str, depth: usize) -> Vec<(usize, String)> {
    let up = "super::".repeat(depth);
    let by_crate = code.match_indices("crate::").map(|(at, found)| at + found.len());
    // Only at the left margin: further in, an inline module may have gone down a level that this reading does not know.
    let by_super = code.match_indices(&up).filter(|(at, _)| code[..*at].ends_with("\nuse "));
    let by_super = by_super.map(|(at, found)| at + found.len());
    let ends = by_crate.chain(by_super);
    ends.flat_map(|end| heads(&code[end..]).into_iter().map(move |(offset, name)| (end + offset, name))).collect()
}

/// The first names of a path or of a group of paths: `a::b` gives `a`, `{a::b, c::{d, e}}` gives `a` and `c`.
fn heads(path: &str) -> Vec<(usize, String)> {
    let name_at = |at: usize| {
        let start = at + path[at..].len() - path[at..].trim_start().len();
        let name: String = path[start..].chars().take_while(|c| is_identifier(*c)).collect();
        (start, name)
    };
    if !path.starts_with('{') {
        return vec![name_at(0)];
    }
    let mut found = vec![name_at(1)];
    let mut depth = 0_usize;
    for (at, byte) in path.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => break,
            b'}' => depth -= 1,
            b',' if depth == 1 => found.push(name_at(at + 1)),
            _ => {}
        }
    }
    found
}

#[test]
fn an_import_against_the_table_is_caught() {
    let caught = |path: &str, text: &str| broken_by_source(&File::new(path, text)).len();
    for (path, text) in [
        ("src/store/mod.rs", "use crate::engine::Held;\n"),
        ("src/store/sqlite.rs", "fn f() { crate::cli::run(); }\n"),
        ("src/primary/mod.rs", "use crate::{config::Primary, factor::Offer};\n"),
        ("src/store/mod.rs", "use crate::audit::Record;\n"),
        ("src/store/sqlite.rs", "//! Rows.\nuse super::super::engine::Held;\n"),
        ("src/store.rs", "//! Rows.\nuse super::engine::Held;\n"),
        ("src/pantry/mod.rs", "//! A room that nobody planned.\n"),
    ] {
        assert_eq!(caught(path, text), 1, "{path}: {text}");
    }
    for (path, text) in [
        ("src/engine/mod.rs", "use crate::{store::{Users, engine}, factor};\n"),
        ("src/audit/chain.rs", "use crate::store::AuditTrail;\nuse super::engine;\n"),
        ("src/enrolment/mod.rs", "use crate::factor::Offer;\n"),
        ("src/store/mod.rs", "//! Not `crate::engine`.\nuse super::Rows;\nlet a = \"crate::engine\";\n"),
        ("src/main.rs", "use vestibule::cli;\n"),
    ] {
        assert_eq!(caught(path, text), 0, "{path}: {text}");
    }
}

#[test]
fn a_group_of_imports_is_caught_on_its_own_line() {
    let file = File::new("src/store/mod.rs", "use crate::{\n    telemetry::emit,\n    engine::Held,\n};\n");
    let places: Vec<String> = broken_by_source(&file).into_iter().map(|broken| broken.place).collect();
    assert_eq!(places, ["src/store/mod.rs:3"]);
}

#[test]
fn a_sealed_crate_that_opens_a_window_is_caught() {
    let manifest = |room: &str, line: &str| {
        broken_by_manifest(&File::new(&format!("src/{room}/Cargo.toml"), &format!("[dependencies]\n{line} # reason\n")))
            .len()
    };
    assert_eq!(manifest("login", "tokio = \"1\""), 1);
    assert_eq!(manifest("wire", "login = { package = \"vestibule-login\", path = \"../login\" }"), 1);
    assert_eq!(manifest("login", "wire = { package = \"vestibule-wire\", path = \"../wire\" }"), 0);
    assert_eq!(manifest("wire", "subtle = \"2\""), 0);
    let source = |path: &str, text: &str| broken_by_sealed_source(&File::new(path, text)).len();
    assert_eq!(source("src/wire/view.rs", "use login::Attempt;\n"), 1);
    assert_eq!(source("src/login/machine.rs", "use vestibule::store::Users;\n"), 1);
    assert_eq!(source("src/login/machine.rs", "use wire::Secret;\n"), 0);
}

#[test]
fn the_table_has_no_circle() {
    for (from, to) in SIBLINGS {
        assert!(seen_by(from).contains(&to) && !seen_by(to).contains(&from), "{from} and {to} see each other");
    }
    assert_eq!(seen_by("audit"), ["wire", "login", "telemetry", "store"]);
    assert_eq!(seen_by("cli").len(), rooms().count() - 1);
}
