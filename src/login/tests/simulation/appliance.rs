//! The simulated appliances and the people in front of them: what they type, how long they wait, how they ask again, and
//! what an attacker does who sits beside them.

use login::answer::{Answer, Challenge};
use login::words::Say;
use login::{LoginId, Tick};

use crate::network::{Ask, Datagram, copies};
use crate::scene::{
    APPLIANCES, Law, PEOPLE, PRIMARY_ANSWER, Person, SPRAYER, STATIONS, STEP_MS, appliance_of, code_of, person_of,
};
use crate::world::{Happening, World};

/// One login as its appliance sees it.
#[derive(Debug)]
pub(crate) struct Script {
    ask: Ask,
    person: &'static Person,
    packets: u16,
    answered: Vec<u64>,
    retries: u32,
    rounds: u32,
}

/// What an appliance, or who sits there, does next.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Sends a request as it stands.
    Ask(Ask),
    /// Sends the very same packet again, if it is not answered.
    Again(Datagram),
    /// Asks anew, if nothing was answered yet.
    Reask(u64, Ask),
    /// Types an answer to a challenge.
    Type(Ask, Typing),
}

/// What is typed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Typing {
    Right,
    Wrong,
    Empty,
    Replayed,
    ToPrimary,
    /// The digits that the phone shows.
    Digits,
    WrongDigits,
}

/// What the appliance hears.
#[derive(Clone, Debug)]
pub(crate) enum Heard {
    Accept,
    Reject,
    Challenge { state: Vec<u8>, say: Option<Say> },
}

impl World {
    /// Writes so many logins down; some are of people who sit beside another login, or know its password.
    pub(crate) fn write_scripts(&mut self, logins: usize) {
        let mut at = 0;
        for number in 0..logins {
            self.tally.logins += 1;
            let beside = number > 0 && self.dice.chance(45);
            at += if beside { self.dice.between(0, 9000) } else { self.dice.between(1000, 45_000) };
            let (ask, person) = if beside { self.beside(number - 1) } else { self.fresh() };
            self.scripts.push(Script {
                ask: ask.clone(),
                person,
                packets: 0,
                answered: Vec::new(),
                retries: 0,
                rounds: 0,
            });
            self.later(at, Happening::Act(number, Act::Ask(ask)));
        }
        self.write_spray(at);
    }

    /// In some lives a stranger tries wrong passwords under one name; perhaps from where its owner sits, perhaps also a right one.
    fn write_spray(&mut self, whole: u64) {
        // Dice of its own: lives without are what they were.
        let mut dice = self.dice.clone();
        if !dice.chance(25) {
            return;
        }
        let (person, appliance) = (dice.pick(&PEOPLE[..7]), dice.pick(&APPLIANCES));
        let mut at = dice.below(whole.max(1));
        for number in 0..dice.between(3, 12) {
            at += if dice.chance(50) { dice.below(40) } else { dice.between(500, 20_000) };
            let station = if dice.chance(80) { Some(SPRAYER) } else { *dice.pick(&STATIONS) };
            let typed = if dice.chance(12) { person.password.to_owned() } else { format!("guess {number}") };
            let (user, connection) = (person.name.to_owned(), Some(dice.roll()));
            let ask = Ask { client: appliance.name, user, typed, station, connection, state: None, authentic: true };
            let (ask_of, answered) = (ask.clone(), Vec::new());
            self.scripts.push(Script { ask: ask_of, person, packets: 0, answered, retries: 0, rounds: 0 });
            self.later(at, Happening::Act(self.scripts.len() - 1, Act::Ask(ask)));
        }
    }

    fn fresh(&mut self) -> (Ask, &'static Person) {
        // Most people have a second factor; a few have none, or are no people.
        let among = if self.dice.chance(70) { &PEOPLE[..7] } else { &PEOPLE[..] };
        let person = self.dice.pick(among);
        let appliance = self.dice.pick(&APPLIANCES);
        let shouted = self.dice.chance(4);
        let ask = Ask {
            client: appliance.name,
            user: if shouted { person.name.to_uppercase() } else { person.name.to_owned() },
            typed: person.password.to_owned(),
            station: *self.dice.pick(&STATIONS),
            connection: self.dice.chance(80).then(|| self.dice.roll()),
            state: None,
            authentic: !self.dice.chance(5),
        };
        let ask = self.with_mistakes(ask, person);
        (ask, person)
    }

