//! The habits of the house that a compiler doesn't hold, one function each: a file goes in, the places to mend come out.
//! A check reads code, not comments or strings, and says what to do. Each has a self-test with a violation that it catches.

use crate::rust::{code, lines_with, product, tests};
use crate::tree::{Broken, File};

/// Every file under `src` opens with a paragraph: what it is for, what it guarantees, what it never does.
pub(crate) fn opening(file: &File) -> Vec<Broken> {
    let in_scope = file.is_rust() && file.path.starts_with("src/");
    if !in_scope || file.text.starts_with("//! ") {
        return Vec::new();
    }
    vec![file.broken(
        1,
        "a file under src opens with `//!`",
        "Say what it is for, what it guarantees and what it never does.",
    )]
}

/// Clock reads, sleeps and raw metrics stand only where they belong, and so does leave to use them.
pub(crate) fn clocks_sleeps_and_metrics(file: &File) -> Vec<Broken> {
    if !file.is_rust() || !file.path.starts_with("src/") || file.is_test() {
        return Vec::new();
    }
    let clock = file.path == "src/engine/clock.rs"
        || file.path.starts_with("src/serve/")
        || file.path.starts_with("src/telemetry/");
    let metrics = file.path.starts_with("src/telemetry/");
    let product = product(&code(&file.text));
    let refused = |allowed: bool, words: &[&str], rule: &'static str, remedy: &'static str| {
        let lines = words.iter().filter(|_| !allowed).flat_map(|word| lines_with(&product, word));
        lines.map(|line| file.broken(line, rule, remedy)).collect::<Vec<_>>()
    };
    [
        refused(
            clock,
            &["Instant::now", "SystemTime::now", "Timestamp::now", "ZonedDateTime::now"],
            "a clock is read outside engine/clock.rs, serve and telemetry",
            "Take a `Moment` as a parameter.",
        ),
        refused(
            clock,
            &["sleep(", "sleep_until("],
            "something sleeps outside engine/clock.rs, serve and telemetry",
            "Wait for the event under a timeout, or ask engine's timers for a wake-up.",
        ),
        refused(
            metrics,
            &["counter!", "gauge!", "histogram!", "describe_counter!", "describe_gauge!", "describe_histogram!"],
            "a raw metric outside telemetry",
            "Emit an event of telemetry: it counts, logs and traces in one place.",
        ),
        refused(
            clock || metrics,
            &[
                "clippy::disallowed_methods",
                "clippy::disallowed_macros",
                "clippy::disallowed_types",
                "clippy::await_holding_invalid_type",
            ],
            "leave to use what clippy.toml bans, outside engine/clock.rs, serve and telemetry",
            "Do without it, or move the line to where it belongs.",
        ),
    ]
    .concat()
}

/// What is not finished or not run is not there.
pub(crate) fn unfinished(file: &File) -> Vec<Broken> {
    if !file.is_rust() {
        return Vec::new();
    }
    let code = code(&file.text);
    ["#[ignore", "todo!", "unimplemented!"]
        .into_iter()
        .flat_map(|word| lines_with(&code, word).into_iter().map(move |line| (line, word)))
        .map(|(line, word)| file.broken(line, format!("`{word}` is refused"), "Finish it and run it, or take it out."))
        .collect()
}

/// Tests wait for events, never for time to pass.
pub(crate) fn sleeping_tests(file: &File) -> Vec<Broken> {
    if !file.is_rust() {
        return Vec::new();
    }
    let code = code(&file.text);
    let code = if file.is_test() { code } else { tests(&code) };
    ["sleep(", "sleep_until("]
        .into_iter()
        .flat_map(|word| lines_with(&code, word))
        .map(|line| file.broken(line, "a test sleeps", "Wait for the event itself, under a timeout that is generous."))
        .collect()
}

