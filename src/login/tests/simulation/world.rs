//! The simulated world of one seed: virtual time with its two faces, a queue of what happens next, and all who take part.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use login::event::{Effect, Event, LoginEvent};
use login::{
    AskerId, Claim, DeviceId, LoginKey, Moment, Number, PhoneAnswer, Policy, PrimaryAnswer, PromptId, PromptStatus,
    ProofKey, Tick, Wall,
};

use crate::appliance::{Act, Script};
use crate::dice::Dice;
use crate::engine::Engine;
use crate::network::Datagram;
use crate::phone::Tap;
use crate::reference::Reference;
use crate::scene::{APPLIANCES, Law, PEOPLE, WALL_0};
use crate::store::Store;
use crate::tally::Tally;

/// A rule that does not hold, and how.
pub(crate) type Violation = (&'static str, String);

/// What an invariant says.
pub(crate) type Check = Result<(), Violation>;

/// What happens at some moment.
#[derive(Debug)]
pub(crate) enum Happening {
    Act(usize, Act),
    Arrive(Datagram),
    Hear {
        script: usize,
        packet: Datagram,
        heard: crate::appliance::Heard,
    },
    Perform {
        epoch: u32,
        key: LoginKey,
        effect: Box<Effect>,
        tries: u32,
    },
    Deliver {
        epoch: u32,
        key: LoginKey,
        event: Box<Event>,
        genuine: bool,
    },
    Tell {
        epoch: u32,
        prompt: PromptId,
        event: Box<Event>,
    },
    /// The primary has answered: the place is given back, or it was one failure more (D7).
    Tried {
        epoch: u32,
        tried: usize,
        who: login::shield::Counted,
    },
    Sync {
        epoch: u32,
    },
    Wake {
        epoch: u32,
        key: LoginKey,
    },
    /// The engine asks which prompts were taken back, as it does every two seconds (F5).
    Look {
        epoch: u32,
    },
    /// The engine asks where a prompt stands that was just joined.
    Cross {
        epoch: u32,
        key: LoginKey,
        prompt: PromptId,
    },
    Phone {
        prompt: PromptId,
        device: &'static str,
        tap: Tap,
    },
    /// Somebody reads digits on a phone.
    Digits {
        epoch: u32,
        person: &'static str,
        digits: Number,
    },
    Overdue(AskerId),
    Block(&'static str, bool),
    Remove(&'static str),
    RemovePhone(&'static str, &'static str),
    Grant {
        owner: &'static str,
        client: Option<&'static str>,
        minutes: u64,
    },
    Law(Law),
    ClockStep(i64),
    Drain,
    Stop {
        epoch: u32,
    },
}

#[derive(Debug)]
struct Due {
    at: Tick,
    order: u64,
    happening: Happening,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// One seed's world.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) dice: Dice,
    pub(crate) now: Tick,
    step_ms: i64,
    /// The server's clock was stepped at some time.
    pub(crate) stepped: bool,
    queue: BinaryHeap<Reverse<Due>>,
    order: u64,
    pub(crate) epoch: u32,
    pub(crate) down_until: Tick,
    sync_at: Option<Tick>,
    pub(crate) site_key: ProofKey,
    pub(crate) law: Law,
    pub(crate) policies: [Arc<Policy>; 6],
    pub(crate) engine: Engine,
    pub(crate) store: Store,
    pub(crate) reference: Reference,
    pub(crate) scripts: Vec<Script>,
    pub(crate) used_codes: Vec<(&'static str, String)>,
    /// The digits that people last read on their phones.
    pub(crate) digits: std::collections::BTreeMap<&'static str, Number>,
    pub(crate) hotp: std::collections::BTreeMap<&'static str, u64>,
    /// Kind, side, and how many to let pass.
    pub(crate) crash_plan: Option<(usize, bool, u64)>,
    pub(crate) loss: u64,
    /// A busy server wakes its sessions up to so many milliseconds too late.
    pub(crate) sluggish: u64,
    pub(crate) violation: Option<Violation>,
    pub(crate) tally: Tally,
    pub(crate) trace: Option<Vec<String>>,
}

impl World {
    /// The world of a seed, before anything has happened.
    pub(crate) fn new(seed: u64, policies: &[Arc<Policy>; 6], trace: bool) -> Self {
        let mut dice = Dice::new(seed);
        let engine = Engine::new(&mut dice);
        let crash_plan = dice.chance(50).then(|| {
            let kind = usize::try_from(dice.below(15)).unwrap();
            (kind, dice.chance(50), dice.below(if kind < 11 { 8 } else { 2 }))
        });
        let loss = *dice.pick(&[0, 3, 10]);
        let sluggish = if dice.chance(25) { 300 } else { 0 };
        Self {
            now: Tick(0),
            step_ms: 0,
            stepped: false,
            queue: BinaryHeap::new(),
            order: 0,
            epoch: 0,
            down_until: Tick(0),
            sync_at: None,
            site_key: ProofKey::new([42; 32]),
            law: Law::Usual,
            policies: policies.clone(),
            engine,
            store: Store::new(),
            reference: Reference::default(),
            scripts: Vec::new(),
            used_codes: Vec::new(),
            digits: std::collections::BTreeMap::new(),
            hotp: std::collections::BTreeMap::new(),
            crash_plan,
            loss,
            sluggish,
            violation: None,
            tally: Tally::default(),
            trace: trace.then(Vec::new),
            dice,
        }
    }

    /// Lives through `logins` logins and all that comes of them.
    pub(crate) fn live(mut self, logins: usize) -> Self {
        self.write_scripts(logins);
        self.plan_trouble(logins);
        while self.violation.is_none() {
            let Some(Reverse(due)) = self.queue.pop() else { break };
            self.now = due.at;
            self.happen(due.happening);
        }
        if self.violation.is_none() {
            let check = crate::invariants::at_the_end(&self);
            self.expect(check);
        }
        self
    }

    fn plan_trouble(&mut self, logins: usize) {
        let whole = logins as u64 * 20_000;
        let at = |world: &mut Self, percent, what: fn(&mut Dice) -> Happening| {
            if world.dice.chance(percent) {
                let (when, what) = (world.dice.below(whole), what(&mut world.dice));
                world.later(when, what);
            }
        };
        at(self, 15, |_| Happening::Drain);
        for _ in 0..3 {
            at(self, 12, |dice| Happening::Block(dice.pick(&PEOPLE).name, true));
            at(self, 6, |dice| Happening::Remove(dice.pick(&PEOPLE).name));
            at(self, 6, |dice| Happening::RemovePhone(dice.pick(&PEOPLE).name, "phone"));
            at(self, 60, |dice| Happening::Grant {
                owner: dice.pick(&PEOPLE).name,
                client: dice.chance(70).then(|| dice.pick(&APPLIANCES).name),
                minutes: *dice.pick(&[1, 5, 10]),
            });
            at(self, 12, |dice| Happening::Law(*dice.pick(&Law::ALL)));
            at(self, 15, |dice| {
                let step = *dice.pick(&[1000, 15_000, 31_000, 61_000, 3_600_000]);
                Happening::ClockStep(if dice.chance(70) { -step } else { step })
            });
        }
    }

    fn happen(&mut self, happening: Happening) {
        self.note(&happening);
        match happening {
            Happening::Act(script, act) => self.act(script, act),
            Happening::Arrive(packet) => self.arrive(packet),
            Happening::Hear { script, packet, heard } => self.hear(script, &packet, heard),
            Happening::Perform { epoch, key, effect, tries } if epoch == self.epoch => {
                self.perform(key, *effect, tries)
            }
            Happening::Deliver { epoch, key, event, genuine } if epoch == self.epoch => {
                if genuine {
                    self.learn(&event);
                }
                let joined = joined_by(&event);
                self.deliver(key, *event);
                if let Some(prompt) = joined {
                    let after = self.dice.between(0, 4);
                    self.later(after, Happening::Cross { epoch, key, prompt });
                }
            }
            Happening::Cross { epoch, key, prompt } if epoch == self.epoch => self.cross(key, prompt),
            Happening::Look { epoch } if epoch == self.epoch => self.look(),
            Happening::Tell { epoch, prompt, event } if epoch == self.epoch => {
                self.learn_approval(prompt, &event);
                self.deliver_to_prompt(prompt, *event);
            }
            Happening::Stop { epoch } if epoch == self.epoch => {
                self.store.sync();
                self.begin_anew();
            }
            Happening::Sync { epoch } if epoch == self.epoch => {
                self.sync_at = None;
                self.store.sync();
            }
            Happening::Wake { epoch, key } if epoch == self.epoch => self.wake(key),
            Happening::Digits { epoch, person, digits } if epoch == self.epoch => {
                self.digits.insert(person, digits);
            }
            Happening::Tried { epoch, tried, who } if epoch == self.epoch => self.settle_try(tried, who),
            Happening::Tried { .. }
            | Happening::Perform { .. }
            | Happening::Deliver { .. }
            | Happening::Tell { .. }
            | Happening::Sync { .. }
            | Happening::Cross { .. }
            | Happening::Look { .. }
            | Happening::Stop { .. }
            | Happening::Digits { .. }
            | Happening::Wake { .. } => {}
            Happening::Drain => self.drain(),
            Happening::Phone { prompt, device, tap } => self.tapped(prompt, device, tap),
            Happening::Overdue(asker) => self.expect(crate::invariants::overdue(self, asker)),
            Happening::Block(user, barred) => {
                self.store.block(user, barred);
                self.synced();
                self.look_soon();
                if barred {
                    let later = self.dice.between(20_000, 200_000);
                    self.later(later, Happening::Block(user, false));
                }
            }
            Happening::Remove(user) => {
                self.store.remove_methods(user);
                self.synced();
                self.look_soon();
            }
            Happening::RemovePhone(user, device) => {
                self.store.remove_phone(user, device);
                self.synced();
                self.look_soon();
            }
            Happening::Grant { owner, client, minutes } => {
                let ends_at = self.wall().plus(std::time::Duration::from_secs(60 * minutes));
                self.store.grant(owner, client, ends_at);
                self.synced();
            }
            Happening::Law(law) => self.law = law,
            Happening::ClockStep(step) => (self.step_ms, self.stepped) = (self.step_ms + step, true),
        }
    }

    /// What is really told to a login, if it answers the question that is open.
    fn learn(&mut self, event: &Event) {
        let Event::Login(login, event) = event else { return };
        let Some(known) = self.reference.logins.get_mut(login) else { return };
        match event {
            LoginEvent::Primary(question, PrimaryAnswer::Accept { user, .. }) if known.question == Some(*question) => {
                known.accepted = Some(user.as_str().to_owned());
            }
            LoginEvent::Primary(question, PrimaryAnswer::Unavailable(_) | PrimaryAnswer::StoreUnavailable(_))
                if known.question == Some(*question) =>
            {
                known.unasked = true;
            }
            LoginEvent::Claim(question, Ok(Claim::Joined { prompt, .. })) if known.claim.0 == Some(*question) => {
                known.prompts.insert(*prompt, false);
            }
            LoginEvent::Claim(question, Ok(Claim::Claimed { .. })) if known.claim.0 == Some(*question) => {
                known.prompts.extend(known.claim.1.map(|prompt| (prompt, false)));
            }
            _ => {}
        }
    }

    /// A session hears what a phone said.
    fn learn_approval(&mut self, prompt: PromptId, event: &Event) {
        if !self.engine.holds(prompt) {
            return;
        }
        let there = self.reference.logins.values_mut().filter(|known| known.prompts.contains_key(&prompt));
        match event {
            Event::Phone { answer: PhoneAnswer::Approve, .. } => {
                there.filter_map(|known| known.prompts.get_mut(&prompt)).for_each(|told| *told = true);
            }
            Event::Phone { answer: PhoneAnswer::Deny | PhoneAnswer::Fraud, .. } | Event::WrongNumber(_) => {
                there.for_each(|known| known.heard_no = true);
            }
            _ => {}
        }
    }

    /// What was said to a prompt while it was joined is not lost.
    fn cross(&mut self, key: LoginKey, prompt: PromptId) {
        let Some(row) = self.store.durable.prompts.get(&prompt) else { return };
        let (status, numbered) = (row.status(), row.digits.is_some() || !row.shown.is_empty());
        let (device, number) = (DeviceId("phone".into()), None);
        let as_told = |answer| Event::Phone { prompt, device: device.clone(), answer, number };
        match status {
            PromptStatus::Approved { .. } if !numbered => self.learn_approval(prompt, &as_told(PhoneAnswer::Approve)),
            PromptStatus::Denied | PromptStatus::Reported => self.learn_approval(prompt, &as_told(PhoneAnswer::Deny)),
            PromptStatus::Approved { .. } | PromptStatus::Pending | PromptStatus::Ended => {}
        }
        self.deliver(key, Event::Crossed { prompt, status });
    }

    fn look_soon(&mut self) {
        let (after, epoch) = (self.dice.between(0, 2000), self.epoch);
        self.later(after, Happening::Look { epoch });
    }

    /// Whoever is held for a prompt that was taken back learns of it.
    fn look(&mut self) {
        let rows = &self.store.durable;
        let out = self.engine.prompts.keys().filter_map(|prompt| Some((*prompt, rows.prompts.get(prompt)?)));
        let withdrawn = out.filter(|(_, row)| row.state == login::prompt::PromptState::Withdrawn);
        let barred = |user: &str| rows.users.get(user).is_some_and(|user| user.barred);
        let told: Vec<_> = withdrawn
            .map(|(prompt, row)| {
                (prompt, Event::Withdrawn { prompt, blocked: barred(&row.user).then(|| "blocked".into()) })
            })
            .collect();
        for (prompt, event) in told {
            self.deliver_to_prompt(prompt, event);
        }
    }

    /// The server stops in order: everybody who waits is answered now, and then a new life begins (G3).
    fn drain(&mut self) {
        self.engine.draining = true;
        for key in self.engine.sessions.keys().copied().collect::<Vec<_>>() {
            self.deliver(key, Event::Drained);
        }
        let check = crate::invariants::drained(self);
        self.expect(check);
        let epoch = self.epoch;
        self.later(3000, Happening::Stop { epoch });
    }

    /// The server dies. What was not synced may be lost, the sessions are.
    pub(crate) fn crash(&mut self) {
        self.tally.crashes += 1;
        if self.dice.chance(60) {
            self.store.lose_unsynced();
        }
        self.store.sync();
        self.begin_anew();
    }

    /// Another life of the server: nothing is left but the store and the key of L.
    fn begin_anew(&mut self) {
        self.epoch += 1;
        self.sync_at = None;
        self.down_until = self.now.plus(std::time::Duration::from_millis(self.dice.between(10, 4000)));
        self.engine = Engine::new(&mut self.dice);
    }

    /// What was committed now is durable after so many milliseconds; logins share a sync.
    pub(crate) fn synced(&mut self) -> Option<u64> {
        if self.sync_at.is_none() {
            let (epoch, delay) = (self.epoch, self.dice.between(1, 12));
            self.sync_at = Some(Tick(self.now.0 + delay));
            self.later(delay, Happening::Sync { epoch });
        }
        self.sync_at.map(|at| at.0 - self.now.0)
    }

    pub(crate) fn later(&mut self, after: u64, happening: Happening) {
        self.order += 1;
        self.queue.push(Reverse(Due { at: Tick(self.now.0 + after), order: self.order, happening }));
    }

    /// The server's clock.
    pub(crate) fn wall(&self) -> Wall {
        Wall((WALL_0 + self.now.0).saturating_add_signed(self.step_ms))
    }

    /// The clock on the people's phones, which nobody steps.
    pub(crate) fn true_wall(&self) -> Wall {
        Wall(WALL_0 + self.now.0)
    }

    pub(crate) fn moment(&self) -> Moment {
        Moment { tick: self.now, wall: self.wall() }
    }

    /// The first rule that is broken stays.
    pub(crate) fn expect(&mut self, check: Check) {
        if let Err(violation) = check {
            self.tell(|| format!("BROKEN {}: {}", violation.0, violation.1));
            self.violation.get_or_insert(violation);
        }
    }

    pub(crate) fn tell(&mut self, what: impl FnOnce() -> String) {
        let now = self.now.0;
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>8}.{:03} {}", now / 1000, now % 1000, what()));
        }
    }

    fn note(&mut self, happening: &Happening) {
        if self.trace.is_some() && !matches!(happening, Happening::Sync { .. } | Happening::Overdue(_)) {
            self.tell(|| format!("{happening:?}"));
        }
    }
}

/// The prompt that a login joined.
fn joined_by(event: &Event) -> Option<PromptId> {
    match event {
        Event::Login(_, LoginEvent::Claim(_, Ok(Claim::Joined { prompt, .. }))) => Some(*prompt),
        _ => None,
    }
}
