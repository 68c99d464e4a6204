use std::time::Instant;

use toctou::store::{Durability, Mechanism};

use crate::draw::Draw;
use crate::real::Arena;
use crate::roles::{Role, Scene};
use crate::schedule::perform;
use crate::simulated::{Simulated, all};

pub(crate) fn main() {
    let mut arena = Arena::new();
    for durability in [Durability::None, Durability::AtMostOnce, Durability::NothingLost] {
        for (has_content, replace) in [(false, false), (true, false), (true, true)] {
            let mechanism = Mechanism::RenameUnique;
            let roles = vec![
                Role::Claim { token: "claim".into(), mechanism, durability },
                Role::Put { token: "second".into(), replace, durable: false },
            ];
            let scene = Scene { has_content, has_file: false, mechanism, durability, roles };
            let t = Instant::now();
            let schedules = all(&scene);
            println!(
                "{durability:?} {has_content} {replace}: {} in {:?}",
                schedules.len(),
                t.elapsed()
            );
            let t = Instant::now();
            let sim: Vec<_> = schedules
                .iter()
                .take(500)
                .map(|s| perform(&mut Simulated::of(&scene), &scene, s))
                .collect();
            println!("  sim {:?}", t.elapsed());
            let t = Instant::now();
            let mut bad = 0;
            for (s, sim) in schedules.iter().zip(&sim) {
                let d = sim.differs(&arena.perform(&scene, s));
                if !d.is_empty() {
                    bad += 1;
                    if bad < 3 {
                        println!("{s}\n{}", d.join("\n"));
                    }
                }
            }
            println!("  real {:?} bad {bad}", t.elapsed());
        }
    }
    let t = Instant::now();
    let mut bad = 0;
    for i in 0..500 {
        let mut d = Draw::new(i);
        let scene = d.scene();
        let s = d.schedule(&scene);
        let sim = perform(&mut Simulated::of(&scene), &scene, &s);
        let d = sim.differs(&arena.perform(&scene, &s));
        if !d.is_empty() {
            bad += 1;
            if bad < 6 {
                println!("{scene:?}\n{s}\n{}", d.join("\n"));
            }
        }
    }
    println!("random {:?} bad {bad}", t.elapsed());
}
