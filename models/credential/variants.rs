//! The variants and scenarios of `credential`, and the verdicts they are known for. Fourth floor:
//! imports the catalogue's own types.

use crate::models::{Scenario, Variant, Verdicts};

static KNOWN: Verdicts = Verdicts::new(include_str!("verdicts.txt"));

pub(super) static VARIANTS: &[Variant] = &[
    KNOWN.variant(
        "check-then-write",
        "the vulnerable original",
        "access; open, truncating or creating, through links; write; chmod",
    ),
    KNOWN.variant(
        "unlink-then-create",
        "the first revision",
        "with force: access, unlink; create exclusively; write",
    ),
    KNOWN.variant(
        "lstat-then-create",
        "the merged fix",
        "lstat; with force: unlink; create exclusively; write",
    ),
    KNOWN.variant(
        "lstat-then-write",
        "proposed in review: keep it simple",
        "lstat; access; open, truncating or creating, through links; write; chmod",
    ),
    KNOWN.variant(
        "nofollow-only",
        "O_NOFOLLOW and nothing else",
        "open, truncating or creating, not through a link; write; chmod",
    ),
    KNOWN.variant(
        "exclusive-only",
        "the merged fix where there is no O_NOFOLLOW",
        "lstat; with force: unlink; create exclusively; write",
    ),
    KNOWN.variant(
        "temporary-then-rename",
        "the usual advice",
        "lstat; create a temporary exclusively; write; fsync; rename",
    ),
    KNOWN.variant(
        "anchored",
        "ours: the same in a directory opened once",
        "openat2 the directory, beneath and through no link; then the same in it",
    ),
    KNOWN.variant(
        "link-or-exchange",
        "ours; what write_exclusive does",
        "anchored; link an unnamed file to P; with force: exchange, and look at what came back",
    ),
    KNOWN.variant(
        "private-then-rename",
        "ours; the same off Linux",
        "anchored; write in a private directory, rename to P; with force: as above",
    ),
];

pub(super) static SCENARIOS: &[Scenario] = &[
    Scenario { name: "new-shared", about: "no force; all may write to the directory" },
    Scenario {
        name: "new-sticky",
        about: "no force; all may write to it, it is sticky, a protection of the kernel is off",
    },
    Scenario {
        name: "new-guarded",
        about: "no force; sticky, with protected_symlinks and protected_regular",
    },
    Scenario {
        name: "new-parent-swap",
        about: "no force; the victim's own directory, whose name the attacker can change",
    },
    Scenario { name: "force-shared", about: "what is at P is replaced; all may write" },
    Scenario {
        name: "force-sticky",
        about: "what is at P is replaced; sticky, a protection of the kernel is off",
    },
    Scenario {
        name: "force-guarded",
        about: "what is at P is replaced; sticky, with both protections",
    },
    Scenario {
        name: "force-parent-swap",
        about: "what is at P is replaced; the victim's own directory, whose name can change",
    },
];
