//! The page of the whole catalogue: each of its cells.

use serde_json::{Value, json};
use toctou::models::Breaks;

use crate::driver::browser;
use crate::{url, whole};

/// For each cell of the page: how many executions there are, and whose shares, computed in the page, are not those
/// that the state graph counted; and which schedule cannot be played, or does not decide its property.
const ALL_CELLS: &str = "(async () => {
    let [cells, executions, counted, states] = [0, 0, 0, 0];
    const wrong = [];
    for (let number = 0; number < packed.length; number += 1) {
        const { cell, scenes } = await toctou.open(number);
        cells += 1;
        for (const scene of scenes) states += scene.told.states;
        for (const shown of cell.properties) {
            const at = `${number} ${shown.name}`;
            const turns = turnsOf(shown);
            if (shown.schedule === null || shown.scene === null) continue;
            executions += 1;
            const scene = scenes[shown.scene];
            const execution = executionOf(shown, scene, turns);
            if (execution.rows.length !== turns.length) wrong.push(`${at} stops after ${execution.rows.length}`);
            const decided = decidedAt(shown, scene, execution);
            if (decided !== turns.length) wrong.push(`${at} is decided at ${decided} of ${turns.length}`);
            execution.states.forEach((_, at) => changesOf(compared(null, shownWorld(scene, execution, at))));
            if (!scene.whole || shown.lost.length === 0) continue;
            const shares = scene.shares(shown.name, execution.states).map(({ violating, all }) => `${violating}/${all}`).join(' ');
            const told = shown.lost.map((pair) => pair.join('/')).join(' ');
            counted += 1;
            if (shares !== told) wrong.push(`${at}: ${shares} here, ${told} there`);
        }
    }
    done({ cells, executions, counted, states, wrong });
})().catch((error) => done({ wrong: [String(error.stack)] }));";

#[test]
fn in_every_cell_the_page_counts_what_the_state_graph_counts() {
    let Some(browser) = browser("every cell of the page", 1280, 900) else { return };
    browser.open(&url(whole()));
    browser.patience();
    let told = browser.script_later(ALL_CELLS);
    println!("{told}");
    assert_eq!(told["wrong"], json!([]), "{told}");
    assert!(told["cells"].as_u64() > Some(400), "{told}");
    assert!(told["counted"].as_u64() > Some(400), "{told}");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// Shows every cell, and each property that breaks in it, by its address: which of them is not shown, or does not
/// fit.
const ALL_ADDRESSES: &str = "(async () => {
    let addresses = 0;
    const wrong = [];
    for (const [number, place] of places.entries()) {
        const { cell } = await toctou.open(number);
        for (const shown of cell.properties.filter(({ verdict }, at) => verdict === 'violated' || at === 0)) {
            const turns = turnsOf(shown);
            await show(addressOf(place, shown.name, turns, turns.length));
            addresses += 1;
            const at = `${placeOf(place)} ${shown.name}`;
            if (here?.shown !== shown) wrong.push(`${at} is not shown: ${main.textContent.slice(0, 200)}`);
            const over = document.documentElement.scrollWidth - window.innerWidth;
            if (over > 0) wrong.push(`${at} is ${over} pixels too wide`);
        }
    }
    done({ addresses, wrong });
})().catch((error) => done({ wrong: [String(error.stack)] }));";

#[test]
fn every_cell_and_all_that_breaks_in_it_can_be_opened_and_fits_the_screen() {
    let Some(browser) = browser("every address of the page", 1280, 900) else { return };
    browser.open(&url(whole()));
    browser.patience();
    let told = browser.script_later(ALL_ADDRESSES);
    println!("{told}");
    assert_eq!(told["wrong"], json!([]), "{told}");
    assert!(told["addresses"].as_u64() > Some(800), "{told}");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// The cells of a page in their order: what each is called, and its sign.
pub(crate) fn cells(page: &str) -> Vec<(String, String)> {
    let index = page.split("id=\"index\">").nth(1).unwrap().split("</script>").next().unwrap();
    let index: Value = serde_json::from_str(index).unwrap();
    let mut cells = Vec::new();
    for case in index["cases"].as_array().unwrap() {
        for cell in case["cells"].as_array().unwrap() {
            let name = |ways: &str, way: &str| {
                let way = cell[way].as_u64().unwrap() as usize;
                case[ways][way]["name"].as_str().unwrap().to_owned()
            };
            let (variant, scenario) = (name("variants", "variant"), name("scenarios", "scenario"));
            let name = format!("{}/{variant}/{scenario}", case["name"].as_str().unwrap());
            cells.push((name, cell["sign"].as_str().unwrap().to_owned()));
        }
    }
    cells
}

#[test]
fn each_sign_of_the_matrix_is_the_recorded_verdict() {
    let page = std::fs::read_to_string(whole()).unwrap();
    let cells = cells(&page);
    let mut expected = Vec::new();
    for model in toctou::models::ALL {
        let largest = model.size().usual.iter().max().copied().unwrap_or_default();
        for variant in model.variants() {
            for scenario in model.scenarios() {
                if model.has(variant.name, scenario.name) {
                    // What takes more than is checked when nobody asks is not seen.
                    let is_seen = |it: &Breaks<'_>| it.from_size <= largest;
                    let breaks = variant.breaks().filter(|it| it.scenario == scenario.name);
                    let breaks = breaks.filter(is_seen);
                    let name = format!("{}/{}/{}", model.name(), variant.name, scenario.name);
                    expected.push((name, breaks.map(|breaks| breaks.from_size).min()));
                }
            }
        }
    }
    let found: Vec<(String, Option<usize>)> = cells
        .into_iter()
        .map(|(name, sign)| {
            let size = sign.strip_prefix('✗').map(|size| size.trim().parse().unwrap());
            assert!(size.is_some() || sign.starts_with('✓'), "{name}: {sign}");
            (name, size)
        })
        .collect();
    assert_eq!(found, expected);
}
