//! What was sent already, and what came of it: so that a form that is sent twice is done once, and shows twice what it came to.
//!
//! A double click, a reload, a second tab: a browser sends the same form again, often under the id that it had before the first
//! answer. Whoever sends the same fields from the same page gets the first send's result; whoever sends them while the first is
//! looked at waits for it. A result is kept for its browser alone, for minutes, in memory only, wiped when it goes (rules F1); that
//! it was sent is known for longer, and then the form is not done again. All of it is bounded (rules G1).
//!
//! An id is handed out a second time only to who sends the very page's token and fields under the id before it, within a minute,
//! and only while nobody used the new one: what somebody planted or saw before is worth nothing after.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use login::Tick;
use subtle::ConstantTimeEq;
use tokio::sync::watch;
use wire::Secret;

/// Ids of browsers whose forms are remembered; the oldest goes first.
const BROWSERS_MAX: usize = 4_096;
/// Forms of one id; the oldest goes first.
const SENDS_MAX: usize = 64;
/// Forms of people who are not signed in, while they are looked at; theirs never push out anybody else's.
const STRANGERS_MAX: usize = 1_024;
/// Octets of all pages that are kept.
const PAGES_OCTETS_MAX: usize = 16 * 1024 * 1024;
/// A page is kept so long; then it is only known that its form was sent.
const PAGE_KEPT: Duration = Duration::from_secs(10 * 60);
/// A double click comes within this; later nobody is handed an id again.
pub(super) const AGAIN_WITHIN: Duration = Duration::from_secs(60);
/// Ids that a session had before, as far as they are followed.
const ANCESTORS_MAX: usize = 16;

/// What the store knows a browser's id by.
type Id = [u8; 32];
/// A hash over method, path and fields, but not the token; or over the token.
type Hash = [u8; 32];

/// All that is remembered of one realm's forms.
#[derive(Default)]
pub(super) struct Sends(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    browsers: HashMap<Id, Browser>,
    /// The oldest first.
    order: VecDeque<Id>,
    /// What people who are not signed in sent, the oldest first; once it signed them in it is with the others.
    strangers: VecDeque<(Id, Arc<Sent>)>,
    /// Pages that are kept, the oldest first.
    pages: VecDeque<(Tick, Arc<Sent>)>,
    octets: usize,
}

#[derive(Default)]
struct Browser {
    /// The id before this one, and the key of its forms' tokens.
    before: Option<(Id, Secret)>,
    /// Somebody came with it: the browser has it.
    arrived: bool,
    sends: VecDeque<Arc<Sent>>,
}

/// One form that was sent.
#[derive(Debug)]
pub(super) struct Sent {
    act: Hash,
    token: Hash,
    stands: watch::Sender<Stands>,
}

#[derive(Clone, Debug)]
enum Stands {
    Runs,
    /// Whoever did it left before its end.
    Left,
    Done(Arc<Outcome>),
}

/// What a form came to.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) status: StatusCode,
    /// Without the cookie.
    pub(super) headers: HeaderMap,
    pub(super) cookie: Option<Secret>,
    /// `None`: it was too long to be kept.
    pub(super) page: Mutex<Option<Secret>>,
    pub(super) done_at: Tick,
    /// The id that the browser had, and the one it was given.
    pub(super) before: Id,
    pub(super) after: Option<Id>,
    /// It ended the session, or gave it another id: forms that were shown before are old.
    pub(super) turned: bool,
}

/// Who sent a form.
pub(super) struct From {
    pub(super) id: Id,
    pub(super) whose: Whose,
    /// Somebody is signed in, in whatever step.
    pub(super) signed: bool,
}

/// Whose token a form brings.
pub(super) enum Whose {
    /// A page's of this very id.
    Own,
    /// A page's that was shown under an id that the session had before.
    Earlier(Id),
    /// Nobody's.
    None,
}

/// What is to be done with a form.
pub(super) enum Turn {
    /// Nobody sent it: it is done, and what it came to is told here.
    First(Doing),
    /// It is being done.
    Waits(Waits),
    /// It was done, and came to this.
    Done(Arc<Outcome>),
    /// It is refused by whom it is for.
    Refused,
}

