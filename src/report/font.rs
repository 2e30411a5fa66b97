//! The fonts that a page carries with it.
//!
//! Charts are laid out with the widths of Noto Sans, so the page must show that
//! face and no other. Only Latin glyphs go along, which makes a page a third of
//! its size; other scripts fall back to the reader's own fonts, which serves
//! names well enough.

/// Characters that go along: Latin with its accents, and what figures need.
const KEPT: [std::ops::RangeInclusive<u16>; 4] =
    [0x20..=0x7e, 0xa0..=0x17f, 0x2010..=0x2044, 0x20ac..=0x20ac];

/// Tables of a TrueType font that a browser needs; layout rules are left out,
/// because charts are measured without them.
const TABLES: [&[u8; 4]; 10] =
    [b"OS/2", b"cmap", b"glyf", b"head", b"hhea", b"hmtx", b"loca", b"maxp", b"name", b"post"];

/// CSS rules that make Noto Sans, regular and bold, known to a page.
pub fn face_rules() -> String {
    let rule = |weight: u32, font: &[u8]| {
        format!(
            "@font-face{{font-family:\"Noto Sans\";font-weight:{weight};\
             src:url(data:font/ttf;base64,{})}}\n",
            base64(&latin(font))
        )
    };
    rule(400, notosans::REGULAR_TTF) + &rule(700, notosans::BOLD_TTF)
}

/// The font without the outlines of other scripts. Glyphs keep their numbers.
fn latin(font: &[u8]) -> Vec<u8> {
    let cmap = table(font, b"cmap");
    let glyphs: Vec<(u16, u16)> = KEPT
        .into_iter()
        .flatten()
        .map(|character| (character, glyph_of(cmap, character)))
        .filter(|&(_, glyph)| glyph != 0)
        .collect();
    let (glyf, loca) = outlines(font, glyphs.iter().map(|&(_, glyph)| glyph));
    let cmap = character_map(&glyphs);
    let tables = TABLES.map(|tag| match tag {
        b"cmap" => (tag, cmap.as_slice()),
        b"glyf" => (tag, glyf.as_slice()),
        b"loca" => (tag, loca.as_slice()),
        _ => (tag, table(font, tag)),
    });
    assemble(&tables)
}

fn u16_at(data: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([data[at], data[at + 1]])
}

fn u32_at(data: &[u8], at: usize) -> u32 {
    u32::from(u16_at(data, at)) << 16 | u32::from(u16_at(data, at + 2))
}

/// The table named `tag`, found in the directory that opens a font.
fn table<'a>(font: &'a [u8], tag: &[u8; 4]) -> &'a [u8] {
    let entries = font[12..].chunks_exact(16).take(usize::from(u16_at(font, 4)));
    let entry = entries.into_iter().find(|entry| &entry[..4] == tag).expect("a table of the font");
    let start = u32_at(entry, 8) as usize;
    &font[start..start + u32_at(entry, 12) as usize]
}

/// Glyph of a character, 0 if there is none, by the format 4 map for Unicode.
fn glyph_of(cmap: &[u8], character: u16) -> u16 {
    let records = cmap[4..].chunks_exact(8).take(usize::from(u16_at(cmap, 2)));
    let map = records
        .map(|record| &cmap[u32_at(record, 4) as usize..])
        .find(|map| u16_at(map, 0) == 4)
        .expect("a format 4 map");
    let doubled = usize::from(u16_at(map, 6));
    // Ends, a pad, starts, deltas and offsets of the segments lie in turn.
    let (ends, starts) = (14, 16 + doubled);
    let (deltas, offsets) = (starts + doubled, starts + 2 * doubled);
    let segment = (0..doubled).step_by(2).find(|i| u16_at(map, ends + i) >= character);
    let Some(i) = segment.filter(|i| u16_at(map, starts + i) <= character) else {
        return 0;
    };
    let delta = u16_at(map, deltas + i);
    let offset = usize::from(u16_at(map, offsets + i));
    if offset == 0 {
        return character.wrapping_add(delta);
    }
    let index = 2 * usize::from(character - u16_at(map, starts + i));
    match u16_at(map, offsets + i + offset + index) {
        0 => 0,
        glyph => glyph.wrapping_add(delta),
    }
}

/// The tables `glyf` and `loca` with the outlines of `glyphs` and of their parts.
fn outlines(font: &[u8], glyphs: impl Iterator<Item = u16>) -> (Vec<u8>, Vec<u8>) {
    let (glyf, loca) = (table(font, b"glyf"), table(font, b"loca"));
    assert_eq!(u16_at(table(font, b"head"), 50), 1, "offsets of outlines are 32 bits wide");
    let outline = |glyph: usize| {
        &glyf[u32_at(loca, 4 * glyph) as usize..u32_at(loca, 4 * glyph + 4) as usize]
    };
    let mut is_kept = vec![false; loca.len() / 4 - 1];
    let mut found: Vec<usize> = glyphs.map(usize::from).chain([0]).collect();
    while let Some(glyph) = found.pop() {
        if !std::mem::replace(&mut is_kept[glyph], true) {
            found.extend(parts(outline(glyph)));
        }
    }
    let (mut new_glyf, mut new_loca) = (Vec::new(), vec![0; 4]);
    for (glyph, is_kept) in is_kept.into_iter().enumerate() {
        if is_kept {
            new_glyf.extend_from_slice(outline(glyph));
        }
        new_loca.extend_from_slice(&(new_glyf.len() as u32).to_be_bytes());
    }
    (new_glyf, new_loca)
}