    fn with_mistakes(&mut self, ask: Ask, person: &Person) -> Ask {
        let append = appliance_of(ask.client).append;
        let typed = match self.dice.below(100) {
            0..=9 => format!("{}x", person.password),
            10..=11 => String::new(),
            12..=36 if append => format!("{},CODE", person.password),
            37..=40 if append => format!("{},00000000", person.password),
            41..=42 if append => format!("{},totp", person.password),
            43 if append => format!("{},push", person.password),
            44..=45 if append => format!("{}x,12345678", person.password),
            _ => ask.typed,
        };
        Ask { typed, ..ask }
    }

    /// A login beside another one: the same with another password, from elsewhere with the right or a wrong one, or at another client.
    fn beside(&mut self, number: usize) -> (Ask, &'static Person) {
        let (ask, person) = (self.scripts[number].ask.clone(), self.scripts[number].person);
        let right = person.password.to_owned();
        let ask = match self.dice.below(8) {
            0 => Ask { typed: format!("{right}?"), ..ask },
            1 => Ask { station: *self.dice.pick(&STATIONS), typed: right, ..ask },
            2 => Ask { station: *self.dice.pick(&STATIONS), typed: format!("{right}?"), ..ask },
            3 => Ask { client: self.dice.pick(&APPLIANCES).name, typed: right, ..ask },
            4 => Ask { connection: Some(self.dice.roll()), ..ask },
            5 => Ask { typed: right, ..ask },
            6 => Ask { authentic: false, ..ask },
            _ => ask,
        };
        (ask, person)
    }

    pub(crate) fn act(&mut self, script: usize, act: Act) {
        match act {
            Act::Ask(ask) => {
                let ask = self.with_code(script, ask);
                self.ask(script, ask);
            }
            Act::Again(packet) if !self.scripts[script].answered.contains(&packet.authenticator) => self.send(&packet),
            Act::Reask(first, ask) if !self.scripts[script].answered.contains(&first) => self.ask(script, ask),
            Act::Again(_) | Act::Reask(..) => {}
            Act::Type(ask, typing) => {
                let person = self.scripts[script].person;
                let typed = match typing {
                    Typing::Right => self.right_code(person),
                    Typing::Wrong => (*self.dice.pick(&["11111111", "222222", "word"])).to_owned(),
                    Typing::Digits => self.digits.get(person.name).map_or("333333".to_owned(), |digits| digits.typed()),
                    Typing::WrongDigits => (*self.dice.pick(&["111111", "222222", "333333", "444444"])).to_owned(),
                    Typing::Empty => String::new(),
                    Typing::Replayed => self.seen_code(person),
                    Typing::ToPrimary if self.dice.chance(80) => PRIMARY_ANSWER.to_owned(),
                    Typing::ToPrimary => "green".to_owned(),
                };
                let ask = Ask { typed, ..ask };
                if self.dice.chance(20) {
                    self.answer_oddly(script, &ask);
                }
                self.ask(script, ask);
            }
        }
    }

    /// The same answer twice, another one to the same State, or the State at another client or for another name.
    fn answer_oddly(&mut self, script: usize, ask: &Ask) {
        let odd = match self.dice.below(4) {
            0 => ask.clone(),
            1 => Ask { typed: "33333333".to_owned(), ..ask.clone() },
            2 => Ask { client: self.dice.pick(&APPLIANCES).name, ..ask.clone() },
            _ => Ask { user: self.dice.pick(&PEOPLE).name.to_owned(), ..ask.clone() },
        };
        if self.dice.chance(50) {
            self.ask(script, odd);
        } else {
            let after = self.dice.between(1, 6000);
            self.later(after, Happening::Act(script, Act::Ask(odd)));
        }
    }

