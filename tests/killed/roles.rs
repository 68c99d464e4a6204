//! What a process does, over any file system, and how the world begins in which it does that.

use std::num::NonZeroUsize;
use std::path::Path;

use toctou::fs::{Errno, FileSystem, Mode, OFlags, OsFs, SimFs, User};
use toctou::store::{
    ClaimEnd, Durability, Mechanism, Names, PutRequest, claim, delivered, expire, put, recover,
};
use toctou::writer::{NEW_BY_NAME, Options, Plan, carry_out};

/// The download that everybody is about.
pub(crate) const KEY: &str = "key";
/// The directory that writers write in, and the file.
pub(crate) const FOLDER: &str = "folder";
pub(crate) const NAME: &str = "P";

/// What one process does.
#[derive(Clone, Debug)]
pub(crate) enum Role {
    /// Puts its token as content.
    Put { token: String, replace: bool, durable: bool },
    /// Claims, reads, and says that it is delivered where that is asked for.
    Claim { token: String, mechanism: Mechanism, durability: Durability },
    /// Expires the download.
    Expire { durable: bool },
    /// Writes its token to P.
    Write { token: String, options: Options, by_name: bool },
    /// Opens the content of the download, or P, and reads to its end.
    Read { of_download: bool },
    /// Recovers a store of this mechanism.
    Recover { mechanism: Mechanism },
}

impl Role {
    /// Whether it is about P, not about the download.
    pub(crate) fn is_about_p(&self) -> bool {
        matches!(self, Role::Write { .. } | Role::Read { of_download: false })
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Role::Put { durable: false, .. } => "a put",
            Role::Put { durable: true, .. } => "a durable put",
            Role::Claim { .. } => "a claim",
            Role::Expire { durable: false } => "an expiry",
            Role::Expire { durable: true } => "a durable expiry",
            Role::Write { options: Options { replace: true, .. }, .. } => "a replacing writer",
            Role::Write { by_name: true, .. } => "a writer by name",
            Role::Write { .. } => "a writer",
            Role::Read { .. } => "a reader",
            Role::Recover { .. } => "a recovery",
        }
    }

    /// Does it, and tells the answer.
    pub(crate) fn play<F: FileSystem>(&self, fs: &mut F) -> String {
        match self {
            Role::Put { token, replace, durable } => {
                let request = PutRequest::new(Path::new(KEY), token, token.clone().into_bytes());
                let request = PutRequest { replace: *replace, durable: *durable, ..request };
                format!("{:?}", put(fs, &request))
            }
            Role::Claim { token, mechanism, durability } => {
                claimed(fs, token, *mechanism, *durability)
            }
            Role::Expire { durable } => format!("{:?}", expire(fs, Path::new(KEY), *durable)),
            Role::Write { token, options, by_name } => written(fs, token, options, *by_name),
            Role::Read { of_download: true } => read(fs, &Path::new(KEY).join("content")),
            Role::Read { of_download: false } => read(fs, &Path::new(FOLDER).join(NAME)),
            // Each text is somebody's token here.
            Role::Recover { mechanism } => format!("{:?}", recover(fs, *mechanism, |_| true)),
        }
    }
}

fn claimed<F: FileSystem>(
    fs: &mut F,
    token: &str,
    mechanism: Mechanism,
    durability: Durability,
) -> String {
    let names = Names::new(Path::new(KEY), mechanism, durability, token);
    match claim(fs, mechanism, durability, &names) {
        ClaimEnd::Claimed { mut file, recorded } => {
            let mut buffer = [0; 64];
            let content = fs
                .read(&mut file, &mut buffer)
                .map(|count| buffer[..count].escape_ascii().to_string());
            let is_kept = durability == Durability::NothingLost;
            let delivered = is_kept.then(|| delivered(fs, &names));
            format!("Claimed({content:?}, recorded: {recorded:?}, delivered: {delivered:?})")
        }
        ClaimEnd::Gone => "Gone".to_owned(),
        ClaimEnd::Failed(failure) => format!("{failure:?}"),
    }
}

fn written<F: FileSystem>(fs: &mut F, token: &str, options: &Options, by_name: bool) -> String {
    let program = match by_name {
        true => options.adapted(NEW_BY_NAME, false),
        false => options.program(false),
    };
    let temporary = format!(".toctou.{token}");
    let plan = Plan {
        program: &program,
        directory: Path::new(FOLDER),
        name: Path::new(NAME),
        temporary: Path::new(&temporary),
        bytes: token.as_bytes(),
        mode: options.mode,
        owner: User::current().uid,
        replace: options.replace,
    };
    let end = carry_out(fs, &plan);
    format!("{:?}, left: {:?}", end.outcome, end.left)
}

/// Few bytes at a time, so that others act in between.
fn read<F: FileSystem>(fs: &mut F, path: &Path) -> String {
    let mut told = Vec::new();
    let mut file = match fs.open(path, OFlags::RDONLY | OFlags::NOFOLLOW, Mode::empty()) {
        Ok(file) => file,
        Err(errno) => return format!("{errno:?}"),
    };
    let mut buffer = [0; 4];
    loop {
        match fs.read(&mut file, &mut buffer) {
            Ok(0) => return format!("Read({})", told.escape_ascii()),
            Ok(count) => told.extend_from_slice(&buffer[..count]),
            Err(errno) => return format!("Read({}), then {errno:?}", told.escape_ascii()),
        }
    }
}

/// A world as it begins, and who acts in it.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    /// Whether the download is there.
    pub(crate) has_content: bool,
    /// Whether P is there.
    pub(crate) has_file: bool,
    /// How many bytes a write writes at most, if that is limited.
    pub(crate) write_limit: Option<NonZeroUsize>,
    /// How the last claim is made, and what the recovery is told of that.
    pub(crate) mechanism: Mechanism,
    /// What claims promise.
    pub(crate) durability: Durability,
    pub(crate) roles: Vec<Role>,
}

impl Scene {
    /// This world in the simulation.
    pub(crate) fn simulated(&self) -> SimFs {
        let world = SimFs::of(User::current()).with_protections(OsFs::protections());
        let mut world = world.with_short_writes(self.write_limit);
        self.furnish(&mut world);
        world
    }

    /// This world on this machine, in a directory.
    pub(crate) fn opened(&self, directory: &Path) -> Result<OsFs, Errno> {
        Ok(OsFs::open(directory)?.waiting().with_short_writes(self.write_limit))
    }

    /// Makes what is there in the beginning.
    pub(crate) fn furnish<F: FileSystem>(&self, fs: &mut F) {
        if self.has_content {
            let first = Role::Put { token: "first".to_owned(), replace: false, durable: false };
            assert_eq!(first.play(fs), "Stored");
        }
        if self.roles.iter().any(Role::is_about_p) {
            fs.mkdir(FOLDER, Mode::RWXU).expect("an empty world takes a directory");
            if self.has_file {
                let options = Options { mode: Mode::from_raw_mode(0o640), ..Options::default() };
                let first = written(fs, "old", &options, false);
                assert_eq!(first, "Written, left: Nothing");
            }
        }
    }

    /// Who recovers in the end.
    pub(crate) fn recovery(&self) -> Role {
        Role::Recover { mechanism: self.mechanism }
    }

    /// Who claims in the end.
    pub(crate) fn last_claim(&self) -> Role {
        let Scene { mechanism, durability, .. } = *self;
        Role::Claim { token: "last".to_owned(), mechanism, durability }
    }
}
