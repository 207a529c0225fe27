//! How names compare (rules A2): NFKC_Casefold decides what is the same name, the loose fold what looks like it.
//!
//! One crate family with one version of Unicode does all of it, so that what one step calls normal no other changes. Nothing here
//! repairs a name that was typed: what would have to be repaired is refused in [`sound`].

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};

use super::NameRefused;

/// Folding and normalising may each make work for the other; Unicode's own derivation is stable in three rounds.
const ROUNDS: usize = 4;

/// Unicode's `toNFKC_Casefold` of a text without default-ignorable code points: case and compatible forms are gone, accents stay.
#[must_use]
pub fn casefold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let (nfd, nfkc) = (DecomposingNormalizerBorrowed::new_nfd(), ComposingNormalizerBorrowed::new_nfkc());
    // Decomposed first: a combining iota folds to a letter, which must not slip past the mark beside it (Unicode D145).
    let mut folded = text.to_owned();
    for _ in 0..ROUNDS {
        let next = nfkc.normalize(&CaseMapper::new().fold_string(&nfd.normalize(&folded))).into_owned();
        if next == folded {
            break;
        }
        folded = next;
    }
    folded
}

/// What a person takes for the same name at a glance, and many a directory as well: no accents, no case, no dot on the i, and each run
/// of blanks is one. Two names of one loose fold are look-alikes.
#[must_use]
pub fn loose(text: &str) -> String {
    if is_plain(text) {
        return text.to_ascii_lowercase();
    }
    // Of the folded name, so that all spellings of one name look alike.
    let mut folded = casefold(text);
    for _ in 0..ROUNDS {
        let next = loosened(&folded);
        if next == folded {
            break;
        }
        folded = next;
    }
    folded
}

fn loosened(text: &str) -> String {
    let nfkd = DecomposingNormalizerBorrowed::new_nfkd();
    let category = CodePointMapData::<GeneralCategory>::new();
    let hidden = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    let is_mark = |c: &char| {
        matches!(
            category.get(*c),
            GeneralCategory::NonspacingMark
                | GeneralCategory::SpacingMark
                | GeneralCategory::EnclosingMark
                | GeneralCategory::Format
        ) || hidden.contains(*c)
    };
    // Marks go before the fold: it turns some of them into letters (U+0345).
    let bare: String = nfkd.normalize(text).chars().filter(|c| !is_mark(c)).collect();
    let folded = CaseMapper::new().fold_string(&bare).into_owned();
    let plain: String = folded.chars().map(|c| if c == '\u{131}' { 'i' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether all of it is printable ASCII with single blanks inside: the only letters that every directory and every SQL collation
/// tells apart (case aside).
pub(super) fn is_plain(text: &str) -> bool {
    text.bytes().all(|octet| matches!(octet, b' '..=b'~'))
        && !text.contains("  ")
        && !text.starts_with(' ')
        && !text.ends_with(' ')
}

/// What is refused of any name: control and invisible characters, and what trimming or NFKC would change.
pub(super) fn sound(text: &str) -> Result<(), NameRefused> {
    let category = CodePointMapData::<GeneralCategory>::new();
    let hidden = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    for c in text.chars().filter(|c| !c.is_ascii() || c.is_ascii_control()) {
        let kind = category.get(c);
        // A line or paragraph separator ends a line in whatever log shows it.
        let ends_lines = matches!(kind, GeneralCategory::LineSeparator | GeneralCategory::ParagraphSeparator);
        if ends_lines || kind == GeneralCategory::Control {
            return Err(NameRefused::Control);
        }
        if kind == GeneralCategory::Format || hidden.contains(c) {
            return Err(NameRefused::Invisible);
        }
    }
    let is_normal = text.trim() == text && ComposingNormalizerBorrowed::new_nfkc().is_normalized(text);
    if is_normal { Ok(()) } else { Err(NameRefused::Denormal) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn letters_that_unicode_folds_are_one_name() {
        for (one, other) in [
            ("ALICE", "alice"),
            ("STRAßE", "strasse"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("ẞ", "ss"),
            ("ﬁn", "FIN"),
            ("Åse", "åse"),
            ("Ω", "ω"),
        ] {
            assert_eq!(casefold(one), casefold(other), "{one} {other}");
        }
        for (one, other) in [("álice", "alice"), ("ALİCE", "alice"), ("alıce", "alice"), ("jane  doe", "jane doe")] {
            assert_ne!(casefold(one), casefold(other), "{one} {other}");
        }
    }

    #[test]
    fn look_alikes_have_one_loose_fold() {
        for (one, other) in [
            ("álice", "alice"),
            ("ALİCE", "alice"),
            ("alıce", "Alice"),
            ("jane  doe", "Jane Doe"),
            ("jane\u{a0}doe", "jane doe"),
            ("ａｌｉｃｅ", "alice"),
            ("al\u{ad}ice", "alice"),
            ("straße", "STRASSE"),
        ] {
            assert_eq!(loose(one), loose(other), "{one} {other}");
        }
        assert_ne!(loose("alice"), loose("alise"));
    }

    proptest! {
        #[test]
        fn folding_twice_is_folding_once(text in "\\PC{0,12}") {
            prop_assert_eq!(casefold(&casefold(&text)), casefold(&text));
            prop_assert_eq!(loose(&loose(&text)), loose(&text));
        }

        #[test]
        fn a_name_and_its_casefold_look_alike(text in "\\PC{0,12}") {
            prop_assert_eq!(loose(&casefold(&text)), loose(&text));
        }

        #[test]
        fn what_is_folded_is_normal_and_folds_the_case_of_either_kind_away(text in "[a-zA-ZàéîõüßÀÉÎÕÜßøØłŁæÆçÇñÑ ]{0,12}") {
            prop_assert_eq!(casefold(&text.to_uppercase()), casefold(&text.to_lowercase()));
            prop_assert!(ComposingNormalizerBorrowed::new_nfkc().is_normalized(&casefold(&text)));
        }

        #[test]
        fn plain_names_fold_to_their_small_letters(text in "[!-~]([ ]?[!-~]){0,12}") {
            prop_assert!(is_plain(&text));
            prop_assert_eq!(casefold(&text), text.to_ascii_lowercase());
            prop_assert_eq!(loose(&text), text.to_ascii_lowercase());
        }
    }
}
