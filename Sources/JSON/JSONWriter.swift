/// Writes one JSON text, with commas where they belong.
package struct JSONWriter: Sendable {
    /// What has been written so far.
    package private(set) var bytes: [UInt8]
    private var needsComma = false

    /// Starts an empty text.
    package init(capacity: Int = 256) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    /// Writes behind what is there already, which is no part of the text.
    package init(behind bytes: consuming [UInt8]) { self.bytes = bytes }

    /// Gives what has been written, and is empty then.
    package mutating func take() -> [UInt8] {
        var taken: [UInt8] = []
        swap(&taken, &bytes)
        needsComma = false
        return taken
    }

    /// Writes an object; `body` writes its members.
    package mutating func object(_ body: (inout JSONWriter) -> Void) {
        open(0x7B)
        body(&self)
        close(0x7D)
    }

    /// Writes an array; `body` writes its elements.
    package mutating func array(_ body: (inout JSONWriter) -> Void) {
        open(0x5B)
        body(&self)
        close(0x5D)
    }

    /// Writes a key; exactly one value must follow.
    package mutating func key(_ name: String) {
        JSONText.append(name, behind: needsComma ? 0x2C : nil, before: 0x3A, to: &bytes)
        needsComma = false
    }

    /// Writes a string value, escaped.
    package mutating func string(_ text: String) {
        JSONText.append(text, behind: needsComma ? 0x2C : nil, before: nil, to: &bytes)
        needsComma = true
    }

    /// Writes UTF-8 bytes as a string.
    package mutating func string(utf8: [UInt8]) {
        comma()
        JSONText.append(utf8[...], to: &bytes)
        needsComma = true
    }

    /// Writes an integer value.
    package mutating func int(_ value: Int) {
        comma()
        if value < 0 { bytes.append(0x2D) }
        // The last digit first: the compiler knows no faster division than one by ten.
        var rest = value.magnitude, digits = InlineArray<20, UInt8>(repeating: 0x30), start = 20
        repeat {
            start -= 1
            let tenth = rest / 10
            digits[start] = 0x30 + UInt8(truncatingIfNeeded: rest &- tenth &* 10)
            rest = tenth
        } while rest > 0
        bytes.append(addingCapacity: 20 - start) { out in
            for place in start..<20 { out.append(digits[place]) }
        }
        needsComma = true
    }
    /// Writes `true` or `false`.
    package mutating func bool(_ value: Bool) { self.value(value ? "true" : "false") }
    /// Writes `null` as a value.
    package mutating func null() { value("null") }

    /// Writes a value that stands in the program, as it is.
    package mutating func value(_ text: String) {
        comma()
        append(text)
        needsComma = true
    }

    /// Writes what begins a value, up to where another value must follow: `{"id":`.
    package mutating func begin(_ text: String) {
        comma()
        append(text)
        needsComma = false
    }

    /// Writes what stands behind a value, up to where another one must follow: `,"seq":`.
    package mutating func then(_ text: String) {
        append(text)
        needsComma = false
    }

    /// Writes what ends a value that `begin` began: `}`.
    package mutating func end(_ text: String) {
        append(text)
        needsComma = true
    }

    private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

    /// Writes a form and what stands in its gaps.
    @inline(__always)
    mutating func append(_ form: JSONForm, _ fill: (inout MutableSpan<UInt8>) -> Void) {
        let start = bytes.count
        bytes.append(form.bytes.span)
        var all = bytes.mutableSpan
        var written = all._mutatingExtracting(start...)
        fill(&written)
        needsComma = false
    }

    /// A value has come to its end.
    package mutating func ended() { needsComma = true }

    /// Writes a number in its shortest exact form; one that is not finite becomes null.
    package mutating func double(_ value: Double) {
        guard value.isFinite else { return null() }
        let text = "\(value)"
        word(text.hasSuffix(".0") ? String(text.dropLast(2)) : text)
    }

    /// Writes a value that is JSON already.
    package mutating func raw(_ json: [UInt8]) {
        comma()
        bytes.append(contentsOf: json)
        needsComma = true
    }

    /// Writes a slice that is JSON already.
    package mutating func raw(_ json: ArraySlice<UInt8>) {
        comma()
        bytes.append(contentsOf: json)
        needsComma = true
    }

    /// Writes what is JSON already, where it lies.
    package mutating func raw(_ json: Span<UInt8>) {
        comma()
        bytes.append(json)
        needsComma = true
    }

    private mutating func word(_ text: String) {
        comma()
        bytes.append(contentsOf: text.utf8)
        needsComma = true
    }

    /// Writes a member whose value is a string.
    package mutating func member(_ name: String, _ value: String) { key(name); string(value) }
    /// Writes a member whose value is an integer.
    package mutating func member(_ name: String, _ value: Int) { key(name); int(value) }
    /// Writes a member whose value is `true` or `false`.
    package mutating func member(_ name: String, _ value: Bool) { key(name); bool(value) }
    /// Writes a member whose value is JSON already.
    package mutating func member(_ name: String, raw value: [UInt8]) { key(name); raw(value) }
    /// Writes a member whose value is a slice that is JSON already.
    package mutating func member(_ name: String, raw value: ArraySlice<UInt8>) { key(name); raw(value) }
    /// Writes a member whose value is an object; `body` writes its members.
    package mutating func member(_ name: String, _ body: (inout JSONWriter) -> Void) {
        key(name); object(body)
    }

    /// Writes the member only when there is a value.
    package mutating func optional(_ name: String, _ value: String?) { if let value { member(name, value) } }
    /// The same for an integer.
    package mutating func optional(_ name: String, _ value: Int?) { if let value { member(name, value) } }
    /// The same for a value that is JSON already.
    package mutating func optional(_ name: String, raw value: [UInt8]?) {
        if let value { member(name, raw: value) }
    }

    mutating func comma() { if needsComma { bytes.append(0x2C) } }

    mutating func open(_ bracket: UInt8) {
        comma()
        bytes.append(bracket)
        needsComma = false
    }

    mutating func close(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    /// A whole object as bytes.
    package static func object(_ body: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        writer.object(body)
        return writer.bytes
    }
}
