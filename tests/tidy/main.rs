//! The tidy test: it reads the tree and holds what no compiler holds, from the import table to the README's test command.
//! A failure names the file and line, the rule, and what to do. It builds nothing of the product and touches nothing.
#![allow(clippy::panic, reason = "a check that cannot read the tree has failed, and says which file it wanted")]

mod imports;
mod rules;
mod rust;
mod tree;

use tree::{Broken, File, assert_none, file, files};

fn hold(check: fn(&File) -> Vec<Broken>) {
    assert_none(&files().iter().flat_map(check).collect::<Vec<_>>());
}

#[test]
fn every_room_imports_only_what_the_table_lets_it_see() {
    hold(imports::broken_by_source);
}

#[test]
fn the_sealed_crates_stay_sealed() {
    hold(imports::broken_by_manifest);
    hold(imports::broken_by_sealed_source);
}

#[test]
fn architecture_md_prints_the_import_table_that_is_held() {
    let page = file("ARCHITECTURE.md");
    let (_, after) = page.text.split_once(imports::TABLE_BEGINS).unwrap_or_default();
    let (printed, _) = after.split_once(imports::TABLE_ENDS).unwrap_or_default();
    assert_eq!(
        printed.trim(),
        imports::table().trim(),
        "ARCHITECTURE.md, between its two markers, must show exactly this table"
    );
}

#[test]
fn every_source_file_opens_with_its_contract() {
    hold(rules::opening);
}

#[test]
fn clocks_sleeps_and_raw_metrics_stand_only_where_they_belong() {
    hold(rules::clocks_sleeps_and_metrics);
}

#[test]
fn no_test_sleeps() {
    hold(rules::sleeping_tests);
}

#[test]
fn nothing_is_left_unfinished_or_skipped() {
    hold(rules::unfinished);
}

#[test]
fn every_dependency_has_its_reason() {
    hold(rules::dependency_reasons);
}

#[test]
fn the_readme_and_the_gate_run_the_same_tests() {
    assert_none(&rules::one_test_command(&file("README.md"), &file(".ci/run")));
}

#[test]
fn every_rule_has_its_row_and_names_only_tests_that_exist() {
    assert_none(&rules::rules_to_tests(&file("docs/security.md"), &files()));
}

#[test]
fn no_word_of_another_place_is_in_the_tree() {
    hold(rules::foreign_words);
}

#[test]
fn the_tree_is_really_read() {
    let files = files();
    for path in ["Cargo.toml", "src/lib.rs", "src/wire/lib.rs", "src/login/lib.rs", ".ci/run", "tests/tidy/main.rs"] {
        assert!(files.iter().any(|file| file.path == path), "{path} was not among the {} files read", files.len());
    }
}
