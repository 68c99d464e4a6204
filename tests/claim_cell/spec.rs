//! The variants once more, as a plain machine of whole operations in one order for all: what every
//! interleaving does, operation by operation, by brute force. Nothing of it is the crate's.

/// A system of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Which {
    pub(crate) variant: &'static str,
    pub(crate) scenario: &'static str,
    pub(crate) threads: usize,
}

/// An execution from the first operation to the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) steps: Vec<Operation>,
    /// What each actor ended with.
    pub(crate) outputs: Vec<String>,
    /// How often each value was dropped.
    pub(crate) dropped: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    pub(crate) actor: usize,
    pub(crate) label: String,
    pub(crate) output: Option<String>,
}

#[derive(Clone, Debug)]
struct Actor {
    name: String,
    puts: bool,
    /// How many operations it has done.
    done: usize,
    output: Option<String>,
}

#[derive(Clone, Debug)]
struct Memory {
    variant: &'static str,
    comes_later: bool,
    stand: &'static str,
    wants: Vec<bool>,
    taken: bool,
    /// Which value is in the room, and who put it there.
    room: Option<(usize, usize)>,
    dropped: Vec<usize>,
    actors: Vec<Actor>,
    steps: Vec<Operation>,
}

impl Which {
    /// Every interleaving.
    pub(crate) fn interleavings(self) -> Vec<Told> {
        let mut all = Vec::new();
        walk(Memory::of(self), &mut all);
        all
    }
}

fn walk(memory: Memory, all: &mut Vec<Told>) {
    let running = |actor: &usize| memory.actors[*actor].output.is_none();
    let running: Vec<usize> = (0..memory.actors.len()).filter(running).collect();
    if running.is_empty() {
        all.push(memory.ended());
        return;
    }
    for actor in running {
        let mut memory = memory.clone();
        memory.step(actor);
        walk(memory, all);
    }
}

impl Memory {
    fn of(Which { variant, scenario, threads }: Which) -> Memory {
        let puts = ["full", "put-later", "two-puts"].iter().position(|known| *known == scenario);
        let puts = puts.expect("a scenario of the model");
        let claims = threads - puts;
        let actor = |name, puts| Actor { name, puts, done: 0, output: None };
        let clients = (1..=claims).map(|number| actor(format!("client {number}"), false));
        let writers = (1..=puts).map(|number| match puts {
            1 => actor("writer".to_owned(), true),
            _ => actor(format!("writer {number}"), true),
        });
        let is_full = puts == 0;
        Memory {
            variant,
            comes_later: !is_full,
            stand: if is_full { "FULL" } else { "EMPTY" },
            wants: vec![false; claims],
            taken: false,
            room: is_full.then_some((1, 0)),
            dropped: vec![0; puts.max(1)],
            actors: clients.chain(writers).collect(),
            steps: Vec::new(),
        }
    }

    fn step(&mut self, actor: usize) {
        let (label, output) = match (self.actors[actor].puts, self.variant) {
            (true, "mutex-take") => ("lock".to_owned(), Some(self.put_behind_lock(actor))),
            (true, _) => self.put(actor),
            (false, _) => self.claim(actor),
        };
        self.actors[actor].done += 1;
        self.actors[actor].output.clone_from(&output);
        self.steps.push(Operation { actor, label, output });
    }

    /// Which value this writer has.
    fn value_of(&self, writer: usize) -> usize {
        self.actors[..=writer].iter().filter(|actor| actor.puts).count()
    }

    fn put_behind_lock(&mut self, actor: usize) -> String {
        if self.room.is_some() {
            return self.refused(actor);
        }
        self.room = Some((self.value_of(actor), actor));
        "Put".to_owned()
    }

    fn refused(&mut self, actor: usize) -> String {
        let value = self.value_of(actor);
        self.dropped[value - 1] += 1;
        "Refused".to_owned()
    }

    fn put(&mut self, actor: usize) -> (String, Option<String>) {
        if self.actors[actor].done > 0 {
            self.stand = "FULL";
            return ("store(FULL)".to_owned(), Some("Put".to_owned()));
        }
        if self.stand != "EMPTY" {
            let label = format!("exchange(EMPTY → WRITING) = {}", self.stand);
            return (label, Some(self.refused(actor)));
        }
        self.stand = "WRITING";
        self.room = Some((self.value_of(actor), actor));
        ("exchange(EMPTY → WRITING) = ok; write".to_owned(), None)
    }

