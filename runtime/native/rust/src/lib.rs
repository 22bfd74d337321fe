//! A person's soft mask from a camera's frame: `segedge.h`, safe. What goes wrong is an [`Error`], never a panic.

mod ffi;

use std::ffi::{CStr, CString};
use std::fmt;
use std::marker::PhantomData;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::{null, null_mut};

/// `segedge_status`, and the line that says what was found, what was expected and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    pub status: u32,
    pub text: String,
}

impl fmt::Display for Error {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.text)
    }
}

impl std::error::Error for Error {}

pub type Result<T> = std::result::Result<T, Error>;

fn argument<T>(text: impl Into<String>) -> Result<T> {
    Err(Error {
        status: 1,
        text: text.into(),
    })
}

/// The planes of a frame, and the bytes of a pixel in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format(u32);

impl Format {
    pub const BGR: Format = Format(0);
    pub const RGB: Format = Format(1);
    pub const RGBA: Format = Format(2);
    pub const BGRA: Format = Format(3);
    pub const NV12: Format = Format(4);
    pub const NV21: Format = Format(5);
    pub const I420: Format = Format(6);

    /// YUV of 0 to 255 instead of 16 to 235.
    pub const fn full_range(self) -> Format {
        Format(self.0 | 0x100)
    }

    /// YUV by BT.709 instead of BT.601.
    pub const fn bt709(self) -> Format {
        Format(self.0 | 0x200)
    }

    /// Rows, and bytes of a row, of each plane.
    fn planes(self, width: usize, height: usize) -> Vec<(usize, usize)> {
        let (half_width, half_height) = ((width + 1) / 2, (height + 1) / 2);
        match self.0 & 0xff {
            0 | 1 => vec![(height, width.saturating_mul(3))],
            2 | 3 => vec![(height, width.saturating_mul(4))],
            4 | 5 => vec![(height, width), (half_height, 2 * half_width)],
            _ => vec![
                (height, width),
                (half_height, half_width),
                (half_height, half_width),
            ],
        }
    }
}

fn holds(bytes: usize, rows: usize, row: usize, stride: usize) -> bool {
    let needed = rows
        .saturating_sub(1)
        .checked_mul(stride)
        .and_then(|before| before.checked_add(row));
    stride >= row && matches!(needed, Some(needed) if needed <= bytes)
}

/// A frame, top row first. It borrows its bytes, so they outlive every call that reads them:
///
/// ```compile_fail,E0597
/// let frame = {
///     let bytes = vec![0u8; 12];
///     segedge::Frame::packed(segedge::Format::RGB, 2, 2, &bytes).unwrap()
/// };
/// drop(frame);
/// ```
pub struct Frame<'a> {
    raw: ffi::Frame,
    bytes: PhantomData<&'a [u8]>,
}

impl<'a> Frame<'a> {
    /// Of planes with their strides, the bytes from one row to the next.
    pub fn new(
        format: Format,
        width: u32,
        height: u32,
        planes: &[(&'a [u8], usize)],
    ) -> Result<Frame<'a>> {
        let expected = format.planes(width as usize, height as usize);
        if planes.len() != expected.len() {
            return argument(format!(
                "got {} planes, expected {}",
                planes.len(),
                expected.len()
            ));
        }
        let mut raw = ffi::Frame {
            format: format.0,
            width,
            height,
            planes: [null(); 3],
            strides: [0; 3],
        };
        for (k, (&(bytes, stride), &(rows, row))) in planes.iter().zip(&expected).enumerate() {
            if !holds(bytes.len(), rows, row, stride) {
                let got = bytes.len();
                return argument(format!(
                    "plane {k}: got {got} bytes, expected {rows} rows of {row}, {stride} apart"
                ));
            }
            raw.planes[k] = bytes.as_ptr();
            raw.strides[k] = stride;
        }
        Ok(Frame {
            raw,
            bytes: PhantomData,
        })
    }

    /// Of BGR, RGB, RGBA or BGRA without gaps between the rows.
    pub fn packed(format: Format, width: u32, height: u32, pixels: &'a [u8]) -> Result<Frame<'a>> {
        let row = format.planes(width as usize, height as usize)[0].1;
        Frame::new(format, width, height, &[(pixels, row)])
    }

    fn pixels(&self) -> usize {
        (self.raw.width as usize).saturating_mul(self.raw.height as usize)
    }
}

/// The chain from the network's mask to alpha.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    Fast = 0,
    Balanced = 1,
}

/// What a frame is put over: a picture, scaled to cover it, or a colour (red, green, blue).
pub enum Background<'a> {
    Picture(&'a Frame<'a>),
    Colour([u8; 3]),
}

/// How to open a model. 0 threads: this machine's cores, at most 4. `litert`: LiteRT's library, or "linked".
#[derive(Debug, Clone, Copy, Default)]
pub struct Options<'a> {
    pub threads: u32,
    pub feather: u32,
    pub litert: Option<&'a str>,
    pub contract: Option<&'a str>,
}

/// The sizes of the network, and the contract as JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct Info {
    pub input: (u32, u32),
    pub output: (u32, u32),
    pub threads: u32,
    pub threshold: f64,
    pub contract: String,
}

/// Does the file give the masks here that it gave where it was made?
#[derive(Debug, Clone, PartialEq)]
pub struct SelfTest {
    pub same: bool,
    pub altered: bool,
    pub pictures: u32,
    pub least_iou: f64,
    pub mean_difference: f64,
}

/// A model with its interpreter, and one stream of frames. It may move to another thread, and not be shared:
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>() {}
/// shared::<segedge::Session>();
/// ```
pub struct Session(*mut ffi::Session);