    /// Sends a request under a new Identifier, again while nothing comes, and perhaps asks anew.
    fn ask(&mut self, script: usize, ask: Ask) {
        let packets = &mut self.scripts[script].packets;
        *packets += 1;
        let (port, identifier) = (1024 + *packets / 256, (*packets % 256) as u8);
        let packet = Datagram { script, port, identifier, authenticator: self.dice.roll(), ask: ask.clone() };
        self.send(&packet);
        let again = self.dice.between(1, 3);
        for n in 1..=again {
            self.later(n * 4000, Happening::Act(script, Act::Again(packet.clone())));
        }
        if ask.state.is_none() && self.scripts[script].retries < 3 && self.dice.chance(40) {
            self.scripts[script].retries += 1;
            let after = self.dice.between(2000, 40_000);
            let connection = if self.dice.chance(20) { Some(self.dice.roll()) } else { ask.connection };
            self.later(after, Happening::Act(script, Act::Reask(packet.authenticator, Ask { connection, ..ask })));
        }
    }

    fn send(&mut self, packet: &Datagram) {
        for delay in copies(&mut self.dice, self.loss) {
            self.later(delay, Happening::Arrive(packet.clone()));
        }
    }

    /// An answer sets out for its appliance.
    pub(crate) fn send_answer(&mut self, packet: &Datagram, answer: &Answer, login: Option<LoginId>) {
        let heard = match answer {
            Answer::Accept(_) => Heard::Accept,
            Answer::Reject(_) => Heard::Reject,
            Answer::Challenge(Challenge::Ours { state, say, .. }) => {
                Heard::Challenge { state: state.to_vec(), say: Some(*say) }
            }
            Answer::Challenge(Challenge::Primary(_)) => {
                let known = login.and_then(|login| self.reference.logins.get(&login));
                let Some(state) = known.and_then(|known| known.primary_state.clone()) else { return };
                Heard::Challenge { state, say: None }
            }
        };
        for delay in copies(&mut self.dice, self.loss) {
            let heard = heard.clone();
            self.later(delay, Happening::Hear { script: packet.script, packet: packet.clone(), heard });
        }
    }

    /// An answer reaches the appliance, and the person reads it.
    pub(crate) fn hear(&mut self, script: usize, packet: &Datagram, heard: Heard) {
        let this = &mut self.scripts[script];
        if this.answered.contains(&packet.authenticator) {
            return;
        }
        this.answered.push(packet.authenticator);
        this.rounds += 1;
        if this.rounds > 8 {
            return;
        }
        match heard {
            Heard::Accept => self.after_accept(script, packet),
            Heard::Reject => self.after_reject(script, packet),
            Heard::Challenge { state, say } => self.after_challenge(script, packet, state, say),
        }
    }

    fn after_accept(&mut self, script: usize, packet: &Datagram) {
        let ask = match self.dice.below(10) {
            0..=1 => packet.ask.clone(),
            2..=3 => Ask { typed: "a wrong one".to_owned(), ..packet.ask.clone() },
            4 => Ask { typed: "a wrong one".to_owned(), state: None, ..packet.ask.clone() },
            _ => return,
        };
        let after = self.dice.between(10, 14_000);
        if ask == packet.ask {
            self.trouble_before(after, self.scripts[script].person);
        }
        self.later(after, Happening::Act(script, Act::Ask(ask)));
    }

    /// Just before an Accept is asked for once more something changes for its user (A6).
    fn trouble_before(&mut self, after: u64, person: &Person) {
        if !self.dice.chance(20) {
            return;
        }
        let before = self.dice.below(after);
        match self.dice.below(4) {
            0 => self.later(before, Happening::RemovePhone(person.name, "phone")),
            1 => self.later(before, Happening::Block(person.name, true)),
            _ => {
                let (other, law) = (*self.dice.pick(&Law::ALL), self.law);
                self.later(before, Happening::Law(other));
                self.later(after + 20_000, Happening::Law(law));
            }
        }
    }

    fn after_reject(&mut self, script: usize, packet: &Datagram) {
        let this = &mut self.scripts[script];
        if this.retries >= 3 || !self.dice.chance(50) {
            return;
        }
        this.retries += 1;
        let typed = if self.dice.chance(60) { this.person.password.to_owned() } else { packet.ask.typed.clone() };
        let after = self.dice.between(100, 15_000);
        let state = if self.dice.chance(10) { packet.ask.state.clone() } else { None };
        self.later(after, Happening::Act(script, Act::Ask(Ask { typed, state, ..packet.ask.clone() })));
    }