/// A dependency earns its place in one comment, on its line or on the line above; one taken over from the workspace has it there.
pub(crate) fn dependency_reasons(file: &File) -> Vec<Broken> {
    if file.path != "Cargo.toml" && !file.path.ends_with("/Cargo.toml") {
        return Vec::new();
    }
    let lines: Vec<&str> = file.text.lines().collect();
    let told = |number: usize, line: &str| line.contains(" # ") || number >= 2 && lines[number - 2].starts_with("# ");
    dependencies(&file.text)
        .into_iter()
        .filter(|(number, _, line)| !told(*number, line) && !line.contains("workspace = true"))
        .map(|(number, name, _)| {
            file.broken(
                number,
                format!("the dependency `{name}` has no reason"),
                "Say on its line, after `# `, what it is here for.",
            )
        })
        .collect()
}

/// The test command of the README is what `.ci/run` runs last, and nothing beside it.
pub(crate) fn one_test_command(readme: &File, ci: &File) -> Vec<Broken> {
    let commands: Vec<(usize, &str)> = fenced(&readme.text).filter(|(_, line)| line.starts_with("tests/")).collect();
    let [(number, command)] = commands.as_slice() else {
        let rule = format!("the README gives {} test commands in its code blocks, not one", commands.len());
        return vec![readme.broken(1, rule, "Name the one command that runs every test, on a line of its own.")];
    };
    let last = ci.text.lines().rev().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    if last == Some(*command) {
        return Vec::new();
    }
    let rule =
        format!("the README's test command is `{command}`, and .ci/run ends with `{}`", last.unwrap_or_default());
    vec![readme.broken(*number, rule, "What guards a change and what a reader is told to run are the same command.")]
}

/// `docs/security.md` has one row for each rule from A1 to G5, and every test that it names is there.
pub(crate) fn rules_to_tests(page: &File, files: &[File]) -> Vec<Broken> {
    const RULES: [(&str, usize); 7] = [("A", 8), ("B", 5), ("C", 4), ("D", 6), ("E", 6), ("F", 9), ("G", 5)];
    let rows = || page.text.lines().enumerate().filter(|(_, line)| line.starts_with("| **"));
    let mut broken = Vec::new();
    for (part, count) in RULES {
        for rule in (1..=count).map(|number| format!("{part}{number}")) {
            let found = rows().filter(|(_, line)| line.starts_with(&format!("| **{rule}** "))).count();
            if found != 1 {
                let told = format!("rule {rule} has {found} rows, not one");
                broken.push(page.broken(
                    1,
                    told,
                    "Each rule has one row: the rule, what holds it, the test that would fail.",
                ));
            }
        }
    }
    for (index, line) in rows() {
        let last = line.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap_or_default().trim();
        let names: Vec<&str> = last.split('`').skip(1).step_by(2).filter(|name| name.contains("::")).collect();
        if names.is_empty() && !last.starts_with("*To come*") && !last.starts_with("*later*") {
            broken.push(page.broken(
                index + 1,
                "a rule without a test",
                "Name it as `file::test`, or say *To come* or *later*.",
            ));
        }
        for name in names.into_iter().filter(|name| !is_test_there(name, files)) {
            broken.push(page.broken(
                index + 1,
                format!("there is no test `{name}`"),
                "Name a test that exists, as `file::test`.",
            ));
        }
    }
    broken
}

fn is_test_there(name: &str, files: &[File]) -> bool {
    let (path, test) = name.split_once("::").unwrap_or((name, ""));
    let test = test.rsplit("::").next().unwrap_or_default();
    files.iter().any(|file| file.path == path && !lines_with(&code(&file.text), &format!("fn {test}(")).is_empty())
}

