//! mask MODEL.tflite PICTURE.ppm MASK.pgm: a person's alpha, 0 to 255, as ../../examples/mask.c.
//! SEGEDGE_LITERT may name LiteRT's library.

use segedge::{Format, Frame, Options, Preset, Session};
use std::error::Error;
use std::{env, fs, process};

/// A binary PPM of 8 bits, without comments: width, height and the pixels.
fn parse_ppm(bytes: &[u8]) -> Option<(u32, u32, &[u8])> {
    let mut fields = bytes.splitn(5, |byte| byte.is_ascii_whitespace());
    let mut text = || std::str::from_utf8(fields.next()?).ok();
    let (magic, width, height, most) = (
        text()?,
        text()?.parse().ok()?,
        text()?.parse().ok()?,
        text()?,
    );
    if magic != "P6" || most != "255" {
        return None;
    }
    Some((width, height, fields.next()?))
}

fn run(model: &str, picture: &str, out: &str) -> Result<(), Box<dyn Error>> {
    let bytes = fs::read(picture).map_err(|error| format!("{picture}: {error}"))?;
    let (width, height, pixels) = parse_ppm(&bytes)
        .ok_or_else(|| format!("{picture}: no binary PPM of 8 bits without comments"))?;
    let frame = Frame::packed(Format::RGB, width, height, pixels)?;
    let mut session = Session::open_file(model, &Options::default())?;
    let alpha = session.alpha(&frame, Preset::Balanced)?;
    let mut pgm = format!("P5\n{width} {height}\n255\n").into_bytes();
    pgm.extend(alpha);
    fs::write(out, pgm).map_err(|error| format!("{out}: {error}"))?;
    Ok(())
}

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    let [model, picture, out] = match <[String; 3]>::try_from(words) {
        Ok(words) => words,
        Err(_) => {
            eprintln!("usage: mask MODEL.tflite PICTURE.ppm MASK.pgm");
            process::exit(2);
        }
    };
    if let Err(error) = run(&model, &picture, &out) {
        eprintln!("{error}");
        process::exit(1);
    }
}
