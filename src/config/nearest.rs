//! The nearest right spelling of a word.

/// The candidate that the word most likely meant, if one is near enough: no more than one slip, and one more for
/// every four characters.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let slips_max = 1 + word.chars().count() / 4;
    let folded = word.to_lowercase();
    let slips = |candidate: &str| strsim::damerau_levenshtein(&folded, &candidate.to_lowercase());
    let scored = candidates.into_iter().map(|candidate| (slips(candidate), candidate));
    scored.filter(|(slips, _)| *slips <= slips_max).min().map(|(_, candidate)| candidate)
}

/// `did you mean …?` before what is allowed, where something is near.
pub(super) fn suggestion(word: &str, candidates: &[&str], allowed: &str) -> String {
    match nearest(word, candidates.iter().copied()) {
        Some(near) => format!("did you mean `{near}`? {allowed}"),
        None => allowed.to_owned(),
    }
}

/// `a, b, c`
pub(super) fn listed(words: &[&str]) -> String {
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_forgiven_and_another_word_is_not() {
        let keys = ["address", "append", "challenge"];
        assert_eq!(nearest("adress", keys), Some("address"));
        assert_eq!(nearest("chalenge", keys), Some("challenge"));
        assert_eq!(nearest("Address", keys), Some("address"));
        assert_eq!(nearest("pap", keys), None);
        assert_eq!(nearest("", keys), None);
    }
}
