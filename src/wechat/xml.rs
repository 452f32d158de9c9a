//! The XML of pushes, as JSON.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;
use serde_json::{Map, Value};

/// Elements that lie deeper are taken for text of the one that holds them.
const DEEPEST: usize = 8;

/// An element whose end has not come yet.
#[derive(Default)]
struct Open {
    name: String,
    text: String,
    has_cdata: bool,
    children: Map<String, Value>,
}

/// What is below the root: an element that has elements becomes an object, any other one a text, and elements of one name
/// an array. Names keep their case: `AppId` and `appid` are different things in the same message. None for what is not
/// well-formed, and for a DOCTYPE.
pub(super) fn elements(xml: &str) -> Option<Map<String, Value>> {
    let mut reader = Reader::from_str(xml);
    let mut open: Vec<Open> = Vec::new();
    let mut deeper = 0;
    let mut root = None;
    loop {
        let event = reader.read_event().ok()?;
        let is_deepest = open.len() == DEEPEST;
        match (event, open.last_mut()) {
            (Event::Start(_), Some(_)) if is_deepest => deeper += 1,
            (Event::End(_), Some(_)) if deeper > 0 => deeper -= 1,
            (Event::Start(start), _) => {
                open.push(Open { name: start.name().as_ref().to_owned(), ..Open::default() });
            }
            (Event::Empty(empty), Some(parent)) if deeper == 0 => {
                let name = empty.name().as_ref().to_owned();
                add(&mut parent.children, name, Value::String(String::new()));
            }
            (Event::End(_), Some(_)) => {
                let closed = open.pop()?;
                match open.last_mut() {
                    Some(parent) => {
                        let (name, value) = closed.into_value();
                        add(&mut parent.children, name, value);
                    }
                    None => root = Some(closed.children),
                }
            }
            // White space round a CDATA section is the document's, not the value's.
            (Event::Text(part), Some(current)) => {
                let is_blank = part.trim().is_empty();
                if !(is_blank && (current.has_cdata || current.text.is_empty())) {
                    current.text.push_str(&part);
                }
            }
            (Event::CData(part), Some(current)) => {
                current.has_cdata = true;
                current.text.push_str(&part);
            }
            (Event::GeneralRef(reference), Some(current)) => match reference.resolve_char_ref().ok()? {
                Some(c) => current.text.push(c),
                None => current.text.push_str(resolve_predefined_entity(&reference)?),
            },
            (Event::DocType(_), _) => return None,
            (Event::Eof, current) => {
                return root.filter(|root: &Map<_, _>| current.is_none() && !root.is_empty());
            }
            _ => {}
        }
    }
}

impl Open {
    fn into_value(self) -> (String, Value) {
        let value = match (self.children.is_empty(), self.has_cdata) {
            (false, _) => Value::Object(self.children),
            (true, true) => Value::String(self.text),
            (true, false) => Value::String(self.text.trim().to_owned()),
        };
        (self.name, value)
    }
}

fn add(elements: &mut Map<String, Value>, name: String, value: Value) {
    match elements.get_mut(&name) {
        None => {
            elements.insert(name, value);
        }
        Some(Value::Array(array)) => array.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    proptest! {
        #[test]
        fn anything_is_read_without_a_panic(xml in "[<>/a!\\[\\]C-]{0,80}|.{0,200}") {
            let _ = elements(&xml);
        }
    }

    #[track_caller]
    fn check(xml: &str, expected: Value) {
        let read = elements(xml).map_or(Value::Null, Value::Object);
        assert_eq!(read, expected, "{xml}");
    }

    #[test]
    fn xml_is_read_as_wechat_writes_it() {
        check("<xml><A>1</A><B><![CDATA[2]]></B></xml>", json!({"A": "1", "B": "2"}));
        check("<xml>\n <B>\n<![CDATA[ x ]]>\n</B>\n</xml>\n", json!({"B": " x "}));
        check("<xml><AppId>a</AppId><appid>b</appid></xml>", json!({"AppId": "a", "appid": "b"}));
        check("<xml><A>1&amp;2&#65;</A></xml>", json!({"A": "1&2A"}));
        check("<xml><A> a &lt; b </A></xml>", json!({"A": "a < b"}));
        check("<xml><A><![CDATA[<b>]]]]><![CDATA[>]]></A></xml>", json!({"A": "<b>]]>"}));
        check("<xml><info><A>in</A></info><A>out</A></xml>", json!({"info": {"A": "in"}, "A": "out"}));
        check("<?xml version=\"1.0\"?><xml><A/><B>1</B></xml>", json!({"A": "", "B": "1"}));
        check(
            "<xml><list><appid>a</appid></list><list><appid>b</appid></list><list/></xml>",
            json!({"list": [{"appid": "a"}, {"appid": "b"}, ""]}),
        );
    }

    #[test]
    fn what_lies_too_deep_is_text() {
        let (open, close) = ("<a>".repeat(40_000), "</a>".repeat(40_000));
        let read = elements(&format!("{open}x{close}")).expect("it is well-formed");
        assert!(Value::Object(read).to_string().len() < 100);
    }

    #[test]
    fn what_is_not_plain_xml_is_refused() {
        for xml in [
            "",
            "not xml",
            "{\"AppId\": 1}",
            "<xml><A>1</A>",
            "<xml><A>1</B></xml>",
            "<!DOCTYPE xml [<!ENTITY a \"b\">]><xml><A>&a;</A></xml>",
            "<xml><A>&undefined;</A></xml>",
        ] {
            check(xml, Value::Null);
        }
    }
}
