//! Just enough of Rust's surface to read it honestly: comments and literals are blanked, and test code is told from product code.
//! Every function keeps the length and the line breaks of its input, so a place found in the output is a place in the file.
//! It never judges: what is forbidden where is said in `rules` and `imports`.

/// The code of a file: comments, strings and characters are blank.
pub(crate) fn code(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match skipped(bytes, at) {
            Some(end) => end.min(bytes.len()),
            None => {
                at += 1;
                continue;
            }
        };
        blank(&mut out[at..end]);
        at = end;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// `code` with every item under `#[cfg(test)]` blanked: what the product is built from.
pub(crate) fn product(code: &str) -> String {
    let mut out = code.as_bytes().to_vec();
    for (start, end) in test_items(code) {
        blank(&mut out[start..end]);
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// `code` with everything but the items under `#[cfg(test)]` blanked.
pub(crate) fn tests(code: &str) -> String {
    let mut out = code.as_bytes().to_vec();
    blank(&mut out);
    for (start, end) in test_items(code) {
        out[start..end].copy_from_slice(&code.as_bytes()[start..end]);
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The lines that hold `word`, not as the tail of a longer identifier, numbered from 1.
pub(crate) fn lines_with(code: &str, word: &str) -> Vec<usize> {
    let holds = |line: &str| line.match_indices(word).any(|(at, _)| !line[..at].ends_with(is_identifier));
    code.lines().enumerate().filter(|(_, line)| holds(line)).map(|(index, _)| index + 1).collect()
}

pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

pub(crate) fn is_identifier(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn blank(bytes: &mut [u8]) {
    bytes.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
}

/// Where the comment or literal that begins at `at` ends, if one begins there.
fn skipped(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    let after_identifier = at > 0 && is_identifier(char::from(bytes[at - 1]));
    match rest {
        [b'/', b'/', ..] => Some(at + find(rest, b"\n").unwrap_or(rest.len())),
        [b'/', b'*', ..] => Some(at + block_comment(rest)),
        [b'"', ..] => Some(at + quoted(rest, b'"')),
        [b'r', b'"' | b'#', ..] if !after_identifier => raw_string(&rest[1..]).map(|length| at + 1 + length),
        [b'b' | b'c', b'r', b'"' | b'#', ..] if !after_identifier => {
            raw_string(&rest[2..]).map(|length| at + 2 + length)
        }
        [b'\'', b'\\', ..] => Some(at + quoted(rest, b'\'')),
        [b'\'', ..] => character(rest).map(|length| at + length),
        _ => None,
    }
}

fn block_comment(bytes: &[u8]) -> usize {
    let (mut at, mut depth) = (2, 1);
    while at < bytes.len() && depth > 0 {
        match &bytes[at..] {
            [b'/', b'*', ..] => (at, depth) = (at + 2, depth + 1),
            [b'*', b'/', ..] => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
    }
    at
}

fn quoted(bytes: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// A raw string from its hashes or quote on; a raw identifier (`r#type`) is none.
fn raw_string(bytes: &[u8]) -> Option<usize> {
    let hashes = bytes.iter().take_while(|byte| **byte == b'#').count();
    if bytes.get(hashes) != Some(&b'"') {
        return None;
    }
    let close = [b"\"".as_slice(), &bytes[..hashes]].concat();
    let body = &bytes[hashes + 1..];
    Some(hashes + 1 + find(body, &close).map_or(body.len(), |end| end + close.len()))
}

/// A character literal; a lifetime is none.
fn character(bytes: &[u8]) -> Option<usize> {
    let length = std::str::from_utf8(&bytes[1..bytes.len().min(5)])
        .or_else(|error| std::str::from_utf8(&bytes[1..1 + error.valid_up_to()]))
        .ok()?;
    let end = 1 + length.chars().next()?.len_utf8();
    (bytes.get(end) == Some(&b'\'')).then_some(end + 1)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// From each `#[cfg(test)]` to the end of the item under it: its closing brace, or the semicolon of one without a body.
fn test_items(code: &str) -> Vec<(usize, usize)> {
    let mut items: Vec<(usize, usize)> = Vec::new();
    for (start, attribute) in code.match_indices("#[cfg(test)]") {
        if items.last().is_none_or(|(_, end)| start >= *end) {
            items.push((start, item_end(code, start + attribute.len())));
        }
    }
    items
}

fn item_end(code: &str, from: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b'}' if depth <= 1 => return at + 1,
            b'}' => depth -= 1,
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

#[test]
fn comments_and_literals_are_not_code() {
    let text =
        "a(\"x // y\\\"\"); // b\n/* c /* d */ e */ f::<'g>('h', '\\'', 'é', b'i', r#\"j \" k\"#, br\"l\"); r#type\n";
    let code = code(text);
    for blanked in ["x", " y", "b\n", "d", "h", "é", "j", "k\"", "l\""] {
        assert!(!code.contains(blanked), "{blanked:?} is still in {code:?}");
    }
    for kept in ["a(", "f::<'g>(", "r#type"] {
        assert!(code.contains(kept), "{kept:?} is not in {code:?}");
    }
    assert_eq!((code.len(), code.lines().count()), (text.len(), text.lines().count()));
}

#[test]
fn test_code_is_told_from_product_code() {
    let code = "fn a() {}\n#[cfg(test)]\nfn b() { c([1; 2]) }\nfn d() {}\n#[cfg(test)]\nuse e;\nfn f() {}\n#[cfg(test)]\nmod tests { fn g() {} }\n";
    let (product, tests) = (product(code), tests(code));
    for (word, in_product) in
        [("a()", true), ("c(", false), ("d()", true), ("use e", false), ("f()", true), ("g()", false)]
    {
        assert_eq!((product.contains(word), tests.contains(word)), (in_product, !in_product), "{word}");
    }
    assert_eq!(product.lines().count(), code.lines().count());
}

#[test]
fn a_word_is_not_the_tail_of_a_longer_one() {
    assert_eq!(lines_with("nosleep(1)\nsleep(2)\ntime::sleep(3)\n", "sleep("), [2, 3]);
}
