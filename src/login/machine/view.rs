//! What the session and people who look may ask of a login. Nothing here changes anything.

use super::{Inside, Login, OwnerAt, Stage};
use crate::answer::Answer;
use crate::attempt::Attempt;
use crate::event::Question;
use crate::facts::Method;
use crate::key::{LoginKey, Proof, StateHash};
use crate::moment::Tick;
use crate::policy::Join;
use crate::prompt::Number;
use crate::record::{LoginId, Record};
use crate::session::{Waiting, WaitsFor};

impl Login {
    pub(crate) fn id(&self) -> LoginId {
        self.case.id
    }

    pub(crate) fn proof(&self) -> Proof {
        self.case.proof
    }

    pub(crate) fn is_of(&self, attempt: &Attempt) -> bool {
        // Rules C3: bound to the person, in whatever letters; what is no name is bound to its octets.
        let same_name = match (&self.case.user, &attempt.user) {
            (Ok(mine), Ok(theirs)) => mine.folded() == theirs.folded(),
            (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
            (Err(_), Err(_)) => self.case.user_octets == attempt.user_octets,
        };
        self.case.client == attempt.client && same_name
    }

    /// L and P in one, while it is not answered for good: who asks the same without Message-Authenticator waits for it (D5).
    pub(crate) fn same(&self) -> Option<LoginKey> {
        self.case.same.filter(|_| self.ended().is_none() && !self.is_gone())
    }

    /// The last look is under way.
    pub(crate) fn is_releasing(&self) -> bool {
        matches!(self.stage, Stage::Releasing { .. })
    }

    /// Every State of this login that must be found.
    pub(crate) fn states(&self) -> impl Iterator<Item = StateHash> + '_ {
        let unheard = self.case.unheard.and_then(|unheard| unheard.state);
        self.case.spent.iter().map(|spent| spent.state).chain(unheard).chain(self.open_state())
    }

    pub(crate) fn join_rule(&self) -> Join {
        self.case.client_policy().map_or(Join::Station, |client| client.join)
    }

    /// The State that may be answered now.
    pub(crate) fn open_state(&self) -> Option<StateHash> {
        match &self.stage {
            Stage::AnsweringPrimary { open, .. } | Stage::AwaitingAnswer { open, .. } => Some(open.state),
            Stage::AskingPrimary { .. }
            | Stage::ReadingName { .. }
            | Stage::HeldBack { .. }
            | Stage::ReadingUser { .. }
            | Stage::CheckingCode { .. }
            | Stage::CheckingNumber { .. }
            | Stage::Claiming { .. }
            | Stage::AwaitingPhone { .. }
            | Stage::Lingering { .. }
            | Stage::Releasing { .. }
            | Stage::Rejecting { .. }
            | Stage::Ended { .. }
            | Stage::Gone => None,
        }
    }

    /// The State that may be answered at this moment: one past its time is no State, even before anybody woke (C3).
    pub(crate) fn open_state_at(&self, now: Tick) -> Option<StateHash> {
        match &self.stage {
            Stage::AnsweringPrimary { open, .. } | Stage::AwaitingAnswer { open, .. } => {
                (open.until > now).then_some(open.state)
            }
            Stage::AskingPrimary { .. }
            | Stage::ReadingName { .. }
            | Stage::HeldBack { .. }
            | Stage::ReadingUser { .. }
            | Stage::CheckingCode { .. }
            | Stage::CheckingNumber { .. }
            | Stage::Claiming { .. }
            | Stage::AwaitingPhone { .. }
            | Stage::Lingering { .. }
            | Stage::Releasing { .. }
            | Stage::Rejecting { .. }
            | Stage::Ended { .. }
            | Stage::Gone => None,
        }
    }

    /// It began with a verified Message-Authenticator (D5).
    pub(crate) fn is_authentic(&self) -> bool {
        self.case.authentic
    }

    /// A prompt is being claimed.
    pub(crate) fn is_claiming(&self) -> bool {
        let owner = matches!(&self.stage, Stage::HeldBack { owner } if matches!(owner.at, OwnerAt::Claiming(..)));
        owner || matches!(self.stage, Stage::Claiming { .. })
    }

    /// Who answered a State before, with what, and what became of it: `None` if nobody did.
    pub(crate) fn spent_state(&self, state: StateHash) -> Option<(LoginKey, Proof, Option<&Answer>)> {
        let spent = self.case.spent.iter().find(|spent| spent.state == state)?;
        Some((spent.by, spent.answer, spent.result.as_ref()))
    }

