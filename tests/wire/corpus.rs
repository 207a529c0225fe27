//! Every file of `fuzz/corpus` through the function of its target, so that what the fuzzer once found stays found.

use std::fs;
use std::path::{Path, PathBuf};

use crate::bodies;

#[test]
fn every_corpus_file_passes_its_target() {
    for (target, body) in bodies::ALL {
        let files = files(&fuzz().join("corpus").join(target));
        assert!(files.len() >= 10, "the corpus of {target} has {} files", files.len());
        for file in files {
            body(&fs::read(&file).unwrap());
        }
    }
}

#[test]
fn every_packet_of_every_corpus_passes_every_target() {
    let all: Vec<PathBuf> =
        bodies::ALL.iter().flat_map(|(target, _)| files(&fuzz().join("corpus").join(target))).collect();
    for octets in all.iter().map(|file| fs::read(file).unwrap()) {
        bodies::ALL.iter().for_each(|(_, body)| body(&octets));
    }
}

/// The corpus of the configuration is what the project has written anyway: the template, the broken and the doubtful files.
#[test]
fn every_configuration_that_is_committed_can_be_read_cut_anywhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let written = ["config", "tests/broken", "tests/doubtful"].map(|directory| files(&root.join(directory)));
    let written: Vec<PathBuf> =
        written.into_iter().flatten().filter(|file| file.extension().is_some_and(|ext| ext == "toml")).collect();
    assert!(written.len() >= 30);
    // A file in UTF-16 is refused before anything of it is parsed.
    for text in written.iter().filter_map(|file| String::from_utf8(fs::read(file).unwrap()).ok()) {
        vestibule::config::fuzz_parse(&text);
        for cut in (0..text.len()).step_by(61).filter(|cut| text.is_char_boundary(*cut)) {
            vestibule::config::fuzz_parse(&text[..cut]);
        }
    }
}

#[test]
fn every_target_has_a_file_and_a_body() {
    let named = |file: &PathBuf| file.file_stem().unwrap().to_str().unwrap().to_owned();
    let mut written: Vec<String> = files(&fuzz().join("targets")).iter().map(named).collect();
    let mut known: Vec<String> = bodies::ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
    known.push("config".to_owned());
    written.sort();
    known.sort();
    assert_eq!(written, known);
}

pub(crate) fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}