    fn after_challenge(&mut self, script: usize, packet: &Datagram, state: Vec<u8>, say: Option<Say>) {
        let roll = self.dice.below(100);
        let typing = match say {
            None => Typing::ToPrimary,
            Some(_) if roll > 92 => return,
            Some(say) if say.number().is_some() => {
                self.reask_beside(script);
                match roll {
                    0..=64 => Typing::Empty,
                    65..=80 => Typing::Right,
                    81..=86 => Typing::Wrong,
                    _ => Typing::Replayed,
                }
            }
            Some(Say::TypeDigits | Say::OpenAppTypeDigits | Say::OpenPageTypeDigits | Say::WrongDigits) => match roll {
                0..=54 => Typing::Digits,
                55..=74 => Typing::WrongDigits,
                75..=84 => Typing::Right,
                85..=88 => Typing::Empty,
                _ => Typing::Replayed,
            },
            Some(_) => match roll {
                0..=49 => Typing::Right,
                50..=64 => Typing::Empty,
                65..=79 => Typing::Wrong,
                _ => Typing::Replayed,
            },
        };
        let after = match self.dice.below(100) {
            0..=3 => self.dice.between(119_000, 140_000),
            4..=13 => self.dice.between(30_000, 119_000),
            _ => self.dice.between(500, 25_000),
        };
        let ask = Ask { state: Some(state), ..packet.ask.clone() };
        self.later(after, Happening::Act(script, Act::Type(ask, typing)));
    }

    /// Beside a screen that shows a number the same person asks again, or somebody who knows the password does.
    fn reask_beside(&mut self, script: usize) {
        let this = &mut self.scripts[script];
        if this.retries >= 3 || this.ask.typed.ends_with(",CODE") || !self.dice.chance(40) {
            return;
        }
        this.retries += 1;
        let mut ask = this.ask.clone();
        let password = this.person.password;
        if appliance_of(ask.client).append && self.dice.chance(40) {
            ask.typed = format!("{password},push");
        }
        let after = self.dice.between(5, 20_000);
        // Some appliances lose patience again and again.
        let times = if self.dice.chance(4) { 10 } else { 1 };
        let apart = self.dice.between(300, 3000);
        for time in 0..times {
            self.later(after + time * apart, Happening::Act(script, Act::Ask(ask.clone())));
        }
    }

    // --- what people know --------------------------------------------------------------------------------------

    fn with_code(&mut self, script: usize, ask: Ask) -> Ask {
        let Some(password) = ask.typed.strip_suffix(",CODE") else { return ask };
        let person = self.scripts[script].person;
        let code = if self.dice.chance(80) { self.right_code(person) } else { self.seen_code(person) };
        Ask { typed: format!("{password},{code}"), ..ask }
    }

    /// The code that the person's token shows now, in true time.
    fn right_code(&mut self, person: &'static Person) -> String {
        let code = match (person.totp, person.hotp) {
            (Some(token), _) => code_of(token, self.true_wall().0 / STEP_MS),
            (None, Some(token)) => {
                let counter = self.hotp.entry(token).or_default();
                *counter += 1;
                code_of(token, *counter - 1)
            }
            (None, None) => "44444444".to_owned(),
        };
        self.used_codes.push((person.name, code.clone()));
        code
    }

    /// One that somebody saw over the person's shoulder.
    fn seen_code(&mut self, person: &Person) -> String {
        let seen: Vec<_> = self.used_codes.iter().rev().filter(|(of, _)| *of == person.name).take(3).cloned().collect();
        if seen.is_empty() { "55555555".to_owned() } else { self.dice.pick(&seen).1.clone() }
    }
}

/// The person whose name this is, whatever its case.
pub(crate) fn person_named(user: &str) -> Option<&'static Person> {
    person_of(&user.to_lowercase())
}

/// Whether so much time has passed.
pub(crate) fn passed(since: Tick, now: Tick, millis: u64) -> bool {
    now.0 >= since.0 + millis
}
