//! The handlers on tables that somebody else has made: triggers and policies that let a change fall,
//! other types, and constraints that are missing or that nobody told them of.

mod missing;
mod real;
mod schemas;
mod swallowed;
#[path = "../throwaway/mod.rs"]
mod throwaway;
