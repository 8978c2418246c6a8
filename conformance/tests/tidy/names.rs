//! Names that say nothing.

use crate::{Breach, hold, source::Repository};

const EMPTY: [&str; 9] =
    ["common", "utils", "util", "helpers", "helper", "misc", "types", "manager", "stuff"];

#[test]
fn a_module_is_named_after_what_is_in_it() {
    let repository = Repository::read();
    let mut breaches = Vec::new();
    for file in &repository.rust {
        let empty = file.path.trim_end_matches(".rs").split('/').find(|part| EMPTY.contains(part));
        breaches.extend(empty.map(|name| breach(&file.path, 1, name)));
        for line in &file.lines {
            let declared = line.code.trim().trim_end_matches([';', '{', ' ']);
            let name = declared.split_once("mod ").map_or("", |(_, name)| name);
            let empty = EMPTY.into_iter().find(|empty| *empty == name);
            breaches.extend(empty.map(|name| breach(&file.path, line.number, name)));
        }
    }
    hold(breaches);
}

fn breach(path: &str, line: usize, name: &str) -> Breach {
    Breach::new(path, line, format!("a module called {name}; name what is in it"))
}