/// A form that is being done; dropped before its end, the next who sends it does it.
pub(super) struct Doing {
    sent: Arc<Sent>,
}

/// Waits for the end of the first send.
pub(super) struct Waits(watch::Receiver<Stands>);

impl Waits {
    /// What it came to; `None`: whoever did it left before its end.
    pub(super) async fn end(mut self) -> Option<Arc<Outcome>> {
        let stands = self.0.wait_for(|stands| !matches!(stands, Stands::Runs)).await.ok()?.clone();
        match stands {
            Stands::Done(outcome) => Some(outcome),
            Stands::Runs | Stands::Left => None,
        }
    }
}

impl Sent {
    fn stands(&self) -> Stands {
        self.stands.borrow().clone()
    }

    fn runs(&self) -> bool {
        matches!(*self.stands.borrow(), Stands::Runs)
    }
}

impl Drop for Doing {
    fn drop(&mut self) {
        self.sent.stands.send_if_modified(|stands| {
            let left = matches!(stands, Stands::Runs);
            if left {
                *stands = Stands::Left;
            }
            left
        });
    }
}

impl Sends {
    /// The browser has this id.
    pub(super) fn arrived(&self, id: &Id, now: Tick) {
        let mut all = self.lock();
        all.sweep(now);
        if let Some(browser) = all.browsers.get_mut(id) {
            browser.arrived = true;
        }
    }

    /// Whether the id that this was answered with is still nobody's.
    pub(super) fn is_on_its_way(&self, outcome: &Outcome) -> bool {
        let all = self.lock();
        outcome.after.and_then(|id| all.browsers.get(&id)).is_some_and(|browser| !browser.arrived)
    }

    /// Whose page this token is of, where it is none of this id's: `fits` says whether it was made with a key.
    pub(super) fn earlier(&self, id: &Id, fits: impl Fn(&[u8]) -> bool) -> Whose {
        let all = self.lock();
        let mut at = all.browsers.get(id).and_then(|browser| browser.before.as_ref());
        for _ in 0..ANCESTORS_MAX {
            let Some((before, key)) = at else { break };
            if fits(key.expose()) {
                return Whose::Earlier(*before);
            }
            at = all.browsers.get(before).and_then(|browser| browser.before.as_ref());
        }
        Whose::None
    }

    /// A form with this act and token came from a browser with this id.
    pub(super) fn turn(&self, from: &From, act: Hash, token: Hash, now: Tick) -> Turn {
        let From { id, whose, signed } = from;
        let mut all = self.lock();
        all.sweep(now);
        let equal = |sent: &&Arc<Sent>| same(&sent.act, &act) && same(&sent.token, &token);
        if let Some(sent) = all.line(id).find(equal) {
            match sent.stands() {
                Stands::Runs => return Turn::Waits(Waits(sent.stands.subscribe())),
                // What was refused for what was typed may be right a while later.
                Stands::Done(outcome) if outcome.did() || now.since(outcome.done_at) < AGAIN_WITHIN => {
                    return Turn::Done(outcome);
                }
                Stands::Done(_) | Stands::Left => {}
            }
        }
        match whose {
            Whose::Own => {
                // Another tab of the same browser sends the same in the same moment.
                if let Some(sent) = all.of(id).find(|sent| same(&sent.act, &act) && sent.runs()) {
                    return Turn::Waits(Waits(sent.stands.subscribe()));
                }
                Turn::First(all.begin(id, *signed, act, token))
            }
            // Another tab did just this, and so made this page an old one.
            Whose::Earlier(before) => {
                for sent in all.of(before).filter(|sent| same(&sent.act, &act)) {
                    match sent.stands() {
                        Stands::Runs => return Turn::Waits(Waits(sent.stands.subscribe())),
                        Stands::Done(outcome) if outcome.turned => return Turn::Done(outcome),
                        Stands::Done(_) | Stands::Left => {}
                    }
                }
                Turn::Refused
            }
            Whose::None => Turn::Refused,
        }
    }

