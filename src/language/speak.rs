//! The texts themselves: the files of each language, read once, and a text with its arguments filled in.
//!
//! Arguments go in as they are, without marks around them (`set_use_isolating(false)`): U+2068 and U+2069 would reach the VPN
//! prompt as dirt.

use std::borrow::Cow;
use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use unic_langid::LanguageIdentifier;

use super::Language;

/// A room's file: the prefix of its keys, and its text.
pub(super) type File = (&'static str, &'static str);

macro_rules! files {
    ($tag:literal) => {
        [
            ("admin", include_str!(concat!($tag, "/admin.ftl"))),
            ("app", include_str!(concat!($tag, "/app.ftl"))),
            ("common", include_str!(concat!($tag, "/common.ftl"))),
            ("mail", include_str!(concat!($tag, "/mail.ftl"))),
            ("phone", include_str!(concat!($tag, "/phone.ftl"))),
            ("portal", include_str!(concat!($tag, "/portal.ftl"))),
            ("vpn", include_str!(concat!($tag, "/vpn.ftl"))),
        ]
    };
}

static ENGLISH: [File; 7] = files!("en");
static GERMAN: [File; 7] = files!("de");
static DUTCH: [File; 7] = files!("nl");
static FRENCH: [File; 7] = files!("fr");

/// What a text is told: words or a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arg<'a> {
    Text(Cow<'a, str>),
    Number(u64),
}

impl<'a> From<&'a str> for Arg<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Arg<'_> {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<u64> for Arg<'_> {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for Arg<'_> {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<usize> for Arg<'_> {
    fn from(number: usize) -> Self {
        Self::Number(number as u64)
    }
}

/// The text of `key`; in English where the language lacks it, and the key itself where nobody wrote it. Escapes nothing.
#[must_use]
pub fn text(language: Language, key: &str) -> Cow<'static, str> {
    spoken(language, key, None).unwrap_or_else(|| key.to_owned().into())
}

/// As [`text`], with the arguments filled in. They stand in the text as they are: escape the whole where it is shown.
#[must_use]
pub fn text_with(language: Language, key: &str, args: &[(&str, Arg<'_>)]) -> String {
    let args: FluentArgs<'_> = args.iter().map(|(name, arg)| (*name, value(arg))).collect();
    spoken(language, key, Some(&args)).map_or_else(|| key.to_owned(), Cow::into_owned)
}

/// The files of a language.
pub(super) fn files(language: Language) -> &'static [File] {
    match language {
        Language::English => &ENGLISH,
        Language::German => &GERMAN,
        Language::Dutch => &DUTCH,
        Language::French => &FRENCH,
    }
}

type Bundle = FluentBundle<FluentResource>;

fn bundle(language: Language) -> &'static Bundle {
    static ENGLISH: LazyLock<Bundle> = LazyLock::new(|| made(Language::English));
    static GERMAN: LazyLock<Bundle> = LazyLock::new(|| made(Language::German));
    static DUTCH: LazyLock<Bundle> = LazyLock::new(|| made(Language::Dutch));
    static FRENCH: LazyLock<Bundle> = LazyLock::new(|| made(Language::French));
    match language {
        Language::English => &ENGLISH,
        Language::German => &GERMAN,
        Language::Dutch => &DUTCH,
        Language::French => &FRENCH,
    }
}

fn made(language: Language) -> Bundle {
    // Our tags are well-formed; were one not, plurals would be counted as nobody's.
    let identifier: LanguageIdentifier = language.as_tag().parse().unwrap_or_default();
    let mut bundle = FluentBundle::new_concurrent(vec![identifier]);
    bundle.set_use_isolating(false);
    for (_, source) in files(language) {
        // What can be read of a file that has a mistake is spoken; the tests refuse the mistake.
        let resource = FluentResource::try_new((*source).to_owned()).unwrap_or_else(|(readable, _)| readable);
        bundle.add_resource_overriding(resource);
    }
    bundle
}

fn spoken(language: Language, key: &str, args: Option<&FluentArgs<'_>>) -> Option<Cow<'static, str>> {
    let of = |language| {
        let bundle = bundle(language);
        let pattern = bundle.get_message(key)?.value()?;
        // A missing argument stands as `{$name}`: seen, and harmless.
        Some(bundle.format_pattern(pattern, args, &mut Vec::new()))
    };
    of(language).or_else(|| of(Language::English))
}

fn value<'a>(arg: &'a Arg<'_>) -> FluentValue<'a> {
    match arg {
        Arg::Text(text) => FluentValue::String(Cow::Borrowed(text)),
        Arg::Number(number) => FluentValue::from(*number),
    }
}
