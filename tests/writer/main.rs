//! What the writer promises when calls fail, disks fill up, users err and everybody comes at once:
//! its machine in a simulated world where any call may fail, then the function on the kernel.

mod faults;
#[path = "../faulty/mod.rs"]
mod faulty;
mod folder;
mod hostile;
mod kernel;
mod messages;
mod power;
mod several;
