//! What a login knows once its first door is open, and the challenge that it may have out.
//!
//! It says what is asked of the phone and what the person reads; whether a yes is meant for this login is decided here, by
//! its number (rules F8).

use std::sync::Arc;

use wire::HeldAttributes;

use crate::answer::PrimaryAccepted;
use crate::facts::{Method, Opens};
use crate::key::StateHash;
use crate::moment::Tick;
use crate::mutant::{self, Mutant};
use crate::name::GroupName;
use crate::policy::Rule;
use crate::prompt::{Asks, Number, NumberMatch};
use crate::words::Say;

/// Both doors' facts, once the first one is open.
#[derive(Debug)]
pub(super) struct Inside {
    pub(super) first: PrimaryAccepted,
    pub(super) rule: Arc<Rule>,
    /// The methods that the rule lists.
    pub(super) methods: Vec<Method>,
    /// Those of them that the user has.
    pub(super) usable: Vec<Method>,
    pub(super) groups: Arc<[GroupName]>,
    pub(super) station_known: bool,
    /// What the phone must prove (B4, F8).
    pub(super) asks: Asks,
    /// It claimed or joined the prompt that is out: only then is a yes to it one to this login.
    pub(super) at_phone: bool,
    /// No phone of the user rings by itself, until this is opened.
    pub(super) must_open: Option<Opens>,
}

impl Inside {
    /// The kinds of codes that the rule lists, those first that the user has: a wrong code is one of the first kind.
    pub(super) fn code_methods(&self) -> Vec<Method> {
        let mut listed: Vec<Method> = self.methods.iter().copied().filter(|method| method.is_code()).collect();
        listed.sort_by_key(|method| !self.usable.contains(method));
        listed
    }

    /// A yes with this number is a yes to this login.
    pub(super) fn is_meant(&self, number: Option<Number>) -> bool {
        self.at_phone && (self.asks.number.expects() == number || mutant::is(Mutant::ApprovalOfAnother))
    }

    /// No phone is asked, or none any more: its screen shows no number, and nobody's yes is one to it.
    pub(super) fn without_phone(self) -> Self {
        Self { asks: Asks::default(), at_phone: false, ..self }
    }

    /// What the challenge says while the phone is waited for.
    pub(super) fn waiting_for_phone(&self) -> Say {
        match (self.asks.number, self.must_open) {
            (NumberMatch::Typed(_), _) => self.waiting_without_codes(),
            _ if !self.has_codes() => self.waiting_without_codes(),
            (NumberMatch::Off, None) => Say::ApproveOrCode,
            (NumberMatch::Off, Some(Opens::App)) => Say::OpenAppOrCode,
            (NumberMatch::Off, Some(Opens::Page)) => Say::OpenPageOrCode,
            (NumberMatch::Shown(number), None) => Say::TypeNumberOrCode(number),
            (NumberMatch::Shown(number), Some(Opens::App)) => Say::OpenAppChooseOrCode(number),
            (NumberMatch::Shown(number), Some(Opens::Page)) => Say::OpenPageTypeNumberOrCode(number),
        }
    }

    /// The same, where a code can't help now.
    pub(super) fn waiting_without_codes(&self) -> Say {
        match (self.asks.number, self.must_open) {
            (NumberMatch::Off, None) => Say::Approve,
            (NumberMatch::Off, Some(Opens::App)) => Say::OpenApp,
            (NumberMatch::Off, Some(Opens::Page)) => Say::OpenPage,
            (NumberMatch::Shown(number), None) => Say::TypeNumber(number),
            (NumberMatch::Shown(number), Some(Opens::App)) => Say::OpenAppChoose(number),
            (NumberMatch::Shown(number), Some(Opens::Page)) => Say::OpenPageTypeNumber(number),
            (NumberMatch::Typed(_), None) => Say::TypeDigits,
            (NumberMatch::Typed(_), Some(Opens::App)) => Say::OpenAppTypeDigits,
            (NumberMatch::Typed(_), Some(Opens::Page)) => Say::OpenPageTypeDigits,
        }
    }

    pub(super) fn has_codes(&self) -> bool {
        self.usable.iter().any(|method| method.is_code())
    }

    pub(super) fn bytes(&self) -> usize {
        let methods = (self.methods.capacity() + self.usable.capacity()) * size_of::<Method>();
        self.first.attributes().bytes() + methods + size_of_val(&*self.groups)
    }
}

/// A challenge of ours, or of the primary's, that is out.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) state: StateHash,
    pub(super) until: Tick,
    pub(super) challenge: OpenChallenge,
}

impl Open {
    pub(super) fn bytes(&self) -> usize {
        match &self.challenge {
            OpenChallenge::Ours { .. } => 0,
            OpenChallenge::Primary(attributes) => attributes.bytes(),
        }
    }
}

/// What was asked, so that the same can be asked again under the same State (B2).
#[derive(Clone, Debug)]
pub(super) enum OpenChallenge {
    Ours { round: u32, say: Say },
    Primary(Arc<HeldAttributes>),
}
