//! libxml2, which Dino, Openfire's relatives and half of all tools read with.
#![allow(unsafe_code)] // a C library: a reader is created, read to its end and freed in one place

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

use crate::tree::{Item, push_text};

type Reader = *mut c_void;

/// The start of `xmlError`.
#[repr(C)]
struct XmlError {
    domain: c_int,
    code: c_int,
    message: *const c_char,
    level: c_int,
}

type ErrorHandler = extern "C" fn(*mut c_void, *const XmlError);

#[link(name = "xml2")]
unsafe extern "C" {
    fn xmlReaderForMemory(
        bytes: *const c_char,
        size: c_int,
        url: *const c_char,
        encoding: *const c_char,
        options: c_int,
    ) -> Reader;
    fn xmlTextReaderSetStructuredErrorHandler(
        reader: Reader,
        handler: ErrorHandler,
        data: *mut c_void,
    );
    fn xmlTextReaderRead(reader: Reader) -> c_int;
    fn xmlTextReaderNodeType(reader: Reader) -> c_int;
    fn xmlTextReaderIsEmptyElement(reader: Reader) -> c_int;
    fn xmlTextReaderIsNamespaceDecl(reader: Reader) -> c_int;
    fn xmlTextReaderMoveToNextAttribute(reader: Reader) -> c_int;
    fn xmlTextReaderMoveToElement(reader: Reader) -> c_int;
    fn xmlTextReaderConstLocalName(reader: Reader) -> *const c_char;
    fn xmlTextReaderConstNamespaceUri(reader: Reader) -> *const c_char;
    fn xmlTextReaderConstValue(reader: Reader) -> *const c_char;
    fn xmlFreeTextReader(reader: Reader);
}

const NO_NETWORK: c_int = 1 << 11;
const FATAL: c_int = 3;
const ELEMENT: c_int = 1;
const TEXT: c_int = 3;
const CDATA: c_int = 4;
const WHITE_SPACE: c_int = 13;
const SIGNIFICANT_WHITE_SPACE: c_int = 14;
const END_ELEMENT: c_int = 15;

/// The items of a whole document; `None` if libxml2 refuses any of it, also by namespaces.
pub fn items(document: &[u8]) -> Option<Vec<Item>> {
    let len = c_int::try_from(document.len()).ok()?;
    let mut flawed = false;
    let mut items = Vec::new();
    // SAFETY: the reader lives only here, the handler borrows `flawed` only while it reads, and
    // `document` outlives it.
    let last = unsafe {
        let utf8 = c"UTF-8".as_ptr();
        let reader =
            xmlReaderForMemory(document.as_ptr().cast(), len, ptr::null(), utf8, NO_NETWORK);
        if reader.is_null() {
            return None;
        }
        xmlTextReaderSetStructuredErrorHandler(reader, note_error, (&raw mut flawed).cast());
        let mut status = xmlTextReaderRead(reader);
        while status == 1 && !flawed {
            read_node(reader, &mut items);
            status = xmlTextReaderRead(reader);
        }
        xmlFreeTextReader(reader);
        status
    };
    (last == 0 && !flawed).then_some(items)
}

/// Fatal errors, and those of namespaces (codes 200 to 205), which libxml2 only mentions.
extern "C" fn note_error(flawed: *mut c_void, error: *const XmlError) {
    // SAFETY: `flawed` is what the handler was set with, `error` is valid during the call.
    unsafe {
        if (*error).level >= FATAL || (200..=205).contains(&(*error).code) {
            *flawed.cast::<bool>() = true;
        }
    }
}

/// # Safety
/// `reader` must be valid and stand on a node.
unsafe fn read_node(reader: Reader, items: &mut Vec<Item>) {
    // SAFETY: by contract.
    unsafe {
        match xmlTextReaderNodeType(reader) {
            ELEMENT => {
                let (ns, local) = name(reader);
                let empty = xmlTextReaderIsEmptyElement(reader) == 1;
                let mut attributes = BTreeMap::new();
                while xmlTextReaderMoveToNextAttribute(reader) == 1 {
                    if xmlTextReaderIsNamespaceDecl(reader) == 0 {
                        let value = string(xmlTextReaderConstValue(reader));
                        attributes.insert(name(reader), value);
                    }
                }
                xmlTextReaderMoveToElement(reader);
                items.push(Item::Start(ns, local, attributes));
                if empty {
                    items.push(Item::End);
                }
            }
            END_ELEMENT => items.push(Item::End),
            TEXT | CDATA | WHITE_SPACE | SIGNIFICANT_WHITE_SPACE => {
                push_text(items, &string(xmlTextReaderConstValue(reader)));
            }
            _ => {}
        }
    }
}

/// # Safety
/// `reader` must be valid and stand on an element or attribute.
unsafe fn name(reader: Reader) -> (String, String) {
    // SAFETY: by contract.
    unsafe {
        // Up to 2.9 it leaves an ampersand in a declaration half resolved.
        let ns = string(xmlTextReaderConstNamespaceUri(reader)).replace("&#38;", "&");
        (ns, string(xmlTextReaderConstLocalName(reader)))
    }
}

/// # Safety
/// `text` must be null or end with a null byte.
unsafe fn string(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: by contract.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
