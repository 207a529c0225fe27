//! What one step works with: its surroundings, and the prompt and numbers that the logins of a session share.

use super::Inside;
use crate::event::Context;
use crate::facts::Method;
use crate::moment::Tick;
use crate::name::ResolvedUser;
use crate::prompt::{DeviceId, Number, PromptId};

/// One step: the surroundings and the session's prompt.
pub(crate) struct Step<'a, 'b> {
    pub(crate) cx: &'a mut Context<'b>,
    pub(crate) prompt: &'a mut Option<OpenPrompt>,
    /// The numbers that screens of this session show or showed (F8).
    pub(crate) numbers: &'a mut Vec<Number>,
}

/// The session's prompt, shared by its logins (B2).
#[derive(Clone, Debug)]
pub(crate) struct OpenPrompt {
    pub(crate) id: PromptId,
    pub(crate) user: ResolvedUser,
    pub(crate) ends: Tick,
    pub(crate) approved: Option<Approval>,
}

/// A phone's yes to the session's prompt.
#[derive(Clone, Debug)]
pub(crate) struct Approval {
    pub(crate) device: DeviceId,
    pub(crate) at: Tick,
    /// The number that came with it: it is the yes of the login whose screen shows this one (B2, F8).
    pub(crate) number: Option<Number>,
    /// Nobody waited for it when it came (A8): the record tells.
    pub(crate) late: bool,
}

impl Step<'_, '_> {
    pub(super) fn now(&self) -> Tick {
        self.cx.at.tick
    }

    /// A number that no other screen of this session shows: else a yes would be a yes to two of them (B2, F8).
    pub(super) fn fresh_number(&mut self) -> Number {
        const REMEMBERED: usize = 64;
        if self.numbers.len() >= REMEMBERED {
            self.numbers.remove(0);
        }
        let roll = (self.cx.dice)();
        // Ninety there are, so one of these is free.
        let fresh = (0..90).map(|more| Number::to_show(roll.wrapping_add(more))).find(|it| !self.numbers.contains(it));
        let number = fresh.unwrap_or_else(|| Number::to_show(roll));
        self.numbers.push(number);
        number
    }

    /// The approval that opens this door: of this user's prompt, where the rule takes a push at all (A1, A2).
    pub(super) fn approved(&self, inside: &Inside) -> Option<(PromptId, DeviceId)> {
        let prompt = self.prompt.as_ref()?;
        if prompt.user != *inside.first.user() || !inside.methods.contains(&Method::Push) {
            return None;
        }
        let approval = prompt.approved.as_ref().filter(|approval| inside.is_meant(approval.number))?;
        Some((prompt.id, approval.device.clone()))
    }
}