    fn claim(&mut self, actor: usize) -> (String, Option<String>) {
        let loads = |stand: &str| format!("load = {stand}");
        let done = self.actors[actor].done;
        match self.variant {
            "mutex-take" => match self.room.take() {
                Some((value, _)) => ("lock".to_owned(), Some(self.owns(value))),
                None => ("lock".to_owned(), nothing()),
            },
            "load-then-store" if done > 0 => {
                self.stand = "TAKEN";
                self.takes("store(TAKEN)".to_owned())
            }
            "load-then-store" => {
                (loads(self.stand), if self.stand == "FULL" { None } else { nothing() })
            }
            "control-never-claims" => (loads(self.stand), nothing()),
            "swap-relaxed" | "flag-each" if self.comes_later && done == 0 => {
                (loads(self.stand), if self.stand == "FULL" { None } else { nothing() })
            }
            "swap-relaxed" => {
                let label = format!("swap(TAKEN) = {}", self.stand);
                match std::mem::replace(&mut self.stand, "TAKEN") {
                    "FULL" => self.takes(label),
                    _ => (label, nothing()),
                }
            }
            "flag-each" => self.announces_then_looks(actor, done - usize::from(self.comes_later)),
            _ if self.stand == "FULL" => {
                self.stand = "TAKEN";
                self.takes("exchange(FULL → TAKEN) = ok".to_owned())
            }
            _ => (format!("exchange(FULL → TAKEN) = {}", self.stand), nothing()),
        }
    }

    fn announces_then_looks(&mut self, actor: usize, done: usize) -> (String, Option<String>) {
        let others: Vec<usize> = (0..self.wants.len()).filter(|other| *other != actor).collect();
        let label = match done.checked_sub(1) {
            None => {
                self.wants[actor] = true;
                "store(WANTED)".to_owned()
            }
            Some(looked) if self.wants[others[looked]] => {
                return ("load = WANTED".to_owned(), nothing());
            }
            Some(_) => "load = NO".to_owned(),
        };
        if done < others.len() {
            return (label, None);
        }
        self.taken = true;
        self.takes(label)
    }

    /// Reads what is in the room with this operation, whoever else has.
    fn takes(&mut self, label: String) -> (String, Option<String>) {
        let (value, writer) = self.room.expect("nobody takes what was never there");
        let races = self.variant == "swap-relaxed" && self.comes_later;
        let race = match &self.actors[writer].name {
            name if races => format!(": a data race with the write of {name}"),
            _ => String::new(),
        };
        (format!("{label}; read{race}"), Some(self.owns(value)))
    }

    /// Who has it drops it.
    fn owns(&mut self, value: usize) -> String {
        self.dropped[value - 1] += 1;
        format!("Claimed({value})")
    }

    /// The cell is dropped.
    fn ended(mut self) -> Told {
        let drops = match self.variant {
            "control-forgets-drop" => false,
            "control-drops-again" => matches!(self.stand, "FULL" | "TAKEN"),
            "flag-each" => self.stand == "FULL" && !self.taken,
            "mutex-take" => true,
            _ => self.stand == "FULL",
        };
        if let Some((value, _)) = self.room.filter(|_| drops) {
            self.dropped[value - 1] += 1;
        }
        let outputs = self.actors.into_iter().filter_map(|actor| actor.output).collect();
        Told { steps: self.steps, outputs, dropped: self.dropped }
    }
}

fn nothing() -> Option<String> {
    Some("Nothing".to_owned())
}

impl Told {
    pub(crate) fn turns(&self) -> Vec<usize> {
        self.steps.iter().map(|step| step.actor).collect()
    }

    /// Whether two have the same value.
    pub(crate) fn is_claimed_twice(&self) -> bool {
        let mut claims: Vec<&String> =
            self.outputs.iter().filter(|told| told.starts_with("Claimed")).collect();
        let all = claims.len();
        claims.sort();
        claims.dedup();
        claims.len() < all
    }
}