    /// The answer, once there is one.
    pub(crate) fn ended(&self) -> Option<&Answer> {
        match &self.stage {
            Stage::Ended { answer, .. } => Some(answer),
            Stage::AskingPrimary { .. }
            | Stage::AnsweringPrimary { .. }
            | Stage::ReadingName { .. }
            | Stage::HeldBack { .. }
            | Stage::ReadingUser { .. }
            | Stage::CheckingCode { .. }
            | Stage::CheckingNumber { .. }
            | Stage::Claiming { .. }
            | Stage::AwaitingPhone { .. }
            | Stage::AwaitingAnswer { .. }
            | Stage::Lingering { .. }
            | Stage::Releasing { .. }
            | Stage::Rejecting { .. }
            | Stage::Gone => None,
        }
    }

    /// The answer that is repeated at this moment: past its ten seconds there is none, even before anybody woke (B2).
    pub(crate) fn repeats_at(&self, now: Tick) -> Option<&Answer> {
        match &self.stage {
            Stage::Ended { answer, until } => {
                let until = self.case.unheard.map_or(*until, |unheard| unheard.repeats_until.min(*until));
                (until > now).then_some(answer)
            }
            Stage::AskingPrimary { .. }
            | Stage::AnsweringPrimary { .. }
            | Stage::ReadingName { .. }
            | Stage::HeldBack { .. }
            | Stage::ReadingUser { .. }
            | Stage::CheckingCode { .. }
            | Stage::CheckingNumber { .. }
            | Stage::Claiming { .. }
            | Stage::AwaitingPhone { .. }
            | Stage::AwaitingAnswer { .. }
            | Stage::Lingering { .. }
            | Stage::Releasing { .. }
            | Stage::Rejecting { .. }
            | Stage::Gone => None,
        }
    }

    /// The phone ended it while this State was open, and whoever answers it now hears how.
    pub(crate) fn tells_end_of(&self, state: StateHash, now: Tick) -> bool {
        let over = matches!(self.stage, Stage::Rejecting { .. } | Stage::Ended { answer: Answer::Reject(_), .. });
        over && self.case.unheard.is_some_and(|unheard| unheard.state == Some(state) && unheard.until > now)
    }