unsafe impl Send for Session {}

impl Drop for Session {
    fn drop(&mut self) {
        unsafe { ffi::segedge_close(&mut self.0) }
    }
}

fn c_string(text: &[u8]) -> Result<CString> {
    CString::new(text).or_else(|_| argument("got a NUL inside a text, expected none"))
}

impl Session {
    pub fn open_file(path: impl AsRef<Path>, options: &Options) -> Result<Session> {
        let path = c_string(path.as_ref().as_os_str().as_bytes())?;
        Session::open(options, |options, session| unsafe {
            ffi::segedge_open_file(path.as_ptr(), options, session)
        })
    }

    pub fn open_buffer(model: &[u8], options: &Options) -> Result<Session> {
        Session::open(options, |options, session| unsafe {
            ffi::segedge_open_buffer(model.as_ptr().cast(), model.len(), options, session)
        })
    }

    fn open(
        options: &Options,
        load: impl FnOnce(*const ffi::Options, *mut *mut ffi::Session) -> u32,
    ) -> Result<Session> {
        let litert = options
            .litert
            .map(|text| c_string(text.as_bytes()))
            .transpose()?;
        let contract = options
            .contract
            .map(|text| c_string(text.as_bytes()))
            .transpose()?;
        let given = ffi::Options {
            size: std::mem::size_of::<ffi::Options>(),
            threads: options.threads,
            feather: options.feather,
            litert: litert.as_ref().map_or(null(), |text| text.as_ptr()),
            contract: contract.as_ref().map_or(null(), |text| text.as_ptr()),
        };
        let mut session = Session(null_mut());
        let status = load(&given, &mut session.0);
        session.check(status)?;
        Ok(session)
    }

    fn check(&self, status: u32) -> Result<()> {
        if status == 0 {
            return Ok(());
        }
        let text = if self.0.is_null() {
            "no memory left".to_string()
        } else {
            unsafe { CStr::from_ptr(ffi::segedge_error(self.0)) }
                .to_string_lossy()
                .into_owned()
        };
        Err(Error { status, text })
    }

    /// Refined alpha of the frame's size, a byte for each pixel. Frames are taken as a stream.
    pub fn alpha(&mut self, frame: &Frame, preset: Preset) -> Result<Vec<u8>> {
        let mut alpha = vec![0; frame.pixels()];
        let stride = frame.raw.width as usize;
        self.check(unsafe {
            ffi::segedge_alpha(
                self.0,
                &frame.raw,
                preset as u32,
                alpha.as_mut_ptr(),
                stride,
            )
        })?;
        Ok(alpha)
    }

    /// The soft mask of the frame's size, 0 to 1. Keeps nothing for the next frame.
    pub fn mask(&mut self, frame: &Frame) -> Result<Vec<f32>> {
        let mut mask = vec![0.0; frame.pixels()];
        let stride = 4 * frame.raw.width as usize;
        self.check(unsafe { ffi::segedge_mask(self.0, &frame.raw, mask.as_mut_ptr(), stride) })?;
        Ok(mask)
    }

    /// Another stream, or a jump in this one, follows.
    pub fn reset(&mut self) -> Result<()> {
        self.check(unsafe { ffi::segedge_reset(self.0) })
    }

    /// The frame over a background, packed BGR, RGB, RGBA or BGRA.
    pub fn composite(
        &mut self,
        frame: &Frame,
        alpha: &[u8],
        background: &Background,
        format: Format,
    ) -> Result<Vec<u8>> {
        let (width, row) = (
            frame.raw.width as usize,
            format.planes(frame.raw.width as usize, 1)[0].1,
        );
        if alpha.len() != frame.pixels() {
            return argument(format!(
                "alpha: got {} bytes, expected {}",
                alpha.len(),
                frame.pixels()
            ));
        }
        let (picture, colour): (*const ffi::Frame, *const u8) = match background {
            Background::Picture(picture) => (&picture.raw, null()),
            Background::Colour(colour) => (null(), colour.as_ptr()),
        };
        let mut out = vec![0; row.saturating_mul(frame.raw.height as usize)];
        let (from, to) = (alpha.as_ptr(), out.as_mut_ptr());
        self.check(unsafe {
            ffi::segedge_composite(
                self.0, &frame.raw, from, width, picture, colour, format.0, to, row,
            )
        })?;
        Ok(out)
    }

    /// The golden pictures inside the file: call it once after installing.
    pub fn self_test(&mut self) -> Result<SelfTest> {
        let mut found: ffi::SelfTest = unsafe { std::mem::zeroed() };
        found.size = std::mem::size_of::<ffi::SelfTest>();
        self.check(unsafe { ffi::segedge_self_test(self.0, &mut found) })?;
        Ok(SelfTest {
            same: found.same != 0,
            altered: found.altered != 0,
            pictures: found.pictures,
            least_iou: found.least_iou,
            mean_difference: found.mean_difference,
        })
    }

    pub fn describe(&mut self) -> Result<Info> {
        let mut found: ffi::Info = unsafe { std::mem::zeroed() };
        found.size = std::mem::size_of::<ffi::Info>();
        self.check(unsafe { ffi::segedge_describe(self.0, &mut found) })?;
        Ok(Info {
            input: (found.input_width, found.input_height),
            output: (found.output_width, found.output_height),
            threads: found.threads,
            threshold: found.threshold,
            contract: unsafe { CStr::from_ptr(found.contract) }
                .to_string_lossy()
                .into_owned(),
        })
    }
}