    /// It was done and came to this. Where `keep` is false, only who waits now hears of it, and the next who sends it does it anew.
    pub(super) fn done(&self, doing: &Doing, outcome: Outcome, keep: bool, key: Secret) -> Arc<Outcome> {
        let outcome = Arc::new(outcome);
        doing.sent.stands.send_replace(Stands::Done(Arc::clone(&outcome)));
        let mut all = self.lock();
        all.strangers.retain(|(_, sent)| !Arc::ptr_eq(sent, &doing.sent));
        if let Some(browser) = all.browsers.get_mut(&outcome.before) {
            browser.sends.retain(|sent| !Arc::ptr_eq(sent, &doing.sent));
        }
        if !keep {
            return outcome;
        }
        all.browser(&outcome.before).keep(&doing.sent);
        if let Some(after) = outcome.after {
            all.browser(&after).before = Some((outcome.before, key));
        }
        all.octets += outcome.octets();
        all.pages.push_back((outcome.done_at, Arc::clone(&doing.sent)));
        outcome
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remembered {
    /// What was sent under this id, the newest first.
    fn of<'a>(&'a self, id: &'a Id) -> impl Iterator<Item = &'a Arc<Sent>> {
        let strangers = self.strangers.iter().filter(move |(whose, _)| whose == id).map(|(_, sent)| sent);
        strangers.chain(self.browsers.get(id).into_iter().flat_map(|browser| browser.sends.iter().rev()))
    }

    /// The same, and under those that the session had before.
    fn line<'a>(&'a self, id: &'a Id) -> impl Iterator<Item = &'a Arc<Sent>> {
        let before = |id: &&'a Id| self.browsers.get(*id).and_then(|browser| browser.before.as_ref()).map(|(id, _)| id);
        std::iter::successors(Some(id), before).take(ANCESTORS_MAX).flat_map(|id| self.of(id))
    }

    fn begin(&mut self, id: &Id, signed: bool, act: Hash, token: Hash) -> Doing {
        let sent = Arc::new(Sent { act, token, stands: watch::Sender::new(Stands::Runs) });
        if signed {
            self.browser(id).keep(&sent);
        } else {
            if self.strangers.len() >= STRANGERS_MAX {
                self.strangers.pop_front();
            }
            self.strangers.push_back((*id, Arc::clone(&sent)));
        }
        Doing { sent }
    }

    fn browser(&mut self, id: &Id) -> &mut Browser {
        if !self.browsers.contains_key(id) {
            if self.order.len() >= BROWSERS_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.browsers.remove(&oldest);
            }
            self.order.push_back(*id);
        }
        self.browsers.entry(*id).or_default()
    }

    /// Pages go when their time is over, or when there are too many.
    fn sweep(&mut self, now: Tick) {
        while let Some((done_at, sent)) = self.pages.front() {
            if now.since(*done_at) < PAGE_KEPT && self.octets <= PAGES_OCTETS_MAX {
                return;
            }
            if let Stands::Done(outcome) = sent.stands() {
                self.octets = self.octets.saturating_sub(outcome.octets());
                outcome.forget_page();
            }
            self.pages.pop_front();
        }
    }
}

impl Browser {
    fn keep(&mut self, sent: &Arc<Sent>) {
        // Whoever left before the end left nothing to be shown.
        self.sends.retain(|sent| !matches!(*sent.stands.borrow(), Stands::Left));
        if self.sends.len() >= SENDS_MAX {
            self.sends.pop_front();
        }
        self.sends.push_back(Arc::clone(sent));
    }
}

impl Outcome {
    /// What was shown, as long as it is kept.
    pub(super) fn page(&self) -> Option<Secret> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether something was done.
    fn did(&self) -> bool {
        self.status.is_success() || self.status.is_redirection()
    }

    fn forget_page(&self) {
        // A redirect shows nothing that could go.
        if !self.status.is_redirection() {
            *self.page.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    fn octets(&self) -> usize {
        self.page.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map_or(0, Secret::len)
    }
}

fn same(one: &Hash, other: &Hash) -> bool {
    bool::from(one.ct_eq(other))
}