/// No path of a developer's machine and no registry's host: the project stands by itself. The words are in pieces, so that this file passes.
pub(crate) fn foreign_words(file: &File) -> Vec<Broken> {
    const WORDS: [&str; 12] = [
        concat!("/wo", "rk/"),
        concat!("../sha", "red/"),
        concat!("/fa", "rm/"),
        concat!("fa", "rm-studio"),
        concat!("fa", "rm-bench"),
        concat!(".libr", "ary"),
        concat!("before-", "stop"),
        concat!("crates", ".io/"),
        concat!("index.", "crates"),
        concat!("registry.", "npmjs"),
        concat!("pypi", ".org"),
        concat!("deb.", "debian"),
    ];
    if file.path == "Cargo.lock" {
        return Vec::new();
    }
    let numbered = file.text.lines().enumerate();
    numbered
        .flat_map(|(index, line)| {
            WORDS.into_iter().filter(move |word| line.contains(word)).map(move |word| (index + 1, word))
        })
        .map(|(line, word)| {
            file.broken(
                line,
                format!("`{word}` is no word of this project"),
                "Say it without naming a machine or a host.",
            )
        })
        .collect()
}

/// The dependencies of a manifest: line number, name, the whole line.
pub(crate) fn dependencies(manifest: &str) -> Vec<(usize, &str, &str)> {
    let mut found = Vec::new();
    let mut inside = false;
    for (index, line) in manifest.lines().enumerate() {
        if let Some(header) = line.strip_prefix('[') {
            let section = header.split(']').next().unwrap_or_default();
            inside = section.ends_with("dependencies");
            // `[dependencies.name]`, which gives one dependency a table of its own
            if let Some((_, name)) = section.split_once("dependencies.") {
                found.push((index + 1, name, line));
            }
        } else if inside
            && let Some((name, _)) = line.split_once(" = ")
            && !name.starts_with([' ', '#'])
        {
            found.push((index + 1, name.split('.').next().unwrap_or(name), line));
        }
    }
    found
}

/// The lines inside the code blocks of a page, numbered from 1.
fn fenced(page: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut inside = false;
    page.lines().enumerate().filter_map(move |(index, line)| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        (inside && !fence).then_some((index + 1, line.trim()))
    })
}

/// How many places `check` finds in a file of this name and text.
#[cfg(test)]
fn caught(check: fn(&File) -> Vec<Broken>, path: &str, text: &str) -> usize {
    check(&File::new(path, text)).len()
}

#[test]
fn a_file_without_an_opening_is_caught() {
    assert_eq!(caught(opening, "src/engine/mod.rs", "use std::fmt;\n"), 1);
    assert_eq!(caught(opening, "src/engine/mod.rs", "// no contract\n"), 1);
    assert_eq!(caught(opening, "src/engine/mod.rs", "//! The held sessions.\n"), 0);
    assert_eq!(caught(opening, "benches/wire.rs", "use std::fmt;\n"), 0);
}

#[test]
fn a_clock_a_sleep_or_a_metric_in_the_wrong_room_is_caught() {
    let check = clocks_sleeps_and_metrics;
    for line in [
        "let now = Instant::now();",
        "let now = std::time::SystemTime::now();",
        "tokio::time::sleep(second).await;",
        "metrics::counter!(\"a\").increment(1);",
        "describe_gauge!(\"a\", \"b\");",
        "#[allow(clippy::disallowed_methods, reason = \"just here\")]",
    ] {
        assert_eq!(caught(check, "src/primary/mod.rs", line), 1, "{line}");
        assert_eq!(caught(check, "src/login/machine.rs", line), 1, "{line}");
        assert_eq!(caught(check, "src/telemetry/emit.rs", line), 0, "{line}");
        assert_eq!(caught(check, "src/login/tests/simulation.rs", line), 0, "{line}");
        assert_eq!(
            caught(check, "src/primary/mod.rs", &format!("// {line}\n#[cfg(test)]\nmod tests {{ {line} }}\n")),
            0,
            "{line}"
        );
        assert_eq!(caught(check, "src/primary/mod.rs", &format!("#[cfg(test)]\nuse a;\n{line}\n")), 1, "{line}");
    }
    assert_eq!(caught(check, "src/engine/clock.rs", "Instant::now()"), 0);
    assert_eq!(caught(check, "src/engine/held.rs", "Instant::now()"), 1);
    assert_eq!(caught(check, "src/serve/mod.rs", "metrics::counter!(\"a\")"), 1);
}