    /// It is refused, and the refusal waits its delay.
    pub(crate) fn is_rejecting(&self) -> bool {
        matches!(self.stage, Stage::Rejecting { .. })
    }

    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.stage, Stage::Gone)
    }

    /// Somebody waits for the phone here, and since when the newest does.
    pub(crate) fn newest_at_phone(&self) -> Option<Tick> {
        (matches!(self.stage, Stage::AwaitingPhone { .. }) || self.owner_rings())
            .then(|| self.case.askers.newest().map(|asker| asker.since))
            .flatten()
    }

    /// Its screen shows a number, or was chosen by it just now: who asks again is shown one of its own (F8).
    pub(crate) fn shows_number(&self) -> bool {
        self.stage.inside_at_prompt().or(self.chosen()).is_some_and(|inside| inside.asks.number.shown().is_some())
    }

    /// It is being let in by a phone.
    fn chosen(&self) -> Option<&Inside> {
        let Stage::Releasing { inside, second, .. } = &self.stage else { return None };
        (second.method() == Some(Method::Push)).then_some(inside)
    }

    /// Digits that somebody typed are being looked at.
    pub(crate) fn awaits_number(&self, asked: Question) -> bool {
        matches!(&self.stage, Stage::CheckingNumber { question, .. } if *question == asked)
    }

    /// A yes with this number is a yes to this login (B2).
    pub(crate) fn is_meant(&self, number: Option<Number>) -> bool {
        self.stage.inside_at_prompt().is_some_and(|inside| inside.is_meant(number))
            || (self.owner_rings() && number.is_none())
    }

    /// A yes to this login brings a number (F8).
    pub(crate) fn expects_number(&self) -> bool {
        self.stage.inside_at_prompt().is_some_and(|inside| inside.asks.number.expects().is_some())
    }

    /// A challenge beside the prompt is out, so an approval waits for its answer (B5).
    pub(crate) fn awaits_answer(&self) -> bool {
        matches!(self.stage, Stage::AwaitingAnswer { .. } | Stage::CheckingCode { .. } | Stage::CheckingNumber { .. })
    }

    /// This login has a part in the session's prompt.
    pub(crate) fn at_prompt(&self) -> bool {
        self.stage.inside_at_prompt().is_some() || self.owner_rings()
    }

    /// The owner of a name that is held back is asked on the phone (D7).
    fn owner_rings(&self) -> bool {
        matches!(&self.stage, Stage::HeldBack { owner } if owner.rings())
    }

    /// The owner said yes, and what that opens is not decided yet: the prompt is still of use.
    pub(crate) fn keeps_a_yes(&self) -> bool {
        self.case.owner.is_some()
            && matches!(
                self.stage,
                Stage::AskingPrimary { .. } | Stage::AnsweringPrimary { .. } | Stage::ReadingUser { .. }
            )
    }

    /// It waits for the phone and for nothing else: without a prompt that is no state to be in.
    pub(crate) fn needs_prompt(&self) -> bool {
        matches!(self.stage, Stage::AwaitingPhone { .. } | Stage::Lingering { .. }) || self.owner_rings()
    }

    /// It waits for a person: counted as held.
    pub(crate) fn is_held(&self) -> bool {
        self.at_prompt()
            || matches!(self.stage, Stage::AnsweringPrimary { .. } | Stage::Claiming { .. } | Stage::HeldBack { .. })
    }

    /// What it waits for, if it waits for anything.
    pub(crate) fn waiting(&self, prompt_is_out: bool) -> Option<Waiting> {
        let waits_for = match &self.stage {
            Stage::AskingPrimary { .. } => WaitsFor::Primary,
            Stage::AnsweringPrimary { .. } => WaitsFor::PrimaryAnswer,
            Stage::ReadingName { .. }
            | Stage::ReadingUser { .. }
            | Stage::CheckingCode { .. }
            | Stage::CheckingNumber { .. }
            | Stage::Claiming { .. }
            | Stage::Releasing { .. } => WaitsFor::Store,
            Stage::AwaitingPhone { .. } | Stage::Lingering { .. } => WaitsFor::Phone,
            Stage::HeldBack { owner } if owner.rings() => WaitsFor::Phone,
            Stage::HeldBack { .. } => WaitsFor::Primary,
            Stage::AwaitingAnswer { .. } if prompt_is_out => WaitsFor::PhoneOrAnswer,
            Stage::AwaitingAnswer { .. } => WaitsFor::Answer,
            Stage::Rejecting { .. } | Stage::Ended { .. } | Stage::Gone => return None,
        };
        let case = &self.case;
        Some(Waiting {
            login: case.id,
            vouched: case.vouched.clone(),
            name: String::from_utf8_lossy(&case.user_octets).into_owned(),
            client: case.client.clone(),
            station: case.station.clone(),
            rule: case.rule.as_ref().map(|rule| rule.name.clone()),
            waits_for,
            since: case.began.tick,
            askers: case.askers.asked(),
        })
    }

    /// The next moment at which this login must be woken.
    pub(crate) fn deadline(&self) -> Option<Tick> {
        match &self.stage {
            Stage::AnsweringPrimary { open, .. } | Stage::AwaitingAnswer { open, .. } => Some(open.until),
            Stage::Rejecting { at, .. } => Some(*at),
            Stage::Ended { until, .. } => Some(*until),
            Stage::AskingPrimary { .. }
            | Stage::ReadingName { .. }
            | Stage::HeldBack { .. }
            | Stage::ReadingUser { .. }
            | Stage::CheckingCode { .. }
            | Stage::CheckingNumber { .. }
            | Stage::Claiming { .. }
            | Stage::AwaitingPhone { .. }
            | Stage::Releasing { .. } => self.case.askers.newest().map(|asker| asker.until),
            Stage::Lingering { .. } | Stage::Gone => None,
        }
    }

    /// About how many octets it takes, for the bound of the map (G1). What several parts share counts for each.
    pub(crate) fn bytes(&self) -> usize {
        let stage = match &self.stage {
            Stage::ReadingName { password, .. } => password.expose().len(),
            Stage::HeldBack { owner } => owner.password.expose().len(),
            Stage::ReadingUser { first, .. } => first.attributes().bytes(),
            Stage::CheckingCode { inside, .. }
            | Stage::CheckingNumber { inside, .. }
            | Stage::Claiming { inside, .. }
            | Stage::AwaitingPhone { inside }
            | Stage::Lingering { inside } => inside.bytes(),
            Stage::Releasing { inside, .. } => inside.bytes() + size_of::<Record>(),
            Stage::AwaitingAnswer { inside, open } => inside.bytes() + open.bytes(),
            Stage::AnsweringPrimary { open, state, .. } => open.bytes() + state.len(),
            Stage::Rejecting { reject, .. } => reject.bytes(),
            Stage::Ended { answer, .. } => answer.bytes(),
            Stage::AskingPrimary { .. } | Stage::Gone => 0,
        };
        size_of::<Self>() + self.case.bytes() + stage
    }
}

impl Stage {
    /// Both doors' facts of a login that has a part in the session's prompt.
    pub(super) fn inside_at_prompt(&self) -> Option<&Inside> {
        match self {
            Self::AwaitingPhone { inside }
            | Self::AwaitingAnswer { inside, .. }
            | Self::Lingering { inside }
            | Self::CheckingCode { inside, .. }
            | Self::CheckingNumber { inside, .. } => Some(inside),
            Self::AskingPrimary { .. }
            | Self::AnsweringPrimary { .. }
            | Self::ReadingName { .. }
            | Self::HeldBack { .. }
            | Self::ReadingUser { .. }
            | Self::Claiming { .. }
            | Self::Releasing { .. }
            | Self::Rejecting { .. }
            | Self::Ended { .. }
            | Self::Gone => None,
        }
    }
}
