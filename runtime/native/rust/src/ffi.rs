//! `segedge.h`, by hand.

use std::os::raw::{c_char, c_void};

#[repr(C)]
pub struct Frame {
    pub format: u32,
    pub width: u32,
    pub height: u32,
    pub planes: [*const u8; 3],
    pub strides: [usize; 3],
}

#[repr(C)]
pub struct Options {
    pub size: usize,
    pub threads: u32,
    pub feather: u32,
    pub litert: *const c_char,
    pub contract: *const c_char,
}

#[repr(C)]
pub struct Info {
    pub size: usize,
    pub input_width: u32,
    pub input_height: u32,
    pub output_width: u32,
    pub output_height: u32,
    pub threads: u32,
    pub threshold: f64,
    pub contract: *const c_char,
}

#[repr(C)]
pub struct SelfTest {
    pub size: usize,
    pub same: i32,
    pub altered: i32,
    pub pictures: u32,
    pub least_iou: f64,
    pub least_iou_pytorch: f64,
    pub mean_difference: f64,
}

/// `segedge_session`, of which only pointers exist.
#[repr(C)]
pub struct Session {
    _private: [u8; 0],
}

#[link(name = "segedge")]
extern "C" {
    pub fn segedge_open_file(
        path: *const c_char,
        options: *const Options,
        session: *mut *mut Session,
    ) -> u32;
    pub fn segedge_open_buffer(
        data: *const c_void,
        size: usize,
        options: *const Options,
        session: *mut *mut Session,
    ) -> u32;
    pub fn segedge_error(session: *const Session) -> *const c_char;
    pub fn segedge_describe(session: *mut Session, info: *mut Info) -> u32;
    pub fn segedge_mask(
        session: *mut Session,
        frame: *const Frame,
        mask: *mut f32,
        stride: usize,
    ) -> u32;
    pub fn segedge_alpha(
        session: *mut Session,
        frame: *const Frame,
        preset: u32,
        alpha: *mut u8,
        stride: usize,
    ) -> u32;
    pub fn segedge_reset(session: *mut Session) -> u32;
    pub fn segedge_composite(
        session: *mut Session,
        frame: *const Frame,
        alpha: *const u8,
        alpha_stride: usize,
        background: *const Frame,
        colour: *const u8,
        out_format: u32,
        out: *mut u8,
        out_stride: usize,
    ) -> u32;
    pub fn segedge_self_test(session: *mut Session, result: *mut SelfTest) -> u32;
    pub fn segedge_close(session: *mut *mut Session);
}
