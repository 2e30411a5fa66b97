//! What every page and every chart has to keep.

use tokenmill::report::{self, Drawing, Mark};

/// Every element that is opened is closed, in order.
pub fn assert_balanced(page: &str) {
    const VOID: [&str; 2] = ["meta", "br"];
    let body = page.strip_prefix("<!DOCTYPE html>").expect("a doctype");
    let style = body.find("<style>").unwrap()..body.find("</style>").unwrap();
    let mut open: Vec<&str> = Vec::new();
    let mut at = 0;
    while let Some(start) = body[at..].find('<').map(|i| at + i) {
        let end = start + body[start..].find('>').expect("a tag ends");
        let tag = &body[start + 1..end];
        at = end + 1;
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed), "at byte {start}");
        } else if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
        if name == "style" && start == style.start {
            at = style.end;
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

/// All texts lie on the page and none touches another.
pub fn assert_readable(drawing: &Drawing) {
    let boxes: Vec<_> = drawing.texts().map(|text| (text.bounds(), &text.text)).collect();
    for (i, (a, text)) in boxes.iter().enumerate() {
        let is_inside = a.0 >= 0.0 && a.1 >= 0.0 && a.2 <= report::WIDTH && a.3 <= drawing.height;
        assert!(is_inside, "{text:?} leaves the page: {a:?}");
        for (b, other) in &boxes[i + 1..] {
            let touch = a.0 < b.2 && b.0 < a.2 && a.1 < b.3 && b.1 < a.3;
            assert!(!touch, "{text:?} {a:?} touches {other:?} {b:?}");
        }
    }
    for mark in &drawing.marks {
        if let Mark::Line { points, .. } | Mark::Area { points, .. } = mark {
            let is_inside = |&(x, y): &(f64, f64)| {
                (0.0..=report::WIDTH).contains(&x) && (0.0..=drawing.height).contains(&y)
            };
            assert!(points.iter().all(is_inside));
        }
    }
}
