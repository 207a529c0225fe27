//! A packet's way in: the cache of duplicates, the attempt, `Session::admit`, and the session that takes it, as the engine does it.

use login::answer::Answer;
use login::event::Effect;
use login::session::{Admission, Session};
use login::{
    Appended, Asker, AskerId, Attempt, ClientName, Credential, LoginKey, LoginKeyParts, Proof, Reason, StateHash,
    Station, Tick, UserName,
};
use wire::Secret;

use crate::network::{Ask, Datagram, Seen};
use crate::scene::appliance_of;
use crate::world::{Happening, World};

impl World {
    /// A packet reaches the server.
    pub(crate) fn arrive(&mut self, packet: Datagram) {
        if self.now < self.down_until {
            return;
        }
        let next = AskerId(self.reference.asked.len() as u64);
        match self.engine.duplicates.see(&packet, next, self.now) {
            Seen::InFlight => self.tally.absorbed += 1,
            Seen::Again(answer) => {
                self.tally.repeated += 1;
                self.send_answer(&packet, &answer, None);
            }
            Seen::New => {
                let patience = std::time::Duration::from_secs(appliance_of(packet.ask.client).gives_up_s);
                let until = self.now.plus(login::limits::patience(patience));
                let asker = self.reference.asks(packet.clone(), self.epoch, self.now, until);
                self.tally.requests += 1;
                let overdue = until.0 - self.now.0 + self.sluggish;
                self.later(overdue + 1, Happening::Overdue(asker));
                self.later(overdue + 1001, Happening::Overdue(asker));
                let attempt = self.attempt(&packet.ask, asker, until);
                self.route(attempt);
            }
        }
    }

    fn attempt(&mut self, ask: &Ask, asker: AskerId, until: Tick) -> Attempt {
        let appliance = appliance_of(ask.client);
        let whole = Secret::new(ask.typed.as_bytes());
        let proof = Proof::of(&self.engine.proof, "pap", &[whole.expose()]);
        let (password, appended): (Secret, Option<Appended>) = if appliance.append && ask.state.is_none() {
            login::attempt::split_appended(&whole, ",")
        } else {
            (whole, None)
        };
        let station = ask.station.map(str::as_bytes);
        let connection = ask.connection.map(u64::to_be_bytes);
        let named = |facts: &[Option<&[u8]>]| {
            LoginKey::of(&self.site_key, &LoginKeyParts { client: ask.client, user: ask.user.as_bytes(), facts })
        };
        let twin = named(&[station]);
        let login = match appliance.join {
            login::policy::Join::Connection => connection.map(|connection| named(&[station, Some(&connection)])),
            login::policy::Join::Station => station.map(|_| twin),
            login::policy::Join::Weak => Some(twin),
        };
        let same = login.map(|login| login.with_proof(&self.engine.proof, &proof));
        let login = login.filter(|_| ask.authentic).unwrap_or_else(|| LoginKey::alone(self.dice.sixteen()));
        Attempt {
            asker: Asker { id: asker, since: self.now, until, overhead: 60, attributes: 1 },
            client: ClientName::new(ask.client),
            user: UserName::parse(ask.user.as_bytes(), &login::name::Realms::default()),
            user_octets: ask.user.as_bytes().into(),
            names_a_mac: false,
            unknown_state: Reason::StateUnknown,
            credential: Credential::Pap { password, appended },
            station: station.map(Station::new),
            address: station.map(Station::new).and_then(|station| station.address()),
            login,
            same,
            twin,
            proof,
            state: ask.state.as_deref().map(StateHash::of),
            authentic: ask.authentic,
        }
    }

    /// By its State if it has one, else by its L; what is refused gets a session of its own.
    fn route(&mut self, mut attempt: Attempt) {
        let found = match attempt.state {
            Some(state) => self.engine.states.get(&state).copied(),
            None => Some(self.engine.home_of(&attempt)),
        };
        let held = found.and_then(|key| self.engine.sessions.get(&key));
        let admission = Session::admit(held, &attempt, self.moment());
        self.expect(crate::invariants::admitted(self, &attempt, &admission));
        let admission = match admission {
            Admission::Begin if self.engine.draining => Admission::Refuse(Reason::Draining),
            other => other,
        };
        let key = match (&admission, found) {
            (Admission::Refuse(_), _) | (_, None) => {
                attempt.login = LoginKey::alone(self.dice.sixteen());
                attempt.login
            }
            (_, Some(key)) => key,
        };
        let session = self.engine.sessions.remove(&key).unwrap_or_else(|| Session::of(&attempt));
        let asker = attempt.asker.id;
        let (session, out) = self.step(session, |session, cx| session.take(admission.clone(), attempt, cx));
        self.note_entry(asker, key, &admission, &out);
        self.settle(key, session, out);
    }

    /// Which login the request is part of now, as the effects tell it.
    fn note_entry(&mut self, asker: AskerId, key: LoginKey, admission: &Admission, out: &[Effect]) {
        // The last one: an older screen that gives way to a beginning one is told of first.
        let told = out.iter().rev().find_map(|effect| match effect {
            // A name with letters of its own is looked up before its primary is asked (A2).
            Effect::AskPrimary { login, .. } | Effect::ReadUser { login, .. } | Effect::Joined { login, .. } => {
                Some(*login)
            }
            Effect::Record(record) => Some(record.login),
            _ => None,
        });
        let login = match admission {
            Admission::Begin | Admission::Refuse(_) => told,
            Admission::Join(old) => {
                // A login that goes on under a new name tells it when it is joined.
                let new = out.iter().find_map(|effect| match effect {
                    Effect::Joined { login, .. } => Some(*login),
                    _ => None,
                });
                if let Some(new) = new.filter(|new| new != old) {
                    self.reference.goes_on(*old, new, asker);
                }
                new.or(Some(*old))
            }
            Admission::Resume(login) | Admission::Twin(login, _) | Admission::HearsTheEnd(login) => Some(*login),
            Admission::Repeat(_) => crate::invariants::repeated_from(self, asker),
        };
        self.tally.joins += u64::from(matches!(admission, Admission::Join(_)));
        if let Some(login) = login {
            let law = self.law;
            self.reference.enters(asker, login, key, law);
        }
        if let Admission::Repeat(Answer::Accept(_)) = admission {
            let changed = crate::invariants::speaks_against_a_repeat(self, asker).is_err();
            self.reference.asked_mut(asker).repeats = Some(changed);
        }
        self.expect(crate::invariants::entered(self, asker, out));
    }
}