#[test]
fn what_is_unfinished_or_skipped_is_caught() {
    for line in ["#[ignore]", "#[ignore = \"slow\"]", "todo!()", "unimplemented!()"] {
        assert_eq!(caught(unfinished, "tests/peers/main.rs", line), 1, "{line}");
        assert_eq!(caught(unfinished, "src/cli/mod.rs", &format!("// {line}\nlet a = \"{line}\";")), 0, "{line}");
    }
}

#[test]
fn a_test_that_sleeps_is_caught() {
    let line = "std::thread::sleep(second);";
    assert_eq!(caught(sleeping_tests, "tests/peers/main.rs", line), 1);
    assert_eq!(caught(sleeping_tests, "src/login/tests/simulation.rs", line), 1);
    assert_eq!(
        caught(sleeping_tests, "src/store/mod.rs", &format!("#[cfg(test)]\nmod tests {{ fn f() {{ {line} }} }}\n")),
        1
    );
    assert_eq!(caught(sleeping_tests, "tests/peers/main.rs", "nosleep(second);"), 0);
}

#[test]
fn a_dependency_without_a_reason_is_caught() {
    let check = |line: &str| caught(dependency_reasons, "Cargo.toml", &format!("[package]\nname = \"a\"\n\n{line}\n"));
    assert_eq!(check("[dependencies]\nserde = \"1\""), 1);
    assert_eq!(check("[dependencies.serde]\nversion = \"1\""), 1);
    assert_eq!(check("[target.'cfg(unix)'.dev-dependencies]\nnix = \"1\""), 1);
    assert_eq!(
        check("[dependencies]\n\nserde = \"1\" # shapes\n# words\nradius = \"1\"\nhmac = { workspace = true }"),
        0
    );
    assert_eq!(check("[features]\nmutants = []"), 0);
}

#[test]
fn a_second_way_to_run_the_tests_is_caught() {
    let readme = File::new("README.md", "Text.\n```sh\ntests/run\n```\n");
    let check = |readme: &File, ci: &str| one_test_command(readme, &File::new(".ci/run", ci)).len();
    assert_eq!(check(&readme, "cargo fmt --check\ntests/run\n"), 0);
    assert_eq!(check(&readme, "cargo test\n"), 1);
    assert_eq!(check(&readme, "tests/run --quick\n"), 1);
    assert_eq!(check(&File::new("README.md", "Run tests/run.\n"), "tests/run\n"), 1);
}

#[test]
fn a_word_of_another_place_is_caught() {
    let path = concat!("see /wo", "rk/notes");
    assert_eq!(caught(foreign_words, "docs/security.md", path), 1);
    assert_eq!(caught(foreign_words, "docs/security.md", "the network/work item"), 0);
}

#[test]
fn a_rule_without_a_test_that_exists_is_caught() {
    let files = [File::new("tests/a.rs", "#[test]\nfn a_code_works_once() {}\n")];
    let check = |last: &str| {
        let page = File::new("docs/security.md", &format!("| **C1** Once. | `store` | {last} |\n"));
        rules_to_tests(&page, &files).into_iter().filter(|broken| !broken.rule.contains("rows")).count()
    };
    assert_eq!(check("`tests/a.rs::a_code_works_once`"), 0);
    assert_eq!(check("`tests/a.rs::a_code_works`"), 1);
    assert_eq!(check("`tests/b.rs::a_code_works_once`"), 1);
    assert_eq!(check("surely"), 1);
    assert_eq!(check("*To come*: in the simulation"), 0);
    assert_eq!(rules_to_tests(&File::new("docs/security.md", ""), &files).len(), 43);
}