/// Glyphs that an accented glyph is put together from.
fn parts(outline: &[u8]) -> Vec<usize> {
    const WORDS: u16 = 0x1;
    const SCALE: u16 = 0x8;
    const MORE: u16 = 0x20;
    const TWO_SCALES: u16 = 0x40;
    const MATRIX: u16 = 0x80;
    let mut parts = Vec::new();
    let is_composite = !outline.is_empty() && u16_at(outline, 0) & 0x8000 != 0;
    let mut at = 10;
    let mut more = is_composite;
    while more {
        let flags = u16_at(outline, at);
        parts.push(usize::from(u16_at(outline, at + 2)));
        let shift = if flags & WORDS != 0 { 4 } else { 2 };
        let scale = match () {
            _ if flags & SCALE != 0 => 2,
            _ if flags & TWO_SCALES != 0 => 4,
            _ if flags & MATRIX != 0 => 8,
            _ => 0,
        };
        at += 4 + shift + scale;
        more = flags & MORE != 0;
    }
    parts
}

/// A `cmap` table of format 12, one group a character.
fn character_map(glyphs: &[(u16, u16)]) -> Vec<u8> {
    let mut map = vec![0, 0, 0, 1, 0, 3, 0, 10, 0, 0, 0, 12, 0, 12, 0, 0];
    map.extend_from_slice(&(16 + 12 * glyphs.len() as u32).to_be_bytes());
    map.extend_from_slice(&[0; 4]);
    map.extend_from_slice(&(glyphs.len() as u32).to_be_bytes());
    for &(character, glyph) in glyphs {
        for word in [character, character, glyph] {
            map.extend_from_slice(&u32::from(word).to_be_bytes());
        }
    }
    map
}

/// A font file of the tables, which are sorted by name.
fn assemble(tables: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let count = tables.len() as u16;
    let power = count.ilog2() as u16;
    let range = 16 << power;
    let mut font = vec![0, 1, 0, 0];
    for word in [count, range, power, 16 * count - range] {
        font.extend_from_slice(&word.to_be_bytes());
    }
    let mut start = font.len() + 16 * tables.len();
    for (tag, data) in tables {
        font.extend_from_slice(&tag[..]);
        for word in [checksum(data), start as u32, data.len() as u32] {
            font.extend_from_slice(&word.to_be_bytes());
        }
        start += data.len().next_multiple_of(4);
    }
    for (_, data) in tables {
        font.extend_from_slice(data);
        font.resize(font.len().next_multiple_of(4), 0);
    }
    font
}

/// Sum of the table's 32-bit words, padded with zeros.
fn checksum(data: &[u8]) -> u32 {
    let byte = |chunk: &[u8], i: usize| chunk.get(i).copied().unwrap_or(0);
    let word = |c: &[u8]| u32::from_be_bytes([byte(c, 0), byte(c, 1), byte(c, 2), byte(c, 3)]);
    data.chunks(4).map(word).fold(0, u32::wrapping_add)
}

/// Base64 of RFC 4648, padded.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * i) & 63) as usize] as char;
            text.push(if i <= chunk.len() { digit } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use plotters::style::{FontDesc, FontFamily, FontStyle, register_font};

    #[test]
    fn base64_follows_rfc_4648() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    /// Pixels of a text drawn with the font registered under `name`.
    fn pixels(name: &str, text: &str) -> Vec<(i32, i32, u32)> {
        let font = FontDesc::new(FontFamily::Name(name), 60.0, FontStyle::Normal);
        let mut pixels = Vec::new();
        font.draw(text, (0, 0), |x, y, alpha| {
            pixels.push((x, y, alpha.to_bits()));
            Ok::<(), ()>(())
        })
        .unwrap()
        .unwrap();
        pixels
    }

    #[test]
    fn latin_text_looks_as_in_the_whole_font_and_the_rest_is_gone() {
        let part: &'static [u8] = latin(notosans::REGULAR_TTF).leak();
        assert!(part.len() < notosans::REGULAR_TTF.len() / 3, "{}", part.len());
        assert!(register_font("whole", FontStyle::Normal, notosans::REGULAR_TTF).is_ok());
        assert!(register_font("part", FontStyle::Normal, part).is_ok());
        for text in ["TTFT 212 ± 18 ms, $0.31 €", "Ärger über Žluťoučký kůň…", "µ – ’ “”"]
        {
            assert!(pixels("whole", text) == pixels("part", text), "{text}");
        }
        // Without a glyph, a page falls back to another font.
        assert_eq!(glyph_of(table(notosans::REGULAR_TTF, b"cmap"), 0x4e00), 0);
        assert_ne!(pixels("whole", "Ж"), pixels("part", "Ж"));
    }
}
