//! Run by ../../../tests/native/test_rust.py, which compares what is written with the binding of Python.

use segedge::{Background, Format, Frame, Options, Preset, Session};
use std::path::PathBuf;
use std::{env, fs, thread};

const WIDTH: u32 = 320;
const HEIGHT: u32 = 179;

/// Holds model.tflite and frame.rgb.
fn folder() -> PathBuf {
    env::var_os("SEGEDGE_TEST_FOLDER")
        .expect("test_rust.py sets it")
        .into()
}

fn open() -> Session {
    Session::open_file(folder().join("model.tflite"), &Options::default()).unwrap()
}

#[test]
fn what_it_gives() {
    let pixels = fs::read(folder().join("frame.rgb")).unwrap();
    let frame = Frame::packed(Format::RGB, WIDTH, HEIGHT, &pixels).unwrap();
    let mut session = open();
    assert!(session.self_test().unwrap().same);
    let mask = session.mask(&frame).unwrap();
    let bytes: Vec<u8> = mask.iter().flat_map(|value| value.to_ne_bytes()).collect();
    fs::write(folder().join("mask.bin"), bytes).unwrap();
    let alpha = session.alpha(&frame, Preset::Fast).unwrap();
    let over = Background::Colour([10, 200, 30]);
    let composite = session
        .composite(&frame, &alpha, &over, Format::BGR)
        .unwrap();
    fs::write(folder().join("composite.bin"), composite).unwrap();
    let same = session.composite(&frame, &alpha, &Background::Picture(&frame), Format::RGB);
    assert_eq!(same.unwrap(), pixels);
}

#[test]
fn a_buffer_a_thread_and_a_yuv_frame() {
    let model = fs::read(folder().join("model.tflite")).unwrap();
    let options = Options {
        threads: 1,
        feather: 4,
        ..Options::default()
    };
    let mut session = Session::open_buffer(&model, &options).unwrap();
    drop(model);
    let (luma, chroma) = (vec![128; 64 * 50 - 14], vec![128; 64 * 25 - 14]);
    let format = Format::NV12.full_range().bt709();
    let info = session.describe().unwrap();
    assert_eq!((info.threads, info.input), (1, (256, 256)));
    assert!(info.contract.starts_with('{'));
    let moved = thread::spawn(move || {
        let frame = Frame::new(format, 50, 50, &[(&luma, 64), (&chroma, 64)]).unwrap();
        session.alpha(&frame, Preset::Balanced).unwrap().len()
    });
    assert_eq!(moved.join().unwrap(), 2500);
}

#[test]
fn misuse_is_an_error() {
    let missing = Session::open_file("none.tflite", &Options::default())
        .err()
        .unwrap();
    assert_eq!(missing.status, 2);
    assert!(missing.to_string().contains("none.tflite"));
    let says = |result: segedge::Result<Session>| result.err().unwrap().text;
    assert!(says(Session::open_file("a\0b", &Options::default())).contains("NUL"));
    assert!(says(Session::open_buffer(&[], &Options::default())).len() > 10);
    let litert = Options {
        litert: Some("none.so"),
        ..Options::default()
    };
    assert!(says(Session::open_file(folder().join("model.tflite"), &litert)).contains("none.so"));

    let bytes = [0; 100];
    let refused = |format, width, height, planes: &[(&[u8], usize)]| {
        Frame::new(format, width, height, planes)
            .err()
            .map(|error| error.status)
            == Some(1)
    };
    assert!(refused(Format::RGB, 10, 10, &[(&bytes, 30)]));
    assert!(refused(Format::RGB, 10, 10, &[(&bytes, 0)]));
    assert!(refused(Format::RGB, 2, 2, &[(&bytes, usize::MAX)]));
    assert!(refused(
        Format::BGRA,
        u32::MAX,
        u32::MAX,
        &[(&bytes, usize::MAX)]
    ));
    assert!(refused(Format::NV12, 8, 8, &[(&bytes, 8)]));
    assert!(refused(
        Format::I420,
        8,
        8,
        &[(&bytes, 8), (&bytes, 4), (&bytes[..10], 4)]
    ));

    let mut session = open();
    let nothing = Frame::packed(Format::RGB, 0, 0, &[]).unwrap();
    assert_eq!(
        session.alpha(&nothing, Preset::Fast).err().unwrap().status,
        1
    );
    assert_eq!(session.mask(&nothing).err().unwrap().status, 1);
    let flagged = Frame::packed(Format::RGB.full_range(), 4, 4, &bytes).unwrap();
    assert_eq!(session.mask(&flagged).err().unwrap().status, 1);
    let frame = Frame::packed(Format::RGB, 4, 4, &bytes).unwrap();
    let black = Background::Colour([0; 3]);
    assert!(session
        .composite(&frame, &bytes, &black, Format::RGB)
        .is_err());
    assert!(session
        .composite(&frame, &bytes[..16], &black, Format::NV12)
        .is_err());
    assert!(session
        .composite(&frame, &bytes[..16], &black, Format::RGB)
        .is_ok());
    session.reset().unwrap();
}
