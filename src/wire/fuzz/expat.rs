//! libexpat, which ejabberd, Prosody and many clients read with.
#![allow(unsafe_code)] // a C library: a parser is created, fed once and freed in one function

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::slice;

use crate::tree::{Item, push_text};

type Parser = *mut c_void;
type StartHandler = extern "C" fn(*mut c_void, *const c_char, *const *const c_char);
type EndHandler = extern "C" fn(*mut c_void, *const c_char);
type TextHandler = extern "C" fn(*mut c_void, *const c_char, c_int);

#[link(name = "expat")]
unsafe extern "C" {
    fn XML_ParserCreateNS(encoding: *const c_char, separator: c_char) -> Parser;
    fn XML_SetUserData(parser: Parser, data: *mut c_void);
    fn XML_SetElementHandler(parser: Parser, start: StartHandler, end: EndHandler);
    fn XML_SetCharacterDataHandler(parser: Parser, text: TextHandler);
    fn XML_Parse(parser: Parser, bytes: *const c_char, len: c_int, is_final: c_int) -> c_int;
    fn XML_ParserFree(parser: Parser);
}

/// Stands in no URI, for XML forbids it.
const SEPARATOR: u8 = 1;

/// The items of a whole document; `None` if expat refuses any of it.
pub fn items(document: &[u8]) -> Option<Vec<Item>> {
    let len = c_int::try_from(document.len()).ok()?;
    let mut items: Vec<Item> = Vec::new();
    // SAFETY: the parser lives only here, the handlers borrow `items` only while it parses, and
    // `document` outlives the call.
    let status = unsafe {
        let parser = XML_ParserCreateNS(c"UTF-8".as_ptr(), SEPARATOR as c_char);
        XML_SetUserData(parser, (&raw mut items).cast());
        XML_SetElementHandler(parser, start, end);
        XML_SetCharacterDataHandler(parser, text);
        let status = XML_Parse(parser, document.as_ptr().cast(), len, 1);
        XML_ParserFree(parser);
        status
    };
    (status == 1).then_some(items)
}

extern "C" fn start(data: *mut c_void, name: *const c_char, attributes: *const *const c_char) {
    let (ns, local) = name_of(name);
    let mut map = BTreeMap::new();
    let mut at = attributes;
    // SAFETY: expat ends the list of name and value pairs with a null pointer.
    unsafe {
        while !(*at).is_null() {
            let value = CStr::from_ptr(*at.add(1)).to_string_lossy().into_owned();
            map.insert(name_of(*at), value);
            at = at.add(2);
        }
    }
    items_of(data).push(Item::Start(ns, local, map));
}

extern "C" fn end(data: *mut c_void, _name: *const c_char) {
    items_of(data).push(Item::End);
}

extern "C" fn text(data: *mut c_void, bytes: *const c_char, len: c_int) {
    // SAFETY: expat gives a pointer to `len` bytes of UTF-8.
    let bytes = unsafe { slice::from_raw_parts(bytes.cast::<u8>(), len as usize) };
    push_text(items_of(data), &String::from_utf8_lossy(bytes));
}

fn items_of<'i>(data: *mut c_void) -> &'i mut Vec<Item> {
    // SAFETY: `data` is what `XML_SetUserData` was given; only one handler runs at a time.
    unsafe { &mut *data.cast::<Vec<Item>>() }
}

fn name_of(name: *const c_char) -> (String, String) {
    // SAFETY: expat gives names that end with a null byte.
    let name = unsafe { CStr::from_ptr(name) }.to_string_lossy();
    match name.split_once(SEPARATOR as char) {
        Some((ns, local)) => (ns.to_owned(), local.to_owned()),
        None => (String::new(), name.into_owned()),
    }
}
