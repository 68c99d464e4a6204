//! scratch
use std::time::*;
use rustix::fs::*;
use toctou::store::*;
fn main() {
    let d = tempfile::tempdir_in("/dev/shm").unwrap();
    let st = OneTimeStore::open(d.path()).unwrap().durable(false).mechanism(Mechanism::UnlinkDecides);
    let at = openat(CWD, d.path(), OFlags::RDONLY|OFlags::DIRECTORY|OFlags::CLOEXEC, Mode::empty()).unwrap();
    let keys: Vec<_> = (0..64).map(|i| format!("download-{i}")).collect();
    let c: Vec<_> = keys.iter().map(|k| [std::ffi::CString::new(format!("{k}/content")).unwrap(), std::ffi::CString::new(format!("{k}/meta")).unwrap()]).collect();
    let st2: Vec<String> = keys.iter().map(|k| format!("{k}/content")).collect();
    let st3: Vec<String> = keys.iter().map(|k| format!("{k}/meta")).collect();
    let os = toctou::fs::OsFs::open(d.path()).unwrap().waiting(); let names: Vec<_> = keys.iter().map(|k| std::sync::Arc::new(Names::new(std::path::Path::new(k), Mechanism::UnlinkDecides, ""))).collect(); let mut t: Vec<Vec<u128>> = vec![vec![]; 8];
    for round in 0..2000 {
        for w in 0..8 {
            let w = match std::env::args().nth(1) { Some(a) => a.parse().unwrap(), None => (w + round) % 8 };
            for i in 0..64 { let _ = unlinkat(&at, c[i][1].as_c_str(), AtFlags::empty()); st.replace(&keys[i], b"the launch code").unwrap(); }
            let s = Instant::now();
            match w {
                0 => for i in 0..64 {
                    let f = openat(&at, c[i][0].as_c_str(), OFlags::RDONLY|OFlags::NOFOLLOW|OFlags::CLOEXEC, Mode::empty()).unwrap();
                    unlinkat(&at, c[i][0].as_c_str(), AtFlags::empty()).unwrap();
                    drop(openat(&at, c[i][1].as_c_str(), OFlags::WRONLY|OFlags::CREATE|OFlags::CLOEXEC, Mode::RUSR|Mode::WUSR).unwrap());
                    drop(f);
                },
                1 => for i in 0..64 {
                    let f = openat(&at, &*st2[i], OFlags::RDONLY|OFlags::NOFOLLOW|OFlags::CLOEXEC, Mode::empty()).unwrap();
                    unlinkat(&at, &*st2[i], AtFlags::empty()).unwrap();
                    drop(openat(&at, &*st3[i], OFlags::WRONLY|OFlags::CREATE|OFlags::CLOEXEC, Mode::RUSR|Mode::WUSR).unwrap());
                    drop(f);
                },
                2 => for i in 0..64 {
                    let (a, b) = (format!("{}/content", keys[i]), format!("{}/meta", keys[i]));
                    let f = openat(&at, &*a, OFlags::RDONLY|OFlags::NOFOLLOW|OFlags::CLOEXEC, Mode::empty()).unwrap();
                    unlinkat(&at, &*a, AtFlags::empty()).unwrap();
                    drop(openat(&at, &*b, OFlags::WRONLY|OFlags::CREATE|OFlags::CLOEXEC, Mode::RUSR|Mode::WUSR).unwrap());
                    drop(f);
                },
                4 => for i in 0..64 { use toctou::fs::FileSystem; let mut o = &os;
                    let f = o.open(std::path::Path::new(&st2[i]), OFlags::RDONLY|OFlags::NOFOLLOW|OFlags::CLOEXEC, Mode::empty()).unwrap();
                    o.unlink(std::path::Path::new(&st2[i])).unwrap();
                    drop(o.open(std::path::Path::new(&st3[i]), OFlags::WRONLY|OFlags::CREATE|OFlags::CLOEXEC, Mode::RUSR|Mode::WUSR).unwrap());
                    drop(f);
                },
                5 => for i in 0..64 { drop(toctou::run(Claim::<toctou::fs::OsFile>::new(Mechanism::UnlinkDecides, names[i].clone()), &mut &os)); },
                6 => for i in 0..64 { drop(toctou::run(Claim::<toctou::fs::OsFile>::new(Mechanism::UnlinkDecides, Names::new(std::path::Path::new(&keys[i]), Mechanism::UnlinkDecides, "")), &mut &os)); },
                7 => for i in 0..64 {
                    let f = openat(&os, &*st2[i], OFlags::RDONLY|OFlags::NOFOLLOW|OFlags::CLOEXEC, Mode::empty()).unwrap();
                    unlinkat(&os, &*st2[i], AtFlags::empty()).unwrap();
                    drop(openat(&os, &*st3[i], OFlags::WRONLY|OFlags::CREATE|OFlags::CLOEXEC, Mode::RUSR|Mode::WUSR).unwrap());
                    drop(f);
                },
                _ => for i in 0..64 { drop(st.claim(&keys[i]).unwrap()); },
            }
            t[w].push(s.elapsed().as_nanos() / 64);
        }
    }
    for (n, v) in ["bare cstr", "bare str", "bare format", "store", "osfs by hand", "run claim arc", "run claim", "bare str on osfs"].iter().zip(&mut t) { v.sort(); if v.is_empty() { continue } println!("{n:12} min {} p10 {} p25 {} med {}", v[0], v[v.len()/10], v[v.len()/4], v[v.len()/2]); }
}
