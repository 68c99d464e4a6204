//! What the one-time store promises when calls fail, disks fill up, users err and everybody comes
//! at once: its machines in a simulated world where any call may fail, then the store on the kernel.

mod child;
mod faults;
#[path = "../faulty/mod.rs"]
mod faulty;
mod hostile;
mod kernel;
mod messages;
mod power;
mod race;
mod recover;
mod stress;
